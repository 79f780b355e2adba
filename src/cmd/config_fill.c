/*
 * config_fill: walks the table of keys, not the document, so that defaults and missing keys are met
 * as well.
 *
 * Values are stored by the offset and width that the table takes from the struct's own declaration.
 * Lists, maps and sections are left to the code of the section; that they have the right kind was
 * checked by config_shape.
 */
#include "cmd/config_fill.h"
#include "cmd/config_value.h"

static void store_whole(void *target, const ConfigKey *k, i64 value)
{
    u8 *at = (u8 *)target + k->field.offset;
    if (k->unit) value /= k->unit;
    switch (k->field.width) {
    case 0: break;
    case 1: *at = (u8)value; break;
    case 2: store_u16(at, (u16)value); break;
    case 4: store_u32(at, (u32)value); break;
    default:
        ASSERT(k->field.width == 8);
        store_u64(at, (u64)value);
        break;
    }
}

static void store_value(void *target, const ConfigKey *k, const YamlNode *node, ConfigValue v)
{
    void *at = (u8 *)target + k->field.offset;
    if (!k->field.width) return;
    switch (k->type) {
    case CONFIG_KEY_TEXT:
    case CONFIG_KEY_NAME:
    case CONFIG_KEY_WORD:
        ASSERT(k->field.width == sizeof node->text);
        memcpy(at, &node->text, sizeof node->text);
        break;
    case CONFIG_KEY_REAL:
        ASSERT(k->field.width == sizeof v.real);
        memcpy(at, &v.real, sizeof v.real);
        break;
    case CONFIG_KEY_CHOICE: store_whole(target, k, v.whole + k->first); break;
    default: store_whole(target, k, v.whole); break;
    }
}

static const char *rule_of(const ConfigKey *k) { return k->rule ? k->rule : "key"; }

/* Checks one text, which stands at `node`. */
static bool check_text(ConfigDoc *d, const ConfigKey *k, const YamlNode *node, ConfigValue *v)
{
    if (config_value_parse(k, node->text, v)) return true;
    config_doc_wrong(d, node, NULL, rule_of(k), "%s takes %s, not \"%.100s\"", k->name,
                     config_value_words(d->a, k), node->text);
    return false;
}

static void fill_key(ConfigDoc *d, const ConfigKey *k, YamlNode *map, void *target)
{
    ConfigValue v;
    YamlNode *node = yaml_find(map, k->name);
    bool nothing =
        !node || (k->type == CONFIG_KEY_CHOICE && node->kind == YAML_TEXT && !*node->text);
    if (nothing && k->use == CONFIG_KEY_REQUIRED)
        config_doc_wrong(d, map, k->name, rule_of(k), "%s is required: %s", k->name,
                         config_value_words(d->a, k));
    if (nothing && !k->preset) return;
    if (nothing) node = yaml_put(d->a, map, k->name, k->preset, "default");
    if (k->type == CONFIG_KEY_TEXTS && node->kind == YAML_LIST) {
        for (u32 i = 0; i < node->count; i++)
            if (node->entries[i].value->kind == YAML_TEXT)
                (void)check_text(d, k, node->entries[i].value, &v);
        return;
    }
    if (node->kind == YAML_TEXT && check_text(d, k, node, &v)) store_value(target, k, node, v);
}

void config_fill(ConfigDoc *d, ConfigKeySection section, YamlNode *map, void *target)
{
    u32 count;
    const ConfigKey *keys = config_key_all(&count);
    for (u32 i = 0; i < count; i++) {
        const ConfigKey *k = &keys[i];
        if (k->section == section &&
            (k->use == CONFIG_KEY_OPTIONAL || k->use == CONFIG_KEY_REQUIRED))
            fill_key(d, k, map, target);
    }
}

const YamlNode **config_fill_texts(ConfigDoc *d, const YamlNode *map, const char *key, u32 *count)
{
    const YamlNode *node = yaml_find(map, key);
    *count = 0;
    if (!node || node->kind == YAML_MAP) return NULL;
    const YamlNode **texts =
        arena_array(d->a, const YamlNode *, node->kind == YAML_LIST ? node->count + 1 : 1);
    if (node->kind == YAML_TEXT && *node->text) texts[(*count)++] = node;
    for (u32 i = 0; i < node->count; i++)
        if (node->entries[i].value->kind == YAML_TEXT) texts[(*count)++] = node->entries[i].value;
    return texts;
}

bool config_fill_name_ok(ConfigDoc *d, const YamlNode *map, const char *name, const char *what)
{
    static const ConfigKey key = {.type = CONFIG_KEY_NAME};
    ConfigValue v;
    if (config_value_parse(&key, name, &v)) return true;
    config_doc_wrong(d, map, name, "name",
                     "the name of a %s has at most 128 letters, digits, _, - and . and begins with "
                     "neither - nor .",
                     what);
    return false;
}
