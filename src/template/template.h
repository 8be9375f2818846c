/* SPDX-License-Identifier: Apache-2.0 */
/* template: messages -> prompt text by a Jinja chat template.
 * Purpose: byte for byte what transformers' apply_chat_template renders (ImmutableSandboxed
 *   environment, trim_blocks, lstrip_blocks, loopcontrols, generation blocks). In: template text
 *   that nobody trusts; variables as JSON. Out: text, or an error that names the line. Bounded:
 *   steps, recursion, output and memory have limits. Threads: a compiled template is immutable and
 *   may be rendered by many threads at once. */
#ifndef AM_TEMPLATE_TEMPLATE_H
#define AM_TEMPLATE_TEMPLATE_H

#include "base/buf.h"
#include "base/json.h"
#include <adam/status.h>

typedef struct am_template am_template;

/* Compiles text; `name` is the `what` of errors. Syntax errors: ADAM_TEMPLATE "line N: ...". */
adam_status am_template_open(const char *name, const char *text, size_t n_bytes, am_template **out,
                             adam_error *error);
void am_template_close(am_template **tmpl);

/* Limits of one rendering; zero members mean the default in brackets. */
typedef struct am_template_limits {
  uint64_t max_steps;      /* [20 million] evaluated nodes */
  size_t max_output_bytes; /* [64 MiB] */
  size_t max_memory_bytes; /* [256 MiB] */
  uint32_t max_depth;      /* [200] nested calls */
} am_template_limits;

/* Renders with `variables` (a JSON object; key order is kept). now_unix_s drives strftime_now (local
 * time); 0 = now. ADAM_TEMPLATE for what Jinja or raise_exception raises, with the line. */
adam_status am_template_render(const am_template *tmpl, const am_json *variables,
                               const am_template_limits *limits, int64_t now_unix_s, am_buf *out,
                               adam_error *error);

#endif
