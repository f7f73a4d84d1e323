/* A node becomes an instruction when the interpreter is made.  A run chooses the distance between planes for
 * the rows at hand, works out all addresses if it is another than before, and goes through the instructions
 * of each group, tile by tile.
 */
#include "graph/operator.h"
#include "instruction.h"

#include <math.h>
#include <string.h>

/* ---- making instructions ---- */

static const struct real_kernels *kernels_for(const struct interpreter *in, enum element element) {
    return element == ELEMENT_F64 ? in->kernels->f64 : in->kernels->f32;
}

static bool is_in_order(const struct access *access, int64_t count) {
    const int64_t first = access_index(access, 0);
    for (int64_t e = 1; e < count; e++)
        if (access_index(access, e) != first + e)
            return false;
    return true;
}

/* Where the elements of the iteration lie: a slice in order begins at its first, others need an index. */
static void find_elements(struct arena *arena, const struct access *access, struct operand *o) {
    int64_t count = 1;
    for (int axis = 0; axis < access->rank; axis++)
        count *= access->sizes[axis];
    o->in_order = is_in_order(access, count);
    if (!o->in_order) {
        o->index = arena_array(arena, int64_t, (size_t)count);
        for (int64_t e = 0; e < count; e++)
            o->index[e] = access_index(access, e);
    } else if (o->at == AT_FIXED)
        o->base += access_index(access, 0) * (int64_t)element_size(o->element);
    else
        o->offset += access_index(access, 0);
}

struct operand place_operand(struct interpreter *in, const struct access *access) {
    const struct node *source = access->source;
    const struct placement *p = plan_placement(in->plan, source);
    enum element element = source->type.element;
    size_t size = element_size(element);
    struct operand o = {.element = element,
                        .rows = access->rows && !in->one,
                        .uniform = access->uniform,
                        .identity = access->identity,
                        .in_order = access->identity};
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
            in->kernels->convert(ELEMENT_F64, element, 1, &number, false, o.base + (size_t)e * size);
        }
    } else if (p->place == PLACE_ONCE)
        o.base = in->once_memory[element] + (size_t)p->offset * size;
    else {
        o.at = p->place == PLACE_KEPT ? AT_KEPT : AT_TILE;
        o.offset = p->offset;
        o.planes = in->plan->kept_planes[element];
    }
    if (!o.uniform && !o.identity)
        find_elements(in->arena, access, &o);
    return o;
}

struct access whole(struct node *node) {
    return access_of(node, &node->type.shape);
}

void place_whole(struct interpreter *in, struct instruction *i) {
    for (int k = 0; k < i->operand_count; k++) {
        struct access flat = whole(i->node->inputs[k]);
        flat.identity = true;
        flat.uniform = false;
        i->operands[k] = place_operand(in, &flat);
    }
}

/* Where things lie with the stride at hand. */
static void locate_operand(const struct interpreter *in, struct operand *o) {
    int64_t size = (int64_t)element_size(o->element);
    if (o->at == AT_FIXED) {
        o->start = o->base;
        o->element_step = size;
    } else {
        char *memory = o->at == AT_KEPT ? in->kept_memory[o->element] : in->tile_memory[o->element];
        o->element_step = in->stride * size;
        o->start = memory + o->offset * o->element_step;
        o->tile_step = o->at == AT_KEPT ? o->planes * o->element_step : 0;
    }
}

/* In a tile after the first, where something is kept for all tiles. */
static void run_kept(struct interpreter *in, const struct instruction *i) {
    struct planes room[3];
    const struct planes *x = planes_of(in, i, room);
    i->kernel(i->kernel_count, i->kernel_rows, plane_of(in, &i->result, 0), x);
}

static void locate_instruction(const struct interpreter *in, struct instruction *i) {
    locate_operand(in, &i->result);
    i->y = i->result.start;
    i->kept = i->result.tile_step != 0;
    i->kernel_count = (long)(i->flat ? 1 : i->count);
    i->kernel_rows = (long)(width_of(in, &i->result) * (i->flat ? i->count : 1));
    for (int k = 0; k < i->operand_count; k++) {
        struct operand *o = &i->operands[k];
        locate_operand(in, o);
        i->kept = i->kept || o->tile_step != 0;
        i->planes[k] = (struct planes){.at = o->start + (o->uniform ? o->first * o->element_step : 0),
                                       .step = o->uniform ? 0 : o->element_step,
                                       .index = o->index,
                                       .scalar = !o->rows && (!i->flat || o->uniform),
                                       .length = i->length};
    }
    if (i->kernel) {
        i->run = i->kept && in->batch->rows > in->stride ? run_kept : NULL;
        if (!is_fold(i->node))
            locate_elementwise(i);
    }
    if (is_matmul(i->node))
        locate_matmul(in, i);
}

