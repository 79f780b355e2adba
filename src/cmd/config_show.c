/*
 * config_show: prints the document in force as YAML, each value with where it comes from.
 *
 * Keys come in the order of the table of keys, entries of maps and lists in that of the document;
 * tiers in the order in which data moves. Keys without effect here are listed as comments at the
 * end, so that the text loads to the same configuration again. Text is written plain where that
 * cannot be taken for anything else, else in double quotes.
 */
#include "cmd/config_doc.h"
#include "cmd/config_key.h"

#define COMMENT_COLUMN 48

typedef struct {
    Buf *out;
    u64 line_start;
} Show;

static Err show_section(Show *s, ConfigKeySection section, const YamlNode *map, u32 indent);

static bool plain_ok(const char *text)
{
    static const char *const words[] = {"null", "Null", "NULL", "~"};
    u64 size = strlen(text);
    if (!size || text[size - 1] == ':') return false;
    for (u32 i = 0; i < COUNT_OF(words); i++)
        if (strcmp(text, words[i]) == 0) return false;
    for (u64 i = 0; i < size; i++) {
        char c = text[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!alnum && !strchr("_/.", c) && !(i && strchr(":-+@", c)) &&
            !(i && c == ' ' && i + 1 < size && text[i - 1] != ':'))
            return false;
    }
    return true;
}

static Err show_text(Show *s, const char *text)
{
    if (plain_ok(text)) return buf_text(s->out, text);
    Err err = buf_byte(s->out, '"');
    for (const char *p = text; !err && *p; p++) {
        u8 c = (u8)*p;
        if (c == '"' || c == '\\')
            err = buf_format(s->out, "\\%c", c);
        else if (c < 0x20)
            err = buf_format(s->out, "\\x%02x", c);
        else
            err = buf_byte(s->out, c);
    }
    return err ? err : buf_byte(s->out, '"');
}

/* Begins a line: an indent and a key. */
static Err show_head(Show *s, u32 indent, const char *key)
{
    Err err = E_OK;
    s->line_start = s->out->size;
    TRY(buf_format(s->out, "%*s", (int)indent, ""));
    TRY(show_text(s, key));
    TRY(buf_byte(s->out, ':'));
done:
    return err;
}

/* Ends a line with the origin of its value. */
static Err show_origin(Show *s, const YamlNode *n)
{
    u64 width = s->out->size - s->line_start;
    int gap = width < COMMENT_COLUMN ? (int)(COMMENT_COLUMN - width) : 1;
    if (n->line && n->origin)
        return buf_format(s->out, "%*s# line %u, %s\n", gap, "", n->line, n->origin);
    if (n->line) return buf_format(s->out, "%*s# line %u\n", gap, "", n->line);
    return n->origin ? buf_format(s->out, "%*s# %s\n", gap, "", n->origin) : buf_byte(s->out, '\n');
}

static Err show_scalar(Show *s, const YamlNode *n)
{
    Err err = buf_byte(s->out, ' ');
    if (!err) err = show_text(s, n->text);
    return err ? err : show_origin(s, n);
}

/* A list of texts, in one line. */
static Err show_texts(Show *s, const YamlNode *n)
{
    Err err = E_OK;
    if (n->kind == YAML_TEXT) return show_scalar(s, n);
    TRY(buf_text(s->out, " ["));
    for (u32 i = 0; i < n->count; i++) {
        TRY(buf_text(s->out, i ? ", " : ""));
        TRY(show_text(s, n->entries[i].value->text));
    }
    TRY(buf_byte(s->out, ']'));
    TRY(show_origin(s, n));
done:
    return err;
}

/* The entries of a map of texts or of sections. */
static Err show_entries(Show *s, const ConfigKey *k, const YamlNode *n, u32 indent)
{
    Err err = E_OK;
    for (u32 i = 0; i < n->count; i++) {
        const YamlNode *value = n->entries[i].value;
        TRY(show_head(s, indent, n->entries[i].key));
        if (k->type == CONFIG_KEY_PAIRS) {
            TRY(show_scalar(s, value));
        } else {
            TRY(show_origin(s, value));
            TRY(show_section(s, k->inner, value, indent + 2));
        }
    }
done:
    return err;
}

