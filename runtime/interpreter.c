/* A node becomes an instruction when the interpreter is made: what to call, and where its operands lie.  A
 * run sets the distance between planes to the rows at hand, then goes through the instructions of each group.
 */
#include "interpreter.h"
#include "graph/operator.h"
#include "kernels/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Where one operand, or the result, lies. */
struct operand {
    enum { AT_FIXED, AT_TILE, AT_KEPT } at;
    enum element element;
    char *base;     /* fixed: the elements */
    int64_t offset; /* tile, kept: planes before it in the arena */
    int64_t planes; /* kept: planes of one tile */
    bool rows, uniform, identity;
    int64_t *index; /* element of the source for each element of the iteration; NULL: identity or uniform */
    int64_t first;  /* uniform: that element */
};

struct instruction {
    const struct node *node;
    void (*run)(struct interpreter *interpreter, const struct instruction *instruction);
    const struct real_kernels *kernels;
    size_t size;    /* of an element of the operands */
    int64_t count;  /* elements of the result */
    int64_t length; /* folds */
    int operand_count;
    struct operand operands[3], result;
    struct matmul matmul;
    struct convolution convolution;
    void *lanes; /* sweeps */
};

struct interpreter {
    const struct plan *plan;
    const struct kernels *kernels;
    struct threads *threads; /* NULL: the caller's alone */
    struct arena *arena;
    void *const *weights;
    char *tile_memory[3], *once_memory[3], *kept_memory[3];
    int64_t kept_tiles;          /* room of kept_memory */
    struct instruction **groups; /* [group][...], ended by count */
    int *counts;
    double *rows_f64, *step_f64; /* leaves that change with the batch */
    float *rows_f32, *step_f32;
    struct operand *roots; /* where the value of each root lies */
    char *spread[3]; /* planes that hold one number for all rows: what a sweep over a value without rows needs
                      */
    const struct batch *batch;
    int64_t stride; /* between planes, in rows */
    int64_t tile;   /* the number of the tile at hand, */
    int64_t from;   /* its first row */
    int64_t rows;   /* and its rows */
    struct nonfinite found;
    bool searching;
};

/* ---- addresses ---- */

static char *plane(const struct interpreter *in, const struct operand *o, int64_t element, size_t size) {
    if (o->at == AT_FIXED)
        return o->base + (size_t)element * size;
    int64_t planes = o->offset + element + (o->at == AT_KEPT ? in->tile * o->planes : 0);
    char *memory = o->at == AT_KEPT ? in->kept_memory[o->element] : in->tile_memory[o->element];
    return memory + (size_t)(planes * in->stride) * size;
}

/* The source's element for the iteration's element i. */
static int64_t source_of(const struct operand *o, int64_t i) {
    return o->uniform ? o->first : o->index ? o->index[i] : i;
}

static char *operand_at(const struct interpreter *in, const struct operand *o, int64_t i, size_t size) {
    return plane(in, o, source_of(o, i), size);
}

/* ---- element-wise ---- */

/* Everything lies in planes of the same order, or is one number for all: one call. */
static void run_flat(struct interpreter *in, const struct instruction *i) {
    const void *x[3];
    bool scalar[3];
    for (int k = 0; k < i->operand_count; k++) {
        x[k] = operand_at(in, &i->operands[k], 0, i->size);
        scalar[k] = i->operands[k].uniform && !i->operands[k].rows;
    }
    int64_t n = i->result.rows ? i->count * in->stride : i->count;
    i->kernels->elementwise[i->node->code](n, plane(in, &i->result, 0, i->size), x, scalar);
}

static void run_by_element(struct interpreter *in, const struct instruction *i) {
    int64_t n = i->result.rows ? in->stride : 1;
    bool scalar[3];
    for (int k = 0; k < i->operand_count; k++)
        scalar[k] = !i->operands[k].rows;
    for (int64_t e = 0; e < i->count; e++) {
        const void *x[3];
        for (int k = 0; k < i->operand_count; k++)
            x[k] = operand_at(in, &i->operands[k], e, i->size);
        i->kernels->elementwise[i->node->code](n, plane(in, &i->result, e, i->size), x, scalar);
    }
}

static void convert(enum element from, enum element to, int64_t n, const void *x, void *y) {
    for (int64_t i = 0; i < n; i++) {
        double value = from == ELEMENT_F64   ? ((const double *)x)[i]
                       : from == ELEMENT_F32 ? (double)((const float *)x)[i]
                                             : (double)((const int32_t *)x)[i];
        if (to == ELEMENT_F64)
            ((double *)y)[i] = value;
        else if (to == ELEMENT_F32)
            ((float *)y)[i] = (float)value;
        else
            ((int32_t *)y)[i] = value >= -2147483648.0 && value < 2147483648.0 ? (int32_t)value : INT32_MIN;
    }
}

