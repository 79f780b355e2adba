/*
 * csv: records of text to rows, rows to text, and the rows of JSON.
 *
 * Text arrives in pieces. A small state machine looks at each byte once to find where a record
 * ends, also across pieces; what is unfinished is held. Complete records are then split into
 * fields:
 *
 *     START  --"-->  QUOTED  --"-->  CLOSED  --"-->  QUOTED       (a doubled quote is one quote)
 *     START  --x-->  PLAIN   --,-->  START                        (a quote within PLAIN is an
 * ordinary byte) CLOSED --,-->  START           any but QUOTED --LF--> end of the record
 *
 * Empty lines are skipped, unless the table has a single column, whose empty value they are.
 * A record is all or nothing: when a field does not fit, the batch is cut back to the rows before
 * it.
 */
#include "table/csv.h"

#include "base/bounds.h"
#include "q/json.h"
#include "q/type.h"
#include "table/cast.h"

enum { START, PLAIN, QUOTED, CLOSED };

void csv_init(Csv *c, const Schema *s, bool has_header)
{
    *c = (Csv){.schema = s, .line = 1, .has_header = has_header};
    buf_init(&c->held, 2 * BOUND_PUBLISH_MAX);
    buf_init(&c->field, BOUND_PUBLISH_MAX);
}

void csv_free(Csv *c)
{
    buf_free(&c->held);
    buf_free(&c->field);
    arena_free(&c->memory);
    *c = (Csv){.schema = c->schema, .has_header = c->has_header};
}

static Err at_line(const Csv *c, Err err)
{
    return fail_note(err, "line %llu", (unsigned long long)c->line);
}

/* Looks for the line feed that ends the record from `looked` on: its position, or `size` when it is
 * not there. */
static u64 find_end(const char *text, u64 looked, u64 size, u8 *state)
{
    u8 now = *state;
    u64 i = looked;
    for (; i < size; i++) {
        char c = text[i];
        if (now == QUOTED) {
            if (c == '"') now = CLOSED;
        } else if (c == '\n') {
            break;
        } else if (c == ',') {
            now = START;
        } else if (c == '"' && (now == START || now == CLOSED)) {
            now = QUOTED;
        } else if (c != '\r' || now != CLOSED) {
            now = now == CLOSED ? CLOSED : PLAIN;
        }
    }
    *state = now;
    return i;
}

/* Takes the next field from *rest; *more tells whether a comma followed it. */
static Err next_field(Csv *c, Str *rest, Str *field, bool *more)
{
    if (rest->size == 0 || rest->data[0] != '"') {
        i64 comma = str_find(*rest, ',');
        *more = comma >= 0;
        *field = (Str){rest->data, *more ? (u64)comma : rest->size};
        u64 used = field->size + *more;
        *rest = (Str){rest->data + used, rest->size - used};
        return E_OK;
    }
    u64 at = 1;
    buf_clear(&c->field);
    for (;;) {
        u64 from = at;
        while (at < rest->size && rest->data[at] != '"')
            at++;
        if (at == rest->size) return fail(E_TYPE, "a quoted field does not end");
        bool doubled = at + 1 < rest->size && rest->data[at + 1] == '"';
        Err err = buf_append(&c->field, rest->data + from, at - from + doubled);
        if (err != E_OK) return err;
        at += doubled ? 2 : 1;
        if (!doubled) break;
    }
    *field = (Str){(const char *)c->field.data, c->field.size};
    *more = at < rest->size;
    if (*more && rest->data[at] != ',') return fail(E_TYPE, "text behind a quoted field");
    at += *more;
    *rest = (Str){rest->data + at, rest->size - at};
    return E_OK;
}

