#include "evaluate.h"
#include "classes.h"
#include "compiled.h"
#include "interpreter.h"
#include "kernels/table.h"

#include <string.h>

struct evaluator {
    struct run *run;
    struct interpreter *interpreter;
    const struct result **measures; /* (count) */
    int count;
    void **results;   /* (count) in the measure's element type, */
    double **numbers; /* and as doubles, one measure after the other */
    const void **columns;
};

static void add_measure(struct evaluator *evaluator, struct node **roots, const struct result *measure) {
    size_t size = (size_t)shape_inner_size(&measure->node->type.shape);
    evaluator->results[evaluator->count] = arena_array(evaluator->run->arena, double, size);
    evaluator->numbers[evaluator->count + 1] = evaluator->numbers[evaluator->count] + size;
    evaluator->measures[evaluator->count] = measure;
    roots[evaluator->count++] = measure->node;
}

/* Of the loss and all metrics together. */
static size_t numbers_of(const struct model *model) {
    size_t count = 1;
    for (int i = 0; i < model->metric_count; i++)
        count += (size_t)shape_inner_size(&model->metrics[i].node->type.shape);
    return count;
}

struct evaluator *evaluator_new(struct run *run) {
    const struct model *model = run->model;
    struct evaluator *evaluator = arena_new(run->arena, struct evaluator);
    size_t room = (size_t)model->metric_count + 1;
    struct node **roots = arena_array(run->arena, struct node *, room);
    evaluator->run = run;
    evaluator->measures = arena_array(run->arena, const struct result *, room);
    evaluator->numbers = arena_array(run->arena, double *, room + 1);
    evaluator->numbers[0] = arena_array(run->arena, double, numbers_of(model));
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
    bool compiled = compiled_evaluate(run->compiled, &batch, evaluator->numbers[0]);
    if (!compiled)
        interpreter_run(evaluator->interpreter, &batch);
    for (int i = 0; i < evaluator->count; i++) {
        const struct type *type = &evaluator->measures[i]->node->type;
        for (int64_t e = 0; !compiled && e < shape_inner_size(&type->shape); e++)
            evaluator->numbers[i][e] = run_number(type->element, evaluator->results[i], e);
        values[i] = evaluator->numbers[i][0];
    }
}

/* Names beside an axis that is as long as the target has classes; or NULL. */
static const char *const *axis_names(const struct run *run, int64_t size) {
    const struct table_labels *names = classes_of_target(run, size);
    return names && (int64_t)names->count == size ? (const char *const *)names->names : NULL;
}

static void print_table(const struct evaluator *evaluator, const char *title, int index, FILE *out) {
    const struct result *measure = evaluator->measures[index];
    const struct shape *shape = &measure->node->type.shape;
    bool matrix = shape->rank == 2;
    int64_t rows = shape->dims[0], columns = matrix ? shape->dims[1] : 1;
    nn_print_table(out, text_format(evaluator->run->arena, "%s  %s", title, measure->name), (long)rows,
                   (long)columns, matrix, axis_names(evaluator->run, rows),
                   axis_names(evaluator->run, columns), evaluator->numbers[index]);
}

/* The measures of one number in a line, then the tables. */
static void print_measures(struct evaluator *evaluator, const char *title, const struct rows *rows,
                           FILE *out) {
    double *values = arena_array(evaluator->run->arena, double, (size_t)evaluator->count);
    evaluator_run(evaluator, rows, values);
    fputs(title, out);
    for (int i = 0; i < evaluator->count; i++)
        if (evaluator->measures[i]->node->type.shape.rank == 0)
            fprintf(out, "  %s %.6g", evaluator->measures[i]->name, values[i]);
    fputs("\n", out);
    for (int i = 0; i < evaluator->count; i++)
        if (evaluator->measures[i]->node->type.shape.rank)
            print_table(evaluator, title, i, out);
}

void evaluate_print(struct evaluator *evaluator, FILE *out) {
    const struct run *run = evaluator->run;
    if (!evaluator->count)
        return;
    if (run->train.count)
        print_measures(evaluator, "train", &run->train, out);
    if (run->test.count)
        print_measures(evaluator, "test ", &run->test, out);
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
        diagnostic_error(run->sink, training->expect_span, "expected %s %s %s on the %s data, found %.6g",
                         training->expect_metric, training->expect_above ? "above" : "below",
                         text_number(run->arena, training->expect_bound, false),
                         run->test.count ? "test" : "train", values[i]);
        return false;
    }
    return true;
}
