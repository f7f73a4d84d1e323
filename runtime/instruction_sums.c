/* Instructions that add up: folds, sums over the batch, matrix products. */
#include "graph/operator.h"
#include "instruction.h"

#include <string.h>

/* ---- folds ---- */

/* A plane for element `element` of an operand, spread over the rows where it has none; which: 0 or 1. */
static const char *spread_plane(struct interpreter *in, const struct instruction *i, const struct operand *o,
                                int which, int64_t element) {
    char *at = operand_at(in, o, element);
    if (o->rows)
        return at;
    fill(i->kernels, in->stride, in->spread[which], at);
    return in->spread[which];
}

/* Where only the result has rows: what is folded is one number for all of them. */
static void run_fold_spread(struct interpreter *in, const struct instruction *i) {
    for (int64_t e = 0; e < i->count; e++) {
        double number; /* or a float */
        struct planes x = i->planes[0];
        if (x.index)
            x.index += e * i->length;
        else
            x.at += e * i->length * x.step;
        i->kernels->folds[i->node->code](1, 1, &number, &x);
        fill(i->kernels, in->stride, plane_of(in, &i->result, e), &number);
    }
}

static void run_sweep(struct interpreter *in, const struct instruction *i) {
    struct planes room[3];
    i->kernels->sweep[i->node->code]((long)i->count, (long)in->rows, planes_of(in, i, room), in->begins,
                                     i->lanes);
}

/* The same where the values that are added for each row have none themselves. */
static void run_sweep_spread(struct interpreter *in, const struct instruction *i) {
    int64_t lanes = lanes_of(i->node->type.element);
    for (int64_t e = 0; e < i->count; e++)
        i->kernels->sweep[i->node->code](1, (long)in->rows,
                                         &(struct planes){.at = spread_plane(in, i, &i->operands[0], 0, e)},
                                         in->begins, (char *)i->lanes + (size_t)(e * lanes) * i->size);
}

void choose_fold(struct interpreter *in, struct instruction *i) {
    struct access access = plan_fold_operand(i->node, &i->length);
    i->operands[0] = place_operand(in, &access);
    if (plan_placement(in->plan, i->node)->sweep)
        i->run = i->operands[0].rows ? run_sweep : run_sweep_spread;
    else if (i->result.rows && !i->operands[0].rows)
        i->run = run_fold_spread;
    else
        i->kernel = i->kernels->folds[i->node->code];
}

/* ---- matmul ---- */

/* Strides of the last two axes of an access and the offset for element `lead` of those before. */
struct matrix {
    int64_t first, row, column;
};

static struct matrix matrix_of(const struct access *access, int64_t lead) {
    int rank = access->rank;
    struct matrix matrix = {access->offset, access->strides[rank - 2], access->strides[rank - 1]};
    for (int axis = rank - 3; axis >= 0; axis--) {
        matrix.first += lead % access->sizes[axis] * access->strides[axis];
        lead /= access->sizes[axis];
    }
    return matrix;
}

/* Results of a product that one turn of a thread computes: equal shares where the product is large enough to
 * be worth waking a thread for. */
static int64_t part_of(const struct interpreter *in, int64_t results, int64_t products) {
    int64_t threads = threads_count(in->threads);
    return products > LARGE ? (results + threads - 1) / threads : results;
}

/* What matmul_rows is called with, see kernels/matmul.h. */
struct rows_product {
    const struct interpreter *in;
    const struct instruction *i;
    const void *x;
    const char *w, *c;
    char *y;
    int64_t n, part, x_k, w_k, w_j, c_j;
};

static void rows_part(void *context, int64_t turn) {
    const struct rows_product *p = context;
    int64_t from = turn * p->part, n = p->n - from < p->part ? p->n - from : p->part;
    int64_t stride = p->in->stride, bias = from * p->c_j * (p->i->operands[2].rows ? stride : 1);
    size_t size = p->i->size;
    p->i->kernels->matmul_rows(n, p->i->matmul.k, stride, p->in->rows, stride, p->x, p->x_k,
                               p->w + (size_t)(from * p->w_j) * size, p->w_k, p->w_j,
                               p->c ? p->c + (size_t)bias * size : NULL, p->c_j, p->i->operands[2].rows,
                               p->y + (size_t)(from * stride) * size);
}

