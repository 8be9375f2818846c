/* SPDX-License-Identifier: Apache-2.0 */
/* BPE: from a file's settings and merges to the sections of an image, and back to a model. */
#include "tokenizer/bpe.h"

#include "base/map.h"
#include "base/mem.h"
#include "tokenizer/alphabet.h"
#include "tokenizer/word_pairs.h"

#include <stdio.h>
#include <string.h>

typedef struct info {
  uint64_t seed;
} info;

static adam_status bad_merge(adam_error *error, size_t index, const char *why) {
  return am_fail(error, ADAM_DAMAGED, "tokenizer", NULL, "model: merge %zu: %s", index, why);
}

/* The two parts of a merge, whichever way it is written. */
typedef struct merge_text {
  const char *left, *right;
  size_t left_bytes, right_bytes;
} merge_text;

static bool split_line(const char *line, size_t n_bytes, size_t from, bool strict, merge_text *out) {
  if (n_bytes <= from) return false;
  const char *space = memchr(line + from, ' ', n_bytes - from);
  if (!space) return false;
  *out = (merge_text){line, space + 1, (size_t)(space - line), n_bytes - (size_t)(space - line) - 1};
  return !strict || !memchr(out->right, ' ', out->right_bytes);
}

/* Merge i of the source. 1: there, 0: to be skipped, -1: malformed. */
static int merge_at(const am_model_source *source, size_t i, merge_text *out) {
  if (!source->merges)
    return split_line(source->merge_lines[i].bytes, source->merge_lines[i].n_bytes, 1, false, out) ? 1 : -1;
  const am_json *item = &source->merges->as.items[i];
  if (item->type == AM_JSON_STRING) {
    if (item->n >= 8 && memcmp(item->as.string, "#version", 8) == 0) return 0;
    return split_line(item->as.string, item->n, 0, true, out) ? 1 : -1;
  }
  const am_json *left = am_json_at(item, 0), *right = am_json_at(item, 1);
  if (!left || !right || item->n != 2 || left->type != AM_JSON_STRING || right->type != AM_JSON_STRING)
    return -1;
  *out = (merge_text){left->as.string, right->as.string, left->n, right->n};
  return 1;
}

/* The same for the same merges, and hard to aim at: it depends on all of them. */
static uint64_t seed_of(const am_model_source *source, const am_vocabulary *vocabulary) {
  uint64_t seed = vocabulary->seed;
  size_t n = source->merges ? source->merges->n : source->n_merges;
  for (size_t i = 0; i < n; i++) {
    merge_text text;
    if (merge_at(source, i, &text) <= 0) continue;
    seed = am_hash_bytes(text.left, text.left_bytes, seed);
    seed = am_hash_bytes(text.right, text.right_bytes, seed);
  }
  return seed;
}

static void put_merge(am_bpe_merge *slots, const am_bpe *bpe, uint64_t pair, uint32_t rank) {
  size_t at = am_bpe_slot(bpe->seed, bpe->shift, pair);
  while (slots[at] != AM_BPE_EMPTY && slots[at] >> 22 != pair) at = (at + 1) & bpe->mask;
  slots[at] = pair << 22 | rank; /* of one pair twice, the later counts */
}

static bool word_is(const am_vocabulary *v, int32_t id, const char *bytes, size_t n_bytes) {
  return am_vocabulary_has(v, id) && v->bytes_at[id + 1] - v->bytes_at[id] == n_bytes &&
         memcmp(v->bytes + v->bytes_at[id], bytes, n_bytes) == 0;
}

/* Pair and result of a merge. Raw bytes: words that no text can make are skipped (0); -1: a part is no
 * word. *made is the result of the merge before: mostly the next id is that of this one. */
