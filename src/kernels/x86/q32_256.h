/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/q32_256: the 32-element types in 256-bit vectors; included by a file of each tier
 * that defines AM_FILL and, where there is VPDPBUSD, AM_VNNI. Four blocks of a row become four
 * vectors of unsigned bytes in the order of am_x8_group; their dot products meet in 8 words, two of
 * each block, which take one scaling. What was added to make weights unsigned is taken off again in
 * integers. Without VNNI, VPMADDUBSW's 16-bit sums hold four products of 31 * 127 twice; Q8_0's
 * would not fit, so it multiplies magnitudes with signed activations, and so do the types with a table. */
#include "kernels/blocks.h"
#include "kernels/kernels.h"
#include "kernels/x86/tiles.h"
#include "kernels/x86/vec256.h"

/* Words 0..3 of the blocks in q[0], q[1], words 4..7 in q[2], q[3]; scale and minimum of each lane's block.
 */
typedef struct blocks {
  __m256i q[4];
  __m256 d, m;
} blocks;

typedef enum kind { Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, IQ4_NL, MXFP4, IQ4_XS } kind; /* from Q8_0 on: signed */

AM_INLINE __m256i block_lanes(void) { return _mm256_setr_epi32(0, 1, 0, 1, 2, 3, 2, 3); }

AM_INLINE uint64_t load16(const uint8_t *p) {
  uint16_t v;
  memcpy(&v, p, sizeof v);
  return v;
}
AM_INLINE int load32(const uint8_t *p) {
  int v;
  memcpy(&v, p, sizeof v);
  return v;
}

/* binary16 at p, p + stride, ...: each in the lanes of its block. */
AM_INLINE __m256 scales(const uint8_t *p, size_t stride) {
  uint64_t four =
      load16(p) | load16(p + stride) << 16 | load16(p + 2 * stride) << 32 | load16(p + 3 * stride) << 48;
  __m128 d = _mm_cvtph_ps(_mm_cvtsi64_si128((long long)four));
  return _mm256_permutevar8x32_ps(_mm256_castps128_ps256(d), block_lanes());
}

/* Four scales, each in the lanes of its block. */
AM_INLINE __m256 spread(float a, float b, float c, float d) {
  return _mm256_permutevar8x32_ps(_mm256_castps128_ps256(_mm_setr_ps(a, b, c, d)), block_lanes());
}

AM_INLINE __m256 mxfp4_scales(const uint8_t *w) {
  enum { SIZE = sizeof(am_block_mxfp4) };
  return spread(am_mxfp4_scale(w[0]), am_mxfp4_scale(w[SIZE]), am_mxfp4_scale(w[2 * SIZE]),
                am_mxfp4_scale(w[3 * SIZE]));
}

/* w: a block of 256; the scales of four parts from `part` on. */
AM_INLINE __m256 iq4_xs_scales(const uint8_t *w, int part) {
  const am_block_iq4_xs *b = (const void *)w;
  float d = _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(b->d)));
  return spread(d * (float)am_iq4_xs_scale(b, part), d * (float)am_iq4_xs_scale(b, part + 1),
                d * (float)am_iq4_xs_scale(b, part + 2), d * (float)am_iq4_xs_scale(b, part + 3));
}

/* Four 16-byte pieces at p, p + stride, ...: words 0, 1 and words 2, 3 in the order of the lanes. */
AM_INLINE void pieces(const uint8_t *p, size_t stride, __m256i *first, __m256i *second) {
  __m256i even = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const void *)p)),
                                         _mm_loadu_si128((const void *)(p + 2 * stride)), 1);
  __m256i odd = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const void *)(p + stride))),
                                        _mm_loadu_si128((const void *)(p + 3 * stride)), 1);
  *first = _mm256_unpacklo_epi32(even, odd);
  *second = _mm256_unpackhi_epi32(even, odd);
}

AM_INLINE void nibbles(blocks *b, const uint8_t *p, size_t stride) {
  const __m256i mask = _mm256_set1_epi8(15);
  __m256i first, second;
  pieces(p, stride, &first, &second);
  b->q[0] = _mm256_and_si256(first, mask);
  b->q[1] = _mm256_and_si256(second, mask);
  b->q[2] = _mm256_and_si256(_mm256_srli_epi16(first, 4), mask);
  b->q[3] = _mm256_and_si256(_mm256_srli_epi16(second, 4), mask);
}

