/* Derivatives, as nodes of the same graph. */
#ifndef NN_DIFFERENTIATE_H
#define NN_DIFFERENTIATE_H

#include "graph/graph.h"

/* Sets gradients[i] to the node d(loss)/d(of[i]), or to NULL where the loss does not depend on of[i].
 * Requires: loss is a real scalar.  Keeps every node, adds new ones. */
void differentiate(struct graph *graph, struct node *loss, struct node *const *of, int count,
                   struct node **gradients);

#endif
