/* Kernels that put elements elsewhere: parts side by side, rows of a table looked up, and what their
 * gradients need.  One text, used twice, as matmul.h is.
 *
 * An index outside of its table counts as the nearest one inside, so that nothing is ever read or written
 * elsewhere.
 */

/*@ nn_concat: */
/* One part of a concatenation: `outer` runs of `run` planes, in y each `wide` planes after the one before. */
static void nn_concat(long outer, long run, long wide, long rows, long stride, const real *restrict x,
                      real *restrict y) {
    for (long o = 0; o < outer; o++)
        for (long i = 0; i < run; i++)
            for (long r = 0; r < rows; r++)
                y[(o * wide + i) * stride + r] = x[(o * run + i) * stride + r];
}

/*@ nn_gather: */
/* y[p][c] = table[index[p]][c] for `count` indices and c < width, in every row; the table has `limit`
 * entries. Element e of the table in row r is table[e * table_e + r * table_r], and the index's likewise. */
static void nn_gather(long count, long width, long limit, long rows, long stride,
                      const int32_t *restrict index, long index_e, long index_r, const real *restrict table,
                      long table_e, long table_r, real *restrict y) {
    for (long p = 0; p < count; p++)
        for (long from = 0; from < rows; from += LANES) {
            const long to = from + LANES < rows ? from + LANES : rows;
            for (long c = 0; c < width; c++)
                for (long r = from; r < to; r++) {
                    const long at = index[p * index_e + r * index_r];
                    const long entry = at < 0 ? 0 : at < limit ? at : limit - 1;
                    y[(p * width + c) * stride + r] = table[(entry * width + c) * table_e + r * table_r];
                }
        }
}

/*@ nn_scatter: */
/* table[index[p]][c] += x[p][c]: row after row, and in a row from the first index to the last. */
static void nn_scatter(long count, long width, long limit, long rows, long stride,
                       const int32_t *restrict index, long index_e, long index_r, const real *restrict x,
                       real *restrict table, long table_e, long table_r) {
    for (long r = 0; r < rows; r++)
        for (long p = 0; p < count; p++) {
            const long at = index[p * index_e + r * index_r];
            const long entry = at < 0 ? 0 : at < limit ? at : limit - 1;
            for (long c = 0; c < width; c++) {
                real *to = table + (entry * width + c) * table_e + r * table_r;
                *to = *to + x[(p * width + c) * stride + r];
            }
        }
}

/*@ nn_load_rows: nn_turn */
/* planes[e][r] = row[order[r]][e] (order NULL: r) for rows of `inner` numbers; some planes at a time, so that they stay
 * in a cache. */
static void nn_load_rows(const real *row, const uint32_t *order, long inner, long rows, long stride, real *planes) {
    enum { SOME = 64 };
    for (long from = 0; from < inner; from += SOME) {
        const long end = inner - from < SOME ? inner : from + SOME, whole = from + (end - from) / 4 * 4;
        long r = 0;
        for (; r + 4 <= rows; r += 4) {
            const real *const x0 = row + (order ? order[r] : r) * inner;
            const real *const x1 = row + (order ? order[r + 1] : r + 1) * inner;
            const real *const x2 = row + (order ? order[r + 2] : r + 2) * inner;
            const real *const x3 = row + (order ? order[r + 3] : r + 3) * inner;
            for (long e = from; e < whole; e += 4)
                nn_turn(x0 + e, x1 + e, x2 + e, x3 + e, planes + e * stride + r, stride);
            for (long e = whole; e < end; e++) {
                real *const to = planes + e * stride + r;
                to[0] = x0[e], to[1] = x1[e], to[2] = x2[e], to[3] = x3[e];
            }
        }
        for (; r < rows; r++)
            for (long e = from; e < end; e++)
                planes[e * stride + r] = row[(order ? order[r] : r) * inner + e];
    }
}
