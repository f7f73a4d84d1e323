/* How far training is, on standard error: one line that is rewritten on a terminal, else a plain line now and
 * then. */
#ifndef NN_METER_H
#define NN_METER_H

#include <stdbool.h>
#include <stdint.h>

struct meter {
    bool silent, terminal;
    bool shown;         /* a line stands on the terminal */
    double start, next; /* seconds of a clock that never runs back */
    int64_t first_update, last_update;
    const char *loss_name;
};

/* `last_update` is the one that ends the training, counted like first_update: those done before the start. */
void meter_start(struct meter *meter, bool silent, const char *loss_name, int64_t first_update,
                 int64_t last_update);
/* After each update; cheap. */
void meter_tick(struct meter *meter, int64_t epoch, int64_t epochs, int64_t update, double loss);
/* Takes the rewritten line away, so that something else can be printed. */
void meter_clear(struct meter *meter);
/* The summary: updates, seconds, updates a second. */
void meter_end(struct meter *meter, int64_t update);

#endif
