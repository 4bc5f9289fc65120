#include "simd.h"

static float max_scalar(const float *x, nephele_index count) {
    float max = -__builtin_inff();
    for (nephele_index i = 0; i < count; i++)
        max = x[i] > max ? x[i] : max;
    return max;
}

/// A comparison with NaN is false: NaN never becomes the maximum.
NEPHELE_INLINE float max_simd(const float *x, nephele_index count) {
    f32x16 a = splat16(-__builtin_inff()), b = a;
    nephele_index i = 0;
    for (; i + 32 <= count; i += 32) {
        f32x16 u = load16(x + i), v = load16(x + i + 16);
        a = select16(u > a, u, a);
        b = select16(v > b, v, b);
    }
    float lane[32];
    store16(lane, a);
    store16(lane + 16, b);
    float max = max_scalar(x + i, count - i);
    for (int l = 0; l < 32; l++)
        max = lane[l] > max ? lane[l] : max;
    return max;
}

/// The first element equal to `value`; 0 when there is none.
NEPHELE_INLINE nephele_index first_simd(const float *x, nephele_index count, float value) {
    nephele_index i = 0;
    for (; i + 32 <= count; i += 32) {
        i32x16 same = (load16(x + i) == splat16(value)) | (load16(x + i + 16) == splat16(value));
        if (__builtin_reduce_or(same))
            break;
    }
    for (; i < count; i++)
        if (x[i] == value)
            return i;
    return 0;
}

#if defined(__x86_64__)
NEPHELE_TARGET_AVX2 static float max_avx2(const float *x, nephele_index count) {
    return max_simd(x, count);
}
NEPHELE_TARGET_AVX512 static float max_avx512(const float *x, nephele_index count) {
    return max_simd(x, count);
}
NEPHELE_TARGET_AVX2 static nephele_index first_avx2(const float *x, nephele_index count, float value) {
    return first_simd(x, count, value);
}
NEPHELE_TARGET_AVX512 static nephele_index first_avx512(const float *x, nephele_index count, float value) {
    return first_simd(x, count, value);
}
#endif

float nephele_max_f32(nephele_isa isa, const float *x, nephele_index count) {
    switch (isa) {
#if defined(__x86_64__)
    case NEPHELE_ISA_AVX512_VNNI:
    case NEPHELE_ISA_AVX512:
        return max_avx512(x, count);
    case NEPHELE_ISA_AVX2:
        return max_avx2(x, count);
#elif defined(__aarch64__)
    case NEPHELE_ISA_NEON:
        return max_simd(x, count);
#endif
    default:
        return max_scalar(x, count);
    }
}

static nephele_index argmax_scalar(const float *x, nephele_index count) {
    float max = -__builtin_inff();
    nephele_index best = 0;
    for (nephele_index i = 0; i < count; i++) {
        if (x[i] > max) {
            max = x[i];
            best = i;
        }
    }
    return best;
}

nephele_index nephele_argmax_f32(nephele_isa isa, const float *x, nephele_index count) {
    switch (isa) {
#if defined(__x86_64__)
    case NEPHELE_ISA_AVX512_VNNI:
    case NEPHELE_ISA_AVX512: {
        float max = max_avx512(x, count);
        return max == -__builtin_inff() ? 0 : first_avx512(x, count, max);
    }
    case NEPHELE_ISA_AVX2: {
        float max = max_avx2(x, count);
        return max == -__builtin_inff() ? 0 : first_avx2(x, count, max);
    }
#elif defined(__aarch64__)
    case NEPHELE_ISA_NEON: {
        float max = max_simd(x, count);
        return max == -__builtin_inff() ? 0 : first_simd(x, count, max);
    }
#endif
    default:
        return argmax_scalar(x, count);
    }
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
    float max = nephele_max_f32(isa, x, count);
    if (max == -__builtin_inff() || max == __builtin_inff())
        return max;
    return max + logf(nephele_sum_exp_f32(isa, x, count, max));
}

float nephele_exp(float x) {
    return scalar_exp(x);
}
