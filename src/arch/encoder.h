/* SPDX-License-Identifier: Apache-2.0 */
/* arch/encoder: what the bidirectional families (BERT and its relatives) share: config keys, GGUF keys,
 * the shapes of their tensors. */
#ifndef AM_ARCH_ENCODER_H
#define AM_ARCH_ENCODER_H

#include "arch/decoder.h"

/* Sizes, norm, positions, token types and the classifier's labels out of config.json as BERT writes it. */
adam_status am_encoder_from_hf(const am_keys *keys, am_config *config);
/* The same out of GGUF metadata; keys->prefix is "ARCH.". */
adam_status am_encoder_from_gguf(const am_keys *keys, am_config *config);
/* am_arch.from_tensors for these families. */
adam_status am_encoder_from_tensors(am_config *config, am_find_tensor find, const void *user, const char *path,
                                    adam_error *error);
/* Limits and products of the sizes, once all are read. */
adam_status am_encoder_check(const am_keys *keys, am_config *config);

uint32_t am_shape_positions(const am_config *c, uint64_t shape[2]);   /* (n_positions, D) */
uint32_t am_shape_types(const am_config *c, uint64_t shape[2]);       /* (n_types, D), none when 0 */
uint32_t am_shape_inner_bias(const am_config *c, uint64_t shape[2]);  /* (F) */
uint32_t am_shape_qkv(const am_config *c, uint64_t shape[2]);         /* (3 D, D) where they are fused */
uint32_t am_shape_unfused(const am_config *c, uint64_t shape[2]);     /* (D, D) where they are not */
uint32_t am_shape_pooler(const am_config *c, uint64_t shape[2]);      /* (D, D) with labels */
uint32_t am_shape_pooler_bias(const am_config *c, uint64_t shape[2]); /* (D) */
uint32_t am_shape_labels(const am_config *c, uint64_t shape[2]);      /* (n_labels, D) */
uint32_t am_shape_labels_bias(const am_config *c, uint64_t shape[2]); /* (n_labels) */

#endif
