/* The graph of one job (a training step, a prediction, ...) made ready for a plan. */
#ifndef NN_LOWER_H
#define NN_LOWER_H

#include "graph/graph.h"

enum {
    LANES_RESULTS = 256
}; /* so many results of a matmul over the batch are summed in lanes, more in a chain */

/* Starts `lowered` and copies into it the nodes that `roots` reach, rewritten; roots[i] becomes its copy.
 *
 * Requires: derivatives are built.  Keeps: the value of every root, but for rounding.  Afterwards:
 *   no stop_gradient is left; `training` is 1 where a root is an assignment, else 0; matmul(a, b) + c used
 * once is affine(a, b, c), unless its sum is over the batch; a large product that is only summed over the
 * batch is one matmul_sum; a sigmoid or tanh that alone reads a product with
 * a small table is one to base 2, and the table is scaled; what a reshape reads is in memory in its own order
 * (a copy is put in where it was not); no assignment's value lies in the memory of a weight; a product's side
 * has rows in memory if its type has.
 */
void lower(const struct graph *graph, struct node **roots, int root_count, struct graph *lowered,
           struct arena *arena);

/* A reshape that only adds or removes dimensions of 1. */
bool reshape_is_unit(const struct node *node);

#endif
