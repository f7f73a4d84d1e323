/* Proofs that the arguments of a function stay in its range, so that it need not hold them there.
 *
 * nn_sigmoid first holds its argument between two bounds, a fifth of its work.  Where the argument is x @ W +
 * b, no sum can be larger than (terms) * (largest x) * (largest W) + (largest b): a few numbers, compared
 * once for each tile.  Then the loop is run without the bounds, else with them; the bits are the same.
 */
#include "emit/nest.h"
#include "graph/operator.h"

enum { WEIGHTS = 256 }; /* more are not looked through for this */

/* |a| up to which a function needs no bounds: a little less than the bounds in math.h, for rounding. */
static double limit_of(const struct node *node) {
    bool single = node->type.element == ELEMENT_F32;
    switch (node->code) {
    case OPERATOR_sigmoid:
        return single ? 85 : 700;
    case OPERATOR_tanh:
        return single ? 9.5 : 19.5;
    case OPERATOR_sigmoid_base2:
        return single ? 122 : 1010;
    case OPERATOR_tanh_base2:
        return single ? 27 : 56;
    default:
        return 0;
    }
}

bool nest_is_ranged(const struct nest_printer *np, const struct node *node) {
    return np->range && limit_of(node) > 0;
}

static const char *most_text(struct nest_printer *np, const struct node *node, int64_t planes,
                             const char *rows) {
    return text_format(np->printer->arena, "nn_most%s(%lld, %s, %d, %s)",
                       node->type.element == ELEMENT_F32 ? "f" : "", (long long)planes, rows,
                       np->printer->plan->tile, nest_memory(np, node));
}

/* Is a value, which `product` read, in memory at this nest's call too?  After its last reader its memory is
 * another value's. */
static bool lies_here_still(const struct nest_printer *np, const struct node *product,
                            const struct node *source) {
    const struct placement *p = plan_placement(np->printer->plan, source);
    return source->code == OPERATOR_weight ||
           (p->place != PLACE_NONE && plan_placement(np->printer->plan, product)->group == np->group &&
            (p->last_group > np->group || (p->last_group == np->group && p->last_nest >= np->index)));
}

/* The largest magnitude of a table's elements as C text, of a weight or what was computed of one; NULL if it
 * lies nowhere, or has too many. */
static const char *table_bound(struct nest_printer *np, const struct node *product, const struct node *node) {
    int64_t size = shape_inner_size(&node->type.shape);
    if (size > WEIGHTS || shape_batch_axis(&node->type.shape) >= 0 || !lies_here_still(np, product, node))
        return NULL;
    return most_text(np, node, 1, text_format(np->printer->arena, "%lld", (long long)size));
}

/* The largest magnitude of a value in the rows of this tile as C text; NULL if it is not known. */
static const char *row_bound(struct nest_printer *np, const struct node *product, const struct node *node) {
    if (node->code == OPERATOR_sigmoid || node->code == OPERATOR_tanh ||
        node->code == OPERATOR_sigmoid_base2 || node->code == OPERATOR_tanh_base2)
        return "1.0";
    return node->code == OPERATOR_input && lies_here_still(np, product, node)
               ? most_text(np, node, shape_inner_size(&node->type.shape), "m")
               : NULL;
}

/* That of a product of rows and a table, with or without something added. */
static const char *product_bound(struct nest_printer *np, const struct node *node) {
    struct matmul mm = plan_matmul(node);
    const struct access *rows = mm.a.rows ? &mm.a : &mm.b, *table = mm.a.rows ? &mm.b : &mm.a;
    if (mm.kind != MATMUL_ROWS || table->rows)
        return NULL;
    const char *x = row_bound(np, node, rows->source), *w = table_bound(np, node, table->source), *b = "0.0";
    if (node->code == OPERATOR_affine)
        b = table_bound(np, node, mm.c.source);
    return x && w && b ? text_format(np->printer->arena, "%lld.0 * %s * %s + %s", (long long)mm.k, x, w, b)
                       : NULL;
}

const char *nest_find_range(struct nest_printer *np) {
    struct text condition = {.arena = np->printer->arena};
    for (int i = 0; i < np->nest->count; i++) {
        const struct node *node = np->nest->nodes[i];
        if (nest_is_sweep(np, node))
            return NULL;
        if (limit_of(node) <= 0)
            continue;
        struct access argument = plan_operand(node, 0);
        bool product = argument.source->code == OPERATOR_affine || argument.source->code == OPERATOR_matmul;
        const char *bound = product ? product_bound(np, argument.source) : NULL;
        if (!bound)
            return NULL;
        text_print(&condition, "%s%s <= %g", condition.length ? " && " : "", bound, limit_of(node));
    }
    if (!condition.length)
        return NULL;
    use_kernel(np->printer, "nn_most", np->nest->element);
    return text_string(&condition);
}
