/* SPDX-License-Identifier: Apache-2.0 */
/* One answer: the request from the options, the stream to the terminal, the figures after it. Shared
 * by `adam run` and the chat. */
#ifndef AM_CLI_GENERATE_H
#define AM_CLI_GENERATE_H

#include <jansson.h>

#include "options.h"

/* Sampling, stop strings, system, raw, think, ignore_eos as typed. Pointers are borrowed from the
 * arguments. */
void am_generate_request(const am_arguments *arguments, adam_request *request);

typedef enum am_show { AM_SHOW_NOTHING, AM_SHOW_ANSWER, AM_SHOW_ALL } am_show;

/* Generates with Ctrl-C as cancel; prints pieces as they come: the answer, and with AM_SHOW_ALL the thinking
 * part on standard error. *cancelled: Ctrl-C ended the answer, which
 * then counts as a success. *result as adam_manager_generate leaves it. */
adam_status am_generate_stream(adam_manager *manager, const adam_request *request, am_show show,
                               adam_result *result, bool *cancelled, adam_error *error);
/* A notice of the answer that opening the model had given already. */
bool am_generate_is_opening_notice(const adam_manager *manager, const adam_notice *notice);
/* The object of --json; notices of opening included. error = NULL: it went well. Owned. */
json_t *am_generate_json(const adam_manager *manager, const adam_result *result, const adam_error *error);
/* The tool calls, one a line, as JSON on standard output. */
void am_generate_print_calls(const adam_result *result);
/* The lines of --stats on standard error. */
void am_generate_stats(const adam_result *result);

#endif
