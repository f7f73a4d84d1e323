/* Every kernel of matrix products, in every set that this processor runs, against three naive loops: the same
 * bits. Sizes go past those at which a kernel chooses another way: vectors, blocks of results, stretches,
 * panels. Operands end where their memory ends, and numbers around the results must stay, so that the
 * sanitizers see a read and this test a write beyond them.
 */
#include "harness.h"
#include "kernels/kernels.h"

#include <stdlib.h>

extern const struct kernels kernels_baseline;
#if defined NN_X86
extern const struct kernels kernels_avx2, kernels_avx2_fma, kernels_avx512, kernels_avx512_fma;
#else
extern const struct kernels kernels_baseline_fma;
#endif

/* A matrix in memory of its own: element (i, j) at [i * row + j * column]. */
struct matrix {
    void *memory;
    long count, row, column;
};

struct trial {
    struct bench *bench;
    const struct kernels *set;
    enum element element;
    const char *kernel;
    long m, n, k;
};

static const struct real_kernels *kernels_of(const struct trial *t) {
    return t->element == ELEMENT_F32 ? t->set->f32 : t->set->f64;
}

static double at(const struct trial *t, const struct matrix *x, long i, long j) {
    return number_at(t->element, x->memory, i * x->row + j * x->column);
}

/* a * b + c as the set rounds it. */
static double step(const struct trial *t, double a, double b, double c) {
    if (t->element == ELEMENT_F32) {
        volatile float product = (float)a * (float)b;
        return (double)(t->set->fused ? fmaf((float)a, (float)b, (float)c) : product + (float)c);
    }
    volatile double product = a * b;
    return t->set->fused ? fma(a, b, c) : product + c;
}

static double product(const struct trial *t, double a, double b) {
    return t->element == ELEMENT_F32 ? (double)((float)a * (float)b) : a * b;
}

static double sum_of(const struct trial *t, double a, double b) {
    return t->element == ELEMENT_F32 ? (double)((float)a + (float)b) : a + b;
}

static struct matrix room(struct trial *t, long count) {
    struct matrix x = {NULL, count, 0, 0};
    /* malloc's own: what lies behind it is not ours */
    x.memory = malloc((size_t)(count ? count : 1) * element_size(t->element));
    assert_non_null(x.memory);
    for (long i = 0; i < count; i++) {
        const bool zero = bench_below(t->bench, 16) == 0; /* the sign of a zero is to be kept as well */
        number_set(t->element, x.memory, i, zero ? -0.0 : bench_number(t->bench));
    }
    return x;
}

/* rows x columns, with gaps, either way round. */
static struct matrix random_matrix(struct trial *t, long rows, long columns) {
    const long gap = bench_below(t->bench, 3) ? 0 : bench_below(t->bench, 3);
    const bool turned = bench_below(t->bench, 2);
    const long inner = turned ? rows : columns, outer = turned ? columns : rows;
    const long near = bench_below(t->bench, 8) ? 1 : 2, far = (inner - 1) * near + 1 + gap;
    struct matrix x = room(t, (outer - 1) * far + (inner - 1) * near + 1);
    x.row = turned ? near : far;
    x.column = turned ? far : near;
    return x;
}

static void check(const struct trial *t, const char *what, long i, long j, double found, double expected) {
    if (memcmp(&found, &expected, sizeof found) != 0)
        fail_msg("%s, %s, %s %s, %ld x %ld x %ld: (%ld, %ld) is %.17g, expected %.17g", t->set->name,
                 element_name(t->element), t->kernel, what, t->m, t->n, t->k, i, j, found, expected);
}

/* c[i][j] + sum over k of a[i][k] * b[k][j]; c may be NULL. */
static double naive(const struct trial *t, const struct matrix *a, const struct matrix *b, const double *c,
                    long i, long j) {
    double sum = c ? *c : product(t, at(t, a, i, 0), at(t, b, 0, j));
    for (long k = c ? 0 : 1; k < t->k; k++)
        sum = step(t, at(t, a, i, k), at(t, b, k, j), sum);
    return sum;
}

