#define _POSIX_C_SOURCE 200809L
#include "predict.h"
#include "classes.h"
#include "compiled.h"
#include "interpreter.h"
#include "plan/plan.h"
#include "trace.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK_ROWS = 1024 };

struct predictor {
    struct run *run;
    const struct plan *plan;
    struct interpreter *interpreter;
    const struct result *outputs;
    int count;
    int64_t capacity;
    struct rows_layout layout;
    struct rows rows;
    int64_t first_row; /* of those at hand, among all that are predicted */
    void **results;
    const void **columns;
};

/* ---- a plan of outputs ---- */

static void reserve(struct predictor *predictor, int64_t count, int64_t capacity) {
    rows_reserve(predictor->run, &predictor->layout, &predictor->rows, count, capacity);
    for (int i = 0; i < predictor->count; i++) {
        const struct type *type = &predictor->outputs[i].node->type;
        size_t row_size = (size_t)shape_inner_size(&type->shape) * element_size(type->element);
        predictor->results[i] = arena_allocate_array(predictor->run->arena, (size_t)capacity, row_size);
    }
    predictor->capacity = capacity;
}

struct predictor *predictor_new(struct run *run, const struct result *outputs, int count, int64_t capacity) {
    struct predictor *predictor = arena_new(run->arena, struct predictor);
    struct node **roots = arena_array(run->arena, struct node *, (size_t)count);
    for (int i = 0; i < count; i++)
        roots[i] = outputs[i].node;
    predictor->run = run;
    predictor->outputs = outputs;
    predictor->count = count;
    predictor->plan = plan_make(&run->model->graph, roots, count, run->arena);
    predictor->interpreter = interpreter_new(predictor->plan, run->kernels, run->weights.values, run->arena);
    interpreter_use_threads(predictor->interpreter, run->threads);
    predictor->layout = rows_plan(run, false, 0);
    predictor->results = arena_array(run->arena, void *, (size_t)count);
    predictor->columns = arena_array(run->arena, const void *, (size_t)run->model->column_count);
    reserve(predictor, 0, capacity);
    return predictor;
}

struct rows *predictor_rows(struct predictor *predictor) {
    return &predictor->rows;
}

const struct rows_layout *predictor_layout(const struct predictor *predictor) {
    return &predictor->layout;
}

void predictor_run(struct predictor *predictor, int64_t rows) {
    const struct run *run = predictor->run;
    run_columns(run->model, &predictor->rows, 0, predictor->columns);
    struct batch batch = {.rows = rows,
                          .columns = predictor->columns,
                          .results = predictor->results,
                          .step = (double)run->weights.progress.updates,
                          .first_row = predictor->first_row,
                          .seed = run->seed};
    if (predictor->outputs != run->model->outputs || !compiled_predict(run->compiled, &batch))
        interpreter_run(predictor->interpreter, &batch);
}

const void *predictor_values(const struct predictor *predictor, int index) {
    return predictor->results[index];
}

/* Does a row's output hang on the other rows?  Through a sum over them, or their number where it is read. */
static bool mixes_rows(const struct predictor *predictor) {
    for (int id = 0; id < predictor->plan->graph.count; id++) {
        const struct placement *p = &predictor->plan->placements[id];
        if ((p->sweep && p->group >= 0) ||
            (predictor->plan->graph.nodes[id]->code == OPERATOR_rows && p->last_group >= 0))
            return true;
    }
    return false;
}

/* ---- printing ---- */

/* "[2]", or the class that it is: "[setosa]" */
static void print_index(const struct table_labels *classes, int64_t index, struct text *name) {
    if (classes && (size_t)index < classes->count)
        text_print(name, "[%s]", classes->names[index]);
    else
        text_print(name, "[%lld]", (long long)index);
}

/* A name as a cell of CSV: class names may hold what separates cells. */
static void print_cell(const char *name, FILE *out) {
    if (!strpbrk(name, ",\"\r")) {
        fputs(name, out);
        return;
    }
    fputc('"', out);
    for (; *name; name++) {
        if (*name == '"')
            fputc('"', out);
        fputc(*name, out);
    }
    fputc('"', out);
}

