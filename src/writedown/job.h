/*
 * job: the one shape of a writedown: plan (pure), stage (a worker), publish (the manager), sweep
 * (the manager).
 *
 * A worker hands over what it staged as a JobResult; over the wire it is a q dictionary
 * (job_encode/job_decode), so that any q session could have done it. The manager checks it against
 * its own view before it publishes.
 */
#ifndef WRITEDOWN_JOB_H
#define WRITEDOWN_JOB_H

#include "base/buf.h"
#include "db/view.h"
#include "q/value.h"

/* What a worker has staged and synced. */
typedef struct {
    u64 seq;       /* EOI or EOD sequence number */
    u64 watermark; /* EOI: end of the interval's record */
    u64 sym_size;  /* EOI: durable length of the domain; EOD: 0 */
    u32 sym_crc;   /* EOI: CRC-32C of so many bytes of it */
    u32 part_count;
    Part *parts;
    u64 rows, bytes;
    i64 ns; /* from signal to staged */
} JobResult;

/* The interval's signal, the `_prtnEnd` record (O-16): signal eoi, eod or eod-partial. */
typedef struct {
    u64 seq;        /* EOI number */
    u64 eod;        /* EOD number, 0 = none */
    i32 day;        /* the day the interval is filed under */
    i64 start, end; /* wall time of the interval */
    bool partial;   /* a manual EOD */
} JobSignal;

/* Appends the body of a `_prtnEnd` record; reads it back (E_CORRUPT). */
MUST_USE Err job_encode_signal(Buf *b, const JobSignal *s);
MUST_USE Err job_decode_signal(const u8 *body, u64 size, JobSignal *s);

/* A result as a dictionary value in the arena, and back (everything checked; texts borrowed from
 * the value). */
MUST_USE Err job_result_value(const JobResult *r, Arena *a, Value *v);
MUST_USE Err job_result_parse(const Value *v, Arena *a, JobResult *r);

#endif
