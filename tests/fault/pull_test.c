/* SPDX-License-Identifier: Apache-2.0 */
/* A pull whose n-th allocation fails, for n = 1, 2, 3 ... until none does any more: no crash, no leak (the sanitizer
 * looks), an error in words, and the next pull goes on and ends well. The Hub is a thread of this program. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <adam/adam.h>

#include "base/digest.h"
#include "base/mem.h"
#include "os/file.h"

#define COMMIT "0123456789abcdef0123456789abcdef01234567"

enum { WEIGHTS_BYTES = 300000 };

static char folder[] = "pull_fault_XXXXXX", cache[64];
static char weights[WEIGHTS_BYTES], listing[1024];
static const char config[] = "{\"model_type\":\"llama\"}";
static int listener;
static pthread_t server;

/* git's name of a blob */
static void git_name(const char *text, char out[41]) {
  char head[32];
  uint8_t raw[20];
  am_sha1 *digest = am_sha1_open();
  int n = snprintf(head, sizeof head, "blob %zu", strlen(text));
  assert_true(am_sha1_update(digest, head, (size_t)n + 1) && am_sha1_update(digest, text, strlen(text)) &&
              am_sha1_final(digest, raw));
  am_hex(raw, sizeof raw, out);
  am_sha1_close(&digest);
}

static void send_all(int fd, const char *bytes, size_t n) {
  while (n > 0) {
    ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes += sent;
    n -= (size_t)sent;
  }
}

static void answer(int fd) {
  char request[4096], head[256];
  size_t n = 0;
  ssize_t got;
  while (n < sizeof request - 1 && (got = recv(fd, request + n, sizeof request - 1 - n, 0)) > 0) {
    n += (size_t)got;
    request[n] = 0;
    if (strstr(request, "\r\n\r\n")) break;
  }
  request[n] = 0;
  const char *body = "";
  size_t n_body = 0;
  if (strstr(request, "/revision/")) body = "{\"sha\":\"" COMMIT "\"}", n_body = strlen(body);
  if (strstr(request, "/tree/")) body = listing, n_body = strlen(body);
  if (strstr(request, "/config.json ")) body = config, n_body = strlen(body);
  if (strstr(request, "/model.safetensors ")) body = weights, n_body = WEIGHTS_BYTES;
  int n_head = snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                        n_body ? "200 OK" : "404 Not Found", n_body);
  send_all(fd, head, (size_t)n_head);
  send_all(fd, body, n_body);
  shutdown(fd, SHUT_WR);
  close(fd);
}

static void *serve(void *unused) {
  (void)unused;
  for (int fd; (fd = accept(listener, NULL, NULL)) >= 0;) answer(fd);
  return NULL;
}

static int begin(void **state) {
  (void)state;
  char git[41], sha[65], endpoint[64];
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t n = sizeof address;
  for (size_t i = 0; i < sizeof weights; i++) weights[i] = (char)(i * 7);
  git_name(config, git);
  am_sha256_hex(weights, sizeof weights, sha);
  snprintf(listing, sizeof listing,
           "[{\"type\":\"file\",\"path\":\"config.json\",\"size\":%zu,\"oid\":\"%s\"},{\"type\":\"file\",\"path\":"
           "\"model.safetensors\",\"size\":%d,\"oid\":\"%s\",\"lfs\":{\"size\":%d,\"oid\":\"%s\"}}]",
           strlen(config), git, WEIGHTS_BYTES, git, WEIGHTS_BYTES, sha);
  listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, n) || listen(listener, 64) ||
      getsockname(listener, (struct sockaddr *)&address, &n) || !mkdtemp(folder))
    return -1;
  snprintf(cache, sizeof cache, "%s/hub", folder);
  snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%d", ntohs(address.sin_port));
  setenv("HF_ENDPOINT", endpoint, 1);
  setenv("HF_TOKEN", "hf_x", 1);
  setenv("ADAM_RETRY_MS", "1", 1);
  unsetenv("HF_HUB_OFFLINE");
  return pthread_create(&server, NULL, serve, NULL);
}

