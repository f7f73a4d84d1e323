/* Makes one loop of several whose values are of different sizes, a few times apart.
 *
 * A pooling over 2 x 2 elements is a loop over pairs of columns behind a loop over pairs of lines, and its
 * derivative is the same the other way round: each passes over planes that fill a cache.  But an element of
 * the smaller value belongs to a few of the larger: a loop over blocks of these, in which each is written
 * out, hands all on in registers.
 *
 * Such a loop has axes.  Of each value, an axis has a stride, as in an access; a value without the axis (the
 * result of a fold over it, or what is repeated along it) has 0.  Axes that some value lacks are written out,
 * the others are loops.
 */
#include "plan/blocks.h"
#include "graph/operator.h"
#include "plan/sink.h"

#include <string.h>

enum {
    BLOCK = 4,         /* elements of a block */
    LEAST_BLOCKS = 64, /* fewer elements stay in the first-level cache from loop to loop */
};

/* Two nests on the way to becoming one. */
struct joining {
    const struct plan *plan;
    struct node *nodes[NEST_NODES];
    int count;
    struct blocks blocks;
    int64_t strides[NEST_NODES][BLOCK_AXES];
};

/* What has an axis that the other lacks: `length` elements, `stride` apart in the one that has it. */
struct relation {
    int64_t length, stride;
    int of; /* the node of the first nest */
    bool fold;
};

static int position(const struct joining *joining, const struct node *node, int count) {
    for (int i = 0; i < count; i++)
        if (joining->nodes[i] == node)
            return i;
    return -1;
}

/* A node's operands over its iteration; a fold's over [result.., *length]. */
static int operands_of(const struct node *node, struct access *accesses, int64_t *length) {
    *length = 1;
    if (!is_fold(node))
        return plan_operands(node, accesses);
    accesses[0] = plan_fold_operand(node, length);
    return 1;
}

/* ---- axes ---- */

/* Divides an axis into one of size / below and one of `below`. */
static bool split(struct joining *joining, int axis, int64_t below) {
    struct blocks *blocks = &joining->blocks;
    if (below == 1 || below == blocks->sizes[axis])
        return true;
    if (blocks->rank == BLOCK_AXES || blocks->sizes[axis] % below)
        return false;
    const size_t behind = (size_t)(blocks->rank - axis);
    memmove(&blocks->sizes[axis + 1], &blocks->sizes[axis], behind * sizeof *blocks->sizes);
    memmove(&blocks->written[axis + 1], &blocks->written[axis], behind * sizeof *blocks->written);
    for (int i = 0; i < joining->count; i++) {
        int64_t *strides = joining->strides[i];
        memmove(&strides[axis + 1], &strides[axis], behind * sizeof *strides);
        strides[axis] *= below;
    }
    blocks->sizes[axis] /= below;
    blocks->sizes[axis + 1] = below;
    blocks->rank++;
    return true;
}

/* Divides axes so that each lies below `stride` in elements of node `of`, or not at all. */
static bool split_at(struct joining *joining, int of, int64_t stride) {
    for (int axis = 0; axis < joining->blocks.rank; axis++) {
        const int64_t step = joining->strides[of][axis];
        if (step && step < stride && stride < step * joining->blocks.sizes[axis] &&
            (stride % step || !split(joining, axis, stride / step)))
            return false;
    }
    return true;
}

/* How far `access` goes for a step along an axis of `size` steps, each `step` elements of its iteration.  -1
 * where it is not as far everywhere, but within some of these steps: *within; or not even there: 0. */
static int64_t along(const struct access *access, int64_t step, int64_t size, int64_t *within) {
    int64_t below = 1, found = 0;
    bool begun = false;
    for (int axis = access->rank - 1; axis >= 0; axis--) {
        const int64_t end = below * access->sizes[axis];
        if (access->sizes[axis] > 1 && end > step && below < step * size) {
            *within = begun && below % step == 0 ? below / step : 0;
            if (!begun && step % below)
                return -1;
            if (begun && (below % step || access->strides[axis] != found * (below / step)))
                return -1;
            found = begun ? found : step / below * access->strides[axis];
            begun = true;
        }
        below = end;
    }
    return found;
}

