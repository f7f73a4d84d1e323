/* The measure that training is stopped by, and the weights that were best by it. */
#ifndef NN_WATCH_H
#define NN_WATCH_H

#include "run.h"

#include <stdio.h>

struct watch;

/* The watch that the model's `stop` asks for; NULL where it has none.  It goes on from run->weights.best: an
 * interrupted training where it was, any other from the weights that it begins with. */
struct watch *watch_new(struct run *run);
/* After an epoch: measures the weights, and keeps a copy if none were better.  true: training ends here. */
bool watch_epoch(struct watch *watch);
/* "  test accuracy 0.97": what was measured last. */
void watch_print(const struct watch *watch, FILE *out);
/* After the last epoch: puts the best weights back, and says in a line which they are. */
void watch_end(struct watch *watch, FILE *out);

#endif
