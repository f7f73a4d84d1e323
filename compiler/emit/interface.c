#include "emit/interface.h"

#include <string.h>

static void print_column_parameters(struct emitter *emitter, bool targets, struct text *out) {
    const struct model *model = emitter->printer.model;
    for (int i = 0; i < model->column_count; i++)
        if (targets || !model->columns[i].is_target)
            text_print(out, ", const %s *%s", real_name(model->columns[i].node->type.element),
                       emitter->printer.column_names[i]);
}

void print_train_signature(struct emitter *emitter, struct text *out) {
    text_print(out, "double %s_train(%s *s, size_t n", emitter->printer.prefix, emitter->printer.prefix);
    print_column_parameters(emitter, true, out);
    text_print(out, ")");
}

void print_evaluate_signature(struct emitter *emitter, struct text *out) {
    text_print(out, "double %s_evaluate(%s *s, size_t n", emitter->printer.prefix, emitter->printer.prefix);
    print_column_parameters(emitter, true, out);
    text_print(out, ", double *metrics)");
}

void print_predict_signature(struct emitter *emitter, struct text *out) {
    const struct model *model = emitter->printer.model;
    text_print(out, "void %s_predict(%s *s, size_t n", emitter->printer.prefix, emitter->printer.prefix);
    print_column_parameters(emitter, false, out);
    for (int i = 0; i < model->output_count; i++)
        text_print(out, ", %s *%s", real_name(model->outputs[i].node->type.element),
                   emitter->printer.output_names[i]);
    text_print(out, ")");
}

int64_t column_range(const struct column *column) {
    return column->classes ? column->classes : column->limit;
}

static bool has_ranges(const struct model *model) {
    for (int i = 0; i < model->column_count; i++)
        if (column_range(&model->columns[i]))
            return true;
    return false;
}

/* "more than 180 or a number outside of its range": what training and evaluation do not begin with, behind
 * `before`; "" where there is nothing of the kind. */
static const char *refusals_text(struct emitter *emitter, const char *before) {
    const bool ranges = has_ranges(emitter->printer.model);
    const char *range = ranges ? "a number outside of its range" : "";
    if (!emitter->kept_rows)
        return ranges ? text_format(emitter->printer.arena, "%s%s", before, range) : "";
    return text_format(emitter->printer.arena, "%smore than %lld%s%s", before, (long long)emitter->kept_rows,
                       ranges ? " or " : "", range);
}

static void print_class_names(const struct emit_names *classes, struct text *out) {
    enum { LISTED = 20 };
    for (int64_t i = 0; i < classes->count && i < LISTED; i++) {
        text_print(out, i ? ", " : ": ");
        print_in_comment(out, classes->names[i], strlen(classes->names[i]));
    }
    if (classes->count > LISTED)
        text_print(out, ", ...");
}

/* The comment on all functions that take rows. */
static void print_columns(struct emitter *emitter, struct text *out) {
    const struct model *model = emitter->printer.model;
    if (!model->column_count)
        return;
    text_print(out, "/* What the functions below take, row after row:\n");
    for (int i = 0; i < model->column_count; i++) {
        const struct column *column = &model->columns[i];
        text_print(out, " *   %s (%s): n x %lld numbers", emitter->printer.column_names[i],
                   column->is_target ? "target" : "input",
                   (long long)shape_inner_size(&column->node->type.shape));
        if (column_range(column))
            text_print(out, ", each from 0 to %lld", (long long)column_range(column) - 1);
        if (column->classes && emitter->printer.options->columns)
            print_class_names(&emitter->printer.options->columns[i], out);
        text_print(out, "\n");
    }
    text_print(
        out,
        " * Reals are not looked at: one row with NAN or infinity makes all weights NAN when it is trained.\n"
        " */\n\n");
}

