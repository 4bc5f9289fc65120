// Attention of training and its gradients; nephele_gradients.h says what is computed.
#include "nephele_gradients.h"
#include "simd.h"
#include "softmax.h"

#define SPAN 256
/// Rows whose sums stay in registers together.
#define TOGETHER 6
/// The widest head: a tile's rows of it must fit on the stack.
#define DIM NEPHELE_MAX_HEAD_DIM

/// sum[i][c] += sum_k a[i][k] b[k][c] for six rows a and sixteen columns of b, of which `columns` are there.
NEPHELE_INLINE void products(int simd, const float *const *a, const float *b, nephele_index b_stride,
                             nephele_index depth, nephele_index columns, float sum[TOGETHER][16]) {
    if (!simd) {
        for (int i = 0; i < TOGETHER; i++) {
            for (nephele_index c = 0; c < 16; c++) {
                for (nephele_index k = 0; k < depth; k++)
                    sum[i][c] = fmaf(a[i][k], c < columns ? b[k * b_stride + c] : 0, sum[i][c]);
            }
        }
        return;
    }
    f32x16 s0 = load16(sum[0]), s1 = load16(sum[1]), s2 = load16(sum[2]);
    f32x16 s3 = load16(sum[3]), s4 = load16(sum[4]), s5 = load16(sum[5]);
    for (nephele_index k = 0; k < depth; k++) {
        const float *row = b + k * b_stride;
        f32x16 v = columns == 16 ? load16(row) : load_partial16(row, columns);
        s0 = fma16(splat16(a[0][k]), v, s0);
        s1 = fma16(splat16(a[1][k]), v, s1);
        s2 = fma16(splat16(a[2][k]), v, s2);
        s3 = fma16(splat16(a[3][k]), v, s3);
        s4 = fma16(splat16(a[4][k]), v, s4);
        s5 = fma16(splat16(a[5][k]), v, s5);
    }
    store16(sum[0], s0);
    store16(sum[1], s1);
    store16(sum[2], s2);
    store16(sum[3], s3);
    store16(sum[4], s4);
    store16(sum[5], s5);
}

/// p[i][j] = sum_d rows[i][d] panels[j][d] for `count` rows of the panels, a multiple of 16.
NEPHELE_INLINE void all_products(int simd, const float *const *rows, const float *panels, nephele_index dim,
                                 nephele_index count, float p[TOGETHER][SPAN]) {
    for (nephele_index j = 0; j < count; j += 16) {
        float sum[TOGETHER][16] = {{0}};
        products(simd, rows, panels + j * dim, 16, dim, 16, sum);
        for (int i = 0; i < TOGETHER; i++)
            memcpy(p[i] + j, sum[i], sizeof sum[i]);
    }
}

/// out[i][d] += sum_j p[i][j] x[j][d] for `count` rows x.
NEPHELE_INLINE void mixed_rows(int simd, float p[TOGETHER][SPAN], const float *x, nephele_index stride,
                               nephele_index dim, nephele_index count, float out[TOGETHER][DIM]) {
    const float *rows[TOGETHER] = {p[0], p[1], p[2], p[3], p[4], p[5]};
    for (nephele_index d = 0; d < dim; d += 16) {
        float sum[TOGETHER][16];
        for (int i = 0; i < TOGETHER; i++)
            memcpy(sum[i], out[i] + d, sizeof sum[i]);
        if (dim - d >= 16)
            products(simd, rows, x + d, stride, count, 16, sum);
        else
            products(simd, rows, x + d, stride, count, dim - d, sum);
        for (int i = 0; i < TOGETHER; i++)
            memcpy(out[i] + d, sum[i], sizeof sum[i]);
    }
}

NEPHELE_INLINE void write_rows(float *y, nephele_index stride, nephele_index rows, nephele_index dim,
                               float out[TOGETHER][DIM]) {
    for (nephele_index i = 0; i < rows; i++)
        memcpy(y + i * stride, out[i], (size_t)dim * sizeof(float));
}

/// Rows `first` to `first` + 6 of x; behind the last one it is taken again, for nobody.
NEPHELE_INLINE void tile_rows(const float *x, nephele_index stride, nephele_index first, nephele_index behind,
                              const float **rows) {
    for (int i = 0; i < TOGETHER; i++)
        rows[i] = x + (first + i < behind ? first + i : behind - 1) * stride;
}

