/* SPDX-License-Identifier: Apache-2.0 */
/* convert/model: the two kinds of targets. convert.c decides which; each takes an open model and a plan with
 * its dtypes set, and puts the whole target down. */
#ifndef AM_CONVERT_MODEL_H
#define AM_CONVERT_MODEL_H

#include "convert/convert.h"
#include "convert/plan.h"
#include "os/file.h"

typedef struct am_convert_job {
  const am_loader *loader;
  const char *target;
  const am_convert_options *options;
  const am_quant_type *type; /* NULL = as stored */
  am_file_stamp *stamps;     /* of the loader's files, before the first byte was read; owned */
  am_convert_plan plan;
  am_convert_report report;
} am_convert_job;

/* A GGUF file. */
adam_status am_convert_to_gguf(am_convert_job *job, adam_error *error);
/* A folder of safetensors, config.json and the tokenizer's files. */
adam_status am_convert_to_folder(am_convert_job *job, adam_error *error);

/* Before a target is finished: ADAM_IO where somebody wrote to a file of the source meanwhile. One that was removed or
 * replaced is still whole for who has it open. */
adam_status am_convert_check_source(const am_convert_job *job, adam_error *error);
/* The dtype that most bytes of the plan's items have. */
am_dtype am_convert_most(const am_convert_plan *plan);
void am_convert_notice(am_convert_job *job, const char *text);
/* GGUF's pooling_type of what the model's files say (1 mean, 2 first, 3 last, 4 rank); 0 = they do not say, or it
 * has no number, which becomes a notice. */
uint32_t am_convert_pooling(am_convert_job *job);

#endif
