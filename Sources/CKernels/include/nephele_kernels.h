// The compute kernels of Nephele.
//
// Every kernel has the same form, `nephele_<operation>_<dtype>(args, begin, end)`: `args` points to the
// operation's argument structure, and the half-open range [begin, end) of its unit of work (rows, panels, heads)
// is computed. A worker pool divides that range; the division never changes a result.
//
// The scalar implementation is the specification of each kernel's numerics; SIMD equals it bit for bit:
//  - a matrix product is one FMA chain per output, k ascending;
//  - in groups of whole numbers it is exact within a group, and one FMA chain over the groups;
//  - other sums run in 16 virtual lanes (element i belongs to lane i mod 16), folded by the tree 8-4-2-1;
//  - exp, tanh and erf are the polynomials of `scalar_math.h`; contraction is off.
// Kernels never allocate, log or keep state.
#ifndef NEPHELE_KERNELS_H
#define NEPHELE_KERNELS_H

#include <stddef.h>
#include <stdint.h>

typedef ptrdiff_t nephele_index;

/// The instruction set that a kernel uses.
typedef enum {
    NEPHELE_ISA_SCALAR = 0,
    NEPHELE_ISA_NEON = 1,
    NEPHELE_ISA_AVX2 = 2,
    NEPHELE_ISA_AVX512 = 3,
    /// AVX-512 with products of bytes.
    NEPHELE_ISA_AVX512_VNNI = 4,
} nephele_isa;

/// The best instruction set of this processor.
nephele_isa nephele_isa_detect(void);

/// Columns in a panel of a packed matrix.
#define NEPHELE_PANEL 16
/// Positions in a page of the key-value cache.
#define NEPHELE_PAGE 32
/// Positions that attention computes alone before merging.
#define NEPHELE_SPAN 512
/// The widest attention head.
#define NEPHELE_MAX_HEAD_DIM 1024

/// The function that computes a range of an operation's work.
typedef void (*nephele_task)(const void *args, nephele_index begin, nephele_index end);

/// A task that is one of several.
typedef struct {
    nephele_task task;
    const void *args;
    nephele_index count;
} nephele_part;

typedef struct {
    const nephele_part *parts;
    nephele_index count;
} nephele_parts_args;

/// Several tasks as one: their ranges follow one another.
void nephele_parts(const void *args, nephele_index begin, nephele_index end);

// ---------------------------------------------------------------------------------------------- matrix product

/// Packs a matrix of `columns` outputs by `depth` inputs into panels `[columns/16][depth][16]`, zero-filled; elements
/// of 32 or 16 bits. Element (column n, input k) is read at `source[n * column_stride + k * depth_stride]`. Work unit:
/// panels.
typedef struct {
    const void *source;
    nephele_index columns, depth, column_stride, depth_stride;
    void *panels;
} nephele_pack_args;
void nephele_pack_32(const void *args, nephele_index begin, nephele_index end);
void nephele_pack_16(const void *args, nephele_index begin, nephele_index end);

/// y[m, n] = sum over k of x[m, k] * W[n, k], plus bias[n] if given, plus residual[m, n] if given (added in that
/// order after the chain). `residual` may be `y` itself. The kernel's name says how W is stored; all compute in f32.
/// Work unit: panels of W.
typedef struct {
    nephele_isa isa;
    const float *x;
    const void *panels;
    const float *bias;
    const float *residual;
    float *y;
    nephele_index rows, columns, depth;
    nephele_index x_stride, y_stride, residual_stride;
} nephele_matmul_args;
typedef nephele_matmul_args nephele_matmul_f32_args, nephele_matmul_bf16_args, nephele_matmul_f16_args;
void nephele_matmul_f32(const void *args, nephele_index begin, nephele_index end);
void nephele_matmul_bf16(const void *args, nephele_index begin, nephele_index end);
void nephele_matmul_f16(const void *args, nephele_index begin, nephele_index end);

/// Copies rows `ids[m]` of the matrix behind `panels` to y. Ids must lie in [0, columns). Work unit: rows of y.
typedef struct {
    const void *panels;
    const int32_t *ids;
    float *y;
    nephele_index depth, y_stride;
} nephele_gather_panels_args;
void nephele_gather_panels_f32(const void *args, nephele_index begin, nephele_index end);
void nephele_gather_panels_bf16(const void *args, nephele_index begin, nephele_index end);
void nephele_gather_panels_f16(const void *args, nephele_index begin, nephele_index end);

