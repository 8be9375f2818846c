/* SPDX-License-Identifier: Apache-2.0 */
/* The operations table that makes a backend. adam's own backends are this same table; a caller can
 * register one of their own with adam_backend_register (registry.h).
 *
 * Versioning: the table begins with `version` and `struct_size`. Members are only ever appended; a
 * member past struct_size, or NULL where the text below allows it, means "cannot do this", and the
 * manager then answers ADAM_UNSUPPORTED with the backend's name. */
#ifndef ADAM_BACKEND_H
#define ADAM_BACKEND_H

#include <adam/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ADAM_BACKEND_VERSION 1u

/* What a chat template does, found by rendering with it. */
typedef struct adam_template_features {
  bool system;                /* a system message reaches the prompt */
  bool tools;                 /* tools reach the prompt */
  bool thinking;              /* answers may begin with a thinking part */
  bool thinking_switch;       /* enable_thinking changes the prompt */
} adam_template_features;

/* One stored tensor. Pointers are borrowed until the callback returns. */
typedef struct adam_tensor_entry {
  const char *name;
  const char *dtype;          /* "bf16", "q4_k" */
  const uint64_t *shape;      /* (n_dims), slowest first */
  uint32_t n_dims;
  uint64_t n_bytes;
} adam_tensor_entry;
typedef bool (*adam_on_tensor)(void *user, const adam_tensor_entry *entry); /* true = stop */

/* How far a long piece of work is, in bytes; true = cancel. */
typedef bool (*adam_on_progress)(void *user, uint64_t done, uint64_t total);

/* Facts about an open model. Strings are borrowed from the model until it is closed; NULL or 0
 * where unknown. */
typedef struct adam_model_info {
  size_t struct_size;
  const char *name;           /* as given or resolved */
  const char *path;           /* file or directory; NULL for remote models */
  const char *backend;
  const char *device;         /* "cpu", "cuda:0" */
  const char *architecture;   /* "qwen3", "llama" */
  const char *dtype;          /* most common weight type: "bf16", "q4_1" */
  const char *tokenizer;      /* "bpe", ... */
  uint64_t n_parameters;
  uint64_t weights_bytes;
  uint64_t kv_bytes_per_token;
  int64_t n_layers;
  int64_t n_embd;
  int64_t n_vocab;            /* rows of the logits */
  int64_t n_ctx_train;        /* the model's own context */
  int64_t n_ctx;              /* the context of this instance */
  double load_ms;
  bool has_chat_template;
  adam_sampling defaults;     /* from generation_config.json; `set` says which keys it has */
  const int32_t *end_ids;     /* tokens that end an answer */
  size_t n_end_ids;
  int64_t n_embedding;        /* values of one embedding; 0 = it makes none */
  bool is_embedding;          /* made for embeddings: an encoder, or a model whose files say how to pool */
  bool is_reranker;           /* has a head that scores a pair of texts */
  uint64_t n_active_parameters; /* that one token meets; less than n_parameters in a mixture */
  int64_t n_ctx_extended;     /* the most that n_ctx may ask for; n_ctx_train where nothing extends it */
  const char *license;        /* as the model names it: "apache-2.0" */
  adam_template_features template_features; /* of a model that was opened to be described */
  const char *origin_json;    /* where the model comes from and what came along, a JSON object. Of the Ollama
                                 store "store", "root", "manifest", "digest", "layers" [{"kind","digest",
                                 "bytes"}], "parameters", "system", "messages", "template", "template_used"
                                 ("jinja", "go", "none"), "licenses". Of another model that was opened to be
                                 described "store" ("huggingface", "adam", "shipped", "file"), "also" (names of
                                 Ollama's models that run from this very file), and of a Hugging Face cache
                                 "root", "repository", "commit", "revisions", "file". NULL = unknown */
} adam_model_info;

/* What a backend tells about a finished generation; text and ids went through the sink. Zeroed by
 * the caller. Strings are borrowed from the model until it is closed. */
typedef struct adam_outcome {
  size_t struct_size;
  adam_finish_reason finish_reason;
  size_t prompt_tokens;
  size_t completion_tokens;
  uint64_t seed;
  adam_sampling sampling;     /* the values used, all bits set; a backend that cannot know one clears its
                                 bit; none set = those of the request */
  adam_timings timings;       /* load_ms is filled in by the manager */
} adam_outcome;

/* What a backend counted while it embedded or reranked. Zeroed by the caller. */
typedef struct adam_embed_outcome {
  size_t struct_size;
  size_t n_tokens;            /* computed in all, special tokens counted */
  size_t n_truncated;         /* texts of which only the beginning was read */
} adam_embed_outcome;

