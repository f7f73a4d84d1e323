/* An epoch draws an order of the rows and walks through it batch by batch.
 *
 * Everything that a replay needs is kept at the start of each epoch: when a number goes to infinity, the
 * epoch is run again up to that update, which is then searched value by value.  So the fast path looks at the
 * loss only.
 */
#include "train.h"
#include "compiled.h"
#include "interpreter.h"
#include "interrupts.h"
#include "kernels/random.h"
#include "meter.h"
#include "nonfinite.h"
#include "watch.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHUFFLE_STREAM UINT32_C(0x80000000)

struct trainer {
    struct run *run;
    const struct train_settings *settings;
    struct train_outcome *outcome;
    struct interpreter *interpreter;
    void **results;               /* by root: the loss, the updates, the traced values */
    void **unread;                /* the same for a replay: only the loss is read */
    double loss;                  /* room for an f64 or f32 */
    double first_loss, last_loss; /* of the first update, and the mean of the last epoch */
    const void **columns;
    int64_t rows, batch, updates; /* in all; of an update; updates of an epoch */
    bool shuffled, begun,
        continued; /* begun: an update was made; continued: others were made before this run */
    uint32_t *order, *drawn, *scratch; /* (rows) where shuffled */
    int64_t first_epoch, goal;         /* epochs from 0 */
    void **epoch_weights;              /* as they were at the start of the epoch */
    struct watch *watch;               /* NULL: all epochs are run */
    struct meter meter;
    FILE *log;
};

/* ---- interrupts ---- */

static volatile sig_atomic_t interrupted; /* the signal, or 0: handlers have no other place to write to */

static void interrupt(int signal) {
    interrupted = signal;
}

/* ---- orders of rows ---- */

int64_t train_batch(const struct run *run) {
    int64_t batch = run->model->training.batch;
    return batch == 0 || batch > run->train.count ? run->train.count : batch;
}

int64_t train_updates(const struct run *run) {
    int64_t batch = train_batch(run);
    return batch ? (run->train.count + batch - 1) / batch : 0;
}

/* In counter mode an epoch's order hangs on its number alone; in numpy mode each permutes the one before. */
static void draw_order(struct trainer *trainer, int64_t epoch) {
    uint32_t rows = (uint32_t)trainer->rows;
    if (!trainer->run->numpy) {
        nn_permutation(trainer->run->seed, SHUFFLE_STREAM, (uint32_t)epoch, rows, trainer->order);
        return;
    }
    nn_numpy_permutation(trainer->run->numpy, rows, trainer->drawn);
    for (uint32_t i = 0; i < rows; i++)
        trainer->scratch[i] = trainer->order[trainer->drawn[i]];
    uint32_t *next = trainer->scratch;
    trainer->scratch = trainer->order;
    trainer->order = next;
}

static void start_orders(struct trainer *trainer) {
    struct arena *arena = trainer->run->arena;
    if (!trainer->shuffled)
        return;
    trainer->order = arena_array(arena, uint32_t, (size_t)trainer->rows);
    trainer->drawn = arena_array(arena, uint32_t, (size_t)trainer->rows);
    trainer->scratch = arena_array(arena, uint32_t, (size_t)trainer->rows);
    for (int64_t i = 0; i < trainer->rows; i++)
        trainer->order[i] = (uint32_t)i;
    for (int64_t epoch = 0; epoch < trainer->first_epoch && trainer->run->numpy; epoch++)
        draw_order(trainer, epoch); /* as the epochs before did */
}

/* ---- one update ---- */

static struct batch batch_at(struct trainer *trainer, int64_t update_of_epoch, int64_t update) {
    struct run *run = trainer->run;
    int64_t from = update_of_epoch * trainer->batch;
    run_columns(run->model, &run->train, trainer->shuffled ? 0 : from, trainer->columns);
    return (struct batch){.rows =
                              trainer->rows - from < trainer->batch ? trainer->rows - from : trainer->batch,
                          .columns = trainer->columns,
                          .order = trainer->shuffled ? trainer->order + from : NULL,
                          .results = trainer->results,
                          .step = (double)update,
                          .drawn = (uint32_t)update,
                          .seed = run->seed};
}

