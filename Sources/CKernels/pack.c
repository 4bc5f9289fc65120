#include "nephele_kernels.h"

#define DEFINE_PACK(name, type)                                                                                        \
    void name(const void *args, nephele_index begin, nephele_index end) {                                              \
        const nephele_pack_args *a = args;                                                                             \
        for (nephele_index panel = begin; panel < end; panel++) {                                                      \
            type *out = (type *)a->panels + panel * a->depth * NEPHELE_PANEL;                                          \
            for (nephele_index lane = 0; lane < NEPHELE_PANEL; lane++) {                                               \
                nephele_index column = panel * NEPHELE_PANEL + lane;                                                   \
                const type *in = (const type *)a->source + column * a->column_stride;                                  \
                for (nephele_index k = 0; k < a->depth; k++)                                                           \
                    out[k * NEPHELE_PANEL + lane] = column < a->columns ? in[k * a->depth_stride] : 0;                 \
            }                                                                                                          \
        }                                                                                                              \
    }

DEFINE_PACK(nephele_pack_32, uint32_t)
DEFINE_PACK(nephele_pack_16, uint16_t)
