/* Instructions that go element by element, and those that move numbers: parts side by side, entries of
 * tables, random numbers, new weights. */
#include "graph/operator.h"
#include "instruction.h"
#include "kernels/random.h"

#include <string.h>

/* ---- element-wise ---- */

void choose_elementwise(struct interpreter *in, struct instruction *i) {
    i->flat = true;
    for (int k = 0; k < i->node->input_count; k++) {
        struct access access = plan_operand(i->node, k);
        i->operands[k] = place_operand(in, &access);
        const struct operand *o = &i->operands[k];
        i->flat = i->flat && ((o->in_order && o->rows == i->result.rows) || (o->uniform && !o->rows));
    }
    i->kernel = i->kernels->elementwise[i->node->code];
}

void locate_elementwise(struct instruction *i) {
    const long lanes = lanes_of(i->node->type.element);
    const enum operator_code code = i->node->code;
    i->kernel = i->kernel_rows == 1 ? i->kernels->single[code]
                : i->kernel_rows % lanes == 0
                    ? i->kernels->whole[code][single_numbers(i->planes, i->operand_count)]
                    : i->kernels->elementwise[code];
}

/* ---- other element types ---- */

/* convert, and copies of whole numbers */
static void run_convert(struct interpreter *in, const struct instruction *i) {
    const struct node *node = i->node;
    int64_t n = width_of(in, &i->result);
    for (int64_t e = 0; e < i->count; e++)
        in->kernels->convert(node->inputs[0]->type.element, node->type.element, (long)n,
                             operand_at(in, &i->operands[0], e), !i->operands[0].rows,
                             plane_of(in, &i->result, e));
}

void choose_convert(struct interpreter *in, struct instruction *i) {
    struct access access = plan_operand(i->node, 0);
    i->operands[0] = place_operand(in, &access);
    i->run = run_convert;
}

/* ---- numbers around ---- */

static void run_pad(struct interpreter *in, const struct instruction *i) {
    int64_t n = width_of(in, &i->result);
    const double number = i->node->attributes.number;
    const float single = (float)number;
    const void *outside =
        i->node->type.element == ELEMENT_F32 ? (const void *)&single : (const void *)&number;
    for (int64_t e = 0; e < i->count; e++) {
        char *y = plane_of(in, &i->result, e);
        int64_t from = i->operands[0].index[e]; /* -1: nothing was there */
        if (from < 0)
            fill(i->kernels, n, y, outside);
        else if (i->operands[0].rows || !i->result.rows)
            memcpy(y, plane_of(in, &i->operands[0], from), (size_t)n * i->size);
        else
            fill(i->kernels, n, y, plane_of(in, &i->operands[0], from));
    }
}

