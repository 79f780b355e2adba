/*
 * yaml: libyaml's events become a tree. The only file that sees libyaml.
 *
 * libyaml keeps the raw text of scalars, which saves us from YAML 1.1's sexagesimal numbers, but it
 * lets duplicate keys pass and leaves `<<` to its callers. Both are done here, when a map ends
 * (map_finish).
 *
 * What a document can make us do is bounded: read_node and copy_node are the only ways to make a
 * node from a file; both count nodes against YAML_NODES_MAX and depth against BOUND_DEPTH_MAX, so
 * neither deep nesting nor aliases of aliases can exhaust stack or memory. An alias is copied, not
 * shared: every node then has one parent, and so one path. An anchor becomes known when its node is
 * complete; an alias inside its own node is therefore an unknown one. Keys are looked up by a
 * linear walk up to SET_LINEAR_MAX of them and by hash beyond.
 */
#include "cmd/yaml.h"
#include "base/bounds.h"
#include "base/buf.h"
#include "base/map.h"

#include <yaml.h>

#define SET_LINEAR_MAX 32
#define PATH_STEP_MAX  200 /* bytes of one key shown in a path */

typedef struct {
    yaml_parser_t parser;
    Arena *a;
    const YamlReport *report;
    u32 node_count;
    Map anchors; /* name to place in `anchored` */
    YamlNode **anchored;
    u32 anchored_count, anchored_room;
} Reader;

/* The keys kept so far of a map that is being put together. */
typedef struct {
    YamlNode *map;
    Map index; /* filled only beyond SET_LINEAR_MAX keys */
} KeySet;

static YamlNode *new_node(Arena *a, YamlKind kind, const YamlNode *parent, const char *name)
{
    YamlNode *n = arena_new(a, YamlNode);
    n->kind = kind;
    n->parent = parent;
    n->name = name;
    return n;
}

static void append_entry(Arena *a, YamlNode *n, YamlEntry entry)
{
    if (n->count == n->room) {
        u32 room = n->room ? n->room * 2 : 4;
        YamlEntry *entries = arena_array(a, YamlEntry, room);
        if (n->count) memcpy(entries, n->entries, n->count * sizeof *entries);
        n->entries = entries;
        n->room = room;
    }
    n->entries[n->count++] = entry;
}

/* Reports a violated rule at a place; `where` is the node it concerns, or the one around it. */
static Err refuse(Reader *r, Err code, const YamlNode *where, const yaml_mark_t *mark,
                  const char *text)
{
    u32 line = (u32)mark->line + 1, column = (u32)mark->column + 1;
    r->report->found(r->report->arg, line, column, yaml_path(r->a, where, NULL), text);
    return fail(code, "line %u, column %u: %s", line, column, text);
}

static Err next_event(Reader *r, yaml_event_t *event)
{
    if (yaml_parser_parse(&r->parser, event)) return E_OK;
    const yaml_parser_t *p = &r->parser;
    if (p->error == YAML_MEMORY_ERROR)
        return refuse(r, E_MEMORY, NULL, &p->mark, "no memory for the parser");
    const char *problem = p->problem ? p->problem : "not YAML";
    const yaml_mark_t *mark = p->error == YAML_READER_ERROR ? &p->mark : &p->problem_mark;
    char text[256];
    snprintf(text, sizeof text, "%s%s%s", p->context ? p->context : "", p->context ? ": " : "",
             problem);
    return refuse(r, E_USAGE, NULL, mark, text);
}

static bool tag_known(const yaml_char_t *tag)
{
    static const char *const known[] = {"!",    "str", "int", "float",    "bool",
                                        "null", "map", "seq", "timestamp"};
    static const char prefix[] = "tag:yaml.org,2002:";
    if (!tag) return true;
    const char *name = (const char *)tag;
    if (strncmp(name, prefix, sizeof prefix - 1) == 0) name += sizeof prefix - 1;
    for (u32 i = 0; i < COUNT_OF(known); i++)
        if (strcmp(name, known[i]) == 0) return true;
    return false;
}

