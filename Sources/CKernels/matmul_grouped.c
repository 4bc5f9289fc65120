// The matrix product of whole numbers in groups: weights of 8 or 4 bits with a scale (and where the format has one, a
// minimum) for every `group` inputs, times activations of 8 bits with a scale a group.
//
//   dot  = sum over the group of qw * qx                exact, int32
//   sum  = fma((float)dot, scale_w * scale_x, sum)      one chain over the groups, k ascending
//   sum  = fma(minimum, -(scale_x * (float)sum_x), sum) after it, where there are minimums
//
// Weights are stored unsigned, 128 (8 bits) or 8 (4 bits) above their value, so that the machine's unsigned-by-signed
// products apply; the chain starts at -offset * sum_x. Sums that saturate (vpmaddubsw) are not used.
#include "simd.h"

typedef nephele_grouped_matmul_args arguments;

/// Bytes before the weights of a block: scales, then minimums.
#define HEADER(minimums) (NEPHELE_PANEL * (int)sizeof(float) * ((minimums) ? 2 : 1))

static nephele_index block_bytes(const arguments *a) {
    return HEADER(a->minimums) + NEPHELE_PANEL * a->group * a->bits / 8;
}

/// Weight k of a column within a block's weights, above zero by the offset.
NEPHELE_INLINE int32_t stored_weight(const uint8_t *weights, int bits, nephele_index lane, nephele_index k) {
    if (bits == 8)
        return weights[k / 4 * 64 + lane * 4 + k % 4];
    return weights[k / 8 * 64 + lane * 4 + k % 4] >> (k / 4 % 2 * 4) & 15;
}

