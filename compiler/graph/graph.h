/* The graph: one node for every value of the model, forward, backward and update alike.
 *
 * Nodes are made by graph_node and never change.  Making one infers its type by the operator's shape rule,
 * folds constants, applies the local simplifications of simplify.c, and returns an older node if the
 * same one exists (so equal subexpressions are one node).  A node's inputs are always older than itself:
 * the order of ids is a topological order.
 */
#ifndef NN_GRAPH_H
#define NN_GRAPH_H

#include "graph/type.h"
#include "support/source.h"

enum operator_code {
#define ELEMENTWISE(name, ...) OPERATOR_##name,
#include "graph/elementwise.def"
#undef ELEMENTWISE
#define STRUCTURAL(name, ...) OPERATOR_##name,
#include "graph/structural.def"
#undef STRUCTURAL
#define FOLD(name, ...) OPERATOR_##name,
#include "graph/folds.def"
#undef FOLD
    OPERATOR_COUNT
};

/* The stream of the first noise of a model; weights draw from those numbered from 0. */
enum { NOISE_STREAM = 0x70000000 };

/* How the windows of a convolution lie on its input; down, then across. */
struct convolving {
    int64_t stride[2], dilation[2];
    int64_t padding[2][2]; /* [axis][before, after] */
    int64_t groups;
};

/* Settings of a node beyond its inputs; all zero where the operator has no use for them, so that equal nodes
 * have equal settings. */
struct attributes {
    double number;           /* constant: its value; pad: what stands before and behind */
    int64_t index;           /* input, weight, random: which one */
    int64_t axis;            /* folds, slice, pad, coordinate: which axis (never negative) */
    int64_t start, step;     /* slice, pad; window, overlap: the step alone */
    int64_t dilation;        /* window, overlap: from one element of a window to the next */
    int64_t loop;            /* loop_...: which loop */
    int64_t order[RANK_MAX]; /* transpose: axis i of the result is axis order[i] of the operand */
    struct convolving convolving;
    struct type type; /* constant, input, weight, convert, reshape, expand, pad...: the result's type */
};

struct node {
    enum operator_code code;
    int id; /* position in graph->nodes */
    int input_count;
    struct node **inputs;
    struct node *value; /* itself; in differentiate_loop.c, what was kept of it */
    struct type type;
    struct attributes attributes;
    int loop;                   /* the loop in whose rounds it has a value, one a round; 0: in none */
    struct span span;           /* the expression that made it */
    const char *name;           /* the model's name for this value, or NULL */
    const char *home;           /* the named value in whose statement the node was made, or NULL */
    struct span origin;         /* that statement, in the user's file */
    int64_t choices;            /* of argmax: how many places there are to choose from; 0: it is no choice */
    const struct node *forward; /* in the backward part: the node whose derivative made this one */
    struct node *next_equal;    /* chain of graph->table */
};

/* Nodes that are computed once for each step along an axis.  What a round reads from outside comes through
 * loop_slice, one step of a value, or loop_state, which the round before has left; a round ends with a
 * loop_next for each state, each of which has the one before as its last input.  What is read of a loop from
 * outside has the last loop_next as an input: loop_stack, the values of all rounds side by side, and
 * loop_final, a state after the last round.  A sum over the batch goes on over all rounds: its loop_final is
 * the sum over rows and steps, and nothing else may read it.  There are no loops inside of loops. */
struct loop {
    int64_t steps;
    bool backwards; /* from the last step to the first */
    int start, end; /* ids of its nodes are in [start, end), but for loop_stacks that were asked for later */
    struct node *last; /* the last loop_next; NULL: it has no state */
};

struct graph {
    struct arena *arena;
    struct node **nodes;
    int count, capacity;
    struct node **table; /* hash table of nodes, a power of two */
    int table_size;
    struct loop *loops; /* loop n is loops[n - 1] */
    int loop_count, loop_capacity;
    const char *batch_name; /* the model's name for BATCH */
    struct span span;       /* given to the nodes that are made now */
    const char *home;
    struct span origin;
    const struct node *forward;
};

/* Why a node cannot be made: the shape rule's message, complete but for the place. */
struct shape_error {
    const char *message; /* NULL: no error */
};

/* An empty graph whose memory is of `arena`. */
void graph_start(struct graph *graph, struct arena *arena);

/* The node for operator(inputs; attributes), or NULL with *error filled if the shape rule forbids it (error
 * may be NULL where the caller knows that it cannot). attributes may be NULL for all zero. */
struct node *graph_node(struct graph *graph, enum operator_code code, struct node *const *inputs,
                        int input_count, const struct attributes *attributes, struct shape_error *error);

/* Shorthands for operators that cannot fail where they are used. */
struct node *graph_number(struct graph *graph, double number, enum element element);
struct node *graph_unary(struct graph *graph, enum operator_code code, struct node *a);
struct node *graph_binary(struct graph *graph, enum operator_code code, struct node *a, struct node *b);
struct node *graph_ternary(struct graph *graph, enum operator_code code, struct node *a, struct node *b,
                           struct node *c);
struct node *graph_fold(struct graph *graph, enum operator_code code, struct node *a, int axis);
struct node *graph_reshape(struct graph *graph, struct node *a, struct shape shape);
struct node *graph_expand(struct graph *graph, struct node *a, struct shape shape);
struct node *graph_transpose(struct graph *graph, struct node *a, const int64_t *order);
struct node *graph_swap_last(struct graph *graph, struct node *a); /* exchanges the last two axes */
struct node *graph_convert(struct graph *graph, struct node *a, enum element element);
/* `a` summed over the axes along which it was broadcast from `shape`. */
struct node *graph_unbroadcast(struct graph *graph, struct node *a, struct shape shape);

/* loop.c: a loop is opened, gets its states and the nodes of a round, then the states' next values, and is
 * closed; stacks and finals may then be asked for. */
int graph_loop_open(struct graph *graph, int64_t steps, bool backwards);
struct node *graph_loop_slice(struct graph *graph, int loop, struct node *x, int axis);
/* A state that begins as `initial`, and is of its type. */
struct node *graph_loop_state(struct graph *graph, int loop, struct node *initial);
/* `value`, of the state's type, or broadcast to it. */
void graph_loop_next(struct graph *graph, struct node *state, struct node *value);
void graph_loop_close(struct graph *graph, int loop);
/* A value of each round side by side along a new axis; of a value that is not the loop's, so many copies. */
struct node *graph_loop_stack(struct graph *graph, int loop, struct node *value, int axis);
struct node *graph_loop_final(struct graph *graph, int loop, struct node *value);
/* The axis of a stack where a round's elements lie together: in front of all elements of a row. */
static inline int graph_loop_front(const struct node *value) {
    return value->type.shape.rank > 0 && value->type.shape.dims[0] == BATCH ? 1 : 0;
}
static inline const struct loop *graph_loop(const struct graph *graph, int loop) {
    return &graph->loops[loop - 1];
}

static inline bool node_is_number(const struct node *node, double number) {
    return node->code == OPERATOR_constant && node->attributes.number == number;
}

/* One line a node, for --emit=graph: `%12 h = sigmoid(%11) : f64[batch, 10]`. */
void graph_print(const struct graph *graph, struct text *out);
/* Graphviz. */
void graph_print_dot(const struct graph *graph, struct text *out);

#endif
