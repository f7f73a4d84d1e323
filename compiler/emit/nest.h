/* One nest on its way to becoming a C function: what the files that print it share.
 *
 *   nest.c         the loops, and the function around them
 *   nest_value.c   one element of one node: indices, operands, maths
 *   nest_sums.c    sums over the batch inside a nest
 *   nest_kernel.c  nests that are a call of a kernel
 *   nest_range.c   arguments proved to be in range
 *
 * A row stands in lane l of the vector that starts at row r; T is the distance between planes.
 */
#ifndef NN_NEST_H
#define NN_NEST_H

#include "emit/printer.h"

struct nest_printer {
    struct printer *printer;
    const struct nest *nest;
    int group, index;
    bool rows; /* of a group of rows, for any number of them; */
    bool one;  /* or for one row, whose numbers lie one behind the other: T is 1 */
    struct text *out;
    const char *indent;      /* of the statements */
    const struct node *node; /* whose value is printed */
    struct node **used;      /* the memory that the function is given: */
    bool *written;           /* by position in used */
    int used_count, used_capacity;
    bool uses_batch_rows, uses_step, uses_turn, uses_first;
    bool sums; /* it holds sweeps */
    const char *
        range; /* the C condition that its functions' arguments are in range: `inside` in it; NULL: unknown */
};

/* Parameters with their types, their names alone, and what a call passes for them. */
struct signature {
    struct text parameters, names, arguments;
};
void nest_add_parameter(struct signature *signature, const char *type, const char *name,
                        const char *argument);
/* The numbers that a row's statements may read beside memory. */
void nest_add_scalars(const struct nest_printer *np, struct signature *signature);
/* All memory, with or without that of the sums in lanes. */
void nest_add_memory(struct nest_printer *np, bool lanes, struct signature *signature);
/* A function of that head. */
void nest_print_body(struct nest_printer *np, const char *head, const struct text *body);

/* The loop over the elements, if it is one. */
bool nest_has_loop(const struct nest_printer *np);
void nest_open_loop(const struct nest_printer *np, struct text *out);
void nest_close_loop(const struct nest_printer *np, struct text *out);

/* Is the node computed in this nest? */
bool nest_holds(const struct nest_printer *np, const struct node *node);
bool nest_is_sweep(const struct nest_printer *np, const struct node *node);
/* The node's C name. */
const char *nest_ident(const struct nest_printer *np, const struct node *node);
/* The function is given the node's memory; `written`: and changes it. */
void nest_use(struct nest_printer *np, struct node *node, bool written);

/* An index into a source: a number when `element` is known (>= 0), else C text over the loop's `u`. */
const char *nest_index(struct nest_printer *np, const struct access *access, int64_t element);
/* What stands for the operand of an element: a register, memory, or a number. */
const char *nest_operand(struct nest_printer *np, const struct access *access, int64_t element);
/* The C variable that holds an element (element >= 0, unrolled) or the loop's element of a node. */
const char *nest_register(struct nest_printer *np, const struct node *node, int64_t element);
/* In a loop over blocks: how many elements of the node a block has. */
int64_t nest_block_size(const struct nest_printer *np, const struct node *node);
/* Prints one element (element >= 0) or the loop's element u of a node's value. */
void nest_print_value(struct nest_printer *np, struct node *node, int64_t element);

/* The row's terms of a sweep. */
void nest_print_sums(struct nest_printer *np, const struct node *node);
/* The functions of a nest with sums, of which `row` are the statements for one row. */
void nest_print_summed(struct nest_printer *np, const char *name, const struct signature *signature,
                       const struct text *row);

void nest_print_kernel(struct nest_printer *np);

/* Where the arguments of all bounded functions of the nest are products of what has known bounds: the C
 * condition, for the place of the call, that they are in range.  Else NULL. */
const char *nest_find_range(struct nest_printer *np);
/* Is the node such a function, in a nest that may have that proof? */
bool nest_is_ranged(const struct nest_printer *np, const struct node *node);

/* Is it a weight times a number?  A prediction of one row computes it where it is read, once. */
bool nest_is_scaled_weight(const struct node *node);

/* The address that a call passes for a node's memory. */
const char *nest_memory(struct nest_printer *np, const struct node *node);

#endif
