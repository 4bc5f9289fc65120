// The matrix product of whole numbers in groups: weights of 4 to 8 bits with a scale (and where the format has one, a
// minimum) for every `group` inputs, times activations of 8 bits, or of 15 ("wide"), with a scale a group. The formats
// and their layouts are in `grouped.h`.
//
//   dot  = sum over the group of qw * qx                exact, int32
//   sum  = fma((float)dot, scale_w * scale_x, sum)      one chain over the groups, k ascending
//   sum  = fma(minimum, -(scale_x * (float)sum_x), sum) after it, where there are minimums
//
// Weights are stored unsigned, `offset` above their value, so that the machine's unsigned-by-signed products apply; the
// chain starts at -offset * sum_x.
#include "matmul_grouped.h"

static void product_scalar(const arguments *a, nephele_index begin, nephele_index end) {
    const grouped_format f = format_of(a->format);
    nephele_index groups = a->depth / a->group;
    for (nephele_index n = begin * NEPHELE_PANEL; n < end * NEPHELE_PANEL && n < a->columns; n++) {
        nephele_index lane = n % NEPHELE_PANEL;
        const uint8_t *panel = (const uint8_t *)a->panels + n / NEPHELE_PANEL * panel_bytes(f, groups, a->group);
        for (nephele_index m = 0; m < a->rows; m++) {
            float sum = 0;
            for (nephele_index g = 0; g < groups; g++) {
                nephele_index first = m * a->depth + g * a->group;
                const uint8_t *block = block_of(f, panel, g, a->group);
                const uint8_t *weights = group_weights(f, block, g % f.shared, a->group);
                int32_t sum_x = a->x_sums[m * groups + g], dot = -f.offset * sum_x;
                for (nephele_index k = 0; k < a->group; k++) {
                    int32_t x = a->is_wide ? ((const int16_t *)a->x)[first + k] : ((const int8_t *)a->x)[first + k];
                    dot += stored_weight(f, weights, a->group, lane, k) * x;
                }
                float scale_x = a->x_scales[m * groups + g];
                sum = fmaf((float)dot, group_scale(f, block, g % f.shared, lane) * scale_x, sum);
                if (f.minimums)
                    sum = fmaf(group_minimum(f, block, g % f.shared, lane), -(scale_x * (float)sum_x), sum);
            }
            if (a->bias)
                sum += a->bias[n];
            if (a->residual)
                sum += a->residual[m * a->residual_stride + n];
            a->y[m * a->y_stride + n] = sum;
        }
    }
}

nephele_row_layout nephele_grouped_row_layout(nephele_isa isa, nephele_grouped_format format, int32_t is_wide) {
    if (isa == NEPHELE_ISA_AVX512_VNNI)
        return is_wide ? NEPHELE_ROWS_PARTS : NEPHELE_ROWS_BYTES;
    if (isa == NEPHELE_ISA_AVX2 || isa == NEPHELE_ISA_AVX512)
        return is_wide || format_of(format).bits == 8 ? NEPHELE_ROWS_CROSSED_WORDS : NEPHELE_ROWS_BYTES;
    return is_wide ? NEPHELE_ROWS_WORDS : NEPHELE_ROWS_BYTES;
}

nephele_index nephele_grouped_panel_bytes(nephele_grouped_format format, nephele_index groups, nephele_index group) {
    return panel_bytes(format_of(format), groups, group);
}

void nephele_grouped_matmul(const void *args, nephele_index begin, nephele_index end) {
    const arguments *a = args;
#if defined(__x86_64__)
    if (a->isa != NEPHELE_ISA_SCALAR) {
        if (a->isa == NEPHELE_ISA_AVX512_VNNI)
            nephele_grouped_matmul_vnni(a, begin, end);
        else
            nephele_grouped_matmul_avx2(a, begin, end);
        return;
    }
#endif
    product_scalar(a, begin, end);
}

void nephele_gather_grouped(const void *args, nephele_index begin, nephele_index end) {
    const nephele_gather_grouped_args *a = args;
    const grouped_format f = format_of(a->format);
    nephele_index groups = (a->depth + a->group - 1) / a->group;
    for (nephele_index m = begin; m < end; m++) {
        nephele_index lane = a->ids[m] % NEPHELE_PANEL;
        const uint8_t *panel =
            (const uint8_t *)a->panels + a->ids[m] / NEPHELE_PANEL * panel_bytes(f, groups, a->group);
        for (nephele_index k = 0; k < a->depth; k++) {
            nephele_index g = k / a->group, j = g % f.shared;
            const uint8_t *block = block_of(f, panel, g, a->group);
            int32_t stored = stored_weight(f, group_weights(f, block, j, a->group), a->group, lane, k % a->group);
            // Where there is a minimum, scale * q is exact: 17 bits times 5, or 11 times 8.
            float value = group_scale(f, block, j, lane) * (float)(stored - f.offset);
            if (f.minimums)
                value -= group_minimum(f, block, j, lane);
            a->y[m * a->y_stride + (a->order ? a->order[k] : k)] = value;
        }
    }
}
