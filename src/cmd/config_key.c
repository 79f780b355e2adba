/*
 * config_key: the table itself. One entry a key; sections in the order of the man page.
 *
 * Bounds and defaults are texts in the form that a file would use, so that the same parser reads
 * them and the man page prints them as they are. Tests parse every one of them.
 */
#include "cmd/config_key.h"
#include "cmd/config.h"

/* Where `member` of a section's struct lies. */
#define AT(type, member)                                                                           \
    {                                                                                              \
        (u16) offsetof(type, member), (u16)sizeof(((type *)0)->member)                             \
    }

#define ATTRIBUTES "sorted unique parted grouped"

/* Shorter names, so that an entry's head fits a line. */
#define OPT  CONFIG_KEY_OPTIONAL
#define REQ  CONFIG_KEY_REQUIRED
#define IGN  CONFIG_KEY_IGNORED
#define TEXT CONFIG_KEY_TEXT
#define ANY  CONFIG_KEY_ANY

static const ConfigKey keys[] = {
    {CONFIG_KEY_ASSEMBLY, "name", CONFIG_KEY_NAME, REQ, .field = AT(Config, name), .rule = "V-01",
     .help = "Short name of the assembly. The wrapped shape takes metadata.name."},
    {CONFIG_KEY_ASSEMBLY, "description", TEXT, OPT, .field = AT(Config, description),
     .help = "Free text."},
    {CONFIG_KEY_ASSEMBLY, "labels", CONFIG_KEY_PAIRS, OPT,
     .help = "Names and values by which queries are routed."},
    {CONFIG_KEY_ASSEMBLY, "tables", CONFIG_KEY_MAP, REQ, .inner = CONFIG_KEY_TABLE, .rule = "V-01",
     .help = "The tables by name, at least one of them partitioned."},
    {CONFIG_KEY_ASSEMBLY, "bus", CONFIG_KEY_MAP, REQ, .inner = CONFIG_KEY_BUS, .rule = "V-01",
     .help = "The streams by name. In the wrapped shape elements.sequencer may stand for it: each "
             "entry is then a stream of protocol rt with its name as topic."},
    {CONFIG_KEY_ASSEMBLY, "mounts", CONFIG_KEY_MAP, REQ, .inner = CONFIG_KEY_MOUNT, .rule = "V-01",
     .help = "The places where readers see data, by name: exactly one local mount with ordinal "
             "partitions, exactly one with date partitions, and at most one stream."},
    {CONFIG_KEY_ASSEMBLY, "elements", CONFIG_KEY_SECTION, REQ, .inner = CONFIG_KEY_ELEMENTS,
     .rule = "V-01", .help = "The processes."},
    {CONFIG_KEY_ASSEMBLY, "dbSettings", CONFIG_KEY_SECTION, OPT, .inner = CONFIG_KEY_SETTINGS,
     .help = "Settings of the database as a whole."},
    {CONFIG_KEY_ASSEMBLY, "overrides", CONFIG_KEY_MAP, OPT, .inner = CONFIG_KEY_ASSEMBLY,
     .help = "Partial assemblies by name. Those that KXI_ASSEMBLY_OVERRIDES or --overrides select "
             "are laid over the file in that order: maps are merged, all else replaces."},

    {CONFIG_KEY_WRAPPER, "apiVersion", TEXT, OPT, .help = "Version of the wrapper. Any is taken."},
    {CONFIG_KEY_WRAPPER, "kind", CONFIG_KEY_WORD, OPT, .choices = "Assembly",
     .help = "Kind of the document."},
    {CONFIG_KEY_WRAPPER, "metadata", CONFIG_KEY_SECTION, OPT, .inner = CONFIG_KEY_METADATA,
     .help = "Name and labels of the resource."},
    {CONFIG_KEY_WRAPPER, "spec", CONFIG_KEY_SECTION, REQ, .inner = CONFIG_KEY_ASSEMBLY,
     .rule = "V-01", .help = "The assembly."},

    {CONFIG_KEY_METADATA, "name", CONFIG_KEY_NAME, OPT,
     .help = "The assembly's name where spec.name is absent."},
    {CONFIG_KEY_METADATA, "labels", ANY, IGN,
     .help = "Labels of the resource, not of the assembly."},
    {CONFIG_KEY_METADATA, "annotations", ANY, IGN, .help = "Annotations of the resource."},
    {CONFIG_KEY_METADATA, "namespace", ANY, IGN, .help = "Name space of the resource."},

    {CONFIG_KEY_TABLE, "name", TEXT, OPT,
     .help = "The table's name again, as generated files repeat it."},
    {CONFIG_KEY_TABLE, "description", TEXT, OPT, .field = AT(Schema, description),
     .help = "Free text."},
    {CONFIG_KEY_TABLE, "type", CONFIG_KEY_CHOICE, REQ,
     .choices = "partitioned splayed basic splayed_mem", .field = AT(Schema, kind), .rule = "V-03",
     .help = "Partitioned tables grow with time; the others are reference data."},
    {CONFIG_KEY_TABLE, "columns", CONFIG_KEY_LIST, REQ, .inner = CONFIG_KEY_COLUMN,
     .help = "The columns in their order on disk and in results."},
    {CONFIG_KEY_TABLE, "prtnCol", TEXT, OPT, .otherwise = "required for partitioned tables",
     .rule = "V-03",
     .help = "A timestamp column. Its date, in UTC, decides the date partition, and startTS and "
             "endTS of a query filter on it."},
    {CONFIG_KEY_TABLE, "updTsCol", TEXT, OPT, .rule = "V-06",
     .help = "A timestamp column for measuring latency; without effect here."},
    {CONFIG_KEY_TABLE, "blockSize", CONFIG_KEY_INT, OPT, .preset = "0", .low = "0",
     .high = "4294967296", .field = AT(Schema, block_size),
     .help = "Rows held in memory within an interval before they are sorted and spilled to disk; 0 "
             "spills only at the memory limit."},
    {CONFIG_KEY_TABLE, "primaryKeys", CONFIG_KEY_TEXTS, OPT, .rule = "V-06",
     .help = "Columns of the key."},
    {CONFIG_KEY_TABLE, "sortColsMem", CONFIG_KEY_TEXTS, OPT, .rule = "V-06",
     .help = "Sort order in memory; without effect here: live rows keep their order of arrival."},
    {CONFIG_KEY_TABLE, "sortColsOrd", CONFIG_KEY_TEXTS, OPT, .rule = "V-06",
     .help = "Sort order in ordinal partitions, applied at the end of the interval."},
    {CONFIG_KEY_TABLE, "sortColsDisk", CONFIG_KEY_TEXTS, OPT, .rule = "V-06",
     .help = "Sort order in date partitions, applied at the end of the day."},
    {CONFIG_KEY_TABLE, "isSharded", CONFIG_KEY_BOOL, OPT, .preset = "false",
     .field = AT(Schema, sharded),
     .help =
         "The table is split over several assemblies. Each holds its share as any other table."},
    {CONFIG_KEY_TABLE, "oldName", TEXT, OPT, .field = AT(Schema, old_name),
     .help = "The table's name before, for a rename at the next start."},
    {CONFIG_KEY_TABLE, "shards", ANY, IGN, .help = "Seen in files of release 1.0."},

    {CONFIG_KEY_COLUMN, "name", TEXT, REQ, .field = AT(SchemaColumn, name), .rule = "V-04",
     .help = "Unique in its table: a letter, then letters, digits and _. Not a reserved word of q, "
             "not date or int, not beginning with label_."},
    {CONFIG_KEY_COLUMN, "description", TEXT, OPT, .field = AT(SchemaColumn, description),
     .help = "Free text."},
    {CONFIG_KEY_COLUMN, "type", TEXT, REQ, .rule = "V-05",
     .help = "boolean, guid, byte, short, int, long, real, float, char, symbol, timestamp, month, "
             "date, datetime, timespan, minute, second or time; with an s behind it a list of "
             "these (a list of char is string); empty for mixed values, each of them a list."},
    {CONFIG_KEY_COLUMN, "attrMem", CONFIG_KEY_CHOICE, OPT, .choices = ATTRIBUTES,
     .first = ATTR_SORTED, .field = AT(SchemaColumn, attr[PLACE_MEM]), .rule = "V-05",
     .help = "Attribute in memory; without effect on answers: live rows are found without it."},
    {CONFIG_KEY_COLUMN, "attrOrd", CONFIG_KEY_CHOICE, OPT, .choices = ATTRIBUTES,
     .first = ATTR_SORTED, .field = AT(SchemaColumn, attr[PLACE_ORD]), .rule = "V-05",
     .help = "Attribute in ordinal partitions."},
    {CONFIG_KEY_COLUMN, "attrDisk", CONFIG_KEY_CHOICE, OPT, .choices = ATTRIBUTES,
     .first = ATTR_SORTED, .field = AT(SchemaColumn, attr[PLACE_DISK]), .rule = "V-05",
     .help = "Attribute in date partitions."},
    {CONFIG_KEY_COLUMN, "attrObj", CONFIG_KEY_CHOICE, OPT, .choices = ATTRIBUTES,
     .first = ATTR_SORTED, .field = AT(SchemaColumn, attr[PLACE_OBJ]), .rule = "V-05",
     .help =
         "Attribute in date partitions of an object store; without such a tier it has no effect."},
    {CONFIG_KEY_COLUMN, "foreign", TEXT, OPT, .field = AT(SchemaColumn, foreign), .rule = "V-07",
     .help = "table.column: a primary key of the same type in another table."},
    {CONFIG_KEY_COLUMN, "anymap", CONFIG_KEY_BOOL, OPT, .otherwise = "false",
     .field = AT(SchemaColumn, anymap),
     .help =
         "Store a list column as a memory-mapped anymap, which every list column is in any case."},
    {CONFIG_KEY_COLUMN, "oldName", TEXT, OPT, .field = AT(SchemaColumn, old_name),
     .help = "The column's name before, for a rename at the next start."},
    {CONFIG_KEY_COLUMN, "backfill", TEXT, OPT, .field = AT(SchemaColumn, backfill),
     .help =
         "Function that fills rows from before the column was added; without it they hold nulls."},

    {CONFIG_KEY_BUS, "description", TEXT, IGN, .help = "Free text."},
    {CONFIG_KEY_BUS, "protocol", CONFIG_KEY_WORD, REQ, .choices = "rt tp custom",
     .field = AT(ConfigBus, protocol), .rule = "V-08",
     .help = "rt is the stream built into Siltstone; tp a tickerplant; custom the operator's own "
             "client."},
    {CONFIG_KEY_BUS, "topic", TEXT, OPT, .otherwise = "required for rt",
     .field = AT(ConfigBus, topic), .rule = "V-08", .help = "Name of the stream."},
    {CONFIG_KEY_BUS, "nodes", CONFIG_KEY_TEXTS, OPT, .otherwise = "required for tp and custom",
     .rule = "V-08",
     .help = "host:port of a stream outside; of several only the first is used for tp and custom."},
    {CONFIG_KEY_BUS, "logPath", TEXT, OPT, .otherwise = "wal in the ordinal mount's folder",
     .help =
         "Folder of the stream's log, as a path or file:// URI. --wal and SILT_WAL override it."},
    {CONFIG_KEY_BUS, "logFileSize", CONFIG_KEY_SIZE, OPT, .preset = "64Mi", .low = "1Mi",
     .high = "64Gi", .field = AT(ConfigBus, log_file_size), .help = "Size of one log file."},
    {CONFIG_KEY_BUS, "maxLogSize", CONFIG_KEY_SIZE, OPT, .preset = "0", .low = "0",
     .high = "1024Ti", .field = AT(ConfigBus, log_size_max),
     .help = "Size of all log files together, beyond which publishers are refused until the next "
             "interval is written down; at least twice logFileSize. 0 leaves only the device's own "
             "limit."},
    {CONFIG_KEY_BUS, "durability", CONFIG_KEY_CHOICE, OPT, .preset = "synced",
     .choices = "synced relaxed", .field = AT(ConfigBus, relaxed),
     .help =
         "synced acknowledges rows once they are on the device. relaxed acknowledges them once "
         "they are written: a crash of the machine may lose those of the last relaxedInterval."},
    {CONFIG_KEY_BUS, "relaxedInterval", CONFIG_KEY_DURATION, OPT, .preset = "100ms", .low = "1ms",
     .high = "60s", .unit = 1000000, .field = AT(ConfigBus, relaxed_ms),
     .help = "Longest time between syncs when relaxed."},

    {CONFIG_KEY_MOUNT, "description", TEXT, IGN, .help = "Free text."},
    {CONFIG_KEY_MOUNT, "type", CONFIG_KEY_CHOICE, REQ, .choices = "stream local object",
     .field = AT(Mount, type), .rule = "V-10",
     .help = "stream is memory, local a folder, object a read-only object store."},
    {CONFIG_KEY_MOUNT, "partition", CONFIG_KEY_CHOICE, REQ, .choices = "none ordinal date",
     .field = AT(Mount, partition), .rule = "V-10",
     .help = "none keeps rows as they arrive; ordinal has one numbered partition an interval; date "
             "one a day."},
    {CONFIG_KEY_MOUNT, "baseURI", TEXT, OPT, .otherwise = "required for local mounts",
     .rule = "V-11",
     .help = "file:// and an absolute path, for local mounts. The manager owns this folder; "
             "readers load its current. --idb, --hdb, SILT_IDB and SILT_HDB override it. Stream "
             "mounts ignore it."},
    {CONFIG_KEY_MOUNT, "dependency", ANY, IGN, .help = "Start order in a cluster."},
    {CONFIG_KEY_MOUNT, "volume", ANY, IGN, .help = "Volume in a cluster."},

    {CONFIG_KEY_ELEMENTS, "sm", CONFIG_KEY_SECTION, REQ, .inner = CONFIG_KEY_SM,
     .help = "The storage manager."},
    {CONFIG_KEY_ELEMENTS, "dap", CONFIG_KEY_SECTION, OPT, .inner = CONFIG_KEY_DAP, .rule = "V-19",
     .otherwise = "one instance da for all mounts", .help = "The readers."},
    {CONFIG_KEY_ELEMENTS, "sequencer", ANY, OPT,
     .help = "Streams of a cluster by name, which stand for the bus in the wrapped shape."},
    {CONFIG_KEY_ELEMENTS, "rc", ANY, IGN, .help = "Resource coordinator."},
    {CONFIG_KEY_ELEMENTS, "sp", ANY, IGN, .help = "Stream processor."},
    {CONFIG_KEY_ELEMENTS, "rt", ANY, IGN, .help = "Reliable transport."},

    {CONFIG_KEY_SM, "source", TEXT, REQ, .rule = "V-09",
     .help = "The bus entry that the manager serves."},
    {CONFIG_KEY_SM, "tiers", CONFIG_KEY_LIST, REQ, .inner = CONFIG_KEY_TIER,
     .help = "Where data lives, newest first. Entries of the stream, of the ordinal tier and of a "
             "single date tier may be omitted."},
    {CONFIG_KEY_SM, "initialImport", CONFIG_KEY_BOOL, OPT, .preset = "false",
     .field = AT(Config, initial_import),
     .help =
         "Import the kdb+ database below <hdb baseURI>/data at the first start, in place, as silt "
         "adopt does. Violations end the manager; afterwards the key has no effect."},
    {CONFIG_KEY_SM, "enforceSchema", CONFIG_KEY_BOOL, OPT, .preset = "false",
     .field = AT(Config, enforce_schema),
     .help = "Accepted for compatibility: rows are always checked on receipt, and refused ones "
             "kept aside."},
    {CONFIG_KEY_SM, "disableREST", CONFIG_KEY_BOOL, OPT, .preset = "false",
     .field = AT(Config, disable_rest), .help = "Answer q IPC only."},
    {CONFIG_KEY_SM, "disableDiscovery", CONFIG_KEY_BOOL, OPT, .preset = "false",
     .field = AT(Config, disable_discovery),
     .help = "Accepted for compatibility: there is no discovery service to register with."},
    {CONFIG_KEY_SM, "chunkSize", CONFIG_KEY_INT, OPT, .preset = "500000", .low = "1",
     .high = "4294967296", .field = AT(Config, chunk_size), .help = "Most rows written at once."},
    {CONFIG_KEY_SM, "sortLimitGB", CONFIG_KEY_REAL, OPT, .preset = "10", .low = "0.001",
     .high = "65536", .field = AT(Config, sort_limit_gb),
     .help = "Memory for sorting, in GB (2^30 bytes)."},
    {CONFIG_KEY_SM, "waitTm", CONFIG_KEY_INT, OPT, .preset = "250", .low = "1", .high = "3600000",
     .field = AT(Config, wait_ms),
     .help = "Milliseconds between attempts to reach another process."},
    {CONFIG_KEY_SM, "eodPeachLevel", CONFIG_KEY_TEXTS, OPT, .preset = "column",
     .choices = "part table column",
     .help = "What the end of day does in parallel; of several words the highest counts."},
    {CONFIG_KEY_SM, "reloadTimeout", CONFIG_KEY_DURATION, OPT, .otherwise = "the interval length",
     .low = "1ms", .high = "365D", .field = AT(Config, reload_timeout_ns),
     .help = "Longest wait for readers to reload."},
    {CONFIG_KEY_SM, "idbUsed", CONFIG_KEY_BOOL, OPT, .preset = "true",
     .field = AT(Config, idb_used), .help = "false when no reader serves the ordinal mount."},
    {CONFIG_KEY_SM, "host", TEXT, OPT, .preset = "127.0.0.1", .field = AT(Config, host),
     .help = "Address to listen on."},
    {CONFIG_KEY_SM, "port", CONFIG_KEY_INT, OPT, .preset = "10001", .low = "0", .high = "65535",
     .field = AT(Config, port),
     .help = "Port for q IPC and HTTP; 0 takes any free one. --sm-port, SILT_SM_PORT and KXI_PORT "
             "override it."},
    {CONFIG_KEY_SM, "memoryLimit", CONFIG_KEY_SIZE, OPT, .preset = "1Gi", .low = "64Mi",
     .high = "1024Ti", .field = AT(Config, memory_max),
     .help = "Memory that each worker may hold."},
    {CONFIG_KEY_SM, "futureHorizon", CONFIG_KEY_DURATION, OPT, .preset = "1D", .low = "1s",
     .high = "36500D", .field = AT(Config, horizon_ns),
     .help = "Rows further in the future than this go to quarantine."},
    {CONFIG_KEY_SM, "scrub", CONFIG_KEY_DURATION, OPT, .preset = "7D", .low = "0s",
     .high = "36500D", .field = AT(Config, scrub_ns),
     .help = "Time within which every byte of the database is compared with its checksum in the "
             "background, evenly spread; partitions without checksums get them; 0s reads nothing."},
    {CONFIG_KEY_SM, "description", TEXT, IGN, .help = "Free text."},
    {CONFIG_KEY_SM, "size", ANY, IGN, .help = "Replicas."},
    {CONFIG_KEY_SM, "env", ANY, IGN, .help = "Environment of the containers."},
    {CONFIG_KEY_SM, "stream", ANY, IGN, .help = "Stream of the pod."},
    {CONFIG_KEY_SM, "clusterMode", ANY, IGN, .help = "Mode of deployment."},
    {CONFIG_KEY_SM, "rtLogVolume", ANY, IGN, .help = "Volume of the stream's log."},
    {CONFIG_KEY_SM, "k8sPolicy", ANY, IGN, .help = "Resources of the pod."},

    {CONFIG_KEY_TIER, "name", CONFIG_KEY_NAME, REQ, .field = AT(Tier, name), .rule = "V-12",
     .help = "Unique; appears in the log."},
    {CONFIG_KEY_TIER, "description", TEXT, IGN, .help = "Free text."},
    {CONFIG_KEY_TIER, "mount", TEXT, REQ, .rule = "V-12",
     .help = "The mount that shows this tier."},
    {CONFIG_KEY_TIER, "store", TEXT, OPT, .otherwise = "data in the mount's folder", .rule = "V-13",
     .help = "URI of the physical data. An explicit one lies outside all mounts; one that equals "
             "the mount's baseURI stands for the default. One tier a mount may omit it. Ordinal "
             "tiers always use the default."},
    {CONFIG_KEY_TIER, "schedule", CONFIG_KEY_SECTION, OPT, .inner = CONFIG_KEY_SCHEDULE,
     .help = "When it rolls over."},
    {CONFIG_KEY_TIER, "retain", CONFIG_KEY_SECTION, OPT, .inner = CONFIG_KEY_RETAIN, .rule = "V-14",
     .help = "How much it keeps; whichever limit is reached first counts. An empty map is as good "
             "as none. Not for ordinal tiers."},
    {CONFIG_KEY_TIER, "compression", CONFIG_KEY_SECTION, OPT, .inner = CONFIG_KEY_COMPRESSION,
     .help =
         "How the columns of date partitions are compressed when they are written; what is there "
         "stays as it is until rows join it. Only date tiers are compressed."},
    {CONFIG_KEY_TIER, "inventory", CONFIG_KEY_SECTION, OPT, .inner = CONFIG_KEY_INVENTORY,
     .help = "Index file of an object store."},
    {CONFIG_KEY_TIER, "index", CONFIG_KEY_INT, OPT, .preset = "0", .low = "-1000000",
     .high = "1000000", .field = AT(Tier, index),
     .help = "Order of several date tiers: lower first, ties in order of the list."},

    {CONFIG_KEY_SCHEDULE, "freq", CONFIG_KEY_DURATION, OPT,
     .otherwise = "00:10:00 for ordinal tiers, 1D for date tiers", .low = "100ms", .high = "1D",
     .field = AT(Tier, freq_ns),
     .help = "Length of an interval. Intervals begin at midnight UTC plus the offset, so they are "
             "the same after every start. Date tiers know one day only."},
    {CONFIG_KEY_SCHEDULE, "offset", CONFIG_KEY_DURATION, OPT, .preset = "00:00:00", .low = "0s",
     .high = "1D", .field = AT(Tier, offset_ns), .rule = "V-17",
     .help =
         "Shift of all intervals, less than freq, so that several managers do not write at once."},
    {CONFIG_KEY_SCHEDULE, "snap", CONFIG_KEY_DURATION, OPT, .preset = "00:00:00", .low = "0s",
     .high = "23:59:59.999", .field = AT(Tier, snap_ns),
     .help = "Time of day in UTC at which a date tier takes over the day before; rows of that day "
             "that arrive later join it at the next end of day."},
    {CONFIG_KEY_SCHEDULE, "timezone", TEXT, OPT, .preset = "UTC",
     .help = "Time zone of the day. UTC."},

    {CONFIG_KEY_RETAIN, "time", TEXT, OPT, .rule = "V-14",
     .help = "A number and a unit: Days, Weeks, Months or Years, by the calendar; on stream tiers "
             "also Hours, Minutes and Seconds. Any case, singular or plural."},
    {CONFIG_KEY_RETAIN, "sizePct", CONFIG_KEY_INT, OPT, .low = "1", .high = "100",
     .field = AT(Tier, retain_pct), .rule = "V-14",
     .help = "Percent of the file system that holds the store. Date tiers only."},
    {CONFIG_KEY_RETAIN, "onExpire", CONFIG_KEY_CHOICE, OPT, .preset = "keep",
     .choices = "keep delete", .field = AT(Tier, expire), .rule = "O-02",
     .help = "What happens to data that outlives the last tier."},
    {CONFIG_KEY_RETAIN, "rows", ANY, CONFIG_KEY_GONE,
     .help = "A key of release 1.0: use time or sizePct."},
    {CONFIG_KEY_RETAIN, "size", ANY, CONFIG_KEY_GONE,
     .help = "A key of release 1.0: use time or sizePct."},

    {CONFIG_KEY_COMPRESSION, "algorithm", CONFIG_KEY_CHOICE, OPT, .preset = "none",
     .choices = "none qipc gzip snappy lz4hc zstd", .field = AT(Tier, codec), .rule = "V-15",
     .help = "The codec. Blocks that it does not make smaller are stored as they are."},
    {CONFIG_KEY_COMPRESSION, "block", CONFIG_KEY_INT, OPT, .otherwise = "required unless none",
     .low = "12", .high = "20", .field = AT(Tier, block_log2), .rule = "V-15",
     .help =
         "Logarithm to base 2 of the logical block's size: what a query inflates at least. 17 is a "
         "good choice."},
    {CONFIG_KEY_COMPRESSION, "level", CONFIG_KEY_INT, OPT,
     .otherwise = "qipc and snappy 0, gzip 6, lz4hc 9, zstd 3", .low = "-7", .high = "22",
     .field = AT(Tier, level), .rule = "V-15",
     .help = "qipc and snappy 0; gzip 0 to 9; lz4hc 1 to 12; zstd -7 to 22."},

    {CONFIG_KEY_INVENTORY, "enabled", CONFIG_KEY_BOOL, OPT, .preset = "false",
     .field = AT(Tier, inventory), .help = "Write the index file."},
    {CONFIG_KEY_INVENTORY, "location", TEXT, OPT, .otherwise = "required when enabled",
     .field = AT(Tier, inventory_location), .rule = "V-18", .help = "Its path within the bucket."},

    {CONFIG_KEY_DAP, "instances", CONFIG_KEY_MAP, OPT, .inner = CONFIG_KEY_INSTANCE, .rule = "V-19",
     .otherwise = "one instance da for all mounts",
     .help = "The readers by name; `silt da --instance NAME` takes the entry of that name, as "
             "KXI_SC does."},
    {CONFIG_KEY_DAP, "enforceSchema", CONFIG_KEY_BOOL, OPT,
     .help = "enforceSchema of all instances."},
    {CONFIG_KEY_DAP, "lateData", CONFIG_KEY_BOOL, OPT, .help = "lateData of all instances."},
    {CONFIG_KEY_DAP, "description", TEXT, IGN, .help = "Free text."},
    {CONFIG_KEY_DAP, "smEndpoints", ANY, IGN,
     .help = "Address of the manager: readers find it in the files."},
    {CONFIG_KEY_DAP, "gwEndpoints", ANY, IGN, .help = "Address of a gateway."},
    {CONFIG_KEY_DAP, "gwAssembly", ANY, IGN, .help = "Assembly of a gateway."},
    {CONFIG_KEY_DAP, "rcName", ANY, IGN, .help = "Name of a resource coordinator."},
    {CONFIG_KEY_DAP, "size", ANY, IGN, .help = "Replicas."},
    {CONFIG_KEY_DAP, "source", ANY, IGN, .help = "Stream of the pods."},
    {CONFIG_KEY_DAP, "env", ANY, IGN, .help = "Environment of the containers."},
    {CONFIG_KEY_DAP, "rtLogVolume", ANY, IGN, .help = "Volume of the stream's log."},
    {CONFIG_KEY_DAP, "k8sPolicy", ANY, IGN, .help = "Resources of the pods."},

    {CONFIG_KEY_INSTANCE, "mountName", TEXT, OPT,
     .otherwise = "one of mountName and mountList is required", .rule = "V-19",
     .help = "The one mount it serves."},
    {CONFIG_KEY_INSTANCE, "mountList", CONFIG_KEY_TEXTS, OPT, .rule = "V-19",
     .help = "The mounts it serves."},
    {CONFIG_KEY_INSTANCE, "pctMemThreshold", CONFIG_KEY_REAL, OPT, .low = "0", .high = "1",
     .field = AT(ConfigDap, mem_threshold),
     .help = "Share of the memory limit above which it asks for an early end of the interval; "
             "absent or 0 never asks."},
    {CONFIG_KEY_INSTANCE, "mapPartitions", CONFIG_KEY_BOOL, OPT, .preset = "false",
     .field = AT(ConfigDap, map_partitions), .help = "Map all partitions when a view is opened."},
    {CONFIG_KEY_INSTANCE, "enforceSchema", CONFIG_KEY_BOOL, OPT,
     .otherwise = "as in elements.dap, else false", .field = AT(ConfigDap, enforce_schema),
     .help = "Accepted for compatibility: rows are always checked on receipt."},
    {CONFIG_KEY_INSTANCE, "lateData", CONFIG_KEY_BOOL, OPT,
     .otherwise = "as in elements.dap, else false", .field = AT(ConfigDap, late_data),
     .help = "Accepted for compatibility: late rows are always seen."},
    {CONFIG_KEY_INSTANCE, "host", TEXT, OPT, .preset = "127.0.0.1", .field = AT(ConfigDap, host),
     .help = "Address to listen on."},
    {CONFIG_KEY_INSTANCE, "port", CONFIG_KEY_INT, OPT,
     .otherwise = "5080 for the first instance, then counting up", .low = "0", .high = "65535",
     .field = AT(ConfigDap, port),
     .help = "Port for q IPC and HTTP; 0 takes any free one. --da-port and SILT_DA_PORT give the "
             "first instance's, KXI_PORT that of the instance in KXI_SC."},
    {CONFIG_KEY_INSTANCE, "threads", CONFIG_KEY_INT, OPT, .preset = "0", .low = "0", .high = "1024",
     .field = AT(ConfigDap, threads), .help = "Threads for queries; 0 takes one a processor."},
    {CONFIG_KEY_INSTANCE, "memoryLimit", CONFIG_KEY_SIZE, OPT, .preset = "0", .low = "0",
     .high = "1024Ti", .field = AT(ConfigDap, memory_max),
     .help = "Memory for live rows; 0 sets no limit."},
    {CONFIG_KEY_INSTANCE, "description", TEXT, IGN, .help = "Free text."},
    {CONFIG_KEY_INSTANCE, "smEndpoints", ANY, IGN,
     .help = "Address of the manager: readers find it in the files."},
    {CONFIG_KEY_INSTANCE, "gwEndpoints", ANY, IGN, .help = "Address of a gateway."},
    {CONFIG_KEY_INSTANCE, "gwAssembly", ANY, IGN, .help = "Assembly of a gateway."},
    {CONFIG_KEY_INSTANCE, "rcName", ANY, IGN, .help = "Name of a resource coordinator."},
    {CONFIG_KEY_INSTANCE, "size", ANY, IGN, .help = "Replicas."},
    {CONFIG_KEY_INSTANCE, "source", ANY, IGN, .help = "Stream of the pod."},
    {CONFIG_KEY_INSTANCE, "env", ANY, IGN, .help = "Environment of the container."},
    {CONFIG_KEY_INSTANCE, "rtLogVolume", ANY, IGN, .help = "Volume of the stream's log."},
    {CONFIG_KEY_INSTANCE, "k8sPolicy", ANY, IGN, .help = "Resources of the pod."},

    {CONFIG_KEY_SETTINGS, "encryption", CONFIG_KEY_SECTION, OPT, .inner = CONFIG_KEY_ENCRYPTION,
     .help = "Encryption at rest."},
    {CONFIG_KEY_ENCRYPTION, "encryptAll", CONFIG_KEY_BOOL, OPT, .preset = "false",
     .field = AT(Config, encrypt_all), .help = "Encrypt every table in every tier."},
};

