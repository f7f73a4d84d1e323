/* The spiral's network row by row, as one writes it first: 2 inputs, 10 sigmoids, 3 scores, softmax,
 * cross-entropy, plain gradient descent.  The peer of whoever wonders whether a compiler for networks is
 * worth it.
 *
 *   cc -O3 -DREAL=double naive.c -lm;  naive ROWS BATCH SCALE RATE
 */
#define _POSIX_C_SOURCE 200809L
#include "worker.h"

enum { INPUTS = 2, HIDDEN = 10, CLASSES = 3 };

struct net {
    REAL W1[INPUTS][HIDDEN], b1[HIDDEN], W2[HIDDEN][CLASSES], b2[CLASSES];
};

struct worker {
    struct net net;
    long rows, batch;
    double rate;
    REAL (*x)[INPUTS];
    int *t;
};

#if defined SINGLE
#define EXP expf
#define LOG logf
#else
#define EXP exp
#define LOG log
#endif

/* Adds what one row gives to the gradient; returns its loss. */
static REAL row(const struct net *net, const REAL *x, int t, struct net *grad) {
    REAL h[HIDDEN], score[CLASSES], total = 0;
    for (int j = 0; j < HIDDEN; j++) {
        REAL sum = net->b1[j];
        for (int i = 0; i < INPUTS; i++)
            sum += x[i] * net->W1[i][j];
        h[j] = 1 / (1 + EXP(-sum));
    }
    for (int k = 0; k < CLASSES; k++) {
        score[k] = net->b2[k];
        for (int j = 0; j < HIDDEN; j++)
            score[k] += h[j] * net->W2[j][k];
    }
    REAL top = score[0];
    for (int k = 1; k < CLASSES; k++)
        top = score[k] > top ? score[k] : top;
    for (int k = 0; k < CLASSES; k++)
        total += score[k] = EXP(score[k] - top);
    for (int k = 0; k < CLASSES; k++)
        score[k] /= total;
    const REAL loss = -LOG(score[t]);
    score[t] -= 1;
    for (int k = 0; k < CLASSES; k++)
        grad->b2[k] += score[k];
    for (int j = 0; j < HIDDEN; j++) {
        REAL back = 0;
        for (int k = 0; k < CLASSES; k++) {
            grad->W2[j][k] += h[j] * score[k];
            back += net->W2[j][k] * score[k];
        }
        back *= h[j] * (1 - h[j]);
        grad->b1[j] += back;
        for (int i = 0; i < INPUTS; i++)
            grad->W1[i][j] += x[i] * back;
    }
    return loss;
}

static double train(void *context, long number) {
    struct worker *worker = context;
    const long from = number * worker->batch % worker->rows;
    struct net grad;
    REAL *weight = (REAL *)&worker->net, *slope = (REAL *)&grad, loss = 0;
    memset(&grad, 0, sizeof grad);
    for (long r = from; r < from + worker->batch; r++)
        loss += row(&worker->net, worker->x[r], worker->t[r], &grad);
    const REAL factor = (REAL)(worker->rate / (double)worker->batch);
    for (size_t i = 0; i < sizeof grad / sizeof(REAL); i++)
        weight[i] -= factor * slope[i];
    return (double)loss / (double)worker->batch;
}

int main(int count, char **arguments) {
    static struct worker worker;
    if (count != 5)
        return 2;
    worker.rows = atol(arguments[1]);
    worker.batch = atol(arguments[2]);
    const double scale = atof(arguments[3]);
    worker.rate = atof(arguments[4]);
    worker.x = bench_room((size_t)worker.rows, sizeof *worker.x);
    worker.t = bench_room((size_t)worker.rows, sizeof *worker.t);
    for (long r = 0; r < worker.rows; r++) {
        for (int i = 0; i < INPUTS; i++)
            worker.x[r][i] = (REAL)bench_input(r, INPUTS, CLASSES, i);
        worker.t[r] = bench_class(r, CLASSES);
    }
    for (int i = 0; i < INPUTS * HIDDEN; i++)
        worker.net.W1[i / HIDDEN][i % HIDDEN] = (REAL)bench_weight(0, i, scale);
    for (int j = 0; j < HIDDEN; j++)
        worker.net.b1[j] = (REAL)bench_weight(1, j, scale);
    for (int i = 0; i < HIDDEN * CLASSES; i++)
        worker.net.W2[i / CLASSES][i % CLASSES] = (REAL)bench_weight(2, i, scale);
    for (int k = 0; k < CLASSES; k++)
        worker.net.b2[k] = (REAL)bench_weight(3, k, scale);
    return bench_serve(train, &worker, 1);
}
