/* A layout says which cells fill which column; sources then differ only in where cells come from. */
#include "rows.h"
#include "classes.h"
#include "run.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- layout ---- */

static void add_slot(struct rows_layout *layout, const struct column *column) {
    int64_t inner = shape_inner_size(&column->node->type.shape);
    layout->slots[layout->count++] = (struct rows_slot){column, inner, inner, false};
    layout->cells += inner;
}

struct rows_layout rows_plan(struct run *run, bool targets, int64_t cells) {
    const struct model *model = run->model;
    struct rows_layout layout = {0};
    layout.slots = arena_array(run->arena, struct rows_slot, (size_t)model->column_count);
    for (int i = 0; i < model->column_count; i++)
        if (!model->columns[i].is_target)
            add_slot(&layout, &model->columns[i]);
    for (int i = 0; targets && i < model->column_count; i++)
        if (model->columns[i].is_target)
            add_slot(&layout, &model->columns[i]);
    struct rows_slot *last = layout.count ? &layout.slots[layout.count - 1] : NULL;
    if (last && last->column->is_target && last->inner > 1 &&
        last->column->node->type.element != ELEMENT_INT && cells == layout.cells - last->inner + 1) {
        layout.cells = cells;
        last->cells = 1;
        last->one_hot = true;
    }
    return layout;
}

/* "x takes 2, t takes 1 (twolayer.nn:11)", for a row that does not fit. */
static const char *layout_text(struct run *run, const struct rows_layout *layout) {
    struct text text = {.arena = run->arena};
    for (int i = 0; i < layout->count; i++) {
        const struct column *column = layout->slots[i].column;
        text_print(&text, "%s%s takes %lld (%s)", i ? ", " : "", column->name,
                   (long long)layout->slots[i].cells, run_place(run, column->span, column->span));
    }
    return text_string(&text);
}

bool rows_fail_count(struct run *run, const struct rows_layout *layout, const char *name, int64_t cells) {
    return failure_set(run->failure, FAILURE_DATA, "%s: found %lld column%s, expected %lld: %s", name,
                       (long long)cells, cells == 1 ? "" : "s", (long long)layout->cells,
                       layout_text(run, layout));
}

/* ---- a header's names ---- */

size_t rows_file_column(const struct rows_layout *layout, int64_t cell) {
    return layout->order ? layout->order[cell] : (size_t)cell;
}

/* What a header calls its columns, sorted: a file may have tens of thousands of them. */
struct header_name {
    const char *name;
    size_t column;
};

struct header {
    struct header_name *names;
    size_t count;
};

static int compare_names(const void *left, const void *right) {
    return strcmp(((const struct header_name *)left)->name, ((const struct header_name *)right)->name);
}

static struct header sort_header(struct run *run, const struct csv *csv) {
    struct header header = {arena_array(run->arena, struct header_name, csv->columns), csv->columns};
    for (size_t i = 0; i < header.count; i++)
        header.names[i] = (struct header_name){csv->names[i], i};
    qsort(header.names, header.count, sizeof *header.names, compare_names);
    return header;
}

/* Where a header holds the name exactly once; else header->count. */
static size_t find_name(const struct header *header, const char *name) {
    const struct header_name wanted = {name, 0}, *end = header->names + header->count;
    const struct header_name *found =
        bsearch(&wanted, header->names, header->count, sizeof wanted, compare_names);
    if (!found || (found > header->names && strcmp(found[-1].name, name) == 0) ||
        (found + 1 < end && strcmp(found[1].name, name) == 0))
        return header->count;
    return found->column;
}

/* What a header calls cell k of a slot: a column of one cell has its own name, or like the others that of the
 * header that was learnt from.  NULL: it is not known. */
static const char *cell_name(const struct run *run, const struct header *header, const struct rows_slot *slot,
                             int64_t k) {
    const char *name = slot->cells == 1 ? slot->column->name : NULL;
    const char *learnt = classes_header(run, slot->column->node->attributes.index, slot->cells, k);
    return learnt && (!name || find_name(header, name) == header->count) ? learnt : name;
}

