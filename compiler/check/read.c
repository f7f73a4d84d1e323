/* From a path to a model: reads the file, the files that it uses, and the prelude. */
#include "check/check.h"
#include "support/failure.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

extern const char prelude_text[]; /* check/prelude.nn, put into the program by the build */
extern const size_t prelude_length;

enum { FILE_MAX = 64 << 20, USED_MAX = 256 };

struct reader {
    struct arena *arena;
    struct diagnostics *sink;
    struct statement *library, **library_end;
    const struct source *used[USED_MAX]; /* each file is read once, so files may use each other */
    int used_count;
};

/* The whole file in the arena, NUL behind it. */
static const struct source *read_file(struct arena *arena, const char *path, const char **why) {
    errno = 0;
    FILE *file = fopen(path, "rb");
    if (!file) {
        *why = strerror(errno);
        return NULL;
    }
    struct source *source = NULL;
    static const size_t step = 1 << 16;
    *why = "larger than 64 MiB";
    char *buffer = NULL;
    size_t length = 0, capacity = 0;
    bool full = false;
    jmp_buf *outer = arena->out_of_memory, here;
    arena->out_of_memory = &here;
    if (setjmp(here)) { /* close the file, then go on as the owner of the arena would */
        fclose(file);
        arena->out_of_memory = outer;
        longjmp(*outer, 1);
    }
    for (;;) {
        if (capacity - length < step) {
            buffer = arena_grow(arena, buffer, length, capacity ? 2 * capacity : 2 * step, 1);
            capacity = capacity ? 2 * capacity : 2 * step;
        }
        size_t got = fread(buffer + length, 1, capacity - length - 1, file);
        length += got;
        full = length > FILE_MAX;
        if (got == 0 || full)
            break;
    }
    if (ferror(file))
        *why = strerror(errno);
    else if (!full) {
        source = arena_new(arena, struct source);
        *source =
            (struct source){.name = arena_copy(arena, path, strlen(path)), .text = buffer, .length = length};
        source_find_lines(source, arena);
    }
    arena->out_of_memory = outer;
    fclose(file);
    return source;
}

/* `name` beside the file `beside`, unless it is absolute. */
static const char *path_beside(struct arena *arena, const char *beside, const char *name) {
    const char *slash = strrchr(beside, '/');
    if (name[0] == '/' || !slash)
        return name;
    return text_format(arena, "%.*s/%s", (int)(slash - beside), beside, name);
}

static void append(struct reader *reader, struct statement *statement) {
    struct statement *copy = arena_new(reader->arena, struct statement);
    *copy = *statement;
    copy->next = NULL;
    *reader->library_end = copy;
    reader->library_end = &copy->next;
}

static void read_used(struct reader *reader, const struct statement *use);

static void read_uses(struct reader *reader, const struct statement *statements) {
    for (const struct statement *s = statements; s; s = s->next)
        if (s->kind == STATEMENT_USE)
            read_used(reader, s);
}

/* A used file gives its layers, initialisers and solvers. */
static void read_used(struct reader *reader, const struct statement *use) {
    const char *path = path_beside(reader->arena, use->span.source->name, use->value->string), *why;
    for (int i = 0; i < reader->used_count; i++)
        if (strcmp(reader->used[i]->name, path) == 0)
            return;
    const struct source *source = read_file(reader->arena, path, &why);
    if (!source || reader->used_count == USED_MAX) {
        diagnostic_error(reader->sink, use->value->span, "cannot read '%s': %s", path,
                         source ? "more than 256 files in use" : why);
        return;
    }
    reader->used[reader->used_count++] = source;
    struct statement *statements = tree_parse(source, reader->arena, reader->sink);
    read_uses(reader, statements);
    for (struct statement *s = statements; s; s = s->next) {
        if (s->kind == STATEMENT_LAYER || s->kind == STATEMENT_INITIALISER || s->kind == STATEMENT_SOLVER)
            append(reader, s);
        else if (s->kind != STATEMENT_USE)
            diagnostic_error(reader->sink, s->keyword_span.source ? s->keyword_span : s->span,
                             "a file that is used holds layers, initialisers and solvers only");
    }
}

static const struct source *read_prelude(struct reader *reader) {
    struct source *prelude = arena_new(reader->arena, struct source);
    *prelude = (struct source){.name = "prelude.nn", .text = prelude_text, .length = prelude_length};
    source_find_lines(prelude, reader->arena);
    for (struct statement *s = tree_parse(prelude, reader->arena, reader->sink); s; s = s->next)
        append(reader, s);
    return prelude;
}

