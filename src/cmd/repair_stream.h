/*
 * repair_stream: an interval's rows once more, from the stream.
 */
#ifndef CMD_REPAIR_STREAM_H
#define CMD_REPAIR_STREAM_H

#include "cmd/config.h"
#include "db/view.h"

/* Writes the interval of a part anew, in the spill folder, while the stream still holds its rows
 * and a kept view tells where they begin. *folder is that of the part's copy, in the arena; NULL
 * when there is none. The next start empties the spill folder. */
MUST_USE Err repair_stream(const Root *r, const Config *config, ViewCache *cache, const Part *p,
                           Arena *a, char **folder);

#endif