/* The file's column of each cell, by its name; header->count: no name is known, or it is not there once. */
static size_t *find_cells(struct run *run, const struct header *header, const struct rows_layout *layout,
                          const char **names) {
    size_t *found = arena_array(run->arena, size_t, header->count), cell = 0;
    bool *taken = arena_array(run->arena, bool, header->count + 1);
    for (int i = 0; i < layout->count; i++)
        for (int64_t k = 0; k < layout->slots[i].cells; k++, cell++) {
            names[cell] = cell_name(run, header, &layout->slots[i], k);
            found[cell] = names[cell] ? find_name(header, names[cell]) : header->count;
            found[cell] = taken[found[cell]] ? header->count : found[cell];
            taken[found[cell]] = found[cell] < header->count;
        }
    return found;
}

/* Some columns stand where their names do not, and the others' names are not there: what was meant is
 * unknown. */
static bool fail_order(struct run *run, const struct csv *csv, const char *moved, size_t found, size_t place,
                       const char *missing) {
    return failure_set_at(
        run->failure, FAILURE_DATA, csv_place(csv, found),
        "found '%s' as column %zu of the header, expected it as column %zu, or '%s' once in the "
        "header as well: columns are matched by name only where all names are there",
        moved, found + 1, place + 1, missing);
}

/* Does the header hold the name of some column of one cell, in whatever case?  Then it means such names. */
static bool names_columns(const struct csv *csv, const struct rows_layout *layout) {
    for (int i = 0; i < layout->count; i++)
        for (size_t k = 0; k < csv->columns && layout->slots[i].cells == 1; k++)
            if (strcasecmp(csv->names[k], layout->slots[i].column->name) == 0)
                return true;
    return false;
}

/* Columns are taken as they stand, and one is called otherwise than the one that was learnt from, or than the
 * model's. */
static void warn_header(struct run *run, const struct csv *csv, const struct rows_layout *layout) {
    const bool named = names_columns(csv, layout);
    size_t cell = 0;
    for (int i = 0; i < layout->count; i++)
        for (int64_t k = 0; k < layout->slots[i].cells; k++, cell++) {
            const struct rows_slot *slot = &layout->slots[i];
            const char *learnt = classes_header(run, slot->column->node->attributes.index, slot->cells, k);
            const char *own = slot->cells == 1 ? slot->column->name : NULL;
            const char *wanted = learnt ? learnt : named ? own : NULL;
            if (!wanted || strcmp(csv->names[cell], wanted) == 0 ||
                (own && strcasecmp(csv->names[cell], own) == 0))
                continue;
            diagnostic_warning(run->sink, csv_place(csv, cell),
                               "found '%.60s' where the %s has '%.60s': columns are taken as they stand",
                               csv->names[cell], learnt ? "data that was learnt from" : "model", wanted);
            return;
        }
}

/* Cells without a name fill what is left, as they stand. */
static void fill_order(struct run *run, const struct csv *csv, size_t *order) {
    bool *taken = arena_array(run->arena, bool, csv->columns + 1);
    size_t next = 0;
    for (size_t cell = 0; cell < csv->columns; cell++)
        taken[order[cell]] = true;
    for (size_t cell = 0; cell < csv->columns; cell++) {
        while (taken[next] && next < csv->columns)
            next++;
        if (order[cell] == csv->columns)
            order[cell] = next++;
    }
}

/* Of a file that has as many columns as the layout has cells. */
static bool match_header(struct run *run, const struct csv *csv, struct rows_layout *layout) {
    if (!csv->names)
        return true;
    const char **names = arena_array(run->arena, const char *, csv->columns), *missing = NULL;
    struct header header = sort_header(run, csv);
    size_t *found = find_cells(run, &header, layout, names), moved = csv->columns;
    for (size_t cell = 0; cell < csv->columns; cell++) {
        if (names[cell] && found[cell] == csv->columns)
            missing = missing ? missing : names[cell];
        else if (names[cell] && found[cell] != cell && moved == csv->columns)
            moved = cell;
    }
    if (moved < csv->columns && missing)
        return fail_order(run, csv, names[moved], found[moved], moved, missing);
    if (moved < csv->columns) {
        fill_order(run, csv, found);
        layout->order = found;
    } else
        warn_header(run, csv, layout);
    return true;
}

