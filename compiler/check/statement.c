/* The file: its params, declarations and data, the model's values, and how it is trained. */
#include "check/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void name_node(struct node *node, const char *name) {
    if (!node->name && node->operator != OPERATOR_constant)
        node->name = name;
}

/* ---- values of a body: declared first, evaluated each after what it needs ---- */

static bool defines_value(const struct statement *statement) {
    switch (statement->kind) {
    case STATEMENT_VALUE:
    case STATEMENT_WEIGHT:
        return true;
    case STATEMENT_OUTPUT:
    case STATEMENT_LOSS:
    case STATEMENT_METRIC:
        return statement->value != NULL;
    default:
        return false;
    }
}

void declare_body(struct checker *checker, struct scope *scope, const struct statement *body) {
    for (const struct statement *s = body; s; s = s->next) {
        if (!defines_value(s))
            continue;
        const struct binding *old = scope_find_here(scope, s->name.text);
        if (old) {
            struct diagnostic *error = check_error(checker, s->name.span, "'%s' is defined twice", s->name.text);
            if (old->statement)
                diagnostic_note(checker->sink, error, old->statement->name.span, "it is defined here");
            else if (old->value.span.source)
                diagnostic_note(checker->sink, error, old->value.span, "it is defined here");
            continue;
        }
        struct binding *binding = scope_add(checker, scope, s->name.text, value_none);
        binding->statement = s;
        binding->state = BINDING_PENDING;
        binding->used = s->kind == STATEMENT_OUTPUT || s->kind == STATEMENT_LOSS || s->kind == STATEMENT_METRIC;
    }
}

void evaluate_binding(struct checker *checker, struct scope *scope, struct binding *binding) {
    if (binding->state != BINDING_PENDING)
        return;
    const struct statement *statement = binding->statement;
    struct site *site = arena_new(checker->arena, struct site), *outer_site = checker->site;
    const char *outer_home = checker->graph->home;
    struct span outer_origin = checker->graph->origin;
    bool in_model = !checker->instance;
    *site = (struct site){.within = checker->instance, .statement = statement->name.text};
    checker->site = site;
    if (in_model) {
        checker->graph->home = statement->name.text;
        checker->graph->origin = statement->span;
    }
    binding->state = BINDING_RUNNING;
    if (statement->kind == STATEMENT_WEIGHT) {
        struct node *weight = declare_weight(checker, scope, statement);
        binding->value = weight ? value_tensor(weight, statement->name.span) : value_error;
    } else {
        binding->value = evaluate(checker, scope, statement->value);
        if (in_model && binding->value.kind == VALUE_TENSOR)
            name_node(binding->value.tensor, statement->name.text);
    }
    binding->state = BINDING_DONE;
    checker->site = outer_site;
    checker->graph->home = outer_home;
    checker->graph->origin = outer_origin;
}

/* The order: a walk over the names that each value mentions, with a stack of its own so that ten thousand values in
 * the opposite order of their need are no deeper a recursion than ten. */
struct pending {
    struct binding *binding;
    struct pending *below;
};

static struct pending *push_names(struct checker *checker, const struct scope *scope, const struct expression *expression,
                                  struct pending *stack) {
    for (; expression; expression = expression->left) { /* left-deep chains are long */
        if (expression->kind == EXPRESSION_NAME) {
            struct binding *binding = scope_find_here(scope, expression->string);
            if (binding && binding->state == BINDING_PENDING && !binding->ordered) {
                struct pending *entry = arena_new(checker->arena, struct pending);
                *entry = (struct pending){binding, stack};
                stack = entry;
            }
        }
        for (const struct argument *a = expression->arguments; a; a = a->next)
            stack = push_names(checker, scope, a->value, stack);
        if (expression->right && expression->right->kind != EXPRESSION_NAME)
            stack = push_names(checker, scope, expression->right, stack);
        else if (expression->kind != EXPRESSION_PIPE && expression->right)
            stack = push_names(checker, scope, expression->right, stack);
        if (expression->kind == EXPRESSION_CALL)
            break; /* the callee is no value */
    }
    return stack;
}

