// Kernels of training: gradients, losses, and the optimizer's step. Their form is that of nephele_kernels.h, and so is
// what fixes their bits: chains in ascending order, and sums in 16 virtual lanes.
#ifndef NEPHELE_GRADIENTS_H
#define NEPHELE_GRADIENTS_H

#include "nephele_kernels.h"

// ---------------------------------------------------------------------------------------------- matrices

/// Rows that `nephele_outer_f32` computes together.
#define NEPHELE_OUTER_ROWS 6

/// y[n, k] = sum over m of a[m, n] * b[m, k], the gradient of a weight: one FMA chain, m ascending, that goes on from
/// y[n, k] where `accumulates`, and begins with 0 elsewhere. Work unit: tiles of 6 rows by 16 columns, the tiles of a
/// block of columns one after the other.
typedef struct {
    nephele_isa isa;
    const float *a; // [depth][rows]
    const float *b; // [depth][columns]
    float *y;       // [rows][columns]
    nephele_index depth, rows, columns;
    nephele_index a_stride, b_stride, y_stride;
    int32_t accumulates;
} nephele_outer_f32_args;
void nephele_outer_f32(const void *args, nephele_index begin, nephele_index end);

/// Turns panels `[columns/16][depth][16]` into those of the matrix with rows and columns exchanged,
/// `[depth/16][columns][16]`, zero-filled; elements of 32 or 16 bits. Work unit: panels that are written.
typedef struct {
    const void *panels;
    void *turned;
    nephele_index columns, depth;
} nephele_turn_panels_args;
void nephele_turn_panels_32(const void *args, nephele_index begin, nephele_index end);
void nephele_turn_panels_16(const void *args, nephele_index begin, nephele_index end);

/// table[ids[m]] += x[m], rows ascending: the gradient of an embedding. Work unit: panels of 16 columns.
typedef struct {
    const float *x;
    const int32_t *ids;
    float *table;
    nephele_index rows, width;
} nephele_scatter_f32_args;
void nephele_scatter_f32(const void *args, nephele_index begin, nephele_index end);

/// sum[n] += sum over rows of x[m, n], rows ascending: the gradient of a bias. Work unit: columns.
typedef struct {
    const float *x;
    float *sum;
    nephele_index rows, width;
} nephele_row_sum_f32_args;
void nephele_row_sum_f32(const void *args, nephele_index begin, nephele_index end);

/// y[m, n] = x[m, n] * factors[n], then + bias[n], then + residual[m, n], where these are not null; each is rounded by
/// itself. y may be x. Work unit: rows.
typedef struct {
    const float *x, *factors, *bias, *residual;
    float *y;
    nephele_index width;
} nephele_scale_columns_f32_args;
void nephele_scale_columns_f32(const void *args, nephele_index begin, nephele_index end);

/// norms[m] = sqrt(sum of x[m, n]^2), in 16 virtual lanes. Work unit: rows.
typedef struct {
    nephele_isa isa;
    const float *x;
    float *norms;
    nephele_index width;
} nephele_row_norms_f32_args;
void nephele_row_norms_f32(const void *args, nephele_index begin, nephele_index end);

/// y[i] = u[i] >= rate ? scale * x[i] : 0, where u[i] in [0, 1) has the upper 24 bits of word i % 4 of Philox4x32-10
/// with that key at the counter (i / 4, counter_1, counter_2, counter_3). Work unit: four elements.
typedef struct {
    const float *x;
    float *y;
    nephele_index count;
    float rate, scale;
    uint32_t key_low, key_high, counter_1, counter_2, counter_3;
} nephele_dropout_f32_args;
void nephele_dropout_f32(const void *args, nephele_index begin, nephele_index end);

// ---------------------------------------------------------------------------------------------- norms and activations

/// dx of `nephele_norm_f32`, with n the normal row before weight and bias, s = 1 / sqrt(variance + epsilon) and
/// g = dy * weight:
///   dx = s * (g - mean(g n) n)             of an RMSNorm
///   dx = s * (g - mean(g) - mean(g n) n)   when `centered`
/// added to `dx` where `accumulates`. `statistics` keeps mean and s of each row. Work unit: rows.
typedef struct {
    nephele_isa isa;
    const float *x, *weight, *dy; // weight may be null
    float *dx;
    float *statistics; // [rows][2]
    nephele_index width;
    float epsilon;
    int32_t centered, accumulates;
} nephele_norm_gradient_f32_args;
void nephele_norm_gradient_f32(const void *args, nephele_index begin, nephele_index end);

/// dweight[c] += sum over rows of dy n, dbias[c] += sum of dy, one chain each, rows ascending; dbias may be null. Work
/// unit: columns.
typedef struct {
    const float *x, *dy;
    const float *statistics; // as `nephele_norm_gradient_f32` left them
    float *dweight, *dbias;
    nephele_index rows, width;
} nephele_norm_weight_gradient_f32_args;
void nephele_norm_weight_gradient_f32(const void *args, nephele_index begin, nephele_index end);

