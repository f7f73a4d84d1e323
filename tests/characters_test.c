/* Plain text as numbers: names of characters, places in messages, and bytes that are no text. */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/characters.h"

#include <stdlib.h>
#include <string.h>

#define TEXT(text) (text), sizeof(text) - 1

struct reading {
    struct arena arena;
    jmp_buf out_of_memory;
    struct characters characters;
    struct failure failure;
};

static bool read_bytes(struct reading *reading, const char *bytes, size_t size,
                       const struct table_labels *known) {
    memset(reading, 0, sizeof *reading);
    reading->arena.out_of_memory = &reading->out_of_memory;
    if (setjmp(reading->out_of_memory))
        fail_msg("out of memory");
    FILE *file = tmpfile();
    assert_non_null(file);
    fwrite(bytes, 1, size, file);
    rewind(file);
    bool good = characters_read_file(&reading->arena, file, "t", known, "w.safetensors", &reading->characters,
                                     &reading->failure);
    fclose(file);
    assert_true(good == (reading->failure.kind == FAILURE_NONE));
    return good;
}

static void assert_refused(const char *bytes, size_t size, const struct table_labels *known,
                           const char *message) {
    struct reading reading;
    assert_false(read_bytes(&reading, bytes, size, known));
    assert_string_equal(reading.failure.message, message);
    assert_int_equal(reading.failure.kind, FAILURE_DATA);
    arena_free(&reading.arena);
}

static void characters_are_numbered_as_they_appear(void **state) {
    (void)state;
    static const char *const names[] = {"b",    "a",    "\\n", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x99\x82",
                                        "\\\\", "\\x01"};
    static const int32_t ids[] = {0, 1, 0, 2, 3, 4, 5, 6, 7, 0};
    struct reading reading;
    assert_true(read_bytes(&reading,
                           TEXT("\xef\xbb\xbf"
                                "bab\n\xc3\xa4\xe2\x82\xac\xf0\x9f\x99\x82\\\x01"
                                "b"),
                           NULL));
    assert_int_equal(reading.characters.count, 10);
    assert_memory_equal(reading.characters.ids, ids, sizeof ids);
    assert_int_equal(reading.characters.labels.count, 8);
    for (int i = 0; i < 8; i++)
        assert_string_equal(reading.characters.labels.names[i], names[i]);
    arena_free(&reading.arena);
}

static void names_go_back_to_characters(void **state) {
    (void)state;
    static const char text[] = "b\n\t\r\\\x01\x7f\xc3\xa4\xe2\x82\xac\xf0\x9f\x99\x82";
    struct reading reading;
    char found[sizeof text];
    assert_true(read_bytes(&reading, TEXT(text), NULL));
    FILE *file = tmpfile();
    for (size_t i = 0; i < reading.characters.count; i++)
        characters_print(reading.characters.labels.names[reading.characters.ids[i]], file);
    rewind(file);
    assert_int_equal(fread(found, 1, sizeof found, file), sizeof text - 1);
    assert_memory_equal(found, text, sizeof text - 1);
    fclose(file);
    const char *at = text;
    for (size_t i = 0; i < reading.characters.count; i++)
        assert_int_equal(characters_number(&reading.characters.labels, &at), reading.characters.ids[i]);
    assert_int_equal(*at, '\0');
    at = "z";
    assert_int_equal(characters_number(&reading.characters.labels, &at), -1);
    at = "\xff";
    assert_int_equal(characters_number(&reading.characters.labels, &at), -1);
    arena_free(&reading.arena);
}

static void known_characters_keep_their_numbers(void **state) {
    (void)state;
    char *names[] = {"c", "b", "\\n"};
    const struct table_labels known = {names, 3};
    static const int32_t ids[] = {1, 2, 0};
    struct reading reading;
    assert_true(read_bytes(&reading, TEXT("b\nc"), &known));
    assert_memory_equal(reading.characters.ids, ids, sizeof ids);
    arena_free(&reading.arena);
    assert_refused(TEXT("b\ncz"), &known,
                   "t:2:2: found the character 'z', expected one of the 3 characters of w.safetensors");
}

static void what_is_no_text_is_refused(void **state) {
    (void)state;
    assert_refused(TEXT("a\nb\xff"), NULL, "t:2:2: found byte 0xff, expected text in UTF-8");
    assert_refused(TEXT("\xc0\x80"), NULL, "t:1:1: found byte 0xc0, expected text in UTF-8");
    assert_refused(TEXT("\xed\xa0\x80"), NULL, "t:1:1: found byte 0xed, expected text in UTF-8");
    assert_refused(TEXT("\xf4\x90\x80\x80"), NULL, "t:1:1: found byte 0xf4, expected text in UTF-8");
    assert_refused(TEXT("\xe2\x82"), NULL, "t:1:1: found byte 0xe2, expected text in UTF-8");
    assert_refused(TEXT("ab\0"), NULL, "t:1:3: found a NUL byte, expected text");
    assert_refused(TEXT("\x1f\x8b\x08\0"), NULL,
                   "t:1:1: found a file compressed with gzip, expected text (this program was built without "
                   "zlib)");
}

static void random_bytes_are_read_or_refused(void **state) {
    (void)state;
    srand(1);
    for (int i = 0; i < 300; i++) {
        char bytes[40];
        struct reading reading;
        for (size_t k = 0; k < sizeof bytes; k++)
            bytes[k] = (char)(rand() % 3 ? 32 + rand() % 90 : rand());
        if (read_bytes(&reading, bytes, (size_t)(rand() % 40), NULL))
            for (size_t k = 0; k < reading.characters.count; k++)
                assert_in_range(reading.characters.ids[k], 0, reading.characters.labels.count - 1);
        arena_free(&reading.arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_are_numbered_as_they_appear),
        cmocka_unit_test(names_go_back_to_characters),
        cmocka_unit_test(known_characters_keep_their_numbers),
        cmocka_unit_test(what_is_no_text_is_refused),
        cmocka_unit_test(random_bytes_are_read_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
