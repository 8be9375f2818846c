# SPDX-License-Identifier: Apache-2.0
"""adam with an Ollama server: what is sent, what comes back, and each way in which an answer can go wrong, against
fake_ollama.py (ollama_references_test.py holds the fake against the real server)."""
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
from command import adam


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Fake:
    def __init__(self, *arguments):
        self.process = subprocess.Popen([sys.executable, str(HERE / "fake_ollama.py"), *arguments],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.host = f"127.0.0.1:{int(self.process.stdout.readline())}"

    def state(self):
        return json.load(urllib.request.urlopen(f"http://{self.host}/test/state"))

    def stop(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fake, cls.new = Fake(), Fake("--version", "0.12.11")

    @classmethod
    def tearDownClass(cls):
        cls.fake.stop()
        cls.new.stop()

    def run_adam(self, *arguments, server=None, code=0, says="", **more):
        environment = {"OLLAMA_HOST": (server or self.fake).host, **more.pop("env", {})}
        done = adam(*arguments, env=environment, **more)
        self.assertEqual(done.returncode, code, f"{arguments}: {done.stdout.decode()} {done.stderr.decode()}")
        self.assertIn(says, done.stderr.decode())
        return done

    def ask(self, model, *arguments, **more):
        return json.loads(self.run_adam("run", "--backend", "ollama", "-m", model, "--json", *arguments, **more).stdout)

    def sent(self, *arguments, model="echo", **more):
        """What the server got: the models echo and stopper answer with the request."""
        return json.loads(self.ask(model, *arguments, **more)["text"])


class Requests(Case):
    def test_only_what_was_set_is_sent(self):
        body = self.sent("hello")
        self.assertEqual(set(body["options"]), {"seed"})
        self.assertEqual(body["messages"], [{"role": "user", "content": "hello"}])
        self.assertNotIn("keep_alive", body)
        self.assertNotIn("think", body)
        self.assertIs(body["stream"], True)

    def test_options_are_mapped(self):
        body = self.sent("hi", "--temperature", "0.5", "--top-p", "0.8", "--top-k", "11", "--min-p", "0.05",
                         "--repetition-penalty", "1.2", "--presence-penalty", "0.3", "--frequency-penalty", "0.4",
                         "--seed", "77", "--max-tokens", "5000", "--ctx", "2048", "--threads", "3", "--stop", "END",
                         "--keep-alive", "90")
        self.assertEqual(body["options"], {
            "temperature": 0.5, "top_p": 0.8, "top_k": 11, "min_p": 0.05, "repeat_penalty": 1.2, "repeat_last_n": -1,
            "presence_penalty": 0.3, "frequency_penalty": 0.4, "seed": 77, "num_predict": 5000, "num_ctx": 2048,
            "num_thread": 3, "stop": ["END"]})
        self.assertEqual(body["keep_alive"], 90)
        for spelled, value in (("10m", "10m"), ("-1", -1), ("0", 0), ("1h30m", "1h30m")):
            self.assertEqual(self.sent("hi", "--keep-alive", spelled)["keep_alive"], value)
        self.run_adam("run", "--backend", "ollama", "-m", "echo", "--keep-alive", "soon", "hi", code=2, says="keep_alive")

    def test_values_used_are_told(self):
        got = self.ask("fake", "--stop", "~", "hi")
        self.assertEqual(got["sampling"]["temperature"], 0.25)  # of the model's parameters
        self.assertEqual(got["sampling"]["top_k"], 7)
        self.assertEqual(got["sampling"]["top_p"], 0.9)  # Ollama's own
        self.assertEqual(got["sampling"]["max_tokens"], 90)
        self.assertNotIn("repetition_penalty", got["sampling"])  # each version has its own
        self.assertLess(got["seed"], 2 ** 31)
        again = self.ask("fake", "--stop", "~", "--seed", str(got["seed"]), "hi")
        self.assertEqual(again["text"], got["text"])

    def test_stops_of_the_model_stay(self):
        self.assertEqual(self.sent("--stop", "END", "hi", model="stopper")["options"]["stop"], ["<|end|>", '\n"x"', "END"])

    def test_conversation(self):
        messages = [{"role": "system", "content": "s"},
                    {"role": "user", "content": [{"type": "text", "text": "what "}, {"type": "text", "text": "is it?"},
                                                 {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}]},
                    {"role": "assistant", "content": None, "tool_calls": [
                        {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{\"a\": [1, 2.5]}"}}]},
                    {"role": "tool", "tool_call_id": "call_1", "name": "f", "content": "42"}]
        body = self.sent("--messages", "-", stdin=json.dumps(messages).encode())
        self.assertEqual(body["messages"], [
            {"role": "system", "content": "s"},
            {"role": "user", "content": "what is it?", "images": ["QUJD"]},
            {"role": "assistant", "content": "", "tool_calls": [
                {"id": "call_1", "function": {"name": "f", "arguments": {"a": [1, 2.5]}}}]},
            {"role": "tool", "content": "42", "tool_name": "f", "tool_call_id": "call_1"}])
        messages = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x.invalid/a.png"}}]}]
        self.run_adam("run", "--backend", "ollama", "-m", "echo", "--messages", "-", code=6, says="image",
                      stdin=json.dumps(messages).encode())
        self.run_adam("run", "--backend", "ollama", "-m", "echo", "--messages", "-", code=2, says="role", stdin=b"[{}]")

    def test_raw_and_system(self):
        body = self.sent("--raw", "a <b>")
        self.assertEqual((body["prompt"], body["raw"]), ("a <b>", True))
        self.assertNotIn("messages", body)
        body = self.sent("--system", "Be brief.", "hi")
        self.assertEqual(body["messages"][0], {"role": "system", "content": "Be brief."})

    def test_context(self):
        """The context that is asked for holds the prompt; what does not fit is never answered as if it did."""
        self.assertNotIn("num_ctx", self.sent("two " * 700)["options"])
        self.assertEqual(self.sent("two " * 1500)["options"]["num_ctx"], 4096)
        self.assertEqual(self.sent("two " * 3000)["options"]["num_ctx"], 8192)
        self.assertEqual(self.sent("two " * 4000, "--max-tokens", "9000")["options"]["num_ctx"], 8192)  # as far as the model goes
        self.assertEqual(self.sent("two " * 200, "--ctx", "1024")["options"]["num_ctx"], 1024)
        body = self.sent("two " * 3000, server=self.new)
        self.assertEqual((body["truncate"], body["shift"]), (False, False))
        self.assertNotIn("num_ctx", body["options"])
        for prompt, arguments in (("x" * 9000, ()), ("x" * 600, ("--ctx", "512"))):
            got = self.ask("bytes", "--max-tokens", "2", *arguments, prompt, code=1, says="cut the prompt")
            self.assertEqual(got["finish_reason"], "error")
        self.ask("bytes", "--max-tokens", "2", "--ctx", "512", "x" * 600, server=self.new, code=1, says="exceeds the context")
        self.assertEqual(self.ask("bytes", "--max-tokens", "2", "--ctx", "512", "x" * 400)["notices"], [])

    def test_context_of_conversations(self):
        def talk(n):
            return json.dumps([{"role": "user", "content": "x" * n}, {"role": "assistant", "content": "y"},
                               {"role": "user", "content": "z"}]).encode()
        asked = ("bytes", "--max-tokens", "2", "--ctx", "512", "--messages", "-")
        self.ask(*asked, code=1, says="cut the prompt", stdin=talk(5000))
        self.assertEqual(self.ask(*asked, stdin=talk(300))["notices"], [])
        got = self.ask("bytes", "--max-tokens", "200", "--ctx", "512", "x" * 400)
        self.assertEqual([n["code"] for n in got["notices"]], ["context_full"])

    def test_schema(self):
        schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(schema, file)
            file.flush()
            self.assertEqual(self.sent("--schema", file.name, "hi")["format"], schema)
            self.assertEqual(self.ask("fake", "--schema", file.name, "hi")["text"], '{"city": "Paris"}')
        self.run_adam("run", "--backend", "ollama", "-m", "fake", "--regex", "a+", "hi", code=6, says="ollama")
        self.run_adam("run", "--backend", "ollama", "-m", "fake", "--choice", "a", "--choice", "b", "hi", code=6, says="ollama")

    def test_thinking(self):
        got = self.ask("thinker", "2+2?")
        self.assertEqual((got["thinking"], got["text"]), ("Two and two.", "The answer is 4."))
        got = self.ask("thinker", "--no-think", "2+2?")
        self.assertEqual((got["thinking"], got["text"]), (None, "The answer is 4."))
        self.run_adam("run", "--backend", "ollama", "-m", "fake", "--think", "x", code=6, says="thinking")

    def test_tools(self):
        tools = [{"type": "function", "function": {"name": "weather", "description": "d", "parameters": {
            "type": "object", "properties": {"city": {"type": "string"}}}}}]
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(tools, file)
            file.flush()
            got = self.ask("tooler", "--tools", file.name, "Weather in Paris?")
            self.assertEqual(got["finish_reason"], "tool_calls")
            self.assertEqual(got["text"], "Let me see. ")
            [call] = got["tool_calls"]
            self.assertRegex(call["id"], "^call_[a-z0-9]{8}$")
            self.assertEqual(call["function"]["name"], "weather")
            self.assertEqual(json.loads(call["function"]["arguments"]), {"city": "Paris", "n": 2})
            self.run_adam("run", "--backend", "ollama", "-m", "fake", "--tools", file.name, "x", code=6, says="does not support tools")

    def test_logprobs(self):
        self.run_adam("run", "--backend", "ollama", "-m", "fake", "--json", "--logprobs", "x", code=6, says="v0.12.11")
        got = self.ask("fake", "--top-logprobs", "2", "--temperature", "0", "--max-tokens", "4", "x", server=self.new)
        tokens = got["logprobs"]["content"]
        self.assertEqual(len(tokens), 4)
        self.assertEqual("".join(t["token"] for t in tokens), got["text"])
        for token in tokens:
            self.assertEqual(token["logprob"], -0.5)
            self.assertEqual([(t["token"], t["logprob"]) for t in token["top_logprobs"]], [("x", -1.5), ("y", -2.5)])
        self.run_adam("run", "--backend", "ollama", "-m", "fake", "--json", "--top-logprobs", "21", "x", code=6,
                      says="20", server=self.new)


class Faults(Case):
    def test_each_is_an_error_that_keeps_what_came(self):
        for model, words in (("cut", "cut"), ("eof", "without saying that it is done"), ("error-line", "CUDA error"),
                             ("malformed", "no JSON"), ("no-object", "no JSON object"), ("huge", "longer than"),
                             ("load-only", "gave no answer")):
            with self.subTest(model):
                got = self.ask(model, "--temperature", "0", "hi", code=1, says=words)
                self.assertEqual(got["finish_reason"], "error")
                self.assertGreater(len(got["text"]), 5)
                self.assertNotIn("never", got["text"])

    def test_refusals(self):
        for model, code, words in (("busy", 5, "busy"), ("bad", 2, "must be of type"), ("broken", 1, "terminated"),
                                   ("cut-at-once", 1, "cut after 0 bytes"), ("nobody", 3, "adam pull ollama:nobody"),
                                   ("embedder", 6, "adam embed")):
            with self.subTest(model):
                self.run_adam("run", "--backend", "ollama", "-m", model, "hi", code=code, says=words)

    def test_an_end_is_an_end(self):
        begun = time.monotonic()
        got = self.ask("hang-after-done", "--temperature", "0", "hi")
        self.assertEqual(got["finish_reason"], "stop")
        self.assertLess(time.monotonic() - begun, 10)

    def test_cancelling_closes_the_connection(self):
        before = self.fake.state()["cut"]
        binary = adam("version").args[0]
        process = subprocess.Popen([binary, "run", "--backend", "ollama", "-m", "drip", "hi"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env={**os.environ, "OLLAMA_HOST": self.fake.host})
        self.assertTrue(process.stdout.read(8))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        self.assertEqual(process.returncode, 130)
        for _ in range(100):
            if self.fake.state()["cut"] > before:
                break
            time.sleep(0.05)
        self.assertGreater(self.fake.state()["cut"], before)

    def test_no_server(self):
        host = f"127.0.0.1:{free_port()}"
        done = self.run_adam("run", "--backend", "ollama", "-m", "fake", "--ollama-host", host, "hi", code=5)
        self.assertIn(f"no server answers at http://{host}", done.stderr.decode())
        self.assertIn("--start", done.stderr.decode())
        self.run_adam("list", "--ollama-host", host)
        self.run_adam("pull", "ollama:fake", "--ollama-host", host, code=5)
        self.run_adam("run", "--backend", "ollama", "-m", "x", "--ollama-host", "ftp://x", "hi", code=2, says="ftp")

    def test_something_else_listens(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            s.listen()
            child = os.fork()
            if child == 0:
                while True:
                    c, _ = s.accept()
                    c.recv(1000)
                    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
                    c.close()
            try:
                self.run_adam("run", "--backend", "ollama", "-m", "x", "--ollama-host", f"127.0.0.1:{s.getsockname()[1]}",
                              "hi", code=5, says="no Ollama server")
            finally:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)


class Models(Case):
    def test_list_and_show(self):
        models = json.loads(self.run_adam("list", "--json").stdout)
        names = [m["name"] for m in (models["models"] if isinstance(models, dict) else models)]
        self.assertIn("ollama:fake:latest", names)
        shown = json.loads(self.run_adam("show", "fake", "--backend", "ollama", "--json").stdout)
        self.assertEqual(shown["n_layers"] if "n_layers" in shown else shown["layers"], 30)
        shown = self.run_adam("backends", "--json").stdout
        self.assertIn(b'"ollama"', shown)

    def test_pull(self):
        events = [json.loads(line) for line in self.run_adam("pull", "ollama:pulled", "--json").stdout.splitlines()]
        self.assertEqual(events[-1]["event"], "done")
        self.assertEqual(events[-1]["bytes"], 4_000_000)
        self.assertIn("pulled", self.fake.state()["models"])
        self.run_adam("pull", "ollama:no-such-model", code=3, says="no such model")
        self.run_adam("pull", "ollama:pull-cut", code=1, says="cut")
        self.run_adam("pull", "ollama:pull-eof", code=1, says="without saying that it is done")

    def test_keep_alive_unloads(self):
        self.ask("plain", "--max-tokens", "3", "hi")
        self.assertIn("plain", self.fake.state()["loaded"])
        self.ask("plain", "--max-tokens", "3", "--keep-alive", "0", "hi")
        self.assertNotIn("plain", self.fake.state()["loaded"])

    def test_embed(self):
        texts = ["one", "two", "", "x" * 3000] + [f"text {i}" for i in range(150)]
        got = json.loads(self.run_adam("embed", "--backend", "ollama", "-m", "embedder", "--input", "-", "--json",
                                       stdin="\n".join(json.dumps(t) for t in texts).encode()).stdout)
        self.assertEqual(len(got["embeddings"]), len(texts))
        alone = json.loads(self.run_adam("embed", "--backend", "ollama", "-m", "embedder", "--json", "two").stdout)
        self.assertEqual(alone["embeddings"][0], got["embeddings"][1])
        sys.path.insert(0, str(HERE))
        from fake_ollama import unit
        for ours, theirs in zip(got["embeddings"][0], unit("one")):
            self.assertAlmostEqual(ours, theirs, 6)
        for bad, words in (("bad", "no number"), ("cut", "0 embeddings for 1 texts"), ("no-object", "no JSON object")):
            self.run_adam("embed", "--backend", "ollama", "-m", bad, "x", code=1, says=words)

    def test_start(self):
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder) / "ollama"
            program.write_text(f'#!/bin/sh\nexec {sys.executable} {HERE / "fake_ollama.py"} "$@"\n')
            program.chmod(0o755)
            host = f"127.0.0.1:{free_port()}"
            environment = {"OLLAMA_HOST": host, "ADAM_OLLAMA": str(program), "ADAM_CACHE_DIR": folder}
            got = self.ask("fake", "--start", "--max-tokens", "3", "hi", env=environment)
            self.assertEqual(got["completion_tokens"], 3)
            log = (pathlib.Path(folder) / "ollama-serve.log").read_text()
            pid = int(log.split("pid")[1].split()[0])
            self.ask("fake", "--max-tokens", "3", "hi", env=environment)  # it stays
            os.kill(pid, signal.SIGKILL)
            environment = {"OLLAMA_HOST": host, "ADAM_OLLAMA": str(program) + "-not-there"}
            self.run_adam("run", "--backend", "ollama", "-m", "fake", "--start", "hi", env=environment, code=5,
                          says="not installed")
            self.run_adam("run", "--backend", "ollama", "-m", "fake", "--start", "hi", env={"OLLAMA_HOST": "192.0.2.1:9"},
                          code=5, says="only a server of this machine")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
