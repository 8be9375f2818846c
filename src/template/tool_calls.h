/* SPDX-License-Identifier: Apache-2.0 */
/* template/tool_calls: finds the tool calls in an answer while it streams.
 * In: pieces of the answer's text (no thinking part), cut anywhere, with the special tokens that mark calls
 * (am_tool_calls_markers) spelled out. Out: the text without the calls, and each call as OpenAI's clients
 * know it: {"id","type":"function","function":{"name","arguments"}}, arguments being JSON text. One reader
 * for all families, since a call is told by its marker (reference: their chat templates): Hermes, Qwen
 * <tool_call>{"name","arguments"}</tool_call> Qwen3-Coder
 * <tool_call><function=NAME><parameter=KEY>value</parameter></function></tool_call> Mistral v3 to v13
 * [TOOL_CALLS][{"name","arguments"}]   [TOOL_CALLS]NAME[CALL_ID]ID[ARGS]{...} Llama 3 {"name","parameters"},
 * alone or after <|python_tag|>, several with ; between Phi-4-mini         <|tool_call|>[{...}]<|/tool_call|>
 * functools[{...}] JSON without a marker is a call only where the answer begins with it and it names one of
 * the tools. What looked like a call and is none stays text, marker and all. One thread. Invariant: how the
 * text is cut into pieces changes nothing. */
#ifndef AM_TEMPLATE_TOOL_CALLS_H
#define AM_TEMPLATE_TOOL_CALLS_H

#include "base/buf.h"
#include <adam/status.h>

typedef struct am_tool_calls am_tool_calls;

/* Texts that mark calls, NULL-terminated: where one is a special token, decoding must not hide it. */
const char *const *am_tool_calls_markers(void);

/* tools_json: the request's array of tools, {"type":"function","function":{"name","parameters"}} or the
 * inner object alone; copied. seed: makes the ids of the calls. */
adam_status am_tool_calls_open(const char *tools_json, uint64_t seed, am_tool_calls **out, adam_error *error);
void am_tool_calls_close(am_tool_calls **calls);
/* Appends to text what is certainly text. New calls can be taken afterwards. */
adam_status am_tool_calls_push(am_tool_calls *calls, const char *piece, size_t n_bytes, am_buf *text,
                               adam_error *error);
/* The end of the answer: what is held back becomes a call if it is complete, else text. */
adam_status am_tool_calls_finish(am_tool_calls *calls, am_buf *text, adam_error *error);
/* The next call that was found, valid until the next push; NULL = none left. */
const char *am_tool_calls_take(am_tool_calls *calls);
/* The answer ended inside of a call (known after finish). */
bool am_tool_calls_cut(const am_tool_calls *calls);

#endif
