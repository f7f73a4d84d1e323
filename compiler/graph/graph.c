#include "graph/graph.h"
#include "graph/operator.h"
#include "graph/simplify.h"

#include <assert.h>
#include <string.h>

void graph_start(struct graph *graph, struct arena *arena) {
    memset(graph, 0, sizeof *graph);
    graph->arena = arena;
    graph->table_size = 64;
    graph->table = arena_array(arena, struct node *, 64);
}

/* ---- equal nodes are one node ---- */

/* FNV-1a, but eight bytes at a time; low bits, which pick the slot, then lack what high ones have. */
static uint64_t hash_words(uint64_t hash, const int64_t *words, size_t count) {
    for (size_t i = 0; i < count; i++) {
        hash = (hash ^ (uint64_t)words[i]) * 0x100000001b3u;
        hash ^= hash >> 32;
    }
    return hash;
}

static uint64_t hash_of(enum operator_code code, struct node *const *inputs, int input_count,
                        const struct attributes *attributes) {
    const struct convolving *c = &attributes->convolving;
    int64_t number;
    memcpy(&number, &attributes->number, sizeof number);
    const int64_t words[] = {code,
                             number,
                             attributes->index,
                             attributes->axis,
                             attributes->start,
                             attributes->step,
                             attributes->dilation,
                             attributes->loop,
                             attributes->type.element,
                             attributes->type.shape.rank,
                             c->stride[0],
                             c->stride[1],
                             c->dilation[0],
                             c->dilation[1],
                             c->padding[0][0],
                             c->padding[0][1],
                             c->padding[1][0],
                             c->padding[1][1],
                             c->groups};
    uint64_t hash = hash_words(0xcbf29ce484222325u, words, sizeof words / sizeof *words);
    hash = hash_words(hash, attributes->order, RANK_MAX);
    hash = hash_words(hash, attributes->type.shape.dims, RANK_MAX);
    for (int i = 0; i < input_count; i++)
        hash = hash_words(hash, (const int64_t[]){inputs[i]->id}, 1);
    return hash;
}

/* Field by field: what pads a struct has no value. */
static bool attributes_equal(const struct attributes *a, const struct attributes *b) {
    return memcmp(&a->number, &b->number, sizeof a->number) == 0 && a->index == b->index &&
           a->axis == b->axis && a->start == b->start && a->step == b->step && a->dilation == b->dilation &&
           a->loop == b->loop && memcmp(&a->convolving, &b->convolving, sizeof a->convolving) == 0 &&
           memcmp(a->order, b->order, sizeof a->order) == 0 && a->type.element == b->type.element &&
           shape_equal(&a->type.shape, &b->type.shape);
}

static struct node *find_equal(struct graph *graph, uint64_t hash, enum operator_code code,
                               struct node *const *inputs, int input_count,
                               const struct attributes *attributes) {
    struct node *node = graph->table[hash & (uint64_t)(graph->table_size - 1)];
    for (; node; node = node->next_equal)
        if (node->code == code && node->input_count == input_count &&
            (input_count == 0 || memcmp(node->inputs, inputs, (size_t)input_count * sizeof *inputs) == 0) &&
            attributes_equal(&node->attributes, attributes))
            return node;
    return NULL;
}

static void table_insert(struct graph *graph, uint64_t hash, struct node *node) {
    struct node **slot = &graph->table[hash & (uint64_t)(graph->table_size - 1)];
    node->next_equal = *slot;
    *slot = node;
}

static void table_grow(struct graph *graph) {
    graph->table_size *= 2;
    graph->table = arena_array(graph->arena, struct node *, (size_t)graph->table_size);
    for (int i = 0; i < graph->count; i++) {
        struct node *node = graph->nodes[i];
        table_insert(graph, hash_of(node->code, node->inputs, node->input_count, &node->attributes), node);
    }
}

/* The loop that the inputs are of; what leaves a loop is of none. */
static int loop_of(enum operator_code code, struct node *const *inputs, int input_count,
                   const struct attributes *attributes) {
    int loop = (int)attributes->loop;
    if (code == OPERATOR_loop_stack || code == OPERATOR_loop_final)
        return 0;
    for (int i = 0; i < input_count; i++)
        loop = inputs[i]->loop ? inputs[i]->loop : loop;
    return loop;
}

