/*
 * container_fuzz: any bytes as a compressed file. A directory that is believed must lead nowhere
 * outside; whole and on need must give the same bytes; what inflates is compressed again and must
 * inflate to itself.
 */
#include "column/block.h"
#include "fuzz/columns.h"

static void whole_and_on_need(void)
{
    Image whole, need;
    if (image_open(&whole, columns_path, IMAGE_WHOLE) != E_OK) return;
    ASSERT(image_open(&need, columns_path, IMAGE_ON_NEED) == E_OK);
    ASSERT(whole.plain.size == need.plain.size);
    u64 size = whole.plain.size, from = size / 3;
    ASSERT(image_need(&need, from, size) == E_OK);
    if (size > 0) ASSERT(memcmp(need.plain.data + from, whole.plain.data + from, size - from) == 0);
    image_done(&need, from, size);
    image_close(&whole);
    image_close(&need);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    BlockMap b;
    u8 *out = malloc(1 << BLOCK_LOG2_MAX);
    if (out == NULL || !block_is_container(data, size)) {
        free(out);
        return 0;
    }
    if (block_open(&b, data, size, "fuzz") == E_OK) {
        ASSERT(b.size <= 1ull << 40);
        for (u64 i = 0; i < MIN(b.count, 8); i++)
            (void)!block_inflate(&b, i, out, "fuzz");
        bool small = b.size < 64 << 20;
        block_close(&b);
        columns_begin();
        columns_write("", data, size);
        if (small) whole_and_on_need();
    }
    free(out);
    return 0;
}
