/* The checker: from tree to model.
 *
 * It evaluates the file: every expression becomes a value, which is a number known now, a node of the graph,
 * a text, a list, or something that can be called.  Layers are elaborated at each call (so each call makes
 * its own weights); initialisers and solvers are elaborated once for each weight.
 *
 *   statement.c   the file: params and declarations, then its parts
 *   values.c      the values of a body, in the order of their need
 *   data.c, model.c, training.c   the statements data, model and train
 *   expression.c  expressions
 *   call.c        binding arguments, unifying shapes, elaborating layers and initialisers
 *   builtin.c     functions that are not .nn text
 *   arrange.c     those of them that put elements elsewhere
 *   convolution.c convolutions and windows
 *   einsum.c      sums of products, by their axes' letters
 *   repetition.c  those of them that call a layer many times
 *   weight.c      weights, their names, their first values, the solver's updates
 *   group.c       settings for some of the weights, bounds of derivatives
 */
#ifndef NN_CHECK_H
#define NN_CHECK_H

#include "model/model.h"
#include "tree/tree.h"

enum value_kind {
    VALUE_ERROR, /* already reported: says nothing more */
    VALUE_NONE,
    VALUE_NUMBER,
    VALUE_TEXT,
    VALUE_TENSOR,
    VALUE_LIST,
    VALUE_BATCH,    /* the symbolic dimension, bound by a signature */
    VALUE_CALLABLE, /* a layer, initialiser, solver or built-in function, not called */
    VALUE_RECIPE,   /* an initialiser or solver with its arguments, waiting for a weight */
};

struct value {
    enum value_kind kind;
    double number;
    const char *text; /* of a number: "true" or "false" where it is written so */
    struct node *tensor;
    struct value *items; /* list */
    int item_count;
    const struct statement *declaration; /* callable, recipe */
    const struct builtin *builtin;       /* callable: instead of a declaration */
    enum operator_code code;             /* callable: with neither, an element-wise operator */
    struct scope *arguments;             /* recipe: the bound parameters; callable: what `held` names */
    const struct argument *held;         /* callable: arguments for when it is called, or NULL */
    struct span span;
};

enum binding_state { BINDING_DONE, BINDING_PENDING, BINDING_RUNNING };

/* A name and its value; a value that is still pending is evaluated when first needed. */
struct binding {
    const char *name;
    struct value value;
    enum binding_state state;
    const struct statement *statement; /* that defines it, or NULL */
    bool used;
    bool ordered;         /* still pending, but what it needs is on evaluate_body's stack */
    struct binding *next; /* in source order */
    struct binding *next_hash;
};

struct scope {
    struct scope *parent;
    struct binding *first, *last;
    struct binding **table; /* hash table once there are many */
    int table_size;
    int count;
};

/* One place in a statement from which layers are called: several with weights get numbers in their names. */
struct site {
    struct instance *within;
    const char *statement;      /* the name of the value, or NULL for return */
    int weighted;               /* instances with weights, */
    struct instance *instances; /* the newest first */
};

/* One call of a layer. */
struct instance {
    struct site *site;
    const char *layer;
    const char *path; /* before the names of its weights; once settled */
    bool weighted;
    int number; /* among the weighted instances of this layer at its site */
    struct instance *next;
};

/* The calls of layers that lead to what is being evaluated. */
struct frame {
    struct frame *caller;
    const char *callee;
    struct span call;
};

/* Weights that a scan's first step has made and its later ones meet again, in the same order. */
struct sharing {
    int first, next; /* in model->weights */
};

struct checker {
    struct arena *arena;
    struct diagnostics *sink;
    struct model *model;
    struct graph *graph;
    const struct source *prelude;
    const struct statement *statements; /* of the file */
    struct scope *constants;            /* names that mean the same in every file: none, true, all, ... */
    struct scope *globals;              /* params of the user's file, inside them the constants */
    struct scope *declarations;         /* layers, initialisers, solvers */
    struct frame *frame;
    struct instance *instance; /* the layer's call that is being elaborated, or NULL */
    struct site *site;         /* the statement that is being evaluated */
    int depth;                 /* of expressions and calls */
    enum element real;         /* element type of weights and numbers that say none */
    bool widened;              /* f32 means f64 */
    struct definition *definitions;
    int definition_count;
    struct weight_record *records; /* names of weights are settled at the end */
    int record_count, record_capacity;
    struct node **running; /* (running_count) assignments to running means */
    int running_count, running_capacity;
    int weight_capacity, value_capacity, output_capacity, metric_capacity, column_capacity;
    struct scope *output_names, *metric_names; /* given so far */
    struct reach *reaches;                     /* by node id, as far as they were asked for */
    int reach_count, reach_capacity;
    const char *updated;       /* in the solver's settings: the weight that they are for; else NULL */
    bool asked_weight;         /* weight_is was called: the settings are not the same for all weights */
    struct sharing *sharing;   /* inside a scan, but for its first step; or NULL */
    bool in_loop;              /* inside a scan that is to be a loop */
    const struct value *state; /* what the step of a scan is given that is being evaluated, or NULL */
    struct node *weight_shape; /* inside an initialiser: the weight that it is for */
    int noise_count;           /* calls of uniform_like: each has a stream of its own */
    bool classes_misfit;       /* a score and the classes do not fit: an error was said */
};

