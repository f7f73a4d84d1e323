/* A second way to compute a graph: straight recursion over its nodes in double, one whole tensor after the
 * other, without a plan, views, tiles or kernels.  What the interpreter gives is compared with this.
 */
#ifndef NN_TESTS_REFERENCE_H
#define NN_TESTS_REFERENCE_H

#include "harness.h"

/* Values of a node for all rows, row-major over its axes as they stand. */
struct reference {
    struct bench *bench;
    double **values; /* by id; NULL: not computed yet */
    int64_t step;    /* of the loop that is run at the moment */
};

static inline int64_t reference_dim(const struct reference *reference, const struct node *node, int axis) {
    int64_t dim = node->type.shape.dims[axis];
    return dim == BATCH ? reference->bench->rows : dim;
}

static inline int64_t reference_count(const struct reference *reference, const struct node *node) {
    return bench_elements(reference->bench, node);
}

/* Whole numbers that an int32 does not hold, and NaN, become the least of them. */
static inline double reference_rounded(enum element element, double number) {
    if (element == ELEMENT_INT)
        return fabs(number) < 0x1p31 ? trunc(number) : -0x1p31;
    return element == ELEMENT_F32 ? (double)(float)number : number;
}

/* The place of element `index` of `node` along each axis. */
static inline void reference_places(const struct reference *reference, const struct node *node, int64_t index,
                                    int64_t *places) {
    for (int axis = node->type.shape.rank - 1; axis >= 0; axis--) {
        int64_t dim = reference_dim(reference, node, axis);
        places[axis] = index % dim;
        index /= dim;
    }
}

static inline int64_t reference_index(const struct reference *reference, const struct node *node,
                                      const int64_t *places) {
    int64_t index = 0;
    for (int axis = 0; axis < node->type.shape.rank; axis++)
        index = index * reference_dim(reference, node, axis) + places[axis];
    return index;
}

static inline const double *reference_value(struct reference *reference, const struct node *node);

/* The element of `operand` that stands under `places` of a result of `rank` axes, by NumPy's rule. */
static inline double reference_under(struct reference *reference, const struct node *operand,
                                     const int64_t *places, int rank) {
    int64_t own[RANK_MAX] = {0};
    int shift = rank - operand->type.shape.rank;
    for (int axis = 0; axis < operand->type.shape.rank; axis++)
        own[axis] = reference_dim(reference, operand, axis) == 1 ? 0 : places[axis + shift];
    return reference_value(reference, operand)[reference_index(reference, operand, own)];
}

/* Columns come as rows x inner, whatever axis the batch is. */
static inline double reference_leaf(struct reference *reference, const struct node *node,
                                    const int64_t *places) {
    const struct bench *bench = reference->bench;
    int64_t at = 0;
    switch (node->code) {
    case OPERATOR_constant:
        return node->attributes.number;
    case OPERATOR_coordinate:
        return (double)places[node->attributes.axis];
    case OPERATOR_rows:
        return (double)bench->rows;
    case OPERATOR_step:
        return 1;
    case OPERATOR_weight:
        return number_at(node->type.element, bench->weights[node->attributes.index],
                         reference_index(reference, node, places));
    default:
        assert_int_equal(node->code, OPERATOR_input);
        for (int axis = 0; axis < node->type.shape.rank; axis++)
            if (node->type.shape.dims[axis] != BATCH)
                at = at * node->type.shape.dims[axis] + places[axis];
        at += places[shape_batch_axis(&node->type.shape)] * shape_inner_size(&node->type.shape);
        return number_at(node->type.element, bench->columns[node->attributes.index], at);
    }
}