static Err read_header(Csv *c, Str record)
{
    const Schema *s = c->schema;
    bool more = true;
    u32 count = 0;
    if (str_starts(record, STR("\xef\xbb\xbf"))) record = (Str){record.data + 3, record.size - 3};
    u32 *columns = arena_array(&c->memory, u32, s->column_count);
    bool *seen = arena_array(&c->memory, bool, s->column_count);
    while (more) {
        Str name = {0};
        Err err = next_field(c, &record, &name, &more);
        if (err != E_OK) return err;
        i32 at = schema_find(s, name);
        if (at < 0) return fail(E_TYPE, "table %s has no column \"%.*s\"", s->name, STR_FMT(name));
        if (seen[at]) return fail(E_TYPE, "column %s stands twice", s->columns[at].name);
        seen[at] = true;
        columns[count++] = (u32)at;
    }
    for (u32 i = 0; i < s->column_count; i++) {
        if (!seen[i])
            return fail(E_TYPE, "column %s of table %s is missing", s->columns[i].name, s->name);
    }
    c->columns = columns;
    c->field_count = count;
    return E_OK;
}

static void schema_order(Csv *c)
{
    c->columns = arena_array(&c->memory, u32, c->schema->column_count);
    for (u32 i = 0; i < c->schema->column_count; i++)
        c->columns[i] = i;
    c->field_count = c->schema->column_count;
}

static Err read_row(Csv *c, Str record, Batch *b)
{
    Err err = E_OK;
    bool more = true;
    u32 count = 0;
    while (more) {
        Str field = {0};
        TRY(next_field(c, &record, &field, &more));
        if (count == c->field_count) {
            err = fail(E_TYPE, "more than %u fields", c->field_count);
            goto done;
        }
        TRY(batch_append_text(b, c->columns[count], field));
        count++;
    }
    if (count < c->field_count) err = fail(E_TYPE, "%u fields, expected %u", count, c->field_count);
done:
    if (err == E_OK)
        b->rows++;
    else
        batch_cut(b, b->rows);
    return err;
}

/* One complete record, its line feed taken off. */
static Err read_record(Csv *c, Str record, Batch *b)
{
    Err err = E_OK;
    u64 lines = 1;
    for (u64 i = 0; i < record.size; i++)
        lines += record.data[i] == '\n';
    if (record.size > 0 && record.data[record.size - 1] == '\r') record.size--;
    if (!c->has_header && c->field_count == 0) schema_order(c);
    if (c->field_count == 0)
        err = record.size == 0 ? E_OK : read_header(c, record);
    else if (record.size > 0 || c->field_count == 1)
        err = read_row(c, record, b);
    if (err != E_OK) err = at_line(c, err);
    c->line += lines;
    return err;
}

/* Reads all complete records of `text`; *used bytes of it are done with. */
static Err read_records(Csv *c, Str text, bool last, Batch *b, u64 *used)
{
    u64 from = 0;
    *used = 0;
    while (from < text.size) {
        u64 end = find_end(text.data, from + c->looked, text.size, &c->state);
        bool whole = end < text.size;
        if (!whole && !last) {
            c->looked = end - from;
            break;
        }
        c->looked = 0;
        c->state = START;
        Str record = {text.data + from, end - from};
        from = *used = end + whole;
        Err err = read_record(c, record, b);
        if (err != E_OK) return err;
    }
    return E_OK;
}

Err csv_feed(Csv *c, Str text, bool last, Batch *b)
{
    Err err = E_OK;
    u64 used;
    if (c->held.size == 0) {
        TRY(read_records(c, text, last, b, &used));
        TRY(buf_append(&c->held, text.data + used, text.size - used));
    } else {
        TRY(buf_append(&c->held, text.data, text.size));
        err = read_records(c, (Str){(const char *)c->held.data, c->held.size}, last, b, &used);
        buf_drop(&c->held, used);
        if (err != E_OK) goto done;
    }
    if (c->held.size > BOUND_PUBLISH_MAX) {
        err = at_line(c, fail(E_LIMIT, "a record of more than %llu bytes", BOUND_PUBLISH_MAX));
    }
    if (last && err == E_OK && c->has_header && c->field_count == 0)
        err = fail(E_TYPE, "no header");
done:
    return err;
}

/* ---- writing */

