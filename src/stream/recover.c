/*
 * recover: finds the end of the stream, and tells a torn tail from damage.
 *
 * The extent of a log file ends where the next file begins, whatever stands behind; so a file that
 * was cut never needs to be changed. All files but the newest were synced whole before the next one
 * got its name: anything bad in them is damage. In the newest, the first bad record ends the stream
 * if it was never synced. Two witnesses say what was:
 *   - the shared page, exact after the death of the process, some seconds old after a power cut;
 *   - every sound record behind, which carries the position up to which the log was synced when
 *     it was written. Records of the group of the bad one prove nothing: a power cut may keep any
 *     pages of an unsynced group.
 * What is bad before the position that is asked for does not matter to anybody and is passed over.
 *
 * The page cache is asked to forget the newest file before it is read: after a failed sync it holds
 * bytes that the device does not (R4). It keeps what a reader maps and what is not yet written, so
 * the last group, which alone may be of that kind, is copied to a new file and synced there by the
 * caller; a small file is copied whole, so that many starts do not leave many files.
 */
#include "stream/recover.h"
#include "base/arena.h"

#include <stdio.h>

#define RECOVER_COPY_WHOLE (256ull << 10) /* bytes of records */

typedef struct {
    const char *path;
    u64 from;
    u64 at;      /* position of the next record */
    u64 resumed; /* position behind damage that does not matter */
    Recover *r;
} Scan;

/* Reads a whole log file into r->bytes and checks its header. */
static Err read_file(Scan *s, const RecoverFile *f, bool newest)
{
    Err err = E_OK;
    Arena a = {0};
    File file = FILE_NONE;
    char name[WAL_NAME_MAX];
    Recover *r = s->r;
    u8 *room;
    u64 size;
    wal_file_name(f->first, name);
    TRY(file_open(&file, arena_format(&a, "%s/%s", s->path, name), FILE_READ));
    if (newest) file_uncache(&file);
    TRY(file_size(&file, &size));
    buf_clear(&r->bytes);
    r->bytes.size_max = size + 1;
    TRY(buf_room(&r->bytes, size, &room));
    TRY(file_read(&file, room, size, 0));
    buf_added(&r->bytes, size);
    TRY(fail_note(wal_file_header(r->bytes.data, size, &r->first, &r->id), "%s", file.path));
    if (r->first != f->first)
        err = fail(E_CORRUPT, "%s: its header says that it begins at position %llu", file.path,
                   (unsigned long long)r->first);
done:
    file_drop(&file);
    arena_free(&a);
    return err;
}

static Err record_at(const Scan *s, u64 position, WalRecord *rec)
{
    const Recover *r = s->r;
    return wal_record(r->bytes.data, r->bytes.size, position - r->first + WAL_FILE_HEADER, r->id,
                      position, rec);
}

static bool has_room(const Scan *s)
{
    u64 at = s->at - s->r->first + WAL_FILE_HEADER;
    return at <= s->r->bytes.size && s->r->bytes.size - at >= WAL_RECORD_HEADER;
}

static Err damaged(const Scan *s, u64 position, u64 known, const char *why)
{
    return fail(E_CORRUPT,
                "log %s: the record at position %llu does not hold, but the log was synced up to "
                "position %llu: damage, not a torn end (%s)",
                s->path, (unsigned long long)position, (unsigned long long)known, why);
}

/* Walks a file that has a successor. */
static Err scan_older(Scan *s, const RecoverFile *next)
{
    WalRecord rec;
    char why[FAIL_TEXT_MAX];
    while (s->at != next->first && has_room(s)) {
        Err err = record_at(s, s->at, &rec);
        if (err && s->at < s->from && s->from <= next->first) {
            s->at = s->resumed = s->from;
            continue;
        }
        if (err) {
            snprintf(why, sizeof why, "%s", fail_text());
            return damaged(s, s->at, next->first, why);
        }
        s->at = rec.end;
    }
    if (s->at == next->first) return E_OK;
    return fail(E_CORRUPT, "log %s: the file before position %llu ends at position %llu", s->path,
                (unsigned long long)next->first, (unsigned long long)s->at);
}

/* How far the log was synced for certain, by the records behind a bad one. */
static u64 witness(const Scan *s, u64 synced)
{
    const Recover *r = s->r;
    WalRecord rec;
    u64 at = s->at - r->first + WAL_FILE_HEADER + 8;
    for (; at + WAL_RECORD_HEADER <= r->bytes.size; at += 8) {
        u64 position = at - WAL_FILE_HEADER + r->first;
        if (load_u64(r->bytes.data + at + 8) != position) continue;
        if (record_at(s, position, &rec) == E_OK) synced = MAX(synced, rec.synced);
    }
    return synced;
}

/* Walks the newest file to its end. */
static Err scan_newest(Scan *s, u64 synced)
{
    Recover *r = s->r;
    WalRecord rec;
    char why[FAIL_TEXT_MAX] = "the file ends there";
    u64 group = s->at, last = s->at;
    while (has_room(s)) {
        Err err = record_at(s, s->at, &rec);
        if (!err && rec.kind == WAL_END) break;
        if (!err) {
            last = s->at;
            group = rec.synced;
            s->at = rec.end;
        } else if (s->at < s->from) {
            s->at = s->resumed = group = last = s->from;
        } else {
            snprintf(why, sizeof why, "%s", fail_text());
            synced = witness(s, synced);
            break;
        }
    }
    if (s->at < s->from) s->at = s->resumed = s->from;
    if (synced > s->at) return damaged(s, s->at, synced, why);
    r->end = s->at;
    r->copy_from = MIN(group, last);
    if (r->copy_from < r->first || r->end - r->first <= RECOVER_COPY_WHOLE) r->copy_from = r->first;
    r->copy_from = MAX(r->copy_from, s->resumed);
    return E_OK;
}

Err recover_scan(const char *path, const RecoverFile *files, u64 count, u64 from, u64 synced,
                 Recover *r)
{
    Err err = E_OK;
    Scan s = {.path = path, .from = from, .r = r};
    *r = (Recover){.lost_to = from};
    if (count == 0) {
        r->end = r->copy_from = MAX(from, synced);
        r->lost_to = r->end;
        return E_OK;
    }
    u64 i = 0;
    while (i + 1 < count && files[i + 1].first <= from)
        i++;
    r->lost_to = MAX(from, files[0].first);
    for (; i < count; i++) {
        bool newest = i + 1 == count;
        s.at = files[i].first;
        TRY(read_file(&s, &files[i], newest));
        TRY(newest ? scan_newest(&s, synced) : scan_older(&s, &files[i + 1]));
    }
done:
    if (err) buf_free(&r->bytes);
    return err;
}
