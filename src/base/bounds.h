/*
 * bounds: every upper limit of the program, in one place.
 *
 * A length, count or depth from outside is compared with its bound before memory is asked for.
 */
#ifndef BASE_BOUNDS_H
#define BASE_BOUNDS_H

#define BOUND_NAME_MAX        128            /* bytes of a table, column, tier or mount name */
#define BOUND_COLUMNS_MAX     4096           /* columns of a table */
#define BOUND_TABLES_MAX      1024           /* tables of an assembly */
#define BOUND_PATH_MAX        4096           /* bytes of a path, its zero included */
#define BOUND_DEPTH_MAX       64             /* nesting of values, filters, JSON, YAML */
#define BOUND_MESSAGE_MAX     (1ull << 30)   /* bytes of one q IPC message or HTTP body */
#define BOUND_PUBLISH_MAX     (256ull << 20) /* bytes of one published batch */
#define BOUND_LIST_MAX        (64ull << 20)  /* bytes of one row's list or mixed value */
#define BOUND_CELL_DEPTH_MAX  32             /* nesting of a mixed value */
#define BOUND_ROWS_MAX        (1ull << 32)   /* rows of one part of one table */
#define BOUND_SYMBOLS_MAX     (1ull << 31)   /* names in one domain */
#define BOUND_SYMBOL_MAX      (1ull << 20)   /* bytes of one symbol */
#define BOUND_CONFIG_MAX      (16ull << 20)  /* bytes of an assembly file */
#define BOUND_MANIFEST_MAX    (256ull << 20) /* bytes of a manifest */
#define BOUND_HANDSHAKE_MAX   1024           /* bytes of q credentials */
#define BOUND_CONNECTIONS_MAX 4096           /* open connections of a process */
#define BOUND_PUBLISHERS_MAX  65536          /* publishers whose sequence is remembered */
#define BOUND_RESULT_MAX      (1ull << 31)   /* bytes of one query's result in memory */
#define BOUND_OUTPUT_MAX      (1ull << 31)   /* bytes waiting to be sent on one connection */
#define BOUND_VIEW_DIR_MAX    366            /* links in one directory of a view */

#define ARENA_SIZE_MAX (4ull << 30) /* default ceiling of arena_try */
#define BUF_SIZE_MAX   (2ull << 30) /* default ceiling of a Buf */

#endif
