/* From a lowered graph to groups, nests and memory. See plan.h for what these are. */
#include "plan/plan.h"
#include "graph/operator.h"
#include "plan/again.h"
#include "plan/blocks.h"
#include "plan/memory.h"
#include "plan/sink.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Sizes that decide how something is done. */
enum {
    UNROLL_SIZE = 4, /* elements of a value that are written out one by one, */
    UNROLL_WORK =
        64, /* and the operations that one such loop may hold: rows one after the other then overlap */
    FUNCTION_WORK = 16,       /* operations of an exponential and the like */
    INLINE_K = 64,            /* terms of a sum that is written inside a loop over its results, */
    INLINE_PRODUCTS = 200,    /* and products of a matmul: a loop reads both factors of each from memory, */
    FEW_VECTORS = 4,          /* rows, or columns, of a product without rows whose sums are kept in lanes */
    FEW_TERMS = 4,            /* a kernel keeps results in registers, which pays beyond so many terms */
    INLINE_ACCUMULATORS = 16, /* sums in lanes that one loop carries */
    LOOKBACK = 32,            /* nests that are tried for fusion */
};

/* Where a weight or a state is read last, in the group at hand. */
struct reader {
    int group;        /* + 1: it was noted there; of an older group it says nothing */
    int read_nest;    /* the last nest that reads it, */
    int strided_nest; /* and the last that reads it other than element by element; -1: none */
};

struct planner {
    struct plan *plan;
    const struct graph *graph;
    bool *wanted;              /* by id: some root needs it */
    int *stage;                /* by id: the number of the group pair in which it is computed */
    struct reader *readers;    /* by id, of weights and states */
    struct node **order;       /* computed nodes, group after group, in a group the late ones last */
    int *group_start;          /* of each group in `order` */
    struct stretch *stretches; /* by loop */
};

/* ---- what kind of thing a node is ---- */

static bool is_computed(const struct node *node) {
    return operators[node->code].kind != KIND_VIEW &&
           (operators[node->code].kind != KIND_LEAF || is_random(node));
}

/* Its kernel takes the operands whole. */
static bool is_whole(const struct node *node) {
    return operators[node->code].kind == KIND_KERNEL;
}

/* A reduction over the batch. */
static bool is_sweep(const struct node *node) {
    if (has_rows(node))
        return false;
    if (is_fold(node))
        return node->inputs[0]->type.shape.dims[node->attributes.axis] == BATCH;
    if (node->code == OPERATOR_overlap)
        return false;
    return (is_matmul(node) || is_whole(node)) && (has_rows(node->inputs[0]) || has_rows(node->inputs[1]));
}

/* The loop in whose rounds a node is computed: a state is begun before them, and a final taken after them. */
static int loop_of(const struct node *node) {
    if (node->code == OPERATOR_loop_state)
        return 0;
    return node->code == OPERATOR_loop_stack ? (int)node->attributes.loop : node->loop;
}

struct access plan_operand(const struct node *node, int k) {
    struct shape iteration = plan_iteration(node);
    return access_of(node->inputs[k], &iteration);
}

struct access plan_fold_operand(const struct node *node, int64_t *length) {
    const struct shape *shape = &node->inputs[0]->type.shape;
    int axis = (int)node->attributes.axis;
    struct shape iteration = shape_without(shape, axis);
    *length = shape->dims[axis] == BATCH ? 1 : shape->dims[axis];
    iteration.dims[iteration.rank++] = shape->dims[axis];
    /* The folded axis last: read the operand through the transposition that puts it there. */
    struct node moved = {
        .code = OPERATOR_transpose, .inputs = (struct node *[]){node->inputs[0]}, .input_count = 1};
    moved.type.shape = iteration;
    for (int i = 0; i < shape->rank; i++)
        moved.attributes.order[i] = i < axis ? i : i + 1 < shape->rank ? i + 1 : axis;
    return access_of(&moved, &iteration);
}

struct access plan_slice_operand(const struct node *node, int64_t *turn) {
    int64_t length;
    struct access access = plan_fold_operand(node, &length);
    *turn = access.strides[--access.rank];
    access.identity = access.uniform = false;
    return access;
}

