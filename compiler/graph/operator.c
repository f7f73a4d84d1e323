#include "graph/operator.h"

#include <math.h>
#include <string.h>

#define NN_FUSED 0 /* constants fold in the plain mode, whatever mode the model runs in */
#include "kernels/math.h"

enum { CALL = true, SIGN = false };

const struct operator_info operators[OPERATOR_COUNT] = {
#define ELEMENTWISE(name, arity, callable, maths, ...) \
    [OPERATOR_##                                       \
        name] = {#name, KIND_ELEMENTWISE, arity, callable, #maths, 0, shape_elementwise, gradient_##name},
#include "graph/elementwise.def"
#undef ELEMENTWISE
#define STRUCTURAL(name, kind, shape, gradient) \
    [OPERATOR_##name] = {#name, KIND_##kind, -1, false, NULL, 0, shape, gradient},
#include "graph/structural.def"
#undef STRUCTURAL
#define FOLD(name, step, start, gradient) \
    [OPERATOR_##name] = {#name, KIND_FOLD, -1, false, #step, start, shape_fold, gradient},
#include "graph/folds.def"
#undef FOLD
};

#define nn_sqrt sqrt
#define nn_fabs fabs
typedef double real;

#define ELEMENTWISE(name, arity, callable, maths, ...)        \
    static double fold_##name(double a, double b, double c) { \
        (void)a, (void)b, (void)c;                            \
        return maths;                                         \
    }
#include "graph/elementwise.def"
#undef ELEMENTWISE

double operator_fold(enum operator_code code, double a, double b, double c) {
    typedef double fold(double, double, double);
    static fold *const folds[] = {
#define ELEMENTWISE(name, ...) fold_##name,
#include "graph/elementwise.def"
#undef ELEMENTWISE
    };
    return folds[code](a, b, c);
}

enum operator_code operator_named(const char *name) {
    for (int i = 0; i < OPERATOR_COUNT; i++)
        if (operators[i].callable && strcmp(operators[i].name, name) == 0)
            return (enum operator_code)i;
    return OPERATOR_COUNT;
}
