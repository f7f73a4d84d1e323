/* The signals that ask a program for its end: SIGINT, SIGTERM and SIGHUP. */
#ifndef NN_INTERRUPTS_H
#define NN_INTERRUPTS_H

#include <signal.h>

enum { INTERRUPT_COUNT = 3 };

struct interrupts {
    struct sigaction outer[INTERRUPT_COUNT]; /* what was done at them before */
};

/* Calls `handler` at the first of each; the second one does what the system does by default.  What is
 * ignored, as SIGHUP is under nohup, stays so. */
void interrupts_catch(struct interrupts *interrupts, void (*handler)(int));

void interrupts_release(const struct interrupts *interrupts);

#endif
