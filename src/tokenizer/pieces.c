/* SPDX-License-Identifier: Apache-2.0 */
#include "tokenizer/pieces.h"

#include "base/mem.h"
#include "base/size.h"

void *am_grow(void *data, size_t n, size_t more, size_t *capacity, size_t element_bytes) {
  size_t need;
  if (!am_size_add(n, more, &need)) return NULL;
  if (need <= *capacity) return data;
  size_t wanted = *capacity + *capacity / 2 + 64;
  if (wanted < need) wanted = need;
  void *grown = am_mem_resize(data, wanted, element_bytes);
  if (grown) *capacity = wanted;
  return grown;
}

bool am_spans_add(am_spans *spans, size_t start, size_t end, bool first) {
  if (start == end) return true;
  am_span *data = am_grow(spans->data, spans->n, 1, &spans->capacity, sizeof *data);
  if (!data) return false;
  spans->data = data;
  data[spans->n++] = (am_span){(uint32_t)start, (uint32_t)end, first};
  return true;
}

bool am_split_events_add(am_split_events *events, size_t start, size_t end, bool is_match) {
  am_split_event *data = am_grow(events->data, events->n, 1, &events->capacity, sizeof *data);
  if (!data) return false;
  events->data = data;
  data[events->n++] = (am_split_event){(uint32_t)start, (uint32_t)end, is_match};
  return true;
}

am_matcher *am_stage_matcher(am_stage_memory *memory) {
  if (!memory->matcher) memory->matcher = am_matcher_open();
  return memory->matcher;
}

#define KEPT_BYTES ((size_t)4 << 20)
#define KEPT_ELEMENTS ((size_t)1 << 17)

static void pieces_close(am_pieces *pieces) {
  am_buf_close(&pieces->text);
  am_mem_free(pieces->spans.data);
}

void am_stage_memory_close(am_stage_memory *memory) {
  pieces_close(&memory->pieces);
  pieces_close(&memory->other);
  am_mem_free(memory->events.data);
  am_matcher_close(&memory->matcher);
  am_buf_close(&memory->normalized[0]);
  am_buf_close(&memory->normalized[1]);
  am_buf_close(&memory->spare[0]);
  am_buf_close(&memory->spare[1]);
  am_mem_free(memory->codepoints);
  *memory = (am_stage_memory){0};
}

void am_stage_memory_trim(am_stage_memory *memory) {
  size_t n_bytes = memory->pieces.text.capacity + memory->other.text.capacity;
  size_t n_elements = memory->pieces.spans.capacity + memory->other.spans.capacity + memory->events.capacity +
                      memory->codepoints_capacity;
  n_bytes += memory->normalized[0].capacity + memory->normalized[1].capacity;
  n_bytes += memory->spare[0].capacity + memory->spare[1].capacity;
  if (n_bytes > KEPT_BYTES || n_elements > KEPT_ELEMENTS) am_stage_memory_close(memory);
}