static Err show_list(Show *s, const ConfigKey *k, const YamlNode *n, u32 indent)
{
    Err err = E_OK;
    for (u32 i = 0; i < n->count; i++) {
        u64 from = s->out->size;
        TRY(show_section(s, k->inner, n->entries[i].value, indent + 2));
        ASSERT(s->out->size > from + indent); /* a name at least: the dash goes into its indent */
        s->out->data[from + indent] = '-';
    }
done:
    return err;
}

static Err show_value(Show *s, const ConfigKey *k, const YamlNode *n, u32 indent)
{
    Err err;
    if (n->kind != YAML_TEXT && !n->count) {
        err = buf_text(s->out, n->kind == YAML_MAP ? " {}" : " []");
        return err ? err : show_origin(s, n);
    }
    switch (k->type) {
    case CONFIG_KEY_TEXTS: return show_texts(s, n);
    case CONFIG_KEY_SECTION:
        err = buf_byte(s->out, '\n');
        return err ? err : show_section(s, k->inner, n, indent + 2);
    case CONFIG_KEY_MAP:
    case CONFIG_KEY_PAIRS:
        err = buf_byte(s->out, '\n');
        return err ? err : show_entries(s, k, n, indent + 2);
    case CONFIG_KEY_LIST:
        err = buf_byte(s->out, '\n');
        return err ? err : show_list(s, k, n, indent + 2);
    default: return show_scalar(s, n);
    }
}

static Err show_section(Show *s, ConfigKeySection section, const YamlNode *map, u32 indent)
{
    Err err = E_OK;
    u32 count;
    const ConfigKey *keys = config_key_all(&count);
    for (u32 i = 0; i < count; i++) {
        const ConfigKey *k = &keys[i];
        const YamlNode *n = yaml_find(map, k->name);
        if (k->section != section || !n || k->use == CONFIG_KEY_IGNORED ||
            k->type == CONFIG_KEY_ANY)
            continue;
        if (section == CONFIG_KEY_ASSEMBLY && strcmp(k->name, "overrides") == 0)
            continue; /* laid over already */
        TRY(show_head(s, indent, k->name));
        TRY(show_value(s, k, n, indent));
    }
done:
    return err;
}

/* What the document cannot say: folders that follow from others, keys without effect. */
static Err show_notes(const Config *c, Buf *out)
{
    Err err = E_OK;
    TRY(buf_format(out, "\n# folders\n#   stream's log: %s%s\n",
                   c->source->log_path ? c->source->log_path : c->idb->base,
                   c->source->log_path ? "" : "/wal"));
    for (u32 i = 0; i < c->tier_count; i++)
        if (*c->tiers[i].store)
            TRY(buf_format(out, "#   tier %s: %s\n", c->tiers[i].name, c->tiers[i].store));
    bool objects = false;
    for (u32 i = 0; i < c->tier_count; i++)
        objects |= c->tiers[i].object;
    bool attr = false;
    for (u32 i = 0; i < c->tables.count; i++)
        for (u32 j = 0; j < c->tables.tables[i]->column_count; j++)
            attr |= c->tables.tables[i]->columns[j].attr[PLACE_OBJ] != 0;
    if (attr && !objects)
        TRY(buf_text(out, "\n# attrObj has no effect: no tier is an object store\n"));
    if (c->doc->note_count) TRY(buf_text(out, "\n# ignored here\n"));
    for (u32 i = 0; i < c->doc->note_count; i++) {
        const ConfigDocNote *n = &c->doc->notes[i];
        TRY(buf_format(out, "#   line %u, %s: %s\n", n->line, n->path, n->why));
    }
done:
    return err;
}

Err config_show(const Config *c, Buf *out)
{
    Show s = {.out = out};
    Err err = E_OK;
    ASSERT(c->doc && !c->doc->wrong && c->source && c->idb);
    TRY(buf_format(out, "# %s\n", c->file));
    TRY(show_section(&s, CONFIG_KEY_ASSEMBLY, c->doc->root, 0));
    TRY(show_notes(c, out));
done:
    return err;
}
