/* The plane is cut into cells.  A cell's key is its most likely class and how sure that is, in a few levels;
 * cells of one key are merged into rectangles, and the rectangles of one key are one path. */
#include "plot.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {
    SIDE = 440, /* of a panel's square, in pixels */
    LEFT = 56,
    TOP = 44,
    BOTTOM = 52,
    LEGEND = 130,
    FINE = 220, /* cells along a side, at most; coarser by halves */
    COARSE = 55,
    LEVELS = 6,
    RECTANGLE_LIMIT = 9000, /* some 16 bytes each */
    POINT_LIMIT = 3000,     /* some 40 bytes each */
    LEGEND_LIMIT = 16,
    COLOURS = 8,
    NO_KEY = -1
};

/* Okabe and Ito's colours, which the colour-blind can tell apart; and near ones of the terminal's 256. */
static const struct {
    const char *web;
    int strong, pale;
} palette[COLOURS] = {
    {"#0072b2", 25, 153},  {"#e69f00", 130, 223}, {"#009e73", 29, 158},  {"#cc79a7", 126, 225},
    {"#d55e00", 160, 216}, {"#56b4e9", 32, 195},  {"#b8a800", 100, 230}, {"#666666", 238, 252},
};

struct range {
    double low, high;
};

/* ---- Data ---- */

static bool is_drawable(const struct plot_regions *regions, size_t i) {
    const double *xy = regions->xy[i];
    return fabs(xy[0]) < 1e150 && fabs(xy[1]) < 1e150 && regions->labels[i] >= 0 &&
           (size_t)regions->labels[i] < regions->classes;
}

/* The range of the points along an axis, with a margin. */
static struct range find_range(const struct plot_regions *regions, int axis) {
    struct range range = {(double)INFINITY, (double)-INFINITY};
    for (size_t i = 0; i < regions->count; i++)
        if (is_drawable(regions, i)) {
            range.low = fmin(range.low, regions->xy[i][axis]);
            range.high = fmax(range.high, regions->xy[i][axis]);
        }
    if (!(range.low <= range.high))
        return (struct range){-1, 1};
    double margin = 0.08 * (range.high - range.low);
    if (!(margin > 1e-9 * fmax(fabs(range.low), fabs(range.high))))
        margin = fmax(1, 0.1 * fabs(range.low));
    return (struct range){range.low - margin, range.high + margin};
}

static double place_in(struct range range, double value) {
    return (value - range.low) / (range.high - range.low);
}

/* The most likely of probabilities (classes), or NO_KEY when one is not a number. */
static int most_likely(const double *probabilities, size_t classes) {
    size_t best = 0;
    for (size_t k = 0; k < classes; k++) {
        if (isnan(probabilities[k]))
            return NO_KEY;
        if (probabilities[k] > probabilities[best])
            best = k;
    }
    return (int)best;
}

/* Class and level of a cell: level 0 is as unsure as can be, 1 / classes. */
static int find_key(const double *probabilities, size_t classes) {
    int best = most_likely(probabilities, classes);
    if (best == NO_KEY)
        return NO_KEY;
    double unsure = 1.0 / (double)classes;
    double sureness = classes > 1 ? (probabilities[best] - unsure) / (1 - unsure) : 1;
    int level = (int)(fmin(fmax(sureness, 0), 1) * LEVELS);
    return best * LEVELS + (level < LEVELS ? level : LEVELS - 1);
}

/* Predicts the middles of columns x rows cells, from the top row down; probabilities (rows, columns,
 * classes). */
static double *predict_cells(const struct plot_regions *regions, struct range x, struct range y,
                             size_t columns, size_t rows, struct arena *arena) {
    double(*xy)[2] = arena_allocate_array(arena, columns * rows, sizeof *xy);
    double *probabilities = arena_array(arena, double, columns *rows * regions->classes);
    for (size_t row = 0; row < rows; row++)
        for (size_t column = 0; column < columns; column++) {
            double *at = xy[row * columns + column];
            at[0] = x.low + ((double)column + 0.5) / (double)columns * (x.high - x.low);
            at[1] = y.high - ((double)row + 0.5) / (double)rows * (y.high - y.low);
        }
    bool good = regions->predict(regions->context, columns * rows, (const double(*)[2])xy, probabilities);
    return good ? probabilities : NULL;
}

