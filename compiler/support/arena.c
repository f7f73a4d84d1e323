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
    block->end = (char *)block + total;
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

void arena_free(struct arena *arena) {
    while (arena->blocks) {
        struct arena_block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
}
