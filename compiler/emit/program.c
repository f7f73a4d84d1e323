/* The part of the emitted file that makes it a program: data, training loop, and what it prints.  Standard
 * output is that of `nnrun --train`, byte for byte.  Also the kernels' text.
 */
#include "emit/printer.h"

#include <ctype.h>
#include <string.h>

enum { VALUES_MAX = 1 << 20 };

/* Streams of random numbers: weights count from 0; see docs/language.md. */
#define STREAM_DATA 0x40000000u
#define STREAM_SHUFFLE 0x80000000u

/* ---- kernels ---- */

/* The index of the section of that name, or kernel_text_count. */
static int section_of(const char *name, size_t length) {
    int index = 0;
    while (index < kernel_text_count && (strlen(kernel_texts[index].name) != length ||
                                         strncmp(kernel_texts[index].name, name, length) != 0))
        index++;
    return index;
}

/* Marks the section and, through its needs, all others. */
static void mark(bool *marked, const char *name, size_t length) {
    int index = section_of(name, length);
    if (index == kernel_text_count || marked[index])
        return;
    marked[index] = true;
    for (const char *p = kernel_texts[index].needs; *p;) {
        size_t word = strcspn(p, " ");
        mark(marked, p, word);
        p += word + strspn(p + word, " ");
    }
}

/* A section that is written for either type: `real` and LANES are filled in, and its names get an f for
 * float. */
static void print_typed(const char *text, enum element element, struct text *out) {
    for (const char *p = text; *p;) {
        size_t length = 1;
        if (isalpha((unsigned char)*p) || *p == '_')
            while (isalnum((unsigned char)p[length]) || p[length] == '_')
                length++;
        if (length == 4 && strncmp(p, "real", 4) == 0)
            text_print(out, "%s", real_name(element));
        else if (length == 5 && strncmp(p, "LANES", 5) == 0)
            text_print(out, "%d", lanes_of(element));
        else if (element == ELEMENT_F32 && length > 3 && strncmp(p, "nn_", 3) == 0)
            text_print(out, "%.*sf", (int)length, p);
        else
            text_bytes(out, p, length);
        p += length;
    }
}

static bool is_typed(const char *text) {
    const char *at = strstr(text, "real ");
    return at && (at == text || !isalnum((unsigned char)at[-1]));
}

/* Marks the float form of a section for either type and what it needs: a section of the name with an f, the
 * float form of another for either type, or one that has no types. */
static void mark_float(bool *marked, bool *floats, int index) {
    floats[index] = true;
    for (const char *p = kernel_texts[index].needs; *p;) {
        size_t word = strcspn(p, " ");
        char name[64] = "";
        memcpy(name, p, word < sizeof name - 2 ? word : 0);
        name[word < sizeof name - 2 ? word : 0] = 'f';
        int need = section_of(p, word);
        if (section_of(name, strlen(name)) < kernel_text_count)
            mark(marked, name, strlen(name));
        else if (need < kernel_text_count && is_typed(kernel_texts[need].text))
            mark_float(marked, floats, need);
        else
            mark(marked, p, word);
        p += word + strspn(p + word, " ");
    }
}

/* `marked[k]` for the double form (or only form) of section k, floats[k] for its float form. */
static void mark_used(struct printer *printer, bool *marked, bool *floats) {
    for (const char *p = text_string(&printer->kernels_used); *p;) {
        size_t length = strcspn(p, " ");
        int index = section_of(p, length);
        if (length && index < kernel_text_count)
            mark(marked, p, length);
        else if (length) { /* nn_matmul_rowsf: the float form of nn_matmul_rows */
            index = section_of(p, length - 1);
            if (index < kernel_text_count && is_typed(kernel_texts[index].text)) {
                mark(marked, "nn_fma", 6);
                mark_float(marked, floats, index);
            } else /* a section that holds both forms */
                mark(marked, p, length - 1);
        }
        p += length + strspn(p + length, " ");
    }
}

