/* The loss and the metrics over a set of rows, in one batch. */
#ifndef NN_EVALUATE_H
#define NN_EVALUATE_H

#include "run.h"
#include <stdio.h>

struct evaluator;

/* A plan of the model's loss and metrics, bound to the run's weights; they may change between evaluations. */
struct evaluator *evaluator_new(struct run *run);
/* How many measures an evaluation takes: the loss, if the model has one, then the metrics. */
int evaluator_count(const struct evaluator *evaluator);
const char *evaluator_name(const struct evaluator *evaluator, int index);
/* Fills values (evaluator_count) for all `rows`; of a table, its first number. */
void evaluator_run(struct evaluator *evaluator, const struct rows *rows, double *values);

/* Prints "train  loss 0.1  accuracy 0.97" for the rows for training and the metrics that are tables, then the
 * same for those for testing, if there are any.  Emitted C prints the same. */
void evaluate_print(struct evaluator *evaluator, FILE *out);
/* Compares with the bound that the train block expects, on test rows if there are any.  Unmet: an error in
 * the sink. */
bool evaluate_expectation(struct evaluator *evaluator);

#endif
