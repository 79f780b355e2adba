/*
 * config_value: the parsers of scalar values. They see raw text only: quoting and YAML's own types
 * play no part, so 12:30:00 is a time whether it is quoted or not.
 *
 * Sizes take B, K or Ki, M or Mi, G or Gi, T or Ti, each with or without a final B: without i a
 * power of 1000, with it of 1024. A lone m is not taken, since in Kubernetes it means a
 * thousandth. */
#include "cmd/config_value.h"
#include "base/bounds.h"
#include "base/str.h"
#include "q/temporal.h"

static bool parse_bool(Str text, i64 *out)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {{"true", true},   {"True", true},   {"TRUE", true}, {"yes", true},
                 {"Yes", true},    {"on", true},     {"On", true},   {"false", false},
                 {"False", false}, {"FALSE", false}, {"no", false},  {"No", false},
                 {"off", false},   {"Off", false}};

    for (u32 i = 0; i < COUNT_OF(words); i++)
        if (str_is(text, words[i].word)) {
            *out = words[i].value;
            return true;
        }
    return false;
}

/* The factor of a size's suffix, 0 when unknown. */
static f64 size_factor(Str suffix)
{
    static const char units[] = "KMGT";
    if (suffix.size && suffix.data[suffix.size - 1] == 'B') suffix.size--;
    if (!suffix.size) return 1;
    f64 base = 1000;
    if (suffix.size == 2 && suffix.data[1] == 'i') {
        base = 1024;
        suffix.size = 1;
    }
    char unit = suffix.data[0] == 'k' ? 'K' : suffix.data[0];
    const char *at = suffix.size == 1 ? strchr(units, unit) : NULL;
    if (!at || !unit) return 0;
    f64 factor = base;
    for (; at > units; at--)
        factor *= base;
    return factor;
}

static bool parse_size(Str text, i64 *out)
{
    u64 digits = 0;
    while (digits < text.size &&
           (text.data[digits] == '.' || (text.data[digits] >= '0' && text.data[digits] <= '9')))
        digits++;
    Str number = {text.data, digits};
    f64 count, factor = size_factor(str_trim((Str){text.data + digits, text.size - digits}));
    if (!digits || factor == 0 || !str_f64(number, &count)) return false;
    f64 bytes = count * factor;
    if (!(bytes >= 0 && bytes <= 0x1p60)) return false;
    *out = (i64)bytes;
    return true;
}

/* The place of a word among `choices`, or -1. */
static i64 choice_at(const char *choices, Str text)
{
    Str rest = str_of(choices), word;
    for (i64 i = 0; str_split(&rest, ' ', &word); i++)
        if (str_eq(word, text)) return i;
    return -1;
}

static bool name_ok(Str text)
{
    if (!text.size || text.size > BOUND_NAME_MAX) return false;
    for (u64 i = 0; i < text.size; i++) {
        char c = text.data[i];
        bool alnum =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        if (!alnum && (i == 0 || (c != '-' && c != '.'))) return false;
    }
    return true;
}

/* Texts must not break logs, JSON or par.txt. */
static bool text_ok(Str text)
{
    if (text.size > BOUND_PATH_MAX) return false;
    for (u64 i = 0; i < text.size; i++)
        if ((u8)text.data[i] < 0x20 && text.data[i] != '\n' && text.data[i] != '\t') return false;
    return true;
}

static bool parse(const ConfigKey *k, Str text, ConfigValue *v)
{
    switch (k->type) {
    case CONFIG_KEY_BOOL: return parse_bool(text, &v->whole);
    case CONFIG_KEY_INT: return str_i64(text, &v->whole);
    case CONFIG_KEY_REAL: return str_f64(text, &v->real) && v->real == v->real;
    case CONFIG_KEY_DURATION: return temporal_duration(text, &v->whole);
    case CONFIG_KEY_SIZE: return parse_size(text, &v->whole);
    case CONFIG_KEY_CHOICE:
    case CONFIG_KEY_WORD: v->whole = choice_at(k->choices, text); return v->whole >= 0;
    case CONFIG_KEY_NAME: return name_ok(text);
    case CONFIG_KEY_TEXTS: return !k->choices || choice_at(k->choices, text) >= 0;
    default: return text_ok(text);
    }
}

/* Compares two values of a key's type. */
static int compare(const ConfigKey *k, ConfigValue a, ConfigValue b)
{
    if (k->type == CONFIG_KEY_REAL) return (a.real > b.real) - (a.real < b.real);
    return (a.whole > b.whole) - (a.whole < b.whole);
}

bool config_value_parse(const ConfigKey *k, const char *text, ConfigValue *out)
{
    ConfigValue bound = {0};
    *out = (ConfigValue){0};
    if (!parse(k, str_of(text), out)) return false;
    if (k->low && (!parse(k, str_of(k->low), &bound) || compare(k, *out, bound) < 0)) return false;
    if (k->high && (!parse(k, str_of(k->high), &bound) || compare(k, *out, bound) > 0))
        return false;
    return true;
}

/* "a, b or c" of words separated by blanks. */
static const char *choice_words(Arena *a, const char *choices)
{
    Str rest = str_of(choices), word;
    const char *text = "";
    while (str_split(&rest, ' ', &word))
        text = arena_format(a, "%s%s%.*s", text,
                            !*text      ? ""
                            : rest.data ? ", "
                                        : " or ",
                            STR_FMT(word));
    return text;
}

const char *config_value_words(Arena *a, const ConfigKey *k)
{
    const char *what = "text";
    switch (k->type) {
    case CONFIG_KEY_BOOL: what = "true or false"; break;
    case CONFIG_KEY_INT: what = "a whole number"; break;
    case CONFIG_KEY_REAL: what = "a number"; break;
    case CONFIG_KEY_DURATION: what = "a duration"; break;
    case CONFIG_KEY_SIZE: what = "a size"; break;
    case CONFIG_KEY_NAME: what = "a name"; break;
    case CONFIG_KEY_TEXTS: what = "a list of texts or one text"; break;
    case CONFIG_KEY_PAIRS: what = "a map of texts"; break;
    case CONFIG_KEY_SECTION: what = "a map"; break;
    case CONFIG_KEY_MAP: what = "a map of names"; break;
    case CONFIG_KEY_LIST: what = "a list of maps"; break;
    case CONFIG_KEY_ANY: what = "anything"; break;
    default: break;
    }
    if (k->choices && k->type == CONFIG_KEY_TEXTS)
        return arena_format(a, "one or more of %s", choice_words(a, k->choices));
    if (k->choices) return choice_words(a, k->choices);
    if (k->low && k->high) return arena_format(a, "%s from %s to %s", what, k->low, k->high);
    return what;
}
