/* The lexer: re2c recognises single tokens, plain C around it finds the ends of statements.
 *
 * Spaces, comments and line breaks are passed over before each token.  If a line break was among them, the
 * last token and a look at what follows decide whether the statement ends there.
 */
#include "support/utf8.h"
#include "tree/lexer.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- keywords ---- */

/* Words that begin statements.  They are reserved, but for those that solvers and settings use as names
 * (weight = weight - rate * grad): these are keywords only where a statement begins, and not before '='. */
static const struct keyword {
    const char *text;
    int kind;
    bool is_definition; /* stands at the top of the file, so a block before it must have ended */
    bool is_name_too;
    const char *example;
} keywords[] = {
    /* text          kind             definition name    example */
    {"param",       TOK_PARAM,       true,      false, "param hidden = 10"},
    {"data",        TOK_DATA,        true,      false, "data train = csv(\"train.csv\")"},
    {"use",         TOK_USE,         true,      false, "use \"layers.nn\""},
    {"layer",       TOK_LAYER,       true,      false, "layer block(x, channels) { ... }"},
    {"initialiser", TOK_INITIALISER, true,      false, "initialiser small(scale = 0.1) { ... }"},
    {"solver",      TOK_SOLVER,      true,      true,  "solver descent(rate) { ... }"},
    {"model",       TOK_MODEL,       true,      false, "model name { ... }"},
    {"train",       TOK_TRAIN,       true,      true,  "train { ... }"},
    {"input",       TOK_INPUT,       false,     false, "input x : f64[batch, 2]"},
    {"target",      TOK_TARGET,      false,     false, "target t : class[batch] of 3"},
    {"weight",      TOK_WEIGHT,      false,     true,  "weight W : f64[2, 10] = normal(0, 1)"},
    {"state",       TOK_STATE,       false,     false, "state v = 0"},
    {"output",      TOK_OUTPUT,      false,     false, "output probability = softmax(score)"},
    {"loss",        TOK_LOSS,        false,     false, "loss entropy = cross_entropy(score, t)"},
    {"metric",      TOK_METRIC,      false,     false, "metric right = accuracy(score, t)"},
    {"return",      TOK_RETURN,      false,     false, "return x @ W + b"},
};
enum { KEYWORD_COUNT = sizeof keywords / sizeof *keywords };

const char *lexer_example(int kind) {
    for (int i = 0; i < KEYWORD_COUNT; i++)
        if (keywords[i].kind == kind)
            return keywords[i].example;
    return NULL;
}

const char *lexer_nearest_keyword(const char *name) {
    const char *names[KEYWORD_COUNT];
    for (int i = 0; i < KEYWORD_COUNT; i++)
        names[i] = keywords[i].text;
    return text_nearest(name, names, KEYWORD_COUNT);
}

static bool is_letter(unsigned char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_';
}

static bool is_digit(unsigned char byte) {
    return byte >= '0' && byte <= '9';
}

/* The end of the word at `start`; `start` itself if there is none.  The NUL behind the text stops it. */
static const unsigned char *word_end(const unsigned char *start) {
    if (!is_letter(*start))
        return start;
    while (is_letter(*start) || is_digit(*start))
        start++;
    return start;
}

static const unsigned char *skip_blanks(const unsigned char *at) {
    while (*at == ' ' || *at == '\t')
        at++;
    return at;
}

static bool is_assignment(const unsigned char *at) {
    return at[0] == '=' && at[1] != '=';
}

static const struct keyword *find_keyword(const unsigned char *start, const unsigned char *end) {
    size_t length = (size_t)(end - start);
    for (int i = 0; i < KEYWORD_COUNT; i++)
        if (strlen(keywords[i].text) == length && memcmp(keywords[i].text, start, length) == 0)
            return &keywords[i];
    return NULL;
}

/* The keyword at `start`, where a statement begins or may begin. */
static const struct keyword *keyword_at(const unsigned char *start) {
    const unsigned char *end = word_end(start);
    const struct keyword *keyword = find_keyword(start, end);
    return keyword && keyword->is_name_too && is_assignment(skip_blanks(end)) ? NULL : keyword;
}

/* ---- errors ---- */

