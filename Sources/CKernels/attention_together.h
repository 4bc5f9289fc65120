// A span of positions for several query heads that read the same keys and values, with the bits that each head has
// alone. A part of attention.h, which defines what a head is and how a span's result is taken in.

/// Query heads that are worked on together, and positions whose keys or values are widened once for all of them.
#define TOGETHER 16
#define BLOCK 16
/// Of these so many multiply the same registers.
#define AT_ONCE 4
/// Wider heads are worked on one by one, and fewer of them.
#define TOGETHER_DIM 256
#define FEW 4
/// From so many on, keys are turned for them: sums of products then need no lanes to be folded.
#define MANY 9

/// Rows of keys or values [from, from + count) of one block, in f32, `dim` filled up with zeros to a multiple of 16.
NEPHELE_INLINE void widen_block(const source *s, const uint8_t *base, nephele_index stride, nephele_index from,
                                nephele_index count, nephele_index dim, float *block) {
    nephele_index width = (dim + 15) / 16 * 16;
    for (nephele_index j = 0; j < count; j++) {
        const cached *row = row_of(s, base, stride, from + j);
        for (nephele_index d = 0; d + 16 <= dim; d += 16)
            store16(block + j * width + d, widen16(row + d));
        if (dim < width)
            store16(block + j * width + width - 16, widen_partial16(row + width - 16, dim - width + 16));
    }
}

/// The lanes of a dot product; q is filled up as the rows of the block are.
NEPHELE_INLINE f32x16 wide_lanes(const float *q, const float *row, const nephele_index width) {
    f32x16 sum = splat16(0);
    for (nephele_index d = 0; d < width; d += 16)
        sum = fma16(load16(q + d), load16(row + d), sum);
    return sum;
}

/// The dot products of a query with sixteen rows of a block.
NEPHELE_INLINE f32x16 dots_with_block(const float *q, const float *block, const nephele_index width) {
    f32x16 lanes[BLOCK];
    for (int i = 0; i < BLOCK; i++)
        lanes[i] = wide_lanes(q, block + i * width, width);
    return fold16_of16(lanes);
}

