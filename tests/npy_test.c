/* NPY files: every element type and order, round trips, and files that mean harm. */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/atomic_file.h"
#include "data/npy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An NPY file of version 1.0 in `file`; returns its size. */
static size_t make(unsigned char *file, const char *dictionary, const void *data, size_t size) {
    size_t length = strlen(dictionary);
    memcpy(file, "\x93NUMPY\x01\x00", 8);
    file[8] = (unsigned char)(length & 255);
    file[9] = (unsigned char)(length >> 8);
    memcpy(file + 10, dictionary, length);
    if (size)
        memcpy(file + 10 + length, data, size);
    return 10 + length + size;
}

/* Reads a copy that is just as long as it should be, so that reading beyond it is seen. */
static bool parse(struct arena *arena, const unsigned char *bytes, size_t size, struct tensor *tensor,
                  struct failure *failure) {
    jmp_buf out_of_memory;
    *arena = (struct arena){NULL, &out_of_memory};
    *failure = (struct failure){0};
    unsigned char *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    if (size)
        memcpy(copy, bytes, size);
    assert_int_equal(setjmp(out_of_memory), 0);
    bool good = npy_parse(arena, "t", copy, size, tensor, failure);
    assert_true(good == (failure->kind == FAILURE_NONE));
    free(copy);
    return good;
}

static void assert_reads(const char *dictionary, const void *data, size_t size, const double *values,
                         size_t count) {
    unsigned char file[512];
    struct arena arena;
    struct failure failure;
    struct tensor tensor;
    if (!parse(&arena, file, make(file, dictionary, data, size), &tensor, &failure))
        fail_msg("%s", failure.message);
    for (size_t i = 0; i < count; i++)
        assert_true(tensor.values[i] == values[i] || (isnan(tensor.values[i]) && isnan(values[i])));
    arena_free(&arena);
}

static void assert_refused(const char *dictionary, const void *data, size_t size, const char *message) {
    unsigned char file[512];
    struct arena arena;
    struct failure failure;
    struct tensor tensor;
    assert_false(parse(&arena, file, make(file, dictionary, data, size), &tensor, &failure));
    assert_string_equal(failure.message, message);
    assert_int_equal(failure.kind, FAILURE_DATA);
    arena_free(&arena);
}

#define DICTIONARY(type, order, shape) \
    "{'descr': '" type "', 'fortran_order': " order ", 'shape': " shape ", }\n"

static void every_type_is_read(void **state) {
    (void)state;
    const float floats[] = {1.5f, -2.25f};
    const double doubles[] = {0.1, -1e300};
    assert_reads(DICTIONARY("<f4", "False", "(2,)"), floats, 8, (const double[]){1.5, -2.25}, 2);
    assert_reads(DICTIONARY("<f8", "False", "(2,)"), doubles, 16, doubles, 2);
    assert_reads(DICTIONARY(">f4", "False", "(2,)"), "\x3f\xc0\0\0\xc0\x10\0\0", 8,
                 (const double[]){1.5, -2.25}, 2);
    assert_reads(DICTIONARY("<f2", "False", "(5,)"), "\0\x3c\1\0\xff\x7b\0\xfc\0\x7e", 10,
                 (const double[]){1, 0x1p-24, 65504, (double)-INFINITY, (double)NAN}, 5);
    assert_reads(DICTIONARY("|i1", "False", "(2,)"), "\x80\x7f", 2, (const double[]){-128, 127}, 2);
    assert_reads(DICTIONARY("|u1", "False", "(2,)"), "\x80\xff", 2, (const double[]){128, 255}, 2);
    assert_reads(DICTIONARY("|b1", "False", "(2,)"), "\0\1", 2, (const double[]){0, 1}, 2);
    assert_reads(DICTIONARY("<i2", "False", "(1,)"), "\xfe\xff", 2, (const double[]){-2}, 1);
    assert_reads(DICTIONARY(">u2", "False", "(1,)"), "\x01\x02", 2, (const double[]){258}, 1);
    assert_reads(DICTIONARY("<i4", "False", "()"), "\0\0\0\x80", 4, (const double[]){-2147483648.0}, 1);
    assert_reads(DICTIONARY("<i8", "False", "(2,)"), "\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\0\x80", 16,
                 (const double[]){-1, -0x1p63}, 2);
    assert_reads(DICTIONARY("<u8", "False", "(1,)"), "\0\xf8\xff\xff\xff\xff\xff\xff", 8,
                 (const double[]){0x1p64 - 2048}, 1);
    assert_refused(
        DICTIONARY("<u8", "False", "(1,)"), "\1\0\0\0\0\0\x20\0", 8,
        "t: found an integer near 9007199254740992 at place 0, expected one that a 64-bit float holds");
    assert_refused(
        DICTIONARY("<u8", "False", "(1,)"), "\xff\xff\xff\xff\xff\xff\xff\xff", 8,
        "t: found an integer near 1.8446744073709552e+19 at place 0, expected one that a 64-bit float holds");
}