struct diagnostic *lexer_error(struct lexer *lexer, struct span span, const char *format, ...) {
    if (lexer->statement_is_bad || lexer->is_stopped)
        return NULL;
    lexer->statement_is_bad = true;
    va_list arguments;
    va_start(arguments, format);
    struct text message = {.arena = lexer->arena};
    text_vprint(&message, format, arguments);
    va_end(arguments);
    struct diagnostic *error = diagnostic_error(lexer->sink, span, "%s", text_string(&message));
    if (++lexer->error_count == LEXER_ERROR_LIMIT) {
        lexer->is_stopped = true;
        diagnostic_note(lexer->sink, error, (struct span){0}, "%d errors: the rest of the file was not read",
                        LEXER_ERROR_LIMIT);
    }
    return error;
}

void lexer_note(struct lexer *lexer, struct diagnostic *to, struct span span, const char *format, ...) {
    if (to == NULL)
        return;
    va_list arguments;
    va_start(arguments, format);
    struct text message = {.arena = lexer->arena};
    text_vprint(&message, format, arguments);
    va_end(arguments);
    diagnostic_note(lexer->sink, to, span, "%s", text_string(&message));
}

static struct span span_of(const struct lexer *lexer, const unsigned char *start, const unsigned char *end) {
    const unsigned char *text = (const unsigned char *)lexer->source->text;
    return (struct span){lexer->source, (size_t)(start - text), (size_t)(end - text)};
}

/* ---- encoding ---- */

/* The first malformed byte and the first NUL: one message each, since a wrong encoding has them all over. */
static void check_encoding(struct lexer *lexer) {
    const struct source *source = lexer->source;
    bool malformed = false, nul = false;
    for (size_t at = 0, size; at < source->length && !(malformed && nul); at += size) {
        uint32_t code = utf8_decode(source->text + at, source->length - at, &size);
        struct span span = {source, at, at + 1};
        lexer->statement_is_bad = false;
        if (code == UTF8_MALFORMED && !malformed) {
            malformed = true;
            struct diagnostic *error = lexer_error(lexer, span, "malformed UTF-8: byte 0x%02X at offset %zu",
                                                   (unsigned char)source->text[at], at);
            lexer_note(lexer, error, (struct span){0}, "save the file as UTF-8");
        } else if (code == 0 && !nul) {
            nul = true;
            lexer_error(lexer, span, "NUL byte at offset %zu; is this a text file?", at);
        }
    }
    lexer->statement_is_bad = false;
}

static bool is_utf16(const struct source *source) {
    return source->length >= 2 &&
           (memcmp(source->text, "\xFF\xFE", 2) == 0 || memcmp(source->text, "\xFE\xFF", 2) == 0);
}

void lexer_start(struct lexer *lexer, const struct source *source, struct arena *arena,
                 struct diagnostics *sink) {
    *lexer = (struct lexer){.source = source, .arena = arena, .sink = sink, .at_line_start = true};
    lexer->cursor = (const unsigned char *)source->text;
    lexer->limit = lexer->cursor + source->length;
    lexer->span.source = source;
    if (is_utf16(source)) {
        lexer_error(lexer, (struct span){source, 0, 2}, "the file is UTF-16; save it as UTF-8");
        lexer->is_stopped = true;
        lexer->cursor = lexer->line_start = lexer->limit;
        return;
    }
    check_encoding(lexer);
    if (source->length >= 3 && memcmp(source->text, "\xEF\xBB\xBF", 3) == 0)
        lexer->cursor += 3;
    lexer->line_start = lexer->cursor;
}

/* ---- brackets and braces ---- */

static void open(struct lexer *lexer, struct openings *openings, struct span span) {
    arena_reserve(lexer->arena, openings->items, openings->count, openings->capacity);
    openings->items[openings->count++] = (struct opening){span, lexer->indent, lexer->kind == TOK_NAME};
}

static struct span innermost(const struct openings *openings) {
    return openings->count ? openings->items[openings->count - 1].span : (struct span){0};
}

static int open_bracket(struct lexer *lexer, const unsigned char *start) {
    open(lexer, &lexer->brackets, span_of(lexer, start, lexer->cursor));
    return *start;
}

