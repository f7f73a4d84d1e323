/* Expressions: numbers known now are computed now, anything that holds a tensor becomes nodes. */
#include "check/check.h"
#include "graph/operator.h"

#include <math.h>
#include <string.h>

enum { DEPTH_MAX = 1100 }; /* layers 1000 deep, and what is in the last */

const struct value value_error = {.kind = VALUE_ERROR};
const struct value value_none = {.kind = VALUE_NONE};

struct value value_number(double number, struct span span) {
    return (struct value){.kind = VALUE_NUMBER, .number = number, .span = span};
}

struct value value_tensor(struct node *node, struct span span) {
    return (struct value){.kind = VALUE_TENSOR, .tensor = node, .span = span};
}

struct value value_text(const char *text, struct span span) {
    return (struct value){.kind = VALUE_TEXT, .text = text, .span = span};
}

const char *describe_type(struct checker *checker, const struct type *type) {
    if (type->shape.rank == 0)
        return text_format(checker->arena, "an %s scalar", element_name(type->element));
    return type_text(checker->arena, type, checker->graph->batch_name);
}

const char *value_describe(struct checker *checker, const struct value *value) {
    switch (value->kind) {
    case VALUE_NUMBER:
        return text_format(checker->arena, "the number %s",
                           text_number(checker->arena, value->number, false));
    case VALUE_TENSOR:
        return describe_type(checker, &value->tensor->type);
    case VALUE_TEXT:
        return text_format(checker->arena, "the text \"%s\"", value->text);
    case VALUE_LIST:
        return "a list";
    case VALUE_BATCH:
        return "the number of rows in a batch";
    case VALUE_CALLABLE:
        return text_format(checker->arena, "%s, which has to be called",
                           value->declaration ? value->declaration->name.text
                           : value->builtin   ? value->builtin->name
                                              : operators[value->code].name);
    case VALUE_RECIPE:
        return text_format(checker->arena, "%s(...)", value->declaration->name.text);
    default:
        return "none";
    }
}

/* ---- errors ---- */

/* check_place, and the frame of the prelude's layer whose call it is, or NULL. */
static struct span user_span(const struct checker *checker, struct span span, const struct frame **inside) {
    *inside = NULL;
    for (const struct frame *frame = checker->frame; frame && span.source == checker->prelude;
         frame = frame->caller) {
        span = frame->call;
        *inside = frame;
    }
    return span;
}

struct span check_place(const struct checker *checker, struct span span) {
    const struct frame *inside;
    return user_span(checker, span, &inside);
}

static bool is_said(const struct checker *checker, struct span span, const char *message) {
    enum { LOOKED_AT = 1000 }; /* so that a million errors take no million times as long */
    int count = 0;
    for (const struct diagnostic *d = checker->sink->first; d && count < LOOKED_AT; d = d->next, count++)
        if (d->span.source == span.source && d->span.start == span.start && d->span.end == span.end &&
            strcmp(d->message, message) == 0)
            return true;
    return false;
}

/* The calls that led here: the innermost ones, and the one in the model. */
static void note_calls(struct checker *checker, struct diagnostic *error) {
    enum { SHOWN = 3 };
    int depth = 0;
    for (const struct frame *frame = checker->frame; frame; frame = frame->caller, depth++) {
        if (depth > SHOWN && !frame->caller)
            diagnostic_note(checker->sink, error, (struct span){0}, "by way of %d more", depth - SHOWN);
        if (depth < SHOWN || !frame->caller)
            diagnostic_note(checker->sink, error, frame->call, "in this call of %s", frame->callee);
    }
}

struct diagnostic *check_error(struct checker *checker, struct span span, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    struct text message = {.arena = checker->arena};
    const struct frame *inside;
    struct span shown = user_span(checker, span, &inside);
    if (inside)
        text_print(&message, "%s: ", inside->callee);
    text_vprint(&message, format, arguments);
    va_end(arguments);
    if (is_said(checker, shown, text_string(&message)))
        return arena_new(checker->arena, struct diagnostic); /* takes notes that nobody reads */
    struct diagnostic *error = diagnostic_error(checker->sink, shown, "%s", text_string(&message));
    if (!inside)
        note_calls(checker, error);
    return error;
}

