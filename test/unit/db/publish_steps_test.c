/*
 * publish, stopped or failing at each of its steps: afterwards the old view or the new one stands,
 * both databases load at every moment, recovery leaves nothing behind, and what the commit relies
 * on was synced before it.
 */
#include "db/mend.h"
#include "unit/db/kit.h"

/* What comes next in a life of three intervals and a day, with one migration now and then.
 * Deterministic in the view. */
typedef struct {
    PublishChange c;
    Part add[2];
    const Part *gone[8];
    bool stage;
} Step;

static void next_step(Kit *k, Step *s)
{
    const View *v = k->p.current;
    u64 at = 0, next = publish_next(&k->p);
    i32 key = 0, day = KIT_DAY + (i32)(v->eod % 4 * 120);
    *s = (Step){.c = publish_change(&k->p)};
    s->c.add = s->add;
    for (const Part *p; (p = view_next(v, PART_INTERVAL, &at)) != NULL; key = p->key + 1)
        s->gone[s->c.remove_count++] = p;
    if (s->c.remove_count < 3) {
        s->c.remove_count = 0;
        s->c.eoi++;
        s->c.watermark += 1000;
        s->add[s->c.add_count++] = kit_part(k, PART_INTERVAL, key, day, 0, s->c.eoi);
        if (s->c.eoi % 2 == 0) {
            s->add[s->c.add_count] = kit_part(k, PART_INTERVAL, key + 1, day - 1, 0, s->c.eoi);
            s->add[s->c.add_count++].late = true;
            s->add[1].tables[0].slices = arena_new(&k->memory, PartSlice);
            s->add[1].tables[0].slices[0] = (PartSlice){day - 1, 0, 3};
            s->add[1].tables[0].slice_count = 1;
        }
        return;
    }
    s->stage = true;
    s->c.remove = s->gone;
    s->c.eod++;
    s->add[s->c.add_count++] = kit_part(k, PART_DATE, day, day, 0, next);
    at = 0;
    const Part *oldest = view_next(v, PART_DATE, &at);
    if (oldest != NULL && oldest->key == day) oldest = view_next(v, PART_DATE, &at);
    if (k->tier_count > 1 && oldest != NULL) {
        s->add[s->c.add_count++] =
            kit_part(k, PART_DATE, oldest->key, oldest->key, 1 - oldest->tier, next);
    }
}

/* What the view will name after a step, computed the plain way. */
static char *names_after(Kit *k, const View *v, const Step *s)
{
    View next = *v;
    Segment kinds[2];
    Segment *where[2] = {&kinds[0], &kinds[1]};
    for (int kind = PART_INTERVAL; kind <= PART_DATE; kind++) {
        u64 at = 0;
        kinds[kind] = (Segment){
            .parts = arena_array(&k->memory, Part, view_part_count(v, (PartKind)kind) + 2)};
        for (const Part *p; (p = view_next(v, (PartKind)kind, &at)) != NULL;) {
            bool stays = true;
            for (u32 i = 0; i < s->c.remove_count; i++)
                stays = stays && s->gone[i] != p;
            for (u32 i = 0; i < s->c.add_count; i++)
                stays = stays && (s->add[i].kind != p->kind || s->add[i].key != p->key);
            if (stays) kinds[kind].parts[kinds[kind].part_count++] = *p;
        }
        for (u32 i = 0; i < s->c.add_count; i++) {
            if ((int)s->add[i].kind != kind) continue;
            u32 n = kinds[kind].part_count++;
            for (; n > 0 && kinds[kind].parts[n - 1].key > s->add[i].key; n--)
                kinds[kind].parts[n] = kinds[kind].parts[n - 1];
            kinds[kind].parts[n] = s->add[i];
        }
    }
    next.interval_segs = &where[0];
    next.date_segs = &where[1];
    next.interval_seg_count = kinds[0].part_count > 0;
    next.date_seg_count = kinds[1].part_count > 0;
    return kit_names(k, &next);
}

/* Start, sweep, stage, commit, sweep: the whole life of one view, which forgets what the life
 * before it has swept. Files of parts are made outside os/, uncounted. */
