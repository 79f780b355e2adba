/*
 * config_tier: tiers of the file, then the implicit ones, checked and put in the order in which
 * data moves: stream, ordinal, date tiers by index.
 *
 * The list in the document and the array of tiers stay parallel throughout. An implicit tier is a
 * node like any other, of origin "default". Stores (V-13): without one, or with one that equals its
 * mount's base folder (O-01), a tier writes to <base>/data; any other folder must be apart from all
 * mounts and all other stores.
 */
#include "cmd/config_tier.h"
#include "cmd/config_fill.h"
#include "cmd/config_mount.h"
#include "cmd/config_source.h"
#include "os/dir.h"
#include "q/temporal.h"

#define RETAIN_COUNT_MAX 1000000

/* What is being built: tiers[i] stands at list->entries[i]. */
typedef struct {
    ConfigDoc *d;
    Config *c;
    YamlNode *list;
} Build;

static YamlNode *node_of(const Build *b, const Tier *t)
{
    return b->list->entries[t - b->c->tiers].value;
}

static bool is_date(const Tier *t)
{
    return t->mount && t->mount->type == MOUNT_LOCAL && t->mount->partition == MOUNT_DATE;
}

static bool is_ordinal(const Tier *t)
{
    return t->mount && t->mount->type == MOUNT_LOCAL && t->mount->partition == MOUNT_ORDINAL;
}

/* 0 stream, 1 ordinal, 2 date, 3 what is wrong anyway. */
static int rank(const Tier *t)
{
    if (t->mount && t->mount->type == MOUNT_STREAM) return 0;
    return is_ordinal(t) ? 1 : is_date(t) ? 2 : 3;
}

static const Tier *tier_named(const Config *c, const char *name)
{
    for (u32 i = 0; i < c->tier_count; i++)
        if (c->tiers[i].name && strcmp(c->tiers[i].name, name) == 0) return &c->tiers[i];
    return NULL;
}

/* V-12: name and mount of one entry. */
static void read_entry(Build *b, YamlNode *node)
{
    Tier *t = &b->c->tiers[b->c->tier_count];
    *t = (Tier){.store = ""};
    config_fill(b->d, CONFIG_KEY_TIER, node, t);
    if (t->name && tier_named(b->c, t->name))
        config_doc_wrong(b->d, yaml_find(node, "name"), NULL, "V-12", "a tier is named %s already",
                         t->name);
    if (!t->name) t->name = "";
    const YamlNode *mount = config_doc_child(node, "mount", YAML_TEXT);
    if (mount) t->mount = config_mount_find(b->c, mount->text);
    if (mount && !t->mount)
        config_doc_wrong(b->d, mount, NULL, "V-12", "no mount is named \"%.128s\"", mount->text);
    b->c->tier_count++;
}

/* Adds a tier for a mount that has none. */
static void add_implicit(Build *b, const Mount *m)
{
    if (!m) return;
    for (u32 i = 0; i < b->c->tier_count; i++)
        if (b->c->tiers[i].mount == m) return;
    const char *name = m->name;
    while (tier_named(b->c, name))
        name = arena_format(b->d->a, "%s-tier", name);
    YamlNode *node = yaml_append_map(b->d->a, b->list, "default");
    yaml_put(b->d->a, node, "name", name, "default");
    yaml_put(b->d->a, node, "mount", m->name, "default");
    read_entry(b, node);
}

/* Whether tier a comes after tier b. */
static bool after(const Tier *a, const Tier *b)
{
    if (rank(a) != rank(b)) return rank(a) > rank(b);
    return is_date(a) && a->index > b->index;
}

/* Stable sort of the tiers and of their nodes. */
static void sort_tiers(Build *b)
{
    Tier *tiers = b->c->tiers;
    for (u32 i = 1; i < b->c->tier_count; i++)
        for (u32 at = i; at > 0 && after(&tiers[at - 1], &tiers[at]); at--) {
            Tier t = tiers[at];
            YamlEntry e = b->list->entries[at];
            tiers[at] = tiers[at - 1];
            b->list->entries[at] = b->list->entries[at - 1];
            tiers[at - 1] = t;
            b->list->entries[at - 1] = e;
        }
}

/* Whether any key of a map has a value: `retain: {}` is as good as absent. */
static YamlNode *filled_child(const Build *b, const Tier *t, const char *key)
{
    YamlNode *n = config_doc_child(node_of(b, t), key, YAML_MAP);
    for (u32 i = 0; n && i < n->count; i++)
        if (!yaml_is_null(n->entries[i].value)) return n;
    return NULL;
}

