/* SPDX-License-Identifier: Apache-2.0 */
/* JSON replies for scripts, built with jansson. */
#ifndef AM_CLI_REPLY_H
#define AM_CLI_REPLY_H

#include <adam/adam.h>
#include <jansson.h>

/* Text that may hold NUL or broken UTF-8, which becomes U+FFFD. NULL gives null. */
json_t *am_reply_text(const char *text, size_t n_bytes);
json_t *am_reply_string(const char *text);
/* A number; null where it is not finite. */
json_t *am_reply_number(double value);
json_t *am_reply_ids(const int32_t *ids, size_t n_ids);
json_t *am_reply_notice(const adam_notice *notice);
/* temperature ... max_tokens: those whose bit is set. */
json_t *am_reply_sampling(const adam_sampling *sampling);
/* Prints the object and a line end on standard output; takes it. */
adam_status am_reply_print(json_t *object, adam_error *error);

#endif
