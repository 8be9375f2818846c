/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/blocks: byte layouts of quantised weights, as GGUF files hold them, and of quantised
 * activations, as the matmul kernels want them.
 * Little-endian, no padding; a row is blocks side by side and may begin at any byte address, so
 * that weight structs are packed. d, m, dmin are IEEE binary16 bits. "low nibble" is bits 0..3. */
#ifndef AM_KERNELS_BLOCKS_H
#define AM_KERNELS_BLOCKS_H

#include <stdint.h>
#include <string.h>

#define AM_PACKED __attribute__((packed))

/* 32 elements. qs[j]: element j in the low nibble, element j + 16 in the high one (j < 16). */
typedef struct am_block_q4_0 { /* y = (q - 8) d */
  uint16_t d;
  uint8_t qs[16];
} AM_PACKED am_block_q4_0;

typedef struct am_block_q4_1 { /* y = q d + m */
  uint16_t d, m;
  uint8_t qs[16];
} AM_PACKED am_block_q4_1;

/* Fifth bit of element j: bit j of qh (j < 32). */
typedef struct am_block_q5_0 { /* y = (q - 16) d */
  uint16_t d;
  uint32_t qh;
  uint8_t qs[16];
} AM_PACKED am_block_q5_0;

typedef struct am_block_q5_1 { /* y = q d + m */
  uint16_t d, m;
  uint32_t qh;
  uint8_t qs[16];
} AM_PACKED am_block_q5_1;

typedef struct am_block_q8_0 { /* y = q d */
  uint16_t d;
  int8_t qs[32];
} AM_PACKED am_block_q8_0;

/* 256 elements: two halves n of 128; in a half, bits 2k, 2k+1 of qs[32n + l] are element
 * 128n + 32k + l (k < 4, l < 32). Scales go by 16 elements. */
typedef struct am_block_q2_k { /* y = d (sc & 15) q - dmin (sc >> 4) */
  uint8_t scales[16];
  uint8_t qs[64];
  uint16_t d, dmin;
} AM_PACKED am_block_q2_k;

/* As Q2_K; bit 4n + k of hmask[l] unset lowers element 128n + 32k + l by 4. Scale i of 16 has its
 * low 4 bits in nibble i / 8 of scales[i % 8], its high 2 at bit 2 (i / 4) of scales[8 + i % 4]. */
typedef struct am_block_q3_k { /* y = d (sc - 32) q */
  uint8_t hmask[32];
  uint8_t qs[64];
  uint8_t scales[12];
  uint16_t d;
} AM_PACKED am_block_q3_k;

/* 256 elements: chunk i of 64 has qs[32i + l]: low nibble element 64i + l, high nibble 64i + 32 + l.
 * Scales and minima of 6 bits go by 32 elements; am_k4_scales unpacks them. */
typedef struct am_block_q4_k { /* y = d sc q - dmin mn */
  uint16_t d, dmin;
  uint8_t scales[12];
  uint8_t qs[128];
} AM_PACKED am_block_q4_k;

/* As Q4_K; bit j of qh[l] is the fifth bit of element 32j + l. */
typedef struct am_block_q5_k {
  uint16_t d, dmin;
  uint8_t scales[12];
  uint8_t qh[32];
  uint8_t qs[128];
} AM_PACKED am_block_q5_k;

/* 256 elements: half n of 128; v_k(l) = element 128n + 32k + l. ql[64n + l] low: v_0, high: v_2;
 * ql[64n + 32 + l] low: v_1, high: v_3; bits 2k, 2k+1 of qh[32n + l] on top. Scales go by 16. */
typedef struct am_block_q6_k { /* y = d sc (q - 32) */
  uint8_t ql[128];
  uint8_t qh[64];
  int8_t scales[16];
  uint16_t d;
} AM_PACKED am_block_q6_k;

/* 32 elements, nibbles as in Q4_0: an index into am_iq4_values. */
typedef struct am_block_iq4_nl { /* y = d value */
  uint16_t d;
  uint8_t qs[16];
} AM_PACKED am_block_iq4_nl;