/* convert, and copies of whole numbers */
static void run_convert(struct interpreter *in, const struct instruction *i) {
    const struct node *node = i->node;
    enum element from = node->inputs[0]->type.element, to = node->type.element;
    for (int64_t e = 0; e < i->count; e++) {
        const char *x = operand_at(in, &i->operands[0], e, element_size(from));
        char *y = plane(in, &i->result, e, element_size(to));
        if (i->operands[0].rows || !i->result.rows)
            convert(from, to, i->result.rows ? in->stride : 1, x, y);
        else
            for (int64_t r = 0; r < in->stride; r++)
                convert(from, to, 1, x, y + (size_t)r * element_size(to));
    }
}

static void run_pad(struct interpreter *in, const struct instruction *i) {
    int64_t n = i->result.rows ? in->stride : 1;
    const double number = i->node->attributes.number;
    const float single = (float)number;
    const void *outside =
        i->node->type.element == ELEMENT_F32 ? (const void *)&single : (const void *)&number;
    for (int64_t e = 0; e < i->count; e++) {
        char *y = plane(in, &i->result, e, i->size);
        int64_t from = i->operands[0].index[e]; /* -1: nothing was there */
        if (from < 0)
            i->kernels->elementwise[OPERATOR_copy](n, y, (const void *[]){outside}, (bool[]){true});
        else if (i->operands[0].rows || !i->result.rows)
            memcpy(y, plane(in, &i->operands[0], from, i->size), (size_t)n * i->size);
        else
            i->kernels->elementwise[OPERATOR_copy](
                n, y, (const void *[]){plane(in, &i->operands[0], from, i->size)}, (bool[]){true});
    }
}

/* ---- folds ---- */

/* A plane for an operand of a fold, spread over the rows where it has none. */
static const char *sweep_plane(struct interpreter *in, const struct instruction *i, const struct operand *o,
                               int which, int64_t element) {
    char *at = operand_at(in, o, element, i->size);
    if (o->rows)
        return at;
    i->kernels->elementwise[OPERATOR_copy](in->stride, in->spread[which], (const void *[]){at},
                                           (bool[]){true});
    return in->spread[which];
}

static void run_fold(struct interpreter *in, const struct instruction *i) {
    int64_t n = i->result.rows ? in->stride : 1;
    for (int64_t e = 0; e < i->count; e++) {
        void *y = plane(in, &i->result, e, i->size);
        for (int64_t k = 0; k < i->length; k++) {
            const void *x = i->result.rows ? sweep_plane(in, i, &i->operands[0], 0, e * i->length + k)
                                           : operand_at(in, &i->operands[0], e * i->length + k, i->size);
            if (k == 0)
                memcpy(y, x, (size_t)n * i->size);
            else
                i->kernels->join[i->node->code](n, y, x);
        }
    }
}

static void run_sweep(struct interpreter *in, const struct instruction *i) {
    int64_t lanes = lanes_of(i->node->type.element);
    for (int64_t e = 0; e < i->count; e++)
        i->kernels->sweep[i->node->code](in->rows, sweep_plane(in, i, &i->operands[0], 0, e),
                                         (char *)i->lanes + (size_t)(e * lanes) * i->size);
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
enum { LARGE = 1 << 20 };

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
        const void *rows = plane(in, &i->operands[left ? 0 : 1], x, i->size);
        const void *weights = plane(in, &i->operands[left ? 1 : 0], w, i->size);
        const void *start = affine ? plane(in, &i->operands[2], bias, i->size) : NULL;
        int64_t x_k = left ? a.column : b.row, w_k = left ? b.row : a.column, w_j = left ? b.column : a.row;
        if (y_step == 1) {
            struct rows_product product = {in, i, rows, weights, start, plane(in, &i->result, y, i->size),
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
                    bias_step, i->operands[2].rows, plane(in, &i->result, y + j * y_step, i->size));
    }
}