static Err live(Kit *k)
{
    Step s;
    Sweep sweep;
    Err err = kit_start(k);
    if (err != E_OK) return err;
    TRY(kit_sweep(k, UINT64_MAX, &sweep));
    next_step(k, &s);
    const char *paths[2] = {s.add[0].path, s.c.add_count > 1 ? s.add[1].path : NULL};
    if (s.stage) TRY(publish_stage_begin(&k->root, "day", paths, s.c.add_count));
    for (u32 i = 0; i < s.c.add_count; i++)
        kit_stage(k, &s.add[i]);
    TRY(publish_commit(&k->p, &s.c));
    if (s.stage) TRY(publish_stage_end(&k->root, "day"));
    TRY(kit_sweep(k, UINT64_MAX, &sweep));
done:
    return err;
}

/* Loads both databases as they stand, before any recovery (P3). */
static void load_ruins(Kit *k)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/current", k->idb);
    if (kit_load(path) < 0) fail_msg("before recovery: %s", kit_why);
    snprintf(path, sizeof path, "%s/current", k->hdb);
    if (kit_load(path) < 0) fail_msg("before recovery: %s", kit_why);
}

/* Runs `what` in a child that stops before its k-th change; whether it got to the end. */
static bool run_child(Kit *k, u64 at, Err (*what)(Kit *))
{
    int status = 0;
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, STDERR_FILENO);
        fault_arm(FAULT_KILL, at, false, 0);
        _exit(what(k) == E_OK ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) != 137) assert_int_equal(WEXITSTATUS(status), 0);
    return WEXITSTATUS(status) == 0;
}

/* What stands now, in an open database, and what would stand after one more step; returns the kind
 * of that step: one part, two parts, a day. */
static u32 foresee(Kit *k, char **old, char **new)
{
    Step s;
    next_step(k, &s);
    *old = kit_names(k, k->p.current);
    *new = names_after(k, k->p.current, &s);
    return s.stage ? 2 : s.c.add_count - 1;
}

static u32 expect(Kit *k, char **old, char **new)
{
    KIT_OK(kit_start(k));
    u32 kind = foresee(k, old, new);
    kit_stop(k);
    return kind;
}

/* Lives on, at least `least` steps, until a day with a migration comes next: there all is written
 * that there is. */
static void live_up_to_a_day(Kit *k, int least, char **old, char **new)
{
    while (expect(k, old, new) != 2 || least > 0) {
        KIT_OK(live(k));
        kit_stop(k);
        least--;
    }
}

/* Recovers: the old view or the new one must stand, and nothing else be there. Foresees the next
 * step. */
static bool recovers(Kit *k, u32 *kind, char **old, char **new)
{
    KIT_OK(kit_start(k));
    char *names = kit_names(k, k->p.current);
    bool fresh = strcmp(names, *new) == 0;
    if (!fresh && strcmp(names, *old) != 0)
        fail_msg("neither `%s` nor `%s`: `%s`", *old, *new, names);
    kit_judge(k);
    *kind = foresee(k, old, new);
    kit_stop(k);
    return fresh;
}

static void stopped_anywhere(u32 tiers)
{
    Kit k;
    u64 points = 0, commits = 0, at[3] = {1, 1, 1};
    bool done[3] = {false, false, false};
    kit_make(&k, tiers);
    KIT_OK(kit_start(&k));
    kit_stop(&k);
    for (int i = 0; i < 6; i++) { /* so that there is something to migrate and to sweep */
        KIT_OK(live(&k));
        kit_stop(&k);
    }
    /* Step after step on the same database, each kind with a stop at every of its changes. */
    char *old = NULL, *new = NULL;
    u32 kind = expect(&k, &old, &new);
    while (!done[0] || !done[1] || !done[2]) {
        bool ended = run_child(&k, done[kind] ? UINT64_MAX : at[kind], live);
        points += !ended;
        at[kind] += !ended;
        done[kind] = done[kind] || ended;
        load_ruins(&k);
        bool fresh = recovers(&k, &kind, &old, &new);
        assert_true(fresh || !ended);
        commits += fresh && !ended;
    }
    print_message("# %u tier: %" PRIu64 " points, 0 failures (%" PRIu64 " with the new view)\n",
                  tiers, points, commits);
    assert_true(points > 120);
    assert_true(commits > 30);
    kit_end(&k);
}