/* 0: none, 1: one for each column, 2: one for each row, 3: a whole matrix */
static struct matrix random_start(struct trial *t, int kind) {
    struct matrix c = kind == 3 ? random_matrix(t, t->m, t->n)
                                : room(t, kind == 1   ? t->n
                                          : kind == 2 ? t->m
                                                      : 0);
    if (kind == 1)
        c.column = 1;
    if (kind == 2)
        c.row = 1;
    return c;
}

static void try_once(struct trial *t) {
    const int kind = bench_below(t->bench, 4);
    struct matrix a = random_matrix(t, t->m, t->k), b = random_matrix(t, t->k, t->n),
                  c = random_start(t, kind), y = room(t, t->m * t->n);
    t->kernel = "once";
    kernels_of(t)->matmul_once(t->m, t->n, t->k, a.memory, a.row, a.column, b.memory, b.row, b.column,
                               kind ? c.memory : NULL, c.row, c.column, y.memory);
    y.row = t->n, y.column = 1;
    for (long i = 0; i < t->m; i++)
        for (long j = 0; j < t->n; j++) {
            const double start = kind ? at(t, &c, i, j) : 0;
            check(t, "result", i, j, at(t, &y, i, j), naive(t, &a, &b, kind ? &start : NULL, i, j));
        }
    free(a.memory), free(b.memory), free(c.memory), free(y.memory);
}

/* n is the rows that live; planes are whole vectors. */
static void try_rows(struct trial *t) {
    const int lanes = lanes_of(t->element), kind = bench_below(t->bench, 3),
              gap = 1 + bench_below(t->bench, 2);
    const long rows = (t->n + lanes - 1) / lanes * lanes, stride = rows + lanes * bench_below(t->bench, 2);
    struct matrix x = room(t, ((t->k - 1) * gap + 1) * stride), w = random_matrix(t, t->m, t->k),
                  c = room(t, kind == 2 ? t->m * stride
                              : kind    ? t->m
                                        : 0),
                  y = room(t, t->m * stride);
    x.row = gap * stride, x.column = 1;
    t->kernel = bench_below(t->bench, 2) ? "rows" : "rows, small";
    if (strcmp(t->kernel, "rows") == 0)
        kernels_of(t)->matmul_rows(t->m, t->k, rows, t->n, stride, x.memory, gap, w.memory, w.column, w.row,
                                   kind ? c.memory : NULL, kind ? 1 : 0, kind == 2, y.memory);
    else
        kernels_of(t)->matmul_rows_small(t->m, t->k, t->n, stride, x.memory, gap, w.memory, w.column, w.row,
                                         kind ? c.memory : NULL, kind ? 1 : 0, kind == 2, y.memory);
    c.row = kind == 2 ? stride : 1, c.column = kind == 2;
    y.row = stride, y.column = 1;
    for (long i = 0; i < t->m; i++)
        for (long j = 0; j < t->n; j++) {
            const double start = kind ? at(t, &c, i, j) : 0;
            check(t, "result", i, j, at(t, &y, i, j), naive(t, &w, &x, kind ? &start : NULL, i, j));
        }
    free(x.memory), free(w.memory), free(c.memory), free(y.memory);
}

