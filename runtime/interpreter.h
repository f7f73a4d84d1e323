/* Runs a plan: tile by tile, a kernel for each node, over rows that stay in L1. */
#ifndef NN_INTERPRETER_H
#define NN_INTERPRETER_H

#include "kernels/kernels.h"
#include "plan/plan.h"
#include "support/failure.h"
#include "threads.h"

struct interpreter; /* one plan, bound to memory */

/* The rows that a run reads and writes; all arrays are the caller's. */
struct batch {
    int64_t rows;
    const void *const
        *columns; /* by input index: rows x inner, row-major, of the input's element type; 0 <= classes < n */
    const uint32_t *order;  /* row i of the batch is row order[i] of the columns; NULL: i */
    void **results;         /* by root: where its value goes, rows x inner or inner; NULL: nowhere */
    double step;            /* the number of the update, from 1 */
    uint32_t drawn;         /* the update whose noise is drawn: 0 outside of training, */
    int64_t first_row;      /* and the batch's first row in it */
    uint64_t seed;          /* of random numbers, */
    struct nn_numpy *numpy; /* or the stream of first values; NULL: counter-based */
};

/* The first value that was not finite, in the order of the plan. */
struct nonfinite {
    const struct node *node; /* NULL: none */
    int64_t element, row;    /* row -1: the value has no rows */
    double value;
};

/* weights[i]: memory of model weight i, of its element type. `arena` outlives the interpreter. */
struct interpreter *interpreter_new(const struct plan *plan, const struct kernels *kernels,
                                    void *const *weights, struct arena *arena);

/* Shares large matrix products among threads, which outlive the interpreter; the results are the same. */
void interpreter_use_threads(struct interpreter *interpreter, struct threads *threads);

/* Computes every root for the batch and makes the plan's assignments. */
void interpreter_run(struct interpreter *interpreter, const struct batch *batch);

/* The same, looking at every value that is computed; stops at the first that is not finite. */
struct nonfinite interpreter_search(struct interpreter *interpreter, const struct batch *batch);

#endif
