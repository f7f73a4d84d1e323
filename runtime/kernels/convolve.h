/* Kernels of convolutions, for rows in lanes.  One text, used twice, as matmul.h is.
 *
 * A convolution reads its source where it lies, and adds, for each result, over channels, then down, then
 * across the kernel, in this order.  Channels of the result that read the same elements are in registers
 * together, and their weights are packed beside each other.  Borders cost nothing inside, as each place knows
 * the elements that it meets.
 *
 * Both kernels compute share `turn` of `turns` equal ones of the channels of the result: each number is
 * computed by one turn, in the same order whatever their number.
 */

/*@ nn_convolve_tile: nn_vector nn_vector_fma nn_convolution */
/* sums of `results` channels for `vectors` vectors of rows at one place, from start[i], or where that is NULL
 * from what y holds.  x_ are the distances of channels, lines and columns of the source; weights of one tap
 * lie side by side, w_ apart. */
NN_INLINE void nn_convolve_tile(const long results, const long vectors, long channels, struct taps down,
                                struct taps across, const real *x, long x_channel, long x_line, long x_column,
                                const real *w, long w_channel, long w_line, long w_column, const real *start,
                                real *y, long y_channel) {
    enum { VECTOR = sizeof(nn_vector) / sizeof(real) };
    const nn_vector zero = {0}; /* as in matmul.h */
    nn_vector sum[NN_RESULTS][2];
    NN_UNROLL
    for (long i = 0; i < results; i++)
        NN_UNROLL
    for (long q = 0; q < vectors; q++)
        if (start)
            sum[i][q] = start[i] - zero;
        else
            sum[i][q] = *(const nn_vector *)(y + i * y_channel + q * VECTOR);
    for (long channel = 0; channel < channels; channel++)
        for (long line = 0; line < down.count; line++) {
            const real *v =
                x + channel * x_channel + (down.at + line * down.at_step) * x_line + across.at * x_column;
            const real *p =
                w + channel * w_channel + (down.first + line * down.step) * w_line + across.first * w_column;
            for (long k = 0; k < across.count; k++) {
                nn_vector from[2];
                NN_UNROLL
                for (long q = 0; q < vectors; q++)
                    from[q] = *(const nn_vector *)(v + q * VECTOR);
                NN_UNROLL
                for (long i = 0; i < results; i++)
                    NN_UNROLL
                for (long q = 0; q < vectors; q++)
                    sum[i][q] = nn_vector_fma(from[q], p[i] - zero, sum[i][q]);
                v += across.at_step * x_column;
                p += across.step * w_column;
            }
        }
    NN_UNROLL
    for (long i = 0; i < results; i++)
        NN_UNROLL
    for (long q = 0; q < vectors; q++)
        *(nn_vector *)(y + i * y_channel + q * VECTOR) = sum[i][q];
}

/*@ nn_convolve_tiles: nn_convolve_tile */
/* The same for numbers of results and rows known only when it runs. */
static void nn_convolve_tiles(long results, long rows, long channels, struct taps down, struct taps across,
                              const real *x, long x_channel, long x_line, long x_column, const real *w,
                              long w_channel, long w_line, long w_column, const real *start, real *y,
                              long y_channel) {
    enum { VECTOR = sizeof(nn_vector) / sizeof(real) };
#define NN_TILE(n, vectors)                                                                                \
    nn_convolve_tile(n, vectors, channels, down, across, x + r, x_channel, x_line, x_column, w, w_channel, \
                     w_line, w_column, start, y + r, y_channel)
#define NN_TILES(n)                                \
    case n:                                        \
        for (; r + VECTOR < rows; r += 2 * VECTOR) \
            NN_TILE(n, 2);                         \
        if (r < rows)                              \
            NN_TILE(n, 1);                         \
        break;
    long r = 0;
    switch (results) {
        NN_TILES(1)
        NN_TILES(2)
        NN_TILES(3)
        NN_TILES(4)
        NN_TILES(5)
        NN_TILES(6)
#if NN_RESULTS == 12
        NN_TILES(7)
        NN_TILES(8)
        NN_TILES(9)
        NN_TILES(10)
        NN_TILES(11)
        NN_TILES(12)
#endif
    }
#undef NN_TILES
#undef NN_TILE
}

/*@ nn_convolve: nn_convolution nn_parallel nn_convolve_tiles */
/* y[o][i][j] = c[o] + the sum of x[channel][at_i][at_j] * w[..][k_i][k_j], of which k meet which at: taps_of.
 * In memory w is [convolution's results][its channels of a group][down][across]; a transposed convolution
 * reads it the other way round.  c_j is the distance of biases; c may be NULL.  `rows` is a whole number of
 * vectors. */
