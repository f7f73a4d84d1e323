/* One element of one node in C: where its operands lie, and its maths. */
#include "emit/nest.h"
#include "graph/operator.h"

#include <ctype.h>
#include <string.h>

static const char *source_text(struct nest_printer *np, const struct access *access, const char *index,
                               int64_t element);

/* ---- blocks ---- */

static const int64_t *strides_of(const struct nest_printer *np, const struct node *node) {
    int i = 0;
    while (np->nest->nodes[i] != node)
        i++;
    return np->nest->blocks->strides[i];
}

int64_t nest_block_size(const struct nest_printer *np, const struct node *node) {
    const struct blocks *blocks = np->nest->blocks;
    const int64_t *strides = strides_of(np, node);
    int64_t count = 1;
    for (int axis = 0; axis < blocks->rank; axis++)
        count *= blocks->written[axis] && strides[axis] ? blocks->sizes[axis] : 1;
    return count;
}

/* Where in its iteration the block's element `element` of a node is: in the first block, and for a step along
 * each axis that is a loop. */
static int64_t first_place(const struct nest_printer *np, const struct node *node, int64_t element) {
    const struct blocks *blocks = np->nest->blocks;
    const int64_t *strides = strides_of(np, node);
    int64_t place = 0;
    for (int axis = blocks->rank - 1; axis >= 0; axis--)
        if (blocks->written[axis] && strides[axis]) {
            place += element % blocks->sizes[axis] * strides[axis];
            element /= blocks->sizes[axis];
        }
    return place;
}

/* Which element of its block is the one that lies at `place` in the first block? */
static int64_t element_at(const struct nest_printer *np, const struct node *node, int64_t place) {
    int64_t element = 0;
    while (first_place(np, node, element) != place)
        element++;
    return element;
}

/* The index that `access` has for a place of the node at hand: each step is `length` of the access's. */
static const char *block_index(const struct nest_printer *np, const struct access *access, int64_t length,
                               int64_t within) {
    const struct blocks *blocks = np->nest->blocks;
    const int64_t *strides = strides_of(np, np->node), start = access_index(access, within);
    struct text text = {.arena = np->printer->arena};
    for (int axis = 0; axis < blocks->rank; axis++) {
        if (blocks->written[axis] || blocks->sizes[axis] == 1)
            continue;
        const int64_t step = access_index(access, strides[axis] * length) - access->offset;
        if (step)
            text_print(&text, step == 1 ? "%su%d" : "%su%d * %lld", text.length ? " + " : "", axis,
                       (long long)step);
    }
    if (start || !text.length)
        text_print(&text, "%s%lld", text.length ? " + " : "", (long long)start);
    return text_string(&text);
}

/* The operand of a node in blocks: element `element` of its iteration, in a fold counted with its terms. */
static const char *block_operand(struct nest_printer *np, const struct access *access, int64_t element) {
    int64_t length = 1;
    if (is_fold(np->node))
        plan_fold_operand(np->node, &length);
    const int64_t within = first_place(np, np->node, element / length) * length + element % length;
    if (nest_holds(np, access->source))
        return nest_register(np, access->source,
                             element_at(np, access->source, access_index(access, within)));
    return source_text(np, access, block_index(np, access, length, within), -1);
}

/* ---- indices ---- */

