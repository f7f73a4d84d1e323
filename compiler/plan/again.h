/* A pass over a plan whose nests are settled: what emitted C computes again wherever it is read. */
#ifndef NN_AGAIN_H
#define NN_AGAIN_H

#include "plan/plan.h"

/* Marks placements; requires nests.  No bit changes. */
void plan_again(struct plan *plan);

#endif
