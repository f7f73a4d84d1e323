/* The spiral's network as fast as plain C99 loops go: the limit that emitted C is measured by.
 *
 *   cc -O3 -march=native -fopenmp-simd -DREAL=double handwritten.c -lm;  handwritten ROWS BATCH SCALE RATE
 *
 * Rows lie in vector lanes, and each phase is a loop over the rows of a tile that stays in L1.
 *
 * - 2^a is 2^n N / D, with n whole and N, D = Q +- f P in f = a - n: tanh(f log 2 / 2) = f P / Q.  So a
 * sigmoid 1 / (1 + 2^a) = D / (D + 2^n N) and a softmax of three need one division each.
 * - log2 e is folded into the weights in front of the exponentials, once an update.
 * - The softmax works on differences of scores: one exponential, one column of weights and one column of
 *   gradients fewer.  It holds while scores differ by less than 346 (f32: 41), which is not checked here.
 * - The loss multiplies the rows' probabilities, their exponents apart: one logarithm for each lane.
 * - Gradients of one unit are sums over the rows in registers.
 */
#define _POSIX_C_SOURCE 200809L
#include "worker.h"

enum { INPUTS = 2, HIDDEN = 10, CLASSES = 3, LANES = 64 / sizeof(REAL), TILE = 20 * LANES };

struct net {
    REAL W1[INPUTS][HIDDEN], b1[HIDDEN], W2[HIDDEN][CLASSES], b2[CLASSES];
};

struct worker {
    struct net net;
    long rows, batch;
    double rate;
    long stride; /* rows of a plane of one batch, whole vectors */
    REAL *x0, *x1, *is1, *is2,
        *is_row; /* for each batch a plane; is1: 1 where the class is 1; is_row: 0 in padding */
};

/* What a tile's phases hand on, and what they add up. */
struct tile {
    REAL h[HIDDEN][TILE];
    REAL g1[TILE], g2[TILE],
        right[TILE]; /* derivatives of scores 1 and 2; the probability of the right class */
};
struct sums {
    REAL W1[INPUTS][HIDDEN], b1[HIDDEN], W2[HIDDEN][2], b2[2];
    REAL product[LANES];
    double exponent;
};

/* ---- 2^a as a quotient ---- */

struct power {
    REAL above, below;
};

#if defined SINGLE
typedef int32_t whole;
#define SHIFT 12582912.0f /* 1.5 x 2^23: adding it rounds to a whole number */
#define MANTISSA 23
#define BIAS 127
#define LOG2E 1.44269504f
/* Interpolated at Chebyshev nodes of f^2 in [0, 1/4]; error of 2^f: 1.9e-10. */
#define P(z) (0.34657359f + (z)*0.0027716366f)
#define Q(z) (1.0f + (z)*0.048034965f)
#else
typedef int64_t whole;
#define SHIFT 6755399441055744.0 /* 1.5 x 2^52 */
#define MANTISSA 52
#define BIAS 1023
#define LOG2E 1.4426950408889634
/* The same; error 1.7e-18. */
#define P(z) (0.34657359027997265 + (z) * (0.0046248411708523690 + (z)*5.2870839874335382e-06))
#define Q(z) (1.0 + (z) * (0.053382222004024789 + (z)*0.00022893359916127378))
#endif

static inline struct power power2(REAL a) {
    const REAL shifted = a + SHIFT;
    const REAL f = a - (shifted - SHIFT);
    const REAL z = f * f, odd = f * P(z), even = Q(z);
    REAL scale;
    whole bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (whole)((uint64_t)(bits + BIAS) << MANTISSA);
    memcpy(&scale, &bits, sizeof scale);
    return (struct power){(even + odd) * scale, even - odd};
}

/* ---- the phases of a tile: n rows, whole vectors ---- */

