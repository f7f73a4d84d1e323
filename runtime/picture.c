#define _POSIX_C_SOURCE 200809L
#include "picture.h"
#include "classes.h"
#include "data/atomic_file.h"
#include "plot.h"
#include "predict.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

enum { CHUNK_ROWS = 1024, TERMINAL_COLUMNS = 64, TERMINAL_ROWS = 24 };

/* What is drawn: found once, by shape. */
struct picture {
    const struct column *input, *target;
    const struct result *output;
    int64_t classes;
    struct predictor *predictor;
    bool logits; /* the output is no probability yet */
};

/* ---- what fits ---- */

/* The number of classes that the target stands for, or 0. */
static int64_t classes_of(const struct column *target) {
    const struct type *type = &target->node->type;
    int64_t inner = shape_inner_size(&type->shape);
    if (type->element == ELEMENT_INT)
        return inner == 1 ? target->classes : 0;
    return inner > 1 ? inner : 0;
}

static bool find_picture(const struct run *run, struct picture *picture) {
    const struct model *model = run->model;
    int inputs = 0, targets = 0;
    *picture = (struct picture){0};
    for (int i = 0; i < model->column_count; i++) {
        const struct column *column = &model->columns[i];
        *(column->is_target ? &targets : &inputs) += 1;
        *(column->is_target ? &picture->target : &picture->input) = column;
    }
    if (inputs != 1 || targets != 1 || picture->input->node->type.element == ELEMENT_INT ||
        shape_inner_size(&picture->input->node->type.shape) != 2)
        return false;
    picture->classes = classes_of(picture->target);
    for (int i = 0; i < model->output_count && !picture->output; i++) {
        const struct type *type = &model->outputs[i].node->type;
        if (type->element != ELEMENT_INT && shape_batch_axis(&type->shape) >= 0 &&
            shape_inner_size(&type->shape) == picture->classes)
            picture->output = &model->outputs[i];
    }
    return picture->output != NULL;
}

bool picture_fits(const struct run *run) {
    struct picture picture;
    return find_picture(run, &picture);
}

bool picture_refuse(struct run *run) {
    return failure_set(
        run->failure, FAILURE_DATA,
        "--plot draws the regions of a model with one real input of 2 columns and an output with a "
        "number for each class of one target, and the loss of a training; %s has none of these to draw",
        run->model->path);
}

/* ---- predictions ---- */

/* Probabilities in place of scores. */
static void softmax(double *row, int64_t classes) {
    double top = row[0], sum = 0;
    for (int64_t k = 1; k < classes; k++)
        top = row[k] > top ? row[k] : top;
    for (int64_t k = 0; k < classes; k++)
        sum += row[k] = exp(row[k] - top);
    for (int64_t k = 0; k < classes; k++)
        row[k] /= sum;
}

static void put_point(struct picture *picture, int64_t row, const double *xy) {
    void *to = predictor_rows(picture->predictor)->columns[picture->input->node->attributes.index];
    for (int k = 0; k < 2; k++)
        if (picture->input->node->type.element == ELEMENT_F32)
            ((float *)to)[2 * row + k] = (float)xy[k];
        else
            ((double *)to)[2 * row + k] = xy[k];
}

static bool predict_points(void *context, size_t count, const double (*xy)[2], double *probabilities) {
    struct picture *picture = context;
    enum element element = picture->output->node->type.element;
    int64_t classes = picture->classes;
    for (size_t from = 0; from < count; from += CHUNK_ROWS) {
        int64_t rows = (int64_t)(count - from < CHUNK_ROWS ? count - from : CHUNK_ROWS);
        for (int64_t row = 0; row < rows; row++)
            put_point(picture, row, xy[from + (size_t)row]);
        predictor_run(picture->predictor, rows);
        const void *values = predictor_values(picture->predictor, 0);
        double *to = probabilities + from * (size_t)classes;
        for (int64_t i = 0; i < rows * classes; i++)
            to[i] = run_number(element, values, i);
        for (int64_t row = 0; row < rows && picture->logits; row++)
            softmax(to + row * classes, classes);
    }
    return true;
}

