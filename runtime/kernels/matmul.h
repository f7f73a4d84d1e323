/* Kernels of matrix products.  One text, used twice: the interpreter compiles it for both element types
 * (`real`, LANES), and emitted C contains the sections that it calls, with the type written in.
 *
 * One kernel serves all products: rows of the batch, weights, or results lie in vectors, whichever leaves
 * fewer lanes idle.  A block of results is kept in registers while k runs; what it reads is packed so that it
 * lies in a row; stretches of k and panels of columns are as long as the caches hold.  How large they are
 * changes no bit: each result is its start, then product after product in the order of k.
 *
 * A plane is `stride` numbers, one for each row of a tile.
 */

/*@ nn_matrix: */
/* Where a matrix lies: element (i, j) is at[i * row + j * column]. */
typedef struct {
    const real *at;
    long row, column;
} nn_matrix;

/*@ nn_matmul_tile: nn_matrix nn_vector nn_vector_fma */
/* y = c + sum over k of a[i][k] * b[k][l] for `results` i and `vectors` vectors of l.  c.at may be NULL: then
 * the sum starts with its first product.  c.column is 1, or 0: one number for all l. */
NN_INLINE void nn_matmul_tile(const long results, const long vectors, long depth, const real *a,
                              const long a_i, long a_k, const real *b, long b_k, nn_matrix c, real *y,
                              long y_i) {
    enum { VECTOR = sizeof(nn_vector) / sizeof(real) };
    const nn_vector zero = {0}; /* a number less zero is the number for all lanes, also where it is -0 */
    nn_vector sum[NN_RESULTS][2];
    NN_UNROLL
    for (long i = 0; i < results; i++)
        NN_UNROLL
    for (long q = 0; q < vectors; q++)
        if (!c.at)
            sum[i][q] = *(const nn_vector *)(b + q * VECTOR) * a[i * a_i];
        else if (c.column)
            sum[i][q] = *(const nn_vector *)(c.at + i * c.row + q * VECTOR);
        else
            sum[i][q] = c.at[i * c.row] - zero;
    for (long k = c.at ? 0 : 1; k < depth; k++) {
        nn_vector v[2];
        NN_UNROLL
        for (long q = 0; q < vectors; q++)
            v[q] = *(const nn_vector *)(b + k * b_k + q * VECTOR);
        NN_UNROLL
        for (long i = 0; i < results; i++)
            NN_UNROLL
        for (long q = 0; q < vectors; q++)
            sum[i][q] = nn_vector_fma(v[q], a[k * a_k + i * a_i] - zero, sum[i][q]);
    }
    NN_UNROLL
    for (long i = 0; i < results; i++)
        NN_UNROLL
    for (long q = 0; q < vectors; q++)
        *(nn_vector *)(y + i * y_i + q * VECTOR) = sum[i][q];
}

/*@ nn_matmul_block: nn_matmul_tile */
/* The same for a number of results and vectors known only when it runs.  Where a is read as it lies, there
 * are addresses for half of the results only. */
static void nn_matmul_block(long results, long vectors, long depth, const nn_matrix *a, const real *b,
                            long b_k, const nn_matrix *c, real *y, long y_i) {
#define NN_TILES(n, a_i)                                                        \
    case 2 * n:                                                                 \
        nn_matmul_tile(n, 1, depth, a->at, a_i, a->column, b, b_k, *c, y, y_i); \
        break;                                                                  \
    case 2 * n + 1:                                                             \
        nn_matmul_tile(n, 2, depth, a->at, a_i, a->column, b, b_k, *c, y, y_i); \
        break;
    if (a->row == 1)
        switch (2 * results + vectors - 1) {
            NN_TILES(1, 1)
            NN_TILES(2, 1)
            NN_TILES(3, 1)
            NN_TILES(4, 1)
            NN_TILES(5, 1)
            NN_TILES(6, 1)
#if NN_RESULTS == 12
            NN_TILES(7, 1) NN_TILES(8, 1) NN_TILES(9, 1) NN_TILES(10, 1) NN_TILES(11, 1) NN_TILES(12, 1)
#endif
        }
    else
        switch (2 * results + vectors - 1) {
            NN_TILES(1, a->row)
            NN_TILES(2, a->row)
            NN_TILES(3, a->row)
#if NN_RESULTS == 12
            NN_TILES(4, a->row) NN_TILES(5, a->row) NN_TILES(6, a->row)
#endif
        }
#undef NN_TILES
}

/*@ nn_matmul_copy: nn_vector nn_four */
/* Few numbers, whose last vector may have been copied in part before: what is vectorised for many would take
 * longer. */
NN_INLINE void nn_matmul_copy(long count, const real *restrict from, real *restrict to) {
    enum { VECTOR = sizeof(nn_vector) / sizeof(real) };
    long i = 0;
    if (count >= VECTOR) {
        for (; i + VECTOR <= count; i += VECTOR)
            *(nn_vector *)(to + i) = *(const nn_vector *)(from + i);
        if (i < count)
            *(nn_vector *)(to + count - VECTOR) = *(const nn_vector *)(from + count - VECTOR);
        return;
    }
#if NN_SHUFFLES
    if (count >= 4) {
        for (; i + 4 <= count; i += 4)
            *(nn_four *)(to + i) = *(const nn_four *)(from + i);
        *(nn_four *)(to + count - 4) = *(const nn_four *)(from + count - 4);
        return;
    }
#endif
    for (; i < count; i++)
        to[i] = from[i];
}