static void planes_by_planes(struct interpreter *in, const struct instruction *i, int64_t lead) {
    const struct matmul *mm = &i->matmul;
    struct matrix a = matrix_of(&mm->a, lead), b = matrix_of(&mm->b, lead), c = {0};
    bool affine = i->operand_count == 3;
    if (affine)
        c = matrix_of(&mm->c, lead);
    i->kernels->matmul_planes(mm->m, mm->n, mm->k, in->stride, in->stride,
                              plane(in, &i->operands[0], a.first, i->size), a.row, a.column,
                              plane(in, &i->operands[1], b.first, i->size), b.row, b.column,
                              affine ? plane(in, &i->operands[2], c.first, i->size) : NULL, c.row, c.column,
                              i->operands[2].rows, plane(in, &i->result, lead * mm->m * mm->n, i->size));
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
        i->kernels->matmul_once(mm->m, mm->n, mm->k, plane(in, &i->operands[0], a.first, i->size), a.row,
                                a.column, plane(in, &i->operands[1], b.first, i->size), b.row, b.column,
                                i->operand_count == 3 ? plane(in, &i->operands[2], c.first, i->size) : NULL,
                                c.row, c.column, plane(in, &i->result, lead * mm->m * mm->n, i->size));
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
};

static void chain_part(void *context, int64_t turn) {
    const struct chain_product *p = context;
    int64_t from = turn * p->part, m = p->m - from < p->part ? p->m - from : p->part;
    int64_t stride = p->in->stride, y_i = p->i->matmul.n;
    p->i->kernels->matmul_chain(m, p->n, p->in->rows, stride,
                                p->a + (size_t)(from * p->a_i * stride) * p->i->size, p->a_i, p->b, p->b_j,
                                p->y + (size_t)(from * y_i) * p->i->size, y_i);
}

/* The sum over the batch: both sides as planes, in lanes or in a chain. */
static void run_matmul_sweep(struct interpreter *in, const struct instruction *i) {
    const struct matmul *mm = &i->matmul;
    int64_t lanes = lanes_of(i->node->type.element), each = mm->m * mm->n;
    bool spread = !i->operands[0].rows || !i->operands[1].rows;
    for (int64_t lead = 0; lead < mm->lead; lead++) {
        struct matrix a = matrix_of(&mm->a, lead), b = matrix_of(&mm->b, lead);
        char *sums = (char *)i->lanes + (size_t)(lead * each * lanes) * i->size;
        char *y = plane(in, &i->result, lead * each, i->size);
        for (int64_t p = 0; p < (spread ? mm->m : 1); p++)
            for (int64_t q = 0; q < (spread ? mm->n : 1); q++) {
                int64_t m = spread ? 1 : mm->m, n = spread ? 1 : mm->n, at = p * mm->n + q;
                struct operand left = i->operands[0], right = i->operands[1];
                left.index = right.index = NULL;
                left.uniform = right.uniform = false;
                const void *x = sweep_plane(in, i, &left, 0, a.first + p * a.row);
                const void *z = sweep_plane(in, i, &right, 1, b.first + q * b.column);
                if (mm->kind == MATMUL_LANES)
                    i->kernels->matmul_lanes(m, n, in->rows, in->stride, x, a.row, z, b.column,
                                             sums + (size_t)(at * lanes) * i->size);
                else {
                    struct chain_product product = {in, i, x, z,     y + (size_t)at * i->size,
                                                    m,  n, 0, a.row, b.column};
                    product.part = part_of(in, m, m * n * in->rows);
                    threads_run(in->threads, (m + product.part - 1) / product.part, chain_part, &product);
                }
            }
    }
}

/* ---- parts side by side, tables ---- */

static void run_concat(struct interpreter *in, const struct instruction *i) {
    const struct shape *shape = &i->node->type.shape;
    int64_t n = i->result.rows ? in->stride : 1, inside = 1, start = 0;
    for (int axis = (int)i->node->attributes.axis + 1; axis < shape->rank; axis++)
        inside *= shape->dims[axis] == BATCH ? 1 : shape->dims[axis];
    int64_t wide = inside * shape->dims[i->node->attributes.axis];
    for (int k = 0; k < i->operand_count; k++) {
        int64_t run = inside * i->node->inputs[k]->type.shape.dims[i->node->attributes.axis];
        i->kernels->concat(i->count / wide, run, wide, n, n, plane(in, &i->operands[k], 0, i->size),
                           plane(in, &i->result, start, i->size));
        start += run;
    }
}

/* How far apart the elements of an operand lie. */
static int64_t element_step(const struct interpreter *in, const struct operand *o) {
    return o->rows ? in->stride : 1;
}

