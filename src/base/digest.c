/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"

#include <openssl/evp.h>

#include "base/mem.h"

struct am_sha256 {
  EVP_MD_CTX *context;
};

am_sha256 *am_sha256_open(void) {
  am_sha256 *digest = am_mem_zalloc(1, sizeof *digest);
  if (!digest) return NULL;
  digest->context = EVP_MD_CTX_new();
  if (!digest->context || EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL) != 1) am_sha256_close(&digest);
  return digest;
}

bool am_sha256_update(am_sha256 *digest, const void *bytes, size_t n_bytes) {
  return EVP_DigestUpdate(digest->context, bytes, n_bytes) == 1;
}

bool am_sha256_final(am_sha256 *digest, uint8_t out[32]) {
  return EVP_DigestFinal_ex(digest->context, out, NULL) == 1;
}

void am_sha256_close(am_sha256 **digest) {
  if (!digest || !*digest) return;
  EVP_MD_CTX_free((*digest)->context);
  am_mem_free(*digest);
  *digest = NULL;
}

struct am_sha1 {
  EVP_MD_CTX *context;
};

am_sha1 *am_sha1_open(void) {
  am_sha1 *digest = am_mem_zalloc(1, sizeof *digest);
  if (!digest) return NULL;
  digest->context = EVP_MD_CTX_new();
  if (!digest->context || EVP_DigestInit_ex(digest->context, EVP_sha1(), NULL) != 1) am_sha1_close(&digest);
  return digest;
}

bool am_sha1_update(am_sha1 *digest, const void *bytes, size_t n_bytes) {
  return EVP_DigestUpdate(digest->context, bytes, n_bytes) == 1;
}

bool am_sha1_final(am_sha1 *digest, uint8_t out[20]) { return EVP_DigestFinal_ex(digest->context, out, NULL) == 1; }

void am_sha1_close(am_sha1 **digest) {
  if (!digest || !*digest) return;
  EVP_MD_CTX_free((*digest)->context);
  am_mem_free(*digest);
  *digest = NULL;
}

void am_hex(const uint8_t *bytes, size_t n_bytes, char *out) {
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < n_bytes; i++) {
    out[2 * i] = digits[bytes[i] >> 4];
    out[2 * i + 1] = digits[bytes[i] & 15];
  }
  out[2 * n_bytes] = 0;
}

bool am_sha256_hex(const void *bytes, size_t n_bytes, char out[65]) {
  uint8_t raw[32];
  if (EVP_Digest(bytes, n_bytes, raw, NULL, EVP_sha256(), NULL) != 1) return false;
  am_hex(raw, sizeof raw, out);
  return true;
}