static void stopped_at_any_step_leaves_the_old_or_the_new_view(void **state)
{
    (void)state;
    stopped_anywhere(1);
}

static void stopped_at_any_step_of_a_segmented_hdb(void **state)
{
    (void)state;
    stopped_anywhere(2);
}

static void a_first_start_stopped_at_any_step_starts_anew(void **state)
{
    (void)state;
    u64 points = 0;
    for (u64 at = 1;; at++) {
        Kit k;
        kit_make(&k, 2);
        bool ended = run_child(&k, at, kit_start);
        KIT_OK(kit_start(&k));
        assert_int_equal(k.p.current->number, 1);
        kit_judge(&k);
        kit_end(&k);
        if (ended) break;
        points++;
    }
    print_message("# first start: %" PRIu64 " points, 0 failures\n", points);
    assert_true(points > 30);
}

static void recovery_stopped_at_any_step_recovers(void **state)
{
    (void)state;
    u64 points = 0;
    Kit k;
    kit_make(&k, 2);
    for (int i = 0; i < 5; i++) {
        KIT_OK(live(&k));
        kit_stop(&k);
    }
    char *old = NULL, *new = NULL;
    u32 kind = expect(&k, &old, &new);
    for (u64 at = 3; at < 75; at += 4) {
        bool ended = run_child(&k, at, live);
        for (u64 in = 1; !run_child(&k, in, kit_start); in++) {
            points++;
            load_ruins(&k);
        }
        recovers(&k, &kind, &old, &new);
        if (ended) break;
    }
    print_message("# recovery: %" PRIu64 " points, 0 failures\n", points);
    assert_true(points > 60);
    kit_end(&k);
}

/* One failing change, or all from then on. The same process goes on unless the failure is E_IO. */
static void failing_anywhere(int error, bool lasting)
{
    Kit k;
    u64 points = 0;
    kit_make(&k, 2);
    char *old = NULL, *new = NULL;
    live_up_to_a_day(&k, 4, &old, &new);
    for (u64 at = 1;; at++) {
        Step s;
        KIT_OK(kit_start(&k));
        u64 number = k.p.current->number, now = 0;
        next_step(&k, &s);
        const char *paths[2] = {s.add[0].path, s.add[1].path};
        KIT_OK(publish_stage_begin(&k.root, "day", paths, s.c.add_count));
        for (u32 i = 0; i < s.c.add_count; i++)
            kit_stage(&k, &s.add[i]);
        fault_arm(FAULT_ERROR, at, lasting, error);
        Err err = publish_commit(&k.p, &s.c);
        u64 changes = fault_count();
        fault_arm(FAULT_NONE, 0, false, 0);
        load_ruins(&k);
        if (err == E_OK) {
            assert_true(changes < at);
            assert_string_equal(kit_names(&k, k.p.current), new);
            kit_stop(&k);
            break;
        }
        points++;
        KIT_OK(view_current(&k.root, &now));
        assert_int_equal(k.p.current->number, number);
        if (err != E_IO) {
            /* The old view stands, in memory and on disk; once the cause is gone the same change
             * succeeds. */
            u64 left = 0;
            assert_int_equal(now, number);
            KIT_OK(mend_above(&k.root, number, k.p.current->hdb, &left));
            assert_true(left == 0 || lasting);
            if (at % 5 == 0) {
                KIT_OK(publish_commit(&k.p, &s.c));
                assert_string_equal(kit_names(&k, k.p.current), new);
            }
        }
        kit_stop(&k);
        u32 kind = 0;
        recovers(&k, &kind, &old, &new);
        if (kind != 2) live_up_to_a_day(&k, 0, &old, &new);
    }
    print_message("# %s%s: %" PRIu64 " points, 0 failures\n", strerrorname_np(error),
                  lasting ? " for good" : "", points);
    assert_true(points > 20);
    kit_end(&k);
}

static void errors_at_any_step_leave_the_old_view(void **state)
{
    (void)state;
    failing_anywhere(ENOSPC, false);
    failing_anywhere(ENOSPC, true);
    failing_anywhere(EIO, false);
    failing_anywhere(EIO, true);
    failing_anywhere(EACCES, true);
}

/* ---- syncs: killing cannot see a missing one, so their order is looked at */

typedef struct {
    char call[32], path[PATH_MAX];
} Change;

