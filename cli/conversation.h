/* SPDX-License-Identifier: Apache-2.0 */
/* The chat in the terminal: a conversation kept as messages, and its slash commands. */
#ifndef AM_CLI_CONVERSATION_H
#define AM_CLI_CONVERSATION_H

#include <jansson.h>

#include "options.h"

enum { AM_CONVERSATION_STOPS = 16 };

typedef struct am_conversation {
  adam_manager *manager;             /* borrowed */
  adam_request request;              /* what every answer is asked with; pointers into this struct or argv */
  char *system;                      /* owned; NULL = none */
  json_t *messages;                  /* owned: turns of user and assistant, without the system text */
  char *stop[AM_CONVERSATION_STOPS]; /* owned; request.stop points here */
  adam_result last;                  /* of the last answer; zeroed before the first */
  bool verbose;                      /* figures after every answer */
  bool hides_thinking;
} am_conversation;

/* Chats until the user leaves; returns the exit code. tools_json: borrowed; NULL = none. */
int am_conversation_run(const am_arguments *arguments, adam_manager *manager, const char *tools_json);
/* Carries out a slash command; returns true when it says to leave. */
bool am_conversation_command(am_conversation *conversation, const char *line);
/* All turns, the system text first. Owned. */
json_t *am_conversation_messages(const am_conversation *conversation);
/* Replaces system text (NULL = none). */
bool am_conversation_set_system(am_conversation *conversation, const char *text);

#endif
