/*
 * scrub: walks the parts of a view, and keeps its place and its finds in a small file.
 *
 *     siltstone-scrub 2
 *     pass 3 784560000123456789 784000000000000000 1048576      number, began, last ended, bytes
 *     next date 40 9071 hdb:data/2024.11.01/40 4 17             kind, made, key, path, file, block
 *     damage hdb:data/2024.11.01/12 trade/price checksum 0 1048576 0 131070 784560000000000000 3
 *     end 0c4e2d11
 *
 * Order: interval parts, then date parts, each in the order in which they were made, files by name,
 * blocks. What is written while a pass runs (and was compared then) comes behind all that is older,
 * so the same pass still meets it, and the next one does not meet it later than this one did: no
 * byte waits for longer than a period. For that a pass that has met everything goes on waiting for
 * parts until its period is over. Intervals that it misses are compared when they are written down.
 * At the end the domain is read as far as the view needs it.
 *
 * A part without checksums is read in its turn and gets them (db/sumup). That is not saved: a
 * process that ends begins the part anew.
 *
 * A file that was damaged and is found whole by a later pass leaves the list (its device may have
 * failed to read it and does so no longer); one whose part is gone leaves it at the next step.
 */
#include "db/scrub.h"

#include "base/bounds.h"
#include "base/crc.h"
#include "db/lines.h"
#include "os/dir.h"
#include "os/file.h"

#include <inttypes.h>
#include <stdio.h>

#define STEP_BLOCKS 16 /* compared in one go */

static char *scrub_path(const Root *r, Arena *a) { return dir_join(a, r->idb, "scrub", NULL); }

void scrub_free(Scrub *s)
{
    arena_free(&s->memory);
    *s = (Scrub){0};
}

/* The next part is this one, or the first that comes behind it. */
static void go_to(Scrub *s, PartKind kind, u64 made, i32 key)
{
    s->kind = kind;
    s->made = made;
    s->key = key;
    s->path = NULL;
    s->file = 0;
    s->block = 0;
}

/* ---- the file */

static Err put_path(Buf *b, const Root *r, const char *path)
{
    Arena scratch = {0};
    Err err = lines_put_text(b, path[0] == 0 ? path : root_path_store(r, &scratch, path));
    arena_free(&scratch);
    return err;
}

static Err put_damage(Buf *b, const Root *r, const ScrubDamage *d)
{
    Err err = E_OK;
    TRY(buf_text(b, "damage "));
    TRY(put_path(b, r, d->part));
    TRY(buf_byte(b, ' '));
    TRY(lines_put_text(b, d->name));
    TRY(buf_format(b,
                   " %s %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIi64 " %" PRIu64 "\n",
                   d->what, d->from, d->to, d->row_from, d->row_to, d->found, d->pass));
done:
    return err;
}

Err scrub_write(const Root *r, const Scrub *s)
{
    Err err = E_OK;
    Arena scratch = {0};
    Buf b = {.size_max = BOUND_MANIFEST_MAX};
    u32 crc = 0;
    TRY(buf_format(&b, "siltstone-scrub 2\npass %" PRIu64 " %" PRIi64 " %" PRIi64 " %" PRIu64 "\n",
                   s->pass, s->began, s->last, s->done));
    TRY(buf_format(&b, "next %s %" PRIu64 " %" PRIi32 " ",
                   s->kind == PART_DATE ? "date" : "interval", s->made, s->key));
    TRY(put_path(&b, r, s->path == NULL ? "" : s->path));
    TRY(buf_format(&b, " %" PRIu32 " %" PRIu64 "\n", s->file, s->block));
    for (u32 i = 0; i < s->count; i++)
        TRY(put_damage(&b, r, &s->damages[i]));
    TRY(lines_put_end(&b, 0, &crc));
    TRY(file_replace(scrub_path(r, &scratch), b.data, b.size));
done:
    buf_free(&b);
    arena_free(&scratch);
    return err;
}

static Err get_path(Lines *l, u32 i, const Root *r, Arena *a, const char **out)
{
    char *stored = NULL, *path = NULL;
    Err err = lines_text(l, i, a, &stored);
    *out = stored;
    if (err != E_OK || stored[0] == 0) return err;
    err = root_path_find(r, a, str_of(stored), &path);
    *out = path;
    return err;
}

