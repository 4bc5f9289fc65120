// Vectors of 16 floats for every instruction set, from one source: LLVM splits the operations of `f32x16` into
// whatever registers the target of the enclosing function has (2 ymm, 1 zmm, 4 NEON registers).
//
// A SIMD body is an always-inlined function `<name>_simd`; NEPHELE_KERNEL instantiates it for each instruction
// set and defines the public entry that dispatches on `args->isa`.
#ifndef NEPHELE_SIMD_H
#define NEPHELE_SIMD_H

#include "nephele_kernels.h"
#include "scalar_math.h"
#include <string.h>

#pragma STDC FP_CONTRACT OFF
#pragma clang diagnostic ignored "-Wpsabi"

typedef float f32x16 __attribute__((vector_size(64)));
typedef int32_t i32x16 __attribute__((vector_size(64)));
typedef int8_t i8x16 __attribute__((vector_size(16)));

#define NEPHELE_INLINE static inline __attribute__((always_inline))

NEPHELE_INLINE f32x16 load16(const float *p) {
    f32x16 v;
    memcpy(&v, p, sizeof v);
    return v;
}

NEPHELE_INLINE void store16(float *p, f32x16 v) {
    memcpy(p, &v, sizeof v);
}

NEPHELE_INLINE f32x16 splat16(float x) {
    return (f32x16){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x};
}

NEPHELE_INLINE f32x16 fma16(f32x16 a, f32x16 b, f32x16 c) {
    return __builtin_elementwise_fma(a, b, c);
}

/// The first `count` < 16 elements, the rest zero.
NEPHELE_INLINE f32x16 load_partial16(const float *p, nephele_index count) {
    f32x16 v = splat16(0);
    memcpy(&v, p, (size_t)count * sizeof(float));
    return v;
}

/// The fixed tree of a 16-lane sum: 8, 4, 2, 1.
NEPHELE_INLINE float fold16(f32x16 v) {
    float lane[16];
    store16(lane, v);
    return fold_lanes(lane);
}

NEPHELE_INLINE i32x16 select_bits(i32x16 mask, i32x16 a, i32x16 b) {
    return (mask & a) | (~mask & b);
}

NEPHELE_INLINE f32x16 select16(i32x16 mask, f32x16 a, f32x16 b) {
    return (f32x16)select_bits(mask, (i32x16)a, (i32x16)b);
}

/// `scalar_exp` on 16 lanes.
NEPHELE_INLINE f32x16 exp16(f32x16 x) {
    f32x16 n = __builtin_elementwise_rint(x * splat16(EXP_LOG2E));
    f32x16 r = fma16(n, splat16(-EXP_LN2_HIGH), x);
    r = fma16(n, splat16(-EXP_LN2_LOW), r);
    f32x16 p = splat16(EXP_C0);
    p = fma16(p, r, splat16(EXP_C1));
    p = fma16(p, r, splat16(EXP_C2));
    p = fma16(p, r, splat16(EXP_C3));
    p = fma16(p, r, splat16(EXP_C4));
    p = fma16(p, r, splat16(EXP_C5));
    f32x16 y = fma16(p, r * r, r) + splat16(1.0f);
    // Out of range lanes are replaced below; their exponents must still be representable.
    i32x16 low = x < splat16(EXP_MIN);
    i32x16 high = x > splat16(EXP_MAX);
    i32x16 nan = x != x;
    f32x16 bounded = select16(low | high | nan, splat16(0), n);
    i32x16 exponent = __builtin_convertvector(bounded, i32x16);
    i32x16 half = exponent >> 1;
    f32x16 scale_a = (f32x16)((half + 127) << 23);
    f32x16 scale_b = (f32x16)((exponent - half + 127) << 23);
    y = y * scale_a * scale_b;
    y = select16(low, splat16(0), y);
    y = select16(high, splat16(__builtin_inff()), y);
    return select16(nan, x, y);
}

NEPHELE_INLINE f32x16 copysign16(f32x16 magnitude, f32x16 sign) {
    i32x16 bit = (i32x16)splat16(-0.0f);
    return (f32x16)(((i32x16)magnitude & ~bit) | ((i32x16)sign & bit));
}

/// `scalar_tanh` on 16 lanes.
NEPHELE_INLINE f32x16 tanh16(f32x16 x) {
    f32x16 a = __builtin_elementwise_abs(x);
    f32x16 z = x * x;
    f32x16 p = splat16(TANH_C0);
    p = fma16(p, z, splat16(TANH_C1));
    p = fma16(p, z, splat16(TANH_C2));
    p = fma16(p, z, splat16(TANH_C3));
    p = fma16(p, z, splat16(TANH_C4));
    f32x16 small = fma16(p * z, x, x);
    f32x16 large = splat16(1.0f) - splat16(2.0f) / (exp16(splat16(2.0f) * a) + splat16(1.0f));
    return select16(a < splat16(TANH_SMALL), small, copysign16(large, x));
}

/// `scalar_soft_cap` on 16 lanes.
NEPHELE_INLINE f32x16 soft_cap16(f32x16 x, float cap) {
    return splat16(cap) * tanh16(x / splat16(cap));
}

#if defined(__x86_64__)
#define NEPHELE_TARGET_AVX2 __attribute__((target("avx2,fma,f16c")))
#define NEPHELE_TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma,f16c")))
#define NEPHELE_KERNEL(name)                                                                                           \
    NEPHELE_TARGET_AVX2 static void name##_avx2(const name##_args *a, nephele_index begin, nephele_index end) {        \
        name##_simd(a, begin, end);                                                                                    \
    }                                                                                                                  \
    NEPHELE_TARGET_AVX512 static void name##_avx512(const name##_args *a, nephele_index begin, nephele_index end) {    \
        name##_simd(a, begin, end);                                                                                    \
    }                                                                                                                  \
    void name(const void *args, nephele_index begin, nephele_index end) {                                              \
        const name##_args *a = (const name##_args *)args;                                                              \
        switch (a->isa) {                                                                                              \
        case NEPHELE_ISA_AVX512_VNNI:                                                                                  \
        case NEPHELE_ISA_AVX512:                                                                                       \
            name##_avx512(a, begin, end);                                                                              \
            return;                                                                                                    \
        case NEPHELE_ISA_AVX2:                                                                                         \
            name##_avx2(a, begin, end);                                                                                \
            return;                                                                                                    \
        case NEPHELE_ISA_SCALAR:                                                                                       \
        case NEPHELE_ISA_NEON:                                                                                         \
            name##_scalar(a, begin, end);                                                                              \
            return;                                                                                                    \
        }                                                                                                              \
    }
#else
#define NEPHELE_KERNEL(name)                                                                                           \
    static void name##_neon(const name##_args *a, nephele_index begin, nephele_index end) {                            \
        name##_simd(a, begin, end);                                                                                    \
    }                                                                                                                  \
    void name(const void *args, nephele_index begin, nephele_index end) {                                              \
        const name##_args *a = (const name##_args *)args;                                                              \
        if (a->isa == NEPHELE_ISA_NEON) {                                                                              \
            name##_neon(a, begin, end);                                                                                \
        } else {                                                                                                       \
            name##_scalar(a, begin, end);                                                                              \
        }                                                                                                              \
    }
#endif

#endif
