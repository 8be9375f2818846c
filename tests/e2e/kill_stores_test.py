# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random moments of every command that writes to a store.    kill_stores_test.py [BUILD [KILLS [SEED [NAME]]]]

After each kill every store is valid: a Hub cache has no link that leads nowhere and no blob whose content is not
that of its name; each of Ollama's manifests parses and its blobs are there, whole, and nothing else lies where it
looks for manifests; what the command does not touch reads as before; the ledger is sound. The next call of the
command then finishes (or has nothing left to do) and leaves no file of its own behind. The checker here asks only
the written formats, never adam. 200 kills with ADAM_REQUIRE_REFERENCES, else 20.
"""
import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

from command import ADAM, HOME, ROOT, environment
from fake_hub import FakeHub
from hand_stores import HubCache, OllamaStore, git_sha1, sha256

KILLS = int(sys.argv[2]) if len(sys.argv) > 2 else 200 if os.environ.get("ADAM_REQUIRE_REFERENCES") else 20
SEED = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(1 << 30)
DEMO = {p.name: p.read_bytes() for p in (ROOT / "models/demo").iterdir() if p.is_file()}
GGUF = (ROOT / "tests/golden/models/gguf-qwen3-f16/model.gguf").read_bytes()
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Broken(Exception):
    pass


def need(fine, *words):
    if not fine:
        raise Broken(" ".join(map(str, words)))


def digest_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def files_below(folder):
    return [p for p in sorted(folder.rglob("*")) if p.is_symlink() or not p.is_dir()]


def check_hub(root, still):
    """still: nothing is under way, so that nothing unfinished may lie about."""
    for path in files_below(root):
        parts = path.relative_to(root).parts
        if parts[0] == ".locks" or parts[0] == "CACHEDIR.TAG" or (len(parts) > 1 and parts[1] == ".no_exist"):
            continue
        if parts[0].startswith(".adam"):
            need(not still, "left behind:", path)
            continue
        need(parts[0].startswith("models--") and len(parts) > 2, "a file that is no part of a Hub cache:", path)
        if parts[1] == "blobs":
            name = parts[2]
            if re.fullmatch(r"[0-9a-f]{64}|[0-9a-f]{40}", name):
                content = path.read_bytes()
                need(name == (sha256(content) if len(name) == 64 else git_sha1(content)), "not what its name says:", path)
            else:
                need(not still, "left behind:", path)
        elif parts[1] == "snapshots":
            need(path.exists(), "a link that leads nowhere:", path, "->", os.readlink(path) if path.is_symlink() else "")
            need(not path.is_symlink() or not os.path.isabs(os.readlink(path)), "an absolute link:", path)
            need(not still or not re.search(r"\.tmp|~$|^\.adam", path.name), "left behind:", path)
        elif parts[1] == "refs":
            temporary = not re.fullmatch(r"[0-9a-f]{40}", path.read_text())
            need(not temporary or (not still and "." in path.name), "no commit in", path)
        else:
            need(not still, "left behind:", path)


def check_ollama(root, still, orphans=True):
    """orphans: blobs that no manifest names may stay (Ollama's server removes them at its start)."""
    named = set()
    for path in files_below(root / "manifests"):
        if len(path.relative_to(root / "manifests").parts) != 4:
            need(not still, "left behind:", path)
            continue
        try:
            manifest = json.loads(path.read_bytes())
            pieces = [manifest["config"], *manifest["layers"]]
        except (ValueError, KeyError, TypeError) as why:
            raise Broken(f"no manifest: {path}: {why}") from why
        for piece in pieces:
            blob = root / "blobs" / piece["digest"].replace(":", "-")
            named.add(blob.name)
            need(blob.is_file(), path, "names a blob that is not there:", blob.name)
            need(blob.stat().st_size == piece["size"], blob, "has", blob.stat().st_size, "bytes, not", piece["size"])
            need("sha256-" + digest_of(blob) == blob.name, "not what its name says:", blob)
    for path in files_below(root):
        part = path.relative_to(root).parts[0]
        if part == "blobs" and re.fullmatch(r"sha256-[0-9a-f]{64}", path.name):
            need("sha256-" + digest_of(path) == path.name, "not what its name says:", path)
            need(orphans or not still or path.name in named, "a blob that nothing names:", path)
        elif part != "manifests":
            need(not still, "left behind:", path)


def check_ledger(data):
    """On a copy: who opens a ledger first after a kill undoes what was under way, and that is adam's to do."""
    with tempfile.TemporaryDirectory(dir=HOME) as folder:
        for path in data.rglob("*.sqlite"):
            for file in path.parent.glob(path.name + "*"):
                shutil.copy(file, folder)
            with sqlite3.connect(os.path.join(folder, path.name)) as ledger:
                need(ledger.execute("PRAGMA integrity_check").fetchone()[0] == "ok", "the ledger is damaged:", path)
    need(not list(data.rglob("*.damaged")), "a ledger was put aside")


class World:
    """A Hub cache, an Ollama store and a home of their own."""

    def __init__(self):
        self.root = pathlib.Path(tempfile.mkdtemp(dir=HOME))
        self.cache, self.ollama, self.data = self.root / "hub", self.root / "ollama", self.root / "data"
        for folder in (self.cache, self.data):
            folder.mkdir()
        self.env = environment(HF_HUB_CACHE=str(self.cache), OLLAMA_MODELS=str(self.ollama), ADAM_RETRY_MS="5",
                               XDG_DATA_HOME=str(self.data), XDG_CACHE_HOME=str(self.root / "cache"))
        self.hub = HubCache(self.cache)
        self.store = OllamaStore(self.ollama)

    def close(self):
        shutil.rmtree(self.root, ignore_errors=True)

    def snapshot(self, repository, file):
        return self.hub.folder(repository) / "snapshots" / COMMIT / file


class Scenario:
    """One command: the world before it, and what is true after a kill and at the end."""
    name, command, server = "", (), None

    def prepare(self, world):
        pass

    def after_kill(self, world):
        pass

    def at_end(self, world):
        pass

    def arguments(self, world):
        return self.command

    def may_end_with(self, code):
        return code == 0


class Pull(Scenario):
    name, command = "pull", ("pull", "org/model")
    files = {"config.json": b'{"model_type": "llama"}', "tokenizer.json": b"{}", "README.md": b"# x\n",
             "model.safetensors": random.Random(3).randbytes(6 << 20), "more/LICENSE": b"MIT\n"}
    server = FakeHub

    def prepare(self, world):
        self.hub.add("org/model", self.files)
        world.env["HF_ENDPOINT"] = self.hub.endpoint

    def at_end(self, world):
        snapshots = list((world.cache / "models--org--model/snapshots").iterdir())
        need(len(snapshots) == 1, "snapshots:", snapshots)
        for name in ("config.json", "model.safetensors"):
            need((snapshots[0] / name).read_bytes() == self.files[name], name, "is not what the Hub has")


def both_stores(world, linked):
    """One GGUF in a Hub cache twice and in Ollama; linked: as one file."""
    world.hub.add("org/one", COMMIT, {"model.gguf": GGUF}, large=("model.gguf",))
    world.hub.add("org/two", COMMIT, {"other.gguf": GGUF, "README.md": b"# Two\n"}, large=("other.gguf",))
    world.store.add("three", GGUF, template="{{ .Prompt }}")
    if linked:
        blob = world.ollama / "blobs" / f"sha256-{sha256(GGUF)}"
        for repository, file in (("org/one", "model.gguf"), ("org/two", "other.gguf")):
            path = world.snapshot(repository, file).resolve()
            path.unlink()
            os.link(blob, path)


class Dedupe(Scenario):
    name, command = "dedupe", ("dedupe",)

    def prepare(self, world):
        both_stores(world, False)

    def after_kill(self, world):
        for repository, file in (("org/one", "model.gguf"), ("org/two", "other.gguf")):
            need(world.snapshot(repository, file).read_bytes() == GGUF, repository, "has another content")
        need((world.ollama / "blobs" / f"sha256-{sha256(GGUF)}").read_bytes() == GGUF, "Ollama's blob has another content")
        need(world.store.manifest_path("three").exists(), "Ollama's manifest is gone")

    def at_end(self, world):
        self.after_kill(world)
        inodes = {world.snapshot("org/one", "model.gguf").stat().st_ino, world.snapshot("org/two", "other.gguf").stat().st_ino,
                  (world.ollama / "blobs" / f"sha256-{sha256(GGUF)}").stat().st_ino}
        need(len(inodes) == 1, "not one file on disk:", inodes)


class RemoveOllama(Scenario):
    name, command = "rm ollama:", ("rm", "ollama:three")

    def prepare(self, world):
        both_stores(world, True)

    def may_end_with(self, code):
        return code in (0, 3, 5)  # the model may be gone already

    def after_kill(self, world):
        for repository, file in (("org/one", "model.gguf"), ("org/two", "other.gguf")):
            need(world.snapshot(repository, file).read_bytes() == GGUF, repository, "went with the other owner")

    def at_end(self, world):
        self.after_kill(world)
        need(not world.store.manifest_path("three").exists(), "the manifest is still there")


class RemoveHub(RemoveOllama):
    name, command = "rm ORG/NAME", ("rm", "org/two")

    def after_kill(self, world):
        need(world.snapshot("org/one", "model.gguf").read_bytes() == GGUF, "org/one went with org/two")
        need(world.store.manifest_path("three").exists(), "Ollama's manifest is gone")

    def at_end(self, world):
        self.after_kill(world)
        need(not os.path.lexists(world.snapshot("org/two", "other.gguf")), "org/two is still there")


class Convert(Scenario):
    name = "convert"
    whole = None

    def prepare(self, world):
        (world.root / "source").mkdir()
        (world.root / "made").mkdir()
        for name, data in DEMO.items():
            (world.root / "source" / name).write_bytes(data)

    def arguments(self, world):
        return "convert", str(world.root / "source"), str(world.root / "made/model.gguf"), "--type", "q8_0"

    def after_kill(self, world):
        path = world.root / "made/model.gguf"
        if path.exists() and self.whole:
            need(digest_of(path) == self.whole, "a file under the final name that is not whole")

    def at_end(self, world):
        need(os.listdir(world.root / "made") == ["model.gguf"], "left behind:", os.listdir(world.root / "made"))
        digest = digest_of(world.root / "made/model.gguf")
        need(self.whole in (None, digest), "not the same bytes as before")
        Convert.whole = digest


class ShareGguf(Scenario):
    name, command = "share a GGUF --to ollama", ("share", "org/one", "--to", "ollama", "--name", "shared")

    def prepare(self, world):
        world.hub.add("org/one", COMMIT, {"model.gguf": GGUF}, large=("model.gguf",))
        world.store.add("three", b"GGUF of another kind" * 1000)

    def may_end_with(self, code):
        return code in (0, 2)  # 2: it is there already

    def after_kill(self, world):
        need(world.snapshot("org/one", "model.gguf").read_bytes() == GGUF, "the shared model has another content")
        need(world.store.manifest_path("three").exists(), "Ollama's other model is gone")

    def at_end(self, world):
        self.after_kill(world)
        need(world.store.manifest_path("shared").exists(), "no manifest for the shared model")


class ShareSafetensors(ShareGguf):
    name, command = "share safetensors --to ollama", ("share", "org/demo", "--to", "ollama", "--name", "shared")

    def prepare(self, world):
        world.hub.add("org/demo", COMMIT, DEMO, large=("model.safetensors",))
        world.store.add("three", b"GGUF of another kind" * 1000)

    def after_kill(self, world):
        need(world.snapshot("org/demo", "model.safetensors").read_bytes() == DEMO["model.safetensors"],
             "the shared model has another content")


class ShareBack(Scenario):
    name, command = "share --to huggingface", ("share", "ollama:three", "--to", "huggingface", "--name", "org/back")

    def prepare(self, world):
        world.store.add("three", GGUF, template="{{ .Prompt }}")

    def may_end_with(self, code):
        return code in (0, 2)

    def after_kill(self, world):
        need(world.store.manifest_path("three").exists(), "Ollama's manifest is gone")

    def at_end(self, world):
        found = [p for p in (world.cache / "models--org--back/snapshots").rglob("*.gguf")]
        need(len(found) == 1 and found[0].read_bytes() == GGUF, "not in the Hub cache:", found)


def check(scenario, world, still):
    check_hub(world.cache, still)
    check_ollama(world.ollama, still)
    check_ledger(world.data)
    (scenario.at_end if still else scenario.after_kill)(world)


def run(scenario, world, kill_after=None):
    """The exit code, or None where the kill came first."""
    process = subprocess.Popen([ADAM, *scenario.arguments(world)], env=world.env, cwd=world.root, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if kill_after is not None:
        try:
            process.wait(kill_after)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
    shown = process.communicate(timeout=120)[0].decode(errors="replace")
    if kill_after is not None and process.returncode == -signal.SIGKILL:
        return None
    need(scenario.may_end_with(process.returncode), "ended with", process.returncode, shown[-600:])
    return process.returncode


def fresh(scenario):
    world = World()
    scenario.prepare(world)
    return world


def duration(scenario):
    """Seconds of a call that nobody disturbs."""
    world = fresh(scenario)
    start = time.monotonic()
    need(run(scenario, world) == 0, scenario.name, "does not work when nobody disturbs it")
    took = time.monotonic() - start
    check(scenario, world, True)
    world.close()
    return took


def torment(scenario, n, rng):
    """Kills until n kills have hit; each call goes on where the last one was killed."""
    longest = duration(scenario)
    hits, calls, world = 0, 0, fresh(scenario)
    while hits < n and calls < 8 * n + 20:
        calls += 1
        if run(scenario, world, rng.random() * longest) is None:
            hits += 1
            check(scenario, world, False)
        if rng.random() < 0.5 or hits == n:
            run(scenario, world)
            check(scenario, world, True)
            world.close()
            world = fresh(scenario)
    world.close()
    print(f"{scenario.name}: {hits} kills in {calls} calls of up to {longest * 1000:.0f} ms")
    return hits


def exists(command):
    return subprocess.run([ADAM, command, "--help"], env=environment(), capture_output=True).returncode == 0


def main():
    rng = random.Random(SEED)
    every = [Pull(), Dedupe(), RemoveOllama(), RemoveHub(), Convert(), ShareGguf(), ShareSafetensors(), ShareBack()]
    only = sys.argv[4] if len(sys.argv) > 4 else ""
    here = [s for s in every if s.name.startswith(only) and exists(s.name.split()[0])]
    hits, bad = 0, 0
    for i, scenario in enumerate(here):
        try:
            if scenario.server:
                with scenario.server() as scenario.hub:
                    hits += torment(scenario, -(-KILLS // len(here)), rng)
            else:
                hits += torment(scenario, -(-KILLS // len(here)), rng)
        except Broken as why:
            bad += 1
            print(f"{scenario.name}: {why}")
    print(f"{hits} kills, seed {SEED}")
    return 1 if bad or not hits else 0


if __name__ == "__main__":
    sys.exit(main())
