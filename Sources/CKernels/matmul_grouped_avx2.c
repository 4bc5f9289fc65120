// The product of whole numbers in groups by AVX2, and by AVX-512 without VNNI.
//
// Rows of bytes are multiplied by weights of less than 8 bits as bytes (vpmaddubsw: 32 products an instruction, whose
// pairs are added in 16 bits with saturation). Nothing saturates: a pair of products is at most 2 * 127 times the
// largest weight, so that of weights up to 15 eight pairs can be added in 16 bits (30,480), of those up to 31 four
// (31,496), of those up to 63 two (32,004). Weights of 8 bits and wide rows are multiplied as 16-bit numbers (vpmaddwd:
// 16 products an instruction): to multiply the magnitudes of 8 bits as bytes, with the signs moved over to the inputs,
// takes as many instructions, and to multiply wide rows in two parts takes more.
//
// Many rows share a panel that was unpacked before, piece by piece, into memory of this call.
#include "matmul_grouped.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET_AVX2 __attribute__((target("avx2,fma,f16c")))
#define AVX2_INLINE TARGET_AVX2 NEPHELE_INLINE

/// Rows of a tile that unpacks weights as it goes.
#define DIRECT_ROWS 3
/// Rows of a tile with unpacked weights.
#define TILE_ROWS 4
/// Rows for which weights are unpacked once, and inputs that are unpacked at a time.
#define SHARING_ROWS 64
#define SPAN 256

/// The stored weights of inputs 4s to 4s + 3 of columns 8h to 8h + 7.
AVX2_INLINE __m256i load_stored(const grouped_format f, const uint8_t *weights, nephele_index s, const int h,
                                nephele_index group) {
    if (f.bits == 8)
        return _mm256_loadu_si256((const __m256i *)(weights + s * 64 + h * 32));
    __m256i both = _mm256_loadu_si256((const __m256i *)(weights + s / 2 * 64 + h * 32));
    __m256i low = _mm256_and_si256(s % 2 ? _mm256_srli_epi16(both, 4) : both, _mm256_set1_epi8(15));
    if (f.bits == 4)
        return low;
    const int high_bits = f.bits - 4, shift = (int)s * high_bits - 4;
    __m256i high = _mm256_loadu_si256((const __m256i *)(weights + group / 8 * 64 + h * 32));
    high = shift < 0 ? _mm256_slli_epi16(high, -shift) : _mm256_srli_epi16(high, shift);
    return _mm256_or_si256(low, _mm256_and_si256(high, _mm256_set1_epi8((char)(((1 << high_bits) - 1) << 4))));
}

/// Weights as 16-bit numbers: of every four inputs the first and the third (`odd` 0), or the others.
AVX2_INLINE __m256i widen_weights(__m256i bytes, const int odd) {
    return odd ? _mm256_srli_epi16(bytes, 8) : _mm256_and_si256(bytes, _mm256_set1_epi16(255));
}

/// Weights of a group, as they lie in the panel or unpacked: `[group/4][16][4]` bytes, or `[group/4][2][16][2]` 16-bit
/// numbers as `widen_weights` orders them, the offset taken off.
typedef struct {
    const uint8_t *start;
    int is_unpacked;
} group_source;

#define ACCUMULATORS 4

/// Has the compiler compute a vector here: left alone it takes one row after the other and keeps the weights in memory.
#define COMPUTED(vector_) __asm__ volatile("" : "+x"(vector_))

