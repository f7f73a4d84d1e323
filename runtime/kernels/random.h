/* Random numbers with fixed bits: the same on every machine, compiler and number of threads.
 *
 * This text is used twice.  The tools include it; the emitter copies from it, section by section, into the
 * C99 file that it writes.  A marker line opens a section with its name and the sections that it needs,
 * here or in math.h, and runs to the next marker.
 *
 * Two generators:
 *  - counter mode, the default: every number is a function of (seed, stream, index) alone.  There is no
 *    state, so the order of drawing and the number of threads cannot matter.  One stream serves one purpose
 *    (one weight, one dropout, one data set); two purposes in one stream would draw the same numbers.
 *  - NumPy's legacy stream, for replaying programs that call np.random.seed(seed): one state, drawn in order.
 */
#ifndef NN_KERNELS_RANDOM_H
#define NN_KERNELS_RANDOM_H

#include "kernels/math.h"

/*@ nn_philox: */
/* Philox 4x32-10: ten rounds turn a counter of 128 bits into 128 random bits.
 * J. Salmon, M. Moraes, R. Dror, D. Shaw: Parallel random numbers: as easy as 1, 2, 3 (SC 2011). */
#include <stdint.h>
static inline void nn_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t output[4]) {
    uint32_t a = counter[0], b = counter[1], c = counter[2], d = counter[3];
    uint32_t key_0 = key[0], key_1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t product_0 = (uint64_t)UINT32_C(0xD2511F53) * a;
        uint64_t product_1 = (uint64_t)UINT32_C(0xCD9E8D57) * c;
        a = (uint32_t)(product_1 >> 32) ^ b ^ key_0;
        b = (uint32_t)product_1;
        c = (uint32_t)(product_0 >> 32) ^ d ^ key_1;
        d = (uint32_t)product_0;
        key_0 += UINT32_C(0x9E3779B9); /* the golden ratio */
        key_1 += UINT32_C(0xBB67AE85); /* the square root of 3, less 1 */
    }
    output[0] = a;
    output[1] = b;
    output[2] = c;
    output[3] = d;
}

/*@ nn_random_bits: nn_philox */
/* 64 random bits.  `attempt` is 0 but where a number has to be drawn again (see nn_integer). */
static inline uint64_t nn_random_bits(uint64_t seed, uint32_t stream, uint64_t index, uint32_t attempt) {
    const uint32_t counter[4] = {(uint32_t)index, (uint32_t)(index >> 32), stream, attempt};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t output[4];
    nn_philox(counter, key, output);
    return (uint64_t)output[1] << 32 | output[0];
}

/*@ nn_uniform: nn_random_bits */
/* In (0, 1), never 0 nor 1: the middle of one of 2^52 equal cells, an odd multiple of 2^-53.  Every such
 * number is exact, and u is as likely as 1 - u.  (2^53 cells would not do: the last middle rounds to 1.) */
static inline double nn_uniform(uint64_t seed, uint32_t stream, uint64_t index) {
    return ((double)(nn_random_bits(seed, stream, index, 0) >> 12) + 0.5) * (1.0 / 4503599627370496.0);
}

/*@ nn_noise_bits: nn_inline */
/* Random bits of an update for the indices first, first + distance, ...: 16 of them side by side, each what
 * nn_philox gives for the counter (index, stream, update).  The rounds are written out, so that a lane's numbers stay
 * in registers. */