static int resolve(const am_vocabulary *v, const merge_text *text, size_t prefix_bytes, char *scratch,
                   uint64_t *pair, int32_t *made) {
  size_t n_left = text->left_bytes, n_right = text->right_bytes;
  if (v->raw_bytes) {
    n_left = am_alphabet_bytes(text->left, text->left_bytes, scratch);
    n_right =
        n_left == SIZE_MAX ? SIZE_MAX : am_alphabet_bytes(text->right, text->right_bytes, scratch + n_left);
    if (n_right == SIZE_MAX) return 0;
  } else {
    memcpy(scratch, text->left, n_left);
    memcpy(scratch + n_left, text->right, n_right);
  }
  int32_t left = am_vocabulary_find(v, scratch, n_left);
  int32_t right = am_vocabulary_find(v, scratch + n_left, n_right);
  if (n_right < prefix_bytes) return -1;
  if (prefix_bytes > 0) memmove(scratch + n_left, scratch + n_left + prefix_bytes, n_right - prefix_bytes);
  size_t n_both = n_left + n_right - prefix_bytes;
  int32_t both = *made + 1;
  if (!word_is(v, both, scratch, n_both)) both = am_vocabulary_find(v, scratch, n_both);
  if (left < 0 || right < 0 || both < 0) return -1;
  *pair = am_bpe_pair((uint32_t)left, (uint32_t)right);
  *made = both;
  return 1;
}

static adam_status fill_merges(const am_model_source *source, const am_vocabulary *vocabulary,
                               const am_bpe *bpe, size_t prefix_bytes, am_bpe_merge *slots, uint32_t *results,
                               adam_error *error) {
  adam_status status = ADAM_OK;
  char *scratch = NULL;
  size_t capacity = 0, n = source->merges ? source->merges->n : source->n_merges;
  uint32_t rank = 0;
  int32_t made = -2;
  for (size_t i = 0; status == ADAM_OK && i < n; i++) {
    merge_text text;
    int form = merge_at(source, i, &text);
    if (form == 0) continue;
    if (form < 0) {
      status = bad_merge(error, i, "expected two parts");
      break;
    }
    size_t need = text.left_bytes + text.right_bytes + 1;
    if (need > capacity) {
      char *grown = am_mem_resize(scratch, need * 2, 1);
      if (!grown) {
        status = am_fail_memory(error, "tokenizer");
        break;
      }
      scratch = grown;
      capacity = need * 2;
    }
    uint64_t pair = 0;
    int found = resolve(vocabulary, &text, prefix_bytes, scratch, &pair, &made);
    if (found < 0)
      status = bad_merge(error, i, "a part of it, or the two together, is not in the vocabulary");
    else if (found > 0)
      put_merge(slots, bpe, pair, rank), results[rank] = (uint32_t)made;
    rank++;
  }
  am_mem_free(scratch);
  return status;
}

static size_t text_bytes(const am_json *value) {
  return value && value->type == AM_JSON_STRING ? value->n : 0;
}

static bool add_sections(const am_bpe *bpe, const am_bpe_merge *slots, const uint32_t *results, size_t n,
                         am_image_writer *writer) {
  info facts = {bpe->seed};
  return am_image_add(writer, AM_BPE_TAG_MERGES, slots, (bpe->mask + 1) * sizeof *slots) &&
         am_image_add(writer, AM_BPE_TAG_RESULTS, results, n * sizeof *results) &&
         am_image_add(writer, AM_BPE_TAG_INFO, &facts, sizeof facts);
}

/* Seed, mask and empty slots for n merges; NULL: memory is out. */
static am_bpe_merge *open_slots(am_bpe *bpe, size_t n, uint64_t seed) {
  size_t n_slots = 64;
  *bpe = (am_bpe){.seed = seed, .shift = 58};
  while (n_slots < n + n / 2) n_slots *= 2, bpe->shift--;
  bpe->mask = n_slots - 1;
  am_bpe_merge *slots = am_mem_alloc(n_slots * sizeof *slots);
  if (slots) memset(slots, 0xFF, n_slots * sizeof *slots);
  return slots;
}

