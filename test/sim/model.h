/*
 * model: what was published and what became of it: the truth that answers are compared with.
 *
 * A row is known by its id; everything else in it follows from the id, but for its time. A batch is
 * one message. It is acknowledged (then each of its good rows is there exactly once, for ever), or
 * under way, or nobody knows (its answer was lost); then it is there whole or not at all, and once
 * it was seen, or missed by a reader of a recovered manager's stream, it stays so.
 */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include "base/arena.h"
#include "q/value.h"

enum { MODEL_TRADE, MODEL_NOTE, MODEL_TABLES };

typedef enum {
    BATCH_WAITING, /* sent or to be sent again */
    BATCH_ACKED,
    BATCH_UNKNOWN, /* the answer never came, and it is not sent again */
    BATCH_THERE,   /* unknown, but seen */
    BATCH_ABSENT   /* refused, or not there after a recovery */
} BatchState;

typedef struct {
    i64 time;
    u32 batch;
    bool bad; /* its time is one that is put into quarantine */
    u32 seen; /* number of the look that saw it last */
} ModelRow;

typedef struct {
    u32 table;
    u64 first, count; /* its rows' ids */
    BatchState state;
    u64 position;  /* end of its record, 0 = not known */
    u64 life;      /* of the manager that had it last */
    u64 sequence;  /* of its publisher; 0 = published without */
    u64 found;     /* rows of it in the answer that is looked at */
    u64 expected;  /* rows of it that the question asks for */
    bool imported; /* there before the first manager: in every view */
} ModelBatch;

/* The names of tables. */
extern const char *const MODEL_NAMES[MODEL_TABLES];

/* A batch of `count` rows with these times; `bad` marks those that will be refused by their
 * time. */
u32 model_add(u32 table, const i64 *times, const bool *bad, u64 count);

ModelBatch *model_batch(u32 i);
u32 model_batches(void);
ModelRow *model_row(u64 id);
u64 model_rows(void);

/* The rows of a batch as a q table, in the arena. */
Value model_value(u32 batch, Arena *a);

/* What a row holds beside time and id. */
void model_sym(u64 id, char out[16]);
f64 model_price(u64 id);
u64 model_text(u64 id, char out[256]);

/* A look at rows: begin, tell each row, end. `table` limits it to one table (~0 = all). */
void model_look_begin(void);

/* A row is there. Ends the run with a failure when it was not published, is bad, or is there twice;
 * `who` tells whose answer it is. */
void model_look_row(const char *who, u32 table, i64 id, i64 time);

/* Ends the run with a failure: printed with seed and step, status 1. */
_Noreturn void model_wrong(const char *format, ...) PRINTF(1, 2);

/* Sets what model_wrong prints first. */
void model_title(const char *title);

#endif
