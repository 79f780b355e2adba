/*
 * publish: what a commit writes, shares and refuses, and whether every folder of a view obeys `\l`.
 * What happens when it is stopped or fails is in publish_steps_test.c.
 */
#include "base/bounds.h"
#include "unit/db/kit.h"

static char *link_text(Kit *k, const char *path)
{
    char text[PATH_MAX] = "";
    ssize_t got = readlink(path, text, sizeof text - 1);
    if (got < 0) return NULL;
    return arena_text(&k->memory, text, (u64)got);
}

/* ---- the first start */

static void the_first_start_makes_an_empty_database(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    assert_int_equal(k.p.current->number, 1);
    assert_int_equal(k.p.current->hdb, 1);
    assert_int_equal(k.p.current->sym_size, 8);
    assert_int_equal(k.removed, 0);
    assert_int_equal(publish_next(&k.p), 2);
    kit_judge(&k);
    char *sym = kit_path(&k, "hdb/sym");
    assert_memory_equal(kit_read(&k, sym), "\xff\x01\x0b\0\0\0\0\0", 8);
    assert_string_equal(link_text(&k, kit_path(&k, "idb/idb.1/sym")), sym);
    assert_string_equal(link_text(&k, kit_path(&k, "hdb/hdb.1/sym")), sym);
    assert_string_equal(link_text(&k, kit_path(&k, "idb/current")), "idb.1");
    kit_end(&k);
}

static void a_start_changes_nothing_when_all_is_well(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    KIT_OK(kit_interval(&k));
    KIT_OK(kit_date(&k, KIT_DAY, 0));
    char *before = kit_names(&k, k.p.current);
    for (int i = 0; i < 2; i++) {
        kit_stop(&k);
        KIT_OK(kit_start(&k));
        assert_int_equal(k.removed, 0);
        assert_int_equal(k.p.current->number, 3);
        assert_string_equal(kit_names(&k, k.p.current), before);
        kit_judge(&k);
    }
    kit_end(&k);
}

static void a_domain_that_is_there_is_taken_over(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 1);
    kit_mkdirs(k.hdb);
    kit_write(kit_path(&k, "hdb/sym"), "\xff\x01\x0b\0\0\0\0\0abc", 12);
    KIT_OK(kit_start(&k));
    assert_int_equal(k.p.current->sym_size, 12);
    kit_judge(&k);
    kit_end(&k);
}

static void an_empty_domain_file_counts_as_missing(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 1);
    kit_mkdirs(k.hdb);
    kit_write(kit_path(&k, "hdb/sym"), "", 0);
    KIT_OK(kit_start(&k));
    kit_judge(&k);
    kit_end(&k);
}

/* ---- what a commit does */

static void a_view_says_what_the_change_said(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    ViewPublisher pub[2] = {{1, 2, 3}, {UINT64_MAX, UINT64_MAX - 1, 0}};
    PublishChange c = publish_change(&k.p);
    PartSlice slices[2] = {{KIT_DAY - 3, 0, 2}, {KIT_DAY - 1, 2, 3}};
    Part late = kit_part(&k, PART_INTERVAL, 1, KIT_DAY - 3, 0, 7);
    late.late = true;
    late.tables[0].slices = slices;
    late.tables[0].slice_count = 2;
    Part add[2] = {late, kit_part(&k, PART_INTERVAL, 0, KIT_DAY, 0, 7)};
    kit_stage(&k, &add[0]);
    kit_stage(&k, &add[1]);
    c.add = add;
    c.add_count = 2;
    c.watermark = 1ull << 40;
    c.eoi = 7;
    c.eod = 2;
    c.eod_asked = 3;
    c.eod_upto = 6;
    c.sym_size = 8;
    c.interval_end = -5;
    c.day_end = INT64_MIN;
    c.publishers = pub;
    c.publisher_count = 2;
    c.lost_from = 10;
    c.lost_to = 20;
    KIT_OK(publish_commit(&k.p, &c));
    kit_judge(&k);
    for (int again = 0; again < 2; again++) {
        const View *v = k.p.current;
        assert_int_equal(v->number, 2);
        assert_int_equal(v->watermark, 1ull << 40);
        assert_int_equal(v->eoi, 7);
        assert_int_equal(v->eod, 2);
        assert_int_equal(v->eod_asked, 3);
        assert_int_equal(v->eod_upto, 6);
        assert_int_equal(v->interval_end, -5);
        assert_true(v->day_end == INT64_MIN);
        assert_int_equal(v->lost_from, 10);
        assert_int_equal(v->lost_to, 20);
        assert_int_equal(v->publisher_count, 2);
        assert_memory_equal(v->publishers, pub, sizeof pub);
        const Part *p = view_part(v, PART_INTERVAL, 1);
        assert_non_null(p);
        assert_true(p->late && !view_part(v, PART_INTERVAL, 0)->late);
        assert_int_equal(p->day, KIT_DAY - 3);
        assert_string_equal(p->path, late.path);
        const PartTable *t = view_part_table(p, "trade");
        assert_non_null(t);
        assert_null(view_part_table(p, "trad"));
        assert_int_equal(t->slice_count, 2);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(t->slices[i].day, slices[i].day);
            assert_int_equal(t->slices[i].from, slices[i].from);
            assert_int_equal(t->slices[i].to, slices[i].to);
        }
        assert_true(t->schema_hash == ~0ull);
        kit_stop(&k);
        KIT_OK(kit_start(&k));
    }
    kit_end(&k);
}

