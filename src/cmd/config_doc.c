/*
 * config_doc: read an assembly file, take off its wrapper, lay the selected overrides over it;
 * collect findings.
 *
 * Names and shapes are checked on what stands in the file, overrides included, before anything is
 * laid over it, so each mistake is told once and at its own place. A map over a map merges,
 * everything else replaces; since both sides passed config_shape, the result has the shape that the
 * keys demand.
 */
#include "cmd/config_doc.h"
#include "base/bounds.h"
#include "cmd/config_shape.h"
#include "os/file.h"

#include <stdarg.h>
#include <stdio.h>

#define OVERRIDES_MAX 64  /* selected at once */
#define TEXT_MAX      512 /* bytes of a finding's text */

static void add_finding(ConfigDoc *d, ConfigFinding f)
{
    ASSERT(d->finding_count < CONFIG_FINDINGS_MAX);
    if (d->finding_count == d->finding_room) {
        u32 room = d->finding_room ? d->finding_room * 2 : 16;
        ConfigFinding *grown =
            arena_array(d->a, ConfigFinding, room + 1); /* one for the count of the unlisted */
        if (d->finding_count) memcpy(grown, d->findings, d->finding_count * sizeof *grown);
        d->findings = grown;
        d->finding_room = room;
    }
    d->findings[d->finding_count++] = f;
}

/* The place of a key of a map, when it stands in the file. */
static bool locate_key(const YamlNode *map, const char *key, u32 *line, u32 *column)
{
    for (u32 i = 0; key && map && map->kind == YAML_MAP && i < map->count; i++) {
        const YamlEntry *e = &map->entries[i];
        if (!e->line || strcmp(e->key, key) != 0) continue;
        *line = e->line;
        *column = e->column;
        return true;
    }
    return false;
}

/* The place that a finding names: a key's; a map's or list's key; a text's own. */
static void locate(const YamlNode *node, const char *key, u32 *line, u32 *column)
{
    *line = node ? node->line : 0;
    *column = node ? node->column : 0;
    if (!node || locate_key(node, key, line, column) || node->kind == YAML_TEXT || !node->line)
        return;
    (void)locate_key(node->parent, node->name, line, column);
}

/* Counts a finding, and tells whether it is still listed; warnings leave room for errors. */
static bool listed(ConfigDoc *d, bool warning)
{
    if (!warning) d->wrong = true;
    if (d->finding_count < (warning ? CONFIG_FINDINGS_MAX / 2 : CONFIG_FINDINGS_MAX)) return true;
    d->unlisted++;
    return false;
}

static void say(ConfigDoc *d, const YamlNode *node, const char *key, const char *rule, bool warning,
                const char *text)
{
    if (!listed(d, warning)) return;
    ConfigFinding f = {.path = yaml_path(d->a, node, key), .rule = rule, .warning = warning};
    locate(node, key, &f.line, &f.column);
    bool foreign = node && node->origin;
    f.text = foreign ? arena_format(d->a, "%s (from %s)", text, node->origin)
                     : arena_text(d->a, text, strlen(text));
    add_finding(d, f);
}

void config_doc_wrong(ConfigDoc *d, const YamlNode *node, const char *key, const char *rule,
                      const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    say(d, node, key, rule, false, text);
}

void config_doc_warn(ConfigDoc *d, const YamlNode *node, const char *key, const char *rule,
                     const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    say(d, node, key, rule, true, text);
}

void config_doc_note(ConfigDoc *d, const YamlNode *node, const char *key, const char *why)
{
    if (d->note_count >= CONFIG_FINDINGS_MAX) return;
    if (d->note_count == d->note_room) {
        u32 room = d->note_room ? d->note_room * 2 : 16;
        ConfigDocNote *grown = arena_array(d->a, ConfigDocNote, room);
        if (d->note_count) memcpy(grown, d->notes, d->note_count * sizeof *grown);
        d->notes = grown;
        d->note_room = room;
    }
    u32 line, column;
    locate(node, key, &line, &column);
    d->notes[d->note_count++] = (ConfigDocNote){line, yaml_path(d->a, node, key), why};
}

YamlNode *config_doc_child(const YamlNode *map, const char *key, YamlKind kind)
{
    YamlNode *n = yaml_find(map, key);
    return n && n->kind == kind ? n : NULL;
}

static void report_yaml(void *arg, u32 line, u32 column, const char *path, const char *text)
{
    ConfigDoc *d = arg;
    if (!listed(d, false)) return;
    ConfigFinding f = {.line = line, .column = column, .rule = "yaml"};
    f.path = arena_text(d->a, path, strlen(path));
    f.text = arena_text(d->a, text, strlen(text));
    add_finding(d, f);
}

