/* SPDX-License-Identifier: Apache-2.0 */
/* adam eval: perplexity, and the distance to another model. */
#include <inttypes.h>
#include <stdlib.h>

#include "commands.h"
#include "input.h"
#include "interrupt.h"
#include "output.h"
#include "progress.h"
#include "reply.h"
#include "report.h"

static bool on_progress(void *user, uint64_t done, uint64_t total) {
  am_progress_set(user, done, total);
  return am_interrupt_pending();
}

static adam_status print_evaluation(bool json, const adam_evaluation *e, adam_error *error) {
  if (json)
    return am_reply_print(
        json_pack(
            "{s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I}", "perplexity", am_reply_number(e->perplexity),
            "mean_kl", e->compared ? am_reply_number(e->mean_kl) : json_null(), "top1",
            e->compared ? am_reply_number(e->top1) : json_null(), "against_perplexity",
            e->compared ? am_reply_number(e->against_perplexity) : json_null(), "nll",
            am_reply_number(e->nll), "n_tokens", (json_int_t)e->n_tokens, "n_scored", (json_int_t)e->n_scored,
            "ctx", (json_int_t)e->window_tokens, "stride", (json_int_t)e->stride_tokens),
        error);
  am_output_format("perplexity    %.4f over %" PRIu64 " of %" PRIu64 " tokens, windows of %" PRIu64 "\n",
                   e->perplexity, e->n_scored, e->n_tokens, e->window_tokens);
  if (!e->compared) return ADAM_OK;
  am_output_format("the other     %.4f\n", e->against_perplexity);
  am_output_format("mean KL       %.6f nats\n", e->mean_kl);
  am_output_format("same top 1    %.2f %%\n", 100 * e->top1);
  return ADAM_OK;
}

static adam_status evaluate(adam_manager *manager, adam_evaluate_request *request, bool json,
                            adam_error *error) {
  am_progress progress;
  adam_evaluation result;
  request->on_progress = on_progress;
  request->user = &progress;
  am_interrupt_begin();
  am_progress_begin_work(&progress, "evaluating", "");
  adam_status status = adam_manager_evaluate(manager, request, &result, error);
  am_progress_end(&progress);
  if (am_interrupt_end()) status = am_report_fill(error, ADAM_CANCELLED, "adam eval", "", "interrupted");
  return status == ADAM_OK ? print_evaluation(json, &result, error) : status;
}

int am_eval_command(const am_arguments *arguments) {
  adam_manager *manager = NULL, *against = NULL;
  adam_error error = {0};
  char *text = NULL;
  size_t n_bytes = 0;
  const char *other = arguments->text[AM_OPTION_AGAINST];
  adam_status status = am_input_read(arguments->text[AM_OPTION_TEXT_FILE], &text, &n_bytes, &error);
  if (status == ADAM_OK) status = am_open_model(arguments, NULL, AM_OPEN_TO_RUN, &manager, &error);
  if (status == ADAM_OK && other) status = am_open_model(arguments, other, AM_OPEN_TO_RUN, &against, &error);
  adam_evaluate_request request = {.struct_size = sizeof request,
                                   .text = text,
                                   .text_bytes = n_bytes,
                                   .stride_tokens = arguments->integer[AM_OPTION_STRIDE],
                                   .against = against};
  if (status == ADAM_OK) status = evaluate(manager, &request, arguments->is_set[AM_OPTION_JSON], &error);
  adam_manager_close(&against);
  adam_manager_close(&manager);
  free(text);
  return am_exit_code(status, &error);
}