/* ---- a file with more columns ---- */

/* The file has more columns than cells are wanted: those wanted are found where the header names each.
 * *missing is the first that it does not name once, or NULL where its name is not known. */
static bool find_among_more(struct run *run, const struct csv *csv, struct rows_layout *layout,
                            const char **missing) {
    const char **names = arena_array(run->arena, const char *, csv->columns);
    struct header header = sort_header(run, csv);
    size_t *found = find_cells(run, &header, layout, names);
    for (int64_t cell = 0; cell < layout->cells; cell++)
        if (found[cell] == csv->columns) {
            *missing = names[cell];
            return false;
        }
    layout->order = found;
    return true;
}

/* The last target may be one cell, its class, which the header names like all others. */
static void find_one_hot(struct run *run, const struct csv *csv, struct rows_layout *layout) {
    const struct rows_slot *last = &layout->slots[layout->count - 1];
    struct rows_layout narrow = rows_plan(run, true, layout->cells - last->inner + 1);
    const char *missing;
    if (last->inner > 1 && narrow.cells < (int64_t)csv->columns &&
        find_among_more(run, csv, &narrow, &missing))
        *layout = narrow;
}

/* Inputs are wanted, and the file has the targets as well, in the place that they have in data. */
static bool leave_targets(struct run *run, const struct csv *csv, struct rows_layout *layout) {
    struct rows_layout all = rows_plan(run, true, (int64_t)csv->columns);
    const int64_t targets = all.cells - layout->cells;
    if (!match_header(run, csv, &all))
        return false;
    const size_t first = rows_file_column(&all, layout->cells);
    size_t *order = arena_array(run->arena, size_t, (size_t)layout->cells);
    for (int64_t cell = 0; cell < layout->cells; cell++)
        order[cell] = rows_file_column(&all, cell);
    layout->order = order;
    diagnostic_warning(run->sink, (struct span){0},
                       "%s: found %zu columns where the inputs take %lld: %s taken for %s, and passed over",
                       csv->name, csv->columns, (long long)layout->cells,
                       targets > 1  ? text_format(run->arena, "%lld are", (long long)targets)
                       : csv->names ? text_format(run->arena, "'%.60s' is", csv->names[first])
                                    : "the last is",
                       targets == 1 ? "the target" : "targets");
    return true;
}

static bool fail_more(struct run *run, const struct csv *csv, const struct rows_layout *layout,
                      const char *missing) {
    const char *way = text_format(run->arena,
                                  "cut the others off, or declare an input for each, named as in %s, as in "
                                  "'input age : f64[batch, 1]'",
                                  csv->names ? "the header" : "a header (a first line without numbers)");
    size_t count = 0;
    for (size_t k = 0; missing && k < csv->columns; k++)
        count += strcmp(csv->names[k], missing) == 0;
    const char *nearest =
        missing && !count ? text_nearest(missing, (const char *const *)csv->names, csv->columns) : NULL;
    if (missing)
        way = text_format(run->arena,
                          "of more columns those are read that the header names, and '%.60s' is not there"
                          "%s%s%.60s%s",
                          missing, count ? " once" : "", nearest ? " (did you mean '" : "",
                          nearest ? nearest : "", nearest ? "'?)" : "");
    return failure_set(run->failure, FAILURE_DATA, "%s: found %zu columns, expected %lld: %s; %s", csv->name,
                       csv->columns, (long long)layout->cells, layout_text(run, layout), way);
}