static void run_gather(struct interpreter *in, const struct instruction *i) {
    const struct operand *table = &i->operands[0], *index = &i->operands[1];
    int64_t count = shape_inner_size(&i->node->inputs[1]->type.shape), width = i->count / count;
    int64_t n = i->result.rows ? in->stride : 1;
    i->kernels->gather(count, width, shape_inner_size(&i->node->inputs[0]->type.shape) / width, n, n,
                       (const void *)plane(in, index, 0, sizeof(int32_t)), element_step(in, index),
                       index->rows, plane(in, table, 0, i->size), element_step(in, table), table->rows,
                       plane(in, &i->result, 0, i->size));
}

/* Over the batch it adds to what earlier tiles left; else it starts anew. */
static void run_scatter(struct interpreter *in, const struct instruction *i) {
    const struct operand *index = &i->operands[0], *x = &i->operands[1];
    int64_t count = shape_inner_size(&i->node->inputs[0]->type.shape);
    int64_t width = shape_inner_size(&i->node->inputs[1]->type.shape) / count;
    char *y = plane(in, &i->result, 0, i->size);
    if (!plan_placement(in->plan, i->node)->sweep)
        memset(y, 0, (size_t)(i->count * element_step(in, &i->result)) * i->size);
    i->kernels->scatter(count, width, i->count / width, x->rows ? in->rows : 1, element_step(in, x),
                        (const void *)plane(in, index, 0, sizeof(int32_t)), element_step(in, index),
                        index->rows, plane(in, x, 0, i->size), y, element_step(in, &i->result),
                        i->result.rows);
}

/* ---- convolutions ---- */

/* What a turn of a thread computes of a convolution. */
struct convolving_turn {
    struct interpreter *in;
    const struct instruction *i;
    int64_t turns;
};

static void convolve_turn(void *context, int64_t turn) {
    const struct convolving_turn *share = context;
    struct interpreter *in = share->in;
    const struct instruction *i = share->i;
    const void *x = plane(in, &i->operands[0], 0, i->size), *w = plane(in, &i->operands[1], 0, i->size);
    struct access bias = {0};
    if (i->node->code == OPERATOR_convolve_weights) {
        i->kernels->convolve_weights(&i->convolution, turn, share->turns, in->rows, in->stride, x, w,
                                     i->lanes);
        return;
    }
    if (i->operand_count == 3)
        bias = plan_operand(i->node, 2);
    i->kernels->convolve(&i->convolution, turn, share->turns, in->stride, in->stride, x, w,
                         i->operand_count == 3 ? plane(in, &i->operands[2], bias.offset, i->size) : NULL,
                         bias.strides[1], plane(in, &i->result, 0, i->size));
}

/* Twice as many turns as threads, since they are not equal: blocks of channels, lines at the border. */
static void run_convolve(struct interpreter *in, const struct instruction *i) {
    const struct convolution *shape = &i->convolution;
    int64_t products = in->rows * shape->groups * shape->sources * shape->results * shape->down.kernel *
                       shape->across.kernel * shape->down.result * shape->across.result;
    int64_t threads = threads_count(in->threads);
    struct convolving_turn share = {in, i, threads > 1 && products > LARGE ? 2 * threads : 1};
    threads_run(in->threads, share.turns, convolve_turn, &share);
}

static void run_overlap(struct interpreter *in, const struct instruction *i) {
    const struct attributes *attributes = &i->node->attributes;
    struct overlap o = plan_overlap(i->node);
    int64_t n = i->result.rows ? in->stride : 1;
    i->kernels->overlap(o.outer, o.n, o.places, o.size, attributes->step, attributes->dilation, o.inside, n,
                        n, plane(in, &i->operands[0], 0, i->size), plane(in, &i->result, 0, i->size));
}

/* ---- random numbers, assignments ---- */

static void run_random(struct interpreter *in, const struct instruction *i) {
    const struct batch *batch = in->batch;
    uint32_t stream = (uint32_t)i->node->attributes.index;
    bool normal = i->node->code == OPERATOR_normal;
    char *y = plane(in, &i->result, 0, i->size);
    for (int64_t e = 0; e < i->count; e++) {
        double number = batch->numpy
                            ? (normal ? nn_numpy_normal(batch->numpy) : nn_numpy_sample(batch->numpy))
                        : normal ? in->kernels->normal(batch->seed, stream, (uint64_t)e)
                                 : nn_uniform(batch->seed, stream, (uint64_t)e);
        convert(ELEMENT_F64, i->node->type.element, 1, &number, y + (size_t)e * i->size);
    }
}

