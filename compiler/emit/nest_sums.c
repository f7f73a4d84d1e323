/* Sums over the batch: LANES of them at a time, which a compiler should keep in registers.
 *
 * The statements for one row become a function, which adds to the sums that it is given: all of a whole
 * vector, and under a mask those of the last, whole or not.  Up to two vectors need no loop over rows: there
 * a sum is a variable in the loop over lanes.  For more it is an array.
 */
#include "emit/nest.h"
#include "graph/operator.h"

#include <string.h>

/* What one sweep adds up inside a nest: `count` results for each element of the loop. */
struct sums {
    const struct node *node;
    int64_t count;
    bool over_m; /* a matmul: the loop goes over m, the results over n; else the other way round */
};

static struct sums sums_of(const struct nest_printer *np, const struct node *node) {
    struct sums sums = {.node = node, .count = 1};
    if (operators[node->code].kind == KIND_FOLD) {
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
    if (operators[sums->node->code].kind == KIND_FOLD || sums->count == 1)
        return "u";
    if (sums->over_m)
        return text_format(arena, "(u * %lld + %lld)", (long long)sums->count, (long long)c);
    return text_format(arena, "(%lld + u)", (long long)(c * np->nest->size));
}

/* The row's terms; `live` is 0 for rows past the end of the batch, which change nothing. */
void nest_print_sums(struct nest_printer *np, const struct node *node) {
    struct sums sums = sums_of(np, node);
    struct arena *arena = np->printer->arena;
    const bool unrolled = np->nest->kind == NEST_UNROLLED;
    use_kernel(np->printer, "nn_bits", node->type.element);
    nest_use(np, (struct node *)node, true);
    np->uses_first = true;
    for (int64_t c = 0; c < sums.count; c++) {
        const char *sum = text_format(arena, "*%s_%lld", nest_ident(np, node), (long long)c), *next;
        if (operators[node->code].kind == KIND_FOLD) {
            int64_t length;
            struct access access = plan_fold_operand(node, &length);
            const char *term = nest_operand(np, &access, unrolled ? c : -1);
            next = maths_text(np->printer, node, (const char *const[]){sum, term, ""});
        } else {
            struct matmul mm = plan_matmul(node);
            struct access a = mm.a, b = mm.b;
            int64_t i = unrolled ? c / mm.n : sums.over_m ? -1 : c;
            int64_t j = unrolled ? c % mm.n : sums.over_m ? c : -1;
            next = text_format(arena, "%s(%s, %s, %s)", use_kernel(np->printer, "nn_fma", node->type.element),
                               nest_operand(np, &a, i), nest_operand(np, &b, j), sum);
        }
        text_print(np->out, "%s%s = nn_select%s(live, %s, %s);\n", np->indent, sum,
                   node->type.element == ELEMENT_F32 ? "f" : "", next, sum);
    }
}

/* ---- the functions ---- */

/* The form for each sum, in which $t is its type, $s its name, $p its place in lane l, and $b what it begins
 * with. */
static const char *each_sum(struct nest_printer *np, const char *form) {
    struct arena *arena = np->printer->arena;
    struct text out = {.arena = arena};
    for (int i = 0; i < np->nest->count; i++) {
        const struct node *node = np->nest->nodes[i];
        if (!nest_is_sweep(np, node))
            continue;
        const enum element element = node->type.element;
        const struct sums sums = sums_of(np, node);
        const char *name = nest_ident(np, node),
                   *start = number_text(np->printer, operators[node->code].start, element);
        for (int64_t c = 0; c < sums.count; c++) {
            const char *place =
                text_format(arena, "%s[%s * %d + l]", name, sum_index(np, &sums, c), lanes_of(element));
            for (const char *at = form; *at; at++) {
                const size_t plain = strcspn(at, "$");
                text_bytes(&out, at, plain);
                at += plain;
                if (!*at)
                    break;
                if (*++at == 't')
                    text_print(&out, "%s", real_name(element));
                else if (*at == 's')
                    text_print(&out, "%s_%lld", name, (long long)c);
                else if (*at == 'p')
                    text_print(&out, "%s", place);
                else
                    text_print(&out, "nn_select%s(begun, %s, %s)", element == ELEMENT_F32 ? "f" : "", place,
                               start);
            }
        }
    }
    return text_string(&out);
}

/* What the functions of one nest share. */
struct summed {
    const char *row, *few; /* their names */
    const char *rest;      /* what a row is given besides its place and its sums */
    const char *indent;
    int lanes;
    bool single;
};

static void print_row_call(struct nest_printer *np, const struct summed *of, const char *r, const char *live,
                           const char *form, struct text *out) {
    text_print(out, "%s(%s%s, l, %s%s%s);\n", of->row, nest_has_loop(np) ? "u, " : "", r, live, of->rest,
               each_sum(np, form));
}

static void print_row_function(struct nest_printer *np, struct summed *of, const struct text *row) {
    struct arena *arena = np->printer->arena;
    static const char *const places[] = {"u", "r", "l"};
    struct signature signature = {.parameters.arena = arena, .names.arena = arena, .arguments.arena = arena};
    struct text head = {.arena = arena}, body = {.arena = arena};
    nest_add_scalars(np, &signature);
    nest_add_memory(np, false, &signature);
    const char *comma = signature.names.length ? ", " : "";
    of->rest = text_format(arena, "%s%s", comma, text_string(&signature.names));
    text_print(&head, "NN_INLINE void %s(%slong r, long l, uint%d_t live%s%s%s)", of->row,
               nest_has_loop(np) ? "long u, " : "", of->single ? 32 : 64, comma,
               text_string(&signature.parameters), each_sum(np, ", $t *$s"));
    for (int i = nest_has_loop(np) ? 0 : 1; i < 3; i++)
        if (!mentions(text_string(row), places[i]))
            text_print(&body, "    (void)%s;\n", places[i]);
    text_print(&body, "%s", text_string(row));
    nest_print_body(np, text_string(&head), &body);
}

/* The row of the last vector, which stores the sums; it ends the loop over lanes. */
static void print_last_row(struct nest_printer *np, const struct summed *of, const char *r,
                           struct text *out) {
    text_print(out, "%s    ", of->indent);
    print_row_call(np, of, r, of->single ? "validf[l]" : "valid[l]", ", &$s", out);
    text_print(out, "%s%s}\n", each_sum(np, text_format(np->printer->arena, "%s    $p = $s;\n", of->indent)),
               of->indent);
}

static void print_start(struct nest_printer *np, const struct summed *of, struct text *out) {
    text_print(out, "    const uint%d_t begun = nn_mask%s(!first);\n", of->single ? 32 : 64,
               of->single ? "f" : "");
    nest_open_loop(np, out);
}

static void print_few(struct nest_printer *np, const struct summed *of, const char *parameters) {
    struct arena *arena = np->printer->arena;
    struct text body = {.arena = arena};
    const char *indent = of->indent;
    print_start(np, of, &body);
    use_kernel(np->printer, "nn_rolled", ELEMENT_F64);
    text_print(&body, "%sNN_ROLLED for (long l = 0; l < %d; l++) {\n", indent, of->lanes);
    text_print(&body, "%s", each_sum(np, text_format(arena, "%s    $t $s = $b;\n", indent)));
    text_print(&body, "%s    if (whole)\n%s        ", indent, indent);
    print_row_call(np, of, "0", of->single ? "UINT32_MAX" : "UINT64_MAX", ", &$s", &body);
    print_last_row(np, of, text_format(arena, "whole * %d", of->lanes), &body);
    nest_close_loop(np, &body);
    nest_print_body(np, text_format(arena, "NN_INLINE void %s(const int whole, %s)", of->few, parameters),
                    &body);
}

void nest_print_summed(struct nest_printer *np, const char *name, const struct signature *signature,
                       const struct text *row) {
    struct arena *arena = np->printer->arena;
    struct summed of = {.lanes = lanes_of(np->nest->element),
                        .single = np->nest->element == ELEMENT_F32,
                        .indent = nest_has_loop(np) ? "        " : "    "};
    of.row = unique_ident(np->printer->functions, text_format(arena, "%s_row", name));
    of.few = unique_ident(np->printer->functions, text_format(arena, "%s_few", name));
    print_row_function(np, &of, row);
    print_few(np, &of, text_string(&signature->parameters));
    struct text body = {.arena = arena};
    const char *indent = of.indent, *names = text_string(&signature->names);
    for (int whole = 0; whole < 2; whole++)
        text_print(&body, "    if (rows <= %d) {\n        %s(%d, %s);\n        return;\n    }\n",
                   (whole + 1) * of.lanes, of.few, whole, names);
    text_print(&body, "    const long last = (rows - 1) / %d * %d;\n", of.lanes, of.lanes);
    print_start(np, &of, &body);
    use_kernel(np->printer, "nn_line", ELEMENT_F64);
    text_print(&body, "%s",
               each_sum(np, text_format(arena,
                                        "%sNN_LINE $t $s_lanes[%d];\n%sfor (long l = 0; l < %d; l++)\n"
                                        "%s    $s_lanes[l] = $b;\n",
                                        indent, of.lanes, indent, of.lanes, indent)));
    text_print(&body, "%slong r = 0;\n%sdo\n%s    for (long l = 0; l < %d; l++)\n%s        ", indent, indent,
               indent, of.lanes, indent);
    print_row_call(np, &of, "r", of.single ? "UINT32_MAX" : "UINT64_MAX", ", $s_lanes + l", &body);
    text_print(&body, "%swhile ((r += %d) < last);\n", indent, of.lanes);
    text_print(&body, "%sfor (long l = 0; l < %d; l++) {\n", indent, of.lanes);
    text_print(&body, "%s", each_sum(np, text_format(arena, "%s    $t $s = $s_lanes[l];\n", indent)));
    print_last_row(np, &of, "r", &body);
    nest_close_loop(np, &body);
    nest_print_body(
        np,
        text_format(arena, "NN_WORK static void %s(int rows, %s)", name, text_string(&signature->parameters)),
        &body);
}
