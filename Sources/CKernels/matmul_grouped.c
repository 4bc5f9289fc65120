// The matrix product of whole numbers in groups: weights of 4 to 8 bits with a scale (and where the format has one, a
// minimum) for every `group` inputs, times activations of 8 bits, or of 15 ("wide"), with a scale a group. The formats
// and their layouts are in `grouped.h`.
//
//   dot  = sum over the group of qw * qx                exact, int32
//   sum  = fma((float)dot, scale_w * scale_x, sum)      one chain over the groups, k ascending
//   sum  = fma(minimum, -(scale_x * (float)sum_x), sum) after it, where there are minimums
//
// Weights are stored unsigned, `offset` above their value, so that the machine's unsigned-by-signed products apply; the
// chain starts at -offset * sum_x. Sums that saturate (vpmaddubsw) are not used.
#include "grouped.h"

typedef nephele_grouped_matmul_args arguments;

static void product_scalar(const arguments *a, nephele_index begin, nephele_index end) {
    const grouped_format f = format_of(a->format);
    nephele_index groups = a->depth / a->group;
    for (nephele_index n = begin * NEPHELE_PANEL; n < end * NEPHELE_PANEL && n < a->columns; n++) {
        nephele_index lane = n % NEPHELE_PANEL;
        const uint8_t *panel = (const uint8_t *)a->panels + n / NEPHELE_PANEL * panel_bytes(f, groups, a->group);
        for (nephele_index m = 0; m < a->rows; m++) {
            float sum = 0;
            for (nephele_index g = 0; g < groups; g++) {
                nephele_index first = m * a->depth + g * a->group;
                const uint8_t *block = block_of(f, panel, g, a->group);
                const uint8_t *weights = group_weights(f, block, g % f.shared, a->group);
                int32_t sum_x = a->x_sums[m * groups + g], dot = -f.offset * sum_x;
                for (nephele_index k = 0; k < a->group; k++) {
                    int32_t x = a->is_wide ? ((const int16_t *)a->x)[first + k] : ((const int8_t *)a->x)[first + k];
                    dot += stored_weight(f, weights, a->group, lane, k) * x;
                }
                float scale_x = a->x_scales[m * groups + g];
                sum = fmaf((float)dot, group_scale(f, block, g % f.shared, lane) * scale_x, sum);
                if (f.minimums)
                    sum = fmaf(group_minimum(f, block, g % f.shared, lane), -(scale_x * (float)sum_x), sum);
            }
            if (a->bias)
                sum += a->bias[n];
            if (a->residual)
                sum += a->residual[m * a->residual_stride + n];
            a->y[m * a->y_stride + n] = sum;
        }
    }
}

// (Vectors go by address between functions of different targets.)
NEPHELE_INLINE void finish(const arguments *a, nephele_index m, nephele_index panel, const f32x16 *total) {
    f32x16 sum = *total;
    nephele_index n = panel * NEPHELE_PANEL;
    nephele_index count = a->columns - n < NEPHELE_PANEL ? a->columns - n : NEPHELE_PANEL;
    float *y = a->y + m * a->y_stride + n;
    if (a->bias)
        sum += count == NEPHELE_PANEL ? load16(a->bias + n) : load_partial16(a->bias + n, count);
    if (a->residual) {
        const float *residual = a->residual + m * a->residual_stride + n;
        sum += count == NEPHELE_PANEL ? load16(residual) : load_partial16(residual, count);
    }
    memcpy(y, &sum, (size_t)count * sizeof(float));
}

/// Scales and minimums of 16 outputs for group `j` of a block.
NEPHELE_INLINE void load_scales(const grouped_format f, const uint8_t *block, nephele_index j, f32x16 *scale,
                                f32x16 *minimum) {
    if (f.shared == 1) {
        memcpy(scale, block, sizeof *scale);
        if (f.minimums)
            memcpy(minimum, block + sizeof *scale, sizeof *minimum);
        return;
    }
    i8x16 steps;
    memcpy(&steps, block + FACTORS + j * NEPHELE_PANEL, sizeof steps);
    *scale = widen16_f16((const uint16_t *)block) * __builtin_convertvector(steps, f32x16);
    if (f.minimums) {
        memcpy(&steps, block + FACTORS + (f.shared + j) * NEPHELE_PANEL, sizeof steps);
        *minimum = widen16_f16((const uint16_t *)(block + FACTORS / 2)) * __builtin_convertvector(steps, f32x16);
    }
}

