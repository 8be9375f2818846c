/* SPDX-License-Identifier: Apache-2.0 */
#include "tokenizer/vocabulary.h"

#include "base/map.h"
#include "base/mem.h"
#include "tokenizer/alphabet.h"

#include <string.h>

#define TAG_INFO AM_IMAGE_TAG('V', 'I', 'N', 'F')
#define TAG_KNOWN AM_IMAGE_TAG('V', 'K', 'N', 'O')
#define TAG_SPELLING_AT AM_IMAGE_TAG('V', 'S', 'A', 'T')
#define TAG_SPELLING AM_IMAGE_TAG('V', 'S', 'P', 'E')
#define TAG_BYTES_AT AM_IMAGE_TAG('V', 'B', 'A', 'T')
#define TAG_BYTES AM_IMAGE_TAG('V', 'B', 'Y', 'T')
#define TAG_SLOTS AM_IMAGE_TAG('V', 'S', 'L', 'O')
#define WORD 1u
#define FOUND 2u

typedef struct info {
  uint64_t n_ids, n_words, seed, raw_bytes;
} info;

/* The last word of each id; NULL: memory is out. */
static const am_vocabulary_word **words_by_id(const am_vocabulary_word *words, size_t n, size_t n_ids) {
  const am_vocabulary_word **by_id = am_mem_zalloc(n_ids + 1, sizeof *by_id);
  for (size_t i = 0; by_id && i < n; i++) by_id[words[i].id] = &words[i];
  return by_id;
}

/* Appends offsets and bytes of all words, spelled or raw. */
static bool add_strings(const am_vocabulary_word **by_id, size_t n_ids, bool raw, uint32_t at_tag,
                        uint32_t tag, uint8_t *known, am_image_writer *writer) {
  size_t total = 0, used = 0;
  for (size_t id = 0; id < n_ids; id++) total += by_id[id] ? by_id[id]->n_bytes : 0;
  uint32_t *at = am_mem_zalloc(n_ids + 1, sizeof *at);
  char *bytes = am_mem_alloc(total + 1);
  bool ok = at && bytes && total < UINT32_MAX;
  for (size_t id = 0; ok && id < n_ids; id++) {
    const am_vocabulary_word *word = by_id[id];
    if (word) {
      size_t n = raw ? am_alphabet_bytes(word->bytes, word->n_bytes, bytes + used) : SIZE_MAX;
      if (n == SIZE_MAX) { /* stays as it is spelled, and no text can make it */
        n = word->n_bytes;
        memcpy(bytes + used, word->bytes, n);
        if (raw) known[id] &= (uint8_t)~FOUND;
      }
      used += n;
    }
    at[id + 1] = (uint32_t)used;
  }
  ok = ok && am_image_add(writer, at_tag, at, (n_ids + 1) * sizeof *at) &&
       am_image_add(writer, tag, bytes, used);
  am_mem_free(at);
  am_mem_free(bytes);
  return ok;
}

static size_t slot_of(const am_vocabulary *v, const char *bytes, size_t n_bytes, uint32_t *tag) {
  uint64_t hash = am_hash_bytes(bytes, n_bytes, v->seed);
  *tag = (uint32_t)(hash >> 32);
  return (size_t)hash & v->mask;
}

/* The strings as the writer holds them now. */
static void view_strings(am_vocabulary *v, const am_image_writer *writer) {
  am_image image = am_image_view(writer);
  size_t n;
  v->bytes_at = am_image_section(&image, v->raw_bytes ? TAG_BYTES_AT : TAG_SPELLING_AT, sizeof(uint32_t), &n);
  v->bytes = am_image_section(&image, v->raw_bytes ? TAG_BYTES : TAG_SPELLING, 1, &n);
  /* Depends on all words, so that nobody can choose words that collide under it. */
  v->seed = am_hash_bytes(v->bytes, n, n);
}

