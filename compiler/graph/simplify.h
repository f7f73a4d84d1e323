/* Local simplifications, made while nodes are made. */
#ifndef NN_SIMPLIFY_H
#define NN_SIMPLIFY_H

#include "graph/graph.h"

/* A simpler node of the same value and type as operator(inputs; attributes), or NULL. */
struct node *simplify(struct graph *graph, enum operator_code code, struct node *const *inputs,
                      const struct attributes *attributes, const struct type *type);

#endif
