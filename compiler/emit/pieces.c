/* Small pieces of C text: types, numbers, maths, names of kernels, comments. */
#include "emit/printer.h"
#include "graph/operator.h"

#include <ctype.h>
#include <string.h>

const char *real_name(enum element element) {
    static const char *const names[] = {"float", "double", "int32_t"};
    return names[element];
}

const char *work_name(enum element element) {
    static const char *const names[] = {"workf", "work", "worki"};
    return names[element];
}

const char *use_kernel(struct printer *printer, const char *name, enum element element) {
    const char *full = element == ELEMENT_F32 ? text_format(printer->arena, "%sf", name) : name;
    const char *entry = text_format(printer->arena, " %s ", full);
    if (!strstr(text_string(&printer->kernels_used), entry))
        text_print(&printer->kernels_used, "%s", entry);
    return full;
}

const char *number_text(struct printer *printer, double number, enum element element) {
    if (number != number)
        return element == ELEMENT_F32 ? "(float)NAN" : "(double)NAN";
    if (number > 1.7e308 || number < -1.7e308)
        if (number - number != 0)
            return number > 0 ? (element == ELEMENT_F32 ? "(float)INFINITY" : "(double)INFINITY")
                              : (element == ELEMENT_F32 ? "-(float)INFINITY" : "-(double)INFINITY");
    const char *text = text_number(printer->arena, number, element == ELEMENT_F32);
    const char *point = strpbrk(text, ".e") ? "" : ".0";
    text = text_format(printer->arena, "%s%s%s", text, point, element == ELEMENT_F32 ? "f" : "");
    return number < 0 ? text_format(printer->arena, "(%s)", text) : text;
}

const char *maths_text(struct printer *printer, const struct node *node, const char *const *operands) {
    enum element element = node->type.element;
    struct text text = {.arena = printer->arena};
    for (const char *p = operators[node->code].maths; *p;) {
        size_t length = 1;
        if (isalpha((unsigned char)*p) || *p == '_')
            while (isalnum((unsigned char)p[length]) || p[length] == '_')
                length++;
        if (length == 1 && *p >= 'a' && *p <= 'c')
            text_print(&text, "%s", operands[*p - 'a']);
        else if (length == 4 && strncmp(p, "real", 4) == 0)
            text_print(&text, "%s", real_name(element));
        else if (length > 3 && strncmp(p, "nn_", 3) == 0) {
            const char *name = arena_copy(printer->arena, p, length);
            if (strcmp(name, "nn_sqrt") == 0 || strcmp(name, "nn_fabs") == 0)
                text_print(&text, "%s%s", name + 3, element == ELEMENT_F32 ? "f" : "");
            else
                text_print(&text, "%s", use_kernel(printer, name, element));
        } else
            text_bytes(&text, p, length);
        p += length;
    }
    return text_string(&text);
}

void print_in_comment(struct text *out, const char *bytes, size_t length) {
    for (size_t i = 0; i < length; i++) {
        char c = bytes[i];
        bool ends = c == '*' && i + 1 < length && bytes[i + 1] == '/';
        bool opens = c == '/' && i + 1 < length && bytes[i + 1] == '*';
        bool strange = (unsigned char)c < 32 || (unsigned char)c > 126 || c == '\\' || c == '?';
        text_print(out, "%c%s", strange ? '.' : c, ends || opens ? " " : "");
    }
}

void print_origin(struct printer *printer, const struct node *node, const char *indent, struct text *out) {
    const struct source *source = node->origin.source;
    if (!source)
        return;
    struct position at = source_position(source, node->origin.start);
    const char *line = source->text + at.line_start, *end = source->text + at.line_end;
    if (line == printer->last_line)
        return;
    printer->last_line = line;
    while (line < end && isspace((unsigned char)*line))
        line++;
    const char *comment = memchr(line, '#', (size_t)(end - line));
    if (comment)
        end = comment;
    while (end > line && isspace((unsigned char)end[-1]))
        end--;
    const char *slash = strrchr(source->name, '/');
    const char *name = slash ? slash + 1 : source->name;
    text_print(out, "%s/* ", indent);
    print_in_comment(out, name, strlen(name));
    text_print(out, ":%d: ", at.line);
    print_in_comment(out, line, (size_t)(end - line));
    text_print(out, " */\n");
}

/* Word by word.  Comments, which show lines of the model, do not count. */
bool mentions(const char *text, const char *name) {
    size_t length = strlen(name);
    for (const char *p = text; *p;) {
        size_t word = 0;
        while (isalnum((unsigned char)p[word]) || p[word] == '_')
            word++;
        if (word == length && strncmp(p, name, length) == 0)
            return true;
        const char *end = strncmp(p, "/*", 2) == 0 ? strstr(p, "*/") : NULL;
        p = end ? end + 2 : p + (word ? word : 1);
    }
    return false;
}
