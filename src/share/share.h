/* SPDX-License-Identifier: Apache-2.0 */
/* share/share: a model of one store made a model of the other, its bytes linked. */
#ifndef AM_SHARE_SHARE_H
#define AM_SHARE_SHARE_H

#include "share/inventory.h"
#include "store/name.h"

typedef struct am_share_request {
  const char *path;         /* what a manager opens: a GGUF, or a folder or file of safetensors */
  const char *display;      /* the model as people call it, "ORG/NAME": origin in the ledger, `what` of errors */
  const char *title;        /* its own name, "NAME": what a file that is converted says of itself */
  const char *name;         /* on the other side; never NULL */
  const char *quantization; /* a recipe of quant.h; NULL, "none" = as stored */
  const char *cache_dir;    /* NULL = the Hub's rules */
  bool dry_run;
  bool strict;              /* a degraded notice is an error, before anything is done */
  am_work *work;
  /* Something worth knowing, or not as it should be (degraded). NULL = none. */
  void (*on_notice)(void *user, const char *code, bool degraded, const char *text);
  void *user;
} am_share_request;

typedef struct am_share_outcome {
  char name[AM_STORE_NAME_BYTES]; /* as the other side calls it */
  uint64_t bytes_added;    /* of model data that the disk has more of now */
  uint64_t bytes_linked;   /* of model data that both sides have, once */
  uint64_t bytes_texts;    /* of what was written beside: manifest, template, parameters */
  const char *method;      /* "same", "hard link", "reflink", "copy" */
  char digest[65];         /* SHA-256 of the GGUF; "" in a dry run that would convert */
  bool converted;          /* it was made from another format just now (or would be) */
  const char *template_name; /* row of template/go/known; "" = none, or it was not asked for (same) */
} am_share_outcome;

/* Puts the model into Ollama's store. A name that has other content is ADAM_INVALID and stays; the same content is
 * done, with 0 bytes. ADAM_UNAVAILABLE: the store cannot be written; ADAM_UNSUPPORTED: it cannot be a GGUF. */
adam_status am_share_to_ollama(const am_share_request *request, am_share_outcome *out, adam_error *error);
/* Puts a GGUF (of Ollama's store, or any other) into the Hub's cache as repository `name` (ORG/NAME), file NAME.gguf. A
 * repository of that name with other content is ADAM_INVALID and stays. */
adam_status am_share_to_hub(const am_share_request *request, am_share_outcome *out, adam_error *error);

/* SHA-256 of a file: by the ledger, else by reading. Where a store named the file by its digest and the content is
 * another, ADAM_DAMAGED; believe_name: that name is taken for it, unread. */
adam_status am_share_digest(const char *path, bool believe_name, am_journal *journal, am_work *work, char digest[65],
                            adam_error *error);
/* The ledger hears what the file at `path` holds, so that it is read once. */
void am_share_remember(am_journal *journal, const char *path, const char *digest);
/* Writes down who has the file at `path` and where it came from; NULL = not known. Never fails: it is only a record. */
void am_share_note(am_journal *journal, const char *path, const char *digest, am_place place, const char *owner,
                   const char *origin);

#endif