static void keep_files(struct model *model, const struct reader *reader) {
    model->files = arena_array(reader->arena, const char *, (size_t)reader->used_count);
    for (int i = 0; i < reader->used_count; i++)
        model->files[model->file_count++] = reader->used[i]->name;
}

/* A safetensors file begins with the length of its JSON, in eight bytes of which the last are 0. */
static bool looks_like_weights(const struct source *source) {
    return source->length > 8 && source->text[7] == '\0' && source->text[8] == '{';
}

/* A file of rows or weights in the place of a model, of which no line is a statement: one error says it all.
 */
static void say_no_model(const struct source *source, struct diagnostics *sink) {
    const char *slash = strrchr(source->name, '/'), *name = slash ? slash + 1 : source->name;
    const char *line_end = memchr(source->text, '\n', source->length);
    size_t length = line_end ? (size_t)(line_end - source->text) : source->length;
    *sink = (struct diagnostics){.arena = sink->arena};
    struct diagnostic *error = diagnostic_error(sink, (struct span){source, 0, length},
                                                "this is not a model: no line of it is a statement");
    if (text_ends_with(name, ".safetensors") || looks_like_weights(source)) {
        diagnostic_note(sink, error, (struct span){0}, "weights belong to a model: nnrun MODEL.nn --load %s",
                        name);
        return;
    }
    diagnostic_note(
        sink, error, (struct span){0},
        "to learn from rows, a model names them, as in data train = csv(\"%s\"): nnrun MODEL.nn --train",
        name);
    diagnostic_note(sink, error, (struct span){0}, "to answer rows: nnrun MODEL.nn --predict %s",
                    source->name);
}

static struct model *check_source(const struct source *source, struct definition *definitions,
                                  int definition_count, bool widened, struct arena *arena,
                                  struct diagnostics *sink) {
    struct reader reader = {.arena = arena, .sink = sink};
    reader.library_end = &reader.library;
    const struct source *prelude = read_prelude(&reader);
    reader.used[reader.used_count++] = source;
    struct statement *statements = tree_parse(source, arena, sink);
    if (sink->error_count && !statements && !text_ends_with(source->name, ".nn"))
        say_no_model(source, sink);
    read_uses(&reader, statements);
    if (sink->error_count)
        return NULL;
    struct model *model = model_check(reader.library, statements, source, prelude, definitions,
                                      definition_count, widened, arena, sink);
    if (model)
        keep_files(model, &reader);
    return model;
}

struct model *model_from_text(const struct source *source, struct arena *arena, struct diagnostics *sink) {
    return check_source(source, NULL, 0, false, arena, sink);
}

/* Why -D may not name `wanted`: the params that there are, or how there comes to be one. */
static const char *unknown_param(const char *const *names, size_t count, const char *wanted,
                                 struct arena *arena) {
    enum { LISTED = 10 };
    const char *nearest = text_nearest(wanted, names, count);
    struct text text = {.arena = arena};
    if (count == 0)
        return text_format(arena,
                           "the file has no param; 'param %s = ...' makes one, for a setting with '%s = %s'",
                           wanted, wanted, wanted);
    if (nearest)
        return text_format(arena, "the file has no param of this name; did you mean '%s'?", nearest);
    for (size_t i = 0; i < count && i < LISTED; i++)
        text_print(&text, "%s%s", i ? ", " : "the file has no param of this name; it has ", names[i]);
    return text_format(arena, "%s%s", text_string(&text), count > LISTED ? " and others" : "");
}

/* A -D that no param has is wrong usage. */
static bool check_definitions(const struct model *model, const struct definition *definitions, int count,
                              struct arena *arena, struct failure *failure) {
    const char **names = arena_array(arena, const char *, (size_t)model->parameter_count);
    for (int k = 0; k < model->parameter_count; k++)
        names[k] = model->parameters[k].name;
    for (int i = 0; i < count; i++)
        if (!definitions[i].used)
            return failure_set(
                failure, FAILURE_USAGE, "-D %s: %s", definitions[i].name,
                unknown_param(names, (size_t)model->parameter_count, definitions[i].name, arena));
    return true;
}

struct model *model_read(const char *path, struct definition *definitions, int definition_count, bool widened,
                         struct arena *arena, struct diagnostics *sink, struct failure *failure) {
    const char *why;
    const struct source *source = read_file(arena, path, &why);
    if (!source) {
        bool machine = errno == EIO || errno == ENOMEM || errno == EMFILE || errno == ENFILE;
        failure_set(failure, machine ? FAILURE_MACHINE : FAILURE_DATA, "cannot read '%s': %s", path, why);
        return NULL;
    }
    struct model *model = check_source(source, definitions, definition_count, widened, arena, sink);
    return model && check_definitions(model, definitions, definition_count, arena, failure) ? model : NULL;
}