static void print_state(struct emitter *emitter, struct text *out) {
    const struct model *model = emitter->printer.model;
    const char *work[] = {"float workf", "double work", "int32_t worki"};
    text_print(out,
               "/* The weights, what the solver remembers, and room to work in. */\ntypedef struct %s {\n",
               emitter->printer.prefix);
    for (int i = 0; i < model->weight_count; i++)
        text_print(
            out, "    %s %s[%lld]; /* %s%s */\n", real_name(model->weights[i].node->type.element),
            emitter->printer.weight_names[i],
            (long long)shape_inner_size(&model->weights[i].node->type.shape), model->weights[i].name,
            model->weights[i].node->type.shape.rank
                ? text_format(emitter->printer.arena, " %s",
                              shape_text(emitter->printer.arena, &model->weights[i].node->type.shape, NULL))
                : "");
    text_print(out, "    uint64_t updates; /* done so far */\n");
    if (emitter->printer.noise)
        text_print(out, "    uint64_t seed; /* of the random numbers that updates draw */\n");
    for (int e = 0; e < 3; e++)
        if (emitter->work[e])
            text_print(out, "    %s[%lld];\n", work[e], (long long)emitter->work[e]);
    text_print(out, "} %s;\n\n", emitter->printer.prefix);
}

/* The type of the weights' numbers; void where there are several. */
static const char *weight_type(const struct model *model) {
    enum element first = model->weight_count ? model->weights[0].node->type.element : ELEMENT_INT;
    for (int i = 0; i < model->weight_count; i++)
        if (model->weights[i].node->type.element != first)
            return "void";
    return model->weight_count ? real_name(first) : "void";
}

void print_weight_signature(struct emitter *emitter, struct text *out) {
    const char *p = emitter->printer.prefix;
    text_print(out, "%s *%s_weight(%s *s, const char *name, size_t *count)",
               weight_type(emitter->printer.model), p, p);
}

void print_interface(struct emitter *emitter, struct text *out) {
    const struct model *model = emitter->printer.model;
    const char *p = emitter->printer.prefix;
    text_print(out,
               "#include <stddef.h>\n#include <stdint.h>\n\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
    print_state(emitter, out);
    print_columns(emitter, out);
    text_print(out,
               "/* Sets every weight to its %s value: to be called first. */\nvoid %s_init(%s *s, uint64_t "
               "seed);\n\n",
               emitter->printer.options->loaded ? "loaded" : "first", p, p);
    if (emitter->train.plan) {
        text_print(out, "/* One update from n rows; returns the loss before it.");
        if (model->column_count)
            text_print(out, "\n * With no row%s nothing is done and NAN returned.",
                       refusals_text(emitter, " or "));
        text_print(out, " */\n");
        print_train_signature(emitter, out);
        text_print(out, ";\n\n");
    }
    if (emitter->evaluate.plan) {
        text_print(out, "/* The loss of n rows");
        const char *refusals = refusals_text(emitter, "");
        if (refusals[0])
            text_print(out, " (NAN and nothing else with %s)", refusals);
        if (model->metric_count)
            text_print(out, "; and into metrics[], unless it is NULL:");
        for (int i = 0; i < model->metric_count; i++) {
            text_print(out, "%s %s", i ? "," : "", model->metrics[i].name);
            if (model->metrics[i].node->type.shape.rank)
                text_print(out, " (%lld numbers)",
                           (long long)shape_inner_size(&model->metrics[i].node->type.shape));
        }
        text_print(out, ". */\n");
        print_evaluate_signature(emitter, out);
        text_print(out, ";\n\n");
    }
    if (model->output_count) {
        text_print(out, "/* The outputs of n rows, %s; an output that is NULL is left out.\n",
                   keeps_rows(emitter->predict.plan)
                       ? text_format(emitter->printer.arena, "at most %lld (with more, every number is NAN)",
                                     (long long)emitter->kept_rows)
                       : "any number");
        for (int i = 0; i < model->output_count; i++)
            text_print(out, " *   %s: %s%lld numbers\n", emitter->printer.output_names[i],
                       shape_batch_axis(&model->outputs[i].node->type.shape) >= 0 ? "n x " : "",
                       (long long)shape_inner_size(&model->outputs[i].node->type.shape));
        text_print(out, " */\n");
        print_predict_signature(emitter, out);
        text_print(out, ";\n\n");
    }
    text_print(
        out,
        "/* Where a weight lies, to read or to set it, and how many numbers it has, unless count is NULL;\n"
        " * NULL for an unknown name. */\n");
    print_weight_signature(emitter, out);
    text_print(out, ";\n\n#ifdef __cplusplus\n}\n#endif\n");
}
