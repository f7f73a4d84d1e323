/* Arrays in NumPy's NPY format.
 *
 * Source: "NEP 1: A simple file format for NumPy arrays", with the later versions 2.0 and 3.0.
 */
#ifndef NN_NPY_H
#define NN_NPY_H

#include "support/failure.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TENSOR_RANK_LIMIT = 8 };

struct tensor {
    int rank;
    int64_t dims[TENSOR_RANK_LIMIT];
    double *values; /* row-major; one value when rank is 0 */
};

/* Reads b1, u1 to u8, i1 to i8, f2, f4 and f8 of either byte order, in C or Fortran order, into the arena.
 * NaN and infinities are taken as they are.  FAILURE_DATA for anything that is not such a file to the last
 * byte, and for an integer that a 64-bit float cannot hold. */
bool npy_read(struct arena *arena, const char *path, struct tensor *tensor, struct failure *failure);
/* The same from memory (a member of an NPZ file); `name` is for messages.  The bytes are not kept. */
bool npy_parse(struct arena *arena, const char *name, const unsigned char *bytes, size_t size,
               struct tensor *tensor, struct failure *failure);
/* Writes f8, version 1.0, whole or not at all (see atomic_file.h). */
bool npy_write(const char *path, const struct tensor *tensor, struct failure *failure);

#endif
