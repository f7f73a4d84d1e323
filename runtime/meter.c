#define _POSIX_C_SOURCE 200809L
#include "meter.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void meter_start(struct meter *meter, bool silent, const char *loss_name, int64_t first_update,
                 int64_t last_update) {
    *meter = (struct meter){.silent = silent,
                            .terminal = isatty(STDERR_FILENO) == 1,
                            .start = seconds(),
                            .first_update = first_update,
                            .last_update = last_update,
                            .loss_name = loss_name};
    meter->next = meter->start + (meter->terminal ? 0.2 : 10);
}

/* "1:02:03", "2:03" */
static void print_time(double left) {
    long long whole = (long long)(left + 0.5);
    if (whole >= 3600)
        fprintf(stderr, "%lld:%02lld:%02lld left", whole / 3600, whole / 60 % 60, whole % 60);
    else
        fprintf(stderr, "%lld:%02lld left", whole / 60, whole % 60);
}

static void print_rate(double rate) {
    fprintf(stderr, rate >= 100 ? ", %.0f updates/s" : ", %.3g updates/s", rate);
}

void meter_tick(struct meter *meter, int64_t epoch, int64_t epochs, int64_t update, double loss) {
    if (meter->silent)
        return;
    double now = seconds();
    if (now < meter->next)
        return;
    meter->next = now + (meter->terminal ? 0.2 : 10);
    double rate = (double)(update - meter->first_update) / (now - meter->start);
    fprintf(stderr, "%sepoch %lld/%lld  %s %.4g", meter->terminal ? "\r\033[K" : "", (long long)epoch,
            (long long)epochs, meter->loss_name, loss);
    print_rate(rate);
    fputs(", ", stderr);
    print_time((double)(meter->last_update - update) / rate);
    if (!meter->terminal)
        fputc('\n', stderr);
    meter->shown = meter->terminal;
}

void meter_clear(struct meter *meter) {
    if (!meter->shown)
        return;
    fputs("\r\033[K", stderr);
    meter->shown = false;
}

void meter_end(struct meter *meter, int64_t update) {
    if (meter->silent)
        return;
    meter_clear(meter);
    double taken = seconds() - meter->start;
    long long updates = update - meter->first_update;
    fprintf(stderr, "%lld update%s in %.3g s", updates, updates == 1 ? "" : "s", taken);
    if (updates > 0 && taken > 0)
        print_rate((double)updates / taken);
    fputc('\n', stderr);
}