static void a_change_that_names_no_publishers_keeps_them(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    ViewPublisher pub = {5, 6, 7};
    PublishChange c = publish_change(&k.p);
    c.publishers = &pub;
    c.publisher_count = 1;
    c.lost_from = 3;
    c.lost_to = 4;
    KIT_OK(publish_commit(&k.p, &c));
    KIT_OK(kit_interval(&k));
    assert_int_equal(k.p.current->publisher_count, 1);
    assert_int_equal(k.p.current->publishers[0].sequence, 7);
    assert_int_equal(k.p.current->lost_to, 4);
    kit_end(&k);
}

static void links_stay_inside_their_base(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    KIT_OK(kit_interval(&k));
    KIT_OK(kit_date(&k, KIT_DAY, 0));
    assert_string_equal(link_text(&k, kit_path(&k, "idb/idb.3/0")), "../data/2024.08.22/1");
    assert_string_equal(link_text(&k, kit_path(&k, "hdb/hdb.3/2024.08.22")),
                        "../data/2024.08.22/3");
    kit_end(&k);
}

static void hdb_changes_only_with_dates(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    KIT_OK(kit_interval(&k));
    KIT_OK(kit_interval(&k));
    assert_int_equal(k.p.current->hdb, 1);
    KIT_OK(kit_date(&k, KIT_DAY, 0));
    assert_int_equal(k.p.current->hdb, 4);
    KIT_OK(kit_interval(&k));
    assert_int_equal(k.p.current->hdb, 4);
    assert_false(kit_there(kit_path(&k, "hdb/hdb.5")));
    kit_judge(&k);
    kit_end(&k);
}

static void unchanged_segments_are_shared(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    KIT_OK(kit_date(&k, KIT_DAY, 0));
    KIT_OK(kit_date(&k, KIT_DAY - 366, 0));
    View *old = k.p.current;
    view_use(old);
    assert_int_equal(old->date_seg_count, 2);
    KIT_OK(kit_date(&k, KIT_DAY + 1, 0));
    assert_ptr_equal(k.p.current->date_segs[0], old->date_segs[0]);
    assert_ptr_not_equal(k.p.current->date_segs[1], old->date_segs[1]);
    assert_string_equal(k.p.current->date_segs[0]->name, "d.2023.3");
    assert_string_equal(k.p.current->date_segs[1]->name, "d.2024.4");
    view_close(&k.cache, old);
    assert_int_equal(k.p.current->date_segs[0]->uses, 1);
    kit_judge(&k);
    kit_end(&k);
}

static void a_replaced_date_becomes_garbage_until_it_is_swept(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    KIT_OK(kit_date(&k, KIT_DAY, 0));
    KIT_OK(kit_date(&k, KIT_DAY, 0));
    const View *v = k.p.current;
    assert_int_equal(view_part_count(v, PART_DATE), 1);
    assert_int_equal(v->garbage_count, 1);
    assert_int_equal(v->garbage[0].gone, 3);
    assert_string_equal(v->garbage[0].path, kit_path(&k, "hdb/data/2024.08.22/2"));
    KIT_OK(kit_interval(&k));
    assert_int_equal(k.p.current->garbage_count, 1);
    publish_swept(&k.p, 2);
    KIT_OK(kit_interval(&k));
    assert_int_equal(k.p.current->garbage_count, 1);
    publish_swept(&k.p, 3);
    publish_swept(&k.p, 1);
    KIT_OK(kit_interval(&k));
    assert_int_equal(k.p.current->garbage_count, 0);
    kit_end(&k);
}

