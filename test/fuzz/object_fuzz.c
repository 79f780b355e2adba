/*
 * object_fuzz: any bytes as a file of one value, with and without a domain for its enumerations.
 * What decodes must encode, and what was encoded must decode to what encodes equally.
 */
#include "column/object.h"
#include "q/symbol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static i32 ids[20];
static Domain domain = {.count = COUNT_OF(ids), .ids = ids};

static const Domain *find(void *arg, const char *name)
{
    (void)arg;
    return name[0] == 's' ? &domain : NULL;
}

static void decode(const u8 *data, u64 size, const DomainSet *domains)
{
    Arena a = {.size_max = 256 << 20};
    Buf once = {0}, twice = {0};
    Value v;
    if (object_decode(data, size, domains, &a, &v) == E_OK && object_encode(&once, &v) == E_OK) {
        ASSERT(object_decode(once.data, once.size, NULL, &a, &v) == E_OK);
        ASSERT(object_encode(&twice, &v) == E_OK && once.size == twice.size);
        ASSERT(memcmp(once.data, twice.data, once.size) == 0);
    }
    buf_free(&once);
    buf_free(&twice);
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const DomainSet set = {find, NULL};
    decode(data, size, NULL);
    decode(data, size, &set);
    return 0;
}
