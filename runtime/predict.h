/* The model's outputs for rows of its inputs. */
#ifndef NN_PREDICT_H
#define NN_PREDICT_H

#include "run.h"
#include <stdio.h>

struct predictor;

/* A plan of `outputs` (count), bound to the run's weights, with room for `capacity` rows of inputs. */
struct predictor *predictor_new(struct run *run, const struct result *outputs, int count, int64_t capacity);
/* The inputs' columns, to be filled with rows_store. */
struct rows *predictor_rows(struct predictor *predictor);
const struct rows_layout *predictor_layout(const struct predictor *predictor);
/* Computes the outputs for the first `rows` rows. */
void predictor_run(struct predictor *predictor, int64_t rows);
/* The values of output `index`: rows x inner, of its element type. */
const void *predictor_values(const struct predictor *predictor, int index);

/* Reads rows of inputs as CSV from `path` ("-": standard input) and prints a header and a CSV row of all
 * outputs for each, in memory that does not grow with the number of rows, and without waiting for rows that
 * have not arrived.  Only a model whose outputs mix rows, by a mean over the batch, has to see all of them
 * first.  A model without inputs gives one row, and reads nothing.  false after a failure in run->failure;
 * whether `out` took it all is the caller's to ask. */
bool predict_file(struct run *run, const char *path, FILE *out);

#endif
