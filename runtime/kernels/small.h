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

/* `height` results, at most HEIGHT, over one or two vectors of rows: y[h] = c[h] + sum over k of x[k] * w[h][k].  c: rows, or
 * one number. */
static inline __attribute__((always_inline)) void
NAME(small_block)(const long height, const long vectors, long depth, const real *x, long x_step, const real *w, long w_k, long w_j,
                  const real *c, long c_step, int c_rows, real *y, long stride) {
    NAME(vector) sum[HEIGHT][2], here[2];
    NN_EACH (h, height)
        NN_EACH (v, vectors)
            sum[h][v] = c_rows ? NAME(at)(c + h * c_step + v * WIDTH) : NAME(each)(c[h * c_step]);
    for (; depth > 0; depth--, w += w_k, x += x_step) {
        NN_EACH (v, vectors)
            here[v] = NAME(at)(x + v * WIDTH);
        NN_EACH (h, height)
            NN_EACH (v, vectors)
                sum[h][v] = NAME(vector_fma)(here[v], NAME(each)(w[h * w_j]), sum[h][v]);
    }
    NN_EACH (h, height)
        NN_EACH (v, vectors)
            NAME(put)(y + h * stride + v * WIDTH, sum[h][v]);
}

/* Over `rows`, of which the last vector may hold more. */
static inline __attribute__((always_inline)) void
NAME(small_rows)(const long height, long depth, long rows, const real *x, long x_step, const real *w, long w_k, long w_j,
                 const real *c, long c_step, int c_rows, real *y, long stride) {
    for (long r = 0; r < rows; r += SPAN) {
        const real *const from = c_rows ? c + r : c;
        if (rows - r > WIDTH)
            NAME(small_block)(height, 2, depth, x + r, x_step, w, w_k, w_j, from, c_step, c_rows, y + r, stride);
        else
            NAME(small_block)(height, 1, depth, x + r, x_step, w, w_k, w_j, from, c_step, c_rows, y + r, stride);
    }
}

/* y[j][r] = c[j] (or its plane) + sum over k of x[k][r] * w[k][j], see nn_matmul_rows. */
static inline __attribute__((always_inline)) void NAME(rows_small)(long n, long depth, long rows, long stride, const real *x, long x_k,
                                                                   const real *w, long w_k, long w_j, const real *c, long c_j,
                                                                   int c_rows, real *y) {
    const real none = (real)-0.; /* what is added to it stays, also where that is -0 */
    const long x_step = x_k * stride, c_step = !c ? 0 : c_rows ? c_j * stride : c_j;
    if (!c)
        c = &none, c_rows = 0;
    for (; n >= HEIGHT; n -= HEIGHT, w += HEIGHT * w_j, c += HEIGHT * c_step, y += HEIGHT * stride)
        NAME(small_rows)(HEIGHT, depth, rows, x, x_step, w, w_k, w_j, c, c_step, c_rows, y, stride);
    switch (n) { /* a loop for each height, whose sums are in registers */
    case 1:
        NAME(small_rows)(1, depth, rows, x, x_step, w, w_k, w_j, c, c_step, c_rows, y, stride);
        break;
    case 2:
        NAME(small_rows)(2, depth, rows, x, x_step, w, w_k, w_j, c, c_step, c_rows, y, stride);
        break;
    case 3:
        NAME(small_rows)(3, depth, rows, x, x_step, w, w_k, w_j, c, c_step, c_rows, y, stride);
    }
}

/* All ones in the first LANES numbers, from which a mask for the first few lanes is read. */
static const real_bits NAME(ones)[2 * LANES] = {-1, -1, -1, -1, -1, -1, -1, -1
#if LANES == 16
                                                , -1, -1, -1, -1, -1, -1, -1, -1
#endif
};

static const real NAME(zeros)[LANES]; /* what the sums of a first tile are added to */

