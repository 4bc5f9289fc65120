// A checksum of large data at the speed of memory, against truncation and rot, not against intent.
#include "simd.h"

#define LANES 8

void nephele_checksum(const void *args, nephele_index begin, nephele_index end) {
    const nephele_checksum_args *a = args;
    for (nephele_index block = begin; block < end; block++) {
        const uint8_t *p = a->data + block * a->block_bytes;
        nephele_index count = a->bytes - block * a->block_bytes, i = 0;
        if (count > a->block_bytes)
            count = a->block_bytes;
        // Eight independent chains of FNV-1a's step on words.
        uint64_t chain[LANES];
        for (int lane = 0; lane < LANES; lane++)
            chain[lane] = 0xcbf29ce484222325 + (uint64_t)lane;
        for (; i + 8 * LANES <= count; i += 8 * LANES) {
            for (int lane = 0; lane < LANES; lane++) {
                uint64_t word;
                memcpy(&word, p + i + 8 * lane, sizeof word);
                chain[lane] = (chain[lane] ^ word ^ chain[lane] >> 29) * 0x100000001b3;
            }
        }
        uint64_t sum = (uint64_t)count;
        for (; i < count; i++)
            sum = (sum ^ p[i]) * 0x100000001b3;
        for (int lane = 0; lane < LANES; lane++)
            sum = (sum ^ chain[lane] ^ sum >> 32) * 0x9e3779b97f4a7c15;
        a->sums[block] = sum;
    }
}