/// dot[r][h]: the products of a group with row r, of columns 8h to 8h + 7.
AVX2_INLINE void dot_bytes(const grouped_format f, group_source weights, const int8_t *x, nephele_index stride,
                           const int rows, const nephele_index group, __m256i dot[ACCUMULATORS][2]) {
    const nephele_index most = f.bits == 6 ? 2 : f.bits == 5 ? 4 : 8, steps = group < 4 * most ? group / 4 : most;
    UNROLLED(nephele_index first = 0; first < group / 4; first += steps) {
        __m256i pairs[ACCUMULATORS][2];
        UNROLLED(nephele_index step = 0; step < steps; step++) {
            nephele_index s = first + step;
            __m256i w[2];
            UNROLLED(int h = 0; h < 2; h++)
            w[h] = weights.is_unpacked ? _mm256_load_si256((const __m256i *)(weights.start + s * 64 + h * 32))
                                       : load_stored(f, weights.start, s, h, group);
            UNROLLED(int r = 0; r < rows; r++) {
                int32_t four;
                memcpy(&four, x + r * stride + 4 * s, sizeof four);
                __m256i xs = _mm256_set1_epi32(four);
                UNROLLED(int h = 0; h < 2; h++) {
                    __m256i products = _mm256_maddubs_epi16(w[h], xs);
                    pairs[r][h] = step == 0 ? products : _mm256_add_epi16(pairs[r][h], products);
                    COMPUTED(pairs[r][h]);
                }
            }
        }
        UNROLLED(int r = 0; r < rows; r++) {
            UNROLLED(int h = 0; h < 2; h++) {
                __m256i sums = _mm256_madd_epi16(pairs[r][h], _mm256_set1_epi16(1));
                dot[r][h] = first == 0 ? sums : _mm256_add_epi32(dot[r][h], sums);
            }
        }
    }
}

/// The same of rows of 16-bit numbers; the weights stand `offset` above their value unless they are unpacked.
AVX2_INLINE void dot_words(const grouped_format f, group_source weights, const int16_t *x, nephele_index stride,
                           const int rows, const nephele_index group, __m256i dot[ACCUMULATORS][2]) {
    UNROLLED(int r = 0; r < rows; r++) {
        UNROLLED(int h = 0; h < 2; h++) dot[r][h] = _mm256_setzero_si256();
    }
    UNROLLED(nephele_index s = 0; s < group / 4; s++) {
        UNROLLED(int odd = 0; odd < 2; odd++) {
            __m256i w[2];
            UNROLLED(int h = 0; h < 2; h++)
            w[h] = weights.is_unpacked
                       ? _mm256_load_si256((const __m256i *)(weights.start + s * 128 + odd * 64 + h * 32))
                       : widen_weights(load_stored(f, weights.start, s, h, group), odd);
            UNROLLED(int r = 0; r < rows; r++) {
                int32_t two;
                memcpy(&two, x + r * stride + 4 * s + 2 * odd, sizeof two);
                __m256i xs = _mm256_set1_epi32(two);
                UNROLLED(int h = 0; h < 2; h++) {
                    dot[r][h] = _mm256_add_epi32(dot[r][h], _mm256_madd_epi16(w[h], xs));
                    COMPUTED(dot[r][h]);
                }
            }
        }
    }
}

/// The rows of a tile from a group on.
typedef struct {
    const void *x;
    const float *scales, *minimum_factors;
    const int32_t *sums;
    /// From row to row: inputs, and groups.
    nephele_index depth, groups;
} tile_rows;

AVX2_INLINE tile_rows rows_from(const arguments *a, nephele_index m, nephele_index g, const int words,
                                const nephele_index group) {
    nephele_index groups = a->depth / group, at = m * groups + g;
    const uint8_t *x = (const uint8_t *)a->x + (m * a->depth + g * group) * (words ? 2 : 1);
    return (tile_rows){x, a->x_scales + at, a->x_minimum_factors + at, a->x_sums + at, a->depth, groups};
}

/// What a group `ahead` of the first one adds to the chains of `rows` rows.
AVX2_INLINE void multiply_group(const tile_rows in, nephele_index ahead, group_source weights, const f32x16 *scale,
                                const f32x16 *minimum, const int rows, const int words, const grouped_format f,
                                const nephele_index group, f32x16 *sum) {
    __m256i dot[ACCUMULATORS][2];
    if (words)
        dot_words(f, weights, (const int16_t *)in.x + ahead * group, in.depth, rows, group, dot);
    else
        dot_bytes(f, weights, (const int8_t *)in.x + ahead * group, in.depth, rows, group, dot);
    UNROLLED(int r = 0; r < rows; r++) {
        nephele_index at = r * in.groups + ahead;
        __m256i offset = _mm256_setzero_si256();
        if (f.offset && !(words && weights.is_unpacked)) {
            offset = _mm256_set1_epi32(in.sums[at]);
            COMPUTED(offset);
            offset = _mm256_slli_epi32(offset, __builtin_ctz((unsigned)f.offset));
            UNROLLED(int h = 0; h < 2; h++) dot[r][h] = _mm256_sub_epi32(dot[r][h], offset);
        }
        add_group(&sum[r], (const i32x16 *)dot[r], scale, minimum, f.minimums, in.scales[at], in.minimum_factors + at);
    }
}

