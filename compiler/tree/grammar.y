/* The grammar, and what is said of text that does not follow it.
 *
 * Any statement may stand anywhere here, but for definitions in blocks: the checker knows better what to
 * say of the others.  Every statement ends with a NEWLINE of the lexer's making, so recovery from an error
 * means: to the end of the statement, or into the block that a broken header opens.
 *
 * Tokens are declared in the order in which messages list them.
 */
%require "3.8"
%define api.pure full
%define api.location.type {struct span}
%define api.value.type union
%define api.token.prefix {TOK_}
%define parse.error custom
%define parse.lac full
%locations
%expect 0
%param {struct parser *parser}

%code requires {
#include "tree/tree.h"

struct parser;

struct string_value {
    const char *bytes;
    size_t length;
};

/* Lists while they are built. */
struct statement_list {
    struct statement *first, *last;
};
struct argument_list {
    struct argument *first, *last;
};
struct parameter_list {
    struct parameter *first, *last;
};
struct subscript_list {
    struct subscript *first, *last;
};
struct dimension_list {
    struct dimension *first, *last;
};
}

%code {
#include "tree/lexer.h"
#include <string.h>

/* The parser's stack is an array of this size in the frame of yyparse (some 600 KB) and never grows; nor does
 * the small one for lookahead correction, as the grammar has no long runs of empty rules.  So nothing is ever
 * allocated that a jump out of the arena could leak. */
#define YYMAXDEPTH 10000
#define YYINITDEPTH YYMAXDEPTH
#define YYMALLOC(size) ((void)(size), NULL)
#define YYFREE(memory) ((void)(memory))

struct parser {
    struct lexer lexer;
    struct statement *statements;
};

#define YYLLOC_DEFAULT(current, right, count)                                                                \
    ((current) = (count) ? span_join(YYRHSLOC(right, 1), YYRHSLOC(right, count))                             \
                         : (struct span){YYRHSLOC(right, 0).source, YYRHSLOC(right, 0).end,                  \
                                         YYRHSLOC(right, 0).end})

/* Adds `item` to the end of `list`; either may be empty. */
#define APPEND(list, item)                                                                                   \
    do {                                                                                                     \
        if ((list).first == NULL)                                                                            \
            (list).first = (item);                                                                           \
        else                                                                                                 \
            (list).last->next = (item);                                                                      \
        if (item)                                                                                            \
            (list).last = (item);                                                                            \
    } while (0)

static int yylex(YYSTYPE *value, YYLTYPE *span, struct parser *parser);
static void yyerror(const YYLTYPE *span, struct parser *parser, const char *message);

static struct expression *leaf(struct parser *parser, enum expression_kind kind, struct span span);
static struct expression *name_leaf(struct parser *parser, struct name name);
static struct expression *operation(struct parser *parser, struct span span, struct span sign,
                                    enum binary_operator code, struct expression *left,
                                    struct expression *right);
static struct expression *unary(struct parser *parser, enum expression_kind kind, struct span span,
                                struct span sign, struct expression *left);
static struct expression *pipe_into(struct parser *parser, struct span span, struct span sign,
                                    struct expression *left, struct expression *right);
static struct expression *call(struct parser *parser, struct name name, struct argument *arguments,
                               struct span span, struct span brackets);
static struct expression *subscripted(struct parser *parser, struct expression *left,
                                      struct subscript *subscripts, struct span span, struct span brackets);
static struct expression *list(struct parser *parser, struct argument *items, struct span span);
static struct argument *argument(struct parser *parser, struct name name, struct expression *value);
static struct argument_list add_argument(struct parser *parser, struct argument_list list,
                                         struct argument *argument);
static struct subscript *range(struct parser *parser, struct expression *first, struct expression *last,
                               struct expression *step, struct span span);
static struct dimension_list add_dimension(struct parser *parser, struct dimension_list list,
                                           struct dimension *dimension);
static struct parameter *parameter(struct parser *parser, struct name name, struct type_expression *type,
                                   struct expression *value);
static struct statement *statement(struct parser *parser, enum statement_kind kind, struct span span,
                                   struct span keyword);
static struct statement *named(struct parser *parser, enum statement_kind kind, struct span span,
                               struct span keyword, struct name name, struct type_expression *type,
                               struct expression *value);
static struct statement *definition(struct parser *parser, enum statement_kind kind, struct span span,
                                    struct span keyword, struct name name, struct parameter *parameters,
                                    struct statement *body);
}

