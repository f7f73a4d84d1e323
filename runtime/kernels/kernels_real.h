/* The kernels for one element type: included by kernels.c with `real`, LANES and NAME(x) defined. */

#define ELEMENTWISE(code, arity, callable, maths, ...)                                                   \
    static void NAME(code)(int64_t n, void *result, const void *const *x, const bool *scalar) {          \
        real *restrict y = result;                                                                           \
        const real *p = x[0], *q = arity > 1 ? x[1] : x[0], *s = arity > 2 ? x[2] : x[0];                    \
        const bool ps = scalar[0], qs = arity > 1 && scalar[1], ss = arity > 2 && scalar[2];                 \
        if (!ps && !qs && !ss) {                                                                             \
            for (int64_t i = 0; i < n; i++) {                                                                \
                const real a = p[i], b = q[i], c = s[i];                                                     \
                (void)a, (void)b, (void)c;                                                                   \
                y[i] = maths;                                                                                \
            }                                                                                                \
        } else if (arity > 1 && ps && !qs && !ss) {                                                          \
            const real a = p[0];                                                                             \
            (void)a;                                                                                         \
            for (int64_t i = 0; i < n; i++) {                                                                \
                const real b = q[i], c = s[i];                                                               \
                (void)b, (void)c;                                                                            \
                y[i] = maths;                                                                                \
            }                                                                                                \
        } else if (arity > 1 && !ps && qs && !ss) {                                                          \
            const real b = q[0];                                                                             \
            (void)b;                                                                                         \
            for (int64_t i = 0; i < n; i++) {                                                                \
                const real a = p[i], c = s[i];                                                               \
                (void)a, (void)c;                                                                            \
                y[i] = maths;                                                                                \
            }                                                                                                \
        } else {                                                                                             \
            const int64_t pi = ps ? 0 : 1, qi = qs ? 0 : 1, si = ss ? 0 : 1;                                 \
            for (int64_t i = 0; i < n; i++) {                                                                \
                const real a = p[i * pi], b = q[i * qi], c = s[i * si];                                      \
                (void)a, (void)b, (void)c;                                                                   \
                y[i] = maths;                                                                                \
            }                                                                                                \
        }                                                                                                    \
    }
#include "graph/elementwise.def"
#undef ELEMENTWISE

#include "kernels/matmul.h"

#include "kernels/gather.h"

#include "kernels/convolve.h"

/* Folds: `step` joins what is there, `a`, and the next value, `b`. */
#define FOLD(fold, step, ...)                                                                                 \
    static void NAME(join_##fold)(int64_t n, void *result, const void *plane) {                              \
        real *restrict y = result;                                                                           \
        const real *restrict x = plane;                                                                      \
        for (int64_t i = 0; i < n; i++) {                                                                    \
            const real a = y[i], b = x[i];                                                                   \
            y[i] = step;                                                                                     \
        }                                                                                                    \
    }                                                                                                        \
    static void NAME(sweep_##fold)(int64_t rows, const void *plane, void *to) {                              \
        const real *x = plane;                                                                               \
        real *lanes = to;                                                                                    \
        const int64_t whole = rows - rows % LANES;                                                           \
        for (int64_t r = 0; r < whole; r += LANES)                                                           \
            for (int l = 0; l < LANES; l++) {                                                                \
                const real a = lanes[l], b = x[r + l];                                                       \
                lanes[l] = step;                                                                             \
            }                                                                                                \
        for (int64_t l = 0; l < rows - whole; l++) {                                                         \
            const real a = lanes[l], b = x[whole + l];                                                       \
            lanes[l] = step;                                                                                 \
        }                                                                                                    \
    }                                                                                                        \
    static void NAME(tree_##fold)(int64_t count, const void *from, void *result) {                           \
        real *y = result;                                                                                    \
        for (int64_t i = 0; i < count; i++) {                                                                \
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

static void NAME(load)(int64_t inner, int64_t count, int64_t stride, const void *rows, const uint32_t *order,
                       void *to) {
    real *planes = to;
    nn_load_rows(rows, order, inner, count, stride, planes);
    for (int64_t e = 0; e < inner; e++)
        for (int64_t r = count; r < stride; r++)
            planes[e * stride + r] = 0;
}

static void NAME(matmul_rows)(long n, long depth, long rows, long live, long stride, const void *x, long x_k, const void *w,
                              long w_k, long w_j, const void *c, long c_j, int c_rows, void *y) {
    nn_matmul_rows(n, depth, rows, live, stride, x, x_k, w, w_k, w_j, c, c_j, c_rows, y);
}
static void NAME(matmul_planes)(long m, long n, long depth, long rows, long stride, const void *a, long a_i, long a_k,
                                const void *b, long b_k, long b_j, const void *c, long c_i, long c_j, int c_rows,
                                void *y) {
    nn_matmul_planes(m, n, depth, rows, stride, a, a_i, a_k, b, b_k, b_j, c, c_i, c_j, c_rows, y);
}
static void NAME(matmul_lanes)(long m, long n, long rows, long stride, const void *a, long a_i, const void *b,
                               long b_j, void *lanes) {
    nn_matmul_lanes(m, n, rows, stride, a, a_i, b, b_j, lanes);
}
static void NAME(matmul_chain)(long m, long n, long rows, long stride, const void *a, long a_i, const void *b,
                               long b_j, void *y, long y_i) {
    nn_matmul_chain(m, n, rows, stride, a, a_i, b, b_j, y, y_i);
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
    .join[OPERATOR_##fold] = NAME(join_##fold), \
    .sweep[OPERATOR_##fold] = NAME(sweep_##fold), .tree[OPERATOR_##fold] = NAME(tree_##fold),
#include "graph/folds.def"
#undef FOLD
    .matmul_rows = NAME(matmul_rows),
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
