/* Text and the arena beneath it: directives against the library's, long texts that move, arenas in arenas. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/text.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void start(struct arena *arena, jmp_buf *out_of_memory) {
    memset(arena, 0, sizeof *arena);
    arena->out_of_memory = out_of_memory;
}

/* The same format by the library; all lengths from one byte to more than a text has room for at first. */
#define CHECK(...)                                                       \
    do {                                                                 \
        char expected[1024];                                             \
        snprintf(expected, sizeof expected, __VA_ARGS__);                \
        assert_string_equal(text_format(&arena, __VA_ARGS__), expected); \
    } while (0)

static void test_directives(void **state) {
    (void)state;
    jmp_buf out_of_memory;
    struct arena arena;
    start(&arena, &out_of_memory);
    if (setjmp(out_of_memory))
        fail_msg("out of memory");
    CHECK("plain");
    CHECK("100 %% of %s", "it");
    CHECK("%d %d %d %d", 0, -1, INT_MAX, INT_MIN);
    CHECK("%lld|%lld|%lld", 0LL, LLONG_MAX, LLONG_MIN);
    CHECK("%s%c%s", "", 'x', "yz");
    CHECK("%s = %.3g, then %d and %s", "a", 0.125, 7, "end"); /* the library has the rest */
    CHECK("%5d|%-4s|%u|%lld", 42, "ab", 3u, -9LL);
    char filler[600];
    for (size_t length = 250; length < 260; length++) {
        memset(filler, 'f', length);
        filler[length] = '\0';
        CHECK("%s", filler);
        CHECK("%s%.1f", filler, 0.5);
    }
    arena_free(&arena);
}

/* A text of some hundred KiB, with other memory taken in between: neither loses anything. */
static void test_long_text(void **state) {
    (void)state;
    jmp_buf out_of_memory;
    struct arena arena;
    start(&arena, &out_of_memory);
    if (setjmp(out_of_memory))
        fail_msg("out of memory");
    struct text text = {.arena = &arena}, head = {.arena = &arena};
    enum { LINES = 40000 };
    char **others = arena_array(&arena, char *, LINES);
    for (int i = 0; i < LINES; i++) {
        text_print(&text, "line %06d\n", i);
        others[i] = text_format(&arena, "%d", i);
    }
    text_print(&head, "head\n");
    text_insert(&text, 0, &head);
    assert_int_equal(text.length, 5 + 12 * LINES);
    assert_int_equal(strlen(text_string(&text)), text.length);
    assert_memory_equal(text.bytes, "head\n", 5);
    for (int i = 0; i < LINES; i++) {
        char line[24];
        snprintf(line, sizeof line, "line %06d\n", i);
        assert_memory_equal(text.bytes + 5 + 12 * i, line, 12);
        assert_int_equal(atoi(others[i]), i);
    }
    arena_free(&arena);
}

static void test_arena_within(void **state) {
    (void)state;
    jmp_buf out_of_memory;
    struct arena arena;
    start(&arena, &out_of_memory);
    if (setjmp(out_of_memory))
        fail_msg("out of memory");
    char *before = arena_copy(&arena, "before", 6);
    struct arena *inner = arena_within(&arena);
    for (int round = 0; round < 3; round++) {
        assert_string_equal(text_format(inner, "round %d", round), round == 0   ? "round 0"
                                                                   : round == 1 ? "round 1"
                                                                                : "round 2");
        arena_free(inner);
    }
    arena_allocate(inner, 1 << 20); /* is freed with the other: leaks are found by tests/sanitize.sh */
    assert_string_equal(before, "before");
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_directives),
        cmocka_unit_test(test_long_text),
        cmocka_unit_test(test_arena_within),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