#include <stdint.h>
NN_INLINE void nn_noise_round(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d, uint32_t key_0, uint32_t key_1) {
    const uint64_t product_0 = (uint64_t)UINT32_C(0xD2511F53) * *a;
    const uint64_t product_1 = (uint64_t)UINT32_C(0xCD9E8D57) * *c;
    *a = (uint32_t)(product_1 >> 32) ^ *b ^ key_0;
    *b = (uint32_t)product_1;
    *c = (uint32_t)(product_0 >> 32) ^ *d ^ key_1;
    *d = (uint32_t)product_0;
}
static inline void nn_noise_bits(uint64_t seed, uint32_t stream, uint32_t update, uint64_t first, uint64_t distance,
                                 uint32_t low[16], uint32_t high[16]) {
    const uint32_t key_0 = (uint32_t)seed, key_1 = (uint32_t)(seed >> 32);
    const uint32_t step_0 = UINT32_C(0x9E3779B9), step_1 = UINT32_C(0xBB67AE85);
    for (long l = 0; l < 16; l++) {
        const uint64_t index = first + (uint64_t)l * distance;
        uint32_t a = (uint32_t)index, b = (uint32_t)(index >> 32), c = stream, d = update;
        nn_noise_round(&a, &b, &c, &d, key_0, key_1);
        nn_noise_round(&a, &b, &c, &d, key_0 + step_0, key_1 + step_1);
        nn_noise_round(&a, &b, &c, &d, key_0 + 2 * step_0, key_1 + 2 * step_1);
        nn_noise_round(&a, &b, &c, &d, key_0 + 3 * step_0, key_1 + 3 * step_1);
        nn_noise_round(&a, &b, &c, &d, key_0 + 4 * step_0, key_1 + 4 * step_1);
        nn_noise_round(&a, &b, &c, &d, key_0 + 5 * step_0, key_1 + 5 * step_1);
        nn_noise_round(&a, &b, &c, &d, key_0 + 6 * step_0, key_1 + 6 * step_1);
        nn_noise_round(&a, &b, &c, &d, key_0 + 7 * step_0, key_1 + 7 * step_1);
        nn_noise_round(&a, &b, &c, &d, key_0 + 8 * step_0, key_1 + 8 * step_1);
        nn_noise_round(&a, &b, &c, &d, key_0 + 9 * step_0, key_1 + 9 * step_1);
        low[l] = a;
        high[l] = b;
    }
}

/*@ nn_noise: nn_noise_bits nn_bits */
/* y[r] for r < n: the uniform number of index first + r * distance; in update 0 that is nn_uniform's. */
static inline void nn_noise(long n, uint64_t seed, uint32_t stream, uint32_t update, uint64_t first,
                            uint64_t distance, double *y) {
    for (long from = 0; from < n; from += 16) {
        const long count = n - from < 16 ? n - from : 16;
        uint32_t low[16], high[16];
        nn_noise_bits(seed, stream, update, first + (uint64_t)from * distance, distance, low, high);
        for (long l = 0; l < count; l++) /* the bits of a number in [1, 2) */
            y[from + l] = nn_from_bits((uint64_t)high[l] << 20 | low[l] >> 12 | (uint64_t)0x3ff << 52) - 1.0 + 0x1p-53;
    }
}

/*@ nn_noisef: nn_noise_bits */
/* The middle of one of 2^23 cells: that in which the double is. */
static inline void nn_noisef(long n, uint64_t seed, uint32_t stream, uint32_t update, uint64_t first,
                             uint64_t distance, float *y) {
    for (long from = 0; from < n; from += 16) {
        const long count = n - from < 16 ? n - from : 16;
        uint32_t low[16], high[16];
        nn_noise_bits(seed, stream, update, first + (uint64_t)from * distance, distance, low, high);
        for (long l = 0; l < count; l++)
            y[from + l] = ((float)(int32_t)(high[l] >> 9) + 0.5f) * 0x1p-23f;
    }
}

/*@ nn_normal: nn_uniform nn_normal_quantile */
/* N(0, 1) by inversion: one uniform number makes one normal number, within 8.3 of zero. */
static inline double nn_normal(uint64_t seed, uint32_t stream, uint64_t index) {
    return nn_normal_quantile(nn_uniform(seed, stream, index));
}

/*@ nn_integer: nn_random_bits */
/* One of 0 .. below - 1 without bias; `below` is at least 1.  The lowest 2^64 mod below patterns are drawn
 * again, so that each remainder stands for equally many of the rest. */
