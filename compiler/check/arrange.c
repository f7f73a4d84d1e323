/* Functions that put elements elsewhere: parts side by side, axes added and taken away, tables looked up. */
#include "check/check.h"
#include "graph/operator.h"

#include <string.h>

static const char *shape_of(struct checker *checker, const struct node *node) {
    return shape_text(checker->arena, &node->type.shape, checker->graph->batch_name);
}

/* The axis that a value names, counted from the end when negative; -1 and an error if there is none. */
static int axis_argument(struct checker *checker, const struct value *axis, const struct node *of) {
    int64_t number;
    if (!to_integer(checker, axis, "an axis", -RANK_MAX, RANK_MAX - 1, &number))
        return -1;
    int found = shape_axis(&of->type.shape, number);
    if (found < 0)
        check_error(checker, axis->span, "no axis %lld in %s", (long long)number, shape_of(checker, of));
    return found;
}

int fixed_axis(struct checker *checker, const struct value *axis, const struct node *of) {
    int found = axis_argument(checker, axis, of);
    if (found < 0 || of->type.shape.dims[found] != BATCH)
        return found;
    check_error(checker, axis->span,
                "axis %d of %s is the batch: its rows stay as they are; expected another axis", found,
                shape_of(checker, of));
    return -1;
}

static struct node *with_dimension(struct checker *checker, struct node *x, int axis, int64_t size) {
    struct shape shape = x->type.shape;
    for (int i = shape.rank++; i > axis; i--)
        shape.dims[i] = shape.dims[i - 1];
    shape.dims[axis] = size;
    return size == 1 ? graph_reshape(checker->graph, x, shape) : graph_expand(checker->graph, x, shape);
}

/* A list of the sizes; the batch stands for itself. */
struct value call_shape(struct checker *checker, struct value *arguments, struct span span) {
    struct node *x = tensor_argument(checker, &arguments[0]);
    if (!x)
        return value_error;
    struct value list = {.kind = VALUE_LIST, .item_count = x->type.shape.rank, .span = span};
    list.items = arena_array(checker->arena, struct value, (size_t)list.item_count);
    for (int i = 0; i < list.item_count; i++)
        list.items[i] = x->type.shape.dims[i] == BATCH ? (struct value){.kind = VALUE_BATCH, .span = span}
                                                       : value_number((double)x->type.shape.dims[i], span);
    return list;
}

/* ---- axes of one element ---- */

struct value call_squeeze(struct checker *checker, struct value *arguments, struct span span) {
    struct node *x = tensor_argument(checker, &arguments[0]);
    int axis = x ? axis_argument(checker, &arguments[1], x) : -1;
    if (axis < 0)
        return value_error;
    if (x->type.shape.dims[axis] != 1) {
        struct diagnostic *error = check_error(
            checker, arguments[1].span, "axis %d of %s does not have the size 1", axis, shape_of(checker, x));
        check_note_operand(checker, error, "it", x);
        return value_error;
    }
    checker->graph->span = span;
    return value_tensor(graph_reshape(checker->graph, x, shape_without(&x->type.shape, axis)), span);
}

/* The position of a new axis in the result. */
static int new_axis(struct checker *checker, const struct value *axis, const struct node *x) {
    int64_t rank = x->type.shape.rank, number;
    if (rank == RANK_MAX) {
        check_error(checker, axis->span, "%s has %d axes already, the most that there can be",
                    shape_of(checker, x), (int)RANK_MAX);
        return -1;
    }
    if (!to_integer(checker, axis, "the new axis", -rank - 1, rank, &number))
        return -1;
    return (int)(number < 0 ? number + rank + 1 : number);
}

struct value call_unsqueeze(struct checker *checker, struct value *arguments, struct span span) {
    struct node *x = tensor_argument(checker, &arguments[0]);
    int axis = x ? new_axis(checker, &arguments[1], x) : -1;
    if (axis < 0)
        return value_error;
    checker->graph->span = span;
    return value_tensor(with_dimension(checker, x, axis, 1), span);
}

