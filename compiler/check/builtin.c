/* Functions that are not .nn text, because they look at shapes or make nodes that no expression can.
 *
 * A row of the table gives the name, the parameters as a model writes them, and what a call does; the comment
 * above it stands in docs/operators.md.
 */
#include "check/check.h"
#include "graph/operator.h"

#include <math.h>
#include <string.h>

struct node *tensor_argument(struct checker *checker, struct value *argument) {
    return to_tensor(checker, argument,
                     argument->kind == VALUE_TENSOR ? argument->tensor->type.element : checker->real);
}

static bool is_true(const struct value *value) {
    return value->kind == VALUE_NUMBER && value->number != 0;
}

/* Sets axes[i] for the axes that `axis` names: a number, a list, or none for all. */
static bool chosen_axes(struct checker *checker, const struct value *axis, const struct node *of,
                        bool *axes) {
    const struct value *items = axis->kind == VALUE_LIST ? axis->items : axis;
    int count = axis->kind == VALUE_LIST ? axis->item_count : 1;
    memset(axes, 0, RANK_MAX * sizeof *axes);
    if (axis->kind == VALUE_NONE) {
        for (int i = 0; i < of->type.shape.rank; i++)
            axes[i] = true;
        return true;
    }
    for (int i = 0; i < count; i++) {
        int64_t number;
        if (!to_integer(checker, &items[i], "an axis", -RANK_MAX, RANK_MAX, &number))
            return false;
        int found = shape_axis(&of->type.shape, number);
        if (found < 0) {
            check_error(checker, axis->span, "no axis %lld in %s", (long long)number,
                        shape_text(checker->arena, &of->type.shape, checker->graph->batch_name));
            return false;
        }
        if (axes[found]) {
            check_error(checker, items[i].span, "axis %lld stands twice", (long long)number);
            return false;
        }
        axes[found] = true;
    }
    return true;
}

/* Over the batch last, so that the columns of a row are taken together first.  keep: the axes stay, of
 * length 1. */
static struct node *fold_axes(struct checker *checker, enum operator_code code, struct node *x,
                              const bool *axes, bool keep) {
    struct shape kept = x->type.shape;
    int batch = shape_batch_axis(&kept);
    for (int axis = kept.rank - 1; axis >= 0; axis--) {
        if (axes[axis])
            kept.dims[axis] = 1;
        if (axes[axis] && axis != batch)
            x = graph_fold(checker->graph, code, x, axis);
    }
    if (batch >= 0 && axes[batch])
        x = graph_fold(checker->graph, code, x, shape_batch_axis(&x->type.shape));
    return keep ? graph_reshape(checker->graph, x, kept) : x;
}

/* fold(x, axis, keep) */
static struct value fold(struct checker *checker, enum operator_code code, struct value *arguments,
                         struct span span) {
    struct node *x = tensor_argument(checker, &arguments[0]);
    bool axes[RANK_MAX], two = arguments[1].kind == VALUE_TENSOR ||
                               (arguments[0].kind == VALUE_NUMBER && arguments[1].kind == VALUE_NUMBER);
    if (x && two && (code == OPERATOR_max || code == OPERATOR_min)) {
        check_error(checker, span, "%s takes one tensor and an axis; of two values, take %simum(a, b)",
                    operators[code].name, operators[code].name);
        return value_error;
    }
    if (!x || !chosen_axes(checker, &arguments[1], x, axes))
        return value_error;
    checker->graph->span = span;
    if (x->type.element == ELEMENT_INT)
        x = graph_convert(checker->graph, x, checker->real);
    return value_tensor(fold_axes(checker, code, x, axes, is_true(&arguments[2])), span);
}

#define FOLD(name, ...)                                                                                   \
    static struct value call_##name(struct checker *checker, struct value *arguments, struct span span) { \
        return fold(checker, OPERATOR_##name, arguments, span);                                           \
    }
#include "graph/folds.def"
#undef FOLD