void print_kernels(struct printer *printer, struct text *out) {
    bool *marked = arena_array(printer->arena, bool, (size_t)kernel_text_count);
    bool *floats = arena_array(printer->arena, bool, (size_t)kernel_text_count);
    mark_used(printer, marked, floats);
    for (int i = 0; i < kernel_text_count; i++) {
        const char *text = kernel_texts[i].text,
                   *entry = text_format(printer->arena, "<%s>", kernel_texts[i].name);
        if (strstr(text_string(&printer->kernels_printed), entry))
            continue;
        if (marked[i] || floats[i])
            text_print(&printer->kernels_printed, "%s", entry);
        if (marked[i] && is_typed(text))
            print_typed(text, ELEMENT_F64, out);
        else if (marked[i])
            text_print(out, "%s", text);
        if (floats[i])
            print_typed(text, ELEMENT_F32, out);
    }
}

/* ---- data ---- */

/* Rows of a data statement: known when the file is emitted. */
static int64_t row_count(const struct printer *printer, const struct data *data) {
    const struct emit_rows *rows =
        strcmp(data->name, "train") == 0 ? printer->options->train_rows : printer->options->test_rows;
    return data->source == DATA_SPIRAL ? data->classes * data->points : rows ? rows->count : 0;
}

static void print_arrays(struct printer *printer, const struct data *data, int64_t count, struct text *out) {
    const struct model *model = printer->model;
    for (int i = 0; i < model->column_count; i++)
        text_print(out, "static %s %s_%s[%lld];\n", real_name(model->columns[i].node->type.element),
                   data->name, printer->column_names[i],
                   (long long)(count * shape_inner_size(&model->columns[i].node->type.shape)));
}

/* One row of a spiral, (x, y, class), spread over the columns. */
static void print_spiral_row(struct printer *printer, const struct data *data, struct text *out) {
    const struct model *model = printer->model;
    int64_t cell = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < model->column_count; i++) {
            const struct column *column = &model->columns[i];
            enum element element = column->node->type.element;
            long long inner = (long long)shape_inner_size(&column->node->type.shape);
            if (column->is_target != (pass == 1))
                continue;
            if (column->is_target && element != ELEMENT_INT && inner > 1) /* one-hot */
                text_print(out,
                           "        for (int c = 0; c < %lld; c++)\n            %s_%s[i * %lld + c] = "
                           "(%s)(cells[i * 3 + %lld] == c);\n",
                           inner, data->name, printer->column_names[i], inner, real_name(element),
                           (long long)cell++);
            else
                for (long long e = 0; e < inner; e++)
                    text_print(out, "        %s_%s[i * %lld + %lld] = (%s)cells[i * 3 + %lld];\n", data->name,
                               printer->column_names[i], inner, e, real_name(element), (long long)cell++);
        }
}

static void print_spiral(struct printer *printer, const struct data *data, int position, struct text *out) {
    const struct training *training = &printer->model->training;
    bool numpy = training->generator == GENERATOR_NUMPY;
    int64_t count = data->classes * data->points;
    const char *noise = number_text(printer, data->noise, ELEMENT_F64);
    use_kernel(printer, numpy ? "nn_numpy_spiral" : "nn_spiral", ELEMENT_F64);
    text_print(out, "static void make_%s(%s) {\n    static double cells[%lld];\n", data->name,
               numpy ? "struct nn_numpy *stream" : "uint64_t seed", (long long)(count * 3));
    if (numpy)
        text_print(out, "    nn_numpy_spiral(stream, %lld, %lld, %s, %d, cells);\n", (long long)data->classes,
                   (long long)data->points, noise, data->radius_random);
    else
        text_print(out, "    nn_spiral(seed, 0x%xu, %lld, %lld, %s, %d, cells);\n",
                   STREAM_DATA + (unsigned)position, (long long)data->classes, (long long)data->points, noise,
                   data->radius_random);
    text_print(out, "    for (int i = 0; i < %lld; i++) {\n", (long long)count);
    print_spiral_row(printer, data, out);
    text_print(out, "    }\n}\n\n");
}