static adam_status build_derived(const am_vocabulary *vocabulary, am_image_writer *writer,
                                 adam_error *error) {
  am_word_pairs pairs = {0};
  am_bpe bpe;
  adam_status status = am_word_pairs_find(vocabulary, NULL, 0, AM_BPE_MOST_MERGES - 1, &pairs, error);
  if (status != ADAM_OK) return status;
  uint64_t seed = am_hash_bytes(pairs.data, pairs.n * sizeof *pairs.data, vocabulary->seed);
  am_bpe_merge *slots = open_slots(&bpe, pairs.n, seed);
  uint32_t *results = am_mem_zalloc(pairs.n + 1, sizeof *results);
  for (size_t i = 0; slots && results && i < pairs.n; i++) {
    put_merge(slots, &bpe, am_bpe_pair(pairs.data[i].left, pairs.data[i].right), (uint32_t)i);
    results[i] = pairs.data[i].made;
  }
  if (!slots || !results || !add_sections(&bpe, slots, results, pairs.n, writer))
    status = am_fail_memory(error, "tokenizer");
  am_mem_free(slots);
  am_mem_free(results);
  am_word_pairs_close(&pairs);
  return status;
}

adam_status am_bpe_build(const am_model_source *source, const am_vocabulary *vocabulary,
                         am_image_writer *writer, adam_error *error) {
  if (!vocabulary->raw_bytes && !am_cuts_build(vocabulary, writer)) return am_fail_memory(error, "tokenizer");
  if (source->derive_merges) return build_derived(vocabulary, writer, error);
  size_t n = source->n_merges;
  if (source->merges) {
    if (source->merges->type != AM_JSON_ARRAY) return bad_merge(error, 0, "merges is no array");
    n = source->merges->n;
  }
  if (n >= AM_BPE_MOST_MERGES) return am_fail(error, ADAM_LIMIT, "tokenizer", NULL, "model: %zu merges", n);
  am_bpe bpe;
  am_bpe_merge *slots = open_slots(&bpe, n, seed_of(source, vocabulary));
  uint32_t *results = am_mem_zalloc(n + 1, sizeof *results);
  if (!slots || !results) {
    am_mem_free(slots);
    am_mem_free(results);
    return am_fail_memory(error, "tokenizer");
  }
  size_t prefix_bytes = text_bytes(am_json_get(source->settings, "continuing_subword_prefix"));
  adam_status status = fill_merges(source, vocabulary, &bpe, prefix_bytes, slots, results, error);
  if (status == ADAM_OK && !add_sections(&bpe, slots, results, n, writer))
    status = am_fail_memory(error, "tokenizer");
  am_mem_free(slots);
  am_mem_free(results);
  return status;
}

static bool merges_are_sound(const am_bpe_merge *slots, size_t n_slots, const uint32_t *results,
                             size_t n_results, size_t n_ids) {
  size_t empty = 0;
  uint32_t wrong = 0;
  for (size_t i = 0; i < n_slots; i++) {
    bool is_empty = slots[i] == AM_BPE_EMPTY;
    empty += is_empty;
    wrong |= ((slots[i] & (AM_BPE_MOST_MERGES - 1)) >= n_results) & !is_empty;
  }
  for (size_t i = 0; i < n_results; i++) wrong |= results[i] >= n_ids;
  return empty > 0 && !wrong;
}

static void read_settings(const am_json *settings, const am_vocabulary *v, am_bpe *bpe) {
  const am_json *unknown = am_json_get(settings, "unk_token");
  const am_json *prefix = am_json_get(settings, "continuing_subword_prefix");
  const am_json *suffix = am_json_get(settings, "end_of_word_suffix");
  bpe->raw_bytes = v->raw_bytes;
  bpe->ignore_merges = am_json_bool(am_json_get(settings, "ignore_merges"), false);
  bpe->fuse_unknown = am_json_bool(am_json_get(settings, "fuse_unk"), false);
  bpe->byte_fallback = am_json_bool(am_json_get(settings, "byte_fallback"), false);
  bpe->wants_unknown = unknown && unknown->type == AM_JSON_STRING;
  bpe->unknown_id = bpe->wants_unknown ? am_vocabulary_find_spelling(v, unknown->as.string, unknown->n) : -1;
  bpe->prefix_bytes = text_bytes(prefix);
  bpe->suffix_bytes = text_bytes(suffix);
  bpe->prefix = bpe->prefix_bytes ? prefix->as.string : "";
  bpe->suffix = bpe->suffix_bytes ? suffix->as.string : "";
  for (int byte = 0; byte < 256; byte++) {
    char name[8], raw = (char)byte;
    int n = snprintf(name, sizeof name, "<0x%02X>", (unsigned)byte);
    bpe->byte_ids[byte] = v->raw_bytes         ? am_vocabulary_find(v, &raw, 1)
                          : bpe->byte_fallback ? am_vocabulary_find(v, name, (size_t)n)
                                               : -1;
  }
}

