/* Plans: what has to hold in every one, on written models and on random graphs.
 *
 *   - every value that a root needs is computed once, after what it reads;
 *   - a value read in the loop that makes it is read element by element, or block by block;
 *   - the nests of a scan stand together, what it reads was there before, and a state is read before it is
 *     overwritten;
 *   - two values whose lives overlap share no memory; what a user asked for lives to the end;
 *   - memory is at most a tenth more than what lives at once;
 *   - a run gives the values of tests/reference.h, an evaluator without plan or kernels;
 *   - assignments take effect after everything that reads the old value.
 */
#include "reference.h"

#include "passes/differentiate.h"
#include "passes/lower.h"

#include <stdlib.h>

enum { ROOTS_MAX = 64 };

/* ---- what a plan has to keep, looked at without running it ---- */

struct spot {
    int group, nest, place;
};

struct inspection {
    const struct plan *plan;
    const char *name;
    bool *wanted;
    struct spot *spots; /* by id; group -1: nowhere */
};

static bool is_computed(const struct node *node) {
    enum operator_kind kind = operators[node->code].kind;
    return kind != KIND_VIEW && kind != KIND_LEAF;
}

static const struct node *source_of(const struct node *node) {
    while (operators[node->code].kind == KIND_VIEW)
        node = node->inputs[0];
    return node;
}

/* The scan in whose rounds it is computed, or 0. */
static int rounds_of(const struct node *node) {
    if (node->code == OPERATOR_loop_state)
        return 0;
    return node->code == OPERATOR_loop_stack ? (int)node->attributes.loop : node->loop;
}

/* The last nest of a scan in its group. */
static int last_nest(const struct plan *plan, int group, int loop) {
    int last = -1;
    for (int n = 0; n < plan->groups[group].nest_count; n++)
        if (plan->groups[group].nests[n].loop == loop)
            last = n;
    return last;
}

static void mark_wanted(struct inspection *in) {
    const struct plan *plan = in->plan;
    for (int i = 0; i < plan->root_count; i++)
        in->wanted[plan->roots[i]->id] = true;
    for (int id = plan->graph.count - 1; id >= 0; id--)
        for (int k = 0; in->wanted[id] && k < plan->graph.nodes[id]->input_count; k++)
            in->wanted[plan->graph.nodes[id]->inputs[k]->id] = true;
}

static void note_spots(struct inspection *in, struct arena *arena) {
    const struct plan *plan = in->plan;
    in->spots = arena_array(arena, struct spot, (size_t)plan->graph.count);
    for (int id = 0; id < plan->graph.count; id++)
        in->spots[id].group = -1;
    for (int g = 0; g < plan->group_count; g++)
        for (int n = 0; n < plan->groups[g].nest_count; n++)
            for (int i = 0; i < plan->groups[g].nests[n].count; i++) {
                int id = plan->groups[g].nests[n].nodes[i]->id;
                if (in->spots[id].group >= 0)
                    fail_msg("%s: %%%d is computed twice", in->name, id);
                in->spots[id] = (struct spot){g, n, i};
            }
    for (int id = 0; id < plan->graph.count; id++)
        if (in->wanted[id] && is_computed(plan->graph.nodes[id]) && in->spots[id].group < 0)
            fail_msg("%s: %%%d is not computed", in->name, id);
}

static bool is_before(struct spot a, struct spot b) {
    if (a.group != b.group)
        return a.group < b.group;
    return a.nest != b.nest ? a.nest < b.nest : a.place < b.place;
}

/* Element e of the result needs element e of the source and no other. */
static bool reads_in_step(const struct node *node, int k, const struct nest *nest) {
    struct access access;
    int64_t length = 1;
    if (is_matmul(node)) {
        struct matmul matmul = plan_matmul(node);
        if (k == 2)
            access = matmul.c;
        else if (matmul.kind == MATMUL_LANES && nest->size == (k ? matmul.n : matmul.m))
            access = k ? matmul.b : matmul.a; /* a loop over this side: its element is the loop's */
        else if (matmul.k > 1 || (k ? matmul.m : matmul.n) > 1)
            return false; /* a whole row or column, or one element for several results */
        else
            access = k ? matmul.b : matmul.a;
    } else if (operators[node->code].kind == KIND_FOLD || node->code == OPERATOR_loop_slice)
        access = plan_fold_operand(node, &length);
    else
        access = plan_operand(node, k);
    if (node->code == OPERATOR_pad || length > 1)
        return false;
    for (int64_t e = 0; e < nest->size; e++)
        if (access_index(&access, e) != e)
            return false;
    return true;
}

/* The block that element e of a nest's node `i` belongs to. */
static int64_t block_of(const struct nest *nest, int i, int64_t e) {
    const struct blocks *blocks = nest->blocks;
    int64_t block = 0;
    for (int axis = 0; axis < blocks->rank; axis++) {
        const int64_t stride = blocks->strides[i][axis], size = blocks->sizes[axis];
        if (!blocks->written[axis])
            block = block * size + (size > 1 ? e / stride % size : 0);
    }
    return block;
}

/* Each element of each node in one block, and all blocks alike: what is in none would not be computed. */
static void check_blocks(const struct inspection *in, const struct nest *nest) {
    const struct blocks *blocks = nest->blocks;
    for (int i = 0; i < nest->count; i++) {
        const struct node *node = nest->nodes[i];
        const int64_t size = shape_inner_size(&node->type.shape);
        bool *seen = calloc((size_t)size, sizeof *seen);
        int64_t count = 1, of_all = 1;
        for (int axis = 0; axis < blocks->rank; axis++) {
            count *= blocks->strides[i][axis] ? blocks->sizes[axis] : 1;
            of_all *= blocks->written[axis] ? 1 : blocks->sizes[axis];
            if (!blocks->written[axis] && blocks->sizes[axis] > 1 && !blocks->strides[i][axis])
                fail_msg("%s: %%%d lacks a loop of its blocks", in->name, node->id);
        }
        if (count != size || of_all != nest->size)
            fail_msg("%s: blocks do not hold all of %%%d", in->name, node->id);
        for (int64_t visit = 0; visit < count; visit++) {
            int64_t rest = visit, e = 0;
            for (int axis = 0; axis < blocks->rank; axis++)
                if (blocks->strides[i][axis]) {
                    e += rest % blocks->sizes[axis] * blocks->strides[i][axis];
                    rest /= blocks->sizes[axis];
                }
            if (e >= size || seen[e])
                fail_msg("%s: element %lld of %%%d is in two blocks", in->name, (long long)e, node->id);
            seen[e] = true;
        }
        free(seen);
    }
}

/* Is all that operand k needs of `source`, in the same loop over blocks, of the same block? */
static bool reads_in_block(const struct node *node, int k, const struct node *source,
                           const struct nest *nest) {
    int64_t length = 1;
    const struct access access =
        operators[node->code].kind == KIND_FOLD ? plan_fold_operand(node, &length) : plan_operand(node, k);
    int reader = 0, maker = 0;
    while (nest->nodes[reader] != node)
        reader++;
    while (nest->nodes[maker] != source)
        maker++;
    for (int64_t e = 0; e < shape_inner_size(&node->type.shape) * length; e++)
        if (block_of(nest, maker, access_index(&access, e)) != block_of(nest, reader, e / length))
            return false;
    return true;
}

/* Nests of one scan without others in between, and in them its own nodes alone. */
static void check_loops(const struct inspection *in) {
    const struct plan *plan = in->plan;
    bool *seen = calloc((size_t)plan->graph.loop_count + 1, sizeof *seen);
    for (int g = 0; g < plan->group_count; g++)
        for (int n = 0; n < plan->groups[g].nest_count; n++) {
            const struct nest *nest = &plan->groups[g].nests[n];
            bool begins = n == 0 || plan->groups[g].nests[n - 1].loop != nest->loop;
            if (nest->loop && begins && seen[nest->loop])
                fail_msg("%s: loop %d is in two parts", in->name, nest->loop);
            seen[nest->loop] = true;
            if (nest->kind == NEST_BLOCKS)
                check_blocks(in, nest);
            for (int i = 0; i < nest->count; i++)
                if (rounds_of(nest->nodes[i]) != nest->loop)
                    fail_msg("%s: %%%d is in a nest of loop %d", in->name, nest->nodes[i]->id, nest->loop);
        }
    free(seen);
}