static void locate(struct interpreter *in) {
    for (int g = 0; g < in->plan->group_count; g++)
        for (int k = 0; k < in->groups[g].count; k++)
            locate_instruction(in, &in->groups[g].instructions[k]);
    for (int k = 0; k < in->root_count; k++)
        locate_operand(in, &in->roots[k].operand);
}

/* What runs a node, by its subject. */
static void choose(struct interpreter *in, struct instruction *i) {
    const struct node *node = i->node;
    if (node->code == OPERATOR_assign)
        choose_assign(in, i);
    else if (operators[node->code].gradient == gradient_loop)
        choose_loop(in, i);
    else if (node->code == OPERATOR_convert ||
             (node->code == OPERATOR_copy && node->type.element == ELEMENT_INT))
        choose_convert(in, i);
    else if (node->code == OPERATOR_pad)
        choose_pad(in, i);
    else if (node->code == OPERATOR_overlap || plan_is_convolution(node))
        choose_convolution(in, i);
    else if (operators[node->code].kind == KIND_KERNEL)
        choose_moving(in, i);
    else if (is_random(node))
        choose_random(in, i);
    else if (is_matmul(node))
        choose_matmul(in, i);
    else if (operators[node->code].kind == KIND_FOLD)
        choose_fold(in, i);
    else
        choose_elementwise(in, i);
}

static struct instruction new_instruction(struct interpreter *in, const struct node *node) {
    const struct placement *p = plan_placement(in->plan, node);
    enum element element = node->code == OPERATOR_convert ? ELEMENT_F64 : node->type.element;
    const struct shape iteration = plan_iteration(node);
    struct instruction i = {.node = node, .operand_count = operand_count(node)};
    i.kernels = element == ELEMENT_F32 ? in->kernels->f32 : in->kernels->f64;
    i.size = element_size(node->type.element);
    i.count = shape_inner_size(&iteration);
    if (node->code != OPERATOR_assign && node->code != OPERATOR_loop_next) {
        struct access result = whole((struct node *)node);
        i.result = place_operand(in, &result);
    }
    if (p->lanes >= 0)
        i.lanes = in->once_memory[node->type.element] + (size_t)p->lanes * i.size;
    choose(in, &i);
    return i;
}

/* Is the assignment the only reader of what the instruction before it computes, number by number?  That then
 * writes into the weight's memory, and nothing is left to be copied. */
static bool takes_over(const struct interpreter *in, const struct instruction *before,
                       const struct instruction *assign) {
    const struct placement *p = plan_placement(in->plan, before->node);
    return assign->node->code == OPERATOR_assign && assign->operands[1].identity &&
           plan_operand(assign->node, 1).source == before->node && before->kernel && before->flat &&
           p->local && p->last_index == plan_placement(in->plan, assign->node)->index;
}

static void make_loads(struct interpreter *in, const struct group *group, struct sequence *sequence) {
    sequence->loads = arena_array(in->arena, struct column_load, (size_t)group->input_count);
    for (int k = 0; k < group->input_count; k++) {
        const struct node *node = group->inputs[k];
        const enum element element = node->type.element;
        const int64_t inner = shape_inner_size(&node->type.shape);
        sequence->loads[sequence->load_count++] =
            (struct column_load){.index = (int)node->attributes.index,
                                 .element = element,
                                 .inner = inner,
                                 .size = element_size(element),
                                 .kernels = kernels_for(in, element),
                                 .offset = plan_placement(in->plan, node)->offset};
    }
}

