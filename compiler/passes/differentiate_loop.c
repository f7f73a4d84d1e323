/* The derivative of a loop is a loop that goes the other way, back-propagation through time: its states are
 * the derivatives for the states of the first, and in each round every node of the first hands its derivative
 * to its inputs, as differentiate.c does outside of loops.
 *
 * What a rule asks of the round that it is about is either kept, all rounds side by side (states, sums,
 * exponentials and the like), or made once more of what is kept.  Of what is kept only what some rule asks
 * for is ever computed.
 */
#include "graph/operator.h"
#include "passes/adjoint.h"

#include <string.h>

/* Derivatives for a node outside, of which every round has a share. */
struct part {
    struct node *to, *share;
};

struct reversal {
    struct graph *graph;
    int loop, back; /* the loop, and the one that goes the other way */
    int start, end;
    bool rows;
    const bool *wanted;
    struct node **adjoint;
    struct node **seen; /* by id - start: what stands in the other loop for a node of the loop */
    struct part *parts;
    int part_count, part_capacity;
};

/* Is its value kept rather than made again?  Kept are states, and what takes long; and a sum with a product
 * in it, for the product would not be needed alone. */
static bool is_kept(const struct node *node) {
    const struct operator_info *operator= & operators[node->code];
    if (node->code == OPERATOR_add)
        return node->inputs[0]->code == OPERATOR_matmul || node->inputs[1]->code == OPERATOR_matmul;
    if (operator->kind == KIND_ELEMENTWISE)
        return node->code == OPERATOR_power || (operator->arity == 1 && strstr(operator->maths, "nn_"));
    return operator->kind != KIND_VIEW;
}

static struct node *as_seen(const struct reversal *r, struct node *node) {
    return node->loop == r->loop ? r->seen[node->id - r->start] : node;
}

static struct node *see(struct reversal *r, struct node *node) {
    struct graph *graph = r->graph;
    struct node *inputs[3];
    if (node->code == OPERATOR_loop_slice)
        return graph_loop_slice(graph, r->back, node->inputs[0], (int)node->attributes.axis);
    if (is_kept(node)) {
        const int axis = graph_loop_front(node);
        return graph_loop_slice(graph, r->back, graph_loop_stack(graph, r->loop, node, axis), axis);
    }
    for (int k = 0; k < node->input_count; k++)
        inputs[k] = as_seen(r, node->inputs[k]);
    return graph_node(graph, node->code, inputs, node->input_count, &node->attributes, NULL);
}

/* A share of the derivative for `to`, which is of the loop or outside. */
static void hand_to(struct reversal *r, struct node *to, struct node *share) {
    if (to->loop == r->loop) {
        add_adjoint(r->graph, &r->adjoint[to->id], share);
        return;
    }
    arena_reserve(r->graph->arena, r->parts, r->part_count, r->part_capacity);
    r->parts[r->part_count++] = (struct part){to, share};
}

static void hand_back(struct reversal *r, struct node *node) {
    struct node y = *node, *inputs[3], *shares[3];
    bool reached[3];
    for (int k = 0; k < node->input_count; k++) {
        inputs[k] = as_seen(r, node->inputs[k]);
        reached[k] = r->wanted[node->inputs[k]->id];
    }
    y.inputs = inputs;
    y.value = as_seen(r, node);
    trace_to(r->graph, node);
    gradient_shares(r->graph, &y, r->adjoint[node->id], reached, shares);
    for (int k = 0; k < node->input_count; k++)
        if (shares[k])
            hand_to(r, node->inputs[k], shares[k]);
}

static struct node *zeros(struct graph *graph, struct type type) {
    return graph_expand(graph, graph_number(graph, 0, type.element), type.shape);
}

/* The share of all rounds together, of a share that is summed over the batch in each.  Derivatives are linear
 * in what comes back, so what is done with the sum of a round may be done with that of all. */
static struct node *in_total(const struct reversal *r, struct node *share) {
    struct graph *graph = r->graph;
    struct node *inputs[3];
    if (share->loop != r->back)
        return graph_binary(
            graph, OPERATOR_multiply, share,
            graph_number(graph, (double)graph_loop(graph, r->loop)->steps, share->type.element));
    for (int k = 0; k < share->input_count; k++)
        if (has_rows(share->inputs[k]))
            return graph_loop_final(graph, r->back, share);
    bool is_sum = share->code == OPERATOR_add || share->code == OPERATOR_subtract;
    for (int k = 0; k < share->input_count; k++)
        inputs[k] =
            is_sum || share->inputs[k]->loop == r->back ? in_total(r, share->inputs[k]) : share->inputs[k];
    return graph_node(graph, share->code, inputs, share->input_count, &share->attributes, NULL);
}

/* Adds up in a state what every round has for a node outside, unless it is a sum over the batch. */
static void accumulate_parts(struct reversal *r) {
    for (int i = 0; i < r->part_count; i++) {
        struct part *part = &r->parts[i];
        if (part->share->loop != r->back || (r->rows && !has_rows(part->share)))
            continue;
        struct node *state = graph_loop_state(r->graph, r->back, zeros(r->graph, part->share->type));
        graph_loop_next(r->graph, state, graph_binary(r->graph, OPERATOR_add, state, part->share));
        part->share = state;
    }
}

