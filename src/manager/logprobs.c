/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/logprobs.h"

#include "base/mem.h"
#include <math.h>
#include <string.h>

/* The bytes go into list->bytes; the copy's pointer is meaningless until take. */
static bool add_bytes(am_logprob_list *list, const adam_logprob *entry, adam_logprob *copy) {
  *copy = *entry;
  copy->bytes = NULL;
  return am_buf_append(&list->bytes, entry->bytes ? entry->bytes : "", entry->n_bytes);
}

bool am_logprob_list_add(am_logprob_list *list, const adam_chunk *chunk) {
  bool ok = true;
  for (size_t i = 0; ok && i < chunk->n_ids; i++) {
    adam_token_logprobs none = {.token = {.id = chunk->ids[i], .logprob = NAN}}, copy;
    const adam_token_logprobs *entry = chunk->logprobs ? &chunk->logprobs[i] : &none;
    copy = *entry;
    copy.top = NULL;
    ok = add_bytes(list, &entry->token, &copy.token);
    for (size_t k = 0; ok && k < entry->n_top; k++) {
      adam_logprob top;
      ok = add_bytes(list, &entry->top[k], &top) && am_buf_append(&list->tops, &top, sizeof top);
    }
    ok = ok && am_buf_append(&list->tokens, &copy, sizeof copy);
  }
  return ok;
}

static const char *place_bytes(adam_logprob *entry, const char *bytes) {
  entry->bytes = bytes;
  return bytes + entry->n_bytes;
}

adam_token_logprobs *am_logprob_list_take(const am_logprob_list *list) {
  size_t n = list->tokens.len / sizeof(adam_token_logprobs);
  char *block = am_mem_alloc(list->tokens.len + list->tops.len + list->bytes.len + 1);
  if (!block) return NULL;
  adam_token_logprobs *tokens = (adam_token_logprobs *)(void *)block;
  adam_logprob *top = (adam_logprob *)(void *)(block + list->tokens.len);
  char *bytes = block + list->tokens.len + list->tops.len;
  if (list->tokens.len > 0) memcpy(tokens, list->tokens.data, list->tokens.len);
  if (list->tops.len > 0) memcpy(top, list->tops.data, list->tops.len);
  if (list->bytes.len > 0) memcpy(bytes, list->bytes.data, list->bytes.len);
  for (size_t i = 0; i < n; i++) {
    bytes = (char *)(uintptr_t)place_bytes(&tokens[i].token, bytes);
    tokens[i].top = top;
    for (size_t k = 0; k < tokens[i].n_top; k++) bytes = (char *)(uintptr_t)place_bytes(top++, bytes);
  }
  return tokens;
}

void am_logprob_list_close(am_logprob_list *list) {
  am_buf_close(&list->tokens);
  am_buf_close(&list->tops);
  am_buf_close(&list->bytes);
}
