/* First values are a plan like any other: the nodes `initial`, run once on no rows. */
#include "weights.h"
#include "classes.h"
#include "compiled.h"
#include "data/csv.h"
#include "data/npy.h"
#include "data/safetensors.h"
#include "interpreter.h"
#include "run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- memory ---- */

static int64_t weight_count(const struct run *run, int index) {
    return shape_inner_size(&run->model->weights[index].node->type.shape);
}

size_t weights_size(const struct run *run, int index) {
    return (size_t)weight_count(run, index) * element_size(run->model->weights[index].node->type.element);
}

void **weights_new_copy(const struct run *run) {
    void **copy = arena_array(run->arena, void *, (size_t)run->model->weight_count);
    for (int i = 0; i < run->model->weight_count; i++)
        copy[i] = arena_allocate(run->arena, weights_size(run, i));
    return copy;
}

void weights_copy(const struct run *run, void *const *from, void *const *to) {
    for (int i = 0; i < run->model->weight_count; i++)
        memcpy(to[i], from[i], weights_size(run, i));
}

int weights_find_nonfinite(const struct run *run) {
    for (int i = 0; i < run->model->weight_count; i++)
        for (int64_t k = 0; k < weight_count(run, i); k++)
            if (!isfinite(run_number(run->model->weights[i].node->type.element, run->weights.values[i], k)))
                return i;
    return -1;
}

/* ---- from the model ---- */

static void run_initial(struct run *run) {
    const struct model *model = run->model;
    struct node **roots = arena_array(run->arena, struct node *, (size_t)model->weight_count);
    void **results = arena_array(run->arena, void *, (size_t)model->weight_count);
    int count = 0;
    for (int i = 0; i < model->weight_count; i++)
        if (model->weights[i].initial) {
            roots[count] = model->weights[i].initial;
            results[count++] = run->weights.values[i];
        }
    if (count == 0)
        return;
    const struct plan *plan = plan_make(&model->graph, roots, count, run->arena);
    struct interpreter *interpreter = interpreter_new(plan, run->kernels, run->weights.values, run->arena);
    struct batch batch = {.rows = 1, .results = results, .seed = run->seed, .numpy = run->numpy};
    interpreter_run(interpreter, &batch);
}

/* ---- from a file of the model ---- */

static bool fail_weight(struct run *run, const struct weight *weight, const char *path, const char *found) {
    return failure_set(run->failure, FAILURE_DATA, "%s: found %s; weight '%s' (%s) is %s", path, found,
                       weight->name, run_place(run, weight->node->origin, weight->file_span),
                       type_text(run->arena, &weight->node->type, NULL));
}

/* A table fits as it is, axes before the last making its rows; or as one line or column of all values. */
static bool table_fits(const struct shape *shape, size_t rows, size_t columns) {
    int64_t count = shape_inner_size(shape), wide = shape->rank ? shape->dims[shape->rank - 1] : 1;
    if ((int64_t)rows * (int64_t)columns != count)
        return false;
    return rows == 1 || columns == 1 || (int64_t)columns == wide;
}

static bool read_table(struct run *run, const struct weight *weight, const char *path, double **values) {
    struct table table;
    if (!csv_read(run->arena, path, NULL, &table, run->failure))
        return false;
    *values = table.values;
    for (size_t i = 0; i < table.columns; i++)
        if (table.labels[i].count)
            return fail_weight(run, weight, path, text_format(run->arena, "names in column %zu", i + 1));
    return table_fits(&weight->node->type.shape, table.rows, table.columns) ||
           fail_weight(run, weight, path,
                       text_format(run->arena, "%zu rows of %zu columns", table.rows, table.columns));
}

static bool read_array(struct run *run, const struct weight *weight, const char *path, double **values) {
    struct tensor tensor;
    struct type type = {.element = ELEMENT_F64};
    if (!npy_read(run->arena, path, &tensor, run->failure))
        return false;
    *values = tensor.values;
    type.shape.rank = tensor.rank;
    memcpy(type.shape.dims, tensor.dims, (size_t)tensor.rank * sizeof *tensor.dims);
    return shape_equal(&type.shape, &weight->node->type.shape) ||
           fail_weight(run, weight, path, shape_text(run->arena, &type.shape, NULL));
}

