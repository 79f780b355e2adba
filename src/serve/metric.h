/*
 * metric: one table of counters and gauges, printed as OpenMetrics text (storage-manager.md 25).
 *
 * Loop thread only. A metric is a name, a help text, a kind and any number of label sets.
 */
#ifndef SERVE_METRIC_H
#define SERVE_METRIC_H

#include "base/buf.h"
#include "base/fail.h"

typedef enum { METRIC_COUNTER, METRIC_GAUGE } MetricKind;

typedef struct Metric Metric;

/* Makes (or finds) a metric; `labels` is "" or `table="trade"` (already escaped). Names are kept;
 * valid for ever. */
Metric *metric_get(MetricKind kind, const char *name, const char *labels, const char *help);

/* Adds to a counter; sets a gauge. */
void metric_add(Metric *m, f64 by);
void metric_set(Metric *m, f64 value);

/* Called before every print, to fill gauges. At most 16. */
void metric_collect(void (*collect)(void *arg), void *arg);

/* Appends all metrics as OpenMetrics text, grouped by name, ended by `# EOF`. */
MUST_USE Err metric_write(Buf *out);

#endif
