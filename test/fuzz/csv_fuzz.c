/*
 * csv_fuzz: any text as CSV of a table with every kind of column, in one piece and in two; both
 * ways give the same rows.
 */
#include "base/fail.h"
#include "table/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static SchemaColumn COLUMNS[] = {
    {.name = "a", .type = QT_TIMESTAMP}, {.name = "b", .type = QT_LONG},
    {.name = "c", .type = QT_FLOAT},     {.name = "d", .type = QT_STRING},
    {.name = "e", .type = QT_GUID},      {.name = "f", .type = QT_BOOLEAN}};
static const Schema SCHEMA = {
    .name = "t", .column_count = 6, .columns = COLUMNS, .prtn = 0, .updated = -1};

/* The rows read when the text is cut at `at`. */
static u64 rows(Str text, u64 at, bool header, Err *err)
{
    Csv c = {0};
    Batch b = {0};
    csv_init(&c, &SCHEMA, header);
    batch_init(&b, &SCHEMA);
    *err = csv_feed(&c, (Str){text.data, at}, false, &b);
    if (*err == E_OK) *err = csv_feed(&c, (Str){text.data + at, text.size - at}, true, &b);
    u64 n = b.rows;
    for (u32 i = 0; i < SCHEMA.column_count; i++)
        ASSERT(b.cols[i].count == n);
    csv_free(&c);
    batch_free(&b);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Err whole = E_OK, cut = E_OK;
    Str text = {(const char *)data, size};
    bool header = size > 0 && (data[0] & 1) != 0;
    u64 a = rows(text, 0, header, &whole);
    u64 b = rows(text, size / 2, header, &cut);
    ASSERT(a == b && whole == cut);
    return 0;
}
