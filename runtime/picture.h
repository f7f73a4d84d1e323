/* --plot: what the model learned in the plane, and how its loss fell. */
#ifndef NN_PICTURE_H
#define NN_PICTURE_H

#include "run.h"
#include "train.h"

/* Can regions be drawn: one real input of two columns, and an output for each class of one target? */
bool picture_fits(const struct run *run);
/* Why not, as a failure. */
bool picture_refuse(struct run *run);

/* Writes the SVG file `path`, with the regions where they fit and the curve of outcome's losses where there
 * are any, and prints the rough picture for the terminal to standard output. */
bool picture_write(struct run *run, const struct train_outcome *outcome, const char *path);

#endif
