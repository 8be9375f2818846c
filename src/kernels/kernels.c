/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/kernels.h"
#include "kernels/blocks.h"
#include <stdatomic.h>
#include <string.h>

#if defined(__x86_64__)
static void fill_x86(am_kernels *k, const am_cpu_flags *flags) {
  if (flags->avx2) {
    am_kernels_avx2_float(k);
    am_kernels_avx2_rows(k);
    am_kernels_avx2_quants(k);
    am_kernels_avx2_pack(k);
    am_kernels_avx2_q32(k);
    am_kernels_avx2_q256(k);
    am_kernels_avx2_scaled(k);
    k->tier = "avx2";
  }
  if (flags->avx2 && flags->avxvnni) {
    am_kernels_avxvnni_q32(k);
    am_kernels_avxvnni_q256(k);
    k->tier = "avxvnni";
  }
  if (flags->avx2 && flags->avx512) {
    am_kernels_avx512_float(k);
    am_kernels_avx512_rows(k);
    am_kernels_avx512_pack(k);
    am_kernels_avx512_scaled(k);
    k->tier = "avx512";
  }
  if (flags->avx2 && flags->avx512 && flags->avx512vnni) {
    am_kernels_avx512vnni_q32(k);
    am_kernels_avx512vnni_q256(k);
    k->tier = "avx512vnni";
  }
}
#endif

void am_kernels_fill(am_kernels *out, const am_cpu_flags *flags) {
  memset(out, 0, sizeof *out);
  am_kernels_c_quants(out);
  am_kernels_c_matmul(out);
  am_kernels_c_rows(out);
  am_kernels_c_scaled(out);
  am_kernels_c_iq4(out);
  am_kernels_c_pack(out);
  out->tier = "c";
#if defined(__x86_64__)
  fill_x86(out, flags);
#else
  (void)flags;
#endif
}

const am_kernels *am_kernels_get(void) {
  enum { EMPTY, FILLING, READY };
  static am_kernels table;
  static atomic_int state = EMPTY;
  int expected = EMPTY;
  if (atomic_load_explicit(&state, memory_order_acquire) == READY) return &table;
  if (atomic_compare_exchange_strong(&state, &expected, FILLING)) {
    am_kernels_fill(&table, am_cpu());
    atomic_store_explicit(&state, READY, memory_order_release);
  }
  while (atomic_load_explicit(&state, memory_order_acquire) != READY) {
    /* another thread is copying pointers: a microsecond */
  }
  return &table;
}

size_t am_kernels_x_bytes(am_x_format format, size_t n) {
  switch (format) {
    case AM_X_F32:
      return (n * sizeof(float) + 63) / 64 * 64;
    case AM_X_Q8:
      return (n + 127) / 128 * sizeof(am_x8_group);
    case AM_X_Q8K:
      return n / 256 * sizeof(am_x256_block);
    default:
      return 0;
  }
}
