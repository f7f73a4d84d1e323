/* Convolutions and windows as functions: sizes, strides and paddings in the forms that a model may write. */
#include "check/check.h"

#include <math.h>
#include <string.h>

enum { SIZE_MAX_WINDOW = 1 << 24 };

static struct value list_of(struct checker *checker, struct value a, struct value b, struct span span) {
    struct value list = {.kind = VALUE_LIST, .item_count = 2, .span = span};
    list.items = arena_array(checker->arena, struct value, 2);
    list.items[0] = a;
    list.items[1] = b;
    return list;
}

/* What a setting says for one of the axes: one value is for all, a list has one for each, or two for each. */
static bool part_for(struct checker *checker, const struct value *setting, int axis, int axes,
                     struct value *part) {
    *part = *setting;
    if (setting->kind != VALUE_LIST)
        return setting->kind != VALUE_ERROR;
    if (setting->item_count == axes && axes > 1) {
        *part = setting->items[axis];
        return true;
    }
    if (setting->item_count == 2 * axes) {
        *part = list_of(checker, setting->items[2 * axis], setting->items[2 * axis + 1], setting->span);
        return true;
    }
    check_error(checker, setting->span,
                axes > 1 ? "expected one value, or a list of one for each of two axes, or of two for each; "
                           "found %d"
                         : "expected one value, or a list of two; found %d",
                setting->item_count);
    return false;
}

/* The parts of a setting for both axes of an image, as a list. */
struct value call_pair(struct checker *checker, struct value *arguments, struct span span) {
    struct value down, across;
    if (!part_for(checker, &arguments[0], 0, 2, &down) || !part_for(checker, &arguments[0], 1, 2, &across))
        return value_error;
    return list_of(checker, down, across, span);
}

static bool size_for(struct checker *checker, const struct value *setting, int axis, int axes,
                     const char *what, int64_t *size) {
    struct value part;
    return part_for(checker, setting, axis, axes, &part) &&
           to_integer(checker, &part, what, 1, SIZE_MAX_WINDOW, size);
}

static bool is_text(const struct value *value, const char *text) {
    return value->kind == VALUE_TEXT && strcmp(value->text, text) == 0;
}

/* "valid", "same", a number for both sides, or [before, after].  `all`: what "same" adds to both sides
 * together, the odd one behind. */
static bool sides_of(struct checker *checker, const struct value *padding, int64_t all, int64_t *sides) {
    sides[0] = sides[1] = 0;
    if (is_text(padding, "valid"))
        return true;
    if (is_text(padding, "same")) {
        sides[0] = all > 0 ? all / 2 : 0;
        sides[1] = all > 0 ? all - all / 2 : 0;
        return true;
    }
    if (padding->kind != VALUE_NUMBER && padding->kind != VALUE_LIST) {
        if (padding->kind != VALUE_ERROR)
            check_error(checker, padding->span,
                        "a padding is \"valid\", \"same\", a number, or a number for each side; found %s",
                        value_describe(checker, padding));
        return false;
    }
    return widths_of(checker, padding, sides);
}

/* What "same" adds to n elements, so that there are n / step places, rounded up. */
static int64_t same_padding(int64_t n, int64_t reach, int64_t step) {
    return ((n + step - 1) / step - 1) * step + reach - n;
}

/* ---- channels that stand last ---- */

void note_channels(struct checker *checker, struct diagnostic *to, const struct shape *shape) {
    int last = shape->rank - 1;
    if ((last != 2 && last != 3) || shape->dims[last] > 4 || shape->dims[last] >= shape->dims[1] ||
        shape->dims[1] <= 4)
        return;
    diagnostic_note(checker->sink, to, (struct span){0},
                    last == 3
                        ? "channels stand before height and width: transpose(x, [0, 3, 1, 2]) brings them "
                          "there from the end"
                        : "channels stand before places: transpose(x) brings them there from the end");
}

/* Is the image an input of the model, or that scaled or shifted? */
static bool is_as_read(const struct node *image) {
    const struct node *node = image, *below = image;
    while (below) {
        below = NULL;
        for (int i = 0; i < node->input_count && !below; i++)
            if (shape_equal(&node->inputs[i]->type.shape, &image->type.shape))
                below = node->inputs[i];
        node = below ? below : node;
    }
    return node->code == OPERATOR_input;
}

/* Of rows as they are read, many channels and 1 or 3 places across are as many places and 1 or 3 channels. */
static void warn_channels_last(struct checker *checker, const struct node *image, const struct node *weights,
                               struct span span) {
    const struct shape *shape = &image->type.shape;
    int last = shape->rank - 1;
    bool few = shape->dims[last] == 1 || shape->dims[last] == 3;
    for (int axis = 1; axis < last; axis++)
        few = few && shape->dims[axis] > 4;
    if (!few || weights->type.shape.dims[3] == 1 || !is_as_read(image))
        return;
    struct diagnostic *warning = check_warning(
        checker, check_place(checker, span), "%s is taken as %lld channels of %s%lld place%s",
        shape_text(checker->arena, shape, checker->graph->batch_name), (long long)shape->dims[1],
        last == 3 ? text_format(checker->arena, "%lld x ", (long long)shape->dims[2]) : "",
        (long long)shape->dims[last], last == 2 && shape->dims[last] == 1 ? "" : "s");
    check_note_operand(checker, warning, "it", image);
    note_channels(checker, warning, shape);
}

