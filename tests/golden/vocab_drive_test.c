/* SPDX-License-Identifier: Apache-2.0 */
/* Drives the conversion of tokenizers from outside. Without arguments it only checks that it refuses.
 *
 *   drive to-gguf SOURCE OUT.gguf     the vocabulary alone, as a GGUF that llama.cpp opens with vocab_only
 *   drive to-folder SOURCE FOLDER     tokenizer.json and its companions
 * Exit status 0, or 1 with "STATUS: what: why" on stderr. */
#include "convert/vocab.h"
#include "formats/gguf_write.h"

#include <stdio.h>
#include <string.h>

/* What llama.cpp asks for before it looks at a vocabulary. */
static adam_status write_model(am_gguf_writer *w, const am_loader *loader, adam_error *error) {
  static const struct {
    const char *key;
    uint32_t value;
  } numbers[] = {{"llama.context_length", 64},      {"llama.embedding_length", 32},
                 {"llama.block_count", 1},          {"llama.feed_forward_length", 32},
                 {"llama.attention.head_count", 2}, {"llama.rope.dimension_count", 16}};
  adam_status status = am_gguf_write_string(w, "general.architecture", "llama", error);
  if (!status) status = am_gguf_write_string(w, "general.name", am_loader_name(loader), error);
  for (size_t i = 0; !status && i < sizeof numbers / sizeof *numbers; i++)
    status = am_gguf_write_u32(w, numbers[i].key, numbers[i].value, error);
  if (!status) status = am_gguf_write_f32(w, "llama.attention.layer_norm_rms_epsilon", 1e-5f, error);
  return status;
}

static adam_status to_gguf(const am_loader *loader, const char *path, adam_error *error) {
  am_gguf_writer *w = NULL;
  adam_status status = am_gguf_writer_open(&w, error);
  if (!status) status = write_model(w, loader, error);
  if (!status) status = am_convert_vocab(loader, w, error);
  if (!status) status = am_gguf_writer_begin(w, path, error);
  if (!status) status = am_gguf_writer_finish(w, error);
  am_gguf_writer_close(&w);
  return status;
}

int main(int argc, char **argv) {
  am_loader *loader = NULL;
  adam_error error = {0};
  if (argc != 4) {
    if (am_loader_open("no such model", AM_LOADER_VOCAB_ONLY, NULL, &loader, &error) == ADAM_NOT_FOUND)
      return 0;
    am_loader_close(&loader);
    return 1;
  }
  adam_status status = am_loader_open(argv[2], AM_LOADER_VOCAB_ONLY, NULL, &loader, &error);
  if (!status && strcmp(argv[1], "to-gguf") == 0) status = to_gguf(loader, argv[3], &error);
  if (!status && strcmp(argv[1], "to-folder") == 0) status = am_convert_tokenizer(loader, argv[3], &error);
  if (status) fprintf(stderr, "%s: %s: %s\n", adam_status_name(status), error.what, error.why);
  am_loader_close(&loader);
  return status ? 1 : 0;
}
