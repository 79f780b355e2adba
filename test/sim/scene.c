/*
 * scene: see scene.h.
 */
#include "scene.h"

#include <stdio.h>
#include <stdlib.h>

#include "clients.h"
#include "heritage.h"

#define SECOND_NS 1000000000ll

static const char *const NAMES[SCENE_READERS_MAX] = {"da", "da2"};

static const char ASSEMBLY[] =
    "name: sim\n"
    "tables:\n"
    "  trade:\n"
    "    type: partitioned\n"
    "    prtnCol: time\n"
    "    sortColsOrd: [sym, time]\n"
    "    sortColsDisk: [sym, time]\n"
    "    blockSize: %d\n"
    "    columns:\n"
    "      - {name: time, type: timestamp}\n"
    "      - {name: sym, type: symbol, attrOrd: parted, attrDisk: parted}\n"
    "      - {name: id, type: long}\n"
    "      - {name: price, type: float}\n"
    "  note:\n"
    "    type: partitioned\n"
    "    prtnCol: time\n"
    "    sortColsOrd: [time]\n"
    "    sortColsDisk: [time]\n"
    "    columns:\n"
    "      - {name: time, type: timestamp}\n"
    "      - {name: id, type: long}\n"
    "      - {name: text, type: string}\n"
    "bus:\n"
    "  stream: {protocol: rt, topic: data, logFileSize: 1MiB, durability: %s}\n"
    "mounts:\n"
    "  rdb: {type: stream, partition: none, baseURI: none}\n"
    "  idb: {type: local, partition: ordinal, baseURI: \"file://%s/idb\"}\n"
    "  hdb: {type: local, partition: date, baseURI: \"file://%s/hdb\"}\n"
    "elements:\n"
    "  sm:\n"
    "    source: stream\n"
    "    port: %d\n"
    "    initialImport: %s\n"
    "    tiers:\n"
    "      - {name: idb, mount: idb, schedule: {freq: \"0D00:10:00\"}}\n"
    "      - {name: hdb, mount: hdb, schedule: {freq: \"1D00:00:00\", snap: \"00:%02d:00\"}%s}\n"
    "  dap:\n"
    "    instances:\n";

static const char INSTANCE[] =
    "      %s: {mountList: [rdb, idb, hdb], port: %d, memoryLimit: %d}\n";

static u64 below(Prng *p, u64 bound) { return prng_below(p, bound); }

/* How the days are compressed; "" = not at all. */
static void choose_codec(Prng *p, char out[128])
{
    static const struct {
        const char *name;
        u32 low, levels;
    } codecs[] = {
        {"qipc", 0, 1}, {"gzip", 0, 10}, {"snappy", 0, 1}, {"lz4hc", 1, 12}, {"zstd", 1, 10}};

    out[0] = 0;
    if (below(p, 2) == 0) return;
    u64 i = below(p, COUNT_OF(codecs)), level = codecs[i].low + below(p, codecs[i].levels);
    snprintf(out, 128, ", compression: {algorithm: %s, block: %u, level: %u}", codecs[i].name,
             (unsigned)(12 + below(p, 3)), (unsigned)level);
}

void scene_make(Scene *s, Prng *p, u64 seed, const char *folder, i32 day, bool safe)
{
    static const int blocks[] = {1000000, 60, 20};
    char out[8192], codec[128];
    Prng more;
    prng_init(&more, seed * 7 + 11);
    int snap = below(p, 3) == 0 ? 7 : 0;
    /* Acknowledged and not synced: survives all but power cuts and failing disks. */
    bool relaxed = safe && below(p, 3) == 0;
    int memory = below(p, 6) == 0 ? 400000 : 0;
    choose_codec(&more, codec);
    *s = (Scene){.snap = snap * 60 * SECOND_NS, .names = NAMES};
    s->readers = below(&more, 2) == 0 ? 2 : 1;
    s->imported = below(&more, 3) == 0;
    if (getenv("SIM_PLAIN") != NULL) {
        codec[0] = 0;
        s->readers = 1;
        s->imported = false;
    }
    s->zipped = codec[0] != 0;
    if (s->imported && below(&more, 3) != 0) s->trouble = 1 + (u32)below(&more, 120);
    int size =
        snprintf(out, sizeof out, ASSEMBLY, blocks[below(p, 3)], relaxed ? "relaxed" : "synced",
                 folder, folder, CLIENTS_SM_PORT, s->imported ? "true" : "false", snap, codec);
    for (u32 i = 0; i < s->readers; i++)
        size += snprintf(out + size, sizeof out - (u64)size, INSTANCE, NAMES[i],
                         CLIENTS_DA_PORT + (int)i, memory);
    snprintf(s->file, sizeof s->file, "%s.yaml", folder);
    FILE *f = fopen(s->file, "w");
    if (f == NULL || fwrite(out, 1, (size_t)size, f) != (size_t)size || fclose(f) != 0) abort();
    if (s->imported) heritage_make(&more, folder, day);
}
