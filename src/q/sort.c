/*
 * sort: the stable order of rows by several columns.
 *
 * Every element is turned into one or more unsigned words whose order is q's (a guid has two). Rows
 * are ordered by the first key; rows that are equal there form a group, and each group is ordered
 * by the next key, and so on. So a column of symbols splits the rows into groups that fit the
 * processor's cache, and groups that stand in order already (rows of one symbol mostly arrive by
 * time) cost one look. Ordering one group by one word:
 *
 *   1. gather the words in the present order; note the least, the greatest and whether they
 *      ascend; if they do, nothing is to be done
 *   2. pack word - least, or as many of its high bits as fit, and the position in the group into
 *      64 bits
 *   3. sort the packed words by insertion while that stays cheap (few, or nearly in order), else
 *      by a least-significant-digit radix sort with digits of up to 13 bits
 *   4. rearrange the rows; where bits were cut off, order rows of equal high bits by 1 to 4 again
 *
 * Positions make packed words distinct, and each pass is stable, so the whole is stable.
 * Memory: two arrays of 8 bytes a row.
 */
#include "q/sort.h"

#include "base/bounds.h"
#include "q/symbol.h"

#include <stdlib.h>

#define DIGIT_BITS     11 /* of a digit when several are needed */
#define SINGLE_BITS    13 /* of a digit that is enough alone */
#define PASSES_MAX     6
#define FEW            8  /* rows that are compared and moved one by one */
#define INSERTION_MAX  48 /* words that are always sorted by insertion */
#define MOVES_PER_WORD 4  /* moves of a longer insertion before it is given up */
#define SIGN_64        (1ull << 63)

typedef struct {
    const SortKey *keys;
    u64 key_count;
} Sorter;

/* A run of rows being ordered, and scratch of one word a row twice. */
typedef struct {
    u32 *perm;
    u64 *a, *b;
    u64 n;
    bool identity; /* perm is 0, 1, 2, ... */
} Slice;

/* ---- elements as words */

static inline u64 word_i64(i64 v) { return (u64)v ^ SIGN_64; }

static inline u64 word_f64(f64 v)
{
    u64 bits;
    if (v != v) return 0;
    v += 0.0; /* -0 is 0 */
    memcpy(&bits, &v, sizeof bits);
    return bits & SIGN_64 ? ~bits : bits | SIGN_64;
}

static inline u64 word_bytes(const u8 *p) { return __builtin_bswap64(load_u64(p)); }

static inline u64 word_enum(const SortKey *k, i64 id)
{
    if (!k->rank) return word_i64(id);
    return id < 0 ? 0 : 1 + (u64)k->rank[id];
}

/* How many words an element of a key has. */
static u32 parts_of(const SortKey *k) { return k->type == QT_GUID ? 2 : 1; }

/* Word `part` of the element at a row. */
static inline u64 word_at(const SortKey *k, u32 part, u64 row)
{
    u64 word;
    switch (k->type) {
    case QT_BOOLEAN:
    case QT_BYTE:
    case QT_CHAR: word = ((const u8 *)k->data)[row]; break;
    case QT_SHORT: word = word_i64(((const i16 *)k->data)[row]); break;
    case QT_LONG:
    case QT_TIMESTAMP:
    case QT_TIMESPAN: word = word_i64(((const i64 *)k->data)[row]); break;
    case QT_FLOAT:
    case QT_DATETIME: word = word_f64(((const f64 *)k->data)[row]); break;
    case QT_REAL: word = word_f64((f64)((const f32 *)k->data)[row]); break;
    case QT_GUID: word = word_bytes((const u8 *)k->data + row * 16 + (u64)part * 8); break;
    case QT_ENUM:
        word = word_enum(k, k->wide ? ((const i64 *)k->data)[row] : ((const i32 *)k->data)[row]);
        break;
    default: word = word_i64(((const i32 *)k->data)[row]); break;
    }
    return k->descending ? ~word : word;
}

/* What a gather finds out. */
typedef struct {
    u64 least, most;
    bool ascending;
} Seen;

/* One loop a type: `expression` is the word of row r. perm NULL = rows 0, 1, 2, ... */
#define GATHER(expression)                                                                         \
    for (u64 i = 0; i < n; i++) {                                                                  \
        u64 r = perm ? perm[i] : i;                                                                \
        u64 word = (expression) ^ flip;                                                            \
        out[i] = word;                                                                             \
        least = MIN(least, word);                                                                  \
        most = MAX(most, word);                                                                    \
        falls |= word < before;                                                                    \
        before = word;                                                                             \
    }

