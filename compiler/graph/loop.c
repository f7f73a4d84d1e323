/* Loops: how their nodes are made.  What they are is in graph.h. */
#include "graph/graph.h"

#include <string.h>

int graph_loop_open(struct graph *graph, int64_t steps, bool backwards) {
    arena_reserve(graph->arena, graph->loops, graph->loop_count, graph->loop_capacity);
    graph->loops[graph->loop_count++] =
        (struct loop){.steps = steps, .backwards = backwards, .start = graph->count};
    return graph->loop_count;
}

static struct attributes attributes_of(int loop, struct type type) {
    struct attributes attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.loop = loop;
    attributes.type = type;
    return attributes;
}

struct node *graph_loop_slice(struct graph *graph, int loop, struct node *x, int axis) {
    struct attributes attributes = attributes_of(loop, x->type);
    attributes.axis = axis;
    attributes.type.shape = shape_without(&x->type.shape, axis);
    return graph_node(graph, OPERATOR_loop_slice, &x, 1, &attributes, NULL);
}

/* States that begin alike are different ones: each has a number, the count of nodes before it. */
struct node *graph_loop_state(struct graph *graph, int loop, struct node *initial) {
    struct attributes attributes = attributes_of(loop, initial->type);
    attributes.index = graph->count;
    return graph_node(graph, OPERATOR_loop_state, &initial, 1, &attributes, NULL);
}

void graph_loop_next(struct graph *graph, struct node *state, struct node *value) {
    struct loop *loop = &graph->loops[state->loop - 1];
    struct attributes attributes = attributes_of(state->loop, state->type);
    struct node *inputs[] = {state, graph_expand(graph, value, state->type.shape), loop->last};
    loop->last = graph_node(graph, OPERATOR_loop_next, inputs, loop->last ? 3 : 2, &attributes, NULL);
}

void graph_loop_close(struct graph *graph, int loop) {
    graph->loops[loop - 1].end = graph->count;
}

struct node *graph_loop_stack(struct graph *graph, int loop, struct node *value, int axis) {
    const struct loop *of = graph_loop(graph, loop);
    const int front = graph_loop_front(value);
    struct attributes attributes = attributes_of(loop, value->type);
    struct shape *shape = &attributes.type.shape, kept;
    int64_t order[RANK_MAX];
    memmove(&shape->dims[front + 1], &shape->dims[front],
            (size_t)(shape->rank++ - front) * sizeof *shape->dims);
    shape->dims[front] = value->loop ? of->steps : 1;
    kept = *shape;
    kept.dims[front] = of->steps;
    attributes.axis = front;
    struct node *inputs[] = {value, of->last};
    struct node *stack =
        value->loop ? graph_node(graph, OPERATOR_loop_stack, inputs, of->last ? 2 : 1, &attributes, NULL)
                    : graph_expand(graph, graph_reshape(graph, value, *shape), kept);
    for (int i = 0, from = 0; i < kept.rank; i++) {
        from += from == front;
        order[i] = i == axis ? front : from++;
    }
    return graph_transpose(graph, stack, order);
}

struct node *graph_loop_final(struct graph *graph, int loop, struct node *value) {
    struct attributes attributes = attributes_of(loop, value->type);
    struct node *inputs[] = {value, graph_loop(graph, loop)->last};
    return graph_node(graph, OPERATOR_loop_final, inputs, inputs[1] ? 2 : 1, &attributes, NULL);
}