/// Of y = map(x) * factor (or map(x), where `factor` is null): dx = dy * factor * map'(x), dfactor = dy * map(x). dx
/// may be dy. Maps: SILU, the three GELU, RELU (its slope at 0 is 0), TANH, IDENTITY, SIGMOID. Work unit: elements.
typedef struct {
    nephele_isa isa;
    nephele_map map;
    const float *x, *factor, *dy;
    float *dx, *dfactor;
} nephele_map_gradient_f32_args;
void nephele_map_gradient_f32(const void *args, nephele_index begin, nephele_index end);

// ---------------------------------------------------------------------------------------------- attention of training

/// Causal attention of one text that keeps no scores: row i sees rows j <= i, of which the last `window` where that is
/// above 0. Query head h reads key-value head h / (heads / kv_heads). Queries are taken six at a time, keys in spans
/// of 256 (a span begins at a multiple of 16):
///   s[j] = scale * sum_d q[d] k[j][d]      one chain, d ascending
///   p[j] = exp(s[j] - m), m = max over the span; 0 for a key that the query does not see
///   l    = sum_j p[j]                      16 virtual lanes
///   o[d] = sum_j p[j] v[j][d]              one chain, j ascending
/// Spans are merged in ascending order (arXiv 2205.14135); y = o / l, and log_sums = m + log l.
///
/// Its gradients compute p[j] = exp(s[j] - log_sum) again (algorithm 4 there):
///   D = sum_d y[d] dy[d]   16 virtual lanes;   ds[j] = scale * p[j] * (sum_d dy[d] v[j][d] - D)
///   dq[d] = sum_j ds[j] k[j][d];   dk[j][d] = sum_i ds[i][j] q[i][d];   dv[j][d] = sum_i p[i][j] dy[i][d]
/// each one chain, heads of a group ascending, then rows.
///
/// Panels hold 16 rows side by side, as `nephele_turn_heads_f32` writes them.
typedef struct {
    nephele_isa isa;
    const float *q, *k, *v; // [rows][heads * head_dim], [rows][kv_heads * head_dim]
    const float *k_panels;  // forward, and dq
    const float *v_panels;  // dq
    const float *q_panels;  // dk and dv
    const float *dy_panels; // dk and dv
    const float *dy;        // [rows][heads * head_dim]
    float *y, *dq, *dk, *dv;
    float *log_sums; // [heads][rows]
    float *products; // D, [heads][rows]; written with dq, read with dk and dv
    nephele_index rows, heads, kv_heads, head_dim, window;
    float scale;
} nephele_text_attention_f32_args;
/// Work units: heads * tiles of 6 queries.
void nephele_text_attention_f32(const void *args, nephele_index begin, nephele_index end);
void nephele_text_attention_queries_f32(const void *args, nephele_index begin, nephele_index end);
/// Work units: kv_heads * tiles of 6 keys.
void nephele_text_attention_keys_f32(const void *args, nephele_index begin, nephele_index end);

/// panels[head][row / 16][d][row % 16] = x[row][head * head_dim + d], zero-filled. Work unit: heads * groups of 16
/// rows.
typedef struct {
    const float *x;
    float *panels;
    nephele_index rows, heads, head_dim;
} nephele_turn_heads_f32_args;
void nephele_turn_heads_f32(const void *args, nephele_index begin, nephele_index end);

// ---------------------------------------------------------------------------------------------- losses

/// Cross-entropy of each row of logits: losses[m] = log(sum exp z) - z[target]. Where there are weights, the row
/// becomes its gradient, weight * (softmax(z) - one at the target). A row's largest logit must be finite; otherwise its
/// loss is not a number. Work unit: rows.
typedef struct {
    nephele_isa isa;
    float *logits; // [rows][width]
    const int32_t *targets;
    const float *weights; // or null
    float *losses;
    nephele_index width;
} nephele_cross_entropy_f32_args;
void nephele_cross_entropy_f32(const void *args, nephele_index begin, nephele_index end);

// ---------------------------------------------------------------------------------------------- the optimizer

/// Elements whose squares are added to one number.
#define NEPHELE_SQUARES_BLOCK 4096

/// sums[b] = sum of x^2 over elements [4096 b, 4096 (b + 1)), in 16 virtual lanes. Work unit: blocks.
typedef struct {
    nephele_isa isa;
    const float *x;
    float *sums;
    nephele_index count;
} nephele_squares_f32_args;
void nephele_squares_f32(const void *args, nephele_index begin, nephele_index end);

/// A step of AdamW (arXiv 1711.05101, algorithm 2) as PyTorch orders it, with g = gradient_scale * gradient:
///   p *= decay;   m += (1 - beta1) (g - m);   v = beta2 v + (1 - beta2) g^2
///   p -= step * m / (sqrt(v) / correction + epsilon)
/// where decay = 1 - rate * weight decay, step = rate / (1 - beta1^t), correction = sqrt(1 - beta2^t). Work unit:
/// elements.
typedef struct {
    nephele_isa isa;
    float *parameters, *momentum, *variance;
    const float *gradient;
    float gradient_scale, decay, beta1_rest, beta2, beta2_rest, step, correction, epsilon;
} nephele_adamw_f32_args;
void nephele_adamw_f32(const void *args, nephele_index begin, nephele_index end);

#endif
