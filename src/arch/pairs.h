/* SPDX-License-Identifier: Apache-2.0 */
/* arch/pairs: hyperparameters on the way out: what an am_config is called in GGUF metadata and in config.json.
 * Pure functions over plain memory, any thread. Strings are static or borrowed from the config. */
#ifndef AM_ARCH_PAIRS_H
#define AM_ARCH_PAIRS_H

#include "arch/arch.h"

enum { AM_PAIRS_MOST = 64, AM_PAIRS_NOTICES = 8 };

typedef enum am_pair_type {
  AM_PAIR_U32,
  AM_PAIR_REAL,
  AM_PAIR_BOOL,
  AM_PAIR_STRING,
  AM_PAIR_NULL,  /* config.json only */
  AM_PAIR_REALS, /* config.json only: a list */
  AM_PAIR_IDS,   /* config.json only: an id, or a list of several */
  AM_PAIR_LAYERS /* config.json only: the list of the layers whose bit is set, or is not */
} am_pair_type;

typedef struct am_pair {
  char key[64]; /* config.json: "a.b" is b in the object a */
  am_pair_type type;
  union {
    uint32_t u32;
    double real;
    bool boolean;
    const char *string;
  } as;
  const float *reals; /* n of them */
  const int32_t *ids;
  const uint64_t *bits;
  bool is_set; /* LAYERS: those whose bit is */
  uint32_t n;
} am_pair;

typedef struct am_pairs {
  am_pair items[AM_PAIRS_MOST + 1]; /* the last takes what does not fit */
  size_t n;
  bool full; /* one more was added than there is room for: a mistake of ours */
  char prefix[24]; /* put before each key: "llama." */
  const char *notices[AM_PAIRS_NOTICES]; /* what the other format cannot say, static */
  size_t n_notices;
} am_pairs;

void am_pairs_u32(am_pairs *pairs, const char *key, uint32_t value);
void am_pairs_real(am_pairs *pairs, const char *key, double value);
void am_pairs_bool(am_pairs *pairs, const char *key, bool value);
void am_pairs_string(am_pairs *pairs, const char *key, const char *value);
void am_pairs_null(am_pairs *pairs, const char *key);
void am_pairs_reals(am_pairs *pairs, const char *key, const float *values, uint32_t n);
void am_pairs_ids(am_pairs *pairs, const char *key, const int32_t *ids, uint32_t n);
void am_pairs_layers(am_pairs *pairs, const char *key, const am_config *config, const uint64_t *bits, bool is_set);
void am_pairs_notice(am_pairs *pairs, const char *text);

/* For the families. GGUF: sizes, heads and norm of a common decoder, in llama.cpp's order. */
void am_decoder_to_gguf(const am_config *config, am_pairs *pairs);
/* config.json: the same, with ids; norm_key is what the family calls its epsilon. */
void am_decoder_to_hf(const am_config *config, const char *norm_key, am_pairs *pairs);
/* The same for Qwen 2 and 3, with what they say beyond it. */
void am_qwen_to_gguf(const am_config *config, am_pairs *pairs);
void am_qwen_to_hf(const am_config *config, am_pairs *pairs);
/* rope.c's other direction. ADAM_UNSUPPORTED: the other format has no words for it. */
adam_status am_rope_to_gguf(const am_config *config, am_pairs *pairs, adam_error *error);
adam_status am_rope_to_hf(const am_config *config, am_pairs *pairs, adam_error *error);
void am_encoder_to_gguf(const am_config *config, am_pairs *pairs);
void am_encoder_to_hf(const am_config *config, am_pairs *pairs);

/* What a GGUF has as a tensor and config.json as numbers: divisors of frequencies. Of a field such as
 * "rope_freqs" or "rope_factors_long"; *n is 0 where this config has none. */
void am_rope_computed(const am_config *config, const char *field, float out[AM_ARCH_MOST_FACTORS], uint32_t *n);
/* The other way: fills the rope of a config for config.json out of n divisors (rope_freqs) that llama3's formula
 * gives; ADAM_UNSUPPORTED where none of its parameters do. */
adam_status am_rope_fit_llama3(am_config *config, const float *divisors, uint32_t n, const char *path,
                               adam_error *error);

#endif
