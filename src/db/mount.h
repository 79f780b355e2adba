/*
 * mount: the places where readers see data (storage-manager.md 2.7), and the tiers behind them
 * (2.9). Plain data, built by the configuration.
 */
#ifndef DB_MOUNT_H
#define DB_MOUNT_H

#include "base/types.h"

typedef enum { MOUNT_STREAM, MOUNT_LOCAL, MOUNT_OBJECT } MountType;

typedef enum { MOUNT_NONE, MOUNT_ORDINAL, MOUNT_DATE } MountPartition;

typedef struct {
    const char *name;
    MountType type;
    MountPartition partition;
    const char *base; /* absolute path without file://; "" for stream mounts */
} Mount;

typedef enum { TIER_RAW, TIER_QIPC, TIER_GZIP, TIER_SNAPPY, TIER_LZ4HC, TIER_ZSTD } TierCodec;

typedef enum {
    TIER_DAYS,
    TIER_WEEKS,
    TIER_MONTHS,
    TIER_YEARS,
    TIER_HOURS,
    TIER_MINUTES,
    TIER_SECONDS
} TierUnit;

typedef struct {
    const char *name;
    const Mount *mount;
    const char *store; /* absolute folder of the physical data, or an object URI */
    bool own_store;    /* a store other than <base>/data was given */
    bool object;       /* the store is an object URI */
    i64 freq_ns, offset_ns, snap_ns;
    i64 retain_count; /* 0 = for ever */
    TierUnit retain_unit;
    i32 retain_pct; /* 0 = no limit */
    bool expire;    /* retain.onExpire: delete (O-02) */
    TierCodec codec;
    i32 block_log2, level;
    bool inventory;
    const char *inventory_location;
    i32 index;
} Tier;

#endif
