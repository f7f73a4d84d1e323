/* Weights: their types and first values, the names that files know them by, and the solver's updates. */
#include "check/check.h"
#include "passes/differentiate.h"

#include <string.h>

/* ---- declaring ---- */

static struct node *add_weight(struct checker *checker, struct weight weight, const char *name,
                               const struct type *type) {
    struct model *model = checker->model;
    struct attributes attributes;
    if (checker->sharing)
        check_error(checker, weight.span, "'%s' is kept between updates: the steps of a scan cannot share it",
                    name);
    memset(&attributes, 0, sizeof attributes);
    attributes.index = model->weight_count;
    attributes.type = *type;
    weight.node = graph_node(checker->graph, OPERATOR_weight, NULL, 0, &attributes, NULL);
    arena_reserve(checker->arena, model->weights, model->weight_count, checker->weight_capacity);
    model->weights[model->weight_count++] = weight;
    arena_reserve(checker->arena, checker->records, checker->record_count, checker->record_capacity);
    checker->records[checker->record_count++] = (struct weight_record){checker->instance, name};
    for (struct instance *i = checker->instance; i && !i->weighted; i = i->site ? i->site->within : NULL) {
        i->weighted = true;
        if (!i->site)
            break;
        i->number = 1;
        for (struct instance *other = i->site->instances; other; other = other->next)
            if (strcmp(other->layer, i->layer) == 0) {
                i->number = other->number + 1;
                break;
            }
        i->next = i->site->instances;
        i->site->instances = i;
        i->site->weighted++;
    }
    return weight.node;
}

/* fan_in and fan_out of a weight: of a matrix [n, m] n and m; of a convolution's [results, channels,
 * window...] the others' sizes times that of the window; of a vector its length. */
static void bind_fans(struct checker *checker, struct scope *scope, const struct shape *shape,
                      struct span span) {
    double window = 1;
    for (int i = 2; i < shape->rank; i++)
        window *= (double)shape->dims[i];
    bool is_window = shape->rank > 2;
    double first = shape->rank > 0 ? (double)shape->dims[0] : 1;
    double second = shape->rank > 1 ? (double)shape->dims[1] : first;
    double fan_in = is_window ? second : first, fan_out = is_window ? first : second;
    scope_add(checker, scope, "fan_in", value_number(window * fan_in, span))->used = true;
    scope_add(checker, scope, "fan_out", value_number(window * fan_out, span))->used = true;
}

/* A call of an initialiser binds its parameters; its body runs here, in a scope that knows the weight. */
static struct value run_initialiser(struct checker *checker, const struct value *recipe,
                                    struct node *weight) {
    struct scope *scope = scope_new(checker, outer_scope(checker, recipe->declaration));
    for (const struct binding *b = recipe->arguments ? recipe->arguments->first : NULL; b; b = b->next)
        scope_add(checker, scope, b->name, b->value)->used = true;
    bind_fans(checker, scope, &weight->type.shape, recipe->span);
    struct node *outer = checker->weight_shape;
    checker->weight_shape = weight;
    struct value value = run_body(checker, scope, recipe->declaration, recipe->span);
    checker->weight_shape = outer;
    return value;
}

/* file("W.csv"): the runtime reads it. */
static bool from_file(struct checker *checker, const struct statement *statement, struct weight *weight) {
    const struct expression *value = statement->value;
    if (value->kind != EXPRESSION_CALL || value->left->kind != EXPRESSION_NAME ||
        strcmp(value->left->string, "file") != 0)
        return false;
    const struct argument *argument = value->arguments;
    if (!argument || argument->next || argument->value->kind != EXPRESSION_STRING)
        check_error(checker, value->span, "file takes one text: the name of a CSV or NPY file");
    else
        weight->file = argument->value->string;
    weight->file_span = value->span;
    return true;
}

