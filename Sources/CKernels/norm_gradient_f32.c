#include "nephele_gradients.h"
#include "simd.h"

/// Sums over a row in 16 virtual lanes.
typedef struct {
    float mean, inverse; // of x: its mean, 1 / its deviation
} row_statistics;

NEPHELE_INLINE float shifted_sum(int simd, const float *x, nephele_index width, float shift, int squared) {
    float lane[16] = {0};
    nephele_index i = 0;
    if (simd) {
        f32x16 sum = splat16(0);
        for (; i + 16 <= width; i += 16) {
            f32x16 d = load16(x + i) - splat16(shift);
            sum = squared ? fma16(d, d, sum) : sum + d;
        }
        store16(lane, sum);
    }
    for (; i < width; i++) {
        float d = x[i] - shift;
        lane[i % 16] = squared ? fmaf(d, d, lane[i % 16]) : lane[i % 16] + d;
    }
    return fold_lanes(lane);
}

/// As `nephele_norm_f32` has them.
NEPHELE_INLINE row_statistics statistics_of(int simd, const nephele_norm_gradient_f32_args *a, const float *x) {
    row_statistics s = {0, 0};
    if (a->centered)
        s.mean = shifted_sum(simd, x, a->width, 0, 0) / (float)a->width;
    float variance = shifted_sum(simd, x, a->width, s.mean, 1) / (float)a->width;
    s.inverse = 1.0f / sqrtf(variance + a->epsilon);
    return s;
}

NEPHELE_INLINE void norm_gradient(int simd, const nephele_norm_gradient_f32_args *a, nephele_index begin,
                                  nephele_index end) {
    for (nephele_index row = begin; row < end; row++) {
        const float *x = a->x + row * a->width, *dy = a->dy + row * a->width;
        float *dx = a->dx + row * a->width;
        row_statistics s = statistics_of(simd, a, x);
        a->statistics[2 * row] = s.mean;
        a->statistics[2 * row + 1] = s.inverse;
        float plain[16] = {0}, crossed[16] = {0};
        nephele_index i = 0;
        if (simd) {
            f32x16 sum = splat16(0), product = splat16(0);
            for (; i + 16 <= a->width; i += 16) {
                f32x16 g = load16(dy + i), n = (load16(x + i) - splat16(s.mean)) * splat16(s.inverse);
                if (a->weight)
                    g *= load16(a->weight + i);
                sum += g;
                product = fma16(g, n, product);
            }
            store16(plain, sum);
            store16(crossed, product);
        }
        for (; i < a->width; i++) {
            float g = a->weight ? dy[i] * a->weight[i] : dy[i], n = (x[i] - s.mean) * s.inverse;
            plain[i % 16] += g;
            crossed[i % 16] = fmaf(g, n, crossed[i % 16]);
        }
        float mean = a->centered ? fold_lanes(plain) / (float)a->width : 0;
        float slope = fold_lanes(crossed) / (float)a->width;
        i = 0;
        if (simd) {
            for (; i + 16 <= a->width; i += 16) {
                f32x16 g = load16(dy + i), n = (load16(x + i) - splat16(s.mean)) * splat16(s.inverse);
                if (a->weight)
                    g *= load16(a->weight + i);
                f32x16 d = splat16(s.inverse) * fma16(splat16(-slope), n, g - splat16(mean));
                store16(dx + i, a->accumulates ? load16(dx + i) + d : d);
            }
        }
        for (; i < a->width; i++) {
            float g = a->weight ? dy[i] * a->weight[i] : dy[i], n = (x[i] - s.mean) * s.inverse;
            float d = s.inverse * fmaf(-slope, n, g - mean);
            dx[i] = a->accumulates ? dx[i] + d : d;
        }
    }
}

static void nephele_norm_gradient_f32_scalar(const nephele_norm_gradient_f32_args *a, nephele_index begin,
                                             nephele_index end) {
    norm_gradient(0, a, begin, end);
}

NEPHELE_INLINE void nephele_norm_gradient_f32_simd(const nephele_norm_gradient_f32_args *a, nephele_index begin,
                                                   nephele_index end) {
    norm_gradient(1, a, begin, end);
}

NEPHELE_KERNEL(nephele_norm_gradient_f32)

void nephele_norm_weight_gradient_f32(const void *args, nephele_index begin, nephele_index end) {
    const nephele_norm_weight_gradient_f32_args *a = args;
    for (nephele_index row = 0; row < a->rows; row++) {
        const float *x = a->x + row * a->width, *dy = a->dy + row * a->width;
        float mean = a->statistics[2 * row], inverse = a->statistics[2 * row + 1];
        for (nephele_index i = begin; i < end; i++)
            a->dweight[i] = fmaf(dy[i], (x[i] - mean) * inverse, a->dweight[i]);
        if (!a->dbias)
            continue;
        for (nephele_index i = begin; i < end; i++)
            a->dbias[i] += dy[i];
    }
}
