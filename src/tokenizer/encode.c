/* SPDX-License-Identifier: Apache-2.0 */
/* Text -> ids: the stages in their order, and the questions about single ids. */
#include "tokenizer/tokenizer.h"

#include "base/utf8.h"
#include "tokenizer/pipeline.h"
#include "tokenizer/unicode.h"

#include <string.h>

#define MOST_TEXT_BYTES ((size_t)1 << 30)
#define KEPT_PARTS ((size_t)1 << 16)
#define KEPT_BYTES ((size_t)4 << 20) /* a pooled buffer larger than this is given back */

static adam_status no_memory(adam_error *error) { return am_fail_memory(error, "tokenizer"); }

/* One pass over the text, no spans: byte-level models with a known pattern. */
static adam_status encode_words(const am_tokenizer *t, am_scratch *scratch, const char *text, size_t n_bytes,
                                am_ids *ids, adam_error *error) {
  am_word_walk walk = am_word_begin(t->pretokenizer.words, t->pretokenizer.isolate, text, n_bytes);
  while (walk.position < walk.end) {
    size_t start = walk.position, stop = am_word_next(&walk);
    adam_status status = t->model.row->encode(&t->model, scratch->model, text + start, stop - start,
                                              n_bytes - start, ids, error);
    if (status != ADAM_OK) return status;
  }
  return ADAM_OK;
}

/* Normalised text without added tokens. `first`: it begins where the caller's text begins. */
static adam_status encode_plain(const am_tokenizer *t, am_scratch *scratch, const char *text, size_t n_bytes,
                                bool first, am_ids *ids, adam_error *error) {
  am_pieces *pieces = &scratch->stage.pieces;
  if (t->pretokenizer.words) return encode_words(t, scratch, text, n_bytes, ids, error);
  am_buf_clear(&pieces->text);
  pieces->spans.n = 0;
  if (!am_buf_append(&pieces->text, text, n_bytes) || !am_spans_add(&pieces->spans, 0, n_bytes, first))
    return no_memory(error);
  adam_status status = am_pretokenizer_run(&t->pretokenizer, &scratch->stage, error);
  for (size_t i = 0; status == ADAM_OK && i < pieces->spans.n; i++) {
    am_span span = pieces->spans.data[i];
    status = t->model.row->encode(&t->model, scratch->model, pieces->text.data + span.start,
                                  span.end - span.start, pieces->text.len - span.start, ids, error);
  }
  return status;
}

/* A part of the text between the added tokens that are matched before normalisation. */
static adam_status encode_part(const am_tokenizer *t, am_scratch *scratch, const char *text, size_t n_bytes,
                               bool first, bool plain, am_ids *ids, adam_error *error) {
  am_normalized normal;
  adam_status status = am_normalizer_run(&t->normalizer, text, n_bytes, &scratch->stage, &normal, error);
  if (status != ADAM_OK) return status;
  am_added_scan scan = am_added_begin(&t->added, true, plain, normal.text, normal.n_bytes);
  const am_added_token *token;
  size_t start, end;
  while (status == ADAM_OK && am_added_next(&scan, &token, &start, &end)) {
    if (token)
      status = am_ids_add(ids, token->id) ? ADAM_OK : no_memory(error);
    else
      status = encode_plain(t, scratch, normal.text + start, end - start,
                            first && start == 0 && !normal.lost_start, ids, error);
  }
  return status;
}

static adam_status encode_parts(const am_tokenizer *t, am_scratch *scratch, const char *text, size_t n_bytes,
                                bool plain, am_ids *ids, adam_error *error) {
  am_added_parts *parts = &scratch->parts;
  adam_status status = ADAM_OK;
  if (!am_added_partition(&t->added, plain, text, n_bytes, parts)) return no_memory(error);
  for (size_t i = 0; status == ADAM_OK && i < parts->n; i++) {
    const am_added_part *part = &parts->data[i];
    if (part->token)
      status = am_ids_add(ids, part->token->id) ? ADAM_OK : no_memory(error);
    else
      status = encode_part(t, scratch, text + part->start, part->end - part->start, part->start == 0, plain,
                           ids, error);
  }
  return status;
}

static adam_status encode_text(const am_tokenizer *t, am_scratch *scratch, const char *text, size_t n_bytes,
                               bool plain, am_ids *ids, adam_error *error) {
  if (t->added.longest_first) return encode_parts(t, scratch, text, n_bytes, plain, ids, error);
  am_added_scan scan = am_added_begin(&t->added, false, plain, text, n_bytes);
  const am_added_token *token;
  size_t start, end;
  adam_status status = ADAM_OK;
  while (status == ADAM_OK && am_added_next(&scan, &token, &start, &end)) {
    if (token)
      status = am_ids_add(ids, token->id) ? ADAM_OK : no_memory(error);
    else
      status = encode_part(t, scratch, text + start, end - start, start == 0, plain, ids, error);
  }
  return status;
}

