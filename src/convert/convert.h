/* SPDX-License-Identifier: Apache-2.0 */
/* convert: a model of one format as another.
 * Purpose: Hugging Face folder, .safetensors or GGUF -> GGUF as llama.cpp's converter lays it out, or a folder
 *   that transformers opens; quantised on the way where asked. In: a path that am_loader_open takes.
 * How: plan.h says what each tensor of the target is made of, out of src/arch's rows; pump.h moves the rows,
 *   split over threads; the writers of formats/ put them down.
 * Out: the target whole, or nothing. Invariants: the bytes do not depend on the number of threads; memory does
 *   not grow with the model (MXFP4 that holds all experts of a layer in one tensor excepted).
 * Threads: one call at a time per target; progress comes on the caller's thread. */
#ifndef AM_CONVERT_CONVERT_H
#define AM_CONVERT_CONVERT_H

#include <adam/status.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct am_convert_options {
  const char *type;      /* a recipe of quant.h; NULL = each tensor as it is stored */
  uint32_t n_threads;    /* 0 = the processors that this process may use */
  const char *cache_dir; /* for tokenizers (am_loader_open) */
  const char *name;      /* general.name; NULL = the source's */
  uint64_t shard_bytes;  /* of a folder's files (formats/safetensors_write.h); 0 = as transformers has it */
  bool plan_only;        /* of a target that is a GGUF: write nothing, the report says what it would be */
  bool (*on_progress)(void *user, uint64_t done_bytes, uint64_t total_bytes); /* true = cancel; NULL = none */
  void *user;
} am_convert_options;

enum { AM_CONVERT_NOTICES = 8 };

typedef struct am_convert_report {
  char architecture[32];
  char type[16];         /* what most of the weights are in the target */
  uint64_t n_tensors;
  uint64_t n_parameters;
  uint64_t source_bytes; /* of weights */
  uint64_t bytes;        /* of all files of weights written, heads counted */
  double ms;
  char notices[AM_CONVERT_NOTICES][192]; /* what the target cannot say */
  uint32_t n_notices;
} am_convert_report;

/* target: a path that ends in .gguf (what stands there is replaced), or a folder, which does not exist yet or is
 * empty. options may be NULL. *report is untouched on failure. ADAM_INVALID: a type that is not known or that
 * safetensors does not have, source and target are one file; ADAM_UNSUPPORTED: the target's format has no words
 * for this model; ADAM_LIMIT: no room; ADAM_CANCELLED. */
adam_status am_convert(const char *source, const char *target, const am_convert_options *options,
                       am_convert_report *report, adam_error *error);

#endif
