/*
 * Measures the functions of runtime/kernels/math.h against MPFR.
 *
 * A row of the table below names a function, a range of arguments and the bound that its error must not pass. The arguments
 * are spread evenly over the range, over its bit patterns (so that every exponent is met), and crowded round the
 * points where a method changes. An error is counted in units of the last place of the exact result; where
 * the exact result is subnormal, in units of the smallest number.
 *
 * Compiled once with NN_FUSED=0 and once with NN_FUSED=1. An argument scales the number of points; 1 is the default.
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

static int exact_softplus(mpfr_t y, const mpfr_t x, mpfr_rnd_t rounding) {
    mpfr_exp(y, x, rounding);
    return mpfr_log1p(y, y, rounding);
}

/* The quantile q of probability x: P(q) = x, by Newton's method from the double result; exact well beyond a double. */
static int exact_quantile(mpfr_t y, const mpfr_t x, mpfr_rnd_t rounding);

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
    const double error = fabs(mpfr_get_d(difference, MPFR_RNDN)) / (narrow ? narrow_ulp(exact) : wide_ulp(exact));
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

/* Point i: a third evenly spread, a third by bit patterns, a third crowded towards zero and the range's ends. */
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
    printf("%-19s %-5s [%9.4g, %9.4g]  %6.3f of %4.2f ulp at %.17g%s\n", row->name, NN_FUSED ? "fused" : "plain",
           row->low, row->high, worst, row->bound, worst_at, passed ? "" : "   EXCEEDED");
    return passed;
}

#define WIDE(function, exact, low, high, bound) {#function, function, NULL, exact, low, high, bound}
#define NARROW(function, exact, low, high, bound) {#function, NULL, function, exact, low, high, bound}

static const Row rows[] = {
    WIDE(nn_exp, mpfr_exp, -746.0, 710.0, 1.0),
    WIDE(nn_exp, mpfr_exp, -2.0, 2.0, 1.0),
    NARROW(nn_expf, mpfr_exp, -105.0, 89.5, 1.0),
    NARROW(nn_expf, mpfr_exp, -2.0, 2.0, 1.0),
    WIDE(nn_log, mpfr_log, 0x1p-1074, DBL_MAX, 1.0),
    WIDE(nn_log, mpfr_log, 0.4, 2.5, 1.0),
    NARROW(nn_logf, mpfr_log, 0x1p-149, (double)FLT_MAX, 1.0),
    NARROW(nn_logf, mpfr_log, 0.4, 2.5, 1.0),
    WIDE(nn_tanh, mpfr_tanh, -21.0, 21.0, 2.0),
    WIDE(nn_tanh, mpfr_tanh, -0.7, 0.7, 2.0),
    NARROW(nn_tanhf, mpfr_tanh, -11.0, 11.0, 2.0),
    WIDE(nn_sigmoid, exact_sigmoid, -746.0, 45.0, 1.0),
    WIDE(nn_sigmoid, exact_sigmoid, -40.0, 40.0, 1.0),
    WIDE(nn_sigmoid, exact_sigmoid, -3.0, 3.0, 1.0),
    NARROW(nn_sigmoidf, exact_sigmoid, -105.0, 20.0, 1.0),
    NARROW(nn_sigmoidf, exact_sigmoid, -3.0, 3.0, 1.0),
/*MORE*/
};

int main(int count, char **arguments) {
    const double scale = count > 1 ? atof(arguments[1]) : 1.0;
    const char *wanted = count > 2 ? arguments[2] : NULL;
    int failures = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (by_name(rows[i].name, wanted)) {
            failures += !measure(&rows[i], (long)(scale * 60000.0));
        }
    }
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
