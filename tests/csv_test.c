/* CSV tables: what is accepted, what every refusal says, and files that mean harm. */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/csv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef HAVE_ZLIB
#include <zlib.h>
#endif

#define TEXT(text) text, sizeof text - 1

/* Reads bytes as the file "t". */
static bool read_bytes(struct arena *arena, const char *bytes, size_t size, const struct table *like,
                       struct table *table, struct failure *failure) {
    jmp_buf out_of_memory;
    FILE *file = tmpfile();
    *arena = (struct arena){NULL, &out_of_memory};
    *failure = (struct failure){0};
    assert_non_null(file);
    assert_true(fwrite(bytes, 1, size, file) == size);
    rewind(file);
    assert_int_equal(setjmp(out_of_memory), 0);
    bool good = csv_read_file(arena, file, "t", like, table, failure);
    assert_true(good == (failure->kind == FAILURE_NONE));
    fclose(file);
    return good;
}

static void assert_table(const char *bytes, size_t size, size_t rows, size_t columns, const double *values) {
    struct arena arena;
    struct failure failure;
    struct table table;
    if (!read_bytes(&arena, bytes, size, NULL, &table, &failure))
        fail_msg("%s", failure.message);
    assert_int_equal(table.rows, rows);
    assert_int_equal(table.columns, columns);
    for (size_t i = 0; i < rows * columns; i++)
        assert_true(table.values[i] == values[i]);
    arena_free(&arena);
}

/* The failure as it is shown: FILE:LINE:COLUMN before the message where the place is known. */
static void assert_message(const struct failure *failure, const char *expected) {
    char text[1200];
    struct position at = {0};
    if (failure->span.source)
        at = source_position(failure->span.source, failure->span.start);
    if (at.line)
        snprintf(text, sizeof text, "%s:%d:%d: %s", failure->span.source->name, at.line, at.column,
                 failure->message);
    assert_string_equal(at.line ? text : failure->message, expected);
}

static void assert_refused(const char *bytes, size_t size, const char *message) {
    struct arena arena;
    struct failure failure;
    struct table table;
    assert_false(read_bytes(&arena, bytes, size, NULL, &table, &failure));
    assert_message(&failure, message);
    assert_int_equal(failure.kind, FAILURE_DATA);
    arena_free(&arena);
}

static void separators_are_found(void **state) {
    (void)state;
    static const double expected[] = {1, 2.5, -3, 4e2, 5, .5};
    assert_table(TEXT("1,2.5,-3\n4e2,+5,.5\n"), 2, 3, expected);
    assert_table(TEXT("1;2.5;-3\n4e2;+5;.5\n"), 2, 3, expected);
    assert_table(TEXT("1\t2.5\t-3\n4e2\t+5\t.5\n"), 2, 3, expected);
    assert_table(TEXT("  1 2.5  -3 \n4e2  \t+5 .5"), 2, 3, expected);
    assert_table(TEXT(" 1 , 2.5,\t-3\r\n4e2,+5,.5\r\n"), 2, 3, expected);
    assert_table(TEXT("\xef\xbb\xbf# a remark, first\n\n1,2.5,-3\n   \n#\n4e2,+5,.5\n\n"), 2, 3, expected);
    assert_table(TEXT("a,\"b, c\",d\n1,\"2.5\",-3\n4e2,+5,\".5\" "), 2, 3, expected);
    assert_table(TEXT("7"), 1, 1, (const double[]){7});
    assert_table(TEXT("'a' b\n1 2"), 1, 2, (const double[]){1, 2});
}

