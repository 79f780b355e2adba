/*
 * job: signals and results of writedown jobs as q values (storage-manager.md 4.4, 5, O-16).
 *
 * Signal: the three columns of a `_prtnEnd` row as a general list: signal (symbol: eoi, eod,
 * eod-partial), endTS (timestamp), opts (dictionary: seq, eodSeq, date, soiTS, intv). Result: a
 * dictionary; its parts are a list of dictionaries, whose tables are lists of dictionaries. What
 * comes back from a worker is checked like any stranger's message.
 */
#include "writedown/job.h"

#include "base/bounds.h"
#include "q/wire.h"

Err job_encode_signal(Buf *b, const JobSignal *s)
{
    Arena a = {0};
    Value opts = value_dict(&a, 5);
    value_put(&opts, "seq", value_long((i64)s->seq));
    value_put(&opts, "eodSeq", value_long((i64)s->eod));
    value_put(&opts, "date", value_atom(QT_DATE, s->day));
    value_put(&opts, "soiTS", value_timestamp(s->start));
    value_put(&opts, "intv", value_atom(QT_TIMESPAN, s->end - s->start));
    Value row = value_list(&a, 3);
    Value *items = vec_value(&row.as.vec);
    items[0] = value_symbol(s->eod == 0 ? "eoi" : s->partial ? "eod-partial" : "eod");
    items[1] = value_timestamp(s->end);
    items[2] = opts;
    Err err = wire_encode(b, &row);
    arena_free(&a);
    return err;
}

/* An integer entry of a dictionary. */
static Err entry_i64(const Value *dict, const char *key, i64 *out)
{
    const Value *v = value_get(dict, key);
    if (v == NULL || !value_int_of(v, out))
        return fail(E_CORRUPT, "entry %s: an integer is missing", key);
    return E_OK;
}

/* A count or number that must not be negative. */
static Err entry_u64(const Value *dict, const char *key, u64 *out)
{
    i64 i = 0;
    Err err = entry_i64(dict, key, &i);
    if (err != E_OK) return err;
    if (i < 0) return fail(E_CORRUPT, "entry %s: must not be negative", key);
    *out = (u64)i;
    return E_OK;
}

Err job_decode_signal(const u8 *body, u64 size, JobSignal *s)
{
    Err err = E_OK;
    Arena a = {0};
    Value row;
    Str signal = {0};
    i64 day = 0, intv = 0;
    *s = (JobSignal){0};
    TRY(wire_decode(body, size, &a, &row));
    if (row.type != QT_LIST || row.as.vec.count != 3)
        TRY(fail(E_CORRUPT, "_prtnEnd: not a list of three"));
    const Value *items = vec_value(&row.as.vec);
    if (!value_text(&items[0], &signal) || items[2].type != QT_DICT)
        TRY(fail(E_CORRUPT, "_prtnEnd: signal and opts expected"));
    if (!value_int_of(&items[1], &s->end)) TRY(fail(E_CORRUPT, "_prtnEnd: endTS is no timestamp"));
    TRY(entry_u64(&items[2], "seq", &s->seq));
    TRY(entry_u64(&items[2], "eodSeq", &s->eod));
    TRY(entry_i64(&items[2], "date", &day));
    TRY(entry_i64(&items[2], "soiTS", &s->start));
    TRY(entry_i64(&items[2], "intv", &intv));
    if (day < INT32_MIN || day > INT32_MAX) TRY(fail(E_CORRUPT, "_prtnEnd: date out of range"));
    s->day = (i32)day;
    s->partial = str_is(signal, "eod-partial");
done:
    arena_free(&a);
    return err;
}

/* The slices of a late table as one long vector: day, from, to, ... */
static Value slices_value(const PartTable *t, Arena *a)
{
    i64 *triples = arena_array(a, i64, 3 * (u64)t->slice_count + 1);
    for (u32 i = 0; i < t->slice_count; i++) {
        triples[3 * i] = t->slices[i].day;
        triples[3 * i + 1] = (i64)t->slices[i].from;
        triples[3 * i + 2] = (i64)t->slices[i].to;
    }
    return value_vec(vec_of(QT_LONG, triples, 3 * (u64)t->slice_count));
}

