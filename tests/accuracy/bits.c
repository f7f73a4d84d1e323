/*
 * Prints a checksum of the results of each function of runtime/kernels/math.h over a fixed set of arguments:
 * special values, random bit patterns, and numbers spread over ordinary ranges. Within one mode (NN_FUSED 0
 * or 1) the output is the same for every compiler, optimisation level and width of vectors;
 * tests/accuracy/bits.sh compares them. A NaN counts as a NaN, whatever its sign and payload.
 */
#include "runtime/kernels/math.h"
#include <inttypes.h>
#include <stdio.h>

enum { COUNT = 1 << 15 };

static double wide[COUNT], second[COUNT], wide_result[COUNT];
static float narrow[COUNT], narrow_second[COUNT], narrow_result[COUNT];

static uint64_t random_state = 1;

static uint64_t random_bits(void) {
    uint64_t z = random_state += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

static double number(int i) {
    static const double special[] = {0.0,  -0.0, 1.0,       -1.0,      0.5,      2.0,
                                     -2.0, 3.0,  0x1p-1074, 0x1p-1022, 0x1p1023, 0x1p52};
    static const double widths[] = {1.0, 4.0, 40.0, 800.0, 1e5};
    enum { SPECIALS = sizeof special / sizeof *special, WIDTHS = sizeof widths / sizeof *widths };
    const uint64_t bits = random_bits();
    if (i < SPECIALS) {
        return special[i];
    }
    if (i % 4 == 0) {
        return nn_from_bits(bits);
    }
    const double unit = (double)(int64_t)(bits >> 11) * 0x1p-52 - 1.0;
    return unit * widths[i % WIDTHS];
}

static void fill(void) {
    for (int i = 0; i < COUNT; i++) {
        wide[i] = number(i);
        second[i] = number(COUNT - i);
        const uint32_t bits = (uint32_t)random_bits();
        narrow[i] = i % 4 == 0 ? nn_from_bitsf(bits) : (float)wide[i];
        narrow_second[i] = (float)second[i];
    }
}

static uint64_t add(uint64_t sum, uint64_t value) {
    return (sum ^ value) * 0x100000001b3U;
}

static void print_wide(const char *name) {
    uint64_t sum = 0xcbf29ce484222325U;
    for (int i = 0; i < COUNT; i++) {
        sum = add(sum, wide_result[i] != wide_result[i] ? 1 : nn_bits(wide_result[i]));
    }
    printf("%-20s %016" PRIx64 "\n", name, sum);
}

static void print_narrow(const char *name) {
    uint64_t sum = 0xcbf29ce484222325U;
    for (int i = 0; i < COUNT; i++) {
        sum = add(sum, narrow_result[i] != narrow_result[i] ? 1 : nn_bitsf(narrow_result[i]));
    }
    printf("%-20s %016" PRIx64 "\n", name, sum);
}

#define WIDE(function)                      \
    for (int i = 0; i < COUNT; i++) {       \
        wide_result[i] = function(wide[i]); \
    }                                       \
    print_wide(#function);
#define NARROW(function)                        \
    for (int i = 0; i < COUNT; i++) {           \
        narrow_result[i] = function(narrow[i]); \
    }                                           \
    print_narrow(#function);
#define BOTH(function) \
    WIDE(function)     \
    NARROW(function##f)

static void exponentials(void) {
    BOTH(nn_exp)
    BOTH(nn_exp2)
    BOTH(nn_expm1)
    BOTH(nn_sigmoid)
    BOTH(nn_tanh)
    BOTH(nn_sigmoid_base2)
    BOTH(nn_tanh_base2)
    BOTH(nn_exp_shifted)
    BOTH(nn_log_shifted)
    BOTH(nn_softplus)
}

static void logarithms(void) {
    BOTH(nn_log)
    BOTH(nn_log2)
    BOTH(nn_log1p)
}

static void angles(void) {
    BOTH(nn_sin)
    BOTH(nn_cos)
    BOTH(nn_tan)
}

static void others(void) {
    BOTH(nn_erf)
    BOTH(nn_round)
    BOTH(nn_floor)
    BOTH(nn_ceil)
    WIDE(nn_normal_quantile)
    for (int i = 0; i < COUNT; i++) {
        wide_result[i] = nn_pow(wide[i], second[i]);
    }
    print_wide("nn_pow");
    for (int i = 0; i < COUNT; i++) {
        narrow_result[i] = nn_powf(narrow[i], narrow_second[i]);
    }
    print_narrow("nn_powf");
}

/* A comparison kept as a number and chosen by, as a dropout's mask is; rows in lanes, as in emitted C. */
static void choose(int m, const double *restrict x, double *restrict chosen, const double *restrict yes,
                   double *restrict y) {
    for (long u = 0; u < COUNT / 64; u++)
        for (long r = 0; r < m; r += 8)
            for (long l = 0; l < 8; l++) {
                const double is_chosen = 0.2 <= x[u * 64 + r + l] ? 1.0 : 0.0;
                chosen[u * 64 + r + l] = is_chosen;
                y[u * 64 + r + l] = nn_where(is_chosen, yes[u * 64 + r + l], 0.0);
            }
}

static void choices(void) {
    static double chosen[COUNT];
    choose(64, wide, chosen, second, wide_result);
    print_wide("nn_where");
    for (int i = 0; i < COUNT; i++) {
        wide_result[i] = nn_maximum(wide[i], second[i]) + chosen[i];
    }
    print_wide("nn_maximum");
    for (int i = 0; i < COUNT; i++) {
        narrow_result[i] =
            nn_wheref(narrow[i] < 0.5f ? 1.0f : 0.0f, narrow_second[i], nn_minimumf(narrow[i], 2.0f));
    }
    print_narrow("nn_wheref");
}

int main(void) {
    fill();
    choices();
    exponentials();
    logarithms();
    angles();
    others();
    return 0;
}
