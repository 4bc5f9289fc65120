// Weights of whole numbers in groups: the formats, and where a panel holds what.
//
// A panel of 16 outputs is a row of blocks. A block of the formats 8 and 4, and of those with a minimum, is one
// group: 16 scales in f32, 16 minimums where there are any, then the weights. A block of the K formats is 256 inputs,
// whose scales and minimums are small multiples of factors in f16:
//
//   16 factors of the scales, 16 of the minimums (zero where there are none), f16     FACTORS = 64 bytes
//   for each group 16 steps of the scale, 8 bits, signed
//   for each group 16 steps of the minimum, 8 bits        (where there are minimums)
//   for each group its weights
//
// A scale is factor * step, exact in f32 (11 bits times 8), and so is a minimum; a weight is
// scale * (stored - offset) - minimum.
//
// The weights of a group begin with their low four bits, `[group/8][16][4]` bytes: of eight inputs the first four in
// the low halves, the others in the high ones; formats of 2 and 3 bits have no more. The formats of 5 and 6 bits have
// 64 bytes more, `[16][4]`, that hold the remaining 1 or 2 bits of inputs 4s to 4s + 3 at bit s or 2s. Weights of 8
// bits are `[group/4][16][4]`.
#ifndef NEPHELE_GROUPED_H
#define NEPHELE_GROUPED_H

#include "half.h"

typedef struct {
    int bits;
    /// Groups in a block.
    nephele_index shared;
    /// Whether there are minimums.
    int minimums;
    /// How far above its value a weight is stored.
    int32_t offset;
} grouped_format;

/// Bytes of the factors at the start of a K block.
#define FACTORS 64

NEPHELE_INLINE grouped_format format_of(nephele_grouped_format format) {
    switch (format) {
    case NEPHELE_GROUPED_4:
        return (grouped_format){4, 1, 0, 8};
    case NEPHELE_GROUPED_Q4_K:
        return (grouped_format){4, 8, 1, 0};
    case NEPHELE_GROUPED_Q5_K:
        return (grouped_format){5, 8, 1, 0};
    case NEPHELE_GROUPED_Q6_K:
        return (grouped_format){6, 16, 0, 32};
    case NEPHELE_GROUPED_4_MINIMUM:
        return (grouped_format){4, 1, 1, 0};
    case NEPHELE_GROUPED_5_MINIMUM:
        return (grouped_format){5, 1, 1, 0};
    case NEPHELE_GROUPED_Q2_K:
        return (grouped_format){4, 16, 1, 0};
    case NEPHELE_GROUPED_Q3_K:
        return (grouped_format){4, 16, 0, 4};
    case NEPHELE_GROUPED_8_MINIMUM:
        return (grouped_format){8, 1, 1, 0};
    case NEPHELE_GROUPED_8:
        break;
    }
    return (grouped_format){8, 1, 0, 128};
}

NEPHELE_INLINE nephele_index weight_bytes(const grouped_format f, nephele_index group) {
    return f.bits == 8 ? group * NEPHELE_PANEL : group / 8 * 64 + (f.bits > 4 ? 64 : 0);
}

/// Bytes before a block's weights.
NEPHELE_INLINE nephele_index header_bytes(const grouped_format f) {
    nephele_index kinds = f.minimums ? 2 : 1;
    return f.shared == 1 ? 64 * kinds : FACTORS + f.shared * NEPHELE_PANEL * kinds;
}

NEPHELE_INLINE nephele_index block_bytes(const grouped_format f, nephele_index group) {
    return header_bytes(f) + f.shared * weight_bytes(f, group);
}

NEPHELE_INLINE nephele_index panel_bytes(const grouped_format f, nephele_index groups, nephele_index group) {
    return groups / f.shared * block_bytes(f, group);
}

/// The block that holds group `g`.
NEPHELE_INLINE const uint8_t *block_of(const grouped_format f, const uint8_t *panel, nephele_index g,
                                       nephele_index group) {
    return panel + g / f.shared * block_bytes(f, group);
}

/// The weights of a block's group `j`.
NEPHELE_INLINE const uint8_t *group_weights(const grouped_format f, const uint8_t *block, nephele_index j,
                                            nephele_index group) {
    return block + header_bytes(f) + j * weight_bytes(f, group);
}

/// Weight k of a column within a group's weights, above its value by the offset.
NEPHELE_INLINE int32_t stored_weight(const grouped_format f, const uint8_t *weights, nephele_index group,
                                     nephele_index lane, nephele_index k) {
    nephele_index place = lane * 4 + k % 4, s = k / 4;
    if (f.bits == 8)
        return weights[s * 64 + place];
    int32_t low = weights[s / 2 * 64 + place] >> (s % 2 * 4) & 15;
    if (f.bits == 4)
        return low;
    int high_bits = f.bits - 4;
    return low | (weights[group / 8 * 64 + place] >> (s * high_bits) & ((1 << high_bits) - 1)) << 4;
}

/// Stores it where `stored_weight` finds it; the weights are zero before.
NEPHELE_INLINE void store_weight(const grouped_format f, uint8_t *weights, nephele_index group, nephele_index lane,
                                 nephele_index k, uint32_t stored) {
    nephele_index place = lane * 4 + k % 4, s = k / 4;
    if (f.bits == 8) {
        weights[s * 64 + place] = (uint8_t)stored;
        return;
    }
    weights[s / 2 * 64 + place] |= (uint8_t)((stored & 15) << (s % 2 * 4));
    if (f.bits > 4)
        weights[group / 8 * 64 + place] |= (uint8_t)((stored >> 4) << (s * (f.bits - 4)));
}

/// factor * step of a K block's lane: `kind` 0 for the scale of group `j`, 1 for its minimum.
NEPHELE_INLINE float shared_factor(const grouped_format f, const uint8_t *block, nephele_index j, nephele_index lane,
                                   int kind) {
    uint16_t factor;
    memcpy(&factor, block + kind * FACTORS / 2 + lane * 2, sizeof factor);
    return widen_f16(factor) * (float)(int8_t)block[FACTORS + (kind * f.shared + j) * NEPHELE_PANEL + lane];
}

NEPHELE_INLINE float group_scale(const grouped_format f, const uint8_t *block, nephele_index j, nephele_index lane) {
    if (f.shared > 1)
        return shared_factor(f, block, j, lane, 0);
    float scale;
    memcpy(&scale, block + lane * sizeof(float), sizeof scale);
    return scale;
}

NEPHELE_INLINE float group_minimum(const grouped_format f, const uint8_t *block, nephele_index j, nephele_index lane) {
    if (f.shared > 1)
        return shared_factor(f, block, j, lane, 1);
    float minimum;
    memcpy(&minimum, block + 64 + lane * sizeof(float), sizeof minimum);
    return minimum;
}

#endif
