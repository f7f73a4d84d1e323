#include "nonfinite.h"
#include "graph/operator.h"

#include <math.h>
#include <string.h>

/* "element [2, 0]": of one row, or of a value without rows. */
static void print_element(struct text *text, const struct shape *shape, int64_t element) {
    struct shape inner = shape_inner(shape);
    int64_t indices[RANK_MAX];
    for (int axis = inner.rank - 1; axis >= 0; axis--) {
        indices[axis] = element % inner.dims[axis];
        element /= inner.dims[axis];
    }
    for (int axis = 0; axis < inner.rank; axis++)
        text_print(text, "%s%lld%s", axis ? ", " : ", element [", (long long)indices[axis],
                   axis + 1 == inner.rank ? "]" : "");
}

static const char *number_text(double value) {
    return isnan(value) ? "a NaN" : value > 0 ? "infinity" : "negative infinity";
}

/* "'h': the derivative of log gave infinity in update 7 (epoch 1) for row 3 of the data, element [2]" */
static const char *describe(struct run *run, const struct nonfinite *found,
                            const struct nonfinite_place *place) {
    struct text text = {.arena = run->arena};
    const struct node *node = found->node, *maker = node->forward ? node->forward : node;
    if (maker->name || maker->home)
        text_print(&text, "'%s': ", maker->name ? maker->name : maker->home);
    text_print(&text, "%s%s gave %s in update %lld (epoch %lld)", node->forward ? "the derivative of " : "",
               operators[maker->code].name, number_text(found->value), (long long)place->update,
               (long long)place->epoch);
    if (found->row >= 0) {
        int64_t row = place->order ? (int64_t)place->order[found->row] : place->first_row + found->row;
        text_print(&text, " for row %lld of the data", (long long)row + 1);
    }
    print_element(&text, &node->type.shape, found->element);
    return text_string(&text);
}

static bool in_users_file(const struct run *run, struct span span) {
    return span.source && strcmp(span.source->name, run->model->path) == 0;
}

void nonfinite_report(struct run *run, const struct nonfinite *found, const struct nonfinite_place *place) {
    const struct training *training = &run->model->training;
    struct diagnostic *error;
    if (!found->node) {
        error =
            diagnostic_error(run->sink, training->span, "the loss is not finite in update %lld (epoch %lld)",
                             (long long)place->update, (long long)place->epoch);
    } else {
        const struct node *maker = found->node->forward ? found->node->forward : found->node;
        bool direct = in_users_file(run, maker->span) || !maker->origin.source;
        struct span at = direct ? maker->span : maker->origin;
        error =
            diagnostic_error(run->sink, at.source ? at : training->span, "%s", describe(run, found, place));
        if (!direct && maker->span.source)
            diagnostic_note(run->sink, error, maker->span, "it is computed here");
    }
    if (place->update == 1 && !(found->node && found->node->forward))
        diagnostic_note(
            run->sink, error, (struct span){0},
            "no update was made before this one: it comes from the rows and the first weights alone");
    else {
        diagnostic_note(run->sink, error, (struct span){0},
                        "it often means that the solver's rate is too high%s; try a lower one",
                        isfinite(training->rate) ? text_format(run->arena, ": it is %s",
                                                               text_number(run->arena, training->rate, false))
                                                 : "");
        run_note_large(run, error);
    }
}
