// The elementary functions, as every kernel computes them: this file is their specification.
#ifndef NEPHELE_SCALAR_MATH_H
#define NEPHELE_SCALAR_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF

// exp: x = n ln 2 + r, |r| <= ln 2 / 2; exp r by a minimax polynomial (Cephes expf); ln 2 in two parts.
#define EXP_LOG2E 1.44269504088896341f
#define EXP_LN2_HIGH 0.693359375f
#define EXP_LN2_LOW -2.12194440e-4f
#define EXP_C0 1.9875691500e-4f
#define EXP_C1 1.3981999507e-3f
#define EXP_C2 8.3334519073e-3f
#define EXP_C3 4.1665795894e-2f
#define EXP_C4 1.6666665459e-1f
#define EXP_C5 5.0000001201e-1f
/// Below this exp is 0; above the other it is infinity.
#define EXP_MIN -103.0f
#define EXP_MAX 88.72283f

static inline float power_of_two(int32_t n) {
    int32_t bits = (n + 127) << 23;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline float scalar_exp(float x) {
    if (x != x)
        return x;
    if (x < EXP_MIN)
        return 0;
    if (x > EXP_MAX)
        return __builtin_inff();
    float n = rintf(x * EXP_LOG2E);
    float r = fmaf(n, -EXP_LN2_HIGH, x);
    r = fmaf(n, -EXP_LN2_LOW, r);
    float p = EXP_C0;
    p = fmaf(p, r, EXP_C1);
    p = fmaf(p, r, EXP_C2);
    p = fmaf(p, r, EXP_C3);
    p = fmaf(p, r, EXP_C4);
    p = fmaf(p, r, EXP_C5);
    float y = fmaf(p, r * r, r) + 1.0f;
    int32_t exponent = (int32_t)n;
    int32_t half = exponent >> 1;
    return y * power_of_two(half) * power_of_two(exponent - half);
}

// tanh: odd polynomial below 0.625 (Cephes tanhf), 1 - 2 / (exp(2|x|) + 1) above.
#define TANH_SMALL 0.625f
#define TANH_C0 -5.70498872745e-3f
#define TANH_C1 2.06390887954e-2f
#define TANH_C2 -5.37397155531e-2f
#define TANH_C3 1.33314422036e-1f
#define TANH_C4 -3.33332819422e-1f

static inline float scalar_tanh(float x) {
    float a = fabsf(x);
    if (a < TANH_SMALL) {
        float z = x * x;
        float p = TANH_C0;
        p = fmaf(p, z, TANH_C1);
        p = fmaf(p, z, TANH_C2);
        p = fmaf(p, z, TANH_C3);
        p = fmaf(p, z, TANH_C4);
        return fmaf(p * z, x, x);
    }
    float y = 1.0f - 2.0f / (scalar_exp(2.0f * a) + 1.0f);
    return copysignf(y, x);
}

/// Nearly x where it is small against the cap, never beyond the cap (Gemma 2, arXiv 2408.00118, section 2).
static inline float scalar_soft_cap(float x, float cap) {
    return cap * scalar_tanh(x / cap);
}

// erf: its Taylor series below 0.5 (the next term is under 5e-10), Abramowitz and Stegun 7.1.26 above (1.5e-7).
#define ERF_SMALL 0.5f
#define ERF_P 0.3275911f
#define ERF_A1 0.254829592f
#define ERF_A2 -0.284496736f
#define ERF_A3 1.421413741f
#define ERF_A4 -1.453152027f
#define ERF_A5 1.061405429f
#define ERF_T0 1.205533298e-04f
#define ERF_T1 -8.548327023e-04f
#define ERF_T2 5.223977625e-03f
#define ERF_T3 -2.686617065e-02f
#define ERF_T4 1.128379167e-01f
#define ERF_T5 -3.761263890e-01f
#define ERF_T6 1.128379167e+00f

static inline float scalar_erf(float x) {
    float a = fabsf(x);
    if (a < ERF_SMALL) {
        float z = x * x;
        float p = ERF_T0;
        p = fmaf(p, z, ERF_T1);
        p = fmaf(p, z, ERF_T2);
        p = fmaf(p, z, ERF_T3);
        p = fmaf(p, z, ERF_T4);
        p = fmaf(p, z, ERF_T5);
        p = fmaf(p, z, ERF_T6);
        return p * x;
    }
    float t = 1.0f / fmaf(ERF_P, a, 1.0f);
    float q = ERF_A5;
    q = fmaf(q, t, ERF_A4);
    q = fmaf(q, t, ERF_A3);
    q = fmaf(q, t, ERF_A2);
    q = fmaf(q, t, ERF_A1);
    float y = fmaf(-(q * t), scalar_exp(-(a * a)), 1.0f);
    return copysignf(y, x);
}

// log: x = 2^n m, sqrt(1/2) <= m < sqrt(2); log m by a minimax polynomial (Cephes logf); ln 2 in two parts.
#define LOG_C0 7.0376836292e-2f
#define LOG_C1 -1.1514610310e-1f
#define LOG_C2 1.1676998740e-1f
#define LOG_C3 -1.2420140846e-1f
#define LOG_C4 1.4249322787e-1f
#define LOG_C5 -1.6668057665e-1f
#define LOG_C6 2.0000714765e-1f
#define LOG_C7 -2.4999993993e-1f
#define LOG_C8 3.3333331174e-1f

/// Of a normal number above 0.
static inline float scalar_log(float x) {
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    int32_t n = (bits >> 23) - 126;
    bits = (bits & 0x007fffff) | 0x3f000000;
    float m;
    memcpy(&m, &bits, sizeof m);
    if (m < 0.707106781186547524f) {
        m += m;
        n--;
    }
    float r = m - 1.0f, z = r * r;
    float p = LOG_C0;
    p = fmaf(p, r, LOG_C1);
    p = fmaf(p, r, LOG_C2);
    p = fmaf(p, r, LOG_C3);
    p = fmaf(p, r, LOG_C4);
    p = fmaf(p, r, LOG_C5);
    p = fmaf(p, r, LOG_C6);
    p = fmaf(p, r, LOG_C7);
    p = fmaf(p, r, LOG_C8);
    float y = fmaf((float)n, EXP_LN2_LOW, p * r * z);
    y = fmaf(-0.5f, z, y);
    return fmaf((float)n, EXP_LN2_HIGH, r + y);
}

/// log(1 + exp x), which is x itself above 20. What is lost in 1 + e is made good by e / ((1 + e) - 1).
static inline float scalar_softplus(float x) {
    if (!(x <= 20.0f))
        return x;
    float e = scalar_exp(x), sum = 1.0f + e;
    return sum == 1.0f ? e : scalar_log(sum) * (e / (sum - 1.0f));
}

/// The fixed tree of a 16-lane sum: lanes 8 apart, then 4, 2, 1.
static inline float fold_lanes(float *lane) {
    for (int width = 8; width > 0; width /= 2) {
        for (int i = 0; i < width; i++)
            lane[i] += lane[i + width];
    }
    return lane[0];
}

#endif