/*@ nn_turn: nn_four */
/* Four rows of four numbers become columns, in registers: to[k * wide + i] = x_i[k]. */
NN_INLINE void nn_turn(const real *x0, const real *x1, const real *x2, const real *x3, real *to, long wide) {
#if NN_SHUFFLES
    const nn_four a = *(const nn_four *)x0, b = *(const nn_four *)x1, c = *(const nn_four *)x2,
                  d = *(const nn_four *)x3;
    const nn_four p = __builtin_shufflevector(a, b, 0, 4, 1, 5),
                  q = __builtin_shufflevector(c, d, 0, 4, 1, 5);
    const nn_four s = __builtin_shufflevector(a, b, 2, 6, 3, 7),
                  t = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    *(nn_four *)to = __builtin_shufflevector(p, q, 0, 1, 4, 5);
    *(nn_four *)(to + wide) = __builtin_shufflevector(p, q, 2, 3, 6, 7);
    *(nn_four *)(to + 2 * wide) = __builtin_shufflevector(s, t, 0, 1, 4, 5);
    *(nn_four *)(to + 3 * wide) = __builtin_shufflevector(s, t, 2, 3, 6, 7);
#else
    for (long k = 0; k < 4; k++)
        to[k * wide] = x0[k], to[k * wide + 1] = x1[k], to[k * wide + 2] = x2[k], to[k * wide + 3] = x3[k];
#endif
}

/*@ nn_matmul_pack: nn_matrix nn_matmul_copy nn_strip_turn nn_vector nn_turn */
/* to[k * wide + i] = x[i][k] for i < count and k < depth.  Where the rows of x lie side by side, `wide` of
 * them are written, and any of them but `count` may hold anything. */
static void nn_matmul_pack(long count, long wide, long depth, const nn_matrix *x, real *to) {
    enum { VECTOR = sizeof(nn_vector) / sizeof(real), STRIP = NN_STRIP(real), TURNS = NN_TURNS(real) };
    long i = 0;
    if (x->row == 1) {
        long k = 0;
        /* Whole vectors, while what lies behind the rows is of this matrix; the next k writes over the rest. */
        const long vectors = (wide + VECTOR - 1) / VECTOR, reach = vectors * VECTOR - count;
        const long last = wide % VECTOR == 0 ? depth : depth - 1;
        for (; k < last && (depth - 1 - k) * x->column >= reach; k++)
            for (long q = 0; q < vectors; q++)
                *(nn_vector *)(to + k * wide + q * VECTOR) =
                    *(const nn_vector *)(x->at + k * x->column + q * VECTOR);
        for (; k < depth; k++) {
            nn_matmul_copy(count, x->at + k * x->column, to + k * wide);
            for (i = count; i < wide; i++)
                to[k * wide + i] = 0;
        }
        return;
    }
    /* A line of the cache from every row, then the next. */
    for (long from = 0; from < depth; from += LANES) {
        const long end = depth - from < LANES ? depth : from + LANES;
        i = 0;
#if NN_SHUFFLES
        for (; i + STRIP <= count && x->column == 1 && end >= TURNS; i += STRIP) {
            long k = from, at[STRIP];
            NN_UNROLL
            for (long l = 0; l < STRIP; l++)
                at[l] = (i + l) * x->row;
            for (; k < end; k += TURNS) {
                nn_strip turned[TURNS];
                k = k + TURNS <= end ? k : end - TURNS; /* the last few with some before */
                nn_strip_turn(x->at + k, at, turned);
                NN_UNROLL
                for (long u = 0; u < TURNS; u++)
                    *(nn_strip *)(to + (k + u) * wide + i) = turned[u];
            }
        }
#endif
        for (; i + 4 <= count; i += 4) {
            const real *const p = x->at + i * x->row;
            long k = from;
            for (; k < end && end >= 4 && x->column == 1; k += 4) {
                k = k + 4 <= end ? k : end - 4;
                nn_turn(p + k, p + x->row + k, p + 2 * x->row + k, p + 3 * x->row + k, to + k * wide + i,
                        wide);
            }
            for (; k < end; k++)
                for (long q = 0; q < 4; q++)
                    to[k * wide + i + q] = p[q * x->row + k * x->column];
        }
        for (; i < count; i++)
            for (long k = from; k < end; k++)
                to[k * wide + i] = x->at[i * x->row + k * x->column];
    }
}

/*@ nn_matmul_edge: nn_matmul_block nn_matmul_copy nn_matmul_pack */
/* nn_matmul_block where the results do not lie in whole vectors: by way of a tile of its own.  The first
 * `apart` terms read b, those that follow read `rest`, whose rows are whole vectors. */