/* Where a backend sends pieces and notices while it works. Both are called on the thread that
 * called the operation; what they get is copied before they return. */
typedef struct adam_sink {
  void *user;
  adam_on_chunk on_chunk;     /* true = cancel: stop soon and report ADAM_FINISH_CANCELLED */
  void (*on_notice)(void *user, const adam_notice *notice);
} adam_sink;

/* A model that a backend has opened; each backend defines its own. */
typedef struct adam_backend_model adam_backend_model;

/* Answer to "which models are here"; strings are borrowed until the callback returns. */
typedef struct adam_model_entry {
  const char *name;           /* a REF that opens it */
  const char *path;
  uint64_t bytes;
  const char *quantization;   /* "q4_1", "bf16"; NULL = unknown */
  const char *store;          /* "huggingface", "shipped", "mock" */
  int64_t last_used_unix_s;   /* 0 = unknown */
  const char *reachable;      /* "native": by adam's own engine, "ollama": by Ollama, "both"; NULL = unknown */
} adam_model_entry;
typedef void (*adam_on_model)(void *user, const adam_model_entry *entry);

/* Chat rendering: the prompt text, byte for byte. Pointers borrowed for the call. */
typedef struct adam_render_request {
  size_t struct_size;
  const char *messages_json;
  const char *tools_json;             /* NULL = none */
  const char *kwargs_json;            /* NULL = none; merged last */
  const char *template_text;          /* NULL = the model's own; else UTF-8, NUL-terminated */
  const char *template_name;          /* for error messages; NULL = "chat template" */
  bool no_generation_prompt;
  adam_think think;
} adam_render_request;

/* Appends bytes to what the caller collects; returns false when memory ran out. */
typedef bool (*adam_write)(void *user, const void *bytes, size_t n_bytes);

enum { ADAM_TOKENIZE_NO_SPECIAL = 1u << 0 }; /* no BOS, EOS or template of the post-processor */

/* What generate can do beside the plain request. The manager answers ADAM_UNSUPPORTED for a request
 * that needs more, before the backend is called. */
enum {
  ADAM_FEATURE_LOGPROBS = 1u << 0, /* fills adam_chunk.logprobs where the request asks for it */
  ADAM_FEATURE_ON_LOGITS = 1u << 1, /* calls the request's on_logits */
  ADAM_FEATURE_CONSTRAINT = 1u << 2, /* holds the answer to the request's constraint */
  ADAM_FEATURE_SCHEMA = 1u << 3,   /* the same, but to a JSON Schema only */
  ADAM_FEATURE_SERVER = 1u << 4,   /* a server does the work, where the options say: open finds out
                                      whether it is there, `available` asks at the usual place */
  ADAM_FEATURE_TOOL_CHOICE = 1u << 5, /* heeds the request's tool_choice; without it, "none" leaves the tools
                                      out, and "required" and names are refused */
  ADAM_FEATURE_NO_RAW = 1u << 6,   /* refuses raw prompts */
  ADAM_FEATURE_NO_SEED = 1u << 7   /* has no seed: an answer does not come back by it */
};

/* A step of downloading a model; borrowed until the callback returns. */
typedef struct adam_backend_step {
  const char *text;           /* in the backend's words: "pulling manifest" */
  const char *item;           /* the file or layer; NULL = none */
  uint64_t done, total;       /* bytes of the item; total 0 = unknown */
} adam_backend_step;
typedef bool (*adam_on_backend_step)(void *user, const adam_backend_step *step); /* true = cancel */

