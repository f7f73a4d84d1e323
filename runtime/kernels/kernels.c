/* All kernels for one instruction set and mode: the build compiles this file once for each, with KERNELS the
 * name of the set and KERNELS_TITLE how --version calls it.  Contraction is off (-ffp-contract=off): every
 * fma is written. */
#include "kernels/kernels.h"

#include <math.h>
#include <string.h>
#if defined NN_X86
#include <immintrin.h>
#elif defined __aarch64__
#include <arm_neon.h>
#endif

#include "kernels/math.h"
#include "kernels/random.h"

/* Before a loop in which no turn reads what another wrote, though the arrays may be one. */
#if defined __clang__
#define NO_CARRY _Pragma("clang loop vectorize(assume_safety)")
#elif defined __GNUC__
#define NO_CARRY _Pragma("GCC ivdep")
#else
#define NO_CARRY
#endif

/* Vectors as wide as the instruction set's, and their fused product and sum, for small.h. */
#if defined __AVX512F__
#define VECTOR_BYTES 64
#define VECTOR_FMA_F64(a, b, c) (vector_f64) _mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c)
#define VECTOR_FMA_F32(a, b, c) (vector_f32) _mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c)
#elif defined __AVX2__
#define VECTOR_BYTES 32
#define VECTOR_FMA_F64(a, b, c) (vector_f64) _mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c)
#define VECTOR_FMA_F32(a, b, c) (vector_f32) _mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c)
#elif defined __aarch64__
#define VECTOR_BYTES 16
#define VECTOR_FMA_F64(a, b, c) (vector_f64) vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b)
#define VECTOR_FMA_F32(a, b, c) (vector_f32) vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b)
#else
#define VECTOR_BYTES 16
#define VECTOR_FMA_F64(a, b, c) ((vector_f64){fma(a[0], b[0], c[0]), fma(a[1], b[1], c[1])})
#define VECTOR_FMA_F32(a, b, c)                                                                          \
    ((vector_f32){fmaf(a[0], b[0], c[0]), fmaf(a[1], b[1], c[1]), fmaf(a[2], b[2], c[2]), fmaf(a[3], b[3], c[3])})
#endif

#define real double
#define real_bits int64_t
#define VECTOR_FMA VECTOR_FMA_F64
#define LANES 8
#define NAME(x) x##_f64
#define nn_sqrt sqrt
#define nn_fabs fabs
#include "kernels/kernels_real.h"
#undef real
#undef real_bits
#undef VECTOR_FMA
#undef LANES
#undef NAME
#undef nn_sqrt
#undef nn_fabs

#define real float
#define real_bits int32_t
#define VECTOR_FMA VECTOR_FMA_F32
#define LANES 16
#define NAME(x) x##_f32
#define nn_sqrt sqrtf
#define nn_fabs fabsf
#undef nn_fma
#define nn_fma nn_fmaf
#include "kernels/float_names.h"
#include "kernels/kernels_real.h"

/* ---- from one element type to another ---- */

static inline int32_t int_of(double value) {
    return value >= -2147483648.0 && value < 2147483648.0 ? (int32_t)value : INT32_MIN;
}

#define CONVERT(from, to, from_type, to_type, value)                                               \
    case 4 * from + to: {                                                                          \
        const from_type *const p = x;                                                              \
        to_type *restrict const to_values = y;                                                     \
        if (x_scalar)                                                                              \
            for (long i = 0; i < n; i++) {                                                         \
                const from_type a = p[0];                                                          \
                to_values[i] = value;                                                              \
            }                                                                                      \
        else                                                                                       \
            for (long i = 0; i < n; i++) {                                                         \
                const from_type a = p[i];                                                          \
                to_values[i] = value;                                                              \
            }                                                                                      \
        return;                                                                                    \
    }

static void convert(enum element from, enum element to, long n, const void *x, bool x_scalar, void *y) {
    switch (4 * from + to) {
        CONVERT(ELEMENT_F64, ELEMENT_F64, double, double, a)
        CONVERT(ELEMENT_F64, ELEMENT_F32, double, float, (float)a)
        CONVERT(ELEMENT_F64, ELEMENT_INT, double, int32_t, int_of(a))
        CONVERT(ELEMENT_F32, ELEMENT_F64, float, double, (double)a)
        CONVERT(ELEMENT_F32, ELEMENT_F32, float, float, a)
        CONVERT(ELEMENT_F32, ELEMENT_INT, float, int32_t, int_of((double)a))
        CONVERT(ELEMENT_INT, ELEMENT_F64, int32_t, double, (double)a)
        CONVERT(ELEMENT_INT, ELEMENT_F32, int32_t, float, (float)a)
        CONVERT(ELEMENT_INT, ELEMENT_INT, int32_t, int32_t, a)
    }
}

const struct kernels KERNELS = {KERNELS_TITLE, NN_FUSED, &table_f32, &table_f64, nn_normal, convert, nn_spiral};