/* ---- what one nest reads of the other ---- */

/* An axis of an iteration along which an operand stays where it is. */
static bool is_repeated(const struct access *access, struct relation *relation) {
    int64_t below = 1;
    for (int axis = access->rank - 1; axis >= 0; below *= access->sizes[axis--])
        if (access->sizes[axis] > 1 && access->strides[axis] == 0) {
            relation->length = access->sizes[axis];
            relation->stride = below;
            return true;
        }
    return false;
}

static bool find_relation(const struct joining *joining, const struct nest *second,
                          struct relation *relation) {
    for (int i = 0; i < second->count; i++) {
        struct access accesses[3];
        int64_t length;
        const int count = operands_of(second->nodes[i], accesses, &length);
        for (int k = 0; k < count; k++) {
            relation->of = position(joining, accesses[k].source, joining->count);
            relation->fold = length > 1;
            relation->length = length;
            relation->stride = accesses[k].strides[accesses[k].rank - 1];
            if (relation->of >= 0 && (relation->fold || is_repeated(&accesses[k], relation)))
                return relation->stride > 0 && relation->length <= BLOCK;
        }
    }
    return false;
}

/* The axis of the relation becomes one that is written out; `strides` are those of the second nest. */
static bool add_axis(struct joining *joining, const struct relation *relation, int64_t *strides) {
    struct blocks *blocks = &joining->blocks;
    const int64_t length = relation->length, stride = relation->stride;
    const int64_t *of = joining->strides[relation->of];
    if (!split_at(joining, relation->of, stride) ||
        (relation->fold && !split_at(joining, relation->of, stride * length)))
        return false;
    int axis = 0; /* where it is, or goes: behind those that are longer */
    while (axis < blocks->rank && (!of[axis] || of[axis] > stride || (!relation->fold && of[axis] == stride)))
        axis++;
    if (relation->fold) {
        if (axis == blocks->rank || of[axis] != stride || blocks->sizes[axis] != length)
            return false;
    } else {
        if (blocks->rank == BLOCK_AXES)
            return false;
        blocks->sizes[blocks->rank] = length;
        for (int i = 0; i < joining->count; i++)
            joining->strides[i][blocks->rank] = 0;
        axis = blocks->rank++;
    }
    blocks->written[axis] = true;
    for (int a = 0; a < blocks->rank; a++)
        strides[a] = of[a] < stride ? of[a] : relation->fold ? of[a] / length : of[a] * length;
    strides[axis] = relation->fold ? 0 : stride;
    return true;
}

/* Can all be read: what is in the loop from the same block, the rest at strides?  Axes are divided where an
 * operand needs it. */
static bool agree(struct joining *joining, int reader) {
    const struct node *node = joining->nodes[reader];
    struct blocks *blocks = &joining->blocks;
    struct access accesses[3];
    int64_t length;
    const int count = operands_of(node, accesses, &length);
    for (int k = 0; k < count; k++) {
        const int source = position(joining, accesses[k].source, joining->count);
        int64_t folded = source >= 0 ? length : 1;
        if (source >= 0 && accesses[k].offset)
            return false;
        for (int axis = 0; axis < blocks->rank; axis++) {
            int64_t step = joining->strides[reader][axis] * length, within = 0;
            const int64_t expected = source >= 0 ? joining->strides[source][axis] : 0;
            if (!step && expected && folded == blocks->sizes[axis]) {
                step = 1; /* the axis of the fold */
                folded = 1;
            }
            int64_t found = step ? along(&accesses[k], step, blocks->sizes[axis], &within) : 0;
            if (found < 0 && (blocks->written[axis] || within <= 1 || within >= blocks->sizes[axis] ||
                              !split(joining, axis, within)))
                return false;
            if (found < 0)
                return agree(joining, reader);
            if (source >= 0 && found != expected)
                return false;
        }
        if (folded != 1)
            return false;
    }
    return true;
}

