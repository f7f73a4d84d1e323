#include "run.h"

#include <string.h>

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
