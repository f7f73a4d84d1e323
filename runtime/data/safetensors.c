/* The header's JSON tree is cJSON's and lives only while it is copied into the arena. */
#include "data/safetensors.h"

#include "data/atomic_file.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined __BYTE_ORDER__ && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "tensors are used in place, as little-endian numbers"
#endif

enum { PREFIX = 8, HEADER_LIMIT = 100000000 /* as the reference implementation has it */ };

static const struct {
    const char *name, *shown;
    size_t size;
} elements[] = {
    [SAFETENSORS_F32] = {"F32", "f32", 4},
    [SAFETENSORS_F64] = {"F64", "f64", 8},
    [SAFETENSORS_I32] = {"I32", "i32", 4},
    [SAFETENSORS_I64] = {"I64", "i64", 8},
};

enum { ELEMENT_COUNT = sizeof elements / sizeof *elements };

static const char metadata_name[] = "__metadata__";

/* One tensor's bytes in the data: [begin, end). */
struct place {
    size_t begin, end;
    struct safetensor *tensor;
};

struct reader {
    const char *name; /* for messages */
    struct failure *failure;
    struct arena *arena;
    unsigned char *data;
    size_t data_size;
    struct place *places; /* (file->count) */
    cJSON *root;
};

size_t safetensors_element_size(enum safetensors_element element) {
    return elements[element].size;
}

/* The bytes of a tensor; false when they are more than memory could hold. */
static bool tensor_size(const struct safetensor *tensor, size_t *size) {
    *size = elements[tensor->element].size;
    for (int axis = 0; axis < tensor->rank; axis++)
        if (tensor->dims[axis] == 0) {
            *size = 0;
            return true;
        }
    for (int axis = 0; axis < tensor->rank; axis++) {
        if ((uint64_t)tensor->dims[axis] > SIZE_MAX / *size)
            return false;
        *size *= (size_t)tensor->dims[axis];
    }
    return true;
}

/* ---- Reading ---- */

static bool bad_tensor(struct reader *reader, const char *tensor, const char *what) {
    return failure_set(reader->failure, FAILURE_DATA, "%s: tensor '%.200s': %s", reader->name, tensor, what);
}

/* A whole number from 0 to 2^53, where cJSON's doubles are exact. */
static bool whole_number(const cJSON *item, uint64_t *number) {
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0) || item->valuedouble > 9007199254740992.0)
        return false;
    *number = (uint64_t)item->valuedouble;
    return (double)*number == item->valuedouble;
}

static bool read_element(struct reader *reader, const cJSON *item, struct safetensor *tensor) {
    if (!cJSON_IsString(item))
        return bad_tensor(reader, tensor->name, "expected a text as 'dtype'");
    for (int i = 0; i < ELEMENT_COUNT; i++)
        if (strcmp(item->valuestring, elements[i].name) == 0) {
            tensor->element = (enum safetensors_element)i;
            return true;
        }
    return failure_set(reader->failure, FAILURE_DATA,
                       "%s: tensor '%.200s': found elements of type '%.32s', expected F32, F64, I32 or I64",
                       reader->name, tensor->name, item->valuestring);
}

static bool read_shape(struct reader *reader, const cJSON *item, struct safetensor *tensor) {
    const cJSON *dimension;
    if (!cJSON_IsArray(item))
        return bad_tensor(reader, tensor->name, "expected a list as 'shape'");
    cJSON_ArrayForEach(dimension, item) {
        uint64_t number;
        if (tensor->rank == SAFETENSORS_RANK_LIMIT)
            return bad_tensor(reader, tensor->name, "found more than 8 dimensions, expected at most 8");
        if (!whole_number(dimension, &number))
            return bad_tensor(reader, tensor->name, "expected whole numbers in 'shape'");
        tensor->dims[tensor->rank++] = (int64_t)number;
    }
    return true;
}

