/*
 * dir: list, make, sync, remove folders; rename; symbolic links. Durable names are made here.
 *
 * Every failure names the path. Names listed exclude "." and "..", sorted bytewise.
 */
#ifndef OS_DIR_H
#define OS_DIR_H

#include "base/arena.h"
#include "base/fail.h"
#include "base/str.h"
#include "base/types.h"

typedef enum { DIR_ABSENT, DIR_FILE, DIR_FOLDER, DIR_LINK, DIR_OTHER } DirKind;

typedef struct {
    const char *name; /* in the arena */
    DirKind kind;     /* of the entry itself: links are not followed */
} DirEntry;

/* Lists a folder; E_LIMIT above `count_max` entries. */
MUST_USE Err dir_list(const char *path, u64 count_max, Arena *a, DirEntry **entries, u64 *count);

/* Whether this user may write to what stands at a path, links looked through: for a folder, whether
 * names in it may be made and removed. False when there is nothing. */
MUST_USE Err dir_may_write(const char *path, bool *may);

/* What stands at a path; `follow` looks through a link. E_OK with DIR_ABSENT when there is
 * nothing. */
MUST_USE Err dir_kind(const char *path, bool follow, DirKind *kind);

/* Makes one folder (mode 0750); E_EXISTS when something is there. Not durable before dir_sync of
 * its parent. */
MUST_USE Err dir_make(const char *path);

/* Makes a folder and its missing parents; an existing folder is fine. Syncs each parent it
 * changed. */
MUST_USE Err dir_make_all(const char *path);

/* Makes the names in a folder durable (fsync of the folder). */
MUST_USE Err dir_sync(const char *path);

/* Renames within one file system; replaces a file or link. */
MUST_USE Err dir_rename(const char *from, const char *to);

/* Makes a symbolic link; E_EXISTS when the name is taken. */
MUST_USE Err dir_link(const char *target, const char *path);

/* Points the link `path` to `target` in one step: makes `path`.new, renames it over `path`, syncs
 * the folder. This is the commit; readers see the old or the new target, never nothing. */
MUST_USE Err dir_swing(const char *target, const char *path);

/* The text of a symbolic link; E_NOT_FOUND when there is none, E_CORRUPT when it is no link. */
MUST_USE Err dir_read_link(const char *path, Arena *a, char **target);

/* Removes one file or link; E_NOT_FOUND when absent. */
MUST_USE Err dir_unlink(const char *path);

/* Removes an empty folder. */
MUST_USE Err dir_remove(const char *path);

/* Removes a folder and all below it without following links; an absent one is fine. */
MUST_USE Err dir_remove_all(const char *path);

/* Makes a hard link. */
MUST_USE Err dir_hard_link(const char *from, const char *to);

/* Makes a new file with the bytes and the mode of the one that `from` leads to, and syncs it. Not
 * durable before dir_sync of the folder. E_EXISTS when `to` is there; a copy that failed is
 * removed. */
MUST_USE Err dir_copy(const char *from, const char *to);

/* Makes `to`, which must not exist, a second name of the file that `from` leads to (links are
 * followed). Where the file system takes none (another device, too many names, not our file) a copy
 * is made instead, as dir_copy does; *copied tells. Not durable before dir_sync of the folder. */
MUST_USE Err dir_share(const char *from, const char *to, bool *copied);

/* Bytes free to us and bytes in all of the file system that holds `path`. */
MUST_USE Err dir_space(const char *path, u64 *free_bytes, u64 *all_bytes);

/* A shared or exclusive advisory lock on a folder (flock), without waiting; E_BUSY when held
 * against us. dir_unlock closes it; -1 is allowed. */
MUST_USE Err dir_lock(const char *path, bool exclusive, int *fd);
void dir_unlock(int *fd);

/* Makes the name of a file or folder durable: syncs the folder that holds it. */
MUST_USE Err dir_sync_parent(const char *path);

/* The same for the names of all folders above it in its file system, whoever made them; those that
 * we may not read are passed over. */
MUST_USE Err dir_sync_above(const char *path);

/* Joins path pieces with '/' in the arena, ended by NULL: dir_join(a, base, "data", name, NULL). */
char *dir_join(Arena *a, const char *first, ...) __attribute__((sentinel));

/* The working directory's absolute form of `path` (lexically: "." and ".." resolved), in the
 * arena. */
MUST_USE Err dir_absolute(const char *path, Arena *a, char **out);

/* The absolute path, without links, of what stands at `path`, in the arena; E_NOT_FOUND. */
MUST_USE Err dir_resolve(const char *path, Arena *a, char **out);

#endif
