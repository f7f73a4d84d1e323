/* The prelude's solvers and schedules, update by update, against PyTorch's (fixtures/solvers.py). */
#include "harness.h"

#include "tests/fixtures/batch_norm.h"
#include "tests/fixtures/solvers.h"

/* A model whose only weights are w and what the solver keeps; `train` is its solver. */
static void start_model(struct bench *bench, const char *declarations, const char *train) {
    bench_model(bench,
                text_format(&bench->arena,
                            "%smodel m {\n    input x : f64[batch, 3]\n    weight w : f64[3] = 0\n"
                            "    loss cost = mean(sum(sin(x * w) + 0.25 * (x * w) ** 2, axis = 1))\n}\n"
                            "train {\n    solver = %s\n}\n",
                            declarations, train));
    bench_fill(bench, 2);
    memcpy(bench->columns[0], solver_rows, sizeof solver_rows);
    memcpy(bench->weights[0], solver_first, sizeof solver_first);
    for (int i = 1; i < bench->weight_count; i++)
        memset(bench->weights[i], 0, sizeof solver_first); /* all of the prelude's states start from 0 */
}

static void run_update(struct bench *bench, struct interpreter *interpreter, int step) {
    double loss;
    void *results[16] = {&loss};
    struct batch batch = {
        .rows = 2, .columns = (const void *const *)bench->columns, .results = results, .step = step};
    interpreter_run(interpreter, &batch);
}

static struct interpreter *make_updates(struct bench *bench) {
    struct node *roots[16] = {bench->model->loss.node};
    int count = 1;
    assert_in_range(bench->model->update_count, 1, 15);
    for (int i = 0; i < bench->model->update_count; i++)
        roots[count++] = bench->model->updates[i];
    return bench_interpreter(bench, plan_make(bench->graph, roots, count, &bench->arena));
}

static void check_number(const char *call, int step, double found, double expected) {
    if (!(fabs(found - expected) <= 1e-12 * fmax(fabs(expected), 1e-6)))
        fail_msg("%s, update %d: found %.17g, expected %.17g", call, step, found, expected);
}

static void check_solver(const struct solver_case *wanted) {
    struct bench bench;
    bench_start(&bench, 1);
    start_model(&bench, "", wanted->call);
    struct interpreter *interpreter = make_updates(&bench);
    for (int step = 1; step <= SOLVER_UPDATES; step++) {
        run_update(&bench, interpreter, step);
        for (int k = 0; k < 3; k++)
            check_number(wanted->call, step, ((const double *)bench.weights[0])[k],
                         wanted->weights[step - 1][k]);
    }
    bench_drop(&bench);
}

static void solvers(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof solver_cases / sizeof *solver_cases; i++)
        check_solver(&solver_cases[i]);
}

/* A solver that leaves its rate in the weight shows what a schedule is at each update. */
static void check_schedule(const struct schedule_case *wanted) {
    struct bench bench;
    bench_start(&bench, 1);
    start_model(&bench, "solver show(rate) {\n    weight = rate + 0 * grad\n}\n",
                text_format(&bench.arena, "show(rate = %s)", wanted->call));
    struct interpreter *interpreter = make_updates(&bench);
    for (int step = 1; step <= SCHEDULE_STEPS; step++) {
        run_update(&bench, interpreter, step);
        check_number(wanted->call, step, ((const double *)bench.weights[0])[0], wanted->rates[step - 1]);
    }
    bench_drop(&bench);
}

static void schedules(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof schedule_cases / sizeof *schedule_cases; i++)
        check_schedule(&schedule_cases[i]);
}

/* Three weights of one derivative: frozen, with a rate of its own, with the rate of all. */
static void groups(void **state) {
    struct bench bench;
    (void)state;
    bench_start(&bench, 1);
    bench_model(&bench,
                "model m {\n    input x : f64[batch, 3]\n    weight a : f64 = 0\n    weight b : f64 = 0\n"
                "    weight c : f64 = 0\n    loss cost = (a + b + c) * mean(x)\n}\n"
                "train {\n    solver = adam(rate = 0.5 * where(weight_is(\"b*\"), 0.5, 1))\n"
                "    freeze = (\"a\",)\n}\n");
    assert_int_equal(bench.weight_count, 3 + 2 * 2); /* nothing is kept for the frozen one */
    bench_fill(&bench, 2);
    for (int i = 0; i < bench.weight_count; i++)
        *(double *)bench.weights[i] = 0;
    struct interpreter *interpreter = make_updates(&bench);
    run_update(&bench, interpreter, 1);
    const double *a = bench.weights[0], *b = bench.weights[1], *c = bench.weights[2];
    assert_true(*a == 0);
    assert_true(fabs(fabs(*b) - 0.25) < 1e-6); /* adam's first update is its rate */
    assert_true(fabs(fabs(*c) - 0.5) < 1e-6);
    bench_drop(&bench);
}

