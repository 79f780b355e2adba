/*
 * reader_view: which view a reader serves: the newest, or the newest that can be opened.
 */
#ifndef CMD_READER_VIEW_H
#define CMD_READER_VIEW_H

#include "cmd/reader.h"

/* Waits for the first view and opens the newest; when that is damaged or unreadable, the newest
 * older one that is not, and r->stale says why. Fails with the reason when there is none. */
MUST_USE Err reader_view_start(Reader *r);

/* Begins to follow the stream from the open view's watermark. Waits for the stream's
 * writer. Fails when the log no longer reaches back so far. */
MUST_USE Err reader_view_follow(Reader *r);

/* Whether there is a newer view than the open one, or one cannot tell: then opening it says why. */
bool reader_view_newer(Reader *r);

/* Opens the newest view in place of the open one, or stays with that and tells why. */
void reader_view_reload(Reader *r);

/* Gives a use of a domain back; NULL is allowed. */
void reader_view_release(ReaderDomain *d);

#endif
