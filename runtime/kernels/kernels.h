/* What the interpreter computes with: the same kernels compiled several times, for each instruction set and
 * for both floating-point modes, of which one set is chosen when the program starts.
 */
#ifndef NN_KERNELS_H
#define NN_KERNELS_H

#include "graph/graph.h"
#include "kernels/convolution.h"

/* What a kernel reads for each element of a result: the plane at `at`, `step` bytes further for the next element, or
 * step * index[e] where there is an index.  scalar: a plane is one number, which serves all rows. */
struct planes {
    const char *at;
    int64_t step;
    const int64_t *index;
    bool scalar;
    int64_t length; /* folds: so many elements are joined into one */
};

/* Of `arity` operands, bit k: operand k is one number. */
static inline int single_numbers(const struct planes *x, int arity) {
    return x[0].scalar | (arity > 1 && x[1].scalar) << 1 | (arity > 2 && x[2].scalar) << 2;
}

/* For each of `count` elements and its n rows: y[e][i] = maths(x[0][e][i], x[1][e][i], x[2][e][i]). */
typedef void elementwise_kernel(long count, long n, void *y, const struct planes *x);

/* Joins rows 0..rows-1 of each plane to LANES accumulators of its own, which begin with this tile if `first`. */
typedef void sweep_kernel(long count, long rows, const struct planes *x, bool first, void *lanes);

/* The lanes as a tree: lane i and lane i + half, until one is left. */
typedef void tree_kernel(long count, const void *lanes, void *y);

struct real_kernels {
    elementwise_kernel *elementwise[OPERATOR_COUNT]; /* NULL for structural operators */
    /* The same where n is a whole number of LANES, by single_numbers, and where it is 1. */
    elementwise_kernel *const *whole[OPERATOR_COUNT];
    elementwise_kernel *single[OPERATOR_COUNT];
    /* NULL for all but folds: y[e][i] = element e * length of x joined with those that follow it, by the fold's step. */
    elementwise_kernel *folds[OPERATOR_COUNT];
    sweep_kernel *sweep[OPERATOR_COUNT];
    tree_kernel *tree[OPERATOR_COUNT];
    void (*matmul_rows)(long n, long depth, long rows, long live, long stride, const void *x, long x_k, const void *w,
                        long w_k, long w_j, const void *c, long c_j, int c_rows, void *y);
    /* Of small.h: the same, see kernels_small. */
    void (*matmul_rows_small)(long n, long depth, long rows, long stride, const void *x, long x_k, const void *w, long w_k,
                              long w_j, const void *c, long c_j, int c_rows, void *y);
    void (*matmul_planes)(long m, long n, long depth, long rows, long stride, const void *a, long a_i, long a_k,
                          const void *b, long b_k, long b_j, const void *c, long c_i, long c_j, int c_rows,
                          void *y);
    void (*matmul_lanes)(long m, long n, long rows, long stride, const void *a, long a_i, const void *b,
                         long b_j, bool first, void *lanes);
    void (*matmul_chain)(long m, long n, long rows, long stride, const void *a, long a_i, const void *b,
                         long b_j, bool first, void *y, long y_i);
    void (*matmul_once)(long m, long n, long depth, const void *a, long a_i, long a_k, const void *b,
                        long b_k, long b_j, const void *c, long c_i, long c_j, void *y);
    void (*matmul_inner)(long m, long n, long depth, const void *a, long a_i, const void *b, long b_j,
                         const void *c, long c_i, long c_j, void *y);
    /* Of gather.h: one part of a concatenation; entries of a table by their indices, and added into one. */
    void (*concat)(long outer, long run, long wide, long rows, long stride, const void *x, void *y);
    void (*gather)(long count, long width, long limit, long rows, long stride, const int32_t *index,
                   long index_e, long index_r, const void *table, long table_e, long table_r, void *y);
    void (*scatter)(long count, long width, long limit, long rows, long stride, const int32_t *index,
                    long index_e, long index_r, const void *x, void *table, long table_e, long table_r);
    /* Of random.h: uniform numbers of an update. */
    void (*noise)(long n, uint64_t seed, uint32_t stream, uint32_t update, uint64_t first, uint64_t distance,
                  void *y);
    /* Of convolve.h. */
    void (*convolve)(const struct convolution *shape, long turn, long turns, long rows, long stride,
                     const void *x, const void *w, const void *c, long c_j, void *y);
    void (*convolve_weights)(const struct convolution *shape, long turn, long turns, long rows, long stride,
                             const void *x, const void *g, void *lanes);
    void (*overlap)(long outer, long n, long places, long size, long step, long dilation, long inside,
                    long rows, long stride, const void *x, void *y);
    /* planes[e][r] = rows[order[r]][e] (order NULL: r), and 0 for r in [count, stride) */
    void (*load)(int64_t inner, int64_t count, int64_t stride, const void *rows, const uint32_t *order,
                 void *planes);
};

/* Does matmul_rows_small take less time?  It packs nothing and calls nothing; but it fills no vectors with weights where
 * there are few rows, and does not go on to the next results with what it has read. */
static inline bool kernels_small(long results, long terms, long rows) {
    return rows >= 8 ? terms <= 32 && (terms > 4 || results < 16) : results * terms < 100;
}

struct kernels {
    const char *name; /* "AVX2", "AVX2 with FMA", ... */
    bool fused;
    const struct real_kernels *f32, *f64;
    /* Of random.h: they call functions whose bits depend on the mode. */
    double (*normal)(uint64_t seed, uint32_t stream, uint64_t index);
    /* y[i] = x[i], or x[0] where x_scalar, of another element type; whole numbers that do not fit become INT32_MIN. */
    void (*convert)(enum element from, enum element to, long n, const void *x, bool x_scalar, void *y);
    void (*spiral)(uint64_t seed, uint32_t stream, uint64_t classes, uint64_t points, double noise,
                   int random_radius, double *rows);
};

/* The widest set that this processor runs, in the mode asked for; NULL: it has no fused multiply-add. */
const struct kernels *kernels_choose(bool fused);

#endif