static void a_day_takes_its_intervals_away_and_labels_restart(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    for (int i = 0; i < 3; i++)
        KIT_OK(kit_interval(&k));
    const Part *gone[3];
    u64 at = 0;
    for (int i = 0; i < 3; i++)
        gone[i] = view_next(k.p.current, PART_INTERVAL, &at);
    PublishChange c = publish_change(&k.p);
    Part day = kit_part(&k, PART_DATE, KIT_DAY, KIT_DAY, 0, publish_next(&k.p));
    kit_stage(&k, &day);
    c.add = &day;
    c.add_count = 1;
    c.remove = gone;
    c.remove_count = 3;
    c.eod = 1;
    KIT_OK(publish_commit(&k.p, &c));
    assert_int_equal(k.p.current->garbage_count, 3);
    assert_int_equal(view_part_count(k.p.current, PART_INTERVAL), 0);
    assert_int_equal(k.p.current->interval_seg_count, 0);
    kit_judge(&k);
    KIT_OK(kit_interval(&k));
    assert_string_equal(kit_names(&k, k.p.current), "i0/4 d9000/5@0 ");
    kit_judge(&k);
    kit_end(&k);
}

static void a_folder_that_is_named_again_is_no_garbage(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    KIT_OK(kit_date(&k, KIT_DAY, 0));
    PublishChange c = publish_change(&k.p);
    Part same = *view_part(k.p.current, PART_DATE, KIT_DAY);
    same.path = arena_text(&k.memory, same.path, strlen(same.path));
    c.add = &same;
    c.add_count = 1;
    KIT_OK(publish_commit(&k.p, &c));
    assert_int_equal(k.p.current->garbage_count, 0);
    kit_judge(&k);
    kit_end(&k);
}

static void changes_that_cannot_be_are_refused(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    KIT_OK(kit_interval(&k));
    Part other = kit_part(&k, PART_INTERVAL, 0, KIT_DAY, 0, 99);
    const Part *gone = &other;
    PublishChange c = publish_change(&k.p);
    c.add = &other;
    c.add_count = 1;
    assert_int_equal(publish_commit(&k.p, &c), E_EXISTS);
    Part twice[2] = {kit_part(&k, PART_DATE, 1, 1, 0, 3), kit_part(&k, PART_DATE, 1, 1, 0, 4)};
    c.add = twice;
    c.add_count = 2;
    assert_int_equal(publish_commit(&k.p, &c), E_EXISTS);
    assert_non_null(strstr(fail_text(), "have one number"));
    c = publish_change(&k.p);
    c.remove = &gone;
    c.remove_count = 1;
    assert_int_equal(publish_commit(&k.p, &c), E_NOT_FOUND);
    other.key = 5;
    assert_int_equal(publish_commit(&k.p, &c), E_NOT_FOUND);
    c = publish_change(&k.p);
    c.watermark--;
    assert_int_equal(publish_commit(&k.p, &c), E_USAGE);
    ViewPublisher pub = {1, 1, 1};
    c = publish_change(&k.p);
    c.publishers = &pub;
    c.publisher_count = BOUND_PUBLISHERS_MAX + 1;
    assert_int_equal(publish_commit(&k.p, &c), E_LIMIT);
    other.path = "relative";
    c = publish_change(&k.p);
    c.add = &other;
    c.add_count = 1;
    assert_int_equal(publish_commit(&k.p, &c), E_USAGE);
    k.tiers[0].object = true;
    c.add = twice;
    assert_int_equal(publish_commit(&k.p, &c), E_UNSUPPORTED);
    k.tiers[0].object = false;
    assert_int_equal(k.p.current->number, 2);
    KIT_OK(kit_interval(&k));
    kit_judge(&k);
    kit_end(&k);
}

/* ---- folders of links */

