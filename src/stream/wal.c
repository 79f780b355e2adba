/*
 * wal: the writer of the stream, and the decoding of its bytes; doc/format/wal.md tells more.
 *
 * A log file's header (4096 bytes)      A record's header (64 bytes), then name and body
 *      0   8  magic                          0   4  payload size
 *      8   4  version                        4   4  CRC-32C of file id, 8..63, payload
 *     12   4  CRC-32C of 16..63              8   8  position
 *     16   8  first position                16   1  kind
 *     24   8  id (random)                   17   1  flags (0)
 *     32   8  bytes of the file             18   2  bytes of the table's name
 *     40   8  time made                     20   4  rows
 *     48  16  0                             24  24  publisher, session, sequence
 *                                           48   8  time received
 *                                           56   4  body size
 *                                           60   4  (position - synced) / 8
 *
 * States of what is appended: buffered (in `buf`), written (given to the kernel: before `written`),
 * synced. `flush` moves from the first to the second, `sync_to` to the third. A message is copied
 * once, into `buf`, while its CRC is computed; one of a MiB or more is written from where it
 * stands.
 *
 * Invariants:
 *   1. A group (what one sync covers) lies in one file: before a file is left, it is synced.
 *      So all files but the newest are synced whole, and recovery distrusts only the newest.
 *   2. A file gets its name only after its header is synced, and the folder is synced before
 *      anything in it counts. So every log file has a sound header that agrees with its name.
 *   3. shared->durable grows only after the sync (or, relaxed, the write) that covers it, and
 *      never covers an END record: nobody's position lies between a file's last record and the
 *      next file.
 *   4. After a failed write or sync the gate is closed: no later call can succeed (R4).
 *
 * Threads: all calls on one thread; the shared page is read by other processes, its fields are
 * stored atomically.
 */
#include "stream/wal.h"
#include "base/bounds.h"
#include "base/crc.h"
#include "os/dir.h"
#include "os/now.h"
#include "os/proc.h"
#include "stream/recover.h"
#include "stream/spare.h"

#include <stdio.h>

#define WAL_MAGIC         0x0a6c61772e746c73ull /* "slt.wal\n" */
#define WAL_VERSION       1
#define WAL_PAGE          4096
#define WAL_FILES_MAX     (1ull << 20)
#define WAL_FILE_SIZE     (64ull << 20)
#define WAL_FILE_SIZE_MIN (8ull << 10)
#define WAL_FILE_SIZE_TOP (16ull << 30) /* so that a group's size fits the record's last field */
#define WAL_RESERVE       (64ull << 20)
#define WAL_FILE_FIRST    (4ull << 20) /* bytes of the first file of a life: a start costs little */
#define WAL_FLUSH         (4ull << 20) /* buffered bytes that are written early */
#define WAL_DIRECT        (1ull << 20) /* bodies that are not copied */
#define WAL_CRC_STEP      16384 /* bytes copied, then summed while they are in the nearest cache */
#define WAL_SPACE_NS      1000000000LL
#define WAL_SPACE_BYTES   (64ull << 20)

struct Wal {
    Arena memory;
    WalOptions options;
    char *path;
    int lock;
    WalShared *shared;
    Spare spare;
    Buf files;         /* RecoverFile, by position; the last one is open */
    File file;         /* the newest */
    u64 first, size;   /* of it */
    u64 id;            /* of it */
    u32 seed;          /* CRC of the id */
    Buf buf;           /* what was not written yet */
    u64 written;       /* offset in the file where `buf` belongs */
    u64 end;           /* position after the last record appended */
    u64 synced, acked; /* positions */
    bool dirty;        /* written, not synced */
    u64 closed_size;   /* bytes of all files but the newest */
    u64 syncs;
    i64 synced_at;   /* monotonic */
    i64 space_at;    /* monotonic time of the last look at the device, 0 = never */
    u64 space_bytes; /* appended since */
    bool full;
    bool refused; /* the last data record, for want of room */
    bool gate_closed;
    char gate_text[FAIL_TEXT_MAX];
};

/* ---- bytes */

void wal_file_name(u64 first, char out[WAL_NAME_MAX])
{
    snprintf(out, WAL_NAME_MAX, "%016llx.wal", (unsigned long long)first);
}

bool wal_file_parse(const char *name, u64 *first)
{
    u64 n = 0;
    for (int i = 0; i < 16; i++) {
        char c = name[i];
        bool digit = c >= '0' && c <= '9';
        if (!digit && !(c >= 'a' && c <= 'f')) return false;
        n = n << 4 | (u64)(digit ? c - '0' : c - 'a' + 10);
    }
    *first = n;
    return strcmp(name + 16, ".wal") == 0;
}

