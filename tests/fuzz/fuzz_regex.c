/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a regular expression: refused in words, or a machine whose shortest text it takes itself. */
#include "base/mem.h"
#include "grammar/automaton.h"
#include "grammar/grammar.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const am_grammar *grammar) {
  am_automaton a;
  bool all[256];
  memset(all, 1, sizeof all);
  if (am_automaton_open(grammar, all, &a, NULL)) return;
  uint32_t place = am_automaton_start(&a), cost = a.places[place].cost;
  uint8_t *text = cost < 1 << 16 ? am_mem_alloc(cost + 1) : NULL;
  if (text && place && am_automaton_shortest(&a, place, text)) {
    for (uint32_t i = 0; i < cost && place; i++) place = am_automaton_next(&a, place, text[i]);
    if (!a.failed && (!place || !a.places[place].ends)) abort();
  }
  place = am_automaton_start(&a);
  for (unsigned i = 0; i < 2000 && place; i++) {
    uint32_t next = am_automaton_next(&a, place, (uint8_t)(i * 37 + place));
    place = next ? next : am_automaton_next(&a, place, (uint8_t)('a' + i % 26));
  }
  am_mem_free(text);
  am_automaton_close(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  am_grammar *grammar = NULL;
  adam_error error = {0};
  if (size > 4096) return 0;
  char *text = am_mem_dup(data, size);
  adam_status status = am_grammar_open_regex(text, size, &grammar, &error);
  if (status ? error.status != status || !*error.why : !grammar) abort();
  if (!status) check(grammar);
  am_grammar_close(&grammar);
  am_mem_free(text);
  return 0;
}