struct diagnostic *check_warning(struct checker *checker, struct span span, const char *format, ...) {
    struct text message = {.arena = checker->arena};
    va_list arguments;
    va_start(arguments, format);
    text_vprint(&message, format, arguments);
    va_end(arguments);
    if (is_said(checker, span, text_string(&message)))
        return arena_new(checker->arena, struct diagnostic);
    return diagnostic_warning(checker->sink, span, "%s", text_string(&message));
}

/* What the prelude made is shown at the statement for which it was made. */
static struct span node_place(const struct checker *checker, const struct node *node) {
    return node->span.source == checker->prelude ? node->origin : node->span;
}

static bool covers(const struct span *outer, const struct span *inner) {
    return outer->source == inner->source && outer->start <= inner->start && inner->end <= outer->end;
}

/* Is it a conversion that the file does not ask for?  It stands where what it converts does. */
static bool is_implicit(const struct node *node) {
    return node->code == OPERATOR_convert && covers(&node->span, &node->inputs[0]->span);
}

/* The one value that a node of the prelude's was made of in this statement of the user's; NULL: of several.
 * Inputs are older than their users, so one walk down the ids meets all of them. */
static const struct node *made_of(const struct checker *checker, const struct node *node) {
    const struct node *found = NULL;
    bool *below = arena_array(checker->arena, bool, (size_t)node->id + 1);
    below[node->id] = true;
    for (int id = node->id; id >= 0; id--) {
        const struct node *part = checker->graph->nodes[id];
        struct span place = node_place(checker, part);
        if (!below[id] || part->code == OPERATOR_constant)
            continue;
        if (is_implicit(part))
            below[part->inputs[0]->id] = true;
        else if (part->span.source == checker->prelude && covers(&place, &node->origin)) {
            for (int i = 0; i < part->input_count; i++)
                below[part->inputs[i]->id] = true;
        } else if (found)
            return NULL;
        else
            found = part;
    }
    return found;
}

const struct column *check_classes(const struct checker *checker, const struct node *node) {
    if (node->code != OPERATOR_input)
        return NULL;
    const struct column *column = &checker->model->columns[node->attributes.index];
    return column->classes ? column : NULL;
}

/* "x, f64[batch, 3]", "t, class[batch] of 3" */
static const char *describe_node(struct checker *checker, const struct node *node) {
    const char *name = node->name ? node->name : "";
    const struct column *classes = check_classes(checker, node);
    if (classes)
        return text_format(checker->arena, "%s, class%s of %lld", name,
                           shape_text(checker->arena, &node->type.shape, checker->graph->batch_name),
                           (long long)classes->classes);
    return text_format(checker->arena, "%s%s%s", name, node->name ? ", " : "",
                       describe_type(checker, &node->type));
}

void check_note_operand(struct checker *checker, struct diagnostic *to, const char *side,
                        const struct node *node) {
    while (is_implicit(node))
        node = node->inputs[0];
    struct span span = node_place(checker, node);
    if (!span.source || node->code == OPERATOR_constant)
        return;
    if (node->span.source == checker->prelude && covers(&span, &to->span)) {
        const struct node *part = made_of(checker, node);
        diagnostic_note(checker->sink, to, part ? node_place(checker, part) : (struct span){0},
                        part ? "%s comes from %s" : "%s is %s", side,
                        describe_node(checker, part ? part : node));
        return;
    }
    diagnostic_note(checker->sink, to, span, "%s is %s", side, describe_node(checker, node));
}

void check_note_operands(struct checker *checker, struct diagnostic *to, struct node *const *inputs,
                         int count) {
    for (int i = 0; i < count; i++)
        check_note_operand(checker, to,
                           count == 1 ? "it"
                           : i == 0   ? "the left side"
                                      : "the right side",
                           inputs[i]);
}