/// What a group's whole-number products add to an output's chain.
NEPHELE_INLINE void add_group(f32x16 *sum, const i32x16 *dot, const f32x16 *scale, const f32x16 *minimum, int minimums,
                              float scale_x, int32_t sum_x) {
    *sum = fma16(__builtin_convertvector(*dot, f32x16), *scale * splat16(scale_x), *sum);
    if (minimums)
        *sum = fma16(*minimum, splat16(-(scale_x * (float)sum_x)), *sum);
}

#define UNROLLED _Pragma("clang loop unroll(full)") for

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET_VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,fma,f16c")))
#define VNNI_INLINE TARGET_VNNI NEPHELE_INLINE
#define TARGET_AVX2 __attribute__((target("avx2,fma,f16c")))

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
    // Formats of 5 and 6 bits have one size of group: known to the compiler, their loops are unrolled.
    const nephele_index group = f.bits == 5 ? 32 : f.bits == 6 ? 16 : a->group;
    nephele_index groups = a->depth / group, bytes = block_bytes(f, group), stride = panel_bytes(f, groups, group);
    const uint8_t *block = (const uint8_t *)a->panels + panel * stride;
    const int8_t *x = (const int8_t *)a->x + parts * m * a->depth;
    f32x16 sum[8][4];
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
            __m512i dot[8][4];
            UNROLLED(int r = 0; r < parts * rows; r++) {
                __m512i start = _mm512_setzero_si512();
                if (f.offset && r % parts == parts - 1)
                    start = _mm512_set1_epi32(-f.offset * a->x_sums[(m + r / parts) * groups + g]);
                UNROLLED(int p = 0; p < panels; p++) dot[r][p] = start;
            }
            for (nephele_index k = 0; k < group; k += 8) {
                UNROLLED(int half = 0; half < 2; half++) {
                    __m512i w[4];
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
            f32x16 scale[4], minimum[4];
            UNROLLED(int p = 0; p < panels; p++) load_scales(f, block + p * stride, j, &scale[p], &minimum[p]);
            UNROLLED(int r = 0; r < rows; r++) {
                UNROLLED(int p = 0; p < panels; p++) {
                    __m512i whole = dot[parts * r][p];
                    if (parts == 2)
                        whole = _mm512_add_epi32(_mm512_slli_epi32(whole, 7), dot[parts * r + 1][p]);
                    add_group(&sum[r][p], (const i32x16 *)&whole, &scale[p], &minimum[p], f.minimums,
                              a->x_scales[(m + r) * groups + g], a->x_sums[(m + r) * groups + g]);
                }
            }
        }
    }
    UNROLLED(int r = 0; r < rows; r++) {
        UNROLLED(int p = 0; p < panels; p++) finish(a, m + r, panel + p, &sum[r][p]);
    }
}

/// The stored weights of inputs 4s to 4s + 3 of columns 4c to 4c + 3.
TARGET_AVX2 NEPHELE_INLINE __m128i load_sixteen(const grouped_format f, const uint8_t *weights, nephele_index s, int c,
                                                nephele_index group) {
    if (f.bits == 8)
        return _mm_loadu_si128((const __m128i *)(weights + s * 64 + c * 16));
    __m128i both = _mm_loadu_si128((const __m128i *)(weights + s / 2 * 64 + c * 16));
    __m128i low = _mm_and_si128(s % 2 ? _mm_srli_epi16(both, 4) : both, _mm_set1_epi8(15));
    if (f.bits == 4)
        return low;
    const int high_bits = f.bits - 4;
    __m128i high = _mm_loadu_si128((const __m128i *)(weights + group / 8 * 64 + c * 16));
    high = _mm_srl_epi16(high, _mm_cvtsi32_si128((int)s * high_bits));
    high = _mm_and_si128(high, _mm_set1_epi8((char)((1 << high_bits) - 1)));
    return _mm_or_si128(low, _mm_slli_epi16(high, 4));
}

