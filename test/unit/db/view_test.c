/*
 * view: opening, sharing, pinning and walking views.
 */
#include "os/now.h"
#include "unit/db/kit.h"

/* A reader: its own root and cache over the same folders. */
typedef struct {
    Root root;
    ViewCache cache;
    u64 forgotten;
} Reader;

static void count_forgotten(void *arg, const Segment *s)
{
    assert_true(s->part_count > 0);
    *(u64 *)arg += 1;
}

static void reader_open(Reader *r, Kit *k)
{
    *r = (Reader){.forgotten = 0};
    root_init(&r->root, "demo", k->idb, k->hdb, NULL, k->tiers, k->tier_count);
    view_cache_init(&r->cache, &r->root);
    r->cache.forget = count_forgotten;
    r->cache.forget_arg = &r->forgotten;
}

static void reader_close(Reader *r)
{
    view_cache_free(&r->cache);
    view_cache_free(&r->cache);
    root_close(&r->root);
}

static void no_view_yet_is_not_found(void **state)
{
    (void)state;
    Kit k;
    Reader r;
    View *v = NULL;
    u64 number = 9;
    kit_make(&k, 1);
    reader_open(&r, &k);
    KIT_OK(view_current(&r.root, &number));
    assert_int_equal(number, 0);
    assert_int_equal(view_open(&r.cache, true, &v), E_NOT_FOUND);
    assert_int_equal(view_open_number(&r.cache, 1, &v), E_NOT_FOUND);
    KIT_OK(view_empty(&r.cache, &v));
    u64 at = 0;
    assert_int_equal(v->number, 0);
    assert_null(view_next(v, PART_DATE, &at));
    assert_null(view_part(v, PART_INTERVAL, 0));
    view_close(&r.cache, v);
    reader_close(&r);
    kit_end(&k);
}

static void a_reader_sees_what_was_committed(void **state)
{
    (void)state;
    Kit k;
    Reader r;
    View *v = NULL;
    kit_make(&k, 2);
    KIT_OK(kit_start(&k));
    KIT_OK(kit_interval(&k));
    KIT_OK(kit_date(&k, KIT_DAY, 1));
    reader_open(&r, &k);
    KIT_OK(view_open(&r.cache, false, &v));
    assert_int_equal(v->number, 3);
    assert_string_equal(kit_names(&k, v), kit_names(&k, k.p.current));
    assert_int_equal(v->pin, -1);
    view_close(&r.cache, v);
    assert_int_equal(r.forgotten, 2);
    reader_close(&r);
    kit_end(&k);
}

static void unchanged_segments_are_not_read_again(void **state)
{
    (void)state;
    Kit k;
    Reader r;
    View *a = NULL, *b = NULL, *c = NULL;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    KIT_OK(kit_date(&k, KIT_DAY, 0));
    KIT_OK(kit_date(&k, KIT_DAY - 366, 0));
    reader_open(&r, &k);
    KIT_OK(view_open(&r.cache, true, &a));
    KIT_OK(kit_date(&k, KIT_DAY, 0));
    /* With the file of the shared segment gone, only the cache can have it. */
    assert_int_equal(rename(kit_path(&k, "idb/manifest/d.2023.3"), kit_path(&k, "aside")), 0);
    KIT_OK(view_open(&r.cache, true, &b));
    assert_ptr_equal(a->date_segs[0], b->date_segs[0]);
    assert_ptr_not_equal(a->date_segs[1], b->date_segs[1]);
    KIT_OK(view_open(&r.cache, true, &c));
    assert_ptr_equal(b, c);
    assert_int_equal(b->uses, 2);
    view_close(&r.cache, c);
    view_close(&r.cache, a);
    assert_int_equal(r.forgotten, 1);
    view_close(&r.cache, b);
    assert_int_equal(r.forgotten, 3);
    assert_int_equal(view_open(&r.cache, true, &a), E_CORRUPT);
    assert_non_null(strstr(fail_text(), "d.2023.3"));
    reader_close(&r);
    kit_end(&k);
}

