/* SPDX-License-Identifier: Apache-2.0 */
/* adam rm, adam cp, adam rename. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "format.h"
#include "output.h"
#include "reply.h"
#include "report.h"
#include "stores.h"

typedef struct rm_state {
  json_t *kept, *removed;
} rm_state;

static void on_kept(void *user, const adam_kept_file *file) {
  json_array_append_new(user, json_pack("{s:o, s:o, s:s, s:I}", "path", am_reply_string(file->path), "owner",
                                        am_reply_string(file->owner), "store", file->store, "bytes",
                                        (json_int_t)file->bytes));
}

/* Asks on a terminal; elsewhere nobody is there to ask. */
static bool is_agreed(const char *model, const adam_remove_result *would) {
  char answer[16] = "", size[16];
  am_format_bytes(would->bytes_freed, size);
  am_output_shown(STDERR_FILENO, "remove ", 7);
  am_output_shown(STDERR_FILENO, model, strlen(model));
  fprintf(stderr, " and free %s? [y/N] ", size);
  return fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

static adam_status remove_one(const am_arguments *arguments, const char *model, rm_state *state, adam_error *error) {
  adam_stores_options options = am_stores_options(arguments, NULL);
  options.on_work = NULL;
  adam_remove_result result = {.struct_size = sizeof result};
  if (!options.dry_run && !arguments->is_set[AM_OPTION_YES] && isatty(STDIN_FILENO) && isatty(STDERR_FILENO)) {
    options.dry_run = true;
    adam_status status = adam_models_remove(&options, model, NULL, NULL, &result, error);
    if (status) return status;
    if (!is_agreed(model, &result)) return am_report_fill(error, ADAM_CANCELLED, model, "", "not removed");
    options.dry_run = false;
  }
  json_t *kept = json_array();
  adam_status status = adam_models_remove(&options, model, on_kept, kept, &result, error);
  if (!status)
    json_array_append_new(state->removed,
                          json_pack("{s:o, s:I, s:I, s:b, s:O}", "model", am_reply_string(model), "bytes_freed",
                                    (json_int_t)result.bytes_freed, "bytes_kept", (json_int_t)result.bytes_kept,
                                    "dry_run", options.dry_run, "kept", kept));
  json_decref(kept);
  return status;
}

static void print_removed(const json_t *removed) {
  size_t i, k;
  json_t *one, *file;
  json_array_foreach(removed, i, one) {
    char size[16];
    const char *model = json_string_value(json_object_get(one, "model"));
    am_format_bytes((uint64_t)json_integer_value(json_object_get(one, "bytes_freed")), size);
    am_output_text(json_is_true(json_object_get(one, "dry_run")) ? "would remove " : "removed ");
    if (model) am_output_model_text(model, strlen(model));
    am_output_format(", %s freed\n", size);
    json_array_foreach(json_object_get(one, "kept"), k, file) {
      const char *owner = json_string_value(json_object_get(file, "owner"));
      const char *path = json_string_value(json_object_get(file, "path"));
      am_format_bytes((uint64_t)json_integer_value(json_object_get(file, "bytes")), size);
      am_output_format("  %s stay for ", size);
      if (owner) am_output_model_text(owner, strlen(owner));
      if (!owner || !*owner) am_output_model_text(path ? path : "?", path ? strlen(path) : 1);
      am_output_text("\n");
    }
  }
}

int am_rm_command(const am_arguments *arguments) {
  adam_error error = {0};
  rm_state state = {.removed = json_array()};
  adam_status status = ADAM_OK;
  for (size_t i = 0; i < arguments->n_positional && !status; i++)
    status = remove_one(arguments, arguments->positional[i], &state, &error);
  bool json = arguments->is_set[AM_OPTION_JSON];
  if (json && !status)
    status = am_reply_print(json_pack("{s:O}", "removed", state.removed), &error);
  else if (!json)
    print_removed(state.removed); /* also what went before a failure */
  json_decref(state.removed);
  return am_exit_code(status, &error);
}

static int name_again(const am_arguments *arguments, bool copy) {
  adam_error error = {0};
  const char *from = arguments->positional[0], *to = arguments->positional[1];
  adam_status status = copy ? adam_models_copy(from, to, &error) : adam_models_rename(from, to, &error);
  if (!status && arguments->is_set[AM_OPTION_JSON])
    status = am_reply_print(
        json_pack("{s:o, s:o}", "from", am_reply_string(from), "name", am_reply_string(to)), &error);
  return am_exit_code(status, &error);
}

int am_cp_command(const am_arguments *arguments) { return name_again(arguments, true); }
int am_rename_command(const am_arguments *arguments) { return name_again(arguments, false); }
