/*
 * note: a list that only grows. Arrays and texts live in its arena; an array that is full moves to
 * twice the room.
 */
#include "upkeep/note.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void add(NoteList *n, bool warning, const char *path, const char *rule, const char *text)
{
    n->errors += !warning;
    n->warnings += warning;
    if (n->count >= NOTE_MAX) return;
    if (n->count == n->room) {
        u32 room = MAX(2 * n->room, 16);
        Note *list = arena_array(&n->memory, Note, room);
        if (n->count > 0) memcpy(list, n->list, n->count * sizeof *list);
        n->list = list;
        n->room = room;
    }
    n->list[n->count++] = (Note){.path = arena_text(&n->memory, path, strlen(path)),
                                 .rule = arena_text(&n->memory, rule, strlen(rule)),
                                 .text = arena_text(&n->memory, text, strlen(text)),
                                 .warning = warning};
}

void note_bad(NoteList *n, const char *path, const char *rule, const char *format, ...)
{
    char text[FAIL_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    add(n, false, path, rule, text);
}

void note_warn(NoteList *n, const char *path, const char *rule, const char *format, ...)
{
    char text[FAIL_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    add(n, true, path, rule, text);
}

void note_fail(NoteList *n, const char *path, const char *rule)
{
    add(n, false, path, rule, fail_text());
}

void note_join(NoteList *n, NoteList *from)
{
    for (u32 i = 0; i < from->count; i++) {
        const Note *note = &from->list[i];
        add(n, note->warning, note->path, note->rule, note->text);
        from->errors -= !note->warning;
        from->warnings -= note->warning;
    }
    n->errors += from->errors; /* beyond its list */
    n->warnings += from->warnings;
    note_free(from);
}

void note_free(NoteList *n)
{
    arena_free(&n->memory);
    *n = (NoteList){0};
}
