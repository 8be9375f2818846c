/* SPDX-License-Identifier: Apache-2.0 */
/* Plain request and answer types, shared by the manager and by every backend. */
#ifndef ADAM_TYPES_H
#define ADAM_TYPES_H

#include <adam/status.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Which fields of adam_sampling the caller set; a field whose bit is clear is taken from the next
 * weaker source (preset, then the model's generation_config, then built-in). */
enum {
  ADAM_SET_TEMPERATURE = 1u << 0,
  ADAM_SET_TOP_P = 1u << 1,
  ADAM_SET_TOP_K = 1u << 2,
  ADAM_SET_MIN_P = 1u << 3,
  ADAM_SET_REPETITION_PENALTY = 1u << 4,
  ADAM_SET_PRESENCE_PENALTY = 1u << 5,
  ADAM_SET_FREQUENCY_PENALTY = 1u << 6,
  ADAM_SET_SEED = 1u << 7,
  ADAM_SET_MAX_TOKENS = 1u << 8
};

/* Sampling parameters, with the semantics of transformers' logits processors (presence and
 * frequency: vLLM's, over generated tokens only). Built-in values in brackets. */
typedef struct adam_sampling {
  uint32_t set;               /* ADAM_SET_* bits */
  int32_t top_k;              /* keep the k best; 0 = off [0] */
  double temperature;         /* 0 = greedy [0.7] */
  double top_p;               /* nucleus mass, (0, 1] [0.9] */
  double min_p;               /* share of the best probability, [0, 1) [0 = off] */
  double repetition_penalty;  /* > 0; prompt and output [1 = off] */
  double presence_penalty;    /* [0] */
  double frequency_penalty;   /* [0] */
  uint64_t seed;              /* unset: drawn below 2^53 (JSON keeps it), told in the result */
  int64_t max_tokens;         /* most tokens to generate, >= 0 [1000] */
} adam_sampling;

typedef enum adam_think { ADAM_THINK_DEFAULT = 0, ADAM_THINK_ON = 1, ADAM_THINK_OFF = 2 } adam_think;

typedef enum adam_finish_reason {
  ADAM_FINISH_STOP = 0,      /* end token or stop string */
  ADAM_FINISH_LENGTH = 1,    /* max_tokens, or the context is full */
  ADAM_FINISH_CANCELLED = 2, /* the callback said so */
  ADAM_FINISH_TOOL_CALLS = 3,
  ADAM_FINISH_ERROR = 4
} adam_finish_reason;

/* Called before each token is chosen, on the thread of the caller of generate: logits (n_vocab) are the
 * model's own for the token at `position` (0 = the first generated one) and may be changed; penalties,
 * temperature, filters and a constraint's mask come after. Return true to cancel. */
typedef bool (*adam_on_logits)(void *user, size_t position, float *logits, size_t n_vocab);

/* What the answer must look like (docs/structured.md); it holds behind a thinking part. Room to end is kept:
 * at any max_tokens the text is complete, and too few for the shortest one are ADAM_INVALID, naming it. */
typedef enum adam_constraint {
  ADAM_CONSTRAINT_NONE = 0,
  ADAM_CONSTRAINT_SCHEMA = 1,  /* constraint_text is a JSON Schema: the answer is JSON that is valid by it */
  ADAM_CONSTRAINT_GRAMMAR = 2, /* constraint_text is a grammar in GBNF */
  ADAM_CONSTRAINT_REGEX = 3,   /* constraint_text is a regular expression that all of the answer matches */
  ADAM_CONSTRAINT_CHOICE = 4   /* the answer is one of `choices` */
} adam_constraint;

/* One generation. Every pointer is borrowed for the duration of the call. Zero-initialise, then
 * set struct_size = sizeof(adam_request). Exactly one of prompt and messages_json is given. */
typedef struct adam_request {
  size_t struct_size;
  const char *prompt;         /* UTF-8, prompt_bytes long (may hold NUL) */
  size_t prompt_bytes;
  const char *messages_json;  /* JSON array of {"role","content",...}; NUL-terminated */
  const char *system;         /* system text put before prompt or messages; NULL = none */
  const char *tools_json;     /* JSON array of tool schemas for the template; NULL = none. With
                                 them calls are taken out of the answer (adam_chunk) */
  const char *kwargs_json;    /* JSON object merged last into the template's variables; NULL = none */
  adam_sampling sampling;
  const char *const *stop;    /* n_stop strings that end the answer and are not part of it */
  size_t n_stop;
  bool raw;                   /* prompt as it is: special tokens parsed, no template */
  bool ignore_eos;            /* end tokens do not end the answer */
  adam_think think;           /* enable_thinking for templates that know it */
  bool logprobs;              /* the log-probability of every generated token */
  int32_t top_logprobs;       /* and of the n likeliest ones at its place, 0 to 1000; above 0 it sets
                                 logprobs */
  adam_on_logits on_logits;   /* NULL = none */
  void *on_logits_user;
  adam_constraint constraint;
  const char *constraint_text; /* UTF-8, NUL-terminated */
  const char *const *choices;  /* n_choices texts */
  size_t n_choices;
  const char *tool_choice;    /* "auto", "none" (no call), "required" (at least one), or the name of the tool to
                                 call; NULL = auto */
} adam_request;

/* A token and its natural logarithm of probability: softmax of the model's own logits, before the hook,
 * penalties, temperature, filters and constraints. */
typedef struct adam_logprob {
  int32_t id;                 /* -1: a server does not tell */
  double logprob;             /* -inf where the logit is -inf or NaN */
  const char *bytes;          /* what the token adds to a text; may be part of a character */
  size_t n_bytes;
} adam_logprob;

/* A generated token with the likeliest ones at its place, best first (equals: lower id first). */
typedef struct adam_token_logprobs {
  adam_logprob token;
  const adam_logprob *top;
  size_t n_top;
} adam_token_logprobs;

/* A piece of the answer; pointers are borrowed until the callback returns. A piece always ends at
 * a character border. `ids` are the tokens decoded since the last piece; a piece can have text
 * without ids and ids without text. A piece with neither comes now and then while the caller would
 * otherwise wait long (prefill, a slow remote): it only asks whether to go on. */
typedef struct adam_chunk {
  const char *text;
  size_t text_bytes;
  const int32_t *ids;
  size_t n_ids;
  bool thinking;              /* text belongs to the thinking part, not to the answer */
  const adam_token_logprobs *logprobs; /* (n_ids) where the request asked for them; else NULL */
  const char *tool_call_json; /* a complete call: {"id","type":"function","function":{"name",
                                 "arguments"}}, arguments being JSON text; NULL = none */
} adam_chunk;

/* Called for each piece on the thread of the caller of generate; return true to cancel. */
typedef bool (*adam_on_chunk)(void *user, const adam_chunk *chunk);

typedef enum adam_notice_level { ADAM_NOTICE_INFO = 0, ADAM_NOTICE_DEGRADED = 1 } adam_notice_level;

/* Something that was not done as asked (degraded) or that is worth knowing (info). */
typedef struct adam_notice {
  const char *code;           /* short identifier: "renamed", "context_clipped" */
  adam_notice_level level;
  const char *text;           /* one line for a person */
} adam_notice;

typedef struct adam_timings {
  double load_ms;             /* opening the model, once */
  double prompt_ms;           /* prefill */
  double first_token_ms;      /* from the call to the first token */
  double decode_ms;           /* first token to the last one */
  double prompt_tokens_per_s;
  double decode_tokens_per_s;
} adam_timings;

/* An answer. All memory is owned by the result: adam_result_close. */
typedef struct adam_result {
  char *text;                 /* NUL-terminated, text_bytes without it; no thinking, no markup */
  size_t text_bytes;
  char *thinking;             /* NULL = none */
  char *tool_calls_json;      /* JSON array of the calls (adam_chunk); NULL = none */
  int32_t *ids;               /* every generated id, a final end token included */
  size_t n_ids;
  adam_finish_reason finish_reason;
  size_t prompt_tokens;
  size_t completion_tokens;
  char *model;
  char *backend;
  char *device;
  uint64_t seed;              /* the seed used, drawn or given */
  adam_sampling sampling;     /* the values used; the bit of one that a server keeps to itself is clear */
  adam_timings timings;
  adam_notice *notices;
  size_t n_notices;
  adam_token_logprobs *logprobs; /* (n_ids), tops and bytes in the same block; NULL = not asked for */
} adam_result;

/* Frees what the result holds and zeroes it; NULL and zeroed results are fine. One thread. */
ADAM_API void adam_result_close(adam_result *result);
/* "stop", "length", "cancelled", "tool_calls" or "error". Any thread. */
ADAM_API const char *adam_finish_reason_name(adam_finish_reason reason);

/* Should embeddings have the length 1? */
typedef enum adam_normalize {
  ADAM_NORMALIZE_DEFAULT = 0, /* as the model's own files say */
  ADAM_NORMALIZE_ON = 1,
  ADAM_NORMALIZE_OFF = 2
} adam_normalize;

/* Texts to embed. Every pointer is borrowed for the duration of the call. Zero-initialise, then set
 * struct_size. */
typedef struct adam_embed_request {
  size_t struct_size;
  const char *const *texts;   /* n_texts of UTF-8; empty ones are fine */
  const size_t *text_bytes;   /* length of each; NULL: they are NUL-terminated */
  size_t n_texts;
  const char *prompt_name;    /* one of the model's own prompts ("query"); NULL = its default, if any */
  const char *prompt;         /* put in front of each text; wins over prompt_name; "" = none */
  int64_t dimensions;         /* keep this many values (Matryoshka); 0 = all. Cut before the vector is
                                 normalised again */
  adam_normalize normalize;
} adam_embed_request;

/* Embeddings, in the order of the texts. All memory is owned by the result: adam_embed_result_close. */
typedef struct adam_embed_result {
  float *values;              /* (n_texts, dimensions), row by row; NULL when n_texts is 0 */
  size_t n_texts;
  size_t dimensions;
  size_t n_tokens;            /* computed in all, special tokens counted */
  size_t n_truncated;         /* texts that were longer than the model reads */
  char *model;
  char *backend;
  char *device;
  double embed_ms;
  adam_notice *notices;
  size_t n_notices;
} adam_embed_result;

/* Frees what the result holds and zeroes it; NULL and zeroed results are fine. One thread. */
ADAM_API void adam_embed_result_close(adam_embed_result *result);

/* Documents to score against a query. Pointers as in adam_embed_request. */
typedef struct adam_rerank_request {
  size_t struct_size;
  const char *query;
  size_t query_bytes;
  const char *const *documents; /* n_documents of UTF-8 */
  const size_t *document_bytes; /* NULL: they are NUL-terminated */
  size_t n_documents;
  const char *instruction;    /* what counts as relevant, for generative rerankers; NULL = the usual one */
} adam_rerank_request;

/* Scores, in the order of the documents: the larger, the more relevant; from 0 to 1 where the model's
 * files name no activation of their own. All memory is owned by the result: adam_rerank_result_close. */
typedef struct adam_rerank_result {
  double *scores;             /* n_documents; NULL when there is none */
  size_t n_documents;
  size_t n_tokens;
  size_t n_truncated;
  char *model;
  char *backend;
  char *device;
  double rerank_ms;
  adam_notice *notices;
  size_t n_notices;
} adam_rerank_result;

/* Frees what the result holds and zeroes it; NULL and zeroed results are fine. One thread. */
ADAM_API void adam_rerank_result_close(adam_rerank_result *result);

/* How a model is opened. Zero-initialise, set struct_size. NULL and 0 mean "the default". */
typedef struct adam_model_options {
  size_t struct_size;
  const char *device;         /* "auto", "cpu", "cuda" */
  const char *kv_type;        /* "f32" (default), "f16" */
  int64_t n_ctx;              /* context in tokens; 0: the model's own, clipped to what is sensible */
  int32_t n_threads;          /* 0: ADAM_THREADS, else the processors that this process may use */
  const char *cache_dir;      /* the Hugging Face hub cache; NULL: HF_HUB_CACHE, HF_HOME, default */
  bool vocab_only;            /* tokenizer and template only; no weights are needed */
  bool describe;              /* headers only: facts, tokenizer and template; nothing can be generated
                                 and no memory is reserved for it */
  const char *ollama_host;    /* where the Ollama server is, in any spelling of OLLAMA_HOST; NULL: that
                                 variable, else http://127.0.0.1:11434 */
  const char *keep_alive;     /* how long the Ollama server keeps the model in memory: "10m", "-1" (for
                                 ever), "0" (not at all), "300" (seconds); NULL: the server's own rule */
  bool start_server;          /* an Ollama server of this machine that does not run is started and left
                                 running */
  const char *base_url;       /* where the server of the backends openai and anthropic is; NULL: OPENAI_BASE_URL or
                                 ANTHROPIC_BASE_URL, else the vendor's own */
  const char *api_key_file;   /* a file of mode 0600 with the key for it; NULL: OPENAI_API_KEY or
                                 ANTHROPIC_API_KEY, else openai.key or anthropic.key in adam's configuration */
  uint32_t timeout_ms;        /* how long such a server may send nothing new; 0: 600 s */
} adam_model_options;

#ifdef __cplusplus
}
#endif
#endif
