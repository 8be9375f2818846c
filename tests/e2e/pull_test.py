# SPDX-License-Identifier: Apache-2.0
"""adam pull against a Hub that does everything wrong that a Hub can do.    pull_test.py [BUILD]"""
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from command import ADAM, HOME, ROOT, Terminal, adam, environment, has_terminals
from fake_hub import FakeHub, Stored

MB = 1 << 20
DEMO = {p.name: p.read_bytes() for p in (ROOT / "models/demo").iterdir() if p.is_file()}
BIG = random.Random(5).randbytes(40 * MB + 12345)
SMALL = {"config.json": b'{"model_type": "llama"}', "README.md": b"# A model\n", "LICENSE": b"MIT\n", "tokenizer.json": b"{}"}
SIGNATURE = b"Signature: 8a477f597d28d172789f06886806bc55\n"


def etag(path, content, lfs=None):
    return Stored(path, content, lfs).etag


class Case(unittest.TestCase):
    def setUp(self):
        self.cache = pathlib.Path(tempfile.mkdtemp(dir=HOME))
        self.hub = FakeHub()
        self.hub.__enter__()
        self.addCleanup(self.hub.__exit__)
        self.addCleanup(shutil.rmtree, self.cache, ignore_errors=True)
        self.env = {"HF_ENDPOINT": self.hub.endpoint, "HF_HUB_CACHE": str(self.cache), "ADAM_RETRY_MS": "5"}

    def pull(self, *arguments, env=None, timeout=60):
        return adam("pull", *arguments, env={**self.env, **(env or {})}, timeout=timeout)

    def works(self, *arguments, env=None):
        done = self.pull(*arguments, env=env)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        self.assert_whole()
        return pathlib.Path(done.stdout.decode().strip())

    def fails(self, code, *arguments, says=(), env=None):
        done = self.pull(*arguments, env=env)
        shown = done.stderr.decode()
        self.assertEqual(done.returncode, code, shown)
        self.assertRegex(shown.strip().splitlines()[-1], r"^adam: .+: .+")
        for text in [says] if isinstance(says, str) else says:
            self.assertIn(text, shown)
        self.assertNotIn(self.hub.token, shown + done.stdout.decode())
        self.assert_whole()
        return shown

    def folder(self, name="org/model"):
        return self.cache / ("models--" + name.replace("/", "--"))

    def assert_whole(self):
        """Whatever happened: a blob has the content of its name, a link leads to a blob, a ref to a snapshot."""
        for blob in self.cache.glob("models--*/blobs/*"):
            if blob.name.endswith(".incomplete"):
                continue
            content = blob.read_bytes()
            digest = (hashlib.sha256(content) if len(blob.name) == 64 else hashlib.sha1(b"blob %d\0" % len(content) + content))
            self.assertEqual(digest.hexdigest(), blob.name)
        for path in self.cache.glob("models--*/snapshots/*/**/*"):
            if path.is_symlink():
                self.assertTrue(path.exists(), path)
                self.assertFalse(os.path.isabs(os.readlink(path)))
            self.assertFalse(path.name.endswith(".tmp"))
        for ref in self.cache.glob("models--*/refs/**/*"):
            if ref.is_file():
                self.assertRegex(ref.read_bytes().decode(), r"^[0-9a-f]{40}$")
                self.assertTrue((ref.parents[0] if ref.parent.name != "refs" else ref.parent).exists())

    def assert_content(self, path, files):
        found = {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}
        self.assertEqual(sorted(found), sorted(files))
        self.assertTrue(found == files, "contents differ")