/// Few rows: weights are unpacked in registers.
AVX2_INLINE void tile_direct(const arguments *a, nephele_index panel, nephele_index m, const int rows, const int words,
                             const grouped_format f, const nephele_index group) {
    nephele_index groups = a->depth / group, bytes = block_bytes(f, group);
    const uint8_t *block = (const uint8_t *)a->panels + panel * panel_bytes(f, groups, group);
    f32x16 sum[DIRECT_ROWS];
    UNROLLED(int r = 0; r < rows; r++) sum[r] = (f32x16){0};
    const tile_rows in = rows_from(a, m, 0, words, group);
    for (nephele_index g = 0; g < groups; block += bytes) {
        for (nephele_index j = 0; j < f.shared; j++, g++) {
            f32x16 scale, minimum;
            load_scales(f, block, j, &scale, &minimum);
            group_source weights = {group_weights(f, block, j, group), 0};
            multiply_group(in, g, weights, &scale, &minimum, rows, words, f, group, sum);
        }
    }
    UNROLLED(int r = 0; r < rows; r++) finish(a, m + r, panel, &sum[r]);
}

/// Groups of a panel, unpacked.
typedef struct {
    uint8_t weights[SPAN * NEPHELE_PANEL * 2] __attribute__((aligned(64)));
    f32x16 scales[SPAN / 16], minimums[SPAN / 16];
} unpacked_span;

AVX2_INLINE nephele_index unpacked_bytes(nephele_index group, const int words) {
    return group * NEPHELE_PANEL * (words ? 2 : 1);
}

/// Unpacks `count` groups of a panel from `g` on.
AVX2_INLINE void unpack(const grouped_format f, const uint8_t *panel, nephele_index g, nephele_index count,
                        const int words, const nephele_index group, unpacked_span *span) {
    for (nephele_index i = 0; i < count; i++) {
        const uint8_t *block = block_of(f, panel, g + i, group);
        nephele_index j = (g + i) % f.shared;
        load_scales(f, block, j, &span->scales[i], &span->minimums[i]);
        const uint8_t *weights = group_weights(f, block, j, group);
        uint8_t *unpacked = span->weights + i * unpacked_bytes(group, words);
        UNROLLED(nephele_index s = 0; s < group / 4; s++) {
            UNROLLED(int h = 0; h < 2; h++) {
                __m256i bytes = load_stored(f, weights, s, h, group);
                if (!words) {
                    _mm256_store_si256((__m256i *)(unpacked + s * 64 + h * 32), bytes);
                    continue;
                }
                UNROLLED(int odd = 0; odd < 2; odd++) {
                    __m256i words = _mm256_sub_epi16(widen_weights(bytes, odd), _mm256_set1_epi16((short)f.offset));
                    _mm256_store_si256((__m256i *)(unpacked + s * 128 + odd * 64 + h * 32), words);
                }
            }
        }
    }
}

/// What `count` groups from `g` on add to the chains of rows m to m + rows - 1.
AVX2_INLINE void tile_unpacked(const arguments *a, const unpacked_span *span, nephele_index g, nephele_index count,
                               nephele_index m, f32x16 *sums, const int rows, const int words, const grouped_format f,
                               const nephele_index group) {
    const tile_rows in = rows_from(a, m, g, words, group);
    f32x16 sum[TILE_ROWS];
    UNROLLED(int r = 0; r < rows; r++) sum[r] = sums[r];
    for (nephele_index i = 0; i < count; i++) {
        group_source weights = {span->weights + i * unpacked_bytes(group, words), 1};
        multiply_group(in, i, weights, &span->scales[i], &span->minimums[i], rows, words, f, group, sum);
    }
    UNROLLED(int r = 0; r < rows; r++) sums[r] = sum[r];
}