/* What reads a state in a round does so before the state gets its next value, or element by element in the
 * same nest; a final comes after all rounds. */
static void check_state_read(const struct inspection *in, const struct node *node, const struct node *state) {
    struct spot reader = in->spots[node->id];
    const int loop = state->loop;
    if (node->code == OPERATOR_loop_final && reader.nest <= last_nest(in->plan, reader.group, loop))
        fail_msg("%s: %%%d reads a state before the end of its loop", in->name, node->id);
    for (int id = 0; id < in->plan->graph.count && rounds_of(node) == loop; id++) {
        const struct node *next = in->plan->graph.nodes[id];
        if (next->code != OPERATOR_loop_next || next->inputs[0] != state || next == node)
            continue;
        if (!is_before(reader, in->spots[id]))
            fail_msg("%s: %%%d reads %%%d, which has its next value by then", in->name, node->id, state->id);
        const struct nest *nest = &in->plan->groups[reader.group].nests[reader.nest];
        bool together = reader.nest == in->spots[id].nest && nest->kind == NEST_LOOP;
        for (int k = 0; together && k < operand_count(node); k++)
            if (source_of(node->inputs[k]) == state && !reads_in_step(node, k, nest))
                fail_msg("%s: %%%d reads other elements of %%%d", in->name, node->id, state->id);
    }
}

static void check_read(const struct inspection *in, const struct node *node, int k) {
    const struct node *source = source_of(node->inputs[k]);
    const struct placement *p = plan_placement(in->plan, source);
    struct spot reader = in->spots[node->id], maker = in->spots[source->id];
    if (!is_computed(source))
        return;
    if (source->code == OPERATOR_loop_state)
        check_state_read(in, node, source);
    if (!is_before(maker, reader))
        fail_msg("%s: %%%d is computed before its operand %%%d", in->name, node->id, source->id);
    if (p->sweep && maker.group >= reader.group)
        fail_msg("%s: %%%d reads the unfinished sum %%%d", in->name, node->id, source->id);
    if (has_rows(source) && !in->plan->groups[reader.group].rows)
        fail_msg("%s: %%%d is computed once but reads rows of %%%d", in->name, node->id, source->id);
    if (has_rows(source) && maker.group != reader.group && p->place != PLACE_KEPT)
        fail_msg("%s: %%%d reads rows of %%%d that are gone", in->name, node->id, source->id);
    const struct nest *nest = &in->plan->groups[reader.group].nests[reader.nest];
    bool together = maker.group == reader.group && maker.nest == reader.nest;
    if (together && nest->kind == NEST_LOOP && !reads_in_step(node, k, nest))
        fail_msg("%s: %%%d reads elements of %%%d that its loop has not made", in->name, node->id,
                 source->id);
    if (together && nest->kind == NEST_BLOCKS && !reads_in_block(node, k, source, nest))
        fail_msg("%s: %%%d reads another block of %%%d", in->name, node->id, source->id);
    if (together && nest->kind == NEST_KERNEL)
        fail_msg("%s: %%%d and %%%d share a kernel", in->name, node->id, source->id);
    if (p->again && !together && (nest->kind == NEST_KERNEL || maker.group != reader.group))
        fail_msg("%s: %%%d cannot compute %%%d again", in->name, node->id, source->id);
    if (p->local && !p->again && !together)
        fail_msg("%s: %%%d reads a register of another loop, %%%d", in->name, node->id, source->id);
}

/* ---- memory ---- */

enum region { REGION_TILE, REGION_KEPT, REGION_ONCE };

/* A value's memory and its life: from the first to the last moment, where nest n of group g is moment
 * start[g] + n + 1, and start[g] and the last before start[g + 1] are loading and finishing. */
struct life {
    const struct node *node;
    enum region region;
    enum element element;
    int64_t from, to, offset, size;
};

struct lives {
    struct life *list;
    int count, capacity;
};

static int64_t *moments(const struct plan *plan, struct arena *arena) {
    int64_t *start = arena_array(arena, int64_t, (size_t)plan->group_count + 1);
    for (int g = 0; g < plan->group_count; g++)
        start[g + 1] = start[g] + plan->groups[g].nest_count + 2;
    return start;
}

/* Does who reads `value` at `reader` compute it there again, from `source`? */
static bool reads_again(const struct inspection *in, struct spot reader, const struct node *value,
                        const struct node *source) {
    const struct spot maker = in->spots[value->id];
    if (!plan_placement(in->plan, value)->again || (maker.group == reader.group && maker.nest == reader.nest))
        return false;
    for (int k = 0; k < operand_count(value); k++)
        if (source_of(value->inputs[k]) == source)
            return true;
    return false;
}

/* The moment of the last read of `source`, at least `from`. */
static int64_t last_read(const struct inspection *in, const int64_t *start, const struct node *source,
                         int64_t from, int group) {
    const struct plan *plan = in->plan;
    int64_t last = from;
    for (int id = 0; id < plan->graph.count; id++) {
        struct spot spot = in->spots[id];
        if (spot.group < 0 || (group >= 0 && spot.group != group))
            continue;
        for (int k = 0; k < operand_count(plan->graph.nodes[id]); k++) {
            const struct node *read = source_of(plan->graph.nodes[id]->inputs[k]);
            if (read != source && !reads_again(in, spot, read, source))
                continue;
            /* every round of a scan reads what was computed before it */
            int loop = rounds_of(plan->graph.nodes[id]);
            if (loop && rounds_of(source) != loop)
                spot.nest = last_nest(plan, spot.group, loop);
            /* every tile of a group reads what was computed before the group */
            bool again = plan->groups[spot.group].rows && !has_rows(source);
            int64_t at = again ? start[spot.group + 1] - 1 : start[spot.group] + spot.nest + 1;
            last = at > last ? at : last;
        }
    }
    for (int i = 0; i < plan->root_count; i++)
        if (source_of(plan->roots[i]) == source) {
            int64_t end = has_rows(source) && group >= 0 ? start[group + 1] - 1 : start[plan->group_count];
            last = end > last ? end : last;
        }
    return last;
}

static void add_life(struct lives *lives, struct arena *arena, struct life life) {
    arena_reserve(arena, lives->list, lives->count, lives->capacity);
    lives->list[lives->count++] = life;
}

static void add_node_lives(const struct inspection *in, const int64_t *start, const struct node *node,
                           struct lives *lives, struct arena *arena) {
    const struct placement *p = plan_placement(in->plan, node);
    struct spot spot = in->spots[node->id];
    if (node->code == OPERATOR_loop_stack) /* from the first round on */
        while (spot.nest > 0 && in->plan->groups[spot.group].nests[spot.nest - 1].loop == rounds_of(node))
            spot.nest--;
    int64_t from = start[spot.group] + spot.nest + 1, finish = start[spot.group + 1] - 1;
    struct life life = {
        node, REGION_ONCE, node->type.element, from, 0, p->offset, shape_inner_size(&node->type.shape)};
    const int64_t size = life.size;
    if (p->place == PLACE_NONE || p->place == PLACE_KEPT) {
        life.region = REGION_KEPT;
        life.to = start[in->plan->group_count];
    } else if (p->place == PLACE_TILE) {
        life.region = REGION_TILE;
        life.to = last_read(in, start, node, from, spot.group);
    } else {
        const struct lane_sums *sums = &in->plan->groups[spot.group].sums[node->type.element];
        const int64_t before = p->summed ? p->offset - sums->results : 0;
        if (!p->summed || before + size == sums->count) /* it has all of its last vector */
            life.size = (before + size + 15) / 16 * 16 - before;
        life.from = p->sweep ? start[spot.group] : from;
        life.to = last_read(in, start, node, p->sweep ? finish : from, -1);
    }
    if (p->place != PLACE_NONE)
        add_life(lives, arena, life);
    if (p->lanes >= 0) {
        life.from = start[spot.group];
        life.to = finish;
        life.offset = p->lanes;
        life.size = size * lanes_of(node->type.element);
        add_life(lives, arena, life);
    }
}