/* The number of elements along the axes: a number, or for the batch the rows that arrived. */
static struct value call_count(struct checker *checker, struct value *arguments, struct span span) {
    struct node *x = tensor_argument(checker, &arguments[0]);
    bool axes[RANK_MAX];
    if (!x || !chosen_axes(checker, &arguments[1], x, axes))
        return value_error;
    double count = 1;
    bool batch = false;
    for (int axis = 0; axis < x->type.shape.rank; axis++) {
        if (axes[axis] && x->type.shape.dims[axis] == BATCH)
            batch = true;
        else if (axes[axis])
            count *= (double)x->type.shape.dims[axis];
    }
    if (!batch)
        return value_number(count, span);
    struct value operands[2] = {{.kind = VALUE_BATCH, .span = span}, value_number(count, span)};
    enum element element = x->type.element == ELEMENT_INT ? checker->real : x->type.element;
    operands[0] = value_tensor(to_tensor(checker, &operands[0], element), span);
    return apply_elementwise(checker, OPERATOR_multiply, operands, 2, span);
}

struct node *coordinates(struct checker *checker, int64_t size, enum element element) {
    struct attributes attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.type.element = element;
    attributes.type.shape.rank = 1;
    attributes.type.shape.dims[0] = size;
    return graph_node(checker->graph, OPERATOR_coordinate, NULL, 0, &attributes, NULL);
}

/* Each element's index along the last axis of `like`, as a vector. */
static struct node *coordinates_like(struct checker *checker, const struct node *like) {
    return coordinates(checker, like->type.shape.dims[like->type.shape.rank - 1], like->type.element);
}

/* 1 where the class `t` of the row is the index along a new last axis of `like`. */
static struct node *one_hot(struct checker *checker, struct node *t, const struct node *like) {
    struct node *index = graph_convert(checker->graph, t, like->type.element);
    struct shape column = index->type.shape;
    column.dims[column.rank++] = 1;
    return graph_binary(checker->graph, OPERATOR_equal, coordinates_like(checker, like),
                        graph_reshape(checker->graph, index, column));
}

/* x of one more axis than the classes t, the others alike. */
static bool matches_classes(struct checker *checker, const struct node *x, const struct node *t,
                            struct span span) {
    struct shape rows = shape_without(&x->type.shape, x->type.shape.rank - 1);
    if (x->type.shape.rank == t->type.shape.rank + 1 && shape_equal(&rows, &t->type.shape))
        return true;
    checker->classes_misfit = true;
    struct diagnostic *error = check_error(
        checker, span, "a score of %s and classes of %s: expected one score for each class and row",
        shape_text(checker->arena, &x->type.shape, checker->graph->batch_name),
        shape_text(checker->arena, &t->type.shape, checker->graph->batch_name));
    check_note_operand(checker, error, "the score", x);
    check_note_operand(checker, error, "the target", t);
    if (x->type.shape.rank > t->type.shape.rank + 1)
        diagnostic_note(
            checker->sink, error, (struct span){0},
            "where features have axes of their own, flatten comes before the first dense: x -> flatten -> "
            "dense(10)");
    return false;
}

/* The range of a class target against the number of columns that the score has. */
static bool matches_class_count(struct checker *checker, const struct node *x, const struct node *t,
                                struct span span) {
    if (t->code != OPERATOR_input)
        return true;
    const struct column *column = &checker->model->columns[t->attributes.index];
    int64_t columns = x->type.shape.dims[x->type.shape.rank - 1];
    if (column->classes == 0 || column->classes == columns)
        return true;
    struct diagnostic *error =
        check_error(checker, span, "the score has %lld columns, the target '%s' has %lld classes",
                    (long long)columns, column->name, (long long)column->classes);
    diagnostic_note(checker->sink, error, column->span, "the classes are fixed here");
    return false;
}

/* pick(x, t): for a class t its element of the last axis; for a real t (one-hot, or probabilities) the sum of
 * x weighted by t. */
static struct value call_pick(struct checker *checker, struct value *arguments, struct span span) {
    struct node *x = tensor_argument(checker, &arguments[0]), *t = tensor_argument(checker, &arguments[1]);
    if (!x || !t)
        return value_error;
    checker->graph->span = span;
    if (x->type.shape.rank == 0) {
        check_error(checker, span, "expected scores with a last axis of classes, found a scalar");
        return value_error;
    }
    struct value product;
    if (t->type.element == ELEMENT_INT) {
        if (!matches_classes(checker, x, t, span) || !matches_class_count(checker, x, t, span))
            return value_error;
        product = value_tensor(graph_ternary(checker->graph, OPERATOR_where, one_hot(checker, t, x), x,
                                             graph_number(checker->graph, 0, x->type.element)),
                               span);
    } else if (!shape_equal(&x->type.shape, &t->type.shape)) {
        struct diagnostic *error =
            check_error(checker, span, "the score is %s, the target %s: expected the same shape",
                        shape_text(checker->arena, &x->type.shape, checker->graph->batch_name),
                        shape_text(checker->arena, &t->type.shape, checker->graph->batch_name));
        check_note_operand(checker, error, "the score", x);
        check_note_operand(checker, error, "the target", t);
        return value_error;
    } else
        product = make_node(checker, OPERATOR_multiply, (struct node *[]){t, x}, 2, NULL, span);
    if (product.kind == VALUE_ERROR)
        return product;
    return value_tensor(
        graph_fold(checker->graph, OPERATOR_sum, product.tensor, product.tensor->type.shape.rank - 1), span);
}

