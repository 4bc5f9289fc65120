// From floats to whole numbers with a scale a group.
#include "simd.h"

/// The nearest whole number in [-limit, limit], ties to even; 0 for NaN.
NEPHELE_INLINE float nearest(float x, float limit) {
    float whole = rintf(x);
    if (!(whole >= -limit))
        return whole != whole ? 0 : -limit;
    return whole > limit ? limit : whole;
}

NEPHELE_INLINE f32x16 nearest16(f32x16 x, float limit) {
    f32x16 whole = __builtin_elementwise_roundeven(x);
    whole = select16(whole > splat16(limit), splat16(limit), whole);
    whole = select16(whole < splat16(-limit), splat16(-limit), whole);
    return select16(whole != whole, splat16(0), whole);
}

/// The largest magnitude; NaN does not count.
static float magnitude_scalar(const float *x, nephele_index count) {
    float largest = 0;
    for (nephele_index i = 0; i < count; i++)
        largest = fabsf(x[i]) > largest ? fabsf(x[i]) : largest;
    return largest;
}

/// The inputs of a group, where they are in another order: `[NEPHELE_MAX_GROUP]`.
NEPHELE_INLINE void gather_group(const nephele_quantize_rows_args *a, nephele_index m, nephele_index first,
                                 nephele_index count, float *group) {
    for (nephele_index k = 0; k < count; k++)
        group[k] = a->x[m * a->x_stride + a->order[first + k]];
}

/// The high part of a wide number 128 h + l, l in [-64, 63].
#define HIGH_PART(q_) (((q_) + 64) >> 7)

NEPHELE_INLINE void store_group(const nephele_quantize_rows_args *a, nephele_index at, float scale, int32_t sum) {
    a->scales[at] = scale;
    a->sums[at] = sum;
    a->minimum_factors[at] = -(scale * (float)sum);
}

static void nephele_quantize_rows_scalar(const nephele_quantize_rows_args *a, nephele_index begin, nephele_index end) {
    nephele_index groups = (a->depth + a->group - 1) / a->group;
    float limit = a->is_wide ? NEPHELE_INT16_LIMIT : NEPHELE_INT8_LIMIT;
    for (nephele_index m = begin; m < end; m++) {
        for (nephele_index g = 0; g < groups; g++) {
            const float *x = a->x + m * a->x_stride + g * a->group;
            nephele_index count = a->depth - g * a->group < a->group ? a->depth - g * a->group : a->group;
            float ordered[NEPHELE_MAX_GROUP];
            if (a->order) {
                gather_group(a, m, g * a->group, count, ordered);
                x = ordered;
            }
            float largest = magnitude_scalar(x, count), factor = largest > 0 ? limit / largest : 0;
            nephele_index first = (m * groups + g) * a->group;
            int32_t sum = 0;
            for (nephele_index k = 0; k < a->group; k++) {
                int32_t q = (int32_t)(k < count ? nearest(x[k] * factor, limit) : 0);
                if (a->is_wide)
                    ((int16_t *)a->q)[first + k] = (int16_t)q;
                else
                    ((int8_t *)a->q)[first + k] = (int8_t)q;
                sum += q;
            }
            store_group(a, m * groups + g, largest / limit, sum);
        }
    }
}

typedef int16_t i16x16 __attribute__((vector_size(32)));

/// Sixteen whole numbers from place k of row m on.
NEPHELE_INLINE void store_whole(const nephele_quantize_rows_args *a, nephele_index m, nephele_index width,
                                nephele_index k, const i32x16 *whole) {
    switch (a->layout) {
    case NEPHELE_ROWS_BYTES: {
        i8x16 bytes = __builtin_convertvector(*whole, i8x16);
        memcpy((int8_t *)a->q + m * width + k, &bytes, sizeof bytes);
        break;
    }
    case NEPHELE_ROWS_PARTS: {
        i32x16 high = HIGH_PART(*whole);
        i8x16 h = __builtin_convertvector(high, i8x16), l = __builtin_convertvector(*whole - (high << 7), i8x16);
        int8_t *q = (int8_t *)a->q + 2 * m * width + k;
        memcpy(q, &h, sizeof h);
        memcpy(q + width, &l, sizeof l);
        break;
    }
    case NEPHELE_ROWS_WORDS:
    case NEPHELE_ROWS_CROSSED_WORDS: {
        i16x16 words = __builtin_convertvector(*whole, i16x16);
        if (a->layout == NEPHELE_ROWS_CROSSED_WORDS)
            words = __builtin_shufflevector(words, words, 0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15);
        memcpy((int16_t *)a->q + m * width + k, &words, sizeof words);
        break;
    }
    }
}

