/* Memory that is freed all at once.
 *
 * Everything with one life (a source file, a graph, a plan, a run) is allocated from one arena; nothing
 * is freed piece by piece.  When memory runs out, the arena jumps to the handler that its owner set, so no
 * caller of arena_allocate ever tests for NULL, and the owner frees the arena in one place.
 */
#ifndef NN_ARENA_H
#define NN_ARENA_H

#include <setjmp.h>
#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *blocks;
    jmp_buf *out_of_memory; /* where to jump when an allocation fails; must be set before the first one */
};

/* Memory of `size` bytes, zeroed, aligned for any type up to 64 bytes.  Never NULL. */
void *arena_allocate(struct arena *arena, size_t size);
/* The same for `count` items; a product that overflows counts as out of memory. */
void *arena_allocate_array(struct arena *arena, size_t count, size_t size);
/* `bytes` of `text` copied and ended with a NUL. */
char *arena_copy(struct arena *arena, const char *text, size_t bytes);
/* Grows an array from `old_count` to `new_count` items; the old array is left to the arena. */
void *arena_grow(struct arena *arena, void *old, size_t old_count, size_t new_count, size_t size);
/* The same for bytes, of which the rest is not zeroed.  A long old array is gone: it was moved, not copied.
 */
char *arena_stretch(struct arena *arena, char *old, size_t old_size, size_t new_size);
void arena_free(struct arena *arena);

/* An arena for what is needed briefly: its owner frees it as often as it likes, and at the end it is freed
 * with `arena`. */
struct arena *arena_within(struct arena *arena);

#define arena_new(arena, type) ((type *)arena_allocate((arena), sizeof(type)))
#define arena_array(arena, type, count) ((type *)arena_allocate_array((arena), (count), sizeof(type)))

/* Makes room for one more item in a {items, count, capacity} list held in an arena. */
#define arena_reserve(arena, items, count, capacity)                                                      \
    do {                                                                                                  \
        if ((count) == (capacity)) {                                                                      \
            (capacity) = (capacity) ? 2 * (capacity) : 8;                                                 \
            (items) = arena_grow((arena), (items), (size_t)(count), (size_t)(capacity), sizeof *(items)); \
        }                                                                                                 \
    } while (0)

#endif
