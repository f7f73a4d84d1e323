/*
 * The mathematical functions of nn, one text used twice: compiled into the interpreter, and copied section by
 * section into emitted C. Both therefore give the same bits.
 *
 * A section opens with a marker line, `/ *@ name: needs * /`, and runs to the next marker. The emitter copies
 * a section with all that it needs, in the order of this file, so a section stands after those that it needs.
 *
 * The rules that keep the bits the same whatever the compiler, its level and the width of its vectors:
 *   - only +, -, *, /, sqrt, fabs, comparisons and integer operations, each rounded once, as IEEE 754 says;
 *   - a fused multiply-add is written nn_fma, and the compiler fuses nothing by itself (-ffp-contract=off);
 *   - no branch depends on a value and no table is read: a choice is a choice between two computed values.
 * The third is also what lets a compiler turn a plain loop into vector code. Integers of 64 bits never become
 * doubles by conversion, which SSE2 and AVX2 lack, but by adding a large number in whose last bits they then
 * stand. A NaN comes out where IEEE 754 asks for one; its sign and payload are not promised.
 *
 * Polynomials are minimax ones, found by a Remez exchange in 60 digits over the range given, for the weight
 * that makes the error relative to the function's result; the coefficients were then rounded to the nearest
 * number. Errors are in units of the last place of the exact result, as `make accuracy` measures them against
 * MPFR.
 */
#ifndef NN_MATH_H
#define NN_MATH_H

/*@ nn_inline: */
/* Inlined even where the compiler finds it long: a call inside a loop would keep the loop from being
 * vectorised. */
#if defined(__GNUC__)
#define NN_INLINE static inline __attribute__((always_inline, unused))
#else
#define NN_INLINE static inline
#endif

/*@ nn_twofold: */
/* Before a short loop: gcc takes two turns at once, so that a processor has half as many jumps to guess. */
#if defined __GNUC__ && !defined __clang__
#define NN_TWOFOLD _Pragma("GCC unroll 2")
#else
#define NN_TWOFOLD
#endif

/*@ nn_rolled: */
/* Before a loop over lanes: else clang writes it out and makes vectors of the loop around it, across rows
 * that lie apart. */
#if defined __clang__
#define NN_ROLLED _Pragma("clang loop unroll(disable)")
#else
#define NN_ROLLED
#endif

/*@ nn_parallel: */
/* Before a loop whose turns share no results: with OpenMP they are shared out among threads if `work`
 * (products) is worth it.  Each result is computed by one thread in the same order, so the bits are those of
 * one thread. */
#if defined _OPENMP
#define NN_PARALLEL(work)                   \
    const int threaded = (work) > 1L << 20; \
    _Pragma("omp parallel for schedule(static) if (threaded)")
#else
#define NN_PARALLEL(work)
#endif

/*@ nn_fma: */
/* a * b + c, rounded once when NN_FUSED is 1 and twice when it is 0. Every function holds its error bound in
 * both. */
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

/*@ nn_line: */
/* An array as long as a vector begins with a line of the cache: across two it would be slow. */
#if defined __GNUC__
#define NN_LINE __attribute__((aligned(64)))
#else
#define NN_LINE
#endif

/*@ nn_fetch: */
/* Asks for the line of the cache with number n of p, which need not be there, into the first or second level.
 */
#include <stdint.h>
#if defined __GNUC__
#define NN_FETCH(p, n, level) \
    __builtin_prefetch((const void *)((uintptr_t)(p) + (uintptr_t)(n) * sizeof *(p)), 0, 4 - (level))
#else
#define NN_FETCH(p, n, level) ((void)0)
#endif

/*@ nn_shuffles: */
#if defined __has_builtin
#if __has_builtin(__builtin_shufflevector)
#define NN_SHUFFLES 1
#endif
#endif

/*@ nn_trees: nn_shuffles */
/* The lanes of `count` sums over the batch, eight each, are added as trees: lane i and lane i + 4, then i +
 * 2, then i + 1.  Four trees at a time, of which the last may be once more some of those before. */
static inline void nn_trees(long count, const double *restrict lanes, double *restrict sums) {
    long i = 0;
#if NN_SHUFFLES
    typedef double four __attribute__((vector_size(32), aligned(sizeof(double)), may_alias));
    for (; count >= 4 && i < count; i += 4) {
        i = i + 4 <= count ? i : count - 4;
        const four *const v = (const four *)(lanes + i * 8);
        const four a = v[0] + v[1], b = v[2] + v[3], c = v[4] + v[5], d = v[6] + v[7];
        const four ac = __builtin_shufflevector(a, c, 0, 1, 4, 5) + __builtin_shufflevector(a, c, 2, 3, 6, 7);
        const four bd = __builtin_shufflevector(b, d, 0, 1, 4, 5) + __builtin_shufflevector(b, d, 2, 3, 6, 7);
        *(four *)(sums + i) =
            __builtin_shufflevector(ac, bd, 0, 4, 2, 6) + __builtin_shufflevector(ac, bd, 1, 5, 3, 7);
    }
#endif
    for (; i < count; i++) {
        const double *const v = lanes + i * 8;
        sums[i] = ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
    }
}

/*@ nn_treesf: nn_shuffles */
/* Of sixteen lanes, and eight trees at a time. */
static inline void nn_treesf(long count, const float *restrict lanes, float *restrict sums) {
    long i = 0;
#if NN_SHUFFLES
    typedef float eight __attribute__((vector_size(32), aligned(sizeof(float)), may_alias));
    for (; count >= 8 && i < count; i += 8) {
        i = i + 8 <= count ? i : count - 8;
        eight two[4], four[2]; /* trees of a vector, with four lanes and with two of each */
        for (long k = 0; k < 4; k++) {
            const eight *const v = (const eight *)(lanes + (i + k) * 16);
            const eight a = v[0] + v[1], b = v[8] + v[9]; /* tree k and tree k + 4 */
            two[k] = __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11) +
                     __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15);
        }
        for (long k = 0; k < 2; k++)
            four[k] = __builtin_shufflevector(two[2 * k], two[2 * k + 1], 0, 1, 8, 9, 4, 5, 12, 13) +
                      __builtin_shufflevector(two[2 * k], two[2 * k + 1], 2, 3, 10, 11, 6, 7, 14, 15);
        *(eight *)(sums + i) = __builtin_shufflevector(four[0], four[1], 0, 2, 8, 10, 4, 6, 12, 14) +
                               __builtin_shufflevector(four[0], four[1], 1, 3, 9, 11, 5, 7, 13, 15);
    }
#endif
    for (; i < count; i++) {
        const float *const v = lanes + i * 16;
        const float even = ((v[0] + v[8]) + (v[4] + v[12])) + ((v[2] + v[10]) + (v[6] + v[14]));
        const float odd = ((v[1] + v[9]) + (v[5] + v[13])) + ((v[3] + v[11]) + (v[7] + v[15]));
        sums[i] = even + odd;
    }
}

/*@ nn_vectors: nn_inline nn_shuffles nn_fma */
/* For kernels that keep sums in registers: how wide a register is, how many results of a matrix product fit
 * into all of them beside what is multiplied, and loops that have to be unrolled for arrays to become
 * registers. Elsewhere a vector is one number. */
#if defined __AVX512F__
#define NN_VECTOR(real) __attribute__((vector_size(64), aligned(sizeof(real)), may_alias))
#elif defined __AVX__
#define NN_VECTOR(real) __attribute__((vector_size(32), aligned(sizeof(real)), may_alias))
#elif defined __GNUC__
#define NN_VECTOR(real) __attribute__((vector_size(16), aligned(sizeof(real)), may_alias))
#else
#define NN_VECTOR(real)
#endif
#if defined __AVX512F__ || defined __aarch64__
#define NN_RESULTS 12
#define NN_ACROSS 8
#else
#define NN_RESULTS 6
#define NN_ACROSS 4
#endif
/* Does half a vector take half the time? */
#if defined __AVX512VL__ && NN_SHUFFLES
#define NN_NARROW 1
#else
#define NN_NARROW 0
#endif
#if defined __clang__
#pragma clang diagnostic ignored "-Wpass-failed" /* of a loop that it leaves as it is: the same, but slower \
                                                  */
#define NN_UNROLL _Pragma("clang loop unroll(full)")
#elif defined __GNUC__
#define NN_UNROLL _Pragma("GCC unroll 16")
#else
#define NN_UNROLL
#endif
#define NN_EACH(i, count) NN_UNROLL for (long i = 0; i < (count); i++)
#if defined __GNUC__
#pragma GCC diagnostic ignored "-Wpsabi" /* what takes such vectors is always inlined */
#endif
#if defined __GNUC__ && !defined __clang__
#define NN_SINGLE __attribute__((noinline, noclone)) /* large: one copy for all callers */
#else
#define NN_SINGLE
#endif
#if defined __AVX__ && defined __GNUC__
#include <immintrin.h>
#endif
/* Else gcc reads a factor again for each of its products, and reading becomes what takes the time. */
#if defined __AVX512F__ && defined __GNUC__
#define NN_HELD(v) __asm__("" : "+v"(v))
#elif defined __AVX__ && defined __GNUC__
#define NN_HELD(v) __asm__("" : "+x"(v))
#else
#define NN_HELD(v) (void)0
#endif