typedef struct adam_backend_ops {
  uint32_t version;           /* ADAM_BACKEND_VERSION */
  size_t struct_size;         /* sizeof(adam_backend_ops) of the header compiled against */
  const char *name;           /* "huggingface"; lower case, no ':' */
  const char *description;    /* one line */
  void *context;              /* given back as the first argument below; borrowed for ever */

  /* Can the backend be used here and now? ADAM_OK, or ADAM_UNAVAILABLE with the reason. Any
   * thread. NULL = always. */
  adam_status (*available)(void *context, adam_error *error);
  /* Opens `model`: for huggingface a file or directory path, or "ollama:NAME" of the Ollama store on this
   * machine; for others the part of the REF after "NAME:". *out is untouched on failure. The model may be used by one thread at a time, except
   * where the backend says otherwise. Required. */
  adam_status (*open)(void *context, const char *model, const adam_model_options *options,
                      adam_backend_model **out, adam_error *error);
  /* Required. NULL is allowed. */
  void (*close)(void *context, adam_backend_model *model);
  /* Generates. Sampling fields whose bit is clear: the model's own, else built-in. Required. */
  adam_status (*generate)(void *context, adam_backend_model *model, const adam_request *request,
                          const adam_sink *sink, adam_outcome *outcome, adam_error *error);
  /* Fills *info (zeroed, struct_size set by the caller). Required. */
  adam_status (*info)(void *context, adam_backend_model *model, adam_model_info *info,
                      adam_error *error);
  /* Text to ids: writes at most capacity ids and always sets *n_ids to how many there are. NULL =
   * cannot. flags: ADAM_TOKENIZE_*. */
  adam_status (*tokenize)(void *context, adam_backend_model *model, const char *text,
                          size_t text_bytes, uint32_t flags, int32_t *ids, size_t capacity,
                          size_t *n_ids, adam_error *error);
  /* Ids to text, special tokens included. NULL = cannot. */
  adam_status (*detokenize)(void *context, adam_backend_model *model, const int32_t *ids,
                            size_t n_ids, adam_write write, void *user, adam_error *error);
  /* The stored spelling of one token (as in the vocabulary). NULL = cannot. */
  adam_status (*token_text)(void *context, adam_backend_model *model, int32_t id, adam_write write,
                            void *user, adam_error *error);
  /* Messages to prompt text. NULL = cannot. */
  adam_status (*render)(void *context, adam_backend_model *model,
                        const adam_render_request *request, adam_write write, void *user,
                        adam_error *error);
  /* Teacher-forced scoring of n_ids >= 1 tokens: on_logits gets, for each position in order, the
   * n_vocab float32 logits that predict the next token (borrowed until it returns); true =
   * cancel. NULL = cannot. */
  adam_status (*score)(void *context, adam_backend_model *model, const int32_t *ids, size_t n_ids,
                       bool (*on_logits)(void *user, size_t position, const float *logits,
                                         size_t n_vocab),
                       void *user, adam_error *error);
  /* Lists the models that this backend could open here. NULL = none. */
  adam_status (*list)(void *context, const adam_model_options *options, adam_on_model on_model,
                      void *user, adam_error *error);
  /* Embeds texts: on_embedding gets the vector of each text in order (borrowed until it returns); true =
   * cancel. Notices go to sink (on_chunk is not called). NULL = cannot. */
  adam_status (*embed)(void *context, adam_backend_model *model, const adam_embed_request *request,
                       const adam_sink *sink,
                       bool (*on_embedding)(void *user, size_t index, const float *values,
                                            size_t n_values),
                       void *user, adam_embed_outcome *outcome, adam_error *error);
  /* Scores documents against a query into scores (n_documents). NULL = cannot. */
  adam_status (*rerank)(void *context, adam_backend_model *model, const adam_rerank_request *request,
                        const adam_sink *sink, double *scores, adam_embed_outcome *outcome,
                        adam_error *error);
  uint32_t features;          /* ADAM_FEATURE_*; 0 = none */
  /* Every stored tensor, in the order of the files. NULL = cannot. */
  adam_status (*tensors)(void *context, adam_backend_model *model, adam_on_tensor on_tensor,
                         void *user, adam_error *error);
  /* SHA-256 of the weights, 64 hex digits and a NUL: of the one file, or of the lines
   * "DIGEST  NAME\n" of several, sorted by name. by_name_only: ADAM_NOT_FOUND where it would have to
   * be computed. NULL = cannot. */
  adam_status (*digest)(void *context, adam_backend_model *model, bool by_name_only,
                        adam_on_progress on_progress, void *user, char digest[65],
                        adam_error *error);
  /* Downloads `model` (as open takes it) to where the backend keeps its models. The step that was told last
   * comes again about ten times a second, so that it can be cancelled: ADAM_CANCELLED. NULL = cannot. */
  adam_status (*pull)(void *context, const char *model, const adam_model_options *options,
                      adam_on_backend_step on_step, void *user, adam_error *error);
  /* Removes `model` from there; ADAM_NOT_FOUND. NULL = cannot. */
  adam_status (*remove)(void *context, const char *model, const adam_model_options *options,
                        adam_error *error);
  /* Gives back the memory that a server holds for `model`; fine where it holds none. NULL = cannot. */
  adam_status (*unload)(void *context, const char *model, const adam_model_options *options,
                        adam_error *error);
  /* Another name for a model. NULL = cannot. */
  adam_status (*copy)(void *context, const char *from, const char *to, const adam_model_options *options,
                      adam_error *error);
} adam_backend_ops;

#ifdef __cplusplus
}
#endif
#endif
