#include "plan/pool.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static void heap_add(struct arena *arena, struct pool *pool, struct interval interval) {
    arena_reserve(arena, pool->live, pool->count, pool->capacity);
    int at = pool->count++;
    for (; at > 0 && pool->live[(at - 1) / 2].end > interval.end; at = (at - 1) / 2)
        pool->live[at] = pool->live[(at - 1) / 2];
    pool->live[at] = interval;
}

static struct interval heap_take(struct pool *pool) {
    struct interval first = pool->live[0], last = pool->live[--pool->count];
    int at = 0;
    for (int child = 1; child < pool->count; child = 2 * at + 1) {
        if (child + 1 < pool->count && pool->live[child + 1].end < pool->live[child].end)
            child++;
        if (pool->live[child].end >= last.end)
            break;
        pool->live[at] = pool->live[child];
        at = child;
    }
    pool->live[at] = last;
    return first;
}

static void give_back(struct arena *arena, struct pool *pool, int64_t offset, int64_t size) {
    int low = 0, high = pool->gap_count; /* the first gap behind it */
    while (low < high) {
        int middle = (low + high) / 2;
        if (pool->gaps[middle].offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    bool joins_next = low < pool->gap_count && offset + size == pool->gaps[low].offset;
    bool joins_last = low > 0 && pool->gaps[low - 1].offset + pool->gaps[low - 1].size == offset;
    if (joins_last) {
        pool->gaps[low - 1].size += size + (joins_next ? pool->gaps[low].size : 0);
        if (joins_next)
            memmove(pool->gaps + low, pool->gaps + low + 1,
                    (size_t)(--pool->gap_count - low) * sizeof *pool->gaps);
    } else if (joins_next) {
        pool->gaps[low].offset = offset;
        pool->gaps[low].size += size;
    } else {
        arena_reserve(arena, pool->gaps, pool->gap_count, pool->gap_capacity);
        memmove(pool->gaps + low + 1, pool->gaps + low,
                (size_t)(pool->gap_count++ - low) * sizeof *pool->gaps);
        pool->gaps[low] = (struct gap){offset, size};
    }
}

int64_t pool_place(struct arena *arena, struct pool *pool, struct interval interval) {
    while (pool->count && pool->live[0].end < interval.start) {
        struct interval ended = heap_take(pool);
        give_back(arena, pool, *ended.offset, ended.size);
        pool->alive -= ended.size;
    }
    heap_add(arena, pool, interval);
    arena_reserve(arena, pool->placed, pool->placed_count, pool->placed_capacity);
    pool->placed[pool->placed_count++] = interval;
    pool->alive += interval.size;
    pool->most = pool->alive > pool->most ? pool->alive : pool->most;
    int at = 0;
    while (at < pool->gap_count && pool->gaps[at].size < interval.size)
        at++;
    if (at == pool->gap_count) { /* behind all others, from the gap at the end if there is one */
        struct gap *last = at ? &pool->gaps[at - 1] : NULL;
        int64_t offset = last && last->offset + last->size == pool->size ? last->offset : pool->size;
        pool->gap_count -= offset < pool->size;
        pool->size = offset + interval.size;
        return offset;
    }
    int64_t offset = pool->gaps[at].offset;
    pool->gaps[at].offset += interval.size;
    pool->gaps[at].size -= interval.size;
    if (pool->gaps[at].size == 0)
        memmove(pool->gaps + at, pool->gaps + at + 1, (size_t)(--pool->gap_count - at) * sizeof *pool->gaps);
    return offset;
}

static int by_size(const void *a, const void *b) {
    const struct interval *x = a, *y = b;
    if (x->size != y->size)
        return x->size < y->size ? 1 : -1;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

/* The same, but by how long they live. */
static int by_life(const void *a, const void *b) {
    const struct interval *x = a, *y = b;
    const int64_t x_life = x->end - x->start, y_life = y->end - y->start;
    return x_life == y_life ? by_size(a, b) : x_life < y_life ? 1 : -1;
}

/* The same, but by how much room they take for how long. */
static int by_area(const void *a, const void *b) {
    const struct interval *x = a, *y = b;
    const int64_t x_area = (x->end - x->start + 1) * x->size, y_area = (y->end - y->start + 1) * y->size;
    return x_area == y_area ? by_size(a, b) : x_area < y_area ? 1 : -1;
}

/* Places all anew in that order, each as low as what lives beside it lets it; keeps it if it needs less. */
static void pool_retry(struct arena *arena, struct pool *pool, int (*order)(const void *, const void *)) {
    const int count = pool->placed_count;
    struct interval *const all = pool->placed, **low = arena_array(arena, struct interval *, (size_t)count);
    int64_t *offsets = arena_array(arena, int64_t, (size_t)count), size = 0; /* of low[i], ascending */
    qsort(all, (size_t)count, sizeof *all, order);
    for (int i = 0; i < count; i++) {
        int64_t at = 0;
        int k = 0;
        for (; k < i && offsets[k] < at + all[i].size; k++)
            if (low[k]->start <= all[i].end && all[i].start <= low[k]->end && offsets[k] + low[k]->size > at)
                at = offsets[k] + low[k]->size;
        for (k = i; k > 0 && offsets[k - 1] > at; k--)
            offsets[k] = offsets[k - 1], low[k] = low[k - 1];
        offsets[k] = at, low[k] = &all[i];
        size = at + all[i].size > size ? at + all[i].size : size;
    }
    for (int k = 0; k < count && size < pool->size; k++)
        *low[k]->offset = offsets[k];
    pool->size = size < pool->size ? size : pool->size;
}

void pool_tighten(struct arena *arena, struct pool *pool) {
    enum { MANY = 1000 };
    if (pool->size > pool->most && pool->placed_count <= MANY)
        pool_retry(arena, pool, by_size);
    if (pool->size > pool->most && pool->placed_count <= MANY)
        pool_retry(arena, pool, by_life);
    if (pool->size > pool->most && pool->placed_count <= MANY)
        pool_retry(arena, pool, by_area);
}
