/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/ollama/start.h"

#include "base/mem.h"
#include "os/clock.h"
#include "os/dirs.h"
#include "os/file.h"
#include "os/process.h"
#include <stdlib.h>
#include <string.h>

static const double START_MS = 30000;

/* Owned; NULL = the words of the server are dropped. */
static char *log_path(void) {
  char *folder = am_dirs_cache();
  char *path = folder && !am_dir_make(folder, NULL) ? am_path_join(folder, "ollama-serve.log") : NULL;
  am_mem_free(folder);
  return path;
}

static adam_status wait_for(const am_ollama_client *client, int pid, const char *log, adam_error *error) {
  am_ollama_client once = *client;
  once.start_server = false;
  double end_ms = am_clock_ms() + START_MS;
  bool runs = true;
  while (runs && am_clock_ms() < end_ms) {
    if (!am_ollama_reach(&once, NULL)) return ADAM_OK;
    am_clock_sleep_ms(100);
    runs = am_process_runs(pid);
  }
  return am_fail(error, ADAM_UNAVAILABLE, "ollama", NULL, "the server that was started %s; what it said: %s",
                 runs ? "does not answer" : "ended at once", log ? log : "(nowhere to keep it)");
}

adam_status am_ollama_start(const am_ollama_client *client, adam_error *error) {
  if (!client->host.is_local)
    return am_fail(error, ADAM_UNAVAILABLE, "ollama", "only a server of this machine can be started from here",
                   "no server answers at %s", client->host.url);
  const char *named = getenv("ADAM_OLLAMA");
  char *program = am_process_find(named && *named ? named : "ollama");
  if (!program)
    return am_fail(error, ADAM_UNAVAILABLE, "ollama", "https://ollama.com/download; ADAM_OLLAMA names another place",
                   "no server answers at %s, and the program ollama is not installed", client->host.url);
  am_buf variable = {0};
  char *log = log_path();
  int pid = 0;
  am_buf_printf(&variable, "OLLAMA_HOST=%s", client->host.authority);
  const char *const arguments[] = {"ollama", "serve", NULL};
  const char *const environment[] = {variable.data, NULL};
  adam_status status = variable.failed ? am_fail_memory(error, program)
                                       : am_process_start(program, arguments, environment, log, &pid, error);
  if (!status) status = wait_for(client, pid, log, error);
  am_buf_close(&variable);
  am_mem_free(log);
  am_mem_free(program);
  return status;
}