/* One of the nodes that another is computed from, of each of these kinds; or NULL. */
struct reach {
    const struct node *target;
    const struct node *later; /* what has no value yet when first values are computed */
};

/* A weight before its name is settled. */
struct weight_record {
    struct instance *instance;
    const char *name;
};

/* What train says of an update. */
struct update_settings {
    const struct expression *solver_call; /* evaluated once for each weight */
    struct value freeze;                  /* names; none: VALUE_NONE */
    double clip_value, clip_norm;         /* bounds of derivatives; 0: none */
    bool model_fails;                     /* it has errors: nothing that needs it is checked */
};

extern const struct value value_error, value_none;
struct value value_number(double number, struct span span);
struct value value_tensor(struct node *node, struct span span);
struct value value_text(const char *text, struct span span);
/* "a number", "a tensor [batch, 3]", "the layer dense", ... for messages */
const char *value_describe(struct checker *checker, const struct value *value);

/* scope.c */
struct scope *scope_new(struct checker *checker, struct scope *parent);
struct binding *scope_add(struct checker *checker, struct scope *scope, const char *name, struct value value);
struct binding *scope_find_here(const struct scope *scope, const char *name);
struct binding *scope_find(const struct scope *scope, const char *name);

/* Errors that happen inside the prelude are shown at the user's call.  The same error at the same place is
 * said once: a layer may be elaborated many times. */
struct diagnostic *check_error(struct checker *checker, struct span span, const char *format, ...)
    TEXT_FORMAT(3);
struct diagnostic *check_warning(struct checker *checker, struct span span, const char *format, ...)
    TEXT_FORMAT(3);
/* The user's own place of something at `span`: the call that led into the prelude, if it is there. */
struct span check_place(const struct checker *checker, struct span span);
/* Where a node of a failing operator came from, as a note: "the left side is h, f64[batch, 10]". */
void check_note_operand(struct checker *checker, struct diagnostic *to, const char *side,
                        const struct node *node);
void check_note_operands(struct checker *checker, struct diagnostic *to, struct node *const *inputs,
                         int count);
/* Of a list that stands where a tensor is expected: how it becomes one. */
void check_note_list(struct checker *checker, struct diagnostic *to, const struct value *value);
/* The model's column that a node is, as it was read, where that holds classes; or NULL. */
const struct column *check_classes(const struct checker *checker, const struct node *node);
/* "f64[batch, 3]", "an f64 scalar" */
const char *describe_type(struct checker *checker, const struct type *type);

/* values.c */
void evaluate_binding(struct checker *checker, struct scope *scope, struct binding *binding);
/* Is the statement a value, or a result that is given one? */
bool defines_value(const struct statement *statement);
/* Adds the body's values as pending bindings, reporting names defined twice. */
void declare_body(struct checker *checker, struct scope *scope, const struct statement *body);
/* Evaluates all of them, each after what it needs. */
void evaluate_body(struct checker *checker, struct scope *scope);
void name_node(struct node *node, const char *name);

/* data.c, model.c, training.c */
void check_data(struct checker *checker, const struct statement *statement);
void check_model(struct checker *checker, const struct statement *statement);
void check_training(struct checker *checker, const struct statement *statement);
/* Does every row of a spiral fill the model's columns? */
void check_spiral(struct checker *checker, const struct data *data);
/* Warns of names of the user's that nothing reads. */
void warn_unused(struct checker *checker, const struct scope *scope, const struct source *source);

/* expression.c */
struct value evaluate(struct checker *checker, struct scope *scope, const struct expression *expression);
struct value apply_elementwise(struct checker *checker, enum operator_code code, struct value *operands,
                               int count, struct span span);
/* The value as a node of `element`; NULL and an error if it is none. */
struct node *to_tensor(struct checker *checker, const struct value *value, enum element element);
/* A whole number in [low, high]; reports otherwise and returns false. */
bool to_integer(struct checker *checker, const struct value *value, const char *what, int64_t low,
                int64_t high, int64_t *result);