/* Makes a node that stands in the file, within the bounds. */
static Err count_node(Reader *r, YamlNode *n, const yaml_mark_t *mark, u32 depth)
{
    n->line = (u32)mark->line + 1;
    n->column = (u32)mark->column + 1;
    if (depth > BOUND_DEPTH_MAX)
        return refuse(r, E_LIMIT, n->parent, mark, "nested too deep (bound: 64 levels)");
    if (++r->node_count > YAML_NODES_MAX)
        return refuse(r, E_LIMIT, n->parent, mark,
                      "too many values (bound: 524288, aliases counted each time)");
    return E_OK;
}

static Err copy_node(Reader *r, const YamlNode *from, const yaml_mark_t *mark, u32 depth,
                     YamlNode *to)
{
    const YamlNode *parent = to->parent;
    const char *name = to->name;
    u32 at = to->at;
    Err err = count_node(r, to, mark, depth);
    if (err) return err;
    *to = *from;
    to->parent = parent;
    to->name = name;
    to->at = at;
    to->count = to->room = 0;
    to->entries = NULL;
    for (u32 i = 0; i < from->count; i++) {
        YamlEntry entry = from->entries[i];
        YamlNode *child = new_node(r->a, YAML_TEXT, to, entry.key);
        child->at = i;
        err = copy_node(r, entry.value, mark, depth + 1, child);
        if (err) return err;
        entry.value = child;
        append_entry(r->a, to, entry);
    }
    return E_OK;
}

static void remember_anchor(Reader *r, Str anchor, YamlNode *n)
{
    if (r->anchored_count == r->anchored_room) {
        u32 room = r->anchored_room ? r->anchored_room * 2 : 16;
        YamlNode **grown = arena_array(r->a, YamlNode *, room);
        if (r->anchored_count) memcpy(grown, r->anchored, r->anchored_count * sizeof *grown);
        r->anchored = grown;
        r->anchored_room = room;
    }
    map_put(&r->anchors, anchor, (i32)r->anchored_count);
    r->anchored[r->anchored_count++] = n;
}

static i32 set_find(KeySet *set, const char *key)
{
    if (set->map->count > SET_LINEAR_MAX) return map_find(&set->index, str_of(key));
    for (u32 i = 0; i < set->map->count; i++)
        if (strcmp(set->map->entries[i].key, key) == 0) return (i32)i;
    return -1;
}

static void set_add(Arena *a, KeySet *set, YamlEntry entry)
{
    entry.value->parent = set->map;
    entry.value->name = entry.key;
    append_entry(a, set->map, entry);
    if (set->map->count <= SET_LINEAR_MAX) return;
    u32 from = set->index.count ? set->map->count - 1 : 0;
    for (u32 i = from; i < set->map->count; i++)
        map_put(&set->index, str_of(set->map->entries[i].key), (i32)i);
}

static bool is_merge(const YamlEntry *e) { return e->plain && strcmp(e->key, "<<") == 0; }

/* Adds the pairs of a merged map whose keys the map does not have. */
static Err merge_map(Reader *r, KeySet *set, const YamlNode *from)
{
    if (from->kind != YAML_MAP) {
        yaml_mark_t mark = {0, from->line - 1, from->column - 1};
        return refuse(r, E_USAGE, from, &mark, "<< takes a map or a list of maps");
    }
    for (u32 i = 0; i < from->count; i++)
        if (set_find(set, from->entries[i].key) < 0) set_add(r->a, set, from->entries[i]);
    return E_OK;
}

static void report_twice(Reader *r, const YamlNode *map, const YamlEntry *e, u32 first_line)
{
    char text[64];
    snprintf(text, sizeof text, "key given twice, first in line %u", first_line);
    r->report->found(r->report->arg, e->line, e->column, yaml_path(r->a, map, e->key), text);
}