static bool read_place(struct reader *reader, const cJSON *item, struct place *place) {
    uint64_t begin, end;
    const cJSON *first = cJSON_IsArray(item) ? item->child : NULL;
    if (!first || !first->next || first->next->next || !whole_number(first, &begin) ||
        !whole_number(first->next, &end) || begin > end)
        return bad_tensor(reader, place->tensor->name, "expected [begin, end] as 'data_offsets'");
    if (end > reader->data_size)
        return bad_tensor(reader, place->tensor->name, "its data ends behind the end of the file");
    place->begin = (size_t)begin;
    place->end = (size_t)end;
    return true;
}

static bool read_tensor(struct reader *reader, const cJSON *item, struct place *place) {
    struct safetensor *tensor = place->tensor;
    const cJSON *element = cJSON_GetObjectItemCaseSensitive(item, "dtype");
    const cJSON *shape = cJSON_GetObjectItemCaseSensitive(item, "shape");
    const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(item, "data_offsets");
    size_t size;
    if (!cJSON_IsObject(item) || !element || !shape || !offsets || cJSON_GetArraySize(item) != 3)
        return bad_tensor(reader, tensor->name,
                          "expected 'dtype', 'shape' and 'data_offsets', each once, and no more");
    if (!read_element(reader, element, tensor) || !read_shape(reader, shape, tensor) ||
        !read_place(reader, offsets, place))
        return false;
    if (!tensor_size(tensor, &size) || size != place->end - place->begin) {
        char type[SAFETENSORS_TYPE_SIZE];
        return failure_set(reader->failure, FAILURE_DATA,
                           "%s: tensor '%.200s': found %zu bytes of data, expected those of %s", reader->name,
                           tensor->name, place->end - place->begin, safetensors_type(tensor, type));
    }
    return true;
}

static bool read_metadata(struct reader *reader, const cJSON *item, struct safetensors *file) {
    const cJSON *entry;
    if (file->metadata || !cJSON_IsObject(item))
        return failure_set(reader->failure, FAILURE_DATA,
                           "%s: expected one object of texts as '__metadata__'", reader->name);
    size_t count = (size_t)cJSON_GetArraySize(item);
    file->metadata = arena_array(reader->arena, struct safetensors_text, count);
    cJSON_ArrayForEach(entry, item) {
        if (!cJSON_IsString(entry))
            return failure_set(reader->failure, FAILURE_DATA, "%s: __metadata__: '%.200s': expected a text",
                               reader->name, entry->string);
        file->metadata[file->metadata_count++] = (struct safetensors_text){
            arena_copy(reader->arena, entry->string, strlen(entry->string)),
            arena_copy(reader->arena, entry->valuestring, strlen(entry->valuestring))};
    }
    return true;
}

static bool read_entries(struct reader *reader, struct safetensors *file) {
    const cJSON *item;
    size_t limit = (size_t)cJSON_GetArraySize(reader->root);
    file->tensors = arena_array(reader->arena, struct safetensor, limit);
    reader->places = arena_array(reader->arena, struct place, limit);
    cJSON_ArrayForEach(item, reader->root) {
        if (strcmp(item->string, metadata_name) == 0) {
            if (!read_metadata(reader, item, file))
                return false;
            continue;
        }
        struct safetensor *tensor = &file->tensors[file->count];
        tensor->name = arena_copy(reader->arena, item->string, strlen(item->string));
        reader->places[file->count] = (struct place){0, 0, tensor};
        if (!read_tensor(reader, item, &reader->places[file->count++]))
            return false;
    }
    return true;
}

static bool is_blank_until(const char *text, const char *end) {
    while (text < end && (*text == ' ' || *text == '\n' || *text == '\r' || *text == '\t'))
        text++;
    return text == end;
}