/* Rows that were read when the file was emitted stand in it as constants. */
static void print_table(struct printer *printer, const struct data *data, const struct emit_rows *rows,
                        struct text *out) {
    const struct model *model = printer->model;
    for (int i = 0; i < model->column_count; i++) {
        enum element element = model->columns[i].node->type.element;
        int64_t count = rows->count * shape_inner_size(&model->columns[i].node->type.shape);
        text_print(out, "static const %s %s_%s[%lld] = {", real_name(element), data->name,
                   printer->column_names[i], (long long)count);
        for (int64_t e = 0; e < count; e++) {
            const void *column = rows->columns[i];
            const char *value =
                element == ELEMENT_INT   ? text_format(printer->arena, "%d", ((const int32_t *)column)[e])
                : element == ELEMENT_F64 ? number_text(printer, ((const double *)column)[e], element)
                                         : number_text(printer, (double)((const float *)column)[e], element);
            text_print(out, "%s%s", e % 8 ? ", " : e ? ",\n    " : "\n    ", value);
        }
        text_print(out, "};\n");
    }
    text_print(out, "\n");
}

/* The arrays of one data statement; false if they cannot be had. */
static bool print_data(struct printer *printer, const struct data *data, int position, struct text *out) {
    const struct emit_rows *rows =
        strcmp(data->name, "train") == 0 ? printer->options->train_rows : printer->options->test_rows;
    int64_t cells = 0, count = row_count(printer, data);
    for (int i = 0; i < printer->model->column_count; i++)
        cells += count * shape_inner_size(&printer->model->columns[i].node->type.shape);
    if (data->source != DATA_SPIRAL && (!rows || cells > VALUES_MAX)) {
        struct diagnostic *warning = diagnostic_warning(
            printer->sink, data->span,
            "data '%s' is too large to stand in the C file: it is emitted without main", data->name);
        diagnostic_note(printer->sink, warning, (struct span){0},
                        "up to %d numbers are written into it; call the library's functions instead",
                        (int)VALUES_MAX);
        return false;
    }
    if (data->source == DATA_SPIRAL) {
        print_arrays(printer, data, count, out);
        print_spiral(printer, data, position, out);
    } else
        print_table(printer, data, rows, out);
    return true;
}

/* ---- training ---- */

static void print_arguments(struct printer *printer, const char *what, const char *offset, struct text *out) {
    const struct model *model = printer->model;
    for (int i = 0; i < model->column_count; i++) {
        long long inner = (long long)shape_inner_size(&model->columns[i].node->type.shape);
        text_print(out, ", %s_%s", what, printer->column_names[i]);
        if (offset)
            text_print(out, " + %s * %lld", offset, inner);
    }
}

static void print_gather(struct printer *printer, struct text *out) {
    const struct model *model = printer->model;
    text_print(out, "            for (size_t i = 0; i < count; i++) {\n");
    for (int i = 0; i < model->column_count; i++) {
        long long inner = (long long)shape_inner_size(&model->columns[i].node->type.shape);
        if (inner == 1)
            text_print(out, "                batch_%s[i] = train_%s[order[from + i]];\n",
                       printer->column_names[i], printer->column_names[i]);
        else
            text_print(out,
                       "                for (size_t e = 0; e < %lld; e++)\n                    batch_%s[i * "
                       "%lld + e] = train_%s[order[from + i] * (size_t)%lld + e];\n",
                       inner, printer->column_names[i], inner, printer->column_names[i], inner);
    }
    text_print(out, "            }\n");
}

/* Which of what print_evaluation computes is watched. */
static const char *watched(struct printer *printer) {
    const struct model *model = printer->model;
    long long at = 0;
    for (int i = 0; i < model->metric_count; i++) {
        if (strcmp(model->metrics[i].name, model->training.stop_measure) == 0)
            return text_format(printer->arena, "metrics[%lld]", at);
        at += (long long)shape_inner_size(&model->metrics[i].node->type.shape);
    }
    return "loss";
}

