/* SPDX-License-Identifier: Apache-2.0 */
/* What a server tells about itself and about a model. */
#include "backend/openai/openai.h"

#include "base/mem.h"
#include <stdio.h>
#include <string.h>

void am_openai_facts(const adam_backend_model *m, adam_model_info *info) {
  static const char *const contexts[] = {"max_model_len", "context_length", "context_window"}; /* vLLM and
                                                                          SGLang, OpenRouter, Groq */
  const am_json *meta = am_json_get(m->entry, "meta"); /* of llama-server */
  info->name = m->name;
  info->backend = "openai";
  info->device = "server";
  for (size_t i = 0; i < sizeof contexts / sizeof *contexts && !info->n_ctx; i++)
    info->n_ctx = am_json_int(am_json_get(m->entry, contexts[i]), 0);
  info->n_ctx_train = am_json_int(am_json_get(meta, "n_ctx_train"), info->n_ctx);
  info->n_vocab = am_json_int(am_json_get(meta, "n_vocab"), 0);
  info->n_embd = info->n_embedding = am_json_int(am_json_get(meta, "n_embd"), 0);
  int64_t n_parameters = am_json_int(am_json_get(meta, "n_params"), 0);
  int64_t size = am_json_int(am_json_get(meta, "size"), 0);
  if (n_parameters > 0) info->n_parameters = (uint64_t)n_parameters;
  if (size > 0) info->weights_bytes = (uint64_t)size;
  info->has_chat_template = true; /* the server puts messages into it */
  info->template_features = (adam_template_features){.system = true, .tools = true};
}

/* /version lies beside /v1, not below it. */
int64_t am_openai_version(adam_backend_model *m) {
  if (m->has_version) return m->version;
  m->has_version = true;
  am_remote_server root = m->server;
  size_t n = strlen(root.url);
  if (n > 3 && !strcmp(root.url + n - 3, "/v1")) n -= 3;
  root.url = am_mem_dup(root.url, n);
  am_arena arena = {0};
  am_json answer = {0};
  unsigned major = 0, minor = 0, patch = 0;
  const am_remote_ask ask = {"GET", "/version", NULL, NULL, true};
  if (root.url && !am_remote_call(&root, &ask, &arena, &answer, NULL, NULL) &&
      sscanf(am_json_str(am_json_get(&answer, "version"), ""), "%4u.%4u.%4u", &major, &minor, &patch) >= 2)
    m->version = (int64_t)major * 1000000 + (int64_t)(minor % 1000) * 1000 + patch % 1000;
  am_mem_free(root.url);
  am_arena_close(&arena);
  return m->version;
}

bool am_openai_yield(adam_backend_model *m, const am_remote_refusal *refusal, uint32_t sent) {
  uint32_t named = 0, bit = 0;
  const char *name;
  for (uint32_t i = 0; (name = am_openai_parameter_at(i, &bit)); i++)
    if ((sent & bit) && am_remote_refuses(refusal, name)) named |= bit;
  m->lacks |= named;
  return named != 0;
}
