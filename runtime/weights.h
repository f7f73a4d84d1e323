/* The weights of a run: their memory, their first values, and the files that keep them. */
#ifndef NN_WEIGHTS_H
#define NN_WEIGHTS_H

#include "graph/graph.h"
#include "support/failure.h"

struct run;
struct safetensors;

/* Of all trainings of a model together. */
#define EPOCHS_MOST (INT64_C(1) << 31)

/* How far training has come; kept in files, so that it can go on exactly where it stopped. */
struct progress {
    int64_t updates;       /* done in all: the next one is number updates + 1 */
    int64_t epochs;        /* completed */
    int64_t epoch_updates; /* done of the next epoch, where training was interrupted in it */
    int64_t goal;          /* completed epochs that the training which wrote this aimed at */
};

/* The weights that were best so far, where training is stopped by a measure. */
struct best {
    const char *measure; /* the metric, or the loss */
    double value;
    int64_t epoch; /* at whose end; 0: none yet */
    void **values; /* NULL: they are the weights themselves, as after a training that came to its end */
};

struct weights {
    void **values; /* by model weight: its elements, row-major, of its element type; in the run's arena */
    struct progress progress;
    struct best best;
    struct safetensors *file; /* that weights_open read, or NULL */
    bool loaded;
    bool afresh; /* the file had not all of the solver's states: they start again, and so does the count of
                    updates */
};

/* Makes the weights' memory and their first values, by running the nodes `initial` as a plan.  In numpy mode
 * they are drawn from the run's stream.  Files that the model names are read unless `loading`: then all
 * values are going to be replaced.  FAILURE_DATA for a file that does not hold such a weight. */
bool weights_start(struct run *run, bool loading);

/* Bytes of weight `index`. */
size_t weights_size(const struct run *run, int index);
/* A copy of all weights in memory of the arena, and back. */
void **weights_new_copy(const struct run *run);
void weights_copy(const struct run *run, void *const *from, void *const *to);
/* The first weight that holds a NaN or an infinity, or -1. */
int weights_find_nonfinite(const struct run *run);

/* Writes all weights and solver states as safetensors, whole or not at all, with the progress as metadata. */
bool weights_save(struct run *run, const char *path);
/* Reads a file, and from it the names of classes, by which data is to be read. */
bool weights_open(struct run *run, const char *path);
/* Sets the weights from the file, opening it unless weights_open did.  FAILURE_DATA for a weight that is
 * missing, of another shape, or of an element type that would lose bits.  Tensors that the model does not
 * have are a warning in the run's sink. */
bool weights_load(struct run *run, const char *path);
/* A warning for who is going to train, where the file that was loaded has not all of the solver's states. */
void weights_warn_afresh(struct run *run, const char *path);

#endif
