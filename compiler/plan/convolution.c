/* What the kernels of convolutions and windows are called with. */
#include "plan/plan.h"

bool plan_is_convolution(const struct node *node) {
    return node->code == OPERATOR_convolve || node->code == OPERATOR_convolve_transposed ||
           node->code == OPERATOR_convolve_weights;
}

static struct convolution_axis axis_of(const struct node *node, int axis, const struct shape *source,
                                       const struct shape *result, const struct shape *weights) {
    const struct convolving *how = &node->attributes.convolving;
    return (struct convolution_axis){.source = (long)source->dims[2 + axis],
                                     .result = (long)result->dims[2 + axis],
                                     .kernel = (long)weights->dims[2 + axis],
                                     .stride = (long)how->stride[axis],
                                     .dilation = (long)how->dilation[axis],
                                     .padding = (long)how->padding[axis][0]};
}

struct convolution plan_convolution(const struct node *node) {
    const struct shape *source = &node->inputs[0]->type.shape, *second = &node->inputs[1]->type.shape;
    bool is_sweep = node->code == OPERATOR_convolve_weights;
    const struct shape *result = is_sweep ? second : &node->type.shape;
    const struct shape *weights = is_sweep ? &node->type.shape : second;
    long groups = (long)node->attributes.convolving.groups;
    return (struct convolution){.transposed = node->code == OPERATOR_convolve_transposed,
                                .groups = groups,
                                .sources = (long)source->dims[1] / groups,
                                .results = (long)result->dims[1] / groups,
                                .down = axis_of(node, 0, source, result, weights),
                                .across = axis_of(node, 1, source, result, weights)};
}

struct overlap plan_overlap(const struct node *node) {
    const struct shape *windows = &node->inputs[0]->type.shape, *whole = &node->type.shape;
    int axis = (int)node->attributes.axis;
    struct overlap overlap = {.outer = 1, .n = whole->dims[axis], .inside = 1};
    overlap.places = windows->dims[axis];
    overlap.size = windows->dims[axis + 1];
    for (int i = 0; i < whole->rank; i++)
        if (whole->dims[i] != BATCH && i != axis)
            *(i < axis ? &overlap.outer : &overlap.inside) *= whole->dims[i];
    return overlap;
}