struct value call_broadcast_to(struct checker *checker, struct value *arguments, struct span span) {
    struct node *x = tensor_argument(checker, &arguments[0]);
    struct shape shape, joined;
    int open;
    if (!x || !shape_argument(checker, &arguments[1], &shape, &open))
        return value_error;
    if (open >= 0) {
        check_error(checker, arguments[1].items[open].span, "every size has to be given here, not -1");
        return value_error;
    }
    if (!shape_broadcast(&x->type.shape, &shape, &joined) || !shape_equal(&joined, &shape)) {
        struct diagnostic *error =
            check_error(checker, span, "%s cannot be broadcast to %s", shape_of(checker, x),
                        shape_text(checker->arena, &shape, checker->graph->batch_name));
        check_note_operand(checker, error, "it", x);
        return value_error;
    }
    checker->graph->span = span;
    return value_tensor(graph_expand(checker->graph, x, shape), span);
}

/* ---- parts side by side ---- */

/* Whole numbers travel as f64, which holds them exactly. */
static struct node *as_real(struct checker *checker, struct node *x) {
    return x->type.element == ELEMENT_INT ? graph_convert(checker->graph, x, ELEMENT_F64) : x;
}

static struct node *as_before(struct checker *checker, struct node *x, bool whole) {
    return whole ? graph_convert(checker->graph, x, ELEMENT_INT) : x;
}

/* Two by two, so that each element is moved as often as the parts can be halved. */
static struct value join(struct checker *checker, struct node *const *parts, int count, int axis,
                         struct span span) {
    if (count == 1)
        return value_tensor(parts[0], span);
    struct attributes attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.axis = axis;
    struct value left = join(checker, parts, count / 2, axis, span);
    struct value right = join(checker, parts + count / 2, count - count / 2, axis, span);
    if (left.kind == VALUE_ERROR || right.kind == VALUE_ERROR)
        return value_error;
    return make_node(checker, OPERATOR_concat, (struct node *[]){left.tensor, right.tensor}, 2, &attributes,
                     span);
}

/* The tensors of a list, and where `numbers` may be among them, those as scalars; NULL and an error if one is
 * none. `whole`: all are whole numbers. */
static struct node **parts_of(struct checker *checker, const struct value *list, bool numbers, bool *whole) {
    if (list->kind != VALUE_LIST || list->item_count == 0) {
        if (list->kind != VALUE_ERROR)
            check_error(checker, list->span, "expected a list of tensors, as in [a, b]; found %s",
                        list->kind == VALUE_LIST ? "an empty one" : value_describe(checker, list));
        return NULL;
    }
    struct node **parts = arena_array(checker->arena, struct node *, (size_t)list->item_count);
    enum element element = ELEMENT_INT;
    bool any_number = false;
    for (int i = 0; i < list->item_count; i++) {
        const struct value *item = &list->items[i];
        if (item->kind != VALUE_TENSOR && !(numbers && item->kind == VALUE_NUMBER)) {
            if (item->kind != VALUE_ERROR)
                check_error(checker, item->span, "expected a tensor, found %s",
                            value_describe(checker, item));
            return NULL;
        }
        any_number = any_number || item->kind == VALUE_NUMBER;
        if (element == ELEMENT_INT && item->kind == VALUE_TENSOR)
            element = item->tensor->type.element;
    }
    if (element == ELEMENT_INT && any_number)
        element = checker->real;
    *whole = element == ELEMENT_INT;
    for (int i = 0; i < list->item_count; i++)
        parts[i] = to_tensor(checker, &list->items[i], *whole ? ELEMENT_F64 : element);
    return parts;
}

struct value call_concat(struct checker *checker, struct value *arguments, struct span span) {
    bool whole;
    checker->graph->span = span;
    struct node **parts = parts_of(checker, &arguments[0], false, &whole);
    int axis = parts ? fixed_axis(checker, &arguments[1], parts[0]) : -1;
    if (axis < 0)
        return value_error;
    struct value joined = join(checker, parts, arguments[0].item_count, axis, span);
    return joined.kind == VALUE_ERROR ? joined : value_tensor(as_before(checker, joined.tensor, whole), span);
}

