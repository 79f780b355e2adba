/*
 * vector_fuzz: any bytes as a column file: of the forms that the first bytes choose, or compressed.
 * What opens must be readable to its last row, and equally when it is opened on need.
 */
#include "fuzz/columns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    columns_begin();
    columns_write("", data, size);
    columns_write("#", data, size / 2);
    columns_read(false);
    columns_read(true);
    return 0;
}
