#include "nephele_states.h"
#include "simd.h"

// ---------------------------------------------------------------------------------------------- short convolution

/// The `taps` - 1 rows of one channel that a span follows, from the state and behind it the log.
NEPHELE_INLINE float past(const nephele_short_convolution_f32_args *a, const nephele_state_span *s, nephele_index j,
                          nephele_index channel) {
    nephele_index row = s->logged + j, held = a->taps - 1;
    if (row < held)
        return s->source ? s->source[a->state + row * a->width + channel] : 0;
    return s->log[a->log + (row - held) * a->width + channel];
}

static void nephele_short_convolution_f32_scalar(const nephele_short_convolution_f32_args *a, nephele_index begin,
                                                 nephele_index end) {
    nephele_index blocks = (a->width + 15) / 16, held = a->taps - 1;
    for (nephele_index unit = begin; unit < end; unit++) {
        const nephele_state_span *s = a->spans + unit / blocks;
        nephele_index first = unit % blocks * 16, last = first + 16 < a->width ? first + 16 : a->width;
        for (nephele_index c = first; c < last; c++) {
            float seen[NEPHELE_MAX_TAPS];
            for (nephele_index j = 0; j < held; j++)
                seen[j] = past(a, s, j, c);
            for (nephele_index t = 0; t < s->rows; t++) {
                nephele_index place = (s->row + t) * a->width + c;
                float sum = 0;
                seen[held] = a->x[place];
                for (nephele_index j = 0; j <= held; j++)
                    sum = fmaf(a->weights[j * a->width + c], seen[j], sum);
                a->y[place] = a->bias ? sum + a->bias[c] : sum;
                if (t >= s->taken)
                    s->log[a->log + (t - s->taken) * a->width + c] = seen[held];
                for (nephele_index j = 0; j < held; j++) {
                    seen[j] = seen[j + 1];
                    if (t + 1 == s->taken)
                        s->target[a->state + j * a->width + c] = seen[j];
                    if (s->checkpoint && t + 1 == s->checkpoint_rows)
                        s->checkpoint[a->state + j * a->width + c] = seen[j];
                }
            }
        }
    }
}

NEPHELE_INLINE f32x16 load_some16(const float *p, nephele_index count) {
    return count == 16 ? load16(p) : load_partial16(p, count);
}

NEPHELE_INLINE void store_some16(float *p, f32x16 v, nephele_index count) {
    memcpy(p, &v, (size_t)count * sizeof(float));
}

NEPHELE_INLINE f32x16 past16(const nephele_short_convolution_f32_args *a, const nephele_state_span *s, nephele_index j,
                             nephele_index channel, nephele_index count) {
    nephele_index row = s->logged + j, held = a->taps - 1;
    if (row >= held)
        return load_some16(s->log + a->log + (row - held) * a->width + channel, count);
    return s->source ? load_some16(s->source + a->state + row * a->width + channel, count) : splat16(0);
}

NEPHELE_INLINE void nephele_short_convolution_f32_simd(const nephele_short_convolution_f32_args *a, nephele_index begin,
                                                       nephele_index end) {
    nephele_index blocks = (a->width + 15) / 16, held = a->taps - 1;
    for (nephele_index unit = begin; unit < end; unit++) {
        const nephele_state_span *s = a->spans + unit / blocks;
        nephele_index c = unit % blocks * 16, count = a->width - c < 16 ? a->width - c : 16;
        f32x16 seen[NEPHELE_MAX_TAPS], weights[NEPHELE_MAX_TAPS];
        for (nephele_index j = 0; j < held; j++)
            seen[j] = past16(a, s, j, c, count);
        for (nephele_index j = 0; j <= held; j++)
            weights[j] = load_some16(a->weights + j * a->width + c, count);
        f32x16 bias = a->bias ? load_some16(a->bias + c, count) : splat16(0);
        for (nephele_index t = 0; t < s->rows; t++) {
            nephele_index place = (s->row + t) * a->width + c;
            f32x16 sum = splat16(0);
            seen[held] = load_some16(a->x + place, count);
            for (nephele_index j = 0; j <= held; j++)
                sum = fma16(weights[j], seen[j], sum);
            store_some16(a->y + place, a->bias ? sum + bias : sum, count);
            if (t >= s->taken)
                store_some16(s->log + a->log + (t - s->taken) * a->width + c, seen[held], count);
            for (nephele_index j = 0; j < held; j++) {
                seen[j] = seen[j + 1];
                if (t + 1 == s->taken)
                    store_some16(s->target + a->state + j * a->width + c, seen[j], count);
                if (s->checkpoint && t + 1 == s->checkpoint_rows)
                    store_some16(s->checkpoint + a->state + j * a->width + c, seen[j], count);
            }
        }
    }
}

