/*
 * options: command line flags by table, GNU style (--name VALUE, --name=VALUE, --flag; a name of
 * one letter also as -n VALUE), positionals kept in order.
 */
#ifndef CMD_OPTIONS_H
#define CMD_OPTIONS_H

#include "base/buf.h"
#include "base/fail.h"
#include "cmd/config.h"

typedef struct {
    const char *name;  /* without the dashes */
    const char *value; /* name of the value in help texts; NULL = a flag */
    const char **text; /* receives the value */
    bool *flag;        /* receives true */
    const char *help;
} Option;

/* Takes the options out of argv[0..*argc) and leaves the positionals; E_USAGE for an unknown one or
 * a missing value. The table ends with a NULL name. "--" ends the options. `--help` prints them and
 * ends the process. */
MUST_USE Err options_parse(int *argc, char **argv, const Option *options);

/* Appends one help line an option. */
MUST_USE Err options_help(Buf *out, const Option *options);

/* Parses a whole number within [low, high]; E_USAGE names the option. */
MUST_USE Err options_number(const char *name, const char *text, i64 low, i64 high, i64 *out);

/* What every long-running process and most tools take: the assembly and its overrides. */
typedef struct {
    const char *file, *idb, *hdb, *wal, *overrides, *sm_port, *da_port, *log_level, *log_format;
} OptionsCommon;

/* The common options' table entries, to be placed in a command's own table (without the end). */
#define OPTIONS_COMMON(c)                                                                          \
    {"idb", "DIR", &(c).idb, NULL,                                                                 \
     "base folder of the intraday mount, instead of the assembly's"},                              \
        {"hdb", "DIR", &(c).hdb, NULL,                                                             \
         "base folder of the history mount, instead of the assembly's"},                           \
        {"wal", "DIR", &(c).wal, NULL, "folder of the stream, instead of <idb>/wal"},              \
        {"sm-port", "PORT", &(c).sm_port, NULL, "port of the manager"},                            \
        {"da-port", "PORT", &(c).da_port, NULL, "port of the first reader"},                       \
        {"overrides", "A,B", &(c).overrides, NULL, "named overrides of the assembly to apply"},    \
        {"log-level", "LEVEL", &(c).log_level, NULL, "debug, info, warn, error (KXI_LOG_LEVELS)"}, \
    {                                                                                              \
        "log-format", "FORM", &(c).log_format, NULL, "text or json (KXI_LOG_FORMAT)"               \
    }

/* The configuration source of the common options; E_USAGE for a bad port. */
MUST_USE Err options_source(const OptionsCommon *c, ConfigSource *source);

/* Starts the log of a process from the options and environment. */
MUST_USE Err options_log(const OptionsCommon *c, const char *component);

/* The common options as arguments for a child process, appended to argv[*count...]; room for 18
 * more is needed. */
void options_forward(const OptionsCommon *c, const char **argv, u32 *count);

#endif
