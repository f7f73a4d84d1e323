/* A line is read into one buffer, split there into cells, and each cell is turned into a number by what its
 * column holds.  Reading a whole table is a loop over the same rows. */
#include "data/csv.h"
#include "support/utf8.h"

#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_LIMIT = 1 << 26, LABEL_LIMIT = 1 << 16, SHOWN_SIZE = 56 };

struct csv_cell {
    char *text; /* ended with a NUL */
    bool quoted;
    size_t start, end; /* bytes of the line as it stood, quotes included */
};

/* A column of text finds its names by hashing: slots hold 1 + the number of a name, 0 is free. */
struct csv_column {
    bool text;
    struct table_labels labels;
    size_t label_capacity;
    uint32_t *slots;
    size_t slot_count; /* a power of two, at least twice labels.count */
};

/* ---- Messages ---- */

/* A cell as messages show it: quoted, on one line, cut between characters. */
static const char *show(const char *text, char shown[SHOWN_SIZE]) {
    size_t length = 1, left = strlen(text), size = 0;
    const size_t limit = SHOWN_SIZE - 6;
    shown[0] = '\'';
    for (; left; text += size, left -= size) {
        const uint32_t code = utf8_decode(text, left, &size);
        if (length + size > limit)
            break;
        memcpy(shown + length, code < 0x20 || code == 0x7f || code == UTF8_MALFORMED ? "?" : text, size);
        length += size;
    }
    if (left) {
        memcpy(shown + length, "...", 3);
        length += 3;
    }
    shown[length++] = '\'';
    shown[length] = '\0';
    return shown;
}

/* Bytes of the line at hand, as it stands in the file.  The line is copied: its buffer is used again. */
static struct span place(const struct csv *csv, size_t start, size_t end) {
    struct source *source = arena_new(csv->arena, struct source);
    size_t lines = csv->line_number - 1;
    *source = (struct source){.name = csv->name,
                              .text = arena_copy(csv->arena, csv->unsplit, csv->unsplit_length),
                              .length = csv->unsplit_length,
                              .lines_before = lines < INT_MAX ? (int)lines : INT_MAX - 1};
    return (struct span){source, start, end};
}

struct span csv_place(const struct csv *csv, size_t column) {
    if (column >= csv->cell_count)
        return place(csv, csv->unsplit_length, csv->unsplit_length);
    return place(csv, csv->cells[column].start, csv->cells[column].end);
}

static enum csv_result fail_at_cell(struct csv *csv, size_t column, struct failure *failure,
                                    const char *found, const char *expected) {
    const char *name = csv->names ? csv->names[column] : NULL;
    failure_set_at(failure, FAILURE_DATA, csv_place(csv, column), "found %s%s%s%s, expected %s", found,
                   name ? " in column '" : "", name ? name : "", name ? "'" : "", expected);
    csv->failed = true;
    return CSV_FAILED;
}

/* Names go into messages, headers and weights' files, which are UTF-8. */
static bool check_name(struct csv *csv, size_t column, struct failure *failure) {
    const char *text = csv->cells[column].text;
    size_t left = strlen(text), size = 0;
    for (; left; text += size, left -= size)
        if (utf8_decode(text, left, &size) == UTF8_MALFORMED)
            return failure_set_at(failure, FAILURE_DATA, csv_place(csv, column),
                                  "found a byte 0x%02X that is not UTF-8 in a name; save the file as UTF-8",
                                  (unsigned)(unsigned char)*text);
    return true;
}

/* ---- Lines ---- */