bool plan_suits_one_row(const struct plan *plan, const struct node *node) {
    return !plan->placements[node->id].sweep && !is_random(node) && !plan_is_convolution(node);
}

bool plan_is_inner(int64_t m, int64_t n, int64_t k, int64_t a_k, int64_t b_k, enum element element) {
    const int64_t fewer = m < n ? m : n, vectors = k / lanes_of(element);
    const bool kernel = k > INLINE_K || m * n * k > INLINE_PRODUCTS; /* none is written into a loop */
    return fewer <= FEW_VECTORS && vectors >= 2 * fewer && kernel && a_k == 1 && b_k == 1;
}

struct matmul plan_matmul(const struct node *node) {
    const struct shape *left = &node->inputs[0]->type.shape, *right = &node->inputs[1]->type.shape;
    const struct shape *shape = &node->type.shape;
    struct shape by_row = *left; /* of a matmul_sum, before it is summed */
    by_row.dims[left->rank - 1] = right->dims[right->rank - 1];
    if (node->code == OPERATOR_matmul_sum)
        shape = &by_row;
    struct shape iteration = *shape;
    struct matmul matmul = {.lead = 1};
    int64_t k = left->dims[left->rank - 1];
    int64_t m = shape->dims[shape->rank - 2], n = shape->dims[shape->rank - 1];
    for (int i = 0; i + 2 < shape->rank; i++)
        matmul.lead *= shape->dims[i] == BATCH ? 1 : shape->dims[i];
    matmul.m = m == BATCH ? 1 : m;
    matmul.n = n == BATCH ? 1 : n;
    matmul.k = k == BATCH ? 1 : k;
    iteration.dims[shape->rank - 1] = k;
    matmul.a = access_of(node->inputs[0], &iteration);
    iteration.dims[shape->rank - 2] = k;
    iteration.dims[shape->rank - 1] = n;
    matmul.b = access_of(node->inputs[1], &iteration);
    if (node->code == OPERATOR_affine)
        matmul.c = access_of(node->inputs[2], shape);
    if (has_rows(node))
        matmul.kind = MATMUL_ROWS;
    else if (!is_sweep(node))
        matmul.kind = plan_is_inner(matmul.m, matmul.n, matmul.k, matmul.a.strides[matmul.a.rank - 1],
                                    matmul.b.strides[matmul.b.rank - 2], node->type.element)
                          ? MATMUL_INNER
                          : MATMUL_ONCE;
    else
        matmul.kind = matmul.lead * matmul.m * matmul.n <= LANES_RESULTS ? MATMUL_LANES : MATMUL_CHAIN;
    return matmul;
}

/* ---- stages: how many finished sweeps a value has to wait for ---- */

/* The first once-group in which node's value can be read, if it is without rows. */
static int ready(const struct planner *planner, const struct node *node) {
    return planner->stage[node->id] + (is_sweep(node) ? 1 : 0);
}

/* Every input reaches back to stored nodes by ids lower than its own: stages of views count as well.  All of
 * a loop waits for what any of its nodes waits for: false where that was not known from the first. */
static bool find_stages(struct planner *planner, int *loop_stage) {
    bool settled = true;
    for (int id = 0; id < planner->graph->count; id++) {
        const struct node *node = planner->graph->nodes[id];
        int stage = 0;
        for (int k = 0; k < node->input_count; k++) {
            const struct node *input = node->inputs[k];
            int at = has_rows(input) ? planner->stage[input->id] : ready(planner, input);
            /* a view of a sweep is ready when the sweep is */
            stage = at > stage ? at : stage;
        }
        const int loop = node->code == OPERATOR_loop_state ? node->loop : loop_of(node);
        if (loop && stage < loop_stage[loop])
            stage = loop_stage[loop];
        else if (loop && stage > loop_stage[loop]) {
            loop_stage[loop] = stage;
            settled = false;
        }
        planner->stage[id] = stage;
    }
    return settled;
}

/* Assignments wait until everything that might read the old value is done. */
static void delay_assignments(struct planner *planner) {
    int last = 0;
    for (int id = 0; id < planner->graph->count; id++) {
        const struct node *node = planner->graph->nodes[id];
        int at = planner->stage[id] + (has_rows(node) || is_sweep(node) ? 1 : 0);
        last = at > last ? at : last;
    }
    for (int id = 0; id < planner->graph->count; id++)
        if (planner->graph->nodes[id]->code == OPERATOR_assign)
            planner->stage[id] = last;
}

