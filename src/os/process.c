/* SPDX-License-Identifier: Apache-2.0 */
#include "os/process.h"

#include "base/buf.h"
#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* What the pipe to the caller carries, in either order. */
typedef struct note {
  enum { NOTE_PID = 1, NOTE_ERRNO } kind;
  int value;
} note;

static bool can_run(const char *path) { return access(path, X_OK) == 0; }

char *am_process_find(const char *name) {
  const char *path = getenv("PATH");
  if (strchr(name, '/')) return can_run(name) ? am_mem_dup(name, strlen(name)) : NULL;
  while (path && *path) {
    size_t n = strcspn(path, ":");
    am_buf whole = {0};
    am_buf_append(&whole, path, n);
    am_buf_printf(&whole, "%s%s", n ? "/" : "./", name);
    if (!whole.failed && can_run(whole.data)) return am_buf_take(&whole);
    am_buf_close(&whole);
    path += n + (path[n] == ':');
  }
  return NULL;
}

/* Ours, but for the names that are given anew. The array is owned, its texts are borrowed. */
static char **join_environment(const char *const *added) {
  size_t n_ours = 0, n_added = 0, n = 0;
  while (environ[n_ours]) n_ours++;
  while (added && added[n_added]) n_added++;
  char **all = am_mem_alloc((n_ours + n_added + 1) * sizeof *all);
  if (!all) return NULL;
  for (size_t i = 0; i < n_ours; i++) {
    bool replaced = false;
    for (size_t j = 0; j < n_added && !replaced; j++)
      replaced = !strncmp(environ[i], added[j], strcspn(added[j], "=") + 1);
    if (!replaced) all[n++] = environ[i];
  }
  for (size_t j = 0; j < n_added; j++) memcpy(&all[n++], &added[j], sizeof *all);
  all[n] = NULL;
  return all;
}

/* The new program; only async-signal-safe calls, since other threads may hold locks. Tells errno through the
 * pipe when it comes to nothing. */
static _Noreturn void become(const char *program, const char *const *arguments, char **environment,
                             const char *log_path, int to_parent) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  int null = open("/dev/null", O_RDWR);
  int log = log_path ? open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
  if (log < 0) log = null;
  if (null >= 0 && dup2(null, 0) == 0 && dup2(log, 1) == 1 && dup2(log, 2) == 2) {
    for (int fd = 3; fd < 1024; fd++)
      if (fd != to_parent) close(fd);
    char **argv;
    memcpy(&argv, &arguments, sizeof argv);
    execve(program, argv, environment);
  }
  note why = {NOTE_ERRNO, errno};
  _exit(write(to_parent, &why, sizeof why) == sizeof why ? 126 : 127);
}

/* Reads the notes until the pipe closes, which it does when the program runs. 0, or why it does not. */
static int read_notes(int from, int *pid) {
  int why = 0;
  note news;
  for (;;) {
    ssize_t n = read(from, &news, sizeof news);
    if (n < 0 && errno == EINTR) continue;
    if (n != sizeof news) break;
    if (news.kind == NOTE_PID) *pid = news.value;
    if (news.kind == NOTE_ERRNO) why = news.value;
  }
  return why ? why : *pid > 0 ? 0 : EAGAIN;
}

adam_status am_process_start(const char *program, const char *const *arguments, const char *const *environment,
                             const char *log_path, int *pid, adam_error *error) {
  int pipe_fds[2], why = 0, started = 0;
  char **all = join_environment(environment);
  if (!all) return am_fail_memory(error, program);
  if (pipe2(pipe_fds, O_CLOEXEC)) {
    am_mem_free(all);
    return am_fail(error, ADAM_IO, program, NULL, "it cannot be started: %s", strerror(errno));
  }
  pid_t child = fork();
  if (child == 0) {
    setsid();
    pid_t grandchild = fork();
    if (grandchild == 0) become(program, arguments, all, log_path, pipe_fds[1]);
    note news = {NOTE_PID, (int)grandchild};
    _exit(write(pipe_fds[1], &news, sizeof news) == sizeof news ? 0 : 1);
  }
  why = child < 0 ? errno : 0;
  close(pipe_fds[1]);
  am_mem_free(all);
  if (child > 0) {
    why = read_notes(pipe_fds[0], &started);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) continue;
  }
  close(pipe_fds[0]);
  if (why) return am_fail(error, ADAM_IO, program, NULL, "it cannot be started: %s", strerror(why));
  *pid = started;
  return ADAM_OK;
}

bool am_process_runs(int pid) { return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM); }