/* ---- Text ---- */

/* The length of the UTF-8 character at `text`, 0 when it is malformed or nothing that XML may hold. */
static size_t character_length(const unsigned char *text) {
    if (text[0] < 0x80)
        return text[0] >= 0x20 && text[0] != 0x7f;
    size_t length = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
    uint32_t code = text[0] & (0xffu >> (length + 1));
    if (text[0] < 0xc2 || text[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3fu);
    }
    bool wide = code < (length == 3 ? 0x800u : length == 4 ? 0x10000u : 0x80u);
    bool forbidden = (code >= 0xd800 && code < 0xe000) || code == 0xfffe || code == 0xffff || code > 0x10ffff;
    return wide || forbidden ? 0 : length;
}

/* Text as XML, at most `limit` characters of it; what XML cannot hold becomes a question mark. */
static void print_escaped(struct text *out, const char *text, int limit) {
    while (*text && limit-- > 0) {
        size_t length = character_length((const unsigned char *)text);
        if (*text == '&')
            text_print(out, "&amp;");
        else if (*text == '<')
            text_print(out, "&lt;");
        else if (length)
            text_bytes(out, text, length);
        else
            text_print(out, "?");
        text += length ? length : 1;
    }
    if (*text)
        text_print(out, "…");
}

static void print_label(struct text *out, double x, double y, const char *attributes, const char *label,
                        int limit) {
    text_print(out, "<text x=\"%.1f\" y=\"%.1f\"%s>", x, y, attributes);
    print_escaped(out, label, limit);
    text_print(out, "</text>\n");
}

static const char *class_name(const struct plot_regions *regions, size_t k, char number[24]) {
    if (regions->names)
        return regions->names[k];
    snprintf(number, 24, "%zu", k);
    return number;
}

/* ---- Axes ---- */

/* 1, 2 or 5 times a power of ten, so that some five steps fill the range. */
static double find_step(struct range range) {
    double rough = (range.high - range.low) / 5;
    double power = pow(10, floor(log10(rough)));
    double factor = rough / power;
    return power * (factor < 1.5 ? 1 : factor < 3.5 ? 2 : factor < 7.5 ? 5 : 10);
}

/* One tick with its grid line; `at` is in pixels from the square's left, or up from its foot. */
static void print_tick(struct text *out, bool vertical, double at, double value) {
    char label[32];
    snprintf(label, sizeof label, "%.6g", value);
    if (vertical) {
        text_print(out, "<path class=\"g\" d=\"M0 %.1fh%d\"/>", SIDE - at, SIDE);
        print_label(out, -8, SIDE - at + 4, " text-anchor=\"end\"", label, 32);
    } else {
        text_print(out, "<path class=\"g\" d=\"M%.1f 0v%d\"/>", at, SIDE);
        print_label(out, at, SIDE + 17, " text-anchor=\"middle\"", label, 32);
    }
}

static void print_linear_ticks(struct text *out, bool vertical, struct range range) {
    double step = find_step(range);
    double first = ceil(range.low / step);
    for (int i = 0; i < 20 && (first + i) * step <= range.high; i++)
        print_tick(out, vertical, SIDE * place_in(range, (first + i) * step), (first + i) * step);
}

/* The range is of logarithms to base ten; 2 and 5 are ticks too where there are few powers. */
static void print_logarithmic_ticks(struct text *out, struct range range) {
    int stride = 1 + (int)((range.high - range.low) / 10);
    for (int power = (int)floor(range.low); power <= range.high; power += stride)
        for (int digit = 1; digit <= (range.high - range.low < 2.5 ? 5 : 1); digit += digit == 1 ? 1 : 3) {
            double value = digit * pow(10, power), at = log10(value);
            if (at >= range.low && at <= range.high)
                print_tick(out, true, SIDE * place_in(range, at), value);
        }
}

