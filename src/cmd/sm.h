/*
 * sm: the manager: owns the stream, the views and the one link `current`; starts the workers.
 *
 * The struct is shared by the files that make up the manager: sm (start, stop, children), intake
 * (publishing), signals (intervals and days), status (what it tells). One loop thread owns it;
 * nothing here is locked.
 */
#ifndef CMD_SM_H
#define CMD_SM_H

#include "base/bounds.h"
#include "cmd/config.h"
#include "cmd/options.h"
#include "db/publish.h"
#include "db/sweep.h"
#include "os/loop.h"
#include "serve/server.h"
#include "stream/feed.h"
#include "writedown/job.h"
#include "writedown/schedule.h"

#define SM_SIGNALS_MAX  16   /* intervals signalled and not yet committed */
#define SM_REQUESTS_MAX 64   /* day requests remembered */
#define SM_CLIENTS_MAX  1024 /* registered clients */

enum { SM_EOI, SM_EOD, SM_DBM, SM_SCRUB, SM_WORKERS };

/* A child process. */
typedef struct {
    const char *name;
    int pid; /* 0 = not running */
    u32 restarts;
    i64 started;  /* monotonic */
    u64 delay_ms; /* before the next start */
    LoopTimer timer;
    Call *waiting; /* its request for work, answered when there is some */
    u64 work;      /* processor time at the last look */
    u32 idle_looks;
    struct Sm *sm;
} SmWorker;

/* An interval's signal that is in the stream and not yet committed. */
typedef struct {
    JobSignal signal;
    u64 end;       /* watermark */
    i64 signalled; /* monotonic */
} SmSignal;

/* A day request (storage-manager.md 7). */
typedef enum { SM_PENDING, SM_QUEUED, SM_PROCESSING, SM_COMPLETED } SmState;

typedef struct {
    u64 seq;
    u64 eoi; /* its interval */
    i32 day;
    SmState state;
    i64 began; /* monotonic, of processing */
    u64 rows, bytes;
    i64 ns;
} SmRequest;

/* A client that asked for reload news (storage-manager.md 10). */
typedef struct {
    void *conn;
    char mount[BOUND_NAME_MAX + 1];
    char callback[BOUND_NAME_MAX + 1];
    i64 timeout_ns; /* 0 = does not acknowledge */
    u64 owed;       /* view it has not yet acknowledged, 0 = none */
    i64 owed_since; /* monotonic */
} SmClient;

typedef struct Sm {
    OptionsCommon options;
    Config config;
    Loop *loop;
    Server *server;
    Root root;
    ViewCache cache;
    Publish publish;
    Wal *wal;
    Feed *feed;
    bool stopping;
    Err fatal;
    i64 started;
    /* intake */
    Call **acks; /* calls that wait for the next sync */
    u32 ack_count, ack_room;
    /* signals */
    ScheduleSettings settings;
    ScheduleState schedule;
    LoopTimer signal_timer;
    bool refused;    /* the last signal could not be published */
    i64 skipped_due; /* boundary that was skipped last */
    u64 eoi_next, eod_next;
    SmSignal signals[SM_SIGNALS_MAX];
    u32 signal_count;
    SmRequest requests[SM_REQUESTS_MAX];
    u32 request_count;
    Call *eoi_calls[SM_SIGNALS_MAX]; /* `silt eoi` that wait for the commit of the signal at the
                                        same place */
    u64 eois, eods, skipped;
    f64 last_eoi_s, last_commit_s, last_eod_s;
    u64 last_eoi_rows, last_eod_rows;
    /* children */
    SmWorker workers[SM_WORKERS];
    LoopTimer watch_timer;
    u64 relief_oldest; /* where the log began at the last early interval, */
    u32 relief_vain;   /* early intervals in a row that let nothing of it go, */
    u32 relief_pause;  /* looks until the next one */
    u32 hang_looks;    /* so many looks without any work done end a worker */
    /* sweep */
    Sweep sweep;
    bool sweeping, sweep_again;
    /* clients */
    SmClient clients[SM_CLIENTS_MAX];
    u32 client_count;
} Sm;

/* Runs the manager until a signal ends it; the exit status. */
int sm_main(int argc, char **argv);

/* Ends the process after an error that leaves no way on (a failed sync, a failed commit after the
 * rename). */
void sm_fatal(Sm *sm, Err err);

/* Starts the sweep of views that nobody holds, on a worker thread; again later when one runs. */
void sm_sweep(Sm *sm);

/* Tells registered clients of a new view. */
void sm_tell(Sm *sm);

#endif
