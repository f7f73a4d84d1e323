/* The model as machine code, for --jit: its emitted C, compiled by the machine's own compiler and loaded.
 *
 * It computes the interpreter's bits, so each run of a plan may be done either way.  Where there is no
 * compiler, or C cannot do what the model does, run->compiled stays NULL and everything is interpreted.
 */
#ifndef NN_COMPILED_H
#define NN_COMPILED_H

#include "interpreter.h"
#include "run.h"

/* Sets run->compiled, once the rows are there and before the weights are.  `threads` are for large layers. */
void compiled_make(struct run *run, int threads);

/* Where the compiled code has its weights, by model weight; the run's are to lie there. */
void **compiled_weights(struct compiled *compiled);

/* Do what an interpreter of the same job would; false, and nothing done, where it has to be interpreted:
 * compiled is NULL, there is no such job, or the rows are too many for the memory that the code has. */
bool compiled_train(struct compiled *compiled, const struct batch *batch, double *loss);
/* values: the loss, then all numbers of the metrics */
bool compiled_evaluate(struct compiled *compiled, const struct batch *batch, double *values);
bool compiled_predict(struct compiled *compiled, const struct batch *batch);

#endif