%token <const char *> NAME "a name"
%token <double> NUMBER "a number"
%token <struct string_value> STRING "a string in double quotes"
%token ':' '=' ',' ')' ']' '{' '}'
%token ELLIPSIS "'...'" ARROW "'->'" OF "'of'"
%token '+' '-' '*' '/' '@' POWER "'**'"
%token EQUAL "'=='" NOT_EQUAL "'!='" '<' LESS_EQUAL "'<='" '>' GREATER_EQUAL "'>='"
%token '(' '['
%token PARAM "'param'" DATA "'data'" USE "'use'" LAYER "'layer'" INITIALISER "'initialiser'" SOLVER "'solver'"
%token MODEL "'model'" TRAIN "'train'" INPUT "'input'" TARGET "'target'" WEIGHT "'weight'" STATE "'state'"
%token OUTPUT "'output'" LOSS "'loss'" METRIC "'metric'" RETURN "'return'"
%token NEWLINE "end of line"
%token YYEOF 0 "the end of the file"

%nonassoc EQUAL NOT_EQUAL '<' LESS_EQUAL '>' GREATER_EQUAL
%left '+' '-'
%left '*' '/' '@'
%precedence NEGATE
%right POWER

%type <struct statement_list> statements
%type <struct statement *> statement plain definition block
%type <enum statement_kind> result callable
%type <struct name> name
%type <struct type_expression *> type shape
%type <struct dimension_list> dimension_list
%type <struct dimension *> dimensions dimension
%type <struct parameter_list> parameter_list
%type <struct parameter *> parameters parameter
%type <struct expression *> expression operation target postfix call optional
%type <struct argument_list> argument_list item_list
%type <struct argument *> arguments argument
%type <struct subscript_list> subscript_list
%type <struct subscript *> subscript

%initial-action {
    @$ = (struct span){parser->lexer.source, 0, 0};
}

%%

/* ---- statements ---- */

file:
    statements                      { parser->statements = $1.first; }

statements:
    %empty                          { $$ = (struct statement_list){0}; }
  | statements statement            { $$ = $1; APPEND($$, $2); }

statement:
    plain NEWLINE
  | definition NEWLINE
  | error NEWLINE                   { $$ = NULL; yyerrok; }
  | error open statements '}' NEWLINE
                                    { $$ = NULL; (void)$3; }

plain:
    PARAM name '=' expression       { $$ = named(parser, STATEMENT_PARAM, @$, @1, $2, NULL, $4); }
  | DATA name '=' expression        { $$ = named(parser, STATEMENT_DATA, @$, @1, $2, NULL, $4); }
  | USE STRING                      { $$ = statement(parser, STATEMENT_USE, @$, @1);
                                      $$->value = leaf(parser, EXPRESSION_STRING, @2);
                                      $$->value->string = $2.bytes;
                                      $$->value->string_length = $2.length; }
  | INPUT name ':' type             { $$ = named(parser, STATEMENT_INPUT, @$, @1, $2, $4, NULL); }
  | TARGET name ':' type            { $$ = named(parser, STATEMENT_TARGET, @$, @1, $2, $4, NULL); }
  | WEIGHT name ':' type            { $$ = named(parser, STATEMENT_WEIGHT, @$, @1, $2, $4, NULL); }
  | WEIGHT name ':' type '=' expression
                                    { $$ = named(parser, STATEMENT_WEIGHT, @$, @1, $2, $4, $6); }
  | STATE name '=' expression       { $$ = named(parser, STATEMENT_STATE, @$, @1, $2, NULL, $4); }
  | name '=' expression             { $$ = named(parser, STATEMENT_VALUE, @$, @1, $1, NULL, $3); }
  | result name                     { $$ = named(parser, $1, @$, @1, $2, NULL, NULL); }
  | result name '=' expression      { $$ = named(parser, $1, @$, @1, $2, NULL, $4); }
  | RETURN expression               { $$ = statement(parser, STATEMENT_RETURN, @$, @1); $$->value = $2; }

result:
    OUTPUT                          { $$ = STATEMENT_OUTPUT; }
  | LOSS                            { $$ = STATEMENT_LOSS; }
  | METRIC                          { $$ = STATEMENT_METRIC; }

definition:
    callable name '(' parameters ')' block
                                    { $$ = definition(parser, $1, @$, @1, $2, $4, $6); }
  | MODEL name block                { $$ = definition(parser, STATEMENT_MODEL, @$, @1, $2, NULL, $3); }
  | TRAIN block                     { struct name none = {0};
                                      $$ = definition(parser, STATEMENT_TRAIN, @$, @1, none, NULL, $2); }

callable:
    LAYER                           { $$ = STATEMENT_LAYER; }
  | INITIALISER                     { $$ = STATEMENT_INITIALISER; }
  | SOLVER                          { $$ = STATEMENT_SOLVER; }

block:
    open statements '}'             { $$ = $2.first; }

/* A block is a fresh start for messages, whatever was wrong with its header. */
open:
    '{'                             { yyerrok; }