static Value table_value(const PartTable *t, Arena *a)
{
    Value d = value_dict(a, 7);
    value_put(&d, "name", value_symbol(t->name));
    value_put(&d, "rows", value_long((i64)t->rows));
    value_put(&d, "bytes", value_long((i64)t->bytes));
    value_put(&d, "minTS", value_timestamp(t->time_min));
    value_put(&d, "maxTS", value_timestamp(t->time_max));
    value_put(&d, "schema", value_long((i64)t->schema_hash));
    value_put(&d, "slices", slices_value(t, a));
    return d;
}

static Value part_value(const Part *p, Arena *a)
{
    Value tables = value_list(a, p->table_count);
    for (u32 i = 0; i < p->table_count; i++)
        vec_value(&tables.as.vec)[i] = table_value(&p->tables[i], a);
    Value d = value_dict(a, 9);
    value_put(&d, "kind", value_long(p->kind));
    value_put(&d, "key", value_long(p->key));
    value_put(&d, "day", value_long(p->day));
    value_put(&d, "tier", value_long(p->tier));
    value_put(&d, "made", value_long((i64)p->made));
    value_put(&d, "path", value_string(str_of(p->path)));
    value_put(&d, "late", value_bool(p->late));
    value_put(&d, "sums", value_long(p->summed ? (i64)p->sums : -1));
    value_put(&d, "tables", tables);
    return d;
}

Err job_result_value(const JobResult *r, Arena *a, Value *v)
{
    Value parts = value_list(a, r->part_count);
    for (u32 i = 0; i < r->part_count; i++)
        vec_value(&parts.as.vec)[i] = part_value(&r->parts[i], a);
    *v = value_dict(a, 8);
    value_put(v, "seq", value_long((i64)r->seq));
    value_put(v, "watermark", value_long((i64)r->watermark));
    value_put(v, "symSize", value_long((i64)r->sym_size));
    value_put(v, "symCrc", value_long(r->sym_crc));
    value_put(v, "rows", value_long((i64)r->rows));
    value_put(v, "bytes", value_long((i64)r->bytes));
    value_put(v, "ns", value_long(r->ns));
    value_put(v, "parts", parts);
    return E_OK;
}

/* Reads a slice vector; rows must lie within the table and follow each other. */
static Err parse_slices(const Value *d, PartTable *t, Arena *a)
{
    const Value *v = value_get(d, "slices");
    if (v == NULL || value_count(v) == 0) return E_OK;
    if (v->type != QT_LONG || v->as.vec.count % 3 != 0 || v->as.vec.count / 3 > UINT32_MAX)
        return fail(E_CORRUPT, "table %s: slices are malformed", t->name);
    t->slice_count = (u32)(v->as.vec.count / 3);
    t->slices = arena_array(a, PartSlice, t->slice_count);
    const i64 *triples = vec_i64(&v->as.vec);
    u64 row = 0;
    for (u32 i = 0; i < t->slice_count; i++) {
        i64 day = triples[3 * i], from = triples[3 * i + 1], to = triples[3 * i + 2];
        if (day < INT32_MIN || day > INT32_MAX || from < 0 || (u64)from != row || to < from ||
            (u64)to > t->rows)
            return fail(E_CORRUPT, "table %s: slice %u is out of order", t->name, i);
        t->slices[i] = (PartSlice){(i32)day, (u64)from, (u64)to};
        row = (u64)to;
    }
    return E_OK;
}