/// Four inputs in 16 bits, four times over.
TARGET_AVX2 NEPHELE_INLINE __m256i load_inputs(const arguments *a, nephele_index at, const int wide) {
    if (wide)
        return _mm256_broadcastq_epi64(_mm_loadl_epi64((const void *)((const int16_t *)a->x + at)));
    int32_t four;
    memcpy(&four, (const int8_t *)a->x + at, sizeof four);
    return _mm256_broadcastq_epi64(_mm_cvtepi8_epi16(_mm_cvtsi32_si128(four)));
}

/// AVX2, and AVX-512 without VNNI, have no such product: bytes become 16-bit numbers, of which pairs are multiplied and
/// added.
TARGET_AVX2 NEPHELE_INLINE void tile_avx2(const arguments *a, nephele_index m, nephele_index panel, const int rows,
                                          const int wide, const grouped_format f) {
    nephele_index groups = a->depth / a->group, group = a->group, bytes = block_bytes(f, group);
    const uint8_t *block = (const uint8_t *)a->panels + panel * panel_bytes(f, groups, group);
    nephele_index first = m * a->depth;
    f32x16 sum[3];
    UNROLLED(int r = 0; r < rows; r++) sum[r] = (f32x16){0};
    for (nephele_index g = 0; g < groups; g++, first += group) {
        nephele_index j = g % f.shared;
        // Of each column two partial sums, side by side: four columns a register.
        __m256i pairs[3][4];
        UNROLLED(int r = 0; r < rows; r++) {
            UNROLLED(int c = 0; c < 4; c++) pairs[r][c] = _mm256_setzero_si256();
        }
        const uint8_t *weights = group_weights(f, block, j, group);
        for (nephele_index k = 0; k < group; k += 4) {
            __m256i xs[3];
            UNROLLED(int r = 0; r < rows; r++) xs[r] = load_inputs(a, first + r * a->depth + k, wide);
            UNROLLED(int c = 0; c < 4; c++) {
                __m256i w = _mm256_cvtepu8_epi16(load_sixteen(f, weights, k / 4, c, group));
                UNROLLED(int r = 0; r < rows; r++)
                pairs[r][c] = _mm256_add_epi32(pairs[r][c], _mm256_madd_epi16(w, xs[r]));
            }
        }
        f32x16 scale, minimum;
        load_scales(f, block, j, &scale, &minimum);
        UNROLLED(int r = 0; r < rows; r++) {
            // hadd works within halves of a register: columns 0 1 4 5 2 3 6 7.
            __m256i dot[2];
            UNROLLED(int half = 0; half < 2; half++) {
                __m256i mixed = _mm256_hadd_epi32(pairs[r][2 * half], pairs[r][2 * half + 1]);
                dot[half] = _mm256_permute4x64_epi64(mixed, 0xd8);
            }
            i32x16 whole;
            memcpy(&whole, dot, sizeof whole);
            int32_t sum_x = a->x_sums[(m + r) * groups + g];
            if (f.offset)
                whole += -f.offset * sum_x;
            add_group(&sum[r], &whole, &scale, &minimum, f.minimums, a->x_scales[(m + r) * groups + g], sum_x);
        }
        if (j + 1 == f.shared)
            block += bytes;
    }
    UNROLLED(int r = 0; r < rows; r++) finish(a, m + r, panel, &sum[r]);
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
    if (a->rows == 1) {
        // Panels are short: the processor's own fetching, which starts anew with each, falls behind.
        for (; panel + 4 <= end; panel += 4) {
            const uint8_t *next = (const uint8_t *)a->panels + (panel + 4) * stride;
            tile_vnni(a, 0, panel, 1, 4, parts, f, (fetch_ahead){next, 0, all - panel >= 8 ? lines : 0});
        }
    }
    // As many rows as there are registers for.
    const nephele_index most = parts == 2 ? 4 : 6;
    nephele_index tiles = (a->rows + most - 1) / most;
    while (panel < end) {
        nephele_index panels = end - panel >= 2 ? 2 : 1, m = 0;
        // Memory works on the next panels while these are multiplied: each tile asks for its share. (Few rows wait
        // for their own panels as it is.)
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

TARGET_AVX2 NEPHELE_INLINE void product_avx2(const arguments *a, nephele_index begin, nephele_index end,
                                             const int parts, const grouped_format f) {
    const int wide = parts == 2;
    nephele_index tiles = (a->rows + 2) / 3;
    for (nephele_index panel = begin; panel < end; panel++) {
        nephele_index m = 0;
        for (nephele_index t = 0; t < tiles; t++) {
            nephele_index rows = (a->rows - m + (tiles - t) - 1) / (tiles - t);
            if (rows == 3)
                tile_avx2(a, m, panel, 3, wide, f);
            else if (rows == 2)
                tile_avx2(a, m, panel, 2, wide, f);
            else
                tile_avx2(a, m, panel, 1, wide, f);
            m += rows;
        }
    }
}

#define PRODUCT(isa_, target_, name_)                                                                                  \
    target_ static void isa_##_##name_(const arguments *a, nephele_index begin, nephele_index end) {                   \
        product_##isa_(a, begin, end, 1, format_of(NEPHELE_GROUPED_##name_));                                          \
    }                                                                                                                  \
    target_ static void isa_##_wide_##name_(const arguments *a, nephele_index begin, nephele_index end) {              \
        product_##isa_(a, begin, end, 2, format_of(NEPHELE_GROUPED_##name_));                                          \
    }
