/* SPDX-License-Identifier: Apache-2.0 */
#include "tokenizer/image.h"

#include "base/digest.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/size.h"

#include <string.h>

/* Any change of the sections' meaning changes the version, and with it the old caches die. */
#define VERSION 2u
#define ALIGNMENT 64u
#define MAX_SECTIONS 32u
static const char magic[8] = {'A', 'D', 'A', 'M', 'T', 'O', 'K', '\n'};

typedef struct image_section {
  uint32_t tag, unused;
  uint64_t offset, size; /* bytes */
} image_section;

typedef struct image_header {
  char magic[8];
  uint32_t version, n_sections;
  uint64_t total_bytes;
  uint64_t checksum; /* over everything, with this field 0 */
  am_image_source source;
  char digest[64];
  image_section sections[MAX_SECTIONS];
} image_header;

/* Four independent lanes of multiply and fold: the checksum runs at memory speed. */
static uint64_t checksum_of(const uint8_t *bytes, size_t n_bytes) {
  image_header header;
  memcpy(&header, bytes, sizeof header);
  header.checksum = 0;
  uint64_t lanes[4] = {1, 2, 3, am_hash_bytes(&header, sizeof header, 0)};
  const uint8_t *p = bytes + sizeof header, *end = bytes + n_bytes;
  for (; end - p >= 32; p += 32) {
    uint64_t words[4];
    memcpy(words, p, sizeof words);
    for (int k = 0; k < 4; k++) {
      lanes[k] = (lanes[k] ^ words[k]) * 0x9FB21C651E98DF25u;
      lanes[k] ^= lanes[k] >> 32;
    }
  }
  uint64_t tail = am_hash_bytes(p, (size_t)(end - p), n_bytes);
  return am_hash_bytes(lanes, sizeof lanes, tail);
}

static bool reserve(am_image_writer *writer, size_t more) {
  size_t need, wanted = writer->capacity + writer->capacity / 2;
  if (!writer->failed && am_size_add(writer->size, more, &need)) {
    if (need <= writer->capacity) return true;
    uint8_t *grown = am_mem_aligned(ALIGNMENT, wanted > need ? wanted : need);
    if (grown) {
      if (writer->size > 0) memcpy(grown, writer->bytes, writer->size);
      am_mem_free(writer->bytes);
      writer->bytes = grown;
      writer->capacity = wanted > need ? wanted : need;
      return true;
    }
  }
  writer->failed = true;
  return false;
}

void am_image_begin(am_image_writer *writer, size_t likely_bytes) {
  *writer = (am_image_writer){0};
  if (!reserve(writer, sizeof(image_header) + likely_bytes)) return;
  memset(writer->bytes, 0, sizeof(image_header));
  writer->size = sizeof(image_header);
}

void *am_image_add(am_image_writer *writer, uint32_t tag, const void *bytes, size_t n_bytes) {
  size_t padding = (ALIGNMENT - writer->size % ALIGNMENT) % ALIGNMENT, total;
  if (writer->n_sections == MAX_SECTIONS || !am_size_add(padding, n_bytes, &total)) writer->failed = true;
  if (writer->failed || !reserve(writer, total)) return NULL;
  memset(writer->bytes + writer->size, 0, padding);
  uint8_t *place = writer->bytes + writer->size + padding;
  image_header *header = (image_header *)(void *)writer->bytes;
  header->sections[writer->n_sections++] = (image_section){tag, 0, writer->size + padding, n_bytes};
  header->n_sections = writer->n_sections;
  writer->size += total;
  if (!bytes)
    memset(place, 0, n_bytes);
  else if (n_bytes > 0)
    memcpy(place, bytes, n_bytes);
  return place;
}

am_image am_image_view(const am_image_writer *writer) {
  return (am_image){.bytes = writer->bytes, .size = writer->size};
}

