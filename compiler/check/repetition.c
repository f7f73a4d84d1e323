/* Functions that call a layer many times: repeat, one call behind the other, each with weights of its own;
 * and scan, along an axis with a state that is carried from step to step, all with the weights of the first.
 *
 * A scan's steps become a loop of the graph, whose body is made once; see graph.h.  Where a body cannot be
 * one for all steps, each step is put into the graph like any other call, and there is a limit to their
 * number.
 */
#include "check/check.h"
#include "graph/operator.h"

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

enum {
    STEPS_MAX = 1024, /* that are written out */
    STEPS_FEW = 3,    /* up to so many always are: values then pass from one to the next in registers */
};

struct scan {
    const struct value *body;
    int axis;
    struct span span;
    struct value state; /* carried: a tensor, or a list of them */
    struct node **kept; /* what each step gives to the result */
    int64_t done, steps;
    bool has_weights;       /* a first step was made, */
    struct sharing sharing; /* with these weights */
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
    return true;
}

void note_scan_state(struct checker *checker, struct diagnostic *to, const struct value *number) {
    const struct value *state = checker->state;
    const char *rows = checker->graph->batch_name;
    const bool list = state && state->kind == VALUE_LIST;
    const int count = list ? state->item_count : state ? 1 : 0;
    for (int i = 0; number->kind == VALUE_NUMBER && i < count; i++) {
        const struct value *part = list ? &state->items[i] : state;
        if (part->kind != VALUE_NUMBER || part->number != number->number)
            continue;
        const char *text = text_number(checker->arena, part->number, false);
        diagnostic_note(checker->sink, to, part->span, "the state begins as this number, which has no axes");
        diagnostic_note(checker->sink, to, (struct span){0},
                        "a state with axes begins as broadcast_to(%s, [%s%s8]), one of two parts as [%s, %s]",
                        text, rows ? rows : "", rows ? ", " : "", text, text);
        return;
    }
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

/* Calls the body for one step, with the weights of the first. */
static struct value call_body(struct checker *checker, struct scan *scan, struct node *x,
                              const struct value *state) {
    const struct value step = value_tensor(x, scan->span);
    struct sharing *outer = checker->sharing;
    const struct value *outer_state = checker->state;
    checker->state = state;
    if (!scan->has_weights)
        scan->sharing.first = outer ? outer->next : checker->model->weight_count;
    else {
        scan->sharing.next = scan->sharing.first;
        checker->sharing = &scan->sharing;
    }
    struct value after = call_held(checker, scan->body, &step, state, scan->span);
    checker->sharing = outer;
    checker->state = outer_state;
    scan->has_weights = true;
    return after;
}

/* What the scan gives of a state: a list's first part. */
static struct node *result_of(struct checker *checker, const struct value *state, enum element element) {
    return to_tensor(checker, state->kind == VALUE_LIST ? &state->items[0] : state, element);
}

static bool run_step(struct checker *checker, struct scan *scan, struct node *slice) {
    struct shape rest = shape_without(&slice->type.shape, scan->axis);
    struct value after = call_body(checker, scan, graph_reshape(checker->graph, slice, rest), &scan->state);
    if (after.kind == VALUE_ERROR || !keeps_state(checker, scan, &after))
        return false;
    scan->state = after;
    scan->kept[scan->done] = result_of(checker, &after, slice->type.element);
    return scan->kept[scan->done++] != NULL;
}

static struct node *step_of(struct checker *checker, const struct scan *scan, struct node *x, int64_t from,
                            int64_t count) {
    struct attributes attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.axis = scan->axis;
    attributes.start = from;
    attributes.step = 1;
    attributes.type = x->type;
    attributes.type.shape.dims[scan->axis] = count;
    checker->graph->span = scan->span;
    return graph_node(checker->graph, OPERATOR_slice, &x, 1, &attributes, NULL);
}

/* The steps of a stretch of x, in their order.  Slices are halved down to single steps, so that their
 * derivatives are put together in as many rounds as there are halvings. */
static bool run_steps(struct checker *checker, struct scan *scan, struct node *stretch) {
    int64_t size = stretch->type.shape.dims[scan->axis], half = (size + 1) / 2;
    if (size == 1)
        return run_step(checker, scan, stretch);
    return run_steps(checker, scan, step_of(checker, scan, stretch, 0, half)) &&
           run_steps(checker, scan, step_of(checker, scan, stretch, half, size - half));
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

/* ---- a scan as a loop ---- */

/* The parts of a state that are tensors become the loop's states, of the types that they have after a first
 * step; a part that is a number has to stay that number. */
static bool begin_state(struct checker *checker, int loop, const struct value *initial,
                        const struct value *after, struct value *state) {
    if (after->kind == VALUE_LIST) {
        *state = *after;
        state->items = arena_array(checker->arena, struct value, (size_t)after->item_count);
        for (int i = 0; i < after->item_count; i++)
            if (!begin_state(checker, loop, &initial->items[i], &after->items[i], &state->items[i]))
                return false;
        return true;
    }
    if (after->kind != VALUE_TENSOR) {
        *state = *initial;
        return after->number == initial->number;
    }
    struct node *first = to_tensor(checker, initial, after->tensor->type.element);
    first = graph_expand(checker->graph, first, after->tensor->type.shape);
    *state = value_tensor(graph_loop_state(checker->graph, loop, first), initial->span);
    return true;
}

/* Leaves the state to the next round; false if it is not what it was before. */
static bool end_state(struct checker *checker, const struct value *state, const struct value *after) {
    if (after->kind != state->kind)
        return false;
    if (after->kind == VALUE_LIST) {
        bool same = after->item_count == state->item_count;
        for (int i = 0; same && i < after->item_count; i++)
            same = end_state(checker, &state->items[i], &after->items[i]);
        return same;
    }
    if (after->kind != VALUE_TENSOR)
        return after->kind == VALUE_NUMBER && after->number == state->number;
    const struct type *old = &state->tensor->type, *new = &after->tensor->type;
    if (old->element != new->element || !shape_equal(&old->shape, &new->shape))
        return false;
    graph_loop_next(checker->graph, state->tensor, after->tensor);
    return true;
}

/* A round's values have all a value for each row, or none has: sums over the batch are not known before the
 * last tile.  Random numbers would be the same in all rounds.  A stack has one axis more. */
static bool fits_loop(const struct graph *graph, int loop) {
    int rows = -1;
    for (int id = graph_loop(graph, loop)->start; id < graph->count; id++) {
        const struct node *node = graph->nodes[id];
        if (is_random(node))
            return false;
        if (node->loop != loop)
            continue;
        int has_rows = shape_batch_axis(&node->type.shape) >= 0;
        if (node->type.shape.rank == RANK_MAX || (rows >= 0 && has_rows != rows))
            return false;
        rows = has_rows;
    }
    return true;
}

/* The scan as a loop, after a first step has shown what the state is; NULL where the body does not allow it:
 * its errors are then those of the steps one by one. */
static struct node *as_loop(struct checker *checker, struct scan *scan, struct node *x,
                            const struct value *initial) {
    struct graph *graph = checker->graph;
    struct diagnostics *sink = checker->sink, unheard = {.arena = checker->arena};
    const int noise_count = checker->noise_count;
    const bool within = checker->in_loop;
    int loop = graph_loop_open(graph, scan->steps, false);
    struct value before, after = value_none;
    struct node *result = NULL;
    checker->sink = &unheard;
    checker->in_loop = true;
    if (begin_state(checker, loop, initial, &scan->state, &before))
        after = call_body(checker, scan, graph_loop_slice(graph, loop, x, scan->axis), &before);
    graph->span = scan->span;
    if (!unheard.error_count && end_state(checker, &before, &after) && graph_loop(graph, loop)->last &&
        fits_loop(graph, loop))
        result = result_of(checker, &after, x->type.element);
    checker->sink = sink;
    checker->in_loop = within;
    checker->noise_count = noise_count;
    if (!result || scan->axis > result->type.shape.rank || result->type.shape.rank == RANK_MAX)
        return NULL;
    graph_loop_close(graph, loop);
    return graph_loop_stack(graph, loop, result, scan->axis);
}

static bool may_be_written_out(struct checker *checker, const struct scan *scan, const struct node *x) {
    if (scan->steps <= STEPS_MAX)
        return true;
    struct diagnostic *error =
        check_error(checker, scan->span, "%lld steps along axis %d of %s: this scan takes at most %d",
                    (long long)scan->steps, scan->axis,
                    shape_text(checker->arena, &x->type.shape, checker->graph->batch_name), (int)STEPS_MAX);
    diagnostic_note(checker->sink, error, (struct span){0},
                    "its steps are not alike, so that each is a part of the graph of its own: its body draws "
                    "random numbers, sums over the batch, or counts");
    return false;
}

/* scan(x, cell, initial, axis = 1): state = cell(x[:, t], state) for t = 0, 1, ...; the result is what the
 * states were, or of a list of states the first. */
struct value call_scan(struct checker *checker, struct value *arguments, struct span span) {
    struct node *x = tensor_argument(checker, &arguments[0]);
    struct scan scan = {.body = &arguments[1], .span = span, .state = arguments[2]};
    if (!arguments[3].span.source)
        arguments[3].span = span; /* axis 1, which nobody has written */
    if (!x || !is_layer(checker, &arguments[1]) || !find_steps(checker, x, &arguments[3], &scan))
        return value_error;
    if (scan.state.kind == VALUE_LIST && scan.state.item_count == 0) {
        check_error(checker, scan.state.span, "expected a state to begin with, found an empty list");
        return value_error;
    }
    scan.kept = arena_array(checker->arena, struct node *, (size_t)scan.steps);
    if (scan.steps > STEPS_FEW && !checker->in_loop) {
        if (!run_step(checker, &scan, step_of(checker, &scan, x, 0, 1)))
            return value_error;
        struct node *stack = as_loop(checker, &scan, x, &arguments[2]);
        if (stack)
            return value_tensor(stack, span);
        scan.state = arguments[2];
        scan.done = 0;
    }
    if (!may_be_written_out(checker, &scan, x) || !run_steps(checker, &scan, x))
        return value_error;
    return stacked(checker, &scan, &arguments[3]);
}
