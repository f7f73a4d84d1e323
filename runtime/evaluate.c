#include "evaluate.h"
#include "compiled.h"
#include "interpreter.h"

#include <string.h>

struct evaluator {
    struct run *run;
    struct interpreter *interpreter;
    const struct result **measures; /* (count) */
    int count;
    double *numbers; /* (count) room for an f64 or f32 each */
    void **results;
    const void **columns;
};

static void add_measure(struct evaluator *evaluator, struct node **roots, const struct result *measure) {
    evaluator->results[evaluator->count] = &evaluator->numbers[evaluator->count];
    evaluator->measures[evaluator->count] = measure;
    roots[evaluator->count++] = measure->node;
}

struct evaluator *evaluator_new(struct run *run) {
    const struct model *model = run->model;
    struct evaluator *evaluator = arena_new(run->arena, struct evaluator);
    size_t room = (size_t)model->metric_count + 1;
    struct node **roots = arena_array(run->arena, struct node *, room);
    evaluator->run = run;
    evaluator->measures = arena_array(run->arena, const struct result *, room);
    evaluator->numbers = arena_array(run->arena, double, room);
    evaluator->results = arena_array(run->arena, void *, room);
    evaluator->columns = arena_array(run->arena, const void *, (size_t)model->column_count);
    if (model->loss.node)
        add_measure(evaluator, roots, &model->loss);
    for (int i = 0; i < model->metric_count; i++)
        add_measure(evaluator, roots, &model->metrics[i]);
    if (evaluator->count) {
        evaluator->interpreter =
            interpreter_new(plan_make(&model->graph, roots, evaluator->count, run->arena), run->kernels,
                            run->weights.values, run->arena);
        interpreter_use_threads(evaluator->interpreter, run->threads);
    }
    return evaluator;
}

int evaluator_count(const struct evaluator *evaluator) {
    return evaluator->count;
}

const char *evaluator_name(const struct evaluator *evaluator, int index) {
    return evaluator->measures[index]->name;
}

void evaluator_run(struct evaluator *evaluator, const struct rows *rows, double *values) {
    const struct run *run = evaluator->run;
    if (!evaluator->count)
        return;
    run_columns(run->model, rows, 0, evaluator->columns);
    struct batch batch = {.rows = rows->count,
                          .columns = evaluator->columns,
                          .results = evaluator->results,
                          .step = (double)run->weights.progress.updates,
                          .seed = run->seed};
    if (compiled_evaluate(run->compiled, &batch, values))
        return;
    interpreter_run(evaluator->interpreter, &batch);
    for (int i = 0; i < evaluator->count; i++)
        values[i] = run_number(evaluator->measures[i]->node->type.element, &evaluator->numbers[i], 0);
}

static void print_line(struct evaluator *evaluator, const char *title, const struct rows *rows, FILE *out) {
    double *values = arena_array(evaluator->run->arena, double, (size_t)evaluator->count);
    evaluator_run(evaluator, rows, values);
    fputs(title, out);
    for (int i = 0; i < evaluator->count; i++)
        fprintf(out, "  %s %.6g", evaluator->measures[i]->name, values[i]);
    fputs("\n", out);
}

void evaluate_print(struct evaluator *evaluator, FILE *out) {
    const struct run *run = evaluator->run;
    if (!evaluator->count)
        return;
    if (run->train.count)
        print_line(evaluator, "train", &run->train, out);
    if (run->test.count)
        print_line(evaluator, "test ", &run->test, out);
}

bool evaluate_expectation(struct evaluator *evaluator) {
    const struct run *run = evaluator->run;
    const struct training *training = &run->model->training;
    const struct rows *rows = run->test.count ? &run->test : &run->train;
    if (!training->expect_metric || !rows->count)
        return true;
    double *values = arena_array(run->arena, double, (size_t)evaluator->count);
    evaluator_run(evaluator, rows, values);
    for (int i = 0; i < evaluator->count; i++) {
        if (strcmp(evaluator->measures[i]->name, training->expect_metric) != 0)
            continue;
        if (training->expect_above ? values[i] >= training->expect_bound
                                   : values[i] <= training->expect_bound)
            continue; /* a NaN meets nothing */
        diagnostic_error(run->sink, training->span, "expected %s %s %s on the %s data, found %.6g",
                         training->expect_metric, training->expect_above ? "above" : "below",
                         text_number(run->arena, training->expect_bound, false),
                         run->test.count ? "test" : "train", values[i]);
        return false;
    }
    return true;
}