static void nn_matmul_edge(long results, long columns, long depth, const nn_matrix *a, const real *b,
                           long b_k, long apart, const real *rest, const nn_matrix *c, real *y, long y_i,
                           long y_j) {
    enum { VECTOR = sizeof(nn_vector) / sizeof(real), WIDE = 2 * VECTOR };
    real tile[NN_RESULTS * WIDE];
    const long vectors = columns <= VECTOR ? 1 : 2;
    const nn_matrix own = {tile, WIDE, 1}, none = {NULL, WIDE, 1};
    for (long u = 0; c->at && u < results * WIDE && columns % VECTOR != 0; u++)
        tile[u] = 0;
    if (c->at && c->column != 1)
        nn_matmul_pack(columns, WIDE, results, &(nn_matrix){c->at, c->column, c->row}, tile);
    for (long i = 0; c->at && c->column == 1 && i < results; i++)
        nn_matmul_copy(columns, c->at + i * c->row, tile + i * WIDE);
    if (apart > 0)
        nn_matmul_block(results, vectors, apart, a, b, b_k, c->at ? &own : &none, tile, WIDE);
    if (apart < depth)
        nn_matmul_block(results, vectors, depth - apart,
                        &(nn_matrix){a->at + apart * a->column, a->row, a->column}, rest, vectors * VECTOR,
                        c->at || apart > 0 ? &own : &none, tile, WIDE);
    if (y_j != 1)
        nn_matmul_pack(results, y_j, columns, &(nn_matrix){tile, WIDE, 1}, y);
    for (long i = 0; y_j == 1 && i < results; i++)
        nn_matmul_copy(columns, tile + i * WIDE, y + i * y_i);
}

/*@ nn_matmul_behind: */
/* How many of the last of `depth` rows of a matrix a vector must not read that reaches so far behind a row:
 * it would read behind the matrix as well. */
#define NN_BEHIND(reach, depth, row) \
    ((reach) == 0 ? 0 : (row) > 0 && (reach) <= (row) * (depth) ? ((reach) + (row)-1) / (row) : (depth))

/*@ nn_matmul_vector: nn_fma nn_matmul_behind nn_matrix nn_vector_fma */
/* One row of results of a matrix that lies row after row (b.column is 1), read once from front to back: y[j]
 * = c[j] + sum over k of a[k] * b[k][j].  The last vector of a row may reach behind it, but not behind the
 * matrix. */
static void nn_matmul_vector(long n, long depth, const real *a, long a_k, const nn_matrix *b,
                             const nn_matrix *c, real *y, long y_j) {
    enum { VECTOR = sizeof(nn_vector) / sizeof(real), STRETCH = 32 * LANES };
    const nn_vector zero = {0};
    for (long from = 0; from < n; from += STRETCH) {
        const long count = n - from < STRETCH ? n - from : STRETCH, whole = count / VECTOR * VECTOR;
        const long padded = (count + VECTOR - 1) / VECTOR * VECTOR;
        const long behind = NN_BEHIND(padded - count, depth, b->row);
        real sum[STRETCH];
        long k = c->at ? 0 : 1;
        if (!c->at)
            for (long j = 0; j < count; j++)
                sum[j] = a[0] * b->at[from + j];
        else if (c->column == 1)
            for (long j = 0; j < count; j++)
                sum[j] = c->at[from + j];
        else
            for (long j = 0; j < count; j++)
                sum[j] = c->at[(from + j) * c->column];
        for (long j = count; j < padded; j++)
            sum[j] = 0;
        for (; k + 4 <= depth - behind; k += 4) {
            const real *const p = b->at + k * b->row + from;
            const real a0 = a[k * a_k], a1 = a[(k + 1) * a_k], a2 = a[(k + 2) * a_k], a3 = a[(k + 3) * a_k];
            for (long j = 0; j < padded; j += VECTOR) {
                nn_vector here = *(nn_vector *)(sum + j);
                here = nn_vector_fma(*(const nn_vector *)(p + j), a0 - zero, here);
                here = nn_vector_fma(*(const nn_vector *)(p + b->row + j), a1 - zero, here);
                here = nn_vector_fma(*(const nn_vector *)(p + 2 * b->row + j), a2 - zero, here);
                *(nn_vector *)(sum + j) =
                    nn_vector_fma(*(const nn_vector *)(p + 3 * b->row + j), a3 - zero, here);
            }
        }
        for (; k < depth; k++) {
            const real *const p = b->at + k * b->row + from;
            for (long j = 0; j < whole; j += VECTOR)
                *(nn_vector *)(sum + j) =
                    nn_vector_fma(*(const nn_vector *)(p + j), a[k * a_k] - zero, *(nn_vector *)(sum + j));
            for (long j = whole; j < count; j++)
                sum[j] = nn_fma(a[k * a_k], p[j], sum[j]);
        }
        if (y_j == 1)
            memcpy(y + from, sum, (size_t)count * sizeof(real));
        for (long j = 0; j < count && y_j != 1; j++)
            y[(from + j) * y_j] = sum[j];
    }
}

/*@ nn_matmul_dots: nn_matrix nn_strip_fma nn_strip_turn */
/* Results of a matrix that lies column after column (b.row is 1), turned in registers: up to `most` rows, of
 * which there are m, and up to `strips` strips of columns, of which n are columns.  What is idle computes the
 * last again. */
