// Attention over keys and values of one type. A file that includes this defines before:
//  - `cached`, the type of a stored element, and `cached_scales`, 1 where each stored row has a scale;
//  - `widen`, `widen16`, which make one or sixteen of them f32, exactly; `store_row`, which stores a row;
//  - NEPHELE_ATTENTION(suffix), the paged attention's name followed by `suffix`, and NEPHELE_KV_WRITE, the writing's.
//
// One query head over a list of keys and values, in spans of 512 positions:
//   s[j] = scale * (sum_d q[d] k[j][d]) scale_k[j]   16 virtual lanes over d
//   s[j] = cap * tanh(s[j] / cap)                    where the scores are soft-capped
//   p[j] = exp(s[j] - m), m = max over the span
//   l    = sum_j p[j]                                16 virtual lanes over j (counted from the start of the span)
//   o[d] = sum_j (p[j] scale_v[j]) v[j][d]           one chain, j ascending
// Spans are merged in ascending order (the online softmax of arXiv 2205.14135), a sink after them; y = o / l.
#include "nephele_attention.h"
#include "simd.h"

/// Where key j and value j of the current head are.
typedef struct {
    const uint8_t *keys;
    const uint8_t *values;
    const int32_t *pages;                       // null: contiguous rows
    nephele_index page_stride;                  // bytes
    nephele_index row_stride, value_row_stride; // elements
} source;

NEPHELE_INLINE const cached *row_of(const source *s, const uint8_t *base, nephele_index stride, nephele_index j) {
    if (!s->pages)
        return (const cached *)base + j * stride;
    return (const cached *)(base + s->pages[j / NEPHELE_PAGE] * s->page_stride) + (j % NEPHELE_PAGE) * stride;
}

/// The scales of rows j, j + 1, …, of the same page: behind its rows.
NEPHELE_INLINE const float *scales_of(const source *s, const uint8_t *base, nephele_index stride, nephele_index j) {
    const uint8_t *page = base + s->pages[j / NEPHELE_PAGE] * s->page_stride;
    return (const float *)(page + NEPHELE_PAGE * stride * (nephele_index)sizeof(cached)) + j % NEPHELE_PAGE;
}

static float dot_scalar(const float *q, const cached *k, nephele_index dim) {
    float lane[16] = {0};
    nephele_index padded = (dim + 15) / 16 * 16;
    for (nephele_index d = 0; d < padded; d++)
        lane[d % 16] = d < dim ? fmaf(q[d], widen(k[d]), lane[d % 16]) : fmaf(0, 0, lane[d % 16]);
    return fold_lanes(lane);
}

static void scores_scalar(const float *q, const source *s, nephele_index from, nephele_index count, nephele_index dim,
                          float scale, float *p) {
    for (nephele_index j = 0; j < count; j++) {
        float dot = dot_scalar(q, row_of(s, s->keys, s->row_stride, from + j), dim);
        if (cached_scales)
            dot *= *scales_of(s, s->keys, s->row_stride, from + j);
        p[j] = scale * dot;
    }
}

static float largest_scalar(const float *p, nephele_index count) {
    float max = -__builtin_inff();
    for (nephele_index j = 0; j < count; j++)
        max = p[j] > max ? p[j] : max;
    return max;
}

static void weigh_scalar(const float *p, const source *s, nephele_index from, nephele_index count, nephele_index dim,
                         float *o) {
    for (nephele_index d = 0; d < dim; d++)
        o[d] = 0;
    for (nephele_index j = 0; j < count; j++) {
        const cached *v = row_of(s, s->values, s->value_row_stride, from + j);
        for (nephele_index d = 0; d < dim; d++)
            o[d] = fmaf(p[j], widen(v[d]), o[d]);
    }
}

static float exponentials_scalar(float *p, nephele_index count, float shift) {
    float lane[16] = {0};
    for (nephele_index j = 0; j < count; j++) {
        p[j] = scalar_exp(p[j] - shift);
        lane[j % 16] += p[j];
    }
    return fold_lanes(lane);
}

