/* From text to the tokens of the grammar.
 *
 * The lexer also decides where statements end, since a line break means nothing inside brackets and after
 * an operator; it sees to it that every statement ends with a NEWLINE token and that every brace is
 * closed, so that the grammar is simple and an error in one statement does not reach the next.
 */
#ifndef NN_LEXER_H
#define NN_LEXER_H

#include "support/diagnostic.h"
#include "tree/grammar.h"

/* An open bracket or brace. */
struct opening {
    struct span span;
    size_t indent; /* braces: bytes before the statement on its line */
    bool is_call;  /* brackets: of a call or signature, as they follow a name */
};

struct openings {
    struct opening *items;
    size_t count, capacity;
};

struct lexer {
    const struct source *source;
    struct arena *arena;
    struct diagnostics *sink;
    const unsigned char *cursor, *marker, *limit;
    const unsigned char *line_start; /* of the line that the cursor is on */
    bool at_line_start;              /* a line break stands between the last token and the cursor */

    int kind;          /* of the last token, 0 before the first one */
    int kind_before;   /* of the one before that */
    struct span span, span_before; /* of the last token, and of the one before that */
    int token_count;   /* of the statement, the last token included */
    struct name first; /* the statement's first token, if it was a word */
    int first_kind;
    struct span third; /* its third token, with which a value begins; kind 0: not there yet */
    int third_kind;
    size_t indent; /* of the statement's first line, in bytes */

    struct openings brackets, braces;
    struct span unclosed;  /* the bracket that the statement's end, or a wrong bracket, left open */
    int missing_braces;    /* '{' that were reported missing: their '}' are passed over */
    bool statement_is_bad; /* its first error was reported: the rest is passed over in silence */
    bool is_stopped;       /* too many errors: nothing more is read or said */
    int error_count;
};

enum { LEXER_ERROR_LIMIT = 100 };

/* What is said of signs and words of other languages alike. */
#define LEXER_NO_BRANCHES "there are no branches: 'where(x > 0, x, 0)' takes one of two values, number by number"
#define LEXER_NO_LOOPS                                                                        \
    "there are no loops: 'repeat(x, 3, dense, 8)' stacks layers, 'scan(x, body, 0)' goes along an axis"
#define LEXER_AND "comparisons give 1 or 0: 'a * b' is 1 where both hold"
#define LEXER_OR "comparisons give 1 or 0: 'maximum(a, b)' is 1 where one of them holds"
#define LEXER_NOT "comparisons give 1 or 0: '1 - a' is 1 where a does not hold"
#define LEXER_REMAINDER "the remainder of x by 2 is 'x - 2 * floor(x / 2)'"

/* At the start of `source`; what is wrong with its encoding is reported here. */
void lexer_start(struct lexer *lexer, const struct source *source, struct arena *arena,
                 struct diagnostics *sink);
/* The next token: its kind, and value and place. YYEOF from the end on. */
int lexer_next(struct lexer *lexer, YYSTYPE *value, struct span *span);

/* Reports the first error of a statement; NULL, and nothing is said, for a further one. */
struct diagnostic *lexer_error(struct lexer *lexer, struct span span, const char *format, ...) TEXT_FORMAT(3);
/* Adds a note, if there is anything to add it to. */
void lexer_note(struct lexer *lexer, struct diagnostic *to, struct span span, const char *format, ...)
    TEXT_FORMAT(4);

/* How the statement of this keyword is written, or NULL when `kind` is no keyword. */
const char *lexer_example(int kind);
/* The keyword that `name` was likely meant to be, or NULL. */
const char *lexer_nearest_keyword(const char *name);

#endif
