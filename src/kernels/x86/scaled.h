/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/scaled: rows whose codes, scales and zeros stand apart (tensor/scaled.h), times float32
 * activations; included by a file of each tier, which defines AM_FILL, AM_ROWS (rows of a tile), the vector
 * type `vec` of LANES floats with vec_zero, vec_set, vec_load, vec_fmadd, vec_sub, vec_mul, vec_sum, and
 * - vec_gather(p, groups): p[groups[0]], p[groups[1]], ...
 * - picks, picks_make(p, n): n <= MOST_PICKS floats kept in registers; vec_pick(picks, groups)
 * - lookup, lookup_make(table of 16 floats, zero, scale): (value - zero) * scale of each
 * - vec_lookup(lookup, codes): table[code] of LANES codes, a byte each
 * - split_lookup(lookup, codes, out): UNIT codes of 4 bits, low and high nibbles apart
 * - split_x(x, high_first, out): UNIT activations in that order
 * - widen_u8, widen_i8(p): LANES values from bytes at p
 * - widen_f8(p, out): 2 LANES values of E4M3, divided by 256
 * Within a group the table of a 4-bit type has zero and scale applied, so one lookup gives a weight; 8-bit
 * types scale a group's sum. A row's elements are added in one order, whatever is computed beside it. */
#include "kernels/c/scaled.h"
#include "kernels/kernels.h"
#include "kernels/x86/tiles.h"
#include <string.h>

enum { UNIT = 32 }; /* columns that are decoded together */

typedef enum kind { U4, T4, I8, F8 } kind;

AM_INLINE am_dtype dtype_of(kind k) {
  return k == U4   ? AM_DTYPE_SCALED_U4
         : k == T4 ? AM_DTYPE_SCALED_T4
         : k == I8 ? AM_DTYPE_SCALED_I8
                   : AM_DTYPE_SCALED_F8;
}

/* One row within one group. */
typedef struct part {
  lookup table; /* U4, T4: weights; with a column map: values */
  float scale;  /* I8, F8: of the group's sum */
  vec zero;     /* I8 */
} part;

