/* Text in an arena: printing into it, numbers as short as they can be, and the nearest name. */
#include "support/text.h"
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- growing ---- */

/* Room for `more` bytes and a NUL. */
static void reserve(struct text *text, size_t more) {
    size_t needed = text->length + more + 1;
    if (needed <= text->capacity)
        return;
    size_t capacity = text->capacity ? text->capacity : 128;
    while (capacity < needed)
        capacity = capacity > SIZE_MAX / 2 ? needed : 2 * capacity;
    text->bytes = arena_stretch(text->arena, text->bytes, text->capacity, capacity);
    text->capacity = capacity;
}

void text_bytes(struct text *text, const char *bytes, size_t length) {
    reserve(text, length);
    if (length > 0)
        memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
}

void text_insert(struct text *text, size_t at, const struct text *part) {
    reserve(text, part->length);
    if (text->length > at)
        memmove(text->bytes + at + part->length, text->bytes + at, text->length - at);
    if (part->length)
        memcpy(text->bytes + at, part->bytes, part->length);
    text->length += part->length;
    text->bytes[text->length] = '\0';
}

static void print_by_library(struct text *text, const char *format, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    reserve(text, 0);
    size_t room = text->capacity - text->length;
    int length = vsnprintf(text->bytes + text->length, room, format, arguments);
    if (length >= 0 && (size_t)length >= room) {
        reserve(text, (size_t)length);
        length = vsnprintf(text->bytes + text->length, (size_t)length + 1, format, again);
    }
    va_end(again);
    if (length > 0)
        text->length += (size_t)length;
    text->bytes[text->length] = '\0';
}

static void print_whole_number(struct text *text, long long number) {
    char digits[24], *at = digits + sizeof digits;
    unsigned long long rest = number < 0 ? 0 - (unsigned long long)number : (unsigned long long)number;
    do
        *--at = (char)('0' + rest % 10);
    while (rest /= 10);
    if (number < 0)
        *--at = '-';
    text_bytes(text, at, (size_t)(digits + sizeof digits - at));
}

/* What most of emitted C is made of, %s, %c, %d and %lld, is printed here, in a third of the library's time;
 * the library has the format from the first other directive on. */
void text_vprint(struct text *text, const char *format, va_list arguments) {
    va_list left;
    va_copy(left, arguments);
    for (;;) {
        const char *plain = format;
        while (*format && *format != '%')
            format++;
        text_bytes(text, plain, (size_t)(format - plain));
        if (format[0] == '%' && format[1] == 's') {
            const char *string = va_arg(left, const char *);
            text_bytes(text, string, strlen(string));
            format += 2;
        } else if (format[0] == '%' && format[1] == 'c') {
            const char byte = (char)va_arg(left, int);
            text_bytes(text, &byte, 1);
            format += 2;
        } else if (format[0] == '%' && format[1] == 'd') {
            print_whole_number(text, va_arg(left, int));
            format += 2;
        } else if (strncmp(format, "%lld", 4) == 0) {
            print_whole_number(text, va_arg(left, long long));
            format += 4;
        } else
            break;
    }
    if (*format)
        print_by_library(text, format, left);
    va_end(left);
}

void text_print(struct text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    text_vprint(text, format, arguments);
    va_end(arguments);
}

const char *text_string(const struct text *text) {
    return text->bytes ? text->bytes : "";
}

char *text_format(struct arena *arena, const char *format, ...) {
    char brief[256]; /* most texts are shorter: they take as many bytes of the arena as they have */
    struct text text = {arena, brief, 0, sizeof brief};
    va_list arguments;
    va_start(arguments, format);
    text_vprint(&text, format, arguments);
    va_end(arguments);
    return text.bytes == brief ? arena_copy(arena, brief, text.length) : text.bytes;
}

/* ---- numbers ---- */

static bool reads_back(const char *digits, double number, bool single) {
    return single ? strtof(digits, NULL) == (float)number : strtod(digits, NULL) == number;
}

/* What is neither digit, sign nor exponent is the locale's decimal point, of one or more bytes. */
static void make_point_plain(char *digits) {
    char *to = digits;
    bool in_point = false;
    for (const char *from = digits; *from; from++) {
        bool plain = (*from >= '0' && *from <= '9') || *from == '-' || *from == '+' || *from == 'e';
        if (plain)
            *to++ = *from;
        else if (!in_point)
            *to++ = '.';
        in_point = !plain;
    }
    *to = '\0';
}

const char *text_number(struct arena *arena, double number, bool single) {
    if (isnan(number))
        return "nan";
    if (isinf(number))
        return number < 0 ? "-inf" : "inf";
    int most = single ? 9 : 17;
    char best[64] = "", digits[64];
    for (int precision = 1; precision <= most; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, number);
        if (!reads_back(digits, number, single))
            continue;
        if (best[0] == '\0' || strlen(digits) < strlen(best))
            memcpy(best, digits, sizeof best);
        if (strstr(best, "e+") == NULL)
            break; /* more digits can only help to shed an exponent: 1e+02, 100 */
    }
    if (best[0] == '\0') /* a double that no float equals, asked for as a float: as near as it gets */
        snprintf(best, sizeof best, "%.*g", most, number);
    make_point_plain(best);
    return arena_copy(arena, best, strlen(best));
}

/* ---- the nearest name ---- */

enum { LONGEST_NAME = 64 }; /* longer names are compared but for case only */

static char lower(char letter) {
    return letter >= 'A' && letter <= 'Z' ? (char)(letter - 'A' + 'a') : letter;
}

static bool same_but_for_case(const char *a, const char *b) {
    while (*a && lower(*a) == lower(*b))
        a++, b++;
    return lower(*a) == lower(*b);
}

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Damerau-Levenshtein (a swap of neighbours is one edit), whatever the case; both at most LONGEST_NAME. */
static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length) {
    size_t rows[3][LONGEST_NAME + 1]; /* of the last two letters of a, and of this one */
    size_t *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b_length; j++)
        last[j] = before[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            char x = lower(a[i - 1]), y = lower(b[j - 1]);
            row[j] = least(least(row[j - 1], last[j]) + 1, last[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == lower(b[j - 2]) && y == lower(a[i - 2]))
                row[j] = least(row[j], before[j - 2] + 1);
        }
        size_t *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[b_length];
}

/* Of one- and two-letter names nearly all are one edit apart, which says nothing: only a swap counts. */
static bool is_near(const char *name, size_t name_length, const char *candidate, size_t length,
                    size_t distance) {
    if (least(name_length, length) > 2)
        return distance <= (name_length < 6 ? 1 : name_length / 3);
    return distance == 1 && name_length == 2 && length == 2 && lower(name[0]) == lower(candidate[1]);
}

const char *text_nearest(const char *name, const char *const *candidates, size_t count) {
    const char *nearest = NULL;
    size_t nearest_distance = SIZE_MAX, name_length = strlen(name);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, candidates[i]) == 0)
            continue; /* the name itself is no advice */
        if (same_but_for_case(name, candidates[i]))
            return candidates[i];
        size_t length = strlen(candidates[i]);
        if (name_length > LONGEST_NAME || length > LONGEST_NAME)
            continue;
        size_t distance = edit_distance(name, name_length, candidates[i], length);
        if (distance < nearest_distance && is_near(name, name_length, candidates[i], length, distance)) {
            nearest = candidates[i];
            nearest_distance = distance;
        }
    }
    return nearest;
}

bool text_ends_with(const char *text, const char *end) {
    size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}