// ---------------------------------------------------------------------------------------------- whole numbers

/// Inputs in a group, at most; a multiple of 16 (of 32 with 4 bits).
#define NEPHELE_MAX_GROUP 64

/// How far whole numbers of activations go: 8 bits, and 15, so that the high and the low seven fit a signed byte each.
#define NEPHELE_INT8_LIMIT 127
#define NEPHELE_INT16_LIMIT (127 * 128 + 63)

/// How rows of whole numbers lie in memory for a product.
typedef enum {
    /// int8 `[rows][groups][group]`.
    NEPHELE_ROWS_BYTES = 0,
    /// int16 in that order.
    NEPHELE_ROWS_WORDS = 1,
    /// int16; of every four inputs the first, the third, the second and the fourth.
    NEPHELE_ROWS_CROSSED_WORDS = 2,
    /// Two rows of int8, `[rows][2][groups][group]`: h and l of q = 128 h + l, with l in [-64, 63].
    NEPHELE_ROWS_PARTS = 3,
} nephele_row_layout;

/// Rows in groups along their width: q = x * limit / largest magnitude, to the nearest, ties to even; the scale is
/// largest / limit. `depth` is filled up with zeros to whole groups. `sums` are those of the q. Work unit: rows.
typedef struct {
    nephele_isa isa;
    const float *x;
    void *q;       // as `layout` says
    float *scales; // [rows][groups]
    int32_t *sums; // [rows][groups]
    nephele_index depth, group, x_stride;
    int32_t is_wide;
    /// Which input stands at each place, `[depth]`; null where they stand as they are.
    const int32_t *order;
    float *minimum_factors; // -(scale * sum), [rows][groups]
    /// Of rows that are not wide BYTES, or CROSSED_WORDS; of wide ones one of the others.
    nephele_row_layout layout;
} nephele_quantize_rows_args;
void nephele_quantize_rows(const void *args, nephele_index begin, nephele_index end);

/// Weights in groups along the inputs, 8 bits in [-127, 127] or 4 bits in [-8, 7], one to a byte. Element (column n,
/// input k) is read at `source[n * column_stride + k * depth_stride]`. Work unit: columns.
typedef struct {
    const float *source;
    int8_t *q;     // [columns][groups][group]
    float *scales; // [columns][groups]
    nephele_index depth, group, column_stride, depth_stride;
    int32_t bits;
} nephele_quantize_weights_args;
void nephele_quantize_weights(const void *args, nephele_index begin, nephele_index end);

/// How a panel holds whole numbers in groups; `grouped.h` has the layouts.
typedef enum {
    /// 8 bits, or 4, with a scale in f32; groups of 16, 32 or 64 (not 16 with 4 bits).
    NEPHELE_GROUPED_8 = 0,
    NEPHELE_GROUPED_4 = 1,
    /// GGUF's, of 256 inputs: groups of 32 with scale and minimum of 6 bits, weights of 4 or 5 bits.
    NEPHELE_GROUPED_Q4_K = 2,
    NEPHELE_GROUPED_Q5_K = 3,
    /// Groups of 16 with a scale of 8 bits, weights of 6 bits.
    NEPHELE_GROUPED_Q6_K = 4,
    /// 4 or 5 bits with scale and minimum in f32; groups of 32, with 4 bits of 64 too.
    NEPHELE_GROUPED_4_MINIMUM = 5,
    NEPHELE_GROUPED_5_MINIMUM = 6,
    /// GGUF's, of 256 inputs: groups of 16 with scale and minimum, or with a scale, weights of 2 or 3 bits held in 4.
    NEPHELE_GROUPED_Q2_K = 7,
    NEPHELE_GROUPED_Q3_K = 8,
    /// 8 bits with scale and minimum in f32; groups of 32 or 64.
    NEPHELE_GROUPED_8_MINIMUM = 9,
} nephele_grouped_format;

/// Bytes that a panel of `groups` groups takes.
nephele_index nephele_grouped_panel_bytes(nephele_grouped_format format, nephele_index groups, nephele_index group);

/// Packs such weights into panels of format 8 or 4, or, where there are minimums, of those with a minimum, whose q are
/// unsigned. Work unit: panels.
typedef struct {
    const int8_t *q;
    const float *scales;
    const float *minimums; // [columns][groups], or null
    void *panels;
    nephele_index columns, groups, group;
    nephele_grouped_format format;
} nephele_pack_grouped_args;
void nephele_pack_grouped(const void *args, nephele_index begin, nephele_index end);