/* Before the epochs, after each of them, and after the last: the best weights, as the runtime's watch.c keeps
 * them. `data` is what they are measured on. */
static void start_watch(struct printer *printer, struct text *out) {
    text_print(out, "    static %s best;\n    double watched, best_value = 0;\n    long best_epoch = 0;\n",
               printer->prefix);
}

static void print_watch(struct printer *printer, const char *data, int64_t rows, struct text *out) {
    const struct training *training = &printer->model->training;
    text_print(out, "        loss = %s_evaluate(&state, %lld", printer->prefix, (long long)rows);
    print_arguments(printer, data, NULL, out);
    text_print(out, ", metrics);\n        watched = %s;\n", watched(printer));
    text_print(
        out,
        "        if (best_epoch ? watched %s best_value : watched == watched) {\n"
        "            best = state;\n            best_value = watched;\n            best_epoch = epoch;\n"
        "        }\n        if (epoch - best_epoch >= %lld)\n            epochs = epoch;\n",
        training->stop_highest ? ">" : "<", (long long)training->stop_epochs);
}

static void end_watch(struct printer *printer, const char *data, struct text *out) {
    text_print(
        out, "    if (best_epoch) {\n        const uint64_t updates = state.updates;\n        state = best;\n"
             "        state.updates = updates;\n");
    text_print(out,
               "        printf(\"best   epoch %%ld of %%ld  %s %s %%.6g\\n\", best_epoch, epochs, "
               "best_value);\n    }\n",
               data, printer->model->training.stop_measure);
}

static void print_epochs(struct printer *printer, int64_t rows, int64_t batch, bool shuffled,
                         const char *watch_data, int64_t watch_rows, struct text *out) {
    const struct model *model = printer->model;
    const struct training *training = &model->training;
    bool numpy = training->generator == GENERATOR_NUMPY;
    int64_t report = training->report ? training->report : (training->epochs + 19) / 20;
    if (watch_data)
        start_watch(printer, out);
    text_print(out,
               "    %slong epochs = %lld;\n    for (long epoch = 1; epoch <= epochs; epoch++) {\n        "
               "double sum = 0;\n",
               watch_data ? "" : "const ", (long long)training->epochs);
    if (shuffled && numpy)
        text_print(out,
                   "        nn_numpy_permutation(&stream, %lld, drawn);\n"
                   "        for (size_t i = 0; i < %lld; i++)\n            moved[i] = order[drawn[i]];\n"
                   "        memcpy(order, moved, sizeof order);\n",
                   (long long)rows, (long long)rows);
    else if (shuffled)
        text_print(out, "        nn_permutation(seed, 0x%xu, (uint32_t)(epoch - 1), %lld, order);\n",
                   STREAM_SHUFFLE, (long long)rows);
    text_print(out, "        for (size_t from = 0; from < %lld; from += %lld) {\n", (long long)rows,
               (long long)batch);
    text_print(out, "            const size_t count = %lld - from < %lld ? %lld - from : %lld;\n",
               (long long)rows, (long long)batch, (long long)rows, (long long)batch);
    if (shuffled)
        print_gather(printer, out);
    text_print(out, "            const double update_loss = %s_train(&state, count", printer->prefix);
    print_arguments(printer, shuffled ? "batch" : "train", shuffled ? NULL : "from", out);
    text_print(
        out,
        ");\n            if (update_loss - update_loss != 0) {\n"
        "                fprintf(stderr, \"error: the loss is not finite at update %%lu, epoch %%ld\\n\", "
        "(unsigned long)state.updates, epoch);\n                return 1;\n            }\n"
        "            sum += update_loss * (double)count;\n        }\n");
    if (watch_data)
        print_watch(printer, watch_data, watch_rows, out);
    text_print(out, "        if (epoch == 1 || epoch %% %lld == 0 || epoch == epochs)\n",
               (long long)(report ? report : 1));
    if (watch_data)
        text_print(
            out,
            "            printf(\"epoch %%ld  %s %%.6g  %s %s %%.6g\\n\", epoch, sum / %lld, watched);\n",
            model->loss.name, watch_data, training->stop_measure, (long long)rows);
    else
        text_print(out, "            printf(\"epoch %%ld  %s %%.6g\\n\", epoch, sum / %lld);\n",
                   model->loss.name, (long long)rows);
    text_print(out, "    }\n");
    if (watch_data)
        end_watch(printer, watch_data, out);
}