/*@ nn_vector: nn_vectors */
typedef double nn_vector NN_VECTOR(double);

/*@ nn_vectorf: nn_vectors */
typedef float nn_vectorf NN_VECTOR(float);

/*@ nn_vector_fma: nn_vector */
NN_INLINE nn_vector nn_vector_fma(nn_vector a, nn_vector b, nn_vector c) {
#if !NN_FUSED
    return a * b + c;
#elif defined __FMA__ && defined __AVX512F__
    return _mm512_fmadd_pd(a, b, c);
#elif defined __FMA__ && defined __GNUC__
    return _mm256_fmadd_pd(a, b, c);
#elif defined __GNUC__
    for (unsigned l = 0; l < sizeof a / sizeof a[0]; l++)
        c[l] = fma(a[l], b[l], c[l]);
    return c;
#else
    return fma(a, b, c);
#endif
}

/*@ nn_vector_fmaf: nn_vectorf */
NN_INLINE nn_vectorf nn_vector_fmaf(nn_vectorf a, nn_vectorf b, nn_vectorf c) {
#if !NN_FUSED
    return a * b + c;
#elif defined __FMA__ && defined __AVX512F__
    return _mm512_fmadd_ps(a, b, c);
#elif defined __FMA__ && defined __GNUC__
    return _mm256_fmadd_ps(a, b, c);
#elif defined __GNUC__
    for (unsigned l = 0; l < sizeof a / sizeof a[0]; l++)
        c[l] = fmaf(a[l], b[l], c[l]);
    return c;
#else
    return fmaf(a, b, c);
#endif
}

/*@ nn_part: nn_vectors */
/* What masks the first `count` of the numbers of a vector. */
#if defined __AVX512F__
#define NN_PART(width, count) ((__mmask##width)((1U << (count)) - 1))
#elif defined __AVX__
#define NN_PART(width, count) NN_PART_##width(count)
#define NN_PART_4(count) \
    _mm256_castpd_si256( \
        _mm256_cmp_pd(_mm256_setr_pd(0, 1, 2, 3), _mm256_set1_pd((double)(count)), _CMP_LT_OQ))
#define NN_PART_8(count) \
    _mm256_castps_si256( \
        _mm256_cmp_ps(_mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_ps((float)(count)), _CMP_LT_OQ))
#endif

/*@ nn_vector_get: nn_vector nn_part */
/* The first `count` numbers of a vector, and 0 behind them: what lies there is not read. */
NN_INLINE nn_vector nn_vector_get(const double *from, long count) {
#if defined __AVX__
    if (__builtin_constant_p(count) && count == sizeof(nn_vector) / sizeof *from)
        return *(const nn_vector *)from; /* a mask takes its time */
#endif
#if defined __AVX512F__
    return _mm512_maskz_loadu_pd(NN_PART(8, count), from);
#elif defined __AVX__
    return _mm256_maskload_pd(from, NN_PART(4, count));
#elif defined __GNUC__
    if (count == sizeof(nn_vector) / sizeof *from)
        return *(const nn_vector *)from;
    return (nn_vector){from[0], count > 1 ? from[1] : 0};
#else
    return count ? *from : 0;
#endif
}

/*@ nn_vector_getf: nn_vectorf nn_part */
/* The first `count` numbers of a vector, and 0 behind them: what lies there is not read. */
NN_INLINE nn_vectorf nn_vector_getf(const float *from, long count) {
#if defined __AVX__
    if (__builtin_constant_p(count) && count == sizeof(nn_vectorf) / sizeof *from)
        return *(const nn_vectorf *)from; /* a mask takes its time */
#endif
#if defined __AVX512F__
    return _mm512_maskz_loadu_ps(NN_PART(16, count), from);
#elif defined __AVX__
    return _mm256_maskload_ps(from, NN_PART(8, count));
#elif defined __GNUC__
    if (count == sizeof(nn_vectorf) / sizeof *from)
        return *(const nn_vectorf *)from;
    return (nn_vectorf){from[0], count > 1 ? from[1] : 0, count > 2 ? from[2] : 0, count > 3 ? from[3] : 0};
#else
    return count ? *from : 0;
#endif
}

/*@ nn_vector_put: nn_vector nn_part */
/* Writes the first `count` numbers of a vector. */
NN_INLINE void nn_vector_put(double *to, long count, nn_vector v) {
#if defined __AVX512F__
    _mm512_mask_storeu_pd(to, NN_PART(8, count), v);
#elif defined __AVX__ /* a store with a mask takes long in some processors */
    if (count == 4)
        _mm256_storeu_pd(to, v);
    __m128d half = _mm256_castpd256_pd128(v);
    if (count & 2) {
        _mm_storeu_pd(to, half);
        half = _mm256_extractf128_pd(v, 1), to += 2;
    }
    if (count & 1)
        _mm_store_sd(to, half);
#elif defined __GNUC__
    to[0] = v[0];
    if (count > 1)
        to[1] = v[1];
#else
    *to = v;
#endif
}

/*@ nn_vector_putf: nn_vectorf nn_part */
/* Writes the first `count` numbers of a vector. */
NN_INLINE void nn_vector_putf(float *to, long count, nn_vectorf v) {
#if defined __AVX512F__
    _mm512_mask_storeu_ps(to, NN_PART(16, count), v);
#elif defined __AVX__
    if (count == 8)
        _mm256_storeu_ps(to, v);
    __m128 half = _mm256_castps256_ps128(v);
    if (count & 4) {
        _mm_storeu_ps(to, half);
        half = _mm256_extractf128_ps(v, 1), to += 4;
    }
    if (count & 2) {
        _mm_storel_pi((__m64 *)to, half);
        half = _mm_movehl_ps(half, half), to += 2;
    }
    if (count & 1)
        _mm_store_ss(to, half);
#elif defined __GNUC__
    if (count == 4) {
        *(nn_vectorf *)to = v;
        return;
    }
    to[0] = v[0];
    if (count > 1)
        to[1] = v[1];
    if (count > 2)
        to[2] = v[2];
#else
    *to = v;
#endif
}

/*@ nn_four: nn_vectors */
/* Four numbers, where there are shuffles: for operands that have to be turned, and for what vectors leave. */
#if NN_SHUFFLES
typedef double nn_four __attribute__((vector_size(32), aligned(sizeof(double)), may_alias));
#endif

/*@ nn_fourf: nn_vectors */
#if NN_SHUFFLES
typedef float nn_fourf __attribute__((vector_size(16), aligned(sizeof(float)), may_alias));
#endif

/*@ nn_four_fma: nn_four */
#if NN_SHUFFLES
NN_INLINE nn_four nn_four_fma(nn_four a, nn_four b, nn_four c) {
#if !NN_FUSED
    return a * b + c;
#elif defined __FMA__
    return _mm256_fmadd_pd(a, b, c);
#else
    for (unsigned l = 0; l < 4; l++)
        c[l] = fma(a[l], b[l], c[l]);
    return c;
#endif
}
#endif

/*@ nn_four_fmaf: nn_fourf */
#if NN_SHUFFLES
NN_INLINE nn_fourf nn_four_fmaf(nn_fourf a, nn_fourf b, nn_fourf c) {
#if !NN_FUSED
    return a * b + c;
#elif defined __FMA__
    return _mm_fmadd_ps(a, b, c);
#else
    for (unsigned l = 0; l < 4; l++)
        c[l] = fmaf(a[l], b[l], c[l]);
    return c;
#endif
}
#endif

/*@ nn_strip: nn_vectors */
/* Columns that lie in a row become vectors with as few shuffles as there are vectors: NN_STRIP(real) columns,
 * of which NN_TURNS(real) numbers each are read at once. */
#if defined __AVX__
#define NN_STRIP_BYTES 32
#else
#define NN_STRIP_BYTES 16
#endif
#define NN_STRIP(real) (NN_STRIP_BYTES / (long)sizeof(real))
#define NN_TURNS(real) (16 / (long)sizeof(real))
#if NN_SHUFFLES
typedef double nn_strip __attribute__((vector_size(NN_STRIP_BYTES), aligned(sizeof(double)), may_alias));
#endif

/*@ nn_stripf: nn_strip */
#if NN_SHUFFLES
typedef float nn_stripf __attribute__((vector_size(NN_STRIP_BYTES), aligned(sizeof(float)), may_alias));
#endif

/*@ nn_strip_fma: nn_strip */
#if NN_SHUFFLES
NN_INLINE nn_strip nn_strip_fma(nn_strip a, nn_strip b, nn_strip c) {
#if !NN_FUSED
    return a * b + c;
#elif defined __FMA__
    return _mm256_fmadd_pd(a, b, c);
#else
    for (unsigned l = 0; l < sizeof a / sizeof a[0]; l++)
        c[l] = fma(a[l], b[l], c[l]);
    return c;
#endif
}
#endif

