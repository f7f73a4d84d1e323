/* The kernels for one element type: included by kernels.c with `real`, LANES and NAME(x) defined. */

static inline const real *NAME(plane)(const struct planes *x, long e) {
    return (const real *)(const void *)(x->at + (x->index ? x->index[e] : e) * x->step);
}

/* A loop for each choice of operands that are one number, so that each is vectorised by itself.  y may be one of the
 * operands: no number is read after another was written in its place. */
#define ELEMENTWISE(code, arity, callable, maths, ...)                                                       \
    static inline void NAME(code##_rows)(long n, real *y, const real *p, const long p_i, const real *q,      \
                                         const long q_i, const real *s, const long s_i) {                    \
        const real first[] = {*p, *q, *s};                                                                   \
        NO_CARRY for (long i = 0; i < n; i++) {                                                              \
            const real a = p_i ? p[i] : first[0], b = q_i ? q[i] : first[1], c = s_i ? s[i] : first[2];      \
            (void)a, (void)b, (void)c;                                                                       \
            y[i] = maths;                                                                                    \
        }                                                                                                    \
    }                                                                                                        \
    static void NAME(code)(long count, long n, void *result, const struct planes *x) {                       \
        enum { SECOND = arity > 1 ? 1 : 0, THIRD = arity > 2 ? 2 : 0 };                                      \
        const int scalars = x[0].scalar | (arity > 1 && x[SECOND].scalar) << 1 | (arity > 2 && x[THIRD].scalar) << 2; \
        real *y = result;                                                                                    \
        for (long e = 0; e < count; e++, y += n) {                                                           \
            const real *p = NAME(plane)(x, e), *q = NAME(plane)(x + SECOND, e), *s = NAME(plane)(x + THIRD, e); \
            switch (scalars & ((1 << arity) - 1)) {                                                          \
            case 0: NAME(code##_rows)(n, y, p, 1, q, 1, s, 1); break;                                        \
            case 1: NAME(code##_rows)(n, y, p, 0, q, arity > 1, s, arity > 2); break;                        \
            case 2: NAME(code##_rows)(n, y, p, 1, q, 0, s, 1); break;                                        \
            case 3: NAME(code##_rows)(n, y, p, 0, q, 0, s, arity > 2); break;                                \
            case 4: NAME(code##_rows)(n, y, p, 1, q, 1, s, 0); break;                                        \
            case 5: NAME(code##_rows)(n, y, p, 0, q, 1, s, 0); break;                                        \
            case 6: NAME(code##_rows)(n, y, p, 1, q, 0, s, 0); break;                                        \
            default: NAME(code##_rows)(n, y, p, 0, q, 0, s, 0);                                              \
            }                                                                                                \
        }                                                                                                    \
    }
#include "graph/elementwise.def"
#undef ELEMENTWISE

#include "kernels/matmul.h"

#include "kernels/small.h"

#include "kernels/gather.h"

#include "kernels/convolve.h"

/* Folds: `step` joins what is there, `a`, and the next value, `b`. */
#define FOLD(fold, step, start, ...)                                                                         \
    static void NAME(fold_##fold)(long count, long length, long n, void *result, const struct planes *x) {   \
        real *restrict y = result;                                                                           \
        for (long e = 0; e < count; e++, y += n) {                                                           \
            const real *const x0 = NAME(plane)(x, e * length);                                               \
            const real *const x1 = NAME(plane)(x, length > 1 ? e * length + 1 : e * length);                 \
            for (long i = 0; i < n; i++) {                                                                   \
                const real a = x0[i], b = x1[i];                                                             \
                y[i] = length > 1 ? step : a;                                                                \
            }                                                                                                \
            for (long k = 2; k < length; k++) {                                                              \
                const real *const z = NAME(plane)(x, e * length + k);                                        \
                for (long i = 0; i < n; i++) {                                                               \
                    const real a = y[i], b = z[i];                                                           \
                    y[i] = step;                                                                             \
                }                                                                                            \
            }                                                                                                \
        }                                                                                                    \
    }                                                                                                        \
    static void NAME(sweep_##fold)(long count, long rows, const struct planes *x, bool first, void *to) {    \
        real *restrict lanes = to;                                                                           \
        if (OPERATOR_##fold == OPERATOR_sum && !x->index) { /* several at a time */                          \
            NAME(sums_small)(count, rows, x, first, lanes);                                                   \
            return;                                                                                          \
        }                                                                                                    \
        const long rest = rows % LANES, whole = rows - rest;                                                 \
        for (long e = 0; e < count; e++, lanes += LANES) {                                                   \
            const real *const z = NAME(plane)(x, e);                                                         \
            real joined[LANES];                                                                              \
            for (long l = 0; l < LANES; l++)                                                                 \
                joined[l] = first ? (real)(start) : lanes[l];                                                \
            for (long r = 0; r < whole; r += LANES)                                                          \
                for (long l = 0; l < LANES; l++) {                                                           \
                    const real a = joined[l], b = z[r + l];                                                  \
                    joined[l] = step;                                                                        \
                }                                                                                            \
            if (rest) /* the padding of a tile is there to be read */                                        \
                for (long l = 0; l < LANES; l++) {                                                           \
                    const real a = joined[l], b = z[whole + l], next = step;                                 \
                    joined[l] = l < rest ? next : a;                                                         \
                }                                                                                            \
            for (long l = 0; l < LANES; l++)                                                                 \
                lanes[l] = joined[l];                                                                        \
        }                                                                                                    \
    }                                                                                                        \
    static void NAME(tree_##fold)(long count, const void *from, void *result) {                           \
        real *y = result;                                                                                    \
        if (OPERATOR_##fold == OPERATOR_sum) { /* several at a time */                                       \
            nn_trees(count, from, y);                                                                        \
            return;                                                                                          \
        }                                                                                                    \
        for (long i = 0; i < count; i++) {                                                                   \
            real lanes[LANES];                                                                               \
            memcpy(lanes, (const real *)from + i * LANES, sizeof lanes);                                     \
            for (int half = LANES / 2; half > 0; half /= 2)                                                  \
                for (int l = 0; l < half; l++) {                                                             \
                    const real a = lanes[l], b = lanes[l + half];                                            \
                    lanes[l] = step;                                                                         \
                }                                                                                            \
            y[i] = lanes[0];                                                                                 \
        }                                                                                                    \
    }
#include "graph/folds.def"
#undef FOLD

/* Rows that lie side by side, of `inner` numbers. */
static inline void NAME(load_in_order)(const long inner, long count, long stride, const real *restrict x,
                                       real *restrict planes) {
    for (long r = 0; r < count; r++)
        for (long e = 0; e < inner; e++)
            planes[e * stride + r] = x[r * inner + e];
}

static void NAME(load)(int64_t inner, int64_t count, int64_t stride, const void *rows, const uint32_t *order,
                       void *to) {
    real *planes = to;
    if (!order && inner == 1) /* a width that is known is vectorised */
        memcpy(planes, rows, (size_t)count * sizeof *planes);
    else if (!order && inner == 2)
        NAME(load_in_order)(2, (long)count, (long)stride, rows, planes);
    else if (!order && inner == 3)
        NAME(load_in_order)(3, (long)count, (long)stride, rows, planes);
    else if (!order && inner == 4)
        NAME(load_in_order)(4, (long)count, (long)stride, rows, planes);
    else
        nn_load_rows(rows, order, inner, count, stride, planes);
    for (int64_t e = 0; e < inner; e++)
        for (int64_t r = count; r < stride; r++)
            planes[e * stride + r] = 0;
}

static void NAME(matmul_rows)(long n, long depth, long rows, long live, long stride, const void *x, long x_k, const void *w,
                              long w_k, long w_j, const void *c, long c_j, int c_rows, void *y) {
    nn_matmul_rows(n, depth, rows, live, stride, x, x_k, w, w_k, w_j, c, c_j, c_rows, y);
}
static void NAME(matmul_rows_small)(long n, long depth, long rows, long stride, const void *x, long x_k, const void *w,
                                    long w_k, long w_j, const void *c, long c_j, int c_rows, void *y) {
    NAME(rows_small)(n, depth, rows, stride, x, x_k, w, w_k, w_j, c, c_j, c_rows, y);
}
static void NAME(matmul_planes)(long m, long n, long depth, long rows, long stride, const void *a, long a_i, long a_k,
                                const void *b, long b_k, long b_j, const void *c, long c_i, long c_j, int c_rows,
                                void *y) {
    nn_matmul_planes(m, n, depth, rows, stride, a, a_i, a_k, b, b_k, b_j, c, c_i, c_j, c_rows, y);
}
static void NAME(matmul_lanes)(long m, long n, long rows, long stride, const void *a, long a_i, const void *b,
                               long b_j, bool first, void *lanes) {
    if (m * n < HEIGHT && first)
        memset(lanes, 0, (size_t)(m * n * LANES) * sizeof(real));
    if (m * n < HEIGHT)
        nn_matmul_lanes(m, n, rows, stride, a, a_i, b, b_j, lanes);
    else
        NAME(lanes_small)(m, n, rows, stride, a, a_i, b, b_j, first, lanes);
}
static void NAME(matmul_chain)(long m, long n, long rows, long stride, const void *a, long a_i, const void *b,
                               long b_j, bool first, void *y, long y_i) {
    nn_matmul_chain(m, n, rows, stride, a, a_i, b, b_j, first, y, y_i);
}
static void NAME(matmul_once)(long m, long n, long depth, const void *a, long a_i, long a_k, const void *b, long b_k,
                              long b_j, const void *c, long c_i, long c_j, void *y) {
    nn_matmul_once(m, n, depth, a, a_i, a_k, b, b_k, b_j, c, c_i, c_j, y);
}

static void NAME(concat)(long outer, long run, long wide, long rows, long stride, const void *x, void *y) {
    nn_concat(outer, run, wide, rows, stride, x, y);
}
static void NAME(gather)(long count, long width, long limit, long rows, long stride, const int32_t *index,
                         long index_e, long index_r, const void *from, long from_e, long from_r, void *y) {
    nn_gather(count, width, limit, rows, stride, index, index_e, index_r, from, from_e, from_r, y);
}
static void NAME(scatter)(long count, long width, long limit, long rows, long stride, const int32_t *index,
                          long index_e, long index_r, const void *x, void *to, long to_e, long to_r) {
    nn_scatter(count, width, limit, rows, stride, index, index_e, index_r, x, to, to_e, to_r);
}

static void NAME(noise)(long n, uint64_t seed, uint32_t stream, uint32_t update, uint64_t first, uint64_t distance,
                        void *y) {
    nn_noise(n, seed, stream, update, first, distance, y);
}
static void NAME(convolve)(const struct convolution *shape, long turn, long turns, long rows, long stride, const void *x, const void *w,
                           const void *c, long c_j, void *y) {
    nn_convolve(shape, turn, turns, rows, stride, x, w, c, c_j, y);
}
static void NAME(convolve_weights)(const struct convolution *shape, long turn, long turns, long rows, long stride, const void *x, const void *g,
                                   void *lanes) {
    nn_convolve_weights(shape, turn, turns, rows, stride, x, g, lanes);
}
static void NAME(overlap)(long outer, long n, long places, long size, long step, long dilation, long inside, long rows,
                          long stride, const void *x, void *y) {
    nn_overlap(outer, n, places, size, step, dilation, inside, rows, stride, x, y);
}

static const struct real_kernels NAME(table) = {
    .elementwise =
        {
#define ELEMENTWISE(code, ...) [OPERATOR_##code] = NAME(code),
#include "graph/elementwise.def"
#undef ELEMENTWISE
        },
#define FOLD(fold, ...)                         \
    .folds[OPERATOR_##fold] = NAME(fold_##fold), \
    .sweep[OPERATOR_##fold] = NAME(sweep_##fold), .tree[OPERATOR_##fold] = NAME(tree_##fold),
#include "graph/folds.def"
#undef FOLD
    .matmul_rows = NAME(matmul_rows),
    .matmul_rows_small = NAME(matmul_rows_small),
    .matmul_planes = NAME(matmul_planes),
    .matmul_lanes = NAME(matmul_lanes),
    .matmul_chain = NAME(matmul_chain),
    .matmul_once = NAME(matmul_once),
    .concat = NAME(concat),
    .gather = NAME(gather),
    .scatter = NAME(scatter),
    .noise = NAME(noise),
    .convolve = NAME(convolve),
    .convolve_weights = NAME(convolve_weights),
    .overlap = NAME(overlap),
    .load = NAME(load),
};
