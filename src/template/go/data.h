/* SPDX-License-Identifier: Apache-2.0 */
/* template/go/data: messages and tools as JSON -> the values that a template sees, read as Ollama's Go
 * structs read them: numbers become float64, keys that a struct lacks are dropped, null leaves the zero. */
#ifndef AM_TEMPLATE_GO_DATA_H
#define AM_TEMPLATE_GO_DATA_H

#include "base/json.h"
#include "template/go/value.h"
#include <adam/status.h>

/* One turn while it is put together. */
typedef struct am_go_message {
  const char *role, *content, *thinking, *tool_name, *tool_call_id;
  size_t role_bytes, content_bytes, thinking_bytes, tool_name_bytes, tool_call_id_bytes;
  am_go_value calls; /* LIST of AM_GO_CALLS */
} am_go_message;

/* Reads the array (NULL = none) into *out, n of them, in the arena. */
adam_status am_go_read_messages(const am_json *messages, am_arena *arena, am_go_message **out, size_t *n,
                                adam_error *error);
/* Takes what stands in <think> at the beginning out of assistant messages before the last user message. */
void am_go_strip_thinking(am_go_message *messages, size_t n);
/* Joins neighbours of one role (tool messages stay apart) and collects the system texts; empty lines
 * between. false: memory is out. */
bool am_go_collate(am_go_message *messages, size_t *n, am_arena *arena, am_go_value *system);
/* []*api.Message */
bool am_go_messages_value(const am_go_message *messages, size_t n, am_arena *arena, am_go_value *out);
/* api.Tools; NULL = nil. A tool given as its inner function alone is wrapped. */
adam_status am_go_read_tools(const am_json *tools, am_arena *arena, am_go_value *out, adam_error *error);

#endif