/* The number of element e in row r has index r * count + e. */
static void run_noise(struct interpreter *in, const struct instruction *i) {
    const struct batch *batch = in->batch;
    const uint32_t stream = (uint32_t)i->node->attributes.index;
    const uint64_t count = (uint64_t)i->count, row = (uint64_t)(batch->first_row + in->from);
    if (!i->result.rows)
        i->kernels->noise((long)i->count, batch->seed, stream, batch->drawn, 0, 1,
                          plane(in, &i->result, 0, i->size));
    for (int64_t e = 0; i->result.rows && e < i->count; e++)
        i->kernels->noise((long)in->stride, batch->seed, stream, batch->drawn, row * count + (uint64_t)e,
                          count, plane(in, &i->result, e, i->size));
}

static void run_assign(struct interpreter *in, const struct instruction *i) {
    char *weight = i->operands[0].base;
    const struct operand *value = &i->operands[1];
    if (value->identity)
        memmove(weight, plane(in, value, 0, i->size), (size_t)i->count * i->size);
    else
        for (int64_t e = 0; e < i->count; e++)
            memcpy(weight + (size_t)e * i->size, operand_at(in, value, e, i->size), i->size);
}

/* ---- making instructions ---- */

static struct operand place_operand(struct interpreter *in, const struct access *access) {
    const struct node *source = access->source;
    const struct placement *p = plan_placement(in->plan, source);
    enum element element = source->type.element;
    size_t size = element_size(element);
    struct operand o = {
        .element = element, .rows = access->rows, .uniform = access->uniform, .identity = access->identity};
    o.first = access->offset;
    if (source->code == OPERATOR_weight)
        o.base = in->weights[source->attributes.index];
    else if (source->code == OPERATOR_rows)
        o.base = element == ELEMENT_F64 ? (char *)in->rows_f64 : (char *)in->rows_f32;
    else if (source->code == OPERATOR_step)
        o.base = element == ELEMENT_F64 ? (char *)in->step_f64 : (char *)in->step_f32;
    else if (source->code == OPERATOR_constant || source->code == OPERATOR_coordinate) {
        int64_t count = shape_inner_size(&source->type.shape);
        o.base = arena_allocate_array(in->arena, (size_t)count, size);
        for (int64_t e = 0; e < count; e++) {
            double number = source->code == OPERATOR_constant ? source->attributes.number : (double)e;
            convert(ELEMENT_F64, element, 1, &number, o.base + (size_t)e * size);
        }
    } else if (p->place == PLACE_ONCE)
        o.base = in->once_memory[element] + (size_t)p->offset * size;
    else {
        o.at = p->place == PLACE_KEPT ? AT_KEPT : AT_TILE;
        o.offset = p->offset;
        o.planes = in->plan->kept_planes[element];
    }
    if (!o.uniform && !o.identity) {
        int64_t count = 1;
        for (int axis = 0; axis < access->rank; axis++)
            count *= access->sizes[axis];
        o.index = arena_array(in->arena, int64_t, (size_t)count);
        for (int64_t e = 0; e < count; e++)
            o.index[e] = access_index(access, e);
    }
    return o;
}

static struct access whole(struct node *node) {
    return access_of(node, &node->type.shape);
}

static void choose_elementwise(struct interpreter *in, struct instruction *i) {
    bool flat = true;
    for (int k = 0; k < i->node->input_count; k++) {
        struct access access = plan_operand(i->node, k);
        i->operands[k] = place_operand(in, &access);
        const struct operand *o = &i->operands[k];
        flat = flat && ((o->identity && o->rows == i->result.rows) || (o->uniform && !o->rows));
    }
    i->run = flat ? run_flat : run_by_element;
}

static void choose_fold(struct interpreter *in, struct instruction *i) {
    struct access access = plan_fold_operand(i->node, &i->length);
    i->operands[0] = place_operand(in, &access);
    i->run = plan_placement(in->plan, i->node)->sweep ? run_sweep : run_fold;
}

static void choose_matmul(struct interpreter *in, struct instruction *i) {
    i->matmul = plan_matmul(i->node);
    struct access *accesses[] = {&i->matmul.a, &i->matmul.b, &i->matmul.c};
    for (int k = 0; k < i->operand_count; k++) {
        struct access flat = *accesses[k];
        flat.identity = true; /* kernels walk by strides, not by index */
        flat.uniform = false;
        i->operands[k] = place_operand(in, &flat);
    }
    i->run = i->matmul.kind == MATMUL_ROWS   ? run_matmul_rows
             : i->matmul.kind == MATMUL_ONCE ? run_matmul_once
                                             : run_matmul_sweep;
}

