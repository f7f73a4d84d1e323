/* What `nnrun --jit` adds to a library that it loads: functions of the same names and parameters for every
 * model, over a state whose size only this file knows.  runtime/compiled.c calls them.
 */
#include "emit/printer.h"

static void print_column_arguments(const struct printer *printer, bool targets, struct text *out) {
    for (int i = 0; i < printer->model->column_count; i++)
        if (targets || !printer->model->columns[i].is_target)
            text_print(out, ", columns[%d]", i);
}

/* The start of a function: the state, the number of updates done that its step counts from, the seed of
 * noise. */
static void print_head(const struct printer *printer, const char *signature, const char *more,
                       struct text *out) {
    text_print(
        out, "\n%s(void *state, uint64_t updates, uint64_t seed, size_t n, const void *const *columns%s) {\n",
        signature, more);
    text_print(out, "    %s *const s = state;\n    s->updates = updates;\n    (void)columns;\n",
               printer->prefix);
    text_print(out, "    %s;\n", printer->noise ? "s->seed = seed" : "(void)seed");
}

void print_loadable(struct printer *printer, bool train, bool evaluate, int64_t most_rows, struct text *out) {
    const struct model *model = printer->model;
    const char *p = printer->prefix;
    text_print(
        out, "\n/* ---- for nnrun ---- */\n\nsize_t nn_loaded_size(void) {\n    return sizeof(%s);\n}\n", p);
    text_print(out,
               "\n/* That a batch may have; 0: any number. */\nsize_t nn_loaded_rows(void) {\n"
               "    return %lld;\n}\n",
               (long long)most_rows);
    text_print(out,
               "\n/* Does it draw random numbers, by the number of a row? */\nint nn_loaded_noise(void) {\n  "
               "  return %d;\n}\n",
               printer->noise);
    text_print(out, "\nvoid nn_loaded_weights(void *state, void **weights) {\n    %s *const s = state;\n", p);
    for (int i = 0; i < model->weight_count; i++)
        text_print(out, "    weights[%d] = s->%s;\n", i, printer->weight_names[i]);
    text_print(out, "    (void)s;\n    (void)weights;\n}\n");
    if (train) {
        print_head(printer, "double nn_loaded_train", "", out);
        text_print(out, "    return %s_train(s, n", p);
        print_column_arguments(printer, true, out);
        text_print(out, ");\n}\n");
    }
    if (evaluate) {
        print_head(printer, "double nn_loaded_evaluate", ", double *metrics", out);
        text_print(out, "    return %s_evaluate(s, n", p);
        print_column_arguments(printer, true, out);
        text_print(out, ", metrics);\n}\n");
    }
    if (model->output_count) {
        print_head(printer, "void nn_loaded_predict", ", void *const *outputs", out);
        text_print(out, "    %s_predict(s, n", p);
        print_column_arguments(printer, false, out);
        for (int i = 0; i < model->output_count; i++)
            text_print(out, ", outputs[%d]", i);
        text_print(out, ");\n}\n");
    }
    text_print(out, "\n#ifdef _OPENMP\n#include <omp.h>\nvoid nn_loaded_threads(int threads) {\n"
                    "    omp_set_num_threads(threads);\n}\n#endif\n");
}
