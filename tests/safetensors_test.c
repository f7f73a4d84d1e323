/* Safetensors files: round trips, what breaks the format, and writing that fails half-way. */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/atomic_file.h"
#include "data/safetensors.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/tmp/nn_safetensors_test_XXXXXX";
static char path[64];

static int make_directory(void **state) {
    (void)state;
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof path, "%s/w.safetensors", directory);
    return 0;
}

static int remove_directory(void **state) {
    (void)state;
    unlink(path);
    return rmdir(directory); /* fails when anything was left behind */
}

static size_t files_in_directory(void) {
    DIR *stream = opendir(directory);
    size_t count = 0;
    assert_non_null(stream);
    while (readdir(stream))
        count++;
    closedir(stream);
    return count - 2;
}

/* A file of `header` (with its own length) and `data_size` bytes 0, 1, 2, ...; the caller frees it. */
static unsigned char *make(const char *header, size_t data_size, size_t *size) {
    size_t length = strlen(header);
    *size = 8 + length + data_size;
    unsigned char *bytes = calloc(*size, 1);
    assert_non_null(bytes);
    bytes[0] = (unsigned char)(length & 255);
    bytes[1] = (unsigned char)(length >> 8);
    bytes[2] = (unsigned char)(length >> 16);
    memcpy(bytes + 8, header, length);
    for (size_t i = 0; i < data_size; i++)
        bytes[8 + length + i] = (unsigned char)i;
    return bytes;
}

static bool parse(struct arena *arena, unsigned char *bytes, size_t size, struct safetensors *file,
                  struct failure *failure) {
    jmp_buf out_of_memory;
    *arena = (struct arena){NULL, &out_of_memory};
    *failure = (struct failure){0};
    assert_int_equal(setjmp(out_of_memory), 0);
    bool good = safetensors_parse(arena, "t", bytes, size, file, failure);
    assert_true(good == (failure->kind == FAILURE_NONE));
    return good;
}

static void assert_refused(const char *header, size_t data_size, const char *message) {
    struct arena arena;
    struct failure failure;
    struct safetensors file;
    size_t size;
    unsigned char *bytes = make(header, data_size, &size);
    assert_false(parse(&arena, bytes, size, &file, &failure));
    assert_string_equal(failure.message, message);
    assert_int_equal(failure.kind, FAILURE_DATA);
    arena_free(&arena);
    free(bytes);
}

static void a_written_file_comes_back(void **state) {
    (void)state;
    float odd[] = {1, 2, 3};
    double wide[] = {0.1, 0.2, 0.3, 0.4};
    int64_t step[] = {-5};
    int32_t order[] = {3, 1};
    struct safetensor tensors[] = {
        {"odd \"quoted\" \xc3\xa4", SAFETENSORS_F32, 1, {3}, odd, false},
        {"wide", SAFETENSORS_F64, 2, {2, 2}, wide, false},
        {"step", SAFETENSORS_I64, 0, {0}, step, false},
        {"none", SAFETENSORS_F64, 2, {0, 7}, NULL, false},
        {"order", SAFETENSORS_I32, 1, {2}, order, false},
    };
    struct safetensors_text metadata[] = {{"epoch", "12"}, {"format", "nn"}};
    struct safetensors file = {tensors, 5, metadata, 2}, back;
    jmp_buf out_of_memory;
    struct arena arena = {NULL, &out_of_memory};
    struct failure failure = {0};
    assert_int_equal(setjmp(out_of_memory), 0);
    if (!safetensors_write(&arena, path, &file, &failure) || !safetensors_read(&arena, path, &back, &failure))
        fail_msg("%s", failure.message);
    assert_int_equal(back.count, 5);
    assert_string_equal(safetensors_metadata(&back, "epoch"), "12");
    assert_null(safetensors_metadata(&back, "hour"));
    static const size_t sizes[] = {12, 32, 8, 0, 8};
    for (size_t i = 0; i < 5; i++) {
        struct safetensor *tensor = safetensors_find(&back, tensors[i].name);
        assert_non_null(tensor);
        assert_true(tensor->element == tensors[i].element && tensor->rank == tensors[i].rank);
        assert_memory_equal(tensor->dims, tensors[i].dims, sizeof tensor->dims);
        if (sizes[i])
            assert_memory_equal(tensor->data, tensors[i].data, sizes[i]);
        if (i < 4)
            assert_non_null(safetensors_unused(&back, 0));
    }
    assert_null(safetensors_unused(&back, 0));
    assert_null(safetensors_find(&back, "nothing"));
    char type[SAFETENSORS_TYPE_SIZE];
    assert_string_equal(safetensors_type(&tensors[1], type), "f64[2, 2]");
    assert_string_equal(safetensors_type(&tensors[2], type), "i64[]");
    /* The bytes are fixed: the same weights make the same file. */
    unsigned char *bytes;
    size_t size;
    assert_true(atomic_file_read(&arena, path, &bytes, &size, &failure));
    static const char start[] = "{\"__metadata__\":{\"epoch\":\"12\",\"format\":\"nn\"},"
                                "\"wide\":{\"dtype\":\"F64\",\"shape\":[2,2],\"data_offsets\":[0,32]},";
    assert_memory_equal(bytes + 8, start, sizeof start - 1);
    assert_true(bytes[0] % 8 == 0);
    arena_free(&arena);
}