struct value call_stack(struct checker *checker, struct value *arguments, struct span span) {
    bool whole;
    checker->graph->span = span;
    struct node **parts = parts_of(checker, &arguments[0], true, &whole);
    int axis = parts ? new_axis(checker, &arguments[1], parts[0]) : -1;
    if (axis < 0)
        return value_error;
    const struct shape stacked = parts[0]->type.shape;
    for (int i = 0; i < arguments[0].item_count; i++) {
        if (i && !shape_equal(&parts[i]->type.shape, &stacked)) {
            struct diagnostic *error =
                check_error(checker, arguments[0].items[i].span,
                            "parts of %s and %s: only values of one shape can be stacked",
                            shape_text(checker->arena, &stacked, checker->graph->batch_name),
                            shape_of(checker, parts[i]));
            check_note_operand(checker, error, "this one", parts[i]);
            return value_error;
        }
        parts[i] = with_dimension(checker, parts[i], axis, 1);
    }
    struct value joined = join(checker, parts, arguments[0].item_count, axis, span);
    return joined.kind == VALUE_ERROR ? joined : value_tensor(as_before(checker, joined.tensor, whole), span);
}

static struct node *stretch(struct checker *checker, struct node *x, int axis, int64_t start, int64_t size) {
    struct attributes attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.axis = axis;
    attributes.start = start;
    attributes.step = 1;
    attributes.type = x->type;
    attributes.type.shape.dims[axis] = size;
    return graph_node(checker->graph, OPERATOR_slice, &x, 1, &attributes, NULL);
}

/* The size of part i: given in a list, or the same for all. */
static bool part_size(struct checker *checker, const struct value *parts, int i, int64_t whole,
                      int64_t *size) {
    int64_t count;
    if (parts->kind == VALUE_LIST)
        return to_integer(checker, &parts->items[i], "the size of a part", 1, ELEMENTS_MAX, size);
    if (!to_integer(checker, parts, "the number of parts", 1, ELEMENTS_MAX, &count))
        return false;
    if (whole % count) {
        check_error(checker, parts->span, "an axis of %lld elements cannot be split into %lld equal parts",
                    (long long)whole, (long long)count);
        return false;
    }
    *size = whole / count;
    return true;
}

/* A list of slices, of equal size or of the sizes in a list. */
struct value call_split(struct checker *checker, struct value *arguments, struct span span) {
    struct node *x = tensor_argument(checker, &arguments[0]);
    int axis = x ? fixed_axis(checker, &arguments[2], x) : -1;
    if (axis < 0)
        return value_error;
    struct value list = {.kind = VALUE_LIST, .span = span};
    const struct value *parts = &arguments[1];
    int64_t whole = x->type.shape.dims[axis], start = 0, size;
    if (parts->kind != VALUE_LIST && !part_size(checker, parts, 0, whole, &size))
        return value_error;
    int count = parts->kind == VALUE_LIST ? parts->item_count : (int)(whole / size);
    list.items = arena_array(checker->arena, struct value, (size_t)count);
    checker->graph->span = span;
    for (int i = 0; i < count; i++) {
        if (!part_size(checker, parts, i, whole, &size))
            return value_error;
        if (size <= whole - start)
            list.items[list.item_count++] = value_tensor(stretch(checker, x, axis, start, size), span);
        start += size <= whole - start ? size : whole + 1;
    }
    if (start == whole)
        return list;
    check_error(checker, parts->span, "the sizes of the parts do not add up to %lld, the size of axis %d",
                (long long)whole, axis);
    return value_error;
}

