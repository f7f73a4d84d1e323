/* Kernels of convolutions, for rows in lanes.  One text, used twice, as matmul.h is.
 *
 * Nothing is rearranged: a convolution reads its source where it lies, and adds, for each result, over
 * channels, then down, then across the kernel, in this order.  Six results are in registers at a time:
 * channels that read the same elements.  Borders cost nothing inside, as each place knows the elements that
 * it meets.
 */

/*@ nn_convolve_block: nn_fma nn_apart */
/* sums[b][l] += the products of up to six result channels, `count` of them, for LANES rows at one place.  x_
 * and w_ are the distances of channels, lines and columns, w_b that of the result channels. */
static void nn_convolve_block(long count, long channels, long lines, long columns, const real *x,
                              long x_channel, long x_line, long x_column, const real *w, long w_b,
                              long w_channel, long w_line, long w_column, real *restrict sums) {
    const long b1 = count > 1 ? w_b : 0, b2 = count > 2 ? 2 * w_b : b1, b3 = count > 3 ? 3 * w_b : b1;
    const long b4 = count > 4 ? 4 * w_b : b1, b5 = count > 5 ? 5 * w_b : b1;
    real sum[6][LANES];
    for (long b = 0; b < 6; b++)
        for (long l = 0; l < LANES; l++)
            sum[b][l] = sums[b * LANES + l];
    for (long channel = 0; channel < channels; channel++)
        for (long line = 0; line < lines; line++) {
            const real *v = x + channel * x_channel + line * x_line;
            const real *p = w + channel * w_channel + line * w_line;
            for (long k = 0; k < columns; k++, v += x_column, p += w_column) {
                for (long l = 0; l < LANES; l++) {
                    sum[0][l] = nn_fma(v[l], p[0], sum[0][l]);
                    NN_APART(LANES) sum[1][l] = nn_fma(v[l], p[b1], sum[1][l]);
                    NN_APART(LANES) sum[2][l] = nn_fma(v[l], p[b2], sum[2][l]);
                    NN_APART(LANES) sum[3][l] = nn_fma(v[l], p[b3], sum[3][l]);
                    NN_APART(LANES) sum[4][l] = nn_fma(v[l], p[b4], sum[4][l]);
                    NN_APART(LANES) sum[5][l] = nn_fma(v[l], p[b5], sum[5][l]);
                }
            }
        }
    for (long b = 0; b < 6; b++)
        for (long l = 0; l < LANES; l++)
            sums[b * LANES + l] = sum[b][l];
}

/*@ nn_convolve: nn_convolution nn_parallel nn_convolve_block */
/* y[o][i][j] = c[o] + the sum of x[channel][at_i][at_j] * w[..][k_i][k_j], of which k meet which at: taps_of.
 * In memory w is [convolution's results][its channels of a group][down][across]; a transposed convolution
 * reads it the other way round.  c_j is the distance of biases; c may be NULL. */