/* All first values are computed at once, before any row is there. */
static bool can_be_first(struct checker *checker, const struct node *initial, struct span span) {
    const struct node *later = check_reach(checker, initial)->later;
    if (!later)
        return true;
    if (later->code == OPERATOR_noise) {
        check_error(checker, span,
                    "uniform_like draws others in each update; a first value takes random_uniform()");
        return false;
    }
    struct diagnostic *error =
        check_error(checker, span, "a first value is made of numbers and random numbers alone");
    if (later->code == OPERATOR_weight || later->code == OPERATOR_input)
        check_note_operand(checker, error, "this, which it needs,", later);
    return false;
}

/* `false` where a first value stands: there is no such weight. */
static bool is_left_out(struct checker *checker, struct scope *scope, const struct statement *statement) {
    if (!statement->value || statement->value->kind != EXPRESSION_NAME)
        return false;
    struct value value = evaluate(checker, scope, statement->value);
    return value.kind == VALUE_NUMBER && value.text && value.number == 0;
}

static struct node *initial_value(struct checker *checker, struct scope *scope,
                                  const struct statement *statement, struct node *node) {
    struct value value = evaluate(checker, scope, statement->value);
    if (value.kind == VALUE_CALLABLE && value.declaration &&
        value.declaration->kind == STATEMENT_INITIALISER) {
        for (const struct parameter *p = value.declaration->parameters; p; p = p->next)
            if (!p->value) {
                check_error(checker, value.span, "%s needs its argument '%s' here",
                            value.declaration->name.text, p->name.text);
                return NULL;
            }
        value = evaluate_call(checker, scope, statement->value, NULL, NULL, value.span);
    }
    enum { CALLS_MAX = 100 }; /* an initialiser may give another; two that give each other end here */
    for (int i = 0;
         i < CALLS_MAX && value.kind == VALUE_RECIPE && value.declaration->kind == STATEMENT_INITIALISER; i++)
        value = run_initialiser(checker, &value, node);
    bool is_word = value.kind == VALUE_NUMBER && value.text;
    if ((value.kind != VALUE_NUMBER && value.kind != VALUE_TENSOR) || is_word) {
        if (value.kind == VALUE_ERROR)
            return NULL;
        struct diagnostic *error = check_error(
            checker, statement->value->span,
            "the first value of a weight has to be a number, a tensor or an initialiser, or false for "
            "no weight; found %s",
            is_word ? value.text : value_describe(checker, &value));
        check_note_list(checker, error, &value);
        if (is_word && strcmp(value.text, "true") == 0 && statement->span.source == checker->prelude)
            diagnostic_note(
                checker->sink, error, (struct span){0},
                "what is left out has its usual value: 'dense(x, 10)' has a bias, zeros at first");
        return NULL;
    }
    struct node *initial = to_tensor(checker, &value, node->type.element);
    struct shape joined;
    if (!initial || !can_be_first(checker, initial, statement->value->span))
        return NULL;
    if (initial->type.element != node->type.element ||
        !shape_broadcast(&initial->type.shape, &node->type.shape, &joined) ||
        !shape_equal(&joined, &node->type.shape)) {
        check_error(checker, statement->value->span, "the first value is %s, the weight %s",
                    describe_type(checker, &initial->type), describe_type(checker, &node->type));
        return NULL;
    }
    return graph_expand(checker->graph, initial, node->type.shape);
}

