/* nnc: from a .nn file to one C file; or to what any stage on the way made of it. */
#include "classes.h"
#include "data/atomic_file.h"
#include "emit/emit.h"
#include "model/model.h"
#include "plan/plan.h"
#include "run.h"
#include "sources.h"
#include "support/diagnostic.h"
#include "support/failure.h"
#include "tree/tree.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: nnc MODEL.nn [-o FILE.c] [options]\n"
    "\n"
    "Turns a model into one C99 file that depends on nothing: a program that trains the\n"
    "model, and with -DNN_NO_MAIN a library.\n"
    "\n"
    "  -o FILE            write to FILE (default: standard output)\n"
    "  --load FILE        begin with the weights of a safetensors file; a library, without main\n"
    "  --header           write the interface alone, as a header\n"
    "  -D NAME=VALUE      give a param of the file another value\n"
    "  --emit=STAGE       write what a stage made instead: tree, graph, plan, dot or c\n"
    "  --json             errors and warnings as JSON, on standard error\n"
    "  --version          the version\n"
    "  --help             this text\n"
    "\n"
    "Exit status: 0 done, 1 the model or its data is wrong, 2 wrong usage, 3 the machine failed.\n"
    "\n"
    "  nnc models/twolayer.nn -o twolayer.c && cc -O2 twolayer.c -lm -o twolayer && ./twolayer\n";

enum stage { STAGE_C, STAGE_TREE, STAGE_GRAPH, STAGE_PLAN, STAGE_DOT };

struct options {
    const char *model, *output, *load;
    enum stage stage;
    bool header, json;
    struct definition *definitions;
    int definition_count;
};

static int usage(const char *format, const char *what) {
    fprintf(stderr, "nnc: ");
    fprintf(stderr, format, what);
    fprintf(stderr, "\nTry 'nnc --help'.\n");
    return FAILURE_USAGE;
}

static int read_stage(const char *name, struct options *options) {
    static const char *const names[] = {"c", "tree", "graph", "plan", "dot"};
    for (int i = 0; i < 5; i++)
        if (strcmp(name, names[i]) == 0) {
            options->stage = (enum stage)i;
            return -1;
        }
    return usage("unknown stage '%s'; there are tree, graph, plan, dot and c", name);
}

static int read_definition(struct arena *arena, char *text, struct options *options) {
    char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return usage("-D %s: expected NAME=VALUE", text);
    struct definition *grown = arena_grow(arena, options->definitions, (size_t)options->definition_count,
                                          (size_t)options->definition_count + 1, sizeof *grown);
    options->definitions = grown;
    grown[options->definition_count++] =
        (struct definition){.name = arena_copy(arena, text, (size_t)(equals - text)), .value = equals + 1};
    return -1;
}

/* Returns an exit code, or -1 to go on. */
static int read_options(struct arena *arena, int count, char **arguments, struct options *options) {
    for (int i = 1; i < count; i++) {
        char *a = arguments[i];
        int code = -1;
        if (strcmp(a, "--help") == 0 || strcmp(a, "-h") == 0) {
            fputs(help, stdout);
            return fflush(stdout) ? FAILURE_MACHINE : 0;
        } else if (strcmp(a, "--version") == 0) {
            puts("nnc " NN_VERSION);
            return fflush(stdout) ? FAILURE_MACHINE : 0;
        } else if (strcmp(a, "-o") == 0 || strcmp(a, "-D") == 0 || strcmp(a, "--load") == 0) {
            if (++i == count)
                return usage("%s needs a value", a);
            if (a[1] == 'o')
                options->output = arguments[i];
            else if (a[1] == '-')
                options->load = arguments[i];
            else
                code = read_definition(arena, arguments[i], options);
        } else if (strncmp(a, "-D", 2) == 0)
            code = read_definition(arena, a + 2, options);
        else if (strncmp(a, "--emit=", 7) == 0)
            code = read_stage(a + 7, options);
        else if (strcmp(a, "--header") == 0)
            options->header = true;
        else if (strcmp(a, "--json") == 0)
            options->json = true;
        else if (a[0] == '-' && a[1])
            return usage("unknown option '%s'", a);
        else if (options->model)
            return usage("a second model '%s': one at a time", a);
        else
            options->model = a;
        if (code >= 0)
            return code;
    }
    if (options->load && options->stage != STAGE_C)
        return usage("%s", "--load: the weights stand in the C file alone");
    return options->model ? -1 : usage("%s", "which model?  nnc MODEL.nn -o FILE.c");
}

