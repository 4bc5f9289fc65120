// Attention within packed texts: no mask is stored, no padding is computed.
//
// One head over the keys of one text, for a tile of up to 24 of its queries, in spans of 256 keys that begin at the
// first key, rounded down to a multiple of 16, that the tile's first query sees:
//   s[j] = scale * (sum_d q[d] k[j][d]) + bias[j - i]   one chain, d ascending
//   p[j] = exp(s[j] - m), m = max over the span         0 for a key that the query does not see
//   l    = sum_j p[j]                                   16 virtual lanes over j, counted from the start of the span
//   o[d] = sum_j p[j] v[j][d]                           one chain, j ascending
// Spans are merged in ascending order (the online softmax of arXiv 2205.14135); y = o / l. Tiles are counted from the
// text's first row, so that nothing depends on what is beside it.
#include "nephele_attention.h"
#include "simd.h"
#include "softmax.h"

#define TILE NEPHELE_QUERY_TILE
#define KEYS 256
/// Queries whose sums stay in registers together.
#define TOGETHER 6

/// sum[i][c] = sum_k a[i][k] b[k][c] for six rows a and sixteen columns of b, of which `columns` are there.
NEPHELE_INLINE void products(int simd, const float *const *a, const float *b, nephele_index b_stride,
                             nephele_index depth, nephele_index columns, float sum[TOGETHER][16]) {
    if (!simd) {
        for (int i = 0; i < TOGETHER; i++) {
            for (nephele_index c = 0; c < 16; c++) {
                float chain = 0;
                for (nephele_index k = 0; k < depth; k++)
                    chain = fmaf(a[i][k], c < columns ? b[k * b_stride + c] : 0, chain);
                sum[i][c] = chain;
            }
        }
        return;
    }
    f32x16 s0 = splat16(0), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0;
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

/// What is known of a query's output so far.
typedef struct {
    float max, sum, o[NEPHELE_MAX_HEAD_DIM];
} partial;

/// Takes in what a span of `count` keys, beginning with `from`, brings to six queries.
NEPHELE_INLINE void attend_span(int simd, const nephele_packed_attention_f32_args *a, const nephele_text_tile *t,
                                nephele_index head, nephele_index query, nephele_index from, nephele_index count,
                                partial *out) {
    float p[TOGETHER][KEYS], sum[TOGETHER][16];
    const float *rows[TOGETHER];
    nephele_index dim = a->head_dim, padded = (count + 15) / 16 * 16, last = t->row + t->rows - 1;
    for (int i = 0; i < TOGETHER; i++) {
        // Behind the last query it is computed again, for nobody.
        nephele_index row = query + i < last ? query + i : last;
        rows[i] = a->q + (t->text + row) * a->q_stride + head * dim;
    }
    const float *keys = a->keys + (head * a->groups + t->group + from / 16) * dim * 16;
    for (nephele_index j = 0; j < padded; j += 16, keys += dim * 16) {
        products(simd, rows, keys, 16, dim, 16, sum);
        for (int i = 0; i < TOGETHER; i++) {
            for (int c = 0; c < 16; c++)
                p[i][j + c] = a->scale * sum[i][c];
        }
    }
    float largest[TOGETHER], total[TOGETHER];
    for (int i = 0; i < TOGETHER; i++) {
        nephele_index row = query + i < last ? query + i : last, first = 0, end = count;
        if (a->window > 0) {
            first = row - a->window > from ? row - a->window - from : 0;
            end = row + a->window + 1 < from + count ? row + a->window + 1 - from : count;
        }
        if (a->bias) {
            const float *bias = a->bias + head * (2 * a->bias_reach - 1) + a->bias_reach - 1 + from - row;
            for (nephele_index j = first; j < end; j++)
                p[i][j] += bias[j];
        }
        for (nephele_index j = 0; j < padded; j++)
            p[i][j] = j < first || j >= end ? -__builtin_inff() : p[i][j];
        largest[i] = weigh(simd, p[i], padded, &total[i]);
        rows[i] = p[i];
    }
    for (nephele_index d = 0; d < dim; d += 16) {
        nephele_index columns = dim - d < 16 ? dim - d : 16;
        const float *values = a->v + (t->text + from) * a->v_stride + head * dim + d;
        if (columns == 16)
            products(simd, rows, values, a->v_stride, count, 16, sum);
        else
            products(simd, rows, values, a->v_stride, count, columns, sum);
        for (int i = 0; i < TOGETHER; i++) {
            partial *u = out + i;
            // It sees none of these keys.
            if (largest[i] == -__builtin_inff())
                continue;
            float joint = largest[i] > u->max ? largest[i] : u->max;
            float old_scale = scalar_exp(u->max - joint), new_scale = scalar_exp(largest[i] - joint);
            for (nephele_index c = 0; c < columns; c++)
                u->o[d + c] = fmaf(sum[i][c], new_scale, u->o[d + c] * old_scale);
        }
    }
    for (int i = 0; i < TOGETHER; i++) {
        partial *u = out + i;
        if (largest[i] == -__builtin_inff())
            continue;
        float joint = largest[i] > u->max ? largest[i] : u->max;
        u->sum = fmaf(total[i], scalar_exp(largest[i] - joint), u->sum * scalar_exp(u->max - joint));
        u->max = joint;
    }
}

NEPHELE_INLINE void packed(int simd, const nephele_packed_attention_f32_args *a, nephele_index begin,
                           nephele_index end) {
    for (nephele_index unit = begin; unit < end; unit++) {
        const nephele_text_tile *t = a->tiles + unit % a->tile_count;
        nephele_index head = unit / a->tile_count, first = 0, behind = t->length;
        if (a->window > 0) {
            first = t->row > a->window ? (t->row - a->window) / 16 * 16 : 0;
            behind = t->row + t->rows + a->window < t->length ? t->row + t->rows + a->window : t->length;
        }
        for (nephele_index query = t->row; query < t->row + t->rows; query += TOGETHER) {
            partial out[TOGETHER];
            for (int i = 0; i < TOGETHER; i++) {
                out[i].max = -__builtin_inff();
                out[i].sum = 0;
                memset(out[i].o, 0, (size_t)a->head_dim * sizeof(float));
            }
            for (nephele_index from = first; from < behind; from += KEYS)
                attend_span(simd, a, t, head, query, from, behind - from < KEYS ? behind - from : KEYS, out);
            for (int i = 0; i < TOGETHER && query + i < t->row + t->rows; i++) {
                float *y = a->y + (t->text + query + i) * a->y_stride + head * a->head_dim;
                for (nephele_index d = 0; d < a->head_dim; d++)
                    y[d] = out[i].o[d] / out[i].sum;
            }
        }
    }
}

static void nephele_packed_attention_f32_scalar(const nephele_packed_attention_f32_args *a, nephele_index begin,
                                                nephele_index end) {
    packed(0, a, begin, end);
}

NEPHELE_INLINE void nephele_packed_attention_f32_simd(const nephele_packed_attention_f32_args *a, nephele_index begin,
                                                      nephele_index end) {
    packed(1, a, begin, end);
}

NEPHELE_KERNEL(nephele_packed_attention_f32)

void nephele_pack_keys_f32(const void *args, nephele_index begin, nephele_index end) {
    const nephele_pack_keys_f32_args *a = args;
    for (nephele_index group = begin; group < end; group++) {
        nephele_key_group g = a->key_groups[group];
        for (nephele_index head = 0; head < a->heads; head++) {
            const float *k = a->k + g.row * a->k_stride + head * a->head_dim;
            float *panel = a->keys + (head * a->groups + group) * a->head_dim * 16;
            for (nephele_index d = 0; d < a->head_dim; d++) {
                for (nephele_index i = 0; i < 16; i++)
                    panel[d * 16 + i] = i < g.rows ? k[i * a->k_stride + d] : 0;
            }
        }
    }
}
