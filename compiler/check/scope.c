/* Names and what they stand for.  A scope with many names gets a hash table, so that long files stay linear.
 */
#include "check/check.h"

#include <string.h>

enum { TABLE_FROM = 16 };

static unsigned hash(const char *name) {
    unsigned hash = 2166136261u;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    return hash;
}

static void table_add(struct scope *scope, struct binding *binding) {
    struct binding **slot = &scope->table[hash(binding->name) & (unsigned)(scope->table_size - 1)];
    binding->next_hash = *slot;
    *slot = binding;
}

static void table_rebuild(struct checker *checker, struct scope *scope) {
    scope->table_size = scope->table_size ? 2 * scope->table_size : 4 * TABLE_FROM;
    scope->table = arena_array(checker->arena, struct binding *, (size_t)scope->table_size);
    for (struct binding *binding = scope->first; binding; binding = binding->next)
        table_add(scope, binding);
}

struct scope *scope_new(struct checker *checker, struct scope *parent) {
    struct scope *scope = arena_new(checker->arena, struct scope);
    scope->parent = parent;
    return scope;
}

struct binding *scope_add(struct checker *checker, struct scope *scope, const char *name,
                          struct value value) {
    struct binding *binding = arena_new(checker->arena, struct binding);
    binding->name = name;
    binding->value = value;
    if (scope->last)
        scope->last->next = binding;
    else
        scope->first = binding;
    scope->last = binding;
    scope->count++;
    if (scope->count > TABLE_FROM && scope->count > scope->table_size / 2)
        table_rebuild(checker, scope);
    else if (scope->table)
        table_add(scope, binding);
    return binding;
}

struct binding *scope_find_here(const struct scope *scope, const char *name) {
    struct binding *binding =
        scope->table ? scope->table[hash(name) & (unsigned)(scope->table_size - 1)] : scope->first;
    for (; binding; binding = scope->table ? binding->next_hash : binding->next)
        if (strcmp(binding->name, name) == 0)
            return binding;
    return NULL;
}

struct binding *scope_find(const struct scope *scope, const char *name) {
    for (; scope; scope = scope->parent) {
        struct binding *binding = scope_find_here(scope, name);
        if (binding)
            return binding;
    }
    return NULL;
}
