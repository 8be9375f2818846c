/* SPDX-License-Identifier: Apache-2.0 */
/* adam embed, adam rerank: vectors of texts, and documents by how well they fit a query. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "output.h"
#include "reply.h"
#include "report.h"
#include "texts.h"

/* Notices of the work itself: printed, and the first degraded one an error under --strict. */
static adam_status take_notices(const am_arguments *arguments, const adam_notice *notices, size_t n,
                                adam_error *error) {
  for (size_t i = 0; i < n; i++) {
    if (arguments->is_set[AM_OPTION_STRICT] && notices[i].level == ADAM_NOTICE_DEGRADED)
      return am_report_fill(error, ADAM_FAILED, notices[i].code, "--strict makes this an error", "%s",
                            notices[i].text);
    am_report_notice(&notices[i]);
  }
  return ADAM_OK;
}

static json_t *notices_json(const adam_manager *manager, const adam_notice *notices, size_t n) {
  json_t *list = json_array();
  const adam_notice *notice = NULL;
  for (size_t i = 0; (notice = adam_manager_notice_at(manager, i)); i++)
    json_array_append_new(list, am_reply_notice(notice));
  for (size_t i = 0; i < n; i++) json_array_append_new(list, am_reply_notice(&notices[i]));
  return list;
}

/* The vector as text, 9 digits, which is what a float holds. */
static void write_vector(FILE *out, const float *values, size_t n, const char *separator) {
  for (size_t i = 0; i < n; i++) {
    if (i) fputs(separator, out);
    if (isfinite(values[i]))
      fprintf(out, "%.9g", (double)values[i]);
    else
      fputs("null", out);
  }
}

/* By hand: a JSON library takes a hundred bytes and a call for each of a million numbers. */
static void write_json(FILE *out, const adam_embed_result *r, const char *model, const char *notices) {
  fprintf(out, "{\"model\":%s,\"dimensions\":%zu,\"embeddings\":[", model, r->dimensions);
  for (size_t i = 0; i < r->n_texts; i++) {
    fputs(i ? ",[" : "[", out);
    write_vector(out, r->values + i * r->dimensions, r->dimensions, ",");
    fputc(']', out);
  }
  fprintf(out, "],\"prompt_tokens\":%zu,\"truncated\":%zu,\"notices\":%s}\n", r->n_tokens, r->n_truncated,
          notices);
}

static char *dump(json_t *value) {
  char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
  json_decref(value);
  return text;
}

static adam_status print_embeddings(const am_arguments *arguments, const adam_manager *manager,
                                    const adam_embed_result *r, adam_error *error) {
  char *text = NULL;
  size_t n_bytes = 0;
  char *model = dump(am_reply_string(r->model));
  char *notices = dump(notices_json(manager, r->notices, r->n_notices));
  FILE *out = model && notices ? open_memstream(&text, &n_bytes) : NULL;
  if (out && arguments->is_set[AM_OPTION_JSON]) {
    write_json(out, r, model, notices);
  } else if (out) {
    for (size_t i = 0; i < r->n_texts; i++) {
      write_vector(out, r->values + i * r->dimensions, r->dimensions, " ");
      fputc('\n', out);
    }
  }
  bool whole = out && fclose(out) == 0;
  if (whole) am_output_bytes(text, n_bytes);
  free(text);
  free(model);
  free(notices);
  return whole ? ADAM_OK : am_report_no_memory(error);
}

static adam_status need_texts(const am_arguments *arguments, const am_texts *texts, const char *command,
                              adam_error *error) {
  if (texts->n || arguments->is_set[AM_OPTION_INPUT]) return ADAM_OK;
  return am_report_fill(error, ADAM_INVALID, command, "give texts as arguments, or --input FILE",
                        "there is no text");
}

