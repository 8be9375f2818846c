# SPDX-License-Identifier: Apache-2.0
"""fake_openai.py against the official client, which validates every answer: what it accepts and how it takes each
failure is what adam's backend is tested against.

    fake_openai_references_test.py [BUILD]      (needs openai; SKIP without)
"""
import json
import os
import sys
import unittest

REQUIRED = os.environ.get("ADAM_REQUIRE_REFERENCES") == "1"
try:
    import openai
except ImportError as error:
    print(f"{'no' if REQUIRED else 'SKIP: no'} reference: {error}")
    sys.exit(1 if REQUIRED else 77)

from fake_process import Fake

for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID"):
    os.environ.pop(name, None)
HI = [{"role": "user", "content": "hi"}]
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {
    "city": {"type": "string"}}}}}]


class Official(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fake = Fake("openai", key="sk-right", owner="openai")
        cls.client = cls.make("sk-right")

    @classmethod
    def tearDownClass(cls):
        cls.fake.stop()

    @classmethod
    def make(cls, key, strict=True):
        return openai.OpenAI(base_url=cls.fake.url + "/v1", api_key=key, max_retries=0, timeout=5,
                             _strict_response_validation=strict)

    def ask(self, model="fake", **more):
        return self.client.chat.completions.create(model=model, messages=HI, **{"max_tokens": 9, **more})

    def test_whole(self):
        got = self.ask(temperature=0)
        self.assertEqual((got.choices[0].finish_reason, got.usage.completion_tokens), ("length", 9))
        self.assertEqual(got.usage.total_tokens, got.usage.prompt_tokens + 9)
        self.assertTrue(got.choices[0].message.content)

    def test_stream_says_the_same(self):
        whole = self.ask(temperature=0).choices[0].message.content
        chunks = list(self.ask(temperature=0, stream=True, stream_options={"include_usage": True}))
        self.assertEqual("".join(c.choices[0].delta.content or "" for c in chunks if c.choices), whole)
        self.assertEqual([c.choices[0].finish_reason for c in chunks if c.choices][-1], "length")
        self.assertEqual((chunks[-1].choices, chunks[-1].usage.completion_tokens), ([], 9))
        self.assertGreater(len(chunks), 5)

    def test_client_reads_streams(self):
        with self.client.chat.completions.stream(model="parallel", messages=HI, tools=TOOLS) as stream:
            stream.until_done()
            message = stream.get_final_completion().choices[0].message
        self.assertEqual([(c.id, c.function.name, json.loads(c.function.arguments)) for c in message.tool_calls],
                         [("call_a1", "weather", {"city": "Paris", "n": 2}), ("call_b2", "weather", {"city": "Köln"})])

    def test_stop_and_logprobs(self):
        whole = self.ask(temperature=0, max_tokens=30).choices[0].message.content
        got = self.ask(temperature=0, max_tokens=30, stop=[whole[10:13]]).choices[0]
        self.assertEqual((got.finish_reason, got.message.content), ("stop", whole[:whole.index(whole[10:13])]))
        got = self.ask(temperature=0, logprobs=True, top_logprobs=2).choices[0].logprobs.content
        self.assertEqual(("".join(t.token for t in got[0].top_logprobs), len(got)), ("xy", 9))
        chunks = list(self.ask(temperature=0, logprobs=True, top_logprobs=2, stream=True))
        self.assertEqual(sum(len(c.choices[0].logprobs.content) for c in chunks if c.choices[0].logprobs), 9)

    def test_completions(self):
        whole = self.client.completions.create(model="fake", prompt="Hi", max_tokens=9, temperature=0)
        client = self.make("sk-right", False)  # its type has no place for the null that OpenAI sends before the end
        chunks = list(client.completions.create(model="fake", prompt="Hi", max_tokens=9, temperature=0, stream=True))
        self.assertEqual("".join(c.choices[0].text for c in chunks), whole.choices[0].text)

    def test_embeddings(self):
        client = self.make("sk-right", False)  # its type is a list of numbers, whatever was asked for
        for form in ("base64", "float", openai.NOT_GIVEN):
            got = client.embeddings.create(model="embedder", input=["a", "b"], encoding_format=form)
            self.assertEqual([d.index for d in got.data], [0, 1])
            if form != "base64":
                self.assertEqual(len(got.data[0].embedding), 8)
                self.assertAlmostEqual(sum(x * x for x in got.data[0].embedding), 1, 5)
        self.assertEqual(len(client.embeddings.create(model="embedder", input="a", dimensions=3).data[0].embedding), 3)

    def test_models(self):
        self.assertIn("fake", [m.id for m in self.client.models.list()])
        self.assertEqual(self.client.models.retrieve("fake").owned_by, "openai")
        with self.assertRaises(openai.NotFoundError):
            self.client.models.retrieve("none")

    def test_failures_are_what_the_client_takes_them_for(self):
        for model, kind in (("limited", openai.RateLimitError), ("quota", openai.RateLimitError),
                            ("forbidden", openai.PermissionDeniedError), ("broken", openai.InternalServerError),
                            ("loading", openai.InternalServerError), ("long", openai.BadRequestError),
                            ("nobody", openai.NotFoundError), ("page", openai.InternalServerError),
                            ("cut-at-once", openai.APIConnectionError)):
            with self.subTest(model), self.assertRaises(kind):
                self.ask(model)
        with self.assertRaises(openai.AuthenticationError) as raised:
            self.make("sk-wrong").models.list()
        self.assertEqual(raised.exception.code, "invalid_api_key")
        with self.assertRaises(openai.BadRequestError) as raised:
            self.ask("old-tokens")
        self.assertEqual((raised.exception.param, raised.exception.code), ("max_tokens", "unsupported_parameter"))
        with self.assertRaises(openai.BadRequestError):
            self.ask(extra_body={"top_k": 3})
        try:
            self.ask("limited")
        except openai.RateLimitError as error:
            self.assertEqual(error.response.headers["retry-after"], "7")

    def test_streams_that_go_wrong(self):
        for model in ("cut", "error-event", "echo-key", "malformed", "silent"):
            with self.subTest(model), self.assertRaises(Exception):
                list(self.ask(model, max_tokens=30, stream=True))
        for model in ("eof", "no-reason", "half-event"):  # the client takes no notice: nobody said why it ended
            got = list(self.ask(model, max_tokens=30, stream=True))
            self.assertIsNone(got[-1].choices[0].finish_reason)

    def test_thinking(self):
        message = self.ask("thinker", max_tokens=30).choices[0].message
        self.assertEqual((message.content, message.reasoning_content), ("The answer is 4.", "Two and two."))


if __name__ == "__main__":
    sys.argv[1:] = []
    print("openai", openai.__version__)
    unittest.main()
