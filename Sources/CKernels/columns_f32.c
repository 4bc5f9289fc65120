// Rows of a matrix, taken together.
#include "nephele_gradients.h"
#include "simd.h"

void nephele_row_sum_f32(const void *args, nephele_index begin, nephele_index end) {
    const nephele_row_sum_f32_args *a = args;
    for (nephele_index m = 0; m < a->rows; m++) {
        const float *row = a->x + m * a->width;
        for (nephele_index n = begin; n < end; n++)
            a->sum[n] += row[n];
    }
}

void nephele_scale_columns_f32(const void *args, nephele_index begin, nephele_index end) {
    const nephele_scale_columns_f32_args *a = args;
    for (nephele_index m = begin; m < end; m++) {
        const float *x = a->x + m * a->width;
        float *y = a->y + m * a->width;
        for (nephele_index n = 0; n < a->width; n++)
            y[n] = x[n] * a->factors[n];
        for (nephele_index n = 0; a->bias && n < a->width; n++)
            y[n] += a->bias[n];
        for (nephele_index n = 0; a->residual && n < a->width; n++)
            y[n] += a->residual[m * a->width + n];
    }
}

NEPHELE_INLINE void row_norms(int simd, const nephele_row_norms_f32_args *a, nephele_index begin, nephele_index end) {
    for (nephele_index m = begin; m < end; m++) {
        const float *x = a->x + m * a->width;
        float lane[16] = {0};
        nephele_index i = 0;
        if (simd) {
            f32x16 sum = splat16(0);
            for (; i + 16 <= a->width; i += 16)
                sum = fma16(load16(x + i), load16(x + i), sum);
            store16(lane, sum);
        }
        for (; i < a->width; i++)
            lane[i % 16] = fmaf(x[i], x[i], lane[i % 16]);
        a->norms[m] = sqrtf(fold_lanes(lane));
    }
}

static void nephele_row_norms_f32_scalar(const nephele_row_norms_f32_args *a, nephele_index begin, nephele_index end) {
    row_norms(0, a, begin, end);
}

NEPHELE_INLINE void nephele_row_norms_f32_simd(const nephele_row_norms_f32_args *a, nephele_index begin,
                                               nephele_index end) {
    row_norms(1, a, begin, end);
}

NEPHELE_KERNEL(nephele_row_norms_f32)