static void nn_convolve(const struct convolution *s, long turn, long turns, long rows, long stride,
                        const real *restrict x, const real *restrict w, const real *restrict c, long c_j,
                        real *restrict y) {
    enum { COLUMNS = 64, PACKED = 4096 };
    const long wide_kernel = s->across.kernel, area = s->down.kernel * wide_kernel;
    const long most = PACKED / area < NN_RESULTS ? PACKED / area : NN_RESULTS; /* 0: read where they lie */
    const long blocks = most ? (s->results + most - 1) / most : s->results;
    const long block = (s->results + blocks - 1) / blocks, all = s->groups * blocks;
    const long w_b = s->transposed ? area : s->sources * area;
    const long w_channel = s->transposed ? s->results * area : area;
    const long x_line = s->across.source * stride, x_channel = s->down.source * x_line;
    const long y_line = s->across.result * stride, y_channel = s->down.result * y_line;
    const long from = all * s->down.result * turn / turns, to = all * s->down.result * (turn + 1) / turns;
    for (long left = 0; left < s->across.result; left += COLUMNS) {
        const long end = s->across.result - left < COLUMNS ? s->across.result - left : COLUMNS;
        struct taps across[COLUMNS];
        for (long j = 0; j < end; j++)
            across[j] = taps_of(&s->across, s->transposed, left + j);
        NN_PARALLEL(s->groups * s->results * s->sources * area * s->down.result * end * rows)
        for (long at = from; at < to; at++) { /* a line of a block of channels */
            const long line = at / all, group = at % all / blocks, first = at % blocks * block;
            const long count = s->results - first < block ? s->results - first : block;
            const struct taps down = taps_of(&s->down, s->transposed, line);
            const long some = most ? PACKED / (area * count) : s->sources;
            real packed[PACKED], start[NN_RESULTS];
            for (long i = 0; i < count; i++)
                start[i] = c ? c[(group * s->results + first + i) * c_j] : 0;
            for (long channel = 0; channel < s->sources; channel += some) {
                const long channels = s->sources - channel < some ? s->sources - channel : some;
                const real *const source = x + (group * s->sources + channel) * x_channel;
                const real *weights =
                    w + group * s->results * s->sources * area + first * w_b + channel * w_channel;
                real *const result =
                    y + (group * s->results + first) * y_channel + line * y_line + left * stride;
                if (most)
                    for (long e = 0; e < channels * area; e++)
                        for (long i = 0; i < count; i++)
                            packed[e * count + i] = weights[e / area * w_channel + e % area + i * w_b];
                for (long j = 0; j < end; j++)
                    nn_convolve_tiles(count, rows, channels, down, across[j], source, x_channel, x_line,
                                      stride, most ? packed : weights, most ? area * count : w_channel,
                                      most ? wide_kernel * count : wide_kernel, most ? count : 1,
                                      channel ? NULL : start, result + j * stride, y_channel);
            }
        }
    }
}

/*@ nn_convolve_weights_tile: nn_vector nn_vector_fma */
/* sums[i][n] += x[n] * g[i] over lines and columns of places, for `results` channels i of the result and
 * `sources` channels n of the source, one vector each. */
NN_INLINE void nn_convolve_weights_tile(const long results, const long sources, long lines, long columns,
                                        const real *x, long x_channel, long x_line, long x_column,
                                        const real *g, long g_channel, long g_line, long g_column, real *sums,
                                        long sums_result, long sums_source) {
    nn_vector sum[6][2];
    NN_UNROLL
    for (long i = 0; i < results; i++)
        NN_UNROLL
    for (long n = 0; n < sources; n++)
        sum[i][n] = *(const nn_vector *)(sums + i * sums_result + n * sums_source);
    for (long line = 0; line < lines; line++) {
        const real *v = x + line * x_line;
        const real *p = g + line * g_line, *q = p + 3 * g_channel; /* few enough addresses for registers */
        for (long k = 0; k < columns; k++) {
            nn_vector from[2];
            NN_UNROLL
            for (long n = 0; n < sources; n++)
                from[n] = *(const nn_vector *)(v + n * x_channel);
            NN_UNROLL
            for (long i = 0; i < results; i++)
                NN_UNROLL
            for (long n = 0; n < sources; n++)
                sum[i][n] = nn_vector_fma(
                    from[n], *(const nn_vector *)(i < 3 ? p + i * g_channel : q + (i - 3) * g_channel),
                    sum[i][n]);
            v += x_column;
            p += g_column;
            q += g_column;
        }
    }
    NN_UNROLL
    for (long i = 0; i < results; i++)
        NN_UNROLL
    for (long n = 0; n < sources; n++)
        *(nn_vector *)(sums + i * sums_result + n * sums_source) = sum[i][n];
}

