/* Text that a model of characters writes: each character is drawn from what the model expects after those
 * before it, and then stands before the next. */
#ifndef NN_SAMPLE_H
#define NN_SAMPLE_H

#include "run.h"

/* Prints `prompt` (NULL: nothing; a line feed comes before then) and `count` characters behind it to `out`.
 * The model has one input, [batch, length] characters whose names are known, and its first output gives a
 * share for each character, [length, characters] or [characters].  The same seed, the same text.
 * FAILURE_DATA for another model, for a prompt of unknown characters, and for shares that are no numbers. */
bool sample_print(struct run *run, const char *prompt, int64_t count, FILE *out);

#endif