static void make_sums(struct interpreter *in, const struct group *group, struct sequence *sequence) {
    for (int e = ELEMENT_F32; e <= ELEMENT_F64; e++) {
        const struct lane_sums *sums = &group->sums[e];
        const size_t size = element_size((enum element)e);
        char *memory = in->once_memory[e];
        if (sums->count)
            sequence->sums[sequence->sums_count++] =
                (struct sums){.count = (long)sums->count,
                              .lanes_size = (size_t)(sums->count * lanes_of((enum element)e)) * size,
                              .lanes = memory + (size_t)sums->lanes * size,
                              .results = memory + (size_t)sums->results * size,
                              .tree = kernels_for(in, (enum element)e)->tree[OPERATOR_sum]};
    }
}

static void make_instructions(struct interpreter *in, const struct group *group, struct sequence *sequence) {
    int count = 0;
    for (int n = 0; n < group->nest_count; n++)
        count += group->nests[n].count;
    sequence->instructions = arena_array(in->arena, struct instruction, (size_t)count);
    sequence->sweeps = arena_array(in->arena, struct instruction *, (size_t)count);
    for (int n = 0; n < group->nest_count; n++)
        for (int k = 0; k < group->nests[n].count; k++) {
            struct instruction *i = &sequence->instructions[sequence->count++];
            *i = new_instruction(in, group->nests[n].nodes[k]);
            if (group->nests[n].loop)
                i->loop = graph_loop(&in->plan->graph, group->nests[n].loop);
            const struct placement *p = plan_placement(in->plan, i->node);
            if (p->sweep && !p->summed)
                sequence->sweeps[sequence->sweep_count++] = i;
            if (k > 0 && takes_over(in, i - 1, i)) {
                i[-1].result = i->operands[0];
                sequence->count--;
            }
        }
    for (int k = sequence->count - 1; k >= 0; k--) {
        struct instruction *i = &sequence->instructions[k];
        i->stretch = k + 1 < sequence->count && i[1].loop == i->loop ? i[1].stretch + 1 : 1;
    }
}

static struct interpreter *new_interpreter(const struct plan *plan, const struct kernels *kernels,
                                           void *const *weights, bool one, struct arena *arena) {
    struct interpreter *in = arena_new(arena, struct interpreter);
    in->one = one;
    in->plan = plan;
    in->kernels = kernels;
    in->weights = weights;
    in->arena = arena;
    in->placed_rows = -1;
    for (int e = 0; e < 3; e++) {
        size_t size = element_size((enum element)e);
        in->tile_memory[e] =
            arena_allocate_array(arena, (size_t)(plan->tile_planes[e] * (one ? 1 : plan->tile)), size);
        in->once_memory[e] = arena_allocate_array(arena, (size_t)plan->once_size[e], size);
    }
    for (int k = 0; k < 2; k++)
        in->spread[k] = arena_allocate_array(arena, (size_t)plan->tile, sizeof(double));
    in->rows_f64 = arena_new(arena, double);
    in->step_f64 = arena_new(arena, double);
    in->rows_f32 = arena_new(arena, float);
    in->step_f32 = arena_new(arena, float);
    in->groups = arena_array(arena, struct sequence, (size_t)plan->group_count);
    for (int g = 0; g < plan->group_count; g++) {
        make_instructions(in, &plan->groups[g], &in->groups[g]);
        make_loads(in, &plan->groups[g], &in->groups[g]);
        make_sums(in, &plan->groups[g], &in->groups[g]);
    }
    in->roots = arena_array(arena, struct root, (size_t)plan->root_count);
    for (int k = 0; k < plan->root_count; k++) {
        const struct node *node = plan->roots[k];
        struct access access = whole(plan->roots[k]);
        if (node->code != OPERATOR_assign)
            in->roots[in->root_count++] = (struct root){.node = node,
                                                        .number = k,
                                                        .group = plan_placement(plan, access.source)->group,
                                                        .rows = shape_batch_axis(&node->type.shape) >= 0,
                                                        .count = shape_inner_size(&node->type.shape),
                                                        .size = element_size(node->type.element),
                                                        .operand = place_operand(in, &access)};
    }
    return in;
}

static bool suits_one_row(const struct plan *plan) {
    for (int g = 0; g < plan->group_count; g++)
        for (int n = 0; n < plan->groups[g].nest_count; n++)
            for (int k = 0; k < plan->groups[g].nests[n].count; k++)
                if (!plan_suits_one_row(plan, plan->groups[g].nests[n].nodes[k]))
                    return false;
    return true;
}

