/* SPDX-License-Identifier: Apache-2.0 */
#include "convert/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/pairs.h"
#include "base/error.h"
#include "base/mem.h"
#include "os/file.h"

enum { CONFIG_LIMIT_BYTES = 64 << 20, FILE_LIMIT_BYTES = 256 << 20 };

static const char *torch_name(am_dtype dtype) {
  return dtype == AM_DTYPE_F16 ? "float16" : dtype == AM_DTYPE_BF16 ? "bfloat16" : "float32";
}

static adam_status write_file(const char *folder, const char *name, am_buf *text, adam_error *error) {
  char *path = am_path_join(folder, name);
  adam_status status = path && !text->failed ? ADAM_OK : am_fail_memory(error, name);
  if (!status) status = am_file_write_atomic(path, text->data, text->len, 0666, error);
  am_mem_free(path);
  return status;
}

/* The shortest digits that read back to the same number, to float32 where it is one. */
static void write_real(am_buf *out, double value) {
  char text[40];
  if ((double)(float)value != value) {
    am_json_write_real(out, value);
    return;
  }
  for (int digits = 1; digits <= 9; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, value);
    if (strtof(text, NULL) == (float)value) break;
  }
  am_json_write_real(out, strtod(text, NULL));
}

static void write_list(am_buf *out, const am_pair *p) {
  bool any = false;
  am_buf_append_char(out, '[');
  for (uint32_t i = 0; i < p->n; i++) {
    if (p->type == AM_PAIR_LAYERS && ((p->bits[i / 64] >> i % 64 & 1) != 0) != p->is_set) continue;
    if (any) am_buf_append_str(out, ", ");
    any = true;
    if (p->type == AM_PAIR_REALS) write_real(out, (double)p->reals[i]);
    else if (p->type == AM_PAIR_IDS) am_buf_printf(out, "%d", p->ids[i]);
    else am_buf_printf(out, "%u", i);
  }
  am_buf_append_char(out, ']');
}

static void write_value(am_buf *out, const am_pair *p) {
  switch (p->type) {
    case AM_PAIR_U32:
      am_buf_printf(out, "%u", p->as.u32);
      return;
    case AM_PAIR_REAL:
      write_real(out, p->as.real);
      return;
    case AM_PAIR_BOOL:
      am_buf_append_str(out, p->as.boolean ? "true" : "false");
      return;
    case AM_PAIR_STRING:
      if (strcmp(p->key, "architectures") == 0) am_buf_append_char(out, '[');
      am_json_write_string(out, p->as.string, strlen(p->as.string));
      if (strcmp(p->key, "architectures") == 0) am_buf_append_char(out, ']');
      return;
    case AM_PAIR_NULL:
      am_buf_append_str(out, "null");
      return;
    case AM_PAIR_IDS:
      if (p->n == 1) am_buf_printf(out, "%d", p->ids[0]);
      else write_list(out, p);
      return;
    case AM_PAIR_REALS:
    case AM_PAIR_LAYERS:
      write_list(out, p);
      return;
  }
}

/* Pairs "a.b" that follow each other make one object a. */
static void write_object(am_buf *out, const am_pairs *pairs) {
  size_t open_bytes = 0; /* of the key of the object that is open */
  am_buf_append_char(out, '{');
  for (size_t i = 0; i < pairs->n; i++) {
    const am_pair *p = &pairs->items[i];
    const char *dot = strchr(p->key, '.');
    size_t n = dot ? (size_t)(dot - p->key) : 0;
    bool same = i > 0 && n > 0 && n == open_bytes && memcmp(p->key, pairs->items[i - 1].key, n) == 0;
    if (open_bytes && !same) am_buf_append_str(out, "\n  }");
    am_buf_append_str(out, i ? ",\n  " : "\n  ");
    if (n > 0 && !same) am_buf_printf(out, "\"%.*s\": {\n  ", (int)n, p->key);
    am_buf_printf(out, "%s\"%s\": ", n ? "  " : "", dot ? dot + 1 : p->key);
    open_bytes = n;
    write_value(out, p);
  }
  am_buf_append_str(out, open_bytes ? "\n  }\n}\n" : "\n}\n");
}

