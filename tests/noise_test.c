/* Random numbers of updates: which number stands where, whatever the batch, and what dropout and noise make
 * of them.
 *
 * The statistics are of fixed seeds, so they hold or fail for good.  Their bounds are 5 standard deviations.
 */
#include "harness.h"

#include "kernels/random.h"

enum { SEED = 11 };

struct drawing {
    struct bench bench;
    struct interpreter *interpreter;
};

/* A plan of all outputs of a model; `training`: with an update, which changes nothing. */
static void start_drawing(struct drawing *drawing, const char *body, bool training) {
    struct bench *bench = &drawing->bench;
    struct node *roots[16];
    int count = 0;
    bench_model(bench, text_format(&bench->arena,
                                   "model m {\n%s    weight none : [1] = zeros\n"
                                   "    output unused = none\n}\n",
                                   body));
    for (; count < bench->model->output_count; count++)
        roots[count] = bench->model->outputs[count].node;
    struct node *same[2] = {bench->weight_nodes[bench->weight_count - 1],
                            bench->weight_nodes[bench->weight_count - 1]};
    if (training)
        roots[count++] = graph_node(bench->graph, OPERATOR_assign, same, 2, NULL, NULL);
    drawing->interpreter = bench_interpreter(bench, plan_make(bench->graph, roots, count, &bench->arena));
}

/* The first outputs into `results`, the others nowhere. */
static void draw(struct drawing *drawing, int64_t rows, uint32_t update, int64_t first_row, int count,
                 void *const *results) {
    void *all[16] = {NULL};
    memcpy(all, results, (size_t)count * sizeof *all);
    struct batch batch = {.rows = rows,
                          .columns = (const void *const *)drawing->bench.columns,
                          .results = all,
                          .step = update,
                          .drawn = update,
                          .first_row = first_row,
                          .seed = SEED};
    interpreter_run(drawing->interpreter, &batch);
}

static uint64_t bits_at(uint32_t stream, uint32_t update, uint64_t index) {
    return nn_random_bits(SEED, stream, index, update);
}

/* ---- which number stands where ---- */

enum { ROWS = 700, WIDTH = 6 };

static void check_places(bool training) {
    static const int64_t batches[] = {1, 7, 16, 33, 288, 289, ROWS};
    static double u[ROWS][2][3], v[ROWS][2][3];
    static float single[ROWS][2][3];
    static struct drawing drawing;
    bench_start(&drawing.bench, 1);
    start_drawing(&drawing,
                  "    input x : f64[batch, 2, 3]\n    output u = uniform_like(x)\n"
                  "    output v = uniform_like(transpose(u))[:, 2::-1, 0:2] -> transpose\n"
                  "    output s = uniform_like(f32(x))\n",
                  training);
    bench_fill(&drawing.bench, ROWS);
    for (size_t b = 0; b < sizeof batches / sizeof *batches; b++) {
        uint32_t update = (uint32_t)b * 1000 + 1;
        int64_t first = (int64_t)b * 5;
        draw(&drawing, batches[b], update, first, 3, (void *[]){u, v, single});
        for (int64_t r = 0; r < batches[b]; r++)
            for (int e = 0; e < WIDTH; e++) {
                uint64_t index = (uint64_t)((r + first) * WIDTH + e);
                uint64_t other = (uint64_t)((r + first) * WIDTH + (2 - e % 3) * 2 + e / 3);
                uint64_t bits = bits_at(NOISE_STREAM, update, index);
                assert_true((&u[r][0][0])[e] == ((double)(bits >> 12) + 0.5) * 0x1p-52);
                bits = bits_at(NOISE_STREAM + 1, update, other);
                assert_true((&v[r][0][0])[e] == ((double)(bits >> 12) + 0.5) * 0x1p-52);
                bits = bits_at(NOISE_STREAM + 2, update, index);
                assert_true((double)(&single[r][0][0])[e] == ((double)(bits >> 41) + 0.5) * 0x1p-23);
            }
    }
    bench_drop(&drawing.bench);
}

