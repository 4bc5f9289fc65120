// Numbers of 16 bits as f32, exactly, and back.
#ifndef NEPHELE_HALF_H
#define NEPHELE_HALF_H

#include "simd.h"

NEPHELE_INLINE float widen_bf16(uint16_t half) {
    uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/// To the nearest, ties to even; NaN stays NaN.
NEPHELE_INLINE uint16_t narrow_bf16(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffff) > 0x7f800000)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

NEPHELE_INLINE float widen_f16(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t exponent = (half >> 10) & 0x1f, mantissa = half & 0x3ff, bits;
    if (exponent == 0x1f) {
        bits = sign | 0x7f800000 | mantissa << 13;
    } else if (exponent) {
        bits = sign | (exponent + 112) << 23 | mantissa << 13;
    } else if (mantissa) {
        int shift = __builtin_clz(mantissa) - 21; // brings the leading one to bit 10
        bits = sign | (uint32_t)(113 - shift) << 23 | ((mantissa << shift) & 0x3ff) << 13;
    } else {
        bits = sign;
    }
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

typedef uint16_t u16x16 __attribute__((vector_size(32)));
typedef uint32_t u32x16 __attribute__((vector_size(64)));
typedef _Float16 f16x16 __attribute__((vector_size(32)));

NEPHELE_INLINE f32x16 widen16_bf16(const uint16_t *p) {
    u16x16 v;
    memcpy(&v, p, sizeof v);
    return (f32x16)(__builtin_convertvector(v, u32x16) << 16);
}

NEPHELE_INLINE f32x16 widen16_f16(const uint16_t *p) {
    f16x16 v;
    memcpy(&v, p, sizeof v);
    return __builtin_convertvector(v, f32x16);
}

#endif