name:
    NAME                            { $$ = (struct name){$1, @1}; }
  | OF                              { $$ = (struct name){"of", @1}; }

/* ---- signatures and types ---- */

parameters:
    %empty                          { $$ = NULL; }
  | parameter_list comma            { $$ = $1.first; }

parameter_list:
    parameter                       { $$ = (struct parameter_list){$1, $1}; }
  | parameter_list ',' parameter    { $$ = $1; APPEND($$, $3); }

parameter:
    name                            { $$ = parameter(parser, $1, NULL, NULL); }
  | name '=' expression             { $$ = parameter(parser, $1, NULL, $3); }
  | name ':' type                   { $$ = parameter(parser, $1, $3, NULL); }
  | name ':' type '=' expression    { $$ = parameter(parser, $1, $3, $5); }

type:
    shape
  | shape OF expression             { $$ = $1; $$->classes = $3; $$->span = @$; }

shape:
    NAME                            { $$ = arena_new(parser->lexer.arena, struct type_expression);
                                      *$$ = (struct type_expression){.element = {$1, @1}, .span = @$}; }
  | dimensions                      { $$ = arena_new(parser->lexer.arena, struct type_expression);
                                      *$$ = (struct type_expression){.has_dimensions = true, .dimensions = $1,
                                                                     .span = @$}; }
  | NAME dimensions                 { $$ = arena_new(parser->lexer.arena, struct type_expression);
                                      *$$ = (struct type_expression){.element = {$1, @1},
                                                                     .has_dimensions = true,
                                                                     .dimensions = $2, .span = @$}; }

dimensions:
    '[' ']'                         { $$ = NULL; }
  | '[' dimension_list comma ']'    { $$ = $2.first; }

dimension_list:
    dimension                       { $$ = (struct dimension_list){$1, $1}; }
  | dimension_list ',' dimension    { $$ = add_dimension(parser, $1, $3); }

dimension:
    expression                      { $$ = arena_new(parser->lexer.arena, struct dimension);
                                      $$->size = $1; $$->span = @$; }
  | ELLIPSIS                        { $$ = arena_new(parser->lexer.arena, struct dimension);
                                      $$->is_ellipsis = true; $$->span = @$; }

/* A comma after the last item. */
comma:
    %empty
  | ','

/* ---- expressions ---- */

expression:
    operation
  | expression ARROW target         { $$ = pipe_into(parser, @$, @2, $1, $3); }

target:
    name                            { $$ = name_leaf(parser, $1); }
  | call

operation:
    postfix
  | operation EQUAL operation       { $$ = operation(parser, @$, @2, BINARY_EQUAL, $1, $3); }
  | operation NOT_EQUAL operation   { $$ = operation(parser, @$, @2, BINARY_NOT_EQUAL, $1, $3); }
  | operation '<' operation         { $$ = operation(parser, @$, @2, BINARY_LESS, $1, $3); }
  | operation LESS_EQUAL operation  { $$ = operation(parser, @$, @2, BINARY_LESS_EQUAL, $1, $3); }
  | operation '>' operation         { $$ = operation(parser, @$, @2, BINARY_GREATER, $1, $3); }
  | operation GREATER_EQUAL operation
                                    { $$ = operation(parser, @$, @2, BINARY_GREATER_EQUAL, $1, $3); }
  | operation '+' operation         { $$ = operation(parser, @$, @2, BINARY_ADD, $1, $3); }
  | operation '-' operation         { $$ = operation(parser, @$, @2, BINARY_SUBTRACT, $1, $3); }
  | operation '*' operation         { $$ = operation(parser, @$, @2, BINARY_MULTIPLY, $1, $3); }
  | operation '/' operation         { $$ = operation(parser, @$, @2, BINARY_DIVIDE, $1, $3); }
  | operation '@' operation         { $$ = operation(parser, @$, @2, BINARY_MATMUL, $1, $3); }
  | operation POWER operation       { $$ = operation(parser, @$, @2, BINARY_POWER, $1, $3); }
  | '-' operation %prec NEGATE      { $$ = unary(parser, EXPRESSION_NEGATE, @$, @1, $2); }

postfix:
    NUMBER                          { $$ = leaf(parser, EXPRESSION_NUMBER, @$); $$->number = $1; }
  | STRING                          { $$ = leaf(parser, EXPRESSION_STRING, @$);
                                      $$->string = $1.bytes; $$->string_length = $1.length; }
  | name                            { $$ = name_leaf(parser, $1); }
  | call
  | postfix '[' subscript_list comma ']'
                                    { $$ = subscripted(parser, $1, $3.first, @$, span_join(@2, @5)); }
  | '(' expression ')'              { $$ = $2; $$->span = @$; }
  | '(' expression ',' ')'          { $$ = list(parser, argument(parser, (struct name){0}, $2), @$); }
  | '(' expression ',' item_list comma ')'
                                    { struct argument *first = argument(parser, (struct name){0}, $2);
                                      first->next = $4.first;
                                      $$ = list(parser, first, @$); }
  | '[' ']'                         { $$ = list(parser, NULL, @$); }
  | '[' item_list comma ']'         { $$ = list(parser, $2.first, @$); }