/* Each element (inner) or the whole axis (not inner) several times. */
static struct value repeated(struct checker *checker, struct value *arguments, bool inner, struct span span) {
    struct node *x = tensor_argument(checker, &arguments[0]);
    int axis = x ? fixed_axis(checker, &arguments[2], x) : -1;
    int64_t times;
    if (axis < 0 || !to_integer(checker, &arguments[1], "how many times", 1, 1 << 24, &times))
        return value_error;
    struct shape merged = x->type.shape;
    merged.dims[axis] *= times;
    if (x->type.shape.rank == RANK_MAX || shape_inner_size(&merged) > ELEMENTS_MAX) {
        check_error(checker, span, "the result would have too many %s",
                    x->type.shape.rank == RANK_MAX ? "axes on the way" : "elements");
        return value_error;
    }
    checker->graph->span = span;
    int at = inner ? axis + 1 : axis;
    struct node *wide = with_dimension(checker, x, at, 1);
    struct shape shape = wide->type.shape;
    shape.dims[at] = times;
    return value_tensor(graph_reshape(checker->graph, graph_expand(checker->graph, wide, shape), merged),
                        span);
}

struct value call_tile(struct checker *checker, struct value *arguments, struct span span) {
    return repeated(checker, arguments, false, span);
}

struct value call_repeat_interleave(struct checker *checker, struct value *arguments, struct span span) {
    return repeated(checker, arguments, true, span);
}

struct node *pad_axis(struct checker *checker, struct node *x, int axis, const int64_t *widths,
                      double number) {
    if (widths[0] + widths[1] == 0)
        return x;
    struct attributes attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.axis = axis;
    attributes.start = widths[0];
    attributes.step = 1;
    attributes.number = number;
    attributes.type = x->type;
    attributes.type.shape.dims[axis] += widths[0] + widths[1];
    if (shape_inner_size(&attributes.type.shape) > ELEMENTS_MAX) {
        check_error(checker, checker->graph->span, "the result would have too many elements");
        return NULL;
    }
    return graph_node(checker->graph, OPERATOR_pad, &x, 1, &attributes, NULL);
}

/* [before, after], or one number for both. */
static bool widths_of(struct checker *checker, const struct value *widths, int64_t *width) {
    if (widths->kind == VALUE_LIST && widths->item_count != 2) {
        check_error(checker, widths->span, "expected two widths, [before, after]; found %d",
                    widths->item_count);
        return false;
    }
    for (int i = 0; i < 2; i++)
        if (!to_integer(checker, widths->kind == VALUE_LIST ? &widths->items[i] : widths,
                        "the width of a padding", 0, 1 << 24, &width[i]))
            return false;
    return true;
}

/* pad(x, widths, axis, value): along one axis, or each of a list. */
struct value call_pad(struct checker *checker, struct value *arguments, struct span span) {
    struct node *x = tensor_argument(checker, &arguments[0]);
    const struct value *axes = arguments[2].kind == VALUE_LIST ? arguments[2].items : &arguments[2];
    int axis_count = arguments[2].kind == VALUE_LIST ? arguments[2].item_count : 1;
    int64_t width[2];
    if (!x || !widths_of(checker, &arguments[1], width))
        return value_error;
    if (arguments[3].kind != VALUE_NUMBER) {
        check_error(checker, arguments[3].span, "the padding is one number; found %s",
                    value_describe(checker, &arguments[3]));
        return value_error;
    }
    checker->graph->span = span;
    bool whole = x->type.element == ELEMENT_INT;
    x = as_real(checker, x);
    for (int i = 0; i < axis_count; i++)
        if (fixed_axis(checker, &axes[i], x) < 0)
            return value_error;
    for (int i = 0; i < axis_count && x; i++)
        x = pad_axis(checker, x, fixed_axis(checker, &axes[i], x), width, arguments[3].number);
    return x ? value_tensor(as_before(checker, x, whole), span) : value_error;
}

/* ---- indices ---- */

/* A column that is looked up in a table of `limit` entries: its rows are checked when they are read. */
static bool limit_column(struct checker *checker, const struct node *index, int64_t limit,
                         const struct value *argument) {
    while (operators[index->code].kind == KIND_VIEW)
        index = index->inputs[0];
    if (index->code != OPERATOR_input)
        return true;
    struct column *column = &checker->model->columns[index->attributes.index];
    if (column->classes <= limit) {
        if (!column->classes && (!column->limit || column->limit > limit))
            column->limit = limit;
        return true;
    }
    struct diagnostic *error =
        check_error(checker, argument->span, "'%s' has %lld classes, the table %lld entries", column->name,
                    (long long)column->classes, (long long)limit);
    diagnostic_note(checker->sink, error, column->span, "the classes are fixed here");
    return false;
}

