/* Why something outside the .nn text failed: a data file that cannot be read, a disk that is full. */
#ifndef NN_FAILURE_H
#define NN_FAILURE_H

#include "support/text.h"

/* The values are the programs' exit codes. */
enum failure_kind { FAILURE_NONE = 0, FAILURE_DATA = 1, FAILURE_USAGE = 2, FAILURE_MACHINE = 3 };

struct failure {
    enum failure_kind kind;
    char message[1024]; /* complete: "FILE:ROW:COLUMN: what was found, what was expected" */
};

/* Fills *failure (unless it already holds one: the first counts) and returns false. */
bool failure_set(struct failure *failure, enum failure_kind kind, const char *format, ...) TEXT_FORMAT(3);

#endif
