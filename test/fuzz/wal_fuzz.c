/*
 * wal_fuzz: any bytes as a log file: header and records are read or refused, and a record that
 * passes lies within the bytes.
 */
#include "base/fail.h"
#include "stream/wal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u64 first = 0, id = 0;
    WalRecord r;
    if (wal_file_header(data, size, &first, &id) != E_OK) first = id = 0;
    u64 starts[] = {WAL_FILE_HEADER, 0, size / 2 & ~7ull};
    for (u32 i = 0; i < COUNT_OF(starts); i++) {
        u64 at = starts[i];
        for (u32 n = 0; n < 64 && at <= size; n++) {
            u64 position = first + (at >= WAL_FILE_HEADER ? at - WAL_FILE_HEADER : 0);
            if (wal_record(data, size, at, id, position, &r) != E_OK) break;
            ASSERT(r.end > r.position);
            ASSERT(r.size == 0 || (r.body >= data && r.body + r.size <= data + size));
            ASSERT(r.table.size == 0 || ((const u8 *)r.table.data >= data &&
                                         (const u8 *)r.table.data + r.table.size <= data + size));
            at += r.end - r.position;
        }
    }
    return 0;
}