static int empty_cache(void) {
  char line[128];
  snprintf(line, sizeof line, "rm -rf '%s'", cache);
  return system(line);
}

static int end(void **state) {
  (void)state;
  shutdown(listener, SHUT_RDWR);
  close(listener);
  pthread_join(server, NULL);
  return empty_cache() || rmdir(folder);
}

static adam_status pull(adam_pull_result *result, adam_error *error) {
  const adam_pull_options options = {.struct_size = sizeof options, .model = "org/model", .cache_dir = cache,
                                     .n_connections = 2};
  return adam_pull(&options, result, error);
}

static void check(const adam_pull_result *result) {
  am_buf text = {0};
  char *path = am_path_join(result->path, "model.safetensors");
  assert_int_equal(am_file_read(path, WEIGHTS_BYTES, &text, NULL), ADAM_OK);
  assert_int_equal(text.len, WEIGHTS_BYTES);
  assert_memory_equal(text.data, weights, WEIGHTS_BYTES);
  am_buf_close(&text);
  am_mem_free(path);
}

static void each_allocation_fails(void **state) {
  (void)state;
  int n_failed = 0;
  for (uint64_t n = 1;; n++) {
    adam_pull_result result = {0};
    adam_error error = {0};
    if (empty_cache()) fail();
    am_mem_fault_set(n);
    adam_status status = pull(&result, &error);
    bool fired = am_mem_fault_fired();
    am_mem_fault_set(0);
    if (status) {
      assert_true(fired && error.why[0]);
      assert_null(result.path);
      n_failed++;
      assert_int_equal(pull(&result, &error), ADAM_OK); /* nothing is in the way */
    }
    check(&result);
    adam_pull_result_close(&result);
    if (!fired) break;
    assert_true(n < 5000);
  }
  assert_true(n_failed > 20);
}

/* What the callback is told, and what its answer does. */
typedef struct seen {
  int n_calls, cancel_at;
  uint64_t done_bytes, bytes;
} seen;

static bool on_progress(void *user, const adam_pull_progress *progress) {
  seen *s = user;
  assert_string_equal(progress->model, "org/model");
  assert_true(progress->done_bytes >= s->done_bytes && progress->done_bytes <= progress->bytes);
  s->done_bytes = progress->done_bytes;
  s->bytes = progress->bytes;
  return ++s->n_calls == s->cancel_at;
}

static void progress_and_cancelling(void **state) {
  (void)state;
  seen s = {0};
  adam_pull_result result = {0};
  adam_error error = {0};
  adam_pull_options options = {.struct_size = sizeof options, .model = "org/model", .cache_dir = cache,
                               .on_progress = on_progress, .user = &s};
  if (empty_cache()) fail();
  assert_int_equal(adam_pull(&options, &result, &error), ADAM_OK);
  assert_true(s.n_calls >= 2 && s.bytes == WEIGHTS_BYTES + strlen(config) && s.done_bytes == s.bytes);
  assert_true(result.n_files == 2 && result.bytes == s.bytes && result.received_bytes == s.bytes);
  assert_string_equal(result.commit, COMMIT);
  assert_string_equal(result.model, "org/model");
  assert_null(result.notice);
  check(&result);
  adam_pull_result_close(&result);
  adam_pull_result_close(NULL);
  if (empty_cache()) fail();
  s = (seen){.cancel_at = 1};
  assert_int_equal(adam_pull(&options, &result, &error), ADAM_CANCELLED);
  assert_null(result.path);
  options.struct_size = 0;
  assert_int_equal(adam_pull(&options, &result, &error), ADAM_INVALID);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(each_allocation_fails),
                                     cmocka_unit_test(progress_and_cancelling)};
  return cmocka_run_group_tests(tests, begin, end);
}
