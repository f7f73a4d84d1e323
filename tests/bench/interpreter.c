/* Any model in nnrun's interpreter, as a worker.
 *
 *   interpreter MODEL.nn train|predict ROWS BATCH SCALE
 *
 * The kernels are those that fuse multiplication and addition, as `nnrun --fma`, where the machine has them; THREADS of
 * the environment says how many threads share large products.
 */
#define _POSIX_C_SOURCE 200809L
#include "interpreter.h"
#include "kernels/kernels.h"
#include "model/model.h"
#include "plan/plan.h"
#include "support/failure.h"
#include "worker.h"

#include <setjmp.h>

enum { MOST_COLUMNS = 8, MOST_ROOTS = 512 };

struct runner {
    const struct model *model;
    struct interpreter *interpreter;
    bool training;
    long rows, batch;
    void *columns[MOST_COLUMNS]; /* of all rows */
    void *weights[MOST_ROOTS];
    void *results[MOST_ROOTS];
    long output_size; /* of the one output, for a batch */
};

static double element_at(enum element element, const void *values, long i) {
    return element == ELEMENT_F32 ? (double)((const float *)values)[i] : ((const double *)values)[i];
}

static void element_set(enum element element, void *values, long i, double value) {
    if (element == ELEMENT_F32)
        ((float *)values)[i] = (float)value;
    else if (element == ELEMENT_F64)
        ((double *)values)[i] = value;
    else
        ((int32_t *)values)[i] = (int32_t)value;
}

static double step(void *context, long number) {
    struct runner *runner = context;
    const struct model *model = runner->model;
    const void *columns[MOST_COLUMNS];
    const long from = number * runner->batch % runner->rows;
    for (int i = 0; i < model->column_count; i++) {
        const struct type *type = &model->columns[i].node->type;
        columns[i] = (const char *)runner->columns[i] +
                     (size_t)(from * shape_inner_size(&type->shape)) * element_size(type->element);
    }
    const struct batch batch = {
        .rows = runner->batch, .columns = columns, .results = runner->results, .step = (double)(number + 1)};
    interpreter_run(runner->interpreter, &batch);
    if (runner->training)
        return element_at(model->loss.node->type.element, runner->results[0], 0);
    double sum = 0;
    for (long i = 0; number == 0 && i < runner->output_size; i++)
        sum += (double)(i % 7 + 1) * element_at(model->outputs[0].node->type.element, runner->results[0], i);
    return sum;
}

/* A column as worker.h makes it: an input, classes, one-hot rows of as many classes, or real targets. */
static void fill_column(struct runner *runner, int index, long inputs, long classes) {
    const struct column *column = &runner->model->columns[index];
    const struct type *type = &column->node->type;
    const long inner = (long)shape_inner_size(&type->shape);
    runner->columns[index] = bench_room((size_t)(runner->rows * inner), 8);
    for (long row = 0; row < runner->rows; row++)
        for (long c = 0; c < inner; c++) {
            const double value = index == 0                     ? bench_input(row, inputs, classes, c)
                                 : type->element == ELEMENT_INT ? bench_class(row, classes)
                                 : classes > 0                  ? c == bench_class(row, classes)
                                                                : bench_target(row, inner, c);
            element_set(type->element, runner->columns[index], row * inner + c, value);
        }
}

/* CLASSES of the environment says that a real target is one-hot. */
static void fill(struct runner *runner, double scale) {
    const struct model *model = runner->model;
    const char *one_hot = getenv("CLASSES");
    const long inputs = (long)shape_inner_size(&model->columns[0].node->type.shape);
    long classes = one_hot ? atol(one_hot) : 0;
    for (int i = 1; i < model->column_count; i++)
        if (model->columns[i].node->type.element == ELEMENT_INT)
            classes = (long)model->columns[i].classes;
    for (int i = 0; i < model->column_count; i++)
        fill_column(runner, i, inputs, classes);
    for (int k = 0, plain = 0; k < model->weight_count; k++) {
        const struct type *type = &model->weights[k].node->type;
        const long count = (long)shape_inner_size(&type->shape);
        runner->weights[k] = bench_room((size_t)count, 8);
        if (!model->weights[k].is_state) { /* what a solver keeps starts from 0 */
            for (long i = 0; i < count; i++)
                element_set(type->element, runner->weights[k], i, bench_weight(plain, i, scale));
            plain++;
        }
    }
}

static void plan(struct runner *runner, struct arena *arena) {
    const struct model *model = runner->model;
    struct node *roots[MOST_ROOTS];
    int count = 0;
    if (runner->training) {
        roots[count++] = model->loss.node;
        for (int i = 0; i < model->update_count; i++)
            roots[count++] = model->updates[i];
        runner->results[0] = bench_room(1, 8);
    } else {
        const struct shape *shape = &model->outputs[0].node->type.shape;
        roots[count++] = model->outputs[0].node;
        runner->output_size =
            (long)shape_inner_size(shape) * (shape_batch_axis(shape) >= 0 ? runner->batch : 1);
        runner->results[0] = bench_room((size_t)runner->output_size, 8);
    }
    const struct kernels *fused = kernels_choose(true);
    runner->interpreter = interpreter_new(plan_make(&model->graph, roots, count, arena),
                                          fused ? fused : kernels_choose(false), runner->weights, arena);
    const char *threads = getenv("THREADS");
    if (threads && atoi(threads) > 1)
        interpreter_use_threads(runner->interpreter, threads_new(atoi(threads)));
}

int main(int count, char **arguments) {
    static struct runner runner;
    static struct arena arena;
    static jmp_buf out_of_memory;
    static struct diagnostics sink;
    static struct failure failure;
    if (count != 6)
        return 2;
    arena.out_of_memory = &out_of_memory;
    sink.arena = &arena;
    if (setjmp(out_of_memory))
        return 3;
    runner.model = model_read(arguments[1], NULL, 0, false, &arena, &sink, &failure);
    if (!runner.model) {
        struct text text = {.arena = &arena};
        diagnostics_print(&sink, &text);
        fputs(text_string(&text), stderr);
        return 1;
    }
    runner.training = strcmp(arguments[2], "train") == 0;
    runner.rows = atol(arguments[3]);
    runner.batch = atol(arguments[4]);
    fill(&runner, atof(arguments[5]));
    plan(&runner, &arena);
    return bench_serve(step, &runner, runner.training);
}
