/* Any bytes as each kind of file that is read: NPY, safetensors, IDX, CSV, text and, where they begin like
 * one, a gzip file of rows.  Nothing may crash or read out of bounds, and what is refused is refused with a
 * message of one line that names the file. */
#include "data/characters.h"
#include "data/csv.h"
#include "data/idx.h"
#include "data/npy.h"
#include "data/safetensors.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { NUMBERS_WORTH_READING = 1 << 16 };

/* The file is named by the message, or by the place that is shown with it. */
static void check(bool good, const struct failure *failure) {
    const char *named = failure->span.source ? failure->span.source->name : failure->message;
    if (!good && (!strstr(named, "fuzz") || !failure->message[0] || strchr(failure->message, '\n')))
        abort();
}

static FILE *open_bytes(const uint8_t *bytes, size_t size) {
    return size ? fmemopen((void *)bytes, size, "rb") : NULL;
}

static void read_arrays(struct arena *arena, const uint8_t *bytes, size_t size) {
    struct failure failure = {0}, other = {0};
    struct tensor tensor;
    struct safetensors file;
    check(npy_parse(arena, "fuzz", bytes, size, &tensor, &failure), &failure);
    unsigned char *own = (unsigned char *)arena_copy(arena, (const char *)bytes, size);
    check(safetensors_parse(arena, "fuzz", own, size, &file, &other), &other);
}

static void read_idx(const uint8_t *bytes, size_t size) {
    struct failure failure = {0};
    struct idx idx;
    FILE *file = open_bytes(bytes, size);
    if (!file)
        return;
    bool good = idx_open_file(&idx, file, "fuzz", &failure);
    double *values =
        good && idx.inner <= NUMBERS_WORTH_READING ? malloc((size_t)idx.inner * sizeof *values + 1) : NULL;
    for (int64_t i = 0; values && i < idx.dims[0] && good; i++)
        good = idx_next(&idx, values, &failure);
    if (values && good)
        good = idx_finish(&idx, &failure);
    check(good, &failure);
    idx_close(&idx);
    free(values);
    fclose(file);
}

static void read_rows(struct arena *arena, const uint8_t *bytes, size_t size) {
    struct failure failure = {0}, other = {0};
    struct table table;
    struct characters characters;
    FILE *rows = open_bytes(bytes, size), *text = open_bytes(bytes, size);
    if (rows && text) {
        check(csv_read_file(arena, rows, "fuzz", NULL, &table, &failure), &failure);
        check(characters_read_file(arena, text, "fuzz", NULL, NULL, &characters, &other), &other);
    }
    if (rows)
        fclose(rows);
    if (text)
        fclose(text);
}

/* gzip's reader wants a file that has a name. */
static void read_compressed(struct arena *arena, const uint8_t *bytes, size_t size) {
    struct failure failure = {0};
    struct table table;
    char path[] = "/tmp/nn_fuzz_XXXXXX";
    if (size < 2 || bytes[0] != 0x1f || bytes[1] != 0x8b)
        return;
    int file = mkstemp(path);
    if (file < 0)
        return;
    if (write(file, bytes, size) == (ssize_t)size)
        check(csv_read(arena, path, NULL, &table, &failure), &failure);
    close(file);
    unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    jmp_buf out_of_memory;
    struct arena arena = {.out_of_memory = &out_of_memory};
    if (setjmp(out_of_memory) == 0) {
        read_arrays(&arena, bytes, size);
        read_idx(bytes, size);
        read_rows(&arena, bytes, size);
        read_compressed(&arena, bytes, size);
    }
    arena_free(&arena);
    return 0;
}
