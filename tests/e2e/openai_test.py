# SPDX-License-Identifier: Apache-2.0
"""adam with a server of OpenAI's API: what is sent, what comes back, where the key goes, and each way in which an
answer can go wrong, against fake_openai.py (fake_openai_references_test.py holds the fake against the official
client, remote_references_test.py adam against real servers)."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from command import ADAM, HOME, adam, environment
from fake_process import Fake

for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
    os.environ.pop(name, None)
KEY = "sk-test-7e57-0123456789abcdef"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]


def file_of(content, mode=0o600):
    path = HOME / f"file-{len(list(HOME.iterdir()))}"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    path.chmod(mode)
    return str(path)


class Case(unittest.TestCase):
    fakes = {}

    @classmethod
    def fake(cls, **settings):
        key = tuple(sorted(settings.items()))
        if key not in cls.fakes:
            cls.fakes[key] = Fake("openai", **settings)
        return cls.fakes[key]

    def run_adam(self, *arguments, server=None, code=0, says="", env=None, **more):
        server = server or self.fake()
        done = adam(*arguments, env={"OPENAI_BASE_URL": server.url + "/v1", **(env or {})}, **more)
        shown = done.stdout.decode() + done.stderr.decode()
        self.assertEqual(done.returncode, code, f"{arguments}: {shown}")
        self.assertIn(says, done.stderr.decode())
        self.assertNotIn(KEY, shown)
        return done

    def ask(self, model, *arguments, **more):
        return json.loads(self.run_adam("run", "-m", f"openai:{model}", "--json", *arguments, **more).stdout)

    def sent(self, *arguments, model="echo", **more):
        """What the server got: the model echo answers with the request."""
        return json.loads(self.ask(model, *arguments, **more)["text"])


def tearDownModule():
    for fake in Case.fakes.values():
        fake.stop()


class Requests(Case):
    def test_only_what_was_set_is_sent(self):
        body = self.sent("hello")
        self.assertEqual(set(body), {"model", "messages", "stream", "stream_options", "seed"})
        self.assertEqual(body["messages"], [{"role": "user", "content": "hello"}])
        self.assertLess(body["seed"], 2 ** 31)

    def test_parameters(self):
        given = ("hi", "--temperature", "0.5", "--top-p", "0.8", "--top-k", "11", "--min-p", "0.05",
                 "--repetition-penalty", "1.2", "--presence-penalty", "0.3", "--frequency-penalty", "0.4", "--seed", "77",
                 "--max-tokens", "5000", "--stop", "END", "--ignore-eos")
        body = self.sent(*given)
        for key, value in {"temperature": 0.5, "top_p": 0.8, "top_k": 11, "min_p": 0.05, "repetition_penalty": 1.2,
                           "presence_penalty": 0.3, "frequency_penalty": 0.4, "seed": 77, "max_tokens": 5000,
                           "stop": ["END"], "ignore_eos": True}.items():
            self.assertEqual(body[key], value, key)
        got = self.ask("echo", *given)
        self.assertEqual(got["notices"], [])
        self.assertEqual((got["seed"], got["sampling"]["top_k"], got["sampling"]["max_tokens"]), (77, 11, 5000))
        self.assertEqual(self.sent("hi", "--top-k", "0")["top_k"], -1)  # vLLM's word for "off"

    def test_a_server_that_lacks_parameters_is_not_sent_them(self):
        given = ("hi", "--top-k", "11", "--min-p", "0.05", "--repetition-penalty", "1.2", "--max-tokens", "500")
        for owner, tokens in (("openai", "max_completion_tokens"), ("system", "max_completion_tokens"), ("library", "max_tokens")):
            got = self.ask("echo", *given, server=self.fake(owner=owner))
            body = json.loads(got["text"])
            self.assertEqual(set(body), {"model", "messages", "stream", "stream_options", "seed", tokens})
            self.assertEqual([(n["code"], n["level"]) for n in got["notices"]], [("parameter_ignored", "degraded")] * 3)
            self.assertNotIn("top_k", got["sampling"])
        self.run_adam("run", "-m", "openai:echo", *given, "--strict", server=self.fake(owner="openai"), code=1, says="min_p")
        off = self.ask("echo", "hi", "--top-k", "0", "--min-p", "0", "--repetition-penalty", "1", server=self.fake(owner="openai"))
        self.assertEqual(off["notices"], [])
        self.ask("one", "hi", "--repetition-penalty", "1.2", "--max-tokens", "2", server=self.fake(owner="llamacpp"))
        body = self.fake(owner="llamacpp").last("/chat/completions")[1]
        self.assertEqual((body["repeat_penalty"], body["repeat_last_n"]), (1.2, -1))

    def test_what_a_server_refuses_is_left_out(self):
        got = self.ask("echo", "hi", "--top-k", "3", "--min-p", "0.1", server=self.fake(owner="strict"))
        self.assertEqual(set(json.loads(got["text"])), {"model", "messages", "stream"})
        levels = sorted((n["code"], n["level"]) for n in got["notices"])
        self.assertEqual(levels, [("parameter_beyond", "info")] * 2 + [("parameter_ignored", "degraded")] * 2)
        got = self.ask("echo", "hi", "--seed", "5", server=self.fake(owner="strict"))
        self.assertEqual([n["code"] for n in got["notices"]], ["parameter_ignored"])
        self.assertNotIn("seed", got["sampling"])
        self.assertEqual(self.ask("old-tokens", "hi", "--max-tokens", "7", "--temperature", "0")["completion_tokens"], 7)
        got = self.ask("fixed", "hi", "--temperature", "0.5", "--max-tokens", "4")
        self.assertEqual([n["code"] for n in got["notices"]], ["parameter_ignored"])
        for model in ("no-stream", "no-stream-options", "plain-json"):
            got = self.ask(model, "hi", "--max-tokens", "6", "--temperature", "0")
            self.assertEqual((got["completion_tokens"], got["finish_reason"], got["notices"]), (6, "length", []))
            self.assertEqual(got["text"], self.ask("fake", "hi", "--max-tokens", "6", "--temperature", "0")["text"])
        # A value that is wrong is not one that is unknown.
        self.run_adam("run", "-m", "openai:fake", "hi", "--temperature", "3", code=2, says="decimal above maximum")

    def test_conversation(self):
        messages = [{"role": "system", "content": "s"},
                    {"role": "user", "content": [{"type": "text", "text": "what is it?"},
                                                 {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}]},
                    {"role": "user", "content": "and this?", "images": ["QUJD"]},
                    {"role": "assistant", "content": None, "reasoning_content": "hm", "tool_calls": [
                        {"type": "function", "function": {"name": "f", "arguments": {"a": [1, 2.5]}}}]},
                    {"role": "tool", "content": "42"}]
        image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
        expected = [
            {"role": "system", "content": "s"},
            {"role": "user", "content": [{"type": "text", "text": "what is it?"}, image]},
            {"role": "user", "content": [{"type": "text", "text": "and this?"}, image]},
            {"role": "assistant", "content": None, "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":[1,2.5]}'}}]},
            {"role": "tool", "content": "42", "tool_call_id": "call_1"}]
        for owner in ("vllm", "openai"):
            body = self.sent("--messages", "-", stdin=json.dumps(messages).encode(), server=self.fake(owner=owner))
            if owner == "vllm":
                self.assertEqual(body["messages"][3].pop("reasoning_content"), "hm")
            self.assertEqual(body["messages"], expected)
        self.run_adam("run", "-m", "openai:echo", "--messages", "-", code=2, says="role", stdin=b"[{}]")
        body = self.sent("--system", "Be brief.", "hi")
        self.assertEqual(body["messages"][0], {"role": "system", "content": "Be brief."})

    def test_raw(self):
        body = self.sent("--raw", "a <b>")
        self.assertEqual(body["prompt"], "a <b>")
        self.assertNotIn("messages", body)
        self.assertTrue(self.fake().last("/completions"))

    def test_forms(self):
        schema = file_of(SCHEMA)
        body = self.sent("--schema", schema, "hi")
        self.assertEqual(body["response_format"], {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA}})
        self.assertEqual(self.ask("fake", "--schema", schema, "hi")["text"], '{"city": "Paris"}')
        grammar = file_of('root ::= "a"')
        new, old, sglang, openai = (self.fake(version="0.11.0"), self.fake(version="0.10.1"), self.fake(owner="sglang"), self.fake(owner="openai"))
        self.assertEqual(self.sent("--regex", "a+", "hi", server=new)["structured_outputs"], {"regex": "a+"})
        self.assertEqual(self.sent("--grammar", grammar, "hi", server=new)["structured_outputs"], {"grammar": 'root ::= "a"'})
        self.assertEqual(self.sent("--choice", "a", "--choice", "b", "hi", server=new)["structured_outputs"], {"choice": ["a", "b"]})
        self.assertEqual(self.sent("--regex", "a+", "hi", server=old)["guided_regex"], "a+")
        self.assertEqual(self.sent("--choice", "a", "--choice", "b", "hi", server=old)["guided_choice"], ["a", "b"])
        self.assertEqual(self.sent("--choice", "a.b", "--choice", "c", "hi", server=sglang)["regex"], r"(a\.b|c)")
        self.assertEqual(self.sent("--grammar", grammar, "hi", server=sglang)["ebnf"], 'root ::= "a"')
        self.run_adam("run", "-m", "openai:fake", "--regex", "a+", "hi", server=openai, code=6, says="OpenAI cannot hold an answer to a regex")
        me = self.fake(owner="me")
        self.assertEqual(self.sent("--schema", schema, "hi", server=me)["response_format"], {"type": "json_object", "schema": SCHEMA})
        self.assertEqual(self.sent("--choice", 'a"b', "--choice", "c", "hi", server=me)["grammar"], r'root ::= "a\"b" | "c"')
        self.run_adam("run", "-m", "openai:fake", "--regex", "a+", "hi", server=me, code=6, says="regex")

    def test_thinking(self):
        for model in ("thinker", "tagged"):
            got = self.ask(model, "hi")
            self.assertEqual((got["thinking"], got["text"]), ("Two and two.", "The answer is 4."))
        self.assertEqual(self.sent("--no-think", "hi")["chat_template_kwargs"], {"enable_thinking": False})
        got = self.ask("parts", "hi", "--max-tokens", "3")
        self.assertEqual((got["thinking"], bool(got["text"])), ("Hm.", True))
        self.assertEqual(self.ask("echo", "--think", "hi", server=self.fake(owner="openai"))["notices"][0]["code"], "parameter_ignored")

    def test_tools(self):
        tools = file_of(TOOLS)
        for model, calls in (("tooler", [("call_a1", {"city": "Paris", "n": 2})]),
                             ("parallel", [("call_a1", {"city": "Paris", "n": 2}), ("call_b2", {"city": "Köln"})])):
            got = self.ask(model, "--tools", tools, "hi")
            self.assertEqual((got["finish_reason"], got["text"]), ("tool_calls", "Let me see. "))
            self.assertEqual([(c["id"], json.loads(c["function"]["arguments"])) for c in got["tool_calls"]], calls)
        got = self.ask("bad-arguments", "--tools", tools, "hi")
        self.assertEqual([n["code"] for n in got["notices"]], ["tool_arguments"])
        got = self.ask("tooler", "--tools", tools, "--max-tokens", "2", "hi")
        self.assertEqual((got["finish_reason"], got["tool_calls"], got["notices"][0]["code"]), ("length", [], "tool_call_cut"))
        alone = file_of([TOOLS[0]["function"]])
        self.assertEqual(self.sent("--tools", alone, "hi")["tools"], TOOLS)
        for choice, value in (("none", "none"), ("required", "required"),
                              ("weather", {"type": "function", "function": {"name": "weather"}})):
            self.assertEqual(self.sent("--tools", tools, "--tool-choice", choice, "hi")["tool_choice"], value)
        self.assertNotIn("tool_choice", self.sent("--tools", tools, "--tool-choice", "auto", "hi"))
        self.run_adam("run", "-m", "openai:fake", "--tool-choice", "required", "hi", code=2, says="without tools")

    def test_logprobs(self):
        for more in ((), ("--raw",)):
            got = self.ask("fake", "--temperature", "0", "--max-tokens", "5", "--top-logprobs", "2", *more, "hi")
            tokens = got["logprobs"]["content"]
            self.assertEqual(len(tokens), 5)
            self.assertEqual([t["token"] for t in tokens[0]["top_logprobs"]], ["x", "y"])
            self.assertEqual("".join(t["token"] for t in tokens), got["text"])
            self.assertEqual(tokens[0]["logprob"], -0.5)
        self.run_adam("run", "-m", "openai:fake", "--top-logprobs", "21", "--json", "hi", code=6, says="20")

    def test_ends(self):
        for model in ("no-done", "no-usage", "hang-after-done"):
            begun = time.monotonic()
            got = self.ask(model, "--temperature", "0", "--max-tokens", "5", "hi")
            self.assertEqual(got["completion_tokens"], 5)
            self.assertLess(time.monotonic() - begun, 8)
        self.assertEqual(self.ask("filtered", "--max-tokens", "5", "hi")["notices"][0]["code"], "content_filter")
        self.assertTrue(self.ask("refuser", "--max-tokens", "5", "hi")["text"])

    def test_names(self):
        self.assertEqual(self.ask("alias", "--temperature", "0", "--max-tokens", "3", "hi")["model"], "openai:alias")
        self.run_adam("run", "-m", "openai:nobody", "hi", code=3, says="it has fake, echo")
        self.run_adam("run", "-m", "openai:", "hi", code=2, says="empty")
        llama = self.fake(owner="llamacpp")  # one model, whatever it is called
        for name in ("", "one", "whatever"):
            self.assertEqual(self.ask(name, "--temperature", "0", "--max-tokens", "3", "hi", server=llama)["completion_tokens"], 3)
        shown = json.loads(self.run_adam("show", "openai:one", "--json", server=llama).stdout)
        self.assertIn(134515008, shown.values())
        listed = json.loads(self.run_adam("list", "--json").stdout)["models"]
        self.assertIn("openai:thinker", [m["name"] for m in listed])

    def test_embeddings(self):
        def embed(*arguments, model="embedder", **more):
            return json.loads(self.run_adam("embed", "-m", f"openai:{model}", "--json", *arguments, **more).stdout)
        both = embed("a", "b")
        self.assertEqual((both["dimensions"], len(both["embeddings"])), (8, 2))
        self.assertEqual(self.fake().last("/embeddings")[1], {"model": "embedder", "input": ["a", "b"], "encoding_format": "base64"})
        self.assertEqual(both["embeddings"], [embed("a")["embeddings"][0], embed("b")["embeddings"][0]])
        floats = embed("a", "b", model="fixed")  # it knows neither base64 nor dimensions
        for one, other in zip(both["embeddings"], floats["embeddings"]):
            self.assertLess(max(abs(x - y) for x, y in zip(one, other)), 1e-6)
        cut, refused = embed("a", "--dimensions", "3"), embed("a", "--dimensions", "3", model="fixed")
        self.assertEqual(self.fake().state()["seen"][-5][2].get("dimensions"), 3)
        self.assertAlmostEqual(sum(x * x for x in cut["embeddings"][0]), 1, 5)
        self.assertLess(max(abs(x - y) for x, y in zip(cut["embeddings"][0], refused["embeddings"][0])), 1e-6)
        self.assertEqual(embed("a", "b", model="no-reason")["embeddings"], both["embeddings"])  # in another order
        many = file_of("".join(json.dumps(f"text {i}") + "\n" for i in range(150)))
        self.assertEqual(len(embed("--input", many)["embeddings"]), 150)
        for model, words in (("cut", "gave 1 embeddings for 2 texts"), ("eof", "twice"), ("malformed", "no number"),
                             ("no-object", "base64")):
            self.run_adam("embed", "-m", f"openai:{model}", "a", "b", code=1, says=words)
        self.run_adam("embed", "-m", "openai:embedder", "--dimensions", "9", "a", code=2, says="dimensions")
        self.run_adam("embed", "-m", "openai:embedder", "x" * 2001, code=2, says="context")


class Failures(Case):
    def test_streams_that_go_wrong(self):
        for model, words in (("cut", "cut after"), ("eof", "not the whole"), ("no-reason", "finish_reason"),
                             ("error-event", "EngineCore encountered an issue"), ("malformed", "no JSON object"),
                             ("no-object", "no JSON object"), ("no-choices", "no choices"), ("huge", "bytes"),
                             ("half-event", "no JSON object"), ("reason-error", "failed in the middle")):
            with self.subTest(model):
                done = self.run_adam("run", "-m", f"openai:{model}", "--json", "--max-tokens", "30", "hi", code=1, says=words)
                got = json.loads(done.stdout)
                self.assertEqual(got["finish_reason"], "error")
                self.assertTrue(got["text"])  # what had come
                self.assertNotIn("never", got["text"])

    def test_broken_off_anywhere(self):
        """At every seventh byte of a stream, by a cut and by a proper end: an error with what had come, or all of it."""
        with urllib.request.urlopen(urllib.request.Request(self.fake().url + "/v1/chat/completions", json.dumps({
                "model": "fake", "stream": True, "temperature": 0, "max_tokens": 6, "seed": 1, "stream_options": {"include_usage": True},
                "messages": [{"role": "user", "content": "hi"}]}).encode())) as answer:
            stream = answer.read()
        end = stream.index(b'"finish_reason": "length"')
        end = stream.index(b"\n", end)  # from here on the answer is whole, whatever comes of the counts
        arguments = ("--json", "--temperature", "0", "--seed", "1", "--max-tokens", "6", "hi")
        whole = json.loads(self.run_adam("run", "-m", "openai:fake", *arguments).stdout)["text"]
        for at in [*range(1, end - 1, 7), end - 1, end, end + 1, end + 2]:
            for kind in ("cut", "eof"):
                done = adam("run", "-m", f"openai:{kind}:{at}", *arguments, env={"OPENAI_BASE_URL": self.fake().url + "/v1"})
                got = json.loads(done.stdout)
                if at < (end if kind == "eof" else end + 2):  # an event ends with an empty line, or with the body
                    self.assertEqual((done.returncode, got["finish_reason"]), (1, "error"), (kind, at, done.stderr))
                    self.assertTrue(whole.startswith(got["text"]))
                else:
                    self.assertEqual((done.returncode, got["text"]), (0, whole), (kind, at, done.stderr))

    def test_refusals(self):
        for model, code, words in (("limited", 1, "try again in 7 s"), ("limited-date", 1, "21 Oct 2026"), ("quota", 1, "billing"),
                                   ("forbidden", 5, "403"), ("broken", 1, "500"), ("loading", 5, "loading"),
                                   ("long", 2, "maximum context length"), ("page", 1, "502: no reason given"),
                                   ("cut-at-once", 1, "cut"), ("embedder", 6, "does not support"), ("elsewhere", 1, "elsewhere")):
            with self.subTest(model):
                self.run_adam("run", "-m", f"openai:{model}", "hi", code=code, says=words)

    def test_nothing_new(self):
        for model in ("silent", "comments", "slow-line"):
            begun = time.monotonic()
            self.run_adam("run", "-m", f"openai:{model}", "--max-tokens", "30", "--server-timeout", "1", "hi", code=1, says="nothing new came")
            self.assertLess(time.monotonic() - begun, 6)

    def test_cancelling_closes_the_connection(self):
        fake = self.fake()
        before = fake.state()["cut"]
        process = subprocess.Popen([ADAM, "run", "-m", "openai:drip", "--max-tokens", "30", "hi"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=environment(OPENAI_BASE_URL=fake.url + "/v1"))
        self.assertTrue(process.stdout.read(8))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        self.assertEqual(process.returncode, 130)
        for _ in range(100):
            if fake.state()["cut"] > before:
                break
            time.sleep(0.05)
        self.assertGreater(fake.state()["cut"], before)

    def test_places(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        for url, code, words in ((f"http://127.0.0.1:{port}/v1", 5, "no server answers"), ("localhost:8000", 2, "address"),
                                 ("http://user:secret@host/v1", 2, "no user")):
            done = self.run_adam("run", "-m", "openai:fake", "--base-url", url, "hi", code=code, says=words)
            self.assertNotIn("secret", done.stderr.decode())
        # A server without a list of models is taken as it is; the first answer tells that nothing is there.
        self.run_adam("run", "-m", "openai:fake", "--base-url", self.fake().url + "/v2", "hi", code=5, says="404: Not Found")


class Keys(Case):
    def locked(self):
        return self.fake(key=KEY)

    def run_locked(self, *arguments, **more):
        return self.run_adam("run", "-m", "openai:fake", "--max-tokens", "2", *arguments, "hi", server=self.locked(), **more)

    def test_where_it_comes_from(self):
        self.run_locked(env={"OPENAI_API_KEY": KEY})
        self.run_locked("--api-key-file", file_of(KEY + "\n"))
        self.run_locked("--api-key-file", file_of(KEY), env={"OPENAI_API_KEY": "sk-wrong-wrong"})
        usual = HOME / "config" / "adam" / "openai.key"
        usual.parent.mkdir(parents=True, exist_ok=True)
        usual.write_text(KEY)
        usual.chmod(0o600)
        try:
            self.run_locked()
            usual.chmod(0o644)
            done = self.run_locked(code=2, says="chmod 600")
            self.assertEqual(done.stderr.count(b"\n"), 1)
        finally:
            usual.unlink()

    def test_refused(self):
        self.run_locked(code=5, says="OPENAI_API_KEY")
        self.run_locked(code=5, says="401", env={"OPENAI_API_KEY": "sk-wrong-wrong"})
        for mode in (0o640, 0o604, 0o660):
            self.run_locked("--api-key-file", file_of(KEY, mode), code=2, says=f"{mode:03o}")
        self.run_locked("--api-key-file", "/nonexistent/key", code=3)
        self.run_locked("--api-key-file", file_of("a\nb"), code=2, says="belongs in no key")
        self.run_locked("--api-key-file", file_of(" \n"), code=2, says="no key")
        done = adam("run", "-m", "openai:gpt-4o-mini", "hi")
        self.assertEqual((done.returncode, b"OPENAI_API_KEY" in done.stderr), (5, True))

    def test_it_stays_secret(self):
        wrong = "sk-wrong-" + KEY[3:]
        done = self.run_locked(code=5, env={"OPENAI_API_KEY": wrong})  # the server says it again
        self.assertIn(b"provided: ***", done.stderr)
        self.assertNotIn(wrong.encode(), done.stdout + done.stderr)
        done = self.run_adam("run", "-m", "openai:echo-key", "--max-tokens", "30", "hi", server=self.locked(), code=1,
                             env={"OPENAI_API_KEY": KEY}, says="***")
        self.run_adam("run", "-m", "openai:elsewhere", "hi", server=self.locked(), code=1, env={"OPENAI_API_KEY": KEY},
                      says="elsewhere")
        self.assertFalse([p for p, _, _ in self.locked().state()["seen"] if p.endswith("x")])
        process = subprocess.Popen([ADAM, "run", "-m", "openai:drip", "--max-tokens", "30", "hi"], stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL,
                                   env=environment(OPENAI_BASE_URL=self.locked().url + "/v1", OPENAI_API_KEY=KEY))
        self.assertTrue(process.stdout.read(4))
        self.assertNotIn(KEY, pathlib.Path(f"/proc/{process.pid}/cmdline").read_text())
        process.kill()
        process.communicate()

    def test_backends_says_whether_it_can_be_used(self):
        def state(**env):
            backends = json.loads(adam("backends", "--json", env=env).stdout)["backends"]
            return next(b for b in backends if b["name"] == "openai")
        self.assertFalse(state()["available"])
        self.assertTrue(state(OPENAI_BASE_URL=self.locked().url + "/v1", OPENAI_API_KEY=KEY)["available"])
        self.assertFalse(state(OPENAI_BASE_URL=self.locked().url + "/v1", OPENAI_API_KEY="sk-wrong")["available"])


if __name__ == "__main__":
    sys.argv[1:] = []
    unittest.main()