static void product_scalar(const arguments *a, nephele_index begin, nephele_index end) {
    nephele_index groups = a->depth / a->group, bytes = block_bytes(a);
    int32_t offset = a->bits == 8 ? 128 : 8;
    for (nephele_index n = begin * NEPHELE_PANEL; n < end * NEPHELE_PANEL && n < a->columns; n++) {
        nephele_index lane = n % NEPHELE_PANEL;
        for (nephele_index m = 0; m < a->rows; m++) {
            const uint8_t *block = (const uint8_t *)a->panels + n / NEPHELE_PANEL * groups * bytes;
            float sum = 0;
            for (nephele_index g = 0; g < groups; g++, block += bytes) {
                const int8_t *x = a->x + m * a->depth + g * a->group;
                int32_t dot = -offset * a->x_sums[m * groups + g];
                for (nephele_index k = 0; k < a->group; k++)
                    dot += stored_weight(block + HEADER(a->minimums), a->bits, lane, k) * x[k];
                float scale_x = a->x_scales[m * groups + g], scale, minimum;
                memcpy(&scale, block + lane * sizeof(float), sizeof scale);
                sum = fmaf((float)dot, scale * scale_x, sum);
                if (a->minimums) {
                    memcpy(&minimum, block + (NEPHELE_PANEL + lane) * sizeof(float), sizeof minimum);
                    sum = fmaf(minimum, -(scale_x * (float)a->x_sums[m * groups + g]), sum);
                }
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

NEPHELE_INLINE f32x16 load_header(const uint8_t *block, int index) {
    f32x16 v;
    memcpy(&v, block + index * sizeof v, sizeof v);
    return v;
}

/// What a group's whole-number products add to an output's chain.
NEPHELE_INLINE void add_group(f32x16 *sum, const i32x16 *dot, const uint8_t *block, int minimums, float scale_x,
                              int32_t sum_x) {
    *sum = fma16(__builtin_convertvector(*dot, f32x16), load_header(block, 0) * splat16(scale_x), *sum);
    if (minimums)
        *sum = fma16(load_header(block, 1), splat16(-(scale_x * (float)sum_x)), *sum);
}

#define UNROLLED _Pragma("clang loop unroll(full)") for

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET_VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,fma,f16c")))
#define VNNI_INLINE TARGET_VNNI NEPHELE_INLINE

/// Weights that will be needed next: of every block, `count` cache lines from `first` on.
typedef struct {
    const uint8_t *start;
    int first, count;
} fetch_ahead;

/// `rows` rows by `panels` panels: as many chains of whole numbers and as many of floats.
VNNI_INLINE void tile_vnni(const arguments *a, nephele_index m, nephele_index panel, const int rows, const int panels,
                           const int bits, const int minimums, fetch_ahead ahead) {
    nephele_index groups = a->depth / a->group, group = a->group;
    nephele_index bytes = HEADER(minimums) + NEPHELE_PANEL * group * bits / 8;
    const uint8_t *block = (const uint8_t *)a->panels + panel * groups * bytes;
    const int8_t *x = a->x + m * a->depth;
    f32x16 sum[8][4];
    UNROLLED(int r = 0; r < rows; r++) {
        UNROLLED(int p = 0; p < panels; p++) sum[r][p] = (f32x16){0};
    }
    for (nephele_index g = 0; g < groups; g++, block += bytes, x += group) {
        for (int line = ahead.first; line < ahead.first + ahead.count; line++) {
            UNROLLED(int p = 0; p < panels; p++)
            __builtin_prefetch(ahead.start + (p * groups + g) * bytes + 64 * line, 0, 2);
        }
        __m512i dot[8][4];
        UNROLLED(int r = 0; r < rows; r++) {
            __m512i start = _mm512_set1_epi32(-(bits == 8 ? 128 : 8) * a->x_sums[(m + r) * groups + g]);
            UNROLLED(int p = 0; p < panels; p++) dot[r][p] = start;
        }
        const uint8_t *weights = block + HEADER(minimums);
        if (bits == 8) {
            for (nephele_index k = 0; k < group; k += 4, weights += 64) {
                __m512i w[4];
                UNROLLED(int p = 0; p < panels; p++) w[p] = _mm512_loadu_si512(weights + p * groups * bytes);
                UNROLLED(int r = 0; r < rows; r++) {
                    int32_t four;
                    memcpy(&four, x + r * a->depth + k, sizeof four);
                    __m512i xs = _mm512_set1_epi32(four);
                    UNROLLED(int p = 0; p < panels; p++) dot[r][p] = _mm512_dpbusd_epi32(dot[r][p], w[p], xs);
                }
            }
        } else {
            const __m512i low = _mm512_set1_epi8(15);
            for (nephele_index k = 0; k < group; k += 8, weights += 64) {
                __m512i w[2][4];
                UNROLLED(int p = 0; p < panels; p++) {
                    __m512i both = _mm512_loadu_si512(weights + p * groups * bytes);
                    w[0][p] = _mm512_and_si512(both, low);
                    w[1][p] = _mm512_and_si512(_mm512_srli_epi16(both, 4), low);
                }
                UNROLLED(int half = 0; half < 2; half++) {
                    UNROLLED(int r = 0; r < rows; r++) {
                        int32_t four;
                        memcpy(&four, x + r * a->depth + k + 4 * half, sizeof four);
                        __m512i xs = _mm512_set1_epi32(four);
                        UNROLLED(int p = 0; p < panels; p++)
                        dot[r][p] = _mm512_dpbusd_epi32(dot[r][p], w[half][p], xs);
                    }
                }
            }
        }
        UNROLLED(int r = 0; r < rows; r++) {
            UNROLLED(int p = 0; p < panels; p++)
            add_group(&sum[r][p], (const i32x16 *)&dot[r][p], block + p * groups * bytes, minimums,
                      a->x_scales[(m + r) * groups + g], a->x_sums[(m + r) * groups + g]);
        }
    }
    UNROLLED(int r = 0; r < rows; r++) {
        UNROLLED(int p = 0; p < panels; p++) finish(a, m + r, panel + p, &sum[r][p]);
    }
}

/// AVX2, and AVX-512 without VNNI, have no such product: bytes become 16-bit numbers, of which pairs are multiplied and
/// added.
__attribute__((target("avx2,fma,f16c"))) NEPHELE_INLINE void tile_avx2(const arguments *a, nephele_index m,
                                                                       nephele_index panel, const int rows,
                                                                       const int bits, const int minimums) {
    nephele_index groups = a->depth / a->group, group = a->group;
    nephele_index bytes = HEADER(minimums) + NEPHELE_PANEL * group * bits / 8;
    const uint8_t *block = (const uint8_t *)a->panels + panel * groups * bytes;
    const int8_t *x = a->x + m * a->depth;
    f32x16 sum[3];
    UNROLLED(int r = 0; r < rows; r++) sum[r] = (f32x16){0};
    for (nephele_index g = 0; g < groups; g++, block += bytes, x += group) {
        // Of each column two partial sums, side by side: four columns a register.
        __m256i pairs[3][4];
        UNROLLED(int r = 0; r < rows; r++) {
            UNROLLED(int c = 0; c < 4; c++) pairs[r][c] = _mm256_setzero_si256();
        }
        const uint8_t *weights = block + HEADER(minimums);
        for (nephele_index k = 0; k < group; k += 4) {
            __m256i xs[3];
            UNROLLED(int r = 0; r < rows; r++) {
                int32_t four;
                memcpy(&four, x + r * a->depth + k, sizeof four);
                xs[r] = _mm256_broadcastq_epi64(_mm_cvtepi8_epi16(_mm_cvtsi32_si128(four)));
            }
            UNROLLED(int c = 0; c < 4; c++) {
                __m128i sixteen;
                if (bits == 8) {
                    sixteen = _mm_loadu_si128((const __m128i *)(weights + k * 16 + c * 16));
                } else {
                    sixteen = _mm_loadu_si128((const __m128i *)(weights + k / 8 * 64 + c * 16));
                    if (k % 8)
                        sixteen = _mm_srli_epi16(sixteen, 4);
                    sixteen = _mm_and_si128(sixteen, _mm_set1_epi8(15));
                }
                __m256i w = _mm256_cvtepu8_epi16(sixteen);
                UNROLLED(int r = 0; r < rows; r++)
                pairs[r][c] = _mm256_add_epi32(pairs[r][c], _mm256_madd_epi16(w, xs[r]));
            }
        }
        UNROLLED(int r = 0; r < rows; r++) {
            // hadd works within halves of a register: columns 0 1 4 5 2 3 6 7.
            __m256i dot[2];
            UNROLLED(int half = 0; half < 2; half++) {
                __m256i mixed = _mm256_hadd_epi32(pairs[r][2 * half], pairs[r][2 * half + 1]);
                dot[half] = _mm256_permute4x64_epi64(mixed, 0xd8);
            }
            i32x16 whole;
            memcpy(&whole, dot, sizeof whole);
            int32_t sum_x = a->x_sums[(m + r) * groups + g], start = -(bits == 8 ? 128 : 8) * sum_x;
            whole += start;
            add_group(&sum[r], &whole, block, minimums, a->x_scales[(m + r) * groups + g], sum_x);
        }
    }
    UNROLLED(int r = 0; r < rows; r++) finish(a, m + r, panel, &sum[r]);
}

#define VNNI_ROWS(rows_)                                                                                               \
    case rows_:                                                                                                        \
        if (panels == 2)                                                                                               \
            tile_vnni(a, m, panel, rows_, 2, bits, minimums, ahead);                                                   \
        else                                                                                                           \
            tile_vnni(a, m, panel, rows_, 1, bits, minimums, ahead);                                                   \
        break;

VNNI_INLINE void product_vnni(const arguments *a, nephele_index begin, nephele_index end, const int bits,
                              const int minimums) {
    nephele_index panel = begin;
    if (a->rows == 1) {
        for (; panel + 4 <= end; panel += 4)
            tile_vnni(a, 0, panel, 1, 4, bits, minimums, (fetch_ahead){0, 0, 0});
    }
    nephele_index tiles = (a->rows + 5) / 6;
    nephele_index bytes = HEADER(minimums) + NEPHELE_PANEL * a->group * bits / 8;
    int lines = (int)((bytes + 63) / 64);
    while (panel < end) {
        nephele_index panels = end - panel >= 2 ? 2 : 1, m = 0;
        // Memory works on the next panels while these are multiplied: each tile asks for its share. (Few rows wait
        // for their own panels as it is.)
        nephele_index next = panel + panels;
        int wanted = a->rows > 6 && end - next >= panels ? lines : 0;
        for (nephele_index t = 0; t < tiles; t++) {
            nephele_index rows = (a->rows - m + (tiles - t) - 1) / (tiles - t);
            int count = (int)((wanted + (tiles - t) - 1) / (tiles - t));
            fetch_ahead ahead = {(const uint8_t *)a->panels + next * (a->depth / a->group) * bytes, lines - wanted,
                                 count};
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

__attribute__((target("avx2,fma,f16c"))) NEPHELE_INLINE void
product_avx2(const arguments *a, nephele_index begin, nephele_index end, const int bits, const int minimums) {
    nephele_index tiles = (a->rows + 2) / 3;
    for (nephele_index panel = begin; panel < end; panel++) {
        nephele_index m = 0;
        for (nephele_index t = 0; t < tiles; t++) {
            nephele_index rows = (a->rows - m + (tiles - t) - 1) / (tiles - t);
            if (rows == 3)
                tile_avx2(a, m, panel, 3, bits, minimums);
            else if (rows == 2)
                tile_avx2(a, m, panel, 2, bits, minimums);
            else
                tile_avx2(a, m, panel, 1, bits, minimums);
            m += rows;
        }
    }
}

#define FORMAT(bits_, minimums_)                                                                                       \
    TARGET_VNNI static void product_vnni_##bits_##_##minimums_(const arguments *a, nephele_index begin,                \
                                                               nephele_index end) {                                    \
        product_vnni(a, begin, end, bits_, minimums_);                                                                 \
    }                                                                                                                  \
    __attribute__((target("avx2,fma,f16c"))) static void product_avx2_##bits_##_##minimums_(                           \
        const arguments *a, nephele_index begin, nephele_index end) {                                                  \
        product_avx2(a, begin, end, bits_, minimums_);                                                                 \
    }
FORMAT(8, 0)
FORMAT(8, 1)
FORMAT(4, 0)
FORMAT(4, 1)

#define PRODUCT(isa_) product_##isa_##_8_0, product_##isa_##_8_1, product_##isa_##_4_0, product_##isa_##_4_1
static void (*const products[2][4])(const arguments *, nephele_index, nephele_index) = {{PRODUCT(avx2)},
                                                                                        {PRODUCT(vnni)}};
#endif

void nephele_grouped_matmul(const void *args, nephele_index begin, nephele_index end) {
    const arguments *a = args;
#if defined(__x86_64__)
    if (a->isa != NEPHELE_ISA_SCALAR) {
        int format = (a->bits == 8 ? 0 : 2) + (a->minimums ? 1 : 0);
        products[a->isa == NEPHELE_ISA_AVX512_VNNI][format](a, begin, end);
        return;
    }
#endif
    product_scalar(a, begin, end);
}

void nephele_gather_grouped(const void *args, nephele_index begin, nephele_index end) {
    const nephele_gather_grouped_args *a = args;
    nephele_index groups = (a->depth + a->group - 1) / a->group;
    nephele_index bytes = HEADER(a->minimums) + NEPHELE_PANEL * a->group * a->bits / 8;
    int32_t offset = a->bits == 8 ? 128 : 8;
    for (nephele_index m = begin; m < end; m++) {
        nephele_index lane = a->ids[m] % NEPHELE_PANEL;
        const uint8_t *panel = (const uint8_t *)a->panels + a->ids[m] / NEPHELE_PANEL * groups * bytes;
        for (nephele_index k = 0; k < a->depth; k++) {
            const uint8_t *block = panel + k / a->group * bytes;
            float scale, minimum;
            memcpy(&scale, block + lane * sizeof(float), sizeof scale);
            float value =
                scale * (float)(stored_weight(block + HEADER(a->minimums), a->bits, lane, k % a->group) - offset);
            if (a->minimums) {
                memcpy(&minimum, block + (NEPHELE_PANEL + lane) * sizeof(float), sizeof minimum);
                value -= minimum;
            }
            a->y[m * a->y_stride + k] = value;
        }
    }
}
