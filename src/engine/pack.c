/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pack.h"

#include <string.h>

#include "base/mem.h"
#include "engine/context.h"
#include "os/memory.h"

enum { MOST_LOGITS_BYTES = 64 << 20 };

void am_pack_open(am_engine *engine, const am_pack_output *output, am_pack *pack) {
  *pack = (am_pack){.engine = engine, .output = *output};
}

void am_pack_close(am_pack *pack) {
  am_workspace_close(&pack->workspace);
  am_mem_free(pack->ids);
  am_mem_free(pack->types);
  *pack = (am_pack){0};
}

static const am_config *config_of(const am_pack *pack) { return am_model_config(pack->engine->model); }

static uint32_t most_segments(const am_pack *pack) {
  if (!pack->output.wants_logits) return AM_PACK_SEGMENTS;
  uint64_t n = MOST_LOGITS_BYTES / (sizeof(float) * (uint64_t)config_of(pack)->n_vocab);
  return n < 1 ? 1 : n > AM_PACK_SEGMENTS ? AM_PACK_SEGMENTS : (uint32_t)n;
}

static adam_status need_workspace(am_pack *pack, uint32_t n_tokens, uint32_t n_outputs, adam_error *error) {
  const am_model *model = pack->engine->model;
  if (pack->workspace && pack->workspace_tokens >= n_tokens && pack->workspace_outputs >= n_outputs)
    return ADAM_OK;
  am_workspace_close(&pack->workspace);
  uint64_t needed = am_workspace_bytes(model, n_tokens, n_outputs), available = am_memory_available();
  if (needed == 0 || needed > available)
    return am_fail(error, ADAM_NO_MEMORY, am_loader_path(pack->engine->loader),
                   "a smaller --ctx cuts long texts", "a batch of %u tokens needs %llu bytes, %llu are free",
                   n_tokens, (unsigned long long)needed, (unsigned long long)available);
  adam_status status = am_workspace_open(model, n_tokens, n_outputs, &pack->workspace, error);
  pack->workspace_tokens = n_tokens;
  pack->workspace_outputs = n_outputs;
  return status;
}

/* A cache of n tokens for a decoder's segment; encoders need none. */
static adam_status open_cache(am_pack *pack, uint64_t n, am_segment *segment, adam_error *error) {
  am_engine *engine = pack->engine;
  if (config_of(pack)->arch->is_encoder) return ADAM_OK;
  am_kv_options options = am_model_kv_options(engine->model, n, engine->chunk_tokens, AM_DTYPE_F32);
  if (am_kv_bytes(&options) > am_memory_available())
    return am_fail(error, ADAM_NO_MEMORY, am_loader_path(engine->loader), "a smaller --ctx cuts long texts",
                   "the cache of a text of %llu tokens does not fit", (unsigned long long)n);
  return am_kv_open(engine->device, &options, &segment->kv, error);
}

static adam_status run(am_pack *pack, const am_batch *batch, float **rows, adam_error *error) {
  const am_model *model = pack->engine->model;
  if (pack->output.wants_logits) return am_model_forward(model, pack->workspace, batch, rows, error);
  return am_model_hidden(model, pack->workspace, batch, rows, error);
}

