#include "nephele_gradients.h"
#include "simd.h"

#define GELU_SQRT_2_OVER_PI 0.7978845608028654f
#define GELU_CUBE 0.044715f
#define SQRT_HALF 0.7071067811865476f

static inline float scalar_map(nephele_map map, float x) {
    switch (map) {
    case NEPHELE_MAP_EXP:
        return scalar_exp(x);
    case NEPHELE_MAP_TANH:
        return scalar_tanh(x);
    case NEPHELE_MAP_SILU:
        return x / (1.0f + scalar_exp(-x));
    case NEPHELE_MAP_GELU_TANH:
        return 0.5f * x * (1.0f + scalar_tanh(GELU_SQRT_2_OVER_PI * fmaf(GELU_CUBE * x * x, x, x)));
    case NEPHELE_MAP_GELU_ERF:
        return 0.5f * x * (1.0f + scalar_erf(x * SQRT_HALF));
    case NEPHELE_MAP_GELU_QUICK:
        return x / (1.0f + scalar_exp(-1.702f * x));
    case NEPHELE_MAP_RELU:
        return x > 0 ? x : 0;
    case NEPHELE_MAP_IDENTITY:
        return x;
    case NEPHELE_MAP_SIGMOID:
        return 1.0f / (1.0f + scalar_exp(-x));
    }
    return x;
}

/// The factor of a limited map (comparisons with NaN are false).
static inline float limited_factor(float factor, float limit) {
    if (!(limit > 0))
        return factor;
    factor = factor > limit ? limit : factor;
    return 1.0f + (factor < -limit ? -limit : factor);
}

static void nephele_map_f32_scalar(const nephele_map_f32_args *a, nephele_index begin, nephele_index end) {
    for (nephele_index i = begin; i < end; i++) {
        float y = scalar_map(a->map, a->limit > 0 && a->x[i] > a->limit ? a->limit : a->x[i]);
        a->y[i] = a->factor ? y * limited_factor(a->factor[i], a->limit) : y;
    }
}

NEPHELE_INLINE f32x16 erf16(f32x16 x) {
    f32x16 a = __builtin_elementwise_abs(x);
    f32x16 z = x * x;
    f32x16 p = splat16(ERF_T0);
    p = fma16(p, z, splat16(ERF_T1));
    p = fma16(p, z, splat16(ERF_T2));
    p = fma16(p, z, splat16(ERF_T3));
    p = fma16(p, z, splat16(ERF_T4));
    p = fma16(p, z, splat16(ERF_T5));
    p = fma16(p, z, splat16(ERF_T6));
    f32x16 t = splat16(1.0f) / fma16(splat16(ERF_P), a, splat16(1.0f));
    f32x16 q = splat16(ERF_A5);
    q = fma16(q, t, splat16(ERF_A4));
    q = fma16(q, t, splat16(ERF_A3));
    q = fma16(q, t, splat16(ERF_A2));
    q = fma16(q, t, splat16(ERF_A1));
    f32x16 large = fma16(-(q * t), exp16(-(a * a)), splat16(1.0f));
    return select16(a < splat16(ERF_SMALL), p * x, copysign16(large, x));
}

NEPHELE_INLINE f32x16 map16(nephele_map map, f32x16 x) {
    f32x16 one = splat16(1.0f);
    switch (map) {
    case NEPHELE_MAP_EXP:
        return exp16(x);
    case NEPHELE_MAP_TANH:
        return tanh16(x);
    case NEPHELE_MAP_SILU:
        return x / (one + exp16(-x));
    case NEPHELE_MAP_GELU_TANH: {
        f32x16 inner = splat16(GELU_SQRT_2_OVER_PI) * fma16(splat16(GELU_CUBE) * x * x, x, x);
        return splat16(0.5f) * x * (one + tanh16(inner));
    }
    case NEPHELE_MAP_GELU_ERF:
        return splat16(0.5f) * x * (one + erf16(x * splat16(SQRT_HALF)));
    case NEPHELE_MAP_GELU_QUICK:
        return x / (one + exp16(splat16(-1.702f) * x));
    case NEPHELE_MAP_RELU:
        return select16(x > splat16(0), x, splat16(0));
    case NEPHELE_MAP_IDENTITY:
        return x;
    case NEPHELE_MAP_SIGMOID:
        return one / (one + exp16(-x));
    }
    return x;
}

