/* Which kernels this processor can run. */
#include "kernels/kernels.h"

#include <stdlib.h>
#include <string.h>

extern const struct kernels kernels_baseline;
#if defined NN_X86
extern const struct kernels kernels_avx2, kernels_avx2_fma, kernels_avx512, kernels_avx512_fma;
#else
extern const struct kernels kernels_baseline_fma;
#endif

const struct kernels *kernels_choose(bool fused) {
#if defined NN_X86
    bool fma = __builtin_cpu_supports("fma") && __builtin_cpu_supports("avx2");
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        return fused ? &kernels_avx512_fma : &kernels_avx512;
    if (fused)
        return fma ? &kernels_avx2_fma : NULL;
    return __builtin_cpu_supports("avx2") ? &kernels_avx2 : &kernels_baseline;
#else
    return fused ? &kernels_baseline_fma : &kernels_baseline;
#endif
}
