/*
 * yaml: a document as a strict tree: raw scalar text, and line and column of every node.
 *
 * Stricter than libyaml: a key given twice, a key that is no text, tags beyond the core ones, zero
 * bytes and a second document are refused. `<<` merges are carried out and aliases copied, so the
 * result is a tree with bounded depth (BOUND_DEPTH_MAX) and size (YAML_NODES_MAX). Everything lives
 * in the arena that was given. One thread at a time.
 */
#ifndef CMD_YAML_H
#define CMD_YAML_H

#include "base/arena.h"
#include "base/fail.h"
#include "base/str.h"

#define YAML_NODES_MAX (1u << 19) /* nodes of a document, copies of aliases included */

typedef enum { YAML_TEXT, YAML_MAP, YAML_LIST } YamlKind;

typedef struct YamlNode YamlNode;

/* One pair of a map, or one element of a list (key NULL). */
typedef struct {
    const char *key;
    u32 line, column; /* of the key */
    bool plain;       /* the key is not quoted */
    YamlNode *value;
} YamlEntry;

struct YamlNode {
    YamlKind kind;
    bool plain;       /* text that is not quoted */
    u32 line, column; /* from 1; 0 = stands in no file */
    const char *text; /* YAML_TEXT: raw, zero-ended, without zero bytes */
    const char
        *origin; /* what else but the file gave it ("default", "flag --idb"); NULL = the file */
    const YamlNode *parent;
    const char *name; /* key in the parent; NULL in a list */
    u32 at;           /* index in a parent list */
    u32 count, room;
    YamlEntry *entries; /* in order */
};

/* Is told of every violated rule with its place; `path` and `text` are good during the call. */
typedef struct {
    void (*found)(void *arg, u32 line, u32 column, const char *path, const char *text);
    void *arg;
} YamlReport;

/* Reads a document. Keys given twice are only reported (the first value stays); for all else the
 * report is followed by E_USAGE, E_LIMIT or E_MEMORY and *root stays NULL. */
MUST_USE Err yaml_read(Arena *a, Str document, const YamlReport *report, YamlNode **root);

/* The value of a key; NULL when it is absent, blank or ~, or when `map` is NULL or no map. */
YamlNode *yaml_find(const YamlNode *map, const char *key);

/* Whether it is a blank, ~ or null that is not quoted. */
bool yaml_is_null(const YamlNode *node);

/* Sets a key of a map to a text, to an empty map, or to a deep copy of a node; returns the new
 * value. A value that was there is replaced in its place. `origin` marks what is new (NULL keeps
 * the file as origin). */
YamlNode *yaml_put(Arena *a, YamlNode *map, const char *key, const char *text, const char *origin);
YamlNode *yaml_put_map(Arena *a, YamlNode *map, const char *key, const char *origin);
YamlNode *yaml_put_copy(Arena *a, YamlNode *map, const char *key, const YamlNode *from,
                        const char *origin);

/* Appends an empty map, or a text, to a list; yaml_put_list sets a key to an empty list. */
YamlNode *yaml_put_list(Arena *a, YamlNode *map, const char *key, const char *origin);
YamlNode *yaml_append_map(Arena *a, YamlNode *list, const char *origin);
YamlNode *yaml_append(Arena *a, YamlNode *list, const char *text, const char *origin);

/* Lays `over` over `base`: maps are merged key by key, all else replaces. `over` is copied. */
void yaml_overlay(Arena *a, YamlNode *base, const YamlNode *over, const char *origin);

/* The path of a node in its document ("tables.trade.columns[2].type"), with `key` (NULL = none)
 * behind it. */
const char *yaml_path(Arena *a, const YamlNode *node, const char *key);

#endif