/* V-17, O-07: when a tier rolls over. */
static void check_schedule(Build *b, Tier *t)
{
    YamlNode *node = filled_child(b, t, "schedule");
    if (!is_ordinal(t) && !is_date(t)) {
        if (node)
            config_doc_warn(b->d, node_of(b, t), "schedule", "key",
                            "a stream tier has no schedule: no effect");
        return;
    }
    const YamlNode *offset = yaml_find(node, "offset"), *snap = yaml_find(node, "snap");
    if (!node) node = yaml_put_map(b->d->a, node_of(b, t), "schedule", "default");
    if (!yaml_find(node, "freq"))
        yaml_put(b->d->a, node, "freq", is_date(t) ? "1D00:00:00" : "00:10:00", "default");
    config_fill(b->d, CONFIG_KEY_SCHEDULE, node, t);
    if (t->freq_ns && t->offset_ns >= t->freq_ns)
        config_doc_wrong(b->d, yaml_find(node, "offset"), NULL, "V-17",
                         "offset is not less than freq");
    if (is_date(t) && t->freq_ns && t->freq_ns != TEMPORAL_DAY_NS)
        config_doc_wrong(b->d, yaml_find(node, "freq"), NULL, "O-07",
                         "a date tier has a freq of one day");
    if (is_date(t) && offset && t->offset_ns)
        config_doc_warn(b->d, offset, NULL, "key",
                        "offset moves intervals: no effect on a date tier, see snap");
    if (is_ordinal(t) && snap && t->snap_ns)
        config_doc_warn(b->d, snap, NULL, "key",
                        "snap is for date tiers: no effect on an ordinal tier");
}

/* "7 Days", "1 year", "2weeks". */
static bool parse_age(Str text, i64 *count, TierUnit *unit)
{
    static const struct {
        const char *name;
        TierUnit unit;
    } units[] = {{"day", TIER_DAYS},      {"week", TIER_WEEKS}, {"month", TIER_MONTHS},
                 {"year", TIER_YEARS},    {"hour", TIER_HOURS}, {"minute", TIER_MINUTES},
                 {"second", TIER_SECONDS}};

    u64 digits = 0;
    text = str_trim(text);
    while (digits < text.size && text.data[digits] >= '0' && text.data[digits] <= '9')
        digits++;
    Str word = str_trim((Str){text.data + digits, text.size - digits});
    if (!str_i64((Str){text.data, digits}, count) || *count < 1 || *count > RETAIN_COUNT_MAX)
        return false;
    if (word.size > 1 && (word.data[word.size - 1] | 0x20) == 's') word.size--;
    for (u32 i = 0; i < COUNT_OF(units); i++) {
        bool same = word.size == strlen(units[i].name);
        for (u64 j = 0; same && j < word.size; j++)
            same = (word.data[j] | 0x20) == units[i].name[j];
        if (same) {
            *unit = units[i].unit;
            return true;
        }
    }
    return false;
}

/* retain.time of a stream or date tier. */
static void check_age(Build *b, Tier *t, const YamlNode *time)
{
    if (!parse_age(str_of(time->text), &t->retain_count, &t->retain_unit)) {
        t->retain_count = 0;
        config_doc_wrong(b->d, time, NULL, "V-14",
                         "time takes a number and a unit, as 7 Days, not \"%.100s\"", time->text);
    } else if (is_date(t) && t->retain_unit >= TIER_HOURS) {
        config_doc_wrong(b->d, time, NULL, "V-14", "date tiers count Days, Weeks, Months or Years");
    }
}

/* V-14: how much a tier keeps. */
static void check_retain(Build *b, Tier *t)
{
    YamlNode *node = filled_child(b, t, "retain");
    if (!node) return;
    if (is_ordinal(t)) {
        config_doc_wrong(b->d, node_of(b, t), "retain", "V-14",
                         "an ordinal tier keeps its rows until the end of the day");
        return;
    }
    const YamlNode *expire = yaml_find(node, "onExpire");
    const YamlNode *time = config_doc_child(node, "time", YAML_TEXT);
    config_fill(b->d, CONFIG_KEY_RETAIN, node, t);
    if (time) check_age(b, t, time);
    if (!is_date(t) && t->retain_pct)
        config_doc_wrong(b->d, yaml_find(node, "sizePct"), NULL, "V-14",
                         "sizePct is for date tiers");
    bool last = is_date(t) && t == &b->c->tiers[b->c->tier_count - 1];
    if (expire && !last)
        config_doc_warn(b->d, expire, NULL, "O-02",
                        "onExpire is for the last date tier: no effect here");
    else if (t->expire && !time && !t->retain_pct)
        config_doc_warn(b->d, expire, NULL, "O-02", "nothing expires without time or sizePct");
}

