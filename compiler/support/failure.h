/* Why something outside the .nn text failed: a data file that cannot be read, a disk that is full. */
#ifndef NN_FAILURE_H
#define NN_FAILURE_H

#include "support/source.h"
#include "support/text.h"

/* The values are the programs' exit codes. */
enum failure_kind { FAILURE_NONE = 0, FAILURE_DATA = 1, FAILURE_USAGE = 2, FAILURE_MACHINE = 3 };

struct failure {
    enum failure_kind kind;
    struct span span;   /* the place: a cell of a data file, a statement; its source NULL: none is known */
    char message[1024]; /* what was found, what was expected; the file too where there is no place */
};

/* Fills *failure (unless it already holds one: the first counts) and returns false. */
bool failure_set(struct failure *failure, enum failure_kind kind, const char *format, ...) TEXT_FORMAT(3);
/* The same with a place, whose source lives as long as what is reported. */
bool failure_set_at(struct failure *failure, enum failure_kind kind, struct span span, const char *format,
                    ...) TEXT_FORMAT(4);

#endif
