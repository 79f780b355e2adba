/*
 * kit: what the benchmarks share: clocks, rows from a seed, an assembly in a folder of its own,
 * real processes, a client that keeps many requests in flight, and the machine's own limits.
 *
 * A benchmark measures its reference in the same run, as near in time as it can, and prints figure,
 * reference and ratio: a machine drifts, a ratio holds. Whatever fails ends the program with its
 * text and status 1.
 */
#ifndef KIT_H
#define KIT_H

#include "base/buf.h"
#include "base/prng.h"
#include "cmd/config.h"
#include "db/publish.h"
#include "q/type.h"
#include "serve/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ends the program when a call fails. */
#define KIT_OK(call)                                                                               \
    do {                                                                                           \
        if ((call) != E_OK) kit_die("%s:%d: %s", __FILE__, __LINE__, fail_text());                 \
    } while (0)

#define KIT_COLUMNS_MAX 10
#define KIT_DAY         8900 /* 2024.05.14, the day on which everything happens */

_Noreturn void kit_die(const char *format, ...) PRINTF(1, 2);

/* ---- figures */

/* Monotonic seconds. */
f64 kit_now(void);

/* Seconds of processor that this process has used: for work that waits for nothing. */
f64 kit_now_cpu(void);

/* Sorts and returns the value below which a share of all lies. */
f64 kit_percentile(f64 *values, u64 count, f64 share);

/* A heading with the machine's state; then a line for each figure: `figure unit`, beside
 * `reference unit` with its name, and their quotient. A negative reference is left out. */
void kit_title(const char *name, const char *text);
void kit_line(const char *what, f64 figure, const char *unit, const char *reference_name,
              f64 reference, f64 ratio);
void kit_note(const char *format, ...) PRINTF(1, 2);

/* A whole number from the environment, to shorten a run. */
u64 kit_size(const char *name, u64 otherwise);

/* ---- rows */

/* A table: columns in order; the first is its time, `sym` is parted, and rows are sorted by
 * both. */
typedef struct {
    const char *name;
    u32 count;
    const char *columns[KIT_COLUMNS_MAX];
    int types[KIT_COLUMNS_MAX];
} KitTable;

/* trade (6 columns, 41 bytes a row), quote (4 columns, 32 bytes), and wide0...wide2 (8 columns, 61
 * bytes). */
extern const KitTable kit_trade, kit_quote, kit_wide[3];

/* Bytes of a row as it lies on disk. */
u64 kit_row_bytes(const KitTable *t);

/* Where rows come from: times ascend, symbols follow Zipf's law. */
typedef struct {
    Prng prng;
    u32 symbols;
    u32 *zipf; /* 65,536 draws by weight */
    char (*names)[8];
    i64 time, step; /* of the next row; between two rows */
} KitFeed;

void kit_feed_open(KitFeed *f, u64 seed, u32 symbols, i64 time, i64 step);
void kit_feed_close(KitFeed *f);

/* Appends one synchronous message (`upd; table; columns), or with one row the row as atoms. */
void kit_message(Buf *b, const KitTable *t, KitFeed *f, u32 rows);

/* ---- folders, processes */

typedef struct {
    char dir[256], idb[300], hdb[300], yaml[300];
    u16 sm_port, da_port;
    int sm, da; /* processes, 0 = not running */
} KitSystem;

/* A folder below $TMPDIR (else /var/tmp) with an assembly of these tables. Intervals end only when
 * they are asked to. The folder goes when the program ends. */
void kit_system_make(KitSystem *s, const KitTable *const *tables, u32 count, const char *sm_keys);

/* Starts and stops `silt sm` and `silt da`. */
void kit_sm_start(KitSystem *s);
void kit_da_start(KitSystem *s);
void kit_system_stop(KitSystem *s);
void kit_stop(int *pid);

/* The process of the manager's worker of a name. */
int kit_worker(const KitSystem *s, const char *name);

/* Seconds of processor that a process has used. */
f64 kit_cpu(int pid);

/* Anonymous resident bytes of a process; its high-water mark is taken by a thread that looks every
 * few milliseconds. */
u64 kit_memory(int pid);

typedef struct KitWatch KitWatch;

/* Watches processes until kit_watch_end, which gives the highest figure of each. */
KitWatch *kit_watch(const int *pids, u32 count);
void kit_watch_end(KitWatch *w, u64 *highest);

/* A call with at most one argument; the answer lives in the arena. */
Value kit_call(Client *c, const char *function, const Value *argument, Arena *a);

/* The database in this process: claimed, opened, with a domain. */
typedef struct {
    Config config;
    Root root;
    ViewCache cache;
    Publish publish;
} KitDb;

void kit_db_open(KitDb *db, const KitSystem *s);
void kit_db_close(KitDb *db);

/* ---- many requests in flight */

/* Sends messages[i % count] over `conns` connections, `flight` in flight on each, for a time; or,
 * when `seconds` is 0, each once and in order over one. Returns how many were acknowledged, and the
 * time it took. */
u64 kit_pump(u16 port, u32 conns, u32 flight, const Buf *messages, u32 count, f64 seconds,
             f64 *took);

/* ---- the machine */

/* Synced appends of 4 KiB a second, into a file that was written before. */
f64 kit_fdatasyncs(const char *dir);

/* Bytes a second of a sequential write of `size` bytes, synced at the end. */
f64 kit_write_rate(const char *dir, u64 size, bool direct);

/* Copies a folder with cp, then syncs every file and folder of the copy; bytes go to *bytes. The
 * source is read before, so that it lies in the page cache. */
f64 kit_copy(const char *from, const char *to, u64 *bytes);

/* Removes a folder and all below it. */
void kit_remove(const char *path);

#endif
