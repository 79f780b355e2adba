/*
 * config: loads an assembly in the order in which its parts need each other.
 *
 *     file -> tree (yaml) -> names and shapes (config_shape) -> overrides (config_doc)
 *          -> sequencers, the default reader, flags, environment      nodes put into the tree
 *          -> tables, mounts, tiers, bus, manager, readers            structs filled from the tree
 *
 * Every step goes on after findings as far as it can, so that one run tells all mistakes. A Config
 * with findings that are no warnings is never used; pointers in it may then be NULL.
 */
#include "cmd/config.h"
#include "cmd/config_bus.h"
#include "cmd/config_doc.h"
#include "cmd/config_fill.h"
#include "cmd/config_mount.h"
#include "cmd/config_reader.h"
#include "cmd/config_source.h"
#include "cmd/config_table.h"
#include "cmd/config_tier.h"
#include "os/proc.h"

#define LABELS_MAX 256

/* name, description, labels. */
static void build_assembly(ConfigDoc *d, Config *c)
{
    config_fill(d, CONFIG_KEY_ASSEMBLY, d->root, c);
    const YamlNode *labels = config_doc_child(d->root, "labels", YAML_MAP);
    if (!labels) return;
    if (labels->count > LABELS_MAX) {
        config_doc_wrong(d, labels, NULL, "key", "more than %d labels", LABELS_MAX);
        return;
    }
    c->labels = arena_array(d->a, const char *, 2 * labels->count + 1);
    for (u32 i = 0; i < labels->count; i++) {
        const YamlEntry *e = &labels->entries[i];
        if (e->value->kind != YAML_TEXT) continue;
        (void)config_fill_name_ok(d, labels, e->key, "label");
        c->labels[2 * c->label_count] = e->key;
        c->labels[2 * c->label_count + 1] = e->value->text;
        c->label_count++;
    }
}

/* elements.sm but for its tiers. */
static void build_manager(ConfigDoc *d, Config *c, YamlNode *sm)
{
    u32 count;
    if (c->idb_tier && c->idb_tier->freq_ns && !yaml_find(sm, "reloadTimeout")) {
        const YamlNode *list = yaml_find(sm, "tiers");
        const YamlNode *tier = list->entries[c->idb_tier - c->tiers].value;
        const YamlNode *freq = yaml_find(yaml_find(tier, "schedule"), "freq");
        yaml_put(d->a, sm, "reloadTimeout", freq->text, "default");
    }
    config_fill(d, CONFIG_KEY_SM, sm, c);
    const YamlNode **levels = config_fill_texts(d, sm, "eodPeachLevel", &count);
    for (u32 i = 0; i < count; i++) {
        c->peach_part |= strcmp(levels[i]->text, "part") == 0;
        c->peach_table |= strcmp(levels[i]->text, "table") == 0;
        c->peach_column |= strcmp(levels[i]->text, "column") == 0;
    }
}

static void build_settings(ConfigDoc *d, Config *c)
{
    const YamlNode *settings = config_doc_child(d->root, "dbSettings", YAML_MAP);
    YamlNode *encryption = config_doc_child(settings, "encryption", YAML_MAP);
    if (encryption) config_fill(d, CONFIG_KEY_ENCRYPTION, encryption, c);
}

static void build_elements(ConfigDoc *d, Config *c)
{
    const YamlNode *elements = config_doc_child(d->root, "elements", YAML_MAP);
    YamlNode *sm = config_doc_child(elements, "sm", YAML_MAP);
    config_mount_build(d, c);
    if (elements && !yaml_find(elements, "sm"))
        config_doc_wrong(d, elements, "sm", "V-01", "elements.sm is required: a map");
    if (sm) config_tier_build(d, c);
    config_bus_build(d, c);
    if (sm) build_manager(d, c, sm);
    config_reader_build(d, c);
}

/* The first finding that is no warning becomes the failure. */
static Err verdict(const ConfigDoc *d)
{
    for (u32 i = 0; i < d->finding_count; i++) {
        const ConfigFinding *f = &d->findings[i];
        if (f->warning) continue;
        if (!f->line) return fail(E_USAGE, "%s: %s: %s: %s", d->file, f->path, f->rule, f->text);
        return fail(E_USAGE, "%s:%u:%u: %s: %s: %s", d->file, f->line, f->column, f->path, f->rule,
                    f->text);
    }
    return E_OK;
}

Err config_load(Config *c, const ConfigSource *source, ConfigFinding **findings, u32 *count)
{
    Err err = E_OK;
    const char *path = source->path ? source->path : proc_env("KXI_ASSEMBLY_FILE");
    const char *overrides =
        source->overrides ? source->overrides : proc_env("KXI_ASSEMBLY_OVERRIDES");
    *c = (Config){0};
    *findings = NULL;
    *count = 0;
    if (!path || !*path)
        return fail(E_USAGE, "no assembly file: name one, or set KXI_ASSEMBLY_FILE");
    ConfigDoc *d = arena_new(&c->memory, ConfigDoc);
    d->a = &c->memory;
    d->file = c->file = arena_text(d->a, path, strlen(path));
    c->doc = d;
    TRY(config_doc_read(d, overrides));
    if (d->root) {
        config_bus_sequencers(d);
        config_reader_default(d);
        TRY(config_source_apply(d, source));
        build_assembly(d, c);
        config_table_build(d, c);
        build_elements(d, c);
        build_settings(d, c);
    }
    config_doc_finish(d);
    *findings = d->findings;
    *count = d->finding_count;
    err = verdict(d);
done:
    d->a = NULL;
    return err;
}

const ConfigDap *config_dap(const Config *c, const char *name)
{
    for (u32 i = 0; i < c->dap_count; i++)
        if (strcmp(c->daps[i].name, name) == 0) return &c->daps[i];
    return NULL;
}

void config_free(Config *c)
{
    arena_free(&c->memory);
    *c = (Config){0};
}