#if NN_SHUFFLES
NN_INLINE void nn_matmul_dots(const long most, const long strips, long m, long n, long depth,
                              const nn_matrix *a, const nn_matrix *b, const nn_matrix *c, real *y, long y_i,
                              long y_j) {
    enum { STRIP = NN_STRIP(real), TURNS = NN_TURNS(real) };
    const nn_strip zero = {0};
    nn_strip sum[4][4] = {{zero}};
    long k = c->at ? 0 : 1, at[4][STRIP];
    const real *left[4];
    real results[4][4 * STRIP]; /* first their start */
    NN_UNROLL
    for (long i = 0; i < most; i++)
        left[i] = a->at + (i < m ? i : m - 1) * a->row;
    for (long j = 0; j < strips * STRIP; j++) {
        const long column = j < n ? j : n - 1;
        at[j / STRIP][j % STRIP] = column * b->column;
        for (long i = 0; i < most; i++)
            results[i][j] = c->at ? c->at[(i < m ? i : m - 1) * c->row + column * c->column]
                                  : left[i][0] * b->at[column * b->column];
    }
    NN_UNROLL
    for (long i = 0; i < most; i++)
        NN_UNROLL
    for (long g = 0; g < strips; g++)
        sum[i][g] = *(const nn_strip *)(results[i] + g * STRIP);
    for (; k + TURNS <= depth; k += TURNS)
        NN_UNROLL
    for (long g = 0; g < strips; g++) {
        nn_strip turned[TURNS];
        nn_strip_turn(b->at + k, at[g], turned);
        NN_UNROLL
        for (long i = 0; i < most; i++)
            NN_UNROLL
        for (long u = 0; u < TURNS; u++)
            sum[i][g] = nn_strip_fma(turned[u], left[i][(k + u) * a->column] - zero, sum[i][g]);
    }
    for (; k < depth; k++)
        NN_UNROLL
    for (long g = 0; g < strips; g++) {
        nn_strip here = zero;
        for (long l = 0; l < STRIP; l++)
            here[l] = b->at[k + at[g][l]];
        NN_UNROLL
        for (long i = 0; i < most; i++)
            sum[i][g] = nn_strip_fma(here, left[i][k * a->column] - zero, sum[i][g]);
    }
    NN_UNROLL
    for (long i = 0; i < most; i++)
        NN_UNROLL
    for (long g = 0; g < strips; g++)
        *(nn_strip *)(results[i] + g * STRIP) = sum[i][g];
    for (long i = 0; i < m; i++)
        for (long j = 0; j < n; j++)
            y[i * y_i + j * y_j] = results[i][j];
}
#endif

/*@ nn_matmul_columns: nn_matmul_dots */
/* Up to four rows of results of such a matrix; up to eight vectors of sums go on side by side. */
#if NN_SHUFFLES
NN_SINGLE static void nn_matmul_columns(long m, long n, long depth, const nn_matrix *a, const nn_matrix *b,
                                        const nn_matrix *c, real *y, long y_i, long y_j) {
    enum { STRIP = NN_STRIP(real) };
    for (long j = 0; j < n;) {
        const long wide = (m > 2 || (m == 1 && n - j <= 2 * STRIP) ? 2 : 4) * STRIP;
        const long columns = n - j < wide ? n - j : wide;
        const nn_matrix b_here = {b->at + j * b->column, b->row, b->column};
        const nn_matrix c_here = {c->at ? c->at + j * c->column : NULL, c->row, c->column};
        real *const to = y + j * y_j;
        if (m > 2)
            nn_matmul_dots(4, 2, m, columns, depth, a, &b_here, &c_here, to, y_i, y_j);
        else if (m == 2)
            nn_matmul_dots(2, 4, m, columns, depth, a, &b_here, &c_here, to, y_i, y_j);
        else if (wide == 4 * STRIP)
            nn_matmul_dots(1, 4, m, columns, depth, a, &b_here, &c_here, to, y_i, y_j);
        else
            nn_matmul_dots(1, 2, m, columns, depth, a, &b_here, &c_here, to, y_i, y_j);
        j += columns;
    }
}
#endif

/*@ nn_matmul_terms: nn_inline */
/* y[i] = c[i] + up to four products a[i][k] * b[k], each i a vector.  c may be NULL. */
#define NN_MATMUL_ROWS(terms, vector, fma)                                      \
    for (long i = 0; i < rows; i++) {                                           \
        vector sum = v[0] * a[i * a_i];                                         \
        if (c)                                                                  \
            sum = fma(v[0], a[i * a_i] - zero, *(const vector *)(c + i * c_i)); \
        NN_UNROLL                                                               \
        for (long k = 1; k < terms; k++)                                        \
            sum = fma(v[k], a[i * a_i + k * a_k] - zero, sum);                  \
        *(vector *)(y + i * y_i) = sum;                                         \
    }
#define NN_MATMUL_TERMS(name, number, vector, fma)                                                          \
    static void name(long terms, long rows, const number *a, long a_i, long a_k, const number *b, long b_k, \
                     const number *c, long c_i, number *y, long y_i) {                                      \
        const vector zero = {0};                                                                            \
        vector v[4] = {zero, zero, zero, zero};                                                             \
        for (long k = 0; k < terms; k++)                                                                    \
            v[k] = *(const vector *)(b + k * b_k);                                                          \
        if (terms == 1)                                                                                     \
            NN_MATMUL_ROWS(1, vector, fma)                                                                  \
        else if (terms == 2)                                                                                \
            NN_MATMUL_ROWS(2, vector, fma)                                                                  \
        else if (terms == 3)                                                                                \
            NN_MATMUL_ROWS(3, vector, fma)                                                                  \
        else                                                                                                \
            NN_MATMUL_ROWS(4, vector, fma)                                                                  \
    }