void choose_pad(struct interpreter *in, struct instruction *i) {
    struct access access = whole(i->node->inputs[0]);
    const struct shape *shape = &i->node->type.shape;
    const struct attributes *attributes = &i->node->attributes;
    int64_t inside = shape_size_below(shape, attributes->axis);
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

/* ---- parts side by side, tables ---- */

static void run_concat(struct interpreter *in, const struct instruction *i) {
    const struct shape *shape = &i->node->type.shape;
    int64_t n = width_of(in, &i->result), inside = shape_size_below(shape, i->node->attributes.axis),
            start = 0;
    int64_t wide = inside * shape->dims[i->node->attributes.axis];
    for (int k = 0; k < i->operand_count; k++) {
        int64_t run = inside * i->node->inputs[k]->type.shape.dims[i->node->attributes.axis];
        i->kernels->concat(i->count / wide, run, wide, n, n, plane_of(in, &i->operands[k], 0),
                           plane_of(in, &i->result, start));
        start += run;
    }
}

static void run_gather(struct interpreter *in, const struct instruction *i) {
    const struct operand *table = &i->operands[0], *index = &i->operands[1];
    int64_t count = shape_inner_size(&i->node->inputs[1]->type.shape), width = i->count / count;
    int64_t n = width_of(in, &i->result);
    i->kernels->gather(count, width, shape_inner_size(&i->node->inputs[0]->type.shape) / width, n, n,
                       (const void *)plane_of(in, index, 0), width_of(in, index), index->rows,
                       plane_of(in, table, 0), width_of(in, table), table->rows, plane_of(in, &i->result, 0));
}

/* Over the batch it adds to what earlier tiles left; else it starts anew. */
static void run_scatter(struct interpreter *in, const struct instruction *i) {
    const struct operand *index = &i->operands[0], *x = &i->operands[1];
    int64_t count = shape_inner_size(&i->node->inputs[0]->type.shape);
    int64_t width = shape_inner_size(&i->node->inputs[1]->type.shape) / count;
    char *y = plane_of(in, &i->result, 0);
    if (!plan_placement(in->plan, i->node)->sweep)
        memset(y, 0, (size_t)(i->count * width_of(in, &i->result)) * i->size);
    i->kernels->scatter(count, width, i->count / width, x->rows ? in->rows : 1, width_of(in, x),
                        (const void *)plane_of(in, index, 0), width_of(in, index), index->rows,
                        plane_of(in, x, 0), y, width_of(in, &i->result), i->result.rows);
}

void choose_moving(struct interpreter *in, struct instruction *i) {
    place_whole(in, i);
    i->run = i->node->code == OPERATOR_concat   ? run_concat
             : i->node->code == OPERATOR_gather ? run_gather
                                                : run_scatter;
}

/* ---- random numbers, assignments ---- */

static void run_random(struct interpreter *in, const struct instruction *i) {
    const struct batch *batch = in->batch;
    uint32_t stream = (uint32_t)i->node->attributes.index;
    bool normal = i->node->code == OPERATOR_normal;
    char *y = plane_of(in, &i->result, 0);
    for (int64_t e = 0; e < i->count; e++) {
        double number = batch->numpy
                            ? (normal ? nn_numpy_normal(batch->numpy) : nn_numpy_sample(batch->numpy))
                        : normal ? in->kernels->normal(batch->seed, stream, (uint64_t)e)
                                 : nn_uniform(batch->seed, stream, (uint64_t)e);
        in->kernels->convert(ELEMENT_F64, i->node->type.element, 1, &number, false, y + (size_t)e * i->size);
    }
}

/* The number of element e in row r has index r * count + e. */
static void run_noise(struct interpreter *in, const struct instruction *i) {
    const struct batch *batch = in->batch;
    const uint32_t stream = (uint32_t)i->node->attributes.index;
    const uint64_t count = (uint64_t)i->count, row = (uint64_t)(batch->first_row + in->from);
    if (!i->result.rows)
        i->kernels->noise((long)i->count, batch->seed, stream, batch->drawn, 0, 1,
                          plane_of(in, &i->result, 0));
    for (int64_t e = 0; i->result.rows && e < i->count; e++)
        i->kernels->noise((long)in->stride, batch->seed, stream, batch->drawn, row * count + (uint64_t)e,
                          count, plane_of(in, &i->result, e));
}

void choose_random(struct interpreter *in, struct instruction *i) {
    (void)in;
    i->run = i->node->code == OPERATOR_noise ? run_noise : run_random;
}

static void run_assign(struct interpreter *in, const struct instruction *i) {
    char *weight = plane_of(in, &i->operands[0], 0);
    const struct operand *value = &i->operands[1];
    if (value->identity)
        memmove(weight, plane_of(in, value, 0), (size_t)i->count * i->size);
    else
        for (int64_t e = 0; e < i->count; e++)
            memcpy(weight + (size_t)e * i->size, operand_at(in, value, e), i->size);
}

void choose_assign(struct interpreter *in, struct instruction *i) {
    struct access weight = whole(i->node->inputs[0]), value = plan_operand(i->node, 1);
    i->operands[0] = place_operand(in, &weight);
    i->operands[1] = place_operand(in, &value);
    i->run = run_assign;
}