/* Every row of the output at the points adds up to 1. */
static bool are_probabilities(struct picture *picture, size_t count, const double (*xy)[2],
                              struct arena *arena) {
    double *values = arena_array(arena, double, count *(size_t)picture->classes);
    predict_points(picture, count, xy, values);
    for (size_t row = 0; row < count; row++) {
        double sum = 0;
        for (int64_t k = 0; k < picture->classes; k++) {
            double value = values[row * (size_t)picture->classes + (size_t)k];
            sum += value >= 0 ? value : 2;
        }
        if (!(fabs(sum - 1) < 1e-3))
            return false;
    }
    return true;
}

/* ---- points ---- */

static int label_at(const struct picture *picture, const void *targets, int64_t row) {
    enum element element = picture->target->node->type.element;
    if (element == ELEMENT_INT)
        return ((const int32_t *)targets)[row];
    int64_t best = 0;
    for (int64_t k = 1; k < picture->classes; k++)
        if (run_number(element, targets, row * picture->classes + k) >
            run_number(element, targets, row * picture->classes + best))
            best = k;
    return (int)best;
}

static const char *const *class_names(const struct run *run, const struct picture *picture) {
    const struct table_labels *names = classes_of_target(run, picture->classes);
    return names && names->count == (size_t)picture->classes ? (const char *const *)names->names : NULL;
}

static struct plot_regions regions_of(struct run *run, struct picture *picture) {
    const struct rows *rows = run->train.count ? &run->train : &run->test;
    size_t count = (size_t)rows->count;
    double(*xy)[2] = arena_allocate_array(run->arena, count, sizeof *xy);
    int *labels = arena_array(run->arena, int, count);
    for (size_t row = 0; row < count; row++) {
        const void *inputs = rows->columns[picture->input->node->attributes.index];
        for (int k = 0; k < 2; k++)
            xy[row][k] = run_number(picture->input->node->type.element, inputs, 2 * (int64_t)row + k);
        labels[row] = label_at(picture, rows->columns[picture->target->node->attributes.index], (int64_t)row);
    }
    picture->predictor = predictor_new(run, picture->output, 1, CHUNK_ROWS);
    picture->logits = !are_probabilities(picture, count, (const double(*)[2])xy, run->arena);
    return (struct plot_regions){
        .title = text_format(run->arena, "%s: %s", run->model->name, picture->output->name),
        .x_name = text_format(run->arena, "%s[0]", picture->input->name),
        .y_name = text_format(run->arena, "%s[1]", picture->input->name),
        .classes = (size_t)picture->classes,
        .names = class_names(run, picture),
        .count = count,
        .xy = (const double(*)[2])xy,
        .labels = labels,
        .predict = predict_points,
        .context = picture};
}

bool picture_write(struct run *run, const struct train_outcome *outcome, const char *path) {
    struct picture picture;
    struct plot_regions regions;
    struct plot_curve curve = {.title = run->model->loss.name,
                               .x_name = "epoch",
                               .values = outcome->losses,
                               .count = (size_t)outcome->loss_count,
                               .first = (double)outcome->first_epoch,
                               .step = 1};
    struct text svg = {.arena = run->arena}, rough = {.arena = run->arena};
    bool fits = find_picture(run, &picture);
    if (fits)
        regions = regions_of(run, &picture);
    plot_svg(fits ? &regions : NULL, curve.count ? &curve : NULL, &svg);
    if (fits) {
        plot_terminal(&regions, TERMINAL_COLUMNS, TERMINAL_ROWS, isatty(STDOUT_FILENO) == 1, &rough);
        fwrite(rough.bytes, 1, rough.length, stdout);
    }
    return atomic_file_write(path, svg.bytes, svg.length, run->failure);
}
