/* One row of a table for each option. */
#include "options.h"

#include <stdlib.h>
#include <string.h>

const char options_help[] =
    "usage: nnrun MODEL.nn [options]\n"
    "\n"
    "Trains a model, and answers with it.  Without an option it says what the model is.\n"
    "\n"
    "  --train              train as the file's train { ... } says\n"
    "  --evaluate           the loss and the metrics on the file's data\n"
    "  --predict [FILE]     outputs for rows of inputs: CSV in (FILE or standard input), CSV out\n"
    "  --sample N           N characters that a model of text writes; --prompt TEXT is what they follow\n"
    "  --save FILE          write the weights as safetensors\n"
    "  --load FILE          start from such a file; with --train, training goes on from there\n"
    "  --plot FILE.svg      draw what was learned, and the loss\n"
    "\n"
    "  -D NAME=VALUE        give a param of the file another value\n"
    "  --seed N             in place of the file's seed\n"
    "  --threads N          processors for large layers (default: all); no number changes by it\n"
    "  --fma                use fused multiply-add: faster, and other last bits\n"
    "  --jit                compile the model with cc where there is one: faster, the same bits\n"
    "\n"
    "  --explain            what would be computed: sizes, rates, loops and memory\n"
    "  --check-gradients    every weight's derivative against difference quotients, in f64\n"
    "  --trace NAME[@LIST]  print a value as updates compute it, as in --trace h@1,10,50-60\n"
    "  --log FILE           write every epoch's loss as CSV\n"
    "  --quiet              no progress\n"
    "  --json               errors and warnings as JSON, on standard error\n"
    "  --version            the version, and what it computes with\n"
    "  --help               this text\n"
    "\n"
    "Exit status: 0 done, 1 the model or its data is wrong, 2 wrong usage, 3 the machine failed.\n"
    "\n"
    "  nnrun models/twolayer.nn --train --save twolayer.safetensors\n"
    "  echo 0.3,-0.2 | nnrun models/twolayer.nn --load twolayer.safetensors --predict\n";

enum { THREADS_MAX = 1024 };

enum value { VALUE_NONE, VALUE_NEEDED, VALUE_OPTIONAL };

/* What an option does with its value; an offset of struct options, or a function. */
struct option {
    const char *name;
    enum value value;
    size_t offset; /* of a bool where there is no value, else of a text */
    bool (*read)(struct options *options, const char *value, struct arena *arena, struct failure *failure);
};

static bool read_seed(struct options *options, const char *value, struct arena *arena,
                      struct failure *failure) {
    char *end;
    (void)arena;
    unsigned long long seed = strtoull(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end || seed > UINT32_MAX)
        return failure_set(failure, FAILURE_USAGE, "--seed %s: expected a whole number from 0 to 4294967295",
                           value);
    options->seed = seed;
    options->seed_given = true;
    return true;
}

static bool read_threads(struct options *options, const char *value, struct arena *arena,
                         struct failure *failure) {
    char *end;
    (void)arena;
    long threads = strtol(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end || threads < 1 || threads > THREADS_MAX)
        return failure_set(failure, FAILURE_USAGE, "--threads %s: expected a whole number from 1 to %d",
                           value, THREADS_MAX);
    options->threads = (int)threads;
    return true;
}

static bool read_sample(struct options *options, const char *value, struct arena *arena,
                        struct failure *failure) {
    char *end;
    (void)arena;
    options->sample = strtoll(value, &end, 10);
    return (value[0] >= '0' && value[0] <= '9' && !*end && options->sample >= 1 &&
            options->sample <= 1000000000) ||
           failure_set(failure, FAILURE_USAGE,
                       "--sample %s: expected a number of characters, 1 to 1000000000", value);
}

static bool read_definition(struct options *options, const char *value, struct arena *arena,
                            struct failure *failure) {
    const char *equals = strchr(value, '=');
    if (!equals || equals == value)
        return failure_set(failure, FAILURE_USAGE, "-D %s: expected NAME=VALUE", value);
    arena_reserve(arena, options->definitions, options->definition_count, options->definition_capacity);
    options->definitions[options->definition_count++] =
        (struct definition){.name = arena_copy(arena, value, (size_t)(equals - value)), .value = equals + 1};
    return true;
}

static bool read_trace(struct options *options, const char *value, struct arena *arena,
                       struct failure *failure) {
    arena_reserve(arena, options->traces, options->trace_count, options->trace_capacity);
    return trace_parse(arena, value, &options->traces[options->trace_count++], failure);
}

#define AT(field) offsetof(struct options, field), NULL
static const struct option option_table[] = {
    {"--train", VALUE_NONE, AT(train)},
    {"--evaluate", VALUE_NONE, AT(evaluate)},
    {"--explain", VALUE_NONE, AT(explain)},
    {"--fma", VALUE_NONE, AT(fused)},
    {"--quiet", VALUE_NONE, AT(quiet)},
    {"--json", VALUE_NONE, AT(json)},
    {"--version", VALUE_NONE, AT(version)},
    {"--help", VALUE_NONE, AT(help)},
    {"-h", VALUE_NONE, AT(help)},
    {"--sample", VALUE_NEEDED, 0, read_sample},
    {"--prompt", VALUE_NEEDED, AT(prompt)},
    {"--save", VALUE_NEEDED, AT(save)},
    {"--load", VALUE_NEEDED, AT(load)},
    {"--plot", VALUE_NEEDED, AT(plot)},
    {"--log", VALUE_NEEDED, AT(log)},
    {"-D", VALUE_NEEDED, 0, read_definition},
    {"--seed", VALUE_NEEDED, 0, read_seed},
    {"--trace", VALUE_NEEDED, 0, read_trace},
    {"--jit", VALUE_NONE, AT(jit)},
    {"--check-gradients", VALUE_NONE, AT(check_gradients)},
    {"--predict", VALUE_OPTIONAL, AT(predict)},
    {"--threads", VALUE_NEEDED, 0, read_threads},
};
#undef AT