/// The first key that a query sees.
NEPHELE_INLINE nephele_index first_key(const nephele_text_attention_f32_args *a, nephele_index query) {
    return a->window > 0 && query >= a->window ? query - a->window + 1 : 0;
}

/// The query behind the last one that sees a key.
NEPHELE_INLINE nephele_index last_query(const nephele_text_attention_f32_args *a, nephele_index key) {
    return a->window > 0 && key + a->window < a->rows ? key + a->window : a->rows;
}

static nephele_index groups_of(const nephele_text_attention_f32_args *a) {
    return (a->rows + 15) / 16;
}

/// Makes weights of a row of products, of which `count`, a multiple of 16, are there and those from `first` up to `end`
/// are seen; returns the largest score.
NEPHELE_INLINE float weigh_seen(int simd, float *p, nephele_index count, nephele_index first, nephele_index end,
                                float scale, float *sum) {
    for (nephele_index j = 0; j < count; j++)
        p[j] = j < first || j >= end ? -__builtin_inff() : scale * p[j];
    return weigh(simd, p, count, sum);
}

NEPHELE_INLINE void forward(int simd, const nephele_text_attention_f32_args *a, nephele_index begin,
                            nephele_index end) {
    nephele_index dim = a->head_dim, stride = a->heads * dim, kv_stride = a->kv_heads * dim;
    nephele_index tiles = (a->rows + TOGETHER - 1) / TOGETHER;
    for (nephele_index unit = begin; unit < end; unit++) {
        nephele_index head = unit / tiles, query = unit % tiles * TOGETHER, kv = head / (a->heads / a->kv_heads);
        nephele_index behind = query + TOGETHER < a->rows ? query + TOGETHER : a->rows;
        const float *rows[TOGETHER];
        tile_rows(a->q + head * dim, stride, query, behind, rows);
        float out[TOGETHER][DIM], max[TOGETHER], sum[TOGETHER];
        for (int i = 0; i < TOGETHER; i++) {
            memset(out[i], 0, (size_t)((dim + 15) / 16 * 16) * sizeof(float));
            max[i] = -__builtin_inff();
            sum[i] = 0;
        }
        for (nephele_index from = first_key(a, query) / 16 * 16; from < behind; from += SPAN) {
            nephele_index count = behind - from < SPAN ? behind - from : SPAN, padded = (count + 15) / 16 * 16;
            float p[TOGETHER][SPAN], part[TOGETHER][DIM], new_scale[TOGETHER];
            all_products(simd, rows, a->k_panels + (kv * groups_of(a) + from / 16) * dim * 16, dim, padded, p);
            for (int i = 0; i < TOGETHER; i++) {
                nephele_index row = query + i < behind ? query + i : behind - 1;
                nephele_index first = first_key(a, row) - from;
                float total, largest;
                memset(part[i], 0, (size_t)((dim + 15) / 16 * 16) * sizeof(float));
                if (first >= count || row < from) {
                    // It sees none of these keys.
                    memset(p[i], 0, (size_t)padded * sizeof(float));
                    new_scale[i] = 0;
                    continue;
                }
                largest = weigh_seen(simd, p[i], padded, first, row + 1 - from, a->scale, &total);
                float joint = largest > max[i] ? largest : max[i], old = scalar_exp(max[i] - joint);
                new_scale[i] = scalar_exp(largest - joint);
                sum[i] = fmaf(total, new_scale[i], sum[i] * old);
                for (nephele_index d = 0; d < dim; d++)
                    out[i][d] *= old;
                max[i] = joint;
            }
            mixed_rows(simd, p, a->v + from * kv_stride + kv * dim, kv_stride, dim, count, part);
            for (int i = 0; i < TOGETHER; i++) {
                for (nephele_index d = 0; d < dim; d++)
                    out[i][d] = fmaf(part[i][d], new_scale[i], out[i][d]);
            }
        }
        for (nephele_index i = 0; i < behind - query; i++) {
            for (nephele_index d = 0; d < dim; d++)
                out[i][d] /= sum[i];
            a->log_sums[head * a->rows + query + i] = sum[i] == sum[i] ? max[i] + scalar_log(sum[i]) : sum[i];
        }
        write_rows(a->y + query * stride + head * dim, stride, behind - query, dim, out);
    }
}