/*@ nn_convolve_weights_tiles: nn_fma nn_convolve_weights_tile */
/* The same for all LANES, of which `live` hold rows, and numbers of channels known only when it runs. */
static void nn_convolve_weights_tiles(long live, long results, long sources, long lines, long columns,
                                      const real *x, long x_channel, long x_line, long x_column,
                                      const real *g, long g_channel, long g_line, long g_column, real *sums,
                                      long sums_result, long sums_source) {
    enum { VECTOR = sizeof(nn_vector) / sizeof(real) };
    long l = 0;
#define NN_TILES(n)                                                                                          \
    case 2 * n:                                                                                              \
        nn_convolve_weights_tile(n, 1, lines, columns, x + l, x_channel, x_line, x_column, g + l, g_channel, \
                                 g_line, g_column, sums + l, sums_result, sums_source);                      \
        break;                                                                                               \
    case 2 * n + 1:                                                                                          \
        nn_convolve_weights_tile(n, 2, lines, columns, x + l, x_channel, x_line, x_column, g + l, g_channel, \
                                 g_line, g_column, sums + l, sums_result, sums_source);                      \
        break;
    for (; l + VECTOR <= live; l += VECTOR)
        switch (2 * results + sources - 1) {
            NN_TILES(1)
            NN_TILES(2)
            NN_TILES(3)
            NN_TILES(4)
            NN_TILES(5)
            NN_TILES(6)
        }
#undef NN_TILES
    for (; l < live; l++)
        for (long i = 0; i < results; i++)
            for (long n = 0; n < sources; n++) {
                real *const sum = sums + i * sums_result + n * sums_source + l;
                for (long line = 0; line < lines; line++)
                    for (long k = 0; k < columns; k++)
                        *sum = nn_fma(x[n * x_channel + line * x_line + k * x_column + l],
                                      g[i * g_channel + line * g_line + k * g_column + l], *sum);
            }
}

/*@ nn_convolve_weights: nn_convolution nn_parallel nn_convolve_weights_tiles */
/* lanes[weight][r mod LANES] += x * g over the places of an image and the rows of a tile: a lane takes row
 * after row, and of a row the places in their order.  Some lines of places at a time, as many as stay in L1
 * for all of the kernel. */
static void nn_convolve_weights(const struct convolution *s, long turn, long turns, long rows, long stride,
                                const real *restrict x, const real *restrict g, real *restrict lanes) {
    enum { RESULTS = 6, SOURCES = 2, NEAR = 256 };
    const struct convolution_axis *const d = &s->down, *const a = &s->across;
    const long area = d->kernel * a->kernel;
    const long blocks = (s->results + RESULTS - 1) / RESULTS, pairs = (s->sources + SOURCES - 1) / SOURCES;
    const long all = s->groups * blocks * pairs, from = all * turn / turns, to = all * (turn + 1) / turns;
    const long x_line = a->source * stride, x_channel = d->source * x_line;
    const long g_line = a->result * stride, g_channel = d->result * g_line;
    const long fit = NEAR / (RESULTS * a->result + SOURCES * a->source), stretch = fit ? fit : 1;
    NN_PARALLEL(s->groups * s->results * s->sources * area * d->result * a->result * rows)
    for (long at = from; at < to; at++) { /* some channels of the result by some of the source */
        const long group = at / (blocks * pairs), result = at / pairs % blocks * RESULTS,
                   source = at % pairs * SOURCES;
        const long results = s->results - result < RESULTS ? s->results - result : RESULTS;
        const long sources = s->sources - source < SOURCES ? s->sources - source : SOURCES;
        const long first = group * s->results + result;
        for (long r = 0; r < rows; r += LANES)
            for (long top = 0; top < d->result; top += stretch)
                for (long k = 0; k < area; k++) {
                    const long k_down = k / a->kernel, k_across = k % a->kernel;
                    const struct places across = places_of(a, k_across);
                    struct places down = places_of(d, k_down);
                    down.from = down.from < top ? top : down.from;
                    down.to = down.to < top + stretch ? down.to : top + stretch;
                    if (down.from >= down.to || across.from >= across.to)
                        continue;
                    const long line = down.from * d->stride + k_down * d->dilation - d->padding;
                    const long column = across.from * a->stride + k_across * a->dilation - a->padding;
                    nn_convolve_weights_tiles(
                        rows - r < LANES ? rows - r : LANES, results, sources, down.to - down.from,
                        across.to - across.from,
                        x + (group * s->sources + source) * x_channel + line * x_line + column * stride + r,
                        x_channel, d->stride * x_line, a->stride * stride,
                        g + first * g_channel + down.from * g_line + across.from * stride + r, g_channel,
                        g_line, stride, lanes + ((first * s->sources + source) * area + k) * LANES,
                        s->sources * area * LANES, area * LANES);
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
