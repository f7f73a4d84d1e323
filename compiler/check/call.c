/* Calls: arguments meet parameters, shapes meet signatures, and a layer's body is elaborated. */
#include "check/check.h"
#include "graph/operator.h"

#include <stdlib.h>
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
    struct formal *list; /* (count) in the arena, as calls nest deeply */
    int count;
    struct value *given; /* (count) the arguments */
    bool *is_given;
    bool is_open; /* further arguments are held for the layer that it is given */
};

static void make_room(struct checker *checker, struct formals *formals, int count) {
    formals->list = arena_array(checker->arena, struct formal, (size_t)count);
    formals->given = arena_array(checker->arena, struct value, (size_t)count);
    formals->is_given = arena_array(checker->arena, bool, (size_t)count);
}

static bool formals_of_declaration(struct checker *checker, const struct statement *declaration,
                                   struct formals *formals) {
    int count = 0;
    for (const struct parameter *p = declaration->parameters; p; p = p->next)
        count++;
    make_room(checker, formals, count);
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

/* From text such as "x, axis = none, keep = false": defaults are none, false or whole numbers. */
static void formals_of_builtin(struct checker *checker, const struct builtin *builtin,
                               struct formals *formals) {
    make_room(checker, formals, BUILTIN_PARAMETERS_MAX);
    formals->callee = builtin->name;
    for (const char *p = builtin->parameters; *p;) {
        if (strcmp(p, "...") == 0) {
            formals->is_open = true;
            break;
        }
        size_t length = strcspn(p, " ,");
        struct formal *formal = &formals->list[formals->count++];
        *formal = (struct formal){.name = arena_copy(checker->arena, p, length), .required = true};
        p += length;
        if (strncmp(p, " = ", 3) == 0) {
            formal->required = false;
            formal->fixed = p[3] == 'n' ? value_none : value_number(strtod(p + 3, NULL), (struct span){0});
            p += 3 + strcspn(p + 3, ",");
        }
        p += strspn(p, ", ");
    }
}

static const char *parameter_list(struct checker *checker, const struct formals *formals) {
    struct text text = {.arena = checker->arena};
    for (int i = 0; i < formals->count; i++)
        text_print(&text, "%s%s", i ? ", " : "", formals->list[i].name);
    return text_format(checker->arena, "%s(%s%s)", formals->callee, text_string(&text),
                       formals->is_open ? ", ..." : "");
}

/* reshape(x, [batch, c, h, w]), by the names of the signature. */
static void note_reshape(struct checker *checker, struct diagnostic *to, const struct dimension *dimensions) {
    struct text axes = {.arena = checker->arena};
    for (const struct dimension *d = dimensions->next; d; d = d->next) {
        if (d->size->kind != EXPRESSION_NAME)
            return;
        text_print(&axes, ", %s", d->size->string);
    }
    diagnostic_note(checker->sink, to, (struct span){0},
                    "rows that are flat get axes by reshape(x, [batch%s])", text_string(&axes));
}

/* What other libraries call the parameters of these names. */
static const char *other_name(const char *name, const char *const *names, int count) {
    static const char *const others[][2] = {
        {"rate", " lr learning_rate eta p drop probability "},
        {"units", " out_features neurons nodes size width "},
        {"channels", " filters out_channels "},
        {"kernel", " kernel_size filter_size size "},
        {"size", " kernel kernel_size pool_size "},
        {"bias", " use_bias "},
        {"epsilon", " eps "},
        {"axis", " dim axes "},
        {"keep", " keepdim keepdims "},
        {"init", " initializer kernel_initializer weights "},
    };
    const char *word = NULL;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        for (const char *at = strstr(others[i][1], name); at; at = strstr(at + 1, name))
            for (int k = 0; k < count && at[-1] == ' ' && at[strlen(name)] == ' ' && !word; k++)
                word = strcmp(names[k], others[i][0]) == 0 ? names[k] : NULL;
    return word;
}

static int formal_named(struct checker *checker, const struct formals *formals, const struct name *name) {
    const char *names[ARGUMENTS_MAX];
    for (int i = 0; i < formals->count; i++) {
        names[i] = formals->list[i].name;
        if (strcmp(names[i], name->text) == 0)
            return i;
    }
    const char *nearest = other_name(name->text, names, formals->count);
    if (!nearest)
        nearest = text_nearest(name->text, names, (size_t)formals->count);
    struct diagnostic *error =
        nearest ? check_error(checker, name->span, "%s has no parameter '%s'; did you mean '%s'?",
                              formals->callee, name->text, nearest)
                : check_error(checker, name->span, "%s has no parameter '%s'", formals->callee, name->text);
    diagnostic_note(checker->sink, error, (struct span){0}, "its parameters are %s",
                    parameter_list(checker, formals));
    if (strcmp(name->text, "activation") == 0)
        diagnostic_note(checker->sink, error, (struct span){0},
                        "an activation is a call of its own: %s(...) -> relu", formals->callee);
    return -1;
}

/* dense(10), where x is left out. */
static bool lacks_input(const struct formals *formals) {
    return formals->count > 1 && strcmp(formals->list[0].name, "x") == 0 && formals->is_given[0] &&
           !formals->is_given[1] && formals->given[0].kind == VALUE_NUMBER;
}

/* Are all arguments there that have to be?  Reports those that are not. */
static bool are_complete(struct checker *checker, const struct formals *formals, struct span span) {
    struct text missing = {.arena = checker->arena};
    int count = 0, left = 0;
    for (int i = 0; i < formals->count; i++)
        count += !formals->is_given[i] && formals->list[i].required;
    if (count == 0)
        return true;
    left = count;
    for (int i = 0; i < formals->count; i++)
        if (!formals->is_given[i] && formals->list[i].required)
            text_print(&missing, "'%s'%s", formals->list[i].name, --left > 1 ? ", " : left ? " and " : "");
    struct diagnostic *error =
        check_error(checker, span,
                    count == 1 ? "%s: argument %s is missing; the parameters are %s"
                               : "%s: arguments %s are missing; the parameters are %s",
                    formals->callee, text_string(&missing), parameter_list(checker, formals));
    double number = formals->count ? formals->given[0].number : 0;
    if (lacks_input(formals))
        diagnostic_note(checker->sink, error, (struct span){0},
                        "the first is what it is applied to: %s(x, %g), or x -> %s(%g)", formals->callee,
                        number, formals->callee, number);
    return false;
}

/* Evaluates the arguments into formals->given. */
static bool match_arguments(struct checker *checker, struct scope *scope, const struct formals *formals,
                            const struct value *piped, const struct argument *arguments, struct span span) {
    struct value *given = formals->given;
    bool *is_given = formals->is_given;
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
            check_error(checker, a->value->span, "too many arguments: %s takes %d",
                        parameter_list(checker, formals), formals->count);
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
    return good && are_complete(checker, formals, span);
}

/* ---- types and signatures ---- */

/* Words that stand in a signature for an element type, and say what the numbers mean. */
static bool is_wish(const struct name *name) {
    return strcmp(name->text, "logits") == 0 || strcmp(name->text, "quantity") == 0;
}

static enum element element_named(struct checker *checker, const struct name *name, bool *known) {
    static const char *const names[] = {"f32", "f64", "int", "class"};
    *known = true;
    if (!name->text || is_wish(name))
        return checker->real;
    for (int i = 0; i < 4; i++)
        if (strcmp(name->text, names[i]) == 0)
            return i > 1 ? ELEMENT_INT : i == 0 && !checker->widened ? ELEMENT_F32 : ELEMENT_F64;
    const char *nearest = text_nearest(name->text, names, 4);
    check_error(checker, name->span, "unknown element type '%s'; %s%s%s", name->text,
                nearest ? "did you mean '" : "there are f32, f64, int and class", nearest ? nearest : "",
                nearest ? "'?" : "");
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
    if (model_level && dimension->size->kind == EXPRESSION_NAME &&
        !scope_find(scope, dimension->size->string)) {
        check_error(checker, dimension->span,
                    "unknown name '%s': only '%s' may stand for a number of rows known later",
                    dimension->size->string, checker->graph->batch_name);
        return false;
    }
    struct value value = evaluate(checker, scope, dimension->size);
    if (value.kind == VALUE_BATCH) {
        *size = BATCH;
        return true;
    }
    const char *what = dimension->size->kind == EXPRESSION_NAME
                           ? text_format(checker->arena, "the dimension '%s'", dimension->size->string)
                           : "a dimension";
    return to_integer(checker, &value, what, 1, ELEMENTS_MAX, size);
}

bool resolve_type(struct checker *checker, struct scope *scope, const struct type_expression *type,
                  bool model_level, struct type *result, int64_t *classes) {
    bool known;
    memset(result, 0, sizeof *result);
    *classes = 0;
    result->element = element_named(checker, &type->element, &known);
    if (!known)
        return false;
    if (type->element.text && is_wish(&type->element)) {
        check_error(checker, type->element.span, "'%s' stands only in the signature of a layer",
                    type->element.text);
        return false;
    }
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
    if (type->classes && result->element != ELEMENT_INT) {
        check_error(checker, type->span,
                    "'of' says how many classes there are: it goes with class, not with %s",
                    element_name(result->element));
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
    if (node->code != OPERATOR_divide || node->inputs[0]->code != OPERATOR_exp)
        return false;
    const struct node *below = node->inputs[1];
    while (below->code == OPERATOR_reshape || below->code == OPERATOR_expand)
        below = below->inputs[0];
    return below->code == OPERATOR_sum;
}

/* One dimension of a signature: a name is bound at its first use and has to agree after. */
static bool unify_dimension(struct checker *checker, struct scope *scope, const struct dimension *dimension,
                            int64_t size, const struct formal *formal, const struct value *argument) {
    const struct expression *wanted = dimension->size;
    if (wanted->kind == EXPRESSION_NAME && !scope_find(scope, wanted->string)) {
        struct value value =
            size == BATCH ? (struct value){.kind = VALUE_BATCH} : value_number((double)size, argument->span);
        scope_add(checker, scope, wanted->string, value)->used = true;
        return true;
    }
    struct value value = evaluate(checker, scope, wanted);
    if (value.kind == VALUE_ERROR)
        return false;
    if (value.kind == VALUE_BATCH ? size == BATCH
                                  : value.kind == VALUE_NUMBER && value.number == (double)size)
        return true;
    bool named = wanted->kind == EXPRESSION_NAME;
    const char *found = size == BATCH ? "the batch" : text_format(checker->arena, "%lld", (long long)size);
    const char *asked = value.kind == VALUE_BATCH    ? "the batch"
                        : value.kind == VALUE_NUMBER ? text_number(checker->arena, value.number, false)
                                                     : value_describe(checker, &value);
    struct diagnostic *error = check_error(
        checker, argument->span, "%s has %s where %s%s%s is %s; its shape is %s", formal->name, found,
        named ? "'" : "", named ? wanted->string : "the signature's dimension", named ? "'" : "", asked,
        shape_text(checker->arena, &argument->tensor->type.shape, checker->graph->batch_name));
    check_note_operands(checker, error, (struct node *[]){argument->tensor}, 1);
    diagnostic_note(checker->sink, error, dimension->span, "the signature asks for it here");
    return false;
}

/* The element type that a signature asks for, if it asks for one. */
static bool unify_element(struct checker *checker, const struct formal *formal,
                          const struct value *argument) {
    const struct type_expression *type = formal->type;
    bool known;
    if (type->classes) {
        check_error(checker, type->span,
                    "'of' stands with a target or an input; a signature cannot ask for it");
        return false;
    }
    enum element element = element_named(checker, &type->element, &known);
    if (!known || !type->element.text || is_wish(&type->element))
        return known;
    if (element == argument->tensor->type.element)
        return true;
    struct diagnostic *error = check_error(checker, argument->span, "%s has to be %s, found %s", formal->name,
                                           element_name(element), value_describe(checker, argument));
    diagnostic_note(checker->sink, error, type->element.span, "the signature asks for it here");
    return false;
}

/* A signature that says `quantity` is not met by classes. */
static bool unify_quantity(struct checker *checker, const struct formal *formal,
                           const struct value *argument) {
    const struct column *column =
        argument->kind == VALUE_TENSOR ? check_classes(checker, argument->tensor) : NULL;
    if (!column)
        return true;
    const char *name = column->name;
    struct diagnostic *error =
        check_error(checker, argument->span, "%s has to be a quantity, found a class, whose number is a name",
                    formal->name);
    check_note_operands(checker, error, &argument->tensor, 1);
    diagnostic_note(
        checker->sink, error, (struct span){0},
        "for classes there are cross_entropy(score, %s) and accuracy(score, %s), with a score for "
        "each class",
        name, name);
    diagnostic_note(checker->sink, error, (struct span){0},
                    "as quantities they are one_hot(%s, %lld), or %s(%s) where the number itself is meant",
                    name, (long long)column->classes, element_name(checker->real), name);
    return false;
}

static bool unify(struct checker *checker, struct scope *scope, const struct formal *formal,
                  struct value *argument) {
    const struct type_expression *type = formal->type;
    if (!type || argument->kind == VALUE_ERROR)
        return argument->kind != VALUE_ERROR;
    bool quantity = type->element.text && strcmp(type->element.text, "quantity") == 0;
    if (quantity && !unify_quantity(checker, formal, argument))
        return false;
    if (quantity && !type->has_dimensions)
        return true;
    if (argument->kind != VALUE_TENSOR) {
        struct diagnostic *error = check_error(checker, argument->span, "%s has to be a tensor, found %s",
                                               formal->name, value_describe(checker, argument));
        note_scan_state(checker, error, argument);
        return false;
    }
    if (!unify_element(checker, formal, argument))
        return false;
    const struct shape *shape = &argument->tensor->type.shape;
    bool logits = type->element.text && strcmp(type->element.text, "logits") == 0;
    const char *applied = !logits                                      ? NULL
                          : is_softmax(argument->tensor)               ? "softmax"
                          : argument->tensor->code == OPERATOR_sigmoid ? "sigmoid"
                                                                       : NULL;
    if (applied) {
        struct diagnostic *warning = check_warning(
            checker, argument->span, "this loss takes scores and applies the %s itself; it is given a %s",
            type->dimensions && type->dimensions->next ? "softmax" : "sigmoid", applied);
        diagnostic_note(checker->sink, warning, (struct span){0}, "give it the value before the %s", applied);
    }
    int count = 0, axis = 0;
    bool ellipsis = type->dimensions && type->dimensions->is_ellipsis;
    for (const struct dimension *d = type->dimensions; d; d = d->next)
        count += !d->is_ellipsis;
    if (type->has_dimensions && (ellipsis ? shape->rank < count : shape->rank != count)) {
        struct diagnostic *error = check_error(checker, argument->span, "%s has to have %s%d ax%s, found %s",
                                               formal->name, ellipsis ? "at least " : "", count,
                                               count == 1 ? "is" : "es", value_describe(checker, argument));
        check_note_operands(checker, error, &argument->tensor, 1);
        if (!ellipsis && count > 2 && shape->rank == 2)
            note_reshape(checker, error, type->dimensions);
        return false;
    }
    if (ellipsis)
        axis = shape->rank - count;
    for (const struct dimension *d = type->dimensions; d; d = d->next)
        if (!d->is_ellipsis && !unify_dimension(checker, scope, d, shape->dims[axis++], formal, argument))
            return false;
    return true;
}

struct scope *outer_scope(const struct checker *checker, const struct statement *declaration) {
    return declaration->span.source == checker->prelude ? checker->constants : checker->globals;
}

/* The argument as the file has it, or the parameter's name where that is long. */
static const char *argument_text(struct checker *checker, const struct formal *formal,
                                 const struct value *argument) {
    enum { SHOWN = 40 };
    const struct span *span = &argument->span;
    size_t length = span->end - span->start;
    if (!span->source || length > SHOWN || memchr(span->source->text + span->start, '\n', length))
        return formal->name;
    return arena_copy(checker->arena, span->source->text + span->start, length);
}

/* A loss or metric of the prelude that takes a score and then what is right: true and an error where it is
 * given the target first, and second what depends on no target. */
static bool is_swapped(struct checker *checker, const struct statement *declaration,
                       const struct formals *formals, struct span span) {
    const struct formal *list = formals->list;
    const struct value *given = formals->given;
    if (declaration->span.source != checker->prelude || formals->count < 2 ||
        strcmp(list[1].name, "t") != 0 ||
        (strcmp(list[0].name, "score") != 0 && strcmp(list[0].name, "log_y") != 0))
        return false;
    for (int i = 0; i < 2; i++)
        if (given[i].kind != VALUE_TENSOR ||
            (check_reach(checker, given[i].tensor)->target != NULL) != (i == 0))
            return false;
    if (given[0].tensor->code != OPERATOR_input)
        return false;
    struct diagnostic *error = check_error(
        checker, span, "%s takes the score first, then what is right: these are swapped", formals->callee);
    check_note_operand(checker, error, "the first", given[0].tensor);
    diagnostic_note(checker->sink, error, (struct span){0}, "this way: %s(%s, %s%s)", formals->callee,
                    argument_text(checker, &list[0], &given[1]), argument_text(checker, &list[1], &given[0]),
                    formals->count > 2 && formals->is_given[2] ? ", ..." : "");
    return true;
}

/* The parameters bound in a scope of their own, defaults evaluated in it. */
static struct scope *bind(struct checker *checker, const struct statement *declaration,
                          const struct formals *formals) {
    struct scope *scope = scope_new(checker, outer_scope(checker, declaration));
    struct value *given = formals->given;
    for (int i = 0; i < formals->count; i++) {
        const struct formal *formal = &formals->list[i];
        if (!formals->is_given[i])
            given[i] = evaluate(checker, scope, formal->value);
        if (!unify(checker, scope, formal, &given[i]))
            return NULL;
        scope_add(checker, scope, formal->name, given[i]);
    }
    return scope;
}

/* ---- calls ---- */

static struct value elaborate(struct checker *checker, struct scope *scope,
                              const struct statement *declaration) {
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

/* Values, weights and parameters of a layer of the user's that nothing in it reads. */
static void warn_unused_inside(struct checker *checker, const struct scope *scope,
                               const struct statement *declaration) {
    for (const struct binding *b = scope->first; b && declaration->span.source != checker->prelude;
         b = b->next) {
        const struct parameter *p = declaration->parameters;
        while (p && p->name.text != b->name)
            p = p->next;
        if (b->used || b->value.kind == VALUE_ERROR || (!p && !b->statement))
            continue;
        check_warning(checker, p ? p->name.span : b->statement->name.span, "%s '%s' is never used",
                      p                                        ? "parameter"
                      : b->statement->kind == STATEMENT_WEIGHT ? "weight"
                                                               : "value",
                      b->name);
    }
}

struct value run_body(struct checker *checker, struct scope *scope, const struct statement *declaration,
                      struct span span) {
    struct instance *instance = arena_new(checker->arena, struct instance),
                    *outer_instance = checker->instance;
    struct site *outer_site = checker->site;
    struct frame frame = {.caller = checker->frame, .callee = declaration->name.text, .call = span};
    instance->site = checker->site;
    instance->layer = declaration->name.text;
    checker->instance = instance;
    checker->frame = &frame;
    int errors = checker->sink->error_count;
    struct value result = elaborate(checker, scope, declaration);
    if (checker->sink->error_count == errors && result.kind != VALUE_ERROR)
        warn_unused_inside(checker, scope, declaration);
    checker->frame = frame.caller;
    checker->instance = outer_instance;
    checker->site = outer_site;
    result.span = span;
    return result;
}

static bool is_running(const struct checker *checker, const struct statement *declaration) {
    const struct frame *frame = checker->frame;
    while (frame && frame->callee != declaration->name.text)
        frame = frame->caller;
    return frame && declaration->kind == STATEMENT_LAYER;
}

static struct value call_declaration(struct checker *checker, struct scope *scope,
                                     const struct statement *declaration, const struct value *piped,
                                     const struct argument *arguments, struct span span) {
    struct formals formals = {0};
    if (!formals_of_declaration(checker, declaration, &formals) ||
        !match_arguments(checker, scope, &formals, piped, arguments, span))
        return value_error;
    if (is_running(checker, declaration)) {
        check_error(checker, span, "'%s' calls itself, and would without end", declaration->name.text);
        return value_error;
    }
    if (is_swapped(checker, declaration, &formals, span))
        return value_error;
    struct scope *bound = bind(checker, declaration, &formals);
    if (!bound)
        return value_error;
    if (declaration->kind == STATEMENT_LAYER)
        return run_body(checker, bound, declaration, span);
    return (struct value){.kind = VALUE_RECIPE, .declaration = declaration, .arguments = bound, .span = span};
}

static bool has_formal(const struct formals *formals, const char *name) {
    for (int i = 0; i < formals->count; i++)
        if (strcmp(formals->list[i].name, name) == 0)
            return true;
    return false;
}

/* The arguments of a function that is given a layer, in two: its own, returned, and those behind them or of
 * other names, which are for the layer.  These are evaluated here, once, however often the layer is called;
 * the layer's call sees them under names that no file can write. */
static const struct argument *divide_arguments(struct checker *checker, struct scope *scope,
                                               const struct formals *formals, bool piped,
                                               const struct argument *arguments, struct value *layer) {
    struct argument *own = NULL, **own_end = &own, *held = NULL, **held_end = &held;
    int position = piped;
    layer->arguments = scope_new(checker, NULL);
    for (const struct argument *a = arguments; a; a = a->next) {
        struct argument *copy = arena_new(checker->arena, struct argument);
        *copy = *a;
        copy->next = NULL;
        if (a->name.text ? has_formal(formals, a->name.text) : position++ < formals->count) {
            *own_end = copy;
            own_end = &copy->next;
            continue;
        }
        struct expression *name = arena_new(checker->arena, struct expression);
        *name = (struct expression){.kind = EXPRESSION_NAME, .span = a->value->span};
        name->string = text_format(checker->arena, "(%d)", layer->arguments->count);
        scope_add(checker, layer->arguments, name->string, evaluate(checker, scope, a->value));
        copy->value = name;
        *held_end = copy;
        held_end = &copy->next;
    }
    layer->held = held;
    return own;
}

static struct value call_builtin(struct checker *checker, struct scope *scope, const struct builtin *builtin,
                                 const struct value *piped, const struct argument *arguments,
                                 struct span span) {
    struct formals formals = {0};
    struct value layer = {0};
    formals_of_builtin(checker, builtin, &formals);
    if (formals.is_open)
        arguments = divide_arguments(checker, scope, &formals, piped != NULL, arguments, &layer);
    if (!match_arguments(checker, scope, &formals, piped, arguments, span))
        return value_error;
    for (int i = 0; i < formals.count; i++)
        if (!formals.is_given[i])
            formals.given[i] = formals.list[i].fixed;
        else if (formals.is_open && strcmp(formals.list[i].name, "body") == 0) {
            formals.given[i].arguments = layer.arguments;
            formals.given[i].held = layer.held;
        }
    return builtin->call(checker, formals.given, span);
}

static struct value call_operator(struct checker *checker, struct scope *scope, enum operator_code code,
                                  const struct value *piped, const struct argument *arguments,
                                  struct span span) {
    static const char *const names[] = {"a", "b", "c"};
    int arity = operators[code].arity;
    struct formals formals = {.callee = operators[code].name, .count = arity};
    make_room(checker, &formals, arity);
    for (int i = 0; i < arity; i++)
        formals.list[i] = (struct formal){.name = names[i], .required = true};
    if (!match_arguments(checker, scope, &formals, piped, arguments, span))
        return value_error;
    return apply_elementwise(checker, code, formals.given, arity, span);
}

static struct value call_value(struct checker *checker, struct scope *scope, const struct value *callee,
                               const struct value *piped, const struct argument *arguments,
                               struct span span) {
    if (callee->declaration)
        return call_declaration(checker, scope, callee->declaration, piped, arguments, span);
    if (!callee->builtin)
        return call_operator(checker, scope, callee->code, piped, arguments, span);
    return call_builtin(checker, scope, callee->builtin, piped, arguments, span);
}

struct value call_held(struct checker *checker, const struct value *callee, const struct value *first,
                       const struct value *second, struct span span) {
    struct scope *scope = scope_new(checker, callee->arguments);
    struct expression name = {.kind = EXPRESSION_NAME, .string = "(second)", .span = span};
    struct argument argument = {.value = &name, .next = (struct argument *)callee->held};
    if (!second)
        return call_value(checker, scope, callee, first, callee->held, span);
    name.span = second->span;
    scope_add(checker, scope, name.string, *second);
    return call_value(checker, scope, callee, first, &argument, span);
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
        check_error(checker, callee->span, "'%s' is %s and cannot be called", name,
                    value_describe(checker, &found));
    return value_error;
}
