/*
 * check_twice: rows as hashes.
 *
 * A row is one 64-bit hash over its columns in the order of their names: symbols by their text, so
 * that folders may have different domains, floats with all NaN alike, lists by their elements. The
 * hashes of a folder are sorted and compared with those of the folders before it. Of 10^7 rows on
 * each side two that differ are taken for equal once in 10^5 checks, and a finding needs no more
 * than one; so it is said that the rows look equal. Columns that are mixed or cannot be read are
 * left out, and then a finding is a warning.
 */
#include "cmd/check_twice.h"

#include <math.h>
#include <stdlib.h>

#include "base/map.h"
#include "os/guard.h"
#include "q/symbol.h"
#include "table/splay.h"

#define TWICE_ROWS_MAX (1ull << 27) /* of one table in one folder: 1 GiB of hashes */

typedef struct {
    u64 *hashes;
    u64 count;
    bool whole; /* every column was read */
} TwiceRows;

/* ---- hashes */

static u64 mix(u64 h, u64 with)
{
    u64 both[2] = {h, with};
    return map_hash(both, sizeof both);
}

static const Domain *domain_of(const CheckTableDomains *d, const Column *c)
{
    for (u32 i = 0; i < d->count; i++)
        if (strcmp(d->all[i].name, c->domain) == 0) return &d->all[i].domain;
    return NULL;
}

static u64 hash_element(int type, const u8 *p, u32 width)
{
    f64 f;
    f32 r;
    u64 word = 0;
    if (type == QT_FLOAT || type == QT_DATETIME) {
        memcpy(&f, p, sizeof f);
        if (isnan(f)) return 1;
        f += 0.0; /* -0 becomes 0 */
        memcpy(&word, &f, sizeof f);
    } else if (type == QT_REAL) {
        memcpy(&r, p, sizeof r);
        if (isnan(r)) return 1;
        r += 0.0f;
        memcpy(&word, &r, sizeof r);
    } else if (width <= sizeof word) {
        memcpy(&word, p, width);
    } else {
        return map_hash(p, width);
    }
    return word;
}

/* Mixes a column into its rows' hashes; false when it cannot. */
static bool add_column(TwiceRows *rows, const Column *c, const CheckTableDomains *domains)
{
    const Domain *domain = c->type == QT_ENUM ? domain_of(domains, c) : NULL;
    u32 width = type_width(c->type);
    if (c->rows != rows->count || (c->type == QT_ENUM && domain == NULL)) return false;
    if (c->type > QT_NESTED && type_is_fixed(c->type - QT_NESTED)) {
        width = type_width(c->type - QT_NESTED);
    } else if (c->type != QT_ENUM && !type_is_fixed(c->type)) {
        return c->rows == 0;
    }
    for (u64 i = 0; i < c->rows; i++) {
        const void *elements = NULL;
        u64 count = 0, word;
        if (c->type == QT_ENUM) {
            word = (u64)domain_id(domain, column_index(c, i));
        } else if (c->type < QT_NESTED) {
            word = hash_element(c->type, (const u8 *)c->data + i * width, width);
        } else if (column_row(c, i, &elements, &count) == E_OK) {
            word = count > 0 ? map_hash(elements, count * width) : 0;
        } else {
            return false;
        }
        rows->hashes[i] = mix(rows->hashes[i], word);
    }
    return true;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int by_hash(const void *a, const void *b)
{
    u64 x = *(const u64 *)a, y = *(const u64 *)b;
    return (x > y) - (x < y);
}

/* Reads a table's rows as sorted hashes into the arena. */
static Err read_rows(const char *path, const CheckTableDomains *domains, Arena *a, TwiceRows *rows)
{
    Err err = E_OK;
    Splay s = {0};
    const Column *c = NULL;
    void *place = NULL;
    *rows = (TwiceRows){.whole = true};
    TRY(splay_open(&s, path));
    if (s.column_count == 0) goto done;
    TRY(splay_column(&s, s.names[0], UINT64_MAX, &c));
    if (c->rows > TWICE_ROWS_MAX)
        TRY(fail(E_LIMIT, "%s: more than %llu rows are not compared", path,
                 (unsigned long long)TWICE_ROWS_MAX));
    TRY(arena_try(a, c->rows + 1, sizeof *rows->hashes, &place));
    rows->hashes = place;
    rows->count = c->rows;
    char **names = arena_array(a, char *, s.column_count);
    memcpy(names, s.names, s.column_count * sizeof *names);
    qsort(names, s.column_count, sizeof *names, by_text);
    for (u32 i = 0; i < s.column_count; i++) {
        err = splay_column(&s, names[i], UINT64_MAX, &c);
        if (err != E_OK && guard_lost() > 0) goto done;
        rows->whole &= err == E_OK && add_column(rows, c, domains);
    }
    TRY(splay_intact(&s));
    if (rows->count > 1) qsort(rows->hashes, rows->count, sizeof *rows->hashes, by_hash);
done:
    splay_close(&s);
    return err;
}

/* ---- comparing */

/* How many neighbours from `at` on are equal. */
static u64 run_of(const TwiceRows *r, u64 at)
{
    u64 end = at + 1;
    while (end < r->count && r->hashes[end] == r->hashes[at])
        end++;
    return end - at;
}

/* Rows that stand once in each. */
static u64 count_common(const TwiceRows *x, const TwiceRows *y)
{
    u64 common = 0;
    for (u64 i = 0, k = 0; i < x->count && k < y->count;) {
        if (x->hashes[i] == y->hashes[k]) {
            u64 here = run_of(x, i), there = run_of(y, k);
            common += here == 1 && there == 1;
            i += here;
            k += there;
        } else if (x->hashes[i] < y->hashes[k]) {
            i++;
        } else {
            k++;
        }
    }
    return common;
}

Err check_twice(const char *const *paths, u64 count, const CheckTableDomains *domains,
                NoteList *findings)
{
    Err err = E_OK;
    Arena scratch = {0};
    TwiceRows *rows = arena_array(&scratch, TwiceRows, count);
    for (u64 i = 0; i < count; i++) {
        err = read_rows(paths[i], domains, &scratch, &rows[i]);
        if (err == E_MEMORY) goto done;
        if (err == E_LIMIT) note_warn(findings, paths[i], "P-09", "%s", fail_text());
        if (err == E_CORRUPT && guard_lost() > 0) findings_fail(findings, paths[i], "column", err);
        if (err != E_OK) rows[i].count = 0;
        err = E_OK; /* what else is damaged was said by check_table */
        for (u64 k = 0; k < i; k++) {
            u64 common = count_common(&rows[k], &rows[i]);
            if (common == 0) continue;
            if (rows[i].whole && rows[k].whole)
                note_bad(findings, paths[i], "P-09", "%llu of %llu rows look as rows of %s do",
                         (unsigned long long)common, (unsigned long long)rows[i].count, paths[k]);
            else
                note_warn(findings, paths[i], "P-09",
                          "%llu of %llu rows look as rows of %s do, as far as they can be read",
                          (unsigned long long)common, (unsigned long long)rows[i].count, paths[k]);
        }
    }
done:
    arena_free(&scratch);
    return err;
}
