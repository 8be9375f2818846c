# SPDX-License-Identifier: Apache-2.0
"""adam du, dedupe, rm, cp, rename, verify over stores made by hand: what is counted, what is linked, and that nothing is
ever lost, also when adam is killed."""
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

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from command import ADAM, HOME, Terminal, adam, environment, has_terminals
from hand_stores import HubCache, OllamaStore, bytes_once, dangling, files_below, sha256

COMMIT, OTHER = "a" * 40, "b" * 40


class Stores(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(dir=HOME))
        self.hub = HubCache(self.root / "hub")
        self.ollama = OllamaStore(self.root / "ollama")
        self.own = self.root / "adam" / "models"
        self.own.mkdir(parents=True)
        self.env = {"HF_HUB_CACHE": str(self.hub.root), "OLLAMA_MODELS": str(self.ollama.root),
                    "ADAM_CACHE_DIR": str(self.root / "adam"), "XDG_DATA_HOME": str(self.root / "data")}
        self.roots = (self.hub.root, self.ollama.root, self.own)
        self.rng = random.Random(5)

    def tearDown(self):
        shutil.rmtree(self.root, ignore_errors=True)

    def environment(self):
        return {**environment(), **self.env}

    def adam(self, *arguments, code=0, timeout=120):
        done = subprocess.run([ADAM, *map(str, arguments)], env=self.environment(), cwd=HOME, timeout=timeout,
                              stdin=subprocess.DEVNULL, capture_output=True)
        self.assertEqual(done.returncode, code, (arguments, done.stdout, done.stderr))
        return done

    def json(self, *arguments, code=0):
        return json.loads(self.adam(*arguments, "--json", code=code).stdout)

    def three_owners(self, n=300000):
        """The same weights in all three stores, as three files."""
        weights = self.rng.randbytes(n)
        self.hub.add("org/model", COMMIT, {"model.gguf": weights, "config.json": b"{}"})
        self.ollama.add("model", weights, template="{{ .Prompt }}")
        (self.own / "model.gguf").write_bytes(weights)
        return weights

    # du

    def test_du_counts_each_byte_once(self):
        weights = self.three_owners()
        got = self.json("du")
        self.assertEqual(got["total_bytes"], bytes_once(*self.roots))
        self.assertEqual(got["duplicated_bytes"], 2 * len(weights))
        self.assertEqual({s["store"] for s in got["stores"]}, {"huggingface", "ollama", "adam"})
        (group,) = got["duplicates"]
        self.assertEqual((group["digest"], group["bytes"], len(group["files"])), (sha256(weights), len(weights), 3))
        # a second name is no second file
        blob = self.ollama.root / "blobs" / f"sha256-{sha256(weights)}"
        blob.unlink()
        os.link(self.own / "model.gguf", blob)
        again = self.json("du")
        self.assertEqual(again["total_bytes"], got["total_bytes"] - len(weights))
        self.assertEqual(again["duplicated_bytes"], len(weights))
        self.assertIn(b"duplicated", self.adam("du").stdout)

    def test_du_of_nothing(self):
        got = self.json("du")
        self.assertEqual((got["total_bytes"], got["duplicated_bytes"]), (0, 0))

    def test_equal_size_is_not_equal(self):
        (self.own / "a.gguf").write_bytes(b"x" * 5000)
        (self.own / "b.gguf").write_bytes(b"y" * 5000)
        self.assertEqual(self.json("du")["duplicated_bytes"], 0)
        self.assertEqual(self.json("dedupe")["bytes_freed"], 0)

    # dedupe

    def test_dedupe(self):
        weights = self.three_owners()
        before = files_below(*self.roots)
        dry = self.json("dedupe", "--dry-run")
        self.assertEqual(dry["bytes_freed"], 2 * len(weights))
        self.assertEqual(bytes_once(*self.roots), sum(map(len, before.values())))
        stamps = {p: p.stat().st_mtime_ns for p in before}
        done = self.json("dedupe")
        self.assertEqual(done["bytes_freed"], 2 * len(weights))
        self.assertEqual(files_below(*self.roots), before)  # every name has what it had
        self.assertEqual(bytes_once(*self.roots), sum(map(len, before.values())) - 2 * len(weights))
        linked = [p for p, data in before.items() if data == weights]
        self.assertEqual(len({p.stat().st_ino for p in linked}), 1)
        self.assertIn(linked[0].stat().st_mtime_ns, {stamps[p] for p in linked})
        self.assertEqual(self.json("dedupe")["bytes_freed"], 0)
        self.assertEqual(self.json("du")["duplicated_bytes"], 0)

    def test_dedupe_believes_no_name(self):
        weights = self.three_owners()
        lie = self.own / "lie.gguf"
        lie.write_bytes(b"z" * len(weights))
        blob = self.hub.folder("org/model") / "blobs" / sha256(weights)
        blob.write_bytes(b"q" * len(weights))  # damaged: its name says otherwise
        self.json("dedupe")
        self.assertEqual(blob.read_bytes(), b"q" * len(weights))
        self.assertEqual(lie.read_bytes(), b"z" * len(weights))
        self.ollama.check()

    def test_dedupe_follows_no_link(self):
        weights = self.three_owners()
        outside = self.root / "outside"
        outside.mkdir()
        (outside / "copy.gguf").write_bytes(weights)
        (self.own / "link.gguf").symlink_to(outside / "copy.gguf")
        (self.own / "folder").symlink_to(outside)
        inode = (outside / "copy.gguf").stat().st_ino
        self.json("dedupe")
        self.assertEqual((outside / "copy.gguf").stat().st_ino, inode)
        self.assertTrue((self.own / "link.gguf").is_symlink())

    def test_dedupe_leaves_parts_of_downloads_alone(self):
        weights = self.three_owners()
        part = self.hub.folder("org/model") / "blobs" / (sha256(weights) + ".incomplete")
        part.write_bytes(weights)
        inode = part.stat().st_ino
        self.json("dedupe")
        self.assertEqual(part.stat().st_ino, inode)

    def test_dedupe_killed_at_any_moment(self):
        before = None
        for trial in range(25):
            for p in (self.hub.root, self.ollama.root, self.own):
                shutil.rmtree(p)
                p.mkdir(parents=True)
            OllamaStore(self.ollama.root)
            for i in range(6):
                weights = bytes([i]) * 200000
                self.hub.add(f"org/model{i}", COMMIT, {"model.gguf": weights})
                self.ollama.add(f"model{i}", weights)
            before = files_below(*self.roots)
            child = subprocess.Popen([ADAM, "dedupe"], env=self.environment(), stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL)
            time.sleep(0.002 + self.rng.random() * 0.04)
            child.send_signal(signal.SIGKILL)
            child.wait()
            after = files_below(*self.roots)
            self.assertEqual({p: d for p, d in after.items() if not p.name.startswith(".adam-")}, before, trial)
            self.assertEqual(dangling(*self.roots), [])
            self.ollama.check()
            self.json("dedupe")
            self.assertEqual(files_below(*self.roots), before)  # leftovers are gone
            self.assertEqual(self.json("du")["duplicated_bytes"], 0)

    # rm

    def test_rm_one_owner(self):
        weights = self.three_owners()
        self.json("dedupe")
        (gone,) = self.json("rm", "ollama:model")["removed"]
        self.assertEqual(gone["bytes_kept"], len(weights))
        self.assertEqual({k["owner"] for k in gone["kept"]}, {"org/model", "model.gguf"})
        self.assertEqual(self.ollama.blobs(), set())
        self.assertFalse(self.ollama.manifest_path("model").exists())
        snapshot = self.hub.folder("org/model") / "snapshots" / COMMIT
        self.assertEqual((snapshot / "model.gguf").read_bytes(), weights)
        (gone,) = self.json("rm", "org/model", "--yes")["removed"]
        self.assertEqual(gone["bytes_kept"], len(weights))
        self.assertFalse(self.hub.folder("org/model").exists())
        self.assertEqual((self.own / "model.gguf").read_bytes(), weights)
        (gone,) = self.json("rm", self.own / "model.gguf")["removed"]
        self.assertEqual((gone["bytes_freed"], gone["bytes_kept"]), (len(weights), 0))
        self.assertEqual(files_below(self.hub.root, self.own), {})

    def test_rm_keeps_what_another_name_uses(self):
        weights = self.rng.randbytes(5000)
        self.ollama.add("one", weights, system="A")
        self.ollama.add("two", weights, system="B")
        self.json("rm", "ollama:one")
        self.ollama.check()
        self.assertEqual(self.ollama.blobs(), set(self.ollama.digests_of("two")))

    def test_rm_revision_and_file(self):
        shared, old, new = (self.rng.randbytes(4000) for _ in range(3))
        self.hub.add("org/m", COMMIT, {"a.gguf": shared, "b.gguf": old}, ref="main")
        self.hub.add("org/m", OTHER, {"a.gguf": shared, "b.gguf": new}, ref="next")
        folder = self.hub.folder("org/m")
        (gone,) = self.json("rm", "org/m@next")["removed"]
        self.assertEqual(gone["bytes_freed"], len(new))
        self.assertEqual({p.name for p in (folder / "blobs").iterdir()}, {sha256(shared), sha256(old)})
        self.assertEqual({p.name for p in (folder / "refs").iterdir()}, {"main"})
        self.assertEqual([p.name for p in (folder / "snapshots").iterdir()], [COMMIT])
        self.json("rm", "hf:org/m:b.gguf")
        self.assertEqual({p.name for p in (folder / "snapshots" / COMMIT).iterdir()}, {"a.gguf"})
        self.assertEqual({p.name for p in (folder / "blobs").iterdir()}, {sha256(shared)})
        self.assertEqual(dangling(folder), [])
        self.json("rm", "org/m@main")  # the last revision takes the folder with it
        self.assertFalse(folder.exists())

    def test_rm_dry_run_and_errors(self):
        weights = self.three_owners()
        before = files_below(*self.roots)
        (would,) = self.json("rm", "org/model", "--dry-run")["removed"]
        self.assertEqual(would["bytes_freed"], len(weights) + len(b"{}") + len(COMMIT))
        self.assertEqual(files_below(*self.roots), before)
        for name, code in (("org/absent", 3), ("ollama:absent", 3), ("nonsense", 3), ("../../etc", 2), ("demo", 2),
                           ("ollama:../../x", 2), ("hf:org/model:absent.gguf", 3), (str(self.root / "x"), 2)):
            with self.subTest(name=name):
                self.adam("rm", name, code=code)
        self.assertEqual(files_below(*self.roots), before)

    @unittest.skipUnless(has_terminals(), "no pseudo terminals here")
    def test_rm_asks_on_a_terminal(self):
        self.three_owners()
        terminal = Terminal("rm", "org/model", env=self.env)
        terminal.expect("[y/N]")
        terminal.send("n\n")
        terminal.close()
        self.assertTrue(self.hub.folder("org/model").exists())

    def test_rm_interrupted_is_finished(self):
        old, new = self.rng.randbytes(4000), self.rng.randbytes(4000)
        self.hub.add("org/m", COMMIT, {"a.gguf": old}, ref="main")
        self.hub.add("org/m", OTHER, {"a.gguf": new}, ref="next")
        folder = self.hub.folder("org/m")
        (folder / "snapshots" / OTHER).rename(folder / f".adam-removed-{OTHER}")  # killed right after its rename
        (self.hub.root / ".adam-removed-models--org--gone" / "blobs").mkdir(parents=True)
        self.json("dedupe")
        self.assertEqual({p.name for p in (folder / "blobs").iterdir()}, {sha256(old)})
        self.assertEqual([p for p in self.hub.root.rglob("*") if p.name.startswith(".adam-")], [])

    # cp, rename

    def test_cp_and_rename(self):
        weights = self.rng.randbytes(5000)
        self.ollama.add("one", weights)
        before = bytes_once(self.ollama.root)
        self.adam("cp", "one", "ollama:two:x")
        self.assertLess(bytes_once(self.ollama.root) - before, 2000)
        self.adam("cp", "one", "two:x", code=2)
        self.adam("cp", "absent", "three", code=3)
        self.adam("rename", "two:x", "three")
        self.assertFalse(self.ollama.manifest_path("two", "x").exists())
        self.ollama.check()
        self.json("rm", "ollama:one")
        self.ollama.check()
        self.assertTrue(self.ollama.manifest_path("three").exists())

    # verify

    def test_verify_sound(self):
        self.three_owners()
        got = self.json("verify")
        self.assertEqual((got["damaged"], got["missing"], got["repaired"], got["findings"]), (0, 0, 0, []))
        self.assertGreaterEqual(got["checked"], 4)

    def test_verify_repairs_from_the_other_store(self):
        weights = self.three_owners()
        (self.ollama.root / "blobs" / f"sha256-{sha256(weights)}").unlink()
        got = self.json("verify")
        self.assertEqual((got["missing"], got["repaired"]), (0, 1))
        self.ollama.check()
        blob = self.hub.folder("org/model") / "blobs" / sha256(weights)
        blob.unlink()
        got = self.json("verify", "org/model")
        self.assertEqual((got["missing"], got["repaired"]), (0, 1))
        self.assertEqual(blob.read_bytes(), weights)

    def test_verify_tells_damage(self):
        weights = self.rng.randbytes(30000)
        self.hub.add("org/model", COMMIT, {"model.gguf": weights})
        blob = self.hub.folder("org/model") / "blobs" / sha256(weights)
        blob.write_bytes(b"!" + weights[1:])
        got = self.json("verify", code=6)
        self.assertEqual((got["damaged"], got["findings"][0]["kind"]), (1, "damaged"))
        self.ollama.add("model", weights)
        got = self.json("verify")
        self.assertEqual((got["damaged"], got["repaired"]), (0, 1))
        self.assertEqual(blob.read_bytes(), weights)
        blob.unlink()
        shutil.rmtree(self.ollama.root / "blobs")
        self.json("verify", "org/model", code=6)

    def test_verify_repairs_a_wrong_name(self):
        weights = self.rng.randbytes(30000)
        self.hub.add("org/model", COMMIT, {"model.gguf": weights})
        blobs = self.hub.folder("org/model") / "blobs"
        for wrong in ("0" * 64, "something"):
            (blobs / sha256(weights)).rename(blobs / wrong)
            got = self.json("verify")
            self.assertEqual([f["kind"] for f in got["findings"]], ["repaired", "renamed"])
            self.assertEqual([p.name for p in blobs.iterdir()], [sha256(weights)])
            self.assertEqual((blobs / sha256(weights)).read_bytes(), weights)

    def test_verify_unknown(self):
        self.adam("verify", "org/absent", code=3)
        self.adam("verify", "ollama:absent", code=3)

    # ledger

    def test_ledger_damaged_or_unwritable(self):
        weights = self.three_owners()
        self.json("du")
        ledger = self.root / "data" / "adam" / "ledger.sqlite"
        ledger.write_bytes(b"no database at all " * 200)
        for p in ledger.parent.glob("ledger.sqlite-*"):
            p.unlink()
        self.assertEqual(self.json("du")["duplicated_bytes"], 2 * len(weights))
        self.assertTrue((ledger.parent / "ledger.sqlite.damaged").exists())
        shutil.rmtree(ledger.parent)
        ledger.parent.write_text("a file where the folder should be")
        self.assertEqual(self.json("du")["duplicated_bytes"], 2 * len(weights))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
