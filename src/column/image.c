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
 * that nobody needs and that was not used since it was last looked at (second chance). Its address
 * stays reserved; reads of it, which nobody may do, give zeros. Its pages move to the block that
 * comes, and some of closed images are kept for others, as clearing fresh pages takes as long as a
 * fast codec does: blocks and spare pages together stay within the bound. Pages that were moved are
 * a mapping of their own for the kernel, which allows a process some 65,000; so their number
 * (`loose`) is limited, and small blocks, whose pages are cheap to clear, never move.
 *
 * The block that gives its pages is BUSY while they move, without the lock. An image that closes
 * waits for its blocks to be no longer BUSY.
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
#define EVICT_LOOKS  256         /* blocks looked at for each that comes, when all are needed */
#define MOVE_MIN     (64u << 10) /* bytes of a block whose pages are worth a move */
#define LOOSE_MAX    8192        /* blocks whose pages were moved */
#define SPARE_MAX    (32u << 20) /* bytes of pages that wait for a block */

typedef struct {
    List link; /* in `there` while THERE */
    ImageBlocks *owner;
    _Atomic u32 word;
    _Atomic bool read; /* a reader went over it before */
    bool loose;        /* its pages came from elsewhere */
} Slot;

/* A block that nobody has: its pages, linked through their first bytes. */
typedef struct Spare {
    struct Spare *next;
} Spare;

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
static Spare *spares[BLOCK_LOG2_MAX - BLOCK_LOG2_MIN + 1]; /* by block size */
static u64 spare_bytes;
static u64 loose; /* blocks whose pages were moved, spare ones included */
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

/* The bound that is in force. Under lock. */
static u64 most(void) { return bound != 0 ? bound : memory_max() / 4; }

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

static u8 *place_of(const ImageBlocks *b, u64 i) { return b->space + i * b->map.block_size; }

static u64 slot_size(const Slot *s) { return s->owner->map.block_size; }

static u8 *slot_place(const Slot *s) { return place_of(s->owner, (u64)(s - s->owner->slots)); }

/* ---- pages of blocks that are no more, to be used again: fresh ones must be cleared first */

/* The list of spare blocks of a size. Under lock. */
static Spare **spares_of(u64 size) { return &spares[__builtin_ctzll(size) - BLOCK_LOG2_MIN]; }

static void set_loose(Slot *s, bool now)
{
    loose = loose - s->loose + now;
    s->loose = now;
}

/* Whether the pages of a block may move to another. Under lock. */
static bool may_move(const Slot *s)
{
    return slot_size(s) >= MOVE_MIN && (s->loose || loose < LOOSE_MAX);
}

/* Gives a block's pages back. Under lock. */
static void drop_pages(Slot *s)
{
    if (s->loose) {
        space_renew(slot_place(s), slot_size(s));
    } else {
        space_drop(slot_place(s), slot_size(s));
    }
    set_loose(s, false);
}

/* Keeps a block's pages when there is room for them; else gives them back. Under lock. */
static void keep_pages(Slot *s)
{
    u64 size = slot_size(s);
    Spare **list = spares_of(size), *spare = NULL;
    bool room = spare_bytes + size <= SPARE_MAX && kept + spare_bytes + size <= most();
    if (room && may_move(s)) spare = (Spare *)(void *)space_take(slot_place(s), size);
    if (spare == NULL) {
        drop_pages(s);
        return;
    }
    set_loose(s, false);
    loose++;
    spare->next = *list;
    *list = spare;
    spare_bytes += size;
}

/* Takes a spare block of a size; NULL when there is none. Under lock. */
static u8 *take_spare(u64 size)
{
    Spare **list = spares_of(size), *spare = *list;
    if (spare == NULL) return NULL;
    *list = spare->next;
    spare_bytes -= size;
    loose--;
    return (u8 *)spare;
}

/* Gives spare blocks back until so many bytes more are within the bound. Under lock. */
static void trim_spares(u64 size)
{
    for (u32 i = 0; i < COUNT_OF(spares); i++) {
        u64 block = 1ull << (i + BLOCK_LOG2_MIN);
        for (u8 *at; kept + spare_bytes + size > most() && (at = take_spare(block)) != NULL;)
            space_free(at, block);
    }
}

/* ---- blocks on need */

/* Makes a block BUSY that nobody needs, so that its pages can go. Under lock. */
static bool evict(Slot *s)
{
    u32 unused = STATE_THERE;
    if (!atomic_compare_exchange_strong(&s->word, &unused, STATE_BUSY)) return false;
    list_remove(&s->link);
    kept -= slot_size(s);
    return true;
}