/* text with every invalid sequence replaced by U+FFFD. */
static bool clean_text(const char *text, size_t n_bytes, am_buf *out) {
  am_buf_clear(out);
  for (size_t p = 0; p < n_bytes;) {
    size_t valid = am_utf8_valid_prefix(text + p, n_bytes - p);
    am_buf_append(out, text + p, valid);
    p += valid;
    if (p == n_bytes) break;
    uint32_t codepoint;
    int length = am_utf8_decode(text + p, n_bytes - p, &codepoint);
    am_buf_append_codepoint(out, AM_UTF8_REPLACEMENT);
    p += (size_t)(length < 0 ? -length : length);
  }
  return !out->failed;
}

/* One text without special ids, appended. */
static adam_status encode_one(const am_tokenizer *t, am_scratch *scratch, const char *text, size_t n_bytes,
                              uint32_t flags, am_ids *ids, adam_error *error) {
  if (n_bytes > MOST_TEXT_BYTES)
    return am_fail(error, ADAM_LIMIT, "tokenizer", "split the text", "%zu bytes in one call, at most 1 GiB",
                   n_bytes);
  if (!am_utf8_valid(text, n_bytes)) {
    if (!clean_text(text, n_bytes, &scratch->clean)) return no_memory(error);
    text = scratch->clean.data;
    n_bytes = scratch->clean.len;
  }
  return encode_text(t, scratch, text, n_bytes, flags & AM_ENCODE_PLAIN_TEXT, ids, error);
}

static void give_back(const am_tokenizer *t, am_scratch *scratch) {
  if (scratch->clean.capacity > KEPT_BYTES) am_buf_close(&scratch->clean);
  for (int k = 0; k < 2; k++)
    if (scratch->texts[k].capacity * sizeof *scratch->texts[k].data > KEPT_BYTES)
      am_ids_close(&scratch->texts[k]);
  if (scratch->parts.capacity + scratch->parts.spare_capacity > KEPT_PARTS)
    am_added_parts_close(&scratch->parts);
  am_stage_memory_trim(&scratch->stage);
  am_scratch_return(t, scratch);
}

/* The truncation strategy "longest_first" of the library: what is left of two texts. */
static void shorten(size_t n[2], size_t most) {
  if (n[0] + n[1] <= most) return;
  bool swapped = n[0] > n[1];
  size_t shorter = swapped ? n[1] : n[0], longer;
  if (shorter > most)
    longer = shorter;
  else
    longer = shorter > most - shorter ? shorter : most - shorter;
  if (shorter + longer > most) {
    shorter = most / 2;
    longer = shorter + most % 2;
  }
  n[0] = swapped ? longer : shorter;
  n[1] = swapped ? shorter : longer;
}

static bool append(am_ids *to, const int32_t *ids, size_t n) {
  if (!am_ids_reserve(to, n + 1)) return false;
  if (n > 0) memcpy(to->data + to->n, ids, n * sizeof *ids);
  to->n += n;
  return true;
}

/* Puts texts and special ids in their order. */
static bool arrange(const am_post_template *order, bool special, const am_ids texts[2], const size_t n[2],
                    am_ids *ids, am_ids *type_ids) {
  for (size_t i = 0; i < order->n; i++) {
    const am_post_item *item = &order->items[i];
    size_t which = item->kind == AM_POST_SECOND, count = n[which];
    if (item->kind == AM_POST_ID) {
      if (!special) continue;
      count = 1;
    }
    if (!append(ids, item->kind == AM_POST_ID ? &item->id : texts[which].data, count)) return false;
    if (!type_ids) continue;
    if (!am_ids_reserve(type_ids, count + 1)) return false;
    for (size_t k = 0; k < count; k++) type_ids->data[type_ids->n++] = item->type_id;
  }
  return true;
}