Err wal_file_header(const u8 *file, u64 size, u64 *first, u64 *id)
{
    *first = *id = 0;
    if (size < WAL_FILE_HEADER)
        return fail(E_CORRUPT, "a log file of %llu bytes has no header", (unsigned long long)size);
    if (load_u64(file) != WAL_MAGIC) return fail(E_CORRUPT, "not a log file: wrong magic");
    if (load_u32(file + 8) != WAL_VERSION)
        return fail(E_UNSUPPORTED, "log file version %u: this program knows version %d",
                    load_u32(file + 8), WAL_VERSION);
    if (load_u32(file + 12) != crc_32c(0, file + 16, 48))
        return fail(E_CORRUPT, "a log file's header does not match its checksum");
    if (load_u64(file + 32) != size)
        return fail(E_CORRUPT, "a log file has %llu bytes where its header says %llu",
                    (unsigned long long)size, (unsigned long long)load_u64(file + 32));
    *first = load_u64(file + 16);
    *id = load_u64(file + 24);
    if (*first % 8) return fail(E_CORRUPT, "a log file begins at an odd position");
    return E_OK;
}

static void encode_file_header(u8 out[WAL_FILE_HEADER], const Wal *w)
{
    memset(out, 0, WAL_FILE_HEADER);
    store_u64(out, WAL_MAGIC);
    store_u32(out + 8, WAL_VERSION);
    store_u64(out + 16, w->first);
    store_u64(out + 24, w->id);
    store_u64(out + 32, w->size);
    store_u64(out + 40, (u64)now_wall());
    store_u32(out + 12, crc_32c(0, out + 16, 48));
}

Err wal_record(const u8 *file, u64 size, u64 at, u64 id, u64 position, WalRecord *r)
{
    *r = (WalRecord){0};
    if (at > size || size - at < WAL_RECORD_HEADER || at % 8)
        return fail(E_CORRUPT, "position %llu: no room for a record", (unsigned long long)position);
    const u8 *h = file + at;
    u64 payload = load_u32(h), name = load_u16(h + 18), body = load_u32(h + 56);
    u8 kind = h[16];
    if (load_u64(h + 8) != position || kind < WAL_DATA || kind > WAL_END || h[17])
        return fail(E_CORRUPT, "position %llu: no record", (unsigned long long)position);
    if (payload > size - at - WAL_RECORD_HEADER || payload != round_up(name, 8) + round_up(body, 8))
        return fail(E_CORRUPT, "position %llu: a record of %llu bytes (name %llu, body %llu)",
                    (unsigned long long)position, (unsigned long long)payload,
                    (unsigned long long)name, (unsigned long long)body);
    u32 crc = crc_32c(crc_32c(0, &id, sizeof id), h + 8, WAL_RECORD_HEADER - 8 + payload);
    if (crc != load_u32(h + 4))
        return fail(E_CORRUPT, "position %llu: checksum %08x where %08x was written",
                    (unsigned long long)position, crc, load_u32(h + 4));
    u64 behind = (u64)load_u32(h + 60) * 8;
    *r = (WalRecord){
        .position = position,
        .end = position + WAL_RECORD_HEADER + payload,
        .kind = kind,
        .rows = load_u32(h + 20),
        .publisher = load_u64(h + 24),
        .session = load_u64(h + 32),
        .sequence = load_u64(h + 40),
        .received = load_i64(h + 48),
        .table = {(const char *)h + WAL_RECORD_HEADER, name},
        .body = h + WAL_RECORD_HEADER + round_up(name, 8),
        .size = body,
        .synced = position - MIN(behind, position),
    };
    return E_OK;
}

static void encode_record(u8 *h, const Wal *w, const WalRecord *r, u64 payload)
{
    store_u32(h, (u32)payload);
    store_u32(h + 4, 0);
    store_u64(h + 8, w->end);
    h[16] = r->kind;
    h[17] = 0;
    store_u16(h + 18, (u16)r->table.size);
    store_u32(h + 20, r->rows);
    store_u64(h + 24, r->publisher);
    store_u64(h + 32, r->session);
    store_u64(h + 40, r->sequence);
    store_u64(h + 48, (u64)r->received);
    store_u32(h + 56, (u32)r->size);
    /* A group lies in one file of at most 16 GiB, so this fits. */
    store_u32(h + 60, (u32)((w->end - w->synced) / 8));
}

