/* Places in source text: one walk from the start of the file finds the line, one along the line the column.
 */
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

struct position source_position(const struct source *source, size_t offset) {
    if (offset > source->length)
        offset = source->length;
    struct position position = {1, 1, first_line_start(source), 0};
    size_t at = position.line_start;
    while (at < offset) {
        const char *newline = memchr(source->text + at, '\n', offset - at);
        if (newline == NULL)
            break;
        at = (size_t)(newline - source->text) + 1;
        position.line_start = at;
        position.line = count_one(position.line);
    }
    position.line_end = line_end(source, position.line_start);
    for (at = position.line_start; at < offset;) {
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