/* Puts quotes around what was written from `at` on, when it needs them. */
static Err quote(Buf *out, u64 at)
{
    Err err = E_OK;
    Buf copy = {.size_max = out->size_max};
    bool needed = false;
    for (u64 i = at; i < out->size && !needed; i++) {
        u8 c = out->data[i];
        needed = c == ',' || c == '"' || c == '\n' || c == '\r';
    }
    if (!needed) return E_OK;
    TRY(buf_append(&copy, out->data + at, out->size - at));
    out->size = at;
    TRY(buf_byte(out, '"'));
    for (u64 i = 0; i < copy.size; i++) {
        if (copy.data[i] == '"') TRY(buf_byte(out, '"'));
        TRY(buf_byte(out, copy.data[i]));
    }
    TRY(buf_byte(out, '"'));
done:
    buf_free(&copy);
    return err;
}

static Err write_list(Buf *out, const Value *list)
{
    u64 count = value_count(list);
    for (u64 i = 0; i < count; i++) {
        Value one = value_at(list, i);
        Err err = i > 0 ? buf_byte(out, ' ') : E_OK;
        if (err == E_OK) err = cast_write(out, &one);
        if (err != E_OK) return err;
    }
    return E_OK;
}

/* Whether a value is a vector, or a list of atoms. */
static bool is_flat(const Value *v)
{
    if (v->type != QT_LIST) return v->type > QT_LIST && v->type <= QT_ENUM;
    for (u64 i = 0; i < v->as.vec.count; i++)
        if (vec_value(&v->as.vec)[i].type >= 0) return false;
    return true;
}

/* Values that are neither atoms nor lists of them come as JSON. */
static Err write_cell(Buf *out, const Value *cell)
{
    u64 at = out->size;
    Str text;
    Err err = E_OK;
    if (cell->type == QT_NULL) return E_OK;
    if (cell->type >= QT_LIST && value_text(cell, &text))
        err = buf_append(out, text.data, text.size);
    else if (cell->type < 0)
        err = cast_write(out, cell);
    else if (is_flat(cell))
        err = write_list(out, cell);
    else
        err = json_write(out, cell);
    return err == E_OK ? quote(out, at) : err;
}

static Err write_names(Buf *out, const Value *table)
{
    Err err = E_OK;
    for (u64 i = 0; i < table->as.table.count && err == E_OK; i++) {
        u64 at = out->size;
        if (i > 0) err = buf_byte(out, ',');
        at += i > 0;
        if (err == E_OK)
            err = buf_append(out, table->as.table.names[i].data, table->as.table.names[i].size);
        if (err == E_OK) err = quote(out, at);
    }
    return err == E_OK ? buf_byte(out, '\n') : err;
}

static Err write_row(Buf *out, const Value *table, u64 row)
{
    u64 at = out->size;
    for (u64 i = 0; i < table->as.table.count; i++) {
        Value cell = value_at(&table->as.table.cols[i], row);
        Err err = i > 0 ? buf_byte(out, ',') : E_OK;
        if (err == E_OK) err = write_cell(out, &cell);
        if (err != E_OK) return err;
    }
    /* a lone empty value would look like an empty line */
    Err err = out->size == at ? buf_text(out, "\"\"") : E_OK;
    return err == E_OK ? buf_byte(out, '\n') : err;
}

Err csv_write(Buf *out, const Value *table, bool header)
{
    if (table->type != QT_TABLE)
        return fail(E_TYPE, "a value of type %s as CSV", type_name(table->type));
    u64 before = out->size, rows = value_count(table);
    Err err = header ? write_names(out, table) : E_OK;
    for (u64 i = 0; i < rows && err == E_OK; i++)
        err = write_row(out, table, i);
    if (err != E_OK) out->size = before;
    return err;
}

/* ---- JSON */