/* ---- windows ---- */

/* window(x, axis, size, step, padding, dilation, value): the axis becomes [places, size]. */
struct value call_window(struct checker *checker, struct value *arguments, struct span span) {
    struct node *x = tensor_argument(checker, &arguments[0]);
    int axis = x ? fixed_axis(checker, &arguments[1], x) : -1;
    int64_t size, step, dilation, sides[2];
    struct attributes attributes;
    if (axis < 0 || !to_integer(checker, &arguments[2], "the size of a window", 1, SIZE_MAX_WINDOW, &size) ||
        !to_integer(checker, &arguments[3], "the step between windows", 1, SIZE_MAX_WINDOW, &step) ||
        !to_integer(checker, &arguments[5], "a dilation", 1, SIZE_MAX_WINDOW, &dilation))
        return value_error;
    int64_t n = x->type.shape.dims[axis], reach = (size - 1) * dilation + 1;
    if (!sides_of(checker, &arguments[4], same_padding(n, reach, step), sides))
        return value_error;
    if (arguments[6].kind != VALUE_NUMBER && arguments[6].kind != VALUE_NONE) {
        check_error(checker, arguments[6].span, "the padding is a number, or none; found %s",
                    value_describe(checker, &arguments[6]));
        return value_error;
    }
    if (x->type.shape.rank == RANK_MAX) {
        check_error(checker, span, "%s has %d axes already, the most that there can be",
                    shape_text(checker->arena, &x->type.shape, checker->graph->batch_name), (int)RANK_MAX);
        return value_error;
    }
    if (reach > n + sides[0] + sides[1]) {
        struct diagnostic *error = check_error(
            checker, span, "a window reaches over %lld elements, but axis %d has %lld%s", (long long)reach,
            axis, (long long)(n + sides[0] + sides[1]), sides[0] + sides[1] ? " with its padding" : "");
        check_note_operand(checker, error, "it", x);
        note_channels(checker, error, &x->type.shape);
        return value_error;
    }
    checker->graph->span = span;
    if (x->type.element == ELEMENT_INT)
        x = graph_convert(checker->graph, x, checker->real);
    x = pad_axis(checker, x, axis, sides,
                 arguments[6].kind == VALUE_NONE ? (double)-INFINITY : arguments[6].number);
    if (!x)
        return value_error;
    memset(&attributes, 0, sizeof attributes);
    attributes.axis = axis;
    attributes.step = step;
    attributes.dilation = dilation;
    attributes.type = x->type;
    struct shape *shape = &attributes.type.shape;
    for (int i = shape->rank++; i > axis + 1; i--)
        shape->dims[i] = shape->dims[i - 1];
    shape->dims[axis] = (n + sides[0] + sides[1] - reach) / step + 1;
    shape->dims[axis + 1] = size;
    if (shape_inner_size(shape) > ELEMENTS_MAX) {
        check_error(checker, span, "the result would have too many elements");
        return value_error;
    }
    return make_node(checker, OPERATOR_window, &x, 1, &attributes, span);
}

/* ---- convolutions ---- */

/* x and W with an axis of one line before the last, where they have one axis of places. */
static struct node *as_image(struct checker *checker, struct node *x) {
    struct shape shape = x->type.shape;
    shape.dims[3] = shape.dims[2];
    shape.dims[2] = 1;
    shape.rank = 4;
    return graph_reshape(checker->graph, x, shape);
}

static struct value as_line(struct checker *checker, struct value y) {
    if (y.kind == VALUE_TENSOR)
        y.tensor = graph_reshape(checker->graph, y.tensor, shape_without(&y.tensor->type.shape, 2));
    return y;
}

/* The image and the weights, one-dimensional ones as images of one line; how many axes of places they have,
 * or 0. */
static int image_and_weights(struct checker *checker, struct value *arguments, struct node **inputs,
                             struct span span) {
    for (int k = 0; k < 2; k++) {
        inputs[k] = tensor_argument(checker, &arguments[k]);
        if (!inputs[k])
            return 0;
    }
    int rank = inputs[0]->type.shape.rank;
    bool first = rank >= 3 && inputs[0]->type.shape.dims[0] == BATCH;
    if (!first || (rank != 3 && rank != 4) || inputs[1]->type.shape.rank != rank) {
        struct diagnostic *error = check_error(
            checker, span,
            "a convolution takes [batch, channels, n] and weights of three axes, or [batch, channels, "
            "height, width] and weights of four; found %s and %s",
            shape_text(checker->arena, &inputs[0]->type.shape, checker->graph->batch_name),
            shape_text(checker->arena, &inputs[1]->type.shape, checker->graph->batch_name));
        check_note_operand(checker, error, "the image", inputs[0]);
        return 0;
    }
    checker->graph->span = span;
    if (inputs[0]->type.element == ELEMENT_INT)
        inputs[0] = graph_convert(checker->graph, inputs[0], inputs[1]->type.element);
    for (int k = 0; rank == 3 && k < 2; k++)
        inputs[k] = as_image(checker, inputs[k]);
    return rank - 2;
}

