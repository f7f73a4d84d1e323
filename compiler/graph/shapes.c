/* The shape rules: what type a node has, or why it cannot be.
 *
 * Messages say what was found and what was expected; the checker adds the place and where both sides
 * came from.
 */
#include "graph/operator.h"

#include <string.h>

static bool fail(struct shape_error *error, const char *message) {
    error->message = message;
    return false;
}

static const char *shown(struct graph *graph, const struct node *node) {
    return shape_text(graph->arena, &node->type.shape, graph->batch_name);
}

bool shape_given(struct graph *graph, struct node *const *inputs, int input_count,
                 const struct attributes *attributes, struct type *type, struct shape_error *error) {
    (void)graph, (void)inputs, (void)input_count, (void)error;
    *type = attributes->type;
    return true;
}

bool shape_elementwise(struct graph *graph, struct node *const *inputs, int input_count,
                       const struct attributes *attributes, struct type *type, struct shape_error *error) {
    (void)attributes;
    *type = inputs[0]->type;
    for (int i = 1; i < input_count; i++) {
        struct shape joined;
        if (inputs[i]->type.element != type->element)
            return fail(error,
                        text_format(graph->arena, "one side is %s and the other %s; convert one with %s(...)",
                                    element_name(type->element), element_name(inputs[i]->type.element),
                                    element_name(type->element)));
        if (!shape_broadcast(&type->shape, &inputs[i]->type.shape, &joined))
            return fail(error, text_format(graph->arena, "shapes %s and %s cannot be broadcast together",
                                           shape_text(graph->arena, &type->shape, graph->batch_name),
                                           shown(graph, inputs[i])));
        type->shape = joined;
    }
    if (shape_inner_size(&type->shape) > ELEMENTS_MAX)
        return fail(error, "the result would have too many elements");
    return true;
}

bool shape_convert(struct graph *graph, struct node *const *inputs, int input_count,
                   const struct attributes *attributes, struct type *type, struct shape_error *error) {
    (void)graph, (void)input_count, (void)error;
    type->element = attributes->type.element;
    type->shape = inputs[0]->type.shape;
    return true;
}

/* Elements of one row before the batch axis: rows stay apart only if a reshape keeps this number. */
static int64_t size_before_batch(const struct shape *shape) {
    int64_t size = 1;
    for (int i = 0; i < shape_batch_axis(shape); i++)
        size *= shape->dims[i];
    return size;
}

bool shape_reshape(struct graph *graph, struct node *const *inputs, int input_count,
                   const struct attributes *attributes, struct type *type, struct shape_error *error) {
    (void)input_count;
    const struct shape *from = &inputs[0]->type.shape, *to = &attributes->type.shape;
    *type = attributes->type;
    type->element = inputs[0]->type.element;
    bool batch_lost = (shape_batch_axis(from) < 0) != (shape_batch_axis(to) < 0);
    if (batch_lost || shape_inner_size(from) != shape_inner_size(to))
        return fail(error,
                    text_format(graph->arena, "%s cannot be reshaped to %s: the number of elements differs",
                                shown(graph, inputs[0]), shape_text(graph->arena, to, graph->batch_name)));
    if (size_before_batch(from) != size_before_batch(to))
        return fail(error,
                    text_format(graph->arena, "reshaping %s to %s would mix rows of the batch",
                                shown(graph, inputs[0]), shape_text(graph->arena, to, graph->batch_name)));
    return true;
}

bool shape_transpose(struct graph *graph, struct node *const *inputs, int input_count,
                     const struct attributes *attributes, struct type *type, struct shape_error *error) {
    (void)graph, (void)input_count, (void)error;
    *type = inputs[0]->type;
    for (int i = 0; i < type->shape.rank; i++)
        type->shape.dims[i] = inputs[0]->type.shape.dims[attributes->order[i]];
    return true;
}

bool shape_fold(struct graph *graph, struct node *const *inputs, int input_count,
                const struct attributes *attributes, struct type *type, struct shape_error *error) {
    (void)input_count;
    *type = inputs[0]->type;
    if (attributes->axis >= type->shape.rank)
        return fail(error, text_format(graph->arena, "%s has no axis %lld", shown(graph, inputs[0]),
                                       (long long)attributes->axis));
    type->shape = shape_without(&type->shape, (int)attributes->axis);
    return true;
}