AM_INLINE part part_of(kind k, const am_scaled_row *row, uint32_t group) {
  static const float codes[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  part p;
  float scale = row->scales[group], zero = row->zeros ? row->zeros[group] : row->layout->zero;
  if (k == U4 || k == T4)
    p.table = lookup_make(k == U4 ? codes : row->layout->table, vec_set(zero), vec_set(scale));
  p.scale = k == F8 ? scale * 256.0f : scale;
  p.zero = vec_set(zero);
  return p;
}

AM_INLINE const float *x_of(const am_matmul *m, uint32_t token, size_t i) {
  return (const float *)(const void *)((const uint8_t *)m->x + token * m->x_stride) + i;
}

enum { VECTORS = UNIT / LANES };

/* UNIT activations in the order of unit_weights. */
AM_INLINE void unit_x(kind k, const float *x, bool high_first, vec out[VECTORS]) {
  if (k == U4 || k == T4)
    split_x(x, high_first, out);
  else
    AM_UNROLL for (int v = 0; v < VECTORS; v++) out[v] = vec_load(x + v * LANES);
}

/* UNIT weights from column i on; of I8 and F8 without the group's scale. */
AM_INLINE void unit_weights(kind k, const am_scaled_row *row, const part *p, size_t i, vec out[VECTORS]) {
  if (k == U4 || k == T4) {
    split_lookup(p->table, row->codes + i / 2, out);
    return;
  }
  if (k == F8)
    AM_UNROLL for (int v = 0; v < VECTORS; v += 2) widen_f8(row->codes + i + v * LANES, &out[v]);
  else
    AM_UNROLL for (int v = 0; v < VECTORS; v++) out[v] =
        vec_sub(widen_i8(row->codes + i + v * LANES), p->zero);
}

/* Codes of columns [i, i + UNIT) to bytes; 4-bit ones one to a byte. */
AM_INLINE const uint8_t *unit_codes(kind k, const am_scaled_row *row, size_t i, uint8_t bytes[UNIT]) {
  if (k == I8 || k == F8) return row->codes + i;
  __m128i b = _mm_loadu_si128((const void *)(row->codes + i / 2)), mask = _mm_set1_epi8(15);
  __m128i low = _mm_and_si128(b, mask), high = _mm_and_si128(_mm_srli_epi16(b, 4), mask);
  if (row->layout->high_first) {
    __m128i other = low;
    low = high;
    high = other;
  }
  _mm_store_si128((void *)bytes, _mm_unpacklo_epi8(low, high));
  _mm_store_si128((void *)(bytes + 16), _mm_unpackhi_epi8(low, high));
  return bytes;
}

/* Scales and zeros by the group of each column. */
typedef struct by_group {
  picks scales, zeros; /* where there are few groups */
  bool few;
} by_group;

AM_INLINE by_group by_group_of(const am_scaled_row *row) {
  by_group g = {.few = row->layout->n_groups <= MOST_PICKS};
  if (g.few) {
    g.scales = picks_make(row->scales, row->layout->n_groups);
    g.zeros = picks_make(row->zeros ? row->zeros : row->scales, row->layout->n_groups);
  }
  return g;
}

/* LANES weights of a row with a map. f8: values of F8, divided by 256. */
AM_INLINE vec mapped_weights(kind k, const am_scaled_row *row, const by_group *g, lookup table,
                             const uint8_t *codes, vec f8, size_t i) {
  const uint32_t *groups = row->layout->group_of + i;
  vec scale = g->few ? vec_pick(g->scales, groups) : vec_gather(row->scales, groups), value = f8, zero;
  if (k == T4) value = vec_lookup(table, codes);
  if (k == U4) value = widen_u8(codes);
  if (k == I8) value = widen_i8(codes);
  if (k == F8) return vec_mul(vec_mul(value, vec_set(256.0f)), scale);
  if (k == T4) return vec_mul(value, scale);
  if (!row->zeros)
    zero = vec_set(row->layout->zero);
  else
    zero = g->few ? vec_pick(g->zeros, groups) : vec_gather(row->zeros, groups);
  return vec_mul(vec_sub(value, zero), scale);
}

/* The columns past the last whole unit, filled up with zeros. */
AM_INLINE void tile_tail(const am_matmul *m, const am_scaled_row *const *rows, uint32_t token, size_t i,
                         vec sums[4][4], const int R, const int T, kind k) {
  float w[UNIT], x[UNIT];
  size_t n = m->n_in - i;
  AM_UNROLL for (int r = 0; r < R; r++) {
    memset(w, 0, sizeof w);
    for (size_t j = 0; j < n; j++) w[j] = scaled_element(dtype_of(k), rows[r], i + j);
    AM_UNROLL for (int t = 0; t < T; t++) {
      memset(x, 0, sizeof x);
      memcpy(x, x_of(m, token + (uint32_t)t, i), n * sizeof *x);
      for (int v = 0; v < UNIT; v += LANES)
        sums[r][t] = vec_fmadd(vec_load(w + v), vec_load(x + v), sums[r][t]);
    }
  }
}

/* One group's columns [begin, end), added to sums. */
AM_INLINE void tile_group(const am_matmul *m, const am_scaled_row *const *rows, uint32_t group,
                          uint32_t token, size_t begin, size_t end, vec sums[4][4], const int R, const int T,
                          kind k) {
  const bool late = k == I8 || k == F8; /* the scale comes after the sum */
  const bool high_first = rows[0]->layout->high_first;
  part parts[4];
  vec own[4][4];
  AM_UNROLL for (int r = 0; r < R; r++) {
    parts[r] = part_of(k, rows[r], group);
    AM_UNROLL for (int t = 0; t < T; t++) own[r][t] = late ? vec_zero() : sums[r][t];
  }
  for (size_t i = begin; i < end; i += UNIT) {
    vec x[4][VECTORS], w[VECTORS];
    AM_UNROLL for (int t = 0; t < T; t++) unit_x(k, x_of(m, token + (uint32_t)t, i), high_first, x[t]);
    AM_UNROLL for (int r = 0; r < R; r++) {
      if (T == 1) __builtin_prefetch(rows[r]->codes + (late ? i : i / 2) + AM_PREFETCH_BYTES, 0, 2);
      unit_weights(k, rows[r], &parts[r], i, w);
      AM_UNROLL for (int t = 0; t < T; t++) AM_UNROLL for (int v = 0; v < VECTORS; v++) own[r][t] =
          vec_fmadd(w[v], x[t][v], own[r][t]);
    }
  }
  AM_UNROLL for (int r = 0; r < R; r++) AM_UNROLL for (int t = 0; t < T; t++) sums[r][t] =
      late ? vec_fmadd(own[r][t], vec_set(parts[r].scale), sums[r][t]) : own[r][t];
}

/* The first `whole` columns, a multiple of UNIT, of rows with a map. */
AM_INLINE void tile_mapped(const am_matmul *m, const am_scaled_row *const *rows, uint32_t token, size_t whole,
                           vec sums[4][4], const int R, const int T, kind k) {
  _Alignas(16) uint8_t bytes[UNIT];
  lookup table = lookup_make(rows[0]->layout->table, vec_zero(), vec_set(1.0f));
  by_group groups[4];
  AM_UNROLL for (int r = 0; r < R; r++) groups[r] = by_group_of(rows[r]);
  for (size_t i = 0; i < whole; i += UNIT) AM_UNROLL for (int r = 0; r < R; r++) {
      const uint8_t *codes = unit_codes(k, rows[r], i, bytes);
      vec f8[VECTORS] = {vec_zero()};
      AM_UNROLL for (int v = 0; k == F8 && v < VECTORS; v += 2) widen_f8(codes + v * LANES, &f8[v]);
      AM_UNROLL for (int v = 0; v < UNIT; v += LANES) {
        vec w = mapped_weights(k, rows[r], &groups[r], table, codes + v, f8[v / LANES], i + (size_t)v);
        AM_UNROLL for (int t = 0; t < T; t++) sums[r][t] =
            vec_fmadd(w, vec_load(x_of(m, token + (uint32_t)t, i + (size_t)v)), sums[r][t]);
      }
    }
}

AM_INLINE void tile(const am_matmul *m, uint32_t row, uint32_t token, const int R, const int T, kind k,
                    const bool mapped) {
  const am_scaled_row *rows[4];
  vec sums[4][4];
  size_t whole = m->n_in / UNIT * UNIT;
  AM_UNROLL for (int r = 0; r < R; r++) {
    rows[r] = (const void *)((const uint8_t *)m->w + (row + (uint32_t)r) * m->w_stride);
    AM_UNROLL for (int t = 0; t < T; t++) sums[r][t] = vec_zero();
  }
  if (mapped) {
    tile_mapped(m, rows, token, whole, sums, R, T, k);
  } else {
    size_t group = rows[0]->layout->group;
    for (size_t i = 0, g = 0; i < whole; i += group, g++)
      tile_group(m, rows, (uint32_t)g, token, i, whole - i < group ? whole : i + group, sums, R, T, k);
  }
  if (whole < m->n_in) tile_tail(m, rows, token, whole, sums, R, T, k);
  AM_UNROLL for (int t = 0; t < T; t++) AM_UNROLL for (int r = 0; r < R; r++)
      m->out[(token + (uint32_t)t) * m->out_stride + row + (uint32_t)r] = vec_sum(sums[r][t]);
}

#define U4_TILE(m, r, t, R, T) tile(m, r, t, R, T, U4, false)
#define T4_TILE(m, r, t, R, T) tile(m, r, t, R, T, T4, false)
#define I8_TILE(m, r, t, R, T) tile(m, r, t, R, T, I8, false)
#define F8_TILE(m, r, t, R, T) tile(m, r, t, R, T, F8, false)
#define U4_MAPPED_TILE(m, r, t, R, T) tile(m, r, t, R, T, U4, true)
#define T4_MAPPED_TILE(m, r, t, R, T) tile(m, r, t, R, T, T4, true)
#define I8_MAPPED_TILE(m, r, t, R, T) tile(m, r, t, R, T, I8, true)
#define F8_MAPPED_TILE(m, r, t, R, T) tile(m, r, t, R, T, F8, true)
AM_TILES(even_u4, U4_TILE, AM_ROWS, 4, 4)
AM_TILES(even_t4, T4_TILE, AM_ROWS, 4, 4)
AM_TILES(even_i8, I8_TILE, AM_ROWS, 4, 4)
AM_TILES(even_f8, F8_TILE, AM_ROWS, 4, 4)
AM_TILES(mapped_u4, U4_MAPPED_TILE, 2, 4, 2)
AM_TILES(mapped_t4, T4_MAPPED_TILE, 2, 4, 2)
AM_TILES(mapped_i8, I8_MAPPED_TILE, 2, 4, 2)
AM_TILES(mapped_f8, F8_MAPPED_TILE, 2, 4, 2)

/* A matrix has one layout, so that a row alone takes the same way as among others. */
AM_INLINE bool is_plain(const am_matmul *m, const am_scaled_layout *layout) {
  return layout->uneven || (!layout->group_of && layout->group % UNIT != 0 && layout->group < m->n_in);
}

#define AM_SCALED(name, dtype)                                              \
  static void matmul_##name(const am_matmul *m) {                           \
    const am_scaled_layout *layout = ((const am_scaled_row *)m->w)->layout; \
    if (is_plain(m, layout))                                                \
      am_kernels_c_scaled_matmul(dtype, m);                                 \
    else if (layout->group_of)                                              \
      mapped_##name(m);                                                     \
    else                                                                    \
      even_##name(m);                                                       \
  }
AM_SCALED(u4, AM_DTYPE_SCALED_U4)
AM_SCALED(t4, AM_DTYPE_SCALED_T4)
AM_SCALED(i8, AM_DTYPE_SCALED_I8)
AM_SCALED(f8, AM_DTYPE_SCALED_F8)

void AM_FILL(am_kernels *k) {
  k->matmul[AM_DTYPE_SCALED_U4] = matmul_u4;
  k->matmul[AM_DTYPE_SCALED_T4] = matmul_t4;
  k->matmul[AM_DTYPE_SCALED_I8] = matmul_i8;
  k->matmul[AM_DTYPE_SCALED_F8] = matmul_f8;
}
