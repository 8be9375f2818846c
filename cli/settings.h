/* SPDX-License-Identifier: Apache-2.0 */
/* The settings as the commands use them. */
#ifndef AM_CLI_SETTINGS_H
#define AM_CLI_SETTINGS_H

#include "options.h"

/* The settings with --profile, --domain and the named model laid over. */
adam_status am_settings_get(const am_arguments *arguments, adam_settings **out, adam_error *error);
/* What commands that open no manager leave open; *kept holds the texts and is closed by the caller. */
adam_status am_settings_apply(am_arguments *arguments, adam_settings **kept, adam_error *error);
/* false: no such key. */
bool am_settings_find(const adam_settings *settings, const char *key, adam_setting *out);
/* The value of a key; NULL: nobody says. settings may be NULL. */
const char *am_settings_value(const adam_settings *settings, const char *key);

#endif