item_list:
    expression                      { $$.first = $$.last = argument(parser, (struct name){0}, $1); }
  | item_list ',' expression        { struct argument *item = argument(parser, (struct name){0}, $3);
                                      $$ = $1; APPEND($$, item); }

call:
    name '(' arguments ')'          { $$ = call(parser, $1, $3, @$, span_join(@2, @4)); }

arguments:
    %empty                          { $$ = NULL; }
  | argument_list comma             { $$ = $1.first; }

argument_list:
    argument                        { $$ = (struct argument_list){$1, $1}; }
  | argument_list ',' argument      { $$ = add_argument(parser, $1, $3); }

argument:
    expression                      { $$ = argument(parser, (struct name){0}, $1); }
  | name '=' expression             { $$ = argument(parser, $1, $3); }

subscript_list:
    subscript                       { $$ = (struct subscript_list){$1, $1}; }
  | subscript_list ',' subscript    { $$ = $1; APPEND($$, $3); }

subscript:
    expression                      { $$ = range(parser, $1, NULL, NULL, @$); $$->is_range = false; }
  | ELLIPSIS                        { $$ = range(parser, NULL, NULL, NULL, @$);
                                      $$->is_range = false; $$->is_ellipsis = true; }
  | optional ':' optional           { $$ = range(parser, $1, $3, NULL, @$); }
  | optional ':' optional ':' optional
                                    { $$ = range(parser, $1, $3, $5, @$); }

optional:
    %empty                          { $$ = NULL; }
  | expression

%%

/* ---- building expressions ---- */

static struct expression *leaf(struct parser *parser, enum expression_kind kind, struct span span) {
    struct expression *expression = arena_new(parser->lexer.arena, struct expression);
    expression->kind = kind;
    expression->depth = 1;
    expression->span = span;
    return expression;
}

static struct expression *name_leaf(struct parser *parser, struct name name) {
    struct expression *expression = leaf(parser, EXPRESSION_NAME, name.span);
    expression->string = name.text;
    expression->string_length = strlen(name.text);
    return expression;
}

static void too_deep(struct parser *parser, struct span span) {
    lexer_error(&parser->lexer, span, "nested too deeply: an expression has at most %d levels",
                EXPRESSION_DEPTH_LIMIT);
}

/* Makes `expression` one level deeper than `child`; one that is too deep is reported and becomes a leaf, so
 * that no walk over the tree ever meets it. */
static void cover(struct parser *parser, struct expression *expression, const struct expression *child) {
    if (child == NULL || child->depth < expression->depth)
        return;
    expression->depth = child->depth + 1;
    if (expression->depth <= EXPRESSION_DEPTH_LIMIT)
        return;
    too_deep(parser, expression->operator_span);
    *expression = (struct expression){.kind = EXPRESSION_NUMBER, .depth = 1, .span = expression->span};
}

static void cover_arguments(struct parser *parser, struct expression *expression) {
    for (const struct argument *argument = expression->arguments; argument; argument = argument->next)
        cover(parser, expression, argument->value);
}

static struct expression *unary(struct parser *parser, enum expression_kind kind, struct span span,
                                struct span sign, struct expression *left) {
    struct expression *expression = leaf(parser, kind, span);
    expression->operator_span = sign;
    expression->left = left;
    cover(parser, expression, left);
    return expression;
}

static struct expression *operation(struct parser *parser, struct span span, struct span sign,
                                    enum binary_operator code, struct expression * left,
                                    struct expression *right) {
    struct expression *expression = leaf(parser, EXPRESSION_BINARY, span);
    expression->operator_span = sign;
    expression->code= code;
    expression->left = left;
    expression->right = right;
    cover(parser, expression, left);
    cover(parser, expression, right);
    return expression;
}

static struct expression *pipe_into(struct parser *parser, struct span span, struct span sign,
                                    struct expression *left, struct expression *right) {
    struct expression *expression = leaf(parser, EXPRESSION_PIPE, span);
    expression->operator_span = sign;
    expression->left = left;
    expression->right = right;
    cover(parser, expression, left);
    cover(parser, expression, right);
    return expression;
}

static struct expression *call(struct parser *parser, struct name name, struct argument *arguments,
                               struct span span, struct span brackets) {
    struct expression *expression = unary(parser, EXPRESSION_CALL, span, brackets, name_leaf(parser, name));
    expression->arguments = arguments;
    cover_arguments(parser, expression);
    return expression;
}

