/* Each source gives rows of cells, or for a text whole columns; what the cells mean is rows.c's affair. */
#define _POSIX_C_SOURCE 200809L
#include "sources.h"
#include "classes.h"
#include "data/characters.h"
#include "data/idx.h"
#include "kernels/random.h"
#include "run.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* Data set k draws from stream DATA_STREAM + k: weights and dropout use those below, shuffles the one at
 * 2^31. */
#define DATA_STREAM UINT32_C(0x40000000)

/* Orders of rows are of 32 bits. */
#define ROWS_MAX ((int64_t)UINT32_MAX)

/* Larger files are not read to be counted. */
#define COUNTED_BYTES (INT64_C(16) << 20)

/* ---- spirals ---- */

/* In numpy mode the rows for training come first from the one stream; other data has a stream of its own, so
 * that adding it does not disturb a replay. */
static void draw_spiral(struct run *run, const struct data *data, int index, double *cells) {
    uint64_t classes = (uint64_t)data->classes, points = (uint64_t)data->points;
    if (!run->numpy) {
        run->kernels->spiral(run->seed, DATA_STREAM + (uint32_t)index, classes, points, data->noise,
                             data->radius_random, cells);
        return;
    }
    struct nn_numpy own, *stream = run->numpy;
    if (strcmp(data->name, "train") != 0) {
        stream = &own;
        nn_numpy_seed(stream, (uint32_t)(run->seed + 1 + (uint64_t)index));
    }
    nn_numpy_spiral(stream, classes, points, data->noise, data->radius_random, cells);
}

static bool make_spiral(struct run *run, const struct data *data, int index, struct rows *rows) {
    enum { CELLS = 3 };
    struct rows_layout layout = rows_plan(run, true, CELLS);
    struct rows_place place = {.name = data->name};
    if (layout.cells != CELLS || layout.slots[0].cells == CELLS)
        return rows_fail_count(
            run, &layout, text_format(run->arena, "data %s: a spiral row is x, y and a class", data->name),
            CELLS);
    rows->count = data->classes * data->points;
    double *cells = arena_array(run->arena, double, (size_t)rows->count *CELLS);
    draw_spiral(run, data, index, cells);
    rows_reserve(run, &layout, rows, 0, rows->count);
    for (int64_t row = 0; row < rows->count; row++) {
        place.line = (size_t)row + 1;
        if (!rows_store(run, &layout, cells + row * CELLS, rows, row, &place))
            return false;
    }
    return true;
}

/* ---- the rows of a file that are wanted ---- */

static bool is_enough(const struct data *data, const struct rows *rows) {
    return data->first && rows->count == data->first;
}

/* At the end of a file of `found` rows. */
static bool check_enough(struct run *run, const struct data *data, const char *name, const struct rows *rows,
                         int64_t found) {
    if (found == 0)
        return failure_set(run->failure, FAILURE_DATA, "%s: has a header but no rows", name);
    if (rows->count == 0 || (data->first && rows->count < data->first))
        return failure_set(run->failure, FAILURE_DATA, "%s: has %lld row%s, expected %s%lld (skip = %lld)",
                           name, (long long)found, found == 1 ? "" : "s", data->first ? "" : "more than ",
                           (long long)(data->skip + data->first), (long long)data->skip);
    return true;
}

/* How many of a file of `found` rows are wanted, where all of it is at hand. */
static bool count_wanted(struct run *run, const struct data *data, const char *name, struct rows *rows,
                         int64_t found) {
    rows->count = found > data->skip ? found - data->skip : 0;
    if (data->first && rows->count > data->first)
        rows->count = data->first;
    return check_enough(run, data, name, rows, found);
}

/* Room for one row more; memory follows what was read, not what a header promises. */
static bool grow(struct run *run, const struct rows_layout *layout, const char *name, struct rows *rows,
                 int64_t *capacity) {
    if (rows->count == ROWS_MAX)
        return failure_set(run->failure, FAILURE_DATA, "%s: more than %lld rows", name, (long long)ROWS_MAX);
    if (rows->count == *capacity) {
        int64_t grown = *capacity ? 2 * *capacity : 256;
        rows_reserve(run, layout, rows, *capacity, grown);
        *capacity = grown;
    }
    return true;
}

/* ---- CSV ---- */

static bool read_csv(struct run *run, const struct data *data, const struct rows_layout *layout,
                     struct csv *csv, struct rows *rows) {
    double *cells = arena_array(run->arena, double, csv->columns);
    int64_t capacity = 0;
    for (int64_t found = 0; !is_enough(data, rows); found++) {
        enum csv_result result = csv_next_row(csv, cells, csv->columns, run->failure);
        if (result == CSV_END)
            return check_enough(run, data, csv->name, rows, found);
        if (result != CSV_ROW)
            return false;
        if (found < data->skip)
            continue;
        struct rows_place place = {.name = csv->name, .line = csv->line_number, .csv = csv};
        if (!grow(run, layout, csv->name, rows, &capacity) ||
            !rows_store(run, layout, cells, rows, rows->count, &place))
            return false;
        rows->count++;
    }
    return true;
}

