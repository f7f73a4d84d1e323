/* Any model that nnc emitted, as a worker.
 *
 *   cc -DNN_NO_MAIN -DEMITTED='"model.c"' -DMODEL=model -DWEIGHTS='"W", "b"' -DINPUTS=2 -DCLASSES=3 emitted.c
 *   worker train|predict ROWS BATCH SCALE
 *
 * ROWS rows are walked through in batches of BATCH.  CLASSES or TARGETS says what a row's target is:
 * -DCLASSES=3 a class, with -DONE_HOT three numbers, -DTARGETS=4 four real numbers.  OUTPUTS is what a row of
 * the prediction holds.
 */
#define _POSIX_C_SOURCE 200809L
#include EMITTED
#include "worker.h"

#define JOINED(model, name) model##name
#define NAMED(model, name) JOINED(model, name)

#if defined ONE_HOT || defined TARGETS
typedef REAL target;
#else
typedef int32_t target;
#endif
#ifdef ONE_HOT
#define WIDTH CLASSES
#elif defined TARGETS
#define WIDTH TARGETS
#define CLASSES 0
#else
#define WIDTH 1
#endif

struct worker {
    long rows, batch;
    REAL *x, *y;
    target *t;
};

static MODEL net;

static double train(void *context, long number) {
    const struct worker *worker = context;
    const size_t from = (size_t)(number * worker->batch % worker->rows);
    return (double)NAMED(MODEL, _train)(&net, (size_t)worker->batch, worker->x + from * INPUTS,
                                        worker->t + from * WIDTH);
}

static double predict(void *context, long number) {
    const struct worker *worker = context;
    const size_t from = (size_t)(number * worker->batch % worker->rows);
    double sum = 0;
    NAMED(MODEL, _predict)(&net, (size_t)worker->batch, worker->x + from * INPUTS, worker->y);
    for (long i = 0; number == 0 && i < worker->batch * OUTPUTS; i++)
        sum += (double)(i % 7 + 1) * (double)worker->y[i];
    return sum;
}

static void fill(struct worker *worker, double scale) {
    static const char *const names[] = {WEIGHTS};
    for (int k = 0; k < (int)(sizeof names / sizeof *names); k++) {
        size_t count = 0;
        REAL *weight = NAMED(MODEL, _weight)(&net, names[k], &count);
        if (!weight) {
            fprintf(stderr, "no weight %s\n", names[k]);
            exit(1);
        }
        for (size_t i = 0; i < count; i++)
            weight[i] = (REAL)bench_weight(k, (long)i, scale);
    }
    for (long row = 0; row < worker->rows; row++) {
        for (long c = 0; c < INPUTS; c++)
            worker->x[row * INPUTS + c] = (REAL)bench_input(row, INPUTS, CLASSES, c);
        for (long c = 0; c < WIDTH; c++)
#if defined TARGETS
            worker->t[row * WIDTH + c] = (REAL)bench_target(row, TARGETS, c);
#elif defined ONE_HOT
            worker->t[row * WIDTH + c] = c == bench_class(row, CLASSES) ? 1 : 0;
#else
            worker->t[row * WIDTH + c] = bench_class(row, CLASSES);
#endif
    }
}

int main(int count, char **arguments) {
    struct worker worker;
    if (count != 5)
        return 2;
    const int training = strcmp(arguments[1], "train") == 0;
    worker.rows = atol(arguments[2]);
    worker.batch = atol(arguments[3]);
    worker.x = bench_room((size_t)worker.rows * INPUTS, sizeof *worker.x);
    worker.t = bench_room((size_t)worker.rows * WIDTH, sizeof *worker.t);
    worker.y = bench_room((size_t)worker.batch * OUTPUTS, sizeof *worker.y);
    NAMED(MODEL, _init)(&net, 1);
    fill(&worker, atof(arguments[4]));
    return bench_serve(training ? train : predict, &worker, training);
}
