#include "classes.h"
#include "run.h"

#include <stdlib.h>
#include <string.h>

static const char key_prefix[] = "classes.", header_prefix[] = "columns.";

/* The names of a column, or room for them. */
static struct class_names *names_of(struct run *run, int64_t index) {
    if (!run->classes)
        run->classes = arena_array(run->arena, struct class_names, (size_t)run->model->column_count);
    return &run->classes[index];
}

static bool holds_classes(const struct rows_slot *slot) {
    return slot->column->classes > 0 || slot->one_hot;
}

static int compare_names(const void *left, const void *right) {
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* Two of one name could not be told apart. */
static bool are_different(struct run *run, const struct table_labels *labels) {
    char **sorted = arena_array(run->arena, char *, labels->count);
    if (labels->count)
        memcpy(sorted, labels->names, labels->count * sizeof *sorted);
    if (labels->count)
        qsort(sorted, labels->count, sizeof *sorted, compare_names);
    for (size_t i = 1; i < labels->count; i++)
        if (strcmp(sorted[i - 1], sorted[i]) == 0)
            return false;
    return true;
}

/* ---- rows ---- */

bool classes_follow(struct run *run, struct csv *csv, const struct rows_layout *layout) {
    struct table like = {.columns = csv->columns};
    bool any = false;
    int64_t cell = 0;
    like.labels = arena_array(run->arena, struct table_labels, csv->columns);
    for (int i = 0; i < layout->count; i++) {
        const struct rows_slot *slot = &layout->slots[i];
        const struct class_names *names = names_of(run, slot->column->node->attributes.index);
        bool known = names->known && names->cells == slot->cells;
        for (int64_t k = 0; known && k < slot->cells; k++)
            like.labels[rows_file_column(layout, cell + k)] = names->labels[k];
        any |= known;
        cell += slot->cells;
    }
    return !any || csv_follow(csv, &like, run->classes_from, run->failure);
}

/* What the header calls `count` cells, unless a name is missing or stands twice. */
static struct table_labels header_of(struct run *run, const struct csv *csv, const struct rows_layout *layout,
                                     int64_t cell, int64_t count) {
    struct table_labels header = {arena_array(run->arena, char *, (size_t)count), (size_t)count};
    bool named = true;
    for (int64_t k = 0; k < count; k++) {
        header.names[k] = csv->names[rows_file_column(layout, cell + k)];
        named &= header.names[k][0] != '\0';
    }
    return named && are_different(run, &header) ? header : (struct table_labels){NULL, 0};
}

void classes_keep(struct run *run, const struct csv *csv, const struct rows_layout *layout) {
    int64_t cell = 0;
    for (int i = 0; i < layout->count; i++) {
        const struct rows_slot *slot = &layout->slots[i];
        struct class_names *names = names_of(run, slot->column->node->attributes.index);
        if (csv->names && !names->header.count)
            names->header = header_of(run, csv, layout, cell, slot->cells);
        if (!names->known && holds_classes(slot)) {
            names->known = true;
            names->cells = slot->cells;
            names->labels = arena_array(run->arena, struct table_labels, (size_t)slot->cells);
            for (int64_t k = 0; k < slot->cells; k++)
                names->labels[k] = csv_labels(csv, rows_file_column(layout, cell + k));
        }
        cell += slot->cells;
    }
    if (!run->classes_from)
        run->classes_from = csv_name(csv);
}

/* ---- text ---- */

const struct table_labels *classes_of_text(const struct run *run) {
    for (int i = 0; i < run->model->column_count; i++)
        if (!run->model->columns[i].is_target)
            return classes_names(run, i);
    return NULL;
}

void classes_keep_text(struct run *run, const struct table_labels *labels, const char *path) {
    for (int i = 0; i < run->model->column_count; i++) {
        struct class_names *names = names_of(run, i);
        if (names->known)
            continue;
        *names = (struct class_names){true, 1, arena_new(run->arena, struct table_labels), {NULL, 0}};
        names->labels[0] = *labels;
    }
    if (!run->classes_from)
        run->classes_from = path;
}

/* ---- saving ---- */

static const char *labels_text(const struct run *run, const struct table_labels *labels) {
    struct text text = {.arena = run->arena};
    for (size_t i = 0; i < labels->count; i++)
        text_print(&text, "%s%s", i ? "\n" : "", labels->names[i]);
    return text_string(&text);
}

size_t classes_save(const struct run *run, struct safetensors_text **entries) {
    size_t count = 0, capacity = 0;
    *entries = NULL;
    for (int i = 0; run->classes && i < run->model->column_count; i++) {
        const struct class_names *names = &run->classes[i];
        const char *name = run->model->columns[i].name;
        for (int64_t k = 0; names->known && k < names->cells; k++) {
            arena_reserve(run->arena, *entries, count, capacity);
            (*entries)[count++] = (struct safetensors_text){
                names->cells == 1 ? text_format(run->arena, "%s%s", key_prefix, name)
                                  : text_format(run->arena, "%s%s[%lld]", key_prefix, name, (long long)k),
                labels_text(run, &names->labels[k])};
        }
        if (names->header.count) {
            arena_reserve(run->arena, *entries, count, capacity);
            (*entries)[count++] = (struct safetensors_text){
                text_format(run->arena, "%s%s", header_prefix, name), labels_text(run, &names->header)};
        }
    }
    return count;
}

/* ---- loading ---- */

/* The column and the cell that a key behind its prefix tells of; -1 where the model has none such. */
static int find_column(const struct run *run, const char *key, int64_t *cell, bool *single) {
    size_t length = strcspn(key, "[");
    char *end = NULL;
    *single = !key[length];
    *cell = *single ? 0 : strtoll(key + length + 1, &end, 10);
    if (!*single && strcmp(end, "]") != 0)
        return -1;
    for (int i = 0; i < run->model->column_count; i++) {
        const struct column *column = &run->model->columns[i];
        if (strlen(column->name) == length && memcmp(column->name, key, length) == 0)
            return *cell >= 0 && *cell < shape_inner_size(&column->node->type.shape) ? i : -1;
    }
    return -1;
}

static bool read_labels(struct run *run, const char *text, struct table_labels *labels) {
    size_t capacity = 0;
    *labels = (struct table_labels){NULL, 0};
    while (*text) {
        size_t length = strcspn(text, "\n");
        if (length == 0 || (text[length] && !text[length + 1]))
            return false;
        arena_reserve(run->arena, labels->names, labels->count, capacity);
        labels->names[labels->count++] = arena_copy(run->arena, text, length);
        text += length + (text[length] != '\0');
    }
    return are_different(run, labels);
}

static bool load_entry(struct run *run, const struct safetensors_text *entry, const char *path) {
    bool single;
    int64_t cell;
    int index = find_column(run, entry->key + sizeof key_prefix - 1, &cell, &single);
    if (index < 0) {
        diagnostic_warning(run->sink, (struct span){0},
                           "%s: '%s' names the classes of no column of the model", path, entry->key);
        return true;
    }
    struct class_names *names = names_of(run, index);
    if (!names->known) {
        int64_t cells = single ? 1 : shape_inner_size(&run->model->columns[index].node->type.shape);
        names->known = true;
        names->cells = cells;
        names->labels = arena_array(run->arena, struct table_labels, (size_t)cells);
    }
    return (cell < names->cells && read_labels(run, entry->text, &names->labels[cell])) ||
           failure_set(run->failure, FAILURE_DATA,
                       "%s: '%s' is '%.80s', expected different names of classes, one a line", path,
                       entry->key, entry->text);
}

/* Of a column that the model has; others have said so with their classes. */
static bool load_header(struct run *run, const struct safetensors_text *entry, const char *path) {
    bool single;
    int64_t cell;
    int index = find_column(run, entry->key + sizeof header_prefix - 1, &cell, &single);
    if (index < 0 || !single)
        return true;
    struct table_labels *header = &names_of(run, index)->header;
    size_t inner = (size_t)shape_inner_size(&run->model->columns[index].node->type.shape);
    return (read_labels(run, entry->text, header) && (header->count == inner || header->count == 1)) ||
           failure_set(run->failure, FAILURE_DATA, "%s: '%s' is '%.80s', expected %s, one a line", path,
                       entry->key, entry->text,
                       inner == 1 ? "a name" : text_format(run->arena, "%zu different names", inner));
}

bool classes_load(struct run *run, const struct safetensors *file, const char *path) {
    for (size_t i = 0; i < file->metadata_count; i++) {
        const struct safetensors_text *entry = &file->metadata[i];
        if (strncmp(entry->key, header_prefix, sizeof header_prefix - 1) == 0 &&
            !load_header(run, entry, path))
            return false;
        if (strncmp(entry->key, key_prefix, sizeof key_prefix - 1) == 0 && !load_entry(run, entry, path))
            return false;
    }
    run->classes_from = run->classes ? path : NULL;
    return true;
}

/* ---- classes that no row is of ---- */

/* A part of a file whose rows stand in the order of their classes lacks some of them. */
static void note_sorted(struct run *run, struct diagnostic *to) {
    const struct data *train = model_data(run->model, "train");
    if (train && train->file_count && train->first && !train->shuffle)
        diagnostic_note(
            run->sink, to, train->span,
            "if the file's rows are sorted, 'shuffle = true' mixes them before 'first' and 'skip' "
            "count, here and in data test");
}

static void warn_names(struct run *run, const struct column *column, int64_t classes,
                       const struct table_labels *names) {
    enum { NAMES_LISTED = 20 };
    struct text text = {.arena = run->arena};
    for (size_t i = 0; i < names->count && i < NAMES_LISTED; i++)
        text_print(&text, "%s%.60s", i ? ", " : "", names->names[i]);
    note_sorted(run, diagnostic_warning(run->sink, column->span,
                                        "'%s' has %lld classes, and there are names of %zu: %s%s",
                                        column->name, (long long)classes, names->count, text_string(&text),
                                        names->count > NAMES_LISTED ? " and others" : ""));
}

static void warn_numbers(struct run *run, const struct column *column, const int32_t *values) {
    int64_t count = run->train.count * shape_inner_size(&column->node->type.shape), highest = 0;
    for (int64_t i = 0; i < count; i++)
        highest = values[i] > highest ? values[i] : highest;
    if (highest + 1 < column->classes)
        note_sorted(
            run, diagnostic_warning(run->sink, column->span,
                                    "'%s' has %lld classes, 0 to %lld, and the highest in data train is %lld",
                                    column->name, (long long)column->classes, (long long)column->classes - 1,
                                    (long long)highest));
}

void classes_warn_absent(struct run *run) {
    for (int i = 0; i < run->model->column_count; i++) {
        const struct column *column = &run->model->columns[i];
        const struct table_labels *names = classes_names(run, i);
        int64_t classes = column->classes ? column->classes : shape_inner_size(&column->node->type.shape);
        if (column->is_target && names && (int64_t)names->count < classes)
            warn_names(run, column, classes, names);
        else if (column->is_target && !names && column->classes && run->train.count)
            warn_numbers(run, column, run->train.columns[i]);
    }
}

/* ---- asking ---- */

const char *classes_header(const struct run *run, int64_t index, int64_t count, int64_t cell) {
    const struct table_labels *header = run->classes ? &run->classes[index].header : NULL;
    return header && header->count == (size_t)count ? header->names[cell] : NULL;
}

const struct table_labels *classes_names(const struct run *run, int index) {
    const struct class_names *names = run->classes ? &run->classes[index] : NULL;
    return names && names->known && names->cells == 1 && names->labels[0].count ? names->labels : NULL;
}

const struct table_labels *classes_of_target(const struct run *run, int64_t classes) {
    int target = -1;
    for (int i = 0; i < run->model->column_count; i++) {
        if (!run->model->columns[i].is_target)
            continue;
        if (target >= 0)
            return NULL;
        target = i;
    }
    if (target < 0)
        return NULL;
    const struct column *column = &run->model->columns[target];
    int64_t own = column->classes ? column->classes : shape_inner_size(&column->node->type.shape);
    return own == classes ? classes_names(run, target) : NULL;
}