void evaluate_body(struct checker *checker, struct scope *scope) {
    for (struct binding *b = scope->first; b; b = b->next) {
        struct pending start = {b, NULL}, *stack = &start;
        while (stack) {
            struct pending *top = stack;
            if (top->binding->state != BINDING_PENDING) {
                stack = top->below;
            } else if (top->binding->ordered || top->binding->statement->kind == STATEMENT_WEIGHT) {
                stack = top->below;
                evaluate_binding(checker, scope, top->binding); /* reports a value that needs itself */
            } else {
                top->binding->ordered = true;
                stack = push_names(checker, scope, top->binding->statement->value, stack);
            }
        }
    }
}

/* ---- params ---- */

static const char *const keywords[] = {"all", "random", "even", "counter", "numpy"};

static struct value defined_value(struct checker *checker, const struct statement *param, const struct value *usual,
                                  const char *text) {
    char *end;
    if (usual->kind == VALUE_TEXT)
        return value_text(arena_copy(checker->arena, text, strlen(text)), param->span);
    if (usual->kind == VALUE_CALLABLE) {
        struct value named =
            lookup(checker, checker->globals, arena_copy(checker->arena, text, strlen(text)), param->value->span);
        if (named.kind == VALUE_ERROR)
            diagnostic_note(checker->sink, checker->sink->last, (struct span){0}, "from -D %s=%s", param->name.text, text);
        return named;
    }
    double number = strtod(text, &end);
    if (end == text || *end || !isfinite(number)) {
        check_error(checker, param->value->span, "-D %s=%s: expected a number, as the param is %s by default",
                    param->name.text, text, value_describe(checker, usual));
        return value_error;
    }
    return value_number(number, param->span);
}

static void add_param(struct checker *checker, const struct statement *param) {
    struct value value = evaluate(checker, checker->globals, param->value);
    const struct binding *old = scope_find_here(checker->globals, param->name.text);
    bool overridden = false;
    if (old) {
        struct diagnostic *error = check_error(checker, param->name.span, "'%s' is defined twice", param->name.text);
        if (old->statement)
            diagnostic_note(checker->sink, error, old->statement->name.span, "it is defined here");
        return;
    }
    if (value.kind == VALUE_TENSOR || value.kind == VALUE_LIST || value.kind == VALUE_NONE) {
        check_error(checker, param->value->span, "a param is a number, a text or a name; found %s",
                    value_describe(checker, &value));
        value = value_error;
    }
    for (int i = 0; i < checker->definition_count && value.kind != VALUE_ERROR; i++)
        if (strcmp(checker->definitions[i].name, param->name.text) == 0) {
            value = defined_value(checker, param, &value, checker->definitions[i].value);
            checker->definitions[i].used = overridden = true;
        }
    scope_add(checker, checker->globals, param->name.text, value)->statement = param;
    const char *text = value.kind == VALUE_NUMBER ? text_number(checker->arena, value.number, false)
                       : value.kind == VALUE_TEXT ? value.text
                                                  : "";
    struct model *model = checker->model;
    struct parameter_value *grown = arena_grow(checker->arena, model->parameters, (size_t)model->parameter_count,
                                               (size_t)model->parameter_count + 1, sizeof *grown);
    model->parameters = grown;
    grown[model->parameter_count++] = (struct parameter_value){param->name.text, text, overridden};
}

static void check_definitions(struct checker *checker) {
    for (int i = 0; i < checker->definition_count; i++) {
        if (checker->definitions[i].used)
            continue;
        const char **names = arena_array(checker->arena, const char *, (size_t)checker->model->parameter_count);
        for (int k = 0; k < checker->model->parameter_count; k++)
            names[k] = checker->model->parameters[k].name;
        const char *nearest =
            text_nearest(checker->definitions[i].name, names, (size_t)checker->model->parameter_count);
        diagnostic_error(checker->sink, (struct span){0}, "-D %s: the file has no param of this name%s%s%s",
                         checker->definitions[i].name, nearest ? "; did you mean '" : "", nearest ? nearest : "",
                         nearest ? "'?" : "");
    }
}