static void collect_lives(const struct inspection *in, struct lives *lives, struct arena *arena) {
    const struct plan *plan = in->plan;
    const int64_t *start = moments(plan, arena);
    for (int g = 0; g < plan->group_count; g++) {
        const struct group *group = &plan->groups[g];
        for (int i = 0; i < group->input_count; i++) {
            const struct node *node = group->inputs[i];
            add_life(lives, arena,
                     (struct life){node, REGION_TILE, node->type.element, start[g],
                                   last_read(in, start, node, start[g], g),
                                   plan_placement(plan, node)->offset, shape_inner_size(&node->type.shape)});
        }
    }
    for (int id = 0; id < plan->graph.count; id++)
        if (in->spots[id].group >= 0)
            add_node_lives(in, start, plan->graph.nodes[id], lives, arena);
}

/* Of two registers of one loop over blocks: does one begin after the last node of the loop that reads the
 * other?  Who goes from node to node may have them in the same memory. */
static bool take_turns(const struct inspection *in, const struct node *a, const struct node *b) {
    const struct spot first = in->spots[a->id], second = in->spots[b->id];
    const struct placement *p = plan_placement(in->plan, a), *q = plan_placement(in->plan, b);
    if (first.group != second.group || first.nest != second.nest || !p->local || p->again || !q->local ||
        q->again)
        return false;
    const struct nest *nest = &in->plan->groups[first.group].nests[first.nest];
    const struct node *early = first.place < second.place ? a : b;
    const int late = first.place < second.place ? second.place : first.place;
    for (int i = late; i < nest->count; i++)
        for (int k = 0; k < operand_count(nest->nodes[i]); k++)
            if (source_of(nest->nodes[i]->inputs[k]) == early)
                return false;
    return nest->kind == NEST_BLOCKS;
}

static void check_memory(const struct inspection *in, struct arena *arena) {
    const struct plan *plan = in->plan;
    struct lives lives = {0};
    collect_lives(in, &lives, arena);
    for (int i = 0; i < lives.count; i++) {
        const struct life *a = &lives.list[i];
        const int64_t *sizes = a->region == REGION_TILE   ? plan->tile_planes
                               : a->region == REGION_KEPT ? plan->kept_planes
                                                          : plan->once_size;
        if (a->offset < 0 || a->offset + a->size > sizes[a->element])
            fail_msg("%s: %%%d lies outside its arena", in->name, a->node->id);
        for (int k = 0; k < i; k++) {
            const struct life *b = &lives.list[k];
            bool together = a->from <= b->to && b->from <= a->to;
            bool shared = a->region == b->region && a->element == b->element &&
                          a->offset < b->offset + b->size && b->offset < a->offset + a->size;
            bool same = a->node == b->node && a->region == REGION_TILE; /* an input, loaded for two groups */
            if (together && shared && !same && !take_turns(in, a->node, b->node))
                fail_msg("%s: %%%d and %%%d live at once in the same memory", in->name, a->node->id,
                         b->node->id);
        }
    }
}

/* What lives in one region at once, at the moment when it is most. */
static int64_t most_alive(const struct lives *lives, enum region region, enum element element) {
    int64_t most = 0;
    for (int i = 0; i < lives->count; i++) {
        int64_t alive = 0, at = lives->list[i].from; /* the most is reached where something begins */
        for (int k = 0; k < lives->count; k++) {
            const struct life *b = &lives->list[k];
            if (b->region == region && b->element == element && b->from <= at && at <= b->to)
                alive += b->size;
        }
        most = alive > most ? alive : most;
    }
    return most;
}

/* An arena is at most a tenth larger than the largest set of buffers that live at once.  An input that two
 * groups load lives from the first time to the last, in one place. */
static void check_arena(const struct inspection *in, struct arena *arena) {
    const struct plan *plan = in->plan;
    struct lives lives = {0};
    collect_lives(in, &lives, arena);
    for (int i = 0; i < lives.count; i++)
        for (int k = i + 1; k < lives.count; k++) {
            struct life *a = &lives.list[i], *b = &lives.list[k];
            if (a->node != b->node || a->region != REGION_TILE || b->region != REGION_TILE)
                continue;
            a->to = b->to > a->to ? b->to : a->to;
            b->size = 0;
        }
    for (int element = 0; element < 3; element++) {
        const int64_t tiles = most_alive(&lives, REGION_TILE, (enum element)element);
        const int64_t once = most_alive(&lives, REGION_ONCE, (enum element)element);
        if (10 * plan->tile_planes[element] > 11 * tiles)
            fail_msg("%s: %lld planes, but at most %lld live at once", in->name,
                     (long long)plan->tile_planes[element], (long long)tiles);
        if (10 * plan->once_size[element] > 11 * once)
            fail_msg("%s: %lld numbers, but at most %lld live at once", in->name,
                     (long long)plan->once_size[element], (long long)once);
    }
}

static void inspect(struct bench *bench, const char *name, const struct plan *plan) {
    struct inspection in = {.plan = plan, .name = name};
    in.wanted = arena_array(&bench->arena, bool, (size_t)plan->graph.count);
    mark_wanted(&in);
    note_spots(&in, &bench->arena);
    for (int id = 0; id < plan->graph.count; id++)
        for (int k = 0; in.spots[id].group >= 0 && k < operand_count(plan->graph.nodes[id]); k++)
            check_read(&in, plan->graph.nodes[id], k);
    for (int i = 0; i < plan->root_count; i++)
        if (plan->roots[i]->code != OPERATOR_assign)
            assert_false(plan_placement(plan, source_of(plan->roots[i]))->local);
    check_loops(&in);
    check_memory(&in, &bench->arena);
    check_arena(&in, &bench->arena);
}

/* ---- what a run gives ---- */

/* Does a float have a part in it?  Then two ways to compute it differ by more. */
static bool is_single(struct bench *bench, const struct node *root) {
    bool *single = arena_array(&bench->arena, bool, (size_t)bench->graph->count);
    for (int id = 0; id <= root->id; id++) {
        const struct node *node = bench->graph->nodes[id];
        single[id] = node->type.element == ELEMENT_F32;
        for (int k = 0; k < node->input_count; k++)
            single[id] = single[id] || single[node->inputs[k]->id];
    }
    return single[root->id];
}

static bool is_near(double found, double expected, double tolerance) {
    if (found == expected || (found != found && expected != expected))
        return true;
    return fabs(found - expected) <= tolerance * (1 + fabs(expected));
}

static void check_root(struct reference *reference, const char *name, const struct node *root, int i,
                       const void *found) {
    int64_t inner = shape_inner_size(&root->type.shape), rows = has_rows(root) ? reference->bench->rows : 1;
    double tolerance = is_single(reference->bench, root) ? 2e-4 : 1e-10;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t e = 0; e < inner; e++) {
            double number = number_at(root->type.element, found, r * inner + e);
            double expected = reference_root(reference, root, r, e);
            if (!is_near(number, expected, tolerance))
                fail_msg("%s: of %lld rows, root %d in row %lld, element %lld is %.17g, expected %.17g", name,
                         (long long)reference->bench->rows, i, (long long)r, (long long)e, number, expected);
        }
}

/* Runs the plan of `roots` for some rows and compares values and new weights with the reference. */
static void check_run(struct bench *bench, const char *name, struct interpreter *interpreter,
                      struct node *const *roots, int root_count, int64_t rows) {
    struct reference reference;
    void *results[ROOTS_MAX] = {NULL};
    bench_fill(bench, rows);
    reference_start(&reference, bench);
    for (int i = 0; i < root_count; i++) {
        reference_value(&reference, roots[i]); /* before the run changes weights */
        if (roots[i]->code != OPERATOR_assign)
            results[i] = bench_room(bench, roots[i]);
    }
    bench_run(bench, interpreter, results);
    for (int i = 0; i < root_count; i++) {
        const struct node *target = roots[i]->inputs ? roots[i]->inputs[0] : NULL;
        check_root(&reference, name, roots[i], i,
                   results[i] ? results[i] : bench->weights[target->attributes.index]);
    }
}

static void check_roots(struct bench *bench, const char *name, struct node *const *roots, int root_count,
                        const int64_t *rows, int rows_count) {
    const struct plan *plan = plan_make(bench->graph, roots, root_count, &bench->arena);
    inspect(bench, name, plan);
    struct interpreter *interpreter = bench_interpreter(bench, plan);
    for (int i = 0; i < rows_count; i++)
        check_run(bench, name, interpreter, roots, root_count, rows[i]);
}