static struct expression *subscripted(struct parser *parser, struct expression *left,
                                      struct subscript *subscripts, struct span span, struct span brackets) {
    struct expression *expression = leaf(parser, EXPRESSION_INDEX, span);
    expression->operator_span = brackets;
    expression->left = left;
    expression->subscripts = subscripts;
    cover(parser, expression, left);
    for (const struct subscript *subscript = subscripts; subscript; subscript = subscript->next) {
        cover(parser, expression, subscript->first);
        cover(parser, expression, subscript->last);
        cover(parser, expression, subscript->step);
    }
    return expression;
}

static struct expression *list(struct parser *parser, struct argument *items, struct span span) {
    struct expression *expression = leaf(parser, EXPRESSION_LIST, span);
    expression->operator_span = span;
    expression->arguments = items;
    cover_arguments(parser, expression);
    return expression;
}

static struct argument *argument(struct parser *parser, struct name name, struct expression *value) {
    struct argument *argument = arena_new(parser->lexer.arena, struct argument);
    argument->name = name;
    argument->value = value;
    return argument;
}

#define DECIMAL_POINT "the decimal point is a point: 0.5"

/* A comma between two digits: "0,5". */
static bool is_decimal_comma(const struct source *source, size_t place) {
    const char *text = source->text;
    return place > 0 && place + 1 < source->length && text[place] == ',' && text[place - 1] >= '0' &&
           text[place - 1] <= '9' && text[place + 1] >= '0' && text[place + 1] <= '9';
}

static struct argument_list add_argument(struct parser *parser, struct argument_list list,
                                         struct argument *argument) {
    if (list.last->name.text && argument->name.text == NULL) {
        const struct span span = argument->value->span;
        struct diagnostic *error =
            lexer_error(&parser->lexer, span, "an argument without a name stands after one with a name");
        if (span.start > 0 && is_decimal_comma(span.source, span.start - 1))
            lexer_note(&parser->lexer, error, (struct span){0}, DECIMAL_POINT);
        lexer_note(&parser->lexer, error, list.last->name.span,
                   "from '%s' on, every argument needs its name: 'name = value'", list.last->name.text);
    }
    APPEND(list, argument);
    return list;
}

static struct subscript *range(struct parser *parser, struct expression *first, struct expression *last,
                               struct expression *step, struct span span) {
    struct subscript *subscript = arena_new(parser->lexer.arena, struct subscript);
    subscript->is_range = true;
    subscript->first = first;
    subscript->last = last;
    subscript->step = step;
    subscript->span = span;
    return subscript;
}

/* ---- building types and statements ---- */

static struct dimension_list add_dimension(struct parser *parser, struct dimension_list list,
                                           struct dimension *dimension) {
    if (dimension->is_ellipsis)
        lexer_error(&parser->lexer, dimension->span,
                    "'...' stands for the leading axes: it comes first or not at all");
    APPEND(list, dimension);
    return list;
}

static struct parameter *parameter(struct parser *parser, struct name name, struct type_expression *type,
                                   struct expression *value) {
    struct parameter *parameter = arena_new(parser->lexer.arena, struct parameter);
    parameter->name = name;
    parameter->type = type;
    parameter->value = value;
    return parameter;
}

static struct statement *statement(struct parser *parser, enum statement_kind kind, struct span span,
                                   struct span keyword) {
    struct statement *statement = arena_new(parser->lexer.arena, struct statement);
    statement->kind = kind;
    statement->span = span;
    statement->keyword_span = keyword;
    return statement;
}

static struct statement *named(struct parser *parser, enum statement_kind kind, struct span span,
                               struct span keyword, struct name name, struct type_expression *type,
                               struct expression *value) {
    struct statement *result = statement(parser, kind, span, keyword);
    result->name = name;
    result->type = type;
    result->value = value;
    return result;
}

/* NULL for a definition inside a block: the lexer has read its '}', so a brace that is open is another's. */
static struct statement *definition(struct parser *parser, enum statement_kind kind, struct span span,
                                    struct span keyword, struct name name, struct parameter *parameters,
                                    struct statement *body) {
    const struct openings *braces = &parser->lexer.braces;
    if (braces->count > 0) {
        const char *word = arena_copy(parser->lexer.arena, keyword.source->text + keyword.start,
                                      keyword.end - keyword.start);
        struct diagnostic *error =
            lexer_error(&parser->lexer, keyword,
                        "a '%s' cannot stand inside a block; define it at the top of the file", word);
        lexer_note(&parser->lexer, error, braces->items[braces->count - 1].span, "the block begins here");
        return NULL;
    }
    struct statement *result = named(parser, kind, span, keyword, name, NULL, NULL);
    result->parameters = parameters;
    result->body = body;
    return result;
}