struct interpreter *interpreter_new(const struct plan *plan, const struct kernels *kernels,
                                    void *const *weights, struct arena *arena) {
    struct interpreter *in = new_interpreter(plan, kernels, weights, false, arena);
    in->suits_one_row = suits_one_row(plan);
    return in;
}

/* ---- running ---- */

/* The distance between planes: as many rows as a tile may have, or fewer where that leaves less padding in
 * the last one and no sum depends on it.  Kernels want a multiple of twice the lanes. */
static int64_t stride_for(const struct plan *plan, int64_t rows) {
    enum { STEP = 2 * LANES_F32 };
    int64_t best = 0, least = 0;
    if (plan->whole_tiles && rows > plan->tile)
        return plan->tile;
    for (int64_t stride = STEP; stride <= plan->tile || stride == STEP; stride += STEP) {
        int64_t computed = (rows + stride - 1) / stride * stride;
        if (best == 0 || computed <= least)
            best = stride, least = computed;
        if (stride >= rows)
            break;
    }
    return best;
}

/* Memory for all tiles of what a later group reads. */
static void make_room(struct interpreter *in, int64_t rows) {
    int64_t tiles = (rows + in->stride - 1) / in->stride, planes = 0;
    for (int e = 0; e < 3; e++)
        planes += in->plan->kept_planes[e];
    if (planes == 0 || tiles * in->stride <= in->kept_rows)
        return;
    in->kept_rows = tiles * in->stride;
    for (int e = 0; e < 3; e++)
        in->kept_memory[e] =
            arena_allocate_array(in->arena, (size_t)in->kept_rows * (size_t)in->plan->kept_planes[e],
                                 element_size((enum element)e));
}

