/* Any bytes as a .nn file, through lexer, parser, checker, derivatives, plan and emitter: nothing may crash,
 * read or write out of bounds, or take more than its share of time. */
#include "emit/emit.h"
#include "model/model.h"
#include "plan/plan.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { ELEMENTS_WORTH_PLANNING = 1 << 16 };

static int64_t model_size(const struct model *model) {
    int64_t size = 0;
    for (int i = 0; i < model->graph.count; i++) {
        int64_t inner = shape_inner_size(&model->graph.nodes[i]->type.shape);
        if (inner > ELEMENTS_WORTH_PLANNING)
            return inner;
        size += inner;
    }
    return size;
}

static void emit(const struct model *model, struct arena *arena, struct diagnostics *sink) {
    struct text out = {.arena = arena};
    const void **values = arena_array(arena, const void *, (size_t)model->weight_count);
    for (int i = 0; i < model->weight_count; i++)
        values[i] = arena_array(arena, double, (size_t)shape_inner_size(&model->weights[i].node->type.shape));
    struct emit_options options = {.file_name = "fuzz.c", .weights = values};
    emit_c(model, &options, sink, &out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    jmp_buf out_of_memory;
    struct arena arena = {.out_of_memory = &out_of_memory};
    if (setjmp(out_of_memory) == 0) {
        struct diagnostics sink = {.arena = &arena};
        struct text shown = {.arena = &arena};
        const struct source source = {"fuzz.nn", arena_copy(&arena, (const char *)bytes, size), size};
        struct model *model = model_from_text(&source, &arena, &sink);
        if (model && model_size(model) < ELEMENTS_WORTH_PLANNING)
            emit(model, &arena, &sink);
        diagnostics_print(&sink, &shown);
        diagnostics_print_json(&sink, &shown);
    }
    arena_free(&arena);
    return 0;
}
