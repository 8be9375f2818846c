/* SPDX-License-Identifier: Apache-2.0 */
/* template/go/known: Go templates for models that are shared with Ollama, our own texts, each with the
 * strings that end an answer. template/match.h chooses one by comparing it with the model's Jinja. They work
 * with Ollama v0.9.6 and later. */
#ifndef AM_TEMPLATE_GO_KNOWN_H
#define AM_TEMPLATE_GO_KNOWN_H

typedef struct am_go_known {
  const char *name; /* NULL ends the table */
  const char *text;
  const char *const *stop; /* NULL-terminated */
} am_go_known;

extern const am_go_known am_go_known_rows[];

/* NULL = there is none. */
const am_go_known *am_go_known_find(const char *name);

#endif
