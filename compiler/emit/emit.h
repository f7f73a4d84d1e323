/* From a model to one C99 file: the same plan that the interpreter runs, printed as loops. */
#ifndef NN_EMIT_H
#define NN_EMIT_H

#include "model/model.h"
#include "plan/plan.h"
#include "support/failure.h"

/* Rows that the emitted program carries with it, for data that it does not generate itself. */
struct emit_rows {
    int64_t count;
    const void *const *columns; /* by input index: count x inner, of the column's element type */
};

/* What the numbers of a column are called, from 0; count 0: not known. */
struct emit_names {
    const char *const *names;
    int64_t count;
};

struct emit_options {
    const char *file_name; /* of the C file, for its first line */
    bool header;           /* only the interface */
    bool loadable;         /* a library that nnrun loads: no first weights, no program */
    const struct emit_rows *train_rows, *test_rows; /* for csv data; else NULL */
    const char *const *class_names; /* (class_count) of the model's only target; NULL: not known */
    int64_t class_count;
    const struct emit_names *columns; /* by column of the model: its classes; NULL: none is known */
    const void *const
        *weights; /* by weight: first values, of its element type; only those from files are read, */
    bool loaded;  /* unless all weights begin as these do, after so many updates; there is no program then */
    int64_t updates;
};

/* Prints the C file into `out`.  Errors (something that C cannot do yet) go to `sink`. */
void emit_c(const struct model *model, const struct emit_options *options, struct diagnostics *sink,
            struct text *out);

#endif
