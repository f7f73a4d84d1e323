#include "plan/memory.h"
#include "graph/operator.h"
#include "plan/pool.h"

enum {
    TILE_BYTES = 80 << 10,           /* what a tile's planes should fit in: a loop reads some, which fit in L1; */
    TILE_BYTES_CONVOLVED = 48 << 10, /* a convolution reads most of them, */
    TILE_BYTES_MOST = 20 << 20,      /* and a large product reads weights */
    TILE_ROWS_MAX = 288,             /* no power of two: planes would meet in the same lines of L1; */
    TILE_ROWS_LOOPS = 192,           /* of loops alone: more gain nothing */
    TILE_ROWS_MIN = 32,
};

/* Lives are from place to place on a line, on which each nest of the plan has a stretch of NEST_PLACES, and
 * the end of each group a spare one for what is finished or stored there.  A loop over blocks has many values
 * in registers.  They need memory in the interpreter alone, which goes from node to node: each node has a
 * place of its nest's stretch. */
enum { NEST_PLACES = NEST_NODES + 2 };
struct placing {
    struct plan *plan;
    const struct stretch *stretches;
    int64_t *group_start; /* on the line */
    struct pool tiles[3], once[3];
};

static int64_t on_line(const struct placing *placing, int group, int nest) {
    return (placing->group_start[group] + nest) * NEST_PLACES;
}

static bool is_register(const struct plan *plan, const struct placement *p) {
    return p->local && !p->again && plan->groups[p->group].nests[p->nest].kind == NEST_BLOCKS;
}

static struct interval life_of(const struct placing *placing, const struct node *node) {
    const struct placement *p = &placing->plan->placements[node->id];
    struct interval life = {.start = on_line(placing, p->group, p->nest),
                            .end = on_line(placing, p->last_group, p->last_nest + 1) - 1};
    if (is_register(placing->plan, p)) {
        life.end = life.start + 1 + p->last_index;
        life.start += 1 + p->index;
    }
    if (p->sweep) { /* written by all tiles: from the start of its group to its end at least */
        life.start = on_line(placing, p->group, 0);
        const int64_t finish = on_line(placing, p->group + 1, 0) - 1; /* the spare place */
        life.end = life.end < finish ? finish : life.end;
    }
    if (node->code == OPERATOR_loop_stack) /* a round of it after the other */
        life.start = on_line(placing, p->group, placing->stretches[node->attributes.loop].first);
    return life;
}

static int64_t padded(int64_t size) {
    return (size + 15) / 16 * 16; /* 64 bytes of f32: every buffer starts at a vector */
}

static bool is_in_lanes(const struct node *node) {
    return is_fold(node) || plan_is_convolution(node) ||
           (is_matmul(node) && plan_matmul(node).kind == MATMUL_LANES);
}

static enum place place_of(const struct plan *plan, const struct node *node) {
    const struct placement *p = &plan->placements[node->id];
    if (node->code == OPERATOR_assign || node->code == OPERATOR_loop_next)
        return PLACE_NONE;
    if (has_rows(node))
        return p->last_group > p->group ? PLACE_KEPT : PLACE_TILE;
    return PLACE_ONCE;
}

static void place_value(struct placing *placing, const struct node *node) {
    struct plan *plan = placing->plan;
    struct placement *p = &plan->placements[node->id];
    enum element element = node->type.element;
    struct interval life = life_of(placing, node);
    life.offset = &p->offset;
    life.size = shape_inner_size(&node->type.shape);
    p->place = place_of(plan, node);
    if (p->place == PLACE_TILE)
        p->offset = pool_place(plan->arena, &placing->tiles[element], life);
    else if (p->place == PLACE_KEPT) {
        p->offset = plan->kept_planes[element];
        plan->kept_planes[element] += life.size;
    } else if (p->place == PLACE_ONCE) {
        int64_t size = life.size;
        life.size = padded(size);
        p->offset = pool_place(plan->arena, &placing->once[element], life);
        if (p->sweep && is_in_lanes(node)) {
            life.offset = &p->lanes;
            life.end = on_line(placing, p->group + 1, 0) - 1; /* then they are added */
            life.size = size * lanes_of(element);
            p->lanes = pool_place(plan->arena, &placing->once[element], life);
        }
    }
}

/* Those of a group's sweeps that are sums in lanes, until their last reader: side by side. */
static void place_sums(struct placing *placing, struct group *group, int g) {
    struct plan *plan = placing->plan;
    int64_t last[3] = {0};
    for (int n = 0; n < group->nest_count; n++)
        for (int i = 0; i < group->nests[n].count; i++) {
            const struct node *node = group->nests[n].nodes[i];
            struct placement *p = &plan->placements[node->id];
            const enum element element = node->type.element;
            struct lane_sums *sums = &group->sums[element];
            if (!p->sweep || !is_in_lanes(node) || (is_fold(node) && node->code != OPERATOR_sum))
                continue;
            const struct interval life = life_of(placing, node);
            last[element] = life.end > last[element] ? life.end : last[element];
            p->place = PLACE_ONCE;
            p->summed = true;
            p->offset = sums->count; /* and, in the end, where the first is */
            p->lanes = sums->count * lanes_of(element);
            sums->count += shape_inner_size(&node->type.shape);
        }
    for (int e = 0; e < 3; e++) {
        struct lane_sums *sums = &group->sums[e];
        struct interval results = {.start = on_line(placing, g, 0), .end = last[e], .offset = &sums->results},
                        lanes = {.start = on_line(placing, g, 0), .offset = &sums->lanes};
        if (sums->count == 0)
            continue;
        results.size = padded(sums->count);
        sums->results = pool_place(plan->arena, &placing->once[e], results);
        lanes.end = on_line(placing, g + 1, 0) - 1; /* then they are added */
        lanes.size = sums->count * lanes_of((enum element)e);
        sums->lanes = pool_place(plan->arena, &placing->once[e], lanes);
    }
}

