#include "run.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>

const char *run_path(const struct run *run, const char *name) {
    const char *slash = strrchr(run->model->path, '/');
    if (name[0] == '/' || !slash)
        return name;
    return text_format(run->arena, "%.*s/%s", (int)(slash - run->model->path), run->model->path, name);
}

const char *run_place(const struct run *run, struct span span, struct span otherwise) {
    struct span at = span.source ? span : otherwise;
    if (!at.source)
        return run->model->path;
    return text_format(run->arena, "%s:%d", at.source->name, source_position(at.source, at.start).line);
}

double run_number(enum element element, const void *values, int64_t index) {
    switch (element) {
    case ELEMENT_F32:
        return (double)((const float *)values)[index];
    case ELEMENT_F64:
        return ((const double *)values)[index];
    default:
        return (double)((const int32_t *)values)[index];
    }
}

void run_columns(const struct model *model, const struct rows *rows, int64_t from, const void **columns) {
    for (int i = 0; i < model->column_count; i++) {
        const struct type *type = &model->columns[i].node->type;
        size_t row_size = (size_t)shape_inner_size(&type->shape) * element_size(type->element);
        columns[i] = rows->columns[i] ? (const char *)rows->columns[i] + (size_t)from * row_size : NULL;
    }
}

/* Of the reals of a column; 0 for any other. */
static double largest(const struct column *column, const void *values, int64_t rows) {
    const struct type *type = &column->node->type;
    const int64_t count = type->element == ELEMENT_INT ? 0 : rows * shape_inner_size(&type->shape);
    double most = 0;
    for (int64_t i = 0; i < count; i++)
        most = fmax(most, fabs(run_number(type->element, values, i)));
    return most;
}

static double largest_of(const struct run *run, int column) {
    const void *values = run->train.columns[column];
    return values ? largest(&run->model->columns[column], values, run->train.count) : 0;
}

bool run_has_large_target(const struct run *run) {
    for (int i = 0; i < run->model->column_count; i++)
        if (run->model->columns[i].is_target && largest_of(run, i) > RUN_USUAL)
            return true;
    return false;
}

void run_note_large(const struct run *run, struct diagnostic *to) {
    for (int i = 0; i < run->model->column_count; i++) {
        const struct column *column = &run->model->columns[i];
        const double most = largest_of(run, i);
        if (most > RUN_USUAL)
            diagnostic_note(
                run->sink, to, column->span,
                "numbers far from 1 are hard to learn: '%s' reaches %.6g; divide it%s, as in '%s / %g'%s",
                column->name, most, column->is_target ? " in the loss" : "", column->name,
                pow(10, round(log10(most))), column->is_target ? ", and multiply the output by as much" : "");
    }
}

static bool is_same_file(const struct stat *file, const char *path) {
    struct stat other;
    return stat(path, &other) == 0 && other.st_dev == file->st_dev && other.st_ino == file->st_ino;
}

static bool refuse_output(const struct run *run, const char *path, const char *what) {
    return failure_set(run->failure, FAILURE_USAGE,
                       "'%s' is %s: it would be overwritten; choose another name", path, what);
}

bool run_spares_file(const struct run *run, const char *path, const char *input, const char *what) {
    struct stat file;
    return !path || !input || stat(path, &file) != 0 || !S_ISREG(file.st_mode) ||
           !is_same_file(&file, input) || refuse_output(run, path, what);
}

bool run_spares_inputs(const struct run *run, const char *path) {
    const struct model *model = run->model;
    struct stat file;
    if (!path || stat(path, &file) != 0 || !S_ISREG(file.st_mode))
        return true;
    for (int i = 0; i < model->file_count; i++)
        if (is_same_file(&file, model->files[i]))
            return refuse_output(run, path, "the model itself");
    for (int i = 0; i < model->data_count; i++)
        for (int k = 0; k < model->data[i].file_count; k++)
            if (is_same_file(&file, run_path(run, model->data[i].files[k])))
                return refuse_output(run, path, "the model's data");
    for (int i = 0; i < model->weight_count; i++)
        if (model->weights[i].file && is_same_file(&file, run_path(run, model->weights[i].file)))
            return refuse_output(run, path, "where a weight starts from");
    return true;
}
