/* Functions that call a layer many times: repeat, one call behind the other, each with weights of its own;
 * and scan, along an axis with a state that is carried from step to step, all with the weights of the first.
 *
 * A scan is unrolled: each step is put into the graph like any other call, so derivatives are those of
 * back-propagation through time and need no rule of their own.  The graph grows with the number of steps,
 * which is why that has a limit.
 */
#include "check/check.h"

#include <string.h>

/* A layer or function, which a call gives a value; false and an error if it is anything else. */
static bool is_layer(struct checker *checker, const struct value *layer) {
    if (layer->kind == VALUE_CALLABLE && (!layer->declaration || layer->declaration->kind == STATEMENT_LAYER))
        return true;
    struct diagnostic *error = check_error(checker, layer->span, "expected the name of a layer, found %s",
                                           value_describe(checker, layer));
    diagnostic_note(checker->sink, error, (struct span){0},
                    "the layer is named without a call; its further arguments follow, as in "
                    "repeat(x, 3, dense, units = 8)");
    return false;
}

/* repeat(x, 3, block, heads = 4) is block(block(block(x, heads = 4), heads = 4), heads = 4). */
struct value call_repeat(struct checker *checker, struct value *arguments, struct span span) {
    enum { TIMES_MAX = 10000 };
    int64_t times;
    struct value x = arguments[0];
    if (!to_integer(checker, &arguments[1], "how many times", 0, TIMES_MAX, &times) ||
        !is_layer(checker, &arguments[2]))
        return value_error;
    for (int64_t i = 0; i < times && x.kind != VALUE_ERROR; i++)
        x = call_held(checker, &arguments[2], &x, NULL, span);
    x.span = span;
    return x;
}

/* ---- scan ---- */

enum { STEPS_MAX = 1024 };

struct scan {
    const struct value *body;
    int axis;
    struct span span;
    struct value state; /* carried: a tensor, or a list of them */
    struct node **kept; /* what each step gives to the result */
    int64_t done, steps;
    struct sharing sharing; /* the weights that the first step has made */
};

/* The axis of x to go along, and its number of steps. */
static bool find_steps(struct checker *checker, const struct node *x, const struct value *axis,
                       struct scan *scan) {
    int64_t number;
    if (!to_integer(checker, axis, "an axis", -RANK_MAX, RANK_MAX - 1, &number))
        return false;
    const char *shape = shape_text(checker->arena, &x->type.shape, checker->graph->batch_name);
    scan->axis = shape_axis(&x->type.shape, number);
    if (scan->axis < 0) {
        check_error(checker, axis->span, "no axis %lld in %s", (long long)number, shape);
        return false;
    }
    scan->steps = x->type.shape.dims[scan->axis];
    if (scan->steps == BATCH) {
        check_error(checker, axis->span,
                    "axis %d of %s is the batch, whose rows have no order; expected another axis", scan->axis,
                    shape);
        return false;
    }
    if (scan->steps > STEPS_MAX) {
        struct diagnostic *error =
            check_error(checker, scan->span, "%lld steps along axis %d of %s: a scan takes at most %d",
                        (long long)scan->steps, scan->axis, shape, (int)STEPS_MAX);
        diagnostic_note(checker->sink, error, (struct span){0},
                        "each step is a part of the graph of its own; cut the rows into shorter ones");
        return false;
    }
    return true;
}

/* What was carried fits what comes back: of the same shape, or before the first step broadcast to it. */
static bool keeps_shape(struct checker *checker, const struct scan *scan, const struct value *before,
                        const struct value *after) {
    struct node *old = before->kind == VALUE_TENSOR ? before->tensor : NULL;
    struct shape joined;
    if (before->kind == VALUE_NUMBER &&
        (after->kind == VALUE_NUMBER || (after->kind == VALUE_TENSOR && scan->done == 0)))
        return true;
    if (after->kind == VALUE_TENSOR && old && old->type.element == after->tensor->type.element &&
        (scan->done > 0 ? shape_equal(&old->type.shape, &after->tensor->type.shape)
                        : shape_broadcast(&old->type.shape, &after->tensor->type.shape, &joined) &&
                              shape_equal(&joined, &after->tensor->type.shape)))
        return true;
    struct diagnostic *error =
        check_error(checker, scan->span, "scan: the state is %s before step %lld and %s after it",
                    value_describe(checker, before), (long long)scan->done, value_describe(checker, after));
    if (old)
        check_note_operand(checker, error, "before it", old);
    if (after->kind == VALUE_TENSOR)
        check_note_operand(checker, error, "after it", after->tensor);
    return false;
}