class Works(Case):
    def test_a_model_is_pulled_and_runs(self):
        sha = self.hub.add("org/model", {**DEMO, "pytorch_model.bin": b"pickle", "model.onnx": b"x", "run.py": b"import os",
                                         "onnx/model.onnx": b"x", "original/model.safetensors": b"x"})
        path = self.works("org/model", env={"HF_TOKEN": self.hub.token})
        self.assert_content(path, DEMO)
        self.assertEqual(path, self.folder() / "snapshots" / sha)
        self.assertEqual((self.folder() / "refs/main").read_bytes(), sha.encode())
        self.assertTrue((self.cache / "CACHEDIR.TAG").read_bytes().startswith(SIGNATURE))
        digest = hashlib.sha256(DEMO["model.safetensors"]).hexdigest()
        self.assertEqual(os.readlink(path / "model.safetensors"), f"../../blobs/{digest}")
        self.assertTrue((self.cache / ".locks/models--org--model" / f"{digest}.lock").is_file())
        ask = ["--raw", "--temperature", "0", "--max-tokens", "20", "Hello"]
        self.assertEqual(adam("run", "org/model", *ask, env=self.env).stdout, adam("run", "demo", *ask).stdout)
        listed = json.loads(adam("list", "--json", env=self.env).stdout)["models"]
        self.assertIn("org/model", [m["name"] for m in listed])
        # The token went to the Hub, in a header of each request, and never to the CDN.
        self.assertTrue(all(r["headers"].get("authorization") == f"Bearer {self.hub.token}" for r in self.hub.seen("hub")))
        self.assertTrue(self.hub.seen("cdn"))
        self.assertFalse([r for r in self.hub.seen("cdn") if "authorization" in r["headers"]])
        # Again: nothing is fetched twice.
        self.hub.clear()
        self.assertEqual(self.works("org/model"), path)
        self.assertEqual(self.hub.seen(contains="/resolve"), [])
        # Offline there is no request at all.
        self.hub.clear()
        self.assertEqual(self.works("org/model", "--offline"), path)
        self.assertEqual(self.works("org/model", env={"HF_HUB_OFFLINE": "1"}), path)
        self.assertEqual(self.hub.seen(), [])
        self.fails(3, "org/other", "--offline", says=["not downloaded", "without --offline"])

    def test_absent_models_are_pulled_by_run(self):
        self.hub.add("org/model", DEMO)
        done = adam("run", "org/model", "hi", env=self.env)
        self.assertEqual(done.returncode, 3)
        self.assertIn(b"adam pull org/model", done.stderr)
        done = adam("run", "--pull", "org/model", "--max-tokens", "3", "--temperature", "0", "hi", env=self.env)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(done.stdout and b"snapshots" not in done.stdout)

    def test_tokens_come_from_the_usual_places(self):
        self.hub.add("org/model", SMALL)
        self.hub.repositories["org/model"].private = True
        home = pathlib.Path(tempfile.mkdtemp(dir=HOME))
        (home / "token").write_text(f"  {self.hub.token}\r\n")
        self.works("org/model", env={"HF_HOME": str(home)})
        (home / "elsewhere").write_text(self.hub.token)
        self.works("org/model", env={"HF_TOKEN_PATH": str(home / "elsewhere")})
        self.works("org/model", env={"HUGGING_FACE_HUB_TOKEN": self.hub.token, "HF_HOME": "/none"})
        self.works("org/model", env={"HF_TOKEN": f"\n{self.hub.token} "})
        self.fails(3, "org/model", says="HF_TOKEN", env={"HF_HOME": str(home), "HF_HUB_DISABLE_IMPLICIT_TOKEN": "ON"})
        # Blanks are no token: the next place is asked, as huggingface_hub does.
        self.works("org/model", env={"HF_TOKEN": " \n", "HF_HOME": str(home)})
        self.works("org/model", env={"HF_TOKEN": self.hub.token, "HUGGING_FACE_HUB_TOKEN": "hf_wrong", "HF_HOME": str(home)})
        self.works("org/model", env={"XDG_CACHE_HOME": str(home / "xdg"), "HF_TOKEN_PATH": "$HF_HOME/token", "HF_HOME": str(home)})
        (home / "xdg/huggingface").mkdir(parents=True)
        (home / "xdg/huggingface/token").write_text(self.hub.token)
        self.works("org/model", env={"XDG_CACHE_HOME": str(home / "xdg")})
        (home / "elsewhere").write_text("")
        self.fails(3, "org/model", says="HF_TOKEN", env={"HF_TOKEN_PATH": str(home / "elsewhere"), "HF_HOME": str(home)})
        self.fails(2, "org/model", says="characters", env={"HF_TOKEN": "hf_x\r\nX-Evil: 1"[:6] + " X"})

    def test_revisions(self):
        old = self.hub.add("org/model", {**SMALL, "model.safetensors": b"old"})
        new = self.hub.add("org/model", {**SMALL, "model.safetensors": b"new"}, ref="refs/pr/1")
        self.assertEqual(self.works("org/model@refs/pr/1").name, new)
        self.assertEqual((self.folder() / "refs/refs/pr/1").read_bytes(), new.encode())
        self.assertEqual(self.works(f"hf:org/model@{old}").name, old)
        self.assertFalse((self.folder() / "refs/main").exists())
        self.assertEqual(self.works("org/model").name, old)
        # What has the same content is fetched once.
        self.assertEqual(len(self.hub.seen(contains="config.json")), 2)  # the redirect and its target
        # main moves on while the network is cut: the old snapshot still is what main means.
        self.hub.add("org/model", {**SMALL, "model.safetensors": b"newest"})
        self.hub.fault("cdn", times=None, status=500)
        self.fails(5, "org/model")
        self.assertEqual((self.folder() / "refs/main").read_bytes(), old.encode())

    def test_presets_and_old_names(self):
        self.hub.add("Qwen/Qwen3-0.6B", {**SMALL, "model.safetensors": b"w"})
        done = self.pull("Qwen/Qwen3-0.6B-Chat")
        self.assertIn(b"is Qwen/Qwen3-0.6B on the Hub", done.stderr)
        self.hub.clear()
        self.works("qwen3_small")
        self.fails(3, "qwen3_smal", says="did you mean qwen3_small?")
        self.fails(2, "demo", says="ships")
        self.fails(2, "./model", says="needs no download")
        self.fails(6, "mock:echo", says="nothing to download")
        self.fails(2, "org/model:", says="ORG/NAME")
        self.fails(2, "org/../model", says="not a repository")
        self.hub.renamed["org/older"] = "Qwen/Qwen3-0.6B"
        self.assertTrue((self.works("org/older") / "model.safetensors").is_file())

    def test_sharded(self):
        shards = {f"model-0000{i}-of-00002.safetensors": bytes([i]) * 1000 for i in (1, 2)}
        index = json.dumps({"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors",
                                           "c": "model-00001-of-00002.safetensors"}}).encode()
        files = {**SMALL, **shards, "model.safetensors.index.json": index}
        self.hub.add("org/model", {**files, "consolidated.safetensors": b"twice", "model.fp16.safetensors": b"x"})
        done = self.pull("org/model")
        path = pathlib.Path(done.stdout.decode().strip())
        lines = done.stderr.decode().splitlines()
        self.assertEqual(sorted(line.split(":")[0] for line in lines), sorted([*files, "org/model"]))
        self.assert_content(path, files)
        self.assertEqual((self.folder() / ".no_exist" / path.name / "model.safetensors").read_bytes(), b"")
        (path / "model-00002-of-00002.safetensors").unlink()
        self.fails(3, "org/model", "--offline", says="model-00002-of-00002.safetensors is missing")
        self.works("org/model")
        self.hub.add("org/bad", {**SMALL, "model.safetensors.index.json": index})
        self.fails(6, "org/bad", says="does not have")

    def test_sentence_transformers(self):
        files = {**SMALL, "model.safetensors": b"w", "modules.json": b"[]", "1_Pooling/config.json": b"{}",
                 "2_Dense/config.json": b"{}", "2_Dense/model.safetensors": b"d", "vocab.txt": b"a",
                 "additional_chat_templates/x.jinja": b"x"}
        self.hub.add("org/model", {**files, "2_Dense/pytorch_model.bin": b"p", "rust_model.ot": b"x", "tf_model.h5": b"x"})
        path = self.works("org/model")
        self.assert_content(path, files)
        self.assertTrue(os.readlink(path / "1_Pooling/config.json").startswith("../../../blobs/"))

    def test_gguf(self):
        kinds = {f"m-{q}.gguf": q.encode() for q in ("Q4_K_M", "Q8_0", "f16")}
        self.hub.add("org/model", {"README.md": b"r", **kinds, "mmproj-f16.gguf": b"vision"})
        self.assertEqual(self.works("org/model").name, "m-Q4_K_M.gguf")
        self.assertEqual(self.works("org/model:q8_0").name, "m-Q8_0.gguf")
        self.assertEqual(self.works("org/model:m-f16.gguf").name, "m-f16.gguf")
        self.assertEqual(len(self.hub.seen("cdn")), 3)
        self.fails(3, "org/model:Q5_K_M", says="there are Q4_K_M, Q8_0, f16")
        self.fails(3, "org/model:none.gguf", says="no such file")
        self.assertTrue(list(self.folder().glob(".no_exist/*/none.gguf")))
        parts = {f"Q8_0/big-Q8_0-0000{i}-of-00003.gguf": bytes([i]) for i in (1, 2, 3)}
        self.hub.add("org/parts", {**parts, "Q4_0/big-Q4_0.gguf": b"x"})
        self.fails(2, "org/parts", says="several GGUF")
        self.assertEqual(self.works("org/parts:Q8_0").name, "big-Q8_0-00001-of-00003.gguf")
        self.assertEqual(len(list(self.cache.glob("models--org--parts/snapshots/*/Q8_0/*"))), 3)
        del parts["Q8_0/big-Q8_0-00002-of-00003.gguf"]
        self.hub.add("org/less", parts)
        self.fails(6, "org/less", says="2 of the 3 parts")

    def test_what_cannot_be_used(self):
        self.hub.add("org/pickle", {**SMALL, "pytorch_model.bin": b"pickle"})
        self.fails(6, "org/pickle", says=["pickle", "GGUF version"])
        self.hub.add("org/adapter", {"adapter_config.json": b"{}", "adapter_model.safetensors": b"x"})
        self.fails(6, "org/adapter", says="adapter")
        self.hub.add("org/nothing", {"README.md": b"x"})
        self.fails(6, "org/nothing", says="has no model")
        self.hub.add("org/words", {"tokenizer.json": b"{}"})
        self.works("org/words")
        self.assertEqual(list(self.cache.glob("models--org--pickle/blobs/*")), [])

    def test_quiet(self):
        self.hub.add("Qwen/Qwen3-0.6B", {**SMALL, "model.safetensors": b"w"})
        done = self.pull("--quiet", "Qwen/Qwen3-0.6B-Chat")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertTrue(pathlib.Path(done.stdout.decode().strip()).is_dir())
        done = self.pull("--quiet", "--json", "Qwen/Qwen3-0.6B")
        self.assertEqual((done.stderr, json.loads(done.stdout.splitlines()[-1])["event"]), (b"", "done"))
        self.fails(3, "--quiet", "org/none", says="no model org/none")

    def test_offline_variables(self):
        self.hub.add("org/model", {**SMALL, "model.safetensors": b"w"})
        self.fails(3, "org/model", says="offline", env={"TRANSFORMERS_OFFLINE": "yes"})
        self.fails(3, "org/model", says="offline", env={"HF_HUB_OFFLINE": "True", "TRANSFORMERS_OFFLINE": "0"})
        self.assertEqual(self.hub.seen(), [])
        self.works("org/model", env={"HF_HUB_OFFLINE": "0", "TRANSFORMERS_OFFLINE": "1"})

    def test_large_files_come_in_ranges(self):
        self.hub.add("org/model", {**SMALL, "model.safetensors": BIG})
        path = self.works("org/model")
        self.assertTrue((path / "model.safetensors").read_bytes() == BIG)
        ranges = [r["headers"]["range"] for r in self.hub.seen("cdn")]
        self.assertGreater(len(set(ranges)), 3)
        self.assertEqual(sum(r["sent_bytes"] for r in self.hub.seen("cdn")), len(BIG))
        self.assertEqual(len(self.hub.seen("hub", contains="model.safetensors")) >= 1, True)

    def test_without_links(self):
        self.hub.add("org/model", {**SMALL, "copy.txt": b"", "model.safetensors": b"w", "NOTICE": SMALL["LICENSE"]})
        path = self.works("org/model", env={"HF_HUB_DISABLE_SYMLINKS": "1"})
        self.assertFalse([p for p in path.rglob("*") if p.is_symlink()])
        self.assertEqual((path / "NOTICE").read_bytes(), SMALL["LICENSE"])
        self.hub.clear()
        self.works("org/model", env={"HF_HUB_DISABLE_SYMLINKS": "1"})
        self.assertEqual(self.hub.seen(contains="/resolve"), [])
        # A blob that another snapshot links to stays where it is.
        self.hub.add("org/other", {**SMALL, "model.safetensors": b"1"})
        first = self.works("org/other")
        self.hub.add("org/other", {**SMALL, "model.safetensors": b"2"})
        self.works("org/other", env={"HF_HUB_DISABLE_SYMLINKS": "1"})
        self.assertEqual((first / "config.json").read_bytes(), SMALL["config.json"])

    def test_what_ollama_has_is_not_fetched(self):
        self.hub.add("org/model", {**SMALL, "model.safetensors": BIG})
        store = pathlib.Path(tempfile.mkdtemp(dir=HOME))
        (store / "blobs").mkdir()
        theirs = store / f"blobs/sha256-{hashlib.sha256(BIG).hexdigest()}"
        theirs.write_bytes(BIG)
        path = self.works("org/model", env={"OLLAMA_MODELS": str(store)})
        self.assertEqual(self.hub.seen("cdn"), [])
        self.assertTrue((path / "model.safetensors").samefile(theirs))
        shutil.rmtree(self.folder())
        theirs.unlink()
        theirs.write_bytes(BIG[:-1] + b"?")  # the name alone proves nothing
        self.works("org/model", env={"OLLAMA_MODELS": str(store)})
        self.assertTrue(self.hub.seen("cdn"))

    def test_names_that_differ_by_case(self):
        files = {**SMALL, "model.safetensors": b"w", "readme.MD": b"another\n", "license": b"GPL\n", "Config.json": b"x"}
        self.hub.add("org/model", files)
        del files["Config.json"]
        self.assert_content(self.works("org/model"), files)

    def test_very_many_files(self):
        self.hub.page = 50000
        rows = [{"type": "file", "oid": f"{i:040x}", "size": 1, "path": f"README.{i}"} for i in range(99990)]
        self.hub.add("org/model", {**SMALL, "model.safetensors": b"w"})
        self.hub.repositories["org/model"].extra_rows = rows
        began = time.monotonic()
        self.fails(3, "org/model", says="README")  # the fake has none of them, and only a few are asked for
        self.assertLess(time.monotonic() - began, 20)
        self.assertLess(len(self.hub.seen(contains="/resolve")), 60)
        for row in rows:
            row["path"] = f"data/{row['path']}"
        self.works("org/model")

    def test_pages(self):
        self.hub.page = 3
        self.hub.add("org/model", {**SMALL, "model.safetensors": b"w", **{f"x/{i}.txt": b"" for i in range(20)}})
        self.works("org/model")
        self.assertEqual(len(self.hub.seen(contains="/tree/")), 9)

    def test_events(self):
        self.hub.add("org/model", {**SMALL, "model.safetensors": BIG})
        done = self.pull("--json", "org/model", "org/none")
        events = [json.loads(line) for line in done.stdout.decode().splitlines()]
        self.assertEqual(done.returncode, 3)
        kinds = {e["event"] for e in events}
        self.assertEqual(kinds, {"file", "progress", "done", "error"})
        last = [e for e in events if e["event"] == "progress" and e["model"] == "org/model"][-1]
        self.assertEqual(last["done_bytes"], last["bytes"])
        end = next(e for e in events if e["event"] == "done")
        self.assertEqual(end["received_bytes"], end["bytes"])
        self.assertEqual(end["bytes"], len(BIG) + sum(map(len, SMALL.values())))
        states = [e["state"] for e in events if e["event"] == "file" and e["name"] == "model.safetensors"]
        self.assertEqual(states[-1], "done")
        self.assertEqual(next(e for e in events if e["event"] == "error")["status"], "NOT_FOUND")

    @unittest.skipUnless(has_terminals(), "no pseudo terminals")
    def test_bars_on_a_terminal(self):
        self.hub.add("org/model", {**SMALL, "model.safetensors": BIG})
        self.hub.fault("cdn", times=None, drip=(64 << 10, 0.02))
        terminal = Terminal("pull", "org/model", env=self.env)
        self.assertRegex(terminal.expect("MB/s, "), r"model\.safetensors +\[#+ *\] +\d+ %[^\n]*\n[^\n]*\d of 5 files +\[#+ *\] +\d+ %")
        terminal.expect(" s left")
        terminal.send("\x03")
        terminal.expect("call again to go on")
        self.assertEqual(terminal.close(), 130)


    @unittest.skipUnless(has_terminals(), "no pseudo terminals")
    def test_no_bars_where_none_are_wanted(self):
        self.hub.add("org/model", {**SMALL, "model.safetensors": BIG})
        self.hub.fault("cdn", times=None, drip=(64 << 10, 0.005))
        for arguments, env, bars in ((["--quiet"], {}, False), ([], {"HF_HUB_DISABLE_PROGRESS_BARS": "on"}, False),
                                     ([], {"HF_HUB_DISABLE_PROGRESS_BARS": "no"}, True)):
            shutil.rmtree(self.folder(), ignore_errors=True)
            terminal = Terminal("pull", "org/model", *arguments, env={**self.env, **env})
            shown = terminal.expect("snapshots")
            self.assertEqual(terminal.close(), 0)
            self.assertEqual("[#" in shown and "\033[" in shown, bars, shown)
            self.assertEqual("model.safetensors: 42 MB" in shown, not bars and not arguments, shown)

    def test_where_the_cache_is(self):
        self.hub.add("org/model", {**SMALL, "model.safetensors": b"w"})
        del self.env["HF_HUB_CACHE"]
        home, xdg = self.cache / "home", self.cache / "xdg"
        for env, place in (({"HF_HOME": str(home)}, home / "hub"), ({"HF_HOME": "$PLACE/x", "PLACE": str(home)}, home / "x/hub"),
                           ({"HF_HOME": "~/hf"}, HOME / "hf/hub"), ({"XDG_CACHE_HOME": str(xdg)}, xdg / "huggingface/hub"),
                           ({"HF_HUB_CACHE": str(xdg / "c"), "HF_HOME": str(home)}, xdg / "c"),
                           ({"HUGGINGFACE_HUB_CACHE": str(xdg / "old")}, xdg / "old")):
            self.assertTrue(self.works("org/model", env=env).is_relative_to(place / "models--org--model"))
        self.assertTrue(self.works("org/model", "--cache-dir", str(xdg / "own"), env={"HF_HUB_CACHE": str(home)})
                        .is_relative_to(xdg / "own"))
        self.works("org/model", env={"HF_HOME": str(home), "HF_ENDPOINT": self.hub.endpoint + "/"})