static bool parse_header(struct reader *reader, const char *header, size_t length) {
    static const char escaped_nul[] = "\\u0000"; /* cJSON would end the text there */
    const char *end = header;
    if (length < 2 || *header != '{' || memchr(header, '\0', length))
        return failure_set(reader->failure, FAILURE_DATA, "%s: the header is not a JSON object",
                           reader->name);
    for (size_t i = 0; i + sizeof escaped_nul - 1 <= length; i++)
        if (header[i] == '\\' && memcmp(header + i, escaped_nul, sizeof escaped_nul - 1) == 0)
            return failure_set(reader->failure, FAILURE_DATA,
                               "%s: found \\u0000 in the header, expected text", reader->name);
    errno = 0;
    reader->root = cJSON_ParseWithLengthOpts(header, length, &end, 0);
    if (!reader->root && errno == ENOMEM) /* cJSON itself does not tell */
        return failure_set(reader->failure, FAILURE_MACHINE, "%s: out of memory", reader->name);
    if (!cJSON_IsObject(reader->root) || !is_blank_until(end, header + length))
        return failure_set(reader->failure, FAILURE_DATA,
                           "%s: the header is not a JSON object: wrong at its byte %zu", reader->name,
                           (size_t)(end - header));
    return true;
}

static int compare_names(const void *left, const void *right) {
    return strcmp(((const struct place *)left)->tensor->name, ((const struct place *)right)->tensor->name);
}

static int compare_keys(const void *left, const void *right) {
    return strcmp(((const struct safetensors_text *)left)->key,
                  ((const struct safetensors_text *)right)->key);
}

/* Empty tensors come before the one that starts where they are. */
static int compare_offsets(const void *left, const void *right) {
    const struct place *a = left, *b = right;
    if (a->begin != b->begin)
        return a->begin < b->begin ? -1 : 1;
    return (a->end > b->end) - (a->end < b->end);
}

static bool check_names(struct reader *reader, struct safetensors *file) {
    if (file->count)
        qsort(reader->places, file->count, sizeof *reader->places, compare_names);
    for (size_t i = 1; i < file->count; i++)
        if (compare_names(&reader->places[i - 1], &reader->places[i]) == 0)
            return bad_tensor(reader, reader->places[i].tensor->name, "found this name twice");
    if (file->metadata_count)
        qsort(file->metadata, file->metadata_count, sizeof *file->metadata, compare_keys);
    for (size_t i = 1; i < file->metadata_count; i++)
        if (compare_keys(&file->metadata[i - 1], &file->metadata[i]) == 0)
            return failure_set(reader->failure, FAILURE_DATA, "%s: __metadata__: found '%.200s' twice",
                               reader->name, file->metadata[i].key);
    return true;
}

static bool check_places(struct reader *reader, struct safetensors *file) {
    size_t end = 0;
    if (file->count)
        qsort(reader->places, file->count, sizeof *reader->places, compare_offsets);
    for (size_t i = 0; i < file->count; i++) {
        const struct place *place = &reader->places[i];
        if (place->begin != end)
            return bad_tensor(reader, place->tensor->name,
                              place->begin < end ? "its data overlaps that of another tensor"
                                                 : "found a hole before its data");
        end = place->end;
    }
    return end == reader->data_size ||
           failure_set(reader->failure, FAILURE_DATA,
                       "%s: found %zu bytes behind the last tensor, expected none", reader->name,
                       reader->data_size - end);
}

/* Points the tensors at their data, or at a copy where the file does not align them. */
static void place_data(struct reader *reader, struct safetensors *file) {
    for (size_t i = 0; i < file->count; i++) {
        struct place *place = &reader->places[i];
        unsigned char *data = reader->data + place->begin;
        if ((uintptr_t)data % elements[place->tensor->element].size == 0)
            place->tensor->data = data;
        else
            place->tensor->data = arena_copy(reader->arena, (char *)data, place->end - place->begin);
    }
}

/* Out of memory while the tree is there: free it on the way through.  The reader stands in the arena because
 * its fields must outlive the jump. */