static void print_diagnostics(const struct options *options, const struct diagnostics *sink,
                              struct arena *arena) {
    struct text text = {.arena = arena};
    if (options->json)
        diagnostics_print_json(sink, &text);
    else
        diagnostics_print(sink, &text);
    fputs(text_string(&text), stderr);
}

static int write_out(const struct options *options, const struct text *text, struct failure *failure) {
    if (options->output) {
        if (atomic_file_write(options->output, text_string(text), text->length, failure))
            return 0;
        fprintf(stderr, "nnc: %s\n", failure->message);
        return (int)failure->kind;
    }
    fwrite(text_string(text), 1, text->length, stdout);
    if (fflush(stdout) || ferror(stdout)) {
        perror("nnc: standard output");
        return FAILURE_MACHINE;
    }
    return 0;
}

/* The plan of a training step, or where there is none of a prediction. */
static void print_plan(const struct model *model, struct arena *arena, struct text *out) {
    int count = 0;
    struct node **roots =
        arena_array(arena, struct node *, (size_t)(model->update_count + model->output_count) + 1);
    if (model->update_count) {
        roots[count++] = model->loss.node;
        for (int i = 0; i < model->update_count; i++)
            roots[count++] = model->updates[i];
    } else
        for (int i = 0; i < model->output_count; i++)
            roots[count++] = model->outputs[i].node;
    plan_print(plan_make(&model->graph, roots, count, arena), out);
}

/* The rows of csv data, to be written into the C file. */
static bool read_rows(struct run *run, const char *name, const struct emit_rows **result) {
    for (int i = 0; i < run->model->data_count; i++) {
        if (strcmp(run->model->data[i].name, name) != 0 || run->model->data[i].source == DATA_SPIRAL)
            continue;
        struct rows *rows = strcmp(name, "train") == 0 ? &run->train : &run->test;
        if (!sources_make(run, i, rows))
            return false;
        struct emit_rows *emitted = arena_new(run->arena, struct emit_rows);
        *emitted = (struct emit_rows){rows->count, (const void *const *)rows->columns};
        *result = emitted;
    }
    return true;
}

/* The names of classes: of all columns for the interface, of the only target for metrics that are tables. */
static void find_class_names(const struct run *run, struct emit_options *options) {
    struct emit_names *columns = arena_array(run->arena, struct emit_names, (size_t)run->model->column_count);
    for (int i = 0; i < run->model->column_count; i++) {
        const struct column *column = &run->model->columns[i];
        const struct table_labels *names = classes_names(run, i);
        int64_t classes = column->classes ? column->classes : shape_inner_size(&column->node->type.shape);
        if (names)
            columns[i] = (struct emit_names){(const char *const *)names->names, (int64_t)names->count};
        names = column->is_target ? classes_of_target(run, classes) : NULL;
        if (!names || (int64_t)names->count != classes)
            continue;
        options->class_names = (const char *const *)names->names;
        options->class_count = classes;
    }
    options->columns = columns;
}

/* Some weight starts from a file, whose numbers go into the C file. */
static bool reads_weights(const struct model *model) {
    for (int i = 0; i < model->weight_count; i++)
        if (model->weights[i].file)
            return true;
    return false;
}