/* ---- values to nodes ---- */

static void note_image(struct checker *checker, struct diagnostic *to, struct node *image,
                       struct node *weights) {
    check_note_operand(checker, to, "the input", image);
    if (weights->span.source != checker->prelude)
        check_note_operand(checker, to, "the kernel", weights);
    note_channels(checker, to, &image->type.shape);
}

/* Classes where numbers are expected. */
static void note_classes(struct checker *checker, struct diagnostic *to, const struct node *node) {
    const struct column *column = is_implicit(node) ? check_classes(checker, node->inputs[0]) : NULL;
    if (column)
        diagnostic_note(checker->sink, to, (struct span){0},
                        "the number of a class is a name: one_hot(%s, %lld) has a column for each class",
                        column->name, (long long)column->classes);
}

void check_note_list(struct checker *checker, struct diagnostic *to, const struct value *value) {
    if (value->kind == VALUE_LIST)
        diagnostic_note(checker->sink, to, (struct span){0},
                        "a tensor of numbers is 'stack([1, 2, 3], axis = 0)'");
}

/* [batch, 1] beside [batch]: what `dense(x, 1)` gives beside a plain column. */
static bool note_axis_of_one(struct checker *checker, struct diagnostic *to, const struct node *longer,
                             const struct node *shorter) {
    const struct shape *shape = &longer->type.shape;
    const int last = shape->rank - 1;
    if (last < 1 || shape->dims[last] != 1)
        return false;
    const struct shape without = shape_without(shape, last);
    if (!shape_equal(&without, &shorter->type.shape))
        return false;
    const struct node *own = longer->name ? longer : made_of(checker, longer);
    if (own && own->name && shape_equal(shape, &own->type.shape))
        diagnostic_note(checker->sink, to, (struct span){0},
                        "'%s[..., 0]' is without the axis of one number, %s", own->name,
                        shape_text(checker->arena, &without, checker->graph->batch_name));
    return true;
}

static void note_mend(struct checker *checker, struct diagnostic *to, struct node *const *inputs, int count) {
    if (count == 2 && (note_axis_of_one(checker, to, inputs[0], inputs[1]) ||
                       note_axis_of_one(checker, to, inputs[1], inputs[0])))
        return;
    for (int i = 0; i < count; i++)
        note_classes(checker, to, inputs[i]);
}

struct value make_node(struct checker *checker, enum operator_code code, struct node *const *inputs,
                       int count, const struct attributes *attributes, struct span span) {
    struct shape_error error = {0};
    checker->graph->span = span;
    struct node *node = graph_node(checker->graph, code, inputs, count, attributes, &error);
    if (node)
        return value_tensor(node, span);
    struct diagnostic *said = check_error(checker, span, "%s", error.message);
    if (code == OPERATOR_convolve)
        note_image(checker, said, inputs[0], inputs[1]);
    else
        check_note_operands(checker, said, inputs, count);
    note_mend(checker, said, inputs, count);
    return value_error;
}

/* A conversion that nobody has written.  It is exact: classes are below 2^24. */
static struct node *converted(struct checker *checker, struct node *node, enum element element) {
    struct span span = checker->graph->span;
    checker->graph->span = node->span;
    node = graph_convert(checker->graph, node, element);
    checker->graph->span = span;
    return node;
}

struct node *to_tensor(struct checker *checker, const struct value *value, enum element element) {
    if (value->kind == VALUE_ERROR)
        return NULL;
    if (value->kind == VALUE_NUMBER)
        return graph_number(checker->graph, value->number, element);
    if (value->kind == VALUE_BATCH) {
        struct attributes attributes;
        memset(&attributes, 0, sizeof attributes);
        attributes.type.element = element;
        return graph_node(checker->graph, OPERATOR_rows, NULL, 0, &attributes, NULL);
    }
    if (value->kind != VALUE_TENSOR) {
        struct diagnostic *error = check_error(
            checker, value->span, "expected a number or a tensor, found %s", value_describe(checker, value));
        check_note_list(checker, error, value);
        return NULL;
    }
    if (value->tensor->type.element == ELEMENT_INT && element != ELEMENT_INT)
        return converted(checker, value->tensor, element);
    return value->tensor;
}