static void settle_sums(struct plan *plan) {
    for (int id = 0; id < plan->graph.count; id++) {
        struct placement *p = &plan->placements[id];
        if (!p->summed)
            continue;
        const struct lane_sums *sums = &plan->groups[p->group].sums[plan->graph.nodes[id]->type.element];
        p->offset += sums->results;
        p->lanes += sums->lanes;
    }
}

/* Inputs are loaded anew for each group that reads them, before its first nest. */
static void place_inputs(struct placing *placing, int g) {
    struct plan *plan = placing->plan;
    for (int i = 0; i < plan->groups[g].input_count; i++) {
        struct node *node = plan->groups[g].inputs[i];
        struct placement *p = &plan->placements[node->id];
        if (p->place == PLACE_TILE)
            continue; /* the same place in every group */
        p->place = PLACE_TILE;
        struct interval life = {.start = on_line(placing, g, 0),
                                .end = on_line(placing, p->last_group, p->last_nest + 1) - 1,
                                .size = shape_inner_size(&node->type.shape),
                                .offset = &p->offset};
        p->offset = pool_place(plan->arena, &placing->tiles[node->type.element], life);
    }
}

enum kind_of_life { SWEEPS, STACKS, OTHERS, REGISTERS };

/* Places those of a kind that nests first to last of a group compute. */
static void place_values(struct placing *placing, int g, int first, int last, enum kind_of_life which) {
    const struct plan *plan = placing->plan;
    for (int n = first; n <= last; n++)
        for (int i = 0; i < plan->groups[g].nests[n].count; i++) {
            const struct node *node = plan->groups[g].nests[n].nodes[i];
            const struct placement *p = &plan->placements[node->id];
            enum kind_of_life kind = p->sweep                            ? SWEEPS
                                     : node->code == OPERATOR_loop_stack ? STACKS
                                     : is_register(plan, p)              ? REGISTERS
                                                                         : OTHERS;
            if (kind == which && !p->summed)
                place_value(placing, node);
        }
}

/* In the order in which lives begin: sweeps do with their group, and stacks with their loop. */
static void place_group(struct placing *placing, int g) {
    struct group *group = &placing->plan->groups[g];
    place_inputs(placing, g);
    place_sums(placing, group, g);
    place_values(placing, g, 0, group->nest_count - 1, SWEEPS);
    for (int n = 0; n < group->nest_count; n++) {
        const struct stretch *loop = &placing->stretches[group->nests[n].loop];
        if (group->nests[n].loop && n == loop->first)
            place_values(placing, g, n, loop->last, STACKS);
        place_values(placing, g, n, n, OTHERS);
        place_values(placing, g, n, n, REGISTERS);
    }
}

/* ---- tiles ---- */

/* So many rows that they fill so many bytes, and at most `most`. */
static int rows_in(int64_t bytes, int64_t row_bytes, int64_t most) {
    int64_t rows = bytes / row_bytes / TILE_ROWS_MIN * TILE_ROWS_MIN;
    return (int)(rows < TILE_ROWS_MIN ? TILE_ROWS_MIN : rows > most ? most : rows);
}

/* A large product wants its weights read for as many rows as possible.  But a convolution has many planes and
 * few weights: it wants its planes in a cache. */
static int tile_of(const struct plan *plan) {
    int64_t row_bytes = 1;
    bool has_product = false;
    for (int e = 0; e < 3; e++)
        row_bytes += plan->tile_planes[e] * (int64_t)element_size((enum element)e);
    for (int g = 0; g < plan->group_count; g++)
        for (int n = 0; n < plan->groups[g].nest_count; n++) {
            const struct nest *nest = &plan->groups[g].nests[n];
            const struct node *node = nest->nodes[0];
            if (plan_is_convolution(node))
                return rows_in(TILE_BYTES_CONVOLVED, row_bytes, TILE_ROWS_MAX);
            has_product = has_product || (plan->groups[g].rows && nest->kind == NEST_KERNEL &&
                                          (is_matmul(node) || is_fold(node)));
        }
    return has_product ? rows_in(TILE_BYTES_MOST, row_bytes, TILE_ROWS_MAX)
                       : rows_in(TILE_BYTES, row_bytes, TILE_ROWS_LOOPS);
}

void plan_memory(struct plan *plan, const struct stretch *stretches) {
    struct placing placing = {.plan = plan, .stretches = stretches};
    placing.group_start = arena_array(plan->arena, int64_t, (size_t)plan->group_count + 1);
    for (int g = 0; g < plan->group_count; g++)
        placing.group_start[g + 1] = placing.group_start[g] + plan->groups[g].nest_count + 1;
    for (int g = 0; g < plan->group_count; g++)
        place_group(&placing, g);
    for (int e = 0; e < 3; e++) {
        pool_tighten(plan->arena, &placing.tiles[e]);
        pool_tighten(plan->arena, &placing.once[e]);
        plan->tile_planes[e] = placing.tiles[e].size;
        plan->once_size[e] = placing.once[e].size;
    }
    settle_sums(plan);
    plan->tile = tile_of(plan);
}