/* The argument that names the entries of an axis. */
static const char *axis_names(const struct printer *printer, int64_t size) {
    return printer->options->class_names && printer->options->class_count == size ? "class_names" : "NULL";
}

/* A metric of several numbers, the first of them metrics[at]. */
static void print_metric_table(struct printer *printer, const char *title, const struct result *metric,
                               int64_t at, struct text *out) {
    const struct shape *shape = &metric->node->type.shape;
    bool matrix = shape->rank == 2;
    int64_t rows = shape->dims[0], columns = matrix ? shape->dims[1] : 1;
    text_print(out, "    %s(stdout, \"%s  %s\", %lld, %lld, %d, %s, %s, metrics + %lld);\n",
               use_kernel(printer, "nn_print_table", ELEMENT_F64), title, metric->name, (long long)rows,
               (long long)columns, matrix, axis_names(printer, rows), axis_names(printer, columns),
               (long long)at);
}

static void print_evaluation(struct printer *printer, const char *title, const char *data, int64_t rows,
                             struct text *out) {
    const struct model *model = printer->model;
    text_print(out, "    loss = %s_evaluate(&state, %lld", printer->prefix, (long long)rows);
    print_arguments(printer, data, NULL, out);
    text_print(out, ", metrics);\n    printf(\"%s  %s %%.6g\", loss);\n", title, model->loss.name);
    int64_t at = 0;
    for (int i = 0; i < model->metric_count; i++) {
        if (model->metrics[i].node->type.shape.rank == 0)
            text_print(out, "    printf(\"  %s %%.6g\", metrics[%lld]);\n", model->metrics[i].name,
                       (long long)at);
        at += shape_inner_size(&model->metrics[i].node->type.shape);
    }
    text_print(out, "    printf(\"\\n\");\n");
    at = 0;
    for (int i = 0; i < model->metric_count; i++) {
        if (model->metrics[i].node->type.shape.rank)
            print_metric_table(printer, title, &model->metrics[i], at, out);
        at += shape_inner_size(&model->metrics[i].node->type.shape);
    }
}

/* Numbers of all metrics together. */
static int64_t metrics_size(const struct model *model) {
    int64_t size = 0;
    for (int i = 0; i < model->metric_count; i++)
        size += shape_inner_size(&model->metrics[i].node->type.shape);
    return size;
}

static bool has_tables(const struct model *model) {
    for (int i = 0; i < model->metric_count; i++)
        if (model->metrics[i].node->type.shape.rank)
            return true;
    return false;
}

/* The names of the target's classes: printable ASCII as it is, all other bytes by their numbers. */
static void print_class_names(const struct emit_options *options, struct text *out) {
    text_print(out, "static const char *const class_names[%lld] = {", (long long)options->class_count);
    for (int64_t i = 0; i < options->class_count; i++) {
        text_print(out, "%s\"", i ? ",\n    " : "\n    ");
        for (const char *p = options->class_names[i]; *p; p++) {
            bool plain = *p >= ' ' && *p <= '~' && *p != '"' && *p != '\\' && *p != '?';
            text_print(out, plain ? "%c" : "\\%03o", (unsigned char)*p);
        }
        text_print(out, "\"");
    }
    text_print(out, "};\n");
}

