/* Kernels of reductions and matrix products, for rows in lanes.  One text, used twice: the interpreter compiles it for both
 * element types (`real`, LANES), and emitted C contains the sections that it calls, with the type written in.
 *
 * A plane is `stride` numbers, one for each row of a tile.  The order of every sum is fixed: k after k for
 * each result, rows r, r + LANES, ... for each lane.
 */

/*@ nn_sum_lanes: */
/* The lanes of a sum as a tree: lane i and lane i + half, until one is left. */
static inline real nn_sum_lanes(const real *lanes) {
    real sum[LANES];
    for (int l = 0; l < LANES; l++)
        sum[l] = lanes[l];
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++)
            sum[l] = sum[l] + sum[l + half];
    return sum[0];
}

/*@ nn_max_lanes: nn_maximum */
static inline real nn_max_lanes(const real *lanes) {
    real top = lanes[0];
    for (int l = 1; l < LANES; l++)
        top = nn_maximum(top, lanes[l]);
    return top;
}

/*@ nn_min_lanes: nn_minimum */
static inline real nn_min_lanes(const real *lanes) {
    real least = lanes[0];
    for (int l = 1; l < LANES; l++)
        least = nn_minimum(least, lanes[l]);
    return least;
}

/*@ nn_matmul_rows: nn_fma */
/* y[j][r] = c[j] (or its plane) + sum over k of x[k][r] * w[k][j], for n results j and rows r of a tile; `rows` is a
 * whole number of vectors.  x_k, w_k, w_j, c_j: distances between consecutive k and j, in planes for x, in numbers for
 * w, c (planes if c_rows).  c may be NULL: then the sum starts with its first product.
 *
 * BLOCK results of LANES rows are 12 vectors of 32 bytes, kept in registers while k runs; their weights are packed
 * for a stretch of k and used for all rows.  A last block that is not full computes its last result several times. */
static void nn_matmul_rows(long n, long depth, long rows, long stride, const real *restrict x, long x_k,
                           const real *restrict w, long w_k, long w_j, const real *restrict c, long c_j, int c_rows,
                           real *restrict y) {
    enum { BLOCK = 6, STRETCH = 256 };
    real packed[STRETCH * BLOCK];
    for (long j = 0; j < n; j += BLOCK)
        for (long from = 0; from < depth; from += STRETCH) {
            const long count = depth - from < STRETCH ? depth - from : STRETCH;
            for (long k = 0; k < count; k++)
                for (long b = 0; b < BLOCK; b++)
                    packed[k * BLOCK + b] = w[(from + k) * w_k + (j + b < n ? j + b : n - 1) * w_j];
            for (long r = 0; r < rows; r += LANES) {
                const real *row = x + from * x_k * stride + r;
                real sum[BLOCK][LANES];
                for (long b = 0; b < BLOCK; b++) {
                    const long at = j + b < n ? j + b : n - 1;
                    for (long l = 0; l < LANES; l++)
                        sum[b][l] = from     ? y[at * stride + r + l]
                                    : !c     ? row[l] * packed[b]
                                    : c_rows ? c[at * c_j * stride + r + l]
                                             : c[at * c_j];
                }
                for (long k = from || c ? 0 : 1; k < count; k++) {
                    const real *const v = row + k * x_k * stride, *const p = packed + k * BLOCK;
                    for (long l = 0; l < LANES; l++) {
                        sum[0][l] = nn_fma(v[l], p[0], sum[0][l]);
                        sum[1][l] = nn_fma(v[l], p[1], sum[1][l]);
                        sum[2][l] = nn_fma(v[l], p[2], sum[2][l]);
                        sum[3][l] = nn_fma(v[l], p[3], sum[3][l]);
                        sum[4][l] = nn_fma(v[l], p[4], sum[4][l]);
                        sum[5][l] = nn_fma(v[l], p[5], sum[5][l]);
                    }
                }
                for (long b = 0; b < BLOCK && j + b < n; b++)
                    for (long l = 0; l < LANES; l++)
                        y[(j + b) * stride + r + l] = sum[b][l];
            }
        }
}

/*@ nn_matmul_planes: nn_fma */
/* y[r] = c[r] + sum over k of a[k][r] * b[k][r]: both sides differ from row to row.  a_k, b_k in planes. c as above. */
static void nn_matmul_planes(long depth, long rows, long stride, const real *restrict a, long a_k,
                             const real *restrict b, long b_k, const real *restrict c, int c_rows, real *restrict y) {
    for (long r = 0; r < rows; r++)
        y[r] = !c ? a[r] * b[r] : c_rows ? c[r] : c[0];
    for (long k = c ? 0 : 1; k < depth; k++)
        for (long r = 0; r < rows; r++)
            y[r] = nn_fma(a[k * a_k * stride + r], b[k * b_k * stride + r], y[r]);
}

