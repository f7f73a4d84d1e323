/* Moves cheap values to where they are read.
 *
 * Fusion puts a node into the earliest loop that has its operands: the derivative of an activation, h * (1 -
 * h), so stands beside h in the forward pass, and its plane waits in memory until the backward pass.  A node
 * whose only reader is a later nest of the same loop is computed there instead, if what it reads is in memory
 * anyway.
 */
#include "plan/sink.h"
#include "graph/operator.h"

#include <string.h>

struct sinker {
    struct plan *plan;
    int *readers;      /* by id: nodes that read it; a root has one more */
    int *reader_group; /* the group of all of them, or -1 where they differ, */
    int *reader_nest;  /* and the nest, or -1 */
};

static void note_reader(struct sinker *sinker, int id, int group, int nest) {
    if (sinker->readers[id]++ == 0) {
        sinker->reader_group[id] = group;
        sinker->reader_nest[id] = nest;
    } else if (sinker->reader_group[id] != group || sinker->reader_nest[id] != nest)
        sinker->reader_nest[id] = -1;
}

static void find_readers(struct sinker *sinker) {
    const struct plan *plan = sinker->plan;
    for (int g = 0; g < plan->group_count; g++)
        for (int n = 0; n < plan->groups[g].nest_count; n++)
            for (int i = 0; i < plan->groups[g].nests[n].count; i++) {
                struct access accesses[3];
                int count = plan_operands(plan->groups[g].nests[n].nodes[i], accesses);
                for (int k = 0; k < count; k++)
                    note_reader(sinker, accesses[k].source->id, g, n);
            }
    for (int i = 0; i < plan->root_count; i++)
        note_reader(sinker, access_of(plan->roots[i], &plan->roots[i]->type.shape).source->id, -1, -1);
}

/* May `node`, of nest `from`, be computed in nest `to` without any value being kept that is not kept now? */
static bool can_move(const struct sinker *sinker, const struct node *node, int group, int from, int to) {
    struct access accesses[3];
    if (operators[node->code].kind != KIND_ELEMENTWISE || strstr(operators[node->code].maths, "nn_"))
        return false;
    int count = plan_operands(node, accesses);
    for (int k = 0; k < count; k++) {
        const struct node *source = accesses[k].source;
        const struct placement *p = &sinker->plan->placements[source->id];
        if (source->code == OPERATOR_loop_state)
            return false; /* it may have its next value there */
        if (p->group != group || p->nest != from || sinker->reader_nest[source->id] == -1)
            continue; /* it is in memory */
        if (sinker->readers[source->id] != 1 || !accesses[k].identity ||
            !can_move(sinker, source, group, from, to))
            return false;
    }
    return true;
}

static void take_out(struct nest *nest, const struct node *node) {
    int at = 0;
    while (nest->nodes[at] != node)
        at++;
    memmove(nest->nodes + at, nest->nodes + at + 1, (size_t)(--nest->count - at) * sizeof *nest->nodes);
}

/* To the front of nest `to`, and before it the operands that come along. */
static void move(struct sinker *sinker, struct node *node, int group, int from, int to) {
    struct plan *plan = sinker->plan;
    struct nest *nests = plan->groups[group].nests, *nest = &nests[to];
    take_out(&nests[from], node);
    arena_reserve(plan->arena, nest->nodes, nest->count, nest->capacity);
    memmove(nest->nodes + 1, nest->nodes, (size_t)nest->count++ * sizeof *nest->nodes);
    nest->nodes[0] = node;
    plan->placements[node->id].nest = to;
    struct access accesses[3];
    int count = plan_operands(node, accesses);
    for (int k = 0; k < count; k++) {
        const struct placement *p = &plan->placements[accesses[k].source->id];
        if (p->group == group && p->nest == from && sinker->readers[accesses[k].source->id] == 1)
            move(sinker, accesses[k].source, group, from, to);
    }
}

/* Is the node read by nest `to` alone, element by element in the loop that it is computed in? */
static bool fits(const struct sinker *sinker, const struct node *node, int group, int from, int to) {
    const struct nest *nests = sinker->plan->groups[group].nests;
    if (to <= from || nests[to].kind != NEST_LOOP || nests[from].kind != NEST_LOOP ||
        nests[to].size != nests[from].size || nests[to].loop != nests[from].loop ||
        nests[to].element != nests[from].element || nests[to].count + nests[from].count > NEST_NODES)
        return false;
    for (int i = 0; i < nests[to].count; i++) {
        struct access accesses[3];
        int count = plan_operands(nests[to].nodes[i], accesses);
        for (int k = 0; k < count; k++)
            if (accesses[k].source == node && !accesses[k].identity)
                return false;
    }
    return true;
}

void plan_drop_empty(struct plan *plan) {
    for (int g = 0; g < plan->group_count; g++) {
        struct group *group = &plan->groups[g];
        int kept = 0;
        for (int n = 0; n < group->nest_count; n++) {
            if (group->nests[n].count == 0)
                continue;
            group->nests[kept] = group->nests[n];
            for (int i = 0; i < group->nests[kept].count; i++)
                plan->placements[group->nests[kept].nodes[i]->id].nest = kept;
            kept++;
        }
        group->nest_count = kept;
    }
}

void plan_sink(struct plan *plan) {
    size_t count = (size_t)plan->graph.count;
    struct sinker sinker = {.plan = plan,
                            .readers = arena_array(plan->arena, int, count),
                            .reader_group = arena_array(plan->arena, int, count),
                            .reader_nest = arena_array(plan->arena, int, count)};
    find_readers(&sinker);
    for (int id = plan->graph.count - 1; id >= 0; id--) {
        struct node *node = plan->graph.nodes[id];
        const struct placement *p = &plan->placements[id];
        if (p->group < 0 || !plan->groups[p->group].rows || p->sweep || !sinker.readers[id] ||
            sinker.reader_group[id] != p->group || sinker.reader_nest[id] < 0)
            continue;
        int from = p->nest, to = sinker.reader_nest[id];
        if (fits(&sinker, node, p->group, from, to) && can_move(&sinker, node, p->group, from, to))
            move(&sinker, node, p->group, from, to);
    }
    plan_drop_empty(plan);
}
