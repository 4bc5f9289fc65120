#include "nephele_gradients.h"
#include "simd.h"

#define ROWS NEPHELE_OUTER_ROWS

static nephele_index row_tiles(const nephele_outer_f32_args *a) {
    return (a->rows + ROWS - 1) / ROWS;
}

static void nephele_outer_f32_scalar(const nephele_outer_f32_args *a, nephele_index begin, nephele_index end) {
    for (nephele_index unit = begin; unit < end; unit++) {
        nephele_index n0 = unit % row_tiles(a) * ROWS, k0 = unit / row_tiles(a) * 16;
        for (nephele_index n = n0; n < n0 + ROWS && n < a->rows; n++) {
            for (nephele_index k = k0; k < k0 + 16 && k < a->columns; k++) {
                float *y = a->y + n * a->y_stride + k;
                float chain = a->accumulates ? *y : 0;
                for (nephele_index m = 0; m < a->depth; m++)
                    chain = fmaf(a->a[m * a->a_stride + n], a->b[m * a->b_stride + k], chain);
                *y = chain;
            }
        }
    }
}

/// A tile of `rows` rows; known to the compiler, as `is_full` is: whether all 16 columns are there.
NEPHELE_INLINE void outer_tile(const nephele_outer_f32_args *a, nephele_index n, int rows, nephele_index k,
                               nephele_index columns, int is_full) {
    f32x16 sum[ROWS];
    _Pragma("clang loop unroll(full)") for (int r = 0; r < ROWS; r++) {
        const float *y = a->y + (n + r) * a->y_stride + k;
        sum[r] = splat16(0);
        if (a->accumulates && r < rows)
            sum[r] = is_full ? load16(y) : load_partial16(y, columns);
    }
    for (nephele_index m = 0; m < a->depth; m++) {
        const float *b = a->b + m * a->b_stride + k, *x = a->a + m * a->a_stride + n;
        f32x16 v = is_full ? load16(b) : load_partial16(b, columns);
        _Pragma("clang loop unroll(full)") for (int r = 0; r < ROWS; r++) {
            if (r < rows)
                sum[r] = fma16(splat16(x[r]), v, sum[r]);
        }
    }
    _Pragma("clang loop unroll(full)") for (int r = 0; r < ROWS; r++) {
        if (r < rows)
            memcpy(a->y + (n + r) * a->y_stride + k, &sum[r], (size_t)columns * sizeof(float));
    }
}

NEPHELE_INLINE void outer_rows(const nephele_outer_f32_args *a, nephele_index n, nephele_index k, nephele_index columns,
                               int is_full) {
    switch (a->rows - n) {
    case 1:
        outer_tile(a, n, 1, k, columns, is_full);
        break;
    case 2:
        outer_tile(a, n, 2, k, columns, is_full);
        break;
    case 3:
        outer_tile(a, n, 3, k, columns, is_full);
        break;
    case 4:
        outer_tile(a, n, 4, k, columns, is_full);
        break;
    case 5:
        outer_tile(a, n, 5, k, columns, is_full);
        break;
    default:
        outer_tile(a, n, ROWS, k, columns, is_full);
        break;
    }
}

NEPHELE_INLINE void nephele_outer_f32_simd(const nephele_outer_f32_args *a, nephele_index begin, nephele_index end) {
    for (nephele_index unit = begin; unit < end; unit++) {
        nephele_index n = unit % row_tiles(a) * ROWS, k = unit / row_tiles(a) * 16;
        if (a->columns - k >= 16)
            outer_rows(a, n, k, 16, 1);
        else
            outer_rows(a, n, k, a->columns - k, 0);
    }
}

NEPHELE_KERNEL(nephele_outer_f32)

#define DEFINE_TURN(name, type)                                                                                        \
    void name(const void *args, nephele_index begin, nephele_index end) {                                              \
        const nephele_turn_panels_args *a = args;                                                                      \
        for (nephele_index panel = begin; panel < end; panel++) {                                                      \
            nephele_index k0 = panel * NEPHELE_PANEL;                                                                  \
            nephele_index inputs = a->depth - k0 < NEPHELE_PANEL ? a->depth - k0 : NEPHELE_PANEL;                      \
            for (nephele_index n0 = 0; n0 < a->columns; n0 += NEPHELE_PANEL) {                                         \
                nephele_index outputs = a->columns - n0 < NEPHELE_PANEL ? a->columns - n0 : NEPHELE_PANEL;             \
                const type *in = (const type *)a->panels + (n0 * a->depth + k0 * NEPHELE_PANEL);                       \
                type *out = (type *)a->turned + (k0 * a->columns + n0 * NEPHELE_PANEL);                                \
                if (inputs == NEPHELE_PANEL && outputs == NEPHELE_PANEL) {                                             \
                    for (int n = 0; n < NEPHELE_PANEL; n++)                                                            \
                        for (int k = 0; k < NEPHELE_PANEL; k++)                                                        \
                            out[n * NEPHELE_PANEL + k] = in[k * NEPHELE_PANEL + n];                                    \
                } else {                                                                                               \
                    for (nephele_index n = 0; n < outputs; n++)                                                        \
                        for (nephele_index k = 0; k < NEPHELE_PANEL; k++)                                              \
                            out[n * NEPHELE_PANEL + k] = k < inputs ? in[k * NEPHELE_PANEL + n] : 0;                   \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }

DEFINE_TURN(nephele_turn_panels_32, uint32_t)
DEFINE_TURN(nephele_turn_panels_16, uint16_t)

void nephele_scatter_f32(const void *args, nephele_index begin, nephele_index end) {
    const nephele_scatter_f32_args *a = args;
    nephele_index first = begin * NEPHELE_PANEL;
    nephele_index behind = end * NEPHELE_PANEL < a->width ? end * NEPHELE_PANEL : a->width;
    for (nephele_index m = 0; m < a->rows; m++) {
        float *row = a->table + a->ids[m] * a->width;
        for (nephele_index c = first; c < behind; c++)
            row[c] += a->x[m * a->width + c];
    }
}
