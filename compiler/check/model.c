/* model name { ... }: inputs, targets, values, results; and whether the data fits them. */
#include "check/check.h"

#include <string.h>

static void add_column(struct checker *checker, struct scope *scope, const struct statement *statement) {
    struct model *model = checker->model;
    struct attributes attributes;
    struct column column = {.name = statement->name.text,
                            .is_target = statement->kind == STATEMENT_TARGET,
                            .span = statement->span};
    memset(&attributes, 0, sizeof attributes);
    if (!resolve_type(checker, checker->globals, statement->type, true, &attributes.type, &column.classes)) {
        scope_add(checker, scope, column.name, value_error)->used = true;
        return;
    }
    if (shape_batch_axis(&attributes.type.shape) != 0) {
        check_error(checker, statement->type->span,
                    "the %s holds a batch of rows: its first dimension is a name, as in %s",
                    column.is_target ? "target" : "input",
                    column.classes ? "class[batch] of 3" : "f64[batch, 2]");
        scope_add(checker, scope, column.name, value_error)->used = true;
        return;
    }
    bool is_class = statement->type->element.text && strcmp(statement->type->element.text, "class") == 0;
    if (is_class && !column.classes) {
        check_error(checker, statement->type->span, "a class needs the number of classes: class[%s] of 3",
                    checker->graph->batch_name);
    }
    if (scope_find_here(scope, column.name)) {
        struct diagnostic *error =
            check_error(checker, statement->name.span, "'%s' is defined twice", column.name);
        diagnostic_note(checker->sink, error, scope_find_here(scope, column.name)->value.span,
                        "it is defined here");
        return;
    }
    attributes.index = model->column_count;
    checker->graph->span = statement->name.span;
    column.node = graph_node(checker->graph, OPERATOR_input, NULL, 0, &attributes, NULL);
    name_node(column.node, column.name);
    arena_reserve(checker->arena, model->columns, model->column_count, checker->column_capacity);
    model->columns[model->column_count++] = column;
    scope_add(checker, scope, column.name, value_tensor(column.node, statement->name.span))->statement =
        statement;
}

/* The element type of what says none: that of the first real input, else of the first weight that says one.
 */
static enum element default_real(const struct checker *checker, const struct statement *body) {
    static const enum statement_kind order[] = {STATEMENT_INPUT, STATEMENT_TARGET, STATEMENT_WEIGHT};
    for (int i = 0; i < 3; i++)
        for (const struct statement *s = body; s; s = s->next) {
            if (s->kind != order[i] || !s->type || !s->type->element.text)
                continue;
            if (strcmp(s->type->element.text, "f32") == 0 && !checker->widened)
                return ELEMENT_F32;
            if (strcmp(s->type->element.text, "f32") == 0 || strcmp(s->type->element.text, "f64") == 0)
                return ELEMENT_F64;
        }
    return ELEMENT_F64;
}

static void add_output(struct checker *checker, struct result output) {
    struct model *model = checker->model;
    const struct node *below = check_reach(checker, output.node)->target;
    if (below) {
        const struct column *target = &model->columns[below->attributes.index];
        struct diagnostic *error = check_error(
            checker, output.span,
            "the output '%s' depends on the target '%s', which is unknown when the model predicts",
            output.name, target->name);
        diagnostic_note(checker->sink, error, target->span, "the target is declared here");
        return;
    }
    arena_reserve(checker->arena, model->outputs, model->output_count, checker->output_capacity);
    model->outputs[model->output_count++] = output;
}

/* The same name twice among outputs, or among metrics. */
static bool is_result_twice(struct checker *checker, const struct statement *statement, struct scope *names) {
    const struct binding *first = scope_find_here(names, statement->name.text);
    if (!first) {
        scope_add(checker, names, statement->name.text, value_none)->statement = statement;
        return false;
    }
    struct diagnostic *error =
        check_error(checker, statement->span, "'%s' is named twice", statement->name.text);
    diagnostic_note(checker->sink, error, first->statement->span, "the first is here");
    return true;
}

/* A number, or a table without rows of the batch: the same for all rows. */
static bool is_metric(const struct shape *shape) {
    return shape->rank <= 2 && shape_batch_axis(shape) < 0;
}

static void add_result(struct checker *checker, struct scope *scope, const struct statement *statement) {
    struct model *model = checker->model;
    struct value value = lookup(checker, scope, statement->name.text, statement->name.span);
    if (value.kind == VALUE_ERROR)
        return;
    struct node *node = to_tensor(checker, &value, checker->real);
    if (!node)
        return;
    struct result result = {statement->name.text, node, statement->span,
                            value.kind == VALUE_TENSOR ? value.tensor->choices : 0};
    if (statement->kind == STATEMENT_OUTPUT && is_result_twice(checker, statement, checker->output_names))
        return;
    if (statement->kind == STATEMENT_METRIC && is_result_twice(checker, statement, checker->metric_names))
        return;
    if (statement->kind == STATEMENT_OUTPUT) {
        add_output(checker, result);
        return;
    }
    bool is_loss = statement->kind == STATEMENT_LOSS;
    if (is_loss ? node->type.shape.rank > 0 : !is_metric(&node->type.shape)) {
        struct diagnostic *error =
            check_error(checker, statement->name.span, "%s; '%s' is %s",
                        is_loss ? "a loss has to be one real number"
                                : "a metric has to be one real number, or a vector or matrix of them",
                        result.name, describe_type(checker, &node->type));
        if (shape_batch_axis(&node->type.shape) >= 0)
            diagnostic_note(checker->sink, error, (struct span){0},
                            "take its mean over the batch with mean(...)");
        return;
    }
    if (statement->kind == STATEMENT_LOSS) {
        if (model->loss.node) {
            struct diagnostic *error =
                check_error(checker, statement->span, "a second loss; add the two into one");
            diagnostic_note(checker->sink, error, model->loss.span, "the first is here");
        }
        model->loss = result;
        return;
    }
    arena_reserve(checker->arena, model->metrics, model->metric_count, checker->metric_capacity);
    model->metrics[model->metric_count++] = result;
}