/* ---- written models ---- */

static const char remember[] = "solver remember(rate) {\n"
                               "    state old = 0\n    state older = 0\n"
                               "    older  = old\n    old    = weight\n"
                               "    weight = weight - rate * grad + 0.1 * (weight - older)\n"
                               "}\n"
                               "layer late(x, s, A) {\n" /* reads s[1] when it could have its next value */
                               "    return [(sin(x) @ A) * (s[1] * 2 + 1) + 0.1 * s[0], tanh(x)]\n"
                               "}\n";

static const char *const bodies[] = {
    "input x : f64[batch, 2]\ntarget t : class[batch] of 3\nh = sigmoid(dense(x, 10))\n"
    "score = dense(h, 3)\noutput probability = softmax(score)\nloss cost = cross_entropy(score, t)\n"
    "metric accuracy = accuracy(score, t)\n",
    "input x : f32[batch, 2]\ntarget t : class[batch] of 3\nh = sigmoid(dense(x, 10))\n"
    "score = dense(h, 3)\noutput probability = softmax(score)\nloss cost = cross_entropy(score, t)\n"
    "metric accuracy = accuracy(score, t)\n",
    "input x : f64[batch, 10]\ntarget t : f64[batch, 10]\nh = sigmoid(dense(x, 10))\ny = dense(h, 10)\n"
    "output y\nloss cost = mse(y, t)\nmetric error = mae(y, t)\n",
    "input x : f64[batch, 6]\ntarget t : f64[batch]\nh = relu(layer_norm(dense(x, 8)))\n"
    "centred = h - mean(h, axis = 0, keep = true)\nz = centred / sqrt(variance(h, axis = 0) + 0.1)\n"
    "y = dense(z, 1)[:, 0]\noutput y\nloss cost = mse(y, t)\n",
    "input x : f64[batch, 5]\ntarget t : class[batch] of 70\nh = tanh(dense(x, 80))\nscore = dense(h, 70)\n"
    "output score\nloss cost = cross_entropy(score, t) + 0.01 * sum(h ** 2) / 300\n",
    "input x : f32[batch, 33]\ntarget t : f32[batch, 33]\nh = relu(dense(x, 40))\ny = dense(h, 33)\n"
    "output back = y[:, ::-1]\nloss cost = mse(y, t)\n",
    "input x : f64[batch, 3]\ninput u : f64[batch]\nz = x * 2 + sum(x, axis = 0) * max(u)\n"
    "weight W : f64[3, 3] = zeros\noutput z\noutput same = x\noutput m = transpose(W)\n"
    "loss cost = mean((z @ W) ** 2) + sum((W @ W) ** 2)\n",
    "input x : f64[batch, 4, 3]\ntarget t : class[batch] of 3\nh = lstm(x, 5) -> gru(4)\n"
    "centred = h - mean(h, axis = 0, keep = true)\nz = centred / sqrt(variance(h, axis = 0) + 0.1)\nscore = "
    "dense(rnn(z[:, ::-1], 6)[:, -1], 3)\n"
    "output score\noutput h\nloss cost = cross_entropy(score, t)\nmetric accuracy = accuracy(score, t)\n",
    "input x : f64[batch, 4, 6]\nweight A : f64[6, 6] = zeros\nh = scan(x, late, [0 * x[:, 0], x[:, 0]], A = "
    "A)\n"
    "output h\nloss cost = mean(h ** 2)\n",
    "input x : f32[batch, 4, 3]\ntarget t : f32[batch, 4, 17]\nh = lstm(x, 17)\noutput h\n"
    "loss cost = mse(h, t)\n",
};

static const char *const solvers[] = {"sgd(rate = 0.1)", "momentum(rate = 0.1)", "adam(rate = 0.01)",
                                      "remember(rate = 0.1)"};

enum { BODIES = sizeof bodies / sizeof *bodies, SOLVERS = sizeof solvers / sizeof *solvers };

static const int64_t batches[] = {1, 3, 30, 33, 300, 30};

static const char *file_text(struct bench *bench, const char *body, const char *solver) {
    return text_format(&bench->arena, "%smodel m {\n%s}\ntrain {\nsolver = %s\n}\n", remember, body, solver);
}

/* All values of a training step that a user may ask for. */
static int training_roots(struct bench *bench, struct node **roots, bool all_values) {
    const struct model *model = bench->model;
    int count = 0;
    for (int i = 0; i < model->output_count; i++)
        roots[count++] = model->outputs[i].node;
    for (int i = 0; i < model->metric_count; i++)
        roots[count++] = model->metrics[i].node;
    for (int i = 0; all_values && i < model->value_count; i++)
        if (model->values[i].node)
            roots[count++] = model->values[i].node;
    roots[count++] = model->loss.node;
    for (int i = 0; i < model->update_count; i++)
        roots[count++] = model->updates[i];
    assert_true(count <= ROOTS_MAX);
    return count;
}

static void check_model(const char *body, const char *solver, bool all_values) {
    struct bench bench;
    struct node *roots[ROOTS_MAX];
    bench_start(&bench, 11);
    bench_model(&bench, file_text(&bench, body, solver));
    int count = training_roots(&bench, roots, all_values);
    check_roots(&bench, text_format(&bench.arena, "%s\n%s", solver, body), roots, count, batches, 6);
    bench_drop(&bench);
}

static void written_models(void **state) {
    (void)state;
    for (int b = 0; b < BODIES; b++)
        for (int s = 0; s < SOLVERS; s++)
            check_model(bodies[b], solvers[s], s % 2);
}

/* Loops over blocks in a plan, and values that are computed again. */
static void count_blocks(const struct plan *plan, int *blocks, int *again) {
    *blocks = *again = 0;
    for (int g = 0; g < plan->group_count; g++)
        for (int n = 0; n < plan->groups[g].nest_count; n++)
            *blocks += plan->groups[g].nests[n].kind == NEST_BLOCKS;
    for (int id = 0; id < plan->graph.count; id++)
        *again += plan_placement(plan, plan->graph.nodes[id])->again;
}

/* A pooling and the rectifier before it are one loop, and their derivatives another. */
static void check_pooling(const char *type, const char *pooling, int expected_blocks, int expected_again) {
    struct bench bench;
    struct node *roots[ROOTS_MAX];
    int blocks, again;
    bench_start(&bench, 7);
    bench_model(&bench, file_text(&bench,
                                  text_format(&bench.arena,
                                              "input x : %s[batch, 2, 12, 16]\nweight W : %s[4, 2, 1, 1] = "
                                              "normal(0, 1)\ntarget t : %s[batch]\n"
                                              "h = %s\ny = mean(flatten(h), axis = 1)\noutput y\n"
                                              "loss cost = mse(y, t)\n",
                                              type, type, type, pooling),
                                  "sgd(rate = 0.1)"));
    const int count = training_roots(&bench, roots, false);
    count_blocks(plan_make(bench.graph, roots, count, &bench.arena), &blocks, &again);
    if (blocks != expected_blocks || again != expected_again)
        fail_msg("%s: %d loops over blocks, %d values computed again", pooling, blocks, again);
    check_roots(&bench, pooling, roots, count, batches, 3);
    bench_drop(&bench);
}

static void poolings(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        const char *type = i ? "f32" : "f64";
        check_pooling(type, "max_pool2d(relu(convolve(x, W)), 2)", 2, 1);
        check_pooling(type, "max_pool2d(relu(convolve(x, W)), [1, 4])", 2, 1);
        check_pooling(type, "max_pool2d(relu(convolve(x, W)), [2, 1])", 2, 1);
        check_pooling(type, "average_pool2d(tanh(convolve(x, W)), 2)", 2, 0);
        check_pooling(type, "max_pool2d(relu(convolve(x, W)), 3)", 2,
                      1); /* along one axis: a column is over */
        check_pooling(type, "max_pool2d(relu(convolve(x, W)), 5)", 0, 1);
    }
}

/* The article's 72 %: a library let a derivative overwrite the output that was then read.  What a training
 * step shows of a value is what prediction gives with the weights of before. */
