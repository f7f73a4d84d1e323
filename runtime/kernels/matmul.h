/* Kernels of matrix products.  One text, used twice: the interpreter compiles it for both element types
 * (`real`, LANES), and emitted C contains the sections that it calls, with the type written in.
 *
 * One kernel serves all products: rows of the batch, weights, or results lie in vectors, whichever leaves
 * fewer lanes idle.  A block of results is kept in registers while k runs; what it reads is packed only where
 * it does not lie in a row, or not close enough, and then stretches of k and panels of columns are as long as
 * the caches hold.  How large they are changes no bit: each result is its start, then product after product
 * in the order of k.
 *
 * A plane is `stride` numbers, one for each row of a tile.
 */

/*@ nn_matrix: */
/* Where a matrix lies: element (i, j) is at[i * row + j * column]. */
typedef struct {
    const real *at;
    long row, column;
} nn_matrix;

/*@ nn_matmul_tile: nn_matrix nn_half_fma nn_half_get nn_half_put */
/* y = c + sum over k of a[i][k] * b[k][l] for `results` i and `vectors` vectors of l, of whose last only the
 * first `last` numbers are there; or, where `narrow`, as many beside them, at most half a vector.  Then
 * `more` times the same beside it, for which b moves on by b_j, or where that is 0 below it.  c.column is 1,
 * or 0: one number for all l. Distances a_k, b_k and b_j are in bytes: of a loop over an unknown number of
 * numbers gcc makes another for 1, and has no registers left. */
NN_INLINE void nn_matmul_tile(const long results, const long vectors, const int narrow, long last, long more,
                              long depth, const real *a, const long a_i, const long a_k, const real *b,
                              const long b_k, const long b_j, nn_matrix c, real *y, const long y_i) {
    enum { VECTOR = sizeof(nn_vector) / sizeof(real) };
    const nn_vector zero = {0}; /* a number less zero is the number for all lanes, also where it is -0 */
    const nn_half none = {0};
    nn_vector sum[NN_RESULTS][NN_ACROSS], v[NN_ACROSS];
    nn_half rest[NN_RESULTS], w = none;
    const real *left[NN_RESULTS / 3]; /* each for three rows of a: there are no more registers */
#define NN_VECTOR_AT(p, q)                                                \
    (narrow || (q) + 1 < vectors ? *(const nn_vector *)((p) + (q)*VECTOR) \
                                 : nn_vector_get((p) + (q)*VECTOR, last))
#define NN_MOVE(p, bytes) p = (const real *)((const char *)(p) + (bytes))
    do {
        const real *right = b;
        long k = depth;
        NN_EACH (g, (results + 2) / 3)
            left[g] = a + 3 * g * a_i;
        NN_EACH (i, results) {
            const real *const start = c.at + i * c.row;
            NN_EACH (q, vectors)
                if (c.column)
                    sum[i][q] = NN_VECTOR_AT(start, q);
                else
                    sum[i][q] = *start - zero;
            if (narrow && c.column)
                rest[i] = nn_half_get(start + vectors * VECTOR, last);
            else if (narrow)
                rest[i] = *start - none;
        }
        do {
            NN_EACH (q, vectors)
                v[q] = NN_VECTOR_AT(right, q);
            if (narrow)
                w = nn_half_get(right + vectors * VECTOR, last);
            NN_EACH (i, results) {
                NN_EACH (q, vectors)
                    sum[i][q] = nn_vector_fma(v[q], left[i / 3][i % 3 * a_i] - zero, sum[i][q]);
                if (narrow)
                    rest[i] = nn_half_fma(w, left[i / 3][i % 3 * a_i] - none, rest[i]);
            }
            NN_EACH (g, (results + 2) / 3)
                NN_MOVE(left[g], a_k);
            NN_MOVE(right, b_k);
        } while (--k > 0);
        NN_EACH (i, results) {
            NN_EACH (q, vectors)
                if (narrow || q + 1 < vectors)
                    *(nn_vector *)(y + i * y_i + q * VECTOR) = sum[i][q];
                else
                    nn_vector_put(y + i * y_i + q * VECTOR, last, sum[i][q]);
            if (narrow)
                nn_half_put(y + i * y_i + vectors * VECTOR, last, rest[i]);
        }
        NN_MOVE(b, b_j);
        a += b_j ? 0 : results * a_i;
        c.at += b_j ? c.column * vectors * VECTOR : results * c.row;
        y += b_j ? vectors * VECTOR : results * y_i;
    } while (--more >= 0);
#undef NN_VECTOR_AT
#undef NN_MOVE
}

