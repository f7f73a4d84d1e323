/* Reverse accumulation: from the loss back through every node that a wanted value reaches, each node hands
 * its derivative to its inputs by the rule of its operator.  Rules build graph from operators, so their
 * results are simplified, fused and differentiated again like anything else.
 */
#include "passes/differentiate.h"
#include "graph/operator.h"
#include "passes/adjoint.h"

#include <string.h>

/* ---- the rules of the element-wise operators, from their rows ---- */

#define NONE NULL
#define NUMBER(x) graph_number(graph, (x), y->type.element)
#define NEGATE(p) graph_unary(graph, OPERATOR_negate, (p))
#define EXP(p) graph_unary(graph, OPERATOR_exp, (p))
#define LOG(p) graph_unary(graph, OPERATOR_log, (p))
#define SIN(p) graph_unary(graph, OPERATOR_sin, (p))
#define COS(p) graph_unary(graph, OPERATOR_cos, (p))
#define SIGMOID(p) graph_unary(graph, OPERATOR_sigmoid, (p))
#define SIGN_OF(p) graph_unary(graph, OPERATOR_sign, (p))
#define ADD(p, q) graph_binary(graph, OPERATOR_add, (p), (q))
#define SUBTRACT(p, q) graph_binary(graph, OPERATOR_subtract, (p), (q))
#define MULTIPLY(p, q) graph_binary(graph, OPERATOR_multiply, (p), (q))
#define DIVIDE(p, q) graph_binary(graph, OPERATOR_divide, (p), (q))
#define POWER(p, q) graph_binary(graph, OPERATOR_power, (p), (q))
#define EQUAL(p, q) graph_binary(graph, OPERATOR_equal, (p), (q))
#define LESS(p, q) graph_binary(graph, OPERATOR_less, (p), (q))
#define WHERE(p, q, r) graph_ternary(graph, OPERATOR_where, (p), (q), (r))
#define G g
#define Y y->value
#define A (y->inputs[0])
#define B (y->inputs[1])
#define C (y->inputs[2])
#define ELEMENTWISE(name, arity, callable, maths, dA, dB, dC)                                    \
    void gradient_##name(struct graph *graph, struct node *y, struct node *g, struct node **d) { \
        (void)graph, (void)y, (void)g;                                                           \
        d[0] = dA;                                                                               \
        if (arity > 1)                                                                           \
            d[1] = dB;                                                                           \
        if (arity > 2)                                                                           \
            d[2] = dC;                                                                           \
    }
#include "graph/elementwise.def"
#undef ELEMENTWISE

/* ---- the rules of the structural operators ---- */

void no_gradient(struct graph *graph, struct node *y, struct node *g, struct node **d) {
    (void)graph, (void)y, (void)g, (void)d;
}

/* differentiate_loop knows how derivatives pass through these. */
void gradient_loop(struct graph *graph, struct node *y, struct node *g, struct node **d) {
    (void)graph, (void)y, (void)g, (void)d;
}

void gradient_convert(struct graph *graph, struct node *y, struct node *g, struct node **d) {
    if (A->type.element != ELEMENT_INT)
        d[0] = graph_convert(graph, g, A->type.element);
}

void gradient_reshape(struct graph *graph, struct node *y, struct node *g, struct node **d) {
    d[0] = graph_reshape(graph, graph_expand(graph, g, y->type.shape), A->type.shape);
}

void gradient_expand(struct graph *graph, struct node *y, struct node *g, struct node **d) {
    d[0] = graph_unbroadcast(graph, graph_expand(graph, g, y->type.shape), A->type.shape);
}

void gradient_transpose(struct graph *graph, struct node *y, struct node *g, struct node **d) {
    int64_t inverse[RANK_MAX] = {0};
    for (int i = 0; i < y->type.shape.rank; i++)
        inverse[y->attributes.order[i]] = i;
    d[0] = graph_transpose(graph, graph_expand(graph, g, y->type.shape), inverse);
}

void gradient_slice(struct graph *graph, struct node *y, struct node *g, struct node **d) {
    struct attributes attributes = y->attributes;
    attributes.type = A->type;
    struct node *whole = graph_expand(graph, g, y->type.shape);
    d[0] = graph_node(graph, OPERATOR_pad, &whole, 1, &attributes, NULL);
}

void gradient_pad(struct graph *graph, struct node *y, struct node *g, struct node **d) {
    struct attributes attributes = y->attributes;
    attributes.type = A->type;
    attributes.number = 0;
    struct node *whole = graph_expand(graph, g, y->type.shape);
    d[0] = graph_node(graph, OPERATOR_slice, &whole, 1, &attributes, NULL);
}

/* An element gets back what all windows that hold it get; and each window what its elements get. */
static struct node *windows_of(struct graph *graph, enum operator_code code, struct node *y, struct node *g) {
    struct attributes attributes = y->attributes;
    attributes.type = A->type;
    struct node *whole = graph_expand(graph, g, y->type.shape);
    return graph_node(graph, code, &whole, 1, &attributes, NULL);
}

