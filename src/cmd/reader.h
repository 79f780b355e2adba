/*
 * reader: `silt da`: answers queries over the newest view and the live rows after it.
 *
 * The state of the process stands here for those who tell of it (reader_info.h). It belongs to the
 * loop thread.
 */
#ifndef CMD_READER_H
#define CMD_READER_H

#include "base/list.h"
#include "cmd/config.h"
#include "cmd/options.h"
#include "cmd/plain_base.h"
#include "os/loop.h"
#include "query/run.h"
#include "serve/server.h"
#include "stream/tail.h"

/* Why a newer view is not open: the old one is served meanwhile. */
typedef struct {
    Err err; /* E_OK = the newest view is open */
    char text[FAIL_TEXT_MAX];
    i64 since, tried; /* wall time of the first try that failed; monotonic time of the last one */
    u64 tries;        /* that failed, of all views */
} ReaderStale;

/* A loaded domain. Queries on worker threads read it, so it is replaced, not grown, while one
 * runs. */
typedef struct {
    Domain domain;
    u32 uses; /* queries, and the reader itself */
} ReaderDomain;

typedef struct {
    OptionsCommon options;
    const char *instance, *host;
    Config config;
    const ConfigDap *dap;
    Loop *loop;
    Server *server;
    Root root;
    ViewCache cache;
    View *view;
    ReaderDomain *domain;
    Live *live;
    Tail tail;
    WalRecord held; /* read from the stream, but there was no memory for it yet */
    bool holding;
    bool tailing, ready;
    u64 target; /* durable position at start: ready when reached */
    QuerySource source;
    const char *folder; /* of a database that nobody manages; NULL = an assembly's */
    PlainBase *plain;   /* the same, open */
    ConfigDap own;      /* where that is served */
    LoopTimer timer;
    i64 looked;      /* monotonic time of the last look at `current` */
    Scrub damage;    /* what the scrub has found, */
    i64 damage_read; /* and when that was read (monotonic) */
    u32 running, threads;
    List queue, active; /* queries that wait; that run */
    u32 queued;
    i64 started;
    u64 requests, failed, reloads;
    ReaderStale stale;
    f64 request_seconds;
    u64 early; /* requests to end the interval early */
    bool asking;
    Err early_err;
    Err fatal;
} Reader;

/* `silt da ASSEMBLY|DIR [--instance NAME]`; runs until a signal ends it; the exit status. */
int reader_main(int argc, char **argv);

#endif
