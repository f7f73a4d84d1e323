/* Nests that are one node done by a kernel: large products, long folds, random numbers. */
#include "emit/nest.h"
#include "graph/operator.h"

#include <string.h>

/* Address of plane or element `index` of a matmul's operand. */
static const char *address(struct nest_printer *np, const struct access *access, const char *index) {
    nest_use(np, access->source, false);
    return text_format(np->printer->arena, access->rows && !np->one ? "%s + (%s) * T" : "%s + (%s)",
                       nest_ident(np, access->source), index);
}

static const char *strided(struct nest_printer *np, int64_t offset, const char *variable, int64_t stride) {
    return text_format(np->printer->arena, "%lld + %s * %lld", (long long)offset, variable,
                       (long long)stride);
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

/* Where that matrix begins. */
static const char *lead_address(struct nest_printer *np, const struct access *access, int64_t lead) {
    return address(np, access, text_format(np->printer->arena, "%lld", (long long)lead_offset(access, lead)));
}

static void print_matmul_rows(struct nest_printer *np, struct node *node, const struct matmul *mm,
                              int64_t lead) {
    bool affine = node->code == OPERATOR_affine, left = mm->a.rows;
    int ra = mm->a.rank, rb = mm->b.rank, rc = mm->c.rank;
    int64_t ai = mm->a.strides[ra - 2], ak = mm->a.strides[ra - 1], bk = mm->b.strides[rb - 2],
            bj = mm->b.strides[rb - 1];
    int64_t ci = affine ? mm->c.strides[rc - 2] : 0, cj = affine ? mm->c.strides[rc - 1] : 0;
    int64_t a0 = lead_offset(&mm->a, lead), b0 = lead_offset(&mm->b, lead),
            c0 = affine ? lead_offset(&mm->c, lead) : 0;
    long long m = (long long)mm->m, n = (long long)mm->n, k = (long long)mm->k;
    const char *start = "NULL", *result;
    nest_use(np, node, true);
    if (mm->a.rows && mm->b.rows) {
        if (affine)
            start = lead_address(np, &mm->c, lead);
        text_print(np->out,
                   "    %s(%lld, %lld, %lld, m, T, %s, %lld, %lld, %s, %lld, %lld, %s, %lld, %lld, %d, %s + "
                   "%lld * T);\n",
                   use_kernel(np->printer, "nn_matmul_planes", node->type.element), m, n, k,
                   lead_address(np, &mm->a, lead), (long long)ai, (long long)ak,
                   lead_address(np, &mm->b, lead), (long long)bk, (long long)bj, start, (long long)ci,
                   (long long)cj, mm->c.rows, nest_ident(np, node), (long long)(lead * mm->m * mm->n));
        return;
    }
    long long outer = left ? m : n, results = left ? n : m;
    const char *x =
        left ? address(np, &mm->a, strided(np, a0, "o", ai)) : address(np, &mm->b, strided(np, b0, "o", bj));
    text_print(np->out, "    for (int o = 0; o < %lld; o++)\n", outer);
    if (left || n == 1) {
        if (affine)
            start = address(np, &mm->c, strided(np, c0, "o", left ? ci : cj));
        result = text_format(np->printer->arena, "%s + (%lld + o * %lld) * T", nest_ident(np, node),
                             (long long)(lead * mm->m * mm->n), left ? n : 1);
        text_print(np->out,
                   "        %s(%lld, %lld, m, rows, T, %s, %lld, %s, %lld, %lld, %s, %lld, %d, %s);\n",
                   use_kernel(np->printer, "nn_matmul_rows", node->type.element), results, k, x,
                   (long long)(left ? ak : bk),
                   address(np, left ? &mm->b : &mm->a,
                           text_format(np->printer->arena, "%lld", (long long)(left ? b0 : a0))),
                   (long long)(left ? bk : ak), (long long)(left ? bj : ai), start,
                   (long long)(left ? cj : ci), mm->c.rows, result);
        return;
    }
    if (affine)
        start = address(np, &mm->c,
                        text_format(np->printer->arena, "%lld + o * %lld + i * %lld", (long long)c0,
                                    (long long)cj, (long long)ci));
    text_print(np->out, "        for (int i = 0; i < %lld; i++)\n", m);
    text_print(np->out,
               "            %s(1, %lld, m, rows, T, %s, %lld, %s, %lld, 0, %s, 0, %d, %s + (%lld + i * %lld "
               "+ o) * T);\n",
               use_kernel(np->printer, "nn_matmul_rows", node->type.element), k, x, (long long)bk,
               address(np, &mm->a, strided(np, a0, "i", ai)), (long long)ak, start, mm->c.rows,
               nest_ident(np, node), (long long)(lead * mm->m * mm->n), n);
}

/* Where term k of a sum over the batch is read. */
static const char *term_address(struct nest_printer *np, const struct access *access, int64_t lead,
                                int64_t terms, int64_t stride) {
    return terms > 1 ? address(np, access, strided(np, lead_offset(access, lead), "k", stride))
                     : lead_address(np, access, lead);
}

static void print_matmul_sweep(struct nest_printer *np, struct node *node, const struct matmul *mm,
                               int64_t lead) {
    const int64_t *a_strides = mm->a.strides + mm->a.rank - 2, *b_strides = mm->b.strides + mm->b.rank - 2;
    const int64_t ai = a_strides[0], bj = b_strides[1], each = mm->m * mm->n;
    const char *a = term_address(np, &mm->a, lead, mm->k, a_strides[1]);
    const char *b = term_address(np, &mm->b, lead, mm->k, b_strides[0]);
    const char *first = mm->k > 1 ? "first && k == 0" : "first";
    nest_use(np, node, true);
    np->uses_first = true;
    if (mm->k > 1)
        text_print(np->out, "    for (long k = 0; k < %lld; k++)\n    ", (long long)mm->k);
    if (mm->kind == MATMUL_LANES)
        text_print(np->out, "    %s(%lld, %lld, rows, T, %s, %lld, %s, %lld, %s, %s + %lld);\n",
                   use_kernel(np->printer, "nn_matmul_lanes", node->type.element), (long long)mm->m,
                   (long long)mm->n, a, (long long)ai, b, (long long)bj, first, nest_ident(np, node),
                   (long long)(lead * each * lanes_of(node->type.element)));
    else
        text_print(np->out, "    %s(%lld, %lld, rows, T, %s, %lld, %s, %lld, %s, %s + %lld, %lld);\n",
                   use_kernel(np->printer, "nn_matmul_chain", node->type.element), (long long)mm->m,
                   (long long)mm->n, a, (long long)ai, b, (long long)bj, first, nest_ident(np, node),
                   (long long)(lead * each), (long long)mm->n);
}

/* One matrix of an operand: where it begins, and the distances of its rows and columns, each if asked for:
 * the terms of inner products lie side by side. */
static const char *matrix_text(struct nest_printer *np, const struct access *access, int64_t lead, bool rows,
                               bool columns) {
    const int rank = access->rank;
    struct arena *arena = np->printer->arena;
    const char *at = lead_address(np, access, lead);
    if (rows)
        at = text_format(arena, "%s, %lld", at, (long long)access->strides[rank - 2]);
    return columns ? text_format(arena, "%s, %lld", at, (long long)access->strides[rank - 1]) : at;
}

static void print_matmul_once(struct nest_printer *np, struct node *node, const struct matmul *mm,
                              int64_t lead) {
    const bool inner = mm->kind == MATMUL_INNER;
    nest_use(np, node, true);
    text_print(np->out, "    %s(%lld, %lld, %lld, %s, %s, %s, %s + %lld);\n",
               use_kernel(np->printer, inner ? "nn_matmul_inner" : "nn_matmul_once", node->type.element),
               (long long)mm->m, (long long)mm->n, (long long)mm->k,
               matrix_text(np, &mm->a, lead, true, !inner), matrix_text(np, &mm->b, lead, !inner, true),
               node->code == OPERATOR_affine ? matrix_text(np, &mm->c, lead, true, true) : "NULL, 0, 0",
               nest_ident(np, node), (long long)(lead * mm->m * mm->n));
}

/* A fold of many terms: term by term for all rows of a result, so that rows stay in lanes. */
static void print_long_fold(struct nest_printer *np, struct node *node) {
    int64_t length, size = shape_inner_size(&node->type.shape);
    struct access access = plan_fold_operand(node, &length);
    const char *name = nest_ident(np, node), *rows = np->rows ? " * T + r" : "";
    struct access step = access;
    nest_use(np, access.source, false);
    nest_use(np, node, true);
    step.identity = step.uniform = false;
    const char *index = nest_index(np, &step, -1); /* over u = result * length + k */
    text_print(np->out, "    for (int v = 0; v < %lld; v++)\n        for (int k = 0; k < %lld; k++) {\n",
               (long long)size, (long long)length);
    text_print(np->out, "            const int u = v * %lld + k;\n", (long long)length);
    text_print(np->out, "            const int at = %s;\n", index);
    text_print(np->out, "            for (long r = 0; r < %s; r++) {\n", np->rows ? "m" : "1");
    const char *real = real_name(node->type.element);
    const char *term = access.rows && np->rows
                           ? text_format(np->printer->arena, "%s[at * T + r]", nest_ident(np, access.source))
                           : text_format(np->printer->arena, "%s[at]", nest_ident(np, access.source));
    const char *sum = text_format(np->printer->arena, "%s[v%s]", name, rows);
    text_print(np->out, "                const %s a = %s, b = %s;\n", real, sum, term);
    text_print(np->out, "                %s = k == 0 ? b : %s;\n            }\n        }\n", sum,
               maths_text(np->printer, node, (const char *const[]){"a", "b", ""}));
}

/* ---- parts side by side, tables ---- */

static void print_concat(struct nest_printer *np, struct node *node) {
    const struct shape *shape = &node->type.shape;
    int axis = (int)node->attributes.axis;
    int64_t inside = shape_size_below(shape, axis), start = 0, size = shape_inner_size(shape);
    int64_t wide = inside * shape->dims[axis];
    nest_use(np, node, true);
    for (int k = 0; k < node->input_count; k++) {
        struct access part = access_of(node->inputs[k], &node->inputs[k]->type.shape);
        int64_t run = inside * node->inputs[k]->type.shape.dims[axis];
        text_print(np->out, "    %s(%lld, %lld, %lld, %s, %s, %s, %s + %lld%s);\n",
                   use_kernel(np->printer, "nn_concat", node->type.element), (long long)(size / wide),
                   (long long)run, (long long)wide, np->rows ? "m" : "1", np->rows ? "T" : "1",
                   address(np, &part, "0"), nest_ident(np, node), (long long)start, np->rows ? " * T" : "");
        start += run;
    }
}

/* An operand as the kernels of tables take it: its address, the distance of its elements and of its rows. */
static const char *with_steps(struct nest_printer *np, struct node *operand) {
    struct access access = access_of(operand, &operand->type.shape);
    const bool rows = access.rows && np->rows;
    return text_format(np->printer->arena, "%s, %s, %d", address(np, &access, "0"), rows ? "T" : "1", rows);
}

static void print_gather(struct nest_printer *np, struct node *node) {
    struct node *table = node->inputs[0], *index = node->inputs[1];
    int64_t count = shape_inner_size(&index->type.shape);
    int64_t width = shape_inner_size(&node->type.shape) / count;
    nest_use(np, node, true);
    text_print(np->out, "    %s(%lld, %lld, %lld, %s, %s, %s, %s, %s);\n",
               use_kernel(np->printer, "nn_gather", node->type.element), (long long)count, (long long)width,
               (long long)(shape_inner_size(&table->type.shape) / width), np->rows ? "m" : "1",
               np->rows ? "T" : "1", with_steps(np, index), with_steps(np, table), nest_ident(np, node));
}

/* Over the batch it adds to what earlier tiles left; else it starts anew. */
static void print_scatter(struct nest_printer *np, struct node *node) {
    struct node *index = node->inputs[0], *x = node->inputs[1];
    struct access from = access_of(x, &x->type.shape);
    bool rows = shape_batch_axis(&node->type.shape) >= 0;
    int64_t count = shape_inner_size(&index->type.shape), size = shape_inner_size(&node->type.shape);
    int64_t width = shape_inner_size(&x->type.shape) / count;
    nest_use(np, node, true);
    if (!nest_is_sweep(np, node))
        text_print(np->out, "    for (long u = 0; u < %lld%s; u++)\n        %s[u] = 0;\n", (long long)size,
                   rows ? " * T" : "", nest_ident(np, node));
    text_print(np->out, "    %s(%lld, %lld, %lld, %s, %s, %s, %s, %s, %s, %d);\n",
               use_kernel(np->printer, "nn_scatter", node->type.element), (long long)count, (long long)width,
               (long long)(size / width), np->rows ? "rows" : "1", np->rows ? "T" : "1",
               with_steps(np, index), address(np, &from, "0"), nest_ident(np, node), rows ? "T" : "1", rows);
}

/* ---- convolutions ---- */

static void print_axis(struct nest_printer *np, const struct convolution_axis *axis, const char *end) {
    text_print(np->out, "{%ld, %ld, %ld, %ld, %ld, %ld}%s", axis->source, axis->result, axis->kernel,
               axis->stride, axis->dilation, axis->padding, end);
}

static void print_convolution(struct nest_printer *np, struct node *node) {
    struct convolution shape = plan_convolution(node);
    bool is_sweep = node->code == OPERATOR_convolve_weights;
    const char *operands[2], *bias = "NULL, 0";
    for (int k = 0; k < 2; k++) {
        struct access access = access_of(node->inputs[k], &node->inputs[k]->type.shape);
        operands[k] = address(np, &access, "0");
    }
    if (node->input_count == 3) {
        struct access access = plan_operand(node, 2);
        const char *offset = text_format(np->printer->arena, "%lld", (long long)access.offset);
        bias = text_format(np->printer->arena, "%s, %lld", address(np, &access, offset),
                           (long long)access.strides[1]);
    }
    nest_use(np, node, true);
    text_print(np->out, "    static const struct convolution shape = {\n        %d, %ld, %ld, %ld, ",
               shape.transposed, shape.groups, shape.sources, shape.results);
    print_axis(np, &shape.down, ", ");
    print_axis(np, &shape.across, "};\n");
    if (is_sweep)
        text_print(np->out, "    %s(&shape, 0, 1, rows, T, %s, %s, %s);\n",
                   use_kernel(np->printer, "nn_convolve_weights", node->type.element), operands[0],
                   operands[1], nest_ident(np, node));
    else
        text_print(np->out, "    %s(&shape, 0, 1, m, T, %s, %s, %s, %s);\n",
                   use_kernel(np->printer, "nn_convolve", node->type.element), operands[0], operands[1], bias,
                   nest_ident(np, node));
}

static void print_overlap(struct nest_printer *np, struct node *node) {
    struct overlap o = plan_overlap(node);
    struct access windows = access_of(node->inputs[0], &node->inputs[0]->type.shape);
    nest_use(np, node, true);
    text_print(np->out, "    %s(%lld, %lld, %lld, %lld, %lld, %lld, %lld, %s, %s, %s, %s);\n",
               use_kernel(np->printer, "nn_overlap", node->type.element), (long long)o.outer, (long long)o.n,
               (long long)o.places, (long long)o.size, (long long)node->attributes.step,
               (long long)node->attributes.dilation, (long long)o.inside, np->rows ? "m" : "1",
               np->rows ? "T" : "1", address(np, &windows, "0"), nest_ident(np, node));
}

static void print_random(struct nest_printer *np, struct node *node) {
    bool normal = node->code == OPERATOR_normal;
    const char *real = real_name(node->type.element);
    nest_use(np, node, true);
    text_print(np->out, "    for (long u = 0; u < %lld; u++)\n        %s[u] = (%s)",
               (long long)shape_inner_size(&node->type.shape), nest_ident(np, node), real);
    if (np->printer->model->training.generator == GENERATOR_NUMPY)
        text_print(np->out, "%s(stream);\n",
                   use_kernel(np->printer, normal ? "nn_numpy_normal" : "nn_numpy_sample", ELEMENT_F64));
    else
        text_print(np->out, "%s(seed, %lld, (uint64_t)u);\n",
                   use_kernel(np->printer, normal ? "nn_normal" : "nn_uniform", ELEMENT_F64),
                   (long long)node->attributes.index);
}

/* The number of element u in a row has index row * size + u. */
static void print_noise(struct nest_printer *np, struct node *node) {
    const char *kernel = use_kernel(np->printer, "nn_noise", node->type.element),
               *name = nest_ident(np, node);
    long long size = (long long)shape_inner_size(&node->type.shape),
              stream = (long long)node->attributes.index;
    nest_use(np, node, true);
    if (np->rows)
        text_print(np->out,
                   "    for (long u = 0; u < %lld; u++)\n        %s(m, seed, %lldu, drawn, row * %lld + "
                   "(uint64_t)u, %lld, %s + u * T);\n",
                   size, kernel, stream, size, size, name);
    else
        text_print(np->out, "    %s(%lld, seed, %lldu, drawn, 0, 1, %s);\n", kernel, size, stream, name);
}

/* What prints each operator that is a kernel; a new one does not compile without. */
#define print_convolve print_convolution
#define print_convolve_transposed print_convolution
#define print_convolve_weights print_convolution
#define PRINTER_LEAF(name)
#define PRINTER_VIEW(name)
#define PRINTER_OTHER(name)
#define PRINTER_KERNEL(name) [OPERATOR_##name] = print_##name,
static void (*const kernel_printers[OPERATOR_COUNT])(struct nest_printer *np, struct node *node) = {
#define STRUCTURAL(name, kind, ...) PRINTER_##kind(name)
#include "graph/structural.def"
#undef STRUCTURAL
};

void nest_print_kernel(struct nest_printer *np) {
    struct node *node = np->nest->nodes[0];
    print_origin(np->printer, node, "    ", np->out);
    if (node->code == OPERATOR_noise) {
        print_noise(np, node);
        return;
    }
    if (node->code == OPERATOR_uniform || node->code == OPERATOR_normal) {
        print_random(np, node);
        return;
    }
    if (operators[node->code].kind == KIND_FOLD) {
        print_long_fold(np, node);
        return;
    }
    if (operators[node->code].kind == KIND_KERNEL) {
        kernel_printers[node->code](np, node);
        return;
    }
    struct matmul mm = plan_matmul(node);
    for (int64_t lead = 0; lead < mm.lead; lead++) {
        if (mm.kind == MATMUL_ROWS && !np->one)
            print_matmul_rows(np, node, &mm, lead);
        else if (mm.kind == MATMUL_LANES || mm.kind == MATMUL_CHAIN)
            print_matmul_sweep(np, node, &mm, lead);
        else
            print_matmul_once(np, node, &mm, lead);
    }
}
