/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer/pipeline: a tokenizer's parts, bound to the image that holds them. The image's CONF
 * section is a small tokenizer.json without vocabulary and merges, with final ids in added_tokens;
 * the other parts are made from it at every open, cached or not. */
#ifndef AM_TOKENIZER_PIPELINE_H
#define AM_TOKENIZER_PIPELINE_H

#include "base/arena.h"
#include "tokenizer/added.h"
#include "tokenizer/decode.h"
#include "tokenizer/image.h"
#include "tokenizer/model.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/postprocessor.h"
#include "tokenizer/pretokenizer.h"

#include <stdatomic.h>

#define AM_TOKENIZER_POOL 8

/* What one call of encode works in; lent from the tokenizer's pool. */
typedef struct am_scratch {
  am_stage_memory stage;
  am_model_memory *model;
  am_added_parts parts;
  am_buf clean;    /* the text with U+FFFD for what is no UTF-8 */
  am_ids texts[2]; /* of a pair */
} am_scratch;

struct am_tokenizer {
  am_image image;
  am_arena arena; /* the nodes of config */
  am_json config;
  am_normalizer normalizer;
  am_pretokenizer pretokenizer;
  am_added added;
  am_model model;
  am_postprocessor postprocessor;
  am_decode_chain decoder;
  char digest[65];
  _Atomic(am_scratch *) pool[AM_TOKENIZER_POOL]; /* idle ones; the only part that changes */
};

#define AM_PIPELINE_TAG_CONFIG AM_IMAGE_TAG('C', 'O', 'N', 'F')

/* Memory for one call, from the pool or new; NULL: memory is out. Any thread. */
am_scratch *am_scratch_lend(const am_tokenizer *tokenizer);
void am_scratch_return(const am_tokenizer *tokenizer, am_scratch *scratch);

/* Takes the image, on failure too. */
adam_status am_pipeline_bind(const char *name, am_image *image, am_tokenizer **out, adam_error *error);

/* build_json.c, build_vocab.c, build_model.c, build_words.c: from a file's content to an image. */
adam_status am_pipeline_build_json(const char *name, const char *json, size_t n_bytes,
                                   const char *config_json, size_t config_bytes,
                                   const am_image_source *source, am_image *out, adam_error *error);
adam_status am_pipeline_build_vocab(const char *name, const am_vocab *vocab, const am_image_source *source,
                                    am_image *out, adam_error *error);
adam_status am_pipeline_build_model(const char *name, const void *bytes, size_t n_bytes,
                                    const char *config_json, size_t config_bytes,
                                    const am_image_source *source, am_image *out, adam_error *error);
adam_status am_pipeline_build_words(const char *name, const void *bytes, size_t n_bytes,
                                    const char *config_json, size_t config_bytes,
                                    const am_image_source *source, am_image *out, adam_error *error);

/* What the builders share: vocabulary, model sections, CONF from `config` (whose model member has
 * the settings), end of the image. `config` is called once the vocabulary stands. */
typedef struct am_pipeline_plan {
  am_model_source model;
  const am_model_row *row;
  bool (*write_config)(void *user, const am_vocabulary *vocabulary, am_buf *out);
  void *user;
} am_pipeline_plan;
adam_status am_pipeline_assemble(const am_pipeline_plan *plan, const am_image_source *source, am_image *out,
                                 adam_error *error);

#endif
