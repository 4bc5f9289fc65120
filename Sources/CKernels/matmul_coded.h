// The matrix product of coded weights for one instruction set. (Vectors go by address between functions of different
// targets.) A file that includes this defines before:
//  - CODED(name), the names of what is defined here, and CODED_TARGET, the attribute of its functions;
//  - `table`, a table of 16 floats in registers, `load_table`, and `look_up`, which finds 16 of its values by the low
//    four bits of as many bytes.

/// A block's codes of inputs k (and k + 1 in the high halves) as 16 values, before the scale.
CODED_TARGET NEPHELE_INLINE f32x16 CODED(values)(nephele_coded_format format, const uint8_t *codes, nephele_index k,
                                                 const CODED(table) * table) {
    if (format == NEPHELE_CODED_TABLE)
        return CODED(look_up)(table, codes + k / 2 * NEPHELE_PANEL, (int)(k % 2));
    u8x16 bytes;
    memcpy(&bytes, codes + k * NEPHELE_PANEL, sizeof bytes);
    u16x16 wide = __builtin_convertvector(bytes, u16x16);
    u16x16 half = (wide & 0x7f) << 7 | (wide & 0x80) << 8;
    return __builtin_convertvector((f16x16)half, f32x16);
}

/// `rows` rows by `panels` panels: as many chains.
CODED_TARGET NEPHELE_INLINE void CODED(tile)(const nephele_coded_matmul_args *a, nephele_index m, nephele_index panel,
                                             const int rows, const int panels, const nephele_coded_format format) {
    nephele_index bytes = coded_block_bytes(format, a->group), stride = coded_panel_bytes(format, a->depth, a->group);
    const uint8_t *start = (const uint8_t *)a->panels + panel * stride;
    CODED(table) table;
    if (format == NEPHELE_CODED_TABLE)
        CODED(load_table)(&table, start);
    const uint8_t *block = start + table_bytes(format);
    const float *x = a->x + m * a->x_stride;
    f32x16 sum[6][4];
    UNROLLED(int r = 0; r < rows; r++) {
        UNROLLED(int p = 0; p < panels; p++) sum[r][p] = (f32x16){0};
    }
    for (nephele_index first = 0; first < a->depth; first += a->group, block += bytes) {
        nephele_index count = a->depth - first < a->group ? a->depth - first : a->group;
        f32x16 dot[6][4];
        UNROLLED(int r = 0; r < rows; r++) {
            UNROLLED(int p = 0; p < panels; p++) dot[r][p] = (f32x16){0};
        }
        for (nephele_index k = 0; k < count; k++) {
            f32x16 column[4];
            UNROLLED(int p = 0; p < panels; p++)
            column[p] = CODED(values)(format, block + p * stride + 64, k, &table);
            UNROLLED(int r = 0; r < rows; r++) {
                const float v = x[r * a->x_stride + first + k];
                f32x16 input = {v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v};
                UNROLLED(int p = 0; p < panels; p++) dot[r][p] = __builtin_elementwise_fma(input, column[p], dot[r][p]);
            }
        }
        UNROLLED(int p = 0; p < panels; p++) {
            f32x16 scale;
            memcpy(&scale, block + p * stride, sizeof scale);
            UNROLLED(int r = 0; r < rows; r++) sum[r][p] = __builtin_elementwise_fma(dot[r][p], scale, sum[r][p]);
        }
    }
    UNROLLED(int r = 0; r < rows; r++) {
        UNROLLED(int p = 0; p < panels; p++) finish(a, m + r, panel + p, &sum[r][p]);
    }
}

#define CODED_ROWS(rows_)                                                                                              \
    case rows_:                                                                                                        \
        if (panels == 2)                                                                                               \
            CODED(tile)(a, m, panel, rows_, 2, format);                                                                \
        else                                                                                                           \
            CODED(tile)(a, m, panel, rows_, 1, format);                                                                \
        break;

CODED_TARGET NEPHELE_INLINE void CODED(product)(const nephele_coded_matmul_args *a, nephele_index begin,
                                                nephele_index end, const nephele_coded_format format) {
    nephele_index panel = begin;
    if (a->rows == 1) {
        for (; panel + 4 <= end; panel += 4)
            CODED(tile)(a, 0, panel, 1, 4, format);
    }
    nephele_index tiles = (a->rows + CODED_TILE - 1) / CODED_TILE;
    while (panel < end) {
        nephele_index panels = end - panel >= 2 ? 2 : 1, m = 0;
        for (nephele_index t = 0; t < tiles; t++) {
            nephele_index rows = (a->rows - m + (tiles - t) - 1) / (tiles - t);
            switch (rows) {
                CODED_ROWS(1)
                CODED_ROWS(2)
                CODED_ROWS(3)
                CODED_ROWS(4)
                CODED_ROWS(5)
                CODED_ROWS(6)
            }
            m += rows;
        }
        panel += panels;
    }
}

CODED_TARGET static void CODED(e4m3)(const nephele_coded_matmul_args *a, nephele_index begin, nephele_index end) {
    CODED(product)(a, begin, end, NEPHELE_CODED_E4M3);
}

CODED_TARGET static void CODED(four)(const nephele_coded_matmul_args *a, nephele_index begin, nephele_index end) {
    CODED(product)(a, begin, end, NEPHELE_CODED_TABLE);
}
