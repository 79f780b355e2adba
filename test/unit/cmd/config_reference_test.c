/*
 * config_reference: the man page holds what the table of keys says, word for word.
 */
#include "cmd/config.h"
#include "cmd/config_key.h"
#include "os/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static void the_man_page_is_up_to_date(void **state)
{
    Arena a = {0};
    Buf b = {0};
    u8 *page;
    u64 size;
    (void)state;
    assert_int_equal(config_reference(&b), E_OK);
    assert_int_equal(file_read_all("doc/man/siltstone.yaml.5.scd", 1 << 20, &a, &page, &size),
                     E_OK);
    assert_non_null(strstr((const char *)page, buf_str(&b)));
    buf_free(&b);
    arena_free(&a);
}

static void every_key_is_in_it(void **state)
{
    Buf b = {0};
    u32 count;
    const ConfigKey *keys = config_key_all(&count);
    (void)state;
    assert_int_equal(config_reference(&b), E_OK);
    for (u32 i = 0; i < count; i++) {
        char name[80];
        snprintf(name, sizeof name, "*%s*", keys[i].name);
        if (keys[i].use != CONFIG_KEY_GONE && !strstr(buf_str(&b), name))
            fail_msg("%s is not in it", name);
    }
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_man_page_is_up_to_date),
        cmocka_unit_test(every_key_is_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
