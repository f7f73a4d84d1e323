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