bool to_integer(struct checker *checker, const struct value *value, const char *what, int64_t low,
                int64_t high, int64_t *result) {
    if (value->kind == VALUE_ERROR)
        return false;
    if (value->kind != VALUE_NUMBER || value->number != floor(value->number) || value->number < (double)low ||
        value->number > (double)high) {
        if (low < -RANK_MAX)
            check_error(checker, value->span, "%s has to be a whole number; found %s", what,
                        value_describe(checker, value));
        else if (high >= ELEMENTS_MAX)
            check_error(checker, value->span, "%s has to be a whole number, %lld or more; found %s", what,
                        (long long)low, value_describe(checker, value));
        else
            check_error(checker, value->span, "%s has to be a whole number from %lld to %lld; found %s", what,
                        (long long)low, (long long)high, value_describe(checker, value));
        return false;
    }
    *result = (int64_t)value->number;
    return true;
}

bool to_switch(struct checker *checker, const struct value *value, const char *what, bool *result) {
    if (value->kind != VALUE_NUMBER || (value->number != 0 && value->number != 1)) {
        check_error(checker, value->span, "%s is true or false; found %s", what,
                    value_describe(checker, value));
        return false;
    }
    *result = value->number != 0;
    return true;
}

/* The first real tensor, or NULL. */
static const struct node *first_real(const struct value *operands, int count) {
    for (int i = 0; i < count; i++)
        if (operands[i].kind == VALUE_TENSOR && operands[i].tensor->type.element != ELEMENT_INT)
            return operands[i].tensor;
    return NULL;
}

/* The element type in which mixed operands meet: that of the first real tensor.  A condition meets neither of
 * the two values that it chooses from, and takes their type. */
static enum element common_element(struct checker *checker, enum operator_code code, struct value *operands,
                                   int count) {
    const struct node *chosen = code == OPERATOR_where ? first_real(operands + 1, count - 1) : NULL;
    const struct node *first = chosen ? chosen : first_real(operands, count);
    enum element element = first ? first->type.element : checker->real;
    if (chosen && operands[0].kind == VALUE_TENSOR)
        operands[0].tensor = converted(checker, operands[0].tensor, element);
    return element;
}

struct value apply_elementwise(struct checker *checker, enum operator_code code, struct value *operands,
                               int count, struct span span) {
    bool numbers = true;
    for (int i = 0; i < count; i++)
        numbers = numbers && operands[i].kind == VALUE_NUMBER;
    if (numbers) {
        double number = operator_fold(code, operands[0].number, count > 1 ? operands[1].number : 0,
                                      count > 2 ? operands[2].number : 0);
        if (isfinite(number))
            return value_number(number, span);
        check_error(checker, span, "this is %s, not a finite number",
                    text_number(checker->arena, number, false));
        return value_error;
    }
    enum element element = common_element(checker, code, operands, count);
    struct node *inputs[3];
    bool complete = true;
    for (int i = 0; i < count; i++) {
        inputs[i] = to_tensor(checker, &operands[i], element);
        complete = complete && inputs[i];
    }
    return complete ? make_node(checker, code, inputs, count, NULL, span) : value_error;
}

static struct reach reach_of(const struct checker *checker, const struct node *node) {
    struct reach reach = {NULL, NULL};
    bool input = node->code == OPERATOR_input;
    if (input && checker->model->columns[node->attributes.index].is_target)
        reach.target = node;
    if (input || node->code == OPERATOR_weight || node->code == OPERATOR_rows ||
        node->code == OPERATOR_step || node->code == OPERATOR_noise)
        reach.later = node;
    for (int i = 0; i < node->input_count; i++) {
        const struct reach *below = &checker->reaches[node->inputs[i]->id];
        reach.target = reach.target ? reach.target : below->target;
        reach.later = reach.later ? reach.later : below->later;
    }
    return reach;
}

