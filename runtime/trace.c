#include "trace.h"

#include <stdlib.h>
#include <string.h>

enum { NAMES_LISTED = 20 };

/* ---- what is asked for ---- */

/* A whole number from 1; moves *text behind it. */
static bool parse_update(const char **text, int64_t *update) {
    char *end;
    if (**text < '0' || **text > '9')
        return false;
    long long number = strtoll(*text, &end, 10);
    *update = number;
    *text = end;
    return number >= 1 && number < (long long)1 << 53;
}

static bool parse_range(const char **text, struct trace_range *range) {
    if (!parse_update(text, &range->first))
        return false;
    range->last = range->first;
    if (**text != '-')
        return true;
    (*text)++;
    return parse_update(text, &range->last) && range->last >= range->first;
}

bool trace_parse(struct arena *arena, const char *text, struct trace *trace, struct failure *failure) {
    const char *at = strchr(text, '@');
    int capacity = 0;
    *trace = (struct trace){.name = arena_copy(arena, text, at ? (size_t)(at - text) : strlen(text))};
    while (at) {
        struct trace_range range;
        at++;
        if (!parse_range(&at, &range) || (*at && *at != ','))
            return failure_set(failure, FAILURE_USAGE,
                               "--trace %s: expected updates such as %s@1,10,100 or %s@1-5, counted from 1",
                               text, trace->name, trace->name);
        arena_reserve(arena, trace->ranges, trace->range_count, capacity);
        trace->ranges[trace->range_count++] = range;
        at = *at ? at : NULL;
    }
    return true;
}

bool trace_find(struct run *run, struct trace *trace) {
    const struct model *model = run->model;
    int count = 0, total = model->value_count + model->weight_count;
    const char **names = arena_array(run->arena, const char *, (size_t)total);
    for (int i = 0; i < total; i++) {
        int weight = i - model->value_count;
        const char *name = weight < 0 ? model->values[i].name : model->weights[weight].name;
        struct node *node = weight < 0 ? model->values[i].node : model->weights[weight].node;
        if (strcmp(name, trace->name) == 0) {
            trace->node = node;
            return true;
        }
        names[count++] = name;
    }
    const char *nearest = text_nearest(trace->name, names, (size_t)count);
    struct text all = {.arena = run->arena};
    for (int i = 0; i < count && i < NAMES_LISTED; i++)
        text_print(&all, "%s%s", i ? ", " : "", names[i]);
    return failure_set(run->failure, FAILURE_USAGE,
                       "--trace %s: the model has no value of this name; %s%s%s%s", trace->name,
                       nearest ? "did you mean '" : "there are ", nearest ? nearest : text_string(&all),
                       nearest ? "'?" : "", !nearest && count > NAMES_LISTED ? " and others" : "");
}

bool trace_wants(const struct trace *trace, int64_t update) {
    for (int i = 0; i < trace->range_count; i++)
        if (update >= trace->ranges[i].first && update <= trace->ranges[i].last)
            return true;
    return trace->range_count == 0 && update == 1;
}

/* ---- printing ---- */

bool trace_meets(const struct trace *trace, int64_t first, int64_t last) {
    for (int i = 0; i < trace->range_count; i++)
        if (trace->ranges[i].first <= last && trace->ranges[i].last >= first)
            return true;
    return trace->range_count == 0 && first == 1;
}

void trace_reserve(struct run *run, struct trace *trace, int64_t rows) {
    const struct type *type = &trace->node->type;
    size_t row_size = (size_t)shape_inner_size(&type->shape) * element_size(type->element);
    trace->values = arena_allocate_array(run->arena, (size_t)rows, row_size);
}

void trace_number(enum element element, const void *values, int64_t index, FILE *out) {
    double number = run_number(element, values, index);
    fprintf(out, element == ELEMENT_F32 ? "%.9g" : "%.17g", number);
}

/* Lines: the rows of the batch, or where there are none those of the last axis. */
void trace_print(const struct run *run, const struct trace *trace, int64_t update, int64_t rows, FILE *out) {
    const struct type *type = &trace->node->type;
    struct shape shape = type->shape;
    bool weight = trace->node->code == OPERATOR_weight;
    const void *values = weight ? run->weights.values[trace->node->attributes.index] : trace->values;
    int batch_axis = shape_batch_axis(&shape);
    int64_t count = shape_inner_size(&shape) * (batch_axis >= 0 ? rows : 1);
    int64_t wide = batch_axis >= 0 ? shape_inner_size(&shape) : shape.rank ? shape.dims[shape.rank - 1] : 1;
    fprintf(out, "update %lld  %s", (long long)update, trace->name);
    for (int i = 0; i < shape.rank; i++)
        fprintf(out, "%s%lld%s", i ? ", " : " [", (long long)(i == batch_axis ? rows : shape.dims[i]),
                i + 1 == shape.rank ? "]" : "");
    for (int64_t i = 0; i < count; i++) {
        fputs(i % wide ? "," : "\n", out);
        trace_number(type->element, values, i, out);
    }
    fputs("\n", out);
}
