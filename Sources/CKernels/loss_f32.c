// Losses and the optimizer's step.
#include "nephele_gradients.h"
#include "simd.h"

NEPHELE_INLINE void cross_entropy(int simd, const nephele_cross_entropy_f32_args *a, nephele_index begin,
                                  nephele_index end) {
    for (nephele_index m = begin; m < end; m++) {
        float *z = a->logits + m * a->width;
        nephele_index whole = simd ? a->width / 16 * 16 : 0;
        float lane[16] = {0}, largest = -__builtin_inff();
        if (simd) {
            f32x16 top = splat16(largest);
            for (nephele_index i = 0; i < whole; i += 16) {
                f32x16 x = load16(z + i);
                top = select16(x > top, x, top);
            }
            float tops[16];
            store16(tops, top);
            for (int i = 0; i < 16; i++)
                largest = tops[i] > largest ? tops[i] : largest;
        }
        for (nephele_index i = whole; i < a->width; i++)
            largest = z[i] > largest ? z[i] : largest;
        float own = z[a->targets[m]];
        if (simd) {
            f32x16 sum = splat16(0);
            for (nephele_index i = 0; i < whole; i += 16) {
                f32x16 e = exp16(load16(z + i) - splat16(largest));
                store16(z + i, e);
                sum += e;
            }
            store16(lane, sum);
        }
        for (nephele_index i = whole; i < a->width; i++) {
            z[i] = scalar_exp(z[i] - largest);
            lane[i % 16] += z[i];
        }
        float sum = fold_lanes(lane);
        // A sum that is not a number has no logarithm in `scalar_log`.
        a->losses[m] = sum == sum ? (largest - own) + scalar_log(sum) : sum;
        if (!a->weights)
            continue;
        float weight = a->weights[m] / sum;
        for (nephele_index i = 0; i < whole; i += 16)
            store16(z + i, load16(z + i) * splat16(weight));
        for (nephele_index i = whole; i < a->width; i++)
            z[i] *= weight;
        z[a->targets[m]] -= a->weights[m];
    }
}

static void nephele_cross_entropy_f32_scalar(const nephele_cross_entropy_f32_args *a, nephele_index begin,
                                             nephele_index end) {
    cross_entropy(0, a, begin, end);
}

NEPHELE_INLINE void nephele_cross_entropy_f32_simd(const nephele_cross_entropy_f32_args *a, nephele_index begin,
                                                   nephele_index end) {
    cross_entropy(1, a, begin, end);
}

NEPHELE_KERNEL(nephele_cross_entropy_f32)

NEPHELE_INLINE void squares(int simd, const nephele_squares_f32_args *a, nephele_index begin, nephele_index end) {
    for (nephele_index block = begin; block < end; block++) {
        const float *x = a->x + block * NEPHELE_SQUARES_BLOCK;
        nephele_index left = a->count - block * NEPHELE_SQUARES_BLOCK;
        nephele_index count = left < NEPHELE_SQUARES_BLOCK ? left : NEPHELE_SQUARES_BLOCK, i = 0;
        float lane[16] = {0};
        if (simd) {
            f32x16 sum = splat16(0);
            for (; i + 16 <= count; i += 16)
                sum = fma16(load16(x + i), load16(x + i), sum);
            store16(lane, sum);
        }
        for (; i < count; i++)
            lane[i % 16] = fmaf(x[i], x[i], lane[i % 16]);
        a->sums[block] = fold_lanes(lane);
    }
}

static void nephele_squares_f32_scalar(const nephele_squares_f32_args *a, nephele_index begin, nephele_index end) {
    squares(0, a, begin, end);
}

NEPHELE_INLINE void nephele_squares_f32_simd(const nephele_squares_f32_args *a, nephele_index begin,
                                             nephele_index end) {
    squares(1, a, begin, end);
}

NEPHELE_KERNEL(nephele_squares_f32)

NEPHELE_INLINE void adamw(const nephele_adamw_f32_args *a, nephele_index begin, nephele_index end) {
    // One operation after the other, each rounded by itself: the compiler may take as many lanes as it likes.
    for (nephele_index i = begin; i < end; i++) {
        float g = a->gradient_scale * a->gradient[i];
        float m = a->momentum[i] + a->beta1_rest * (g - a->momentum[i]);
        float v = a->beta2 * a->variance[i] + a->beta2_rest * g * g;
        a->momentum[i] = m;
        a->variance[i] = v;
        a->parameters[i] = a->decay * a->parameters[i] - a->step * m / (sqrtf(v) / a->correction + a->epsilon);
    }
}

static void nephele_adamw_f32_scalar(const nephele_adamw_f32_args *a, nephele_index begin, nephele_index end) {
    adamw(a, begin, end);
}

NEPHELE_INLINE void nephele_adamw_f32_simd(const nephele_adamw_f32_args *a, nephele_index begin, nephele_index end) {
    adamw(a, begin, end);
}

NEPHELE_KERNEL(nephele_adamw_f32)
