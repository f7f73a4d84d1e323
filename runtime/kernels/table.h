/* Metrics that are more than one number, as lines to read.  nnrun compiles this text, and emitted programs
 * contain it, so that both print the same.
 */
#ifndef NN_TABLE_H
#define NN_TABLE_H

#include <stdio.h>

/*@ nn_print_table: */
/* What stands beside entry i: its name, or where there are none its number, written into `room`. */
static const char *nn_label(const char *const *names, long i, char *room) {
    if (names)
        return names[i];
    sprintf(room, "%ld", i);
    return room;
}

/* Characters of a text in UTF-8. */
static int nn_text_width(const char *text) {
    int width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xC0) != 0x80;
    return width;
}

/* The text behind blanks that fill it up to `width`. */
static void nn_print_right(FILE *out, int width, const char *text) {
    fprintf(out, "%*s%s", width - nn_text_width(text), "", text);
}

/* The width of column c with its label, in characters. */
static int nn_column_width(long rows, long columns, long c, const char *label, const double *values) {
    int width = nn_text_width(label);
    for (long r = 0; r < rows; r++) {
        const int number = snprintf(NULL, 0, "%.6g", values[r * columns + c]);
        width = number > width ? number : width;
    }
    return width;
}

/* values[rows][columns] under a title, one line a row; `header`: the columns have labels. */
static void nn_print_table(FILE *out, const char *title, long rows, long columns, int header,
                           const char *const *row_names, const char *const *column_names,
                           const double *values) {
    char room[32];
    int first = 0;
    for (long r = 0; r < rows; r++) {
        const int width = nn_text_width(nn_label(row_names, r, room));
        first = width > first ? width : first;
    }
    fprintf(out, "%s\n", title);
    for (long r = header ? -1 : 0; r < rows; r++) {
        const char *beside = r < 0 ? "" : nn_label(row_names, r, room);
        fprintf(out, "  %s%*s", beside, first - nn_text_width(beside), "");
        for (long c = 0; c < columns; c++) {
            const char *label = header ? nn_label(column_names, c, room) : "";
            const int width = nn_column_width(rows, columns, c, label, values);
            if (r < 0)
                nn_print_right(out, width + 2, label);
            else
                fprintf(out, "  %*.6g", width, values[r * columns + c]);
        }
        fputs("\n", out);
    }
}

/*@ nn_end: */

#endif