static void a_number_is_that_of_its_place(void **state) {
    (void)state;
    check_places(true);
    check_places(false);
}

/* Update 0 is what initialisers draw from; noise without rows too. */
static void values_without_rows(void **state) {
    struct drawing drawing;
    double u[WIDTH];
    (void)state;
    bench_start(&drawing.bench, 1);
    start_drawing(&drawing, "    weight W : [2, 3]\n    output u = uniform_like(W)\n", true);
    bench_fill(&drawing.bench, 1);
    draw(&drawing, 1, 0, 0, 1, (void *[]){u});
    for (int e = 0; e < WIDTH; e++)
        assert_true(u[e] == nn_uniform(SEED, NOISE_STREAM, (uint64_t)e));
    draw(&drawing, 1, 4000000000u, 0, 1, (void *[]){u});
    for (int e = 0; e < WIDTH; e++)
        assert_true(u[e] ==
                    ((double)(bits_at(NOISE_STREAM, 4000000000u, (uint64_t)e) >> 12) + 0.5) * 0x1p-52);
    bench_drop(&drawing.bench);
}

static void float_is_open_at_both_ends(void **state) {
    float least = 1, most = 0, y[1000];
    (void)state;
    for (uint64_t from = 0; from < 100000000; from += 1000) {
        nn_noisef(1000, 3, 0, 1, from, 1, y);
        for (int i = 0; i < 1000; i++) {
            least = y[i] < least ? y[i] : least;
            most = y[i] > most ? y[i] : most;
        }
    }
    assert_true(least == 0x1p-24f && most == 1 - 0x1p-24f);
}

/* ---- what dropout and noise make of them ---- */

enum { MANY = 4000, CHANNELS = 8, PIXELS = 5, CELLS = MANY * CHANNELS * PIXELS };

static double deviation_of_share(double share, double count) {
    return sqrt(share * (1 - share) / count);
}

/* Numbers that are not 0; x[i] and y[i] that are equal. */
static double count_kept(const double *x, int64_t count) {
    int64_t kept = 0;
    for (int64_t i = 0; i < count; i++)
        kept += x[i] != 0;
    return (double)kept;
}

static double count_equal(const double *x, const double *y, int64_t count) {
    int64_t equal = 0;
    for (int64_t i = 0; i < count; i++)
        equal += x[i] == y[i];
    return (double)equal;
}

static void check_dropout(double rate, bool training) {
    static double y[CELLS], z[CELLS];
    static struct drawing drawing;
    bench_start(&drawing.bench, 1);
    start_drawing(&drawing,
                  text_format(&drawing.bench.arena,
                              "    input x : f64[batch, 8, 5]\n    output y = dropout(x, %g)\n"
                              "    output z = dropout(x, %g)\n",
                              rate, rate),
                  training);
    bench_fill(&drawing.bench, MANY);
    const double *x = drawing.bench.columns[0];
    draw(&drawing, MANY, 1, 0, 2, (void *[]){y, z});
    for (int c = 0; c < CELLS; c++)
        assert_true(y[c] == 0 || y[c] == (training ? x[c] / (1 - rate) : x[c]));
    double share = training ? 1 - rate : 1;
    assert_true(fabs(count_kept(y, CELLS) / CELLS - share) <= 5 * deviation_of_share(share, CELLS));
    bool differ = memcmp(y, z, sizeof y) != 0; /* two calls have two streams */
    assert_true(differ == (training && rate > 0));
    bench_drop(&drawing.bench);
}

static void dropout_keeps_its_share(void **state) {
    static const double rates[] = {0, 0.1, 0.5, 0.9, 0.999};
    (void)state;
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        check_dropout(rates[i], true);
        check_dropout(rates[i], false);
    }
}

