# SPDX-License-Identifier: Apache-2.0
"""The Ollama store without Ollama: stores made by hand are read and run, hostile ones refused, and what is written stays
whole beside a pruning server, a kill at any moment, other users and other file systems.

    store_test.py [BUILD]
"""
import hashlib
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from command import ADAM, BUILD, HOME, ROOT, adam, environment

GGUF = ROOT / "tests/golden/models/gguf-qwen3-k-quants/model.gguf"
TOOL = str(BUILD / "tests" / "store_tool")
MEDIA = "application/vnd.ollama.image."
CONFIG = {"model_format": "gguf", "model_family": "qwen3", "model_families": ["qwen3"], "model_type": "200K",
          "file_type": "Q4_K_M", "architecture": "amd64", "os": "linux"}
PROMPT = ["The sea", "--max-tokens", "12", "--seed", "7", "--json"]


class Store:
    """A store made by hand, the way Ollama lays it out."""

    def __init__(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="store-", dir=HOME))
        for name in ("blobs", "manifests"):
            (self.root / name).mkdir()
        self.env = {"OLLAMA_MODELS": str(self.root)}

    def blob(self, data, separator="-"):
        data = data.encode() if isinstance(data, str) else data
        digest = hashlib.sha256(data).hexdigest()
        (self.root / "blobs" / f"sha256{separator}{digest}").write_bytes(data)
        return {"digest": f"sha256:{digest}", "size": len(data)}

    def layer(self, kind, data, **more):
        return {"mediaType": MEDIA + kind, **self.blob(data), **more}

    def manifest(self, name, layers, config=CONFIG, **more):
        path = self.root / "manifests" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"schemaVersion": 2, "config": {"mediaType": "application/vnd.docker.container.image.v1+json",
                                                                   **self.blob(json.dumps(config))}, "layers": layers, **more}))
        return path

    def add(self, name="registry.ollama.ai/library/tiny/latest", *layers, config=CONFIG):
        return self.manifest(name, [self.layer("model", GGUF.read_bytes()), *layers], config)

    def adam(self, *arguments, **more):
        return adam(*arguments, env=self.env, **more)

    def tool(self, *arguments, **more):
        return subprocess.run([TOOL, arguments[0], str(self.root), *map(str, arguments[1:])], capture_output=True,
                              timeout=120, **more)

    def manifests(self):
        return [p for p in (self.root / "manifests").glob("*/*/*/*") if p.is_file()]

    def check(self, test):
        """Every manifest is whole, and so is every blob that it names."""
        used = set()
        for path in self.manifests():
            manifest = json.loads(path.read_text())
            for layer in [manifest["config"], *manifest["layers"]]:
                blob = self.root / "blobs" / layer["digest"].replace(":", "-")
                test.assertEqual(blob.stat().st_size, layer["size"])
                test.assertEqual("sha256:" + hashlib.sha256(blob.read_bytes()).hexdigest(), layer["digest"])
                used.add(blob.name)
        return used


def answer(result):
    return json.loads(result.stdout)


