#include "nephele_gradients.h"

/// Philox4x32-10 (Salmon et al., SC11); the same as `Philox` in Swift.
static inline void philox(uint32_t c[4], uint32_t k0, uint32_t k1) {
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53 * c[0], p1 = (uint64_t)0xCD9E8D57 * c[2];
        uint32_t c0 = (uint32_t)(p1 >> 32) ^ c[1] ^ k0, c2 = (uint32_t)(p0 >> 32) ^ c[3] ^ k1;
        c[1] = (uint32_t)p1;
        c[3] = (uint32_t)p0;
        c[0] = c0;
        c[2] = c2;
        k0 += 0x9E3779B9;
        k1 += 0xBB67AE85;
    }
}

void nephele_dropout_f32(const void *args, nephele_index begin, nephele_index end) {
    const nephele_dropout_f32_args *a = args;
    for (nephele_index block = begin; block < end; block++) {
        uint32_t words[4] = {(uint32_t)block, a->counter_1, a->counter_2, a->counter_3};
        philox(words, a->key_low, a->key_high);
        nephele_index first = 4 * block, left = a->count - first < 4 ? a->count - first : 4;
        for (nephele_index i = 0; i < left; i++) {
            float u = (float)(words[i] >> 8) * 0x1p-24f;
            a->y[first + i] = u >= a->rate ? a->scale * a->x[first + i] : 0;
        }
    }
}