/* Adds the hash table over v's bytes; duplicates of one spelling keep the word that comes last. */
static bool add_slots(am_vocabulary *v, const am_vocabulary_word *words, size_t n,
                      const am_vocabulary_word **by_id, am_image_writer *writer) {
  size_t n_slots = 64;
  while (n_slots < n + n / 2) n_slots *= 2;
  am_vocabulary_slot *slots = am_image_add(writer, TAG_SLOTS, NULL, n_slots * sizeof *slots);
  if (!slots) return false;
  view_strings(v, writer);
  v->mask = n_slots - 1;
  v->n_words = 0;
  for (size_t i = 0; i < n; i++) {
    int32_t id = words[i].id;
    if (by_id[id] != &words[i] || !(v->known[id] & FOUND)) {
      v->n_words++;
      continue;
    }
    const char *bytes = v->bytes + v->bytes_at[id];
    size_t n_bytes = v->bytes_at[id + 1] - v->bytes_at[id];
    uint32_t tag;
    size_t at = slot_of(v, bytes, n_bytes, &tag);
    for (; slots[at].id_plus; at = (at + 1) & v->mask) {
      uint32_t other = slots[at].id_plus - 1;
      if (slots[at].tag == tag && v->bytes_at[other + 1] - v->bytes_at[other] == n_bytes &&
          memcmp(v->bytes + v->bytes_at[other], bytes, n_bytes) == 0)
        break;
    }
    v->n_words += slots[at].id_plus == 0;
    slots[at] = (am_vocabulary_slot){tag, (uint32_t)id + 1};
  }
  return true;
}

adam_status am_vocabulary_build(const am_vocabulary_word *words, size_t n, bool raw_bytes,
                                am_image_writer *writer, adam_error *error) {
  int32_t highest = -1;
  for (size_t i = 0; i < n; i++) {
    if (words[i].id < 0 || (uint32_t)words[i].id >= AM_VOCABULARY_MOST_IDS)
      return am_fail(error, ADAM_LIMIT, "tokenizer", NULL, "vocabulary: id %d, expected 0 to %u", words[i].id,
                     AM_VOCABULARY_MOST_IDS - 1);
    if (words[i].id > highest) highest = words[i].id;
  }
  size_t n_ids = (size_t)(highest + 1);
  am_vocabulary v = {.n_ids = n_ids, .raw_bytes = raw_bytes};
  bool ok = false;
  const am_vocabulary_word **by_id = words_by_id(words, n, n_ids);
  uint8_t *known = am_mem_zalloc(n_ids + 1, 1);
  if (!by_id || !known) goto done;
  for (size_t id = 0; id < n_ids; id++) known[id] = by_id[id] ? WORD | FOUND : 0;
  v.known = known;
  if (!add_strings(by_id, n_ids, false, TAG_SPELLING_AT, TAG_SPELLING, known, writer)) goto done;
  if (raw_bytes && !add_strings(by_id, n_ids, true, TAG_BYTES_AT, TAG_BYTES, known, writer)) goto done;
  if (!add_slots(&v, words, n, by_id, writer)) goto done;
  info facts = {n_ids, v.n_words, v.seed, raw_bytes};
  ok = am_image_add(writer, TAG_KNOWN, known, n_ids) && am_image_add(writer, TAG_INFO, &facts, sizeof facts);
done:
  am_mem_free((void *)by_id);
  am_mem_free(known);
  return ok ? ADAM_OK : am_fail_memory(error, "tokenizer");
}

static bool offsets_rise(const uint32_t *at, size_t n_ids, size_t n_bytes) {
  uint32_t falls = at[0] != 0;
  for (size_t i = 0; i < n_ids; i++) falls |= at[i + 1] < at[i];
  return !falls && at[n_ids] <= n_bytes;
}

static bool slots_are_sound(const am_vocabulary_slot *slots, size_t n_slots, size_t n_ids) {
  size_t empty = 0;
  uint32_t wrong = 0;
  for (size_t i = 0; i < n_slots; i++) {
    empty += slots[i].id_plus == 0;
    wrong |= slots[i].id_plus > n_ids;
  }
  return empty > 0 && !wrong; /* an empty slot ends every search */
}