static void check_trace(const char *body, const char *solver) {
    struct bench bench;
    struct node *roots[ROOTS_MAX], *values[ROOTS_MAX];
    void *traced[ROOTS_MAX] = {NULL}, *predicted[ROOTS_MAX] = {NULL};
    bench_start(&bench, 5);
    bench_model(&bench, file_text(&bench, body, solver));
    int count = training_roots(&bench, roots, true), value_count = 0;
    for (int i = 0; i < count; i++)
        if (roots[i]->code != OPERATOR_assign)
            values[value_count++] = roots[i];
    struct interpreter *training =
        bench_interpreter(&bench, plan_make(bench.graph, roots, count, &bench.arena));
    struct interpreter *prediction =
        bench_interpreter(&bench, plan_make(bench.graph, values, value_count, &bench.arena));
    bench_fill(&bench, 300);
    for (int i = 0; i < value_count; i++) {
        traced[i] = bench_room(&bench, roots[i]);
        predicted[i] = bench_room(&bench, roots[i]);
    }
    bench_run(&bench, prediction, predicted);
    bench_run(&bench, training, traced);
    for (int i = 0; i < value_count; i++) {
        assert_ptr_equal(roots[i], values[i]);
        size_t size = (size_t)bench_elements(&bench, roots[i]) * element_size(roots[i]->type.element);
        assert_memory_equal(traced[i], predicted[i], size);
    }
    bench_drop(&bench);
}

static void traces_are_predictions(void **state) {
    (void)state;
    for (int b = 0; b < BODIES; b++)
        for (int s = 0; s < SOLVERS; s++)
            check_trace(bodies[b], solvers[s]);
}

/* ---- random graphs ---- */

enum { POOL_MAX = 48, SEEDS = 300 };

struct pool {
    struct bench *bench;
    struct node *nodes[POOL_MAX];
    int count;
};

static struct node *any(struct pool *pool) {
    /* the youngest more often: deep rather than wide */
    int back = bench_below(pool->bench, pool->count);
    if (bench_below(pool->bench, 2))
        back = bench_below(pool->bench, back + 1);
    return pool->nodes[pool->count - 1 - back];
}

static int64_t any_size(struct bench *bench) {
    static const int64_t sizes[] = {1, 2, 3, 3, 4, 5, 33, 70};
    return sizes[bench_below(bench, bench_below(bench, 8) ? 5 : 8)];
}

static struct shape any_shape(struct bench *bench, bool rows) {
    struct shape shape = shape_scalar();
    int rank = 1 + bench_below(bench, 3);
    for (int i = 0; i < rank; i++)
        shape.dims[shape.rank++] = any_size(bench);
    if (rows)
        shape.dims[bench_below(bench, 4) ? 0 : bench_below(bench, rank)] = BATCH;
    return shape;
}

static struct node *try_node(struct pool *pool, enum operator_code code, struct node *const *inputs,
                             int count, const struct attributes *attributes) {
    struct shape_error error = {0};
    struct node *node = graph_node(pool->bench->graph, code, inputs, count, attributes, &error);
    return node && shape_inner_size(&node->type.shape) <= 600 ? node : NULL;
}

/* Values stay in reach of every operator: |a| is at most 1 after this. */
static struct node *bounded(struct pool *pool, struct node *a) {
    if (a->type.element == ELEMENT_INT)
        return a;
    return graph_unary(pool->bench->graph, bench_below(pool->bench, 2) ? OPERATOR_tanh : OPERATOR_sin, a);
}

/* Two thirds or more: in the domain of every operator. */
static struct node *positive(struct pool *pool, struct node *a) {
    struct node *softplus = graph_unary(pool->bench->graph, OPERATOR_softplus, bounded(pool, a));
    return graph_binary(pool->bench->graph, OPERATOR_add, softplus,
                        graph_number(pool->bench->graph, 0.4, a->type.element));
}

/* Those that passes alone place hold for what they place them on. */
static bool is_for_passes(enum operator_code code) {
    return code == OPERATOR_exp_shifted || code == OPERATOR_log_shifted || code == OPERATOR_sigmoid_base2 ||
           code == OPERATOR_tanh_base2;
}

/* Rounding decides whether two values are equal, but for a few of them. */
static bool is_comparison(enum operator_code code) {
    return code == OPERATOR_equal || code == OPERATOR_not_equal || code == OPERATOR_less ||
           code == OPERATOR_less_equal;
}

static struct node *grow_elementwise(struct pool *pool) {
    static const enum operator_code all[] = {
#define ELEMENTWISE(name, ...) OPERATOR_##name,
#include "graph/elementwise.def"
#undef ELEMENTWISE
    };
    enum operator_code code = all[bench_below(pool->bench, (int)(sizeof all / sizeof *all))];
    struct node *inputs[3];
    if (is_for_passes(code))
        return NULL;
    for (int k = 0; k < 3; k++) {
        inputs[k] = any(pool);
        if (inputs[k]->type.element == ELEMENT_INT)
            return NULL;
        bool anywhere = isfinite(operator_fold(code, -0.5, 0, -0.5)) && code != OPERATOR_divide;
        inputs[k] = anywhere ? bounded(pool, inputs[k]) : positive(pool, inputs[k]);
        if (is_comparison(code))
            inputs[k] = graph_unary(pool->bench->graph, OPERATOR_sign, inputs[k]);
    }
    return try_node(pool, code, inputs, operators[code].arity, NULL);
}

static struct node *grow_fold(struct pool *pool) {
    static const enum operator_code folds[] = {OPERATOR_sum, OPERATOR_max, OPERATOR_min};
    struct node *a = any(pool);
    struct attributes attributes;
    memset(&attributes, 0, sizeof attributes);
    if (a->type.element == ELEMENT_INT || a->type.shape.rank == 0)
        return NULL;
    attributes.axis = bench_below(pool->bench, a->type.shape.rank);
    return try_node(pool, folds[bench_below(pool->bench, 3)], &a, 1, &attributes);
}

static struct node *grow_transpose(struct pool *pool) {
    struct node *a = any(pool);
    int64_t order[RANK_MAX] = {0};
    int rank = a->type.shape.rank;
    for (int i = 0; i < rank; i++)
        order[i] = i;
    for (int i = rank - 1; i > 0; i--) {
        int k = bench_below(pool->bench, i + 1);
        int64_t moved = order[i];
        order[i] = order[k];
        order[k] = moved;
    }
    return graph_transpose(pool->bench->graph, a, order);
}

/* Part of an axis, forwards or backwards; or the same put back among zeros. */
static struct node *grow_slice(struct pool *pool) {
    struct node *a = any(pool);
    struct attributes attributes;
    memset(&attributes, 0, sizeof attributes);
    if (a->type.shape.rank == 0)
        return NULL;
    int axis = bench_below(pool->bench, a->type.shape.rank);
    int64_t size = a->type.shape.dims[axis];
    if (size == BATCH)
        return NULL;
    int64_t from = bench_below(pool->bench, (int)size), to = bench_below(pool->bench, (int)size);
    attributes.axis = axis;
    attributes.start = from;
    attributes.step = (1 + bench_below(pool->bench, 2)) * (to < from ? -1 : 1);
    attributes.type = a->type;
    attributes.type.shape.dims[axis] = (to - from) / attributes.step + 1;
    struct node *part = try_node(pool, OPERATOR_slice, &a, 1, &attributes);
    if (!part || a->type.element == ELEMENT_INT || bench_below(pool->bench, 2))
        return part;
    attributes.type = a->type;
    return try_node(pool, OPERATOR_pad, &part, 1, &attributes);
}