/* Each element's number among those along the axes, the last axis fastest. */
static struct node *places(struct checker *checker, const struct node *x, const bool *axes, double *count) {
    struct graph *graph = checker->graph;
    struct node *place = graph_number(graph, 0, x->type.element);
    *count = 1;
    for (int axis = x->type.shape.rank - 1; axis >= 0; axis--) {
        if (!axes[axis])
            continue;
        struct shape along = {.rank = x->type.shape.rank - axis};
        for (int i = 0; i < along.rank; i++)
            along.dims[i] = i ? 1 : x->type.shape.dims[axis];
        struct node *index =
            graph_reshape(graph, coordinates(checker, along.dims[0], x->type.element), along);
        struct node *step = graph_number(graph, *count, x->type.element);
        place = graph_binary(graph, OPERATOR_add, place, graph_binary(graph, OPERATOR_multiply, index, step));
        *count *= (double)along.dims[0];
    }
    return place;
}

/* argmax(x, axis, keep): the least of the places at which x is the largest (code is max) or smallest. */
static struct value place_of_extreme(struct checker *checker, enum operator_code code,
                                     struct value *arguments, struct span span) {
    struct graph *graph = checker->graph;
    struct node *x = tensor_argument(checker, &arguments[0]);
    bool axes[RANK_MAX];
    if (!x)
        return value_error;
    if (x->type.shape.rank == 0 || x->type.element == ELEMENT_INT) {
        check_error(checker, span, "expected real numbers along an axis, found %s",
                    describe_type(checker, &x->type));
        return value_error;
    }
    if (!chosen_axes(checker, &arguments[1], x, axes))
        return value_error;
    int batch = shape_batch_axis(&x->type.shape);
    if (batch >= 0 && axes[batch]) {
        check_error(checker, span,
                    "the place of a row in the batch has no meaning: expected other axes of %s",
                    shape_text(checker->arena, &x->type.shape, graph->batch_name));
        return value_error;
    }
    double count;
    graph->span = span;
    struct node *place = places(checker, x, axes, &count);
    struct node *top = fold_axes(checker, code, x, axes, true);
    struct node *least = graph_ternary(graph, OPERATOR_where, graph_binary(graph, OPERATOR_equal, x, top),
                                       place, graph_number(graph, count, x->type.element));
    least = fold_axes(checker, OPERATOR_min, least, axes, is_true(&arguments[2]));
    struct node *choice = graph_convert(graph, least, ELEMENT_INT);
    choice->choices = (int64_t)count;
    return value_tensor(choice, span);
}

static struct value call_argmax(struct checker *checker, struct value *arguments, struct span span) {
    return place_of_extreme(checker, OPERATOR_max, arguments, span);
}
static struct value call_argmin(struct checker *checker, struct value *arguments, struct span span) {
    return place_of_extreme(checker, OPERATOR_min, arguments, span);
}

/* A class stays; a row of numbers becomes the index of its largest. */
static struct value call_class_of(struct checker *checker, struct value *arguments, struct span span) {
    if (arguments[0].kind == VALUE_TENSOR && arguments[0].tensor->type.element == ELEMENT_INT)
        return arguments[0];
    struct value last[] = {arguments[0], value_number(-1, span), value_number(0, span)};
    return call_argmax(checker, last, span);
}