/* n float32 numbers of a tensor of the source. */
static adam_status read_factors(const am_loader *loader, const char *field, float out[AM_ARCH_MOST_FACTORS],
                                uint32_t *n, adam_error *error) {
  const am_tensor *tensor = NULL;
  adam_status status = am_loader_role(loader, field, 0, &tensor, error);
  *n = 0;
  if (status || !tensor) return status;
  if (tensor->dtype != AM_DTYPE_F32 || tensor->n_bytes > AM_ARCH_MOST_FACTORS * sizeof *out)
    return am_fail(error, ADAM_UNSUPPORTED, tensor->name, NULL, "expected at most %d numbers of f32",
                   AM_ARCH_MOST_FACTORS);
  *n = (uint32_t)(tensor->n_bytes / sizeof *out);
  memcpy(out, tensor->data, tensor->n_bytes);
  return ADAM_OK;
}

/* What stood in tensors as numbers of the config. */
static adam_status read_rope(const am_loader *loader, am_config *c, adam_error *error) {
  float divisors[AM_ARCH_MOST_FACTORS];
  uint32_t n, n_long;
  if (c->rope.scaling == AM_ROPE_FACTORS) {
    adam_status status = read_factors(loader, "rope_freqs", divisors, &n, error);
    return status ? status : am_rope_fit_llama3(c, divisors, n, am_loader_path(loader), error);
  }
  if (c->rope.scaling != AM_ROPE_LONGROPE) return ADAM_OK;
  adam_status status = read_factors(loader, "rope_factors_short", c->rope.short_factor, &n, error);
  if (!status) status = read_factors(loader, "rope_factors_long", c->rope.long_factor, &n_long, error);
  if (!status && n != n_long)
    status = am_fail(error, ADAM_DAMAGED, am_loader_path(loader), NULL, "%u short and %u long rope factors", n, n_long);
  c->rope.n_factors = n;
  return status;
}

adam_status am_convert_write_config(am_convert_job *job, const char *folder, adam_error *error) {
  am_buf text = {0};
  am_config *c = am_mem_alloc(sizeof *c);
  am_pairs *pairs = am_mem_zalloc(1, sizeof *pairs);
  adam_status status = c && pairs ? ADAM_OK : am_fail_memory(error, folder);
  if (!status) {
    *c = *am_loader_config(job->loader);
    status = c->arch->to_hf ? read_rope(job->loader, c, error)
                            : am_fail(error, ADAM_UNSUPPORTED, c->arch->name, NULL, "this family has no such form");
  }
  if (!status) status = c->arch->to_hf(c, pairs, error);
  if (!status) {
    am_pairs_string(pairs, "torch_dtype", torch_name(am_convert_most(&job->plan)));
    if (pairs->full) status = am_fail(error, ADAM_FAILED, c->arch->name, NULL, "too many pairs");
  }
  if (!status) {
    for (size_t i = 0; i < pairs->n_notices; i++) am_convert_notice(job, pairs->notices[i]);
    write_object(&text, pairs);
    status = write_file(folder, "config.json", &text, error);
  }
  am_buf_close(&text);
  am_mem_free(pairs);
  am_mem_free(c);
  return status;
}

adam_status am_convert_copy_config(am_convert_job *job, const char *folder, adam_error *error) {
  am_arena arena = {0};
  am_buf text = {0}, out = {0};
  am_json config;
  char *path = am_path_join(am_loader_folder(job->loader), "config.json");
  adam_status status = path ? am_file_read(path, CONFIG_LIMIT_BYTES, &text, error) : am_fail_memory(error, folder);
  if (!status) status = am_json_parse(text.data, text.len, path, 0, &arena, &config, error);
  bool any = false;
  am_buf_append_char(&out, '{');
  for (uint32_t i = 0; !status && config.type == AM_JSON_OBJECT && i < config.n; i++) {
    const am_json_member *m = &config.as.members[i];
    bool is_dtype = strcmp(m->key, "torch_dtype") == 0 || strcmp(m->key, "dtype") == 0;
    if (strcmp(m->key, "quantization_config") == 0) continue;
    am_buf_append_str(&out, any ? ",\n  " : "\n  ");
    any = true;
    am_json_write_string(&out, m->key, m->key_bytes);
    am_buf_append_str(&out, ": ");
    if (is_dtype) am_buf_printf(&out, "\"%s\"", torch_name(am_convert_most(&job->plan)));
    else am_json_write(&out, &m->value);
  }
  am_buf_append_str(&out, "\n}\n");
  if (!status) status = write_file(folder, "config.json", &out, error);
  am_buf_close(&text);
  am_buf_close(&out);
  am_mem_free(path);
  am_arena_close(&arena);
  return status;
}

/* What a GGUF can say. */
static const struct {
  am_pooling pooling;
  const char *key;
} poolings[] = {{AM_POOL_CLS, "pooling_mode_cls_token"},
                {AM_POOL_MEAN, "pooling_mode_mean_tokens"},
                {AM_POOL_LAST, "pooling_mode_lasttoken"}};

