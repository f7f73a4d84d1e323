/* Where rows come from: what a `data` statement says is made or read.
 *
 * A source gives rows of cells; how they fill the model's columns is the same for all (rows.h).
 */
#ifndef NN_SOURCES_H
#define NN_SOURCES_H

#include "rows.h"

/* Makes or reads the rows of model->data[index]; files are named relative to the model's.  Random rows are
 * drawn as docs/language.md says under "Seeds".  FAILURE_DATA when they do not fit the model. */
bool sources_make(struct run *run, int index, struct rows *rows);
/* How many rows the file of model->data[index] has, where that is not yet an error: its class names stay with
 * the run.  0: there is no file, it cannot be read, or it is too large to be read for so little. */
int64_t sources_count(struct run *run, int index);

#endif
