/* SPDX-License-Identifier: Apache-2.0 */
/* backends: the operations tables that are built in; the registry lists them, nobody else does.
 * Each function returns a constant table that lives as long as the process. Any thread. A new backend
 * is a sub-folder here, a line below and a line in the registry. */
#ifndef AM_BACKEND_BACKENDS_H
#define AM_BACKEND_BACKENDS_H

#include <adam/backend.h>

const adam_backend_ops *am_backend_anthropic(void);   /* Anthropic's Messages API */
const adam_backend_ops *am_backend_huggingface(void); /* our own engine over model files */
const adam_backend_ops *am_backend_mock(void);        /* scripted answers, for tests */
const adam_backend_ops *am_backend_ollama(void);      /* an Ollama server */
const adam_backend_ops *am_backend_openai(void);      /* OpenAI's API, as many servers speak it */

#endif