/* Drops keys given twice and carries merges out: explicit keys win, then earlier merged maps. */
static Err map_finish(Reader *r, YamlNode *map)
{
    YamlEntry *all = map->entries;
    const YamlEntry *merge = NULL;
    u32 count = map->count;
    KeySet set = {.map = map};
    Err err = E_OK;
    ASSERT(all || !count);
    map->entries = NULL;
    map->count = map->room = 0;
    for (u32 i = 0; i < count; i++) {
        const YamlEntry *first = merge;
        if (!is_merge(&all[i])) {
            i32 at = set_find(&set, all[i].key);
            ASSERT(at < (i32)map->count && (at < 0 || map->entries));
            first = at < 0 ? NULL : &map->entries[at];
        }
        if (first)
            report_twice(r, map, &all[i], first->line);
        else if (is_merge(&all[i]))
            merge = &all[i];
        else
            set_add(r->a, &set, all[i]);
    }
    if (merge && merge->value->kind == YAML_LIST) {
        for (u32 i = 0; i < merge->value->count; i++)
            TRY(merge_map(r, &set, merge->value->entries[i].value));
    } else if (merge) {
        TRY(merge_map(r, &set, merge->value));
    }
done:
    map_free(&set.index);
    return err;
}

static Err read_node(Reader *r, const yaml_event_t *event, u32 depth, YamlNode *n);

/* Reads the key that `event` begins. */
static Err read_key(Reader *r, const YamlNode *map, const yaml_event_t *event, YamlEntry *entry)
{
    if (event->type != YAML_SCALAR_EVENT)
        return refuse(r, E_USAGE, map, &event->start_mark, "a key must be text");
    const char *text = (const char *)event->data.scalar.value;
    u64 size = event->data.scalar.length;
    if (memchr(text, 0, size))
        return refuse(r, E_USAGE, map, &event->start_mark, "zero byte in a key");
    entry->key = arena_text(r->a, text, size);
    entry->line = (u32)event->start_mark.line + 1;
    entry->column = (u32)event->start_mark.column + 1;
    entry->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return E_OK;
}

/* Reads what stands in a map or list up to its end. */
static Err read_children(Reader *r, u32 depth, YamlNode *n)
{
    yaml_event_type_t end = n->kind == YAML_MAP ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
    for (;;) {
        yaml_event_t event;
        YamlEntry entry = {0};
        Err err = next_event(r, &event);
        if (err) return err;
        if (event.type == end) {
            yaml_event_delete(&event);
            return n->kind == YAML_MAP ? map_finish(r, n) : E_OK;
        }
        if (n->kind == YAML_MAP) {
            err = read_key(r, n, &event, &entry);
            yaml_event_delete(&event);
            if (!err) err = next_event(r, &event);
            if (err) return err;
        }
        entry.value = new_node(r->a, YAML_TEXT, n, entry.key);
        entry.value->at = n->count;
        err = read_node(r, &event, depth + 1, entry.value);
        yaml_event_delete(&event);
        if (err) return err;
        append_entry(r->a, n, entry);
    }
}

static Err read_text(Reader *r, const yaml_event_t *event, YamlNode *n)
{
    const char *text = (const char *)event->data.scalar.value;
    u64 size = event->data.scalar.length;
    if (memchr(text, 0, size))
        return refuse(r, E_USAGE, n, &event->start_mark, "zero byte in a text");
    n->text = arena_text(r->a, text, size);
    n->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return E_OK;
}

