/*
 * par_fuzz: any text as par.txt. Lines that are taken must be paths, and written down again they
 * must be taken as they are.
 */
#include "base/buf.h"
#include "db/par.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena a = {0};
    Buf again = {0};
    ParLine *lines = NULL, *more = NULL;
    u32 count = 0, empty = 0, more_count = 0;
    if (par_parse((Str){(const char *)data, size}, "par.txt", &a, &lines, &count, &empty) == E_OK) {
        ASSERT(count <= PAR_LINES_MAX && count + empty <= size + 1);
        for (u32 i = 0; i < count; i++) {
            u64 length = strlen(lines[i].path);
            char last = length == 0 ? ' ' : lines[i].path[length - 1];
            ASSERT(length > 0 && (last != '/' || length == 1));
            ASSERT(last != '\r' || lines[i].slash);
            ASSERT(buf_format(&again, "%s\n", lines[i].path) == E_OK);
        }
        Str text = {(const char *)again.data, again.size};
        ASSERT(par_parse(text, "again", &a, &more, &more_count, &empty) == E_OK);
        ASSERT(more_count <= count);
        for (u32 i = 0; i < more_count && more_count == count; i++)
            ASSERT(strcmp(lines[i].path, more[i].path) == 0 || lines[i].slash);
    }
    buf_free(&again);
    arena_free(&a);
    return 0;
}
