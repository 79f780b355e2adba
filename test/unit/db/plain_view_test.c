/*
 * plain_view, plain_object: schemas, domains and parts of databases made by hand; tables in single
 * files.
 */
#include "db/plain_object.h"
#include "db/plain_view.h"
#include "unit/db/plain_kit.h"

#include "column/object.h"
#include "q/symbol.h"

static Part *part_at(const PlainView *v, u64 at)
{
    u64 step = 0;
    const Part *p = view_next(v->view, PART_DATE, &step);
    for (; at > 0 && p != NULL; at--)
        p = view_next(v->view, PART_DATE, &step);
    assert_non_null(p);
    return (Part *)(uintptr_t)p;
}

static void partitioned_tables_have_the_virtual_column_first(void **state)
{
    (void)state;
    PlainView *v = NULL;
    begin();
    symbols("zz", "x,");
    symbols("sym", "a,b,");
    table("2024.01.02/trade", 2);
    table("2024.01.03/trade", 3);
    table("ref", 4);
    table("trade", 9); /* hidden by the partitioned one */
    OK(plain_view_open(&v, root));
    assert_int_equal(v->tables.count, 2);
    const Schema *s = v->tables.tables[1];
    assert_string_equal(s->name, "trade");
    assert_true(s->has_virtual);
    assert_int_equal(s->column_count, 3);
    assert_string_equal(s->columns[0].name, "date");
    assert_int_equal(s->columns[0].type, QT_DATE);
    assert_int_equal(s->prtn, 1);
    assert_int_equal(s->of_day, 0);
    assert_false(v->tables.tables[0]->has_virtual);
    assert_int_equal(v->domain_count, 2);
    assert_string_equal(v->domain_names[0], "sym");
    assert_int_equal(v->domains[0].count, 2);
    DomainSet domains = plain_view_domains(v);
    assert_ptr_equal(domains.find(domains.arg, "zz"), &v->domains[1]);
    assert_null(domains.find(domains.arg, "none"));
    assert_true(v->view->plain);
    assert_int_equal(view_part_count(v->view, PART_DATE), 3);
    const Part *first = part_at(v, 0);
    assert_true(first->plain);
    assert_int_equal(first->value, 8767);
    assert_true(first->span_from == 8767 * 86400000000000ll);
    assert_true(first->span_to == 8768 * 86400000000000ll);
    assert_true(first->tables[0].rows == PART_UNCOUNTED);
    const Part *last = part_at(v, 2);
    assert_true(last->span_from == INT64_MIN && last->span_to == INT64_MAX);
    assert_int_equal(last->table_count, 1);
    assert_string_equal(last->tables[0].name, "ref");
    plain_view_close(v);
    plain_view_close(NULL);
    end();
}

static void without_a_timestamp_a_time_of_the_day_stands_in(void **state)
{
    (void)state;
    PlainView *v = NULL;
    begin();
    symbols("2024.01.02/t/.d", "price,time,");
    column("2024.01.02/t/price", QT_FLOAT, 1);
    column("2024.01.02/t/time", QT_TIMESPAN, 1);
    OK(plain_view_open(&v, root));
    assert_int_equal(v->tables.tables[0]->prtn, -1);
    assert_int_equal(v->tables.tables[0]->of_day, 2);
    plain_view_close(v);
    end();
}

static void a_single_table_finds_its_domain_above(void **state)
{
    (void)state;
    PlainView *v = NULL;
    begin();
    symbols("db/sym", "a,");
    symbols("db/2024.01.02/t/.d", "s,");
    u8 bytes[32] = {0xfe, 's', 'y', 'm'};
    bytes[16] = 1;
    put("db/2024.01.02/t/s", bytes, 28);
    OK(plain_view_open(&v, at("db/2024.01.02/t")));
    assert_int_equal(v->domain_count, 1);
    assert_int_equal(v->tables.count, 1);
    assert_string_equal(v->tables.tables[0]->name, "t");
    assert_int_equal(v->tables.tables[0]->columns[0].type, QT_SYMBOL);
    assert_string_equal(part_at(v, 0)->path, at("db/2024.01.02"));
    plain_view_close(v);
    end();
}

static void what_must_be_refused_is(void **state)
{
    (void)state;
    PlainView *v = NULL;
    begin();
    table("2024.01.02/t", 1);
    table("2024.13.02/t", 1);
    assert_int_equal(plain_view_open(&v, root), E_CORRUPT);
    assert_null(v);
    assert_non_null(strstr(fail_text(), "P-02"));
    assert_int_equal(plain_view_open(&v, at("none")), E_NOT_FOUND);
    OK(dir_remove_all(at("2024.13.02")));
    put("sym", "\xff\x01\x0b\0\1\0\0\0A", 9);
    assert_int_equal(plain_view_open(&v, root), E_CORRUPT);
    assert_non_null(strstr(fail_text(), "sym"));
    end();
}

/* ---- tables in single files */