/*@ nn_matmul_terms_wide: nn_matmul_terms nn_vector_fma */
/* Vectors of real numbers. */
NN_MATMUL_TERMS(nn_matmul_terms_wide, real, nn_vector, nn_vector_fma)

/*@ nn_matmul_terms_four: nn_matmul_terms nn_four_fma */
/* Four real numbers. */
#if NN_SHUFFLES
NN_MATMUL_TERMS(nn_matmul_terms_four, real, nn_four, nn_four_fma)
#endif

/*@ nn_matmul_terms_one: nn_matmul_terms nn_fma */
/* One real number. */
NN_MATMUL_TERMS(nn_matmul_terms_one, real, real, nn_fma)

/*@ nn_matmul_terms_rows: nn_matmul_terms_four nn_matmul_terms_one nn_matmul_terms_wide nn_matrix */
/* The same for n columns, one vector of them after the other. */
static void nn_matmul_terms_rows(long terms, long rows, long n, const nn_matrix *a, const real *b, long b_k,
                                 const nn_matrix *c, real *y, long y_i) {
    enum { VECTOR = sizeof(nn_vector) / sizeof(real) };
#define NN_TERMS(part) \
    part(terms, rows, a->at, a->row, a->column, b + j, b_k, c->at ? c->at + j : NULL, c->row, y + j, y_i)
    const int again = c->at != y; /* results may be computed twice */
    long j = 0;
    for (; j + VECTOR <= n; j += VECTOR)
        NN_TERMS(nn_matmul_terms_wide);
    if (again && n > VECTOR && j < n) {
        j = n - VECTOR;
        NN_TERMS(nn_matmul_terms_wide);
        return;
    }
#if NN_SHUFFLES
    for (; j + 4 <= n; j += 4)
        NN_TERMS(nn_matmul_terms_four);
    if (again && n > 4 && j < n) {
        j = n - 4;
        NN_TERMS(nn_matmul_terms_four);
        return;
    }
#endif
    for (; j < n; j++)
        NN_TERMS(nn_matmul_terms_one);
#undef NN_TERMS
}

/*@ nn_matmul_flat: nn_matmul_pack nn_matmul_terms_rows */
/* A product of few terms (depth up to NN_FLAT), four at a time: what takes time is its results, written in
 * blocks of rows that stay in L1.  c.column is 1, or c one number for all. */
#define NN_FLAT 8
#define NN_IS_FLAT(m, n, depth, c, y_j)                   \
    ((depth) <= NN_FLAT && (m) >= 4 && (n) >= 4 && (y_j) == 1 && \
     (!(c).at || (c).column == 1 || ((c).row == 0 && (c).column == 0)))
NN_SINGLE static void nn_matmul_flat(long m, long n, long depth, const nn_matrix *a, const nn_matrix *b,
                                     const nn_matrix *c, real *y, long y_i) {
    enum { PANEL = 16 * LANES, ROWS = 16 };
    real right[NN_FLAT * PANEL], same[PANEL];
    const int is_same = c->at && c->column == 0;
    for (long j = 0; is_same && j < n && j < PANEL; j++)
        same[j] = *c->at;
    for (long from = 0; from < n; from += PANEL) {
        const long columns = n - from < PANEL ? n - from : PANEL;
        const real *p = b->at + from * b->column;
        long p_k = b->row;
        if (b->column != 1) {
            nn_matmul_pack(columns, columns, depth, &(nn_matrix){p, b->column, b->row}, right);
            p = right, p_k = columns;
        }
        for (long i = 0; i < m; i += ROWS)
            for (long k = 0; k < depth; k += 4) {
                const long rows = m - i < ROWS ? m - i : ROWS;
                const nn_matrix left = {a->at + i * a->row + k * a->column, a->row, a->column};
                const real *const q = p + k * p_k;
                real *const to = y + i * y_i + from;
                nn_matrix start = {is_same ? same : c->at ? c->at + i * c->row + from : NULL, c->row, 1};
                if (k)
                    start = (nn_matrix){to, y_i, 1};
                nn_matmul_terms_rows(depth - k < 4 ? depth - k : 4, rows, columns, &left, q, p_k, &start, to,
                                     y_i);
            }
    }
}

/*@ nn_matmul_pack_blocks: nn_matmul_pack */
/* Of m results in `blocks`, those from `first` to before `end`, each packed `apart` behind the one before.
 * Results side by side share lines of the cache: a few k of all, then the next few. */
static void nn_matmul_pack_blocks(long m, long blocks, long first, long end, long depth, const nn_matrix *a,
                                  real *to, long apart) {
    const long some = a->row == 1 ? 8 : depth;
    for (long k = 0; k < depth; k += some)
        for (long block = first; block < end; block++) {
            const long i = m * block / blocks, results = m * (block + 1) / blocks - i;
            nn_matmul_pack(results, results, depth - k < some ? depth - k : some,
                           &(nn_matrix){a->at + i * a->row + k * a->column, a->row, a->column},
                           to + (block - first) * apart + k * results);
        }
}

/*@ nn_matmul_pack_panel: nn_matmul_pack */
/* Tiles of columns, from column j on; the last is `wide_last` columns wide, and its first `apart_last` terms
 * are left out. */