static bool read_values(struct run *run, int index, double **values) {
    const struct weight *weight = &run->model->weights[index];
    const char *path = run_path(run, weight->file);
    bool single = weight->node->type.element == ELEMENT_F32;
    if (!(text_ends_with(path, ".npy") ? read_array : read_table)(run, weight, path, values))
        return false;
    for (int64_t k = 0; k < weight_count(run, index); k++)
        if (!isfinite(single ? (double)(float)(*values)[k] : (*values)[k]))
            return fail_weight(run, weight, path, text_format(run->arena, "%g", (*values)[k]));
    return true;
}

static bool read_weight(struct run *run, int index) {
    double *values = NULL;
    if (!read_values(run, index, &values))
        return false;
    for (int64_t k = 0; k < weight_count(run, index); k++)
        if (run->model->weights[index].node->type.element == ELEMENT_F32)
            ((float *)run->weights.values[index])[k] = (float)values[k];
        else
            ((double *)run->weights.values[index])[k] = values[k];
    return true;
}

bool weights_start(struct run *run, bool loading) {
    run->weights = (struct weights){.file = run->weights.file};
    run->weights.values = run->compiled ? compiled_weights(run->compiled) : weights_new_copy(run);
    run_initial(run);
    for (int i = 0; i < run->model->weight_count && !loading; i++)
        if (run->model->weights[i].file && !read_weight(run, i))
            return false;
    return true;
}

/* ---- saving ---- */

/* Of the best weights in the file of an interrupted training; no weight has a name with a colon. */
static const char *best_name(const struct run *run, int index) {
    return text_format(run->arena, "best:%s", run->model->weights[index].name);
}

static struct safetensor tensor_of(const struct run *run, int index) {
    const struct weight *weight = &run->model->weights[index];
    const struct type *type = &weight->node->type;
    struct safetensor tensor = {
        .name = weight->name, .rank = type->shape.rank, .data = run->weights.values[index]};
    tensor.element = type->element == ELEMENT_F32   ? SAFETENSORS_F32
                     : type->element == ELEMENT_F64 ? SAFETENSORS_F64
                                                    : SAFETENSORS_I32;
    memcpy(tensor.dims, type->shape.dims, (size_t)type->shape.rank * sizeof *tensor.dims);
    return tensor;
}

/* The numbers of struct progress by their keys in the metadata. */
struct progress_key {
    const char *key;
    size_t offset;
    int64_t most; /* updates are counted in the solver's numbers, which are f64 */
};

static const struct progress_key progress_keys[] = {
    {"updates", offsetof(struct progress, updates), (int64_t)1 << 53},
    {"epochs", offsetof(struct progress, epochs), EPOCHS_MOST},
    {"epoch_updates", offsetof(struct progress, epoch_updates), UINT32_MAX},
    {"goal", offsetof(struct progress, goal), EPOCHS_MOST},
};

enum { PROGRESS_KEYS = sizeof progress_keys / sizeof *progress_keys, BEST_KEYS = 3 };

static void add_best(struct run *run, struct safetensors *file, struct safetensors_text *metadata) {
    const struct best *best = &run->weights.best;
    metadata[0] = (struct safetensors_text){"best_measure", best->measure};
    metadata[1] = (struct safetensors_text){"best_value", text_number(run->arena, best->value, false)};
    metadata[2] =
        (struct safetensors_text){"best_epoch", text_format(run->arena, "%lld", (long long)best->epoch)};
    for (int i = 0; best->values && i < run->model->weight_count; i++) {
        struct safetensor *tensor = &file->tensors[file->count++];
        *tensor = tensor_of(run, i);
        tensor->name = best_name(run, i);
        tensor->data = best->values[i];
    }
}