/* y = a @ b where the rows are on one side: the other gives one number for each element. */
static void rows_by_weights(struct interpreter *in, const struct instruction *i, int64_t lead, bool left) {
    const struct matmul *mm = &i->matmul;
    struct matrix a = matrix_of(&mm->a, lead), b = matrix_of(&mm->b, lead), c = {0};
    bool affine = i->operand_count == 3;
    if (affine)
        c = matrix_of(&mm->c, lead);
    int64_t outer = left ? mm->m : mm->n, n = left ? mm->n : mm->m;
    for (int64_t o = 0; o < outer; o++) {
        /* left: rows in a, o counts m, results over n; else rows in b, o counts n, results over m */
        int64_t x = left ? a.first + o * a.row : b.first + o * b.column;
        int64_t w = left ? b.first : a.first;
        int64_t y = lead * mm->m * mm->n + (left ? o * mm->n : o), y_step = left ? 1 : mm->n;
        int64_t bias = affine ? c.first + o * (left ? c.row : c.column) : 0,
                bias_step = left ? c.column : c.row;
        const void *rows = plane_of(in, &i->operands[left ? 0 : 1], x);
        const void *weights = plane_of(in, &i->operands[left ? 1 : 0], w);
        const void *start = affine ? plane_of(in, &i->operands[2], bias) : NULL;
        int64_t x_k = left ? a.column : b.row, w_k = left ? b.row : a.column, w_j = left ? b.column : a.row;
        if (y_step == 1 && i->small)
            i->kernels->matmul_rows_small((long)n, (long)mm->k, (long)in->rows, (long)in->stride, rows,
                                          (long)x_k, weights, (long)w_k, (long)w_j, start, (long)bias_step,
                                          i->operands[2].rows, plane_of(in, &i->result, y));
        else if (y_step == 1) {
            struct rows_product product = {in, i, rows, weights, start, plane_of(in, &i->result, y),
                                           n,  0, x_k,  w_k,     w_j,   bias_step};
            product.part = part_of(in, n, n * mm->k * in->rows);
            threads_run(in->threads, (n + product.part - 1) / product.part, rows_part, &product);
        } else
            for (int64_t j = 0; j < n; j++)
                i->kernels->matmul_rows(
                    1, mm->k, in->stride, in->rows, in->stride, rows, x_k,
                    (const char *)weights + (size_t)(j * w_j) * i->size, w_k, w_j,
                    start ? (const char *)start +
                                (size_t)(j * bias_step * (i->operands[2].rows ? in->stride : 1)) * i->size
                          : NULL,
                    bias_step, i->operands[2].rows, plane_of(in, &i->result, y + j * y_step));
    }
}

static void planes_by_planes(struct interpreter *in, const struct instruction *i, int64_t lead) {
    const struct matmul *mm = &i->matmul;
    struct matrix a = matrix_of(&mm->a, lead), b = matrix_of(&mm->b, lead), c = {0};
    bool affine = i->operand_count == 3;
    if (affine)
        c = matrix_of(&mm->c, lead);
    i->kernels->matmul_planes(mm->m, mm->n, mm->k, in->stride, in->stride,
                              plane_of(in, &i->operands[0], a.first), a.row, a.column,
                              plane_of(in, &i->operands[1], b.first), b.row, b.column,
                              affine ? plane_of(in, &i->operands[2], c.first) : NULL, c.row, c.column,
                              i->operands[2].rows, plane_of(in, &i->result, lead * mm->m * mm->n));
}

static void run_matmul_rows(struct interpreter *in, const struct instruction *i) {
    for (int64_t lead = 0; lead < i->matmul.lead; lead++) {
        if (i->operands[0].rows && i->operands[1].rows)
            planes_by_planes(in, i, lead);
        else
            rows_by_weights(in, i, lead, i->operands[0].rows);
    }
}

