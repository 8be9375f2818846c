/* SPDX-License-Identifier: Apache-2.0 */
/* AVX2: the 256-element types. */
#define AM_FILL am_kernels_avx2_q256
#include "kernels/x86/q256_256.h"
