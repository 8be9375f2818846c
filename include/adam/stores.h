/* SPDX-License-Identifier: Apache-2.0 */
/* Models in several stores, their bytes on disk once: the Hub's cache, Ollama's store, adam's own folder, and what
 * adam converted. Nothing here needs an open manager, a network or a server. Any thread, any number of
 * processes: writers of one user take turns by a lock. What a kill interrupts, the next call finishes or
 * undoes. Zero-initialise structs and set struct_size; NULL and 0 mean the default; strings are borrowed for
 * the call unless said otherwise. */
#ifndef ADAM_STORES_H
#define ADAM_STORES_H

#include <adam/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How far a long piece of work is: doing "reading", what the file, done and total in bytes (total 0 = unknown). On the
 * calling thread; true = cancel (ADAM_CANCELLED). */
typedef bool (*adam_on_work)(void *user, const char *doing, const char *what, uint64_t done, uint64_t total);

/* Which stores, and what the caller hears meanwhile. */
typedef struct adam_stores_options {
  size_t struct_size;
  const char *cache_dir;  /* the Hugging Face hub cache; NULL: by the HF_ variables */
  bool dry_run;           /* say what would be done, and do nothing */
  adam_on_work on_work;
  void *user;
} adam_stores_options;

/* ---- share: one model, both worlds ---- */

/* Zero-initialise, set struct_size. */
typedef struct adam_share_options {
  size_t struct_size;
  const char *model;        /* REF: any that the native engine opens, ollama:NAME */
  const char *to;           /* "ollama" or "huggingface" */
  const char *name;         /* on the other side; NULL: the repository's own */
  const char *quantization; /* for Ollama: "q4_k_m", "q8_0", "f16" ...; NULL, "none" = as stored */
  const char *cache_dir;    /* the Hugging Face hub cache; NULL: by the HF_ variables */
  bool dry_run;             /* say what would be linked and written, and do nothing */
  bool strict;              /* a degraded notice is an error, before anything is done */
  adam_on_work on_work;
  void (*on_notice)(void *user, const adam_notice *notice); /* borrowed until it returns */
  void *user;
} adam_share_options;

typedef struct adam_share_result {
  size_t struct_size;
  char name[624];        /* as the other side calls it */
  uint64_t bytes_added;  /* of model data that the disk has more of: 0 for a link */
  uint64_t bytes_linked; /* of model data that both sides have, once */
  uint64_t bytes_texts;  /* of what was written beside it: manifest, template, parameters */
  char method[16];       /* "same" (it was there), "hard link", "reflink", "copy" */
  char digest[65];       /* SHA-256 of the GGUF, 64 hex digits; "" where a dry run cannot know it */
  bool converted;        /* it was (would be) made from another format or type by this call */
  char template_name[32]; /* Go template chosen for Ollama, "chatml", "qwen3" ...; "" = none, or it was there already */
} adam_share_result;

/* Makes the model one of the other side's too, without a second copy of its bytes. To Ollama: a GGUF is linked into its
 * store with template, stop strings, parameters and licence; safetensors are converted once, into a file that both
 * sides use. To the Hub's cache: the GGUF is linked as a snapshot. A name that has other content there stays as it
 * is: ADAM_INVALID; the same content is done, with 0 bytes. ADAM_UNSUPPORTED: it cannot be a GGUF, or (strict) no
 * template is known for it; ADAM_UNAVAILABLE: the store cannot be written. *result is untouched on failure. */
ADAM_API adam_status adam_share(const adam_share_options *options, adam_share_result *result, adam_error *error);

/* ---- disk use ---- */

/* What one store takes; strings are borrowed until the callback returns. */
typedef struct adam_store_use {
  const char *store;      /* "huggingface", "ollama", "adam", "converted" */
  const char *path;
  uint64_t bytes;         /* of its files, each once */
  uint64_t only_bytes;    /* of those that no other store has too */
} adam_store_use;
/* One of several files with the same content; the first one of them could be the only one. */
typedef struct adam_duplicate {
  const char *digest;     /* SHA-256, 64 hex digits */
  const char *store, *path, *owner;
  uint64_t bytes;
  bool is_first;
} adam_duplicate;

