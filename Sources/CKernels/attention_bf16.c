#include "half.h"

typedef uint16_t cached;
#define cached_scales 0
#define widen widen_bf16
#define widen16 widen16_bf16
#define NEPHELE_ATTENTION(suffix) nephele_attention_bf16##suffix
#define NEPHELE_KV_WRITE nephele_kv_write_bf16

/// To the nearest, ties to even.
static void store_row(uint8_t *block, nephele_index slot, const float *row, nephele_index dim) {
    cached *stored = (cached *)block + slot * dim;
    for (nephele_index d = 0; d < dim; d++)
        stored[d] = narrow_bf16(row[d]);
}

#include "attention.h"

NEPHELE_KERNEL(nephele_attention_bf16)
