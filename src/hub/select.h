/* SPDX-License-Identifier: Apache-2.0 */
/* hub/select: which files of a model on the Hub are needed to run it. Safetensors before GGUF; never pickles and
 * never code. Any thread. */
#ifndef AM_HUB_SELECT_H
#define AM_HUB_SELECT_H

#include "hub/tree.h"

/* Sets wanted[i] (n_files, zeroed by the caller) for the files of the tree that are needed: configuration,
 * tokenizer, template, sentence-transformers' folders, README and licence, and the weights. choice: NULL, a file of
 * the repository, or a quantization ("Q4_K_M") that a GGUF's name has as a word; all parts of a split GGUF come
 * along. Of several GGUFs and no choice it is the q4_k_m one. ADAM_NOT_FOUND, ADAM_INVALID and ADAM_UNSUPPORTED (only
 * pickled weights, an adapter) say what there is. */
adam_status am_hub_select(const am_hub_tree *tree, const char *choice, const char *what, bool *wanted,
                          adam_error *error);
/* Adds the shards that the text of a model.safetensors.index.json names. ADAM_DAMAGED: it names files that the
 * repository does not have. */
adam_status am_hub_select_shards(const am_hub_tree *tree, const char *json, size_t n_bytes, const char *what,
                                 bool *wanted, adam_error *error);
extern const char am_hub_index_name[]; /* "model.safetensors.index.json" */

#endif
