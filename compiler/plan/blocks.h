/* A pass over a plan: long loops that hand on a few elements at a time become one loop over blocks. */
#ifndef NN_BLOCKS_H
#define NN_BLOCKS_H

#include "plan/plan.h"

/* Requires nests and placements; no bit changes. */
void plan_block(struct plan *plan);

#endif
