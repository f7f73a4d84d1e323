/* Trains a model for some updates in the interpreter and prints every bit of its weights, for tests/neon.sh:
 * rows, classes and first weights are from a formula of whole numbers, so that two machines start from the
 * same.
 *
 *   neon MODEL.nn 0|1      the floating-point mode: plain or fused
 */
#include "interpreter.h"
#include "model/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 77, UPDATES = 20, MOST = 256 };

/* In [-1, 1). */
static double number(uint32_t i) {
    i = (i ^ (i >> 15)) * UINT32_C(739982445);
    i = (i ^ (i >> 12)) * UINT32_C(695872825);
    return (double)(i ^ (i >> 15)) / 2147483648.0 - 1;
}

static void *fill(struct arena *arena, const struct type *type, int64_t rows, int64_t limit, uint32_t stream,
                  double scale) {
    int64_t count = rows * shape_inner_size(&type->shape);
    char *values = arena_allocate_array(arena, (size_t)count, element_size(type->element));
    for (int64_t i = 0; i < count; i++) {
        double value = scale * number((uint32_t)i * UINT32_C(2654435769) + stream * UINT32_C(2246822519));
        if (type->element == ELEMENT_F64)
            ((double *)(void *)values)[i] = value;
        else if (type->element == ELEMENT_F32)
            ((float *)(void *)values)[i] = (float)value;
        else
            ((int32_t *)(void *)values)[i] = (int32_t)(i % (limit > 0 ? limit : 1));
    }
    return values;
}

static void print_bits(const struct type *type, const void *values) {
    size_t size = element_size(type->element), count = (size_t)shape_inner_size(&type->shape);
    for (size_t i = 0; i < count; i++) {
        uint64_t bits = 0;
        for (size_t k = 0; k < size; k++)
            bits |= (uint64_t)((const unsigned char *)values)[i * size + k] << 8 * k;
        printf("%016" PRIx64 "\n", bits);
    }
}

static int train(const char *path, bool fused, struct arena *arena) {
    struct diagnostics sink = {.arena = arena};
    struct failure failure = {0};
    struct node *roots[MOST];
    void *weights[MOST], *results[MOST] = {0};
    const void *columns[MOST];
    const struct kernels *kernels = kernels_choose(fused);
    const struct model *model = model_read(path, NULL, 0, false, arena, &sink, &failure);
    if (!kernels || !model || model->update_count + 1 > MOST || model->weight_count > MOST ||
        model->column_count > MOST)
        return 1;
    roots[0] = model->loss.node;
    memcpy(roots + 1, model->updates, (size_t)model->update_count * sizeof *roots);
    for (int i = 0; i < model->column_count; i++) {
        const struct column *column = &model->columns[i];
        columns[i] = fill(arena, &column->node->type, ROWS, column->classes ? column->classes : column->limit,
                          (uint32_t)i, 1);
    }
    for (int i = 0; i < model->weight_count; i++)
        weights[i] = fill(arena, &model->weights[i].node->type, 1, 0, 100 + (uint32_t)i,
                          model->weights[i].is_state ? 0 : 0.5);
    struct interpreter *interpreter = interpreter_new(
        plan_make(&model->graph, roots, model->update_count + 1, arena), kernels, weights, arena);
    for (int update = 1; update <= UPDATES; update++)
        interpreter_run(
            interpreter,
            &(struct batch){.rows = ROWS, .columns = columns, .results = results, .step = update, .seed = 1});
    for (int i = 0; i < model->weight_count; i++)
        print_bits(&model->weights[i].node->type, weights[i]);
    return 0;
}

int main(int count, char **arguments) {
    static struct arena arena;
    static jmp_buf out_of_memory;
    arena.out_of_memory = &out_of_memory;
    if (count != 3 || setjmp(out_of_memory))
        return 2;
    return train(arguments[1], arguments[2][0] == '1', &arena);
}
