/* What the parts of an emitted file share: its jobs, and the text of its interface. */
#ifndef NN_EMIT_INTERFACE_H
#define NN_EMIT_INTERFACE_H

#include "emit/printer.h"

/* One job of the model and the plan that does it. */
struct job {
    const char *name;
    const struct plan *plan;
};

struct emitter {
    struct printer printer;
    struct job init, train, predict, evaluate;
    int64_t work[3];   /* sizes of the scratch arrays by element type */
    int64_t kept_rows; /* rows that a training step can take; 0: any number */
};

/* Some value waits for a sum over all rows, so that all of them are kept. */
static inline bool keeps_rows(const struct plan *plan) {
    return plan->kept_planes[ELEMENT_F32] || plan->kept_planes[ELEMENT_F64] || plan->kept_planes[ELEMENT_INT];
}

/* Its numbers are 0 .. this - 1; 0: any. */
int64_t column_range(const struct column *column);

/* The types and declarations that a header holds and that stand at the head of the C file. */
void print_interface(struct emitter *emitter, struct text *out);

/* One function's head without what follows it. */
void print_train_signature(struct emitter *emitter, struct text *out);
void print_evaluate_signature(struct emitter *emitter, struct text *out);
void print_predict_signature(struct emitter *emitter, struct text *out);
void print_weight_signature(struct emitter *emitter, struct text *out);

#endif
