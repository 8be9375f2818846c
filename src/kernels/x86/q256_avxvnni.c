/* SPDX-License-Identifier: Apache-2.0 */
/* AVX-VNNI: the 256-element types. */
#define AM_FILL am_kernels_avxvnni_q256
#define AM_VNNI
#include "kernels/x86/q256_256.h"