/// The blocks of a GGUF file that are known here.
typedef enum {
    NEPHELE_BLOCK_Q8_0 = 0,
    NEPHELE_BLOCK_Q4_0 = 1,
    NEPHELE_BLOCK_Q4_K = 2,
    NEPHELE_BLOCK_Q5_K = 3,
    NEPHELE_BLOCK_Q6_K = 4,
    NEPHELE_BLOCK_Q5_0 = 5,
    NEPHELE_BLOCK_IQ4_NL = 6,
    NEPHELE_BLOCK_Q4_1 = 7,
    NEPHELE_BLOCK_Q5_1 = 8,
    NEPHELE_BLOCK_Q2_K = 9,
    NEPHELE_BLOCK_Q3_K = 10,
    NEPHELE_BLOCK_IQ4_XS = 11,
    NEPHELE_BLOCK_MXFP4 = 12,
} nephele_block_type;

/// Repacks rows of a GGUF file's blocks, `[columns][depth / elements of a block]`, into panels: of format 8 (Q8_0,
/// Q5_0, IQ4_NL, IQ4_XS, MXFP4), 4 (Q4_0), 4 or 5 with a minimum (Q4_1, Q5_1) in groups of 32, or of the K format of
/// the same name. Nothing is rounded. Work unit: panels.
typedef struct {
    const uint8_t *source;
    void *panels;
    nephele_index columns, depth;
    nephele_block_type type;
} nephele_pack_blocks_args;
void nephele_pack_blocks(const void *args, nephele_index begin, nephele_index end);

/// How the product of that format reads its rows with that instruction set.
nephele_row_layout nephele_grouped_row_layout(nephele_isa isa, nephele_grouped_format format, int32_t is_wide);

/// y[m, n] as `nephele_matmul_args` has it, of whole numbers: a weight is scale * q - minimum. `depth` is a multiple of
/// `group`. Work unit: panels.
typedef struct {
    nephele_isa isa;
    const void *x;         // as `nephele_grouped_row_layout` says
    const float *x_scales; // [rows][depth/group]
    const int32_t *x_sums; // [rows][depth/group]
    const void *panels;
    const float *bias;
    const float *residual;
    float *y;
    nephele_index rows, columns, depth, group;
    nephele_index y_stride, residual_stride;
    nephele_grouped_format format;
    int32_t is_wide;
    const float *x_minimum_factors; // [rows][depth/group]
} nephele_grouped_matmul_args;
void nephele_grouped_matmul(const void *args, nephele_index begin, nephele_index end);

/// As `nephele_gather_panels_args`, from such panels: scale * q - minimum, rounded once.
typedef struct {
    const void *panels;
    const int32_t *ids;
    float *y;
    nephele_index depth, group, y_stride;
    nephele_grouped_format format;
    const int32_t *order; // as for `nephele_quantize_rows_args`
} nephele_gather_grouped_args;
void nephele_gather_grouped(const void *args, nephele_index begin, nephele_index end);

/// How a checkpoint packs whole numbers.
typedef enum {
    /// Words of 32 bits `[depth * bits / 32][columns]`, of which each column is one string of bits (GPTQ).
    NEPHELE_CODES_DOWN_INPUTS = 0,
    /// Words `[depth][columns / 8]` of eight outputs of 4 bits: 0, 2, 4, 6, 1, 3, 5, 7 (AWQ).
    NEPHELE_CODES_AWQ = 1,
    /// Words `[columns][row_words]`, of which each row is one string of bits (compressed-tensors).
    NEPHELE_CODES_ALONG_INPUTS = 2,
    /// Bytes with two weights of 4 bits each, the first in the high half, rows without gaps (bitsandbytes).
    NEPHELE_CODES_HIGH_FIRST = 3,
    /// Bytes `[columns][depth]`.
    NEPHELE_CODES_BYTES = 4,
} nephele_code_layout;

/// Whole numbers of a checkpoint, one to a byte. Work unit: columns.
typedef struct {
    const void *source;
    uint8_t *codes;       // [columns][width], of which `depth` are written
    const int32_t *order; // which input stands at each place, [depth]; or null
    const int16_t *zeros; // [columns][width / group], subtracted; or null
    nephele_index columns, depth, width, group, row_words;
    int32_t bits;
    nephele_code_layout layout;
} nephele_unpack_codes_args;
void nephele_unpack_codes(const void *args, nephele_index begin, nephele_index end);