/* k is the rows of the batch. */
static void try_chain(struct trial *t) {
    const int lanes = lanes_of(t->element);
    const long stride = (t->k + lanes - 1) / lanes * lanes, wide = t->n + 3 * bench_below(t->bench, 2);
    struct matrix a = room(t, t->m * stride), b = room(t, t->n * stride), y = room(t, t->m * wide),
                  before = y;
    const size_t size = (size_t)(t->m * wide) * element_size(t->element);
    const bool first = bench_below(t->bench, 2);
    before.memory = malloc(size);
    assert_non_null(before.memory);
    memcpy(before.memory, y.memory, size);
    t->kernel = "chain";
    kernels_of(t)->matmul_chain(t->m, t->n, t->k, stride, a.memory, 1, b.memory, 1, first, y.memory, wide);
    a.row = stride, a.column = 1;
    b.row = 1, b.column = stride;
    y.row = before.row = wide, y.column = before.column = 1;
    for (long i = 0; i < t->m; i++)
        for (long j = 0; j < wide && (j < t->n || i + 1 < t->m); j++) {
            const double old = at(t, &before, i, j), start = first ? 0 : old;
            check(t, j < t->n ? "sum" : "gap", i, j, at(t, &y, i, j),
                  j < t->n ? naive(t, &a, &b, &start, i, j) : old);
        }
    free(a.memory), free(b.memory), free(y.memory), free(before.memory);
}

/* m x n results for each of some rows, of vectors of k. */
static void try_planes(struct trial *t) {
    const int lanes = lanes_of(t->element), kind = bench_below(t->bench, 3);
    const long rows = lanes * (1 + bench_below(t->bench, 3)),
               stride = rows + lanes * bench_below(t->bench, 2);
    struct matrix a = room(t, t->m * t->k * stride), b = room(t, t->k * t->n * stride),
                  c = room(t, kind == 2 ? t->m * t->n * stride
                              : kind    ? t->n
                                        : 0),
                  y = room(t, t->m * t->n * stride);
    const bool turned = bench_below(t->bench, 2);
    const long a_i = t->k, b_k = turned ? 1 : t->n, b_j = turned ? t->k : 1;
    t->kernel = "planes";
    kernels_of(t)->matmul_planes(t->m, t->n, t->k, rows, stride, a.memory, a_i, 1, b.memory, b_k, b_j,
                                 kind ? c.memory : NULL, kind == 2 ? t->n : 0, 1, kind == 2, y.memory);
    for (long i = 0; i < t->m; i++)
        for (long j = 0; j < t->n; j++)
            for (long r = 0; r < rows; r += 1 + bench_below(t->bench, 5)) {
                const struct matrix p = {(char *)a.memory + (size_t)r * element_size(t->element), 0,
                                         a_i * stride, stride};
                const struct matrix q = {(char *)b.memory + (size_t)r * element_size(t->element), 0,
                                         b_k * stride, b_j * stride};
                const double start =
                    kind ? number_at(t->element, c.memory, kind == 2 ? (i * t->n + j) * stride + r : j) : 0;
                check(t, "result", i, j, number_at(t->element, y.memory, (i * t->n + j) * stride + r),
                      naive(t, &p, &q, kind ? &start : NULL, i, j));
            }
    free(a.memory), free(b.memory), free(c.memory), free(y.memory);
}

/* k is the rows of the batch; row r goes to lane r mod LANES. */
static void try_lanes(struct trial *t) {
    const int lanes = lanes_of(t->element);
    const long stride = (t->k + lanes - 1) / lanes * lanes;
    struct matrix a = room(t, t->m * stride), b = room(t, t->n * stride), y = room(t, t->m * t->n * lanes),
                  before = y;
    const size_t size = (size_t)(t->m * t->n * lanes) * element_size(t->element);
    const bool first = bench_below(t->bench, 2);
    for (long i = 0; i < t->m * t->n * lanes; i++) /* no lane is -0 */
        number_set(t->element, y.memory, i, number_at(t->element, y.memory, i) + 0.0);
    before.memory = malloc(size);
    assert_non_null(before.memory);
    memcpy(before.memory, y.memory, size);
    t->kernel = "lanes";
    kernels_of(t)->matmul_lanes(t->m, t->n, t->k, stride, a.memory, 1, b.memory, 1, first, y.memory);
    for (long i = 0; i < t->m; i++)
        for (long j = 0; j < t->n; j++)
            for (long l = 0; l < lanes; l++) {
                double sum = first ? 0 : number_at(t->element, before.memory, (i * t->n + j) * lanes + l);
                for (long r = l; r < t->k; r += lanes)
                    sum = step(t, number_at(t->element, a.memory, i * stride + r),
                               number_at(t->element, b.memory, j * stride + r), sum);
                check(t, "lane", i, j, number_at(t->element, y.memory, (i * t->n + j) * lanes + l), sum);
            }
    free(a.memory), free(b.memory), free(y.memory), free(before.memory);
}

