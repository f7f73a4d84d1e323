/* What the parts of nnrun share about one run of a model: no part keeps state of its own. */
#ifndef NN_RUN_H
#define NN_RUN_H

#include "kernels/kernels.h"
#include "model/model.h"
#include "rows.h"
#include "support/failure.h"
#include "weights.h"

struct class_names;
struct compiled;
struct nn_numpy;
struct threads;

struct run {
    struct arena *arena;
    const struct model *model;
    const struct kernels *kernels;
    struct threads *threads;  /* that large layers are shared among; NULL: one */
    struct compiled *compiled; /* the model as machine code, with --jit; NULL: it is interpreted, */
    const char *jit;           /* and why, for --explain */
    struct diagnostics *sink; /* what went wrong at a place in the model's file */
    struct failure *failure;  /* what went wrong elsewhere */
    uint64_t seed;
    struct nn_numpy *numpy;  /* the one stream of rng = numpy; NULL: counter mode */
    struct rows train, test; /* count 0: there is none, or it was not needed */
    struct weights weights;
    struct class_names *classes; /* by input index, see classes.h; NULL: none is known */
    const char *classes_from;    /* the file that they come from */
    bool quiet;
};

/* The path of a file that the model names: beside the model's own unless it is absolute. */
const char *run_path(const struct run *run, const char *name);

/* "twolayer.nn:12": where `span` starts, or where it is nowhere, `otherwise`. */
const char *run_place(const struct run *run, struct span span, struct span otherwise);

/* FAILURE_USAGE when `path`, where something is going to be written, is a file that the model is read from:
 * its own text, its data or its first weights.  NULL is fine. */
bool run_spares_inputs(const struct run *run, const char *path);
/* The same for another file that is read, which is `what`. */
bool run_spares_file(const struct run *run, const char *path, const char *input, const char *what);

/* Numbers up to that size are learnt as they stand: usual rates suit them, and outputs that start near 0 get
 * there. */
enum { RUN_USUAL = 100 };
/* Does a real target of the training data go beyond? */
bool run_has_large_target(const struct run *run);
/* Notes which columns of the training data do. */
void run_note_large(const struct run *run, struct diagnostic *to);

/* An element of an array of that type, as a double. */
double run_number(enum element element, const void *values, int64_t index);

/* Fills columns (model->column_count) of a batch that starts at row `from` of rows->columns. */
void run_columns(const struct model *model, const struct rows *rows, int64_t from, const void **columns);

#endif
