#include "simd.h"

void nephele_widen_bf16(const void *source, nephele_index count, float *y) {
    const unsigned char *p = source;
    for (nephele_index i = 0; i < count; i++) {
        uint16_t half;
        memcpy(&half, p + 2 * i, 2);
        uint32_t bits = (uint32_t)half << 16;
        memcpy(y + i, &bits, 4);
    }
}

void nephele_widen_f16(const void *source, nephele_index count, float *y) {
    const unsigned char *p = source;
    for (nephele_index i = 0; i < count; i++) {
        uint16_t half;
        memcpy(&half, p + 2 * i, 2);
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
        memcpy(y + i, &bits, 4);
    }
}

void nephele_narrow_bf16(const float *source, nephele_index count, void *y) {
    unsigned char *p = y;
    for (nephele_index i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, source + i, 4);
        uint16_t half;
        if ((bits & 0x7fffffff) > 0x7f800000) {
            half = (uint16_t)(bits >> 16 | 0x40);
        } else {
            half = (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
        }
        memcpy(p + 2 * i, &half, 2);
    }
}
