/*
 * sidecar: what is written is read back equal; what is cut, altered or exchanged is refused; every
 * changed byte of a part is found and named, with the rows that it may hold.
 */
#include "db/sidecar.h"

#include "base/crc.h"
#include "base/prng.h"
#include "unit/db/kit.h"

#define ROWS 300000u /* more than two MiB of longs */

/* A part of one table with a plain column, an enumeration, an empty file; and its sidecar. */
static Part make_part(Kit *k)
{
    static u8 bytes[4096 + 8 * ROWS];
    static PartTable table;
    Prng prng;
    SumList l = {0};
    Part p = {.kind = PART_INTERVAL, .table_count = 1, .tables = &table};
    prng_init(&prng, 9);
    for (u64 i = 0; i < sizeof bytes; i++)
        bytes[i] = (u8)prng_next(&prng);
    table = (PartTable){.name = "trade", .rows = ROWS};
    p.path = arena_format(&k->memory, "%s/data/2024.08.22/5", k->idb);
    const char *folder = dir_join(&k->memory, p.path, "trade", NULL);
    KIT_OK(dir_make_all(folder));
    kit_write(dir_join(&k->memory, folder, "price", NULL), bytes, 16 + 8 * ROWS);
    kit_write(dir_join(&k->memory, folder, "sym", NULL), bytes, sizeof bytes);
    kit_write(dir_join(&k->memory, folder, "text#", NULL), bytes, 100);
    kit_write(dir_join(&k->memory, folder, "none", NULL), bytes, 0);
    KIT_OK(sidecar_sum_table(p.path, "trade", &l));
    assert_int_equal(l.count, 4);
    KIT_OK(sidecar_seal(p.path, &l, &p.sums));
    p.summed = true;
    sum_list_free(&l);
    return p;
}

static void flip(const char *path, u64 at)
{
    u8 byte = 0;
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0 && pread(fd, &byte, 1, (off_t)at) == 1);
    byte ^= 4;
    assert_true(pwrite(fd, &byte, 1, (off_t)at) == 1 && close(fd) == 0);
}

static void expect_damage(const Part *p, const char *name, const char *what)
{
    Arena a = {0};
    SidecarDamage *d = NULL;
    u32 count = 0;
    KIT_OK(sidecar_scan(p, true, 2, &a, &d, &count));
    assert_int_equal(count, 1);
    assert_string_equal(d->name, name);
    assert_string_equal(d->what, what);
    assert_int_equal(sidecar_verify(p, 1), E_CORRUPT);
    assert_non_null(strstr(fail_text(), d->path));
    arena_free(&a);
}

static void a_sidecar_comes_back_and_its_part_is_whole(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 1);
    Part p = make_part(&k);
    SumList l = {0};
    SidecarDamage *d = NULL;
    u32 count = 0;
    KIT_OK(sidecar_verify(&p, 2));
    KIT_OK(sidecar_scan(&p, false, 1, &k.memory, &d, &count));
    assert_int_equal(count, 0);
    KIT_OK(sidecar_read(p.path, p.sums, &l));
    assert_int_equal(l.count, 4);
    assert_string_equal(l.files[0].name, "trade/none");
    assert_int_equal(l.files[1].size, 16 + 8 * ROWS);
    sum_list_free(&l);
    assert_int_equal(sidecar_read(p.path, p.sums ^ 1, &l), E_CORRUPT);
    p.summed = false;
    KIT_OK(dir_remove_all(p.path));
    KIT_OK(sidecar_verify(&p, 2)); /* nothing is known of it */
    KIT_OK(sidecar_remove(p.path));
    KIT_OK(sidecar_remove(p.path));
    kit_end(&k);
}

static void every_change_of_a_file_is_found(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 1);
    Part p = make_part(&k);
    Prng prng;
    prng_init(&prng, 4);
    static const char *const names[] = {"price", "sym", "text#"};
    static const u64 sizes[] = {16 + 8 * ROWS, 4096 + 8 * ROWS, 100};
    for (u32 i = 0; i < 60; i++) {
        u32 n = i % 3;
        u64 at = i < 3 ? sizes[n] - 1 : prng_below(&prng, sizes[n]);
        const char *path = dir_join(&k.memory, p.path, "trade", names[n], NULL);
        const char *name = arena_format(&k.memory, "trade/%s", names[n]);
        flip(path, at);
        expect_damage(&p, name, "checksum");
        flip(path, at);
    }
    KIT_OK(sidecar_verify(&p, 0));
    const char *path = dir_join(&k.memory, p.path, "trade/price", NULL);
    kit_write(dir_join(&k.memory, p.path, "trade/none", NULL), "x", 1);
    expect_damage(&p, "trade/none", "size");
    kit_write(dir_join(&k.memory, p.path, "trade/none", NULL), "", 0);
    assert_int_equal(truncate(path, 16 + 8 * ROWS - 1), 0);
    expect_damage(&p, "trade/price", "size");
    KIT_OK(dir_unlink(path));
    expect_damage(&p, "trade/price", "missing");
    KIT_OK(dir_unlink(sidecar_path(&k.memory, p.path)));
    expect_damage(&p, "", "sidecar");
    kit_end(&k);
}

