/* SPDX-License-Identifier: Apache-2.0 */
#include "convert/convert.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "convert/model.h"
#include "os/clock.h"
#include "os/file.h"

am_dtype am_convert_most(const am_convert_plan *plan) {
  uint64_t bytes[AM_DTYPE_COUNT] = {0}, row;
  am_dtype most = AM_DTYPE_F32;
  for (size_t i = 0; i < plan->n_items; i++)
    if (am_dtype_row_bytes(plan->items[i].dtype, plan->items[i].n_columns, &row))
      bytes[plan->items[i].dtype] += row * plan->items[i].n_rows;
  for (int i = 0; i < AM_DTYPE_COUNT; i++)
    if (bytes[i] > bytes[most]) most = (am_dtype)i;
  return most;
}

void am_convert_notice(am_convert_job *job, const char *text) {
  am_convert_report *r = &job->report;
  if (r->n_notices == AM_CONVERT_NOTICES) return;
  snprintf(r->notices[r->n_notices++], sizeof r->notices[0], "%s", text);
}

uint32_t am_convert_pooling(am_convert_job *job) {
  const am_sentence *s = am_loader_sentence(job->loader);
  uint32_t type = 0, n_pools = 0;
  if (am_loader_config(job->loader)->n_labels) return 4;
  if (!s->stated) return 0;
  for (uint32_t i = 0; i < s->n_steps; i++) {
    const am_step *step = &s->steps[i];
    if (step->kind == AM_STEP_NORMALIZE) continue;
    am_pooling first = step->pooling[0];
    n_pools += step->kind == AM_STEP_POOL ? step->n_pooling : 2;
    if (step->kind == AM_STEP_POOL)
      type = first == AM_POOL_MEAN ? 1 : first == AM_POOL_CLS ? 2 : first == AM_POOL_LAST ? 3 : 0;
  }
  if (s->n_steps > 0 && (type == 0 || n_pools > 1))
    am_convert_notice(job, "the modules after the encoder have no words in GGUF: embeddings will differ");
  return n_pools > 1 ? 0 : type;
}

static bool ends_in_gguf(const char *path) {
  size_t n = strlen(path);
  return n >= 5 && strcmp(path + n - 5, ".gguf") == 0;
}

static bool same_file(const char *a, const char *b) {
  am_file_stamp x, y;
  return am_file_stamp_get(a, &x) && am_file_stamp_get(b, &y) && x.inode == y.inode && x.device == y.device;
}

static adam_status check(const am_loader *loader, const char *source, const char *target, adam_error *error) {
  bool same = same_file(source, target);
  for (size_t i = 0; i < am_loader_n_files(loader); i++) same |= same_file(am_loader_file_at(loader, i), target);
  if (same)
    return am_fail(error, ADAM_INVALID, target, "choose another name", "that is the source itself");
  if (!am_loader_config(loader))
    return am_fail(error, ADAM_UNSUPPORTED, source, NULL, "there is no config to convert by");
  return ADAM_OK;
}

/* Letters to change, add or leave out, up to names of 15; longer ones are far. */
static uint32_t distance(const char *a, const char *b) {
  uint32_t row[16], n_a = (uint32_t)strlen(a), n_b = (uint32_t)strlen(b);
  if (n_a > 15 || n_b > 15) return 15;
  for (uint32_t j = 0; j <= n_b; j++) row[j] = j;
  for (uint32_t i = 1; i <= n_a; i++) {
    uint32_t corner = row[0];
    row[0] = i;
    for (uint32_t j = 1; j <= n_b; j++) {
      uint32_t above = row[j], least = above < row[j - 1] ? above + 1 : row[j - 1] + 1;
      uint32_t same = corner + (a[i - 1] != b[j - 1]);
      row[j] = same < least ? same : least;
      corner = above;
    }
  }
  return row[n_b];
}

/* "did you mean q4_k_m? ", or nothing where no type is near. */
static size_t write_nearest(const char *name, char *out, size_t capacity) {
  const char *nearest = NULL;
  uint32_t least = 3;
  for (size_t i = 0; am_quant_at(i); i++) {
    uint32_t d = distance(name, am_quant_at(i)->name);
    if (d < least) nearest = am_quant_at(i)->name;
    if (d < least) least = d;
  }
  return nearest ? (size_t)snprintf(out, capacity, "did you mean %s? ", nearest) : 0;
}

static adam_status find_type(const char *name, bool to_gguf, am_quant_type *out, adam_error *error) {
  char known[256];
  if (!am_quant_find(name, out)) {
    size_t n = write_nearest(name, known, sizeof known);
    n += (size_t)snprintf(known + n, sizeof known - n, "known are");
    for (size_t i = 0; am_quant_at(i) && n < sizeof known; i++)
      n += (size_t)snprintf(known + n, sizeof known - n, "%s %s", i ? "," : "", am_quant_at(i)->name);
    return am_fail(error, ADAM_INVALID, name, known, "unknown type");
  }
  if (!to_gguf && am_dtype_info(out->base)->safetensors[0] == 0)
    return am_fail(error, ADAM_INVALID, name, "f32, f16 or bf16; or a name that ends in .gguf",
                   "safetensors have no such type");
  return ADAM_OK;
}