/// A format's functions, each compiled by itself: many tiles in one function have too few registers.
typedef struct {
    /// By rows, less 1.
    void (*direct[DIRECT_ROWS])(const arguments *, nephele_index panel, nephele_index m);
    void (*unpacked[TILE_ROWS])(const arguments *, const unpacked_span *, nephele_index g, nephele_index count,
                                nephele_index m, f32x16 *sum);
    void (*unpack)(const uint8_t *panel, nephele_index g, nephele_index count, unpacked_span *);
    /// Rows, at most, for which `direct` is faster.
    nephele_index direct_rows;
} tiles;

/// Rows `begin` to `end` - 1, at most as many as share unpacked weights, of one panel.
TARGET_AVX2 static void multiply_unpacked(const arguments *a, nephele_index panel, nephele_index begin,
                                          nephele_index end, const tiles *t) {
    nephele_index groups = a->depth / a->group, most = SPAN / a->group;
    const uint8_t *start =
        (const uint8_t *)a->panels + panel * nephele_grouped_panel_bytes(a->format, groups, a->group);
    unpacked_span span;
    f32x16 sum[SHARING_ROWS];
    memset(sum, 0, (size_t)(end - begin) * sizeof *sum);
    for (nephele_index g = 0; g < groups; g += most) {
        nephele_index count = groups - g < most ? groups - g : most;
        t->unpack(start, g, count, &span);
        nephele_index m = begin;
        for (nephele_index left = (end - begin + TILE_ROWS - 1) / TILE_ROWS; left > 0; left--) {
            nephele_index rows = (end - m + left - 1) / left;
            t->unpacked[rows - 1](a, &span, g, count, m, &sum[m - begin]);
            m += rows;
        }
    }
    for (nephele_index m = begin; m < end; m++)
        finish(a, m, panel, &sum[m - begin]);
}

TARGET_AVX2 static void multiply(const arguments *a, nephele_index begin, nephele_index end, const tiles *t) {
    for (nephele_index panel = begin; panel < end; panel++) {
        nephele_index m = 0;
        if (a->rows <= t->direct_rows) {
            for (nephele_index left = (a->rows + DIRECT_ROWS - 1) / DIRECT_ROWS; left > 0; left--) {
                nephele_index rows = (a->rows - m + left - 1) / left;
                t->direct[rows - 1](a, panel, m);
                m += rows;
            }
        }
        for (; m < a->rows; m += SHARING_ROWS)
            multiply_unpacked(a, panel, m, m + SHARING_ROWS < a->rows ? m + SHARING_ROWS : a->rows, t);
    }
}

// A format's functions for rows of bytes (`words_` 0) or of 16-bit numbers.
#define DIRECT(name_, rows_, words_, format_, group_)                                                                  \
    TARGET_AVX2 static void name_##_direct_##rows_(const arguments *a, nephele_index panel, nephele_index m) {         \
        tile_direct(a, panel, m, rows_, words_, format_of(format_), group_);                                           \
    }
#define UNPACKED(name_, rows_, words_, format_, group_)                                                                \
    TARGET_AVX2 static void name_##_unpacked_##rows_(const arguments *a, const unpacked_span *span, nephele_index g,   \
                                                     nephele_index count, nephele_index m, f32x16 *sum) {              \
        tile_unpacked(a, span, g, count, m, sum, rows_, words_, format_of(format_), group_);                           \
    }
// What is quick to unpack is unpacked for every tile of up to six rows.
#define DIRECT_MOST(format_)                                                                                           \
    (format_ == NEPHELE_GROUPED_5_MINIMUM || format_ == NEPHELE_GROUPED_Q5_K || format_ == NEPHELE_GROUPED_Q6_K ? 3 : 6)
