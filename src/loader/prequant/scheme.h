/* SPDX-License-Identifier: Apache-2.0 */
/* loader/prequant/scheme: how a pre-quantised checkpoint says that it was made.
 * In: quantization_config of config.json, or a whole quantize_config.json (GPTQ) or quant_config.json (AWQ).
 * Out: a scheme by value; a method that is not supported is ADAM_UNSUPPORTED with its name. Which weights
 * are quantised at all is not asked here: that, the tensors tell. Pure function, any thread. */
#ifndef AM_LOADER_PREQUANT_SCHEME_H
#define AM_LOADER_PREQUANT_SCHEME_H

#include "base/error.h"
#include "base/json.h"
#include <stdbool.h>
#include <stdint.h>

typedef enum am_scheme_method {
  AM_SCHEME_NONE,
  AM_SCHEME_BITSANDBYTES,
  AM_SCHEME_GPTQ,
  AM_SCHEME_AWQ,
  AM_SCHEME_COMPRESSED, /* compressed-tensors */
  AM_SCHEME_FP8,        /* transformers' "fp8" and "fbgemm_fp8" */
  AM_SCHEME_MXFP4
} am_scheme_method;

enum { AM_SCHEME_MAX_GROUPS = 16 };

/* One of compressed-tensors' config_groups. */
typedef struct am_scheme_group {
  uint32_t bits;
  bool is_float;
  uint32_t group_size; /* strategy "group"; else 0 */
  uint32_t block_rows, block_columns; /* strategy "block"; else 0 */
} am_scheme_group;

typedef struct am_scheme {
  am_scheme_method method;
  char name[32];                      /* "nf4", "gptq-4bit", "fp8-block": for people */
  uint32_t bits;                      /* GPTQ, AWQ */
  uint32_t group_size;                /* GPTQ, AWQ: inputs that share a scale; 0 = all of a row */
  bool zeros_less_one;                /* GPTQ v1 stores each zero less one */
  bool mixed_bits;                    /* GPTQ "dynamic": some weights have other bits than `bits` */
  uint32_t block_rows, block_columns; /* FP8; 0 = one scale for a tensor or a row */
  am_scheme_group groups[AM_SCHEME_MAX_GROUPS];
  uint32_t n_groups;
} am_scheme;

/* config: the object; NULL or JSON null gives method NONE. path: for errors. assumed: the method where the
 * object does not name one ("gptq" for quantize_config.json), NULL = it must. */
adam_status am_scheme_read(const am_json *config, const char *path, const char *assumed, am_scheme *out,
                           adam_error *error);

#endif
