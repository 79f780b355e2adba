/*
 * image: mapped files and inflated ones, and the cache of inflated blocks.
 *
 * A block of an image on need is in one of three states, kept in one atomic word with the number of
 * those who need it and a mark that it was used lately:
 *
 *     ABSENT --(first need: claim)--> BUSY --(inflated: publish)--> THERE
 *        ^                              |                             |
 *        +------------(failed)----------+                             |
 *        +-----------------(evict: nobody needs it)-------------------+
 *
 * A need of a block that is THERE is one compare-and-swap. All other changes are made under `lock`:
 * claiming, publishing, evicting, and the list of blocks that are THERE in the order they came. The
 * inflating itself runs without it; who meets a BUSY block waits. Eviction takes the oldest block
 * that nobody needs and that was not used since it was last looked at (second chance). It gives the
 * pages back, so that the address stays reserved and reads of it, which nobody may do, give zeros.
 *
 * Invariants: a word with needs > 0 is never evicted. `kept` is the sum of the blocks that are BUSY
 * or THERE. Blocks begin at multiples of a page; an image whose blocks are smaller than a page is
 * opened whole.
 *
 * This file has the one lock of column/: queries of many threads share blocks, and what they share
 * is bounded for the process, not for each of them.
 */
#include "column/image.h"

#include "base/list.h"
#include "column/block.h"
#include "os/pool.h"
#include "os/proc.h"
#include "os/space.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define STATE_ABSENT 0u
#define STATE_BUSY   1u
#define STATE_THERE  2u
#define STATE_MASK   3u
#define USED         4u
#define NEED         8u
#define EVICT_LOOKS  256 /* blocks looked at for each that comes, when all are needed */

typedef struct {
    List link; /* in `there` while THERE */
    ImageBlocks *owner;
    _Atomic u32 word;
} Slot;

