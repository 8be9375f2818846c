/* SPDX-License-Identifier: Apache-2.0 */
/* hub/folder: which file of a model folder is meant. Owned paths come back. Any thread. */
#ifndef AM_HUB_FOLDER_H
#define AM_HUB_FOLDER_H

#include <adam/status.h>
#include <stdbool.h>

/* What to open in `folder`: the folder itself when it holds safetensors, or no weights but the files of
 * a tokenizer or template; else a GGUF in it or one folder below. choice: NULL, a file name (.gguf,
 * .safetensors) or a quantization that a GGUF's name has as a word, in any case ("Q4_K_M"). Several GGUFs and
 * no choice: the q4_k_m one, as users of llama.cpp and Ollama expect, else ADAM_INVALID listing them. `what`
 * names the model in errors. */
adam_status am_hub_pick(const char *folder, const char *choice, const char *what, char **path,
                        adam_error *error);
/* Each model with weights in `folder`: "" for the folder itself, then the names of the GGUFs;
 * true = stop. */
adam_status am_hub_each(const char *folder, bool (*on_name)(void *user, const char *name), void *user,
                        adam_error *error);
/* The weight type by a cheap look, in lower case ("q4_k_m", "bf16"): a GGUF's name, or the dtype of a
 * folder's config.json. Owned; "" = not to be seen, NULL = memory is out. */
char *am_hub_quantization(const char *path);
/* Bytes of the weights behind a path that am_hub_pick gave: all parts, all shards; 0 = unknown. */
uint64_t am_hub_weights_bytes(const char *path);
/* Is `file` a GGUF of the repository by its name, NAME-TYPE.gguf or NAME.TYPE.gguf? */
bool am_hub_is_file_of(const char *file, const char *repository);
/* Does a file name end so, in any case of letters? */
bool am_hub_ends_with(const char *name, const char *ending);
/* The error of a choice among GGUFs that cannot be made, with what there is to choose from: the weight types where
 * each file has another and no file was named, else the files. `why` becomes its first words. */
adam_status am_hub_fail_choice(const char *const *names, size_t n, bool file_named, adam_status status,
                               const char *what, const char *why, adam_error *error);
/* Number of the part in NAME-00002-of-00005.gguf, 0 = not in parts. */
int am_hub_part_number(const char *name);
/* Is `word` in `name`, in any case, with no letter or digit around it, nor a `_` that goes on after it? */
bool am_hub_has_word(const char *name, const char *word);

#endif