static void print_frame(struct text *out, const char *title, const char *x_name, const char *y_name) {
    text_print(out, "<path class=\"f\" d=\"M0 0h%dv%dh-%dz\"/>\n", SIDE, SIDE, SIDE);
    if (title)
        print_label(out, 0, -16, " class=\"t\"", title, 60);
    if (x_name)
        print_label(out, SIDE / 2.0, SIDE + 38, " text-anchor=\"middle\"", x_name, 50);
    if (y_name)
        print_label(out, -SIDE / 2.0, -40, " text-anchor=\"middle\" transform=\"rotate(-90)\"", y_name, 50);
}

/* ---- Regions ---- */

/* A side x side picture of keys, row by row. */
struct picture {
    size_t side;
    const int *keys;
    unsigned char *done; /* (side, side), scratch of print_key */
};

/* The widest run of the key at `start` that is not done, made as high as the rows below allow. */
static void find_rectangle(const struct picture *picture, size_t row, size_t column, size_t *width,
                           size_t *height) {
    size_t side = picture->side, start = row * side + column;
    int key = picture->keys[start];
    *width = *height = 1;
    while (column + *width < side && picture->keys[start + *width] == key && !picture->done[start + *width])
        ++*width;
    for (; row + *height < side; ++*height)
        for (size_t i = 0; i < *width; i++)
            if (picture->keys[start + *height * side + i] != key || picture->done[start + *height * side + i])
                return;
}

/* Merges the cells of one key; prints them, unless `out` is NULL, and returns how many rectangles they are.
 */
static size_t merge_key(const struct picture *picture, int key, struct text *out) {
    size_t side = picture->side, count = 0, width, height;
    for (size_t row = 0; row < side; row++)
        for (size_t column = 0; column < side; column++) {
            if (picture->keys[row * side + column] != key || picture->done[row * side + column])
                continue;
            find_rectangle(picture, row, column, &width, &height);
            for (size_t i = 0; i < height; i++)
                memset(picture->done + (row + i) * side + column, 1, width);
            if (out)
                text_print(out, "M%zu %zuh%zuv%zuh-%zuz", column, row, width, height, width);
            count++;
        }
    return count;
}

/* Prints all keys, or only counts their rectangles. */
static size_t merge_keys(const struct picture *picture, size_t key_count, const bool *present,
                         struct text *out) {
    size_t count = 0;
    memset(picture->done, 0, picture->side * picture->side);
    for (size_t key = 0; key < key_count; key++) {
        if (!present[key])
            continue;
        if (out)
            text_print(out, "<path fill=\"%s\" fill-opacity=\"%.2f\" d=\"",
                       palette[key / LEVELS % COLOURS].web,
                       0.12 + 0.46 * (double)(key % LEVELS) / (LEVELS - 1));
        count += merge_key(picture, (int)key, out);
        if (out)
            text_print(out, "\"/>\n");
    }
    return count;
}

/* Every second key of every second row. */
static struct picture halve(const struct picture *picture, struct arena *arena) {
    size_t side = picture->side / 2;
    int *keys = arena_array(arena, int, side *side);
    for (size_t i = 0; i < side * side; i++)
        keys[i] = picture->keys[i / side * 2 * picture->side + i % side * 2];
    return (struct picture){side, keys, picture->done};
}

static bool print_regions(const struct plot_regions *regions, struct range x, struct range y,
                          struct text *out) {
    enum { CELLS = FINE * FINE };
    const double *probabilities = predict_cells(regions, x, y, FINE, FINE, out->arena);
    if (!probabilities)
        return false;
    int *keys = arena_array(out->arena, int, CELLS);
    bool *present = arena_array(out->arena, bool, regions->classes *LEVELS);
    for (size_t i = 0; i < CELLS; i++) {
        keys[i] = find_key(probabilities + i * regions->classes, regions->classes);
        if (keys[i] != NO_KEY)
            present[keys[i]] = true;
    }
    struct picture picture = {FINE, keys, arena_allocate(out->arena, CELLS)};
    while (picture.side > COARSE &&
           merge_keys(&picture, regions->classes * LEVELS, present, NULL) > RECTANGLE_LIMIT)
        picture = halve(&picture, out->arena);
    text_print(out, "<g transform=\"scale(%g)\" shape-rendering=\"crispEdges\">\n",
               SIDE / (double)picture.side);
    merge_keys(&picture, regions->classes * LEVELS, present, out);
    text_print(out, "</g>\n");
    return true;
}