class Refusals(Case):
    def test_each_has_its_own_words(self):
        self.hub.add("org/model", {**SMALL, "model.safetensors": b"w"})
        token = {"HF_TOKEN": self.hub.token}
        gated = {"HF_TOKEN": "hf_wrong"}
        self.fails(3, "org/none", says=["no model org/none", "spelling", "HF_TOKEN"])
        self.fails(3, "org/none", says=["that the token may see"], env=token)
        self.fails(1, "org/model", says=["does not know the token", "hf auth login"], env=gated)
        self.fails(3, "org/model@none", says=["no revision none", "commit"])
        self.fails(3, f"org/model@{'0' * 40}", says="no revision")
        self.hub.add("org/gated", {**SMALL, "model.safetensors": b"w"})
        self.hub.repositories["org/gated"].gated = "manual"
        self.fails(1, "org/gated", says=["gated", "licence", f"{self.hub.endpoint}/org/gated"])
        self.fails(1, "org/gated", says=["gated", "ask for access"], env=token)
        self.hub.repositories["org/model"].disabled = True
        self.fails(1, "org/model", says="disabled")

    def test_no_server(self):
        self.fails(5, "org/model", says="127.0.0.1", env={"HF_ENDPOINT": "http://127.0.0.1:9"})
        self.fails(5, "org/model", env={"HF_ENDPOINT": "http://no-such-host.invalid"})
        self.fails(2, "org/model", says="HF_ENDPOINT", env={"HF_ENDPOINT": "ftp://x"})

    def test_rate_limits(self):
        self.hub.add("org/model", {**SMALL, "model.safetensors": b"w"})
        self.hub.fault("api", status=429, headers={"ratelimit": '"api";r=0;t=0', "ratelimit-policy": '"fixed window";"api";q=500;w=300'})
        self.hub.fault("resolve", "config.json", status=429, headers={"Retry-After": "1"})
        began = time.monotonic()
        self.assertIn("the server limits requests", self.pull("org/model").stderr.decode())
        self.assertGreater(time.monotonic() - began, 1.9)
        self.hub.fault("api", times=None, status=429, headers={"Retry-After": "900"})
        self.fails(1, "org/model", says=["429", "900 s", "HF_TOKEN"])

    def test_trouble_passes_or_stays(self):
        self.hub.add("org/model", {**SMALL, "model.safetensors": b"w" * 5000})
        for where in ("api", "resolve", "cdn"):
            self.hub.fault(where, times=3, status=503)
        self.works("org/model")
        for where in ("api", "resolve", "cdn"):
            shutil.rmtree(self.folder())
            self.hub.clear()
            self.hub.fault(where, times=None, status=500)
            self.fails(5, "org/model", says=["500", "call again later"])
            self.hub.clear()
            self.works("org/model")

    def test_a_file_that_went_away(self):
        self.hub.add("org/model", {**SMALL, "model.safetensors": b"w"})
        self.hub.fault("resolve", "config.json", times=None, status=404, headers={"X-Error-Code": "EntryNotFound"})
        self.fails(3, "org/model", says="no file config.json")

    def test_signed_addresses_expire(self):
        self.hub.add("org/model", {**SMALL, "model.safetensors": BIG})
        self.hub.url_seconds = 1
        self.hub.fault("cdn", times=None, drip=(64 << 10, 0.03))
        self.works("org/model")
        self.assertTrue([r for r in self.hub.seen("cdn") if r["status"] == 403])
        shutil.rmtree(self.folder())
        self.hub.clear()
        self.hub.url_seconds = -5
        self.fails(1, "org/model", says=["403", "clock"])


