/* What the tests of graphs and plans share: a model from text, random numbers, and one run of a plan.
 *
 * A bench is one arena with a model (or an empty graph) and memory for its columns and weights, all filled
 * with random numbers from a fixed seed, so that a failure comes back.
 */
#ifndef NN_TESTS_HARNESS_H
#define NN_TESTS_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "graph/operator.h"
#include "interpreter.h"
#include "model/model.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { BENCH_COLUMNS = 16, BENCH_WEIGHTS = 64 };

struct bench {
    struct arena arena;
    jmp_buf out_of_memory;
    struct source source;
    struct diagnostics sink;
    struct model *model;
    struct graph *graph;
    uint64_t random;
    int64_t rows;
    int column_count, weight_count;
    struct node *column_nodes[BENCH_COLUMNS], *weight_nodes[BENCH_WEIGHTS];
    int64_t classes[BENCH_COLUMNS]; /* of whole-numbered columns */
    void *columns[BENCH_COLUMNS], *weights[BENCH_WEIGHTS];
};

/* ---- random numbers ---- */

static inline uint64_t bench_bits(struct bench *bench) { /* splitmix64 */
    uint64_t z = bench->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline int bench_below(struct bench *bench, int bound) {
    return (int)(bench_bits(bench) % (uint64_t)bound);
}

/* Between -1 and 1, and at least 0.05 away from 0. */
static inline double bench_number(struct bench *bench) {
    double size = 0.05 + 0.95 * (double)(bench_bits(bench) >> 11) * 0x1p-53;
    return bench_bits(bench) & 1 ? size : -size;
}

/* ---- memory of any element type, as numbers ---- */

static inline double number_at(enum element element, const void *memory, int64_t i) {
    return element == ELEMENT_F64   ? ((const double *)memory)[i]
           : element == ELEMENT_F32 ? (double)((const float *)memory)[i]
                                    : (double)((const int32_t *)memory)[i];
}

static inline void number_set(enum element element, void *memory, int64_t i, double number) {
    if (element == ELEMENT_F64)
        ((double *)memory)[i] = number;
    else if (element == ELEMENT_F32)
        ((float *)memory)[i] = (float)number;
    else
        ((int32_t *)memory)[i] = (int32_t)number;
}

static inline int64_t bench_elements(const struct bench *bench, const struct node *node) {
    return shape_inner_size(&node->type.shape) * (shape_batch_axis(&node->type.shape) >= 0 ? bench->rows : 1);
}

static inline void *bench_room(struct bench *bench, const struct node *node) {
    return arena_allocate_array(&bench->arena, (size_t)bench_elements(bench, node), 8);
}

static inline void bench_randomise(struct bench *bench, const struct node *node, int64_t classes,
                                   void *memory) {
    for (int64_t i = 0; i < bench_elements(bench, node); i++)
        number_set(node->type.element, memory, i,
                   node->type.element == ELEMENT_INT ? bench_below(bench, (int)(classes ? classes : 3))
                                                     : bench_number(bench));
}

static inline void *bench_random_values(struct bench *bench, const struct node *node, int64_t classes) {
    void *memory = bench_room(bench, node);
    bench_randomise(bench, node, classes, memory);
    return memory;
}

/* ---- a bench's life ---- */

/* setjmp has to stand in the function that lives on: use as the first statement of a test's body. */
#define bench_start(bench, seed)                                \
    do {                                                        \
        memset((bench), 0, sizeof *(bench));                    \
        (bench)->arena.out_of_memory = &(bench)->out_of_memory; \
        (bench)->sink.arena = &(bench)->arena;                  \
        (bench)->random = (seed);                               \
        if (setjmp((bench)->out_of_memory))                     \
            fail_msg("out of memory");                          \
    } while (0)

static inline void bench_drop(struct bench *bench) {
    arena_free(&bench->arena);
}

static inline const char *bench_messages(struct bench *bench) {
    struct text text = {.arena = &bench->arena};
    diagnostics_print(&bench->sink, &text);
    return text_string(&text);
}

/* Takes the model of a text; its columns and weights get nodes but no memory. */
static inline void bench_model(struct bench *bench, const char *text) {
    bench->source = (struct source){.name = "test.nn", .text = text, .length = strlen(text)};
    bench->model = model_from_text(&bench->source, &bench->arena, &bench->sink);
    if (!bench->model)
        fail_msg("%s", bench_messages(bench));
    bench->graph = &bench->model->graph;
    bench->column_count = bench->model->column_count;
    bench->weight_count = bench->model->weight_count;
    assert_true(bench->column_count <= BENCH_COLUMNS && bench->weight_count <= BENCH_WEIGHTS);
    for (int i = 0; i < bench->column_count; i++) {
        bench->column_nodes[i] = bench->model->columns[i].node;
        bench->classes[i] = bench->model->columns[i].classes;
    }
    for (int i = 0; i < bench->weight_count; i++)
        bench->weight_nodes[i] = bench->model->weights[i].node;
}

static inline void bench_graph(struct bench *bench) {
    bench->graph = arena_new(&bench->arena, struct graph);
    graph_start(bench->graph, &bench->arena);
}

/* A shape from its dimensions. */
static inline struct shape shape_of(int rank, const int64_t *dims) {
    struct shape shape = shape_scalar();
    shape.rank = rank;
    memcpy(shape.dims, dims, (size_t)rank * sizeof *dims);
    return shape;
}

static inline struct node *bench_leaf(struct bench *bench, enum operator_code leaf, int index,
                                      enum element element, struct shape shape) {
    struct attributes attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.index = index;
    attributes.type.element = element;
    attributes.type.shape = shape;
    return graph_node(bench->graph, leaf, NULL, 0, &attributes, NULL);
}

static inline struct node *bench_column(struct bench *bench, enum element element, struct shape shape) {
    assert_true(bench->column_count < BENCH_COLUMNS);
    int i = bench->column_count++;
    return bench->column_nodes[i] = bench_leaf(bench, OPERATOR_input, i, element, shape);
}

static inline struct node *bench_weight(struct bench *bench, enum element element, struct shape shape) {
    assert_true(bench->weight_count < BENCH_WEIGHTS);
    int i = bench->weight_count++;
    return bench->weight_nodes[i] = bench_leaf(bench, OPERATOR_weight, i, element, shape);
}

/* The weights stay where an interpreter found them first. */
static inline void bench_weights(struct bench *bench) {
    for (int i = 0; i < bench->weight_count; i++)
        if (!bench->weights[i])
            bench->weights[i] = bench_room(bench, bench->weight_nodes[i]);
}

/* Random columns of `rows` rows, and random weights. */
static inline void bench_fill(struct bench *bench, int64_t rows) {
    bench->rows = rows;
    for (int i = 0; i < bench->column_count; i++)
        bench->columns[i] = bench_random_values(bench, bench->column_nodes[i], bench->classes[i]);
    bench_weights(bench);
    for (int i = 0; i < bench->weight_count; i++)
        bench_randomise(bench, bench->weight_nodes[i], 0, bench->weights[i]);
}

static inline struct interpreter *bench_interpreter(struct bench *bench, const struct plan *plan) {
    bench_weights(bench);
    return interpreter_new(plan, kernels_choose(false), bench->weights, &bench->arena);
}

/* Runs the plan once; results[i] gets root i (NULL: an assignment, or not wanted). */
static inline void bench_run(struct bench *bench, struct interpreter *interpreter, void **results) {
    struct batch batch = {.rows = bench->rows,
                          .columns = (const void *const *)bench->columns,
                          .results = results,
                          .step = 1,
                          .drawn = 1};
    interpreter_run(interpreter, &batch);
}

#endif