static struct node *append(struct graph *graph, uint64_t hash, enum operator_code code,
                           struct node *const *inputs, int input_count, const struct attributes *attributes,
                           struct type type) {
    arena_reserve(graph->arena, graph->nodes, graph->count, graph->capacity);
    if (graph->count >= graph->table_size)
        table_grow(graph);
    struct node *node = arena_new(graph->arena, struct node);
    node->code = code;
    node->value = node;
    node->id = graph->count;
    node->input_count = input_count;
    node->inputs = arena_array(graph->arena, struct node *, (size_t)input_count);
    for (int i = 0; i < input_count; i++)
        node->inputs[i] = inputs[i];
    node->attributes = *attributes;
    node->type = type;
    node->loop = loop_of(code, inputs, input_count, attributes);
    node->span = graph->span;
    node->home = graph->home;
    node->origin = graph->origin;
    node->forward = graph->forward;
    graph->nodes[graph->count++] = node;
    table_insert(graph, hash, node);
    return node;
}

struct node *graph_node(struct graph *graph, enum operator_code code, struct node *const *inputs,
                        int input_count, const struct attributes *attributes, struct shape_error *error) {
    struct attributes none;
    if (!attributes) {
        memset(&none, 0, sizeof none);
        attributes = &none;
    }
    struct shape_error ignored = {0};
    struct type type = {0};
    if (!operators[code].shape(graph, inputs, input_count, attributes, &type, error ? error : &ignored)) {
        assert(error);
        return NULL;
    }
    struct node *simpler = simplify(graph, code, inputs, attributes, &type);
    if (simpler)
        return simpler;
    uint64_t hash = hash_of(code, inputs, input_count, attributes);
    struct node *node = find_equal(graph, hash, code, inputs, input_count, attributes);
    return node ? node : append(graph, hash, code, inputs, input_count, attributes, type);
}

/* ---- shorthands ---- */

struct node *graph_number(struct graph *graph, double number, enum element element) {
    struct attributes attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.number = element == ELEMENT_F32 ? (double)(float)number : number;
    attributes.type.element = element;
    return graph_node(graph, OPERATOR_constant, NULL, 0, &attributes, NULL);
}

struct node *graph_unary(struct graph *graph, enum operator_code code, struct node *a) {
    return graph_node(graph, code, &a, 1, NULL, NULL);
}

struct node *graph_binary(struct graph *graph, enum operator_code code, struct node *a, struct node *b) {
    return graph_node(graph, code, (struct node *[]){a, b}, 2, NULL, NULL);
}

struct node *graph_ternary(struct graph *graph, enum operator_code code, struct node *a, struct node *b,
                           struct node *c) {
    return graph_node(graph, code, (struct node *[]){a, b, c}, 3, NULL, NULL);
}

struct node *graph_fold(struct graph *graph, enum operator_code code, struct node *a, int axis) {
    struct attributes attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.axis = axis;
    return graph_node(graph, code, &a, 1, &attributes, NULL);
}

/* A node of one input whose attributes say only its type. */
static struct node *retyped(struct graph *graph, enum operator_code code, struct node *a,
                            enum element element, struct shape shape) {
    struct attributes attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.type.element = element;
    attributes.type.shape = shape;
    return graph_node(graph, code, &a, 1, &attributes, NULL);
}

struct node *graph_reshape(struct graph *graph, struct node *a, struct shape shape) {
    return retyped(graph, OPERATOR_reshape, a, a->type.element, shape);
}

struct node *graph_expand(struct graph *graph, struct node *a, struct shape shape) {
    return retyped(graph, OPERATOR_expand, a, a->type.element, shape);
}

struct node *graph_convert(struct graph *graph, struct node *a, enum element element) {
    return retyped(graph, OPERATOR_convert, a, element, a->type.shape);
}