/* ---- writing and syncing */

static Err close_gate(Wal *w, Err err)
{
    if (err && !w->gate_closed) {
        w->gate_closed = true;
        snprintf(w->gate_text, sizeof w->gate_text, "%s", fail_text());
    }
    return err;
}

static Err check_gate(const Wal *w)
{
    if (!w->gate_closed) return E_OK;
    return fail(E_IO, "log %s: closed after a failure: %s", w->path, w->gate_text);
}

/* Writes what is buffered. The rest of the last page is written as zeros: a whole page need not be
 * read first, and what an older life of the file left there goes. */
static Err flush(Wal *w)
{
    if (w->buf.size == 0) return E_OK;
    u64 stop = w->written + w->buf.size;
    u64 pad = MIN(round_up(stop, WAL_PAGE), w->size) - stop;
    u8 *room;
    if (buf_room(&w->buf, pad, &room) != E_OK) pad = 0;
    if (pad) memset(room, 0, pad);
    w->dirty = true;
    Err err = file_write(&w->file, w->buf.data, w->buf.size + pad, w->written);
    if (err) return close_gate(w, err);
    w->written = stop;
    buf_clear(&w->buf);
    return E_OK;
}

static void tell_durable(Wal *w, u64 position)
{
    w->acked = position;
    __atomic_store_n(&w->shared->durable, position, __ATOMIC_RELEASE);
}

/* Writes and syncs; `position` = end of the last record that is meant (w->end but for an END
 * record). */
static Err sync_to(Wal *w, u64 position)
{
    Err err = flush(w);
    if (err || !w->dirty) return err;
    err = file_sync(&w->file);
    if (err) return close_gate(w, err);
    w->dirty = false;
    w->syncs++;
    w->synced_at = now_mono();
    w->synced = position;
    __atomic_store_n(&w->shared->synced, position, __ATOMIC_RELAXED);
    tell_durable(w, position);
    return E_OK;
}

/* ---- files */

static RecoverFile *files_of(const Wal *w) { return (RecoverFile *)(void *)w->files.data; }

static u64 file_count(const Wal *w) { return w->files.size / sizeof(RecoverFile); }

static Err add_file(Wal *w, u64 first, u64 size)
{
    RecoverFile f = {first, size};
    return buf_append(&w->files, &f, sizeof f);
}

/* Prepares the open file to begin at a position: a new life with a new id. */
static Err begin_file(Wal *w, u64 first, u64 size)
{
    u8 header[WAL_FILE_HEADER];
    w->first = first;
    w->size = size;
    proc_random(&w->id, sizeof w->id);
    w->seed = crc_32c(0, &w->id, sizeof w->id);
    w->written = WAL_FILE_HEADER;
    w->end = first;
    encode_file_header(header, w);
    return file_write(&w->file, header, sizeof header, 0);
}

/* Gives the file, now called `old`, its name, and opens it anew under it. */
static Err name_file(Wal *w, const char *old)
{
    Err err = E_OK;
    Arena a = {0};
    char name[WAL_NAME_MAX];
    wal_file_name(w->first, name);
    char *path = dir_join(&a, w->path, name, NULL);
    TRY(file_sync(&w->file));
    TRY(dir_rename(old, path));
    TRY(dir_sync(w->path));
    TRY(file_close(&w->file));
    TRY(file_open(&w->file, path, FILE_WRITE));
    TRY(add_file(w, w->first, w->size));
done:
    arena_free(&a);
    return err;
}

static u64 payload_of(const WalRecord *r)
{
    return round_up(r->table.size, 8) + round_up(r->size, 8);
}

/* Copies bytes and sums them on the way. */
static u32 copy_sum(u8 *to, const void *from, u64 size, u32 crc)
{
    const u8 *p = from;
    for (u64 step; size; size -= step, to += step, p += step) {
        step = MIN(size, WAL_CRC_STEP);
        memcpy(to, p, step);
        crc = crc_32c(crc, to, step);
    }
    return crc;
}

/* Buffers a record at the end. There is room in the file. On failure nothing was taken, unless the
 * gate is closed. */
