/*
 * The functions of runtime/kernels/math.h without another library to compare with: special values, known
 * values, symmetries, identities, and order near the points where a method changes. Errors in ulp are
 * tests/accuracy's matter.
 */
#include "runtime/kernels/math.h"
// cmocka wants these before it
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <float.h>

static const double infinity = HUGE_VAL;
static const double special[] = {0.0,  -0.0,      1.0,        -1.0,  0.3,    -0.3,    2.5,
                                 -2.5, 0x1p-1074, -0x1p-1074, 700.0, -700.0, DBL_MAX, -DBL_MAX};

enum { SPECIALS = sizeof special / sizeof *special };

static double not_a_number(void) {
    return nn_from_bits((uint64_t)0x7ff8 << 48);
}

static void assert_nan(double x) {
    assert_true(x != x);
}

/* Equal in every bit. */
static void assert_same(double x, double expected) {
    assert_true(nn_bits(x) == nn_bits(expected));
}

static void assert_near(double x, double expected, double tolerance) {
    assert_true(fabs(x - expected) <= tolerance * fabs(expected));
}

/* Both versions of a function give `expected` at x, which a float holds too. */
#define assert_both(function, x, expected)                                       \
    do {                                                                         \
        assert_same(function(x), (expected));                                    \
        assert_same((double)function##f((float)(x)), (double)(float)(expected)); \
    } while (0)

#define assert_both_nan(function, x)                 \
    do {                                             \
        assert_nan(function(x));                     \
        assert_nan((double)function##f((float)(x))); \
    } while (0)

static void nan_goes_through(void **state) {
    (void)state;
    const double plus = not_a_number();
    const double signs[] = {plus, -plus};
    for (int i = 0; i < 2; i++) {
        const double x = signs[i];
        assert_both_nan(nn_exp, x);
        assert_both_nan(nn_exp_shifted, x);
        assert_both_nan(nn_log_shifted, x);
        assert_both_nan(nn_exp2, x);
        assert_both_nan(nn_expm1, x);
        assert_both_nan(nn_sigmoid, x);
        assert_both_nan(nn_tanh, x);
        assert_both_nan(nn_sigmoid_base2, x);
        assert_both_nan(nn_tanh_base2, x);
        assert_both_nan(nn_softplus, x);
        assert_both_nan(nn_log, x);
        assert_both_nan(nn_log2, x);
        assert_both_nan(nn_log1p, x);
        assert_both_nan(nn_sin, x);
        assert_both_nan(nn_cos, x);
        assert_both_nan(nn_tan, x);
        assert_both_nan(nn_erf, x);
        assert_both_nan(nn_round, x);
        assert_both_nan(nn_floor, x);
        assert_both_nan(nn_ceil, x);
        assert_nan(nn_normal_quantile(x));
        assert_nan(nn_pow(x, 2.0));
        assert_nan(nn_pow(2.0, x));
    }
}

static void limits_of_exponentials(void **state) {
    (void)state;
    assert_both(nn_exp, infinity, infinity);
    assert_both(nn_exp, -infinity, 0.0);
    assert_both(nn_exp, 0.0, 1.0);
    assert_both(nn_exp, -0.0, 1.0);
    assert_both(nn_exp_shifted, 0.0, 1.0);
    assert_both(nn_exp_shifted, -infinity, 0.0);
    assert_both(nn_log_shifted, 1.0, 0.0);
    assert_both(nn_exp2, infinity, infinity);
    assert_both(nn_exp2, -infinity, 0.0);
    assert_both(nn_expm1, infinity, infinity);
    assert_both(nn_expm1, -infinity, -1.0);
    assert_both(nn_expm1, -0.0, -0.0);
    assert_both(nn_sigmoid, infinity, 1.0);
    assert_both(nn_sigmoid, -infinity, 0.0);
    assert_both(nn_sigmoid, 0.0, 0.5);
    assert_both(nn_tanh, infinity, 1.0);
    assert_both(nn_tanh, -infinity, -1.0);
    assert_both(nn_tanh, 0.0, 0.0);
    assert_both(nn_tanh, -0.0, -0.0);
    assert_both(nn_sigmoid_base2, infinity, 1.0);
    assert_both(nn_sigmoid_base2, -infinity, 0.0);
    assert_both(nn_sigmoid_base2, 0.0, 0.5);
    assert_both(nn_tanh_base2, infinity, 1.0);
    assert_both(nn_tanh_base2, -infinity, -1.0);
    assert_both(nn_tanh_base2, 0.0, 0.0);
    assert_both(nn_tanh_base2, -0.0, -0.0);
    assert_both(nn_softplus, infinity, infinity);
    assert_both(nn_softplus, -infinity, 0.0);
}

static void overflow_and_underflow(void **state) {
    (void)state;
    assert_true(nn_exp(709.78) < infinity);
    assert_same(nn_exp(709.79), infinity);
    assert_true(nn_expf(88.72f) < HUGE_VALF);
    assert_true(nn_expf(88.73f) == HUGE_VALF);
    assert_same(nn_exp(-745.0), 0x1p-1074);
    assert_same(nn_exp(-745.2), 0.0);
    assert_same(nn_exp2(-1074.0), 0x1p-1074);
    assert_same(nn_exp2(1023.0), 0x1p1023);
    assert_same(nn_exp2(1024.0), infinity);
    assert_true(nn_sigmoid(-709.0) > 0.0 && nn_sigmoid(-709.0) < DBL_MIN);
    assert_same(nn_sigmoid(-711.0), 0.0);
    assert_true(nn_sigmoid_base2(-1022.4) > 0.0 && nn_sigmoid_base2(-1022.4) < DBL_MIN);
    assert_same(nn_sigmoid_base2(-1025.0), 0.0);
    assert_same(nn_softplus(800.0), 800.0);
}

static void tiny_arguments_stay(void **state) {
    (void)state;
    for (double x = 0x1p-1074; x < 0x1p-60; x *= 1024.0) {
        assert_same(nn_expm1(x), x);
        assert_same(nn_log1p(-x), -x);
        assert_same(nn_tanh(-x), -x);
        assert_same(nn_sin(x), x);
        assert_same(nn_tan(x), x);
        assert_same(nn_cos(x), 1.0);
    }
    assert_both(nn_sin, -0.0, -0.0);
    assert_both(nn_tan, -0.0, -0.0);
    assert_both(nn_log1p, -0.0, -0.0);
    assert_both(nn_erf, -0.0, -0.0);
}

static void limits_of_logarithms(void **state) {
    (void)state;
    assert_both(nn_log, infinity, infinity);
    assert_both(nn_log, 0.0, -infinity);
    assert_both(nn_log, -0.0, -infinity);
    assert_both(nn_log, 1.0, 0.0);
    assert_both_nan(nn_log, -1.0);
    assert_both_nan(nn_log, -infinity);
    assert_both_nan(nn_log2, -1.0);
    assert_both(nn_log2, infinity, infinity);
    assert_both(nn_log2, 0.0, -infinity);
    assert_both(nn_log1p, infinity, infinity);
    assert_both(nn_log1p, -1.0, -infinity);
    assert_both_nan(nn_log1p, -1.5);
    assert_nan(nn_log(-0x1p-1074));
}

static void powers_of_two_are_exact(void **state) {
    (void)state;
    for (int k = -1074; k < 1024; k++) {
        assert_same(nn_log2(ldexp(1.0, k)), (double)k);
        assert_same(nn_exp2((double)k), ldexp(1.0, k));
        assert_same(nn_pow(2.0, (double)k), ldexp(1.0, k));
    }
    for (int k = -149; k < 128; k++) {
        assert_true(nn_log2f(ldexpf(1.0f, k)) == (float)k);
        assert_true(nn_exp2f((float)k) == ldexpf(1.0f, k));
    }
}

static void known_values(void **state) {
    (void)state;
    const double close = 4.5e-16; // two ulp
    assert_near(nn_exp(1.0), 2.718281828459045, close);
    assert_near(nn_log(10.0), 2.302585092994046, close);
    assert_near(nn_log(0x1p-1074), -744.4400719213812, close);
    assert_near(nn_log2(10.0), 3.321928094887362, close);
    assert_near(nn_log1p(1e-10), 9.999999999500001e-11, close);
    assert_near(nn_expm1(1e-10), 1.00000000005e-10, close);
    assert_near(nn_sigmoid(1.0), 0.7310585786300049, close);
    assert_near(nn_sigmoid(-40.0), 4.248354255291589e-18, close);
    assert_near(nn_tanh(1.0), 0.7615941559557649, close);
    assert_near(nn_tanh(0.01), 0.00999966667999946, close);
    assert_near(nn_softplus(0.0), 0.6931471805599453, close);
    assert_near(nn_softplus(-40.0), 4.248354255291589e-18, close);
    assert_near(nn_sin(1.0), 0.8414709848078965, close);
    assert_near(nn_cos(1e5), -0.9993608074382124, close);
    assert_near(nn_sin(3.1415926535897931), 1.2246467991473532e-16, close);
    assert_near(nn_tan(1.0), 1.5574077246549023, close);
    assert_near(nn_erf(0.5), 0.5204998778130465, close);
    assert_near(nn_erf(2.0), 0.9953222650189527, close);
    assert_near(nn_pow(10.0, 300.0), 1e300, close);
    assert_near(nn_normal_quantile(0.975), 1.9599639845400538, 1e-15);
    assert_near(nn_normal_quantile(1e-10), -6.361340902404057, 1e-15);
}

static void symmetries(void **state) {
    (void)state;
    for (double x = 0.001; x < 30.0; x *= 1.01) {
        assert_same(nn_tanh(-x), -nn_tanh(x));
        assert_same(nn_sin(-x), -nn_sin(x));
        assert_same(nn_cos(-x), nn_cos(x));
        assert_same(nn_tan(-x), -nn_tan(x));
        assert_same(nn_erf(-x), -nn_erf(x));
        assert_near(nn_sigmoid(-x) + nn_sigmoid(x), 1.0, 5e-16);
        assert_near(nn_softplus(x) - nn_softplus(-x), x, 1e-15 * (1.0 + 1.0 / x));
    }
    for (double p = 0.001; p < 0.5; p += 0.0078125) {
        assert_near(nn_normal_quantile(1.0 - p), -nn_normal_quantile(p), 1e-13);
    }
    assert_same(nn_normal_quantile(0.5), 0.0);
}

static void identities(void **state) {
    (void)state;
    for (double x = -30.0; x < 30.0; x += 0.037) {
        assert_near(nn_log(nn_exp(x)), x, 1e-14);
        assert_near(nn_expm1(nn_log1p(fabs(x))), fabs(x), 1e-13);
        const double sine = nn_sin(x), cosine = nn_cos(x);
        assert_near(sine * sine + cosine * cosine, 1.0, 1e-15);
        assert_near(nn_pow(nn_pow(fabs(x) + 0.1, 3.0), 1.0 / 3.0), fabs(x) + 0.1, 1e-15);
    }
}

/* Never decreasing over small steps round the points where a method or a power of two changes. */
static void assert_rising(double (*function)(double), double middle) {
    double before = function(middle - 200.0 * 0x1p-40);
    for (int i = -199; i <= 200; i++) {
        const double now = function(middle + i * 0x1p-40);
        assert_true(now >= before);
        before = now;
    }
}

static double exponential(double x) {
    return nn_exp(x);
}
static double logistic(double x) {
    return nn_sigmoid(x);
}
static double hyperbolic(double x) {
    return nn_tanh(x);
}
static double logarithm(double x) {
    return nn_log(x);
}
static double error_function(double x) {
    return nn_erf(x);
}
static double quantile(double p) {
    return nn_normal_quantile(p);
}

static void rising_across_seams(void **state) {
    (void)state;
    for (int n = -20; n < 20; n++) {
        assert_rising(exponential, (n + 0.5) * 0.69314718055994531);
    }
    for (int n = -6; n < 2; n++) {
        assert_rising(logistic, (n + 0.5) * 0.69314718055994531);
    }
    assert_rising(hyperbolic, 0.625);
    assert_rising(hyperbolic, -0.625);
    assert_rising(logarithm, 0.70710678118654752);
    assert_rising(logarithm, 1.4142135623730951);
    assert_rising(error_function, 1.0);
    assert_rising(quantile, 0.075);
    assert_rising(quantile, 0.925);
}

static void rounding(void **state) {
    (void)state;
    const double rows[][4] = {
        // x, round, floor, ceil
        {0.5, 0.0, 0.0, 1.0},     {1.5, 2.0, 1.0, 2.0},     {2.5, 2.0, 2.0, 3.0},
        {-0.5, -0.0, -1.0, -0.0}, {-1.5, -2.0, -2.0, -1.0}, {0.0, 0.0, 0.0, 0.0},
        {-0.0, -0.0, -0.0, -0.0}, {0.3, 0.0, 0.0, 1.0},     {-0.3, -0.0, -1.0, -0.0},
        {1e30, 1e30, 1e30, 1e30}, {-7.0, -7.0, -7.0, -7.0}, {8388607.5, 8388608.0, 8388607.0, 8388608.0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_both(nn_round, rows[i][0], rows[i][1]);
        assert_both(nn_floor, rows[i][0], rows[i][2]);
        assert_both(nn_ceil, rows[i][0], rows[i][3]);
    }
    assert_both(nn_floor, infinity, infinity);
    assert_both(nn_ceil, -infinity, -infinity);
    assert_same(nn_round(0x1p52 + 1.0), 0x1p52 + 1.0);
    assert_same(nn_floor(0x1p51 + 0.5), 0x1p51);
}

static void powers_at_the_ends(void **state) {
    (void)state;
    const double nan = not_a_number();
    const double rows[][3] = {// a, b, a**b: the list of C99, F.9.4.4
                              {0.0, -3.0, infinity},
                              {-0.0, -3.0, -infinity},
                              {-0.0, -2.0, infinity},
                              {-0.0, -2.5, infinity},
                              {0.0, 3.0, 0.0},
                              {-0.0, 3.0, -0.0},
                              {-0.0, 2.0, 0.0},
                              {-1.0, infinity, 1.0},
                              {-1.0, -infinity, 1.0},
                              {1.0, nan, 1.0},
                              {1.0, infinity, 1.0},
                              {nan, 0.0, 1.0},
                              {nan, -0.0, 1.0},
                              {infinity, 0.0, 1.0},
                              {0.5, -infinity, infinity},
                              {2.0, -infinity, 0.0},
                              {0.5, infinity, 0.0},
                              {2.0, infinity, infinity},
                              {-infinity, -3.0, -0.0},
                              {-infinity, -2.0, 0.0},
                              {-infinity, 3.0, -infinity},
                              {-infinity, 2.5, infinity},
                              {infinity, -0.5, 0.0},
                              {infinity, 0x1p-1074, infinity},
                              {0.0, 0x1p-1074, 0.0},
                              {-2.0, 3.0, -8.0},
                              {-2.0, -2.0, 0.25},
                              {-1.0, 9007199254740991.0, -1.0},
                              {-1.0, 1e300, 1.0},
                              {2.0, 0x1p-1074, 1.0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_same(nn_pow(rows[i][0], rows[i][1]), rows[i][2]);
    }
    assert_nan(nn_pow(-2.0, 0.5));
    assert_nan(nn_pow(-0x1p-1074, 1.5));
    assert_true(nn_powf(-2.0f, 3.0f) == -8.0f);
    assert_true(nn_powf(-0.0f, -3.0f) == -HUGE_VALF);
    for (int i = 0; i < SPECIALS; i++) {
        assert_same(nn_pow(special[i], 0.0), 1.0);
        assert_same(nn_pow(special[i], 1.0), special[i]);
    }
}

static void angles_beyond_the_range(void **state) {
    (void)state;
    assert_both_nan(nn_sin, infinity);
    assert_both_nan(nn_cos, -infinity);
    assert_both_nan(nn_tan, infinity);
    for (double x = 1e6; x < infinity; x *= 1.37e3) {
        assert_true(fabs(nn_sin(x)) <= 1.0);
        assert_true(fabs(nn_cos(-x)) <= 1.0);
        assert_true(fabs(nn_tan(x)) < infinity);
    }
}

static void quantile_at_the_ends(void **state) {
    (void)state;
    assert_same(nn_normal_quantile(0.0), -infinity);
    assert_same(nn_normal_quantile(1.0), infinity);
    assert_nan(nn_normal_quantile(-0.1));
    assert_nan(nn_normal_quantile(1.1));
    assert_true(nn_normal_quantile(0x1p-1074) < -38.0 && nn_normal_quantile(0x1p-1074) > -39.0);
    assert_same(nn_erf(infinity), 1.0);
    assert_same(nn_erf(-infinity), -1.0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nan_goes_through),
        cmocka_unit_test(limits_of_exponentials),
        cmocka_unit_test(overflow_and_underflow),
        cmocka_unit_test(tiny_arguments_stay),
        cmocka_unit_test(limits_of_logarithms),
        cmocka_unit_test(powers_of_two_are_exact),
        cmocka_unit_test(known_values),
        cmocka_unit_test(symmetries),
        cmocka_unit_test(identities),
        cmocka_unit_test(rising_across_seams),
        cmocka_unit_test(rounding),
        cmocka_unit_test(powers_at_the_ends),
        cmocka_unit_test(angles_beyond_the_range),
        cmocka_unit_test(quantile_at_the_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
