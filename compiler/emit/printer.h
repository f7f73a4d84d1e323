/* What the parts of the emitter share: the text so far, C names, the kernels that were used. */
#ifndef NN_PRINTER_H
#define NN_PRINTER_H

#include "emit/emit.h"
#include "emit/kernel_text.h"

struct name_entry {
    const char *text;
    int copies; /* made from it, each with a number */
    struct name_entry *next;
};

/* Names that are taken, by hash. */
struct names {
    struct arena *arena;
    struct name_entry **table;
    size_t size; /* a power of two; 0 before the first name */
    size_t count;
};

struct printer {
    struct arena *arena;   /* while a nest is printed, of that alone */
    struct arena *scratch; /* for a nest */
    const struct model *model;
    const struct emit_options *options;
    struct diagnostics *sink;
    const char *prefix;          /* the model's name as a C identifier */
    const char **weight_names;   /* fields of the state */
    const char **column_names;   /* parameters of the functions, */
    const char **output_names;   /* which differ from these */
    struct text kernels_used;    /* names of sections, each between blanks */
    struct text kernels_printed; /* those in the file already */
    struct text *body;           /* the functions */
    bool noise;                  /* some job draws random numbers in each update: the state keeps the seed */
    const struct plan *plan;     /* being printed, */
    const char *job;             /* its name: "train", "predict", ... */
    const char **idents;         /* and its nodes' C names, by id */
    struct names *names;         /* that they must differ from */
    struct names *functions;
    const char *last_line; /* the .nn line that was shown last */
};

/* names.c */
/* A C identifier for `name` that no other of `names` is; never a C keyword or a name of the C library. */
const char *unique_ident(struct names *names, const char *name);
struct names *names_new(struct arena *arena);
void name_nodes(struct printer *printer);

/* nest.c */
/* Prints the functions for one group and, into `calls`, their calls.  With `one`, of a group with rows but
 * without sums over them, for one row whose numbers lie one behind the other. */
void print_group(struct printer *printer, int group, bool one, struct text *calls);

/* pieces.c */
const char *real_name(enum element element); /* "double", "float", "int32_t" */
const char *work_name(enum element element); /* the state's scratch array: "work", "workf", "worki" */
/* Marks a kernel section as used; `element` picks its float form. Returns its name. */
const char *use_kernel(struct printer *printer, const char *name, enum element element);
/* The tokens of an operator's maths, or of a fold's step, with the operands in place of a, b and c. */
const char *maths_text(struct printer *printer, const struct node *node, const char *const *operands);
const char *number_text(struct printer *printer, double number, enum element element);
/* Does `name` stand in `text` as a whole word? */
bool mentions(const char *text, const char *name);
/* The .nn line of a node as a comment, unless it was the last one shown. */
void print_origin(struct printer *printer, const struct node *node, const char *indent, struct text *out);
/* Text of the user's file, safe inside a C comment. */
void print_in_comment(struct text *out, const char *bytes, size_t length);

/* loadable.c */
void print_loadable(struct printer *printer, bool train, bool evaluate, int64_t most_rows, struct text *out);

/* program.c */
void print_program(struct printer *printer, struct text *out);
/* Kernel sections that were used, in the order of their files. */
void print_kernels(struct printer *printer, struct text *out);

#endif
