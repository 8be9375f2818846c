/* SPDX-License-Identifier: Apache-2.0 */
#include "template/tool_calls.h"

#include "base/error.h"
#include "base/json.h"
#include "base/mem.h"
#include "template/tool_call_forms.h"

#include <string.h>

typedef enum stage {
  LEAD, /* nothing but white space so far: JSON may begin a call without a marker */
  TEXT, /* looking for a marker */
  BODY, /* behind a marker, or in JSON at the beginning */
  TAIL, /* behind a call: its closing marker, or what leads to the next one */
  GAP   /* behind all of a call: white space is dropped */
} stage;

struct am_tool_calls {
  stage stage;
  const am_call_form *form; /* of BODY and TAIL; NULL = JSON without a marker */
  am_buf held;              /* not yet decided, begins behind the marker in BODY */
  am_buf marker;            /* of BODY, with the white space before it: text again if there is no call */
  am_buf found;             /* calls, each NUL-terminated */
  size_t taken_bytes;       /* of found */
  am_call_reader reader;
  bool cut;
};

static const char white[] = " \t\r\n";

static void drop(am_buf *buf, size_t n_bytes) {
  if (n_bytes == 0) return;
  memmove(buf->data, buf->data + n_bytes, buf->len - n_bytes + 1); /* the NUL too */
  buf->len -= n_bytes;
}

static size_t blank(const char *text, size_t n_bytes) {
  size_t n = 0;
  while (n < n_bytes && text[n] && strchr(white, text[n])) n++;
  return n;
}

/* Bytes at the end of text that may be white space before a marker, or the beginning of one. */
static size_t uncertain(const char *text, size_t n_bytes) {
  size_t most = 0;
  for (const am_call_form *form = am_call_forms; form->open; form++) {
    size_t length = strlen(form->open), tail = n_bytes < length - 1 ? n_bytes : length - 1;
    while (tail > most && memcmp(text + n_bytes - tail, form->open, tail) != 0) tail--;
    if (tail > most) most = tail;
  }
  while (most < n_bytes && text[n_bytes - most - 1] && strchr(white, text[n_bytes - most - 1])) most++;
  return most;
}

/* The first marker in text; *at is where. */
static const am_call_form *first_marker(const char *text, size_t n_bytes, size_t *at) {
  const am_call_form *first = NULL;
  for (const am_call_form *form = am_call_forms; form->open; form++) {
    const char *found = memmem(text, n_bytes, form->open, strlen(form->open));
    if (!found || (first && (size_t)(found - text) >= *at)) continue;
    first = form;
    *at = (size_t)(found - text);
  }
  return first;
}

/* Each step returns true when it changed something and another step may follow. */

static bool step_lead(am_tool_calls *c) {
  size_t skip = blank(c->held.data, c->held.len);
  if (skip == c->held.len) return false;
  char first = c->held.data[skip];
  c->stage = TEXT;
  if (first == '{' || first == '[') {
    /* [TOOL_CALLS] begins like JSON: it is a marker as far as it fits. */
    const char *rest = c->held.data + skip;
    size_t n = c->held.len - skip, length = strlen(am_call_forms[AM_CALL_MISTRAL].open);
    size_t compare = n < length ? n : length;
    bool marker = memcmp(rest, am_call_forms[AM_CALL_MISTRAL].open, compare) == 0;
    if (marker && n < length) {
      c->stage = LEAD;
      return false;
    }
    if (!marker) {
      c->stage = BODY;
      c->form = NULL;
    }
  }
  return true;
}

static bool step_text(am_tool_calls *c, am_buf *text) {
  size_t at = 0;
  const am_call_form *form = first_marker(c->held.data, c->held.len, &at);
  if (!form) {
    size_t sure = c->held.len - uncertain(c->held.data, c->held.len);
    am_buf_append(text, c->held.data, sure);
    drop(&c->held, sure);
    return false;
  }
  size_t before = at;
  while (before > 0 && c->held.data[before - 1] && strchr(white, c->held.data[before - 1])) before--;
  size_t behind = at + strlen(form->open) - form->kept_bytes;
  am_buf_append(text, c->held.data, before);
  am_buf_clear(&c->marker);
  am_buf_append(&c->marker, c->held.data + before, behind - before);
  drop(&c->held, behind);
  c->form = form;
  c->stage = BODY;
  return true;
}

/* What was no call after all: the marker and one byte more are text, so that the search goes on. */
static void give_up(am_tool_calls *c, am_buf *text) {
  size_t n = c->form ? 0 : 1;
  if (c->form) am_buf_append(text, c->marker.data, c->marker.len);
  if (n > c->held.len) n = c->held.len;
  am_buf_append(text, c->held.data, n);
  drop(&c->held, n);
  c->stage = TEXT;
}

