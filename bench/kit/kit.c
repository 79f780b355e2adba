/*
 * kit: what the benchmarks share.
 *
 * It speaks to the kernel directly, as a user of the system would, and to the system by its ports
 * and files. Processes that it started end with it. Time stands on one day (SILT_NOW_OFFSET_NS), so
 * that rows of that day are not late.
 */
#include "kit/kit.h"

#include "os/dir.h"
#include "q/symbol.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KIT_ZIPF      65536
#define KIT_CONNS_MAX 64
#define KIT_BATCH     64 /* messages handed to the kernel at once */
#define KIT_TMPFS     0x01021994

static const char *kit_folder;

_Noreturn void kit_die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fflush(stdout);
    fprintf(stderr, "bench: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
    exit(1);
}

/* ---- figures */

static f64 read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (f64)t.tv_sec + (f64)t.tv_nsec / 1e9;
}

f64 kit_now(void) { return read_clock(CLOCK_MONOTONIC); }

f64 kit_now_cpu(void) { return read_clock(CLOCK_PROCESS_CPUTIME_ID); }

static int by_value(const void *a, const void *b)
{
    f64 x = *(const f64 *)a, y = *(const f64 *)b;
    return (x > y) - (x < y);
}

f64 kit_percentile(f64 *values, u64 count, f64 share)
{
    qsort(values, count, sizeof *values, by_value);
    u64 at = (u64)((f64)count * share);
    return values[at < count ? at : count - 1];
}

void kit_title(const char *name, const char *text)
{
    f64 load = 0;
    FILE *f = fopen("/proc/loadavg", "re");
    if (f != NULL) {
        if (fscanf(f, "%lf", &load) != 1) load = 0;
        fclose(f);
    }
    printf("\n%s: %s (%ld processors, load %.1f)\n", name, text, sysconf(_SC_NPROCESSORS_ONLN),
           load);
    fflush(stdout);
}

/* Three digits that matter, with commas. */
static const char *number(f64 v, char out[48])
{
    char plain[32];
    if (v < 100) {
        snprintf(out, 48, "%.*f", v < 0.1 ? 4 : v < 1 ? 3 : v < 10 ? 2 : 1, v);
        return out;
    }
    int n = snprintf(plain, sizeof plain, "%.0f", v), to = 0;
    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0) out[to++] = ',';
        out[to++] = plain[i];
    }
    out[to] = 0;
    return out;
}

void kit_line(const char *what, f64 figure, const char *unit, const char *reference_name,
              f64 reference, f64 ratio)
{
    char a[48], b[48];
    printf("  %-46s %14s %-7s", what, number(figure, a), unit);
    if (reference >= 0)
        printf(" | %s %s %s | %.2f", reference_name, number(reference, b), unit, ratio);
    printf("\n");
    fflush(stdout);
}

void kit_note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("  ");
    vprintf(format, args);
    printf("\n");
    va_end(args);
    fflush(stdout);
}

u64 kit_size(const char *name, u64 otherwise)
{
    const char *text = getenv(name);
    i64 n = 0;
    if (text == NULL) return otherwise;
    if (!str_i64(str_of(text), &n) || n < 1) kit_die("%s=%s is no number above 0", name, text);
    return (u64)n;
}

/* ---- rows */

const KitTable kit_trade = {"trade",
                            6,
                            {"time", "sym", "price", "size", "ex", "side"},
                            {QT_TIMESTAMP, QT_SYMBOL, QT_FLOAT, QT_LONG, QT_SYMBOL, QT_CHAR}};
const KitTable kit_quote = {
    "quote", 4, {"time", "sym", "bid", "ask"}, {QT_TIMESTAMP, QT_SYMBOL, QT_FLOAT, QT_FLOAT}};

#define WIDE(name)                                                                                 \
    {                                                                                              \
        name, 8, {"time", "sym", "price", "size", "side", "ex", "cond", "id"},                     \
        {                                                                                          \
            QT_TIMESTAMP, QT_SYMBOL, QT_FLOAT, QT_LONG, QT_CHAR, QT_SYMBOL, QT_INT, QT_GUID        \
        }                                                                                          \
    }
const KitTable kit_wide[3] = {WIDE("wide0"), WIDE("wide1"), WIDE("wide2")};

