/*
 * par: the text of `par.txt`, which makes a kdb+ database segmented (kdb-files.md 8.1, 8.4): each
 * line is the path of a folder of partitions, or the address of an object store. Pure.
 */
#ifndef DB_PAR_H
#define DB_PAR_H

#include "base/arena.h"
#include "base/fail.h"
#include "base/str.h"

#define PAR_LINES_MAX 4096
#define PAR_SIZE_MAX  (4ull << 20) /* bytes of the file */

typedef struct {
    const char *path; /* zero-ended, without blanks at its end and without slashes there */
    u32 number;       /* of the line, from 1 */
    bool blanks;      /* it ends with blanks or a carriage return, which are taken off */
    bool slash;       /* it ends with a slash, which is taken off */
    bool store;       /* an address as s3://bucket/db, not a path */
    bool again;       /* an earlier line says the same */
} ParLine;

/* Takes the text apart; the lines stand in the arena, empty ones are left out and counted in
 * *empty. E_CORRUPT for a line with a NUL, E_LIMIT for too many lines or a path that is too long;
 * `file` is for error texts. */
MUST_USE Err par_parse(Str text, const char *file, Arena *a, ParLine **lines, u32 *count,
                       u32 *empty);

#endif
