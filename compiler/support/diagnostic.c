/* What the compiler has to say about a file, collected in order and shown in the order of the source.
 *
 * A message is shown with its source line, and below that a marker.  Both lines are made from cells: one
 * cell is what the terminal shows for one character of the line, so a tab, a wide character or a byte that
 * must not reach the terminal moves the marker as it moves the text.
 */
#include "support/diagnostic.h"
#include "support/utf8.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- collecting ---- */

static struct diagnostic *collect(struct diagnostics *sink, enum severity severity, struct span span,
                                  const char *format, va_list arguments) {
    struct text message = {.arena = sink->arena};
    text_vprint(&message, format, arguments);
    struct diagnostic *diagnostic = arena_new(sink->arena, struct diagnostic);
    diagnostic->severity = severity;
    diagnostic->span = span;
    diagnostic->message = message.bytes;
    return diagnostic;
}

static void append(struct diagnostics *sink, struct diagnostic *diagnostic) {
    if (sink->last)
        sink->last->next = diagnostic;
    else
        sink->first = diagnostic;
    sink->last = diagnostic;
}

struct diagnostic *diagnostic_error(struct diagnostics *sink, struct span span, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    struct diagnostic *error = collect(sink, SEVERITY_ERROR, span, format, arguments);
    va_end(arguments);
    append(sink, error);
    sink->error_count++;
    return error;
}

struct diagnostic *diagnostic_warning(struct diagnostics *sink, struct span span, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    struct diagnostic *warning = collect(sink, SEVERITY_WARNING, span, format, arguments);
    va_end(arguments);
    append(sink, warning);
    sink->warning_count++;
    return warning;
}

void diagnostic_note(struct diagnostics *sink, struct diagnostic *to, struct span span, const char *format,
                     ...) {
    va_list arguments;
    va_start(arguments, format);
    struct diagnostic *note = collect(sink, SEVERITY_NOTE, span, format, arguments);
    va_end(arguments);
    struct diagnostic **end = &to->notes;
    while (*end)
        end = &(*end)->next;
    *end = note;
}

/* ---- source order ---- */

struct entry {
    const struct diagnostic *diagnostic;
    size_t file;  /* in order of first mention */
    size_t order; /* of being reported: keeps the sort stable */
};

static int compare_sizes(size_t a, size_t b) {
    return (a > b) - (a < b);
}

static int compare_entries(const void *first, const void *second) {
    const struct entry *a = first, *b = second;
    if (a->file != b->file)
        return compare_sizes(a->file, b->file);
    if (a->diagnostic->span.start != b->diagnostic->span.start)
        return compare_sizes(a->diagnostic->span.start, b->diagnostic->span.start);
    return compare_sizes(a->order, b->order);
}

/* All diagnostics of the sink, sorted, in memory of `arena`. */
static struct entry *sort(const struct diagnostics *sink, struct arena *arena, size_t *count) {
    *count = 0;
    for (const struct diagnostic *d = sink->first; d; d = d->next)
        ++*count;
    struct entry *entries = arena_array(arena, struct entry, *count + 1);
    const struct source **files = arena_array(arena, const struct source *, *count + 1);
    size_t file_count = 0, order = 0;
    for (const struct diagnostic *d = sink->first; d; d = d->next, order++) {
        size_t file = 0;
        while (file < file_count && files[file] != d->span.source)
            file++;
        if (file == file_count)
            files[file_count++] = d->span.source;
        entries[order] = (struct entry){d, file, order};
    }
    qsort(entries, *count, sizeof *entries, compare_entries);
    return entries;
}

static const char *severity_name(enum severity severity) {
    static const char *const names[] = {
        [SEVERITY_ERROR] = "error", [SEVERITY_WARNING] = "warning", [SEVERITY_NOTE] = "note"};
    return names[severity];
}

/* ---- cells ---- */

enum { TAB_WIDTH = 4, LINE_WIDTH = 100, CUT_WIDTH = 3 };

/* What a terminal shows for one character of the source line. */
struct cell {
    size_t start; /* byte offset of the character in the source */
    char shown[8];
    int size;  /* bytes of `shown` */
    int width; /* columns: 0 for a combining mark, 2 for a wide character */
};

struct range {
    uint32_t first, last;
};

static bool in_ranges(uint32_t code, const struct range *ranges, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (code >= ranges[i].first && code <= ranges[i].last)
            return true;
    return false;
}

/* Characters that change how others are shown, or cannot be seen: controls, direction marks, separators. */
static bool is_treacherous(uint32_t code) {
    static const struct range ranges[] = {
        {0x7F, 0x9F},     {0xAD, 0xAD},     {0x61C, 0x61C},   {0x180E, 0x180E}, {0x200B, 0x200F},
        {0x2028, 0x202E}, {0x2060, 0x206F}, {0xFEFF, 0xFEFF}, {0xFFF9, 0xFFFB}, {0xE0000, 0xE0FFF}};
    return in_ranges(code, ranges, sizeof ranges / sizeof *ranges);
}