/* For a file with another number of columns than the layout has cells: which of them are read. */
static bool choose_columns(struct run *run, struct csv *csv, struct rows_layout *layout) {
    const int64_t columns = (int64_t)csv->columns;
    const bool whole = layout->count && layout->slots[layout->count - 1].column->is_target;
    const char *missing = NULL;
    if (csv->names && whole)
        find_one_hot(run, csv, layout);
    if (columns < layout->cells)
        return rows_fail_count(run, layout, csv->name, columns);
    if (!layout->order && (!csv->names || !find_among_more(run, csv, layout, &missing))) {
        if (whole || rows_plan(run, true, columns).cells != columns)
            return fail_more(run, csv, layout, missing);
        if (!leave_targets(run, csv, layout))
            return false;
    }
    bool *wanted = arena_array(run->arena, bool, csv->columns);
    for (int64_t cell = 0; cell < layout->cells; cell++)
        wanted[layout->order[cell]] = true;
    csv_select(csv, wanted);
    return true;
}

bool rows_fit(struct run *run, struct csv *csv, struct rows_layout *layout) {
    const bool same = (int64_t)csv->columns == layout->cells;
    return (same ? match_header(run, csv, layout) : choose_columns(run, csv, layout)) &&
           classes_follow(run, csv, layout);
}

/* ---- one row ---- */

static bool fail_cell(struct run *run, const struct rows_slot *slot, int64_t cell,
                      const struct rows_place *place, const char *found, const char *expected) {
    const struct column *column = slot->column;
    const char *name = place->name, *kind = column->is_target ? "target" : "input";
    if (place->csv)
        return failure_set_at(run->failure, FAILURE_DATA, csv_place(place->csv, (size_t)cell),
                              "found %s; the %s '%s' (%s) holds %s", found, kind, column->name,
                              run_place(run, column->span, column->span), expected);
    for (int i = 0; i < place->part_count - 1 && cell >= place->parts[i].cells; i++) {
        cell -= place->parts[i].cells;
        name = place->parts[i + 1].name;
    }
    return failure_set(run->failure, FAILURE_DATA, "%s:%zu:%lld: found %s; the %s '%s' (%s) holds %s", name,
                       place->line, (long long)cell + 1, found, kind, column->name,
                       run_place(run, column->span, column->span), expected);
}

/* The cell as messages show it: a class name, or a number. */
static const char *cell_text(struct run *run, const struct rows_place *place, int64_t cell, double value) {
    if (place->csv) {
        struct table_labels labels = csv_labels(place->csv, (size_t)cell);
        if (labels.count && value >= 0 && value < (double)labels.count)
            return text_format(run->arena, "the name '%.60s'", labels.names[(size_t)value]);
    }
    return text_number(run->arena, value, false);
}

/* The names that stood before one too many: "the 3 names plum, lemon, apple; did you mean 'apple'?" */
static const char *names_text(struct run *run, const struct table_labels *labels, int64_t classes) {
    enum { NAMES_LISTED = 20 };
    struct text text = {.arena = run->arena};
    text_print(&text, "%lld names: ", (long long)classes);
    for (int64_t i = 0; i < classes && i < NAMES_LISTED; i++)
        text_print(&text, "%s%.60s", i ? ", " : "", labels->names[i]);
    const char *nearest =
        text_nearest(labels->names[classes], (const char *const *)labels->names, (size_t)classes);
    text_print(&text, classes > NAMES_LISTED ? " and others" : "");
    if (nearest)
        text_print(&text, "; did you mean '%.60s'?", nearest);
    return text_string(&text);
}

static bool store_class(struct run *run, const struct rows_slot *slot, int64_t cell, double value,
                        int64_t classes, const struct rows_place *place) {
    if (value >= 0 && value < (double)classes && value == floor(value))
        return true;
    const char *expected =
        classes == 1 ? "class 0 only"
                     : text_format(run->arena, "classes 0 to %lld, or as many names", (long long)classes - 1);
    struct table_labels labels = {NULL, 0};
    if (place->csv)
        labels = csv_labels(place->csv, (size_t)cell);
    if (value == (double)classes && labels.count > (size_t)classes)
        expected = names_text(run, &labels, classes);
    else if (value == (double)classes)
        expected =
            text_format(run->arena, "%s (if yours begin at 1, say 'of %lld': class 0 has no rows then)",
                        expected, (long long)classes + 1);
    return fail_cell(run, slot, cell, place, cell_text(run, place, cell, value), expected);
}