/* ---- fusion ---- */

/* A new last nest of the group, for this node. */
static void new_nest(struct planner *planner, struct group *group, enum nest_kind kind, int64_t size,
                     const struct node *node) {
    arena_reserve(planner->plan->arena, group->nests, group->nest_count, group->nest_capacity);
    group->nests[group->nest_count++] =
        (struct nest){.kind = kind, .size = size, .element = node->type.element, .loop = loop_of(node)};
}

int plan_operands(const struct node *node, struct access *accesses) {
    if (is_matmul(node)) {
        struct matmul matmul = plan_matmul(node);
        accesses[0] = matmul.a;
        accesses[1] = matmul.b;
        accesses[2] = matmul.c;
        /* a result reads a whole row of a and a whole column of b */
        accesses[0].identity = matmul.a.identity && matmul.k == 1 && matmul.n == 1;
        accesses[1].identity = matmul.b.identity && matmul.k == 1 && matmul.m == 1;
        return node->input_count;
    }
    if (is_fold(node) || node->code == OPERATOR_loop_slice) {
        int64_t length;
        accesses[0] = plan_fold_operand(node, &length);
        accesses[0].identity = accesses[0].identity && length == 1;
        return 1;
    }
    for (int k = 0; k < operand_count(node); k++) {
        bool is_bias = k == 2;
        accesses[k] = is_whole(node) && !is_bias ? access_of(node->inputs[k], &node->inputs[k]->type.shape)
                                                 : plan_operand(node, k);
        accesses[k].identity = accesses[k].identity && !is_whole(node);
    }
    if (node->code == OPERATOR_pad) {
        accesses[0] = access_of(node->inputs[0], &node->inputs[0]->type.shape);
        accesses[0].identity = false;
    }
    return operand_count(node);
}

static bool is_comparison(const struct node *node) {
    return node->code == OPERATOR_equal || node->code == OPERATOR_not_equal || node->code == OPERATOR_less ||
           node->code == OPERATOR_less_equal;
}

/* Of a function of one number, such as an exponential. */
static bool is_function(const struct node *node) {
    return operators[node->code].kind == KIND_ELEMENTWISE && operators[node->code].arity == 1 &&
           strstr(operators[node->code].maths, "nn_");
}

/* Operations of a node when it is written out element by element. */
static int64_t unrolled_work(const struct node *node) {
    const struct shape iteration = plan_iteration(node);
    int64_t size = shape_inner_size(&iteration), length = is_function(node) ? FUNCTION_WORK : 1;
    if (is_matmul(node))
        length = plan_matmul(node).k;
    else if (is_fold(node))
        plan_fold_operand(node, &length);
    return size * length;
}

static enum nest_kind kind_of(const struct node *node, int64_t *size) {
    const struct shape iteration = plan_iteration(node);
    *size = shape_inner_size(&iteration);
    int64_t length = 0;
    if (is_matmul(node))
        length = plan_matmul(node).k;
    else if (is_fold(node))
        plan_fold_operand(node, &length);
    const bool large = is_matmul(node) && length > FEW_TERMS && unrolled_work(node) > INLINE_PRODUCTS;
    if (length > INLINE_K || large || is_random(node) || is_whole(node))
        return NEST_KERNEL;
    /* Comparisons of one value with several numbers exclude each other; gcc would make branches of them. */
    if (has_rows(node) && *size <= UNROLL_SIZE && unrolled_work(node) <= UNROLL_WORK && !is_comparison(node))
        return NEST_UNROLLED;
    return NEST_LOOP;
}

static int64_t nest_work(const struct nest *nest) {
    int64_t work = 0;
    for (int i = 0; i < nest->count; i++)
        work += unrolled_work(nest->nodes[i]);
    return work;
}

/* May `access` be read in nest `index` of the group, where the reader is about to go? */
static bool readable(const struct planner *planner, const struct access *access, int group, int index,
                     const struct nest *nest) {
    const struct placement *source = &planner->plan->placements[access->source->id];
    if (source->group != group || source->nest < index)
        return true;
    if (source->nest > index || source->sweep)
        return false;
    return nest->kind == NEST_UNROLLED || (nest->kind == NEST_LOOP && access->identity);
}