#define TILES(name_, words_, format_, group_)                                                                          \
    TARGET_AVX2 static void name_##_unpack(const uint8_t *panel, nephele_index g, nephele_index count,                 \
                                           unpacked_span *span) {                                                      \
        unpack(format_of(format_), panel, g, count, words_, group_, span);                                             \
    }                                                                                                                  \
    DIRECT(name_, 1, words_, format_, group_)                                                                          \
    DIRECT(name_, 2, words_, format_, group_)                                                                          \
    DIRECT(name_, 3, words_, format_, group_)                                                                          \
    UNPACKED(name_, 1, words_, format_, group_)                                                                        \
    UNPACKED(name_, 2, words_, format_, group_)                                                                        \
    UNPACKED(name_, 3, words_, format_, group_)                                                                        \
    UNPACKED(name_, 4, words_, format_, group_)                                                                        \
    static const tiles name_ = {{name_##_direct_1, name_##_direct_2, name_##_direct_3},                                \
                                {name_##_unpacked_1, name_##_unpacked_2, name_##_unpacked_3, name_##_unpacked_4},      \
                                name_##_unpack,                                                                        \
                                DIRECT_MOST(format_)};
#define BOTH(name_, format_, group_)                                                                                   \
    TILES(name_, 0, format_, group_)                                                                                   \
    TILES(wide_##name_, 1, format_, group_)

TILES(eight_16, 1, NEPHELE_GROUPED_8, 16)
TILES(eight_32, 1, NEPHELE_GROUPED_8, 32)
TILES(eight_64, 1, NEPHELE_GROUPED_8, 64)
TILES(eight_minimum_32, 1, NEPHELE_GROUPED_8_MINIMUM, 32)
TILES(eight_minimum_64, 1, NEPHELE_GROUPED_8_MINIMUM, 64)
BOTH(four_32, NEPHELE_GROUPED_4, 32)
BOTH(four_64, NEPHELE_GROUPED_4, 64)
BOTH(four_minimum_32, NEPHELE_GROUPED_4_MINIMUM, 32)
BOTH(four_minimum_64, NEPHELE_GROUPED_4_MINIMUM, 64)
BOTH(five_minimum_32, NEPHELE_GROUPED_5_MINIMUM, 32)
BOTH(q2_k, NEPHELE_GROUPED_Q2_K, 16)
BOTH(q3_k, NEPHELE_GROUPED_Q3_K, 16)
BOTH(q4_k, NEPHELE_GROUPED_Q4_K, 32)
BOTH(q5_k, NEPHELE_GROUPED_Q5_K, 32)
BOTH(q6_k, NEPHELE_GROUPED_Q6_K, 16)

static const tiles *tiles_of(const arguments *a) {
    int is_wide = a->is_wide != 0;
    switch (a->format) {
    case NEPHELE_GROUPED_4:
        return a->group == 64 ? (is_wide ? &wide_four_64 : &four_64) : (is_wide ? &wide_four_32 : &four_32);
    case NEPHELE_GROUPED_4_MINIMUM:
        return a->group == 64 ? (is_wide ? &wide_four_minimum_64 : &four_minimum_64)
                              : (is_wide ? &wide_four_minimum_32 : &four_minimum_32);
    case NEPHELE_GROUPED_5_MINIMUM:
        return is_wide ? &wide_five_minimum_32 : &five_minimum_32;
    case NEPHELE_GROUPED_Q2_K:
        return is_wide ? &wide_q2_k : &q2_k;
    case NEPHELE_GROUPED_Q3_K:
        return is_wide ? &wide_q3_k : &q3_k;
    case NEPHELE_GROUPED_Q4_K:
        return is_wide ? &wide_q4_k : &q4_k;
    case NEPHELE_GROUPED_Q5_K:
        return is_wide ? &wide_q5_k : &q5_k;
    case NEPHELE_GROUPED_Q6_K:
        return is_wide ? &wide_q6_k : &q6_k;
    case NEPHELE_GROUPED_8_MINIMUM:
        return a->group == 64 ? &eight_minimum_64 : &eight_minimum_32;
    case NEPHELE_GROUPED_8:
        break;
    }
    return a->group == 64 ? &eight_64 : a->group == 32 ? &eight_32 : &eight_16;
}

void nephele_grouped_matmul_avx2(const arguments *a, nephele_index begin, nephele_index end) {
    multiply(a, begin, end, tiles_of(a));
}
#endif
