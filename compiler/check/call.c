/* Calls: arguments meet parameters, shapes meet signatures, and a layer's body is elaborated. */
#include "check/check.h"
#include "graph/operator.h"

#include <math.h>
#include <string.h>

enum { ARGUMENTS_MAX = 64 };

/* ---- arguments to parameters ---- */

/* What a parameter looks like whether it is of a declaration or of a built-in function. */
struct formal {
    const char *name;
    const struct type_expression *type;
    const struct expression *value; /* the default of a declaration's */
    struct value fixed;             /* the default of a built-in's */
    bool required;
};

struct formals {
    const char *callee;
    struct formal list[ARGUMENTS_MAX];
    int count;
};

static bool formals_of_declaration(struct checker *checker, const struct statement *declaration,
                                   struct formals *formals) {
    formals->callee = declaration->name.text;
    for (const struct parameter *p = declaration->parameters; p; p = p->next) {
        if (formals->count == ARGUMENTS_MAX) {
            check_error(checker, p->name.span, "more than %d parameters", (int)ARGUMENTS_MAX);
            return false;
        }
        formals->list[formals->count++] =
            (struct formal){.name = p->name.text, .type = p->type, .value = p->value, .required = !p->value};
    }
    return true;
}

/* From text such as "x, axis = none, keep = false": the only defaults that built-ins have. */
static void formals_of_builtin(struct checker *checker, const struct builtin *builtin, struct formals *formals) {
    formals->callee = builtin->name;
    for (const char *p = builtin->parameters; *p;) {
        size_t length = strcspn(p, " ,");
        struct formal *formal = &formals->list[formals->count++];
        *formal = (struct formal){.name = arena_copy(checker->arena, p, length), .required = true};
        p += length;
        if (strncmp(p, " = ", 3) == 0) {
            formal->required = false;
            formal->fixed = p[3] == 'n' ? value_none : value_number(0, (struct span){0});
            p += 3 + strcspn(p + 3, ",");
        }
        p += strspn(p, ", ");
    }
}

static const char *parameter_list(struct checker *checker, const struct formals *formals) {
    struct text text = {.arena = checker->arena};
    for (int i = 0; i < formals->count; i++)
        text_print(&text, "%s%s", i ? ", " : "", formals->list[i].name);
    return text_format(checker->arena, "%s(%s)", formals->callee, text_string(&text));
}

static int formal_named(struct checker *checker, const struct formals *formals, const struct name *name) {
    const char *names[ARGUMENTS_MAX];
    for (int i = 0; i < formals->count; i++) {
        names[i] = formals->list[i].name;
        if (strcmp(names[i], name->text) == 0)
            return i;
    }
    const char *nearest = text_nearest(name->text, names, (size_t)formals->count);
    struct diagnostic *error =
        nearest ? check_error(checker, name->span, "%s has no parameter '%s'; did you mean '%s'?", formals->callee,
                              name->text, nearest)
                : check_error(checker, name->span, "%s has no parameter '%s'", formals->callee, name->text);
    diagnostic_note(checker->sink, error, (struct span){0}, "its parameters are %s", parameter_list(checker, formals));
    return -1;
}

/* Evaluates the arguments into given[] by position; given[i].kind VALUE_ERROR with span.source NULL: absent. */
static bool match_arguments(struct checker *checker, struct scope *scope, const struct formals *formals,
                            const struct value *piped, const struct argument *arguments, struct span span,
                            struct value *given, bool *is_given) {
    int position = 0;
    bool good = true;
    if (piped) {
        if (formals->count == 0) {
            check_error(checker, span, "%s takes no arguments", formals->callee);
            return false;
        }
        given[0] = *piped;
        is_given[0] = true;
        position = 1;
        good = piped->kind != VALUE_ERROR;
    }
    for (const struct argument *a = arguments; a; a = a->next) {
        int index = a->name.text ? formal_named(checker, formals, &a->name) : position++;
        if (index < 0) {
            good = false;
            continue;
        }
        if (index >= formals->count) {
            check_error(checker, a->value->span, "too many arguments: %s takes %d", parameter_list(checker, formals),
                        formals->count);
            return false;
        }
        if (is_given[index]) {
            check_error(checker, a->name.text ? a->name.span : a->value->span, "%s: '%s' is given twice",
                        formals->callee, formals->list[index].name);
            return false;
        }
        given[index] = evaluate(checker, scope, a->value);
        is_given[index] = true;
        good = good && given[index].kind != VALUE_ERROR;
    }
    for (int i = 0; i < formals->count && good; i++)
        if (!is_given[i] && formals->list[i].required) {
            check_error(checker, span, "%s: argument '%s' is missing; the parameters are %s", formals->callee,
                        formals->list[i].name, parameter_list(checker, formals));
            return false;
        }
    return good;
}