static Seen gather(const SortKey *k, u32 part, const u32 *perm, u64 n, u64 *out)
{
    u64 flip = k->descending ? ~0ull : 0, least = ~0ull, most = 0, before = 0;
    bool falls = false;
    switch (k->type) {
    case QT_BOOLEAN:
    case QT_BYTE:
    case QT_CHAR: {
        const u8 *data = k->data;
        GATHER(data[r]);
        break;
    }
    case QT_LONG:
    case QT_TIMESTAMP:
    case QT_TIMESPAN: {
        const i64 *data = k->data;
        GATHER(word_i64(data[r]));
        break;
    }
    case QT_FLOAT:
    case QT_DATETIME: {
        const f64 *data = k->data;
        GATHER(word_f64(data[r]));
        break;
    }
    case QT_ENUM: {
        const i32 *data = k->data;
        const u32 *rank = k->rank;
        if (k->wide || !rank)
            GATHER(word_at(k, part, r) ^ flip)
        else
            GATHER(data[r] < 0 ? 0 : 1 + (u64)rank[data[r]]);
        break;
    }
    case QT_SHORT:
    case QT_REAL:
    case QT_GUID: GATHER(word_at(k, part, r) ^ flip); break;
    default: {
        const i32 *data = k->data;
        GATHER(word_i64(data[r]));
        break;
    }
    }
    return (Seen){least, most, !falls};
}

/* ---- order of packed words */

static u32 bits_of(u64 n) { return n ? 64 - (u32)__builtin_clzll(n) : 0; }

/* Sorts packed words by insertion as long as that stays cheap; false when it was given up: the
 * words before the place reached are in order then, so equal keys still stand by position. */
static bool insertion(u64 *w, u64 n)
{
    u64 budget = n <= INSERTION_MAX ? UINT64_MAX : n * MOVES_PER_WORD;
    for (u64 i = 1; i < n; i++) {
        u64 word = w[i], at = i;
        for (; at > 0 && w[at - 1] > word; at--)
            w[at] = w[at - 1];
        w[at] = word;
        if (i - at > budget) return false;
        budget -= i - at;
    }
    return true;
}

/* Sorts packed words by bits [low, low + bits); returns the array that holds the result. */
static u64 *radix(u64 *from, u64 *to, u64 n, u32 low, u32 bits)
{
    u32 counts[1u << SINGLE_BITS];
    u32 passes = bits <= SINGLE_BITS && n >> bits > 0 ? 1 : (bits + DIGIT_BITS - 1) / DIGIT_BITS;
    if (passes > 1 && n < 4096) passes = (bits + 7) / 8;
    u32 width = (bits + passes - 1) / passes;
    ASSERT(width <= SINGLE_BITS);
    for (u32 pass = 0; pass < passes; pass++) {
        u32 shift = low + pass * width, taken = MIN(width, bits - pass * width);
        u64 mask = (1ull << taken) - 1;
        memset(counts, 0, sizeof counts[0] << taken);
        for (u64 i = 0; i < n; i++)
            counts[from[i] >> shift & mask]++;
        if (counts[from[0] >> shift & mask] == n) continue;
        u32 at = 0;
        for (u64 d = 0; d <= mask; d++) {
            u32 count = counts[d];
            counts[d] = at;
            at += count;
        }
        for (u64 i = 0; i < n; i++)
            to[counts[from[i] >> shift & mask]++] = from[i];
        u64 *swap = from;
        from = to;
        to = swap;
    }
    return from;
}

/* Rows in order by one word, or by its high bits: `words` stand in that order, and are equal above
 * bit `shift` where those are. */
typedef struct {
    const u64 *words;
    u32 shift;
    bool whole;
} Ordered;

/* Moves the rows to where the packed words say. */
static void permute(const Slice *x, const u64 *sorted, u64 mask)
{
    u32 *rows = (u32 *)(void *)(sorted == x->a ? x->b : x->a);
    if (x->identity) {
        for (u64 i = 0; i < x->n; i++)
            x->perm[i] = (u32)(sorted[i] & mask);
        return;
    }
    for (u64 i = 0; i < x->n; i++)
        rows[i] = x->perm[sorted[i] & mask];
    memcpy(x->perm, rows, x->n * sizeof *rows);
}

/* Reorders the rows by the words in x->a, which are theirs in the present order. */
static Ordered arrange(Slice *x, const Seen *seen)
{
    u32 at_bits = bits_of(x->n - 1), bits = bits_of(seen->most - seen->least);
    u32 cut = bits + at_bits > 64 ? bits + at_bits - 64 : 0;
    for (u64 i = 0; i < x->n; i++)
        x->a[i] = (x->a[i] - seen->least) >> cut << at_bits | i;
    u64 *sorted = x->a;
    if (!insertion(sorted, x->n)) sorted = radix(x->a, x->b, x->n, at_bits, bits - cut);
    permute(x, sorted, (1ull << at_bits) - 1);
    x->identity = false;
    return (Ordered){sorted, at_bits, cut == 0};
}