/* A name where numbers are expected. */
static bool fail_name(struct run *run, const struct rows_slot *slot, int64_t cell, double value,
                      const struct rows_place *place) {
    const char *name = csv_labels(place->csv, (size_t)cell).names[(size_t)value];
    return fail_cell(run, slot, cell, place, cell_text(run, place, cell, value),
                     csv_decimal_comma(name) ? "numbers, whose decimal sign is a point" : "numbers");
}

static bool store_number(struct run *run, const struct rows_slot *slot, int64_t cell, double value, void *to,
                         int64_t index, const struct rows_place *place) {
    if (place->csv && !slot->column->classes && csv_labels(place->csv, (size_t)cell).count)
        return fail_name(run, slot, cell, value, place);
    switch (slot->column->node->type.element) {
    case ELEMENT_F64:
        ((double *)to)[index] = value;
        return true;
    case ELEMENT_F32:
        ((float *)to)[index] = (float)value;
        return isfinite(((float *)to)[index]) ||
               fail_cell(run, slot, cell, place, cell_text(run, place, cell, value),
                         "numbers of 32 bits, up to 3.4e38");
    default:
        break;
    }
    if (slot->column->classes) {
        if (!store_class(run, slot, cell, value, slot->column->classes, place))
            return false;
    } else if (!(value >= INT32_MIN && value <= INT32_MAX && value == floor(value)))
        return fail_cell(run, slot, cell, place, cell_text(run, place, cell, value),
                         "whole numbers of 32 bits");
    else if (slot->column->limit && !(value >= 0 && value < (double)slot->column->limit))
        return fail_cell(run, slot, cell, place, cell_text(run, place, cell, value),
                         text_format(run->arena, "0 to %lld, as it is looked up in a table of %lld entries",
                                     (long long)slot->column->limit - 1, (long long)slot->column->limit));
    ((int32_t *)to)[index] = (int32_t)value;
    return true;
}

static bool store_one_hot(struct run *run, const struct rows_slot *slot, int64_t cell, double value, void *to,
                          int64_t row, const struct rows_place *place) {
    bool single = slot->column->node->type.element == ELEMENT_F32;
    if (!store_class(run, slot, cell, value, slot->inner, place))
        return false;
    for (int64_t k = 0; k < slot->inner; k++) {
        double one = k == (int64_t)value ? 1 : 0;
        if (single)
            ((float *)to)[row * slot->inner + k] = (float)one;
        else
            ((double *)to)[row * slot->inner + k] = one;
    }
    return true;
}

bool rows_store(struct run *run, const struct rows_layout *layout, const double *cells,
                const struct rows *rows, int64_t row, const struct rows_place *place) {
    int64_t cell = 0;
    for (int i = 0; i < layout->count; i++) {
        const struct rows_slot *slot = &layout->slots[i];
        void *to = rows->columns[slot->column->node->attributes.index];
        for (int64_t k = 0; k < slot->cells; k++) {
            size_t at = rows_file_column(layout, cell + k);
            if (!(slot->one_hot ? store_one_hot : store_number)(run, slot, (int64_t)at, cells[at], to,
                                                                slot->one_hot ? row : row * slot->inner + k,
                                                                place))
                return false;
        }
        cell += slot->cells;
    }
    return true;
}

void rows_reserve(struct run *run, const struct rows_layout *layout, struct rows *rows, int64_t count,
                  int64_t capacity) {
    if (!rows->columns)
        rows->columns = arena_array(run->arena, void *, (size_t)run->model->column_count);
    for (int i = 0; i < layout->count; i++) {
        const struct rows_slot *slot = &layout->slots[i];
        void **column = &rows->columns[slot->column->node->attributes.index];
        size_t size = (size_t)slot->inner * element_size(slot->column->node->type.element);
        *column = arena_grow(run->arena, *column, (size_t)count, (size_t)capacity, size);
    }
}