/* V-15: the level that an algorithm takes. */
static void check_level(Build *b, Tier *t, YamlNode *node)
{
    static const struct {
        const char *name;
        i32 low, high, preset;
    } levels[] = {[TIER_RAW] = {"none", -7, 22, 0},   [TIER_QIPC] = {"qipc", 0, 0, 0},
                  [TIER_GZIP] = {"gzip", 0, 9, 6},    [TIER_SNAPPY] = {"snappy", 0, 0, 0},
                  [TIER_LZ4HC] = {"lz4hc", 1, 12, 9}, [TIER_ZSTD] = {"zstd", -7, 22, 3}};

    ASSERT(t->codec < COUNT_OF(levels));
    if (!yaml_find(node, "level")) {
        t->level = levels[t->codec].preset;
        if (t->codec != TIER_RAW)
            yaml_put(b->d->a, node, "level", arena_format(b->d->a, "%d", t->level), "default");
    } else if (t->level < levels[t->codec].low || t->level > levels[t->codec].high) {
        config_doc_wrong(b->d, yaml_find(node, "level"), NULL, "V-15",
                         "%s takes a level from %d to %d, not %d", levels[t->codec].name,
                         levels[t->codec].low, levels[t->codec].high, t->level);
    }
}

static void check_compression(Build *b, Tier *t)
{
    YamlNode *node = filled_child(b, t, "compression");
    if (!node) return;
    config_fill(b->d, CONFIG_KEY_COMPRESSION, node, t);
    check_level(b, t, node);
    if (t->codec != TIER_RAW && !yaml_find(node, "block"))
        config_doc_wrong(b->d, node, "block", "V-15",
                         "block is required with an algorithm: 12 to 20");
    if (is_date(t) || t->codec == TIER_RAW) return;
    config_doc_warn(b->d, node_of(b, t), "compression", "V-15",
                    "only date tiers are compressed: no effect here");
    t->codec = TIER_RAW;
}

/* V-18. */
static void check_inventory(Build *b, Tier *t)
{
    YamlNode *node = filled_child(b, t, "inventory");
    if (!node) return;
    config_fill(b->d, CONFIG_KEY_INVENTORY, node, t);
    if (t->inventory && (!t->inventory_location || !*t->inventory_location))
        config_doc_wrong(b->d, node, "location", "V-18", "inventory.enabled needs location");
    if (t->inventory && !t->object)
        config_doc_warn(b->d, node, "enabled", "V-18",
                        "inventories are for object stores: no effect here");
}

static bool is_object_uri(const char *text)
{
    static const char *const schemes[] = {"s3://", "gs://", "ms://"};
    for (u32 i = 0; i < COUNT_OF(schemes); i++)
        if (strncmp(text, schemes[i], 5) == 0 && text[5]) return true;
    return false;
}

/* V-13: a folder of its own, apart from all mounts and from the stores of tiers before it. */
static void check_apart(Build *b, const Tier *t, const YamlNode *store)
{
    for (u32 i = 0; i < b->c->mount_count; i++) {
        const Mount *m = &b->c->mounts[i];
        if (m->type != MOUNT_LOCAL || !*m->base || !config_source_meet(t->store, m->base)) continue;
        config_doc_wrong(b->d, store, NULL, "V-13",
                         "the store and the folder of mount %s, %.200s, are not apart", m->name,
                         m->base);
        return;
    }
    for (const Tier *other = b->c->tiers; other < t; other++) {
        if (!other->own_store || other->object || !config_source_meet(t->store, other->store))
            continue;
        config_doc_wrong(b->d, store, NULL, "V-13", "the store and that of tier %s are not apart",
                         other->name);
        return;
    }
}

