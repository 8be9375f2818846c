/* SPDX-License-Identifier: Apache-2.0 */
/* loader/state: the open model and the pieces of work that fill it. loader.c decides what is opened;
 * huggingface.c and gguf.c read the two kinds of model; the others one part of it each. */
#ifndef AM_LOADER_STATE_H
#define AM_LOADER_STATE_H

#include "base/map.h"
#include "formats/safetensors.h"
#include "loader/loader.h"
#include "loader/prequant/scheme.h"

enum { AM_LOADER_MAX_END_IDS = 64 };

typedef struct am_loader_text {
  const char *name;
  const char *text;
} am_loader_text;

typedef struct am_prequant am_prequant; /* prequant/prequant.h */

struct am_loader {
  am_arena arena; /* names, texts, JSON, tables */
  const char *path, *name;
  const char *license; /* NULL = not said */
  am_loader_extra extra; /* strings in the arena */
  const char *folder;  /* NULL = a GGUF */
  const char *file;    /* for errors: the GGUF, or the folder */
  bool has_config;
  am_config config;
  am_tokenizer *tokenizer;
  adam_error no_tokenizer; /* why tokenizer is NULL */
  am_safetensors **shards; /* n_shards, in arena */
  const char **shard_paths;
  size_t n_shards;
  am_gguf *gguf;
  const am_tensor **tensors; /* n_tensors, in arena; borrowed from the files, or of prequants */
  size_t n_tensors;
  am_map by_name; /* tensor name -> index; names borrowed from the files */
  am_scheme scheme; /* of a pre-quantised checkpoint */
  am_prequant *prequants; /* n_prequants weights composed of several tensors, in arena */
  size_t n_prequants;
  am_loader_text *templates;
  size_t n_templates;
  am_json special_tokens; /* object of strings */
  adam_sampling sampling;
  int32_t end_ids[AM_LOADER_MAX_END_IDS];
  size_t n_end_ids;
  const char *root; /* folder with modules.json; NULL for a GGUF */
  am_sentence sentence;
  adam_error no_sentence;                          /* why sentence cannot be used; status ADAM_OK = it can */
  am_safetensors *module_files[AM_SENTENCE_STEPS]; /* owned; NULL = the step has no file */
};

/* Opens a Hugging Face folder. `file` is the .safetensors file that was asked for, NULL = choose. */
adam_status am_loader_open_folder(am_loader *loader, const char *folder, const char *file, uint32_t flags,
                                  const char *cache_dir, adam_error *error);
/* Opens a GGUF (its first part). */
adam_status am_loader_open_gguf(am_loader *loader, const char *path, uint32_t flags, const char *cache_dir,
                                adam_error *error);

/* folder/name in the arena; NULL: memory is out. */
const char *am_loader_join(am_loader *loader, const char *folder, const char *name);
/* Reads folder/name as a JSON object into the arena. A missing file is ADAM_OK with *out NULL;
 * anything but an object is ADAM_DAMAGED. */
adam_status am_loader_read_json(am_loader *loader, const char *folder, const char *name, uint32_t flags,
                                const am_json **out, adam_error *error);
/* The same for a value of a type of choice. */
adam_status am_loader_read_value(am_loader *loader, const char *folder, const char *name, am_json_type type,
                                 uint32_t flags, const am_json **out, adam_error *error);
/* Adds the tensors to the table; the table takes n_more of them at least. */
adam_status am_loader_reserve(am_loader *loader, size_t n_more, adam_error *error);
adam_status am_loader_add(am_loader *loader, const am_tensor *tensor, adam_error *error);
/* Completes the config by the tensors and checks that every role has its tensor in its shape. */
adam_status am_loader_check_weights(am_loader *loader, adam_error *error);

/* facts.c: what the licence is called. */
adam_status am_loader_read_license(am_loader *loader, const char *folder, adam_error *error);

/* sentencepiece.c: the tokenizer.model or vocab.txt at path, a file of the folder. Both configs may be
 * NULL. */
typedef adam_status (*am_tokenizer_open_fn)(const char *path, const char *config_json, size_t config_bytes,
                                            const char *cache_dir, am_tokenizer **out, adam_error *error);
adam_status am_loader_open_gathered(am_loader *loader, am_tokenizer_open_fn open, const char *folder,
                                    const char *path, const am_json *model_config,
                                    const am_json *tokenizer_config, const char *cache_dir,
                                    adam_error *error);

/* template.c: which templates a folder has. tokenizer_config may be NULL. */
adam_status am_loader_read_templates(am_loader *loader, const char *folder, const am_json *tokenizer_config,
                                     adam_error *error);
/* Adds a template; a later one of the same name wins. Both strings are in the arena. */
adam_status am_loader_add_template(am_loader *loader, const char *name, const char *text, adam_error *error);

/* special.c: the special tokens of a folder and of a GGUF. */
adam_status am_loader_read_special(am_loader *loader, const char *folder, const am_json *tokenizer_config,
                                   adam_error *error);
adam_status am_loader_gguf_special(am_loader *loader, adam_error *error);
/* true: its vocabulary is of the kind "llama", whose special tokens have ids where no key names them. */
bool am_loader_gguf_is_llama(const am_loader *loader);

/* sentence.c: modules.json of `root`, in the arena, before anything else of the folder is read; then, with
 * config (NULL = none) known, everything that it names. A GGUF's pooling_type. */
adam_status am_loader_read_modules(am_loader *loader, const char *root, adam_error *error);
adam_status am_loader_read_sentence(am_loader *loader, const char *folder, uint32_t flags,
                                    const am_json *config, const am_json *tokenizer_config,
                                    adam_error *error);
adam_status am_loader_gguf_sentence(am_loader *loader, const am_json *metadata, adam_error *error);

/* generation.c: sampling defaults and end ids. config is config.json, NULL = none. */
adam_status am_loader_read_generation(am_loader *loader, const char *folder, const am_json *config,
                                      adam_error *error);
adam_status am_loader_gguf_generation(am_loader *loader, adam_error *error);

#endif