static inline uint64_t nn_integer(uint64_t seed, uint32_t stream, uint64_t index, uint64_t below) {
    uint64_t first = (UINT64_MAX - below + 1) % below;
    uint64_t bits;
    uint32_t attempt = 0;
    do
        bits = nn_random_bits(seed, stream, index, attempt++);
    while (bits < first);
    return bits % below;
}

/*@ nn_permutation: nn_integer */
/* order (n): a random order of 0 .. n - 1 for this epoch, by Fisher and Yates from the last place down.
 * It does not depend on the orders of earlier epochs. */
static inline void nn_permutation(uint64_t seed, uint32_t stream, uint32_t epoch, uint32_t n,
                                  uint32_t *order) {
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    for (uint32_t i = n; i-- > 1;) {
        uint32_t j = (uint32_t)nn_integer(seed, stream, (uint64_t)epoch << 32 | i, (uint64_t)i + 1);
        uint32_t moved = order[i];
        order[i] = order[j];
        order[j] = moved;
    }
}

/*@ nn_rounded: */
/* The value, rounded to a double: no compiler may fuse the product in it with a sum outside. */
static inline double nn_rounded(double value) {
    volatile double rounded = value;
    return rounded;
}

/*@ nn_spiral_row: nn_uniform nn_normal nn_rounded nn_sin nn_cos */
/* Row `row` of a spiral of classes x `points` rows in the plane, class by class: row = (x, y, class).
 * The arm starts in the middle and turns 4 radians; `noise` is the deviation of the angle.  The radius is
 * i / points, or random in (0, 1).  Counters: 2 * row for the angle, 2 * row + 1 for the radius. */
static inline void nn_spiral_row(uint64_t seed, uint32_t stream, uint64_t points, double noise,
                                 int random_radius, uint64_t row, double values[3]) {
    double label = (double)(row / points);
    double radius = random_radius ? nn_uniform(seed, stream, 2 * row + 1) : (double)(row % points) / (double)points;
    double theta = label * 4.0 + 4.0 * radius + nn_rounded(nn_normal(seed, stream, 2 * row) * noise);
    values[0] = radius * nn_sin(theta);
    values[1] = radius * nn_cos(theta);
    values[2] = label;
}

/*@ nn_spiral: nn_spiral_row */
/* rows (classes * points, 3): the whole spiral. */
static inline void nn_spiral(uint64_t seed, uint32_t stream, uint64_t classes, uint64_t points, double noise,
                             int random_radius, double *rows) {
    for (uint64_t row = 0; row < classes * points; row++)
        nn_spiral_row(seed, stream, points, noise, random_radius, row, rows + 3 * row);
}

/*@ nn_numpy: */
/* The state of np.random.RandomState: MT19937, and the second normal number of a pair until it is asked for.
 * M. Matsumoto, T. Nishimura: Mersenne Twister (ACM TOMACS 8, 1998). */
#include <stdint.h>
struct nn_numpy {
    uint32_t mt[624];
    int position; /* of the next word in mt; 624 when all are used */
    int has_gauss;
    double gauss;
};

/*@ nn_numpy_seed: nn_numpy */
/* As RandomState(seed) and np.random.seed(seed) do for one integer: Knuth's recurrence (init_genrand). */
static inline void nn_numpy_seed(struct nn_numpy *stream, uint32_t seed) {
    stream->mt[0] = seed;
    for (uint32_t i = 1; i < 624; i++) {
        uint32_t before = stream->mt[i - 1];
        stream->mt[i] = UINT32_C(1812433253) * (before ^ before >> 30) + i;
    }
    stream->position = 624;
    stream->has_gauss = 0;
    stream->gauss = 0.0;
}

/*@ nn_numpy_refill: nn_numpy */
/* The next 624 words of the twister, before tempering. */
static inline void nn_numpy_refill(struct nn_numpy *stream) {
    uint32_t *mt = stream->mt;
    for (int i = 0; i < 624; i++) {
        uint32_t joined = (mt[i] & UINT32_C(0x80000000)) | (mt[(i + 1) % 624] & UINT32_C(0x7fffffff));
        mt[i] = mt[(i + 397) % 624] ^ joined >> 1 ^ ((joined & 1) ? UINT32_C(0x9908b0df) : 0);
    }
    stream->position = 0;
}

