/* SPDX-License-Identifier: Apache-2.0 */
/* share/converted: the GGUF of a model that is none, or of another type than it is, made once and kept in
 * $ADAM_CACHE_DIR/converted/DIGEST-TYPE.gguf; DIGEST is of the source's files. Both engines use that file. */
#ifndef AM_SHARE_CONVERTED_H
#define AM_SHARE_CONVERTED_H

#include "share/share.h"

/* *gguf (owned): the request's own path where that is a GGUF of the type asked for, else the converted file, made now
 * if it is not there. In a dry run that would make it *gguf stays NULL and out has an estimate. out: bytes_added,
 * bytes_linked and converted are filled. */
adam_status am_share_converted(const am_share_request *request, am_journal *journal, char **gguf,
                               am_share_outcome *out, adam_error *error);

#endif
