/* SPDX-License-Identifier: Apache-2.0 */
/* hub/headers: header values of the Hub's answers, from hostile text. Any thread. */
#ifndef AM_HUB_HEADERS_H
#define AM_HUB_HEADERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The target of rel="next" in a Link header (RFC 8288), owned; NULL = none, or memory is out. */
char *am_hub_link_next(const char *link);
/* Seconds to wait by `ratelimit: "api";r=0;t=55` (plus one) or `Retry-After: 55`; either may be NULL;
 * fallback where neither says. At most 3600. */
double am_hub_wait_seconds(const char *ratelimit, const char *retry_after, double fallback);
/* An ETag without W/ and quotes, in lower case: 40 hex digits (git blob) or 64 (SHA-256); false: another kind. */
bool am_hub_etag(const char *header, char out[65]);
/* `bytes FIRST-LAST/TOTAL`; total UINT64_MAX for '*'. */
bool am_hub_content_range(const char *header, uint64_t *first, uint64_t *last, uint64_t *total);
/* Decimal digits alone, no overflow. */
bool am_hub_number(const char *text, size_t n_bytes, uint64_t *out);

#endif