static void print_batch_arrays(struct printer *printer, int64_t rows, int64_t batch, struct text *out) {
    const struct model *model = printer->model;
    for (int i = 0; i < model->column_count; i++)
        text_print(out, "static %s batch_%s[%lld];\n", real_name(model->columns[i].node->type.element),
                   printer->column_names[i],
                   (long long)(batch * shape_inner_size(&model->columns[i].node->type.shape)));
    text_print(out, "static uint32_t order[%lld]", (long long)rows);
    if (model->training.generator == GENERATOR_NUMPY)
        text_print(out, ", drawn[%lld], moved[%lld]", (long long)rows, (long long)rows);
    text_print(out, ";\n");
}

static void print_main(struct printer *printer, const struct data *train, const struct data *test,
                       struct text *out) {
    const struct model *model = printer->model;
    const struct training *training = &model->training;
    bool numpy = training->generator == GENERATOR_NUMPY;
    int64_t rows = row_count(printer, train),
            batch = training->batch && training->batch < rows ? training->batch : rows;
    bool shuffled = training->shuffle && batch < rows;
    if (shuffled) {
        print_batch_arrays(printer, rows, batch, out);
        use_kernel(printer, numpy ? "nn_numpy_permutation" : "nn_permutation", ELEMENT_F64);
    }
    if (has_tables(model) && printer->options->class_names)
        print_class_names(printer->options, out);
    text_print(out,
               "static %s state;\n\nint main(int argument_count, char **arguments) {\n    const uint64_t "
               "seed = %llu;\n",
               printer->prefix, (unsigned long long)training->seed);
    text_print(out, "    static double metrics[%lld];\n    double loss;\n",
               (long long)(metrics_size(model) + 1));
    text_print(out, "    if (argument_count > 1) {\n"
                    "        fprintf(stderr, \"error: %%s takes no arguments\\n\", arguments[0]);\n"
                    "        return 2;\n    }\n");
    if (numpy)
        text_print(out, "    struct nn_numpy stream;\n    nn_numpy_seed(&stream, (uint32_t)seed);\n");
    if (train->source == DATA_SPIRAL)
        text_print(out, "    make_train(%s);\n", numpy ? "&stream" : "seed");
    text_print(out, "    %s_start(&state, %s);\n", printer->prefix, numpy ? "&stream" : "seed");
    if (printer->noise)
        text_print(out, "    state.seed = seed;\n");
    if (shuffled && numpy)
        text_print(out, "    for (uint32_t i = 0; i < %lld; i++)\n        order[i] = i;\n", (long long)rows);
    if (test && test->source == DATA_SPIRAL && numpy)
        text_print(
            out,
            "    struct nn_numpy test_stream;\n    nn_numpy_seed(&test_stream, (uint32_t)(seed + 1 + %d));\n"
            "    make_test(&test_stream);\n",
            (int)(test - model->data));
    else if (test && test->source == DATA_SPIRAL)
        text_print(out, "    make_test(seed);\n");
    print_epochs(printer, rows, batch, shuffled,
                 !training->stop_measure ? NULL
                 : test                  ? "test"
                                         : "train",
                 test ? row_count(printer, test) : rows, out);
    text_print(out, "    (void)metrics;\n    (void)seed;\n");
    print_evaluation(printer, "train", "train", rows, out);
    if (test)
        print_evaluation(printer, "test ", "test", row_count(printer, test), out);
    text_print(out, "    return fflush(stdout) || ferror(stdout) ? 3 : 0;\n}\n");
}

void print_program(struct printer *printer, struct text *out) {
    const struct model *model = printer->model;
    const struct data *train = model_data(model, "train"), *test = model_data(model, "test");
    if (!model->update_count || !train)
        return; /* nothing to run: a library only */
    for (int i = 0; i < model->data_count; i++)
        if ((&model->data[i] == train || &model->data[i] == test) &&
            !print_data(printer, &model->data[i], i, out)) {
            out->length = 0;
            return;
        }
    print_main(printer, train, test, out);
}
