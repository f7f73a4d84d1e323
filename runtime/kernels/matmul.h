/* Kernels of reductions and matrix products, for rows in lanes.  One text, used twice: the interpreter compiles it for both
 * element types (`real`, LANES), and emitted C contains the sections that it calls, with the type written in.
 *
 * A plane is `stride` numbers, one for each row of a tile.  The order of every sum is fixed: k after k for
 * each result, rows r, r + LANES, ... for each lane.
 */

/*@ nn_matmul_few: nn_fma */
/* nn_matmul_rows for a few rows, fewer than a vector, and weights that lie side by side (w_j is 1): results lie in
 * lanes instead of rows, and the weights are read once from front to back.  The rows behind them become 0. */
static void nn_matmul_few(long n, long depth, long few, long stride, const real *restrict x, long x_k,
                          const real *restrict w, long w_k, const real *restrict c, long c_j, int c_rows,
                          real *restrict y) {
    enum { STRETCH = 32 * LANES };
    for (long j = 0; j < n; j++)
        for (long l = 0; l < LANES; l++)
            y[j * stride + l] = 0;
    for (long r = 0; r < few; r++)
        for (long from = 0; from < n; from += STRETCH) {
            const long count = n - from < STRETCH ? n - from : STRETCH, whole = count / LANES * LANES;
            const real *const row = x + r;
            real sum[STRETCH];
            long k = c ? 0 : 1;
            for (long j = 0; j < count; j++)
                sum[j] = !c       ? row[0] * w[from + j]
                         : c_rows ? c[(from + j) * c_j * stride + r]
                                  : c[(from + j) * c_j];
            for (; k < depth - 3; k += 4) {
                const real *const p = w + k * w_k + from, *const q = row + k * x_k * stride;
                const real a0 = q[0], a1 = q[x_k * stride], a2 = q[2 * x_k * stride], a3 = q[3 * x_k * stride];
                for (long j = 0; j < whole; j += LANES)
                    for (long l = j; l < j + LANES; l++)
                        sum[l] = nn_fma(a3, p[3 * w_k + l], nn_fma(a2, p[2 * w_k + l], nn_fma(a1, p[w_k + l], nn_fma(a0, p[l], sum[l]))));
                for (long j = whole; j < count; j++)
                    sum[j] = nn_fma(a3, p[3 * w_k + j], nn_fma(a2, p[2 * w_k + j], nn_fma(a1, p[w_k + j], nn_fma(a0, p[j], sum[j]))));
            }
            for (; k < depth; k++)
                for (long j = 0; j < count; j++)
                    sum[j] = nn_fma(row[k * x_k * stride], w[k * w_k + from + j], sum[j]);
            for (long j = 0; j < count; j++)
                y[(from + j) * stride + r] = sum[j];
        }
}

/*@ nn_matmul_block: nn_fma nn_apart */
/* sum[b][l] += p[k][b] * v[k][l] over k for 8 results of LANES rows, kept in registers while k runs, as far as there
 * are registers.  v_step: numbers from one k to the next. */
static void nn_matmul_block(long count, const real *v, long v_step, const real *p, real *restrict sums) {
    real sum[8][LANES];
    for (long b = 0; b < 8; b++)
        for (long l = 0; l < LANES; l++)
            sum[b][l] = sums[b * LANES + l];
    for (long k = 0; k < count; k++, v += v_step, p += 8) {
        for (long l = 0; l < LANES; l++) {
            sum[0][l] = nn_fma(v[l], p[0], sum[0][l]);
            NN_APART(LANES) sum[1][l] = nn_fma(v[l], p[1], sum[1][l]);
            NN_APART(LANES) sum[2][l] = nn_fma(v[l], p[2], sum[2][l]);
            NN_APART(LANES) sum[3][l] = nn_fma(v[l], p[3], sum[3][l]);
            NN_APART(LANES) sum[4][l] = nn_fma(v[l], p[4], sum[4][l]);
            NN_APART(LANES) sum[5][l] = nn_fma(v[l], p[5], sum[5][l]);
            NN_APART(LANES) sum[6][l] = nn_fma(v[l], p[6], sum[6][l]);
            NN_APART(LANES) sum[7][l] = nn_fma(v[l], p[7], sum[7][l]);
        }
    }
    for (long b = 0; b < 8; b++)
        for (long l = 0; l < LANES; l++)
            sums[b * LANES + l] = sum[b][l];
}

/*@ nn_matmul_result: nn_fma */
/* One result of nn_matmul_rows: y[r] = c + sum over k of x[k][r] * w[k]; four vectors of rows at once hide the latency
 * of the sums. */
static void nn_matmul_result(long depth, long rows, long stride, const real *restrict x, long x_k,
                             const real *restrict w, long w_k, const real *restrict c, int c_rows, real *restrict y) {
    enum { FOUR = 4 * LANES };
    const long fours = rows / FOUR * FOUR, first = c ? 0 : 1;
    for (long r = 0; r < fours; r += FOUR) {
        real sum[FOUR];
        for (long l = 0; l < FOUR; l++)
            sum[l] = !c ? x[r + l] * w[0] : c_rows ? c[r + l] : c[0];
        for (long k = first; k < depth; k++)
            for (long l = 0; l < FOUR; l++)
                sum[l] = nn_fma(x[k * x_k * stride + r + l], w[k * w_k], sum[l]);
        for (long l = 0; l < FOUR; l++)
            y[r + l] = sum[l];
    }
    for (long r = fours; r < rows; r += LANES) {
        real sum[LANES];
        for (long l = 0; l < LANES; l++)
            sum[l] = !c ? x[r + l] * w[0] : c_rows ? c[r + l] : c[0];
        for (long k = first; k < depth; k++)
            for (long l = 0; l < LANES; l++)
                sum[l] = nn_fma(x[k * x_k * stride + r + l], w[k * w_k], sum[l]);
        for (long l = 0; l < LANES; l++)
            y[r + l] = sum[l];
    }
}

