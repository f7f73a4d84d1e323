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
#define nn_where nn_wheref
#define nn_maximum nn_maximumf
#define nn_minimum nn_minimumf
#define nn_exp nn_expf
#define nn_log nn_logf
#define nn_tanh nn_tanhf
#define nn_sigmoid nn_sigmoidf
#define nn_softplus nn_softplusf
#define nn_sin nn_sinf
#define nn_cos nn_cosf
#define nn_pow nn_powf
#define nn_sum_lanes nn_sum_lanesf
#define nn_max_lanes nn_max_lanesf
#define nn_min_lanes nn_min_lanesf
#define nn_matmul_rows nn_matmul_rowsf
#define nn_matmul_planes nn_matmul_planesf
#define nn_matmul_lanes nn_matmul_lanesf
#define nn_matmul_chain nn_matmul_chainf
#define nn_matmul_once nn_matmul_oncef
#include "kernels/kernels_real.h"

const struct kernels KERNELS = {KERNELS_TITLE, NN_FUSED, &table_f32, &table_f64, nn_normal, nn_spiral};
