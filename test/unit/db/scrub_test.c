/*
 * scrub: a pass meets every byte, in the order in which it was written; what it finds is kept, told
 * by column, forgotten when it is gone; parts without checksums get theirs. */
#include "db/scrub.h"

#include "db/lines.h"
#include "unit/db/kit.h"

enum { BYTES = 3 * SUM_BLOCK + 16, STAGED = 12 /* what kit_stage makes */ };

typedef struct {
    Kit kit;
    Scrub s;
    Sumup u;
    u64 steps; /* of the last pass */
} World;

/* Stages a part with a large file; `bare`: without checksums. */
static Part stage(Kit *k, PartKind kind, i32 key, u64 made, bool bare)
{
    SumList l = {0};
    static u8 bytes[BYTES];
    Part p = kit_part(k, kind, key, kind == PART_DATE ? key : KIT_DAY, 0, made);
    kit_stage(k, &p);
    memset(bytes, (int)made, sizeof bytes);
    kit_write(dir_join(&k->memory, p.path, "trade", "price", NULL), bytes, sizeof bytes);
    p.tables[0].bytes = BYTES + STAGED;
    if (bare) {
        KIT_OK(sidecar_remove(p.path));
        return p;
    }
    KIT_OK(sidecar_sum_table(p.path, "trade", &l));
    KIT_OK(sidecar_seal(p.path, &l, &p.sums));
    p.summed = true;
    sum_list_free(&l);
    return p;
}

/* Publishes parts. */
static void add(Kit *k, const Part *parts, u32 count)
{
    PublishChange c = publish_change(&k->p);
    c.add = parts;
    c.add_count = count;
    for (u32 i = 0; i < count; i++)
        c.eoi += parts[i].kind == PART_INTERVAL;
    KIT_OK(publish_commit(&k->p, &c));
}

/* A view of `count` interval parts with sidecars. */
static void make(World *w, u32 count)
{
    *w = (World){0};
    Kit *k = &w->kit;
    kit_make(k, 1);
    KIT_OK(kit_start(k));
    Part *parts = arena_array(&k->memory, Part, count);
    for (u32 i = 0; i < count; i++)
        parts[i] = stage(k, PART_INTERVAL, (i32)i, k->p.current->eoi + 1 + i, false);
    add(k, parts, count);
}

/* Adds a part of the history without checksums. */
static Part add_bare(World *w)
{
    Kit *k = &w->kit;
    Part bare = stage(k, PART_DATE, KIT_DAY, publish_next(&k->p), true);
    add(k, &bare, 1);
    return bare;
}

static void end(World *w)
{
    sumup_free(&w->u);
    scrub_free(&w->s);
    kit_end(&w->kit);
}

static const Part *interval(World *w, i32 key)
{
    return view_part(w->kit.p.current, PART_INTERVAL, key);
}

static void flip(const char *path, u64 at)
{
    u8 byte = 0;
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0 && pread(fd, &byte, 1, (off_t)at) == 1);
    byte ^= 4;
    assert_true(pwrite(fd, &byte, 1, (off_t)at) == 1 && close(fd) == 0);
}

/* One step; what it finds. */
static u32 step(World *w, u64 bytes, bool may_end, bool *ended)
{
    u32 found = 0;
    ScrubLook l = {&w->kit.root, w->kit.p.current, &w->u, bytes, may_end, 1000 + (i64)w->steps};
    KIT_OK(scrub_step(&w->s, &l, ended, &found));
    return found;
}

/* Runs to the end of a pass in steps of `bytes`, saving and reading the state between them. */
static u32 run_pass(World *w, u64 bytes)
{
    bool ended = false;
    u32 all = 0;
    for (w->steps = 0; !ended; ++w->steps) {
        assert_true(w->steps < 1000);
        all += step(w, bytes, true, &ended);
        KIT_OK(scrub_write(&w->kit.root, &w->s));
        scrub_free(&w->s);
        KIT_OK(scrub_read(&w->kit.root, &w->s));
    }
    return all;
}

