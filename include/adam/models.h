/* SPDX-License-Identifier: Apache-2.0 */
/* Models on this machine: getting them. Each section belongs to one verb. Nothing here needs an open
 * manager. */
#ifndef ADAM_MODELS_H
#define ADAM_MODELS_H

#include <adam/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- pull: download a model ---- */

typedef enum adam_pull_state {
  ADAM_PULL_PENDING,  /* not begun */
  ADAM_PULL_FETCHING, /* bytes are coming */
  ADAM_PULL_LOCKED,   /* another process is fetching the file; its bytes will be used */
  ADAM_PULL_CHECKING, /* all bytes are here, the digest is computed */
  ADAM_PULL_PRESENT,  /* was on this machine before */
  ADAM_PULL_DONE      /* downloaded and verified */
} adam_pull_state;

typedef struct adam_pull_file {
  const char *name;    /* path in the repository, or the name of a layer */
  uint64_t bytes;      /* 0 = unknown */
  uint64_t done_bytes; /* on this machine */
  adam_pull_state state;
} adam_pull_file;

/* How far it is. Borrowed until the callback returns. */
typedef struct adam_pull_progress {
  size_t struct_size;
  const char *model;         /* as asked for */
  const char *note;          /* what it waits for: "the server limits requests: 12 s"; NULL = nothing */
  const adam_pull_file *files;
  size_t n_files;            /* 0 while the list is being fetched */
  uint64_t bytes;            /* of all files; 0 = unknown */
  uint64_t done_bytes;       /* of all files, on this machine */
  uint64_t received_bytes;   /* over the network by this call */
  double bytes_per_second;   /* over the last seconds; 0 = not known yet */
} adam_pull_progress;

/* Called about ten times a second on the thread that called adam_pull; true = cancel. */
typedef bool (*adam_on_pull)(void *user, const adam_pull_progress *progress);

/* Zero-initialise, set struct_size; NULL and 0 mean the default. Everything is borrowed for the call. */
typedef struct adam_pull_options {
  size_t struct_size;
  const char *model;     /* REF: ORG/NAME[@REVISION][:FILE-or-QUANTIZATION], hf:..., a preset, BACKEND:NAME */
  const char *cache_dir; /* the Hugging Face hub cache; NULL: by the HF_ variables */
  const char *token;     /* NULL: HF_TOKEN, else what hf auth login wrote */
  const char *ollama_host; /* for ollama:NAME; NULL = OLLAMA_HOST */
  bool offline;          /* no network: only look whether the model is here, whole */
  int32_t n_connections; /* at once; 0 = 8 */
  adam_on_pull on_progress;
  void *user;
  bool start_server;     /* for ollama:NAME; as in adam_model_options */
} adam_pull_options;

/* What there is now. Strings are owned by the result: adam_pull_result_close. */
typedef struct adam_pull_result {
  char *model;             /* the name that stands for it: "Qwen/Qwen3-0.6B" */
  char *path;              /* folder or file that a manager opens; NULL: a server keeps it */
  char *commit;            /* of the Hub, 40 hex digits; NULL = none */
  uint64_t n_files, bytes; /* of the model: what is needed of the repository */
  uint64_t received_bytes; /* over the network by this call */
  char *notice;            /* a renamed model, in words; NULL = none */
} adam_pull_result;

/* Downloads what is needed to run the model, takes what Ollama's store has already by link, verifies each file by its digest (SHA-256, or git's SHA-1 for small
 * files) and puts it into the standard Hugging Face cache. What is there already is kept; what an earlier call
 * left unfinished goes on; a model that another process is pulling is waited for. Any thread, any number at once.
 * *result is untouched on failure. ADAM_NOT_FOUND: no such model, revision or file; ADAM_FAILED: not allowed, or
 * cut; ADAM_UNAVAILABLE: no server, or it has trouble; ADAM_LIMIT: the server limits requests; ADAM_IO: the disk is
 * full; ADAM_DAMAGED: wrong bytes; ADAM_CANCELLED: what came is kept. */
ADAM_API adam_status adam_pull(const adam_pull_options *options, adam_pull_result *result, adam_error *error);
/* Frees the strings and zeroes the result; NULL is fine. */
ADAM_API void adam_pull_result_close(adam_pull_result *result);

/* ---- convert: a model of one format as another ---- */

/* Zero-initialise, set struct_size; NULL and 0 mean the default. Everything is borrowed for the call. */
typedef struct adam_convert_options {
  size_t struct_size;
  const char *source;    /* REF of a model whose files are on this machine: a folder, .safetensors, .gguf, a name */
  const char *target;    /* ends in .gguf (what stands there is replaced), or a folder for safetensors, which does
                            not exist yet or is empty */
  const char *type;      /* "f32", "f16", "bf16", "q8_0", "q4_k_m", ...; NULL: each tensor as it is stored. A folder
                            takes the first three */
  const char *name;      /* the model's name in the target (general.name); NULL: the source's */
  const char *cache_dir; /* the Hugging Face hub cache; NULL: by the HF_ variables */
  int32_t n_threads;     /* 0: ADAM_THREADS, else the processors that this process may use */
  bool (*on_progress)(void *user, uint64_t done_bytes, uint64_t total_bytes); /* on the calling thread; true =
                            cancel; NULL = none */
  void *user;
} adam_convert_options;

typedef struct adam_convert_result {
  char architecture[32]; /* "qwen3" */
  char type[16];         /* the type asked for, or the one that most weights have */
  uint64_t n_tensors, n_parameters;
  uint64_t source_bytes; /* of weights */
  uint64_t bytes;        /* of the files of weights that were written */
  double convert_ms;
  adam_notice *notices;  /* what the target's format cannot say; owned: adam_convert_result_close */
  size_t n_notices;
} adam_convert_result;

/* Writes the model as a GGUF that llama.cpp and Ollama open too, or as a folder that transformers opens too. The
 * target appears whole or not at all; its bytes depend on the model and the type alone. Memory stays small
 * whatever the model's size. Any thread; one call at a time per target. *result is untouched on failure.
 * ADAM_INVALID: no such type, the target is the source, or a folder with something in it; ADAM_UNSUPPORTED: the
 * target's format has no words for this model; ADAM_LIMIT: no room on the disk; ADAM_CANCELLED. */
ADAM_API adam_status adam_convert(const adam_convert_options *options, adam_convert_result *result, adam_error *error);
/* Frees the notices and zeroes the result; NULL is fine. */
ADAM_API void adam_convert_result_close(adam_convert_result *result);

#ifdef __cplusplus
}
#endif
#endif