static Err read_damage(Lines *l, const Root *r, Arena *a, ScrubDamage *d)
{
    Err err = E_OK;
    char *name = NULL, *what = NULL;
    u64 *const numbers[] = {&d->from, &d->to, &d->row_from, &d->row_to};
    TRY(lines_next(l, "damage", 9));
    TRY(get_path(l, 0, r, a, &d->part));
    TRY(lines_text(l, 1, a, &name));
    TRY(lines_text(l, 2, a, &what));
    for (u32 i = 0; i < COUNT_OF(numbers); i++)
        TRY(lines_u64(l, 3 + i, numbers[i]));
    TRY(lines_i64(l, 7, &d->found));
    TRY(lines_u64(l, 8, &d->pass));
    d->name = name;
    d->what = what;
done:
    return err;
}

/* Version 1 had another order: its pass begins anew, with what it has found. */
static Err read_place(Lines *l, const Root *r, u32 version, Scrub *s)
{
    Err err = E_OK;
    u64 file = 0;
    TRY(lines_next(l, "pass", 4));
    TRY(lines_u64(l, 0, &s->pass));
    TRY(lines_i64(l, 1, &s->began));
    TRY(lines_i64(l, 2, &s->last));
    TRY(lines_u64(l, 3, &s->done));
    TRY(lines_next(l, "next", version == 1 ? 5 : 6));
    if (version == 1) {
        s->done = 0;
        go_to(s, PART_INTERVAL, 0, INT32_MIN);
        goto done;
    }
    s->kind = str_is(l->field[0], "date") ? PART_DATE : PART_INTERVAL;
    TRY(lines_u64(l, 1, &s->made));
    TRY(lines_i32(l, 2, &s->key));
    TRY(get_path(l, 3, r, &s->memory, &s->path));
    TRY(lines_u64(l, 4, &file));
    TRY(lines_u64(l, 5, &s->block));
    if (file > UINT32_MAX) TRY(lines_bad(l, "no such file"));
    s->file = (u32)file;
done:
    return err;
}

Err scrub_read(const Root *r, Scrub *s)
{
    Err err = E_OK;
    Arena scratch = {0};
    Lines l;
    u8 *data = NULL;
    u64 size = 0;
    u32 crc = 0, version = 0;
    void *damages = NULL;
    char *path = scrub_path(r, &scratch);
    *s = (Scrub){0};
    err = file_read_all(path, BOUND_MANIFEST_MAX, &scratch, &data, &size);
    if (err == E_NOT_FOUND || (err == E_OK && size == 0)) {
        arena_free(&scratch);
        return E_OK;
    }
    if (err != E_OK) goto done;
    TRY(lines_open(&l, (Str){(const char *)data, size}, &crc));
    TRY(lines_version(&l, "siltstone-scrub", 2, &version));
    TRY(read_place(&l, r, version, s));
    u64 count = lines_count(&l, "damage", NULL);
    TRY(lines_array(&s->memory, count, sizeof(ScrubDamage), UINT32_MAX, "damages", &damages));
    s->damages = damages;
    s->room = (u32)count;
    for (; s->count < count; s->count++)
        TRY(read_damage(&l, r, &s->memory, &s->damages[s->count]));
    if (l.rest.size != 0) err = lines_bad(&l, "a line that does not belong there");
done:
    if (err != E_OK) {
        err = fail_note(err, "%s", path);
        scrub_free(s);
    }
    arena_free(&scratch);
    return err;
}

/* ---- finds */

/* Whether a file of the damage is one of the column: its own, a companion, or `.d`. */
static bool is_of_column(const char *name, const char *table, const char *column)
{
    u64 size = strlen(table), length = strlen(column);
    if (strncmp(name, table, size) != 0 || name[size] != '/') return false;
    const char *file = name + size + 1;
    if (strcmp(file, ".d") == 0) return true;
    return strncmp(file, column, length) == 0 &&
           strspn(file + length, "#") == strlen(file + length);
}

const ScrubDamage *scrub_find(const Scrub *s, const char *part, const char *table,
                              const char *column)
{
    for (u32 i = 0; i < s->count; i++) {
        const ScrubDamage *d = &s->damages[i];
        if (strcmp(d->part, part) == 0 && is_of_column(d->name, table, column)) return d;
    }
    return NULL;
}

Err scrub_fail(const ScrubDamage *d)
{
    return fail(E_CORRUPT,
                "%s/%s is damaged (%s): bytes %" PRIu64 " to %" PRIu64 ", rows %" PRIu64
                " to %" PRIu64 " may be wrong; silt check --deep shows it",
                d->part, d->name, d->what, d->from, d->to, d->row_from, d->row_to);
}

static bool has_part(const View *v, const char *path)
{
    for (int kind = PART_INTERVAL; kind <= PART_DATE; kind++) {
        u64 at = 0;
        for (const Part *p; (p = view_next(v, (PartKind)kind, &at)) != NULL;)
            if (strcmp(p->path, path) == 0) return true;
    }
    return false;
}

