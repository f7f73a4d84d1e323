/* Instructions of convolutions, and of windows that overlap. */
#include "instruction.h"

#include <string.h>

/* What a turn of a thread computes of a convolution. */
struct convolving_turn {
    struct interpreter *in;
    const struct instruction *i;
    int64_t turns;
};

static void convolve_turn(void *context, int64_t turn) {
    const struct convolving_turn *share = context;
    struct interpreter *in = share->in;
    const struct instruction *i = share->i;
    const void *x = plane_of(in, &i->operands[0], 0), *w = plane_of(in, &i->operands[1], 0);
    struct access bias = {0};
    if (i->node->code == OPERATOR_convolve_weights) {
        i->kernels->convolve_weights(&i->convolution, turn, share->turns, in->rows, in->stride, x, w,
                                     i->lanes);
        return;
    }
    if (i->operand_count == 3)
        bias = plan_operand(i->node, 2);
    i->kernels->convolve(&i->convolution, turn, share->turns, in->stride, in->stride, x, w,
                         i->operand_count == 3 ? plane_of(in, &i->operands[2], bias.offset) : NULL,
                         bias.strides[1], plane_of(in, &i->result, 0));
}

/* Twice as many turns as threads, since they are not equal: blocks of channels, lines at the border. */
static void run_convolve(struct interpreter *in, const struct instruction *i) {
    const struct convolution *shape = &i->convolution;
    int64_t products = in->rows * shape->groups * shape->sources * shape->results * shape->down.kernel *
                       shape->across.kernel * shape->down.result * shape->across.result;
    int64_t threads = threads_count(in->threads);
    struct convolving_turn share = {in, i, threads > 1 && products > LARGE ? 2 * threads : 1};
    if (i->node->code == OPERATOR_convolve_weights && in->begins)
        memset(i->lanes, 0, (size_t)(i->count * lanes_of(i->node->type.element)) * i->size);
    threads_run(in->threads, share.turns, convolve_turn, &share);
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
    i->run = run_convolve;
}
