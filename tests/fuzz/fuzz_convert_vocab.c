/* SPDX-License-Identifier: Apache-2.0 */
/* A tokenizer.json (first byte '{') to the pairs of a GGUF, or a GGUF to a tokenizer.json. What is written
 * must open again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "convert/tokenizer_json.h"
#include "convert/vocab.h"
#include "formats/gguf_write.h"
#include "os/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "adam-fuzz-vocab-XXXXXX", json_path[64], gguf_path[64];

static void clean(void) {
  unlink(json_path);
  unlink(gguf_path);
  rmdir(folder);
}

static bool begin(void) {
  static bool made;
  if (made) return true;
  if (!mkdtemp(folder)) return false;
  snprintf(json_path, sizeof json_path, "%s/tokenizer.json", folder);
  snprintf(gguf_path, sizeof gguf_path, "%s/v.gguf", folder);
  atexit(clean);
  return made = true;
}

/* What has been written must be as good as any other tokenizer.json. */
static adam_status text_of(const am_loader *loader, adam_error *error) {
  am_buf text = {0};
  am_tokenizer *again = NULL;
  adam_status status = am_tokenizer_json_write(am_loader_tokenizer(loader), &text, error);
  if (status == ADAM_OK) {
    adam_error inner = {0};
    adam_status opened = am_tokenizer_open_json("made", text.data, text.len, NULL, 0, &again, &inner);
    if (opened == ADAM_DAMAGED && strstr(inner.why, "offset")) __builtin_trap(); /* no JSON at all */
  }
  am_tokenizer_close(&again);
  am_buf_close(&text);
  return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  adam_error error = {0};
  am_loader *loader = NULL;
  am_gguf_writer *w = NULL;
  if (size == 0 || size > 65536 || !begin()) return 0;
  bool json = data[0] == '{';
  const char *path = json ? json_path : gguf_path;
  FILE *file = fopen(path, "wb");
  if (!file) return 0;
  bool written = fwrite(data, 1, size, file) == size;
  if (fclose(file) != 0 || !written) return 0;
  adam_status status = am_loader_open(json ? folder : path, AM_LOADER_VOCAB_ONLY, NULL, &loader, &error);
  if (status == ADAM_OK && am_loader_tokenizer(loader)) status = text_of(loader, &error);
  if (status == ADAM_OK) status = am_gguf_writer_open(&w, &error);
  if (status == ADAM_OK) status = am_convert_vocab(loader, w, &error);
  if (status != ADAM_OK && !error.why[0]) __builtin_trap();
  am_gguf_writer_close(&w);
  am_loader_close(&loader);
  unlink(path);
  return 0;
}
