/* The header is the text of a Python dictionary with three keys; it is read strictly, and the size of the
 * file must be just what it says. */
#include "data/npy.h"

#include "data/atomic_file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct reader {
    const char *name; /* for messages */
    const char *at, *end;
    struct failure *failure;
};

struct element {
    char kind; /* b, u, i or f */
    int size;  /* bytes */
    bool big_endian;
};

struct header {
    struct element element;
    bool fortran;
    int rank;
    int64_t dims[TENSOR_RANK_LIMIT];
    bool has_element, has_order, has_shape;
};

/* ---- The header ---- */

static bool bad_header(struct reader *reader, const char *expected) {
    return failure_set(reader->failure, FAILURE_DATA, "%s: the NPY header is malformed: expected %s",
                       reader->name, expected);
}

static void skip_blanks(struct reader *reader) {
    while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\n'))
        reader->at++;
}

static bool take(struct reader *reader, char character) {
    skip_blanks(reader);
    if (reader->at == reader->end || *reader->at != character)
        return false;
    reader->at++;
    return true;
}

static bool take_word(struct reader *reader, const char *word) {
    size_t length = strlen(word);
    skip_blanks(reader);
    if ((size_t)(reader->end - reader->at) < length || memcmp(reader->at, word, length) != 0)
        return false;
    reader->at += length;
    return true;
}

/* 'text' or "text" without escapes, of fewer than `size` bytes. */
static bool take_string(struct reader *reader, char *string, size_t size) {
    skip_blanks(reader);
    if (reader->at == reader->end || (*reader->at != '\'' && *reader->at != '"'))
        return false;
    char quote = *reader->at++;
    size_t length = 0;
    while (reader->at < reader->end && *reader->at != quote && length + 1 < size)
        string[length++] = *reader->at++;
    string[length] = '\0';
    return take(reader, quote);
}

static bool read_element(struct reader *reader, struct header *header) {
    static const char *const known[] = {"b1", "u1", "u2", "u4", "u8", "i1",
                                        "i2", "i4", "i8", "f2", "f4", "f8"};
    char text[16];
    if (!take_string(reader, text, sizeof text))
        return bad_header(reader, "one simple type in 'descr'");
    for (size_t i = 0; strchr("<>|=", text[0]) && text[0] && i < sizeof known / sizeof *known; i++)
        if (strcmp(text + 1, known[i]) == 0) {
            header->element = (struct element){known[i][0], known[i][1] - '0', text[0] == '>'};
            return header->has_element = true;
        }
    for (char *c = text; *c; c++) /* for the message */
        *c = *c < ' ' || *c > '~' ? '?' : *c;
    return failure_set(reader->failure, FAILURE_DATA,
                       "%s: found elements of type '%s', expected b1, u1 to u8, i1 to i8, f2, f4 or f8",
                       reader->name, text);
}

static bool read_order(struct reader *reader, struct header *header) {
    header->fortran = take_word(reader, "True");
    header->has_order = header->fortran || take_word(reader, "False");
    return header->has_order || bad_header(reader, "True or False in 'fortran_order'");
}

static bool read_dimension(struct reader *reader, int64_t *dimension) {
    skip_blanks(reader);
    const char *start = reader->at;
    *dimension = 0;
    for (; reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9'; reader->at++) {
        if (*dimension > (INT64_MAX - 9) / 10)
            return bad_header(reader, "smaller numbers in 'shape'");
        *dimension = 10 * *dimension + (*reader->at - '0');
    }
    if (reader->at < reader->end && *reader->at == 'L') /* Python 2 wrote long integers so */
        reader->at++;
    return reader->at > start || bad_header(reader, "whole numbers, none below 0, in 'shape'");
}

static bool read_shape(struct reader *reader, struct header *header) {
    if (!take(reader, '('))
        return bad_header(reader, "a tuple in 'shape'");
    while (!take(reader, ')')) {
        if (header->rank == TENSOR_RANK_LIMIT)
            return failure_set(reader->failure, FAILURE_DATA,
                               "%s: found more than %d dimensions, expected at most %d", reader->name,
                               TENSOR_RANK_LIMIT, TENSOR_RANK_LIMIT);
        if (!read_dimension(reader, &header->dims[header->rank++]))
            return false;
        bool comma = take(reader, ',');
        skip_blanks(reader);
        if (!comma && (header->rank == 1 || reader->at == reader->end || *reader->at != ')'))
            return bad_header(reader, "a comma in 'shape'");
    }
    return header->has_shape = true;
}

