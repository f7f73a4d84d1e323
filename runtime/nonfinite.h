/* What to say when training goes to infinity: which operator made the first number that was not finite, and
 * where. */
#ifndef NN_NONFINITE_H
#define NN_NONFINITE_H

#include "interpreter.h"
#include "run.h"

struct nonfinite_place {
    int64_t update, epoch; /* both from 1 */
    const uint32_t *order; /* row of the data for each row of the batch; NULL: */
    int64_t first_row;     /* row i is row first_row + i */
};

/* An error in the run's sink, at the user's line. found->node NULL: the place in the graph is not known. */
void nonfinite_report(struct run *run, const struct nonfinite *found, const struct nonfinite_place *place);

#endif
