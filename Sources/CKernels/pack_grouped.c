// Panels of whole numbers in groups, from weights one to a byte or from a GGUF file's blocks.
#include "grouped.h"

void nephele_pack_grouped(const void *args, nephele_index begin, nephele_index end) {
    const nephele_pack_grouped_args *a = args;
    const grouped_format f = format_of(a->format);
    nephele_index bytes = panel_bytes(f, a->groups, a->group);
    for (nephele_index panel = begin; panel < end; panel++) {
        uint8_t *out = (uint8_t *)a->panels + panel * bytes;
        memset(out, 0, (size_t)bytes);
        for (nephele_index lane = 0; lane < NEPHELE_PANEL; lane++) {
            nephele_index n = panel * NEPHELE_PANEL + lane;
            if (n >= a->columns)
                break;
            for (nephele_index g = 0; g < a->groups; g++) {
                uint8_t *block = out + g * block_bytes(f, a->group), *weights = block + header_bytes(f);
                memcpy(block + lane * sizeof(float), a->scales + n * a->groups + g, sizeof(float));
                if (f.minimums)
                    memcpy(block + 64 + lane * sizeof(float), a->minimums + n * a->groups + g, sizeof(float));
                const int8_t *q = a->q + (n * a->groups + g) * a->group;
                for (nephele_index k = 0; k < a->group; k++)
                    store_weight(f, weights, a->group, lane, k, (uint32_t)(q[k] + f.offset));
            }
        }
    }
}

// ggml's blocks (ggml-common.h), read byte by byte: they lie at any address. `d` and `dmin` are f16.

/// One block, taken apart.
typedef struct {
    /// Of formats whose groups have their own: the scale of each in f32, and the minimum.
    float scale[8], minimum[8];
    /// Of K formats.
    uint16_t factor, minimum_factor;
    int8_t scales[16];
    uint8_t minimums[16];
    uint8_t stored[256];
} open_block;

static uint16_t read_half(const uint8_t *p) {
    return (uint16_t)(p[0] | p[1] << 8);
}

/// { d, int8 qs[32] }
static void open_q8_0(const uint8_t *p, open_block *b) {
    b->scale[0] = widen_f16(read_half(p));
    for (int k = 0; k < 32; k++)
        b->stored[k] = (uint8_t)((int8_t)p[2 + k] + 128);
}

/// { d, qs[16] }: elements 0 to 15 in the low halves, 16 to 31 in the high ones.
static void open_q4_0(const uint8_t *p, open_block *b) {
    b->scale[0] = widen_f16(read_half(p));
    for (int k = 0; k < 32; k++)
        b->stored[k] = p[2 + k % 16] >> (k / 16 * 4) & 15;
}

/// { d, m, qs[16] }: as Q4_0, but from 0 on, and m is added.
static void open_q4_1(const uint8_t *p, open_block *b) {
    b->scale[0] = widen_f16(read_half(p));
    b->minimum[0] = -widen_f16(read_half(p + 2));
    for (int k = 0; k < 32; k++)
        b->stored[k] = p[4 + k % 16] >> (k / 16 * 4) & 15;
}

/// { d, m, qh[4], qs[16] }: as Q4_1, and bit k of qh is the fifth of element k.
static void open_q5_1(const uint8_t *p, open_block *b) {
    b->scale[0] = widen_f16(read_half(p));
    b->minimum[0] = -widen_f16(read_half(p + 2));
    for (int k = 0; k < 32; k++) {
        int low = p[8 + k % 16] >> (k / 16 * 4) & 15, high = p[4 + k / 8] >> (k % 8) & 1;
        b->stored[k] = (uint8_t)(low | high << 4);
    }
}

/// { d, qh[4], qs[16] }: as Q4_0, and bit k of qh is the fifth of element k; 16 stands for 0. In eight bits it is
/// whole.
static void open_q5_0(const uint8_t *p, open_block *b) {
    b->scale[0] = widen_f16(read_half(p));
    for (int k = 0; k < 32; k++) {
        int low = p[6 + k % 16] >> (k / 16 * 4) & 15, high = p[2 + k / 8] >> (k % 8) & 1;
        b->stored[k] = (uint8_t)((low | high << 4) - 16 + 128);
    }
}

/// What the numbers of IQ4_NL and IQ4_XS stand for.
static const int8_t iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

/// { d, qs[16] }: as Q4_0, but each number is an index into a table of values.
static void open_iq4_nl(const uint8_t *p, open_block *b) {
    b->scale[0] = widen_f16(read_half(p));
    for (int k = 0; k < 32; k++)
        b->stored[k] = (uint8_t)(iq4_values[p[2 + k % 16] >> (k / 16 * 4) & 15] + 128);
}

