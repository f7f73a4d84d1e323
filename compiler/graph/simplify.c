/* Each rule looks at one node and its operands.  A rule may change the last bits of a value (both engines see
 * the simplified graph, so they still agree), but it never hides that an operand was a NaN or an infinity: 0
 * * x stays.
 */
#include "graph/simplify.h"
#include "graph/operator.h"

#include <math.h>
#include <string.h>

static bool all_constant(struct node *const *inputs, int count) {
    for (int i = 0; i < count; i++)
        if (inputs[i]->code != OPERATOR_constant)
            return false;
    return true;
}

static struct node *fold_constants(struct graph *graph, enum operator_code code, struct node *const *inputs,
                                   const struct type *type) {
    int arity = operators[code].arity;
    if (!all_constant(inputs, arity))
        return NULL;
    double x[3] = {0};
    for (int i = 0; i < arity; i++)
        x[i] = inputs[i]->attributes.number;
    return graph_number(graph, operator_fold(code, x[0], x[1], x[2]), type->element);
}

/* `kept` stands for the whole node if no broadcast is lost by it. */
static struct node *if_whole(struct node *kept, const struct type *type) {
    return shape_equal(&kept->type.shape, &type->shape) ? kept : NULL;
}

static struct node *skip_views(struct node *node) {
    while (node->code == OPERATOR_expand || node->code == OPERATOR_reshape)
        node = node->inputs[0];
    return node;
}

/* The number 0 in any shape, such as that of a weight that is left out. */
static bool is_zero(struct node *node) {
    return node_is_number(skip_views(node), 0);
}

static struct node *simplify_arithmetic(struct graph *graph, enum operator_code code, struct node *a,
                                        struct node *b, const struct type *type) {
    switch (code) {
    case OPERATOR_add:
        return is_zero(b) ? if_whole(a, type) : is_zero(a) ? if_whole(b, type) : NULL;
    case OPERATOR_subtract:
        if (node_is_number(a, 0) && if_whole(b, type))
            return graph_unary(graph, OPERATOR_negate, b);
        return node_is_number(b, 0) ? if_whole(a, type) : NULL;
    case OPERATOR_multiply:
        if (node_is_number(a, 1) || node_is_number(b, 1))
            return if_whole(node_is_number(a, 1) ? b : a, type);
        if (node_is_number(a, -1) || node_is_number(b, -1)) {
            struct node *kept = if_whole(node_is_number(a, -1) ? b : a, type);
            return kept ? graph_unary(graph, OPERATOR_negate, kept) : NULL;
        }
        return NULL;
    case OPERATOR_divide:
        return node_is_number(b, 1) ? if_whole(a, type) : NULL;
    case OPERATOR_negate:
        return a->code == OPERATOR_negate ? a->inputs[0] : NULL;
    default:
        return NULL;
    }
}

/* x ** 2, x ** 3, x ** 0.5, x ** -1 and the like need no power function. */
static struct node *simplify_power(struct graph *graph, struct node *a, struct node *b,
                                   const struct type *type) {
    if (b->code != OPERATOR_constant || !if_whole(a, type))
        return NULL;
    double exponent = b->attributes.number;
    if (exponent == 0) /* as C's pow has it, for a NaN too */
        return graph_expand(graph, graph_number(graph, 1, type->element), type->shape);
    if (exponent == 0.5)
        return graph_unary(graph, OPERATOR_sqrt, a);
    if (exponent < 0 && exponent >= -4 && exponent == floor(exponent)) {
        struct node *positive =
            graph_binary(graph, OPERATOR_power, a, graph_number(graph, -exponent, type->element));
        return graph_binary(graph, OPERATOR_divide, graph_number(graph, 1, type->element), positive);
    }
    if (exponent == 1)
        return a;
    if (exponent == 2)
        return graph_binary(graph, OPERATOR_multiply, a, a);
    if (exponent == 3 || exponent == 4) {
        struct node *square = graph_binary(graph, OPERATOR_multiply, a, a);
        return graph_binary(graph, OPERATOR_multiply, square, exponent == 3 ? a : square);
    }
    return NULL;
}

/* log(exp(z) / s) is z - log(s), and that is the whole of a stable cross-entropy: written out as
 * log(softmax(x)) it needs no e^z that might underflow to 0. */
static struct node *simplify_log(struct graph *graph, struct node *a) {
    if (a->code == OPERATOR_exp)
        return a->inputs[0];
    if (a->code != OPERATOR_divide || a->inputs[0]->code != OPERATOR_exp ||
        skip_views(a->inputs[1])->code != OPERATOR_sum)
        return NULL;
    struct node *log_sum = graph_unary(graph, OPERATOR_log, a->inputs[1]);
    return graph_binary(graph, OPERATOR_subtract, a->inputs[0]->inputs[0], log_sum);
}