/* Weights are printed before the update, what the update computes after it. */
static void print_traces(struct trainer *trainer, int64_t update, int64_t rows, bool weights) {
    const struct train_settings *settings = trainer->settings;
    for (int i = 0; i < settings->trace_count; i++) {
        const struct trace *trace = &settings->traces[i];
        if ((trace->node->code == OPERATOR_weight) != weights || !trace_wants(trace, update))
            continue;
        meter_clear(&trainer->meter);
        trace_print(trainer->run, trace, update, rows, settings->out);
    }
}

/* Numbers `update` from 1 over all epochs; returns the loss. */
static double run_update(struct trainer *trainer, int64_t update_of_epoch, int64_t update, int64_t *rows) {
    struct batch batch = batch_at(trainer, update_of_epoch, update);
    *rows = batch.rows;
    print_traces(trainer, update, batch.rows, true);
    double loss;
    if (trainer->settings->trace_count == 0 && compiled_train(trainer->run->compiled, &batch, &loss))
        return loss;
    interpreter_run(trainer->interpreter, &batch);
    print_traces(trainer, update, batch.rows, false);
    return run_number(trainer->run->model->loss.node->type.element, &trainer->loss, 0);
}

/* ---- going to infinity ---- */

/* Runs the epoch again from its update `from` and searches update `wrong`; `update` is the number of the
 * latter. */
static void find_nonfinite(struct trainer *trainer, int64_t epoch, int64_t from, int64_t wrong,
                           int64_t update) {
    struct run *run = trainer->run;
    weights_copy(run, trainer->epoch_weights, run->weights.values);
    for (int64_t u = from; u < wrong; u++) {
        struct batch batch = batch_at(trainer, u, update - wrong + u);
        batch.results = trainer->unread;
        interpreter_run(trainer->interpreter, &batch);
    }
    struct batch batch = batch_at(trainer, wrong, update);
    batch.results = trainer->unread;
    struct nonfinite found = interpreter_search(trainer->interpreter, &batch);
    struct nonfinite_place place = {update, epoch + 1, batch.order, wrong * trainer->batch};
    meter_clear(&trainer->meter);
    nonfinite_report(run, &found, &place);
}

/* ---- epochs ---- */

static bool is_reported(const struct trainer *trainer, int64_t epoch) {
    const struct training *training = &trainer->run->model->training;
    int64_t report = training->report ? training->report : (training->epochs + 19) / 20;
    if (report < 1)
        report = 1;
    return epoch == trainer->first_epoch || (epoch + 1) % report == 0 || epoch + 1 == trainer->goal;
}

static void keep_loss(struct trainer *trainer, double loss) {
    struct train_outcome *outcome = trainer->outcome;
    if (!trainer->settings->keep_losses)
        return;
    arena_reserve(trainer->run->arena, outcome->losses, outcome->loss_count, outcome->loss_capacity);
    outcome->losses[outcome->loss_count++] = loss;
}

static void end_epoch(struct trainer *trainer, int64_t epoch, double loss) {
    FILE *out = trainer->settings->out;
    trainer->run->weights.progress.epochs = epoch + 1;
    trainer->run->weights.progress.epoch_updates = 0;
    trainer->last_loss = loss;
    keep_loss(trainer, loss);
    if (trainer->watch && watch_epoch(trainer->watch))
        trainer->goal = trainer->run->weights.progress.goal = epoch + 1;
    if (trainer->log)
        fprintf(trainer->log, "%lld,%lld,%.17g\n", (long long)epoch + 1,
                (long long)trainer->run->weights.progress.updates, loss);
    if (!is_reported(trainer, epoch))
        return;
    meter_clear(&trainer->meter);
    fprintf(out, "epoch %lld  %s %.6g", (long long)epoch + 1, trainer->run->model->loss.name, loss);
    if (trainer->watch)
        watch_print(trainer->watch, out);
    fputc('\n', out);
    fflush(out); /* a log shows how far training is */
}

/* From its update `from`, 0 but where an earlier training was interrupted.  false when numbers went to
 * infinity. */