static void numbers_are_rounded_correctly(void **state) {
    (void)state;
    static const char *const numbers[] = {"0",
                                          "-0",
                                          "0.1",
                                          "9007199254740993",
                                          "9007199254740992e22",
                                          "9007199254740991e-22",
                                          "1e22",
                                          "1e23",
                                          "123456789012345678901234567890",
                                          "0.000000000000000000000000000000123",
                                          "1.7976931348623157e308",
                                          "2.2250738585072011e-308",
                                          "5e-324",
                                          "1e-400",
                                          "0.00000000000000000000000000000000000000000000e999999999999",
                                          "00000000000000000000000000000000000012.50000000000000000000000000",
                                          "1e+05",
                                          "12.",
                                          "-.5E-3"};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct arena arena;
        struct failure failure;
        struct table table;
        if (!read_bytes(&arena, numbers[i], strlen(numbers[i]), NULL, &table, &failure))
            fail_msg("%s", failure.message);
        double expected = strtod(numbers[i], NULL);
        assert_memory_equal(table.values, &expected, sizeof expected);
        arena_free(&arena);
    }
    srand(1);
    for (int i = 0; i < 20000; i++) {
        char text[64];
        struct arena arena;
        struct failure failure;
        struct table table;
        double number = ldexp((double)rand() * (double)rand(), rand() % 200 - 130);
        snprintf(text, sizeof text, "%.*e", rand() % 20, rand() % 2 ? number : -number);
        assert_true(read_bytes(&arena, text, strlen(text), NULL, &table, &failure));
        assert_true(table.values[0] == strtod(text, NULL));
        arena_free(&arena);
    }
}

static void class_names_become_numbers(void **state) {
    (void)state;
    struct arena arena, later;
    struct failure failure;
    struct table table, test;
    assert_true(read_bytes(&arena, TEXT("size,kind\n1,setosa\n2,\"virgi\"\"nica, x\"\n3,setosa\n4,\"5\"\n"),
                           NULL, &table, &failure));
    assert_string_equal(table.names[0], "size");
    assert_string_equal(table.names[1], "kind");
    assert_int_equal(table.labels[0].count, 0);
    assert_int_equal(table.labels[1].count, 3);
    assert_string_equal(table.labels[1].names[1], "virgi\"nica, x");
    static const double expected[] = {1, 0, 2, 1, 3, 0, 4, 2};
    assert_memory_equal(table.values, expected, sizeof expected);
    /* Another file, the names in another order. */
    assert_true(read_bytes(&later, TEXT("9,\"virgi\"\"nica, x\"\n8,setosa"), &table, &test, &failure));
    assert_true(test.values[1] == 1 && test.values[3] == 0);
    arena_free(&later);
    assert_false(read_bytes(&later, TEXT("9,setosa\n8,rosa"), &table, &test, &failure));
    assert_message(&failure, "t:2:3: found 'rosa', expected one of 'setosa', 'virgi\"nica, x', '5'");
    arena_free(&later);
    assert_false(read_bytes(&later, TEXT("9,setosa,1"), &table, &test, &failure));
    assert_message(&failure, "t: found 3 columns, expected 2 as in the data before it");
    arena_free(&later);
    arena_free(&arena);
    /* No header: the first row holds a number. */
    assert_table(TEXT("1,a\n2,b\n3,a"), 3, 2, (const double[]){1, 0, 2, 1, 3, 0});
}

static void a_thousand_class_names(void **state) {
    (void)state;
    static char text[40000];
    size_t length = 0;
    for (int i = 0; i < 2000; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, "%d,name%d\n", i, i * 7 % 1000);
    struct arena arena;
    struct failure failure;
    struct table table;
    assert_true(read_bytes(&arena, text, length, NULL, &table, &failure));
    assert_int_equal(table.labels[1].count, 1000);
    for (size_t i = 0; i < 2000; i++) {
        char name[16];
        snprintf(name, sizeof name, "name%d", (int)(i * 7 % 1000));
        assert_string_equal(table.labels[1].names[(size_t)table.values[2 * i + 1]], name);
    }
    arena_free(&arena);
}