static int close_bracket(struct lexer *lexer, const unsigned char *start) {
    if (lexer->brackets.count == 0)
        return *start;
    struct span opening = innermost(&lexer->brackets);
    lexer->brackets.count--;
    if ((lexer->source->text[opening.start] == '(') != (*start == ')'))
        lexer->unclosed = opening;
    return *start;
}

static int open_brace(struct lexer *lexer, const unsigned char *start) {
    lexer->unclosed = innermost(&lexer->brackets);
    lexer->brackets.count = 0;
    open(lexer, &lexer->braces, span_of(lexer, start, lexer->cursor));
    return '{';
}

static int close_brace(struct lexer *lexer) {
    if (lexer->braces.count > 0)
        lexer->braces.count--;
    return '}';
}

/* ---- numbers ---- */

/* A copy of the text from `start` to `end` without any '_'. */
static char *plain_digits(struct lexer *lexer, const unsigned char *start, const unsigned char *end) {
    char *digits = arena_copy(lexer->arena, (const char *)start, (size_t)(end - start)), *to = digits;
    for (const char *from = digits; *from; from++)
        if (*from != '_')
            *to++ = *from;
    *to = '\0';
    return digits;
}

static int read_number(struct lexer *lexer, const unsigned char *start, YYSTYPE *value) {
    const char *digits = plain_digits(lexer, start, lexer->cursor);
    double number = strtod(digits, NULL);
    struct span span = span_of(lexer, start, lexer->cursor);
    const char *wrong = isinf(number) ? "large" : NULL;
    if (number == 0 && strcspn(digits, "123456789") < strcspn(digits, "eE"))
        wrong = "small";
    if (wrong) {
        lexer_error(lexer, span, "the number is too %s for f64", wrong);
        return TOK_YYerror;
    }
    value->TOK_NUMBER = number;
    return TOK_NUMBER;
}

/* A number that runs on into letters, digits or points. */
static int refuse_number(struct lexer *lexer, const unsigned char *start) {
    struct span span = span_of(lexer, start, lexer->cursor);
    const char *text = arena_copy(lexer->arena, (const char *)start, span.end - span.start);
    const char *digits = plain_digits(lexer, start, lexer->cursor);
    size_t whole = strspn(text, "0123456789."), all_digits = strspn(digits, "0123456789.");
    if (text[0] == '0' && text[1] && strchr("xXbBoO", text[1]))
        lexer_error(lexer, span, "numbers are decimal: '%s' is not one", text);
    else if (strchr(text, '.') != strrchr(text, '.'))
        lexer_error(lexer, span, "'%s' has more than one decimal point", text);
    else if (strchr(text, '_') && digits[all_digits] == '\0')
        lexer_error(lexer, span, "a number has no '_' in it; write %s", digits);
    else if ((text[whole] == 'e' || text[whole] == 'E') && text[whole + 1] == '\0')
        lexer_error(lexer, span, "the exponent of '%s' has no digits", text);
    else if ((text[whole] == 'f' || text[whole] == 'F') && text[whole + 1] == '\0')
        lexer_error(lexer, span, "a number has no suffix; write %.*s", (int)whole, text);
    else if (text[whole] != 'e' && text[whole] != 'E')
        lexer_error(lexer, span, "the number %.*s runs into '%s'; write '%.*s * %s' for a product",
                    (int)whole, text, text + whole, (int)whole, text, text + whole);
    else
        lexer_error(lexer, span, "'%s' is not a number", text);
    return TOK_YYerror;
}

/* ---- strings ---- */

static char unescape(unsigned char letter) {
    switch (letter) {
    case 'n':
        return '\n';
    case 't':
        return '\t';
    case '"':
    case '\\':
        return (char)letter;
    default:
        return '\0';
    }
}

static int unclosed_string(struct lexer *lexer, const unsigned char *start) {
    lexer_error(lexer, span_of(lexer, start, lexer->cursor),
                "the string is not closed: expected '\"' before the end of the line");
    lexer->brackets.count = 0; /* their ends may well stand in what was taken for the string */
    return TOK_YYerror;
}