/*@ nn_strip_fmaf: nn_stripf */
#if NN_SHUFFLES
NN_INLINE nn_stripf nn_strip_fmaf(nn_stripf a, nn_stripf b, nn_stripf c) {
#if !NN_FUSED
    return a * b + c;
#elif defined __FMA__
    return _mm256_fmadd_ps(a, b, c);
#else
    for (unsigned l = 0; l < sizeof a / sizeof a[0]; l++)
        c[l] = fmaf(a[l], b[l], c[l]);
    return c;
#endif
}
#endif

/*@ nn_half: nn_strip nn_vector */
/* Half a vector where that takes half the time, else nothing that is used. */
#if NN_NARROW
typedef nn_strip nn_half;
#else
typedef nn_vector nn_half;
#endif

/*@ nn_halff: nn_stripf nn_vectorf */
#if NN_NARROW
typedef nn_stripf nn_halff;
#else
typedef nn_vectorf nn_halff;
#endif

/*@ nn_half_fma: nn_half nn_strip_fma nn_vector_fma */
NN_INLINE nn_half nn_half_fma(nn_half a, nn_half b, nn_half c) {
#if NN_NARROW
    return nn_strip_fma(a, b, c);
#else
    return nn_vector_fma(a, b, c);
#endif
}

/*@ nn_half_fmaf: nn_halff nn_strip_fmaf nn_vector_fmaf */
NN_INLINE nn_halff nn_half_fmaf(nn_halff a, nn_halff b, nn_halff c) {
#if NN_NARROW
    return nn_strip_fmaf(a, b, c);
#else
    return nn_vector_fmaf(a, b, c);
#endif
}

/*@ nn_half_get: nn_half nn_vector_get */
NN_INLINE nn_half nn_half_get(const double *from, long count) {
#if NN_NARROW
    return _mm256_maskz_loadu_pd(NN_PART(8, count), from);
#else
    return nn_vector_get(from, count);
#endif
}

/*@ nn_half_getf: nn_halff nn_vector_getf */
NN_INLINE nn_halff nn_half_getf(const float *from, long count) {
#if NN_NARROW
    return _mm256_maskz_loadu_ps(NN_PART(8, count), from);
#else
    return nn_vector_getf(from, count);
#endif
}

/*@ nn_half_put: nn_half nn_vector_put */
NN_INLINE void nn_half_put(double *to, long count, nn_half v) {
#if NN_NARROW
    _mm256_mask_storeu_pd(to, NN_PART(8, count), v);
#else
    nn_vector_put(to, count, v);
#endif
}

/*@ nn_half_putf: nn_halff nn_vector_putf */
NN_INLINE void nn_half_putf(float *to, long count, nn_halff v) {
#if NN_NARROW
    _mm256_mask_storeu_ps(to, NN_PART(8, count), v);
#else
    nn_vector_putf(to, count, v);
#endif
}

/*@ nn_strip_turn: nn_strip */
/* to[k] = (x[at[0] + k], x[at[1] + k], ...) for k < NN_TURNS(double).  Pairs of numbers of two columns are
 * put side by side, so that none has to change its half of a vector. */
#if NN_SHUFFLES
NN_INLINE void nn_strip_turn(const double *x, const long *at, nn_strip *to) {
    typedef double pair __attribute__((vector_size(16), aligned(sizeof(double)), may_alias));
#define NN_PAIR(i) (*(const pair *)(x + at[i]))
#if defined __AVX__
    const __m256d a = _mm256_insertf128_pd(_mm256_castpd128_pd256(NN_PAIR(0)), NN_PAIR(2), 1),
                  b = _mm256_insertf128_pd(_mm256_castpd128_pd256(NN_PAIR(1)), NN_PAIR(3), 1);
    to[0] = _mm256_unpacklo_pd(a, b), to[1] = _mm256_unpackhi_pd(a, b);
#else
    to[0] = __builtin_shufflevector(NN_PAIR(0), NN_PAIR(1), 0, 2);
    to[1] = __builtin_shufflevector(NN_PAIR(0), NN_PAIR(1), 1, 3);
#endif
#undef NN_PAIR
}
#endif

/*@ nn_strip_turnf: nn_stripf */
#if NN_SHUFFLES
NN_INLINE void nn_strip_turnf(const float *x, const long *at, nn_stripf *to) {
    typedef float four __attribute__((vector_size(16), aligned(sizeof(float)), may_alias));
    nn_stripf v[4];
    NN_UNROLL
    for (long i = 0; i < 4; i++) {
#define NN_COLUMN(b) (*(const four *)(x + at[i + 4 * (b)]))
#if defined __AVX__
        v[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(NN_COLUMN(0)), NN_COLUMN(1), 1);
#else
        v[i] = NN_COLUMN(0);
#endif
#undef NN_COLUMN
    }
#if defined __AVX__
    const __m256 p = _mm256_unpacklo_ps(v[0], v[1]), q = _mm256_unpacklo_ps(v[2], v[3]),
                 s = _mm256_unpackhi_ps(v[0], v[1]), t = _mm256_unpackhi_ps(v[2], v[3]);
    to[0] = _mm256_shuffle_ps(p, q, 0x44), to[1] = _mm256_shuffle_ps(p, q, 0xee);
    to[2] = _mm256_shuffle_ps(s, t, 0x44), to[3] = _mm256_shuffle_ps(s, t, 0xee);
#else
    const four p = __builtin_shufflevector(v[0], v[1], 0, 4, 1, 5),
               q = __builtin_shufflevector(v[2], v[3], 0, 4, 1, 5),
               s = __builtin_shufflevector(v[0], v[1], 2, 6, 3, 7),
               t = __builtin_shufflevector(v[2], v[3], 2, 6, 3, 7);
    to[0] = __builtin_shufflevector(p, q, 0, 1, 4, 5);
    to[1] = __builtin_shufflevector(p, q, 2, 3, 6, 7);
    to[2] = __builtin_shufflevector(s, t, 0, 1, 4, 5);
    to[3] = __builtin_shufflevector(s, t, 2, 3, 6, 7);
#endif
}
#endif

/*@ nn_threads: */
/* How many threads a loop of the program may use. */
#if defined _OPENMP
#include <omp.h>
#define NN_THREADS omp_get_max_threads()
#else
#define NN_THREADS 1
#endif

/*@ nn_int: nn_inline */
/* Towards 0; the least int for what no int can hold. */
#include <stdint.h>
NN_INLINE int32_t nn_int(double a) {
    return a >= -2147483648.0 && a < 2147483648.0 ? (int32_t)a : INT32_MIN;
}

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
/* (Not a choice between two doubles: with AVX, gcc 12 at -O3 computes wrong ones where one of them is a NaN.)
 */