// ---------------------------------------------------------------------------------------------- codes of floats

/// How a panel holds codes of floats; `coded.h` has the layouts.
typedef enum {
    /// 8 bits: 4 of exponent, 3 of mantissa (OCP 8-bit floating point), without the codes of NaN.
    NEPHELE_CODED_E4M3 = 0,
    /// 4 bits into a table of 16 floats; an even `group`.
    NEPHELE_CODED_TABLE = 1,
} nephele_coded_format;

/// Bytes that a panel takes.
nephele_index nephele_coded_panel_bytes(nephele_coded_format format, nephele_index depth, nephele_index group);

/// Packs codes, one to a byte. Work unit: panels.
typedef struct {
    const uint8_t *codes; // [columns][depth]
    const float *scales;  // [columns][ceil(depth / group)]
    const float *table;   // [16], for codes of 4 bits
    void *panels;
    nephele_index columns, depth, group;
    nephele_coded_format format;
} nephele_pack_coded_args;
void nephele_pack_coded(const void *args, nephele_index begin, nephele_index end);

/// y[m, n] as `nephele_matmul_args` has it; a weight is scale * value of its code. Work unit: panels.
typedef struct {
    nephele_isa isa;
    const float *x;
    const void *panels;
    const float *bias;
    const float *residual;
    float *y;
    nephele_index rows, columns, depth, group;
    nephele_index x_stride, y_stride, residual_stride;
    nephele_coded_format format;
} nephele_coded_matmul_args;
void nephele_coded_matmul(const void *args, nephele_index begin, nephele_index end);

/// As `nephele_gather_panels_args`, from such panels: scale * value, rounded once.
typedef struct {
    const void *panels;
    const int32_t *ids;
    float *y;
    nephele_index depth, group, y_stride;
    nephele_coded_format format;
} nephele_gather_coded_args;
void nephele_gather_coded(const void *args, nephele_index begin, nephele_index end);

// ---------------------------------------------------------------------------------------------- normalisation

/// y = x / sqrt(mean(x^2) + epsilon) * weight (RMSNorm, arXiv 1910.07467). Work unit: rows.
/// y = (x - mean) / sqrt(var + epsilon) * weight + bias (LayerNorm, arXiv 1607.06450) when `centered`.
typedef struct {
    nephele_isa isa;
    const float *x;
    const float *weight;
    const float *bias;
    float *y;
    nephele_index width, x_stride, y_stride;
    float epsilon;
    int32_t centered;
} nephele_norm_f32_args;
void nephele_norm_f32(const void *args, nephele_index begin, nephele_index end);

// ---------------------------------------------------------------------------------------------- element-wise

typedef enum {
    NEPHELE_MAP_EXP = 0,
    NEPHELE_MAP_TANH = 1,
    NEPHELE_MAP_SILU = 2,       // x / (1 + exp(-x))
    NEPHELE_MAP_GELU_TANH = 3,  // x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
    NEPHELE_MAP_GELU_ERF = 4,   // x/2 (1 + erf(x / sqrt 2))
    NEPHELE_MAP_GELU_QUICK = 5, // x / (1 + exp(-1.702 x))
    NEPHELE_MAP_RELU = 6,
    NEPHELE_MAP_IDENTITY = 7,
    NEPHELE_MAP_SIGMOID = 8, // 1 / (1 + exp(-x))
} nephele_map;

/// y[i] = map(x[i]), times factor[i] if given. Where `limit` is above 0, x is at most that, and the factor becomes 1
/// more than itself within [-limit, limit]. y may be x. Work unit: elements.
typedef struct {
    nephele_isa isa;
    nephele_map map;
    const float *x;
    const float *factor;
    float *y;
    float limit;
} nephele_map_f32_args;
void nephele_map_f32(const void *args, nephele_index begin, nephele_index end);

/// y[i] = fma(scale_b, b[i], scale_a * a[i]). y may be a or b. Work unit: elements.
typedef struct {
    nephele_isa isa;
    const float *a;
    const float *b;
    float *y;
    float scale_a, scale_b;
} nephele_combine_f32_args;
void nephele_combine_f32(const void *args, nephele_index begin, nephele_index end);