/* p: the 32 fifth bits of a block; adds 16 where an element's bit is set. */
AM_INLINE void fifth_bits(blocks *b, const uint8_t *p, size_t stride) {
  __m128i qh = _mm_setr_epi32(load32(p), load32(p + stride), load32(p + 2 * stride), load32(p + 3 * stride));
  __m256i lanes = _mm256_permutevar8x32_epi32(_mm256_castsi128_si256(qh), block_lanes());
  const __m256i byte =
      _mm256_setr_epi32(0, 0x04040404, 0x08080808, 0x0C0C0C0C, 0, 0x04040404, 0x08080808, 0x0C0C0C0C);
  const __m256i bit = _mm256_setr_epi32(0x08040201, 0x08040201, (int)0x80402010, (int)0x80402010, 0x08040201,
                                        0x08040201, (int)0x80402010, (int)0x80402010);
  AM_UNROLL for (int i = 0; i < 4; i++) {
    __m256i v = _mm256_shuffle_epi8(lanes, _mm256_add_epi8(byte, _mm256_set1_epi8((char)i)));
    v = _mm256_cmpeq_epi8(_mm256_and_si256(v, bit), bit);
    b->q[i] = _mm256_or_si256(b->q[i], _mm256_and_si256(v, _mm256_set1_epi8(16)));
  }
}

/* Codes of 4 bits become values of a table. */
AM_INLINE void look_up(blocks *b, const int8_t table[16]) {
  __m256i values = _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)table));
  AM_UNROLL for (int i = 0; i < 4; i++) b->q[i] = _mm256_shuffle_epi8(values, b->q[i]);
}

/* Signed bytes, as VPDPBUSD wants its first factor. */
AM_INLINE void make_unsigned(blocks *b) {
#ifdef AM_VNNI
  AM_UNROLL for (int i = 0; i < 4; i++) b->q[i] = _mm256_xor_si256(b->q[i], _mm256_set1_epi8((char)0x80));
#else
  (void)b;
#endif
}

/* half: which four parts of a block of 256. */
AM_INLINE blocks load(kind k, const uint8_t *w, int half) {
  blocks b;
  b.m = _mm256_setzero_ps();
  switch (k) {
    case Q4_0:
      b.d = scales(w, sizeof(am_block_q4_0));
      nibbles(&b, w + 2, sizeof(am_block_q4_0));
      break;
    case Q4_1:
      b.d = scales(w, sizeof(am_block_q4_1));
      b.m = scales(w + 2, sizeof(am_block_q4_1));
      nibbles(&b, w + 4, sizeof(am_block_q4_1));
      break;
    case Q5_0:
      b.d = scales(w, sizeof(am_block_q5_0));
      nibbles(&b, w + 6, sizeof(am_block_q5_0));
      fifth_bits(&b, w + 2, sizeof(am_block_q5_0));
      break;
    case Q5_1:
      b.d = scales(w, sizeof(am_block_q5_1));
      b.m = scales(w + 2, sizeof(am_block_q5_1));
      nibbles(&b, w + 8, sizeof(am_block_q5_1));
      fifth_bits(&b, w + 4, sizeof(am_block_q5_1));
      break;
    case Q8_0:
      b.d = scales(w, sizeof(am_block_q8_0));
      pieces(w + 2, sizeof(am_block_q8_0), &b.q[0], &b.q[1]);
      pieces(w + 18, sizeof(am_block_q8_0), &b.q[2], &b.q[3]);
      make_unsigned(&b);
      break;
    case IQ4_NL:
      b.d = scales(w, sizeof(am_block_iq4_nl));
      nibbles(&b, w + 2, sizeof(am_block_iq4_nl));
      look_up(&b, am_iq4_values);
      make_unsigned(&b);
      break;
    case MXFP4:
      b.d = mxfp4_scales(w);
      nibbles(&b, w + 1, sizeof(am_block_mxfp4));
      look_up(&b, am_e2m1_values);
      make_unsigned(&b);
      break;
    case IQ4_XS:
      b.d = iq4_xs_scales(w, 4 * half);
      nibbles(&b, w + 8 + 64 * half, 16);
      look_up(&b, am_iq4_values);
      make_unsigned(&b);
      break;
  }
  return b;
}