/// p = exp(scale * p - log_sum), ds = scale * p * (ds - product), where `is_seen`; 0 elsewhere.
NEPHELE_INLINE void score_gradients(int simd, float *p, float *ds, nephele_index count, nephele_index first,
                                    nephele_index end, float scale, const float *log_sums, const float *products,
                                    int is_one) {
    for (nephele_index j = 0; j < count; j++) {
        float log_sum = is_one ? *log_sums : log_sums[j];
        p[j] = j < first || j >= end ? -__builtin_inff() : fmaf(scale, p[j], -log_sum);
    }
    if (simd) {
        for (nephele_index j = 0; j < count; j += 16)
            store16(p + j, exp16(load16(p + j)));
    } else {
        for (nephele_index j = 0; j < count; j++)
            p[j] = scalar_exp(p[j]);
    }
    for (nephele_index j = 0; j < count; j++)
        ds[j] = j < first || j >= end ? 0 : scale * p[j] * (ds[j] - (is_one ? *products : products[j]));
}

NEPHELE_INLINE float row_product(int simd, const float *x, const float *y, nephele_index count) {
    float lane[16] = {0};
    nephele_index i = 0;
    if (simd) {
        f32x16 sum = splat16(0);
        for (; i + 16 <= count; i += 16)
            sum = fma16(load16(x + i), load16(y + i), sum);
        store16(lane, sum);
    }
    for (; i < count; i++)
        lane[i % 16] = fmaf(x[i], y[i], lane[i % 16]);
    return fold_lanes(lane);
}

NEPHELE_INLINE void queries(int simd, const nephele_text_attention_f32_args *a, nephele_index begin,
                            nephele_index end) {
    nephele_index dim = a->head_dim, stride = a->heads * dim, kv_stride = a->kv_heads * dim;
    nephele_index tiles = (a->rows + TOGETHER - 1) / TOGETHER;
    for (nephele_index unit = begin; unit < end; unit++) {
        nephele_index head = unit / tiles, query = unit % tiles * TOGETHER, kv = head / (a->heads / a->kv_heads);
        nephele_index behind = query + TOGETHER < a->rows ? query + TOGETHER : a->rows;
        const float *rows[TOGETHER], *gradients[TOGETHER];
        tile_rows(a->q + head * dim, stride, query, behind, rows);
        tile_rows(a->dy + head * dim, stride, query, behind, gradients);
        float out[TOGETHER][DIM], *of_head = a->products + head * a->rows;
        for (int i = 0; i < TOGETHER; i++)
            memset(out[i], 0, (size_t)((dim + 15) / 16 * 16) * sizeof(float));
        for (nephele_index i = query; i < behind; i++)
            of_head[i] = row_product(simd, a->y + i * stride + head * dim, gradients[i - query], dim);
        for (nephele_index from = first_key(a, query) / 16 * 16; from < behind; from += SPAN) {
            nephele_index count = behind - from < SPAN ? behind - from : SPAN, padded = (count + 15) / 16 * 16;
            nephele_index panel = (kv * groups_of(a) + from / 16) * dim * 16;
            float p[TOGETHER][SPAN], ds[TOGETHER][SPAN];
            all_products(simd, rows, a->k_panels + panel, dim, padded, p);
            all_products(simd, gradients, a->v_panels + panel, dim, padded, ds);
            for (int i = 0; i < TOGETHER; i++) {
                nephele_index row = query + i < behind ? query + i : behind - 1;
                score_gradients(simd, p[i], ds[i], padded, first_key(a, row) - from, row + 1 - from, a->scale,
                                a->log_sums + head * a->rows + row, of_head + row, 1);
            }
            mixed_rows(simd, ds, a->k + from * kv_stride + kv * dim, kv_stride, dim, count, out);
        }
        write_rows(a->dq + query * stride + head * dim, stride, behind - query, dim, out);
    }
}