static void choose_pad(struct interpreter *in, struct instruction *i) {
    struct access access = whole(i->node->inputs[0]);
    const struct shape *shape = &i->node->type.shape;
    const struct attributes *attributes = &i->node->attributes;
    int64_t inside = 1; /* elements below one step along the axis */
    for (int axis = (int)attributes->axis + 1; axis < shape->rank; axis++)
        inside *= shape->dims[axis] == BATCH ? 1 : shape->dims[axis];
    int64_t wide = shape->dims[attributes->axis],
            narrow = i->node->inputs[0]->type.shape.dims[attributes->axis];
    i->operands[0] = place_operand(in, &access);
    int64_t *source = arena_array(in->arena, int64_t, (size_t)i->count);
    for (int64_t e = 0; e < i->count; e++) {
        int64_t along = e / inside % wide - attributes->start;
        bool there = along % attributes->step == 0 && along / attributes->step >= 0 &&
                     along / attributes->step < narrow;
        int64_t element = (e / inside / wide * narrow + along / attributes->step) * inside + e % inside;
        source[e] = there ? source_of(&i->operands[0], element) : -1;
    }
    i->operands[0].index = source;
    i->run = run_pad;
}

/* Operands that lie in whole planes, as lower() leaves them. */
static void choose_whole(struct interpreter *in, struct instruction *i) {
    for (int k = 0; k < i->operand_count; k++) {
        struct access flat = whole(i->node->inputs[k]);
        flat.identity = true;
        flat.uniform = false;
        i->operands[k] = place_operand(in, &flat);
    }
    if (plan_is_convolution(i->node))
        i->convolution = plan_convolution(i->node);
    i->run = i->node->code == OPERATOR_concat    ? run_concat
             : i->node->code == OPERATOR_gather  ? run_gather
             : i->node->code == OPERATOR_scatter ? run_scatter
             : i->node->code == OPERATOR_overlap ? run_overlap
                                                 : run_convolve;
}

static void choose_assign(struct interpreter *in, struct instruction *i) {
    struct access weight = whole(i->node->inputs[0]), value = plan_operand(i->node, 1);
    i->operands[0] = place_operand(in, &weight);
    i->operands[1] = place_operand(in, &value);
    i->run = run_assign;
}

static struct instruction new_instruction(struct interpreter *in, const struct node *node) {
    const struct placement *p = plan_placement(in->plan, node);
    enum element element = node->code == OPERATOR_convert ? ELEMENT_F64 : node->type.element;
    struct instruction i = {.node = node, .operand_count = node->input_count};
    i.kernels = element == ELEMENT_F32 ? in->kernels->f32 : in->kernels->f64;
    i.size = element_size(node->type.element);
    i.count = shape_inner_size(&node->type.shape);
    if (node->code != OPERATOR_assign) {
        struct access result = whole((struct node *)node);
        i.result = place_operand(in, &result);
    }
    if (p->lanes >= 0)
        i.lanes = in->once_memory[node->type.element] + (size_t)p->lanes * i.size;
    if (node->code == OPERATOR_assign)
        choose_assign(in, &i);
    else if (node->code == OPERATOR_convert ||
             (node->code == OPERATOR_copy && node->type.element == ELEMENT_INT)) {
        struct access access = plan_operand(node, 0);
        i.operands[0] = place_operand(in, &access);
        i.run = run_convert;
    } else if (node->code == OPERATOR_pad)
        choose_pad(in, &i);
    else if (operators[node->code].kind == KIND_KERNEL)
        choose_whole(in, &i);
    else if (node->code == OPERATOR_uniform || node->code == OPERATOR_normal)
        i.run = run_random;
    else if (node->code == OPERATOR_noise)
        i.run = run_noise;
    else if (node->code == OPERATOR_matmul || node->code == OPERATOR_affine)
        choose_matmul(in, &i);
    else if (operators[node->code].kind == KIND_FOLD)
        choose_fold(in, &i);
    else
        choose_elementwise(in, &i);
    return i;
}

static void make_instructions(struct interpreter *in) {
    const struct plan *plan = in->plan;
    in->groups = arena_array(in->arena, struct instruction *, (size_t)plan->group_count);
    in->counts = arena_array(in->arena, int, (size_t)plan->group_count);
    for (int g = 0; g < plan->group_count; g++) {
        const struct group *group = &plan->groups[g];
        int count = 0;
        for (int n = 0; n < group->nest_count; n++)
            count += group->nests[n].count;
        in->groups[g] = arena_array(in->arena, struct instruction, (size_t)count);
        for (int n = 0; n < group->nest_count; n++)
            for (int k = 0; k < group->nests[n].count; k++)
                in->groups[g][in->counts[g]++] = new_instruction(in, group->nests[n].nodes[k]);
    }
}