static bool run_epoch(struct trainer *trainer, int64_t epoch, int64_t from) {
    struct progress *progress = &trainer->run->weights.progress;
    double sum = 0, rows = 0;
    if (trainer->shuffled)
        draw_order(trainer, epoch);
    weights_copy(trainer->run, trainer->run->weights.values, trainer->epoch_weights);
    for (int64_t u = from; u < trainer->updates; u++) {
        int64_t batch_rows;
        double loss = run_update(trainer, u, progress->updates + 1, &batch_rows);
        bool last = interrupted || (u + 1 == trainer->updates && epoch + 1 == trainer->goal);
        if (!isfinite(loss) || (last && weights_find_nonfinite(trainer->run) >= 0)) {
            find_nonfinite(trainer, epoch, from, u, progress->updates + 1);
            return false;
        }
        if (!trainer->begun)
            trainer->first_loss = loss;
        trainer->begun = true;
        sum += loss * (double)batch_rows;
        rows += (double)batch_rows;
        progress->updates++;
        progress->epoch_updates = u + 1;
        meter_tick(&trainer->meter, epoch + 1, trainer->goal, progress->updates, sum / rows);
        if (interrupted && u + 1 < trainer->updates)
            return true;
    }
    end_epoch(trainer, epoch, sum / rows);
    return true;
}

/* The number of the update that the training is to end with. */
static int64_t last_update(const struct trainer *trainer) {
    const struct progress *progress = &trainer->run->weights.progress;
    return progress->updates + (trainer->goal - trainer->first_epoch) * trainer->updates -
           progress->epoch_updates;
}

/* Of a value that is traced in updates that do not come, nothing would be heard. */
static void warn_traces(const struct trainer *trainer) {
    const int64_t first = trainer->run->weights.progress.updates + 1, last = last_update(trainer);
    for (int i = 0; i < trainer->settings->trace_count; i++)
        if (!trace_meets(&trainer->settings->traces[i], first, last))
            diagnostic_warning(trainer->run->sink, (struct span){0},
                               "--trace %s: nothing is shown: this training makes the updates %lld to %lld",
                               trainer->settings->traces[i].name, (long long)first, (long long)last);
}

static bool run_epochs(struct trainer *trainer) {
    struct progress *progress = &trainer->run->weights.progress;
    struct interrupts interrupts;
    bool finite = true;
    interrupted = 0;
    interrupts_catch(&interrupts, interrupt);
    meter_start(&trainer->meter, trainer->run->quiet, trainer->run->model->loss.name, progress->updates,
                last_update(trainer));
    for (int64_t epoch = trainer->first_epoch; epoch < trainer->goal && finite && !interrupted; epoch++)
        finite = run_epoch(trainer, epoch, progress->epoch_updates);
    trainer->outcome->signal = progress->epochs < trainer->goal ? (int)interrupted : 0;
    if (finite)
        meter_end(&trainer->meter, progress->updates);
    interrupts_release(&interrupts);
    return finite;
}

static void warn_rate(struct trainer *trainer) {
    const struct training *training = &trainer->run->model->training;
    struct arena *arena = trainer->run->arena;
    struct diagnostic *warning = diagnostic_warning(
        trainer->run->sink, training->rate_span,
        "the loss grew, from %.6g in the first update to %.6g in the last epoch: it often means that "
        "the solver's rate is too high%s",
        trainer->first_loss, trainer->last_loss,
        isfinite(training->rate)
            ? text_format(arena, " (it is %s)", text_number(arena, training->rate, false))
            : "");
    run_note_large(trainer->run, warning);
}

/* Outputs start near 0, and a rate that is safe takes them to targets far away in very many updates only. */
static void warn_target(struct trainer *trainer) {
    const struct model *model = trainer->run->model;
    struct diagnostic *warning =
        diagnostic_warning(trainer->run->sink, model->loss.span,
                           "the loss stays high: %.6g in the first update, %.6g in the last epoch",
                           trainer->first_loss, trainer->last_loss);
    run_note_large(trainer->run, warning);
}

/* A loss that grows without going to infinity, or stands still far away, would else be seen by who reads the
 * numbers only.  In a training that goes on the first update's may be small by chance; of a negative rate the
 * checker has warned. */
static void warn_loss(struct trainer *trainer) {
    const double first = trainer->first_loss, last = trainer->last_loss;
    if (!trainer->begun || trainer->continued || trainer->run->model->training.rate < 0 || first == 0)
        return;
    if (last > first + 9 * fabs(first))
        warn_rate(trainer);
    else if (first > RUN_USUAL && last > first / 2 && run_has_large_target(trainer->run))
        warn_target(trainer);
}

/* ---- the trainer ---- */