static void names_are_unique_when_written(void **state) {
    (void)state;
    double value = 1;
    struct safetensor tensors[] = {{"a", SAFETENSORS_F64, 0, {0}, &value, false},
                                   {"a", SAFETENSORS_F64, 0, {0}, &value, false}};
    struct safetensors file = {tensors, 2, NULL, 0};
    jmp_buf out_of_memory;
    struct arena arena = {NULL, &out_of_memory};
    struct failure failure = {0};
    assert_int_equal(setjmp(out_of_memory), 0);
    assert_false(safetensors_write(&arena, path, &file, &failure));
    assert_int_equal(failure.kind, FAILURE_DATA);
    failure.kind = FAILURE_NONE;
    tensors[1].name = "__metadata__";
    assert_false(safetensors_write(&arena, path, &file, &failure));
    arena_free(&arena);
}

#define TENSOR(name, type, shape, range) \
    "\"" name "\":{\"dtype\":\"" type "\",\"shape\":" shape ",\"data_offsets\":" range "}"

static void broken_headers_are_refused(void **state) {
    (void)state;
    assert_refused("[]", 0, "t: the header is not a JSON object");
    assert_refused("", 0, "t: the header is not a JSON object");
    assert_refused("{\"a\":", 0, "t: the header is not a JSON object: wrong at its byte 4");
    assert_refused("{} x", 0, "t: the header is not a JSON object: wrong at its byte 2");
    assert_refused("{\"\\u0000\":1}", 0, "t: found \\u0000 in the header, expected text");
    assert_refused("{\"a\":1}", 0,
                   "t: tensor 'a': expected 'dtype', 'shape' and 'data_offsets', each once, and no more");
    assert_refused("{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4,
                   "t: tensor 'a': expected 'dtype', 'shape' and 'data_offsets', each once, and no more");
    assert_refused("{" TENSOR("a", "BF16", "[2]", "[0,4]") "}", 4,
                   "t: tensor 'a': found elements of type 'BF16', expected F32, F64, I32 or I64");
    assert_refused("{" TENSOR("a", "F32", "[-1]", "[0,4]") "}", 4,
                   "t: tensor 'a': expected whole numbers in 'shape'");
    assert_refused("{" TENSOR("a", "F32", "[1.5]", "[0,4]") "}", 4,
                   "t: tensor 'a': expected whole numbers in 'shape'");
    assert_refused("{" TENSOR("a", "F32", "[1e400]", "[0,4]") "}", 4,
                   "t: tensor 'a': expected whole numbers in 'shape'");
    assert_refused("{" TENSOR("a", "F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4,
                   "t: tensor 'a': found more than 8 dimensions, expected at most 8");
    assert_refused("{" TENSOR("a", "F32", "[2]", "[0,4]") "}", 4,
                   "t: tensor 'a': found 4 bytes of data, expected those of f32[2]");
    assert_refused("{" TENSOR("a", "F32", "[4294967296,4294967296]", "[0,0]") "}", 0,
                   "t: tensor 'a': found 0 bytes of data, expected those of f32[4294967296, 4294967296]");
    assert_refused("{" TENSOR("a", "F32", "[1]", "[4,0]") "}", 4,
                   "t: tensor 'a': expected [begin, end] as 'data_offsets'");
    assert_refused("{" TENSOR("a", "F32", "[1]", "[0,4,4]") "}", 4,
                   "t: tensor 'a': expected [begin, end] as 'data_offsets'");
    assert_refused("{" TENSOR("a", "F32", "[1]", "[0,4]") "}", 3,
                   "t: tensor 'a': its data ends behind the end of the file");
    assert_refused("{" TENSOR("a", "F32", "[1]", "[0,4]") "}", 5,
                   "t: found 1 bytes behind the last tensor, expected none");
    assert_refused("{" TENSOR("a", "F32", "[1]", "[4,8]") "}", 8,
                   "t: tensor 'a': found a hole before its data");
    assert_refused("{" TENSOR("a", "F32", "[2]", "[0,8]") "," TENSOR("b", "F32", "[1]", "[4,8]") "}", 8,
                   "t: tensor 'b': its data overlaps that of another tensor");
    assert_refused("{" TENSOR("a", "F32", "[1]", "[0,4]") "," TENSOR("a", "F32", "[1]", "[4,8]") "}", 8,
                   "t: tensor 'a': found this name twice");
    assert_refused("{\"__metadata__\":3}", 0, "t: expected one object of texts as '__metadata__'");
    assert_refused("{\"__metadata__\":{\"a\":3}}", 0, "t: __metadata__: 'a': expected a text");
    assert_refused("{\"__metadata__\":{\"a\":\"\",\"a\":\"\"}}", 0, "t: __metadata__: found 'a' twice");
    char deep[20000] = "{\"a\":";
    memset(deep + 5, '[', sizeof deep - 6);
    assert_refused(deep, 0, "t: the header is not a JSON object: wrong at its byte 1004");
}

static void lengths_are_checked(void **state) {
    (void)state;
    struct arena arena;
    struct failure failure;
    struct safetensors file;
    unsigned char bytes[16] = {255, 255, 255, 255, 255, 255, 255, 255, '{', '}'};
    assert_false(parse(&arena, bytes, 10, &file, &failure));
    arena_free(&arena);
    memset(bytes, 0, 8);
    bytes[0] = 3;
    assert_false(parse(&arena, bytes, 10, &file, &failure));
    assert_string_equal(failure.message,
                        "t: is not a file of weights (safetensors), as --save writes them, or was cut");
    arena_free(&arena);
    bytes[0] = 2;
    assert_true(parse(&arena, bytes, 10, &file, &failure));
    assert_int_equal(file.count, 0);
    arena_free(&arena);
    assert_false(parse(&arena, bytes, 7, &file, &failure));
    arena_free(&arena);
}

static const char sample[] =
    "{\"__metadata__\":{\"k\":\"v\"}," TENSOR("x", "F32", "[3]", "[0,12]") "," TENSOR(
        "yy", "F64", "[1,2]", "[12,28]") "," TENSOR("z", "I64", "[0]", "[28,28]") "}   ";

/* Touches all data, so that a pointer that went astray is seen. */
static void read_anything(unsigned char *bytes, size_t size) {
    struct arena arena;
    struct failure failure;
    struct safetensors file;
    if (parse(&arena, bytes, size, &file, &failure)) {
        unsigned total = 0;
        for (size_t i = 0; i < file.count; i++) {
            size_t bytes_left = safetensors_element_size(file.tensors[i].element);
            assert_true((uintptr_t)file.tensors[i].data % bytes_left == 0);
            for (int axis = 0; axis < file.tensors[i].rank; axis++)
                bytes_left *= (size_t)file.tensors[i].dims[axis];
            while (bytes_left-- > 0)
                total += ((unsigned char *)file.tensors[i].data)[bytes_left];
        }
        assert_true(total < 100000);
    } else {
        assert_int_equal(failure.kind, FAILURE_DATA);
    }
    arena_free(&arena);
}

static void unaligned_data_is_copied(void **state) {
    (void)state;
    for (int pad = 0; pad < 8; pad++) {
        char header[sizeof sample + 8];
        size_t size;
        snprintf(header, sizeof header, "%s%*s", sample, pad, "");
        unsigned char *bytes = make(header, 28, &size);
        read_anything(bytes, size);
        free(bytes);
    }
}

static void every_prefix_is_refused(void **state) {
    (void)state;
    size_t size;
    unsigned char *bytes = make(sample, 28, &size);
    for (size_t length = 0; length < size; length++) {
        struct arena arena;
        struct failure failure;
        struct safetensors file;
        unsigned char *copy = malloc(length ? length : 1);
        assert_non_null(copy);
        memcpy(copy, bytes, length);
        assert_false(parse(&arena, copy, length, &file, &failure));
        arena_free(&arena);
        free(copy);
    }
    free(bytes);
}

static void mutations_are_read_or_refused(void **state) {
    (void)state;
    size_t size;
    unsigned char *bytes = make(sample, 28, &size);
    srand(4);
    for (int i = 0; i < 50000; i++) {
        unsigned char *copy = malloc(size);
        assert_non_null(copy);
        memcpy(copy, bytes, size);
        for (int changes = rand() % 4; changes >= 0; changes--)
            copy[rand() % (int)size] =
                rand() % 3 ? (unsigned char)"0123456789,[]{}\":\\e-FI64"[rand() % 24] : (unsigned char)rand();
        read_anything(copy, size);
        free(copy);
    }
    free(bytes);
}

static void assert_content(const char *expected) {
    jmp_buf out_of_memory;
    struct arena arena = {NULL, &out_of_memory};
    struct failure failure = {0};
    unsigned char *bytes;
    size_t size;
    assert_int_equal(setjmp(out_of_memory), 0);
    assert_true(atomic_file_read(&arena, path, &bytes, &size, &failure));
    assert_string_equal((char *)bytes, expected);
    arena_free(&arena);
}

/* The disk is "full" behind 4 KiB: the old file stays, and nothing is left beside it. */
static void a_full_disk_leaves_the_old_file(void **state) {
    (void)state;
    static char large[100000];
    struct failure failure = {0};
    struct rlimit old, tight;
    assert_true(atomic_file_write(path, "old", 3, &failure));
    assert_content("old");
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    tight = old;
    tight.rlim_cur = 4096;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    bool good = atomic_file_write(path, large, sizeof large, &failure);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_false(good);
    assert_int_equal(failure.kind, FAILURE_MACHINE);
    assert_non_null(strstr(failure.message, ": cannot be written: File too large"));
    assert_content("old");
    assert_int_equal(files_in_directory(), 1);
}

static void links_and_permissions_are_kept(void **state) {
    (void)state;
    struct failure failure = {0};
    struct stat status;
    char link_path[80];
    snprintf(link_path, sizeof link_path, "%s.link", path);
    assert_true(atomic_file_write(path, "1", 1, &failure));
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(symlink(path, link_path), 0);
    assert_true(atomic_file_write(link_path, "22", 2, &failure));
    assert_content("22");
    assert_int_equal(lstat(link_path, &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640);
    unlink(link_path);
    assert_int_equal(files_in_directory(), 1);
}

static void places_that_cannot_be_written(void **state) {
    (void)state;
    struct failure failure = {0};
    assert_false(atomic_file_write("/nowhere/at/all", "1", 1, &failure));
    assert_string_equal(failure.message, "/nowhere/at/all: cannot be written: No such file or directory");
    assert_int_equal(failure.kind, FAILURE_MACHINE);
    failure.kind = FAILURE_NONE;
    assert_false(atomic_file_write(directory, "1", 1, &failure));
    assert_non_null(strstr(failure.message, ": cannot be written: Is a directory"));
    failure.kind = FAILURE_NONE;
    assert_true(atomic_file_write("/dev/null", "1", 1, &failure));
    if (access("/dev/full", W_OK) == 0) {
        assert_false(atomic_file_write("/dev/full", "1", 1, &failure));
        assert_string_equal(failure.message, "/dev/full: cannot be written: No space left on device");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_written_file_comes_back),      cmocka_unit_test(names_are_unique_when_written),
        cmocka_unit_test(broken_headers_are_refused),     cmocka_unit_test(lengths_are_checked),
        cmocka_unit_test(unaligned_data_is_copied),       cmocka_unit_test(every_prefix_is_refused),
        cmocka_unit_test(mutations_are_read_or_refused),  cmocka_unit_test(a_full_disk_leaves_the_old_file),
        cmocka_unit_test(links_and_permissions_are_kept), cmocka_unit_test(places_that_cannot_be_written),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
