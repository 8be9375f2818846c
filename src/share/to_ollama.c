/* SPDX-License-Identifier: Apache-2.0 */
#include "share/share.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "os/file.h"
#include "os/link.h"
#include "os/tree.h"
#include "share/card.h"
#include "share/converted.h"
#include "store/store.h"

enum { PIECES = 5 };

static void notice(const am_share_request *request, const char *code, bool degraded, const char *text) {
  if (request->on_notice) request->on_notice(request->user, code, degraded, text);
}

/* What a model of that name in the store means: *same = it has this GGUF. digest NULL: only its size is known yet, and
 * another one is refused before it is converted. */
static adam_status look_at_name(am_store *store, const am_store_name *name, const char *digest, uint64_t bytes,
                                bool *same, const am_share_request *request, adam_error *error) {
  am_store_model *model = NULL;
  char printed[AM_STORE_NAME_BYTES];
  am_store_name_print(name, printed);
  *same = false;
  adam_status status = am_store_model_open(store, name, &model, NULL);
  if (status == ADAM_NOT_FOUND) return ADAM_OK;
  if (status == ADAM_NO_MEMORY) return am_fail_memory(error, printed);
  bool has = model && model->weights && !model->weights->is_missing;
  *same = has && (digest ? !strcmp(model->weights->digest, digest) : model->weights->bytes == bytes);
  am_store_model_close(&model);
  if (*same) return ADAM_OK;
  return am_fail(error, ADAM_INVALID, request->display, "choose another name with --name",
                 "Ollama has another model called %s; it stays as it is", printed);
}

static adam_status add_texts(am_store *store, const am_share_card *card, am_store_piece *pieces, size_t *n,
                             uint64_t *bytes, adam_error *error) {
  const struct {
    const char *kind;
    const am_buf *text;
  } rows[] = {{"template", &card->template_text}, {"system", &card->system}, {"license", &card->license}, {"params", &card->params}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    if (!rows[i].text->len) continue;
    uint64_t added = 0;
    pieces[*n] = (am_store_piece){.kind = rows[i].kind};
    adam_status status =
        am_store_add_bytes(store, rows[i].text->data, rows[i].text->len, pieces[*n].digest, &added, error);
    if (status) return status;
    *bytes += added;
    ++*n;
  }
  return ADAM_OK;
}

static adam_status publish(am_store *store, const am_store_name *name, const char *gguf, const am_share_card *card,
                           am_share_outcome *out, adam_error *error) {
  am_store_piece pieces[PIECES] = {{.kind = "model"}};
  char digests[PIECES][65];
  size_t n = 1;
  am_buf config = {0};
  am_link_method method = AM_LINK_COPY;
  uint64_t added = 0;
  memcpy(pieces[0].digest, out->digest, 65);
  adam_status status = am_store_add_file(store, gguf, out->digest, &method, &added, error);
  if (!status) status = add_texts(store, card, pieces, &n, &out->bytes_texts, error);
  for (size_t i = 0; i < n; i++) memcpy(digests[i], pieces[i].digest, 65);
  if (!status && !am_share_card_config(card, (const char(*)[65])digests, n, &config))
    status = am_fail_memory(error, gguf);
  if (!status) status = am_store_publish(store, name, config.data, pieces, n, false, error);
  out->bytes_added += added;
  out->method = am_link_method_name(method);
  if (!status) out->bytes_texts += config.len;
  am_buf_close(&config);
  return status;
}

/* The device of a folder, or of the nearest one above it that is there. */
static bool device_of(const char *path, uint64_t *device) {
  am_tree_entry entry;
  char *at = am_mem_dup(path, strlen(path));
  bool found = false;
  while (at && !(found = am_tree_look(at, &entry))) {
    char *above = am_path_dirname(at);
    bool end = !above || !strcmp(above, at);
    am_mem_free(at);
    at = above;
    if (end) break;
  }
  am_mem_free(at);
  if (found) *device = entry.device;
  return found;
}

/* How it would be linked. store NULL: there is none yet. */
static void foretell(const am_store *store, const am_share_gguf *gguf, am_share_outcome *out) {
  uint64_t here = 0, there = 0;
  am_link_method method = AM_LINK_HARD;
  if (store && *out->digest && am_store_has_blob(store, out->digest, NULL)) {
    method = AM_LINK_SAME;
  } else {
    char *roots[AM_STORE_ROOTS] = {0};
    size_t n_roots = store ? 0 : am_store_roots(roots);
    const char *root = store ? am_store_root(store) : n_roots ? roots[0] : NULL;
    bool is_file = gguf->is_there && am_file_identity(gguf->path, &here, NULL, NULL, NULL);
    bool known = (is_file || device_of(gguf->path, &here)) && root && device_of(root, &there);
    if (known && here != there) method = AM_LINK_COPY;
    for (size_t i = 0; i < n_roots; i++) am_mem_free(roots[i]);
  }
  if (method == AM_LINK_COPY) out->bytes_added += gguf->bytes;
  out->method = am_link_method_name(method);
}