static const struct {
    const char *title, *place;
} sections[CONFIG_KEY_SECTIONS] = {
    [CONFIG_KEY_ASSEMBLY] = {"Assembly", "top level"},
    [CONFIG_KEY_WRAPPER] = {"Wrapper", "top level of the wrapped shape"},
    [CONFIG_KEY_METADATA] = {"Metadata", "metadata of the wrapped shape"},
    [CONFIG_KEY_TABLE] = {"Tables", "tables.NAME"},
    [CONFIG_KEY_COLUMN] = {"Columns", "tables.NAME.columns[]"},
    [CONFIG_KEY_BUS] = {"Bus", "bus.NAME"},
    [CONFIG_KEY_MOUNT] = {"Mounts", "mounts.NAME"},
    [CONFIG_KEY_ELEMENTS] = {"Elements", "elements"},
    [CONFIG_KEY_SM] = {"Storage manager", "elements.sm"},
    [CONFIG_KEY_TIER] = {"Tiers", "elements.sm.tiers[]"},
    [CONFIG_KEY_SCHEDULE] = {"Schedule", "elements.sm.tiers[].schedule"},
    [CONFIG_KEY_RETAIN] = {"Retention", "elements.sm.tiers[].retain"},
    [CONFIG_KEY_COMPRESSION] = {"Compression", "elements.sm.tiers[].compression"},
    [CONFIG_KEY_INVENTORY] = {"Inventory", "elements.sm.tiers[].inventory"},
    [CONFIG_KEY_DAP] = {"Readers", "elements.dap"},
    [CONFIG_KEY_INSTANCE] = {"Instances", "elements.dap.instances.NAME"},
    [CONFIG_KEY_SETTINGS] = {"Database settings", "dbSettings"},
    [CONFIG_KEY_ENCRYPTION] = {"Encryption", "dbSettings.encryption"},
};

const ConfigKey *config_key_all(u32 *count)
{
    *count = COUNT_OF(keys);
    return keys;
}

const ConfigKey *config_key_find(ConfigKeySection section, const char *name)
{
    for (u32 i = 0; i < COUNT_OF(keys); i++)
        if (keys[i].section == section && strcmp(keys[i].name, name) == 0) return &keys[i];
    return NULL;
}

const char *config_key_title(ConfigKeySection section) { return sections[section].title; }

const char *config_key_place(ConfigKeySection section) { return sections[section].place; }

bool config_key_tolerant(ConfigKeySection section)
{
    return section == CONFIG_KEY_ASSEMBLY || section == CONFIG_KEY_WRAPPER ||
           section == CONFIG_KEY_METADATA;
}