/* The cursor stands behind the opening quote. */
static int read_string(struct lexer *lexer, const unsigned char *start, YYSTYPE *value) {
    struct text text = {.arena = lexer->arena};
    text_bytes(&text, "", 0);
    for (;;) {
        unsigned char byte = *lexer->cursor;
        if (lexer->cursor == lexer->limit || byte == '\n' || byte == '\r')
            return unclosed_string(lexer, start);
        lexer->cursor++;
        if (byte == '"')
            break;
        char letter = (char)byte;
        if (byte == '\\' && lexer->cursor < lexer->limit && *lexer->cursor >= ' ') {
            letter = unescape(*lexer->cursor++);
            if (letter == '\0') {
                struct diagnostic *error = lexer_error(
                    lexer, span_of(lexer, lexer->cursor - 2, lexer->cursor), "unknown escape in a string");
                lexer_note(lexer, error, (struct span){0},
                           "the escapes are \\\" \\\\ \\n \\t; in a path, write '/' or '\\\\'");
            }
        }
        text_bytes(&text, &letter, 1);
    }
    value->TOK_STRING = (struct string_value){text.bytes, text.length};
    return lexer->statement_is_bad ? TOK_YYerror : TOK_STRING;
}

/* ---- what has no place in the language ---- */

/* The name of a file without quotes, of which the point at `start` is a part: "data/fruit.csv"; or NULL. */
static const char *bare_file(struct lexer *lexer, const unsigned char *start) {
    static const char *const endings[] = {"csv", "tsv", "txt", "gz", "npy", "safetensors", "nn"};
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-/";
    const unsigned char *from = start, *text = (const unsigned char *)lexer->source->text;
    while (from > text && strchr(letters, from[-1]) && from[-1])
        from--;
    size_t ending = strspn((const char *)start + 1, letters);
    for (size_t i = 0; from < start && i < sizeof endings / sizeof *endings; i++)
        if (strlen(endings[i]) == ending && memcmp(endings[i], start + 1, ending) == 0)
            return arena_copy(lexer->arena, (const char *)from, (size_t)(start - from) + 1 + ending);
    return NULL;
}

/* Signs of other languages. */
static int refuse_sign(struct lexer *lexer, const unsigned char *start) {
    static const struct {
        const char *sign, *advice;
    } signs[] = {
        {"//", "a comment begins with '#'"},
        {"/*", "a comment begins with '#'"},
        {"^", "a power is written 'x ** 2'"},
        {";", "a statement ends with its line"},
        {"'", "a string stands in double quotes: \"...\""},
        {"`", "a string stands in double quotes: \"...\""},
        {"=>", "the signs are '>=' to compare and '->' to pass on"},
        {"=<", "write '<='"},
        {"<>", "write '!='"},
        {"|>", "a value is passed on with '->'"},
        {":=", "write '='"},
        {"+=", "a name has one value; write 'name = old + new' with a new name"},
        {"-=", "a name has one value; write 'name = old - new' with a new name"},
        {"*=", "a name has one value; write 'name = old * new' with a new name"},
        {"/=", "a name has one value; write 'name = old / new' with a new name"},
        {".", "a function of x is called 'f(x)'; a number is written 0.5"},
        {"%", LEXER_REMAINDER},
        {"?", LEXER_NO_BRANCHES},
        {"&", LEXER_AND},
        {"|", LEXER_OR},
        {"!", LEXER_NOT},
        {"~", LEXER_NOT},
        {"$", "a param is used by its name alone"},
    };
    struct span span = span_of(lexer, start, lexer->cursor);
    size_t length = span.end - span.start;
    const char *quote = *start == '\'' ? "\"" : "'";
    struct diagnostic *error = lexer_error(lexer, span, "there is no %s%.*s%s in this language", quote,
                                           (int)length, (const char *)start, quote);
    const char *file = *start == '.' ? bare_file(lexer, start) : NULL;
    if (file) {
        lexer_note(lexer, error, (struct span){0}, "the name of a file stands in quotes: \"%s\"", file);
        return TOK_YYerror;
    }
    if (*start == ';' && lexer->brackets.count > 0) {
        lexer_note(lexer, error, (struct span){0}, "arguments are separated by ','");
        return TOK_YYerror;
    }
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (strlen(signs[i].sign) == length && memcmp(signs[i].sign, start, length) == 0)
            lexer_note(lexer, error, (struct span){0}, "%s", signs[i].advice);
    return TOK_YYerror;
}

