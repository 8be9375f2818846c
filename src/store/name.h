/* SPDX-License-Identifier: Apache-2.0 */
/* store/name: names of Ollama's models, [scheme://][host/][namespace/]model[:tag], and its digests. Plain memory;
 * any thread. What parses can be a path below manifests/: no part is empty, begins with a dot or holds '/'. */
#ifndef AM_STORE_NAME_H
#define AM_STORE_NAME_H

#include <adam/status.h>
#include <stdbool.h>

typedef struct am_store_name {
  char host[352];     /* "registry.ollama.ai" */
  char space[84];     /* namespace: "library" */
  char model[84];     /* "qwen3" */
  char tag[84];       /* "latest" */
} am_store_name;

enum { AM_STORE_NAME_BYTES = 620 }; /* a whole name and its NUL */

/* Missing parts become the defaults registry.ollama.ai, library, latest. ADAM_INVALID says which part is wrong. */
adam_status am_store_name_parse(const char *text, am_store_name *out, adam_error *error);
/* Four parts as the folders below manifests/ have them; false: one of them is not allowed. */
bool am_store_name_set(am_store_name *out, const char *host, const char *space, const char *model, const char *tag);
/* As Ollama shows it: default host and namespace left out, the tag always there. */
void am_store_name_print(const am_store_name *name, char out[AM_STORE_NAME_BYTES]);
/* host/namespace/model/tag: the path below manifests/. */
void am_store_name_path(const am_store_name *name, char out[AM_STORE_NAME_BYTES]);
/* Ollama compares without regard to case. */
bool am_store_name_same(const am_store_name *a, const am_store_name *b);
/* A name for other software's repository or file: what Ollama does not allow becomes '-'; false: nothing is left. */
bool am_store_name_clean(const char *text, char out[81]);

/* "sha256:HEX" or "sha256-HEX", any case, to 64 lower-case digits; false: it is no digest. */
bool am_store_digest_parse(const char *text, char hex[65]);

#endif
