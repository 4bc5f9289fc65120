#include "simd.h"

typedef float cached;
#define cached_scales 0
#define widen(x) (x)
#define widen16 load16
#define NEPHELE_ATTENTION(suffix) nephele_attention_f32##suffix
#define NEPHELE_KV_WRITE nephele_kv_write_f32

static void store_row(uint8_t *block, nephele_index slot, const float *row, nephele_index dim) {
    memcpy((float *)block + slot * dim, row, (size_t)dim * sizeof(float));
}

#include "attention.h"

NEPHELE_KERNEL(nephele_attention_f32)

NEPHELE_INLINE void full(int simd, const nephele_full_attention_f32_args *a, nephele_index begin, nephele_index end) {
    for (nephele_index unit = begin; unit < end; unit++) {
        nephele_index m = unit / a->heads, head = unit % a->heads;
        const uint8_t *keys = (const uint8_t *)(a->k + head * a->head_dim);
        const uint8_t *values = (const uint8_t *)(a->v + head * a->head_dim);
        source s = {keys, values, 0, 0, a->k_stride, a->v_stride};
        query unit = {a->q + m * a->q_stride + head * a->head_dim,
                      a->y + m * a->y_stride + head * a->head_dim,
                      0,
                      a->keys - 1,
                      0,
                      0,
                      0};
        attend(simd, 0, &unit, 1, &s, a->head_dim, a->head_dim, a->scale, 0);
    }
}

static void nephele_full_attention_f32_scalar(const nephele_full_attention_f32_args *a, nephele_index begin,
                                              nephele_index end) {
    full(0, a, begin, end);
}

NEPHELE_INLINE void nephele_full_attention_f32_simd(const nephele_full_attention_f32_args *a, nephele_index begin,
                                                    nephele_index end) {
    full(1, a, begin, end);
}

NEPHELE_KERNEL(nephele_full_attention_f32)