static void a_pin_lasts_as_long_as_the_view(void **state)
{
    (void)state;
    Kit k;
    Reader r;
    View *v = NULL, *again = NULL;
    int lock = -1;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    reader_open(&r, &k);
    char *folder = kit_path(&k, "idb/idb.1");
    KIT_OK(view_open(&r.cache, false, &v));
    KIT_OK(dir_lock(folder, true, &lock));
    dir_unlock(&lock);
    KIT_OK(view_open(&r.cache, true, &again)); /* the same view gets its pin later */
    assert_ptr_equal(v, again);
    assert_int_equal(dir_lock(folder, true, &lock), E_BUSY);
    view_close(&r.cache, v);
    assert_int_equal(dir_lock(folder, true, &lock), E_BUSY);
    view_close(&r.cache, again);
    KIT_OK(dir_lock(folder, true, &lock));
    dir_unlock(&lock);
    reader_close(&r);
    kit_end(&k);
}

static void a_view_that_the_sweep_holds_is_tried_again(void **state)
{
    (void)state;
    Kit k;
    Reader r;
    View *v = NULL;
    int lock = -1;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    reader_open(&r, &k);
    KIT_OK(dir_lock(kit_path(&k, "idb/idb.1"), true, &lock));
    assert_int_equal(view_open(&r.cache, true, &v), E_BUSY);
    dir_unlock(&lock);
    KIT_OK(view_open(&r.cache, true, &v));
    view_close(&r.cache, v);
    reader_close(&r);
    kit_end(&k);
}

static void a_view_whose_folder_is_gone_is_corrupt(void **state)
{
    (void)state;
    Kit k;
    Reader r;
    View *v = NULL;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    reader_open(&r, &k);
    assert_int_equal(rename(kit_path(&k, "idb/idb.1"), kit_path(&k, "aside")), 0);
    assert_int_equal(view_open(&r.cache, true, &v), E_CORRUPT);
    assert_int_equal(rename(kit_path(&k, "idb/manifest/view.1"), kit_path(&k, "aside2")), 0);
    assert_int_equal(view_open(&r.cache, false, &v), E_CORRUPT);
    reader_close(&r);
    kit_end(&k);
}

/* Files exchanged with others that are whole (T9). */
static void exchanged_manifests_are_refused(void **state)
{
    (void)state;
    Kit k;
    Reader r;
    View *v = NULL;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    KIT_OK(kit_interval(&k));
    KIT_OK(kit_interval(&k));
    reader_open(&r, &k);
    char *view = kit_path(&k, "idb/manifest/view.3"), *segment = kit_path(&k, "idb/manifest/i.0.3");
    char *aside = kit_path(&k, "aside");
    assert_int_equal(rename(view, aside), 0);
    assert_int_equal(link(kit_path(&k, "idb/manifest/view.2"), view), 0);
    assert_int_equal(view_open(&r.cache, false, &v), E_CORRUPT);
    assert_int_equal(rename(aside, view), 0);
    assert_int_equal(rename(segment, aside), 0);
    assert_int_equal(link(kit_path(&k, "idb/manifest/i.0.2"), segment), 0);
    assert_int_equal(view_open(&r.cache, false, &v), E_CORRUPT);
    assert_int_equal(rename(aside, segment), 0);
    KIT_OK(view_open(&r.cache, false, &v));
    view_close(&r.cache, v);
    reader_close(&r);
    kit_end(&k);
}

/* A view knows the CRC of the names that its parts need; later names do not matter. */
static void flip_byte(const char *path)
{
    u8 byte = 0;
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0 && pread(fd, &byte, 1, 30) == 1);
    byte ^= 1;
    assert_true(pwrite(fd, &byte, 1, 30) == 1 && close(fd) == 0);
}

/* Older views are found from the newest on; those that are damaged are passed over, and what was
 * opened the sweep leaves alone. */