const struct reach *check_reach(struct checker *checker, const struct node *node) {
    while (checker->reach_count <= node->id) {
        struct reach reach = reach_of(checker, checker->graph->nodes[checker->reach_count]);
        arena_reserve(checker->arena, checker->reaches, checker->reach_count, checker->reach_capacity);
        checker->reaches[checker->reach_count++] = reach;
    }
    return &checker->reaches[node->id];
}

/* ---- operators with signs ---- */

static struct value matmul(struct checker *checker, struct value *operands, struct span span) {
    for (int i = 0; i < 2; i++) {
        if (operands[i].kind == VALUE_ERROR)
            return value_error;
        if (operands[i].kind != VALUE_TENSOR) {
            struct diagnostic *error =
                check_error(checker, operands[i].span, "'@' needs tensors on both sides, found %s",
                            value_describe(checker, &operands[i]));
            note_scan_state(checker, error, &operands[i]);
            return value_error;
        }
    }
    return make_node(checker, OPERATOR_matmul, (struct node *[]){operands[0].tensor, operands[1].tensor}, 2,
                     NULL, span);
}

static struct value binary(struct checker *checker, struct scope *scope,
                           const struct expression *expression) {
    static const enum operator_code codes[] = {
        [BINARY_ADD] = OPERATOR_add,           [BINARY_SUBTRACT] = OPERATOR_subtract,
        [BINARY_MULTIPLY] = OPERATOR_multiply, [BINARY_DIVIDE] = OPERATOR_divide,
        [BINARY_POWER] = OPERATOR_power,       [BINARY_MATMUL] = OPERATOR_matmul,
        [BINARY_EQUAL] = OPERATOR_equal,       [BINARY_NOT_EQUAL] = OPERATOR_not_equal,
        [BINARY_LESS] = OPERATOR_less,         [BINARY_LESS_EQUAL] = OPERATOR_less_equal,
        [BINARY_GREATER] = OPERATOR_less,      [BINARY_GREATER_EQUAL] = OPERATOR_less_equal,
    };
    struct value operands[2];
    bool swapped = expression->code == BINARY_GREATER || expression->code == BINARY_GREATER_EQUAL;
    operands[swapped] = evaluate(checker, scope, expression->left);
    operands[!swapped] = evaluate(checker, scope, expression->right);
    if (expression->code == BINARY_MATMUL)
        return matmul(checker, operands, expression->span);
    return apply_elementwise(checker, codes[expression->code], operands, 2, expression->span);
}

/* ---- indexing ---- */

static bool subscript_number(struct checker *checker, struct scope *scope,
                             const struct expression *expression, int64_t absent, int64_t *result) {
    *result = absent;
    if (!expression)
        return true;
    struct value value = evaluate(checker, scope, expression);
    return to_integer(checker, &value, "a subscript", -ELEMENTS_MAX + 1, ELEMENTS_MAX - 1, result);
}

static int64_t clamp(int64_t x, int64_t low, int64_t high) {
    return x < low ? low : x > high ? high : x;
}

