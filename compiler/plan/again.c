/* Marks cheap values that emitted C computes again wherever it reads them.
 *
 * A rectifier behind a convolution is read by a pooling and by its derivative, and would cost a pass over all
 * its planes and the memory for them.  Its only operand is in memory as well; to read that and to take the
 * maximum takes no longer than to read the result.
 */
#include "plan/again.h"
#include "graph/operator.h"

#include <string.h>

/* The readers of a node. */
struct readers {
    bool inside, outside; /* of its nest; */
    bool refuse;          /* one of those outside cannot compute it again */
};

/* The operand with rows of a node that is one cheap operation on it and on numbers; NULL if it is none. */
static struct node *only_operand(const struct node *node) {
    const bool extreme = node->code == OPERATOR_maximum || node->code == OPERATOR_minimum;
    if (operators[node->code].kind != KIND_ELEMENTWISE || node->loop ||
        (strstr(operators[node->code].maths, "nn_") && !extreme))
        return NULL;
    struct node *only = NULL;
    for (int k = 0; k < operand_count(node); k++) {
        const struct access access = plan_operand(node, k);
        if (access.source->code == OPERATOR_constant)
            continue;
        if (only || !access.identity || !access.rows)
            return NULL;
        only = access.source;
    }
    return only;
}

/* Does the reader read no more elements than there are?  A product reads each many times, a kernel only what
 * is in memory. */
static bool reads_once(const struct nest *nest, const struct node *reader, const struct node *node) {
    const struct shape iteration = plan_iteration(reader);
    int64_t length = 1;
    if (nest->kind == NEST_KERNEL || nest->loop || nest->element != node->type.element)
        return false;
    if (is_fold(reader))
        plan_fold_operand(reader, &length);
    else if (operators[reader->code].kind != KIND_ELEMENTWISE)
        return false;
    return shape_inner_size(&iteration) * length <= shape_inner_size(&node->type.shape);
}

static void find_readers(const struct plan *plan, struct readers *readers) {
    for (int g = 0; g < plan->group_count; g++)
        for (int n = 0; n < plan->groups[g].nest_count; n++)
            for (int i = 0; i < plan->groups[g].nests[n].count; i++) {
                const struct node *reader = plan->groups[g].nests[n].nodes[i];
                struct access accesses[3];
                const int count = plan_operands(reader, accesses);
                for (int k = 0; k < count; k++) {
                    const struct node *source = accesses[k].source;
                    const struct placement *p = &plan->placements[source->id];
                    const bool inside = p->group == g && p->nest == n;
                    struct readers *of = &readers[source->id];
                    of->inside = of->inside || inside;
                    of->outside = of->outside || !inside;
                    of->refuse = of->refuse ||
                                 (!inside &&
                                  (p->group != g || !reads_once(&plan->groups[g].nests[n], reader, source)));
                }
            }
    for (int i = 0; i < plan->root_count; i++)
        readers[access_of(plan->roots[i], &plan->roots[i]->type.shape).source->id].refuse = true;
}

void plan_again(struct plan *plan) {
    struct readers *readers = arena_array(plan->arena, struct readers, (size_t)plan->graph.count);
    find_readers(plan, readers);
    for (int id = 0; id < plan->graph.count; id++) {
        struct placement *p = &plan->placements[id];
        if (p->group < 0 || !plan->groups[p->group].rows || p->sweep || !readers[id].outside ||
            readers[id].refuse)
            continue;
        const struct node *operand = only_operand(plan->graph.nodes[id]);
        if (!operand)
            continue;
        const struct placement *from = &plan->placements[operand->id];
        const bool kept =
            operand->code == OPERATOR_input || (from->group == p->group && readers[operand->id].outside);
        p->again = kept && !from->again && !from->sweep;
        p->unread = p->again && !readers[id].inside;
    }
}
