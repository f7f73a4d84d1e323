/* What the two files of differentiation share. */
#ifndef NN_ADJOINT_H
#define NN_ADJOINT_H

#include "graph/graph.h"

/* What the derivative g of y's result gives to each of y's inputs, of the input's shape; NULL where nothing
 * passes or the input is not wanted. */
void gradient_shares(struct graph *graph, struct node *y, struct node *g, const bool wanted[3],
                     struct node *shares[3]);

/* One more share of a node's derivative. */
void add_adjoint(struct graph *graph, struct node **adjoint, struct node *share);

/* New nodes are part of the derivative of y. */
void trace_to(struct graph *graph, const struct node *y);

/* Passes the derivatives of a loop's stacks and finals (those of `left`, left_count of them, that are of this
 * loop) on to what the loop reads.  adjoint[id], wanted[id]: of the forward nodes. */
void differentiate_loop(struct graph *graph, int loop, const bool *wanted, struct node *const *left,
                        int left_count, struct node **adjoint);

#endif
