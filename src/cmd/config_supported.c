/*
 * config_supported: what a correct assembly may ask for and this release cannot do. Each refusal
 * names the line, the path in the document and the feature, so that nothing is accepted and then
 * silently left out.
 *
 * It walks the structs beside the document, whose nodes give the places: tables, columns and tiers
 * stand in both in the same order (see config_table and config_tier).
 */
#include "cmd/config_doc.h"

typedef struct {
    Arena a;
    Buf text;
    u32 count;
} Refusals;

/* Adds one refusal about a key of a map. */
static Err refuse(Refusals *r, const YamlNode *map, const char *key, const char *feature)
{
    const YamlNode *value = yaml_find(map, key);
    const YamlNode *at = value ? value : map;
    const char *path = yaml_path(&r->a, value ? value : map, value ? NULL : key);
    const char *gap = r->count++ ? "; " : "";
    if (!at || !at->line) return buf_format(&r->text, "%s%s: %s", gap, path, feature);
    return buf_format(&r->text, "%sline %u: %s: %s", gap, at->line, path, feature);
}

static const YamlNode *child_at(const YamlNode *list, u32 i)
{
    return list && i < list->count ? list->entries[i].value : NULL;
}

static Err refuse_column(Refusals *r, const SchemaColumn *col, const YamlNode *node)
{
    Err err = E_OK;
    if (col->foreign) TRY(refuse(r, node, "foreign", "foreign keys are not there yet"));
    if (col->old_name) TRY(refuse(r, node, "oldName", "renaming columns is not there yet"));
    if (col->backfill) TRY(refuse(r, node, "backfill", "filling added columns is not there yet"));
done:
    return err;
}

static Err refuse_table(Refusals *r, const Schema *s, const YamlNode *node)
{
    Err err = E_OK;
    const YamlNode *columns = yaml_find(node, "columns");
    if (s->kind != TABLE_PARTITIONED)
        TRY(refuse(r, node, "type", "tables that are not partitioned are not there yet"));
    if (s->key_count) TRY(refuse(r, node, "primaryKeys", "keyed tables are not there yet"));
    if (s->old_name) TRY(refuse(r, node, "oldName", "renaming tables is not there yet"));
    for (u32 i = 0; i < s->column_count; i++)
        TRY(refuse_column(r, &s->columns[i], child_at(columns, i)));
done:
    return err;
}

static Err refuse_tier(Refusals *r, const Config *c, const Tier *t, const YamlNode *node)
{
    Err err = E_OK;
    const YamlNode *timezone = yaml_find(yaml_find(node, "schedule"), "timezone");
    if (t->object) TRY(refuse(r, node, "store", "object stores are not there yet"));
    if (t->retain_count || t->retain_pct) {
        const char *key = t->retain_count ? "time" : "sizePct";
        TRY(refuse(r, yaml_find(node, "retain"), key,
                   "retention is not there yet: every tier keeps all rows"));
    }
    if (timezone && strcmp(timezone->text, "UTC") != 0)
        TRY(refuse(r, yaml_find(node, "schedule"), "timezone",
                   "time zones other than UTC are not there yet"));
    if (c->date_tier_count > 1 && t > c->date_tiers)
        TRY(refuse(r, node, "name", "more than one date tier is not there yet"));
    if (t->own_store && !t->object && c->date_tier_count == 1)
        TRY(refuse(r, node, "store", "a store outside the mount is not there yet"));
done:
    return err;
}

static Err refuse_bus(Refusals *r, const Config *c, const YamlNode *node)
{
    if (strcmp(c->source->protocol, "rt") != 0)
        return refuse(r, node, "protocol", "protocols other than rt are not there yet");
    if (c->source->node_count)
        return refuse(r, node, "nodes",
                      "external rt nodes are not there yet: the stream is built in");
    return E_OK;
}

static Err refuse_daps(Refusals *r, const Config *c, const YamlNode *instances)
{
    Err err = E_OK;
    for (u32 i = 0; i < c->dap_count; i++)
        if (c->daps[i].map_partitions)
            TRY(refuse(r, yaml_find(instances, c->daps[i].name), "mapPartitions",
                       "mapping ahead is not there yet: columns are mapped when first asked for"));
done:
    return err;
}

static Err refuse_all(Refusals *r, const Config *c)
{
    Err err = E_OK;
    const YamlNode *root = c->doc->root, *elements = yaml_find(root, "elements");
    const YamlNode *sm = yaml_find(elements, "sm"), *tables = yaml_find(root, "tables");
    const YamlNode *mounts = yaml_find(root, "mounts"), *tiers = yaml_find(sm, "tiers");
    for (u32 i = 0; i < c->tables.count; i++)
        TRY(refuse_table(r, c->tables.tables[i], child_at(tables, i)));
    TRY(refuse_bus(r, c, yaml_find(yaml_find(root, "bus"), c->source->name)));
    for (u32 i = 0; i < c->mount_count; i++)
        if (c->mounts[i].type == MOUNT_OBJECT)
            TRY(refuse(r, child_at(mounts, i), "type", "object mounts are not there yet"));
    for (u32 i = 0; i < c->tier_count; i++)
        TRY(refuse_tier(r, c, &c->tiers[i], child_at(tiers, i)));
    TRY(refuse_daps(r, c, yaml_find(yaml_find(elements, "dap"), "instances")));
    if (!c->idb_used)
        TRY(refuse(r, sm, "idbUsed", "doing without the intraday database is not there yet"));
    if (c->encrypt_all)
        TRY(refuse(r, yaml_find(yaml_find(root, "dbSettings"), "encryption"), "encryptAll",
                   "encryption is not there yet"));
done:
    return err;
}

Err config_supported(const Config *c)
{
    Refusals r = {0};
    ASSERT(c->doc && !c->doc->wrong && c->source);
    Err err = refuse_all(&r, c);
    if (!err && r.count) err = fail(E_UNSUPPORTED, "%s: %s", c->file, buf_str(&r.text));
    buf_free(&r.text);
    arena_free(&r.a);
    return err;
}
