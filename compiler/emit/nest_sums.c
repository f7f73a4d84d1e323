/* Sums over the batch: LANES of them at a time, in arrays that a compiler keeps in registers. */
#include "emit/nest.h"
#include "graph/operator.h"

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

void nest_start_sums(struct nest_printer *np, const struct node *node, const char *indent) {
    struct sums sums = sums_of(np, node);
    struct arena *arena = np->printer->arena;
    int lanes = lanes_of(node->type.element);
    const char *f = node->type.element == ELEMENT_F32 ? "f" : "", *name = nest_ident(np, node);
    const char *start = number_text(np->printer, operators[node->code].start, node->type.element);
    nest_use(np, (struct node *)node, true);
    use_kernel(np->printer, "nn_bits", node->type.element);
    use_kernel(np->printer, "nn_line", ELEMENT_F64);
    np->uses_first = true;
    for (int64_t c = 0; c < sums.count; c++) {
        const char *sum = text_format(arena, "%s_%lld", name, (long long)c);
        text_print(np->out, "%sNN_LINE %s %s[%d];\n%sfor (long l = 0; l < %d; l++)\n", indent,
                   real_name(node->type.element), sum, lanes, indent, lanes);
        text_print(np->out, "%s    %s[l] = nn_select%s(begun, %s[%s * %d + l], %s);\n", indent, sum, f, name,
                   sum_index(np, &sums, c), lanes, start);
    }
}

/* The row's terms.  Where the vector is not whole, rows past the end of the batch change nothing. */
void nest_print_sums(struct nest_printer *np, const struct node *node) {
    struct sums sums = sums_of(np, node);
    const char *real = real_name(node->type.element), *name = nest_ident(np, node);
    for (int64_t c = 0; c < sums.count; c++) {
        bool unrolled = np->nest->kind == NEST_UNROLLED;
        const char *sum = text_format(np->printer->arena, "%s_%lld[l]", name, (long long)c), *next;
        if (operators[node->code].kind == KIND_FOLD) {
            int64_t length;
            struct access access = plan_fold_operand(node, &length);
            const char *term = nest_operand(np, &access, unrolled ? c : -1);
            next = maths_text(np->printer, node, (const char *const[]){sum, term, ""});
        } else {
            struct matmul mm = plan_matmul(node);
            struct access a = mm.a, b = mm.b;
            int64_t i = unrolled      ? c / mm.n
                        : sums.over_m ? -1
                                      : c,
                    j = unrolled      ? c % mm.n
                        : sums.over_m ? c
                                      : -1;
            next = text_format(np->printer->arena, "%s(%s, %s, %s)",
                               use_kernel(np->printer, "nn_fma", node->type.element), nest_operand(np, &a, i),
                               nest_operand(np, &b, j), sum);
        }
        if (!np->masked) {
            text_print(np->out, "%s%s = %s;\n", np->indent, sum, next);
            continue;
        }
        const char *f = node->type.element == ELEMENT_F32 ? "f" : "";
        use_kernel(np->printer, "nn_bits", node->type.element);
        text_print(np->out, "%sconst %s %s_%lld_next = %s;\n", np->indent, real, name, (long long)c, next);
        text_print(np->out, "%s%s[%s * %d + l] = nn_select%s(valid%s[l], %s_%lld_next, %s);\n", np->indent,
                   name, sum_index(np, &sums, c), lanes_of(node->type.element), f, f, name, (long long)c,
                   sum);
    }
}
