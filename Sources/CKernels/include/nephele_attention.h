// Kernels of attention: rotation, the key-value cache, paged and packed attention. The form of a kernel is that of
// nephele_kernels.h.
#ifndef NEPHELE_ATTENTION_H
#define NEPHELE_ATTENTION_H

#include "nephele_kernels.h"

/// Rotates each head of each row (arXiv 2104.09864) in place: cosine and sine are tables [positions][rotary/2]. Element
/// i pairs with i + rotary/2, or, where `is_interleaved`, 2i with 2i + 1. Where `is_gradient`, x is the gradient of
/// what was rotated, and is turned back: by the same cosines, and sines of the other sign. Work unit: rows.
typedef struct {
    float *x;
    const int32_t *positions;
    const float *cosine;
    const float *sine;
    nephele_index heads, head_dim, rotary, x_stride;
    int32_t is_interleaved, is_gradient;
} nephele_rope_f32_args;
void nephele_rope_f32(const void *args, nephele_index begin, nephele_index end);

/// One query row: its position, and the pages of its sequence in order of position.
typedef struct {
    const int32_t *pages;
    int32_t position;
} nephele_attention_row;

/// Writes key and value rows into their pages. A page of this layer is at `cache + p * page_stride` and holds the
/// blocks of all heads' keys, then those of their values. A block is `[32][head_dim]` of f32, bf16 (to the nearest), or
/// int8 with 32 scales behind it (a row's largest magnitude becomes 127). Without `values` there are keys alone. Work
/// unit: rows.
typedef struct {
    const float *keys;
    const float *values;
    void *cache;
    const nephele_attention_row *rows;
    nephele_index kv_heads, head_dim;
    nephele_index page_stride; // bytes
    nephele_index key_stride, value_stride;
} nephele_kv_write_args;
void nephele_kv_write_f32(const void *args, nephele_index begin, nephele_index end);
void nephele_kv_write_bf16(const void *args, nephele_index begin, nephele_index end);
void nephele_kv_write_int8(const void *args, nephele_index begin, nephele_index end);

/// Causal attention of each row over positions [first, position] of its pages; query head h reads key-value head
/// h / (heads / kv_heads). `window` > 0 limits it to the last `window` positions. `soft_cap` > 0
/// passes each score s through cap * tanh(s / cap). `sinks`, one for each query head, are scores of their own that take
/// part in the softmax and have no value (arXiv 2309.17453); null for none. `value_dim` > 0: there are no values but
/// the first so many elements of each key, and y has as many for each head. Work units: row_count * heads.
typedef struct {
    nephele_isa isa;
    const float *queries;
    const void *cache;
    const nephele_attention_row *rows;
    nephele_index row_count;
    float *y;
    nephele_index heads, kv_heads, head_dim, value_dim;
    nephele_index page_stride; // bytes
    nephele_index query_stride, y_stride;
    nephele_index window;
    const float *sinks;
    float scale, soft_cap;
} nephele_attention_args;
typedef nephele_attention_args nephele_attention_f32_args, nephele_attention_bf16_args, nephele_attention_int8_args;
void nephele_attention_f32(const void *args, nephele_index begin, nephele_index end);
void nephele_attention_bf16(const void *args, nephele_index begin, nephele_index end);
void nephele_attention_int8(const void *args, nephele_index begin, nephele_index end);

/// Full (unmasked) attention over contiguous rows: q [queries, heads, head_dim], k and v [keys, heads, head_dim].
/// Work unit: query * heads.
typedef struct {
    nephele_isa isa;
    const float *q;
    const float *k;
    const float *v;
    float *y;
    nephele_index keys, heads, head_dim, q_stride, k_stride, v_stride, y_stride;
    float scale;
} nephele_full_attention_f32_args;
void nephele_full_attention_f32(const void *args, nephele_index begin, nephele_index end);

/// Queries of one text that packed attention takes together, at most.
#define NEPHELE_QUERY_TILE 24

/// Rows [row, row + rows) of the text whose `length` rows begin with row `text` of all. Its first group of keys is
/// `group`.
typedef struct {
    nephele_index text, length, group, row, rows;
} nephele_text_tile;

/// Up to sixteen rows of one text, the first of which is row `row` of all.
typedef struct {
    nephele_index row, rows;
} nephele_key_group;

/// Keys [rows][heads][head_dim] as panels [heads][groups][head_dim][16], with zeros behind a text's last key. Work
/// unit: groups.
typedef struct {
    const float *k;
    const nephele_key_group *key_groups;
    float *keys;
    nephele_index groups, heads, head_dim, k_stride;
} nephele_pack_keys_f32_args;
void nephele_pack_keys_f32(const void *args, nephele_index begin, nephele_index end);

/// Attention of each row to the rows of its own text, or, where `window` > 0, to those at most that far from it. `keys`
/// is what `nephele_pack_keys_f32` makes. `bias`, if not null, is [heads][2 * bias_reach - 1] and is added to the
/// scores: element j - i + bias_reach - 1 for key j of query i. Work units: tile_count * heads.
typedef struct {
    nephele_isa isa;
    const float *q;
    const float *keys;
    const float *v;
    const float *bias;
    float *y;
    const nephele_text_tile *tiles;
    nephele_index tile_count, groups, heads, head_dim;
    nephele_index q_stride, v_stride, y_stride;
    nephele_index window, bias_reach;
    float scale;
} nephele_packed_attention_f32_args;
void nephele_packed_attention_f32(const void *args, nephele_index begin, nephele_index end);

#endif