/*@ nn_matmul_lanes: nn_fma */
/* lanes[i][j][r mod LANES] += a[i][r] * b[j][r] over the rows of a tile.  a_i, b_j in planes. */
static void nn_matmul_lanes(long m, long n, long rows, long stride, const real *restrict a, long a_i,
                            const real *restrict b, long b_j, real *restrict lanes) {
    const long whole = rows - rows % LANES;
    for (long i = 0; i < m; i++)
        for (long j = 0; j < n; j++) {
            const real *const p = a + i * a_i * stride, *const q = b + j * b_j * stride;
            real *const to = lanes + (i * n + j) * LANES;
            real sum[LANES];
            for (int l = 0; l < LANES; l++)
                sum[l] = to[l];
            for (long r = 0; r < whole; r += LANES)
                for (int l = 0; l < LANES; l++)
                    sum[l] = nn_fma(p[r + l], q[r + l], sum[l]);
            for (long l = 0; l < rows - whole; l++)
                sum[l] = nn_fma(p[whole + l], q[whole + l], sum[l]);
            for (int l = 0; l < LANES; l++)
                to[l] = sum[l];
        }
}

/*@ nn_matmul_chain: nn_fma */
/* y[i][j] += a[i][r] * b[j][r], row after row.  a_i, b_j in planes; y_i, y_j in numbers.
 * b is turned round for a stretch of rows, so that results lie in lanes; 6 x LANES of them are kept in registers. */
static void nn_matmul_chain(long m, long n, long rows, long stride, const real *restrict a, long a_i,
                            const real *restrict b, long b_j, real *restrict y, long y_i, long y_j) {
    enum { BLOCK = 6, STRETCH = 128 };
    real turned[STRETCH][LANES];
    for (long j = 0; j < n; j += LANES)
        for (long from = 0; from < rows; from += STRETCH) {
            const long width = n - j < LANES ? n - j : LANES, count = rows - from < STRETCH ? rows - from : STRETCH;
            for (long l = 0; l < LANES; l++)
                for (long r = 0; r < count; r++)
                    turned[r][l] = l < width ? b[(j + l) * b_j * stride + from + r] : 0;
            for (long i = 0; i < m; i += BLOCK) {
                const real *p[BLOCK];
                real sum[BLOCK][LANES];
                for (long k = 0; k < BLOCK; k++) {
                    const long at = i + k < m ? i + k : m - 1;
                    p[k] = a + at * a_i * stride + from;
                    for (long l = 0; l < LANES; l++)
                        sum[k][l] = l < width ? y[at * y_i + (j + l) * y_j] : 0;
                }
                for (long r = 0; r < count; r++)
                    for (long l = 0; l < LANES; l++) {
                        sum[0][l] = nn_fma(p[0][r], turned[r][l], sum[0][l]);
                        sum[1][l] = nn_fma(p[1][r], turned[r][l], sum[1][l]);
                        sum[2][l] = nn_fma(p[2][r], turned[r][l], sum[2][l]);
                        sum[3][l] = nn_fma(p[3][r], turned[r][l], sum[3][l]);
                        sum[4][l] = nn_fma(p[4][r], turned[r][l], sum[4][l]);
                        sum[5][l] = nn_fma(p[5][r], turned[r][l], sum[5][l]);
                    }
                for (long k = 0; k < BLOCK && i + k < m; k++)
                    for (long l = 0; l < width; l++)
                        y[(i + k) * y_i + (j + l) * y_j] = sum[k][l];
            }
        }
}

/*@ nn_matmul_once: nn_fma */
/* y[i][j] = c[i][j] + sum over k of a[i][k] * b[k][j], nothing with rows; all distances in numbers. */
static void nn_matmul_once(long m, long n, long depth, const real *a, long a_i, long a_k, const real *b, long b_k,
                           long b_j, const real *c, long c_i, long c_j, real *restrict y) {
    for (long i = 0; i < m; i++)
        for (long j = 0; j < n; j++) {
            real sum = c ? c[i * c_i + j * c_j] : a[i * a_i] * b[j * b_j];
            for (long k = c ? 0 : 1; k < depth; k++)
                sum = nn_fma(a[i * a_i + k * a_k], b[k * b_k + j * b_j], sum);
            y[i * n + j] = sum;
        }
}

/*@ nn_end: */
