#include "report.h"
#include "classes.h"
#include "plan/plan.h"
#include "sources.h"
#include "threads.h"
#include "train.h"

#include <math.h>
#include <string.h>

#ifndef NN_VERSION
#define NN_VERSION "unknown"
#endif

/* ---- summary ---- */

enum { NAMES_SHOWN = 12 };

/* "           0 setosa, 1 versicolor" */
static void print_classes(const struct run *run, int index, struct text *out) {
    const struct table_labels *names = classes_names(run, index);
    if (!names)
        return;
    text_print(out, "  %-8s ", "");
    for (size_t i = 0; i < names->count && i < NAMES_SHOWN; i++)
        text_print(out, "%s%zu %s", i ? ", " : "", i, names->names[i]);
    if (names->count > NAMES_SHOWN)
        text_print(out, ", and %zu more", names->count - NAMES_SHOWN);
    text_print(out, " (%s)\n", run->classes_from);
}

static void print_columns(const struct run *run, bool targets, struct text *out) {
    for (int i = 0; i < run->model->column_count; i++) {
        const struct column *column = &run->model->columns[i];
        if (column->is_target != targets)
            continue;
        const struct type *type = &column->node->type;
        const char *batch = run->model->graph.batch_name;
        text_print(out, "  %-8s %s : ", targets ? "target" : "input", column->name);
        if (column->classes)
            text_print(out, "class%s of %lld\n", shape_text(run->arena, &type->shape, batch),
                       (long long)column->classes);
        else
            text_print(out, "%s\n", type_text(run->arena, type, batch));
        print_classes(run, i, out);
    }
}

static void print_result(const struct run *run, const char *kind, const struct result *result,
                         struct text *out) {
    text_print(out, "  %-8s %s : %s\n", kind, result->name,
               type_text(run->arena, &result->node->type, run->model->graph.batch_name));
}

static void print_weights(const struct run *run, struct text *out) {
    int64_t numbers = 0, states = 0;
    for (int i = 0; i < run->model->weight_count; i++) {
        const struct weight *weight = &run->model->weights[i];
        int64_t count = shape_inner_size(&weight->node->type.shape);
        if (!weight->is_running)
            *(weight->is_state ? &states : &numbers) += count;
        if (!weight->is_state)
            text_print(out, "  %-8s %s : %s%s%s\n", "weight", weight->name,
                       type_text(run->arena, &weight->node->type, NULL), weight->file ? " from " : "",
                       weight->file ? weight->file : "");
    }
    if (numbers)
        text_print(out, "  %lld number%s to learn", (long long)numbers, numbers == 1 ? "" : "s");
    if (states)
        text_print(out, ", and %lld of the solver's", (long long)states);
    text_print(out, "%s", numbers || states ? "\n" : "");
}

static void print_data(struct run *run, int index, struct text *out) {
    const struct data *data = &run->model->data[index];
    const char *shuffled = data->shuffle ? ", shuffled" : "";
    int64_t rows = sources_count(run, index);
    if (rows)
        text_print(out, "  %-8s %s : %lld row%s of %s%s\n", "data", data->name, (long long)rows,
                   rows == 1 ? "" : "s", data->files[0], shuffled);
    else if (data->file_count)
        text_print(out, "  %-8s %s : rows of %s%s\n", "data", data->name, data->files[0], shuffled);
    else
        text_print(out, "  %-8s %s : a spiral of %lld rows, %lld for each of %lld classes\n", "data",
                   data->name, (long long)(data->classes * data->points), (long long)data->points,
                   (long long)data->classes);
}

static void print_next_steps(const struct run *run, struct text *out) {
    const struct model *model = run->model;
    bool trains = model->training.present && model_data(model, "train");
    text_print(out, "\nNext:\n");
    if (trains)
        text_print(out, "  nnrun %s --train --save %s.safetensors\n", model->path, model->name);
    if (model->output_count)
        text_print(out, "  nnrun %s%s%s%s --predict\n", model->path, trains ? " --load " : "",
                   trains ? model->name : "", trains ? ".safetensors" : "");
    text_print(out, "  nnrun %s --explain\n", model->path);
}

void report_summary(struct run *run, struct text *out) {
    const struct model *model = run->model;
    const struct training *training = &model->training;
    text_print(out, "%s (%s)\n", model->name, model->path);
    for (int i = 0; i < model->parameter_count; i++)
        text_print(out, "  %-8s %s = %s%s\n", "param", model->parameters[i].name, model->parameters[i].text,
                   model->parameters[i].overridden ? " (-D)" : "");
    for (int i = 0; i < model->data_count; i++)
        print_data(run, i, out);
    print_columns(run, false, out);
    print_columns(run, true, out);
    print_weights(run, out);
    for (int i = 0; i < model->output_count; i++)
        print_result(run, "output", &model->outputs[i], out);
    if (model->loss.node)
        print_result(run, "loss", &model->loss, out);
    for (int i = 0; i < model->metric_count; i++)
        print_result(run, "metric", &model->metrics[i], out);
    if (training->present)
        text_print(out, "  %-8s %s, %lld epochs, seed %llu\n", "train", training->solver_text,
                   (long long)training->epochs, (unsigned long long)run->seed);
    if (run->weights.loaded)
        text_print(out, "  %-8s %lld updates in %lld epochs\n", "loaded",
                   (long long)run->weights.progress.updates, (long long)run->weights.progress.epochs);
    print_next_steps(run, out);
}

