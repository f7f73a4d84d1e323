#include "passes/lower.h"
#include "graph/operator.h"

#include <string.h>

struct lowering {
    const struct graph *from;
    struct graph *to;
    int *uses;            /* by id in `from`, 0: not reached */
    struct node **copies; /* by id in `from` */
    bool training;        /* some root is an assignment: the job is an update */
};

bool reshape_is_unit(const struct node *node) {
    const struct shape *a = &node->type.shape, *b = &node->inputs[0]->type.shape;
    int i = 0, k = 0;
    for (;;) {
        while (i < a->rank && a->dims[i] == 1)
            i++;
        while (k < b->rank && b->dims[k] == 1)
            k++;
        if (i == a->rank || k == b->rank)
            return i == a->rank && k == b->rank;
        if (a->dims[i++] != b->dims[k++])
            return false;
    }
}

/* Reached nodes, in one sweep from the newest back, for inputs are always older. */
static void count_uses(struct lowering *lowering, struct node *const *roots, int root_count) {
    for (int i = 0; i < root_count; i++)
        lowering->uses[roots[i]->id] += 2; /* a root is kept as it is, never melted into its user */
    for (int id = lowering->from->count - 1; id >= 0; id--)
        if (lowering->uses[id])
            for (int k = 0; k < lowering->from->nodes[id]->input_count; k++)
                lowering->uses[lowering->from->nodes[id]->inputs[k]->id]++;
}

/* Do its elements lie in memory in the order of its axes? */
static bool is_stored(const struct node *node) {
    while (node->code == OPERATOR_reshape)
        node = node->inputs[0];
    return operators[node->code].kind != KIND_VIEW;
}

/* Its sum goes over the batch: nothing can be added before the last tile. */
static bool sums_batch(const struct node *product) {
    const struct shape *left = &product->inputs[0]->type.shape;
    return left->dims[left->rank - 1] == BATCH;
}

static const struct node *below_views(const struct node *node) {
    while (operators[node->code].kind == KIND_VIEW)
        node = node->inputs[0];
    return node;
}

/* Numbers that are known beforehand lie nowhere; kernels read memory. */
static bool lies_nowhere(const struct node *value) {
    const struct node *below = below_views(value);
    return operators[below->code].kind == KIND_LEAF && below->code != OPERATOR_weight &&
           below->code != OPERATOR_input;
}

static struct node *lower_add(struct lowering *lowering, const struct node *node,
                              struct node *const *inputs) {
    for (int side = 0; side < 2; side++) {
        const struct node *product = node->inputs[side];
        const struct node *other = node->inputs[1 - side];
        if (product->code != OPERATOR_matmul || lowering->uses[product->id] != 1 ||
            product->loop != node->loop || !shape_equal(&product->type.shape, &node->type.shape) ||
            other == product || sums_batch(product) || lies_nowhere(other))
            continue;
        struct node *copy = lowering->copies[product->id];
        struct node *affine[3] = {copy->inputs[0], copy->inputs[1], inputs[1 - side]};
        return graph_node(lowering->to, OPERATOR_affine, affine, 3, NULL, NULL);
    }
    return NULL;
}

/* Has it many results, and a matrix of its own for each row of the batch on either side? */
static bool is_large_by_row(const struct node *product) {
    const struct shape *shape = &product->type.shape;
    for (int side = 0; side < 2; side++) {
        const struct shape *factor = &product->inputs[side]->type.shape;
        if (factor->rank != shape->rank || factor->dims[0] != BATCH)
            return false;
        for (int i = 1; i + 2 < shape->rank; i++)
            if (factor->dims[i] != shape->dims[i])
                return false;
    }
    return shape->rank > 2 && shape_inner_size(shape) > LANES_RESULTS;
}

/* The derivative of a weight that serves all steps of a row: steps and rows are terms of one sum, and no row
 * has results of its own. */
static struct node *lower_batch_sum(struct lowering *lowering, const struct node *node) {
    const struct node *product = node->inputs[0], *copy = lowering->copies[product->id];
    if (node->attributes.axis != 0 || product->code != OPERATOR_matmul || lowering->uses[product->id] != 1 ||
        product->loop != node->loop || !is_large_by_row(copy))
        return NULL;
    return graph_node(lowering->to, OPERATOR_matmul_sum, copy->inputs, 2, NULL, NULL);
}

/* A value that is itself a weight or a loop's state, or a view of one, is taken before it is overwritten. */
static struct node *taken_before(struct lowering *lowering, struct node *value) {
    const enum operator_code code = below_views(value)->code;
    bool is_overwritten = code == OPERATOR_weight || code == OPERATOR_loop_state;
    return is_overwritten ? graph_unary(lowering->to, OPERATOR_copy, value) : value;
}

/* A product's side that is one value expanded to all rows, as the derivative of a sum, gets rows of its own:
 * products read planes. */