/* Composed weights are built one by one; a tensor that holds all experts of a layer is cut in pieces, for which it
 * must be there. */
static adam_status open_source(const char *source, const char *cache_dir, am_loader **out, adam_error *error) {
  bool is_merged = false;
  adam_status status = am_loader_open(source, AM_LOADER_NO_DATA, cache_dir, out, error);
  for (size_t i = 0; !status && i < am_loader_n_tensors(*out); i++)
    is_merged |= am_dtype_is_scaled(am_loader_tensor_at(*out, i)->dtype) && am_loader_tensor_at(*out, i)->n_dims > 2;
  if (!is_merged) return status;
  am_loader_close(out);
  return am_loader_open(source, 0, cache_dir, out, error);
}

static adam_status stamp_source(am_convert_job *job, adam_error *error) {
  size_t n = am_loader_n_files(job->loader);
  job->stamps = am_mem_zalloc(n + 1, sizeof *job->stamps);
  if (!job->stamps) return am_fail_memory(error, am_loader_path(job->loader));
  for (size_t i = 0; i < n; i++) (void)am_file_stamp_get(am_loader_file_at(job->loader, i), &job->stamps[i]);
  return ADAM_OK;
}

adam_status am_convert_check_source(const am_convert_job *job, adam_error *error) {
  for (size_t i = 0; i < am_loader_n_files(job->loader); i++) {
    const char *path = am_loader_file_at(job->loader, i);
    const am_file_stamp *was = &job->stamps[i];
    am_file_stamp is;
    bool same_one = am_file_stamp_get(path, &is) && is.inode == was->inode && is.device == was->device;
    if (same_one && (is.size_bytes != was->size_bytes || is.mtime_ns != was->mtime_ns))
      return am_fail(error, ADAM_IO, path, "wait until nobody writes to it", "the file changed while it was read");
  }
  return ADAM_OK;
}

static adam_status run(am_convert_job *job, const char *target, adam_error *error) {
  const am_loader *loader = job->loader;
  const am_config *c = am_loader_config(loader);
  bool to_gguf = ends_in_gguf(target);
  am_source form = to_gguf ? AM_SOURCE_GGUF : AM_SOURCE_HF;
  adam_status status = c->source == form ? am_convert_plan_same(loader, &job->plan, error)
                                         : am_convert_plan_roles(loader, form, &job->plan, error);
  if (!status) status = am_convert_plan_types(&job->plan, form, job->type, error);
  if (!status && !to_gguf && job->options->plan_only)
    status = am_fail(error, ADAM_INVALID, target, NULL, "only a conversion to a GGUF can be planned");
  if (!status) status = to_gguf ? am_convert_to_gguf(job, error) : am_convert_to_folder(job, error);
  if (status) return status;
  am_convert_report *r = &job->report;
  snprintf(r->architecture, sizeof r->architecture, "%s", job->plan.config.arch->name);
  snprintf(r->type, sizeof r->type, "%s",
           job->type ? job->type->name : am_dtype_info(am_convert_most(&job->plan))->name);
  r->n_tensors = job->plan.n_items;
  for (size_t i = 0; i < job->plan.n_items; i++)
    r->n_parameters += job->plan.items[i].n_rows * job->plan.items[i].n_columns;
  r->source_bytes = am_loader_weights_bytes(loader);
  return ADAM_OK;
}

adam_status am_convert(const char *source, const char *target, const am_convert_options *options,
                       am_convert_report *report, adam_error *error) {
  static const am_convert_options none;
  am_quant_type type;
  am_loader *loader = NULL;
  am_convert_job *job = am_mem_zalloc(1, sizeof *job);
  double start = am_clock_ms();
  if (!job) return am_fail_memory(error, source);
  job->options = options ? options : &none;
  job->target = target;
  adam_status status = ADAM_OK;
  if (job->options->type) {
    status = find_type(job->options->type, ends_in_gguf(target), &type, error);
    job->type = &type;
  }
  if (!status) status = open_source(source, job->options->cache_dir, &loader, error);
  if (!status) status = check(loader, source, target, error);
  job->loader = loader;
  if (!status) status = stamp_source(job, error);
  if (!status) status = run(job, target, error);
  job->report.ms = am_clock_ms() - start;
  if (!status && report) *report = job->report;
  am_convert_plan_close(&job->plan);
  am_loader_close(&loader);
  am_mem_free(job->stamps);
  am_mem_free(job);
  return status;
}
