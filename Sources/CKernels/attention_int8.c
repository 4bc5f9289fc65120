#include "simd.h"

typedef int8_t cached;
typedef int8_t i8x16 __attribute__((vector_size(16)));
#define cached_scales 1
#define widen(x) ((float)(x))
#define NEPHELE_ATTENTION(suffix) nephele_attention_int8##suffix
#define NEPHELE_KV_WRITE nephele_kv_write_int8

NEPHELE_INLINE f32x16 widen16(const int8_t *p) {
    i8x16 v;
    memcpy(&v, p, sizeof v);
    return __builtin_convertvector(__builtin_convertvector(v, i32x16), f32x16);
}

/// The row's largest magnitude becomes 127; ties to even; NaN becomes 0.
static void store_row(uint8_t *block, nephele_index slot, const float *row, nephele_index dim) {
    float largest = 0;
    for (nephele_index d = 0; d < dim; d++)
        largest = fabsf(row[d]) > largest ? fabsf(row[d]) : largest;
    float factor = largest > 0 ? 127 / largest : 0, scale = largest / 127;
    cached *stored = (cached *)block + slot * dim;
    for (nephele_index d = 0; d < dim; d++) {
        float whole = rintf(row[d] * factor);
        stored[d] = (cached)(whole >= -127 && whole <= 127 ? whole : whole > 0 ? 127 : whole < 0 ? -127 : 0);
    }
    memcpy(block + NEPHELE_PAGE * dim + slot * (nephele_index)sizeof(float), &scale, sizeof scale);
}

#include "attention.h"

NEPHELE_KERNEL(nephele_attention_int8)
