/* Memory for intervals on a line, each taking the lowest place that is free for all of its life. */
#ifndef NN_PLAN_POOL_H
#define NN_PLAN_POOL_H

#include "support/arena.h"

#include <stdint.h>

struct interval {
    int64_t start, end; /* life, in nests of the whole plan; both ends belong to it */
    int64_t size;
    int64_t *offset;
};

struct gap {
    int64_t offset, size;
};

struct pool {
    struct interval *live; /* a heap: the one that ends first stands first */
    int count, capacity;
    struct gap *gaps; /* by offset, no two of them adjacent */
    int gap_count, gap_capacity;
    int64_t size;
    struct interval *placed; /* all */
    int placed_count, placed_capacity;
    int64_t alive, most; /* what lives now; the most that lived at once */
};

/* Intervals are placed in the order of their starts: returns the offset. */
int64_t pool_place(struct arena *arena, struct pool *pool, struct interval interval);

/* Where gaps are left, the largest first, or what lives longest, or the product of both, often fit better.
 * The time for that is the square of their number, so not where they are many. */
void pool_tighten(struct arena *arena, struct pool *pool);

#endif