static void save(const char *path, const Value *v)
{
    Buf b = {0};
    OK(object_encode(&b, v));
    put(path, b.data, b.size);
    buf_free(&b);
}

/* name, count, notes (strings), tags (symbol lists), odd (mixed). */
static Value make_table(Arena *a)
{
    static Str names[2];
    static i64 counts[] = {7, Q_NULL_LONG};
    names[0] = STR("one");
    names[1] = STR("");
    Value t = value_table(a, 5), notes = value_list(a, 2), tags = value_list(a, 2),
          odd = value_list(a, 2);
    vec_value(&notes.as.vec)[0] = value_string(STR("text"));
    vec_value(&notes.as.vec)[1] = value_atom(QT_CHAR, 'x');
    vec_value(&tags.as.vec)[0] = value_vec(vec_of(QT_SYMBOL, names, 2));
    vec_value(&tags.as.vec)[1] = value_vec(vec_of(QT_SYMBOL, names, 0));
    vec_value(&odd.as.vec)[0] = value_long(1);
    vec_value(&odd.as.vec)[1] = value_string(STR("two"));
    static const char *const heads[] = {"name", "count", "notes", "tags", "odd"};
    for (u32 i = 0; i < 5; i++)
        t.as.table.names[i] = str_of(heads[i]);
    t.as.table.cols[0] = value_vec(vec_of(QT_SYMBOL, names, 2));
    t.as.table.cols[1] = value_vec(vec_of(QT_LONG, counts, 2));
    t.as.table.cols[2] = notes;
    t.as.table.cols[3] = tags;
    t.as.table.cols[4] = odd;
    return t;
}

static void a_table_in_a_file_is_read_into_columns(void **state)
{
    (void)state;
    PlainView *v = NULL;
    begin();
    Value t = make_table(&memory), one = value_long(1), d = value_dict(&memory, 1);
    save("flat", &t);
    save("atom", &one);
    value_put(&d, "a", one);
    save("dict", &d);
    OK(plain_view_open(&v, root));
    assert_int_equal(v->tables.count, 1);
    const Schema *s = v->tables.tables[0];
    assert_string_equal(s->name, "flat");
    static const int types[] = {QT_SYMBOL, QT_LONG, QT_STRING, QT_NESTED + QT_SYMBOL, QT_LIST};
    for (u32 i = 0; i < 5; i++)
        assert_int_equal(s->columns[i].type, types[i]);
    const Part *p = part_at(v, 0);
    assert_non_null(p->held);
    assert_int_equal(p->tables[0].rows, 2);
    assert_true(str_is(symbol_text(vec_i32(&p->held->cols[0])[0]), "one"));
    assert_int_equal(vec_i32(&p->held->cols[0])[1], 0);
    assert_int_equal(vec_i64(&p->held->cols[1])[0], 7);
    assert_int_equal(p->held->cols[2].offs[2], 5);
    assert_memory_equal(p->held->cols[2].data, "textx", 5);
    assert_int_equal(p->held->cols[3].offs[1], 2);
    plain_view_close(v);
    end();
}

static void keyed_tables_lose_their_key(void **state)
{
    (void)state;
    PlainObject o = {.name = "k", .form = PLAIN_DICT};
    Schema *s = NULL;
    Batch *b = NULL;
    begin();
    static Str names[] = {{"a", 1}};
    static i64 longs[] = {5};
    Value keys = value_table(&memory, 1), values = value_table(&memory, 1), d = {.type = QT_DICT};
    keys.as.table.names[0] = STR("s");
    keys.as.table.cols[0] = value_vec(vec_of(QT_SYMBOL, names, 1));
    values.as.table.names[0] = STR("j");
    values.as.table.cols[0] = value_vec(vec_of(QT_LONG, longs, 1));
    d.as.dict.keys = &keys;
    d.as.dict.values = &values;
    save("k", &d);
    o.path = at("k");
    OK(plain_object_read(&o, NULL, &memory, &s, &b));
    assert_int_equal(s->column_count, 2);
    assert_string_equal(s->columns[0].name, "s");
    assert_string_equal(s->columns[1].name, "j");
    assert_int_equal(b->rows, 1);
    plain_object_free(b);
    plain_object_free(b);
    plain_object_free(NULL);
    put("k", "\xff\x01\x62\x00\x63\x0b\0\xff\xff\xff\x7f", 11);
    assert_int_equal(plain_object_read(&o, NULL, &memory, &s, &b), E_CORRUPT);
    assert_null(b);
    assert_non_null(strstr(fail_text(), o.path));
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partitioned_tables_have_the_virtual_column_first),
        cmocka_unit_test(without_a_timestamp_a_time_of_the_day_stands_in),
        cmocka_unit_test(a_single_table_finds_its_domain_above),
        cmocka_unit_test(what_must_be_refused_is),
        cmocka_unit_test(a_table_in_a_file_is_read_into_columns),
        cmocka_unit_test(keyed_tables_lose_their_key),
    };
    return cmocka_run_group_tests_name("plain_view", tests, NULL, NULL);
}
