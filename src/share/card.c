/* SPDX-License-Identifier: Apache-2.0 */
#include "share/card.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "formats/gguf.h"
#include "os/file.h"
#include "share/chat.h"

enum { LICENSE_BYTES = 1 << 20 };

/* Go's format.HumanNumber of Ollama: 134.52M, 1.1B, 8B. */
static void write_size(uint64_t n, char out[24]) {
  double billions = (double)n / 1e9, millions = (double)n / 1e6;
  if (n >= 1000000000u)
    (void)snprintf(out, 24, floor(billions) == billions ? "%.0fB" : "%.1fB", billions);
  else if (n >= 1000000u)
    (void)snprintf(out, 24, floor(millions) == millions ? "%.0fM" : "%.2fM", millions);
  else if (n >= 1000u)
    (void)snprintf(out, 24, "%.0fK", (double)n / 1e3);
  else
    (void)snprintf(out, 24, "%u", (unsigned)n);
}

static adam_status read_header(const char *gguf, am_share_card *card, adam_error *error) {
  am_gguf *file = NULL;
  adam_status status = am_gguf_open(gguf, &file, error);
  if (status) return status;
  const am_gguf_value *family = am_gguf_get(file, "general.architecture");
  if (!family || family->type != AM_GGUF_STRING)
    status = am_fail(error, ADAM_DAMAGED, gguf, NULL, "no general.architecture in it");
  else if (!(card->family = am_mem_dup(family->as.s.bytes, family->as.s.n_bytes)))
    status = am_fail_memory(error, gguf);
  am_buf key = {0};
  uint64_t n_parameters = 0, most_bytes = 0;
  am_dtype most = AM_DTYPE_F32;
  for (size_t i = 0; i < am_gguf_count(file); i++) {
    const am_tensor *tensor = am_gguf_at(file, i);
    uint64_t n = 1;
    for (uint32_t d = 0; d < tensor->n_dims; d++) n *= tensor->shape[d];
    n_parameters += n;
    if (tensor->n_bytes > most_bytes) {
      most_bytes = tensor->n_bytes;
      most = tensor->dtype;
    }
  }
  if (!status && am_buf_printf(&key, "%s.pooling_type", card->family))
    card->is_embedding = am_gguf_get(file, key.data) != NULL || strstr(card->family, "bert") != NULL;
  write_size(n_parameters, card->size_text);
  const char *type = am_gguf_file_type(file);
  (void)snprintf(card->file_type, sizeof card->file_type, "%s", *type ? type : am_dtype_info(most)->name);
  for (char *at = card->file_type; *at && !*type; at++) *at = (char)toupper((unsigned char)*at);
  if (!status && key.failed) status = am_fail_memory(error, gguf);
  am_buf_close(&key);
  am_gguf_close(&file);
  return status;
}

static void add_number(am_buf *out, const char *key, double value) {
  am_buf_printf(out, "%s\"%s\":", out->len > 1 ? "," : "", key);
  if (floor(value) == value && fabs(value) < 1e9)
    am_buf_printf(out, "%.0f", value);
  else
    am_json_write_real(out, value);
}

/* What transformers would sample with, in Ollama's words. repeat_penalty is always told: Ollama's own default (1.1
 * until 0.12) would change a greedy answer. */
static bool write_params(const adam_sampling *sampling, const char *const *stops, size_t n_stops, am_buf *out) {
  am_buf_append_char(out, '{');
  bool penalty = sampling->set & ADAM_SET_REPETITION_PENALTY;
  add_number(out, "repeat_penalty", penalty ? sampling->repetition_penalty : 1);
  if (n_stops) am_buf_append_str(out, ",\"stop\":[");
  for (size_t i = 0; i < n_stops; i++) {
    if (i) am_buf_append_char(out, ',');
    am_json_write_string(out, stops[i], strlen(stops[i]));
  }
  if (n_stops) am_buf_append_char(out, ']');
  if (sampling->set & ADAM_SET_TEMPERATURE) add_number(out, "temperature", sampling->temperature);
  if (sampling->set & ADAM_SET_TOP_K) add_number(out, "top_k", sampling->top_k);
  if (sampling->set & ADAM_SET_TOP_P) add_number(out, "top_p", sampling->top_p);
  if (sampling->set & ADAM_SET_MIN_P) add_number(out, "min_p", sampling->min_p);
  return am_buf_append_char(out, '}') && !out->failed;
}

/* The text of LICENSE beside the model, else the licence's name as the model says it. */
static adam_status read_license(const am_loader *source, const char *path, am_buf *out, adam_error *error) {
  static const char *const names[] = {"LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE"};
  char *folder = am_file_is_dir(path) ? am_mem_dup(path, strlen(path)) : am_path_dirname(path);
  bool found = false;
  for (size_t i = 0; i < sizeof names / sizeof *names && folder && !found; i++) {
    char *file = am_path_join(folder, names[i]);
    found = file && am_file_is_regular(file) && !am_file_read(file, LICENSE_BYTES, out, NULL) && out->len;
    am_mem_free(file);
  }
  am_mem_free(folder);
  const char *name = am_loader_license(source);
  if (!found) am_buf_clear(out);
  if (!found && name) am_buf_append_str(out, name);
  return out->failed ? am_fail_memory(error, path) : ADAM_OK;
}

adam_status am_share_card_open(const char *gguf, const am_share_request *request, am_share_card *out,
                               adam_error *error) {
  *out = (am_share_card){0};
  am_loader *source = NULL;
  am_share_chat chat = {0};
  adam_status status = gguf ? read_header(gguf, out, error) : ADAM_OK;
  if (!status) status = am_loader_open(request->path, AM_LOADER_NO_DATA, NULL, &source, error);
  if (!status && !gguf) out->is_embedding = am_loader_sentence(source)->stated;
  if (!status) status = read_license(source, request->path, &out->license, error);
  if (!status && !out->is_embedding) status = am_share_chat_choose(source, gguf, request, &chat, error);
  out->has_chat = chat.has_own;
  if (!status && chat.text &&
      (!am_buf_append_str(&out->template_text, chat.text) || !am_buf_append(&out->system, chat.system.data, chat.system.len)))
    status = am_fail_memory(error, request->display);
  if (!status && !write_params(am_loader_sampling(source), chat.stops, chat.n_stops, &out->params))
    status = am_fail_memory(error, request->display);
  out->template_name = chat.name;
  (void)snprintf(out->difference, sizeof out->difference, "%s", chat.difference);
  am_share_chat_close(&chat);
  am_loader_close(&source);
  return status;
}

void am_share_card_close(am_share_card *card) {
  am_mem_free(card->family);
  am_buf_close(&card->params);
  am_buf_close(&card->license);
  am_buf_close(&card->template_text);
  am_buf_close(&card->system);
  *card = (am_share_card){0};
}

bool am_share_card_config(const am_share_card *card, const char (*digests)[65], size_t n, am_buf *out) {
  am_buf_append_str(out, "{\"model_format\":\"gguf\",\"model_family\":");
  am_json_write_string(out, card->family, strlen(card->family));
  am_buf_append_str(out, ",\"model_families\":[");
  am_json_write_string(out, card->family, strlen(card->family));
  am_buf_printf(out, "],\"model_type\":\"%s\",\"file_type\":\"%s\",\"architecture\":\"amd64\",\"os\":\"linux\",",
                card->size_text, card->file_type);
  am_buf_append_str(out, "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[");
  for (size_t i = 0; i < n; i++) am_buf_printf(out, "%s\"sha256:%s\"", i ? "," : "", digests[i]);
  am_buf_append_str(out, "]}}");
  return !out->failed;
}
