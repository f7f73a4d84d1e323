/* Products of small matrices, for the interpreter alone: some results at a time stay in registers while the sum runs,
 * and nothing is packed.  The order of every sum is that of matmul.h, so the bits are too.
 *
 * Vectors are written as such (GCC's and clang's vector types), because compilers take loops over so few numbers
 * apart.  HEIGHT results share each row that is read; two vectors of rows hide the latency of a product.  Included
 * with `real`, `real_bits` (a whole number of that size), LANES and NAME(x) defined. */

#undef HEIGHT
#undef WIDTH
#undef SPAN

#define HEIGHT 4
#define WIDTH (VECTOR_BYTES / (long)sizeof(real))
#define SPAN (2 * WIDTH)

typedef real NAME(vector) __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));
typedef real_bits NAME(bits) __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));

static inline NAME(vector) NAME(at)(const real *p) {
    return *(const NAME(vector) *)p;
}

static inline void NAME(put)(real *p, NAME(vector) v) {
    *(NAME(vector) *)p = v;
}

static inline NAME(vector) NAME(each)(real number) {
    return number - (NAME(vector)){0}; /* -0 stays -0 */
}

/* a * b + c, rounded as the mode says. */
static inline NAME(vector) NAME(vector_fma)(NAME(vector) a, NAME(vector) b, NAME(vector) c) {
#if NN_FUSED
    return VECTOR_FMA(a, b, c);
#else
    return a * b + c;
#endif
}

/* `height` results, at most HEIGHT, over one or two vectors of rows.  w: the weights of each result, w_k apart; start: what the sums
 * begin with (rows, or one number), or NULL where they begin with their first product. */
static inline __attribute__((always_inline)) void
NAME(small_block)(const int height, const int vectors, long depth, const real *x, long x_step, const real *const *w, long w_k,
                  const real *const *start, int start_rows, real *const *y) {
    NAME(vector) sum[HEIGHT][2], here[2];
    for (int h = 0; h < height; h++)
        for (int v = 0; v < vectors; v++)
            if (!start)
                sum[h][v] = NAME(at)(x + v * WIDTH) * NAME(each)(w[h][0]);
            else
                sum[h][v] = start_rows ? NAME(at)(start[h] + v * WIDTH) : NAME(each)(start[h][0]);
    for (long k = start ? 0 : 1; k < depth; k++) {
        for (int v = 0; v < vectors; v++)
            here[v] = NAME(at)(x + k * x_step + v * WIDTH);
        for (int h = 0; h < height; h++)
            for (int v = 0; v < vectors; v++)
                sum[h][v] = NAME(vector_fma)(here[v], NAME(each)(w[h][k * w_k]), sum[h][v]);
    }
    for (int h = 0; h < height; h++)
        for (int v = 0; v < vectors; v++)
            NAME(put)(y[h] + v * WIDTH, sum[h][v]);
}

/* Over `rows`, of which the last vector may hold more. */
static inline __attribute__((always_inline)) void
NAME(small_rows)(const int height, long depth, long rows, const real *x, long x_step, const real *const *w, long w_k,
                 const real **start, int start_rows, real **y) {
    for (long r = 0; r < rows; r += SPAN) {
        const real *const *const from = start[0] ? start : NULL;
        if (rows - r > WIDTH)
            NAME(small_block)(height, 2, depth, x + r, x_step, w, w_k, from, start_rows, y);
        else
            NAME(small_block)(height, 1, depth, x + r, x_step, w, w_k, from, start_rows, y);
        for (int h = 0; h < height; h++) {
            start[h] += start_rows ? SPAN : 0;
            y[h] += SPAN;
        }
    }
}

/* y[j][r] = c[j] (or its plane) + sum over k of x[k][r] * w[k][j], see nn_matmul_rows. */
static void NAME(rows_small)(long n, long depth, long rows, long stride, const real *x, long x_k, const real *w,
                             long w_k, long w_j, const real *c, long c_j, int c_rows, real *y) {
    for (long j = 0; j < n; j += HEIGHT) {
        const real *weights[HEIGHT], *starts[HEIGHT];
        real *results[HEIGHT];
        for (long h = 0; h < HEIGHT; h++) { /* those after the last are not used */
            const long at = j + h < n ? j + h : j;
            weights[h] = w + at * w_j;
            starts[h] = c ? c + at * c_j * (c_rows ? stride : 1) : NULL;
            results[h] = y + at * stride;
        }
        switch (n - j) { /* a loop for each height, whose sums are in registers */
        case 1:
            NAME(small_rows)(1, depth, rows, x, x_k * stride, weights, w_k, starts, c_rows, results);
            break;
        case 2:
            NAME(small_rows)(2, depth, rows, x, x_k * stride, weights, w_k, starts, c_rows, results);
            break;
        case 3:
            NAME(small_rows)(3, depth, rows, x, x_k * stride, weights, w_k, starts, c_rows, results);
            break;
        default:
            NAME(small_rows)(HEIGHT, depth, rows, x, x_k * stride, weights, w_k, starts, c_rows, results);
        }
    }
}

