/* Text that grows: messages, dumps and emitted C are written into one of these, then to a file at once. */
#ifndef NN_TEXT_H
#define NN_TEXT_H

#include "support/arena.h"
#include <stdarg.h>
#include <stdbool.h>

struct text {
    struct arena *arena;
    char *bytes; /* ended with a NUL once anything was printed */
    size_t length;
    size_t capacity;
};

#if defined __GNUC__
#define TEXT_FORMAT(position) __attribute__((format(printf, position, position + 1)))
#else
#define TEXT_FORMAT(position)
#endif

void text_print(struct text *text, const char *format, ...) TEXT_FORMAT(2);
void text_vprint(struct text *text, const char *format, va_list arguments);
void text_bytes(struct text *text, const char *bytes, size_t length);
/* `part` between what stands before byte `at` and what stands behind. */
void text_insert(struct text *text, size_t at, const struct text *part);
/* The text so far as a C string, "" when nothing was printed. */
const char *text_string(const struct text *text);

/* printf into a fresh string of the arena. */
char *text_format(struct arena *arena, const char *format, ...) TEXT_FORMAT(2);
/* The shortest decimal that reads back as the same number; for a float when `single`.  Locale-free. */
const char *text_number(struct arena *arena, double number, bool single);
/* The candidate that is nearest to `name` by edit distance, or NULL when none is near enough to suggest. */
const char *text_nearest(const char *name, const char *const *candidates, size_t count);
/* As of a path: text_ends_with("w.npy", ".npy"). */
bool text_ends_with(const char *text, const char *end);

#endif
