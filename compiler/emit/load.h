/* Kernel text that only emitted C contains: rows of the caller, one after the other, into planes.
 *
 * The sections are never compiled here: `real` is replaced by the type when they are printed.
 */

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

/*@ nn_end: */
