/* The spiral's network in FANN, as a worker that predicts one row at a time.
 *
 *   fann SCALE
 *
 * doublefann.h computes in double.  FANN multiplies by a steepness and doubles it in a sigmoid.
 */
#define _POSIX_C_SOURCE 200809L
#include <doublefann.h>

#include "worker.h"

enum { INPUTS = 2, HIDDEN = 10, OUTPUTS = 3 };

struct network {
    struct fann *fann;
    double x[INPUTS];
};

/* Neurons are numbered layer by layer, each layer's bias last. */
static void set_weights(struct fann *fann, double scale) {
    const int hidden = INPUTS + 1, output = hidden + HIDDEN + 1;
    for (int j = 0; j < HIDDEN; j++) {
        for (int i = 0; i < INPUTS; i++)
            fann_set_weight(fann, (unsigned)i, (unsigned)(hidden + j),
                            bench_weight(0, i * HIDDEN + j, scale));
        fann_set_weight(fann, INPUTS, (unsigned)(hidden + j), bench_weight(1, j, scale));
    }
    for (int j = 0; j < OUTPUTS; j++) {
        for (int i = 0; i < HIDDEN; i++)
            fann_set_weight(fann, (unsigned)(hidden + i), (unsigned)(output + j),
                            bench_weight(2, i * OUTPUTS + j, scale));
        fann_set_weight(fann, (unsigned)(hidden + HIDDEN), (unsigned)(output + j), bench_weight(3, j, scale));
    }
}

static double step(void *context, long number) {
    struct network *network = context;
    const double *y = fann_run(network->fann, network->x);
    double sum = 0;
    for (int i = 0; number == 0 && i < OUTPUTS; i++)
        sum += (i + 1) * y[i];
    return sum;
}

int main(int count, char **arguments) {
    struct network network = {fann_create_standard(3, INPUTS, HIDDEN, OUTPUTS), {0}};
    if (count != 2 || !network.fann)
        return 2;
    fann_set_activation_function_hidden(network.fann, FANN_SIGMOID);
    fann_set_activation_steepness_hidden(network.fann, 0.5);
    fann_set_activation_function_output(network.fann, FANN_LINEAR);
    fann_set_activation_steepness_output(network.fann, 1);
    set_weights(network.fann, atof(arguments[1]));
    for (int i = 0; i < INPUTS; i++)
        network.x[i] = bench_input(0, INPUTS, 3, i);
    return bench_serve(step, &network, 0);
}