static inline double reference_fold(struct reference *reference, const struct node *node,
                                    const int64_t *places) {
    const struct node *a = node->inputs[0];
    int64_t inner[RANK_MAX] = {0};
    int axis = (int)node->attributes.axis;
    double result = 0;
    for (int i = 0; i < a->type.shape.rank; i++)
        inner[i] = i == axis ? 0 : places[i < axis ? i : i - 1];
    for (int64_t k = 0; k < reference_dim(reference, a, axis); k++) {
        inner[axis] = k;
        double x = reference_value(reference, a)[reference_index(reference, a, inner)];
        if (k == 0)
            result = x;
        else if (node->code == OPERATOR_sum)
            result = reference_rounded(node->type.element, result + x);
        else if (x != x || (node->code == OPERATOR_max ? x > result : x < result))
            result = x;
    }
    return result;
}

static inline double reference_matmul(struct reference *reference, const struct node *node,
                                      const int64_t *places) {
    const struct node *a = node->inputs[0], *b = node->inputs[1];
    int rank = node->type.shape.rank;
    int64_t left[RANK_MAX], right[RANK_MAX];
    double sum =
        node->code == OPERATOR_affine ? reference_under(reference, node->inputs[2], places, rank) : 0;
    memcpy(left, places, sizeof left);
    memcpy(right, places, sizeof right);
    for (int64_t k = 0; k < reference_dim(reference, a, a->type.shape.rank - 1); k++) {
        left[rank - 1] = right[rank - 2] = k;
        sum += reference_under(reference, a, left, rank) * reference_under(reference, b, right, rank);
    }
    return sum;
}

static inline double reference_view(struct reference *reference, const struct node *node, int64_t index,
                                    const int64_t *places) {
    const struct node *a = node->inputs[0];
    const struct attributes *attributes = &node->attributes;
    int64_t inner[RANK_MAX] = {0};
    memcpy(inner, places, sizeof inner);
    switch (node->code) {
    case OPERATOR_reshape: /* keeps the order of all elements, rows included */
        return reference_value(reference, a)[index];
    case OPERATOR_transpose:
        for (int i = 0; i < node->type.shape.rank; i++)
            inner[attributes->order[i]] = places[i];
        break;
    case OPERATOR_slice:
        inner[attributes->axis] = attributes->start + attributes->step * places[attributes->axis];
        break;
    case OPERATOR_pad:
        for (int64_t k = 0; k < reference_dim(reference, a, (int)attributes->axis); k++)
            if (attributes->start + attributes->step * k == places[attributes->axis]) {
                inner[attributes->axis] = k;
                return reference_value(reference, a)[reference_index(reference, a, inner)];
            }
        return attributes->number;
    case OPERATOR_loop_slice:
        for (int i = 0; i < a->type.shape.rank; i++)
            inner[i] = i == attributes->axis ? reference->step : places[i - (i > attributes->axis)];
        break;
    case OPERATOR_window:
        inner[attributes->axis] =
            places[attributes->axis] * attributes->step + places[attributes->axis + 1] * attributes->dilation;
        for (int i = (int)attributes->axis + 1; i < a->type.shape.rank; i++)
            inner[i] = places[i + 1];
        break;
    default: /* expand, convert, assign */
        return reference_under(reference, node->inputs[node->code == OPERATOR_assign], places,
                               node->type.shape.rank);
    }
    return reference_value(reference, a)[reference_index(reference, a, inner)];
}

/* The sum of all windows' elements that are at this place. */
static inline double reference_overlap(struct reference *reference, const struct node *node,
                                       const int64_t *places) {
    const struct node *a = node->inputs[0];
    int axis = (int)node->attributes.axis;
    int64_t inner[RANK_MAX] = {0};
    double sum = 0;
    memcpy(inner, places, (size_t)axis * sizeof *inner);
    for (int i = axis + 2; i < a->type.shape.rank; i++)
        inner[i] = places[i - 1];
    for (inner[axis + 1] = 0; inner[axis + 1] < a->type.shape.dims[axis + 1]; inner[axis + 1]++)
        for (inner[axis] = 0; inner[axis] < a->type.shape.dims[axis]; inner[axis]++)
            if (inner[axis] * node->attributes.step + inner[axis + 1] * node->attributes.dilation ==
                places[axis])
                sum += reference_value(reference, a)[reference_index(reference, a, inner)];
    return sum;
}

