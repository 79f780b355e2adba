/*
 * domain: the symbol file `sym`: loading a prefix, adding names at the end.
 *
 *   0  ff 01 0b, attribute 0     4  count, i32: true when the file is made, stale afterwards, never
 * read 8  names, each closed by a NUL, to the end of the file
 *
 * Invariants: ids and indices are inverse to each other on [0, count); a name that stands twice in
 * a file (kdb+ never writes that) keeps its first index for writing and both for reading. Bytes
 * below `saved` are never written again: names are only appended, and the count is left as it is,
 * as kdb+ does. The empty symbol (id 0) is not a name of the domain: it is the null index of an
 * enumeration, as in files of kdb+. If a file does hold an empty name, reading it gives id 0 like
 * any other.
 *
 * A compressed domain file can be read: `size` and `saved` then count plain bytes. Nobody appends
 * to one, as kdb+ does not either.
 *
 * One thread loads and adds; lookups from others are safe while it does not.
 */
#include "column/domain.h"

#include "base/bounds.h"
#include "base/crc.h"
#include "column/block.h"
#include "column/image.h"
#include "os/dir.h"
#include "os/file.h"
#include "q/symbol.h"
#include "q/type.h"

#include <stdlib.h>

#define DOMAIN_HEADER 8
#define DOMAIN_PIECE  (4 * BOUND_SYMBOL_MAX)

/* Grows an array of i32 to at least `need` entries, by doubling. */
static Err grow(i32 **array, i32 *room, u64 need)
{
    if (need <= (u64)*room) return E_OK;
    if (need > INT32_MAX) return fail(E_LIMIT, "a domain holds at most %d names", INT32_MAX);
    u64 more = MAX(need, MIN((u64)*room * 2, (u64)INT32_MAX));
    more = MAX(more, 256);
    i32 *p = realloc(*array, more * sizeof **array);
    if (p == NULL)
        return fail(E_MEMORY, "no memory for a domain of %llu names", (unsigned long long)more);
    *array = p;
    *room = (i32)more;
    return E_OK;
}

/* Makes `indices` cover every symbol id there is now. */
static Err cover_ids(Domain *d)
{
    i32 covered = d->index_count;
    i32 need = symbol_count();
    if (need <= covered) return E_OK;
    Err err = grow(&d->indices, &d->index_count, (u64)need);
    if (err != E_OK) return err;
    for (i32 i = covered; i < d->index_count; i++)
        d->indices[i] = -1;
    return E_OK;
}

static u64 count_names(const u8 *text, u64 size)
{
    u64 count = 0;
    for (u64 i = 0; i < size; i++)
        count += text[i] == 0;
    return count;
}

/* Takes complete names; all or nothing. */
static Err take_names(Domain *d, const u8 *text, u64 size)
{
    Err err = E_OK;
    u64 used, count = count_names(text, size);
    if (count == 0) return E_OK;
    TRY(grow(&d->ids, &d->room, (u64)d->count + count));
    TRY(symbol_intern_many((const char *)text, size, count, d->ids + d->count, &used));
    ASSERT(used == size);
    TRY(cover_ids(d));
    for (u64 i = 0; i < count; i++) {
        i32 *index = &d->indices[d->ids[d->count + (i32)i]];
        if (*index < 0) *index = d->count + (i32)i;
    }
    d->count += (i32)count;
done:
    return err;
}

/* Reads the names in [d->size, size), a piece at a time; a piece is larger than any name may be. */
static Err load_names(Domain *d, const File *f, u64 size)
{
    Err err = E_OK;
    u64 room = MIN(size - d->size, DOMAIN_PIECE);
    Buf memory = {0};
    u8 *piece;
    TRY(buf_room(&memory, room, &piece));
    while (d->size < size) {
        u64 want = MIN(size - d->size, room);
        TRY(file_read(f, piece, want, d->size));
        u64 whole = want;
        while (whole > 0 && piece[whole - 1] != 0)
            whole--;
        if (whole == 0) {
            err = fail(E_CORRUPT, "%s: the last name does not end, or is longer than %llu bytes",
                       d->path, BOUND_SYMBOL_MAX);
            goto done;
        }
        TRY(take_names(d, piece, whole));
        d->crc = crc_32c(d->crc, piece, whole);
        d->size += whole;
    }
done:
    buf_free(&memory);
    return err;
}

