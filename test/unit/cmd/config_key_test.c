/*
 * config_key: the table is consistent with itself.
 */
#include "cmd/config_key.h"
#include "cmd/config_value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void defaults_and_bounds_are_values_of_their_keys(void **state)
{
    u32 count;
    const ConfigKey *keys = config_key_all(&count);
    (void)state;
    for (u32 i = 0; i < count; i++) {
        ConfigValue v, low, high;
        const ConfigKey *k = &keys[i];
        if (k->preset && !config_value_parse(k, k->preset, &v))
            fail_msg("%s: default %s", k->name, k->preset);
        assert_int_equal(!k->low, !k->high);
        if (!k->low) continue;
        if (!config_value_parse(k, k->low, &low)) fail_msg("%s: bound %s", k->name, k->low);
        if (!config_value_parse(k, k->high, &high)) fail_msg("%s: bound %s", k->name, k->high);
    }
}

static void every_key_is_found_once_and_has_help(void **state)
{
    u32 count;
    const ConfigKey *keys = config_key_all(&count);
    (void)state;
    for (u32 i = 0; i < count; i++) {
        assert_ptr_equal(config_key_find(keys[i].section, keys[i].name), &keys[i]);
        assert_non_null(keys[i].help);
        assert_int_equal(keys[i].help[strlen(keys[i].help) - 1], '.');
        assert_true(keys[i].section < CONFIG_KEY_SECTIONS);
        bool choice = keys[i].type == CONFIG_KEY_CHOICE || keys[i].type == CONFIG_KEY_WORD;
        assert_true(!choice || keys[i].choices);
        assert_false(keys[i].use == CONFIG_KEY_REQUIRED && keys[i].preset);
        assert_false(keys[i].preset && keys[i].otherwise);
    }
    assert_null(config_key_find(CONFIG_KEY_SM, "Port"));
    assert_null(config_key_find(CONFIG_KEY_TABLE, "port"));
}

static void every_section_has_keys_a_title_and_a_place(void **state)
{
    u32 count;
    const ConfigKey *keys = config_key_all(&count);
    (void)state;
    for (u32 s = 0; s < CONFIG_KEY_SECTIONS; s++) {
        u32 found = 0;
        for (u32 i = 0; i < count; i++)
            found += (u32)keys[i].section == s;
        assert_true(found > 0);
        assert_non_null(config_key_title((ConfigKeySection)s));
        assert_non_null(config_key_place((ConfigKeySection)s));
    }
    assert_true(config_key_tolerant(CONFIG_KEY_ASSEMBLY));
    assert_false(config_key_tolerant(CONFIG_KEY_TIER));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_and_bounds_are_values_of_their_keys),
        cmocka_unit_test(every_key_is_found_once_and_has_help),
        cmocka_unit_test(every_section_has_keys_a_title_and_a_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