static void make_absent(Slot *s)
{
    atomic_store_explicit(&s->word, STATE_ABSENT, memory_order_relaxed);
}

/* Makes room for a block within the bound, or what all that was looked at allows. The first block
 * of the same size that goes is left BUSY and returned: its pages are used again. Under lock. */
static Slot *make_room(u64 size)
{
    Slot *donor = NULL;
    for (u32 looks = 0; kept + size > most() && looks < EVICT_LOOKS && !list_empty(&there);
         looks++) {
        Slot *s = LIST_ENTRY(there.next, Slot, link);
        u32 word = atomic_fetch_and_explicit(&s->word, ~USED, memory_order_relaxed);
        if (word != STATE_THERE || !evict(s)) {
            list_remove(&s->link);
            list_append(&there, &s->link);
        } else if (donor == NULL && slot_size(s) == size && may_move(s)) {
            donor = s;
        } else {
            drop_pages(s);
            make_absent(s);
        }
    }
    return donor;
}

/* Where the pages of a block that comes are from: another block, a spare one, or nowhere. */
typedef struct {
    Slot *slot;
    u8 *spare;
} Donor;

static Donor find_donor(Slot *s)
{
    u64 size = slot_size(s);
    Donor d = {.slot = make_room(size)};
    if (d.slot != NULL) {
        set_loose(d.slot, false);
    } else {
        d.spare = take_spare(size);
    }
    if (d.slot == NULL && d.spare == NULL) trim_spares(size);
    set_loose(s, d.slot != NULL || d.spare != NULL);
    return d;
}

