/* SPDX-License-Identifier: Apache-2.0 */
/* share/converted: the GGUF of a model that is none, or of another type than it is, made once and kept in
 * $ADAM_CACHE_DIR/converted/DIGEST-TYPE.gguf; DIGEST is of the source's files. Both engines use that file. */
#ifndef AM_SHARE_CONVERTED_H
#define AM_SHARE_CONVERTED_H

#include "share/share.h"

typedef struct am_share_gguf {
  char *path;        /* the request's own where that is a GGUF of the type asked for, else of the converted file */
  bool is_there;     /* else it has to be made */
  uint64_t bytes;    /* of the file; exact also where it is not made yet */
  const char *type;  /* recipe of quant.h, static; NULL = as stored */
  char key[65];      /* of a converted file: what it is made of */
} am_share_gguf;

/* Where the GGUF is, or would be. Notices tell what a conversion cannot keep. Always close. */
adam_status am_share_gguf_find(const am_share_request *request, am_journal *journal, am_share_gguf *out,
                               adam_error *error);
/* Makes the file that is not there; *made: by this call, not by another process meanwhile. */
adam_status am_share_gguf_make(const am_share_request *request, am_journal *journal, am_share_gguf *gguf, bool *made,
                               adam_error *error);
void am_share_gguf_close(am_share_gguf *gguf);

#endif