u64 kit_row_bytes(const KitTable *t)
{
    u64 bytes = 0;
    for (u32 i = 0; i < t->count; i++)
        bytes += type_disk_width(t->types[i]);
    return bytes;
}

void kit_feed_open(KitFeed *f, u64 seed, u32 symbols, i64 time, i64 step)
{
    f64 sum = 0, below = 0;
    u32 filled = 0;
    *f = (KitFeed){.symbols = symbols, .time = time, .step = step};
    prng_init(&f->prng, seed);
    f->zipf = malloc(KIT_ZIPF * sizeof *f->zipf);
    f->names = malloc(symbols * sizeof *f->names);
    if (f->zipf == NULL || f->names == NULL) kit_die("no memory");
    for (u32 i = 0; i < symbols; i++)
        sum += 1.0 / (1 + i);
    for (u32 i = 0; i < symbols; i++) {
        below += 1.0 / (1 + i);
        u32 end = i + 1 == symbols ? KIT_ZIPF : (u32)(below / sum * KIT_ZIPF);
        while (filled < end)
            f->zipf[filled++] = i;
        /* names in another order than weights */
        snprintf(f->names[i], sizeof f->names[i], "S%04u", (u32)((u64)i * 2741 % symbols) % 10000u);
    }
}

void kit_feed_close(KitFeed *f)
{
    free(f->zipf);
    free(f->names);
    *f = (KitFeed){0};
}

/* The rarest symbols share what the table of draws is too coarse for. */
static u32 draw(KitFeed *f)
{
    u64 r = prng_next(&f->prng);
    u32 i = f->zipf[r % KIT_ZIPF];
    return (r >> 20) % 64 == 0 ? (u32)((r >> 32) % f->symbols) : i;
}

static void put(Buf *b, const void *data, u64 size) { KIT_OK(buf_append(b, data, size)); }

static void put_value(Buf *b, int type, KitFeed *f, u32 column)
{
    static const char exchanges[][4] = {"N", "Q", "B", "CME"};
    u64 r = type == QT_TIMESTAMP || type == QT_SYMBOL ? 0 : prng_next(&f->prng);
    const char *name;
    i64 i64_;
    f64 f64_;
    i32 i32_;
    switch (type) {
    case QT_TIMESTAMP:
        put(b, &f->time, 8);
        f->time += f->step;
        break;
    case QT_SYMBOL:
        name = column == 1 ? f->names[draw(f)] : exchanges[prng_next(&f->prng) % 4];
        put(b, name, strlen(name) + 1);
        break;
    case QT_FLOAT:
        f64_ = 50 + (f64)(r % 10000) / 100;
        put(b, &f64_, 8);
        break;
    case QT_LONG:
        i64_ = (i64)(1 + r % 1000);
        put(b, &i64_, 8);
        break;
    case QT_CHAR: put(b, r % 2 == 0 ? "B" : "S", 1); break;
    case QT_INT:
        i32_ = (i32)(r % 100);
        put(b, &i32_, 4);
        break;
    default:
        put(b, &r, 8);
        r = prng_next(&f->prng);
        put(b, &r, 8);
    }
}

void kit_message(Buf *b, const KitTable *t, KitFeed *f, u32 rows)
{
    u64 at = b->size;
    u8 list[6] = {QT_LIST};
    u8 header[8] = {1, WIRE_SYNC};
    put(b, header, 8);
    store_u32(list + 2, 3);
    put(b, list, 6);
    put(b, "\xf5upd", 5);
    put(b, "\xf5", 1);
    put(b, t->name, strlen(t->name) + 1);
    store_u32(list + 2, t->count);
    put(b, list, 6);
    for (u32 c = 0; c < t->count; c++) {
        u8 head[6] = {(u8)(rows == 1 ? -t->types[c] : t->types[c])};
        store_u32(head + 2, rows);
        put(b, head, rows == 1 ? 1 : 6);
        for (u32 r = 0; r < rows; r++)
            put_value(b, t->types[c], f, c);
    }
    store_u32(b->data + at + 4, (u32)(b->size - at));
}

/* ---- folders, processes */

void kit_remove(const char *path) { KIT_OK(dir_remove_all(path)); }