/*@ nn_matmul_block: nn_matmul_tile */
/* The same for numbers of results and vectors known only when it runs. */
NN_SINGLE static void nn_matmul_block(long results, long vectors, int narrow, long last, long more,
                                      long depth, const real *a, long a_i, long a_k, const real *b, long b_k,
                                      long b_j, const real *c, long c_i, long c_j, real *y, long y_i) {
#define NN_TILE(n, wide, narrow, end)                                                                        \
    nn_matmul_tile(n, wide, narrow, end, more, depth, a, a_i, a_k, b, b_k, b_j, (nn_matrix){c, c_i, c_j}, y, \
                   y_i)
#define NN_CASE(n, wide, narrow)        \
    case 32 * n + 2 * wide + narrow:    \
        NN_TILE(n, wide, narrow, last); \
        break
#if NN_NARROW
#define NN_HALF(n, wide) NN_CASE(n, wide, 1)
#else
#define NN_HALF(n, wide)
#endif
#define NN_HIGH(n)                    \
    NN_HALF(n, 0);                    \
    NN_HALF(n, 1);                    \
    NN_CASE(n, 1, 0);                 \
    case 32 * n + 4:                  \
        if (last == VECTOR)           \
            NN_TILE(n, 2, 0, VECTOR); \
        else                          \
            NN_TILE(n, 2, 0, last);   \
        break
#define NN_WIDE(wide)    \
    NN_CASE(1, wide, 0); \
    NN_CASE(2, wide, 0); \
    NN_CASE(3, wide, 0)
    enum { VECTOR = sizeof(nn_vector) / sizeof(real) };
    switch (32 * results + 2 * vectors + narrow) {
        NN_HIGH(1);
        NN_HIGH(2);
        NN_HIGH(3);
        NN_HIGH(4);
        NN_HIGH(5);
        NN_HIGH(6);
        NN_WIDE(3);
        NN_WIDE(4);
#if NN_RESULTS == 12
        NN_HIGH(7);
        NN_HIGH(8);
        NN_HIGH(9);
        NN_HIGH(10);
        NN_HIGH(11);
        NN_HIGH(12);
        NN_WIDE(5);
        NN_WIDE(6);
        NN_WIDE(7);
        NN_WIDE(8);
#endif
    }
#undef NN_WIDE
#undef NN_HIGH
#undef NN_HALF
#undef NN_CASE
#undef NN_TILE
}

/*@ nn_matmul_strip: nn_matmul_block */
/* The same for any number of columns, in tiles of `wide`, at most NN_ACROSS vectors (of more than three
 * results two); b moves on by b_j numbers from tile to tile, and the rows of its last tile lie `last_k`
 * apart.  Where there are several blocks of results, one below the other, a tile goes down along them instead
 * of across. */
static void nn_matmul_strip(long results, long blocks, long columns, long wide, long depth,
                            const nn_matrix *a, const real *b, long b_k, long last_k, long b_j,
                            const nn_matrix *c, real *y, long y_i) {
    enum { VECTOR = sizeof(nn_vector) / sizeof(real), SIZE = sizeof(real) };
    const long tiles = columns < wide ? 0 : columns / wide, rest = columns - tiles * wide;
    const int down = blocks > 1;
    const long more = down ? blocks - 1 : tiles - 1, across = down ? 0 : b_j * SIZE, step = down ? 1 : tiles;
    for (long t = 0; t < tiles; t += step)
        nn_matmul_block(results, wide / VECTOR, 0, VECTOR, more, depth, a->at, a->row, a->column * SIZE,
                        b + t * b_j, b_k * SIZE, across, c->at + t * wide * c->column, c->row, c->column,
                        y + t * wide, y_i);
    if (rest > 0) {
        const long whole = (rest - 1) / VECTOR, last = rest - whole * VECTOR;
        const int narrow = NN_NARROW && 2 * last <= VECTOR && whole < 2;
        nn_matmul_block(results, narrow ? whole : whole + 1, narrow, last, blocks - 1, depth, a->at, a->row,
                        a->column * SIZE, b + tiles * b_j, last_k * SIZE, 0, c->at + tiles * wide * c->column,
                        c->row, c->column, y + tiles * wide, y_i);
    }
}