/* The first value of a weight, as doubles. */
static double *first_value(struct bench *bench, int w) {
    struct node *initial = bench->model->weights[w].initial;
    int64_t count = shape_inner_size(&initial->type.shape);
    void *found = bench_room(bench, initial);
    double *numbers = arena_array(&bench->arena, double, (size_t)count);
    bench_run(bench, bench_interpreter(bench, plan_make(bench->graph, &initial, 1, &bench->arena)), &found);
    for (int64_t i = 0; i < count; i++)
        numbers[i] = number_at(initial->type.element, found, i);
    return numbers;
}

/* The means and variances that the papers give, over numbers enough to tell them apart. */
static const struct {
    const char *initialiser;
    double mean, variance;
} initialiser_cases[] = {
    {"zeros", 0, 0},
    {"ones", 1, 0},
    {"constant(0.25)", 0.25, 0},
    {"uniform(-1, 3)", 1, 16 / 12.0},
    {"normal(1, 2)", 1, 4},
    {"glorot_uniform", 0, 2 / 130.0},
    {"glorot_normal", 0, 2 / 130.0},
    {"he_uniform", 0, 2 / 50.0},
    {"he_normal", 0, 2 / 50.0},
    {"lecun_uniform", 0, 1 / 50.0},
    {"lecun_normal", 0, 1 / 50.0},
    {"reshape(arange(4000), [50, 80])", 3999 / 2.0, (4000.0 * 4000 - 1) / 12},
};

enum { CELLS = 50 * 80 };

static void check_moments(size_t c, const double *values) {
    double mean = 0, variance = 0, expected = initialiser_cases[c].variance;
    for (int i = 0; i < CELLS; i++)
        mean += values[i] / CELLS;
    for (int i = 0; i < CELLS; i++)
        variance += (values[i] - mean) * (values[i] - mean) / CELLS;
    if (fabs(mean - initialiser_cases[c].mean) > 4 * sqrt(expected / CELLS) + 1e-12 ||
        fabs(variance - expected) > 0.06 * expected + 1e-12)
        fail_msg("%s: mean %g and variance %g, expected %g and %g", initialiser_cases[c].initialiser, mean,
                 variance, initialiser_cases[c].mean, expected);
}

static void check_initialiser(size_t c) {
    static struct bench bench;
    bench_start(&bench, 1);
    bench_model(&bench, text_format(&bench.arena,
                                    "model m {\n    weight a : f64[50, 80] = %s\n"
                                    "    output y = sum(a)\n}\n",
                                    initialiser_cases[c].initialiser));
    check_moments(c, first_value(&bench, 0));
    bench_drop(&bench);
}

static void initialisers(void **state) {
    static struct bench bench;
    (void)state;
    for (size_t c = 0; c < sizeof initialiser_cases / sizeof *initialiser_cases; c++)
        check_initialiser(c);
    bench_start(&bench, 1);
    bench_model(&bench,
                "model m {\n    weight a : f64[5, 8] = identity(scale = 3)\n    output y = sum(a)\n}\n");
    const double *values = first_value(&bench, 0);
    for (int i = 0; i < 5 * 8; i++)
        assert_true(values[i] == (i / 8 == i % 8 ? 3 : 0));
    bench_drop(&bench);
}

enum { DRAWN = 100000 };

/* Between -2 and 2 deviations the normal distribution has a deviation of 0.87962566103423978. */
static void check_truncated(const double *values) {
    const double deviation = 0.87962566103423978;
    double sum = 0, squares = 0, least = 0, most = 0;
    for (int i = 0; i < DRAWN; i++) {
        double z = (values[i] - 3) / 0.5;
        sum += z;
        squares += z * z;
        least = fmin(least, z);
        most = fmax(most, z);
    }
    assert_true(least >= -2 && least < -1.99 && most <= 2 && most > 1.99);
    assert_true(fabs(sum / DRAWN) < 5 * deviation / sqrt(DRAWN));
    assert_true(fabs(sqrt(squares / DRAWN) - deviation) < 0.005);
}

static void truncated_normal(void **state) {
    static struct bench bench;
    (void)state;
    bench_start(&bench, 1);
    bench_model(&bench, "model m {\n    weight a : f64[100000] = truncated_normal(3, 0.5)\n"
                        "    weight b : f32[100000] = truncated_normal(3, 0.5)\n"
                        "    output y = sum(a)\n    output z = sum(b)\n}\n");
    check_truncated(first_value(&bench, 0));
    check_truncated(first_value(&bench, 1));
    bench_drop(&bench);
}

