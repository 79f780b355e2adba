/*
 * config_bus: streams by name. The one that the manager serves is built in when its protocol is rt;
 * its log may stand in a folder of its own, apart from all mounts and stores except at its default
 * place, <ordinal mount>/wal.
 */
#include "cmd/config_bus.h"
#include "cmd/config_fill.h"
#include "cmd/config_source.h"
#include "os/dir.h"
#include "os/sock.h"

void config_bus_sequencers(ConfigDoc *d)
{
    const YamlNode *elements = config_doc_child(d->root, "elements", YAML_MAP);
    const YamlNode *sequencers = config_doc_child(elements, "sequencer", YAML_MAP);
    if (!sequencers || !sequencers->count) return;
    if (!d->wrapped) {
        config_doc_warn(d, elements, "sequencer", "V-09",
                        "sequencers stand for the bus in the wrapped shape only");
        return;
    }
    config_doc_note(d, elements, "sequencer",
                    "Only the names count: each is a stream of protocol rt.");
    if (!yaml_find(d->root, "bus")) yaml_put_map(d->a, d->root, "bus", "elements.sequencer");
    YamlNode *bus = config_doc_child(d->root, "bus", YAML_MAP);
    for (u32 i = 0; bus && i < sequencers->count; i++) {
        const char *name = sequencers->entries[i].key;
        if (yaml_find(bus, name)) continue;
        const char *origin =
            arena_format(d->a, "elements.sequencer, line %u", sequencers->entries[i].line);
        YamlNode *entry = yaml_put_map(d->a, bus, name, origin);
        yaml_put(d->a, entry, "protocol", "rt", origin);
        yaml_put(d->a, entry, "topic", name, origin);
    }
}

/* Nodes are host:port. */
static void read_nodes(ConfigDoc *d, const YamlNode *node, ConfigBus *b)
{
    char host[256];
    u16 port;
    const YamlNode **texts = config_fill_texts(d, node, "nodes", &b->node_count);
    b->nodes = arena_array(d->a, const char *, b->node_count + 1);
    for (u32 i = 0; i < b->node_count; i++) {
        b->nodes[i] = texts[i]->text;
        if (sock_address(texts[i]->text, host, sizeof host, &port) != E_OK)
            config_doc_wrong(d, texts[i], NULL, "V-08", "\"%.200s\" is not host:port",
                             texts[i]->text);
    }
}

/* The log's folder, apart from what others own. */
static void check_log(ConfigDoc *d, const Config *c, const YamlNode *node, ConfigBus *b)
{
    const YamlNode *path = config_doc_child(node, "logPath", YAML_TEXT);
    if (b->log_size_max && b->log_file_size && b->log_size_max < 2 * b->log_file_size)
        config_doc_wrong(d, yaml_find(node, "maxLogSize"), NULL, "key",
                         "maxLogSize is less than twice logFileSize");
    if (!path) return;
    b->log_path = config_source_folder(d, path, "key", false);
    if (!b->log_path) return;
    if (c->idb && strcmp(b->log_path, dir_join(d->a, c->idb->base, "wal", NULL)) == 0) return;
    for (u32 i = 0; i < c->mount_count; i++) {
        const char *base = c->mounts[i].base;
        if (!*base || !config_source_meet(b->log_path, base)) continue;
        config_doc_wrong(d, path, NULL, "key",
                         "the log and the folder of mount %s, %.200s, are not apart",
                         c->mounts[i].name, base);
        return;
    }
    for (u32 i = 0; i < c->date_tier_count; i++) {
        const Tier *t = &c->date_tiers[i];
        if (!t->own_store || t->object || !config_source_meet(b->log_path, t->store)) continue;
        config_doc_wrong(d, path, NULL, "key", "the log and the store of tier %s are not apart",
                         t->name);
        return;
    }
}

/* V-08 of one stream. */
static void build_bus(ConfigDoc *d, const Config *c, YamlNode *node, ConfigBus *b)
{
    config_fill(d, CONFIG_KEY_BUS, node, b);
    read_nodes(d, node, b);
    check_log(d, c, node, b);
    if (!b->protocol) return;
    bool rt = strcmp(b->protocol, "rt") == 0;
    if (rt && (!b->topic || !*b->topic))
        config_doc_wrong(d, node, "topic", "V-08", "protocol rt needs a topic");
    if (!rt && !b->node_count)
        config_doc_wrong(d, node, "nodes", "V-08", "protocol %s needs a node, host:port",
                         b->protocol);
    if (!rt && b->node_count > 1)
        config_doc_warn(d, node, "nodes", "V-08", "protocol %s uses the first node only",
                        b->protocol);
}

/* V-09: the stream that the manager serves. */
static void find_source(ConfigDoc *d, Config *c)
{
    const YamlNode *sm =
        config_doc_child(config_doc_child(d->root, "elements", YAML_MAP), "sm", YAML_MAP);
    const YamlNode *source = config_doc_child(sm, "source", YAML_TEXT);
    for (u32 i = 0; source && i < c->bus_count; i++)
        if (strcmp(c->bus[i].name, source->text) == 0) c->source = &c->bus[i];
    if (source && !c->source)
        config_doc_wrong(d, source, NULL, "V-09", "no stream is named \"%.128s\"", source->text);
}

void config_bus_build(ConfigDoc *d, Config *c)
{
    const YamlNode *bus = config_doc_child(d->root, "bus", YAML_MAP);
    if (!bus) return;
    if (bus->count > CONFIG_BUS_MAX) {
        config_doc_wrong(d, bus, NULL, "V-08", "more than %d streams", CONFIG_BUS_MAX);
        return;
    }
    c->bus = arena_array(d->a, ConfigBus, bus->count + 1);
    for (u32 i = 0; i < bus->count; i++) {
        const YamlEntry *e = &bus->entries[i];
        if (e->value->kind != YAML_MAP) continue;
        ConfigBus *b = &c->bus[c->bus_count++];
        b->name = e->key;
        (void)config_fill_name_ok(d, bus, e->key, "stream");
        build_bus(d, c, e->value, b);
    }
    find_source(d, c);
}
