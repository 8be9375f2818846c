/* SPDX-License-Identifier: Apache-2.0 */
/* template/tool_call_forms: how each family writes a call behind its marker (tool_calls.h). */
#ifndef AM_TEMPLATE_TOOL_CALL_FORMS_H
#define AM_TEMPLATE_TOOL_CALL_FORMS_H

#include "base/json.h"

enum { AM_CALL_HERMES, AM_CALL_MISTRAL, AM_CALL_PYTHON_TAG, AM_CALL_PHI, AM_CALL_FUNCTOOLS };

typedef struct am_call_form {
  const char *open;  /* the marker; NULL ends the table */
  const char *close; /* the closing marker; NULL = none */
  size_t kept_bytes; /* of the marker's end that belong to the body */
  bool chained;      /* further objects may follow, with ; or , or nothing between */
} am_call_form;

extern const am_call_form am_call_forms[];

typedef struct am_call_reader {
  am_arena arena;
  am_json tools; /* array, or null */
  uint64_t seed;
  uint32_t n_calls; /* so far */
} am_call_reader;

typedef enum am_call_verdict {
  AM_CALL_MORE, /* not to be decided without more text */
  AM_CALL_FOUND,
  AM_CALL_NONE
} am_call_verdict;

adam_status am_call_reader_open(am_call_reader *reader, const char *tools_json, uint64_t seed,
                                adam_error *error);
void am_call_reader_close(am_call_reader *reader);

/* Reads the calls at the beginning of body (n_bytes, NUL behind). form NULL: JSON without a marker. last: no
 * more will come. FOUND: the calls were appended to found, each with its NUL, *used bytes are read. */
adam_status am_call_read(am_call_reader *reader, const am_call_form *form, const char *body, size_t n_bytes,
                         bool last, am_buf *found, size_t *used, am_call_verdict *verdict, adam_error *error);

#endif