static void damage_names_its_rows(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 1);
    Part p = make_part(&k);
    SidecarDamage *d = NULL;
    u32 count = 0;
    flip(dir_join(&k.memory, p.path, "trade/price", NULL), SUM_BLOCK + 5);
    flip(dir_join(&k.memory, p.path, "trade/sym", NULL), 2 * SUM_BLOCK);
    flip(dir_join(&k.memory, p.path, "trade/sym", NULL), 2);
    KIT_OK(sidecar_scan(&p, true, 2, &k.memory, &d, &count));
    assert_int_equal(count, 2);
    assert_int_equal(d[0].from, SUM_BLOCK);
    assert_int_equal(d[0].to, 2 * SUM_BLOCK);
    assert_int_equal(d[0].row_from, (SUM_BLOCK - 16) / 8);
    assert_int_equal(d[0].row_to, (2 * SUM_BLOCK - 16 + 7) / 8);
    assert_int_equal(d[1].blocks, 2); /* the header is in one of them: all rows may be wrong */
    assert_int_equal(d[1].row_from, 0);
    assert_int_equal(d[1].row_to, ROWS);
    assert_int_equal(sidecar_verify(&p, 2), E_CORRUPT);
    assert_non_null(strstr(fail_text(), "rows 131070 to 262142 of trade/price"));
    assert_non_null(strstr(fail_text(), "1 more files"));
    kit_end(&k);
}

static void every_changed_bit_of_a_sidecar_is_noticed(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 1);
    Part p = make_part(&k);
    SumList l = {0};
    u8 *data = NULL;
    u64 size = 0;
    u32 crc = 0;
    KIT_OK(file_read_all(sidecar_path(&k.memory, p.path), 1 << 20, &k.memory, &data, &size));
    for (u64 i = 0; i < size; i++) {
        assert_int_equal(sidecar_parse((Str){(char *)data, i}, &l, &crc), E_CORRUPT);
        for (int bit = 0; bit < 8; bit++) {
            data[i] = (u8)(data[i] ^ 1 << bit);
            assert_int_equal(sidecar_parse((Str){(char *)data, size}, &l, &crc), E_CORRUPT);
            data[i] = (u8)(data[i] ^ 1 << bit);
        }
    }
    KIT_OK(sidecar_parse((Str){(char *)data, size}, &l, &crc));
    assert_int_equal(crc, p.sums);
    sum_list_free(&l);
    kit_end(&k);
}

/* A device that does not give the sidecar is damage of this part, and nothing that ends a scrub. */
static void a_sidecar_that_cannot_be_read_is_damage(void **state)
{
    (void)state;
    Kit k;
    SumList l = {0};
    kit_make(&k, 1);
    Part p = make_part(&k);
    bool root = geteuid() == 0;
    assert_int_equal(chmod(sidecar_path(&k.memory, p.path), 0), 0);
    if (root) assert_int_equal(seteuid(65534), 0);
    Err err = sidecar_read(p.path, p.sums, &l);
    if (root) assert_int_equal(seteuid(0), 0);
    assert_int_equal(err, E_CORRUPT);
    assert_non_null(strstr(fail_text(), ".sums"));
    assert_int_equal(l.count, 0);
    kit_end(&k);
}

static void senseless_sidecars_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "file x 5 00000000\n",
        "file a/b/c 5 00000000\n",
        "file ../x 5 00000000\n",
        "file a/.. 5 00000000\n",
        "file a/ 5 00000000\n",
        "file a/b 5 0000000\n",
        "file a/b -5 00000000\n",
        "file a/b 5 00000000\nfile a/b 5 00000000\n",
        "file a/c 5 00000000\nfile a/b 5 00000000\n",
        "file a/b 18446744073709551615 00000000\n",
        "file a/b 2097152 00000000\n",
        "file a/b 2097152 00000000\nblocks 0000000\n",
        "file a/b 2097152 00000001\nblocks 0000000000000000\n",
        "file a/b 2097152 00000000\nblocks 000000000000000g\n",
        "file a/b 5 00000000\nblocks 00000000\n",
        "folder a\n",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        Buf b = {0};
        SumList l = {0};
        u32 crc = 0;
        KIT_OK(buf_format(&b, "siltstone-sums 1\n%s", bad[i]));
        KIT_OK(buf_format(&b, "end %08x\n", crc_32c(0, b.data, b.size)));
        Err err = sidecar_parse((Str){(char *)b.data, b.size}, &l, &crc);
        if (err != E_CORRUPT) fail_msg("%s: %s", bad[i], fail_name(err));
        buf_free(&b);
    }
}

/* Tables may begin with an underscore. */
static void names_of_tables(void **state)
{
    (void)state;
    Buf b = {0};
    SumList l = {0};
    u32 crc = 0;
    KIT_OK(buf_text(&b, "siltstone-sums 1\nfile _trade/price 5 00000000\n"));
    KIT_OK(buf_format(&b, "end %08x\n", crc_32c(0, b.data, b.size)));
    KIT_OK(sidecar_parse((Str){(char *)b.data, b.size}, &l, &crc));
    assert_int_equal(l.count, 1);
    sum_list_free(&l);
    buf_free(&b);
}

static void names_of_sidecars(void **state)
{
    (void)state;
    u64 n = 0;
    assert_true(sidecar_numbered(STR("17.sums"), &n));
    assert_int_equal(n, 17);
    assert_false(sidecar_numbered(STR("17"), &n));
    assert_false(sidecar_numbered(STR("017.sums"), &n));
    assert_false(sidecar_numbered(STR(".sums"), &n));
    assert_false(sidecar_numbered(STR("17.sums.tmp"), &n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sidecar_comes_back_and_its_part_is_whole),
        cmocka_unit_test(every_change_of_a_file_is_found),
        cmocka_unit_test(damage_names_its_rows),
        cmocka_unit_test(every_changed_bit_of_a_sidecar_is_noticed),
        cmocka_unit_test(a_sidecar_that_cannot_be_read_is_damage),
        cmocka_unit_test(senseless_sidecars_are_refused),
        cmocka_unit_test(names_of_tables),
        cmocka_unit_test(names_of_sidecars),
    };
    return cmocka_run_group_tests_name("sidecar", tests, NULL, NULL);
}
