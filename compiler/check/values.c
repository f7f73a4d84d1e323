/* The values of a body, declared first, then evaluated each after what it needs, whatever the order of the
 * lines. */
#include "check/check.h"

void name_node(struct node *node, const char *name) {
    if (!node->name && node->code != OPERATOR_constant)
        node->name = name;
}

bool defines_value(const struct statement *statement) {
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
            struct diagnostic *error =
                check_error(checker, s->name.span, "'%s' is defined twice", s->name.text);
            if (old->statement)
                diagnostic_note(checker->sink, error, old->statement->name.span, "it is defined here");
            else if (old->value.span.source)
                diagnostic_note(checker->sink, error, old->value.span, "it is defined here");
            continue;
        }
        struct binding *binding = scope_add(checker, scope, s->name.text, value_none);
        binding->statement = s;
        binding->state = BINDING_PENDING;
        binding->used =
            s->kind == STATEMENT_OUTPUT || s->kind == STATEMENT_LOSS || s->kind == STATEMENT_METRIC;
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
    } else if (statement->kind == STATEMENT_METRIC && checker->classes_misfit) {
        binding->value = value_error; /* it would say the same of the same score */
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

/* The order: a walk over the names that each value mentions, with a stack of its own so that ten thousand
 * values in the opposite order of their need are no deeper a recursion than ten. */
struct pending {
    struct binding *binding;
    struct pending *below;
};

static struct pending *push_names(struct checker *checker, const struct scope *scope,
                                  const struct expression *expression, struct pending *stack) {
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
