/* SPDX-License-Identifier: Apache-2.0 */
/* adam score: teacher-forced log probabilities, and the logits as a NumPy file. */
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "input.h"
#include "interrupt.h"
#include "npy.h"
#include "reply.h"
#include "report.h"

typedef struct score_state {
  am_output_file file; /* stream = NULL: no logits wanted */
  size_t n_ids;
  bool failed; /* writing failed; the file's commit has the reason */
} score_state;

static bool on_logits(void *user, size_t position, const float *logits, size_t n_vocab) {
  score_state *state = user;
  if (state->file.stream) {
    if (position == 0) state->failed = !am_npy_header(state->file.stream, state->n_ids, n_vocab);
    if (!state->failed) state->failed = !am_npy_row(state->file.stream, logits, n_vocab);
  }
  return state->failed || am_interrupt_pending();
}

static adam_status print_scores(const double *logprobs, size_t n_ids, adam_error *error) {
  json_t *list = json_array();
  double nll = 0;
  for (size_t i = 0; i + 1 < n_ids; i++) {
    nll -= logprobs[i];
    json_array_append_new(list, am_reply_number(logprobs[i]));
  }
  return am_reply_print(json_pack("{s:I, s:o, s:o}", "n_tokens", (json_int_t)n_ids, "logprobs", list, "nll",
                                  am_reply_number(nll)),
                        error);
}

static adam_status score(adam_manager *manager, const int32_t *ids, size_t n_ids, score_state *state,
                         adam_error *error) {
  double *logprobs = calloc(n_ids, sizeof *logprobs);
  if (!logprobs) return am_report_no_memory(error);
  am_interrupt_begin();
  adam_status status = adam_manager_score(manager, ids, n_ids, logprobs, on_logits, state, error);
  bool interrupted = am_interrupt_end();
  if (state->failed) {
    status = am_output_file_commit(&state->file, error); /* says why it cannot be written */
    if (status == ADAM_OK) status = am_report_fill(error, ADAM_IO, "--logits", "", "could not be written");
  } else if (interrupted) {
    status = am_report_fill(error, ADAM_CANCELLED, "adam score", "", "interrupted");
  }
  if (status == ADAM_OK && state->file.stream) status = am_output_file_commit(&state->file, error);
  if (status == ADAM_OK) status = print_scores(logprobs, n_ids, error);
  free(logprobs);
  return status;
}

static adam_status read_ids(const char *value, int32_t **ids, size_t *n_ids, adam_error *error) {
  char *read = NULL;
  adam_status status = ADAM_OK;
  if (value[0] == '@' || strcmp(value, "-") == 0)
    status = am_input_read_string(value[0] == '@' ? value + 1 : "-", &read, error);
  if (status == ADAM_OK) status = am_input_ids("--ids", read ? read : value, ids, n_ids, error);
  free(read);
  if (status == ADAM_OK && *n_ids == 0)
    status = am_report_fill(error, ADAM_INVALID, "--ids", "", "at least one token id is needed");
  return status;
}

int am_score_command(const am_arguments *arguments) {
  int32_t *ids = NULL;
  score_state state = {0};
  adam_manager *manager = NULL;
  adam_error error = {0};
  adam_status status = read_ids(arguments->text[AM_OPTION_IDS], &ids, &state.n_ids, &error);
  if (status == ADAM_OK) status = am_open_model(arguments, NULL, AM_OPEN_TO_RUN, &manager, &error);
  if (status == ADAM_OK && arguments->is_set[AM_OPTION_LOGITS])
    status = am_output_file_open(arguments->text[AM_OPTION_LOGITS], 0666, &state.file, &error);
  if (status == ADAM_OK) status = score(manager, ids, state.n_ids, &state, &error);
  if (state.file.stream) am_output_file_discard(&state.file);
  free(ids);
  adam_manager_close(&manager);
  return am_exit_code(status, &error);
}
