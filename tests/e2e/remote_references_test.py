# SPDX-License-Identifier: Apache-2.0
"""adam against real servers of OpenAI's API, beside the official client: llama_cpp.server and Ollama's /v1, both with
SmolLM2. What the client reads of an answer is what adam has to say.

    remote_references_test.py [BUILD]
(needs openai, llama-cpp-python[server], Ollama and SmolLM2's GGUF, tools/get_smollm2.sh; SKIP without)
"""
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from command import ADAM, BUILD, HOME, adam, environment
from ollama_server import Server, find_ollama, find_smollm2

REQUIRED = os.environ.get("ADAM_REQUIRE_REFERENCES") == "1"
for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
    os.environ.pop(name, None)


def leave(reason):
    print(f"{'no' if REQUIRED else 'SKIP: no'} reference: {reason}")
    sys.exit(1 if REQUIRED else 77)


try:
    import llama_cpp.server.app  # noqa: F401 (with its extras)
    import openai
except ImportError as error:
    leave(error)
GGUF, OLLAMA = find_smollm2(), find_ollama(BUILD)
if not GGUF or not OLLAMA:
    leave("SmolLM2's GGUF (tools/get_smollm2.sh)" if OLLAMA else "Ollama (tools/setup_ollama.sh)")
QUESTION = "What is the capital of France?"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 20}}, "required": ["city"], "additionalProperties": False}


class Llama:
    """python -m llama_cpp.server"""

    def __init__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        port = self.url.rsplit(":", 1)[1][:-3]
        self.log = open(pathlib.Path(HOME) / "llama.log", "ab")
        self.process = subprocess.Popen([sys.executable, "-m", "llama_cpp.server", "--model", str(GGUF), "--host", "127.0.0.1",
                                         "--port", port, "--n_ctx", "1024", "--logits_all", "true", "--n_threads", "2",
                                         "--api_key", "sk-local-key"], stdout=self.log, stderr=self.log)
        for _ in range(600):
            try:
                urllib.request.urlopen(urllib.request.Request(self.url + "/models", headers={"Authorization": "Bearer sk-local-key"})).close()
                return
            except OSError:
                if self.process.poll() is not None:
                    raise RuntimeError((pathlib.Path(HOME) / "llama.log").read_text())
                time.sleep(0.1)

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        self.log.close()


class Both(unittest.TestCase):

    def client(self):
        return openai.OpenAI(base_url=self.url, api_key=self.key or "none", max_retries=0)

    def run_adam(self, *arguments, code=0, says=""):
        env = {"OPENAI_BASE_URL": self.url, **({"OPENAI_API_KEY": self.key} if self.key else {})}
        done = adam(*arguments, env=env, timeout=300)
        self.assertEqual(done.returncode, code, done.stdout.decode() + done.stderr.decode())
        self.assertIn(says, done.stderr.decode())
        return done

    def ask(self, *arguments, **more):
        return json.loads(self.run_adam("run", "-m", f"openai:{self.model}", "--json", "--temperature", "0", "--seed", "7", *arguments, **more).stdout)

    def theirs(self, **more):
        more = {"messages": [{"role": "user", "content": QUESTION}], "temperature": 0, "seed": 7, "max_tokens": 12, **more}
        return self.client().chat.completions.create(model=self.model, **more)

    def test_answer(self):
        theirs, ours = self.theirs(), self.ask("--max-tokens", "12", QUESTION)
        self.assertEqual(ours["text"], theirs.choices[0].message.content)
        self.assertEqual(ours["finish_reason"], theirs.choices[0].finish_reason)
        streamed = "".join(c.choices[0].delta.content or "" for c in self.theirs(stream=True) if c.choices)
        self.assertEqual(ours["text"], streamed)
        if self.tells_usage:
            self.assertEqual((ours["prompt_tokens"], ours["completion_tokens"]), (theirs.usage.prompt_tokens, theirs.usage.completion_tokens))
        self.assertEqual([n["level"] for n in ours["notices"]], [])

    def test_sampled_by_seed(self):
        theirs = self.theirs(temperature=1.0, top_p=0.9)
        ours = self.ask("--temperature", "1", "--top-p", "0.9", "--max-tokens", "12", QUESTION)
        self.assertEqual(ours["text"], theirs.choices[0].message.content)

    def test_conversation_and_stop(self):
        messages = [{"role": "system", "content": "You are brief."}, {"role": "user", "content": "Hi"},
                    {"role": "assistant", "content": "Hello."}, {"role": "user", "content": QUESTION}]
        file = HOME / "messages.json"
        file.write_text(json.dumps(messages))
        whole = self.theirs(messages=messages).choices[0].message.content
        self.assertEqual(self.ask("--max-tokens", "12", "--messages", str(file))["text"], whole)
        stop = whole.split()[2]
        theirs = self.theirs(messages=messages, stop=[stop]).choices[0]
        ours = self.ask("--max-tokens", "12", "--messages", str(file), "--stop", stop)
        self.assertEqual((ours["text"], ours["finish_reason"]), (theirs.message.content, "stop"))

    def test_raw(self):
        theirs = self.client().completions.create(model=self.model, prompt="Once upon a time", max_tokens=12, temperature=0, seed=7)
        self.assertEqual(self.ask("--max-tokens", "12", "--raw", "Once upon a time")["text"], theirs.choices[0].text)

    def test_schema(self):
        file = HOME / "schema.json"
        file.write_text(json.dumps(SCHEMA))
        got = json.loads(self.ask("--schema", str(file), "--max-tokens", "60", QUESTION)["text"])
        self.assertEqual(list(got), ["city"])

    def test_models(self):
        names = [m.id for m in self.client().models.list()]
        listed = [m["name"] for m in json.loads(self.run_adam("list", "--json").stdout)["models"]]
        self.assertEqual([n for n in listed if n.startswith("openai:")], [f"openai:{n}" for n in names])

    def test_cancel(self):
        env = {"OPENAI_BASE_URL": self.url, **({"OPENAI_API_KEY": self.key} if self.key else {})}
        process = subprocess.Popen([ADAM, "run", "-m", f"openai:{self.model}", "--max-tokens", "900", "Tell a long story."],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(**env))
        self.assertTrue(process.stdout.read(4))
        process.send_signal(2)
        process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130)
        self.test_answer()  # the server is free again