NN_INLINE uint64_t nn_mask(int condition) {
    return (uint64_t)0 - (uint64_t)condition;
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
    return (uint32_t)0 - (uint32_t)condition;
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

/*@ nn_where: nn_inline nn_bits */
/* yes where the condition is not 0 (a NaN is not), else no.  Both are computed; none is branched around. */
NN_INLINE double nn_where(double condition, double yes, double no) {
    return nn_select(nn_mask(condition != 0), yes, no);
}

/*@ nn_maximum: nn_inline nn_bits */
/* The larger of two; a where they are equal, a NaN where either is one.  With a number for a, as in a
 * rectifier, one comparison is left. */
NN_INLINE double nn_maximum(double a, double b) {
    return nn_select(nn_mask(!(b <= a) & (a == a)), b, a);
}

/*@ nn_minimum: nn_inline nn_bits */
NN_INLINE double nn_minimum(double a, double b) {
    return nn_select(nn_mask(!(a <= b) & (a == a)), b, a);
}

/*@ nn_wheref: nn_inline nn_bitsf */
/* yes where the condition is not 0 (a NaN is not), else no.  Both are computed; none is branched around. */
NN_INLINE float nn_wheref(float condition, float yes, float no) {
    return nn_selectf(nn_maskf(condition != 0), yes, no);
}

/*@ nn_maximumf: nn_inline nn_bitsf */
/* The larger of two; a where they are equal, a NaN where either is one.  With a number for a, as in a
 * rectifier, one comparison is left. */
NN_INLINE float nn_maximumf(float a, float b) {
    return nn_selectf(nn_maskf(!(b <= a) & (a == a)), b, a);
}

/*@ nn_minimumf: nn_inline nn_bitsf */
NN_INLINE float nn_minimumf(float a, float b) {
    return nn_selectf(nn_maskf(!(a <= b) & (a == a)), b, a);
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
/* e^x = 2^n (1 + fraction) for |x| <= 1400, n the integer nearest to x / ln 2. Adding 2^52 + 2046 rounds to
 * that integer and leaves n + 2046 in the last bits, which `power` keeps: (power >> 1) << 52 are then the
 * bits of 2^floor(n/2), and (power - (power >> 1)) << 52 those of 2^ceil(n/2). n times the upper 40 bits of
 * ln 2 is exact, and the lower part joins where it is not rounded away. */
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
    struct nn_exp_parts parts;
    parts.fraction = upper + (nn_exp_tail(r) - lower);
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
    struct nn_exp_partsf parts;
    parts.fraction = upper + (nn_exp_tailf(r) - lower);
    parts.power = nn_bitsf(shifted);
    return parts;
}

/*@ nn_exp: nn_inline nn_fma nn_bits nn_exp_parts */
/* e^x. Subnormal results are right; above 709.78 inf, below -745.13 zero. */
NN_INLINE double nn_exp(double x) {
    const struct nn_exp_parts e = nn_exp_parts(nn_at_most(nn_at_least(x, -746.0), 710.0));
    const uint64_t half = e.power >> 1;
    const double first = nn_from_bits(half << 52);
    const double second = nn_from_bits((e.power - half) << 52);
    return nn_fma(e.fraction, first, first) * second;
}

/*@ nn_expf: nn_inline nn_fma nn_bitsf nn_exp_partsf */
NN_INLINE float nn_expf(float x) {
    const struct nn_exp_partsf e = nn_exp_partsf(nn_at_mostf(nn_at_leastf(x, -104.0f), 89.0f));
    const uint32_t half = e.power >> 1;
    const float first = nn_from_bitsf(half << 23);
    const float second = nn_from_bitsf((e.power - half) << 23);
    return nn_fmaf(e.fraction, first, first) * second;
}

/*@ nn_exp_shifted: nn_inline nn_fma nn_bits nn_exp_tail */
/* e^x for x <= 0, as it stands in a softmax whose largest score is taken out: no bound above, one step of
 * scaling.  The bits of 2^n are those of n + 1023, which the magic constant has added; at -709, where they
 * are 0, so is the result. */
NN_INLINE double nn_exp_shifted(double x) {
    const double shift = 6755399441056767.0; /* 1.5 2^52 + 1023 */
    const double t = nn_at_least(x, -709.0);
    const double shifted = nn_fma(t, 1.4426950408889634, shift);
    const double n = shifted - shift;
    const double upper = nn_fma(n, -0.69314718055920821, t);
    const double r = nn_fma(n, -7.3710025651677989e-13, upper);
    const double scale = nn_from_bits(nn_bits(shifted) << 52);
    return nn_fma(r + nn_exp_tail(r), scale, scale);
}

/*@ nn_exp_shiftedf: nn_inline nn_fma nn_bitsf nn_exp_tailf */
NN_INLINE float nn_exp_shiftedf(float x) {
    const float shift = 12583039.0f; /* 1.5 2^23 + 127 */
    const float t = nn_at_leastf(x, -88.0f);
    const float shifted = nn_fmaf(t, 1.44269502f, shift);
    const float n = shifted - shift;
    const float upper = nn_fmaf(n, -0.693145752f, t);
    const float r = nn_fmaf(n, -1.42860682e-06f, upper);
    const float scale = nn_from_bitsf(nn_bitsf(shifted) << 23);
    return nn_fmaf(r + nn_exp_tailf(r), scale, scale);
}

/*@ nn_sigmoid: nn_inline nn_fma nn_bits */
/* 1 / (1 + e^-x). With r = x + n ln 2, odd = r p(r^2) and even = 1 + r^2 q(r^2), e^r is (even + odd) / (even
 * - odd), that is, odd / even is tanh(r / 2); p has degree 2 with p(0) = 1/2, q degree 1, error 2^-59.5.  So
 * e^-x is 2^n above / below, and the result below / (below + 2^n above): one division serves both.  The bits
 * of 2^n are those of n + 1023, which the magic constant has added; x is held at -710, where n = 1024 makes
 * 2^n an infinity and the result 0. So results under 2^-1023 are 0. Kept short rather than exact to the last
 * bit: it is where small networks spend their time. */
NN_INLINE double nn_sigmoid_inside(double t) { /* -710 <= t <= 708 */
    const double shift = 6755399441056767.0;   /* 1.5 2^52 + 1023 */
    const double shifted = nn_fma(t, -1.4426950408889634, shift);
    const double n = shifted - shift;
    const double upper = nn_fma(n, 0.69314718055920821, t);
    const double r = nn_fma(n, 7.3710025651677989e-13, upper);
    const double r2 = r * r;
    const double p = nn_fma(nn_fma(3.3042786805255272e-05, r2, 0.013887327891192708), r2, 0.5);
    const double even = nn_fma(r2, nn_fma(0.00099175133340535519, r2, 0.1111079891157165), 1.0);
    const double odd = r * p;
    const double below = even + odd;
    const double scale = nn_from_bits(nn_bits(shifted) << 52);
    return below / nn_fma(scale, even - odd, below);
}
NN_INLINE double nn_sigmoid(double x) {
    return nn_sigmoid_inside(nn_at_most(nn_at_least(x, -710.0), 708.0));
}

/*@ nn_sigmoidf: nn_inline nn_fma nn_bitsf */
/* The same: p of degree 1, q of degree 0, error 2^-32.5. */
NN_INLINE float nn_sigmoid_insidef(float t) { /* -89 <= t <= 87 */
    const float shift = 12583039.0f;          /* 1.5 2^23 + 127 */
    const float shifted = nn_fmaf(t, -1.44269502f, shift);
    const float n = shifted - shift;
    const float upper = nn_fmaf(n, 0.693145752f, t);
    const float r = nn_fmaf(n, 1.42860682e-06f, upper);
    const float r2 = r * r;
    const float even = nn_fmaf(r2, 0.0999786108f, 1.0f);
    const float odd = r * nn_fmaf(0.00832267564f, r2, 0.5f);
    const float below = even + odd;
    const float scale = nn_from_bitsf(nn_bitsf(shifted) << 23);
    return below / nn_fmaf(scale, even - odd, below);
}
NN_INLINE float nn_sigmoidf(float x) {
    return nn_sigmoid_insidef(nn_at_mostf(nn_at_leastf(x, -89.0f), 87.0f));
}

/*@ nn_tanh: nn_inline nn_fma nn_bits */
/* (s - 1) / (s + 1) with s = e^2x = 2^n (even + odd) / (even - odd), where odd / even = tanh(h) and h = x - n
 * ln(2) / 2. Near 0, n is 0 and this is odd / even to the last bit; elsewhere 2^n - 1 and 2^n + 1 are exact.
 * Signs are such that -0 stays -0.  The polynomials are those of nn_sigmoid in 2h. */
NN_INLINE double nn_tanh_inside(double t) {  /* |t| <= 20 */
    const double shift = 6755399441056767.0; /* 1.5 2^52 + 1023 */
    const double shifted = nn_fma(t, 2.8853900817779268, shift);
    const double n = shifted - shift;
    const double upper = nn_fma(n, -0.346573590279604105, t);
    const double h = nn_fma(n, -3.68550128258389945e-13, upper);
    const double h2 = h * h;
    const double p = nn_fma(nn_fma(0.001057369177768168704, h2, 0.111098623129541664), h2, 1.0);
    const double even = nn_fma(h2, nn_fma(0.01586802133448568304, h2, 0.444431956462866), 1.0);
    const double odd = h * p;
    const double scale = nn_from_bits(nn_bits(shifted) << 52);
    const double more = scale + 1.0, less = 1.0 - scale;
    return nn_fma(-less, even, more * odd) / nn_fma(-less, odd, more * even);
}
NN_INLINE double nn_tanh(double x) {
    return nn_tanh_inside(nn_at_most(nn_at_least(x, -20.0), 20.0));
}

/*@ nn_tanhf: nn_inline nn_fma nn_bitsf */
NN_INLINE float nn_tanh_insidef(float t) { /* |t| <= 10 */
    const float shift = 12583039.0f;       /* 1.5 2^23 + 127 */
    const float shifted = nn_fmaf(t, 2.88539004f, shift);
    const float n = shifted - shift;
    const float upper = nn_fmaf(n, -0.346572876f, t);
    const float h = nn_fmaf(n, -7.1430341e-07f, upper);
    const float h2 = h * h;
    const float even = nn_fmaf(h2, 0.399914443f, 1.0f);
    const float odd = h * nn_fmaf(0.0665814051f, h2, 1.0f);
    const float scale = nn_from_bitsf(nn_bitsf(shifted) << 23);
    const float more = scale + 1.0f, less = 1.0f - scale;
    return nn_fmaf(-less, even, more * odd) / nn_fmaf(-less, odd, more * even);
}
NN_INLINE float nn_tanhf(float x) {
    return nn_tanh_insidef(nn_at_mostf(nn_at_leastf(x, -10.0f), 10.0f));
}

/*@ nn_sigmoid_base2: nn_inline nn_fma nn_bits */
/* 1 / (1 + 2^-a), the sigmoid of a ln 2: n and the fraction f = a + n are found without a product and are
 * exact. As in nn_sigmoid, with f for r / ln 2; the double next to ln(2) / 2 makes the error 2^-56. */
NN_INLINE double nn_sigmoid_base2_inside(double t) { /* -1024 <= t <= 1022 */
    const double shift = 6755399441056767.0;         /* 1.5 2^52 + 1023 */
    const double shifted = shift - t;
    const double f = t + (shifted - shift);
    const double f2 = f * f;
    const double p = nn_fma(nn_fma(5.286935030254917e-06, f2, 0.004624822538020605), f2, 0.34657359027997264);
    const double even = nn_fma(f2, nn_fma(0.00022893101681652962, f2, 0.05338216824103671), 1.0);
    const double odd = f * p;
    const double below = even + odd;
    const double scale = nn_from_bits(nn_bits(shifted) << 52);
    return below / nn_fma(scale, even - odd, below);
}
NN_INLINE double nn_sigmoid_base2(double x) {
    return nn_sigmoid_base2_inside(nn_at_most(nn_at_least(x, -1024.0), 1022.0));
}

/*@ nn_sigmoid_base2f: nn_inline nn_fma nn_bitsf */
NN_INLINE float nn_sigmoid_base2_insidef(float t) { /* -128 <= t <= 126 */
    const float shift = 12583039.0f;                /* 1.5 2^23 + 127 */
    const float shifted = shift - t;
    const float f = t + (shifted - shift);
    const float f2 = f * f;
    const float even = nn_fmaf(f2, 0.048035026f, 1.0f);
    const float odd = f * nn_fmaf(0.0027716563f, f2, 0.3465736f);
    const float below = even + odd;
    const float scale = nn_from_bitsf(nn_bitsf(shifted) << 23);
    return below / nn_fmaf(scale, even - odd, below);
}
NN_INLINE float nn_sigmoid_base2f(float x) {
    return nn_sigmoid_base2_insidef(nn_at_mostf(nn_at_leastf(x, -128.0f), 126.0f));
}

/*@ nn_tanh_base2: nn_inline nn_fma nn_bits */
/* (2^a - 1) / (2^a + 1), the tanh of a ln(2) / 2, likewise.  The coefficients have a factor near 1, with
 * which the double next to ln(2) / 2 is right to 2^-72: near 0 the result is as exact as that. */
NN_INLINE double nn_tanh_base2_inside(double t) { /* |t| <= 58 */
    const double shift = 6755399441056767.0;      /* 1.5 2^52 + 1023 */
    const double shifted = t + shift;
    const double f = t - (shifted - shift);
    const double f2 = f * f;
    const double p = nn_fma(nn_fma(5.28693577116811e-06, f2, 0.004624823186145089), f2, 0.34657363884893444);
    const double even =
        nn_fma(f2, nn_fma(0.00022893104889901402, f2, 0.05338217572203515), 1.0000001401404006);
    const double odd = f * p;
    const double scale = nn_from_bits(nn_bits(shifted) << 52);
    const double more = scale + 1.0, less = 1.0 - scale;
    return nn_fma(-less, even, more * odd) / nn_fma(-less, odd, more * even);
}
NN_INLINE double nn_tanh_base2(double x) {
    return nn_tanh_base2_inside(nn_at_most(nn_at_least(x, -58.0), 58.0));
}

/*@ nn_tanh_base2f: nn_inline nn_fma nn_bitsf */
NN_INLINE float nn_tanh_base2_insidef(float t) { /* |t| <= 29 */
    const float shift = 12583039.0f;             /* 1.5 2^23 + 127 */
    const float shifted = t + shift;
    const float f = t - (shifted - shift);
    const float f2 = f * f;
    const float even = nn_fmaf(f2, 0.0480380207f, 1.00006235f);
    const float odd = f * nn_fmaf(0.00277182902f, f2, 0.346595198f);
    const float scale = nn_from_bitsf(nn_bitsf(shifted) << 23);
    const float more = scale + 1.0f, less = 1.0f - scale;
    return nn_fmaf(-less, even, more * odd) / nn_fmaf(-less, odd, more * even);
}
NN_INLINE float nn_tanh_base2f(float x) {
    return nn_tanh_base2_insidef(nn_at_mostf(nn_at_leastf(x, -29.0f), 29.0f));
}

/*@ nn_log_parts: nn_inline nn_fma nn_bits */
/* For x = 2^k (1 + f) with 1 + f in [sqrt 1/2, sqrt 2): k and f, both exact; x is positive and normal. And
 * ln(1 + f) = f - rest, where with s = f / (2 + f), rest = f^2/2 - s (f^2/2 + R(s^2)), R of degree 7, error
 * 2^-58.5. */
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
/* `inside`, which is finite, where 0 < x < inf; -inf at 0, NaN below (inf - inf), and x itself at inf and
 * NaN. Sums rather than choices: gcc would compute `inside` in a branch. */
NN_INLINE double nn_log_ends(double x, double inside) {
    const double infinity = nn_from_bits((uint64_t)0x7ff << 52);
    const double zero = nn_select(nn_mask(x <= 0.0), -infinity, 0.0);
    const double end = nn_select(nn_mask(x < infinity), 0.0, x);
    return (inside + zero) + nn_select(nn_mask(x < 0.0), infinity, end);
}

/* The same for ln(1 + x). */
NN_INLINE double nn_log1p_ends(double x, double inside) {
    const double infinity = nn_from_bits((uint64_t)0x7ff << 52);
    const double zero = nn_select(nn_mask(x <= -1.0), -infinity, 0.0);
    const double end = nn_select(nn_mask(x < infinity), 0.0, x);
    return (inside + zero) + nn_select(nn_mask(x < -1.0), infinity, end);
}

/*@ nn_log_endsf: nn_inline nn_bitsf */
NN_INLINE float nn_log_endsf(float x, float inside) {
    const float infinity = nn_from_bitsf((uint32_t)0xff << 23);
    const float zero = nn_selectf(nn_maskf(x <= 0.0f), -infinity, 0.0f);
    const float end = nn_selectf(nn_maskf(x < infinity), 0.0f, x);
    return (inside + zero) + nn_selectf(nn_maskf(x < 0.0f), infinity, end);
}

/* The same for ln(1 + x). */
NN_INLINE float nn_log1p_endsf(float x, float inside) {
    const float infinity = nn_from_bitsf((uint32_t)0xff << 23);
    const float zero = nn_selectf(nn_maskf(x <= -1.0f), -infinity, 0.0f);
    const float end = nn_selectf(nn_maskf(x < infinity), 0.0f, x);
    return (inside + zero) + nn_selectf(nn_maskf(x < -1.0f), infinity, end);
}

/*@ nn_log: nn_inline nn_bits nn_log_parts nn_log_ends */
/* ln x. Small x are first multiplied by 2^64, out of the subnormal range, and the others by 1/2: exact both,
 * and a choice between two constants, which no compiler turns into a branch. */
NN_INLINE double nn_log(double x) {
    const uint64_t tiny = nn_mask(x < 0x1p-960);
    const struct nn_log_parts parts = nn_log_parts(x * nn_select(tiny, 0x1p64, 0.5));
    const double exponent = parts.exponent + nn_select(tiny, -64.0, 1.0);
    return nn_log_ends(x, nn_log_sum(exponent, parts.fraction, 0.0));
}

/*@ nn_logf: nn_inline nn_bitsf nn_log_partsf nn_log_endsf */
NN_INLINE float nn_logf(float x) {
    const uint32_t tiny = nn_maskf(x < 0x1p-96f);
    const struct nn_log_partsf parts = nn_log_partsf(x * nn_selectf(tiny, 0x1p32f, 0.5f));
    const float exponent = parts.exponent + nn_selectf(tiny, -32.0f, 1.0f);
    return nn_log_endsf(x, nn_log_sumf(exponent, parts.fraction, 0.0f));
}

/*@ nn_log_shifted: nn_inline nn_log_parts */
/* ln x for 1 <= x < inf, a sum of nn_exp_shifted; or a NaN, which x - x carries on. */
NN_INLINE double nn_log_shifted(double x) {
    const struct nn_log_parts parts = nn_log_parts(x);
    return nn_log_sum(parts.exponent, parts.fraction, x - x);
}

/*@ nn_log_shiftedf: nn_inline nn_log_partsf */
NN_INLINE float nn_log_shiftedf(float x) {
    const struct nn_log_partsf parts = nn_log_partsf(x);
    return nn_log_sumf(parts.exponent, parts.fraction, x - x);
}

/*@ nn_exp2: nn_inline nn_fma nn_bits nn_exp_tail */
/* 2^x = 2^n (1 + s), n the nearest integer, s = e^r - 1 for r = (x - n) ln 2. Ends as nn_exp. */
NN_INLINE double nn_exp2(double x) {
    const double shift = 4503599627372542.0;
    const double bounded = nn_at_most(nn_at_least(x, -1080.0), 1030.0);
    const double shifted = bounded + shift;
    const double part = bounded - (shifted - shift);
    const double r = 0.69314718055994529 * part;
    const double fraction = r + nn_fma(part, 2.3190468138462996e-17, nn_exp_tail(r));
    const uint64_t half = nn_bits(shifted) >> 1;
    const double first = nn_from_bits(half << 52);
    const double second = nn_from_bits((nn_bits(shifted) - half) << 52);
    return nn_fma(fraction, first, first) * second;
}

/*@ nn_exp2f: nn_inline nn_fma nn_bitsf nn_exp_tailf */
NN_INLINE float nn_exp2f(float x) {
    const float shift = 8388862.0f;
    const float bounded = nn_at_mostf(nn_at_leastf(x, -152.0f), 130.0f);
    const float shifted = bounded + shift;
    const float part = bounded - (shifted - shift);
    const float r = 0.693147182f * part;
    const float fraction = r + nn_fmaf(part, -1.90465421e-09f, nn_exp_tailf(r));
    const uint32_t half = nn_bitsf(shifted) >> 1;
    const float first = nn_from_bitsf(half << 23);
    const float second = nn_from_bitsf((nn_bitsf(shifted) - half) << 23);
    return nn_fmaf(fraction, first, first) * second;
}

/*@ nn_expm1: nn_inline nn_fma nn_bits nn_exp_parts */
/* e^x - 1 = 2 ((H - 1/2) + H s) where e^x = 2^n (1 + s), H = 2^(n-1); x itself below 2^-54. */
NN_INLINE double nn_expm1(double x) {
    const struct nn_exp_parts e = nn_exp_parts(nn_at_most(nn_at_least(x, -50.0), 710.0));
    const double half = nn_from_bits((e.power - 1024) << 52);
    const double y = 2.0 * nn_fma(half, e.fraction, half - 0.5);
    return nn_select(nn_sign_mask(fabs(x) - 0x1p-54), x, y);
}

/*@ nn_expm1f: nn_inline nn_fma nn_bitsf nn_exp_partsf */
NN_INLINE float nn_expm1f(float x) {
    const struct nn_exp_partsf e = nn_exp_partsf(nn_at_mostf(nn_at_leastf(x, -25.0f), 89.0f));
    const float half = nn_from_bitsf((e.power - 128) << 23);
    const float y = 2.0f * nn_fmaf(half, e.fraction, half - 0.5f);
    return nn_selectf(nn_sign_maskf(fabsf(x) - 0x1p-25f), x, y);
}

/*@ nn_log2: nn_inline nn_fma nn_bits nn_log_parts nn_log_ends */
/* log2 x = k + ln(1 + f) / ln 2. */
NN_INLINE double nn_log2(double x) {
    const uint64_t tiny = nn_mask(x < 0x1p-960);
    const struct nn_log_parts parts = nn_log_parts(x * nn_select(tiny, 0x1p64, 0.5));
    const double exponent = parts.exponent + nn_select(tiny, -64.0, 1.0);
    const double natural = nn_log_sum(0.0, parts.fraction, 0.0);
    const double rest = natural * 2.0355273740931033e-17;
    return nn_log_ends(x, nn_fma(natural, 1.4426950408889634, exponent + rest));
}

/*@ nn_log2f: nn_inline nn_fma nn_bitsf nn_log_partsf nn_log_endsf */
NN_INLINE float nn_log2f(float x) {
    const uint32_t tiny = nn_maskf(x < 0x1p-96f);
    const struct nn_log_partsf parts = nn_log_partsf(x * nn_selectf(tiny, 0x1p32f, 0.5f));
    const float exponent = parts.exponent + nn_selectf(tiny, -32.0f, 1.0f);
    const float natural = nn_log_sumf(0.0f, parts.fraction, 0.0f);
    const float rest = natural * 1.92596303e-08f;
    return nn_log_endsf(x, nn_fmaf(natural, 1.44269502f, exponent + rest));
}

/*@ nn_log1p: nn_inline nn_bits nn_log_parts nn_log_ends */
/* ln(1 + x) = ln u + lost / u, where u is 1 + x rounded and lost what the rounding took; the sign of zero is
 * kept. */
NN_INLINE double nn_log1p(double x) {
    const double bounded = nn_at_most(nn_at_least(x, -1.0 + 0x1p-53), 0x1.fffffffffffffp1023);
    const double u = 1.0 + bounded;
    const double share = u - 1.0;
    const double lost = (1.0 - (u - share)) + (bounded - share);
    const struct nn_log_parts parts = nn_log_parts(u);
    const double inside = nn_log_sum(parts.exponent, parts.fraction, lost / u);
    return nn_with_sign(nn_log1p_ends(x, inside), x);
}

/*@ nn_log1pf: nn_inline nn_bitsf nn_log_partsf nn_log_endsf */
NN_INLINE float nn_log1pf(float x) {
    const float bounded = nn_at_mostf(nn_at_leastf(x, -1.0f + 0x1p-24f), 0x1.fffffep127f);
    const float u = 1.0f + bounded;
    const float share = u - 1.0f;
    const float lost = (1.0f - (u - share)) + (bounded - share);
    const struct nn_log_partsf parts = nn_log_partsf(u);
    const float inside = nn_log_sumf(parts.exponent, parts.fraction, lost / u);
    return nn_with_signf(nn_log1p_endsf(x, inside), x);
}

/*@ nn_softplus: nn_inline nn_fma nn_bits nn_exp nn_log_parts */
/* ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|), the latter as in nn_log1p, where 1 / u need only be near. */
NN_INLINE double nn_softplus(double x) {
    const double e = nn_exp(-fabs(x));
    const double u = 1.0 + e;
    const double lost = (1.0 - u) + e;
    const double inverse = nn_fma(e, nn_fma(e, 0.5, -1.0), 1.0);
    const struct nn_log_parts parts = nn_log_parts(u);
    return nn_at_least(x, 0.0) + nn_log_sum(parts.exponent, parts.fraction, lost * inverse);
}

/*@ nn_softplusf: nn_inline nn_fma nn_bitsf nn_expf nn_log_partsf */
NN_INLINE float nn_softplusf(float x) {
    const float e = nn_expf(-fabsf(x));
    const float u = 1.0f + e;
    const float lost = (1.0f - u) + e;
    const float inverse = nn_fmaf(e, nn_fmaf(e, 0.5f, -1.0f), 1.0f);
    const struct nn_log_partsf parts = nn_log_partsf(u);
    return nn_at_leastf(x, 0.0f) + nn_log_sumf(parts.exponent, parts.fraction, lost * inverse);
}

/*@ nn_round: nn_inline nn_fma nn_bits */
/* The nearest integer, a half to the even one: adding 2^52 leaves no bits for a fraction. Exact; the sign of
 * zero is kept. */
NN_INLINE double nn_round(double x) {
    const double a = fabs(x);
    const double nearest = (a + 0x1p52) - 0x1p52;
    return nn_with_sign(nn_select(nn_sign_mask(a - 0x1p52), nearest, a), x);
}

/*@ nn_roundf: nn_inline nn_fma nn_bitsf */
NN_INLINE float nn_roundf(float x) {
    const float a = fabsf(x);
    const float nearest = (a + 0x1p23f) - 0x1p23f;
    return nn_with_signf(nn_selectf(nn_sign_maskf(a - 0x1p23f), nearest, a), x);
}

/*@ nn_floor: nn_inline nn_bits nn_round */
/* The greatest integer not above x. Exact. */
NN_INLINE double nn_floor(double x) {
    const double nearest = nn_round(x);
    return nn_with_sign(nearest + nn_select(nn_mask(nearest > x), -1.0, 0.0), x);
}

/*@ nn_floorf: nn_inline nn_bitsf nn_roundf */
NN_INLINE float nn_floorf(float x) {
    const float nearest = nn_roundf(x);
    return nn_with_signf(nearest + nn_selectf(nn_maskf(nearest > x), -1.0f, 0.0f), x);
}

/*@ nn_ceil: nn_inline nn_bits nn_round */
/* The least integer not below x. Exact. */
NN_INLINE double nn_ceil(double x) {
    const double nearest = nn_round(x);
    return nn_with_sign(nearest + nn_select(nn_mask(nearest < x), 1.0, 0.0), x);
}

/*@ nn_ceilf: nn_inline nn_bitsf nn_roundf */
NN_INLINE float nn_ceilf(float x) {
    const float nearest = nn_roundf(x);
    return nn_with_signf(nearest + nn_selectf(nn_maskf(nearest < x), 1.0f, 0.0f), x);
}

/*@ nn_angle: nn_inline nn_fma nn_bits */
/* x = n pi / 2 + r + rest, |r| <= 0.7855, by Cody and Waite: pi / 2 in parts of 33, 33 and 53 bits, so that n
 * times either of the first two is exact for |n| < 2^20, that is |x| < 1.6e6. Beyond, r loses accuracy and is
 * kept within +-0.8. */
struct nn_angle {
    double r, rest;
    uint64_t quadrant;
};
NN_INLINE struct nn_angle nn_angle(double x) {
    const double shift = 6755399441055744.0;
    const double shifted = nn_fma(x, 0.63661977236758138, shift);
    const double n = shifted - shift;
    const double upper = nn_fma(n, -1.5707963267341256, x);
    const double middle = n * 6.077100506303966e-11;
    const double difference = upper - middle;
    const double share = difference - upper;
    const double lost = (upper - (difference - share)) - (middle + share);
    const double rest = nn_fma(n, -2.0222662487959506e-21, lost);
    const double r = difference + rest;
    const uint64_t near = nn_sign_mask(fabs(r) - 0.8);
    struct nn_angle angle;
    angle.r = nn_at_most(nn_at_least(r, -0.8), 0.8);
    angle.rest = nn_select(near, (difference - r) + rest, 0.0);
    angle.quadrant = nn_bits(shifted);
    return angle;
}
/* The sine of r + rest: r + r^3 P(r^2) and the rest times its slope; P of degree 5, error 2^-58. */
NN_INLINE double nn_angle_sine(struct nn_angle angle) {
    const double z = angle.r * angle.r;
    double p = nn_fma(1.5896666564303866e-10, z, -2.5050755962473312e-08);
    p = nn_fma(p, z, 2.7557313678673081e-06);
    p = nn_fma(p, z, -0.00019841269829771189);
    p = nn_fma(p, z, 0.0083333333333223698);
    p = nn_fma(p, z, -0.16666666666666632);
    const double slope = nn_fma(-0.5, z, 1.0);
    return angle.r + nn_fma(angle.r * z, p, angle.rest * slope);
}
/* The cosine: 1 - r^2/2 with what that loses, + r^4 P(r^2); P of degree 5, error 2^-64. */
NN_INLINE double nn_angle_cosine(struct nn_angle angle) {
    const double z = angle.r * angle.r;
    double p = nn_fma(-1.1359559299828586e-11, z, 2.0875721623054737e-09);
    p = nn_fma(p, z, -2.7557314340653811e-07);
    p = nn_fma(p, z, 2.4801587289443458e-05);
    p = nn_fma(p, z, -0.0013888888888874064);
    p = nn_fma(p, z, 0.041666666666666602);
    const double square = 0.5 * z;
    const double main = 1.0 - square;
    return main + (((1.0 - main) - square) + nn_fma(z * z, p, -angle.r * angle.rest));
}

/*@ nn_sin: nn_inline nn_fma nn_bits nn_angle */
/* Sine or cosine of the reduced angle, by the quadrant; x itself below 2^-27. Accurate for |x| < 1e6; beyond,
 * a number within [-1, 1]; NaN at infinity. */
NN_INLINE double nn_sin(double x) {
    const struct nn_angle angle = nn_angle(x);
    const uint64_t odd = (uint64_t)0 - (angle.quadrant & 1);
    const double y = nn_select(odd, nn_angle_cosine(angle), nn_angle_sine(angle));
    const uint64_t sign = (angle.quadrant & 2) << 62;
    return nn_select(nn_sign_mask(fabs(x) - 0x1p-27), x, nn_from_bits(nn_bits(y) ^ sign));
}

/*@ nn_sinf: nn_inline nn_sin */
/* Through double: nothing is left to round but the result. */
NN_INLINE float nn_sinf(float x) {
    return (float)nn_sin((double)x);
}

/*@ nn_cos: nn_inline nn_bits nn_angle */
NN_INLINE double nn_cos(double x) {
    const struct nn_angle angle = nn_angle(x);
    const uint64_t odd = (uint64_t)0 - (angle.quadrant & 1);
    const double y = nn_select(odd, nn_angle_sine(angle), nn_angle_cosine(angle));
    const uint64_t sign = ((angle.quadrant + 1) & 2) << 62;
    return nn_from_bits(nn_bits(y) ^ sign);
}

/*@ nn_cosf: nn_inline nn_cos */
NN_INLINE float nn_cosf(float x) {
    return (float)nn_cos((double)x);
}

/*@ nn_tan: nn_inline nn_fma nn_bits nn_angle */
/* Sine over cosine, or minus their inverse in the odd quadrants. */
NN_INLINE double nn_tan(double x) {
    const struct nn_angle angle = nn_angle(x);
    const uint64_t odd = (uint64_t)0 - (angle.quadrant & 1);
    const double sine = nn_angle_sine(angle);
    const double cosine = nn_angle_cosine(angle);
    const double y = nn_select(odd, -cosine, sine) / nn_select(odd, sine, cosine);
    return nn_select(nn_sign_mask(fabs(x) - 0x1p-27), x, y);
}

/*@ nn_tanf: nn_inline nn_tan */
NN_INLINE float nn_tanf(float x) {
    return (float)nn_tan((double)x);
}

/*@ nn_erf: nn_inline nn_fma nn_bits nn_exp_parts */
/* Below 1, x P(x^2), P of degree 11, error 2^-57; above, for a = |x| up to 5.95, 1 - e^-a^2 G(t), t = (a - 3)
 * / (a + 3), where G is near e^a^2 erfc(a), of degree 11, error 2^-57. */
NN_INLINE double nn_erf(double x) {
    const double a = nn_at_most(fabs(x), 5.95);
    const double z = a * a;
    double p = nn_fma(-7.8168007118415044e-10, z, 1.3731927421605571e-08);
    p = nn_fma(p, z, -1.6211406297567727e-07);
    p = nn_fma(p, z, 1.6447834272561138e-06);
    p = nn_fma(p, z, -1.4924772858518602e-05);
    p = nn_fma(p, z, 0.00012055296955852725);
    p = nn_fma(p, z, -0.00085483260517764154);
    p = nn_fma(p, z, 0.0052239776089333867);
    p = nn_fma(p, z, -0.026866170643499745);
    p = nn_fma(p, z, 0.1128379167094708);
    p = nn_fma(p, z, -0.37612638903183615);
    const double small = nn_fma(a, nn_fma(p, z, 0.12837916709551256), a);
    const double t = (a - 3.0) / (a + 3.0);
    double g = nn_fma(1.5203291840727054e-05, t, 0.00010295184496253607);
    g = nn_fma(g, t, 7.6394066213021937e-05);
    g = nn_fma(g, t, -0.00058109213704361632);
    g = nn_fma(g, t, 0.00071317533075793474);
    g = nn_fma(g, t, 0.0042703538187496871);
    g = nn_fma(g, t, -0.024392327872606038);
    g = nn_fma(g, t, 0.071665850131142447);
    g = nn_fma(g, t, -0.150115936343657);
    g = nn_fma(g, t, 0.24560380166430232);
    g = nn_fma(g, t, -0.32623356004590187);
    g = nn_fma(g, t, 0.17900115118135376);
    const struct nn_exp_parts e = nn_exp_parts(-z);
    const double scale = nn_from_bits((e.power - 1023) << 52);
    const double large = 1.0 - nn_fma(scale, e.fraction, scale) * g;
    return nn_with_sign(nn_select(nn_sign_mask(a - 1.0), small, large), x);
}

/*@ nn_erff: nn_inline nn_erf */
NN_INLINE float nn_erff(float x) {
    return (float)nn_erf((double)x);
}

/*@ nn_product: nn_inline nn_fma nn_bits */
/* a b - p, where p is a b rounded: exact when fused; else by Dekker's product of halves of 26 and 27 bits, to
 * 2^-107. */
NN_INLINE double nn_product_rest(double a, double b, double p) {
#if NN_FUSED
    return nn_fma(a, b, -p);
#else
    const uint64_t mask = ~(uint64_t)0 << 27;
    const double a_upper = nn_from_bits(nn_bits(a) & mask), a_lower = a - a_upper;
    const double b_upper = nn_from_bits(nn_bits(b) & mask), b_lower = b - b_upper;
    return ((a_upper * b_upper - p) + a_upper * b_lower + a_lower * b_upper) + a_lower * b_lower;
#endif
}

/*@ nn_log_pair: nn_inline nn_fma nn_log_parts nn_product */
/* log2 x as a sum of two doubles, error about 2^-65, for normal positive x: with s = f / (2 + f) as a pair,
 * ln(1 + f) = 2 s (1 + z (1/3 + z Q(z))), z = s^2, Q of degree 8, error 2^-80; s, z, the bracket and the
 * product are pairs. */
struct nn_pair {
    double upper, lower;
};
NN_INLINE struct nn_pair nn_pair_product(struct nn_pair a, struct nn_pair b) {
    struct nn_pair y;
    y.upper = a.upper * b.upper;
    y.lower = nn_product_rest(a.upper, b.upper, y.upper) + nn_fma(a.upper, b.lower, a.lower * b.upper);
    return y;
}
/* upper + (next + lower), where |upper| >= |next| or upper is 0. */
NN_INLINE struct nn_pair nn_pair_sum(double upper, double next, double lower) {
    struct nn_pair y;
    y.upper = upper + next;
    y.lower = ((upper - y.upper) + next) + lower;
    return y;
}
NN_INLINE struct nn_pair nn_log_ratio(double f) {
    const double divisor = 2.0 + f;
    const double divisor_lost = f - (divisor - 2.0);
    const double inverse = 1.0 / divisor;
    struct nn_pair s;
    s.upper = f * inverse;
    const double product = s.upper * divisor;
    const double excess = (f - product) - nn_product_rest(s.upper, divisor, product);
    s.lower = nn_fma(-s.upper, divisor_lost, excess) * inverse;
    return s;
}
NN_INLINE struct nn_pair nn_log_pair(struct nn_log_parts parts) {
    const struct nn_pair s = nn_log_ratio(parts.fraction);
    const struct nn_pair z = nn_pair_product(s, s);
    const struct nn_pair scale = {2.8853900817779268, 4.0710547481862066e-17};
    double q = nn_fma(0.055067239627276478, z.upper, 0.052114427155716909);
    q = nn_fma(q, z.upper, 0.058843374373685219);
    q = nn_fma(q, z.upper, 0.06666620200919017);
    q = nn_fma(q, z.upper, 0.076923083769249265);
    q = nn_fma(q, z.upper, 0.090909090846228932);
    q = nn_fma(q, z.upper, 0.11111111111145312);
    q = nn_fma(q, z.upper, 0.14285714285714188);
    q = nn_fma(q, z.upper, 0.20000000000000001);
    const struct nn_pair bracket = nn_pair_sum(0.33333333333333331, q * z.upper, 1.8503717077085941e-17);
    const struct nn_pair growth = nn_pair_product(s, nn_pair_product(z, bracket));
    const struct nn_pair sum = nn_pair_sum(s.upper, growth.upper, s.lower + growth.lower);
    const struct nn_pair fraction = nn_pair_product(sum, scale);
    return nn_pair_sum(parts.exponent, fraction.upper, fraction.lower);
}

/*@ nn_pow: nn_inline nn_fma nn_bits nn_exp_tail nn_log_parts nn_round nn_product nn_log_pair */
/* |a|^b = 2^(b log2 |a|) with the exponent as a pair, then the cases of C99's pow. b is kept within 2^-70 to
 * 2^70 in magnitude, beyond which the result is 1, 0 or infinite anyhow; a base of 0 or infinity gets a
 * logarithm of -+2^90. */
/* x kept within the bounds, by signs of differences: for x that is no NaN. */
NN_INLINE double nn_within(double x, double low, double high) {
    const double raised = nn_select(nn_sign_mask(x - low), low, x);
    return nn_select(nn_sign_mask(high - raised), high, raised);
}
NN_INLINE double nn_pow_magnitude(double a, double b) {
    const double infinity = nn_from_bits((uint64_t)0x7ff << 52);
    const double exponent = nn_with_sign(nn_within(fabs(b), 0x1p-70, 0x1p70), b);
    const uint64_t tiny = nn_mask(a < 0x1p-960);
    struct nn_log_parts parts = nn_log_parts(a * nn_select(tiny, 0x1p64, 0.5));
    parts.exponent += nn_select(tiny, -64.0, 1.0);
    struct nn_pair logarithm = nn_log_pair(parts);
    logarithm.upper += nn_select(nn_mask(a == 0.0), -0x1p90, 0.0);
    logarithm.upper += nn_select(nn_mask(a == infinity), 0x1p90, 0.0);
    const double product = logarithm.upper * exponent;
    const double rest =
        nn_fma(logarithm.lower, exponent, nn_product_rest(logarithm.upper, exponent, product));
    const double bounded = nn_within(product, -1100.0, 1100.0);
    const double bounded_rest = nn_within(rest, -1.0, 1.0);
    const double shift = 4503599627372542.0;
    const double shifted = bounded + shift;
    const double part = bounded - (shifted - shift);
    const double sum = part + bounded_rest;
    const double lost = (part - sum) + bounded_rest;
    const double natural = 0.69314718055994529;
    const double r = natural * sum;
    const double r_rest = nn_fma(lost, natural, nn_product_rest(natural, sum, r));
    const double fraction = r + (nn_exp_tail(r) + r_rest);
    const uint64_t half = nn_bits(shifted) >> 1;
    const double first = nn_from_bits(half << 52);
    const double second = nn_from_bits((nn_bits(shifted) - half) << 52);
    return nn_fma(fraction, first, first) * second;
}
/* All ones where x is neither 0 nor -0: the addition carries into the sign's place. */
NN_INLINE uint64_t nn_nonzero_mask(double x) {
    const uint64_t greatest = ~(uint64_t)0 >> 1;
    return (uint64_t)0 - (((nn_bits(x) & greatest) + greatest) >> 63);
}
NN_INLINE double nn_pow(double a, double b) {
    const double base = fabs(a);
    const double count = nn_within(fabs(b), 0.0, 0x1p53);
    const double half = 0.5 * count;
    const uint64_t broken = nn_nonzero_mask(count - nn_round(count));
    const uint64_t odd = nn_nonzero_mask(half - nn_round(half)) & ~broken;
    const uint64_t negative = nn_sign_mask(a);
    const uint64_t finite = (uint64_t)0 - ((nn_bits(base) - ((uint64_t)0x7ff << 52)) >> 63);
    const uint64_t one = ~(nn_nonzero_mask(b) & (negative | nn_nonzero_mask(base - 1.0)));
    const double ordered = nn_pow_magnitude(base, b) + nn_select(nn_mask(a != a), a, 0.0);
    const uint64_t bits = nn_bits(ordered + nn_select(nn_mask(b != b), b, 0.0));
    const uint64_t undefined = (negative & broken & finite & nn_nonzero_mask(a)) & ((uint64_t)0x7ff8 << 48);
    const uint64_t sign = (negative & odd) & ((uint64_t)1 << 63);
    return nn_select(one, 1.0, nn_from_bits((bits | undefined) ^ sign));
}

/*@ nn_powf: nn_inline nn_pow */
NN_INLINE float nn_powf(float a, float b) {
    return (float)nn_pow((double)a, (double)b);
}

/*@ nn_normal_quantile: nn_inline nn_fma nn_bits nn_log */
/* The x below which a standard normal variable falls with probability p: PPND16 of M. J. Wichura's algorithm
 * AS 241 (Applied Statistics 37, 1988), a quotient of polynomials of degree 7 in each of three ranges; all
 * three are computed, then one division. Relative error about 1e-15; -inf at 0, inf at 1, NaN outside. */
NN_INLINE double nn_degree7(double x, double c0, double c1, double c2, double c3, double c4, double c5,
                            double c6, double c7) {
    const double upper = nn_fma(nn_fma(nn_fma(c7, x, c6), x, c5), x, c4);
    return nn_fma(nn_fma(nn_fma(nn_fma(upper, x, c3), x, c2), x, c1), x, c0);
}
NN_INLINE double nn_normal_quantile(double p) {
    const double q = p - 0.5;
    const double inside = nn_at_most(nn_at_least(p, 0x1p-1074), 1.0 - 0x1p-53);
    const double nearer = nn_select(nn_sign_mask(inside - 0.5), inside, 1.0 - inside);
    const uint64_t central = nn_sign_mask(fabs(q) - 0.425);
    const double root = sqrt(-nn_log(nearer));
    const uint64_t near = nn_sign_mask(root - 5.0);
    const double u = nn_fma(-q, q, 0.180625);
    const double v = root - 1.6;
    const double w = root - 5.0;
    const double central_top =
        q * nn_degree7(u, 3.3871328727963666080e0, 1.3314166789178437745e+2, 1.9715909503065514427e+3,
                       1.3731693765509461125e+4, 4.5921953931549871457e+4, 6.7265770927008700853e+4,
                       3.3430575583588128105e+4, 2.5090809287301226727e+3);
    const double central_bottom =
        nn_degree7(u, 1.0, 4.2313330701600911252e+1, 6.8718700749205790830e+2, 5.3941960214247511077e+3,
                   2.1213794301586595867e+4, 3.9307895800092710610e+4, 2.8729085735721942674e+4,
                   5.2264952788528545610e+3);
    const double near_top =
        nn_degree7(v, 1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0,
                   3.64784832476320460504e0, 1.27045825245236838258e0, 2.41780725177450611770e-1,
                   2.27238449892691845833e-2, 7.74545014278341407640e-4);
    const double near_bottom =
        nn_degree7(v, 1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
                   1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
                   1.05075007164441684324e-9);
    const double far_top =
        nn_degree7(w, 6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0,
                   2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                   2.71155556874348757815e-5, 2.01033439929228813265e-7);
    const double far_bottom =
        nn_degree7(w, 1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
                   7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
                   2.04426310338993978564e-15);
    const double top = nn_select(central, central_top, nn_with_sign(nn_select(near, near_top, far_top), q));
    const double bottom = nn_select(central, central_bottom, nn_select(near, near_bottom, far_bottom));
    const double infinity = nn_from_bits((uint64_t)0x7ff << 52);
    const double ends =
        nn_select(nn_mask(p <= 0.0), -infinity, 0.0) + nn_select(nn_mask(p >= 1.0), infinity, 0.0);
    const double outside =
        nn_select(nn_mask(p < 0.0), infinity, 0.0) + nn_select(nn_mask(p > 1.0), -infinity, 0.0);
    return (top / bottom + ends) + outside;
}

/*@ nn_normal_quantilef: nn_inline nn_normal_quantile */
NN_INLINE float nn_normal_quantilef(float p) {
    return (float)nn_normal_quantile((double)p);
}

/*@ nn_end: */
#endif