/* ---- explanation ---- */

/* "12.3 KiB" */
static const char *bytes_text(const struct run *run, double bytes) {
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    int unit = 0;
    for (; bytes >= 1024 && unit < 4; unit++)
        bytes /= 1024;
    return text_format(run->arena, unit ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
}

static void print_memory(const struct run *run, const struct plan *plan, int64_t rows, struct text *out) {
    double tile = 0, kept = 0, once = 0;
    for (int e = 0; e < 3; e++) {
        double size = (double)element_size((enum element)e);
        tile += size * (double)plan->tile_planes[e] * plan->tile;
        kept += size * (double)plan->kept_planes[e] * ceil((double)rows / plan->tile) * plan->tile;
        once += size * (double)plan->once_size[e];
    }
    text_print(out, "memory: %s for a tile of %d rows, ", bytes_text(run, tile), plan->tile);
    text_print(out, "%s for all rows, ", bytes_text(run, kept));
    text_print(out, "%s without rows\n", bytes_text(run, once));
}

static void print_plan(const struct run *run, const char *title, struct node *const *roots, int count,
                       int64_t rows, struct text *out) {
    const struct plan *plan = plan_make(&run->model->graph, roots, count, run->arena);
    text_print(out, "\n%s\n", title);
    print_memory(run, plan, rows, out);
    plan_explain(plan, out);
}

static void print_training(const struct run *run, struct text *out) {
    const struct training *training = &run->model->training;
    int64_t updates = train_updates(run), batch = train_batch(run),
            short_rows = updates * batch - run->train.count;
    text_print(out, "rows for training: %lld%s\n", (long long)run->train.count,
               run->test.count ? text_format(run->arena, ", and %lld for testing", (long long)run->test.count)
                               : "");
    text_print(out, "batch: %lld rows%s; %lld update%s an epoch, %lld epochs, %lld updates\n",
               (long long)batch, training->batch == 0 ? " (all)" : "", (long long)updates,
               updates == 1 ? "" : "s", (long long)training->epochs, (long long)(training->epochs * updates));
    if (short_rows > 0)
        text_print(out, "the last batch of an epoch has %lld rows\n", (long long)(batch - short_rows));
    text_print(out, "order: %s\n",
               !training->shuffle          ? "as the data comes"
               : batch == run->train.count ? "as the data comes: a batch is all of it"
                                           : "shuffled, anew for each epoch");
    text_print(out, "solver: %s\n", training->solver_text);
    if (isfinite(training->rate))
        text_print(out,
                   "rate: %s in effect: the loss is what it says, and nothing else divides by the batch\n",
                   text_number(run->arena, training->rate, false));
    if (training->stop_measure)
        text_print(out, "stop: after %lld epoch%s without a %s %s on the rows for %s\n",
                   (long long)training->stop_epochs, training->stop_epochs == 1 ? "" : "s",
                   training->stop_highest ? "higher" : "lower", training->stop_measure,
                   model_data(run->model, "test") ? "testing" : "training");
    text_print(out, "seed: %llu, %s\n", (unsigned long long)run->seed,
               run->numpy ? "NumPy's legacy stream (data, weights, shuffles)" : "counter-based");
}

void report_explanation(const struct run *run, struct text *out) {
    const struct model *model = run->model;
    struct node **roots =
        arena_array(run->arena, struct node *, (size_t)(model->update_count + model->output_count) + 1);
    text_print(out, "%s (%s)\n", model->name, model->path);
    if (model->training.present && run->train.count)
        print_training(run, out);
    text_print(out, "floating point: %s; kernels: %s\n",
               run->kernels->fused ? "products fused into sums" : "each operation rounded by itself",
               run->kernels->name);
    if (run->jit)
        text_print(out, "jit: %s\n", run->jit);
    if (model->update_count) {
        roots[0] = model->loss.node;
        memcpy(roots + 1, model->updates, (size_t)model->update_count * sizeof *roots);
        print_plan(run, "An update", roots, model->update_count + 1, train_batch(run), out);
    }
    for (int i = 0; i < model->output_count; i++)
        roots[i] = model->outputs[i].node;
    if (model->output_count)
        print_plan(run, "A prediction", roots, model->output_count, 1, out);
}

/* ---- version ---- */

void report_version(struct text *out) {
    const struct kernels *plain = kernels_choose(false), *fused = kernels_choose(true);
    text_print(out, "nnrun %s\n", NN_VERSION);
    text_print(out, "kernels: %s; with --fma: %s\n", plain->name,
               fused ? fused->name : "none for this processor");
    text_print(out,
               "floating point: each operation rounded by itself; with --fma products are fused into sums\n");
    text_print(out, "threads: %d\n", threads_available());
#ifdef HAVE_ZLIB
    text_print(out, "gzip: yes (zlib)\n");
#else
    text_print(out, "gzip: no (built without zlib)\n");
#endif
}
