/* The names of classes that a file's text cells stand for, and those of its columns.
 *
 * Classes are numbered as training first met them, and columns stand as its header had them.  The weights
 * mean those numbers and that order, so the names live as long as the weights do: in a run for all data that
 * it reads, and in the weights' file as metadata:
 *
 *     "classes.t":    "setosa\nversicolor"    of a column of one cell, in the order of their numbers
 *     "classes.x[2]": ""                      of the third cell of a column; it held numbers, not names
 *     "classes.x":    "F\ni\nr\ns\nt"          of all cells of a column of text, by character
 *     "columns.x":    "long\nwide"            of the cells of a column, by the header
 *
 * A cell of CSV ends in its line, so a line feed can separate names. */
#ifndef NN_CLASSES_H
#define NN_CLASSES_H

#include "data/csv.h"
#include "data/safetensors.h"
#include "rows.h"

/* Of one column of the model. */
struct class_names {
    bool known;
    int64_t cells;               /* that a row of it took in the file */
    struct table_labels *labels; /* (cells) count 0: numbers */
    struct table_labels header;  /* what the header called its cells; count 0: not known */
};

/* Before the first row is read: the names that are known keep their numbers in it, and no new one is taken.
 */
bool classes_follow(struct run *run, struct csv *csv, const struct rows_layout *layout);
/* After the last row: its names are known from now on. */
void classes_keep(struct run *run, const struct csv *csv, const struct rows_layout *layout);

/* The characters of the run's text, as names of the first input; NULL: none are known. */
const struct table_labels *classes_of_text(const struct run *run);
/* After text was read from `path`: every column holds characters of these names from now on. */
void classes_keep_text(struct run *run, const struct table_labels *labels, const char *path);

/* The names as metadata of the weights' file: entries (the number returned) in the run's arena. */
size_t classes_save(const struct run *run, struct safetensors_text **entries);
/* And back, replacing none that the file does not hold.  Names of columns that the model has not are a
 * warning. */
bool classes_load(struct run *run, const struct safetensors *file, const char *path);

/* What the header that was learnt from called a cell of a slot, `count` of which fill it; NULL: not known. */
const char *classes_header(const struct run *run, int64_t index, int64_t count, int64_t cell);
/* Warns of a target that has more classes than the rows of the training data are of. */
void classes_warn_absent(struct run *run);
/* The names of column `index` where a row of it is one cell of text; or NULL. */
const struct table_labels *classes_names(const struct run *run, int index);
/* The names of the model's only target where that is a class (or a one-hot row) of `classes`; or NULL. */
const struct table_labels *classes_of_target(const struct run *run, int64_t classes);

#endif
