/* SPDX-License-Identifier: Apache-2.0 */
/* AVX-512 VNNI: the 32-element types. Four blocks of a row become two vectors of unsigned bytes in
 * the order of am_x8_group; VPDPBUSD gives 16 words, four of each block, which take one scaling.
 * What was added to make weights unsigned is taken off again in integers. */
#include "kernels/blocks.h"
#include "kernels/kernels.h"
#include "kernels/x86/tiles.h"
#include "kernels/x86/vec512.h"

/* Four blocks: low and high halves of the elements, scale and minimum of each lane's block. */
typedef struct blocks {
  __m512i low, high;
  __m512 d, m;
} blocks;

typedef enum kind { Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 } kind;

/* Lane -> word p of block b, for words p = 0..3; index b * STRIDE + p + START. */
#define LANES(stride, start)                                                                                 \
  _mm512_add_epi32(                                                                                          \
      _mm512_add_epi32(_mm512_mullo_epi32(_mm512_setr_epi32(0, 1, 0, 1, 2, 3, 2, 3, 0, 1, 0, 1, 2, 3, 2, 3), \
                                          _mm512_set1_epi32(stride)),                                        \
                       _mm512_setr_epi32(0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3, 2, 2, 3, 3)),                   \
      _mm512_set1_epi32(start))

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
AM_INLINE __m512 scales(const uint8_t *p, size_t stride) {
  uint64_t four =
      load16(p) | load16(p + stride) << 16 | load16(p + 2 * stride) << 32 | load16(p + 3 * stride) << 48;
  __m128 d = _mm_cvtph_ps(_mm_cvtsi64_si128((long long)four));
  const __m512i lanes = _mm512_setr_epi32(0, 1, 0, 1, 2, 3, 2, 3, 0, 1, 0, 1, 2, 3, 2, 3);
  return _mm512_permutexvar_ps(lanes, _mm512_castps128_ps512(d));
}

AM_INLINE void nibbles(blocks *b, __m512i qs) {
  const __m512i mask = _mm512_set1_epi8(15);
  b->low = _mm512_and_si512(qs, mask);
  b->high = _mm512_and_si512(_mm512_srli_epi16(qs, 4), mask);
}

/* qh: in each lane the 32 fifth bits of its block; adds 16 where an element's bit is set. */
AM_INLINE void fifth_bits(blocks *b, __m512i qh) {
  const __m512i byte_low =
      _mm512_set_epi64(0x0D0D0D0D09090909, 0x0505050501010101, 0x0D0D0D0D09090909, 0x0505050501010101,
                       0x0C0C0C0C08080808, 0x0404040400000000, 0x0C0C0C0C08080808, 0x0404040400000000);
  const __m512i byte_high = _mm512_add_epi8(byte_low, _mm512_set1_epi8(2));
  const __m512i bit = _mm512_set4_epi32((int)0x80402010, (int)0x80402010, 0x08040201, 0x08040201);
  const __m512i sixteen = _mm512_set1_epi8(16);
  __mmask64 low = _mm512_test_epi8_mask(_mm512_shuffle_epi8(qh, byte_low), bit);
  __mmask64 high = _mm512_test_epi8_mask(_mm512_shuffle_epi8(qh, byte_high), bit);
  b->low = _mm512_mask_add_epi8(b->low, low, b->low, sixteen);
  b->high = _mm512_mask_add_epi8(b->high, high, b->high, sixteen);
}

/* Four 16-byte pieces at p, p + stride, ... in the order of the lanes. */
AM_INLINE __m512i pieces(const uint8_t *p, size_t stride) {
  __m256i a = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const void *)p)),
                                      _mm_loadu_si128((const void *)(p + stride)), 1);
  __m256i b = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const void *)(p + 2 * stride))),
                                      _mm_loadu_si128((const void *)(p + 3 * stride)), 1);
  return _mm512_permutexvar_epi32(LANES(4, 0), _mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1));
}

AM_INLINE blocks load_q4_0(const uint8_t *w) {
  blocks b = {.d = scales(w, sizeof(am_block_q4_0))};
  nibbles(&b, pieces(w + 2, sizeof(am_block_q4_0)));
  return b;
}

