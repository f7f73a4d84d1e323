/*
 * Measures the functions of runtime/kernels/math.h against MPFR.
 *
 * A row of the table below names a function, a range of arguments and the bound that its error must not pass.
 * The arguments are spread evenly over the range, over its bit patterns (so that every exponent is met), and
 * crowded round the points where a method changes. An error is counted in units of the last place of the
 * exact result; where the exact result is subnormal, in units of the smallest number.
 *
 * Compiled once with NN_FUSED=0 and once with NN_FUSED=1. An argument scales the number of points; 1 is the
 * default.
 */
#include "runtime/kernels/math.h"
#include <float.h>
#include <mpfr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PRECISION = 140 };

typedef int Exact(mpfr_t result, const mpfr_t x, mpfr_rnd_t rounding);

typedef struct {
    const char *name;
    double (*wide)(double);
    float (*narrow)(float);
    Exact *exact;
    double low, high;
    double bound; // ulp
} Row;

static uint64_t random_state = 0x9e3779b97f4a7c15U;

static uint64_t random_bits(void) {
    uint64_t z = random_state += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

static double random_unit(void) {
    return (double)(random_bits() >> 11) * 0x1p-53;
}

/* Exact values that MPFR does not offer as one function. */
static int exact_sigmoid(mpfr_t y, const mpfr_t x, mpfr_rnd_t rounding) {
    mpfr_neg(y, x, rounding);
    mpfr_exp(y, y, rounding);
    mpfr_add_ui(y, y, 1, rounding);
    return mpfr_ui_div(y, 1, y, rounding);
}

static int exact_sigmoid_base2(mpfr_t y, const mpfr_t x, mpfr_rnd_t rounding) {
    mpfr_neg(y, x, rounding);
    mpfr_exp2(y, y, rounding);
    mpfr_add_ui(y, y, 1, rounding);
    return mpfr_ui_div(y, 1, y, rounding);
}

/* (2^x - 1) / (2^x + 1) = 1 - 2 / (2^x + 1) would cancel near 0: tanh(x ln(2) / 2). */
static int exact_tanh_base2(mpfr_t y, const mpfr_t x, mpfr_rnd_t rounding) {
    mpfr_const_log2(y, rounding);
    mpfr_mul(y, y, x, rounding);
    mpfr_div_2ui(y, y, 1, rounding);
    return mpfr_tanh(y, y, rounding);
}

static int exact_softplus(mpfr_t y, const mpfr_t x, mpfr_rnd_t rounding) {
    mpfr_exp(y, x, rounding);
    return mpfr_log1p(y, y, rounding);
}

/* The quantile of probability x: Newton's method on erfc(-y / sqrt 2) / 2 = x, from the double result. Each
 * step doubles the digits that are right; two suffice, three are taken. */
static int exact_quantile(mpfr_t y, const mpfr_t x, mpfr_rnd_t rounding) {
    mpfr_t step, density, root;
    mpfr_inits2(mpfr_get_prec(y), step, density, root, (mpfr_ptr)0);
    mpfr_sqrt_ui(root, 2, rounding);
    mpfr_set_d(y, nn_normal_quantile(mpfr_get_d(x, rounding)), rounding);
    for (int i = 0; i < 3; i++) {
        mpfr_div(step, y, root, rounding);
        mpfr_sqr(density, step, rounding);
        mpfr_neg(density, density, rounding);
        mpfr_exp(density, density, rounding); // sqrt(2 pi) times the density at y
        mpfr_neg(step, step, rounding);
        mpfr_erfc(step, step, rounding);
        mpfr_div_2ui(step, step, 1, rounding);
        mpfr_sub(step, step, x, rounding);
        mpfr_div(step, step, density, rounding);
        mpfr_const_pi(density, rounding);
        mpfr_mul_2ui(density, density, 1, rounding);
        mpfr_sqrt(density, density, rounding);
        mpfr_mul(step, step, density, rounding);
        mpfr_sub(y, y, step, rounding);
    }
    mpfr_clears(step, density, root, (mpfr_ptr)0);
    return 0;
}

/* Powers with one argument held: what is measured is nn_pow(x, 2.7), nn_pow(1.0001, x) and the like. */
static double pow_root(double x) {
    return nn_pow(x, 1.0 / 3.0);
}
static double pow_third(double x) {
    return nn_pow(x, -3.0);
}
static double pow_steep(double x) {
    return nn_pow(x, 57.25);
}
static double pow_of_near_one(double x) {
    return nn_pow(1.0009765625, x);
}
static double pow_of_ten(double x) {
    return nn_pow(10.0, x);
}
static float powf_steep(float x) {
    return nn_powf(x, 17.25f);
}
static float powf_of_ten(float x) {
    return nn_powf(10.0f, x);
}
static int exact_power(mpfr_t y, const mpfr_t x, double exponent, mpfr_rnd_t rounding) {
    mpfr_t b;
    mpfr_init2(b, 64);
    mpfr_set_d(b, exponent, rounding);
    const int inexact = mpfr_pow(y, x, b, rounding);
    mpfr_clear(b);
    return inexact;
}
static int exact_power_of(mpfr_t y, double base, const mpfr_t x, mpfr_rnd_t rounding) {
    mpfr_t a;
    mpfr_init2(a, 64);
    mpfr_set_d(a, base, rounding);
    const int inexact = mpfr_pow(y, a, x, rounding);
    mpfr_clear(a);
    return inexact;
}
static int exact_root(mpfr_t y, const mpfr_t x, mpfr_rnd_t rounding) {
    return exact_power(y, x, 1.0 / 3.0, rounding);
}
static int exact_third(mpfr_t y, const mpfr_t x, mpfr_rnd_t rounding) {
    return exact_power(y, x, -3.0, rounding);
}
static int exact_steep(mpfr_t y, const mpfr_t x, mpfr_rnd_t rounding) {
    return exact_power(y, x, 57.25, rounding);
}
static int exact_steep_narrow(mpfr_t y, const mpfr_t x, mpfr_rnd_t rounding) {
    return exact_power(y, x, 17.25, rounding);
}
static int exact_of_near_one(mpfr_t y, const mpfr_t x, mpfr_rnd_t rounding) {
    return exact_power_of(y, 1.0009765625, x, rounding);
}
static int exact_of_ten(mpfr_t y, const mpfr_t x, mpfr_rnd_t rounding) {
    return exact_power_of(y, 10.0, x, rounding);
}

static int by_name(const char *name, const char *wanted) {
    return wanted == NULL || strcmp(name, wanted) == 0;
}

static double wide_ulp(mpfr_t exact) {
    const double nearest = fabs(mpfr_get_d(exact, MPFR_RNDZ));
    if (nearest < DBL_MIN) {
        return 0x1p-1074;
    }
    int exponent;
    (void)frexp(nearest, &exponent);
    return ldexp(1.0, exponent - 53);
}

static double narrow_ulp(mpfr_t exact) {
    const double nearest = fabs(mpfr_get_d(exact, MPFR_RNDZ));
    if (nearest < (double)FLT_MIN) {
        return 0x1p-149;
    }
    int exponent;
    (void)frexp(nearest, &exponent);
    return ldexp(1.0, exponent - 24);
}

/* |got - exact| / ulp; a result that rounds to an infinity must be one. */
static double error_of(double got, mpfr_t exact, int narrow) {
    mpfr_t difference;
    const double rounded = narrow ? (double)mpfr_get_flt(exact, MPFR_RNDN) : mpfr_get_d(exact, MPFR_RNDN);
    if (isinf(rounded) || isinf(got) || isnan(got)) {
        return got == rounded ? 0.0 : HUGE_VAL;
    }
    mpfr_init2(difference, PRECISION);
    mpfr_sub_d(difference, exact, got, MPFR_RNDN);
    mpfr_div_d(difference, difference, narrow ? narrow_ulp(exact) : wide_ulp(exact), MPFR_RNDN);
    const double error = fabs(mpfr_get_d(difference, MPFR_RNDN));
    mpfr_clear(difference);
    return error;
}

/* The bits of a double as an integer that grows with it, and back. */
static int64_t rank_of(double x) {
    const int64_t bits = (int64_t)nn_bits(fabs(x));
    return signbit(x) ? -bits : bits;
}

static double of_rank(int64_t rank) {
    return rank < 0 ? -nn_from_bits((uint64_t)-rank) : nn_from_bits((uint64_t)rank);
}

/* Point i: a third evenly spread, a third by bit patterns, a third crowded towards zero and the range's ends.
 */
static double argument(const Row *row, long i, long count) {
    const double width = row->high - row->low;
    double x = row->low + width * ((double)i + random_unit()) / (double)count;
    if (i % 3 == 1) {
        const double share = ((double)i + random_unit()) / (double)count;
        const int64_t low = rank_of(row->low);
        x = of_rank(low + (int64_t)(share * ((double)rank_of(row->high) - (double)low)));
    } else if (i % 3 == 2) {
        const double small = ldexp(random_unit() - 0.5, -(int)(random_bits() % 12));
        const double around[] = {0.0, row->low, row->high, 1.0, -1.0, 0.34657359027997264, 0.5};
        x = around[random_bits() % (sizeof around / sizeof *around)] + small;
    }
    return x < row->low ? row->low : x > row->high ? row->high : x;
}

static int measure(const Row *row, long count) {
    const int narrow = row->narrow != NULL;
    double worst = 0.0, worst_at = row->low;
    mpfr_t x, y;
    mpfr_inits2(PRECISION, x, y, (mpfr_ptr)0);
    for (long i = 0; i < count; i++) {
        double at = argument(row, i, count);
        if (narrow) {
            at = (double)(float)at;
        }
        mpfr_set_d(x, at, MPFR_RNDN);
        row->exact(y, x, MPFR_RNDN);
        const double error = error_of(narrow ? (double)row->narrow((float)at) : row->wide(at), y, narrow);
        if (error > worst) {
            worst = error;
            worst_at = at;
        }
    }
    mpfr_clears(x, y, (mpfr_ptr)0);
    const int passed = worst <= row->bound;
    printf("%-19s %-5s [%9.4g, %9.4g]  %6.3f of %4.2f ulp at %.17g%s\n", row->name,
           NN_FUSED ? "fused" : "plain", row->low, row->high, worst, row->bound, worst_at,
           passed ? "" : "   EXCEEDED");
    return passed;
}

#define WIDE(function, exact, low, high, bound) \
    { #function, function, NULL, exact, low, high, bound }
#define NARROW(function, exact, low, high, bound) \
    { #function, NULL, function, exact, low, high, bound }

static const Row rows[] = {
    WIDE(nn_exp, mpfr_exp, -708.3, 710.0, 1.0),
    WIDE(nn_exp, mpfr_exp, -746.0, -708.3, 1.3), // subnormal: rounded twice
    WIDE(nn_exp, mpfr_exp, -2.0, 2.0, 1.0),
    NARROW(nn_expf, mpfr_exp, -87.3, 89.5, 1.0),
    NARROW(nn_expf, mpfr_exp, -105.0, -87.3, 1.3),
    NARROW(nn_expf, mpfr_exp, -2.0, 2.0, 1.0),
    WIDE(nn_exp_shifted, mpfr_exp, -708.3, 0.0, 1.5),
    WIDE(nn_exp_shifted, mpfr_exp, -2.0, 0.0, 1.5),
    NARROW(nn_exp_shiftedf, mpfr_exp, -87.3, 0.0, 1.5),
    NARROW(nn_exp_shiftedf, mpfr_exp, -2.0, 0.0, 1.5),
    WIDE(nn_log_shifted, mpfr_log, 1.0, 0x1p40, 1.0),
    WIDE(nn_log_shifted, mpfr_log, 1.0, 3.0, 1.0),
    NARROW(nn_log_shiftedf, mpfr_log, 1.0, 0x1p40, 1.0),
    NARROW(nn_log_shiftedf, mpfr_log, 1.0, 3.0, 1.0),
    WIDE(nn_log, mpfr_log, 0x1p-1074, DBL_MAX, 1.0),
    WIDE(nn_log, mpfr_log, 0.4, 2.5, 1.0),
    NARROW(nn_logf, mpfr_log, 0x1p-149, (double)FLT_MAX, 1.0),
    NARROW(nn_logf, mpfr_log, 0.4, 2.5, 1.0),
    WIDE(nn_tanh, mpfr_tanh, -21.0, 21.0, 4.5),
    WIDE(nn_tanh, mpfr_tanh, -0.7, 0.7, 4.5),
    WIDE(nn_tanh, mpfr_tanh, -0.17, 0.17, 3.0),
    NARROW(nn_tanhf, mpfr_tanh, -11.0, 11.0, 4.5),
    WIDE(nn_sigmoid, exact_sigmoid, -708.0, 45.0, 2.5),
    WIDE(nn_sigmoid, exact_sigmoid, -40.0, 40.0, 2.5),
    WIDE(nn_sigmoid, exact_sigmoid, -3.0, 3.0, 2.5),
    NARROW(nn_sigmoidf, exact_sigmoid, -87.0, 20.0, 2.5),
    NARROW(nn_sigmoidf, exact_sigmoid, -3.0, 3.0, 2.5),
    WIDE(nn_sigmoid_base2, exact_sigmoid_base2, -1021.0, 65.0, 2.5),
    WIDE(nn_sigmoid_base2, exact_sigmoid_base2, -58.0, 58.0, 2.5),
    WIDE(nn_sigmoid_base2, exact_sigmoid_base2, -4.0, 4.0, 2.5),
    NARROW(nn_sigmoid_base2f, exact_sigmoid_base2, -125.0, 29.0, 2.5),
    NARROW(nn_sigmoid_base2f, exact_sigmoid_base2, -4.0, 4.0, 2.5),
    WIDE(nn_tanh_base2, exact_tanh_base2, -60.0, 60.0, 4.5),
    WIDE(nn_tanh_base2, exact_tanh_base2, -2.0, 2.0, 4.5),
    WIDE(nn_tanh_base2, exact_tanh_base2, -0.49, 0.49, 3.0),
    NARROW(nn_tanh_base2f, exact_tanh_base2, -31.0, 31.0, 4.5),
    NARROW(nn_tanh_base2f, exact_tanh_base2, -0.49, 0.49, 3.0),
    WIDE(nn_exp2, mpfr_exp2, -1021.9, 1024.0, 1.0),
    NARROW(nn_exp2f, mpfr_exp2, -125.9, 128.0, 1.0),
    WIDE(nn_expm1, mpfr_expm1, -60.0, 710.0, 2.0),
    WIDE(nn_expm1, mpfr_expm1, -0.8, 0.8, 2.0),
    NARROW(nn_expm1f, mpfr_expm1, -30.0, 89.5, 2.0),
    NARROW(nn_expm1f, mpfr_expm1, -0.8, 0.8, 2.0),
    WIDE(nn_log2, mpfr_log2, 0x1p-1074, DBL_MAX, 2.0),
    WIDE(nn_log2, mpfr_log2, 0.4, 2.5, 2.0),
    NARROW(nn_log2f, mpfr_log2, 0x1p-149, (double)FLT_MAX, 2.0),
    NARROW(nn_log2f, mpfr_log2, 0.4, 2.5, 2.0),
    WIDE(nn_log1p, mpfr_log1p, -1.0 + 0x1p-53, DBL_MAX, 2.0),
    WIDE(nn_log1p, mpfr_log1p, -0.5, 1.5, 2.0),
    NARROW(nn_log1pf, mpfr_log1p, -1.0 + 0x1p-24, (double)FLT_MAX, 2.0),
    NARROW(nn_log1pf, mpfr_log1p, -0.5, 1.5, 2.0),
    WIDE(nn_softplus, exact_softplus, -708.3, 800.0, 2.0),
    WIDE(nn_softplus, exact_softplus, -4.0, 4.0, 2.0),
    NARROW(nn_softplusf, exact_softplus, -87.3, 90.0, 2.0),
    NARROW(nn_softplusf, exact_softplus, -4.0, 4.0, 2.0),
    WIDE(nn_sin, mpfr_sin, -1e6, 1e6, 1.0),
    WIDE(nn_sin, mpfr_sin, -4.0, 4.0, 1.0),
    NARROW(nn_sinf, mpfr_sin, -1e6, 1e6, 1.0),
    WIDE(nn_cos, mpfr_cos, -1e6, 1e6, 1.0),
    WIDE(nn_cos, mpfr_cos, -4.0, 4.0, 1.0),
    NARROW(nn_cosf, mpfr_cos, -1e6, 1e6, 1.0),
    WIDE(nn_tan, mpfr_tan, -1e6, 1e6, 2.5),
    WIDE(nn_tan, mpfr_tan, -4.0, 4.0, 2.5),
    NARROW(nn_tanf, mpfr_tan, -1e6, 1e6, 1.0),
    WIDE(nn_erf, mpfr_erf, -7.0, 7.0, 2.0),
    WIDE(nn_erf, mpfr_erf, -1.2, 1.2, 2.0),
    NARROW(nn_erff, mpfr_erf, -5.0, 5.0, 1.0),
    WIDE(pow_root, exact_root, 0x1p-1022, DBL_MAX, 1.1),
    WIDE(pow_third, exact_third, 1e-100, 1e100, 1.1),
    WIDE(pow_steep, exact_steep, 5e-6, 2e5, 1.1),
    WIDE(pow_steep, exact_steep, 0.5, 2.0, 1.1),
    WIDE(pow_of_near_one, exact_of_near_one, -7e5, 7e5, 1.1),
    WIDE(pow_of_ten, exact_of_ten, -307.0, 308.5, 1.1),
    NARROW(powf_steep, exact_steep_narrow, 0.01, 160.0, 1.1),
    NARROW(powf_of_ten, exact_of_ten, -37.0, 38.6, 1.1),
    WIDE(nn_normal_quantile, exact_quantile, 0x1p-1022, 0.499, 8.0),
    WIDE(nn_normal_quantile, exact_quantile, 0.501, 1.0 - 0x1p-53, 8.0),
};

int main(int count, char **arguments) {
    const double scale = count > 1 ? atof(arguments[1]) : 1.0;
    const char *wanted = count > 2 ? arguments[2] : NULL;
    int failures = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (by_name(rows[i].name, wanted)) {
            failures += !measure(&rows[i], (long)(scale * 30000.0));
        }
    }
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