struct node *declare_weight(struct checker *checker, struct scope *scope, const struct statement *statement) {
    struct type type;
    int64_t classes;
    if (checker->weight_shape) {
        check_error(checker, statement->span, "an initialiser cannot have weights of its own");
        return NULL;
    }
    if (!resolve_type(checker, scope, statement->type, false, &type, &classes))
        return NULL;
    if (shape_batch_axis(&type.shape) >= 0 || type.element == ELEMENT_INT) {
        struct diagnostic *error = check_error(checker, statement->type->span,
                                               "a weight has to be real and of a fixed shape; found %s",
                                               type_text(checker->arena, &type, checker->graph->batch_name));
        if (checker->instance && type.element != ELEMENT_INT)
            diagnostic_note(checker->sink, error, (struct span){0},
                            "the layer took the batch for an axis of a row: where a row is one number, "
                            "unsqueeze(x, 1) gives it an axis");
        return NULL;
    }
    if (is_left_out(checker, scope, statement)) /* zeros, which a sum drops */
        return graph_expand(checker->graph, graph_number(checker->graph, 0, type.element), type.shape);
    if (checker->sharing)
        return checker->model->weights[checker->sharing->next++].node;
    checker->graph->span = statement->span;
    struct weight weight = {.span = check_place(checker, statement->span)};
    bool file = statement->value && from_file(checker, statement, &weight);
    struct node *node = add_weight(checker, weight, statement->name.text, &type);
    struct statement implied = *statement;
    struct expression glorot = {.kind = EXPRESSION_NAME, .string = "glorot_uniform", .span = statement->span};
    if (!implied.value)
        implied.value = &glorot;
    if (!file) {
        struct node *initial = initial_value(checker, scope, &implied, node);
        checker->model->weights[node->attributes.index].initial = initial;
        if (!initial)
            return NULL;
    }
    return node;
}

/* A mean that each update moves by a `share` towards x, and that lives with the weights; its value is that
 * before the update.  Named as the value that it is given to. */
struct value call_running_mean(struct checker *checker, struct value *arguments, struct span span) {
    if (checker->weight_shape || checker->updated || checker->model->updates) {
        check_error(checker, span, "running_mean stands only in a model and its layers");
        return value_error;
    }
    if (arguments[0].kind != VALUE_TENSOR || arguments[0].tensor->type.element == ELEMENT_INT ||
        shape_batch_axis(&arguments[0].tensor->type.shape) >= 0) {
        check_error(
            checker, arguments[0].span,
            "running_mean takes real numbers that are the same for all rows, such as mean(x, axis = 0); "
            "found %s",
            value_describe(checker, &arguments[0]));
        return value_error;
    }
    struct node *x = arguments[0].tensor;
    struct node *first = to_tensor(checker, &arguments[2], x->type.element);
    if (!first || !can_be_first(checker, first, arguments[2].span))
        return value_error;
    struct shape joined;
    if (!shape_broadcast(&first->type.shape, &x->type.shape, &joined) ||
        !shape_equal(&joined, &x->type.shape)) {
        check_error(checker, arguments[2].span, "the first value is %s, the mean %s",
                    describe_type(checker, &first->type), describe_type(checker, &x->type));
        return value_error;
    }
    struct weight mean = {.is_running = true,
                          .span = check_place(checker, span),
                          .initial = graph_expand(checker->graph, first, x->type.shape)};
    const char *name = checker->site && checker->site->statement ? checker->site->statement : "running";
    struct value operands[2] = {value_tensor(add_weight(checker, mean, name, &x->type), span), arguments[0]};
    struct node *variable = operands[0].tensor;
    operands[1] =
        apply_elementwise(checker, OPERATOR_subtract, (struct value[]){arguments[0], operands[0]}, 2, span);
    operands[1] =
        apply_elementwise(checker, OPERATOR_multiply, (struct value[]){arguments[1], operands[1]}, 2, span);
    if (operands[1].kind == VALUE_ERROR)
        return value_error;
    operands[1] = apply_elementwise(checker, OPERATOR_add, operands, 2, span);
    struct value assign =
        make_node(checker, OPERATOR_assign, (struct node *[]){variable, operands[1].tensor}, 2, NULL, span);
    if (assign.kind != VALUE_TENSOR)
        return value_error;
    arena_reserve(checker->arena, checker->running, checker->running_count, checker->running_capacity);
    checker->running[checker->running_count++] = assign.tensor;
    return value_tensor(variable, span);
}

/* ---- names: h.W, or score.dense2.W where a statement calls several layers that have weights ---- */

static const char *join(struct checker *checker, const char *left, const char *right) {
    if (!left[0] || !right[0])
        return left[0] ? left : right;
    return text_format(checker->arena, "%s.%s", left, right);
}

