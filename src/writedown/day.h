/*
 * day: the EOD job: interval parts and what late rows join become sorted date parts
 * (storage-manager.md 7).
 *
 * day_plan is pure: it groups the interval parts of a view (up to an EOI number) by day, with the
 * date part that is there. day_stage writes each new date part in its new folder (every table in
 * it), parallel over date, table and column as eodPeachLevel says, memory within bounds, and syncs.
 * A run whose order differs from the target's is sorted first into the spill folder, in pieces that
 * fit the bound, which are then merged.
 */
#ifndef WRITEDOWN_DAY_H
#define WRITEDOWN_DAY_H

#include "column/domain.h"
#include "db/view.h"
#include "table/schema.h"
#include "writedown/job.h"

/* One source of one day's rows. */
typedef struct {
    const Part *part;
    bool whole; /* all of its rows are of the day; else the slice of that day in each table */
} DaySource;

typedef struct {
    i32 day;
    const Part *existing; /* its date part now, or NULL */
    u32 source_count;
    DaySource *sources; /* by interval number */
} DayDate;

typedef struct {
    u64 eod;
    u64 made; /* number of the view that will publish it: names the new folders */
    u32 date_count;
    DayDate *dates; /* ascending */
    u32 taken_count;
    const Part **taken; /* interval parts that the commit removes */
    const Part *model;  /* the newest date part, whose other tables all new ones have; or NULL */
} DayPlan;

typedef struct {
    const Root *root;
    const SchemaSet *tables;
    const Domain *domain;
    u64 memory_max;
    u64 chunk_rows;
    f64 sort_limit_gb;
    bool by_part, by_table, by_column;
    int threads;
    void (*progress)(void *arg, u64 rows_done, u64 rows_all); /* may be NULL */
    void *arg;
} DayOptions;

/* What the day job of a view consists of: interval parts made by EOI numbers <= eoi. In the
 * arena. */
MUST_USE Err day_plan(const View *v, u64 eoi, u64 eod, u64 made, Arena *a, DayPlan *plan);

/* The folders it will create, for the stage file. */
MUST_USE Err day_paths(const DayPlan *plan, const Root *root, Arena *a, const char ***paths,
                       u32 *count);

/* Stages; on failure removes what it made. */
MUST_USE Err day_stage(const DayPlan *plan, const DayOptions *o, Arena *a, JobResult *result);

#endif