static bool read_header(struct reader *reader, const char *header, size_t length, struct safetensors *file) {
    jmp_buf *outer = reader->arena->out_of_memory;
    jmp_buf inner;
    if (setjmp(inner)) {
        cJSON_Delete(reader->root);
        reader->arena->out_of_memory = outer;
        longjmp(*outer, 1);
    }
    reader->arena->out_of_memory = &inner;
    bool good = parse_header(reader, header, length) && read_entries(reader, file);
    reader->arena->out_of_memory = outer;
    cJSON_Delete(reader->root);
    return good;
}

bool safetensors_parse(struct arena *arena, const char *name, unsigned char *bytes, size_t size,
                       struct safetensors *file, struct failure *failure) {
    uint64_t length = 0;
    *file = (struct safetensors){0};
    if (size < PREFIX)
        return failure_set(failure, FAILURE_DATA,
                           "%s: found %zu bytes, which is too short for a safetensors file", name, size);
    for (int i = PREFIX; i-- > 0;)
        length = length << 8 | bytes[i];
    if (length > HEADER_LIMIT || length > size - PREFIX)
        return failure_set(failure, FAILURE_DATA,
                           "%s: is not a file of weights (safetensors), as --save writes them, or was cut",
                           name);
    struct reader *reader = arena_new(arena, struct reader);
    *reader = (struct reader){.name = name, .failure = failure, .arena = arena};
    reader->data = bytes + PREFIX + length;
    reader->data_size = size - PREFIX - (size_t)length;
    if (!read_header(reader, (const char *)bytes + PREFIX, (size_t)length, file) ||
        !check_names(reader, file) || !check_places(reader, file))
        return false;
    place_data(reader, file);
    return true;
}

bool safetensors_read(struct arena *arena, const char *path, struct safetensors *file,
                      struct failure *failure) {
    unsigned char *bytes;
    size_t size;
    return atomic_file_read(arena, path, &bytes, &size, failure) &&
           safetensors_parse(arena, path, bytes, size, file, failure);
}

/* ---- Asking ---- */

struct safetensor *safetensors_find(struct safetensors *file, const char *name) {
    for (size_t i = 0; i < file->count; i++)
        if (strcmp(file->tensors[i].name, name) == 0) {
            file->tensors[i].used = true;
            return &file->tensors[i];
        }
    return NULL;
}

const struct safetensor *safetensors_unused(const struct safetensors *file, size_t from) {
    for (size_t i = from; i < file->count; i++)
        if (!file->tensors[i].used)
            return &file->tensors[i];
    return NULL;
}

const char *safetensors_metadata(const struct safetensors *file, const char *key) {
    for (size_t i = 0; i < file->metadata_count; i++)
        if (strcmp(file->metadata[i].key, key) == 0)
            return file->metadata[i].text;
    return NULL;
}

const char *safetensors_type(const struct safetensor *tensor, char type[SAFETENSORS_TYPE_SIZE]) {
    int used = snprintf(type, SAFETENSORS_TYPE_SIZE, "%s[", elements[tensor->element].shown);
    for (int axis = 0; axis < tensor->rank; axis++)
        used += snprintf(type + used, SAFETENSORS_TYPE_SIZE - (size_t)used, "%s%lld", axis ? ", " : "",
                         (long long)tensor->dims[axis]);
    snprintf(type + used, SAFETENSORS_TYPE_SIZE - (size_t)used, "]");
    return type;
}

/* ---- Writing ---- */

