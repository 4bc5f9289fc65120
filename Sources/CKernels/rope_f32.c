#include "nephele_attention.h"

void nephele_rope_f32(const void *args, nephele_index begin, nephele_index end) {
    const nephele_rope_f32_args *a = args;
    nephele_index half = a->rotary / 2;
    // Where the elements of pair i are.
    nephele_index step = a->is_interleaved ? 2 : 1, apart = a->is_interleaved ? 1 : half;
    float sign = a->is_gradient ? -1.0f : 1.0f;
    for (nephele_index m = begin; m < end; m++) {
        const float *cosine = a->cosine + a->positions[m] * half;
        const float *sine = a->sine + a->positions[m] * half;
        for (nephele_index head = 0; head < a->heads; head++) {
            float *x = a->x + m * a->x_stride + head * a->head_dim;
            for (nephele_index i = 0; i < half; i++) {
                float u = x[step * i], v = x[step * i + apart];
                float vs = v * (sign * sine[i]), us = u * (sign * sine[i]);
                x[step * i] = u * cosine[i] - vs;
                x[step * i + apart] = v * cosine[i] + us;
            }
        }
    }
}
