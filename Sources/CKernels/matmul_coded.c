// The matrix product of weights that are codes of floats: FP8 (E4M3), or 4 bits into a table of 16 values (NF4, FP4),
// with a scale for every `group` inputs. Rows are not rounded.
//
//   dot = sum over the group of x * value          one FMA chain, k ascending
//   sum = fma(dot, scale, sum)                     one chain over the groups
#include "coded.h"

typedef uint8_t u8x16 __attribute__((vector_size(16)));

static void product_scalar(const nephele_coded_matmul_args *a, nephele_index begin, nephele_index end) {
    nephele_index bytes = coded_block_bytes(a->format, a->group);
    for (nephele_index n = begin * NEPHELE_PANEL; n < end * NEPHELE_PANEL && n < a->columns; n++) {
        nephele_index lane = n % NEPHELE_PANEL;
        const uint8_t *panel =
            (const uint8_t *)a->panels + n / NEPHELE_PANEL * coded_panel_bytes(a->format, a->depth, a->group);
        for (nephele_index m = 0; m < a->rows; m++) {
            const uint8_t *block = panel + table_bytes(a->format);
            float sum = 0;
            for (nephele_index first = 0; first < a->depth; first += a->group, block += bytes) {
                float dot = 0;
                for (nephele_index k = 0; k < a->group && first + k < a->depth; k++)
                    dot = fmaf(a->x[m * a->x_stride + first + k], coded_value(a->format, panel, block + 64, k, lane),
                               dot);
                sum = fmaf(dot, coded_scale(block, lane), sum);
            }
            if (a->bias)
                sum += a->bias[n];
            if (a->residual)
                sum += a->residual[m * a->residual_stride + n];
            a->y[m * a->y_stride + n] = sum;
        }
    }
}

#if defined(__x86_64__)
#include <immintrin.h>

NEPHELE_INLINE void finish(const nephele_coded_matmul_args *a, nephele_index m, nephele_index panel,
                           const f32x16 *total) {
    f32x16 sum = *total;
    nephele_index n = panel * NEPHELE_PANEL;
    nephele_index count = a->columns - n < NEPHELE_PANEL ? a->columns - n : NEPHELE_PANEL;
    if (a->bias)
        sum += count == NEPHELE_PANEL ? load16(a->bias + n) : load_partial16(a->bias + n, count);
    if (a->residual) {
        const float *residual = a->residual + m * a->residual_stride + n;
        sum += count == NEPHELE_PANEL ? load16(residual) : load_partial16(residual, count);
    }
    memcpy(a->y + m * a->y_stride + n, &sum, (size_t)count * sizeof(float));
}

#define UNROLLED _Pragma("clang loop unroll(full)") for

#define CODED(name) name##_avx512
#define CODED_TARGET NEPHELE_TARGET_AVX512
#define CODED_TILE 6
typedef struct {
    __m512 values;
} table_avx512;

CODED_TARGET NEPHELE_INLINE void load_table_avx512(table_avx512 *table, const uint8_t *values) {
    table->values = _mm512_loadu_ps(values);
}

CODED_TARGET NEPHELE_INLINE f32x16 look_up_avx512(const table_avx512 *table, const uint8_t *codes, int high) {
    __m512i index = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)codes));
    // The instruction looks at the low four bits only.
    return (f32x16)_mm512_permutexvar_ps(high ? _mm512_srli_epi32(index, 4) : index, table->values);
}
#include "matmul_coded.h"
#undef CODED
#undef CODED_TARGET
#undef CODED_TILE

#define CODED(name) name##_avx2
#define CODED_TARGET NEPHELE_TARGET_AVX2
#define CODED_TILE 3
typedef struct {
    __m256 low, high;
} table_avx2;

CODED_TARGET NEPHELE_INLINE void load_table_avx2(table_avx2 *table, const uint8_t *values) {
    table->low = _mm256_loadu_ps((const float *)values);
    table->high = _mm256_loadu_ps((const float *)(values + 32));
}

CODED_TARGET NEPHELE_INLINE f32x16 look_up_avx2(const table_avx2 *table, const uint8_t *codes, int high) {
    __m256 half[2];
    for (int i = 0; i < 2; i++) {
        __m256i index = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(codes + 8 * i)));
        if (high)
            index = _mm256_srli_epi32(index, 4);
        // Three bits choose within a half of the table, the fourth, brought to the sign, between the halves.
        half[i] =
            _mm256_blendv_ps(_mm256_permutevar8x32_ps(table->low, index), _mm256_permutevar8x32_ps(table->high, index),
                             _mm256_castsi256_ps(_mm256_slli_epi32(index, 28)));
    }
    f32x16 values;
    memcpy(&values, half, sizeof values);
    return values;
}
#include "matmul_coded.h"
#endif

void nephele_coded_matmul(const void *args, nephele_index begin, nephele_index end) {
    const nephele_coded_matmul_args *a = args;
#if defined(__x86_64__)
    const int is_table = a->format == NEPHELE_CODED_TABLE;
    if (a->isa == NEPHELE_ISA_AVX512 || a->isa == NEPHELE_ISA_AVX512_VNNI) {
        (is_table ? four_avx512 : e4m3_avx512)(a, begin, end);
        return;
    }
    if (a->isa == NEPHELE_ISA_AVX2) {
        (is_table ? four_avx2 : e4m3_avx2)(a, begin, end);
        return;
    }
#endif
    product_scalar(a, begin, end);
}
