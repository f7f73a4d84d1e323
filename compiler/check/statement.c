/* The file: its params, its declarations, and the order in which its parts are checked. */
#include "check/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- params ---- */

static const char *const keywords[] = {"all", "random", "even", "counter", "numpy"};

static const char *const truths[] = {"false", "true"};

static struct value defined_value(struct checker *checker, const struct statement *param,
                                  const struct value *usual, const char *text) {
    char *end;
    if (usual->kind == VALUE_TEXT)
        return value_text(arena_copy(checker->arena, text, strlen(text)), param->span);
    if (usual->kind == VALUE_CALLABLE) {
        struct value named = lookup(checker, checker->globals, arena_copy(checker->arena, text, strlen(text)),
                                    param->value->span);
        if (named.kind == VALUE_ERROR)
            diagnostic_note(checker->sink, checker->sink->last, (struct span){0}, "from -D %s=%s",
                            param->name.text, text);
        return named;
    }
    for (int i = 0; i < 2 && usual->text; i++)
        if (strcmp(text, truths[i]) == 0)
            return (struct value){.kind = VALUE_NUMBER, .number = i, .text = truths[i], .span = param->span};
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
        struct diagnostic *error =
            check_error(checker, param->name.span, "'%s' is defined twice", param->name.text);
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
    const char *text = value.text                   ? value.text
                       : value.kind == VALUE_NUMBER ? text_number(checker->arena, value.number, false)
                                                    : "";
    struct model *model = checker->model;
    struct parameter_value *grown =
        arena_grow(checker->arena, model->parameters, (size_t)model->parameter_count,
                   (size_t)model->parameter_count + 1, sizeof *grown);
    model->parameters = grown;
    grown[model->parameter_count++] = (struct parameter_value){param->name.text, text, overridden};
}

/* ---- declarations ---- */

/* A state is a name of its own: neither another state, nor what the solver is given. */
static void check_state(struct checker *checker, const struct statement *declaration,
                        const struct statement *state) {
    bool given = strcmp(state->name.text, "weight") == 0 || strcmp(state->name.text, "grad") == 0;
    for (const struct parameter *p = declaration->parameters; p; p = p->next)
        given = given || strcmp(p->name.text, state->name.text) == 0;
    if (given)
        check_error(checker, state->name.span,
                    "'%s' is given to the solver '%s': choose another name for the state", state->name.text,
                    declaration->name.text);
    for (const struct statement *s = declaration->body; s != state; s = s->next)
        if (s->kind == STATEMENT_STATE && strcmp(s->name.text, state->name.text) == 0) {
            check_error(checker, state->name.span, "the state '%s' is declared twice", state->name.text);
            return;
        }
}

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
                        solver                                       ? "the solver"
                        : declaration->kind == STATEMENT_INITIALISER ? "the initialiser"
                                                                     : "the layer",
                        declaration->name.text);
        if (s->kind == STATEMENT_STATE)
            check_state(checker, declaration, s);
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
        check_error(checker, declaration->name.span, "the solver '%s' never sets 'weight'",
                    declaration->name.text);
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
    struct binding *binding =
        replaces ? old : scope_add(checker, checker->declarations, statement->name.text, value_none);
    binding->statement = statement;
    check_body(checker, statement);
}

/* ---- the file ---- */

static void add_constants(struct checker *checker) {
    scope_add(checker, checker->constants, "none", value_none)->used = true;
    for (int i = 0; i < 2; i++) {
        struct value truth = {.kind = VALUE_NUMBER, .number = i, .text = truths[i]};
        scope_add(checker, checker->constants, truths[i], truth)->used = true;
    }
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        scope_add(checker, checker->constants, keywords[i], value_text(keywords[i], (struct span){0}))->used =
            true;
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

static void check_file(struct checker *checker, const struct statement *statements,
                       const struct source *source) {
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
    for (const struct statement *s = statements; s; s = s->next)
        if (s->kind == STATEMENT_DATA)
            check_data(checker, s);
    const struct statement *model = only_one(checker, statements, STATEMENT_MODEL, "model in one file");
    const struct statement *train = only_one(checker, statements, STATEMENT_TRAIN, "train block");
    if (model)
        check_model(checker, model);
    else if (checker->sink->error_count == 0)
        diagnostic_error(checker->sink, (struct span){source, 0, 0}, "the file has no model { ... }");
    for (int i = 0; i < checker->model->data_count && checker->sink->error_count == 0; i++)
        if (checker->model->data[i].source == DATA_SPIRAL)
            check_spiral(checker, &checker->model->data[i]);
    if (model && train)
        check_training(checker, train);
    if (checker->sink->error_count == 0)
        warn_unused(checker, checker->globals, source);
    if (checker->sink->error_count == 0)
        warn_unused(checker, checker->declarations, source);
}

struct model *model_check(const struct statement *library, const struct statement *statements,
                          const struct source *source, const struct source *prelude,
                          struct definition *definitions, int definition_count, bool widened,
                          struct arena *arena, struct diagnostics *sink) {
    struct checker checker = {.arena = arena,
                              .sink = sink,
                              .prelude = prelude,
                              .statements = statements,
                              .real = ELEMENT_F64,
                              .widened = widened,
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
