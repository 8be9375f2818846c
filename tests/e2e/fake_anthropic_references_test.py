# SPDX-License-Identifier: Apache-2.0
"""fake_anthropic.py against the official client, which validates every answer.

    fake_anthropic_references_test.py [BUILD]      (needs anthropic; SKIP without)
"""
import os
import sys
import unittest

REQUIRED = os.environ.get("ADAM_REQUIRE_REFERENCES") == "1"
try:
    import anthropic
except ImportError as error:
    print(f"{'no' if REQUIRED else 'SKIP: no'} reference: {error}")
    sys.exit(1 if REQUIRED else 77)

from fake_process import Fake

for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN"):
    os.environ.pop(name, None)
HI = [{"role": "user", "content": "hi"}]
TOOLS = [{"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}]


class Official(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fake = Fake("anthropic", key="sk-ant-right")
        cls.client = cls.make("sk-ant-right")

    @classmethod
    def tearDownClass(cls):
        cls.fake.stop()

    @classmethod
    def make(cls, key):
        return anthropic.Anthropic(base_url=cls.fake.url, api_key=key, max_retries=0, timeout=5,
                                   _strict_response_validation=True)

    def ask(self, model="fake", **more):
        return self.client.messages.create(model=model, **{"messages": HI, "max_tokens": 9, **more})

    def read(self, model="fake", **more):
        with self.client.messages.stream(model=model, **{"messages": HI, "max_tokens": 9, **more}) as stream:
            return stream.get_final_message()

    def test_whole_and_stream(self):
        whole, streamed = self.ask(), self.read()
        self.assertEqual(whole.content[0].text, streamed.content[0].text)
        self.assertEqual((whole.stop_reason, whole.usage.output_tokens), ("max_tokens", 9))
        self.assertEqual((streamed.stop_reason, streamed.usage.output_tokens), ("max_tokens", 9))
        kinds = [e.type for e in self.ask(stream=True)]
        self.assertEqual((kinds[0], kinds[-2:]), ("message_start", ["message_delta", "message_stop"]))

    def test_stop(self):
        whole = self.ask(max_tokens=30).content[0].text
        got = self.ask(max_tokens=30, stop_sequences=[whole[10:13]])
        self.assertEqual((got.stop_reason, got.stop_sequence), ("stop_sequence", whole[10:13]))

    def test_tools(self):
        for got in (self.ask("parallel", tools=TOOLS), self.read("parallel", tools=TOOLS)):
            self.assertEqual([(b.name, b.input) for b in got.content if b.type == "tool_use"],
                             [("weather", {"city": "Paris", "n": 2}), ("weather", {})])
            self.assertEqual(got.stop_reason, "tool_use")
        turn = [*HI, {"role": "assistant", "content": [b.model_dump(exclude_none=True, include={"type", "text", "id", "name", "input"}) for b in got.content]}]
        results = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": i, "content": "21"} for i in ("toolu_1", "toolu_2")]}
        self.assertEqual(self.ask("parallel", tools=TOOLS, messages=[*turn, results]).stop_reason, "end_turn")
        with self.assertRaises(anthropic.BadRequestError):
            self.ask("parallel", tools=TOOLS, messages=[*turn, {"role": "user", "content": "well?"}])

    def test_thinking(self):
        for got in (self.ask("thinker", max_tokens=2000, thinking={"type": "enabled", "budget_tokens": 1024}),
                    self.read("thinker", max_tokens=2000, thinking={"type": "enabled", "budget_tokens": 1024})):
            self.assertEqual([(b.type, getattr(b, "thinking", getattr(b, "text", ""))) for b in got.content],
                             [("thinking", "Two and two."), ("text", "The answer is 4.")])
        self.ask("adaptive", max_tokens=2000, thinking={"type": "adaptive"})
        with self.assertRaises(anthropic.BadRequestError):
            self.ask("adaptive", max_tokens=2000, thinking={"type": "enabled", "budget_tokens": 1024})

    def test_versions(self):
        """The client's own version, 2026-10-21, has no sampling; 2023-06-01 has."""
        with self.assertRaises(anthropic.BadRequestError) as raised:
            self.ask(extra_body={"temperature": 1})
        self.assertIn("temperature: Extra inputs are not permitted", str(raised.exception))
        got = self.ask(extra_body={"temperature": 0.5, "top_k": 3}, extra_headers={"anthropic-version": "2023-06-01"})
        self.assertEqual(got.usage.output_tokens, 9)

    def test_models(self):
        names = [m.id for m in self.client.models.list(limit=1000)]
        self.assertIn("cut-at-once", names)  # of the last page
        self.assertEqual(self.client.models.retrieve("fake").max_input_tokens, 200000)
        with self.assertRaises(anthropic.NotFoundError):
            self.client.models.retrieve("none")

    def test_failures_are_what_the_client_takes_them_for(self):
        for model, kind in (("limited", anthropic.RateLimitError), ("forbidden", anthropic.PermissionDeniedError),
                            ("broken", anthropic.InternalServerError), ("overloaded", anthropic.InternalServerError),
                            ("nobody", anthropic.NotFoundError), ("poor", anthropic.BadRequestError),
                            ("page", anthropic.InternalServerError), ("cut-at-once", anthropic.APIConnectionError)):
            with self.subTest(model), self.assertRaises(kind):
                self.ask(model)
        with self.assertRaises(anthropic.AuthenticationError):
            self.make("sk-wrong").models.list()
        with self.assertRaises(anthropic.BadRequestError):
            self.ask(stop_sequences=["\n"])

    def test_streams_that_go_wrong(self):
        for model in ("cut", "error-event", "overload-event", "malformed", "order", "silent", "eof"):
            with self.subTest(model), self.assertRaises(Exception):
                got = self.read(model, max_tokens=30)
                if got.stop_reason is None:  # the client takes no notice of an end without one
                    raise EOFError


if __name__ == "__main__":
    sys.argv[1:] = []
    print("anthropic", anthropic.__version__)
    unittest.main()
