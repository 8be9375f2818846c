/* SPDX-License-Identifier: Apache-2.0 */
/* store: Ollama's models on this machine, read and written without its server.
 * Purpose: ROOT/manifests/HOST/NAMESPACE/MODEL/TAG (JSON) names the blobs ROOT/blobs/sha256-HEX. In: files that
 *   nobody trusts: sizes, digests and texts have limits, a blob's path is made from its digest alone.
 *   Out: models that own what they show. Threads: a store by one thread at a time; a model is immutable.
 * Invariant: a manifest appears after its blobs and within the same step (see am_store_publish), and nothing
 *   outside of ROOT is ever removed or overwritten. */
#ifndef AM_STORE_STORE_H
#define AM_STORE_STORE_H

#include "base/json.h"
#include "os/link.h"
#include "store/name.h"

enum { AM_STORE_ROOTS = 4 };

/* Folders where stores are looked for, strongest first; owned by the caller. OLLAMA_MODELS alone where it is
 * set, as for Ollama itself; else ~/.ollama/models, /usr/share/ollama/.ollama/models and
 * /var/lib/ollama (the last two are those of a service account). Returns how many; 0: memory is out. */
size_t am_store_roots(char *roots[AM_STORE_ROOTS]);

typedef struct am_store am_store;
/* root NULL: the first of am_store_roots that has manifests that can be read, else the first one. A root without
 * a store is ADAM_NOT_FOUND unless `create`; one that may not be read is ADAM_UNAVAILABLE, with a hint. */
adam_status am_store_open(const char *root, bool create, am_store **out, adam_error *error);
/* What was added and not published is dropped. */
void am_store_close(am_store **store);
const char *am_store_root(const am_store *store);
/* ADAM_OK: blobs and manifests can be written; else why not, and what helps. */
adam_status am_store_writable(const am_store *store, adam_error *error);

/* Every manifest with a valid name, in the order of names, unread; true = stop. */
typedef struct am_store_entry {
  am_store_name name;
  const char *path;        /* of the manifest; borrowed for the call */
  int64_t modified_unix_s;
} am_store_entry;
adam_status am_store_each(am_store *store, bool (*on_entry)(void *user, const am_store_entry *entry), void *user,
                          adam_error *error);
/* Each file of blobs/ with the name of a digest; true = stop. */
typedef bool (*am_store_on_blob)(void *user, const char digest[65], const char *path, uint64_t bytes);
adam_status am_store_each_blob(am_store *store, am_store_on_blob on_blob, void *user, adam_error *error);

/* What a layer is; unknown kinds are kept, and used by nobody. */
typedef struct am_store_layer {
  const char *kind;       /* media type after "application/vnd.ollama.image.", else all of it: "model" */
  char digest[65];        /* 64 lower-case hex digits */
  uint64_t bytes;
  const char *path;       /* of the blob; there is one behind it unless is_missing */
  const char *name;       /* of a tensor or config file of a safetensors model; NULL = none */
  const char *from;       /* the model it came from; NULL = not said */
  bool is_missing;        /* no such blob, or one of another size */
} am_store_layer;

/* One model, its manifest and small layers read. Strings are borrowed until it is closed; NULL = not said. */
typedef struct am_store_model {
  am_store_name name;       /* as stored */
  const char *manifest_path;
  char digest[65];          /* of the manifest file */
  int64_t modified_unix_s;
  uint64_t bytes;           /* config and layers, as Ollama counts */
  am_store_layer config;
  const am_store_layer *layers;
  size_t n_layers;
  const am_store_layer *weights;   /* the GGUF; NULL: none */
  const am_store_layer *projector, *adapter, *draft; /* NULL = none */
  const char *format;       /* "gguf", "safetensors" */
  const char *family, *size_text /* "8.2B" */, *quantization /* "Q4_K_M" */;
  const char *renderer, *parser, *requires_version, *remote_host;
  const char *template_text; /* Go template */
  const char *system;
  const am_json *params;     /* object; NULL = none */
  const am_json *messages;   /* array of {role, content}; NULL = none */
  const char *const *licenses;
  size_t n_licenses;
  am_json config_json;       /* the whole config; an object unless its blob is missing */
  adam_error problem;        /* the first thing wrong with a blob; status 0 = nothing */
  am_arena arena;
} am_store_model;