static struct node *with_rows(struct lowering *lowering, struct node *side) {
    bool has_rows = shape_batch_axis(&side->type.shape) >= 0;
    bool is_lent = has_rows && shape_batch_axis(&below_views(side)->type.shape) < 0;
    return is_lent ? graph_unary(lowering->to, OPERATOR_copy, side) : side;
}

static struct node *somewhere(struct lowering *lowering, struct node *value) {
    return lies_nowhere(value) ? graph_unary(lowering->to, OPERATOR_copy, value) : value;
}

/* For kernels that read whole planes: the value as it lies in memory, with rows where it has them. */
static struct node *in_memory(struct lowering *lowering, struct node *value) {
    value = somewhere(lowering, with_rows(lowering, value));
    return is_stored(value) ? value : graph_unary(lowering->to, OPERATOR_copy, value);
}

/* Is it x - max(x, axis), the maximum of each stretch spread over that stretch?  Then no element is above 0,
 * and one of each stretch is 0. */
static bool is_shifted(const struct node *node, int64_t *axis) {
    if (node->code != OPERATOR_subtract)
        return false;
    const struct node *x = node->inputs[0], *top = node->inputs[1];
    while (top->code == OPERATOR_expand)
        top = top->inputs[0];
    struct shape kept = top->type.shape;
    if (top->code == OPERATOR_reshape)
        top = top->inputs[0];
    *axis = top->attributes.axis;
    if (top->code != OPERATOR_max || top->inputs[0] != x)
        return false;
    struct shape stretch = x->type.shape;
    stretch.dims[*axis] = 1;
    return shape_equal(&kept, &stretch);
}

/* The exponentials of a softmax, and the logarithm of their sum, have a range that is known. */
static enum operator_code narrowed(const struct node *node, const struct node *input) {
    int64_t axis;
    if (node->code == OPERATOR_exp && is_shifted(input, &axis))
        return OPERATOR_exp_shifted;
    const struct node *sum = below_views(input);
    if (node->code == OPERATOR_log && sum->code == OPERATOR_sum &&
        sum->inputs[0]->code == OPERATOR_exp_shifted && is_shifted(sum->inputs[0]->inputs[0], &axis) &&
        sum->attributes.axis == axis)
        return OPERATOR_log_shifted;
    return node->code;
}

/* A bias that is added to a convolution: one number for each channel. */
static bool is_channel_bias(const struct node *bias) {
    const struct shape *shape = &bias->type.shape;
    return shape->rank >= 3 && shape_batch_axis(shape) < 0 && shape->dims[shape->rank - 2] == 1 &&
           shape->dims[shape->rank - 1] == 1;
}

static struct node *lower_bias(struct lowering *lowering, const struct node *node,
                               struct node *const *inputs) {
    for (int side = 0; side < 2; side++) {
        const struct node *y = node->inputs[side];
        if (y->code != OPERATOR_convolve || lowering->uses[y->id] != 1 || y->loop != node->loop ||
            !shape_equal(&y->type.shape, &node->type.shape) || !is_channel_bias(inputs[1 - side]))
            continue;
        struct node *copy = lowering->copies[y->id];
        struct node *biased[3] = {copy->inputs[0], copy->inputs[1], in_memory(lowering, inputs[1 - side])};
        return graph_node(lowering->to, OPERATOR_convolve, biased, 3, &y->attributes, NULL);
    }
    return NULL;
}

/* What is scaled once for all rows: of more weights or terms it would cost too much of what few rows gain. */
enum { SCALED = 256, SCALED_TERMS = 16 };

static bool can_scale(const struct node *value) {
    return shape_batch_axis(&value->type.shape) < 0 && shape_inner_size(&value->type.shape) <= SCALED;
}

/* sigmoid(x @ W + b) becomes 1 / (1 + 2^-(x @ W' + b')) with W' = W log2 e and b' = b log2 e, and tanh
 * likewise: a small table is scaled once, and every row has three operations less. */
static struct node *lower_activation(struct lowering *lowering, const struct node *node,
                                     struct node *argument) {
    const double log2_e = 1.4426950408889634;
    const bool is_sigmoid = node->code == OPERATOR_sigmoid;
    if (node->loop || lowering->uses[node->inputs[0]->id] != 1 ||
        (argument->code != OPERATOR_affine && argument->code != OPERATOR_matmul))
        return NULL;
    struct node *operands[3] = {argument->inputs[0], argument->inputs[1],
                                argument->input_count == 3 ? argument->inputs[2] : NULL};
    const int table = can_scale(operands[1]) ? 1 : 0;
    const struct shape *left = &operands[0]->type.shape;
    if (!can_scale(operands[table]) || shape_batch_axis(&operands[1 - table]->type.shape) < 0 ||
        left->dims[left->rank - 1] > SCALED_TERMS || (operands[2] && !can_scale(operands[2])))
        return NULL;
    struct node *factor = graph_number(lowering->to, is_sigmoid ? log2_e : 2 * log2_e, node->type.element);
    for (int k = 0; k < argument->input_count; k++)
        if (k != 1 - table)
            operands[k] = graph_binary(lowering->to, OPERATOR_multiply, operands[k], factor);
    struct node *scaled =
        graph_node(lowering->to, argument->code, operands, argument->input_count, NULL, NULL);
    return graph_unary(lowering->to, is_sigmoid ? OPERATOR_sigmoid_base2 : OPERATOR_tanh_base2, scaled);
}