/* "probability[0],probability[1]", or with the names of the classes */
static void print_names(const struct run *run, const struct result *output, bool first, FILE *out) {
    struct shape inner = shape_inner(&output->node->type.shape);
    int64_t count = shape_inner_size(&inner);
    const struct table_labels *classes =
        inner.rank ? classes_of_target(run, inner.dims[inner.rank - 1]) : NULL;
    for (int64_t i = 0; i < count; i++) {
        struct text name = {.arena = run->arena};
        text_print(&name, "%s", output->name);
        if (!first || i)
            fputc(',', out);
        int64_t below = count, rest = i;
        for (int axis = 0; axis < inner.rank; axis++) {
            below /= inner.dims[axis];
            print_index(axis == inner.rank - 1 ? classes : NULL, rest / below, &name);
            rest %= below;
        }
        print_cell(text_string(&name), out);
    }
}

static void print_header(const struct predictor *predictor, FILE *out) {
    for (int i = 0; i < predictor->count; i++)
        print_names(predictor->run, &predictor->outputs[i], i == 0, out);
    fputc('\n', out);
}

/* A number, or the name of the class that was chosen. */
static void print_value(enum element element, const void *values, int64_t index,
                        const struct table_labels *classes, FILE *out) {
    const double choice = classes ? run_number(element, values, index) : 0;
    if (classes && choice < (double)classes->count)
        print_cell(classes->names[(size_t)choice], out);
    else
        trace_number(element, values, index, out);
}

static void print_row(const struct predictor *predictor, int64_t row, FILE *out) {
    for (int i = 0; i < predictor->count; i++) {
        const struct result *output = &predictor->outputs[i];
        const struct type *type = &output->node->type;
        const struct table_labels *classes =
            output->choices ? classes_of_target(predictor->run, output->choices) : NULL;
        int64_t inner = shape_inner_size(&type->shape);
        int64_t first = shape_batch_axis(&type->shape) >= 0 ? row * inner : 0;
        for (int64_t k = 0; k < inner; k++) {
            if (i || k)
                fputc(',', out);
            print_value(type->element, predictor->results[i], first + k, classes, out);
        }
    }
    fputc('\n', out);
}

static bool has_rows(const struct predictor *predictor) {
    for (int i = 0; i < predictor->count; i++)
        if (shape_batch_axis(&predictor->outputs[i].node->type.shape) >= 0)
            return true;
    return false;
}

/* Outputs without rows make one line for all. */
static bool answer(struct predictor *predictor, int64_t rows, FILE *out) {
    if (rows == 0)
        return !ferror(out);
    predictor_run(predictor, rows);
    predictor->first_row += rows;
    int64_t lines = has_rows(predictor) ? rows : 1;
    for (int64_t row = 0; row < lines && !ferror(out); row++)
        print_row(predictor, row, out);
    return fflush(out) == 0;
}

/* ---- reading ---- */

/* Whether more input is known to be there, so that it is worth while to wait for a full chunk. What the C
 * library has read already does not show here: then chunks are short, and the next one begins with it. */
static bool more_waits(bool standard_input) {
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    return !standard_input || poll(&input, 1, 0) != 0;
}

static bool predict_rows(struct predictor *predictor, struct csv *csv, bool standard_input, FILE *out) {
    struct run *run = predictor->run;
    bool whole = mixes_rows(predictor);
    double *cells = arena_array(run->arena, double, csv->columns);
    int64_t rows = 0;
    for (;;) {
        enum csv_result result = csv_next_row(csv, cells, csv->columns, run->failure);
        if (result != CSV_ROW)
            return answer(predictor, rows, out) && result == CSV_END;
        if (rows == predictor->capacity)
            reserve(predictor, rows, 2 * rows);
        struct rows_place place = {.name = csv->name, .line = csv->line_number, .csv = csv};
        if (!rows_store(run, &predictor->layout, cells, &predictor->rows, rows, &place)) {
            answer(predictor, rows, out);
            return false;
        }
        rows++;
        if (!whole && (rows == CHUNK_ROWS || !more_waits(standard_input))) {
            if (!answer(predictor, rows, out))
                return true; /* nobody reads any more; the caller finds the error in `out` */
            rows = 0;
        }
    }
}

bool predict_file(struct run *run, const char *path, FILE *out) {
    struct predictor *predictor =
        predictor_new(run, run->model->outputs, run->model->output_count, CHUNK_ROWS);
    struct csv csv = {0};
    if (predictor->layout.cells == 0) {
        print_header(predictor, out);
        answer(predictor, 1, out);
        return true;
    }
    bool done = csv_open(&csv, run->arena, path, NULL, run->failure);
    done = done && rows_fit(run, &csv, &predictor->layout);
    if (done) {
        print_header(predictor, out);
        done = predict_rows(predictor, &csv, strcmp(path, "-") == 0, out);
    }
    csv_close(&csv);
    return done;
}