static void nn_matmul_pack_panel(long j, long columns, long depth, long wide_last, long apart_last,
                                 const nn_matrix *b, real *to) {
    enum { WIDE = 2 * sizeof(nn_vector) / sizeof(real) };
    for (; j < columns; j += WIDE) {
        const long width = columns - j < WIDE ? columns - j : WIDE;
        const long wide = width < WIDE ? wide_last : WIDE, apart = width < WIDE ? apart_last : 0;
        for (long u = 0; u < depth * wide && width < wide && b->column != 1; u++)
            to[j * depth + u] = 0;
        nn_matmul_pack(width, wide, depth - apart,
                       &(nn_matrix){b->at + apart * b->row + j * b->column, b->column, b->row},
                       to + j * depth);
    }
}

/*@ nn_matmul_tiles: nn_matmul_behind nn_matmul_edge nn_matmul_pack_blocks nn_matmul_pack_panel */
/* Tiles of results stay in registers; what they read is packed where that pays. */
static void nn_matmul_tiles(long m, long n, long depth, const nn_matrix *a, const nn_matrix *b,
                            const nn_matrix *c, real *y, long y_i, long y_j) {
    enum { VECTOR = sizeof(nn_vector) / sizeof(real), WIDE = 2 * VECTOR, STRETCH = 256 };
    enum { PANEL = 18 * LANES, BLOCK = NN_RESULTS * STRETCH, GROUP = LANES };
    real right[PANEL * STRETCH], left[GROUP * BLOCK];
    const long panels = (n + PANEL - 1) / PANEL, panel = ((n + panels - 1) / panels + WIDE - 1) / WIDE * WIDE;
    const long stretches = (depth + STRETCH - 1) / STRETCH, stretch = (depth + stretches - 1) / stretches;
    /* What is used once is read as it lies; up to four times, where no turning is needed. */
    const int packs_a = n > (a->row == 1 ? 4 : 1) * WIDE;
    const long most = a->row == 1 || packs_a ? NN_RESULTS : NN_RESULTS / 2, blocks = (m + most - 1) / most;
    const int packs_b = b->column != 1 || (blocks > 1 && n * depth > 256 * LANES);
    const long group = a->row == 1 ? GROUP : 1; /* so many blocks are whole lines of the cache */
    for (long from = 0; from < n; from += panel)
        for (long k = 0; k < depth; k += stretch) {
            const long columns = n - from < panel ? n - from : panel,
                       count = depth - k < stretch ? depth - k : stretch;
            const real *const b_at = b->at + k * b->row + from * b->column;
            const nn_matrix start = k ? (nn_matrix){y, y_i, y_j} : *c;
            /* The last tile's vectors reach behind the columns: its last terms, where that is not of b, are
             * packed. */
            const long ragged = columns % WIDE, wide_last = ragged > VECTOR ? WIDE : VECTOR;
            const long fit = depth - NN_BEHIND(ragged ? wide_last - ragged : 0, depth, b->row) - k;
            const long apart_last = packs_b || fit < 0 ? 0 : fit < count ? fit : count;
            nn_matmul_pack_panel(packs_b ? 0 : columns - ragged, columns, count, wide_last, apart_last,
                                 &(nn_matrix){b_at, b->row, b->column}, right);
            for (long block = 0; block < blocks; block++) {
                const long i = m * block / blocks, results = m * (block + 1) / blocks - i;
                const nn_matrix a_here = {a->at + i * a->row + k * a->column, a->row, a->column};
                if (packs_a && block % group == 0)
                    nn_matmul_pack_blocks(m, blocks, block, block + group < blocks ? block + group : blocks,
                                          count, &(nn_matrix){a->at + k * a->column, a->row, a->column}, left,
                                          BLOCK);
                for (long j = 0; j < columns; j += WIDE) {
                    const long width = columns - j < WIDE ? columns - j : WIDE;
                    const nn_matrix p =
                        packs_a ? (nn_matrix){left + block % group * BLOCK, 1, results} : a_here;
                    const nn_matrix begin = {start.at ? start.at + i * start.row + (from + j) * start.column
                                                      : NULL,
                                             start.row, start.column};
                    real *const to = y + i * y_i + (from + j) * y_j, *const q = right + j * count;
                    const long apart = width < WIDE ? apart_last : packs_b ? 0 : count;
                    if (y_j == 1 && width % VECTOR == 0 && (start.column == 1 || start.column == 0))
                        nn_matmul_block(results, width / VECTOR, count, &p, apart ? b_at + j : q,
                                        apart ? b->row : width, &begin, to, y_i);
                    else
                        nn_matmul_edge(results, width, count, &p, b_at + j * b->column, b->row, apart, q,
                                       &begin, to, y_i, y_j);
                }
            }
        }
}

/*@ nn_matmul_panels: nn_matmul_columns nn_matmul_flat nn_matmul_tiles nn_matmul_vector */
/* nn_matmul with columns in lanes, for one thread: by whichever way suits the size. */
static void nn_matmul_panels(long m, long n, long depth, const nn_matrix *a, const nn_matrix *b,
                             const nn_matrix *c, real *y, long y_i, long y_j) {
    if (m == 1 && b->column == 1) {
        nn_matmul_vector(n, depth, a->at, a->column, b, c, y, y_j);
        return;
    }
    if (NN_IS_FLAT(m, n, depth, *c, y_j)) {
        nn_matmul_flat(m, n, depth, a, b, c, y, y_i);
        return;
    }
#if NN_SHUFFLES
    if (m <= 8 && b->row == 1) {
        for (long i = 0; i < 8 && i < m; i += 4) /* twice at most: gcc warns of a third time */
            nn_matmul_columns(
                m - i < 4 ? m - i : 4, n, depth, &(nn_matrix){a->at + i * a->row, a->row, a->column}, b,
                &(nn_matrix){c->at ? c->at + i * c->row : NULL, c->row, c->column}, y + i * y_i, y_i, y_j);
        return;
    }
#endif
    nn_matmul_tiles(m, n, depth, a, b, c, y, y_i, y_j);
}