static Err put(Wal *w, const WalRecord *r)
{
    u64 payload = payload_of(r), name = round_up(r->table.size, 8), body = round_up(r->size, 8);
    u64 direct = r->size >= WAL_DIRECT ? r->size & ~7ull : 0;
    u8 *h;
    Err err = buf_room(&w->buf, WAL_RECORD_HEADER + payload - direct + WAL_PAGE, &h);
    if (err) return err;
    encode_record(h, w, r, payload);
    u8 *to = h + WAL_RECORD_HEADER;
    memset(to, 0, name);
    if (r->table.size) memcpy(to, r->table.data, r->table.size);
    u32 crc = crc_32c(w->seed, h + 8, WAL_RECORD_HEADER - 8 + name);
    to += name;
    if (direct) crc = crc_32c(crc, r->body, direct);
    u64 rest = body - direct, copied = r->size - direct;
    if (rest) memset(to + rest - 8, 0, 8);
    if (copied) crc = copy_sum(to, r->body + direct, copied, crc);
    crc = crc_32c(crc, to + copied, rest - copied);
    store_u32(h + 4, crc);
    if (direct) {
        u8 last[8];
        memcpy(last, to, rest);
        buf_added(&w->buf, WAL_RECORD_HEADER + name);
        err = flush(w);
        if (!err) err = close_gate(w, file_write(&w->file, r->body, direct, w->written));
        if (err) return err;
        w->written += direct;
        err = close_gate(w, buf_append(&w->buf, last, rest));
        if (err) return err;
    } else {
        buf_added(&w->buf, WAL_RECORD_HEADER + payload);
    }
    w->dirty = true;
    w->end += WAL_RECORD_HEADER + payload;
    return E_OK;
}

/* Leaves the file and begins the next one, of `size` bytes. E_FULL and the like when it cannot be
 * had: nothing changed. */
static Err roll(Wal *w, u64 size)
{
    Err err = E_OK;
    File next;
    char *name;
    err = spare_take(&w->spare, size, &next, &name);
    if (err) return err;
    u64 last = w->end, used = last - w->first + WAL_FILE_HEADER;
    if (w->size - used >= WAL_RECORD_HEADER) TRY(put(w, &(WalRecord){.kind = WAL_END}));
    TRY(sync_to(w, last));
    TRY(file_close(&w->file));
    w->closed_size += w->size;
    w->file = next;
    next = FILE_NONE;
    TRY(begin_file(w, w->end, size));
    TRY(name_file(w, name));
done:
    file_drop(&next);
    return close_gate(w, err);
}

/* ---- opening */

static Err list_files(Wal *w)
{
    Err err = E_OK;
    Arena a = {0};
    DirEntry *entries;
    u64 count, first, size;
    TRY(dir_list(w->path, WAL_FILES_MAX, &a, &entries, &count));
    for (u64 i = 0; i < count; i++) {
        if (!wal_file_parse(entries[i].name, &first)) continue;
        File f;
        TRY(file_open(&f, dir_join(&a, w->path, entries[i].name, NULL), FILE_READ));
        err = file_size(&f, &size);
        file_drop(&f);
        if (!err) err = add_file(w, first, size);
        if (err) goto done;
    }
done:
    arena_free(&a);
    return err;
}

/* Maps the shared page, made whole when it is missing or too short. */
static Err open_shared(Wal *w)
{
    Err err = E_OK;
    Arena a = {0};
    char *path = dir_join(&a, w->path, "durable", NULL);
    File f = FILE_NONE;
    u64 size = 0;
    err = file_open(&f, path, FILE_READ);
    if (!err) TRY(file_size(&f, &size));
    if (err && err != E_NOT_FOUND) goto done;
    if (size < WAL_SHARED_SIZE) TRY(file_replace(path, (u8[WAL_SHARED_SIZE]){0}, WAL_SHARED_SIZE));
    void *page = NULL;
    TRY(file_map_shared(path, WAL_SHARED_SIZE, true, &page));
    w->shared = page;
done:
    file_drop(&f);
    arena_free(&a);
    return err;
}

/* Writes the records that recovery wants anew to a new file, then names it: the stream goes on
 * there. */
static Err restart(Wal *w, const Recover *r)
{
    Err err = E_OK;
    WalRecord rec;
    char *name;
    u64 copied = r->end - r->copy_from;
    u64 size = MAX(MIN(w->options.file_size, WAL_FILE_FIRST), WAL_FILE_HEADER + copied);
    TRY(spare_take(&w->spare, size, &w->file, &name));
    w->synced = r->copy_from;
    TRY(begin_file(w, r->copy_from, size));
    while (w->end < r->end) {
        u64 at = w->end - r->first + WAL_FILE_HEADER;
        TRY(wal_record(r->bytes.data, r->bytes.size, at, r->id, w->end, &rec));
        TRY(put(w, &rec));
    }
    TRY(flush(w));
    /* A whole copy takes the place of the file that it was made from. */
    if (file_count(w) && files_of(w)[file_count(w) - 1].first == w->first)
        w->files.size -= sizeof(RecoverFile);
    TRY(name_file(w, name));
    w->dirty = false;
    w->synced = w->end;
done:
    return err;
}