int am_embed_command(const am_arguments *arguments) {
  bool named = arguments->is_set[AM_OPTION_MODEL] || arguments->is_set[AM_OPTION_SIZE];
  am_texts texts = {0};
  adam_manager *manager = NULL;
  adam_error error = {0};
  adam_embed_result result = {0};
  adam_status status = am_texts_read(arguments, &texts, &error);
  if (status == ADAM_OK) status = need_texts(arguments, &texts, "adam embed", &error);
  if (status == ADAM_OK)
    status = am_open_model(arguments, named ? NULL : "embedding", false, &manager, &error);
  adam_embed_request request = {.struct_size = sizeof request,
                                .texts = texts.texts,
                                .text_bytes = texts.bytes,
                                .n_texts = texts.n,
                                .prompt_name = arguments->text[AM_OPTION_PROMPT_NAME],
                                .prompt = arguments->text[AM_OPTION_PROMPT],
                                .dimensions = arguments->integer[AM_OPTION_DIMENSIONS],
                                .normalize = arguments->is_set[AM_OPTION_NORMALIZE] ? ADAM_NORMALIZE_ON
                                             : arguments->is_set[AM_OPTION_NO_NORMALIZE]
                                                 ? ADAM_NORMALIZE_OFF
                                                 : ADAM_NORMALIZE_DEFAULT};
  if (status == ADAM_OK) status = adam_manager_batch_embed(manager, &request, &result, &error);
  if (status == ADAM_OK) status = take_notices(arguments, result.notices, result.n_notices, &error);
  if (status == ADAM_OK) status = print_embeddings(arguments, manager, &result, &error);
  adam_embed_result_close(&result);
  adam_manager_close(&manager);
  am_texts_close(&texts);
  return am_exit_code(status, &error);
}

typedef struct ranked {
  double score;
  size_t index;
} ranked;

static int better_first(const void *a, const void *b) {
  const ranked *x = a, *y = b;
  if (x->score != y->score) return x->score < y->score ? 1 : -1;
  return x->index < y->index ? -1 : x->index > y->index;
}

static adam_status print_ranking(const am_arguments *arguments, const adam_manager *manager,
                                 const am_texts *texts, const adam_rerank_result *r, adam_error *error) {
  ranked *order = calloc(r->n_documents ? r->n_documents : 1, sizeof *order);
  json_t *list = json_array();
  if (!order || !list) {
    free(order);
    json_decref(list);
    return am_report_no_memory(error);
  }
  for (size_t i = 0; i < r->n_documents; i++) order[i] = (ranked){r->scores[i], i};
  qsort(order, r->n_documents, sizeof *order, better_first);
  adam_status status = ADAM_OK;
  for (size_t i = 0; i < r->n_documents; i++) {
    const char *text = texts->texts[order[i].index];
    size_t n_bytes = texts->bytes[order[i].index];
    if (arguments->is_set[AM_OPTION_JSON]) {
      json_array_append_new(list,
                            json_pack("{s:I, s:o, s:o}", "index", (json_int_t)order[i].index, "score",
                                      am_reply_number(order[i].score), "text", am_reply_text(text, n_bytes)));
      continue;
    }
    am_output_format("%.6f\t%zu\t", order[i].score, order[i].index);
    am_output_model_text(text, n_bytes);
    am_output_text("\n");
  }
  if (arguments->is_set[AM_OPTION_JSON])
    status = am_reply_print(
        json_pack("{s:o, s:O, s:I, s:I, s:o}", "model", am_reply_string(r->model), "results", list,
                  "prompt_tokens", (json_int_t)r->n_tokens, "truncated", (json_int_t)r->n_truncated,
                  "notices", notices_json(manager, r->notices, r->n_notices)),
        error);
  json_decref(list);
  free(order);
  return status;
}

int am_rerank_command(const am_arguments *arguments) {
  const char *query = arguments->text[AM_OPTION_QUERY];
  am_texts texts = {0};
  adam_manager *manager = NULL;
  adam_error error = {0};
  adam_rerank_result result = {0};
  adam_status status = am_texts_read(arguments, &texts, &error);
  if (status == ADAM_OK) status = need_texts(arguments, &texts, "adam rerank", &error);
  if (status == ADAM_OK) status = am_open_model(arguments, NULL, false, &manager, &error);
  adam_rerank_request request = {.struct_size = sizeof request,
                                 .query = query,
                                 .query_bytes = query ? strlen(query) : 0,
                                 .documents = texts.texts,
                                 .document_bytes = texts.bytes,
                                 .n_documents = texts.n,
                                 .instruction = arguments->text[AM_OPTION_INSTRUCTION]};
  if (status == ADAM_OK) status = adam_manager_rerank(manager, &request, &result, &error);
  if (status == ADAM_OK) status = take_notices(arguments, result.notices, result.n_notices, &error);
  if (status == ADAM_OK) status = print_ranking(arguments, manager, &texts, &result, &error);
  adam_rerank_result_close(&result);
  adam_manager_close(&manager);
  am_texts_close(&texts);
  return am_exit_code(status, &error);
}
