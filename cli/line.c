/* SPDX-License-Identifier: Apache-2.0 */
#include "line.h"

#include <errno.h>
#include <histedit.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

#include "interrupt.h"
#include "output.h"
#include "report.h"

enum { HISTORY_LINES = 1000 };

struct am_line {
  EditLine *editor;
  History *history;
  HistEvent event;
  char *history_path; /* owned; NULL = not kept */
  const char *prompt; /* borrowed during a read */
};

static char *prompt_of(EditLine *editor) {
  am_line *line = NULL;
  el_get(editor, EL_CLIENTDATA, &line);
  return (char *)(uintptr_t)line->prompt; /* libedit does not write to it */
}

/* One byte from the terminal. am_line_read blocks SIGINT, and only ppoll lets it through: a Ctrl-C can not
 * fall between the look at am_interrupt_pending and the wait. 1, 0 at the end, -1 when interrupted. */
static int read_byte(EditLine *editor, char *byte) {
  for (;;) {
    struct pollfd terminal = {.fd = STDIN_FILENO, .events = POLLIN};
    sigset_t open_to;
    pthread_sigmask(SIG_SETMASK, NULL, &open_to);
    sigdelset(&open_to, SIGINT);
    if (am_interrupt_pending()) return -1;
    if (ppoll(&terminal, 1, NULL, &open_to) < 0) {
      if (errno != EINTR) return -1;
      if (!am_interrupt_pending()) el_set(editor, EL_REFRESH); /* a resized window, or back from Ctrl-Z */
      continue;
    }
    ssize_t n = read(STDIN_FILENO, byte, 1);
    if (n >= 0) return (int)n;
    if (errno != EINTR && errno != EAGAIN) return -1;
  }
}

/* libedit's reader of characters (EL_GETCFN): 1, 0 at the end, -1 for an error or an interruption. */
static int read_character(EditLine *editor, wchar_t *character) {
  mbstate_t state = {0};
  for (;;) {
    char byte;
    int got = read_byte(editor, &byte);
    if (got <= 0) return got;
    size_t n = mbrtowc(character, &byte, 1, &state);
    if (n == 0 || n == 1) return 1;
    if (n == (size_t)-1) state = (mbstate_t){0}; /* no character: the byte is left out */
  }
}

static bool make_folders(char *path) {
  for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
    *slash = '\0';
    bool made = mkdir(path, 0700) == 0 || errno == EEXIST;
    *slash = '/';
    if (!made) return false;
  }
  return true;
}

/* $XDG_DATA_HOME/adam/chat_history, else ~/.local/share/adam/chat_history; NULL = no place. */
static char *history_path(void) {
  const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
  char *path = NULL;
  int n = -1;
  if (data && data[0] == '/')
    n = asprintf(&path, "%s/adam/chat_history", data);
  else if (home && home[0] == '/')
    n = asprintf(&path, "%s/.local/share/adam/chat_history", home);
  if (n < 0) return NULL;
  if (make_folders(path)) return path;
  free(path);
  return NULL;
}

/* libedit reads characters by the locale: a C locale would lose all but ASCII. */
static void take_locale(void) {
  setlocale(LC_CTYPE, "");
  if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0) setlocale(LC_CTYPE, "C.UTF-8");
}

adam_status am_line_open(am_line **out, adam_error *error) {
  am_line *line = calloc(1, sizeof *line);
  if (!line) return am_report_no_memory(error);
  take_locale();
  line->editor = el_init("adam", stdin, isatty(STDOUT_FILENO) ? stdout : stderr, stderr);
  line->history = history_init();
  if (!line->editor || !line->history) {
    am_line_close(&line);
    return am_report_fill(error, ADAM_FAILED, "line editor", "give the PROMPT as an argument",
                          "it cannot use this terminal");
  }
  el_set(line->editor, EL_CLIENTDATA, line);
  el_set(line->editor, EL_PROMPT, prompt_of);
  el_set(line->editor, EL_SIGNAL, 1); /* a resized window, Ctrl-Z */
  el_set(line->editor, EL_GETCFN, read_character);
  el_set(line->editor, EL_EDITOR, "emacs");
  el_set(line->editor, EL_HIST, history, line->history);
  el_set(line->editor, EL_BIND, "^R", "em-inc-search-prev", NULL);
  history(line->history, &line->event, H_SETSIZE, HISTORY_LINES);
  history(line->history, &line->event, H_SETUNIQUE, 1);
  line->history_path = history_path();
  if (line->history_path) history(line->history, &line->event, H_LOAD, line->history_path);
  el_source(line->editor, NULL); /* ~/.editrc */
  *out = line;
  return ADAM_OK;
}

void am_line_close(am_line **line) {
  if (!*line) return;
  if ((*line)->editor) el_end((*line)->editor);
  if ((*line)->history) history_end((*line)->history);
  free((*line)->history_path);
  free(*line);
  *line = NULL;
}

am_line_kind am_line_read(am_line *line, const char *prompt, char **text, bool *was_empty) {
  int n = 0;
  sigset_t interrupt, before;
  sigemptyset(&interrupt);
  sigaddset(&interrupt, SIGINT);
  line->prompt = prompt;
  errno = 0;
  am_interrupt_hold(true);
  pthread_sigmask(SIG_BLOCK, &interrupt, &before);
  const char *got = el_gets(line->editor, &n);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  bool interrupted = am_interrupt_pending();
  am_interrupt_hold(false);
  if (interrupted) {
    const LineInfo *typed = el_line(line->editor);
    *was_empty = typed->lastchar == typed->buffer;
    el_reset(line->editor);
    return AM_LINE_INTERRUPTED;
  }
  if (!got || n <= 0) return AM_LINE_END;
  *text = strndup(got, (size_t)n - (got[n - 1] == '\n'));
  return *text ? AM_LINE_TEXT : AM_LINE_FAILED;
}

void am_line_remember(am_line *line, const char *text) {
  am_output_file file = {0};
  adam_error ignored;
  history(line->history, &line->event, H_ENTER, text);
  /* The history is a courtesy: where it cannot be kept the chat goes on. */
  if (!line->history_path || am_output_file_open(line->history_path, 0600, &file, &ignored) != ADAM_OK)
    return;
  if (history(line->history, &line->event, H_SAVE_FP, file.stream) < 0)
    am_output_file_discard(&file);
  else
    (void)am_output_file_commit(&file, &ignored);
}
