/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/openai/dialect.h"

#include <stddef.h>
#include <string.h>

static const am_openai_dialect dialects[] = {
    {.name = "OpenAI",
     .owner = "openai",
     .lacks = AM_OPENAI_BEYOND | AM_OPENAI_MAX_TOKENS,
     .is_known = true,
     .repetition = "repetition_penalty"},
    {.name = "vLLM",
     .owner = "vllm",
     .is_known = true,
     .keeps_reasoning = true,
     .repetition = "repetition_penalty",
     .forms = AM_OPENAI_FORMS_VLLM},
    {.name = "SGLang",
     .owner = "sglang",
     .is_known = true,
     .keeps_reasoning = true,
     .repetition = "repetition_penalty",
     .forms = AM_OPENAI_FORMS_SGLANG},
    {.name = "llama-server",
     .owner = "llamacpp",
     .is_known = true,
     .serves_any_name = true,
     .keeps_reasoning = true,
     .repetition = "repeat_penalty",
     .forms = AM_OPENAI_FORMS_LLAMA},
    {.name = "llama_cpp.server",
     .owner = "me",
     .lacks = AM_OPENAI_IGNORE_EOS | AM_OPENAI_TEMPLATE_KWARGS | AM_OPENAI_BASE64 | AM_OPENAI_DIMENSIONS,
     .is_known = true,
     .serves_any_name = true,
     .schema_in_object = true,
     .repetition = "repeat_penalty",
     .forms = AM_OPENAI_FORMS_LLAMA},
    {.name = "Ollama",
     .owner = "library",
     .lacks = AM_OPENAI_BEYOND | AM_OPENAI_DIMENSIONS,
     .is_known = true,
     .repetition = "repetition_penalty"},
};
static const am_openai_dialect unknown = {.name = "this server", .repetition = "repetition_penalty"};

const am_openai_dialect *am_openai_dialect_find(const char *owner) {
  for (size_t i = 0; owner && i < sizeof dialects / sizeof *dialects; i++)
    if (!strcmp(owner, dialects[i].owner)) return &dialects[i];
  /* OpenAI's own models belong to "system" and "openai-internal", too. */
  if (owner && (!strcmp(owner, "system") || !strncmp(owner, "openai-", 7))) return &dialects[0];
  return &unknown;
}

const char *am_openai_parameter_at(uint32_t index, uint32_t *bit) {
  static const struct {
    const char *name;
    uint32_t bit;
  } parameters[] = {{"temperature", AM_OPENAI_TEMPERATURE},
                    {"top_p", AM_OPENAI_TOP_P},
                    {"presence_penalty", AM_OPENAI_PRESENCE},
                    {"frequency_penalty", AM_OPENAI_FREQUENCY},
                    {"seed", AM_OPENAI_SEED},
                    {"stream_options", AM_OPENAI_STREAM_OPTIONS},
                    {"stream", AM_OPENAI_STREAM},
                    {"max_tokens", AM_OPENAI_MAX_TOKENS},
                    {"top_k", AM_OPENAI_TOP_K},
                    {"min_p", AM_OPENAI_MIN_P},
                    {"repetition_penalty", AM_OPENAI_REPETITION},
                    {"repeat_penalty", AM_OPENAI_REPETITION},
                    {"ignore_eos", AM_OPENAI_IGNORE_EOS},
                    {"chat_template_kwargs", AM_OPENAI_TEMPLATE_KWARGS},
                    {"encoding_format", AM_OPENAI_BASE64},
                    {"dimensions", AM_OPENAI_DIMENSIONS}};
  if (index >= sizeof parameters / sizeof *parameters) return NULL;
  *bit = parameters[index].bit;
  return parameters[index].name;
}
