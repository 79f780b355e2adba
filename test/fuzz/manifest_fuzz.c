/*
 * manifest_fuzz: any text as a view's manifest and as a segment; what is read must be written and
 * read back. The checksum at the end is mended first, so that the fuzzer gets past it.
 */
#include "base/crc.h"
#include "base/fail.h"
#include "db/manifest.h"
#include "db/sidecar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The text with a true last line. */
static Err mend(Buf *b, const u8 *data, u64 size)
{
    Err err = buf_append(b, data, size);
    if (err == E_OK && size > 0 && data[size - 1] != '\n') err = buf_byte(b, '\n');
    return err == E_OK ? buf_format(b, "end %08x\n", crc_32c(0, b->data, b->size)) : err;
}

static void read_both(Str text, u32 crc)
{
    static Root root;
    static Mount mount = {"hdb", MOUNT_LOCAL, MOUNT_DATE, "/x/hdb"};
    static Tier tier = {.name = "hdb", .mount = &mount, .store = "/x/hdb/data"};
    if (root.idb == NULL) root_init(&root, "fuzz", "/x/idb", "/x/hdb", NULL, &tier, 1);
    View v = {.pin = -1};
    Segment s = {0};
    ManifestSegment *segments = NULL;
    char **paths = NULL;
    Arena a = {0};
    Buf out = {0};
    u32 count = 0;
    if (manifest_read_view(text, &root, &v, &segments, &count) == E_OK) ASSERT(count <= text.size);
    if (manifest_read_stage(text, &a, &paths, &count) == E_OK) ASSERT(count <= text.size);
    if (manifest_read_segment(text, &root, crc, &s) == E_OK &&
        manifest_write_segment(&out, &root, &s, &crc) == E_OK) {
        Segment again = {.kind = s.kind, .group = s.group};
        ASSERT(manifest_read_segment((Str){(const char *)out.data, out.size}, &root, crc, &again) ==
               E_OK);
        ASSERT(again.part_count == s.part_count);
        arena_free(&again.memory);
    }
    SumList sums;
    if (sidecar_parse(text, &sums, &crc) == E_OK) {
        ASSERT(sums.count <= text.size);
        sum_list_free(&sums);
    }
    buf_free(&out);
    arena_free(&a);
    arena_free(&v.memory);
    arena_free(&s.memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Buf b = {0};
    read_both((Str){(const char *)data, size}, crc_32c(0, data, size));
    if (mend(&b, data, size) == E_OK)
        read_both((Str){(const char *)b.data, b.size}, crc_32c(0, b.data, b.size));
    buf_free(&b);
    return 0;
}