class LlamaCpp(Both):
    model, key, tells_usage = "any name", "sk-local-key", False

    @classmethod
    def setUpClass(cls):
        cls.server = Llama()
        cls.url = cls.server.url

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def test_logprobs(self):
        theirs = self.theirs(logprobs=True, top_logprobs=3, max_tokens=6).choices[0].logprobs.content
        ours = self.ask("--max-tokens", "6", "--top-logprobs", "3", QUESTION)["logprobs"]["content"]
        self.assertEqual([t["token"] for t in ours], [t.token for t in theirs])
        for one, other in zip(ours, theirs):
            self.assertAlmostEqual(one["logprob"], other.logprob, 4)
            self.assertEqual([t["token"] for t in one["top_logprobs"]], [t.token for t in other.top_logprobs])

    def test_forms_and_parameters(self):
        self.assertIn(self.ask("--choice", "Paris", "--choice", "Rome", QUESTION)["text"], ("Paris", "Rome"))
        grammar = HOME / "digits.gbnf"
        grammar.write_text('root ::= [0-9] [0-9]')
        self.assertRegex(self.ask("--grammar", str(grammar), QUESTION)["text"], "^[0-9]{2}$")
        theirs = self.theirs(temperature=1.0, extra_body={"top_k": 5, "min_p": 0.1, "repeat_penalty": 1.3})
        ours = self.ask("--temperature", "1", "--top-k", "5", "--min-p", "0.1", "--repetition-penalty", "1.3", "--max-tokens", "12", QUESTION)
        self.assertEqual((ours["text"], ours["notices"]), (theirs.choices[0].message.content, []))

    def test_key(self):
        done = adam("run", "-m", "openai:x", "hi", env={"OPENAI_BASE_URL": self.url, "OPENAI_API_KEY": "sk-not-the-key"})
        self.assertEqual((done.returncode, b"401" in done.stderr, b"sk-not" in done.stderr), (5, True, False))

    def test_too_long(self):
        """It fails behind its 200, so that the stream has nothing in it."""
        self.run_adam("run", "-m", "openai:x", "word " * 1200, code=1, says="before the first event")


class Ollama(Both):
    model, key, tells_usage = "smol", None, True

    @classmethod
    def setUpClass(cls):
        cls.room = tempfile.TemporaryDirectory()
        room = pathlib.Path(cls.room.name)
        cls.server = Server(OLLAMA, room, room / "models").__enter__()
        (room / "Modelfile").write_text(f"FROM {GGUF}\n")
        cls.server.command("create", "smol", "-f", str(room / "Modelfile"))
        cls.url = f"http://{cls.server.host}/v1"

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()
        cls.room.cleanup()

    def test_unknown(self):
        self.run_adam("run", "-m", "openai:nobody", "hi", code=3, says="it has smol:latest")
        got = self.ask("--top-k", "5", "--max-tokens", "3", "hi")
        self.assertEqual([n["code"] for n in got["notices"]], ["parameter_ignored"])
        self.run_adam("run", "-m", "openai:smol", "--regex", "a+", "hi", code=6, says="Ollama cannot hold")

    def test_embeddings(self):
        texts = ["Paris is a city.", "A cat sleeps."]
        theirs = self.client().embeddings.create(model="smol", input=texts, encoding_format="float")
        ours = json.loads(self.run_adam("embed", "-m", "openai:smol", "--json", *texts).stdout)["embeddings"]
        self.assertEqual(len(ours), 2)
        for one, other in zip(ours, theirs.data):
            self.assertEqual(len(one), len(other.embedding))
            self.assertLess(max(abs(x - y) for x, y in zip(one, other.embedding)), 1e-4)


del Both
if __name__ == "__main__":
    sys.argv[1:] = []
    print("openai", openai.__version__)
    unittest.main()