static void an_older_view_is_opened_and_pinned(void **state)
{
    (void)state;
    Kit k;
    Reader r;
    View *v = NULL;
    Sweep s;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    for (int i = 0; i < 3; i++)
        KIT_OK(kit_interval(&k));
    reader_open(&r, &k);
    u64 newest = k.p.current->number;
    char *manifests[2];
    for (u64 i = 0; i < 2; i++) {
        manifests[i] = arena_format(&k.memory, "%s/manifest/view.%" PRIu64, k.idb, newest - i);
        flip_byte(manifests[i]);
    }
    assert_int_equal(view_open(&r.cache, true, &v), E_CORRUPT);
    KIT_OK(view_open_before(&r.cache, newest, &v));
    assert_int_equal(v->number, newest - 2);
    assert_true(v->pin >= 0);
    for (u64 i = 0; i < 2; i++)
        flip_byte(manifests[i]);
    KIT_OK(kit_sweep(&k, UINT64_MAX, &s));
    assert_int_equal(s.oldest, newest - 2);
    View *again = NULL;
    KIT_OK(view_open_before(&r.cache, newest - 1, &again));
    assert_ptr_equal(again, v);
    view_close(&r.cache, again);
    view_close(&r.cache, v);
    KIT_OK(kit_sweep(&k, UINT64_MAX, &s));
    assert_int_equal(view_open_before(&r.cache, newest - 1, &v), E_NOT_FOUND);
    reader_close(&r);
    kit_end(&k);
}

static void a_domain_is_compared(void **state)
{
    (void)state;
    Kit k;
    Domain d;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    const View *v = k.p.current;
    assert_true(v->sym_summed);
    KIT_OK(domain_open(&d, k.root.sym, v->sym_size));
    KIT_OK(view_check_domain(v, &d));
    d.crc ^= 1;
    assert_int_equal(view_check_domain(v, &d), E_CORRUPT);
    assert_non_null(strstr(fail_text(), k.root.sym));
    domain_close(&d);
    /* A change of the length that tells no CRC: it is not known any more. */
    kit_write(k.root.sym, "\xff\x01\x0b\0\1\0\0\0ab", 11);
    PublishChange c = publish_change(&k.p);
    c.sym_size = 11;
    KIT_OK(publish_commit(&k.p, &c));
    assert_false(k.p.current->sym_summed);
    KIT_OK(domain_open(&d, k.root.sym, 11));
    KIT_OK(view_check_domain(k.p.current, &d));
    c = publish_change(&k.p);
    c.sym_crc = d.crc;
    c.sym_summed = true;
    KIT_OK(publish_commit(&k.p, &c));
    assert_true(k.p.current->sym_summed);
    KIT_OK(view_check_domain(k.p.current, &d));
    domain_close(&d);
    kit_end(&k);
}

static void parts_are_found_over_segments(void **state)
{
    (void)state;
    Kit k;

    enum { COUNT = 600 };

    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    Part *many = calloc(2 * COUNT, sizeof *many);
    for (int i = 0; i < COUNT; i++) {
        many[i] =
            kit_part(&k, PART_DATE, -700 + 3 * i, -700 + 3 * i, 0, 2); /* before and after 2000 */
        many[COUNT + i] = kit_part(&k, PART_INTERVAL, 2 * i, KIT_DAY, 0, 1);
    }
    PublishChange c = publish_change(&k.p);
    c.add = many;
    c.add_count = 2 * COUNT;
    c.eoi = 1;
    KIT_OK(publish_commit(&k.p, &c));
    for (int round = 0; round < 2; round++) {
        const View *v = k.p.current;
        assert_int_equal(view_part_count(v, PART_DATE), COUNT);
        assert_int_equal(v->interval_seg_count, 5);
        u64 at = 0;
        for (int i = 0; i < COUNT; i++) {
            const Part *p = view_part(v, PART_DATE, -700 + 3 * i);
            assert_non_null(p);
            assert_int_equal(p->key, -700 + 3 * i);
            assert_ptr_equal(view_next(v, PART_DATE, &at), p);
            assert_null(view_part(v, PART_DATE, -700 + 3 * i + 1));
            assert_non_null(view_part(v, PART_INTERVAL, 2 * i));
            assert_null(view_part(v, PART_INTERVAL, 2 * i + 1));
        }
        assert_null(view_next(v, PART_DATE, &at));
        assert_null(view_next(v, PART_DATE, &at));
        assert_null(view_part(v, PART_DATE, INT32_MAX));
        assert_null(view_part(v, PART_DATE, INT32_MIN));
        kit_stop(&k);
        KIT_OK(kit_start(&k)); /* read back from the disk */
    }
    free(many);
    kit_end(&k);
}

