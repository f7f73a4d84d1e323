#include "graph/type.h"

#include <string.h>

const char *element_name(enum element element) {
    static const char *const names[] = {"f32", "f64", "int"};
    return names[element];
}

size_t element_size(enum element element) {
    return element == ELEMENT_F64 ? 8 : 4;
}

struct shape shape_scalar(void) {
    struct shape shape;
    memset(&shape, 0, sizeof shape);
    return shape;
}

bool shape_equal(const struct shape *a, const struct shape *b) {
    return a->rank == b->rank && memcmp(a->dims, b->dims, sizeof a->dims) == 0;
}

int shape_batch_axis(const struct shape *shape) {
    for (int axis = 0; axis < shape->rank; axis++)
        if (shape->dims[axis] == BATCH)
            return axis;
    return -1;
}

int64_t shape_size_below(const struct shape *shape, int64_t axis) {
    int64_t size = 1;
    for (int64_t i = axis + 1; i < shape->rank; i++)
        size *= shape->dims[i] == BATCH ? 1 : shape->dims[i];
    return size;
}

int64_t shape_inner_size(const struct shape *shape) {
    int64_t size = 1;
    for (int axis = 0; axis < shape->rank; axis++)
        if (shape->dims[axis] != BATCH) {
            if (shape->dims[axis] > ELEMENTS_MAX / size)
                return ELEMENTS_MAX + 1;
            size *= shape->dims[axis];
            if (size == 0)
                return 0;
        }
    return size;
}

struct shape shape_without(const struct shape *shape, int axis) {
    struct shape result = shape_scalar();
    for (int i = 0; i < shape->rank; i++)
        if (i != axis)
            result.dims[result.rank++] = shape->dims[i];
    return result;
}

struct shape shape_inner(const struct shape *shape) {
    return shape_without(shape, shape_batch_axis(shape));
}

bool shape_broadcast(const struct shape *a, const struct shape *b, struct shape *result) {
    *result = shape_scalar();
    result->rank = a->rank > b->rank ? a->rank : b->rank;
    for (int i = 1; i <= result->rank; i++) {
        int64_t p = i <= a->rank ? a->dims[a->rank - i] : 1;
        int64_t q = i <= b->rank ? b->dims[b->rank - i] : 1;
        if (p != q && p != 1 && q != 1)
            return false;
        result->dims[result->rank - i] = p == 1 ? q : p;
    }
    int batches = 0;
    for (int i = 0; i < result->rank; i++)
        batches += result->dims[i] == BATCH;
    return batches <= 1;
}

int shape_axis(const struct shape *shape, int64_t axis) {
    if (axis < 0)
        axis += shape->rank;
    return axis >= 0 && axis < shape->rank ? (int)axis : -1;
}

const char *shape_text(struct arena *arena, const struct shape *shape, const char *batch_name) {
    if (shape->rank == 0)
        return "a scalar";
    struct text text = {.arena = arena};
    for (int i = 0; i < shape->rank; i++) {
        text_print(&text, i ? ", " : "[");
        if (shape->dims[i] == BATCH)
            text_print(&text, "%s", batch_name ? batch_name : "batch");
        else
            text_print(&text, "%lld", (long long)shape->dims[i]);
    }
    text_print(&text, "]");
    return text_string(&text);
}

const char *type_text(struct arena *arena, const struct type *type, const char *batch_name) {
    if (type->shape.rank == 0)
        return element_name(type->element);
    return text_format(arena, "%s%s", element_name(type->element),
                       shape_text(arena, &type->shape, batch_name));
}
