/* A checked file: everything that it says, as a graph and plain records.
 *
 * The checker makes it from the tree; passes, plans, the interpreter, the trainer and the emitter read it.
 * Nothing below this point looks at the tree.
 */
#ifndef NN_MODEL_H
#define NN_MODEL_H

#include "graph/graph.h"
#include "support/diagnostic.h"

/* An input or a target: what one row holds. */
struct column {
    const char *name;
    struct node *node;
    bool is_target;
    int64_t classes; /* element `class ... of n`: values are 0 .. n - 1; 0: any */
    int64_t limit;   /* element int, looked up in a table: values are 0 .. limit - 1; 0: any */
    struct span span;
};

/* A trainable tensor, or a variable of the solver that belongs to one. Both live between updates. */
struct weight {
    const char *name;     /* as in safetensors files: "h.W", a solver's variable "h.W.v" */
    struct node *node;    /* OPERATOR_weight; attributes.index is the position in model->weights */
    struct node *initial; /* its first value, a node without rows; NULL: from `file` */
    const char *file;     /* a CSV or NPY file, relative to the model's own; or NULL */
    struct span file_span;
    bool is_state;   /* of the solver */
    bool is_running; /* of a layer: a running mean, which updates set and no solver changes */
    struct span span;
};

/* An output, a loss or a metric. */
struct result {
    const char *name;
    struct node *node;
    struct span span;
    int64_t choices; /* an output that is an argmax: of how many; else 0 */
};

enum data_source { DATA_SPIRAL, DATA_CSV, DATA_IDX, DATA_TEXT };

enum { DATA_FILES_MAX = 4 };

/* Where rows come from. */
struct data {
    const char *name;
    enum data_source source;
    const char *files[DATA_FILES_MAX]; /* (file_count) all but the spiral */
    int file_count;
    const char *from;        /* where the files can be had, for people; or NULL */
    int64_t skip, first;     /* rows passed over, and how many are taken then; 0: all that follow */
    bool shuffle;            /* rows are counted in a random order, which is the file's own */
    int64_t length, stride;  /* text: characters of a row, and from one row's start to the next */
    int64_t classes, points; /* spiral */
    double noise;
    bool radius_random;
    struct span span;
};

enum generator { GENERATOR_COUNTER, GENERATOR_NUMPY };

/* train { ... } */
struct training {
    bool present;
    int64_t batch; /* rows an update; 0: all */
    struct span batch_span;
    int64_t epochs;
    uint64_t seed;
    bool shuffle;
    enum generator generator;
    int64_t report;            /* epochs between two lines of the report; 0: about twenty lines in all */
    const char *checkpoint;    /* safetensors file for the weights at the end; or NULL */
    const char *solver;        /* its name, "adam" */
    const char *solver_text;   /* the solver as written, for reports */
    double rate;               /* the solver's `rate` where it is a plain number, else NaN */
    struct span rate_span;     /* of the rate, or of a solver that is given none */
    const char *expect_metric; /* expect = metric > bound, on held-out rows if there are any */
    double expect_bound;
    bool expect_above;
    struct span expect_span; /* of its bound */
    const char *stop_measure; /* stop = patience(...): the loss or metric that is watched; or NULL */
    int64_t stop_epochs;      /* without a better one, */
    bool stop_highest;        /* which is a higher one */
    struct span span;
};

struct parameter_value {
    const char *name;
    const char *text; /* its value as text */
    bool overridden;
};

struct model {
    const char *name;
    const char *path;   /* of the .nn file */
    const char **files; /* that were read: it, and those that it uses */
    int file_count;
    struct graph graph;
    struct column *columns;
    int column_count;
    struct weight *weights;
    int weight_count;
    struct result *outputs;
    int output_count;
    struct result loss; /* node NULL: none */
    struct result *metrics;
    int metric_count;
    struct result *values; /* every named value, for --trace */
    int value_count;
    struct node **updates; /* assign nodes: of running means, then of weights and states */
    int update_count;
    struct data *data;
    int data_count;
    struct training training;
    struct parameter_value *parameters;
    int parameter_count;
};

/* -D name=value */
struct definition {
    const char *name;
    const char *value;
    bool used;
};

/* Checks the statements of the file `source` and builds its model in `arena`; reports to `sink`. NULL after
 * errors. `library`: the layers, initialisers and solvers of the prelude and of used files.  `widened`: f32
 * in the file means f64. */
struct statement;
struct model *model_check(const struct statement *library, const struct statement *statements,
                          const struct source *source, const struct source *prelude,
                          struct definition *definitions, int definition_count, bool widened,
                          struct arena *arena, struct diagnostics *sink);

/* The same from the text of a file that uses no other: for tests and fuzzing. */
struct model *model_from_text(const struct source *source, struct arena *arena, struct diagnostics *sink);

/* Reads and parses the prelude and the file at `path` (and what it uses), and checks it.  Reports to `sink`;
 * NULL after errors.  *failure tells of files that cannot be read. */
struct failure;
struct model *model_read(const char *path, struct definition *definitions, int definition_count, bool widened,
                         struct arena *arena, struct diagnostics *sink, struct failure *failure);

const struct data *model_data(const struct model *model, const char *name); /* or NULL */

#endif
