/*
 * nested_fuzz: a list column of the form before kdb+ 3.6.
 *
 *   0  type of the elements    1  u8 rows    2  that many u16 counts    then the companion
 */
#include "column/header.h"
#include "fuzz/columns.h"
#include "q/type.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u8 head[HEADER_PLAIN_SIZE + 8 * 256];
    if (size < 2 || size < 2 + 2ull * data[1]) return 0;
    u64 rows = data[1];
    header_plain(head, QT_NESTED + data[0] % 22, ATTR_NONE, rows);
    for (u64 i = 0; i < rows; i++)
        store_u64(head + HEADER_PLAIN_SIZE + 8 * i, (u64)(i16)load_u16(data + 2 + 2 * i));
    columns_begin();
    columns_write("", head, HEADER_PLAIN_SIZE + 8 * rows);
    columns_write("#", data + 2 + 2 * rows, size - 2 - 2 * rows);
    columns_read(false);
    columns_read(true);
    return 0;
}
