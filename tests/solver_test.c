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

static void solvers(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof solver_cases / sizeof *solver_cases; i++) {
        struct bench bench;
        bench_start(&bench, 1);
        start_model(&bench, "", solver_cases[i].call);
        struct interpreter *interpreter = make_updates(&bench);
        for (int step = 1; step <= SOLVER_UPDATES; step++) {
            run_update(&bench, interpreter, step);
            for (int k = 0; k < 3; k++)
                check_number(solver_cases[i].call, step, ((const double *)bench.weights[0])[k],
                             solver_cases[i].weights[step - 1][k]);
        }
        bench_drop(&bench);
    }
}

/* A solver that leaves its rate in the weight shows what a schedule is at each update. */
static void schedules(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof schedule_cases / sizeof *schedule_cases; i++) {
        struct bench bench;
        bench_start(&bench, 1);
        start_model(&bench, "solver show(rate) {\n    weight = rate + 0 * grad\n}\n",
                    text_format(&bench.arena, "show(rate = %s)", schedule_cases[i].call));
        struct interpreter *interpreter = make_updates(&bench);
        for (int step = 1; step <= SCHEDULE_STEPS; step++) {
            run_update(&bench, interpreter, step);
            check_number(schedule_cases[i].call, step, ((const double *)bench.weights[0])[0],
                         schedule_cases[i].rates[step - 1]);
        }
        bench_drop(&bench);
    }
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

/* The variances that the papers give, over numbers enough to tell them apart. */
static void initialisers(void **state) {
    enum { ROWS = 50, COLUMNS = 80 };
    struct bench bench;
    (void)state;
    bench_start(&bench, 1);
    bench_model(
        &bench,
        "model m {\n    weight a : f64[50, 80] = lecun_normal\n    weight b : f64[50, 80] = lecun_uniform\n"
        "    weight c : f64[50, 80] = identity(scale = 3)\n    output y = sum(a + b + c)\n}\n");
    for (int w = 0; w < 3; w++) {
        double values[ROWS * COLUMNS], squares = 0;
        void *results[1] = {values};
        bench_run(&bench,
                  bench_interpreter(
                      &bench, plan_make(bench.graph, &bench.model->weights[w].initial, 1, &bench.arena)),
                  results);
        for (int i = 0; i < ROWS * COLUMNS; i++)
            squares += values[i] * values[i];
        for (int i = 0; w == 2 && i < ROWS * COLUMNS; i++)
            assert_true(values[i] == (i / COLUMNS == i % COLUMNS ? 3 : 0));
        if (w < 2)
            assert_true(fabs(squares / (ROWS * COLUMNS) * ROWS - 1) < 0.06);
    }
    bench_drop(&bench);
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
        cmocka_unit_test(initialisers), cmocka_unit_test(batch_norm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