/* The products of y[n, o, i, j], x[n, c, down, across] and w[o, c', k, l] that meet, each added to the
 * element of the one of the three that is asked for: the definition. */
static inline void reference_convolution(struct reference *reference, const struct node *node,
                                         double *values) {
    const struct convolving *how = &node->attributes.convolving;
    int result = node->code == OPERATOR_convolve ? 0 : node->code == OPERATOR_convolve_transposed ? 1 : 2;
    const struct node *of[3] = {node, node, node}; /* y, x, w */
    of[result == 1 ? 0 : 1] = node->inputs[0];
    of[result == 2 ? 0 : 2] = node->inputs[1];
    const int64_t *y = of[0]->type.shape.dims, *x = of[1]->type.shape.dims, *w = of[2]->type.shape.dims;
    int64_t inner = y[2] * y[3] * w[1] * w[2] * w[3];
    for (int64_t at = 0; at < reference->bench->rows * y[1] * inner; at++) {
        int64_t l = at % w[3], k = at / w[3] % w[2], c = at / w[3] / w[2] % w[1];
        int64_t place = at % inner / w[3] / w[2] / w[1], j = place % y[3], i = place / y[3];
        int64_t o = at / inner % y[1], n = at / inner / y[1];
        int64_t down = i * how->stride[0] + k * how->dilation[0] - how->padding[0][0];
        int64_t across = j * how->stride[1] + l * how->dilation[1] - how->padding[1][0];
        int64_t channel = o / (y[1] / how->groups) * w[1] + c;
        int64_t places[3][RANK_MAX] = {{n, o, i, j}, {n, channel, down, across}, {o, c, k, l}};
        if (down < 0 || across < 0 || down >= x[2] || across >= x[3])
            continue;
        double product = 1;
        for (int t = 0; t < 3; t++)
            if (t != result)
                product *= reference_value(reference, of[t])[reference_index(reference, of[t], places[t])];
        values[reference_index(reference, node, places[result])] += product;
    }
}

/* A new round: nothing of the loop has a value but its states. */
static inline void reference_forget(struct reference *reference, int loop, bool states) {
    const struct graph *graph = reference->bench->graph;
    for (int id = 0; id < graph->count; id++)
        if (graph->nodes[id]->loop == loop && (states || graph->nodes[id]->code != OPERATOR_loop_state))
            reference->values[id] = NULL;
}

static inline double *reference_copy(struct reference *reference, const struct node *node) {
    const size_t count = (size_t)reference_count(reference, node);
    double *copy = arena_array(&reference->bench->arena, double, count);
    memcpy(copy, reference_value(reference, node), count * sizeof *copy);
    return copy;
}

/* The next values of all states, from the last node of their chain, before any of them is set. */
static inline void reference_next(struct reference *reference, const struct node *next) {
    if (!next)
        return;
    double *value = reference_copy(reference, next->inputs[1]);
    reference_next(reference, next->input_count == 3 ? next->inputs[2] : NULL);
    reference->values[next->inputs[0]->id] = value;
}

/* What leaves a loop, by running all of it: a stack, a state at the end, or the sum of a value of all rounds.
 */
