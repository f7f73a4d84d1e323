/* What the interpreter's files share: an instruction is a node, what to call for it, and where its operands
 * lie.
 *
 * Addresses are worked out when the distance between planes changes, not when an instruction runs: batches of
 * one size, all but the last of an epoch, find them ready.
 */
#ifndef NN_INSTRUCTION_H
#define NN_INSTRUCTION_H

#include "interpreter.h"

/* Where one operand, or the result, lies. */
struct operand {
    enum { AT_FIXED, AT_TILE, AT_KEPT } at;
    enum element element;
    char *base;     /* fixed: the elements */
    int64_t offset; /* tile, kept: planes before it in the arena */
    int64_t planes; /* kept: planes of one tile */
    bool rows, uniform, identity;
    bool in_order;  /* all elements of the iteration lie one behind the other: the whole, or a slice of it */
    int64_t *index; /* element of the source for each element of the iteration; NULL: in order or uniform */
    int64_t first;  /* uniform: that element */

    /* worked out for the stride at hand, in bytes: element 0 of tile 0, and how far it is to the next element
     * and to the next tile */
    char *start;
    int64_t element_step, tile_step;
};

/* A small product as its kernel is called, see small.h: x times w where the result has rows, else x and w
 * summed over the batch. */
struct product {
    const char *x, *w, *c;
    long n, depth, x_step, w_k, w_step, c_step;
    bool c_rows;
};

struct instruction {
    /* An element-wise one, or a fold, is a call of its kernel; `run` is for the others, and for tiles in
     * which operands lie elsewhere.  What a run reads comes first: the rest of an instruction is not needed
     * in the cache. */
    void (*run)(struct interpreter *interpreter, const struct instruction *instruction); /* NULL: `kernel` */
    elementwise_kernel *kernel;
    long kernel_count, kernel_rows;
    char *y;                 /* the result in tile 0 */
    struct planes planes[3]; /* the operands as kernels read them, in tile 0 */
    bool kept;               /* an operand or the result lies elsewhere in each tile */
    bool flat;   /* element-wise: all operands lie in the order of the result, or are one number */
    bool small;  /* a matmul for the kernels of small.h, */
    bool single; /* all of it in one call */
    struct product product;
    void *lanes; /* sweeps */
    const struct node *node;
    const struct real_kernels *kernels;
    size_t size;    /* of an element of the operands */
    int64_t count;  /* elements of the result */
    int64_t length; /* folds */
    int operand_count;
    struct operand operands[3], result;
    const struct loop *loop; /* it is run in each of its rounds; NULL: once */
    int stretch;  /* so many instructions from here on are run together: of that loop, or of none */
    int64_t turn; /* loop_slice, loop_stack: elements from one step to the next */
    struct matmul matmul;
    struct convolution convolution;
};

/* A column of the caller's rows, which become planes. */
struct column_load {
    int index; /* among the batch's columns */
    enum element element;
    int64_t inner; /* elements of a row */
    size_t size;   /* of one */
    const struct real_kernels *kernels;
    int64_t offset; /* planes before it in the tile's memory */
};

/* The sums in lanes of one element type, which are begun and finished all at once. */
struct sums {
    long count;
    size_t lanes_size; /* in bytes */
    char *lanes, *results;
    tree_kernel *tree;
};

/* The instructions of a group, in order; those of them that are sweeps, but for sums in lanes; and what comes
 * before and after them. */
struct sequence {
    struct instruction *instructions;
    int count;
    struct instruction **sweeps;
    int sweep_count;
    struct column_load *loads;
    int load_count;
    struct sums sums[2];
    int sums_count;
};

/* A value that the caller may ask for. */
struct root {
    const struct node *node;
    int number, group; /* among the plan's roots; the group that computes it */
    bool rows;
    int64_t count; /* elements */
    size_t size;   /* of one */
    struct operand operand;
};

