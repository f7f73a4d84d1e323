#include "interrupts.h"

#include <stddef.h>

static const int numbers[INTERRUPT_COUNT] = {SIGINT, SIGTERM, SIGHUP};

void interrupts_catch(struct interrupts *interrupts, void (*handler)(int)) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < INTERRUPT_COUNT; i++) {
        sigaction(numbers[i], NULL, &interrupts->outer[i]);
        if (interrupts->outer[i].sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, NULL);
    }
}

void interrupts_release(const struct interrupts *interrupts) {
    for (int i = 0; i < INTERRUPT_COUNT; i++)
        sigaction(numbers[i], &interrupts->outer[i], NULL);
}