static bool all_readable(const struct planner *planner, const struct access *accesses, int count, int group,
                         int index, const struct nest *nest) {
    for (int i = 0; i < count; i++)
        if (!readable(planner, &accesses[i], group, index, nest))
            return false;
    return true;
}

/* Of a weight, or of a state: what is written once all have read it. */
static struct reader *reader_of(struct planner *planner, int group, const struct node *weight) {
    struct reader *reader = &planner->readers[weight->id];
    if (reader->group != group + 1)
        *reader = (struct reader){group + 1, -1, -1};
    return reader;
}

static void note_weights(struct planner *planner, int group, int index, const struct node *node) {
    struct access accesses[3];
    int count = plan_operands(node, accesses);
    for (int k = 0; k < count; k++) {
        if (accesses[k].source->code != OPERATOR_weight && accesses[k].source->code != OPERATOR_loop_state)
            continue;
        struct reader *reader = reader_of(planner, group, accesses[k].source);
        if (reader->read_nest < index)
            reader->read_nest = index;
        if (!accesses[k].identity && reader->strided_nest < index)
            reader->strided_nest = index;
    }
}

static void put(struct planner *planner, int group, int index, struct node *node) {
    note_weights(planner, group, index, node);
    struct nest *nest = &planner->plan->groups[group].nests[index];
    arena_reserve(planner->plan->arena, nest->nodes, nest->count, nest->capacity);
    nest->nodes[nest->count++] = node;
    if (nest->loop)
        planner->stretches[nest->loop].last = index;
    planner->plan->placements[node->id].group = group;
    planner->plan->placements[node->id].nest = index;
}

/* The earliest nest of the same loop that may hold the node, else a new one. */
static void place_node(struct planner *planner, int group_index, struct node *node) {
    struct group *group = &planner->plan->groups[group_index];
    struct access accesses[3];
    int64_t size;
    int count = plan_operands(node, accesses);
    enum nest_kind kind = kind_of(node, &size);
    int chosen = -1, first = 0;
    if (node->code == OPERATOR_loop_final)
        first = planner->stretches[node->attributes.loop].last + 1;
    if (node->code == OPERATOR_assign || node->code == OPERATOR_loop_next) {
        /* everything that reads the old value comes before, or in the same loop */
        const struct reader *reader = reader_of(planner, group_index, node->inputs[0]);
        first = reader->strided_nest >= reader->read_nest ? reader->strided_nest + 1 : reader->read_nest;
    }
    for (int i = group->nest_count - 1;
         kind != NEST_KERNEL && i >= first && i >= 0 && i >= group->nest_count - LOOKBACK; i--) {
        const struct nest *nest = &group->nests[i];
        if (!all_readable(planner, accesses, count, group_index, i, nest))
            break; /* an earlier nest cannot read them either */
        if (nest->kind == kind && nest->element == node->type.element && nest->count < NEST_NODES &&
            nest->loop == loop_of(node) &&
            (kind == NEST_UNROLLED ? nest_work(nest) + unrolled_work(node) <= UNROLL_WORK
                                   : nest->size == size))
            chosen = i;
    }
    if (chosen < 0) {
        new_nest(planner, group, kind, size, node);
        chosen = group->nest_count - 1;
    }
    put(planner, group_index, chosen, node);
}

/* Sweeps go last, into any loop over one of their sides: they are only added to. */
static bool sweep_fits(const struct planner *planner, const struct node *node, int group, int index) {
    const struct nest *nest = &planner->plan->groups[group].nests[index];
    struct access accesses[3];
    int count = plan_operands(node, accesses);
    if (nest->kind == NEST_KERNEL || is_whole(node) || nest->element != node->type.element ||
        nest->count == NEST_NODES || nest->loop != loop_of(node))
        return false;
    if (nest->kind == NEST_UNROLLED)
        return unrolled_work(node) <= UNROLL_SIZE * UNROLL_SIZE &&
               nest_work(nest) + unrolled_work(node) <= UNROLL_WORK &&
               all_readable(planner, accesses, count, group, index, nest);
    if (is_fold(node))
        return nest->size == shape_inner_size(&node->type.shape) &&
               all_readable(planner, accesses, count, group, index, nest);
    struct matmul matmul = plan_matmul(node);
    if (matmul.kind != MATMUL_LANES || matmul.lead != 1)
        return false;
    /* a loop over m reads a's element in the loop and all of b, and the other way round */
    struct access a = matmul.a, b = matmul.b;
    bool over_m = nest->size == matmul.m && a.identity && matmul.n <= INLINE_ACCUMULATORS;
    bool over_n = nest->size == matmul.n && b.identity && matmul.m <= INLINE_ACCUMULATORS;
    a.identity = over_m;
    b.identity = !over_m && over_n;
    return (over_m || over_n) && readable(planner, &a, group, index, nest) &&
           readable(planner, &b, group, index, nest);
}

