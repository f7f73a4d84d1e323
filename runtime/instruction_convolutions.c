/* Instructions of convolutions, and of windows that overlap. */
#include "instruction.h"

#include <string.h>

static void run_convolve(struct interpreter *in, const struct instruction *i) {
    struct access bias = {0};
    if (i->operand_count == 3)
        bias = plan_operand(i->node, 2);
    i->kernels->convolve(&i->convolution, in->stride, in->stride, plane_of(in, &i->operands[0], 0),
                         plane_of(in, &i->operands[1], 0),
                         i->operand_count == 3 ? plane_of(in, &i->operands[2], bias.offset) : NULL,
                         bias.strides[1], plane_of(in, &i->result, 0));
}

static void run_convolve_weights(struct interpreter *in, const struct instruction *i) {
    if (in->tile == 0)
        memset(i->lanes, 0, (size_t)(i->count * lanes_of(i->node->type.element)) * i->size);
    i->kernels->convolve_weights(&i->convolution, in->rows, in->stride, plane_of(in, &i->operands[0], 0),
                                 plane_of(in, &i->operands[1], 0), i->lanes);
}

static void run_overlap(struct interpreter *in, const struct instruction *i) {
    const struct attributes *attributes = &i->node->attributes;
    struct overlap o = plan_overlap(i->node);
    int64_t n = width_of(in, &i->result);
    i->kernels->overlap(o.outer, o.n, o.places, o.size, attributes->step, attributes->dilation, o.inside, n,
                        n, plane_of(in, &i->operands[0], 0), plane_of(in, &i->result, 0));
}

void choose_convolution(struct interpreter *in, struct instruction *i) {
    place_whole(in, i);
    if (i->node->code == OPERATOR_overlap) {
        i->run = run_overlap;
        return;
    }
    i->convolution = plan_convolution(i->node);
    i->run = i->node->code == OPERATOR_convolve_weights ? run_convolve_weights : run_convolve;
}