static const char *path_of(struct checker *checker, struct instance *instance) {
    if (!instance || !instance->site)
        return "";
    if (instance->path)
        return instance->path;
    const char *path = path_of(checker, instance->site->within);
    if (instance->site->statement)
        path = join(checker, path, instance->site->statement);
    if (instance->site->weighted > 1)
        path = join(checker, path, text_format(checker->arena, "%s%d", instance->layer, instance->number));
    return instance->path = path;
}

/* Two paths may still meet where a layer has weights and returns another's; the later one gets a number. */
static const char *unique_name(struct checker *checker, struct scope *taken, const char *name) {
    const char *candidate = name;
    for (int number = 2; scope_find_here(taken, candidate); number++)
        candidate = text_format(checker->arena, "%s_%d", name, number);
    scope_add(checker, taken, candidate, value_none);
    return candidate;
}

void settle_names(struct checker *checker) {
    struct scope *taken = scope_new(checker, NULL);
    for (int i = 0; i < checker->record_count; i++) {
        const struct weight_record *record = &checker->records[i];
        const char *name = join(checker, path_of(checker, record->instance), record->name);
        struct weight *weight = &checker->model->weights[i];
        weight->name = unique_name(checker, taken, name);
        name_node(weight->node, weight->name);
    }
}

/* ---- the solver, once for each weight ---- */

struct update {
    struct scope *scope;
    const struct statement *solver;
    struct span call; /* of the solver */
    struct node *weight, *gradient;
    const char *name; /* of the weight */
};

static void declare_state(struct checker *checker, struct update *update, const struct statement *statement) {
    struct value value = evaluate(checker, update->scope, statement->value);
    struct node *initial = to_tensor(checker, &value, update->weight->type.element);
    if (!initial || !can_be_first(checker, initial, statement->value->span)) {
        scope_add(checker, update->scope, statement->name.text, value_error);
        return;
    }
    struct weight state = {.is_state = true, .span = statement->span};
    struct node *node = add_weight(checker, state, statement->name.text, &update->weight->type);
    struct shape joined;
    if (!shape_broadcast(&initial->type.shape, &node->type.shape, &joined) ||
        !shape_equal(&joined, &node->type.shape)) {
        check_error(checker, statement->value->span, "a state has the weight's shape, %s; found %s",
                    describe_type(checker, &node->type), describe_type(checker, &initial->type));
        scope_add(checker, update->scope, statement->name.text, value_error);
        return;
    }
    struct weight *added = &checker->model->weights[node->attributes.index];
    added->initial = graph_expand(checker->graph, initial, node->type.shape);
    added->name = text_format(checker->arena, "%s.%s", update->name, statement->name.text);
    name_node(node, added->name);
    scope_add(checker, update->scope, statement->name.text, value_tensor(node, statement->span));
}

/* Statements of a solver work one after the other: a later one sees what an earlier one set. */
static void run_statement(struct checker *checker, struct update *update, const struct statement *statement) {
    if (statement->kind == STATEMENT_STATE) {
        declare_state(checker, update, statement);
        return;
    }
    if (statement->kind != STATEMENT_VALUE)
        return; /* reported where the solver is declared */
    struct value value = evaluate(checker, update->scope, statement->value);
    struct binding *binding = scope_find_here(update->scope, statement->name.text);
    if (value.kind == VALUE_ERROR && binding)
        return;
    if (!binding)
        binding = scope_add(checker, update->scope, statement->name.text, value);
    binding->value = value;
    binding->statement = statement;
}

static void add_assignment(struct checker *checker, struct node *variable, const struct binding *binding) {
    struct node *value = to_tensor(checker, &binding->value, variable->type.element);
    if (!value || value == variable)
        return;
    struct value assign = make_node(checker, OPERATOR_assign, (struct node *[]){variable, value}, 2, NULL,
                                    binding->statement->span);
    if (assign.kind == VALUE_TENSOR)
        checker->model->updates[checker->model->update_count++] = assign.tensor;
}

