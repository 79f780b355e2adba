/*
 * header: the first bytes of a column file (kdb-files.md 2.1, 4.1, 4.2, 6.2), both ways. Private to
 * column/.
 */
#ifndef COLUMN_HEADER_H
#define COLUMN_HEADER_H

#include "base/fail.h"
#include "base/types.h"

#define HEADER_PLAIN_SIZE 16   /* a plain vector: `fe 20` */
#define HEADER_PAGE_SIZE  4096 /* a 64-bit enumeration, an anymap or its heap: `fd 20` */
#define HEADER_ENUM_SIZE  24   /* a 32-bit enumeration with a short domain name */
#define HEADER_NAME_MAX   255  /* bytes of a domain's name: it is that of a file */
#define HEADER_SHORT_NAME 6    /* bytes of a domain's name in HEADER_ENUM_SIZE bytes */

typedef enum {
    HEADER_PLAIN,  /* fe 20: a vector of fixed width; fd 20 .. fd 00 02: guids with an attribute */
    HEADER_OLD,    /* fe 20 with type 77 + t: counts into the companion, before kdb+ 3.6 */
    HEADER_ENUM32, /* fe + domain name: 32-bit indices */
    HEADER_ENUM64, /* fd 20 .. fd 00 14: 64-bit indices */
    HEADER_ANYMAP, /* fd 20 .. fd 01 4d: references into the heap file */
    HEADER_EMPTY,  /* ff 01 00 00 00000000: a list column without rows */
} HeaderForm;

typedef struct {
    HeaderForm form;
    int type;    /* QT_* of the elements; QT_NESTED + t of old lists, QT_NESTED for an anymap,
                    QT_LIST when empty */
    u8 attr;     /* 0..4 */
    u32 width;   /* bytes of one element or reference */
    u64 data_at; /* where the elements begin */
    u64 rows;    /* by the file's size for attribute 0 and 1, else by its count (2.3) */
    char domain[HEADER_NAME_MAX + 1]; /* enumerations: the domain's name */
} Header;

/* Reads the header of a whole file image of `size` bytes, of which the first HEADER_PAGE_SIZE must
 * be readable; `path` is for error texts. E_CORRUPT names the rule that is broken, E_UNSUPPORTED
 * the form that is no column. */
MUST_USE Err header_decode(const u8 *data, u64 size, const char *path, Header *h);

/* Checks the header page of an anymap's heap. */
MUST_USE Err header_check_heap(const u8 *data, u64 size, const char *path);

/* Fills the header of a 32-bit enumeration; the name has at most HEADER_SHORT_NAME bytes. */
void header_enum32(u8 out[HEADER_ENUM_SIZE], const char *domain, int attr, u64 count);

/* Fills the 16 bytes of a plain vector. */
void header_plain(u8 out[HEADER_PLAIN_SIZE], int type, int attr, u64 count);

/* Fills the page of a 64-bit enumeration (domain, inner `fd 00 14`), an anymap ("", `fd 01 4d`) or
 * a heap
 * ("", `fd 00 04`). The name must be shorter than 4064 bytes. */
void header_page(u8 out[HEADER_PAGE_SIZE], const char *domain, u8 tag, int type, int attr,
                 u64 count);

#endif