static void a_pass_meets_every_part_in_steps(void **state)
{
    (void)state;
    World w;
    make(&w, 4);
    KIT_OK(scrub_read(&w.kit.root, &w.s));
    assert_int_equal(run_pass(&w, 1), 0);
    assert_int_equal(w.s.pass, 1);
    assert_int_equal(w.s.done, scrub_bytes(w.kit.p.current));
    assert_int_equal(w.s.done, 4 * (BYTES + STAGED) + w.kit.p.current->sym_size);
    assert_true(w.steps > 4);
    assert_int_equal(w.s.last, 1000 + (i64)w.steps - 1);
    assert_int_equal(run_pass(&w, 1ull << 40), 0);
    assert_int_equal(w.s.pass, 2);
    assert_int_equal(w.steps, 1);
    end(&w);
}

static void damage_is_found_kept_and_forgotten(void **state)
{
    (void)state;
    World w;
    make(&w, 4);
    const Part *p = interval(&w, 2);
    const char *file = dir_join(&w.kit.memory, p->path, "trade/price", NULL);
    flip(file, 2 * SUM_BLOCK + 9);
    assert_int_equal(run_pass(&w, SUM_BLOCK), 1);
    assert_int_equal(run_pass(&w, SUM_BLOCK), 0); /* known */
    assert_int_equal(w.s.count, 1);
    assert_null(scrub_find(&w.s, p->path, "trade", "size"));
    assert_null(scrub_find(&w.s, p->path, "trad", "e/price"));
    const ScrubDamage *d = scrub_find(&w.s, p->path, "trade", "price");
    assert_non_null(d);
    assert_int_equal(d->from, 2 * SUM_BLOCK);
    assert_int_equal(d->to, 3 * SUM_BLOCK);
    assert_int_equal(scrub_fail(d), E_CORRUPT);
    assert_non_null(strstr(fail_text(), file));
    flip(file, 2 * SUM_BLOCK + 9);
    assert_int_equal(run_pass(&w, SUM_BLOCK), 0);
    assert_int_equal(w.s.count, 0);
    flip(file, 0);
    KIT_OK(dir_unlink(sidecar_path(&w.kit.memory, interval(&w, 0)->path)));
    assert_int_equal(run_pass(&w, SUM_BLOCK), 2);
    flip(w.kit.root.sym, 1);
    assert_int_equal(run_pass(&w, SUM_BLOCK), 1);
    assert_int_equal(w.s.count, 3);
    flip(w.kit.root.sym, 1);
    /* The damaged parts leave the view. */
    PublishChange c = publish_change(&w.kit.p);
    const Part *gone[] = {p, interval(&w, 0)};
    c.remove = gone;
    c.remove_count = 2;
    KIT_OK(publish_commit(&w.kit.p, &c));
    assert_int_equal(run_pass(&w, SUM_BLOCK), 0);
    assert_int_equal(w.s.count, 0);
    end(&w);
}

static void a_damaged_state_is_as_none(void **state)
{
    (void)state;
    World w;
    make(&w, 2);
    const char *path = dir_join(&w.kit.memory, w.kit.root.idb, "scrub", NULL);
    assert_int_equal(run_pass(&w, 1ull << 40), 0);
    scrub_free(&w.s);
    flip(path, 25);
    assert_int_equal(scrub_read(&w.kit.root, &w.s), E_CORRUPT);
    assert_int_equal(w.s.pass, 0);
    assert_int_equal(truncate(path, 0), 0);
    KIT_OK(scrub_read(&w.kit.root, &w.s));
    assert_int_equal(w.s.pass, 0);
    KIT_OK(dir_unlink(path));
    end(&w);
}

/* The place of version 1 belongs to another order; what was found stays. */
static void the_first_version_begins_its_pass_anew(void **state)
{
    (void)state;
    World w;
    Buf b = {0};
    u32 crc = 0;
    make(&w, 1);
    const char *path = dir_join(&w.kit.memory, w.kit.root.idb, "scrub", NULL);
    KIT_OK(buf_text(&b, "siltstone-scrub 1\npass 3 77 5 1048576\n"
                        "next date 9071 %- 4 17\n"
                        "damage %- sym checksum 0 8 0 0 70 2\n"));
    KIT_OK(lines_put_end(&b, 0, &crc));
    kit_write(path, b.data, b.size);
    KIT_OK(scrub_read(&w.kit.root, &w.s));
    assert_int_equal(w.s.pass, 3);
    assert_int_equal(w.s.began, 77);
    assert_int_equal(w.s.done, 0);
    assert_int_equal(w.s.count, 1);
    assert_int_equal(w.s.kind, PART_INTERVAL);
    assert_int_equal(run_pass(&w, 1ull << 40), 0);
    assert_int_equal(w.s.done, scrub_bytes(w.kit.p.current));
    assert_int_equal(w.s.count, 0);
    KIT_OK(dir_unlink(path));
    buf_free(&b);
    end(&w);
}