typedef struct adam_disk_use {
  size_t struct_size;
  uint64_t total_bytes;      /* of all files of all stores, each counted once whatever its names */
  uint64_t disk_bytes;       /* the same in blocks of the disk, as du(1) counts */
  uint64_t duplicated_bytes; /* of files beyond the first of the same content */
  uint64_t n_files;
} adam_disk_use;

/* Either callback may be NULL. Files that could be alike and whose names do not tell are read once. */
ADAM_API adam_status adam_models_disk_use(const adam_stores_options *options,
                                          void (*on_store)(void *user, const adam_store_use *use),
                                          void (*on_duplicate)(void *user, const adam_duplicate *duplicate), void *user,
                                          adam_disk_use *use, adam_error *error);

/* ---- dedupe: one file instead of several that are alike ---- */

typedef struct adam_dedupe_step {
  const char *kept, *replaced; /* paths */
  uint64_t bytes_freed;
  const char *skipped;         /* why the file stays as it is; NULL = it is a link to `kept` now */
} adam_dedupe_step;

/* Replaces files of the same content by hard links to one of them, after reading both. *bytes_freed is what the disk
 * got back (would get back, in a dry run). on_step: NULL = none; true = stop. */
ADAM_API adam_status adam_models_dedupe(const adam_stores_options *options,
                                        bool (*on_step)(void *user, const adam_dedupe_step *step), void *user,
                                        uint64_t *bytes_freed, adam_error *error);

/* ---- remove ---- */

typedef struct adam_remove_result {
  size_t struct_size;
  uint64_t bytes_freed;   /* of files whose last name went */
  uint64_t bytes_kept;    /* of files that another owner still has */
} adam_remove_result;
/* A file that lost a name and stays for somebody else; borrowed until the callback returns. */
typedef struct adam_kept_file {
  const char *path, *owner, *store;
  uint64_t bytes;
} adam_kept_file;

/* Removes the model from the store that the REF names: ORG/NAME[@REVISION][:FILE-or-QUANTIZATION] from the Hub's cache as
 * `hf cache rm` does, ollama:NAME from Ollama's store by its rules, a file of adam's own folder or of what it
 * converted. Other stores keep theirs. ADAM_NOT_FOUND. *result is untouched on failure. */
ADAM_API adam_status adam_models_remove(const adam_stores_options *options, const char *model,
                                        void (*on_kept)(void *user, const adam_kept_file *file), void *user,
                                        adam_remove_result *result, adam_error *error);

/* ---- copy and rename, in Ollama's store ---- */

/* from and to: NAME[:TAG], "ollama:" may stand in front. The bytes stay where they are. A name that exists is never
 * overwritten: ADAM_INVALID. */
ADAM_API adam_status adam_models_copy(const char *from, const char *to, adam_error *error);
ADAM_API adam_status adam_models_rename(const char *from, const char *to, adam_error *error);

/* ---- verify ---- */

/* kind: "damaged" (the content is not what its name says), "missing" (something refers to a file that is not there),
 * "repaired" (was one of these; linked to a sound file of some store), "renamed" (sound content that had a wrong
 * name), "unused" (nobody refers to it). Borrowed until the callback returns. */
typedef struct adam_finding {
  const char *kind, *store, *path, *digest, *owner;
  const char *source;     /* the sound file; NULL = none */
} adam_finding;
typedef struct adam_verification {
  size_t struct_size;
  uint64_t n_checked, bytes_checked, n_damaged, n_missing, n_repaired, n_unused;
} adam_verification;

/* Reads what has a digest for a name, compares, and repairs what another store has sound. model: ORG/NAME or
 * ollama:NAME; NULL = everything. ADAM_OK also where something stays wrong: *result says. */
ADAM_API adam_status adam_models_verify(const adam_stores_options *options, const char *model,
                                        void (*on_finding)(void *user, const adam_finding *finding), void *user,
                                        adam_verification *result, adam_error *error);

#ifdef __cplusplus
}
#endif
#endif