/* Fills the shared page for a new life; what readers knew of the view stays. */
static void begin_shared(Wal *w)
{
    WalShared *s = w->shared;
    if (s->magic != WAL_SHARED_MAGIC) s->view = 0;
    __atomic_store_n(&s->oldest, wal_oldest(w), __ATOMIC_RELAXED);
    __atomic_store_n(&s->writer, (u64)proc_id(), __ATOMIC_RELAXED);
    __atomic_store_n(&s->synced, w->end, __ATOMIC_RELAXED);
    tell_durable(w, w->end);
    __atomic_store_n(&s->magic, WAL_SHARED_MAGIC, __ATOMIC_RELEASE);
}

static Err set_options(Wal *w, const WalOptions *o)
{
    w->options = *o;
    WalOptions *p = &w->options;
    if (!p->file_size) p->file_size = WAL_FILE_SIZE;
    if (!p->reserve) p->reserve = WAL_RESERVE;
    if (p->file_size < WAL_FILE_SIZE_MIN || p->file_size > WAL_FILE_SIZE_TOP)
        return fail(E_USAGE, "log %s: a log file of %llu bytes: allowed are 8 KiB to 16 GiB",
                    w->path, (unsigned long long)p->file_size);
    p->file_size = round_up(p->file_size, WAL_PAGE);
    return E_OK;
}

/* Closes what is open, without a word. */
static void drop(Wal *w)
{
    spare_close(&w->spare);
    file_drop(&w->file);
    file_unmap_shared(w->shared, WAL_SHARED_SIZE);
    dir_unlock(&w->lock);
    buf_free(&w->buf);
    buf_free(&w->files);
    Arena memory = w->memory;
    arena_free(&memory);
}

Err wal_open(Wal **out, const char *path, const WalOptions *o, u64 from, u64 *lost_to)
{
    Err err = E_OK;
    Recover r = {0};
    Arena memory = {0};
    Wal *w = arena_new(&memory, Wal);
    *out = NULL;
    *w = (Wal){.memory = memory, .lock = -1, .file = FILE_NONE};
    w->path = arena_text(&w->memory, path, strlen(path));
    *lost_to = from;
    if (from % 8)
        TRY(fail(E_CORRUPT, "log %s: %llu is no position", path, (unsigned long long)from));
    TRY(set_options(w, o));
    TRY(dir_make_all(path));
    TRY(fail_note(dir_lock(path, true, &w->lock), "log"));
    TRY(open_shared(w));
    TRY(list_files(w));
    if (file_count(w) == 0) TRY(dir_sync_above(path)); /* made, perhaps by a start that died then */
    bool known = w->shared->magic == WAL_SHARED_MAGIC;
    TRY(recover_scan(w->path, files_of(w), file_count(w), from, known ? w->shared->synced : 0, &r));
    TRY(spare_open(&w->spare, w->path, w->options.file_size));
    TRY(restart(w, &r));
    for (u64 i = 0; i + 1 < file_count(w); i++)
        w->closed_size += files_of(w)[i].size;
    w->synced_at = now_mono();
    begin_shared(w);
    *lost_to = r.lost_to;
    *out = w;
done:
    buf_free(&r.bytes);
    if (err) drop(w);
    return err;
}

/* ---- the calls of the manager */

/* Looks at the device now and then: space is asked for long before it is gone. */
static Err check_space(Wal *w, u64 need)
{
    i64 now = now_mono();
    if (w->space_at == 0 || now - w->space_at >= WAL_SPACE_NS ||
        (!w->full && w->space_bytes >= WAL_SPACE_BYTES)) {
        u64 space, all;
        Err err = dir_space(w->path, &space, &all);
        if (err) return err;
        w->full = space < w->options.reserve;
        w->space_at = now;
        w->space_bytes = 0;
    }
    w->space_bytes += need;
    if (!w->full) return E_OK;
    return fail(E_FULL,
                "log %s: the device has less than %llu bytes left, which are kept for commits",
                w->path, (unsigned long long)w->options.reserve);
}

