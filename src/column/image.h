/*
 * image: the plain bytes of a file, compressed or not, at one address for as long as it is open.
 *
 * An ordinary file is mapped. A compressed one gets address space of its plain size; how its blocks
 * come there is decided when it is opened:
 *
 *     IMAGE_WHOLE     all blocks are inflated at once, by all cores. Memory stays until
 * image_close. IMAGE_ON_NEED   none are. Bytes are good between image_need and image_done for them;
 * blocks that nobody needs stay for the next one, the least recently used of all open images go
 * when their bytes pass image_cache_bound.
 *
 * image_need and image_done may be called by any thread, also for the same bytes; all else belongs
 * to one thread at a time. For ordinary and whole images they cost one branch.
 */
#ifndef COLUMN_IMAGE_H
#define COLUMN_IMAGE_H

#include "base/fail.h"
#include "os/file.h"

typedef enum { IMAGE_WHOLE, IMAGE_ON_NEED } ImageMode;

typedef struct ImageBlocks ImageBlocks;

typedef struct {
    FileMap plain;       /* the plain bytes; the file's own mapping when it is not compressed */
    u64 stored;          /* bytes of the file */
    u8 codec;            /* 0 when it is not compressed, else CODEC_* asked for (see `zipped`) */
    bool zipped;         /* the file is a compressed container */
    u64 space;           /* bytes of address space that an inflated one has */
    ImageBlocks *blocks; /* on need: the blocks and who needs them; else NULL */
} Image;

/* Opens a file's bytes. E_NOT_FOUND, E_CORRUPT (a damaged container), E_UNSUPPORTED (an encrypted
 * one), E_LIMIT when a whole image would take more memory than the process may use. */
MUST_USE Err image_open(Image *m, const char *path, ImageMode mode);

/* Whether bytes of the file were lost since it was opened (os/guard): what was read must not be
 * used. */
bool image_lost(const Image *m);

/* E_CORRUPT naming the file when they were. */
MUST_USE Err image_intact(const Image *m, const char *path);

/* Unmaps and frees; nobody may need bytes of it. Idempotent. */
void image_close(Image *m);

/* Whether bytes are good only between image_need and image_done. */
static inline bool image_on_need(const Image *m) { return m->blocks != NULL; }

/* Makes [from, to) readable until image_done of the same range; both ends are cut to the image.
 * Nothing is held on failure: E_CORRUPT names the block, E_LIMIT when all memory for inflated
 * blocks is needed at once. */
MUST_USE Err image_need(const Image *m, u64 from, u64 to);

/* The bytes of the blocks that hold [*from, *to), cut to the image; the same for images that are
 * not on need. For those who ask for many small ranges and need each block once. */
void image_widen(const Image *m, u64 *from, u64 *to);

/* Ends a need for the same range. */
void image_done(const Image *m, u64 from, u64 to);

/* Goes through an image front to back, block by block, each into one buffer of its own unless it is
 * in memory anyway; that is cheaper than image_need, as no pages come and go. A reader pushes no
 * block out that others may use again: it leaves those behind that are read for the second time,
 * and only while the bound has room. One thread. A zeroed one with `image` set is ready. */
typedef struct {
    const Image *image;
    const u8 *data; /* the bytes [from, to) of the image, which hold the place asked for */
    u64 from, to;
    u8 *buffer;
    bool needed;
} ImageReader;

/* Moves to the block that holds a byte (of an image that is not on need: all of it); what was read
 * before is no longer good. E_CORRUPT names the damaged block. */
MUST_USE Err image_reader_move(ImageReader *r, u64 at);

/* Frees the buffer; idempotent. */
void image_reader_close(ImageReader *r);

/* Sets how many bytes of inflated blocks stay in memory that nobody needs; 0 = an eighth of what
 * the process may use, which is also the state at start. */
void image_cache_bound(u64 bytes);

/* Bytes of inflated blocks now: kept or needed by images on need (whole blocks), and of whole
 * images. */
void image_memory(u64 *on_need, u64 *whole);

/* How many blocks were inflated on need since the process began. */
u64 image_inflated(void);

#endif
