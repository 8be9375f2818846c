# SPDX-License-Identifier: Apache-2.0
"""adam share between stores made by hand: what is linked, what is written, what stays untouched, and what a kill leaves.
Nothing here needs Ollama; share_references_test.py asks the real one."""
import json
import os
import pathlib
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from command import ADAM, HOME, ROOT, environment
from hand_stores import HubCache, OllamaStore, bytes_once, dangling, files_below, sha256

COMMIT = "c" * 40
GGUF = (ROOT / "tests" / "golden" / "models" / "gguf-llama-f32" / "model.gguf").read_bytes()
MEDIA = "application/vnd.ollama.image."


def tiny_gguf(seed=0):
    """A sound GGUF; each seed has another last weight."""
    return GGUF[:-4] + struct.pack("<f", float(seed))


class Share(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(dir=HOME))
        self.hub = HubCache(self.root / "hub")
        self.store = self.root / "ollama"
        self.env = {**environment(), "HF_HUB_CACHE": str(self.hub.root), "OLLAMA_MODELS": str(self.store),
                    "ADAM_CACHE_DIR": str(self.root / "adam"), "XDG_DATA_HOME": str(self.root / "data")}
        self.gguf = tiny_gguf()
        self.hub.add("org/Tiny-Chat-v1.0", COMMIT, {"tiny.gguf": self.gguf}, large=("tiny.gguf",))
        self.blob = self.hub.folder("org/Tiny-Chat-v1.0") / "blobs" / sha256(self.gguf)

    def tearDown(self):
        shutil.rmtree(self.root, ignore_errors=True)

    def adam(self, *arguments, code=0):
        done = subprocess.run([ADAM, *map(str, arguments)], env=self.env, cwd=HOME, timeout=120,
                              stdin=subprocess.DEVNULL, capture_output=True)
        self.assertEqual(done.returncode, code, (arguments, done.stdout, done.stderr))
        return done

    def share(self, *arguments, code=0):
        done = self.adam("share", *arguments, "--json", code=code)
        return json.loads(done.stdout) if code == 0 else done.stderr.decode()

    def manifest(self, name, tag="latest"):
        return json.loads(OllamaStore(self.store).manifest_path(name, tag).read_text())

    def layer(self, manifest, kind):
        found = [x for x in manifest["layers"] if x["mediaType"] == MEDIA + kind]
        return (self.store / "blobs" / found[0]["digest"].replace(":", "-")).read_bytes() if found else None

    def test_gguf_to_ollama_takes_no_byte(self):
        before = bytes_once(self.hub.root)
        got = self.share("org/Tiny-Chat-v1.0", "--to", "ollama")
        self.assertEqual((got["name"], got["bytes_added"], got["bytes_linked"], got["method"], got["digest"]),
                         ("Tiny-Chat-v1.0", 0, len(self.gguf), "hard link", sha256(self.gguf)))
        ollama = OllamaStore(self.store)
        ollama.check()
        blob = self.store / "blobs" / f"sha256-{sha256(self.gguf)}"
        self.assertEqual(blob.stat().st_ino, self.blob.stat().st_ino)
        self.assertLess(bytes_once(self.hub.root, self.store) - before, 8000)
        manifest = self.manifest("Tiny-Chat-v1.0")
        config = json.loads((self.store / "blobs" / manifest["config"]["digest"].replace(":", "-")).read_text())
        self.assertEqual((config["model_format"], config["model_family"], config["file_type"], config["os"]),
                         ("gguf", "llama", "F32", "linux"))
        self.assertEqual(config["rootfs"]["diff_ids"], [x["digest"] for x in manifest["layers"]])
        self.assertEqual(json.loads(self.layer(manifest, "params"))["repeat_penalty"], 1)
        again = self.share("org/Tiny-Chat-v1.0", "--to", "ollama")
        self.assertEqual((again["bytes_added"], again["method"]), (0, "same"))

    def test_dry_run_writes_nothing(self):
        before = files_below(self.root)
        got = self.share("org/Tiny-Chat-v1.0", "--to", "ollama", "--dry-run")
        self.assertEqual((got["bytes_added"], got["method"], got["dry_run"]), (0, "hard link", True))
        after = {p: d for p, d in files_below(self.root).items() if "data" not in p.relative_to(self.root).parts}
        self.assertEqual(after, before)

    def test_a_name_is_never_overwritten(self):
        ollama = OllamaStore(self.store)
        ollama.add("tiny-chat-v1.0", b"other content")  # Ollama's names know no case
        before = files_below(self.store)
        words = self.share("org/Tiny-Chat-v1.0", "--to", "ollama", code=2)
        self.assertIn("--name", words)
        self.assertEqual(files_below(self.store), before)
        got = self.share("org/Tiny-Chat-v1.0", "--to", "ollama", "--name", "mine:x")
        self.assertEqual(got["name"], "mine:x")
        ollama.check()

    def test_names(self):
        shutil.copy(self.blob, self.root / "A Name (1).gguf")
        self.assertEqual(self.share(self.root / "A Name (1).gguf", "--to", "ollama")["name"], "A-Name-1")
        for name in ("../x", "a/b/c/d/e", "", ".x", "x:y:z/.."):
            self.share("org/Tiny-Chat-v1.0", "--to", "ollama", "--name", name, code=2)
        self.share("org/absent", "--to", "ollama", code=3)
        self.share("org/Tiny-Chat-v1.0", "--to", "nowhere", code=2)

    def test_damaged_and_strict(self):
        (self.root / "cut.gguf").write_bytes(self.gguf[:-100])
        self.share(self.root / "cut.gguf", "--to", "ollama", code=6)
        self.share(self.root / "cut.gguf", "--to", "huggingface", code=6)
        self.assertEqual(files_below(self.store), {})

    def test_ollama_to_hub(self):
        ollama = OllamaStore(self.store)
        other = tiny_gguf(seed=7)
        ollama.add("small", other)
        before = bytes_once(self.hub.root, self.store)
        dry = self.share("ollama:small", "--to", "huggingface", "--dry-run")
        self.assertEqual((dry["name"], dry["bytes_added"]), ("ollama/small", 0))
        self.assertFalse(self.hub.folder("ollama/small").exists())
        got = self.share("ollama:small", "--to", "huggingface")
        self.assertEqual((got["name"], got["bytes_added"], got["method"]), ("ollama/small", 0, "hard link"))
        folder = self.hub.folder("ollama/small")
        commit = (folder / "refs" / "main").read_text()
        link = folder / "snapshots" / commit / "small.gguf"
        self.assertTrue(link.is_symlink())
        self.assertEqual(os.readlink(link), f"../../blobs/{sha256(other)}")
        self.assertEqual(link.stat().st_ino, (self.store / "blobs" / f"sha256-{sha256(other)}").stat().st_ino)
        self.assertLess(bytes_once(self.hub.root, self.store) - before, 500)
        self.assertEqual(self.share("ollama:small", "--to", "huggingface")["method"], "same")
        self.adam("show", "ollama/small", "--json")
        ollama.add("small", tiny_gguf(seed=8))  # another content under that name
        self.share("ollama:small", "--to", "huggingface", code=2)
        self.assertEqual(link.read_bytes(), other)
        self.assertEqual(self.share("ollama:small", "--to", "huggingface", "--name", "me/small2")["name"], "me/small2")

    def test_there_and_back_is_the_repository_itself(self):
        self.share("org/Tiny-Chat-v1.0", "--to", "ollama")
        got = self.share("ollama:Tiny-Chat-v1.0", "--to", "huggingface")
        self.assertEqual((got["name"], got["method"], got["bytes_added"]), ("org/Tiny-Chat-v1.0", "same", 0))

    def test_either_side_may_go(self):
        self.share("org/Tiny-Chat-v1.0", "--to", "ollama")
        self.adam("rm", "org/Tiny-Chat-v1.0")
        OllamaStore(self.store).check()
        self.adam("rm", "ollama:Tiny-Chat-v1.0")
        self.assertEqual(bytes_once(self.hub.root, self.store), 0)

    def run_notices(self, *arguments):
        done = self.adam("run", "--share-with-ollama", "--max-tokens", "1", "--json", *arguments)
        return {n["code"]: n for n in json.loads(done.stdout)["notices"]}

    def test_shared_on_load(self):
        notices = self.run_notices("-m", "org/Tiny-Chat-v1.0", "hi")
        self.assertIn("Tiny-Chat-v1.0: hard link, 0 bytes added", notices["shared"]["text"])
        OllamaStore(self.store).check()
        self.assertIn("same", self.run_notices("-m", "org/Tiny-Chat-v1.0", "hi")["shared"]["text"])
        self.assertIn("demo: hard link", self.run_notices("-m", "demo", "hi")["shared"]["text"])
        shutil.rmtree(self.store)
        OllamaStore(self.store).add("tiny-chat-v1.0", b"another")
        notices = self.run_notices("-m", "org/Tiny-Chat-v1.0", "hi")
        self.assertEqual(notices["not_shared"]["level"], "degraded")
        done = self.adam("run", "--share-with-ollama", "--strict", "-m", "org/Tiny-Chat-v1.0", "hi", "--max-tokens", "1", code=1)
        self.assertIn("another model called", done.stderr.decode())

    def demo(self, repository="org/demo", **changed):
        folder = ROOT / "models" / "demo"
        files = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}
        files.update(changed)
        self.hub.add(repository, COMMIT, files, large=("model.safetensors",))

    def test_safetensors_are_converted_once(self):
        self.demo()
        before = bytes_once(self.hub.root, self.root / "adam", self.store)
        planned = self.share("org/demo", "--to", "ollama", "--dry-run")
        self.assertFalse((self.root / "adam").exists())
        got = self.share("org/demo", "--to", "ollama", "--strict")
        file, = (self.root / "adam" / "converted").iterdir()
        size = file.stat().st_size
        self.assertEqual((got["bytes_added"], got["bytes_linked"], got["converted"], got["template"]), (size, size, True, "chatml"))
        self.assertEqual({k: planned[k] for k in ("bytes_added", "bytes_linked", "converted", "template", "method")},
                         {k: got[k] for k in ("bytes_added", "bytes_linked", "converted", "template", "method")})
        self.assertEqual(file.stat().st_nlink, 2)
        self.assertLess(bytes_once(self.hub.root, self.root / "adam", self.store) - before - size, 16384)
        second = self.share("org/demo", "--to", "ollama", "--name", "second")
        self.assertEqual((second["bytes_added"], second["converted"], second["method"]), (0, False, "same"))
        small = self.share("org/demo", "--to", "ollama", "--name", "demo:q8", "--quantization", "q8_0")
        self.assertTrue(small["converted"])
        self.assertLess(small["bytes_linked"], size)
        words = self.share("org/demo", "--to", "ollama", "--quantization", "q4_0", code=2)  # demo is there, stored as it is
        self.assertIn("another model called demo", words)
        self.assertEqual(len(list((self.root / "adam" / "converted").iterdir())), 2, "converted before the name was looked at")
        self.share("org/demo", "--to", "ollama", "--name", "x", "--quantization", "q9", code=2)
        # the ledger, du and verify know the converted files; either owner may go
        use = json.loads(self.adam("du", "--json").stdout)
        roots = {r["store"]: r["bytes"] for r in use["stores"]}
        self.assertEqual(roots["converted"], size + small["bytes_linked"])
        self.assertEqual(use["duplicated_bytes"], 0)
        self.adam("verify")
        self.adam("rm", "--yes", "ollama:demo")
        self.adam("rm", "--yes", file)
        self.assertFalse(file.exists())
        OllamaStore(self.store).check()
        self.adam("rm", "--yes", "org/demo")
        self.assertIn("text", json.loads(self.adam("run", "-m", "ollama:second", "hi", "--max-tokens", "2", "--json").stdout))

    def test_no_template_fits(self):
        jinja = b"{% for m in messages %}[[{{ m.role }}]] {{ m.content }} //{% endfor %}"
        self.demo("org/odd", **{"chat_template.jinja": jinja})
        words = self.share("org/odd", "--to", "ollama", "--strict", code=6)
        self.assertIn("no known Ollama template", words)
        self.assertFalse((self.root / "adam").exists(), "converted before the template was looked at")
        for more in (["--dry-run"], []):
            got = self.share("org/odd", "--to", "ollama", *more)
            self.assertEqual([(n["code"], n["level"]) for n in got["notices"]], [("raw_completion", "degraded")])
            self.assertIn("byte", got["notices"][0]["text"])
            self.assertIsNone(got["template"])
        self.assertIsNone(self.layer(self.manifest("odd"), "template"))

    def test_a_default_system_text_comes_along(self):
        jinja = (b"{% if messages[0].role != 'system' %}<|im_start|>system\nBe kind.<|im_end|>\n{% endif %}"
                 b"{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
                 b"{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")
        self.demo("org/kind", **{"chat_template.jinja": jinja, "LICENSE": b"Anyone may.\n"})
        self.assertEqual(self.share("org/kind", "--to", "ollama", "--strict")["template"], "chatml")
        manifest = self.manifest("kind")
        self.assertEqual(self.layer(manifest, "system"), b"Be kind.")
        self.assertEqual(self.layer(manifest, "license"), b"Anyone may.\n")
        params = json.loads(self.layer(manifest, "params"))
        self.assertEqual((params["temperature"], params["top_p"], params["stop"]), (0.3, 0.9, ["<|im_start|>", "<|im_end|>"]))

    def test_a_blob_that_is_not_what_its_name_says(self):
        self.blob.write_bytes(tiny_gguf(seed=5))
        self.assertIn("not what the blob's name says", self.share("org/Tiny-Chat-v1.0", "--to", "ollama", code=6))
        self.assertEqual(files_below(self.store / "blobs"), {})

    def test_several_at_once(self):
        self.demo()
        calls = [("org/demo", "--to", "ollama"), ("org/demo", "--to", "ollama"), ("org/Tiny-Chat-v1.0", "--to", "ollama"),
                 ("org/Tiny-Chat-v1.0", "--to", "ollama"), ("org/demo", "--to", "ollama", "--name", "other")]
        running = [subprocess.Popen([ADAM, "share", *c, "--json"], env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for c in calls]
        said = [(p.communicate(timeout=120), p.returncode) for p in running]
        self.assertEqual([code for _, code in said], [0] * 5, said)
        got = [json.loads(out) for (out, _), _ in said]
        self.assertEqual(sum(g["converted"] for g in got), 1)
        self.assertEqual(sum(g["bytes_added"] for g in got), got[0]["bytes_linked"])
        OllamaStore(self.store).check()

    @unittest.skipUnless(os.path.isdir("/dev/shm") and os.access("/dev/shm", os.W_OK), "no second file system")
    def test_another_file_system_takes_a_copy(self):
        with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
            if os.stat(other).st_dev == os.stat(self.root).st_dev:
                self.skipTest("one file system")
            self.env["OLLAMA_MODELS"] = other
            planned = self.share("org/Tiny-Chat-v1.0", "--to", "ollama", "--dry-run")
            got = self.share("org/Tiny-Chat-v1.0", "--to", "ollama")
            self.assertEqual((planned["bytes_added"], planned["method"]), (len(self.gguf), "copy"))
            self.assertEqual((got["bytes_added"], got["method"]), (len(self.gguf), "copy"))
            OllamaStore(other).check()
            self.assertEqual(self.share("org/Tiny-Chat-v1.0", "--to", "ollama")["bytes_added"], 0)
            back = self.share("ollama:Tiny-Chat-v1.0", "--to", "huggingface", "--name", "a/b")
            self.assertEqual((back["bytes_added"], back["method"]), (len(self.gguf), "copy"))

    def test_read_only_store(self):
        if os.geteuid() == 0:
            self.skipTest("root writes everywhere")
        OllamaStore(self.store)
        for p in (self.store, self.store / "blobs", self.store / "manifests"):
            p.chmod(0o555)
        self.share("org/Tiny-Chat-v1.0", "--to", "ollama", code=5)

    def test_killed_at_any_moment(self):
        rng = random.Random(11)
        names = [f"org/model{i}" for i in range(4)]
        contents = {n: tiny_gguf(seed=100 + i) for i, n in enumerate(names)}
        for n, data in contents.items():
            self.hub.add(n, COMMIT, {"m.gguf": data}, large=("m.gguf",))
        before = files_below(self.hub.root)
        for trial in range(40):
            name = names[trial % len(names)]
            child = subprocess.Popen([ADAM, "share", name, "--to", "ollama"], env=self.env, stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL)
            time.sleep(rng.random() * 0.05)
            child.send_signal(signal.SIGKILL)
            child.wait()
            if (self.store / "manifests").exists():
                OllamaStore(self.store).check()
            self.assertEqual(dangling(self.hub.root), [])
            self.assertEqual({p: d for p, d in files_below(self.hub.root).items() if not p.name.startswith(".adam-")},
                             before)
            if trial % 8 == 7:
                self.share(name, "--to", "ollama")
                OllamaStore(self.store).check()
                self.adam("rm", "ollama:" + name.split("/")[1])
                OllamaStore(self.store).check()
        for name in names:
            self.share(name, "--to", "ollama")
        store = OllamaStore(self.store)
        store.check()
        used = {d for n in names for d in store.digests_of(n.split("/")[1])}
        self.assertEqual(store.blobs(), used)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
