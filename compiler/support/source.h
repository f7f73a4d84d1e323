/* Source text, and places in it.
 *
 * A place is a span of byte offsets; lines and columns are computed only when a message needs them.
 */
#ifndef NN_SOURCE_H
#define NN_SOURCE_H

#include "support/arena.h"

struct source {
    const char *name; /* as messages show it: the path that the user gave, or "prelude.nn" */
    const char *text; /* `length` bytes and a NUL behind them; NULs inside are possible */
    size_t length;
    int lines_before;          /* where the text is a part of a file: how many lines of it stand before */
    const size_t *line_starts; /* of all lines, made by source_find_lines; NULL: a position walks the text */
    int line_count;
};

/* Half-open: [start, end) of source->text.  source is NULL for "nowhere". */
struct span {
    const struct source *source;
    size_t start;
    size_t end;
};

struct position {
    int line;          /* from 1 */
    int column;        /* from 1, counted in characters (code points; a malformed byte counts as one) */
    size_t line_start; /* byte offsets of the line, without its newline */
    size_t line_end;
};

/* Finds where lines start, so that a position is found at once. */
void source_find_lines(struct source *source, struct arena *arena);

struct position source_position(const struct source *source, size_t offset);

/* From the start of `first` to the end of `last`. */
struct span span_join(struct span first, struct span last);

#endif