/* The plain form of a character that looks like one, or NULL. */
static const char *plain_form(struct lexer *lexer, uint32_t code) {
    static const struct {
        uint32_t code;
        const char *plain;
    } forms[] = {
        {0x3000, " "},  {0xA0, " "},    {0x2212, "-"},  {0x2013, "-"},  {0x2014, "-"},   {0xD7, "*"},
        {0xB7, "*"},    {0x22C5, "*"},  {0xF7, "/"},    {0x2264, "<="}, {0x2265, ">="},  {0x2260, "!="},
        {0x2192, "->"}, {0x21D2, "->"}, {0x201C, "\""}, {0x201D, "\""}, {0x2018, "\""},  {0x2019, "\""},
        {0x300C, "\""}, {0x300D, "\""}, {0x3001, ","},  {0x3002, "."},  {0x2026, "..."}, {0x30FC, "-"},
        {0x3010, "["},  {0x3011, "]"},  {0x301C, "~"},
    };
    if (code >= 0xFF01 && code <= 0xFF5E) {
        char plain = (char)(code - 0xFEE0);
        return arena_copy(lexer->arena, &plain, 1);
    }
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (forms[i].code == code)
            return forms[i].plain;
    return NULL;
}

/* Characters outside of ASCII that belong to one word are marked together. */
static const unsigned char *foreign_word_end(struct lexer *lexer, const unsigned char *start) {
    while (start < lexer->limit && (*start >= 0x80 || is_letter(*start) || is_digit(*start))) {
        size_t size;
        uint32_t code = utf8_decode((const char *)start, (size_t)(lexer->limit - start), &size);
        if (code == UTF8_MALFORMED || plain_form(lexer, code))
            break;
        start += size;
    }
    return start;
}

static void refuse_look_alike(struct lexer *lexer, struct span span, uint32_t code, const char *plain) {
    const char *found = arena_copy(lexer->arena, lexer->source->text + span.start, span.end - span.start);
    if (plain[0] == '{' && !lexer->statement_is_bad)
        lexer->missing_braces++; /* its '}' may well be a plain one, and no second mistake */
    if (plain[0] == ' ')
        lexer_error(lexer, span, "this is not a plain space but U+%04X; write ' '", (unsigned)code);
    else
        lexer_error(lexer, span, "'%s' (U+%04X) is not a plain character; write '%s'", found, (unsigned)code,
                    plain);
}

static int refuse_character(struct lexer *lexer, const unsigned char *start) {
    size_t size;
    uint32_t code = utf8_decode((const char *)start, (size_t)(lexer->limit - start), &size);
    struct span span = span_of(lexer, start, start + size);
    if (code == UTF8_MALFORMED || code == 0)
        lexer->statement_is_bad = true; /* reported when the lexer started */
    else if (code < 0x20 || code == 0x7F)
        lexer_error(lexer, span, "control character 0x%02X", (unsigned)code);
    else if (code < 0x80)
        return refuse_sign(lexer, start);
    else if (plain_form(lexer, code))
        refuse_look_alike(lexer, span, code, plain_form(lexer, code));
    else
        lexer_error(
            lexer, span_of(lexer, start, foreign_word_end(lexer, start)),
            "'%.*s' (U+%04X) stands outside of strings and comments; names are made of the letters a-z and "
            "A-Z, digits and '_'",
            (int)size, (const char *)start, (unsigned)code);
    return TOK_YYerror;
}

/* ---- tokens ---- */

static int read_word(struct lexer *lexer, const unsigned char *start, YYSTYPE *value) {
    const struct keyword *keyword = find_keyword(start, lexer->cursor);
    value->TOK_NAME = arena_copy(lexer->arena, (const char *)start, (size_t)(lexer->cursor - start));
    if (keyword && keyword->is_name_too)
        keyword = lexer->token_count == 0 ? keyword_at(start) : NULL;
    return keyword ? keyword->kind : strcmp(value->TOK_NAME, "of") == 0 ? TOK_OF : TOK_NAME;
}

