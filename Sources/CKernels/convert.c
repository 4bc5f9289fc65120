#include "half.h"
#include <math.h>

void nephele_widen_bf16(const void *source, nephele_index count, float *y) {
    const uint16_t *halves = source;
    for (nephele_index i = 0; i < count; i++)
        y[i] = widen_bf16(halves[i]);
}

void nephele_widen_f16(const void *source, nephele_index count, float *y) {
    const uint16_t *halves = source;
    for (nephele_index i = 0; i < count; i++)
        y[i] = widen_f16(halves[i]);
}

void nephele_narrow_bf16(const float *source, nephele_index count, void *y) {
    unsigned char *p = y;
    for (nephele_index i = 0; i < count; i++) {
        uint16_t half = narrow_bf16(source[i]);
        memcpy(p + 2 * i, &half, 2);
    }
}

void nephele_narrow_f16(const float *source, nephele_index count, void *y) {
    unsigned char *p = y;
    for (nephele_index i = 0; i < count; i++) {
        float magnitude = fabsf(source[i]);
        uint32_t bits;
        uint16_t half;
        memcpy(&bits, &magnitude, 4);
        if (bits > 0x7f800000) {
            half = 0x7e00;
        } else if (bits >= 0x477ff000) {
            half = 0x7c00;
        } else if (bits < 0x38800000) {
            // Denormal: adding 0.5 leaves the mantissa rounded at 2^-24.
            float shifted = magnitude + 0.5f;
            memcpy(&bits, &shifted, 4);
            half = (uint16_t)(bits - 0x3f000000);
        } else {
            half = (uint16_t)((bits - 0x38000000 + 0xfff + (bits >> 13 & 1)) >> 13);
        }
        if (signbit(source[i]))
            half |= 0x8000;
        memcpy(p + 2 * i, &half, 2);
    }
}