static adam_status write_pooling(const am_step *step, const char *folder, const char *name, adam_error *error) {
  am_buf text = {0};
  char *path = am_path_join(folder, name);
  adam_status status = path ? am_dir_make(path, error) : am_fail_memory(error, folder);
  am_buf_printf(&text, "{\n  \"word_embedding_dimension\": %u", step->n_in);
  for (size_t i = 0; i < sizeof poolings / sizeof *poolings; i++)
    am_buf_printf(&text, ",\n  \"%s\": %s", poolings[i].key,
                  step->pooling[0] == poolings[i].pooling ? "true" : "false");
  am_buf_append_str(&text, "\n}\n");
  if (!status) status = write_file(path, "config.json", &text, error);
  am_buf_close(&text);
  am_mem_free(path);
  return status;
}

adam_status am_convert_write_modules(am_convert_job *job, const char *folder, adam_error *error) {
  const am_sentence *s = am_loader_sentence(job->loader);
  am_buf text = {0};
  adam_status status = ADAM_OK;
  if (!s->stated || s->n_steps == 0 || am_loader_config(job->loader)->n_labels) return ADAM_OK;
  am_buf_append_str(&text, "[\n  {\"idx\": 0, \"name\": \"0\", \"path\": \"\", \"type\": "
                           "\"sentence_transformers.models.Transformer\"}");
  for (uint32_t i = 0; i < s->n_steps && !status; i++) {
    const am_step *step = &s->steps[i];
    bool pools = step->kind == AM_STEP_POOL;
    char name[32];
    if (!pools && step->kind != AM_STEP_NORMALIZE) continue;
    snprintf(name, sizeof name, "%u_%s", i + 1, pools ? "Pooling" : "Normalize");
    am_buf_printf(&text,
                  ",\n  {\"idx\": %u, \"name\": \"%u\", \"path\": \"%s\", \"type\": "
                  "\"sentence_transformers.models.%s\"}",
                  i + 1, i + 1, name, pools ? "Pooling" : "Normalize");
    if (pools) status = write_pooling(step, folder, name, error);
  }
  am_buf_append_str(&text, "\n]\n");
  if (!status) status = write_file(folder, "modules.json", &text, error);
  am_buf_close(&text);
  return status;
}

typedef struct copying {
  const char *from, *to;
  int depth;
  adam_error *error;
  adam_status status;
} copying;

static bool ends(const char *name, const char *ending) {
  size_t n = strlen(name), m = strlen(ending);
  return n >= m && strcmp(name + n - m, ending) == 0;
}

/* Weights in any format, config.json, which is written anew, and hidden files. */
static bool is_left_out(const char *name, int depth) {
  static const char *const endings[] = {".bin", ".gguf", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".onnx", ".ot"};
  static const char *const names[] = {"config.json", "model.safetensors.index.json", "quantize_config.json",
                                      "quant_config.json"};
  if (name[0] == '.' || (depth == 0 && ends(name, ".safetensors"))) return true;
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
    if (ends(name, endings[i])) return true;
  for (size_t i = 0; depth == 0 && i < sizeof names / sizeof *names; i++)
    if (strcmp(name, names[i]) == 0) return true;
  return false;
}

static bool copy_one(void *user, const char *name) {
  copying *c = user;
  am_buf bytes = {0};
  if (is_left_out(name, c->depth)) return false;
  char *from = am_path_join(c->from, name), *to = am_path_join(c->to, name);
  if (!from || !to) {
    c->status = am_fail_memory(c->error, name);
  } else if (am_file_is_dir(from)) {
    copying inner = {from, to, c->depth + 1, c->error, ADAM_OK};
    if (c->depth == 0) inner.status = am_dir_make(to, c->error); /* modules have folders, and they have none */
    if (c->depth == 0 && !inner.status) inner.status = am_dir_list(from, copy_one, &inner, c->error);
    c->status = inner.status;
  } else if (am_file_is_regular(from)) {
    c->status = am_file_read(from, FILE_LIMIT_BYTES, &bytes, c->error);
    if (!c->status) c->status = am_file_write_atomic(to, bytes.data ? bytes.data : "", bytes.len, 0666, c->error);
  }
  am_buf_close(&bytes);
  am_mem_free(from);
  am_mem_free(to);
  return c->status != ADAM_OK;
}

adam_status am_convert_copy_files(am_convert_job *job, const char *folder, adam_error *error) {
  copying c = {am_loader_folder(job->loader), folder, 0, error, ADAM_OK};
  adam_status status = am_dir_list(c.from, copy_one, &c, error);
  return status ? status : c.status;
}
