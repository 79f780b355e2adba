/*
 * config_key: the one table of configuration keys: section, name, type, default, bounds, help.
 *
 * It is read by config_shape (are the names known, is each value text, map or list?), config_fill
 * (parse, compare with the bounds, store), config_show and config_reference. A key that stands here
 * is checked and documented; one that does not is an error wherever config_key_tolerant is false.
 * Constant data; any thread.
 */
#ifndef CMD_CONFIG_KEY_H
#define CMD_CONFIG_KEY_H

#include "base/types.h"

/* What stands in one kind of map. */
typedef enum {
    CONFIG_KEY_ASSEMBLY,
    CONFIG_KEY_WRAPPER,
    CONFIG_KEY_METADATA,
    CONFIG_KEY_TABLE,
    CONFIG_KEY_COLUMN,
    CONFIG_KEY_BUS,
    CONFIG_KEY_MOUNT,
    CONFIG_KEY_ELEMENTS,
    CONFIG_KEY_SM,
    CONFIG_KEY_TIER,
    CONFIG_KEY_SCHEDULE,
    CONFIG_KEY_RETAIN,
    CONFIG_KEY_COMPRESSION,
    CONFIG_KEY_INVENTORY,
    CONFIG_KEY_DAP,
    CONFIG_KEY_INSTANCE,
    CONFIG_KEY_SETTINGS,
    CONFIG_KEY_ENCRYPTION,
    CONFIG_KEY_SECTIONS
} ConfigKeySection;

typedef enum {
    CONFIG_KEY_TEXT,     /* any text; stored as const char * */
    CONFIG_KEY_NAME,     /* text made of letters, digits, _ . -; stored as const char * */
    CONFIG_KEY_WORD,     /* one of `choices`; stored as const char * */
    CONFIG_KEY_CHOICE,   /* one of `choices`; stored as its place in them, counted from `first` */
    CONFIG_KEY_BOOL,     /* true or false */
    CONFIG_KEY_INT,      /* a whole number */
    CONFIG_KEY_REAL,     /* a number; stored as f64 */
    CONFIG_KEY_DURATION, /* stored in units of `unit` nanoseconds */
    CONFIG_KEY_SIZE,     /* bytes, with an optional suffix */
    CONFIG_KEY_TEXTS,    /* a list of texts, or one text */
    CONFIG_KEY_PAIRS,    /* a map of texts */
    CONFIG_KEY_SECTION,  /* a map of section `inner` */
    CONFIG_KEY_MAP,      /* a map from names to maps of section `inner` */
    CONFIG_KEY_LIST,     /* a list of maps of section `inner` */
    CONFIG_KEY_ANY       /* not looked at */
} ConfigKeyType;

typedef enum {
    CONFIG_KEY_OPTIONAL,
    CONFIG_KEY_REQUIRED,
    CONFIG_KEY_IGNORED, /* cluster deployments only: noted, without effect here */
    CONFIG_KEY_GONE     /* an old key whose meaning is refused; `help` says what to use */
} ConfigKeyUse;

/* Where in the section's struct a value goes; width 0 = nowhere, the section's own code reads
 * it. */
typedef struct {
    u16 offset, width;
} ConfigKeyField;

typedef struct {
    ConfigKeySection section;
    const char *name;
    ConfigKeyType type;
    ConfigKeyUse use;
    const char *preset;     /* default as text; NULL = absent */
    const char *otherwise;  /* the default in words, where it depends on other keys */
    const char *low, *high; /* bounds in the form of the type; NULL = none */
    const char *choices;    /* words separated by blanks */
    u8 first;               /* number of the first choice */
    u32 unit;               /* nanoseconds of a stored duration's unit, 0 = 1 */
    ConfigKeySection inner;
    ConfigKeyField field;
    const char *rule; /* the rule that a wrong or missing value violates; NULL = "key" */
    const char *help; /* a sentence or two */
} ConfigKey;

/* All keys, in the order of the documentation; *count receives how many. */
const ConfigKey *config_key_all(u32 *count);

/* The key of a name in a section, NULL when unknown. */
const ConfigKey *config_key_find(ConfigKeySection section, const char *name);

/* The heading of a section for documents, and the path it stands at. */
const char *config_key_title(ConfigKeySection section);
const char *config_key_place(ConfigKeySection section);

/* Whether unknown keys of a section are only worth a warning. */
bool config_key_tolerant(ConfigKeySection section);

#endif
