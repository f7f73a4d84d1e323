/* What the user asked nnrun to do. */
#ifndef NN_OPTIONS_H
#define NN_OPTIONS_H

#include "model/model.h"
#include "support/failure.h"
#include "trace.h"

struct options {
    const char *model; /* path */
    bool train, evaluate, check_gradients, explain, fused, jit, quiet, json, help, version;
    const char *predict; /* path, "-": standard input; NULL: no prediction */
    int64_t sample;      /* characters to write; 0: none */
    const char *prompt;  /* that they follow, or NULL */
    const char *save, *load, *plot, *log;
    int threads; /* 0: not given */
    bool seed_given;
    uint64_t seed;
    struct definition *definitions; /* (definition_count) */
    int definition_count, definition_capacity;
    struct trace *traces; /* (trace_count), not found yet */
    int trace_count, trace_capacity;
};

/* Reads the command line.  false with a message in *failure (FAILURE_USAGE) when it makes no sense. */
bool options_parse(int count, char **arguments, struct arena *arena, struct options *options,
                   struct failure *failure);

extern const char options_help[];

#endif
