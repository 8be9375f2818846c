/* SPDX-License-Identifier: Apache-2.0 */
/* The line editor of the chat: libedit with a history that is kept between chats, private to the
 * user. One thread. */
#ifndef AM_CLI_LINE_H
#define AM_CLI_LINE_H

#include <adam/adam.h>

typedef struct am_line am_line;
typedef enum am_line_kind { AM_LINE_TEXT, AM_LINE_END, AM_LINE_INTERRUPTED, AM_LINE_FAILED } am_line_kind;

/* On standard input, which is a terminal; shows itself on standard output where that is a terminal,
 * else on standard error. */
adam_status am_line_open(am_line **out, adam_error *error);
void am_line_close(am_line **line);
/* Reads a line without its end: owned, free. AM_LINE_END: Ctrl-D. AM_LINE_INTERRUPTED: Ctrl-C;
 * *was_empty says whether nothing had been typed. */
am_line_kind am_line_read(am_line *line, const char *prompt, char **text, bool *was_empty);
/* Adds a line to the history and saves it. */
void am_line_remember(am_line *line, const char *text);

#endif