bool weights_save(struct run *run, const char *path) {
    const struct model *model = run->model;
    struct safetensors_text *classes;
    size_t class_count = classes_save(run, &classes);
    const char *solver = model->training.solver;
    size_t known = PROGRESS_KEYS + 1 + (run->weights.best.epoch ? BEST_KEYS : 0U) + (solver ? 1U : 0U);
    struct safetensors_text *metadata = arena_array(run->arena, struct safetensors_text, known + class_count);
    struct safetensors file = {.metadata = metadata, .metadata_count = known + class_count};
    metadata[0] = (struct safetensors_text){"model", model->name};
    for (size_t i = 0; i < class_count; i++)
        metadata[known + i] = classes[i];
    file.tensors = arena_array(run->arena, struct safetensor, 2 * (size_t)model->weight_count);
    file.count = (size_t)model->weight_count;
    for (int i = 0; i < model->weight_count; i++)
        file.tensors[i] = tensor_of(run, i);
    for (int i = 0; i < PROGRESS_KEYS; i++) {
        int64_t number;
        memcpy(&number, (const char *)&run->weights.progress + progress_keys[i].offset, sizeof number);
        metadata[i + 1].key = progress_keys[i].key;
        metadata[i + 1].text = text_format(run->arena, "%lld", (long long)number);
    }
    if (run->weights.best.epoch)
        add_best(run, &file, metadata + 1 + PROGRESS_KEYS);
    if (solver)
        metadata[known - 1] = (struct safetensors_text){"solver", solver};
    return safetensors_write(run->arena, path, &file, run->failure);
}

/* ---- loading ---- */

static bool load_progress(struct run *run, const struct safetensors *file, const char *path) {
    for (int i = 0; i < PROGRESS_KEYS; i++) {
        const char *text = safetensors_metadata(file, progress_keys[i].key);
        char *end;
        if (!text)
            continue; /* weights from elsewhere */
        long long read = strtoll(text, &end, 10);
        if (text[0] < '0' || text[0] > '9' || *end || read > progress_keys[i].most)
            return failure_set(
                run->failure, FAILURE_DATA,
                "%s: its metadata has '%.40s' for '%s', expected a whole number from 0 to %lld", path, text,
                progress_keys[i].key, (long long)progress_keys[i].most);
        int64_t number = read;
        memcpy((char *)&run->weights.progress + progress_keys[i].offset, &number, sizeof number);
    }
    return true;
}

/* f32 goes into f64 without loss, never the other way. */
static void load_values(struct run *run, int index, const struct safetensor *tensor, void *to) {
    if (tensor_of(run, index).element == tensor->element)
        memcpy(to, tensor->data, weights_size(run, index));
    else
        for (int64_t k = 0; k < weight_count(run, index); k++)
            ((double *)to)[k] = (double)((const float *)tensor->data)[k];
}

static bool has_shape(const struct safetensor *found, const struct safetensor *wanted) {
    return found->rank == wanted->rank &&
           memcmp(found->dims, wanted->dims, (size_t)wanted->rank * sizeof *wanted->dims) == 0;
}

static bool load_weight(struct run *run, int index, struct safetensors *file, const char *path) {
    const struct weight *weight = &run->model->weights[index];
    struct safetensor wanted = tensor_of(run, index), *found = safetensors_find(file, weight->name);
    char wanted_type[SAFETENSORS_TYPE_SIZE], found_type[SAFETENSORS_TYPE_SIZE];
    if (weight->is_state && run->weights.afresh)
        return true;
    if (!found)
        return failure_set(run->failure, FAILURE_DATA,
                           "%s: there is no tensor '%s', a weight of the model (%s)", path, weight->name,
                           run_place(run, weight->node->origin, weight->span));
    bool same = has_shape(found, &wanted);
    bool widened = found->element == SAFETENSORS_F32 && wanted.element == SAFETENSORS_F64;
    if (!same || (found->element != wanted.element && !widened))
        return failure_set(run->failure, FAILURE_DATA,
                           "%s: '%s' is %s in the file and %s in the model (%s)%s", path, weight->name,
                           safetensors_type(found, found_type), safetensors_type(&wanted, wanted_type),
                           run_place(run, weight->node->origin, weight->span),
                           same                              ? ": converting would lose bits"
                           : run->model->parameter_count > 0 ? ": was it saved with other params (-D)?"
                                                             : "");
    load_values(run, index, found, run->weights.values[index]);
    return true;
}

