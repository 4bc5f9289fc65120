// Kernels of layers whose past is a state of fixed size. The form of a kernel is that of nephele_kernels.h.
//
// A pass takes some of a sequence's rows into its state. Those behind, which may turn out to be wrong, leave what they
// would add to the state in a log: the next pass takes of it what was right, and goes on from there. So a state is a
// sequence of single rows, whatever passes brought them, to the bit.
#ifndef NEPHELE_STATES_H
#define NEPHELE_STATES_H

#include "nephele_kernels.h"

/// Inputs that a short convolution sees, at most.
#define NEPHELE_MAX_TAPS 16
/// The widest key of a delta rule.
#define NEPHELE_MAX_STATE_KEY 256

/// Rows [row, row + rows) of a pass, all of one sequence, and where its state in one layer lies.
typedef struct {
    nephele_index row, rows;
    /// The state that they follow (null: the beginning of a sequence), and where the state after them is put; the two
    /// may be one.
    const float *source;
    float *target;
    /// What rows behind `taken` leave; null where there are none.
    float *log;
    /// So many rows of the log belong to the state that they follow; `taken` rows, one at least, go into the state.
    nephele_index logged, taken;
    /// Where the state after the first `checkpoint_rows` rows, at most `taken`, is put too; null for nowhere.
    float *checkpoint;
    nephele_index checkpoint_rows;
} nephele_state_span;

/// y[t, c] = sum over j of weights[j][c] * x[t - taps + 1 + j, c], one FMA chain, j ascending, plus bias[c] if given: a
/// causal convolution of each channel by itself. The state holds the last taps - 1 rows of x from float `state` on, the
/// log its rows from float `log` on. Work units: span * blocks of 16 channels.
typedef struct {
    nephele_isa isa;
    const float *x;       // [rows][width]
    const float *weights; // [taps][width]
    const float *bias;    // [width], or null
    float *y;             // [rows][width]
    const nephele_state_span *spans;
    nephele_index taps, width;
    nephele_index state, log;
} nephele_short_convolution_f32_args;
void nephele_short_convolution_f32(const void *args, nephele_index begin, nephele_index end);

/// Columns of a state that one unit of the delta rule computes.
#define NEPHELE_STATE_COLUMNS 64

/// The gated delta rule (arXiv 2412.06464). Row by row, for each value head h, which shares key head
/// h / (value_heads / key_heads) with its neighbours, or, where `is_tiled`, h mod key_heads:
///   S     = decay * S                          rounded by itself
///   d[j]  = beta * (v[j] - sum_i k[i] S[i][j])  one FMA chain, i ascending
///   S[i][j] = fma(k[i], d[j], S[i][j])
///   y[j]  = sum_i q[i] S[i][j]                 one FMA chain, i ascending
/// The state holds S as [value_heads][key_dim][value_dim] from float `state` on. The log holds, for each of its rows, d
/// [value_heads][value_dim] from float `log` on; the decays [value_heads] from `decay_log`, and the keys
/// [key_heads][key_dim] from `key_log`, which the caller writes. `value_dim` is a multiple of 16. Work units: span *
/// value heads * blocks of NEPHELE_STATE_COLUMNS columns.
typedef struct {
    nephele_isa isa;
    const float *q, *k;        // [rows][key_heads][key_dim]
    const float *v;            // [rows][value_heads][value_dim]
    const float *decay, *beta; // [rows][value_heads]
    float *y;                  // [rows][value_heads][value_dim]
    const nephele_state_span *spans;
    nephele_index key_heads, value_heads, key_dim, value_dim;
    nephele_index state, log, decay_log, key_log;
    int32_t is_tiled;
} nephele_delta_rule_f32_args;
void nephele_delta_rule_f32(const void *args, nephele_index begin, nephele_index end);

/// decay[m, h] = exp(-rate[h] * log(1 + exp(a[m, h] + bias[h]))), beta[m, h] = 1 / (1 + exp(-b[m, h])). Work unit:
/// elements.
typedef struct {
    const float *a, *b;
    const float *rate, *bias; // [heads]
    float *decay, *beta;
    nephele_index heads;
} nephele_delta_gates_f32_args;
void nephele_delta_gates_f32(const void *args, nephele_index begin, nephele_index end);

#endif
