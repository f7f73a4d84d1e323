/* Places in source text: the table of lines, or a walk from the start of the file, finds the line, and a walk
 * along the line the column. */
#include "support/source.h"
#include "support/utf8.h"
#include <limits.h>
#include <string.h>

static int count_one(int count) {
    return count < INT_MAX ? count + 1 : count;
}

/* A byte order mark is no character of the first line. */
static size_t first_line_start(const struct source *source) {
    return source->length >= 3 && memcmp(source->text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
}

static size_t line_end(const struct source *source, size_t line_start) {
    size_t rest = source->length - line_start;
    const char *newline = rest ? memchr(source->text + line_start, '\n', rest) : NULL;
    size_t end = newline ? (size_t)(newline - source->text) : source->length;
    if (newline && end > line_start && source->text[end - 1] == '\r')
        end--;
    return end;
}

void source_find_lines(struct source *source, struct arena *arena) {
    const char *text = source->text, *end = text + source->length;
    size_t count = 1, *starts;
    for (const char *at = text; (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++)
        count++;
    if (count > INT_MAX)
        return;
    starts = arena_array(arena, size_t, count);
    starts[0] = first_line_start(source);
    size_t line = 1;
    for (const char *at = text; (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++)
        starts[line++] = (size_t)(at - text) + 1;
    source->line_starts = starts;
    source->line_count = (int)count;
}

/* Sets line and line_start by the table. */
static void look_up_line(const struct source *source, size_t offset, struct position *position) {
    int low = 0, high = source->line_count; /* the last line that starts at or before offset */
    while (high - low > 1) {
        int middle = low + (high - low) / 2;
        if (source->line_starts[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    position->line = low + 1;
    position->line_start = source->line_starts[low];
}

/* The same by going through all lines before. */
static void walk_to_line(const struct source *source, size_t offset, struct position *position) {
    size_t at = position->line_start;
    while (at < offset) {
        const char *newline = memchr(source->text + at, '\n', offset - at);
        if (newline == NULL)
            break;
        at = (size_t)(newline - source->text) + 1;
        position->line_start = at;
        position->line = count_one(position->line);
    }
}

struct position source_position(const struct source *source, size_t offset) {
    if (offset > source->length)
        offset = source->length;
    struct position position = {1, 1, first_line_start(source), 0};
    if (source->line_starts)
        look_up_line(source, offset, &position);
    else
        walk_to_line(source, offset, &position);
    position.line_end = line_end(source, position.line_start);
    position.line += source->lines_before;
    for (size_t at = position.line_start; at < offset;) {
        size_t size;
        utf8_decode(source->text + at, source->length - at, &size);
        at += size;
        if (at <= offset)
            position.column = count_one(position.column);
    }
    return position;
}

struct span span_join(struct span first, struct span last) {
    if (first.source == NULL)
        return last;
    if (last.source != first.source)
        return first;
    return (struct span){first.source, first.start, last.end > first.end ? last.end : first.end};
}
