# SPDX-License-Identifier: Apache-2.0
"""adam with Anthropic's Messages API: what is sent, what comes back, where the key goes, and each way in which an
answer can go wrong, against fake_anthropic.py (fake_anthropic_references_test.py holds the fake against the official
client)."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from command import ADAM, HOME, adam, environment
from fake_process import Fake

for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"):
    os.environ.pop(name, None)
KEY = "sk-ant-test-7e57-0123456789abcdef"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
TOOLS = [{"type": "function", "function": {"name": "weather", "description": "Tells it.", "parameters": {"type": "object"}}}]


def file_of(content):
    path = HOME / f"file-{len(list(HOME.iterdir()))}"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    path.chmod(0o600)
    return str(path)


class Case(unittest.TestCase):
    fakes = {}

    @classmethod
    def fake(cls, **settings):
        key = tuple(sorted(settings.items()))
        if key not in cls.fakes:
            cls.fakes[key] = Fake("anthropic", **settings)
        return cls.fakes[key]

    def run_adam(self, *arguments, server=None, code=0, says="", env=None, **more):
        server = server or self.fake()
        done = adam(*arguments, env={"ANTHROPIC_BASE_URL": server.url, **(env or {})}, **more)
        shown = done.stdout.decode() + done.stderr.decode()
        self.assertEqual(done.returncode, code, f"{arguments}: {shown}")
        self.assertIn(says, done.stderr.decode())
        self.assertNotIn(KEY, shown)
        return done

    def ask(self, model, *arguments, **more):
        return json.loads(self.run_adam("run", "-m", f"anthropic:{model}", "--json", *arguments, **more).stdout)

    def sent(self, *arguments, model="echo", **more):
        """What the server got: the model echo answers with the request."""
        return json.loads(self.ask(model, *arguments, **more)["text"])

    def codes(self, got):
        return [n["code"] for n in got["notices"]]


def tearDownModule():
    for fake in Case.fakes.values():
        fake.stop()


class Requests(Case):
    def test_only_what_was_set_is_sent(self):
        body = self.sent("hello")
        self.assertEqual(body, {"model": "echo", "max_tokens": 4096, "stream": True,
                                "messages": [{"role": "user", "content": [{"type": "text", "text": "hello"}]}]})

    def test_parameters(self):
        got = self.ask("echo", "hi", "--temperature", "0.5", "--top-p", "0.8", "--top-k", "11", "--max-tokens", "500", "--stop", "END")
        body = json.loads(got["text"])
        self.assertEqual([body[k] for k in ("temperature", "top_p", "top_k", "max_tokens", "stop_sequences")], [0.5, 0.8, 11, 500, ["END"]])
        self.assertEqual((got["notices"], got["sampling"]["top_k"]), ([], 11))
        got = self.ask("echo", "hi", "--min-p", "0.05", "--repetition-penalty", "1.2", "--presence-penalty", "0.3",
                       "--frequency-penalty", "0.4", "--seed", "7", "--ignore-eos")
        self.assertEqual(self.codes(got), ["parameter_ignored"] * 6)
        self.assertNotIn("seed", got["sampling"])
        got = self.ask("echo", "hi", "--temperature", "1.5")
        self.assertEqual((json.loads(got["text"])["temperature"], self.codes(got)), (1.0, ["temperature_clipped"]))
        self.run_adam("run", "-m", "anthropic:fake", "--seed", "7", "--strict", "hi", code=1, says="seed")

    def test_what_a_server_refuses_is_left_out(self):
        got = self.ask("one-of-two", "hi", "--temperature", "0.5", "--top-p", "0.9", "--max-tokens", "5")
        self.assertEqual((self.codes(got), got["sampling"]["temperature"]), (["parameter_ignored"], 0.5))
        got = self.ask("fake", "hi", "--temperature", "0.5", "--top-p", "0.9", "--top-k", "3", "--max-tokens", "5",
                       server=self.fake(new=1))
        self.assertEqual((self.codes(got), got["completion_tokens"]), (["parameter_ignored"] * 3, 5))
        whole = self.ask("fake", "hi", "--max-tokens", "5")
        for model in ("no-stream", "plain-json"):
            got = self.ask(model, "hi", "--max-tokens", "5")
            self.assertEqual((got["text"], got["finish_reason"], got["notices"]), (whole["text"], "length", []))

    def test_conversation(self):
        messages = [{"role": "system", "content": "s"},
                    {"role": "user", "content": [{"type": "text", "text": "what is it?"},
                                                 {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,QUJD"}}]},
                    {"role": "user", "content": "and this?"},
                    {"role": "assistant", "content": "Let me see.", "tool_calls": [
                        {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"a\": [1, 2.5]}"}},
                        {"type": "function", "function": {"name": "g", "arguments": {}}}]},
                    {"role": "tool", "tool_call_id": "a", "content": "42"}, {"role": "tool", "tool_call_id": "call_2", "content": "43"},
                    {"role": "system", "content": "t"}, {"role": "user", "content": "well?"}]
        body = self.sent("--messages", "-", stdin=json.dumps(messages).encode())
        self.assertEqual(body["system"], "s\n\nt")
        self.assertEqual(body["messages"], [
            {"role": "user", "content": [{"type": "text", "text": "what is it?"},
                                         {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "QUJD"}},
                                         {"type": "text", "text": "and this?"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "Let me see."},
                                              {"type": "tool_use", "id": "a", "name": "f", "input": {"a": [1, 2.5]}},
                                              {"type": "tool_use", "id": "call_2", "name": "g", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "42"},
                                         {"type": "tool_result", "tool_use_id": "call_2", "content": "43"},
                                         {"type": "text", "text": "well?"}]}])
        self.assertEqual(self.sent("--system", "Be brief.", "hi")["system"], "Be brief.")
        for text, words in ((b"[{}]", "role"), (b"[]", "no text"), (b'[{"role": "bard", "content": "x"}]', "bard")):
            self.run_adam("run", "-m", "anthropic:echo", "--messages", "-", code=2, says=words, stdin=text)

    def test_tools(self):
        tools = file_of(TOOLS)
        for model, calls in (("tooler", [("toolu_1", {"city": "Paris", "n": 2})]),
                             ("parallel", [("toolu_1", {"city": "Paris", "n": 2}), ("toolu_2", {})])):
            got = self.ask(model, "--tools", tools, "hi")
            self.assertEqual((got["finish_reason"], got["text"]), ("tool_calls", "Let me see. "))
            self.assertEqual([(c["id"], json.loads(c["function"]["arguments"])) for c in got["tool_calls"]], calls)
        body = self.sent("--tools", tools, "hi")
        self.assertEqual(body["tools"], [{"name": "weather", "description": "Tells it.", "input_schema": {"type": "object"}}])
        for choice, value in (("none", {"type": "none"}), ("required", {"type": "any"}), ("weather", {"type": "tool", "name": "weather"})):
            self.assertEqual(self.sent("--tools", tools, "--tool-choice", choice, "hi")["tool_choice"], value)

    def test_thinking(self):
        for model in ("thinker", "adaptive"):
            got = self.ask(model, "--think", "--temperature", "0.5", "hi")
            self.assertEqual((got["thinking"], got["text"], self.codes(got)), ("Two and two.", "The answer is 4.", ["parameter_ignored"]))
        self.assertEqual(self.sent("--think", "--max-tokens", "5000", "hi")["thinking"], {"type": "enabled", "budget_tokens": 2500})
        self.assertNotIn("thinking", self.sent("--no-think", "hi"))
        self.run_adam("run", "-m", "anthropic:thinker", "--think", "--max-tokens", "1000", "hi", code=2, says="1024")
        turn = [{"role": "user", "content": "hi"},
                {"role": "assistant", "content": "", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}]},
                {"role": "tool", "tool_call_id": "a", "content": "42"}]
        got = self.ask("echo", "--think", "--messages", "-", stdin=json.dumps(turn).encode())
        self.assertEqual((self.codes(got), "thinking" in json.loads(got["text"])), (["no_thinking"], False))
        turn[1].update(thinking="Hm.", signature="c2ln")
        body = self.sent("--think", "--messages", "-", stdin=json.dumps(turn).encode())
        self.assertEqual(body["messages"][1]["content"][0], {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"})
        self.assertIn("thinking", body)

    def test_forms(self):
        schema = file_of(SCHEMA)
        self.assertEqual(self.sent("--schema", schema, "hi")["output_config"], {"format": {"type": "json_schema", "schema": SCHEMA}})
        self.assertEqual(self.ask("fake", "--schema", schema, "hi")["text"], '{"city": "Paris"}')
        self.run_adam("run", "-m", "anthropic:fake", "--regex", "a+", "hi", code=6, says="anthropic")
        self.run_adam("run", "-m", "anthropic:fake", "--raw", "hi", code=6, says="raw")
        self.run_adam("run", "-m", "anthropic:fake", "--logprobs", "--json", "hi", code=6, says="anthropic")
        self.run_adam("run", "-m", "anthropic:fake", "--stop", "\n", "hi", code=6, says="white space")
        self.run_adam("embed", "-m", "anthropic:fake", "hi", code=6, says="anthropic: the backend cannot embed")

    def test_ends(self):
        got = self.ask("fake", "--max-tokens", "30", "hi")
        self.assertEqual((got["finish_reason"], got["completion_tokens"], got["prompt_tokens"]), ("length", 30, 8))
        stopped = self.ask("fake", "--max-tokens", "30", "--stop", got["text"][10:13], "hi")
        self.assertEqual((stopped["finish_reason"], stopped["text"]), ("stop", got["text"][:got["text"].index(got["text"][10:13])]))
        self.assertEqual(self.codes(self.ask("refuser", "--max-tokens", "5", "hi")), ["refusal"])
        full = self.ask("window", "--max-tokens", "5", "hi")
        self.assertEqual((full["finish_reason"], self.codes(full)), ("length", ["context_full"]))
        begun = time.monotonic()
        self.assertEqual(self.ask("hang-after-stop", "--max-tokens", "30", "hi")["finish_reason"], "stop")
        self.assertLess(time.monotonic() - begun, 8)

    def test_names(self):
        self.run_adam("run", "-m", "anthropic:nobody", "hi", code=3, says="nobody")
        self.run_adam("run", "-m", "anthropic:", "hi", code=2, says="empty")
        self.run_adam("run", "-m", "anthropic:a/../b?c", "hi", code=2, says="name of a model")
        self.assertEqual(self.ask("fake", "hi", "--max-tokens", "3", server=self.fake(bare=1))["completion_tokens"], 3)
        self.run_adam("run", "-m", "anthropic:nobody", "hi", server=self.fake(bare=1), code=3, says="nobody")
        listed = [m["name"] for m in json.loads(self.run_adam("list", "--json").stdout)["models"]]
        self.assertIn("anthropic:fake", listed)
        self.assertIn("anthropic:cut-at-once", listed)  # of the last page
        self.assertEqual(len(listed), len(set(listed)))
        shown = json.loads(self.run_adam("show", "anthropic:fake", "--json").stdout)
        self.assertIn(200000, shown.values())


class Failures(Case):
    def test_streams_that_go_wrong(self):
        for model, code, words in (("cut", 1, "cut after"), ("eof", 1, "not the whole"), ("no-reason", 1, "stop_reason"),
                                   ("error-event", 1, "Internal server error"), ("overload-event", 5, "Overloaded"),
                                   ("malformed", 1, "no JSON object"), ("no-object", 1, "no JSON object"), ("order", 1, "not open"),
                                   ("huge", 1, "bytes"), ("half-event", 1, "no JSON object"), ("no-start", 1, "before the beginning")):
            with self.subTest(model):
                done = self.run_adam("run", "-m", f"anthropic:{model}", "--json", "--max-tokens", "30", "hi", code=code, says=words)
                got = json.loads(done.stdout)
                self.assertEqual(got["finish_reason"], "error")
                self.assertEqual(bool(got["text"]), model != "no-start")  # what had come
                self.assertNotIn("never", got["text"])

    def test_broken_off_anywhere(self):
        """At every seventh byte of a stream, by a cut and by a proper end: an error with what had come, or all of it."""
        with urllib.request.urlopen(urllib.request.Request(self.fake().url + "/v1/messages", json.dumps({
                "model": "fake", "stream": True, "max_tokens": 6, "messages": [{"role": "user", "content": "hi"}]}).encode(),
                {"anthropic-version": "2023-06-01"})) as answer:
            stream = answer.read()
        end = stream.index(b'"type": "message_stop"}') + len(b'"type": "message_stop"}')
        arguments = ("--json", "--max-tokens", "6", "hi")
        whole = json.loads(self.run_adam("run", "-m", "anthropic:fake", *arguments).stdout)["text"]
        for at in [*range(1, end - 1, 7), end - 1, end, end + 1, end + 2]:
            for kind in ("cut", "eof"):
                done = adam("run", "-m", f"anthropic:{kind}:{at}", *arguments, env={"ANTHROPIC_BASE_URL": self.fake().url})
                got = json.loads(done.stdout)
                if at < (end if kind == "eof" else end + 2):  # an event ends with an empty line, or with the body
                    self.assertEqual((done.returncode, got["finish_reason"]), (1, "error"), (kind, at, done.stderr))
                    self.assertTrue(whole.startswith(got["text"]))
                else:
                    self.assertEqual((done.returncode, got["text"]), (0, whole), (kind, at, done.stderr))

    def test_refusals(self):
        for model, code, words in (("limited", 1, "try again in 9 s"), ("forbidden", 5, "403"), ("broken", 1, "500"),
                                   ("overloaded", 5, "529: Overloaded"), ("large", 1, "413"), ("poor", 2, "credit"),
                                   ("page", 5, "503: no reason given"), ("cut-at-once", 1, "cut"), ("elsewhere", 1, "elsewhere")):
            with self.subTest(model):
                self.run_adam("run", "-m", f"anthropic:{model}", "hi", code=code, says=words)

    def test_nothing_new(self):
        for model in ("silent", "pings"):
            begun = time.monotonic()
            self.run_adam("run", "-m", f"anthropic:{model}", "--max-tokens", "30", "--server-timeout", "1", "hi", code=1,
                          says="nothing new came")
            self.assertLess(time.monotonic() - begun, 6)

    def test_cancelling_closes_the_connection(self):
        fake = self.fake()
        before = fake.state()["cut"]
        process = subprocess.Popen([ADAM, "run", "-m", "anthropic:drip", "--max-tokens", "30", "hi"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=environment(ANTHROPIC_BASE_URL=fake.url))
        self.assertTrue(process.stdout.read(8))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        self.assertEqual(process.returncode, 130)
        for _ in range(100):
            if fake.state()["cut"] > before:
                break
            time.sleep(0.05)
        self.assertGreater(fake.state()["cut"], before)


class Keys(Case):
    def run_locked(self, *arguments, auth=None, **more):
        server = self.fake(key=KEY, **({"auth": auth} if auth else {}))
        return self.run_adam("run", "-m", "anthropic:fake", "--max-tokens", "2", *arguments, "hi", server=server, **more)

    def test_where_it_comes_from(self):
        for auth in (None, "x-api-key", "bearer"):
            self.run_locked(env={"ANTHROPIC_API_KEY": KEY}, auth=auth)
        self.assertNotIn("authorization", self.fake(key=KEY, auth="x-api-key").last("/v1/messages")[0])
        self.run_locked("--api-key-file", file_of(KEY + "\n"))
        self.run_locked("--base-url", self.fake(key=KEY).url + "/v1/", env={"ANTHROPIC_API_KEY": KEY})

    def test_refused_and_secret(self):
        self.run_locked(code=5, says="ANTHROPIC_API_KEY")
        wrong = "sk-ant-wrong-wrong"
        done = self.run_locked(code=5, says="401: invalid x-api-key ***", env={"ANTHROPIC_API_KEY": wrong})
        self.assertNotIn(wrong, done.stderr.decode())
        server, env = self.fake(key=KEY), {"ANTHROPIC_API_KEY": KEY}
        self.run_adam("run", "-m", "anthropic:echo-key", "--max-tokens", "30", "hi", server=server, code=1, env=env, says="***")
        self.run_adam("run", "-m", "anthropic:elsewhere", "hi", server=server, code=1, env=env, says="elsewhere")
        self.assertFalse([p for p, _, _ in server.state()["seen"] if p.endswith("x")])
        done = adam("run", "-m", "anthropic:claude-3-haiku-20240307", "hi")
        self.assertEqual((done.returncode, b"ANTHROPIC_API_KEY" in done.stderr), (5, True))


if __name__ == "__main__":
    sys.argv[1:] = []
    unittest.main()
