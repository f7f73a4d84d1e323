/* Named tensors in a file of the safetensors format.
 *
 * Eight bytes hold the length of a JSON header (little-endian); the header maps each name to {dtype, shape,
 * data_offsets}, and "__metadata__" to texts; the data follows, row-major, little-endian, without holes.
 * Source: the format's description in https://github.com/huggingface/safetensors.
 */
#ifndef NN_SAFETENSORS_H
#define NN_SAFETENSORS_H

#include "support/failure.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SAFETENSORS_RANK_LIMIT = 8, SAFETENSORS_TYPE_SIZE = 192 };

enum safetensors_element { SAFETENSORS_F32, SAFETENSORS_F64, SAFETENSORS_I32, SAFETENSORS_I64 };

struct safetensor {
    const char *name;
    enum safetensors_element element;
    int rank;
    int64_t dims[SAFETENSORS_RANK_LIMIT];
    void *data; /* row-major, aligned for its element type */
    bool used;  /* by safetensors_find */
};

struct safetensors_text {
    const char *key, *text;
};

struct safetensors {
    struct safetensor *tensors; /* (count) in the order of the header */
    size_t count;
    struct safetensors_text *metadata; /* (metadata_count) */
    size_t metadata_count;
};

/* Reads a whole file into the arena.  FAILURE_DATA for a missing file and for whatever breaks the format: a
 * header that does not fit or is no such JSON, a name or a key twice, an element type other than the four, a
 * range that is not the size of its tensor, ranges that overlap or leave holes. */
bool safetensors_read(struct arena *arena, const char *path, struct safetensors *file,
                      struct failure *failure);
/* The same from memory; tensors may point into `bytes`, which must live as long.  `name` is for messages. */
bool safetensors_parse(struct arena *arena, const char *name, unsigned char *bytes, size_t size,
                       struct safetensors *file, struct failure *failure);

/* Writes whole or not at all (see atomic_file.h); the arena is scratch.  The elements of 8 bytes come first,
 * in the order given, then those of 4, so that all are aligned.  FAILURE_DATA for a name twice or one that is
 * "__metadata__", FAILURE_MACHINE when the disk or memory fails. */
bool safetensors_write(struct arena *arena, const char *path, const struct safetensors *file,
                       struct failure *failure);

/* The tensor of that name, marked as used, or NULL.  Shape and element type are the caller's to compare. */
struct safetensor *safetensors_find(struct safetensors *file, const char *name);
/* The first tensor at `from` or behind it that safetensors_find never returned, or NULL; the next search
 * starts at its place + 1:  for (t = safetensors_unused(f, 0); t; t = safetensors_unused(f, t - f->tensors +
 * 1)) */
const struct safetensor *safetensors_unused(const struct safetensors *file, size_t from);
/* The text of a key of "__metadata__", or NULL. */
const char *safetensors_metadata(const struct safetensors *file, const char *key);
/* "f64[2, 10]", for messages.  Returns `type`. */
const char *safetensors_type(const struct safetensor *tensor, char type[SAFETENSORS_TYPE_SIZE]);
/* Bytes of an element. */
size_t safetensors_element_size(enum safetensors_element element);

#endif