static Err check_header(const Domain *d, const u8 header[DOMAIN_HEADER])
{
    if (header[0] == 0xff && header[1] == 0x01 && header[2] == QT_SYMBOL &&
        header[3] <= ATTR_GROUPED)
        return E_OK;
    return fail(E_CORRUPT, "%s: not a list of symbols", d->path);
}

static Err too_short(const Domain *d)
{
    return fail(E_CORRUPT, "%s: shorter than its header", d->path);
}

/* Takes all names of a compressed file within its first `size` plain bytes. */
static Err load_zipped(Domain *d, u64 size)
{
    Err err = E_OK;
    Image m = {0};
    TRY(image_open(&m, d->path, IMAGE_WHOLE));
    const u8 *data = m.plain.data;
    if (size > m.plain.size) size = m.plain.size;
    if (size < DOMAIN_HEADER) TRY(too_short(d));
    TRY(check_header(d, data));
    if (size > DOMAIN_HEADER && data[size - 1] != 0)
        TRY(fail(E_CORRUPT, "%s: the last name does not end", d->path));
    TRY(take_names(d, data + DOMAIN_HEADER, size - DOMAIN_HEADER));
    d->zipped = true;
    d->crc = crc_32c(0, data, size);
    d->size = d->saved = size;
done:
    image_close(&m);
    return err;
}

Err domain_load(Domain *d, u64 size)
{
    Err err = E_OK;
    File f = FILE_NONE;
    u64 there;
    u8 header[DOMAIN_HEADER];
    if (size <= d->size || d->zipped) return E_OK;
    ASSERT(d->pending.size == 0);
    err = file_open(&f, d->path, FILE_READ);
    if (err == E_NOT_FOUND && size == UINT64_MAX) return E_OK;
    if (err != E_OK) return err;
    TRY(file_size(&f, &there));
    bool all = size == UINT64_MAX;
    if (all) size = there;
    if (size <= d->size) goto done;
    if (d->size == 0) {
        if (there < DOMAIN_HEADER || size < DOMAIN_HEADER) TRY(too_short(d));
        TRY(file_read(&f, header, sizeof header, 0));
        if (block_is_container(header, sizeof header)) {
            err = load_zipped(d, all ? UINT64_MAX : size);
            goto done;
        }
        TRY(check_header(d, header));
        d->crc = crc_32c(0, header, DOMAIN_HEADER);
        d->size = DOMAIN_HEADER;
    }
    if (size > there) {
        err = fail(E_CORRUPT, "%s: %llu bytes, but %llu are needed", d->path,
                   (unsigned long long)there, (unsigned long long)size);
        goto done;
    }
    TRY(load_names(d, &f, size));
    d->saved = d->size;
done:
    file_drop(&f);
    return err;
}

Err domain_open(Domain *d, const char *path, u64 size)
{
    *d = (Domain){0};
    buf_init(&d->pending, 0);
    d->path = strdup(path);
    Err err = d->path != NULL ? domain_load(d, size) : fail(E_MEMORY, "no memory for a domain");
    if (err != E_OK) domain_close(d);
    return err;
}

DomainMark domain_mark(const Domain *d)
{
    return (DomainMark){.size = d->size, .saved = d->saved, .crc = d->crc, .count = d->count};
}

void domain_back(Domain *d, DomainMark m)
{
    ASSERT(d->pending.size == 0 && m.count <= d->count);
    while (d->count > m.count) {
        i32 *index = &d->indices[d->ids[--d->count]];
        if (*index == d->count) *index = -1;
    }
    d->size = m.size;
    d->saved = m.saved;
    d->crc = m.crc;
}

void domain_close(Domain *d)
{
    free(d->path);
    free(d->ids);
    free(d->indices);
    buf_free(&d->pending);
    *d = (Domain){0};
}