struct interpreter {
    const struct plan *plan;
    bool suits_one_row;          /* batches of one row are run by */
    struct interpreter *one_row; /* another, made when the first comes, */
    bool one; /* of which this is one: a row's numbers lie one behind the other, and nothing has rows */
    const struct kernels *kernels;
    struct threads *threads; /* NULL: the caller's alone */
    struct arena *arena;
    void *const *weights;
    char *tile_memory[3], *once_memory[3], *kept_memory[3];
    int64_t kept_rows;           /* room of kept_memory */
    struct sequence *groups;     /* by group of the plan */
    double *rows_f64, *step_f64; /* leaves that change with the batch */
    float *rows_f32, *step_f32;
    struct root *roots; /* that are no assignments */
    int root_count;
    char *spread[2]; /* a plane that holds one number for all rows */
    const struct batch *batch;
    int64_t placed_rows; /* of the batch that addresses were last worked out for */
    int64_t stride;      /* between planes, in rows: those of a tile, padding included */
    int64_t tile;        /* the number of the tile at hand, */
    int64_t from;        /* its first row */
    int64_t rows;        /* and its rows */
    bool begins;         /* the first tile, and of a loop the first round: nothing was summed yet, */
    int64_t step;        /* and the step along the loop's axis */
    struct nonfinite found;
    bool searching;
};

/* ---- addresses ---- */

static inline char *plane_of(const struct interpreter *in, const struct operand *o, int64_t element) {
    return o->start + in->tile * o->tile_step + element * o->element_step;
}

/* The source's element for the iteration's element i. */
static inline int64_t source_of(const struct operand *o, int64_t i) {
    return o->uniform ? o->first : o->index ? o->index[i] : i;
}

static inline char *operand_at(const struct interpreter *in, const struct operand *o, int64_t i) {
    return plane_of(in, o, source_of(o, i));
}

/* The operands as kernels read them; `room` is for those of a later tile. */
static inline const struct planes *planes_of(const struct interpreter *in, const struct instruction *i,
                                             struct planes room[3]) {
    if (!i->kept || in->tile == 0)
        return i->planes;
    for (int k = 0; k < i->operand_count; k++) {
        room[k] = i->planes[k];
        room[k].at += in->tile * i->operands[k].tile_step;
    }
    return room;
}

/* Products from which on waking a thread is worth it. */
enum { LARGE = 1 << 20 };

/* Rows of a result in the tile's memory. */
static inline int64_t width_of(const struct interpreter *in, const struct operand *o) {
    return o->rows ? in->stride : 1;
}

/* One number for n rows. */
static inline void fill(const struct real_kernels *kernels, int64_t n, void *y, const void *number) {
    kernels->elementwise[OPERATOR_copy](1, n, y, &(struct planes){.at = number, .scalar = true});
}

/* What node an instruction runs, by subject: each sets `run` and the operands.  interpreter.c. */
struct operand place_operand(struct interpreter *interpreter, const struct access *access);
struct access whole(struct node *node);
/* Operands that lie in whole planes, as lower() leaves them. */
void place_whole(struct interpreter *interpreter, struct instruction *i);

/* instruction_elements.c: element by element; numbers that are moved, drawn or assigned. */
void choose_elementwise(struct interpreter *interpreter, struct instruction *i);
/* Which of its kernels the operands and the rows at hand allow. */
void locate_elementwise(struct instruction *i);
void choose_convert(struct interpreter *interpreter, struct instruction *i);
void choose_pad(struct interpreter *interpreter, struct instruction *i);
void choose_random(struct interpreter *interpreter, struct instruction *i);
void choose_assign(struct interpreter *interpreter, struct instruction *i);
void choose_moving(struct interpreter *interpreter, struct instruction *i);

/* instruction_loops.c: what enters a loop and what leaves it. */
void choose_loop(struct interpreter *interpreter, struct instruction *i);

/* instruction_convolutions.c */
void choose_convolution(struct interpreter *interpreter, struct instruction *i);

/* instruction_sums.c: folds and matrix products. */
void choose_fold(struct interpreter *interpreter, struct instruction *i);
void choose_matmul(struct interpreter *interpreter, struct instruction *i);
/* Which kernel a matmul calls for the rows at hand, and with what. */
void locate_matmul(const struct interpreter *in, struct instruction *i);

#endif
