/* What enters a loop, is handed from round to round, and leaves it: copies, of which one side lies elsewhere
 * in each round. */
#include "graph/operator.h"
#include "instruction.h"

#include <string.h>

static void copy(struct interpreter *in, const struct instruction *i, const struct planes *x, char *y) {
    const enum element element = i->node->type.element;
    const int64_t n = width_of(in, &i->result);
    if (!x->index && x->step == n * (int64_t)i->size) {
        memcpy(y, x->at, (size_t)(i->count * x->step));
        return;
    }
    if (element != ELEMENT_INT) {
        i->kernels->elementwise[OPERATOR_copy]((long)i->count, (long)n, y, x);
        return;
    }
    for (int64_t e = 0; e < i->count; e++, y += n * (int64_t)i->size)
        in->kernels->convert(element, element, (long)n, x->at + x->step * (x->index ? x->index[e] : e),
                             x->scalar, y);
}

static void run_copy(struct interpreter *in, const struct instruction *i) {
    struct planes room[3];
    copy(in, i, planes_of(in, i, room), plane_of(in, &i->result, 0));
}

static void run_slice(struct interpreter *in, const struct instruction *i) {
    struct planes room[3], x = *planes_of(in, i, room);
    x.at += in->step * i->turn * i->operands[0].element_step;
    copy(in, i, &x, plane_of(in, &i->result, 0));
}

static void run_stack(struct interpreter *in, const struct instruction *i) {
    struct planes room[3];
    copy(in, i, planes_of(in, i, room), plane_of(in, &i->result, in->step * i->turn));
}

void choose_loop(struct interpreter *in, struct instruction *i) {
    const struct node *node = i->node;
    const bool is_next = node->code == OPERATOR_loop_next;
    const bool is_slice = node->code == OPERATOR_loop_slice;
    i->turn = i->count;
    struct access from = is_slice ? plan_slice_operand(node, &i->turn) : plan_operand(node, is_next ? 1 : 0);
    i->run = is_slice ? run_slice : node->code == OPERATOR_loop_stack ? run_stack : run_copy;
    if (is_next) {
        struct access state = whole(node->inputs[0]);
        i->result = place_operand(in, &state);
    }
    i->operand_count = 1;
    i->operands[0] = place_operand(in, &from);
}
