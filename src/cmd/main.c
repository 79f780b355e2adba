/*
 * main: `silt COMMAND ...`: the table of subcommands and their help.
 *
 * Each command's file exports NAME_main(argc, argv) with the words after the command, and returns
 * the exit status. Exit statuses are those of the error codes (base/fail.h); `silt help exit` lists
 * them.
 */
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/log.h"
#include "cmd/check.h"
#include "cmd/dump.h"
#include "cmd/get.h"
#include "cmd/handover.h"
#include "cmd/infer.h"
#include "cmd/operate.h"
#include "cmd/pub.h"
#include "cmd/reader.h"
#include "cmd/repair.h"
#include "cmd/settings.h"
#include "cmd/sm.h"
#include "cmd/up.h"
#include "cmd/wayout.h"
#include "cmd/worker.h"

#define MAIN_VERSION "0.1.0"

typedef struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *arguments, *summary, *example;
} Command;

static int version_main(int argc, char **argv);
static int help_main(int argc, char **argv);

static const Command COMMANDS[] = {
    {"up", up_main, "ASSEMBLY [options]", "run a manager and its readers",
     "silt up demo/assembly.yaml"},
    {"sm", sm_main, "ASSEMBLY [options]", "run the manager: stream, views, workers",
     "silt sm assembly.yaml --sm-port 10001"},
    {"da", reader_main, "ASSEMBLY|DIR [--instance NAME]",
     "run a reader that answers queries; over any kdb+ database",
     "silt da assembly.yaml --instance da --da-port 5080"},
    {"config", settings_main, "check|show FILE", "check an assembly; show what is in force",
     "silt config check assembly.yaml"},
    {"pub", pub_main, "TABLE [--format csv|json] [--batch N]", "publish rows from standard input",
     "gunzip -c trades.csv.gz | silt pub trade"},
    {"get", get_main, "JSON|@FILE|- [-d DIR] [--format table|csv|json]",
     "ask a reader, or the database in a folder, for rows",
     "silt get '{\"table\":\"trade\",\"agg\":[[\"n\",\"count\",\"sym\"]],\"groupBy\":[\"sym\"]}'"},
    {"status", operate_status_main, "[--json] [--reader]",
     "what the manager does and how far it is", "silt status --json"},
    {"eoi", operate_eoi_main, "", "end the interval now and wait for its commit", "silt eoi"},
    {"eod", operate_eod_main, "[--wait]", "write everything to the history now", "silt eod --wait"},
    {"part", operate_part_main, "list [ASSEMBLY] [--json]",
     "where each partition is, rows, bytes, why", "silt part list"},
    {"dump", dump_main, "FILE|DIR [--json]", "explain any file of a database as text",
     "silt dump /data/idb/wal"},
    {"check", check_main, "DIR|ASSEMBLY [--deep] [--json]",
     "verify every invariant of a database, read-only", "silt check /data/hdb"},
    {"repair", repair_main, "ASSEMBLY [PART] [--from DIR | --accept]",
     "make a new version of a damaged partition, or checksums where there are none",
     "silt repair assembly.yaml 2024.11.02 --from /backup/2024.11.02"},
    {"adopt", handover_main, "ASSEMBLY|DIR --check|--apply",
     "import a kdb+ database in place; --check only looks", "silt adopt assembly.yaml --check"},
    {"schema", infer_main, "infer DIR [--name NAME]", "propose an assembly from a kdb+ database",
     "silt schema infer /data/kdb > assembly.yaml"},
    {"export", wayout_main, "ASSEMBLY|DIR TARGET",
     "a plain kdb+ database of a view, or of any kdb+ folder",
     "silt export assembly.yaml /backup/db"},
    {"version", version_main, "", "print the version", "silt version"},
    {"help", help_main, "[COMMAND]", "explain a command", "silt help pub"},
    {"worker", worker_main, "eoi|eod|dbm|scrub ASSEMBLY", NULL,
     NULL}, /* the manager's children: not for people */
};

static const Command *find_command(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(COMMANDS); i++)
        if (strcmp(COMMANDS[i].name, name) == 0) return &COMMANDS[i];
    return NULL;
}

static int version_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("silt " MAIN_VERSION);
    return 0;
}

static void print_overview(FILE *out)
{
    fputs("silt: keeps a stream of rows for ever as a kdb+ database and answers questions about "
          "it\n\n",
          out);
    for (size_t i = 0; i < COUNT_OF(COMMANDS); i++)
        if (COMMANDS[i].summary != NULL)
            fprintf(out, "  silt %-8s %s\n", COMMANDS[i].name, COMMANDS[i].summary);
    fputs("\n`silt help COMMAND` shows arguments and an example; `silt help exit` the exit "
          "statuses.\n",
          out);
}

static void print_exits(void)
{
#define MAIN_EXIT(code, signal, http, status)                                                      \
    printf("  %d  %-12s HTTP %d\n", status, fail_name(code), http);
    FAIL_CODES(MAIN_EXIT)
#undef MAIN_EXIT
}

static int help_main(int argc, char **argv)
{
    if (argc == 0 || argv[0][0] == '-') {
        print_overview(stdout);
        return 0;
    }
    if (strcmp(argv[0], "exit") == 0) {
        print_exits();
        return 0;
    }
    const Command *c = find_command(argv[0]);
    if (c == NULL || c->summary == NULL) {
        fprintf(stderr, "silt: there is no command %s; `silt help` lists them\n", argv[0]);
        return fail_exit(E_USAGE);
    }
    printf("silt %s %s\n    %s\n\nexample:\n    %s\n", c->name, c->arguments, c->summary,
           c->example);
    if (c->run == version_main || c->run == help_main) return 0;
    char option[] = "--help", *words[] = {option, NULL}; /* options_parse lists the options */
    return c->run(1, words);
}

int main(int argc, char **argv)
{
    log_init("silt", LOG_INFO, false);
    if (argc < 2) {
        print_overview(stderr);
        return fail_exit(E_USAGE);
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) name = "help";
    if (strcmp(name, "--version") == 0) name = "version";
    const Command *c = find_command(name);
    if (c == NULL) {
        fprintf(stderr, "silt: there is no command %s; `silt help` lists them\n", name);
        return fail_exit(E_USAGE);
    }
    if (argc > 2 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0) &&
        c->run != help_main) {
        char *words[] = {argv[1], NULL};
        return help_main(1, words);
    }
    return c->run(argc - 2, argv + 2);
}