/* Masks of one half agree by chance: from update to update, row to row, element to element. */
static void masks_do_not_hang_together(void **state) {
    static double now[CELLS], next[CELLS];
    struct drawing drawing;
    const double bound = 5 * deviation_of_share(0.5, CELLS - 40);
    (void)state;
    bench_start(&drawing.bench, 1);
    start_drawing(&drawing, "    input x : f64[batch, 40]\n    output y = dropout(x * 0 + 1)\n", true);
    bench_fill(&drawing.bench, MANY);
    draw(&drawing, MANY, 1, 0, 1, (void *[]){now});
    draw(&drawing, MANY, 2, 0, 1, (void *[]){next});
    assert_true(fabs(count_equal(now, next, CELLS - 40) / (CELLS - 40) - 0.5) < bound);
    assert_true(fabs(count_equal(now, now + 40, CELLS - 40) / (CELLS - 40) - 0.5) < bound);
    assert_true(fabs(count_equal(now, now + 1, CELLS - 40) / (CELLS - 40) - 0.5) < bound);
    bench_drop(&drawing.bench);
}

static void channels_fall_as_a_whole(void **state) {
    static double y[MANY][CHANNELS][PIXELS];
    struct drawing drawing;
    (void)state;
    bench_start(&drawing.bench, 1);
    start_drawing(&drawing,
                  "    input x : f64[batch, 8, 5]\n    output y = channel_dropout(x, rate = 0.25)\n", true);
    bench_fill(&drawing.bench, MANY);
    draw(&drawing, MANY, 3, 0, 1, (void *[]){y});
    for (int r = 0; r < MANY; r++)
        for (int c = 0; c < CHANNELS; c++)
            for (int p = 1; p < PIXELS; p++)
                assert_true((y[r][c][p] != 0) == (y[r][c][0] != 0));
    double channels = count_kept(&y[0][0][0], CELLS) / PIXELS, count = MANY * CHANNELS;
    assert_true(fabs(channels / count - 0.75) < 5 * deviation_of_share(0.75, count));
    bench_drop(&drawing.bench);
}

/* Moments of N(0, 1) 1 to 4 are 0, 1, 0, 3; the variances of their estimates 1, 2, 15, 96 by the count. */
static void normal_noise_has_its_moments(void **state) {
    static const double moments[] = {0, 1, 0, 3}, variances[] = {1, 2, 15, 96};
    static double y[CELLS];
    static float single[CELLS];
    struct drawing drawing;
    (void)state;
    bench_start(&drawing.bench, 1);
    start_drawing(&drawing,
                  "    input x : f64[batch, 8, 5]\n    output y = gaussian_noise(x, 2)\n"
                  "    output s = normal_like(f32(x))\n",
                  true);
    bench_fill(&drawing.bench, MANY);
    draw(&drawing, MANY, 1, 0, 2, (void *[]){y, single});
    for (int m = 0; m < 4; m++) {
        double sums[2] = {0, 0};
        for (int c = 0; c < CELLS; c++) {
            sums[0] += pow((y[c] - ((const double *)drawing.bench.columns[0])[c]) / 2, m + 1);
            sums[1] += pow((double)single[c], m + 1);
        }
        for (int k = 0; k < 2; k++)
            assert_true(fabs(sums[k] / CELLS - moments[m]) < 5 * sqrt(variances[m] / CELLS));
    }
    bench_drop(&drawing.bench);
    bench_start(&drawing.bench, 1);
    start_drawing(&drawing, "    input x : f64[batch, 8, 5]\n    output y = gaussian_noise(x, 2)\n", false);
    bench_fill(&drawing.bench, MANY);
    draw(&drawing, MANY, 1, 0, 1, (void *[]){y});
    assert_memory_equal(y, drawing.bench.columns[0], sizeof y);
    bench_drop(&drawing.bench);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_that_of_its_place), cmocka_unit_test(values_without_rows),
        cmocka_unit_test(float_is_open_at_both_ends),    cmocka_unit_test(dropout_keeps_its_share),
        cmocka_unit_test(masks_do_not_hang_together),    cmocka_unit_test(channels_fall_as_a_whole),
        cmocka_unit_test(normal_noise_has_its_moments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