static int scan(struct lexer *lexer, YYSTYPE *value) {
    const unsigned char *start = lexer->cursor;
    /*!re2c
        re2c:eof = 0;
        re2c:yyfill:enable = 0;
        re2c:flags:utf-8 = 1;
        re2c:yych:conversion = 1;
        re2c:define:YYCTYPE = "unsigned char";
        re2c:define:YYCURSOR = lexer->cursor;
        re2c:define:YYMARKER = lexer->marker;
        re2c:define:YYLIMIT = lexer->limit;

        digits   = [0-9]+;
        exponent = [eE] [+-]? digits;
        number   = (digits ("." digits?)? | "." digits) exponent?;

        number                                              { return read_number(lexer, start, value); }
        number [A-Za-z0-9_.]+                               { return refuse_number(lexer, start); }
        [A-Za-z_] [A-Za-z0-9_]*                             { return read_word(lexer, start, value); }
        ["]                                                 { return read_string(lexer, start, value); }

        "->"                                                { return TOK_ARROW; }
        "**"                                                { return TOK_POWER; }
        "=="                                                { return TOK_EQUAL; }
        "!="                                                { return TOK_NOT_EQUAL; }
        "<="                                                { return TOK_LESS_EQUAL; }
        ">="                                                { return TOK_GREATER_EQUAL; }
        "..."                                               { return TOK_ELLIPSIS; }
        [-+*/@<>=,:]                                        { return *start; }
        [([]                                                { return open_bracket(lexer, start); }
        [)\]]                                               { return close_bracket(lexer, start); }
        "{"                                                 { return open_brace(lexer, start); }
        "}"                                                 { return close_brace(lexer); }

        "//" | "/*" | "=>" | "=<" | "<>" | "|>" | ":=" | [-+*/] "="
                                                            { return refuse_sign(lexer, start); }
        [^]                                                 { return refuse_character(lexer, start); }
        *                                                   { return refuse_character(lexer, start); }
        $                                                   { return TOK_YYEOF; }
    */
}

/* ---- lines and statements ---- */

static void skip_space(struct lexer *lexer) {
    for (;; lexer->cursor++) {
        switch (*lexer->cursor) {
        case ' ':
        case '\t':
            break;
        case '\r':
            if (lexer->cursor[1] != '\n')
                return;
            break;
        case '\n':
            lexer->line_start = lexer->cursor + 1;
            lexer->at_line_start = true;
            break;
        case '#':
            while (lexer->cursor + 1 < lexer->limit && lexer->cursor[1] != '\n')
                lexer->cursor++;
            break;
        default:
            return;
        }
    }
}

static bool is_operator(int kind) {
    switch (kind) {
    case '+':
    case '-':
    case '*':
    case '/':
    case '@':
    case '<':
    case '>':
    case '=':
    case ',':
    case TOK_ARROW:
    case TOK_POWER:
    case TOK_EQUAL:
    case TOK_NOT_EQUAL:
    case TOK_LESS_EQUAL:
    case TOK_GREATER_EQUAL:
        return true;
    default:
        return false;
    }
}

/* Whether the line at the cursor can only be a new statement, though the one before it is unfinished.  In
 * a call, `name =` behind a comma is an argument. */
static bool begins_statement(const struct lexer *lexer) {
    const unsigned char *end = word_end(lexer->cursor), *next = skip_blanks(end);
    const struct keyword *keyword = keyword_at(lexer->cursor);
    if (keyword)
        return !keyword->is_name_too || is_letter(*next) || *next == '{' || *next == ':';
    if (end == lexer->cursor || !is_assignment(next))
        return false;
    bool may_be_argument = lexer->brackets.count > 0 &&
                           lexer->brackets.items[lexer->brackets.count - 1].is_call &&
                           (lexer->kind == ',' || lexer->kind == '(');
    return !may_be_argument;
}

