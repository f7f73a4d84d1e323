/* How an operation reads one of its operands: views (reshape, expand, transpose, slice, window) become index
 * arithmetic.
 *
 * An iteration is a shape whose elements are visited in row-major order; its batch axis is visited by the
 * rows of a tile instead and takes no part in the index.
 */
#ifndef NN_ACCESS_H
#define NN_ACCESS_H

#include "graph/graph.h"

struct access {
    struct node *source; /* the node in whose memory the elements lie, or a leaf */
    bool rows;           /* it has a value for each row */
    int rank;            /* of the iteration, the batch axis counted with size 1 */
    int64_t sizes[RANK_MAX];
    int64_t strides[RANK_MAX]; /* elements of one row of the source for a step along each axis */
    int64_t offset;
    bool uniform;  /* one element for all of the iteration */
    bool identity; /* element i of the iteration is element i of the source */
};

struct access access_of(struct node *operand, const struct shape *iteration);

/* The element of the source for the iteration's element `index`, 0 <= index < product of sizes. */
int64_t access_index(const struct access *access, int64_t index);

/* The node that holds `node`'s elements: reshapes share their operand's memory. */
struct node *storage_of(struct node *node);

#endif