static void hidden(const struct net *net, long n, const REAL *restrict x0, const REAL *restrict x1,
                   struct tile *restrict tile) {
    for (int j = 0; j < HIDDEN; j++) {
        const REAL w0 = -LOG2E * net->W1[0][j], w1 = -LOG2E * net->W1[1][j], b = -LOG2E * net->b1[j];
        REAL *restrict h = tile->h[j];
#pragma omp simd
        for (long r = 0; r < n; r++) {
            const struct power e = power2(b + x0[r] * w0 + x1[r] * w1);
            h[r] = e.below / (e.below + e.above);
        }
    }
}

/* Scores relative to the first, in units of log 2; probabilities; derivatives for scores 1 and 2. */
static void softmax(const struct net *net, long n, const REAL *restrict is1, const REAL *restrict is2,
                    const REAL *restrict is_row, struct tile *restrict tile) {
    REAL w1[HIDDEN], w2[HIDDEN];
    const REAL b1 = LOG2E * (net->b2[1] - net->b2[0]), b2 = LOG2E * (net->b2[2] - net->b2[0]);
    for (int j = 0; j < HIDDEN; j++) {
        w1[j] = LOG2E * (net->W2[j][1] - net->W2[j][0]);
        w2[j] = LOG2E * (net->W2[j][2] - net->W2[j][0]);
    }
#pragma omp simd
    for (long r = 0; r < n; r++) {
        REAL s1 = b1, s2 = b2;
        for (int j = 0; j < HIDDEN; j++) {
            s1 += tile->h[j][r] * w1[j];
            s2 += tile->h[j][r] * w2[j];
        }
        const struct power e1 = power2(s1), e2 = power2(s2);
        const REAL p0 = e1.below * e2.below, p1 = e1.above * e2.below, p2 = e2.above * e1.below;
        const REAL share = 1 / (p0 + p1 + p2);
        const REAL right = p0 + is1[r] * (p1 - p0) + is2[r] * (p2 - p0);
        tile->right[r] = 1 + is_row[r] * (right * share - 1);
        tile->g1[r] = is_row[r] * (p1 * share - is1[r]);
        tile->g2[r] = is_row[r] * (p2 * share - is2[r]);
    }
}

static void multiply(long n, const struct tile *tile, struct sums *sums) {
    whole exponents[LANES] = {0};
    for (long r = 0; r < n; r += LANES)
#pragma omp simd
        for (int l = 0; l < LANES; l++) {
            const REAL product = sums->product[l] * tile->right[r + l];
            whole bits;
            memcpy(&bits, &product, sizeof bits);
            exponents[l] += (bits >> MANTISSA) - BIAS;
            bits = (bits & (((whole)1 << MANTISSA) - 1)) | ((whole)BIAS << MANTISSA);
            memcpy(&sums->product[l], &bits, sizeof bits);
        }
    for (int l = 0; l < LANES; l++)
        sums->exponent += (double)exponents[l];
}

static void gradients(const struct net *net, long n, const REAL *restrict x0, const REAL *restrict x1,
                      const struct tile *restrict tile, struct sums *restrict sums) {
    const REAL *restrict g1 = tile->g1, *restrict g2 = tile->g2;
    REAL sum1 = 0, sum2 = 0;
#pragma omp simd reduction(+ : sum1, sum2)
    for (long r = 0; r < n; r++) {
        sum1 += g1[r];
        sum2 += g2[r];
    }
    sums->b2[0] += sum1;
    sums->b2[1] += sum2;
    for (int j = 0; j < HIDDEN; j++) {
        const REAL w1 = net->W2[j][1] - net->W2[j][0], w2 = net->W2[j][2] - net->W2[j][0];
        const REAL *restrict h = tile->h[j];
        REAL of_w1 = 0, of_w2 = 0, of_x0 = 0, of_x1 = 0, of_b = 0;
#pragma omp simd reduction(+ : of_w1, of_w2, of_x0, of_x1, of_b)
        for (long r = 0; r < n; r++) {
            const REAL back = (g1[r] * w1 + g2[r] * w2) * (h[r] - h[r] * h[r]);
            of_w1 += h[r] * g1[r];
            of_w2 += h[r] * g2[r];
            of_x0 += x0[r] * back;
            of_x1 += x1[r] * back;
            of_b += back;
        }
        sums->W2[j][0] += of_w1;
        sums->W2[j][1] += of_w2;
        sums->W1[0][j] += of_x0;
        sums->W1[1][j] += of_x1;
        sums->b1[j] += of_b;
    }
}