static void many_intervals_go_to_segment_folders(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    Part *many = calloc(400, sizeof *many);
    for (int i = 0; i < 366; i++) {
        many[i] = kit_part(&k, PART_INTERVAL, i, KIT_DAY, 0, 1 + (u64)i);
        kit_stage(&k, &many[i]);
    }
    PublishChange c = publish_change(&k.p);
    c.add = many;
    c.add_count = 366;
    c.eoi = 366;
    KIT_OK(publish_commit(&k.p, &c));
    assert_false(kit_there(kit_path(&k, "idb/idb.2/par.txt")));
    kit_judge(&k);
    KIT_OK(kit_interval(&k)); /* 367: narrow becomes wide, so every segment is made anew */
    assert_string_equal(kit_read(&k, kit_path(&k, "idb/idb.3/par.txt")),
                        "../seg/i.0.3\n../seg/i.1.3\n");
    assert_string_equal(link_text(&k, kit_path(&k, "idb/seg/i.1.3/256")),
                        "../../data/2024.08.22/257");
    kit_judge(&k);
    fault_arm(FAULT_NONE, 0, false, 0);
    KIT_OK(kit_interval(&k)); /* 368: only the last segment */
    assert_true(fault_count() < 160);
    assert_string_equal(kit_read(&k, kit_path(&k, "idb/idb.4/par.txt")),
                        "../seg/i.0.3\n../seg/i.1.4\n");
    kit_judge(&k);
    /* All but two go: narrow again, then wide again with segments that were there before. */
    const Part **gone = calloc(400, sizeof *gone);
    u64 at = 0, count = 0;
    for (const Part *p; (p = view_next(k.p.current, PART_INTERVAL, &at)) != NULL;) {
        if (p->key > 1) gone[count++] = p;
    }
    c = publish_change(&k.p);
    c.remove = gone;
    c.remove_count = (u32)count;
    KIT_OK(publish_commit(&k.p, &c));
    kit_judge(&k);
    assert_int_equal(view_part_count(k.p.current, PART_INTERVAL), 2);
    for (int i = 0; i < 370; i++)
        many[i] = kit_part(&k, PART_INTERVAL, 2 + i, KIT_DAY, 0, 1000 + (u64)i);
    for (int i = 0; i < 370; i++)
        kit_stage(&k, &many[i]);
    c = publish_change(&k.p);
    c.add = many;
    c.add_count = 370;
    c.eoi = 2000;
    KIT_OK(publish_commit(&k.p, &c));
    kit_judge(&k);
    KIT_OK(kit_interval(&k));
    Sweep sweep;
    KIT_OK(kit_sweep(&k, UINT64_MAX, &sweep)); /* what is left is that of the newest two views */
    KitNames names = {0};
    assert_int_equal(kit_list(kit_path(&k, "idb/seg"), &names), 0);
    assert_int_equal(names.count, 3);
    kit_names_free(&names);
    kit_judge(&k);
    free(gone);
    free(many);
    kit_end(&k);
}

static void labels_of_a_wide_view_skip_lengths_of_dates(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    Part two[2] = {kit_part(&k, PART_INTERVAL, 999, KIT_DAY, 0, 1),
                   kit_part(&k, PART_INTERVAL, 1000, KIT_DAY, 0, 2)};
    kit_stage(&k, &two[0]);
    kit_stage(&k, &two[1]);
    PublishChange c = publish_change(&k.p);
    c.add = two;
    c.add_count = 2;
    c.eoi = 2;
    KIT_OK(publish_commit(&k.p, &c));
    assert_true(kit_there(kit_path(&k, "idb/idb.2/999")));
    assert_true(kit_there(kit_path(&k, "idb/idb.2/10000")));
    kit_judge(&k);
    kit_end(&k);
}

