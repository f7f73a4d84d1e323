/* What every program of the bench that is written in C shares: numbers, rows, and turns.
 *
 * A worker makes the rows and the first weights from formulas that all peers know (peers.py has the same),
 * makes CHECK_UPDATES updates, and prints
 *
 *     check VALUE
 *
 * the loss of the update that follows, or for predictions the sum of the outputs.  Then it reads numbers from
 * standard input: for each it makes so many steps and prints the seconds that they took; at the end of the
 * input it ends.  So `alternate` can give several workers turns, and compare what they compute.
 */
#ifndef NN_BENCH_WORKER_H
#define NN_BENCH_WORKER_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifndef REAL
#define REAL double
#endif

enum { CHECK_UPDATES = 10 };

/* ---- numbers ---- */

/* Number i of a stream, in [-1, 1): 32-bit integers only, so that NumPy has the same. */
static inline double bench_number(uint32_t stream, uint32_t i) {
    uint32_t h = i * UINT32_C(2654435769) + stream * UINT32_C(2246822519) + UINT32_C(374761393);
    h = (h ^ (h >> 15)) * UINT32_C(739982445);
    h = (h ^ (h >> 12)) * UINT32_C(695872825);
    h ^= h >> 15;
    return (double)h / 2147483648.0 - 1.0;
}

/* The streams: inputs, real targets, noise, then one for each weight in the order of the model. */
enum { STREAM_INPUT = 1, STREAM_TARGET = 2, STREAM_NOISE = 3, STREAM_WEIGHTS = 100 };

/* Column `inputs` numbers a row.  Two inputs and three classes are the spiral; all else is noise. */
static inline double bench_input(long row, long inputs, long classes, long column) {
    if (inputs == 2 && classes == 3) {
        const double radius = (double)(row / 3 % 100) / 100;
        const double angle =
            4.0 * (double)(row % 3) + 4.0 * radius + 0.3 * bench_number(STREAM_NOISE, (uint32_t)row);
        return radius * (column == 0 ? sin(angle) : cos(angle));
    }
    return bench_number(STREAM_INPUT, (uint32_t)(row * inputs + column));
}

static inline int bench_class(long row, long classes) {
    return (int)(row % classes);
}

static inline double bench_target(long row, long targets, long column) {
    return bench_number(STREAM_TARGET, (uint32_t)(row * targets + column));
}

static inline double bench_weight(int weight, long i, double scale) {
    return scale * bench_number((uint32_t)(STREAM_WEIGHTS + weight), (uint32_t)i);
}

/* ---- turns ---- */

/* Processor time with one thread, so that other work on the machine counts less; else time on the wall. */
static inline double bench_now(void) {
    const char *threads = getenv("THREADS");
    struct timespec now;
    clock_gettime(threads && atoi(threads) > 1 ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* `step` makes one step, of which `number` counts all from 0, and returns its loss or sum. */
static inline int bench_serve(double (*step)(void *context, long number), void *context, int training) {
    char line[64];
    long number = 0;
    while (training && number < CHECK_UPDATES)
        step(context, number++);
    printf("check %.9g\n", step(context, number++));
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        const long count = strtol(line, NULL, 10);
        const double start = bench_now();
        for (long i = 0; i < count; i++)
            step(context, number++);
        printf("%.9g\n", bench_now() - start);
        fflush(stdout);
    }
    return 0;
}

static inline void *bench_room(size_t count, size_t size) {
    void *room = NULL;
    if (posix_memalign(&room, 64, count > 0 ? count * size : 64)) {
        fprintf(stderr, "no memory\n");
        exit(3);
    }
    memset(room, 0, count * size);
    return room;
}

#endif
