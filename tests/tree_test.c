/* The lexer, the parser and what they say; the text and diagnostics below them.
 *
 * A case is a text and what must come of it: the tree of one statement on one line, or the first error's
 * place and message.  How whole messages look is told by tests/syntax.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/utf8.h"
#include "tree/tree.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct parsed {
    struct arena arena;
    jmp_buf out_of_memory;
    struct source source;
    struct diagnostics sink;
    struct statement *statements;
    char *copy; /* on the heap, so that a sanitiser sees a read beyond the end */
};

static void parse_bytes(struct parsed *parsed, const char *text, size_t length) {
    memset(parsed, 0, sizeof *parsed);
    parsed->arena.out_of_memory = &parsed->out_of_memory;
    if (setjmp(parsed->out_of_memory))
        fail_msg("out of memory");
    parsed->copy = malloc(length + 1);
    memcpy(parsed->copy, text, length);
    parsed->copy[length] = '\0';
    parsed->source = (struct source){.name = "test.nn", .text = parsed->copy, .length = length};
    parsed->sink.arena = &parsed->arena;
    parsed->statements = tree_parse(&parsed->source, &parsed->arena, &parsed->sink);
}

static void parse(struct parsed *parsed, const char *text) {
    parse_bytes(parsed, text, strlen(text));
}

static void drop(struct parsed *parsed) {
    arena_free(&parsed->arena);
    free(parsed->copy);
}

static const char *messages(struct parsed *parsed) {
    struct text text = {.arena = &parsed->arena};
    diagnostics_print(&parsed->sink, &text);
    return text_string(&text);
}

/* ---- expressions: how operators bind ---- */

static void show(struct text *out, const struct expression *expression);

static void show_arguments(struct text *out, const struct argument *arguments) {
    for (const struct argument *argument = arguments; argument; argument = argument->next) {
        text_print(out, " ");
        if (argument->name.text)
            text_print(out, "%s=", argument->name.text);
        show(out, argument->value);
    }
}

static void show_subscripts(struct text *out, const struct subscript *subscripts) {
    for (const struct subscript *subscript = subscripts; subscript; subscript = subscript->next) {
        text_print(out, subscript->is_ellipsis ? " ..." : " ");
        if (subscript->first)
            show(out, subscript->first);
        if (!subscript->is_range)
            continue;
        text_print(out, ":");
        if (subscript->last)
            show(out, subscript->last);
        text_print(out, ":");
        if (subscript->step)
            show(out, subscript->step);
    }
}

/* As one line of prefix notation: (+ a (* b c)). */
static void show(struct text *out, const struct expression *expression) {
    static const char *const signs[] = {"+", "-", "*", "/", "**", "@", "==", "!=", "<", "<=", ">", ">="};
    static const char *const kinds[] = {
        [EXPRESSION_NEGATE] = "neg",  [EXPRESSION_PIPE] = "->",   [EXPRESSION_CALL] = "call",
        [EXPRESSION_INDEX] = "index", [EXPRESSION_LIST] = "list", [EXPRESSION_BINARY] = ""};
    if (expression->kind == EXPRESSION_NUMBER) {
        text_print(out, "%s", text_number(out->arena, expression->number, false));
    } else if (expression->kind == EXPRESSION_NAME) {
        text_print(out, "%s", expression->string);
    } else if (expression->kind == EXPRESSION_STRING) {
        text_print(out, "'");
        text_bytes(out, expression->string, expression->string_length);
        text_print(out, "'");
    } else {
        text_print(out, "(%s",
                   expression->kind == EXPRESSION_BINARY ? signs[expression->code] : kinds[expression->kind]);
        for (int i = 0; i < 2; i++) {
            const struct expression *operand = i ? expression->right : expression->left;
            if (operand) {
                text_print(out, " ");
                show(out, operand);
            }
        }
        show_arguments(out, expression->arguments);
        show_subscripts(out, expression->subscripts);
        text_print(out, ")");
    }
}

