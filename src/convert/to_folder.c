/* SPDX-License-Identifier: Apache-2.0 */
/* A folder as transformers saves a model. The files of words come first, as they can fail early. */
#include "base/error.h"
#include "convert/config.h"
#include "convert/model.h"
#include "convert/pump.h"
#include "convert/vocab.h"
#include "formats/safetensors_write.h"
#include "os/workdir.h"

static adam_status put(void *user, size_t item, uint64_t offset_bytes, const void *bytes, uint64_t n_bytes,
                       adam_error *error) {
  return am_safetensors_writer_data(user, item, offset_bytes, bytes, n_bytes, error);
}

static adam_status write_words(am_convert_job *job, const char *folder, adam_error *error) {
  if (!am_loader_gguf(job->loader)) {
    adam_status status = am_convert_copy_config(job, folder, error);
    return status ? status : am_convert_copy_files(job, folder, error);
  }
  adam_status status = am_convert_write_config(job, folder, error);
  if (!status) status = am_convert_write_modules(job, folder, error);
  if (!status && !am_loader_tokenizer(job->loader)) {
    am_convert_notice(job, "the model has no tokenizer that could be written");
    return ADAM_OK;
  }
  return status ? status : am_convert_tokenizer(job->loader, folder, error);
}

adam_status am_convert_to_folder(am_convert_job *job, adam_error *error) {
  am_workdir *workdir = NULL;
  am_safetensors_writer *w = NULL;
  const am_convert_plan *plan = &job->plan;
  am_convert_pump pump = {.loader = job->loader,
                          .plan = plan,
                          .n_threads = job->options->n_threads,
                          .sink = put,
                          .on_progress = job->options->on_progress,
                          .user = job->options->user};
  adam_status status = am_workdir_open(job->target, &workdir, error);
  if (!status) status = write_words(job, am_workdir_path(workdir), error);
  if (!status) status = am_safetensors_writer_open(job->options->shard_bytes, &w, error);
  for (size_t i = 0; i < plan->n_items && !status; i++) {
    const am_convert_item *item = &plan->items[i];
    status = am_safetensors_write_tensor(w, item->name, item->dtype, item->n_dims, item->shape, error);
  }
  if (!status) status = am_safetensors_writer_begin(w, am_workdir_path(workdir), error);
  pump.sink_user = w;
  if (!status) status = am_convert_pump_run(&pump, error);
  if (!status) status = am_convert_check_source(job, error);
  if (!status) job->report.bytes = am_safetensors_writer_bytes(w);
  if (!status) status = am_safetensors_writer_finish(w, error);
  am_safetensors_writer_close(&w);
  if (!status) status = am_workdir_finish(workdir, error);
  am_workdir_close(&workdir);
  return status;
}