class Hostile(Case):
    def setUp(self):
        super().setUp()
        self.hub.add("org/model", {**SMALL, "model.safetensors": BIG})

    def test_cut_in_the_middle(self):
        for _ in range(3):
            self.hub.fault("cdn", cut=3 * MB + 77)
            self.hub.fault("resolve", "resolve-cache", cut=1)
        path = self.works("org/model")
        self.assertTrue((path / "model.safetensors").read_bytes() == BIG)
        sent = sum(r["sent_bytes"] for r in self.hub.seen("cdn"))
        self.assertLess(sent, len(BIG) + 300_000, "what came is not asked for again")

    def test_cut_for_ever_keeps_what_came(self):
        self.hub.fault("cdn", times=4, cut=2 * MB)
        self.hub.fault("cdn", times=None, cut=0)
        self.fails(1, "org/model", says="what came is kept")
        self.assertEqual(len(list(self.folder().glob("blobs/*.incomplete"))), 1)
        self.hub.clear()
        self.works("org/model")
        self.assertLess(sum(r["sent_bytes"] for r in self.hub.seen("cdn")), len(BIG) - 6 * MB)

    def test_wrong_bytes(self):
        self.hub.fault("cdn", times=None, flip=20 * MB)
        self.fails(6, "org/model", says=["digest", "model.safetensors"])
        self.assertEqual(list(self.folder().glob("blobs/*.incomplete")), [])
        self.hub.clear()
        shutil.rmtree(self.folder())
        self.hub.fault("resolve", "resolve-cache", flip=0)
        self.fails(6, "org/model", says="digest")
        self.works("org/model")

    def test_lying_sizes(self):
        file = self.hub.repositories["org/model"].commits[self.hub.repositories["org/model"].refs["main"]]["model.safetensors"]
        file.claimed_size = len(BIG) + 5 * MB
        self.fails(6, "org/model", says="model.safetensors")
        file.claimed_size = len(BIG) - 5 * MB
        self.fails(6, "org/model", says="model.safetensors")
        file.claimed_size = 10 ** 18
        began = time.monotonic()
        self.fails(1, "org/model", says=["no room", "free", "--cache-dir"])
        self.assertLess(time.monotonic() - began, 5)
        file.claimed_size = -1
        self.fails(6, "org/model", says="without a size")
        file.claimed_size, file.claimed_etag = None, "../../../evil"
        self.fails(6, "org/model", says="digest")

    def test_a_short_length_is_asked_on(self):
        self.hub.fault("cdn", times=2, length=1000, cut=1000)
        self.works("org/model")

    def test_ranges_are_ignored(self):
        self.hub.fault("cdn", times=None, ignore_range=True)
        self.works("org/model")
        shutil.rmtree(self.folder())
        self.hub.clear()
        self.hub.fault("cdn", times=None, after=2, ignore_range=True)
        self.works("org/model")

    def test_header_floods(self):
        for where in ("api", "resolve", "cdn"):
            self.hub.clear()
            self.hub.fault(where, times=None, flood=90)
            self.works("org/model")  # 90 kB is much, and allowed
            shutil.rmtree(self.folder())
            self.hub.fault(where, times=None, flood=5000)
            self.hub.faults.pop(0)
            self.assertNotEqual(self.pull("org/model").returncode, 0)
            self.assert_whole()
            shutil.rmtree(self.folder(), ignore_errors=True)

    def test_names_that_lead_out(self):
        repository = self.hub.repositories["org/model"]
        for path in ("../evil.json", "/tmp/evil.json", "a/../../evil", "a//b", "a\\..\\b", ".", "a/./b", "x\u0000y", "\n", "x" * 5000):
            repository.extra_rows = [{"type": "file", "oid": "0" * 40, "size": 1, "path": path}]
            self.fails(6, "org/model", says="outside")
        repository.extra_rows = [{"type": "file", "oid": "0" * 40, "size": 1, "path": "config.json/x"}]
        self.fails(6, "org/model", says="twice")
        repository.extra_rows = [{"type": "file", "oid": "0" * 40, "size": 1, "path": f"{i}.txt"} for i in range(100001)]
        self.hub.page = 10 ** 9
        self.fails(6, "org/model", says="100000")

    def test_answers_that_are_no_json(self):
        for body in (b"", b"<html>", b"{", b"[1]", b'{"sha": "main"}', b'{"sha": 5}', b"null", b"\xff"):
            self.hub.clear()
            self.hub.fault("api", times=None, status=200, body=body)
            self.fails(6, "org/model")
        self.hub.clear()
        self.hub.fault("api", times=None, status=200, body=b"[" * 100000)
        self.fails(1, "org/model", says="deeper than 512")
        self.hub.clear()
        self.hub.fault("api", "tree", times=None, status=200, body=b"x" * (65 << 20))
        self.fails(1, "org/model", says="more than")

    def test_a_listing_without_end(self):
        self.hub.fault("api", "tree", times=None, status=200, body=b"[]",
                       headers={"Link": f'<{self.hub.endpoint}/api/models/org/model/tree/main>; rel="next"'})
        self.fails(6, "org/model", says="does not end")

    def test_the_token_follows_no_link_and_no_redirect(self):
        token = {"HF_TOKEN": self.hub.token}
        self.hub.fault("api", "tree", status=200, body=b"[]", headers={"Link": f'<{self.hub.cdn}/next>; rel="next"'})
        self.pull("org/model", env=token)
        self.hub.fault("api", "revision", location=f"{self.hub.cdn}/elsewhere")
        self.pull("org/model", env=token)
        self.assertGreaterEqual(len(self.hub.seen("cdn")), 2)
        self.assertFalse([r for r in self.hub.seen("cdn") if "authorization" in r["headers"]])
        self.hub.clear()
        self.hub.fault("resolve", "model.safetensors", location="file:///etc/passwd", times=None)
        self.fails(1, "org/model", env=token, says="leads nowhere")
        self.hub.clear()
        self.hub.fault("resolve", "model.safetensors", location=f"{self.hub.endpoint}/org/model/resolve/main/model.safetensors", times=None)
        self.fails(1, "org/model", says="redirects")

    def test_another_commit(self):
        self.hub.fault("resolve", "config.json", status=200, body=b"x", headers={"X-Repo-Commit": "0" * 40})
        self.fails(6, "org/model", says="another commit")

    def test_silence_ends_by_the_timeout(self):
        self.hub.fault("api", times=None, hang=3)
        began = time.monotonic()
        self.fails(1, "org/model", says="nothing came for too long", env={"HF_HUB_ETAG_TIMEOUT": "0.2"})
        self.assertLess(time.monotonic() - began, 8)
        self.hub.clear()
        self.hub.fault("cdn", times=None, hang=3)
        began = time.monotonic()
        self.fails(1, "org/model", says=["nothing came for too long", "what came is kept"],
                   env={"HF_HUB_DOWNLOAD_TIMEOUT": "0.2"})
        self.assertLess(time.monotonic() - began, 8)
        self.hub.clear()
        self.hub.fault("cdn", times=2, hang=3)  # twice, and then it goes on
        self.works("org/model", env={"HF_HUB_DOWNLOAD_TIMEOUT": "0.2"})

    def test_slow_loris(self):
        """A byte now and then keeps no connection open for ever: each silence is short, and too little comes."""
        for where, name, variable in (("api", "tree", "HF_HUB_ETAG_TIMEOUT"), ("cdn", "", "HF_HUB_DOWNLOAD_TIMEOUT")):
            shutil.rmtree(self.folder(), ignore_errors=True)
            self.hub.clear()
            self.hub.fault(where, name, times=None, loris=(1, 0.03, 10 ** 6))
            began = time.monotonic()
            self.assertEqual(self.pull("org/model", env={variable: "0.1"}).returncode, 1)
            self.assertLess(time.monotonic() - began, 15)
        self.hub.clear()
        self.hub.fault("cdn", times=None, drip=(100, 0.02))  # 5 KB/s, and no end of it by itself
        process = subprocess.Popen([ADAM, "pull", "org/model"], env=environment(**self.env, HF_HUB_DOWNLOAD_TIMEOUT="0.4"),
                                   stderr=subprocess.PIPE, stdout=subprocess.PIPE)
        time.sleep(3.5)
        self.assertIsNone(process.poll(), "what is slow but comes is waited for")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
        self.assertEqual(process.returncode, 130)

    def test_bodies_without_end(self):
        """Of a listing, of a file, of a refusal and of a redirect: little of it is read."""
        for code, where, name, fault in (
                (1, "api", "revision", {}), (1, "api", "tree", {}), (3, "api", "revision", {"status": 404}),
                (3, "resolve", "config.json", {"status": 404, "headers": {"X-Error-Code": "EntryNotFound"}}),
                (1, "resolve", "model.safetensors", {"status": 302, "headers": {"Location": "/x"}}),
                (1, "cdn", "", {"status": 404})):
            with self.subTest(where=where, name=name, fault=fault):
                self.hub.clear()
                self.hub.fault(where, name, times=None, endless=True, **fault)
                done = self.pull("org/model")
                self.assertNotEqual(done.returncode, 0)
                if (where, name) != ("cdn", ""):
                    self.assertEqual(done.returncode, code, done.stderr)
                self.assertLess(sum(r["sent_bytes"] for r in self.hub.seen(where if where == "cdn" else "hub")), 120 * MB)
        self.hub.clear()
        self.hub.fault("cdn", times=None, endless=True, status=206, headers={"Content-Range": f"bytes 0-{len(BIG) - 1}/{len(BIG)}"})
        self.assertEqual(self.pull("org/model").returncode, 6)
        self.hub.clear()
        self.hub.fault("cdn", times=None, endless=True)  # 200: ranges ignored, and too long
        self.fails(6, "org/model", says="model.safetensors")

    def test_lying_content_ranges(self):
        for text in ("bytes 0-9/10", f"bytes 5-{len(BIG) - 1}/{len(BIG)}", f"bytes 0-99/{len(BIG) + 1}", "bytes */7", "bytes 9-3/10",
                     "bytes 0-18446744073709551616/*", "x", f"bytes 0-{len(BIG)}/{len(BIG)}"):
            self.hub.clear()
            self.hub.fault("cdn", times=None, content_range=text)
            self.fails(6, "org/model", says="other bytes")

    def test_redirect_loops_of_listings(self):
        self.hub.fault("api", times=None, location=f"{self.hub.endpoint}/api/models/org/model/revision/main")
        self.fails(1, "org/model", says="redirects more than")
        self.assertLess(len(self.hub.seen()), 80)

    def test_pauses_grow(self):
        self.hub.fault("api", times=None, status=503)
        self.fails(5, "org/model", says="503", env={"ADAM_RETRY_MS": "40"})
        at = [r["at"] for r in self.hub.seen(contains="/revision/")]
        self.assertEqual(len(at), 6)
        for pause, least in zip((b - a for a, b in zip(at, at[1:])), (0.04, 0.08, 0.16, 0.32, 0.32)):
            self.assertGreater(pause, least * 0.95)
        self.hub.clear()
        self.hub.fault("api", times=1, status=503, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"})
        self.works("org/model")

    def test_no_place(self):
        if os.geteuid() != 0:
            os.chmod(self.cache, 0o500)
            self.fails(1, "org/model", says="cannot be made")
            os.chmod(self.cache, 0o700)
        (self.cache / "models--org--model").write_text("a file")
        self.fails(1, "org/model", says="cannot be made")

    def test_a_file_that_may_not_grow(self):
        """The nearest thing to a full disk that needs no mount: a limit on the size of files."""
        script = f"ulimit -f {10 * MB // 1024}; trap '' XFSZ; exec {ADAM} pull org/model"
        done = subprocess.run(["bash", "-c", script], env=environment(**self.env), capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(b"cannot be written", done.stderr)
        self.assert_whole()
        self.works("org/model")


class Cuts(Case):
    def setUp(self):
        super().setUp()
        self.files = {**SMALL, "model.safetensors": BIG}
        self.hub.add("org/model", self.files)

    def start(self, *arguments):
        return subprocess.Popen([ADAM, "pull", "org/model", *arguments], env=environment(**self.env), stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)

    def test_kill_at_any_moment(self):
        rng = random.Random(11)
        for round_number in range(30):
            if round_number % 10 == 0:
                shutil.rmtree(self.folder(), ignore_errors=True)
            self.hub.faults = []
            self.hub.fault("cdn", times=None, drip=(128 << 10, 0.002))
            process = self.start()
            time.sleep(rng.uniform(0, 0.35))
            process.kill()
            process.communicate()
            self.assert_whole()
        self.hub.clear()
        path = self.works("org/model")
        self.assert_content(path, self.files)
        self.assertEqual(list(self.folder().glob("blobs/*.incomplete")), [])

    def test_a_killed_pull_goes_on_where_it_was(self):
        """Counted at the server: after a kill -9 only what was on its way comes again."""
        self.hub.fault("cdn", times=None, drip=(64 << 10, 0.01))
        process = self.start()
        while sum(r["sent_bytes"] for r in self.hub.seen("cdn")) < 28 * MB:
            time.sleep(0.01)
        process.kill()
        process.communicate()
        time.sleep(0.3)
        first = sum(r["sent_bytes"] for r in self.hub.seen("cdn"))
        self.hub.clear()
        self.assert_content(self.works("org/model"), self.files)
        # 8 connections, each with less than a cell of 1 MiB and what its socket held
        self.assertLess(first + sum(r["sent_bytes"] for r in self.hub.seen("cdn")), len(BIG) + 8 * 3 * MB // 2)
        self.assertEqual([r for r in self.hub.seen("hub", contains="resolve") if "safetensors" not in r["path"]], [])

    def test_interrupt_leaves_what_came(self):
        self.hub.fault("cdn", times=None, drip=(64 << 10, 0.01))
        process = self.start()
        for _ in range(200):
            time.sleep(0.02)
            if sum(r["sent_bytes"] for r in self.hub.seen("cdn")) > 14 * MB:
                break
        process.send_signal(signal.SIGINT)
        _, shown = process.communicate(timeout=10)
        self.assertEqual(process.returncode, 130, shown)
        self.assertIn(b"what came is kept: call again to go on", shown)
        self.hub.clear()
        self.works("org/model")
        self.assertLess(sum(r["sent_bytes"] for r in self.hub.seen("cdn")), len(BIG) - 4 * MB)

    def test_damaged_partial(self):
        """What was resumed turns out wrong: the file comes again, from the start."""
        self.hub.fault("cdn", times=6, cut=2 * MB)
        self.hub.fault("cdn", times=None, cut=0)
        self.fails(1, "org/model")
        partial = next(self.folder().glob("blobs/*.incomplete"))
        with open(partial, "r+b") as file:
            file.write(b"wrong")
        self.hub.clear()
        self.assert_content(self.works("org/model"), self.files)
        for content in (b"", b"x" * 100, BIG + b"too long", BIG + b"adampart" + bytes(21)):
            shutil.rmtree(self.folder())
            partial.parent.mkdir(parents=True)
            partial.write_bytes(content)
            self.assert_content(self.works("org/model"), self.files)

    def test_the_older_clients_partial_goes_on(self):
        digest = hashlib.sha256(BIG).hexdigest()
        (self.folder() / "blobs").mkdir(parents=True)
        for name in (f"{digest}.incomplete", f"{digest}.0f1e2d3c.incomplete"):
            left = self.folder() / "blobs" / name
            left.write_bytes(BIG[:30 * MB + 5])
            os.utime(left, (time.time(), time.time() - 60))
            self.hub.clear()
            self.assert_content(self.works("org/model"), self.files)
            self.assertLess(sum(r["sent_bytes"] for r in self.hub.seen("cdn")), 11 * MB)
            self.assertEqual(list(self.folder().glob("blobs/*.incomplete")), [])
            (self.folder() / "blobs" / digest).unlink()

    def test_two_at_once_fetch_once(self):
        self.hub.fault("cdn", times=None, drip=(256 << 10, 0.005))
        both = [self.start("--json"), self.start("--json"), self.start()]
        ended = [p.communicate(timeout=60) for p in both]
        self.assertEqual([p.returncode for p in both], [0, 0, 0], ended)
        self.assertEqual(sum(r["sent_bytes"] for r in self.hub.seen("cdn")), len(BIG))
        small = [r for r in self.hub.seen("hub", contains="resolve-cache")]
        self.assertEqual(sum(r["sent_bytes"] for r in small), sum(map(len, SMALL.values())))
        states = {json.loads(line).get("state") for line in (ended[0][0] + ended[1][0]).decode().splitlines()}
        self.assertIn("locked", states)
        self.assert_whole()

    def test_the_other_is_killed(self):
        self.hub.fault("cdn", times=None, drip=(256 << 10, 0.005))
        first, second = self.start(), None
        time.sleep(0.2)
        second = self.start()
        time.sleep(0.2)
        first.kill()
        first.communicate()
        _, shown = second.communicate(timeout=60)
        self.assertEqual(second.returncode, 0, shown)
        self.assert_whole()


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