/*@ nn_numpy_word: nn_numpy nn_numpy_refill */
/* The next 32 bits. */
static inline uint32_t nn_numpy_word(struct nn_numpy *stream) {
    if (stream->position >= 624)
        nn_numpy_refill(stream);
    uint32_t word = stream->mt[stream->position++];
    word ^= word >> 11;
    word ^= word << 7 & UINT32_C(0x9d2c5680);
    word ^= word << 15 & UINT32_C(0xefc60000);
    return word ^ word >> 18;
}

/*@ nn_numpy_sample: nn_numpy_word */
/* random_sample(): a multiple of 2^-53 in [0, 1). */
static inline double nn_numpy_sample(struct nn_numpy *stream) {
    uint32_t high = nn_numpy_word(stream) >> 5;
    uint32_t low = nn_numpy_word(stream) >> 6;
    return ((double)high * 67108864.0 + (double)low) * (1.0 / 9007199254740992.0);
}

/*@ nn_numpy_normal: nn_numpy_sample nn_rounded */
/* randn(): Marsaglia's polar method, two numbers from a pair of samples; the second one is handed out first.
 * `log` is the C library's, as it is in NumPy. */
#include <math.h>
static inline double nn_numpy_normal(struct nn_numpy *stream) {
    if (stream->has_gauss) {
        stream->has_gauss = 0;
        return stream->gauss;
    }
    double x, y, square;
    do {
        x = 2.0 * nn_numpy_sample(stream) - 1.0;
        y = 2.0 * nn_numpy_sample(stream) - 1.0;
        square = nn_rounded(x * x) + nn_rounded(y * y);
    } while (square >= 1.0 || !(square > 0.0));
    double scale = sqrt(-2.0 * log(square) / square);
    stream->gauss = scale * x;
    stream->has_gauss = 1;
    return scale * y;
}

/*@ nn_numpy_interval: nn_numpy_word */
/* One of 0 .. maximum, the maximum included: the fewest bits that can hold it, drawn until they fit. */
static inline uint32_t nn_numpy_interval(struct nn_numpy *stream, uint32_t maximum) {
    uint32_t mask = maximum, value;
    if (maximum == 0) /* nothing is drawn */
        return 0;
    for (int shift = 1; shift < 32; shift *= 2)
        mask |= mask >> shift;
    do
        value = nn_numpy_word(stream) & mask;
    while (value > maximum);
    return value;
}

/*@ nn_numpy_permutation: nn_numpy_interval */
/* order (n): permutation(n), that is 0 .. n - 1 shuffled. */
static inline void nn_numpy_permutation(struct nn_numpy *stream, uint32_t n, uint32_t *order) {
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    for (uint32_t i = n; i-- > 1;) {
        uint32_t j = nn_numpy_interval(stream, i);
        uint32_t moved = order[i];
        order[i] = order[j];
        order[j] = moved;
    }
}

/*@ nn_numpy_spiral: nn_numpy_sample nn_numpy_normal nn_rounded */
/* rows (classes * points, 3): x, y, class, as the program of "Deep Learning from Scratch 2" makes its data.
 * Point by point, a random radius is drawn before the angle.  `sin` and `cos` are the C library's. */
#include <math.h>
static inline void nn_numpy_spiral(struct nn_numpy *stream, uint64_t classes, uint64_t points, double noise,
                                   int random_radius, double *rows) {
    for (uint64_t row = 0; row < classes * points; row++) {
        double label = (double)(row / points);
        double radius = random_radius ? nn_numpy_sample(stream) : (double)(row % points) / (double)points;
        double theta = label * 4.0 + 4.0 * radius + nn_rounded(nn_numpy_normal(stream) * noise);
        rows[3 * row] = radius * sin(theta);
        rows[3 * row + 1] = radius * cos(theta);
        rows[3 * row + 2] = label;
    }
}

/*@ nn_end: */
#endif