/* ---- nests ---- */

static bool may_join(const struct plan *plan, const struct nest *nest) {
    if ((nest->kind != NEST_LOOP && nest->kind != NEST_BLOCKS) || nest->loop)
        return false;
    for (int i = 0; i < nest->count; i++)
        if (plan->placements[nest->nodes[i]->id].sweep ||
            (!is_fold(nest->nodes[i]) && operators[nest->nodes[i]->code].kind != KIND_ELEMENTWISE))
            return false;
    return true;
}

static void take(struct joining *joining, const struct nest *nest) {
    for (int i = 0; i < nest->count; i++)
        joining->nodes[joining->count++] = nest->nodes[i];
    if (nest->kind == NEST_BLOCKS) {
        joining->blocks = *nest->blocks;
        memcpy(joining->strides, nest->blocks->strides, (size_t)nest->count * sizeof *joining->strides);
        return;
    }
    joining->blocks.rank = 1;
    joining->blocks.sizes[0] = nest->size;
    for (int i = 0; i < nest->count; i++)
        joining->strides[i][0] = 1;
}

static int64_t elements_of(const struct blocks *blocks, bool written) {
    int64_t count = 1;
    for (int axis = 0; axis < blocks->rank; axis++)
        count *= blocks->written[axis] == written ? blocks->sizes[axis] : 1;
    return count;
}

static bool join(struct plan *plan, const struct nest *first, const struct nest *second,
                 struct joining *joining) {
    if (!may_join(plan, first) || !may_join(plan, second) || second->kind != NEST_LOOP ||
        first->element != second->element || first->count + second->count > NEST_NODES)
        return false;
    int64_t strides[BLOCK_AXES] = {0};
    struct relation relation;
    take(joining, first);
    if (!find_relation(joining, second, &relation) || !add_axis(joining, &relation, strides))
        return false;
    for (int i = 0; i < second->count; i++) {
        memcpy(joining->strides[joining->count], strides, sizeof strides);
        joining->nodes[joining->count++] = second->nodes[i];
    }
    for (int i = 0; i < joining->count; i++)
        if (!agree(joining, i))
            return false;
    return elements_of(&joining->blocks, true) <= BLOCK &&
           elements_of(&joining->blocks, false) >= LEAST_BLOCKS;
}

/* `first` becomes what was joined, and `second` has nothing left. */
static void replace(struct plan *plan, struct nest *first, struct nest *second,
                    const struct joining *joining) {
    const int at = plan->placements[first->nodes[0]->id].nest;
    struct blocks *blocks = arena_new(plan->arena, struct blocks);
    *blocks = joining->blocks;
    blocks->strides = arena_grow(plan->arena, NULL, 0, (size_t)joining->count, sizeof *blocks->strides);
    memcpy(blocks->strides, joining->strides, (size_t)joining->count * sizeof *blocks->strides);
    first->kind = NEST_BLOCKS;
    first->size = elements_of(blocks, false);
    first->blocks = blocks;
    for (int i = first->count; i < joining->count; i++) {
        arena_reserve(plan->arena, first->nodes, first->count, first->capacity);
        first->nodes[first->count++] = joining->nodes[i];
        plan->placements[joining->nodes[i]->id].nest = at;
    }
    second->count = 0;
}

void plan_block(struct plan *plan) {
    struct joining *joining = arena_new(plan->arena, struct joining);
    for (int g = 0; g < plan->group_count; g++) {
        struct group *group = &plan->groups[g];
        int first = 0; /* the nest that the next one may join */
        for (int n = 1; group->rows && n < group->nest_count; n++) {
            *joining = (struct joining){.plan = plan};
            if (join(plan, &group->nests[first], &group->nests[n], joining))
                replace(plan, &group->nests[first], &group->nests[n], joining);
            else
                first = n;
        }
    }
    plan_drop_empty(plan);
}