adam_status am_vocabulary_bind(const am_image *image, am_vocabulary *out, adam_error *error) {
  size_t n_info = 0, n_known = 0, n_at = 0, n_spelling = 0, n_bytes_at = 0, n_bytes = 0, n_slots = 0;
  const info *facts = am_image_section(image, TAG_INFO, sizeof *facts, &n_info);
  if (!facts || n_info != 1 || facts->n_ids > AM_VOCABULARY_MOST_IDS || facts->raw_bytes > 1) goto damaged;
  am_vocabulary v = {.n_ids = facts->n_ids,
                     .n_words = facts->n_words,
                     .seed = facts->seed,
                     .raw_bytes = facts->raw_bytes == 1};
  v.known = am_image_section(image, TAG_KNOWN, 1, &n_known);
  v.spelling_at = am_image_section(image, TAG_SPELLING_AT, sizeof *v.spelling_at, &n_at);
  v.spelling = am_image_section(image, TAG_SPELLING, 1, &n_spelling);
  v.slots = am_image_section(image, TAG_SLOTS, sizeof *v.slots, &n_slots);
  v.bytes_at = v.spelling_at, n_bytes_at = n_at;
  v.bytes = v.spelling, n_bytes = n_spelling;
  if (v.raw_bytes) {
    v.bytes_at = am_image_section(image, TAG_BYTES_AT, sizeof *v.bytes_at, &n_bytes_at);
    v.bytes = am_image_section(image, TAG_BYTES, 1, &n_bytes);
  }
  if (!v.known || !v.spelling_at || !v.spelling || !v.bytes_at || !v.bytes || !v.slots) goto damaged;
  if (n_known != v.n_ids || n_at != v.n_ids + 1 || n_bytes_at != v.n_ids + 1) goto damaged;
  if (n_slots == 0 || (n_slots & (n_slots - 1)) != 0) goto damaged;
  if (!offsets_rise(v.spelling_at, v.n_ids, n_spelling) || !offsets_rise(v.bytes_at, v.n_ids, n_bytes) ||
      !slots_are_sound(v.slots, n_slots, v.n_ids))
    goto damaged;
  v.mask = n_slots - 1;
  *out = v;
  return ADAM_OK;
damaged:
  return am_fail(error, ADAM_DAMAGED, "tokenizer cache", NULL, "vocabulary sections do not fit together");
}

int32_t am_vocabulary_find(const am_vocabulary *v, const char *bytes, size_t n_bytes) {
  uint32_t tag;
  for (size_t at = slot_of(v, bytes, n_bytes, &tag); v->slots[at].id_plus; at = (at + 1) & v->mask) {
    if (v->slots[at].tag != tag) continue;
    uint32_t id = v->slots[at].id_plus - 1;
    if (v->bytes_at[id + 1] - v->bytes_at[id] == n_bytes &&
        memcmp(v->bytes + v->bytes_at[id], bytes, n_bytes) == 0)
      return (int32_t)id;
  }
  return -1;
}

int32_t am_vocabulary_find_spelling(const am_vocabulary *v, const char *spelling, size_t n_bytes) {
  if (!v->raw_bytes) return am_vocabulary_find(v, spelling, n_bytes);
  char small[256], *raw = n_bytes <= sizeof small ? small : am_mem_alloc(n_bytes);
  size_t n = raw ? am_alphabet_bytes(spelling, n_bytes, raw) : SIZE_MAX;
  int32_t found = n != SIZE_MAX ? am_vocabulary_find(v, raw, n) : -1;
  if (raw != small) am_mem_free(raw);
  if (n != SIZE_MAX) return found;
  for (size_t id = 0; id < v->n_ids; id++) /* not of the alphabet: few, and asked for rarely */
    if ((v->known[id] & WORD) && v->spelling_at[id + 1] - v->spelling_at[id] == n_bytes &&
        memcmp(v->spelling + v->spelling_at[id], spelling, n_bytes) == 0)
      return (int32_t)id;
  return -1;
}
