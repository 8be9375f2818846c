/* SPDX-License-Identifier: Apache-2.0 */
/* backend/openai/dialect: who speaks OpenAI's API, and what each takes beyond it. A server is known by the
 * owner that its list of models names. Sources: the servers' own documentation and answers (vLLM 0.6 to 0.12,
 * SGLang 0.4, llama-server, llama_cpp.server 0.3, Ollama 0.9.6). Constant. */
#ifndef AM_BACKEND_OPENAI_DIALECT_H
#define AM_BACKEND_OPENAI_DIALECT_H

#include <stdbool.h>
#include <stdint.h>

/* Parameters that some server does not know. */
enum {
  AM_OPENAI_TEMPERATURE = 1u << 0,
  AM_OPENAI_TOP_P = 1u << 1,
  AM_OPENAI_PRESENCE = 1u << 2,
  AM_OPENAI_FREQUENCY = 1u << 3,
  AM_OPENAI_SEED = 1u << 4,
  AM_OPENAI_STREAM_OPTIONS = 1u << 5,
  AM_OPENAI_STREAM = 1u << 6,
  AM_OPENAI_MAX_TOKENS = 1u << 7, /* it wants max_completion_tokens */
  AM_OPENAI_TOP_K = 1u << 8,      /* from here on: not of OpenAI's API */
  AM_OPENAI_MIN_P = 1u << 9,
  AM_OPENAI_REPETITION = 1u << 10,
  AM_OPENAI_IGNORE_EOS = 1u << 11,
  AM_OPENAI_TEMPLATE_KWARGS = 1u << 12,
  AM_OPENAI_BASE64 = 1u << 13, /* of embeddings */
  AM_OPENAI_DIMENSIONS = 1u << 14,
  AM_OPENAI_BEYOND = AM_OPENAI_TOP_K | AM_OPENAI_MIN_P | AM_OPENAI_REPETITION | AM_OPENAI_IGNORE_EOS |
                     AM_OPENAI_TEMPLATE_KWARGS
};

/* How an answer is held to a form that response_format does not have. */
typedef enum am_openai_forms {
  AM_OPENAI_FORMS_NONE,
  AM_OPENAI_FORMS_VLLM,   /* structured_outputs, before 0.11 guided_* : regex, choice, grammar */
  AM_OPENAI_FORMS_SGLANG, /* regex, ebnf */
  AM_OPENAI_FORMS_LLAMA   /* grammar */
} am_openai_forms;

typedef struct am_openai_dialect {
  const char *name;       /* for people */
  const char *owner;      /* in "owned_by" */
  uint32_t lacks;         /* for sure */
  bool is_known;          /* what it does not lack it has */
  bool serves_any_name;   /* one model, whatever a request calls it */
  bool keeps_reasoning;   /* takes reasoning_content of earlier messages */
  bool schema_in_object;  /* response_format is {"type":"json_object","schema":...} */
  const char *repetition; /* its word for repetition_penalty */
  am_openai_forms forms;
} am_openai_dialect;

/* owner: NULL = none told. Never NULL. */
const am_openai_dialect *am_openai_dialect_find(const char *owner);
/* The parameter's name in requests; index from 0, NULL behind the last. */
const char *am_openai_parameter_at(uint32_t index, uint32_t *bit);

#endif
