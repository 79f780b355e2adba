/*
 * tool_kit: runs a command's main in a child process and catches what it prints; temporary
 * folders. */
#ifndef UNIT_CMD_TOOL_KIT_H
#define UNIT_CMD_TOOL_KIT_H

#include "base/buf.h"
#include "base/fail.h"
#include "os/dir.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define TOOL_WORDS_MAX 16
#define TOOL_INPUT_MAX (1 << 20)

/* Checks that a call succeeds, and says why it did not. */
#define TOOL_OK(call)                                                                              \
    do {                                                                                           \
        Err tool_err = (call);                                                                     \
        if (tool_err != E_OK) fail_msg("%s: %s", fail_name(tool_err), fail_text());                \
    } while (0)

typedef struct {
    int status;
    Buf out, err;
} ToolRun;

static inline void tool_run_free(ToolRun *r)
{
    buf_free(&r->out);
    buf_free(&r->err);
}

/* Reads both pipes to their ends. */
static inline void tool_collect(ToolRun *r, int out, int err)
{
    struct pollfd p[2] = {{.fd = out, .events = POLLIN}, {.fd = err, .events = POLLIN}};
    while (p[0].fd >= 0 || p[1].fd >= 0) {
        assert_true(poll(p, 2, 60000) > 0);
        for (int i = 0; i < 2; i++) {
            u8 piece[4096];
            if (p[i].fd < 0 || p[i].revents == 0) continue;
            ssize_t n = read(p[i].fd, piece, sizeof piece);
            assert_true(n >= 0);
            if (n > 0) {
                assert_int_equal(buf_append(i == 0 ? &r->out : &r->err, piece, (u64)n), E_OK);
                continue;
            }
            close(p[i].fd);
            p[i].fd = -1;
        }
    }
}

/* Runs `run` with the words (ended by NULL) and `input` on standard input (NULL = none). */
static inline ToolRun tool_run(int (*run)(int argc, char **argv), const char *input,
                               const char *const *words)
{
    ToolRun r = {0};
    int in[2], out[2], err[2], argc = 0, status = 0;
    char *argv[TOOL_WORDS_MAX + 1] = {0};
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    assert_int_equal(pipe(err), 0);
    assert_true(fcntl(in[1], F_SETPIPE_SZ, TOOL_INPUT_MAX) >= TOOL_INPUT_MAX);
    fflush(NULL);
    int pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        for (; words[argc] != NULL && argc < TOOL_WORDS_MAX; argc++)
            argv[argc] = strdup(words[argc]);
        if (dup2(in[0], 0) < 0 || dup2(out[1], 1) < 0 || dup2(err[1], 2) < 0) _exit(99);
        close(in[1]);
        close(out[0]);
        close(err[0]);
        status = run(argc, argv);
        fflush(NULL);
        _exit(status);
    }
    close(in[0]);
    close(out[1]);
    close(err[1]);
    u64 size = input == NULL ? 0 : strlen(input);
    assert_true(size <= TOOL_INPUT_MAX); /* what the pipe takes without a reader */
    if (size > 0) assert_int_equal(write(in[1], input, size), size);
    close(in[1]);
    tool_collect(&r, out[0], err[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    r.status = WEXITSTATUS(status);
    return r;
}

#define TOOL_RUN(run, input, ...) tool_run(run, input, (const char *const[]){__VA_ARGS__, NULL})

/* A temporary folder, in memory where that can be. */
static inline void tool_folder(char out[256])
{
    const char *tmp = getenv("TMPDIR");
    const char *where = access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm"
                        : tmp != NULL                        ? tmp
                                                             : "/tmp";
    snprintf(out, 256, "%s/silt-cmd-XXXXXX", where);
    assert_non_null(mkdtemp(out));
}

static inline void tool_write(const char *path, const void *data, u64 size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), size);
    close(fd);
}

/* Writes over bytes of a file; at < 0 counts from its end. */
static inline void tool_poke(const char *path, long at, const void *data, u64 size)
{
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, at, at < 0 ? SEEK_END : SEEK_SET), 0);
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

#endif