struct node *graph_transpose(struct graph *graph, struct node *a, const int64_t *order) {
    struct attributes attributes;
    memset(&attributes, 0, sizeof attributes);
    memcpy(attributes.order, order, (size_t)a->type.shape.rank * sizeof *order);
    return graph_node(graph, OPERATOR_transpose, &a, 1, &attributes, NULL);
}

struct node *graph_swap_last(struct graph *graph, struct node *a) {
    int rank = a->type.shape.rank;
    int64_t order[RANK_MAX];
    for (int i = 0; i < rank; i++)
        order[i] = i;
    order[rank - 1] = rank - 2;
    order[rank - 2] = rank - 1;
    return graph_transpose(graph, a, order);
}

/* The batch comes last: its sum is kept in lanes, which are then as few as the results. */
struct node *graph_unbroadcast(struct graph *graph, struct node *a, struct shape shape) {
    int batch = shape_batch_axis(&a->type.shape), more = a->type.shape.rank - shape.rank;
    for (int axis = a->type.shape.rank - 1; axis >= 0; axis--)
        if (axis != batch && (axis < more || shape.dims[axis - more] != a->type.shape.dims[axis]))
            a = graph_fold(graph, OPERATOR_sum, a, axis);
    if (batch >= 0 && (batch < more || shape.dims[batch - more] != BATCH))
        a = graph_fold(graph, OPERATOR_sum, a, shape_batch_axis(&a->type.shape));
    return graph_reshape(graph, a, shape);
}

/* ---- dumps ---- */

static void print_operands(const struct node *node, struct text *out) {
    switch (operators[node->code].kind) {
    case KIND_LEAF:
        if (node->code == OPERATOR_constant)
            text_print(out, "(%s)",
                       text_number(out->arena, node->attributes.number, node->type.element == ELEMENT_F32));
        else if (node->code == OPERATOR_coordinate)
            text_print(out, "(axis %lld)", (long long)node->attributes.axis);
        else
            text_print(out, "(%lld)", (long long)node->attributes.index);
        return;
    default:
        text_print(out, "(");
        for (int i = 0; i < node->input_count; i++)
            text_print(out, "%s%%%d", i ? ", " : "", node->inputs[i]->id);
        if (operators[node->code].kind == KIND_FOLD || node->code == OPERATOR_slice ||
            node->code == OPERATOR_pad || node->code == OPERATOR_loop_slice ||
            node->code == OPERATOR_loop_stack)
            text_print(out, ", axis %lld", (long long)node->attributes.axis);
        if (node->code == OPERATOR_slice || node->code == OPERATOR_pad)
            text_print(out, ", start %lld, step %lld", (long long)node->attributes.start,
                       (long long)node->attributes.step);
        if (node->code == OPERATOR_transpose)
            for (int i = 0; i < node->type.shape.rank; i++)
                text_print(out, "%s%lld", i ? " " : ", order ", (long long)node->attributes.order[i]);
        text_print(out, ")");
    }
}

void graph_print(const struct graph *graph, struct text *out) {
    for (int i = 0; i < graph->count; i++) {
        const struct node *node = graph->nodes[i];
        text_print(out, "%%%d ", node->id);
        if (node->name)
            text_print(out, "%s ", node->name);
        text_print(out, "= %s", operators[node->code].name);
        print_operands(node, out);
        text_print(out, " : %s\n", type_text(out->arena, &node->type, graph->batch_name));
    }
}

void graph_print_dot(const struct graph *graph, struct text *out) {
    text_print(out, "digraph model {\n    node [shape=box, fontname=\"monospace\"];\n");
    for (int i = 0; i < graph->count; i++) {
        const struct node *node = graph->nodes[i];
        text_print(out, "    n%d [label=\"%s%s%s\\n%s\"%s];\n", node->id, node->name ? node->name : "",
                   node->name ? " = " : "", operators[node->code].name,
                   type_text(out->arena, &node->type, graph->batch_name),
                   operators[node->code].kind == KIND_LEAF ? ", style=filled" : "");
        for (int k = 0; k < node->input_count; k++)
            text_print(out, "    n%d -> n%d;\n", node->inputs[k]->id, node->id);
    }
    text_print(out, "}\n");
}