/// { d, u16 scales_h, scales_l[4], qs[128] }: eight times as IQ4_NL, each with a step of six bits, 32 above its value.
static void open_iq4_xs(const uint8_t *p, open_block *b) {
    float factor = widen_f16(read_half(p));
    int high = read_half(p + 2);
    for (int j = 0; j < 8; j++) {
        int step = (p[4 + j / 2] >> (j % 2 * 4) & 15) | (high >> (2 * j) & 3) << 4;
        b->scale[j] = factor * (float)(step - 32);
    }
    for (int k = 0; k < 256; k++)
        b->stored[k] = (uint8_t)(iq4_values[p[8 + k / 32 * 16 + k % 16] >> (k % 32 / 16 * 4) & 15] + 128);
}

/// { e, qs[16] }: numbers of E2M1, doubled so that they are whole, times 2^(e - 128) (OCP Microscaling formats).
static void open_mxfp4(const uint8_t *p, open_block *b) {
    static const int8_t values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
    // 2^-128 and 2^-127 are subnormal.
    uint32_t bits = p[0] < 2 ? (uint32_t)0x00200000 << p[0] : (uint32_t)(p[0] - 1) << 23;
    memcpy(&b->scale[0], &bits, sizeof bits);
    for (int k = 0; k < 32; k++)
        b->stored[k] = (uint8_t)(values[p[1 + k % 16] >> (k / 16 * 4) & 15] + 128);
}

/// { scales[16], qs[64], d, dmin }: of every 128 elements 32 bytes, of which elements k, k + 32, … share one; a scale
/// has its step in the low half, its minimum's in the high one.
static void open_q2_k(const uint8_t *p, open_block *b) {
    b->factor = read_half(p + 80);
    b->minimum_factor = read_half(p + 82);
    for (int j = 0; j < 16; j++) {
        b->scales[j] = (int8_t)(p[j] & 15);
        b->minimums[j] = p[j] >> 4;
    }
    for (int k = 0; k < 256; k++)
        b->stored[k] = p[16 + k / 128 * 32 + k % 32] >> (k % 128 / 32 * 2) & 3;
}

/// { hmask[32], qs[64], scales[12], d }: as Q2_K, and bit k / 32 of hmask[k % 32] is the third, without which 4 is
/// subtracted; steps of six bits, 32 above their value.
static void open_q3_k(const uint8_t *p, open_block *b) {
    b->factor = read_half(p + 108);
    const uint8_t *scales = p + 96;
    for (int j = 0; j < 16; j++) {
        int low = scales[j % 8] >> (j / 8 * 4) & 15, high = scales[8 + j % 4] >> (j / 4 * 2) & 3;
        b->scales[j] = (int8_t)((low | high << 4) - 32);
    }
    for (int k = 0; k < 256; k++) {
        int low = p[32 + k / 128 * 32 + k % 32] >> (k % 128 / 32 * 2) & 3, high = p[k % 32] >> (k / 32) & 1;
        b->stored[k] = (uint8_t)(low | high << 2);
    }
}

/// Eight scales and minimums of six bits in twelve bytes.
static void open_steps(const uint8_t *p, open_block *b) {
    for (int j = 0; j < 4; j++) {
        b->scales[j] = (int8_t)(p[j] & 63);
        b->minimums[j] = p[j + 4] & 63;
        b->scales[j + 4] = (int8_t)((p[j + 8] & 15) | p[j] >> 6 << 4);
        b->minimums[j + 4] = (uint8_t)(p[j + 8] >> 4 | p[j + 4] >> 6 << 4);
    }
}

/// { d, dmin, steps[12], qs[128] }: of every 64 elements the first 32 in the low halves.
static void open_q4_k(const uint8_t *p, open_block *b) {
    b->factor = read_half(p);
    b->minimum_factor = read_half(p + 2);
    open_steps(p + 4, b);
    for (int k = 0; k < 256; k++)
        b->stored[k] = p[16 + k / 64 * 32 + k % 32] >> (k / 32 % 2 * 4) & 15;
}

/// { d, dmin, steps[12], qh[32], qs[128] }: as Q4_K, and bit k / 32 of qh[k % 32] is the fifth.
static void open_q5_k(const uint8_t *p, open_block *b) {
    b->factor = read_half(p);
    b->minimum_factor = read_half(p + 2);
    open_steps(p + 4, b);
    for (int k = 0; k < 256; k++) {
        int low = p[48 + k / 64 * 32 + k % 32] >> (k / 32 % 2 * 4) & 15;
        b->stored[k] = (uint8_t)(low | (p[16 + k % 32] >> (k / 32) & 1) << 4);
    }
}

/// { ql[128], qh[64], int8 scales[16], d }: of every 128 elements 64 bytes of low halves and 32 of pairs of high bits.
static void open_q6_k(const uint8_t *p, open_block *b) {
    b->factor = read_half(p + 208);
    memcpy(b->scales, p + 192, 16);
    for (int k = 0; k < 256; k++) {
        int half = k / 128, i = k % 128;
        int low = p[half * 64 + i % 64] >> (i / 64 * 4) & 15;
        int high = p[128 + half * 32 + i % 32] >> (i / 32 * 2) & 3;
        b->stored[k] = (uint8_t)(low | high << 4);
    }
}

