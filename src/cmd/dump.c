/*
 * dump: `silt dump FILE|DIR`: what stands in any file of a database, as text or JSON lines.
 *
 * A file is told by its first bytes, then by its name; one that is neither is named and left alone,
 * unless its name promises what its bytes do not hold. Folders are walked in order of names, links
 * are shown and not followed (but for the one that was asked for). Nothing is believed: damage is
 * said beside the file, the walk goes on, and the exit status tells of it at the end.
 */
#include "cmd/dump.h"

#include <stdio.h>

#include "base/bounds.h"
#include "cmd/dump_column.h"
#include "cmd/dump_out.h"
#include "cmd/dump_stream.h"
#include "cmd/dump_view.h"
#include "cmd/options.h"
#include "cmd/talk.h"
#include "os/dir.h"
#include "os/file.h"
#include "os/guard.h"
#include "stream/wal.h"

#define DUMP_DEPTH_MAX   24
#define DUMP_ENTRIES_MAX (1ull << 20)
#define DUMP_HEAD_SIZE   16

static const u8 DUMP_LOG_MAGIC[8] = {'s', 'l', 't', '.', 'w', 'a', 'l', '\n'};

/* The first bytes of a file; fewer when it is shorter. */
static Err read_head(const char *path, u8 *head, u64 *got, u64 *size)
{
    Err err = E_OK;
    File f = FILE_NONE;
    TRY(file_open(&f, path, FILE_READ));
    TRY(file_size(&f, size));
    TRY(file_read_some(&f, head, DUMP_HEAD_SIZE, 0, got));
done:
    file_drop(&f);
    return err;
}

static bool ends_with(const char *name, const char *end)
{
    return str_ends(str_of(name), str_of(end));
}

/* Tries a file as one of our texts. */
static bool dump_text(DumpOut *o, const char *path, const char *name)
{
    Arena a = {0};
    u8 *data = NULL;
    u64 size = 0;
    bool known = file_read_all(path, BOUND_MANIFEST_MAX, &a, &data, &size) == E_OK &&
                 dump_view(o, path, name, (Str){(const char *)data, size});
    arena_free(&a);
    return known;
}

static void dump_unknown(DumpOut *o, const char *path, const char *name, u64 size)
{
    bool column_names = strcmp(name, ".d") == 0, domain = strcmp(name, "sym") == 0;
    bool spare = ends_with(name, ".spare") || ends_with(name, ".new");
    dump_out_begin(o, path,
                   size == 0 ? "empty file"
                   : spare   ? "log file kept for later"
                             : "file of another kind");
    dump_out_count(o, "bytes", size);
    if (column_names || domain) dump_out_bad(o, "not a list of symbols");
    dump_out_end(o);
}

static void dump_file(DumpOut *o, const char *path, DumpColumnDomain *domain)
{
    u8 head[DUMP_HEAD_SIZE] = {0};
    u64 got = 0, size = 0;
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    if (read_head(path, head, &got, &size) != E_OK) {
        dump_out_begin(o, path, "file");
        dump_out_fail(o);
        dump_out_end(o);
        return;
    }
    bool spare = ends_with(name, ".spare") || ends_with(name, ".new");
    if (!spare &&
        (ends_with(name, ".wal") || memcmp(head, DUMP_LOG_MAGIC, sizeof DUMP_LOG_MAGIC) == 0)) {
        dump_stream_log(o, path);
    } else if (got >= 8 && load_u64(head) == WAL_SHARED_MAGIC) {
        dump_stream_shared(o, path);
    } else if (!dump_column(o, path, domain) && !dump_text(o, path, name)) {
        dump_unknown(o, path, name, size);
    }
}

static void dump_link(DumpOut *o, const char *path)
{
    Arena a = {0};
    char *target = NULL;
    DirKind kind = DIR_ABSENT;
    dump_out_begin(o, path, "link");
    if (dir_read_link(path, &a, &target) != E_OK) {
        dump_out_fail(o);
    } else {
        dump_out_text(o, "to", str_of(target));
        if (dir_kind(path, true, &kind) == E_OK && kind == DIR_ABSENT)
            dump_out_bad(o, "leads to nothing");
    }
    dump_out_end(o);
    arena_free(&a);
}

static void dump_folder(DumpOut *o, const char *path, DumpColumnDomain *domain, int depth)
{
    Arena a = {0};
    DirEntry *e = NULL;
    u64 count = 0;
    bool table = false;
    if (depth > DUMP_DEPTH_MAX || dir_list(path, DUMP_ENTRIES_MAX, &a, &e, &count) != E_OK) {
        dump_out_begin(o, path, "folder");
        if (depth > DUMP_DEPTH_MAX)
            dump_out_text(o, "notRead", STR("too deep"));
        else
            dump_out_fail(o);
        dump_out_end(o);
        goto done;
    }
    for (u64 i = 0; i < count; i++)
        table = table || strcmp(e[i].name, ".d") == 0;
    if (table) dump_column_table(o, path);
    for (u64 i = 0; i < count && o->err == E_OK; i++) {
        char *inner = dir_join(&a, path, e[i].name, NULL);
        if (e[i].kind == DIR_LINK)
            dump_link(o, inner);
        else if (e[i].kind == DIR_FOLDER)
            dump_folder(o, inner, domain, depth + 1);
        else if (e[i].kind == DIR_FILE)
            dump_file(o, inner, domain);
    }
done:
    arena_free(&a);
}

int dump_main(int argc, char **argv)
{
    Err err = E_OK;
    DumpOut o = {0};
    DumpColumnDomain domain = {0};
    DirKind kind = DIR_ABSENT;
    Option options[] = {{"json", NULL, NULL, &o.json, "one JSON object a line"}, {0}};
    TRY(options_parse(&argc, argv, options));
    if (argc < 1) TRY(fail(E_USAGE, "silt dump FILE|DIR: a path is expected"));
    TRY(guard_start()); /* a file that is cut while it is read is damaged */
    for (int i = 0; i < argc && o.err == E_OK; i++) {
        TRY(dir_kind(argv[i], true, &kind));
        if (kind == DIR_ABSENT) TRY(fail(E_NOT_FOUND, "%s: there is nothing", argv[i]));
        if (kind == DIR_OTHER) TRY(fail(E_USAGE, "%s: neither a file nor a folder", argv[i]));
        if (kind == DIR_FOLDER)
            dump_folder(&o, argv[i], &domain, 0);
        else
            dump_file(&o, argv[i], &domain);
    }
    if (o.damaged > 0)
        err = fail(E_CORRUPT, "%llu of %llu files are damaged", (unsigned long long)o.damaged,
                   (unsigned long long)o.files);
done:
    dump_column_forget(&domain);
    if (dump_out_close(&o) != E_OK && err == E_OK) err = o.err;
    return talk_end(err);
}