/* Puts pages under a block that this thread claimed. */
static void place_pages(ImageBlocks *b, u64 i, const Donor *d)
{
    u64 size = b->map.block_size;
    u8 *at = place_of(b, i);
    bool moved = false;
    if (d->slot != NULL) {
        moved = space_move(slot_place(d->slot), at, size);
        if (!moved) space_renew(slot_place(d->slot), size);
    } else if (d->spare != NULL) {
        moved = space_give(d->spare, at, size);
        if (!moved) space_free(d->spare, size);
    }
    if (!moved) space_fill(at, round_up(block_plain_size(&b->map, i), space_page()));
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

static Err was_lost(const char *path)
{
    return fail(E_CORRUPT, "%s: it was cut, or cannot be read, while it is open", path);
}

/* Inflates a block, unless what it is inflated from was lost. */
static Err inflate(const ImageBlocks *b, u64 i, u8 *to)
{
    Err err = block_inflate(&b->map, i, to, b->path);
    return file_map_lost(&b->file) ? was_lost(b->path) : err;
}

/* Inflates a block that this thread claimed. */
static Err bring(ImageBlocks *b, u64 i, const Donor *d)
{
    Slot *s = &b->slots[i];
    place_pages(b, i, d);
    Err err = inflate(b, i, place_of(b, i));
    atomic_fetch_add_explicit(&inflated, 1, memory_order_relaxed);
    pthread_mutex_lock(&lock);
    if (d->slot != NULL) make_absent(d->slot);
    if (err == E_OK) {
        list_append(&there, &s->link);
        atomic_store_explicit(&s->word, STATE_THERE | USED | NEED, memory_order_release);
    } else {
        kept -= slot_size(s);
        keep_pages(s);
        make_absent(s);
    }
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    return err;
}

static Err need_block(ImageBlocks *b, u64 i)
{
    Slot *s = &b->slots[i];
    u64 size = slot_size(s);
    Donor donor = {0};
    Err err = E_OK;
    while (!need_there(s)) {
        pthread_mutex_lock(&lock);
        u32 word = atomic_load_explicit(&s->word, memory_order_relaxed);
        bool claimed = word == STATE_ABSENT;
        if (claimed && kept + whole + size > memory_max()) {
            claimed = false;
            err = no_room(b->path, size);
        } else if (claimed) {
            atomic_store_explicit(&s->word, STATE_BUSY, memory_order_relaxed);
            donor = find_donor(s);
            kept += size;
        } else if (word == STATE_BUSY) {
            pthread_cond_wait(&changed, &lock);
        }
        pthread_mutex_unlock(&lock);
        if (claimed) return bring(b, i, &donor);
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

void image_widen(const Image *m, u64 *from, u64 *to)
{
    u64 first, last;
    if (m->blocks == NULL) return;
    blocks_of(m, *from, *to, &first, &last);
    *from = first * m->blocks->map.block_size;
    *to = MIN(last * m->blocks->map.block_size, m->plain.size);
}

/* Lets go of the block that the reader stands on. */
static void leave(ImageReader *r)
{
    if (r->needed) image_done(r->image, r->from, r->to);
    r->needed = false;
    r->from = r->to = 0;
}

/* Whether a reader came here before and there is room, so that nothing else must go. */
static bool is_worth_keeping(Slot *s)
{
    if (!atomic_exchange_explicit(&s->read, true, memory_order_relaxed)) return false;
    pthread_mutex_lock(&lock);
    bool room = kept + slot_size(s) <= most() && kept + whole + slot_size(s) <= memory_max();
    pthread_mutex_unlock(&lock);
    return room;
}

Err image_reader_move(ImageReader *r, u64 at)
{
    const Image *m = r->image;
    ImageBlocks *b = m->blocks;
    ASSERT(at < m->plain.size);
    if (at >= r->from && at < r->to) return E_OK;
    leave(r);
    if (b == NULL) {
        r->data = m->plain.data;
        r->to = m->plain.size;
        return E_OK;
    }
    u64 i = at / b->map.block_size, from = i * b->map.block_size;
    r->needed = need_there(&b->slots[i]);
    r->data = m->plain.data + from;
    if (!r->needed && is_worth_keeping(&b->slots[i])) {
        Err err = need_block(b, i);
        if (err != E_OK) return err;
        r->needed = true;
    }
    if (!r->needed) {
        if (r->buffer == NULL) r->buffer = malloc(b->map.block_size);
        if (r->buffer == NULL) return fail(E_MEMORY, "%s: no memory to read it", b->path);
        Err err = inflate(b, i, r->buffer);
        if (err != E_OK) return err;
        atomic_fetch_add_explicit(&inflated, 1, memory_order_relaxed);
        r->data = r->buffer;
    }
    r->from = from;
    r->to = from + block_plain_size(&b->map, i);
    return E_OK;
}

void image_reader_close(ImageReader *r)
{
    leave(r);
    free(r->buffer);
    *r = (ImageReader){.image = r->image};
}

/* Bytes of address space: whole blocks, so that pages of any can move to any. */
static u64 space_size(const ImageBlocks *b) { return b->map.count * b->map.block_size; }

static void free_slots(ImageBlocks *b)
{
    pthread_mutex_lock(&lock);
    for (u64 i = 0; b->slots != NULL && i < b->map.count; i++) {
        Slot *s = &b->slots[i];
        while (atomic_load_explicit(&s->word, memory_order_relaxed) == STATE_BUSY)
            pthread_cond_wait(&changed, &lock);
        /* its own needs (the header, an index) end here */
        if (atomic_load_explicit(&s->word, memory_order_relaxed) == STATE_ABSENT) continue;
        list_remove(&s->link);
        kept -= slot_size(s);
        keep_pages(s);
        make_absent(s);
    }
    pthread_mutex_unlock(&lock);
    free(b->slots);
    b->slots = NULL;
}

static void free_blocks(ImageBlocks *b, bool and_space)
{
    if (b == NULL) return;
    free_slots(b);
    if (and_space) space_free(b->space, space_size(b));
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

void image_cache_bound(u64 bytes)
{
    pthread_mutex_lock(&lock);
    bound = bytes;
    trim_spares(0);
    pthread_mutex_unlock(&lock);
}

/* ---- whole images */

static Err bring_whole(void *arg, u64 i)
{
    ImageBlocks *b = arg;
    space_fill(place_of(b, i), round_up(block_plain_size(&b->map, i), space_page()));
    return inflate(b, i, place_of(b, i));
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
    TRY(space_reserve(space_size(b), &b->space));
    m->space = space_size(b);
    if (mode == IMAGE_ON_NEED && b->map.block_size % space_page() == 0) {
        TRY(make_slots(b));
        m->blocks = b;
    } else {
        TRY(inflate_whole(b));
    }
    m->plain = (FileMap){b->space, b->map.size, 0};
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

bool image_lost(const Image *m)
{
    return file_map_lost(m->blocks != NULL ? &m->blocks->file : &m->plain);
}

Err image_intact(const Image *m, const char *path) { return image_lost(m) ? was_lost(path) : E_OK; }

void image_close(Image *m)
{
    if (!m->zipped) {
        file_unmap(&m->plain);
    } else if (m->blocks != NULL) {
        free_blocks(m->blocks, true);
    } else if (m->plain.data != NULL) {
        space_free((u8 *)(uintptr_t)m->plain.data, m->space);
        give_whole(m->plain.size);
    }
    *m = (Image){0};
}