static bool read_entry(struct reader *reader, struct header *header) {
    char key[16];
    if (!take_string(reader, key, sizeof key) || !take(reader, ':'))
        return bad_header(reader, "the keys 'descr', 'fortran_order' and 'shape'");
    if (strcmp(key, "descr") == 0 && !header->has_element)
        return read_element(reader, header);
    if (strcmp(key, "fortran_order") == 0 && !header->has_order)
        return read_order(reader, header);
    if (strcmp(key, "shape") == 0 && !header->has_shape)
        return read_shape(reader, header);
    return bad_header(reader, "each of the keys 'descr', 'fortran_order' and 'shape' once");
}

static bool read_header(struct reader *reader, struct header *header) {
    if (!take(reader, '{'))
        return bad_header(reader, "a dictionary");
    bool comma = true;
    while (!take(reader, '}')) {
        if (!comma)
            return bad_header(reader, "a comma between the keys");
        if (!read_entry(reader, header))
            return false;
        comma = take(reader, ',');
    }
    skip_blanks(reader);
    if (reader->at != reader->end)
        return bad_header(reader, "nothing behind the dictionary");
    return (header->has_element && header->has_order && header->has_shape) ||
           bad_header(reader, "the keys 'descr', 'fortran_order' and 'shape'");
}

/* ---- The values ---- */

static uint64_t load(const unsigned char *bytes, struct element element) {
    uint64_t value = 0;
    for (int i = 0; i < element.size; i++)
        value = value << 8 | bytes[element.big_endian ? i : element.size - 1 - i];
    return value;
}

/* Half precision: 5 bits of exponent, 10 of fraction. */
static double half_value(uint64_t bits) {
    int exponent = (int)(bits >> 10 & 31);
    double fraction = (double)(bits & 1023);
    double size = exponent == 31  ? (fraction > 0 ? (double)NAN : (double)INFINITY)
                  : exponent == 0 ? ldexp(fraction, -24)
                                  : ldexp(fraction + 1024, exponent - 25);
    return bits >> 15 ? -size : size;
}

static double float_value(uint64_t bits, int size) {
    if (size == 2)
        return half_value(bits);
    double wide;
    float narrow;
    uint32_t low = (uint32_t)bits;
    memcpy(&wide, &bits, sizeof wide);
    memcpy(&narrow, &low, sizeof narrow);
    return size == 4 ? (double)narrow : wide;
}

/* false when the integer is not a double. */
static bool integer_value(uint64_t bits, struct element element, double *value) {
    uint64_t sign = UINT64_C(1) << (8 * element.size - 1);
    bool negative = element.kind == 'i' && (bits & sign);
    uint64_t size = negative ? (sign << 1) - bits : bits; /* for 8 bytes sign << 1 is 0, and that is right */
    double exact = (double)size;
    *value = negative ? -exact : exact;
    return size <= UINT64_C(1) << 53 || (exact < 18446744073709551616.0 && (uint64_t)exact == size);
}

/* Row-major place i as a place of the file: the first index runs fastest in Fortran order. */
static size_t fortran_place(const struct header *header, size_t i) {
    size_t place = 0, rest[TENSOR_RANK_LIMIT];
    for (int axis = header->rank; axis-- > 0;) {
        rest[axis] = i % (size_t)header->dims[axis];
        i /= (size_t)header->dims[axis];
    }
    for (int axis = header->rank; axis-- > 0;)
        place = place * (size_t)header->dims[axis] + rest[axis];
    return place;
}

static bool read_values(const char *name, const struct header *header, const unsigned char *bytes,
                        size_t count, double *values, struct failure *failure) {
    struct element element = header->element;
    for (size_t i = 0; i < count; i++) {
        size_t place = header->fortran ? fortran_place(header, i) : i;
        uint64_t bits = load(bytes + place * (size_t)element.size, element);
        if (element.kind == 'f')
            values[i] = float_value(bits, element.size);
        else if (!integer_value(bits, element, &values[i]))
            return failure_set(
                failure, FAILURE_DATA,
                "%s: found an integer near %.17g at place %zu, expected one that a 64-bit float holds", name,
                values[i], i);
    }
    return true;
}

