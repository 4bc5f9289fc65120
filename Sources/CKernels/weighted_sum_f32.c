#include "simd.h"

static inline float weighted(const nephele_weighted_sum_f32_args *a, nephele_index i) {
    return (a->scale_a * a->a[i] + a->scale_b * (a->b ? a->b[i] : 1.0f)) / a->divisor;
}

static void nephele_weighted_sum_f32_scalar(const nephele_weighted_sum_f32_args *a, nephele_index begin,
                                            nephele_index end) {
    for (nephele_index i = begin; i < end; i++)
        a->y[i] = weighted(a, i);
}

NEPHELE_INLINE void nephele_weighted_sum_f32_simd(const nephele_weighted_sum_f32_args *a, nephele_index begin,
                                                  nephele_index end) {
    nephele_index i = begin;
    for (; i + 16 <= end; i += 16) {
        f32x16 b = a->b ? load16(a->b + i) : splat16(1.0f);
        f32x16 sum = splat16(a->scale_a) * load16(a->a + i) + splat16(a->scale_b) * b;
        store16(a->y + i, sum / splat16(a->divisor));
    }
    for (; i < end; i++)
        a->y[i] = weighted(a, i);
}

NEPHELE_KERNEL(nephele_weighted_sum_f32)

/// A comparison with NaN is false: NaN stays as it is.
static inline float clamped(const nephele_clamp_f32_args *a, nephele_index i) {
    float x = a->x[i];
    x = -a->limit >= x ? -a->limit : x;
    x = a->limit < x ? a->limit : x;
    return x / a->divisor;
}

static void nephele_clamp_f32_scalar(const nephele_clamp_f32_args *a, nephele_index begin, nephele_index end) {
    for (nephele_index i = begin; i < end; i++)
        a->y[i] = clamped(a, i);
}

NEPHELE_INLINE void nephele_clamp_f32_simd(const nephele_clamp_f32_args *a, nephele_index begin, nephele_index end) {
    f32x16 high = splat16(a->limit), low = splat16(-a->limit);
    nephele_index i = begin;
    for (; i + 16 <= end; i += 16) {
        f32x16 x = load16(a->x + i);
        x = select16(low >= x, low, x);
        x = select16(high < x, high, x);
        store16(a->y + i, x / splat16(a->divisor));
    }
    for (; i < end; i++)
        a->y[i] = clamped(a, i);
}

NEPHELE_KERNEL(nephele_clamp_f32)

static inline float mixed(const nephele_mix_rows_f32_args *a, nephele_index m, nephele_index i) {
    float sum = 0;
    for (nephele_index j = m * a->count; j < (m + 1) * a->count; j++)
        sum = fmaf(a->weights[j], a->x[a->indices[j] * a->width + i], sum);
    return a->residual ? a->residual[m * a->width + i] + sum : sum;
}

static void nephele_mix_rows_f32_scalar(const nephele_mix_rows_f32_args *a, nephele_index begin, nephele_index end) {
    for (nephele_index m = begin; m < end; m++) {
        for (nephele_index i = 0; i < a->width; i++)
            a->y[m * a->width + i] = mixed(a, m, i);
    }
}

NEPHELE_INLINE void nephele_mix_rows_f32_simd(const nephele_mix_rows_f32_args *a, nephele_index begin,
                                              nephele_index end) {
    for (nephele_index m = begin; m < end; m++) {
        nephele_index i = 0;
        for (; i + 16 <= a->width; i += 16) {
            f32x16 sum = splat16(0);
            for (nephele_index j = m * a->count; j < (m + 1) * a->count; j++)
                sum = fma16(splat16(a->weights[j]), load16(a->x + a->indices[j] * a->width + i), sum);
            store16(a->y + m * a->width + i, a->residual ? load16(a->residual + m * a->width + i) + sum : sum);
        }
        for (; i < a->width; i++)
            a->y[m * a->width + i] = mixed(a, m, i);
    }
}

NEPHELE_KERNEL(nephele_mix_rows_f32)
