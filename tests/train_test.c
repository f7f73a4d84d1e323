/* The training loop, weights and rows: what is drawn in which order, going on where it stopped, and what a
 * failure says.  The numbers of whole trainings are compared in reference.sh. */
#define _XOPEN_SOURCE 700
#include "harness.h"

#include "evaluate.h"
#include "kernels/random.h"
#include "sources.h"
#include "train.h"
#include "weights.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MODEL(input, target, solver, batch, epochs)                \
    "data train = spiral(classes = 3, points = 20, noise = 0.2)\n" \
    "data test = spiral(classes = 3, points = 20, noise = 0.2)\n"  \
    "model m {\n"                                                  \
    "    input x : " input "\n"                                    \
    "    target t : " target "\n"                                  \
    "    score = sigmoid(dense(x, 4)) -> dense(3)\n"               \
    "    loss e = cross_entropy(score, t)\n"                       \
    "    metric a = accuracy(score, t)\n"                          \
    "}\n"                                                          \
    "train {\n"                                                    \
    "    solver = " solver "\n"                                    \
    "    batch = " batch "\n"                                      \
    "    epochs = " epochs "\n"                                    \
    "    seed = 5\n"                                               \
    "}\n"

struct test_run {
    struct bench bench;
    struct failure failure;
    struct nn_numpy stream;
    struct run run;
};

/* A run whose rows and weights are made; where that fails, test->failure says why. */
static bool start_run(struct test_run *test, const char *text, bool numpy) {
    struct run *run = &test->run;
    bench_model(&test->bench, text);
    test->failure = (struct failure){0};
    *run = (struct run){.arena = &test->bench.arena,
                        .model = test->bench.model,
                        .kernels = kernels_choose(false),
                        .sink = &test->bench.sink,
                        .failure = &test->failure,
                        .seed = test->bench.model->training.seed,
                        .quiet = true};
    if (numpy) {
        run->numpy = &test->stream;
        nn_numpy_seed(run->numpy, (uint32_t)run->seed);
    }
    return sources_make(run, 0, &run->train) && sources_make(run, 1, &run->test) && weights_start(run, false);
}

static bool train_on(struct test_run *test, struct train_outcome *outcome) {
    struct train_settings settings = {.out = tmpfile(), .keep_losses = true};
    assert_non_null(settings.out);
    bool done = train_run(&test->run, &settings, outcome);
    fclose(settings.out);
    return done;
}

static void assert_same_weights(const struct test_run *a, const struct test_run *b) {
    for (int i = 0; i < a->run.model->weight_count; i++)
        assert_memory_equal(a->run.weights.values[i], b->run.weights.values[i], weights_size(&a->run, i));
}

/* ---- rows ---- */

static void fills_classes_and_one_hot_rows(void **state) {
    static struct test_run whole, hot;
    (void)state;
    bench_start(&whole.bench, 1);
    bench_start(&hot.bench, 1);
    assert_true(
        start_run(&whole, MODEL("f64[batch, 2]", "class[batch] of 3", "sgd(rate = 1)", "all", "1"), false));
    assert_true(start_run(&hot, MODEL("f32[batch, 2]", "f32[batch, 3]", "sgd(rate = 1)", "all", "1"), false));
    assert_int_equal(whole.run.train.count, 60);
    const double *x = whole.run.train.columns[0];
    const float *x_f32 = hot.run.train.columns[0], *t_f32 = hot.run.train.columns[1];
    const int32_t *t = whole.run.train.columns[1];
    for (int row = 0; row < 60; row++) {
        assert_int_equal(t[row], row / 20);
        for (int k = 0; k < 2; k++)
            assert_true(x_f32[2 * row + k] == (float)x[2 * row + k]);
        for (int k = 0; k < 3; k++)
            assert_true(t_f32[3 * row + k] == (k == t[row] ? 1.0f : 0.0f));
    }
    /* a data set of its own stream for each */
    assert_memory_not_equal(whole.run.train.columns[0], whole.run.test.columns[0], 60 * 2 * sizeof(double));
    bench_drop(&whole.bench);
    bench_drop(&hot.bench);
}