NEPHELE_INLINE f32x16 gated16(const nephele_map_f32_args *a, f32x16 x, f32x16 factor) {
    f32x16 limit = splat16(a->limit);
    if (a->limit > 0) {
        x = select16(x > limit, limit, x);
        factor = select16(factor > limit, limit, factor);
        factor = splat16(1.0f) + select16(factor < -limit, -limit, factor);
    }
    f32x16 y = map16(a->map, x);
    return a->factor ? y * factor : y;
}

NEPHELE_INLINE void nephele_map_f32_simd(const nephele_map_f32_args *a, nephele_index begin, nephele_index end) {
    nephele_index i = begin;
    for (; i + 16 <= end; i += 16)
        store16(a->y + i, gated16(a, load16(a->x + i), a->factor ? load16(a->factor + i) : splat16(0)));
    if (i < end) {
        nephele_index count = end - i;
        f32x16 factor = a->factor ? load_partial16(a->factor + i, count) : splat16(0);
        f32x16 y = gated16(a, load_partial16(a->x + i, count), factor);
        memcpy(a->y + i, &y, (size_t)count * sizeof(float));
    }
}

NEPHELE_KERNEL(nephele_map_f32)

// 1 / sqrt(2 pi)
#define NORMAL_DENSITY 0.3989422804014327f

/// The slope of a map; that of relu is 0 at 0.
static inline float scalar_slope(nephele_map map, float x) {
    switch (map) {
    case NEPHELE_MAP_EXP:
        return scalar_exp(x);
    case NEPHELE_MAP_TANH: {
        float t = scalar_tanh(x);
        return 1.0f - t * t;
    }
    case NEPHELE_MAP_SILU: {
        float s = 1.0f / (1.0f + scalar_exp(-x));
        return s * (1.0f + x * (1.0f - s));
    }
    case NEPHELE_MAP_GELU_TANH: {
        float t = scalar_tanh(GELU_SQRT_2_OVER_PI * fmaf(GELU_CUBE * x * x, x, x));
        float inner = GELU_SQRT_2_OVER_PI * fmaf(3.0f * GELU_CUBE * x, x, 1.0f);
        return 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * inner;
    }
    case NEPHELE_MAP_GELU_ERF:
        return 0.5f * (1.0f + scalar_erf(x * SQRT_HALF)) + x * NORMAL_DENSITY * scalar_exp(-0.5f * x * x);
    case NEPHELE_MAP_GELU_QUICK: {
        float s = 1.0f / (1.0f + scalar_exp(-1.702f * x));
        return s * (1.0f + 1.702f * x * (1.0f - s));
    }
    case NEPHELE_MAP_RELU:
        return x > 0 ? 1.0f : 0;
    case NEPHELE_MAP_IDENTITY:
        return 1.0f;
    case NEPHELE_MAP_SIGMOID: {
        float s = 1.0f / (1.0f + scalar_exp(-x));
        return s * (1.0f - s);
    }
    }
    return 0;
}