/*@ nn_matmul: nn_parallel nn_threads nn_matmul_panels */
/* y[i][j] = c[i][j] + sum over k of a[i][k] * b[k][j], for m x n results at y[i * y_i + j * y_j].  c may be
 * y; it may be NULL: then the sum starts with its first product. Lanes hold columns, or rows if that leaves
 * fewer lanes idle. */
NN_INLINE void nn_matmul(long m, long n, long depth, nn_matrix a, nn_matrix b, nn_matrix c, real *y, long y_i,
                         long y_j) {
    enum { VECTOR = sizeof(nn_vector) / sizeof(real) };
    const long across = n < VECTOR ? 0 : 2 * m * n; /* what it takes to turn the results */
    if (!NN_IS_FLAT(m, n, depth, c, y_j) &&
        m * ((n + VECTOR - 1) / VECTOR) * depth > n * ((m + VECTOR - 1) / VECTOR) * depth + across) {
        const nn_matrix left = {a.at, a.column, a.row};
        a = (nn_matrix){b.at, b.column, b.row};
        b = left;
        c = (nn_matrix){c.at, c.column, c.row};
        const long rows = m, step = y_i;
        m = n, n = rows, y_i = y_j, y_j = step;
    }
    const long parts = NN_THREADS, i_parts = m < n ? 1 : parts, j_parts = m < n ? parts : 1;
    NN_PARALLEL(m * n * depth)
    for (long part = 0; part < parts; part++) {
        const long i = part % i_parts * m / i_parts, i_end = (part % i_parts + 1) * m / i_parts;
        const long j = part % j_parts * n / j_parts / LANES * LANES;
        const long j_end =
            part % j_parts + 1 == j_parts ? n : (part % j_parts + 1) * n / j_parts / LANES * LANES;
        if (i < i_end && j < j_end)
            nn_matmul_panels(i_end - i, j_end - j, depth, &(nn_matrix){a.at + i * a.row, a.row, a.column},
                             &(nn_matrix){b.at + j * b.column, b.row, b.column},
                             &(nn_matrix){c.at ? c.at + i * c.row + j * c.column : NULL, c.row, c.column},
                             y + i * y_i + j * y_j, y_i, y_j);
    }
}

/*@ nn_matmul_rows: nn_matmul */
/* y[j][r] = c[j] (or its plane) + sum over k of x[k][r] * w[k][j], for n results j and rows r of a tile;
 * `rows` is a whole number of vectors, of which `live` are rows of the batch.  x_k, w_k, w_j, c_j: distances
 * between consecutive k and j, in planes for x, in numbers for w, c (planes if c_rows).  c may be NULL. */
static void nn_matmul_rows(long n, long depth, long rows, long live, long stride, const real *x, long x_k,
                           const real *w, long w_k, long w_j, const real *c, long c_j, int c_rows, real *y) {
    const long whole = (live + LANES - 1) / LANES * LANES;
    nn_matmul(n,
              2 * live <= LANES ? live
              : whole < rows    ? whole
                                : rows,
              depth, (nn_matrix){w, w_j, w_k}, (nn_matrix){x, x_k * stride, 1},
              (nn_matrix){c, c_rows ? c_j * stride : c_j, c_rows ? 1 : 0}, y, stride, 1);
}

/*@ nn_matmul_chain: nn_matmul */
/* y[i][j] += a[i][r] * b[j][r], row after row, or where `first` y[i][j] = 0 + these.  a_i, b_j in planes; y_i
 * in numbers. */
static void nn_matmul_chain(long m, long n, long rows, long stride, const real *a, long a_i, const real *b,
                            long b_j, int first, real *y, long y_i) {
    const real zero = 0;
    nn_matmul(m, n, rows, (nn_matrix){a, a_i * stride, 1}, (nn_matrix){b, 1, b_j * stride},
              first ? (nn_matrix){&zero, 0, 0} : (nn_matrix){y, y_i, 1}, y, y_i, 1);
}

/*@ nn_matmul_once: nn_matmul */
/* y[i][j] = c[i][j] + sum over k of a[i][k] * b[k][j], nothing with rows; all distances in numbers. */
static void nn_matmul_once(long m, long n, long depth, const real *a, long a_i, long a_k, const real *b,
                           long b_k, long b_j, const real *c, long c_i, long c_j, real *y) {
    nn_matmul(m, n, depth, (nn_matrix){a, a_i, a_k}, (nn_matrix){b, b_k, b_j}, (nn_matrix){c, c_i, c_j}, y, n,
              1);
}

/*@ nn_matmul_pair: nn_matrix nn_vector nn_vector_fma */
/* y[i][j] = c[i][j] + sum over k of a[k][i] * b[k][j], each one vector, for `rows` i and `columns` j.  c.at
 * may be NULL; with `spread` it is one number for all lanes. */
