/* IDX files: every type, items in order, and files that mean harm. */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/idx.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef HAVE_ZLIB
#include <zlib.h>
#endif

#define BYTES(text) (text), sizeof(text) - 1

enum { VALUES = 64 };

/* Reads a copy of just that size to its end, or says why not.  The number of values read; -1: refused. */
static int read_bytes(const char *bytes, size_t size, double *values, struct failure *failure) {
    char *copy = malloc(size + 1);
    struct idx idx;
    int count = 0;
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    *failure = (struct failure){0};
    FILE *file = size ? fmemopen(copy, size, "rb") : tmpfile();
    assert_non_null(file);
    bool good = idx_open_file(&idx, file, "t", failure);
    for (int64_t item = 0; good && item < idx.dims[0]; item++) {
        double room[VALUES];
        if (idx.inner > VALUES) {
            good = failure_set(failure, FAILURE_DATA, "large");
            break;
        }
        good = idx_next(&idx, room, failure);
        for (int64_t k = 0; good && k < idx.inner && count < VALUES; k++)
            values[count++] = room[k];
    }
    good = good && idx_finish(&idx, failure);
    idx_close(&idx);
    fclose(file);
    free(copy);
    assert_true(good == (failure->kind == FAILURE_NONE));
    return good ? count : -1;
}

static void assert_reads(const char *bytes, size_t size, const double *expected, int count) {
    double values[VALUES];
    struct failure failure;
    int found = read_bytes(bytes, size, values, &failure);
    if (found < 0)
        fail_msg("%s", failure.message);
    assert_int_equal(found, count);
    for (int i = 0; i < count; i++)
        assert_true(values[i] == expected[i]);
}

static void assert_refused(const char *bytes, size_t size, const char *message) {
    double values[VALUES];
    struct failure failure;
    assert_int_equal(read_bytes(bytes, size, values, &failure), -1);
    assert_string_equal(failure.message, message);
    assert_int_equal(failure.kind, FAILURE_DATA);
}

static void every_type_is_read(void **state) {
    (void)state;
    assert_reads(BYTES("\0\0\x08\1\0\0\0\3\0\x7f\xff"), (double[]){0, 127, 255}, 3);
    assert_reads(BYTES("\0\0\x09\1\0\0\0\2\x7f\xff"), (double[]){127, -1}, 2);
    assert_reads(BYTES("\0\0\x0b\1\0\0\0\2\x01\x02\xff\xfe"), (double[]){258, -2}, 2);
    assert_reads(BYTES("\0\0\x0c\1\0\0\0\2\x00\x01\x00\x00\xff\xff\xff\xfd"), (double[]){65536, -3}, 2);
    assert_reads(BYTES("\0\0\x0d\1\0\0\0\1\x3f\xc0\0\0"), (double[]){1.5}, 1);
    assert_reads(BYTES("\0\0\x0e\1\0\0\0\1\xc0\x04\0\0\0\0\0\0"), (double[]){-2.5}, 1);
}

static void items_come_in_order(void **state) {
    (void)state;
    assert_reads(BYTES("\0\0\x08\3\0\0\0\2\0\0\0\1\0\0\0\3\1\2\3\4\5\6"), (double[]){1, 2, 3, 4, 5, 6}, 6);
}

