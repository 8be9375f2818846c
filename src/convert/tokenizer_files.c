/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a folder that say how a model's texts become ids, from a GGUF. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "convert/tokenizer_json.h"
#include "convert/vocab.h"
#include "convert/vocab_parts.h"
#include "os/file.h"

enum { FILE_MODE = 0644 };

typedef struct files {
  const am_loader *loader;
  const am_tokenizer *tokenizer;
  const char *folder;
  am_tokenizer_parts parts;
} files;

static adam_status write_file(const files *f, const char *name, am_buf *text, adam_error *error) {
  char *path = text->failed ? NULL : am_path_join(f->folder, name);
  adam_status status =
      path ? am_file_write_atomic(path, text->data ? text->data : "", text->len, FILE_MODE, error)
           : am_fail_memory(error, f->folder);
  am_mem_free(path);
  am_buf_close(text);
  return status;
}

/* The text must open as what it was made from. */
static adam_status check_json(const files *f, const am_buf *text, adam_error *error) {
  am_tokenizer *made = NULL;
  adam_status status =
      am_tokenizer_open_json(am_loader_path(f->loader), text->data, text->len, NULL, 0, &made, error);
  if (status == ADAM_OK) status = am_vocab_compare(f->tokenizer, made, am_loader_path(f->loader), error);
  am_tokenizer_close(&made);
  return status;
}

static adam_status write_tokenizer(const files *f, adam_error *error) {
  am_buf text = {0};
  adam_status status = am_tokenizer_json_write(f->tokenizer, &text, error);
  if (status == ADAM_OK) status = check_json(f, &text, error);
  if (status == ADAM_OK) return write_file(f, "tokenizer.json", &text, error);
  am_buf_close(&text);
  return status;
}

/* "bos_token": "<s>", ... */
static void write_special(const files *f, am_buf *out) {
  const am_json *special = am_loader_special_tokens(f->loader);
  for (uint32_t i = 0; i < special->n; i++) {
    const am_json_member *member = &special->as.members[i];
    am_buf_append_str(out, out->data[out->len - 1] == '{' ? "\n  " : ",\n  ");
    am_json_write_string(out, member->key, member->key_bytes);
    am_buf_append_str(out, ": ");
    am_json_write_string(out, member->value.as.string, member->value.n);
  }
}

static adam_status write_special_map(const files *f, adam_error *error) {
  am_buf text = {0};
  am_buf_append_char(&text, '{');
  if (!text.failed) write_special(f, &text);
  am_buf_append_str(&text, "\n}\n");
  return write_file(f, "special_tokens_map.json", &text, error);
}

static void write_decoder(const files *f, am_buf *out) {
  static const char *const flags[] = {"lstrip", "normalized", "rstrip", "single_word", "special"};
  const am_json *list = am_json_get(f->parts.config, "added_tokens");
  bool any = false;
  am_buf_append_str(out, "{\n  \"added_tokens_decoder\": {");
  for (uint32_t i = 0; list && i < list->n; i++) {
    const am_json *item = am_json_at(list, i), *content = am_json_get(item, "content");
    int64_t id = am_json_int(am_json_get(item, "id"), -1);
    if (!content || am_tokenizer_find(f->tokenizer, content->as.string, content->n) != id) continue;
    am_buf_printf(out, "%s\n    \"%lld\": {\"content\": ", any ? "," : "", (long long)id);
    am_json_write_string(out, content->as.string, content->n);
    for (size_t k = 0; k < sizeof flags / sizeof *flags; k++)
      am_buf_printf(out, ", \"%s\": %s", flags[k],
                    am_json_bool(am_json_get(item, flags[k]), false) ? "true" : "false");
    am_buf_append_char(out, '}');
    any = true;
  }
  am_buf_append_str(out, "\n  }");
}

static adam_status write_config(const files *f, adam_error *error) {
  am_buf text = {0};
  const am_config *config = am_loader_config(f->loader);
  write_decoder(f, &text);
  if (!text.failed) write_special(f, &text);
  am_buf_append_str(&text, ",\n  \"clean_up_tokenization_spaces\": false");
  if (config && config->n_ctx_train > 0)
    am_buf_printf(&text, ",\n  \"model_max_length\": %llu", (unsigned long long)config->n_ctx_train);
  am_buf_append_str(&text, ",\n  \"tokenizer_class\": \"PreTrainedTokenizerFast\"\n}\n");
  return write_file(f, "tokenizer_config.json", &text, error);
}