static void nn_convolve(const struct convolution *s, long rows, long stride, const real *restrict x,
                        const real *restrict w, const real *restrict c, long c_j, real *restrict y) {
    enum { BLOCK = 6, COLUMNS = 64 };
    const long area = s->down.kernel * s->across.kernel, blocks = (s->results + BLOCK - 1) / BLOCK;
    const long w_b = s->transposed ? area : s->sources * area,
               w_channel = s->transposed ? s->results * area : area;
    const long wide = s->across.source, x_channel = s->down.source * wide * stride;
    const long y_channel = s->down.result * s->across.result * stride;
    NN_PARALLEL(s->groups * s->results * s->sources * area * s->down.result * s->across.result * rows)
    for (long block = 0; block < s->groups * blocks; block++) {
        const long group = block / blocks, first = block % blocks * BLOCK;
        const long count = s->results - first < BLOCK ? s->results - first : BLOCK;
        const real *const from = x + group * s->sources * x_channel;
        const real *const weights = w + group * s->results * s->sources * area + first * w_b;
        real *const to = y + (group * s->results + first) * y_channel;
        real start[BLOCK];
        for (long b = 0; b < BLOCK; b++)
            start[b] = c && b < count ? c[(group * s->results + first + b) * c_j] : 0;
        for (long left = 0; left < s->across.result; left += COLUMNS) {
            struct taps across[COLUMNS];
            const long columns = s->across.result - left < COLUMNS ? s->across.result - left : COLUMNS;
            for (long j = 0; j < columns; j++)
                across[j] = taps_of(&s->across, s->transposed, left + j);
            for (long i = 0; i < s->down.result; i++) {
                const struct taps down = taps_of(&s->down, s->transposed, i);
                for (long j = 0; j < columns; j++) {
                    const struct taps *const taps = &across[j];
                    for (long r = 0; r < rows; r += LANES) {
                        real sums[BLOCK * LANES];
                        for (long b = 0; b < BLOCK; b++)
                            for (long l = 0; l < LANES; l++)
                                sums[b * LANES + l] = start[b];
                        nn_convolve_block(count, s->sources, down.count, taps->count,
                                          from + (down.at * wide + taps->at) * stride + r, x_channel,
                                          down.at_step * wide * stride, taps->at_step * stride,
                                          weights + down.first * s->across.kernel + taps->first, w_b,
                                          w_channel, down.step * s->across.kernel, taps->step, sums);
                        for (long b = 0; b < count; b++)
                            for (long l = 0; l < LANES; l++)
                                to[b * y_channel + (i * s->across.result + left + j) * stride + r + l] =
                                    sums[b * LANES + l];
                    }
                }
            }
        }
    }
}

/*@ nn_convolve_weights_block: nn_fma nn_apart */
/* sums[b][l] += x * g[b] over lines and columns of places, for LANES rows and up to six result channels; s_b,
 * g_b: their distances. */
static void nn_convolve_weights_block(long count, long lines, long columns, const real *x, long x_line,
                                      long x_column, const real *g, long g_b, long g_line, long g_column,
                                      real *restrict sums, long s_b) {
    const long b1 = count > 1 ? g_b : 0, b2 = count > 2 ? 2 * g_b : b1, b3 = count > 3 ? 3 * g_b : b1;
    const long b4 = count > 4 ? 4 * g_b : b1, b5 = count > 5 ? 5 * g_b : b1;
    real sum[6][LANES];
    for (long b = 0; b < 6; b++)
        for (long l = 0; l < LANES; l++)
            sum[b][l] = b < count ? sums[b * s_b + l] : 0;
    for (long line = 0; line < lines; line++) {
        const real *v = x + line * x_line, *p = g + line * g_line;
        for (long k = 0; k < columns; k++, v += x_column, p += g_column) {
            for (long l = 0; l < LANES; l++) {
                sum[0][l] = nn_fma(v[l], p[l], sum[0][l]);
                sum[1][l] = nn_fma(v[l], p[b1 + l], sum[1][l]);
                NN_APART(LANES) sum[2][l] = nn_fma(v[l], p[b2 + l], sum[2][l]);
                sum[3][l] = nn_fma(v[l], p[b3 + l], sum[3][l]);
                NN_APART(LANES) sum[4][l] = nn_fma(v[l], p[b4 + l], sum[4][l]);
                sum[5][l] = nn_fma(v[l], p[b5 + l], sum[5][l]);
            }
        }
    }
    for (long b = 0; b < count; b++)
        for (long l = 0; l < LANES; l++)
            sums[b * s_b + l] = sum[b][l];
}

/*@ nn_convolve_weights_rest: nn_fma */
/* The same for fewer rows than a vector holds. */
static void nn_convolve_weights_rest(long live, long count, long lines, long columns, const real *x,
                                     long x_line, long x_column, const real *g, long g_b, long g_line,
                                     long g_column, real *restrict sums, long s_b) {
    for (long b = 0; b < count; b++)
        for (long line = 0; line < lines; line++)
            for (long k = 0; k < columns; k++) {
                const real *const v = x + line * x_line + k * x_column;
                const real *const p = g + b * g_b + line * g_line + k * g_column;
                for (long l = 0; l < live; l++)
                    sums[b * s_b + l] = nn_fma(v[l], p[l], sums[b * s_b + l]);
            }
}

