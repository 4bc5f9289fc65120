#include "nephele_kernels.h"

nephele_isa nephele_isa_detect(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq")) {
        return __builtin_cpu_supports("avx512vnni") ? NEPHELE_ISA_AVX512_VNNI : NEPHELE_ISA_AVX512;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return NEPHELE_ISA_AVX2;
    return NEPHELE_ISA_SCALAR;
#elif defined(__aarch64__)
    return NEPHELE_ISA_NEON;
#else
    return NEPHELE_ISA_SCALAR;
#endif
}
