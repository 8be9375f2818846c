/* SPDX-License-Identifier: Apache-2.0 */
/* backend/huggingface/stored: a model of the Ollama store, opened by our own engine where it lies. What the store says
 * beside the GGUF comes along: params as defaults, stop strings, system text, messages, template, licence. */
#ifndef AM_BACKEND_HUGGINGFACE_STORED_H
#define AM_BACKEND_HUGGINGFACE_STORED_H

#include "engine/engine.h"

/* NAME of "ollama:NAME", borrowed; NULL: `model` is a path. */
const char *am_stored_name(const char *model);
/* ADAM_UNSUPPORTED names what the engine does not have (adapters, cloud models, single tensors); ADAM_UNAVAILABLE: this
 * user may not read the store. *origin_json (owned): adam_model_info's. */
adam_status am_stored_open(const char *name, const adam_model_options *options, am_engine **out,
                           char **origin_json, adam_error *error);

#endif
