/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/remote/calls.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include <string.h>

enum { MOST_CALLS = 256, MOST_BYTES = 64 << 20 };

bool am_remote_call_json(am_buf *out, const char *id, uint64_t seed, size_t number, const char *name,
                         const char *arguments, size_t n_bytes) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
  char made[] = "call_........";
  for (size_t i = 0; i < 8; i++) made[5 + i] = letters[(size_t)(am_rng_unit(seed, number * 8 + i) * 36)];
  if (!id || !*id) id = made;
  am_buf_append_str(out, "{\"id\": ");
  am_json_write_string(out, id, strlen(id));
  am_buf_append_str(out, ", \"type\": \"function\", \"function\": {\"name\": ");
  am_json_write_string(out, name, strlen(name));
  am_buf_append_str(out, ", \"arguments\": ");
  am_json_write_string(out, n_bytes ? arguments : "{}", n_bytes ? n_bytes : 2);
  am_buf_append_str(out, "}}");
  return !out->failed;
}

static am_remote_call_part *find(am_remote_calls *calls, int64_t index, const char *id) {
  am_remote_call_part *last = calls->n ? &calls->items[calls->n - 1] : NULL;
  if (index < 0) return !last || (id && *id && (!last->id || strcmp(last->id, id) != 0)) ? NULL : last;
  for (size_t i = 0; i < calls->n; i++)
    if (calls->items[i].index == index) return &calls->items[i];
  return NULL;
}

adam_status am_remote_calls_at(am_remote_calls *calls, int64_t index, const char *id, const char *what,
                               am_remote_call_part **out, adam_error *error) {
  am_remote_call_part *call = find(calls, index, id);
  if (!call) {
    if (calls->n == MOST_CALLS)
      return am_fail(error, ADAM_LIMIT, what, NULL, "the server sends more than %d tool calls", MOST_CALLS);
    am_remote_call_part *longer = am_mem_resize(calls->items, calls->n + 1, sizeof *longer);
    if (!longer) return am_fail_memory(error, what);
    calls->items = longer;
    call = &longer[calls->n++];
    *call = (am_remote_call_part){.index = index};
  }
  if (id && *id && !call->id && !(call->id = am_mem_dup(id, strlen(id)))) return am_fail_memory(error, what);
  *out = call;
  return ADAM_OK;
}

adam_status am_remote_calls_add(am_remote_calls *calls, am_remote_call_part *call, const char *arguments,
                                size_t n_bytes, const char *what, adam_error *error) {
  if (n_bytes > MOST_BYTES - calls->bytes)
    return am_fail(error, ADAM_LIMIT, what, NULL, "the arguments of a tool call have more than %d bytes",
                   MOST_BYTES);
  calls->bytes += n_bytes;
  return am_buf_append(&call->arguments, arguments, n_bytes) ? ADAM_OK : am_fail_memory(error, what);
}

void am_remote_calls_close(am_remote_calls *calls) {
  for (size_t i = 0; i < calls->n; i++) {
    am_mem_free(calls->items[i].id);
    am_buf_close(&calls->items[i].name);
    am_buf_close(&calls->items[i].arguments);
  }
  am_mem_free(calls->items);
  *calls = (am_remote_calls){0};
}
