/* SPDX-License-Identifier: Apache-2.0 */
/* arch/decoder: what the families of the common decoder (Llama and its relatives) share: config keys
 * of both dialects, GGUF keys, and the shapes of their tensors. A family's file calls these and adds
 * its own keys. */
#ifndef AM_ARCH_DECODER_H
#define AM_ARCH_DECODER_H

#include "arch/arch.h"
#include "arch/keys.h"

/* Sizes, norm, rope, tied, attention_bias, bos and end ids out of config.json. */
adam_status am_decoder_from_hf(const am_keys *keys, am_config *config);
/* The same out of GGUF metadata; keys->prefix is "ARCH.". */
adam_status am_decoder_from_gguf(const am_keys *keys, am_rope_style style, am_config *config);
/* Their parts, for families that say some of it in other keys; what *config has before is what an absent
 * key means. Sizes: layers to context length. silu: hidden_act is that. Rest: tied, attention_bias, rope,
 * ids. Between them a family reads its own norm and activation. */
adam_status am_decoder_sizes_from_hf(const am_keys *keys, am_config *config);
adam_status am_decoder_silu_from_hf(const am_keys *keys);
/* gelu: hidden_act, which is `absent` where there is none, is one of the forms of gelu: config->gelu_tanh. */
adam_status am_decoder_gelu_from_hf(const am_keys *keys, const char *absent, am_config *config);
adam_status am_decoder_rest_from_hf(const am_keys *keys, am_config *config);
adam_status am_decoder_sizes_from_gguf(const am_keys *keys, am_config *config);
adam_status am_decoder_rest_from_gguf(const am_keys *keys, am_rope_style style, am_config *config);
/* The layers first, first + step, first + 2 step, ... see `window` tokens only; 0 = none do. */
void am_decoder_set_window(am_config *config, uint32_t window, uint32_t first, uint32_t step);
/* The same, but layer_types says which layers where it is there: "sliding_attention" or "full_attention" each. */
adam_status am_decoder_window_from_hf(const am_keys *keys, uint32_t window, uint32_t first, uint32_t step,
                                      am_config *config);
/* Windows of Qwen 2 and 3: use_sliding_window, sliding_window, max_window_layers, layer_types. */
adam_status am_qwen_windows_from_hf(const am_keys *keys, am_config *config);
/* The rope part of both: rope.c. */
adam_status am_rope_from_hf(const am_keys *keys, am_config *config);
adam_status am_rope_from_gguf(const am_keys *keys, am_rope_style style, am_config *config);
/* am_arch.from_tensors for these families. */
adam_status am_decoder_from_tensors(am_config *config, am_find_tensor find, const void *user,
                                    const char *path, adam_error *error);

/* Shapes: n_out and n_in of a matrix, the length of a vector. */
uint32_t am_shape_embd(const am_config *c, uint64_t shape[2]);       /* (n_vocab, D) */
uint32_t am_shape_output(const am_config *c, uint64_t shape[2]);     /* (n_vocab, D), none when tied */
uint32_t am_shape_norm(const am_config *c, uint64_t shape[2]);       /* (D) */
uint32_t am_shape_head_norm(const am_config *c, uint64_t shape[2]);  /* (head_dim) */
uint32_t am_shape_q(const am_config *c, uint64_t shape[2]);          /* (n_heads head_dim, D) */
uint32_t am_shape_kv(const am_config *c, uint64_t shape[2]);         /* (n_kv_heads head_dim, D) */
uint32_t am_shape_attn_output(const am_config *c, uint64_t shape[2]); /* (D, n_heads head_dim) */
uint32_t am_shape_q_bias(const am_config *c, uint64_t shape[2]);     /* these with attention_bias */
uint32_t am_shape_kv_bias(const am_config *c, uint64_t shape[2]);
uint32_t am_shape_attn_output_bias(const am_config *c, uint64_t shape[2]);
uint32_t am_shape_fused_qkv(const am_config *c, uint64_t shape[2]);  /* ((n_heads + 2 n_kv_heads) head_dim, D) */
uint32_t am_shape_ffn(const am_config *c, uint64_t shape[2]);        /* (F, D) */
uint32_t am_shape_ffn_down(const am_config *c, uint64_t shape[2]);   /* (D, F) */
uint32_t am_shape_ffn_bias(const am_config *c, uint64_t shape[2]);   /* these with mlp_bias */
uint32_t am_shape_ffn_down_bias(const am_config *c, uint64_t shape[2]);
uint32_t am_shape_rope_freqs(const am_config *c, uint64_t shape[2]);   /* (n_dims / 2) */
uint32_t am_shape_rope_factors(const am_config *c, uint64_t shape[2]); /* the same, of longrope */

#endif