/* V-13, O-01: where a date tier keeps its files. */
static void check_date_store(Build *b, Tier *t, const YamlNode *store)
{
    if (store && is_object_uri(store->text)) {
        t->store = store->text;
        t->own_store = t->object = true;
        return;
    }
    const char *folder = store ? config_source_folder(b->d, store, "V-13", true) : NULL;
    if (store && !folder) return;
    if (store && strcmp(folder, t->mount->base) == 0) {
        config_doc_warn(b->d, store, NULL, "O-01",
                        "the store is the mount's own folder: taken as its data");
        store = NULL;
    }
    if (store) {
        t->store = folder;
        t->own_store = true;
        check_apart(b, t, store);
        return;
    }
    t->store = dir_join(b->d->a, t->mount->base, "data", NULL);
    for (const Tier *other = b->c->tiers; other < t; other++)
        if (other->mount == t->mount && !other->own_store)
            config_doc_wrong(b->d, node_of(b, t), "store", "V-13",
                             "tier %s of mount %s has no store of its own either", other->name,
                             t->mount->name);
}

static void check_store(Build *b, Tier *t)
{
    const YamlNode *store = config_doc_child(node_of(b, t), "store", YAML_TEXT);
    if (is_date(t)) {
        check_date_store(b, t, store);
        return;
    }
    if (!is_ordinal(t)) {
        if (store)
            config_doc_warn(b->d, store, NULL, "V-13", "a stream tier has no store: no effect");
        return;
    }
    t->store = dir_join(b->d->a, t->mount->base, "data", NULL);
    if (store && strcmp(store->text, arena_format(b->d->a, "file://%s", t->store)) != 0)
        config_doc_warn(b->d, store, NULL, "V-13", "an ordinal tier always keeps its files in %s",
                        t->store);
}

/* What concerns several tiers: one for the stream, one for intervals (V-12); objects last (V-16);
 * the file's order. */
static void check_together(Build *b)
{
    for (u32 i = 1; i < b->c->tier_count; i++) {
        const Tier *t = &b->c->tiers[i], *earlier = t - 1;
        const YamlNode *node = node_of(b, t), *other = node_of(b, earlier);
        if (rank(t) < 2 && rank(t) == rank(earlier))
            config_doc_wrong(b->d, node, "mount", "V-12", "tier %s is on mount %s already",
                             earlier->name, t->mount->name);
        if (earlier->object)
            config_doc_wrong(b->d, other, "store", "V-16",
                             "an object store is only for the last tier, and %s follows", t->name);
        if (rank(t) != rank(earlier) && node->line && other->line && node->at < other->at)
            config_doc_warn(b->d, node, NULL, "V-12",
                            "tiers are listed newest data first: taken as after tier %s",
                            earlier->name);
    }
}

static void check_tier(Build *b, Tier *t)
{
    if (!t->mount) return;
    if (t->mount->type == MOUNT_OBJECT) {
        config_doc_wrong(b->d, node_of(b, t), "mount", "V-12",
                         "a tier is not on an object mount: give it a store");
        return;
    }
    check_store(b, t);
    check_schedule(b, t);
    check_retain(b, t);
    check_compression(b, t);
    check_inventory(b, t);
}

void config_tier_build(ConfigDoc *d, Config *c)
{
    YamlNode *sm =
        config_doc_child(config_doc_child(d->root, "elements", YAML_MAP), "sm", YAML_MAP);
    Build b = {d, c, config_doc_child(sm, "tiers", YAML_LIST)};
    if (!b.list) return;
    if (b.list->count > CONFIG_TIER_MAX) {
        config_doc_wrong(d, b.list, NULL, "V-12", "more than %d tiers", CONFIG_TIER_MAX);
        return;
    }
    for (u32 i = 0; i < b.list->count; i++)
        if (b.list->entries[i].value->kind != YAML_MAP) return;
    c->tiers = arena_array(d->a, Tier, CONFIG_TIER_MAX + 4);
    for (u32 i = 0, given = b.list->count; i < given; i++)
        read_entry(&b, b.list->entries[i].value);
    add_implicit(&b, c->stream);
    add_implicit(&b, c->idb);
    add_implicit(&b, c->hdb);
    sort_tiers(&b);
    for (u32 i = 0; i < c->tier_count; i++)
        check_tier(&b, &c->tiers[i]);
    check_together(&b);
    for (u32 i = 0; i < c->tier_count; i++) {
        if (is_ordinal(&c->tiers[i])) c->idb_tier = &c->tiers[i];
        if (!is_date(&c->tiers[i])) continue;
        if (!c->date_tier_count) c->date_tiers = &c->tiers[i];
        c->date_tier_count++;
    }
}
