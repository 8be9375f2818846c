/* SPDX-License-Identifier: Apache-2.0 */
/* backend/ollama/host: OLLAMA_HOST in every spelling that Ollama takes ([scheme://]host[:port][/path], quotes and
 * blanks around it, IPv6 with and without brackets) -> where a client goes. Any thread. */
#ifndef AM_BACKEND_OLLAMA_HOST_H
#define AM_BACKEND_OLLAMA_HOST_H

#include <adam/status.h>
#include <stdbool.h>

typedef struct am_ollama_host {
  char *url;       /* "http://127.0.0.1:11434" or with a path; no slash at its end; owned */
  char *authority; /* "127.0.0.1:11434"; owned */
  bool is_local;   /* a server of this machine */
} am_ollama_host;

/* text: NULL or empty = the default. A port that is none becomes the scheme's own, as Ollama does. Addresses that
 * mean "every interface" become loopback. */
adam_status am_ollama_host_parse(const char *text, am_ollama_host *out, adam_error *error);
void am_ollama_host_close(am_ollama_host *host);

#endif