/// y[m] = residual[m] + sum over j of weights[m][j] * x[indices[m][j]], the sum in one chain of FMAs, j
/// ascending. y may be the residual. Work unit: rows.
typedef struct {
    nephele_isa isa;
    const float *x;         // [any][width]
    const int32_t *indices; // [rows][count]
    const float *weights;   // [rows][count]
    const float *residual;  // [rows][width], or null for zeros
    float *y;               // [rows][width]
    nephele_index count, width;
} nephele_mix_rows_f32_args;
void nephele_mix_rows_f32(const void *args, nephele_index begin, nephele_index end);

/// y[i] = (scale_a * a[i] + scale_b * b[i]) / divisor: each product, the sum and the quotient are rounded by
/// themselves, as diffusers rounds them. Without `b` its elements are 1. y may be a or b. Work unit: elements.
typedef struct {
    nephele_isa isa;
    const float *a;
    const float *b;
    float *y;
    float scale_a, scale_b, divisor;
} nephele_weighted_sum_f32_args;
void nephele_weighted_sum_f32(const void *args, nephele_index begin, nephele_index end);

/// y[i] = x[i] limited to [-limit, limit], divided by `divisor`; NaN stays NaN. y may be x. Work unit: elements.
typedef struct {
    nephele_isa isa;
    const float *x;
    float *y;
    float limit, divisor;
} nephele_clamp_f32_args;
void nephele_clamp_f32(const void *args, nephele_index begin, nephele_index end);

/// y[i] = cap * tanh(x[i] / cap). y may be x. Work unit: elements.
typedef struct {
    nephele_isa isa;
    const float *x;
    float *y;
    float cap;
} nephele_soft_cap_f32_args;
void nephele_soft_cap_f32(const void *args, nephele_index begin, nephele_index end);

// ---------------------------------------------------------------------------------------------- reductions

/// The largest element; NaN counts as smallest. -infinity for no element.
float nephele_max_f32(nephele_isa isa, const float *x, nephele_index count);
/// The first of the largest elements; NaN counts as smallest. 0 where no element is larger than -infinity.
nephele_index nephele_argmax_f32(nephele_isa isa, const float *x, nephele_index count);
/// The sum of exp(x[i] - shift), in 16 virtual lanes.
float nephele_sum_exp_f32(nephele_isa isa, const float *x, nephele_index count, float shift);
/// log(sum of exp(x[i])), stable.
float nephele_log_sum_exp_f32(nephele_isa isa, const float *x, nephele_index count);
/// exp as every kernel computes it.
float nephele_exp(float x);

// ---------------------------------------------------------------------------------------------- conversion

/// Exact widening to f32; sources may be unaligned.
void nephele_widen_bf16(const void *source, nephele_index count, float *y);
void nephele_widen_f16(const void *source, nephele_index count, float *y);
/// Rounding to nearest, ties to even; NaN stays NaN.
void nephele_narrow_bf16(const float *source, nephele_index count, void *y);
void nephele_narrow_f16(const float *source, nephele_index count, void *y);

// ---------------------------------------------------------------------------------------------- checksum

/// A sum over each block of data; the last one may be shorter. Work unit: blocks.
typedef struct {
    const uint8_t *data;
    nephele_index bytes, block_bytes;
    uint64_t *sums;
} nephele_checksum_args;
void nephele_checksum(const void *args, nephele_index begin, nephele_index end);

// ---------------------------------------------------------------------------------------------- limits

/// What the machine can do at most, for benchmarks to be held against. Each index is a block of work.
typedef struct {
    nephele_isa isa;
    const float *data;
    /// One result a block, so that nothing is left out as unused.
    float *sums;
    /// Floats a block (a multiple of 64), or multiply-adds a lane.
    nephele_index length;
} nephele_limit_args;
/// Reads its block of `data` once.
void nephele_read_limit(const void *args, nephele_index begin, nephele_index end);
/// 192 independent chains of `length` fused multiply-adds a block, on registers; starts from `data[0..<16]`.
void nephele_fma_limit(const void *args, nephele_index begin, nephele_index end);
/// 1,536 multiply-adds of 8 bits a block and each of `length` steps, on registers, as products of whole numbers make
/// them; of `data[0]` and `data[1]`.
void nephele_byte_limit(const void *args, nephele_index begin, nephele_index end);

#endif