/* Fills the node that `event` begins; the caller deletes the event. */
static Err read_node(Reader *r, const yaml_event_t *event, u32 depth, YamlNode *n)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    if (event->type == YAML_ALIAS_EVENT) {
        i32 known = map_find(&r->anchors, str_of((const char *)event->data.alias.anchor));
        if (known < 0)
            return refuse(r, E_USAGE, n, &event->start_mark,
                          "alias of an anchor that is not complete before it");
        return copy_node(r, r->anchored[known], &event->start_mark, depth, n);
    }
    Err err = count_node(r, n, &event->start_mark, depth);
    if (err) return err;
    if (event->type == YAML_SCALAR_EVENT) {
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        err = read_text(r, event, n);
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        n->kind = YAML_MAP;
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
        err = read_children(r, depth, n);
    } else {
        ASSERT(event->type == YAML_SEQUENCE_START_EVENT);
        n->kind = YAML_LIST;
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
        err = read_children(r, depth, n);
    }
    if (!err && !tag_known(tag)) err = refuse(r, E_USAGE, n, &event->start_mark, "unknown tag");
    if (!err && anchor) remember_anchor(r, str_of((const char *)anchor), n);
    return err;
}

/* Skips the event that must come now; *there tells whether it was there. */
static Err read_frame(Reader *r, yaml_event_type_t type, bool *there)
{
    yaml_event_t event;
    Err err = next_event(r, &event);
    if (err) return err;
    *there = event.type == type;
    yaml_event_delete(&event);
    return E_OK;
}

static Err read_document(Reader *r, YamlNode *root)
{
    bool there;
    yaml_event_t event;
    Err err = read_frame(r, YAML_STREAM_START_EVENT, &there);
    if (!err) err = read_frame(r, YAML_DOCUMENT_START_EVENT, &there);
    if (err) return err;
    if (!there) return refuse(r, E_USAGE, NULL, &r->parser.mark, "the document is empty");
    err = next_event(r, &event);
    if (err) return err;
    err = read_node(r, &event, 1, root);
    yaml_event_delete(&event);
    if (!err) err = read_frame(r, YAML_DOCUMENT_END_EVENT, &there);
    if (!err) err = read_frame(r, YAML_STREAM_END_EVENT, &there);
    if (err) return err;
    return there ? E_OK : refuse(r, E_USAGE, NULL, &r->parser.mark, "more than one document");
}

Err yaml_read(Arena *a, Str document, const YamlReport *report, YamlNode **root)
{
    Reader r = {.a = a, .report = report};
    *root = NULL;
    if (!yaml_parser_initialize(&r.parser)) return fail(E_MEMORY, "no memory for the YAML parser");
    yaml_parser_set_input_string(
        &r.parser, (const unsigned char *)(document.data ? document.data : ""), document.size);
    YamlNode *n = new_node(a, YAML_TEXT, NULL, NULL);
    Err err = read_document(&r, n);
    if (!err) *root = n;
    yaml_parser_delete(&r.parser);
    map_free(&r.anchors);
    return err;
}

bool yaml_is_null(const YamlNode *node)
{
    if (node->kind != YAML_TEXT || !node->plain) return false;
    const char *t = node->text;
    return !*t || !strcmp(t, "~") || !strcmp(t, "null") || !strcmp(t, "Null") || !strcmp(t, "NULL");
}

static YamlEntry *find_entry(const YamlNode *map, const char *key)
{
    if (!map || map->kind != YAML_MAP) return NULL;
    for (u32 i = 0; i < map->count; i++)
        if (strcmp(map->entries[i].key, key) == 0) return &map->entries[i];
    return NULL;
}

YamlNode *yaml_find(const YamlNode *map, const char *key)
{
    const YamlEntry *e = find_entry(map, key);
    return e && !yaml_is_null(e->value) ? e->value : NULL;
}

/* Puts a node under a key, over what was there. */
static YamlNode *put(Arena *a, YamlNode *map, const char *key, YamlNode *value)
{
    ASSERT(map->kind == YAML_MAP);
    YamlEntry *e = find_entry(map, key);
    if (e) {
        value->name = e->key;
        e->value = value;
    } else {
        value->name = arena_text(a, key, strlen(key));
        append_entry(a, map, (YamlEntry){.key = value->name, .line = value->line, .value = value});
    }
    return value;
}