adam_status am_tokenizer_encode_pair(const am_tokenizer *tokenizer, const char *first, size_t first_bytes,
                                     const char *second, size_t second_bytes, uint32_t flags, size_t most_ids,
                                     am_ids *ids, am_ids *type_ids, size_t *n_dropped, adam_error *error) {
  const am_post_template *order = second ? &tokenizer->postprocessor.pair : &tokenizer->postprocessor.single;
  bool special = flags & AM_ENCODE_SPECIAL;
  size_t before = ids->n, types_before = type_ids ? type_ids->n : 0, n[2], whole, added;
  am_scratch *scratch = am_scratch_lend(tokenizer);
  if (!scratch) return no_memory(error);
  scratch->texts[0].n = scratch->texts[1].n = 0;
  adam_status status = encode_one(tokenizer, scratch, first, first_bytes, flags, &scratch->texts[0], error);
  if (status == ADAM_OK && second)
    status = encode_one(tokenizer, scratch, second, second_bytes, flags, &scratch->texts[1], error);
  if (status != ADAM_OK) goto done;
  n[0] = scratch->texts[0].n;
  n[1] = scratch->texts[1].n;
  whole = n[0] + n[1];
  added = special ? order->n_ids : 0;
  if (most_ids > 0 && second)
    shorten(n, most_ids > added ? most_ids - added : 0);
  else if (most_ids > 0 && n[0] + added > most_ids)
    n[0] = most_ids > added ? most_ids - added : 0;
  if (!arrange(order, special, scratch->texts, n, ids, type_ids)) {
    status = no_memory(error);
    goto done;
  }
  if (n_dropped) *n_dropped = whole - n[0] - n[1];
done:
  if (status != ADAM_OK) {
    ids->n = before;
    if (type_ids) type_ids->n = types_before;
  }
  give_back(tokenizer, scratch);
  return status;
}

adam_status am_tokenizer_encode(const am_tokenizer *tokenizer, const char *text, size_t n_bytes,
                                uint32_t flags, am_ids *ids, adam_error *error) {
  const am_post_template *order = &tokenizer->postprocessor.single;
  am_scratch *scratch = am_scratch_lend(tokenizer);
  if (!scratch) return no_memory(error);
  adam_status status = ADAM_OK;
  size_t before = ids->n, start = 0, end = 0;
  for (size_t i = 0; status == ADAM_OK && i < order->n; i++) {
    const am_post_item *item = &order->items[i];
    if (item->kind == AM_POST_ID) {
      if ((flags & AM_ENCODE_SPECIAL) && !am_ids_add(ids, item->id)) status = no_memory(error);
    } else if (end == 0) { /* the text goes where it belongs, at once */
      start = ids->n;
      status = encode_one(tokenizer, scratch, text, n_bytes, flags, ids, error);
      end = ids->n;
    } else if (!am_ids_reserve(ids, end - start + 1)) {
      status = no_memory(error);
    } else {
      for (size_t k = start; k < end; k++) ids->data[ids->n++] = ids->data[k];
    }
  }
  if (status != ADAM_OK) ids->n = before;
  give_back(tokenizer, scratch);
  return status;
}

size_t am_tokenizer_truncation(const am_tokenizer *tokenizer) {
  int64_t n = am_json_int(am_json_path(&tokenizer->config, "truncation.max_length"), 0);
  return n > 0 ? (size_t)n : 0;
}

size_t am_tokenizer_model_max_length(const am_tokenizer *tokenizer) {
  int64_t n = am_json_int(am_json_get(&tokenizer->config, "model_max_length"), 0);
  return n > 0 ? (size_t)n : 0;
}

size_t am_tokenizer_size(const am_tokenizer *tokenizer) {
  size_t n = tokenizer->model.vocabulary.n_ids, n_added = (size_t)(tokenizer->added.last_id + 1);
  return n > n_added ? n : n_added;
}

const char *am_tokenizer_piece(const am_tokenizer *tokenizer, int32_t id, size_t *n_bytes) {
  const am_added_token *token = am_added_find(&tokenizer->added, id);
  if (token) return *n_bytes = token->spelling_bytes, token->spelling;
  const am_vocabulary *v = &tokenizer->model.vocabulary;
  if (!am_vocabulary_has(v, id)) return NULL;
  *n_bytes = v->spelling_at[id + 1] - v->spelling_at[id];
  return v->spelling + v->spelling_at[id];
}

int32_t am_tokenizer_find(const am_tokenizer *tokenizer, const char *piece, size_t n_bytes) {
  if (!am_utf8_valid(piece, n_bytes)) return -1;
  const am_added_token *token = am_added_named(&tokenizer->added, piece, n_bytes);
  return token ? token->id : am_vocabulary_find_spelling(&tokenizer->model.vocabulary, piece, n_bytes);
}

bool am_tokenizer_is_special(const am_tokenizer *tokenizer, int32_t id) {
  const am_added_token *token = am_added_find(&tokenizer->added, id);
  return token && token->special;
}

const char *am_tokenizer_kind(const am_tokenizer *tokenizer) { return tokenizer->model.row->name; }

const char *am_tokenizer_digest(const am_tokenizer *tokenizer) { return tokenizer->digest; }