/* The n-th change of a commit, told by stopping before it. */
static bool change_at(Kit *k, u64 at, Change *c)
{
    int fds[2], status = 0;
    char text[PATH_MAX + 200] = "";
    size_t size = 0;
    assert_int_equal(pipe(fds), 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        Step s;
        dup2(fds[1], STDERR_FILENO);
        close(fds[0]);
        if (kit_start(k) != E_OK) _exit(1);
        next_step(k, &s);
        for (u32 i = 0; i < s.c.add_count; i++)
            kit_stage(k, &s.add[i]);
        fault_arm(FAULT_KILL, at, false, 0);
        _exit(publish_commit(&k->p, &s.c) == E_OK ? 0 : 1);
    }
    close(fds[1]);
    for (ssize_t got; (got = read(fds[0], text + size, sizeof text - 1 - size)) > 0;)
        size += (size_t)got;
    close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WEXITSTATUS(status) == 0) return false;
    assert_int_equal(WEXITSTATUS(status), 137);
    char *colon = strrchr(text, ':');
    assert_non_null(colon);
    assert_int_equal(sscanf(colon, ": %31s %4095[^\n]", c->call, c->path), 2);
    return true;
}

static void folder_of(const char *path, char *out)
{
    snprintf(out, PATH_MAX, "%s", path);
    *strrchr(out, '/') = 0;
}

static void all_is_synced_before_the_commit(void **state)
{
    (void)state;

    enum { MOST = 200 };

    Kit k;
    Change *c = calloc(MOST, sizeof *c);
    u64 count = 0, names = 0, files = 0, number = 0;
    char folder[PATH_MAX], *old = NULL, *new = NULL;

    kit_make(&k, 2);
    live_up_to_a_day(&k, 4, &old, &new);
    KIT_OK(kit_start(&k));
    number = k.p.current->number;
    kit_stop(&k);
    /* Each start undoes the try before, so that the next one makes the same changes, until one is
     * committed. */
    for (bool committed = false; !committed; count++) {
        assert_true(count < MOST && change_at(&k, count + 1, &c[count]));
        KIT_OK(kit_start(&k));
        committed = k.p.current->number > number;
        kit_stop(&k);
    }
    assert_string_equal(c[count - 1].call, "fsync"); /* the one after the rename */
    assert_string_equal(c[count - 1].path, k.idb);
    assert_string_equal(c[count - 2].call, "rename");
    u64 commit = count - 2;
    for (u64 i = 0; i < commit; i++) {
        bool file = strcmp(c[i].call, "open") == 0;
        bool name = file || strcmp(c[i].call, "mkdir") == 0 || strcmp(c[i].call, "symlink") == 0;
        if (strstr(c[i].path, "current.new") != NULL) continue; /* it is the rename's own */
        bool synced_name = !name, synced_file = !file;
        folder_of(c[i].path, folder);
        for (u64 j = i + 1; j < commit; j++) {
            if (strcmp(c[j].call, "fsync") == 0 && strcmp(c[j].path, folder) == 0)
                synced_name = true;
            if (strcmp(c[j].call, "fdatasync") == 0 && strcmp(c[j].path, c[i].path) == 0)
                synced_file = true;
        }
        if (!synced_name)
            fail_msg("%s %s: its folder is not synced before the commit", c[i].call, c[i].path);
        if (!synced_file) fail_msg("%s %s: not synced before the commit", c[i].call, c[i].path);
        names += name;
        files += file;
    }
    print_message("# %" PRIu64 " changes before the commit; %" PRIu64 " names, %" PRIu64
                  " files synced\n",
                  commit, names, files);
    assert_true(names > 8 && files >= 3);
    free(c);
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stopped_at_any_step_leaves_the_old_or_the_new_view),
        cmocka_unit_test(stopped_at_any_step_of_a_segmented_hdb),
        cmocka_unit_test(a_first_start_stopped_at_any_step_starts_anew),
        cmocka_unit_test(recovery_stopped_at_any_step_recovers),
        cmocka_unit_test(errors_at_any_step_leave_the_old_view),
        cmocka_unit_test(all_is_synced_before_the_commit),
    };
    return cmocka_run_group_tests_name("publish_steps", tests, NULL, NULL);
}
