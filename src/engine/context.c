/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/context.h"

#include "base/error.h"
#include "base/size.h"
#include "os/memory.h"

#include <stdio.h>

enum {
  DEFAULT_CTX = 8192, /* most that is taken without being asked for */
  UNKNOWN_CTX = 2048, /* where the model does not say what it was trained for */
  LEAST_CTX = 512,    /* a default is not halved below this */
  MOST_CTX = 1 << 24,
  MOST_CHUNK = 512, /* prefill speed no longer grows beyond this */
  LEAST_CHUNK = 32,
  CHUNK_BYTES = 16 << 20, /* activations of one batch: the resident set stays near the file's size */
  SCORE_BYTES = 8 << 20
};

static uint64_t needed_bytes(const am_engine *engine, uint64_t n_ctx, am_dtype dtype, uint32_t max_tokens,
                             uint32_t max_outputs) {
  am_kv_options kv = am_model_kv_options(engine->model, n_ctx, max_tokens, dtype);
  uint64_t cache = am_kv_bytes(&kv), total = 0;
  uint64_t work = am_workspace_bytes(engine->model, max_tokens, max_outputs);
  if (cache == 0 || work == 0 || !am_u64_add(cache, work, &total)) return UINT64_MAX;
  return total;
}

/* The largest context that fits into `bytes`, rounded down to 256 tokens; 0 = none. */
static uint64_t fitting_ctx(const am_engine *engine, am_dtype dtype, uint64_t bytes) {
  uint64_t low = 0, high = MOST_CTX / 256;
  while (low < high) {
    uint64_t middle = low + (high - low + 1) / 2;
    if (needed_bytes(engine, middle * 256, dtype, engine->chunk_tokens, 1) <= bytes)
      low = middle;
    else
      high = middle - 1;
  }
  return low * 256;
}

adam_status am_context_check(const am_engine *engine, const char *what, uint64_t n_ctx, am_dtype dtype,
                             uint32_t max_tokens, uint32_t max_outputs, adam_error *error) {
  uint64_t needed = needed_bytes(engine, n_ctx, dtype, max_tokens, max_outputs);
  uint64_t available = am_memory_available(), fits = 0;
  char hint[128];
  if (needed <= available) return ADAM_OK;
  fits = fitting_ctx(engine, dtype, available);
  if (fits)
    snprintf(hint, sizeof hint, "--ctx %llu fits%s", (unsigned long long)fits,
             dtype == AM_DTYPE_F32 ? ", --kv-type f16 halves it" : "");
  else
    snprintf(hint, sizeof hint, "a smaller model, or free some memory");
  return am_fail(error, ADAM_NO_MEMORY, what, hint,
                 "a context of %llu tokens needs %llu bytes for cache and activations, %llu are free",
                 (unsigned long long)n_ctx, (unsigned long long)needed, (unsigned long long)available);
}

static uint32_t choose_chunk(const am_engine *engine) {
  uint32_t chunk = MOST_CHUNK;
  while (chunk > LEAST_CHUNK) {
    uint64_t n_bytes = am_workspace_bytes(engine->model, chunk, 1);
    if (n_bytes != 0 && n_bytes <= CHUNK_BYTES) break;
    chunk -= LEAST_CHUNK;
  }
  return chunk;
}

uint32_t am_context_score_rows(const am_engine *engine) {
  uint64_t rows = SCORE_BYTES / (sizeof(float) * (uint64_t)am_model_config(engine->model)->n_vocab);
  return rows < 1 ? 1 : rows > AM_CONTEXT_SCORE_ROWS ? AM_CONTEXT_SCORE_ROWS : (uint32_t)rows;
}

static void choose_default(am_engine *engine, uint64_t n_train) {
  uint64_t n_ctx = n_train == 0 ? UNKNOWN_CTX : n_train < DEFAULT_CTX ? n_train : DEFAULT_CTX;
  uint64_t of_store = am_loader_get_extra(engine->loader)->n_ctx;
  if (of_store > 0 && of_store <= MOST_CTX) n_ctx = n_train > 0 && n_train < of_store ? n_train : of_store;
  uint64_t wanted = n_ctx, room = am_memory_available() / 4 * 3;
  while (n_ctx / 2 >= LEAST_CTX &&
         needed_bytes(engine, n_ctx, engine->kv_dtype, engine->chunk_tokens, 1) > room)
    n_ctx /= 2;
  engine->n_ctx = n_ctx;
  if (n_ctx < wanted)
    snprintf(engine->clipped, sizeof engine->clipped,
             "the context is %llu tokens instead of %llu: more would not fit into memory well",
             (unsigned long long)n_ctx, (unsigned long long)wanted);
}

/* More than the model was trained for: by its makers' YaRN if there is one, else not. */
static adam_status reach(am_engine *engine, uint64_t asked, adam_error *error) {
  const am_config *config = am_model_config(engine->model);
  uint64_t native = am_arch_ctx(config), most = am_arch_extended_ctx(config);
  engine->n_ctx = asked;
  if (native == 0 || asked <= native) return ADAM_OK;
  if (most > native) {
    adam_status status = am_model_extend(engine->model, engine->loader, error);
    if (status) return status;
    snprintf(
        engine->extended, sizeof engine->extended,
        "the context is extended beyond the native %llu tokens by YaRN (factor %g), which may cost a little "
        "quality on short text",
        (unsigned long long)native, config->rope.factor);
  }
  if (asked <= most) return ADAM_OK;
  engine->n_ctx = most;
  snprintf(engine->clipped, sizeof engine->clipped,
           "the context is %llu tokens, all that the model was %s for, not %llu", (unsigned long long)most,
           most > native ? "made" : "trained", (unsigned long long)asked);
  return ADAM_OK;
}

adam_status am_context_choose(am_engine *engine, int64_t asked, adam_error *error) {
  if (asked < 0 || asked > MOST_CTX)
    return am_fail(error, ADAM_INVALID, "ctx", NULL, "%lld is out of range, expected 1 to %d",
                   (long long)asked, MOST_CTX);
  engine->chunk_tokens = choose_chunk(engine);
  engine->asked_ctx = (uint64_t)asked;
  if (asked == 0 && am_model_config(engine->model)->arch->is_encoder) {
    uint64_t n_train = am_model_config(engine->model)->n_ctx_train;
    engine->n_ctx = n_train ? n_train : UNKNOWN_CTX;
  } else if (asked == 0) {
    choose_default(engine, am_arch_ctx(am_model_config(engine->model)));
  } else {
    adam_status status = reach(engine, (uint64_t)asked, error);
    if (status) return status;
  }
  if (am_model_config(engine->model)->arch->is_encoder) return ADAM_OK; /* no cache */
  return am_context_check(engine, am_loader_path(engine->loader), engine->n_ctx, engine->kv_dtype,
                          engine->chunk_tokens, 1, error);
}