static void refusals_name_the_place(void **state) {
    (void)state;
    assert_refused(TEXT(""), "t: is empty, expected rows of numbers");
    assert_refused(TEXT("\n# x\n  \n"), "t: is empty, expected rows of numbers");
    assert_refused(TEXT("x,y\n"), "t: found a header, expected rows behind it");
    assert_refused(TEXT("x,y\n1,2\n3,oops\n"), "t:3:3: found 'oops' in column 'y', expected a number");
    assert_refused(TEXT("1,2\n3,\n"), "t:2:3: found an empty cell, expected a number");
    assert_refused(TEXT("1,m\xfc"
                        "de\n"),
                   "t:1:3: found a byte 0xFC that is not UTF-8 in a name; save the file as UTF-8");
    assert_refused(TEXT("a,m\xfc"
                        "de\n1,2\n"),
                   "t:1:3: found a byte 0xFC that is not UTF-8 in a name; save the file as UTF-8");
    assert_refused(TEXT("1\nm\xfc\n"), "t:2:1: found 'm?', expected a number");
    assert_refused(TEXT("0,5;1,5\n"), "t:1:1: found '0,5', expected a number, whose decimal sign is a point");
    assert_refused(TEXT("a;b\n1;-1,5e3\n"),
                   "t:2:3: found '-1,5e3' in column 'b', expected a number, whose decimal sign is a point");
    assert_refused(TEXT("1,\"2\"\n1,\"2,5\"\n"),
                   "t:2:3: found '2,5', expected a number, whose decimal sign is a point");
    assert_refused(TEXT("1,2;a\n"), "t:1:1: found '1,2', expected a number, whose decimal sign is a point");
    assert_refused(TEXT("1,a\n3,\"\"\n"), "t:2:3: found an empty cell, expected a class name");
    assert_refused(TEXT("1,2\n3\n"), "t:2:2: found 1 cell, expected 2 as in line 1");
    assert_refused(TEXT("x y\n\n1 2\n3 4 5\n"), "t:4:5: found 3 cells, expected 2 as in line 1");
    assert_refused(TEXT("1,nan\n"),
                   "t:1:3: found 'nan', expected a finite number (drop the row or fill the gap first)");
    assert_refused(TEXT("1,-Infinity\n"),
                   "t:1:3: found '-Infinity', expected a finite number (drop the row or fill the gap first)");
    assert_refused(TEXT("1,1e999\n"),
                   "t:1:3: found '1e999', expected a number in the range of 64-bit floats");
    assert_refused(TEXT("1,a\n2,7\n"),
                   "t:2:3: found '7', expected a class name as in the rows before (in quotes, if it is one)");
    assert_refused(TEXT("1,0x10\n1,2"),
                   "t:2:3: found '2', expected a class name as in the rows before (in quotes, if it is one)");
    assert_refused(TEXT("1,\"a\n"), "t:1:3: found the end of the line, expected a closing quote");
    assert_refused(TEXT("1,\"a\"b,2\n"),
                   "t:1:3: found more text behind a closing quote, expected the next cell");
    assert_refused("1,2\n3,\0\n", 8, "t:2:3: found a NUL byte, expected text");
    assert_refused(TEXT("\xff\xfe"
                        "1"),
                   "t: is UTF-16 text, expected UTF-8");
    assert_refused(TEXT("\x1f\x8b\x08"),
                   "t: is compressed with gzip, expected plain text here (use gunzip -c)");
    assert_refused(TEXT("1\n\x07\x01 is a text that goes on and on and on and on \xc3\xa4\xc3\xa4\xc3\xa4\n"),
                   "t:2:4: found 14 cells, expected 1 as in line 1");
    assert_refused(
        TEXT("1,2\n3,\x07 is a text that goes on and on and on and on \xc3\xa4\xc3\xa4\xc3\xa4\n"),
        "t:2:3: found '? is a text that goes on and on and on and on \xc3\xa4...', expected a number");
}

static void a_huge_line_is_refused(void **state) {
    (void)state;
    size_t size = ((size_t)1 << 26) + 10;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, '1', size);
    assert_refused(text, size, "t:1: the line is longer than 64 MiB");
    free(text);
}