static YamlNode *made(Arena *a, YamlKind kind, const YamlNode *parent, const char *origin)
{
    YamlNode *n = new_node(a, kind, parent, NULL);
    n->origin = origin;
    return n;
}

YamlNode *yaml_put(Arena *a, YamlNode *map, const char *key, const char *text, const char *origin)
{
    YamlNode *n = made(a, YAML_TEXT, map, origin);
    n->text = arena_text(a, text, strlen(text));
    return put(a, map, key, n);
}

YamlNode *yaml_put_map(Arena *a, YamlNode *map, const char *key, const char *origin)
{
    return put(a, map, key, made(a, YAML_MAP, map, origin));
}

YamlNode *yaml_put_list(Arena *a, YamlNode *map, const char *key, const char *origin)
{
    return put(a, map, key, made(a, YAML_LIST, map, origin));
}

YamlNode *yaml_append_map(Arena *a, YamlNode *list, const char *origin)
{
    YamlNode *n = made(a, YAML_MAP, list, origin);
    n->at = list->count;
    append_entry(a, list, (YamlEntry){.value = n});
    return n;
}

YamlNode *yaml_append(Arena *a, YamlNode *list, const char *text, const char *origin)
{
    YamlNode *n = made(a, YAML_TEXT, list, origin);
    n->text = arena_text(a, text, strlen(text));
    n->at = list->count;
    append_entry(a, list, (YamlEntry){.value = n});
    return n;
}

/* A deep copy that keeps the parent, and so the path, of what it was made from. Its depth is
 * bounded as the original's. */
static YamlNode *clone(Arena *a, const YamlNode *from, const char *origin)
{
    YamlNode *n = arena_new(a, YamlNode);
    *n = *from;
    if (origin) n->origin = origin;
    n->count = n->room = 0;
    n->entries = NULL;
    for (u32 i = 0; i < from->count; i++) {
        YamlEntry entry = from->entries[i];
        entry.value = clone(a, entry.value, origin);
        entry.value->parent = n;
        append_entry(a, n, entry);
    }
    return n;
}

YamlNode *yaml_put_copy(Arena *a, YamlNode *map, const char *key, const YamlNode *from,
                        const char *origin)
{
    return put(a, map, key, clone(a, from, origin));
}

void yaml_overlay(Arena *a, YamlNode *base, const YamlNode *over, const char *origin)
{
    ASSERT(base->kind == YAML_MAP && over->kind == YAML_MAP);
    for (u32 i = 0; i < over->count; i++) {
        const YamlEntry *from = &over->entries[i];
        const YamlEntry *to = find_entry(base, from->key);
        if (to && to->value->kind == YAML_MAP && from->value->kind == YAML_MAP)
            yaml_overlay(a, to->value, from->value, origin);
        else
            yaml_put_copy(a, base, from->key, from->value, origin);
    }
}

const char *yaml_path(Arena *a, const YamlNode *node, const char *key)
{
    const YamlNode *steps[BOUND_DEPTH_MAX + 8];
    u32 count = 0;
    Buf b = {.size_max = 64 * 1024};
    Err err = E_OK;
    for (; node && node->parent && count < COUNT_OF(steps); node = node->parent)
        steps[count++] = node;
    while (count--) {
        const YamlNode *n = steps[count];
        if (n->name)
            TRY(buf_format(&b, "%s%.*s", b.size ? "." : "", PATH_STEP_MAX, n->name));
        else
            TRY(buf_format(&b, "[%u]", n->at));
    }
    if (key) TRY(buf_format(&b, "%s%.*s", b.size ? "." : "", PATH_STEP_MAX, key));
done:;
    const char *path = arena_text(a, buf_str(&b), b.size);
    buf_free(&b);
    return path;
}