static inline NAME(vector) NAME(add_term)(const bool product, const real *a, const real *b, NAME(vector) sum) {
    if (product)
        return NAME(vector_fma)(NAME(at)(a), NAME(at)(b), sum);
    return sum + NAME(at)(a);
}

/* to[h][r mod LANES] += a[h][r] * b[r], or a[h][r] where it is no product, and where `first` from 0, for `height` results, at
 * most HEIGHT, and the rows of a tile, whose padding is there to be read. */
static inline __attribute__((always_inline)) void
NAME(lanes_block)(const long height, const bool product, long rows, const real *a, long a_step, const real *b, int first, real *to,
                  long to_step) {
    enum { PARTS = LANES / WIDTH };
    NAME(vector) sum[HEIGHT][PARTS];
    NN_EACH (h, height)
        NN_EACH (v, PARTS)
            sum[h][v] = NAME(at)((first ? NAME(zeros) : to + h * to_step) + v * WIDTH);
    for (; rows >= LANES; rows -= LANES, a += LANES, b += LANES)
        NN_EACH (v, PARTS)
            NN_EACH (h, height)
                sum[h][v] = NAME(add_term)(product, a + h * a_step + v * WIDTH, b + v * WIDTH, sum[h][v]);
    if (rows > 0)
        NN_EACH (v, PARTS) {
            const NAME(bits) mask = *(const NAME(bits) *)(NAME(ones) + LANES - rows + v * WIDTH);
            NN_EACH (h, height) {
                const NAME(vector) next = NAME(add_term)(product, a + h * a_step + v * WIDTH, b + v * WIDTH, sum[h][v]);
                sum[h][v] = (NAME(vector))(((NAME(bits))next & mask) | ((NAME(bits))sum[h][v] & ~mask));
            }
        }
    NN_EACH (h, height)
        NN_EACH (v, PARTS)
            NAME(put)(to + h * to_step + v * WIDTH, sum[h][v]);
}

/* The same for any number of results, whose a and whose sums are so far apart. */
static inline __attribute__((always_inline)) void NAME(lanes_column)(long height, const bool product, long rows, const real *a,
                                                                     long a_step, const real *b, int first, real *to, long to_step) {
    for (; height >= HEIGHT; height -= HEIGHT, a += HEIGHT * a_step, to += HEIGHT * to_step)
        NAME(lanes_block)(HEIGHT, product, rows, a, a_step, b, first, to, to_step);
    switch (height) {
    case 1:
        NAME(lanes_block)(1, product, rows, a, a_step, b, first, to, to_step);
        break;
    case 2:
        NAME(lanes_block)(2, product, rows, a, a_step, b, first, to, to_step);
        break;
    case 3:
        NAME(lanes_block)(3, product, rows, a, a_step, b, first, to, to_step);
    }
}

/* lanes[i][j][r mod LANES] += a[i][r] * b[j][r] over the rows of a tile, see nn_matmul_lanes.  The longer side is
 * taken in blocks. */
static void NAME(lanes_small)(long m, long n, long rows, long stride, const real *a, long a_i, const real *b, long b_j,
                              int first, real *lanes) {
    const bool wide = n > m;
    const long count = wide ? m : n, height = wide ? n : m;
    const long step = (wide ? a_i : b_j) * stride, block_step = (wide ? b_j : a_i) * stride;
    const real *one = wide ? a : b, *const block = wide ? b : a;
    const long to_one = (wide ? n : 1) * LANES, to_block = (wide ? 1 : n) * LANES;
    for (long k = 0; k < count; k++, one += step, lanes += to_one)
        NAME(lanes_column)(height, true, rows, block, block_step, one, first, lanes, to_block);
}

/* lanes[i][r mod LANES] += a[i][r], for planes that have no index. */
static void NAME(sums_small)(long count, long rows, const struct planes *a, int first, real *lanes) {
    NAME(lanes_column)(count, false, rows, (const real *)(const void *)a->at, a->step / (long)sizeof(real), (const real *)(const void *)a->at, first, lanes,
                       LANES);
}