struct interpreter *interpreter_new(const struct plan *plan, const struct kernels *kernels,
                                    void *const *weights, struct arena *arena) {
    struct interpreter *in = arena_new(arena, struct interpreter);
    in->plan = plan;
    in->kernels = kernels;
    in->weights = weights;
    in->arena = arena;
    for (int e = 0; e < 3; e++) {
        size_t size = element_size((enum element)e);
        in->tile_memory[e] = arena_allocate_array(arena, (size_t)(plan->tile_planes[e] * plan->tile), size);
        in->once_memory[e] = arena_allocate_array(arena, (size_t)plan->once_size[e], size);
    }
    for (int k = 0; k < 2; k++)
        in->spread[k] = arena_allocate_array(arena, (size_t)plan->tile, sizeof(double));
    in->rows_f64 = arena_new(arena, double);
    in->step_f64 = arena_new(arena, double);
    in->rows_f32 = arena_new(arena, float);
    in->step_f32 = arena_new(arena, float);
    make_instructions(in);
    in->roots = arena_array(arena, struct operand, (size_t)plan->root_count);
    for (int k = 0; k < plan->root_count; k++) {
        struct access access = whole(plan->roots[k]);
        if (plan->roots[k]->code != OPERATOR_assign)
            in->roots[k] = place_operand(in, &access);
    }
    return in;
}

/* ---- running ---- */

static int64_t tiles_of(const struct interpreter *in, int64_t rows) {
    return (rows + in->plan->tile - 1) / in->plan->tile;
}

static void make_room(struct interpreter *in, int64_t rows) {
    int64_t tiles = tiles_of(in, rows), planes = 0;
    for (int e = 0; e < 3; e++)
        planes += in->plan->kept_planes[e];
    if (planes == 0 || tiles <= in->kept_tiles)
        return;
    in->kept_tiles = tiles;
    for (int e = 0; e < 3; e++)
        in->kept_memory[e] = arena_allocate_array(
            in->arena, (size_t)tiles * (size_t)(in->plan->kept_planes[e] * in->plan->tile),
            element_size((enum element)e));
}

/* Elements and rows of a node's result that are real; the padding of a tile is not. */
static void look(struct interpreter *in, const struct instruction *i) {
    const struct node *node = i->node;
    const struct placement *p = plan_placement(in->plan, node);
    if (in->found.node || node->type.element == ELEMENT_INT || node->code == OPERATOR_assign || p->sweep)
        return;
    for (int64_t e = 0; e < i->count; e++) {
        const char *at = plane(in, &i->result, e, i->size);
        for (int64_t r = 0; r < (i->result.rows ? in->rows : 1); r++) {
            double value = node->type.element == ELEMENT_F64 ? ((const double *)(const void *)at)[r]
                                                             : (double)((const float *)(const void *)at)[r];
            if (!isfinite(value)) {
                in->found = (struct nonfinite){node, e, i->result.rows ? in->from + r : -1, value};
                return;
            }
        }
    }
}

static void run_instructions(struct interpreter *in, int g) {
    for (int k = 0; k < in->counts[g]; k++) {
        struct instruction *i = &in->groups[g][k];
        if (in->searching && in->found.node)
            return;
        i->run(in, i);
        if (in->searching)
            look(in, i);
    }
}

static void load_inputs(struct interpreter *in, const struct group *group) {
    for (int k = 0; k < group->input_count; k++) {
        const struct node *node = group->inputs[k];
        const struct placement *p = plan_placement(in->plan, node);
        enum element element = node->type.element;
        size_t size = element_size(element);
        int64_t inner = shape_inner_size(&node->type.shape);
        char *to = in->tile_memory[element] + (size_t)(p->offset * in->stride) * size;
        const char *from = in->batch->columns[node->attributes.index];
        const uint32_t *order = in->batch->order ? in->batch->order + in->from : NULL;
        if (!order)
            from += (size_t)(in->from * inner) * size;
        (element == ELEMENT_F64 ? in->kernels->f64 : in->kernels->f32)
            ->load(inner, in->rows, in->stride, from, order, to);
    }
}

