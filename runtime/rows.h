/* Rows for a model, laid out column by column.
 *
 * A row of data is a line of cells.  They fill the model's columns in the order of its inputs, then of its
 * targets; a column takes as many cells as one row of it has elements.  Two rules bend that for classes: a
 * class may be a name in a file, and where one cell is left for a real target of several elements, that cell
 * is a class and the target is 1 there and 0 elsewhere.
 */
#ifndef NN_ROWS_H
#define NN_ROWS_H

#include "data/csv.h"
#include "model/model.h"

struct run;

/* Which cells fill a column of the model. */
struct rows_slot {
    const struct column *column;
    int64_t inner; /* elements of one row of the column */
    int64_t cells; /* inner, or 1 where a class becomes a one-hot row */
    bool one_hot;
};

struct rows_layout {
    struct rows_slot *slots; /* (count) in the order of the cells */
    int count;
    int64_t cells;       /* of a row */
    const size_t *order; /* (cells) the file's column of each; NULL: as they stand */
};

struct rows {
    int64_t count;
    void **columns; /* by input index: count x inner, row-major, of the column's element type; NULL: not
                       filled */
};

/* One of several files that a row's cells come from, one after the other. */
struct rows_part {
    const char *name;
    int64_t cells;
};

/* Where a row of cells comes from, for messages; `line` is that of the file, or the row's number from 1. */
struct rows_place {
    const char *name;
    size_t line;
    const struct csv *csv;         /* NULL: not from a CSV file */
    const struct rows_part *parts; /* (part_count) the files where there are several; 0: `name` is all */
    int part_count;
};

/* The cells that fill the model's inputs, and with `targets` its targets; `cells` is how many a row has,
 * which decides whether the last target is one-hot (0: as many as the inputs take). */
struct rows_layout rows_plan(struct run *run, bool targets, int64_t cells);

/* FAILURE_DATA: the source `name` has `cells` cells in a row, the layout another number. */
bool rows_fail_count(struct run *run, const struct rows_layout *layout, const char *name, int64_t cells);

/* Makes an opened file ready to be read with the layout: a header's names say where columns of one cell
 * stand, and those that the header of an earlier file named; the run's class names keep their numbers.  A
 * file may have more columns where its header names all that are wanted, or where inputs are wanted and the
 * targets follow; of these only the wanted ones are read.  FAILURE_DATA for a header that names some of the
 * columns in another order, and not all, and for a number of columns that does not fit. */
bool rows_fit(struct run *run, struct csv *csv, struct rows_layout *layout);
/* The column of the file, from 0, that cell `cell` of the layout comes from. */
size_t rows_file_column(const struct rows_layout *layout, int64_t cell);

/* Room for `capacity` rows in the columns of the layout, which keep their first `count` rows. */
void rows_reserve(struct run *run, const struct rows_layout *layout, struct rows *rows, int64_t count,
                  int64_t capacity);

/* Puts the cells of one row into row `row` of the columns.  FAILURE_DATA for a class out of range, a number
 * that the column cannot hold, or a name where a number is expected. */
bool rows_store(struct run *run, const struct rows_layout *layout, const double *cells,
                const struct rows *rows, int64_t row, const struct rows_place *place);

#endif