NEPHELE_INLINE void keys(int simd, const nephele_text_attention_f32_args *a, nephele_index begin, nephele_index end) {
    nephele_index dim = a->head_dim, stride = a->heads * dim, kv_stride = a->kv_heads * dim;
    nephele_index tiles = (a->rows + TOGETHER - 1) / TOGETHER, group = a->heads / a->kv_heads;
    for (nephele_index unit = begin; unit < end; unit++) {
        nephele_index kv = unit / tiles, key = unit % tiles * TOGETHER;
        nephele_index behind = key + TOGETHER < a->rows ? key + TOGETHER : a->rows;
        const float *rows[TOGETHER], *values[TOGETHER];
        tile_rows(a->k + kv * dim, kv_stride, key, behind, rows);
        tile_rows(a->v + kv * dim, kv_stride, key, behind, values);
        float dk[TOGETHER][DIM], dv[TOGETHER][DIM];
        for (int i = 0; i < TOGETHER; i++) {
            memset(dk[i], 0, (size_t)((dim + 15) / 16 * 16) * sizeof(float));
            memset(dv[i], 0, (size_t)((dim + 15) / 16 * 16) * sizeof(float));
        }
        nephele_index last = last_query(a, behind - 1);
        for (nephele_index head = kv * group; head < (kv + 1) * group; head++) {
            for (nephele_index from = key / 16 * 16; from < last; from += SPAN) {
                nephele_index count = last - from < SPAN ? last - from : SPAN, padded = (count + 15) / 16 * 16;
                nephele_index panel = (head * groups_of(a) + from / 16) * dim * 16;
                float p[TOGETHER][SPAN], ds[TOGETHER][SPAN];
                all_products(simd, rows, a->q_panels + panel, dim, padded, p);
                all_products(simd, values, a->dy_panels + panel, dim, padded, ds);
                const float *log_sums = a->log_sums + head * a->rows + from;
                const float *of_rows = a->products + head * a->rows + from;
                float known[2][SPAN] = {{0}};
                memcpy(known[0], log_sums, (size_t)count * sizeof(float));
                memcpy(known[1], of_rows, (size_t)count * sizeof(float));
                for (int i = 0; i < TOGETHER; i++) {
                    nephele_index row = key + i < behind ? key + i : behind - 1;
                    score_gradients(simd, p[i], ds[i], padded, row - from, last_query(a, row) - from, a->scale,
                                    known[0], known[1], 0);
                }
                mixed_rows(simd, p, a->dy + from * stride + head * dim, stride, dim, count, dv);
                mixed_rows(simd, ds, a->q + from * stride + head * dim, stride, dim, count, dk);
            }
        }
        write_rows(a->dk + key * kv_stride + kv * dim, kv_stride, behind - key, dim, dk);
        write_rows(a->dv + key * kv_stride + kv * dim, kv_stride, behind - key, dim, dv);
    }
}

typedef nephele_text_attention_f32_args nephele_text_attention_queries_f32_args, nephele_text_attention_keys_f32_args;

#define DEFINE_ATTENTION(name, body)                                                                                   \
    static void name##_scalar(const nephele_text_attention_f32_args *a, nephele_index begin, nephele_index end) {      \
        body(0, a, begin, end);                                                                                        \
    }                                                                                                                  \
    NEPHELE_INLINE void name##_simd(const nephele_text_attention_f32_args *a, nephele_index begin,                     \
                                    nephele_index end) {                                                               \
        body(1, a, begin, end);                                                                                        \
    }                                                                                                                  \
    NEPHELE_KERNEL(name)

DEFINE_ATTENTION(nephele_text_attention_f32, forward)
DEFINE_ATTENTION(nephele_text_attention_queries_f32, queries)
DEFINE_ATTENTION(nephele_text_attention_keys_f32, keys)

void nephele_turn_heads_f32(const void *args, nephele_index begin, nephele_index end) {
    const nephele_turn_heads_f32_args *a = args;
    nephele_index groups = (a->rows + 15) / 16;
    for (nephele_index unit = begin; unit < end; unit++) {
        nephele_index head = unit / groups, row = unit % groups * 16;
        nephele_index rows = a->rows - row < 16 ? a->rows - row : 16;
        const float *x = a->x + row * a->heads * a->head_dim + head * a->head_dim;
        float *panel = a->panels + unit * a->head_dim * 16;
        for (nephele_index d = 0; d < a->head_dim; d++) {
            for (nephele_index i = 0; i < 16; i++)
                panel[d * 16 + i] = i < rows ? x[i * a->heads * a->head_dim + d] : 0;
        }
    }
}