/* All ones in the first LANES numbers, from which a mask for the first few lanes is read. */
static const real_bits NAME(ones)[2 * LANES] = {-1, -1, -1, -1, -1, -1, -1, -1
#if LANES == 16
                                                , -1, -1, -1, -1, -1, -1, -1, -1
#endif
};

static inline NAME(vector) NAME(add_term)(const real *a, const real *b, long r, NAME(vector) sum) {
    if (!b)
        return sum + NAME(at)(a + r);
    return NAME(vector_fma)(NAME(at)(a + r), NAME(at)(b + r), sum);
}

/* to[h][r mod LANES] += a[h][r] * b[r], or a[h][r] where b is NULL, and where `first` from 0, for `height` results, at
 * most HEIGHT, and the rows of a tile, whose padding is there to be read. */
static inline __attribute__((always_inline)) void
NAME(lanes_block)(const int height, long rows, const real *const *a, const real *b, int first, real *const *to) {
    enum { PARTS = LANES / WIDTH };
    const long rest = rows % LANES, whole = rows - rest;
    NAME(vector) sum[HEIGHT][PARTS];
    for (int h = 0; h < height; h++)
        for (int v = 0; v < PARTS; v++)
            sum[h][v] = first ? NAME(each)(0) : NAME(at)(to[h] + v * WIDTH);
    for (long r = 0; r < whole; r += LANES)
        for (int v = 0; v < PARTS; v++)
            for (int h = 0; h < height; h++)
                sum[h][v] = NAME(add_term)(a[h], b, r + v * WIDTH, sum[h][v]);
    for (int v = 0; rest && v < PARTS; v++) {
        const NAME(bits) mask = *(const NAME(bits) *)(NAME(ones) + LANES - rest + v * WIDTH);
        for (int h = 0; h < height; h++) {
            const NAME(vector) next = NAME(add_term)(a[h], b, whole + v * WIDTH, sum[h][v]);
            sum[h][v] = (NAME(vector))(((NAME(bits))next & mask) | ((NAME(bits))sum[h][v] & ~mask));
        }
    }
    for (int h = 0; h < height; h++)
        for (int v = 0; v < PARTS; v++)
            NAME(put)(to[h] + v * WIDTH, sum[h][v]);
}

/* The same for any number of results, whose a and whose sums are so far apart. */
static inline __attribute__((always_inline)) void NAME(lanes_column)(long height, long rows, const real *a, long a_step,
                                                                     const real *b, int first, real *to, long to_step) {
    for (long i = 0; i < height; i += HEIGHT) {
        const real *p[HEIGHT];
        real *sums[HEIGHT];
        for (long h = 0; h < HEIGHT; h++) { /* those after the last are not used */
            const long at = i + h < height ? i + h : i;
            p[h] = a + at * a_step;
            sums[h] = to + at * to_step;
        }
        switch (height - i) {
        case 1:
            NAME(lanes_block)(1, rows, p, b, first, sums);
            break;
        case 2:
            NAME(lanes_block)(2, rows, p, b, first, sums);
            break;
        case 3:
            NAME(lanes_block)(3, rows, p, b, first, sums);
            break;
        default:
            NAME(lanes_block)(HEIGHT, rows, p, b, first, sums);
        }
    }
}

/* lanes[i][j][r mod LANES] += a[i][r] * b[j][r] over the rows of a tile, see nn_matmul_lanes.  The longer side is
 * taken in blocks. */
static void NAME(lanes_small)(long m, long n, long rows, long stride, const real *a, long a_i, const real *b, long b_j,
                              int first, real *lanes) {
    if (n > m)
        for (long i = 0; i < m; i++)
            NAME(lanes_column)(n, rows, b, b_j * stride, a + i * a_i * stride, first, lanes + i * n * LANES, LANES);
    else
        for (long j = 0; j < n; j++)
            NAME(lanes_column)(m, rows, a, a_i * stride, b + j * b_j * stride, first, lanes + j * LANES, n * LANES);
}

/* lanes[i][r mod LANES] += a[i][r], for planes that have no index. */
static void NAME(sums_small)(long count, long rows, const struct planes *a, int first, real *lanes) {
    NAME(lanes_column)(count, rows, (const real *)(const void *)a->at, a->step / (long)sizeof(real), NULL, first, lanes,
                       LANES);
}