/* Whether a data record may be taken. Control records are small, and without them nothing would
 * ever be let go: what is kept back is kept for them too. */
static Err check_room(Wal *w, u64 used, u64 need)
{
    if (w->options.size_max && w->closed_size + used + need > w->options.size_max)
        return fail(E_LIMIT,
                    "log %s: maxLogSize of %llu bytes is reached: nothing is taken until an "
                    "interval is written",
                    w->path, (unsigned long long)w->options.size_max);
    return check_space(w, need);
}

Err wal_append(Wal *w, WalRecord *r)
{
    Err err = check_gate(w);
    if (err) return err;
    ASSERT(r->kind == WAL_DATA || r->kind == WAL_CONTROL);
    if (r->table.size > UINT16_MAX || r->size > BOUND_MESSAGE_MAX)
        return fail(E_LIMIT,
                    "log %s: a record of %llu bytes with a name of %llu bytes is too large",
                    w->path, (unsigned long long)r->size, (unsigned long long)r->table.size);
    u64 need = WAL_RECORD_HEADER + payload_of(r), used = w->end - w->first + WAL_FILE_HEADER;
    if (r->kind == WAL_DATA) {
        err = check_room(w, used, need);
        w->refused = err != E_OK;
        if (err) return err;
    }
    if (need > w->size - used) {
        err = roll(w, MAX(w->options.file_size, WAL_FILE_HEADER + need));
        if (err) return err;
    }
    u64 position = w->end;
    err = put(w, r);
    if (err) return err;
    r->position = position;
    r->end = w->end;
    r->synced = w->synced;
    if (w->end - w->first > w->size / 4) spare_ahead(&w->spare);
    if (w->buf.size < WAL_FLUSH) return E_OK;
    u64 from = w->written;
    if (flush(w) == E_OK) file_flush_start(&w->file, from, w->written - from);
    return E_OK; /* a closed gate shows at the sync, without which nothing is acknowledged */
}

Err wal_sync(Wal *w)
{
    Err err = check_gate(w);
    return err ? err : sync_to(w, w->end);
}

Err wal_commit(Wal *w)
{
    if (!w->options.relaxed) return wal_sync(w);
    Err err = check_gate(w);
    if (!err) err = flush(w);
    if (err || !w->dirty) return err;
    if (w->end != w->acked) tell_durable(w, w->end);
    if (now_mono() - w->synced_at < (i64)w->options.relaxed_ms * 1000000) return E_OK;
    return sync_to(w, w->end);
}

u64 wal_durable(const Wal *w) { return w->acked; }

u64 wal_end(const Wal *w) { return w->end; }

u64 wal_oldest(const Wal *w) { return files_of(w)[0].first; }

u64 wal_size(const Wal *w) { return w->closed_size + w->end - w->first + WAL_FILE_HEADER; }

u64 wal_syncs(const Wal *w) { return w->syncs; }

bool wal_refused(const Wal *w) { return w->refused && file_count(w) > 1; }

Err wal_trim(Wal *w, u64 position)
{
    Err err = check_gate(w);
    if (err) return err;
    Arena a = {0};
    RecoverFile *files = files_of(w);
    u64 count = file_count(w), gone = 0, removed = 0;
    bool renamed, any = false;
    char name[WAL_NAME_MAX];
    while (gone + 1 < count && files[gone + 1].first <= position)
        gone++;
    if (gone == 0) return E_OK;
    __atomic_store_n(&w->shared->oldest, files[gone].first, __ATOMIC_RELEASE);
    for (; removed < gone; removed++) {
        wal_file_name(files[removed].first, name);
        TRY(spare_give(&w->spare, dir_join(&a, w->path, name, NULL), files[removed].size,
                       &renamed));
        w->closed_size -= files[removed].size;
        any |= renamed;
    }
done:
    buf_drop(&w->files, removed * sizeof(RecoverFile));
    /* Before a renamed file is written to, its old name must be gone for good. */
    if (any) {
        Err second = close_gate(w, dir_sync(w->path));
        if (!err) err = second;
    }
    arena_free(&a);
    return err;
}

void wal_set_view(Wal *w, u64 view) { __atomic_store_n(&w->shared->view, view, __ATOMIC_RELEASE); }

Err wal_close(Wal *w)
{
    if (!w) return E_OK;
    Err err = wal_sync(w);
    if (!err) err = file_close(&w->file);
    __atomic_store_n(&w->shared->writer, 0, __ATOMIC_RELEASE);
    drop(w);
    return err;
}
