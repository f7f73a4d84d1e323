#include "support/failure.h"

#include <stdio.h>

bool failure_set(struct failure *failure, enum failure_kind kind, const char *format, ...) {
    if (failure->kind != FAILURE_NONE)
        return false;
    failure->kind = kind;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(failure->message, sizeof failure->message, format, arguments);
    va_end(arguments);
    for (char *c = failure->message; *c; c++) /* names in files and of files may hold anything */
        *c = (unsigned char)*c < ' ' || *c == 0x7f ? '?' : *c;
    return false;
}