/* As the lanes of a sum over the batch, which are then added as a tree; c last. */
static void try_inner(struct trial *t) {
    const int lanes = lanes_of(t->element), kind = bench_below(t->bench, 4);
    const long a_i = t->k + bench_below(t->bench, 3), b_j = t->k + bench_below(t->bench, 3);
    struct matrix a = room(t, t->m * a_i), b = room(t, t->n * b_j), c = random_start(t, kind),
                  y = room(t, t->m * t->n);
    t->kernel = "inner";
    kernels_of(t)->matmul_inner(t->m, t->n, t->k, a.memory, a_i, b.memory, b_j, kind ? c.memory : NULL, c.row,
                                c.column, y.memory);
    for (long i = 0; i < t->m; i++)
        for (long j = 0; j < t->n; j++) {
            double lane[LANES_F32] = {0};
            for (long k = 0; k < t->k; k++)
                lane[k % lanes] = step(t, number_at(t->element, a.memory, i * a_i + k),
                                       number_at(t->element, b.memory, j * b_j + k), lane[k % lanes]);
            for (int half = lanes / 2; half > 0; half /= 2)
                for (int l = 0; l < half; l++)
                    lane[l] = sum_of(t, lane[l], lane[l + half]);
            check(t, "result", i, j, number_at(t->element, y.memory, i * t->n + j),
                  kind ? sum_of(t, at(t, &c, i, j), lane[0]) : lane[0]);
        }
    free(a.memory), free(b.memory), free(c.memory), free(y.memory);
}

/* Now and then a size beyond a stretch, a panel, or what lies in L1. */
static long random_side(struct bench *bench) {
    static const int most[] = {2, 4, 8, 20, 20, 40, 70, 330};
    return 1 + bench_below(bench, most[bench_below(bench, 8)]);
}

static void try_all(struct bench *bench, const struct kernels *set) {
    static void (*const tries[])(struct trial *) = {try_once,   try_once,  try_rows, try_chain,
                                                    try_planes, try_lanes, try_inner};
    for (int i = 0; i < 1400; i++) {
        struct trial t = {bench,
                          set,
                          i % 2 ? ELEMENT_F32 : ELEMENT_F64,
                          "",
                          random_side(bench),
                          random_side(bench),
                          random_side(bench)};
        void (*const try)(struct trial *) = tries[i / 2 % 7];
        if (try == try_planes || try == try_lanes)
            t.m = 1 + t.m % 13, t.n = 1 + t.n % 13, t.k = try == try_lanes ? t.k : 1 + t.k % 40;
        if (try == try_inner) /* few on one side */
            *(bench_below(bench, 2) ? &t.m : &t.n) = 1 + bench_below(bench, 4);
        try(&t);
    }
}

static void test_same_bits(void **state) {
    (void)state;
    struct bench bench = {0};
    bench.random = 11;
    try_all(&bench, &kernels_baseline);
#if defined NN_X86
    if (__builtin_cpu_supports("avx2"))
        try_all(&bench, &kernels_avx2);
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        try_all(&bench, &kernels_avx2_fma);
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl")) {
        try_all(&bench, &kernels_avx512);
        try_all(&bench, &kernels_avx512_fma);
    }
#else
    try_all(&bench, &kernels_baseline_fma);
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_bits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