/* ---- syntax errors ---- */

/* A syntax error: the token that was found, and all that could have stood there. */
struct surprise {
    struct lexer *lexer;
    int found;
    struct span span;
    const char *text; /* of the token */
    bool expected[YYNTOKENS];
};

enum { LISTED_MAX = 5 };

static const char *text_of(struct lexer *lexer, struct span span) {
    enum { SHOWN = 40 };
    const char *text = span.source->text + span.start;
    size_t length = span.end - span.start, shown = length < SHOWN ? length : SHOWN;
    while (shown < length && (text[shown] & 0xC0) == 0x80)
        shown--; /* never cut within a character */
    return text_format(lexer->arena, "%.*s%s", (int)shown, text, shown < length ? "..." : "");
}

static bool is_comparison(int kind) {
    return kind == TOK_EQUAL || kind == TOK_NOT_EQUAL || kind == '<' || kind == '>' ||
           kind == TOK_LESS_EQUAL || kind == TOK_GREATER_EQUAL;
}

static bool expects(const struct surprise *surprise, int kind) {
    return surprise->expected[YYTRANSLATE(kind)];
}

/* Leaves out of the list all tokens declared from `first` to `last`. */
static void forget(struct surprise *surprise, int first, int last) {
    for (int symbol = YYTRANSLATE(first); symbol <= (int)YYTRANSLATE(last); symbol++)
        surprise->expected[symbol] = false;
}

/* The one phrase for all that can begin a name, a type or an expression; NULL where none can begin. */
static const char *expected_beginning(const struct surprise *surprise) {
    if (expects(surprise, TOK_PARAM))
        return "a statement";
    if (surprise->lexer->kind_before == TOK_ARROW)
        return "the name of a layer or function";
    if (expects(surprise, TOK_NUMBER))
        return "an expression";
    if (expects(surprise, TOK_NAME))
        return expects(surprise, TOK_OF) ? "a name" : "a type";
    return NULL;
}

/* Collects in `names` what was expected, in people's words, and nothing of what is always possible, such as
 * another operator.  Returns how many. */
static int list_expected(struct surprise *surprise, const char *names[LISTED_MAX]) {
    int count = 0;
    const char *beginning = expected_beginning(surprise);
    bool after_value = expects(surprise, TOK_POWER),
         after_target = !after_value && expects(surprise, TOK_ARROW);
    if (beginning) {
        names[count++] = beginning;
        forget(surprise, TOK_NAME, TOK_STRING);
        forget(surprise, TOK_OF, '[');
    }
    if (expects(surprise, TOK_PARAM))
        return count;
    if (after_value && expects(surprise, TOK_NEWLINE))
        names[count++] = "an operator";
    if (after_value)
        forget(surprise, '=', '='), forget(surprise, TOK_ARROW, '[');
    if (after_target)
        forget(surprise, TOK_OF, '[');
    if (expects(surprise, TOK_NEWLINE))
        forget(surprise, TOK_OF, TOK_OF);
    forget(surprise, TOK_YYEOF, TOK_YYEOF);
    for (int symbol = 0; symbol < YYNTOKENS && count < LISTED_MAX; symbol++)
        if (surprise->expected[symbol])
            names[count++] = yysymbol_name((yysymbol_kind_t)symbol);
    return count;
}

/* "expected ',' or ')' before 'x'", "expected ',' or ')'; found end of line" */
static struct diagnostic *say_expected(struct surprise *surprise) {
    const char *names[LISTED_MAX];
    int count = list_expected(surprise, names);
    struct text message = {.arena = surprise->lexer->arena};
    for (int i = 0; i < count; i++)
        text_print(&message, "%s%s", i == 0 ? "expected " : i + 1 == count ? " or " : ", ", names[i]);
    if (count == 0)
        text_print(&message, "'%s' cannot stand here", surprise->text);
    else if (surprise->found == TOK_NEWLINE)
        text_print(&message, "; found end of line");
    else
        text_print(&message, " before '%s'", surprise->text);
    return lexer_error(surprise->lexer, surprise->span, "%s", text_string(&message));
}

/* What is said of some words of other languages. */
struct advice {
    const char *words, *text; /* a blank on both sides of each word */
};

static const char *advice_on(const char *word, const struct advice *advices, size_t count) {
    size_t length = strlen(word);
    for (size_t i = 0; i < count; i++)
        for (const char *at = strstr(advices[i].words, word); at; at = strstr(at + 1, word))
            if (at[-1] == ' ' && at[length] == ' ')
                return advices[i].text;
    return NULL;
}