static struct value call_transpose(struct checker *checker, struct value *arguments, struct span span) {
    struct node *x = tensor_argument(checker, &arguments[0]);
    if (!x)
        return value_error;
    checker->graph->span = span;
    int rank = x->type.shape.rank;
    int64_t order[RANK_MAX] = {0};
    bool seen[RANK_MAX] = {false};
    if (arguments[1].kind == VALUE_NONE) {
        if (rank < 2) {
            check_error(checker, span, "expected two axes or more to exchange the last two, found %s",
                        shape_text(checker->arena, &x->type.shape, checker->graph->batch_name));
            return value_error;
        }
        return value_tensor(graph_swap_last(checker->graph, x), span);
    }
    if (arguments[1].kind != VALUE_LIST || arguments[1].item_count != rank) {
        check_error(checker, arguments[1].span, "expected a list of all %d axes in their new order", rank);
        return value_error;
    }
    for (int i = 0; i < rank; i++) {
        if (!to_integer(checker, &arguments[1].items[i], "an axis", -rank, rank - 1, &order[i]))
            return value_error;
        order[i] += order[i] < 0 ? rank : 0;
        if (seen[order[i]]) {
            check_error(checker, arguments[1].span, "axis %lld stands twice in the new order",
                        (long long)order[i]);
            return value_error;
        }
        seen[order[i]] = true;
    }
    return value_tensor(graph_transpose(checker->graph, x, order), span);
}

bool shape_argument(struct checker *checker, const struct value *list, struct shape *shape, int *open) {
    *shape = shape_scalar();
    *open = -1;
    if (list->kind != VALUE_LIST || list->item_count > RANK_MAX) {
        check_error(checker, list->span, "expected a list of at most %d sizes", (int)RANK_MAX);
        return false;
    }
    for (int i = 0; i < list->item_count; i++) {
        const struct value *item = &list->items[i];
        int64_t size = BATCH;
        if (item->kind != VALUE_BATCH && !to_integer(checker, item, "a size", -1, ELEMENTS_MAX, &size))
            return false;
        if (item->kind != VALUE_BATCH && size == -1) {
            if (*open >= 0) {
                check_error(checker, item->span, "only one size can be -1");
                return false;
            }
            *open = i;
            size = 1;
        }
        shape->dims[shape->rank++] = size;
    }
    return true;
}

/* reshape(x, [batch, 4, 4]): a list of sizes; -1 once for "what is left"; `batch` by its name. */
static struct value call_reshape(struct checker *checker, struct value *arguments, struct span span) {
    struct node *x = tensor_argument(checker, &arguments[0]);
    struct attributes attributes;
    memset(&attributes, 0, sizeof attributes);
    struct shape *shape = &attributes.type.shape;
    int open;
    if (!x || !shape_argument(checker, &arguments[1], shape, &open))
        return value_error;
    attributes.type.element = x->type.element;
    if (open >= 0 && shape_inner_size(shape) > 0)
        shape->dims[open] = shape_inner_size(&x->type.shape) / shape_inner_size(shape);
    return make_node(checker, OPERATOR_reshape, &x, 1, &attributes, span);
}

/* [batch, a, b, c] becomes [batch, a * b * c]; without a batch axis first, all axes become one. */
static struct value call_flatten(struct checker *checker, struct value *arguments, struct span span) {
    struct node *x = tensor_argument(checker, &arguments[0]);
    if (!x)
        return value_error;
    struct attributes attributes;
    memset(&attributes, 0, sizeof attributes);
    struct shape *shape = &attributes.type.shape;
    attributes.type.element = x->type.element;
    if (shape_batch_axis(&x->type.shape) >= 0)
        shape->dims[shape->rank++] = BATCH;
    shape->dims[shape->rank++] = shape_inner_size(&x->type.shape);
    return make_node(checker, OPERATOR_reshape, &x, 1, &attributes, span);
}

static struct value convert_to(struct checker *checker, struct value *argument, enum element element,
                               struct span span) {
    struct node *x = tensor_argument(checker, argument);
    if (!x)
        return value_error;
    checker->graph->span = span;
    return value_tensor(graph_convert(checker->graph, x, element), span);
}

static struct value call_f32(struct checker *checker, struct value *arguments, struct span span) {
    return convert_to(checker, arguments, checker->widened ? ELEMENT_F64 : ELEMENT_F32, span);
}
static struct value call_f64(struct checker *checker, struct value *arguments, struct span span) {
    return convert_to(checker, arguments, ELEMENT_F64, span);
}
static struct value call_int(struct checker *checker, struct value *arguments, struct span span) {
    return convert_to(checker, arguments, ELEMENT_INT, span);
}