AM_INLINE blocks load_q4_1(const uint8_t *w) { /* blocks of 5 words: dm, qs[4] */
  blocks b;
  __m512i front = _mm512_loadu_si512(w);
  __m512i back = _mm512_castsi128_si512(_mm_loadu_si128((const void *)(w + 64)));
  const __m512i dm_words = _mm512_setr_epi32(0, 5, 10, 15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  __m128i dm = _mm512_castsi512_si128(_mm512_permutexvar_epi32(dm_words, front));
  __m512 both = _mm512_castps256_ps512(_mm256_cvtph_ps(dm)); /* d0 m0 d1 m1 d2 m2 d3 m3 */
  const __m512i d_lanes = _mm512_setr_epi32(0, 2, 0, 2, 4, 6, 4, 6, 0, 2, 0, 2, 4, 6, 4, 6);
  b.d = _mm512_permutexvar_ps(d_lanes, both);
  b.m = _mm512_permutexvar_ps(_mm512_add_epi32(d_lanes, _mm512_set1_epi32(1)), both);
  nibbles(&b, _mm512_permutex2var_epi32(front, LANES(5, 1), back));
  return b;
}

AM_INLINE blocks load_q5_0(const uint8_t *w) {
  enum { SIZE = sizeof(am_block_q5_0) };
  blocks b = {.d = scales(w, SIZE)};
  __m128i qh =
      _mm_setr_epi32(load32(w + 2), load32(w + SIZE + 2), load32(w + 2 * SIZE + 2), load32(w + 3 * SIZE + 2));
  const __m512i lanes = _mm512_setr_epi32(0, 1, 0, 1, 2, 3, 2, 3, 0, 1, 0, 1, 2, 3, 2, 3);
  nibbles(&b, pieces(w + 6, SIZE));
  fifth_bits(&b, _mm512_permutexvar_epi32(lanes, _mm512_castsi128_si512(qh)));
  return b;
}

AM_INLINE blocks load_q5_1(const uint8_t *w) { /* blocks of 6 words: dm, qh, qs[4] */
  blocks b = {.d = scales(w, sizeof(am_block_q5_1)), .m = scales(w + 2, sizeof(am_block_q5_1))};
  __m512i front = _mm512_loadu_si512(w);
  __m512i back = _mm512_castsi256_si512(_mm256_loadu_si256((const void *)(w + 64)));
  const __m512i qh_lanes = _mm512_setr_epi32(1, 7, 1, 7, 13, 19, 13, 19, 1, 7, 1, 7, 13, 19, 13, 19);
  nibbles(&b, _mm512_permutex2var_epi32(front, LANES(6, 2), back));
  fifth_bits(&b, _mm512_permutex2var_epi32(front, qh_lanes, back));
  return b;
}

AM_INLINE blocks load_q8_0(const uint8_t *w) {
  enum { SIZE = sizeof(am_block_q8_0) };
  blocks b = {.d = scales(w, SIZE)};
  const __m512i top = _mm512_set1_epi8((char)0x80);
  b.low = _mm512_xor_si512(pieces(w + 2, SIZE), top);
  b.high = _mm512_xor_si512(pieces(w + 18, SIZE), top);
  return b;
}

AM_INLINE blocks load(kind k, const uint8_t *w) {
  switch (k) {
    case Q4_0:
      return load_q4_0(w);
    case Q4_1:
      return load_q4_1(w);
    case Q5_0:
      return load_q5_0(w);
    case Q5_1:
      return load_q5_1(w);
    default:
      return load_q8_0(w);
  }
}

AM_INLINE size_t block_bytes(kind k) {
  static const uint8_t bytes[] = {sizeof(am_block_q4_0), sizeof(am_block_q4_1), sizeof(am_block_q5_0),
                                  sizeof(am_block_q5_1), sizeof(am_block_q8_0)};
  return bytes[k];
}
AM_INLINE int offset_of(kind k) { return k == Q4_0 ? 8 : k == Q5_0 ? 16 : k == Q8_0 ? 128 : 0; }

/* One group of four blocks for R rows and T tokens; a row's last group may have n_blocks < 4 of its
 * own, and after them what need not be numbers. */
AM_INLINE void step(__m512 sums[4][4], const uint8_t *const w[4], const am_x8_group *x, size_t x_stride,
                    size_t n_blocks, const int R, const int T, kind k) {
  static const __mmask16 lanes_of[4] = {0, 0x0505, 0x0F0F, 0x5F5F};
  __m512i start[4];
  AM_UNROLL for (int t = 0; t < T; t++) {
    const am_x8_group *g = (const void *)((const uint8_t *)x + t * x_stride);
    start[t] = _mm512_setzero_si512();
    if (offset_of(k) == 0) continue;
    const __m512i offset = _mm512_set1_epi8((char)offset_of(k));
    __m512i sum = _mm512_dpbusd_epi32(start[t], offset, _mm512_load_si512(g->q));
    start[t] = _mm512_sub_epi32(start[t], _mm512_dpbusd_epi32(sum, offset, _mm512_load_si512(g->q + 64)));
  }
  AM_UNROLL for (int r = 0; r < R; r++) {
    blocks b = load(k, w[r]);
    if (n_blocks < 4) {
      b.d = _mm512_maskz_mov_ps(lanes_of[n_blocks], b.d);
      b.m = _mm512_maskz_mov_ps(lanes_of[n_blocks], b.m);
    }
    AM_UNROLL for (int t = 0; t < T; t++) {
      const am_x8_group *g = (const void *)((const uint8_t *)x + t * x_stride);
      __m512i dot = _mm512_dpbusd_epi32(start[t], b.low, _mm512_load_si512(g->q));
      dot = _mm512_dpbusd_epi32(dot, b.high, _mm512_load_si512(g->q + 64));
      __m512 d = _mm512_mul_ps(b.d, _mm512_broadcast_f32x8(_mm256_load_ps(g->d)));
      sums[r][t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), d, sums[r][t]);
      if (k == Q4_1 || k == Q5_1)
        sums[r][t] = _mm512_fmadd_ps(b.m, _mm512_zextps256_ps512(_mm256_load_ps(g->s)), sums[r][t]);
    }
  }
}