static void clean(void)
{
    if (kit_folder != NULL && dir_remove_all(kit_folder) != E_OK)
        fprintf(stderr, "bench: %s\n", fail_text());
}

static u16 free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (void *)&a, size) != 0 || getsockname(fd, (void *)&a, &size) != 0)
        kit_die("no free port: %s", strerror(errno));
    close(fd);
    return ntohs(a.sin_port);
}

static void write_tables(FILE *f, const KitTable *const *tables, u32 count)
{
    fprintf(f, "name: bench\ntables:\n");
    for (u32 i = 0; i < count; i++) {
        const KitTable *t = tables[i];
        fprintf(f,
                "  %s:\n    type: partitioned\n    prtnCol: time\n    sortColsOrd: [sym, time]\n"
                "    sortColsDisk: [sym, time]\n    columns:\n",
                t->name);
        for (u32 c = 0; c < t->count; c++) {
            fprintf(f, "      - name: %s\n        type: %s\n", t->columns[c],
                    type_name(t->types[c]));
            if (c == 1) fprintf(f, "        attrOrd: parted\n        attrDisk: parted\n");
        }
    }
}

void kit_system_make(KitSystem *s, const KitTable *const *tables, u32 count, const char *sm_keys)
{
    const char *tmp = getenv("TMPDIR");
    struct statfs fs;
    struct timespec now;
    char offset[32];
    *s = (KitSystem){0};
    snprintf(s->dir, sizeof s->dir, "%s/silt-bench-XXXXXX", tmp != NULL ? tmp : "/var/tmp");
    if (mkdtemp(s->dir) == NULL) kit_die("%s: %s", s->dir, strerror(errno));
    kit_folder = s->dir;
    atexit(clean);
    if (statfs(s->dir, &fs) == 0 && fs.f_type == KIT_TMPFS)
        kit_note("%s is in memory: syncs cost nothing here, so the figures mean little", s->dir);
    snprintf(s->idb, sizeof s->idb, "%s/idb", s->dir);
    snprintf(s->hdb, sizeof s->hdb, "%s/hdb", s->dir);
    snprintf(s->yaml, sizeof s->yaml, "%s/assembly.yaml", s->dir);
    s->sm_port = free_port();
    s->da_port = free_port();
    FILE *f = fopen(s->yaml, "we");
    if (f == NULL) kit_die("%s: %s", s->yaml, strerror(errno));
    write_tables(f, tables, count);
    fprintf(f,
            "bus:\n  stream:\n    protocol: rt\n    topic: bench\n"
            "mounts:\n  rdb:\n    type: stream\n    partition: none\n    baseURI: none\n"
            "  idb:\n    type: local\n    partition: ordinal\n    baseURI: file://%s\n"
            "  hdb:\n    type: local\n    partition: date\n    baseURI: file://%s\n"
            "elements:\n  sm:\n    source: stream\n    port: %u\n%s"
            "    tiers:\n      - name: idb\n        mount: idb\n        schedule:\n"
            "          freq: 1D00:00:00\n      - name: hdb\n        mount: hdb\n        schedule:\n"
            "          freq: 1D00:00:00\n"
            "  dap:\n    instances:\n      dap:\n        mountList: [rdb, idb, hdb]\n"
            "        port: %u\n",
            s->idb, s->hdb, s->sm_port, sm_keys, s->da_port);
    fclose(f);
    /* It is noon of that day, for us and for every process that we start. */
    clock_gettime(CLOCK_REALTIME, &now);
    i64 unix_day = (i64)KIT_DAY + 10957;
    snprintf(offset, sizeof offset, "%lld",
             (long long)((unix_day * 86400 + 43200 - (i64)now.tv_sec) * 1000000000));
    setenv("SILT_NOW_OFFSET_NS", offset, 1);
}

static int start(const KitSystem *s, const char *role, u16 port)
{
    const char *silt = getenv("SILT");
    Client c = {.fd = -1};
    if (silt == NULL) kit_die("SILT does not name the program; run bench/run.sh");
    fflush(stdout);
    int pid = fork();
    if (pid < 0) kit_die("fork: %s", strerror(errno));
    if (pid == 0) {
        char log[300];
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        snprintf(log, sizeof log, "%s/%s.log", s->dir, role);
        int fd = open(log, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0640);
        if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0) _exit(126);
        execl(silt, silt, role, s->yaml, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 200; i++) {
        int status;
        if (waitpid(pid, &status, WNOHANG) == pid)
            kit_die("silt %s ended at once; see its log: %s/%s.log", role, s->dir, role);
        if (client_open(&c, "127.0.0.1", port, 1000) == E_OK) break;
        usleep(50000);
    }
    if (c.fd < 0) kit_die("silt %s does not answer: %s", role, fail_text());
    client_close(&c);
    return pid;
}

