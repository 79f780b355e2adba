/*
 * unzip: compressed files of kdb+ as a second pair of eyes reads them: from the description of the
 * format, with the libraries themselves and nothing of column/.
 */
#ifndef SIM_UNZIP_H
#define SIM_UNZIP_H

#include "base/arena.h"

/* The plain bytes of a file, in the arena, and their number in *size (before: that of the file). A
 * file that is not compressed is returned as it is. NULL, and what is wrong in *why, when it breaks
 * a rule of the format. */
const u8 *unzip(Arena *a, const u8 *data, u64 *size, const char **why);

/* Files that were inflated so far. */
u64 unzip_files(void);

#endif