static bool make_csv(struct run *run, const struct data *data, struct rows *rows) {
    const char *path = run_path(run, data->files[0]);
    struct csv csv = {0};
    bool read = csv_open(&csv, run->arena, path, NULL, run->failure);
    if (read) {
        struct rows_layout layout = rows_plan(run, true, (int64_t)csv.columns);
        read = rows_fit(run, &csv, &layout) && read_csv(run, data, &layout, &csv, rows);
        if (read)
            classes_keep(run, &csv, &layout);
    }
    csv_close(&csv);
    return read;
}

/* ---- IDX ---- */

/* Files of as many items each; a row is an item of the first, then one of the second, and so on. */
struct idx_set {
    struct idx files[DATA_FILES_MAX];
    struct rows_part parts[DATA_FILES_MAX];
    int count;
    int64_t items, cells;
};

static bool open_idx(struct run *run, const struct data *data, struct idx_set *set) {
    for (int i = 0; i < data->file_count; i++) {
        struct idx *file = &set->files[set->count++];
        const char *path = run_path(run, data->files[i]);
        if (!idx_open(file, path, run->failure))
            return false;
        if (i > 0 && file->dims[0] != set->items)
            return failure_set(run->failure, FAILURE_DATA, "%s: holds %lld items, expected %lld as in %s",
                               path, (long long)file->dims[0], (long long)set->items, set->parts[0].name);
        set->parts[i] = (struct rows_part){path, file->inner};
        set->items = file->dims[0];
        set->cells += file->inner;
    }
    return true;
}

static bool next_item(struct run *run, struct idx_set *set, double *cells) {
    for (int i = 0; i < set->count; cells += set->parts[i++].cells)
        if (!idx_next(&set->files[i], cells, run->failure))
            return false;
    return true;
}

static bool read_idx(struct run *run, const struct data *data, struct idx_set *set,
                     const struct rows_layout *layout, struct rows *rows) {
    double *cells = arena_array(run->arena, double, (size_t)set->cells);
    struct rows_place place = {.name = set->parts[0].name, .parts = set->parts, .part_count = set->count};
    int64_t capacity = 0;
    for (int64_t item = 0; item < set->items && !is_enough(data, rows); item++) {
        place.line = (size_t)item + 1;
        if (!next_item(run, set, cells))
            return false;
        if (item < data->skip)
            continue;
        if (!grow(run, layout, place.name, rows, &capacity) ||
            !rows_store(run, layout, cells, rows, rows->count, &place))
            return false;
        rows->count++;
    }
    for (int i = 0; i < set->count && set->files[i].next == set->items; i++)
        if (!idx_finish(&set->files[i], run->failure))
            return false;
    return check_enough(run, data, place.name, rows, set->items);
}

static bool make_idx(struct run *run, const struct data *data, struct rows *rows) {
    struct idx_set set = {0};
    bool read = open_idx(run, data, &set);
    if (read) {
        struct rows_layout layout = rows_plan(run, true, set.cells);
        read = layout.cells == set.cells ? read_idx(run, data, &set, &layout, rows)
                                         : rows_fail_count(run, &layout, set.parts[0].name, set.cells);
    }
    for (int i = 0; i < set.count; i++)
        idx_close(&set.files[i]);
    return read;
}

/* ---- text ---- */

static bool fail_text(struct run *run, const struct data *data, const struct rows_slot *slot) {
    const struct column *column = slot->column;
    return failure_set(
        run->failure, FAILURE_DATA,
        "a row of text is %lld characters and the %lld that follow one later, or one: the %s '%s' "
        "(%s) has to be class or int, of shape [batch, %lld]%s",
        (long long)data->length, (long long)data->length, column->is_target ? "target" : "input",
        column->name, run_place(run, column->span, column->span), (long long)data->length,
        column->is_target ? " or [batch]" : "");
}

/* Every input takes the characters of a row; every target those that follow, or the one behind the row. */
static bool check_text(struct run *run, const struct data *data, const struct rows_layout *layout,
                       const struct characters *characters, const char *path) {
    for (int i = 0; i < layout->count; i++) {
        const struct rows_slot *slot = &layout->slots[i];
        const struct column *column = slot->column;
        bool fits = slot->inner == data->length || (column->is_target && slot->inner == 1);
        if (column->node->type.element != ELEMENT_INT || !fits)
            return fail_text(run, data, slot);
        if (column->classes && (int64_t)characters->labels.count > column->classes)
            return failure_set(
                run->failure, FAILURE_DATA,
                "%s: holds %zu different characters, the %s '%s' (%s) has %lld classes: expected "
                "class[...] of %zu",
                path, characters->labels.count, column->is_target ? "target" : "input", column->name,
                run_place(run, column->span, column->span), (long long)column->classes,
                characters->labels.count);
    }
    return true;
}

static void store_text(const struct data *data, const struct rows_layout *layout, const int32_t *ids,
                       struct rows *rows) {
    for (int i = 0; i < layout->count; i++) {
        const struct rows_slot *slot = &layout->slots[i];
        int32_t *column = rows->columns[slot->column->node->attributes.index];
        const int32_t *from = ids + (slot->inner != data->length ? data->length : slot->column->is_target);
        for (int64_t row = 0; row < rows->count; row++)
            memcpy(column + row * slot->inner, from + row * data->stride,
                   (size_t)slot->inner * sizeof *column);
    }
}

