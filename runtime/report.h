/* What a model is, and what its training would do, in words. */
#ifndef NN_REPORT_H
#define NN_REPORT_H

#include "run.h"

/* Inputs, outputs, weights with their shapes, params, and what can be done next. */
void report_summary(struct run *run, struct text *out);
/* The numbers that take effect, and the plans of a training step and of a prediction.  The rows are those at
 * hand. */
void report_explanation(const struct run *run, struct text *out);
void report_version(struct text *out);

#endif
