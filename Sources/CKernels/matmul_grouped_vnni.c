// The product of whole numbers in groups by AVX-512 VNNI: 64 products of a byte each an instruction.
#include "matmul_grouped.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET_VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,fma,f16c")))
#define VNNI_INLINE TARGET_VNNI NEPHELE_INLINE

/// Weights that will be needed next: of every block, `count` cache lines from `first` on.
typedef struct {
    const uint8_t *start;
    int first, count;
} fetch_ahead;

/// The stored weights of four inputs: of the `pair`th eight the first (`half` 0) or the second ones.
VNNI_INLINE __m512i load_four(const grouped_format f, const uint8_t *weights, nephele_index pair, const int half,
                              nephele_index group) {
    if (f.bits == 8)
        return _mm512_loadu_si512(weights + 128 * pair + 64 * half);
    __m512i both = _mm512_loadu_si512(weights + 64 * pair);
    __m512i low = _mm512_and_si512(half ? _mm512_srli_epi16(both, 4) : both, _mm512_set1_epi8(15));
    if (f.bits == 4)
        return low;
    const int high_bits = f.bits - 4, shift = (int)(2 * pair + half) * high_bits - 4;
    __m512i high = _mm512_loadu_si512(weights + group / 8 * 64);
    high = shift < 0 ? _mm512_slli_epi16(high, (unsigned)-shift) : _mm512_srli_epi16(high, (unsigned)shift);
    // low | (high & mask)
    return _mm512_ternarylogic_epi32(low, high, _mm512_set1_epi8((char)(((1 << high_bits) - 1) << 4)), 0xf8);
}

/// `rows` rows by `panels` panels: as many chains of whole numbers and as many of floats. Wide rows are two of bytes
/// each (`parts` is 2), whose products come together at the end of a group.
VNNI_INLINE void tile_vnni(const arguments *a, nephele_index m, nephele_index panel, const int rows, const int panels,
                           const int parts, const grouped_format f, fetch_ahead ahead) {
    const nephele_index group = group_size(f, a);
    nephele_index groups = a->depth / group, bytes = block_bytes(f, group), stride = panel_bytes(f, groups, group);
    const uint8_t *block = (const uint8_t *)a->panels + panel * stride;
    const int8_t *x = (const int8_t *)a->x + parts * m * a->depth;
    f32x16 sum[8][2];
    UNROLLED(int r = 0; r < rows; r++) {
        UNROLLED(int p = 0; p < panels; p++) sum[r][p] = (f32x16){0};
    }
    for (nephele_index g = 0; g < groups; block += bytes) {
        for (int line = ahead.first; line < ahead.first + ahead.count; line++) {
            UNROLLED(int p = 0; p < panels; p++)
            __builtin_prefetch(ahead.start + p * stride + g / f.shared * bytes + 64 * line, 0, 2);
        }
        for (nephele_index j = 0; j < f.shared; j++, g++, x += group) {
            const uint8_t *weights = group_weights(f, block, j, group);
            __m512i dot[8][2];
            UNROLLED(int r = 0; r < parts * rows; r++) {
                __m512i start = _mm512_setzero_si512();
                if (f.offset && r % parts == parts - 1)
                    start = _mm512_set1_epi32(-f.offset * a->x_sums[(m + r / parts) * groups + g]);
                UNROLLED(int p = 0; p < panels; p++) dot[r][p] = start;
            }
            for (nephele_index k = 0; k < group; k += 8) {
                UNROLLED(int half = 0; half < 2; half++) {
                    __m512i w[2];
                    UNROLLED(int p = 0; p < panels; p++)
                    w[p] = load_four(f, weights + p * stride, k / 8, half, group);
                    UNROLLED(int r = 0; r < parts * rows; r++) {
                        int32_t four;
                        memcpy(&four, x + r * a->depth + k + 4 * half, sizeof four);
                        __m512i xs = _mm512_set1_epi32(four);
                        UNROLLED(int p = 0; p < panels; p++)
                        dot[r][p] = _mm512_dpbusd_epi32(dot[r][p], w[p], xs);
                    }
                }
            }
            f32x16 scale[2], minimum[2];
            UNROLLED(int p = 0; p < panels; p++) load_scales(f, block + p * stride, j, &scale[p], &minimum[p]);
            UNROLLED(int r = 0; r < rows; r++) {
                UNROLLED(int p = 0; p < panels; p++) {
                    __m512i whole = dot[parts * r][p];
                    if (parts == 2)
                        whole = _mm512_add_epi32(_mm512_slli_epi32(whole, 7), dot[parts * r + 1][p]);
                    add_group(&sum[r][p], (const i32x16 *)&whole, &scale[p], &minimum[p], f.minimums,
                              a->x_scales[(m + r) * groups + g], &a->x_minimum_factors[(m + r) * groups + g]);
                }
            }
        }
    }
    UNROLLED(int r = 0; r < rows; r++) {
        UNROLLED(int p = 0; p < panels; p++) finish(a, m + r, panel + p, &sum[r][p]);
    }
}
#define VNNI_ROWS(rows_)                                                                                               \
    case rows_:                                                                                                        \
        if (parts * rows_ > 8)                                                                                         \
            break;                                                                                                     \
        if (panels == 2)                                                                                               \
            tile_vnni(a, m, panel, rows_, 2, parts, f, ahead);                                                         \
        else                                                                                                           \
            tile_vnni(a, m, panel, rows_, 1, parts, f, ahead);                                                         \
        break;

