/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "grammar/grammar.h"

#include <string.h>

adam_status am_grammar_open_choice(const char *const *choices, size_t n, am_grammar **out,
                                   adam_error *error) {
  am_builder *b = NULL;
  if (n == 0) return am_fail(error, ADAM_INVALID, "choice", NULL, "there is none");
  for (size_t i = 0; i < n; i++) {
    if (!choices[i] || !*choices[i])
      return am_fail(error, ADAM_INVALID, "choice", NULL, "choice %zu is empty", i + 1);
    size_t n_bytes = strlen(choices[i]), valid = am_utf8_valid_prefix(choices[i], n_bytes);
    if (valid < n_bytes)
      return am_fail(error, ADAM_INVALID, "choice", NULL, "choice %zu is not UTF-8 at offset %zu", i + 1,
                     valid);
  }
  adam_status status = am_builder_open("choice", &b, error);
  if (status) return status;
  uint32_t rule = am_builder_rule(b, NULL), from = am_builder_start(b, rule), to = am_builder_final(b, rule);
  am_builder_begin(b, rule);
  am_literal *literals = am_mem_zalloc(n, sizeof *literals);
  for (size_t i = 0; literals && i < n; i++) literals[i] = (am_literal){choices[i], strlen(choices[i])};
  if (literals)
    am_builder_literals(b, from, literals, n, to);
  else
    am_builder_fail_memory(b);
  am_mem_free(literals);
  status = am_builder_finish(b, out, error);
  am_builder_close(&b);
  return status;
}
