/*
 * config_source: what stands outside the file becomes nodes of the document, with their origin, so
 * that one path parses and checks all values alike and `silt config show` can tell where each comes
 * from.
 *
 *     --idb     SILT_IDB       mounts.<the local ordinal one>.baseURI
 *     --hdb     SILT_HDB       mounts.<the local date one>.baseURI
 *     --wal     SILT_WAL       bus.<the manager's source>.logPath
 *     --sm-port SILT_SM_PORT   elements.sm.port
 *     --da-port SILT_DA_PORT   elements.dap.instances.<each>.port, counting up
 *               KXI_PORT       the port of the process that KXI_SC names; the manager's when it is
 * unset or SM
 */
#include "cmd/config_source.h"
#include "base/bounds.h"
#include "os/dir.h"
#include "os/proc.h"

#define FOLDER_MAX (BOUND_PATH_MAX - 1024) /* leaves room for what we append */

typedef struct {
    const char *text, *origin; /* text NULL = not given */
} Given;

static const char *env(const char *name)
{
    const char *value = proc_env(name);
    return value && *value ? value : NULL;
}

/* The flag when it was given, else the variable. */
static Given given(ConfigDoc *d, const char *flag, const char *flag_name, const char *variable)
{
    if (flag) return (Given){flag, arena_format(d->a, "flag %s", flag_name)};
    return (Given){env(variable), arena_format(d->a, "environment %s", variable)};
}

static Given given_port(ConfigDoc *d, i32 flag, const char *flag_name, const char *variable)
{
    return given(d, flag >= 0 ? arena_format(d->a, "%d", flag) : NULL, flag_name, variable);
}

static bool text_is(const YamlNode *map, const char *key, const char *text)
{
    const YamlNode *n = config_doc_child(map, key, YAML_TEXT);
    return n && strcmp(n->text, text) == 0;
}

/* Puts a folder under a key; a relative one is made absolute. */
static Err put_folder(ConfigDoc *d, YamlNode *map, const char *key, Given g)
{
    const char *text = g.text;
    char *absolute;
    if (strncmp(text, "file://", 7) != 0) {
        Err err = dir_absolute(text, d->a, &absolute);
        if (err) return fail_note(err, "%s", g.origin);
        text = arena_format(d->a, "file://%s", absolute);
    }
    yaml_put(d->a, map, key, text, g.origin);
    return E_OK;
}

/* Gives the local mount of a partition kind another base folder. */
static Err put_base(ConfigDoc *d, const char *partition, Given g)
{
    const YamlNode *mounts = config_doc_child(d->root, "mounts", YAML_MAP);
    if (!g.text || !mounts) return E_OK;
    for (u32 i = 0; i < mounts->count; i++) {
        YamlNode *m = mounts->entries[i].value;
        if (!text_is(m, "type", "local") || !text_is(m, "partition", partition)) continue;
        Err err = put_folder(d, m, "baseURI", g);
        if (err) return err;
    }
    return E_OK;
}

static Err put_log(ConfigDoc *d, const YamlNode *sm, Given g)
{
    const YamlNode *source = config_doc_child(sm, "source", YAML_TEXT);
    const YamlNode *bus = config_doc_child(d->root, "bus", YAML_MAP);
    YamlNode *entry = source ? config_doc_child(bus, source->text, YAML_MAP) : NULL;
    return g.text && entry ? put_folder(d, entry, "logPath", g) : E_OK;
}

/* The port of the i-th instance when the first has this one. */
static const char *port_after(ConfigDoc *d, const char *first, u32 i)
{
    i64 port;
    if (i == 0 || !str_i64(str_of(first), &port) || port == 0) return first;
    return arena_format(d->a, "%lld", (long long)port + i);
}

static void put_ports(ConfigDoc *d, YamlNode *sm, const YamlNode *instances,
                      const ConfigSource *source)
{
    Given manager = given_port(d, source->sm_port, "--sm-port", "SILT_SM_PORT");
    Given reader = given_port(d, source->da_port, "--da-port", "SILT_DA_PORT");
    Given own = given(d, NULL, "", "KXI_PORT");
    const char *class = env("KXI_SC");
    for (u32 i = 0; instances && i < instances->count; i++) {
        YamlNode *instance = instances->entries[i].value;
        if (instance->kind != YAML_MAP) continue;
        if (reader.text)
            yaml_put(d->a, instance, "port", port_after(d, reader.text, i), reader.origin);
        else if (own.text && class && strcmp(class, instances->entries[i].key) == 0)
            yaml_put(d->a, instance, "port", own.text, own.origin);
        else if (!yaml_find(instance, "port"))
            yaml_put(d->a, instance, "port", port_after(d, "5080", i), "default");
    }
    if (!sm) return;
    if (manager.text)
        yaml_put(d->a, sm, "port", manager.text, manager.origin);
    else if (own.text && (!class || strcmp(class, "SM") == 0))
        yaml_put(d->a, sm, "port", own.text, own.origin);
}

Err config_source_apply(ConfigDoc *d, const ConfigSource *source)
{
    const YamlNode *elements = config_doc_child(d->root, "elements", YAML_MAP);
    YamlNode *sm = config_doc_child(elements, "sm", YAML_MAP);
    const YamlNode *dap = config_doc_child(elements, "dap", YAML_MAP);
    put_ports(d, sm, config_doc_child(dap, "instances", YAML_MAP), source);
    Err err = put_base(d, "ordinal", given(d, source->idb, "--idb", "SILT_IDB"));
    if (!err) err = put_base(d, "date", given(d, source->hdb, "--hdb", "SILT_HDB"));
    if (!err) err = put_log(d, sm, given(d, source->wal, "--wal", "SILT_WAL"));
    return err;
}

const char *config_source_folder(ConfigDoc *d, const YamlNode *node, const char *rule,
                                 bool uri_only)
{
    const char *text = node->text;
    char *absolute;
    bool uri = strncmp(text, "file://", 7) == 0;
    const char *path = uri ? text + 7 : text;
    const char *wrong = NULL;
    if ((uri_only && !uri) || path[0] != '/') wrong = "is not file:// and an absolute path";
    if (strlen(path) > FOLDER_MAX) wrong = "is longer than 3072 bytes";
    for (const char *p = path; *p; p++)
        if ((u8)*p < 0x20 || *p == 0x7f) wrong = "has control characters";
    if (!wrong && dir_absolute(path, d->a, &absolute) != E_OK) wrong = "is no path";
    if (!wrong && strcmp(absolute, "/") == 0) wrong = "is the root of all folders";
    if (!wrong) return absolute;
    config_doc_wrong(d, node, NULL, rule, "\"%.200s\" %s", text, wrong);
    return NULL;
}

static bool within(const char *folder, const char *outer)
{
    u64 size = strlen(outer);
    return strncmp(folder, outer, size) == 0 && (folder[size] == 0 || folder[size] == '/');
}

bool config_source_meet(const char *a, const char *b) { return within(a, b) || within(b, a); }
