/*
 * group: keys of groups and the tables that find them.
 *
 * The key of a row is its group columns' elements end to end: fixed types in their width, symbols
 * as ids, strings as a length of 4 bytes and their text. Floats are brought into one form, so that
 * all NaNs and both zeros are equal. Keys of up to 8 bytes are kept as numbers. The table doubles
 * before it is half full; entries are never removed.
 */
#include "query/group.h"

#include "base/bounds.h"
#include "base/map.h"

#include <math.h>
#include <stdlib.h>

#define SLOTS_FIRST 64
#define ROOM_FIRST  16

static int key_type(const Group *g, u32 at)
{
    return schema_memory_type(&g->plan->schema->columns[g->plan->request->groups[at]]);
}

Err group_init(Group *g, const Plan *p)
{
    u64 width = 0;
    bool texts = false;
    const Request *r = p->request;
    *g = (Group){.plan = p};
    buf_init(&g->bytes, BOUND_RESULT_MAX);
    for (u32 i = 0; i < r->group_count; i++) {
        width += type_width(key_type(g, i));
        texts |= key_type(g, i) > QT_NESTED;
    }
    g->form = r->group_count == 0  ? GROUP_ALL
              : p->run_slot >= 0   ? GROUP_SYMBOL
              : texts || width > 8 ? GROUP_BYTES
              : width <= 2         ? GROUP_SMALL
                                   : GROUP_WORD;
    if (g->form == GROUP_ALL) g->count = 1;
    if (g->form != GROUP_SYMBOL && g->form != GROUP_SMALL) return E_OK;
    u64 keys = g->form == GROUP_SYMBOL ? (u64)p->id_count : (u64)1 << (8 * width);
    g->by_id = calloc(keys, sizeof *g->by_id);
    return g->by_id != NULL ? E_OK : fail(E_MEMORY, "no memory for groups");
}

void group_free(Group *g)
{
    free(g->by_id);
    free(g->ids);
    free(g->words);
    free(g->offs);
    free(g->slots);
    buf_free(&g->bytes);
    g->by_id = g->slots = NULL;
    g->ids = NULL;
    g->words = g->offs = NULL;
    g->count = g->room = 0;
    g->slot_count = 0;
}

static Err grow(void **array, u64 room, u64 width)
{
    void *p = realloc(*array, room * width);
    if (p == NULL) return fail(E_MEMORY, "no memory for %llu groups", (unsigned long long)room);
    *array = p;
    return E_OK;
}

/* Makes room for one more group. */
static Err make_room(Group *g)
{
    Err err = E_OK;
    if (g->count < g->room) return E_OK;
    u64 room = MAX(g->room * 2ull, ROOM_FIRST);
    if (room > UINT32_MAX) return fail(E_LIMIT, "more than %u groups", UINT32_MAX);
    void *ids = g->ids, *words = g->words, *offs = g->offs;
    switch (g->form) {
    case GROUP_SMALL:
    case GROUP_SYMBOL: err = grow(&ids, room, sizeof *g->ids); break;
    case GROUP_WORD: err = grow(&words, room, sizeof *g->words); break;
    default: err = grow(&offs, room + 1, sizeof *g->offs); break;
    }
    g->ids = ids;
    g->words = words;
    g->offs = offs;
    if (err == E_OK) g->room = (u32)room;
    return err;
}

Err group_symbol(Group *g, i32 id, u32 *number)
{
    ASSERT(id >= 0 && (id < g->plan->id_count || g->form == GROUP_SMALL));
    u32 known = g->by_id[id];
    if (known == 0) {
        Err err = make_room(g);
        if (err != E_OK) return err;
        g->ids[g->count] = id;
        known = g->by_id[id] = ++g->count;
    }
    *number = known - 1;
    return E_OK;
}

