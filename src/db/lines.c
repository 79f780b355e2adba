/*
 * lines: the form that all small text files of a database share: lines of a key and fields with one
 * blank between them, a first line of kind and version, a last line `end` with the CRC-32C of all
 * bytes before it.
 *
 * The reader holds on to the text and copies nothing but texts; each field is looked at when it is
 * asked for, and every failure says the line. Nothing is taken for granted (R13, R21).
 */
#include "db/lines.h"

#include "base/bounds.h"
#include "base/crc.h"

#include <inttypes.h>
#include <stdio.h>

#define LINES_END_SIZE 13 /* "end 01234567\n" */

Err lines_bad(const Lines *l, const char *why)
{
    return fail(E_CORRUPT, "line %" PRIu64 ": %s", l->line, why);
}

Err lines_open(Lines *l, Str text, u32 *crc)
{
    char end[LINES_END_SIZE + 1];
    *l = (Lines){0};
    if (text.size == 0) return fail(E_CORRUPT, "the file is empty");
    if (text.size > BOUND_MANIFEST_MAX)
        return fail(E_LIMIT, "a manifest of %" PRIu64 " bytes", text.size);
    if (text.size < LINES_END_SIZE) return fail(E_CORRUPT, "the file is cut: no `end` line");
    l->rest = (Str){text.data, text.size - LINES_END_SIZE};
    *crc = crc_32c(0, l->rest.data, l->rest.size);
    snprintf(end, sizeof end, "end %08" PRIx32 "\n", *crc);
    if (memcmp(text.data + l->rest.size, end, LINES_END_SIZE) != 0) {
        return fail(E_CORRUPT,
                    "the file is cut or altered: its `end` line does not match its %" PRIu64
                    " bytes",
                    text.size);
    }
    if (l->rest.size == 0 || l->rest.data[l->rest.size - 1] != '\n')
        return fail(E_CORRUPT, "no line before `end`");
    return E_OK;
}

bool lines_at(const Lines *l, const char *key)
{
    u64 size = strlen(key);
    return l->rest.size > size && memcmp(l->rest.data, key, size) == 0 && l->rest.data[size] == ' ';
}

Err lines_next(Lines *l, const char *key, u32 count)
{
    Str line, key_found;
    i64 end = str_find(l->rest, '\n');

    l->line++;
    ASSERT(count <= LINES_FIELDS_MAX);
    if (end < 0)
        return fail(E_CORRUPT, "line %" PRIu64 ": wanted `%s`, found the end", l->line, key);
    line = (Str){l->rest.data, (u64)end};
    l->rest = (Str){l->rest.data + end + 1, l->rest.size - (u64)end - 1};
    if (!str_split(&line, ' ', &key_found) || !str_is(key_found, key)) {
        return fail(E_CORRUPT, "line %" PRIu64 ": wanted `%s`", l->line, key);
    }
    for (u32 i = 0; i < count; i++) {
        if (!str_split(&line, ' ', &l->field[i])) return lines_bad(l, "too few fields");
    }
    return line.data == NULL ? E_OK : lines_bad(l, "too many fields");
}

u64 lines_count(const Lines *l, const char *key, const char *stop)
{
    u64 count = 0;
    Lines look = *l;
    while (look.rest.size > 0 && (stop == NULL || !lines_at(&look, stop))) {
        i64 end = str_find(look.rest, '\n');
        if (end < 0) break;
        count += lines_at(&look, key);
        look.rest = (Str){look.rest.data + end + 1, look.rest.size - (u64)end - 1};
    }
    return count;
}

Err lines_u64(const Lines *l, u32 i, u64 *out)
{
    Str s = l->field[i];
    u64 n = 0;
    if (s.size == 0) return lines_bad(l, "a number is missing");
    for (u64 k = 0; k < s.size; k++) {
        u64 digit = (u64)(u8)s.data[k] - '0';
        if (digit > 9 || n > (UINT64_MAX - digit) / 10)
            return lines_bad(l, "not a number of 64 bits");
        n = n * 10 + digit;
    }
    *out = n;
    return E_OK;
}

Err lines_i64(const Lines *l, u32 i, i64 *out)
{
    return str_i64(l->field[i], out) ? E_OK : lines_bad(l, "not a signed number of 64 bits");
}

Err lines_i32(const Lines *l, u32 i, i32 *out)
{
    i64 n = 0;
    if (!str_i64(l->field[i], &n) || n < INT32_MIN || n > INT32_MAX)
        return lines_bad(l, "not a number of 32 bits");
    *out = (i32)n;
    return E_OK;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

Err lines_hex(const Lines *l, u32 i, u64 digits, u64 *out)
{
    Str s = l->field[i];
    u64 n = 0;
    if (s.size != digits) return lines_bad(l, "a hex number of another length");
    for (u64 k = 0; k < s.size; k++) {
        int digit = hex_digit(s.data[k]);
        if (digit < 0) return lines_bad(l, "not a hex number");
        n = n << 4 | (u64)digit;
    }
    *out = n;
    return E_OK;
}

Err lines_text(const Lines *l, u32 i, Arena *a, char **out)
{
    Str s = l->field[i];
    u64 size = 0;
    char *text = arena_alloc(a, s.size + 1);

    if (s.size == 0) return lines_bad(l, "a text is missing");
    if (str_is(s, "%-")) s.size = 0;
    for (u64 k = 0; k < s.size; k++) {
        if (s.data[k] != '%') {
            text[size++] = s.data[k];
            continue;
        }
        int high = k + 2 < s.size ? hex_digit(s.data[k + 1]) : -1;
        int low = k + 2 < s.size ? hex_digit(s.data[k + 2]) : -1;
        if (high < 0 || low < 0 || (high == 0 && low == 0)) return lines_bad(l, "a broken escape");
        text[size++] = (char)(high << 4 | low);
        k += 2;
    }
    text[size] = 0;
    *out = text;
    return E_OK;
}

Err lines_version(Lines *l, const char *what, u32 newest, u32 *version)
{
    Err err = lines_next(l, what, 1);
    if (err != E_OK) return err;
    for (*version = 1; *version <= newest; ++*version) {
        char text[12];
        snprintf(text, sizeof text, "%" PRIu32, *version);
        if (str_is(l->field[0], text)) return E_OK;
    }
    return fail(E_UNSUPPORTED, "%s version %.*s; this program knows versions up to %" PRIu32, what,
                STR_FMT(l->field[0]), newest);
}

Err lines_put_text(Buf *b, const char *text)
{
    if (text[0] == 0) return buf_text(b, "%-");
    for (const char *p = text; *p != 0; p++) {
        u8 byte = (u8)*p;
        bool plain = byte > ' ' && byte != '%' && byte != 0x7f;
        Err err = plain ? buf_byte(b, byte) : buf_format(b, "%%%02X", byte);
        if (err != E_OK) return err;
    }
    return E_OK;
}

Err lines_put_end(Buf *b, u64 from, u32 *crc)
{
    *crc = crc_32c(0, b->data + from, b->size - from);
    return buf_format(b, "end %08" PRIx32 "\n", *crc);
}

Err lines_array(Arena *a, u64 count, u64 width, u64 max, const char *what, void **out)
{
    if (count > max) return fail(E_LIMIT, "%" PRIu64 " %s; at most %" PRIu64, count, what, max);
    Err err = arena_try(a, count, width, out);
    if (err == E_OK) ASSERT(*out != NULL);
    return err;
}