static void run_matmul_once(struct interpreter *in, const struct instruction *i) {
    const struct matmul *mm = &i->matmul;
    for (int64_t lead = 0; lead < mm->lead; lead++) {
        struct matrix a = matrix_of(&mm->a, lead), b = matrix_of(&mm->b, lead), c = {0};
        if (i->operand_count == 3)
            c = matrix_of(&mm->c, lead);
        const void *left = plane_of(in, &i->operands[0], a.first),
                   *right = plane_of(in, &i->operands[1], b.first),
                   *start = i->operand_count == 3 ? plane_of(in, &i->operands[2], c.first) : NULL;
        void *y = plane_of(in, &i->result, lead * mm->m * mm->n);
        if (mm->kind == MATMUL_INNER)
            i->kernels->matmul_inner(mm->m, mm->n, mm->k, left, a.row, right, b.column, start, c.row,
                                     c.column, y);
        else
            i->kernels->matmul_once(mm->m, mm->n, mm->k, left, a.row, a.column, right, b.row, b.column, start,
                                    c.row, c.column, y);
    }
}

/* What matmul_chain is called with. */
struct chain_product {
    const struct interpreter *in;
    const struct instruction *i;
    const char *a;
    const void *b;
    char *y;
    int64_t m, n, part, a_i, b_j;
    bool begins;
};

static void chain_part(void *context, int64_t turn) {
    const struct chain_product *p = context;
    int64_t from = turn * p->part, m = p->m - from < p->part ? p->m - from : p->part;
    int64_t stride = p->in->stride, y_i = p->i->matmul.n;
    p->i->kernels->matmul_chain(m, p->n, p->in->rows, stride,
                                p->a + (size_t)(from * p->a_i * stride) * p->i->size, p->a_i, p->b, p->b_j,
                                p->begins, p->y + (size_t)(from * y_i) * p->i->size, y_i);
}

/* The sum over the batch of term k of each row: both sides as planes, in lanes or in a chain. */
static void sweep_term(struct interpreter *in, const struct instruction *i, int64_t lead, int64_t k) {
    const struct matmul *mm = &i->matmul;
    const int64_t lanes = lanes_of(i->node->type.element), each = mm->m * mm->n;
    const bool spread = !i->operands[0].rows || !i->operands[1].rows, begins = in->begins && k == 0;
    const int64_t m = spread ? 1 : mm->m, n = spread ? 1 : mm->n;
    const struct matrix a = matrix_of(&mm->a, lead), b = matrix_of(&mm->b, lead);
    char *sums = (char *)i->lanes + (size_t)(lead * each * lanes) * i->size;
    char *y = plane_of(in, &i->result, lead * each);
    for (int64_t p = 0; p < (spread ? mm->m : 1); p++)
        for (int64_t q = 0; q < (spread ? mm->n : 1); q++) {
            const int64_t at = p * mm->n + q;
            struct operand left = i->operands[0], right = i->operands[1];
            left.index = right.index = NULL;
            left.uniform = right.uniform = false;
            const void *x = spread_plane(in, i, &left, 0, a.first + p * a.row + k * a.column);
            const void *z = spread_plane(in, i, &right, 1, b.first + q * b.column + k * b.row);
            if (mm->kind == MATMUL_LANES)
                i->kernels->matmul_lanes(m, n, in->rows, in->stride, x, a.row, z, b.column, begins,
                                         sums + (size_t)(at * lanes) * i->size);
            else {
                struct chain_product product = {in, i,     x,        z,     y + (size_t)at * i->size, m, n,
                                                0,  a.row, b.column, begins};
                product.part = part_of(in, m, m * n * in->rows);
                threads_run(in->threads, (m + product.part - 1) / product.part, chain_part, &product);
            }
        }
}