static void segment_names_are_read_strictly(void **state)
{
    (void)state;
    PartKind kind;
    i32 group = 0;
    u64 n = 0;
    assert_true(view_segment_parse(STR("d.2024.17"), &kind, &group, &n) && kind == PART_DATE &&
                group == 2024 && n == 17);
    assert_true(view_segment_parse(STR("i.0.1"), &kind, &group, &n) && kind == PART_INTERVAL &&
                group == 0 && n == 1);
    assert_true(view_segment_parse(STR("d.-5.1"), &kind, &group, &n) && group == -5);
    static const char *const wrong[] = {
        "",     "d",     "d.",     "d.1",    "d.1.",           "d.1.0",  "d.1.1.1", "e.1.1",
        "d..1", "d.1.x", "di.1.1", "d.1.-1", "d.9999999999.1", "view.1", "d.+1.1"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_false(view_segment_parse(str_of(wrong[i]), &kind, &group, &n));
}

/* Readers in other processes open, pin and load while views are committed and swept: never a
 * missing folder or file. */
static void reader_loop(Kit *k, int stop)
{
    char byte;
    u64 last = 0, opened = 0;
    while (read(stop, &byte, 1) < 0) {
        Reader r;
        View *v = NULL;
        reader_open(&r, k);
        if (view_open(&r.cache, true, &v) != E_OK) {
            dprintf(STDERR_FILENO, "%s\n", fail_text());
            _exit(1);
        }
        char path[PATH_MAX * 2];
        snprintf(path, sizeof path, "%s/idb.%" PRIu64, k->idb, v->number);
        long long parts = kit_load(path);
        if (v->number < last || parts != (long long)view_part_count(v, PART_INTERVAL)) {
            dprintf(STDERR_FILENO, "view %" PRIu64 ", %lld parts: %s\n", v->number, parts, kit_why);
            _exit(2);
        }
        last = v->number;
        view_close(&r.cache, v);
        reader_close(&r);
        opened++;
    }
    _exit(opened > 0 ? 0 : 3);
}

static void readers_never_lose_what_they_pinned(void **state)
{
    (void)state;
    Kit k;

    enum { READERS = 3 };

    pid_t pid[READERS];
    int stop[2], status = 0;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    assert_int_equal(pipe2(stop, O_NONBLOCK), 0);
    fflush(NULL);
    for (int i = 0; i < READERS; i++) {
        pid[i] = fork();
        assert_true(pid[i] >= 0);
        if (pid[i] == 0) {
            close(stop[1]);
            reader_loop(&k, stop[0]);
        }
    }
    u64 swept = 0;
    for (int i = 0; i < 300; i++) {
        Sweep s;
        const Part *gone[2];
        u64 at = 0;
        KIT_OK(kit_interval(&k));
        PublishChange c = publish_change(&k.p);
        while (c.remove_count < 2 &&
               (gone[c.remove_count] = view_next(k.p.current, PART_INTERVAL, &at)) != NULL)
            c.remove_count++;
        c.remove = gone;
        if (i % 3 == 2) KIT_OK(publish_commit(&k.p, &c));
        KIT_OK(kit_sweep(&k, UINT64_MAX, &s));
        swept += s.parts;
    }
    close(stop[1]);
    for (int i = 0; i < READERS; i++) {
        assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
        assert_int_equal(status, 0);
    }
    assert_true(swept > 100);
    close(stop[0]);
    kit_judge(&k);
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_view_yet_is_not_found),
        cmocka_unit_test(a_reader_sees_what_was_committed),
        cmocka_unit_test(unchanged_segments_are_not_read_again),
        cmocka_unit_test(a_pin_lasts_as_long_as_the_view),
        cmocka_unit_test(a_view_that_the_sweep_holds_is_tried_again),
        cmocka_unit_test(a_view_whose_folder_is_gone_is_corrupt),
        cmocka_unit_test(exchanged_manifests_are_refused),
        cmocka_unit_test(an_older_view_is_opened_and_pinned),
        cmocka_unit_test(a_domain_is_compared),
        cmocka_unit_test(parts_are_found_over_segments),
        cmocka_unit_test(segment_names_are_read_strictly),
        cmocka_unit_test(readers_never_lose_what_they_pinned),
    };
    return cmocka_run_group_tests_name("view", tests, NULL, NULL);
}
