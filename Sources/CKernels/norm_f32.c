#include "simd.h"

static float lane_sum(const float *x, nephele_index width, float shift, int squared) {
    float lane[16] = {0};
    for (nephele_index i = 0; i < width; i++) {
        float d = x[i] - shift;
        lane[i % 16] = squared ? fmaf(d, d, lane[i % 16]) : lane[i % 16] + d;
    }
    return fold_lanes(lane);
}

static void nephele_norm_f32_scalar(const nephele_norm_f32_args *a, nephele_index begin, nephele_index end) {
    for (nephele_index m = begin; m < end; m++) {
        const float *x = a->x + m * a->x_stride;
        float *y = a->y + m * a->y_stride;
        float mean = a->centered ? lane_sum(x, a->width, 0, 0) / (float)a->width : 0;
        float variance = lane_sum(x, a->width, mean, 1) / (float)a->width;
        float scale = 1.0f / sqrtf(variance + a->epsilon);
        for (nephele_index i = 0; i < a->width; i++) {
            float normal = (x[i] - mean) * scale;
            if (a->weight)
                normal *= a->weight[i];
            if (a->bias)
                normal += a->bias[i];
            y[i] = normal;
        }
    }
}

NEPHELE_INLINE float vector_sum(const float *x, nephele_index width, float shift, int squared) {
    f32x16 sum = splat16(0);
    nephele_index i = 0;
    for (; i + 16 <= width; i += 16) {
        f32x16 d = load16(x + i) - splat16(shift);
        sum = squared ? fma16(d, d, sum) : sum + d;
    }
    float lane[16];
    store16(lane, sum);
    for (; i < width; i++) {
        float d = x[i] - shift;
        lane[i % 16] = squared ? fmaf(d, d, lane[i % 16]) : lane[i % 16] + d;
    }
    return fold_lanes(lane);
}

NEPHELE_INLINE void nephele_norm_f32_simd(const nephele_norm_f32_args *a, nephele_index begin, nephele_index end) {
    for (nephele_index m = begin; m < end; m++) {
        const float *x = a->x + m * a->x_stride;
        float *y = a->y + m * a->y_stride;
        float mean = a->centered ? vector_sum(x, a->width, 0, 0) / (float)a->width : 0;
        float variance = vector_sum(x, a->width, mean, 1) / (float)a->width;
        float scale = 1.0f / sqrtf(variance + a->epsilon);
        nephele_index i = 0;
        for (; i + 16 <= a->width; i += 16) {
            f32x16 normal = (load16(x + i) - splat16(mean)) * splat16(scale);
            if (a->weight)
                normal *= load16(a->weight + i);
            if (a->bias)
                normal += load16(a->bias + i);
            store16(y + i, normal);
        }
        for (; i < a->width; i++) {
            float normal = (x[i] - mean) * scale;
            if (a->weight)
                normal *= a->weight[i];
            if (a->bias)
                normal += a->bias[i];
            y[i] = normal;
        }
    }
}

NEPHELE_KERNEL(nephele_norm_f32)
