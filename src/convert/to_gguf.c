/* SPDX-License-Identifier: Apache-2.0 */
/* A GGUF: pairs in the order of llama.cpp's converter (general, architecture, tokenizer), then the tensors. */
#include <stdio.h>
#include <string.h>

#include "arch/pairs.h"
#include "base/error.h"
#include "convert/model.h"
#include "convert/pump.h"
#include "convert/vocab.h"
#include "formats/gguf_write.h"

enum { QUANTIZATION_VERSION = 2 };

/* general.file_type of a file whose weights are mostly of a dtype. */
static uint32_t file_type(am_dtype dtype) {
  static const struct {
    am_dtype dtype;
    uint32_t number;
  } rows[] = {{AM_DTYPE_F32, 0},     {AM_DTYPE_F16, 1},     {AM_DTYPE_Q4_0, 2},  {AM_DTYPE_Q4_1, 3},
              {AM_DTYPE_Q8_0, 7},    {AM_DTYPE_Q5_0, 8},    {AM_DTYPE_Q5_1, 9},  {AM_DTYPE_Q2_K, 10},
              {AM_DTYPE_Q3_K, 12},   {AM_DTYPE_Q4_K, 15},   {AM_DTYPE_Q5_K, 17}, {AM_DTYPE_Q6_K, 18},
              {AM_DTYPE_IQ4_NL, 25}, {AM_DTYPE_IQ4_XS, 30}, {AM_DTYPE_BF16, 32}, {AM_DTYPE_MXFP4, 38}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (rows[i].dtype == dtype) return rows[i].number;
  return 1;
}

/* "4.0B": two digits at least, as the gguf package rounds it. */
static void rounded(double n, char *out, size_t capacity) {
  static const struct {
    double unit;
    char suffix;
  } units[] = {{1e12, 'T'}, {1e9, 'B'}, {1e6, 'M'}, {1e3, 'K'}};
  size_t i = 0;
  while (i < 3 && n <= units[i].unit) i++;
  double scaled = n / units[i].unit;
  char whole[32];
  int digits = snprintf(whole, sizeof whole, "%.0f", scaled);
  if (whole[0] == '0') digits = 0;
  snprintf(out, capacity, "%.*f%c", digits < 2 ? 2 - digits : 0, scaled, units[i].suffix);
}

/* A mixture says how many experts there are, and what one of them and what all share weigh. */
static void size_label(const am_convert_job *job, char *out, size_t capacity) {
  const am_config *c = &job->plan.config;
  double all = 0, experts = 0;
  char size[32];
  for (size_t i = 0; i < job->plan.n_items; i++) {
    const am_convert_item *item = &job->plan.items[i];
    double n = (double)item->n_rows * (double)item->n_columns;
    all += n;
    if (item->n_dims == 3) experts += n;
  }
  bool mixture = c->n_experts > 0;
  rounded(mixture ? all - experts + experts / c->n_experts : all, size, sizeof size);
  if (mixture) snprintf(out, capacity, "%ux%s", c->n_experts, size);
  else snprintf(out, capacity, "%s", size);
}

static adam_status write_general(am_convert_job *job, am_gguf_writer *w, adam_error *error) {
  const am_arch *arch = job->plan.config.arch;
  const char *license = am_loader_license(job->loader);
  const char *name = job->options->name ? job->options->name : am_loader_name(job->loader);
  char label[64];
  size_label(job, label, sizeof label);
  adam_status status =
      am_gguf_write_string(w, "general.architecture", arch->gguf_name ? arch->gguf_name : arch->name, error);
  if (!status) status = am_gguf_write_string(w, "general.type", "model", error);
  if (!status && name && name[0]) status = am_gguf_write_string(w, "general.name", name, error);
  if (!status) status = am_gguf_write_string(w, "general.size_label", label, error);
  if (!status && license) status = am_gguf_write_string(w, "general.license", license, error);
  return status;
}

/* What generation_config.json recommends. */
static adam_status write_sampling(am_convert_job *job, am_gguf_writer *w, adam_error *error) {
  const adam_sampling *s = am_loader_sampling(job->loader);
  adam_status status = ADAM_OK;
  if (s->set & ADAM_SET_TOP_K) status = am_gguf_write_i32(w, "general.sampling.top_k", s->top_k, error);
  if (!status && (s->set & ADAM_SET_TOP_P))
    status = am_gguf_write_f32(w, "general.sampling.top_p", (float)s->top_p, error);
  if (!status && (s->set & ADAM_SET_MIN_P))
    status = am_gguf_write_f32(w, "general.sampling.min_p", (float)s->min_p, error);
  if (!status && (s->set & ADAM_SET_TEMPERATURE))
    status = am_gguf_write_f32(w, "general.sampling.temp", (float)s->temperature, error);
  if (!status && (s->set & ADAM_SET_REPETITION_PENALTY))
    status = am_gguf_write_f32(w, "general.sampling.penalty_repeat", (float)s->repetition_penalty, error);
  return status;
}

static adam_status write_pair(am_gguf_writer *w, const am_pair *pair, adam_error *error) {
  switch (pair->type) {
    case AM_PAIR_U32:
      return am_gguf_write_u32(w, pair->key, pair->as.u32, error);
    case AM_PAIR_REAL:
      return am_gguf_write_f32(w, pair->key, (float)pair->as.real, error);
    case AM_PAIR_BOOL:
      return am_gguf_write_bool(w, pair->key, pair->as.boolean, error);
    case AM_PAIR_STRING:
      return am_gguf_write_string(w, pair->key, pair->as.string, error);
    default:
      return am_fail(error, ADAM_FAILED, pair->key, NULL, "it is of no kind that a GGUF has");
  }
}

static adam_status write_architecture(am_convert_job *job, am_gguf_writer *w, adam_error *error) {
  const am_config *c = am_loader_config(job->loader);
  const am_arch *arch = c->arch;
  char key[64];
  am_pairs pairs = {0};
  snprintf(pairs.prefix, sizeof pairs.prefix, "%s.", arch->gguf_name ? arch->gguf_name : arch->name);
  if (!arch->to_gguf)
    return am_fail(error, ADAM_UNSUPPORTED, arch->name, NULL, "this family has no form in GGUF");
  adam_status status = arch->to_gguf(c, &pairs, error);
  if (!status && pairs.full) status = am_fail(error, ADAM_FAILED, arch->name, NULL, "too many pairs");
  for (size_t i = 0; i < pairs.n && !status; i++) status = write_pair(w, &pairs.items[i], error);
  for (size_t i = 0; i < pairs.n_notices; i++) am_convert_notice(job, pairs.notices[i]);
  uint32_t pooling = am_convert_pooling(job);
  snprintf(key, sizeof key, "%spooling_type", pairs.prefix);
  if (!status && pooling) status = am_gguf_write_u32(w, key, pooling, error);
  return status;
}

/* The pairs of a GGUF that becomes another: as they are, but for what says how its bytes lie. */
static adam_status copy_pairs(am_convert_job *job, am_gguf_writer *w, adam_error *error) {
  const am_gguf *source = am_loader_gguf(job->loader);
  adam_status status = ADAM_OK;
  for (size_t i = 0; i < am_gguf_n_values(source) && !status; i++) {
    const am_gguf_value *v = am_gguf_value_at(source, i);
    static const char *const left_out[] = {"general.alignment", "split.no", "split.count", "split.tensors.count"};
    bool skip = false, is_type = v->key.n_bytes == 17 && memcmp(v->key.bytes, "general.file_type", 17) == 0;
    for (size_t k = 0; k < sizeof left_out / sizeof *left_out; k++)
      skip |= v->key.n_bytes == strlen(left_out[k]) && memcmp(v->key.bytes, left_out[k], v->key.n_bytes) == 0;
    if (skip) continue;
    status = is_type && job->type ? am_gguf_write_u32(w, "general.file_type", job->type->file_type, error)
                                  : am_gguf_write_value(w, v, error);
  }
  return status;
}

/* A model without a tokenizer that can be written is still one for callers that have ids. */
static adam_status write_vocabulary(am_convert_job *job, am_gguf_writer *w, adam_error *error) {
  static const char key[] = "tokenizer.ggml.token_type_count";
  const am_config *c = am_loader_config(job->loader);
  adam_status status = ADAM_OK;
  if (am_loader_tokenizer(job->loader)) status = am_convert_vocab(job->loader, w, error);
  else am_convert_notice(job, "the model has no tokenizer: llama.cpp and Ollama will not open the file");
  if (!status && c->arch->is_encoder && !am_gguf_writer_has(w, key))
    status = am_gguf_write_u32(w, key, c->n_types, error);
  return status;
}

static adam_status write_pairs(am_convert_job *job, am_gguf_writer *w, adam_error *error) {
  uint32_t number = job->type ? job->type->file_type : file_type(am_convert_most(&job->plan));
  bool same = am_loader_gguf(job->loader) != NULL;
  adam_status status = same ? copy_pairs(job, w, error) : write_general(job, w, error);
  if (!status && !same) status = write_architecture(job, w, error);
  if (!status && !same) status = write_sampling(job, w, error);
  if (!status && !am_gguf_writer_has(w, "general.file_type"))
    status = am_gguf_write_u32(w, "general.file_type", number, error);
  if (!status && !same) status = write_vocabulary(job, w, error);
  if (!status && !am_gguf_writer_has(w, "general.quantization_version"))
    status = am_gguf_write_u32(w, "general.quantization_version", QUANTIZATION_VERSION, error);
  return status;
}

static adam_status put(void *user, size_t item, uint64_t offset_bytes, const void *bytes, uint64_t n_bytes,
                       adam_error *error) {
  return am_gguf_writer_data(user, item, offset_bytes, bytes, n_bytes, error);
}

adam_status am_convert_to_gguf(am_convert_job *job, adam_error *error) {
  am_gguf_writer *w = NULL;
  const am_convert_plan *plan = &job->plan;
  am_convert_pump pump = {.loader = job->loader,
                          .plan = plan,
                          .n_threads = job->options->n_threads,
                          .sink = put,
                          .on_progress = job->options->on_progress,
                          .user = job->options->user};
  adam_status status = am_gguf_writer_open(&w, error);
  if (!status) status = write_pairs(job, w, error);
  for (size_t i = 0; i < plan->n_items && !status; i++) {
    const am_convert_item *item = &plan->items[i];
    status = am_gguf_write_tensor(w, item->name, item->dtype, item->n_dims, item->shape, error);
  }
  if (!status) job->report.bytes = am_gguf_writer_bytes(w);
  bool write = !job->options->plan_only;
  if (!status && write) status = am_gguf_writer_begin(w, job->target, error);
  pump.sink_user = w;
  if (!status && write) status = am_convert_pump_run(&pump, error);
  if (!status && write) status = am_convert_check_source(job, error);
  if (!status && write) status = am_gguf_writer_finish(w, error);
  am_gguf_writer_close(&w);
  return status;
}