/* The schema column of the k-th key of an object: by position first. */
static Err key_column(const Schema *s, const Value *object, u64 k, u32 *column)
{
    Value key = value_at(object->as.dict.keys, k);
    Str name;
    if (!value_text(&key, &name)) return fail(E_TYPE, "an object's key is no name");
    if (k < s->column_count && str_is(name, s->columns[k].name)) {
        *column = (u32)k;
        return E_OK;
    }
    i32 at = schema_find(s, name);
    if (at < 0) return fail(E_TYPE, "table %s has no column \"%.*s\"", s->name, STR_FMT(name));
    *column = (u32)at;
    return E_OK;
}

/* Gives every column that an object did not name nulls up to `rows` more than before. */
static Err fill_missing(Batch *b, u64 rows)
{
    Value null = value_null();
    for (u32 i = 0; i < b->schema->column_count; i++) {
        while (b->cols[i].count < b->rows + rows) {
            Err err = batch_append_value(b, i, &null);
            if (err != E_OK) return err;
        }
    }
    return E_OK;
}

static Err json_row(Batch *b, const Value *object)
{
    u64 count = value_count(object->as.dict.keys);
    for (u64 k = 0; k < count; k++) {
        u32 column = 0;
        Err err = key_column(b->schema, object, k, &column);
        if (err != E_OK) return err;
        if (b->cols[column].count != b->rows) {
            return fail(E_TYPE, "column %s stands twice", b->schema->columns[column].name);
        }
        Value v = value_at(object->as.dict.values, k);
        err = batch_append_value(b, column, &v);
        if (err != E_OK) return err;
    }
    Err err = fill_missing(b, 1);
    if (err == E_OK) b->rows++;
    return err;
}

static Err json_rows(Batch *b, const Value *list)
{
    u64 count = value_count(list);
    for (u64 i = 0; i < count; i++) {
        Value row = value_at(list, i);
        Err err = row.type == QT_DICT
                      ? json_row(b, &row)
                      : fail(E_TYPE, "an array of rows holds a %s", type_name(row.type));
        if (err != E_OK) return fail_note(err, "row %llu", (unsigned long long)i);
    }
    return E_OK;
}

static Err json_columns(Batch *b, const Value *object)
{
    u64 count = value_count(object->as.dict.keys), rows = 0;
    for (u64 k = 0; k < count; k++) {
        u32 column = 0;
        Err err = key_column(b->schema, object, k, &column);
        if (err != E_OK) return err;
        Value list = value_at(object->as.dict.values, k);
        if (k == 0) rows = value_count(&list);
        if (value_count(&list) != rows || b->cols[column].count != b->rows) {
            return fail(E_TYPE, "table %s, column %s: %llu rows, other columns have %llu",
                        b->schema->name, b->schema->columns[column].name,
                        (unsigned long long)value_count(&list), (unsigned long long)rows);
        }
        for (u64 i = 0; i < rows; i++) {
            Value v = value_at(&list, i);
            err = batch_append_value(b, column, &v);
            if (err != E_OK) return fail_note(err, "row %llu", (unsigned long long)i);
        }
    }
    Err err = fill_missing(b, rows);
    if (err == E_OK) b->rows += rows;
    return err;
}

/* Whether an object holds columns: each of its values is an array. */
static bool holds_columns(const Value *object)
{
    u64 count = value_count(object->as.dict.keys);
    for (u64 k = 0; k < count; k++) {
        Value v = value_at(object->as.dict.values, k);
        if (v.type < QT_LIST || v.type > QT_ENUM || v.type == QT_CHAR) return false;
    }
    return count > 0;
}

Err csv_from_json(Batch *b, const Value *v)
{
    u64 before = b->rows;
    Err err;
    if (v->type == QT_DICT)
        err = holds_columns(v) ? json_columns(b, v) : json_row(b, v);
    else if (v->type >= QT_LIST && v->type <= QT_ENUM && v->type != QT_CHAR)
        err = json_rows(b, v);
    else
        err = fail(E_TYPE, "neither an array of rows nor an object of columns, but a %s",
                   type_name(v->type));
    if (err != E_OK) batch_cut(b, before);
    return err;
}
