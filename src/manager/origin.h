/* SPDX-License-Identifier: Apache-2.0 */
/* manager/origin: where a model that is a file or folder comes from, told by its place. Any thread. */
#ifndef AM_MANAGER_ORIGIN_H
#define AM_MANAGER_ORIGIN_H

#include <adam/status.h>

/* adam_model_info's origin_json, owned: {"store","also":["ollama:NAME:TAG"...]}, and of a Hugging Face cache
 * "root", "repository", "commit", "revisions", "file". */
adam_status am_origin_of(const char *path, char **json, adam_error *error);

#endif