static void refuses_rows_that_do_not_fit(void **state) {
    static struct test_run test;
    static const char path[] = "build/train_test.csv";
    (void)state;
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("0.5,0.25,0\n0.5,0.25,2\n", file);
    assert_int_equal(fclose(file), 0);
    bench_start(&test.bench, 1);
    assert_false(start_run(&test,
                           "data train = csv(\"build/train_test.csv\")\nmodel m {\n input x : f64[batch, 3]\n"
                           " target t : class[batch] of 3\n loss e = cross_entropy(dense(x, 3), t)\n}\n",
                           false));
    assert_non_null(strstr(test.failure.message, "x takes 3 (test.nn:3)"));
    assert_int_equal(test.failure.kind, FAILURE_DATA);
    bench_drop(&test.bench);
    bench_start(&test.bench, 1);
    assert_false(start_run(&test,
                           "data train = csv(\"build/train_test.csv\")\nmodel m {\n input x : f64[batch, 2]\n"
                           " target t : class[batch] of 2\n loss e = cross_entropy(dense(x, 2), t)\n}\n",
                           false));
    assert_string_equal(
        test.failure.message,
        "found 2; the target 't' (test.nn:4) holds "
        "classes 0 to 1, or as many names (if yours begin at 1, say 'of 3': class 0 has no rows "
        "then); read as data train (test.nn:1)");
    assert_string_equal(test.failure.span.source->name, path);
    assert_int_equal(source_position(test.failure.span.source, test.failure.span.start).line, 2);
    assert_int_equal(source_position(test.failure.span.source, test.failure.span.start).column, 10);
    bench_drop(&test.bench);
    remove(path);
}

/* ---- training ---- */

/* The same training in one go, and in two with a file between them. */
static void check_going_on(const char *whole_text, const char *half_text, bool numpy) {
    static struct test_run whole, half, rest;
    static const char path[] = "build/train_test.safetensors";
    struct train_outcome outcome;
    bench_start(&whole.bench, 1);
    bench_start(&half.bench, 1);
    bench_start(&rest.bench, 1);
    assert_true(start_run(&whole, whole_text, numpy) && train_on(&whole, &outcome));
    assert_int_equal(outcome.loss_count, 8);
    double last = outcome.losses[7];
    assert_true(start_run(&half, half_text, numpy) && train_on(&half, &outcome));
    assert_int_equal(outcome.loss_count, 4);
    assert_true(weights_save(&half.run, path));
    assert_true(start_run(&rest, half_text, numpy) && weights_load(&rest.run, path) &&
                train_on(&rest, &outcome));
    assert_int_equal(outcome.first_epoch, 5);
    assert_true(outcome.losses[3] == last);
    assert_same_weights(&whole, &rest);
    assert_int_equal(rest.run.weights.progress.updates, whole.run.weights.progress.updates);
    unlink(path);
    bench_drop(&whole.bench);
    bench_drop(&half.bench);
    bench_drop(&rest.bench);
}

static void goes_on_exactly(void **state) {
    (void)state;
#define CHECK(type, solver)                                                                  \
    check_going_on(MODEL(type "[batch, 2]", "class[batch] of 3", solver, "16", "8"),         \
                   MODEL(type "[batch, 2]", "class[batch] of 3", solver, "16", "4"), false); \
    check_going_on(MODEL(type "[batch, 2]", "class[batch] of 3", solver, "16", "8"),         \
                   MODEL(type "[batch, 2]", "class[batch] of 3", solver, "16", "4"), true)
    CHECK("f64", "sgd(rate = 0.5)");
    CHECK("f64", "adam()");
    CHECK("f32", "momentum(rate = 0.1)");
#undef CHECK
}

static void nothing(int signal) {
    (void)signal;
}

/* Sends SIGTERM to this process after a while. */
static pid_t interrupt_later(void) {
    pid_t child = fork();
    if (child == 0) {
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
        kill(getppid(), SIGTERM);
        _exit(0);
    }
    assert_true(child > 0);
    return child;
}

/* Wherever the signal strikes, the rest of the training ends at the same bits.  (On a machine where the
 * training is over first, nothing is left to do.) */