NEPHELE_INLINE f32x16 slope16(nephele_map map, f32x16 x) {
    f32x16 one = splat16(1.0f);
    switch (map) {
    case NEPHELE_MAP_EXP:
        return exp16(x);
    case NEPHELE_MAP_TANH: {
        f32x16 t = tanh16(x);
        return one - t * t;
    }
    case NEPHELE_MAP_SILU: {
        f32x16 s = one / (one + exp16(-x));
        return s * (one + x * (one - s));
    }
    case NEPHELE_MAP_GELU_TANH: {
        f32x16 t = tanh16(splat16(GELU_SQRT_2_OVER_PI) * fma16(splat16(GELU_CUBE) * x * x, x, x));
        f32x16 inner = splat16(GELU_SQRT_2_OVER_PI) * fma16(splat16(3.0f * GELU_CUBE) * x, x, one);
        return splat16(0.5f) * (one + t) + splat16(0.5f) * x * (one - t * t) * inner;
    }
    case NEPHELE_MAP_GELU_ERF:
        return splat16(0.5f) * (one + erf16(x * splat16(SQRT_HALF))) +
               x * splat16(NORMAL_DENSITY) * exp16(splat16(-0.5f) * x * x);
    case NEPHELE_MAP_GELU_QUICK: {
        f32x16 s = one / (one + exp16(splat16(-1.702f) * x));
        return s * (one + splat16(1.702f) * x * (one - s));
    }
    case NEPHELE_MAP_RELU:
        return select16(x > splat16(0), one, splat16(0));
    case NEPHELE_MAP_IDENTITY:
        return one;
    case NEPHELE_MAP_SIGMOID: {
        f32x16 s = one / (one + exp16(-x));
        return s * (one - s);
    }
    }
    return splat16(0);
}

static void nephele_map_gradient_f32_scalar(const nephele_map_gradient_f32_args *a, nephele_index begin,
                                            nephele_index end) {
    for (nephele_index i = begin; i < end; i++) {
        float dy = a->dy[i], slope = scalar_slope(a->map, a->x[i]);
        if (a->factor)
            a->dfactor[i] = dy * scalar_map(a->map, a->x[i]);
        a->dx[i] = (a->factor ? dy * a->factor[i] : dy) * slope;
    }
}

NEPHELE_INLINE void nephele_map_gradient_f32_simd(const nephele_map_gradient_f32_args *a, nephele_index begin,
                                                  nephele_index end) {
    for (nephele_index i = begin; i < end; i += 16) {
        nephele_index count = end - i < 16 ? end - i : 16;
        size_t bytes = (size_t)count * sizeof(float);
        f32x16 x = count == 16 ? load16(a->x + i) : load_partial16(a->x + i, count);
        f32x16 dy = count == 16 ? load16(a->dy + i) : load_partial16(a->dy + i, count);
        f32x16 dx = dy;
        if (a->factor) {
            f32x16 dfactor = dy * map16(a->map, x);
            dx = dy * (count == 16 ? load16(a->factor + i) : load_partial16(a->factor + i, count));
            memcpy(a->dfactor + i, &dfactor, bytes);
        }
        dx *= slope16(a->map, x);
        memcpy(a->dx + i, &dx, bytes);
    }
}

NEPHELE_KERNEL(nephele_map_gradient_f32)

static void nephele_combine_f32_scalar(const nephele_combine_f32_args *a, nephele_index begin, nephele_index end) {
    for (nephele_index i = begin; i < end; i++)
        a->y[i] = fmaf(a->scale_b, a->b[i], a->scale_a * a->a[i]);
}

NEPHELE_INLINE void nephele_combine_f32_simd(const nephele_combine_f32_args *a, nephele_index begin,
                                             nephele_index end) {
    nephele_index i = begin;
    for (; i + 16 <= end; i += 16) {
        store16(a->y + i, fma16(splat16(a->scale_b), load16(a->b + i), splat16(a->scale_a) * load16(a->a + i)));
    }
    for (; i < end; i++)
        a->y[i] = fmaf(a->scale_b, a->b[i], a->scale_a * a->a[i]);
}

NEPHELE_KERNEL(nephele_combine_f32)

static void nephele_soft_cap_f32_scalar(const nephele_soft_cap_f32_args *a, nephele_index begin, nephele_index end) {
    for (nephele_index i = begin; i < end; i++)
        a->y[i] = scalar_soft_cap(a->x[i], a->cap);
}

NEPHELE_INLINE void nephele_soft_cap_f32_simd(const nephele_soft_cap_f32_args *a, nephele_index begin,
                                              nephele_index end) {
    nephele_index i = begin;
    for (; i + 16 <= end; i += 16)
        store16(a->y + i, soft_cap16(load16(a->x + i), a->cap));
    for (; i < end; i++)
        a->y[i] = scalar_soft_cap(a->x[i], a->cap);
}

NEPHELE_KERNEL(nephele_soft_cap_f32)