/* first:last:step along one axis, by Python's rules. */
static struct value range_of(struct checker *checker, struct scope *scope, struct value value, int axis,
                             const struct subscript *subscript) {
    int64_t size = value.tensor->type.shape.dims[axis], first, last, step;
    if (!subscript->first && !subscript->last && !subscript->step)
        return value;
    if (size == BATCH) {
        check_error(checker, subscript->span, "this axis is the batch: its rows cannot be picked out");
        return value_error;
    }
    if (!subscript_number(checker, scope, subscript->step, 1, &step))
        return value_error;
    if (step == 0) {
        check_error(checker, subscript->step->span, "the step of a range cannot be 0");
        return value_error;
    }
    if (!subscript_number(checker, scope, subscript->first, step > 0 ? 0 : size - 1, &first) ||
        !subscript_number(checker, scope, subscript->last, step > 0 ? size : -1 - size, &last))
        return value_error;
    first = clamp(first < 0 ? first + size : first, step > 0 ? 0 : -1, step > 0 ? size : size - 1);
    last = clamp(last < 0 ? last + size : last, step > 0 ? 0 : -1, size);
    int64_t count = step > 0 ? (last - first + step - 1) / step : (first - last - step - 1) / -step;
    if (count <= 0) {
        check_error(checker, subscript->span, "this range holds nothing: the axis has %lld elements",
                    (long long)size);
        return value_error;
    }
    struct attributes attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.axis = axis;
    attributes.start = first;
    attributes.step = step;
    attributes.type = value.tensor->type;
    attributes.type.shape.dims[axis] = count;
    return make_node(checker, OPERATOR_slice, &value.tensor, 1, &attributes, subscript->span);
}

/* One element along an axis, which disappears. */
static struct value element_of(struct checker *checker, struct scope *scope, struct value value, int axis,
                               const struct subscript *subscript) {
    int64_t size = value.tensor->type.shape.dims[axis], index;
    if (size == BATCH) {
        check_error(checker, subscript->span, "this axis is the batch: its rows cannot be picked out");
        return value_error;
    }
    if (!subscript_number(checker, scope, subscript->first, 0, &index))
        return value_error;
    if (index < -size || index >= size) {
        check_error(checker, subscript->span, "subscript %lld is outside an axis of %lld elements",
                    (long long)index, (long long)size);
        return value_error;
    }
    struct attributes attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.axis = axis;
    attributes.start = index < 0 ? index + size : index;
    attributes.step = 1;
    attributes.type = value.tensor->type;
    attributes.type.shape.dims[axis] = 1;
    value = make_node(checker, OPERATOR_slice, &value.tensor, 1, &attributes, subscript->span);
    return value_tensor(
        graph_reshape(checker->graph, value.tensor, shape_without(&value.tensor->type.shape, axis)),
        subscript->span);
}

/* One item of a list, as split() gives it. */
static struct value item_of(struct checker *checker, struct scope *scope, const struct value *list,
                            const struct expression *expression) {
    const struct subscript *s = expression->subscripts;
    int64_t index;
    if (!s || s->next || s->is_ellipsis || s->is_range) {
        check_error(checker, expression->span, "a list is indexed by one number");
        return value_error;
    }
    if (!subscript_number(checker, scope, s->first, 0, &index))
        return value_error;
    if (index < -list->item_count || index >= list->item_count) {
        check_error(checker, s->span, "subscript %lld is outside a list of %d", (long long)index,
                    list->item_count);
        return value_error;
    }
    struct value item = list->items[index < 0 ? index + list->item_count : index];
    item.span = expression->span;
    return item;
}

static struct value indexed(struct checker *checker, struct scope *scope,
                            const struct expression *expression) {
    struct value value = evaluate(checker, scope, expression->left);
    if (value.kind == VALUE_ERROR)
        return value;
    if (value.kind == VALUE_LIST)
        return item_of(checker, scope, &value, expression);
    if (value.kind != VALUE_TENSOR) {
        struct diagnostic *error = check_error(checker, expression->left->span,
                                               "only a tensor or a list has elements to index; found %s",
                                               value_describe(checker, &value));
        note_scan_state(checker, error, &value);
        return value_error;
    }
    int given = 0, axis = 0, rank = value.tensor->type.shape.rank, ellipses = 0;
    for (const struct subscript *s = expression->subscripts; s; s = s->next) {
        given += !s->is_ellipsis;
        ellipses += s->is_ellipsis;
        if (ellipses > 1) {
            check_error(checker, s->span, "'...' stands for all other axes, so it stands once");
            return value_error;
        }
    }
    if (given > rank) {
        check_error(checker, expression->span, "%d subscripts for a value of %d axes, %s", given, rank,
                    value_describe(checker, &value));
        return value_error;
    }
    for (const struct subscript *s = expression->subscripts; s && value.kind != VALUE_ERROR; s = s->next) {
        if (s->is_ellipsis)
            axis += rank - given;
        else if (s->is_range)
            value = range_of(checker, scope, value, axis++, s);
        else
            value = element_of(checker, scope, value, axis, s);
    }
    value.span = expression->span;
    return value;
}