struct ImageBlocks {
    BlockMap map;
    FileMap file;
    u8 *space;
    char *path;
    Slot *slots;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static List there = {&there, &there}; /* oldest first */
static u64 kept, whole;               /* bytes: of slots BUSY or THERE; of whole images */
static u64 bound;                     /* 0 = not set */
static _Atomic u64 inflated;

/* Bytes that inflated blocks may take at all: half of what the process may use. */
static u64 memory_max(void)
{
    static _Atomic u64 known;
    u64 max = atomic_load_explicit(&known, memory_order_relaxed);
    if (max == 0) {
        max = proc_memory_limit() / 2;
        atomic_store_explicit(&known, max, memory_order_relaxed);
    }
    return max;
}

void image_cache_bound(u64 bytes)
{
    pthread_mutex_lock(&lock);
    bound = bytes;
    pthread_mutex_unlock(&lock);
}

void image_memory(u64 *on_need, u64 *of_whole)
{
    pthread_mutex_lock(&lock);
    *on_need = kept;
    *of_whole = whole;
    pthread_mutex_unlock(&lock);
}

u64 image_inflated(void) { return atomic_load(&inflated); }

static Err no_room(const char *path, u64 size)
{
    return fail(E_LIMIT,
                "%s: %llu inflated bytes are too many: those in memory may be %llu together", path,
                (unsigned long long)size, (unsigned long long)memory_max());
}

/* ---- blocks on need */

static u8 *place_of(const ImageBlocks *b, u64 i) { return b->space + i * b->map.block_size; }

/* Makes a block ABSENT that nobody needs. Under lock. */
static bool evict(Slot *s)
{
    u32 unused = STATE_THERE;
    if (!atomic_compare_exchange_strong(&s->word, &unused, STATE_BUSY)) return false;
    u64 i = (u64)(s - s->owner->slots), size = block_plain_size(&s->owner->map, i);
    list_remove(&s->link);
    space_drop(place_of(s->owner, i), round_up(size, space_page()));
    kept -= size;
    atomic_store_explicit(&s->word, STATE_ABSENT, memory_order_relaxed);
    return true;
}

/* Evicts until `kept` is within the bound, or all that was looked at is needed. Under lock. */
static void trim(void)
{
    u64 most = bound != 0 ? bound : memory_max() / 4;
    for (u32 looks = 0; kept > most && looks < EVICT_LOOKS && !list_empty(&there); looks++) {
        Slot *s = LIST_ENTRY(there.next, Slot, link);
        u32 word = atomic_fetch_and_explicit(&s->word, ~USED, memory_order_relaxed);
        if (word == STATE_THERE && evict(s)) continue;
        list_remove(&s->link);
        list_append(&there, &s->link);
    }
}

/* Adds a need when the block is THERE. */
static bool need_there(Slot *s)
{
    u32 word = atomic_load_explicit(&s->word, memory_order_relaxed);
    while ((word & STATE_MASK) == STATE_THERE) {
        if (atomic_compare_exchange_weak_explicit(&s->word, &word, (word + NEED) | USED,
                                                  memory_order_acquire, memory_order_relaxed))
            return true;
    }
    return false;
}

/* Inflates a block that this thread claimed. */
static Err bring(ImageBlocks *b, u64 i)
{
    Slot *s = &b->slots[i];
    u64 size = block_plain_size(&b->map, i);
    Err err = block_inflate(&b->map, i, place_of(b, i), b->path);
    atomic_fetch_add_explicit(&inflated, 1, memory_order_relaxed);
    pthread_mutex_lock(&lock);
    if (err == E_OK) {
        list_append(&there, &s->link);
        atomic_store_explicit(&s->word, STATE_THERE | USED | NEED, memory_order_release);
        trim();
    } else {
        kept -= size;
        atomic_store_explicit(&s->word, STATE_ABSENT, memory_order_relaxed);
    }
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    return err;
}

static Err need_block(ImageBlocks *b, u64 i)
{
    Slot *s = &b->slots[i];
    u64 size = block_plain_size(&b->map, i);
    Err err = E_OK;
    while (!need_there(s)) {
        pthread_mutex_lock(&lock);
        u32 word = atomic_load_explicit(&s->word, memory_order_relaxed);
        bool claimed = word == STATE_ABSENT;
        if (claimed && kept + whole + size > memory_max()) {
            claimed = false;
            err = no_room(b->path, size);
        } else if (claimed) {
            kept += size;
            atomic_store_explicit(&s->word, STATE_BUSY, memory_order_relaxed);
        } else if (word == STATE_BUSY) {
            pthread_cond_wait(&changed, &lock);
        }
        pthread_mutex_unlock(&lock);
        if (claimed) return bring(b, i);
        if (err != E_OK) return err;
    }
    return E_OK;
}

static void done_block(ImageBlocks *b, u64 i)
{
    u32 word = atomic_fetch_sub_explicit(&b->slots[i].word, NEED, memory_order_release);
    ASSERT(word >= NEED);
}

/* The blocks [*first, *last) that hold bytes [from, to). */
static void blocks_of(const Image *m, u64 from, u64 to, u64 *first, u64 *last)
{
    u64 size = m->blocks->map.block_size;
    to = MIN(to, m->plain.size);
    *first = from / size;
    *last = from < to ? (to - 1) / size + 1 : *first;
}

Err image_need(const Image *m, u64 from, u64 to)
{
    u64 first, last;
    if (m->blocks == NULL) return E_OK;
    blocks_of(m, from, to, &first, &last);
    for (u64 i = first; i < last; i++) {
        Err err = need_block(m->blocks, i);
        if (err == E_OK) continue;
        while (i-- > first)
            done_block(m->blocks, i);
        return err;
    }
    return E_OK;
}

void image_done(const Image *m, u64 from, u64 to)
{
    u64 first, last;
    if (m->blocks == NULL) return;
    blocks_of(m, from, to, &first, &last);
    for (u64 i = first; i < last; i++)
        done_block(m->blocks, i);
}

static void free_slots(ImageBlocks *b)
{
    pthread_mutex_lock(&lock);
    for (u64 i = 0; b->slots != NULL && i < b->map.count; i++) {
        u32 word = atomic_load_explicit(&b->slots[i].word, memory_order_relaxed);
        if ((word & STATE_MASK) != STATE_THERE) continue;
        list_remove(&b->slots[i].link);
        kept -= block_plain_size(&b->map, i);
    }
    pthread_mutex_unlock(&lock);
    free(b->slots);
    b->slots = NULL;
}

static void free_blocks(ImageBlocks *b, bool and_space)
{
    if (b == NULL) return;
    free_slots(b);
    if (and_space) space_free(b->space, b->map.size);
    block_close(&b->map);
    file_unmap(&b->file);
    free(b->path);
    free(b);
}

static Err make_slots(ImageBlocks *b)
{
    if (b->map.count > memory_max() / (16 * sizeof *b->slots)) return no_room(b->path, b->map.size);
    b->slots = calloc(b->map.count + 1, sizeof *b->slots);
    if (b->slots == NULL) return fail(E_MEMORY, "%s: no memory to open it", b->path);
    for (u64 i = 0; i < b->map.count; i++) {
        list_init(&b->slots[i].link);
        b->slots[i].owner = b;
        atomic_init(&b->slots[i].word, STATE_ABSENT);
    }
    return E_OK;
}

/* ---- whole images */

static Err bring_whole(void *arg, u64 i)
{
    ImageBlocks *b = arg;
    return block_inflate(&b->map, i, place_of(b, i), b->path);
}

/* Counts bytes of a whole image; E_LIMIT when there are too many. */
static Err take_whole(const char *path, u64 size)
{
    Err err = E_OK;
    pthread_mutex_lock(&lock);
    if (size > memory_max() || kept + whole > memory_max() - size)
        err = no_room(path, size);
    else
        whole += size;
    pthread_mutex_unlock(&lock);
    return err;
}

static void give_whole(u64 size)
{
    pthread_mutex_lock(&lock);
    whole -= size;
    pthread_mutex_unlock(&lock);
}

static Err inflate_whole(ImageBlocks *b)
{
    Err err = take_whole(b->path, b->map.size);
    if (err != E_OK) return err;
    err = pool_run(b->map.count, 0, bring_whole, b);
    if (err != E_OK) give_whole(b->map.size);
    return err;
}

/* ---- opening */

static Err open_container(Image *m, const char *path, ImageMode mode)
{
    Err err = E_OK;
    ImageBlocks *b = calloc(1, sizeof *b);
    if (b == NULL) return fail(E_MEMORY, "%s: no memory to open it", path);
    b->file = m->plain;
    m->plain = (FileMap){0};
    b->path = strdup(path);
    if (b->path == NULL) TRY(fail(E_MEMORY, "%s: no memory to open it", path));
    TRY(block_open(&b->map, b->file.data, b->file.size, path));
    m->zipped = true;
    m->codec = b->map.codec;
    if (b->map.size == 0) goto done;
    TRY(space_reserve(b->map.size, &b->space));
    if (mode == IMAGE_ON_NEED && b->map.block_size % space_page() == 0) {
        TRY(make_slots(b));
        m->blocks = b;
    } else {
        TRY(inflate_whole(b));
    }
    m->plain = (FileMap){b->space, b->map.size};
    if (m->blocks != NULL) return E_OK;
done:
    free_blocks(b, m->plain.data == NULL);
    return err;
}

Err image_open(Image *m, const char *path, ImageMode mode)
{
    *m = (Image){0};
    Err err = file_map(path, UINT64_MAX, &m->plain);
    if (err != E_OK) return err;
    m->stored = m->plain.size;
    if (m->stored >= BLOCK_MAGIC_SIZE && memcmp(m->plain.data, "kxzippEd", BLOCK_MAGIC_SIZE) == 0)
        err = fail(E_UNSUPPORTED, "%s: an encrypted file", path);
    else if (block_is_container(m->plain.data, m->stored))
        err = open_container(m, path, mode);
    if (err != E_OK) image_close(m);
    return err;
}

void image_close(Image *m)
{
    if (!m->zipped) {
        file_unmap(&m->plain);
    } else if (m->blocks != NULL) {
        free_blocks(m->blocks, true);
    } else if (m->plain.data != NULL) {
        space_free((u8 *)(uintptr_t)m->plain.data, m->plain.size);
        give_whole(m->plain.size);
    }
    *m = (Image){0};
}