static void place_sweep(struct planner *planner, int group_index, struct node *node) {
    struct group *group = &planner->plan->groups[group_index];
    planner->plan->placements[node->id].sweep = true;
    planner->plan->whole_tiles =
        planner->plan->whole_tiles || loop_of(node) || node->code == OPERATOR_matmul_sum;
    for (int i = group->nest_count - 1; i >= 0 && i >= group->nest_count - LOOKBACK; i--)
        if (sweep_fits(planner, node, group_index, i)) {
            put(planner, group_index, i, node);
            return;
        }
    enum nest_kind kind = NEST_KERNEL;
    int64_t size = shape_inner_size(&node->type.shape);
    if (is_fold(node))
        kind = size <= UNROLL_SIZE ? NEST_UNROLLED : NEST_LOOP;
    else if (is_matmul(node)) {
        struct matmul matmul = plan_matmul(node);
        bool inlined = matmul.kind == MATMUL_LANES && matmul.lead == 1;
        if (inlined && matmul.m >= matmul.n && matmul.n <= INLINE_ACCUMULATORS && matmul.a.identity) {
            kind = NEST_LOOP;
            size = matmul.m;
        } else if (inlined && matmul.m <= INLINE_ACCUMULATORS && matmul.b.identity) {
            kind = NEST_LOOP;
            size = matmul.n;
        }
    }
    new_nest(planner, group, kind, size, node);
    put(planner, group_index, group->nest_count - 1, node);
}

/* The group in which a node is computed, or -1. */
static int group_of(const struct planner *planner, const struct node *node) {
    if (!is_computed(node) || !planner->wanted[node->id])
        return -1;
    return 2 * planner->stage[node->id] + (has_rows(node) || is_sweep(node));
}

/* Where a node stands in its group. */
struct standing {
    int group;
    bool late; /* after all that is not */
    int key;   /* its id; of a loop's nodes, the id of what comes behind the loop */
    int loop;  /* whose rounds it belongs to, or whose state it begins; INT_MAX: none */
    int rank;  /* in the loop */
    int id;
    struct node *node;
};

static struct standing standing_of(const struct planner *planner, struct node *node) {
    bool late = is_sweep(node) || node->code == OPERATOR_assign;
    struct standing at = {group_of(planner, node), late, node->id, INT_MAX, 0, node->id, node};
    const int loop = node->code == OPERATOR_loop_state ? node->loop : loop_of(node);
    if (!loop)
        return at;
    at.loop = loop;
    at.late = false;
    at.key = graph_loop(planner->graph, at.loop)->end;
    at.rank = node->code == OPERATOR_loop_state ? 0 : late ? 2 : node->code == OPERATOR_loop_next ? 3 : 1;
    return at;
}

static int by_standing(const void *a, const void *b) {
    const struct standing *x = a, *y = b;
    const int left[] = {x->group, x->late, x->key, x->loop, x->rank, x->id},
              right[] = {y->group, y->late, y->key, y->loop, y->rank, y->id};
    for (int i = 0; i < 6; i++)
        if (left[i] != right[i])
            return left[i] < right[i] ? -1 : 1;
    return 0;
}

/* Sorts the nodes by group.  The values that an assignment overwrites in its loop must be read there or
 * before: assignments go last, and the nodes that they write are in loops of their own weight.  A loop's
 * nodes stand together, with what its states begin as before them, and its sums and next values at their end.
 */