/* true or false, which are the numbers 1 and 0; likewise. */
bool to_switch(struct checker *checker, const struct value *value, const char *what, bool *result);
/* graph_node with the error reported. */
struct value make_node(struct checker *checker, enum operator_code code, struct node *const *inputs,
                       int count, const struct attributes *attributes, struct span span);
/* What a node is computed from, itself included. */
const struct reach *check_reach(struct checker *checker, const struct node *node);
struct value lookup(struct checker *checker, struct scope *scope, const char *name, struct span span);

/* call.c */
struct value evaluate_call(struct checker *checker, struct scope *scope, const struct expression *callee,
                           const struct value *piped, const struct argument *arguments, struct span span);
/* Calls a layer or function that a built-in function was given, with `first`, `second` (or NULL) and what is
 * held for it. */
struct value call_held(struct checker *checker, const struct value *callee, const struct value *first,
                       const struct value *second, struct span span);
/* What a declaration's body sees beyond its own names: the user's params, unless it is the prelude's. */
struct scope *outer_scope(const struct checker *checker, const struct statement *declaration);
/* Runs the body of a layer or initialiser whose parameters are bound in `scope`. */
struct value run_body(struct checker *checker, struct scope *scope, const struct statement *declaration,
                      struct span span);
/* The type that `type` says in `scope`; `model_level`: an unknown name is the batch. */
bool resolve_type(struct checker *checker, struct scope *scope, const struct type_expression *type,
                  bool model_level, struct type *result, int64_t *classes);

/* builtin.c */
typedef struct value builtin_call(struct checker *checker, struct value *arguments, struct span span);
struct builtin {
    const char *name;
    const char *parameters; /* "x, axis = none, keep = false"; ", ..." at the end: all other arguments are
                             * held for the parameter 'body' */
    builtin_call *call;
};
enum { BUILTIN_PARAMETERS_MAX = 7 };
const struct builtin *builtin_find(const char *name);
const char *builtin_name(int index); /* NULL past the last: for suggestions */
/* The value as a tensor; numbers become scalars. */
struct node *tensor_argument(struct checker *checker, struct value *argument);
/* A list of sizes as a shape; *open is the size that was given as -1 and is 1 in the shape, else -1. */
bool shape_argument(struct checker *checker, const struct value *list, struct shape *shape, int *open);
/* The vector 0, 1, ... size - 1. */
struct node *coordinates(struct checker *checker, int64_t size, enum element element);

/* arrange.c, einsum.c: functions that put elements elsewhere, and sums of products */
builtin_call call_squeeze, call_unsqueeze, call_broadcast_to, call_concat, call_stack, call_split, call_tile,
    call_repeat_interleave, call_pad, call_gather, call_one_hot, call_arange, call_shape, call_einsum;
/* The axis that a value names, of which the size is a number; -1 and an error if there is none. */
int fixed_axis(struct checker *checker, const struct value *axis, const struct node *of);
/* The widths of a padding: [before, after], or one number for both. */
bool widths_of(struct checker *checker, const struct value *widths, int64_t *width);
/* `number` before and behind x along an axis; NULL and an error where that is too large. */
struct node *pad_axis(struct checker *checker, struct node *x, int axis, const int64_t *widths,
                      double number);

/* convolution.c */
builtin_call call_pair, call_window, call_convolve, call_convolve_transposed;
/* A note where few channels at the end of a large image mean that they were thought to be there. */
void note_channels(struct checker *checker, struct diagnostic *to, const struct shape *shape);

/* repetition.c */
builtin_call call_repeat, call_scan;
/* A note for an error that a number is no tensor: where it may be the state that a scan begins with. */
void note_scan_state(struct checker *checker, struct diagnostic *to, const struct value *number);

/* weight.c */
struct node *declare_weight(struct checker *checker, struct scope *scope, const struct statement *statement);
/* running_mean(x, share, first) */
struct value call_running_mean(struct checker *checker, struct value *arguments, struct span span);
void settle_names(struct checker *checker);
void build_updates(struct checker *checker, const struct update_settings *settings);

/* group.c */
struct value call_weight_is(struct checker *checker, struct value *arguments, struct span span);
/* Are these one name or a list of names of weights, with * for any characters?  Reports otherwise. */
bool check_freeze(struct checker *checker, const struct value *freeze);
bool is_frozen(const struct value *freeze, const char *name);
/* Puts bounded derivatives in the place of the `count` derivatives; NULL ones stay. */
void clip_gradients(struct checker *checker, const struct update_settings *settings, struct node **gradients,
                    int count);

#endif
