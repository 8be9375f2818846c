/* SPDX-License-Identifier: Apache-2.0 */
/* A server of the tests, written in Python: it prints its ports and ends when its input does, which is when this
 * process ends. */
#ifndef TESTS_PYTHON_SERVER_H
#define TESTS_PYTHON_SERVER_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct python_server {
  pid_t pid;
  int input;
  int ports[2];
} python_server;

/* script: a path. false: python3 is not there, or the script does not run. */
static inline bool python_server_start(const char *script, python_server *out) {
  int to[2], from[2];
  char line[64] = {0};
  if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC)) return false;
  *out = (python_server){.pid = fork(), .input = to[1]};
  if (out->pid == 0) {
    dup2(to[0], 0);
    dup2(from[1], 1);
    execlp("python3", "python3", script, (char *)NULL);
    _exit(127);
  }
  close(to[0]);
  close(from[1]);
  FILE *said = fdopen(from[0], "r");
  bool good = said && fgets(line, sizeof line, said) && sscanf(line, "%d %d", &out->ports[0], &out->ports[1]) >= 1;
  if (said) fclose(said);
  return good;
}

static inline void python_server_stop(python_server *server) {
  close(server->input);
  waitpid(server->pid, NULL, 0);
}

#endif
