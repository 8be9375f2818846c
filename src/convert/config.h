/* SPDX-License-Identifier: Apache-2.0 */
/* convert/config: the small JSON files beside the weights of a folder. */
#ifndef AM_CONVERT_CONFIG_H
#define AM_CONVERT_CONFIG_H

#include "convert/model.h"

/* config.json of a GGUF: its hyperparameters under transformers' keys. */
adam_status am_convert_write_config(am_convert_job *job, const char *folder, adam_error *error);
/* config.json of a folder with another dtype, and without what says how its weights were quantised. */
adam_status am_convert_copy_config(am_convert_job *job, const char *folder, adam_error *error);
/* modules.json and what it names, where a GGUF says how its hidden states become embeddings. */
adam_status am_convert_write_modules(am_convert_job *job, const char *folder, adam_error *error);
/* Everything else of a folder that is no weights: tokenizer, templates, modules, cards. */
adam_status am_convert_copy_files(am_convert_job *job, const char *folder, adam_error *error);

#endif
