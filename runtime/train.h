/* The training loop: epochs of updates, each one run of the training plan. */
#ifndef NN_TRAIN_H
#define NN_TRAIN_H

#include "run.h"
#include "trace.h"
#include <stdio.h>

struct train_settings {
    FILE *out;            /* for the epochs' lines */
    struct trace *traces; /* (trace_count), found */
    int trace_count;
    const char *log; /* a CSV file for every epoch's loss, or NULL */
    bool keep_losses;
};

struct train_outcome {
    int signal;     /* that interrupted it, or 0 */
    double *losses; /* (loss_count) by epoch, with keep_losses */
    int64_t loss_count, loss_capacity;
    int64_t first_epoch; /* of losses, from 1 */
};

/* Rows of an update, and updates of an epoch. */
int64_t train_batch(const struct run *run);
int64_t train_updates(const struct run *run);

/* Trains the run's weights on run->train as the model's train block says, from where run->weights.progress
 * stands. false after a failure: in run->failure, or an error in the sink where numbers went to infinity.  A
 * log that cannot be written to its end is a failure of which the weights know nothing: true. */
bool train_run(struct run *run, const struct train_settings *settings, struct train_outcome *outcome);

#endif
