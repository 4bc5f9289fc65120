// What the products of whole numbers in groups share: `matmul_grouped.c` says what they compute.
#ifndef NEPHELE_MATMUL_GROUPED_H
#define NEPHELE_MATMUL_GROUPED_H

#include "grouped.h"

typedef nephele_grouped_matmul_args arguments;

#if defined(__x86_64__)
void nephele_grouped_matmul_vnni(const arguments *a, nephele_index begin, nephele_index end);
void nephele_grouped_matmul_avx2(const arguments *a, nephele_index begin, nephele_index end);
#endif

/// Inputs in a group: known to the compiler where a format has but one size, so that loops are unrolled.
NEPHELE_INLINE nephele_index group_size(const grouped_format f, const arguments *a) {
    return f.shared == 16 ? 16 : f.shared == 8 || f.bits == 5 ? 32 : a->group;
}

// (Vectors go by address between functions of different targets.)
NEPHELE_INLINE void finish(const arguments *a, nephele_index m, nephele_index panel, const f32x16 *total) {
    f32x16 sum = *total;
    nephele_index n = panel * NEPHELE_PANEL;
    nephele_index count = a->columns - n < NEPHELE_PANEL ? a->columns - n : NEPHELE_PANEL;
    float *y = a->y + m * a->y_stride + n;
    if (a->bias)
        sum += count == NEPHELE_PANEL ? load16(a->bias + n) : load_partial16(a->bias + n, count);
    if (a->residual) {
        const float *residual = a->residual + m * a->residual_stride + n;
        sum += count == NEPHELE_PANEL ? load16(residual) : load_partial16(residual, count);
    }
    if (count == NEPHELE_PANEL)
        store16(y, sum);
    else
        memcpy(y, &sum, (size_t)count * sizeof(float));
}

/// Scales and minimums of 16 outputs for group `j` of a block.
NEPHELE_INLINE void load_scales(const grouped_format f, const uint8_t *block, nephele_index j, f32x16 *scale,
                                f32x16 *minimum) {
    if (f.shared == 1) {
        memcpy(scale, block, sizeof *scale);
        if (f.minimums)
            memcpy(minimum, block + sizeof *scale, sizeof *minimum);
        return;
    }
    i8x16 steps;
    memcpy(&steps, block + FACTORS + j * NEPHELE_PANEL, sizeof steps);
    *scale = widen16_f16((const uint16_t *)block) * __builtin_convertvector(steps, f32x16);
    if (f.minimums) {
        memcpy(&steps, block + FACTORS + (f.shared + j) * NEPHELE_PANEL, sizeof steps);
        *minimum = widen16_f16((const uint16_t *)(block + FACTORS / 2)) * __builtin_convertvector(steps, f32x16);
    }
}

/// What a group's whole-number products add to an output's chain; `minimum_factor` is read where there are minimums.
NEPHELE_INLINE void add_group(f32x16 *sum, const i32x16 *dot, const f32x16 *scale, const f32x16 *minimum, int minimums,
                              float scale_x, const float *minimum_factor) {
    *sum = fma16(__builtin_convertvector(*dot, f32x16), *scale * splat16(scale_x), *sum);
    if (minimums)
        *sum = fma16(*minimum, splat16(*minimum_factor), *sum);
}

#define UNROLLED _Pragma("clang loop unroll(full)") for

#endif
