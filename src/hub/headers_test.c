/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/headers.h"

#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void next_is(const char *link, const char *expected) {
  char *target = am_hub_link_next(link);
  if (!expected) {
    assert_null(target);
  } else {
    assert_non_null(target);
    assert_string_equal(target, expected);
  }
  am_mem_free(target);
}

/* RFC 8288, 3: several links, parameters in any order, quoted or not. */
static void links(void **state) {
  (void)state;
  next_is("<https://hub/x?cursor=2>; rel=\"next\"", "https://hub/x?cursor=2");
  next_is("<a>; rel=prev, <b>; title=\"x, y\"; rel=next", "b");
  next_is("<a>; rel=\"last next\"", "a");
  next_is("<a>;REL=Next", "a");
  next_is("<a,b>; rel=next", "a,b");
  next_is("<a>; rel=\"xet-auth\"", NULL);
  next_is("<a>; rel=\"nextone\"", NULL);
  next_is("<a>; title=next", NULL);
  next_is("<a; rel=next", NULL);
  next_is("<a>", NULL);
  next_is("<a>; rel", NULL);
  next_is("<a>; rel=\"next", "a");
  next_is("<<>; rel=next", "<");
  next_is("", NULL);
  next_is(NULL, NULL);
}

static void waits(void **state) {
  (void)state;
  assert_true(am_hub_wait_seconds("\"api\";r=0;t=55", NULL, 1) == 56);
  assert_true(am_hub_wait_seconds("\"api\";r=0;t=55", "7", 1) == 56);
  assert_true(am_hub_wait_seconds(NULL, "7", 1) == 7);
  assert_true(am_hub_wait_seconds("\"api\";r=0", "x", 1) == 1);
  assert_true(am_hub_wait_seconds(NULL, "Wed, 21 Oct 2026 07:28:00 GMT", 2) == 2);
  assert_true(am_hub_wait_seconds(NULL, "99999999999999999999999", 2) == 2);
  assert_true(am_hub_wait_seconds(NULL, "999999999", 2) == 3600);
  assert_true(am_hub_wait_seconds(";t=4000", NULL, 2) == 3600);
}

static void etags(void **state) {
  (void)state;
  char out[65];
  static const char git[] = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";
  assert_true(am_hub_etag("\"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\"", out));
  assert_string_equal(out, git);
  assert_true(am_hub_etag("W/\"E69DE29BB2D1D6434B8B29AE775AD8C2E48C5391\"", out));
  assert_string_equal(out, git);
  assert_true(am_hub_etag("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", out));
  assert_false(am_hub_etag("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85", out));
  assert_false(am_hub_etag("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8550", out));
  assert_false(am_hub_etag("\"d41d8cd98f00b204e9800998ecf8427e-2\"", out)); /* S3's for an upload in parts */
  assert_false(am_hub_etag("../../e69de29bb2d1d6434b8b29ae775ad8c2e48c53", out));
  assert_false(am_hub_etag("", out));
  assert_false(am_hub_etag(NULL, out));
}

static void ranges(void **state) {
  (void)state;
  uint64_t first, last, total;
  assert_true(am_hub_content_range("bytes 0-99/100", &first, &last, &total));
  assert_true(first == 0 && last == 99 && total == 100);
  assert_true(am_hub_content_range("Bytes 5-9/*", &first, &last, &total));
  assert_true(first == 5 && last == 9 && total == UINT64_MAX);
  static const char *const wrong[] = {"bytes 5-4/100",  "bytes 0-100/100", "bytes */100",
                                      "bytes 0-9",      "bytes -9/100",    "items 0-9/100",
                                      "bytes 0-9/100x", "bytes 0-9/",      "bytes 99999999999999999999-1/2", ""};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    assert_false(am_hub_content_range(wrong[i], &first, &last, &total));
  assert_false(am_hub_content_range(NULL, &first, &last, &total));
  uint64_t n;
  assert_true(am_hub_number("18446744073709551615", 20, &n) && n == UINT64_MAX);
  assert_false(am_hub_number("18446744073709551616", 20, &n));
  assert_false(am_hub_number("+1", 2, &n));
  assert_false(am_hub_number("", 0, &n));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(links), cmocka_unit_test(waits), cmocka_unit_test(etags),
                                     cmocka_unit_test(ranges)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