static bool check_first_bytes(struct csv *csv, struct failure *failure) {
    const unsigned char *bytes = (const unsigned char *)csv->line;
    size_t length = csv->line_length;
    if (length >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b)
        return failure_set(
            failure, FAILURE_DATA, "%s: is compressed with gzip, expected plain text%s", csv->name,
            csv->file.owned ? " (this program was built without zlib)" : " here (use gunzip -c)");
    if (length > 8 && bytes[7] == '\0' && bytes[8] == '{')
        return failure_set(failure, FAILURE_DATA,
                           "%s: holds weights (safetensors), expected rows; weights are read by --load",
                           csv->name);
    if (length >= 2 && ((bytes[0] == 0xff && bytes[1] == 0xfe) || (bytes[0] == 0xfe && bytes[1] == 0xff)))
        return failure_set(failure, FAILURE_DATA, "%s: is UTF-16 text, expected UTF-8", csv->name);
    if (length >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
        memmove(csv->line, csv->line + 3, length - 3);
        csv->line_length -= 3;
    }
    return true;
}

static void add_byte(struct csv *csv, int byte) {
    if (csv->line_length + 1 >= csv->line_capacity) {
        size_t capacity = csv->line_capacity ? 2 * csv->line_capacity : 512;
        csv->line = arena_grow(csv->arena, csv->line, csv->line_length, capacity, 1);
        csv->line_capacity = capacity;
    }
    csv->line[csv->line_length++] = (char)byte;
}

/* Splitting a line changes it; messages show it as it was. */
static void keep_unsplit(struct csv *csv) {
    if (csv->unsplit_capacity < csv->line_capacity) {
        csv->unsplit = arena_array(csv->arena, char, csv->line_capacity);
        csv->unsplit_capacity = csv->line_capacity;
    }
    if (csv->line_length)
        memcpy(csv->unsplit, csv->line, csv->line_length);
    csv->unsplit_length = csv->line_length;
    if (csv->unsplit_length && csv->unsplit[csv->unsplit_length - 1] == '\r')
        csv->unsplit_length--;
}

/* CSV_ROW: csv->line holds the next line, without its end. */
static enum csv_result read_line(struct csv *csv, struct failure *failure) {
    int byte;
    csv->line_length = 0;
    csv->line_number++;
    while ((byte = byte_file_next(&csv->file)) != EOF && byte != '\n') {
        if (csv->line_length == LINE_LIMIT) {
            failure_set(failure, FAILURE_DATA, "%s:%zu: the line is longer than 64 MiB", csv->name,
                        csv->line_number);
            return CSV_FAILED;
        }
        add_byte(csv, byte);
    }
    if (byte == EOF && !byte_file_ended(&csv->file, failure))
        return CSV_FAILED;
    if (byte == EOF && csv->line_length == 0)
        return CSV_END;
    if (csv->line_number == 1 && !check_first_bytes(csv, failure))
        return CSV_FAILED;
    keep_unsplit(csv);
    const char *nul = csv->line_length ? memchr(csv->line, '\0', csv->line_length) : NULL;
    if (nul) {
        size_t at = (size_t)(nul - csv->line);
        failure_set_at(failure, FAILURE_DATA, place(csv, at, at + 1), "found a NUL byte, expected text");
        return CSV_FAILED;
    }
    if (csv->line_length && csv->line[csv->line_length - 1] == '\r')
        csv->line_length--;
    add_byte(csv, '\0');
    return CSV_ROW;
}

/* ---- Cells ---- */

static bool is_blank(char character) {
    return character == ' ' || character == '\t';
}

static bool is_digit(char character) {
    return character >= '0' && character <= '9';
}

/* By the first line: a comma outside quotes, or a semicolon, or a tab, or blanks.  Beside semicolons, commas
 * between digits are decimal signs, which are refused later. */
static char find_separator(const char *line) {
    bool quoted = false, semicolon = false, tab = false, comma = false, decimal = false;
    for (const char *at = line; *at; at++) {
        if (*at == '"')
            quoted = !quoted;
        if (*at == ',' && !quoted && at > line && is_digit(at[-1]) && is_digit(at[1]))
            decimal = true;
        else
            comma |= *at == ',' && !quoted;
        semicolon |= *at == ';' && !quoted;
        tab |= *at == '\t' && !quoted;
    }
    return comma || (decimal && !semicolon) ? ',' : semicolon ? ';' : tab ? '\t' : ' ';
}