/* ---- names ---- */

static void suggest(struct checker *checker, struct scope *scope, struct text *message, const char *name) {
    enum { SUGGESTED = 100 }; /* the search looks at all names */
    if (checker->sink->error_count >= SUGGESTED)
        return;
    const char **candidates = NULL;
    int count = 0, capacity = 0;
    for (struct scope *s = scope; s; s = s->parent)
        for (struct binding *b = s->first; b; b = b->next) {
            arena_reserve(checker->arena, candidates, count, capacity);
            candidates[count++] = b->name;
        }
    for (struct binding *b = checker->declarations->first; b; b = b->next) {
        arena_reserve(checker->arena, candidates, count, capacity);
        candidates[count++] = b->name;
    }
    for (int i = 0; builtin_name(i); i++) {
        arena_reserve(checker->arena, candidates, count, capacity);
        candidates[count++] = builtin_name(i);
    }
    for (int i = 0; i < OPERATOR_COUNT; i++)
        if (operators[i].callable) {
            arena_reserve(checker->arena, candidates, count, capacity);
            candidates[count++] = operators[i].name;
        }
    const char *nearest = text_nearest(name, candidates, (size_t)count);
    if (nearest)
        text_print(message, "; did you mean '%s'?", nearest);
}

static void report_cycle(struct checker *checker, const struct scope *scope, const struct binding *binding,
                         struct span span) {
    struct diagnostic *error = check_error(checker, span, "'%s' depends on itself", binding->name);
    int shown = 0;
    for (const struct binding *b = scope->first; b && shown < 5; b = b->next)
        if (b != binding && b->state == BINDING_RUNNING) {
            diagnostic_note(checker->sink, error, b->statement->name.span, "by way of '%s'", b->name);
            shown++;
        }
}

#define NO_METRIC \
    "areas under curves are no metric here; there are accuracy, precision, recall, f1 and others"
#define IS_TEXT "a text stands in quotes, as in padding = \"same\""
#define IS_WEIGHT "a weight is declared: 'weight W : [10, 3]'; layers such as dense have their own"

/* Why a name that a reader may well expect here is unknown; or NULL. */
static const char *why_unknown(const struct checker *checker, const char *name) {
    static const char *const special[][2] = {{"weight", "it is a name in a solver only"},
                                             {"grad", "it is known in a solver only"},
                                             {"step", "it is known in solvers and train"},
                                             {"fan_in", "it is known in an initialiser only"},
                                             {"fan_out", "it is known in an initialiser only"},
                                             {"acc", "did you mean 'accuracy'?"},
                                             {"auc", NO_METRIC},
                                             {"roc_auc", NO_METRIC},
                                             {"linear", "did you mean 'dense'?"},
                                             {"Linear", "did you mean 'dense'?"},
                                             {"cat", "did you mean 'concat'?"},
                                             {"fc", "did you mean 'dense'?"},
                                             {"swish", "did you mean 'silu'?"},
                                             {"bce", "did you mean 'binary_cross_entropy'?"},
                                             {"same", IS_TEXT},
                                             {"valid", IS_TEXT},
                                             {"W", IS_WEIGHT},
                                             {"w", IS_WEIGHT},
                                             {"b", IS_WEIGHT},
                                             {"bias", IS_WEIGHT}};
    for (size_t i = 0; i < sizeof special / sizeof *special; i++)
        if (strcmp(name, special[i][0]) == 0)
            return special[i][1];
    for (const struct statement *s = checker->statements; s; s = s->next)
        if (s->kind == STATEMENT_PARAM && strcmp(s->name.text, name) == 0)
            return "a param knows only those above it";
    return NULL;
}

