/* --check-gradients: the derivatives that training uses against difference quotients of the loss. */
#ifndef NN_GRADIENTS_H
#define NN_GRADIENTS_H

#include "run.h"

#include <stdio.h>

/* Checks every weight of a model that was read with `widened`, on its first training rows, or on random ones
 * where run->train holds none; `graph` is the model's own and gets nodes.  A line for each weight goes to
 * `out`, and into the run's sink an error for each derivative that is wrong, or that proves nothing because
 * both sides are zero.  The weights are changed.  false after an error. */
bool gradients_check(struct run *run, struct graph *graph, FILE *out);

#endif
