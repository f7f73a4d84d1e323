/* nnrun: trains a model and answers with it. */
#define _POSIX_C_SOURCE 200809L
#include "classes.h"
#include "compiled.h"
#include "evaluate.h"
#include "gradients.h"
#include "kernels/random.h"
#include "options.h"
#include "picture.h"
#include "predict.h"
#include "report.h"
#include "run.h"
#include "sample.h"
#include "sources.h"
#include "threads.h"
#include "train.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- messages ---- */

/* What is in the sink goes to standard error, and the sink is empty again. */
static void print_diagnostics(const struct options *options, struct diagnostics *sink) {
    struct text text = {.arena = sink->arena};
    if (!sink->first)
        return;
    if (options->json)
        diagnostics_print_json(sink, &text);
    else
        diagnostics_print(sink, &text);
    fflush(stdout); /* results stand before what is said of them, where both go into one file */
    fputs(text_string(&text), stderr);
    *sink = (struct diagnostics){.arena = sink->arena};
}

/* Before the work begins; as JSON all is one array, at the end. */
static void print_early(const struct options *options, struct diagnostics *sink) {
    if (!options->json)
        print_diagnostics(options, sink);
}

/* Everything that went wrong, and the exit code for it: `code` if nothing did. */
static int finish(const struct options *options, struct diagnostics *sink, const struct failure *failure,
                  int code) {
    if (sink->error_count && code == FAILURE_NONE)
        code = FAILURE_DATA;
    bool shown = options->json || failure->span.source;
    if (failure->kind != FAILURE_NONE && shown)
        diagnostic_error(sink, failure->span, "%s", failure->message);
    print_diagnostics(options, sink);
    if (failure->kind != FAILURE_NONE && !shown)
        fprintf(stderr, "nnrun: %s\n", failure->message);
    if (failure->kind == FAILURE_USAGE && !options->json)
        fputs("Try 'nnrun --help'.\n", stderr);
    return failure->kind != FAILURE_NONE ? (int)failure->kind : code;
}

/* Standard output may have failed at any time before. */
static int close_output(int code) {
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    if (errno != EPIPE)
        fprintf(stderr, "nnrun: cannot write to standard output%s%s\n", errno ? ": " : "",
                errno ? strerror(errno) : "");
    return FAILURE_MACHINE;
}

static void print_text(const struct text *text) {
    fwrite(text_string(text), 1, text->length, stdout);
}

/* ---- before anything runs: what the model lacks for what is asked ---- */

static bool refuse(const struct run *run, const char *action, const char *lack) {
    return failure_set(run->failure, FAILURE_DATA, "%s: %s has no %s", action, run->model->path, lack);
}