static void sort_nodes(struct planner *planner) {
    struct plan *plan = planner->plan;
    const int count = planner->graph->count;
    struct standing *all = arena_array(plan->arena, struct standing, (size_t)count);
    int computed = 0;
    for (int id = 0; id < count; id++)
        if (group_of(planner, planner->graph->nodes[id]) >= 0)
            all[computed++] = standing_of(planner, planner->graph->nodes[id]);
    qsort(all, (size_t)computed, sizeof *all, by_standing);
    planner->order = arena_array(plan->arena, struct node *, (size_t)count);
    planner->group_start = arena_array(plan->arena, int, (size_t)plan->group_count + 1);
    for (int i = 0; i < computed; i++) {
        planner->order[i] = all[i].node;
        planner->group_start[all[i].group + 1]++;
    }
    for (int g = 0; g < plan->group_count; g++)
        planner->group_start[g + 1] += planner->group_start[g];
}

static void fill_group(struct planner *planner, int group) {
    for (int i = planner->group_start[group]; i < planner->group_start[group + 1]; i++) {
        if (is_sweep(planner->order[i]))
            place_sweep(planner, group, planner->order[i]);
        else
            place_node(planner, group, planner->order[i]);
    }
}

/* ---- who reads what, and where last ---- */

static bool later(int group, int nest, const struct placement *placement) {
    return group > placement->last_group || (group == placement->last_group && nest > placement->last_nest);
}

/* What a loop reads from outside is read to its end, in the last round. */
static void note_reads(struct planner *planner, int group, int nest, int index, const struct node *node) {
    struct plan *plan = planner->plan;
    struct access accesses[3];
    int count = plan_operands(node, accesses), loop = loop_of(node);
    for (int k = 0; k < count; k++) {
        struct placement *source = &plan->placements[accesses[k].source->id];
        int end = loop && loop_of(accesses[k].source) != loop ? planner->stretches[loop].last : nest;
        if (later(group, end, source)) {
            source->last_group = group;
            source->last_nest = end;
        }
        const bool outside = source->group != group || source->nest != nest;
        if (outside && source->again)
            note_reads(planner, group, nest, index, accesses[k].source);
        else if (outside)
            source->local = false;
        else
            source->last_index = index;
    }
}

static void find_stretches(struct planner *planner) {
    const struct plan *plan = planner->plan;
    for (int i = 0; i <= planner->graph->loop_count; i++)
        planner->stretches[i].first = -1;
    for (int g = 0; g < plan->group_count; g++)
        for (int n = 0; n < plan->groups[g].nest_count; n++) {
            struct stretch *stretch = &planner->stretches[plan->groups[g].nests[n].loop];
            stretch->first = stretch->first < 0 ? n : stretch->first;
            stretch->last = n;
        }
}

static void find_reads(struct planner *planner) {
    struct plan *plan = planner->plan;
    find_stretches(planner);
    for (int g = 0; g < plan->group_count; g++)
        for (int n = 0; n < plan->groups[g].nest_count; n++)
            for (int i = 0; i < plan->groups[g].nests[n].count; i++)
                plan->placements[plan->groups[g].nests[n].nodes[i]->id].index = i;
    for (int id = 0; id < planner->graph->count; id++) {
        plan->placements[id].last_group = plan->placements[id].group;
        plan->placements[id].last_nest = plan->placements[id].nest;
        plan->placements[id].last_index = plan->placements[id].index;
        const enum operator_code code = planner->graph->nodes[id]->code;
        plan->placements[id].local =
            !plan->placements[id].sweep && code != OPERATOR_loop_stack && code != OPERATOR_loop_next;
    }
    for (int g = 0; g < plan->group_count; g++)
        for (int n = 0; n < plan->groups[g].nest_count; n++)
            for (int i = 0; i < plan->groups[g].nests[n].count; i++)
                note_reads(planner, g, n, i, plan->groups[g].nests[n].nodes[i]);
    /* A root is read from outside: never a register, never overwritten. */
    for (int i = 0; i < plan->root_count; i++) {
        struct shape shape = plan->roots[i]->type.shape;
        struct placement *source = &plan->placements[access_of(plan->roots[i], &shape).source->id];
        source->local = false;
        if (source->group >= 0 && plan->groups[source->group].rows && !source->sweep)
            source->last_nest = source->last_group == source->group ? plan->groups[source->group].nest_count
                                                                    : source->last_nest;
        else
            source->last_group = plan->group_count;
    }
}