/* An axis as windows, or those added back into it. */
static struct node *grow_window(struct pool *pool) {
    struct node *a = any(pool);
    struct attributes attributes;
    memset(&attributes, 0, sizeof attributes);
    int rank = a->type.shape.rank, axis = rank ? bench_below(pool->bench, rank) : 0;
    int64_t size = 1 + bench_below(pool->bench, 3);
    attributes.axis = axis;
    attributes.step = 1 + bench_below(pool->bench, 3);
    attributes.dilation = 1 + bench_below(pool->bench, 2);
    attributes.type = a->type;
    int64_t reach = (size - 1) * attributes.dilation + 1;
    if (rank == 0 || rank > 4 || a->type.element == ELEMENT_INT || a->type.shape.dims[axis] < reach)
        return NULL;
    int64_t *dims = attributes.type.shape.dims;
    memmove(dims + axis + 2, dims + axis + 1, (size_t)(rank - axis - 1) * sizeof *dims);
    dims[axis] = (dims[axis] - reach) / attributes.step + 1;
    dims[axis + 1] = size;
    attributes.type.shape.rank++;
    struct node *windows = try_node(pool, OPERATOR_window, &a, 1, &attributes);
    if (!windows || bench_below(pool->bench, 2))
        return windows;
    attributes.type = a->type;
    return try_node(pool, OPERATOR_overlap, &windows, 1, &attributes);
}

/* A divisor of *size, at most 3, by which it is divided. */
static int64_t take_factor(struct pool *pool, int64_t *size) {
    int64_t factor = 1 + bench_below(pool->bench, 3);
    if (*size % factor)
        factor = 1;
    *size /= factor;
    return factor;
}

/* A value with rows as an image, one without as weights; the convolution of both, or what it is from behind.
 */
static struct node *grow_convolution(struct pool *pool) {
    struct node *a = any(pool), *b = any(pool);
    struct attributes attributes;
    memset(&attributes, 0, sizeof attributes);
    struct convolving *how = &attributes.convolving;
    if (a->type.element == ELEMENT_INT || a->type.element != b->type.element || a->type.shape.rank == 0 ||
        a->type.shape.dims[0] != BATCH || shape_batch_axis(&b->type.shape) >= 0)
        return NULL;
    int64_t across = shape_inner_size(&a->type.shape), results = shape_inner_size(&b->type.shape);
    int64_t channels = take_factor(pool, &across), down = take_factor(pool, &across);
    int64_t lines = take_factor(pool, &results), columns = take_factor(pool, &results);
    if (results % channels == 0 && bench_below(pool->bench, 2)) { /* each channel by itself, or not */
        how->groups = channels;
    } else {
        how->groups = 1;
        if (results % channels)
            return NULL;
        results /= channels;
    }
    for (int axis = 0; axis < 2; axis++) {
        how->stride[axis] = 1 + bench_below(pool->bench, 3);
        how->dilation[axis] = 1 + bench_below(pool->bench, 2);
        for (int side = 0; side < 2; side++)
            how->padding[axis][side] = bench_below(pool->bench, 3);
    }
    struct node *inputs[2] = {
        graph_reshape(pool->bench->graph, bounded(pool, a),
                      shape_of(4, (int64_t[]){BATCH, channels, down, across})),
        graph_reshape(pool->bench->graph, b,
                      shape_of(4, (int64_t[]){results, channels / how->groups, lines, columns}))};
    struct node *y = try_node(pool, OPERATOR_convolve, inputs, 2, &attributes);
    if (!y)
        return NULL;
    int which = bench_below(pool->bench, 4);
    if (which > 1)
        return which == 2 ? y
                          : try_node(pool, OPERATOR_add,
                                     (struct node *[]){y, graph_reshape(pool->bench->graph,
                                                                        graph_number(pool->bench->graph, 0.25,
                                                                                     y->type.element),
                                                                        shape_of(3, (int64_t[]){1, 1, 1}))},
                                     2, NULL);
    attributes.type = inputs[which]->type;
    struct node *back[2] = {which ? inputs[0] : bounded(pool, y), which ? bounded(pool, y) : inputs[1]};
    return try_node(pool, which ? OPERATOR_convolve_weights : OPERATOR_convolve_transposed, back, 2,
                    &attributes);
}

/* Two axes become one, or one becomes two. */
static struct node *grow_reshape(struct pool *pool) {
    struct node *a = any(pool);
    struct shape shape = shape_scalar();
    int rank = a->type.shape.rank, at = rank ? bench_below(pool->bench, rank) : 0;
    const int64_t *dims = a->type.shape.dims;
    for (int i = 0; i < rank && shape.rank < RANK_MAX - 1; i++) {
        bool joined = i == at && i + 1 < rank && dims[i] != BATCH && dims[i + 1] != BATCH;
        if (joined) {
            shape.dims[shape.rank++] = dims[i] * dims[i + 1];
            i++;
        } else if (i == at && dims[i] != BATCH && dims[i] % 2 == 0) {
            shape.dims[shape.rank++] = 2;
            shape.dims[shape.rank++] = dims[i] / 2;
        } else
            shape.dims[shape.rank++] = dims[i];
    }
    if (bench_below(pool->bench, 3) == 0)
        shape.dims[shape.rank++] = 1;
    return shape.rank > 4 ? NULL : graph_reshape(pool->bench->graph, a, shape);
}

static struct node *grow_expand(struct pool *pool) {
    struct node *a = any(pool), *b = any(pool);
    struct shape joined;
    if (!shape_broadcast(&a->type.shape, &b->type.shape, &joined) || shape_inner_size(&joined) > 600)
        return NULL;
    return graph_expand(pool->bench->graph, a, joined);
}

static struct node *grow_matmul(struct pool *pool) {
    for (int attempt = 0; attempt < 20; attempt++) {
        struct node *inputs[2] = {any(pool), any(pool)};
        if (inputs[0]->type.element == ELEMENT_INT || inputs[1]->type.element == ELEMENT_INT)
            continue;
        for (int k = 0; k < 2; k++) /* a sine of a large number tells nothing */
            if (inputs[k]->code != OPERATOR_weight && inputs[k]->code != OPERATOR_input)
                inputs[k] = bounded(pool, inputs[k]);
        if (inputs[0]->type.shape.rank >= 2 && bench_below(pool->bench, 3) == 0)
            inputs[0] = graph_swap_last(pool->bench->graph, inputs[0]);
        if (bench_below(pool->bench, 4) == 0)
            inputs[1] =
                inputs[0]->type.shape.rank >= 2 ? graph_swap_last(pool->bench->graph, inputs[0]) : inputs[0];
        struct node *product = try_node(pool, OPERATOR_matmul, inputs, 2, NULL);
        if (!product)
            continue;
        for (int i = 0; i < pool->count; i++) { /* plus something of its shape: an affine */
            struct node *sum[2] = {product, pool->nodes[i]}, *with;
            if (bench_below(pool->bench, 3) == 0 && pool->nodes[i]->type.element == product->type.element &&
                (with = try_node(pool, OPERATOR_add, sum, 2, NULL)))
                return with;
        }
        return product;
    }
    return NULL;
}

static struct node *grow_convert(struct pool *pool) {
    static const enum element elements[] = {ELEMENT_F64, ELEMENT_F64, ELEMENT_F32, ELEMENT_INT};
    struct node *a = any(pool);
    enum element element = elements[bench_below(pool->bench, 4)];
    if (element == ELEMENT_INT && a->type.element != ELEMENT_INT) /* far from where rounding decides */
        a = graph_binary(pool->bench->graph, OPERATOR_multiply,
                         graph_unary(pool->bench->graph, OPERATOR_sign, a),
                         graph_number(pool->bench->graph, 2.5, a->type.element));
    return graph_convert(pool->bench->graph, a, element);
}

static void add_to(struct pool *pool, struct node *node) {
    if (node && pool->count < POOL_MAX)
        pool->nodes[pool->count++] = node;
}

/* All that it is computed from in its loop has rows, or nothing has: no sums over the batch. */
static bool fits_rounds(const struct node *node, bool rows) {
    if (node->loop && (has_rows(node) != rows || node->type.shape.rank > 4))
        return false;
    for (int k = 0; node->loop && node->code != OPERATOR_loop_state && k < node->input_count; k++)
        if (node->inputs[k]->loop && !fits_rounds(node->inputs[k], rows))
            return false;
    return true;
}

/* What a state becomes: something bounded of its shape, made of itself and some values of the round, so
 * little of each that rounding does not grow from round to round. */
