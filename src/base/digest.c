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

bool am_sha256_hex(const void *bytes, size_t n_bytes, char out[65]) {
  static const char digits[] = "0123456789abcdef";
  uint8_t raw[32];
  if (EVP_Digest(bytes, n_bytes, raw, NULL, EVP_sha256(), NULL) != 1) return false;
  for (int i = 0; i < 32; i++) {
    out[2 * i] = digits[raw[i] >> 4];
    out[2 * i + 1] = digits[raw[i] & 15];
  }
  out[64] = 0;
  return true;
}
