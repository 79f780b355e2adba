/*
 * batch_fuzz: any bytes as the list column of a published table of two columns: rows are taken
 * whole or refused, checking says the same as taking and foretells the room, and what was taken
 * goes out and comes in again without a change.
 *
 * Input: the column's type, the rows (or 255: one row of atoms), then the column's object.
 */
#include "base/fail.h"
#include "q/wire.h"
#include "table/batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const int TYPES[] = {QT_LIST,
                            QT_LIST,
                            QT_NESTED + QT_SYMBOL,
                            QT_STRING,
                            QT_NESTED + QT_GUID,
                            QT_NESTED + QT_BOOLEAN,
                            QT_NESTED + QT_LONG};

#define ROW 255

static void put(Buf *b, const void *bytes, u64 size)
{
    Err err = buf_append(b, bytes, size);
    ASSERT(err == E_OK);
}

static void put_head(Buf *b, int type, u32 count)
{
    u8 head[6] = {(u8)type};
    store_u32(head + 2, count);
    put(b, head, sizeof head);
}

static void put_message(Buf *b, u8 rows, const u8 *object, u64 size)
{
    static const u8 times[8 * ROW], atom[9] = {(u8)-QT_TIMESTAMP};
    put_head(b, QT_LIST, 2);
    if (rows == ROW) {
        put(b, atom, sizeof atom);
    } else {
        put_head(b, QT_TIMESTAMP, rows);
        put(b, times, 8ull * rows);
    }
    put(b, object, size);
}

static void same(const Batch *a, const Batch *b)
{
    const Vec *x = &a->cols[1], *y = &b->cols[1];
    ASSERT(a->rows == b->rows && x->count == a->rows && y->count == b->rows);
    if (a->rows == 0) return;
    ASSERT(memcmp(x->offs, y->offs, (a->rows + 1) * sizeof(u64)) == 0);
    u64 bytes = x->offs[a->rows] * type_nested_width(x->type);
    ASSERT(bytes == 0 || memcmp(x->data, y->data, bytes) == 0);
}

/* Out as a message, in again; and each mixed row is a sound object. */
static void again(const Schema *s, const Batch *b)
{
    Buf out = {0};
    Batch back;
    Arena a = {0};
    u64 rows = 0;
    batch_init(&back, s);
    Err err = batch_encode(&out, b, 0, b->rows);
    ASSERT(err == E_OK);
    ASSERT(wire_check(out.data, out.size) == E_OK);
    ASSERT(batch_check_wire(s, out.data, out.size, &rows) == E_OK && rows == b->rows);
    ASSERT(batch_append_wire(&back, out.data, out.size) == E_OK);
    same(b, &back);
    for (u64 i = 0; b->cols[1].type == QT_NESTED && i < b->rows; i++) {
        Value v;
        ASSERT(wire_row(&b->cols[1], i, &a, &v) == E_OK);
    }
    arena_free(&a);
    batch_free(&back);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u64 rows = 0, taken = 0, heap[2];
    Buf m = {0};
    Batch b;
    if (size < 2) return 0;
    SchemaColumn columns[] = {{.name = "time", .type = QT_TIMESTAMP},
                              {.name = "list", .type = TYPES[data[0] % COUNT_OF(TYPES)]}};
    Schema s = {.name = "t", .column_count = 2, .columns = columns, .prtn = 0, .updated = -1};
    batch_init(&b, &s);
    put_message(&m, data[1], data + 2, size - 2);
    if (wire_check(m.data, m.size) == E_OK) {
        Err check = batch_check_wire(&s, m.data, m.size, &rows);
        ASSERT(batch_measure_wire(&s, m.data, m.size, &taken, heap) == check);
        Err err = batch_append_wire(&b, m.data, m.size);
        ASSERT(err == check && b.rows == (err == E_OK ? rows : 0));
        if (b.rows > 0) {
            ASSERT(heap[0] == 0 && b.cols[1].offs[b.rows] <= heap[1]);
            again(&s, &b);
        }
    }
    batch_free(&b);
    buf_free(&m);
    return 0;
}
