/*
 * up: one command for a whole system on one machine.
 *
 * Children: one `silt sm`, one `silt da` for every entry of dap.instances. A child that ends is
 * started again after a pause that doubles up to ten seconds; a manager that ends with a status no
 * restart can mend (usage, lock held, unsupported, corrupt, denied) ends us with that status.
 * SIGINT and SIGTERM end the children, readers first, and wait for them.
 */
#include "cmd/up.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/log.h"
#include "cmd/config.h"
#include "cmd/options.h"
#include "os/loop.h"
#include "os/now.h"
#include "os/proc.h"

#define UP_CHILDREN_MAX   65
#define UP_DELAY_FIRST_MS 100
#define UP_DELAY_LAST_MS  10000
#define UP_STEADY_NS      30000000000LL

typedef struct Up Up;

typedef struct {
    Up *up;
    const char *instance; /* NULL = the manager */
    int pid;
    u64 delay_ms;
    i64 started;
    LoopTimer timer;
} UpChild;

struct Up {
    OptionsCommon options;
    Config config;
    Loop *loop;
    UpChild children[UP_CHILDREN_MAX];
    u32 count;
    bool stopping;
    int status;
};

static void start_child(void *arg)
{
    UpChild *c = arg;
    Up *up = c->up;
    Arena a = {0};
    const char *argv[32] = {0};
    char *self = NULL;
    u32 n = 0;
    if (up->stopping) return;
    Err err = proc_self(&a, &self);
    argv[n++] = self;
    argv[n++] = c->instance == NULL ? "sm" : "da";
    argv[n++] = up->config.file;
    if (c->instance != NULL) {
        argv[n++] = "--instance";
        argv[n++] = c->instance;
    }
    options_forward(&up->options, argv, &n);
    if (err == E_OK) err = proc_spawn(argv, NULL, &c->pid);
    c->started = now_mono();
    if (err != E_OK) {
        log_fail(LOG_ERROR, "up.start", err);
        c->pid = 0;
        loop_timer(up->loop, &c->timer, UP_DELAY_LAST_MS, 0, start_child, c);
    }
    arena_free(&a);
}

/* Whether a manager that ended so would end so again. */
static bool hopeless(int status)
{
    if (!WIFEXITED(status)) return false;
    int code = WEXITSTATUS(status);
    return code == fail_exit(E_USAGE) || code == fail_exit(E_BUSY) ||
           code == fail_exit(E_UNSUPPORTED) || code == fail_exit(E_CORRUPT) ||
           code == fail_exit(E_DENIED) || code == fail_exit(E_NOT_FOUND);
}

static void child_gone(void *arg, int pid, int status)
{
    Up *up = arg;
    for (u32 i = 0; i < up->count; i++) {
        UpChild *c = &up->children[i];
        if (c->pid != pid) continue;
        c->pid = 0;
        if (up->stopping) return;
        if (c->instance == NULL && hopeless(status)) {
            up->status = WEXITSTATUS(status);
            loop_stop(up->loop);
            return;
        }
        if (now_mono() - c->started > UP_STEADY_NS) c->delay_ms = UP_DELAY_FIRST_MS;
        log_event(LOG_WARN, "up.restart", "%s pid %d, %s %d; starts again in %llu ms",
                  c->instance == NULL ? "sm" : c->instance, pid,
                  WIFSIGNALED(status) ? "signal" : "status",
                  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
                  (unsigned long long)c->delay_ms);
        loop_timer(up->loop, &c->timer, c->delay_ms, 0, start_child, c);
        c->delay_ms = MIN(2 * c->delay_ms, UP_DELAY_LAST_MS);
        return;
    }
}

static void on_signal(void *arg, int signo)
{
    Up *up = arg;
    (void)signo;
    up->stopping = true;
    loop_stop(up->loop);
}

static void stop(Up *up)
{
    int status = 0;
    up->stopping = true;
    for (u32 i = up->count; i-- > 0;) { /* readers first, the manager last */
        UpChild *c = &up->children[i];
        if (c->pid <= 0) continue;
        proc_signal(c->pid, SIGTERM);
        if (proc_wait(c->pid, 15000, &status) == E_OK) continue;
        log_event(LOG_WARN, "up.kill", "%s pid %d does not end",
                  c->instance == NULL ? "sm" : c->instance, c->pid);
        proc_signal(c->pid, SIGKILL);
        if (proc_wait(c->pid, 5000, &status) != E_OK) log_fail(LOG_WARN, "up.kill", fail_last());
    }
}

int up_main(int argc, char **argv)
{
    Err err = E_OK;
    ConfigSource source;
    ConfigFinding *findings = NULL;
    u32 count = 0;
    Up *up = calloc(1, sizeof *up);
    if (up == NULL) return fail_exit(E_MEMORY);
    Option options[] = {OPTIONS_COMMON(up->options), {0}};
    TRY(options_parse(&argc, argv, options));
    if (argc > 1) TRY(fail(E_USAGE, "silt up takes one assembly file"));
    up->options.file = argc == 1 ? argv[0] : NULL;
    TRY(options_log(&up->options, "up"));
    TRY(options_source(&up->options, &source));
    TRY(config_load(&up->config, &source, &findings, &count));
    for (u32 i = 0; i < count; i++)
        log_event(LOG_WARN, "config.warning", "%s:%u: %s: %s: %s", up->config.file,
                  findings[i].line, findings[i].path, findings[i].rule, findings[i].text);
    TRY(config_supported(&up->config));
    if (up->config.dap_count >= UP_CHILDREN_MAX)
        TRY(fail(E_LIMIT, "at most %d readers", UP_CHILDREN_MAX - 1));
    TRY(loop_make(&up->loop));
    TRY(loop_children(up->loop, child_gone, up));
    TRY(loop_signal(up->loop, SIGTERM, on_signal, up));
    TRY(loop_signal(up->loop, SIGINT, on_signal, up));
    up->children[up->count++] = (UpChild){.up = up, .delay_ms = UP_DELAY_FIRST_MS};
    for (u32 i = 0; i < up->config.dap_count; i++)
        up->children[up->count++] =
            (UpChild){.up = up, .instance = up->config.daps[i].name, .delay_ms = UP_DELAY_FIRST_MS};
    for (u32 i = 0; i < up->count; i++)
        start_child(&up->children[i]);
    LogLine l;
    log_begin(&l, LOG_INFO, "up.started");
    log_str(&l, "assembly", up->config.name);
    log_i64(&l, "sm_port", up->config.port);
    log_i64(&l, "da_port", up->config.dap_count > 0 ? up->config.daps[0].port : 0);
    log_end(&l);
    loop_run(up->loop);
done:
    if (err != E_OK) {
        log_fail(LOG_ERROR, "up.failed", err);
        up->status = fail_exit(err);
    }
    stop(up);
    loop_free(up->loop);
    config_free(&up->config);
    int status = up->status;
    free(up);
    return status;
}
