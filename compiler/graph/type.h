/* Element types and shapes of the values in a graph.
 *
 * One dimension may be symbolic: BATCH, the number of rows, which is known only when rows arrive.  A shape
 * holds it at most once.  Everything else is a number.
 */
#ifndef NN_TYPE_H
#define NN_TYPE_H

#include "support/text.h"
#include <stdbool.h>
#include <stdint.h>

enum element { ELEMENT_F32, ELEMENT_F64, ELEMENT_INT };

enum { RANK_MAX = 8 };

/* More elements than this in one tensor is an error: products of dimensions then never overflow. */
#define ELEMENTS_MAX ((int64_t)1 << 40)

#define BATCH ((int64_t)-1)

struct shape {
    int rank;
    int64_t dims[RANK_MAX]; /* unused entries are 0, so that shapes compare by memcmp */
};

struct type {
    enum element element;
    struct shape shape;
};

const char *element_name(enum element element); /* "f32", "f64", "int" */
size_t element_size(enum element element);      /* bytes */

struct shape shape_scalar(void);
bool shape_equal(const struct shape *a, const struct shape *b);
/* The axis that is BATCH, or -1. */
int shape_batch_axis(const struct shape *shape);
/* Elements of one row: the product of all dimensions but BATCH. */
int64_t shape_inner_size(const struct shape *shape);
/* Those of them below one place of an axis: how far it is in memory to the next place. */
int64_t shape_size_below(const struct shape *shape, int64_t axis);
/* The shape without its batch axis. */
struct shape shape_inner(const struct shape *shape);
/* NumPy's rule; false if the two cannot be broadcast together. */
bool shape_broadcast(const struct shape *a, const struct shape *b, struct shape *result);
/* The axis `axis` counted from the end when negative, or -1 if the shape has no such axis. */
int shape_axis(const struct shape *shape, int64_t axis);
struct shape shape_without(const struct shape *shape, int axis);

/* "[batch, 3]", with the model's own name for the symbolic dimension; "a scalar" for rank 0. */
const char *shape_text(struct arena *arena, const struct shape *shape, const char *batch_name);
const char *type_text(struct arena *arena, const struct type *type, const char *batch_name);

#endif