/* No template of the table fits: Ollama will complete text as it is. */
static adam_status tell_template(const am_share_request *request, const am_share_card *card, adam_error *error) {
  char text[512];
  if (card->template_name || card->is_embedding) return ADAM_OK;
  if (card->has_chat)
    (void)snprintf(text, sizeof text, "no known template renders as this model's own does: in Ollama it completes raw text%s%s",
                   *card->difference ? "; the nearest differs: " : "", card->difference);
  else
    (void)snprintf(text, sizeof text, "the model has no chat template: in Ollama it completes raw text");
  notice(request, "raw_completion", card->has_chat, text);
  if (!request->strict || !card->has_chat) return ADAM_OK;
  return am_fail(error, ADAM_UNSUPPORTED, request->display, "leave out --strict to share it for raw completion",
                 "no known Ollama template renders as the model's own does");
}

static const char *name_of(const am_share_card *card) { return card->template_name ? card->template_name : ""; }

/* Before a conversion: what can be told and refused without it. */
static adam_status look_ahead(const am_share_request *request, const am_share_gguf *gguf, am_store *store,
                              const am_store_name *name, am_share_outcome *out, adam_error *error) {
  am_share_card card = {0};
  bool same = false;
  adam_status status = store ? look_at_name(store, name, NULL, gguf->bytes, &same, request, error) : ADAM_OK;
  if (status || !(request->dry_run || request->strict)) return status;
  status = am_share_card_open(NULL, request, &card, error);
  if (!status) status = tell_template(request, &card, error);
  out->template_name = name_of(&card);
  am_share_card_close(&card);
  if (!request->dry_run) return status;
  out->converted = true;
  out->bytes_added = out->bytes_linked = gguf->bytes;
  foretell(store, gguf, out);
  return status;
}

static void note_blob(const am_share_request *request, am_store *store, am_journal *journal,
                      const am_share_outcome *out) {
  char owner[AM_STORE_NAME_BYTES + 8];
  char *blob = am_store_blob_path(store, out->digest);
  am_buf origin = {0};
  (void)snprintf(owner, sizeof owner, "ollama:%s", out->name);
  if (am_buf_printf(&origin, "shared %s", request->display) && blob)
    am_share_note(journal, blob, out->digest, AM_PLACE_OLLAMA, owner, origin.data);
  am_buf_close(&origin);
  am_mem_free(blob);
}

static adam_status share_gguf(const am_share_request *request, const am_share_gguf *gguf, am_store *store,
                              const am_store_name *name, am_journal *journal, am_share_outcome *out,
                              adam_error *error) {
  am_share_card card = {0};
  bool same = false;
  adam_status status = am_share_digest(gguf->path, request->dry_run, journal, request->work, out->digest, error);
  if (!status && store) status = look_at_name(store, name, out->digest, 0, &same, request, error);
  out->bytes_linked = gguf->bytes;
  if (!status && same) {
    out->method = am_link_method_name(AM_LINK_SAME);
    return ADAM_OK;
  }
  if (!status) status = am_share_card_open(gguf->path, request, &card, error);
  if (!status) status = tell_template(request, &card, error);
  out->template_name = name_of(&card);
  if (!status && request->dry_run) {
    foretell(store, gguf, out);
  } else if (!status) {
    adam_error why = {0};
    am_share_remember(journal, gguf->path, out->digest);
    status = publish(store, name, gguf->path, &card, out, &why);
    /* Another process may have shared it meanwhile. */
    if (status == ADAM_INVALID && !look_at_name(store, name, out->digest, 0, &same, request, NULL) && same)
      status = ADAM_OK;
    if (status && error) *error = why;
    if (!status) note_blob(request, store, journal, out);
  }
  am_share_card_close(&card);
  return status;
}

/* "NAME" where the tag is the usual one, as a repository is called. */
static void print_name(const am_store_name *name, char out[AM_STORE_NAME_BYTES]) {
  am_store_name_print(name, out);
  size_t n = strlen(out), k = strlen(":latest");
  if (n > k && !strcmp(out + n - k, ":latest")) out[n - k] = 0;
}

static adam_status share(const am_share_request *request, am_store *store, const am_store_name *name,
                         am_journal *journal, am_share_outcome *out, adam_error *error) {
  am_share_gguf gguf = {0};
  bool made = false;
  adam_status status = am_share_gguf_find(request, journal, &gguf, error);
  if (!status && !gguf.is_there) status = look_ahead(request, &gguf, store, name, out, error);
  if (!status && !gguf.is_there && !request->dry_run)
    status = am_share_gguf_make(request, journal, &gguf, &made, error);
  if (made) {
    out->converted = true;
    out->bytes_added = gguf.bytes;
  }
  if (!status && gguf.is_there) status = share_gguf(request, &gguf, store, name, journal, out, error);
  am_share_gguf_close(&gguf);
  return status;
}

adam_status am_share_to_ollama(const am_share_request *request, am_share_outcome *out, adam_error *error) {
  am_share_outcome outcome = {.method = "", .template_name = ""};
  am_store_name name;
  am_store *store = NULL;
  am_journal *journal = NULL;
  adam_status status = am_store_name_parse(request->name, &name, error);
  if (!status) print_name(&name, outcome.name);
  if (!status) status = am_store_open(NULL, !request->dry_run, &store, error);
  if (status == ADAM_NOT_FOUND && request->dry_run) status = ADAM_OK; /* it would be made */
  if (!status && !request->dry_run) status = am_store_writable(store, error);
  if (!status) (void)am_journal_open(NULL, &journal, NULL, NULL);
  if (!status) status = share(request, store, &name, journal, &outcome, error);
  if (!status) *out = outcome;
  am_journal_close(&journal);
  am_store_close(&store);
  return status;
}