static void hand_out_parts(struct reversal *r) {
    for (int i = 0; i < r->part_count; i++) {
        struct part part = r->parts[i];
        struct node *total = part.share->code == OPERATOR_loop_state
                                 ? graph_loop_final(r->graph, r->back, part.share)
                                 : in_total(r, part.share);
        add_adjoint(r->graph, &r->adjoint[part.to->id], total);
    }
}

static bool is_differentiable(const struct reversal *r, const struct node *node) {
    return r->wanted[node->id] && node->type.element != ELEMENT_INT;
}

/* The derivative for a state after the last round is where its derivative begins; and in each round the
 * state's next value gets the derivative for the state. */
static void begin_states(struct reversal *r, struct node **states) {
    for (int pass = 0; pass < 2; pass++)
        for (int id = r->start; id < r->end; id++) {
            const struct node *next = r->graph->nodes[id];
            if (next->code != OPERATOR_loop_next || !is_differentiable(r, next->inputs[0]))
                continue;
            struct node **after = &r->adjoint[next->inputs[0]->id];
            struct node **state = &states[next->inputs[0]->id - r->start];
            if (pass == 0) {
                *state = graph_loop_state(r->graph, r->back, *after ? *after : zeros(r->graph, next->type));
                *after = NULL;
            } else if (r->wanted[next->inputs[1]->id])
                hand_to(r, next->inputs[1], *state);
        }
}

/* What has come back to the loop's stacks, a step for each round, or (finals) to its states. */
static void take_in(struct reversal *r, enum operator_code code, struct node *const *left, int left_count) {
    for (int i = 0; i < left_count; i++) {
        struct node *node = left[i], *value = node->inputs[0];
        if (node->attributes.loop != r->loop || node->code != code)
            continue;
        struct node *g = graph_expand(r->graph, r->adjoint[node->id], node->type.shape);
        if (code == OPERATOR_loop_stack)
            g = graph_loop_slice(r->graph, r->back, g, (int)node->attributes.axis);
        add_adjoint(r->graph, &r->adjoint[value->id], g);
    }
}

/* Ends the rounds, and gives what they leave to what the loop reads. */
static void finish(struct reversal *r, struct node *const *states) {
    struct graph *graph = r->graph;
    for (int id = r->start; id < r->end; id++) {
        struct node *state = states[id - r->start], *before = r->adjoint[id];
        if (state)
            graph_loop_next(graph, state, before ? before : zeros(graph, state->type));
    }
    accumulate_parts(r);
    graph_loop_close(graph, r->back);
    hand_out_parts(r);
    for (int id = r->start; id < r->end; id++) {
        struct node *node = graph->nodes[id], *g = r->adjoint[id];
        if (node->loop != r->loop)
            continue;
        r->adjoint[id] = NULL;
        if (states[id - r->start] && r->wanted[node->inputs[0]->id])
            add_adjoint(graph, &r->adjoint[node->inputs[0]->id],
                        graph_loop_final(graph, r->back, states[id - r->start]));
        else if (node->code == OPERATOR_loop_slice && g && r->wanted[node->inputs[0]->id])
            add_adjoint(graph, &r->adjoint[node->inputs[0]->id],
                        graph_loop_stack(graph, r->back, graph_expand(graph, g, node->type.shape),
                                         (int)node->attributes.axis));
    }
}

void differentiate_loop(struct graph *graph, int loop, const bool *wanted, struct node *const *left,
                        int left_count, struct node **adjoint) {
    const struct loop of = *graph_loop(graph, loop);
    struct reversal r = {.graph = graph, .loop = loop, .start = of.start, .end = of.end};
    r.wanted = wanted;
    r.adjoint = adjoint;
    r.rows = has_rows(of.last);
    bool any = false;
    for (int i = 0; i < left_count; i++)
        any = any || left[i]->attributes.loop == loop;
    if (!any)
        return;
    trace_to(graph, of.last);
    r.back = graph_loop_open(graph, of.steps, !of.backwards);
    const size_t size = (size_t)(of.end - of.start);
    r.seen = arena_array(graph->arena, struct node *, size);
    struct node **states = arena_array(graph->arena, struct node *, size);
    for (int id = of.start; id < of.end; id++)
        if (graph->nodes[id]->loop == loop && graph->nodes[id]->code != OPERATOR_loop_next)
            r.seen[id - of.start] = see(&r, graph->nodes[id]);
    take_in(&r, OPERATOR_loop_final, left, left_count);
    begin_states(&r, states);
    take_in(&r, OPERATOR_loop_stack, left, left_count);
    for (int id = of.end - 1; id >= of.start; id--) {
        struct node *node = graph->nodes[id];
        if (node->loop == loop && adjoint[id] && wanted[id] &&
            operators[node->code].gradient != gradient_loop)
            hand_back(&r, node);
    }
    trace_to(graph, of.last);
    finish(&r, states);
}
