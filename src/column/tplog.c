/*
 * tplog: a tickerplant appends what it was sent, without lengths or checksums.
 *
 *   0  ff 01 00 00, u32 count: an empty general list (a log made by `set` of a list has the true
 *      count), never read
 *   8  messages back to back, each a serialised object as in q IPC: usually a list of a function's
 *      name, a table's name and data
 *
 * The first object that is not whole or not sound is where the log is torn: a writer that died in
 * the middle of a message. Sound messages may follow behind it, but nothing tells where, so they
 * are lost to a reader of the sequence.
 */
#include "column/tplog.h"

#include "q/wire.h"

#include <stdlib.h>

#define TPLOG_HEADER 8

Err tplog_open(Tplog *t, const char *path)
{
    static const u8 head[4] = {0xff, 0x01, 0x00, 0x00};
    Err err = E_OK;
    *t = (Tplog){0};
    TRY(image_open(&t->image, path, IMAGE_WHOLE));
    t->path = strdup(path);
    if (t->path == NULL) TRY(fail(E_MEMORY, "%s: no memory to open it", path));
    if (t->image.plain.size < TPLOG_HEADER || memcmp(t->image.plain.data, head, sizeof head) != 0)
        TRY(fail(E_CORRUPT, "%s: no log of a tickerplant", path));
    t->at = TPLOG_HEADER;
done:
    if (err != E_OK) tplog_close(t);
    return err;
}

Err tplog_next(Tplog *t, Arena *a, Value *message, bool *more)
{
    WireObject object;
    const u8 *p = t->image.plain.data + t->at;
    u64 left = t->image.plain.size - t->at;
    *more = false;
    *message = value_null();
    if (left == 0 || t->torn) return E_OK;
    if (wire_object(p, left, false, &object) != E_OK) {
        t->torn = true;
        return E_OK;
    }
    Err err = wire_decode(p, object.size, a, message);
    if (err != E_OK)
        return fail_note(err, "%s: message %llu", t->path, (unsigned long long)t->count);
    t->at += object.size;
    t->count++;
    *more = true;
    return E_OK;
}

void tplog_close(Tplog *t)
{
    image_close(&t->image);
    free(t->path);
    *t = (Tplog){0};
}