/* A state of several parts is a list before and after each step. */
static bool keeps_state(struct checker *checker, const struct scan *scan, const struct value *after) {
    const struct value *before = &scan->state;
    if (before->kind != VALUE_LIST)
        return keeps_shape(checker, scan, before, after);
    if (after->kind != VALUE_LIST || after->item_count != before->item_count) {
        check_error(checker, scan->span, "scan: the state is a list of %d before step %lld and %s after it",
                    before->item_count, (long long)scan->done,
                    after->kind == VALUE_LIST ? text_format(checker->arena, "one of %d", after->item_count)
                                              : value_describe(checker, after));
        return false;
    }
    for (int i = 0; i < after->item_count; i++)
        if (!keeps_shape(checker, scan, &before->items[i], &after->items[i]))
            return false;
    return true;
}

static bool run_step(struct checker *checker, struct scan *scan, struct node *slice) {
    struct shape rest = shape_without(&slice->type.shape, scan->axis);
    struct value x = value_tensor(graph_reshape(checker->graph, slice, rest), scan->span);
    struct sharing *outer = checker->sharing;
    int first = outer ? outer->next : checker->model->weight_count;
    if (scan->done > 0) {
        scan->sharing.next = scan->sharing.first;
        checker->sharing = &scan->sharing;
    }
    struct value after = call_held(checker, scan->body, &x, &scan->state, scan->span);
    checker->sharing = outer;
    if (scan->done == 0)
        scan->sharing.first = first;
    if (after.kind == VALUE_ERROR || !keeps_state(checker, scan, &after))
        return false;
    scan->state = after;
    const struct value *kept = after.kind == VALUE_LIST ? &after.items[0] : &after;
    scan->kept[scan->done++] = to_tensor(checker, kept, slice->type.element);
    return scan->kept[scan->done - 1] != NULL;
}

/* The steps of a stretch of x, in their order.  Slices are halved down to single steps, so that their
 * derivatives are put together in as many rounds as there are halvings. */
static bool run_steps(struct checker *checker, struct scan *scan, struct node *stretch) {
    int64_t size = stretch->type.shape.dims[scan->axis], half = (size + 1) / 2;
    if (size == 1)
        return run_step(checker, scan, stretch);
    for (int part = 0; part < 2; part++) {
        struct attributes attributes;
        memset(&attributes, 0, sizeof attributes);
        attributes.axis = scan->axis;
        attributes.start = part ? half : 0;
        attributes.step = 1;
        attributes.type = stretch->type;
        attributes.type.shape.dims[scan->axis] = part ? size - half : half;
        checker->graph->span = scan->span;
        struct node *slice = graph_node(checker->graph, OPERATOR_slice, &stretch, 1, &attributes, NULL);
        if (!run_steps(checker, scan, slice))
            return false;
    }
    return true;
}

/* The states after all steps along the axis that the steps had in x. */
static struct value stacked(struct checker *checker, const struct scan *scan, const struct value *axis) {
    struct value arguments[2] = {{.kind = VALUE_LIST, .item_count = (int)scan->steps, .span = scan->span},
                                 value_number(scan->axis, axis->span)};
    arguments[0].items = arena_array(checker->arena, struct value, (size_t)scan->steps);
    for (int64_t i = 0; i < scan->steps; i++)
        arguments[0].items[i] = value_tensor(scan->kept[i], scan->span);
    return call_stack(checker, arguments, scan->span);
}

/* scan(x, cell, initial, axis = 1): state = cell(x[:, t], state) for t = 0, 1, ...; the result is what the
 * states were, or of a list of states the first. */
struct value call_scan(struct checker *checker, struct value *arguments, struct span span) {
    struct node *x = tensor_argument(checker, &arguments[0]);
    struct scan scan = {.body = &arguments[1], .span = span, .state = arguments[2]};
    if (!x || !is_layer(checker, &arguments[1]) || !find_steps(checker, x, &arguments[3], &scan))
        return value_error;
    if (scan.state.kind == VALUE_LIST && scan.state.item_count == 0) {
        check_error(checker, scan.state.span, "expected a state to begin with, found an empty list");
        return value_error;
    }
    scan.kept = arena_array(checker->arena, struct node *, (size_t)scan.steps);
    return run_steps(checker, &scan, x) ? stacked(checker, &scan, &arguments[3]) : value_error;
}