/* ---- declarations ---- */

static void check_body(struct checker *checker, const struct statement *declaration) {
    const struct statement *result = NULL;
    bool solver = declaration->kind == STATEMENT_SOLVER, sets_weight = false;
    for (const struct statement *s = declaration->body; s; s = s->next) {
        bool allowed = s->kind == STATEMENT_VALUE || (!solver && s->kind == STATEMENT_RETURN) ||
                       (solver && s->kind == STATEMENT_STATE) ||
                       (declaration->kind == STATEMENT_LAYER && s->kind == STATEMENT_WEIGHT);
        if (!allowed)
            check_error(checker, s->keyword_span, "'%.*s' cannot stand in %s '%s'",
                        (int)(s->keyword_span.end - s->keyword_span.start),
                        s->keyword_span.source->text + s->keyword_span.start,
                        solver                                         ? "the solver"
                        : declaration->kind == STATEMENT_INITIALISER ? "the initialiser"
                                                                      : "the layer",
                        declaration->name.text);
        if (s->kind == STATEMENT_RETURN && result)
            check_error(checker, s->span, "'%s' has two return statements", declaration->name.text);
        if (s->kind == STATEMENT_RETURN)
            result = s;
        sets_weight = sets_weight || (s->kind == STATEMENT_VALUE && strcmp(s->name.text, "weight") == 0);
    }
    if (!solver && !result)
        check_error(checker, declaration->name.span, "'%s' has no return statement: it gives no value",
                    declaration->name.text);
    if (solver && !sets_weight)
        check_error(checker, declaration->name.span, "the solver '%s' never sets 'weight'", declaration->name.text);
}

static void add_declaration(struct checker *checker, const struct statement *statement) {
    struct binding *old = scope_find_here(checker->declarations, statement->name.text);
    bool replaces = old && old->statement->span.source == checker->prelude;
    if (old && !replaces) {
        struct diagnostic *error =
            check_error(checker, statement->name.span, "'%s' is defined twice", statement->name.text);
        diagnostic_note(checker->sink, error, old->statement->name.span, "it is defined here");
        return;
    }
    struct binding *binding = replaces ? old : scope_add(checker, checker->declarations, statement->name.text, value_none);
    binding->statement = statement;
    check_body(checker, statement);
}

/* ---- data ---- */

/* One named argument of a data source. */
struct setting {
    const char *name;
    struct value value;
    bool given;
};

