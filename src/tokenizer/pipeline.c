/* SPDX-License-Identifier: Apache-2.0 */
#include "tokenizer/pipeline.h"

#include "base/mem.h"
#include "tokenizer/unicode.h"

#include <string.h>

#define CONFIG_LIMIT_BYTES ((size_t)256 << 20) /* of the nodes of CONF */

/* What an image of these words and merges comes to, a little more rather than less. */
static size_t likely_bytes(const am_model_source *model) {
  size_t n_merges =
      model->merges && model->merges->type == AM_JSON_ARRAY ? model->merges->n : model->n_merges;
  size_t text = 0, slots = 64, pairs = 64;
  for (size_t i = 0; i < model->n_words; i++) text += model->words[i].n_bytes;
  while (slots < model->n_words + model->n_words / 2) slots *= 2;
  while (pairs < n_merges + n_merges / 2) pairs *= 2;
  return 2 * text + model->n_words * 10 + slots * sizeof(am_vocabulary_slot) + pairs * 8 + n_merges * 4 +
         65536;
}

adam_status am_pipeline_assemble(const am_pipeline_plan *plan, const am_image_source *source, am_image *out,
                                 adam_error *error) {
  static const uint32_t digest_tags[] = {AM_PIPELINE_TAG_CONFIG,           AM_IMAGE_TAG('V', 'S', 'A', 'T'),
                                         AM_IMAGE_TAG('V', 'S', 'P', 'E'), AM_IMAGE_TAG('V', 'K', 'N', 'O'),
                                         AM_IMAGE_TAG('B', 'M', 'E', 'R'), AM_IMAGE_TAG('B', 'R', 'E', 'S'),
                                         AM_IMAGE_TAG('U', 'S', 'C', 'O'), AM_IMAGE_TAG('S', 'M', 'E', 'R'),
                                         AM_IMAGE_TAG('S', 'P', 'R', 'I'), 0};
  am_image_writer writer;
  am_vocabulary vocabulary;
  am_buf config = {0};
  const am_model_source *model = &plan->model;
  am_unicode_open();
  am_image_begin(&writer, likely_bytes(model));
  adam_status status = am_vocabulary_build(model->words, model->n_words, model->raw_bytes, &writer, error);
  if (status != ADAM_OK) goto done;
  am_image view = am_image_view(&writer);
  status = am_vocabulary_bind(&view, &vocabulary, error);
  if (status != ADAM_OK) goto done;
  if (!plan->write_config(plan->user, &vocabulary, &config) || config.failed) {
    status = am_fail_memory(error, "tokenizer");
    goto done;
  }
  status = plan->row->build(model, &vocabulary, &writer, error);
  if (status != ADAM_OK) goto done;
  if (!am_image_add(&writer, AM_PIPELINE_TAG_CONFIG, config.data, config.len)) {
    status = am_fail_memory(error, "tokenizer");
    goto done;
  }
  status = am_image_end(&writer, source, digest_tags, out, error);
done:
  am_image_writer_close(&writer);
  am_buf_close(&config);
  return status;
}

static adam_status bind_parts(const char *name, am_tokenizer *t, adam_error *error) {
  size_t n_bytes = 0;
  const char *text = am_image_section(&t->image, AM_PIPELINE_TAG_CONFIG, 1, &n_bytes);
  if (!text) return am_fail(error, ADAM_DAMAGED, name, NULL, "tokenizer cache: no configuration");
  t->arena.limit_bytes = CONFIG_LIMIT_BYTES;
  adam_status status = am_json_parse(text, n_bytes, name, 0, &t->arena, &t->config, error);
  if (status != ADAM_OK) return status;
  const am_json *settings = am_json_get(&t->config, "model");
  const char *type = am_json_str(am_json_get(settings, "type"), "");
  t->model.row = am_model_row_named(type);
  if (!t->model.row)
    return am_fail(error, ADAM_UNSUPPORTED, name, NULL, "tokenizer model type \"%.60s\"", type);
  status = am_vocabulary_bind(&t->image, &t->model.vocabulary, error);
  if (status == ADAM_OK) status = t->model.row->bind(&t->image, settings, &t->model, error);
  if (status != ADAM_OK) return status;
  const am_json *pretokenizer = am_json_get(&t->config, "pre_tokenizer");
  bool raw_bytes = t->model.vocabulary.raw_bytes;
  if (raw_bytes && !am_pretokenizer_ends_with_bytes(pretokenizer))
    return am_fail(error, ADAM_DAMAGED, name, NULL, "tokenizer cache: a byte vocabulary without ByteLevel");
  status = am_normalizer_open(am_json_get(&t->config, "normalizer"), &t->normalizer, error);
  if (status == ADAM_OK) status = am_pretokenizer_open(pretokenizer, raw_bytes, &t->pretokenizer, error);
  if (status == ADAM_OK)
    status = am_postprocessor_open(am_json_get(&t->config, "post_processor"), &t->postprocessor, error);
  if (status == ADAM_OK)
    status = am_decode_chain_open(am_json_get(&t->config, "decoder"), &t->decoder, error);
  if (status == ADAM_OK)
    status =
        am_added_open(am_json_get(&t->config, "added_tokens"), &t->normalizer, &t->arena, &t->added, error);
  t->added.longest_first = am_json_bool(am_json_get(&t->config, "longest_first"), false);
  return status;
}

