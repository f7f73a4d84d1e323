/* Matrix products of many shapes: the kernels, as the interpreter calls them, and OpenBLAS in turn.
 *
 *   matmul [SHAPES [SEED]]          shapes with sides in 1..2048, their logarithms evenly spread, from a seed
 *   matmul FORM TYPE M N K          one
 *
 * Both start from matrices that lie as the form says and leave their result as it says; packing is part of
 * the time.  Prints how the ratios of the rates (ours / OpenBLAS's) are spread and names the worst.  Ends
 * with 1 if the two did not compute the same.
 */
#define _POSIX_C_SOURCE 200809L
#include "kernels/kernels.h"
#include "plan/plan.h"
#include "worker.h"

#include <cblas.h>

char *openblas_get_corename(void);
void openblas_set_num_threads(int count);

/* once: no rows, either side as it is (n) or transposed (t).  rows: weights times planes, results as planes;
 * rows_t: the weights transposed.  sum: a weight's derivative, summed over the rows of the first tile as a
 * plan does it, few results in lanes and many row after row; so are the few of once. */
enum form { ONCE_NN, ONCE_NT, ONCE_TN, ONCE_TT, ROWS, ROWS_T, SUM, FORMS };
static const char *const form_names[FORMS] = {"once_nn", "once_nt", "once_tn", "once_tt",
                                              "rows",    "rows_t",  "sum"};

enum { MOST_SIDE = 2048, TILE_ROWS = 288, ROUNDS = 7, MOST_SHAPES = 1000 };

struct product {
    enum form form;
    bool single;
    long m, n, k;
    double rate, ratio; /* ours, in products a nanosecond; ours / OpenBLAS's */
};

/* Operands of the shape at hand; y is ours, z OpenBLAS's. */
struct room {
    void *a, *b, *y, *z;
    void *lanes;
};

static const struct kernels *kernels;

/* Planes of a tile lie a whole number of vectors apart. */
static long stride_of(const struct product *s, long rows) {
    return s->form < ROWS ? rows : (rows + 31) / 32 * 32;
}

static void ours(const struct product *s, const struct room *room) {
    const struct real_kernels *k = s->single ? kernels->f32 : kernels->f64;
    const bool ta = s->form == ONCE_TN || s->form == ONCE_TT, tb = s->form == ONCE_NT || s->form == ONCE_TT;
    if (s->form == SUM) {
        const long stride = stride_of(s, s->k);
        if (s->m * s->n <= LANES_RESULTS) {
            k->matmul_lanes(s->m, s->n, s->k, stride, room->a, 1, room->b, 1, true, room->lanes);
            k->tree[OPERATOR_sum](s->m * s->n, room->lanes, room->y);
        } else
            k->matmul_chain(s->m, s->n, s->k, stride, room->a, 1, room->b, 1, true, room->y, s->n);
    } else if (s->form >= ROWS) {
        const long stride = stride_of(s, s->n), w_k = s->form == ROWS ? s->m : 1,
                   w_j = s->form == ROWS ? 1 : s->k;
        if (kernels_small(s->m, s->k, s->n))
            k->matmul_rows_small(s->m, s->k, s->n, stride, room->b, 1, room->a, w_k, w_j, NULL, 0, 0,
                                 room->y);
        else
            k->matmul_rows(s->m, s->k, stride, s->n, stride, room->b, 1, room->a, w_k, w_j, NULL, 0, 0,
                           room->y);
    } else if (plan_is_inner(s->m, s->n, s->k, ta ? s->m : 1, tb || s->n == 1 ? 1 : s->n,
                             s->single ? ELEMENT_F32 : ELEMENT_F64))
        k->matmul_inner(s->m, s->n, s->k, room->a, s->k, room->b, tb ? s->k : 1, NULL, 0, 0, room->y);
    else
        k->matmul_once(s->m, s->n, s->k, room->a, ta ? 1 : s->k, ta ? s->m : 1, room->b, tb ? 1 : s->n,
                       tb ? s->k : 1, NULL, 0, 0, room->y);
}

