#include "simd.h"

float nephele_max_f32(const float *x, nephele_index count) {
    float max = -__builtin_inff();
    for (nephele_index i = 0; i < count; i++)
        max = x[i] > max ? x[i] : max;
    return max;
}

static float sum_exp_scalar(const float *x, nephele_index count, float shift) {
    float lane[16] = {0};
    for (nephele_index i = 0; i < count; i++)
        lane[i % 16] += scalar_exp(x[i] - shift);
    return fold_lanes(lane);
}

NEPHELE_INLINE float sum_exp_simd(const float *x, nephele_index count, float shift) {
    f32x16 sum = splat16(0);
    nephele_index i = 0;
    for (; i + 16 <= count; i += 16)
        sum += exp16(load16(x + i) - splat16(shift));
    float lane[16];
    store16(lane, sum);
    for (; i < count; i++)
        lane[i % 16] += scalar_exp(x[i] - shift);
    return fold_lanes(lane);
}

#if defined(__x86_64__)
NEPHELE_TARGET_AVX2 static float sum_exp_avx2(const float *x, nephele_index count, float shift) {
    return sum_exp_simd(x, count, shift);
}
NEPHELE_TARGET_AVX512 static float sum_exp_avx512(const float *x, nephele_index count, float shift) {
    return sum_exp_simd(x, count, shift);
}
#endif

float nephele_sum_exp_f32(nephele_isa isa, const float *x, nephele_index count, float shift) {
    switch (isa) {
#if defined(__x86_64__)
    case NEPHELE_ISA_AVX512_VNNI:
    case NEPHELE_ISA_AVX512:
        return sum_exp_avx512(x, count, shift);
    case NEPHELE_ISA_AVX2:
        return sum_exp_avx2(x, count, shift);
#elif defined(__aarch64__)
    case NEPHELE_ISA_NEON:
        return sum_exp_simd(x, count, shift);
#endif
    default:
        return sum_exp_scalar(x, count, shift);
    }
}

float nephele_log_sum_exp_f32(nephele_isa isa, const float *x, nephele_index count) {
    float max = nephele_max_f32(x, count);
    if (max == -__builtin_inff() || max == __builtin_inff())
        return max;
    return max + logf(nephele_sum_exp_f32(isa, x, count, max));
}

float nephele_exp(float x) {
    return scalar_exp(x);
}
