/* What train says of groups of weights: patterns of names, which are frozen, and derivatives kept in bounds.
 */
#include "check/check.h"

#include <string.h>

/* ---- names ---- */

/* `*` stands for any characters.  The pattern may end before a dot of the name: "h" is h.W and h.b. */
static bool matches(const char *pattern, const char *name) {
    if (*pattern == '*')
        return matches(pattern + 1, name) || (*name && matches(pattern, name + 1));
    if (!*pattern)
        return !*name || *name == '.';
    return *pattern == *name && matches(pattern + 1, name + 1);
}

/* Does the text match a weight of the model?  Else it is an error, as it is a mistake in writing. */
static bool is_pattern(struct checker *checker, const struct value *value) {
    if (value->kind != VALUE_TEXT) {
        if (value->kind != VALUE_ERROR)
            check_error(checker, value->span,
                        "expected the name of weights in quotes, such as \"h\" or \"*.b\"; "
                        "found %s",
                        value_describe(checker, value));
        return false;
    }
    int count = 0;
    const char **names = arena_array(checker->arena, const char *, (size_t)checker->model->weight_count);
    for (int i = 0; i < checker->model->weight_count; i++) {
        if (checker->model->weights[i].is_state || checker->model->weights[i].is_running)
            continue;
        if (matches(value->text, checker->model->weights[i].name))
            return true;
        names[count++] = checker->model->weights[i].name;
    }
    const char *nearest = text_nearest(value->text, names, (size_t)count);
    struct diagnostic *error =
        check_error(checker, value->span, "no weight is named '%s'%s%s%s", value->text,
                    nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
    diagnostic_note(
        checker->sink, error, (struct span){0},
        "nnrun MODEL.nn lists the names; \"h\" means all that begin with h., \"*.b\" all that end with .b");
    return false;
}

struct value call_weight_is(struct checker *checker, struct value *arguments, struct span span) {
    if (!checker->updated) {
        check_error(checker, span, "weight_is is known in the settings of train's solver only");
        return value_error;
    }
    checker->asked_weight = true;
    if (!is_pattern(checker, &arguments[0]))
        return value_error;
    return value_number(matches(arguments[0].text, checker->updated), span);
}

/* ---- frozen weights ---- */

bool check_freeze(struct checker *checker, const struct value *freeze) {
    const struct value *items = freeze->kind == VALUE_LIST ? freeze->items : freeze;
    int count = freeze->kind == VALUE_LIST ? freeze->item_count : 1;
    bool good = true;
    for (int i = 0; i < count; i++)
        good = is_pattern(checker, &items[i]) && good;
    return good;
}

bool is_frozen(const struct value *freeze, const char *name) {
    const struct value *items = freeze->kind == VALUE_LIST ? freeze->items : freeze;
    int count = freeze->kind == VALUE_LIST ? freeze->item_count : freeze->kind == VALUE_TEXT;
    for (int i = 0; i < count; i++)
        if (matches(items[i].text, name))
            return true;
    return false;
}

/* ---- derivatives kept in bounds: NULL entries stay ---- */

static void clip_values(struct graph *graph, double bound, struct node **gradients, int count) {
    for (int i = 0; i < count; i++) {
        if (!gradients[i])
            continue;
        enum element element = gradients[i]->type.element;
        gradients[i] = graph_binary(
            graph, OPERATOR_minimum,
            graph_binary(graph, OPERATOR_maximum, gradients[i], graph_number(graph, -bound, element)),
            graph_number(graph, bound, element));
    }
}

/* Pascanu, Mikolov and Bengio 2013: all derivatives as one vector, made shorter where it is longer than the
 * bound. */
static void clip_norm(struct graph *graph, enum element real, double bound, struct node **gradients,
                      int count) {
    struct node *squares = graph_number(graph, 0, real);
    for (int i = 0; i < count; i++) {
        if (!gradients[i])
            continue;
        struct node *sum = graph_binary(graph, OPERATOR_multiply, gradients[i], gradients[i]);
        while (sum->type.shape.rank)
            sum = graph_fold(graph, OPERATOR_sum, sum, sum->type.shape.rank - 1);
        squares = graph_binary(graph, OPERATOR_add, squares, graph_convert(graph, sum, real));
    }
    struct node *limit = graph_number(graph, bound, real);
    struct node *scale = graph_binary(
        graph, OPERATOR_divide, limit,
        graph_binary(graph, OPERATOR_maximum, graph_unary(graph, OPERATOR_sqrt, squares), limit));
    for (int i = 0; i < count; i++)
        if (gradients[i])
            gradients[i] = graph_binary(graph, OPERATOR_multiply, gradients[i],
                                        graph_convert(graph, scale, gradients[i]->type.element));
}

void clip_gradients(struct checker *checker, const struct update_settings *settings, struct node **gradients,
                    int count) {
    checker->graph->span = settings->solver_call->span;
    if (settings->clip_value > 0)
        clip_values(checker->graph, settings->clip_value, gradients, count);
    if (settings->clip_norm > 0)
        clip_norm(checker->graph, checker->real, settings->clip_norm, gradients, count);
}