static void harmful_files_are_refused(void **state) {
    (void)state;
    assert_refused(BYTES(""), "t: is not an IDX file: expected two zero bytes, a type and a number of axes");
    assert_refused(BYTES("\0\1\x08\1\0\0\0\1\7"),
                   "t: is not an IDX file: expected two zero bytes, a type and a number of axes");
    assert_refused(BYTES("\0\0\x0a\1\0\0\0\1\7"),
                   "t: byte 3: found type 0x0a, expected 0x08, 0x09, 0x0b, 0x0c, 0x0d or 0x0e");
    assert_refused(BYTES("\0\0\x08\0\7"), "t: byte 4: found 0 axes, expected 1 to 8");
    assert_refused(BYTES("\0\0\x08\xff\7"), "t: byte 4: found 255 axes, expected 1 to 8");
    assert_refused(BYTES("\0\0\x08\2\0\0\0\1\0\0"), "t: ends in its header, expected the lengths of 2 axes");
    assert_refused(BYTES("\0\0\x08\2\0\0\0\1\0\0\0\0"), "t: axis 1 has length 0");
    assert_refused(BYTES("\0\0\x08\3\0\0\0\1\xff\xff\xff\xff\xff\xff\xff\xff"),
                   "t: an item has more than 2147483647 numbers");
    assert_refused(BYTES("\0\0\x08\2\xff\xff\xff\xff\0\0\0\2\1\2\3"),
                   "t: ends in item 2, at number 2 of 2; expected 4294967295 items");
    assert_refused(BYTES("\0\0\x08\1\0\0\0\1\7\7"), "t: found more bytes behind the last of 1 items");
    assert_refused(BYTES("\0\0\x0d\1\0\0\0\2\0\0\0\0\x7f\x80\0\0"),
                   "t:2:1: found inf, expected a finite number");
    assert_refused(BYTES("\x1f\x8b\x08\0\0"),
                   "t: is compressed with gzip (this program was built without zlib)");
}

static void mutations_are_read_or_refused(void **state) {
    (void)state;
    static const char good[] = "\0\0\x0b\2\0\0\0\3\0\0\0\2\1\2\3\4\5\6\7\x08\x09\x0a\x0b\x0c";
    double values[VALUES];
    struct failure failure;
    srand(1);
    for (size_t size = 0; size < sizeof good - 1; size++)
        assert_int_equal(read_bytes(good, size, values, &failure), -1);
    for (int i = 0; i < 20000; i++) {
        char bytes[sizeof good];
        memcpy(bytes, good, sizeof good);
        for (int k = rand() % 3; k >= 0; k--)
            bytes[(size_t)rand() % (sizeof good - 1)] = (char)rand();
        read_bytes(bytes, sizeof good - 1, values, &failure);
    }
}

#ifdef HAVE_ZLIB
static bool read_path(const char *path, struct failure *failure) {
    struct idx idx;
    double value[1000];
    *failure = (struct failure){0};
    bool good = idx_open(&idx, path, failure);
    for (int64_t item = 0; good && item < idx.dims[0]; item++)
        good = idx.inner == 1000 && idx_next(&idx, value, failure);
    good = good && idx_finish(&idx, failure);
    idx_close(&idx);
    return good;
}

static void gzip_is_found_by_its_first_bytes(void **state) {
    (void)state;
    char path[] = "/tmp/nn_idx_test_XXXXXX", item[1000];
    close(mkstemp(path));
    struct failure failure;
    gzFile file = gzopen(path, "wb");
    gzwrite(file, "\0\0\x08\2\0\0\0\x64\0\0\3\xe8", 12);
    memset(item, 7, sizeof item);
    for (int i = 0; i < 100; i++)
        gzwrite(file, item, sizeof item);
    gzclose(file);
    if (!read_path(path, &failure))
        fail_msg("%s", failure.message);
    FILE *whole = fopen(path, "rb");
    size_t size = fread(item, 1, sizeof item, whole);
    fclose(whole);
    assert_true(size > 40 && size < sizeof item);
    for (size_t cut = 20; cut < size; cut += 7) {
        assert_int_equal(truncate(path, (off_t)(size + 20 - cut - 1)), 0);
        assert_false(read_path(path, &failure));
        assert_int_equal(failure.kind, FAILURE_DATA);
    }
    FILE *bad = fopen(path, "wb");
    item[size / 2] ^= 0x55;
    fwrite(item, 1, size, bad);
    fclose(bad);
    assert_false(read_path(path, &failure));
    assert_non_null(strstr(failure.message, "the compressed data is damaged"));
    unlink(path);
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_is_read),
        cmocka_unit_test(items_come_in_order),
        cmocka_unit_test(harmful_files_are_refused),
        cmocka_unit_test(mutations_are_read_or_refused),
#ifdef HAVE_ZLIB
        cmocka_unit_test(gzip_is_found_by_its_first_bytes),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