/* From planes to the caller's rows. */
static void store_rows(struct interpreter *in, const struct node *root, const struct operand *operand,
                       char *to) {
    size_t size = element_size(root->type.element);
    int64_t inner = shape_inner_size(&root->type.shape);
    for (int64_t e = 0; e < inner; e++) {
        const char *from = operand_at(in, operand, e, size);
        for (int64_t r = 0; r < in->rows; r++)
            memcpy(to + (size_t)((in->from + r) * inner + e) * size,
                   from + (size_t)(operand->rows ? r : 0) * size, size);
    }
}

static void store_results(struct interpreter *in, int g) {
    const struct plan *plan = in->plan;
    for (int k = 0; k < plan->root_count; k++) {
        const struct node *root = plan->roots[k];
        if (!in->batch->results[k] || root->code == OPERATOR_assign ||
            shape_batch_axis(&root->type.shape) < 0)
            continue;
        struct access access = whole(plan->roots[k]);
        const struct placement *p = plan_placement(plan, access.source);
        if (p->group == g)
            store_rows(in, root, &in->roots[k], in->batch->results[k]);
    }
}

static void start_sweeps(struct interpreter *in, int g) {
    for (int k = 0; k < in->counts[g]; k++) {
        const struct instruction *i = &in->groups[g][k];
        if (!plan_placement(in->plan, i->node)->sweep)
            continue;
        double start = operators[i->node->code].start;
        float start_f32 = (float)start;
        const void *number =
            i->node->type.element == ELEMENT_F64 ? (const void *)&start : (const void *)&start_f32;
        int64_t n = i->lanes ? i->count * lanes_of(i->node->type.element) : i->count;
        i->kernels->elementwise[OPERATOR_copy](n, i->lanes ? i->lanes : plane(in, &i->result, 0, i->size),
                                               (const void *[]){number}, (bool[]){true});
    }
}

static void finish_sweeps(struct interpreter *in, int g) {
    for (int k = 0; k < in->counts[g]; k++) {
        const struct instruction *i = &in->groups[g][k];
        enum operator_code fold = operators[i->node->code].kind == KIND_FOLD ? i->node->code : OPERATOR_sum;
        if (i->lanes)
            i->kernels->tree[fold](i->count, i->lanes, plane(in, &i->result, 0, i->size));
    }
}

static void run_rows(struct interpreter *in, int g) {
    const struct group *group = &in->plan->groups[g];
    if (group->nest_count == 0)
        return;
    start_sweeps(in, g);
    for (in->tile = 0, in->from = 0; in->from < in->batch->rows; in->tile++, in->from += in->stride) {
        in->rows = in->batch->rows - in->from < in->stride ? in->batch->rows - in->from : in->stride;
        load_inputs(in, group);
        run_instructions(in, g);
        store_results(in, g);
    }
    finish_sweeps(in, g);
}

static void store_once(struct interpreter *in) {
    const struct plan *plan = in->plan;
    for (int k = 0; k < plan->root_count; k++) {
        const struct node *root = plan->roots[k];
        if (!in->batch->results[k] || root->code == OPERATOR_assign ||
            shape_batch_axis(&root->type.shape) >= 0)
            continue;
        size_t size = element_size(root->type.element);
        char *to = in->batch->results[k];
        for (int64_t e = 0; e < shape_inner_size(&root->type.shape); e++)
            memcpy(to + (size_t)e * size, operand_at(in, &in->roots[k], e, size), size);
    }
}

void interpreter_use_threads(struct interpreter *interpreter, struct threads *threads) {
    interpreter->threads = threads;
}

void interpreter_run(struct interpreter *in, const struct batch *batch) {
    enum { LANES = LANES_F32 };
    in->batch = batch;
    in->stride = batch->rows < in->plan->tile ? (batch->rows + 2 * LANES - 1) / (2 * LANES) * (2 * LANES)
                                              : in->plan->tile;
    *in->rows_f64 = (double)batch->rows;
    *in->rows_f32 = (float)batch->rows;
    *in->step_f64 = batch->step;
    *in->step_f32 = (float)batch->step;
    make_room(in, batch->rows);
    for (int g = 0; g < in->plan->group_count; g++) {
        if (in->plan->groups[g].rows)
            run_rows(in, g);
        else
            run_instructions(in, g);
    }
    if (!in->searching)
        store_once(in);
}

struct nonfinite interpreter_search(struct interpreter *in, const struct batch *batch) {
    in->searching = true;
    in->found = (struct nonfinite){0};
    interpreter_run(in, batch);
    in->searching = false;
    return in->found;
}
