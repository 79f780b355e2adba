/*
 * codec_fuzz: the first byte chooses a codec, the second a level, two more a plain size; the rest
 * is inflated as it is, and compressed and inflated again, which must give the same bytes.
 */
#include "column/codec.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A level that the codec has; the slowest are left out. */
static int level_of(int codec, u8 byte)
{
    switch (codec) {
    case CODEC_GZIP: return byte % 10;
    case CODEC_LZ4HC: return byte % 13;
    case CODEC_ZSTD: return byte % 20 - 7;
    default: return 0;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 5 || size - 4 > CODEC_PLAIN_MAX) return 0;
    int codec = data[0] % CODEC_COUNT, level = level_of(codec, data[1]);
    u64 plain_size = MAX(load_u16(data + 2) * 4ull, 1), stored_size = 0;
    const u8 *rest = data + 4;
    size -= 4;
    u8 *plain = malloc(MAX(plain_size, size)), *stored = malloc(codec_room(codec, size) + 1);
    if (plain == NULL || stored == NULL) abort();
    (void)!codec_inflate(codec, rest, size, plain, plain_size);
    ASSERT(codec_deflate(codec, level, rest, size, stored, &stored_size) == E_OK);
    if (stored_size > 0) {
        ASSERT(stored_size < size && codec_yield_max(codec, stored_size) >= size);
        ASSERT(codec_inflate(codec, stored, stored_size, plain, size) == E_OK);
        ASSERT(memcmp(plain, rest, size) == 0);
    }
    free(plain);
    free(stored);
    return 0;
}