static void finish_what_is_interrupted(const char *text) {
    static struct test_run whole, first, rest;
    static const char path[] = "build/train_test.safetensors";
    struct train_outcome outcome;
    bench_start(&whole.bench, 1);
    bench_start(&first.bench, 1);
    bench_start(&rest.bench, 1);
    assert_true(start_run(&whole, text, false) && train_on(&whole, &outcome));
    assert_int_equal(whole.run.weights.progress.updates, 2000 * 4); /* 60 rows: 16, 16, 16 and 12 */
    signal(SIGTERM, nothing);                                       /* should it come before or after */
    assert_true(start_run(&first, text, false));
    pid_t child = interrupt_later();
    assert_true(train_on(&first, &outcome));
    waitpid(child, NULL, 0);
    bool interrupted = outcome.signal == SIGTERM;
    assert_true(interrupted || first.run.weights.progress.epochs == 2000);
    assert_true(weights_save(&first.run, path));
    assert_true(start_run(&rest, text, false) && weights_load(&rest.run, path));
    if (interrupted)
        assert_true(train_on(&rest, &outcome));
    assert_int_equal(rest.run.weights.progress.updates, 2000 * 4);
    assert_same_weights(&whole, &rest);
    signal(SIGTERM, SIG_DFL);
    unlink(path);
    bench_drop(&whole.bench);
    bench_drop(&first.bench);
    bench_drop(&rest.bench);
}

static void finishes_what_was_interrupted(void **state) {
    (void)state;
    finish_what_is_interrupted(MODEL("f64[batch, 2]", "class[batch] of 3", "sgd(rate = 0.5)", "16", "2000"));
}

/* With the best weights so far, which the file holds too, and noise, which goes by the number of the update.
 */
static void finishes_what_was_watched(void **state) {
    (void)state;
    finish_what_is_interrupted(MODEL("f64[batch, 2]", "class[batch] of 3", "sgd(rate = 0.5)", "16",
                                     "2000\n    stop = patience(a, 1990)"));
    finish_what_is_interrupted(
        "data train = spiral(classes = 3, points = 20)\ndata test = spiral(classes = 3, points = 20)\n"
        "model m {\n    input x : f64[batch, 2]\n    target t : class[batch] of 3\n"
        "    score = dropout(sigmoid(dense(gaussian_noise(x), 4)), 0.3) -> dense(3)\n"
        "    loss e = cross_entropy(score, t)\n}\n"
        "train {\n    solver = adam(rate = 0.01)\n    batch = 16\n    epochs = 2000\n"
        "    stop = patience(e, 2000)\n}\n");
}

/* The weight is the number of the epoch: what it is at the end, and how many epochs there were. */
static void check_stop(const char *stop, int64_t epochs, double weight) {
    static struct test_run test;
    struct train_outcome outcome;
    bench_start(&test.bench, 1);
    assert_true(start_run(
        &test,
        text_format(
            &test.bench.arena,
            "data train = spiral(classes = 3, points = 20)\ndata test = spiral(classes = 3, points = 20)\n"
            "model m {\n    input x : f64[batch, 2]\n    target t : class[batch] of 3\n"
            "    weight w : f64 = 0\n    output y = x * w\n    loss cost = 0 * mean(x) - w\n"
            "    metric far = abs(w - 3)\n    metric broken = where(w == 4, 0 / (w - w), w)\n"
            "    metric never = 0 / (w - w)\n    metric class = mean(f64(t))\n}\n"
            "train {\n    solver = sgd(rate = 1)\n    epochs = 12\n    stop = %s\n}\n",
            stop),
        false));
    assert_true(train_on(&test, &outcome));
    if (test.run.weights.progress.epochs != epochs || *(double *)test.run.weights.values[0] != weight)
        fail_msg("stop = %s: %lld epochs, weight %g; expected %lld and %g", stop,
                 (long long)test.run.weights.progress.epochs, *(double *)test.run.weights.values[0],
                 (long long)epochs, weight);
    assert_int_equal(test.run.weights.progress.goal, epochs);
    assert_int_equal(outcome.loss_count, epochs);
    bench_drop(&test.bench);
}

