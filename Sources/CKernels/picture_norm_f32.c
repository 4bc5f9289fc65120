#include "nephele_convolution.h"
#include "simd.h"

#define PIXEL_BLOCK 64

static void nephele_channel_sums_f32_scalar(const nephele_channel_sums_f32_args *a, nephele_index begin,
                                            nephele_index end) {
    nephele_index blocks = (a->channels + 15) / 16;
    for (nephele_index unit = begin; unit < end; unit++) {
        nephele_index b = unit / blocks, first = unit % blocks * 16;
        for (nephele_index c = first; c < first + 16 && c < a->channels; c++) {
            const float *x = a->x + b * a->pixels * a->channels + c;
            float mean = a->mean ? a->mean[b * a->channels + c] : 0, total = 0;
            for (nephele_index from = 0; from < a->pixels; from += PIXEL_BLOCK) {
                float sum = 0;
                for (nephele_index p = from; p < from + PIXEL_BLOCK && p < a->pixels; p++) {
                    float d = x[p * a->channels] - mean;
                    sum = a->mean ? fmaf(d, d, sum) : sum + d;
                }
                total += sum;
            }
            a->sums[b * a->channels + c] = total;
        }
    }
}

NEPHELE_INLINE void nephele_channel_sums_f32_simd(const nephele_channel_sums_f32_args *a, nephele_index begin,
                                                  nephele_index end) {
    nephele_index blocks = (a->channels + 15) / 16;
    for (nephele_index unit = begin; unit < end; unit++) {
        nephele_index b = unit / blocks, c = unit % blocks * 16;
        nephele_index count = a->channels - c < 16 ? a->channels - c : 16;
        const float *x = a->x + b * a->pixels * a->channels + c;
        f32x16 mean = a->mean ? load_partial16(a->mean + b * a->channels + c, count) : splat16(0);
        f32x16 total = splat16(0);
        for (nephele_index from = 0; from < a->pixels; from += PIXEL_BLOCK) {
            f32x16 sum = splat16(0);
            for (nephele_index p = from; p < from + PIXEL_BLOCK && p < a->pixels; p++) {
                const float *at = x + p * a->channels;
                f32x16 d = (count == 16 ? load16(at) : load_partial16(at, count)) - mean;
                sum = a->mean ? fma16(d, d, sum) : sum + d;
            }
            total += sum;
        }
        memcpy(a->sums + b * a->channels + c, &total, (size_t)count * sizeof(float));
    }
}

NEPHELE_KERNEL(nephele_channel_sums_f32)

static void nephele_affine_f32_scalar(const nephele_affine_f32_args *a, nephele_index begin, nephele_index end) {
    for (nephele_index pixel = begin; pixel < end; pixel++) {
        nephele_index b = pixel / a->pixels;
        for (nephele_index c = 0; c < a->channels; c++) {
            float scale = a->scale ? a->scale[b * a->channels + c] : 1;
            float v = fmaf(a->x[pixel * a->channels + c], scale, a->shift[b * a->channels + c]);
            a->y[pixel * a->channels + c] = a->silu ? v / (1.0f + scalar_exp(-v)) : v;
        }
    }
}

NEPHELE_INLINE void nephele_affine_f32_simd(const nephele_affine_f32_args *a, nephele_index begin, nephele_index end) {
    for (nephele_index pixel = begin; pixel < end; pixel++) {
        const float *scale = a->scale ? a->scale + pixel / a->pixels * a->channels : 0;
        const float *shift = a->shift + pixel / a->pixels * a->channels;
        const float *x = a->x + pixel * a->channels;
        float *y = a->y + pixel * a->channels;
        nephele_index c = 0;
        for (; c + 16 <= a->channels; c += 16) {
            f32x16 v = fma16(load16(x + c), scale ? load16(scale + c) : splat16(1.0f), load16(shift + c));
            if (a->silu)
                v = v / (splat16(1.0f) + exp16(-v));
            store16(y + c, v);
        }
        if (c < a->channels) {
            nephele_index count = a->channels - c;
            f32x16 factor = scale ? load_partial16(scale + c, count) : splat16(1.0f);
            f32x16 v = fma16(load_partial16(x + c, count), factor, load_partial16(shift + c, count));
            if (a->silu)
                v = v / (splat16(1.0f) + exp16(-v));
            memcpy(y + c, &v, (size_t)count * sizeof(float));
        }
    }
}

NEPHELE_KERNEL(nephele_affine_f32)