static bool read_settings(struct checker *checker, const struct expression *call, struct setting *settings, int count) {
    int position = 0;
    for (const struct argument *a = call->arguments; a; a = a->next) {
        int index = position;
        if (a->name.text) {
            const char *names[8];
            for (index = 0; index < count && strcmp(settings[index].name, a->name.text) != 0; index++)
                ;
            for (int i = 0; i < count; i++)
                names[i] = settings[i].name;
            const char *nearest = index < count ? NULL : text_nearest(a->name.text, names, (size_t)count);
            if (index == count) {
                check_error(checker, a->name.span, "%s has no setting '%s'%s%s%s", call->left->string, a->name.text,
                            nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
                return false;
            }
        } else
            position++;
        if (index >= count || settings[index].given) {
            check_error(checker, a->value->span, index >= count ? "too many arguments for %s" : "given twice: %s",
                        index >= count ? call->left->string : settings[index].name);
            return false;
        }
        settings[index].value = evaluate(checker, checker->globals, a->value);
        settings[index].given = true;
        if (settings[index].value.kind == VALUE_ERROR)
            return false;
    }
    return true;
}

static bool spiral_data(struct checker *checker, const struct expression *call, struct data *data) {
    struct setting s[] = {{"classes", value_number(3, call->span), false},
                          {"points", value_number(100, call->span), false},
                          {"noise", value_number(0.2, call->span), false},
                          {"radius", value_text("even", call->span), false}};
    if (!read_settings(checker, call, s, 4) ||
        !to_integer(checker, &s[0].value, "the number of classes", 1, 1000, &data->classes) ||
        !to_integer(checker, &s[1].value, "the number of points for each class", 1, 10000000, &data->points))
        return false;
    if (s[2].value.kind != VALUE_NUMBER || !(s[2].value.number >= 0)) {
        check_error(checker, s[2].value.span, "noise has to be a number, 0 or more; found %s",
                    value_describe(checker, &s[2].value));
        return false;
    }
    const char *radius = s[3].value.kind == VALUE_TEXT ? s[3].value.text : "";
    data->noise = s[2].value.number;
    data->radius_random = strcmp(radius, "random") == 0;
    if (!data->radius_random && strcmp(radius, "even") != 0) {
        check_error(checker, s[3].value.span, "radius is even or random; found %s", value_describe(checker, &s[3].value));
        return false;
    }
    return true;
}

static bool csv_data(struct checker *checker, const struct expression *call, struct data *data) {
    struct setting s[] = {{"file", value_none, false}};
    if (!read_settings(checker, call, s, 1))
        return false;
    if (s[0].value.kind != VALUE_TEXT) {
        check_error(checker, call->span, "csv needs the name of a file, as in csv(\"rows.csv\")");
        return false;
    }
    data->file = s[0].value.text;
    return true;
}

static const struct source_kind {
    const char *name;
    enum data_source source;
    bool (*read)(struct checker *checker, const struct expression *call, struct data *data);
} source_kinds[] = {{"spiral", DATA_SPIRAL, spiral_data}, {"csv", DATA_CSV, csv_data}};

static void add_data(struct checker *checker, const struct statement *statement) {
    const struct expression *call = statement->value;
    struct model *model = checker->model;
    struct data data = {.name = statement->name.text, .span = statement->span};
    if (strcmp(data.name, "train") != 0 && strcmp(data.name, "test") != 0)
        diagnostic_warning(checker->sink, statement->name.span,
                           "data '%s' is never used: 'train' is what training reads, 'test' what is held out",
                           data.name);
    if (model_data(model, data.name)) {
        struct diagnostic *error = check_error(checker, statement->name.span, "data '%s' is defined twice", data.name);
        diagnostic_note(checker->sink, error, model_data(model, data.name)->span, "it is defined here");
        return;
    }
    if (call->kind != EXPRESSION_CALL || call->left->kind != EXPRESSION_NAME) {
        check_error(checker, call->span, "expected a source of data, such as spiral(...) or csv(\"rows.csv\")");
        return;
    }
    const char *names[2];
    for (size_t i = 0; i < 2; i++) {
        names[i] = source_kinds[i].name;
        if (strcmp(source_kinds[i].name, call->left->string) != 0)
            continue;
        data.source = source_kinds[i].source;
        if (!source_kinds[i].read(checker, call, &data))
            return;
        model->data = arena_grow(checker->arena, model->data, (size_t)model->data_count, (size_t)model->data_count + 1,
                                 sizeof *model->data);
        model->data[model->data_count++] = data;
        return;
    }
    const char *nearest = text_nearest(call->left->string, names, 2);
    check_error(checker, call->left->span, "unknown source of data '%s'; %s%s%s", call->left->string,
                nearest ? "did you mean '" : "there are spiral and csv", nearest ? nearest : "", nearest ? "'?" : "");
}

const struct data *model_data(const struct model *model, const char *name) {
    for (int i = 0; i < model->data_count; i++)
        if (strcmp(model->data[i].name, name) == 0)
            return &model->data[i];
    return NULL;
}

/* ---- the model ---- */

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
        check_error(checker, statement->type->span, "the %s holds a batch of rows: its first dimension is a name, as in %s",
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
        struct diagnostic *error = check_error(checker, statement->name.span, "'%s' is defined twice", column.name);
        diagnostic_note(checker->sink, error, scope_find_here(scope, column.name)->value.span, "it is defined here");
        return;
    }
    attributes.index = model->column_count;
    checker->graph->span = statement->name.span;
    column.node = graph_node(checker->graph, OPERATOR_input, NULL, 0, &attributes, NULL);
    name_node(column.node, column.name);
    arena_reserve(checker->arena, model->columns, model->column_count, checker->column_capacity);
    model->columns[model->column_count++] = column;
    scope_add(checker, scope, column.name, value_tensor(column.node, statement->name.span))->statement = statement;
}

