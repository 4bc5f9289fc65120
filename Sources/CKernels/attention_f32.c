#include "simd.h"

// Attention of one query head over a list of keys and values, in spans of 512 positions:
//   s[j] = scale * sum_d q[d] k[j][d]          16 virtual lanes over d
//   s[j] = cap * tanh(s[j] / cap)              where the scores are soft-capped
//   p[j] = exp(s[j] - m), m = max over the span
//   l    = sum_j p[j]                          16 virtual lanes over j (counted from the start of the span)
//   o[d] = sum_j p[j] v[j][d]                  one chain, j ascending
// Spans are merged in ascending order (the online softmax of arXiv 2205.14135); y = o / l.

/// Where key j and value j of the current head are.
typedef struct {
    const float *keys;
    const float *values;
    const int32_t *pages; // null: contiguous rows
    nephele_index page_stride, key_stride, value_stride;
} source;

NEPHELE_INLINE const float *row_of(const source *s, const float *base, nephele_index stride, nephele_index j) {
    if (!s->pages)
        return base + j * stride;
    return base + s->pages[j / NEPHELE_PAGE] * s->page_stride + (j % NEPHELE_PAGE) * stride;
}

static float dot_scalar(const float *q, const float *k, nephele_index dim) {
    float lane[16] = {0};
    nephele_index padded = (dim + 15) / 16 * 16;
    for (nephele_index d = 0; d < padded; d++) {
        lane[d % 16] = d < dim ? fmaf(q[d], k[d], lane[d % 16]) : fmaf(0, 0, lane[d % 16]);
    }
    return fold_lanes(lane);
}

