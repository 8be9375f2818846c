/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"

#include <stdio.h>
#include <string.h>

#include "progress.h"
#include "report.h"
#include "settings.h"

int am_exit_code(adam_status status, const adam_error *error) {
  if (status == ADAM_OK) return 0;
  am_report_error(error);
  return adam_status_exit_code(status);
}

/* The notices of opening, printed; the first degraded one becomes the error under --strict. */
static adam_status take_notices(const adam_manager *manager, bool strict, adam_error *error) {
  const adam_notice *notice = NULL;
  for (size_t i = 0; (notice = adam_manager_notice_at(manager, i)); i++) {
    if (strict && notice->level == ADAM_NOTICE_DEGRADED)
      return am_report_fill(error, ADAM_FAILED, notice->code, "--strict makes this an error", "%s",
                            notice->text);
    am_report_notice(notice);
  }
  return ADAM_OK;
}

/* What is named for embedding embeds, whatever it was made for: the positional REF is only the usual model, and
 * yields to the settings'. *kept holds the text. */
static adam_status choose_embedder(const am_arguments *arguments, const char *ref, adam_manager_options *options,
                                   adam_settings **kept, adam_error *error) {
  if (ref) {
    adam_status status = am_settings_get(arguments, kept, error);
    if (status != ADAM_OK) return status;
    const char *wanted = am_settings_value(*kept, "embedding_model");
    if (wanted) options->model = wanted;
  }
  options->embedding_model = options->model ? options->model : options->size;
  return ADAM_OK;
}

/* What --pull downloads: the model that was named, or the first of the domain's. NULL = nothing was named. */
static const char *name_to_pull(const adam_manager_options *options) {
  adam_domain domain = {.struct_size = sizeof domain};
  if (options->model || options->size) return options->model ? options->model : options->size;
  for (size_t i = 0; options->domain && adam_domain_at(i, &domain); i++)
    if (strcmp(domain.name, options->domain) == 0 && domain.n_models) return domain.models[0];
  return NULL;
}

adam_status am_open_model(const am_arguments *arguments, const char *ref, am_open_purpose purpose,
                          adam_manager **out, adam_error *error) {
  adam_manager_options options = {
      .struct_size = sizeof options,
      .backend = arguments->text[AM_OPTION_BACKEND],
      .model = ref ? ref : arguments->text[AM_OPTION_MODEL],
      .size = arguments->text[AM_OPTION_SIZE],
      .domain = arguments->text[AM_OPTION_DOMAIN],
      .profile = arguments->text[AM_OPTION_PROFILE],
      .model_options = {.struct_size = sizeof options.model_options,
                        .device = arguments->text[AM_OPTION_DEVICE],
                        .kv_type = arguments->text[AM_OPTION_KV_TYPE],
                        .n_ctx = arguments->integer[AM_OPTION_CTX],
                        .n_threads = (int32_t)arguments->integer[AM_OPTION_THREADS],
                        .cache_dir = arguments->text[AM_OPTION_CACHE_DIR],
                        .ollama_host = arguments->text[AM_OPTION_OLLAMA_HOST],
                        .keep_alive = arguments->text[AM_OPTION_KEEP_ALIVE],
                        .start_server = arguments->is_set[AM_OPTION_START],
                        .base_url = arguments->text[AM_OPTION_BASE_URL],
                        .api_key_file = arguments->text[AM_OPTION_API_KEY_FILE],
                        .timeout_ms = (uint32_t)arguments->integer[AM_OPTION_SERVER_TIMEOUT] * 1000u,
                        .vocab_only = purpose == AM_OPEN_VOCABULARY,
                        .describe = purpose == AM_OPEN_TO_DESCRIBE},
      .share_with_ollama = arguments->is_set[AM_OPTION_SHARE_WITH_OLLAMA],
  };
  adam_settings *settings = NULL;
  adam_status status = ADAM_OK;
  if (arguments->command == AM_COMMAND_EMBED) status = choose_embedder(arguments, ref, &options, &settings, error);
  if (status != ADAM_OK) return status;
  const char *label = options.model ? options.model : options.size ? options.size : "the model";
  am_progress progress;
  adam_manager *manager = NULL;
  am_progress_begin(&progress, label);
  status = adam_manager_open(&options, &manager, error);
  am_progress_end(&progress);
  const char *name = name_to_pull(&options);
  if (status == ADAM_NOT_FOUND && arguments->is_set[AM_OPTION_PULL] && name) {
    status = am_pull_model(arguments, name, error);
    if (status == ADAM_OK) status = adam_manager_open(&options, &manager, error);
  }
  if (status == ADAM_NOT_FOUND && ref && strpbrk(ref, " \n"))
    snprintf(error->hint, sizeof error->hint,
             "the first argument names the model; -m REF lets it be the prompt");
  adam_settings_close(&settings);
  if (status != ADAM_OK) return status;
  status = take_notices(manager, arguments->is_set[AM_OPTION_STRICT], error);
  if (status != ADAM_OK)
    adam_manager_close(&manager);
  else
    *out = manager;
  return status;
}
