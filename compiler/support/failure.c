#include "support/failure.h"

#include <stdio.h>

static bool set(struct failure *failure, enum failure_kind kind, struct span span, const char *format,
                va_list arguments) {
    if (failure->kind != FAILURE_NONE)
        return false;
    failure->kind = kind;
    failure->span = span;
    vsnprintf(failure->message, sizeof failure->message, format, arguments);
    for (char *c = failure->message; *c; c++) /* names in files and of files may hold anything */
        *c = (unsigned char)*c < ' ' || *c == 0x7f ? '?' : *c;
    return false;
}

bool failure_set(struct failure *failure, enum failure_kind kind, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    set(failure, kind, (struct span){0}, format, arguments);
    va_end(arguments);
    return false;
}

bool failure_set_at(struct failure *failure, enum failure_kind kind, struct span span, const char *format,
                    ...) {
    va_list arguments;
    va_start(arguments, format);
    set(failure, kind, span, format, arguments);
    va_end(arguments);
    return false;
}
