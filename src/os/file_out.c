/*
 * file_out: the bulk writer behind file.h's FileOut.
 *
 * Bytes gather in a 1 MiB buffer aligned to 4096 and leave it in whole multiples of 4096, so that
 * every write but the last is fit for O_DIRECT:
 *     memory of a FileOut:  head 4096 | buffer 1 MiB | slack 4096
 * `head` keeps a copy of the file's first 4096 bytes once they are written, for file_out_patch;
 * when patched it is written again at the end. `slack` holds the tail (< 4096) left by a flush when
 * a caller asks for a place of a full 1 MiB behind it.
 *
 * States: direct -> buffered, by EINVAL at any write (the file system does not take it after all)
 * or before the unaligned tail. Never back. Buffered bytes are pushed out each 8 MiB without
 * waiting, so that dirty pages do not pile up until the sync.
 *
 * Checksums, when asked for, are taken from the buffer just before it is written, so that they are
 * of what was meant, and cost no second trip to memory; a patched head is accounted for at the end.
 *
 * Memory is reused through a few slots that threads swap pointers with: fresh pages would be
 * faulted in and cleared again for every column.
 */
#include "base/bounds.h"
#include "base/crc.h"
#include "os/fault.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define FILE_OUT_ALIGN  4096u
#define FILE_OUT_BUFFER (1u << 20)
#define FILE_OUT_MEMORY (FILE_OUT_ALIGN + FILE_OUT_BUFFER + FILE_OUT_ALIGN)
#define FILE_OUT_DIRECT (4u << 20) /* smallest size hint for O_DIRECT */
#define FILE_OUT_PUSH   (8u << 20) /* buffered bytes between two pushes */

struct FileOut {
    File file;
    u8 *memory;
    u8 *buffer;  /* behind the head */
    u64 filled;  /* bytes in the buffer */
    u64 written; /* bytes in the file, a multiple of FILE_OUT_ALIGN until the tail is written */
    u64 pushed;  /* of those, bytes whose write-out was started */
    bool direct;
    bool patched; /* head differs from the file */
    Sum *sum;     /* NULL = nobody wants it */
    u32 head_crc; /* of the head as it was written */
};

static _Atomic(u8 *) spare[16];

static u8 *memory_take(void)
{
    for (u64 i = 0; i < COUNT_OF(spare); i++) {
        u8 *m = atomic_load_explicit(&spare[i], memory_order_relaxed);
        if (m) m = atomic_exchange(&spare[i], NULL);
        if (m) return m;
    }
    void *fresh = NULL;
    return posix_memalign(&fresh, FILE_OUT_ALIGN, FILE_OUT_MEMORY) == 0 ? fresh : NULL;
}

static void memory_give(u8 *m)
{
    for (u64 i = 0; m && i < COUNT_OF(spare); i++) {
        u8 *none = NULL;
        if (atomic_compare_exchange_strong(&spare[i], &none, m)) return;
    }
    free(m);
}

static void direct_end(FileOut *out)
{
    int flags = fcntl(out->file.fd, F_GETFL);
    if (out->direct && flags >= 0) (void)fcntl(out->file.fd, F_SETFL, flags & ~O_DIRECT);
    out->direct = false;
}

/* Writes all bytes; leaves O_DIRECT for good when the kernel does not take it. */
static Err write_out(FileOut *out, const u8 *data, u64 size, u64 at)
{
    while (out->direct && size) {
        FaultVerdict v = fault_point("pwrite", out->file.path, size);
        ssize_t n = v.error ? -1 : pwrite(out->file.fd, data, v.size, (off_t)at);
        int error = v.error ? v.error : errno;
        if (n < 0 && error == EINVAL) {
            direct_end(out);
            break;
        }
        if (n < 0 && error == EINTR) continue;
        if (n < 0) return fail_errno(error, "%s: write", out->file.path);
        if (n == 0) return fail(E_IO, "%s: write: nothing was taken", out->file.path);
        fault_tell(&(FaultChange){FAULT_WRITE, out->file.path, NULL, out->file.fd, false, at,
                                  (u64)n, data});
        data += n;
        at += (u64)n;
        size -= (u64)n;
    }
    return size ? file_write(&out->file, data, size, at) : E_OK;
}

/* Appends whole blocks to the file and starts their write-out in large steps. */
static Err blocks_out(FileOut *out, const u8 *data, u64 size)
{
    if (out->written == 0 && size) {
        memcpy(out->memory, data, MIN(size, FILE_OUT_ALIGN));
        out->head_crc = crc_32c(0, out->memory, FILE_OUT_ALIGN);
    }
    Err err = out->sum ? sum_add(out->sum, data, size) : E_OK;
    if (err) return err;
    err = write_out(out, data, size, out->written);
    if (err) return err;
    out->written += size;
    if (!out->direct && out->written - out->pushed >= FILE_OUT_PUSH) {
        file_flush_start(&out->file, out->pushed, out->written - out->pushed);
        out->pushed = out->written;
    }
    return E_OK;
}