/* Parts come in the order in which they were made, whatever their dates: what is written while a
 * pass runs is met by it, and what was met first is met first again. */
static void the_oldest_come_first_and_the_new_in_the_same_pass(void **state)
{
    (void)state;
    World w;
    bool ended = false;
    make(&w, 1);
    Kit *k = &w.kit;
    const i32 days[] = {9002, 9000, 9001};
    for (u32 i = 0; i < COUNT_OF(days); i++) {
        Part p = stage(k, PART_DATE, days[i], publish_next(&k->p), false);
        add(k, &p, 1);
    }
    u64 seen = 0;
    for (u32 steps = 0; steps < 40 && seen < COUNT_OF(days); steps++) {
        assert_int_equal(step(&w, 1, false, &ended), 0);
        bool at = w.s.kind == PART_DATE && w.s.path != NULL;
        if (at && strcmp(w.s.path, view_part(k->p.current, PART_DATE, days[seen])->path) == 0)
            seen++;
    }
    assert_int_equal(seen, COUNT_OF(days));
    assert_int_equal(step(&w, 1ull << 40, false, &ended), 0);
    assert_false(ended); /* its period is not over */
    u64 done = w.s.done;
    Part late = stage(k, PART_DATE, days[1], publish_next(&k->p), false);
    add(k, &late, 1);
    flip(dir_join(&k->memory, late.path, "trade/price", NULL), 5);
    assert_int_equal(step(&w, 1ull << 40, false, &ended), 1);
    assert_int_equal(w.s.done, done + BYTES + STAGED);
    assert_int_equal(step(&w, 1ull << 40, true, &ended), 0);
    assert_true(ended);
    end(&w);
}

/* What the manager does with the list. */
static void publish_sums(World *w)
{
    PublishChange c = publish_change(&w->kit.p);
    Part *parts = arena_array(&w->kit.memory, Part, w->u.ready_count);
    const Part **gone = arena_array(&w->kit.memory, const Part *, w->u.ready_count);
    for (u32 i = 0; i < w->u.ready_count; i++) {
        const Part *r = &w->u.ready[i], *p = view_part(w->kit.p.current, r->kind, r->key);
        if (p->kind == PART_INTERVAL) gone[c.remove_count++] = p;
        parts[i] = *p;
        parts[i].summed = true;
        parts[i].sums = r->sums;
    }
    c.add = parts;
    c.add_count = w->u.ready_count;
    c.remove = gone;
    KIT_OK(publish_commit(&w->kit.p, &c));
    sumup_clear(&w->u);
}

/* An interval and a date without checksums: read, sealed, named, compared by the next pass. */
static void parts_without_checksums_get_them(void **state)
{
    (void)state;
    World w;
    bool ended = false;
    make(&w, 1);
    Kit *k = &w.kit;
    Part bare[] = {stage(k, PART_INTERVAL, 1, k->p.current->eoi + 1, true),
                   stage(k, PART_DATE, KIT_DAY, publish_next(&k->p), true)};
    add(k, bare, 2);
    assert_int_equal(run_pass(&w, 1), 0); /* in small steps: the part is not begun anew */
    assert_int_equal(w.s.done, scrub_bytes(k->p.current));
    assert_int_equal(w.u.ready_count, 2);
    assert_int_equal(run_pass(&w, 1ull << 40), 0); /* not published yet: not read again */
    assert_int_equal(w.u.ready_count, 2);
    publish_sums(&w);
    assert_int_equal(k->p.current->garbage_count, 0);
    KIT_OK(dir_unlink(dir_join(&k->memory, k->root.idb, "scrub", NULL)));
    kit_judge(k);
    for (u32 i = 0; i < COUNT_OF(bare); i++) {
        const Part *p = view_part(k->p.current, bare[i].kind, bare[i].key);
        assert_true(p->summed);
        assert_string_equal(p->path, bare[i].path);
        KIT_OK(sidecar_verify(p, 1));
    }
    flip(dir_join(&k->memory, bare[1].path, "trade/price", NULL), 2 * SUM_BLOCK);
    assert_int_equal(run_pass(&w, 1ull << 40), 1);
    assert_true(step(&w, 1, false, &ended) <= 1);
    end(&w);
}