/* What the weights, and all that the solver keeps, begin as. */
static bool load_weights(struct run *run, const char *path, struct emit_options *emitted) {
    if (!weights_start(run, true) || !weights_load(run, path))
        return false;
    if (run->model->update_count)
        weights_warn_afresh(run, path);
    emitted->loaded = true;
    emitted->updates = run->weights.progress.updates;
    return true;
}

static bool emit(const struct model *model, const struct options *options, struct diagnostics *sink,
                 struct text *out, struct failure *failure) {
    const char *file = options->output ? options->output : "(standard output)";
    const char *slash = strrchr(file, '/');
    struct emit_options emit_options = {.file_name = slash ? slash + 1 : file, .header = options->header};
    struct run run = {.arena = out->arena,
                      .model = model,
                      .kernels = kernels_choose(false),
                      .sink = sink,
                      .failure = failure,
                      .seed = model->training.seed};
    if (!run_spares_inputs(&run, options->output) ||
        !run_spares_file(&run, options->output, options->load, "where the weights are"))
        return false;
    if (options->load && !weights_open(&run, options->load)) /* with the classes' names, which data has */
        return false;
    if (!read_rows(&run, "train", &emit_options.train_rows) ||
        !read_rows(&run, "test", &emit_options.test_rows))
        return false;
    if (options->load && !load_weights(&run, options->load, &emit_options))
        return false;
    if (!options->load && !options->header && reads_weights(model) && !weights_start(&run, false))
        return false;
    find_class_names(&run, &emit_options);
    emit_options.weights = (const void *const *)run.weights.values;
    emit_c(model, &emit_options, sink, out);
    return true;
}

/* The syntax alone: names need not be known, nor used files be there. */
static void read_tree(const struct options *options, struct diagnostics *sink, struct text *out,
                      struct failure *failure) {
    struct arena *arena = out->arena;
    unsigned char *bytes;
    size_t size;
    if (!atomic_file_read(arena, options->model, &bytes, &size, failure))
        return;
    struct source *source = arena_new(arena, struct source);
    *source = (struct source){.name = options->model, .text = (const char *)bytes, .length = size};
    const struct statement *tree = tree_parse(source, arena, sink);
    if (sink->error_count == 0)
        tree_print(tree, out);
}

static int compile(const struct options *options, struct arena *arena) {
    struct diagnostics sink = {.arena = arena};
    struct failure failure = {0};
    struct text out = {.arena = arena};
    if (options->stage == STAGE_TREE)
        read_tree(options, &sink, &out, &failure);
    else {
        struct model *model = model_read(options->model, options->definitions, options->definition_count,
                                         false, arena, &sink, &failure);
        if (model && options->stage == STAGE_GRAPH)
            graph_print(&model->graph, &out);
        else if (model && options->stage == STAGE_DOT)
            graph_print_dot(&model->graph, &out);
        else if (model && options->stage == STAGE_PLAN)
            print_plan(model, arena, &out);
        else if (model)
            emit(model, options, &sink, &out, &failure);
    }
    bool shown = options->json || failure.span.source;
    if (failure.kind != FAILURE_NONE && shown)
        diagnostic_error(&sink, failure.span, "%s", failure.message);
    print_diagnostics(options, &sink, arena);
    if (failure.kind != FAILURE_NONE && !shown)
        fprintf(stderr, "nnc: %s\n", failure.message);
    if (failure.kind != FAILURE_NONE)
        return (int)failure.kind;
    return sink.error_count ? FAILURE_DATA : write_out(options, &out, &failure);
}

int main(int count, char **arguments) {
    jmp_buf out_of_memory;
    struct arena arena = {.out_of_memory = &out_of_memory};
    struct options options = {0};
    if (setjmp(out_of_memory)) {
        fprintf(stderr, "nnc: out of memory\n");
        arena_free(&arena);
        return FAILURE_MACHINE;
    }
    signal(SIGXFSZ, SIG_IGN); /* a file that reaches a limit is one that cannot be written */
    int code = read_options(&arena, count, arguments, &options);
    if (code < 0)
        code = compile(&options, &arena);
    arena_free(&arena);
    return code;
}
