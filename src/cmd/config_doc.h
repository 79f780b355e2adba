/*
 * config_doc: the document behind a configuration: its tree, and what was found wrong with it.
 *
 * The tree starts as the file has it; overrides, flags, environment and defaults are put into it as
 * nodes that know where they come from. All values are read from that one tree, so every finding
 * has a place, and `silt config show` prints it. It lives in the arena of the Config; one thread
 * while loading, immutable afterwards.
 */
#ifndef CMD_CONFIG_DOC_H
#define CMD_CONFIG_DOC_H

#include "cmd/config.h"
#include "cmd/yaml.h"

/* A key that has no effect here. */
typedef struct {
    u32 line;
    const char *path, *why;
} ConfigDocNote;

struct ConfigDoc {
    Arena *a; /* only while loading */
    const char *file;
    YamlNode
        *root; /* the assembly in force: below spec in the wrapped shape; NULL when there is none */
    bool wrapped;
    ConfigFinding *findings;
    u32 finding_count, finding_room;
    u32 unlisted; /* findings beyond CONFIG_FINDINGS_MAX */
    bool wrong;   /* one of them is no warning */
    ConfigDocNote *notes;
    u32 note_count, note_room;
};

/* Reads the file, checks the names and shapes of all keys, and lays the overrides over it
 * (comma-separated; NULL = none). What is wrong becomes a finding; an Err is for a file that cannot
 * be read. */
MUST_USE Err config_doc_read(ConfigDoc *d, const char *overrides);

/* Adds a finding about a node, or about `key` (which may be missing) of the map `node`. */
void config_doc_wrong(ConfigDoc *d, const YamlNode *node, const char *key, const char *rule,
                      const char *format, ...) PRINTF(5, 6);

/* The same as a warning. */
void config_doc_warn(ConfigDoc *d, const YamlNode *node, const char *key, const char *rule,
                     const char *format, ...) PRINTF(5, 6);

/* Notes a key of the map `node` that has no effect. */
void config_doc_note(ConfigDoc *d, const YamlNode *node, const char *key, const char *why);

/* The child of a map when it is of that kind; NULL otherwise (a wrong kind is already a
 * finding). */
YamlNode *config_doc_child(const YamlNode *map, const char *key, YamlKind kind);

/* Sorts the findings by place and ends the list. */
void config_doc_finish(ConfigDoc *d);

#endif