/* a [..., m, k] @ b [..., k, n] gives [..., m, n]; the leading axes broadcast. */
bool shape_matmul(struct graph *graph, struct node *const *inputs, int input_count,
                  const struct attributes *attributes, struct type *type, struct shape_error *error) {
    (void)input_count, (void)attributes;
    const struct type *a = &inputs[0]->type, *b = &inputs[1]->type;
    struct shape lead_a = a->shape, lead_b = b->shape;
    if (a->element != b->element)
        return fail(error, text_format(graph->arena, "'@' of %s and %s: convert one side first",
                                       element_name(a->element), element_name(b->element)));
    if (a->shape.rank < 2 || b->shape.rank < 2)
        return fail(error, text_format(graph->arena, "'@' needs two matrices; found %s and %s",
                                       shown(graph, inputs[0]), shown(graph, inputs[1])));
    int64_t m = a->shape.dims[a->shape.rank - 2], k = a->shape.dims[a->shape.rank - 1];
    int64_t n = b->shape.dims[b->shape.rank - 1];
    if (k != b->shape.dims[b->shape.rank - 2])
        return fail(error,
                    text_format(graph->arena,
                                "'@' of %s and %s: the last dimension of the left side and the last but "
                                "one of the right side differ",
                                shown(graph, inputs[0]), shown(graph, inputs[1])));
    for (int i = 0; i < 2; i++) {
        lead_a = shape_without(&lead_a, lead_a.rank - 1);
        lead_b = shape_without(&lead_b, lead_b.rank - 1);
    }
    type->element = a->element;
    if (!shape_broadcast(&lead_a, &lead_b, &type->shape))
        return fail(error,
                    text_format(graph->arena, "'@' of %s and %s: the leading dimensions cannot be broadcast",
                                shown(graph, inputs[0]), shown(graph, inputs[1])));
    type->shape.dims[type->shape.rank++] = m;
    type->shape.dims[type->shape.rank++] = n;
    int batches = 0;
    for (int i = 0; i < type->shape.rank; i++)
        batches += type->shape.dims[i] == BATCH;
    if (batches > 1)
        return fail(error,
                    text_format(graph->arena,
                                "'@' of %s and %s would have the batch on two axes, a value for each pair "
                                "of rows, which nn does not do",
                                shown(graph, inputs[0]), shown(graph, inputs[1])));
    if (shape_inner_size(&type->shape) > ELEMENTS_MAX)
        return fail(error, "the result would have too many elements");
    return true;
}

/* Alike but for the axis, along which the sizes add up. */
bool shape_concat(struct graph *graph, struct node *const *inputs, int input_count,
                  const struct attributes *attributes, struct type *type, struct shape_error *error) {
    (void)input_count;
    const struct type *a = &inputs[0]->type, *b = &inputs[1]->type;
    struct shape rest_a = shape_without(&a->shape, (int)attributes->axis);
    struct shape rest_b = shape_without(&b->shape, (int)attributes->axis);
    if (a->element != b->element)
        return fail(
            error, text_format(graph->arena, "one part is %s and another %s; convert one with %s(...)",
                               element_name(a->element), element_name(b->element), element_name(a->element)));
    if (a->shape.rank != b->shape.rank || !shape_equal(&rest_a, &rest_b))
        return fail(error,
                    text_format(graph->arena, "parts of %s and %s: expected the same shape but for axis %lld",
                                shown(graph, inputs[0]), shown(graph, inputs[1]),
                                (long long)attributes->axis));
    *type = *a;
    type->shape.dims[attributes->axis] += b->shape.dims[attributes->axis];
    if (shape_inner_size(&type->shape) > ELEMENTS_MAX)
        return fail(error, "the result would have too many elements");
    return true;
}

/* table [n, rest...], index [...]: [index's shape..., rest...]; a table with rows, [batch, n, rest...], is
 * read by the indices of its own row. */
bool shape_gather(struct graph *graph, struct node *const *inputs, int input_count,
                  const struct attributes *attributes, struct type *type, struct shape_error *error) {
    (void)input_count, (void)attributes;
    struct shape table = inputs[0]->type.shape, index = inputs[1]->type.shape, result = index;
    bool rows = shape_batch_axis(&table) >= 0;
    if (inputs[1]->type.element != ELEMENT_INT)
        return fail(error,
                    text_format(graph->arena, "indices have to be whole numbers (int or class), found %s",
                                type_text(graph->arena, &inputs[1]->type, graph->batch_name)));
    if (inputs[0]->type.element == ELEMENT_INT)
        return fail(error, "a table holds real numbers; convert it with f32(...) or f64(...)");
    if (rows) {
        table = shape_without(&table, shape_batch_axis(&table));
        result = shape_scalar();
        result.dims[result.rank++] = BATCH;
        for (int i = 0; i < index.rank; i++)
            if (index.dims[i] != BATCH && result.rank < RANK_MAX)
                result.dims[result.rank++] = index.dims[i];
    }
    if (result.rank + table.rank - 1 > RANK_MAX)
        return fail(error,
                    text_format(graph->arena, "the result would have more than %d axes", (int)RANK_MAX));
    for (int i = 1; i < table.rank; i++)
        result.dims[result.rank++] = table.dims[i];
    type->element = inputs[0]->type.element;
    type->shape = result;
    if (shape_inner_size(&result) > ELEMENTS_MAX)
        return fail(error, "the result would have too many elements");
    return true;
}

