/* A pass over a plan whose nests are filled: cheap values move to the nest that reads them. */
#ifndef NN_SINK_H
#define NN_SINK_H

#include "plan/plan.h"

/* Requires nests and placements; what is kept in memory shrinks or stays as it is, and no bit changes. */
void plan_sink(struct plan *plan);

/* Takes out nests from which everything has gone. */
void plan_drop_empty(struct plan *plan);

#endif
