// What every kind of attention makes of a row of scores.
#ifndef NEPHELE_SOFTMAX_H
#define NEPHELE_SOFTMAX_H
#include "simd.h"

/// Makes weights of a row of scores, `count` of them, a multiple of 16: exp(p - largest), and their sum in 16 virtual
/// lanes. Returns the largest score.
NEPHELE_INLINE float weigh(int simd, float *p, nephele_index count, float *sum) {
    float lane[16] = {0}, largest = -__builtin_inff();
    for (nephele_index j = 0; j < count; j++)
        largest = p[j] > largest ? p[j] : largest;
    if (simd) {
        f32x16 all = splat16(0);
        for (nephele_index j = 0; j < count; j += 16) {
            f32x16 e = exp16(load16(p + j) - splat16(largest));
            store16(p + j, e);
            all += e;
        }
        store16(lane, all);
    } else {
        for (nephele_index j = 0; j < count; j++) {
            p[j] = scalar_exp(p[j] - largest);
            lane[j % 16] += p[j];
        }
    }
    *sum = fold_lanes(lane);
    return largest;
}

#endif