enum { OPTIONS = sizeof option_table / sizeof *option_table };

/* The option at the start of the argument, and in *value what stands behind it in the same argument, or NULL.
 */
static const struct option *find_option(const char *argument, const char **value) {
    for (int i = 0; i < OPTIONS; i++) {
        const struct option *option = &option_table[i];
        size_t length = strlen(option->name);
        if (strncmp(argument, option->name, length) != 0)
            continue;
        bool joined = argument[1] == '-' ? argument[length] == '=' : argument[length] != '\0';
        *value = joined ? argument + length + (argument[1] == '-') : NULL;
        if (joined || argument[length] == '\0')
            return option;
    }
    return NULL;
}

static bool fail_unknown(const char *argument, struct failure *failure) {
    const char *names[OPTIONS];
    for (int i = 0; i < OPTIONS; i++)
        names[i] = option_table[i].name;
    const char *nearest = text_nearest(argument, names, OPTIONS);
    if (!nearest && strncmp(argument, "--", 2) == 0)
        return failure_set(failure, FAILURE_USAGE,
                           "unknown option '%s'; a param of the file is set by -D NAME=VALUE", argument);
    return failure_set(failure, FAILURE_USAGE, "unknown option '%s'%s%s%s", argument,
                       nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

/* The option that a word is without its dashes, or NULL. */
static const char *option_of(const char *word) {
    for (int i = 0; i < OPTIONS; i++)
        if (strncmp(option_table[i].name, "--", 2) == 0 && strcmp(option_table[i].name + 2, word) == 0)
            return option_table[i].name;
    return NULL;
}

static bool is_model(const char *path) {
    const size_t length = strlen(path);
    return length > 3 && strcmp(path + length - 3, ".nn") == 0;
}

static bool fail_second(const char *first, const char *second, struct failure *failure) {
    const char *word = option_of(second) ? second : first;
    if (option_of(word))
        return failure_set(failure, FAILURE_USAGE, "'%s' is taken as a model; did you mean '%s'?", word,
                           option_of(word));
    if (!is_model(first) && is_model(second))
        return failure_set(failure, FAILURE_USAGE,
                           "'%s' is taken as the model: name the model before '--predict FILE'", first);
    return failure_set(failure, FAILURE_USAGE, "a second model, '%s': one at a time%s", second,
                       is_model(second) ? "" : "; weights follow --load, rows --predict");
}

/* What is itself an option is no value.  --predict takes the next argument where it can be a file: not an
 * option of any name, and not the model still to come. */
static bool takes_next(const struct options *options, const struct option *option, const char *next) {
    const char *value;
    if (option->value == VALUE_NEEDED)
        return next && !find_option(next, &value);
    return next && options->model && (next[0] != '-' || next[1] == '\0');
}

static bool apply(struct options *options, const struct option *option, const char *value,
                  struct arena *arena, struct failure *failure) {
    if (option->read)
        return option->read(options, value, arena, failure);
    char *field = (char *)options + option->offset;
    if (option->value == VALUE_NONE)
        *(bool *)field = true;
    else
        *(const char **)(void *)field = value ? value : "-";
    return true;
}

static bool check_files(const struct options *options, struct failure *failure) {
    const char *const files[] = {options->save, options->plot, options->log};
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < i; k++)
            if (files[i] && files[k] && strcmp(files[i], files[k]) == 0)
                return failure_set(failure, FAILURE_USAGE,
                                   "'%s' is named twice as a file to write; choose another name", files[i]);
    return true;
}

static bool check_sense(const struct options *options, struct failure *failure) {
    if (options->help || options->version)
        return true;
    if (!options->model)
        return failure_set(failure, FAILURE_USAGE, "which model?  nnrun MODEL.nn --train");
    if (options->trace_count && !options->train)
        return failure_set(failure, FAILURE_USAGE, "--trace shows what updates compute: it needs --train");
    if (options->check_gradients && (options->train || options->evaluate || options->predict ||
                                     options->save || options->plot || options->explain))
        return failure_set(failure, FAILURE_USAGE,
                           "--check-gradients changes the weights: it cannot stand with another action");
    if (options->prompt && !options->sample)
        return failure_set(failure, FAILURE_USAGE, "--prompt is what a text follows: it needs --sample N");
    if (options->log && !options->train)
        return failure_set(failure, FAILURE_USAGE, "--log writes down a training: it needs --train");
    return check_files(options, failure);
}

bool options_parse(int count, char **arguments, struct arena *arena, struct options *options,
                   struct failure *failure) {
    *options = (struct options){0};
    for (int i = 1; i < count; i++) {
        const char *argument = arguments[i], *value = NULL;
        if (argument[0] != '-' || argument[1] == '\0') {
            if (options->model)
                return fail_second(options->model, argument, failure);
            options->model = argument;
            continue;
        }
        const struct option *option = find_option(argument, &value);
        if (!option)
            return fail_unknown(argument, failure);
        if (value && option->value == VALUE_NONE)
            return failure_set(failure, FAILURE_USAGE, "%s takes no value", option->name);
        if (!value && option->value != VALUE_NONE && takes_next(options, option, arguments[i + 1]))
            value = arguments[++i];
        if (!value && option->value == VALUE_NEEDED)
            return failure_set(failure, FAILURE_USAGE, "%s needs a value", option->name);
        if (!apply(options, option, value, arena, failure))
            return false;
    }
    return check_sense(options, failure);
}