static void orders_and_shapes_are_read(void **state) {
    (void)state;
    assert_reads(DICTIONARY("|u1", "False", "(2, 3)"), "\1\2\3\4\5\6", 6, (const double[]){1, 2, 3, 4, 5, 6},
                 6);
    assert_reads(DICTIONARY("|u1", "True", "(2, 3)"), "\1\2\3\4\5\6", 6, (const double[]){1, 3, 5, 2, 4, 6},
                 6);
    assert_reads(DICTIONARY("|u1", "True", "(2, 1, 2, 2)"), "\1\2\3\4\5\6\7\10", 8,
                 (const double[]){1, 5, 3, 7, 2, 6, 4, 8}, 8);
    assert_reads(DICTIONARY("|u1", "False", "(2, 0, 3)"), "", 0, NULL, 0);
    assert_reads("{\"shape\":(1,),\"fortran_order\":False,\"descr\":\"|u1\"}   \n", "\7", 1,
                 (const double[]){7}, 1);
}

static void versions_two_and_three_have_wide_lengths(void **state) {
    (void)state;
    for (unsigned char version = 2; version <= 3; version++) {
        static const char dictionary[] = DICTIONARY("|u1", "False", "(1,)");
        unsigned char file[256] = "\x93NUMPY", length = sizeof dictionary - 1;
        struct arena arena;
        struct failure failure;
        struct tensor tensor;
        file[6] = version;
        file[8] = length;
        memcpy(file + 12, dictionary, length);
        file[12 + length] = 9;
        assert_true(parse(&arena, file, 13u + length, &tensor, &failure));
        assert_true(tensor.rank == 1 && tensor.dims[0] == 1 && tensor.values[0] == 9);
        arena_free(&arena);
    }
}

static void hostile_headers_are_refused(void **state) {
    (void)state;
    assert_refused(DICTIONARY("|u1", "False", "(2,)"), "\1", 1,
                   "t: found 1 bytes of data, expected 2 values of 1 bytes");
    assert_refused(DICTIONARY("<f8", "False", "(1,)"), "123456789", 9,
                   "t: found 9 bytes of data, expected 1 values of 8 bytes");
    assert_refused(DICTIONARY("<f8", "False", "(4294967296, 4294967296)"), "", 0,
                   "t: the shape is too large for any memory");
    assert_refused(DICTIONARY("<f8", "False", "(99999999999999999999,)"), "", 0,
                   "t: the NPY header is malformed: expected smaller numbers in 'shape'");
    assert_refused(DICTIONARY("<f8", "False", "(-1,)"), "", 0,
                   "t: the NPY header is malformed: expected whole numbers, none below 0, in 'shape'");
    assert_refused(DICTIONARY("<f8", "False", "(1)"), "", 0,
                   "t: the NPY header is malformed: expected a comma in 'shape'");
    assert_refused(DICTIONARY("<f8", "False", "(1,1,1,1,1,1,1,1,1)"), "", 0,
                   "t: found more than 8 dimensions, expected at most 8");
    assert_refused(DICTIONARY("<c16", "False", "(1,)"), "", 0,
                   "t: found elements of type '<c16', expected b1, u1 to u8, i1 to i8, f2, f4 or f8");
    assert_refused(DICTIONARY("|O", "False", "(1,)"), "", 0,
                   "t: found elements of type '|O', expected b1, u1 to u8, i1 to i8, f2, f4 or f8");
    assert_refused("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,)}", "", 0,
                   "t: the NPY header is malformed: expected one simple type in 'descr'");
    assert_refused("{'shape': (1,), 'shape': (1,)}", "", 0,
                   "t: the NPY header is malformed: expected each of the keys 'descr', 'fortran_order' and "
                   "'shape' once");
    assert_refused("{}", "", 0,
                   "t: the NPY header is malformed: expected the keys 'descr', 'fortran_order' and 'shape'");
}