const char *nest_index(struct nest_printer *np, const struct access *access, int64_t element) {
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

bool nest_is_scaled_weight(const struct node *node) {
    if (node->code != OPERATOR_multiply)
        return false;
    const struct access weight = plan_operand(node, 0), factor = plan_operand(node, 1);
    return weight.source->code == OPERATOR_weight && weight.identity &&
           factor.source->code == OPERATOR_constant;
}

static const char *again_text(struct nest_printer *np, struct node *node, const char *index, int64_t element);

/* An element of the source: a register of this nest, memory, or a number. `index` is C text. */
static const char *source_text(struct nest_printer *np, const struct access *access, const char *index,
                               int64_t element) {
    struct printer *printer = np->printer;
    struct node *source = access->source;
    enum element type = source->type.element;
    switch (source->code) {
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
    bool here = nest_holds(np, source) && !plan_placement(printer->plan, source)->sweep;
    if (here && np->nest->kind == NEST_UNROLLED)
        return text_format(printer->arena, "%s_%s", nest_ident(np, source), index);
    if (here && np->nest->kind == NEST_LOOP)
        return text_format(printer->arena, "%s_r", nest_ident(np, source));
    if (plan_placement(printer->plan, source)->again || (np->one && nest_is_scaled_weight(source)))
        return again_text(np, source, index, element);
    nest_use(np, source, false);
    bool zero = strcmp(index, "0") == 0;
    if (!access->rows || np->one)
        return text_format(printer->arena, "%s[%s]", nest_ident(np, source), index);
    if (zero)
        return text_format(printer->arena, "%s[r + l]", nest_ident(np, source));
    bool sum = strpbrk(index, " +") != NULL;
    return text_format(printer->arena, sum ? "%s[(%s) * T + r + l]" : "%s[%s * T + r + l]",
                       nest_ident(np, source), index);
}

/* An element of a value that is computed again here: its operands are numbers, or read at the same index. */
static const char *again_text(struct nest_printer *np, struct node *node, const char *index,
                              int64_t element) {
    const char *operands[3] = {"", "", ""};
    for (int k = 0; k < operand_count(node); k++) {
        const struct access access = plan_operand(node, k);
        operands[k] = source_text(np, &access, index, element);
    }
    return text_format(np->printer->arena, "(%s)", maths_text(np->printer, node, operands));
}

const char *nest_operand(struct nest_printer *np, const struct access *access, int64_t element) {
    if (np->nest->kind == NEST_BLOCKS)
        return block_operand(np, access, element);
    return source_text(np, access, nest_index(np, access, element), element);
}

/* The step of a value that the round at hand takes. */
static const char *slice_text(struct nest_printer *np, const struct node *node, int64_t element) {
    int64_t step;
    struct access access = plan_slice_operand(node, &step);
    const char *index = nest_index(np, &access, element);
    if (step) {
        np->uses_turn = true;
        index = text_format(np->printer->arena, "%s + turn * %lld", index, (long long)step);
    }
    return source_text(np, &access, index, -1);
}

/* ---- maths ---- */

static const char *elementwise_text(struct nest_printer *np, const struct node *node, int64_t element) {
    const char *operands[3] = {"", "", ""};
    for (int k = 0; k < operand_count(node); k++) {
        struct access access = plan_operand(node, k);
        operands[k] = nest_operand(np, &access, element);
    }
    if (node->code == OPERATOR_convert && node->type.element == ELEMENT_INT)
        return text_format(np->printer->arena, "%s(%s)", use_kernel(np->printer, "nn_int", ELEMENT_INT),
                           operands[0]);
    if (node->code == OPERATOR_convert)
        return text_format(np->printer->arena, "(%s)%s", real_name(node->type.element), operands[0]);
    if (node->code == OPERATOR_copy || node->code == OPERATOR_loop_state ||
        node->code == OPERATOR_loop_stack || node->code == OPERATOR_loop_final)
        return operands[0];
    const char *value = maths_text(np->printer, node, operands);
    if (nest_is_ranged(np, node))
        return text_format(np->printer->arena, "inside ? nn_%s_inside%s(%s) : %s", operators[node->code].name,
                           node->type.element == ELEMENT_F32 ? "f" : "", operands[0], value);
    return value;
}

/* A value put back among zeros. */
static const char *pad_text(struct nest_printer *np, const struct node *node, int64_t element) {
    const struct shape *wide = &node->type.shape, *narrow = &node->inputs[0]->type.shape;
    const struct attributes *a = &node->attributes;
    struct access access = access_of(node->inputs[0], narrow);
    struct arena *arena = np->printer->arena;
    int64_t inside = shape_size_below(wide, a->axis);
    int64_t size = wide->dims[a->axis], short_size = narrow->dims[a->axis];
    const char *outside = number_text(np->printer, a->number, node->type.element);
    if (element >= 0) {
        int64_t along = element / inside % size - a->start;
        bool there = along % a->step == 0 && along / a->step >= 0 && along / a->step < short_size;
        if (!there)
            return outside;
        return nest_operand(np, &access,
                            (element / inside / size * short_size + along / a->step) * inside +
                                element % inside);
    }
    /* In a loop the operand is read through a table of places: -1 where there is none. */
    struct text table = {.arena = arena};
    for (int64_t e = 0; e < np->nest->size; e++) {
        int64_t along = e / inside % size - a->start;
        bool there = along % a->step == 0 && along / a->step >= 0 && along / a->step < short_size;
        int64_t from = (e / inside / size * short_size + along / a->step) * inside + e % inside;
        text_print(&table, "%s%lld", e ? ", " : "", there ? (long long)access_index(&access, from) : -1LL);
    }
    text_print(np->out, "%sstatic const int %s_place[%lld] = {%s};\n", np->indent, nest_ident(np, node),
               (long long)np->nest->size, text_string(&table));
    const char *place = text_format(arena, "%s_place[u]", nest_ident(np, node));
    const char *inner = text_format(arena, "(%s < 0 ? 0 : %s)", place, place);
    access.identity = access.uniform = false;
    return text_format(arena, "%s < 0 ? %s : %s", place, outside, source_text(np, &access, inner, -1));
}

/* The access of a reduction's operand at step k of result `element` (or u). */
static const char *term_text(struct nest_printer *np, const struct access *access, int64_t length,
                             int64_t element, int64_t k) {
    if (element >= 0)
        return nest_operand(np, access, element * length + k);
    struct access outer = *access; /* all axes but the last, which is at k */
    outer.rank--;
    outer.offset += k * access->strides[access->rank - 1];
    outer.identity = outer.uniform = false;
    return source_text(np, &outer, nest_index(np, &outer, -1), -1);
}

static void print_fold(struct nest_printer *np, const struct node *node, const char *name, int64_t element) {
    int64_t length;
    struct access access = plan_fold_operand(node, &length);
    const char *real = real_name(node->type.element);
    text_print(np->out, "%s%s %s = %s;\n", np->indent, real, name,
               term_text(np, &access, length, element, 0));
    for (int64_t k = 1; k < length; k++) {
        const char *term = term_text(np, &access, length, element, k);
        text_print(np->out, "%s%s = %s;\n", np->indent, name,
                   maths_text(np->printer, node, (const char *const[]){name, term, ""}));
    }
}

/* An operand of a matmul for result (i, j) and term k; i and j are numbers, or in a loop found from u. */
static const char *factor_text(struct nest_printer *np, const struct matmul *mm, const struct access *access,
                               bool left, int64_t element, int64_t k) {
    int rank = access->rank;
    struct access at = *access; /* becomes an access over the result: [lead.., m, n] */
    at.sizes[rank - 2] = mm->m;
    at.sizes[rank - 1] = mm->n;
    at.strides[rank - 2] = left ? access->strides[rank - 2] : 0;
    at.strides[rank - 1] = left ? 0 : access->strides[rank - 1];
    at.offset += k * (left ? access->strides[rank - 1] : access->strides[rank - 2]);
    at.identity = at.uniform = false;
    return source_text(np, &at, nest_index(np, &at, element), element);
}

static void print_matmul(struct nest_printer *np, const struct node *node, const char *name,
                         int64_t element) {
    struct matmul mm = plan_matmul(node);
    const char *real = real_name(node->type.element);
    int64_t k = 0;
    if (node->code == OPERATOR_affine)
        text_print(np->out, "%s%s %s = %s;\n", np->indent, real, name, nest_operand(np, &mm.c, element));
    else {
        text_print(np->out, "%s%s %s = %s * %s;\n", np->indent, real, name,
                   factor_text(np, &mm, &mm.a, true, element, 0),
                   factor_text(np, &mm, &mm.b, false, element, 0));
        k = 1;
    }
    const char *fma = use_kernel(np->printer, "nn_fma", node->type.element);
    for (; k < mm.k; k++)
        text_print(np->out, "%s%s = %s(%s, %s, %s);\n", np->indent, name, fma,
                   factor_text(np, &mm, &mm.a, true, element, k),
                   factor_text(np, &mm, &mm.b, false, element, k), name);
}

/* ---- statements ---- */

static void print_store(struct nest_printer *np, struct node *node, const char *name, const char *index) {
    if (plan_placement(np->printer->plan, node)->local)
        return;
    nest_use(np, node, true);
    if (node->code == OPERATOR_loop_stack) {
        const struct shape round = plan_iteration(node);
        np->uses_turn = true;
        index =
            text_format(np->printer->arena, "(turn * %lld + %s)", (long long)shape_inner_size(&round), index);
    }
    if (!np->rows)
        text_print(np->out, "%s%s[%s] = %s;\n", np->indent, nest_ident(np, node), index, name);
    else if (strcmp(index, "0") == 0)
        text_print(np->out, "%s%s[r + l] = %s;\n", np->indent, nest_ident(np, node), name);
    else
        text_print(np->out,
                   strchr(index, ' ') ? "%s%s[(%s) * T + r + l] = %s;\n" : "%s%s[%s * T + r + l] = %s;\n",
                   np->indent, nest_ident(np, node), index, name);
}

const char *nest_register(struct nest_printer *np, const struct node *node, int64_t element) {
    if (np->nest->kind == NEST_LOOP)
        return text_format(np->printer->arena, "%s_r", nest_ident(np, node));
    return text_format(np->printer->arena, "%s_%lld", nest_ident(np, node), (long long)element);
}

void nest_print_value(struct nest_printer *np, struct node *node, int64_t element) {
    struct arena *arena = np->printer->arena;
    const char *index = element >= 0          ? text_format(arena, "%lld", (long long)element)
                        : np->nest->size == 1 ? "0"
                                              : "u";
    const char *name = nest_register(np, node, element);
    np->node = node;
    if (np->nest->kind == NEST_BLOCKS) {
        struct access own = access_of(node, &node->type.shape);
        index = block_index(np, &own, 1, first_place(np, node, element));
    }
    if (node->code == OPERATOR_assign || node->code == OPERATOR_loop_next) {
        struct access value = plan_operand(node, 1);
        print_store(np, node->inputs[0], nest_operand(np, &value, element), index);
        return;
    }
    if (operators[node->code].kind == KIND_FOLD)
        print_fold(np, node, name, element);
    else if (is_matmul(node))
        print_matmul(np, node, name, element);
    else {
        const char *text = node->code == OPERATOR_pad          ? pad_text(np, node, element)
                           : node->code == OPERATOR_loop_slice ? slice_text(np, node, element)
                                                               : elementwise_text(np, node, element);
        text_print(np->out, "%sconst %s %s = %s;\n", np->indent, real_name(node->type.element), name, text);
    }
    print_store(np, node, name, index);
}
