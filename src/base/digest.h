/* SPDX-License-Identifier: Apache-2.0 */
/* base/digest: SHA-256, and SHA-1 for the names that git gives (OpenSSL's libcrypto). One thread at a time. */
#ifndef AM_BASE_DIGEST_H
#define AM_BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct am_sha256 am_sha256;
am_sha256 *am_sha256_open(void); /* owned; NULL: memory is out */
bool am_sha256_update(am_sha256 *digest, const void *bytes, size_t n_bytes);
bool am_sha256_final(am_sha256 *digest, uint8_t out[32]); /* then only close */
void am_sha256_close(am_sha256 **digest);
/* Whole digest of bytes as 64 lower-case hex digits and a NUL. */
bool am_sha256_hex(const void *bytes, size_t n_bytes, char out[65]);

/* SHA-1: tells a damaged file, not a forged one. */
typedef struct am_sha1 am_sha1;
am_sha1 *am_sha1_open(void); /* owned; NULL: memory is out */
bool am_sha1_update(am_sha1 *digest, const void *bytes, size_t n_bytes);
bool am_sha1_final(am_sha1 *digest, uint8_t out[20]); /* then only close */
void am_sha1_close(am_sha1 **digest);
/* n_bytes as 2 * n_bytes lower-case hex digits and a NUL. */
void am_hex(const uint8_t *bytes, size_t n_bytes, char *out);

#endif