/* The element type of what says none: that of the first real input, else of the first weight that says one. */
static enum element default_real(const struct statement *body) {
    static const enum statement_kind order[] = {STATEMENT_INPUT, STATEMENT_TARGET, STATEMENT_WEIGHT};
    for (int i = 0; i < 3; i++)
        for (const struct statement *s = body; s; s = s->next) {
            if (s->kind != order[i] || !s->type || !s->type->element.text)
                continue;
            if (strcmp(s->type->element.text, "f32") == 0)
                return ELEMENT_F32;
            if (strcmp(s->type->element.text, "f64") == 0)
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
            checker, output.span, "the output '%s' depends on the target '%s', which is unknown when the model predicts",
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
    struct diagnostic *error = check_error(checker, statement->span, "'%s' is named twice", statement->name.text);
    diagnostic_note(checker->sink, error, first->statement->span, "the first is here");
    return true;
}

static void add_result(struct checker *checker, struct scope *scope, const struct statement *statement) {
    struct model *model = checker->model;
    struct value value = lookup(checker, scope, statement->name.text, statement->name.span);
    if (value.kind == VALUE_ERROR)
        return;
    struct node *node = to_tensor(checker, &value, checker->real);
    if (!node)
        return;
    struct result result = {statement->name.text, node, statement->span};
    bool scalar = node->type.shape.rank == 0 && node->type.element != ELEMENT_INT;
    if (statement->kind == STATEMENT_OUTPUT && is_result_twice(checker, statement, checker->output_names))
        return;
    if (statement->kind == STATEMENT_METRIC && is_result_twice(checker, statement, checker->metric_names))
        return;
    if (statement->kind == STATEMENT_OUTPUT) {
        add_output(checker, result);
        return;
    }
    if (!scalar) {
        struct diagnostic *error = check_error(checker, statement->name.span, "a %s has to be one real number; '%s' is %s",
                                               statement->kind == STATEMENT_LOSS ? "loss" : "metric", result.name,
                                               describe_type(checker, &node->type));
        diagnostic_note(checker->sink, error, (struct span){0}, "take its mean over the batch with mean(...)");
        return;
    }
    if (statement->kind == STATEMENT_LOSS) {
        if (model->loss.node) {
            struct diagnostic *error = check_error(checker, statement->span, "a second loss; add the two into one");
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
        model->values[model->value_count++] = (struct result){b->name, b->value.tensor, b->value.span};
    }
}

/* Names that the file `source` defines and nothing reads. */
static void warn_unused(struct checker *checker, const struct scope *scope, const struct source *source) {
    static const char *const kinds[] = {
        [STATEMENT_PARAM] = "param",   [STATEMENT_LAYER] = "layer",   [STATEMENT_INITIALISER] = "initialiser",
        [STATEMENT_SOLVER] = "solver", [STATEMENT_INPUT] = "input",   [STATEMENT_TARGET] = "target",
        [STATEMENT_WEIGHT] = "weight", [STATEMENT_VALUE] = "value"};
    for (const struct binding *b = scope->first; b; b = b->next)
        if (!b->used && b->statement && b->statement->span.source == source)
            diagnostic_warning(checker->sink, b->statement->name.span, "%s '%s' is never used",
                               kinds[b->statement->kind], b->name);
}

static void add_model(struct checker *checker, const struct statement *statement) {
    struct scope *scope = scope_new(checker, checker->globals);
    checker->model->name = statement->name.text;
    checker->real = default_real(statement->body);
    for (const struct statement *s = statement->body; s; s = s->next) {
        if (s->kind == STATEMENT_INPUT || s->kind == STATEMENT_TARGET)
            add_column(checker, scope, s);
        else if (s->kind == STATEMENT_STATE || s->kind == STATEMENT_RETURN)
            check_error(checker, s->keyword_span, s->kind == STATEMENT_STATE ? "'state' stands only in a solver"
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
            diagnostic_error(checker->sink, statement->name.span, "model '%s' has neither an output nor a loss",
                             statement->name.text);
    }
}

/* A row of a spiral is x, y and a class; a real target of several elements takes the class as a one-hot row. */
static void check_spiral(struct checker *checker, const struct data *data) {
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
    if (last && last->is_target && inner > 1 && last->node->type.element != ELEMENT_INT && cells - inner == 2) {
        cells = 3;
        classes = inner;
    } else if (last)
        classes = last->classes;
    if (cells != 3 || !last->is_target) {
        struct diagnostic *error =
            check_error(checker, data->span, "a row of a spiral is x, y and a class: 3 numbers; the model takes %lld%s",
                        (long long)cells, cells == 3 ? " and has no target" : "");
        for (int i = 0; i < model->column_count; i++)
            diagnostic_note(checker->sink, error, model->columns[i].span, "'%s' takes %lld", model->columns[i].name,
                            (long long)shape_inner_size(&model->columns[i].node->type.shape));
    } else if (classes && classes < data->classes) {
        struct diagnostic *error = check_error(checker, data->span, "the spiral has %lld classes, the target '%s' %lld",
                                               (long long)data->classes, last->name, (long long)classes);
        diagnostic_note(checker->sink, error, last->span, "the target is declared here");
    }
}

/* ---- train ---- */

static bool set_solver(struct checker *checker, const struct expression *expression, struct value *solver) {
    struct value value = evaluate(checker, checker->globals, expression);
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
    *solver = value;
    training->solver_text = arena_copy(checker->arena, span.source->text + span.start, span.end - span.start);
    training->rate = rate && rate->value.kind == VALUE_NUMBER ? rate->value.number : NAN;
    return true;
}

static void set_batch(struct checker *checker, const struct value *value) {
    if (value->kind == VALUE_TEXT && strcmp(value->text, "all") == 0)
        checker->model->training.batch = 0;
    else if (value->kind != VALUE_NUMBER)
        check_error(checker, value->span, "batch is a number of rows, or all; found %s", value_describe(checker, value));
    else
        to_integer(checker, value, "batch", 1, 1 << 24, &checker->model->training.batch);
}

static void set_expect(struct checker *checker, const struct expression *expression) {
    struct training *training = &checker->model->training;
    bool comparison = expression->kind == EXPRESSION_BINARY && expression->operator >= BINARY_LESS &&
                      expression->left->kind == EXPRESSION_NAME;
    struct value bound = comparison ? evaluate(checker, checker->globals, expression->right) : value_none;
    if (bound.kind == VALUE_ERROR)
        return;
    if (!comparison || bound.kind != VALUE_NUMBER) {
        check_error(checker, expression->span, "expected a bound for the loss or a metric, as in accuracy > 0.95");
        return;
    }
    const char *name = expression->left->string;
    bool known = checker->model->loss.name && strcmp(checker->model->loss.name, name) == 0;
    for (int i = 0; i < checker->model->metric_count; i++)
        known = known || strcmp(checker->model->metrics[i].name, name) == 0;
    if (!known)
        check_error(checker, expression->left->span, "'%s' is neither the loss nor a metric of the model", name);
    training->expect_metric = name;
    training->expect_bound = bound.number;
    training->expect_above = expression->operator == BINARY_GREATER || expression->operator == BINARY_GREATER_EQUAL;
}

static void set_generator(struct checker *checker, const struct value *value) {
    const char *name = value->kind == VALUE_TEXT ? value->text : "";
    if (strcmp(name, "numpy") == 0)
        checker->model->training.generator = GENERATOR_NUMPY;
    else if (strcmp(name, "counter") != 0)
        check_error(checker, value->span, "rng is counter or numpy; found %s", value_describe(checker, value));
}

static void set_shuffle(struct checker *checker, const struct value *value) {
    if (value->kind == VALUE_NUMBER && (value->number == 0 || value->number == 1))
        checker->model->training.shuffle = value->number != 0;
    else
        check_error(checker, value->span, "shuffle is true or false; found %s", value_describe(checker, value));
}

static void set_training(struct checker *checker, const struct statement *s, struct value *solver) {
    static const char *const names[] = {"solver", "batch",      "epochs", "seed",  "shuffle",
                                        "rng",    "checkpoint", "expect", "report"};
    struct training *training = &checker->model->training;
    const char *name = s->name.text;
    int64_t number = 0;
    if (strcmp(name, "solver") == 0) {
        set_solver(checker, s->value, solver);
        return;
    }
    if (strcmp(name, "expect") == 0) {
        set_expect(checker, s->value);
        return;
    }
    size_t known = 0, count = sizeof names / sizeof *names;
    while (known < count && strcmp(names[known], name) != 0)
        known++;
    if (known == count) {
        const char *nearest = text_nearest(name, names, count);
        struct diagnostic *error =
            nearest ? check_error(checker, s->name.span, "unknown setting '%s'; did you mean '%s'?", name, nearest)
                    : check_error(checker, s->name.span, "unknown setting '%s'", name);
        diagnostic_note(checker->sink, error, (struct span){0},
                        "the settings are solver, batch, epochs, seed, shuffle, rng, checkpoint, expect and report");
        return;
    }
    struct value value = evaluate(checker, checker->globals, s->value);
    if (value.kind == VALUE_ERROR)
        return;
    if (strcmp(name, "batch") == 0)
        set_batch(checker, &value);
    else if (strcmp(name, "epochs") == 0)
        to_integer(checker, &value, "epochs", 0, (int64_t)1 << 31, &training->epochs);
    else if (strcmp(name, "report") == 0)
        to_integer(checker, &value, "report", 1, (int64_t)1 << 31, &training->report);
    else if (strcmp(name, "seed") == 0 && to_integer(checker, &value, "seed", 0, UINT32_MAX, &number))
        training->seed = (uint64_t)number;
    else if (strcmp(name, "shuffle") == 0)
        set_shuffle(checker, &value);
    else if (strcmp(name, "rng") == 0)
        set_generator(checker, &value);
    else if (strcmp(name, "checkpoint") == 0 && value.kind == VALUE_TEXT)
        training->checkpoint = value.text;
    else if (strcmp(name, "checkpoint") == 0)
        check_error(checker, s->value->span, "checkpoint is the name of a file, in quotes");
}

static void add_train(struct checker *checker, const struct statement *statement) {
    struct training *training = &checker->model->training;
    struct value solver = value_none;
    struct scope *seen = scope_new(checker, NULL);
    struct attributes attributes;
    *training = (struct training){.present = true, .epochs = 1, .shuffle = true, .rate = NAN, .span = statement->keyword_span};
    memset(&attributes, 0, sizeof attributes);
    attributes.type.element = checker->real;
    struct node *step = graph_node(checker->graph, OPERATOR_step, NULL, 0, &attributes, NULL);
    scope_add(checker, checker->constants, "step", value_tensor(step, statement->keyword_span))->used = true;
    int errors = checker->sink->error_count;
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
        set_training(checker, s, &solver);
    }
    if (checker->sink->error_count > errors)
        return;
    if (!checker->model->loss.node) {
        check_error(checker, statement->keyword_span, "there is nothing to train: the model has no loss");
        return;
    }
    if (solver.kind == VALUE_NONE) {
        struct diagnostic *error = check_error(checker, statement->keyword_span, "train has no solver");
        diagnostic_note(checker->sink, error, (struct span){0}, "add, for example, solver = sgd(rate = 0.1)");
        return;
    }
    build_updates(checker, &solver);
    if (checker->sink->error_count == 0 && checker->model->update_count == 0)
        check_error(checker, statement->keyword_span, "there is nothing to train: the loss depends on no weight");
}

/* ---- the file ---- */

static void add_constants(struct checker *checker) {
    scope_add(checker, checker->constants, "none", value_none)->used = true;
    scope_add(checker, checker->constants, "true", value_number(1, (struct span){0}))->used = true;
    scope_add(checker, checker->constants, "false", value_number(0, (struct span){0}))->used = true;
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        scope_add(checker, checker->constants, keywords[i], value_text(keywords[i], (struct span){0}))->used = true;
}

static const struct statement *only_one(struct checker *checker, const struct statement *statements,
                                        enum statement_kind kind, const char *what) {
    const struct statement *found = NULL;
    for (const struct statement *s = statements; s; s = s->next) {
        if (s->kind != kind)
            continue;
        if (found) {
            struct diagnostic *error = check_error(checker, s->keyword_span, "a second %s", what);
            diagnostic_note(checker->sink, error, found->keyword_span, "the first is here");
        } else
            found = s;
    }
    return found;
}

static void check_file(struct checker *checker, const struct statement *statements, const struct source *source) {
    for (const struct statement *s = statements; s; s = s->next)
        if (s->kind == STATEMENT_LAYER || s->kind == STATEMENT_INITIALISER || s->kind == STATEMENT_SOLVER)
            add_declaration(checker, s);
    for (const struct statement *s = statements; s; s = s->next) {
        switch (s->kind) {
        case STATEMENT_PARAM:
            add_param(checker, s);
            break;
        case STATEMENT_LAYER:
        case STATEMENT_INITIALISER:
        case STATEMENT_SOLVER:
        case STATEMENT_DATA:
        case STATEMENT_USE:
        case STATEMENT_MODEL:
        case STATEMENT_TRAIN:
            break;
        default:
            check_error(checker, s->keyword_span.source ? s->keyword_span : s->span,
                        "this belongs inside a model { ... }%s",
                        s->kind == STATEMENT_VALUE ? "; a value known before is a param" : "");
        }
    }
    check_definitions(checker);
    for (const struct statement *s = statements; s; s = s->next)
        if (s->kind == STATEMENT_DATA)
            add_data(checker, s);
    const struct statement *model = only_one(checker, statements, STATEMENT_MODEL, "model in one file");
    const struct statement *train = only_one(checker, statements, STATEMENT_TRAIN, "train block");
    if (model)
        add_model(checker, model);
    else if (checker->sink->error_count == 0)
        diagnostic_error(checker->sink, (struct span){source, 0, 0}, "the file has no model { ... }");
    for (int i = 0; i < checker->model->data_count && checker->sink->error_count == 0; i++)
        if (checker->model->data[i].source == DATA_SPIRAL)
            check_spiral(checker, &checker->model->data[i]);
    if (model && train && checker->sink->error_count == 0)
        add_train(checker, train);
    if (checker->sink->error_count == 0)
        warn_unused(checker, checker->globals, source);
    if (checker->sink->error_count == 0)
        warn_unused(checker, checker->declarations, source);
}

struct model *model_check(const struct statement *library, const struct statement *statements,
                          const struct source *source, const struct source *prelude, struct definition *definitions,
                          int definition_count, struct arena *arena, struct diagnostics *sink) {
    struct checker checker = {.arena = arena,
                              .sink = sink,
                              .prelude = prelude,
                              .statements = statements,
                              .real = ELEMENT_F64,
                              .definitions = definitions,
                              .definition_count = definition_count};
    checker.model = arena_new(arena, struct model);
    checker.graph = &checker.model->graph;
    checker.model->path = source->name;
    graph_start(checker.graph, arena);
    checker.constants = scope_new(&checker, NULL);
    checker.globals = scope_new(&checker, checker.constants);
    checker.declarations = scope_new(&checker, NULL);
    checker.output_names = scope_new(&checker, NULL);
    checker.metric_names = scope_new(&checker, NULL);
    add_constants(&checker);
    for (const struct statement *s = library; s; s = s->next)
        add_declaration(&checker, s);
    check_file(&checker, statements, source);
    return sink->error_count ? NULL : checker.model;
}