AM_INLINE void tile(const am_matmul *m, uint32_t row, uint32_t token, const int R, const int T, kind k) {
  const uint8_t *rows = (const uint8_t *)m->w + row * m->w_stride, *w[4];
  const am_x8_group *x = (const void *)((const uint8_t *)m->x + token * m->x_stride);
  size_t n_blocks = m->n_in / 32, group_bytes = 4 * block_bytes(k);
  __m512 sums[4][4];
  AM_UNROLL for (int r = 0; r < R; r++) AM_UNROLL for (int t = 0; t < T; t++) sums[r][t] =
      _mm512_setzero_ps();
  for (size_t g = 0; g < n_blocks / 4; g++) {
    AM_UNROLL for (int r = 0; r < R; r++) w[r] = rows + r * m->w_stride + g * group_bytes;
    if (T == 1) am_prefetch(rows + AM_PREFETCH_ROWS * m->w_stride + g * R * group_bytes, R * group_bytes);
    step(sums, w, x + g, m->x_stride, 4, R, T, k);
  }
  if (n_blocks % 4) {
    uint8_t last[4][4 * sizeof(am_block_q8_0)];
    size_t g = n_blocks / 4, bytes = n_blocks % 4 * block_bytes(k);
    bool is_end = n_blocks < 4 || row + (uint32_t)R >= m->n_rows; /* else the next row can be read */
    AM_UNROLL for (int r = 0; r < R; r++) {
      w[r] = rows + r * m->w_stride + g * group_bytes;
      if (!is_end) continue;
      memcpy(last[r], w[r], bytes);
      memset(last[r] + bytes, 0, sizeof last[r] - bytes);
      w[r] = last[r];
    }
    step(sums, w, x + g, m->x_stride, n_blocks % 4, R, T, k);
  }
  AM_UNROLL for (int t = 0; t < T; t++) {
    float *out = m->out + (token + (uint32_t)t) * m->out_stride + row;
    if (R == 4)
      _mm_storeu_ps(out, vec512_sum4(sums[0][t], sums[1][t], sums[2][t], sums[3][t]));
    else
      *out = vec512_sum(sums[0][t]);
  }
}

#define Q4_0_TILE(m, r, t, R, T) tile(m, r, t, R, T, Q4_0)
#define Q4_1_TILE(m, r, t, R, T) tile(m, r, t, R, T, Q4_1)
#define Q5_0_TILE(m, r, t, R, T) tile(m, r, t, R, T, Q5_0)
#define Q5_1_TILE(m, r, t, R, T) tile(m, r, t, R, T, Q5_1)
#define Q8_0_TILE(m, r, t, R, T) tile(m, r, t, R, T, Q8_0)
AM_TILES(matmul_q4_0, Q4_0_TILE, 4, 4, 4)
AM_TILES(matmul_q4_1, Q4_1_TILE, 4, 4, 4)
AM_TILES(matmul_q5_0, Q5_0_TILE, 4, 4, 4)
AM_TILES(matmul_q5_1, Q5_1_TILE, 4, 4, 4)
AM_TILES(matmul_q8_0, Q8_0_TILE, 4, 4, 4)

void am_kernels_avx512vnni_q32(am_kernels *k) {
  k->matmul[AM_DTYPE_Q4_0] = matmul_q4_0;
  k->matmul[AM_DTYPE_Q4_1] = matmul_q4_1;
  k->matmul[AM_DTYPE_Q5_0] = matmul_q5_0;
  k->matmul[AM_DTYPE_Q5_1] = matmul_q5_1;
  k->matmul[AM_DTYPE_Q8_0] = matmul_q8_0;
}
