/* Where in the plan's arenas each value lies, and how many rows a tile has. */
#ifndef NN_PLAN_MEMORY_H
#define NN_PLAN_MEMORY_H

#include "plan/plan.h"

/* The nests of a loop, once it has some. */
struct stretch {
    int first, last; /* in its group; first -1: none yet */
};

/* Sets places, offsets, the sizes of the arenas, and the tile, once every node has its nest and its last
 * reader. stretches: by loop. */
void plan_memory(struct plan *plan, const struct stretch *stretches);

#endif
