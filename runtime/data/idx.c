/* Numbers are read piece by piece into a small buffer and become doubles there. */
#include "data/idx.h"

#include <math.h>
#include <string.h>

enum { PIECE = 4096 };

static const struct {
    int code, size;
} types[] = {{0x08, 1}, {0x09, 1}, {0x0b, 2}, {0x0c, 4}, {0x0d, 4}, {0x0e, 8}};

static uint64_t big_endian(const unsigned char *bytes, int size) {
    uint64_t bits = 0;
    for (int i = 0; i < size; i++)
        bits = bits << 8 | bytes[i];
    return bits;
}

/* ---- the header ---- */

static bool read_dims(struct idx *idx, struct failure *failure) {
    idx->inner = 1;
    for (int i = 0; i < idx->rank; i++) {
        unsigned char bytes[4];
        if (byte_file_read(&idx->file, bytes, 4) != 4)
            return byte_file_ended(&idx->file, failure) &&
                   failure_set(failure, FAILURE_DATA,
                               "%s: ends in its header, expected the lengths of %d axes", idx->file.name,
                               idx->rank);
        idx->dims[i] = (int64_t)big_endian(bytes, 4);
        if (idx->dims[i] == 0)
            return failure_set(failure, FAILURE_DATA, "%s: axis %d has length 0", idx->file.name, i);
        if (i > 0 && idx->inner > INT32_MAX / idx->dims[i])
            return failure_set(failure, FAILURE_DATA, "%s: an item has more than 2147483647 numbers",
                               idx->file.name);
        idx->inner *= i > 0 ? idx->dims[i] : 1;
    }
    return true;
}

static bool read_header(struct idx *idx, struct failure *failure) {
    unsigned char magic[4] = {0};
    size_t read = byte_file_read(&idx->file, magic, 4);
    if (read < 4 && !byte_file_ended(&idx->file, failure))
        return false;
    if (read >= 2 && magic[0] == 0x1f && magic[1] == 0x8b)
        return failure_set(failure, FAILURE_DATA,
                           "%s: is compressed with gzip (this program was built without zlib)",
                           idx->file.name);
    if (read < 4 || magic[0] || magic[1])
        return failure_set(failure, FAILURE_DATA,
                           "%s: is not an IDX file: expected two zero bytes, a type and a number of axes",
                           idx->file.name);
    idx->type = magic[2];
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        idx->size = types[i].code == idx->type ? types[i].size : idx->size;
    if (!idx->size)
        return failure_set(failure, FAILURE_DATA,
                           "%s: byte 3: found type 0x%02x, expected 0x08, 0x09, 0x0b, 0x0c, 0x0d or 0x0e",
                           idx->file.name, magic[2]);
    idx->rank = magic[3];
    if (idx->rank < 1 || idx->rank > IDX_RANK_LIMIT)
        return failure_set(failure, FAILURE_DATA, "%s: byte 4: found %d axes, expected 1 to %d",
                           idx->file.name, magic[3], (int)IDX_RANK_LIMIT);
    return read_dims(idx, failure);
}

bool idx_open(struct idx *idx, const char *path, struct failure *failure) {
    *idx = (struct idx){0};
    return byte_file_open(&idx->file, path, failure) && read_header(idx, failure);
}

bool idx_open_file(struct idx *idx, FILE *file, const char *name, struct failure *failure) {
    *idx = (struct idx){0};
    byte_file_open_file(&idx->file, file, name);
    return read_header(idx, failure);
}

/* ---- items ---- */

static double number_of(const struct idx *idx, const unsigned char *bytes) {
    uint64_t bits = big_endian(bytes, idx->size);
    uint32_t low = (uint32_t)bits;
    float single;
    double value;
    switch (idx->type) {
    case 0x08:
        return (double)bits;
    case 0x09:
        return (double)(int8_t)bits;
    case 0x0b:
        return (double)(int16_t)bits;
    case 0x0c:
        return (double)(int32_t)low;
    case 0x0d:
        memcpy(&single, &low, sizeof single);
        return (double)single;
    default:
        memcpy(&value, &bits, sizeof value);
        return value;
    }
}

static bool fail_item(const struct idx *idx, int64_t place, struct failure *failure) {
    return byte_file_ended(&idx->file, failure) &&
           failure_set(failure, FAILURE_DATA,
                       "%s: ends in item %lld, at number %lld of %lld; expected %lld items", idx->file.name,
                       (long long)idx->next + 1, (long long)place + 1, (long long)idx->inner,
                       (long long)idx->dims[0]);
}

bool idx_next(struct idx *idx, double *values, struct failure *failure) {
    unsigned char piece[PIECE];
    const int64_t room = PIECE / idx->size;
    for (int64_t from = 0; from < idx->inner; from += room) {
        int64_t count = idx->inner - from < room ? idx->inner - from : room;
        size_t read = byte_file_read(&idx->file, piece, (size_t)(count * idx->size));
        if (read != (size_t)(count * idx->size))
            return fail_item(idx, from + (int64_t)read / idx->size, failure);
        for (int64_t i = 0; i < count; i++) {
            values[from + i] = number_of(idx, piece + i * idx->size);
            if (!isfinite(values[from + i]))
                return failure_set(failure, FAILURE_DATA, "%s:%lld:%lld: found %g, expected a finite number",
                                   idx->file.name, (long long)idx->next + 1, (long long)(from + i + 1),
                                   values[from + i]);
        }
    }
    idx->next++;
    return true;
}

bool idx_finish(struct idx *idx, struct failure *failure) {
    unsigned char byte;
    if (byte_file_read(&idx->file, &byte, 1) == 1)
        return failure_set(failure, FAILURE_DATA, "%s: found more bytes behind the last of %lld items",
                           idx->file.name, (long long)idx->dims[0]);
    return byte_file_ended(&idx->file, failure);
}

void idx_close(struct idx *idx) {
    byte_file_close(&idx->file);
}
