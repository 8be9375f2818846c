/* SPDX-License-Identifier: Apache-2.0 */
/* AVX-VNNI: the 32-element types. */
#define AM_FILL am_kernels_avxvnni_q32
#define AM_VNNI
#include "kernels/x86/q32_256.h"
