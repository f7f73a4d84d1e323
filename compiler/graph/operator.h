/* The table of operators: what every stage needs to know of one, and the only place that lists them. */
#ifndef NN_OPERATOR_H
#define NN_OPERATOR_H

#include "graph/graph.h"

enum operator_kind { KIND_ELEMENTWISE, KIND_LEAF, KIND_VIEW, KIND_FOLD, KIND_KERNEL, KIND_OTHER };

/* Fills *type for a node of these inputs and attributes, or *error. */
typedef bool shape_rule(struct graph *graph, struct node *const *inputs, int input_count,
                        const struct attributes *attributes, struct type *type, struct shape_error *error);

/* Given node y and g, the derivative of the loss for y, sets d[i] to that for input i; where nothing passes
 * d[i] stays NULL.  The shape of d[i] may still be that of y where the input was broadcast.  A rule that
 * reads the result takes y->value: of a round of a loop, result and inputs are what was kept of it. */
typedef void gradient_rule(struct graph *graph, struct node *y, struct node *g, struct node **d);

struct operator_info {
    const char *name;
    enum operator_kind kind;
    int arity;         /* -1: leaf */
    bool callable;     /* a model may call an element-wise operator by its name */
    const char *maths; /* element-wise: C tokens over a, b, c; a fold's step, over a and b */
    double start;      /* of a fold */
    shape_rule *shape;
    gradient_rule *gradient;
};

extern const struct operator_info operators[OPERATOR_COUNT];

static inline bool is_matmul(const struct node *node) {
    return node->code == OPERATOR_matmul || node->code == OPERATOR_affine ||
           node->code == OPERATOR_matmul_sum;
}

static inline bool is_fold(const struct node *node) {
    return operators[node->code].kind == KIND_FOLD;
}

static inline bool has_rows(const struct node *node) {
    return shape_batch_axis(&node->type.shape) >= 0;
}

/* Drawn: of the same inputs, each node has its own. */
static inline bool is_random(const struct node *node) {
    return node->code == OPERATOR_uniform || node->code == OPERATOR_normal || node->code == OPERATOR_noise;
}

/* How many of its inputs a node reads: the others only say that it comes after them. */
static inline int operand_count(const struct node *node) {
    if (node->code == OPERATOR_loop_stack || node->code == OPERATOR_loop_final)
        return 1;
    return node->code == OPERATOR_loop_next ? 2 : node->input_count;
}

/* The maths of an element-wise operator in f64, for folding constants. */
double operator_fold(enum operator_code code, double a, double b, double c);

/* The element-wise, callable operator of this name, or OPERATOR_COUNT. */
enum operator_code operator_named(const char *name);

/* The shape rules and gradients that structural.def names. */
shape_rule shape_elementwise, shape_given, shape_convert, shape_reshape, shape_transpose, shape_fold,
    shape_matmul, shape_affine, shape_matmul_sum, shape_assign, shape_concat, shape_gather, shape_convolve,
    shape_convolve_transposed;
gradient_rule no_gradient, gradient_loop, gradient_convert, gradient_reshape, gradient_expand,
    gradient_transpose, gradient_slice, gradient_pad, gradient_sum, gradient_extreme, gradient_prod,
    gradient_matmul, gradient_concat, gradient_gather, gradient_scatter, gradient_window, gradient_overlap,
    gradient_convolve, gradient_convolve_transposed, gradient_convolve_weights;
#define ELEMENTWISE(name, ...) gradient_rule gradient_##name;
#include "graph/elementwise.def"
#undef ELEMENTWISE

#endif
