/* One loop at a time.  Everything is said under one lock: turns are long enough (a part of a matrix product)
 * for that to cost nothing. */
#include "threads.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

struct threads {
    pthread_mutex_t lock;
    pthread_cond_t begin, end; /* there are turns to take, or it is over; the last turn is done */
    void (*turn)(void *context, int64_t i);
    void *context;
    int64_t turns, next, done;
    bool over;
    int count, started; /* with and without the caller's */
    pthread_t others[];
};

int threads_available(void) {
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : count > 1024 ? 1024 : (int)count;
}

struct threads *threads_new(int count) {
    struct threads *threads = calloc(1, sizeof *threads + (size_t)count * sizeof threads->others[0]);
    if (!threads)
        return NULL;
    threads->count = count;
    pthread_mutex_init(&threads->lock, NULL);
    pthread_cond_init(&threads->begin, NULL);
    pthread_cond_init(&threads->end, NULL);
    return threads;
}

int threads_count(const struct threads *threads) {
    return threads ? threads->count : 1;
}

/* Takes turns while there are any; the lock is held before and after. */
static void take_turns(struct threads *threads) {
    while (threads->next < threads->turns) {
        int64_t i = threads->next++;
        pthread_mutex_unlock(&threads->lock);
        threads->turn(threads->context, i);
        pthread_mutex_lock(&threads->lock);
        if (++threads->done == threads->turns)
            pthread_cond_signal(&threads->end);
    }
}

static void *work(void *context) {
    struct threads *threads = context;
    pthread_mutex_lock(&threads->lock);
    while (!threads->over) {
        take_turns(threads);
        if (!threads->over)
            pthread_cond_wait(&threads->begin, &threads->lock);
    }
    pthread_mutex_unlock(&threads->lock);
    return NULL;
}

/* A thread that cannot be started is done without. */
static void start_others(struct threads *threads) {
    while (threads->started < threads->count - 1 &&
           pthread_create(&threads->others[threads->started], NULL, work, threads) == 0)
        threads->started++;
    threads->count = threads->started + 1;
}

void threads_run(struct threads *threads, int64_t turns, void (*turn)(void *context, int64_t i),
                 void *context) {
    if (!threads || threads->count == 1 || turns < 2) {
        for (int64_t i = 0; i < turns; i++)
            turn(context, i);
        return;
    }
    pthread_mutex_lock(&threads->lock);
    start_others(threads);
    threads->turn = turn;
    threads->context = context;
    threads->turns = turns;
    threads->next = threads->done = 0;
    pthread_cond_broadcast(&threads->begin);
    take_turns(threads);
    while (threads->done < turns)
        pthread_cond_wait(&threads->end, &threads->lock);
    threads->turns = threads->next = 0;
    pthread_mutex_unlock(&threads->lock);
}

void threads_stop(struct threads *threads) {
    if (!threads)
        return;
    pthread_mutex_lock(&threads->lock);
    threads->over = true;
    pthread_cond_broadcast(&threads->begin);
    pthread_mutex_unlock(&threads->lock);
    for (int i = 0; i < threads->started; i++)
        pthread_join(threads->others[i], NULL);
    pthread_cond_destroy(&threads->begin);
    pthread_cond_destroy(&threads->end);
    pthread_mutex_destroy(&threads->lock);
    free(threads);
}
