/*
 * tplog_fuzz: any bytes as a tickerplant's log. Messages must lie back to back within the file; a
 * file cut at the tear must read the same and be whole.
 */
#include "column/tplog.h"
#include "fuzz/columns.h"

static u64 read_all(u64 *at, bool *torn)
{
    Tplog t;
    Arena a = {.size_max = 256 << 20};
    Value v;
    bool more = true;
    if (tplog_open(&t, columns_path) != E_OK) {
        *at = 0;
        return 0;
    }
    while (more && tplog_next(&t, &a, &v, &more) == E_OK)
        ASSERT(t.at <= t.image.plain.size);
    u64 count = t.count;
    *at = t.at;
    *torn = t.torn;
    tplog_close(&t);
    arena_free(&a);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u64 at, again;
    bool torn = false;
    columns_begin();
    columns_write("", data, size);
    u64 count = read_all(&at, &torn);
    if (!torn || at > size) return 0;
    columns_write("", data, at);
    ASSERT(read_all(&again, &torn) == count && again == at && !torn);
    return 0;
}