AM_INLINE size_t block_bytes(kind k) {
  static const uint8_t bytes[] = {sizeof(am_block_q4_0), sizeof(am_block_q4_1), sizeof(am_block_q5_0),
                                  sizeof(am_block_q5_1), sizeof(am_block_q8_0), sizeof(am_block_iq4_nl),
                                  sizeof(am_block_mxfp4)};
  return bytes[k];
}

/* Where group g of four blocks begins; of IQ4_XS, the block of 256 that has it. */
AM_INLINE size_t group_at(kind k, size_t g) {
  return k == IQ4_XS ? g / 2 * sizeof(am_block_iq4_xs) : g * 4 * block_bytes(k);
}

AM_INLINE __m256i x_part(const am_x8_group *g, int i) {
  return _mm256_load_si256((const __m256i *)(const void *)g->q + i);
}

#ifdef AM_VNNI
AM_INLINE int offset_of(kind k) { return k == Q4_0 ? 8 : k == Q5_0 ? 16 : k >= Q8_0 ? 128 : 0; }

AM_INLINE __m256i dot(kind k, const __m256i q[4], const am_x8_group *g) {
  (void)k;
  __m256i a = _mm256_dpbusd_avx_epi32(_mm256_setzero_si256(), q[0], x_part(g, 0));
  __m256i b = _mm256_dpbusd_avx_epi32(_mm256_setzero_si256(), q[2], x_part(g, 2));
  a = _mm256_dpbusd_avx_epi32(a, q[1], x_part(g, 1));
  b = _mm256_dpbusd_avx_epi32(b, q[3], x_part(g, 3));
  return _mm256_add_epi32(a, b);
}
#else
AM_INLINE int offset_of(kind k) { return k == Q4_0 ? 8 : k == Q5_0 ? 16 : 0; }

AM_INLINE __m256i dot(kind k, const __m256i q[4], const am_x8_group *g) {
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i sum = _mm256_setzero_si256();
  if (k >= Q8_0) {
    AM_UNROLL for (int i = 0; i < 4; i++) {
      __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(q[i]), _mm256_sign_epi8(x_part(g, i), q[i]));
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, ones));
    }
    return sum;
  }
  AM_UNROLL for (int i = 0; i < 4; i++) sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(q[i], x_part(g, i)));
  return _mm256_madd_epi16(sum, ones);
}
#endif

/* One group of four blocks for R rows and T tokens; a row's last group may have n_blocks < 4 of its
 * own, and after them what need not be numbers. */
AM_INLINE void step(__m256 sums[4][4], const uint8_t *const w[4], const am_x8_group *x, size_t x_stride,
                    size_t n_blocks, int half, const int R, const int T, kind k) {
  __m256i excess[4];
  AM_UNROLL for (int t = 0; t < T; t++) {
    if (offset_of(k) == 0) continue;
    const __m256i one = _mm256_set1_epi8((char)offset_of(k)), offsets[4] = {one, one, one, one};
    excess[t] = dot(k, offsets, (const void *)((const uint8_t *)x + t * x_stride));
  }
  AM_UNROLL for (int r = 0; r < R; r++) {
    blocks b = load(k, w[r], half);
    if (n_blocks < 4) {
      __m256i mine = _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n_blocks), block_lanes());
      b.d = _mm256_and_ps(b.d, _mm256_castsi256_ps(mine));
      b.m = _mm256_and_ps(b.m, _mm256_castsi256_ps(mine));
    }
    AM_UNROLL for (int t = 0; t < T; t++) {
      const am_x8_group *g = (const void *)((const uint8_t *)x + t * x_stride);
      __m256i sum = dot(k, b.q, g);
      if (offset_of(k) != 0) sum = _mm256_sub_epi32(sum, excess[t]);
      sums[r][t] =
          _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), _mm256_mul_ps(b.d, _mm256_load_ps(g->d)), sums[r][t]);
      if (k == Q4_1 || k == Q5_1) sums[r][t] = _mm256_fmadd_ps(b.m, _mm256_load_ps(g->s), sums[r][t]);
    }
  }
}

