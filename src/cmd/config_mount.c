/*
 * config_mount: one local mount for intervals, one for dates, at most one stream; folders apart
 * from each other.
 */
#include "cmd/config_mount.h"
#include "cmd/config_fill.h"
#include "cmd/config_source.h"

#define UNKNOWN                                                                                    \
    99 /* stands for a type or partition whose text was wrong, and is a finding already */

/* Keeps the mount as the one of its kind; a second one is an error. */
static void take(ConfigDoc *d, const YamlNode *node, const Mount *m, const Mount **slot,
                 const char *what)
{
    if (*slot)
        config_doc_wrong(d, node, NULL, "V-10", "a second %s mount: %s is one already", what,
                         (*slot)->name);
    else
        *slot = m;
}

/* V-11: a local mount's folder, apart from those before it. */
static void check_base(ConfigDoc *d, const Config *c, const YamlNode *node, Mount *m)
{
    const YamlNode *uri = config_doc_child(node, "baseURI", YAML_TEXT);
    if (!uri) {
        config_doc_wrong(d, node, "baseURI", "V-11",
                         "a local mount needs baseURI: file:// and an absolute path");
        return;
    }
    const char *base = config_source_folder(d, uri, "V-11", true);
    if (!base) return;
    for (const Mount *other = c->mounts; other < m; other++) {
        if (other->type != MOUNT_LOCAL || !*other->base) continue;
        if (config_source_meet(base, other->base))
            config_doc_wrong(d, uri, NULL, "V-11",
                             "%.200s and the folder of mount %s, %.200s, are not apart", base,
                             other->name, other->base);
    }
    m->base = base;
}

/* V-10: what a mount may be, and how often. */
static void check_kind(ConfigDoc *d, Config *c, const YamlNode *node, Mount *m)
{
    const YamlNode *partition = config_doc_child(node, "partition", YAML_TEXT);
    if ((int)m->type == UNKNOWN || (int)m->partition == UNKNOWN) return;
    if (m->type == MOUNT_STREAM) {
        if (m->partition != MOUNT_NONE)
            config_doc_wrong(d, partition, NULL, "V-10", "a stream mount has partition none");
        take(d, node, m, &c->stream, "stream");
    } else if (m->type == MOUNT_LOCAL) {
        if (m->partition == MOUNT_NONE)
            config_doc_wrong(d, partition, NULL, "V-10",
                             "a local mount has partition ordinal or date");
        if (m->partition == MOUNT_ORDINAL) take(d, node, m, &c->idb, "local ordinal");
        if (m->partition == MOUNT_DATE) take(d, node, m, &c->hdb, "local date");
    }
}

/* Whether a mount's kind could not be read, so that it cannot be missed. */
static bool any_unknown(const Config *c)
{
    for (u32 i = 0; i < c->mount_count; i++)
        if ((int)c->mounts[i].type == UNKNOWN || (int)c->mounts[i].partition == UNKNOWN)
            return true;
    return false;
}

void config_mount_build(ConfigDoc *d, Config *c)
{
    const YamlNode *mounts = config_doc_child(d->root, "mounts", YAML_MAP);
    if (!mounts) return;
    if (mounts->count > CONFIG_MOUNT_MAX) {
        config_doc_wrong(d, mounts, NULL, "V-10", "more than %d mounts", CONFIG_MOUNT_MAX);
        return;
    }
    c->mounts = arena_array(d->a, Mount, mounts->count + 1);
    for (u32 i = 0; i < mounts->count; i++) {
        const YamlEntry *e = &mounts->entries[i];
        Mount *m = &c->mounts[c->mount_count];
        if (e->value->kind != YAML_MAP) continue;
        *m = (Mount){.name = e->key,
                     .type = (MountType)UNKNOWN,
                     .partition = (MountPartition)UNKNOWN,
                     .base = ""};
        c->mount_count++;
        (void)config_fill_name_ok(d, mounts, e->key, "mount");
        config_fill(d, CONFIG_KEY_MOUNT, e->value, m);
        check_kind(d, c, e->value, m);
        if (m->type == MOUNT_LOCAL) check_base(d, c, e->value, m);
    }
    if (any_unknown(c)) return;
    if (!c->idb)
        config_doc_wrong(d, mounts, NULL, "V-10", "no local mount with ordinal partitions");
    if (!c->hdb) config_doc_wrong(d, mounts, NULL, "V-10", "no local mount with date partitions");
}

const Mount *config_mount_find(const Config *c, const char *name)
{
    for (u32 i = 0; i < c->mount_count; i++)
        if (strcmp(c->mounts[i].name, name) == 0) return &c->mounts[i];
    return NULL;
}