/* Whatever is in the manifest, if it can be read: for listing and removing; layers may be missing. */
adam_status am_store_model_open(am_store *store, const am_store_name *name, am_store_model **out, adam_error *error);
/* The same over all roots; *root (may be NULL) is owned by the caller. ADAM_UNAVAILABLE: it may be in a store that
 * this user may not read. */
adam_status am_store_find(const am_store_name *name, am_store_model **out, char **root, adam_error *error);
void am_store_model_close(am_store_model **model);
/* ADAM_OK: adam's own engine can run it from here; else what is missing or not supported, by name. */
adam_status am_store_model_check(const am_store_model *model, adam_error *error);
/* How many manifests, other than `except` (NULL = none), use a blob. ADAM_DAMAGED: one cannot be read. */
adam_status am_store_uses(am_store *store, const char digest[65], const am_store_name *except, size_t *n_uses,
                          adam_error *error);
/* ROOT/blobs/sha256-HEX (sha256:HEX where only that is there), owned; NULL: memory is out. */
char *am_store_blob_path(const am_store *store, const char digest[65]);
bool am_store_has_blob(const am_store *store, const char digest[65], uint64_t *bytes);

/* Writing. Blobs are collected in a folder of their own beside blobs/ (ROOT/.adam-stage-*), where no server looks;
 * am_store_publish gives them their names in blobs/, and right after that the manifest its own (by rename). A server
 * that starts in between and prunes would take the blobs away again: so the staged names are kept until the
 * manifest is there and every blob has been seen in its place for a while; what is gone is put back. After a
 * kill at any step the next writer finishes (the manifest is there: its blobs are put back) or
 * undoes (it is not: the staged names go). Writers of adam take turns by a lock on manifests/. */

/* digest: SHA-256 of the file, known to the caller; a copy is checked against it on the way. A blob of that name and
 * size is taken as it is (AM_LINK_SAME). A file that the store's owner could not read is refused with a hint. */
adam_status am_store_add_file(am_store *store, const char *path, const char digest[65], am_link_method *method,
                              uint64_t *bytes_added, adam_error *error);
/* digest and bytes_added may be NULL. */
adam_status am_store_add_bytes(am_store *store, const void *bytes, size_t n_bytes, char digest[65],
                               uint64_t *bytes_added, adam_error *error);
typedef struct am_store_piece {
  const char *kind;   /* "model", "template", ...: the media type's end */
  char digest[65];    /* added before with am_store_add_*, or already in the store */
  const char *from;   /* NULL = leave out */
} am_store_piece;
/* Publishes a model of the pieces; config_json becomes the config's blob. An existing name is ADAM_INVALID unless
 * `replace`; layers that only the old one used go then. */
adam_status am_store_publish(am_store *store, const am_store_name *name, const char *config_json,
                             const am_store_piece *pieces, size_t n_pieces, bool replace, adam_error *error);
/* The manifest, then the blobs that no other manifest uses, then empty folders. *kept (may be NULL): blobs stay since a
 * manifest cannot be read. *bytes_freed counts the removed files whose last name this was. */
adam_status am_store_remove(am_store *store, const am_store_name *name, uint64_t *bytes_freed, bool *kept,
                            adam_error *error);
/* A second name for one model. A name that exists is ADAM_INVALID. */
adam_status am_store_copy(am_store *store, const am_store_name *from, const am_store_name *to, adam_error *error);
adam_status am_store_rename(am_store *store, const am_store_name *from, const am_store_name *to,
                            adam_error *error);

#endif