/* Compares two rows by word `part` of key k and all that follow. */
static int compare_from(const Sorter *s, u64 k, u32 part, u64 x, u64 y)
{
    for (; k < s->key_count; k++, part = 0) {
        for (; part < parts_of(&s->keys[k]); part++) {
            u64 a = word_at(&s->keys[k], part, x), b = word_at(&s->keys[k], part, y);
            if (a != b) return a < b ? -1 : 1;
        }
    }
    return 0;
}

/* Orders a few rows by all keys from word `part` of key k on. */
static void order_few(const Sorter *s, u64 k, u32 part, u32 *perm, u64 n)
{
    for (u64 i = 1; i < n; i++) {
        u32 row = perm[i];
        u64 at = i;
        for (; at > 0 && compare_from(s, k, part, perm[at - 1], row) > 0; at--)
            perm[at] = perm[at - 1];
        perm[at] = row;
    }
}

/* Whether rows 0, 1, 2, ... are in order by the keys from `k` on. */
static bool follow(const Sorter *s, u64 k, u64 n)
{
    return sort_is_sorted(s->keys + k, s->key_count - k, 0, n);
}

/* Orders the rows of a slice by word `part` of key k and all that follow; recursion ends with the
 * keys. A group uses its own part of the scratch, so the words of later groups stay readable. */
static void order(const Sorter *s, u64 k, u32 part, Slice x)
{
    if (x.n <= FEW) {
        order_few(s, k, part, x.perm, x.n);
        return;
    }
    const SortKey *key = &s->keys[k];
    Seen seen = gather(key, part, x.identity ? NULL : x.perm, x.n, x.a);
    Ordered ordered = {x.a, 0, true};
    bool last = part + 1 == parts_of(key);
    u64 next = last ? k + 1 : k;
    u32 next_part = last ? 0 : part + 1;
    /* Rows in order by all later keys before are so within every group after, as this is stable. */
    bool done = next == s->key_count || (x.identity && last && follow(s, next, x.n));
    if (!seen.ascending) ordered = arrange(&x, &seen);
    if (done && ordered.whole) return;
    if (!ordered.whole) { /* rows of equal high bits are ordered by the same word again */
        next = k;
        next_part = part;
    }
    for (u64 from = 0, to; from < x.n; from = to) {
        u64 word = ordered.words[from] >> ordered.shift;
        for (to = from + 1; to < x.n && ordered.words[to] >> ordered.shift == word; to++)
            continue;
        if (to - from < 2) continue;
        order(s, next, next_part,
              (Slice){x.perm + from, x.a + from, x.b + from, to - from, x.identity && from == 0});
    }
}

/* ---- the calls */

static bool ascends(const SortKey *k, u64 from, u64 to)
{
    bool rises = !k->descending;
    if (k->type == QT_LONG || k->type == QT_TIMESTAMP || k->type == QT_TIMESPAN) {
        const i64 *data = k->data;
        for (u64 i = from + 1; i < to; i++)
            if (rises ? data[i - 1] > data[i] : data[i - 1] < data[i]) return false;
        return true;
    }
    for (u64 i = from + 1; i < to; i++)
        if (sort_compare(k, i - 1, k, i, 1) > 0) return false;
    return true;
}

bool sort_is_sorted(const SortKey *keys, u64 key_count, u64 from, u64 to)
{
    if (key_count == 0 || to <= from) return true;
    if (key_count == 1) return ascends(keys, from, to);
    for (u64 i = from + 1; i < to; i++)
        if (sort_compare(keys, i - 1, keys, i, key_count) > 0) return false;
    return true;
}

int sort_compare(const SortKey *a_keys, u64 a, const SortKey *b_keys, u64 b, u64 key_count)
{
    for (u64 k = 0; k < key_count; k++) {
        for (u32 part = 0; part < parts_of(&a_keys[k]); part++) {
            u64 x = word_at(&a_keys[k], part, a), y = word_at(&b_keys[k], part, b);
            if (x != y) return x < y ? -1 : 1;
        }
    }
    return 0;
}

Err sort_order(const SortKey *keys, u64 key_count, u64 count, u32 *perm, bool *sorted)
{
    *sorted = false;
    if (count > UINT32_MAX)
        return fail(E_LIMIT, "%llu rows to sort; at most %u are allowed", (unsigned long long)count,
                    UINT32_MAX);
    for (u64 k = 0; k < key_count; k++)
        ASSERT(type_is_fixed(keys[k].type) || keys[k].type == QT_ENUM);
    for (u64 i = 0; i < count; i++)
        perm[i] = (u32)i;
    *sorted = sort_is_sorted(keys, key_count, 0, count);
    if (*sorted) return E_OK;
    u64 *scratch = malloc(count * 2 * sizeof *scratch);
    if (!scratch) return fail(E_MEMORY, "no memory to sort %llu rows", (unsigned long long)count);
    Sorter s = {keys, key_count};
    order(&s, 0, 0, (Slice){perm, scratch, scratch + count, count, true});
    free(scratch);
    return E_OK;
}

