/* SPDX-License-Identifier: Apache-2.0 */
#include "interrupt.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

enum { FATAL, CANCELLABLE, HELD, EXIT_INTERRUPTED = 130, EXIT_DAMAGED = 6 };

static volatile sig_atomic_t mode = FATAL;
static volatile sig_atomic_t pending;
static void (*before_exit)(void);

static void on_interrupt(int signal_number) {
  (void)signal_number;
  if (mode == FATAL || (mode == CANCELLABLE && pending)) {
    if (before_exit) before_exit();
    _exit(EXIT_INTERRUPTED);
  }
  pending = 1;
}

/* Reading a mapped file beyond the end that somebody gave it. */
static void on_cut(int signal_number, siginfo_t *info, void *context) {
  static const char words[] = "adam: a file became shorter while it was read: download it again\n";
  (void)context;
  if (info->si_code != BUS_ADRERR) { /* another fault ends the program as ever, when it comes again */
    (void)signal(signal_number, SIG_DFL);
    return;
  }
  if (before_exit) before_exit();
  if (write(STDERR_FILENO, words, sizeof words - 1) < 0) _exit(EXIT_DAMAGED);
  _exit(EXIT_DAMAGED);
}

void am_interrupt_install(void) {
  struct sigaction cut = {.sa_sigaction = on_cut, .sa_flags = SA_SIGINFO};
  struct sigaction action = {.sa_handler = on_interrupt}; /* no SA_RESTART: a read must return */
  struct sigaction quiet = {.sa_handler = SIG_IGN};
  struct sigaction inherited;
  sigemptyset(&action.sa_mask);
  sigemptyset(&quiet.sa_mask);
  sigemptyset(&cut.sa_mask);
  sigaction(SIGBUS, &cut, NULL);
  /* A caller that has Ctrl-C ignored (nohup, a script's background job) means it. */
  if (sigaction(SIGINT, NULL, &inherited) != 0 || inherited.sa_handler != SIG_IGN)
    sigaction(SIGINT, &action, NULL);
  sigaction(SIGPIPE, &quiet, NULL); /* writes report EPIPE instead */
}

void am_interrupt_begin(void) {
  pending = 0;
  mode = CANCELLABLE;
}

bool am_interrupt_end(void) {
  mode = FATAL;
  return pending;
}

bool am_interrupt_pending(void) { return pending; }

void am_interrupt_hold(bool hold) {
  if (hold) pending = 0;
  mode = hold ? HELD : FATAL;
}

void am_interrupt_before_exit(void (*restore)(void)) { before_exit = restore; }