class Reading(unittest.TestCase):
    def test_runs_as_the_file_does(self):
        store = Store()
        store.add()
        there = answer(adam("run", str(GGUF), *PROMPT))
        for name in ("ollama:tiny", "ollama:TINY:Latest", "ollama:library/tiny", "ollama:registry.ollama.ai/library/tiny:latest"):
            result = store.adam("run", name, *PROMPT)
            self.assertEqual(result.returncode, 0, result.stderr)
            here = answer(result)
            self.assertEqual((here["text"], here["ids"]), (there["text"], there["ids"]))
            self.assertEqual((here["backend"], here["model"]), ("huggingface", "ollama:tiny:latest"))
        self.assertEqual(answer(store.adam("run", "ollama:tiny", "--backend", "huggingface", *PROMPT))["ids"], there["ids"])

    def test_layers(self):
        """What the layers say is what the options would say."""
        store = Store()
        system, messages = "Be brief.", [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
        params = {"temperature": 0, "top_k": 3, "repeat_penalty": 1.3, "num_predict": 5, "num_ctx": 300, "seed": 4, "stop": ["zzz"],
                  "num_gpu": 1, "mirostat": 2}
        store.add("registry.ollama.ai/library/tiny/latest", store.layer("params", json.dumps(params)), store.layer("system", system),
                  store.layer("messages", json.dumps(messages)), store.layer("license", "MIT License\n\nlong"))
        given = answer(store.adam("run", "ollama:tiny", "Yes", "--json"))
        whole = [{"role": "system", "content": system}, *messages, {"role": "user", "content": "Yes"}]
        file = HOME / "messages.json"
        file.write_text(json.dumps(whole))
        prompt = adam("template", "-m", str(GGUF), "--messages", str(file)).stdout
        asked = answer(adam("run", str(GGUF), prompt.decode(), "--raw", "--json", "--temperature", "0", "--top-k", "3",
                            "--repetition-penalty", "1.3", "--max-tokens", "5", "--seed", "4", "--ctx", "300"))
        self.assertEqual(given["ids"], asked["ids"])
        self.assertEqual(len(given["ids"]), 5)
        self.assertIn("mirostat", " ".join(n["text"] for n in given["notices"]))
        # an option is stronger; so is a system text
        given = answer(store.adam("run", "ollama:tiny", "Yes", "--json", "--max-tokens", "2", "--system", "Other."))
        whole[0]["content"] = "Other."
        file.write_text(json.dumps(whole))
        prompt = adam("template", "-m", str(GGUF), "--messages", str(file)).stdout
        asked = answer(adam("run", str(GGUF), prompt.decode(), "--raw", "--json", "--temperature", "0", "--top-k", "3",
                            "--repetition-penalty", "1.3", "--max-tokens", "2"))
        self.assertEqual(given["ids"], asked["ids"])
        shown = answer(store.adam("show", "ollama:tiny", "--json"))
        self.assertEqual(shown["origin"]["parameters"], params)
        self.assertEqual(shown["origin"]["system"], system)
        self.assertEqual(shown["origin"]["licenses"], ["MIT License\n\nlong"])
        self.assertEqual([l["kind"] for l in shown["origin"]["layers"]],
                         ["config", "model", "params", "system", "messages", "license"])
        manifest = store.manifests()[0]
        self.assertEqual(shown["origin"]["digest"], "sha256:" + hashlib.sha256(manifest.read_bytes()).hexdigest())
        self.assertEqual(shown["license"], "MIT License")

    def test_go_template(self):
        """Its own template is stronger than the file's; one that is no Go is passed over, tools go where they are known."""
        store = Store()
        text = "{{ range .Messages }}[{{ .Role }}] {{ .Content }}\n{{ end }}[assistant]"
        store.add("registry.ollama.ai/library/tiny/latest", store.layer("template", text))
        file = HOME / "messages.json"
        file.write_text(json.dumps([{"role": "system", "content": "S"}, {"role": "user", "content": "Yes"}]))
        given = store.adam("template", "-m", "ollama:tiny", "--messages", str(file))
        self.assertEqual(given.stdout, b"[system] S\n[user] Yes\n[assistant]", given.stderr)
        by_file = adam("template", "-m", str(GGUF), "--messages", str(file)).stdout
        self.assertNotEqual(by_file, given.stdout)
        here = answer(store.adam("run", "ollama:tiny", "Yes", "--system", "S", "--seed", "3", "--json", "--max-tokens", "5"))
        raw = answer(adam("run", str(GGUF), given.stdout.decode(), "--raw", "--seed", "3", "--json", "--max-tokens", "5"))
        self.assertEqual((here["ids"], here["prompt_tokens"]), (raw["ids"], raw["prompt_tokens"]))
        self.assertEqual(here["notices"], raw["notices"])
        self.assertEqual(answer(store.adam("show", "ollama:tiny", "--json"))["origin"]["template_used"], "go")
        result = store.adam("template", "-m", "ollama:tiny", "--messages", str(file), "--no-generation-prompt")
        self.assertEqual((result.returncode, b"always opens the answer" in result.stderr), (2, True), result.stderr)
        result = store.adam("template", "-m", "ollama:tiny", "--messages", str(file), "--kwargs", '{"x": 1}')
        self.assertEqual((result.returncode, b"only enable_thinking" in result.stderr), (2, True), result.stderr)
        tools = HOME / "tools.json"
        tools.write_text('[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object","properties":{}}}}]')
        rendered = store.adam("template", "-m", "ollama:tiny", "--messages", str(file), "--tools", str(tools)).stdout
        self.assertEqual(rendered, given.stdout)  # neither knows tools
        knowing = HOME / "knowing.gguf"
        folder = pathlib.Path(tempfile.mkdtemp(dir=HOME)) / "demo"
        shutil.copytree(ROOT / "models/demo", folder)
        (folder / "chat_template.jinja").write_text("{% for t in tools or [] %}{{ t | tojson }}{% endfor %}{{ messages[-1].content }}")
        self.assertEqual(adam("convert", str(folder), str(knowing)).returncode, 0)
        store.manifest("registry.ollama.ai/library/knowing/latest", [store.layer("model", knowing.read_bytes()), store.layer("template", text)])
        rendered = store.adam("template", "-m", "ollama:knowing", "--messages", str(file), "--tools", str(tools)).stdout
        self.assertIn(b'"name": "f"', rendered)
        self.assertEqual(store.adam("template", "-m", "ollama:knowing", "--messages", str(file)).stdout, given.stdout)
        store.add("registry.ollama.ai/library/tiny/latest", store.layer("template", "{{ range .Messages }"))
        self.assertEqual(store.adam("template", "-m", "ollama:tiny", "--messages", str(file)).stdout, by_file)
        here = answer(store.adam("run", "ollama:tiny", "Yes", "--json", "--max-tokens", "2"))
        self.assertIn("template_of_file", [n["code"] for n in here["notices"]])
        self.assertEqual(answer(store.adam("show", "ollama:tiny", "--json"))["origin"]["template_used"], "jinja")
        store.add("registry.ollama.ai/library/tiny/latest", store.layer("template", text), config={**CONFIG, "renderer": "qwen3-coder"})
        self.assertEqual(store.adam("template", "-m", "ollama:tiny", "--messages", str(file)).stdout, by_file)

    def test_stop(self):
        plain = answer(adam("run", str(GGUF), *PROMPT))["text"]
        word = plain[len(plain) // 2:len(plain) // 2 + 2]
        store = Store()
        store.add("registry.ollama.ai/library/tiny/latest", store.layer("params", json.dumps({"stop": [word]})))
        given = answer(store.adam("run", "ollama:tiny", *PROMPT))
        self.assertEqual((given["text"], given["finish_reason"]), (plain[:plain.index(word)], "stop"))

    def test_list(self):
        store = Store()
        store.add()
        store.add("hf.co/org/Tiny-GGUF/Q4_K_M")
        store.add("registry.ollama.ai/library/lora/latest", store.layer("adapter", "x"))
        models = {m["name"]: m for m in answer(store.adam("list", "--json"))["models"]}
        tiny = models["ollama:tiny:latest"]
        self.assertEqual((tiny["stores"], tiny["quantization"], tiny["reachable"]), (["ollama"], "q4_k_m", "both"))
        self.assertEqual(tiny["bytes"], GGUF.stat().st_size + len(json.dumps(CONFIG)))
        self.assertIn("ollama:hf.co/org/Tiny-GGUF:Q4_K_M", models)
        self.assertEqual(models["ollama:lora:latest"]["reachable"], "ollama")

    def test_one_file_of_two_stores(self):
        """A GGUF of the Hub's cache that Ollama has too, by a hard link."""
        store, cache, commit = Store(), pathlib.Path(tempfile.mkdtemp(dir=HOME)), "c" * 40
        room, digest = cache / "models--org--Tiny-GGUF", hashlib.sha256(GGUF.read_bytes()).hexdigest()
        for name in ("blobs", f"snapshots/{commit}", "refs"):
            (room / name).mkdir(parents=True)
        shutil.copy(GGUF, room / "blobs" / digest)
        (room / f"snapshots/{commit}/tiny.gguf").symlink_to(f"../../blobs/{digest}")
        (room / "refs/main").write_text(commit)
        store.env["HF_HUB_CACHE"] = str(cache)
        listed = {m["name"]: m for m in answer(store.adam("list", "--json"))["models"]}
        (name,) = [n for n in listed if n.startswith("org/Tiny-GGUF")]
        self.assertEqual((listed[name]["stores"], listed[name]["reachable"]), (["huggingface"], "native"))
        self.assertEqual(store.tool("publish", "Tiny", room / "blobs" / digest, json.dumps(CONFIG)).returncode, 0)
        listed = {m["name"]: m for m in answer(store.adam("list", "--json"))["models"]}
        self.assertEqual((listed[name]["stores"], listed[name]["reachable"]), (["huggingface", "ollama"], "both"))
        self.assertEqual(listed["ollama:Tiny:latest"]["reachable"], "both")
        lines = store.adam("list").stdout.decode().splitlines()
        self.assertTrue(any(l.startswith(name) and " huggingface,ollama " in l and " both " in l for l in lines), lines)
        shown = answer(store.adam("show", "org/Tiny-GGUF", "--json"))["origin"]
        self.assertEqual(shown, {"store": "huggingface", "root": str(cache), "repository": "org/Tiny-GGUF", "commit": commit,
                                 "revisions": ["main"], "file": "tiny.gguf", "also": ["ollama:Tiny:latest"]})
        text = store.adam("show", "org/Tiny-GGUF").stdout
        for word in (b"org/Tiny-GGUF", commit.encode(), b"main", b"ollama:Tiny:latest"):
            self.assertIn(word, text)

    def test_without_a_server(self):
        """embed, score, tokenize and template take it too."""
        store = Store()
        store.add()
        store.env["OLLAMA_HOST"] = "127.0.0.1:1"
        for command, *more in (["embed", "A text"], ["score", "--ids", "1,2,3"], ["tokenize", "A text"]):
            here, there = (adam(command, "-m", ref, *more, "--json", env=store.env) for ref in ("ollama:tiny", str(GGUF)))
            self.assertEqual((here.returncode, there.returncode), (0, 0), here.stderr + there.stderr)
            here, there = answer(here), answer(there)
            for one in (here, there):
                one.pop("model", None)
            self.assertEqual(here, there)

    def test_blob_of_an_older_version(self):
        store = Store()
        store.manifest("registry.ollama.ai/library/old/latest", [{"mediaType": MEDIA + "model", **store.blob(GGUF.read_bytes(), ":")}])
        self.assertEqual(store.adam("run", "ollama:old", *PROMPT).returncode, 0)


class Refusing(unittest.TestCase):
    def refuse(self, store, code, *words, name="ollama:tiny"):
        result = store.adam("run", name, "--backend", "huggingface", "Hi")
        self.assertEqual(result.returncode, code, result.stderr)
        for word in words:
            self.assertIn(word.encode(), result.stderr)
        self.assertEqual(store.adam("list", "--json").returncode, 0)

    def test_not_supported(self):
        model = GGUF.read_bytes()
        for words, layers, config in (
                ("LoRA", [("model", model), ("adapter", b"x")], CONFIG),
                ("cloud", [], {**CONFIG, "remote_host": "https://ollama.com:443", "remote_model": "big"}),
                ("projector", [("projector", model)], CONFIG),
                ("safetensors", [("tensor", b"x"), ("json", b"{}")], {**CONFIG, "model_format": "safetensors"}),
                ("no layer with a model", [], CONFIG),
                ("format odd", [("model", model)], {**CONFIG, "model_format": "odd"})):
            store = Store()
            store.manifest("registry.ollama.ai/library/tiny/latest", [store.layer(*l) for l in layers], config)
            self.refuse(store, 6, words)

    def test_hostile(self):
        model = GGUF.read_bytes()
        for change in ({"digest": "sha256:../../../../../../etc/passwd"}, {"digest": "sha256:" + "A" * 63}, {"digest": None},
                       {"size": -1}, {"size": 10 ** 10}, {"size": 1}, {"size": "1"}, {"size": 10 ** 40}):
            store = Store()
            store.manifest("registry.ollama.ai/library/tiny/latest", [{**store.layer("model", model), **change}])
            self.refuse(store, 6)
        for text in ("", "{", "[]", "null", '{"config":{},"layers":7}', "[" * 100000, '{"a":"' + "x" * (33 << 20) + '"}'):
            store = Store()
            store.add().write_text(text)
            began = time.monotonic()
            self.refuse(store, 6)
            self.assertLess(time.monotonic() - began, 10)

    def test_hostile_layers(self):
        """Each is refused, or runs without it; none breaks what opens it."""
        for kind, data, code in (
                ("params", '{"temperature": 1e999}', 0), ("params", "[1]", 6), ("params", "{" * 5000, 6),
                ("params", '{"temperature":"x","num_ctx":1e18,"num_predict":-9223372036854775808,"seed":1.5,"top_p":-1,"stop":[1,"",null]}', 0),
                ("params", json.dumps({"stop": ["x%d" % i for i in range(5000)], "num_ctx": 2 ** 62, "k" * 100000: 1}), 0),
                ("messages", "{}", 6), ("messages", "[1]", 6), ("messages", '[{"role":5}]', 6), ("messages", "[]", 0),
                ("template", b"\xff\xfe", 6), ("template", b"a\0b", 6), ("template", "x" * (5 << 20), 6),
                ("template", "{{ range $i, $e := .Messages }}{{ end }}" * 3000, 0),
                ("system", b"\xc0\x80", 6), ("license", "l" * (3 << 20), 0)):
            store = Store()
            store.add("registry.ollama.ai/library/tiny/latest", store.layer(kind, data))
            began = time.monotonic()
            result = store.adam("run", "ollama:tiny", "Hi", "--backend", "huggingface", "--max-tokens", "1")
            self.assertEqual(result.returncode, code, (kind, data[:60], result.stderr))
            self.assertLess(len(result.stderr), 3000)
            self.assertEqual(store.adam("show", "ollama:tiny").returncode, 6 if code == 6 else 0)
            self.assertEqual(store.adam("list").returncode, 0)
            self.assertLess(time.monotonic() - began, 10)

    def test_circles(self):
        """Folders of links that lead back to themselves: the looking ends; nothing is thought unused."""
        store = Store()
        store.add()
        ring = store.root / "manifests" / "ring"
        ring.mkdir()
        for i in range(120):
            (ring / f"r{i}").symlink_to(ring)
        (store.root / "manifests/self").symlink_to("self")
        (store.root / "manifests/up").symlink_to("..")
        began = time.monotonic()
        listed = [m["name"] for m in answer(store.adam("list", "--json"))["models"]]
        self.assertIn("ollama:tiny:latest", listed)
        self.assertEqual(store.adam("run", "ollama:tiny", "Hi", "--max-tokens", "1").returncode, 0)
        self.assertEqual(store.tool("copy", "tiny", "other").returncode, 0)
        self.assertEqual(store.tool("remove", "tiny").stdout, b"0 1\n")  # kept: not all could be looked at
        self.assertEqual(store.tool("remove", "other").returncode, 0)
        self.assertTrue(any((store.root / "blobs").iterdir()))
        self.assertLess(time.monotonic() - began, 60)

    def test_not_regular(self):
        store = Store()
        store.add()
        blob = store.root / "blobs" / f"sha256-{hashlib.sha256(GGUF.read_bytes()).hexdigest()}"
        blob.unlink()
        self.refuse(store, 6, "missing")
        os.mkfifo(blob)
        self.refuse(store, 6, "no regular file")
        blob.unlink()
        blob.symlink_to("/nonexistent")
        self.refuse(store, 6, "missing")

    def test_names(self):
        store = Store()
        store.add()
        self.refuse(store, 3, "no such model", name="ollama:none")
        for name in ("ollama:", "ollama:../x", "ollama:a:b/../c", "ollama:tiny:..", "ollama:-x"):
            self.refuse(store, 2, name=name)


PRUNE = r"""
import json, os, pathlib, re, sys
root, stop = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
while not stop.exists():  # as Ollama v0.9.6 does when it starts
    names = os.listdir(root / "blobs")
    for name in [n for n in names if not re.fullmatch("sha256-[0-9a-f]{64}", n)]:
        try: os.remove(root / "blobs" / name)
        except OSError: pass
    used = set()
    for path in (root / "manifests").glob("*/*/*/*"):
        try: manifest = json.loads(path.read_text())
        except (OSError, ValueError): continue
        used |= {l["digest"].replace(":", "-") for l in [manifest["config"], *manifest["layers"]]}
    for name in names:
        if name not in used:
            try: os.remove(root / "blobs" / name)
            except OSError: pass
    for folder in sorted((root / "manifests").rglob("*"), reverse=True):
        try: folder.rmdir()
        except OSError: pass
"""


class Writing(unittest.TestCase):
    def publish(self, store, name="Tiny", *more, **how):
        return store.tool("publish", name, GGUF, json.dumps(CONFIG), "template", "{{ .Prompt }}", *more, **how)

    def test_link(self):
        store = Store()
        result = self.publish(store)
        self.assertEqual((result.returncode, result.stdout), (0, b"hard link 0\n"), result.stderr)
        self.assertEqual(len(store.check(self)), 3)
        self.assertEqual(sorted(p.name for p in store.root.iterdir()), ["blobs", "manifests"])
        blob = store.root / "blobs" / f"sha256-{hashlib.sha256(GGUF.read_bytes()).hexdigest()}"
        self.assertTrue(os.path.samefile(blob, GGUF))
        for path in [*store.manifests(), *(p for p in (store.root / "blobs").iterdir() if p != blob)]:
            self.assertEqual(path.stat().st_mode & 0o777, 0o644)
        self.assertEqual(self.publish(store).returncode, 2)  # never over a name that is there
        self.assertEqual(store.adam("run", "ollama:tiny", *PROMPT).returncode, 0)
        self.assertEqual(store.tool("copy", "tiny", "me/other:x").returncode, 0)
        self.assertEqual(store.tool("rename", "me/other:x", "third").returncode, 0)
        self.assertEqual(len(store.manifests()), 2)
        self.assertEqual(store.tool("remove", "tiny").stdout, b"0 0\n")
        store.check(self)
        self.assertEqual(store.tool("remove", "third").returncode, 0)
        self.assertEqual((list((store.root / "blobs").iterdir()), list((store.root / "manifests").iterdir())), ([], []))
        self.assertTrue(GGUF.exists())

    def test_copy(self):
        store = Store()
        result = self.publish(store, env={**os.environ, "STORE_TOOL_FORBID": "6"})
        self.assertEqual(result.stdout.decode(), f"copy {GGUF.stat().st_size}\n", result.stderr)
        store.check(self)

    def test_links_are_not_followed(self):
        store, far = Store(), pathlib.Path(tempfile.mkdtemp(dir=HOME))
        self.publish(store)
        (far / "library" / "m").mkdir(parents=True)
        shutil.copy(store.manifests()[0], far / "library/m/latest")
        (store.root / "manifests" / "far.host").symlink_to(far)
        result = store.tool("remove", "far.host/library/m")
        self.assertEqual(result.returncode, 6, result.stderr)
        self.assertTrue((far / "library/m/latest").exists())
        (store.root / "manifests" / "far.host").unlink()
        blob = store.root / "blobs" / f"sha256-{hashlib.sha256(GGUF.read_bytes()).hexdigest()}"
        target = far / "precious"
        shutil.copy(GGUF, target)
        blob.unlink()
        blob.symlink_to(target)
        self.assertEqual(store.tool("remove", "tiny").returncode, 0)
        self.assertTrue(target.exists() and not blob.is_symlink())

    def test_beside_a_pruning_server(self):
        store, stop = Store(), pathlib.Path(tempfile.mkdtemp(dir=HOME)) / "stop"
        prune = subprocess.Popen([sys.executable, "-c", PRUNE, str(store.root), str(stop)])
        try:
            result = store.tool("loop", "model", GGUF, json.dumps(CONFIG), "12")
            time.sleep(0.1)
        finally:
            stop.touch()
            prune.wait(30)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(len(store.manifests()), 12)
        store.check(self)

    def test_orphan_in_use(self):
        """The blob lay in the store before, used by nobody: a server that lists it, and reads the manifests before ours is
        there, takes it away afterwards."""
        for seed in range(4):
            store = Store()
            store.blob(GGUF.read_bytes())
            process = subprocess.Popen([TOOL, "publish", str(store.root), "Tiny", str(GGUF), json.dumps(CONFIG)],
                                       stdout=subprocess.PIPE)
            while not store.manifests() and process.poll() is None:
                pass
            time.sleep(seed * 0.01)
            for path in (store.root / "blobs").iterdir():
                path.unlink()
            self.assertEqual(process.wait(30), 0)
            process.stdout.close()
            self.assertEqual(len(store.check(self)), 2)

    def test_kill(self):
        store, draw = Store(), random.Random(5)
        for i in range(40):
            command = [TOOL, "replace", str(store.root), f"m-{i % 3}", str(GGUF), json.dumps({**CONFIG, "i": i}), "system", f"text {i}"]
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(draw.random() * 0.06)
            process.kill()
            process.wait()
            store.check(self)
        self.assertEqual(self.publish(store, "last").returncode, 0)
        self.assertEqual(sorted(p.name for p in store.root.iterdir()), ["blobs", "manifests"])
        store.check(self)

    def test_writers_at_once(self):
        store = Store()
        both = [subprocess.Popen([TOOL, "loop", str(store.root), name, str(GGUF), json.dumps(CONFIG), "4"],
                                 stdout=subprocess.DEVNULL) for name in ("a", "b", "c")]
        self.assertEqual([p.wait(60) for p in both], [0, 0, 0])
        self.assertEqual((len(store.manifests()), len(store.check(self))), (12, 2))


def other_user():
    """What makes a process one of another user; None: that cannot be had here."""
    if os.geteuid() != 0:
        return None
    how = {"user": 65534, "group": 65534, "extra_groups": []}
    try:
        return how if subprocess.run([TOOL, "none"], **how).returncode == 2 else None
    except (OSError, subprocess.SubprocessError):
        return None


class ServiceAccount(unittest.TestCase):
    def setUp(self):
        self.other = other_user()
        if not self.other:
            self.skipTest("needs root, and a build folder that all users can read")
        HOME.chmod(0o755)
        self.store = Store()
        self.store.root.chmod(0o755)
        file = tempfile.mkdtemp(dir=HOME)
        os.chmod(file, 0o755)
        self.gguf = pathlib.Path(file) / "model.gguf"
        shutil.copy(GGUF, self.gguf)

    def test_root_writes_for_the_service(self):
        for name in ("", "blobs", "manifests"):
            os.chown(self.store.root / name, 65534, 65534)
        self.gguf.chmod(0o600)
        result = self.store.tool("publish", "m", self.gguf, json.dumps(CONFIG))
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"chmod a+r", result.stderr)
        self.gguf.chmod(0o644)
        self.assertEqual(self.store.tool("publish", "m", self.gguf, json.dumps(CONFIG)).returncode, 0)
        owners = {p.stat().st_uid for p in self.store.root.rglob("*") if not os.path.samefile(p, self.gguf)}
        self.assertEqual(owners, {65534} if not (self.store.root / "blobs").stat().st_uid == 0 else {0})
        self.assertEqual(self.store.tool("remove", "m", **self.other).returncode, 0)  # so it can remove what we made

    def test_read_only_and_hidden(self):
        self.assertEqual(self.store.tool("publish", "m", self.gguf, json.dumps(CONFIG)).returncode, 0)
        result = self.store.tool("publish", "n", self.gguf, json.dumps(CONFIG), **self.other)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"may not write", result.stderr)
        self.assertIn(b"run this as the user root", result.stderr)
        self.store.check(self)
        env = environment(OLLAMA_MODELS=str(self.store.root), OLLAMA_HOST="127.0.0.1:1")
        command = [ADAM, "run", "ollama:m", "Hi", "--backend", "huggingface", "--max-tokens", "2"]
        seen = subprocess.run(command, env=env, capture_output=True, cwd="/", **self.other)
        self.assertEqual(seen.returncode, 0, seen.stderr)
        (self.store.root / "manifests").chmod(0o700)
        hidden = subprocess.run(command, env=env, capture_output=True, cwd="/", **self.other)
        self.assertEqual(hidden.returncode, 5, hidden.stderr)
        self.assertIn(b"may not read the store", hidden.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
