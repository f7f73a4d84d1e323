/* Emitted C keeps weights in a state of its own.  The run's weights are put there, so that the interpreter,
 * which is still asked for traces and for where a number went to infinity, works on the same memory. */
#include "compiled.h"
#include "code_cache.h"
#include "emit/emit.h"

#include <string.h>

struct compiled {
    struct run *run;
    char *state;
    void **weights;
    bool noise;       /* rows are told apart by their number, and emitted C counts from 0 */
    size_t most_rows; /* of a batch; 0: any number */
    double (*train)(void *state, uint64_t updates, uint64_t seed, size_t n, const void *const *columns);
    double (*evaluate)(void *state, uint64_t updates, uint64_t seed, size_t n, const void *const *columns,
                       double *metrics);
    void (*predict)(void *state, uint64_t updates, uint64_t seed, size_t n, const void *const *columns,
                    void *const *outputs);
    void **gathered; /* by input: rows of a batch in its order; NULL: not needed yet */
    int64_t room;    /* rows in each */
};

/* The text, or NULL where the model cannot be put in C. */
static const char *emit_text(struct run *run) {
    struct diagnostics sink = {.arena = run->arena}; /* what C cannot do is no error here */
    struct text text = {.arena = run->arena};
    struct emit_rows train = {.count = run->train.count}, test = {.count = run->test.count};
    struct emit_options options = {
        .file_name = "nnrun --jit", .loadable = true, .train_rows = &train, .test_rows = &test};
    emit_c(run->model, &options, &sink, &text);
    return sink.error_count ? NULL : text_string(&text);
}

/* A function of the loaded code; ISO C has no conversion from an object's address to a function's. */
static bool find(void *code, const char *name, void *function, size_t size) {
    void *address = code_symbol(code, name);
    memcpy(function, &address, size);
    return address != NULL;
}
#define FIND(code, name, function) find(code, name, &(function), sizeof(function))

void compiled_make(struct run *run, int threads) {
    struct compiled *compiled = arena_new(run->arena, struct compiled);
    const char *text = emit_text(run);
    void *code = text ? code_load(run->arena, text, run->kernels->fused, threads > 1) : NULL;
    size_t (*size)(void), (*rows)(void);
    int (*noise)(void);
    void (*place)(void *state, void **weights), (*use_threads)(int count);
    if (!code || !FIND(code, "nn_loaded_size", size) || !FIND(code, "nn_loaded_rows", rows) ||
        !FIND(code, "nn_loaded_noise", noise) || !FIND(code, "nn_loaded_weights", place)) {
        run->jit = text ? "interpreted, for want of a compiler that works"
                        : "interpreted: C cannot do this model yet";
        return;
    }
    run->jit = "compiled";
    if (FIND(code, "nn_loaded_threads", use_threads))
        use_threads(threads);
    FIND(code, "nn_loaded_train", compiled->train);
    FIND(code, "nn_loaded_evaluate", compiled->evaluate);
    FIND(code, "nn_loaded_predict", compiled->predict);
    compiled->run = run;
    compiled->state = arena_allocate(run->arena, size());
    compiled->noise = noise() != 0;
    compiled->most_rows = rows();
    compiled->weights = arena_array(run->arena, void *, (size_t)run->model->weight_count);
    compiled->gathered = arena_array(run->arena, void *, (size_t)run->model->column_count);
    place(compiled->state, compiled->weights);
    run->compiled = compiled;
}

void **compiled_weights(struct compiled *compiled) {
    return compiled->weights;
}

static bool takes(const struct compiled *compiled, const struct batch *batch) {
    return compiled->most_rows == 0 || (size_t)batch->rows <= compiled->most_rows;
}

static size_t row_size(const struct model *model, int column) {
    const struct type *type = &model->columns[column].node->type;
    return (size_t)shape_inner_size(&type->shape) * element_size(type->element);
}

static void gather(const struct batch *batch, size_t size, const char *from, char *to) {
    for (int64_t r = 0; r < batch->rows; r++, to += size)
        memcpy(to, from + (size_t)batch->order[r] * size, size);
}

/* The columns as emitted C reads them: row after row. */
static const void *const *columns_of(struct compiled *compiled, const struct batch *batch) {
    const struct model *model = compiled->run->model;
    if (!batch->order)
        return batch->columns;
    for (int i = 0; i < model->column_count; i++) {
        if (compiled->room < batch->rows)
            compiled->gathered[i] =
                arena_allocate_array(compiled->run->arena, (size_t)batch->rows, row_size(model, i));
        gather(batch, row_size(model, i), batch->columns[i], compiled->gathered[i]);
    }
    compiled->room = compiled->room < batch->rows ? batch->rows : compiled->room;
    return (const void *const *)compiled->gathered;
}

bool compiled_train(struct compiled *compiled, const struct batch *batch, double *loss) {
    if (!compiled || !compiled->train || !takes(compiled, batch))
        return false;
    *loss = compiled->train(compiled->state, (uint64_t)batch->step - 1, batch->seed, (size_t)batch->rows,
                            columns_of(compiled, batch));
    return true;
}

bool compiled_evaluate(struct compiled *compiled, const struct batch *batch, double *values) {
    if (!compiled || !compiled->evaluate || !takes(compiled, batch))
        return false;
    values[0] = compiled->evaluate(compiled->state, (uint64_t)batch->step, batch->seed, (size_t)batch->rows,
                                   columns_of(compiled, batch), values + 1);
    return true;
}

bool compiled_predict(struct compiled *compiled, const struct batch *batch) {
    if (!compiled || !compiled->predict || !takes(compiled, batch) ||
        (compiled->noise && batch->first_row > 0))
        return false;
    compiled->predict(compiled->state, (uint64_t)batch->step, batch->seed, (size_t)batch->rows,
                      columns_of(compiled, batch), batch->results);
    return true;
}