/* A process that ended in the middle of a part reads it anew, and counts it once. */
static void a_part_that_was_not_read_whole_is_read_anew(void **state)
{
    (void)state;
    World w;
    bool ended = false;
    make(&w, 1);
    Kit *k = &w.kit;
    (void)add_bare(&w);
    assert_int_equal(step(&w, BYTES + STAGED + 2 * SUM_BLOCK, false, &ended), 0);
    assert_int_equal(w.u.ready_count, 0);
    assert_true(w.s.block >= 1);
    sumup_free(&w.u);
    w.u = (Sumup){0};
    assert_int_equal(run_pass(&w, 1ull << 40), 0);
    assert_int_equal(w.u.ready_count, 1);
    assert_true(w.s.done < scrub_bytes(k->p.current) + SUM_BLOCK);
    end(&w);
}

/* A file that is missing is damage of the part, which stays without checksums;
 * when all of it can be read the damage is forgotten. */
static void an_unreadable_part_is_told_and_stays_without(void **state)
{
    (void)state;
    World w;
    make(&w, 1);
    Kit *k = &w.kit;
    Part bare = add_bare(&w);
    const char *file = dir_join(&k->memory, bare.path, "trade/price", NULL);
    const char *aside = dir_join(&k->memory, k->dir, "aside", NULL);
    assert_int_equal(rename(file, aside), 0);
    assert_int_equal(symlink("nowhere", file), 0);
    assert_int_equal(run_pass(&w, 1ull << 40), 1);
    assert_string_equal(w.s.damages[0].name, "trade/price");
    assert_string_equal(w.s.damages[0].what, "missing");
    assert_int_equal(w.s.damages[0].row_to, bare.tables[0].rows);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(w.u.ready_count, 0);
    assert_int_equal(symlink(aside, file), 0); /* a link is looked through */
    assert_int_equal(run_pass(&w, 1ull << 40), 0);
    assert_int_equal(w.s.count, 0);
    assert_int_equal(w.u.ready_count, 1);
    assert_int_equal(unlink(aside), 0);
    end(&w);
}

/* A sidecar that cannot be written is a part without checksums until the next pass; a failed sync
 * is final. */
static void a_sidecar_that_cannot_be_written_waits(void **state)
{
    (void)state;
    World w;
    make(&w, 1);
    Kit *k = &w.kit;
    (void)add_bare(&w);
    bool ended = false;
    fault_arm(FAULT_ERROR, 1, true, ENOSPC);
    assert_int_equal(step(&w, 1ull << 40, true, &ended), 0);
    fault_arm(FAULT_NONE, 0, false, 0);
    assert_true(ended);
    assert_int_equal(w.u.refused, 1);
    assert_non_null(strstr(w.u.why, ".sums"));
    assert_int_equal(w.u.ready_count, 0);
    fault_arm(FAULT_UNSYNCED, 1, false, EIO);
    u32 found = 0;
    ScrubLook l = {&k->root, k->p.current, &w.u, 1ull << 40, true, 2000};
    assert_int_equal(scrub_step(&w.s, &l, &ended, &found), E_IO);
    fault_arm(FAULT_NONE, 0, false, 0);
    assert_int_equal(w.u.ready_count, 0);
    assert_int_equal(run_pass(&w, 1ull << 40), 0);
    assert_int_equal(w.u.ready_count, 1);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pass_meets_every_part_in_steps),
        cmocka_unit_test(damage_is_found_kept_and_forgotten),
        cmocka_unit_test(a_damaged_state_is_as_none),
        cmocka_unit_test(the_first_version_begins_its_pass_anew),
        cmocka_unit_test(the_oldest_come_first_and_the_new_in_the_same_pass),
        cmocka_unit_test(parts_without_checksums_get_them),
        cmocka_unit_test(a_part_that_was_not_read_whole_is_read_anew),
        cmocka_unit_test(an_unreadable_part_is_told_and_stays_without),
        cmocka_unit_test(a_sidecar_that_cannot_be_written_waits),
    };
    return cmocka_run_group_tests_name("scrub", tests, NULL, NULL);
}