static const char *foreign_statement(const char *word) {
    static const struct advice statements[] = {
        {" def fn func function fun sub module ", "a layer is defined with 'layer name(x) { ... }'"},
        {" let var const val auto float double set ",
         "a value is written 'name = expression', a setting 'param name = 10'"},
        {" import include from require using open ", "layers of another file come with 'use \"layers.nn\"'"},
        {" class struct network net graph ", "a network is defined with 'model name { ... }'"},
        {" if else elif switch match ", LEXER_NO_BRANCHES},
        {" for while do repeat ", LEXER_NO_LOOPS},
        {" print show display log trace ", "what is to be seen is an 'output' or a 'metric'"},
        {" variable bias tensor matrix ", "what is trained is a 'weight W : f64[2, 10] = normal(0, 1)'"},
        {" optimizer optimiser ", "the solver is a setting of train: 'solver = adam(rate = 1e-3)'"},
        {" label labels ", "what is to be learnt is a 'target t : class[batch] of 3'"},
    };
    return advice_on(word, statements, sizeof statements / sizeof *statements);
}

static const char *foreign_operator(const char *word) {
    static const struct advice operators[] = {
        {" if else elif switch match when then ", LEXER_NO_BRANCHES},
        {" for while do in ", LEXER_NO_LOOPS},
        {" lambda fn fun func function ", "a layer is defined with 'layer name(x) { ... }' and passed by its name"},
        {" and ", LEXER_AND},
        {" or ", LEXER_OR},
        {" not ", LEXER_NOT},
        {" is ", "to compare, write '=='"},
        {" mod ", LEXER_REMAINDER},
        {" new ", "a layer is called like a function: 'dense(x, 10)'"},
    };
    return advice_on(word, operators, sizeof operators / sizeof *operators);
}

/* A statement whose first word is neither a keyword nor followed by '='. */
static struct diagnostic *say_of_unknown_statement(struct surprise *surprise) {
    struct lexer *lexer = surprise->lexer;
    const char *word = lexer->first.text, *advice = foreign_statement(word);
    const char *nearest = advice ? NULL : lexer_nearest_keyword(word);
    struct diagnostic *error;
    if (advice) {
        error = lexer_error(lexer, lexer->first.span, "there is no '%s' statement", word);
        lexer_note(lexer, error, (struct span){0}, "%s", advice);
    } else if (surprise->found == '(' || surprise->found == TOK_NEWLINE || surprise->found == TOK_ARROW) {
        error = lexer_error(lexer, lexer->first.span, "the value of '%s' is not used", word);
        lexer_note(lexer, error, (struct span){0}, "give it a name: 'h = %s%s'", word,
                   surprise->found == '('           ? "(...)"
                   : surprise->found == TOK_NEWLINE ? ""
                                                    : " -> ...");
    } else if (nearest) {
        error = lexer_error(lexer, lexer->first.span, "there is no '%s' statement; did you mean '%s'?", word,
                            nearest);
    } else {
        error = say_expected(surprise);
        if (surprise->found == ':')
            lexer_note(lexer, error, (struct span){0}, "a value is written '%s = ...'; ':' is for types",
                       word);
    }
    return error;
}

/* An operator of other languages that is a word was read as a name: here, before what is not understood, or as
 * the name of a function before a block. */
static struct diagnostic *say_of_foreign_operator(struct surprise *surprise) {
    struct lexer *lexer = surprise->lexer;
    const struct source *source = surprise->span.source;
    const struct {
        bool is_name;
        struct span span;
    } places[] = {{surprise->found == TOK_NAME, surprise->span},
                  {lexer->kind_before == TOK_NAME, lexer->span_before},
                  {surprise->found == '{' && lexer->third_kind == TOK_NAME, lexer->third}};
    for (int i = 0; i < 3; i++) {
        const char *word = places[i].is_name ? text_of(lexer, places[i].span) : NULL,
                   *advice = word ? foreign_operator(word) : NULL;
        if (!advice)
            continue;
        struct diagnostic *error = lexer_error(lexer, places[i].span, "there is no '%s' in this language", word);
        lexer_note(lexer, error, (struct span){0}, "%s", advice);
        size_t rest = surprise->span.start + strcspn(source->text + surprise->span.start, "{\n");
        lexer->is_stopped |= source->text[rest] == '{'; /* its braces are no mistakes of their own */
        return error;
    }
    return NULL;
}

/* A word of the language in the place of a name: of one that begins a statement it is shown how. */
static struct diagnostic *say_reserved(struct lexer *lexer, int kind, struct span span, const char *text) {
    struct diagnostic *error =
        lexer_error(lexer, span, "'%s' is a reserved word; choose another name", text);
    if (lexer_example(kind))
        lexer_note(lexer, error, (struct span){0}, "it begins a statement: %s", lexer_example(kind));
    return error;
}