static bool ends_cell(const struct csv *csv, char character) {
    return !character || character == csv->separator || (csv->separator == ' ' && character == '\t');
}

static char *skip_blanks(const struct csv *csv, char *text) {
    while (is_blank(*text) && (csv->separator == ' ' || *text != csv->separator))
        text++;
    return text;
}

/* From behind the opening quote; unescapes in place.  Returns the place behind the closing quote, or NULL. */
static char *end_quoted(char *text) {
    char *to = text;
    for (; *text; text++) {
        if (*text == '"') {
            if (text[1] != '"') {
                *to = '\0';
                return text + 1;
            }
            text++;
        }
        *to++ = *text;
    }
    return NULL;
}

/* The end of a bare cell, without blanks behind it. */
static char *end_bare(const struct csv *csv, char *text) {
    char *end = text;
    for (; !ends_cell(csv, *text); text++)
        if (!is_blank(*text))
            end = text + 1;
    return end;
}

static struct csv_cell *add_cell(struct csv *csv, char *text, bool quoted) {
    arena_reserve(csv->arena, csv->cells, csv->cell_count, csv->cell_capacity);
    size_t start = (size_t)(text - csv->line) - quoted;
    csv->cells[csv->cell_count] = (struct csv_cell){text, quoted, start, csv->unsplit_length};
    return &csv->cells[csv->cell_count++];
}

static bool fail_at_quote(struct csv *csv, struct failure *failure, const char *what) {
    return failure_set_at(failure, FAILURE_DATA, csv_place(csv, csv->cell_count - 1), "%s", what);
}

/* Splits the line, which is not blank, into csv->cells. */
static bool split_line(struct csv *csv, struct failure *failure) {
    char *text = skip_blanks(csv, csv->line);
    csv->cell_count = 0;
    for (;;) {
        bool quoted = *text == '"';
        struct csv_cell *cell = add_cell(csv, quoted ? text + 1 : text, quoted);
        char *end = quoted ? end_quoted(cell->text) : end_bare(csv, cell->text);
        if (!end)
            return fail_at_quote(csv, failure, "found the end of the line, expected a closing quote");
        cell->end = (size_t)(end - csv->line);
        text = quoted ? end : skip_blanks(csv, end);
        if (quoted && csv->separator != ' ')
            text = skip_blanks(csv, text);
        if (!ends_cell(csv, *text) && (quoted || csv->separator != ' '))
            return fail_at_quote(csv, failure,
                                 "found more text behind a closing quote, expected the next cell");
        bool last = csv->separator == ' ' ? !*(text = skip_blanks(csv, text)) : !*text;
        if (!quoted)
            *end = '\0';
        if (last)
            return true;
        if (csv->separator != ' ')
            text = skip_blanks(csv, text + 1);
    }
}

/* The next line with cells, split. */
static enum csv_result next_line(struct csv *csv, struct failure *failure) {
    for (;;) {
        enum csv_result result = read_line(csv, failure);
        if (result != CSV_ROW)
            return result;
        const char *start = csv->line + strspn(csv->line, " \t");
        if (!*start || *start == '#')
            continue;
        if (!csv->separator)
            csv->separator = find_separator(csv->line);
        return split_line(csv, failure) ? CSV_ROW : CSV_FAILED;
    }
}

/* ---- Numbers ---- */

enum number { NUMBER_FINITE, NUMBER_TOO_LARGE, NUMBER_NOT_FINITE, NUMBER_NONE };

/* nan, inf and infinity with a sign or without, in any case. */
static bool is_not_finite(const char *text) {
    static const char *const words[] = {"nan", "inf", "infinity"};
    text += *text == '-' || *text == '+';
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t length = 0;
        while (text[length] && (text[length] | 0x20) == words[i][length])
            length++;
        if (!text[length] && !words[i][length])
            return true;
    }
    return false;
}

