/* SPDX-License-Identifier: Apache-2.0 */
/* backend/ollama/start: runs `ollama serve` in the background and waits until it answers. */
#ifndef AM_BACKEND_OLLAMA_START_H
#define AM_BACKEND_OLLAMA_START_H

#include "backend/ollama/client.h"

/* The program is that of ADAM_OLLAMA, else `ollama` in PATH; what it says goes to ollama-serve.log in adam's cache
 * folder. It outlives this process. ADAM_UNAVAILABLE: it is not installed, or does not come up. */
adam_status am_ollama_start(const am_ollama_client *client, adam_error *error);

#endif
