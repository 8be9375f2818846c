/* SPDX-License-Identifier: Apache-2.0 */
#include "tokenizer/split.h"

#include "tokenizer/unicode.h"

#include <string.h>

int am_split_behavior_named(const char *name) {
  static const char *const names[] = {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext",
                                      "Contiguous"};
  for (int i = 0; name && i < 5; i++)
    if (strcmp(names[i], name) == 0) return i;
  return -1;
}

void am_split_invert(am_split_events *events) {
  for (size_t i = 0; i < events->n; i++) events->data[i].is_match = !events->data[i].is_match;
}

/* Joins events in place, front to back, as the library folds them. */
static void join_forward(am_split_events *events, bool contiguous) {
  bool previous = false;
  size_t n = 0;
  for (size_t i = 0; i < events->n; i++) {
    am_split_event event = events->data[i];
    bool joins = contiguous ? event.is_match == previous : event.is_match && !previous;
    previous = event.is_match;
    if (joins && n > 0)
      events->data[n - 1].end = event.end;
    else
      events->data[n++] = event;
  }
  events->n = n;
}

/* The same from the back: each match joins what follows it. */
static void join_backward(am_split_events *events) {
  bool previous = false;
  size_t at = events->n; /* kept events stand at [at, n) */
  for (size_t i = events->n; i-- > 0;) {
    am_split_event event = events->data[i];
    bool joins = event.is_match && !previous;
    previous = event.is_match;
    if (joins && at < events->n)
      events->data[at].start = event.start;
    else
      events->data[--at] = event;
  }
  events->n -= at;
  memmove(events->data, events->data + at, events->n * sizeof *events->data);
}

bool am_split_apply(const am_span *span, am_split_events *events, am_split_behavior behavior, am_spans *out) {
  if (behavior == AM_SPLIT_CONTIGUOUS || behavior == AM_SPLIT_MERGED_WITH_PREVIOUS)
    join_forward(events, behavior == AM_SPLIT_CONTIGUOUS);
  else if (behavior == AM_SPLIT_MERGED_WITH_NEXT)
    join_backward(events);
  for (size_t i = 0; i < events->n; i++) {
    am_split_event event = events->data[i];
    if (behavior == AM_SPLIT_REMOVED && event.is_match) continue;
    if (!am_spans_add(out, event.start, event.end, span->first && event.start == span->start)) return false;
  }
  return true;
}

adam_status am_split_by_regex(const am_regex *regex, am_stage_memory *memory, const char *text,
                              const am_span *span, adam_error *error) {
  am_matcher *matcher = am_stage_matcher(memory);
  am_split_events *events = &memory->events;
  if (!matcher) return am_fail_memory(error, "tokenizer");
  size_t n_bytes = span->end - span->start, previous = 0, start = 0, end = 0;
  am_regex_scan scan = am_regex_begin(regex, matcher, text + span->start, n_bytes);
  events->n = 0;
  for (;;) {
    bool found = false, ok = true;
    adam_status status = am_regex_next(&scan, &found, &start, &end, error);
    if (status != ADAM_OK) return status;
    if (!found) break;
    if (previous != start)
      ok = am_split_events_add(events, span->start + previous, span->start + start, false);
    if (!ok || !am_split_events_add(events, span->start + start, span->start + end, true))
      return am_fail_memory(error, "tokenizer");
    previous = end;
  }
  if (previous != n_bytes && !am_split_events_add(events, span->start + previous, span->end, false))
    return am_fail_memory(error, "tokenizer");
  return ADAM_OK;
}

adam_status am_split_by_words(am_word_end words, am_stage_memory *memory, const char *text,
                              const am_span *span, adam_error *error) {
  memory->events.n = 0;
  for (size_t p = span->start; p < span->end;) {
    size_t stop = words((const uint8_t *)text, span->end, p);
    if (!am_split_events_add(&memory->events, p, stop, true)) return am_fail_memory(error, "tokenizer");
    p = stop;
  }
  return ADAM_OK;
}

adam_status am_split_by_class(uint16_t mask, uint32_t character, am_stage_memory *memory, const char *text,
                              const am_span *span, adam_error *error) {
  am_split_events *events = &memory->events;
  size_t previous = span->start, p = span->start;
  events->n = 0;
  while (p < span->end) {
    uint32_t codepoint;
    size_t start = p;
    p += am_unicode_next((const uint8_t *)text + p, &codepoint);
    if (!(am_unicode_class(codepoint) & mask) && codepoint != character) continue;
    bool ok = previous == start || am_split_events_add(events, previous, start, false);
    if (!ok || !am_split_events_add(events, start, p, true)) return am_fail_memory(error, "tokenizer");
    previous = p;
  }
  if (previous != p && !am_split_events_add(events, previous, p, false))
    return am_fail_memory(error, "tokenizer");
  return ADAM_OK;
}
