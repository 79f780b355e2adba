/*
 * pub_rows: CSV goes through table/csv; JSON is cut into its objects here, so that an array of any
 * length needs memory for one object only. Cutting looks at brackets, strings and commas; what
 * stands in an object is the parser's business.
 *
 * Between objects the text is in one of five places:
 *
 *     OPEN    nothing yet, or behind an object of a sequence: `{` begins an object, `[` (first of
 *             all) the array
 *     FIRST   behind `[`: an object, or `]`
 *     NEXT    behind a comma: an object
 *     BEHIND  behind an object of the array: a comma, or `]`
 *     CLOSED  behind the array: only blanks
 */
#include "cmd/pub_rows.h"

#include "base/bounds.h"
#include "q/json.h"

enum {
    PUB_ROWS_START,
    PUB_ROWS_OPEN,
    PUB_ROWS_FIRST,
    PUB_ROWS_NEXT,
    PUB_ROWS_BEHIND,
    PUB_ROWS_CLOSED
};

void pub_rows_init(PubRows *r, const Schema *s, bool json)
{
    *r = (PubRows){.schema = s, .json = json, .line = 1};
    buf_init(&r->held, 2 * BOUND_PUBLISH_MAX);
    csv_init(&r->csv, s, true);
}

void pub_rows_free(PubRows *r)
{
    csv_free(&r->csv);
    buf_free(&r->held);
    arena_free(&r->memory);
}

/* A byte between objects; *begins tells that an object begins with it. */
static Err step_between(PubRows *r, char c, bool *begins)
{
    *begins = false;
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') return E_OK;
    switch (r->place) {
    case PUB_ROWS_START:
    case PUB_ROWS_OPEN:
        *begins = c == '{';
        if (c == '[' && r->place == PUB_ROWS_START)
            r->place = PUB_ROWS_FIRST;
        else if (!*begins)
            break;
        return E_OK;
    case PUB_ROWS_FIRST:
    case PUB_ROWS_NEXT:
        *begins = c == '{';
        if (c == ']' && r->place == PUB_ROWS_FIRST)
            r->place = PUB_ROWS_CLOSED;
        else if (!*begins)
            break;
        return E_OK;
    case PUB_ROWS_BEHIND:
        if (c != ',' && c != ']') break;
        r->place = c == ',' ? PUB_ROWS_NEXT : PUB_ROWS_CLOSED;
        return E_OK;
    default: break;
    }
    return fail(E_USAGE, "line %llu: \"%c\" where %s is expected", (unsigned long long)r->line, c,
                r->place == PUB_ROWS_BEHIND   ? "a comma or the end of the array"
                : r->place == PUB_ROWS_CLOSED ? "nothing more"
                                              : "an object");
}

/* A byte within an object; true when it is the last one. */
static bool step_inside(PubRows *r, char c)
{
    if (r->text) {
        if (r->escaped)
            r->escaped = false;
        else if (c == '\\')
            r->escaped = true;
        else if (c == '"')
            r->text = false;
        return false;
    }
    if (c == '"')
        r->text = true;
    else if (c == '{' || c == '[')
        r->depth++;
    else if (c == '}' || c == ']')
        return --r->depth == 0;
    return false;
}

static Err take_object(PubRows *r, Str text, Batch *b)
{
    Value v;
    arena_reset(&r->memory);
    Err err = json_parse(text, &r->memory, &v);
    if (err == E_OK) err = csv_from_json(b, &v);
    r->place =
        r->place == PUB_ROWS_START || r->place == PUB_ROWS_OPEN ? PUB_ROWS_OPEN : PUB_ROWS_BEHIND;
    return fail_note(err, "object at line %llu", (unsigned long long)r->begun);
}

static Err feed_json(PubRows *r, Str text, bool last, Batch *b)
{
    Err err = E_OK;
    u64 from = 0; /* where the object that is being read begins */
    TRY(buf_append(&r->held, text.data, text.size));
    for (; r->looked < r->held.size; r->looked++) {
        char c = (char)r->held.data[r->looked];
        bool begins = false;
        if (c == '\n') r->line++;
        if (r->depth == 0) {
            TRY(step_between(r, c, &begins));
            if (!begins) continue;
            from = r->looked;
            r->begun = r->line;
            r->depth = 1;
        } else if (step_inside(r, c)) {
            Str object = {(const char *)r->held.data + from, r->looked + 1 - from};
            TRY(take_object(r, object, b));
        }
    }
    u64 done = r->depth == 0 ? r->looked : from;
    buf_drop(&r->held, done);
    r->looked -= done;
    if (r->held.size > BOUND_PUBLISH_MAX)
        TRY(fail(E_LIMIT, "line %llu: an object of more than %llu bytes",
                 (unsigned long long)r->begun, BOUND_PUBLISH_MAX));
    if (last && r->depth > 0)
        TRY(fail(E_USAGE, "the object that begins in line %llu does not end",
                 (unsigned long long)r->begun));
    if (last && r->place != PUB_ROWS_OPEN && r->place != PUB_ROWS_CLOSED &&
        r->place != PUB_ROWS_START)
        TRY(fail(E_USAGE, "line %llu: the array does not end", (unsigned long long)r->line));
done:
    return err;
}

Err pub_rows_feed(PubRows *r, Str text, bool last, Batch *b)
{
    return r->json ? feed_json(r, text, last, b) : csv_feed(&r->csv, text, last, b);
}