/* What both directions ask of an image [batch, channels, height, width] and of the kernel. */
static bool fits_convolution(struct graph *graph, struct node *const *inputs, int64_t groups,
                             struct shape_error *error) {
    const struct type *x = &inputs[0]->type, *w = &inputs[1]->type;
    if (x->shape.rank != 4 || x->shape.dims[0] != BATCH)
        return fail(error, text_format(graph->arena,
                                       "a convolution takes [batch, channels, height, width]; found %s",
                                       shown(graph, inputs[0])));
    if (w->shape.rank != 4 || shape_batch_axis(&w->shape) >= 0)
        return fail(error, text_format(graph->arena,
                                       "the weights of a convolution are [results, channels, height, width] "
                                       "and the same for all rows; found %s",
                                       shown(graph, inputs[1])));
    if (x->element != w->element || x->element == ELEMENT_INT)
        return fail(error, text_format(graph->arena, "a convolution of %s by %s: convert one of them",
                                       element_name(x->element), element_name(w->element)));
    if (w->shape.dims[0] % groups)
        return fail(error, text_format(graph->arena, "%lld channels cannot be divided into %lld groups",
                                       (long long)w->shape.dims[0], (long long)groups));
    return true;
}

/* x [batch, c, h, w] by w [o, c / groups, kh, kw]: [batch, o, places down, places across]. */
bool shape_convolve(struct graph *graph, struct node *const *inputs, int input_count,
                    const struct attributes *attributes, struct type *type, struct shape_error *error) {
    (void)input_count;
    const struct convolving *how = &attributes->convolving;
    const struct shape *x = &inputs[0]->type.shape, *w = &inputs[1]->type.shape;
    if (!fits_convolution(graph, inputs, how->groups, error))
        return false;
    if (x->dims[1] != w->dims[1] * how->groups)
        return fail(error, text_format(graph->arena,
                                       "%lld channels by weights for %lld groups of %lld: expected %lld",
                                       (long long)x->dims[1], (long long)how->groups, (long long)w->dims[1],
                                       (long long)(w->dims[1] * how->groups)));
    *type = inputs[0]->type;
    type->shape.dims[1] = w->dims[0];
    for (int axis = 0; axis < 2; axis++) {
        int64_t size = x->dims[2 + axis] + how->padding[axis][0] + how->padding[axis][1];
        int64_t reach = how->dilation[axis] * (w->dims[2 + axis] - 1) + 1;
        if (reach > size)
            return fail(error, text_format(graph->arena,
                                           "the kernel reaches over %lld elements %s, but there are %lld, "
                                           "the padding included",
                                           (long long)reach, axis ? "across" : "down", (long long)size));
        type->shape.dims[2 + axis] = (size - reach) / how->stride[axis] + 1;
    }
    if (shape_inner_size(&type->shape) > ELEMENTS_MAX)
        return fail(error, "the result would have too many elements");
    return true;
}

/* y [batch, o, ...] by w [o, c / groups, kh, kw]: the image that the attributes say, which y may come from.
 */
bool shape_convolve_transposed(struct graph *graph, struct node *const *inputs, int input_count,
                               const struct attributes *attributes, struct type *type,
                               struct shape_error *error) {
    (void)input_count;
    const struct shape *y = &inputs[0]->type.shape, *w = &inputs[1]->type.shape;
    if (!fits_convolution(graph, inputs, attributes->convolving.groups, error))
        return false;
    if (y->dims[1] != w->dims[0])
        return fail(error, text_format(graph->arena, "%lld channels by weights for %lld",
                                       (long long)y->dims[1], (long long)w->dims[0]));
    *type = attributes->type;
    if (shape_inner_size(&type->shape) > ELEMENTS_MAX)
        return fail(error, "the result would have too many elements");
    return true;
}

bool shape_affine(struct graph *graph, struct node *const *inputs, int input_count,
                  const struct attributes *attributes, struct type *type, struct shape_error *error) {
    return shape_matmul(graph, inputs, input_count, attributes, type, error);
}

/* a [batch, ..., m, k] and b [batch, ..., k, n] give [..., m, n]. */
bool shape_matmul_sum(struct graph *graph, struct node *const *inputs, int input_count,
                      const struct attributes *attributes, struct type *type, struct shape_error *error) {
    if (!shape_matmul(graph, inputs, input_count, attributes, type, error))
        return false;
    type->shape = shape_without(&type->shape, 0);
    return true;
}

bool shape_assign(struct graph *graph, struct node *const *inputs, int input_count,
                  const struct attributes *attributes, struct type *type, struct shape_error *error) {
    (void)input_count, (void)attributes;
    *type = inputs[0]->type;
    struct shape joined;
    if (inputs[1]->type.element != type->element ||
        !shape_broadcast(&type->shape, &inputs[1]->type.shape, &joined) ||
        !shape_equal(&joined, &type->shape))
        return fail(error, text_format(graph->arena, "the new value is %s, the variable is %s",
                                       type_text(graph->arena, &inputs[1]->type, graph->batch_name),
                                       type_text(graph->arena, type, graph->batch_name)));
    return true;
}
