/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/huggingface/stored.h"

#include "base/buf.h"
#include "base/mem.h"
#include "store/store.h"

#include <math.h>
#include <string.h>

enum { STOP_LIMIT = 64 };

const char *am_stored_name(const char *model) {
  static const char prefix[] = "ollama:";
  return strncmp(model, prefix, sizeof prefix - 1) ? NULL : model + sizeof prefix - 1;
}

typedef struct reading {
  am_loader_extra extra;
  const char *stop[STOP_LIMIT]; /* borrowed from the params layer */
  am_buf note;                  /* parameters that are not used */
} reading;

static bool set_number(double *to, const am_json *value, double least, double most) {
  double number = am_json_real(value, NAN);
  if (!(number >= least && number <= most)) return false;
  *to = number;
  return true;
}

/* One member of params into the sampling defaults; false: it is none of those, or out of its range. */
static bool read_sampling(adam_sampling *s, const char *key, const am_json *value) {
  const struct {
    const char *key;
    double *to;
    double least, most;
    uint32_t bit;
  } reals[] = {
      {"temperature", &s->temperature, 0, 1e6, ADAM_SET_TEMPERATURE},
      {"top_p", &s->top_p, 1e-9, 1, ADAM_SET_TOP_P},
      {"min_p", &s->min_p, 0, 0.999999, ADAM_SET_MIN_P},
      {"repeat_penalty", &s->repetition_penalty, 1e-6, 1e6, ADAM_SET_REPETITION_PENALTY},
      {"presence_penalty", &s->presence_penalty, -1e6, 1e6, ADAM_SET_PRESENCE_PENALTY},
      {"frequency_penalty", &s->frequency_penalty, -1e6, 1e6, ADAM_SET_FREQUENCY_PENALTY},
  };
  for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
    if (strcmp(key, reals[i].key) != 0) continue;
    if (!set_number(reals[i].to, value, reals[i].least, reals[i].most)) return false;
    s->set |= reals[i].bit;
    return true;
  }
  int64_t number = am_json_int(value, INT64_MIN);
  if (!strcmp(key, "top_k") && number >= 0 && number <= INT32_MAX) {
    s->top_k = (int32_t)number;
    s->set |= ADAM_SET_TOP_K;
  } else if (!strcmp(key, "num_predict") && number > INT64_MIN) {
    s->max_tokens = number < 0 ? INT32_MAX : number; /* negative: as long as the context is */
    s->set |= ADAM_SET_MAX_TOKENS;
  } else if (!strcmp(key, "seed") && number > INT64_MIN) {
    if (number >= 0) s->seed = (uint64_t)number, s->set |= ADAM_SET_SEED; /* -1: drawn anew */
  } else {
    return false;
  }
  return true;
}

static bool read_stop(reading *r, const am_json *value) {
  size_t n = value->type == AM_JSON_ARRAY ? value->n : 1;
  bool fine = true;
  for (size_t i = 0; i < n; i++) {
    const char *text = am_json_str(value->type == AM_JSON_ARRAY ? am_json_at(value, i) : value, NULL);
    if (text && *text && r->extra.n_stop < STOP_LIMIT) r->stop[r->extra.n_stop++] = text;
    else fine = false;
  }
  return fine;
}

/* How the server of Ollama divides its work is nothing to this engine. */
static bool is_of_server(const char *key) {
  static const char *const keys[] = {"num_batch", "num_gpu",  "main_gpu",  "num_thread", "use_mmap",  "use_mlock",
                                     "low_vram",  "num_keep", "vocab_only", "f16_kv",    "numa",      "num_gqa",
                                     "draft_num_predict"};
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
    if (!strcmp(key, keys[i])) return true;
  return false;
}

static void read_params(reading *r, const am_json *params) {
  for (uint32_t i = 0; params && i < params->n; i++) {
    const char *key = params->as.members[i].key;
    const am_json *value = &params->as.members[i].value;
    int64_t number = am_json_int(value, 0);
    if (!strcmp(key, "stop") ? read_stop(r, value) : read_sampling(&r->extra.sampling, key, value)) continue;
    if (!strcmp(key, "num_ctx") && number > 0) r->extra.n_ctx = (uint64_t)number;
    else if (!is_of_server(key) && r->note.len < 300)
      am_buf_printf(&r->note, "%s%.40s", r->note.len > 0 ? ", " : "not used of the model's parameters: ", key);
  }
}