static const struct {
    void (*open)(const uint8_t *, open_block *);
    nephele_index bytes, elements, group;
    nephele_grouped_format format;
} block_types[] = {
    [NEPHELE_BLOCK_Q8_0] = {open_q8_0, 34, 32, 32, NEPHELE_GROUPED_8},
    [NEPHELE_BLOCK_Q4_0] = {open_q4_0, 18, 32, 32, NEPHELE_GROUPED_4},
    [NEPHELE_BLOCK_Q4_K] = {open_q4_k, 144, 256, 32, NEPHELE_GROUPED_Q4_K},
    [NEPHELE_BLOCK_Q5_K] = {open_q5_k, 176, 256, 32, NEPHELE_GROUPED_Q5_K},
    [NEPHELE_BLOCK_Q6_K] = {open_q6_k, 210, 256, 16, NEPHELE_GROUPED_Q6_K},
    [NEPHELE_BLOCK_Q5_0] = {open_q5_0, 22, 32, 32, NEPHELE_GROUPED_8},
    [NEPHELE_BLOCK_IQ4_NL] = {open_iq4_nl, 18, 32, 32, NEPHELE_GROUPED_8},
    [NEPHELE_BLOCK_Q4_1] = {open_q4_1, 20, 32, 32, NEPHELE_GROUPED_4_MINIMUM},
    [NEPHELE_BLOCK_Q5_1] = {open_q5_1, 24, 32, 32, NEPHELE_GROUPED_5_MINIMUM},
    [NEPHELE_BLOCK_Q2_K] = {open_q2_k, 84, 256, 16, NEPHELE_GROUPED_Q2_K},
    [NEPHELE_BLOCK_Q3_K] = {open_q3_k, 110, 256, 16, NEPHELE_GROUPED_Q3_K},
    [NEPHELE_BLOCK_IQ4_XS] = {open_iq4_xs, 136, 256, 32, NEPHELE_GROUPED_8},
    [NEPHELE_BLOCK_MXFP4] = {open_mxfp4, 17, 32, 32, NEPHELE_GROUPED_8},
};

/// Puts the numbers of a file's block into the panel's block that holds its groups from `first` on, at `lane`.
static void place_block(const open_block *b, const grouped_format f, nephele_index group, nephele_index first,
                        nephele_index lane, uint8_t *block) {
    if (f.shared == 1) {
        memcpy(block + lane * sizeof(float), &b->scale[first], sizeof(float));
        if (f.minimums)
            memcpy(block + 64 + lane * sizeof(float), &b->minimum[first], sizeof(float));
    } else {
        memcpy(block + 2 * lane, &b->factor, 2);
        if (f.minimums)
            memcpy(block + FACTORS / 2 + 2 * lane, &b->minimum_factor, 2);
        for (nephele_index j = 0; j < f.shared; j++) {
            block[FACTORS + j * NEPHELE_PANEL + lane] = (uint8_t)b->scales[j];
            if (f.minimums)
                block[FACTORS + (f.shared + j) * NEPHELE_PANEL + lane] = b->minimums[j];
        }
    }
    for (nephele_index j = 0; j < f.shared; j++) {
        uint8_t *weights = block + header_bytes(f) + j * weight_bytes(f, group);
        for (nephele_index k = 0; k < group; k++)
            store_weight(f, weights, group, lane, k, b->stored[(first + j) * group + k]);
    }
}

void nephele_pack_blocks(const void *args, nephele_index begin, nephele_index end) {
    const nephele_pack_blocks_args *a = args;
    nephele_index group = block_types[a->type].group, elements = block_types[a->type].elements;
    const grouped_format f = format_of(block_types[a->type].format);
    // Of the panel's blocks as many make one of the file's.
    nephele_index parts = elements / group / f.shared;
    nephele_index blocks = a->depth / elements, bytes = blocks * parts * block_bytes(f, group);
    for (nephele_index panel = begin; panel < end; panel++) {
        uint8_t *out = (uint8_t *)a->panels + panel * bytes;
        memset(out, 0, (size_t)bytes);
        for (nephele_index lane = 0; lane < NEPHELE_PANEL; lane++) {
            nephele_index n = panel * NEPHELE_PANEL + lane;
            if (n >= a->columns)
                break;
            const uint8_t *source = a->source + n * blocks * block_types[a->type].bytes;
            for (nephele_index i = 0; i < blocks; i++) {
                open_block b;
                block_types[a->type].open(source + i * block_types[a->type].bytes, &b);
                for (nephele_index part = 0; part < parts; part++)
                    place_block(&b, f, group, part, lane, out + (i * parts + part) * block_bytes(f, group));
            }
        }
    }
}