static inline void reference_loop(struct reference *reference, const struct node *node, double *values) {
    const struct node *value = node->inputs[0], *last = node->input_count > 1 ? node->inputs[1] : NULL;
    const int index = (int)node->attributes.loop;
    const struct loop *loop = graph_loop(reference->bench->graph, index);
    const int64_t count = reference_count(reference, value), outer = reference->step;
    reference_forget(reference, index, true);
    for (const struct node *next = last; next; next = next->input_count == 3 ? next->inputs[2] : NULL) {
        const struct node *state = next->inputs[0];
        reference->values[state->id] = reference_copy(reference, state->inputs[0]);
    }
    for (int64_t turn = 0; turn < loop->steps; turn++) {
        reference->step = loop->backwards ? loop->steps - 1 - turn : turn;
        const double *round = reference_value(reference, value);
        for (int64_t i = 0; i < count; i++) {
            int64_t places[RANK_MAX], wide[RANK_MAX], axis = node->attributes.axis;
            if (node->code == OPERATOR_loop_final) {
                values[i] = reference_rounded(node->type.element, values[i] + round[i]);
                continue;
            }
            reference_places(reference, value, i, places);
            for (int k = 0; k < node->type.shape.rank; k++)
                wide[k] = k == axis ? reference->step : places[k - (k > axis)];
            values[reference_index(reference, node, wide)] = round[i];
        }
        reference_next(reference, last);
        reference_forget(reference, index, false);
    }
    if (value->code == OPERATOR_loop_state && node->code == OPERATOR_loop_final)
        memcpy(values, reference->values[value->id], (size_t)count * sizeof *values);
    reference_forget(reference, index, true);
    reference->step = outer; /* of the loop that reads this one, if there is one */
}

static inline double reference_element(struct reference *reference, const struct node *node, int64_t index) {
    int64_t places[RANK_MAX] = {0};
    double x[3] = {0};
    reference_places(reference, node, index, places);
    switch (operators[node->code].kind) {
    case KIND_LEAF:
        return reference_leaf(reference, node, places);
    case KIND_ELEMENTWISE:
        for (int k = 0; k < node->input_count; k++)
            x[k] = reference_under(reference, node->inputs[k], places, node->type.shape.rank);
        return operator_fold(node->code, x[0], x[1], x[2]);
    case KIND_FOLD:
        return reference_fold(reference, node, places);
    default:
        if (node->code == OPERATOR_matmul || node->code == OPERATOR_affine)
            return reference_matmul(reference, node, places);
        if (node->code == OPERATOR_overlap)
            return reference_overlap(reference, node, places);
        return reference_view(reference, node, index, places);
    }
}

static inline const double *reference_value(struct reference *reference, const struct node *node) {
    double **value = &reference->values[node->id];
    if (*value)
        return *value;
    double *values = arena_array(&reference->bench->arena, double, (size_t)reference_count(reference, node));
    bool is_convolution = node->code == OPERATOR_convolve || node->code == OPERATOR_convolve_transposed ||
                          node->code == OPERATOR_convolve_weights;
    bool leaves_loop = node->code == OPERATOR_loop_stack || node->code == OPERATOR_loop_final;
    if (is_convolution)
        reference_convolution(reference, node, values);
    if (leaves_loop)
        reference_loop(reference, node, values);
    for (int64_t i = 0; i < reference_count(reference, node); i++)
        values[i] = reference_rounded(node->type.element, is_convolution || leaves_loop
                                                              ? values[i]
                                                              : reference_element(reference, node, i));
    return *value = values;
}

/* The same for a root, in the order in which a run gives it: rows x inner. */
static inline double reference_root(struct reference *reference, const struct node *root, int64_t row,
                                    int64_t inner) {
    const double *value = reference_value(reference, root);
    int64_t places[RANK_MAX] = {0};
    for (int axis = root->type.shape.rank - 1; axis >= 0; axis--) {
        if (root->type.shape.dims[axis] == BATCH) {
            places[axis] = row;
            continue;
        }
        places[axis] = inner % root->type.shape.dims[axis];
        inner /= root->type.shape.dims[axis];
    }
    return value[reference_index(reference, root, places)];
}

static inline void reference_start(struct reference *reference, struct bench *bench) {
    reference->bench = bench;
    reference->values = arena_array(&bench->arena, double *, (size_t)bench->graph->count);
}

#endif