/* ---- Points ---- */

/* Up to POINT_LIMIT points, spread evenly over the rows. */
struct sample {
    size_t count;
    double (*xy)[2];
    int *labels;
    bool *wrong;
};

static bool take_sample(const struct plot_regions *regions, struct arena *arena, struct sample *sample) {
    size_t stride = regions->count / POINT_LIMIT + 1;
    sample->count = 0;
    sample->xy = arena_allocate_array(arena, POINT_LIMIT + 1, sizeof *sample->xy);
    sample->labels = arena_array(arena, int, POINT_LIMIT + 1);
    sample->wrong = arena_array(arena, bool, POINT_LIMIT + 1);
    for (size_t i = 0; i < regions->count; i += stride)
        if (is_drawable(regions, i)) {
            memcpy(sample->xy[sample->count], regions->xy[i], sizeof *sample->xy);
            sample->labels[sample->count++] = regions->labels[i];
        }
    double *probabilities = arena_array(arena, double, sample->count * regions->classes);
    if (sample->count &&
        !regions->predict(regions->context, sample->count, (const double(*)[2])sample->xy, probabilities))
        return false;
    for (size_t i = 0; i < sample->count; i++)
        sample->wrong[i] =
            most_likely(probabilities + i * regions->classes, regions->classes) != sample->labels[i];
    return true;
}

static void print_points(const struct sample *sample, size_t classes, struct range x, struct range y,
                         struct text *out) {
    double radius = sample->count > 1000 ? 2.2 : 3.4;
    for (size_t group = 0; group < 2 * classes; group++) {
        bool wrong = group >= classes, open = false;
        size_t k = group % classes;
        for (size_t i = 0; i < sample->count; i++) {
            if ((size_t)sample->labels[i] != k || sample->wrong[i] != wrong)
                continue;
            if (!open)
                text_print(out, "<g fill=\"%s\" class=\"%s\">\n", palette[k % COLOURS].web,
                           wrong ? "w" : "p");
            open = true;
            text_print(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>\n",
                       SIDE * place_in(x, sample->xy[i][0]), SIDE * (1 - place_in(y, sample->xy[i][1])),
                       radius);
        }
        if (open)
            text_print(out, "</g>\n");
    }
}

static void print_legend(const struct plot_regions *regions, const struct sample *sample, struct text *out) {
    size_t shown = regions->classes < LEGEND_LIMIT ? regions->classes : LEGEND_LIMIT, wrong = 0;
    double y = 10;
    for (size_t k = 0; k < shown; k++, y += 22) {
        char number[24];
        text_print(out, "<circle class=\"p\" cx=\"%d\" cy=\"%.1f\" r=\"5\" fill=\"%s\"/>", SIDE + 20, y,
                   palette[k % COLOURS].web);
        print_label(out, SIDE + 32, y + 4, "", class_name(regions, k, number), 14);
    }
    if (shown < regions->classes) {
        print_label(out, SIDE + 32, y + 4, "", "and others", 14);
        y += 22;
    }
    for (size_t i = 0; i < sample->count; i++)
        wrong += sample->wrong[i];
    char label[64];
    snprintf(label, sizeof label, "wrong: %zu of %zu", wrong, sample->count);
    text_print(out, "<circle class=\"w\" cx=\"%d\" cy=\"%.1f\" r=\"5\" fill=\"#fff\"/>", SIDE + 20, y);
    print_label(out, SIDE + 32, y + 4, "", label, 40);
}

static bool print_regions_panel(const struct plot_regions *regions, struct text *out) {
    struct range x = find_range(regions, 0), y = find_range(regions, 1);
    struct sample sample;
    if (!take_sample(regions, out->arena, &sample) || !print_regions(regions, x, y, out))
        return false;
    print_linear_ticks(out, false, x);
    print_linear_ticks(out, true, y);
    print_points(&sample, regions->classes, x, y, out);
    print_frame(out, regions->title, regions->x_name, regions->y_name);
    print_legend(regions, &sample, out);
    return true;
}

