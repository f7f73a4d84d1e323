/*
 * The mathematical functions of nn, one text used twice: compiled into the interpreter, and copied section by
 * section into emitted C. Both therefore give the same bits.
 *
 * A section opens with a marker line, `/ *@ name: needs * /`, and runs to the next marker. The emitter copies a section
 * with all that it needs, in the order of this file, so a section stands after those that it needs.
 *
 * The rules that keep the bits the same whatever the compiler, its level and the width of its vectors:
 *   - only +, -, *, /, sqrt, fabs, comparisons and integer operations, each rounded once, as IEEE 754 says;
 *   - a fused multiply-add is written nn_fma, and the compiler fuses nothing by itself (-ffp-contract=off);
 *   - no branch depends on a value and no table is read: a choice is a choice between two computed values.
 * The third is also what lets a compiler turn a plain loop into vector code. Integers of 64 bits never become
 * doubles by conversion, which SSE2 and AVX2 lack, but by adding a large number in whose last bits they then stand.
 * A NaN comes out where IEEE 754 asks for one; its sign and payload are not promised.
 *
 * Polynomials are minimax ones, found by a Remez exchange in 60 digits over the range given, for the weight that
 * makes the error relative to the function's result; the coefficients were then rounded to the nearest number. Errors
 * are in units of the last place of the exact result, as `make accuracy` measures them against MPFR.
 */
#ifndef NN_MATH_H
#define NN_MATH_H

/*@ nn_inline: */
/* Inlined even where the compiler finds it long: a call inside a loop would keep the loop from being vectorised. */
#if defined(__GNUC__)
#define NN_INLINE static inline __attribute__((always_inline))
#else
#define NN_INLINE static inline
#endif

/*@ nn_fma: */
/* a * b + c, rounded once when NN_FUSED is 1 and twice when it is 0. Every function holds its error bound in both. */
#include <math.h>
#ifndef NN_FUSED
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
#define NN_FUSED 1
#else
#define NN_FUSED 0
#endif
#endif
#if NN_FUSED
#define nn_fma(a, b, c) fma((a), (b), (c))
#define nn_fmaf(a, b, c) fmaf((a), (b), (c))
#else
#define nn_fma(a, b, c) ((a) * (b) + (c))
#define nn_fmaf(a, b, c) ((a) * (b) + (c))
#endif

/*@ nn_bits: nn_inline */
/* The bits of a double and back; a choice by mask, where a conditional might become a branch. */
#include <stdint.h>
NN_INLINE uint64_t nn_bits(double x) {
    union {
        double number;
        uint64_t bits;
    } both;
    both.number = x;
    return both.bits;
}
NN_INLINE double nn_from_bits(uint64_t bits) {
    union {
        uint64_t bits;
        double number;
    } both;
    both.bits = bits;
    return both.number;
}
NN_INLINE uint64_t nn_mask(int condition) {
    return nn_bits(condition ? nn_from_bits(~(uint64_t)0) : 0.0);
}
NN_INLINE uint64_t nn_sign_mask(double x) {
    return (uint64_t)0 - (nn_bits(x) >> 63);
}
NN_INLINE double nn_select(uint64_t mask, double yes, double no) {
    return nn_from_bits((nn_bits(yes) & mask) | (nn_bits(no) & ~mask));
}
NN_INLINE double nn_at_least(double x, double bound) {
    return nn_select(nn_mask(x < bound), bound, x);
}
NN_INLINE double nn_at_most(double x, double bound) {
    return nn_select(nn_mask(x > bound), bound, x);
}
NN_INLINE double nn_with_sign(double magnitude, double sign) {
    const uint64_t mask = (uint64_t)1 << 63;
    return nn_from_bits((nn_bits(magnitude) & ~mask) | (nn_bits(sign) & mask));
}

/*@ nn_bitsf: nn_inline */
/* The same for floats. */
#include <stdint.h>
NN_INLINE uint32_t nn_bitsf(float x) {
    union {
        float number;
        uint32_t bits;
    } both;
    both.number = x;
    return both.bits;
}
NN_INLINE float nn_from_bitsf(uint32_t bits) {
    union {
        uint32_t bits;
        float number;
    } both;
    both.bits = bits;
    return both.number;
}
NN_INLINE uint32_t nn_maskf(int condition) {
    return nn_bitsf(condition ? nn_from_bitsf(~(uint32_t)0) : 0.0f);
}
NN_INLINE uint32_t nn_sign_maskf(float x) {
    return (uint32_t)0 - (nn_bitsf(x) >> 31);
}
NN_INLINE float nn_selectf(uint32_t mask, float yes, float no) {
    return nn_from_bitsf((nn_bitsf(yes) & mask) | (nn_bitsf(no) & ~mask));
}
NN_INLINE float nn_at_leastf(float x, float bound) {
    return nn_selectf(nn_maskf(x < bound), bound, x);
}
NN_INLINE float nn_at_mostf(float x, float bound) {
    return nn_selectf(nn_maskf(x > bound), bound, x);
}
NN_INLINE float nn_with_signf(float magnitude, float sign) {
    const uint32_t mask = (uint32_t)1 << 31;
    return nn_from_bitsf((nn_bitsf(magnitude) & ~mask) | (nn_bitsf(sign) & mask));
}

