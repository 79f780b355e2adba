/*
 * plain: the walk over small databases made by hand: every shape, and what breaks a rule.
 */
#include "column/column.h"
#include "db/plain.h"
#include "unit/db/plain_kit.h"

/* Whether a rule was noted about a path that ends so. */
static bool noted(const Plain *p, const char *rule, const char *path, PlainWeight weight)
{
    for (u32 i = 0; i < p->note_count; i++)
        if (strcmp(p->notes[i].rule, rule) == 0 && p->notes[i].weight == weight &&
            str_ends(str_of(p->notes[i].path), str_of(path)))
            return true;
    for (u32 i = 0; i < p->note_count; i++)
        fprintf(stderr, "%s: %s: %s (%d)\n", p->notes[i].path, p->notes[i].rule, p->notes[i].text,
                (int)p->notes[i].weight);
    return false;
}

/* ---- shapes */

static void a_root_with_everything(void **state)
{
    (void)state;
    Plain p;
    begin();
    symbols("sym", "a,b,");
    table("2024.01.02/trade", 2);
    table("2024.01.03/trade", 3);
    table("2024.01.03/quote", 1);
    table("ref", 4);
    put("flat", "\xff\x01\x62\x00\x63\x0b\0\0\0\0\0", 11);
    put("keyed", "\xff\x01\x63\x00", 4);
    put("list", "\xfe\x20\x07\x00\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    text("x.q", "\\a");
    text("passed$", "x");
    text("html", "x");
    OK(plain_open(&p, root));
    assert_int_equal(p.note_count, 0);
    assert_int_equal(p.kind, PLAIN_DATE);
    assert_int_equal(p.segment_count, 1);
    assert_int_equal(p.part_count, 2);
    assert_string_equal(p.parts[0].name, "2024.01.02");
    assert_string_equal(p.parts[1].path, at("2024.01.03"));
    assert_int_equal(p.parts[1].value, 8768);
    assert_int_equal(p.table_count, 2);
    assert_string_equal(p.tables[0].name, "quote");
    const PlainTable *t = plain_table(&p, "trade");
    assert_non_null(t);
    assert_int_equal(t->column_count, 2);
    assert_int_equal(t->rows, 3);
    assert_string_equal(t->columns[1].name, "size");
    assert_int_equal(t->columns[0].type, QT_TIMESTAMP);
    assert_int_equal(p.splayed_count, 1);
    assert_string_equal(p.splayed[0].name, "ref");
    assert_int_equal(p.splayed[0].segment, PLAIN_ROOT_PLACE);
    assert_int_equal(p.object_count, 4);
    assert_string_equal(p.objects[0].name, "flat");
    assert_int_equal(p.objects[0].form, PLAIN_TABLE);
    assert_int_equal(p.objects[1].form, PLAIN_DICT);
    assert_int_equal(p.objects[2].form, PLAIN_VALUE);
    assert_int_equal(p.objects[3].form, PLAIN_SYMBOLS);
    OK(plain_refused(&p));
    PlainLook look;
    table("2024.01.02/more", 0);
    text("2024.01.02/stray", "x");
    OK(plain_look(&p.parts[0], &memory, &look));
    assert_int_equal(look.table_count, 2);
    assert_string_equal(look.tables[0], "more");
    assert_int_equal(look.foreign_count, 1);
    plain_close(&p);
    plain_close(&p);
    end();
}

static void the_first_name_tells_the_kind(void **state)
{
    (void)state;

    static const struct {
        const char *names[3];
        PlainKind kind;
        i64 first, last;
    } all[] = {
        {{"2024.02", "2023.12", "2024.01"}, PLAIN_MONTH, 287, 289},
        {{"2024", "1999", "2000"}, PLAIN_YEAR, 1999, 2024},
        {{"7", "451353600000000000", "12"}, PLAIN_LONG, 7, 451353600000000000},
        {{"2000.01.01", "1999.12.31", "2000.02.29"}, PLAIN_DATE, -1, 59},
    };

    for (u32 i = 0; i < COUNT_OF(all); i++) {
        Plain p;
        char path[64];
        begin();
        for (u32 k = 0; k < 3; k++) {
            snprintf(path, sizeof path, "%s/t", all[i].names[k]);
            table(path, k);
        }
        OK(plain_open(&p, root));
        assert_int_equal(p.note_count, 0);
        assert_int_equal(p.kind, all[i].kind);
        assert_int_equal(p.parts[0].value, all[i].first);
        assert_int_equal(p.parts[2].value, all[i].last);
        plain_close(&p);
        end();
    }
}

static void values_stand_for_days(void **state)
{
    (void)state;
    i64 from = 0, to = 0, value = 0;
    assert_true(plain_days(PLAIN_MONTH, 1, &from, &to));
    assert_true(from == 31 && to == 60);
    assert_true(plain_value(PLAIN_MONTH, STR("1999.12"), &value) && value == -1);
    assert_true(plain_days(PLAIN_MONTH, value, &from, &to) && from == -31 && to == 0);
    assert_true(plain_days(PLAIN_YEAR, 2000, &from, &to) && from == 0 && to == 366);
    assert_true(plain_days(PLAIN_DATE, 5, &from, &to) && from == 5 && to == 6);
    assert_false(plain_days(PLAIN_LONG, 5, &from, &to));
    assert_false(plain_value(PLAIN_MONTH, STR("2024.13"), &value));
    assert_false(plain_value(PLAIN_MONTH, STR("2024.00"), &value));
    assert_false(plain_value(PLAIN_YEAR, STR("20240"), &value));
    assert_false(plain_value(PLAIN_LONG, STR("007"), &value));
    assert_false(plain_value(PLAIN_LONG, STR("99999999999999999999"), &value));
    assert_true(plain_value(PLAIN_LONG, STR("0"), &value) && value == 0);
}

static void one_splayed_table(void **state)
{
    (void)state;
    Plain p;
    begin();
    table("db/trade", 5);
    OK(plain_open(&p, at("db/trade")));
    assert_true(p.single);
    assert_int_equal(p.splayed_count, 1);
    assert_string_equal(p.splayed[0].name, "trade");
    assert_int_equal(p.splayed[0].rows, 5);
    assert_int_equal(p.note_count, 0);
    plain_close(&p);
    end();
}

static void segments_in_any_placement(void **state)
{
    (void)state;
    Plain p;
    begin();
    symbols("db/sym", "a,");
    table("one/2024.01.02/trade", 1);
    table("one/2024.01.05/trade", 2);
    table("two/2024.01.02/trade", 3);
    table("far/2024.01.03/trade", 4);
    table("far/2024.01.05/quote", 4);
    char lines[512];
    snprintf(lines, sizeof lines, "../one\r\n../two \n%s\ns3://bucket/db\n", at("link"));
    text("db/par.txt", lines);
    OK(dir_link("far", at("link")));
    OK(plain_open(&p, at("db")));
    assert_int_equal(p.segment_count, 5);
    assert_true(p.segments[4].store && p.segments[4].part_count == 0);
    assert_int_equal(p.segments[1].line, 1);
    assert_int_equal(p.part_count, 5);
    static const u32 segments[] = {1, 2, 3, 1, 3};
    static const bool again[] = {false, true, false, false, true};
    for (u32 i = 0; i < 5; i++) {
        assert_int_equal(p.parts[i].segment, segments[i]);
        assert_int_equal(p.parts[i].again, again[i]);
    }
    assert_int_equal(p.table_count, 2); /* both folders of the last date are the model */
    assert_int_equal(plain_table(&p, "quote")->segment, 3);
    assert_int_equal(p.warnings, 3);
    assert_true(noted(&p, "P-40", "par.txt", PLAIN_WARNS));
    assert_true(noted(&p, "P-15", "par.txt", PLAIN_WARNS));
    assert_int_equal(p.breaks + p.fatal, 0);
    plain_close(&p);
    end();
}

static void an_untyped_column_is_looked_for_in_older_partitions(void **state)
{
    (void)state;
    Plain p;
    begin();
    symbols("2024.01.01/t/.d", "x,y,");
    column("2024.01.01/t/x", QT_LONG, 1);
    column("2024.01.01/t/y", QT_FLOAT, 1);
    symbols("2024.01.02/t/.d", "x,y,");
    column("2024.01.02/t/x", QT_LONG, 0);
    put("2024.01.02/t/y", "\xff\x01\0\0\0\0\0\0", 8);
    OK(plain_open(&p, root));
    assert_int_equal(p.tables[0].columns[1].type, QT_FLOAT);
    assert_int_equal(p.note_count, 0);
    plain_close(&p);
    end();
}

/* ---- what breaks a rule */

static void broken(void (*damage)(void), const char *rule, const char *path, PlainWeight weight)
{
    Plain p;
    begin();
    symbols("db/sym", "a,");
    table("one/2024.01.02/trade", 1);
    table("two/2024.01.03/trade", 1);
    text("db/par.txt", "../one\n../two\n");
    damage();
    OK(plain_open(&p, at("db")));
    assert_true(noted(&p, rule, path, weight));
    assert_true((plain_refused(&p) != E_OK) == (weight == PLAIN_FATAL));
    if (weight == PLAIN_FATAL) assert_non_null(strstr(fail_text(), rule));
    plain_close(&p);
    end();
}

static void empty_folder(void)
{
    OK(dir_make(at("three")));
    text("db/par.txt", "../one\n../two\n../three\n");
}

static void foreign_file(void) { text("one/.DS_Store", "x"); }

static void foreign_digits(void) { OK(dir_make(at("one/2024.01.41"))); }

static void another_kind(void) { table("one/2025/trade", 1); }

static void domain_in_segment(void) { symbols("one/sym", "a,"); }

static void store_with_slash(void) { text("db/par.txt", "../one\n../two\ns3://bucket/db/\n"); }

static void path_with_slash(void) { text("db/par.txt", "../one\n../two/\n"); }

static void line_twice(void) { text("db/par.txt", "../one\n../two\n../one\n"); }

static void line_to_nothing(void) { text("db/par.txt", "../one\n../two\n../nosuch\n"); }

static void line_to_a_file(void) { text("db/par.txt", "../one\n../two\nsym\n"); }

static void partitions_beside(void) { table("db/2024.01.02/trade", 1); }

static void dead_partition(void) { OK(dir_link("nowhere", at("one/2024.01.09"))); }

static void cyclic_partition(void) { OK(dir_link("2024.01.09", at("one/2024.01.09"))); }

static void cyclic_segment(void)
{
    OK(dir_link("round", at("round")));
    text("db/par.txt", "../one\n../two\n../round\n");
}

static void file_as_partition(void) { text("two/2024.01.09", ""); }

static void stray_in_model(void) { text("two/2024.01.03/stray", "x"); }

static void no_table_in_model(void) { OK(dir_make(at("two/2024.01.03/trace"))); }

static void hostile_names(void)
{
    symbols("two/2024.01.03/trade/.d", "time,../../../../etc/passwd,");
}

static void column_missing(void) { OK(dir_unlink(at("two/2024.01.03/trade/size"))); }

static void no_kdb_file(void) { text("db/README.md", "# hello\n"); }

static void root_folder(void) { OK(dir_make(at("db/logs"))); }

static void dead_link(void) { OK(dir_link("nowhere", at("db/link"))); }

static void par_with_a_nul(void) { put("db/par.txt", "../one\n../t\0o\n", 14); }

static void no_partition_at_all(void) { text("db/par.txt", "\n"); }

static void rules_are_named(void **state)
{
    (void)state;
    broken(empty_folder, "P-05", "three", PLAIN_BREAKS);
    broken(no_partition_at_all, "P-05", "par.txt", PLAIN_BREAKS);
    broken(foreign_file, "P-06", "one/.DS_Store", PLAIN_BREAKS);
    broken(foreign_digits, "P-02", "one/2024.01.41", PLAIN_FATAL);
    broken(another_kind, "P-02", "one/2025", PLAIN_FATAL);
    broken(domain_in_segment, "P-07", "one/sym", PLAIN_BREAKS);
    broken(store_with_slash, "P-15", "par.txt", PLAIN_BREAKS);
    broken(path_with_slash, "load", "par.txt", PLAIN_BREAKS);
    broken(line_twice, "P-09", "par.txt", PLAIN_FATAL);
    broken(line_to_nothing, "P-04", "nosuch", PLAIN_FATAL);
    broken(line_to_a_file, "P-04", "sym", PLAIN_FATAL);
    broken(partitions_beside, "P-21", "par.txt", PLAIN_FATAL);
    broken(par_with_a_nul, "P-04", "par.txt", PLAIN_FATAL);
    broken(dead_partition, "P-16", "2024.01.09", PLAIN_FATAL);
    broken(cyclic_partition, "P-16", "2024.01.09", PLAIN_FATAL);
    broken(cyclic_segment, "P-04", "round", PLAIN_FATAL);
    broken(file_as_partition, "P-06", "two/2024.01.09", PLAIN_BREAKS);
    broken(stray_in_model, "load", "2024.01.03/stray", PLAIN_BREAKS);
    broken(no_table_in_model, "load", "2024.01.03/trace", PLAIN_BREAKS);
    broken(hostile_names, "names", "trade", PLAIN_BREAKS);
    broken(column_missing, "column", "trade/size", PLAIN_BREAKS);
    broken(no_kdb_file, "load", "README.md", PLAIN_BREAKS);
    broken(root_folder, "load", "db/logs", PLAIN_BREAKS);
    broken(dead_link, "load", "db/link", PLAIN_BREAKS);
}

static void what_cannot_be_listed_is_named(void **state)
{
    (void)state;
    Plain p;
    begin();
    assert_int_equal(plain_open(&p, at("nowhere")), E_NOT_FOUND);
    plain_close(&p);
    text("file", "x");
    assert_int_equal(plain_open(&p, at("file")), E_CORRUPT);
    plain_close(&p);
    OK(dir_make_all(at("empty")));
    OK(plain_open(&p, at("empty")));
    assert_int_equal(p.kind, PLAIN_FLAT);
    assert_int_equal(p.note_count, 0);
    plain_close(&p);
    end();
}

/* The type of a list column of `count` rows of longs, of which one is of floats. */
static int type_of_lists(u64 count, u64 odd)
{
    Plain p;
    ColumnOut *out = NULL;
    File files[2] = {FILE_NONE, FILE_NONE};
    u64 bytes = 0;
    begin();
    symbols("2024.01.02/trade/.d", "items,");
    OK(column_create(&out, at("2024.01.02/trade/items"), QT_NESTED, ATTR_NONE, count));
    for (u64 i = 0; i < count; i++) {
        Vec v;
        vec_init(&v, i == odd ? QT_FLOAT : QT_LONG);
        OK(vec_append(&v, &i, 1));
        Value item = value_vec(v);
        OK(column_append_value(out, &item));
        vec_free(&v);
    }
    OK(column_finish(out, true, files, &bytes));
    OK(plain_open(&p, root));
    assert_int_equal(p.note_count, 0);
    int type = plain_table(&p, "trade")->columns[0].type;
    plain_close(&p);
    end();
    return type;
}

static void items_of_several_types_make_a_mixed_column(void **state)
{
    (void)state;
    assert_int_equal(type_of_lists(3, 5), QT_NESTED + QT_LONG);
    assert_int_equal(type_of_lists(3, 1), QT_NESTED);
    assert_int_equal(type_of_lists(3, 2), QT_NESTED);
    assert_int_equal(type_of_lists(3000, 200), QT_NESTED);
    assert_int_equal(type_of_lists(3000, 2999), QT_NESTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_root_with_everything),
        cmocka_unit_test(the_first_name_tells_the_kind),
        cmocka_unit_test(values_stand_for_days),
        cmocka_unit_test(one_splayed_table),
        cmocka_unit_test(segments_in_any_placement),
        cmocka_unit_test(an_untyped_column_is_looked_for_in_older_partitions),
        cmocka_unit_test(items_of_several_types_make_a_mixed_column),
        cmocka_unit_test(rules_are_named),
        cmocka_unit_test(what_cannot_be_listed_is_named),
    };
    return cmocka_run_group_tests_name("plain", tests, NULL, NULL);
}