void kit_sm_start(KitSystem *s)
{
    s->sm = start(s, "sm", s->sm_port);
    for (int i = 0; kit_worker(s, "eoi") == 0 || kit_worker(s, "eod") == 0; i++) {
        if (i == 200) kit_die("the workers did not start");
        usleep(20000);
    }
    usleep(100000);
}

void kit_da_start(KitSystem *s)
{
    Arena a = {0};
    Client c = {.fd = -1};
    s->da = start(s, "da", s->da_port);
    KIT_OK(client_open(&c, "127.0.0.1", s->da_port, 5000));
    for (int i = 0;; i++) {
        Value v = kit_call(&c, ".silt.status", NULL, &a);
        const Value *ready = value_get(&v, "ready");
        if (ready != NULL && ready->as.i != 0) break;
        if (i == 600) kit_die("the reader does not become ready");
        usleep(50000);
        arena_reset(&a);
    }
    client_close(&c);
    arena_free(&a);
}

void kit_stop(int *pid)
{
    int status;
    if (*pid == 0) return;
    kill(*pid, SIGTERM);
    waitpid(*pid, &status, 0);
    *pid = 0;
}

void kit_system_stop(KitSystem *s)
{
    kit_stop(&s->da);
    kit_stop(&s->sm);
}

int kit_worker(const KitSystem *s, const char *name)
{
    char path[64], line[512];
    int pid, found = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", s->sm, s->sm);
    FILE *f = fopen(path, "re");
    while (f != NULL && found == 0 && fscanf(f, "%d", &pid) == 1) {
        snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
        FILE *g = fopen(path, "re");
        u64 n = g == NULL ? 0 : fread(line, 1, sizeof line - 1, g);
        if (g != NULL) fclose(g);
        line[n] = 0;
        for (u64 at = 0; at < n && found == 0; at += strlen(line + at) + 1)
            if (strcmp(line + at, name) == 0) found = pid;
    }
    if (f != NULL) fclose(f);
    return found;
}

f64 kit_cpu(int pid)
{
    clockid_t id;
    if (clock_getcpuclockid(pid, &id) != 0) kit_die("process %d has no clock", pid);
    return read_clock(id);
}

