/*
 * journal_fuzz: any text as the journal of an import; what is read has absolute paths that do not
 * climb. The checksum at the end is mended first, so that the fuzzer gets past it.
 */
#include "base/buf.h"
#include "base/crc.h"
#include "upkeep/journal.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_one(Str text)
{
    Arena a = {0};
    Journal j;
    if (journal_parse(text, &a, &j) == E_OK) {
        ASSERT(j.source[0] == '/' && strstr(j.source, "/../") == NULL);
        ASSERT(j.made_count + j.table_count <= text.size);
        for (u32 i = 0; i < j.table_count; i++) {
            ASSERT(j.tables[i].path[0] == '/');
            for (u32 k = 0; k < j.tables[i].column_count; k++)
                ASSERT(strchr(j.tables[i].columns[k], '/') == NULL);
        }
    }
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Buf b = {0};
    read_one((Str){(const char *)data, size});
    if (buf_append(&b, data, size) == E_OK &&
        buf_format(&b, "end %08x\n", crc_32c(0, b.data, b.size)) == E_OK)
        read_one((Str){(const char *)b.data, b.size});
    buf_free(&b);
    return 0;
}
