/* SPDX-License-Identifier: Apache-2.0 */
/* manager/settle: what the options of a manager leave open, from the settings, the domain and the preset. */
#ifndef AM_MANAGER_SETTLE_H
#define AM_MANAGER_SETTLE_H

#include "presets/presets.h"
#include "settings/settings.h"
#include <adam/manager.h>

struct adam_settings {
  am_settings *layers;     /* owned */
  const am_domain *domain; /* NULL = none; rows are constant */
  am_layer domain_layer;   /* who named it */
  bool domain_is_option;   /* the caller named it: stronger than every layer */
  const am_preset *preset; /* the model's; NULL = it is none */
  char *named;             /* owned: the model or preset that the caller named; NULL = none */
  bool named_is_size;
  adam_sampling model;    /* values of the model's own files */
  const char *system;     /* borrowed from layers or domain; NULL = none */
  adam_sampling sampling; /* what a request leaves open; weaker than it, stronger than the model's */
  adam_think think;
  char *cache_dir;               /* owned; NULL = not from the settings */
  char *texts[AM_SETTING_COUNT]; /* owned; what adam_setting_at shows where no layer has the text; NULL = does
                                    not */
};

/* What a manager opens: exactly one of the two, or nothing. */
typedef struct am_settled_model {
  const char *ref;         /* REF or preset; NULL = none */
  bool is_size;            /* ref must be a preset's name */
  const am_domain *domain; /* its first model that is here */
} am_settled_model;

/* Reads the settings and fills what *options leaves open; its new strings live as long as *out. */
adam_status am_settle_open(adam_manager_options *options, adam_settings **out, am_settled_model *model,
                           adam_error *error);
/* The preset (NULL = none) and the model's own values (NULL = unknown), when they are known. */
adam_status am_settle_model(adam_settings *settings, const am_preset *preset, const adam_sampling *model,
                            adam_error *error);
/* Fills what a request leaves open. settings may be NULL. */
void am_settle_request(const adam_settings *settings, adam_request *request);

#endif
