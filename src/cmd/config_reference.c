/*
 * config_reference: the table of keys as scdoc text, section by section, for siltstone.yaml(5).
 *
 * Characters that scdoc would take for markup are escaped.
 */
#include "cmd/config.h"
#include "cmd/config_key.h"
#include "cmd/config_value.h"

static Err put_escaped(Buf *out, const char *text)
{
    Err err = E_OK;
    for (const char *p = text; !err && *p; p++) {
        if (strchr("_*\\#<>`~[]", *p)) err = buf_byte(out, '\\');
        if (!err) err = buf_byte(out, (u8)*p);
    }
    return err;
}

/* "required", "default X", or nothing. */
static Err put_default(Buf *out, const ConfigKey *k)
{
    Err err = E_OK;
    if (k->use == CONFIG_KEY_REQUIRED) return buf_text(out, "; required");
    if (!k->preset && !k->otherwise) return E_OK;
    TRY(buf_text(out, k->preset ? "; default " : "; "));
    if (!k->preset && strncmp(k->otherwise, "required", 8) != 0 &&
        strncmp(k->otherwise, "one of", 6) != 0)
        TRY(buf_text(out, "default "));
    TRY(put_escaped(out, k->preset ? k->preset : k->otherwise));
done:
    return err;
}

static Err put_key(Buf *out, Arena *a, const ConfigKey *k)
{
    Err err = E_OK;
    TRY(buf_text(out, "*"));
    TRY(put_escaped(out, k->name));
    TRY(buf_text(out, "* ("));
    TRY(put_escaped(out, config_value_words(a, k)));
    TRY(put_default(out, k));
    if (k->rule) TRY(buf_format(out, "; %s", k->rule));
    TRY(buf_text(out, ")\n\t"));
    TRY(put_escaped(out, k->help));
    TRY(buf_text(out, "\n\n"));
done:
    return err;
}

/* The keys of a section that have no effect, in one paragraph. */
static Err put_ignored(Buf *out, ConfigKeySection section)
{
    Err err = E_OK;
    u32 count, found = 0;
    const ConfigKey *keys = config_key_all(&count);
    for (u32 i = 0; i < count; i++) {
        if (keys[i].section != section || keys[i].use != CONFIG_KEY_IGNORED) continue;
        TRY(buf_text(out, found++ ? ", *" : "Read and ignored: *"));
        TRY(put_escaped(out, keys[i].name));
        TRY(buf_byte(out, '*'));
    }
    if (found) TRY(buf_text(out, ".\n\n"));
done:
    return err;
}

static Err put_section(Buf *out, Arena *a, ConfigKeySection section)
{
    Err err = E_OK;
    u32 count;
    const ConfigKey *keys = config_key_all(&count);
    TRY(buf_format(out, "## %s: ", config_key_title(section)));
    TRY(put_escaped(out, config_key_place(section)));
    TRY(buf_text(out, "\n\n"));
    for (u32 i = 0; i < count; i++)
        if (keys[i].section == section && keys[i].use != CONFIG_KEY_IGNORED &&
            keys[i].use != CONFIG_KEY_GONE)
            TRY(put_key(out, a, &keys[i]));
    TRY(put_ignored(out, section));
done:
    return err;
}

Err config_reference(Buf *out)
{
    Arena a = {0};
    Err err = E_OK;
    for (u32 s = 0; s < CONFIG_KEY_SECTIONS && !err; s++)
        err = put_section(out, &a, (ConfigKeySection)s);
    arena_free(&a);
    return err;
}
