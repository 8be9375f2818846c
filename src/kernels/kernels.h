/* SPDX-License-Identifier: Apache-2.0 */
/* kernels: the inner loops of a forward pass, and the one table that holds them.
 * Purpose: a slot per verb and dtype. The table is filled in plain C, then each tier that the
 *   processor has overwrites what it does better; one table is used for the life of a process.
 * In: pointers to rows. Out: filled rows; nothing is read or written outside what the comments say.
 * Owned: nothing. Threads: any; the table is immutable once filled. No allocation, threads or I/O.
 * Invariants: a slot's result for one output element does not depend on how many rows or tokens
 *   the call has. Weights may lie at any byte address.
 * Adding a tier: x86/NAME_tier.c or arm/NAME_tier.c with a fill function, one line in kernels.c. */
#ifndef AM_KERNELS_KERNELS_H
#define AM_KERNELS_KERNELS_H

#include "os/cpu.h"
#include "tensor/dtype.h"

/* What the activations of a matmul slot look like. */
typedef enum am_x_format {
  AM_X_NONE, /* no matmul for this dtype */
  AM_X_F32,  /* float32 as it is: nothing is rounded */
  AM_X_Q8,   /* am_x8_group per 128 elements, the last one filled up with zero */
  AM_X_Q8K,  /* am_x256_block per 256 elements */
  AM_X_COUNT
} am_x_format;

/* out[t * out_stride + r] = sum over i of w[r][i] x[t][i], r < n_rows, t < n_tokens. */
typedef struct am_matmul {
  float *out;
  size_t out_stride; /* floats from token to token */
  const void *w;     /* (n_rows, n_in) of the slot's dtype; am_scaled_row[n_rows] for a SCALED one */
  size_t w_stride;   /* bytes from row to row */
  const void *x;     /* (n_tokens, n_in) in the slot's x_format; quantised ones 64-byte aligned */
  size_t x_stride;   /* bytes from token to token */
  uint32_t n_rows, n_tokens, n_in;
} am_matmul;

/* out[i][c] = decay[i] out[i][c] + sum over j of p[i][j] v[j][c], i < n_rows, c < n_columns. */
typedef struct am_mix {
  float *out;
  size_t out_stride; /* floats */
  const float *decay;
  const float *p;
  size_t p_stride; /* floats */
  const void *v;   /* (n_keys, n_columns) of the slot's dtype */
  size_t v_stride; /* bytes */
  uint32_t n_rows, n_keys, n_columns;
} am_mix;

typedef struct am_kernels {
  const char *tier; /* the highest that filled something */

  /* By weight dtype; NULL where x_format is AM_X_NONE. */
  am_x_format x_format[AM_DTYPE_COUNT];
  void (*matmul[AM_DTYPE_COUNT])(const am_matmul *m);
  /* A whole row of n elements (a multiple of the block) to float32, bit for bit as the gguf
   * package's dequantize has it. NULL: the dtype is no float. */
  void (*dequantize[AM_DTYPE_COUNT])(float *out, const void *row, size_t n);

  /* By activation format (Q8, Q8K): one token's n elements. A block that holds NaN or infinity
   * gets d = NaN, one with max|x| < 1e-30 becomes zero. Byte-equal on every tier. */
  void (*quantize[AM_X_COUNT])(void *out, const float *x, size_t n);

  /* Weights to blocks: n elements, a multiple of the dtype's block, finite and of at most 65504; near the
   * least sum of (x - y)^2 that the blocks allow. Byte-equal on every tier. NULL: cannot be made. */
  void (*pack[AM_DTYPE_COUNT])(void *out, const float *x, size_t n);
  float (*greatest)(const float *x, size_t n); /* max |x|; NaN where there is one; 0 for n = 0 */

  /* By cache dtype (F32, F16). */
  void (*mix[AM_DTYPE_COUNT])(const am_mix *m);
  void (*store[AM_DTYPE_COUNT])(void *out, const float *x, size_t n); /* round to nearest even */

  /* out = x / sqrt(mean(x^2) + eps) * (weight_offset + weight); out may be x. n > 0. */
  void (*rms_norm)(float *out, const float *x, const float *weight, float eps, float weight_offset, size_t n);
  /* out = (x - mean) / sqrt(variance + eps) * weight + bias (NULL = none); out may be x. n > 0. */
  void (*layer_norm)(float *out, const float *x, const float *weight, const float *bias, float eps, size_t n);
  /* Rotates pairs in place: (x[i], x[half + i]), or (x[2i], x[2i + 1]), i < half, by the angle
   * whose cosine and sine are c[i], s[i]: (a, b) -> (a c - b s, b c + a s). */
  void (*rope_half)(float *x, const float *c, const float *s, size_t half);
  void (*rope_pairs)(float *x, const float *c, const float *s, size_t half);
  float (*max)(const float *x, size_t n);          /* -infinity for n = 0 */
  float (*exp_sum)(float *x, float max, size_t n); /* x = exp(x - max); their sum */
  void (*silu_mul)(float *out, const float *gate, const float *up, size_t n); /* out may be gate */
  /* Of these four, an element's result does not depend on where it stands in the call. */
  void (*gelu_mul)(float *out, const float *gate, const float *up, size_t n); /* tanh form; out may be gate */
  void (*gelu_tanh)(float *x, size_t n);
  void (*gelu_erf)(float *x, size_t n);
  void (*softcap)(float *x, float cap, size_t n); /* x = cap * tanh(x / cap) */
  void (*add)(float *x, const float *y, size_t n);                            /* x += y */
  void (*scale)(float *x, float factor, size_t n);                            /* x *= factor */
} am_kernels;

/* The table for this processor (am_cpu). */
const am_kernels *am_kernels_get(void);
/* The table for a set of flags, which the processor must have; for kerncheck. */
void am_kernels_fill(am_kernels *out, const am_cpu_flags *flags);

/* Bytes of one token's n activations in a format, a multiple of 64. */
size_t am_kernels_x_bytes(am_x_format format, size_t n);

/* The layers of the table, each overwriting what it has (a file of c/, x86/ or arm/ each). */
void am_kernels_c_quants(am_kernels *k);
void am_kernels_c_matmul(am_kernels *k);
void am_kernels_c_rows(am_kernels *k);
void am_kernels_c_scaled(am_kernels *k);
void am_kernels_c_iq4(am_kernels *k);
void am_kernels_c_pack(am_kernels *k);
void am_kernels_avx2_float(am_kernels *k);
void am_kernels_avx2_rows(am_kernels *k);
void am_kernels_avx2_quants(am_kernels *k);
void am_kernels_avx2_pack(am_kernels *k);
void am_kernels_avx2_q32(am_kernels *k);
void am_kernels_avx2_q256(am_kernels *k);
void am_kernels_avx2_scaled(am_kernels *k);
void am_kernels_avxvnni_q32(am_kernels *k);
void am_kernels_avxvnni_q256(am_kernels *k);
void am_kernels_avx512_float(am_kernels *k);
void am_kernels_avx512_rows(am_kernels *k);
void am_kernels_avx512_pack(am_kernels *k);
void am_kernels_avx512_scaled(am_kernels *k);
void am_kernels_avx512vnni_q32(am_kernels *k);
void am_kernels_avx512vnni_q256(am_kernels *k);

#endif
