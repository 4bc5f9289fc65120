// The matrix product for one type of weights. A file that includes this defines before:
//  - `weight`, the type of a stored weight, and `widen` and `widen16`, which make one or sixteen of them f32, exactly;
//  - NEPHELE_MATMUL(suffix), the product's name followed by `_suffix`, and NEPHELE_GATHER, the name of the gathering.
// So a product's bits depend on the weights' values and not on how they are stored.
#include "simd.h"

void NEPHELE_GATHER(const void *args, nephele_index begin, nephele_index end) {
    const nephele_gather_panels_args *a = args;
    for (nephele_index m = begin; m < end; m++) {
        nephele_index id = a->ids[m];
        const weight *in =
            (const weight *)a->panels + (id / NEPHELE_PANEL) * a->depth * NEPHELE_PANEL + id % NEPHELE_PANEL;
        float *out = a->y + m * a->y_stride;
        for (nephele_index k = 0; k < a->depth; k++)
            out[k] = widen(in[k * NEPHELE_PANEL]);
    }
}

static void NEPHELE_MATMUL(scalar)(const nephele_matmul_args *a, nephele_index begin, nephele_index end) {
    for (nephele_index panel = begin; panel < end; panel++) {
        const weight *w = (const weight *)a->panels + panel * a->depth * NEPHELE_PANEL;
        for (nephele_index m = 0; m < a->rows; m++) {
            for (nephele_index lane = 0; lane < NEPHELE_PANEL; lane++) {
                nephele_index n = panel * NEPHELE_PANEL + lane;
                if (n >= a->columns)
                    break;
                float sum = 0;
                for (nephele_index k = 0; k < a->depth; k++) {
                    sum = fmaf(a->x[m * a->x_stride + k], widen(w[k * NEPHELE_PANEL + lane]), sum);
                }
                if (a->bias)
                    sum += a->bias[n];
                if (a->residual)
                    sum += a->residual[m * a->residual_stride + n];
                a->y[m * a->y_stride + n] = sum;
            }
        }
    }
}

NEPHELE_INLINE void finish(const nephele_matmul_args *a, nephele_index m, nephele_index panel, f32x16 sum) {
    nephele_index n = panel * NEPHELE_PANEL;
    nephele_index count = a->columns - n;
    float *y = a->y + m * a->y_stride + n;
    const float *residual = a->residual ? a->residual + m * a->residual_stride + n : 0;
    if (count >= NEPHELE_PANEL) {
        if (a->bias)
            sum += load16(a->bias + n);
        if (residual)
            sum += load16(residual);
        store16(y, sum);
    } else {
        if (a->bias)
            sum += load_partial16(a->bias + n, count);
        if (residual)
            sum += load_partial16(residual, count);
        memcpy(y, &sum, (size_t)count * sizeof(float));
    }
}

/// Weights that will be needed next: fetched into the second-level cache, `lines` of 16 a step.
typedef struct {
    const weight *start;
    int lines;
} fetch_ahead;

