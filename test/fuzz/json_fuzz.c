/*
 * json_fuzz: any text as JSON; what parses must write, and what was written must parse and write
 * equally. The same bytes as a string must always give a string that parses.
 */
#include "base/fail.h"
#include "q/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static Str text_of(const Buf *b) { return (Str){(const char *)b->data, b->size}; }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena a = {0};
    Buf once = {0}, twice = {0}, quoted = {0};
    Value v;
    Str text = {(const char *)data, size};
    if (json_parse(text, &a, &v) == E_OK) {
        ASSERT(json_write(&once, &v) == E_OK);
        ASSERT(json_parse(text_of(&once), &a, &v) == E_OK);
        ASSERT(json_write(&twice, &v) == E_OK);
        ASSERT(once.size == twice.size && memcmp(once.data, twice.data, once.size) == 0);
    }
    ASSERT(json_quote(&quoted, text) == E_OK);
    if (size == 0 || !memchr(data, 0, size)) ASSERT(json_parse(text_of(&quoted), &a, &v) == E_OK);
    buf_free(&once);
    buf_free(&twice);
    buf_free(&quoted);
    arena_free(&a);
    return 0;
}
