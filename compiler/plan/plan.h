/* A plan: in which loops, in which order, and in which memory the nodes of a job are computed.
 *
 * The interpreter runs it and the emitter prints it; neither decides anything that changes a bit of a result.
 *
 * Values without rows (weights, sums over the batch) are computed ONCE; values with rows are computed for a
 * tile of some rows at a time, each element a plane of `tile` numbers, one a row: rows lie in vector lanes.
 * A sweep is a reduction over the batch (a weight's derivative, a mean): it is accumulated by all tiles of
 * its group and finished after the last.
 *
 * Groups come in the order once 0, rows 0, once 1, rows 1, ...: what needs a finished sweep is in a later
 * group. In a group, nodes are fused into nests: a loop over the elements of a value, inside it the rows of
 * the tile, and in that the nodes which share the loop, whose values pass in registers.  Long loops over
 * values a few times apart, as around a pooling, become one over blocks, which hands on a few elements at a
 * time.
 *
 * The nests of a loop stand one behind the other in their group: all of them are run for the first round,
 * then for the second.  Inside, planes may be used again in the next round; a state, a stack and what is read
 * from outside keep theirs from the first round to the last.
 *
 * The order of every reduction is fixed here:
 *   - over an axis of a row: one after the other, from the first;
 *   - a matmul's sum over k: likewise, each product added by fma where the mode is fused;
 *   - without rows, and with few results of many terms that lie side by side: term k is added to lane k mod
 * LANES; then as the next;
 *   - a sweep in lanes: row r is added to lane r mod LANES; the lanes are then added as a tree, lane i to
 * lane i + half;
 *   - a sweep in a chain (large outer products, a table's derivative): row after row;
 *   - a sweep in a loop: the rows of a tile, round after round, then those of the next tile; and so a
 * matmul_sum, its terms in the order of k and the rows of each.
 */
#ifndef NN_PLAN_H
#define NN_PLAN_H

#include "graph/graph.h"
#include "kernels/convolution.h"
#include "passes/lower.h"
#include "plan/access.h"

enum { LANES_F64 = 8, LANES_F32 = 16 };

enum { NEST_NODES = 64 }; /* nodes of one nest: a C function of bounded size, with so many parameters */

static inline int lanes_of(enum element element) {
    return element == ELEMENT_F64 ? LANES_F64 : LANES_F32;
}

enum nest_kind {
    NEST_LOOP,     /* for each of `size` elements, for each row: its nodes */
    NEST_UNROLLED, /* for each row: its nodes, element by element; all are small */
    NEST_BLOCKS,   /* for each of `size` blocks, for each row: its nodes, element by element */
    NEST_KERNEL,   /* one node, done by a kernel of its own */
};

/* The axes of a loop over blocks, from the longest stride on; see blocks.c. */
enum { BLOCK_AXES = 8 };
struct blocks {
    int rank;
    int64_t sizes[BLOCK_AXES];
    bool written[BLOCK_AXES];       /* element by element; else it is a loop */
    int64_t (*strides)[BLOCK_AXES]; /* of each node of the nest; 0: it lacks the axis */
};

/* How a matmul is done; chosen by size alone. */
enum matmul_kind {
    MATMUL_NONE,
    MATMUL_ROWS,  /* the result has rows */
    MATMUL_ONCE,  /* nothing has rows */
    MATMUL_INNER, /* nor here: few results, of many terms that lie side by side, which are summed in lanes */
    MATMUL_LANES, /* the sum is over the batch, in lanes */
    MATMUL_CHAIN, /* the sum is over the batch, row after row */
};

/* lead x m x k times lead x k x n: strides of both operands and of the result, in elements (planes where
 * rows). */
struct matmul {
    enum matmul_kind kind;
    int64_t lead, m, n, k; /* the batch axis counts as 1; k is 1 for a sweep but for a matmul_sum */
    struct access a, b, c; /* a over [lead.., m, k], b over [lead.., k, n], c (affine) over [lead.., m, n] */
};

struct nest {
    enum nest_kind kind;
    enum element element; /* of its nodes: lanes are as many for all */
    int64_t size;
    int loop; /* it is run in each round of that loop; 0: once */
    const struct blocks *blocks;
    struct node **nodes;
    int count, capacity;
};

/* The sums over the batch that a group keeps in lanes lie side by side, and so do their results: all are
 * added up in one call.  Offsets in the arena of values without rows. */