u64 sort_lower_i64(const i64 *data, u64 from, u64 to, i64 value)
{
    while (from < to) {
        u64 middle = from + (to - from) / 2;
        if (data[middle] < value)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

u64 sort_upper_i64(const i64 *data, u64 from, u64 to, i64 value)
{
    return value == INT64_MAX ? to : sort_lower_i64(data, from, to, value + 1);
}

/* ---- ranks of names */

typedef struct {
    u64 prefix; /* the first eight bytes, as a big-endian number, padded with zeros */
    i32 id;
} Name;

static int compare_names(const void *x, const void *y)
{
    const Name *a = x, *b = y;
    if (a->prefix != b->prefix) return a->prefix < b->prefix ? -1 : 1;
    return str_cmp(symbol_text(a->id), symbol_text(b->id));
}

static int compare_ids(const void *x, const void *y)
{
    i32 a, b;
    memcpy(&a, x, sizeof a);
    memcpy(&b, y, sizeof b);
    return a < b ? -1 : a > b;
}

static Name name_of(i32 id)
{
    u8 bytes[8] = {0};
    Str text = symbol_text(id);
    memcpy(bytes, text.data, MIN(text.size, sizeof bytes));
    return (Name){word_bytes(bytes), id};
}

/* The distinct ids among a few: sorted, doubles dropped. */
static Err distinct_few(const i32 *ids, u64 count, i32 **out, u64 *out_count)
{
    i32 *copy = calloc(MAX(count, 1), sizeof *copy);
    u64 kept = 0;
    if (!copy) return fail(E_MEMORY, "no memory for %llu symbols", (unsigned long long)count);
    memcpy(copy, ids, count * sizeof *copy);
    qsort(copy, count, sizeof *copy, compare_ids);
    for (u64 i = 0; i < count; i++)
        if (i == 0 || copy[i] != copy[kept - 1]) copy[kept++] = copy[i];
    *out = copy;
    *out_count = kept;
    return E_OK;
}

/* The distinct ids among many: marked in a bit map of all ids. */
static Err distinct_many(const i32 *ids, u64 count, i32 id_count, i32 **out, u64 *out_count)
{
    u64 words = ((u64)id_count + 63) / 64, kept = 0;
    u64 *marks = calloc(words + 1, sizeof *marks);
    if (!marks) return fail(E_MEMORY, "no memory to mark %d symbols", id_count);
    for (u64 i = 0; i < count; i++) {
        ASSERT((u32)ids[i] < (u32)id_count);
        marks[(u32)ids[i] / 64] |= 1ull << (u32)ids[i] % 64;
    }
    for (u64 i = 0; i < words; i++)
        kept += (u64)__builtin_popcountll(marks[i]);
    i32 *distinct = calloc(MAX(kept, 1), sizeof *distinct);
    if (!distinct) {
        free(marks);
        return fail(E_MEMORY, "no memory for %llu symbols", (unsigned long long)kept);
    }
    u64 at = 0;
    for (u64 i = 0; i < words; i++)
        for (u64 word = marks[i]; word != 0; word &= word - 1)
            distinct[at++] = (i32)(i * 64 + (u64)__builtin_ctzll(word));
    free(marks);
    *out = distinct;
    *out_count = kept;
    return E_OK;
}

Err sort_symbol_ranks(const i32 *ids, u64 count, u32 *rank, i32 id_count)
{
    i32 *distinct = NULL;
    Name *names = NULL;
    u64 kept = 0;
    Err err = E_OK;
    if (count == 0) return E_OK;
    if (count < (u64)id_count / 64)
        TRY(distinct_few(ids, count, &distinct, &kept));
    else
        TRY(distinct_many(ids, count, id_count, &distinct, &kept));
    names = calloc(MAX(kept, 1), sizeof *names);
    if (!names) {
        err = fail(E_MEMORY, "no memory to order %llu symbols", (unsigned long long)kept);
        goto done;
    }
    for (u64 i = 0; i < kept; i++)
        names[i] = name_of(distinct[i]);
    qsort(names, kept, sizeof *names, compare_names);
    for (u64 i = 0; i < kept; i++)
        rank[names[i].id] = (u32)i;
done:
    free(names);
    free(distinct);
    return err;
}