/// The first `count` < 16 elements, the rest zero.
NEPHELE_INLINE f32x16 widen_partial16(const cached *p, nephele_index count) {
    cached padded[16] = {0};
    memcpy(padded, p, (size_t)count * sizeof(cached));
    return widen16(padded);
}

/// The 16 lanes of a dot product, not yet folded.
NEPHELE_INLINE f32x16 dot_lanes(const float *q, const cached *k, nephele_index dim) {
    f32x16 sum = splat16(0);
    nephele_index d = 0;
    for (; d + 16 <= dim; d += 16)
        sum = fma16(load16(q + d), widen16(k + d), sum);
    if (d < dim)
        sum = fma16(load_partial16(q + d, dim - d), widen_partial16(k + d, dim - d), sum);
    return sum;
}

#define HALVES(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)

/// Folds sixteen vectors at once, each by the tree of `fold16`.
NEPHELE_INLINE f32x16 fold16_of16(const f32x16 *v) {
    f32x16 eight[8], four[4], two[2];
    for (int i = 0; i < 8; i++) {
        f32x16 a = v[2 * i], b = v[2 * i + 1];
        eight[i] = HALVES(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
                   HALVES(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
    }
    for (int i = 0; i < 4; i++) {
        f32x16 a = eight[2 * i], b = eight[2 * i + 1];
        four[i] = HALVES(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27) +
                  HALVES(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
    }
    for (int i = 0; i < 2; i++) {
        f32x16 a = four[2 * i], b = four[2 * i + 1];
        two[i] = HALVES(a, b, 0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 24, 25, 28, 29) +
                 HALVES(a, b, 2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31);
    }
    return HALVES(two[0], two[1], 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30) +
           HALVES(two[0], two[1], 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
}

NEPHELE_INLINE void fetch_rows(const cached *rows, nephele_index stride, nephele_index dim) {
    for (int i = 0; i < 16; i++) {
        const char *row = (const char *)(rows + i * stride);
        for (nephele_index byte = 0; byte < dim * (nephele_index)sizeof(cached); byte += 64)
            __builtin_prefetch(row + byte, 0, 2);
    }
}

/// Asks memory for the keys of the next page and for the values that belong to these keys: a head's block in a page is
/// too short for the processor to foresee the next one.
NEPHELE_INLINE void fetch_ahead(const source *s, nephele_index j, nephele_index last, nephele_index dim) {
    if (j + NEPHELE_PAGE + 15 <= last)
        fetch_rows(row_of(s, s->keys, s->row_stride, j + NEPHELE_PAGE), s->row_stride, dim);
    fetch_rows(row_of(s, s->values, s->value_row_stride, j), s->value_row_stride, dim);
}

NEPHELE_INLINE void scores_simd(const float *q, const source *s, nephele_index from, nephele_index count,
                                nephele_index dim, float scale, int fetches, float *p) {
    nephele_index j = 0;
    while (j < count) {
        const cached *k = row_of(s, s->keys, s->row_stride, from + j);
        if (count - j >= 16 && (!s->pages || (from + j) % 16 == 0)) {
            if (fetches)
                fetch_ahead(s, from + j, from + count - 1, dim);
            f32x16 lanes[16];
            for (int i = 0; i < 16; i++)
                lanes[i] = dot_lanes(q, k + i * s->row_stride, dim);
            f32x16 dots = fold16_of16(lanes);
            if (cached_scales)
                dots *= load16(scales_of(s, s->keys, s->row_stride, from + j));
            store16(p + j, splat16(scale) * dots);
            j += 16;
        } else {
            float dot = fold16(dot_lanes(q, k, dim));
            if (cached_scales)
                dot *= *scales_of(s, s->keys, s->row_stride, from + j);
            p[j++] = scale * dot;
        }
    }
}

NEPHELE_INLINE float largest_simd(const float *p, nephele_index count) {
    f32x16 max = splat16(-__builtin_inff());
    nephele_index j = 0;
    for (; j + 16 <= count; j += 16) {
        f32x16 v = load16(p + j);
        max = select16(v > max, v, max);
    }
    float lane[16];
    store16(lane, max);
    float last = largest_scalar(p + j, count - j), all = largest_scalar(lane, 16);
    return last > all ? last : all;
}

static void cap_scalar(float *p, nephele_index count, float cap) {
    for (nephele_index j = 0; j < count; j++)
        p[j] = scalar_soft_cap(p[j], cap);
}

NEPHELE_INLINE void cap_simd(float *p, nephele_index count, float cap) {
    nephele_index j = 0;
    for (; j + 16 <= count; j += 16)
        store16(p + j, soft_cap16(load16(p + j), cap));
    cap_scalar(p + j, count - j, cap);
}

/// `width` vectors of an output, beginning at element d.
#define DEFINE_WEIGH(width)                                                                                            \
    NEPHELE_INLINE void weigh_##width(const float *p, const source *s, nephele_index from, nephele_index count,        \
                                      nephele_index d, float *o) {                                                     \
        f32x16 sum[width];                                                                                             \
        _Pragma("clang loop unroll(full)") for (int i = 0; i < width; i++) sum[i] = splat16(0);                        \
        for (nephele_index j = 0; j < count;) {                                                                        \
            const cached *v = row_of(s, s->values, s->value_row_stride, from + j) + d;                                 \
            nephele_index end = s->pages ? j + NEPHELE_PAGE - (from + j) % NEPHELE_PAGE : count;                       \
            for (end = end < count ? end : count; j < end; j++, v += s->value_row_stride) {                            \
                f32x16 weight = splat16(p[j]);                                                                         \
                _Pragma("clang loop unroll(full)") for (int i = 0; i < width; i++) sum[i] =                            \
                    fma16(weight, widen16(v + 16 * i), sum[i]);                                                        \
            }                                                                                                          \
        }                                                                                                              \
        _Pragma("clang loop unroll(full)") for (int i = 0; i < width; i++) store16(o + d + 16 * i, sum[i]);            \
    }
DEFINE_WEIGH(4)
DEFINE_WEIGH(1)

NEPHELE_INLINE void weigh_simd(const float *p, const source *s, nephele_index from, nephele_index count,
                               nephele_index dim, float *o) {
    nephele_index d = 0;
    for (; d + 64 <= dim; d += 64)
        weigh_4(p, s, from, count, d, o);
    for (; d + 16 <= dim; d += 16)
        weigh_1(p, s, from, count, d, o);
    if (d < dim) {
        f32x16 sum = splat16(0);
        for (nephele_index j = 0; j < count; j++) {
            const cached *v = row_of(s, s->values, s->value_row_stride, from + j) + d;
            sum = fma16(splat16(p[j]), widen_partial16(v, dim - d), sum);
        }
        memcpy(o + d, &sum, (size_t)(dim - d) * sizeof(float));
    }
}

NEPHELE_INLINE float exponentials_simd(float *p, nephele_index count, float shift) {
    f32x16 sum = splat16(0);
    nephele_index j = 0;
    for (; j + 16 <= count; j += 16) {
        f32x16 e = exp16(load16(p + j) - splat16(shift));
        store16(p + j, e);
        sum += e;
    }
    float lane[16];
    store16(lane, sum);
    for (; j < count; j++) {
        p[j] = scalar_exp(p[j] - shift);
        lane[j % 16] += p[j];
    }
    return fold_lanes(lane);
}

/// One query head and what is known of its output so far.
typedef struct {
    const float *q;
    float *y;
    nephele_index first, last; // positions that it sees
    const float *sink;         // null for none
    float max, sum;
    int spans;
} query;

/// Takes in what a span brings: `o`, which is u->y itself in the first one, the largest score and the sum of weights.
NEPHELE_INLINE void merge(query *u, const float *o, float max, float sum, nephele_index value_dim) {
    if (u->spans++ == 0) {
        u->max = max;
        u->sum = sum;
        return;
    }
    float joint = max > u->max ? max : u->max;
    float old_scale = scalar_exp(u->max - joint), new_scale = scalar_exp(max - joint);
    for (nephele_index d = 0; d < value_dim; d++)
        u->y[d] = fmaf(o[d], new_scale, u->y[d] * old_scale);
    u->sum = fmaf(sum, new_scale, u->sum * old_scale);
    u->max = joint;
}

/// Makes weights of the scores of positions from `from` on; returns the largest score, and the sum of the weights.
NEPHELE_INLINE float weights_of(int simd, float *p, const source *s, nephele_index from, nephele_index count, float cap,
                                float *sum) {
    if (cap > 0)
        simd ? cap_simd(p, count, cap) : cap_scalar(p, count, cap);
    float max = simd ? largest_simd(p, count) : largest_scalar(p, count);
    *sum = simd ? exponentials_simd(p, count, max) : exponentials_scalar(p, count, max);
    if (cached_scales) {
        for (nephele_index j = 0; j < count; j++)
            p[j] *= *scales_of(s, s->values, s->value_row_stride, from + j);
    }
    return max;
}

/// A span of positions [from, to) for one query head.
NEPHELE_INLINE void attend_span(int simd, query *u, const source *s, nephele_index from, nephele_index to,
                                nephele_index dim, nephele_index value_dim, float scale, float cap, int fetches) {
    float p[NEPHELE_SPAN];
    float o[NEPHELE_MAX_HEAD_DIM];
    nephele_index count = to - from;
    simd ? scores_simd(u->q, s, from, count, dim, scale, fetches, p)
         : scores_scalar(u->q, s, from, count, dim, scale, p);
    float sum, max = weights_of(simd, p, s, from, count, cap, &sum);
    float *out = u->spans == 0 ? u->y : o;
    simd ? weigh_simd(p, s, from, count, value_dim, out) : weigh_scalar(p, s, from, count, value_dim, out);
    merge(u, out, max, sum, value_dim);
}

#include "attention_together.h"

/// Query heads over the same keys and values, span by span: what one has read lies near for the next. Spans begin at
/// multiples of 512.
NEPHELE_INLINE void attend(int simd, int wide, query *units, nephele_index count, const source *s, nephele_index dim,
                           nephele_index value_dim, float scale, float cap) {
    nephele_index first = units[0].first, last = units[0].last;
    for (nephele_index i = 1; i < count; i++) {
        first = units[i].first < first ? units[i].first : first;
        last = units[i].last > last ? units[i].last : last;
    }
    int together = simd && s->pages && count >= FEW && dim <= TOGETHER_DIM && value_dim <= TOGETHER_DIM;
    for (nephele_index span = first / NEPHELE_SPAN; span <= last / NEPHELE_SPAN; span++) {
        int fetches = s->pages != 0;
        part parts[TOGETHER];
        for (nephele_index i = 0; i < count; i++) {
            query *u = units + i;
            nephele_index from = span * NEPHELE_SPAN, to = from + NEPHELE_SPAN;
            from = u->first > from ? u->first : from;
            to = u->last + 1 < to ? u->last + 1 : to;
            parts[i] = (part){from, to};
            if (together || from >= to)
                continue;
            attend_span(simd, u, s, from, to, dim, value_dim, scale, cap, fetches);
            fetches = 0;
        }
        if (together)
            attend_span_together(wide, units, parts, count, s, dim, value_dim, scale, cap);
    }
    for (nephele_index i = 0; i < count; i++) {
        query *u = units + i;
        if (u->sink) {
            float joint = *u->sink > u->max ? *u->sink : u->max, scale = scalar_exp(u->max - joint);
            u->sum = fmaf(u->sum, scale, scalar_exp(*u->sink - joint));
            for (nephele_index d = 0; d < value_dim; d++)
                u->y[d] = u->y[d] * scale;
        }
        for (nephele_index d = 0; d < value_dim; d++)
            u->y[d] = u->y[d] / u->sum;
    }
}

/// Bytes of one head's keys or values in a page.
static nephele_index head_bytes(nephele_index dim) {
    return NEPHELE_PAGE * (dim * (nephele_index)sizeof(cached) + (cached_scales ? (nephele_index)sizeof(float) : 0));
}

/// Units are in the order: key-value head, row, query head. So those that read the same keys and values, the heads of a
/// group and the rows of one sequence, follow one another.
NEPHELE_INLINE void paged(int simd, const nephele_attention_args *a, nephele_index begin, nephele_index end) {
    nephele_index group = a->heads / a->kv_heads, value_dim = a->value_dim > 0 ? a->value_dim : a->head_dim;
    for (nephele_index unit = begin; unit < end;) {
        nephele_index kv_head = unit / (a->row_count * group);
        const int32_t *pages = a->rows[unit / group % a->row_count].pages;
        query units[TOGETHER];
        nephele_index count = 0;
        for (; unit < end && count < TOGETHER; unit++, count++) {
            nephele_index m = unit / group % a->row_count, head = kv_head * group + unit % group;
            nephele_attention_row row = a->rows[m];
            if (row.pages != pages || unit / (a->row_count * group) != kv_head)
                break;
            nephele_index first = a->window > 0 && row.position >= a->window ? row.position - a->window + 1 : 0;
            units[count] = (query){a->queries + m * a->query_stride + head * a->head_dim,
                                   a->y + m * a->y_stride + head * value_dim,
                                   first,
                                   row.position,
                                   a->sinks ? a->sinks + head : 0,
                                   0,
                                   0,
                                   0};
        }
        const uint8_t *keys = (const uint8_t *)a->cache + kv_head * head_bytes(a->head_dim);
        const uint8_t *values = a->value_dim > 0 ? keys : keys + a->kv_heads * head_bytes(a->head_dim);
        source s = {keys, values, pages, a->page_stride, a->head_dim, a->head_dim};
        attend(simd, a->isa == NEPHELE_ISA_AVX512 || a->isa == NEPHELE_ISA_AVX512_VNNI, units, count, &s, a->head_dim,
               value_dim, a->scale, a->soft_cap);
    }
}

static void NEPHELE_ATTENTION(_scalar)(const nephele_attention_args *a, nephele_index begin, nephele_index end) {
    paged(0, a, begin, end);
}

NEPHELE_INLINE void NEPHELE_ATTENTION(_simd)(const nephele_attention_args *a, nephele_index begin, nephele_index end) {
    paged(1, a, begin, end);
}

void NEPHELE_KV_WRITE(const void *args, nephele_index begin, nephele_index end) {
    const nephele_kv_write_args *a = args;
    nephele_index values = a->kv_heads * head_bytes(a->head_dim);
    for (nephele_index m = begin; m < end; m++) {
        nephele_index position = a->rows[m].position;
        uint8_t *page = (uint8_t *)a->cache + a->rows[m].pages[position / NEPHELE_PAGE] * a->page_stride;
        for (nephele_index head = 0; head < a->kv_heads; head++) {
            uint8_t *block = page + head * head_bytes(a->head_dim);
            const float *key = a->keys + m * a->key_stride + head * a->head_dim;
            store_row(block, position % NEPHELE_PAGE, key, a->head_dim);
            if (a->values) {
                const float *value = a->values + m * a->value_stride + head * a->head_dim;
                store_row(block + values, position % NEPHELE_PAGE, value, a->head_dim);
            }
        }
    }
}