/* Adds {dtype, shape, data_offsets} under the tensor's name; false when memory ran out. */
static bool add_tensor(cJSON *root, const struct safetensor *tensor, size_t begin, size_t end) {
    cJSON *entry = cJSON_AddObjectToObject(root, tensor->name);
    if (!entry || !cJSON_AddStringToObject(entry, "dtype", elements[tensor->element].name))
        return false;
    cJSON *shape = cJSON_AddArrayToObject(entry, "shape");
    bool good = shape != NULL;
    for (int axis = 0; good && axis < tensor->rank; axis++)
        good = cJSON_AddItemToArray(shape, cJSON_CreateNumber((double)tensor->dims[axis]));
    cJSON *offsets = good ? cJSON_AddArrayToObject(entry, "data_offsets") : NULL;
    return offsets && cJSON_AddItemToArray(offsets, cJSON_CreateNumber((double)begin)) &&
           cJSON_AddItemToArray(offsets, cJSON_CreateNumber((double)end));
}

static bool add_metadata(cJSON *root, const struct safetensors *file) {
    if (!file->metadata_count)
        return true;
    cJSON *entry = cJSON_AddObjectToObject(root, metadata_name);
    for (size_t i = 0; entry && i < file->metadata_count; i++)
        if (!cJSON_AddStringToObject(entry, file->metadata[i].key, file->metadata[i].text))
            return false;
    return entry != NULL;
}

/* Adds all tensors whose elements have `width` bytes; pieces (count) gathers their data. */
static bool add_tensors(cJSON *root, const struct safetensors *file, size_t width,
                        struct atomic_file_piece *pieces, size_t *count, size_t *offset) {
    for (size_t i = 0; i < file->count; i++) {
        const struct safetensor *tensor = &file->tensors[i];
        size_t size;
        if (elements[tensor->element].size != width)
            continue;
        if (!tensor_size(tensor, &size) || !add_tensor(root, tensor, *offset, *offset + size))
            return false;
        pieces[(*count)++] = (struct atomic_file_piece){tensor->data, size};
        *offset += size;
    }
    return true;
}

/* The header as text that free() frees, or NULL when memory ran out. */
static char *make_header(const struct safetensors *file, struct atomic_file_piece *pieces) {
    size_t count = 0, offset = 0;
    cJSON *root = cJSON_CreateObject();
    bool good = root && add_metadata(root, file) && add_tensors(root, file, 8, pieces, &count, &offset) &&
                add_tensors(root, file, 4, pieces, &count, &offset);
    char *header = good ? cJSON_PrintUnformatted(root) : NULL;
    cJSON_Delete(root);
    return header;
}

static int compare_texts(const void *left, const void *right) {
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static bool check_written_names(struct arena *arena, const char *path, const struct safetensors *file,
                                struct failure *failure) {
    const char **names = arena_array(arena, const char *, file->count + 1);
    for (size_t i = 0; i < file->count; i++)
        names[i] = file->tensors[i].name;
    names[file->count] = metadata_name;
    qsort(names, file->count + 1, sizeof *names, compare_texts);
    for (size_t i = 0; i < file->count; i++)
        if (strcmp(names[i], names[i + 1]) == 0)
            return failure_set(failure, FAILURE_DATA, "%s: cannot hold two things of the name '%.200s'", path,
                               names[i]);
    return true;
}

bool safetensors_write(struct arena *arena, const char *path, const struct safetensors *file,
                       struct failure *failure) {
    if (!check_written_names(arena, path, file, failure))
        return false;
    struct atomic_file_piece *pieces = arena_array(arena, struct atomic_file_piece, file->count + 3);
    char *header = make_header(file, pieces + 3);
    if (!header)
        return failure_set(failure, FAILURE_MACHINE, "%s: cannot be written: out of memory", path);
    size_t length = strlen(header), padding = (8 - length % 8) % 8;
    unsigned char prefix[PREFIX];
    for (int i = 0; i < PREFIX; i++)
        prefix[i] = (unsigned char)((uint64_t)(length + padding) >> 8 * i);
    pieces[0] = (struct atomic_file_piece){prefix, PREFIX};
    pieces[1] = (struct atomic_file_piece){header, length};
    pieces[2] = (struct atomic_file_piece){"       ", padding};
    bool good = atomic_file_write_pieces(path, pieces, file->count + 3, failure);
    cJSON_free(header);
    return good;
}
