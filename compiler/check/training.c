/* train { ... }: a table of settings, and the solver that they name. */
#include "check/check.h"

#include <math.h>
#include <string.h>

static bool set_solver(struct checker *checker, const struct expression *expression) {
    checker->updated = checker->model->weight_count ? checker->model->weights[0].name : "";
    struct value value = evaluate(checker, checker->globals, expression);
    checker->updated = NULL;
    if (value.kind == VALUE_CALLABLE && value.declaration && value.declaration->kind == STATEMENT_SOLVER) {
        check_error(checker, expression->span, "call the solver to give its settings: %s(...)",
                    value.declaration->name.text);
        return false;
    }
    if (value.kind != VALUE_RECIPE || value.declaration->kind != STATEMENT_SOLVER) {
        if (value.kind != VALUE_ERROR)
            check_error(checker, expression->span, "expected a solver, such as sgd(rate = 0.1); found %s",
                        value_describe(checker, &value));
        return false;
    }
    const struct span span = expression->span;
    struct training *training = &checker->model->training;
    const struct binding *rate = scope_find_here(value.arguments, "rate");
    training->solver = value.declaration->name.text;
    training->solver_text = arena_copy(checker->arena, span.source->text + span.start, span.end - span.start);
    if (rate && rate->value.kind == VALUE_NUMBER && rate->value.number < 0)
        diagnostic_warning(checker->sink, rate->value.span,
                           "the rate is negative: every update makes the loss larger");
    bool given = rate && rate->value.span.source == span.source;
    training->rate_span = given ? rate->value.span : span;
    bool known = rate && rate->value.kind == VALUE_NUMBER && !checker->asked_weight;
    training->rate = known ? rate->value.number : NAN;
    return true;
}

static void set_batch(struct checker *checker, const struct value *value) {
    checker->model->training.batch_span = value->span;
    if (value->kind == VALUE_TEXT && strcmp(value->text, "all") == 0)
        checker->model->training.batch = 0;
    else if (value->kind != VALUE_NUMBER)
        check_error(checker, value->span, "batch is a number of rows, or all; found %s",
                    value_describe(checker, value));
    else
        to_integer(checker, value, "batch", 1, 1 << 24, &checker->model->training.batch);
}

static bool is_loss(const struct checker *checker, const char *name) {
    return checker->model->loss.name && strcmp(checker->model->loss.name, name) == 0;
}

static void report_unknown_measure(struct checker *checker, const struct expression *name) {
    const struct model *model = checker->model;
    struct text known = {.arena = checker->arena};
    struct diagnostic *error =
        check_error(checker, name->span, "'%s' is neither the loss nor a metric of the model", name->string);
    text_print(&known, "%s", model->loss.name ? model->loss.name : "");
    for (int i = 0; i < model->metric_count; i++)
        text_print(&known, "%s%s", known.length ? ", " : "", model->metrics[i].name);
    if (known.length)
        diagnostic_note(checker->sink, error, (struct span){0}, "these are: %s", text_string(&known));
}

/* Does the name stand for the loss or a metric?  Reports otherwise. */
static bool is_measure(struct checker *checker, const struct expression *name) {
    const struct model *model = checker->model;
    const struct result *measure = is_loss(checker, name->string) ? &model->loss : NULL;
    for (int i = 0; i < model->metric_count && !measure; i++)
        measure = strcmp(model->metrics[i].name, name->string) == 0 ? &model->metrics[i] : NULL;
    if (!measure)
        report_unknown_measure(checker, name);
    else if (measure->node->type.shape.rank)
        check_error(checker, name->span, "one number is asked for; '%s' is %s", name->string,
                    describe_type(checker, &measure->node->type));
    return measure && measure->node->type.shape.rank == 0;
}

static void set_expect(struct checker *checker, const struct expression *expression) {
    struct training *training = &checker->model->training;
    bool comparison = expression->kind == EXPRESSION_BINARY && expression->code >= BINARY_LESS &&
                      expression->left->kind == EXPRESSION_NAME;
    struct value bound = comparison ? evaluate(checker, checker->globals, expression->right) : value_none;
    if (bound.kind == VALUE_ERROR)
        return;
    if (!comparison || bound.kind != VALUE_NUMBER) {
        check_error(checker, expression->span,
                    "expected a bound for the loss or a metric, as in accuracy > 0.95");
        return;
    }
    is_measure(checker, expression->left);
    training->expect_metric = expression->left->string;
    training->expect_span = expression->span;
    training->expect_bound = bound.number;
    training->expect_above = expression->code == BINARY_GREATER || expression->code == BINARY_GREATER_EQUAL;
}

/* The argument at that position, or of that name; NULL: it is not given. */
static const struct expression *rule_argument(const struct expression *call, int position, const char *name) {
    int at = 0;
    for (const struct argument *a = call->arguments; a; a = a->next, at++)
        if (a->name.text ? strcmp(a->name.text, name) == 0 : at == position)
            return a->value;
    return NULL;
}

