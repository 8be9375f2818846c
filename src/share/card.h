/* SPDX-License-Identifier: Apache-2.0 */
/* share/card: what goes with a GGUF into Ollama's store: config, parameters, licence, template. Texts are owned by
 * the card. */
#ifndef AM_SHARE_CARD_H
#define AM_SHARE_CARD_H

#include "base/buf.h"
#include "loader/loader.h"
#include "share/share.h"

typedef struct am_share_card {
  char *family;        /* general.architecture */
  char size_text[24];  /* "8.2B", as Ollama writes numbers of parameters */
  char file_type[16];  /* "Q4_K_M" */
  bool is_embedding;   /* it makes vectors: no template is missed */
  bool has_chat;       /* the model has a chat template of its own */
  am_buf params;       /* JSON object: stop strings, sampling values */
  am_buf license;      /* "" = none is known */
  am_buf template_text; /* Go template; "" = raw completion */
  am_buf system;       /* what the model's template says where no system message is given; "" = nothing */
  const char *template_name; /* row of the table; NULL = none */
  char difference[320];      /* how the nearest row differs; "" = nothing to tell */
} am_share_card;

/* Reads what the request's model (which has generation_config and LICENSE) and the GGUF say. gguf NULL: it is not made
 * yet; what only it can say stays empty. Always close. */
adam_status am_share_card_open(const char *gguf, const am_share_request *request, am_share_card *out,
                               adam_error *error);
void am_share_card_close(am_share_card *card);
/* The config blob as Ollama writes it; digests: of the layers, in order, 64 digits each. */
bool am_share_card_config(const am_share_card *card, const char (*digests)[65], size_t n, am_buf *out);

#endif
