/* Threads that share out the turns of a loop.  Who runs a turn changes nothing of what it computes, and a
 * thread that gets no processor holds nobody up: the caller takes turns as well, and waits for those only
 * that have begun. */
#ifndef NN_THREADS_H
#define NN_THREADS_H

#include <stdint.h>

struct threads;

/* Processors that this process may use. */
int threads_available(void);

/* `count` threads, the caller's among them; the others start with the first loop.  NULL where there is no
 * memory. The owner stops them. */
struct threads *threads_new(int count);
void threads_stop(struct threads *threads);
/* How many there are; 1 with threads NULL. */
int threads_count(const struct threads *threads);

/* Calls turn(context, i) for 0 <= i < turns, in any order and at the same time; returns after the last.
 * With threads NULL: one after the other. */
void threads_run(struct threads *threads, int64_t turns, void (*turn)(void *context, int64_t i),
                 void *context);

#endif
