#include "nephele_convolution.h"
#include "simd.h"

void nephele_border_f32(const void *args, nephele_index begin, nephele_index end) {
    const nephele_border_f32_args *a = args;
    size_t pixel = (size_t)a->channels * sizeof(float);
    for (nephele_index row = begin; row < end; row++) {
        nephele_index b = row / a->out_height, i = row % a->out_height - a->top;
        float *y = a->y + row * a->out_width * a->channels;
        if (i < 0 || i >= a->height * a->up) {
            memset(y, 0, (size_t)a->out_width * pixel);
            continue;
        }
        const float *x = a->x + (b * a->height + i / a->up) * a->width * a->channels;
        for (nephele_index column = 0; column < a->out_width; column++) {
            nephele_index j = column - a->left;
            if (j < 0 || j >= a->width * a->up) {
                memset(y + column * a->channels, 0, pixel);
            } else {
                memcpy(y + column * a->channels, x + j / a->up * a->channels, pixel);
            }
        }
    }
}

/// Where the receptive field of output pixel m starts.
NEPHELE_INLINE const float *field(const nephele_conv2d_f32_args *a, nephele_index m) {
    nephele_index j = m % a->out_width, i = m / a->out_width % a->out_height, b = m / (a->out_width * a->out_height);
    return a->x + ((b * a->height + i * a->stride) * a->width + j * a->stride) * a->channels;
}

static void nephele_conv2d_f32_scalar(const nephele_conv2d_f32_args *a, nephele_index begin, nephele_index end) {
    nephele_index pixels = a->batch * a->out_height * a->out_width;
    nephele_index tiles = (pixels + NEPHELE_CONV_TILE - 1) / NEPHELE_CONV_TILE;
    nephele_index depth = a->kernel * a->kernel * a->channels;
    for (nephele_index unit = begin; unit < end; unit++) {
        nephele_index panel = unit / tiles, first = unit % tiles * NEPHELE_CONV_TILE;
        for (nephele_index m = first; m < first + NEPHELE_CONV_TILE && m < pixels; m++) {
            const float *x = field(a, m);
            for (nephele_index lane = 0; lane < NEPHELE_PANEL; lane++) {
                nephele_index n = panel * NEPHELE_PANEL + lane;
                if (n >= a->out_channels)
                    break;
                const float *w = a->panels + panel * depth * NEPHELE_PANEL + lane;
                float sum = 0;
                for (nephele_index di = 0; di < a->kernel; di++) {
                    for (nephele_index k = 0; k < a->kernel * a->channels; k++) {
                        sum = fmaf(x[di * a->width * a->channels + k], *w, sum);
                        w += NEPHELE_PANEL;
                    }
                }
                if (a->bias)
                    sum += a->bias[n];
                if (a->residual)
                    sum += a->residual[m * a->out_channels + n];
                a->y[m * a->out_channels + n] = sum;
            }
        }
    }
}

NEPHELE_INLINE void store_pixel(const nephele_conv2d_f32_args *a, nephele_index m, nephele_index panel, f32x16 sum) {
    nephele_index n = panel * NEPHELE_PANEL;
    nephele_index count = a->out_channels - n < NEPHELE_PANEL ? a->out_channels - n : NEPHELE_PANEL;
    if (a->bias)
        sum += load_partial16(a->bias + n, count);
    if (a->residual)
        sum += load_partial16(a->residual + m * a->out_channels + n, count);
    memcpy(a->y + m * a->out_channels + n, &sum, (size_t)count * sizeof(float));
}

/// NEPHELE_CONV_TILE pixels by one panel: as many independent chains.
NEPHELE_INLINE void nephele_conv2d_f32_simd(const nephele_conv2d_f32_args *a, nephele_index begin, nephele_index end) {
    nephele_index pixels = a->batch * a->out_height * a->out_width;
    nephele_index tiles = (pixels + NEPHELE_CONV_TILE - 1) / NEPHELE_CONV_TILE;
    nephele_index run = a->kernel * a->channels, depth = a->kernel * run;
    for (nephele_index unit = begin; unit < end; unit++) {
        nephele_index panel = unit / tiles, first = unit % tiles * NEPHELE_CONV_TILE;
        const float *x[NEPHELE_CONV_TILE];
        f32x16 sum[NEPHELE_CONV_TILE];
        _Pragma("clang loop unroll(full)") for (int r = 0; r < NEPHELE_CONV_TILE; r++) {
            // Past the end the last pixel is computed again and dropped.
            x[r] = field(a, first + r < pixels ? first + r : pixels - 1);
            sum[r] = splat16(0);
        }
        const float *w = a->panels + panel * depth * NEPHELE_PANEL;
        for (nephele_index di = 0; di < a->kernel; di++) {
            for (nephele_index k = 0; k < run; k++) {
                f32x16 column = load16(w);
                w += NEPHELE_PANEL;
                _Pragma("clang loop unroll(full)") for (int r = 0; r < NEPHELE_CONV_TILE; r++) {
                    sum[r] = fma16(splat16(x[r][k]), column, sum[r]);
                }
            }
            _Pragma("clang loop unroll(full)") for (int r = 0; r < NEPHELE_CONV_TILE; r++) {
                x[r] += a->width * a->channels;
            }
        }
        _Pragma("clang loop unroll(full)") for (int r = 0; r < NEPHELE_CONV_TILE; r++) {
            if (first + r < pixels)
                store_pixel(a, first + r, panel, sum[r]);
        }
    }
}

NEPHELE_KERNEL(nephele_conv2d_f32)