struct decimal {
    uint64_t digits; /* the first 19 of them */
    int exponent;    /* of ten */
    int count;       /* of digits, without leading zeros */
    bool any;
};

static const char *scan_digits(const char *text, struct decimal *decimal, int exponent_step) {
    for (; is_digit(*text); text++) {
        decimal->any = true;
        if (decimal->count < 19) {
            decimal->digits = 10 * decimal->digits + (uint64_t)(*text - '0');
            decimal->count += decimal->digits != 0;
            decimal->exponent -= exponent_step;
        } else {
            decimal->count = 20; /* more than we keep: strtod reads them */
        }
    }
    return text;
}

static const char *scan_exponent(const char *text, struct decimal *decimal) {
    if ((*text | 0x20) != 'e')
        return text;
    const char *digits = text + 1 + (text[1] == '-' || text[1] == '+');
    int exponent = 0;
    decimal->any = decimal->any && is_digit(*digits);
    for (; is_digit(*digits); digits++)
        exponent = exponent < 100000 ? 10 * exponent + (*digits - '0') : exponent;
    decimal->exponent += text[1] == '-' ? -exponent : exponent;
    return digits;
}

/* Up to 2^53 both digits and power of ten are exact, so that one division or product rounds correctly (W. D.
 * Clinger: How to read floating point numbers accurately, 1990).  All else is left to strtod, which sees
 * nothing but a decimal and runs in the C locale. */
static enum number read_number(const char *text, double *value) {
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    struct decimal decimal = {0, 0, 0, false};
    const char *end = scan_digits(text + (*text == '-' || *text == '+'), &decimal, 0);
    if (*end == '.')
        end = scan_digits(end + 1, &decimal, 1);
    end = scan_exponent(end, &decimal);
    if (*end || !decimal.any)
        return is_not_finite(text) ? NUMBER_NOT_FINITE : NUMBER_NONE;
    if (decimal.count <= 19 && decimal.digits <= UINT64_C(1) << 53 && decimal.exponent >= -22 &&
        decimal.exponent <= 22) {
        double digits = (double)decimal.digits;
        double size =
            decimal.exponent < 0 ? digits / powers[-decimal.exponent] : digits * powers[decimal.exponent];
        *value = *text == '-' ? -size : size;
        return NUMBER_FINITE;
    }
    *value = strtod(text, NULL);
    return isfinite(*value) ? NUMBER_FINITE : NUMBER_TOO_LARGE;
}

bool csv_decimal_comma(const char *text) {
    char point[64];
    double number;
    size_t length = strlen(text), comma = strcspn(text, ",");
    if (comma == length || length >= sizeof point)
        return false;
    memcpy(point, text, length + 1);
    point[comma] = '.';
    return read_number(point, &number) != NUMBER_NONE;
}

/* Is the cell meant as a number?  A text in quotes may be a name of any kind. */
static bool is_number(const struct csv_cell *cell) {
    double number;
    return read_number(cell->text, &number) != NUMBER_NONE ||
           (!cell->quoted && csv_decimal_comma(cell->text));
}

/* ---- Class names ---- */

static uint32_t *find_slot(const struct csv_column *column, const char *name) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (const char *c = name; *c; c++)
        hash = (hash ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
    size_t i = (size_t)(hash ^ hash >> 32) & (column->slot_count - 1);
    while (column->slots[i] && strcmp(column->labels.names[column->slots[i] - 1], name) != 0)
        i = (i + 1) & (column->slot_count - 1);
    return &column->slots[i];
}

static void grow_slots(struct arena *arena, struct csv_column *column) {
    column->slot_count = column->slot_count ? 2 * column->slot_count : 16;
    column->slots = arena_array(arena, uint32_t, column->slot_count);
    for (size_t i = 0; i < column->labels.count; i++)
        *find_slot(column, column->labels.names[i]) = (uint32_t)i + 1;
}