/* ---- types and signatures ---- */

static enum element element_named(struct checker *checker, const struct name *name, bool *known) {
    static const char *const names[] = {"f32", "f64", "int", "class"};
    *known = true;
    if (!name->text || strcmp(name->text, "logits") == 0)
        return checker->real;
    for (int i = 0; i < 4; i++)
        if (strcmp(name->text, names[i]) == 0)
            return i == 0 ? ELEMENT_F32 : i == 1 ? ELEMENT_F64 : ELEMENT_INT;
    const char *nearest = text_nearest(name->text, names, 4);
    check_error(checker, name->span, "unknown element type '%s'%s%s%s; there are f32, f64, int and class", name->text,
                nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
    *known = false;
    return checker->real;
}

/* A dimension at the model's level: an unknown name is the batch. */
static bool is_batch_name(struct checker *checker, struct scope *scope, const struct expression *size) {
    if (size->kind != EXPRESSION_NAME || scope_find(scope, size->string))
        return false;
    if (!checker->graph->batch_name)
        checker->graph->batch_name = size->string;
    return strcmp(checker->graph->batch_name, size->string) == 0;
}

static bool resolve_dimension(struct checker *checker, struct scope *scope, const struct dimension *dimension,
                              bool model_level, int64_t *size) {
    if (model_level && is_batch_name(checker, scope, dimension->size)) {
        *size = BATCH;
        return true;
    }
    if (model_level && dimension->size->kind == EXPRESSION_NAME && !scope_find(scope, dimension->size->string)) {
        check_error(checker, dimension->span, "unknown name '%s': only '%s' may stand for a number of rows known later",
                    dimension->size->string, checker->graph->batch_name);
        return false;
    }
    struct value value = evaluate(checker, scope, dimension->size);
    if (value.kind == VALUE_BATCH) {
        *size = BATCH;
        return true;
    }
    return to_integer(checker, &value, "a dimension", 1, ELEMENTS_MAX, size);
}

bool resolve_type(struct checker *checker, struct scope *scope, const struct type_expression *type, bool model_level,
                  struct type *result, int64_t *classes) {
    bool known;
    memset(result, 0, sizeof *result);
    *classes = 0;
    result->element = element_named(checker, &type->element, &known);
    if (!known)
        return false;
    for (const struct dimension *d = type->dimensions; d; d = d->next) {
        if (d->is_ellipsis) {
            check_error(checker, d->span, "'...' stands only in the signature of a layer");
            return false;
        }
        if (result->shape.rank == RANK_MAX) {
            check_error(checker, d->span, "more than %d dimensions", (int)RANK_MAX);
            return false;
        }
        int64_t size;
        if (!resolve_dimension(checker, scope, d, model_level, &size))
            return false;
        if (size == BATCH && shape_batch_axis(&result->shape) >= 0) {
            check_error(checker, d->span, "the batch stands twice in one shape");
            return false;
        }
        result->shape.dims[result->shape.rank++] = size;
    }
    if (shape_inner_size(&result->shape) > ELEMENTS_MAX) {
        check_error(checker, type->span, "more than 2^40 elements");
        return false;
    }
    if (type->classes) {
        struct value count = evaluate(checker, scope, type->classes);
        if (!to_integer(checker, &count, "the number of classes", 1, 1 << 24, classes))
            return false;
    }
    return true;
}

/* Softmax of the prelude, or anything like it: exp(z) divided by a sum of them. */
static bool is_softmax(const struct node *node) {
    if (node->operator != OPERATOR_divide || node->inputs[0]->operator != OPERATOR_exp)
        return false;
    const struct node *below = node->inputs[1];
    while (below->operator == OPERATOR_reshape || below->operator == OPERATOR_expand)
        below = below->inputs[0];
    return below->operator == OPERATOR_sum;
}

/* One dimension of a signature: a name is bound at its first use and has to agree after. */
static bool unify_dimension(struct checker *checker, struct scope *scope, const struct dimension *dimension,
                            int64_t size, const struct formal *formal, const struct value *argument) {
    const struct expression *wanted = dimension->size;
    if (wanted->kind == EXPRESSION_NAME && !scope_find(scope, wanted->string)) {
        struct value value = size == BATCH ? (struct value){.kind = VALUE_BATCH} : value_number((double)size, argument->span);
        scope_add(checker, scope, wanted->string, value)->used = true;
        return true;
    }
    struct value value = evaluate(checker, scope, wanted);
    if (value.kind == VALUE_ERROR)
        return false;
    if (value.kind == VALUE_BATCH ? size == BATCH : value.kind == VALUE_NUMBER && value.number == (double)size)
        return true;
    const char *found = size == BATCH ? "the batch" : text_format(checker->arena, "%lld", (long long)size);
    struct diagnostic *error = check_error(
        checker, argument->span, "%s has %s where '%s' is %s; its shape is %s", formal->name, found,
        wanted->kind == EXPRESSION_NAME ? wanted->string : "this dimension", value_describe(checker, &value),
        shape_text(checker->arena, &argument->tensor->type.shape, checker->graph->batch_name));
    check_note_operands(checker, error, (struct node *[]){argument->tensor}, 1);
    diagnostic_note(checker->sink, error, dimension->span, "the signature asks for it here");
    return false;
}

static bool unify(struct checker *checker, struct scope *scope, const struct formal *formal, struct value *argument) {
    const struct type_expression *type = formal->type;
    if (!type || argument->kind == VALUE_ERROR)
        return argument->kind != VALUE_ERROR;
    if (argument->kind != VALUE_TENSOR) {
        check_error(checker, argument->span, "%s has to be a tensor, found %s", formal->name,
                    value_describe(checker, argument));
        return false;
    }
    const struct shape *shape = &argument->tensor->type.shape;
    bool logits = type->element.text && strcmp(type->element.text, "logits") == 0;
    if (logits && is_softmax(argument->tensor)) {
        struct diagnostic *warning = diagnostic_warning(
            checker->sink, argument->span, "this loss takes scores and applies the softmax itself; it is given a softmax");
        diagnostic_note(checker->sink, warning, (struct span){0}, "give it the value before the softmax");
    }
    int count = 0, axis = 0;
    bool ellipsis = type->dimensions && type->dimensions->is_ellipsis;
    for (const struct dimension *d = type->dimensions; d; d = d->next)
        count += !d->is_ellipsis;
    if (type->has_dimensions && (ellipsis ? shape->rank < count : shape->rank != count)) {
        struct diagnostic *error =
            check_error(checker, argument->span, "%s has to have %s%d ax%s, found %s", formal->name,
                        ellipsis ? "at least " : "", count, count == 1 ? "is" : "es", value_describe(checker, argument));
        check_note_operands(checker, error, &argument->tensor, 1);
        return false;
    }
    if (ellipsis)
        axis = shape->rank - count;
    for (const struct dimension *d = type->dimensions; d; d = d->next)
        if (!d->is_ellipsis && !unify_dimension(checker, scope, d, shape->dims[axis++], formal, argument))
            return false;
    return true;
}

/* The parameters bound in a scope of their own, defaults evaluated in it. */
static struct scope *bind(struct checker *checker, const struct formals *formals, struct value *given,
                          const bool *is_given) {
    struct scope *scope = scope_new(checker, checker->globals);
    for (int i = 0; i < formals->count; i++) {
        const struct formal *formal = &formals->list[i];
        if (!is_given[i])
            given[i] = evaluate(checker, scope, formal->value);
        if (!unify(checker, scope, formal, &given[i]))
            return NULL;
        scope_add(checker, scope, formal->name, given[i]);
    }
    return scope;
}

/* ---- calls ---- */

static struct value elaborate(struct checker *checker, struct scope *scope, const struct statement *declaration) {
    declare_body(checker, scope, declaration->body);
    evaluate_body(checker, scope);
    const struct statement *result = declaration->body;
    while (result && result->kind != STATEMENT_RETURN)
        result = result->next;
    if (!result)
        return value_error; /* reported where the layer is declared */
    struct site *site = arena_new(checker->arena, struct site);
    site->within = checker->instance;
    checker->site = site;
    return evaluate(checker, scope, result->value);
}

struct value run_body(struct checker *checker, struct scope *scope, const struct statement *declaration,
                      struct span span) {
    struct instance *instance = arena_new(checker->arena, struct instance), *outer_instance = checker->instance;
    struct site *outer_site = checker->site;
    struct frame frame = {.caller = checker->frame, .callee = declaration->name.text, .call = span};
    instance->site = checker->site;
    instance->layer = declaration->name.text;
    checker->instance = instance;
    checker->frame = &frame;
    struct value result = elaborate(checker, scope, declaration);
    checker->frame = frame.caller;
    checker->instance = outer_instance;
    checker->site = outer_site;
    result.span = span;
    return result;
}

static struct value call_declaration(struct checker *checker, struct scope *scope, const struct statement *declaration,
                                     const struct value *piped, const struct argument *arguments, struct span span) {
    struct formals formals = {0};
    struct value given[ARGUMENTS_MAX];
    bool is_given[ARGUMENTS_MAX] = {false};
    if (!formals_of_declaration(checker, declaration, &formals) ||
        !match_arguments(checker, scope, &formals, piped, arguments, span, given, is_given))
        return value_error;
    struct scope *bound = bind(checker, &formals, given, is_given);
    if (!bound)
        return value_error;
    if (declaration->kind == STATEMENT_LAYER)
        return run_body(checker, bound, declaration, span);
    return (struct value){.kind = VALUE_RECIPE, .declaration = declaration, .arguments = bound, .span = span};
}

static struct value call_builtin(struct checker *checker, struct scope *scope, const struct builtin *builtin,
                                 const struct value *piped, const struct argument *arguments, struct span span) {
    struct formals formals = {0};
    struct value given[ARGUMENTS_MAX];
    bool is_given[ARGUMENTS_MAX] = {false};
    formals_of_builtin(checker, builtin, &formals);
    if (!match_arguments(checker, scope, &formals, piped, arguments, span, given, is_given))
        return value_error;
    for (int i = 0; i < formals.count; i++)
        if (!is_given[i])
            given[i] = formals.list[i].fixed;
    return builtin->call(checker, given, span);
}

static struct value call_operator(struct checker *checker, struct scope *scope, enum operator_code operator,
                                  const struct value *piped, const struct argument *arguments, struct span span) {
    static const char *const names[] = {"a", "b", "c"};
    int arity = operators[operator].arity;
    struct formals formals = {.callee = operators[operator].name, .count = arity};
    struct value given[ARGUMENTS_MAX];
    bool is_given[ARGUMENTS_MAX] = {false};
    for (int i = 0; i < arity; i++)
        formals.list[i] = (struct formal){.name = names[i], .required = true};
    if (!match_arguments(checker, scope, &formals, piped, arguments, span, given, is_given))
        return value_error;
    return apply_elementwise(checker, operator, given, arity, span);
}

static struct value call_value(struct checker *checker, struct scope *scope, const struct value *callee,
                               const struct value *piped, const struct argument *arguments, struct span span) {
    if (callee->declaration)
        return call_declaration(checker, scope, callee->declaration, piped, arguments, span);
    if (!callee->builtin)
        return call_operator(checker, scope, callee->operator, piped, arguments, span);
    return call_builtin(checker, scope, callee->builtin, piped, arguments, span);
}

struct value evaluate_call(struct checker *checker, struct scope *scope, const struct expression *callee,
                           const struct value *piped, const struct argument *arguments, struct span span) {
    if (callee->kind != EXPRESSION_NAME) {
        check_error(checker, callee->span, "only a name can be called");
        return value_error;
    }
    const char *name = callee->string;
    struct binding *binding = scope_find(scope, name);
    if (binding && binding->state == BINDING_DONE && binding->value.kind == VALUE_CALLABLE) {
        binding->used = true;
        return call_value(checker, scope, &binding->value, piped, arguments, span);
    }
    struct binding *declared = scope_find_here(checker->declarations, name);
    if (declared) {
        declared->used = true;
        return call_declaration(checker, scope, declared->statement, piped, arguments, span);
    }
    struct value found = lookup(checker, scope, name, callee->span);
    if (found.kind == VALUE_CALLABLE)
        return call_value(checker, scope, &found, piped, arguments, span);
    if (found.kind != VALUE_ERROR)
        check_error(checker, callee->span, "'%s' is %s and cannot be called", name, value_describe(checker, &found));
    return value_error;
}
