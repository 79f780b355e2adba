/*
 * config_reader: instances take lateData and enforceSchema from elements.dap where they have none
 * of their own.
 *
 * The names SM, EOI, EOD and DBM are service classes of other processes (KXI_SC) and no instance
 * may bear them.
 */
#include "cmd/config_reader.h"
#include "cmd/config_fill.h"
#include "cmd/config_mount.h"

void config_reader_default(ConfigDoc *d)
{
    YamlNode *elements = config_doc_child(d->root, "elements", YAML_MAP);
    const YamlNode *mounts = config_doc_child(d->root, "mounts", YAML_MAP);
    if (!elements || !mounts) return;
    if (!yaml_find(elements, "dap")) yaml_put_map(d->a, elements, "dap", "default");
    YamlNode *dap = config_doc_child(elements, "dap", YAML_MAP);
    if (!dap) return;
    if (!yaml_find(dap, "instances")) yaml_put_map(d->a, dap, "instances", "default");
    YamlNode *instances = config_doc_child(dap, "instances", YAML_MAP);
    if (!instances || instances->count) return;
    YamlNode *list =
        yaml_put_list(d->a, yaml_put_map(d->a, instances, "da", "default"), "mountList", "default");
    for (u32 i = 0; i < mounts->count; i++)
        yaml_append(d->a, list, mounts->entries[i].key, "default");
}

/* V-19: the mounts of an instance. */
static void read_mounts(ConfigDoc *d, const Config *c, const YamlNode *node, ConfigDap *r)
{
    u32 one, many;
    const YamlNode **single = config_fill_texts(d, node, "mountName", &one);
    const YamlNode **list = config_fill_texts(d, node, "mountList", &many);
    if (!one == !many) {
        config_doc_wrong(d, node, one ? "mountList" : "mountName", "V-19",
                         one ? "both mountName and mountList are given"
                             : "one of mountName and mountList is required");
        return;
    }
    const YamlNode **names = one ? single : list;
    if (many > CONFIG_MOUNT_MAX) {
        config_doc_wrong(d, node, "mountList", "V-19", "more than %d mounts", CONFIG_MOUNT_MAX);
        return;
    }
    r->mounts = arena_array(d->a, const Mount *, one + many);
    for (u32 i = 0; i < one + many; i++) {
        const Mount *m = config_mount_find(c, names[i]->text);
        bool again = false;
        for (u32 j = 0; j < r->mount_count; j++)
            again |= r->mounts[j] == m;
        if (!m)
            config_doc_wrong(d, names[i], NULL, "V-19", "no mount is named \"%.128s\"",
                             names[i]->text);
        else if (again)
            config_doc_wrong(d, names[i], NULL, "V-19", "mount %s is named twice", m->name);
        else
            r->mounts[r->mount_count++] = m;
    }
}

/* Takes a setting of elements.dap over into an instance without one. */
static void inherit(ConfigDoc *d, const YamlNode *dap, YamlNode *node, const char *key)
{
    const YamlNode *common = config_doc_child(dap, key, YAML_TEXT);
    if (yaml_find(node, key)) return;
    if (common)
        yaml_put_copy(d->a, node, key, common, common->origin);
    else
        yaml_put(d->a, node, key, "false", "default");
}

/* Two processes cannot listen at one port. */
static void check_port(ConfigDoc *d, const Config *c, const YamlNode *node, const ConfigDap *r)
{
    const YamlNode *port = yaml_find(node, "port");
    if (!r->port) return;
    if (c->port == r->port && strcmp(c->host, r->host) == 0)
        config_doc_wrong(d, port, NULL, "key", "port %u is the manager's", r->port);
    for (const ConfigDap *other = c->daps; other < r; other++)
        if (other->port == r->port && other->host && strcmp(other->host, r->host) == 0)
            config_doc_wrong(d, port, NULL, "key", "port %u is that of instance %s", r->port,
                             other->name);
}

static void build_reader(ConfigDoc *d, const Config *c, const YamlNode *dap, YamlNode *node,
                         ConfigDap *r)
{
    inherit(d, dap, node, "lateData");
    inherit(d, dap, node, "enforceSchema");
    config_fill(d, CONFIG_KEY_INSTANCE, node, r);
    read_mounts(d, c, node, r);
    if (r->host && c->host) check_port(d, c, node, r);
    if (r->enforce_schema && !c->enforce_schema)
        config_doc_warn(d, yaml_find(node, "enforceSchema"), NULL, "V-19",
                        "enforceSchema of elements.sm is not on");
}

void config_reader_build(ConfigDoc *d, Config *c)
{
    static const char classes[][4] = {"SM", "EOI", "EOD", "DBM"};
    const YamlNode *dap =
        config_doc_child(config_doc_child(d->root, "elements", YAML_MAP), "dap", YAML_MAP);
    const YamlNode *instances = config_doc_child(dap, "instances", YAML_MAP);
    if (!instances) return;
    if (instances->count > CONFIG_READER_MAX) {
        config_doc_wrong(d, instances, NULL, "V-19", "more than %d instances", CONFIG_READER_MAX);
        return;
    }
    c->daps = arena_array(d->a, ConfigDap, instances->count + 1);
    for (u32 i = 0; i < instances->count; i++) {
        const YamlEntry *e = &instances->entries[i];
        if (e->value->kind != YAML_MAP) continue;
        ConfigDap *r = &c->daps[c->dap_count];
        r->name = e->key;
        (void)config_fill_name_ok(d, instances, e->key, "reader");
        for (u32 k = 0; k < COUNT_OF(classes); k++)
            if (strcmp(e->key, classes[k]) == 0)
                config_doc_wrong(d, instances, e->key, "V-19",
                                 "%s is the service class of another process", e->key);
        build_reader(d, c, dap, e->value, r);
        c->dap_count++;
    }
}