/* where() by a condition that is one number, as a layer's setting gives it. */
static struct node *simplify_where(struct graph *graph, struct node *const *inputs, const struct type *type) {
    const struct node *condition = skip_views(inputs[0]);
    if (condition->code != OPERATOR_constant)
        return NULL;
    return graph_expand(graph, inputs[condition->attributes.number != 0 ? 1 : 2], type->shape);
}

static struct node *simplify_view(struct graph *graph, enum operator_code code, struct node *a,
                                  const struct attributes *attributes, const struct type *type) {
    if (code == OPERATOR_transpose) {
        for (int i = 0; i < type->shape.rank; i++)
            if (attributes->order[i] != i) {
                if (a->code != OPERATOR_transpose)
                    return NULL;
                int64_t order[RANK_MAX];
                for (int k = 0; k < type->shape.rank; k++)
                    order[k] = a->attributes.order[attributes->order[k]];
                return graph_transpose(graph, a->inputs[0], order);
            }
        return a;
    }
    if (shape_equal(&a->type.shape, &type->shape))
        return a;
    if (code == OPERATOR_window) { /* side by side, with nothing left: the elements as they lie */
        int64_t size = type->shape.dims[attributes->axis + 1];
        bool tiles = attributes->step == size && (attributes->dilation == 1 || size == 1) &&
                     type->shape.dims[attributes->axis] * size == a->type.shape.dims[attributes->axis];
        return tiles ? graph_reshape(graph, a, type->shape) : NULL;
    }
    if (code == OPERATOR_reshape && a->code == OPERATOR_reshape)
        return graph_reshape(graph, a->inputs[0], type->shape);
    if (code == OPERATOR_expand && a->code == OPERATOR_expand)
        return graph_expand(graph, a->inputs[0], type->shape);
    return NULL;
}

/* The last step of a stack of what a state becomes is that state after the loop: no stack is needed for it.
 */
static struct node *simplify_slice(struct graph *graph, struct node *a, const struct attributes *attributes,
                                   const struct type *type) {
    if (a->code != OPERATOR_loop_stack || a->input_count < 2 || attributes->axis != a->attributes.axis ||
        type->shape.dims[attributes->axis] != 1)
        return NULL;
    const struct loop *loop = graph_loop(graph, (int)a->attributes.loop);
    if (attributes->start != (loop->backwards ? 0 : loop->steps - 1))
        return NULL;
    const struct node *next = a->inputs[1];
    while (next->inputs[1] != a->inputs[0] && next->input_count == 3)
        next = next->inputs[2];
    if (next->inputs[1] != a->inputs[0])
        return NULL;
    struct attributes final;
    memset(&final, 0, sizeof final);
    final.loop = a->attributes.loop;
    final.type = next->type;
    struct node *inputs[] = {next->inputs[0], a->inputs[1]};
    struct node *state = graph_node(graph, OPERATOR_loop_final, inputs, 2, &final, NULL);
    return graph_reshape(graph, state, type->shape);
}

static struct node *simplify_convert(struct graph *graph, struct node *a, const struct type *type) {
    if (a->type.element == type->element)
        return a;
    if (a->code == OPERATOR_constant && type->element != ELEMENT_INT)
        return graph_number(graph, a->attributes.number, type->element);
    return NULL;
}

struct node *simplify(struct graph *graph, enum operator_code code, struct node *const *inputs,
                      const struct attributes *attributes, const struct type *type) {
    if (operators[code].kind == KIND_ELEMENTWISE && code != OPERATOR_copy) {
        struct node *folded = fold_constants(graph, code, inputs, type);
        if (folded)
            return folded;
        if (code == OPERATOR_power)
            return simplify_power(graph, inputs[0], inputs[1], type);
        if (code == OPERATOR_where)
            return simplify_where(graph, inputs, type);
        if (code == OPERATOR_log)
            return simplify_log(graph, inputs[0]);
        return simplify_arithmetic(graph, code, inputs[0], operators[code].arity > 1 ? inputs[1] : NULL,
                                   type);
    }
    if (code == OPERATOR_slice)
        return simplify_slice(graph, inputs[0], attributes, type);
    if (operators[code].kind == KIND_VIEW)
        return simplify_view(graph, code, inputs[0], attributes, type);
    if (code == OPERATOR_convert)
        return simplify_convert(graph, inputs[0], type);
    if (operators[code].kind == KIND_FOLD && inputs[0]->type.shape.dims[attributes->axis] == 1)
        return graph_reshape(graph, inputs[0], type->shape);
    return NULL;
}