/* Drops the damage of parts that are gone; and of one file, when this pass found it whole. */
static void forget(Scrub *s, const View *v, const char *part, const char *name)
{
    u32 kept = 0;
    for (u32 i = 0; i < s->count; i++) {
        const ScrubDamage *d = &s->damages[i];
        bool whole = part != NULL && d->pass != s->pass && strcmp(d->part, part) == 0 &&
                     strcmp(d->name, name) == 0;
        bool gone = part == NULL && d->part[0] != 0 && !has_part(v, d->part);
        if (!whole && !gone) s->damages[kept++] = *d;
    }
    s->count = kept;
}

/* Drops all damage of a part that was read whole. */
static void forget_part(Scrub *s, const char *part)
{
    u32 kept = 0;
    for (u32 i = 0; i < s->count; i++)
        if (strcmp(s->damages[i].part, part) != 0) s->damages[kept++] = s->damages[i];
    s->count = kept;
}

/* Notes a damage; that of a file which is known already is widened. */
static Err note(Scrub *s, const char *part, const SidecarDamage *d, i64 now, u32 *found)
{
    for (u32 i = 0; i < s->count; i++) {
        ScrubDamage *old = &s->damages[i];
        if (strcmp(old->part, part) != 0 || strcmp(old->name, d->name) != 0) continue;
        bool same = old->pass == s->pass;
        old->from = same ? MIN(old->from, d->from) : d->from;
        old->to = same ? MAX(old->to, d->to) : d->to;
        old->row_from = same ? MIN(old->row_from, d->row_from) : d->row_from;
        old->row_to = same ? MAX(old->row_to, d->row_to) : d->row_to;
        old->what = str_dup(&s->memory, str_of(d->what));
        old->pass = s->pass;
        return E_OK;
    }
    if (s->count == s->room) {
        void *more = NULL;
        u32 room = MAX(2 * s->room, 8);
        Err err = arena_try(&s->memory, room, sizeof *s->damages, &more);
        if (err != E_OK) return err;
        if (s->count > 0) memcpy(more, s->damages, s->count * sizeof *s->damages);
        s->damages = more;
        s->room = room;
    }
    s->damages[s->count++] = (ScrubDamage){.part = str_dup(&s->memory, str_of(part)),
                                           .name = str_dup(&s->memory, str_of(d->name)),
                                           .what = str_dup(&s->memory, str_of(d->what)),
                                           .from = d->from,
                                           .to = d->to,
                                           .row_from = d->row_from,
                                           .row_to = d->row_to,
                                           .found = now,
                                           .pass = s->pass};
    ++*found;
    return E_OK;
}

/* ---- walking */

u64 scrub_bytes(const View *v)
{
    u64 bytes = v->sym_size;
    for (int kind = PART_INTERVAL; kind <= PART_DATE; kind++) {
        u64 at = 0;
        for (const Part *p; (p = view_next(v, (PartKind)kind, &at)) != NULL;)
            for (u32 i = 0; i < p->table_count; i++)
                bytes += p->tables[i].bytes;
    }
    return bytes;
}

/* Whether a part comes before one that was made then and has this key. */
static bool is_before(const Part *p, u64 made, i32 key)
{
    return p->made != made ? p->made < made : p->key < key;
}

/* The part that is next; NULL when there is none of this kind. */
static const Part *part_at(const View *v, const Scrub *s)
{
    u64 at = 0;
    const Part *next = NULL;
    for (const Part *p; (p = view_next(v, s->kind, &at)) != NULL;)
        if (!is_before(p, s->made, s->key) && (next == NULL || is_before(p, next->made, next->key)))
            next = p;
    return next;
}

static void go_behind(Scrub *s, const Part *p)
{
    if (p->key < INT32_MAX)
        go_to(s, s->kind, p->made, p->key + 1);
    else
        go_to(s, s->kind, p->made + 1, INT32_MIN);
}

static void begin_pass(Scrub *s, i64 now)
{
    s->pass++;
    s->began = now;
    s->done = 0;
    go_to(s, PART_INTERVAL, 0, INT32_MIN);
}

/* Reads the domain as far as the view needs it. */
static Err compare_domain(Scrub *s, const ScrubLook *l, u32 *found)
{
    Err err = E_OK;
    Buf b = {0};
    File f = FILE_NONE;
    u8 *piece = NULL;
    u64 got = 0, read = 0;
    u32 crc = 0;
    const View *v = l->view;
    if (!v->sym_summed) return E_OK;
    TRY(buf_room(&b, SUM_BLOCK, &piece));
    Err bad = file_open(&f, l->root->sym, FILE_READ);
    while (bad == E_OK && read < v->sym_size) {
        u64 want = MIN(v->sym_size - read, SUM_BLOCK);
        bad = file_read_some(&f, piece, want, read, &got);
        crc = crc_32c(crc, piece, got);
        read += got;
        if (got < want) break;
    }
    s->done += read;
    if (bad == E_OK && read == v->sym_size && crc == v->sym_crc) {
        forget(s, v, "", "sym");
        goto done;
    }
    SidecarDamage d = {
        .name = "sym", .what = bad == E_OK ? "checksum" : "unreadable", .to = v->sym_size};
    TRY(note(s, "", &d, l->now, found));
done:
    file_drop(&f);
    buf_free(&b);
    return err;
}