static void files_come_back(void **state) {
    (void)state;
    char path[] = "/tmp/nn_npy_test_XXXXXX";
    double values[24];
    jmp_buf out_of_memory;
    struct arena arena = {NULL, &out_of_memory};
    struct failure failure = {0};
    struct tensor tensor = {3, {2, 3, 4}, values}, back;
    for (int i = 0; i < 24; i++)
        values[i] = exp(i - 12);
    close(mkstemp(path));
    assert_int_equal(setjmp(out_of_memory), 0);
    assert_true(npy_write(path, &tensor, &failure));
    assert_true(npy_read(&arena, path, &back, &failure));
    assert_int_equal(back.rank, 3);
    assert_memory_equal(back.dims, tensor.dims, sizeof tensor.dims);
    assert_memory_equal(back.values, values, sizeof values);
    unsigned char *bytes;
    size_t size;
    assert_true(atomic_file_read(&arena, path, &bytes, &size, &failure));
    assert_int_equal(size, 128 + sizeof values);
    /* A scalar and a tensor with the longest header. */
    tensor = (struct tensor){0, {0}, values};
    assert_true(npy_write(path, &tensor, &failure) && npy_read(&arena, path, &back, &failure));
    assert_true(back.rank == 0 && back.values[0] == values[0]);
    tensor =
        (struct tensor){8, {0, INT64_MAX - 9, INT64_MAX - 9, INT64_MAX - 9, 1, INT64_MAX - 9, 1, 1}, values};
    assert_true(npy_write(path, &tensor, &failure) && npy_read(&arena, path, &back, &failure));
    assert_memory_equal(back.dims, tensor.dims, sizeof tensor.dims);
    unlink(path);
    assert_false(npy_read(&arena, path, &back, &failure));
    assert_int_equal(failure.kind, FAILURE_DATA);
    arena_free(&arena);
}

static void prefixes_and_mutations_are_read_or_refused(void **state) {
    (void)state;
    unsigned char file[512], changed[512];
    size_t size = make(file, DICTIONARY("<f4", "True", "(2, 3)"), "0123456789abcdefghijklmn", 24);
    struct arena arena;
    struct failure failure;
    struct tensor tensor;
    for (size_t length = 0; length < size; length++) {
        assert_false(parse(&arena, file, length, &tensor, &failure));
        arena_free(&arena);
    }
    srand(3);
    for (int i = 0; i < 50000; i++) {
        memcpy(changed, file, size);
        for (int changes = rand() % 4; changes >= 0; changes--)
            changed[rand() % (int)size] = rand() % 3
                                              ? (unsigned char)"0123456789,()'{}<>|fiubTrue "[rand() % 28]
                                              : (unsigned char)rand();
        parse(&arena, changed, size, &tensor, &failure);
        arena_free(&arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_is_read),
        cmocka_unit_test(orders_and_shapes_are_read),
        cmocka_unit_test(versions_two_and_three_have_wide_lengths),
        cmocka_unit_test(hostile_headers_are_refused),
        cmocka_unit_test(files_come_back),
        cmocka_unit_test(prefixes_and_mutations_are_read_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