static adam_status step_body(am_tool_calls *c, bool last, am_buf *text, bool *again, adam_error *error) {
  size_t used = 0, found_before = c->found.len;
  am_call_verdict verdict = AM_CALL_NONE;
  adam_status status =
      am_call_read(&c->reader, c->form, c->held.data, c->held.len, last, &c->found, &used, &verdict, error);
  if (status) return status;
  *again = verdict != AM_CALL_MORE;
  if (verdict == AM_CALL_FOUND) {
    drop(&c->held, used);
    c->stage = TAIL;
  } else if (verdict == AM_CALL_NONE) {
    c->found.len = found_before;
    give_up(c, text);
  }
  return ADAM_OK;
}

/* Behind a call: its closing marker vanishes; JSON may be followed by more of it. */
static bool step_tail(am_tool_calls *c) {
  const char *close = c->form ? c->form->close : NULL;
  size_t n = blank(c->held.data, c->held.len), left = c->held.len - n, length = close ? strlen(close) : 0;
  const char *rest = c->held.data + n;
  bool chained = !c->form || c->form->chained;
  if (left == 0) return false;
  if (close && left < length && memcmp(rest, close, left) == 0) return false;
  if (close && left >= length && memcmp(rest, close, length) == 0) n += length;
  if (chained && (rest[0] == ';' || rest[0] == ',')) {
    drop(&c->held, n + 1);
    return true;
  }
  c->stage = chained && rest[0] == '{' ? BODY : GAP;
  drop(&c->held, n);
  return true;
}

static bool step_gap(am_tool_calls *c) {
  size_t n = blank(c->held.data, c->held.len);
  drop(&c->held, n);
  if (c->held.len > 0) c->stage = TEXT;
  return c->held.len > 0;
}

static adam_status work(am_tool_calls *c, bool last, am_buf *text, adam_error *error) {
  bool again = true;
  while (again && c->held.len > 0) {
    adam_status status = ADAM_OK;
    if (c->stage == LEAD)
      again = step_lead(c);
    else if (c->stage == TEXT)
      again = step_text(c, text);
    else if (c->stage == TAIL)
      again = step_tail(c);
    else if (c->stage == GAP)
      again = step_gap(c);
    else
      status = step_body(c, last, text, &again, error);
    if (status) return status;
  }
  if (text->failed || c->held.failed || c->found.failed || c->marker.failed)
    return am_fail_memory(error, "tool calls");
  return ADAM_OK;
}

adam_status am_tool_calls_push(am_tool_calls *calls, const char *piece, size_t n_bytes, am_buf *text,
                               adam_error *error) {
  if (calls->taken_bytes == calls->found.len) {
    am_buf_clear(&calls->found);
    calls->taken_bytes = 0;
  }
  if (n_bytes > 0 && !am_buf_append(&calls->held, piece, n_bytes)) return am_fail_memory(error, "tool calls");
  return work(calls, false, text, error);
}

adam_status am_tool_calls_finish(am_tool_calls *calls, am_buf *text, adam_error *error) {
  calls->cut = calls->stage == BODY;
  size_t n_before = calls->found.len;
  adam_status status = work(calls, true, text, error);
  if (status) return status;
  if (calls->found.len > n_before) calls->cut = false;
  if (calls->stage == BODY && calls->form) give_up(calls, text); /* nothing came behind the marker */
  if (calls->stage == TAIL || calls->stage == GAP) am_buf_clear(&calls->held); /* a marker's beginning */
  if (calls->held.len > 0) am_buf_append(text, calls->held.data, calls->held.len);
  am_buf_clear(&calls->held);
  return text->failed ? am_fail_memory(error, "tool calls") : ADAM_OK;
}

const char *am_tool_calls_take(am_tool_calls *calls) {
  if (calls->taken_bytes >= calls->found.len) return NULL;
  const char *call = calls->found.data + calls->taken_bytes;
  calls->taken_bytes += strlen(call) + 1;
  return call;
}

bool am_tool_calls_cut(const am_tool_calls *calls) { return calls->cut; }

adam_status am_tool_calls_open(const char *tools_json, uint64_t seed, am_tool_calls **out,
                               adam_error *error) {
  am_tool_calls *calls = am_mem_zalloc(1, sizeof *calls);
  if (!calls) return am_fail_memory(error, "tool calls");
  adam_status status = am_call_reader_open(&calls->reader, tools_json, seed, error);
  if (status) {
    am_tool_calls_close(&calls);
    return status;
  }
  *out = calls;
  return ADAM_OK;
}

void am_tool_calls_close(am_tool_calls **calls) {
  if (!calls || !*calls) return;
  am_call_reader_close(&(*calls)->reader);
  am_buf_close(&(*calls)->held);
  am_buf_close(&(*calls)->found);
  am_buf_close(&(*calls)->marker);
  am_mem_free(*calls);
  *calls = NULL;
}
