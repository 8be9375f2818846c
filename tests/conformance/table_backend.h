/* SPDX-License-Identifier: Apache-2.0 */
/* A backend as a caller of the library would write it, for the conformance suite: knows nothing of
 * adam's insides. It says one sentence again and again, a character a token, three to a piece.
 * `table` has all it can do; `bare` only what is required. */
#ifndef CONFORMANCE_TABLE_BACKEND_H
#define CONFORMANCE_TABLE_BACKEND_H

#include <adam/adam.h>
#include <stdlib.h>
#include <string.h>

static const char table_sentence[] = "H\xc3\xa9llo \xe2\x82\xac 42 \xf0\x9f\x8c\x8d, and on. ";
enum { TABLE_MAX_TEXT = 4096 };

struct adam_backend_model {
  int n_calls;
};

static adam_status table_error(adam_error *error, adam_status status, const char *why) {
  if (error) {
    memset(error, 0, sizeof *error);
    error->status = status;
    strcpy(error->what, "table");
    strncpy(error->why, why, sizeof error->why - 1);
  }
  return status;
}

static adam_status table_open(void *context, const char *model, const adam_model_options *options,
                              adam_backend_model **out, adam_error *error) {
  (void)context, (void)options;
  if (strcmp(model, "good")) return table_error(error, ADAM_NOT_FOUND, "only good is here");
  adam_backend_model *opened = calloc(1, sizeof *opened);
  if (!opened) return table_error(error, ADAM_NO_MEMORY, "memory is out");
  *out = opened;
  return ADAM_OK;
}

static void table_close(void *context, adam_backend_model *model) {
  (void)context;
  free(model);
}

static size_t table_char_bytes(const char *p) {
  unsigned char c = (unsigned char)*p;
  return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* Sends up to `most` characters of text, three at a time. */
static bool table_send(const adam_sink *sink, const char *text, size_t n_bytes, adam_outcome *outcome) {
  for (size_t at = 0; at < n_bytes;) {
    size_t n = 0;
    int32_t ids[3];
    adam_chunk chunk = {.text = text + at, .ids = ids};
    for (; chunk.n_ids < 3 && at + n < n_bytes; chunk.n_ids++) {
      ids[chunk.n_ids] = (unsigned char)text[at + n];
      n += table_char_bytes(text + at + n);
    }
    chunk.text_bytes = n;
    at += n;
    outcome->completion_tokens += chunk.n_ids;
    if (sink->on_chunk(sink->user, &chunk)) return true;
  }
  return false;
}

static adam_status table_generate(void *context, adam_backend_model *model, const adam_request *request,
                                  const adam_sink *sink, adam_outcome *outcome, adam_error *error) {
  (void)context, (void)error;
  char text[TABLE_MAX_TEXT] = "";
  size_t n = 0,
         most = request->sampling.set & ADAM_SET_MAX_TOKENS ? (size_t)request->sampling.max_tokens : 1000;
  model->n_calls++;
  for (size_t i = 0; i < most && n + 4 < sizeof text; i++) {
    const char *p = table_sentence + n % (sizeof table_sentence - 1);
    size_t k = table_char_bytes(p);
    memcpy(text + n, p, k);
    n += k;
  }
  text[n] = 0;
  outcome->finish_reason = ADAM_FINISH_LENGTH;
  for (size_t i = 0; i < request->n_stop; i++) {
    char *stop = strstr(text, request->stop[i]);
    if (!stop) continue;
    *stop = 0;
    n = (size_t)(stop - text);
    outcome->finish_reason = ADAM_FINISH_STOP;
  }
  outcome->prompt_tokens = 1;
  outcome->seed = request->sampling.set & ADAM_SET_SEED ? request->sampling.seed : 1;
  if (table_send(sink, text, n, outcome)) outcome->finish_reason = ADAM_FINISH_CANCELLED;
  return ADAM_OK;
}

static adam_status table_info(void *context, adam_backend_model *model, adam_model_info *info,
                              adam_error *error) {
  (void)context, (void)model, (void)error;
  info->device = "cpu";
  info->n_vocab = 256;
  info->n_ctx = TABLE_MAX_TEXT;
  return ADAM_OK;
}

/* Bytes as ids. */
static adam_status table_tokenize(void *context, adam_backend_model *model, const char *text,
                                  size_t text_bytes, uint32_t flags, int32_t *ids, size_t capacity,
                                  size_t *n_ids, adam_error *error) {
  (void)context, (void)model, (void)flags, (void)error;
  for (size_t i = 0; i < text_bytes && i < capacity; i++) ids[i] = (unsigned char)text[i];
  *n_ids = text_bytes;
  return ADAM_OK;
}

static adam_status table_detokenize(void *context, adam_backend_model *model, const int32_t *ids,
                                    size_t n_ids, adam_write write, void *user, adam_error *error) {
  (void)context, (void)model;
  for (size_t i = 0; i < n_ids; i++) {
    unsigned char byte = (unsigned char)ids[i];
    if (!write(user, &byte, 1)) return table_error(error, ADAM_NO_MEMORY, "memory is out");
  }
  return ADAM_OK;
}

static void table_register(void) {
  static adam_backend_ops table = {.version = ADAM_BACKEND_VERSION,
                                   .struct_size = sizeof table,
                                   .name = "table",
                                   .description = "a caller's backend",
                                   .open = table_open,
                                   .close = table_close,
                                   .generate = table_generate,
                                   .info = table_info,
                                   .tokenize = table_tokenize,
                                   .detokenize = table_detokenize};
  static adam_backend_ops bare;
  bare = table;
  bare.name = "bare";
  bare.struct_size = offsetof(adam_backend_ops, tokenize); /* an older, smaller table */
  adam_backend_register(&table, NULL);
  adam_backend_register(&bare, NULL);
}

#endif