void gradient_window(struct graph *graph, struct node *y, struct node *g, struct node **d) {
    d[0] = windows_of(graph, OPERATOR_overlap, y, g);
}

void gradient_overlap(struct graph *graph, struct node *y, struct node *g, struct node **d) {
    d[0] = windows_of(graph, OPERATOR_window, y, g);
}

/* The shape of a fold's operand with its axis kept as 1: what the result and its derivative broadcast from.
 */
static struct node *with_axis(struct graph *graph, struct node *y, struct node *value) {
    struct shape kept = A->type.shape;
    kept.dims[y->attributes.axis] = 1;
    return graph_reshape(graph, graph_expand(graph, value, y->type.shape), kept);
}

void gradient_sum(struct graph *graph, struct node *y, struct node *g, struct node **d) {
    d[0] = graph_expand(graph, with_axis(graph, y, g), A->type.shape);
}

/* How many elements of each stretch are its extreme one.  Those of a short stretch are compared where they
 * are counted: then no plane of comparisons has to wait in memory. */
static struct node *count_extremes(struct graph *graph, struct node *y) {
    enum { SHORT = 4 };
    struct attributes attributes = {.axis = y->attributes.axis, .step = 1, .type = A->type};
    int64_t length = A->type.shape.dims[attributes.axis];
    struct node *extreme = with_axis(graph, y, Y), *count = NULL;
    if (length == BATCH || length > SHORT)
        return graph_fold(graph, OPERATOR_sum, EQUAL(A, extreme), (int)attributes.axis);
    attributes.type.shape.dims[attributes.axis] = 1;
    for (; attributes.start < length; attributes.start++) {
        struct node *is_extreme = EQUAL(graph_node(graph, OPERATOR_slice, &A, 1, &attributes, NULL), extreme);
        count = count ? ADD(count, is_extreme) : is_extreme;
    }
    return graph_reshape(graph, count, y->type.shape);
}

/* Elements that share the extreme value share its derivative equally. */
void gradient_extreme(struct graph *graph, struct node *y, struct node *g, struct node **d) {
    struct node *share = with_axis(graph, y, DIVIDE(g, count_extremes(graph, y)));
    d[0] = MULTIPLY(EQUAL(A, with_axis(graph, y, Y)), share);
}

/* The product of the others: that of all that are not 0 divided by the element's own, and 0 where another is
 * 0. */
void gradient_prod(struct graph *graph, struct node *y, struct node *g, struct node **d) {
    int axis = (int)y->attributes.axis;
    struct node *is_zero = EQUAL(A, NUMBER(0)), *factor = WHERE(is_zero, NUMBER(1), A);
    struct node *zeros = with_axis(graph, y, graph_fold(graph, OPERATOR_sum, is_zero, axis));
    struct node *product = with_axis(graph, y, graph_fold(graph, OPERATOR_prod, factor, axis));
    d[0] = MULTIPLY(with_axis(graph, y, g), MULTIPLY(EQUAL(zeros, is_zero), DIVIDE(product, factor)));
}

void gradient_matmul(struct graph *graph, struct node *y, struct node *g, struct node **d) {
    struct node *whole = graph_expand(graph, g, y->type.shape);
    d[0] = graph_binary(graph, OPERATOR_matmul, whole, graph_swap_last(graph, B));
    d[1] = graph_binary(graph, OPERATOR_matmul, graph_swap_last(graph, A), whole);
}

/* Each part gets its own stretch back. */
void gradient_concat(struct graph *graph, struct node *y, struct node *g, struct node **d) {
    struct node *whole = graph_expand(graph, g, y->type.shape);
    struct attributes attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.axis = y->attributes.axis;
    attributes.step = 1;
    for (int k = 0; k < 2; k++) {
        attributes.type = y->inputs[k]->type;
        d[k] = graph_node(graph, OPERATOR_slice, &whole, 1, &attributes, NULL);
        attributes.start += attributes.type.shape.dims[attributes.axis];
    }
}

/* An entry that was looked up several times gets the sum of what comes back. */
void gradient_gather(struct graph *graph, struct node *y, struct node *g, struct node **d) {
    struct attributes attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.type = A->type;
    d[0] = graph_node(graph, OPERATOR_scatter, (struct node *[]){B, graph_expand(graph, g, y->type.shape)}, 2,
                      &attributes, NULL);
}

void gradient_scatter(struct graph *graph, struct node *y, struct node *g, struct node **d) {
    d[1] = graph_binary(graph, OPERATOR_gather, graph_expand(graph, g, y->type.shape), A);
}

/* One of the three operators of the convolution that y belongs to, for a value of the type of `like`. */
static struct node *convolution(struct graph *graph, enum operator_code code, const struct node *y,
                                struct node *left, struct node *right, const struct node *like) {
    struct attributes attributes = y->attributes;
    attributes.type = code == OPERATOR_convolve ? (struct type){0} : like->type;
    return graph_node(graph, code, (struct node *[]){left, right}, 2, &attributes, NULL);
}

