/* The tree as text: one node a line, indented under its parent, with the line and column where it begins. */
#include "tree/tree.h"

static const char *const statement_words[] = {
    [STATEMENT_PARAM] = "param",   [STATEMENT_DATA] = "data",     [STATEMENT_USE] = "use",
    [STATEMENT_LAYER] = "layer",   [STATEMENT_SOLVER] = "solver", [STATEMENT_INITIALISER] = "initialiser",
    [STATEMENT_MODEL] = "model",   [STATEMENT_TRAIN] = "train",   [STATEMENT_INPUT] = "input",
    [STATEMENT_TARGET] = "target", [STATEMENT_WEIGHT] = "weight", [STATEMENT_STATE] = "state",
    [STATEMENT_VALUE] = "value",   [STATEMENT_OUTPUT] = "output", [STATEMENT_LOSS] = "loss",
    [STATEMENT_METRIC] = "metric", [STATEMENT_RETURN] = "return"};

static const char *const operator_signs[] = {
    [BINARY_ADD] = "+",         [BINARY_SUBTRACT] = "-",   [BINARY_MULTIPLY] = "*",
    [BINARY_DIVIDE] = "/",      [BINARY_POWER] = "**",     [BINARY_MATMUL] = "@",
    [BINARY_EQUAL] = "==",      [BINARY_NOT_EQUAL] = "!=", [BINARY_LESS] = "<",
    [BINARY_LESS_EQUAL] = "<=", [BINARY_GREATER] = ">",    [BINARY_GREATER_EQUAL] = ">="};

struct printer {
    struct text *out;
    int depth;
};

/* Begins a node's line: what it is, then end_node says where. */
static void indent(struct printer *printer) {
    for (int i = 0; i < printer->depth; i++)
        text_bytes(printer->out, "  ", 2);
}

static void end_node(struct printer *printer, struct span span) {
    struct position position = source_position(span.source, span.start);
    text_print(printer->out, "  %d:%d\n", position.line, position.column);
}

static void print_word(struct printer *printer, const char *word, struct span span) {
    indent(printer);
    text_print(printer->out, "%s", word);
    end_node(printer, span);
}

static void print_name(struct printer *printer, const char *word, const struct name *name) {
    indent(printer);
    text_print(printer->out, "%s %s", word, name->text);
    end_node(printer, name->span);
}

/* ---- expressions ---- */

static void print_expression(struct printer *printer, const struct expression *expression);

static void print_part(struct printer *printer, const char *word, const struct expression *part) {
    if (part == NULL)
        return;
    print_word(printer, word, part->span);
    printer->depth++;
    print_expression(printer, part);
    printer->depth--;
}

static void print_string(struct text *out, const char *bytes, size_t length) {
    text_bytes(out, "\"", 1);
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (byte == '"' || byte == '\\')
            text_print(out, "\\%c", byte);
        else if (byte < ' ' || byte == 0x7F)
            text_print(out, "\\x%02X", byte);
        else
            text_bytes(out, bytes + i, 1);
    }
    text_bytes(out, "\"", 1);
}

static void print_arguments(struct printer *printer, const struct argument *arguments) {
    for (const struct argument *argument = arguments; argument; argument = argument->next) {
        if (argument->name.text == NULL) {
            print_expression(printer, argument->value);
            continue;
        }
        print_name(printer, "argument", &argument->name);
        printer->depth++;
        print_expression(printer, argument->value);
        printer->depth--;
    }
}

static void print_subscripts(struct printer *printer, const struct subscript *subscripts) {
    for (const struct subscript *subscript = subscripts; subscript; subscript = subscript->next) {
        print_word(printer,
                   subscript->is_ellipsis ? "ellipsis"
                   : subscript->is_range  ? "range"
                                          : "at",
                   subscript->span);
        printer->depth++;
        if (subscript->is_range) {
            print_part(printer, "first", subscript->first);
            print_part(printer, "last", subscript->last);
            print_part(printer, "step", subscript->step);
        } else if (subscript->first) {
            print_expression(printer, subscript->first);
        }
        printer->depth--;
    }
}

/* The node's own line, but for its place. */
static void print_head(struct text *out, const struct expression *expression) {
    switch (expression->kind) {
    case EXPRESSION_NUMBER:
        text_print(out, "number %s", text_number(out->arena, expression->number, false));
        break;
    case EXPRESSION_STRING:
        text_print(out, "string ");
        print_string(out, expression->string, expression->string_length);
        break;
    case EXPRESSION_NAME:
        text_print(out, "name %s", expression->string);
        break;
    case EXPRESSION_NEGATE:
        text_print(out, "negate");
        break;
    case EXPRESSION_BINARY:
        text_print(out, "%s", operator_signs[expression->code]);
        break;
    case EXPRESSION_PIPE:
        text_print(out, "->");
        break;
    case EXPRESSION_CALL:
        text_print(out, "call");
        break;
    case EXPRESSION_INDEX:
        text_print(out, "index");
        break;
    case EXPRESSION_LIST:
        text_print(out, "list");
        break;
    }
}

static void print_expression(struct printer *printer, const struct expression *expression) {
    indent(printer);
    print_head(printer->out, expression);
    end_node(printer, expression->span);
    printer->depth++;
    if (expression->left)
        print_expression(printer, expression->left);
    if (expression->right)
        print_expression(printer, expression->right);
    print_arguments(printer, expression->arguments);
    print_subscripts(printer, expression->subscripts);
    printer->depth--;
}

/* ---- types and statements ---- */

static void print_type(struct printer *printer, const struct type_expression *type) {
    indent(printer);
    text_print(printer->out, "type%s%s%s", type->element.text ? " " : "",
               type->element.text ? type->element.text : "", type->has_dimensions ? " []" : "");
    end_node(printer, type->span);
    printer->depth++;
    for (const struct dimension *dimension = type->dimensions; dimension; dimension = dimension->next) {
        if (dimension->is_ellipsis)
            print_word(printer, "ellipsis", dimension->span);
        else
            print_expression(printer, dimension->size);
    }
    print_part(printer, "of", type->classes);
    printer->depth--;
}

static void print_parameters(struct printer *printer, const struct parameter *parameters) {
    for (const struct parameter *parameter = parameters; parameter; parameter = parameter->next) {
        print_name(printer, "parameter", &parameter->name);
        printer->depth++;
        if (parameter->type)
            print_type(printer, parameter->type);
        if (parameter->value)
            print_expression(printer, parameter->value);
        printer->depth--;
    }
}

static void print_statements(struct printer *printer, const struct statement *statements) {
    for (const struct statement *statement = statements; statement; statement = statement->next) {
        indent(printer);
        text_print(printer->out, "%s%s%s", statement_words[statement->kind], statement->name.text ? " " : "",
                   statement->name.text ? statement->name.text : "");
        end_node(printer, statement->span);
        printer->depth++;
        if (statement->type)
            print_type(printer, statement->type);
        print_parameters(printer, statement->parameters);
        if (statement->value)
            print_expression(printer, statement->value);
        print_statements(printer, statement->body);
        printer->depth--;
    }
}

void tree_print(const struct statement *statements, struct text *out) {
    struct printer printer = {.out = out};
    print_statements(&printer, statements);
}