VNNI_INLINE void product_vnni(const arguments *a, nephele_index begin, nephele_index end, const int parts,
                              const grouped_format f) {
    nephele_index panel = begin;
    nephele_index bytes = block_bytes(f, a->group), stride = panel_bytes(f, a->depth / a->group, a->group);
    int lines = (int)((bytes + 63) / 64);
    // What follows `end` is this thread's next piece.
    nephele_index all = (a->columns + NEPHELE_PANEL - 1) / NEPHELE_PANEL;
    // As many rows as there are registers for.
    const nephele_index most = parts == 2 ? 4 : 6;
    nephele_index tiles = (a->rows + most - 1) / most;
    // Few rows wait for memory. It is fastest where they read one panel after the other, as one stream.
    const nephele_index few = parts == 2 ? 3 : 6, together = a->rows <= few ? 1 : 2;
    while (panel < end) {
        nephele_index panels = end - panel >= together ? together : 1, m = 0;
        // Memory works on the next panels while these are multiplied: each tile asks for its share.
        nephele_index next = panel + panels;
        int wanted = a->rows > most && all - next >= panels ? lines : 0;
        for (nephele_index t = 0; t < tiles; t++) {
            nephele_index rows = (a->rows - m + (tiles - t) - 1) / (tiles - t);
            int count = (int)((wanted + (tiles - t) - 1) / (tiles - t));
            fetch_ahead ahead = {(const uint8_t *)a->panels + next * stride, lines - wanted, count};
            wanted -= count;
            switch (rows) {
                VNNI_ROWS(1)
                VNNI_ROWS(2)
                VNNI_ROWS(3)
                VNNI_ROWS(4)
                VNNI_ROWS(5)
                VNNI_ROWS(6)
            }
            m += rows;
        }
        panel += panels;
    }
}

typedef void (*grouped_product)(const arguments *, nephele_index begin, nephele_index end);

#define FORMAT(name_)                                                                                                  \
    TARGET_VNNI static void narrow_##name_(const arguments *a, nephele_index begin, nephele_index end) {               \
        product_vnni(a, begin, end, 1, format_of(NEPHELE_GROUPED_##name_));                                            \
    }                                                                                                                  \
    TARGET_VNNI static void wide_##name_(const arguments *a, nephele_index begin, nephele_index end) {                 \
        product_vnni(a, begin, end, 2, format_of(NEPHELE_GROUPED_##name_));                                            \
    }
FORMAT(8)
FORMAT(4)
FORMAT(Q4_K)
FORMAT(Q5_K)
FORMAT(Q6_K)
FORMAT(4_MINIMUM)
FORMAT(5_MINIMUM)
FORMAT(Q2_K)
FORMAT(Q3_K)
FORMAT(8_MINIMUM)

// In the order of `nephele_grouped_format`.
#define PRODUCTS(rows_)                                                                                                \
    {                                                                                                                  \
        rows_##_8, rows_##_4, rows_##_Q4_K, rows_##_Q5_K, rows_##_Q6_K, rows_##_4_MINIMUM, rows_##_5_MINIMUM,          \
            rows_##_Q2_K, rows_##_Q3_K, rows_##_8_MINIMUM                                                              \
    }

void nephele_grouped_matmul_vnni(const arguments *a, nephele_index begin, nephele_index end) {
    static const grouped_product products[2][10] = {PRODUCTS(narrow), PRODUCTS(wide)};
    products[a->is_wide != 0][a->format](a, begin, end);
}
#endif