/* Says what is known to be meant; NULL when nothing is. */
static struct diagnostic *say_what_is_meant(struct surprise *surprise) {
    struct lexer *lexer = surprise->lexer;
    bool at_start = expects(surprise, TOK_PARAM);
    if (at_start && surprise->found == '}')
        return lexer_error(lexer, surprise->span, "there is no open '{' for this '}'");
    if (lexer->token_count == 2 && lexer->first_kind != TOK_NAME && lexer->first.text &&
        surprise->found == '=')
        return say_reserved(lexer, lexer->first_kind, lexer->first.span, lexer->first.text);
    if (lexer->token_count == 2 && lexer->first_kind == TOK_NAME)
        return say_of_unknown_statement(surprise);
    if (lexer->token_count == 2 && lexer->first_kind == TOK_SOLVER && surprise->found == ':')
        return lexer_error(lexer, surprise->span,
                           "a setting is written with '=', as in 'solver = sgd(rate = 0.1)'; ':' is for types");
    if (!at_start && expects(surprise, TOK_NAME) && lexer_example(surprise->found))
        return say_reserved(lexer, surprise->found, surprise->span, surprise->text);
    if (is_comparison(surprise->found) && expects(surprise, TOK_POWER))
        return lexer_error(lexer, surprise->span,
                           "comparisons cannot be chained: 'a < b < c' has no meaning here");
    return expects(surprise, TOK_POWER) ? say_of_foreign_operator(surprise) : NULL;
}

/* Notes that help with what say_expected said. */
static void add_advice(struct surprise *surprise, struct diagnostic *error, bool after_value,
                       bool after_target, bool in_header) {
    struct lexer *lexer = surprise->lexer;
    const char *example = lexer_example(lexer->first_kind);
    if (lexer->unclosed.source)
        lexer_note(lexer, error, lexer->unclosed, "this '%c' is not closed",
                   lexer->source->text[lexer->unclosed.start]);
    else if (is_decimal_comma(surprise->span.source, surprise->span.start))
        lexer_note(lexer, error, (struct span){0}, DECIMAL_POINT);
    else if (after_value && surprise->found == '(')
        lexer_note(lexer, error, (struct span){0},
                   "what a layer works on is its first argument: 'dense(x, 10)', or 'x -> dense(10)'");
    else if (after_value && expects(surprise, TOK_NEWLINE) && lexer->first_kind == TOK_NAME &&
             (surprise->found == TOK_NAME || surprise->found == ','))
        lexer_note(lexer, error, (struct span){0}, "each statement and each setting stands on a line of its own");
    else if (after_value && surprise->found == '=')
        lexer_note(lexer, error, (struct span){0}, "to compare, write '=='");
    else if (after_target && surprise->found != TOK_NEWLINE)
        lexer_note(lexer, error, (struct span){0}, "'->' is weaker than any operator: write '(x -> f) + y'");
    else if (example && in_header && lexer->token_count <= 4)
        lexer_note(lexer, error, (struct span){0}, "this is how it is written: %s", example);
}

static int yyreport_syntax_error(const yypcontext_t *context, struct parser *parser) {
    struct lexer *lexer = &parser->lexer;
    struct surprise surprise = {.lexer = lexer, .found = lexer->kind, .span = *yypcontext_location(context)};
    if (lexer->statement_is_bad || lexer->is_stopped)
        return 0;
    yysymbol_kind_t symbols[YYNTOKENS];
    int count = yypcontext_expected_tokens(context, symbols, YYNTOKENS);
    if (count < 0)
        return count;
    for (int i = 0; i < count; i++)
        surprise.expected[symbols[i]] = true;
    surprise.text = text_of(lexer, surprise.span);
    if (expects(&surprise, '{') && surprise.found == TOK_NEWLINE)
        lexer->missing_braces++;
    if (say_what_is_meant(&surprise))
        return 0;
    bool after_value = expects(&surprise, TOK_POWER);
    bool after_target = !after_value && expects(&surprise, TOK_ARROW);
    bool in_header = !after_value && !expects(&surprise, TOK_NUMBER);
    struct diagnostic *error = say_expected(&surprise);
    add_advice(&surprise, error, after_value, after_target, in_header);
    return 0;
}

/* The only message that comes here is that the parser's stack is full. */
static void yyerror(const YYLTYPE *span, struct parser *parser, const char *message) {
    (void)message;
    lexer_error(&parser->lexer, *span, "nested too deeply");
}

static int yylex(YYSTYPE *value, YYLTYPE *span, struct parser *parser) {
    return lexer_next(&parser->lexer, value, span);
}

struct statement *tree_parse(const struct source *source, struct arena *arena, struct diagnostics *sink) {
    struct parser parser = {0};
    lexer_start(&parser.lexer, source, arena, sink);
    yyparse(&parser);
    return parser.statements;
}
