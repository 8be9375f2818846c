/* SPDX-License-Identifier: Apache-2.0 */
/* convert/vocab: tokenizers from one format to the other.
 * Purpose: the pairs tokenizer.* of a GGUF from any tokenizer that adam reads, named and typed as llama.cpp's
 *   converter does; and a folder that transformers and adam open, from a GGUF. Out: the same bytes for the
 *   same source. Invariant: what is written gives the ids of the source, which is tried on texts of many
 *   scripts before anything is written; a tokenizer that the other format cannot express is
 *   ADAM_UNSUPPORTED with what differs. Threads: any, one writer at a time. */
#ifndef AM_CONVERT_VOCAB_H
#define AM_CONVERT_VOCAB_H

#include "loader/loader.h"

typedef struct am_gguf_writer am_gguf_writer; /* formats/gguf_write.h */

/* Adds tokenizer.ggml.* and tokenizer.chat_template* to the writer. Of a GGUF the pairs are copied as they
 * are. The vocabulary is as long as the model's embedding has rows (what is missing is [PADn], unused), or as
 * long as the tokenizer where the loader knows no config. A loader without tokenizer: its reason. */
adam_status am_convert_vocab(const am_loader *loader, am_gguf_writer *writer, adam_error *error);

/* Writes tokenizer.json, tokenizer_config.json, special_tokens_map.json, generation_config.json and, where
 * the model has them, chat_template.jinja and additional_chat_templates/ into the folder, which exists. Each
 * file appears whole or not at all. */
adam_status am_convert_tokenizer(const am_loader *loader, const char *folder, adam_error *error);

#endif
