// Kernels of pictures. A picture is [batch][height][width][channels]; the form of a kernel is that of
// nephele_kernels.h.
#ifndef NEPHELE_CONVOLUTION_H
#define NEPHELE_CONVOLUTION_H

#include "nephele_kernels.h"

/// y[b, i, j] = x[b, (i - top) / up, (j - left) / up] where that lies inside, else 0: a border of zeros, and with
/// `up` = 2 nearest-neighbour enlargement. Work unit: rows of y.
typedef struct {
    const float *x;
    float *y;
    nephele_index height, width, channels;
    nephele_index top, left, up, out_height, out_width;
} nephele_border_f32_args;
void nephele_border_f32(const void *args, nephele_index begin, nephele_index end);

/// Convolution of pictures whose border is already there: y[b, i, j, n] = one FMA chain over (di, dj, c) ascending of
/// x[b, i * stride + di, j * stride + dj, c] * W[n, (di, dj, c)], plus bias[n] and residual[b, i, j, n] if given,
/// added in that order. `panels` is the packed matrix of W. Work unit: panel * tiles of NEPHELE_CONV_TILE pixels of y.
typedef struct {
    nephele_isa isa;
    const float *x;
    const float *panels;
    const float *bias;
    const float *residual;
    float *y;
    nephele_index batch, height, width, channels;
    nephele_index out_height, out_width, out_channels;
    nephele_index kernel, stride;
} nephele_conv2d_f32_args;
#define NEPHELE_CONV_TILE 6
void nephele_conv2d_f32(const void *args, nephele_index begin, nephele_index end);

/// sums[b, c] = sum over the pixels of x[b, p, c], or of (x - mean[b, c])^2 where `mean` is given. Pixels are summed in
/// blocks of 64, each one chain, and the blocks in ascending order. Work unit: b * blocks of 16 channels.
typedef struct {
    nephele_isa isa;
    const float *x;
    const float *mean;
    float *sums;
    nephele_index pixels, channels;
} nephele_channel_sums_f32_args;
void nephele_channel_sums_f32(const void *args, nephele_index begin, nephele_index end);

/// y[b, p, c] = fma(x[b, p, c], scale[b, c], shift[b, c]), then SiLU where asked. Without `scale` its elements are 1.
/// y may be x. Work unit: pixels b * p.
typedef struct {
    nephele_isa isa;
    const float *x;
    const float *scale;
    const float *shift;
    float *y;
    nephele_index pixels, channels;
    int32_t silu;
} nephele_affine_f32_args;
void nephele_affine_f32(const void *args, nephele_index begin, nephele_index end);

/// Row m of y is row m of a followed by row m of b. Work unit: rows.
typedef struct {
    const float *a;
    const float *b;
    float *y;
    nephele_index a_width, b_width;
} nephele_join_f32_args;
void nephele_join_f32(const void *args, nephele_index begin, nephele_index end);

/// The other way: the first `a_width` elements of row m of y go to row m of a, the rest to row m of b. Work unit: rows.
typedef struct {
    const float *y;
    float *a;
    float *b;
    nephele_index a_width, b_width;
} nephele_split_f32_args;
void nephele_split_f32(const void *args, nephele_index begin, nephele_index end);

/// y[b, j, i] = x[b, i, j], where x is [batch][rows][columns]. Work unit: rows of y, b * columns.
typedef struct {
    const float *x;
    float *y;
    nephele_index rows, columns;
} nephele_transpose_f32_args;
void nephele_transpose_f32(const void *args, nephele_index begin, nephele_index end);

#endif
