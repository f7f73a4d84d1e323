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

/*@ nn_convolve_tile: nn_vector nn_vector_fma nn_convolution nn_twofold */
/* sums of `results` channels for `vectors` vectors of rows at one place, from start[i], or where that is NULL
 * from what y holds.  x_ are the distances of channels, lines and columns of the source; weights of one tap
 * lie side by side, w_ apart.  The lines of all channels are one loop, and where a channel ends is found by
 * arithmetic, since a processor guesses the ends of short loops wrong too often. */
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
    const long x_next = across.at_step * x_column, w_next = across.step * w_column;
    const long x_down = down.at_step * x_line, x_over = x_channel - down.count * x_down;
    const long w_down = down.step * w_line, w_over = w_channel - down.count * w_down;
    x += down.at * x_line + across.at * x_column;
    w += down.first * w_line + across.first * w_column;
    for (long lines = channels * down.count, left = down.count; lines > 0; lines--) {
        const real *x_k = x, *w_k = w;
        NN_TWOFOLD
        for (long k = 0; k < across.count; k++) {
            nn_vector from[2];
            NN_UNROLL
            for (long q = 0; q < vectors; q++)
                from[q] = *(const nn_vector *)(x_k + q * VECTOR);
            NN_UNROLL
            for (long i = 0; i < results; i++)
                NN_UNROLL
            for (long q = 0; q < vectors; q++)
                sum[i][q] = nn_vector_fma(from[q], w_k[i] - zero, sum[i][q]);
            x_k += x_next;
            w_k += w_next;
        }
        const long over = -(long)(--left == 0); /* the channel's last line */
        left += over & down.count;
        x += x_down + (over & x_over);
        w += w_down + (over & w_over);
    }
    NN_UNROLL
    for (long i = 0; i < results; i++)
        NN_UNROLL
    for (long q = 0; q < vectors; q++)
        *(nn_vector *)(y + i * y_channel + q * VECTOR) = sum[i][q];
}