/// `rows` rows by `panels` panels of outputs, each one chain: rows * panels independent accumulators.
#define DEFINE_TILE(rows_, panels_)                                                                                    \
    NEPHELE_INLINE void tile_##rows_##x##panels_(const nephele_matmul_args *a, nephele_index m, nephele_index panel,   \
                                                 fetch_ahead ahead) {                                                  \
        f32x16 sum[rows_][panels_];                                                                                    \
        _Pragma("clang loop unroll(full)") for (int r = 0; r < rows_; r++) {                                           \
            _Pragma("clang loop unroll(full)") for (int p = 0; p < panels_; p++) sum[r][p] = splat16(0);               \
        }                                                                                                              \
        const float *x = a->x + m * a->x_stride;                                                                       \
        const weight *w = (const weight *)a->panels + panel * a->depth * NEPHELE_PANEL;                                \
        nephele_index panel_size = a->depth * NEPHELE_PANEL;                                                           \
        for (nephele_index k = 0; k < a->depth; k++) {                                                                 \
            for (int line = 0; line < ahead.lines; line++)                                                             \
                __builtin_prefetch(ahead.start + (k * ahead.lines + line) * NEPHELE_PANEL, 0, 2);                      \
            _Pragma("clang loop unroll(full)") for (int p = 0; p < panels_; p++) {                                     \
                f32x16 column = widen16(w + p * panel_size + k * NEPHELE_PANEL);                                       \
                _Pragma("clang loop unroll(full)") for (int r = 0; r < rows_; r++) {                                   \
                    sum[r][p] = fma16(splat16(x[r * a->x_stride + k]), column, sum[r][p]);                             \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
        _Pragma("clang loop unroll(full)") for (int r = 0; r < rows_; r++) {                                           \
            _Pragma("clang loop unroll(full)") for (int p = 0; p < panels_; p++)                                       \
                finish(a, m + r, panel + p, sum[r][p]);                                                                \
        }                                                                                                              \
    }

DEFINE_TILE(6, 1)
DEFINE_TILE(5, 1)
DEFINE_TILE(4, 1)
DEFINE_TILE(3, 1)
DEFINE_TILE(2, 1)
DEFINE_TILE(1, 1)
DEFINE_TILE(1, 4)
DEFINE_TILE(2, 2)

#if defined(__x86_64__)
// AVX-512 has 32 registers of a panel's width: 8 rows by three panels are 24 chains, a weight is loaded once for all of
// them, and eight row addresses still fit into general registers.
DEFINE_TILE(3, 2)
DEFINE_TILE(3, 3)
DEFINE_TILE(4, 2)
DEFINE_TILE(4, 3)
DEFINE_TILE(5, 2)
DEFINE_TILE(5, 3)
DEFINE_TILE(6, 2)
DEFINE_TILE(6, 3)
DEFINE_TILE(7, 2)
DEFINE_TILE(7, 3)
DEFINE_TILE(8, 2)
DEFINE_TILE(8, 3)
DEFINE_TILE(2, 3)
DEFINE_TILE(7, 1)
DEFINE_TILE(8, 1)

#define WIDE_CASE(rows_)                                                                                               \
    case rows_:                                                                                                        \
        if (panels == 3)                                                                                               \
            tile_##rows_##x3(a, m, panel, ahead);                                                                      \
        else if (panels == 2)                                                                                          \
            tile_##rows_##x2(a, m, panel, ahead);                                                                      \
        else                                                                                                           \
            tile_##rows_##x1(a, m, panel, ahead);                                                                      \
        break;

/// One to three panels by up to 8 rows.
NEPHELE_INLINE void wide_tile(const nephele_matmul_args *a, nephele_index m, nephele_index rows, nephele_index panel,
                              nephele_index panels, fetch_ahead ahead) {
    switch (rows) {
        WIDE_CASE(2)
        WIDE_CASE(3)
        WIDE_CASE(4)
        WIDE_CASE(5)
        WIDE_CASE(6)
        WIDE_CASE(7)
        WIDE_CASE(8)
    default:
        for (nephele_index p = 0; p < panels; p++)
            tile_1x1(a, m, panel + p, ahead);
        break;
    }
}

NEPHELE_TARGET_AVX512 static void wide_rows(const nephele_matmul_args *a, nephele_index begin, nephele_index end) {
    nephele_index tiles = (a->rows + 7) / 8;
    // What follows `end` is this thread's next piece.
    nephele_index all = (a->columns + NEPHELE_PANEL - 1) / NEPHELE_PANEL;
    for (nephele_index panel = begin; panel < end; panel += 3) {
        nephele_index panels = end - panel < 3 ? end - panel : 3;
        // Memory works on the next panels while these are multiplied: each tile asks for its share of those still
        // `wanted`. (Few rows wait for their own panels as it is.)
        nephele_index next = panel + panels, wanted = 0;
        if (a->rows > 6)
            wanted = all - next < 3 ? all - next : 3;
        nephele_index m = 0;
        for (nephele_index t = 0; t < tiles; t++) {
            nephele_index rows = (a->rows - m + (tiles - t) - 1) / (tiles - t);
            if (wanted > 0) {
                int lines = (int)((wanted + (tiles - t) - 1) / (tiles - t));
                fetch_ahead ahead = {(const weight *)a->panels + next * a->depth * NEPHELE_PANEL, lines};
                wide_tile(a, m, rows, panel, panels, ahead);
                next += lines;
                wanted -= lines;
            } else {
                // Known to the compiler: the tile has no fetching in its loop.
                const fetch_ahead nothing = {0, 0};
                wide_tile(a, m, rows, panel, panels, nothing);
            }
            m += rows;
        }
    }
}
#endif

NEPHELE_INLINE void few_rows(const nephele_matmul_args *a, nephele_index m, nephele_index rows, nephele_index begin,
                             nephele_index end) {
    const fetch_ahead nothing = {0, 0};
    nephele_index panel = begin;
    if (rows == 1) {
        for (; panel + 4 <= end; panel += 4)
            tile_1x4(a, m, panel, nothing);
    } else if (rows == 2) {
        for (; panel + 2 <= end; panel += 2)
            tile_2x2(a, m, panel, nothing);
    }
    for (; panel < end; panel++) {
        switch (rows) {
        case 1:
            tile_1x1(a, m, panel, nothing);
            break;
        case 2:
            tile_2x1(a, m, panel, nothing);
            break;
        case 3:
            tile_3x1(a, m, panel, nothing);
            break;
        case 4:
            tile_4x1(a, m, panel, nothing);
            break;
        case 5:
            tile_5x1(a, m, panel, nothing);
            break;
        default:
            tile_6x1(a, m, panel, nothing);
            break;
        }
    }
}

NEPHELE_INLINE void NEPHELE_MATMUL(simd)(const nephele_matmul_args *a, nephele_index begin, nephele_index end) {
    if (a->rows == 0)
        return;
#if defined(__x86_64__)
    if (a->isa >= NEPHELE_ISA_AVX512 && a->rows > 2) {
        wide_rows(a, begin, end);
        return;
    }
#endif
    if (a->rows <= 6) {
        few_rows(a, 0, a->rows, begin, end);
        return;
    }
    // Panels outside: a panel stays in the first-level cache while the rows pass by. The last rows are divided
    // evenly, since a tile of one or two rows waits for the latency of its own chain.
    nephele_index tiles = (a->rows + 5) / 6;
    for (nephele_index panel = begin; panel < end; panel++) {
        nephele_index m = 0;
        for (nephele_index t = 0; t < tiles; t++) {
            nephele_index rows = (a->rows - m + (tiles - t) - 1) / (tiles - t);
            few_rows(a, m, rows, panel, panel + 1);
            m += rows;
        }
    }
}
