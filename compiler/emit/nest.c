/* One nest becomes one C function: a loop over elements, the rows inside it, and the nodes' maths inside that.
 *
 * A row stands in lane l of the vector that starts at row r; T is the distance between planes.
 */
#include "emit/printer.h"
#include "graph/operator.h"

#include <ctype.h>
#include <string.h>

const char *real_name(enum element element) {
    static const char *const names[] = {"float", "double", "int32_t"};
    return names[element];
}

static const char *work_name(enum element element) {
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

/* ---- the nest at hand ---- */

struct nest_printer {
    struct printer *printer;
    const struct nest *nest;
    int group, index;
    bool rows;            /* of a group of rows */
    struct text *out;
    const char *indent;   /* of the statements */
    struct node **used;   /* the memory that the function is given: */
    bool *written;        /* by position in used */
    int used_count, used_capacity;
    bool uses_batch_rows, uses_step;
    bool sums; /* it holds sweeps: called once for whole vectors, once for the last rows */
};

static bool in_nest(const struct nest_printer *np, const struct node *node) {
    const struct placement *p = plan_placement(np->printer->plan, node);
    return p->group == np->group && p->nest == np->index;
}

static const char *ident(const struct nest_printer *np, const struct node *node) {
    return np->printer->idents[node->id];
}

static void use_memory(struct nest_printer *np, struct node *node, bool written) {
    for (int i = 0; i < np->used_count; i++)
        if (np->used[i] == node) {
            np->written[i] = np->written[i] || written;
            return;
        }
    if (np->used_count == np->used_capacity) {
        int capacity = np->used_capacity ? 2 * np->used_capacity : 8;
        np->used = arena_grow(np->printer->arena, np->used, (size_t)np->used_count, (size_t)capacity, sizeof *np->used);
        np->written =
            arena_grow(np->printer->arena, np->written, (size_t)np->used_count, (size_t)capacity, sizeof *np->written);
        np->used_capacity = capacity;
    }
    np->used[np->used_count] = node;
    np->written[np->used_count++] = written;
}

/* ---- indices ---- */

/* An index into a source: a number when `element` is known (>= 0), else C text over the loop's `u`. */
static const char *index_text(struct nest_printer *np, const struct access *access, int64_t element) {
    struct arena *arena = np->printer->arena;
    if (element >= 0)
        return text_format(arena, "%lld", (long long)access_index(access, element));
    if (access->uniform)
        return text_format(arena, "%lld", (long long)access->offset);
    if (access->identity)
        return "u";
    struct text text = {.arena = arena};
    int64_t below = 1, total = 1;
    for (int axis = 0; axis < access->rank; axis++)
        total *= access->sizes[axis];
    for (int axis = access->rank - 1; axis >= 0; axis--) {
        int64_t size = access->sizes[axis], stride = access->strides[axis];
        if (size > 1 && stride != 0) {
            text_print(&text, "%s", text.length ? " + " : "");
            const char *quotient = below == 1 ? "u" : text_format(arena, "u / %lld", (long long)below);
            if (below * size < total)
                text_print(&text, "%s %% %lld", quotient, (long long)size);
            else
                text_print(&text, "%s", quotient);
            if (stride != 1)
                text_print(&text, " * %lld", (long long)stride);
        }
        below *= size;
    }
    if (access->offset || !text.length)
        text_print(&text, "%s%lld", text.length ? " + " : "", (long long)access->offset);
    return text_string(&text);
}

/* An element of the source: a register of this nest, memory, or a number. `index` is C text. */
static const char *source_text(struct nest_printer *np, const struct access *access, const char *index, int64_t element) {
    struct printer *printer = np->printer;
    struct node *source = access->source;
    enum element type = source->type.element;
    switch (source->operator) {
    case OPERATOR_constant:
        return number_text(printer, source->attributes.number, type);
    case OPERATOR_coordinate:
        return element >= 0 ? text_format(printer->arena, "%s.0%s", index, type == ELEMENT_F32 ? "f" : "")
                            : text_format(printer->arena, "(%s)(%s)", real_name(type), index);
    case OPERATOR_rows:
        np->uses_batch_rows = true;
        return text_format(printer->arena, "(%s)batch_rows", real_name(type));
    case OPERATOR_step:
        np->uses_step = true;
        return text_format(printer->arena, "(%s)step", real_name(type));
    default:
        break;
    }
    bool here = in_nest(np, source) && !plan_placement(printer->plan, source)->sweep;
    if (here && np->nest->kind == NEST_UNROLLED)
        return text_format(printer->arena, "%s_%s", ident(np, source), index);
    if (here && np->nest->kind == NEST_LOOP)
        return text_format(printer->arena, "%s_r", ident(np, source));
    use_memory(np, source, false);
    bool zero = strcmp(index, "0") == 0;
    if (!access->rows)
        return text_format(printer->arena, "%s[%s]", ident(np, source), index);
    if (zero)
        return text_format(printer->arena, "%s[r + l]", ident(np, source));
    bool sum = strpbrk(index, " +") != NULL;
    return text_format(printer->arena, sum ? "%s[(%s) * T + r + l]" : "%s[%s * T + r + l]", ident(np, source), index);
}

static const char *operand_text(struct nest_printer *np, const struct access *access, int64_t element) {
    return source_text(np, access, index_text(np, access, element), element);
}

/* ---- maths ---- */

/* Prints the tokens of an operator's maths with the operands in place of a, b and c. */
static const char *maths_text(struct nest_printer *np, const struct node *node, const char *const *operands) {
    struct printer *printer = np->printer;
    enum element element = node->type.element;
    struct text text = {.arena = printer->arena};
    for (const char *p = operators[node->operator].maths; *p;) {
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

static const char *elementwise_text(struct nest_printer *np, const struct node *node, int64_t element) {
    const char *operands[3] = {"", "", ""};
    for (int k = 0; k < node->input_count; k++) {
        struct access access = plan_operand(node, k);
        operands[k] = operand_text(np, &access, element);
    }
    if (node->operator == OPERATOR_convert)
        return text_format(np->printer->arena, "(%s)%s", real_name(node->type.element), operands[0]);
    if (node->operator == OPERATOR_copy)
        return operands[0];
    return maths_text(np, node, operands);
}

/* A value put back among zeros. */
static const char *pad_text(struct nest_printer *np, const struct node *node, int64_t element) {
    const struct shape *wide = &node->type.shape, *narrow = &node->inputs[0]->type.shape;
    const struct attributes *a = &node->attributes;
    struct access access = access_of(node->inputs[0], narrow);
    struct arena *arena = np->printer->arena;
    int64_t inside = 1;
    for (int axis = (int)a->axis + 1; axis < wide->rank; axis++)
        inside *= wide->dims[axis] == BATCH ? 1 : wide->dims[axis];
    int64_t size = wide->dims[a->axis], short_size = narrow->dims[a->axis];
    const char *zero = number_text(np->printer, 0, node->type.element);
    if (element >= 0) {
        int64_t along = element / inside % size - a->start;
        bool there = along % a->step == 0 && along / a->step >= 0 && along / a->step < short_size;
        if (!there)
            return zero;
        return operand_text(np, &access,
                            (element / inside / size * short_size + along / a->step) * inside + element % inside);
    }
    /* In a loop the operand is read through a table of places: -1 where there is none. */
    struct text table = {.arena = arena};
    for (int64_t e = 0; e < np->nest->size; e++) {
        int64_t along = e / inside % size - a->start;
        bool there = along % a->step == 0 && along / a->step >= 0 && along / a->step < short_size;
        int64_t from = (e / inside / size * short_size + along / a->step) * inside + e % inside;
        text_print(&table, "%s%lld", e ? ", " : "", there ? (long long)access_index(&access, from) : -1LL);
    }
    text_print(np->out, "%sstatic const int %s_place[%lld] = {%s};\n", np->indent, ident(np, node),
               (long long)np->nest->size, text_string(&table));
    const char *place = text_format(arena, "%s_place[u]", ident(np, node));
    const char *inner = text_format(arena, "(%s < 0 ? 0 : %s)", place, place);
    access.identity = access.uniform = false;
    return text_format(arena, "%s < 0 ? %s : %s", place, zero, source_text(np, &access, inner, -1));
}

/* The access of a reduction's operand at step k of result `element` (or u). */
static const char *term_text(struct nest_printer *np, const struct access *access, int64_t length, int64_t element,
                             int64_t k) {
    if (element >= 0)
        return operand_text(np, access, element * length + k);
    struct access outer = *access; /* all axes but the last, which is at k */
    outer.rank--;
    outer.offset += k * access->strides[access->rank - 1];
    outer.identity = outer.uniform = false;
    return source_text(np, &outer, index_text(np, &outer, -1), -1);
}

static void print_fold(struct nest_printer *np, const struct node *node, const char *name, int64_t element) {
    int64_t length;
    struct access access = plan_fold_operand(node, &length);
    const char *real = real_name(node->type.element);
    text_print(np->out, "%s%s %s = %s;\n", np->indent, real, name, term_text(np, &access, length, element, 0));
    for (int64_t k = 1; k < length; k++) {
        const char *term = term_text(np, &access, length, element, k);
        if (node->operator == OPERATOR_sum)
            text_print(np->out, "%s%s = %s + %s;\n", np->indent, name, name, term);
        else {
            enum operator_code step = node->operator == OPERATOR_max ? OPERATOR_maximum : OPERATOR_minimum;
            struct node like = {.operator = step, .type = node->type};
            text_print(np->out, "%s%s = %s;\n", np->indent, name,
                       maths_text(np, &like, (const char *const[]){name, term, ""}));
        }
    }
}

/* An operand of a matmul for result (i, j) and term k; i and j are numbers, or in a loop found from u. */
static const char *factor_text(struct nest_printer *np, const struct matmul *mm, const struct access *access, bool left,
                               int64_t element, int64_t k) {
    int rank = access->rank;
    struct access at = *access; /* becomes an access over the result: [lead.., m, n] */
    at.sizes[rank - 2] = mm->m;
    at.sizes[rank - 1] = mm->n;
    at.strides[rank - 2] = left ? access->strides[rank - 2] : 0;
    at.strides[rank - 1] = left ? 0 : access->strides[rank - 1];
    at.offset += k * (left ? access->strides[rank - 1] : access->strides[rank - 2]);
    at.identity = at.uniform = false;
    return source_text(np, &at, index_text(np, &at, element), element);
}

static void print_matmul(struct nest_printer *np, const struct node *node, const char *name, int64_t element) {
    struct matmul mm = plan_matmul(node);
    const char *real = real_name(node->type.element);
    int64_t k = 0;
    if (node->operator == OPERATOR_affine)
        text_print(np->out, "%s%s %s = %s;\n", np->indent, real, name, operand_text(np, &mm.c, element));
    else {
        text_print(np->out, "%s%s %s = %s * %s;\n", np->indent, real, name, factor_text(np, &mm, &mm.a, true, element, 0),
                   factor_text(np, &mm, &mm.b, false, element, 0));
        k = 1;
    }
    const char *fma = use_kernel(np->printer, "nn_fma", node->type.element);
    for (; k < mm.k; k++)
        text_print(np->out, "%s%s = %s(%s, %s, %s);\n", np->indent, name, fma,
                   factor_text(np, &mm, &mm.a, true, element, k), factor_text(np, &mm, &mm.b, false, element, k), name);
}

/* ---- statements ---- */

static void print_store(struct nest_printer *np, struct node *node, const char *name, const char *index) {
    if (plan_placement(np->printer->plan, node)->local)
        return;
    use_memory(np, node, true);
    if (!np->rows)
        text_print(np->out, "%s%s[%s] = %s;\n", np->indent, ident(np, node), index, name);
    else if (strcmp(index, "0") == 0)
        text_print(np->out, "%s%s[r + l] = %s;\n", np->indent, ident(np, node), name);
    else
        text_print(np->out, "%s%s[%s * T + r + l] = %s;\n", np->indent, ident(np, node), index, name);
}

/* ---- elements that are written out one by one, and those of them that nothing reads ---- */

static bool touches(const struct access *access, const struct node *source, int64_t element, int64_t from,
                    int64_t count, int64_t step) {
    for (int64_t k = 0; access->source == source && k < count; k++)
        if (access_index(access, from + k * step) == element)
            return true;
    return false;
}

/* Does element `result` of the reader read `element` of the source? */
static bool reads_element(const struct node *reader, int64_t result, const struct node *source, int64_t element) {
    if (reader->operator == OPERATOR_matmul || reader->operator == OPERATOR_affine) {
        struct matmul mm = plan_matmul(reader);
        int64_t lead = result / (mm.m * mm.n), p = result / mm.n % mm.m, q = result % mm.n;
        return touches(&mm.a, source, element, (lead * mm.m + p) * mm.k, mm.k, 1) ||
               touches(&mm.b, source, element, lead * mm.k * mm.n + q, mm.k, mm.n) ||
               (reader->operator == OPERATOR_affine && touches(&mm.c, source, element, result, 1, 1));
    }
    if (operators[reader->operator].kind == KIND_FOLD) {
        int64_t length;
        struct access access = plan_fold_operand(reader, &length);
        return touches(&access, source, element, result * length, length, 1);
    }
    for (int k = 0; k < reader->input_count; k++) {
        bool is_pad = reader->operator == OPERATOR_pad; /* puts every element of its operand somewhere */
        struct access access = is_pad ? access_of(reader->inputs[0], &reader->inputs[0]->type.shape) : plan_operand(reader, k);
        int64_t count = is_pad ? shape_inner_size(&reader->inputs[0]->type.shape) : 1;
        if (touches(&access, source, element, is_pad ? 0 : result, count, 1))
            return true;
    }
    return false;
}

/* A slice may leave elements of a register without a reader: C compilers warn of those. */
static bool is_needed(const struct nest_printer *np, const struct node *node, int64_t element) {
    if (!plan_placement(np->printer->plan, node)->local)
        return true;
    for (int i = 0; i < np->nest->count; i++) {
        const struct node *reader = np->nest->nodes[i];
        bool sweep = plan_placement(np->printer->plan, reader)->sweep;
        for (int64_t e = 0; reader->id > node->id && e < shape_inner_size(&reader->type.shape); e++)
            if (reads_element(reader, e, node, element) && (sweep || is_needed(np, reader, e)))
                return true;
    }
    return false;
}

/* One element (element >= 0) or the loop's element u of a node's value. */
static void print_value(struct nest_printer *np, struct node *node, int64_t element) {
    struct arena *arena = np->printer->arena;
    const char *index = element >= 0 ? text_format(arena, "%lld", (long long)element) : np->nest->size == 1 ? "0" : "u";
    const char *name = np->nest->kind == NEST_UNROLLED ? text_format(arena, "%s_%s", ident(np, node), index)
                                                       : text_format(arena, "%s_r", ident(np, node));
    print_origin(np->printer, node, np->indent, np->out);
    if (node->operator == OPERATOR_assign) {
        struct access value = plan_operand(node, 1);
        const char *text = operand_text(np, &value, element);
        use_memory(np, node->inputs[0], true);
        text_print(np->out, "%s%s[%s] = %s;\n", np->indent, ident(np, node->inputs[0]), index, text);
        return;
    }
    if (operators[node->operator].kind == KIND_FOLD)
        print_fold(np, node, name, element);
    else if (node->operator == OPERATOR_matmul || node->operator == OPERATOR_affine)
        print_matmul(np, node, name, element);
    else {
        const char *text = node->operator == OPERATOR_pad ? pad_text(np, node, element) : elementwise_text(np, node, element);
        text_print(np->out, "%sconst %s %s = %s;\n", np->indent, real_name(node->type.element), name, text);
    }
    print_store(np, node, name, index);
}

/* ---- sweeps: sums over the batch, LANES at a time ---- */

/* What one sweep adds up inside a nest: `count` results for each element of the loop. */
struct sums {
    const struct node *node;
    int64_t count;
    bool over_m; /* a matmul: the loop goes over m, the results over n; else the other way round */
};

static struct sums sums_of(const struct nest_printer *np, const struct node *node) {
    struct sums sums = {.node = node, .count = 1};
    if (operators[node->operator].kind == KIND_FOLD) {
        if (np->nest->kind == NEST_UNROLLED)
            sums.count = shape_inner_size(&node->type.shape);
        return sums;
    }
    struct matmul mm = plan_matmul(node);
    if (np->nest->kind == NEST_UNROLLED) {
        sums.count = mm.m * mm.n;
        return sums;
    }
    struct access a = mm.a;
    const struct placement *left = plan_placement(np->printer->plan, a.source);
    const struct placement *right = plan_placement(np->printer->plan, mm.b.source);
    bool left_here = left->group == np->group && left->nest == np->index;
    bool right_here = right->group == np->group && right->nest == np->index;
    sums.over_m = np->nest->size == mm.m && a.identity && !right_here;
    if (!left_here && !right_here && np->nest->size == mm.n && mm.b.identity && np->nest->size != mm.m)
        sums.over_m = false;
    sums.count = sums.over_m ? mm.n : mm.m;
    return sums;
}


/* Where sum c of the loop's element lies among the node's results. */
static const char *sum_index(struct nest_printer *np, const struct sums *sums, int64_t c) {
    struct arena *arena = np->printer->arena;
    if (np->nest->kind == NEST_UNROLLED)
        return text_format(arena, "%lld", (long long)c);
    if (np->nest->size == 1 && sums->count == 1)
        return "0";
    if (operators[sums->node->operator].kind == KIND_FOLD || sums->count == 1)
        return "u";
    if (sums->over_m)
        return text_format(arena, "(u * %lld + %lld)", (long long)sums->count, (long long)c);
    return text_format(arena, "(%lld + u)", (long long)(c * np->nest->size));
}

static void print_sums_start(struct nest_printer *np, const struct node *node, const char *indent) {
    struct sums sums = sums_of(np, node);
    int lanes = lanes_of(node->type.element);
    use_memory(np, (struct node *)node, true);
    for (int64_t c = 0; c < sums.count; c++)
        text_print(np->out, "%s%s %s_%lld[%d];\n%sfor (long l = 0; l < %d; l++)\n%s    %s_%lld[l] = %s[%s * %d + l];\n",
                   indent, real_name(node->type.element), ident(np, node), (long long)c, lanes, indent, lanes, indent,
                   ident(np, node), (long long)c, ident(np, node), sum_index(np, &sums, c), lanes);
}

static void print_sums_end(struct nest_printer *np, const struct node *node, const char *indent) {
    struct sums sums = sums_of(np, node);
    int lanes = lanes_of(node->type.element);
    text_print(np->out, "%sfor (long l = 0; l < %d; l++) {\n", indent, lanes);
    for (int64_t c = 0; c < sums.count; c++)
        text_print(np->out, "%s    %s[%s * %d + l] = %s_%lld[l];\n", indent, ident(np, node), sum_index(np, &sums, c), lanes,
                   ident(np, node), (long long)c);
    text_print(np->out, "%s}\n", indent);
}

/* The row's terms.  Where the vector is not whole, rows past the end of the batch change nothing. */
static void print_sum_terms(struct nest_printer *np, const struct node *node) {
    struct sums sums = sums_of(np, node);
    const char *real = real_name(node->type.element), *name = ident(np, node);
    print_origin(np->printer, node, np->indent, np->out);
    for (int64_t c = 0; c < sums.count; c++) {
        bool unrolled = np->nest->kind == NEST_UNROLLED;
        const char *sum = text_format(np->printer->arena, "%s_%lld[l]", name, (long long)c), *next;
        if (operators[node->operator].kind == KIND_FOLD) {
            int64_t length;
            struct access access = plan_fold_operand(node, &length);
            const char *term = operand_text(np, &access, unrolled ? c : -1);
            if (node->operator == OPERATOR_sum)
                next = text_format(np->printer->arena, "%s + %s", sum, term);
            else {
                enum operator_code step = node->operator == OPERATOR_max ? OPERATOR_maximum : OPERATOR_minimum;
                struct node like = {.operator = step, .type = node->type};
                next = maths_text(np, &like, (const char *const[]){sum, term, ""});
            }
        } else {
            struct matmul mm = plan_matmul(node);
            struct access a = mm.a, b = mm.b;
            int64_t i = unrolled ? c / mm.n : sums.over_m ? -1 : c, j = unrolled ? c % mm.n : sums.over_m ? c : -1;
            next = text_format(np->printer->arena, "%s(%s, %s, %s)", use_kernel(np->printer, "nn_fma", node->type.element),
                               operand_text(np, &a, i), operand_text(np, &b, j), sum);
        }
        text_print(np->out, "%sconst %s %s_%lld_next = %s;\n", np->indent, real, name, (long long)c, next);
        const char *f = node->type.element == ELEMENT_F32 ? "f" : "";
        use_kernel(np->printer, "nn_bits", node->type.element);
        text_print(np->out, "%s%s = whole ? %s_%lld_next : nn_select%s(valid%s[l], %s_%lld_next, %s);\n", np->indent, sum,
                   name, (long long)c, f, f, name, (long long)c, sum);
    }
}

static bool is_sweep_node(const struct nest_printer *np, const struct node *node) {
    return plan_placement(np->printer->plan, node)->sweep;
}

/* ---- whole nests ---- */

static void print_row_nest(struct nest_printer *np) {
    const struct nest *nest = np->nest;
    for (int i = 0; i < nest->count; i++)
        np->sums = np->sums || is_sweep_node(np, nest->nodes[i]);
    bool loop = nest->kind == NEST_LOOP && nest->size > 1;
    const char *outer = loop ? "        " : "    ";
    int lanes = lanes_of(nest->element);
    if (loop)
        text_print(np->out, "    for (long u = 0; u < %lld; u++) {\n", (long long)nest->size);
    for (int i = 0; i < nest->count; i++)
        if (is_sweep_node(np, nest->nodes[i]))
            print_sums_start(np, nest->nodes[i], outer);
    text_print(np->out, "%sfor (long r = %s; r += %d)\n%s    for (long l = 0; l < %d; l++) {\n", outer,
               np->sums ? "from; r < to" : "0; r < m", lanes, outer, lanes);
    np->indent = loop ? "                " : "            ";
    for (int i = 0; i < nest->count; i++) {
        struct node *node = nest->nodes[i];
        int64_t elements = nest->kind == NEST_UNROLLED ? shape_inner_size(&node->type.shape) : 1;
        if (is_sweep_node(np, node))
            print_sum_terms(np, node);
        else
            for (int64_t e = 0; e < elements; e++)
                if (nest->kind != NEST_UNROLLED || is_needed(np, node, e))
                    print_value(np, node, nest->kind == NEST_UNROLLED ? e : nest->size == 1 ? 0 : -1);
    }
    text_print(np->out, "%s    }\n", outer);
    for (int i = 0; i < nest->count; i++)
        if (is_sweep_node(np, nest->nodes[i]))
            print_sums_end(np, nest->nodes[i], outer);
    if (loop)
        text_print(np->out, "    }\n");
}

static void print_once_nest(struct nest_printer *np) {
    const struct nest *nest = np->nest;
    bool loop = nest->size > 1;
    np->indent = loop ? "        " : "    ";
    if (loop)
        text_print(np->out, "    for (long u = 0; u < %lld; u++) {\n", (long long)nest->size);
    for (int i = 0; i < nest->count; i++)
        print_value(np, nest->nodes[i], loop ? -1 : 0);
    if (loop)
        text_print(np->out, "    }\n");
}

/* ---- kernels ---- */

/* Address of plane or element `index` of a matmul's operand. */
static const char *address(struct nest_printer *np, const struct access *access, const char *index) {
    struct printer *printer = np->printer;
    if (access->source->operator == OPERATOR_constant || access->source->operator == OPERATOR_rows ||
        access->source->operator == OPERATOR_step || access->source->operator == OPERATOR_coordinate) {
        diagnostic_error(printer->sink, access->source->span, "a large '@' of numbers known beforehand cannot be emitted");
        return "0";
    }
    use_memory(np, access->source, false);
    return text_format(printer->arena, access->rows ? "%s + (%s) * T" : "%s + (%s)", ident(np, access->source), index);
}

static const char *strided(struct nest_printer *np, int64_t offset, const char *variable, int64_t stride) {
    return text_format(np->printer->arena, "%lld + %s * %lld", (long long)offset, variable, (long long)stride);
}

/* The offset of an operand for the `lead`-th matrix of a stack. */
static int64_t lead_offset(const struct access *access, int64_t lead) {
    int64_t offset = access->offset;
    for (int axis = access->rank - 3; axis >= 0; axis--) {
        offset += lead % access->sizes[axis] * access->strides[axis];
        lead /= access->sizes[axis];
    }
    return offset;
}

static void print_matmul_rows(struct nest_printer *np, struct node *node, const struct matmul *mm, int64_t lead) {
    bool affine = node->operator == OPERATOR_affine, left = mm->a.rows;
    int ra = mm->a.rank, rb = mm->b.rank, rc = mm->c.rank;
    int64_t ai = mm->a.strides[ra - 2], ak = mm->a.strides[ra - 1], bk = mm->b.strides[rb - 2], bj = mm->b.strides[rb - 1];
    int64_t ci = affine ? mm->c.strides[rc - 2] : 0, cj = affine ? mm->c.strides[rc - 1] : 0;
    int64_t a0 = lead_offset(&mm->a, lead), b0 = lead_offset(&mm->b, lead), c0 = affine ? lead_offset(&mm->c, lead) : 0;
    long long m = (long long)mm->m, n = (long long)mm->n, k = (long long)mm->k;
    const char *start = "NULL", *result;
    use_memory(np, node, true);
    if (mm->a.rows && mm->b.rows) {
        text_print(np->out, "    for (int i = 0; i < %lld; i++)\n        for (int j = 0; j < %lld; j++)\n", m, n);
        if (affine)
            start = address(np, &mm->c, text_format(np->printer->arena, "%lld + i * %lld + j * %lld", (long long)c0,
                                                    (long long)ci, (long long)cj));
        text_print(np->out, "            %s(%lld, m, T, %s, %lld, %s, %lld, %s, %d, %s + (%lld + i * %lld + j) * T);\n",
                   use_kernel(np->printer, "nn_matmul_planes", node->type.element), k,
                   address(np, &mm->a, strided(np, a0, "i", ai)), (long long)ak,
                   address(np, &mm->b, strided(np, b0, "j", bj)), (long long)bk, start, mm->c.rows, ident(np, node),
                   (long long)(lead * mm->m * mm->n), n);
        return;
    }
    long long outer = left ? m : n, results = left ? n : m;
    const char *x = left ? address(np, &mm->a, strided(np, a0, "o", ai)) : address(np, &mm->b, strided(np, b0, "o", bj));
    text_print(np->out, "    for (int o = 0; o < %lld; o++)\n", outer);
    if (left || n == 1) {
        if (affine)
            start = address(np, &mm->c, strided(np, c0, "o", left ? ci : cj));
        result = text_format(np->printer->arena, "%s + (%lld + o * %lld) * T", ident(np, node),
                             (long long)(lead * mm->m * mm->n), left ? n : 1);
        text_print(np->out, "        %s(%lld, %lld, m, T, %s, %lld, %s, %lld, %lld, %s, %lld, %d, %s);\n",
                   use_kernel(np->printer, "nn_matmul_rows", node->type.element), results, k, x,
                   (long long)(left ? ak : bk),
                   address(np, left ? &mm->b : &mm->a, text_format(np->printer->arena, "%lld", (long long)(left ? b0 : a0))),
                   (long long)(left ? bk : ak), (long long)(left ? bj : ai), start, (long long)(left ? cj : ci), mm->c.rows,
                   result);
        return;
    }
    if (affine)
        start = address(np, &mm->c, text_format(np->printer->arena, "%lld + o * %lld + i * %lld", (long long)c0,
                                                (long long)cj, (long long)ci));
    text_print(np->out, "        for (int i = 0; i < %lld; i++)\n", m);
    text_print(np->out, "            %s(1, %lld, m, T, %s, %lld, %s, %lld, 0, %s, 0, %d, %s + (%lld + i * %lld + o) * T);\n",
               use_kernel(np->printer, "nn_matmul_rows", node->type.element), k, x, (long long)bk,
               address(np, &mm->a, strided(np, a0, "i", ai)), (long long)ak, start, mm->c.rows, ident(np, node),
               (long long)(lead * mm->m * mm->n), n);
}

static void print_matmul_sweep(struct nest_printer *np, struct node *node, const struct matmul *mm, int64_t lead) {
    int64_t ai = mm->a.strides[mm->a.rank - 2], bj = mm->b.strides[mm->b.rank - 1], each = mm->m * mm->n;
    const char *a = address(np, &mm->a, text_format(np->printer->arena, "%lld", (long long)lead_offset(&mm->a, lead)));
    const char *b = address(np, &mm->b, text_format(np->printer->arena, "%lld", (long long)lead_offset(&mm->b, lead)));
    use_memory(np, node, true);
    if (!mm->a.rows || !mm->b.rows)
        diagnostic_error(np->printer->sink, node->span,
                         "a sum over the batch of a large product with a value that has no rows cannot be emitted");
    if (mm->kind == MATMUL_LANES)
        text_print(np->out, "    %s(%lld, %lld, rows, T, %s, %lld, %s, %lld, %s + %lld);\n",
                   use_kernel(np->printer, "nn_matmul_lanes", node->type.element), (long long)mm->m, (long long)mm->n, a,
                   (long long)ai, b, (long long)bj, ident(np, node),
                   (long long)(lead * each * lanes_of(node->type.element)));
    else
        text_print(np->out, "    %s(%lld, %lld, rows, T, %s, %lld, %s, %lld, %s + %lld, %lld, 1);\n",
                   use_kernel(np->printer, "nn_matmul_chain", node->type.element), (long long)mm->m, (long long)mm->n, a,
                   (long long)ai, b, (long long)bj, ident(np, node), (long long)(lead * each), (long long)mm->n);
}

static void print_matmul_once(struct nest_printer *np, struct node *node, const struct matmul *mm, int64_t lead) {
    bool affine = node->operator == OPERATOR_affine;
    int ra = mm->a.rank, rb = mm->b.rank, rc = mm->c.rank;
    struct arena *arena = np->printer->arena;
    use_memory(np, node, true);
    text_print(np->out, "    %s(%lld, %lld, %lld, %s, %lld, %lld, %s, %lld, %lld, %s, %lld, %lld, %s + %lld);\n",
               use_kernel(np->printer, "nn_matmul_once", node->type.element), (long long)mm->m, (long long)mm->n,
               (long long)mm->k, address(np, &mm->a, text_format(arena, "%lld", (long long)lead_offset(&mm->a, lead))),
               (long long)mm->a.strides[ra - 2], (long long)mm->a.strides[ra - 1],
               address(np, &mm->b, text_format(arena, "%lld", (long long)lead_offset(&mm->b, lead))),
               (long long)mm->b.strides[rb - 2], (long long)mm->b.strides[rb - 1],
               affine ? address(np, &mm->c, text_format(arena, "%lld", (long long)lead_offset(&mm->c, lead))) : "NULL",
               (long long)(affine ? mm->c.strides[rc - 2] : 0), (long long)(affine ? mm->c.strides[rc - 1] : 0),
               ident(np, node), (long long)(lead * mm->m * mm->n));
}

/* A fold of many terms: term by term for all rows of a result, so that rows stay in lanes. */
static void print_long_fold(struct nest_printer *np, struct node *node) {
    int64_t length, size = shape_inner_size(&node->type.shape);
    struct access access = plan_fold_operand(node, &length);
    const char *name = ident(np, node), *rows = np->rows ? " * T + r" : "";
    struct access step = access;
    use_memory(np, access.source, false);
    use_memory(np, node, true);
    step.identity = step.uniform = false;
    const char *index = index_text(np, &step, -1); /* over u = result * length + k */
    text_print(np->out, "    for (int v = 0; v < %lld; v++)\n        for (int k = 0; k < %lld; k++) {\n", (long long)size,
               (long long)length);
    text_print(np->out, "            const int u = v * %lld + k;\n", (long long)length);
    text_print(np->out, "            const int at = %s;\n", index);
    text_print(np->out, "            for (long r = 0; r < %s; r++) {\n", np->rows ? "m" : "1");
    const char *real = real_name(node->type.element);
    const char *term = access.rows ? text_format(np->printer->arena, "%s[at * T + r]", ident(np, access.source))
                                   : text_format(np->printer->arena, "%s[at]", ident(np, access.source));
    const char *sum = text_format(np->printer->arena, "%s[v%s]", name, rows);
    enum operator_code op = node->operator == OPERATOR_sum ? OPERATOR_add : node->operator == OPERATOR_max ? OPERATOR_maximum : OPERATOR_minimum;
    struct node like = {.operator = op, .type = node->type};
    text_print(np->out, "                const %s a = %s, b = %s;\n", real, sum, term);
    text_print(np->out, "                %s = k == 0 ? b : %s;\n            }\n        }\n", sum,
               maths_text(np, &like, (const char *const[]){"(a)", "b", ""}));
}

static void print_random(struct nest_printer *np, struct node *node) {
    bool normal = node->operator == OPERATOR_normal;
    const char *real = real_name(node->type.element);
    use_memory(np, node, true);
    text_print(np->out, "    for (long u = 0; u < %lld; u++)\n        %s[u] = (%s)", (long long)shape_inner_size(&node->type.shape),
               ident(np, node), real);
    if (np->printer->model->training.generator == GENERATOR_NUMPY)
        text_print(np->out, "%s(stream);\n",
                   use_kernel(np->printer, normal ? "nn_numpy_normal" : "nn_numpy_sample", ELEMENT_F64));
    else
        text_print(np->out, "%s(seed, %lld, (uint64_t)u);\n",
                   use_kernel(np->printer, normal ? "nn_normal" : "nn_uniform", ELEMENT_F64),
                   (long long)node->attributes.index);
}

static void print_kernel_nest(struct nest_printer *np) {
    struct node *node = np->nest->nodes[0];
    print_origin(np->printer, node, "    ", np->out);
    if (node->operator == OPERATOR_uniform || node->operator == OPERATOR_normal) {
        print_random(np, node);
        return;
    }
    if (operators[node->operator].kind == KIND_FOLD) {
        print_long_fold(np, node);
        return;
    }
    struct matmul mm = plan_matmul(node);
    for (int64_t lead = 0; lead < mm.lead; lead++) {
        if (mm.kind == MATMUL_ROWS)
            print_matmul_rows(np, node, &mm, lead);
        else if (mm.kind == MATMUL_ONCE)
            print_matmul_once(np, node, &mm, lead);
        else
            print_matmul_sweep(np, node, &mm, lead);
    }
}

/* ---- functions ---- */

/* The address that a call passes for a node's memory. */
static const char *memory_text(struct nest_printer *np, const struct node *node) {
    struct printer *printer = np->printer;
    const struct plan *plan = printer->plan;
    const struct placement *p = plan_placement(plan, node);
    enum element e = node->type.element;
    if (node->operator == OPERATOR_weight)
        return text_format(printer->arena, "s->%s", printer->weight_names[node->attributes.index]);
    const char *work = text_format(printer->arena, "s->%s", work_name(e));
    int64_t tile = plan->tile_planes[e] * plan->tile, once = plan->once_size[e];
    if (p->place == PLACE_TILE)
        return text_format(printer->arena, "%s + %lld", work, (long long)(p->offset * plan->tile));
    if (p->place == PLACE_KEPT)
        return text_format(printer->arena, "%s + %lld + tile * %lld", work,
                           (long long)(tile + once + p->offset * plan->tile),
                           (long long)(plan->kept_planes[e] * plan->tile));
    return text_format(printer->arena, "%s + %lld", work, (long long)(tile + (p->lanes >= 0 && np->rows ? p->lanes : p->offset)));
}

/* What the function computes, for its name: its last named value, else the first. */
static const char *function_name(struct nest_printer *np) {
    const struct node *best = np->nest->nodes[0];
    for (int i = 0; i < np->nest->count; i++)
        if (np->nest->nodes[i]->name && np->nest->nodes[i]->operator != OPERATOR_assign)
            best = np->nest->nodes[i];
    const char *ending = best->operator == OPERATOR_assign ? np->printer->idents[best->inputs[0]->id] : ident(np, best);
    const char *name = text_format(np->printer->arena, "%s_%s_%s%s", np->printer->prefix, np->printer->job,
                                   best->operator == OPERATOR_assign ? "update_" : "", ending);
    return unique_ident(np->printer->arena, np->printer->functions, name);
}

static void print_function(struct nest_printer *np, struct text *body, struct text *calls) {
    struct printer *printer = np->printer;
    struct text head = {.arena = printer->arena}, arguments = {.arena = printer->arena};
    const char *name = function_name(np);
    bool numpy = printer->model->training.generator == GENERATOR_NUMPY;
    bool random = np->nest->nodes[0]->operator == OPERATOR_uniform || np->nest->nodes[0]->operator == OPERATOR_normal;
    bool kernel = np->nest->kind == NEST_KERNEL;
    if (np->sums) {
        text_print(&head, "long from, long to, const int whole, const uint%d_t *valid%s", np->nest->element == ELEMENT_F32 ? 32 : 64,
                   np->nest->element == ELEMENT_F32 ? "f" : "");
    } else if (np->rows) {
        text_print(&head, kernel ? "int m, int rows" : "int m");
        text_print(&arguments, kernel ? "m, rows" : "m");
    }
    if (np->uses_batch_rows) {
        text_print(&head, "%slong batch_rows", head.length ? ", " : "");
        text_print(&arguments, "%sbatch_rows", arguments.length ? ", " : "");
    }
    if (np->uses_step) {
        text_print(&head, "%sdouble step", head.length ? ", " : "");
        text_print(&arguments, "%sstep", arguments.length ? ", " : "");
    }
    if (random) {
        text_print(&head, "%s", numpy ? "struct nn_numpy *stream" : "uint64_t seed");
        text_print(&arguments, "%s", numpy ? "stream" : "seed");
    }
    for (int i = 0; i < np->used_count; i++) {
        const struct node *node = np->used[i];
        text_print(&head, "%s%s%s *restrict %s", head.length ? ", " : "", np->written[i] ? "" : "const ",
                   real_name(node->type.element), ident(np, node));
        text_print(&arguments, "%s%s", arguments.length ? ", " : "", memory_text(np, node));
    }
    text_print(&printer->body, "%s void %s(%s) {\n", np->sums ? "NN_INLINE" : "static", name, text_string(&head));
    if (strstr(text_string(body), "T"))
        text_print(&printer->body, "    enum { T = %d };\n", printer->plan->tile);
    if (np->rows && kernel && !strstr(text_string(body), " rows,"))
        text_print(&printer->body, "    (void)rows;\n");
    if (np->rows && kernel && !strstr(text_string(body), "< m;") && !strstr(text_string(body), " m, T"))
        text_print(&printer->body, "    (void)m;\n");
    text_print(&printer->body, "%s}\n\n", text_string(body));
    const char *rest = text_string(&arguments), *comma = arguments.length ? ", " : "";
    int lanes = lanes_of(np->nest->element);
    if (np->sums)
        text_print(calls,
                   "        %s(0, rows / %d * %d, 1, valid%s%s%s);\n        if (rows %% %d)\n"
                   "            %s(rows / %d * %d, rows, 0, valid%s%s%s);\n",
                   name, lanes, lanes, np->nest->element == ELEMENT_F32 ? "f" : "", comma, rest, lanes, name, lanes, lanes,
                   np->nest->element == ELEMENT_F32 ? "f" : "", comma, rest);
    else
        text_print(calls, "%s%s(%s);\n", np->rows ? "        " : "    ", name, rest);
}

void print_group(struct printer *printer, int group, struct text *calls) {
    const struct group *of = &printer->plan->groups[group];
    for (int n = 0; n < of->nest_count; n++) {
        struct text body = {.arena = printer->arena};
        struct nest_printer np = {.printer = printer, .nest = &of->nests[n], .group = group, .index = n, .rows = of->rows};
        np.out = &body;
        printer->last_line = NULL;
        if (np.nest->kind == NEST_KERNEL)
            print_kernel_nest(&np);
        else if (of->rows)
            print_row_nest(&np);
        else
            print_once_nest(&np);
        print_function(&np, &body, calls);
    }
}