/* Elements and rows of a node's result that are real; the padding of a tile is not. */
static void look(struct interpreter *in, const struct instruction *i) {
    const struct node *node = i->node;
    const struct placement *p = plan_placement(in->plan, node);
    if (in->found.node || node->type.element == ELEMENT_INT || node->code == OPERATOR_assign || p->sweep)
        return;
    for (int64_t e = 0; e < i->count; e++) {
        const char *at = plane_of(in, &i->result, e);
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

static void run_instruction(struct interpreter *in, const struct instruction *i) {
    if (i->run)
        i->run(in, i);
    else
        i->kernel(i->kernel_count, i->kernel_rows, i->y, i->planes);
}

static void run_stretch(struct interpreter *in, const struct instruction *first,
                        const struct instruction *end) {
    if (!in->searching)
        for (const struct instruction *i = first; i < end; i++)
            run_instruction(in, i);
    else
        for (const struct instruction *i = first; i < end && !in->found.node; i++) {
            run_instruction(in, i);
            look(in, i);
        }
}

/* A loop's instructions are run together, once for each round. */
static void run_instructions(struct interpreter *in, int g) {
    const struct instruction *at = in->groups[g].instructions, *end = at + in->groups[g].count;
    for (; at < end; at += at->stretch) {
        const struct loop *loop = at->loop;
        in->begins = in->tile == 0;
        for (int64_t turn = 0; turn < (loop ? loop->steps : 1); turn++, in->begins = false) {
            in->step = loop && loop->backwards ? loop->steps - 1 - turn : turn;
            run_stretch(in, at, at + at->stretch);
        }
    }
}

static void load_inputs(struct interpreter *in, const struct sequence *sequence) {
    const uint32_t *order = in->batch->order ? in->batch->order + in->from : NULL;
    const int64_t first = order ? 0 : in->from;
    for (int k = 0; k < sequence->load_count; k++) {
        const struct column_load *load = &sequence->loads[k];
        const size_t row = (size_t)load->inner * load->size;
        const char *const column = in->batch->columns[load->index];
        char *const to = in->tile_memory[load->element] + (size_t)(load->offset * in->stride) * load->size;
        if (in->one)
            memcpy(to, column + (order ? order[0] : 0) * row, row);
        else
            load->kernels->load(load->inner, in->rows, in->stride, column + (size_t)first * row, order, to);
    }
}

/* From planes to the caller's rows. */
static void store_rows(struct interpreter *in, const struct root *root, char *to) {
    const size_t size = root->size;
    const int64_t inner = root->count;
    for (int64_t e = 0; e < inner; e++) {
        const char *from = operand_at(in, &root->operand, e);
        for (int64_t r = 0; r < in->rows; r++)
            memcpy(to + (size_t)((in->from + r) * inner + e) * size,
                   from + (size_t)(root->operand.rows ? r : 0) * size, size);
    }
}

static void store_results(struct interpreter *in, int g) {
    for (int k = 0; k < in->root_count; k++) {
        const struct root *root = &in->roots[k];
        if (root->rows && root->group == g && in->batch->results[root->number])
            store_rows(in, root, in->batch->results[root->number]);
    }
}

static void fill_with(const struct instruction *i, void *y, int64_t n) {
    const double start = operators[i->node->code].start;
    const float start_f32 = (float)start;
    fill(i->kernels, n, y, i->node->type.element == ELEMENT_F64 ? (const void *)&start : &start_f32);
}

/* Sums of products and in lanes begin by themselves in the first tile, if there is one; the others add to
 * their results, which start here. */
static void start_sweeps(struct interpreter *in, int g) {
    const struct sequence *sequence = &in->groups[g];
    const bool empty = in->batch->rows == 0;
    for (int k = 0; empty && k < sequence->sums_count; k++)
        memset(sequence->sums[k].lanes, 0, sequence->sums[k].lanes_size);
    for (int k = 0; k < sequence->sweep_count; k++) {
        const struct instruction *i = sequence->sweeps[k];
        if (empty || !(i->lanes || i->matmul.kind == MATMUL_CHAIN))
            fill_with(i, i->lanes ? i->lanes : i->y,
                      i->lanes ? i->count * lanes_of(i->node->type.element) : i->count);
    }
}

static void finish_sweeps(const struct interpreter *in, int g) {
    const struct sequence *sequence = &in->groups[g];
    for (int k = 0; k < sequence->sums_count; k++) {
        const struct sums *sums = &sequence->sums[k];
        sums->tree(sums->count, sums->lanes, sums->results);
    }
    for (int k = 0; k < sequence->sweep_count; k++) {
        const struct instruction *i = sequence->sweeps[k];
        if (i->lanes)
            i->kernels->tree[i->node->code]((long)i->count, i->lanes, i->y);
    }
}

static void run_rows(struct interpreter *in, int g) {
    if (in->plan->groups[g].nest_count == 0)
        return;
    start_sweeps(in, g);
    for (in->tile = 0, in->from = 0; in->from < in->batch->rows; in->tile++, in->from += in->stride) {
        in->rows = in->batch->rows - in->from < in->stride ? in->batch->rows - in->from : in->stride;
        load_inputs(in, &in->groups[g]);
        run_instructions(in, g);
        store_results(in, g);
    }
    finish_sweeps(in, g);
}

static void store_once(struct interpreter *in) {
    for (int k = 0; k < in->root_count; k++) {
        const struct root *root = &in->roots[k];
        char *to = in->batch->results[root->number];
        if (root->rows || !to)
            continue;
        for (int64_t e = 0; e < root->count; e++)
            memcpy(to + (size_t)e * root->size, operand_at(in, &root->operand, e), root->size);
    }
}

void interpreter_use_threads(struct interpreter *interpreter, struct threads *threads) {
    interpreter->threads = threads;
}

void interpreter_run(struct interpreter *in, const struct batch *batch) {
    if (in->suits_one_row && batch->rows == 1 && !in->searching) {
        if (!in->one_row)
            in->one_row = new_interpreter(in->plan, in->kernels, in->weights, true, in->arena);
        in->one_row->threads = in->threads;
        interpreter_run(in->one_row, batch);
        return;
    }
    in->batch = batch;
    in->tile = 0;
    if (batch->rows != in->placed_rows) {
        in->stride = in->one ? 1 : stride_for(in->plan, batch->rows);
        make_room(in, batch->rows);
        locate(in);
        in->placed_rows = batch->rows;
    }
    *in->rows_f64 = (double)batch->rows;
    *in->rows_f32 = (float)batch->rows;
    *in->step_f64 = batch->step;
    *in->step_f32 = (float)batch->step;
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
