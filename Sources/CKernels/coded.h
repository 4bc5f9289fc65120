// Weights as codes of floats with a scale for every `group` inputs: where a panel holds what.
//
// A panel of 16 outputs begins with the 16 values of its codes in f32 (codes of 4 bits only). A block for each group
// follows: 16 scales in f32, then the codes, `[group][16]` bytes of E4M3, or `[group/2][16]` bytes with an even input's
// code in the low half and the next one's in the high half.
//
// A code of E4M3 (OCP 8-bit floating point: 4 bits of exponent, 3 of mantissa) becomes f16 by a shift, 256 times too
// small; the scales in the panel are 256 times larger.
#ifndef NEPHELE_CODED_H
#define NEPHELE_CODED_H

#include "half.h"

#define CODED_SCALE 256.0f

/// Bytes of the values at the start of a panel.
NEPHELE_INLINE nephele_index table_bytes(nephele_coded_format format) {
    return format == NEPHELE_CODED_TABLE ? 64 : 0;
}

NEPHELE_INLINE nephele_index coded_block_bytes(nephele_coded_format format, nephele_index group) {
    return 64 + (format == NEPHELE_CODED_TABLE ? group / 2 : group) * NEPHELE_PANEL;
}

NEPHELE_INLINE nephele_index coded_panel_bytes(nephele_coded_format format, nephele_index depth, nephele_index group) {
    return table_bytes(format) + (depth + group - 1) / group * coded_block_bytes(format, group);
}

NEPHELE_INLINE uint16_t half_of_e4m3(uint8_t code) {
    return (uint16_t)((code & 0x7f) << 7 | (code & 0x80) << 8);
}

/// What the code of input k of a block's lane stands for, before the scale.
NEPHELE_INLINE float coded_value(nephele_coded_format format, const uint8_t *panel, const uint8_t *codes,
                                 nephele_index k, nephele_index lane) {
    if (format == NEPHELE_CODED_E4M3)
        return widen_f16(half_of_e4m3(codes[k * NEPHELE_PANEL + lane]));
    float value;
    uint8_t code = codes[k / 2 * NEPHELE_PANEL + lane] >> (k % 2 * 4) & 15;
    memcpy(&value, panel + code * sizeof(float), sizeof value);
    return value;
}

NEPHELE_INLINE float coded_scale(const uint8_t *block, nephele_index lane) {
    float scale;
    memcpy(&scale, block + lane * sizeof(float), sizeof scale);
    return scale;
}

#endif
