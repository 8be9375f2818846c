/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/fit.h"

#include <string.h>
#include <utf8proc.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/utf8.h"

/* Bytes of the longest special token that is spelled at text; 0 = none. */
static size_t special_bytes(const am_fit *fit, const char *text, size_t n_left) {
  size_t longest = 0, n = 0;
  for (size_t i = 0; i < fit->n_specials; i++) {
    const char *piece = am_tokenizer_piece(fit->tokenizer, fit->specials[i], &n);
    if (piece && n > longest && n <= n_left && memcmp(piece, text, n) == 0) longest = n;
  }
  return longest;
}

/* Lower case by code point, as tokenizers' Lowercase before everything but special tokens. */
static adam_status lower_case(const am_fit *fit, const char *text, size_t n_bytes, am_buf *out,
                              adam_error *error) {
  for (size_t at = 0; at < n_bytes;) {
    size_t n_special = special_bytes(fit, text + at, n_bytes - at);
    if (n_special) {
      am_buf_append(out, text + at, n_special);
      at += n_special;
      continue;
    }
    uint32_t codepoint;
    int used = am_utf8_decode(text + at, n_bytes - at, &codepoint);
    at += (size_t)(used < 0 ? -used : used);
    if (codepoint == 0x130) /* I with a dot above: the one letter whose lower case is two */
      am_buf_append_str(out, "i\xcc\x87");
    else
      am_buf_append_codepoint(out, (uint32_t)utf8proc_tolower((utf8proc_int32_t)codepoint));
  }
  return out->failed ? am_fail_memory(error, "text") : ADAM_OK;
}

/* Where plain's ids begin in whole, which has special ones around them. */
static size_t find_plain(const am_ids *whole, const am_ids *plain) {
  size_t extra = whole->n - plain->n, at = 0;
  while (at < extra && memcmp(whole->data + at, plain->data, plain->n * sizeof *plain->data) != 0) at++;
  return at;
}

/* Cuts whole (special tokens around plain) to `limit` ids by dropping the first of plain's. */
static void keep_end(am_ids *whole, const am_ids *plain, uint64_t limit) {
  size_t extra = whole->n - plain->n, before = find_plain(whole, plain);
  size_t keep = limit > extra ? (size_t)limit - extra : 0, after = extra - before;
  int32_t *to = whole->data + before;
  memmove(to, to + plain->n - keep, keep * sizeof *to);
  memmove(to + keep, to + plain->n, after * sizeof *to);
  whole->n = before + keep + after;
}

static adam_status encode(const am_fit *fit, const char *text, size_t n_bytes, am_ids *ids, size_t *n_whole,
                          adam_error *error) {
  am_ids plain = {0};
  size_t n_dropped = 0, most = fit->keep_end ? 0 : (size_t)fit->limit;
  adam_status status = am_tokenizer_encode_pair(fit->tokenizer, text, n_bytes, NULL, 0, AM_ENCODE_SPECIAL,
                                                most, ids, NULL, &n_dropped, error);
  if (status) return status;
  if (!fit->keep_end) {
    *n_whole = ids->n + n_dropped;
    return ADAM_OK;
  }
  *n_whole = ids->n;
  if (fit->limit == 0 || ids->n <= fit->limit) return ADAM_OK;
  status = am_tokenizer_encode(fit->tokenizer, text, n_bytes, 0, &plain, error);
  if (!status && plain.n <= ids->n) keep_end(ids, &plain, fit->limit);
  am_ids_close(&plain);
  return status;
}

adam_status am_fit_text(const am_fit *fit, const char *text, size_t n_bytes, am_ids *ids, size_t *n_whole,
                        adam_error *error) {
  am_buf lower = {0};
  am_ids made = {0};
  adam_status status = ADAM_OK;
  if (fit->lower_case) status = lower_case(fit, text, n_bytes, &lower, error);
  if (!status && fit->lower_case)
    status = encode(fit, lower.data ? lower.data : "", lower.len, &made, n_whole, error);
  else if (!status)
    status = encode(fit, text, n_bytes, &made, n_whole, error);
  am_buf_close(&lower);
  if (status) {
    am_ids_close(&made);
    return status;
  }
  am_ids_close(ids);
  *ids = made;
  return ADAM_OK;
}