/*@ nn_exp_tail: nn_inline nn_fma */
/* e^r - 1 - r for |r| <= 0.3469: r^2 times a polynomial of degree 9, error 2^-57.9 relative to e^r. */
NN_INLINE double nn_exp_tail(double r) {
    const double r2 = r * r;
    double q = nn_fma(2.4999968993719127e-08, r, 2.7630370192373256e-07);
    q = nn_fma(q, r2, nn_fma(2.7557587287292134e-06, r, 2.4801492784590733e-05));
    q = nn_fma(q, r2, nn_fma(0.00019841269504874677, r, 0.0013888888943903608));
    q = nn_fma(q, r2, nn_fma(0.0083333333334955524, r, 0.041666666666529253));
    q = nn_fma(q, r2, nn_fma(0.1666666666666641, r, 0.50000000000000111));
    return q * r2;
}

/*@ nn_exp_tailf: nn_inline nn_fma */
/* The same for floats: a polynomial of degree 4, error 2^-28.3. */
NN_INLINE float nn_exp_tailf(float r) {
    const float r2 = r * r;
    float q = nn_fmaf(0.00138144754f, r, 0.00836877618f);
    q = nn_fmaf(q, r, 0.0416683927f);
    q = nn_fmaf(q, r, 0.166665196f);
    q = nn_fmaf(q, r, 0.49999994f);
    return q * r2;
}

/*@ nn_exp_parts: nn_inline nn_fma nn_bits nn_exp_tail */
/* e^x = 2^n (1 + fraction) for |x| <= 1400, n the integer nearest to x / ln 2. Adding 2^52 + 2046 rounds to that integer and
 * leaves n + 2046 in the last bits, which `power` keeps: (power >> 1) << 52 are then the bits of 2^floor(n/2), and
 * (power - (power >> 1)) << 52 those of 2^ceil(n/2). n times the upper 40 bits of ln 2 is exact; what the
 * lower part loses to rounding goes into the tail. */
struct nn_exp_parts {
    double fraction;
    uint64_t power;
};
NN_INLINE struct nn_exp_parts nn_exp_parts(double x) {
    const double shift = 4503599627372542.0;
    const double shifted = nn_fma(x, 1.4426950408889634, shift);
    const double n = shifted - shift;
    const double upper = nn_fma(n, -0.69314718055920821, x);
    const double lower = n * 7.3710025651677989e-13;
    const double r = upper - lower;
    const double lost = (upper - r) - lower;
    struct nn_exp_parts parts;
    parts.fraction = r + (nn_exp_tail(r) + lost);
    parts.power = nn_bits(shifted);
    return parts;
}

/*@ nn_exp_partsf: nn_inline nn_fma nn_bitsf nn_exp_tailf */
/* The same for floats, |x| <= 170: 2^23 + 254 leaves n + 254, and the upper part of ln 2 has 15 bits. */
struct nn_exp_partsf {
    float fraction;
    uint32_t power;
};
NN_INLINE struct nn_exp_partsf nn_exp_partsf(float x) {
    const float shift = 8388862.0f;
    const float shifted = nn_fmaf(x, 1.44269502f, shift);
    const float n = shifted - shift;
    const float upper = nn_fmaf(n, -0.693145752f, x);
    const float lower = n * 1.42860682e-06f;
    const float r = upper - lower;
    const float lost = (upper - r) - lower;
    struct nn_exp_partsf parts;
    parts.fraction = r + (nn_exp_tailf(r) + lost);
    parts.power = nn_bitsf(shifted);
    return parts;
}

/*@ nn_exp: nn_inline nn_bits nn_exp_parts */
/* e^x. Subnormal results are right; above 709.78 inf, below -745.13 zero. */
NN_INLINE double nn_exp(double x) {
    const struct nn_exp_parts e = nn_exp_parts(nn_at_most(nn_at_least(x, -746.0), 710.0));
    const uint64_t half = e.power >> 1;
    const double first = nn_from_bits(half << 52);
    const double second = nn_from_bits((e.power - half) << 52);
    return nn_fma(e.fraction, first, first) * second;
}

