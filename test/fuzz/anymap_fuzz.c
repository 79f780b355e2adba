/*
 * anymap_fuzz: references, heap and names of a list column whose headers are sound; what decodes as
 * a value must be writable, and what was written must read back equally.
 *
 *   0  u8 rows    1  u8 bytes of names    2  rows x (u16 offset, u8 flags)    names    heap
 */
#include "column/header.h"
#include "fuzz/columns.h"
#include "q/type.h"
#include "q/wire.h"

static u8 parent[HEADER_PAGE_SIZE + 8 * 256];

static bool encode(const Value *v, Buf *b) { return wire_encode(b, v) == E_OK; }

/* Writes the values that decode to another column and compares. */
static void write_again(void)
{
    Column c, again;
    ColumnOut *out;
    Arena a = {.size_max = 64 << 20}, b = {.size_max = 64 << 20};
    char path[80];
    Value v, w;
    u64 bytes, rows = 0;
    if (column_open(&c, columns_path) != E_OK) return;
    snprintf(path, sizeof path, "%s.2", columns_path);
    unlink(path);
    if (column_create(&out, path, QT_LIST, ATTR_NONE, 0) != E_OK) abort();
    for (u64 i = 0; i < c.rows; i++) {
        if (column_value(&c, i, NULL, &a, &v) != E_OK) continue;
        Err err = column_append_value(out, &v);
        ASSERT(err == E_OK || err == E_LIMIT);
        rows += err == E_OK;
    }
    ASSERT(column_finish(out, true, NULL, &bytes) == E_OK);
    ASSERT(column_open(&again, path) == E_OK && again.rows == rows);
    u64 at = 0;
    for (u64 i = 0; i < c.rows && at < rows; i++) {
        Buf x = {0}, y = {0};
        if (column_value(&c, i, NULL, &a, &v) != E_OK) continue;
        ASSERT(column_value(&again, at++, NULL, &b, &w) == E_OK);
        if (encode(&v, &x)) {
            ASSERT(encode(&w, &y) && x.size == y.size);
            ASSERT(memcmp(x.data, y.data, x.size) == 0);
        }
        buf_free(&x);
        buf_free(&y);
    }
    column_close(&again);
    column_close(&c);
    arena_free(&a);
    arena_free(&b);
    unlink(path);
    strcat(path, "#");
    unlink(path);
    strcat(path, "#");
    unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Buf heap = {0}, names = {0};
    u8 page[HEADER_PAGE_SIZE];
    if (size < 2 || size < 2 + 3ull * data[0] + data[1]) return 0;
    u64 rows = data[0], name_bytes = data[1];
    header_page(parent, "", 1, QT_NESTED, ATTR_NONE, rows);
    for (u64 i = 0; i < rows; i++) {
        u64 reference = load_u16(data + 2 + 3 * i) | (u64)data[4 + 3 * i] << 56;
        store_u64(parent + HEADER_PAGE_SIZE + 8 * i, reference);
    }
    const u8 *rest = data + 2 + 3 * rows;
    header_page(page, "", 0, 4, ATTR_NONE, 0);
    ASSERT(buf_append(&heap, page, sizeof page) == E_OK);
    ASSERT(buf_append(&heap, rest + name_bytes, (u64)(data + size - rest) - name_bytes) == E_OK);
    ASSERT(buf_append(&names, "\xff\x01\x0b\0\0\0\0\0", 8) == E_OK);
    ASSERT(buf_append(&names, rest, name_bytes) == E_OK);
    columns_begin();
    columns_write("", parent, HEADER_PAGE_SIZE + 8 * rows);
    columns_write("#", heap.data, heap.size);
    if (name_bytes > 0) columns_write("##", names.data, names.size);
    columns_read(false);
    write_again();
    buf_free(&heap);
    buf_free(&names);
    return 0;
}