NEPHELE_KERNEL(nephele_short_convolution_f32)

// ---------------------------------------------------------------------------------------------- delta rule

/// Some columns of one head's state, on the way through a span: `from` is where they are read, `to` where they are
/// written, both with `stride` floats a row; the same memory, but for the first row that follows another state.
typedef struct {
    const float *from;
    float *to;
    nephele_index from_stride, stride, rows;
} state_columns;

/// S = decay * S + k d, of 16 * vectors columns.
NEPHELE_INLINE void take(int simd, int vectors, const state_columns *s, const float *k, float decay, const float *d) {
    if (!simd) {
        for (nephele_index i = 0; i < s->rows; i++) {
            for (int j = 0; j < 16 * vectors; j++)
                s->to[i * s->stride + j] = fmaf(k[i], d[j], decay * s->from[i * s->from_stride + j]);
        }
        return;
    }
    f32x16 delta[4], scale = splat16(decay);
    for (int u = 0; u < vectors; u++)
        delta[u] = load16(d + 16 * u);
    for (nephele_index i = 0; i < s->rows; i++) {
        for (int u = 0; u < vectors; u++)
            store16(s->to + i * s->stride + 16 * u,
                    fma16(splat16(k[i]), delta[u], scale * load16(s->from + i * s->from_stride + 16 * u)));
    }
}

/// One row's update, and what its query reads: d and y, of 16 * vectors columns.
NEPHELE_INLINE void step(int simd, int vectors, const state_columns *s, const float *q, const float *k, const float *v,
                         float decay, float beta, float *d, float *y) {
    if (!simd) {
        for (int j = 0; j < 16 * vectors; j++) {
            float known = 0, sum = 0;
            for (nephele_index i = 0; i < s->rows; i++)
                known = fmaf(k[i], decay * s->from[i * s->from_stride + j], known);
            d[j] = beta * (v[j] - known);
            for (nephele_index i = 0; i < s->rows; i++) {
                float updated = fmaf(k[i], d[j], decay * s->from[i * s->from_stride + j]);
                s->to[i * s->stride + j] = updated;
                sum = fmaf(q[i], updated, sum);
            }
            y[j] = sum;
        }
        return;
    }
    f32x16 known[4], delta[4], sum[4], scale = splat16(decay);
    for (int u = 0; u < vectors; u++)
        known[u] = sum[u] = splat16(0);
    for (nephele_index i = 0; i < s->rows; i++) {
        f32x16 key = splat16(k[i]);
        for (int u = 0; u < vectors; u++)
            known[u] = fma16(key, scale * load16(s->from + i * s->from_stride + 16 * u), known[u]);
    }
    for (int u = 0; u < vectors; u++) {
        delta[u] = splat16(beta) * (load16(v + 16 * u) - known[u]);
        store16(d + 16 * u, delta[u]);
    }
    for (nephele_index i = 0; i < s->rows; i++) {
        f32x16 key = splat16(k[i]), query = splat16(q[i]);
        for (int u = 0; u < vectors; u++) {
            f32x16 updated = fma16(key, delta[u], scale * load16(s->from + i * s->from_stride + 16 * u));
            store16(s->to + i * s->stride + 16 * u, updated);
            sum[u] = fma16(query, updated, sum[u]);
        }
    }
    for (int u = 0; u < vectors; u++)
        store16(y + 16 * u, sum[u]);
}