NEPHELE_INLINE void nephele_quantize_rows_simd(const nephele_quantize_rows_args *a, nephele_index begin,
                                               nephele_index end) {
    nephele_index groups = (a->depth + a->group - 1) / a->group;
    float limit = a->is_wide ? NEPHELE_INT16_LIMIT : NEPHELE_INT8_LIMIT;
    for (nephele_index m = begin; m < end; m++) {
        for (nephele_index g = 0; g < groups; g++) {
            const float *x = a->x + m * a->x_stride + g * a->group;
            nephele_index count = a->depth - g * a->group < a->group ? a->depth - g * a->group : a->group;
            float ordered[NEPHELE_MAX_GROUP];
            if (a->order) {
                gather_group(a, m, g * a->group, count, ordered);
                x = ordered;
            }
            f32x16 largest = splat16(0);
            for (nephele_index k = 0; k < count; k += 16) {
                f32x16 v = count - k >= 16 ? load16(x + k) : load_partial16(x + k, count - k);
                v = __builtin_elementwise_abs(v);
                largest = select16(v > largest, v, largest);
            }
            float lane[16];
            store16(lane, largest);
            float top = magnitude_scalar(lane, 16), factor = top > 0 ? limit / top : 0;
            i32x16 sum = {0};
            for (nephele_index k = 0; k < a->group; k += 16) {
                f32x16 v = splat16(0);
                if (k < count)
                    v = count - k >= 16 ? load16(x + k) : load_partial16(x + k, count - k);
                i32x16 whole = __builtin_convertvector(nearest16(v * splat16(factor), limit), i32x16);
                sum += whole;
                store_whole(a, m, groups * a->group, g * a->group + k, &whole);
            }
            int32_t total = 0;
            for (int i = 0; i < 16; i++)
                total += sum[i];
            store_group(a, m * groups + g, top / limit, total);
        }
    }
}

NEPHELE_KERNEL(nephele_quantize_rows)

/// Scale and whole numbers of 4 bits: of some scales around the one that takes the extreme to -8, the one whose least
/// squares fit leaves the smallest error.
static float fit_four_bits(const float *w, nephele_index count, int8_t *q) {
    float extreme = 0;
    for (nephele_index k = 0; k < count; k++)
        extreme = fabsf(w[k]) > fabsf(extreme) ? w[k] : extreme;
    float best_gain = -1, best_scale = 0, best_factor = 0;
    if (extreme != 0 && extreme - extreme == 0) {
        for (int step = -7; step <= 7; step++) {
            float factor = -(8 + 0.125f * (float)step) / extreme, cross = 0, square = 0;
            for (nephele_index k = 0; k < count; k++) {
                float whole = nearest(w[k] * factor, 8);
                whole = whole > 7 ? 7 : whole;
                cross += w[k] * whole;
                square += whole * whole;
            }
            // The error is sum w^2 - cross^2 / square.
            float gain = square > 0 ? cross * cross / square : 0;
            if (gain > best_gain) {
                best_gain = gain;
                best_scale = square > 0 ? cross / square : 0;
                best_factor = factor;
            }
        }
    }
    for (nephele_index k = 0; k < count; k++) {
        float whole = nearest(w[k] * best_factor, 8);
        q[k] = (int8_t)(whole > 7 ? 7 : whole);
    }
    return best_scale;
}

static float fit_eight_bits(const float *w, nephele_index count, int8_t *q) {
    float largest = magnitude_scalar(w, count), factor = largest > 0 ? 127 / largest : 0;
    for (nephele_index k = 0; k < count; k++)
        q[k] = (int8_t)nearest(w[k] * factor, 127);
    return largest / 127;
}

void nephele_quantize_weights(const void *args, nephele_index begin, nephele_index end) {
    const nephele_quantize_weights_args *a = args;
    nephele_index groups = (a->depth + a->group - 1) / a->group;
    for (nephele_index n = begin; n < end; n++) {
        for (nephele_index g = 0; g < groups; g++) {
            nephele_index count = a->depth - g * a->group < a->group ? a->depth - g * a->group : a->group;
            const float *source = a->source + n * a->column_stride + g * a->group * a->depth_stride;
            float w[NEPHELE_MAX_GROUP];
            for (nephele_index k = 0; k < count; k++)
                w[k] = source[k * a->depth_stride];
            int8_t *q = a->q + (n * groups + g) * a->group;
            memset(q, 0, (size_t)a->group);
            a->scales[n * groups + g] = a->bits == 8 ? fit_eight_bits(w, count, q) : fit_four_bits(w, count, q);
        }
    }
}
