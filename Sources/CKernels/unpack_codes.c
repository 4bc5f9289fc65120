// Whole numbers of a few bits, as checkpoints pack them, one to a byte.
#include "nephele_kernels.h"

/// Where AWQ's packing of eight outputs in a word holds output i: 0, 2, 4, 6, 1, 3, 5, 7 stand one after another.
static const int awq_place[8] = {0, 4, 1, 5, 2, 6, 3, 7};

/// `bits` bits from bit `at` on of words that lie `stride` apart.
static uint32_t bits_at(const uint32_t *words, nephele_index stride, nephele_index at, int bits) {
    const uint32_t *word = words + at / 32 * stride;
    int shift = (int)(at % 32);
    uint64_t window = *word;
    if (shift + bits > 32)
        window |= (uint64_t)word[stride] << 32;
    return (uint32_t)(window >> shift) & ((1u << bits) - 1);
}

static uint32_t code_at(const nephele_unpack_codes_args *a, nephele_index n, nephele_index k) {
    switch (a->layout) {
    case NEPHELE_CODES_DOWN_INPUTS:
        return bits_at((const uint32_t *)a->source + n, a->columns, k * a->bits, a->bits);
    case NEPHELE_CODES_AWQ:
        return ((const uint32_t *)a->source)[k * (a->columns / 8) + n / 8] >> (4 * awq_place[n % 8]) & 15;
    case NEPHELE_CODES_ALONG_INPUTS:
        return bits_at((const uint32_t *)a->source + n * a->row_words, 1, k * a->bits, a->bits);
    case NEPHELE_CODES_HIGH_FIRST: {
        nephele_index i = n * a->depth + k;
        return ((const uint8_t *)a->source)[i / 2] >> (i % 2 ? 0 : 4) & 15;
    }
    case NEPHELE_CODES_BYTES:
        return ((const uint8_t *)a->source)[n * a->depth + k];
    }
    return 0;
}

void nephele_unpack_codes(const void *args, nephele_index begin, nephele_index end) {
    const nephele_unpack_codes_args *a = args;
    nephele_index groups = a->zeros ? a->width / a->group : 0;
    // Sixteen outputs at a time: where outputs lie side by side they share the lines of the source.
    for (nephele_index first = begin; first < end; first += 16) {
        nephele_index last = end - first < 16 ? end : first + 16;
        for (nephele_index p = 0; p < a->depth; p++) {
            nephele_index k = a->order ? a->order[p] : p;
            for (nephele_index n = first; n < last; n++) {
                int32_t code = (int32_t)code_at(a, n, k);
                if (a->zeros)
                    code -= a->zeros[n * groups + p / a->group];
                a->codes[n * a->width + p] = (uint8_t)code;
            }
        }
    }
}