static void add_text(am_buf *out, const char *key, const char *text) {
  am_buf_printf(out, ",\"%s\":", key);
  if (text) am_json_write_string(out, text, strlen(text));
  else am_buf_append_str(out, "null");
}

static void add_json(am_buf *out, const char *key, const am_json *value) {
  am_buf_printf(out, ",\"%s\":", key);
  if (value) am_json_write(out, value);
  else am_buf_append_str(out, "null");
}

static void add_layer(am_buf *out, const char *kind, const am_store_layer *layer) {
  am_buf_append_str(out, "{\"kind\":");
  am_json_write_string(out, kind, strlen(kind));
  am_buf_printf(out, ",\"digest\":\"sha256:%s\",\"bytes\":%llu", layer->digest, (unsigned long long)layer->bytes);
  if (layer->from) add_text(out, "from", layer->from);
  am_buf_append_char(out, '}');
}

static char *describe(const am_store_model *model, const char *root, am_engine *engine) {
  enum { MOST_LAYERS = 256 };
  am_buf out = {0};
  am_buf_printf(&out, "{\"store\":\"ollama\",\"digest\":\"sha256:%s\"", model->digest);
  add_text(&out, "root", root);
  add_text(&out, "manifest", model->manifest_path);
  am_buf_append_str(&out, ",\"layers\":[");
  add_layer(&out, "config", &model->config);
  for (size_t i = 0; i < model->n_layers && i < MOST_LAYERS; i++) {
    am_buf_append_char(&out, ',');
    add_layer(&out, model->layers[i].kind, &model->layers[i]);
  }
  am_buf_append_char(&out, ']');
  add_json(&out, "parameters", model->params);
  add_text(&out, "system", model->system);
  add_json(&out, "messages", model->messages);
  add_text(&out, "template", model->template_text);
  add_text(&out, "template_used", am_engine_template_used(engine));
  am_buf_append_str(&out, ",\"licenses\":[");
  for (size_t i = 0; i < model->n_licenses; i++) {
    if (i > 0) am_buf_append_char(&out, ',');
    am_json_write_string(&out, model->licenses[i], strlen(model->licenses[i]));
  }
  am_buf_append_str(&out, "]}");
  return am_buf_take(&out);
}

/* Of earlier answers in a chat; as its server decides. */
static bool strips_thinking(const am_store_model *model) {
  return (model->family && !strcmp(model->family, "qwen3")) || !strcmp(model->name.model, "deepseek-r1");
}

adam_status am_stored_open(const char *name, const adam_model_options *options, am_engine **out,
                           char **origin_json, adam_error *error) {
  am_store_name parsed;
  am_store_model *model = NULL;
  am_engine *engine = NULL;
  char *root = NULL;
  char shown[AM_STORE_NAME_BYTES];
  reading r = {0};
  am_buf messages = {0};
  adam_status status = am_store_name_parse(name, &parsed, error);
  if (!status) status = am_store_find(&parsed, &model, &root, error);
  if (!status) status = am_store_model_check(model, error);
  if (status) goto cleanup;
  am_store_name_print(&model->name, shown);
  read_params(&r, model->params);
  if (model->messages) am_json_write(&messages, model->messages);
  if (r.note.failed || messages.failed) {
    status = am_fail_memory(error, shown);
    goto cleanup;
  }
  r.extra.name = shown;
  r.extra.license = model->n_licenses > 0 ? model->licenses[0] : NULL;
  r.extra.stop = r.stop;
  r.extra.note = r.note.data;
  r.extra.system = model->system;
  r.extra.messages_json = messages.data;
  r.extra.go_template = model->template_text;
  if (model->renderer) r.extra.prefers_jinja = "the model is rendered by a program of newer servers, not by it";
  r.extra.strip_thinking = strips_thinking(model);
  status = am_engine_open_with(model->weights->path, options, &r.extra, &engine, error);
  if (status) goto cleanup;
  *origin_json = describe(model, root, engine);
  if (*origin_json) *out = engine;
  else am_engine_close(&engine), status = am_fail_memory(error, shown);
cleanup:
  am_mem_free(root);
  am_buf_close(&messages);
  am_buf_close(&r.note);
  am_store_model_close(&model);
  return status;
}