static void add_label(struct arena *arena, struct csv_column *column, const char *name) {
    if (2 * (column->labels.count + 1) > column->slot_count)
        grow_slots(arena, column);
    arena_reserve(arena, column->labels.names, column->labels.count, column->label_capacity);
    column->labels.names[column->labels.count] = arena_copy(arena, name, strlen(name));
    *find_slot(column, name) = (uint32_t)++column->labels.count;
}

/* "one of 'a', 'b', 'c'", for a message. */
static const char *list_labels(const struct table_labels *labels, char *list, size_t size) {
    char shown[SHOWN_SIZE];
    int length = snprintf(list, size, "one of ");
    size_t i = 0;
    for (; i < labels->count && (size_t)length + SHOWN_SIZE + 16 < size; i++)
        length += snprintf(list + length, size - (size_t)length, "%s%s", i ? ", " : "",
                           show(labels->names[i], shown));
    if (i < labels->count)
        snprintf(list + length, size - (size_t)length, " and %zu more", labels->count - i);
    return list;
}

/* What a cell may hold where the names are given. */
static const char *known_labels(struct csv *csv, const struct csv_column *column) {
    char list[320];
    list_labels(&column->labels, list, sizeof list);
    if (csv->labels_from && strcmp(csv->labels_from, csv->name) == 0)
        return text_format(csv->arena,
                           "%s, the classes of its rows that were learnt from; if they are sorted, "
                           "'shuffle = true' in data train and test mixes them",
                           list);
    return text_format(csv->arena, "%s%s%s", list, csv->labels_from ? ", the classes of " : "",
                       csv->labels_from ? csv->labels_from : "");
}

static enum csv_result read_label(struct csv *csv, size_t index, double *value, struct failure *failure) {
    struct csv_column *column = &csv->kinds[index];
    const struct csv_cell *cell = &csv->cells[index];
    char shown[SHOWN_SIZE];
    double number;
    if (!cell->quoted && read_number(cell->text, &number) != NUMBER_NONE && csv->labels_fixed)
        return fail_at_cell(csv, index, failure, show(cell->text, shown), known_labels(csv, column));
    if (!cell->quoted && read_number(cell->text, &number) != NUMBER_NONE)
        return fail_at_cell(csv, index, failure, show(cell->text, shown),
                            "a class name as in the rows before (in quotes, if it is one)");
    uint32_t known = *find_slot(column, cell->text);
    if (!known && csv->labels_fixed)
        return fail_at_cell(csv, index, failure, show(cell->text, shown), known_labels(csv, column));
    if (!known && column->labels.count == LABEL_LIMIT)
        return fail_at_cell(csv, index, failure, "yet another text", "at most 65536 different class names");
    if (!known && !check_name(csv, index, failure))
        return CSV_FAILED;
    if (!known)
        add_label(csv->arena, column, cell->text);
    *value = known ? (double)(known - 1) : (double)(column->labels.count - 1);
    return CSV_ROW;
}

/* ---- Rows ---- */

static enum csv_result read_cell(struct csv *csv, size_t index, double *value, struct failure *failure) {
    const char *text = csv->cells[index].text;
    bool is_text = csv->kinds[index].text;
    char shown[SHOWN_SIZE];
    if (!*text)
        return fail_at_cell(csv, index, failure, "an empty cell", is_text ? "a class name" : "a number");
    if (is_text)
        return read_label(csv, index, value, failure);
    switch (read_number(text, value)) {
    case NUMBER_FINITE:
        return CSV_ROW;
    case NUMBER_TOO_LARGE:
        return fail_at_cell(csv, index, failure, show(text, shown), "a number in the range of 64-bit floats");
    case NUMBER_NOT_FINITE:
        return fail_at_cell(csv, index, failure, show(text, shown),
                            "a finite number (drop the row or fill the gap first)");
    case NUMBER_NONE:
        break;
    }
    return fail_at_cell(csv, index, failure, show(text, shown),
                        csv_decimal_comma(text) ? "a number, whose decimal sign is a point"
                        : csv->labels_from ? text_format(csv->arena, "a number as in %s", csv->labels_from)
                                           : "a number");
}