static void write_real(am_buf *out, const adam_sampling *s, uint32_t bit, const char *key, double value) {
  if (!(s->set & bit)) return;
  am_buf_printf(out, ",\n  \"%s\": ", key);
  am_json_write_real(out, value);
}

static void write_id(const files *f, const char *name, const char *key, am_buf *out) {
  const am_json *text = am_json_get(am_loader_special_tokens(f->loader), name);
  int32_t id = text ? am_tokenizer_find(f->tokenizer, text->as.string, text->n) : -1;
  if (id >= 0) am_buf_printf(out, ",\n  \"%s\": %d", key, (int)id);
}

static adam_status write_generation(const files *f, adam_error *error) {
  am_buf text = {0};
  const adam_sampling *s = am_loader_sampling(f->loader);
  size_t n;
  const int32_t *ends = am_loader_end_ids(f->loader, &n);
  bool samples = s->set & (ADAM_SET_TEMPERATURE | ADAM_SET_TOP_K | ADAM_SET_TOP_P | ADAM_SET_MIN_P);
  am_buf_printf(&text, "{\n  \"do_sample\": %s",
                samples && !(s->set & ADAM_SET_TEMPERATURE && s->temperature == 0) ? "true" : "false");
  write_id(f, "bos_token", "bos_token_id", &text);
  write_id(f, "pad_token", "pad_token_id", &text);
  for (size_t i = 0; i < n; i++)
    am_buf_printf(&text, "%s%d",
                  i > 0   ? ", "
                  : n > 1 ? ",\n  \"eos_token_id\": ["
                          : ",\n  \"eos_token_id\": ",
                  (int)ends[i]);
  if (n > 1) am_buf_append_char(&text, ']');
  if (s->temperature > 0) write_real(&text, s, ADAM_SET_TEMPERATURE, "temperature", s->temperature);
  write_real(&text, s, ADAM_SET_TOP_P, "top_p", s->top_p);
  write_real(&text, s, ADAM_SET_MIN_P, "min_p", s->min_p);
  write_real(&text, s, ADAM_SET_REPETITION_PENALTY, "repetition_penalty", s->repetition_penalty);
  if (s->set & ADAM_SET_TOP_K) am_buf_printf(&text, ",\n  \"top_k\": %d", (int)s->top_k);
  am_buf_append_str(&text, "\n}\n");
  return write_file(f, "generation_config.json", &text, error);
}

/* A file name that stays in its folder. */
static bool is_plain(const char *name) {
  return name[0] && name[0] != '.' && !strpbrk(name, "/\\") && strlen(name) < 200;
}

static adam_status write_templates(const files *f, adam_error *error) {
  const char *name, *template;
  adam_status status = ADAM_OK;
  for (size_t i = 0; status == ADAM_OK && (template = am_loader_template_at(f->loader, i, &name)); i++) {
    am_buf text = {0}, path = {0};
    bool standard = strcmp(name, "default") == 0;
    if (!standard && !is_plain(name)) continue;
    am_buf_printf(&path, standard ? "chat_template.jinja" : "additional_chat_templates");
    if (!standard) {
      char *folder = path.failed ? NULL : am_path_join(f->folder, path.data);
      status = folder ? am_dir_make(folder, error) : am_fail_memory(error, f->folder);
      am_mem_free(folder);
      am_buf_printf(&path, "/%s.jinja", name);
    }
    am_buf_append_str(&text, template);
    if (status == ADAM_OK && path.failed) status = am_fail_memory(error, f->folder);
    if (status == ADAM_OK)
      status = write_file(f, path.data, &text, error);
    else
      am_buf_close(&text);
    am_buf_close(&path);
  }
  return status;
}

adam_status am_convert_tokenizer(const am_loader *loader, const char *folder, adam_error *error) {
  files f = {.loader = loader, .folder = folder};
  adam_status status = am_loader_need_tokenizer(loader, &f.tokenizer, error);
  if (status) return status;
  am_tokenizer_parts_of(f.tokenizer, &f.parts);
  const char *model = f.parts.model;
  bool generates = strcmp(model, "BPE") == 0 || strcmp(model, "SPM") == 0;
  status = write_tokenizer(&f, error);
  if (status == ADAM_OK) status = write_config(&f, error);
  if (status == ADAM_OK) status = write_special_map(&f, error);
  if (status == ADAM_OK) status = write_templates(&f, error);
  return status == ADAM_OK && generates ? write_generation(&f, error) : status;
}