/* One value in updates, another in evaluations and predictions. */
static struct value call_when_training(struct checker *checker, struct value *arguments, struct span span) {
    const struct value *typed = arguments[0].kind == VALUE_TENSOR ? &arguments[0] : &arguments[1];
    bool is_real = typed->kind == VALUE_TENSOR && typed->tensor->type.element != ELEMENT_INT;
    struct attributes attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.type.element = is_real ? typed->tensor->type.element : checker->real;
    struct node *training = graph_node(checker->graph, OPERATOR_training, NULL, 0, &attributes, NULL);
    struct value operands[3] = {value_tensor(training, span), arguments[0], arguments[1]};
    return apply_elementwise(checker, OPERATOR_where, operands, 3, span);
}

/* Random numbers of the shape of the weight whose initialiser is at work; one stream for each weight. */
static struct value random_numbers(struct checker *checker, enum operator_code code, struct span span) {
    if (!checker->weight_shape) {
        check_error(checker, span,
                    "random_uniform and random_normal are for initialisers; in a model, uniform_like(x) and "
                    "normal_like(x) draw in the shape of x");
        return value_error;
    }
    struct attributes attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.type = checker->weight_shape->type;
    attributes.index = checker->weight_shape->attributes.index;
    return make_node(checker, code, NULL, 0, &attributes, span);
}

static struct value call_random_uniform(struct checker *checker, struct value *arguments, struct span span) {
    (void)arguments;
    return random_numbers(checker, OPERATOR_uniform, span);
}
static struct value call_random_normal(struct checker *checker, struct value *arguments, struct span span) {
    (void)arguments;
    return random_numbers(checker, OPERATOR_normal, span);
}

/* Random numbers in (0, 1) of the shape of a value, others in each update; one stream for each call. */
static struct value call_uniform_like(struct checker *checker, struct value *arguments, struct span span) {
    struct node *x = tensor_argument(checker, &arguments[0]);
    struct attributes attributes;
    if (!x)
        return value_error;
    memset(&attributes, 0, sizeof attributes);
    attributes.type = x->type;
    if (attributes.type.element == ELEMENT_INT)
        attributes.type.element = checker->real;
    attributes.index = NOISE_STREAM + checker->noise_count++;
    return make_node(checker, OPERATOR_noise, NULL, 0, &attributes, span);
}

/* "from 0 to 1", "from 0 to below 1", "0 or more" */
static const char *bounds_text(struct checker *checker, double low, double high, bool open) {
    const char *least = text_number(checker->arena, low, false);
    if (isinf(high))
        return text_format(checker->arena, "%s or more", least);
    return text_format(checker->arena, "from %s to %s%s", least, open ? "below " : "",
                       text_number(checker->arena, high, false));
}

/* A number within bounds, or anything that is no number; `what` says in the message what it is. */
static struct value call_within(struct checker *checker, struct value *arguments, struct span span) {
    const struct value *x = &arguments[0], *low = &arguments[1], *open = &arguments[4];
    double high = arguments[2].kind == VALUE_NONE ? (double)INFINITY : arguments[2].number;
    if (low->kind != VALUE_NUMBER || (arguments[2].kind != VALUE_NUMBER && !isinf(high)) ||
        arguments[3].kind != VALUE_TEXT || open->kind != VALUE_NUMBER) {
        check_error(checker, span,
                    "within takes a value, two numbers and a text that says what the value is");
        return value_error;
    }
    bool inside = x->number >= low->number && x->number <= high && !(open->number != 0 && x->number == high);
    if (x->kind == VALUE_NUMBER && !inside) {
        check_error(checker, x->span, "%s has to be %s; found %s", arguments[3].text,
                    bounds_text(checker, low->number, high, open->number != 0), value_describe(checker, x));
        return value_error;
    }
    return *x;
}

/* A number that has to be whole, such as a quotient of sizes; `what` says in the message what it is. */
static struct value call_whole(struct checker *checker, struct value *arguments, struct span span) {
    int64_t number;
    if (arguments[1].kind != VALUE_TEXT) {
        check_error(checker, arguments[1].span, "expected a text that says what the number is");
        return value_error;
    }
    if (!to_integer(checker, &arguments[0], arguments[1].text, -ELEMENTS_MAX, ELEMENTS_MAX, &number))
        return value_error;
    return value_number((double)number, span);
}