/* Strides, dilations and groups; the axis down an image of one line is a single step. */
static bool convolving_of(struct checker *checker, const struct value *stride, const struct value *dilation,
                          const struct value *groups, int axes, struct convolving *how) {
    for (int axis = 2 - axes; axis < 2; axis++)
        if (!size_for(checker, stride, axis + axes - 2, axes, "a stride", &how->stride[axis]) ||
            !size_for(checker, dilation, axis + axes - 2, axes, "a dilation", &how->dilation[axis]))
            return false;
    if (axes == 1)
        how->stride[0] = how->dilation[0] = 1;
    return to_integer(checker, groups, "the number of groups", 1, SIZE_MAX_WINDOW, &how->groups);
}

/* What both directions begin with: the inputs and the settings; how many axes of places, or 0 and an error.
 */
static int read_convolution(struct checker *checker, struct value *arguments, struct node **inputs,
                            struct attributes *attributes, struct span span) {
    memset(attributes, 0, sizeof *attributes);
    int axes = image_and_weights(checker, arguments, inputs, span);
    return axes && convolving_of(checker, &arguments[2], &arguments[4], &arguments[5], axes,
                                 &attributes->convolving)
               ? axes
               : 0;
}

static int64_t reach_of(const struct convolving *how, const struct node *weights, int axis) {
    return how->dilation[axis] * (weights->type.shape.dims[2 + axis] - 1) + 1;
}

/* convolve(x, W, stride, padding, dilation, groups) */
struct value call_convolve(struct checker *checker, struct value *arguments, struct span span) {
    struct node *inputs[2];
    struct attributes attributes;
    struct convolving *how = &attributes.convolving;
    int axes = read_convolution(checker, arguments, inputs, &attributes, span);
    if (!axes)
        return value_error;
    for (int axis = 2 - axes; axis < 2; axis++) {
        struct value padding;
        int64_t n = inputs[0]->type.shape.dims[2 + axis];
        if (!part_for(checker, &arguments[3], axis + axes - 2, axes, &padding) ||
            !sides_of(checker, &padding, same_padding(n, reach_of(how, inputs[1], axis), how->stride[axis]),
                      how->padding[axis]))
            return value_error;
    }
    struct value y = make_node(checker, OPERATOR_convolve, inputs, 2, &attributes, span);
    if (y.kind == VALUE_TENSOR)
        warn_channels_last(checker, arguments[0].tensor, inputs[1], span);
    return axes == 1 ? as_line(checker, y) : y;
}

/* convolve_transposed(x, W, stride, padding, dilation, groups, output_padding): the image that a convolution
 * with these settings makes x of; of the sizes that there may be, the smallest and output_padding more. */
struct value call_convolve_transposed(struct checker *checker, struct value *arguments, struct span span) {
    struct node *inputs[2];
    struct attributes attributes;
    struct convolving *how = &attributes.convolving;
    int axes = read_convolution(checker, arguments, inputs, &attributes, span);
    if (!axes)
        return value_error;
    attributes.type = inputs[0]->type;
    attributes.type.shape.dims[1] = inputs[1]->type.shape.dims[1] * how->groups;
    for (int axis = 2 - axes; axis < 2; axis++) {
        struct value padding, more;
        int64_t stride = how->stride[axis], reach = reach_of(how, inputs[1], axis), extra;
        if (!part_for(checker, &arguments[3], axis + axes - 2, axes, &padding) ||
            !part_for(checker, &arguments[6], axis + axes - 2, axes, &more) ||
            !sides_of(checker, &padding, reach - stride, how->padding[axis]) ||
            !to_integer(checker, &more, "output_padding, which is less than the stride,", 0, stride - 1,
                        &extra))
            return value_error;
        if (is_text(&padding, "same") && reach < stride)
            extra = stride - reach;
        int64_t size = (inputs[0]->type.shape.dims[2 + axis] - 1) * stride + reach + extra -
                       how->padding[axis][0] - how->padding[axis][1];
        if (size < 1) {
            check_error(checker, arguments[3].span, "the padding takes away all of %lld elements %s",
                        (long long)(size + how->padding[axis][0] + how->padding[axis][1]),
                        axis ? "across" : "down");
            return value_error;
        }
        attributes.type.shape.dims[2 + axis] = size;
    }
    struct value y = make_node(checker, OPERATOR_convolve_transposed, inputs, 2, &attributes, span);
    return axes == 1 ? as_line(checker, y) : y;
}
