/* SPDX-License-Identifier: Apache-2.0 */
/* loader: one open model whatever the file format.
 * Purpose: config + named tensors + vocabulary + template + generation defaults, from a Hugging Face
 *   directory (one file or sharded by index), a .safetensors file beside its config.json, or a GGUF.
 * Out: an open model that owns the maps; tensors, config and texts are borrowed until close.
 * Threads: immutable after open. Invariant: every tensor's bytes lie inside a mapped file, or belong to a
 *   weight that prequant/ composed. */
#ifndef AM_LOADER_LOADER_H
#define AM_LOADER_LOADER_H

#include "arch/arch.h"
#include "formats/gguf.h"
#include "loader/sentence.h"
#include "tokenizer/tokenizer.h"
#include <adam/types.h>

typedef struct am_loader am_loader;

enum {
  AM_LOADER_VOCAB_ONLY = 1u << 0, /* tokenizer and template; config and weights may be absent */
  AM_LOADER_NO_DATA = 1u << 1     /* weights composed of several tensors (prequant/) have names, shapes and dtypes,
                                     but no data: to look at, or to build one at a time */
};

/* What a store of models says of one beside its file (Ollama's layers); NULL or 0 = nothing. */
typedef struct am_loader_extra {
  const char *name;            /* instead of the file's */
  const char *license;         /* its text, or what it is called */
  const char *system;          /* of a chat that has no system message */
  const char *messages_json;   /* array, put before every chat */
  const char *go_template;     /* Go text/template, which its own server renders; stronger than the file's Jinja */
  const char *prefers_jinja;   /* why the Jinja is the better one, where there is one */
  bool strip_thinking;         /* its server leaves the thinking of earlier answers out */
  const char *note;            /* what of it is not used, for people */
  const char *const *stop;     /* n_stop strings that end an answer, beside those of the request */
  size_t n_stop;
  uint64_t n_ctx;              /* the context where none is asked for */
  adam_sampling sampling;      /* the fields in `set` win over the file's */
} am_loader_extra;

/* path: directory, .gguf or .safetensors. cache_dir: for cached tokenizers; NULL = none. */
adam_status am_loader_open(const char *path, uint32_t flags, const char *cache_dir, am_loader **out,
                           adam_error *error);
void am_loader_close(am_loader **loader);
/* Right after opening, before anyone else sees the loader; all is copied. A stop string that is one special token
 * joins the end tokens too. */
adam_status am_loader_add_extra(am_loader *loader, const am_loader_extra *extra, adam_error *error);
const am_loader_extra *am_loader_get_extra(const am_loader *loader); /* never NULL */

const char *am_loader_path(const am_loader *loader);
const char *am_loader_name(const am_loader *loader);         /* general.name or the directory's */
/* The GGUF that it is; NULL: a folder. */
const am_gguf *am_loader_gguf(const am_loader *loader);
/* The folder that its config.json lies in; NULL for a GGUF. */
const char *am_loader_folder(const am_loader *loader);
const am_config *am_loader_config(const am_loader *loader);  /* NULL under VOCAB_ONLY without config */
/* NULL: the model has no tokenizer, or one of a kind that is not supported yet; its weights (score
 * takes ids) and its template can still be used. */
const am_tokenizer *am_loader_tokenizer(const am_loader *loader);
/* The same for callers that need it: why there is none, in words. */
adam_status am_loader_need_tokenizer(const am_loader *loader, const am_tokenizer **out,
                                     adam_error *error);
/* Text of the chat template: name NULL = default ("tool_use" if has_tools and it exists, as
 * transformers picks). NULL = the model has none. */
const char *am_loader_template(const am_loader *loader, const char *name, bool has_tools);
/* All of them in the order of the files; NULL: there are no more. */
const char *am_loader_template_at(const am_loader *loader, size_t index, const char **name);
/* JSON object of special token texts for templates (bos_token, eos_token, ...), as the
 * special_tokens_map that transformers gives to them. Never NULL. */
const am_json *am_loader_special_tokens(const am_loader *loader);
/* From generation_config.json, or a GGUF's general.sampling keys; `set` has the keys that are
 * present. */
const adam_sampling *am_loader_sampling(const am_loader *loader);
/* Tokens that end an answer: generation_config's over config's, and the tokenizer's eos_token; a
 * GGUF's end-of-generation set (eos, eot, eom and what is spelled like one). Each once. */
const int32_t *am_loader_end_ids(const am_loader *loader, size_t *n);

/* How hidden states become embeddings; n_steps is 0 where that is not known. Never NULL. */
const am_sentence *am_loader_sentence(const am_loader *loader);
/* Whether what the files say about it can be used; why not, in words. */
adam_status am_loader_check_sentence(const am_loader *loader, adam_error *error);
/* The same for callers that need the steps. */
adam_status am_loader_need_sentence(const am_loader *loader, const am_sentence **out, adam_error *error);

size_t am_loader_n_tensors(const am_loader *loader);
const am_tensor *am_loader_tensor_at(const am_loader *loader, size_t index);
/* Of a tensor as the files have it, for people: its dtype's name, or the scheme of a weight that is composed of
 * several tensors; and the bytes of all of these. */
const char *am_loader_tensor_type(const am_loader *loader, const am_tensor *tensor);
uint64_t am_loader_tensor_bytes(const am_loader *loader, const am_tensor *tensor);
/* By the name in the file; NULL = absent. */
const am_tensor *am_loader_find(const am_loader *loader, const char *name);
/* The data of one composed weight where the loader has none (AM_LOADER_NO_DATA), and until it is closed: its pages
 * of the files are released then. *out is owned; any thread. ADAM_INVALID: it is not composed. */
typedef struct am_loader_built am_loader_built;
adam_status am_loader_build(const am_loader *loader, const char *name, am_loader_built **out, adam_error *error);
const void *am_loader_built_data(const am_loader_built *built);
void am_loader_built_close(am_loader_built **built);
/* By role (arch.h) and layer; checks the shape. A role that this config does not have gives
 * *out = NULL and ADAM_OK; a tensor that should be there and is not gives ADAM_DAMAGED. */
adam_status am_loader_role(const am_loader *loader, const char *field, uint32_t layer,
                           const am_tensor **out, adam_error *error);
/* One expert's matrix (n_out, n_in) of a layer that has them: a tensor of its own, or a part of the one that
 * holds all; *out is a view, its name the tensor's. A layer without: ADAM_INVALID. */
adam_status am_loader_expert(const am_loader *loader, const char *field, uint32_t layer, uint32_t expert,
                             am_tensor *out, adam_error *error);
uint64_t am_loader_weights_bytes(const am_loader *loader);
uint64_t am_loader_n_parameters(const am_loader *loader);
/* As the model names it ("apache-2.0": a GGUF's general.license, the README.md's header, or the first line of
 * a LICENSE file); NULL = it does not. */
const char *am_loader_license(const am_loader *loader);
/* The files that the weights lie in, in the order of their names' parts. */
size_t am_loader_n_files(const am_loader *loader);
const char *am_loader_file_at(const am_loader *loader, size_t index);
/* Type that most weight bytes have. */
am_dtype am_loader_dtype(const am_loader *loader);
/* The same for people: the scheme of a pre-quantised checkpoint ("nf4", "gptq-4bit", "fp8-block"), or the
 * dtype's name. */
const char *am_loader_dtype_name(const am_loader *loader);

#endif