static struct node *next_value(struct pool *round, struct node *state) {
    struct graph *graph = round->bench->graph;
    struct node *little = graph_number(graph, 0.25, state->type.element);
    struct node *value = graph_binary(graph, OPERATOR_multiply, state, little);
    for (int i = 0, found = 0; i < 6 && found < 2; i++) {
        struct node *other = any(round);
        struct shape joined;
        if (other->type.element != state->type.element || !fits_rounds(other, has_rows(state)) ||
            !shape_broadcast(&other->type.shape, &state->type.shape, &joined) ||
            !shape_equal(&joined, &state->type.shape))
            continue;
        other = graph_binary(graph, OPERATOR_multiply, bounded(round, other), little);
        value = graph_binary(graph, OPERATOR_add, value, other);
        found++;
    }
    return bounded(round, value);
}

/* A scan along some axis, of which a stack or the last state is left. */
static struct node *grow_loop(struct pool *pool) {
    struct graph *graph = pool->bench->graph;
    struct node *x = any(pool), *states[2];
    struct pool round = {.bench = pool->bench};
    const int rank = x->type.shape.rank, axis = rank ? bench_below(pool->bench, rank) : 0;
    if (rank == 0 || rank > 4 || x->type.element == ELEMENT_INT || x->type.shape.dims[axis] == BATCH ||
        (x->type.element == ELEMENT_F32 && x->type.shape.dims[axis] > 5)) /* rounding adds up */
        return NULL;
    int loop = graph_loop_open(graph, x->type.shape.dims[axis], bench_below(pool->bench, 2));
    const bool rows = has_rows(x);
    add_to(&round, graph_loop_slice(graph, loop, x, axis));
    for (int i = 0; i < 2; i++) {
        struct node *initial = any(pool);
        if (initial->type.element == ELEMENT_INT || has_rows(initial) != rows || initial->type.shape.rank > 3)
            initial = graph_number(graph, 0.5, x->type.element),
            initial = graph_expand(graph, initial, shape_without(&x->type.shape, axis));
        states[i] = graph_loop_state(graph, loop, bounded(pool, initial));
        add_to(&round, states[i]);
        add_to(&round, any(pool));
    }
    static struct node *(*const rules[])(struct pool *) = {
        grow_elementwise, grow_elementwise, grow_fold, grow_slice, grow_matmul, grow_transpose};
    for (int i = 0; i < 12; i++) {
        struct node *node = rules[bench_below(pool->bench, 6)](&round);
        if (node && fits_rounds(node, rows))
            add_to(&round, node);
    }
    bool swap = shape_equal(&states[0]->type.shape, &states[1]->type.shape) &&
                states[0]->type.element == states[1]->type.element && bench_below(pool->bench, 2);
    graph_loop_next(graph, states[0], swap ? states[1] : next_value(&round, states[0]));
    graph_loop_next(graph, states[1], swap ? states[0] : next_value(&round, states[1]));
    graph_loop_close(graph, loop);
    struct node *left = any(&round);
    if (bench_below(pool->bench, 3) == 0 || !left->loop)
        return graph_loop_final(graph, loop, states[bench_below(pool->bench, 2)]);
    if (shape_inner_size(&left->type.shape) * graph_loop(graph, loop)->steps > 600)
        return NULL;
    return graph_loop_stack(graph, loop, left, bench_below(pool->bench, left->type.shape.rank + 1));
}

static void add_leaves(struct pool *pool) {
    struct bench *bench = pool->bench;
    enum element element = bench_below(bench, 4) ? ELEMENT_F64 : ELEMENT_F32;
    for (int i = 0; i < 4; i++)
        add_to(pool, bench_column(bench, i == 3 ? ELEMENT_INT : element, any_shape(bench, true)));
    for (int i = 0; i < 5; i++)
        add_to(pool, bench_weight(bench, element, any_shape(bench, false)));
    add_to(pool, bench_weight(bench, element, shape_of(2, (int64_t[]){3, 3})));
    add_to(pool, bench_weight(bench, element, shape_of(2, (int64_t[]){3, 3})));
    struct attributes attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.type.element = element;
    add_to(pool, graph_node(bench->graph, OPERATOR_rows, NULL, 0, &attributes, NULL));
    attributes.type.shape = shape_of(1, (int64_t[]){3});
    add_to(pool, graph_node(bench->graph, OPERATOR_coordinate, NULL, 0, &attributes, NULL));
}

static void grow(struct pool *pool) {
    typedef struct node *rule(struct pool *);
    static rule *const rules[] = {
        grow_elementwise, grow_elementwise, grow_elementwise, grow_fold,        grow_fold,    grow_matmul,
        grow_matmul,      grow_matmul,      grow_slice,       grow_transpose,   grow_reshape, grow_expand,
        grow_convert,     grow_window,      grow_convolution, grow_convolution, grow_loop,    grow_loop};
    add_leaves(pool);
    for (int i = 0; i < 40; i++)
        add_to(pool, rules[bench_below(pool->bench, (int)(sizeof rules / sizeof *rules))](pool));
}

static struct node *loss_of(struct pool *pool) {
    struct node *loss = NULL;
    for (int i = 0; i < 4; i++) {
        struct node *a = any(pool);
        if (a->type.element == ELEMENT_INT)
            continue;
        a = graph_convert(pool->bench->graph, bounded(pool, a), ELEMENT_F64);
        while (a->type.shape.rank)
            a = graph_fold(pool->bench->graph, OPERATOR_sum, a, bench_below(pool->bench, a->type.shape.rank));
        loss = loss ? graph_binary(pool->bench->graph, OPERATOR_add, loss, a) : a;
    }
    return loss;
}

static void add_assignment(struct bench *bench, struct node *weight, struct node *value, struct node **roots,
                           int *count) {
    struct shape_error error = {0};
    struct node *assign =
        graph_node(bench->graph, OPERATOR_assign, (struct node *[]){weight, value}, 2, NULL, &error);
    if (assign)
        roots[(*count)++] = assign;
}

/* Each weight gets a new value: a step along its derivative, or another weight, or itself in another order.
 */
static void add_updates(struct pool *pool, struct node *const *gradients, struct node **roots, int *count) {
    struct bench *bench = pool->bench;
    for (int i = 0; i < bench->weight_count; i++) {
        struct node *weight = bench->weight_nodes[i],
                    *value = bench->weight_nodes[bench_below(bench, bench->weight_count)];
        if (value == weight)
            value = weight->type.shape.rank == 2 ? graph_swap_last(bench->graph, weight) : any(pool);
        if (gradients[i] && bench_below(bench, 2))
            value = graph_binary(bench->graph, OPERATOR_subtract, weight, gradients[i]);
        if (value->code == OPERATOR_weight && value == weight)
            continue;
        if (shape_batch_axis(&value->type.shape) < 0)
            add_assignment(bench, weight, value, roots, count);
    }
}

static void check_seed(uint64_t seed) {
    struct bench bench;
    struct pool pool = {.bench = &bench};
    struct node *roots[ROOTS_MAX], *gradients[BENCH_WEIGHTS] = {NULL};
    static const int64_t rows[] = {1, 3, 30, 33, 100, 300};
    int count = 0;
    bench_start(&bench, seed);
    bench_graph(&bench);
    grow(&pool);
    for (int i = bench_below(&bench, 6); i >= 0; i--)
        roots[count++] = any(&pool);
    struct node *loss = loss_of(&pool);
    if (loss && bench_below(&bench, 3)) {
        roots[count++] = loss;
        differentiate(bench.graph, loss, bench.weight_nodes, bench.weight_count, gradients);
        for (int i = 0; i < bench.weight_count; i++)
            if (gradients[i] && bench_below(&bench, 2))
                roots[count++] = gradients[i];
    }
    if (bench_below(&bench, 2))
        add_updates(&pool, gradients, roots, &count);
    int64_t sizes[] = {rows[bench_below(&bench, 6)], rows[bench_below(&bench, 5)]};
    check_roots(&bench, text_format(&bench.arena, "seed %llu", (unsigned long long)seed), roots, count, sizes,
                2);
    bench_drop(&bench);
}

static void random_graphs(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        check_seed(seed);
}

/* ---- convolutions: every way that sizes decide ---- */

/* The image's channels, lines and columns; the kernel; the call. */
struct convolved {
    const char *image, *kernel, *call;
};

