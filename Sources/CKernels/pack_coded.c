// Panels of coded floats.
#include "coded.h"

nephele_index nephele_coded_panel_bytes(nephele_coded_format format, nephele_index depth, nephele_index group) {
    return coded_panel_bytes(format, depth, group);
}

void nephele_pack_coded(const void *args, nephele_index begin, nephele_index end) {
    const nephele_pack_coded_args *a = args;
    nephele_index groups = (a->depth + a->group - 1) / a->group, bytes = coded_block_bytes(a->format, a->group);
    nephele_index size = coded_panel_bytes(a->format, a->depth, a->group);
    const int is_table = a->format == NEPHELE_CODED_TABLE;
    for (nephele_index panel = begin; panel < end; panel++) {
        uint8_t *out = (uint8_t *)a->panels + panel * size;
        memset(out, 0, (size_t)size);
        if (is_table)
            memcpy(out, a->table, 64);
        for (nephele_index lane = 0; lane < NEPHELE_PANEL; lane++) {
            nephele_index n = panel * NEPHELE_PANEL + lane;
            if (n >= a->columns)
                break;
            for (nephele_index g = 0; g < groups; g++) {
                uint8_t *block = out + table_bytes(a->format) + g * bytes, *codes = block + 64;
                float scale = a->scales[n * groups + g] * (is_table ? 1 : CODED_SCALE);
                memcpy(block + lane * sizeof(float), &scale, sizeof scale);
                nephele_index count = a->depth - g * a->group < a->group ? a->depth - g * a->group : a->group;
                const uint8_t *source = a->codes + n * a->depth + g * a->group;
                for (nephele_index k = 0; k < count; k++) {
                    if (is_table)
                        codes[k / 2 * NEPHELE_PANEL + lane] |= (uint8_t)(source[k] << (k % 2 * 4));
                    else
                        codes[k * NEPHELE_PANEL + lane] = source[k];
                }
            }
        }
    }
}

void nephele_gather_coded(const void *args, nephele_index begin, nephele_index end) {
    const nephele_gather_coded_args *a = args;
    nephele_index bytes = coded_block_bytes(a->format, a->group);
    for (nephele_index m = begin; m < end; m++) {
        nephele_index lane = a->ids[m] % NEPHELE_PANEL;
        const uint8_t *panel =
            (const uint8_t *)a->panels + a->ids[m] / NEPHELE_PANEL * coded_panel_bytes(a->format, a->depth, a->group);
        for (nephele_index k = 0; k < a->depth; k++) {
            const uint8_t *block = panel + table_bytes(a->format) + k / a->group * bytes;
            a->y[m * a->y_stride + k] =
                coded_value(a->format, panel, block + 64, k % a->group, lane) * coded_scale(block, lane);
        }
    }
}
