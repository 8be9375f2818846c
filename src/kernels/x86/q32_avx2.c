/* SPDX-License-Identifier: Apache-2.0 */
/* AVX2: the 32-element types. */
#define AM_FILL am_kernels_avx2_q32
#include "kernels/x86/q32_256.h"