static bool read_path(const char *path, struct failure *failure) {
    jmp_buf out_of_memory;
    struct arena arena = {NULL, &out_of_memory};
    struct table table;
    *failure = (struct failure){0};
    assert_int_equal(setjmp(out_of_memory), 0);
    bool good = csv_read(&arena, path, NULL, &table, failure);
    arena_free(&arena);
    return good;
}

static void bad_paths_are_data_errors(void **state) {
    (void)state;
    struct failure failure;
    assert_false(read_path("/nowhere/at/all.csv", &failure));
    assert_message(&failure, "/nowhere/at/all.csv: cannot be read: No such file or directory");
    assert_int_equal(failure.kind, FAILURE_DATA);
    assert_false(read_path("/tmp", &failure));
    assert_message(&failure, "/tmp: is a directory, expected a file");
    assert_int_equal(failure.kind, FAILURE_DATA);
    if (geteuid() == 0)
        return; /* root may read everything */
    char path[] = "/tmp/nn_csv_test_XXXXXX";
    close(mkstemp(path));
    chmod(path, 0);
    assert_false(read_path(path, &failure));
    assert_non_null(strstr(failure.message, "Permission denied"));
    unlink(path);
}

/* A row comes back before the next one was written. */
static void rows_stream_through_a_pipe(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    FILE *in = fdopen(ends[0], "r"), *out = fdopen(ends[1], "w");
    jmp_buf out_of_memory;
    struct arena arena = {NULL, &out_of_memory};
    struct failure failure = {0};
    struct csv csv;
    assert_int_equal(setjmp(out_of_memory), 0);
    fputs("x,y\n", out);
    fflush(out);
    assert_true(csv_open_file(&csv, &arena, in, "pipe", NULL, &failure));
    assert_int_equal(csv.columns, 2);
    for (int i = 0; i < 5; i++) {
        double row[2];
        fprintf(out, "%d,%d\n", i, i * i);
        fflush(out);
        assert_int_equal(csv_next_row(&csv, row, 2, &failure), CSV_ROW);
        assert_true(row[0] == i && row[1] == i * i);
    }
    fputs("1,2,3\n", out);
    fclose(out);
    double row[3];
    assert_int_equal(csv_next_row(&csv, row, 2, &failure), CSV_FAILED);
    assert_message(&failure, "pipe:7:5: found 3 cells, expected 2 as in line 1");
    assert_int_equal(csv_next_row(&csv, row, 2, &failure), CSV_FAILED);
    csv_close(&csv);
    rewind(in);
    fclose(in);
    arena_free(&arena);
}

static void columns_that_are_not_wanted_hold_anything(void **state) {
    (void)state;
    FILE *file = tmpfile();
    fputs("a,b,c\n1,,x\n2,nan,\n3,4,0x\n", file);
    rewind(file);
    jmp_buf out_of_memory;
    struct arena arena = {NULL, &out_of_memory};
    struct failure failure = {0};
    struct csv csv;
    const bool wanted[] = {true, false, false};
    assert_int_equal(setjmp(out_of_memory), 0);
    assert_true(csv_open_file(&csv, &arena, file, "t", NULL, &failure));
    csv_select(&csv, wanted);
    double row[3] = {0, -1, -2};
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(csv_next_row(&csv, row, 3, &failure), CSV_ROW);
        assert_true(row[0] == i && row[1] == -1 && row[2] == -2);
    }
    assert_int_equal(csv_next_row(&csv, row, 3, &failure), CSV_END);
    csv_close(&csv);
    fclose(file);
    arena_free(&arena);
}