Err group_symbols(Group *g, const i32 *ids, u64 count)
{
    ASSERT(g->form == GROUP_SYMBOL && g->count == 0);
    if (count > UINT32_MAX - 1) return fail(E_LIMIT, "more than %u groups", UINT32_MAX - 1);
    void *copy = g->ids;
    Err err = grow(&copy, MAX(count, 1), sizeof *ids);
    if (err != E_OK) return err;
    g->ids = copy;
    g->room = (u32)MAX(count, 1);
    if (count > 0) memcpy(g->ids, ids, count * sizeof *ids);
    g->count = (u32)count;
    return E_OK;
}

/* ---- hashing */

static u64 hash_word(u64 word)
{
    word = (word ^ word >> 32) * 0x9e3779b97f4a7c15ull;
    return word ^ word >> 29;
}

static Str bytes_of(const Group *g, u32 number)
{
    u64 from = g->offs[number];
    return (Str){(const char *)g->bytes.data + from, g->offs[number + 1] - from};
}

static u64 hash_of(const Group *g, u32 number)
{
    if (g->form == GROUP_WORD) return hash_word(g->words[number]);
    Str key = bytes_of(g, number);
    return map_hash(key.data, key.size);
}

/* Doubles the table when it is half full. */
static Err make_slots(Group *g)
{
    if (2ull * (g->count + 1) <= g->slot_count) return E_OK;
    u64 count = MAX(g->slot_count * 2, SLOTS_FIRST);
    u32 *slots = calloc(count, sizeof *slots);
    if (slots == NULL) return fail(E_MEMORY, "no memory for %u groups", g->count);
    for (u32 i = 0; i < g->count; i++) {
        u64 at = hash_of(g, i) & (count - 1);
        while (slots[at] != 0)
            at = (at + 1) & (count - 1);
        slots[at] = i + 1;
    }
    free(g->slots);
    g->slots = slots;
    g->slot_count = count;
    return E_OK;
}

static Err find_word(Group *g, u64 word, u32 *number)
{
    Err err = E_OK;
    if (g->slot_count == 0) TRY(make_slots(g));
    u64 mask = g->slot_count - 1, at = hash_word(word) & mask;
    for (; g->slots[at] != 0; at = (at + 1) & mask) {
        *number = g->slots[at] - 1;
        if (g->words[*number] == word) return E_OK;
    }
    TRY(make_room(g));
    *number = g->count;
    g->words[g->count++] = word;
    g->slots[at] = g->count;
    TRY(make_slots(g));
done:
    return err;
}

static Err find_bytes(Group *g, Str key, u32 *number)
{
    Err err = E_OK;
    if (g->slot_count == 0) TRY(make_slots(g));
    u64 mask = g->slot_count - 1, at = map_hash(key.data, key.size) & mask;
    for (; g->slots[at] != 0; at = (at + 1) & mask) {
        *number = g->slots[at] - 1;
        if (str_eq(bytes_of(g, *number), key)) return E_OK;
    }
    TRY(make_room(g));
    *number = g->count;
    g->offs[g->count] = g->bytes.size;
    TRY(buf_append(&g->bytes, key.data, key.size));
    g->offs[++g->count] = g->bytes.size;
    g->slots[at] = g->count;
    TRY(make_slots(g));
done:
    return err;
}

/* ---- keys of rows */

/* An element in the one form that equal values have. */
static u64 plain_word(int type, const void *element, u32 width)
{
    u64 word = 0;
    f64 f;
    f32 r;
    memcpy(&word, element, width);
    if (type == QT_FLOAT || type == QT_DATETIME) {
        memcpy(&f, element, sizeof f);
        f = isnan(f) ? (f64)NAN : f + 0.0;
        memcpy(&word, &f, sizeof f);
    } else if (type == QT_REAL) {
        memcpy(&r, element, sizeof r);
        r = isnan(r) ? (f32)NAN : r + 0.0f;
        word = 0;
        memcpy(&word, &r, sizeof r);
    }
    return word;
}

static const ScanColumn *column_of(const Group *g, const ScanPiece *piece, u32 at)
{
    return &piece->cols[g->plan->slot_of[g->plan->request->groups[at]]];
}

