/* SPDX-License-Identifier: Apache-2.0 */
/* backend/mock/script: reads the script language that mock.h describes. Immutable after opening. */
#ifndef AM_BACKEND_MOCK_SCRIPT_H
#define AM_BACKEND_MOCK_SCRIPT_H

#include "base/arena.h"
#include <adam/types.h>

/* One answer; texts are valid UTF-8 and live in the script's arena. Says `say`, else `n_random`
 * letters when that is above 0, else the last user text. */
typedef struct am_mock_answer {
  const char *match; /* NULL = none */
  const char *say;
  const char *think;
  const char *error_text;
  const char *notice;
  const char *tool_call; /* JSON of a call, or of an array of them; NULL = none */
  int64_t n_random;
  int64_t fail_at; /* token number from 1; 0 = never */
  int64_t tokens_per_chunk;
  int64_t chunk_bytes; /* 0 = pieces are counted in tokens */
  double delay_ms;
  double first_delay_ms;
  adam_status error;      /* ADAM_OK = not given */
  adam_status open_error; /* ADAM_OK = none */
  adam_finish_reason finish;
} am_mock_answer;

typedef struct am_mock_script {
  am_arena arena;
  am_mock_answer *answers; /* at least one */
  size_t n_answers;
} am_mock_script;

/* Zero *script first. On failure it is closed. ADAM_INVALID names the key and what was expected. */
adam_status am_mock_script_open(const char *text, am_mock_script *script, adam_error *error);
void am_mock_script_close(am_mock_script *script);
/* The answer to a prompt; *turn counts the answers that were given in turn. */
const am_mock_answer *am_mock_script_choose(const am_mock_script *script, const char *prompt,
                                            size_t prompt_bytes, size_t *turn);

#endif