static bool make_text(struct run *run, const struct data *data, struct rows *rows) {
    const char *path = run_path(run, data->files[0]);
    struct rows_layout layout = rows_plan(run, true, 0);
    struct characters characters;
    if (!characters_read(run->arena, path, classes_of_text(run), run->classes_from, &characters,
                         run->failure) ||
        !check_text(run, data, &layout, &characters, path))
        return false;
    int64_t count = (int64_t)characters.count - 1 - data->length;
    int64_t found = count < 0 ? 0 : count / data->stride + 1;
    if (found == 0)
        return failure_set(run->failure, FAILURE_DATA, "%s: holds %zu characters, expected more than %lld",
                           path, characters.count, (long long)data->length);
    if (!count_wanted(run, data, path, rows, found))
        return false;
    rows_reserve(run, &layout, rows, 0, rows->count);
    store_text(data, &layout, characters.ids + data->skip * data->stride, rows);
    classes_keep_text(run, &characters.labels, path);
    return true;
}

/* ---- rows in a random order ---- */

/* The order hangs on the number of rows alone: data for training and for testing divide a file in the same
 * one, and whatever the seed of a later run, what was learnt from is not what it is judged by. */
static bool pick_shuffled(struct run *run, const struct data *data, const struct rows *all,
                          struct rows *rows) {
    const struct model *model = run->model;
    uint32_t *order = arena_array(run->arena, uint32_t, (size_t)all->count);
    if (!count_wanted(run, data, run_path(run, data->files[0]), rows, all->count))
        return false;
    nn_permutation(0, DATA_STREAM, 0, (uint32_t)all->count, order);
    rows->columns = arena_array(run->arena, void *, (size_t)model->column_count);
    for (int i = 0; i < model->column_count; i++) {
        const struct type *type = &model->columns[i].node->type;
        const size_t size = (size_t)shape_inner_size(&type->shape) * element_size(type->element);
        char *to = rows->columns[i] = arena_allocate_array(run->arena, (size_t)rows->count, size);
        for (int64_t row = 0; row < rows->count; row++)
            memcpy(to + (size_t)row * size, (const char *)all->columns[i] + order[data->skip + row] * size,
                   size);
    }
    return true;
}

/* ---- any ---- */

/* The first file that is not there, or NULL. */
static const char *missing_file(const struct run *run, const struct data *data) {
    struct stat status;
    for (int i = 0; i < data->file_count; i++)
        if (stat(run_path(run, data->files[i]), &status) != 0 && errno == ENOENT)
            return data->files[i];
    return NULL;
}

/* Says in the failure which statement of the model named the file, and where a missing one is had.  That
 * statement is the place where the file gives none. */
static bool fail_data(struct run *run, const struct data *data) {
    struct failure inner = *run->failure;
    const char *missing = missing_file(run, data);
    run->failure->kind = FAILURE_NONE; /* the first counts, and this replaces it */
    if (inner.span.source)
        return failure_set_at(run->failure, inner.kind, inner.span, "%.600s; read as data %.40s (%s)",
                              inner.message, data->name, run_place(run, data->span, data->span));
    return failure_set_at(run->failure, inner.kind, data->span, "%.600s%s%s%.200s", inner.message,
                          missing && missing[0] != '/' ? "; its name is relative to the model's file" : "",
                          missing && data->from ? "; it is to be had from " : "",
                          missing && data->from ? data->from : "");
}

static bool make_file(struct run *run, const struct data *data, struct rows *rows) {
    switch (data->source) {
    case DATA_SPIRAL:
        break; /* has no file */
    case DATA_CSV:
        return make_csv(run, data, rows);
    case DATA_IDX:
        return make_idx(run, data, rows);
    case DATA_TEXT:
        return make_text(run, data, rows);
    }
    return false;
}

bool sources_make(struct run *run, int index, struct rows *rows) {
    const struct data *data = &run->model->data[index];
    *rows = (struct rows){0};
    if (data->source == DATA_SPIRAL)
        return make_spiral(run, data, index, rows);
    if (!data->shuffle)
        return make_file(run, data, rows) || fail_data(run, data);
    struct data whole = *data;
    struct rows all = {0};
    whole.skip = whole.first = 0;
    return (make_file(run, &whole, &all) && pick_shuffled(run, data, &all, rows)) || fail_data(run, data);
}

int64_t sources_count(struct run *run, int index) {
    const struct data *data = &run->model->data[index];
    struct failure *failure = run->failure, ignored = {0};
    struct stat status;
    struct rows rows;
    if (!data->file_count || stat(run_path(run, data->files[0]), &status) != 0 || !S_ISREG(status.st_mode) ||
        status.st_size > COUNTED_BYTES)
        return 0;
    run->failure = &ignored;
    bool read = sources_make(run, index, &rows);
    run->failure = failure;
    return read ? rows.count : 0;
}