static void a_second_tier_makes_the_hdb_segmented(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 2);
    KIT_OK(kit_start(&k));
    KIT_OK(kit_date(&k, KIT_DAY, 0));
    KIT_OK(kit_date(&k, KIT_DAY - 366, 0));
    KIT_OK(kit_date(&k, KIT_DAY + 1, 0));
    assert_false(kit_there(kit_path(&k, "hdb/current/par.txt")));
    KIT_OK(kit_date(&k, KIT_DAY - 366, 1)); /* migrated */
    assert_string_equal(kit_read(&k, kit_path(&k, "hdb/hdb.5/par.txt")),
                        "../seg/d.2023.5\n../seg/d.2024.5\n");
    assert_string_equal(link_text(&k, kit_path(&k, "hdb/seg/d.2023.5/2023.08.22")),
                        kit_path(&k, "cold/2023.08.22/5"));
    kit_judge(&k);
    KIT_OK(
        kit_date(&k, KIT_DAY, 1)); /* 2024 now spans both tiers: its first part is in the second */
    assert_string_equal(kit_read(&k, kit_path(&k, "hdb/hdb.6/par.txt")),
                        "../seg/d.2023.5\n../seg/d.2024.6.0\n../seg/d.2024.6\n");
    kit_judge(&k);
    assert_string_equal(kit_names(&k, k.p.current), "d8634/5@1 d9000/6@1 d9001/4@0 ");
    assert_int_equal(kit_filled(kit_path(&k, "hdb/seg")), 0);
    kit_stop(&k);
    KIT_OK(kit_start(&k));
    assert_int_equal(k.removed, 0);
    assert_string_equal(kit_names(&k, k.p.current), "d8634/5@1 d9000/6@1 d9001/4@0 ");
    KIT_OK(kit_date(&k, KIT_DAY + 1, 1)); /* all in one tier again: links suffice */
    assert_false(kit_there(kit_path(&k, "hdb/current/par.txt")));
    kit_judge(&k);
    kit_end(&k);
}

static void a_commit_costs_what_changed(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));

    enum { DAYS = 10000 };

    Part *many = calloc(DAYS, sizeof *many);
    for (int i = 0; i < DAYS; i++)
        many[i] = kit_part(&k, PART_DATE, i, i, 0, 2);
    PublishChange c = publish_change(&k.p);
    c.add = many;
    c.add_count = DAYS;
    KIT_OK(publish_commit(&k.p, &c));
    assert_int_equal(k.p.current->date_seg_count, 28);
    c = publish_change(&k.p);
    many[0] = kit_part(&k, PART_DATE, 5000, 5000, 0, 3);
    c.add = many;
    c.add_count = 1;
    fault_arm(FAULT_NONE, 0, false, 0);
    KIT_OK(publish_commit(&k.p, &c));
    u64 changes = fault_count();
    print_message("# one of %d dates changed: %" PRIu64 " changes of the disk\n", DAYS, changes);
    assert_true(changes < 366 + 40);
    u32 fresh = 0;
    for (u32 i = 0; i < 28; i++)
        fresh += strstr(k.p.current->date_segs[i]->name, ".3") != NULL;
    assert_int_equal(fresh, 1);
    fault_arm(FAULT_NONE, 0, false, 0);
    KIT_OK(kit_interval(&k)); /* no date changed: nothing of the hdb is written */
    assert_true(fault_count() < 30);
    assert_int_equal(k.p.current->hdb, 3);
    free(many);
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_start_makes_an_empty_database),
        cmocka_unit_test(a_start_changes_nothing_when_all_is_well),
        cmocka_unit_test(a_domain_that_is_there_is_taken_over),
        cmocka_unit_test(an_empty_domain_file_counts_as_missing),
        cmocka_unit_test(a_view_says_what_the_change_said),
        cmocka_unit_test(a_change_that_names_no_publishers_keeps_them),
        cmocka_unit_test(links_stay_inside_their_base),
        cmocka_unit_test(hdb_changes_only_with_dates),
        cmocka_unit_test(unchanged_segments_are_shared),
        cmocka_unit_test(a_replaced_date_becomes_garbage_until_it_is_swept),
        cmocka_unit_test(a_day_takes_its_intervals_away_and_labels_restart),
        cmocka_unit_test(a_folder_that_is_named_again_is_no_garbage),
        cmocka_unit_test(changes_that_cannot_be_are_refused),
        cmocka_unit_test(many_intervals_go_to_segment_folders),
        cmocka_unit_test(labels_of_a_wide_view_skip_lengths_of_dates),
        cmocka_unit_test(a_second_tier_makes_the_hdb_segmented),
        cmocka_unit_test(a_commit_costs_what_changed),
    };
    return cmocka_run_group_tests_name("publish", tests, NULL, NULL);
}