static struct node *index_argument(struct checker *checker, struct value *argument) {
    if (argument->kind == VALUE_TENSOR && argument->tensor->type.element == ELEMENT_INT)
        return argument->tensor;
    if (argument->kind != VALUE_ERROR)
        check_error(checker, argument->span,
                    "indices have to be whole numbers (int, or a class); found %s; int(x) converts",
                    value_describe(checker, argument));
    return NULL;
}

/* The axes of x with `count` of them, from `from` on, moved to start at `to`. */
static struct node *move_axes(struct checker *checker, struct node *x, int from, int count, int to) {
    int64_t order[RANK_MAX];
    int rank = x->type.shape.rank, at = 0;
    for (int i = 0; i < rank; i++)
        if (i < from || i >= from + count)
            order[at++] = i;
    memmove(order + to + count, order + to, (size_t)(rank - count - to) * sizeof *order);
    for (int i = 0; i < count; i++)
        order[to + i] = from + i;
    return graph_transpose(checker->graph, x, order);
}

/* gather(table, index, axis): the index's axes stand where the table's axis stood. */
struct value call_gather(struct checker *checker, struct value *arguments, struct span span) {
    struct node *table = tensor_argument(checker, &arguments[0]);
    struct node *index = index_argument(checker, &arguments[1]);
    if (!table || !index)
        return value_error;
    checker->graph->span = span;
    int batch = shape_batch_axis(&table->type.shape), first = batch >= 0 ? 1 : 0;
    if (batch > 0 || table->type.shape.rank <= first) {
        check_error(checker, arguments[0].span, "expected a table with an axis to look up in%s; found %s",
                    batch > 0 ? ", behind the batch" : "", describe_type(checker, &table->type));
        return value_error;
    }
    int axis = first;
    if (arguments[2].kind != VALUE_NONE)
        axis = fixed_axis(checker, &arguments[2], table);
    if (axis < 0 || !limit_column(checker, index, table->type.shape.dims[axis], &arguments[1]))
        return value_error;
    table = move_axes(checker, table, axis, 1, first);
    struct value found = make_node(checker, OPERATOR_gather, (struct node *[]){table, index}, 2, NULL, span);
    if (found.kind == VALUE_ERROR || axis == first)
        return found;
    bool pairs = first && shape_batch_axis(&index->type.shape) >= 0;
    return value_tensor(move_axes(checker, found.tensor, first, index->type.shape.rank - pairs, axis), span);
}

/* 1 at the index along a new last axis, 0 elsewhere. */
struct value call_one_hot(struct checker *checker, struct value *arguments, struct span span) {
    struct node *index = index_argument(checker, &arguments[0]);
    int64_t size;
    if (!index || !to_integer(checker, &arguments[1], "the number of classes", 1, 1 << 24, &size) ||
        !limit_column(checker, index, size, &arguments[0]))
        return value_error;
    if (index->type.shape.rank == RANK_MAX) {
        check_error(checker, span, "the result would have more than %d axes", (int)RANK_MAX);
        return value_error;
    }
    checker->graph->span = span;
    struct node *real = graph_convert(checker->graph, index, checker->real);
    return make_node(checker, OPERATOR_equal,
                     (struct node *[]){with_dimension(checker, real, real->type.shape.rank, 1),
                                       coordinates(checker, size, checker->real)},
                     2, NULL, span);
}

/* 0, 1, ... n - 1. */
struct value call_arange(struct checker *checker, struct value *arguments, struct span span) {
    int64_t size;
    if (!to_integer(checker, &arguments[0], "the number of elements", 1, ELEMENTS_MAX, &size))
        return value_error;
    checker->graph->span = span;
    return value_tensor(coordinates(checker, size, checker->real), span);
}