/* Writes the whole blocks in the buffer and moves the rest to its start. */
static Err flush_blocks(FileOut *out)
{
    u64 whole = out->filled & ~(u64)(FILE_OUT_ALIGN - 1);
    if (whole == 0) return E_OK;
    Err err = blocks_out(out, out->buffer, whole);
    if (err) return err;
    out->filled -= whole;
    memmove(out->buffer, out->buffer + whole, out->filled);
    return E_OK;
}

Err file_out_open(FileOut **out, const char *path, u64 size_hint)
{
    Err err = E_OK;
    FileOut *o = calloc(1, sizeof *o);
    *out = NULL;
    if (!o) return fail(E_MEMORY, "%s: no memory", path);
    o->file = FILE_NONE;
    TRY(file_open(&o->file, path, FILE_CREATE));
    o->memory = memory_take();
    if (!o->memory) TRY(fail(E_MEMORY, "%s: no memory", path));
    o->buffer = o->memory + FILE_OUT_ALIGN;
    if (size_hint >= FILE_OUT_DIRECT) {
        /* Set afterwards: open itself with O_DIRECT would leave an empty file behind its EINVAL. */
        int flags = fcntl(o->file.fd, F_GETFL);
        o->direct = flags >= 0 && fcntl(o->file.fd, F_SETFL, flags | O_DIRECT) == 0;
    }
    *out = o;
    o = NULL;
done:
    file_out_drop(o);
    return err;
}

void file_out_sum(FileOut *out, Sum *sum)
{
    ASSERT(file_out_size(out) == 0);
    out->sum = sum;
}

Err file_out_write(FileOut *out, const void *data, u64 size)
{
    const u8 *from = data;
    while (size) {
        Err err = E_OK;
        if (out->filled == 0 && size >= FILE_OUT_BUFFER &&
            (!out->direct || (uintptr_t)from % FILE_OUT_ALIGN == 0)) {
            u64 whole = MIN(size & ~(u64)(FILE_OUT_ALIGN - 1), FILE_OUT_PUSH);
            err = blocks_out(out, from, whole);
            if (err) return err;
            from += whole;
            size -= whole;
            continue;
        }
        /* A place given by file_out_room may have filled it beyond FILE_OUT_BUFFER. */
        u64 left = FILE_OUT_BUFFER - MIN(out->filled, FILE_OUT_BUFFER), n = MIN(size, left);
        memcpy(out->buffer + out->filled, from, n);
        out->filled += n;
        from += n;
        size -= n;
        if (out->filled >= FILE_OUT_BUFFER) err = flush_blocks(out);
        if (err) return err;
    }
    return E_OK;
}

Err file_out_room(FileOut *out, u64 size, u8 **place)
{
    ASSERT(size <= FILE_OUT_BUFFER);
    *place = NULL;
    if (out->filled + size > FILE_OUT_BUFFER) {
        Err err = flush_blocks(out);
        if (err) return err;
    }
    *place = out->buffer + out->filled;
    return E_OK;
}

void file_out_added(FileOut *out, u64 size)
{
    ASSERT(size <= FILE_OUT_BUFFER + FILE_OUT_ALIGN - out->filled);
    out->filled += size;
}

u64 file_out_size(const FileOut *out) { return out->written + out->filled; }

Err file_out_patch(FileOut *out, u64 at, const void *data, u64 size)
{
    ASSERT(at <= FILE_OUT_ALIGN && size <= FILE_OUT_ALIGN - at);
    ASSERT(at + size <= file_out_size(out));
    u8 *head = out->written ? out->memory : out->buffer;
    if (size) memcpy(head + at, data, size);
    out->patched = out->patched || out->written > 0;
    return E_OK;
}

/* Completes the checksums; the tail is still in the buffer. */
static Err finish_sum(FileOut *out)
{
    Err err = sum_add(out->sum, out->buffer, out->filled);
    if (!err) err = sum_end(out->sum);
    if (!err && out->patched)
        sum_patch(out->sum, FILE_OUT_ALIGN, out->head_crc, crc_32c(0, out->memory, FILE_OUT_ALIGN));
    return err;
}

/* Writes the head again when it was patched, then the tail. */
static Err finish(FileOut *out)
{
    Err err = flush_blocks(out);
    if (!err && out->sum) err = finish_sum(out);
    if (!err && out->patched) err = write_out(out, out->memory, FILE_OUT_ALIGN, 0);
    direct_end(out);
    if (!err && out->filled) err = write_out(out, out->buffer, out->filled, out->written);
    if (err) return err;
    out->written += out->filled;
    out->filled = 0;
    return E_OK;
}

Err file_out_close(FileOut *out, bool sync, File *keep)
{
    Err err = E_OK;
    if (keep) *keep = FILE_NONE;
    TRY(finish(out));
    if (sync) {
        TRY(file_sync(&out->file));
    } else if (keep) {
        /* So that the later pass of syncs finds the device at work already. */
        file_flush_start(&out->file, out->pushed, out->written - out->pushed);
        *keep = out->file;
        out->file = FILE_NONE;
    }
    TRY(file_close(&out->file));
done:
    file_out_drop(out);
    return err;
}

void file_out_drop(FileOut *out)
{
    if (!out) return;
    file_drop(&out->file);
    memory_give(out->memory);
    free(out);
}