/* Whether the statement that the last token belongs to is over. */
static bool ends_statement(const struct lexer *lexer) {
    const unsigned char *at = lexer->cursor;
    if (at == lexer->limit || *at == '}')
        return true;
    if (!lexer->at_line_start)
        return false;
    if (lexer->brackets.count > 0)
        return begins_statement(lexer);
    if (*at == '{' || (at[0] == '-' && at[1] == '>'))
        return false;
    return !is_operator(lexer->kind) || begins_statement(lexer);
}

static bool is_between_statements(const struct lexer *lexer) {
    return lexer->kind == 0 || lexer->kind == TOK_NEWLINE || lexer->kind == '{';
}

static void begin_statement(struct lexer *lexer) {
    lexer->token_count = 0;
    lexer->first = (struct name){0};
    lexer->first_kind = 0;
    lexer->third_kind = 0;
    lexer->unclosed = (struct span){0};
    lexer->statement_is_bad = false;
}

static int give(struct lexer *lexer, int kind, struct span place, struct span *span) {
    lexer->kind_before = lexer->kind;
    lexer->kind = kind;
    lexer->token_count++;
    lexer->span_before = lexer->span;
    lexer->span = *span = place;
    if (lexer->token_count == 3)
        lexer->third = place, lexer->third_kind = kind;
    return kind;
}

/* An empty span behind the last token. */
static struct span behind(const struct lexer *lexer) {
    return (struct span){lexer->source, lexer->span.end, lexer->span.end};
}

static int end_statement(struct lexer *lexer, struct span *span) {
    if (lexer->brackets.count > 0)
        lexer->unclosed = innermost(&lexer->brackets);
    lexer->brackets.count = 0;
    return give(lexer, TOK_NEWLINE, behind(lexer), span);
}

/* Whether a definition begins at the cursor that stands no deeper than the statement of the open brace. */
static bool is_brace_missing(const struct lexer *lexer) {
    const struct keyword *keyword = lexer->braces.count ? keyword_at(lexer->cursor) : NULL;
    return keyword && keyword->is_definition && lexer->at_line_start &&
           (size_t)(lexer->cursor - lexer->line_start) <= lexer->braces.items[lexer->braces.count - 1].indent;
}

static int supply_brace(struct lexer *lexer, struct span *span) {
    const unsigned char *end = word_end(lexer->cursor);
    struct diagnostic *error =
        end > lexer->cursor
            ? lexer_error(lexer, span_of(lexer, lexer->cursor, end), "expected '}' before '%.*s'",
                          (int)(end - lexer->cursor), (const char *)lexer->cursor)
            : lexer_error(lexer, behind(lexer), "expected '}'; found the end of the file");
    for (size_t i = lexer->braces.count; i-- > 0 && (end == lexer->cursor || i + 1 == lexer->braces.count);)
        lexer_note(lexer, error, lexer->braces.items[i].span, "this '{' is not closed");
    if (end == lexer->cursor)
        lexer->is_stopped = true; /* one message for all braces that are open at the end */
    close_brace(lexer);
    return give(lexer, '}', behind(lexer), span);
}

int lexer_next(struct lexer *lexer, YYSTYPE *value, struct span *span) {
    for (;;) {
        if (is_between_statements(lexer))
            begin_statement(lexer);
        skip_space(lexer);
        if (lexer->error_count >= LEXER_ERROR_LIMIT)
            return give(lexer, TOK_YYEOF, behind(lexer), span);
        if (!is_between_statements(lexer) && ends_statement(lexer))
            return end_statement(lexer, span);
        if (is_brace_missing(lexer) || (lexer->cursor == lexer->limit && lexer->braces.count > 0))
            return supply_brace(lexer, span);
        if (*lexer->cursor != '}' || lexer->braces.count > 0 || lexer->missing_braces == 0)
            break;
        lexer->missing_braces--;
        lexer->cursor++;
    }
    const unsigned char *start = lexer->cursor;
    if (lexer->token_count == 0)
        lexer->indent = (size_t)(start - lexer->line_start);
    int kind = scan(lexer, value);
    lexer->at_line_start = false;
    struct span place = span_of(lexer, start, lexer->cursor);
    if (lexer->token_count == 0) {
        lexer->first_kind = kind;
        if (is_letter(*start))
            lexer->first = (struct name){value->TOK_NAME, place};
    }
    return give(lexer, kind, place, span);
}
