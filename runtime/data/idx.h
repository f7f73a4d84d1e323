/* Arrays in the IDX format, that of the MNIST images: item after item.
 *
 * Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", at its end.  Two zero
 * bytes, a byte for the type, a byte for the number of axes, each axis's length in four bytes, and the
 * numbers, all big-endian.  The first axis counts the items.  Plain or compressed with gzip.
 */
#ifndef NN_IDX_H
#define NN_IDX_H

#include "data/byte_file.h"
#include <stdint.h>

enum { IDX_RANK_LIMIT = 8 };

/* The struct is the caller's; nothing is allocated, whatever the header says. */
struct idx {
    int rank; /* 1 .. IDX_RANK_LIMIT */
    int64_t dims[IDX_RANK_LIMIT];
    int64_t inner; /* numbers of an item: the product of dims[1] and all that follow */

    /* Private. */
    struct byte_file file;
    int type, size; /* of a number in bytes */
    int64_t next;   /* item, from 0 */
};

/* Opens and reads the header; idx_close is due in any case.  u1, i1, i2, i4, f4 and f8 are read.
 * FAILURE_DATA for anything else, for an axis of length 0, and for items of more than 2^31 numbers. */
bool idx_open(struct idx *idx, const char *path, struct failure *failure);
bool idx_open_file(struct idx *idx, FILE *file, const char *name, struct failure *failure);
/* Fills values (idx->inner) with the next item, of which there are dims[0].  FAILURE_DATA where the file ends
 * first, and for a number that is not finite. */
bool idx_next(struct idx *idx, double *values, struct failure *failure);
/* After the last item: FAILURE_DATA where more bytes follow. */
bool idx_finish(struct idx *idx, struct failure *failure);
void idx_close(struct idx *idx);

#endif