static void copy_columns(float *to, nephele_index to_stride, const float *from, nephele_index from_stride,
                         nephele_index rows, nephele_index columns) {
    for (nephele_index i = 0; i < rows; i++)
        memcpy(to + i * to_stride, from + i * from_stride, (size_t)columns * sizeof(float));
}

/// A span of one head in 16 * vectors columns from `column` on.
NEPHELE_INLINE void span_columns(int simd, int vectors, const nephele_delta_rule_f32_args *a,
                                 const nephele_state_span *s, nephele_index head, nephele_index column) {
    static const float zeros[16 * 4];
    float drafted[NEPHELE_MAX_STATE_KEY][16 * 4], d[16 * 4];
    nephele_index key_head = a->is_tiled ? head % a->key_heads : head / (a->value_heads / a->key_heads),
                  keys = a->key_heads * a->key_dim;
    nephele_index values = a->value_heads * a->value_dim, stride = a->value_dim, width = 16 * vectors;
    nephele_index place = a->state + head * a->key_dim * stride + column, own = head * stride + column;
    float *target = s->target + place;
    state_columns c = {zeros, target, 0, stride, a->key_dim};
    if (s->source) {
        c.from = s->source + place;
        c.from_stride = stride;
    }
    for (nephele_index t = 0; t < s->logged; t++) {
        take(simd, vectors, &c, s->log + a->key_log + t * keys + key_head * a->key_dim,
             s->log[a->decay_log + t * a->value_heads + head], s->log + a->log + t * values + own);
        c.from = target;
        c.from_stride = stride;
    }
    for (nephele_index t = 0; t < s->rows; t++) {
        nephele_index row = s->row + t, key = row * keys + key_head * a->key_dim;
        nephele_index gate = row * a->value_heads + head;
        if (t == s->taken) {
            c.to = drafted[0];
            c.stride = 16 * 4;
        }
        float *delta = t < s->taken ? d : s->log + a->log + (t - s->taken) * values + own;
        step(simd, vectors, &c, a->q + key, a->k + key, a->v + row * values + own, a->decay[gate], a->beta[gate], delta,
             a->y + row * values + own);
        c.from = c.to;
        c.from_stride = c.stride;
        if (s->checkpoint && t + 1 == s->checkpoint_rows)
            copy_columns(s->checkpoint + place, stride, target, stride, a->key_dim, width);
    }
}

NEPHELE_INLINE void delta_rule(int simd, const nephele_delta_rule_f32_args *a, nephele_index begin, nephele_index end) {
    nephele_index blocks = (a->value_dim + NEPHELE_STATE_COLUMNS - 1) / NEPHELE_STATE_COLUMNS;
    for (nephele_index unit = begin; unit < end; unit++) {
        const nephele_state_span *s = a->spans + unit / (a->value_heads * blocks);
        nephele_index head = unit / blocks % a->value_heads, column = unit % blocks * NEPHELE_STATE_COLUMNS;
        if (column + NEPHELE_STATE_COLUMNS <= a->value_dim) {
            span_columns(simd, 4, a, s, head, column);
        } else {
            for (; column < a->value_dim; column += 16)
                span_columns(simd, 1, a, s, head, column);
        }
    }
}

static void nephele_delta_rule_f32_scalar(const nephele_delta_rule_f32_args *a, nephele_index begin,
                                          nephele_index end) {
    delta_rule(0, a, begin, end);
}

NEPHELE_INLINE void nephele_delta_rule_f32_simd(const nephele_delta_rule_f32_args *a, nephele_index begin,
                                                nephele_index end) {
    delta_rule(1, a, begin, end);
}

NEPHELE_KERNEL(nephele_delta_rule_f32)

// ---------------------------------------------------------------------------------------------- gates

void nephele_delta_gates_f32(const void *args, nephele_index begin, nephele_index end) {
    const nephele_delta_gates_f32_args *a = args;
    for (nephele_index i = begin; i < end; i++) {
        nephele_index head = i % a->heads;
        a->decay[i] = scalar_exp(-a->rate[head] * scalar_softplus(a->a[i] + a->bias[head]));
        a->beta[i] = 1.0f / (1.0f + scalar_exp(-a->b[i]));
    }
}