#define FORMAT(name_) PRODUCT(vnni, TARGET_VNNI, name_) PRODUCT(avx2, TARGET_AVX2, name_)
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
#define PRODUCTS(isa_)                                                                                                 \
    {                                                                                                                  \
        isa_##_8, isa_##_4, isa_##_Q4_K, isa_##_Q5_K, isa_##_Q6_K, isa_##_4_MINIMUM, isa_##_5_MINIMUM, isa_##_Q2_K,    \
            isa_##_Q3_K, isa_##_8_MINIMUM                                                                              \
    }
// By instruction set, and whether rows are wide.
static void (*const products[2][2][10])(const arguments *, nephele_index, nephele_index) = {
    {PRODUCTS(avx2), PRODUCTS(avx2_wide)}, {PRODUCTS(vnni), PRODUCTS(vnni_wide)}};
#endif

nephele_index nephele_grouped_panel_bytes(nephele_grouped_format format, nephele_index groups, nephele_index group) {
    return panel_bytes(format_of(format), groups, group);
}

void nephele_grouped_matmul(const void *args, nephele_index begin, nephele_index end) {
    const arguments *a = args;
#if defined(__x86_64__)
    if (a->isa != NEPHELE_ISA_SCALAR) {
        products[a->isa == NEPHELE_ISA_AVX512_VNNI][a->is_wide != 0][a->format](a, begin, end);
        return;
    }
#endif
    product_scalar(a, begin, end);
}

void nephele_gather_grouped(const void *args, nephele_index begin, nephele_index end) {
    const nephele_gather_grouped_args *a = args;
    const grouped_format f = format_of(a->format);
    nephele_index groups = (a->depth + a->group - 1) / a->group;
    for (nephele_index m = begin; m < end; m++) {
        nephele_index lane = a->ids[m] % NEPHELE_PANEL;
        const uint8_t *panel =
            (const uint8_t *)a->panels + a->ids[m] / NEPHELE_PANEL * panel_bytes(f, groups, a->group);
        for (nephele_index k = 0; k < a->depth; k++) {
            nephele_index g = k / a->group, j = g % f.shared;
            const uint8_t *block = block_of(f, panel, g, a->group);
            int32_t stored = stored_weight(f, group_weights(f, block, j, a->group), a->group, lane, k % a->group);
            // Where there is a minimum, scale * q is exact: 17 bits times 5, or 11 times 8.
            float value = group_scale(f, block, j, lane) * (float)(stored - f.offset);
            if (f.minimums)
                value -= group_minimum(f, block, j, lane);
            a->y[m * a->y_stride + (a->order ? a->order[k] : k)] = value;
        }
    }
}
