/*
 * config: the assembly file (storage-manager.md section 2), its rules V-01...V-20, and what is in
 * force.
 *
 * One table (config_key.c) names every key with type, default, bounds and help; it parses, checks,
 * prints, and writes the man page. Unknown keys of our sections are errors; keys that only clusters
 * use are read and noted as ignored by `silt config show` (2.8, 2.10). Raw scalar text is kept: no
 * YAML 1.1 sexagesimal numbers.
 *
 * A zeroed Config is valid and empty. All it points to lives in its arena until config_free.
 * Immutable once loaded; any thread may then read it.
 */
#ifndef CMD_CONFIG_H
#define CMD_CONFIG_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/fail.h"
#include "db/mount.h"
#include "table/schema.h"

typedef struct {
    const char *name;
    const char *protocol; /* "rt", "tp", "custom" */
    const char *topic;
    u32 node_count;
    const char **nodes;
    /* ours, for the embedded log (rt without nodes) */
    const char *log_path; /* logPath; NULL = <idb>/wal */
    u64 log_file_size;    /* logFileSize, default 64 MiB */
    u64 log_size_max;     /* maxLogSize, default 0 = none but the device */
    bool relaxed;         /* durability: relaxed */
    u32 relaxed_ms;       /* relaxedInterval, default 100 */
} ConfigBus;

typedef struct {
    const char *name;
    u32 mount_count;
    const Mount **mounts;
    f64 mem_threshold; /* pctMemThreshold, 0 = none */
    bool late_data, enforce_schema, map_partitions;
    const char *host; /* default 127.0.0.1 */
    u16 port;         /* default 5080; several instances count up */
    u32 threads;      /* query threads, 0 = processors */
    u64 memory_max;   /* memoryLimit: bytes of live rows, 0 = none */
} ConfigDap;

typedef struct ConfigDoc ConfigDoc;

typedef struct {
    const char *file;
    const char *name, *description;
    u32 label_count;
    const char **labels; /* key, value, key, value, ... */
    SchemaSet tables;
    u32 bus_count;
    ConfigBus *bus;
    const ConfigBus *source; /* the bus that sm uses */
    u32 mount_count;
    Mount *mounts;
    const Mount *stream, *idb, *hdb; /* stream may be NULL */
    u32 tier_count;
    Tier *tiers; /* all, newest data first, the implicit ones filled in */
    const Tier *idb_tier;
    u32 date_tier_count;
    Tier *date_tiers; /* by index, then list order: the last of `tiers` */
    u32 dap_count;
    ConfigDap *daps; /* at least one: without elements.dap an instance "da" serves all mounts */
    /* elements.sm */
    bool initial_import, enforce_schema, disable_rest, disable_discovery, idb_used;
    u64 chunk_size; /* rows */
    f64 sort_limit_gb;
    u32 wait_ms;
    bool peach_part, peach_table, peach_column; /* eodPeachLevel: what was named */
    i64 reload_timeout_ns;
    const char *host; /* ours: elements.sm.host, default 127.0.0.1 */
    u16 port;         /* ours: elements.sm.port, KXI_PORT, --sm-port; default 10001 */
    u64 memory_max; /* ours: elements.sm.memoryLimit: bytes each worker may hold, default 1 GiB, at
                       least 64 MiB */
    i64 scrub_ns;   /* ours: elements.sm.scrub: time of one pass of the scrub, default 7 days; 0 =
                       none */
    i64 horizon_ns; /* ours: elements.sm.futureHorizon, default 1 day (O-25) */
    bool encrypt_all;
    const ConfigDoc *doc; /* the document behind it, for config_show and config_supported */
    Arena memory;
} Config;

/*
 * Where a configuration comes from. Flags win over the environment (SILT_SM_PORT, SILT_DA_PORT,
 * KXI_PORT, SILT_IDB, SILT_HDB, SILT_WAL), which wins over the file. KXI_PORT is the port of the
 * process that KXI_SC names: an instance of elements.dap, else the manager. Folders may be relative
 * to the working directory.
 */
typedef struct {
    const char *path;            /* assembly file; NULL = $KXI_ASSEMBLY_FILE */
    const char *overrides;       /* comma-separated names; NULL = $KXI_ASSEMBLY_OVERRIDES */
    const char *idb, *hdb, *wal; /* --idb, --hdb, --wal: other base folders */
    i32 sm_port,
        da_port; /* --sm-port, --da-port (the first instance's; others count up); -1 = not given */
} ConfigSource;

/* A violated rule, or a warning. */
typedef struct {
    u32 line, column; /* from 1; 0 = a flag or the environment, named in `text` */
    const char *path; /* "tables.trade.columns[2].type" */
    const char *rule; /* "V-05"; "yaml"; "name"; "key" for unknown or mistyped keys */
    const char *text;
    bool warning;
} ConfigFinding;

#define CONFIG_FINDINGS_MAX                                                                        \
    1000 /* half of it for warnings; further ones are counted in a last one */

/* Reads, overlays, checks. All findings are listed in order of lines (not only the first; they live
 * in *c, also on failure); E_USAGE when one is no warning. The failure text is the first such one
 * as "file:line:column: path: rule: text". A file that cannot be read is E_NOT_FOUND, E_DENIED,
 * E_IO or E_LIMIT without findings. */
MUST_USE Err config_load(Config *c, const ConfigSource *source, ConfigFinding **findings,
                         u32 *count);

/* The reader instance of a name (V-19), NULL when there is none. */
const ConfigDap *config_dap(const Config *c, const char *name);

/* Refuses, by name, what `silt up` cannot do yet (further tiers, object stores, tp,
 * ...): E_UNSUPPORTED lists all of them in its text, each as "line N: path: feature". Grows shorter
 * with every release. */
MUST_USE Err config_supported(const Config *c);

/* Prints what is in force as YAML, each line with where it comes from (file line, default, flag,
 * environment) as comment. The text is itself an assembly file that loads to the same
 * configuration. */
MUST_USE Err config_show(const Config *c, Buf *out);

/* Prints the reference of all keys as scdoc text for the man page. */
MUST_USE Err config_reference(Buf *out);

/* Frees everything; idempotent. */
void config_free(Config *c);

#endif