static void find_inputs(struct planner *planner) {
    struct plan *plan = planner->plan;
    int *seen =
        arena_array(plan->arena, int, (size_t)planner->graph->count); /* the last group that reads it, + 1 */
    for (int g = 0; g < plan->group_count; g++) {
        struct group *group = &plan->groups[g];
        int capacity = 0;
        for (int n = 0; group->rows && n < group->nest_count; n++)
            for (int i = 0; i < group->nests[n].count; i++) {
                struct access accesses[3];
                int count = plan_operands(group->nests[n].nodes[i], accesses);
                for (int k = 0; k < count; k++) {
                    struct node *source = accesses[k].source;
                    if (source->code != OPERATOR_input || seen[source->id] == g + 1)
                        continue;
                    seen[source->id] = g + 1;
                    arena_reserve(plan->arena, group->inputs, group->input_count, capacity);
                    group->inputs[group->input_count++] = source;
                }
            }
    }
}

/* Lowering leaves nodes behind that nothing needs any more. */
static void find_wanted(struct planner *planner) {
    for (int i = 0; i < planner->plan->root_count; i++)
        planner->wanted[planner->plan->roots[i]->id] = true;
    for (int id = planner->graph->count - 1; id >= 0; id--)
        for (int k = 0; planner->wanted[id] && k < planner->graph->nodes[id]->input_count; k++)
            planner->wanted[planner->graph->nodes[id]->inputs[k]->id] = true;
}

/* A root that is a leaf, a view of one, or one value for all rows becomes a copy: then every root is computed
 * in some nest, and those with rows in a nest of rows. */
static void make_roots_stored(struct plan *plan) {
    for (int i = 0; i < plan->root_count; i++) {
        struct shape shape = plan->roots[i]->type.shape;
        struct node *source = access_of(plan->roots[i], &shape).source;
        if (!is_computed(source) || has_rows(plan->roots[i]) != has_rows(source))
            plan->roots[i] = graph_unary(&plan->graph, OPERATOR_copy, plan->roots[i]);
    }
}

struct plan *plan_make(const struct graph *graph, struct node *const *roots, int root_count,
                       struct arena *arena) {
    struct plan *plan = arena_new(arena, struct plan);
    plan->arena = arena;
    plan->root_count = root_count;
    plan->roots = arena_array(arena, struct node *, (size_t)root_count);
    for (int i = 0; i < root_count; i++)
        plan->roots[i] = roots[i];
    lower(graph, plan->roots, root_count, &plan->graph, arena);
    make_roots_stored(plan);
    struct planner planner = {.plan = plan, .graph = &plan->graph};
    planner.stage = arena_array(arena, int, (size_t)plan->graph.count);
    planner.readers = arena_array(arena, struct reader, (size_t)plan->graph.count);
    plan->placements = arena_array(arena, struct placement, (size_t)plan->graph.count);
    for (int id = 0; id < plan->graph.count; id++)
        plan->placements[id] = (struct placement){.lanes = -1, .group = -1, .nest = -1};
    planner.wanted = arena_array(arena, bool, (size_t)plan->graph.count);
    planner.stretches = arena_array(arena, struct stretch, (size_t)plan->graph.loop_count + 1);
    int *loop_stage = arena_array(arena, int, (size_t)plan->graph.loop_count + 1);
    find_wanted(&planner);
    while (!find_stages(&planner, loop_stage))
        continue;
    delay_assignments(&planner);
    int last = 0;
    for (int id = 0; id < plan->graph.count; id++)
        last = planner.stage[id] > last ? planner.stage[id] : last;
    plan->group_count = 2 * (last + 1);
    plan->groups = arena_array(arena, struct group, (size_t)plan->group_count);
    sort_nodes(&planner);
    for (int g = 0; g < plan->group_count; g++) {
        plan->groups[g].rows = g % 2 == 1;
        fill_group(&planner, g);
    }
    plan_sink(plan);
    plan_block(plan);
    plan_again(plan);
    find_reads(&planner);
    find_inputs(&planner);
    plan_memory(plan, planner.stretches);
    return plan;
}