/* East Asian wide and full-width, and pictures; the marks that combine with the letter before. */
static int character_width(uint32_t code) {
    static const struct range marks[] = {{0x300, 0x36F},   {0x483, 0x489},   {0x591, 0x5BD},
                                         {0x610, 0x61A},   {0x64B, 0x65F},   {0x1AB0, 0x1AFF},
                                         {0x1DC0, 0x1DFF}, {0x20D0, 0x20FF}, {0x302A, 0x302D},
                                         {0x3099, 0x309A}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}};
    static const struct range wide[] = {
        {0x1100, 0x115F},   {0x231A, 0x231B},   {0x2329, 0x232A},   {0x23E9, 0x23EC},   {0x2614, 0x2615},
        {0x2648, 0x2653},   {0x26A1, 0x26A1},   {0x2705, 0x2705},   {0x274C, 0x274C},   {0x2753, 0x2757},
        {0x2795, 0x2797},   {0x2E80, 0x303E},   {0x3041, 0xA4CF},   {0xA960, 0xA97F},   {0xAC00, 0xD7A3},
        {0xF900, 0xFAFF},   {0xFE10, 0xFE19},   {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},
        {0x16FE0, 0x1B2FF}, {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF}, {0x1F7E0, 0x1F7EB}, {0x1F900, 0x1F9FF},
        {0x1FA70, 0x1FAFF}, {0x20000, 0x3FFFD}};
    if (code < 0x300)
        return 1;
    if (in_ranges(code, marks, sizeof marks / sizeof *marks))
        return 0;
    return in_ranges(code, wide, sizeof wide / sizeof *wide) ? 2 : 1;
}

static struct cell make_cell(const struct source *source, size_t start, size_t *size, int column) {
    const char *text = source->text + start;
    uint32_t code = utf8_decode(text, source->length - start, size);
    struct cell cell = {.start = start, .size = 1, .width = 1};
    if (code == '\t') {
        cell.size = cell.width = TAB_WIDTH - column % TAB_WIDTH;
        memset(cell.shown, ' ', TAB_WIDTH);
    } else if (code == UTF8_MALFORMED || code < 0x20) {
        cell.size = cell.width = snprintf(cell.shown, sizeof cell.shown, "\\x%02X", (unsigned char)*text);
    } else if (is_treacherous(code)) {
        cell.shown[0] = '?';
    } else {
        memcpy(cell.shown, text, *size);
        cell.size = (int)*size;
        cell.width = character_width(code);
    }
    return cell;
}

/* ---- the source line and its marker ---- */

struct line {
    struct cell *cells;
    size_t count;
    size_t marked, marked_end; /* cells; an empty range is marked as one column */
};

/* Only so much of a line is looked at as can be shown around the span: a file may be one long line. */
static struct line read_line(const struct span *span, const struct position *position, struct arena *arena,
                             bool *cut_left, bool *cut_right) {
    const struct source *source = span->source;
    size_t start = position->line_start, end = position->line_end;
    size_t span_start = span->start < end ? span->start : end;
    span_start = span_start > start ? span_start : start; /* the text's byte order mark is of no line */
    *cut_left = span_start - start > 4 * (size_t)LINE_WIDTH;
    if (*cut_left)
        start = span_start - 2 * (size_t)LINE_WIDTH;
    while (*cut_left && start < span_start && (source->text[start] & 0xC0) == 0x80)
        start++;
    *cut_right = end - span_start > 4 * (size_t)LINE_WIDTH;
    if (*cut_right)
        end = span_start + 4 * (size_t)LINE_WIDTH;
    struct line line = {.cells = arena_array(arena, struct cell, end - start + 1)};
    int column = 0;
    for (size_t at = start, size; at < end; at += size) {
        struct cell cell = make_cell(source, at, &size, column);
        column += cell.width;
        line.marked += at < span_start;
        line.marked_end += at < span->end;
        line.cells[line.count++] = cell;
    }
    return line;
}

static int columns(const struct line *line, size_t first, size_t last) {
    int width = 0;
    for (size_t i = first; i < last; i++)
        width += line->cells[i].width;
    return width;
}

/* Narrows [*first, *last) to LINE_WIDTH columns that hold the start of the marked range. */
static void fit(const struct line *line, size_t *first, size_t *last) {
    int width = columns(line, *first, *last);
    int before = columns(line, *first, line->marked);
    while (width > LINE_WIDTH && before > LINE_WIDTH / 2 && *first < line->marked) {
        int removed = line->cells[(*first)++].width;
        width -= removed;
        before -= removed;
    }
    while (width > LINE_WIDTH && *last > line->marked + 1)
        width -= line->cells[--*last].width;
}