static void weigh_scalar(const float *p, const source *s, nephele_index from, nephele_index count, nephele_index dim,
                         float *o) {
    for (nephele_index d = 0; d < dim; d++)
        o[d] = 0;
    for (nephele_index j = 0; j < count; j++) {
        const float *v = row_of(s, s->values, s->value_stride, from + j);
        for (nephele_index d = 0; d < dim; d++)
            o[d] = fmaf(p[j], v[d], o[d]);
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

static float largest(const float *p, nephele_index count) {
    float max = -__builtin_inff();
    for (nephele_index j = 0; j < count; j++)
        max = p[j] > max ? p[j] : max;
    return max;
}

static void cap_scalar(float *p, nephele_index count, float cap) {
    for (nephele_index j = 0; j < count; j++)
        p[j] = scalar_soft_cap(p[j], cap);
}

NEPHELE_INLINE void cap_simd(float *p, nephele_index count, float cap) {
    nephele_index j = 0;
    for (; j + 16 <= count; j += 16)
        store16(p + j, soft_cap16(load16(p + j), cap));
    for (; j < count; j++)
        p[j] = scalar_soft_cap(p[j], cap);
}

NEPHELE_INLINE float dot_simd(const float *q, const float *k, nephele_index dim) {
    f32x16 sum = splat16(0);
    nephele_index d = 0;
    for (; d + 16 <= dim; d += 16)
        sum = fma16(load16(q + d), load16(k + d), sum);
    if (d < dim)
        sum = fma16(load_partial16(q + d, dim - d), load_partial16(k + d, dim - d), sum);
    return fold16(sum);
}

NEPHELE_INLINE void weigh_simd(const float *p, const source *s, nephele_index from, nephele_index count,
                               nephele_index dim, float *o) {
    nephele_index d = 0;
    for (; d + 16 <= dim; d += 16) {
        f32x16 sum = splat16(0);
        for (nephele_index j = 0; j < count; j++) {
            sum = fma16(splat16(p[j]), load16(row_of(s, s->values, s->value_stride, from + j) + d), sum);
        }
        store16(o + d, sum);
    }
    if (d < dim) {
        f32x16 sum = splat16(0);
        for (nephele_index j = 0; j < count; j++) {
            const float *v = row_of(s, s->values, s->value_stride, from + j) + d;
            sum = fma16(splat16(p[j]), load_partial16(v, dim - d), sum);
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

/// Attention over positions [first, last]; spans begin at multiples of 512.
NEPHELE_INLINE void attend(int simd, const float *q, const source *s, nephele_index first, nephele_index last,
                           nephele_index dim, float scale, float cap, float *y) {
    float p[NEPHELE_SPAN];
    float o[NEPHELE_MAX_HEAD_DIM];
    float merged_max = 0, merged_sum = 0;
    int spans = 0;
    for (nephele_index from = first; from <= last;) {
        nephele_index to = (from / NEPHELE_SPAN + 1) * NEPHELE_SPAN;
        if (to > last + 1)
            to = last + 1;
        nephele_index count = to - from;
        float max = -__builtin_inff();
        for (nephele_index j = 0; j < count; j++) {
            const float *k = row_of(s, s->keys, s->key_stride, from + j);
            p[j] = scale * (simd ? dot_simd(q, k, dim) : dot_scalar(q, k, dim));
            max = p[j] > max ? p[j] : max;
        }
        if (cap > 0) {
            simd ? cap_simd(p, count, cap) : cap_scalar(p, count, cap);
            max = largest(p, count);
        }
        float sum = simd ? exponentials_simd(p, count, max) : exponentials_scalar(p, count, max);
        if (spans == 0) {
            simd ? weigh_simd(p, s, from, count, dim, y) : weigh_scalar(p, s, from, count, dim, y);
            merged_max = max;
            merged_sum = sum;
        } else {
            simd ? weigh_simd(p, s, from, count, dim, o) : weigh_scalar(p, s, from, count, dim, o);
            float joint = max > merged_max ? max : merged_max;
            float old_scale = scalar_exp(merged_max - joint), new_scale = scalar_exp(max - joint);
            for (nephele_index d = 0; d < dim; d++)
                y[d] = fmaf(o[d], new_scale, y[d] * old_scale);
            merged_sum = fmaf(sum, new_scale, merged_sum * old_scale);
            merged_max = joint;
        }
        spans++;
        from = to;
    }
    for (nephele_index d = 0; d < dim; d++)
        y[d] = y[d] / merged_sum;
}

NEPHELE_INLINE void paged(int simd, const nephele_attention_f32_args *a, nephele_index begin, nephele_index end) {
    nephele_index group = a->heads / a->kv_heads;
    nephele_index value_offset = a->kv_heads * NEPHELE_PAGE * a->head_dim;
    for (nephele_index unit = begin; unit < end; unit++) {
        nephele_index m = unit / a->heads, head = unit % a->heads;
        nephele_attention_row row = a->rows[m];
        const float *keys = a->cache + (head / group) * NEPHELE_PAGE * a->head_dim;
        source s = {keys, keys + value_offset, row.pages, a->page_stride, a->head_dim, a->head_dim};
        nephele_index first = a->window > 0 && row.position >= a->window ? row.position - a->window + 1 : 0;
        attend(simd, a->queries + m * a->query_stride + head * a->head_dim, &s, first, row.position, a->head_dim,
               a->scale, a->soft_cap, a->y + m * a->y_stride + head * a->head_dim);
    }
}

static void nephele_attention_f32_scalar(const nephele_attention_f32_args *a, nephele_index begin, nephele_index end) {
    paged(0, a, begin, end);
}

NEPHELE_INLINE void nephele_attention_f32_simd(const nephele_attention_f32_args *a, nephele_index begin,
                                               nephele_index end) {
    paged(1, a, begin, end);
}

NEPHELE_KERNEL(nephele_attention_f32)

NEPHELE_INLINE void full(int simd, const nephele_full_attention_f32_args *a, nephele_index begin, nephele_index end) {
    for (nephele_index unit = begin; unit < end; unit++) {
        nephele_index m = unit / a->heads, head = unit % a->heads;
        source s = {a->k + head * a->head_dim, a->v + head * a->head_dim, 0, 0, a->k_stride, a->v_stride};
        attend(simd, a->q + m * a->q_stride + head * a->head_dim, &s, 0, a->keys - 1, a->head_dim, a->scale, 0,
               a->y + m * a->y_stride + head * a->head_dim);
    }
}

static void nephele_full_attention_f32_scalar(const nephele_full_attention_f32_args *a, nephele_index begin,
                                              nephele_index end) {
    full(0, a, begin, end);
}

NEPHELE_INLINE void nephele_full_attention_f32_simd(const nephele_full_attention_f32_args *a, nephele_index begin,
                                                    nephele_index end) {
    full(1, a, begin, end);
}

NEPHELE_KERNEL(nephele_full_attention_f32)

void nephele_rope_f32(const void *args, nephele_index begin, nephele_index end) {
    const nephele_rope_f32_args *a = args;
    nephele_index half = a->rotary / 2;
    for (nephele_index m = begin; m < end; m++) {
        const float *cosine = a->cosine + a->positions[m] * half;
        const float *sine = a->sine + a->positions[m] * half;
        for (nephele_index head = 0; head < a->heads; head++) {
            float *x = a->x + m * a->x_stride + head * a->head_dim;
            for (nephele_index i = 0; i < half; i++) {
                float u = x[i], v = x[i + half];
                float vs = v * sine[i], us = u * sine[i];
                x[i] = u * cosine[i] - vs;
                x[i + half] = v * cosine[i] + us;
            }
        }
    }
}

void nephele_kv_write_f32(const void *args, nephele_index begin, nephele_index end) {
    const nephele_kv_write_f32_args *a = args;
    nephele_index value_offset = a->kv_heads * NEPHELE_PAGE * a->head_dim;
    for (nephele_index m = begin; m < end; m++) {
        nephele_index position = a->rows[m].position;
        float *page = a->cache + a->rows[m].pages[position / NEPHELE_PAGE] * a->page_stride;
        for (nephele_index head = 0; head < a->kv_heads; head++) {
            float *slot = page + (head * NEPHELE_PAGE + position % NEPHELE_PAGE) * a->head_dim;
            size_t bytes = (size_t)a->head_dim * sizeof(float);
            memcpy(slot, a->keys + m * a->key_stride + head * a->head_dim, bytes);
            memcpy(slot + value_offset, a->values + m * a->value_stride + head * a->head_dim, bytes);
        }
    }
}