static void theirs(const struct product *s, const struct room *room) {
    const bool ta = s->form == ONCE_TN || s->form == ONCE_TT || s->form == ROWS;
    const bool tb = s->form == ONCE_NT || s->form == ONCE_TT || s->form == SUM;
    const long wide_k = s->form == SUM ? stride_of(s, s->k) : s->k, wide_n = stride_of(s, s->n);
    const int m = (int)s->m, n = (int)s->n, k = (int)s->k, lda = (int)(ta ? s->m : wide_k),
              ldb = (int)(tb               ? wide_k
                          : s->form == SUM ? n
                                           : wide_n),
              ldc = (int)(s->form == SUM ? n : wide_n);
    const enum CBLAS_TRANSPOSE at = ta ? CblasTrans : CblasNoTrans, bt = tb ? CblasTrans : CblasNoTrans;
    if (n == 1 && ldb == 1) { /* OpenBLAS has functions of their own for these */
        if (s->single)
            cblas_sgemv(CblasRowMajor, at, ta ? k : m, ta ? m : k, 1, room->a, lda, room->b, 1, 0, room->z,
                        ldc);
        else
            cblas_dgemv(CblasRowMajor, at, ta ? k : m, ta ? m : k, 1, room->a, lda, room->b, 1, 0, room->z,
                        ldc);
        return;
    }
    if (s->single)
        cblas_sgemm(CblasRowMajor, at, bt, m, n, k, 1, room->a, lda, room->b, ldb, 0, room->z, ldc);
    else
        cblas_dgemm(CblasRowMajor, at, bt, m, n, k, 1, room->a, lda, room->b, ldb, 0, room->z, ldc);
}

static void fill(const struct product *s, void *to, size_t count, uint32_t stream) {
    for (size_t i = 0; i < count; i++) {
        const double number = bench_number(stream, (uint32_t)i);
        if (s->single)
            ((float *)to)[i] = (float)number;
        else
            ((double *)to)[i] = number;
    }
}

static bool same(const struct product *s, const struct room *room) {
    const double close = (s->single ? 1e-6 : 1e-15) * sqrt((double)s->k) * 8;
    const long stride = s->form == SUM ? s->n : stride_of(s, s->n);
    for (long i = 0; i < s->m; i++)
        for (long j = 0; j < s->n; j++) {
            const long at = i * stride + j;
            const double y = s->single ? (double)((float *)room->y)[at] : ((double *)room->y)[at];
            const double z = s->single ? (double)((float *)room->z)[at] : ((double *)room->z)[at];
            if (!(fabs(y - z) <= close)) {
                printf("%s %s %ld %ld %ld: result (%ld, %ld) is %.9g, OpenBLAS has %.9g\n",
                       form_names[s->form], s->single ? "f32" : "f64", s->m, s->n, s->k, i, j, y, z);
                return false;
            }
        }
    return true;
}

static double time_of(void (*product)(const struct product *, const struct room *), const struct product *s,
                      const struct room *room, long count) {
    const double start = bench_now();
    for (long i = 0; i < count; i++)
        product(s, room);
    return (bench_now() - start) / (double)count;
}

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool measure(struct product *s) {
    const size_t size = s->single ? 4 : 8;
    const long stride_n = stride_of(s, s->n), stride_k = s->form == SUM ? stride_of(s, s->k) : s->k;
    const size_t count_a = (size_t)(s->m * stride_k),
                 count_b = (size_t)(s->form == SUM ? s->n * stride_k : stride_n * s->k);
    const size_t count_y = (size_t)(s->m * stride_n);
    struct room room = {bench_room(count_a, size), bench_room(count_b, size), bench_room(count_y, size),
                        bench_room(count_y, size), bench_room(LANES_RESULTS * LANES_F32, size)};
    fill(s, room.a, count_a, 1);
    fill(s, room.b, count_b, 2);
    ours(s, &room);
    theirs(s, &room);
    const bool right = same(s, &room);
    double ratios[ROUNDS], times[ROUNDS];
    double once = 0;
    long count = 1; /* as many as take some milliseconds */
    while ((once = time_of(ours, s, &room, count)) * (double)count < 1e-3)
        count *= 2;
    for (int i = 0; i < ROUNDS; i++) {
        times[i] = time_of(ours, s, &room, count);
        ratios[i] = time_of(theirs, s, &room, count) / times[i];
    }
    qsort(times, ROUNDS, sizeof *times, by_size);
    qsort(ratios, ROUNDS, sizeof *ratios, by_size);
    s->rate = (double)s->m * (double)s->n * (double)s->k / times[ROUNDS / 2] * 1e-9;
    s->ratio = ratios[ROUNDS / 2];
    free(room.a), free(room.b), free(room.y), free(room.z), free(room.lanes);
    return right;
}