NN_INLINE void nn_matmul_pair(const long rows, const long columns, long depth, const real *a, long a_i,
                              long a_k, const real *b, long b_k, long b_j, nn_matrix c, int spread, real *y,
                              long y_i, long y_j) {
    const nn_vector zero = {0};
    nn_vector sum[4][NN_RESULTS / 3];
    NN_UNROLL
    for (long i = 0; i < rows; i++)
        NN_UNROLL
    for (long j = 0; j < columns; j++)
        if (!c.at)
            sum[i][j] = *(const nn_vector *)(a + i * a_i) * *(const nn_vector *)(b + j * b_j);
        else if (spread)
            sum[i][j] = c.at[i * c.row + j * c.column] - zero;
        else
            sum[i][j] = *(const nn_vector *)(c.at + i * c.row + j * c.column);
    for (long k = c.at ? 0 : 1; k < depth; k++) {
        nn_vector v[NN_RESULTS / 3];
        NN_UNROLL
        for (long j = 0; j < columns; j++)
            v[j] = *(const nn_vector *)(b + k * b_k + j * b_j);
        NN_UNROLL
        for (long i = 0; i < rows; i++)
            NN_UNROLL
        for (long j = 0; j < columns; j++)
            sum[i][j] = nn_vector_fma(*(const nn_vector *)(a + k * a_k + i * a_i), v[j], sum[i][j]);
    }
    NN_UNROLL
    for (long i = 0; i < rows; i++)
        NN_UNROLL
    for (long j = 0; j < columns; j++)
        *(nn_vector *)(y + i * y_i + j * y_j) = sum[i][j];
}

/*@ nn_matmul_pairs: nn_matmul_pair */
/* The same for m x n results, in blocks whose sums stay in registers. */
static void nn_matmul_pairs(long m, long n, long depth, const real *a, long a_i, long a_k, const real *b,
                            long b_k, long b_j, const nn_matrix *c, int spread, real *y, long y_i, long y_j) {
    enum { ROWS = 4, COLUMNS = NN_RESULTS / 3 };
#define NN_PAIR(rows, columns)                                                                        \
    nn_matmul_pair(rows, columns, depth, a + i * a_i, a_i, a_k, b + j * b_j, b_k, b_j,                \
                   (nn_matrix){c->at ? c->at + i * c->row + j * c->column : NULL, c->row, c->column}, \
                   spread, y + i * y_i + j * y_j, y_i, y_j)
    for (long i = 0; i < m; i += i + ROWS <= m ? ROWS : 1)
        for (long j = 0; j < n; j += j + COLUMNS <= n ? COLUMNS : 1) {
            if (i + ROWS <= m && j + COLUMNS <= n)
                NN_PAIR(ROWS, COLUMNS);
            else if (i + ROWS <= m)
                NN_PAIR(ROWS, 1);
            else if (j + COLUMNS <= n)
                NN_PAIR(1, COLUMNS);
            else
                NN_PAIR(1, 1);
        }
#undef NN_PAIR
}

/*@ nn_matmul_planes: nn_matmul_pairs */
/* y[i][j] = c[i][j] + sum over k of a[i][k] * b[k][j] for m x n planes, row by row: both sides differ from
 * row to row. `rows` is a whole number of vectors.  Distances in planes; those of c in numbers where it has
 * no rows. */
static void nn_matmul_planes(long m, long n, long depth, long rows, long stride, const real *a, long a_i,
                             long a_k, const real *b, long b_k, long b_j, const real *c, long c_i, long c_j,
                             int c_rows, real *y) {
    enum { VECTOR = sizeof(nn_vector) / sizeof(real) };
    const long c_step = c_rows ? stride : 1;
    for (long r = 0; r < rows; r += VECTOR)
        nn_matmul_pairs(m, n, depth, a + r, a_i * stride, a_k * stride, b + r, b_k * stride, b_j * stride,
                        &(nn_matrix){c ? c + (c_rows ? r : 0) : NULL, c_i * c_step, c_j * c_step}, !c_rows,
                        y + r, n * stride, stride);
}

/*@ nn_matmul_lanes: nn_fma nn_matmul_pairs */
/* lanes[i][j][r mod LANES] += a[i][r] * b[j][r] over the rows of a tile.  a_i, b_j in planes. */
static void nn_matmul_lanes(long m, long n, long rows, long stride, const real *a, long a_i, const real *b,
                            long b_j, real *lanes) {
    enum { VECTOR = sizeof(nn_vector) / sizeof(real) };
    const long whole = rows - rows % LANES;
    for (long l = 0; l < LANES; l += VECTOR)
        nn_matmul_pairs(m, n, whole / LANES, a + l, a_i * stride, LANES, b + l, LANES, b_j * stride,
                        &(nn_matrix){lanes + l, n * LANES, LANES}, 0, lanes + l, n * LANES, LANES);
    for (long i = 0; i < m && whole < rows; i++)
        for (long j = 0; j < n; j++)
            for (long l = 0; l < rows - whole; l++)
                lanes[(i * n + j) * LANES + l] =
                    nn_fma(a[i * a_i * stride + whole + l], b[j * b_j * stride + whole + l],
                           lanes[(i * n + j) * LANES + l]);
}

/*@ nn_end: */
