/*
 * metric: counters and gauges as OpenMetrics text.
 *
 * Metrics stand in one array sorted by (name, labels), so that printing groups a family without
 * work. Counters are printed with the suffix _total, as the format wants. Loop thread only.
 */
#include "serve/metric.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

#define METRIC_COUNT_MAX   4096
#define METRIC_COLLECT_MAX 16

struct Metric {
    const char *name, *labels, *help;
    MetricKind kind;
    f64 value;
};

static struct {
    Arena memory;
    Metric *all[METRIC_COUNT_MAX];
    u32 count;

    struct {
        void (*collect)(void *arg);
        void *arg;
    } collectors[METRIC_COLLECT_MAX];

    u32 collector_count;
    Metric overflow; /* what does not fit is counted into nothing */
} metrics;

/* Where (name, labels) stands or belongs. */
static u32 find_place(const char *name, const char *labels, bool *found)
{
    u32 low = 0, high = metrics.count;
    *found = false;
    while (low < high) {
        u32 mid = low + (high - low) / 2;
        int c = strcmp(metrics.all[mid]->name, name);
        if (c == 0) c = strcmp(metrics.all[mid]->labels, labels);
        if (c == 0) {
            *found = true;
            return mid;
        }
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

Metric *metric_get(MetricKind kind, const char *name, const char *labels, const char *help)
{
    bool found = false;
    u32 at = find_place(name, labels, &found);
    if (found) return metrics.all[at];
    if (metrics.count == METRIC_COUNT_MAX) return &metrics.overflow;
    Metric *m = arena_new(&metrics.memory, Metric);
    m->name = arena_text(&metrics.memory, name, strlen(name));
    m->labels = arena_text(&metrics.memory, labels, strlen(labels));
    m->help = arena_text(&metrics.memory, help, strlen(help));
    m->kind = kind;
    memmove(&metrics.all[at + 1], &metrics.all[at], (metrics.count - at) * sizeof(Metric *));
    metrics.all[at] = m;
    metrics.count++;
    return m;
}

void metric_add(Metric *m, f64 by) { m->value += by; }

void metric_set(Metric *m, f64 value) { m->value = value; }

void metric_collect(void (*collect)(void *arg), void *arg)
{
    ASSERT(metrics.collector_count < METRIC_COLLECT_MAX);
    metrics.collectors[metrics.collector_count].collect = collect;
    metrics.collectors[metrics.collector_count++].arg = arg;
}

static Err write_one(Buf *out, const Metric *m, bool first)
{
    Err err = E_OK;
    bool whole = m->value == floor(m->value) && fabs(m->value) < 1e15;
    const char *type = m->kind == METRIC_COUNTER ? "counter" : "gauge";
    if (first)
        TRY(buf_format(out, "# TYPE %s %s\n# HELP %s %s\n", m->name, type, m->name, m->help));
    TRY(buf_format(out, "%s%s", m->name, m->kind == METRIC_COUNTER ? "_total" : ""));
    if (m->labels[0] != 0) TRY(buf_format(out, "{%s}", m->labels));
    TRY(whole ? buf_format(out, " %.0f\n", m->value) : buf_format(out, " %.9g\n", m->value));
done:
    return err;
}

Err metric_write(Buf *out)
{
    Err err = E_OK;
    for (u32 i = 0; i < metrics.collector_count; i++)
        metrics.collectors[i].collect(metrics.collectors[i].arg);
    for (u32 i = 0; i < metrics.count; i++)
        TRY(write_one(out, metrics.all[i],
                      i == 0 || strcmp(metrics.all[i]->name, metrics.all[i - 1]->name) != 0));
    TRY(buf_text(out, "# EOF\n"));
done:
    return err;
}
