#include "support/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64, BLOCK_SIZE = 1 << 16 };

/* A block is followed by its memory, which starts at the next multiple of ALIGNMENT. */
struct arena_block {
    struct arena_block *next;
    char *free;
    char *end;
    struct arena *inner; /* an arena that is freed with this one, or NULL */
};

static char *align_up(char *address) {
    return address + (ALIGNMENT - (uintptr_t)address % ALIGNMENT) % ALIGNMENT;
}

static struct arena_block *new_block(struct arena *arena, size_t size) {
    size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;
    if (room > SIZE_MAX - sizeof(struct arena_block) - ALIGNMENT)
        longjmp(*arena->out_of_memory, 1);
    size_t total = sizeof(struct arena_block) + ALIGNMENT + room;
    struct arena_block *block = malloc(total);
    if (!block)
        longjmp(*arena->out_of_memory, 1);
    block->free = align_up((char *)(block + 1));
    block->end = block->free + room; /* of a block for one array, nothing is left: it may move */
    block->inner = NULL;
    block->next = arena->blocks;
    arena->blocks = block;
    return block;
}

void *arena_allocate(struct arena *arena, size_t size) {
    struct arena_block *block = arena->blocks;
    size_t alignment = size >= ALIGNMENT ? ALIGNMENT : 16;
    if (block) {
        char *start = block->free + (alignment - (uintptr_t)block->free % alignment) % alignment;
        if (start <= block->end && (size_t)(block->end - start) >= size) {
            block->free = start + size;
            return memset(start, 0, size);
        }
    }
    block = new_block(arena, size);
    char *start = block->free;
    block->free += size;
    return memset(start, 0, size);
}

void *arena_allocate_array(struct arena *arena, size_t count, size_t size) {
    if (size && count > SIZE_MAX / size)
        longjmp(*arena->out_of_memory, 1);
    return arena_allocate(arena, count * size);
}

char *arena_copy(struct arena *arena, const char *text, size_t bytes) {
    char *copy = arena_allocate(arena, bytes + 1);
    if (bytes)
        memcpy(copy, text, bytes);
    return copy;
}

void *arena_grow(struct arena *arena, void *old, size_t old_count, size_t new_count, size_t size) {
    void *grown = arena_allocate_array(arena, new_count, size);
    if (old_count)
        memcpy(grown, old, old_count * size);
    return grown;
}

char *arena_stretch(struct arena *arena, char *old, size_t old_size, size_t new_size) {
    if (old_size <= BLOCK_SIZE || new_size > SIZE_MAX - 2 * ALIGNMENT)
        return arena_grow(arena, old, old_size, new_size, 1);
    /* so large that it has a block of its own */
    struct arena_block **link = &arena->blocks;
    while (align_up((char *)(*link + 1)) != old)
        link = &(*link)->next;
    const size_t before = (size_t)(old - (char *)*link),
                 total = sizeof(struct arena_block) + ALIGNMENT + new_size;
    struct arena_block *block = realloc(*link, total);
    if (!block)
        longjmp(*arena->out_of_memory, 1);
    *link = block;
    char *start = align_up((char *)(block + 1));
    memmove(start, (char *)block + before, old_size);
    block->free = block->end = start + new_size;
    return start;
}

struct arena *arena_within(struct arena *arena) {
    struct arena_block *block = new_block(arena, sizeof(struct arena));
    struct arena *inner = arena_new(arena, struct arena);
    inner->out_of_memory = arena->out_of_memory;
    block->inner = inner;
    return inner;
}

void arena_free(struct arena *arena) {
    while (arena->blocks) {
        struct arena_block *next = arena->blocks->next;
        if (arena->blocks->inner)
            arena_free(arena->blocks->inner);
        free(arena->blocks);
        arena->blocks = next;
    }
}