static void print_repeated(struct text *out, char letter, int count) {
    for (int i = 0; i < count; i++)
        text_bytes(out, &letter, 1);
}

static void print_source_line(struct text *out, const struct span *span, const struct position *position) {
    bool cut_left, cut_right;
    struct line line = read_line(span, position, out->arena, &cut_left, &cut_right);
    size_t first = 0, last = line.count;
    fit(&line, &first, &last);
    cut_left = cut_left || first > 0;
    cut_right = cut_right || last < line.count;
    text_print(out, "%5d | %s", position->line, cut_left ? "..." : "");
    for (size_t i = first; i < last; i++)
        text_bytes(out, line.cells[i].shown, (size_t)line.cells[i].size);
    text_print(out, "%s\n      | ", cut_right ? "..." : "");
    print_repeated(out, ' ', columns(&line, first, line.marked) + (cut_left ? CUT_WIDTH : 0));
    int marked = columns(&line, line.marked, line.marked_end < last ? line.marked_end : last);
    text_print(out, "^");
    print_repeated(out, '~', marked - 1);
    text_print(out, "\n");
}

/* ---- text ---- */

/* Whatever a file name or message holds, nothing but visible characters reaches the terminal. */
static void print_safely(struct text *out, const char *string) {
    struct source source = {.text = string, .length = strlen(string)};
    for (size_t at = 0, size; at < source.length; at += size) {
        struct cell cell = make_cell(&source, at, &size, 0);
        if (string[at] == '\t')
            text_print(out, "\\x09");
        else
            text_bytes(out, cell.shown, (size_t)cell.size);
    }
}

static void print_one(struct text *out, const struct diagnostic *diagnostic) {
    const struct span *span = &diagnostic->span;
    struct position position = {0};
    if (span->source) {
        position = source_position(span->source, span->start);
        print_safely(out, span->source->name);
        text_print(out, ":%d:%d: ", position.line, position.column);
    } else if (diagnostic->severity == SEVERITY_NOTE) {
        text_print(out, "  ");
    }
    text_print(out, "%s: ", severity_name(diagnostic->severity));
    print_safely(out, diagnostic->message);
    text_print(out, "\n");
    if (span->source)
        print_source_line(out, span, &position);
}

void diagnostics_print(const struct diagnostics *sink, struct text *out) {
    size_t count;
    const struct entry *entries = sort(sink, out->arena, &count);
    for (size_t i = 0; i < count; i++) {
        print_one(out, entries[i].diagnostic);
        for (const struct diagnostic *note = entries[i].diagnostic->notes; note; note = note->next)
            print_one(out, note);
    }
}

/* ---- JSON ---- */

static void print_json_string(struct text *out, const char *string) {
    size_t length = strlen(string);
    text_print(out, "\"");
    for (size_t at = 0, size; at < length; at += size) {
        uint32_t code = utf8_decode(string + at, length - at, &size);
        if (code == UTF8_MALFORMED)
            text_print(out, "\\uFFFD");
        else if (code == '"' || code == '\\')
            text_print(out, "\\%c", (char)code);
        else if (code < 0x20 || code == 0x7F)
            text_print(out, "\\u%04X", (unsigned)code);
        else
            text_bytes(out, string + at, size);
    }
    text_print(out, "\"");
}

static void print_json_place(struct text *out, const struct span *span) {
    if (span->source == NULL) {
        text_print(out, "\"file\": null, \"line\": null, \"column\": null, \"end_line\": null, "
                        "\"end_column\": null");
        return;
    }
    struct position start = source_position(span->source, span->start);
    struct position end = source_position(span->source, span->end);
    text_print(out, "\"file\": ");
    print_json_string(out, span->source->name);
    text_print(out, ", \"line\": %d, \"column\": %d, \"end_line\": %d, \"end_column\": %d", start.line,
               start.column, end.line, end.column);
}

static void print_json_one(struct text *out, const struct diagnostic *diagnostic) {
    text_print(out, "{\"severity\": \"%s\", ", severity_name(diagnostic->severity));
    print_json_place(out, &diagnostic->span);
    text_print(out, ", \"message\": ");
    print_json_string(out, diagnostic->message);
}

void diagnostics_print_json(const struct diagnostics *sink, struct text *out) {
    size_t count;
    const struct entry *entries = sort(sink, out->arena, &count);
    text_print(out, "[");
    for (size_t i = 0; i < count; i++) {
        text_print(out, "%s\n  ", i ? "," : "");
        print_json_one(out, entries[i].diagnostic);
        text_print(out, ", \"notes\": [");
        for (const struct diagnostic *note = entries[i].diagnostic->notes; note; note = note->next) {
            print_json_one(out, note);
            text_print(out, ", \"notes\": []}%s", note->next ? ", " : "");
        }
        text_print(out, "]}");
    }
    text_print(out, "%s]\n", count ? "\n" : "");
}
