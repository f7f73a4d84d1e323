/* Values of the model as training computes them: --trace NAME[@UPDATES].
 *
 * A traced value is a root of the training plan, so the planner keeps its memory from being used again.  It
 * is printed as it was when the update was computed; a weight as it was before.
 */
#ifndef NN_TRACE_H
#define NN_TRACE_H

#include "run.h"
#include <stdio.h>

/* Updates from `first` to `last`, both included. */
struct trace_range {
    int64_t first, last;
};

struct trace {
    const char *name;
    struct node *node;
    struct trace_range *ranges; /* (range_count); none: the first update only */
    int range_count;
    void *values; /* rows x inner of the node's element type */
};

/* Understands "h", "h@1,10,100" and "h@1-5"; false with a message in *failure (FAILURE_USAGE) otherwise. */
bool trace_parse(struct arena *arena, const char *text, struct trace *trace, struct failure *failure);
/* Finds the value or weight of that name.  FAILURE_USAGE, with the nearest name, when there is none. */
bool trace_find(struct run *run, struct trace *trace);
/* Room for `rows` rows. */
void trace_reserve(struct run *run, struct trace *trace, int64_t rows);
bool trace_wants(const struct trace *trace, int64_t update);
/* Is one of the updates from first to last wanted? */
bool trace_meets(const struct trace *trace, int64_t first, int64_t last);
/* Prints "update 10  h [30, 10]" and a line of numbers for each row. */
void trace_print(const struct run *run, const struct trace *trace, int64_t update, int64_t rows, FILE *out);
/* A number so that it can be read back exactly. */
void trace_number(enum element element, const void *values, int64_t index, FILE *out);

#endif