/* The number of values, or false when it or its bytes are beyond size_t. */
static bool count_values(const struct header *header, size_t *count) {
    *count = 1;
    for (int axis = 0; axis < header->rank; axis++)
        if (header->dims[axis] == 0) {
            *count = 0;
            return true;
        }
    for (int axis = 0; axis < header->rank; axis++) {
        if ((uint64_t)header->dims[axis] > SIZE_MAX / sizeof(double) / *count)
            return false;
        *count *= (size_t)header->dims[axis];
    }
    return true;
}

/* The length of the header's text, and where it starts. */
static bool find_header(const char *name, const unsigned char *bytes, size_t size, size_t *start,
                        size_t *length, struct failure *failure) {
    static const unsigned char magic[] = {0x93, 'N', 'U', 'M', 'P', 'Y'};
    if (size < sizeof magic || memcmp(bytes, magic, sizeof magic) != 0)
        return failure_set(failure, FAILURE_DATA, "%s: is not an NPY file", name);
    if (size < 8 || bytes[6] < 1 || bytes[6] > 3 || bytes[7] != 0)
        return failure_set(failure, FAILURE_DATA, "%s: expected version 1.0, 2.0 or 3.0 of the NPY format",
                           name);
    *start = bytes[6] == 1 ? 10 : 12;
    if (size >= *start)
        *length = (size_t)load(bytes + 8, (struct element){'u', bytes[6] == 1 ? 2 : 4, false});
    if (size < *start || *length > size - *start)
        return failure_set(failure, FAILURE_DATA, "%s: ends inside its NPY header", name);
    return true;
}

bool npy_parse(struct arena *arena, const char *name, const unsigned char *bytes, size_t size,
               struct tensor *tensor, struct failure *failure) {
    size_t start = 0, length = 0, count;
    if (!find_header(name, bytes, size, &start, &length, failure))
        return false;
    const char *text = (const char *)bytes + start;
    struct reader reader = {name, text, text + length, failure};
    struct header header = {0};
    if (!read_header(&reader, &header))
        return false;
    size_t data = size - start - length, width = (size_t)header.element.size;
    if (!count_values(&header, &count))
        return failure_set(failure, FAILURE_DATA, "%s: the shape is too large for any memory", name);
    if (data % width || data / width != count)
        return failure_set(failure, FAILURE_DATA,
                           "%s: found %zu bytes of data, expected %zu values of %zu bytes", name, data, count,
                           width);
    tensor->rank = header.rank;
    memcpy(tensor->dims, header.dims, sizeof tensor->dims);
    tensor->values = arena_array(arena, double, count);
    return read_values(name, &header, bytes + start + length, count, tensor->values, failure);
}

bool npy_read(struct arena *arena, const char *path, struct tensor *tensor, struct failure *failure) {
    unsigned char *bytes;
    size_t size;
    return atomic_file_read(arena, path, &bytes, &size, failure) &&
           npy_parse(arena, path, bytes, size, tensor, failure);
}

/* ---- Writing ---- */

/* The file's head (128 or 256 bytes): magic, version, length, and the dictionary padded with blanks. */
static size_t write_header(const struct tensor *tensor, char head[256]) {
    char shape[TENSOR_RANK_LIMIT * 22 + 1] = "";
    int used = 0;
    for (int axis = 0; axis < tensor->rank; axis++)
        used +=
            snprintf(shape + used, sizeof shape - (size_t)used, "%s%lld%s", axis ? " " : "",
                     (long long)tensor->dims[axis], axis + 1 < tensor->rank || tensor->rank == 1 ? "," : "");
    memset(head, ' ', 256);
    int length = snprintf(head + 10, 246, "{'descr': '<f8', 'fortran_order': False, 'shape': (%s), }", shape);
    head[10 + length] = ' ';
    size_t size = 10 + (size_t)length + 1 <= 128 ? 128 : 256;
    memcpy(head, "\x93NUMPY\x01", 8);
    head[8] = (char)((size - 10) & 0xff);
    head[9] = (char)((size - 10) >> 8);
    head[size - 1] = '\n';
    return size;
}

bool npy_write(const char *path, const struct tensor *tensor, struct failure *failure) {
#if defined __BYTE_ORDER__ && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "npy_write writes the host's bytes as little-endian ones"
#endif
    char head[256];
    size_t size = write_header(tensor, head), count = 1;
    for (int axis = 0; axis < tensor->rank; axis++)
        count *= (size_t)tensor->dims[axis];
    struct atomic_file_piece pieces[] = {{head, size}, {tensor->values, count * sizeof(double)}};
    return atomic_file_write_pieces(path, pieces, 2, failure);
}