static void stops_and_keeps_the_best(void **state) {
    (void)state;
    check_stop("patience(far, 4, best = lowest)", 7, 3);
    check_stop("patience(far, epochs = 1, best = lowest)", 4, 3);
    check_stop("patience(far, 2)", 3, 1);    /* a metric is to be high */
    check_stop("patience(cost, 1)", 12, 12); /* the loss low; better in each epoch */
    check_stop("patience(cost, 3, best = highest)", 4, 1);
    check_stop("patience(broken, 2)", 12, 12); /* a NaN is an epoch without a better one, */
    check_stop("patience(broken, 1)", 4, 3);
    check_stop("patience(never, 5)", 5, 5); /* and never the best */
    check_stop("patience(class, 6)", 7, 1); /* the same is not better */
}

/* The loss of an epoch is the mean of its updates', by rows: with one batch, the loss before the update. */
static void reports_the_mean_loss(void **state) {
    static struct test_run test;
    struct train_outcome outcome;
    double before[2];
    (void)state;
    bench_start(&test.bench, 1);
    assert_true(
        start_run(&test, MODEL("f64[batch, 2]", "class[batch] of 3", "sgd(rate = 0.5)", "all", "1"), false));
    evaluator_run(evaluator_new(&test.run), &test.run.train, before);
    assert_true(train_on(&test, &outcome));
    assert_float_equal(outcome.losses[0], before[0], 1e-14);
    bench_drop(&test.bench);
}

static void names_what_went_to_infinity(void **state) {
    static struct test_run test;
    struct train_outcome outcome;
    (void)state;
    bench_start(&test.bench, 1);
    assert_true(
        start_run(&test,
                  "data train = spiral(classes = 2, points = 8)\ndata test = spiral(points = 1)\n"
                  "model m {\n input x : f64[batch, 2]\n target t : f64[batch]\n weight w : f64[2] = ones\n"
                  " y = sum(x * w, axis = 1)\n z = exp(y * y)\n loss e = mse(z, t)\n}\n"
                  "train {\n solver = sgd(rate = 1000)\n epochs = 20\n}\n",
                  false));
    assert_false(train_on(&test, &outcome));
    const char *messages = bench_messages(&test.bench);
    assert_non_null(strstr(messages, "'z': exp gave infinity in update 2 (epoch 2) for row "));
    assert_non_null(strstr(messages, "test.nn:8:"));
    assert_non_null(strstr(messages, "it is 1000; try a lower one"));
    bench_drop(&test.bench);
}

/* ---- weights ---- */

static void refuses_files_of_another_model(void **state) {
    static struct test_run test, other;
    static const char path[] = "build/train_test.safetensors";
    (void)state;
    bench_start(&test.bench, 1);
    bench_start(&other.bench, 1);
    assert_true(start_run(&test, MODEL("f64[batch, 2]", "class[batch] of 3", "adam()", "all", "1"), false));
    assert_true(
        start_run(&other, MODEL("f32[batch, 2]", "class[batch] of 3", "sgd(rate = 1)", "all", "1"), false));
    assert_true(weights_save(&test.run, path));
    assert_false(weights_load(&other.run, path));
    assert_non_null(strstr(other.failure.message, "converting would lose bits"));
    assert_true(weights_save(&other.run, path));
    assert_true(weights_load(&test.run, path)); /* f32 goes into f64; the states are not there */
    assert_true(test.run.weights.afresh);
    assert_false(weights_load(&test.run, "build/no_such.safetensors"));
    assert_int_equal(test.failure.kind, FAILURE_DATA);
    unlink(path);
    bench_drop(&test.bench);
    bench_drop(&other.bench);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_classes_and_one_hot_rows),
        cmocka_unit_test(refuses_rows_that_do_not_fit),
        cmocka_unit_test(goes_on_exactly),
        cmocka_unit_test(finishes_what_was_interrupted),
        cmocka_unit_test(finishes_what_was_watched),
        cmocka_unit_test(stops_and_keeps_the_best),
        cmocka_unit_test(reports_the_mean_loss),
        cmocka_unit_test(names_what_went_to_infinity),
        cmocka_unit_test(refuses_files_of_another_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