void gradient_convolve(struct graph *graph, struct node *y, struct node *g, struct node **d) {
    struct node *whole = graph_expand(graph, g, y->type.shape);
    d[0] = convolution(graph, OPERATOR_convolve_transposed, y, whole, B, A);
    d[1] = convolution(graph, OPERATOR_convolve_weights, y, A, whole, B);
}

void gradient_convolve_transposed(struct graph *graph, struct node *y, struct node *g, struct node **d) {
    struct node *whole = graph_expand(graph, g, y->type.shape);
    d[0] = convolution(graph, OPERATOR_convolve, y, whole, B, A);
    d[1] = convolution(graph, OPERATOR_convolve_weights, y, whole, A, B);
}

void gradient_convolve_weights(struct graph *graph, struct node *y, struct node *g, struct node **d) {
    struct node *whole = graph_expand(graph, g, y->type.shape);
    d[0] = convolution(graph, OPERATOR_convolve_transposed, y, B, whole, A);
    d[1] = convolution(graph, OPERATOR_convolve, y, A, whole, B);
}

/* ---- the sweep ---- */

/* marks[id] for the nodes from which some of `of` can be reached through inputs.  What one state of a loop
 * reaches may come to the others in the next round: all that a loop hands on counts as reached once any of
 * its nodes is, and its states, which are older than what they become, in a second pass. */
static void mark_dependent(const struct graph *graph, struct node *const *of, int count, bool *marks) {
    bool *loops = arena_array(graph->arena, bool, (size_t)graph->loop_count + 1);
    for (int i = 0; i < count; i++)
        marks[of[i]->id] = true;
    for (int pass = 0; pass < (graph->loop_count ? 2 : 1); pass++)
        for (int i = 0; i < graph->count; i++) {
            const struct node *node = graph->nodes[i];
            bool is_loops = operators[node->code].gradient == gradient_loop;
            for (int k = 0; k < node->input_count; k++)
                if (marks[node->inputs[k]->id] && operators[node->code].gradient != no_gradient)
                    marks[i] = true;
            if (marks[i] && node->loop)
                loops[node->loop] = true;
            if (is_loops && node->code != OPERATOR_loop_slice && loops[node->attributes.loop])
                marks[i] = true;
        }
}

void gradient_shares(struct graph *graph, struct node *y, struct node *g, const bool wanted[3],
                     struct node *shares[3]) {
    struct node *d[3] = {NULL};
    operators[y->code].gradient(graph, y, g, d);
    for (int k = 0; k < y->input_count; k++) {
        const struct node *input = y->inputs[k];
        shares[k] = NULL;
        if (!d[k] || !wanted[k])
            continue;
        struct shape shape = d[k]->type.shape;
        shape_broadcast(&d[k]->type.shape, &input->type.shape, &shape);
        shares[k] = graph_unbroadcast(graph, graph_expand(graph, d[k], shape), input->type.shape);
    }
}

void add_adjoint(struct graph *graph, struct node **adjoint, struct node *share) {
    *adjoint = *adjoint ? ADD(*adjoint, share) : share;
}

static void hand_back(struct graph *graph, struct node *y, struct node *g, const bool *wanted,
                      struct node **adjoint) {
    struct node *shares[3];
    bool reached[3];
    for (int k = 0; k < y->input_count; k++)
        reached[k] = wanted[y->inputs[k]->id];
    gradient_shares(graph, y, g, reached, shares);
    for (int k = 0; k < y->input_count; k++)
        if (shares[k])
            add_adjoint(graph, &adjoint[y->inputs[k]->id], shares[k]);
}

void trace_to(struct graph *graph, const struct node *y) {
    graph->span = y->span;
    graph->home = y->home;
    graph->origin = y->origin;
    graph->forward = y;
}

void differentiate(struct graph *graph, struct node *loss, struct node *const *of, int count,
                   struct node **gradients) {
    int forward_count = graph->count, left_count = 0;
    struct span span = graph->span;
    bool *wanted = arena_array(graph->arena, bool, (size_t)forward_count);
    struct node **adjoint = arena_array(graph->arena, struct node *, (size_t)forward_count);
    struct node **left = arena_array(graph->arena, struct node *, (size_t)forward_count);
    mark_dependent(graph, of, count, wanted);
    if (wanted[loss->id])
        adjoint[loss->id] = graph_number(graph, 1, loss->type.element);
    for (int id = loss->id; id >= 0; id--) {
        struct node *y = graph->nodes[id];
        if (y->loop && y == graph_loop(graph, y->loop)->last)
            differentiate_loop(graph, y->loop, wanted, left, left_count, adjoint);
        if (!adjoint[id] || !wanted[id])
            continue;
        trace_to(graph, y);
        if (operators[y->code].gradient == gradient_loop)
            left[left_count++] = y;
        else
            hand_back(graph, y, adjoint[id], wanted, adjoint);
    }
    for (int i = 0; i < count; i++)
        gradients[i] = adjoint[of[i]->id];
    graph->span = span;
    graph->home = NULL;
    graph->forward = NULL;
}
