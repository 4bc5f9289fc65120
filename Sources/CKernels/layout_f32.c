#include "nephele_convolution.h"
#include <string.h>

void nephele_join_f32(const void *args, nephele_index begin, nephele_index end) {
    const nephele_join_f32_args *a = args;
    size_t first = (size_t)a->a_width * sizeof(float), second = (size_t)a->b_width * sizeof(float);
    for (nephele_index row = begin; row < end; row++) {
        float *y = a->y + row * (a->a_width + a->b_width);
        memcpy(y, a->a + row * a->a_width, first);
        memcpy(y + a->a_width, a->b + row * a->b_width, second);
    }
}

void nephele_split_f32(const void *args, nephele_index begin, nephele_index end) {
    const nephele_split_f32_args *a = args;
    size_t first = (size_t)a->a_width * sizeof(float), second = (size_t)a->b_width * sizeof(float);
    for (nephele_index row = begin; row < end; row++) {
        const float *y = a->y + row * (a->a_width + a->b_width);
        memcpy(a->a + row * a->a_width, y, first);
        memcpy(a->b + row * a->b_width, y + a->a_width, second);
    }
}

void nephele_transpose_f32(const void *args, nephele_index begin, nephele_index end) {
    const nephele_transpose_f32_args *a = args;
    for (nephele_index row = begin; row < end; row++) {
        nephele_index b = row / a->columns, j = row % a->columns;
        const float *x = a->x + b * a->rows * a->columns + j;
        float *y = a->y + row * a->rows;
        for (nephele_index i = 0; i < a->rows; i++)
            y[i] = x[i * a->columns];
    }
}
