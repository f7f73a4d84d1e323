/* Tables of numbers and class names from CSV text, whole or a row at a time.
 *
 * What is read:
 *  - Cells are separated by commas; when the first line has none, or semicolons and commas between digits
 *    only, by semicolons; else by tabs; else by runs of blanks.  Blanks around a cell do not count.  A cell
 *    may stand in double quotes ("" is a quote in it) and ends in its line.  Blank lines and lines that start with # are skipped.  LF or CRLF; a UTF-8 mark at the
 *    start is skipped.
 *  - The first line is a header when it holds text and no number.
 *  - The first row fixes what a column holds.  Numbers are finite decimals, rounded correctly to 64 bits,
 *    whatever the locale.  A column of text holds class names, which become 0, 1, 2, ... in the order in
 * which they first appear; in such a column a name that looks like a number must be quoted.
 *  - Anything else is an error (FAILURE_DATA) with the line and the cell as its place: a text among numbers,
 * a bare number among names, an empty cell, "nan" and "inf", a number out of range, a row with more or fewer
 * cells, a NUL byte, a line of more than 64 MiB.
 *  - Built with HAVE_ZLIB, files may be compressed with gzip; standard input may not.
 */
#ifndef NN_CSV_H
#define NN_CSV_H

#include "data/byte_file.h"
#include "support/failure.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* The class names of one column of text; names[i] is class i.  count is 0 for a column of numbers. */
struct table_labels {
    char **names;
    size_t count;
};

struct table {
    size_t rows, columns;
    double *values;              /* (rows, columns) */
    char **names;                /* (columns) from the header, or NULL */
    struct table_labels *labels; /* (columns) */
};

/* Reads all of `path` ("-" is standard input) into `table`, whose memory is the arena's.  At least one row.
 * `like`, unless NULL, is an earlier table: there must be as many columns, of the same kinds, and its class
 * names keep their numbers; a new one is an error.  (Read test data like training data.) */
bool csv_read(struct arena *arena, const char *path, const struct table *like, struct table *table,
              struct failure *failure);
/* The same from an open file, which stays open; `name` is for messages. */
bool csv_read_file(struct arena *arena, FILE *file, const char *name, const struct table *like,
                   struct table *table, struct failure *failure);

struct csv_column;
struct csv_cell;

/* A file that is read row by row.  The struct is the caller's; its memory is the arena's and does not grow
 * with the number of rows.  A row is returned as soon as its line is there, so a pipe can be answered. */
struct csv {
    size_t columns;
    char **names; /* (columns) from the header, or NULL */

    /* Private. */
    struct arena *arena;
    const char *name;
    struct byte_file file;
    bool failed;
    bool pending; /* the first row was read when the file was opened */
    char separator;
    size_t line_number, line_length, line_capacity;
    char *line, *unsplit; /* the line at hand, and as it stood before it was split */
    size_t unsplit_length, unsplit_capacity;
    struct csv_cell *cells;
    size_t cell_count, cell_capacity;
    struct csv_column *kinds; /* (columns), NULL before the first row */
    size_t header_line, first_line;
    bool labels_fixed;
    const char *labels_from; /* where the fixed ones come from, or NULL */
    const bool *wanted;      /* (columns), or NULL: all are */
};

enum csv_result { CSV_ROW, CSV_END, CSV_FAILED };

/* Opens, and reads the header and the first row.  csv_close is due in any case, also when the arena ran out
 * of memory in a call below: keep the struct where the handler of that jump finds it. */
bool csv_open(struct csv *csv, struct arena *arena, const char *path, const struct table *like,
              struct failure *failure);
bool csv_open_file(struct csv *csv, struct arena *arena, FILE *file, const char *name,
                   const struct table *like, struct failure *failure);
/* Between opening and the first row: what columns hold is as in `like`, and its class names keep their
 * numbers; `from` is where they come from, for messages, or NULL. */
bool csv_follow(struct csv *csv, const struct table *like, const char *from, struct failure *failure);
/* Between opening and the first row: cells of columns that are not `wanted` (columns; the caller's) may hold
 * anything, and leave their place in a row as it is. */
void csv_select(struct csv *csv, const bool *wanted);
/* Fills row (columns) with the next row.  A file with another number of columns is a failure. */
enum csv_result csv_next_row(struct csv *csv, double *row, size_t columns, struct failure *failure);
/* Is the text a number but for a decimal comma, "0,5"? */
bool csv_decimal_comma(const char *text);
/* The file's name in messages. */
const char *csv_name(const struct csv *csv);
/* The place of a cell in the line that was read last, its quotes included; the line's end where it has none.
 */
struct span csv_place(const struct csv *csv, size_t column);
/* The class names of a column so far. */
struct table_labels csv_labels(const struct csv *csv, size_t column);
void csv_close(struct csv *csv);

#endif