/* true: an unknown token or a byte's token is part of a merge, so that characters which are in no word
 * side by side can grow together all the same. */
static bool merges_of_fallback(const am_bpe *bpe, size_t n_ids) {
  uint64_t *marked = am_mem_zalloc(n_ids / 64 + 1, sizeof *marked);
  bool found = !marked;
  for (int i = -1; marked && i < 256; i++) {
    int32_t id = i < 0 ? bpe->unknown_id : bpe->byte_ids[i];
    if (id >= 0) marked[id / 64] |= (uint64_t)1 << (id % 64);
  }
  for (size_t at = 0; !found && at <= bpe->mask; at++) {
    uint64_t pair = bpe->merges[at] >> 22, left = pair >> 21, right = pair & (((uint64_t)1 << 21) - 1);
    if (bpe->merges[at] == AM_BPE_EMPTY) continue;
    found = (left < n_ids && marked[left / 64] >> (left % 64) & 1) ||
            (right < n_ids && marked[right / 64] >> (right % 64) & 1);
  }
  am_mem_free(marked);
  return found;
}

/* Where parts of a piece can be encoded one by one: not if the piece as a whole means something. */
static bool bind_cuts(const am_image *image, const am_vocabulary *v, am_bpe *bpe) {
  bool all_bytes = bpe->byte_fallback;
  if (!am_char_ids_open(v, &bpe->chars)) return false;
  if (bpe->ignore_merges || bpe->prefix_bytes + bpe->suffix_bytes > 0 || merges_of_fallback(bpe, v->n_ids))
    return true;
  for (int byte = 0; byte < 256; byte++) all_bytes = all_bytes && bpe->byte_ids[byte] >= 0;
  bpe->loses = !all_bytes;
  if (!am_cuts_bind(image, &bpe->cuts)) bpe->cuts = (am_cuts){0};
  return true;
}

adam_status am_bpe_bind(const am_image *image, const am_json *settings, am_model *model, adam_error *error) {
  size_t n_slots = 0, n_results = 0, n_info = 0;
  const am_bpe_merge *slots = am_image_section(image, AM_BPE_TAG_MERGES, sizeof *slots, &n_slots);
  const uint32_t *results = am_image_section(image, AM_BPE_TAG_RESULTS, sizeof *results, &n_results);
  const info *facts = am_image_section(image, AM_BPE_TAG_INFO, sizeof *facts, &n_info);
  if (!slots || !results || !facts || n_info != 1 || n_slots < 2 || (n_slots & (n_slots - 1)) != 0 ||
      !merges_are_sound(slots, n_slots, results, n_results, model->vocabulary.n_ids))
    return am_fail(error, ADAM_DAMAGED, "tokenizer cache", NULL, "BPE sections do not fit together");
  double dropout = am_json_real(am_json_get(settings, "dropout"), 0.0);
  if (dropout != 0.0)
    return am_fail(error, ADAM_UNSUPPORTED, "tokenizer", NULL, "model: BPE dropout %g (0 or null is)",
                   dropout);
  am_bpe *bpe = am_mem_zalloc(1, sizeof *bpe);
  if (!bpe) return am_fail_memory(error, "tokenizer");
  bpe->merges = slots;
  bpe->results = results;
  bpe->n_results = n_results;
  bpe->mask = n_slots - 1;
  bpe->shift = __builtin_clzll((unsigned long long)n_slots) + 1;
  bpe->seed = facts->seed;
  read_settings(settings, &model->vocabulary, bpe);
  if (!bpe->raw_bytes && !bind_cuts(image, &model->vocabulary, bpe)) {
    am_bpe_close(bpe);
    return am_fail_memory(error, "tokenizer");
  }
  model->own = bpe;
  return ADAM_OK;
}