/*@ nn_expf: nn_inline nn_bitsf nn_exp_partsf */
NN_INLINE float nn_expf(float x) {
    const struct nn_exp_partsf e = nn_exp_partsf(nn_at_mostf(nn_at_leastf(x, -104.0f), 89.0f));
    const uint32_t half = e.power >> 1;
    const float first = nn_from_bitsf(half << 23);
    const float second = nn_from_bitsf((e.power - half) << 23);
    return nn_fmaf(e.fraction, first, first) * second;
}

/*@ nn_sigmoid: nn_inline nn_fma nn_bits nn_exp_parts */
/* 1 / (1 + e^-x) = N / (N + S + S s), where e^-x = 2^n (1 + s), N = 2^-floor(n/2), S = 2^ceil(n/2): one division, and nothing
 * overflows, so that subnormal results are right. What the denominator lost to rounding corrects the quotient. */
NN_INLINE double nn_sigmoid(double x) {
    const struct nn_exp_parts e = nn_exp_parts(-nn_at_most(nn_at_least(x, -746.0), 40.0));
    const uint64_t half = e.power >> 1;
    const double inverse = nn_from_bits(half << 52);
    const double numerator = nn_from_bits(((uint64_t)0x7fe << 52) - (half << 52));
    const double scale = nn_from_bits((e.power - half) << 52);
    const double whole = numerator + scale;
    const double part = scale * e.fraction;
    const double denominator = whole + part;
    const double lost = (whole - denominator) + part;
    const double y = numerator / denominator;
    return nn_fma(-(y * (lost * inverse)), y, y);
}

/*@ nn_sigmoidf: nn_inline nn_fma nn_bitsf nn_exp_partsf */
NN_INLINE float nn_sigmoidf(float x) {
    const struct nn_exp_partsf e = nn_exp_partsf(-nn_at_mostf(nn_at_leastf(x, -104.0f), 20.0f));
    const uint32_t half = e.power >> 1;
    const float inverse = nn_from_bitsf(half << 23);
    const float numerator = nn_from_bitsf(((uint32_t)0xfe << 23) - (half << 23));
    const float scale = nn_from_bitsf((e.power - half) << 23);
    const float whole = numerator + scale;
    const float part = scale * e.fraction;
    const float denominator = whole + part;
    const float lost = (whole - denominator) + part;
    const float y = numerator / denominator;
    return nn_fmaf(-(y * (lost * inverse)), y, y);
}

/*@ nn_tanh: nn_inline nn_fma nn_bits nn_exp_parts */
/* (e^2a - 1) / (e^2a + 1) for a = |x| up to 20, where e^2a = 2^n (1 + s); the sign is put back. */
NN_INLINE double nn_tanh(double x) {
    const double a = fabs(x);
    const struct nn_exp_parts e = nn_exp_parts(2.0 * nn_at_most(a, 20.0));
    const double scale = nn_from_bits((e.power - 1023) << 52);
    const double top = nn_fma(scale, e.fraction, scale - 1.0);
    const double bottom = nn_fma(scale, e.fraction, scale + 1.0);
    return nn_with_sign(top / bottom, x);
}

/*@ nn_tanhf: nn_inline nn_fma nn_bitsf nn_exp_partsf */
NN_INLINE float nn_tanhf(float x) {
    const float a = fabsf(x);
    const struct nn_exp_partsf e = nn_exp_partsf(2.0f * nn_at_mostf(a, 10.0f));
    const float scale = nn_from_bitsf((e.power - 127) << 23);
    const float top = nn_fmaf(scale, e.fraction, scale - 1.0f);
    const float bottom = nn_fmaf(scale, e.fraction, scale + 1.0f);
    return nn_with_signf(top / bottom, x);
}

/*@ nn_log_parts: nn_inline nn_fma nn_bits */
/* For x = 2^k (1 + f) with 1 + f in [sqrt 1/2, sqrt 2): k and f, both exact; x is positive and normal. And ln(1 + f) = f - rest,
 * where with s = f / (2 + f), rest = f^2/2 - s (f^2/2 + R(s^2)), R of degree 7, error 2^-58.5. */