/* The derivatives of a row's three scores add up to 0, so those of the first are what is missing. */
static void update(struct net *net, const struct sums *sums, REAL factor) {
    for (int j = 0; j < HIDDEN; j++) {
        net->W1[0][j] -= factor * sums->W1[0][j];
        net->W1[1][j] -= factor * sums->W1[1][j];
        net->b1[j] -= factor * sums->b1[j];
        net->W2[j][0] += factor * (sums->W2[j][0] + sums->W2[j][1]);
        net->W2[j][1] -= factor * sums->W2[j][0];
        net->W2[j][2] -= factor * sums->W2[j][1];
    }
    net->b2[0] += factor * (sums->b2[0] + sums->b2[1]);
    net->b2[1] -= factor * sums->b2[0];
    net->b2[2] -= factor * sums->b2[1];
}

static double train(void *context, long number) {
    static struct tile tile;
    struct worker *worker = context;
    const long from = number * worker->batch % worker->rows / worker->batch * worker->stride;
    struct sums sums;
    memset(&sums, 0, sizeof sums);
    for (int l = 0; l < LANES; l++)
        sums.product[l] = 1;
    for (long r = 0; r < worker->stride; r += TILE) {
        const long n = worker->stride - r < TILE ? worker->stride - r : TILE, at = from + r;
        hidden(&worker->net, n, worker->x0 + at, worker->x1 + at, &tile);
        softmax(&worker->net, n, worker->is1 + at, worker->is2 + at, worker->is_row + at, &tile);
        multiply(n, &tile, &sums);
        gradients(&worker->net, n, worker->x0 + at, worker->x1 + at, &tile, &sums);
    }
    update(&worker->net, &sums, (REAL)(worker->rate / (double)worker->batch));
    double product = 1;
    for (int l = 0; l < LANES; l++)
        product *= (double)sums.product[l];
    return -(log(product) + sums.exponent * log(2)) / (double)worker->batch;
}

int main(int count, char **arguments) {
    static struct worker worker;
    if (count != 5)
        return 2;
    worker.rows = atol(arguments[1]);
    worker.batch = atol(arguments[2]);
    const double scale = atof(arguments[3]);
    worker.rate = atof(arguments[4]);
    worker.stride = (worker.batch + LANES - 1) / LANES * LANES;
    const size_t room = (size_t)(worker.rows / worker.batch * worker.stride);
    worker.x0 = bench_room(room, sizeof(REAL));
    worker.x1 = bench_room(room, sizeof(REAL));
    worker.is1 = bench_room(room, sizeof(REAL));
    worker.is2 = bench_room(room, sizeof(REAL));
    worker.is_row = bench_room(room, sizeof(REAL));
    for (long r = 0; r < worker.rows; r++) {
        const long at = r / worker.batch * worker.stride + r % worker.batch;
        worker.x0[at] = (REAL)bench_input(r, INPUTS, CLASSES, 0);
        worker.x1[at] = (REAL)bench_input(r, INPUTS, CLASSES, 1);
        worker.is1[at] = bench_class(r, CLASSES) == 1;
        worker.is2[at] = bench_class(r, CLASSES) == 2;
        worker.is_row[at] = 1;
    }
    for (int i = 0; i < INPUTS * HIDDEN; i++)
        worker.net.W1[i / HIDDEN][i % HIDDEN] = (REAL)bench_weight(0, i, scale);
    for (int j = 0; j < HIDDEN; j++)
        worker.net.b1[j] = (REAL)bench_weight(1, j, scale);
    for (int i = 0; i < HIDDEN * CLASSES; i++)
        worker.net.W2[i / CLASSES][i % CLASSES] = (REAL)bench_weight(2, i, scale);
    for (int k = 0; k < CLASSES; k++)
        worker.net.b2[k] = (REAL)bench_weight(3, k, scale);
    return bench_serve(train, &worker, 1);
}