/* patience(measure, epochs, best = highest or lowest): the measure is a name of the model's, so nothing here
 * but the number is evaluated. */
static void set_stop(struct checker *checker, const struct expression *rule) {
    static const char *const names[] = {"measure", "epochs", "best"};
    struct training *training = &checker->model->training;
    const struct expression *parts[3] = {NULL};
    bool formed = rule->kind == EXPRESSION_CALL && rule->left->kind == EXPRESSION_NAME &&
                  strcmp(rule->left->string, "patience") == 0;
    int given = 0, found = 0;
    for (const struct argument *a = formed ? rule->arguments : NULL; a; a = a->next)
        given++;
    for (int i = 0; i < 3 && formed; i++) {
        parts[i] = rule_argument(rule, i, names[i]);
        found += parts[i] != NULL;
    }
    if (!formed || given != found || !parts[0] || !parts[1] || parts[0]->kind != EXPRESSION_NAME) {
        check_error(checker, rule->span,
                    "expected patience(measure, epochs, best = highest or lowest), with the loss or a metric "
                    "as the measure, as in patience(accuracy, 3)");
        return;
    }
    struct value epochs = evaluate(checker, checker->globals, parts[1]);
    bool good = is_measure(checker, parts[0]);
    if (epochs.kind == VALUE_ERROR ||
        !to_integer(checker, &epochs, "epochs", 1, (int64_t)1 << 31, &training->stop_epochs))
        good = false;
    const char *best = !parts[2] ? "" : parts[2]->kind == EXPRESSION_NAME ? parts[2]->string : "?";
    if (parts[2] && strcmp(best, "highest") != 0 && strcmp(best, "lowest") != 0) {
        check_error(checker, parts[2]->span, "best is highest or lowest");
        good = false;
    }
    training->stop_highest = parts[2] ? strcmp(best, "highest") == 0 : !is_loss(checker, parts[0]->string);
    training->stop_measure = good ? parts[0]->string : NULL;
}

static void set_generator(struct checker *checker, const struct value *value) {
    const char *name = value->kind == VALUE_TEXT ? value->text : "";
    if (strcmp(name, "numpy") == 0)
        checker->model->training.generator = GENERATOR_NUMPY;
    else if (strcmp(name, "counter") != 0)
        check_error(checker, value->span, "rng is counter or numpy; found %s",
                    value_describe(checker, value));
}

static void set_clip(struct checker *checker, const struct value *value, const char *name, double *bound) {
    if (value->kind == VALUE_NUMBER && value->number > 0)
        *bound = value->number;
    else
        check_error(checker, value->span, "%s is a number above 0; found %s", name,
                    value_describe(checker, value));
}

static bool is_setting(struct checker *checker, const struct name *name) {
    static const char *const names[] = {"solver",     "batch",     "epochs",     "seed",   "shuffle",
                                        "rng",        "freeze",    "checkpoint", "expect", "report",
                                        "clip_value", "clip_norm", "stop"};
    size_t count = sizeof names / sizeof *names;
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name->text) == 0)
            return true;
    const char *nearest = text_nearest(name->text, names, count);
    struct diagnostic *error =
        nearest ? check_error(checker, name->span, "unknown setting '%s'; did you mean '%s'?", name->text,
                              nearest)
                : check_error(checker, name->span, "unknown setting '%s'", name->text);
    diagnostic_note(
        checker->sink, error, (struct span){0},
        "the settings are solver, batch, epochs, seed, shuffle, rng, freeze, clip_value, clip_norm, "
        "checkpoint, stop, expect and report");
    return false;
}

/* Of a setting that is a value; solver, expect and stop are not. */
static void set_value(struct checker *checker, const char *name, const struct value *value,
                      struct update_settings *update) {
    struct training *training = &checker->model->training;
    int64_t number = 0;
    if (strcmp(name, "batch") == 0)
        set_batch(checker, value);
    else if (strcmp(name, "epochs") == 0)
        to_integer(checker, value, "epochs", 0, (int64_t)1 << 31, &training->epochs);
    else if (strcmp(name, "report") == 0)
        to_integer(checker, value, "report", 1, (int64_t)1 << 31, &training->report);
    else if (strcmp(name, "seed") == 0 && to_integer(checker, value, "seed", 0, UINT32_MAX, &number))
        training->seed = (uint64_t)number;
    else if (strcmp(name, "shuffle") == 0)
        to_switch(checker, value, "shuffle", &training->shuffle);
    else if (strcmp(name, "rng") == 0)
        set_generator(checker, value);
    else if (strcmp(name, "freeze") == 0 && check_freeze(checker, value))
        update->freeze = *value;
    else if (strcmp(name, "clip_value") == 0)
        set_clip(checker, value, name, &update->clip_value);
    else if (strcmp(name, "clip_norm") == 0)
        set_clip(checker, value, name, &update->clip_norm);
    else if (strcmp(name, "checkpoint") == 0 && value->kind == VALUE_TEXT)
        training->checkpoint = value->text;
    else if (strcmp(name, "checkpoint") == 0)
        check_error(checker, value->span, "checkpoint is the name of a file, in quotes");
}