/* Adds one name that is not there; `indices` covers its id. */
static Err add_name(Domain *d, i32 id)
{
    Str name = symbol_text(id);
    Err err = grow(&d->ids, &d->room, (u64)d->count + 1);
    if (err != E_OK) return err;
    err = buf_append(&d->pending, name.data, name.size + 1);
    if (err != E_OK) return err;
    d->ids[d->count] = id;
    d->indices[id] = d->count++;
    return E_OK;
}

Err domain_add(Domain *d, const i32 *ids, u64 count)
{
    Err err = cover_ids(d);
    if (err != E_OK) return err;
    for (u64 i = 0; i < count; i++) {
        ASSERT(ids[i] >= 0 && ids[i] < d->index_count);
        if (d->indices[ids[i]] >= 0 || ids[i] == 0) continue;
        err = add_name(d, ids[i]);
        if (err != E_OK) return err;
    }
    return E_OK;
}

Err domain_cut(Domain *d, u64 size)
{
    Err err = E_OK;
    File f = FILE_NONE;
    u64 there;
    ASSERT(d->pending.size == 0 && size <= d->size);
    if (d->zipped) return fail(E_UNSUPPORTED, "%s: a compressed file is not cut", d->path);
    if (size != d->size) {
        /* names were loaded that go: start anew with the prefix */
        char *path = d->path;
        d->path = NULL;
        domain_close(d);
        *d = (Domain){.path = path};
        buf_init(&d->pending, 0);
        TRY(domain_load(d, size));
    }
    err = file_open(&f, d->path, FILE_WRITE);
    if (err == E_NOT_FOUND && size == 0) return E_OK;
    if (err != E_OK) goto done;
    TRY(file_size(&f, &there));
    if (there > size) {
        TRY(file_truncate(&f, size));
        TRY(file_sync(&f));
    }
    TRY(file_close(&f));
done:
    file_drop(&f);
    return err;
}

/* The folder that holds `path`, in `out`. */
static void folder_of(const char *path, char *out, u64 room)
{
    const char *slash = strrchr(path, '/');
    u64 length = slash == NULL ? 0 : (u64)(slash - path);
    if (slash == path) length = 1;
    if (slash == NULL) {
        memcpy(out, ".", 2);
        return;
    }
    ASSERT(length < room);
    memcpy(out, path, length);
    out[length] = 0;
}

static Err write_new(Domain *d, File *f)
{
    u8 header[DOMAIN_HEADER] = {0xff, 0x01, QT_SYMBOL, ATTR_NONE};
    store_u32(header + 4, (u32)d->count);
    d->crc = crc_32c(0, header, sizeof header);
    Err err = file_write(f, header, sizeof header, 0);
    if (err == E_OK) err = file_write(f, d->pending.data, d->pending.size, DOMAIN_HEADER);
    return err;
}

Err domain_save(Domain *d, u64 *size)
{
    Err err = E_OK;
    File f = FILE_NONE;
    bool fresh = d->size == 0;
    char folder[BOUND_PATH_MAX];
    *size = d->saved;
    if (d->pending.size == 0) return E_OK;
    if (d->zipped)
        return fail(E_UNSUPPORTED, "%s: no names are added to a compressed file", d->path);
    if (strlen(d->path) >= sizeof folder) return fail(E_LIMIT, "%s: the path is too long", d->path);
    TRY(file_open(&f, d->path, fresh ? FILE_ALWAYS : FILE_WRITE));
    if (fresh) {
        TRY(write_new(d, &f));
    } else {
        TRY(file_write(&f, d->pending.data, d->pending.size, d->size));
    }
    TRY(file_sync(&f));
    TRY(file_close(&f));
    if (fresh) {
        folder_of(d->path, folder, sizeof folder);
        TRY(dir_sync(folder));
    }
    d->crc = crc_32c(d->crc, d->pending.data, d->pending.size);
    d->size += d->pending.size + (fresh ? DOMAIN_HEADER : 0);
    d->saved = d->size;
    buf_clear(&d->pending);
    *size = d->saved;
done:
    file_drop(&f);
    return err;
}

static const Domain *find_alone(void *arg, const char *name)
{
    return strcmp(name, "sym") == 0 ? arg : NULL;
}

DomainSet domain_alone(const Domain *d)
{
    return (DomainSet){.find = find_alone, .arg = (void *)(uintptr_t)d};
}