adam_status am_pack_flush(am_pack *pack, adam_error *error) {
  uint32_t n_embd = config_of(pack)->n_embd, last[AM_PACK_SEGMENTS];
  size_t n_vocab = config_of(pack)->n_vocab;
  bool logits = pack->output.wants_logits;
  float *rows = NULL;
  if (pack->n_segments == 0) return ADAM_OK;
  adam_status status = need_workspace(pack, pack->n_tokens, logits ? pack->n_segments : 0, error);
  for (uint32_t i = 0; i < pack->n_segments && !status; i++) {
    last[i] = pack->segments[i].first + pack->segments[i].n - 1;
    status = open_cache(pack, pack->segments[i].n, &pack->segments[i], error);
  }
  am_batch batch = {.ids = pack->ids,
                    .types = pack->types,
                    .n_tokens = pack->n_tokens,
                    .segments = pack->segments,
                    .n_segments = pack->n_segments,
                    .output_rows = logits ? last : NULL,
                    .n_outputs = logits ? pack->n_segments : 0};
  if (!status) status = run(pack, &batch, &rows, error);
  for (uint32_t i = 0; i < pack->n_segments && !status; i++) {
    const am_segment *s = &pack->segments[i];
    const float *first = logits ? rows + i * n_vocab : rows + (size_t)s->first * n_embd;
    status =
        pack->output.on_rows(pack->output.user, pack->index[i], first, logits ? 1 : s->n, true, true, error);
  }
  for (uint32_t i = 0; i < pack->n_segments; i++) am_kv_close(&pack->segments[i].kv);
  pack->n_segments = pack->n_tokens = 0;
  return status;
}

/* A decoder's text longer than a batch: chunk by chunk through a cache of its own. */
static adam_status run_long(am_pack *pack, size_t index, const int32_t *ids, uint32_t n, adam_error *error) {
  uint32_t chunk = pack->engine->chunk_tokens;
  bool logits = pack->output.wants_logits;
  am_segment segment = {.length = n};
  adam_status status = need_workspace(pack, chunk, logits ? 1 : 0, error);
  if (!status) status = open_cache(pack, n, &segment, error);
  for (uint32_t done = 0; done < n && !status;) {
    uint32_t take = n - done < chunk ? n - done : chunk, last = take - 1;
    bool is_last = done + take == n;
    float *rows = NULL;
    segment.n = take;
    segment.position = done;
    am_batch batch = {.ids = ids + done,
                      .n_tokens = take,
                      .segments = &segment,
                      .n_segments = 1,
                      .output_rows = &last,
                      .n_outputs = logits && is_last ? 1 : 0};
    status = run(pack, &batch, &rows, error);
    if (!status && (is_last || !logits))
      status = pack->output.on_rows(pack->output.user, index, rows, logits ? 1 : take, done == 0 || logits,
                                    is_last, error);
    done += take;
  }
  am_kv_close(&segment.kv);
  return status;
}

static adam_status grow(am_pack *pack, uint32_t n, adam_error *error) {
  if (n <= pack->capacity) return ADAM_OK;
  int32_t *ids = am_mem_resize(pack->ids, n, sizeof *ids);
  if (ids) pack->ids = ids;
  int32_t *types = am_mem_resize(pack->types, n, sizeof *types);
  if (types) pack->types = types;
  if (!ids || !types) return am_fail_memory(error, am_loader_path(pack->engine->loader));
  pack->capacity = n;
  return ADAM_OK;
}

adam_status am_pack_add(am_pack *pack, size_t index, const int32_t *ids, const int32_t *types, uint32_t n,
                        adam_error *error) {
  uint32_t chunk = pack->engine->chunk_tokens;
  adam_status status = ADAM_OK;
  if (pack->n_segments == most_segments(pack) || (pack->n_tokens && n > chunk - pack->n_tokens))
    status = am_pack_flush(pack, error);
  if (!status && n > chunk && !config_of(pack)->arch->is_encoder) return run_long(pack, index, ids, n, error);
  if (!status) status = grow(pack, n > chunk ? n : chunk, error);
  if (status) return status;
  memcpy(pack->ids + pack->n_tokens, ids, n * sizeof *ids);
  if (types)
    memcpy(pack->types + pack->n_tokens, types, n * sizeof *types);
  else
    memset(pack->types + pack->n_tokens, 0, n * sizeof *types);
  pack->index[pack->n_segments] = index;
  pack->segments[pack->n_segments++] = (am_segment){.first = pack->n_tokens, .n = n, .length = n};
  pack->n_tokens += n;
  return n > chunk ? am_pack_flush(pack, error) : ADAM_OK;
}
