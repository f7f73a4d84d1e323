/* The best weights are a copy of all of them, with what the solver keeps.  They stand in run->weights.best,
 * so that a file of an interrupted training has both. */
#include "watch.h"
#include "evaluate.h"

#include <string.h>

struct watch {
    struct run *run;
    struct evaluator *evaluator;
    int measure;             /* by position in the evaluator */
    double *values;          /* of all measures, at the last epoch */
    const struct rows *rows; /* that it is measured on */
    int64_t start;           /* epochs before: patience counts from there while there is no best */
};

static struct best *best_of(const struct watch *watch) {
    return &watch->run->weights.best;
}

struct watch *watch_new(struct run *run) {
    const struct training *training = &run->model->training;
    struct best *best = &run->weights.best;
    if (!training->stop_measure || (best->epoch && strcmp(best->measure, training->stop_measure) != 0))
        *best = (struct best){0};
    if (!training->stop_measure)
        return NULL;
    struct watch *watch = arena_new(run->arena, struct watch);
    watch->run = run;
    watch->evaluator = evaluator_new(run);
    watch->values = arena_array(run->arena, double, (size_t)evaluator_count(watch->evaluator));
    watch->rows = run->test.count ? &run->test : &run->train;
    while (strcmp(evaluator_name(watch->evaluator, watch->measure), training->stop_measure) != 0)
        watch->measure++;
    watch->start = run->weights.progress.epochs;
    best->measure = training->stop_measure;
    if (best->epoch && !best->values)
        best->epoch = run->weights.progress.epochs;
    if (!best->values) {
        best->values = weights_new_copy(run);
        weights_copy(run, run->weights.values, best->values);
    }
    return watch;
}

bool watch_epoch(struct watch *watch) {
    struct run *run = watch->run;
    const struct training *training = &run->model->training;
    struct best *best = best_of(watch);
    int64_t epoch = run->weights.progress.epochs;
    evaluator_run(watch->evaluator, watch->rows, watch->values);
    double value = watch->values[watch->measure];
    bool better = training->stop_highest ? value > best->value : value < best->value;
    if (best->epoch ? better : value == value) { /* a NaN is never the best */
        best->value = value;
        best->epoch = epoch;
        weights_copy(run, run->weights.values, best->values);
    }
    return epoch - (best->epoch ? best->epoch : watch->start) >= training->stop_epochs;
}

static void print_measure(const struct watch *watch, double value, FILE *out) {
    fprintf(out, "  %s %s %.6g", watch->run->test.count ? "test" : "train", best_of(watch)->measure, value);
}

void watch_print(const struct watch *watch, FILE *out) {
    print_measure(watch, watch->values[watch->measure], out);
}

void watch_end(struct watch *watch, FILE *out) {
    struct best *best = best_of(watch);
    if (best->epoch) {
        weights_copy(watch->run, best->values, watch->run->weights.values);
        fprintf(out, "best   epoch %lld of %lld", (long long)best->epoch,
                (long long)watch->run->weights.progress.epochs);
        print_measure(watch, best->value, out);
        fputc('\n', out);
    }
    best->values = NULL;
}