/* Compares some blocks of one file of a part and moves on behind them. */
static Err compare_some(Scrub *s, const ScrubLook *l, const Part *p, const SumFile *f, u32 *found)
{
    Arena scratch = {0};
    SidecarDamage d;
    bool bad = false;
    u64 blocks = f->size / SUM_BLOCK + (f->size % SUM_BLOCK != 0);
    u64 to = MIN(s->block + STEP_BLOCKS, blocks);
    Err err = sidecar_compare(p, f, s->block, to, true, &scratch, &bad, &d);
    if (err == E_OK && bad) err = note(s, p->path, &d, l->now, found);
    s->done += MIN(f->size, to * SUM_BLOCK) - MIN(f->size, s->block * SUM_BLOCK);
    s->block = to;
    if (err == E_OK && to == blocks) {
        forget(s, l->view, p->path, f->name);
        s->file++;
        s->block = 0;
    }
    arena_free(&scratch);
    return err;
}

/* Walks over a part until it is done or so many bytes are. */
static Err walk_part(Scrub *s, const ScrubLook *l, const Part *p, u64 until, u32 *found)
{
    SumList list = {0};
    Err err = sidecar_read(p->path, p->sums, &list);
    if (err == E_CORRUPT) {
        SidecarDamage d = {.name = "", .what = "sidecar"};
        err = note(s, p->path, &d, l->now, found);
        s->file = 0;
    } else if (err == E_OK) {
        forget(s, l->view, p->path, "");
    }
    while (err == E_OK && s->file < list.count && s->done < until)
        err = compare_some(s, l, p, &list.files[s->file], found);
    if (err == E_OK && s->file >= list.count) go_behind(s, p);
    sum_list_free(&list);
    return err;
}

/* The same of a part without checksums. */
static Err sum_part(Scrub *s, const ScrubLook *l, const Part *p, u64 until, u32 *found)
{
    Arena scratch = {0};
    SidecarDamage d;
    u64 read = 0;
    bool whole = false, bad = false;
    if (!sumup_reads(l->sumup, p)) { /* what was counted of it before is read anew */
        s->done -= MIN(s->done, s->block * SUM_BLOCK);
        s->block = 0;
    }
    Err err = sumup_step(l->sumup, p, until - s->done, &scratch, &read, &whole, &bad, &d);
    s->done += read;
    s->block += read / SUM_BLOCK;
    if (err == E_OK && bad) err = note(s, p->path, &d, l->now, found);
    if (err == E_OK && whole) forget_part(s, p->path);
    if (err == E_OK && (whole || bad)) go_behind(s, p);
    arena_free(&scratch);
    return err;
}

/* Ends the pass. */
static Err end_pass(Scrub *s, const ScrubLook *l, u32 *found)
{
    Err err = compare_domain(s, l, found);
    if (err != E_OK) return err;
    s->last = l->now;
    s->began = 0;
    return E_OK;
}

Err scrub_step(Scrub *s, const ScrubLook *l, bool *ended, u32 *found)
{
    Err err = E_OK;
    *ended = false;
    *found = 0;
    if (s->pass == 0 || s->began == 0) begin_pass(s, l->now);
    if (s->count > 0) forget(s, l->view, NULL, NULL);
    u64 until = s->done + l->bytes;
    while (err == E_OK && s->done < until) {
        const Part *p = part_at(l->view, s);
        if (p == NULL && s->kind == PART_INTERVAL) {
            go_to(s, PART_DATE, 0, INT32_MIN);
            continue;
        }
        if (p == NULL) {
            *ended = l->end;
            return l->end ? end_pass(s, l, found) : E_OK;
        }
        if (s->path == NULL || strcmp(s->path, p->path) != 0) {
            go_to(s, s->kind, p->made, p->key);
            s->path = str_dup(&s->memory, str_of(p->path));
        }
        if (p->summed)
            err = walk_part(s, l, p, until, found);
        else if (sumup_has(l->sumup, p))
            go_behind(s, p); /* not published yet */
        else
            err = sum_part(s, l, p, until, found);
    }
    return err;
}