/* Adds one column of rows to their keys, `shift` bits up. */
static void add_words(const ScanColumn *col, u64 from, const u16 *sel, u64 count, u32 shift,
                      u64 *words)
{
    const u8 *data = (const u8 *)col->data + scan_base(col, from) * col->width;
    bool real = type_class(col->type) == TYPE_REAL;
    u32 width = real ? 0 : col->width;
    switch (width) {
    case 1:
        for (u64 i = 0; i < count; i++)
            words[i] |= (u64)data[sel != NULL ? sel[i] : i] << shift;
        break;
    case 2:
        for (u64 i = 0; i < count; i++)
            words[i] |= (u64)load_u16(data + 2 * (sel != NULL ? sel[i] : i)) << shift;
        break;
    case 4:
        for (u64 i = 0; i < count; i++)
            words[i] |= (u64)load_u32(data + 4 * (sel != NULL ? sel[i] : i)) << shift;
        break;
    case 8:
        for (u64 i = 0; i < count; i++)
            words[i] = load_u64(data + 8 * (sel != NULL ? sel[i] : i));
        break;
    default:
        for (u64 i = 0; i < count; i++) {
            const u8 *element = data + col->width * (sel != NULL ? sel[i] : i);
            words[i] |= plain_word(col->type, element, col->width) << shift;
        }
        break;
    }
}

/* Keys of rows whose columns fit 8 bytes. */
static Err words_of(const Group *g, const ScanPiece *piece, u64 from, const u16 *sel, u64 count,
                    u64 *words)
{
    i32 lanes[SCAN_BLOCK];
    const i32 *ids;
    u32 shift = 0;
    u64 n = sel != NULL ? sel[count - 1] + 1ull : count;
    memset(words, 0, count * sizeof *words);
    for (u32 c = 0; c < g->plan->request->group_count; c++) {
        const ScanColumn *col = column_of(g, piece, c);
        if (col->type == QT_ENUM) {
            Err err = scan_ids(piece, col, g->plan->names, from, n, lanes, &ids);
            if (err != E_OK) return err;
            for (u64 i = 0; i < count; i++)
                words[i] |= (u64)(u32)ids[sel != NULL ? sel[i] : i] << shift;
        } else {
            add_words(col, from, sel, count, shift, words);
        }
        shift += 8 * col->width;
    }
    return E_OK;
}

static Err word_rows(Group *g, const ScanPiece *piece, u64 from, const u16 *sel, u64 count,
                     u32 *numbers)
{
    Err err = E_OK;
    u64 words[SCAN_BLOCK], last = 0;
    u32 number = 0;
    TRY(words_of(g, piece, from, sel, count, words));
    if (g->form == GROUP_SMALL) {
        for (u64 i = 0; i < count; i++) {
            u32 known = g->by_id[words[i]];
            numbers[i] = known - 1;
            if (known == 0) TRY(group_symbol(g, (i32)words[i], &numbers[i]));
        }
        return E_OK;
    }
    for (u64 i = 0; i < count; i++) {
        if (i == 0 || words[i] != last) TRY(find_word(g, words[i], &number));
        last = words[i];
        numbers[i] = number;
    }
done:
    return err;
}

/* Appends one column of a row to its key. */
static Err put_key(const ScanColumn *col, u64 row, const i32 *id, Buf *key)
{
    if (id != NULL) return buf_append(key, id, sizeof *id);
    const u8 *data = (const u8 *)col->data + scan_base(col, row) * col->width;
    if (col->type == QT_GUID) return buf_append(key, data, 16);
    if (col->type < QT_NESTED) {
        u64 word = plain_word(col->type, data, col->width);
        return buf_append(key, &word, col->width);
    }
    const void *text;
    u64 size;
    Err err = scan_row(col, row, &text, &size);
    if (err != E_OK) return err;
    if (size > UINT32_MAX)
        return fail(E_LIMIT, "a string of %llu bytes is too long for groupBy",
                    (unsigned long long)size);
    u32 size32 = (u32)size;
    err = buf_append(key, &size32, sizeof size32);
    return err == E_OK ? buf_append(key, text, size) : err;
}

