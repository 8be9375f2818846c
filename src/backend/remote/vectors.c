/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/remote/vectors.h"

#include "base/mem.h"
#include <math.h>
#include <string.h>

/* 0 to 63; -1 = no digit of base64. */
static int digit(char c) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const char *at = c ? strchr(digits, c) : NULL;
  return at ? (int)(at - digits) : -1;
}

static size_t base64_bytes(const char *text, size_t n) {
  while (n && text[n - 1] == '=') n--;
  return n / 4 * 3 + (n % 4 ? n % 4 - 1 : 0);
}

/* out holds base64_bytes. false: a byte is no digit. */
static bool decode(const char *text, size_t n, uint8_t *out) {
  uint32_t bits = 0, n_bits = 0;
  while (n && text[n - 1] == '=') n--;
  for (size_t i = 0; i < n; i++) {
    int value = digit(text[i]);
    if (value < 0) return false;
    bits = bits << 6 | (uint32_t)value;
    n_bits += 6;
    if (n_bits >= 8) *out++ = (uint8_t)(bits >> (n_bits -= 8));
  }
  return true;
}

/* Room for n values; a vector keeps its size. */
static adam_status hold(am_remote_vector *v, size_t n, size_t index, const char *what, adam_error *error) {
  if (n == 0)
    return am_fail(error, ADAM_FAILED, what, NULL, "the server gave no embedding of text %zu", index + 1);
  if (!v->values) {
    v->values = am_mem_zalloc(n, sizeof *v->values);
    if (!v->values) return am_fail_memory(error, what);
    v->n = n;
  }
  if (n != v->n)
    return am_fail(error, ADAM_FAILED, what, NULL, "the server gave embeddings of %zu and of %zu values",
                   v->n, n);
  return ADAM_OK;
}

static adam_status read_base64(const am_json *json, size_t index, const char *what, am_remote_vector *v,
                               adam_error *error) {
  size_t n_bytes = base64_bytes(json->as.string, json->n);
  if (n_bytes % 4)
    return am_fail(error, ADAM_FAILED, what, NULL, "embedding %zu is no base64 of float32", index + 1);
  adam_status status = hold(v, n_bytes / 4, index, what, error);
  uint8_t *bytes = status ? NULL : am_mem_alloc(n_bytes);
  if (!status && !bytes) return am_fail_memory(error, what);
  if (!status && !decode(json->as.string, json->n, bytes))
    status = am_fail(error, ADAM_FAILED, what, NULL, "embedding %zu is no base64 of float32", index + 1);
  for (size_t i = 0; !status && i < v->n; i++) {
    const uint8_t *b = bytes + 4 * i;
    uint32_t word = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    memcpy(&v->values[i], &word, 4);
  }
  am_mem_free(bytes);
  return status;
}

adam_status am_remote_vector_read(const am_json *json, size_t index, const char *what, am_remote_vector *v,
                                  adam_error *error) {
  adam_status status;
  if (json && json->type == AM_JSON_STRING) {
    status = read_base64(json, index, what, v, error);
  } else {
    size_t n = json && json->type == AM_JSON_ARRAY ? json->n : 0;
    status = hold(v, n, index, what, error);
    for (size_t i = 0; i < n && !status; i++) v->values[i] = (float)am_json_real(am_json_at(json, i), NAN);
  }
  for (size_t i = 0; !status && i < v->n; i++)
    if (!isfinite(v->values[i]))
      status =
          am_fail(error, ADAM_FAILED, what, NULL, "value %zu of embedding %zu is no number", i, index + 1);
  return status;
}

adam_status am_remote_vector_shape(am_remote_vector *v, const adam_embed_request *r, const char *what,
                                   size_t *n, adam_error *error) {
  size_t wanted = r->dimensions ? (size_t)r->dimensions : v->n;
  if (wanted > v->n)
    return am_fail(error, ADAM_INVALID, "dimensions", NULL, "%zu is more than the %zu of %s", wanted, v->n,
                   what);
  bool unit = r->normalize == ADAM_NORMALIZE_ON || (r->normalize == ADAM_NORMALIZE_DEFAULT && wanted < v->n);
  double square = 0;
  for (size_t i = 0; i < wanted; i++) square += (double)v->values[i] * v->values[i];
  for (size_t i = 0; unit && square > 0 && i < wanted; i++)
    v->values[i] = (float)(v->values[i] / sqrt(square));
  *n = wanted;
  return ADAM_OK;
}

void am_remote_vector_close(am_remote_vector *v) {
  am_mem_free(v->values);
  *v = (am_remote_vector){0};
}
