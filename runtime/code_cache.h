/* C text, compiled by the machine's compiler into a library that is loaded, and kept for the next time. */
#ifndef NN_CODE_CACHE_H
#define NN_CODE_CACHE_H

#include "support/arena.h"
#include <stdbool.h>

/* Compiles `text` in a floating-point mode, or finds it compiled in the cache ($XDG_CACHE_HOME/nn or
 * ~/.cache/nn), and loads it for the rest of the program.  NULL where that is not possible: no compiler, no
 * place to write. */
void *code_load(struct arena *arena, const char *text, bool fused, bool threaded);

/* Where a function lies, or NULL. */
void *code_symbol(void *code, const char *name);

#endif