/* Settings that name a part of the model: of one with errors no more can be said. */
static bool names_parts(const char *setting) {
    return strcmp(setting, "expect") == 0 || strcmp(setting, "stop") == 0 || strcmp(setting, "freeze") == 0;
}

static void set_training(struct checker *checker, const struct statement *s, struct update_settings *update) {
    const char *name = s->name.text;
    if (!is_setting(checker, &s->name) || (update->model_fails && names_parts(name)))
        return;
    if (strcmp(name, "solver") == 0) {
        if (set_solver(checker, s->value))
            update->solver_call = s->value;
    } else if (strcmp(name, "expect") == 0) {
        set_expect(checker, s->value);
    } else if (strcmp(name, "stop") == 0) {
        set_stop(checker, s->value);
    } else {
        struct value value = evaluate(checker, checker->globals, s->value);
        if (value.kind != VALUE_ERROR)
            set_value(checker, name, &value, update);
    }
}

/* A loss for the model's first target. */
static void note_loss(struct checker *checker, struct diagnostic *error) {
    const struct model *model = checker->model;
    const struct column *target = NULL;
    for (int i = 0; i < model->column_count && !target; i++)
        target = model->columns[i].is_target ? &model->columns[i] : NULL;
    const char *first = target && target->classes ? "score" : "y";
    if (!target)
        diagnostic_note(checker->sink, error, (struct span){0},
                        "add, for example, target t : f64[%s] and loss error = mse(y, t)",
                        checker->graph->batch_name ? checker->graph->batch_name : "batch");
    else
        diagnostic_note(checker->sink, error, (struct span){0}, "add, for example, loss %s = %s(%s, %s)",
                        target->classes ? "entropy" : "error", target->classes ? "cross_entropy" : "mse",
                        first, target->name);
}

/* No weight is to be updated. */
static void report_nothing(struct checker *checker, const struct statement *statement, bool frozen) {
    const struct model *model = checker->model;
    struct diagnostic *error =
        check_error(checker, statement->keyword_span,
                    frozen ? "there is nothing to train: the loss depends on no weight that is not frozen"
                           : "there is nothing to train: the loss depends on no weight");
    if (!frozen && model->weight_count > checker->running_count)
        diagnostic_note(checker->sink, error, model->loss.span,
                        "no derivative passes through steps, such as comparisons, argmax and accuracy: for "
                        "classes the loss is cross_entropy, for numbers mse");
}

void check_training(struct checker *checker, const struct statement *statement) {
    struct training *training = &checker->model->training;
    struct update_settings update = {.freeze = value_none};
    struct scope *seen = scope_new(checker, NULL);
    struct attributes attributes;
    *training = (struct training){
        .present = true, .epochs = 1, .shuffle = true, .rate = NAN, .span = statement->keyword_span};
    memset(&attributes, 0, sizeof attributes);
    attributes.type.element = checker->real;
    struct node *step = graph_node(checker->graph, OPERATOR_step, NULL, 0, &attributes, NULL);
    scope_add(checker, checker->constants, "step", value_tensor(step, statement->keyword_span))->used = true;
    update.model_fails = checker->sink->error_count > 0;
    for (const struct statement *s = statement->body; s; s = s->next) {
        if (s->kind != STATEMENT_VALUE) {
            check_error(checker, s->span, "train holds only settings: name = value");
            continue;
        }
        if (scope_find_here(seen, s->name.text)) {
            check_error(checker, s->name.span, "'%s' is set twice", s->name.text);
            continue;
        }
        scope_add(checker, seen, s->name.text, value_none);
        set_training(checker, s, &update);
    }
    if (checker->sink->error_count > 0)
        return;
    if (!checker->model->loss.node) {
        note_loss(checker, check_error(checker, statement->keyword_span,
                                       "there is nothing to train: the model has no loss"));
        return;
    }
    if (!update.solver_call) {
        struct diagnostic *error = check_error(checker, statement->keyword_span, "train has no solver");
        diagnostic_note(checker->sink, error, (struct span){0}, "add, for example, solver = sgd(rate = 0.1)");
        return;
    }
    build_updates(checker, &update);
    if (checker->sink->error_count == 0 && checker->model->update_count == checker->running_count)
        report_nothing(checker, statement, update.freeze.kind != VALUE_NONE);
}
