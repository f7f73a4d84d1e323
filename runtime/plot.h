/* Pictures of a classifier in the plane, and of a loss: as SVG, or rough in the terminal. */
#ifndef NN_PLOT_H
#define NN_PLOT_H

#include "support/text.h"
#include <stdbool.h>
#include <stddef.h>

/* Fills probabilities (count, classes) for xy (count, 2).  false stops the drawing. */
typedef bool plot_predict(void *context, size_t count, const double (*xy)[2], double *probabilities);

struct plot_regions {
    const char *title;           /* UTF-8, any text */
    const char *x_name, *y_name; /* of the axes, or NULL */
    size_t classes;              /* at least 1 */
    const char *const *names;    /* (classes), or NULL for numbers */
    size_t count;
    const double (*xy)[2]; /* (count, 2); points that are not finite are left out */
    const int *labels;     /* (count), each in 0 .. classes - 1, or the point is left out */
    plot_predict *predict;
    void *context;
};

struct plot_curve {
    const char *title;
    const char *x_name;   /* "epoch", or NULL */
    const double *values; /* (count); one that is not finite is a gap */
    size_t count;
    double first, step; /* values[i] stands at first + i * step; step > 0 */
};

/* Prints one SVG file: the regions, shaded by probability, under the points (those that are misclassified
 * have a dark ring), and beside them the curve.  Either may be NULL.  Under 300 KB: of many points, some 3000
 * are drawn, and regions that are too ragged are drawn coarser.  false when predict said so.  Scratch is in
 * out->arena. */
bool plot_svg(const struct plot_regions *regions, const struct plot_curve *curve, struct text *out);

/* Prints `columns` x `rows` characters and a few lines around them: a region by the lower-case letter of its
 * class, blank where no class has half the probability; a point by the capital.  With `colour`, by ANSI's 256
 * colours. */
bool plot_terminal(const struct plot_regions *regions, int columns, int rows, bool colour, struct text *out);

#endif
