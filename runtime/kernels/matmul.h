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
/* y[j][r] = c[j] (or its plane) + sum over k of x[k][r] * w[k][j], for n results j and rows r of a tile.
 * x_k, w_k, w_j, c_j: distances between consecutive k and j, in planes for x, in numbers for w, c (planes if c_rows).
 * c may be NULL: then the sum starts with its first product. */
static void nn_matmul_rows(long n, long depth, long rows, long stride, const real *restrict x, long x_k,
                           const real *restrict w, long w_k, long w_j, const real *restrict c, long c_j, int c_rows,
                           real *restrict y) {
    enum { BLOCK = 4, WIDE = 2 * LANES };
    for (long j = 0; j < n; j += BLOCK) {
        const long width = n - j < BLOCK ? n - j : BLOCK;
        long at[BLOCK]; /* a short last block computes its last result again instead of branching */
        for (long b = 0; b < BLOCK; b++)
            at[b] = j + (b < width ? b : width - 1);
        for (long r = 0; r < rows; r += WIDE) {
            const int count = rows - r < WIDE ? LANES : WIDE;
            real sum[BLOCK][WIDE];
            for (long b = 0; b < BLOCK; b++)
                for (int l = 0; l < WIDE; l++)
                    sum[b][l] = !c                ? x[r + (l < count ? l : 0)] * w[at[b] * w_j]
                                : c_rows ? c[at[b] * c_j * stride + r + (l < count ? l : 0)]
                                         : c[at[b] * c_j];
            for (long k = c ? 0 : 1; k < depth; k++) {
                const real *const row = x + k * x_k * stride + r;
                const real *const weights = w + k * w_k;
                const real w0 = weights[at[0] * w_j], w1 = weights[at[1] * w_j];
                const real w2 = weights[at[2] * w_j], w3 = weights[at[3] * w_j];
                if (count == WIDE)
                    for (int l = 0; l < WIDE; l++) {
                        sum[0][l] = nn_fma(row[l], w0, sum[0][l]);
                        sum[1][l] = nn_fma(row[l], w1, sum[1][l]);
                        sum[2][l] = nn_fma(row[l], w2, sum[2][l]);
                        sum[3][l] = nn_fma(row[l], w3, sum[3][l]);
                    }
                else
                    for (int l = 0; l < LANES; l++) {
                        sum[0][l] = nn_fma(row[l], w0, sum[0][l]);
                        sum[1][l] = nn_fma(row[l], w1, sum[1][l]);
                        sum[2][l] = nn_fma(row[l], w2, sum[2][l]);
                        sum[3][l] = nn_fma(row[l], w3, sum[3][l]);
                    }
            }
            for (long b = 0; b < width; b++)
                for (int l = 0; l < count; l++)
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
/* y[i][j] += a[i][r] * b[j][r], row after row.  a_i, b_j in planes; y_i, y_j in numbers. */
static void nn_matmul_chain(long m, long n, long rows, long stride, const real *restrict a, long a_i,
                            const real *restrict b, long b_j, real *restrict y, long y_i, long y_j) {
    enum { ROWS = 32, WIDE = 2 * LANES };
    for (long j = 0; j < n; j += WIDE) {
        const long width = n - j < WIDE ? n - j : WIDE;
        for (long from = 0; from < rows; from += ROWS) {
            const long count = rows - from < ROWS ? rows - from : ROWS;
            real packed[ROWS][WIDE]; /* b transposed: results in lanes */
            for (long l = 0; l < WIDE; l++)
                for (long r = 0; r < count; r++)
                    packed[r][l] = l < width ? b[(j + l) * b_j * stride + from + r] : 0;
            for (long i = 0; i < m; i++) {
                const real *const p = a + i * a_i * stride + from;
                real *const to = y + i * y_i + j * y_j;
                real sum[WIDE];
                for (long l = 0; l < WIDE; l++)
                    sum[l] = l < width ? to[l * y_j] : 0;
                for (long r = 0; r < count; r++)
                    for (long l = 0; l < WIDE; l++)
                        sum[l] = nn_fma(p[r], packed[r][l], sum[l]);
                for (long l = 0; l < width; l++)
                    to[l * y_j] = sum[l];
            }
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