struct value lookup(struct checker *checker, struct scope *scope, const char *name, struct span span) {
    struct scope *home = scope;
    struct binding *binding = NULL;
    for (; home && !binding; home = home->parent)
        if ((binding = scope_find_here(home, name)))
            break;
    if (binding) {
        binding->used = true;
        if (binding->state == BINDING_RUNNING) {
            report_cycle(checker, home, binding, span);
            return value_error;
        }
        evaluate_binding(checker, home, binding);
        struct value value = binding->value;
        value.span = span;
        return value;
    }
    if ((binding = scope_find_here(checker->declarations, name))) {
        binding->used = true;
        return (struct value){.kind = VALUE_CALLABLE, .declaration = binding->statement, .span = span};
    }
    const struct builtin *builtin = builtin_find(name);
    if (builtin)
        return (struct value){.kind = VALUE_CALLABLE, .builtin = builtin, .span = span};
    if (operator_named(name) != OPERATOR_COUNT)
        return (struct value){.kind = VALUE_CALLABLE, .code = operator_named(name), .span = span};
    struct text message = {.arena = checker->arena};
    text_print(&message, "unknown name '%s'", name);
    const char *why = why_unknown(checker, name);
    if (why)
        text_print(&message, "; %s", why);
    else
        suggest(checker, scope, &message, name);
    check_error(checker, span, "%s", text_string(&message));
    return value_error;
}

static struct value list_of(struct checker *checker, struct scope *scope,
                            const struct expression *expression) {
    struct value list = {.kind = VALUE_LIST, .span = expression->span};
    int count = 0;
    for (const struct argument *a = expression->arguments; a; a = a->next)
        count++;
    list.items = arena_array(checker->arena, struct value, (size_t)count);
    for (const struct argument *a = expression->arguments; a; a = a->next) {
        list.items[list.item_count] = evaluate(checker, scope, a->value);
        if (list.items[list.item_count++].kind == VALUE_ERROR)
            return value_error;
    }
    return list;
}

static struct value piped(struct checker *checker, struct scope *scope, const struct expression *expression) {
    struct value first = evaluate(checker, scope, expression->left);
    const struct expression *right = expression->right;
    if (right->kind == EXPRESSION_CALL)
        return evaluate_call(checker, scope, right->left, &first, right->arguments, expression->span);
    return evaluate_call(checker, scope, right, &first, NULL, expression->span);
}

static struct value evaluate_kind(struct checker *checker, struct scope *scope,
                                  const struct expression *expression) {
    switch (expression->kind) {
    case EXPRESSION_NUMBER:
        return value_number(expression->number, expression->span);
    case EXPRESSION_STRING:
        return value_text(expression->string, expression->span);
    case EXPRESSION_NAME:
        return lookup(checker, scope, expression->string, expression->span);
    case EXPRESSION_NEGATE: {
        struct value operand = evaluate(checker, scope, expression->left);
        return apply_elementwise(checker, OPERATOR_negate, &operand, 1, expression->span);
    }
    case EXPRESSION_BINARY:
        return binary(checker, scope, expression);
    case EXPRESSION_PIPE:
        return piped(checker, scope, expression);
    case EXPRESSION_CALL:
        return evaluate_call(checker, scope, expression->left, NULL, expression->arguments, expression->span);
    case EXPRESSION_INDEX:
        return indexed(checker, scope, expression);
    case EXPRESSION_LIST:
        return list_of(checker, scope, expression);
    }
    return value_error;
}

struct value evaluate(struct checker *checker, struct scope *scope, const struct expression *expression) {
    if (checker->depth > DEPTH_MAX) {
        check_error(checker, expression->span, "nested more than %d levels deep", DEPTH_MAX);
        return value_error;
    }
    checker->depth++;
    struct value value = evaluate_kind(checker, scope, expression);
    checker->depth--;
    return value;
}
