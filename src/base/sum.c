/*
 * sum: CRCs of a file's blocks and of the whole, as its bytes go by.
 *
 * Every byte is looked at once: `block` runs over the current MiB, and when it is full it is joined
 * to the CRC of the whole by crc_32c_join, which costs a few hundred steps a MiB. A patch of bytes
 * that went by long ago (a header known only at the end) changes a CRC by the difference of the two
 * CRCs of what was replaced, moved over the bytes behind it: a CRC is linear.
 */
#include "base/sum.h"

#include "base/crc.h"

#include <stdlib.h>

static Err end_block(Sum *s, u64 size)
{
    u8 word[4];
    store_u32(word, s->block);
    Err err = buf_append(&s->blocks, word, sizeof word);
    if (err != E_OK) return err;
    s->crc = crc_32c_join(s->crc, s->block, size);
    s->block = 0;
    return E_OK;
}

Err sum_add(Sum *s, const void *data, u64 size)
{
    const u8 *from = data;
    while (size > 0) {
        u64 filled = s->size % SUM_BLOCK, n = MIN(size, SUM_BLOCK - filled);
        s->block = crc_32c(s->block, from, n);
        s->size += n;
        from += n;
        size -= n;
        if (filled + n < SUM_BLOCK) continue;
        Err err = end_block(s, SUM_BLOCK);
        if (err != E_OK) return err;
    }
    return E_OK;
}

Err sum_end(Sum *s) { return s->size % SUM_BLOCK == 0 ? E_OK : end_block(s, s->size % SUM_BLOCK); }

u64 sum_count(const Sum *s) { return s->blocks.size / 4; }

u32 sum_block(const Sum *s, u64 i) { return load_u32(s->blocks.data + 4 * i); }

void sum_patch(Sum *s, u64 end, u32 was, u32 is)
{
    u64 first = MIN(s->size, SUM_BLOCK);
    ASSERT(end <= first && sum_count(s) > 0);
    u32 changed = was ^ is;
    store_u32(s->blocks.data, sum_block(s, 0) ^ crc_32c_shift(changed, first - end));
    s->crc ^= crc_32c_shift(changed, s->size - end);
}

void sum_free(Sum *s)
{
    buf_free(&s->blocks);
    *s = (Sum){0};
}

/* ---- lists */

static Err list_room(SumList *l)
{
    void *more;
    if (l->count < l->room) return E_OK;
    u32 room = MAX(2 * l->room, 16);
    Err err = arena_try(&l->memory, room, sizeof *l->files, &more);
    if (err != E_OK) return err;
    if (l->count > 0) memcpy(more, l->files, l->count * sizeof *l->files);
    l->files = more;
    l->room = room;
    return E_OK;
}

static Err list_add(SumList *l, const char *name, u64 size, u32 crc, u32 **blocks)
{
    void *room;
    u64 count = (size + SUM_BLOCK - 1) / SUM_BLOCK;
    Err err = list_room(l);
    if (err == E_OK) err = arena_try(&l->memory, count + 1, sizeof(u32), &room);
    if (err != E_OK) return err;
    *blocks = room;
    l->files[l->count++] = (SumFile){name, size, crc, room};
    return E_OK;
}

Err sum_list_put(SumList *l, const char *folder, const char *file, const Sum *s)
{
    u32 *blocks;
    Err err =
        list_add(l, arena_format(&l->memory, "%s/%s", folder, file), s->size, s->crc, &blocks);
    for (u64 i = 0; err == E_OK && i < sum_count(s); i++)
        blocks[i] = sum_block(s, i);
    return err;
}

Err sum_list_join(SumList *l, const SumList *from, const char *folder)
{
    u64 length = folder == NULL ? 0 : strlen(folder);
    for (u32 i = 0; i < from->count; i++) {
        const SumFile *f = &from->files[i];
        u32 *blocks;
        if (length > 0 && (strncmp(f->name, folder, length) != 0 || f->name[length] != '/'))
            continue;
        Err err = list_add(l, str_dup(&l->memory, str_of(f->name)), f->size, f->crc, &blocks);
        if (err != E_OK) return err;
        u64 count = (f->size + SUM_BLOCK - 1) / SUM_BLOCK;
        if (count > 0) memcpy(blocks, f->blocks, count * sizeof *blocks);
    }
    return E_OK;
}

const SumFile *sum_list_find(const SumList *l, Str name)
{
    for (u32 i = 0; i < l->count; i++)
        if (str_is(name, l->files[i].name)) return &l->files[i];
    return NULL;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const SumFile *)a)->name, ((const SumFile *)b)->name);
}

void sum_list_sort(SumList *l)
{
    if (l->count > 1) qsort(l->files, l->count, sizeof *l->files, by_name);
}

void sum_list_free(SumList *l)
{
    arena_free(&l->memory);
    *l = (SumList){0};
}