/* The first row says which columns hold text. */
static void find_kinds(struct csv *csv) {
    csv->kinds = arena_array(csv->arena, struct csv_column, csv->columns);
    csv->first_line = csv->line_number;
    for (size_t i = 0; i < csv->columns; i++) {
        csv->kinds[i].text = *csv->cells[i].text && !is_number(&csv->cells[i]);
        if (csv->kinds[i].text)
            grow_slots(csv->arena, &csv->kinds[i]);
    }
}

static bool check_cell_count(struct csv *csv, struct failure *failure) {
    if (csv->cell_count == csv->columns)
        return true;
    size_t shorter = csv->cell_count < csv->columns ? csv->cell_count : csv->columns;
    struct span span = csv_place(csv, shorter); /* the first cell too many, or the end */
    span.end = span.source->length;
    csv->failed = true;
    return failure_set_at(failure, FAILURE_DATA, span, "found %zu cell%s, expected %zu as in line %zu",
                          csv->cell_count, csv->cell_count == 1 ? "" : "s", csv->columns,
                          csv->header_line ? csv->header_line : csv->first_line);
}

static enum csv_result read_row(struct csv *csv, double *row, struct failure *failure) {
    if (!check_cell_count(csv, failure))
        return CSV_FAILED;
    if (!csv->kinds)
        find_kinds(csv);
    for (size_t i = 0; i < csv->columns; i++)
        if ((!csv->wanted || csv->wanted[i]) && read_cell(csv, i, &row[i], failure) != CSV_ROW)
            return CSV_FAILED;
    return CSV_ROW;
}

enum csv_result csv_next_row(struct csv *csv, double *row, size_t columns, struct failure *failure) {
    if (csv->failed) {
        failure_set(failure, FAILURE_DATA, "%s: was not read to its end", csv->name);
        return CSV_FAILED;
    }
    if (columns != csv->columns) {
        failure_set(failure, FAILURE_DATA, "%s: found %zu columns, expected %zu", csv->name, csv->columns,
                    columns);
        return CSV_FAILED;
    }
    enum csv_result result = csv->pending ? CSV_ROW : next_line(csv, failure);
    csv->pending = false;
    csv->failed = result == CSV_FAILED;
    return result == CSV_ROW ? read_row(csv, row, failure) : result;
}

const char *csv_name(const struct csv *csv) {
    return csv->name;
}

struct table_labels csv_labels(const struct csv *csv, size_t column) {
    return csv->kinds ? csv->kinds[column].labels : (struct table_labels){NULL, 0};
}

/* ---- Opening and closing ---- */

static bool is_header(const struct csv *csv) {
    bool text = false;
    for (size_t i = 0; i < csv->cell_count; i++) {
        if (is_number(&csv->cells[i]))
            return false;
        text |= *csv->cells[i].text != '\0';
    }
    return text;
}

static bool keep_header(struct csv *csv, struct failure *failure) {
    csv->header_line = csv->line_number;
    csv->names = arena_array(csv->arena, char *, csv->columns);
    for (size_t i = 0; i < csv->columns; i++) {
        if (!check_name(csv, i, failure))
            return false;
        csv->names[i] = arena_copy(csv->arena, csv->cells[i].text, strlen(csv->cells[i].text));
    }
    return true;
}

bool csv_follow(struct csv *csv, const struct table *like, const char *from, struct failure *failure) {
    if (like->columns != csv->columns)
        return failure_set(failure, FAILURE_DATA,
                           "%s: found %zu columns, expected %zu as in the data before it", csv->name,
                           csv->columns, like->columns);
    csv->kinds = arena_array(csv->arena, struct csv_column, csv->columns);
    csv->labels_fixed = true;
    csv->labels_from = from;
    for (size_t i = 0; i < csv->columns; i++) {
        csv->kinds[i].text = like->labels && like->labels[i].count;
        for (size_t k = 0; csv->kinds[i].text && k < like->labels[i].count; k++)
            add_label(csv->arena, &csv->kinds[i], like->labels[i].names[k]);
    }
    return true;
}