static const struct builtin builtins[] = {
#define FOLD(name, ...) {#name, "x, axis = none, keep = false", call_##name},
#include "graph/folds.def"
#undef FOLD
    /* How many elements lie along the axes: a number; over the batch, of the rows that arrived.
     * Example: count(x) * 2 + sum(x) */
    {"count", "x, axis = none", call_count},
    /* The place of the largest element, a whole number; the first of equals.  Over several axes, its place
     * among all their elements, the last axis fastest.
     * Example: argmax(x) */
    {"argmax", "x, axis = -1, keep = false", call_argmax},
    /* The place of the smallest likewise.
     * Example: argmin(x, axis = 1, keep = true) */
    {"argmin", "x, axis = -1, keep = false", call_argmin},
    /* A class as it is; of rows of numbers, such as one-hot ones, the place of the largest along the last
     * axis.
     * Example: class_of(x) */
    {"class_of", "t", call_class_of},
    /* The element of the last axis that a class names: x [..., n], t [...].  With real t [..., n], the sum of
     * x weighted by it.
     * Example: pick(score, t) */
    {"pick", "x, t", call_pick},
    /* The last two axes exchanged, or all axes in the order of a list.
     * Example: transpose(steps, [2, 0, 1]) */
    {"transpose", "x, axes = none", call_transpose},
    /* As many elements in another shape: the batch by its name, -1 once for what is left.
     * Example: reshape(x, [batch, 2, -1]) */
    {"reshape", "x, shape", call_reshape},
    /* All axes behind the batch as one.
     * Example: flatten(image) */
    {"flatten", "x", call_flatten},
    /* Converted to 32-bit floating point.
     * Example: f32(x) */
    {"f32", "x", call_f32},
    /* Converted to 64-bit floating point.
     * Example: f64(f32(x) * 2) */
    {"f64", "x", call_f64},
    /* Without what follows the point, as a whole number of 32 bits; -2^31 for what no 32 bits hold.
     * Example: int(x * 10) */
    {"int", "x", call_int},
    /* x, a number that has to be whole; else an error that calls it by the text.
     * Example: x * whole(8 / 2, "width / heads") */
    {"whole", "x, what", call_whole},
    /* The sizes as a list, for `reshape` and the like; one of them as `shape(x)[1]`.
     * Example: reshape(steps, [batch, 2 * shape(steps)[1], -1]) */
    {"shape", "x", call_shape},
    /* An axis of size 1 taken out.
     * Example: squeeze(x[:, 0:1], axis = 1) */
    {"squeeze", "x, axis", call_squeeze},
    /* An axis of size 1 put in.
     * Example: unsqueeze(x, 1) */
    {"unsqueeze", "x, axis", call_unsqueeze},
    /* To the shape given, by the rules of broadcasting.
     * Example: broadcast_to(x[:, 0:1], [batch, 4]) */
    {"broadcast_to", "x, shape", call_broadcast_to},
    /* The tensors of a list side by side along an axis.
     * Example: concat([x, y], axis = 1) */
    {"concat", "parts, axis", call_concat},
    /* Tensors of one shape, or numbers, along a new axis.
     * Example: stack([x, y], axis = 1) */
    {"stack", "parts, axis", call_stack},
    /* Along an axis, a list of so many parts of equal size, or of parts of the sizes in a list.
     * Example: split(x, [1, 3], axis = 1)[1] */
    {"split", "x, parts, axis", call_split},
    /* The whole axis several times: a b a b.
     * Example: tile(x, 2, axis = 1) */
    {"tile", "x, times, axis", call_tile},
    /* Each element several times: a a b b.
     * Example: repeat_interleave(x, 2, axis = 1) */
    {"repeat_interleave", "x, times, axis", call_repeat_interleave},
    /* `value` before and behind; widths are [before, behind], or one number for both;
     * along one axis, or each of a list of axes.
     * Example: pad(x, [1, 2], axis = 1) */
    {"pad", "x, widths, axis, value = 0", call_pad},
    /* An axis as windows, which may overlap, [n] to [places, size]: element k of window p is x[p step +
     * k dilation], counted from the padding, which holds `value`, or with `none` minus infinity.
     * Example: window(x, 1, 2, 1) */
    {"window", "x, axis, size, step, padding = 0, dilation = 1, value = 0", call_window},
    /* x [batch, c, h, w] and W [o, c / groups, kh, kw] to [batch, o, ..., ...], or one axis of places less:
     * what conv2d and conv1d are made of.
     * Example: convolve(image, reshape(W[:18, 0:3], [2, 3, 3, 3])) */
    {"convolve", "x, W, stride = 1, padding = 0, dilation = 1, groups = 1", call_convolve},
    /* Its derivative for x, as a function: x [batch, c, h, w] and W [c, o / groups, kh, kw] to [batch,
     * o, ..., ...].
     * Example: convolve_transposed(image, reshape(W[:18, 0:2], [3, 3, 2, 2])) */
    {"convolve_transposed", "x, W, stride = 1, padding = 0, dilation = 1, groups = 1, output_padding = 0",
     call_convolve_transposed},
    /* The two halves of a setting that is for both axes of an image, as a list: `pair(3)` is [3, 3],
     * `pair([1, 2])` itself, `pair([1, 2, 3, 4])` [[1, 2], [3, 4]].
     * Example: x * pair([2, 3])[1] */
    {"pair", "setting", call_pair},
    /* Entries of a table [n, ...] by their indices, whose axes stand where the first axis, or that given,
     * stood.  A table that has rows itself is looked up row by row, along the first axis behind the batch.  A
     * computed index outside counts as the nearest one inside.
     * Example: gather(W, words) */
    {"gather", "table, index, axis = none", call_gather},
    /* 1 at the index along a new last axis of that size, else 0.
     * Example: one_hot(t, 3) */
    {"one_hot", "index, size", call_one_hot},
    /* 0, 1, 2, ...
     * Example: x * arange(4) */
    {"arange", "size", call_arange},
    /* Products summed over the letters that the result does not name: a letter for each axis, `...` for all
     * axes without one.
     * Example: einsum("bij,bkj->bik", steps, steps) */
    {"einsum", "equation, a, b = none, c = none", call_einsum},
    /* The layer or function `body` applied so many times, each time with weights of its own; further
     * arguments are the body's.
     * Example: repeat(x, 3, dense, 4) */
    {"repeat", "x, times, body, ...", call_repeat},
    /* A tensor without rows that lives with the weights: `first`, and moved by each update by a share of the
     * way to x.  Its value is that before the update; no derivative passes.
     * Example: x - running_mean(mean(x, axis = 0), 0.1, 0) */
    {"running_mean", "x, share, first", call_running_mean},
    /* The first in updates, the second in evaluations and predictions.
     * Example: when_training(x, 2 * x) */
    {"when_training", "update, otherwise", call_when_training},
    /* In the settings of train's solver: 1 for the weights of that name, or of that pattern with `*`, else 0.
     * Example: solver = sgd(rate = where(weight_is("score.b"), 0.2, 0.1)) */
    {"weight_is", "name", call_weight_is},
    /* Along an axis with a state, which becomes body(x[:, t], state, ...); the states along the same axis.  A
     * state of several parts is a list, of which the first is the result.
     * Example: scan(steps, maximum, 0) */
    {"scan", "x, body, initial, axis = 1, ...", call_scan},
    /* x, which has to lie in [low, high] where it is a number, below high where open, above low where high is
     * none; else an error that calls it by the text.
     * Example: x * within(0.5, 0, 1, "the rate") */
    {"within", "x, low, high, what, open = false", call_within},
    /* Random numbers in (0, 1) in the shape of x, others in each update, row and element.
     * Example: uniform_like(x) */
    {"uniform_like", "x", call_uniform_like},
    /* In initialisers: numbers in (0, 1), in the weight's shape.
     * Example: weight W : [4, 8] = uniform(0, 1) */
    {"random_uniform", "", call_random_uniform},
    /* In initialisers: numbers of N(0, 1), in the weight's shape.
     * Example: weight W : [4, 8] = normal(0, 1) */
    {"random_normal", "", call_random_normal},
};

const struct builtin *builtin_find(const char *name) {
    for (size_t i = 0; i < sizeof builtins / sizeof *builtins; i++)
        if (strcmp(builtins[i].name, name) == 0)
            return &builtins[i];
    return NULL;
}

const char *builtin_name(int index) {
    return (size_t)index < sizeof builtins / sizeof *builtins ? builtins[index].name : NULL;
}