u64 kit_memory(int pid)
{
    char path[64], line[256];
    unsigned long long kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *f = fopen(path, "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "RssAnon: %llu", &kib) == 1) break;
    if (f != NULL) fclose(f);
    return (u64)kib << 10;
}

struct KitWatch {
    pthread_t thread;
    atomic_bool over;
    int pids[8];
    u64 highest[8];
    u32 count;
};

static void *watch(void *arg)
{
    KitWatch *w = arg;
    while (!atomic_load(&w->over)) {
        for (u32 i = 0; i < w->count; i++) {
            u64 now = kit_memory(w->pids[i]);
            if (now > w->highest[i]) w->highest[i] = now;
        }
        usleep(5000);
    }
    return NULL;
}

KitWatch *kit_watch(const int *pids, u32 count)
{
    KitWatch *w = calloc(1, sizeof *w);
    if (w == NULL) kit_die("no memory");
    w->count = count;
    memcpy(w->pids, pids, count * sizeof *pids);
    if (pthread_create(&w->thread, NULL, watch, w) != 0) kit_die("no thread");
    return w;
}

void kit_watch_end(KitWatch *w, u64 *highest)
{
    atomic_store(&w->over, true);
    pthread_join(w->thread, NULL);
    memcpy(highest, w->highest, w->count * sizeof *highest);
    free(w);
}

Value kit_call(Client *c, const char *function, const Value *argument, Arena *a)
{
    Value answer, request = value_list(a, 2);
    Value *items = vec_value(&request.as.vec);
    items[0] = value_symbol(function);
    items[1] = argument == NULL ? value_null() : *argument;
    KIT_OK(client_call(c, &request, a, &answer));
    return answer;
}

void kit_db_open(KitDb *db, const KitSystem *s)
{
    ConfigFinding *findings = NULL;
    u32 count = 0;
    u64 removed = 0;
    ConfigSource source = {.path = s->yaml, .sm_port = -1, .da_port = -1};
    memset(db, 0, sizeof *db);
    KIT_OK(config_load(&db->config, &source, &findings, &count));
    root_init(&db->root, db->config.name, db->config.idb->base, db->config.hdb->base,
              db->config.source->log_path, db->config.date_tiers, db->config.date_tier_count);
    KIT_OK(root_claim(&db->root));
    view_cache_init(&db->cache, &db->root);
    KIT_OK(publish_open(&db->publish, &db->root, &db->cache, &removed));
}

void kit_db_close(KitDb *db)
{
    publish_close(&db->publish);
    view_cache_free(&db->cache);
    root_close(&db->root);
    config_free(&db->config);
}

/* ---- many requests in flight */

typedef struct {
    int fd;
    u32 waiting; /* sent or to be sent, not acknowledged */
    u64 unsent;  /* messages */
    u64 first;   /* number of the first of them */
    u64 offset;  /* bytes of it that were sent */
    u8 in[65536];
    u64 in_size;
} Pump;

/* Gives the kernel what it takes. */
static void pump_send(Pump *p, const Buf *messages, u32 count)
{
    while (p->unsent > 0) {
        struct iovec v[KIT_BATCH];
        int n = 0;
        for (u64 i = 0; i < p->unsent && n < KIT_BATCH; i++) {
            const Buf *m = &messages[(p->first + i) % count];
            u64 skip = i == 0 ? p->offset : 0;
            v[n++] = (struct iovec){m->data + skip, m->size - skip};
        }
        ssize_t put_now = writev(p->fd, v, n);
        if (put_now < 0 && errno == EAGAIN) return;
        if (put_now < 0) kit_die("send: %s", strerror(errno));
        u64 left = (u64)put_now + p->offset;
        while (p->unsent > 0 && left >= messages[p->first % count].size) {
            left -= messages[p->first % count].size;
            p->first++;
            p->unsent--;
        }
        p->offset = left;
    }
}

/* Takes answers; how many came. */
static u64 pump_receive(Pump *p)
{
    u64 answers = 0;
    for (;;) {
        u64 room = sizeof p->in - p->in_size, at = 0;
        ssize_t got = recv(p->fd, p->in + p->in_size, room, 0);
        if (got < 0 && errno == EAGAIN) break;
        if (got <= 0) kit_die("the manager closed the connection");
        p->in_size += (u64)got;
        while (p->in_size - at >= 9) {
            u64 size = load_u32(p->in + at + 4);
            if (p->in_size - at < size) break;
            if (p->in[at + 8] == 0x80)
                kit_die("a message was refused: %.*s", (int)(size - 9), p->in + at + 9);
            at += size;
            answers++;
        }
        memmove(p->in, p->in + at, p->in_size - at);
        p->in_size -= at;
        if ((u64)got < room) break;
    }
    p->waiting -= (u32)answers;
    return answers;
}

u64 kit_pump(u16 port, u32 conns, u32 flight, const Buf *messages, u32 count, f64 seconds,
             f64 *took)
{
    Pump *pumps = calloc(conns, sizeof *pumps);
    struct pollfd polls[KIT_CONNS_MAX];
    u64 sent = 0, acked = 0;
    if (pumps == NULL || conns > KIT_CONNS_MAX) kit_die("too many connections");
    if (seconds == 0 && conns != 1) kit_die("messages in order go over one connection");
    for (u32 i = 0; i < conns; i++) {
        Client c;
        int one = 1;
        KIT_OK(client_open(&c, "127.0.0.1", port, 5000));
        pumps[i].fd = c.fd;
        pumps[i].first = (u64)i * (count / conns);
        setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        polls[i] = (struct pollfd){.fd = c.fd};
    }
    f64 began = kit_now(), now = began;
    for (;;) {
        bool more = seconds > 0 ? now - began < seconds : sent < count;
        u32 busy = 0;
        for (u32 i = 0; i < conns; i++) {
            Pump *p = &pumps[i];
            while (more && p->waiting < flight && (seconds > 0 || sent < count)) {
                p->waiting++;
                p->unsent++;
                sent++;
            }
            pump_send(p, messages, count);
            polls[i].events = (short)(POLLIN | (p->unsent > 0 ? POLLOUT : 0));
            busy += p->waiting > 0;
        }
        if (busy == 0) break;
        if (poll(polls, conns, 60000) <= 0) kit_die("no answer within a minute");
        for (u32 i = 0; i < conns; i++)
            if (polls[i].revents != 0) acked += pump_receive(&pumps[i]);
        now = kit_now();
    }
    *took = kit_now() - began;
    for (u32 i = 0; i < conns; i++)
        close(pumps[i].fd);
    free(pumps);
    return acked;
}

/* ---- the machine */

f64 kit_fdatasyncs(const char *dir)
{
    char path[300];
    static u8 page[4096] __attribute__((aligned(4096)));
    u64 pages = 8192, n = 0;
    snprintf(path, sizeof path, "%s/syncs", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0) kit_die("%s: %s", path, strerror(errno));
    for (u64 i = 0; i < pages; i++)
        if (pwrite(fd, page, sizeof page, (off_t)(i * sizeof page)) < 0) kit_die("%s: write", path);
    if (fsync(fd) != 0) kit_die("%s: fsync", path);
    f64 began = kit_now(), now = began;
    for (; now - began < 1 && n < pages; n++) {
        page[0]++;
        if (pwrite(fd, page, sizeof page, (off_t)(n * sizeof page)) < 0 || fdatasync(fd) != 0)
            kit_die("%s: %s", path, strerror(errno));
        now = kit_now();
    }
    close(fd);
    unlink(path);
    return (f64)n / (now - began);
}

f64 kit_write_rate(const char *dir, u64 size, bool direct)
{
    char path[300];
    u64 step = 1 << 20;
    u8 *block = NULL;
    snprintf(path, sizeof path, "%s/sequential", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | (direct ? O_DIRECT : 0), 0640);
    if (fd < 0) return 0;
    if (posix_memalign((void **)&block, 4096, step) != 0) kit_die("no memory");
    for (u64 i = 0; i < step; i++)
        block[i] = (u8)(i * 31);
    f64 began = kit_now();
    for (u64 at = 0; at < size; at += step)
        if (pwrite(fd, block, step, (off_t)at) != (ssize_t)step)
            kit_die("%s: %s", path, strerror(errno));
    if (fdatasync(fd) != 0) kit_die("%s: %s", path, strerror(errno));
    f64 rate = (f64)size / (kit_now() - began);
    close(fd);
    unlink(path);
    free(block);
    return rate;
}

static u64 walked;

static int read_entry(const char *path, const struct stat *st, int kind, struct FTW *unused)
{
    static u8 block[1 << 20];
    (void)unused;
    if (kind != FTW_F) return 0;
    walked += (u64)st->st_size;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && read(fd, block, sizeof block) > 0) {}
    if (fd >= 0) close(fd);
    return 0;
}

static int sync_entry(const char *path, const struct stat *st, int kind, struct FTW *unused)
{
    (void)st;
    (void)unused;
    if (kind != FTW_F && kind != FTW_DP) return 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int result = fd < 0 ? -1 : fsync(fd);
    if (fd >= 0) close(fd);
    return result;
}

f64 kit_copy(const char *from, const char *to, u64 *bytes)
{
    extern char **environ;
    char *argv[] = {(char *)(uintptr_t) "cp", (char *)(uintptr_t) "-r", (char *)(uintptr_t)from,
                    (char *)(uintptr_t)to, NULL};
    int pid, status;
    walked = 0;
    if (nftw(from, read_entry, 32, FTW_PHYS) != 0) kit_die("%s: cannot be read", from);
    *bytes = walked;
    f64 began = kit_now();
    if (posix_spawnp(&pid, "cp", NULL, NULL, argv, environ) != 0 ||
        waitpid(pid, &status, 0) != pid || status != 0)
        kit_die("cp %s %s failed", from, to);
    if (nftw(to, sync_entry, 32, FTW_PHYS | FTW_DEPTH) != 0) kit_die("%s: sync", to);
    return kit_now() - began;
}