/// Rows become columns, by halves: of 8, 4, 2 and 1.
NEPHELE_INLINE void turn16(f32x16 *v) {
    f32x16 w[16];
    _Pragma("clang loop unroll(full)") for (int i = 0; i < 8; i++) {
        w[i] = HALVES(v[i], v[i + 8], 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
        w[i + 8] = HALVES(v[i], v[i + 8], 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
    }
    _Pragma("clang loop unroll(full)") for (int i = 0; i < 16; i += i % 8 == 3 ? 5 : 1) {
        v[i] = HALVES(w[i], w[i + 4], 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27);
        v[i + 4] = HALVES(w[i], w[i + 4], 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31);
    }
    _Pragma("clang loop unroll(full)") for (int i = 0; i < 16; i += i % 4 == 1 ? 3 : 1) {
        w[i] = HALVES(v[i], v[i + 2], 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
        w[i + 2] = HALVES(v[i], v[i + 2], 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
    }
    _Pragma("clang loop unroll(full)") for (int i = 0; i < 16; i += 2) {
        v[i] = HALVES(w[i], w[i + 1], 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30);
        v[i + 1] = HALVES(w[i], w[i + 1], 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31);
    }
}

/// Keys [from, from + count) of the block that begins with `start`, in f32 and turned: `[width][16]`, zeros elsewhere.
NEPHELE_INLINE void turn_block(const source *s, nephele_index start, nephele_index from, nephele_index count,
                               nephele_index dim, float *block) {
    const cached *rows = row_of(s, s->keys, s->row_stride, start); // a block lies in one page
    for (nephele_index d = 0; d < dim; d += 16) {
        f32x16 v[BLOCK];
        if (count == BLOCK && dim - d >= 16) {
            _Pragma("clang loop unroll(full)") for (int i = 0; i < BLOCK; i++) v[i] =
                widen16(rows + i * s->row_stride + d);
        } else {
            for (nephele_index i = 0; i < BLOCK; i++) {
                const cached *row = rows + i * s->row_stride + d;
                v[i] = start + i < from || start + i >= from + count ? splat16(0)
                       : dim - d >= 16                               ? widen16(row)
                                                                     : widen_partial16(row, dim - d);
            }
        }
        turn16(v);
        _Pragma("clang loop unroll(full)") for (int i = 0; i < BLOCK; i++) store16(block + (d + i) * BLOCK, v[i]);
    }
}

/// One virtual lane of the dot products of N queries with sixteen keys.
#define LANE(N, sum, lane)                                                                                             \
    f32x16 sum[N];                                                                                                     \
    _Pragma("clang loop unroll(full)") for (int i = 0; i < N; i++) sum[i] = splat16(0);                                \
    for (nephele_index d = (lane); d < width; d += 16) {                                                               \
        f32x16 keys = load16(block + d * BLOCK);                                                                       \
        _Pragma("clang loop unroll(full)") for (int i = 0; i < N; i++) sum[i] =                                        \
            fma16(splat16(q[i * TOGETHER_DIM + d]), keys, sum[i]);                                                     \
    }
#define ADD(N, a, b) _Pragma("clang loop unroll(full)") for (int i = 0; i < N; i++) a[i] += b[i]

/// The dot products of N queries with the sixteen keys of a turned block: 16 lanes over d, folded by the tree of
/// `fold16`, each with the order that it has alone.
#define DEFINE_DOTS(N)                                                                                                 \
    NEPHELE_INLINE void dots_of_##N(const float *q, const float *block, const nephele_index width, f32x16 *dots) {     \
        for (int two = 0; two < 2; two++) {                                                                            \
            f32x16 half[N];                                                                                            \
            for (int four = two; four < 4; four += 2) {                                                                \
                LANE(N, a, four)                                                                                       \
                LANE(N, b, four + 8)                                                                                   \
                ADD(N, a, b);                                                                                          \
                LANE(N, c, four + 4)                                                                                   \
                LANE(N, e, four + 12)                                                                                  \
                ADD(N, c, e);                                                                                          \
                ADD(N, a, c);                                                                                          \
                if (four == two)                                                                                       \
                    _Pragma("clang loop unroll(full)") for (int i = 0; i < N; i++) half[i] = a[i];                     \
                else                                                                                                   \
                    ADD(N, half, a);                                                                                   \
            }                                                                                                          \
            if (two == 0)                                                                                              \
                _Pragma("clang loop unroll(full)") for (int i = 0; i < N; i++) dots[i] = half[i];                      \
            else                                                                                                       \
                ADD(N, dots, half);                                                                                    \
        }                                                                                                              \
    }
DEFINE_DOTS(4)
DEFINE_DOTS(1)

/// o[d] += sum_j p[j] v[j][d] over `count` rows of a block, for N queries that see the same ones.
#define DEFINE_WEIGH_BLOCK(N, WIDE)                                                                                    \
    NEPHELE_INLINE nephele_index weigh_block_##N##_##WIDE(const float *const *p, const float *block,                   \
                                                          nephele_index count, nephele_index width, nephele_index d,   \
                                                          float *const *o) {                                           \
        for (; d + 16 * WIDE <= width; d += 16 * WIDE) {                                                               \
            f32x16 sum[N][WIDE];                                                                                       \
            _Pragma("clang loop unroll(full)") for (int n = 0; n < N; n++)                                             \
                _Pragma("clang loop unroll(full)") for (int i = 0; i < WIDE; i++) sum[n][i] =                          \
                    load16(o[n] + d + 16 * i);                                                                         \
            for (nephele_index j = 0; j < count; j++) {                                                                \
                f32x16 row[WIDE];                                                                                      \
                _Pragma("clang loop unroll(full)") for (int i = 0; i < WIDE; i++) row[i] =                             \
                    load16(block + j * width + d + 16 * i);                                                            \
                _Pragma("clang loop unroll(full)") for (int n = 0; n < N; n++) {                                       \
                    f32x16 weight = splat16(p[n][j]);                                                                  \
                    _Pragma("clang loop unroll(full)") for (int i = 0; i < WIDE; i++) sum[n][i] =                      \
                        fma16(weight, row[i], sum[n][i]);                                                              \
                }                                                                                                      \
            }                                                                                                          \
            _Pragma("clang loop unroll(full)") for (int n = 0; n < N; n++)                                             \
                _Pragma("clang loop unroll(full)") for (int i = 0; i < WIDE; i++)                                      \
                    store16(o[n] + d + 16 * i, sum[n][i]);                                                             \
        }                                                                                                              \
        return d;                                                                                                      \
    }
// Sums stay in registers: 8 of 32 bytes, or 16 of 64.
DEFINE_WEIGH_BLOCK(1, 4)
DEFINE_WEIGH_BLOCK(1, 1)
DEFINE_WEIGH_BLOCK(2, 2)
DEFINE_WEIGH_BLOCK(2, 1)
DEFINE_WEIGH_BLOCK(4, 4)
DEFINE_WEIGH_BLOCK(4, 1)

/// The part of a span that a query head sees: positions [from, to).
typedef struct {
    nephele_index from, to;
} part;

/// What lies in a block that begins with `start`.
NEPHELE_INLINE part part_of_block(part p, nephele_index start) {
    return (part){p.from > start ? p.from : start, p.to < start + BLOCK ? p.to : start + BLOCK};
}

/// A span for several query heads, with the bits that each has alone: keys and values are widened once for all.
///
/// `wide`: registers are of 64 bytes.
NEPHELE_INLINE void attend_span_together(int wide, query *units, const part *parts, nephele_index count,
                                         const source *s, nephele_index dim, nephele_index value_dim, float scale,
                                         float cap) {
    float p[TOGETHER][NEPHELE_SPAN], o[TOGETHER][TOGETHER_DIM], q[TOGETHER][TOGETHER_DIM];
    float block[BLOCK * TOGETHER_DIM] = {0};
    int is_turned = count >= MANY;
    nephele_index width = (dim + 15) / 16 * 16, value_width = (value_dim + 15) / 16 * 16, from = -1, to = 0;
    for (nephele_index i = 0; i < count; i++) {
        memset(q[i] + width - 16, 0, 16 * sizeof(float));
        memcpy(q[i], units[i].q, (size_t)dim * sizeof(float));
        if (parts[i].from >= parts[i].to)
            continue;
        from = from < 0 || parts[i].from < from ? parts[i].from : from;
        to = parts[i].to > to ? parts[i].to : to;
    }
    for (nephele_index start = from / BLOCK * BLOCK; start < to; start += BLOCK) {
        part all = part_of_block((part){from, to}, start);
        if (start + NEPHELE_PAGE + BLOCK <= to)
            fetch_rows(row_of(s, s->keys, s->row_stride, start + NEPHELE_PAGE), s->row_stride, dim);
        if (is_turned)
            turn_block(s, start, all.from, all.to - all.from, dim, block);
        else
            widen_block(s, s->keys, s->row_stride, all.from, all.to - all.from, dim,
                        block + (all.from - start) * width);
        for (nephele_index i = 0; i < count;) {
            f32x16 dots[AT_ONCE];
            nephele_index n = is_turned && count - i >= AT_ONCE ? AT_ONCE : 1;
            if (n == AT_ONCE)
                width == 64    ? dots_of_4(q[i], block, 64, dots)
                : width == 128 ? dots_of_4(q[i], block, 128, dots)
                               : dots_of_4(q[i], block, width, dots);
            else if (is_turned)
                dots_of_1(q[i], block, width, dots);
            else
                dots[0] = width == 64    ? dots_with_block(q[i], block, 64)
                          : width == 128 ? dots_with_block(q[i], block, 128)
                                         : dots_with_block(q[i], block, width);
            for (nephele_index k = 0; k < n; k++, i++) {
                // Of keys that a query does not see, too: what they give is left out.
                part own = part_of_block(parts[i], start);
                if (own.from >= own.to)
                    continue;
                if (cached_scales)
                    dots[k] *= load16(scales_of(s, s->keys, s->row_stride, start));
                dots[k] *= splat16(scale);
                float *scores = p[i] + own.from - parts[i].from;
                if (own.to - own.from == BLOCK)
                    store16(scores, dots[k]);
                else
                    memcpy(scores, (const float *)&dots[k] + (own.from - start),
                           (size_t)(own.to - own.from) * sizeof(float));
            }
        }
    }
    float max[TOGETHER], sum[TOGETHER];
    for (nephele_index i = 0; i < count; i++) {
        if (parts[i].from >= parts[i].to)
            continue;
        max[i] = weights_of(1, p[i], s, parts[i].from, parts[i].to - parts[i].from, cap, &sum[i]);
        memset(o[i], 0, (size_t)value_width * sizeof(float));
    }
    for (nephele_index start = from / BLOCK * BLOCK; start < to; start += BLOCK) {
        part all = part_of_block((part){from, to}, start);
        if (start + NEPHELE_PAGE + BLOCK <= to)
            fetch_rows(row_of(s, s->values, s->value_row_stride, start + NEPHELE_PAGE), s->value_row_stride, value_dim);
        widen_block(s, s->values, s->value_row_stride, all.from, all.to - all.from, value_dim, block);
        for (nephele_index i = 0; i < count;) {
            const float *weights[AT_ONCE];
            float *outputs[AT_ONCE];
            part own = part_of_block(parts[i], start);
            nephele_index most = wide ? 4 : 2, n = 0;
            for (; n < most && i + n < count; n++) {
                part other = part_of_block(parts[i + n], start);
                if (other.from != own.from || other.to != own.to)
                    break;
                weights[n] = p[i + n] + own.from - parts[i + n].from;
                outputs[n] = o[i + n];
            }
            n = n < most ? 1 : most;
            i += n;
            if (own.from >= own.to)
                continue;
            const float *rows = block + (own.from - all.from) * value_width;
            nephele_index seen = own.to - own.from, d = 0;
            if (n == 4) {
                d = weigh_block_4_4(weights, rows, seen, value_width, d, outputs);
                weigh_block_4_1(weights, rows, seen, value_width, d, outputs);
            } else if (n == 2) {
                d = weigh_block_2_2(weights, rows, seen, value_width, d, outputs);
                weigh_block_2_1(weights, rows, seen, value_width, d, outputs);
            } else {
                d = weigh_block_1_4(weights, rows, seen, value_width, d, outputs);
                weigh_block_1_1(weights, rows, seen, value_width, d, outputs);
            }
        }
    }
    for (nephele_index i = 0; i < count; i++) {
        if (parts[i].from >= parts[i].to)
            continue;
        if (units[i].spans == 0)
            memcpy(units[i].y, o[i], (size_t)value_dim * sizeof(float));
        merge(&units[i], o[i], max[i], sum[i], value_dim);
    }
}