/*@ nn_convolve_weights: nn_convolution nn_parallel nn_convolve_weights_block nn_convolve_weights_rest */
/* lanes[weight][r mod LANES] += x * g over the places of an image and the rows of a tile: a lane takes row
 * after row, and of a row the places in their order.  Some lines of places at a time, as many as stay in L1
 * for all of the kernel. */
static void nn_convolve_weights(const struct convolution *s, long rows, long stride, const real *restrict x,
                                const real *restrict g, real *restrict lanes) {
    enum { BLOCK = 6, NEAR = 256 };
    const long area = s->down.kernel * s->across.kernel, blocks = (s->results + BLOCK - 1) / BLOCK;
    const long wide = s->across.source, places = s->across.result, s_b = s->sources * area * LANES;
    const long some = NEAR / (BLOCK * places + wide), stretch = some ? some : 1;
    NN_PARALLEL(s->groups * s->results * s->sources * area * s->down.result * places * rows)
    for (long block = 0; block < s->groups * blocks; block++) {
        const long group = block / blocks, first = group * s->results + block % blocks * BLOCK;
        const long left = (group + 1) * s->results - first, count = left < BLOCK ? left : BLOCK;
        for (long r = 0; r < rows; r += LANES)
            for (long top = 0; top < s->down.result; top += stretch)
                for (long at = 0; at < s->sources * area; at++) {
                    const long channel = at / area, k_down = at % area / s->across.kernel,
                               k_across = at % s->across.kernel;
                    const struct places across = places_of(&s->across, k_across);
                    struct places down = places_of(&s->down, k_down);
                    down.from = down.from < top ? top : down.from;
                    down.to = down.to < top + stretch ? down.to : top + stretch;
                    if (down.from >= down.to || across.from >= across.to)
                        continue;
                    const long lines = down.to - down.from, columns = across.to - across.from;
                    const long line =
                        down.from * s->down.stride + k_down * s->down.dilation - s->down.padding;
                    const long column =
                        across.from * s->across.stride + k_across * s->across.dilation - s->across.padding;
                    const real *const v =
                        x +
                        (((group * s->sources + channel) * s->down.source + line) * wide + column) * stride +
                        r;
                    const real *const p =
                        g + ((first * s->down.result + down.from) * places + across.from) * stride + r;
                    real *const sums = lanes + (first * s->sources * area + at) * LANES;
                    const long g_b = s->down.result * places * stride;
                    if (rows - r >= LANES)
                        nn_convolve_weights_block(count, lines, columns, v, s->down.stride * wide * stride,
                                                  s->across.stride * stride, p, g_b, places * stride, stride,
                                                  sums, s_b);
                    else
                        nn_convolve_weights_rest(rows - r, count, lines, columns, v,
                                                 s->down.stride * wide * stride, s->across.stride * stride, p,
                                                 g_b, places * stride, stride, sums, s_b);
                }
    }
}

/*@ nn_overlap: */
/* y[outer][n][inside], the sum of x[outer][place][k][inside] with place * step + k * dilation = n, from the
 * first k on. */
static void nn_overlap(long outer, long n, long places, long size, long step, long dilation, long inside,
                       long rows, long stride, const real *restrict x, real *restrict y) {
    for (long o = 0; o < outer; o++)
        for (long at = 0; at < n; at++) {
            real *const to = y + (o * n + at) * inside * stride;
            for (long e = 0; e < inside; e++)
                for (long r = 0; r < rows; r++)
                    to[e * stride + r] = 0;
            for (long k = 0; k < size && k * dilation <= at; k++) {
                const long place = (at - k * dilation) / step;
                if (place >= places || place * step + k * dilation != at)
                    continue;
                const real *const from = x + ((o * places + place) * size + k) * inside * stride;
                for (long e = 0; e < inside; e++)
                    for (long r = 0; r < rows; r++)
                        to[e * stride + r] = to[e * stride + r] + from[e * stride + r];
            }
        }
}

/*@ nn_end: */
