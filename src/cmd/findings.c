/*
 * findings: text: `FILE: RULE: TEXT`, warnings with `warning: ` before the rule; JSON:
 * {"file":..,"rule":..,"text":..,"warning":false}.
 */
#include "cmd/findings.h"

#include "q/json.h"

void findings_fail(NoteList *n, const char *file, const char *rule, Err err)
{
    const char *text = fail_text();
    u64 size = strlen(file);
    if (strncmp(text, file, size) == 0 && text[size] == ':') text += size + 1;
    while (*text == ' ')
        text++;
    if (err == E_UNSUPPORTED)
        note_warn(n, file, rule, "%s", text);
    else
        note_bad(n, file, rule, "%s", text);
}

static Err write_json(const Note *one, Buf *out)
{
    Err err = E_OK;
    TRY(buf_text(out, "{\"file\":"));
    TRY(json_quote(out, str_of(one->path)));
    TRY(buf_text(out, ",\"rule\":"));
    TRY(json_quote(out, str_of(one->rule)));
    TRY(buf_text(out, ",\"text\":"));
    TRY(json_quote(out, str_of(one->text)));
    TRY(buf_format(out, ",\"warning\":%s}\n", one->warning ? "true" : "false"));
done:
    return err;
}

Err findings_write(const NoteList *n, bool json, Buf *out)
{
    for (u32 i = 0; i < n->count; i++) {
        const Note *one = &n->list[i];
        Err err = json ? write_json(one, out)
                       : buf_format(out, "%s: %s%s: %s\n", one->path,
                                    one->warning ? "warning: " : "", one->rule, one->text);
        if (err != E_OK) return err;
    }
    u64 more = n->errors + n->warnings - n->count;
    if (more == 0 || json) return E_OK;
    return buf_format(out, "%llu more\n", (unsigned long long)more);
}