static Err bytes_rows(Group *g, const ScanPiece *piece, u64 from, const u16 *sel, u64 count,
                      u32 *numbers)
{
    Err err = E_OK;
    Buf key = {0};
    u32 columns = g->plan->request->group_count;
    for (u64 i = 0; i < count; i++) {
        u64 row = from + (sel != NULL ? sel[i] : i);
        buf_clear(&key);
        for (u32 c = 0; c < columns; c++) {
            const ScanColumn *col = column_of(g, piece, c);
            i32 lane;
            const i32 *id = NULL;
            if (col->type == QT_ENUM) TRY(scan_ids(piece, col, g->plan->names, row, 1, &lane, &id));
            TRY(put_key(col, row, id, &key));
        }
        TRY(find_bytes(g, (Str){(const char *)key.data, key.size}, &numbers[i]));
    }
done:
    buf_free(&key);
    return err;
}

static Err symbol_rows(Group *g, const ScanPiece *piece, u64 from, const u16 *sel, u64 count,
                       u32 *numbers)
{
    Err err = E_OK;
    i32 lanes[SCAN_BLOCK];
    const i32 *ids;
    u64 n = sel != NULL ? sel[count - 1] + 1ull : count;
    TRY(scan_ids(piece, &piece->cols[g->plan->run_slot], g->plan->names, from, n, lanes, &ids));
    for (u64 i = 0; i < count; i++) {
        i32 id = ids[sel != NULL ? sel[i] : i];
        u32 known = g->by_id[id];
        numbers[i] = known - 1;
        if (known == 0) TRY(group_symbol(g, id, &numbers[i]));
    }
done:
    return err;
}

Err group_rows(Group *g, const ScanPiece *piece, u64 from, const u16 *sel, u64 count, u32 *numbers)
{
    Err err = E_OK;
    u32 needed = 0, columns = g->plan->request->group_count;
    ASSERT(count <= SCAN_BLOCK);
    if (count == 0) return E_OK;
    u64 n = sel != NULL ? sel[count - 1] + 1ull : count;
    for (; needed < columns; needed++)
        TRY(scan_need(column_of(g, piece, needed), from, n));
    switch (g->form) {
    case GROUP_ALL: memset(numbers, 0, count * sizeof *numbers); break;
    case GROUP_SMALL:
    case GROUP_WORD: err = word_rows(g, piece, from, sel, count, numbers); break;
    case GROUP_BYTES: err = bytes_rows(g, piece, from, sel, count, numbers); break;
    default: err = symbol_rows(g, piece, from, sel, count, numbers); break;
    }
done:
    while (needed-- > 0)
        scan_done(column_of(g, piece, needed), from, n);
    return err;
}

Err group_merge(Group *g, const Group *from, u32 number, u32 *merged)
{
    switch (g->form) {
    case GROUP_ALL: *merged = 0; return E_OK;
    case GROUP_SMALL:
    case GROUP_SYMBOL: return group_symbol(g, from->ids[number], merged);
    case GROUP_WORD: return find_word(g, from->words[number], merged);
    default: return find_bytes(g, bytes_of(from, number), merged);
    }
}

void group_key(const Group *g, u32 number, u32 at, void *element, Str *text)
{
    *text = (Str){"", 0};
    if (g->form == GROUP_SYMBOL) {
        memcpy(element, &g->ids[number], sizeof g->ids[number]);
        return;
    }
    if (g->form == GROUP_WORD || g->form == GROUP_SMALL) {
        u64 word = g->form == GROUP_WORD ? g->words[number] : (u64)g->ids[number];
        u32 skip = 0;
        for (u32 c = 0; c < at; c++)
            skip += type_width(key_type(g, c));
        memcpy(element, (const u8 *)&word + skip, type_width(key_type(g, at)));
        return;
    }
    const char *p = bytes_of(g, number).data;
    for (u32 c = 0;; c++) {
        int type = key_type(g, c);
        u64 size = type > QT_NESTED ? load_u32(p) : type_width(type);
        if (type > QT_NESTED) p += 4;
        if (c == at && type > QT_NESTED) *text = (Str){p, size};
        if (c == at && type < QT_NESTED) memcpy(element, p, size);
        if (c == at) return;
        p += size;
    }
}
