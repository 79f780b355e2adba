/*
 * kload: a second opinion on a database folder, by someone who knows only kdb+'s file formats.
 *
 * Nothing of the product is used. Loads what a q session would: `sym`, the partitions (or those of
 * par.txt), and of each partition every column of every splayed table. Rows of the table `trade`
 * with the columns time, sym, price, size and note are handed out.
 */
#ifndef CRASH_KLOAD_H
#define CRASH_KLOAD_H

#include <stdint.h>

typedef struct {
    int64_t number; /* its column `size` */
    int64_t time;
    double price;
    const char *sym;
    const char *note;
    uint64_t note_size;
} KloadRow;

/* Loads the database at `path` (a link is followed) and calls `row` for each row of `trade`; the
 * number of partitions, or -1 with a text in kload_why. */
int64_t kload(const char *path, void (*row)(void *arg, const KloadRow *r), void *arg);

/* Why the last call failed. */
const char *kload_why(void);

#endif