static void run_matmul_sweep(struct interpreter *in, const struct instruction *i) {
    for (int64_t lead = 0; lead < i->matmul.lead; lead++)
        for (int64_t k = 0; k < i->matmul.k; k++)
            sweep_term(in, i, lead, k);
}

/* ---- small products in one call ---- */

static void run_product_rows(struct interpreter *in, const struct instruction *i) {
    const struct product *p = &i->product;
    i->kernels->matmul_rows_small(p->n, p->depth, (long)in->rows, (long)in->stride, p->x, p->x_step, p->w,
                                  p->w_k, p->w_step, p->c, p->c_step, p->c_rows, i->y);
}

static void run_product_lanes(struct interpreter *in, const struct instruction *i) {
    const struct product *p = &i->product;
    i->kernels->matmul_lanes(p->depth, p->n, (long)in->rows, (long)in->stride, p->x, p->x_step, p->w,
                             p->w_step, in->begins, i->lanes);
}

/* One matrix, whose rows lie on the side that the kernel wants, in the same place in every tile. */
static bool is_single(const struct instruction *i) {
    const struct matmul *mm = &i->matmul;
    bool left = i->operands[0].rows, right = i->operands[1].rows;
    for (int k = 0; k < i->operand_count; k++)
        if (i->operands[k].at == AT_KEPT)
            return false;
    if (mm->lead != 1 || i->result.at == AT_KEPT)
        return false;
    return mm->kind == MATMUL_LANES
               ? left && right
               : mm->kind == MATMUL_ROWS && i->small && left != right && (left ? mm->m : mm->n) == 1;
}

static void locate_product(struct instruction *i) {
    const struct matmul *mm = &i->matmul;
    const struct operand *a = &i->operands[0], *b = &i->operands[1], *c = &i->operands[2];
    struct matrix left = matrix_of(&mm->a, 0), right = matrix_of(&mm->b, 0), start = {0};
    const char *p = a->start + left.first * a->element_step, *q = b->start + right.first * b->element_step;
    struct product product = {.x = p, .w = q, .n = (long)mm->n};
    if (mm->kind == MATMUL_LANES) {
        product.depth = (long)mm->m;
        product.x_step = (long)left.row;
        product.w_step = (long)right.column;
    } else {
        if (i->operand_count == 3) {
            start = matrix_of(&mm->c, 0);
            product.c = c->start + start.first * c->element_step;
            product.c_rows = c->rows;
        }
        product.depth = (long)mm->k;
        product.x_step = (long)left.column, product.w_k = (long)right.row,
        product.w_step = (long)right.column;
        product.c_step = (long)start.column;
        if (!a->rows) {
            product.x = q, product.w = p, product.n = (long)mm->m;
            product.x_step = (long)right.row, product.w_k = (long)left.column,
            product.w_step = (long)left.row;
            product.c_step = (long)start.row;
        }
    }
    i->product = product;
}

void choose_matmul(struct interpreter *in, struct instruction *i) {
    i->matmul = plan_matmul(i->node);
    struct access *accesses[] = {&i->matmul.a, &i->matmul.b, &i->matmul.c};
    for (int k = 0; k < i->operand_count; k++) {
        struct access flat = *accesses[k];
        flat.identity = true; /* kernels walk by strides, not by index */
        flat.uniform = false;
        i->operands[k] = place_operand(in, &flat);
    }
}

void locate_matmul(const struct interpreter *in, struct instruction *i) {
    const struct matmul *mm = &i->matmul;
    i->small = kernels_small((long)(i->operands[0].rows ? mm->n : mm->m), (long)mm->k, (long)in->batch->rows);
    i->single = is_single(i);
    const bool rows = mm->kind == MATMUL_ROWS && !in->one;
    if (i->single)
        i->run = rows ? run_product_rows : run_product_lanes;
    else if (mm->kind == MATMUL_LANES || mm->kind == MATMUL_CHAIN)
        i->run = run_matmul_sweep;
    else
        i->run = rows ? run_matmul_rows : run_matmul_once;
    if (i->single)
        locate_product(i);
}
