/* What the compiler has to say about a file.
 *
 * Errors, warnings and their notes go to a sink and nowhere else: the compiler never prints and never
 * exits.  The programs print the sink when a phase is over, as text for people or as JSON for editors.
 */
#ifndef NN_DIAGNOSTIC_H
#define NN_DIAGNOSTIC_H

#include "support/source.h"
#include "support/text.h"
#include <stdbool.h>

enum severity { SEVERITY_ERROR, SEVERITY_WARNING, SEVERITY_NOTE };

struct diagnostic {
    enum severity severity;
    struct span span;
    const char *message;
    struct diagnostic *notes; /* further places and mends, in the order given */
    struct diagnostic *next;
};

struct diagnostics {
    struct arena *arena;
    struct diagnostic *first, *last;
    int error_count;
    int warning_count;
};

/* Reports an error or warning; the result takes notes. `format` as for printf, without a final full stop. */
struct diagnostic *diagnostic_error(struct diagnostics *sink, struct span span, const char *format, ...)
    TEXT_FORMAT(3);
struct diagnostic *diagnostic_warning(struct diagnostics *sink, struct span span, const char *format, ...)
    TEXT_FORMAT(3);
/* Adds a note to `to`; with a span of no source it is a mend or a remark without a place. */
void diagnostic_note(struct diagnostics *sink, struct diagnostic *to, struct span span, const char *format,
                     ...) TEXT_FORMAT(4);

/* Writes all in source order (stable; files in order of first mention), as shown in docs/language.md:
 *
 *     twolayer.nn:12:17: error: unknown name 'sigmod'; did you mean 'sigmoid'?
 *        12 |     h     = sigmod(dense(x, hidden))
 *           |             ^~~~~~
 */
void diagnostics_print(const struct diagnostics *sink, struct text *out);
/* The same as one JSON array of {severity, file, line, column, end_line, end_column, message, notes}. */
void diagnostics_print_json(const struct diagnostics *sink, struct text *out);

#endif