adam_status am_pipeline_bind(const char *name, am_image *image, am_tokenizer **out, adam_error *error) {
  am_tokenizer *t = am_mem_zalloc(1, sizeof *t);
  if (!t) {
    am_image_close(image);
    return am_fail_memory(error, name);
  }
  am_unicode_open();
  t->image = *image;
  *image = (am_image){0};
  t->added.last_id = -1;
  memcpy(t->digest, am_image_digest(&t->image), 64);
  for (int i = 0; i < 64; i++) /* a hostile cache could have put anything there */
    if (!strchr("0123456789abcdef", t->digest[i]) || !t->digest[i]) t->digest[i] = '0';
  adam_status status = bind_parts(name, t, error);
  if (status == ADAM_OK) {
    *out = t;
    return ADAM_OK;
  }
  if (status != ADAM_NO_MEMORY) am_error_rename(error, name);
  am_tokenizer_close(&t);
  return status;
}

static void scratch_close(const am_tokenizer *t, am_scratch *scratch) {
  if (!scratch) return;
  am_stage_memory_close(&scratch->stage);
  if (scratch->model) t->model.row->memory_close(scratch->model);
  am_added_parts_close(&scratch->parts);
  am_buf_close(&scratch->clean);
  am_ids_close(&scratch->texts[0]);
  am_ids_close(&scratch->texts[1]);
  am_mem_free(scratch);
}

void am_tokenizer_close(am_tokenizer **tokenizer) {
  if (!tokenizer || !*tokenizer) return;
  am_tokenizer *t = *tokenizer;
  for (size_t i = 0; i < AM_TOKENIZER_POOL; i++) scratch_close(t, atomic_load(&t->pool[i]));
  am_normalizer_close(&t->normalizer);
  am_pretokenizer_close(&t->pretokenizer);
  am_added_close(&t->added);
  if (t->model.own) t->model.row->close(t->model.own);
  am_postprocessor_close(&t->postprocessor);
  am_decode_chain_close(&t->decoder);
  am_arena_close(&t->arena);
  am_image_close(&t->image);
  am_mem_free(t);
  *tokenizer = NULL;
}

/* The pool is the one part of a tokenizer that encoding changes: single exchanges, no lock. */
am_scratch *am_scratch_lend(const am_tokenizer *tokenizer) {
  am_tokenizer *t = (am_tokenizer *)(uintptr_t)tokenizer;
  for (size_t i = 0; i < AM_TOKENIZER_POOL; i++) {
    if (!atomic_load_explicit(&t->pool[i], memory_order_relaxed)) continue;
    am_scratch *idle = atomic_exchange(&t->pool[i], NULL);
    if (idle) return idle;
  }
  am_scratch *scratch = am_mem_zalloc(1, sizeof *scratch);
  if (scratch) scratch->model = t->model.row->memory_open();
  if (scratch && !scratch->model) {
    am_mem_free(scratch);
    return NULL;
  }
  return scratch;
}

void am_scratch_return(const am_tokenizer *tokenizer, am_scratch *scratch) {
  am_tokenizer *t = (am_tokenizer *)(uintptr_t)tokenizer;
  for (size_t i = 0; i < AM_TOKENIZER_POOL; i++) {
    am_scratch *none = NULL;
    if (atomic_compare_exchange_strong(&t->pool[i], &none, scratch)) return;
  }
  scratch_close(t, scratch);
}
