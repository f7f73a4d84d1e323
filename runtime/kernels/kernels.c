/* All kernels for one instruction set and mode: the build compiles this file once for each, with KERNELS the
 * name of the set and KERNELS_TITLE how --version calls it.  Contraction is off (-ffp-contract=off): every
 * fma is written. */
#include "kernels/kernels.h"

#include <math.h>
#include <string.h>

#include "kernels/math.h"
#include "kernels/random.h"

#define real double
#define LANES 8
#define NAME(x) x##_f64
#define nn_sqrt sqrt
#define nn_fabs fabs
#include "kernels/kernels_real.h"
#undef real
#undef LANES
#undef NAME
#undef nn_sqrt
#undef nn_fabs

#define real float
#define LANES 16
#define NAME(x) x##_f32
#define nn_sqrt sqrtf
#define nn_fabs fabsf
#undef nn_fma
#define nn_fma nn_fmaf
#include "kernels/float_names.h"
#include "kernels/kernels_real.h"

const struct kernels KERNELS = {KERNELS_TITLE, NN_FUSED, &table_f32, &table_f64, nn_normal, nn_spiral};
