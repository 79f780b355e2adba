/*
 * scrub: a pass meets every byte; what it finds is kept, told by column, forgotten when it is
 * gone. */
#include "db/scrub.h"

#include "unit/db/kit.h"

/* A view of `count` interval parts with sidecars, published. */
static void publish_parts(Kit *k, u32 count)
{
    Part *parts = arena_array(&k->memory, Part, count);
    PublishChange c = publish_change(&k->p);
    for (u32 i = 0; i < count; i++) {
        SumList l = {0};
        static u8 bytes[3 * SUM_BLOCK + 16];
        parts[i] = kit_part(k, PART_INTERVAL, (i32)i, KIT_DAY, 0, c.eoi + 1 + i);
        kit_stage(k, &parts[i]);
        memset(bytes, (int)i, sizeof bytes);
        kit_write(dir_join(&k->memory, parts[i].path, "trade", "price", NULL), bytes, sizeof bytes);
        parts[i].tables[0].bytes = sizeof bytes + 12; /* with what kit_stage made */
        KIT_OK(sidecar_sum_table(parts[i].path, "trade", &l));
        KIT_OK(sidecar_seal(parts[i].path, &l, &parts[i].sums));
        parts[i].summed = i != 1;
        sum_list_free(&l);
    }
    c.add = parts;
    c.add_count = count;
    c.eoi += count;
    KIT_OK(publish_commit(&k->p, &c));
}

static void flip(const char *path, u64 at)
{
    u8 byte = 0;
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0 && pread(fd, &byte, 1, (off_t)at) == 1);
    byte ^= 4;
    assert_true(pwrite(fd, &byte, 1, (off_t)at) == 1 && close(fd) == 0);
}

/* Runs to the end of a pass in steps of `bytes`, saving and reading the state between them. */
static u32 run_pass(Kit *k, Scrub *s, u64 bytes, u64 *steps)
{
    bool ended = false;
    u32 found = 0, all = 0;
    for (*steps = 0; !ended; ++*steps) {
        assert_true(*steps < 1000);
        KIT_OK(scrub_step(s, &k->root, k->p.current, bytes, 1000 + (i64)*steps, &ended, &found));
        all += found;
        KIT_OK(scrub_write(&k->root, s));
        scrub_free(s);
        KIT_OK(scrub_read(&k->root, s));
    }
    return all;
}

static void a_pass_meets_every_part_in_steps(void **state)
{
    (void)state;
    Kit k;
    Scrub s = {0};
    u64 steps = 0;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    publish_parts(&k, 4);
    KIT_OK(scrub_read(&k.root, &s));
    assert_int_equal(run_pass(&k, &s, 1, &steps), 0);
    assert_int_equal(s.pass, 1);
    assert_int_equal(s.done, scrub_bytes(k.p.current));
    assert_int_equal(s.done, 3 * (3 * SUM_BLOCK + 28) + k.p.current->sym_size);
    assert_true(steps > 3);
    assert_int_equal(s.last, 1000 + (i64)steps - 1);
    assert_int_equal(run_pass(&k, &s, 1ull << 40, &steps), 0);
    assert_int_equal(s.pass, 2);
    assert_int_equal(steps, 1);
    scrub_free(&s);
    kit_end(&k);
}

static void damage_is_found_kept_and_forgotten(void **state)
{
    (void)state;
    Kit k;
    Scrub s = {0};
    u64 steps = 0;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    publish_parts(&k, 4);
    const Part *p = view_part(k.p.current, PART_INTERVAL, 2);
    const char *file = dir_join(&k.memory, p->path, "trade/price", NULL);
    flip(file, 2 * SUM_BLOCK + 9);
    assert_int_equal(run_pass(&k, &s, SUM_BLOCK, &steps), 1);
    assert_int_equal(run_pass(&k, &s, SUM_BLOCK, &steps), 0); /* known */
    assert_int_equal(s.count, 1);
    assert_null(scrub_find(&s, p->path, "trade", "size"));
    assert_null(scrub_find(&s, p->path, "trad", "e/price"));
    const ScrubDamage *d = scrub_find(&s, p->path, "trade", "price");
    assert_non_null(d);
    assert_int_equal(d->from, 2 * SUM_BLOCK);
    assert_int_equal(d->to, 3 * SUM_BLOCK);
    assert_int_equal(scrub_fail(d), E_CORRUPT);
    assert_non_null(strstr(fail_text(), file));
    flip(file, 2 * SUM_BLOCK + 9);
    assert_int_equal(run_pass(&k, &s, SUM_BLOCK, &steps), 0);
    assert_int_equal(s.count, 0);
    flip(file, 0);
    KIT_OK(dir_unlink(sidecar_path(&k.memory, view_part(k.p.current, PART_INTERVAL, 0)->path)));
    assert_int_equal(run_pass(&k, &s, SUM_BLOCK, &steps), 2);
    flip(k.root.sym, 1);
    assert_int_equal(run_pass(&k, &s, SUM_BLOCK, &steps), 1);
    assert_int_equal(s.count, 3);
    flip(k.root.sym, 1);
    /* The damaged parts leave the view. */
    PublishChange c = publish_change(&k.p);
    const Part *gone[] = {p, view_part(k.p.current, PART_INTERVAL, 0)};
    c.remove = gone;
    c.remove_count = 2;
    KIT_OK(publish_commit(&k.p, &c));
    assert_int_equal(run_pass(&k, &s, SUM_BLOCK, &steps), 0);
    assert_int_equal(s.count, 0);
    scrub_free(&s);
    kit_end(&k);
}

static void a_damaged_state_is_as_none(void **state)
{
    (void)state;
    Kit k;
    Scrub s = {0};
    u64 steps = 0;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    publish_parts(&k, 2);
    assert_int_equal(run_pass(&k, &s, 1ull << 40, &steps), 0);
    scrub_free(&s);
    flip(dir_join(&k.memory, k.root.idb, "scrub", NULL), 25);
    assert_int_equal(scrub_read(&k.root, &s), E_CORRUPT);
    assert_int_equal(s.pass, 0);
    assert_int_equal(truncate(dir_join(&k.memory, k.root.idb, "scrub", NULL), 0), 0);
    KIT_OK(scrub_read(&k.root, &s));
    assert_int_equal(s.pass, 0);
    KIT_OK(dir_unlink(dir_join(&k.memory, k.root.idb, "scrub", NULL)));
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pass_meets_every_part_in_steps),
        cmocka_unit_test(damage_is_found_kept_and_forgotten),
        cmocka_unit_test(a_damaged_state_is_as_none),
    };
    return cmocka_run_group_tests_name("scrub", tests, NULL, NULL);
}