static void make_interpreter(struct trainer *trainer) {
    struct run *run = trainer->run;
    const struct model *model = run->model;
    const struct train_settings *settings = trainer->settings;
    int count = 0, room = 1 + model->update_count + settings->trace_count;
    struct node **roots = arena_array(run->arena, struct node *, (size_t)room);
    trainer->results = arena_array(run->arena, void *, (size_t)room);
    trainer->unread = arena_array(run->arena, void *, (size_t)room);
    trainer->results[0] = trainer->unread[0] = &trainer->loss;
    roots[count++] = model->loss.node;
    for (int i = 0; i < model->update_count; i++)
        roots[count++] = model->updates[i];
    for (int i = 0; i < settings->trace_count; i++) {
        if (settings->traces[i].node->code == OPERATOR_weight)
            continue; /* read where they lie */
        trace_reserve(run, &settings->traces[i], trainer->batch);
        trainer->results[count] = settings->traces[i].values;
        roots[count++] = settings->traces[i].node;
    }
    trainer->interpreter = interpreter_new(plan_make(&model->graph, roots, count, run->arena), run->kernels,
                                           run->weights.values, run->arena);
    interpreter_use_threads(trainer->interpreter, run->threads);
}

/* A training that was interrupted is brought to its end; any other is followed by as many epochs as the file
 * says. */
static bool set_goal(struct trainer *trainer) {
    struct progress *progress = &trainer->run->weights.progress;
    if (progress->epoch_updates >= trainer->updates) { /* the file was written with smaller batches */
        progress->epochs += progress->epoch_updates > 0;
        progress->epoch_updates = 0;
    }
    if (progress->goal <= progress->epochs)
        progress->goal = progress->epochs + trainer->run->model->training.epochs;
    trainer->first_epoch = progress->epochs;
    trainer->goal = progress->goal;
    trainer->outcome->first_epoch = progress->epochs + 1;
    return progress->goal <= EPOCHS_MOST ||
           failure_set(trainer->run->failure, FAILURE_DATA,
                       "--train: %lld epochs are done, and %lld more are beyond the limit of %lld",
                       (long long)progress->epochs, (long long)trainer->run->model->training.epochs,
                       (long long)EPOCHS_MOST);
}

/* A disk without room is better known before the training than after it. */
static bool open_log(struct trainer *trainer) {
    const char *path = trainer->settings->log;
    struct stat status;
    if (!path)
        return true;
    trainer->log = fopen(path, "w");
    if (trainer->log && fputs("epoch,updates,loss\n", trainer->log) >= 0 && fflush(trainer->log) == 0)
        return true;
    failure_set(trainer->run->failure, FAILURE_MACHINE, "cannot write '%s': %s", path, strerror(errno));
    if (trainer->log && fstat(fileno(trainer->log), &status) == 0 && S_ISREG(status.st_mode))
        unlink(path); /* it is empty */
    if (trainer->log)
        fclose(trainer->log);
    return false;
}

/* What cannot be logged is a failure, and the training stands all the same. */
static void close_log(struct trainer *trainer) {
    if (!trainer->log)
        return;
    bool written = !ferror(trainer->log);
    if (fclose(trainer->log) != 0 || !written)
        failure_set(trainer->run->failure, FAILURE_MACHINE, "%s: cannot be written to its end: %s",
                    trainer->settings->log, strerror(errno));
}

bool train_run(struct run *run, const struct train_settings *settings, struct train_outcome *outcome) {
    struct trainer trainer = {.run = run, .settings = settings, .outcome = outcome};
    *outcome = (struct train_outcome){0};
    trainer.rows = run->train.count;
    trainer.batch = train_batch(run);
    trainer.updates = train_updates(run);
    trainer.shuffled = run->model->training.shuffle && trainer.batch < trainer.rows;
    trainer.columns = arena_array(run->arena, const void *, (size_t)run->model->column_count);
    trainer.epoch_weights = weights_new_copy(run);
    if (!set_goal(&trainer) || !open_log(&trainer))
        return false;
    trainer.continued = run->weights.progress.updates > 0;
    warn_traces(&trainer);
    start_orders(&trainer);
    make_interpreter(&trainer);
    trainer.watch = watch_new(run);
    bool finite = run_epochs(&trainer);
    if (finite)
        warn_loss(&trainer);
    if (trainer.watch && finite && !outcome->signal)
        watch_end(trainer.watch, settings->out);
    close_log(&trainer);
    return finite;
}