/* x (rows, columns): the greatest difference between the products of its rows and scale^2 times the identity.
 */
static double distance_from_orthonormal(const double *x, int rows, int columns, int step, int next,
                                        double scale) {
    double worst = 0;
    for (int i = 0; i < rows; i++)
        for (int k = 0; k < rows; k++) {
            double product = 0;
            for (int j = 0; j < columns; j++)
                product += x[i * step + j * next] * x[k * step + j * next];
            worst = fmax(worst, fabs(product - (i == k ? scale * scale : 0)));
        }
    return worst;
}

/* Of a weight of that shape, which is a matrix of `rows` and `columns`. */
static void check_orthogonal(const char *shape, int rows, int columns) {
    static struct bench bench;
    bench_start(&bench, 1);
    bench_model(&bench, text_format(&bench.arena,
                                    "model m {\n    weight p : f64%s = orthogonal(scale = 3)\n"
                                    "    weight q : f32%s = orthogonal(scale = 3)\n"
                                    "    output y = sum(p)\n    output z = sum(q)\n}\n",
                                    shape, shape));
    for (int w = 0; w < 2; w++) {
        const double *q = first_value(&bench, w);
        double distance = rows <= columns ? distance_from_orthonormal(q, rows, columns, columns, 1, 3)
                                          : distance_from_orthonormal(q, columns, rows, 1, columns, 3);
        if (!(distance < (w ? 1e-5 : 1e-12)))
            fail_msg("%s in %s: %g from orthonormal", shape, w ? "f32" : "f64", distance);
    }
    bench_drop(&bench);
}

static void orthogonal(void **state) {
    (void)state;
    check_orthogonal("[1, 1]", 1, 1);
    check_orthogonal("[2, 2]", 2, 2);
    check_orthogonal("[64, 64]", 64, 64);
    check_orthogonal("[5, 80]", 5, 80);
    check_orthogonal("[80, 5]", 80, 5);
    check_orthogonal("[7]", 1, 7);
    check_orthogonal("[3, 4, 5]", 12, 5);
    check_orthogonal("[2, 3, 30]", 6, 30);
}

static void check_numbers(const char *what, const double *found, const double *expected, int count) {
    for (int i = 0; i < count; i++)
        if (!(fabs(found[i] - expected[i]) <= 1e-12 * fmax(1, fabs(expected[i]))))
            fail_msg("%s[%d]: found %.17g, expected %.17g", what, i, found[i], expected[i]);
}

/* One update, which normalises by its batch, and then an evaluation, which does by the running means. */
static void batch_norm(void **state) {
    struct bench bench;
    double loss, y[4 * 2 * 3];
    (void)state;
    bench_start(&bench, 1);
    bench_model(&bench, "model m {\n    input x : f64[batch, 2, 3]\n    output y = batch_norm1d(x)\n"
                        "    loss cost = mean(y)\n}\ntrain {\n    solver = sgd(rate = 0)\n}\n");
    assert_int_equal(bench.weight_count, 4);
    bench_fill(&bench, 4);
    const double ones[2] = {1, 1}, *const values[4] = {norm_gain, norm_bias, (double[2]){0}, ones};
    static const char *const names[4] = {"y.gain", "y.bias", "y.mean", "y.variance"};
    memcpy(bench.columns[0], norm_x, sizeof norm_x);
    for (int w = 0; w < 4; w++) {
        assert_string_equal(bench.model->weights[w].name, names[w]);
        memcpy(bench.weights[w], values[w], 2 * sizeof(double));
    }
    struct node *roots[16] = {bench.model->loss.node, bench.model->outputs[0].node};
    void *results[16] = {&loss, y};
    for (int i = 0; i < bench.model->update_count; i++)
        roots[2 + i] = bench.model->updates[i];
    bench_run(
        &bench,
        bench_interpreter(&bench, plan_make(bench.graph, roots, 2 + bench.model->update_count, &bench.arena)),
        results);
    check_numbers("training", y, norm_training, 24);
    check_numbers("mean", bench.weights[2], norm_mean, 2);
    check_numbers("variance", bench.weights[3], norm_variance, 2);
    bench_run(&bench, bench_interpreter(&bench, plan_make(bench.graph, roots, 2, &bench.arena)), results);
    check_numbers("evaluation", y, norm_evaluation, 24);
    bench_drop(&bench);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(solvers),      cmocka_unit_test(schedules),  cmocka_unit_test(groups),
        cmocka_unit_test(initialisers), cmocka_unit_test(batch_norm), cmocka_unit_test(truncated_normal),
        cmocka_unit_test(orthogonal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
