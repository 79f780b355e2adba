/*
 * check_sums: the rule `checksum`: the files of each part are those that were written.
 *
 * Parts one after another, each with all cores. The domain's checksum is compared by check_view,
 * which reads it as a whole anyway.
 */
#include "cmd/check_sums.h"

#include "db/sidecar.h"

/* The sentence without the path that a finding begins with. */
static const char *sentence(const SidecarDamage *d)
{
    u64 size = strlen(d->path);
    bool begins = strncmp(d->text, d->path, size) == 0 && strncmp(d->text + size, ": ", 2) == 0;
    return begins ? d->text + size + 2 : d->text;
}

static Err check_part(CheckView *db, const Part *p, bool deep)
{
    Arena scratch = {0};
    SidecarDamage *d = NULL;
    u32 count = 0;
    Err err = sidecar_scan(p, deep, 0, &scratch, &d, &count);
    for (u32 i = 0; i < count; i++)
        note_bad(&db->findings, d[i].path, "checksum", "%s", sentence(&d[i]));
    arena_free(&scratch);
    return err;
}

Err check_sums(CheckView *db, bool deep)
{
    Err err = E_OK;
    Progress progress;
    u64 bare = 0, done = 0, all;
    if (db->view == NULL) return E_OK;
    all = view_part_count(db->view, PART_DATE) + view_part_count(db->view, PART_INTERVAL);
    progress_begin(&progress, "parts");
    for (int kind = PART_INTERVAL; kind <= PART_DATE; kind++) {
        u64 at = 0;
        for (const Part *p; (p = view_next(db->view, (PartKind)kind, &at)) != NULL;) {
            bare += !p->summed;
            TRY(check_part(db, p, deep));
            progress_show(&progress, ++done, all);
        }
    }
    if (deep && bare > 0)
        note_warn(&db->findings, db->root.idb, "checksum",
                  "%llu parts have no checksums: what stands in their files cannot be verified",
                  (unsigned long long)bare);
done:
    progress_end(&progress);
    return err;
}