/* Does the file lack some of what the solver keeps?  Of another solver's, things of the same name mean
 * something else. */
static bool starts_afresh(const struct run *run, struct safetensors *file) {
    const char *saved = safetensors_metadata(file, "solver"), *own = run->model->training.solver;
    bool other = saved && own && strcmp(saved, own) != 0, keeps = false, lacks = false;
    for (int i = 0; i < run->model->weight_count; i++) {
        const struct weight *weight = &run->model->weights[i];
        keeps |= weight->is_state;
        lacks |= weight->is_state && !safetensors_find(file, weight->name);
    }
    return lacks || (keeps && other);
}

/* What an interrupted training had kept; a file that does not hold all of it has none. */
static void load_best(struct run *run, struct safetensors *file) {
    const char *epoch = safetensors_metadata(file, "best_epoch");
    struct best best = {.measure = safetensors_metadata(file, "best_measure")};
    const char *value = safetensors_metadata(file, "best_value");
    bool complete = true;
    run->weights.best = best;
    if (!best.measure || !epoch || !value || run->weights.afresh)
        return;
    best.epoch = strtoll(epoch, NULL, 10);
    best.value = strtod(value, NULL);
    best.values = weights_new_copy(run);
    for (int i = 0; i < run->model->weight_count; i++) {
        const struct safetensor *found = safetensors_find(file, best_name(run, i)),
                                wanted = tensor_of(run, i);
        complete = complete && found && found->element == wanted.element && has_shape(found, &wanted);
        if (complete)
            load_values(run, i, found, best.values[i]);
    }
    best.values = complete ? best.values : NULL;
    if (best.epoch > 0 && best.epoch <= run->weights.progress.epochs && !isnan(best.value))
        run->weights.best = best;
}

static void warn_unused(struct run *run, const struct safetensors *file, const char *path) {
    const struct safetensor *first = safetensors_unused(file, 0), *next = first;
    int count = 0;
    for (; next; next = safetensors_unused(file, (size_t)(next - file->tensors) + 1))
        count++;
    if (first)
        diagnostic_warning(run->sink, (struct span){0}, "%s: '%s'%s not in the model and not used", path,
                           first->name,
                           count == 1 ? " is" : text_format(run->arena, " and %d more are", count - 1));
}

void weights_warn_afresh(struct run *run, const char *path) {
    if (run->weights.afresh)
        diagnostic_warning(run->sink, (struct span){0},
                           "%s does not hold what this solver keeps: it starts afresh, from update 1", path);
}

bool weights_open(struct run *run, const char *path) {
    struct safetensors *file = arena_new(run->arena, struct safetensors);
    run->weights.file = file;
    return safetensors_read(run->arena, path, file, run->failure) && classes_load(run, file, path);
}

bool weights_load(struct run *run, const char *path) {
    if (!run->weights.file && !weights_open(run, path))
        return false;
    struct safetensors *file = run->weights.file;
    run->weights.file = NULL; /* another may be loaded later */
    if (!load_progress(run, file, path))
        return false;
    run->weights.afresh = starts_afresh(run, file);
    for (int i = 0; i < run->model->weight_count; i++)
        if (!load_weight(run, i, file, path))
            return false;
    if (run->weights.afresh)
        run->weights.progress = (struct progress){0};
    load_best(run, file);
    warn_unused(run, file, path);
    int broken = weights_find_nonfinite(run);
    if (broken >= 0)
        return failure_set(run->failure, FAILURE_DATA, "%s: '%s' holds a number that is not finite", path,
                           run->model->weights[broken].name);
    run->weights.loaded = true;
    return true;
}