/* ---- Curves ---- */

/* The range of the values that are finite, or of their logarithms where they span more than a factor of 30.
 */
static struct range find_curve_range(const struct plot_curve *curve, bool *logarithmic) {
    struct range range = {(double)INFINITY, (double)-INFINITY};
    for (size_t i = 0; i < curve->count; i++)
        if (fabs(curve->values[i]) < 1e150) {
            range.low = fmin(range.low, curve->values[i]);
            range.high = fmax(range.high, curve->values[i]);
        }
    *logarithmic = range.low > 0 && range.high > 30 * range.low;
    if (!(range.low <= range.high))
        return (struct range){0, 1};
    if (*logarithmic)
        range = (struct range){log10(range.low), log10(range.high)};
    else if (range.low > 0 && range.low < 0.5 * range.high)
        range.low = 0; /* a loss that starts near its axis shows how much is left */
    double margin = 0.04 * (range.high - range.low);
    if (!(margin > 1e-12 * fabs(range.high)))
        margin = fmax(0.1 * fabs(range.high), 1e-6);
    return (struct range){range.low == 0 ? 0 : range.low - margin, range.high + margin};
}

/* A line through the values; of many, the lowest and the highest in each pixel's width. */
static void print_curve_line(const struct plot_curve *curve, struct range x, struct range y, bool logarithmic,
                             struct text *out) {
    size_t bucket = curve->count / SIDE + 1;
    bool pen_down = false;
    text_print(out, "<path class=\"l\" d=\"");
    for (size_t start = 0; start < curve->count; start += bucket) {
        size_t end = start + bucket < curve->count ? start + bucket : curve->count, low = start, high = start;
        bool finite = true;
        for (size_t i = start; i < end; i++) {
            finite = finite && fabs(curve->values[i]) < 1e150;
            low = curve->values[i] < curve->values[low] ? i : low;
            high = curve->values[i] > curve->values[high] ? i : high;
        }
        for (int turn = 0; finite && turn < (low == high ? 1 : 2); turn++) {
            size_t i = (turn == 0) == (low < high) ? low : high;
            double value = logarithmic ? log10(curve->values[i]) : curve->values[i];
            text_print(out, "%c%.1f %.1f", pen_down ? 'L' : 'M',
                       SIDE * place_in(x, curve->first + (double)i * curve->step),
                       SIDE * (1 - place_in(y, value)));
            pen_down = true;
        }
        pen_down = pen_down && finite;
    }
    text_print(out, "\"/>\n");
}

static void print_curve_panel(const struct plot_curve *curve, struct text *out) {
    bool logarithmic;
    struct range y = find_curve_range(curve, &logarithmic);
    struct range x = {curve->first,
                      curve->first + curve->step * (double)(curve->count > 1 ? curve->count - 1 : 1)};
    print_linear_ticks(out, false, x);
    if (logarithmic)
        print_logarithmic_ticks(out, y);
    else
        print_linear_ticks(out, true, y);
    print_curve_line(curve, x, y, logarithmic, out);
    print_frame(out, curve->title, curve->x_name, NULL);
}

/* ---- The file ---- */

bool plot_svg(const struct plot_regions *regions, const struct plot_curve *curve, struct text *out) {
    int curve_left = regions ? LEFT + SIDE + LEGEND : 0;
    int width = curve_left + (curve ? LEFT + SIDE + 24 : 0), height = TOP + SIDE + BOTTOM;
    text_print(out,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
               "font-family=\"sans-serif\" font-size=\"12\" fill=\"#333\">\n",
               width, height, width, height);
    text_print(out,
               "<style>.t{font-size:15px;font-weight:bold}.g{stroke:#000;stroke-opacity:.1;fill:none}"
               ".f{stroke:#666;fill:none}.p{stroke:#fff;stroke-width:.9}.w{stroke:#111;stroke-width:1.6}"
               ".l{stroke:#0072b2;stroke-width:1.6;stroke-linejoin:round;fill:none}</style>\n"
               "<path fill=\"#fff\" d=\"M0 0h%dv%dh-%dz\"/>\n",
               width, height, width);
    if (regions) {
        text_print(out, "<g transform=\"translate(%d %d)\">\n", LEFT, TOP);
        if (!print_regions_panel(regions, out))
            return false;
        text_print(out, "</g>\n");
    }
    if (curve) {
        text_print(out, "<g transform=\"translate(%d %d)\">\n", curve_left + LEFT, TOP);
        print_curve_panel(curve, out);
        text_print(out, "</g>\n");
    }
    text_print(out, "</svg>\n");
    return true;
}