/* Finds the assembly in the document, below spec in the wrapped shape, whose metadata.name it takes
 * over. */
static void unwrap(ConfigDoc *d, YamlNode *top)
{
    if (top->kind != YAML_MAP) {
        config_doc_wrong(d, top, NULL, "V-01", "an assembly is a map of keys");
        return;
    }
    d->wrapped = yaml_find(top, "spec") || yaml_find(top, "apiVersion") || yaml_find(top, "kind");
    if (!d->wrapped) {
        config_shape(d, CONFIG_KEY_ASSEMBLY, top);
        d->root = top;
        return;
    }
    config_shape(d, CONFIG_KEY_WRAPPER, top);
    const YamlNode *kind = config_doc_child(top, "kind", YAML_TEXT);
    if (kind && strcmp(kind->text, "Assembly") != 0)
        config_doc_wrong(d, kind, NULL, "key", "kind is Assembly, not %.100s", kind->text);
    d->root = config_doc_child(top, "spec", YAML_MAP);
    if (!d->root) {
        if (!yaml_find(top, "spec"))
            config_doc_wrong(d, top, "spec", "V-01", "the wrapped shape needs spec");
        return;
    }
    const YamlNode *name =
        config_doc_child(config_doc_child(top, "metadata", YAML_MAP), "name", YAML_TEXT);
    if (name && !yaml_find(d->root, "name")) yaml_put_copy(d->a, d->root, "name", name, NULL);
}

/* Lays one override over the assembly. */
static void overlay(ConfigDoc *d, const YamlNode *all, Str name)
{
    char *key = str_dup(d->a, name);
    const YamlNode *over = yaml_find(all, key);
    if (!over)
        config_doc_wrong(d, NULL, NULL, "overrides", "no override is named %.128s", key);
    else if (over->kind == YAML_MAP)
        yaml_overlay(d->a, d->root, over, arena_format(d->a, "override %.128s", key));
}

/* Lays the named overrides over the assembly, later ones over earlier ones. */
static void overlay_all(ConfigDoc *d, const char *names)
{
    const YamlNode *all = config_doc_child(d->root, "overrides", YAML_MAP);
    Str rest = str_of(names), piece, seen[OVERRIDES_MAX];
    u32 count = 0;
    for (u32 i = 0; all && i < all->count; i++)
        if (yaml_find(all->entries[i].value, "overrides"))
            config_doc_wrong(d, all->entries[i].value, "overrides", "key",
                             "an override holds no overrides");
    while (str_split(&rest, ',', &piece)) {
        piece = str_trim(piece);
        if (!piece.size) continue;
        bool again = false;
        for (u32 i = 0; i < count; i++)
            again |= str_eq(seen[i], piece);
        if (again) {
            config_doc_wrong(d, NULL, NULL, "overrides", "override %.*s is selected twice",
                             (int)MIN(piece.size, 128), piece.data);
        } else if (count == OVERRIDES_MAX) {
            config_doc_wrong(d, NULL, NULL, "overrides", "more than %d overrides are selected",
                             OVERRIDES_MAX);
            return;
        } else {
            seen[count++] = piece;
            overlay(d, all, piece);
        }
    }
}

Err config_doc_read(ConfigDoc *d, const char *overrides)
{
    u8 *data;
    u64 size;
    YamlNode *top;
    Err err = file_read_all(d->file, BOUND_CONFIG_MAX, d->a, &data, &size);
    if (err) return fail_note(err, "assembly file");
    YamlReport report = {report_yaml, d};
    err = yaml_read(d->a, (Str){(const char *)data, size}, &report, &top);
    if (err == E_MEMORY) return err;
    if (err) return E_OK; /* the report made it a finding */
    unwrap(d, top);
    if (d->root && overrides) overlay_all(d, overrides);
    return E_OK;
}

/* Whether `a` stands before `b`. */
static bool before(const ConfigFinding *a, const ConfigFinding *b)
{
    return a->line != b->line ? a->line < b->line : a->column < b->column;
}

void config_doc_finish(ConfigDoc *d)
{
    for (u32 i = 1; i < d->finding_count; i++) {
        ConfigFinding f = d->findings[i];
        u32 at = i;
        for (; at > 0 && before(&f, &d->findings[at - 1]); at--)
            d->findings[at] = d->findings[at - 1];
        d->findings[at] = f;
    }
    if (!d->unlisted) return;
    d->findings[d->finding_count++] = (ConfigFinding){
        .path = "",
        .rule = "key",
        .warning = true,
        .text = arena_format(d->a, "%u further findings are not listed", d->unlisted)};
    d->unlisted = 0;
}
