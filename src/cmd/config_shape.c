/*
 * config_shape: one walk over the document, guided by the table of keys. It looks at names and
 * kinds, not at values, and so may also be given an override, in which most keys are missing.
 *
 * A blank value is as good as an absent key. Depth is bounded by the tree's.
 */
#include "cmd/config_shape.h"

static const char *kind_words(YamlKind kind)
{
    return kind == YAML_MAP ? "a map" : kind == YAML_LIST ? "a list" : "a text";
}

static bool expect(ConfigDoc *d, const YamlNode *v, YamlKind kind, const ConfigKey *k,
                   const char *what)
{
    if (v->kind == kind) return true;
    config_doc_wrong(d, v, NULL, "key", "%s takes %s, not %s", k->name, what, kind_words(v->kind));
    return false;
}

/* A list of texts, or one text. */
static void shape_texts(ConfigDoc *d, const ConfigKey *k, const YamlNode *v)
{
    if (v->kind == YAML_TEXT) return;
    if (!expect(d, v, YAML_LIST, k, "a list of texts or one text")) return;
    for (u32 i = 0; i < v->count; i++) {
        const YamlNode *item = v->entries[i].value;
        if (item->kind != YAML_TEXT)
            config_doc_wrong(d, item, NULL, "key", "%s holds texts, not %s", k->name,
                             kind_words(item->kind));
        else if (yaml_is_null(item))
            config_doc_wrong(d, item, NULL, "key", "blank entry in %s", k->name);
    }
}

/* A map or list whose values are `inner` sections, or texts when `pairs`. */
static void shape_values(ConfigDoc *d, const ConfigKey *k, const YamlNode *v, bool pairs)
{
    for (u32 i = 0; i < v->count; i++) {
        const YamlNode *item = v->entries[i].value;
        const char *what = pairs ? "texts" : "maps";
        if (item->kind != (pairs ? YAML_TEXT : YAML_MAP) || (pairs && yaml_is_null(item)))
            config_doc_wrong(d, v, v->entries[i].key, "key", "%s holds %s, not %s", k->name, what,
                             yaml_is_null(item) ? "blank values" : kind_words(item->kind));
        else if (!pairs)
            config_shape(d, k->inner, item);
    }
}

static void shape_value(ConfigDoc *d, const ConfigKey *k, const YamlNode *v)
{
    switch (k->type) {
    case CONFIG_KEY_ANY: break;
    case CONFIG_KEY_TEXTS: shape_texts(d, k, v); break;
    case CONFIG_KEY_PAIRS:
        if (expect(d, v, YAML_MAP, k, "a map of texts")) shape_values(d, k, v, true);
        break;
    case CONFIG_KEY_SECTION:
        if (expect(d, v, YAML_MAP, k, "a map")) config_shape(d, k->inner, v);
        break;
    case CONFIG_KEY_MAP:
        if (expect(d, v, YAML_MAP, k, "a map of names")) shape_values(d, k, v, false);
        break;
    case CONFIG_KEY_LIST:
        if (expect(d, v, YAML_LIST, k, "a list of maps")) shape_values(d, k, v, false);
        break;
    default: (void)expect(d, v, YAML_TEXT, k, "one text"); break;
    }
}

static void shape_unknown(ConfigDoc *d, ConfigKeySection section, const YamlNode *map,
                          const char *name)
{
    if (config_key_tolerant(section))
        config_doc_warn(d, map, name, "key", "unknown key, ignored");
    else
        config_doc_wrong(d, map, name, "key", "unknown key");
}

void config_shape(ConfigDoc *d, ConfigKeySection section, const YamlNode *map)
{
    for (u32 i = 0; i < map->count; i++) {
        const YamlEntry *e = &map->entries[i];
        const ConfigKey *k = config_key_find(section, e->key);
        if (!k) {
            shape_unknown(d, section, map, e->key);
        } else if (k->use == CONFIG_KEY_GONE) {
            config_doc_wrong(d, map, e->key, "key", "%s", k->help);
        } else if (!yaml_is_null(e->value)) {
            if (k->use == CONFIG_KEY_IGNORED) config_doc_note(d, map, e->key, k->help);
            shape_value(d, k, e->value);
        }
    }
}