/* 256 elements: 8 parts of 32, each as a block of IQ4_NL; part b has the scale ls(b) - 32, low 4 bits in
 * nibble b % 2 of scales_low[b / 2], high 2 at bit 2b of scales_high. */
typedef struct am_block_iq4_xs { /* y = d (ls - 32) value */
  uint16_t d;
  uint16_t scales_high;
  uint8_t scales_low[4];
  uint8_t qs[128];
} AM_PACKED am_block_iq4_xs;

/* 32 elements, nibbles as in Q4_0: E2M1 numbers, doubled in am_e2m1_values. */
typedef struct am_block_mxfp4 { /* y = 2^(e - 128) value */
  uint8_t e;
  uint8_t qs[16];
} AM_PACKED am_block_mxfp4;

static const int8_t am_iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                         1,    13,   25,  38,  53,  69,  89,  113};
static const int8_t am_e2m1_values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

static inline int am_iq4_xs_scale(const am_block_iq4_xs *b, int part) {
  int low = b->scales_low[part / 2] >> (part & 1 ? 4 : 0) & 15;
  return (low | (b->scales_high >> (2 * part) & 3) << 4) - 32;
}

/* 2^(e - 128), also where that is denormal (e < 2). */
static inline float am_mxfp4_scale(uint8_t e) {
  uint32_t bits = e < 2 ? 0x00200000u << e : (uint32_t)(e - 1) << 23;
  float scale;
  memcpy(&scale, &bits, sizeof scale);
  return scale;
}

/* Activations for the 32-element types: four blocks (128 elements) of one token, each quantised to
 * q = round(x / d), d = max|x| / 127. The bytes are interleaved in words of four elements, so that
 * one vector of int32 dot products holds four blocks and needs one scaling: element j = 4p + i of
 * block b stands at am_x8_at(b, j). Blocks past the end of the row are zero. 64-byte aligned. */
typedef struct am_x8_group {
  int8_t q[128];
  float d[8]; /* d0 d1 d0 d1 d2 d3 d2 d3: the block of each 32-bit word in half a cache line */
  float s[8]; /* s0 s1 0 0 s2 s3 0 0: d times the sum of q, for the types with a minimum */
} am_x8_group;

static inline uint32_t am_x8_at(uint32_t block, uint32_t element) {
  uint32_t p = element / 4;
  uint32_t word = (p / 4) * 16 + (p % 4) / 2 * 8 + (block / 2) * 4 + (p % 2) * 2 + block % 2;
  return word * 4 + element % 4;
}
/* Where block b of a group has its d and s. */
static inline uint32_t am_x8_scale_at(uint32_t block) { return (block / 2) * 4 + block % 2; }

/* Activations for the 256-element types, in natural order: q = round(x / d), d = max|x| / 127. */
typedef struct am_x256_block {
  int8_t q[256];
  int16_t sums[16]; /* of 16 elements each */
  float d;
  float zero[7]; /* fills the cache line */
} am_x256_block;

/* The eight 6-bit scales and minima of Q4_K and Q5_K. */
static inline void am_k4_scales(const uint8_t s[12], uint8_t scales[8], uint8_t minima[8]) {
  for (int j = 0; j < 4; j++) {
    scales[j] = s[j] & 63;
    minima[j] = s[j + 4] & 63;
    scales[j + 4] = (uint8_t)((s[j + 8] & 15) | ((s[j] >> 6) << 4));
    minima[j + 4] = (uint8_t)((s[j + 8] >> 4) | ((s[j + 4] >> 6) << 4));
  }
}

/* The sixteen scales of Q3_K, -32..31. */
static inline void am_k3_scales(const uint8_t s[12], int8_t scales[16]) {
  for (int i = 0; i < 16; i++) {
    int low = i < 8 ? s[i] & 15 : s[i - 8] >> 4;
    int high = (s[8 + (i & 3)] >> (2 * (i >> 2))) & 3;
    scales[i] = (int8_t)((low | (high << 4)) - 32);
  }
}

#endif
