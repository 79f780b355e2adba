/*
 * eoi: 30,000 rows of each of three tables of eight columns, from the signal to the answered
 * commit.
 *
 * Real processes: rows are published over q IPC, the eoi worker has followed them, `.silt.eoi` is
 * called and answers when the new view is committed. In between lie the signal's sync, the sort, 27
 * files and their folders, the domain, the manifest, two folders of links and the swing of
 * `current`. Beside it plain C writes as many files of the same sizes, syncs them and their
 * folders, and swings a link: what the file system asks for such a thing on this machine, now.
 */
#include "kit/kit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROWS   30000
#define ROUNDS 20
#define BATCH  1000
#define COUNT  (3 * ROWS / BATCH)

static KitSystem sys;
static const KitTable *const tables[] = {&kit_wide[0], &kit_wide[1], &kit_wide[2]};

static void must(bool ok, const char *what)
{
    if (!ok) kit_die("%s: %s", what, strerror(errno));
}

static void sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    must(fd >= 0 && fsync(fd) == 0, path);
    close(fd);
}

/* The same files by plain C: written, then synced, then the folders, then the link. */
static f64 plain(u32 round)
{
    static u8 bytes[ROWS * 16 + 4096];
    int fds[3 * 9];
    char base[300], folder[320], path[360];
    u32 n = 0;
    f64 began = kit_now();
    snprintf(base, sizeof base, "%s/plain.%u", sys.dir, round);
    must(mkdir(base, 0750) == 0, base);
    for (u32 t = 0; t < 3; t++) {
        snprintf(folder, sizeof folder, "%s/%s", base, tables[t]->name);
        must(mkdir(folder, 0750) == 0, folder);
        for (u32 c = 0; c < 9; c++) {
            u64 size = c == 8 ? 64 : ROWS * (u64)type_disk_width(tables[t]->types[c]);
            snprintf(path, sizeof path, "%s/%u", folder, c);
            fds[n] = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0640);
            must(fds[n] >= 0 && write(fds[n], bytes, size) == (ssize_t)size, path);
            sync_file_range(fds[n++], 0, 0, SYNC_FILE_RANGE_WRITE);
        }
    }
    for (u32 i = 0; i < n; i++) {
        must(fdatasync(fds[i]) == 0, "sync");
        close(fds[i]);
    }
    for (u32 t = 0; t < 3; t++) {
        snprintf(folder, sizeof folder, "%s/%s", base, tables[t]->name);
        sync_folder(folder);
    }
    sync_folder(base);
    snprintf(path, sizeof path, "%s/current.new", sys.dir);
    snprintf(folder, sizeof folder, "%s/current", sys.dir);
    must(symlink(base, path) == 0 && rename(path, folder) == 0, folder);
    sync_folder(sys.dir);
    f64 took = kit_now() - began;
    kit_remove(base);
    return took;
}

int main(void)
{
    static Buf messages[COUNT];
    f64 ours[ROUNDS], reported[ROUNDS], theirs[ROUNDS], took;
    KitFeed feed;
    Arena a = {0};
    Client c;
    kit_title("eoi", "30,000 rows x 3 tables of 8 columns: signal to answered commit");
    kit_system_make(&sys, tables, 3, "");
    kit_feed_open(&feed, 3, 500, (i64)KIT_DAY * 86400000000000ll, 1000);
    kit_sm_start(&sys);
    KIT_OK(client_open(&c, "127.0.0.1", sys.sm_port, 60000));
    for (u32 round = 0; round < ROUNDS; round++) {
        for (u32 i = 0; i < COUNT; i++) {
            buf_clear(&messages[i]);
            kit_message(&messages[i], tables[i % 3], &feed, BATCH);
        }
        kit_pump(sys.sm_port, 1, 64, messages, COUNT, 0, &took);
        usleep(100000); /* an interval lasts longer than that */
        f64 began = kit_now();
        Value v = kit_call(&c, ".silt.eoi", NULL, &a);
        ours[round] = 1000 * (kit_now() - began);
        reported[round] = value_get(&v, "ms")->as.f;
        theirs[round] = 1000 * plain(round);
        arena_reset(&a);
    }
    f64 reference = kit_percentile(theirs, ROUNDS, 0.5), median = kit_percentile(ours, ROUNDS, 0.5);
    kit_line("call to answer, median of 20", median, "ms", "files by plain C", reference,
             median / reference);
    kit_line("  worst of 20", kit_percentile(ours, ROUNDS, 1), "ms", "files by plain C",
             kit_percentile(theirs, ROUNDS, 1),
             kit_percentile(ours, ROUNDS, 1) / kit_percentile(theirs, ROUNDS, 1));
    kit_line("  beyond the files and syncs of plain C", median - reference, "ms", "", -1, 0);
    kit_line("  signal to commit as the manager says", kit_percentile(reported, ROUNDS, 0.5), "ms",
             "", -1, 0);
    client_close(&c);
    kit_system_stop(&sys);
    kit_feed_close(&feed);
    arena_free(&a);
    return 0;
}