/* ---- The terminal ---- */

/* The class of the point that stands in each cell, or NO_KEY. */
static int *place_points(const struct plot_regions *regions, struct range x, struct range y, int columns,
                         int rows, struct arena *arena) {
    int *labels = arena_array(arena, int, (size_t)columns *(size_t)rows);
    for (int i = 0; i < columns * rows; i++)
        labels[i] = NO_KEY;
    for (size_t i = 0; i < regions->count; i++)
        if (is_drawable(regions, i)) {
            int column = (int)(place_in(x, regions->xy[i][0]) * columns);
            int row = (int)((1 - place_in(y, regions->xy[i][1])) * rows);
            labels[row * columns + column] = regions->labels[i];
        }
    return labels;
}

static char class_letter(int k, char first) {
    return k < 26 ? (char)(first + k) : '?';
}

/* One cell: `region` and `point` are classes or NO_KEY. */
static void print_cell(struct text *out, int region, int point, bool colour) {
    if (!colour) {
        text_print(out, "%c",
                   point != NO_KEY    ? class_letter(point, 'A')
                   : region != NO_KEY ? class_letter(region, 'a')
                                      : ' ');
        return;
    }
    if (region != NO_KEY)
        text_print(out, "\033[48;5;%dm", palette[region % COLOURS].pale);
    if (point != NO_KEY)
        text_print(out, "\033[1;38;5;%dmo", palette[point % COLOURS].strong);
    else
        text_print(out, " ");
    if (region != NO_KEY || point != NO_KEY)
        text_print(out, "\033[0m");
}

/* A name on one line: control characters could do anything to a terminal. */
static void print_plain(struct text *out, const char *text) {
    for (; *text; text++)
        text_print(out, "%c", (unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text);
}

static void print_terminal_legend(const struct plot_regions *regions, bool colour, struct text *out) {
    text_print(out, "%9s ", "");
    for (size_t k = 0; k < regions->classes && k < LEGEND_LIMIT; k++) {
        char number[24];
        print_cell(out, (int)k, (int)k, colour);
        text_print(out, " ");
        print_plain(out, class_name(regions, k, number));
        if (k + 1 < regions->classes)
            text_print(out, "   ");
    }
    text_print(out, "%s%s\n", regions->classes > LEGEND_LIMIT ? "..." : "",
               colour ? "" : "   (capitals are points)");
}

bool plot_terminal(const struct plot_regions *regions, int columns, int rows, bool colour, struct text *out) {
    struct range x = find_range(regions, 0), y = find_range(regions, 1);
    const double *probabilities = predict_cells(regions, x, y, (size_t)columns, (size_t)rows, out->arena);
    if (!probabilities)
        return false;
    const int *points = place_points(regions, x, y, columns, rows, out->arena);
    if (regions->title) {
        text_print(out, "%9s ", "");
        print_plain(out, regions->title);
        text_print(out, "\n");
    }
    for (int row = 0; row < rows; row++) {
        if (row == 0 || row == rows - 1)
            text_print(out, "%9.3g|", row ? y.low : y.high);
        else
            text_print(out, "%9s|", "");
        for (int column = 0; column < columns; column++) {
            const double *cell = probabilities + (size_t)(row * columns + column) * regions->classes;
            int best = most_likely(cell, regions->classes);
            print_cell(out, best != NO_KEY && cell[best] >= 0.5 ? best : NO_KEY,
                       points[row * columns + column], colour);
        }
        text_print(out, "|\n");
    }
    text_print(out, "%10s%-*.3g%.3g\n", "", columns > 8 ? columns - 4 : columns, x.low, x.high);
    print_terminal_legend(regions, colour, out);
    return true;
}