static void update_weight(struct checker *checker, struct update *update) {
    int first_state = checker->model->weight_count;
    struct frame frame = {
        .caller = checker->frame, .callee = update->solver->name.text, .call = update->call};
    checker->frame = &frame;
    scope_add(checker, update->scope, "weight", value_tensor(update->weight, update->solver->span));
    scope_add(checker, update->scope, "grad", value_tensor(update->gradient, update->solver->span));
    for (const struct statement *s = update->solver->body; s; s = s->next)
        run_statement(checker, update, s);
    struct binding *weight = scope_find_here(update->scope, "weight");
    if (weight->statement)
        add_assignment(checker, update->weight, weight);
    for (const struct statement *s = update->solver->body; s; s = s->next) {
        if (s->kind != STATEMENT_STATE || first_state == checker->model->weight_count)
            continue;
        struct node *state = checker->model->weights[first_state++].node;
        struct binding *binding = scope_find_here(update->scope, s->name.text);
        if (binding && binding->statement)
            add_assignment(checker, state, binding);
    }
    checker->frame = frame.caller;
}

/* The solver as it is called for the weight of that name. */
static struct value solver_for(struct checker *checker, const struct update_settings *settings,
                               const char *name) {
    checker->updated = name;
    struct value solver = evaluate(checker, checker->globals, settings->solver_call);
    checker->updated = NULL;
    return solver;
}

/* Of weights that the loss does not depend on; where it depends on none, one error will say so. */
static void warn_untrained(struct checker *checker, struct node *const *gradients, int count) {
    const struct weight *weights = checker->model->weights;
    bool any = false;
    for (int i = 0; i < count; i++)
        any |= gradients[i] != NULL;
    for (int i = 0; any && i < count; i++)
        if (!gradients[i] && !weights[i].is_running)
            diagnostic_warning(checker->sink, weights[i].span,
                               "the loss does not depend on weight '%s': it will not be trained",
                               weights[i].name);
}

void build_updates(struct checker *checker, const struct update_settings *settings) {
    struct model *model = checker->model;
    struct value solver = solver_for(checker, settings, "");
    int trained = model->weight_count;
    struct node **weights = arena_array(checker->arena, struct node *, (size_t)trained);
    struct node **gradients = arena_array(checker->arena, struct node *, (size_t)trained);
    int statements = 1;
    for (const struct statement *s = solver.declaration->body; s; s = s->next)
        statements++;
    model->updates = arena_array(checker->arena, struct node *,
                                 (size_t)trained * (size_t)statements + (size_t)checker->running_count);
    for (int i = 0; i < checker->running_count; i++)
        model->updates[model->update_count++] = checker->running[i];
    for (int i = 0; i < trained; i++)
        weights[i] = model->weights[i].node;
    differentiate(checker->graph, model->loss.node, weights, trained, gradients);
    warn_untrained(checker, gradients, trained);
    for (int i = 0; i < trained; i++)
        if (model->weights[i].is_running || is_frozen(&settings->freeze, model->weights[i].name))
            gradients[i] = NULL;
    clip_gradients(checker, settings, gradients, trained);
    int errors = checker->sink->error_count;
    for (int i = 0; i < trained && checker->sink->error_count == errors; i++) {
        if (!gradients[i])
            continue;
        struct update update = {.solver = solver.declaration, .weight = weights[i], .gradient = gradients[i]};
        update.call = settings->solver_call->span;
        update.name = model->weights[i].name;
        update.scope = scope_new(checker, outer_scope(checker, solver.declaration));
        solver = solver_for(checker, settings, update.name);
        for (const struct binding *b = solver.arguments->first; b; b = b->next)
            scope_add(checker, update.scope, b->name, b->value);
        checker->graph->home = update.name;
        checker->graph->origin = solver.span;
        update_weight(checker, &update);
    }
    checker->graph->home = NULL;
}
