/*
 * splay: a splayed table: a folder with `.d` and one file (or two) a column (kdb-files.md 8.1).
 *
 * SplayOut writes one from rows in their final order; files are synced together at the end, then
 * the folder. Splay opens one for reading, column by column on demand.
 */
#ifndef TABLE_SPLAY_H
#define TABLE_SPLAY_H

#include "column/column.h"
#include "column/domain.h"
#include "q/sort.h"
#include "table/batch.h"
#include "table/schema.h"

/* One table folder being written. Folder and files must not exist. */
typedef struct {
    const Schema *schema;
    Place place;
    char *path;       /* the folder */
    ColumnOut **cols; /* schema->column_count */
    u64 rows;
    u64 bytes;     /* after splay_out_finish */
    SumList *list; /* where checksums go, or NULL */
    Sum *sums;
    bool zipped;
} SplayOut;

/* Makes the folder and opens every column with the attributes of `place`. */
MUST_USE Err splay_out_open(SplayOut *out, const char *path, const Schema *s, Place place,
                            u64 rows_hint);

/* Asks for the checksums of all files: splay_out_finish adds them to `list` (borrowed) as
 * `<table>/<file>`. Before splay_out_codec and the first row. */
MUST_USE Err splay_out_sums(SplayOut *out, SumList *list);

/* Compresses every column; before the first row. `.d` stays plain, as kdb+ leaves it. E_USAGE names
 * what is wrong. */
MUST_USE Err splay_out_codec(SplayOut *out, const CodecChoice *codec);

/* Appends the rows perm[0..count) of a batch (NULL = rows 0..count in order). Symbols through
 * domain->indices, which must cover them. Columns, and blocks to compress, in parallel when there
 * is enough to do. */
MUST_USE Err splay_out_batch(SplayOut *out, const Batch *b, const u32 *perm, u64 count,
                             const Domain *d);

/* For those who append to out->cols themselves: compresses blocks that wait, of all columns and by
 * all cores, when there are enough of them. To be called after at most 512 KiB a column. */
MUST_USE Err splay_out_deflate(SplayOut *out);

/* Writes `.d`, finishes and syncs all files (write all, then sync all), then the folder itself. The
 * folder's name is durable only after the caller synced its parent. */
MUST_USE Err splay_out_finish(SplayOut *out);

/* What is made durable together with tables: files that `write` makes once the checksums of all
 * tables are known (it leaves them open in files[0..file_count)), and folders. */
typedef struct {
    u32 file_count, folder_count;
    const char *const *folders;
    Err (*write)(void *arg, File *files);
    void *arg;
} SplayMore;

/* The same for several tables at once: all files of all of them are written before the first is
 * synced, so that tables of one part cost little more than one. On failure all are given up.
 * `more` (NULL = nothing) is synced in the same go. */
MUST_USE Err splay_out_finish_all(SplayOut *const *outs, u64 count, const SplayMore *more);

/* Gives up on a failure path; idempotent. */
void splay_out_drop(SplayOut *out);

/* The sort keys of a batch for a place (schema->sort_count[place] of them): ranks are made for
 * symbol columns, in the arena. Then sort_order gives the permutation. */
MUST_USE Err splay_sort_keys(const Batch *b, Place place, Arena *a, SortKey **keys, u64 *count);

/* An open table folder. Columns are mapped at the first splay_column and stay until splay_close.
 * Not thread-safe per Splay: the plan opens columns before the parts are scanned. */
typedef struct {
    char *path;
    u32 column_count;
    char **names; /* as `.d` lists them */
    Column *cols; /* opened[i] tells which are mapped */
    bool *opened;
    bool on_need;
} Splay;

/* Reads `.d`. */
MUST_USE Err splay_open(Splay *s, const char *path);

/* Lets compressed columns opened from now on be inflated on need (column_need) and not as a
 * whole. */
void splay_on_need(Splay *s);

/* The column of a name: mapped at first use. E_NOT_FOUND when the table has none, E_CORRUPT when
 * its rows differ from `rows` (~0 = do not compare). */
MUST_USE Err splay_column(Splay *s, const char *name, u64 rows, const Column **c);

/* E_CORRUPT naming a mapped column whose bytes were lost since it was opened (os/guard). */
MUST_USE Err splay_intact(const Splay *s);

/* Unmaps everything; idempotent. */
void splay_close(Splay *s);

/* Reads a `.d` or other symbol list file (kdb-files.md 3.2), compressed or not: the names to the
 * end of the file. */
MUST_USE Err splay_read_names(const char *path, Arena *a, char ***names, u32 *count);

#endif
