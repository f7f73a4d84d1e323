/* The shape of a convolution, and which elements meet which: for the kernels of convolve.h, of either type,
 * and for who calls them.
 */
#ifndef NN_CONVOLUTION_H
#define NN_CONVOLUTION_H

/*@ nn_convolution: */
/* One axis: element `at` of the source meets element k of the kernel in result i where
 * at = i * stride + k * dilation - padding; in a transposed convolution, where i = at * stride + k * dilation
 * - padding. */
struct convolution_axis {
    long source, result, kernel; /* sizes */
    long stride, dilation, padding;
};

struct convolution {
    int transposed;
    long groups, sources, results; /* channels of one group */
    struct convolution_axis down, across;
};

/* The elements of the source that meet result i, `count` of them: k goes from `first` by `step`, the source's
 * index from `at` by `at_step`. */
struct taps {
    long count, first, step, at, at_step;
};

static inline struct taps taps_of(const struct convolution_axis *axis, int transposed, long i) {
    struct taps taps = {0, 0, 1, 0, 0};
    for (long k = 0; k < axis->kernel; k++) {
        const long reach = k * axis->dilation - axis->padding;
        const long from = transposed ? i - reach : i * axis->stride + reach;
        const long at = transposed ? from / axis->stride : from;
        if (from < 0 || at >= axis->source || (transposed && from % axis->stride))
            continue;
        if (taps.count == 0) {
            taps.first = k;
            taps.at = at;
        } else if (taps.count == 1) {
            taps.step = k - taps.first;
            taps.at_step = at - taps.at;
        }
        taps.count++;
    }
    return taps;
}

/* The results that meet element k of the kernel. */
struct places {
    long from, to;
};

static inline struct places places_of(const struct convolution_axis *axis, long k) {
    const long before = axis->padding - k * axis->dilation, end = axis->source + before;
    struct places places;
    places.from = before > 0 ? (before + axis->stride - 1) / axis->stride : 0;
    places.to = end > 0 ? (end + axis->stride - 1) / axis->stride : 0;
    if (places.to > axis->result)
        places.to = axis->result;
    return places;
}

/* Those of them that lie in `count` from `start` on, counted from there. */
static inline struct places places_within(struct places places, long start, long count) {
    places.from = places.from < start ? 0 : places.from - start;
    places.to = places.to - start < count ? places.to - start : count;
    return places;
}

/* Some of the places of an image. */
struct piece {
    long top, lines, left, columns;
};

/* An element of the kernel in one channel of the source: where its first element and its sum lie, and the
 * places that it has. */
struct tap {
    long x, sum;
    struct places across;
};

/*@ nn_end: */
#endif
