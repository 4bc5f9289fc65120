#include "simd.h"

typedef nephele_limit_args nephele_read_limit_args;
typedef nephele_limit_args nephele_fma_limit_args;

static void nephele_read_limit_scalar(const nephele_limit_args *a, nephele_index begin, nephele_index end) {
    for (nephele_index block = begin; block < end; block++) {
        const float *p = a->data + block * a->length;
        float sum = 0;
        for (nephele_index i = 0; i < a->length; i++)
            sum += p[i];
        a->sums[block] = sum;
    }
}

NEPHELE_INLINE void nephele_read_limit_simd(const nephele_limit_args *a, nephele_index begin, nephele_index end) {
    for (nephele_index block = begin; block < end; block++) {
        const float *p = a->data + block * a->length;
        f32x16 s0 = splat16(0), s1 = s0, s2 = s0, s3 = s0;
        for (nephele_index i = 0; i + 64 <= a->length; i += 64) {
            s0 += load16(p + i);
            s1 += load16(p + i + 16);
            s2 += load16(p + i + 32);
            s3 += load16(p + i + 48);
        }
        a->sums[block] = fold16((s0 + s1) + (s2 + s3));
    }
}

NEPHELE_KERNEL(nephele_read_limit)

static void nephele_fma_limit_scalar(const nephele_limit_args *a, nephele_index begin, nephele_index end) {
    for (nephele_index block = begin; block < end; block++) {
        float chain[192], sum = 0;
        for (int c = 0; c < 192; c++)
            chain[c] = (float)c;
        for (nephele_index i = 0; i < a->length; i++)
            for (int c = 0; c < 192; c++)
                chain[c] = __builtin_fmaf(chain[c], a->data[0], a->data[1]);
        for (int c = 0; c < 192; c++)
            sum += chain[c];
        a->sums[block] = sum;
    }
}

// As many registers as AVX2 has for accumulators: six vectors of 16 floats at a time, twice.
NEPHELE_INLINE float fma_chains(const nephele_limit_args *a, float start) {
    f32x16 m = splat16(a->data[0]), c = splat16(a->data[1]);
    f32x16 x0 = splat16(start), x1 = splat16(start + 1), x2 = splat16(start + 2);
    f32x16 x3 = splat16(start + 3), x4 = splat16(start + 4), x5 = splat16(start + 5);
    for (nephele_index i = 0; i < a->length; i++) {
        x0 = fma16(x0, m, c);
        x1 = fma16(x1, m, c);
        x2 = fma16(x2, m, c);
        x3 = fma16(x3, m, c);
        x4 = fma16(x4, m, c);
        x5 = fma16(x5, m, c);
    }
    return fold16(((x0 + x1) + (x2 + x3)) + (x4 + x5));
}

// Twelve for 512-bit registers: six would wait for the latency of the chain.
NEPHELE_INLINE void nephele_fma_limit_simd(const nephele_limit_args *a, nephele_index begin, nephele_index end) {
    for (nephele_index block = begin; block < end; block++) {
        if (a->isa < NEPHELE_ISA_AVX512) {
            a->sums[block] = fma_chains(a, 0) + fma_chains(a, 6);
            continue;
        }
        f32x16 m = splat16(a->data[0]), c = splat16(a->data[1]), x[12];
        for (int k = 0; k < 12; k++)
            x[k] = splat16((float)k);
        for (nephele_index i = 0; i < a->length; i++)
#pragma clang loop unroll(full)
            for (int k = 0; k < 12; k++)
                x[k] = fma16(x[k], m, c);
        f32x16 sum = x[0];
        for (int k = 1; k < 12; k++)
            sum += x[k];
        a->sums[block] = fold16(sum);
    }
}

NEPHELE_KERNEL(nephele_fma_limit)

static void nephele_byte_limit_scalar(const nephele_limit_args *a, nephele_index begin, nephele_index end) {
    for (nephele_index block = begin; block < end; block++) {
        int32_t chain[1536] = {0}, sum = 0, w = (int32_t)a->data[0], x = (int32_t)a->data[1];
        for (nephele_index i = 0; i < a->length; i++) {
            __asm__ volatile("" : "+r"(w), "+r"(x));
            for (int c = 0; c < 1536; c++)
                chain[c] += w * x;
        }
        for (int c = 0; c < 1536; c++)
            sum += chain[c];
        a->sums[block] = (float)sum;
    }
}

#if defined(__x86_64__)
#include <immintrin.h>

// The instructions that `matmul_grouped_vnni.c` and `matmul_grouped_avx2.c` multiply with, in twelve chains.
#define CHAINS(body)                                                                                                   \
    _Pragma("clang loop unroll(full)") for (int c = 0; c < 12; c++) {                                                  \
        body;                                                                                                          \
    }

__attribute__((target("avx512f,avx512vnni"))) static void byte_limit_vnni(const nephele_limit_args *a,
                                                                          nephele_index begin, nephele_index end) {
    for (nephele_index block = begin; block < end; block++) {
        __m512i w = _mm512_set1_epi8((char)a->data[0]), x = _mm512_set1_epi8((char)a->data[1]), chain[12];
        CHAINS(chain[c] = _mm512_setzero_si512())
        for (nephele_index i = 0; i < 2 * a->length; i++)
            CHAINS(chain[c] = _mm512_dpbusd_epi32(chain[c], w, x))
        CHAINS(chain[0] = c > 0 ? _mm512_add_epi32(chain[0], chain[c]) : chain[0])
        a->sums[block] = (float)_mm512_reduce_add_epi32(chain[0]);
    }
}

NEPHELE_TARGET_AVX2 static void byte_limit_avx2(const nephele_limit_args *a, nephele_index begin, nephele_index end) {
    for (nephele_index block = begin; block < end; block++) {
        __m256i w = _mm256_set1_epi8((char)a->data[0]), x = _mm256_set1_epi8((char)a->data[1]), chain[12];
        CHAINS(chain[c] = _mm256_setzero_si256())
        for (nephele_index i = 0; i < 4 * a->length; i++) {
            CHAINS({
                // Else it would be multiplied once for all.
                __asm__ volatile("" : "+x"(x));
                chain[c] = _mm256_add_epi16(chain[c], _mm256_maddubs_epi16(w, x));
            })
        }
        CHAINS(chain[0] = c > 0 ? _mm256_add_epi16(chain[0], chain[c]) : chain[0])
        a->sums[block] = (float)_mm256_extract_epi16(chain[0], 0);
    }
}
#endif

void nephele_byte_limit(const void *args, nephele_index begin, nephele_index end) {
    const nephele_limit_args *a = args;
#if defined(__x86_64__)
    if (a->isa == NEPHELE_ISA_AVX512_VNNI) {
        byte_limit_vnni(a, begin, end);
        return;
    }
    if (a->isa != NEPHELE_ISA_SCALAR) {
        byte_limit_avx2(a, begin, end);
        return;
    }
#endif
    nephele_byte_limit_scalar(a, begin, end);
}