struct nn_log_parts {
    double exponent;
    double fraction;
};
NN_INLINE struct nn_log_parts nn_log_parts(double x) {
    const uint64_t root = 0x3fe6a09e667f3bcd;
    const uint64_t moved = nn_bits(x) + (((uint64_t)0x3ff << 52) - root);
    const uint64_t mantissa = moved & (((uint64_t)1 << 52) - 1);
    struct nn_log_parts parts;
    parts.exponent = nn_from_bits((moved >> 52) | ((uint64_t)0x433 << 52)) - (4503599627370496.0 + 1023.0);
    parts.fraction = nn_from_bits(mantissa + root) - 1.0;
    return parts;
}
/* exponent ln 2 + ln(1 + f) + extra, where extra is small. */
NN_INLINE double nn_log_sum(double exponent, double f, double extra) {
    const double s = f / (2.0 + f);
    const double z = s * s;
    const double square = 0.5 * f * f;
    double q = nn_fma(0.14796105340634194, z, 0.15314035847062213);
    q = nn_fma(q, z, 0.18183564866130517);
    q = nn_fma(q, z, 0.22222198563497944);
    q = nn_fma(q, z, 0.28571428742474725);
    q = nn_fma(q, z, 0.39999999999414321);
    q = nn_fma(q, z, 0.6666666666666734);
    const double small = nn_fma(s, nn_fma(q, z, square), nn_fma(exponent, 7.3710025651677989e-13, extra));
    return nn_fma(exponent, 0.69314718055920821, f - (square - small));
}

/*@ nn_log_partsf: nn_inline nn_fma nn_bitsf */
/* The same for floats: R of degree 4, error 2^-36.6. */
struct nn_log_partsf {
    float exponent;
    float fraction;
};
NN_INLINE struct nn_log_partsf nn_log_partsf(float x) {
    const uint32_t root = 0x3f3504f3;
    const uint32_t moved = nn_bitsf(x) + (((uint32_t)0x7f << 23) - root);
    const uint32_t mantissa = moved & (((uint32_t)1 << 23) - 1);
    struct nn_log_partsf parts;
    parts.exponent = nn_from_bitsf((moved >> 23) | ((uint32_t)0x96 << 23)) - (8388608.0f + 127.0f);
    parts.fraction = nn_from_bitsf(mantissa + root) - 1.0f;
    return parts;
}
NN_INLINE float nn_log_sumf(float exponent, float f, float extra) {
    const float s = f / (2.0f + f);
    const float z = s * s;
    const float square = 0.5f * f * f;
    float q = nn_fmaf(0.235822931f, z, 0.285373002f);
    q = nn_fmaf(q, z, 0.400003344f);
    q = nn_fmaf(q, z, 0.666666627f);
    const float small = nn_fmaf(s, nn_fmaf(q, z, square), nn_fmaf(exponent, 1.42860682e-06f, extra));
    return nn_fmaf(exponent, 0.693145752f, f - (square - small));
}

/*@ nn_log_ends: nn_inline nn_bits */
/* `inside`, which is finite, where 0 < x < inf; -inf at 0, NaN below (inf - inf), and x itself at inf and NaN. Sums
 * rather than choices: gcc would compute `inside` in a branch. */
NN_INLINE double nn_log_ends(double x, double inside) {
    const double infinity = nn_from_bits((uint64_t)0x7ff << 52);
    const double zero = nn_select(nn_mask(x <= 0.0), -infinity, 0.0);
    const double end = nn_select(nn_mask(x < infinity), 0.0, x);
    return (inside + zero) + nn_select(nn_mask(x < 0.0), infinity, end);
}

/*@ nn_log_endsf: nn_inline nn_bitsf */
NN_INLINE float nn_log_endsf(float x, float inside) {
    const float infinity = nn_from_bitsf((uint32_t)0xff << 23);
    const float zero = nn_selectf(nn_maskf(x <= 0.0f), -infinity, 0.0f);
    const float end = nn_selectf(nn_maskf(x < infinity), 0.0f, x);
    return (inside + zero) + nn_selectf(nn_maskf(x < 0.0f), infinity, end);
}

/*@ nn_log: nn_inline nn_log_parts nn_log_ends */
/* ln x. x is doubled or halved out of the subnormal range first. */
NN_INLINE double nn_log(double x) {
    const uint64_t tiny = nn_mask(x < 0x1p-960);
    const struct nn_log_parts parts = nn_log_parts(x * nn_select(tiny, 0x1p64, 0.5));
    const double exponent = parts.exponent + nn_select(tiny, -64.0, 1.0);
    return nn_log_ends(x, nn_log_sum(exponent, parts.fraction, 0.0));
}

/*@ nn_logf: nn_inline nn_log_partsf nn_log_endsf */
NN_INLINE float nn_logf(float x) {
    const uint32_t tiny = nn_maskf(x < 0x1p-96f);
    const struct nn_log_partsf parts = nn_log_partsf(x * nn_selectf(tiny, 0x1p32f, 0.5f));
    const float exponent = parts.exponent + nn_selectf(tiny, -32.0f, 1.0f);
    return nn_log_endsf(x, nn_log_sumf(exponent, parts.fraction, 0.0f));
}

/*@ nn_end: */
#endif