struct lane_sums {
    int64_t count, lanes, results;
};

struct group {
    bool rows;
    struct nest *nests;
    int nest_count, nest_capacity;
    struct node **inputs; /* columns that it reads */
    int input_count;
    struct lane_sums sums[3]; /* by element type */
};

enum place {
    PLACE_NONE, /* a view, a number, a weight: needs no memory of the plan's */
    PLACE_TILE, /* planes of one tile, in the tile arena */
    PLACE_KEPT, /* planes of all tiles: used by a later group of rows */
    PLACE_ONCE, /* in the arena of values without rows */
};

/* What the plan knows of a node, by its id. */
struct placement {
    enum place place;
    int64_t offset;            /* in elements of its type: in planes for PLACE_TILE and PLACE_KEPT */
    int64_t lanes;             /* a sweep in lanes: offset of its lanes in the once arena; else -1 */
    bool summed;               /* it is one of its group's `sums` */
    int group, nest;           /* where it is computed; -1: nowhere */
    int last_group, last_nest; /* where it is last read */
    int index, last_index;     /* the same within its nest */
    bool sweep;
    bool local;  /* read only in its own nest: emitted C keeps it in a register; */
    bool again;  /* or in others, where emitted C computes it again: see again.h, */
    bool unread; /* and nowhere in its own */
};

struct plan {
    struct arena *arena;
    struct graph graph; /* lowered */
    struct node **roots;
    int root_count;
    struct group *groups;
    int group_count;
    struct placement *placements;
    int tile;               /* rows of a tile: a multiple of all lanes, */
    bool whole_tiles;       /* and no tile but the last may have fewer: steps are summed over the batch */
    int64_t tile_planes[3]; /* sizes of the arenas by element type: planes of a tile, */
    int64_t kept_planes[3]; /* planes that are kept for all rows, */
    int64_t once_size[3];   /* and elements */
};

/* Plans the computation of `roots` of `graph` (values to be read, and assignments to be made). */
struct plan *plan_make(const struct graph *graph, struct node *const *roots, int root_count,
                       struct arena *arena);

/* How the plan does this matmul or affine. */
struct matmul plan_matmul(const struct node *node);

/* Can one row of the batch compute node with its numbers one behind the other, as if nothing had rows?  Lanes
 * of rows would stay empty.  Not where rows are summed, random numbers drawn, or rows lie in a kernel's lanes. */
bool plan_suits_one_row(const struct plan *plan, const struct node *node);

/* Is a product of m x k by k x n numbers without rows MATMUL_INNER?  a_k and b_k are the distances of its
 * terms.  A kernel then reads both sides as they lie, where the order of k would turn the columns of one in
 * registers. */
bool plan_is_inner(int64_t m, int64_t n, int64_t k, int64_t a_k, int64_t b_k, enum element element);

/* The accesses of all of a node's operands, as its loops read them; returns how many.  One is the identity
 * where the node's element i reads the operand's element i and no other. */
int plan_operands(const struct node *node, struct access *accesses);

/* Is it one of the three operators of a convolution, and as what its kernel takes it. */
bool plan_is_convolution(const struct node *node);
struct convolution plan_convolution(const struct node *node);

/* An overlap: what its kernel takes, see kernels/convolve.h. */
struct overlap {
    int64_t outer, n, places, size, inside;
};
struct overlap plan_overlap(const struct node *node);

/* The elements that a node computes, all of its result but for a stack, of which it computes one round. */
static inline struct shape plan_iteration(const struct node *node) {
    return node->code == OPERATOR_loop_stack ? node->inputs[0]->type.shape : node->type.shape;
}

/* Reads the operands of a node as its loops do: operand k over the node's own iteration. */
struct access plan_operand(const struct node *node, int k);
/* A fold, and a slice by a loop, reads its operand over [result.., length]: the length and the access. */
struct access plan_fold_operand(const struct node *node, int64_t *length);

/* What a loop's slice reads in the first step: its operand over its own iteration; *turn: elements to the
 * next. */
struct access plan_slice_operand(const struct node *node, int64_t *turn);

static inline const struct placement *plan_placement(const struct plan *plan, const struct node *node) {
    return &plan->placements[node->id];
}

/* In words, for --explain. */
void plan_explain(const struct plan *plan, struct text *out);
/* Nest by nest, for --emit=plan. */
void plan_print(const struct plan *plan, struct text *out);

#endif
