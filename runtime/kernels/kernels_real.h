/* The kernels for one element type: included by kernels.c with `real`, LANES and NAME(x) defined. */

static inline const real *NAME(plane)(const struct planes *x, long e) {
    return (const real *)(const void *)(x->at + (x->index ? x->index[e] : e) * x->step);
}

/* Where `count` numbers of an operand lie, which fill no LANES, from `from` on in plane e: one number for all of them is
 * spread over `room`. */
static inline const real *NAME(few)(const struct planes *x, long e, long from, long count, real *room) {
    const real *const p = NAME(plane)(x, e);
    if (!x->scalar)
        return p + from;
    for (long l = 0; l < count; l++)
        room[l] = *p;
    return room;
}

/* An element-wise kernel for each choice of operands that are one number: bit j of k says that operand j is. */
#define CHOICE(code, k, p_i, q_i, s_i)                                                                       \
    static void NAME(code##_##k)(long count, long n, void *result, const struct planes *x) {                 \
        NAME(code##_planes)(count, n, result, x, p_i, q_i, s_i);                                             \
    }
#define WHOLE_1(code)                                                                                        \
    CHOICE(code, 0, 1, 1, 1) CHOICE(code, 1, 0, 0, 0)                                                        \
    static elementwise_kernel *const NAME(code##_whole)[] = {NAME(code##_0), NAME(code##_1)};
#define WHOLE_2(code)                                                                                        \
    CHOICE(code, 0, 1, 1, 1) CHOICE(code, 1, 0, 1, 1) CHOICE(code, 2, 1, 0, 1) CHOICE(code, 3, 0, 0, 0)      \
    static elementwise_kernel *const NAME(code##_whole)[] = {NAME(code##_0), NAME(code##_1), NAME(code##_2), \
                                                             NAME(code##_3)};
#define WHOLE_3(code)                                                                                        \
    CHOICE(code, 0, 1, 1, 1) CHOICE(code, 1, 0, 1, 1) CHOICE(code, 2, 1, 0, 1) CHOICE(code, 3, 0, 0, 1)      \
    CHOICE(code, 4, 1, 1, 0) CHOICE(code, 5, 0, 1, 0) CHOICE(code, 6, 1, 0, 0) CHOICE(code, 7, 0, 0, 0)      \
    static elementwise_kernel *const NAME(code##_whole)[] = {                                                \
        NAME(code##_0), NAME(code##_1), NAME(code##_2), NAME(code##_3),                                      \
        NAME(code##_4), NAME(code##_5), NAME(code##_6), NAME(code##_7)};

/* Each choice has a loop of its own, so that each is vectorised by itself, over whole LANES, as rows always are, so that
 * none ends number by number; what fills no LANES, of numbers without rows, has one loop for all choices.  y may be one
 * of the operands: no number is read after another was written in its place. */
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
    static inline __attribute__((always_inline)) void NAME(code##_planes)(                                   \
        long count, long n, real *y, const struct planes *x, const long p_i, const long q_i, const long s_i) { \
        enum { SECOND = arity > 1 ? 1 : 0, THIRD = arity > 2 ? 2 : 0 };                                      \
        for (long e = 0; e < count; e++, y += n)                                                             \
            NAME(code##_rows)(n & -LANES, y, NAME(plane)(x, e), p_i, NAME(plane)(x + SECOND, e), q_i,        \
                              NAME(plane)(x + THIRD, e), s_i);                                               \
    }                                                                                                        \
    static inline __attribute__((always_inline)) void NAME(code##_few)(long e, long from, long n, real *y,   \
                                                                       const struct planes *x) {             \
        enum { SECOND = arity > 1 ? 1 : 0, THIRD = arity > 2 ? 2 : 0 };                                      \
        real room[3][LANES];                                                                                 \
        NAME(code##_rows)(n, y, NAME(few)(x, e, from, n, room[0]), 1, NAME(few)(x + SECOND, e, from, n, room[1]), 1, \
                          NAME(few)(x + THIRD, e, from, n, room[2]), 1);                                     \
    }                                                                                                        \
    WHOLE_##arity(code)                                                                                      \
    static void NAME(code##_single)(long count, long n, void *result, const struct planes *x) {              \
        enum { SECOND = arity > 1 ? 1 : 0, THIRD = arity > 2 ? 2 : 0 };                                      \
        real *const y = result;                                                                              \
        (void)n;                                                                                             \
        for (long e = 0; e < count; e++)                                                                     \
            NAME(code##_rows)(1, y + e, NAME(plane)(x, e), 0, NAME(plane)(x + SECOND, e), 0,                 \
                              NAME(plane)(x + THIRD, e), 0);                                                 \
    }                                                                                                        \
    static void NAME(code)(long count, long n, void *result, const struct planes *x) {                       \
        const long whole = n & -LANES;                                                                       \
        real *const y = result;                                                                              \
        if (whole)                                                                                           \
            NAME(code##_whole)[single_numbers(x, arity)](count, n, y, x);                                    \
        for (long e = 0; n > whole && e < count; e++)                                                        \
            NAME(code##_few)(e, whole, n - whole, y + e * n + whole, x);                                     \
    }
#include "graph/elementwise.def"
#undef ELEMENTWISE
#undef CHOICE
#undef WHOLE_1
#undef WHOLE_2
#undef WHOLE_3

#include "kernels/matmul.h"

#include "kernels/small.h"

#include "kernels/gather.h"

#include "kernels/convolve.h"

/* Folds: `step` joins what is there, `a`, and the next value, `b`, in rows, which are whole LANES, or in one number. */
#define FOLD(fold, step, start, ...)                                                                         \
    static inline __attribute__((always_inline)) void NAME(join_##fold)(long n, real *y, const real *x0,     \
                                                                        const real *x1) {                    \
        NO_CARRY for (long i = 0; i < n; i++) {                                                              \
            const real a = x0[i], b = x1[i];                                                                 \
            y[i] = step;                                                                                     \
        }                                                                                                    \
    }                                                                                                        \
    static void NAME(fold_##fold)(long count, long n, void *result, const struct planes *x) {                \
        enum { BESIDE = 8 }; /* numbers without rows: a step waits for the one before, of others it need not */ \
        const long length = x->length;                                                                       \
        real *y = result;                                                                                    \
        long e = 0;                                                                                          \
        for (; n == 1 && e + BESIDE <= count; e += BESIDE, y += BESIDE) {                                    \
            real joined[BESIDE];                                                                             \
            for (long q = 0; q < BESIDE; q++)                                                                \
                joined[q] = *NAME(plane)(x, (e + q) * length);                                               \
            for (long k = 1; k < length; k++)                                                                \
                for (long q = 0; q < BESIDE; q++) {                                                          \
                    const real a = joined[q], b = *NAME(plane)(x, (e + q) * length + k);                     \
                    joined[q] = step;                                                                        \
                }                                                                                            \
            for (long q = 0; q < BESIDE; q++)                                                                \
                y[q] = joined[q];                                                                            \
        }                                                                                                    \
        for (; e < count; e++, y += n) {                                                                     \
            const real *so_far = NAME(plane)(x, e * length);                                                 \
            if (length == 1)                                                                                 \
                memcpy(y, so_far, (size_t)n * sizeof *y);                                                    \
            for (long k = 1; k < length; k++, so_far = y) {                                                  \
                const real *const next = NAME(plane)(x, e * length + k);                                     \
                if (n == 1)                                                                                  \
                    NAME(join_##fold)(1, y, so_far, next);                                                   \
                else                                                                                         \
                    NAME(join_##fold)(n & -LANES, y, so_far, next);                                          \
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
    if (m * n <= 32 && rows <= 4 * LANES) /* choosing blocks would take as long as the sums */
        NAME(lanes_small)(m, n, rows, stride, a, a_i, b, b_j, first, lanes);
    else
        nn_matmul_lanes(m, n, rows, stride, a, a_i, b, b_j, first, lanes);
}
static void NAME(matmul_chain)(long m, long n, long rows, long stride, const void *a, long a_i, const void *b,
                               long b_j, bool first, void *y, long y_i) {
    nn_matmul_chain(m, n, rows, stride, a, a_i, b, b_j, first, y, y_i);
}
static void NAME(matmul_once)(long m, long n, long depth, const void *a, long a_i, long a_k, const void *b, long b_k,
                              long b_j, const void *c, long c_i, long c_j, void *y) {
    nn_matmul_once(m, n, depth, a, a_i, a_k, b, b_k, b_j, c, c_i, c_j, y);
}
static void NAME(matmul_inner)(long m, long n, long depth, const void *a, long a_i, const void *b, long b_j,
                               const void *c, long c_i, long c_j, void *y) {
    nn_matmul_inner(m, n, depth, a, a_i, b, b_j, c, c_i, c_j, y);
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
    .whole =
        {
#define ELEMENTWISE(code, ...) [OPERATOR_##code] = NAME(code##_whole),
#include "graph/elementwise.def"
#undef ELEMENTWISE
        },
    .single =
        {
#define ELEMENTWISE(code, ...) [OPERATOR_##code] = NAME(code##_single),
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
    .matmul_inner = NAME(matmul_inner),
    .concat = NAME(concat),
    .gather = NAME(gather),
    .scatter = NAME(scatter),
    .noise = NAME(noise),
    .convolve = NAME(convolve),
    .convolve_weights = NAME(convolve_weights),
    .overlap = NAME(overlap),
    .load = NAME(load),
};