void csv_select(struct csv *csv, const bool *wanted) {
    csv->wanted = wanted;
}

static bool start(struct csv *csv, const struct table *like, struct failure *failure) {
    enum csv_result result = next_line(csv, failure);
    if (result == CSV_END)
        return failure_set(failure, FAILURE_DATA, "%s: is empty, expected rows of numbers", csv->name);
    if (result == CSV_FAILED)
        return false;
    csv->columns = csv->cell_count;
    csv->first_line = csv->line_number;
    csv->pending = !is_header(csv);
    if (!csv->pending && !keep_header(csv, failure))
        return false;
    return !like || csv_follow(csv, like, NULL, failure);
}

bool csv_open_file(struct csv *csv, struct arena *arena, FILE *file, const char *name,
                   const struct table *like, struct failure *failure) {
    *csv = (struct csv){.arena = arena, .name = name};
    byte_file_open_file(&csv->file, file, name);
    csv->failed = !start(csv, like, failure);
    return !csv->failed;
}

bool csv_open(struct csv *csv, struct arena *arena, const char *path, const struct table *like,
              struct failure *failure) {
    if (strcmp(path, "-") == 0)
        return csv_open_file(csv, arena, stdin, "<stdin>", like, failure);
    *csv = (struct csv){.arena = arena, .name = path, .failed = true};
    csv->failed = !byte_file_open(&csv->file, path, failure) || !start(csv, like, failure);
    return !csv->failed;
}

void csv_close(struct csv *csv) {
    byte_file_close(&csv->file);
    csv->failed = true;
}

/* ---- Whole tables ---- */

static bool read_rows(struct csv *csv, struct table *table, struct failure *failure) {
    size_t columns = csv->columns, capacity = 0;
    *table = (struct table){.columns = columns, .names = csv->names};
    for (;;) {
        if (table->rows == capacity) {
            size_t grown = capacity ? 2 * capacity : 64;
            double *values = arena_allocate_array(csv->arena, grown, columns * sizeof(double));
            if (capacity)
                memcpy(values, table->values, capacity * columns * sizeof(double));
            table->values = values;
            capacity = grown;
        }
        enum csv_result result = csv_next_row(csv, table->values + table->rows * columns, columns, failure);
        if (result == CSV_FAILED)
            return false;
        if (result == CSV_END)
            break;
        table->rows++;
    }
    table->labels = arena_array(csv->arena, struct table_labels, columns);
    for (size_t i = 0; i < columns; i++)
        table->labels[i] = csv_labels(csv, i);
    return table->rows ||
           failure_set(failure, FAILURE_DATA, "%s: found a header, expected rows behind it", csv->name);
}

bool csv_read_file(struct arena *arena, FILE *file, const char *name, const struct table *like,
                   struct table *table, struct failure *failure) {
    struct csv csv;
    return csv_open_file(&csv, arena, file, name, like, failure) && read_rows(&csv, table, failure);
}

/* Out of memory while the file is open: close it on the way through.  The reader stands in the arena because
 * its fields must outlive the jump. */
bool csv_read(struct arena *arena, const char *path, const struct table *like, struct table *table,
              struct failure *failure) {
    struct csv *csv = arena_new(arena, struct csv);
    jmp_buf *outer = arena->out_of_memory;
    jmp_buf inner;
    if (setjmp(inner)) {
        csv_close(csv);
        arena->out_of_memory = outer;
        longjmp(*outer, 1);
    }
    arena->out_of_memory = &inner;
    bool good = csv_open(csv, arena, path, like, failure) && read_rows(csv, table, failure);
    csv_close(csv);
    arena->out_of_memory = outer;
    return good;
}