/*@ nn_convolve_tiles: nn_convolve_tile */
/* The same for the places of a line, and numbers of results and rows known only when it runs. */
static void nn_convolve_tiles(long results, long columns, long rows, long channels, const struct taps *down,
                              const struct taps *across, const real *x, long x_channel, long x_line,
                              long x_column, const real *w, long w_channel, long w_line, long w_column,
                              const real *start, real *y, long y_channel) {
    enum { VECTOR = sizeof(nn_vector) / sizeof(real) };
#define NN_TILE(n, vectors)                                                                         \
    nn_convolve_tile(n, vectors, channels, *down, across[j], x + r, x_channel, x_line, x_column, w, \
                     w_channel, w_line, w_column, start, y + j * x_column + r, y_channel)
#define NN_TILES(n)                                    \
    case n:                                            \
        for (long j = 0; j < columns; j++) {           \
            long r = 0;                                \
            for (; r + VECTOR < rows; r += 2 * VECTOR) \
                NN_TILE(n, 2);                         \
            if (r < rows)                              \
                NN_TILE(n, 1);                         \
        }                                              \
        break;
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
 * vectors.  Weights are packed once for a few lines. */
static void nn_convolve(const struct convolution *s, long turn, long turns, long rows, long stride,
                        const real *restrict x, const real *restrict w, const real *restrict c, long c_j,
                        real *restrict y) {
    enum { COLUMNS = 64, LINES = 4, PACKED = 4096 };
    const long wide_kernel = s->across.kernel, area = s->down.kernel * wide_kernel;
    const long most = PACKED / area < NN_RESULTS ? PACKED / area : NN_RESULTS; /* 0: read where they lie */
    const long blocks = most ? (s->results + most - 1) / most : s->results;
    const long block = (s->results + blocks - 1) / blocks, all = s->groups * blocks;
    const long w_b = s->transposed ? area : s->sources * area;
    const long w_channel = s->transposed ? s->results * area : area;
    const long x_line = s->across.source * stride, x_channel = s->down.source * x_line;
    const long y_line = s->across.result * stride, y_channel = s->down.result * y_line;
    const long stretches = (s->down.result + LINES - 1) / LINES;
    const long from = all * stretches * turn / turns, to = all * stretches * (turn + 1) / turns;
    for (long left = 0; left < s->across.result; left += COLUMNS) {
        const long end = s->across.result - left < COLUMNS ? s->across.result - left : COLUMNS;
        struct taps across[COLUMNS];
        for (long j = 0; j < end; j++)
            across[j] = taps_of(&s->across, s->transposed, left + j);
        NN_PARALLEL(s->groups * s->results * s->sources * area * s->down.result * end * rows)
        for (long at = from; at < to; at++) { /* some lines of a block of channels */
            const long top = at / all * LINES, group = at % all / blocks, first = at % blocks * block;
            const long bottom = s->down.result - top < LINES ? s->down.result : top + LINES;
            const long count = s->results - first < block ? s->results - first : block;
            const long some = most ? PACKED / (area * count) : s->sources;
            real packed[PACKED], start[NN_RESULTS];
            for (long i = 0; i < count; i++)
                start[i] = c ? c[(group * s->results + first + i) * c_j] : 0;
            for (long channel = 0; channel < s->sources; channel += some) {
                const long channels = s->sources - channel < some ? s->sources - channel : some;
                const real *const source = x + (group * s->sources + channel) * x_channel;
                const real *weights =
                    w + group * s->results * s->sources * area + first * w_b + channel * w_channel;
                for (long e = 0; most && e < channels; e++)
                    for (long k = 0; k < area; k++)
                        for (long i = 0; i < count; i++)
                            packed[(e * area + k) * count + i] = weights[e * w_channel + k + i * w_b];
                for (long line = top; line < bottom; line++) {
                    const struct taps down = taps_of(&s->down, s->transposed, line);
                    real *const result =
                        y + (group * s->results + first) * y_channel + line * y_line + left * stride;
                    nn_convolve_tiles(count, end, rows, channels, &down, across, source, x_channel, x_line,
                                      stride, most ? packed : weights, most ? area * count : w_channel,
                                      most ? wide_kernel * count : wide_kernel, most ? count : 1,
                                      channel ? NULL : start, result, y_channel);
                }
            }
        }
    }
}

/*@ nn_convolve_weights_tile: nn_convolution nn_vector nn_vector_fma */
/* sums[i][n] += x[n] * g[i] over lines of places, for `results` channels i of the result and `count` taps n,
 * one vector each, of which `live` lanes are kept.  g is packed: [line][column][result][LANES].  Near a
 * border of the image some of the taps meet elements, and others none. */
NN_INLINE void nn_convolve_weights_tile(const long results, const long count, long live, long lines,
                                        long columns, const struct tap *taps, const real *x, long x_line,
                                        long x_column, const real *g, real *sums, long sums_result) {
    enum { VECTOR = sizeof(nn_vector) / sizeof(real) };
    nn_vector sum[4][6];
    long from = 0, to = columns; /* the places that all taps have */
    NN_UNROLL
    for (long n = 0; n < count; n++) {
        from = taps[n].across.from > from ? taps[n].across.from : from;
        to = taps[n].across.to < to ? taps[n].across.to : to;
        NN_UNROLL
        for (long i = 0; i < results; i++)
            sum[i][n] = *(const nn_vector *)(sums + i * sums_result + taps[n].sum);
    }
    const int borders = from > 0 || to < columns; /* else nothing is asked for each tap in each line */
    to = to < from ? from : to;
#define NN_PLACES(n, start, end)                                                                          \
    for (long k = start; k < end; k++) {                                                                  \
        const nn_vector v = *(const nn_vector *)(x + (taps[n].x + k * x_column));                         \
        NN_UNROLL                                                                                         \
        for (long i = 0; i < results; i++)                                                                \
            sum[i][n] = nn_vector_fma(v, *(const nn_vector *)(g + (k * results + i) * LANES), sum[i][n]); \
    }
    for (long line = 0; line < lines; line++) {
        if (borders) {
            NN_UNROLL
            for (long n = 0; n < count; n++)
                NN_PLACES(n, taps[n].across.from, (taps[n].across.to < from ? taps[n].across.to : from))
        }
        for (long k = from; k < to; k++) {
            nn_vector with[4];
            NN_UNROLL
            for (long i = 0; i < results; i++)
                with[i] = *(const nn_vector *)(g + (k * results + i) * LANES);
            NN_UNROLL
            for (long n = 0; n < count; n++) {
                /* volatile: else gcc reads it again for each product, and reading takes longer than these */
                const nn_vector v = *(const volatile nn_vector *)(x + (taps[n].x + k * x_column));
                NN_UNROLL
                for (long i = 0; i < results; i++)
                    sum[i][n] = nn_vector_fma(v, with[i], sum[i][n]);
            }
        }
        if (borders) {
            NN_UNROLL
            for (long n = 0; n < count; n++)
                NN_PLACES(n, (taps[n].across.from > to ? taps[n].across.from : to), taps[n].across.to)
        }
        x += x_line;
        g += columns * results * LANES;
    }
#undef NN_PLACES
    real kept[4 * 6 * VECTOR];
    NN_UNROLL
    for (long n = 0; n < count; n++)
        NN_UNROLL
    for (long i = 0; i < results; i++)
        *(nn_vector *)(live < VECTOR ? kept + (i * count + n) * VECTOR
                                     : sums + i * sums_result + taps[n].sum) = sum[i][n];
    for (long e = 0; live < VECTOR && e < results * count; e++)
        for (long l = 0; l < live; l++)
            sums[e / count * sums_result + taps[e % count].sum + l] = kept[e * VECTOR + l];
}

/*@ nn_convolve_weights_tiles: nn_convolve_weights_tile */
/* The same for `live` of LANES, and numbers of channels and taps known only when it runs. */
static void nn_convolve_weights_tiles(long results, long count, long live, long lines, long columns,
                                      const struct tap *taps, const real *x, long x_line, long x_column,
                                      const real *g, real *sums, long sums_result) {
    enum { VECTOR = sizeof(nn_vector) / sizeof(real) };
#define NN_TILE(results, count)                                                                           \
    case 6 * results + count:                                                                             \
        nn_convolve_weights_tile(results, count, live - l, lines, columns, taps, x + l, x_line, x_column, \
                                 g + l, sums + l, sums_result);                                           \
        break;
#define NN_TILES(results) \
    NN_TILE(results, 1)   \
    NN_TILE(results, 2)   \
    NN_TILE(results, 3)   \
    NN_TILE(results, 4)   \
    NN_TILE(results, 5)   \
    NN_TILE(results, 6)
    for (long l = 0; l < live; l += VECTOR)
        switch (6 * results + count) {
            NN_TILES(1)
            NN_TILES(2)
#if NN_RESULTS == 12
            NN_TILES(3)
            NN_TILES(4)
#endif
        }
#undef NN_TILES
#undef NN_TILE
}

/*@ nn_convolve_weights_piece: nn_convolve_weights_tiles */
/* For one stretch of rows, one piece of the places and some channels of result and source: all taps. */
static void nn_convolve_weights_piece(const struct convolution *s, const struct piece *piece, long results,
                                      long sources, long live, long stride, const real *x, const real *packed,
                                      real *sums) {
    enum { TAPS = 6 };
    const struct convolution_axis *const d = &s->down, *const a = &s->across;
    const long area = d->kernel * a->kernel, x_line = a->source * stride;
    const long elements = sources * a->kernel, parts = (elements + TAPS - 1) / TAPS;
    const long part = (elements + parts - 1) / parts;
    for (long e = 0; e < elements; e += part) {
        const long count = elements - e < part ? elements - e : part;
        struct tap taps[TAPS];
        for (long n = 0; n < count; n++) {
            const long channel = (e + n) / a->kernel, k = (e + n) % a->kernel;
            const long column = piece->left * a->stride + k * a->dilation - a->padding;
            taps[n].x = channel * d->source * x_line + column * stride;
            taps[n].sum = (channel * area + k) * LANES;
            taps[n].across = places_within(places_of(a, k), piece->left, piece->columns);
        }
        for (long k = 0; k < d->kernel; k++) {
            const struct places down = places_within(places_of(d, k), piece->top, piece->lines);
            const long line = (piece->top + down.from) * d->stride + k * d->dilation - d->padding;
            if (down.from < down.to)
                nn_convolve_weights_tiles(results, count, live, down.to - down.from, piece->columns, taps,
                                          x + line * x_line, d->stride * x_line, a->stride * stride,
                                          packed + down.from * piece->columns * results * LANES,
                                          sums + k * a->kernel * LANES, s->sources * area * LANES);
        }
    }
}

/*@ nn_convolve_weights_pack: nn_convolution */
/* to[line][column][result][lane], of a piece of the places. */
static void nn_convolve_weights_pack(const struct piece *piece, long results, const real *g, long g_channel,
                                     long g_line, long g_column, real *to) {
    for (long i = 0; i < results; i++)
        for (long line = 0; line < piece->lines; line++)
            for (long k = 0; k < piece->columns; k++) {
                const real *const from =
                    g + i * g_channel + (piece->top + line) * g_line + (piece->left + k) * g_column;
                real *const at = to + ((line * piece->columns + k) * results + i) * LANES;
                for (long l = 0; l < LANES; l++)
                    at[l] = from[l];
            }
}

/*@ nn_convolve_weights: nn_parallel nn_convolve_weights_pack nn_convolve_weights_piece */
/* lanes[weight][r mod LANES] += x * g over the places of an image and the rows of a tile: a lane takes row
 * after row, and of a row the places in their order.  A few channels of the result by a few taps are in
 * registers together; what they read of g is packed for as many places as stay near. */
static void nn_convolve_weights(const struct convolution *s, long turn, long turns, long rows, long stride,
                                const real *restrict x, const real *restrict g, real *restrict lanes) {
    enum { RESULTS = NN_RESULTS == 12 ? 4 : 2, PLACES = 128, TIMES = 160 };
    const struct convolution_axis *const d = &s->down, *const a = &s->across;
    const long area = d->kernel * a->kernel;
    const long blocks = (s->results + RESULTS - 1) / RESULTS, block = (s->results + blocks - 1) / blocks;
    const long some = area < TIMES ? TIMES / area : 1; /* enough sources for packing to pay */
    const long parts = (s->sources + some - 1) / some;
    const long all = s->groups * blocks * parts, from = all * turn / turns, to = all * (turn + 1) / turns;
    const long x_channel = d->source * a->source * stride;
    const long g_line = a->result * stride, g_channel = d->result * g_line;
    const long width = a->result < PLACES ? a->result : PLACES, height = PLACES / width;
    NN_PARALLEL(s->groups * s->results * s->sources * area * d->result * a->result * rows)
    for (long at = from; at < to; at++) {
        const long group = at / (blocks * parts), result = at / parts % blocks * block,
                   source = at % parts * some;
        const long results = s->results - result < block ? s->results - result : block;
        const long sources = s->sources - source < some ? s->sources - source : some;
        const long first = group * s->results + result;
        real packed[PLACES * RESULTS * LANES];
        for (long r = 0; r < rows; r += LANES)
            for (long top = 0; top < d->result; top += height)
                for (long left = 0; left < a->result; left += width) {
                    const struct piece piece = {top, d->result - top < height ? d->result - top : height,
                                                left, a->result - left < width ? a->result - left : width};
                    nn_convolve_weights_pack(&piece, results, g + first * g_channel + r, g_channel, g_line,
                                             stride, packed);
                    nn_convolve_weights_piece(s, &piece, results, sources,
                                              rows - r < LANES ? rows - r : LANES, stride,
                                              x + (group * s->sources + source) * x_channel + r, packed,
                                              lanes + (first * s->sources + source) * area * LANES);
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