static void print(const struct product *s) {
    printf("%-8s %s %4ld x %4ld x %4ld  %7.1f GFLOP/s  %.2f of OpenBLAS's rate\n", form_names[s->form],
           s->single ? "f32" : "f64", s->m, s->n, s->k, 2 * s->rate, s->ratio);
}

static int by_ratio(const void *a, const void *b) {
    const struct product *x = a, *y = b;
    return (x->ratio > y->ratio) - (x->ratio < y->ratio);
}

static long side(uint32_t seed, uint32_t i, double most) {
    return (long)floor(exp((bench_number(seed, i) + 1) / 2 * log(most + 1)));
}

static int sweep(int count, uint32_t seed, bool single) {
    static struct product shapes[MOST_SHAPES];
    bool right = true;
    int slower = 0;
    for (int i = 0; i < count; i++) {
        const uint32_t at = 3 * (uint32_t)i;
        shapes[i] = (struct product){(enum form)(i % FORMS), single, side(seed, at, MOST_SIDE), 0, 0, 0, 0};
        shapes[i].n = side(seed, at + 1, i % FORMS >= ROWS && i % FORMS < SUM ? TILE_ROWS : MOST_SIDE);
        shapes[i].k = side(seed, at + 2, i % FORMS == SUM ? TILE_ROWS : MOST_SIDE);
        right = measure(&shapes[i]) && right;
        slower += shapes[i].ratio < 0.9;
    }
    qsort(shapes, (size_t)count, sizeof *shapes, by_ratio);
    printf(
        "%s, %d shapes: ours / OpenBLAS's rate: least %.2f, a tenth under %.2f, a quarter %.2f, median %.2f, "
        "three quarters %.2f; %d under 0.9\n",
        single ? "f32" : "f64", count, shapes[0].ratio, shapes[count / 10].ratio, shapes[count / 4].ratio,
        shapes[count / 2].ratio, shapes[count * 3 / 4].ratio, slower);
    for (int i = 0; i < 10 && i < count; i++)
        print(&shapes[i]);
    return right ? 0 : 1;
}

int main(int count, char **arguments) {
    openblas_set_num_threads(1);
    kernels = kernels_choose(true);
    if (!kernels)
        kernels = kernels_choose(false);
    printf("kernels: %s; OpenBLAS: %s; one thread\n", kernels->name, openblas_get_corename());
    if (count == 6) {
        struct product shape = {ONCE_NN,
                                strcmp(arguments[2], "f32") == 0,
                                atol(arguments[3]),
                                atol(arguments[4]),
                                atol(arguments[5]),
                                0,
                                0};
        while (shape.form < FORMS && strcmp(form_names[shape.form], arguments[1]) != 0)
            shape.form++;
        const bool right = shape.form < FORMS && measure(&shape);
        print(&shape);
        return right ? 0 : 1;
    }
    const int shapes = count > 1 ? atoi(arguments[1]) : 200;
    const uint32_t seed = count > 2 ? (uint32_t)atol(arguments[2]) : 7;
    if (shapes < 1 || shapes > MOST_SHAPES)
        return 2;
    const int single = sweep(shapes, seed, true);
    return sweep(shapes, seed, false) || single;
}