AM_INLINE void tile(const am_matmul *m, uint32_t row, uint32_t token, const int R, const int T, kind k) {
  const uint8_t *rows = (const uint8_t *)m->w + row * m->w_stride, *w[4];
  const am_x8_group *x = (const void *)((const uint8_t *)m->x + token * m->x_stride);
  size_t n_blocks = m->n_in / 32;
  __m256 sums[4][4];
  AM_UNROLL for (int r = 0; r < R; r++) AM_UNROLL for (int t = 0; t < T; t++) sums[r][t] =
      _mm256_setzero_ps();
  for (size_t g = 0; g < n_blocks / 4; g++) {
    AM_UNROLL for (int r = 0; r < R; r++) w[r] = rows + r * m->w_stride + group_at(k, g);
    if (T == 1)
      am_prefetch(rows + AM_PREFETCH_ROWS * m->w_stride + R * group_at(k, g),
                  R * (k == IQ4_XS ? sizeof(am_block_iq4_xs) / 2 : 4 * block_bytes(k)));
    step(sums, w, x + g, m->x_stride, 4, (int)(g % 2), R, T, k);
  }
  if (k != IQ4_XS && n_blocks % 4) {
    uint8_t last[4][4 * sizeof(am_block_q8_0)];
    size_t g = n_blocks / 4, bytes = n_blocks % 4 * block_bytes(k);
    bool is_end = n_blocks < 4 || row + (uint32_t)R >= m->n_rows; /* else the next row can be read */
    AM_UNROLL for (int r = 0; r < R; r++) {
      w[r] = rows + r * m->w_stride + group_at(k, g);
      if (!is_end) continue;
      memcpy(last[r], w[r], bytes);
      memset(last[r] + bytes, 0, sizeof last[r] - bytes);
      w[r] = last[r];
    }
    step(sums, w, x + g, m->x_stride, n_blocks % 4, 0, R, T, k);
  }
  AM_UNROLL for (int t = 0; t < T; t++) {
    float *out = m->out + (token + (uint32_t)t) * m->out_stride + row;
    if (R == 4)
      _mm_storeu_ps(out, vec256_sum4(sums[0][t], sums[1][t], sums[2][t], sums[3][t]));
    else
      AM_UNROLL for (int r = 0; r < R; r++) out[r] = vec256_sum(sums[r][t]);
  }
}

#define Q4_0_TILE(m, r, t, R, T) tile(m, r, t, R, T, Q4_0)
#define Q4_1_TILE(m, r, t, R, T) tile(m, r, t, R, T, Q4_1)
#define Q5_0_TILE(m, r, t, R, T) tile(m, r, t, R, T, Q5_0)
#define Q5_1_TILE(m, r, t, R, T) tile(m, r, t, R, T, Q5_1)
#define Q8_0_TILE(m, r, t, R, T) tile(m, r, t, R, T, Q8_0)
#define IQ4_NL_TILE(m, r, t, R, T) tile(m, r, t, R, T, IQ4_NL)
#define MXFP4_TILE(m, r, t, R, T) tile(m, r, t, R, T, MXFP4)
#define IQ4_XS_TILE(m, r, t, R, T) tile(m, r, t, R, T, IQ4_XS)
AM_TILES(matmul_q4_0, Q4_0_TILE, 2, 4, 4)
AM_TILES(matmul_q4_1, Q4_1_TILE, 2, 4, 4)
AM_TILES(matmul_q5_0, Q5_0_TILE, 2, 4, 4)
AM_TILES(matmul_q5_1, Q5_1_TILE, 2, 4, 4)
AM_TILES(matmul_q8_0, Q8_0_TILE, 2, 4, 4)
AM_TILES(matmul_iq4_nl, IQ4_NL_TILE, 2, 4, 4)
AM_TILES(matmul_mxfp4, MXFP4_TILE, 2, 4, 4)
AM_TILES(matmul_iq4_xs, IQ4_XS_TILE, 2, 4, 4)

void AM_FILL(am_kernels *k) {
  k->matmul[AM_DTYPE_Q4_0] = matmul_q4_0;
  k->matmul[AM_DTYPE_Q4_1] = matmul_q4_1;
  k->matmul[AM_DTYPE_Q5_0] = matmul_q5_0;
  k->matmul[AM_DTYPE_Q5_1] = matmul_q5_1;
  k->matmul[AM_DTYPE_Q8_0] = matmul_q8_0;
  k->matmul[AM_DTYPE_IQ4_NL] = matmul_iq4_nl;
  k->matmul[AM_DTYPE_MXFP4] = matmul_mxfp4;
  k->matmul[AM_DTYPE_IQ4_XS] = matmul_iq4_xs;
}
