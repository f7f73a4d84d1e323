/* Kernel text that only emitted C contains: where memory begins, and rows of the caller, one after the other,
 * into planes.
 *
 * The sections are never compiled here: `real` is replaced by the type when they are printed.
 */

/*@ nn_to_line: */
/* How many numbers of that size further a multiple of 64 bytes is: there a vector lies in one line of the
 * cache. */
static size_t nn_to_line(const void *at, size_t size) {
    return (64 - (uintptr_t)at % 64) % 64 / size;
}

/*@ nn_load: */
/* planes[e][r] = row[r][e] for the rows of a tile; the planes end in zeros up to m, a whole number of
 * vectors. */
static void nn_load(const real *restrict row, int inner, int rows, int m, int stride, real *restrict planes) {
    for (int e = 0; e < inner; e++) {
        for (int r = 0; r < rows; r++)
            planes[e * stride + r] = row[(size_t)r * (size_t)inner + (size_t)e];
        for (int r = rows; r < m; r++)
            planes[e * stride + r] = 0;
    }
}

/*@ nn_load_wide: nn_load_rows */
/* The same for long rows. */
static void nn_load_wide(const real *row, long inner, long rows, long m, long stride, real *planes) {
    nn_load_rows(row, NULL, inner, rows, stride, planes);
    for (long e = 0; e < inner; e++)
        for (long r = rows; r < m; r++)
            planes[e * stride + r] = 0;
}

/*@ nn_loadi: */
/* The same for classes and other whole numbers. */
static void nn_loadi(const int32_t *restrict row, int inner, int rows, int m, int stride,
                     int32_t *restrict planes) {
    for (int e = 0; e < inner; e++) {
        for (int r = 0; r < rows; r++)
            planes[e * stride + r] = row[(size_t)r * (size_t)inner + (size_t)e];
        for (int r = rows; r < m; r++)
            planes[e * stride + r] = 0;
    }
}

/*@ nn_most: nn_bits */
/* The largest magnitude of m numbers of each of `count` planes; a NaN if there is one.  Magnitudes and NaNs
 * are ordered as the whole numbers that their bits are. */
static double nn_most(long count, long m, long stride, const double *values) {
    int64_t most = 0;
    for (long e = 0; e < count; e++)
        for (long r = 0; r < m; r++) {
            const int64_t size = (int64_t)(nn_bits(values[e * stride + r]) & (UINT64_MAX >> 1));
            most = size > most ? size : most;
        }
    return nn_from_bits((uint64_t)most);
}

/*@ nn_mostf: nn_bitsf */
static float nn_mostf(long count, long m, long stride, const float *values) {
    int32_t most = 0;
    for (long e = 0; e < count; e++)
        for (long r = 0; r < m; r++) {
            const int32_t size = (int32_t)(nn_bitsf(values[e * stride + r]) & (UINT32_MAX >> 1));
            most = size > most ? size : most;
        }
    return nn_from_bitsf((uint32_t)most);
}

/*@ nn_end: */