static Err parse_table(const Value *d, Arena *a, PartTable *t)
{
    Err err = E_OK;
    Str name = {0};
    i64 hash = 0;
    if (d->type != QT_DICT) TRY(fail(E_CORRUPT, "a table of a part is no dictionary"));
    const Value *n = value_get(d, "name");
    if (n == NULL || !value_text(n, &name) || !str_name_ok(name, true))
        TRY(fail(E_CORRUPT, "a table of a part has no legal name"));
    t->name = str_dup(a, name);
    TRY(entry_u64(d, "rows", &t->rows));
    TRY(entry_u64(d, "bytes", &t->bytes));
    TRY(entry_i64(d, "minTS", &t->time_min));
    TRY(entry_i64(d, "maxTS", &t->time_max));
    TRY(entry_i64(d, "schema", &hash));
    t->schema_hash = (u64)hash;
    TRY(parse_slices(d, t, a));
done:
    return err;
}

static Err parse_part(const Value *d, Arena *a, Part *p)
{
    Err err = E_OK;
    i64 kind = 0, key = 0, day = 0, tier = 0, late = 0, sums = 0;
    Str path = {0};
    if (d->type != QT_DICT) TRY(fail(E_CORRUPT, "a part is no dictionary"));
    TRY(entry_i64(d, "kind", &kind));
    TRY(entry_i64(d, "key", &key));
    TRY(entry_i64(d, "day", &day));
    TRY(entry_i64(d, "tier", &tier));
    TRY(entry_u64(d, "made", &p->made));
    TRY(entry_i64(d, "late", &late));
    TRY(entry_i64(d, "sums", &sums));
    const Value *text = value_get(d, "path");
    const Value *tables = value_get(d, "tables");
    if (text == NULL || !value_text(text, &path) || path.size == 0 || path.data[0] != '/')
        TRY(fail(E_CORRUPT, "a part has no absolute path"));
    if (tables == NULL || tables->type != QT_LIST || tables->as.vec.count > BOUND_TABLES_MAX)
        TRY(fail(E_CORRUPT, "a part has no list of tables"));
    if ((kind != PART_INTERVAL && kind != PART_DATE) || key < INT32_MIN || key > INT32_MAX ||
        day < INT32_MIN || day > INT32_MAX || tier < 0 || tier > 255 || sums < -1 ||
        sums > UINT32_MAX)
        TRY(fail(E_CORRUPT, "a part has a number out of range"));
    p->kind = (PartKind)kind;
    p->key = (i32)key;
    p->day = (i32)day;
    p->tier = (u32)tier;
    p->late = late != 0;
    p->summed = sums >= 0;
    p->sums = sums >= 0 ? (u32)sums : 0;
    p->path = str_dup(a, path);
    p->table_count = (u32)tables->as.vec.count;
    p->tables = arena_array(a, PartTable, p->table_count);
    for (u32 i = 0; i < p->table_count; i++)
        TRY(parse_table(&vec_value(&tables->as.vec)[i], a, &p->tables[i]));
done:
    return err;
}

Err job_result_parse(const Value *v, Arena *a, JobResult *r)
{
    Err err = E_OK;
    u64 sym_crc = 0;
    *r = (JobResult){0};
    if (v->type != QT_DICT) TRY(fail(E_CORRUPT, "a job's result is no dictionary"));
    TRY(entry_u64(v, "seq", &r->seq));
    TRY(entry_u64(v, "watermark", &r->watermark));
    TRY(entry_u64(v, "symSize", &r->sym_size));
    TRY(entry_u64(v, "symCrc", &sym_crc));
    if (sym_crc > UINT32_MAX) TRY(fail(E_CORRUPT, "entry symCrc: more than 32 bits"));
    r->sym_crc = (u32)sym_crc;
    TRY(entry_u64(v, "rows", &r->rows));
    TRY(entry_u64(v, "bytes", &r->bytes));
    TRY(entry_i64(v, "ns", &r->ns));
    const Value *parts = value_get(v, "parts");
    if (parts == NULL || (parts->type != QT_LIST && value_count(parts) > 0))
        TRY(fail(E_CORRUPT, "a job's result has no list of parts"));
    r->part_count = (u32)value_count(parts);
    r->parts = arena_array(a, Part, r->part_count);
    for (u32 i = 0; i < r->part_count; i++)
        TRY(parse_part(&vec_value(&parts->as.vec)[i], a, &r->parts[i]));
done:
    return err;
}