static struct node *lower_node(struct lowering *lowering, const struct node *node, struct node **inputs) {
    if (node->code == OPERATOR_stop_gradient)
        return inputs[0];
    if (node->code == OPERATOR_training)
        return graph_number(lowering->to, lowering->training, node->type.element);
    if (node->code == OPERATOR_reshape && !is_stored(inputs[0])) {
        struct node view = *node;
        view.inputs = inputs;
        if (!reshape_is_unit(&view))
            inputs[0] = graph_unary(lowering->to, OPERATOR_copy, inputs[0]);
    }
    if (node->code == OPERATOR_assign || node->code == OPERATOR_loop_next)
        inputs[1] = taken_before(lowering, inputs[1]);
    if (node->code == OPERATOR_matmul)
        for (int k = 0; k < 2; k++)
            inputs[k] = somewhere(lowering, with_rows(lowering, inputs[k]));
    if (operators[node->code].kind == KIND_FOLD)
        inputs[0] = somewhere(lowering, inputs[0]);
    if (operators[node->code].kind == KIND_KERNEL)
        for (int k = 0; k < node->input_count; k++)
            inputs[k] = in_memory(lowering, inputs[k]);
    if (node->code == OPERATOR_add) {
        struct node *affine = lower_add(lowering, node, inputs);
        if (!affine)
            affine = lower_bias(lowering, node, inputs);
        if (affine)
            return affine;
    }
    if (node->code == OPERATOR_sum) {
        struct node *product = lower_batch_sum(lowering, node);
        if (product)
            return product;
    }
    if (node->code == OPERATOR_sigmoid || node->code == OPERATOR_tanh) {
        struct node *scaled = lower_activation(lowering, node, inputs[0]);
        if (scaled)
            return scaled;
    }
    enum operator_code code = node->input_count ? narrowed(node, inputs[0]) : node->code;
    return graph_node(lowering->to, code, inputs, node->input_count, &node->attributes, NULL);
}

/* Loops end where they did: before the copy of the first node behind them, which is to be made next. */
static void copy_loops(const struct graph *graph, struct graph *lowered) {
    lowered->loop_count = graph->loop_count;
    lowered->loops = arena_array(lowered->arena, struct loop, (size_t)graph->loop_count);
    for (int i = 0; i < graph->loop_count; i++)
        lowered->loops[i] =
            (struct loop){.steps = graph->loops[i].steps, .backwards = graph->loops[i].backwards};
}

static void end_loops(const struct graph *graph, struct graph *lowered, int id, int *ended) {
    while (*ended < graph->loop_count && graph->loops[*ended].end <= id)
        lowered->loops[(*ended)++].end = lowered->count;
}

void lower(const struct graph *graph, struct node **roots, int root_count, struct graph *lowered,
           struct arena *arena) {
    graph_start(lowered, arena);
    lowered->batch_name = graph->batch_name;
    struct lowering lowering = {.from = graph, .to = lowered};
    lowering.uses = arena_array(arena, int, (size_t)graph->count);
    lowering.copies = arena_array(arena, struct node *, (size_t)graph->count);
    for (int i = 0; i < root_count; i++)
        lowering.training = lowering.training || roots[i]->code == OPERATOR_assign;
    count_uses(&lowering, roots, root_count);
    copy_loops(graph, lowered);
    int ended = 0;
    for (int id = 0; id < graph->count; id++) {
        const struct node *node = graph->nodes[id];
        struct node *inputs[3];
        end_loops(graph, lowered, id, &ended);
        if (!lowering.uses[id])
            continue;
        for (int k = 0; k < node->input_count; k++)
            inputs[k] = lowering.copies[node->inputs[k]->id];
        lowered->span = node->span;
        lowered->home = node->home;
        lowered->origin = node->origin;
        lowered->forward = node->forward;
        struct node *copy = lower_node(&lowering, node, inputs);
        if (!copy->name)
            copy->name = node->name;
        lowering.copies[id] = copy;
    }
    end_loops(graph, lowered, graph->count, &ended);
    for (int i = 0; i < root_count; i++)
        roots[i] = lowering.copies[roots[i]->id];
}