static void keep_values(struct checker *checker, const struct scope *scope) {
    struct model *model = checker->model;
    for (const struct binding *b = scope->first; b; b = b->next) {
        if (b->value.kind != VALUE_TENSOR)
            continue;
        arena_reserve(checker->arena, model->values, model->value_count, checker->value_capacity);
        model->values[model->value_count++] = (struct result){b->name, b->value.tensor, b->value.span, 0};
    }
}

/* Names that the file `source` defines and nothing reads. */
void warn_unused(struct checker *checker, const struct scope *scope, const struct source *source) {
    static const char *const kinds[] = {
        [STATEMENT_PARAM] = "param",   [STATEMENT_LAYER] = "layer", [STATEMENT_INITIALISER] = "initialiser",
        [STATEMENT_SOLVER] = "solver", [STATEMENT_INPUT] = "input", [STATEMENT_TARGET] = "target",
        [STATEMENT_WEIGHT] = "weight", [STATEMENT_VALUE] = "value"};
    for (const struct binding *b = scope->first; b; b = b->next)
        if (!b->used && b->statement && b->statement->span.source == source)
            diagnostic_warning(checker->sink, b->statement->name.span, "%s '%s' is never used",
                               kinds[b->statement->kind], b->name);
}

void check_model(struct checker *checker, const struct statement *statement) {
    struct scope *scope = scope_new(checker, checker->globals);
    checker->model->name = statement->name.text;
    checker->real = default_real(checker, statement->body);
    for (const struct statement *s = statement->body; s; s = s->next) {
        if (s->kind == STATEMENT_INPUT || s->kind == STATEMENT_TARGET)
            add_column(checker, scope, s);
        else if (s->kind == STATEMENT_STATE || s->kind == STATEMENT_RETURN)
            check_error(checker, s->keyword_span,
                        s->kind == STATEMENT_STATE ? "'state' stands only in a solver"
                                                   : "'return' stands only in a layer");
        else if (!defines_value(s) && s->kind != STATEMENT_OUTPUT && s->kind != STATEMENT_LOSS &&
                 s->kind != STATEMENT_METRIC)
            check_error(checker, s->keyword_span.source ? s->keyword_span : s->span,
                        "this belongs outside the model, at the top of the file");
    }
    const char *rows = checker->graph->batch_name;
    if (rows && !scope_find_here(scope, rows))
        scope_add(checker, scope, rows, (struct value){.kind = VALUE_BATCH})->used = true;
    declare_body(checker, scope, statement->body);
    evaluate_body(checker, scope);
    settle_names(checker);
    for (const struct statement *s = statement->body; s; s = s->next)
        if (s->kind == STATEMENT_OUTPUT || s->kind == STATEMENT_LOSS || s->kind == STATEMENT_METRIC)
            add_result(checker, scope, s);
    keep_values(checker, scope);
    if (checker->sink->error_count == 0) {
        warn_unused(checker, scope, statement->span.source);
        if (!checker->model->output_count && !checker->model->loss.node)
            diagnostic_error(checker->sink, statement->name.span,
                             "model '%s' has neither an output nor a loss", statement->name.text);
    }
}

/* A row of a spiral is x, y and a class; a real target of several elements takes the class as a one-hot row.
 */
void check_spiral(struct checker *checker, const struct data *data) {
    const struct model *model = checker->model;
    const struct column *last = NULL;
    int64_t cells = 0, classes = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < model->column_count; i++)
            if (model->columns[i].is_target == (pass == 1)) {
                last = &model->columns[i];
                cells += shape_inner_size(&last->node->type.shape);
            }
    int64_t inner = last ? shape_inner_size(&last->node->type.shape) : 0;
    if (last && last->is_target && inner > 1 && last->node->type.element != ELEMENT_INT &&
        cells - inner == 2) {
        cells = 3;
        classes = inner;
    } else if (last)
        classes = last->classes;
    if (cells != 3 || !last->is_target) {
        struct diagnostic *error = check_error(
            checker, data->span, "a row of a spiral is x, y and a class: 3 numbers; the model takes %lld%s",
            (long long)cells, cells == 3 ? " and has no target" : "");
        for (int i = 0; i < model->column_count; i++)
            diagnostic_note(checker->sink, error, model->columns[i].span, "'%s' takes %lld",
                            model->columns[i].name,
                            (long long)shape_inner_size(&model->columns[i].node->type.shape));
    } else if (classes && classes < data->classes) {
        struct diagnostic *error =
            check_error(checker, data->span, "the spiral has %lld classes, the target '%s' %lld",
                        (long long)data->classes, last->name, (long long)classes);
        diagnostic_note(checker->sink, error, last->span, "the target is declared here");
    }
}