static void test_expressions(void **state) {
    (void)state;
    static const struct {
        const char *text, *tree;
    } cases[] = {
        {"1", "1"},
        {"1.5", "1.5"},
        {".5", "0.5"},
        {"1.", "1"},
        {"1e-3", "0.001"},
        {"12E+3", "12000"},
        {"\"a\\n\\t\\\"\\\\b\"", "'a\n\t\"\\b'"},
        {"a + b * c", "(+ a (* b c))"},
        {"a - b - c", "(- (- a b) c)"},
        {"a * b / c @ d", "(@ (/ (* a b) c) d)"},
        {"-x ** 2", "(neg (** x 2))"},
        {"2 ** -1", "(** 2 (neg 1))"},
        {"2 ** -1 ** 3 + 1", "(+ (** 2 (neg (** 1 3))) 1)"},
        {"a ** b ** c", "(** a (** b c))"},
        {"-a * b", "(* (neg a) b)"},
        {"a - -b", "(- a (neg b))"},
        {"a < b + 1", "(< a (+ b 1))"},
        {"a + 1 >= b", "(>= (+ a 1) b)"},
        {"(a == b) != c", "(!= (== a b) c)"},
        {"a <= b", "(<= a b)"},
        {"a > b", "(> a b)"},
        {"(a + b) * c", "(* (+ a b) c)"},
        {"a + b -> f -> g(1)", "(-> (-> (+ a b) f) (call g 1))"},
        {"f()", "(call f)"},
        {"f(a, k = 1 + 2,)", "(call f a k=(+ 1 2))"},
        {"f(g(a), weight = weight)", "(call f (call g a) weight=weight)"},
        {"x[0]", "(index x 0)"},
        {"x[-1]", "(index x (neg 1))"},
        {"x[1:3]", "(index x 1:3:)"},
        {"x[:, 0]", "(index x :: 0)"},
        {"x[..., 2]", "(index x ... 2)"},
        {"x[::2]", "(index x ::2)"},
        {"x[a:b:c][:n]", "(index (index x a:b:c) :n:)"},
        {"f(x)[0]", "(index (call f x) 0)"},
        {"[1, 2]", "(list 1 2)"},
        {"(1, 2)", "(list 1 2)"},
        {"(1,)", "(list 1)"},
        {"[]", "(list)"},
        {"(1)", "1"},
        {"f(a,\n  b\n)", "(call f a b)"},
        {"a +\n  b", "(+ a b)"},
        {"a # so\n\n  # far\n  -> f", "(-> a f)"},
        {"\r\n f(\r\n1)", "(call f 1)"},
        {"train + solver + of", "(+ (+ train solver) of)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        snprintf(text, sizeof text, "y = %s", cases[i].text);
        struct parsed parsed;
        parse(&parsed, text);
        assert_string_equal(messages(&parsed), "");
        struct text shown = {.arena = &parsed.arena};
        show(&shown, parsed.statements->value);
        assert_string_equal(text_string(&shown), cases[i].tree);
        assert_null(parsed.statements->next);
        drop(&parsed);
    }
}

/* ---- statements ---- */

static void test_statement_kinds(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum statement_kind kind;
    } cases[] = {
        {"param n = 3", STATEMENT_PARAM},
        {"data train = f(1)", STATEMENT_DATA},
        {"use \"a.nn\"", STATEMENT_USE},
        {"layer f(x) { return x }", STATEMENT_LAYER},
        {"layer f(x : [..., n], t : class of 3 = 1)\n{\n return x\n}", STATEMENT_LAYER},
        {"initialiser f() { return 0 }", STATEMENT_INITIALISER},
        {"solver s(rate) { weight = weight - rate }", STATEMENT_SOLVER},
        {"model m { }", STATEMENT_MODEL},
        {"train {\n}", STATEMENT_TRAIN},
        {"input x : f64[batch, 2]", STATEMENT_INPUT},
        {"target t : class[batch] of 3", STATEMENT_TARGET},
        {"weight w : f64[]", STATEMENT_WEIGHT},
        {"weight w : [n] = 0", STATEMENT_WEIGHT},
        {"state v = 0", STATEMENT_STATE},
        {"h = 1", STATEMENT_VALUE},
        {"weight = 1", STATEMENT_VALUE},
        {"solver = sgd", STATEMENT_VALUE},
        {"train = 1", STATEMENT_VALUE},
        {"output y", STATEMENT_OUTPUT},
        {"output y = 1", STATEMENT_OUTPUT},
        {"loss l", STATEMENT_LOSS},
        {"metric accuracy = accuracy(y)", STATEMENT_METRIC},
        {"return 1", STATEMENT_RETURN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct parsed parsed;
        parse(&parsed, cases[i].text);
        assert_string_equal(messages(&parsed), "");
        assert_non_null(parsed.statements);
        assert_int_equal(parsed.statements->kind, cases[i].kind);
        assert_int_equal(parsed.statements->span.start, 0);
        assert_int_equal(parsed.statements->span.end, strlen(cases[i].text));
        drop(&parsed);
    }
}

static void test_types(void **state) {
    (void)state;
    struct parsed parsed;
    parse(&parsed, "target t : logits[..., 2 * n] of k + 1");
    assert_string_equal(messages(&parsed), "");
    const struct type_expression *type = parsed.statements->type;
    assert_string_equal(type->element.text, "logits");
    assert_true(type->has_dimensions && type->dimensions->is_ellipsis);
    assert_int_equal(type->dimensions->next->size->kind, EXPRESSION_BINARY);
    assert_null(type->dimensions->next->next);
    assert_int_equal(type->classes->kind, EXPRESSION_BINARY);
    drop(&parsed);
}

/* ---- errors ---- */

static void test_errors(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int line, column;
        const char *message;
    } cases[] = {
        {"y = f(x 3)", 1, 9, "expected ',' or ')' before '3'"},
        {"y = f(x", 1, 8, "expected ',' or ')'; found end of line"},
        {"y = f(x\nz = 3", 1, 8, "expected ',' or ')'; found end of line"},
        {"y = f(x\noutput z", 1, 8, "expected ',' or ')'; found end of line"},
        {"y = [1, 2", 1, 10, "expected ',' or ']'; found end of line"},
        {"y = f(x]", 1, 8, "expected ',' or ')' before ']'"},
        {"y = a b", 1, 7, "expected an operator or end of line before 'b'"},
        {"y = ", 1, 4, "expected an expression; found end of line"},
        {"y = +\nz = 1", 1, 5, "expected an expression before '+'"},
        {"y = a -> 3", 1, 10, "expected the name of a layer or function before '3'"},
        {"y = a -> f * 2", 1, 12, "expected '->' or end of line before '*'"},
        {"y = a = b", 1, 7, "expected an operator or end of line before '='"},
        {"y = a == b == c", 1, 12, "comparisons cannot be chained: 'a < b < c' has no meaning here"},
        {"y = f(a = 1, b)", 1, 14, "an argument without a name stands after one with a name"},
        {"y : f64", 1, 3, "expected '=' before ':'"},
        {"input x = f64", 1, 9, "expected ':' before '='"},
        {"input x :", 1, 10, "expected a type; found end of line"},
        {"input x : f64[..., n] n", 1, 23, "expected end of line before 'n'"},
        {"weight w : f64[n, ...]", 1, 19, "'...' stands for the leading axes: it comes first or not at all"},
        {"param input = 3", 1, 7, "'input' is a reserved word; choose another name"},
        {"y = f(loss)", 1, 7, "'loss' is a reserved word; choose another name"},
        {"input = 3", 1, 1, "'input' is a reserved word; choose another name"},
        {"modell m {\n}", 1, 1, "there is no 'modell' statement; did you mean 'model'?"},
        {"def f(x) {\n}", 1, 1, "there is no 'def' statement"},
        {"f(x)", 1, 1, "the value of 'f' is not used"},
        {"3", 1, 1, "expected a statement before '3'"},
        {"}", 1, 1, "there is no open '{' for this '}'"},
        {"model m\n", 1, 8, "expected '{'; found end of line"},
        {"model m {\n x = 1\n", 2, 7, "expected '}'; found the end of the file"},
        {"model m {\n x = 1\nparam n = 3\n", 3, 1, "expected '}' before 'param'"},
        {"model m {\n layer f(x) {\n return x\n }\n}", 2, 2,
         "a 'layer' cannot stand inside a block; define it at the top of the file"},
        {"use file", 1, 5, "expected a string in double quotes before 'file'"},
        {"y = \"abc", 1, 5, "the string is not closed: expected '\"' before the end of the line"},
        {"y = \"\\q\"", 1, 6, "unknown escape in a string"},
        {"y = 'a'", 1, 5, "there is no \"'\" in this language"},
        {"y = 2x", 1, 5, "the number 2 runs into 'x'; write '2 * x' for a product"},
        {"y = 1_000", 1, 5, "a number has no '_' in it; write 1000"},
        {"y = 0x10", 1, 5, "numbers are decimal: '0x10' is not one"},
        {"y = 1e999", 1, 5, "the number is too large for f64"},
        {"y = 1e-999", 1, 5, "the number is too small for f64"},
        {"y = 1..2", 1, 5, "'1..2' has more than one decimal point"},
        {"y = f\xEF\xBC\x88x)", 1, 6, "'\xEF\xBC\x88' (U+FF08) is not a plain character; write '('"},
        {"y = \xE3\x81\x82", 1, 5,
         "'\xE3\x81\x82' (U+3042) stands outside of strings and comments; names are made of the letters a-z "
         "and A-Z, "
         "digits and '_'"},
        {"y = a;", 1, 6, "there is no ';' in this language"},
        {"y = a\x01", 1, 6, "control character 0x01"},
        {"# \xFF\n", 1, 3, "malformed UTF-8: byte 0xFF at offset 2"},
        {"\xEF\xBB\xBFy = )", 1, 5, "expected an expression before ')'"},
        {"\r\ny = )\r\n", 2, 5, "expected an expression before ')'"},
        {"\xFF\xFE", 1, 1, "the file is UTF-16; save it as UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct parsed parsed;
        parse(&parsed, cases[i].text);
        assert_int_equal(parsed.sink.error_count, 1); /* and no cascade */
        assert_string_equal(parsed.sink.first->message, cases[i].message);
        struct position position = source_position(&parsed.source, parsed.sink.first->span.start);
        assert_int_equal(position.line, cases[i].line);
        assert_int_equal(position.column, cases[i].column);
        source_find_lines(&parsed.source, &parsed.arena); /* the table says what the walk says */
        struct position found = source_position(&parsed.source, parsed.sink.first->span.start);
        assert_memory_equal(&found, &position, sizeof position);
        drop(&parsed);
    }
}

static void test_nul_bytes(void **state) {
    (void)state;
    struct parsed parsed;
    parse_bytes(&parsed, "y = a\0b\nz = 1 # \0\nw = )", 23);
    assert_string_equal(messages(&parsed), "test.nn:1:6: error: NUL byte at offset 5; is this a text file?\n"
                                           "    1 | y = a\\x00b\n"
                                           "      |      ^~~~\n"
                                           "test.nn:3:5: error: expected an expression before ')'\n"
                                           "    3 | w = )\n"
                                           "      |     ^\n");
    drop(&parsed);
}

static char *repeated(const char *before, const char *part, int count, const char *after) {
    size_t length = strlen(part) * (size_t)count;
    char *text = malloc(strlen(before) + length + strlen(after) + 1);
    strcpy(text, before);
    for (char *at = text + strlen(before); count-- > 0; at += strlen(part))
        strcpy(at, part);
    return strcat(text, after);
}

static void test_depth(void **state) {
    (void)state;
    static const struct {
        const char *before, *part;
        int count;
        const char *after;
        const char *message; /* NULL: no error */
    } cases[] = {
        {"y = ", "(", 100000, "", "nested too deeply"},
        {"y = ", "f(", 100000, "", "nested too deeply"},
        {"y = ", "-", 100000, "1", "nested too deeply"},
        {"y = ", "[", 100000, "", "nested too deeply"},
        {"", "model m {", 100000, "", "nested too deeply"},
        {"y = ", "a+", 100000, "a", "nested too deeply: an expression has at most 1000 levels"},
        {"y = ", "a+", 999, "a", NULL},
        {"y = ", "a+", 1000, "a", "nested too deeply: an expression has at most 1000 levels"},
        {"y = ", "-", 1000, "a", "nested too deeply: an expression has at most 1000 levels"},
        {"y = a", "->f", 1000, "", "nested too deeply: an expression has at most 1000 levels"},
        {"y = a", "[0]", 1000, "", "nested too deeply: an expression has at most 1000 levels"},
        {"y = f(", "a,", 10000, "a)", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = repeated(cases[i].before, cases[i].part, cases[i].count, cases[i].after);
        struct parsed parsed;
        parse(&parsed, text);
        assert_int_equal(parsed.sink.error_count, cases[i].message != NULL);
        if (cases[i].message)
            assert_string_equal(parsed.sink.first->message, cases[i].message);
        drop(&parsed);
        free(text);
    }
}

static void test_error_limit(void **state) {
    (void)state;
    char *text = repeated("model m {\n", "y = )\n", 500, "");
    struct parsed parsed;
    parse(&parsed, text);
    assert_int_equal(parsed.sink.error_count, 100);
    assert_string_equal(parsed.sink.last->notes->message, "100 errors: the rest of the file was not read");
    drop(&parsed);
    free(text);
}

static void test_recovery_keeps_the_rest(void **state) {
    (void)state;
    struct parsed parsed;
    parse(&parsed, "param a = 1\nparam b = )\nlayer (x) {\n return )\n}\ntrain {\n x = (\n y = 2\n}\n");
    assert_int_equal(parsed.sink.error_count, 4);
    assert_string_equal(parsed.statements->name.text, "a");
    assert_int_equal(parsed.statements->next->kind, STATEMENT_TRAIN);
    assert_string_equal(parsed.statements->next->body->name.text, "y");
    assert_null(parsed.statements->next->next);
    drop(&parsed);
}

static void test_empty_files(void **state) {
    (void)state;
    static const char *const texts[] = {"", "\n", "# nothing", "\xEF\xBB\xBF", " \t\r\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct parsed parsed;
        parse(&parsed, texts[i]);
        assert_string_equal(messages(&parsed), "");
        assert_null(parsed.statements);
        drop(&parsed);
    }
}

/* ---- diagnostics ---- */

/* How a mark from `start` to `end` of `text` is shown. */
static void assert_shown(const char *text, size_t start, size_t end, const char *expected) {
    struct parsed parsed;
    parse(&parsed, "");
    struct source source = {.name = "t.nn", .text = text, .length = strlen(text)};
    diagnostic_error(&parsed.sink, (struct span){&source, start, end}, "m");
    assert_string_equal(messages(&parsed), expected);
    drop(&parsed);
}

static void test_markers(void **state) {
    (void)state;
    assert_shown("abc def", 4, 7, "t.nn:1:5: error: m\n    1 | abc def\n      |     ^~~\n");
    assert_shown("abc", 3, 3, "t.nn:1:4: error: m\n    1 | abc\n      |    ^\n");
    assert_shown("a\tb", 2, 3, "t.nn:1:3: error: m\n    1 | a   b\n      |     ^\n");
    assert_shown("\xE6\xBC\xA2 = x", 6, 7, "t.nn:1:5: error: m\n    1 | \xE6\xBC\xA2 = x\n      |      ^\n");
    assert_shown("\xE6\xBC\xA2\xE5\xAD\x97", 3, 6,
                 "t.nn:1:2: error: m\n    1 | \xE6\xBC\xA2\xE5\xAD\x97\n      |   ^~\n");
    assert_shown("e\xCC\x81 x", 4, 5, "t.nn:1:4: error: m\n    1 | e\xCC\x81 x\n      |   ^\n");
    assert_shown("\x1B[31m \xFF", 6, 7,
                 "t.nn:1:7: error: m\n    1 | \\x1B[31m \\xFF\n      |          ^~~~\n");
    assert_shown("\xE2\x80\xAE)", 3, 4, "t.nn:1:2: error: m\n    1 | ?)\n      |  ^\n");
    assert_shown("one\ntwo\nthree", 4, 13, "t.nn:2:1: error: m\n    2 | two\n      | ^~~\n");
    assert_shown("one\r\ntwo", 3, 5, "t.nn:1:4: error: m\n    1 | one\n      |    ^\n");
    assert_shown("", 0, 0, "t.nn:1:1: error: m\n    1 | \n      | ^\n");
}

static void test_long_lines_are_cut(void **state) {
    (void)state;
    char *text = repeated("", "\xE6\xBC\xA2x", 20000, "\n");
    struct parsed parsed;
    parse(&parsed, "");
    struct source source = {.name = "t.nn", .text = text, .length = strlen(text)};
    diagnostic_error(&parsed.sink, (struct span){&source, 40000, 80000}, "m");
    const char *shown = messages(&parsed);
    assert_true(strlen(shown) < 600);
    assert_non_null(strstr(shown, "| ..."));
    assert_non_null(strstr(shown, "...\n"));
    drop(&parsed);
    free(text);
}

static void test_order_and_notes(void **state) {
    (void)state;
    struct parsed parsed;
    parse(&parsed, "");
    struct source first = {.name = "a\033.nn", .text = "x\ny", .length = 3},
                  second = {.name = "b.nn", .text = "z", .length = 1};
    struct diagnostic *error = diagnostic_error(&parsed.sink, (struct span){&first, 2, 3}, "two %d", 2);
    diagnostic_note(&parsed.sink, error, (struct span){0}, "a remark");
    diagnostic_note(&parsed.sink, error, (struct span){&second, 0, 1}, "a place");
    diagnostic_warning(&parsed.sink, (struct span){&second, 0, 1}, "other");
    diagnostic_error(&parsed.sink, (struct span){&first, 0, 1}, "one");
    assert_int_equal(parsed.sink.error_count, 2);
    assert_int_equal(parsed.sink.warning_count, 1);
    assert_string_equal(messages(&parsed), "a\\x1B.nn:1:1: error: one\n    1 | x\n      | ^\n"
                                           "a\\x1B.nn:2:1: error: two 2\n    2 | y\n      | ^\n"
                                           "  note: a remark\n"
                                           "b.nn:1:1: note: a place\n    1 | z\n      | ^\n"
                                           "b.nn:1:1: warning: other\n    1 | z\n      | ^\n");
    drop(&parsed);
}

static void test_json(void **state) {
    (void)state;
    struct parsed parsed;
    parse(&parsed, "");
    struct text empty = {.arena = &parsed.arena}, text = {.arena = &parsed.arena};
    diagnostics_print_json(&parsed.sink, &empty);
    assert_string_equal(text_string(&empty), "[]\n");
    struct source source = {.name = "a\"\\\n\xFF.nn", .text = "x\ny", .length = 3};
    struct diagnostic *error = diagnostic_error(&parsed.sink, (struct span){&source, 0, 3}, "m");
    diagnostic_note(&parsed.sink, error, (struct span){0}, "n");
    diagnostics_print_json(&parsed.sink, &text);
    assert_string_equal(
        text_string(&text),
        "[\n  {\"severity\": \"error\", \"file\": \"a\\\"\\\\\\u000A\\uFFFD.nn\", \"line\": 1, \"column\": "
        "1, "
        "\"end_line\": 2, \"end_column\": 2, \"message\": \"m\", \"notes\": [{\"severity\": \"note\", "
        "\"file\": null, \"line\": null, \"column\": null, \"end_line\": null, \"end_column\": null, "
        "\"message\": \"n\", \"notes\": []}]}\n]\n");
    drop(&parsed);
}

/* ---- text ---- */

static void test_numbers(void **state) {
    (void)state;
    static const struct {
        double number;
        bool single;
        const char *text;
    } cases[] = {
        {0, false, "0"},
        {-0.0, false, "-0"},
        {1, false, "1"},
        {10, false, "10"},
        {300, false, "300"},
        {100000, false, "1e+05"},
        {0.1, false, "0.1"},
        {1.0 / 3, false, "0.3333333333333333"},
        {1e-3, false, "0.001"},
        {1e300, false, "1e+300"},
        {5e-324, false, "5e-324"},
        {123456789, false, "123456789"},
        {0.1f, true, "0.1"},
        {16777216, true, "16777216"},
        {1.0f / 3, true, "0.33333334"},
        {NAN, false, "nan"},
        {INFINITY, false, "inf"},
        {-INFINITY, true, "-inf"},
    };
    struct parsed parsed;
    parse(&parsed, "");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(text_number(&parsed.arena, cases[i].number, cases[i].single), cases[i].text);
    uint64_t bits = 1;
    for (int i = 0; i < 2000; i++) {
        bits = bits * 6364136223846793005u + 1442695040888963407u;
        double number;
        memcpy(&number, &bits, sizeof number);
        if (!isnan(number))
            assert_true(strtod(text_number(&parsed.arena, number, false), NULL) == number);
    }
    drop(&parsed);
}

static void test_nearest(void **state) {
    (void)state;
    static const char *const names[] = {"sigmoid", "softmax", "relu", "W1", "xy", "hidden", "b"};
    static const struct {
        const char *name, *nearest;
    } cases[] = {
        {"sigmod", "sigmoid"},
        {"sigmiod", "sigmoid"},
        {"Sigmoid", "sigmoid"},
        {"softmaks", "softmax"},
        {"RELU", "relu"},
        {"rleu", "relu"},
        {"tanh", NULL},
        {"w1", "W1"},
        {"W2", NULL},
        {"yx", "xy"},
        {"a", NULL},
        {"B", "b"},
        {"relu", NULL},
        {"hiden", "hidden"},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *nearest = text_nearest(cases[i].name, names, sizeof names / sizeof *names);
        if (cases[i].nearest == NULL)
            assert_null(nearest);
        else
            assert_string_equal(nearest, cases[i].nearest);
    }
    char *name = repeated("", "x", 10000, "");
    assert_null(text_nearest(name, names, sizeof names / sizeof *names));
    free(name);
}

static void test_text_grows(void **state) {
    (void)state;
    struct parsed parsed;
    parse(&parsed, "");
    struct text text = {.arena = &parsed.arena};
    assert_string_equal(text_string(&text), "");
    for (int i = 0; i < 1000; i++)
        text_print(&text, "%03d", i);
    text_bytes(&text, "a\0b", 3);
    assert_int_equal(text.length, 3003);
    assert_memory_equal(text.bytes + 2997, "999a\0b", 7);
    assert_string_equal(text_format(&parsed.arena, "%s-%d", "x", 3), "x-3");
    drop(&parsed);
}

static void test_utf8(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        uint32_t code;
        size_t size;
    } cases[] = {
        {"a", 'a', 1},
        {"\xC3\xA9", 0xE9, 2},
        {"\xE6\xBC\xA2", 0x6F22, 3},
        {"\xF0\x9F\x98\x80", 0x1F600, 4},
        {"\xC0\x80", UTF8_MALFORMED, 1},
        {"\xE0\x80\x80", UTF8_MALFORMED, 1},
        {"\xED\xA0\x80", UTF8_MALFORMED, 1},
        {"\xF4\x90\x80\x80", UTF8_MALFORMED, 1},
        {"\xE6\xBC", UTF8_MALFORMED, 1},
        {"\x80", UTF8_MALFORMED, 1},
        {"\xFF", UTF8_MALFORMED, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size;
        assert_true(utf8_decode(cases[i].bytes, strlen(cases[i].bytes), &size) == cases[i].code);
        assert_int_equal(size, cases[i].size);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expressions),
        cmocka_unit_test(test_statement_kinds),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_nul_bytes),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_error_limit),
        cmocka_unit_test(test_recovery_keeps_the_rest),
        cmocka_unit_test(test_empty_files),
        cmocka_unit_test(test_markers),
        cmocka_unit_test(test_long_lines_are_cut),
        cmocka_unit_test(test_order_and_notes),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_text_grows),
        cmocka_unit_test(test_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