static bool digest_sections(const am_image *image, const uint32_t *tags, char out[65]) {
  static const char digits[] = "0123456789abcdef";
  uint8_t raw[32];
  bool ok = false;
  am_sha256 *sha = am_sha256_open();
  if (!sha) return false;
  for (; *tags; tags++) {
    size_t n = 0;
    const void *bytes = am_image_section(image, *tags, 1, &n);
    uint64_t frame[2] = {*tags, n};
    if (!am_sha256_update(sha, frame, sizeof frame)) goto done;
    if (bytes && !am_sha256_update(sha, bytes, n)) goto done;
  }
  ok = am_sha256_final(sha, raw);
  for (int i = 0; ok && i < 32; i++) {
    out[2 * i] = digits[raw[i] >> 4];
    out[2 * i + 1] = digits[raw[i] & 15];
  }
done:
  am_sha256_close(&sha);
  return ok;
}

adam_status am_image_end(am_image_writer *writer, const am_image_source *source, const uint32_t *digest_tags,
                         am_image *out, adam_error *error) {
  if (writer->failed || writer->size < sizeof(image_header)) {
    am_image_writer_close(writer);
    return am_fail_memory(error, "tokenizer");
  }
  uint8_t *bytes = writer->bytes;
  size_t size = writer->size;
  *writer = (am_image_writer){0};
  image_header *header = (image_header *)(void *)bytes;
  memcpy(header->magic, magic, sizeof magic);
  header->version = VERSION;
  header->total_bytes = size;
  if (source) header->source = *source;
  am_image image = {.bytes = bytes, .size = size, .heap = bytes};
  char digest[65];
  if (!digest_sections(&image, digest_tags, digest)) {
    am_mem_free(bytes);
    return am_fail_memory(error, "tokenizer");
  }
  memcpy(header->digest, digest, sizeof header->digest);
  header->checksum = checksum_of(bytes, size);
  *out = image;
  return ADAM_OK;
}

void am_image_writer_close(am_image_writer *writer) {
  am_mem_free(writer->bytes);
  *writer = (am_image_writer){0};
}

static const char *frame_fault(const uint8_t *bytes, size_t size) {
  const image_header *header = (const image_header *)(const void *)bytes;
  if (size < sizeof *header) return "shorter than its header";
  if (memcmp(header->magic, magic, sizeof magic) != 0) return "no magic bytes";
  if (header->version != VERSION) return "another version";
  if (header->total_bytes != size) return "another size than its header says";
  if (header->n_sections > MAX_SECTIONS) return "too many sections";
  for (uint32_t i = 0; i < header->n_sections; i++) {
    const image_section *section = &header->sections[i];
    if (section->offset % ALIGNMENT != 0 || section->offset < sizeof *header || section->offset > size ||
        section->size > size - section->offset)
      return "a section outside of the file";
  }
  if (checksum_of(bytes, size) != header->checksum) return "wrong checksum";
  return NULL;
}

adam_status am_image_open(const char *path, am_image *out, adam_error *error) {
  am_file_map map;
  adam_status status = am_file_map_open(path, &map, error);
  if (status != ADAM_OK) return status;
  const char *fault = frame_fault(map.bytes, map.size);
  if (fault) {
    am_file_map_close(&map);
    return am_fail(error, ADAM_DAMAGED, path, "it will be made anew", "tokenizer cache: %s", fault);
  }
  *out = (am_image){.bytes = map.bytes, .size = map.size, .map = map};
  return ADAM_OK;
}

adam_status am_image_save(const am_image *image, const char *path, adam_error *error) {
  return am_file_write_atomic(path, image->bytes, image->size, 0644, error);
}

void am_image_close(am_image *image) {
  if (image->map.bytes) am_file_map_close(&image->map);
  am_mem_free(image->heap);
  *image = (am_image){0};
}

static const image_header *header_of(const am_image *image) {
  return (const image_header *)(const void *)image->bytes;
}

const am_image_source *am_image_source_of(const am_image *image) { return &header_of(image)->source; }

const char *am_image_digest(const am_image *image) { return header_of(image)->digest; }

const void *am_image_section(const am_image *image, uint32_t tag, size_t element_bytes, size_t *n) {
  const image_header *header = header_of(image);
  for (uint32_t i = 0; i < header->n_sections; i++) {
    const image_section *section = &header->sections[i];
    if (section->tag != tag) continue;
    if (section->size % element_bytes != 0) return NULL;
    *n = (size_t)(section->size / element_bytes);
    return image->bytes + section->offset;
  }
  return NULL;
}
