/* The syntax tree: what the text says, before anything is known about names, shapes or types.
 *
 * The parser builds it; the checker reads it.  Lists are linked by `next` in source order.  Names are
 * NUL-terminated copies in the file's arena.
 */
#ifndef NN_TREE_H
#define NN_TREE_H

#include "support/diagnostic.h"
#include "support/source.h"

struct name {
    const char *text;
    struct span span;
};

/* ---- expressions ---- */

enum expression_kind {
    EXPRESSION_NUMBER, /* number */
    EXPRESSION_STRING, /* string: escapes resolved */
    EXPRESSION_NAME,   /* name */
    EXPRESSION_NEGATE, /* left */
    EXPRESSION_BINARY, /* left op right */
    EXPRESSION_PIPE,   /* left -> right: right is a call or a name; left becomes its first argument */
    EXPRESSION_CALL,   /* left(arguments): left is a name */
    EXPRESSION_INDEX,  /* left[subscripts] */
    EXPRESSION_LIST,   /* [items] or (a, b): a list of compile-time values, such as axes */
};

enum binary_operator {
    BINARY_ADD,
    BINARY_SUBTRACT,
    BINARY_MULTIPLY,
    BINARY_DIVIDE,
    BINARY_POWER,
    BINARY_MATMUL,
    BINARY_EQUAL,
    BINARY_NOT_EQUAL,
    BINARY_LESS,
    BINARY_LESS_EQUAL,
    BINARY_GREATER,
    BINARY_GREATER_EQUAL,
};

/* No expression is deeper than this: a + b + c counts 3 levels, as every walk recurses on `left`. */
enum { EXPRESSION_DEPTH_LIMIT = 1000 };

struct expression {
    enum expression_kind kind;
    int depth;                 /* 1 for a leaf; parentheses count for nothing */
    struct span span;          /* with the parentheses around it, if any */
    struct span operator_span; /* of the operator's sign, or of the call's parentheses */
    double number;
    const char *string; /* EXPRESSION_STRING: the text; EXPRESSION_NAME: the name */
    size_t string_length;
    enum binary_operator code;
    struct expression *left, *right;
    struct argument *arguments;   /* EXPRESSION_CALL, EXPRESSION_LIST */
    struct subscript *subscripts; /* EXPRESSION_INDEX */
};

struct argument {
    struct name name; /* name.text is NULL for a positional argument */
    struct expression *value;
    struct argument *next;
};

/* One axis of x[...]: an index `first`, or a range first:last:step whose parts may be absent; `...` stands
 * for as many whole axes as are left. */
struct subscript {
    bool is_range;
    bool is_ellipsis;
    struct expression *first, *last, *step;
    struct span span;
    struct subscript *next;
};

/* ---- types: f64[batch, 2]   class[batch] of 3   [..., n]   logits[..., n]   f64 ---- */

struct dimension {
    bool is_ellipsis;        /* `...`: any number of axes, only first */
    struct expression *size; /* a name, a number or an expression of params */
    struct span span;
    struct dimension *next;
};

struct type_expression {
    struct name element; /* f32, f64, int, class, logits, quantity; text is NULL when left out */
    bool has_dimensions; /* false: a scalar, or (in a layer's signature) no demand on the shape */
    struct dimension *dimensions;
    struct expression *classes; /* `of 3`, or NULL */
    struct span span;
};

/* ---- statements ---- */

enum statement_kind {
    STATEMENT_PARAM,       /* param name = value */
    STATEMENT_DATA,        /* data name = value */
    STATEMENT_USE,         /* use "file" (value is the string) */
    STATEMENT_LAYER,       /* layer name(parameters) { body } */
    STATEMENT_INITIALISER, /* initialiser name(parameters) { body } */
    STATEMENT_SOLVER,      /* solver name(parameters) { body } */
    STATEMENT_MODEL,       /* model name { body } */
    STATEMENT_TRAIN,       /* train { body }: its settings are STATEMENT_VALUE */
    STATEMENT_INPUT,       /* input name : type */
    STATEMENT_TARGET,      /* target name : type */
    STATEMENT_WEIGHT,      /* weight name : type = value (value may be NULL: the default initialiser) */
    STATEMENT_STATE,       /* state name = value */
    STATEMENT_VALUE,       /* name = value */
    STATEMENT_OUTPUT,      /* output name = value, or output name (value NULL) */
    STATEMENT_LOSS,        /* loss name = value, or loss name */
    STATEMENT_METRIC,      /* metric name = value, or metric name */
    STATEMENT_RETURN,      /* return value */
};

struct parameter {
    struct name name;
    struct type_expression *type; /* or NULL */
    struct expression *value;     /* the default, or NULL */
    struct parameter *next;
};

struct statement {
    enum statement_kind kind;
    struct name name;             /* name.text is NULL where the kind has none */
    struct type_expression *type; /* input, target, weight */
    struct expression *value;
    struct parameter *parameters;
    struct statement *body;
    struct span span; /* the whole statement, for a block up to its closing brace */
    struct span keyword_span;
    struct statement *next;
};

/* Parses `source`.  Reports every error it finds to `sink` (it recovers at the next statement) and returns
 * the statements that could be read; NULL is an empty file. Memory is of `arena`. */
struct statement *tree_parse(const struct source *source, struct arena *arena, struct diagnostics *sink);

/* Writes the tree as indented text, one node a line, with line:column of each: for tests and --emit=tree. */
void tree_print(const struct statement *statements, struct text *out);

#endif
