/* The plan in text: nest by nest, and in words. */
#include "graph/operator.h"
#include "plan/plan.h"

#include <string.h>

static const char *label(const struct plan *plan, const struct node *node) {
    if (node->code == OPERATOR_assign)
        return text_format(plan->arena, "update of %s", node->inputs[0]->name ? node->inputs[0]->name : "?");
    if (node->name)
        return node->name;
    if (node->forward && node->forward->name)
        return text_format(plan->arena, "%s (from d %s)", operators[node->code].name, node->forward->name);
    if (node->home)
        return text_format(plan->arena, "%s (%s%s)", operators[node->code].name,
                           node->forward ? "backward of " : "in ", node->home);
    return operators[node->code].name;
}

static const char *place_text(const struct plan *plan, const struct node *node) {
    const struct placement *p = plan_placement(plan, node);
    if (p->again)
        return "computed where it is read";
    if (p->local)
        return "in a register";
    if (node->code == OPERATOR_loop_next)
        return "in the state's memory";
    if (p->place == PLACE_TILE)
        return text_format(plan->arena, "planes %lld..%lld of the tile", (long long)p->offset,
                           (long long)(p->offset + shape_inner_size(&node->type.shape) - 1));
    if (p->place == PLACE_KEPT)
        return "kept for all rows";
    if (p->sweep && p->lanes >= 0)
        return text_format(plan->arena, "summed in lanes at %lld, result at %lld", (long long)p->lanes,
                           (long long)p->offset);
    if (p->sweep)
        return text_format(plan->arena, "summed row after row at %lld", (long long)p->offset);
    if (p->place == PLACE_ONCE)
        return text_format(plan->arena, "at %lld", (long long)p->offset);
    return "in the weight's own memory";
}

static void print_nest(const struct plan *plan, const struct nest *nest, int number, struct text *out) {
    static const char *const kinds[] = {"loop", "unrolled", "blocks", "kernel"};
    text_print(out, "  nest %d: %s of %lld, %s\n", number, kinds[nest->kind], (long long)nest->size,
               element_name(nest->element));
    for (int i = 0; i < nest->count; i++) {
        const struct node *node = nest->nodes[i];
        text_print(out, "    %%%d %s = %s(", node->id, label(plan, node), operators[node->code].name);
        for (int k = 0; k < node->input_count; k++)
            text_print(out, "%s%%%d", k ? ", " : "", node->inputs[k]->id);
        text_print(out, ") : %s; %s\n", type_text(out->arena, &node->type, plan->graph.batch_name),
                   place_text(plan, node));
    }
}

/* Where a loop begins or ends before nest n. */
static void print_loop(const struct plan *plan, const struct group *group, int n, struct text *out) {
    int before = n ? group->nests[n - 1].loop : 0, loop = group->nests[n].loop;
    if (loop == before)
        return;
    if (loop)
        text_print(out, "  %lld times, %s:\n", (long long)graph_loop(&plan->graph, loop)->steps,
                   graph_loop(&plan->graph, loop)->backwards ? "from the last step to the first"
                                                             : "from the first step to the last");
    else
        text_print(out, "  after that:\n");
}

void plan_print(const struct plan *plan, struct text *out) {
    text_print(out, "tile of %d rows\n", plan->tile);
    for (int g = 0; g < plan->group_count; g++) {
        const struct group *group = &plan->groups[g];
        if (!group->nest_count)
            continue;
        text_print(out, "group %d, %s\n", g, group->rows ? "for every tile of rows" : "once");
        for (int i = 0; i < group->input_count; i++)
            text_print(out, "  load %%%d %s\n", group->inputs[i]->id, group->inputs[i]->name);
        for (int n = 0; n < group->nest_count; n++) {
            print_loop(plan, group, n, out);
            print_nest(plan, &group->nests[n], n, out);
        }
    }
}

static void explain_nest(const struct plan *plan, const struct nest *nest, bool rows, int number,
                         struct text *out) {
    text_print(out, "  %d. ", number);
    for (int i = 0; i < nest->count; i++)
        text_print(out, "%s%s", i ? ", " : "", label(plan, nest->nodes[i]));
    if (nest->kind == NEST_KERNEL)
        text_print(out, ": by a kernel of its own\n");
    else if (nest->count > 1)
        text_print(out, ": fused in one loop%s\n", rows ? " over elements and rows" : "");
    else
        text_print(out, "\n");
}

static void explain_sharing(const struct plan *plan, struct text *out) {
    int64_t needed[3] = {0};
    for (int id = 0; id < plan->graph.count; id++) {
        const struct placement *p = &plan->placements[id];
        const struct node *node = plan->graph.nodes[id];
        if (p->place == PLACE_TILE)
            needed[node->type.element] += shape_inner_size(&node->type.shape);
    }
    for (int e = 0; e < 3; e++)
        if (needed[e])
            text_print(out, "  %lld planes of %s hold what would need %lld if no two values shared memory\n",
                       (long long)plan->tile_planes[e], element_name((enum element)e), (long long)needed[e]);
}

void plan_explain(const struct plan *plan, struct text *out) {
    text_print(out, "  %d rows are worked on at a time; a value is a plane of %d numbers for each element\n",
               plan->tile, plan->tile);
    for (int g = 0; g < plan->group_count; g++) {
        const struct group *group = &plan->groups[g];
        if (!group->nest_count)
            continue;
        text_print(out, "%s:\n", group->rows ? "for every tile of rows" : g ? "then, once" : "first, once");
        for (int n = 0; n < group->nest_count; n++) {
            print_loop(plan, group, n, out);
            explain_nest(plan, &group->nests[n], group->rows, n + 1, out);
        }
    }
    text_print(out, "memory:\n");
    explain_sharing(plan, out);
}
