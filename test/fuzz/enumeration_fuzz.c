/*
 * enumeration_fuzz: elements and index of an enumeration whose header is sound.
 *
 *   0  bit 0: 64-bit indices    1  attribute    2  u16 count of rows    4  elements and index
 */
#include "column/header.h"
#include "fuzz/columns.h"
#include "q/type.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u8 page[HEADER_PAGE_SIZE];
    Buf file = {0};
    if (size < 4) return 0;
    bool wide = data[0] & 1;
    int attr = data[1] % 6;
    u64 rows = load_u16(data + 2), head = wide ? HEADER_PAGE_SIZE : HEADER_ENUM_SIZE;
    if (wide)
        header_page(page, "sym", 0, QT_ENUM, attr, rows);
    else
        header_enum32(page, "sym", attr, rows);
    ASSERT(buf_append(&file, page, head) == E_OK);
    ASSERT(buf_append(&file, data + 4, size - 4) == E_OK);
    columns_begin();
    columns_write("", file.data, file.size);
    columns_read(false);
    buf_free(&file);
    return 0;
}
