/*
 * names: a copy of the domain that stays as it is while the domain grows.
 */
#include "kit.h"
#include "query/names.h"

static i32 add(Kit *k, const char *name)
{
    i32 id;
    KIT_OK(symbol_intern(str_of(name), &id));
    KIT_OK(domain_add(&k->domain, &id, 1));
    return id;
}

static void a_copy_stays_while_the_domain_grows(void **state)
{
    (void)state;
    Kit k;
    Names *held = NULL, *first, *same, *second;
    kit_make(&k, 1, 1);
    i32 b = add(&k, "bb"), a = add(&k, "aa");
    KIT_OK(names_take(&held, &k.domain, &first));
    KIT_OK(names_take(&held, &k.domain, &same));
    assert_ptr_equal(first, same);
    i32 c = add(&k, "cc");
    KIT_OK(names_take(&held, &k.domain, &second));
    assert_ptr_not_equal(first, second);
    assert_true(first->count == 2 && second->count == 3);
    assert_true(names_id(first, 0) == b && names_id(first, 1) == a && names_id(first, 2) == -1);
    assert_true(names_id(second, 2) == c);
    assert_true(names_id(first, INT64_MIN) == 0 && names_id(first, -1) == -1);
    assert_true(first->clean && second->clean);
    names_drop(first);
    names_drop(same);
    names_drop(held);
    names_drop(second);
    names_drop(NULL);
    kit_end(&k);
}

static void ranks_follow_the_bytes_of_names_and_the_empty_one_is_first(void **state)
{
    (void)state;
    Kit k;
    Names *held = NULL, *names;
    const u32 *rank, *again;
    i32 outside;
    kit_make(&k, 1, 1);
    i32 b = add(&k, "rank b"), a = add(&k, "rank a"), ab = add(&k, "rank ab");
    KIT_OK(symbol_intern(STR("not in the domain"), &outside));
    KIT_OK(names_take(&held, &k.domain, &names));
    KIT_OK(names_rank(names, &rank));
    assert_true(rank[0] < rank[a] && rank[a] < rank[ab] && rank[ab] < rank[b]);
    assert_true(rank[outside] == NAMES_UNRANKED);
    KIT_OK(names_rank(names, &again));
    assert_ptr_equal(rank, again);
    names_drop(names);
    names_drop(held);
    kit_end(&k);
}

/* kdb+ never writes such a file, but a stranger may. */
static void a_name_that_stands_twice_makes_a_domain_unclean(void **state)
{
    (void)state;
    Kit k;
    Names *held = NULL, *names;
    kit_make(&k, 1, 1);
    static const u8 file[] = "\xff\x01\x0b\x00\x03\x00\x00\x00"
                             "x\0y\0x";
    File f = FILE_NONE;
    KIT_OK(file_open(&f, k.domain.path, FILE_ALWAYS));
    KIT_OK(file_write(&f, file, sizeof file, 0));
    KIT_OK(file_close(&f));
    KIT_OK(domain_load(&k.domain, UINT64_MAX));
    KIT_OK(names_take(&held, &k.domain, &names));
    assert_int_equal(names->count, 3);
    assert_false(names->clean);
    assert_int_equal(names_id(names, 0), names_id(names, 2));
    names_drop(names);
    names_drop(held);
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_stays_while_the_domain_grows),
        cmocka_unit_test(ranks_follow_the_bytes_of_names_and_the_empty_one_is_first),
        cmocka_unit_test(a_name_that_stands_twice_makes_a_domain_unclean),
    };
    return cmocka_run_group_tests_name("query/names", tests, NULL, NULL);
}
