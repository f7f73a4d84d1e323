/* Gives workers (worker.h) turns, A B C A B C ..., and prints the median of each and its ratio to the first.
 *
 *   alternate [-c] [-t TOLERANCE] [-s SECONDS] [-r ROUNDS] TITLE UNIT LABEL COMMAND [LABEL COMMAND ...]
 *
 * UNIT is what a step is called where steps a second are shown (updates), or ms or us for the time of a step.
 * A turn takes about SECONDS.  All must have computed the same number, up to the tolerance (relative): else
 * the case is worthless, says so, and ends with 1.  -c compares and times nothing.  The file that BENCH_TABLE
 * names gets the table as Markdown besides.
 */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_WORKERS = 32, MOST_ROUNDS = 101 };

struct worker {
    const char *label, *command;
    pid_t process;
    FILE *to, *from;
    bool failed;
    double check;
    long count;                  /* steps of a turn */
    double seconds[MOST_ROUNDS]; /* of a step, by round */
    double ratios[MOST_ROUNDS];  /* to the first worker, by round */
};

struct settings {
    bool only_check;
    double tolerance, seconds;
    int rounds;
    const char *title, *unit;
};

/* ---- processes ---- */

static bool start(struct worker *worker) {
    int to[2], from[2];
    if (pipe(to) || pipe(from))
        return false;
    worker->process = fork();
    if (worker->process == 0) {
        dup2(to[0], 0);
        dup2(from[1], 1);
        for (int fd = 3; fd < 4 + 4 * MOST_WORKERS; fd++)
            close(fd);
        execl("/bin/sh", "sh", "-c", worker->command, (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    worker->to = fdopen(to[1], "w");
    worker->from = fdopen(from[0], "r");
    return worker->process > 0 && worker->to && worker->from;
}

static bool read_check(struct worker *worker) {
    char line[256];
    while (fgets(line, sizeof line, worker->from))
        if (sscanf(line, "check %lf", &worker->check) == 1)
            return true;
    return false;
}

/* Seconds of a turn, or -1. */
static double turn(struct worker *worker, long count) {
    char line[256];
    fprintf(worker->to, "%ld\n", count);
    if (fflush(worker->to) || !fgets(line, sizeof line, worker->from))
        return -1;
    return strtod(line, NULL);
}

static void stop(struct worker *worker) {
    fclose(worker->to);
    fclose(worker->from);
    waitpid(worker->process, NULL, 0);
}

/* ---- measuring ---- */

static void calibrate(struct worker *worker, double seconds) {
    worker->count = 1;
    turn(worker, 1); /* caches, pages, just-in-time compilers */
    for (;;) {
        const double taken = turn(worker, worker->count);
        if (taken < 0) {
            worker->failed = true;
            return;
        }
        if (taken >= 0.5 * seconds || worker->count > 1L << 40)
            return;
        const double factor = taken > 0 ? seconds / taken : 10;
        worker->count = (long)ceil((double)worker->count * (factor > 10 ? 10 : factor));
    }
}

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *values, int count) {
    double sorted[MOST_ROUNDS];
    memcpy(sorted, values, (size_t)count * sizeof *values);
    qsort(sorted, (size_t)count, sizeof *sorted, compare);
    return count % 2 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

static void measure(struct worker *workers, int count, const struct settings *settings) {
    for (int w = 0; w < count; w++)
        if (!workers[w].failed)
            calibrate(&workers[w], settings->seconds);
    for (int round = 0; round < settings->rounds; round++)
        for (int w = 0; w < count; w++) {
            struct worker *worker = &workers[w];
            if (worker->failed)
                continue;
            const double taken = turn(worker, worker->count);
            worker->failed = taken < 0;
            worker->seconds[round] = taken / (double)worker->count;
            worker->ratios[round] = worker->seconds[round] / workers[0].seconds[round];
        }
}

/* ---- the table ---- */

static void amount(char *text, size_t size, const char *unit, double seconds) {
    if (strcmp(unit, "ms") == 0 || strcmp(unit, "us") == 0)
        snprintf(text, size, "%.*f %s", seconds * (*unit == 'm' ? 1e3 : 1e6) < 10 ? 3 : 1,
                 seconds * (*unit == 'm' ? 1e3 : 1e6), unit);
    else
        snprintf(text, size, "%.0f/s", 1 / seconds);
}

static void report(const struct worker *workers, int count, const struct settings *settings) {
    const char *path = getenv("BENCH_TABLE");
    FILE *table = path ? fopen(path, "a") : NULL;
    const bool rate = strcmp(settings->unit, "ms") != 0 && strcmp(settings->unit, "us") != 0;
    printf("\n%s\n", settings->title);
    if (table)
        fprintf(table, "\n| %s | %s | time, %s = 1 |\n| --- | ---: | ---: |\n", settings->title,
                rate ? settings->unit : "a step", workers[0].label);
    for (int w = 0; w < count; w++) {
        const struct worker *worker = &workers[w];
        char text[64] = "failed", ratio[64] = "";
        if (!worker->failed) {
            amount(text, sizeof text, settings->unit, median(worker->seconds, settings->rounds));
            if (!workers[0].failed)
                snprintf(ratio, sizeof ratio, "%.2f", median(worker->ratios, settings->rounds));
        }
        printf("  %-44s %14s %8s\n", worker->label, text, ratio);
        if (table)
            fprintf(table, "| %s | %s | %s |\n", worker->label, text, ratio);
    }
    if (table)
        fclose(table);
    fflush(stdout);
}

static bool agree(const struct worker *workers, int count, const struct settings *settings) {
    bool good = true;
    double first = NAN;
    for (int w = 0; w < count; w++) {
        if (workers[w].failed) {
            printf("%s: '%s' failed: %s\n", settings->title, workers[w].label, workers[w].command);
            good = false;
        } else if (isnan(first))
            first = workers[w].check;
        else if (!(fabs(workers[w].check - first) <= settings->tolerance * fabs(first))) {
            printf("%s: '%s' computes %.9g, the first one %.9g\n", settings->title, workers[w].label,
                   workers[w].check, first);
            good = false;
        }
    }
    if (settings->only_check)
        printf("%-60s %2d agree: %.9g\n", settings->title, count, first);
    return good && first == first && first != 0;
}

int main(int argc, char **argv) {
    static struct worker workers[MOST_WORKERS];
    struct settings settings = {.tolerance = 1e-6, .seconds = 0.05, .rounds = 9};
    int option, count = 0;
    while ((option = getopt(argc, argv, "ct:s:r:")) != -1)
        switch (option) {
        case 'c':
            settings.only_check = true;
            break;
        case 't':
            settings.tolerance = atof(optarg);
            break;
        case 's':
            settings.seconds = atof(optarg);
            break;
        case 'r':
            settings.rounds = atoi(optarg);
            break;
        default:
            return 2;
        }
    if (argc - optind < 4 || settings.rounds < 1 || settings.rounds > MOST_ROUNDS)
        return 2;
    settings.title = argv[optind];
    settings.unit = argv[optind + 1];
    for (int i = optind + 2; i + 1 < argc && count < MOST_WORKERS; i += 2) {
        struct worker *worker = &workers[count++];
        worker->label = argv[i];
        worker->command = argv[i + 1];
        worker->failed = !start(worker) || !read_check(worker);
    }
    bool good = agree(workers, count, &settings);
    if (!settings.only_check) {
        measure(workers, count, &settings);
        report(workers, count, &settings);
    }
    for (int w = 0; w < count; w++)
        stop(&workers[w]);
    return good ? 0 : 1;
}