static void a_stream_needs_no_more_memory(void **state) {
    (void)state;
    FILE *file = tmpfile();
    enum { ROWS = 200000 };
    for (int i = 0; i < ROWS; i++)
        fprintf(file, "%d,%d,%s\n", i, -i, i % 3 ? "yes" : "no");
    rewind(file);
    jmp_buf out_of_memory;
    struct arena arena = {NULL, &out_of_memory};
    struct failure failure = {0};
    struct csv csv;
    double row[3];
    assert_int_equal(setjmp(out_of_memory), 0);
    assert_true(csv_open_file(&csv, &arena, file, "t", NULL, &failure));
    struct arena_block *first = arena.blocks;
    for (int i = 0; i < ROWS; i++) {
        assert_int_equal(csv_next_row(&csv, row, 3, &failure), CSV_ROW);
        assert_true(row[0] == i && row[1] == -i && row[2] == (i % 3 != 0));
    }
    assert_int_equal(csv_next_row(&csv, row, 3, &failure), CSV_END);
    assert_ptr_equal(arena.blocks, first);
    assert_int_equal(csv_labels(&csv, 2).count, 2);
    assert_int_equal(csv_next_row(&csv, row, 2, &failure), CSV_FAILED);
    csv_close(&csv);
    fclose(file);
    arena_free(&arena);
}

#ifdef HAVE_ZLIB
static void gzip_reads_like_plain_text(void **state) {
    (void)state;
    char path[] = "/tmp/nn_csv_test_XXXXXX";
    struct failure failure;
    close(mkstemp(path));
    gzFile file = gzopen(path, "wb");
    for (int i = 0; i < 1000; i++)
        gzprintf(file, "%d,%d\n", i, rand());
    gzclose(file);
    assert_true(read_path(path, &failure));
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(truncate(path, status.st_size / 2), 0);
    assert_false(read_path(path, &failure));
    assert_ptr_equal(strstr(failure.message, path), failure.message);
    assert_string_equal(failure.message + strlen(path),
                        ": the compressed data is damaged: unexpected end of file");
    assert_int_equal(failure.kind, FAILURE_DATA);
    unlink(path);
}
#endif

static const char sample[] = "\xef\xbb\xbf# r\nx;\"y \"\"z\";k\r\n1;2.5e-3;\"a\"\r\n-4;.5;b\n\n\t7 ; 8;a\n";

static void read_anything(const char *bytes, size_t size) {
    struct arena arena;
    struct failure failure;
    struct table table;
    if (read_bytes(&arena, bytes, size, NULL, &table, &failure)) {
        for (size_t i = 0; i < table.rows * table.columns; i++)
            assert_true(isfinite(table.values[i]));
    } else {
        assert_true(strlen(failure.message) > 4 && !strchr(failure.message, '\n'));
        const struct span *at = &failure.span;
        assert_true(!at->source || (at->start <= at->end && at->end <= at->source->length));
    }
    arena_free(&arena);
}

static void every_prefix_is_read_or_refused(void **state) {
    (void)state;
    for (size_t size = 0; size < sizeof sample; size++)
        read_anything(sample, size);
}

static void mutations_are_read_or_refused(void **state) {
    (void)state;
    static const char bytes[] = ",;\t \"\n\r\0#.-e9a\xff\xc3";
    srand(2);
    for (int i = 0; i < 20000; i++) {
        char text[sizeof sample];
        memcpy(text, sample, sizeof sample);
        for (int changes = rand() % 6; changes >= 0; changes--)
            text[rand() % (int)sizeof sample] = bytes[rand() % (int)sizeof bytes];
        read_anything(text, sizeof sample - 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(separators_are_found),
        cmocka_unit_test(numbers_are_rounded_correctly),
        cmocka_unit_test(class_names_become_numbers),
        cmocka_unit_test(a_thousand_class_names),
        cmocka_unit_test(refusals_name_the_place),
        cmocka_unit_test(a_huge_line_is_refused),
        cmocka_unit_test(bad_paths_are_data_errors),
        cmocka_unit_test(rows_stream_through_a_pipe),
        cmocka_unit_test(columns_that_are_not_wanted_hold_anything),
        cmocka_unit_test(a_stream_needs_no_more_memory),
#ifdef HAVE_ZLIB
        cmocka_unit_test(gzip_reads_like_plain_text),
#endif
        cmocka_unit_test(every_prefix_is_read_or_refused),
        cmocka_unit_test(mutations_are_read_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