static const struct convolved convolved[] = {
    /* taps of a result that lie apart */
    {"2, 4, 5", "2, 3, 3, 3", "convolve_transposed(h, W, 2)"},
    {"3, 3, 4", "3, 2, 7, 4", "convolve_transposed(h, W, [3, 2], [1, 3, 2, 0], [2, 1])"},
    {"4, 3, 3", "4, 1, 3, 5", "convolve_transposed(h, W, 3, 1, 2, 2, 1)"},
    /* a kernel that does not fit what is packed, of several results */
    {"1, 66, 64", "2, 1, 65, 64", "convolve(h, W)"},
    {"1, 1, 4200", "3, 1, 1, 4097", "convolve(h, W, 50)"},
    {"2, 2, 1", "2, 1, 65, 64", "convolve_transposed(h, W)"},
    /* channels packed in several parts */
    {"20, 5, 6", "12, 20, 5, 5", "convolve(h, W)"},
    {"14, 2, 2", "14, 13, 5, 5", "convolve_transposed(h, W, 1, 1)"},
    {"70, 2, 3", "9, 70, 1, 1", "convolve(h, W)"},
    /* lines that are taken in parts, and lines together */
    {"1, 2, 200", "5, 1, 1, 3", "convolve(h, W, 1, 2)"},
    {"2, 20, 23", "3, 2, 3, 3", "convolve(h, W, 1, 1)"},
    {"1, 1, 300", "2, 1, 2, 7", "convolve(h, W, [1, 2], [1, 0, 3, 2], [1, 3])"},
    /* more padding than image, places of some taps alone */
    {"2, 2, 2", "7, 2, 5, 5", "convolve(h, W, 1, 4)"},
    {"1, 1, 3", "1, 1, 1, 9", "convolve(h, W, 1, [0, 0, 6, 7])"},
    {"3, 4, 3", "4, 3, 2, 8", "convolve(h, W, [2, 3], [1, 0, 8, 9], [3, 2])"},
    /* groups, strides that leave something over */
    {"9, 7, 8", "15, 3, 3, 2", "convolve(h, W, [2, 3], 1, 1, 3)"},
    {"6, 5, 5", "6, 1, 3, 3", "convolve(h, W, 2, \"same\", 1, 6)"},
};

static void check_convolution(const struct convolved *c, const char *type) {
    static const int64_t rows[] = {1, 33, 7};
    struct bench bench;
    struct node *roots[ROOTS_MAX];
    bench_start(&bench, 11);
    const char *body = text_format(&bench.arena,
                                   "input x : %s[batch, %s]\nweight A : %s[%s] = zeros\n"
                                   "weight W : %s[%s] = zeros\nh = x * A\ny = %s\noutput y\n"
                                   "loss cost = sum(sin(y))\n",
                                   type, c->image, type, c->image, type, c->kernel, c->call);
    bench_model(&bench, file_text(&bench, body, "sgd(rate = 1)"));
    int count = training_roots(&bench, roots, false);
    check_roots(&bench, body, roots, count, rows, 3);
    bench_drop(&bench);
}

static void convolutions(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof convolved / sizeof *convolved; i++) {
        check_convolution(&convolved[i], "f64");
        check_convolution(&convolved[i], "f32");
    }
}

/* ---- rows by order ---- */

static void rows_in_any_order(void **state) {
    (void)state;
    struct bench bench;
    enum { ROWS = 70 };
    uint32_t order[ROWS];
    double straight[ROWS][3], ordered[ROWS][3];
    bench_start(&bench, 3);
    bench_model(&bench, "model m {\ninput x : f64[batch, 2]\noutput y = sigmoid(dense(x, 3))\n}\n");
    struct interpreter *interpreter =
        bench_interpreter(&bench, plan_make(bench.graph, &bench.model->outputs[0].node, 1, &bench.arena));
    bench_fill(&bench, ROWS);
    for (uint32_t i = 0; i < ROWS; i++)
        order[i] = i * 29 % ROWS;
    bench_run(&bench, interpreter, (void *[]){straight});
    struct batch batch = {.rows = ROWS,
                          .columns = (const void *const *)bench.columns,
                          .order = order,
                          .results = (void *[]){ordered},
                          .step = 1};
    interpreter_run(interpreter, &batch);
    for (int i = 0; i < ROWS; i++)
        assert_memory_equal(ordered[i], straight[order[i]], sizeof ordered[i]);
    bench_drop(&bench);
}

/* ---- few rows are done in another way, with the same bits ---- */

static void few_rows_are_many(const char *text) {
    struct bench bench;
    enum { ROWS = 20, WIDTH = 150 };
    static double many[ROWS * WIDTH], few[ROWS * WIDTH]; /* bytes of f64, or twice the room of f32 */
    bench_start(&bench, 5);
    bench_model(&bench, text);
    const struct node *y = bench.model->outputs[0].node;
    size_t row = (size_t)shape_inner_size(&y->type.shape) * element_size(y->type.element);
    struct interpreter *interpreter =
        bench_interpreter(&bench, plan_make(bench.graph, &bench.model->outputs[0].node, 1, &bench.arena));
    bench_fill(&bench, ROWS);
    bench_run(&bench, interpreter, (void *[]){many});
    for (uint32_t count = 1; count <= 6; count++)
        for (uint32_t from = 0; from + count <= ROWS; from += 7) {
            uint32_t order[6];
            for (uint32_t i = 0; i < count; i++)
                order[i] = from + i;
            struct batch batch = {.rows = count,
                                  .columns = (const void *const *)bench.columns,
                                  .order = order,
                                  .results = (void *[]){few},
                                  .step = 1};
            interpreter_run(interpreter, &batch);
            assert_memory_equal(few, (char *)many + from * row, count * row);
        }
    bench_drop(&bench);
}

static void few_rows(void **state) {
    (void)state;
    few_rows_are_many("model m {\ninput x : f64[batch, 70]\noutput y = dense(x, 150)\n}\n");
    few_rows_are_many("model m {\ninput x : f32[batch, 131]\noutput y = dense(x, 33)\n}\n");
    few_rows_are_many("model m {\ninput x : f32[batch, 100]\nweight w : f32[100, 9] = normal(0, 1)\n"
                      "output y = x @ w\n}\n");
}

/* ---- threads: large products, with the same bits ---- */

static void threads_change_nothing(const char *text) {
    struct bench bench;
    enum { ROWS = 130, WEIGHT = 190 * 170 };
    static double expected[WEIGHT], found[WEIGHT];
    double cost = 0, again = 0;
    bench_start(&bench, 7);
    bench_model(&bench, text);
    struct node *roots[2] = {bench.model->loss.node, bench.model->updates[0]->inputs[1]};
    const struct plan *plan = plan_make(bench.graph, roots, 2, &bench.arena);
    bench_fill(&bench, ROWS);
    bench_run(&bench, bench_interpreter(&bench, plan), (void *[]){&cost, expected});
    for (int count = 2; count < 6; count++) {
        struct threads *threads = threads_new(count);
        struct interpreter *interpreter = bench_interpreter(&bench, plan);
        interpreter_use_threads(interpreter, threads);
        bench_run(&bench, interpreter, (void *[]){&again, found});
        threads_stop(threads);
        assert_memory_equal(&again, &cost, sizeof cost);
        assert_memory_equal(found, expected, sizeof expected);
    }
    bench_drop(&bench);
}

static void any_number_of_threads(void **state) {
    (void)state;
    threads_change_nothing("model m {\ninput x : f64[batch, 190]\ntarget t : f64[batch, 170]\n"
                           "weight W : f64[190, 170] = normal(0, 1)\nloss cost = mse(tanh(x @ W), t)\n}\n"
                           "train {\nsolver = sgd(1)\nbatch = 130\n}\n");
    threads_change_nothing("model m {\ninput x : f64[batch, 5, 9, 10]\n"
                           "weight W : f64[11, 5, 3, 3] = normal(0, 1)\n"
                           "loss cost = mean(tanh(convolve_transposed(convolve(x, W), W, 2)))\n}\n"
                           "train {\nsolver = sgd(1)\nbatch = 130\n}\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_models), cmocka_unit_test(traces_are_predictions),
        cmocka_unit_test(random_graphs),  cmocka_unit_test(rows_in_any_order),
        cmocka_unit_test(few_rows),       cmocka_unit_test(any_number_of_threads),
        cmocka_unit_test(convolutions),   cmocka_unit_test(poolings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
