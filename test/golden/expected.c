/*
 * expected: reading the descriptions, SHA-256 (FIPS 180-4), and comparing values with texts as the
 * independent decoder writes them.
 */
#include "golden/expected.h"

#include "base/fail.h"
#include "q/symbol.h"
#include "q/temporal.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const folders[] = {"torq-finance-starter-pack",
                                      "torq-air",
                                      "torq-air-g",
                                      "torq",
                                      "torq-crypto",
                                      "torq-crypto-zip",
                                      "advancedkdb",
                                      "memories",
                                      "dremio-kdb",
                                      "btick2",
                                      "kx-ml",
                                      "enterprise-components"};

bool expected_each(void (*check)(const json_t *entry, const char *path))
{
    char root[512], path[1200];
    const char *shared = getenv("SILT_SHARED");
    snprintf(root, sizeof root, "%s/data/kdb", shared != NULL ? shared : "../shared");
    if (access(root, R_OK) != 0) {
        print_message("SKIPPED: no %s; set SILT_SHARED to the folder that holds data/kdb\n", root);
        return false;
    }
    for (u32 i = 0; i < COUNT_OF(folders); i++) {
        json_error_t error;
        snprintf(path, sizeof path, "%s/%s/expected.json", root, folders[i]);
        json_t *list = json_load_file(path, 0, &error);
        if (list == NULL) fail_msg("%s: %s", path, error.text);
        assert_true(json_array_size(list) > 0);
        for (u64 k = 0; k < json_array_size(list); k++) {
            const json_t *entry = json_array_get(list, k);
            snprintf(path, sizeof path, "%s/%s/%s", root, folders[i], expected_text(entry, "path"));
            check(entry, path);
        }
        json_decref(list);
    }
    return true;
}

const char *expected_text(const json_t *entry, const char *key)
{
    const char *text = json_string_value(json_object_get(entry, key));
    return text != NULL ? text : "";
}

u64 expected_number(const json_t *entry, const char *key)
{
    return (u64)json_integer_value(json_object_get(entry, key));
}

/* ---- SHA-256 */

static u32 turn(u32 x, u32 n) { return x >> n | x << (32 - n); }

/* The first 32 bits of the fractional parts of a root of the first 64 primes. */
static void constants(u32 k[64], u32 h[8])
{
    u32 n = 0;
    for (u32 p = 2; n < 64; p++) {
        bool prime = true;
        for (u32 d = 2; d * d <= p; d++)
            prime = prime && p % d != 0;
        if (!prime) continue;
        long double cube = cbrtl(p), square = sqrtl(p);
        if (n < 8) h[n] = (u32)((square - floorl(square)) * 0x1p32L);
        k[n++] = (u32)((cube - floorl(cube)) * 0x1p32L);
    }
}

static void block(u32 h[8], const u32 k[64], const u8 *p)
{
    u32 w[64], s[8];
    for (u32 i = 0; i < 16; i++)
        w[i] = __builtin_bswap32(load_u32(p + 4 * i));
    for (u32 i = 16; i < 64; i++) {
        u32 a = turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ w[i - 15] >> 3;
        u32 b = turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + a + w[i - 7] + b;
    }
    memcpy(s, h, sizeof s);
    for (u32 i = 0; i < 64; i++) {
        u32 e = turn(s[4], 6) ^ turn(s[4], 11) ^ turn(s[4], 25);
        u32 a = turn(s[0], 2) ^ turn(s[0], 13) ^ turn(s[0], 22);
        u32 t1 = s[7] + e + ((s[4] & s[5]) ^ (~s[4] & s[6])) + k[i] + w[i];
        u32 t2 = a + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 7 * sizeof s[0]);
        s[4] += t1;
        s[0] = t1 + t2;
    }
    for (u32 i = 0; i < 8; i++)
        h[i] += s[i];
}

void expected_hash(const json_t *entry, const char *key, const void *data, u64 size)
{
    u32 k[64], h[8];
    u8 tail[128] = {0};
    char hex[65];
    u64 whole = size / 64, rest = size % 64, end = rest < 56 ? 64 : 128;
    constants(k, h);
    for (u64 i = 0; i < whole; i++)
        block(h, k, (const u8 *)data + 64 * i);
    if (rest > 0) memcpy(tail, (const u8 *)data + 64 * whole, rest);
    tail[rest] = 0x80;
    store_u64(tail + end - 8, __builtin_bswap64(size * 8));
    for (u64 i = 0; i < end; i += 64)
        block(h, k, tail + i);
    for (u32 i = 0; i < 8; i++)
        snprintf(hex + 8 * i, 9, "%08x", h[i]);
    assert_string_equal(hex, expected_text(entry, key));
}

/* ---- values */

static bool is_null(const Value *v)
{
    u8 element[16] = {0};
    f32 real = (f32)v->as.f;
    switch (-v->type) {
    case QT_REAL: memcpy(element, &real, sizeof real); break;
    case QT_FLOAT:
    case QT_DATETIME: memcpy(element, &v->as.f, sizeof v->as.f); break;
    default: store_u64(element, (u64)v->as.i); break;
    }
    return type_is_null(-v->type, element);
}

void expected_value(const Value *v, const char *text, const char *path)
{
    char ours[TEMPORAL_TEXT_MAX] = "";
    int type = -v->type;
    if (type == QT_SYMBOL || type == QT_ENUM) {
        Str name = type == QT_SYMBOL ? v->as.text : symbol_text((i32)v->as.i);
        if (!str_is(name, text)) fail_msg("%s: %.*s is not %s", path, STR_FMT(name), text);
        return;
    }
    if (type != QT_CHAR && is_null(v)) {
        snprintf(ours, sizeof ours, "null");
    } else if (type == QT_FLOAT || type == QT_REAL) {
        if (v->as.f != strtod(text, NULL)) fail_msg("%s: %.17g is not %s", path, v->as.f, text);
        return;
    } else if (type_is_temporal(type)) {
        i64 bits = v->as.i;
        if (type == QT_DATETIME) memcpy(&bits, &v->as.f, sizeof bits);
        ours[temporal_format(type, bits, ours)] = 0;
    } else if (type == QT_BOOLEAN && text[0] > '9') {
        snprintf(ours, sizeof ours, "%s", v->as.i ? "True" : "False");
    } else if (type == QT_CHAR) {
        snprintf(ours, sizeof ours, "'%c'", (char)v->as.i);
    } else {
        snprintf(ours, sizeof ours, "%lld", (long long)v->as.i);
    }
    if (strcmp(ours, text) != 0) fail_msg("%s: %s is not %s", path, ours, text);
}
