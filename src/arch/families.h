/* SPDX-License-Identifier: Apache-2.0 */
/* arch/families: the rows of table.c, one per family's file. */
#ifndef AM_ARCH_FAMILIES_H
#define AM_ARCH_FAMILIES_H

#include "arch/arch.h"

extern const am_arch am_arch_bert;
extern const am_arch am_arch_gemma2;
extern const am_arch am_arch_llama;
extern const am_arch am_arch_mistral;
extern const am_arch am_arch_nomic_bert;
extern const am_arch am_arch_phi2;
extern const am_arch am_arch_phi3;
extern const am_arch am_arch_qwen2;
extern const am_arch am_arch_qwen3;
extern const am_arch am_arch_qwen3moe;
extern const am_arch am_arch_roberta;

#endif