/* A file that cannot be written is better known before a long training than after it. */
static bool check_writable(const struct run *run, const char *path) {
    const char *slash = path ? strrchr(path, '/') : NULL;
    const char *directory = !slash          ? "."
                            : slash == path ? "/"
                                            : arena_copy(run->arena, path, (size_t)(slash - path));
    struct stat status;
    if (path && stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return failure_set(run->failure, FAILURE_MACHINE, "cannot write '%s': it is a directory", path);
    if (!path || access(directory, W_OK) == 0 || access(path, W_OK) == 0)
        return true;
    return failure_set(run->failure, FAILURE_MACHINE, "cannot write '%s': %s", path, strerror(errno));
}

/* Nor are rows to be answered missed only after it. */
static bool check_readable(const struct run *run, const char *path) {
    return !path || strcmp(path, "-") == 0 || access(path, R_OK) == 0 ||
           failure_set(run->failure, FAILURE_DATA, "%s: cannot be read: %s", path, strerror(errno));
}

static bool check_possible(struct run *run, const struct options *options, const char *save) {
    const struct model *model = run->model;
    if (options->train && !model->training.present)
        return refuse(run, "--train", "train { ... }, such as: train { solver = adam(rate = 0.01) }");
    if (options->train && !model_data(model, "train"))
        return refuse(run, "--train", "data named 'train', such as: data train = csv(\"rows.csv\")");
    if (options->evaluate && !model_data(model, "train") && !model_data(model, "test"))
        return refuse(run, "--evaluate", "data, such as: data test = csv(\"rows.csv\")");
    if (options->evaluate && !model->loss.node && !model->metric_count)
        return refuse(run, "--evaluate",
                      "loss and no metric, such as: loss entropy = cross_entropy(score, t)");
    if (options->check_gradients && !model->loss.node)
        return refuse(run, "--check-gradients", "loss, such as: loss entropy = cross_entropy(score, t)");
    if (options->check_gradients && !model->weight_count)
        return refuse(run, "--check-gradients", "weights");
    if (options->predict && !model->output_count)
        return refuse(run, "--predict", "output, such as: output share = softmax(score)");
    if (options->sample && !model->output_count)
        return refuse(run, "--sample", "output");
    if (options->save && !model->weight_count)
        return refuse(run, "--save", "weights");
    if (options->plot && !options->train && !picture_fits(run))
        return picture_refuse(run);
    for (int i = 0; i < options->trace_count; i++)
        if (!trace_find(run, &options->traces[i]))
            return false;
    return check_readable(run, options->predict) && check_writable(run, save) &&
           check_writable(run, options->plot) && run_spares_inputs(run, save) &&
           run_spares_inputs(run, options->plot) && run_spares_inputs(run, options->log);
}

/* ---- rows and weights ---- */

static bool make_rows(struct run *run, const struct options *options, const char *name, struct rows *rows) {
    bool train = strcmp(name, "train") == 0;
    bool needed = options->train || options->evaluate ||
                  ((options->explain || options->check_gradients) && train) || (options->plot && train) ||
                  (options->plot && !run->train.count);
    for (int i = 0; i < run->model->data_count; i++) {
        const struct data *data = &run->model->data[i];
        bool drawn = train && run->numpy && data->source == DATA_SPIRAL; /* the weights' numbers come after */
        if (strcmp(data->name, name) == 0 && (needed || drawn))
            return sources_make(run, i, rows);
    }
    return true;
}

/* A prediction is headed by the names of classes, which without other need of the data are looked up there.
 */
static void look_up_classes(struct run *run, const struct options *options) {
    for (int i = 0; i < run->model->data_count; i++)
        if (options->predict && !options->load && !run->train.count &&
            strcmp(run->model->data[i].name, "train") == 0)
            sources_count(run, i);
}

static bool has_untrained(const struct run *run) {
    for (int i = 0; i < run->model->weight_count; i++)
        if (!run->model->weights[i].is_state && !run->model->weights[i].file)
            return !run->weights.loaded;
    return false;
}

static bool prepare(struct run *run, const struct options *options) {
    if (run->model->training.generator == GENERATOR_NUMPY) {
        run->numpy = arena_new(run->arena, struct nn_numpy);
        nn_numpy_seed(run->numpy, (uint32_t)run->seed);
    }
    if (options->load && !weights_open(run, options->load)) /* its class names number the data's */
        return false;
    if (!make_rows(run, options, "train", &run->train) || !make_rows(run, options, "test", &run->test))
        return false;
    look_up_classes(run, options);
    if (options->jit && !options->check_gradients)
        compiled_make(run, options->threads ? options->threads : threads_available());
    if (!weights_start(run, options->load != NULL) || (options->load && !weights_load(run, options->load)))
        return false;
    if ((options->predict || options->evaluate || options->sample || options->save) && !options->train &&
        has_untrained(run))
        diagnostic_warning(run->sink, (struct span){0},
                           "the weights of %s are untrained: add --train, or --load FILE", run->model->path);
    const struct training *training = &run->model->training;
    if (options->train && training->batch > run->train.count)
        diagnostic_warning(run->sink, training->batch_span,
                           "batch is %lld, and data train has %lld row%s: an update takes all of them",
                           (long long)training->batch, (long long)run->train.count,
                           run->train.count == 1 ? "" : "s");
    if (options->train)
        classes_warn_absent(run);
    if (options->train)
        weights_warn_afresh(run, options->load);
    print_early(options, run->sink);
    return true;
}

/* ---- actions ---- */

static void say_interrupted(const struct run *run, const struct options *options, const char *save) {
    const struct progress *progress = &run->weights.progress;
    struct text text = {.arena = run->arena};
    text_print(&text, "interrupted after update %lld (epoch %lld of %lld); ", (long long)progress->updates,
               (long long)progress->epochs + (progress->epoch_updates > 0), (long long)progress->goal);
    if (save)
        text_print(&text, "go on with --load %s --train --save %s%s", save, save,
                   options->definition_count ? ", and the same -D" : "");
    else
        text_print(&text, "nothing was kept: there was no --save");
    if (options->json)
        diagnostic_warning(run->sink, (struct span){0}, "%s", text_string(&text));
    else
        fprintf(stderr, "nnrun: %s\n", text_string(&text));
}

/* With --predict, standard output is for its rows alone. */
static FILE *results_file(const struct options *options) {
    return options->predict ? stderr : stdout;
}

/* Returns an exit code. */
static int train(struct run *run, const struct options *options, const char *save,
                 struct train_outcome *outcome) {
    struct train_settings settings = {.out = results_file(options),
                                      .traces = options->traces,
                                      .trace_count = options->trace_count,
                                      .log = options->log,
                                      .keep_losses = options->plot != NULL};
    if (!train_run(run, &settings, outcome))
        return FAILURE_DATA;
    if (save && !weights_save(run, save))
        return FAILURE_MACHINE;
    if (!outcome->signal)
        return FAILURE_NONE;
    say_interrupted(run, options, save);
    return 128 + outcome->signal;
}

/* What follows the weights: their measures, answers and picture. */
static int use_weights(struct run *run, const struct options *options, const struct train_outcome *outcome) {
    struct evaluator *evaluator = evaluator_new(run);
    int code = FAILURE_NONE;
    if (options->train || options->evaluate) {
        evaluate_print(evaluator, results_file(options));
        if (!evaluate_expectation(evaluator))
            code = FAILURE_DATA;
    }
    if (options->predict && !predict_file(run, options->predict, stdout))
        return FAILURE_DATA;
    if (options->sample && !sample_print(run, options->prompt, options->sample, stdout))
        return FAILURE_DATA;
    if (options->plot && !picture_write(run, outcome, options->plot))
        return FAILURE_MACHINE;
    return code;
}

static int act(struct run *run, struct graph *graph, const struct options *options) {
    struct train_outcome outcome = {0};
    const char *checkpoint = run->model->training.checkpoint;
    const char *save = options->save ? options->save : checkpoint ? run_path(run, checkpoint) : NULL;
    bool silent = !options->train && !options->evaluate && !options->predict && !options->sample &&
                  !options->plot && !options->save;
    struct text text = {.arena = run->arena};
    int code = FAILURE_NONE;
    if (silent && !options->explain && !options->check_gradients) {
        if (options->load && !prepare(run, options))
            return FAILURE_DATA;
        report_summary(run, &text);
        print_text(&text);
        return code;
    }
    if (!check_possible(run, options, options->train || options->save ? save : NULL) ||
        !prepare(run, options))
        return FAILURE_DATA;
    if (options->check_gradients)
        return gradients_check(run, graph, stdout) ? FAILURE_NONE : FAILURE_DATA;
    if (options->explain)
        report_explanation(run, &text);
    print_text(&text);
    if (options->train)
        code = train(run, options, save, &outcome);
    else if (options->save && !weights_save(run, options->save))
        code = FAILURE_MACHINE;
    return code ? code : use_weights(run, options, &outcome);
}

/* ---- the program ---- */

static int run_model(const struct options *options, struct arena *arena, struct failure *failure) {
    struct diagnostics sink = {.arena = arena};
    struct run run = {.arena = arena,
                      .sink = &sink,
                      .failure = failure,
                      .kernels = kernels_choose(options->fused),
                      .threads = threads_new(options->threads ? options->threads : threads_available()),
                      .quiet = options->quiet || options->json};
    struct model *model = NULL;
    if (!run.kernels)
        failure_set(failure, FAILURE_MACHINE, "--fma: this processor has no fused multiply-add");
    else
        model = model_read(options->model, options->definitions, options->definition_count,
                           options->check_gradients, arena, &sink, failure);
    run.model = model;
    if (!model) {
        threads_stop(run.threads);
        return finish(options, &sink, failure, FAILURE_DATA);
    }
    print_early(options, &sink);
    run.seed = options->seed_given ? options->seed : run.model->training.seed;
    int code = act(&run, &model->graph, options);
    threads_stop(run.threads);
    return finish(options, &sink, failure, code);
}

static int run_program(int count, char **arguments, struct arena *arena) {
    struct options options;
    struct failure failure = {0};
    struct diagnostics sink = {.arena = arena};
    struct text text = {.arena = arena};
    if (!options_parse(count, arguments, arena, &options, &failure))
        return finish(&options, &sink, &failure, FAILURE_USAGE);
    if (!options.help && !options.version)
        return close_output(run_model(&options, arena, &failure));
    if (options.version)
        report_version(&text);
    print_text(&text);
    if (options.help)
        fputs(options_help, stdout);
    return close_output(FAILURE_NONE);
}

int main(int count, char **arguments) {
    jmp_buf out_of_memory;
    struct arena arena = {.out_of_memory = &out_of_memory};
    if (setjmp(out_of_memory)) {
        fputs("nnrun: out of memory\n", stderr);
        return FAILURE_MACHINE; /* the system takes the memory back */
    }
    signal(SIGXFSZ, SIG_IGN); /* a file that reaches a limit is one that cannot be written */
    int code = run_program(count, arguments, &arena);
    arena_free(&arena);
    return code;
}