/*@ nn_matmul_rows: nn_fma nn_parallel nn_matmul_block nn_matmul_few nn_matmul_result */
/* y[j][r] = c[j] (or its plane) + sum over k of x[k][r] * w[k][j], for n results j and rows r of a tile; `rows` is a
 * whole number of vectors, of which `live` are rows of the batch.  x_k, w_k, w_j, c_j: distances between consecutive
 * k and j, in planes for x, in numbers for w, c (planes if c_rows).  c may be NULL: then the sum starts with its
 * first product.
 *
 * Three ways, by size: a few rows; results in blocks, whose weights are packed for a stretch of k and used for all
 * rows; and one by one where sums are short or no block is full. */
static void nn_matmul_rows(long n, long depth, long rows, long live, long stride, const real *restrict x, long x_k,
                           const real *restrict w, long w_k, long w_j, const real *restrict c, long c_j, int c_rows,
                           real *restrict y) {
    enum { BLOCK = 8, STRETCH = 256, FEW = 4, SHORT = 12 };
    const long blocks = depth <= SHORT ? 0 : n / BLOCK * BLOCK;
    if (live <= FEW && w_j == 1 && n > 1) {
        nn_matmul_few(n, depth, live, stride, x, x_k, w, w_k, c, c_j, c_rows, y);
        return;
    }
    NN_PARALLEL(blocks * depth * rows)
    for (long j = 0; j < blocks; j += BLOCK)
        for (long from = 0; from < depth; from += STRETCH) {
            real packed[STRETCH * BLOCK];
            const long count = depth - from < STRETCH ? depth - from : STRETCH, first = from || c ? 0 : 1;
            for (long b = 0; b < BLOCK; b++) {
                const real *const p = w + from * w_k + (j + b) * w_j;
                for (long k = 0; k < count; k++)
                    packed[k * BLOCK + b] = p[k * w_k];
            }
            for (long r = 0; r < rows; r += LANES) {
                const real *row = x + from * x_k * stride + r;
                real sum[BLOCK * LANES];
                for (long b = 0; b < BLOCK; b++)
                    for (long l = 0; l < LANES; l++)
                        sum[b * LANES + l] = from     ? y[(j + b) * stride + r + l]
                                             : !c     ? row[l] * packed[b]
                                             : c_rows ? c[(j + b) * c_j * stride + r + l]
                                                      : c[(j + b) * c_j];
                nn_matmul_block(count - first, row + first * x_k * stride, x_k * stride, packed + first * BLOCK, sum);
                for (long b = 0; b < BLOCK; b++)
                    for (long l = 0; l < LANES; l++)
                        y[(j + b) * stride + r + l] = sum[b * LANES + l];
            }
        }
    for (long j = blocks; j < n; j++)
        nn_matmul_result(depth, rows, stride, x, x_k, w + j * w_j, w_k, c ? c + j * c_j * (c_rows ? stride : 1) : c,
                         c_rows, y + j * stride);
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

/*@ nn_matmul_chain: nn_parallel nn_matmul_block */
/* y[i][j] += a[i][r] * b[j][r], row after row.  a_i, b_j in planes; y_i in numbers.
 * For a stretch of rows, a panel of b is turned round, so that results lie in lanes, and a block of a is packed and
 * used for all of the panel. */
static void nn_matmul_chain(long m, long n, long rows, long stride, const real *restrict a, long a_i,
                            const real *restrict b, long b_j, real *restrict y, long y_i) {
    enum { BLOCK = 8, STRETCH = 128, PANEL = 8 };
    NN_PARALLEL(m * n * rows)
    for (long j = 0; j < n; j += PANEL * LANES)
        for (long from = 0; from < rows; from += STRETCH) {
            real turned[PANEL][STRETCH][LANES], packed[STRETCH * BLOCK];
            const long count = rows - from < STRETCH ? rows - from : STRETCH;
            for (long q = 0; q < PANEL; q++)
                for (long l = 0; l < LANES; l++)
                    for (long r = 0; r < count; r++)
                        turned[q][r][l] = j + q * LANES + l < n ? b[(j + q * LANES + l) * b_j * stride + from + r] : 0;
            for (long i = 0; i < m; i += BLOCK) {
                for (long k = 0; k < BLOCK; k++) {
                    const real *const p = a + (i + k < m ? i + k : m - 1) * a_i * stride + from;
                    for (long r = 0; r < count; r++)
                        packed[r * BLOCK + k] = p[r];
                }
                for (long q = 0; q < PANEL && j + q * LANES < n; q++) {
                    const long at = j + q * LANES, width = n - at < LANES ? n - at : LANES;
                    real sum[BLOCK * LANES] = {0};
                    for (long k = 0; k < BLOCK && i + k < m; k++)
                        for (long l = 0; l < width; l++)
                            sum[k * LANES + l] = y[(i + k) * y_i + at + l];
                    nn_matmul_block(count, turned[q][0], LANES, packed, sum);
                    for (long k = 0; k < BLOCK && i + k < m; k++)
                        for (long l = 0; l < width; l++)
                            y[(i + k) * y_i + at + l] = sum[k * LANES + l];
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