/*@ nn_matmul_copy: nn_vector_get nn_vector_put */
/* Few numbers: a function for many would take longer. */
NN_INLINE void nn_matmul_copy(long count, const real *restrict from, real *restrict to) {
    enum { VECTOR = sizeof(nn_vector) / sizeof(real) };
    long i = 0;
    for (; i + VECTOR <= count; i += VECTOR)
        *(nn_vector *)(to + i) = *(const nn_vector *)(from + i);
    if (i < count)
        nn_vector_put(to + i, count - i, nn_vector_get(from + i, count - i));
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

/*@ nn_matmul_pack: nn_matrix nn_matmul_copy nn_strip_turn nn_turn nn_fetch */
/* to[k * wide + i] = x[i][k] for i < count and k < depth. */
static void nn_matmul_pack(long count, long wide, long depth, const nn_matrix *x, real *to) {
    enum { STRIP = NN_STRIP(real), TURNS = NN_TURNS(real) };
    if (x->row == 1) {
        /* Rows may lie far apart: what follows below is asked for, and beside, for the next call. */
        for (long k = 0; k < depth; k++) {
            for (long i = 0; i < count; i += LANES) {
                NN_FETCH(x->at, (k + 8) * x->column + i, 1);
                NN_FETCH(x->at, k * x->column + count + i, 2);
            }
            nn_matmul_copy(count, x->at + k * x->column, to + k * wide);
        }
        return;
    }
    if (count == 1) {
        for (long k = 0; k < depth; k++)
            to[k * wide] = x->at[k * x->column];
        return;
    }
    if (count < 4) {
        const real *p = x->at;
        for (long k = 0; k < depth; k++, p += x->column, to += wide) {
            to[0] = p[0];
            to[1] = p[x->row];
            if (count > 2)
                to[2] = p[2 * x->row];
        }
        return;
    }
    /* A line of the cache from every row, then the next. */
    for (long from = 0; from < depth; from += LANES) {
        const long end = depth - from < LANES ? depth : from + LANES;
        long i = 0;
#if NN_SHUFFLES
        for (; i + STRIP <= count && x->column == 1 && end >= TURNS; i += STRIP) {
            long k = from, at[STRIP];
            NN_EACH (l, STRIP)
                at[l] = (i + l) * x->row;
            for (; k < end; k += TURNS) {
                nn_strip turned[TURNS];
                k = k + TURNS <= end ? k : end - TURNS; /* the last few with some before */
                nn_strip_turn(x->at + k, at, turned);
                NN_EACH (u, TURNS)
                    *(nn_strip *)(to + (k + u) * wide + i) = turned[u];
            }
        }
#endif
        for (; i < count; i += 4) {
            i = i + 4 <= count ? i : count - 4; /* the last few with some before */
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
    }
}

/*@ nn_matmul_turned: nn_matmul_pack nn_matmul_strip */
/* The same where results or their start lie column after column: tile by tile by way of memory of its own. */
static void nn_matmul_turned(long results, long columns, long wide, long depth, const nn_matrix *a,
                             const real *b, long b_k, long last_k, long b_j, const nn_matrix *c, real *y,
                             long y_i, long y_j) {
    real tile[3 * NN_ACROSS * sizeof(nn_vector) / sizeof(real)]; /* as many as registers hold */
    for (long j = 0; j < columns; j += wide, b += b_j) {
        const long width = columns - j < wide ? columns - j : wide;
        real *const to = y_j == 1 ? y + j : tile;
        nn_matrix start = {c->at + j * c->column, c->row, c->column};
        if (c->column != 0) {
            nn_matmul_pack(width, wide, results, &(nn_matrix){start.at, c->column, c->row}, tile);
            start = (nn_matrix){tile, wide, 1};
        }
        nn_matmul_strip(results, 1, width, wide, depth, a, b, b_k, last_k, 0, &start, to,
                        y_j == 1 ? y_i : wide);
        if (y_j != 1)
            nn_matmul_pack(results, y_j, width, &(nn_matrix){tile, wide, 1}, y + j * y_j);
    }
}

/*@ nn_matmul_few_columns: nn_matrix nn_vector_fma nn_vector_get nn_vector_put */
/* y = c + the sum of a few terms, for `vectors` vectors of columns, of whose last only the first `last`
 * numbers are there: their terms stay in registers while rows go by.  Columns of b and y lie side by side,
 * and those of c, or it is one number for a row. */
#define NN_FEW 8
#define NN_FEW_CASES \
    NN_CASE(1); \
    NN_CASE(2); \
    NN_CASE(3); \
    NN_CASE(4); \
    NN_CASE(5); \
    NN_CASE(6); \
    NN_CASE(7); \
    NN_CASE(8)
NN_INLINE void nn_matmul_few_columns(const long terms, const long vectors, const long last, long m,
                                     const real *a, const long a_i, const long a_k, const real *b,
                                     const long b_k, nn_matrix c, real *y, const long y_i) {
    enum { VECTOR = sizeof(nn_vector) / sizeof(real) };
    const nn_vector zero = {0};
    nn_vector right[NN_FEW][2], sum[2];
    NN_EACH (k, terms)
        NN_EACH (q, vectors)
            right[k][q] = nn_vector_get(b + k * b_k + q * VECTOR, q + 1 < vectors ? VECTOR : last);
    for (; m > 0; m--) {
        NN_EACH (q, vectors)
            if (c.column)
                sum[q] = nn_vector_get(c.at + q * VECTOR, q + 1 < vectors ? VECTOR : last);
            else
                sum[q] = *c.at - zero;
        NN_EACH (k, terms)
            NN_EACH (q, vectors)
                sum[q] = nn_vector_fma(right[k][q], a[k * a_k] - zero, sum[q]);
        NN_EACH (q, vectors)
            if (q + 1 < vectors)
                *(nn_vector *)(y + q * VECTOR) = sum[q];
            else
                nn_vector_put(y + q * VECTOR, last, sum[q]);
        a += a_i, c.at += c.row, y += y_i;
    }
}

/*@ nn_matmul_few_block: nn_matmul_few_columns */
/* The same for a number of terms known only when it runs, and any number of columns. */
NN_SINGLE static void nn_matmul_few_block(long terms, long m, long n, const real *a, long a_i, long a_k,
                                          const real *b, long b_k, const nn_matrix *c, real *y, long y_i) {
    enum { VECTOR = sizeof(nn_vector) / sizeof(real) };
#define NN_COLUMNS(terms, vectors, last)                                    \
    nn_matmul_few_columns(terms, vectors, last, m, a, a_i, a_k, b + j, b_k, \
                          (nn_matrix){c->at + j * c->column, c->row, c->column}, y + j, y_i)
#define NN_CASE(terms)                               \
    case terms:                                      \
        for (; j + 2 * VECTOR <= n; j += 2 * VECTOR) \
            NN_COLUMNS(terms, 2, VECTOR);            \
        if (n - j > VECTOR)                          \
            NN_COLUMNS(terms, 2, n - j - VECTOR);    \
        else if (n > j)                              \
            NN_COLUMNS(terms, 1, n - j);             \
        break
    long j = 0;
    switch (terms) {
        NN_FEW_CASES;
    }
#undef NN_CASE
#undef NN_COLUMNS
}

/*@ nn_matmul_few: nn_matmul_few_block nn_matmul_pack */
/* A product of few terms, whose columns lie side by side in y: some rows at a time, so that lines of the
 * cache are written whole. */
static void nn_matmul_few(long m, long n, long terms, const nn_matrix *a, const nn_matrix *b,
                          const nn_matrix *c, real *y, long y_i) {
    enum { WIDE = 2 * sizeof(nn_vector) / sizeof(real), PANEL = 64 * LANES };
    real right[NN_FEW * PANEL];
    for (long from = 0; from < n; from += PANEL) {
        const long columns = n - from < PANEL ? n - from : PANEL;
        const long most = m <= 16 || columns <= WIDE ? m : 16 + 2 * PANEL / columns;
        const real *p = b->at + from * b->column;
        long p_k = b->row;
        if (b->column != 1) {
            nn_matmul_pack(columns, columns, terms, &(nn_matrix){p, b->column, b->row}, right);
            p = right, p_k = columns;
        }
        for (long i = 0; i < m; i += most)
            nn_matmul_few_block(terms, m - i < most ? m - i : most, columns, a->at + i * a->row, a->row,
                                a->column, p, p_k,
                                &(nn_matrix){c->at + i * c->row + from * c->column, c->row, c->column},
                                y + i * y_i + from, y_i);
    }
}

/*@ nn_matmul_add_row: nn_matmul_few_columns */
/* y = c + the sum of a few terms for one row.  Columns of b and y lie side by side, and those of c, or it is
 * one number. */
NN_INLINE void nn_matmul_add_row(const long terms, long n, const nn_matrix *a, const real *b, const long b_k,
                                 nn_matrix c, real *y) {
    enum { VECTOR = sizeof(nn_vector) / sizeof(real) };
    const nn_vector zero = {0};
    const long whole = (n - 1) / VECTOR * VECTOR, last = n - whole;
    nn_vector left[NN_FEW], sum = c.at[0] - zero;
    NN_EACH (k, terms)
        left[k] = a->at[k * a->column] - zero;
    for (long j = 0; j < whole; j += VECTOR) {
        nn_vector here = sum;
        if (c.column)
            here = *(const nn_vector *)(c.at + j);
        NN_EACH (k, terms)
            here = nn_vector_fma(*(const nn_vector *)(b + k * b_k + j), left[k], here);
        *(nn_vector *)(y + j) = here;
    }
    if (c.column)
        sum = nn_vector_get(c.at + whole, last);
    NN_EACH (k, terms)
        sum = nn_vector_fma(nn_vector_get(b + k * b_k + whole, last), left[k], sum);
    nn_vector_put(y + whole, last, sum);
}

/*@ nn_matmul_row: nn_matmul_add_row */
/* One row by a matrix that lies row after row, which is read from front to back, a few terms at a time, while
 * the sums stay in the first-level cache. */
NN_SINGLE static void nn_matmul_row(long n, long depth, const nn_matrix *a, const nn_matrix *b,
                                    const nn_matrix *c, real *y, long y_j) {
    enum { PANEL = 64 * LANES };
    real sums[PANEL];
    for (long from = 0; from < n; from += PANEL)
        for (long k = 0; k < depth; k += NN_FEW) {
            const long columns = n - from < PANEL ? n - from : PANEL;
            const nn_matrix left = {a->at + k * a->column, a->row, a->column};
            const real *const p = b->at + k * b->row + from;
            real *const to = y_j == 1 ? y + from : sums;
            nn_matrix start = {c->at + from * c->column, c->row, c->column};
            if (k)
                start = (nn_matrix){to, 0, 1};
#define NN_CASE(terms)                                                  \
    case terms:                                                         \
        nn_matmul_add_row(terms, columns, &left, p, b->row, start, to); \
        break
            switch (depth - k < NN_FEW ? depth - k : NN_FEW) {
                NN_FEW_CASES;
            }
#undef NN_CASE
            for (long j = 0; j < columns && y_j != 1 && k + NN_FEW >= depth; j++)
                y[(from + j) * y_j] = sums[j];
        }
}

/*@ nn_matmul_dots: nn_matrix nn_strip_fma nn_strip_turn */
/* `rows` rows of results of a matrix that lies column after column (b.row is 1), turned in registers:
 * `strips` strips of its n columns, of which the last begins early enough to be whole.  Where there are `few`
 * columns, not even a strip, the last is taken again for those that are not there.  There are NN_TURNS(real)
 * terms or more. */
#if NN_SHUFFLES
NN_INLINE void nn_matmul_dots(const long rows, const long strips, const int few, long n, long depth,
                              const nn_matrix *a, const nn_matrix *b, const nn_matrix *c, real *y, long y_i,
                              long y_j) {
    enum { STRIP = NN_STRIP(real), TURNS = NN_TURNS(real) };
    const nn_strip zero = {0};
    const long a_k = a->column;
    nn_strip sum[8][4];
    real numbers[STRIP];
    const real *left = a->at, *right[4];
    long k = depth, from[4], at[STRIP];
    NN_EACH (l, STRIP)
        at[l] = (few && l >= n ? n - 1 : l) * b->column;
    NN_EACH (g, strips) {
        from[g] = few || (g + 1) * STRIP <= n ? g * STRIP : n - STRIP;
        right[g] = b->at + from[g] * b->column;
    }
    NN_EACH (i, rows)
        NN_EACH (g, strips) {
            const real *const start = c->at + i * c->row + from[g] * c->column;
            if (c->column == 0)
                sum[i][g] = *start - zero;
            else if (c->column == 1 && !few)
                sum[i][g] = *(const nn_strip *)start;
            else {
                for (long l = 0; l < STRIP; l++)
                    numbers[l] = start[(few && l >= n ? n - 1 : l) * c->column];
                sum[i][g] = *(const nn_strip *)numbers;
            }
        }
#define NN_TERMS(first)                                                                                \
    NN_EACH (g, strips) {                                                                              \
        nn_strip turned[TURNS];                                                                        \
        nn_strip_turn(right[g], at, turned);                                                           \
        NN_EACH (u, TURNS)                                                                             \
            if (u >= (first))                                                                          \
                NN_EACH (i, rows)                                                                      \
                    sum[i][g] = nn_strip_fma(turned[u], left[i * a->row + u * a_k] - zero, sum[i][g]); \
    }
    for (; k >= TURNS; k -= TURNS) {
        NN_TERMS(0)
        NN_EACH (g, strips)
            right[g] += TURNS;
        left += TURNS * a_k;
    }
    if (k > 0) { /* the last few with some before */
        left -= (TURNS - k) * a_k;
        NN_EACH (g, strips)
            right[g] -= TURNS - k;
        NN_TERMS(TURNS - k)
    }
#undef NN_TERMS
    NN_EACH (i, rows)
        NN_EACH (g, strips) {
            real *const to = y + i * y_i + from[g] * y_j;
            if (y_j == 1 && !few)
                *(nn_strip *)to = sum[i][g];
            else {
                *(nn_strip *)numbers = sum[i][g];
                for (long l = 0; l < (few ? n : STRIP); l++)
                    to[l * y_j] = numbers[l];
            }
        }
}
#endif

/*@ nn_matmul_columns: nn_matmul_dots */
/* Up to NN_DOTS rows of results of such a matrix, by as many strips at a time as there are registers for. */
#if NN_NARROW /* more rows fill half a vector */
#define NN_DOTS 4
#else
#define NN_DOTS 8
#endif
#if NN_SHUFFLES
NN_SINGLE static void nn_matmul_columns(long m, long n, long depth, const nn_matrix *a, const nn_matrix *b,
                                        const nn_matrix *c, real *y, long y_i, long y_j) {
    enum { STRIP = NN_STRIP(real) };
    const long strips = (n + STRIP - 1) / STRIP,
               most = m > 4   ? 1
                      : m > 2 ? 2
                              : 4,
               groups = (strips + most - 1) / most;
    for (long g = 0; g < groups; g++) {
        const long from = g * strips / groups, end = (g + 1) * strips / groups, j = from * STRIP;
        const long columns = g + 1 < groups ? (end - from) * STRIP : n - j;
        const nn_matrix b_here = {b->at + j * b->column, b->row, b->column};
        const nn_matrix c_here = {c->at + j * c->column, c->row, c->column};
#define NN_CASE(rows, strips, few)                                                                     \
    case 8 * rows + (few ? 0 : strips):                                                                  \
        nn_matmul_dots(rows, strips, few, columns, depth, a, &b_here, &c_here, y + j * y_j, y_i, y_j); \
        break
#define NN_CASES(rows)   \
    NN_CASE(rows, 1, 1); \
    NN_CASE(rows, 1, 0)
        switch (8 * m + (columns < STRIP ? 0 : end - from)) {
            NN_CASES(1);
            NN_CASES(2);
            NN_CASES(3);
            NN_CASES(4);
            NN_CASE(1, 2, 0);
            NN_CASE(1, 3, 0);
            NN_CASE(1, 4, 0);
            NN_CASE(2, 2, 0);
            NN_CASE(2, 3, 0);
            NN_CASE(2, 4, 0);
            NN_CASE(3, 2, 0);
            NN_CASE(4, 2, 0);
#if NN_DOTS == 8
            NN_CASES(5);
            NN_CASES(6);
            NN_CASES(7);
            NN_CASES(8);
#endif
        }
#undef NN_CASES
#undef NN_CASE
    }
}
#endif

/*@ nn_matmul_pack_blocks: nn_matrix nn_matmul_copy */
/* Blocks of results that lie side by side, each term of all before the next: they share lines of the cache.
 */
static void nn_matmul_pack_blocks(long m, long depth, const nn_matrix *a, real *to) {
    for (long k = 0; k < depth; k++)
        for (long i = 0; i < m; i += NN_RESULTS) {
            const long results = m - i < NN_RESULTS ? m - i : NN_RESULTS;
            nn_matmul_copy(results, a->at + k * a->column + i, to + i * depth + k * results);
        }
}

/*@ nn_matmul_tiles: nn_matmul_pack nn_matmul_pack_blocks nn_matmul_turned */
/* Tiles of results stay in registers; what they read is packed where that pays. */
static void nn_matmul_tiles(long m, long n, long depth, const nn_matrix *a, const nn_matrix *b,
                            const nn_matrix *c, real *y, long y_i, long y_j) {
    enum { VECTOR = sizeof(nn_vector) / sizeof(real), STRETCH = 256, PANEL = 18 * LANES };
    enum { GROUP = 4 * NN_RESULTS, PAGE = 4096 / sizeof(real) };
    real right[PANEL * STRETCH], left[GROUP * STRETCH];
    const long wide = (m > 3 ? 2 : NN_ACROSS) * VECTOR;
    /* What lies in a row is read there, unless it is read several times and the second-level cache does not
     * hold it. */
    const int packs = b->column != 1 || (m > NN_RESULTS && n * depth > 16384 * LANES);
    long panel = n, stretch = depth;
    if (packs && n > PANEL) {
        const long panels = (n + PANEL - 1) / PANEL;
        panel = ((n + panels - 1) / panels + 2 * VECTOR - 1) / (2 * VECTOR) * (2 * VECTOR);
    }
    if ((packs || a->row == 1) && depth > STRETCH) { /* also where results share lines of the cache */
        const long stretches = (depth + STRETCH - 1) / STRETCH;
        stretch = (depth + stretches - 1) / stretches;
    }
    /* Of results side by side, each term lies in another page. */
    const int scattered = a->row == 1 && a->column >= PAGE && panel > 4 * wide;
    for (long from = 0; from < n; from += panel)
        for (long k = 0; k < depth; k += stretch) {
            const long columns = n - from < panel ? n - from : panel,
                       count = depth - k < stretch ? depth - k : stretch;
            const nn_matrix start = k ? (nn_matrix){y, y_i, y_j} : *c;
            const real *q = b->at + k * b->row + from * b->column;
            long q_k = b->row, last_k = b->row, q_j = wide;
            if (packs) {
                for (long j = 0; j < columns; j += wide) {
                    const long width = columns - j < wide ? columns - j : wide;
                    last_k = (width + VECTOR - 1) / VECTOR * VECTOR;
                    nn_matmul_pack(width, last_k, count, &(nn_matrix){q + j * b->column, b->column, b->row},
                                   right + j * count);
                }
                q = right, q_k = wide, q_j = wide * count;
            }
            const int straight = y_j == 1 && (start.column == 1 || start.column == 0);
            /* Below each other where the first-level cache keeps them for the next tile, or there is none. */
            const int down = straight && !scattered && (columns <= 2 * wide || m * count <= 512 * LANES);
            for (long i = 0, blocks; i < m; i += blocks * NN_RESULTS) {
                blocks = down && i == 0 && m >= NN_RESULTS ? m / NN_RESULTS : 1;
                const long results = m - i < NN_RESULTS ? m - i : NN_RESULTS;
                nn_matrix p = {a->at + i * a->row + k * a->column, a->row, a->column};
                if (scattered && i % GROUP == 0)
                    nn_matmul_pack_blocks(m - i < GROUP ? m - i : GROUP, count, &p, left);
                if (scattered)
                    p = (nn_matrix){left + i % GROUP * count, 1, results};
                const nn_matrix begin = {start.at + i * start.row + from * start.column, start.row,
                                         start.column};
                real *const to = y + i * y_i + from * y_j;
                if (straight)
                    nn_matmul_strip(results, blocks, columns, wide, count, &p, q, q_k, last_k, q_j, &begin,
                                    to, y_i);
                else
                    nn_matmul_turned(results, columns, wide, count, &p, q, q_k, last_k, q_j, &begin, to, y_i,
                                     y_j);
            }
        }
}

/*@ nn_matmul_panels: nn_matmul_columns nn_matmul_few nn_matmul_row nn_matmul_tiles */
/* nn_matmul with columns in lanes, for one thread: by whichever way suits the size. */
static void nn_matmul_panels(long m, long n, long depth, const nn_matrix *a, const nn_matrix *b,
                             const nn_matrix *c, real *y, long y_i, long y_j) {
    enum { MANY = (1 << 23) / sizeof(real) }; /* 8 MiB come from memory, which likes them from front to back */
    const int side_by_side = c->column == 1 || c->column == 0;
    if (side_by_side && m == 1 && b->column == 1 && n * depth > MANY) {
        nn_matmul_row(n, depth, a, b, c, y, y_j);
        return;
    }
    if (side_by_side && depth <= NN_FEW && y_j == 1) {
        nn_matmul_few(m, n, depth, a, b, c, y, y_i);
        return;
    }
#if NN_SHUFFLES
    if (m <= NN_DOTS && b->row == 1 && b->column != 1 && depth >= NN_TURNS(real)) {
        nn_matmul_columns(m, n, depth, a, b, c, y, y_i, y_j);
        return;
    }
#endif
    nn_matmul_tiles(m, n, depth, a, b, c, y, y_i, y_j);
}

/*@ nn_matmul_time: nn_matmul_few nn_matmul_columns */
/* How long m results for each of n columns take, of which vectors of real numbers are made: in tenths of a
 * vector's product.  Half a vector takes a bit more than half of that; columns that do not lie in a row have
 * to be turned, for a few results in registers.  40 begin and end a block. */
NN_INLINE long nn_matmul_time(long m, long n, long depth, int turn) {
    enum { SIZE = sizeof(real), VECTOR = sizeof(nn_vector) / SIZE };
    const long vectors = (n + VECTOR - 1) / VECTOR, idle = vectors * VECTOR - n;
    const long product = 10 * vectors * (depth + 2);
    if (depth <= NN_FEW)
        return m * product + (turn ? 5 * n * depth / 2 : 0);
    return m * (product - (NN_NARROW && 2 * idle >= VECTOR ? 4 * depth : 0) + 40) +
           (turn ? (m <= NN_DOTS ? 3 : 6 + SIZE) * n * depth / 2 : 0);
}

/*@ nn_matmul: nn_parallel nn_threads nn_matmul_time nn_matmul_panels */
/* y[i][j] = c[i][j] + sum over k of a[i][k] * b[k][j], for m x n results at y[i * y_i + j * y_j].  c may be
 * y; it may be NULL: then the sum starts with its first product. Lanes hold columns, or rows if that leaves
 * fewer lanes idle. */
NN_INLINE void nn_matmul(long m, long n, long depth, nn_matrix a, nn_matrix b, nn_matrix c, real *y, long y_i,
                         long y_j) {
    const long straight = nn_matmul_time(m, n, depth, b.column != 1);
    const long turned =
        nn_matmul_time(n, m, depth, a.row != 1) + (n == 1 ? 0 : (depth > NN_FEW ? 6 : 10) * m * n);
    const real none = (real)-0.; /* what is added to it stays, also where that is -0 */
    if (!c.at)
        c = (nn_matrix){&none, 0, 0};
    if (turned + turned / 16 < straight) { /* in doubt as they lie */
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
                             &(nn_matrix){c.at + i * c.row + j * c.column, c.row, c.column},
                             y + i * y_i + j * y_j, y_i, y_j);
    }
}

/*@ nn_matmul_rows: nn_matmul */
/* y[j][r] = c[j] (or its plane) + sum over k of x[k][r] * w[k][j], for n results j and rows r of a tile;
 * `rows` is a whole number of vectors, of which `live` are rows of the batch.  x_k, w_k, w_j, c_j: distances
 * between consecutive k and j, in planes for x, in numbers for w, c (planes if c_rows).  c may be NULL. */
static void nn_matmul_rows(long n, long depth, long rows, long live, long stride, const real *x, long x_k,
                           const real *w, long w_k, long w_j, const real *c, long c_j, int c_rows, real *y) {
    const long halves = (live + LANES / 2 - 1) / (LANES / 2) * (LANES / 2);
    nn_matmul(n,
              2 * live <= LANES ? live
              : halves < rows   ? halves
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

/*@ nn_matmul_pair: nn_matrix nn_vector_fma */
/* y[i][j] = c[i][j] + sum over k of a[k][i] * b[k][j], each one vector, for `rows` i and `columns` j; with
 * `spread` c is one number for all lanes. */
NN_INLINE void nn_matmul_pair(const long rows, const long columns, long depth, const real *a, const long a_i,
                              const long a_k, const real *b, const long b_k, const long b_j, nn_matrix c,
                              const int spread, real *y, const long y_i, const long y_j) {
    const nn_vector zero = {0};
    nn_vector sum[4][NN_RESULTS / 3], v[NN_RESULTS / 3];
    NN_EACH (i, rows)
        NN_EACH (j, columns)
            if (spread)
                sum[i][j] = c.at[i * c.row + j * c.column] - zero;
            else
                sum[i][j] = *(const nn_vector *)(c.at + i * c.row + j * c.column);
    for (long k = 0; k < depth; k++) {
        NN_EACH (j, columns)
            v[j] = *(const nn_vector *)(b + k * b_k + j * b_j);
        NN_EACH (i, rows) {
            nn_vector u = *(const nn_vector *)(a + k * a_k + i * a_i);
            NN_HELD(u);
            NN_EACH (j, columns)
                sum[i][j] = nn_vector_fma(u, v[j], sum[i][j]);
        }
    }
    NN_EACH (i, rows)
        NN_EACH (j, columns)
            *(nn_vector *)(y + i * y_i + j * y_j) = sum[i][j];
}

/*@ nn_matmul_pairs: nn_matmul_pair */
/* The same for m x n results, in blocks whose sums stay in registers. */
static void nn_matmul_pairs(long m, long n, long depth, const real *a, long a_i, long a_k, const real *b,
                            long b_k, long b_j, const nn_matrix *c, int spread, real *y, long y_i, long y_j) {
    enum { ROWS = 4, COLUMNS = NN_RESULTS / 3 };
    for (long i = 0; i < m; i += ROWS)
        for (long j = 0; j < n; j += COLUMNS) {
            const long rows = m - i < ROWS ? m - i : ROWS, columns = n - j < COLUMNS ? n - j : COLUMNS;
#define NN_PAIR(rows, columns)                                                                     \
    case 8 * rows + columns:                                                                       \
        nn_matmul_pair(rows, columns, depth, a + i * a_i, a_i, a_k, b + j * b_j, b_k, b_j,         \
                       (nn_matrix){c->at + i * c->row + j * c->column, c->row, c->column}, spread, \
                       y + i * y_i + j * y_j, y_i, y_j);                                           \
        break
#define NN_PAIRS(columns) \
    NN_PAIR(1, columns);  \
    NN_PAIR(2, columns);  \
    NN_PAIR(3, columns);  \
    NN_PAIR(4, columns)
            switch (8 * rows + columns) {
                NN_PAIRS(1);
                NN_PAIRS(2);
#if NN_RESULTS == 12
                NN_PAIRS(3);
                NN_PAIRS(4);
#endif
            }
#undef NN_PAIRS
#undef NN_PAIR
        }
}

/*@ nn_matmul_planes: nn_matmul_pairs */
/* y[i][j] = c[i][j] + sum over k of a[i][k] * b[k][j] for m x n planes, row by row: both sides differ from
 * row to row. `rows` is a whole number of vectors.  Distances in planes; those of c in numbers where it has
 * no rows. */
static void nn_matmul_planes(long m, long n, long depth, long rows, long stride, const real *a, long a_i,
                             long a_k, const real *b, long b_k, long b_j, const real *c, long c_i, long c_j,
                             int c_rows, real *y) {
    enum { VECTOR = sizeof(nn_vector) / sizeof(real) };
    const real none = (real)-0.;
    const long c_step = !c ? 0 : c_rows ? stride : 1;
    for (long r = 0; r < rows; r += VECTOR)
        nn_matmul_pairs(m, n, depth, a + r, a_i * stride, a_k * stride, b + r, b_k * stride, b_j * stride,
                        &(nn_matrix){!c       ? &none
                                     : c_rows ? c + r
                                              : c,
                                     c_i * c_step, c_j * c_step},
                        !c || !c_rows, y + r, n * stride, stride);
}

/*@ nn_matmul_sum: nn_vector_fma nn_vector_get */
/* lanes[i][j] += sum over k of a[i][k] * b[j][k], each one vector, for `rows` i and `columns` j; where `first`
 * they begin with 0.  Terms lie LANES apart, and of the one after the last there are `rest` lanes: the others
 * add 0, which changes no lane, since none is -0.  Then `more` times the same for the next rows. */
NN_INLINE void nn_matmul_sum(const long rows, const long columns, long more, long terms, long rest,
                             const real *a, long a_i, const real *b, long b_j, int first, real *lanes,
                             long lanes_i, long lanes_j) {
    const nn_vector zero = {0};
    nn_vector sum[8][4], v[4];
#define NN_TERM(got)                                        \
    NN_EACH (j, columns)                                    \
        v[j] = got(right[j]);                               \
    NN_EACH (i, rows) {                                     \
        nn_vector u = got(left[i / 2] + i % 2 * a_i);       \
        NN_HELD(u);                                         \
        NN_EACH (j, columns)                                \
            sum[i][j] = nn_vector_fma(u, v[j], sum[i][j]);  \
    }
#define NN_WHOLE(p) *(const nn_vector *)(p)
#define NN_REST(p) nn_vector_get(p, rest)
    do {
        const real *left[4], *right[4]; /* left: each for two rows of a; there are no more registers */
        NN_EACH (i, rows)
            NN_EACH (j, columns)
                sum[i][j] = first ? zero : *(const nn_vector *)(lanes + i * lanes_i + j * lanes_j);
        NN_EACH (g, (rows + 1) / 2)
            left[g] = a + 2 * g * a_i;
        NN_EACH (j, columns)
            right[j] = b + j * b_j;
        for (long k = 0; k < terms; k++) {
            NN_TERM(NN_WHOLE)
            NN_EACH (g, (rows + 1) / 2)
                left[g] += LANES;
            NN_EACH (j, columns)
                right[j] += LANES;
        }
        if (rest > 0) {
            NN_TERM(NN_REST)
        }
        NN_EACH (i, rows)
            NN_EACH (j, columns)
                *(nn_vector *)(lanes + i * lanes_i + j * lanes_j) = sum[i][j];
        a += rows * a_i, lanes += rows * lanes_i;
    } while (--more >= 0);
#undef NN_REST
#undef NN_WHOLE
#undef NN_TERM
}

/*@ nn_matmul_sums: nn_matmul_sum */
/* The same for m x n results, all lanes, of `depth` numbers each side. */
NN_SINGLE static void nn_matmul_sums(long m, long n, long depth, const real *a, long a_i, const real *b,
                                     long b_j, int first, real *lanes, long lanes_i, long lanes_j) {
    enum { VECTOR = sizeof(nn_vector) / sizeof(real), ACROSS = NN_RESULTS / 3 };
    for (long l = 0; l < LANES; l += VECTOR)
        for (long j = 0; j < n; j += ACROSS) {
            const long columns = n - j < ACROSS ? n - j : ACROSS, rest = depth % LANES - l;
            long high = columns == 1 || (NN_RESULTS == 12 && columns == 2) ? 8 : 4;
            for (long i = 0, blocks; i < m; i += blocks * high) {
                high = m - i < high ? m - i : high, blocks = (m - i) / high;
#define NN_SUM(rows, columns)                                                                              \
    case 8 * columns + rows - 1:                                                                           \
        nn_matmul_sum(rows, columns, blocks - 1, depth / LANES, rest < VECTOR ? rest : VECTOR,             \
                      a + i * a_i + l, a_i, b + j * b_j + l, b_j, first, lanes + i * lanes_i + j * lanes_j + l, \
                      lanes_i, lanes_j);                                                                   \
        break
#define NN_LOW(columns) \
    NN_SUM(1, columns); \
    NN_SUM(2, columns); \
    NN_SUM(3, columns); \
    NN_SUM(4, columns)
#define NN_HIGH(columns) \
    NN_LOW(columns);     \
    NN_SUM(5, columns);  \
    NN_SUM(6, columns);  \
    NN_SUM(7, columns);  \
    NN_SUM(8, columns)
                switch (8 * columns + high - 1) {
                    NN_HIGH(1);
#if NN_RESULTS == 12
                    NN_HIGH(2);
                    NN_LOW(3);
                    NN_LOW(4);
#else
                    NN_LOW(2);
#endif
                }
#undef NN_HIGH
#undef NN_LOW
#undef NN_SUM
            }
        }
}

/*@ nn_matmul_lanes: nn_matmul_sums */
/* lanes[i][j][r mod LANES] += a[i][r] * b[j][r] over the rows of a tile, where `first` from 0 on.  a_i, b_j in
 * planes.  The longer side lies in the blocks' height. */
static void nn_matmul_lanes(long m, long n, long rows, long stride, const real *a, long a_i, const real *b,
                            long b_j, int first, real *lanes) {
    if (m < n)
        nn_matmul_sums(n, m, rows, b, b_j * stride, a, a_i * stride, first, lanes, LANES, n * LANES);
    else
        nn_matmul_sums(m, n, rows, a, a_i * stride, b, b_j * stride, first, lanes, n * LANES, LANES);
}

/*@ nn_matmul_inner: nn_parallel nn_line nn_matmul_sums nn_trees */
/* y[i][j] = c[i][j] + sum over k of a[i][k] * b[j][k], nothing with rows, for few i or few j and many terms,
 * which lie side by side: term k is added to lane k mod LANES, then the lanes as a tree, then c, which may be
 * NULL.  Distances in numbers. */
static void nn_matmul_inner(long m, long n, long depth, const real *a, long a_i, const real *b, long b_j,
                            const real *c, long c_i, long c_j, real *y) {
    enum { RESULTS = 64 }; /* of which the lanes stay in L1 */
    const int wide = m < n;
    const long height = wide ? n : m, width = wide ? m : n, most = RESULTS / width;
    const long y_i = wide ? 1 : n, y_j = wide ? n : 1;
    NN_PARALLEL(m * n * depth)
    for (long i = 0; i < height; i += most) {
        NN_LINE real lanes[RESULTS * LANES];
        const long count = height - i < most ? height - i : most;
        if (wide) {
            nn_matmul_sums(count, width, depth, b + i * b_j, b_j, a, a_i, 1, lanes, LANES, count * LANES);
            for (long j = 0; j < width; j++)
                nn_trees(count, lanes + j * count * LANES, y + i + j * n);
        } else {
            nn_matmul_sums(count, width, depth, a + i * a_i, a_i, b, b_j, 1, lanes, width * LANES, LANES);
            nn_trees(count * width, lanes, y + i * n);
        }
        for (long p = i; c && p < i + count; p++)
            for (long q = 0; q < width; q++)
                y[p * y_i + q * y_j] += c[p * (wide ? c_j : c_i) + q * (wide ? c_i : c_j)];
    }
}

/*@ nn_end: */
