#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""adam config, presets and domains: the order of the sources, hostile files, and changes that lose nothing."""
import configparser
import json
import os
import pathlib
import shutil
import stat
import unittest

from command import HOME, adam

FOLDER = HOME / "config" / "adam"
SETTINGS, PRESETS = FOLDER / "settings.ini", FOLDER / "presets.ini"


class Case(unittest.TestCase):
    def setUp(self):
        shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.mkdir(parents=True)

    def json(self, *arguments, env=None):
        got = adam(*arguments, "--json", env=env)
        self.assertEqual(got.returncode, 0, got.stderr)
        return json.loads(got.stdout)

    def fails(self, code, *arguments, says=(), env=None):
        got = adam(*arguments, env=env)
        self.assertEqual(got.returncode, code, got.stderr)
        self.assertEqual(got.stderr.count(b"\n"), 1, got.stderr)
        for words in says:
            self.assertIn(words, got.stderr.decode())
        return got

    def setting(self, key, *arguments, env=None):
        rows = self.json("config", "show", *arguments, env=env)["settings"]
        return next((row["value"], row["source"]) for row in rows if row["key"] == key)


class Order(Case):
    def test_each_source_beats_the_one_before(self):
        """INTERFACE: built-in < generation_config < preset < domain < file < profile < environment < option."""
        model = HOME / "model"
        demo = pathlib.Path(json.loads(adam("show", "demo", "--json").stdout)["path"])
        demo = demo if demo.is_dir() else demo.parent
        shutil.rmtree(model, ignore_errors=True)
        shutil.copytree(demo, model)
        (model / "generation_config.json").write_text('{"temperature": 0.61, "top_k": 6}')
        answer = lambda *more, env=None: self.json("run", *more, "Hello", env=env)["sampling"]
        self.assertEqual(answer("-m", str(model))["top_p"], 0.9)  # built-in
        self.assertEqual(answer("-m", str(model))["top_k"], 6)  # the model's
        self.assertEqual(self.setting("top_k", "-m", str(model)), (6, "model"))
        PRESETS.write_text(f"[preset mine]\npath = {model}\ntop_k = 7\nmax_tokens = 2\n[domain field]\nsystem = x\ntop_k = 8\n")
        self.assertEqual(answer("mine")["temperature"], 0.61)
        self.assertEqual(answer("mine")["top_k"], 7)
        self.assertEqual(answer("--size", "mine", "--domain", "field")["top_k"], 8)
        SETTINGS.write_text("top_k = 9\n[profile p]\ntop_k = 10\n")
        self.assertEqual(answer("mine", "--domain", "field")["top_k"], 9)
        self.assertEqual(answer("mine", "--profile", "p")["top_k"], 10)
        self.assertEqual(answer("mine", env={"ADAM_PROFILE": "p"})["top_k"], 10)
        env = {"ADAM_TOP_K": "11"}
        self.assertEqual(answer("mine", "--profile", "p", env=env)["top_k"], 11)
        self.assertEqual(answer("mine", "--profile", "p", "--top-k", "12", env=env)["top_k"], 12)
        self.assertEqual(self.setting("top_k", "--size", "mine", "--profile", "p", env=env), (11, "environment"))
        self.assertEqual(self.setting("top_k", "--size", "mine", "--profile", "p"), (10, "profile"))
        self.assertEqual(self.setting("max_tokens", "--size", "mine"), (2, "preset"))
        self.assertEqual(self.setting("temperature", "--size", "mine"), (0.61, "model"))
        self.assertEqual(self.setting("min_p", "--size", "mine"), (0, "built-in"))

    def test_the_system_message_reaches_the_model(self):
        """Greedy answers say which prompt was read; the template command shows the prompt of each."""
        PRESETS.write_text("[domain field]\nsystem = You are a pirate.\n")
        greedy = ("--temperature", "0", "--max-tokens", "8", "Hello")
        ask = lambda *more: self.json("run", "demo", *more, *greedy)
        with_domain, by_hand = ask("--domain", "field"), ask("--system", "You are a pirate.")
        self.assertEqual(with_domain["prompt_tokens"], by_hand["prompt_tokens"])
        self.assertEqual(with_domain["ids"], by_hand["ids"])
        self.assertGreater(by_hand["prompt_tokens"], ask()["prompt_tokens"])
        # A message of one's own is stronger, also one in the conversation.
        self.assertEqual(ask("--domain", "field", "--system", "x")["prompt_tokens"], ask("--system", "x")["prompt_tokens"])
        chat = HOME / "chat.json"
        chat.write_text('[{"role":"system","content":"x"},{"role":"user","content":"Hello"}]')
        own = self.json("run", "demo", "--messages", str(chat), "--domain", "field", *greedy[:4])
        self.assertEqual(own["prompt_tokens"], ask("--system", "x")["prompt_tokens"])

    def test_the_default_model_and_its_options(self):
        SETTINGS.write_text("model = mock:echo\nmax_tokens = 3\n")
        got = adam("run", stdin=b"one two three four five")
        self.assertEqual((got.returncode, got.stderr), (0, b""))
        self.assertEqual(self.setting("model"), ("mock:echo", "file"))
        SETTINGS.write_text("threads = 2\nctx = 64\nkv_type = f16\n")
        got = self.json("run", "demo", "Hello")
        self.assertLessEqual(got["prompt_tokens"] + got["completion_tokens"], 64)

    def test_stores_follow_the_cache_of_the_settings(self):
        cache = HOME / "other cache"
        shutil.rmtree(cache, ignore_errors=True)
        snapshot = cache / "models--some--model" / "snapshots" / ("a" * 40)
        snapshot.mkdir(parents=True)
        (snapshot / "config.json").write_text('{"model_type":"llama"}')
        (snapshot / "model.safetensors").write_bytes(b"x")
        names = lambda **more: [m["name"] for m in self.json("list", **more)["models"]]
        self.assertNotIn("some/model", names())
        SETTINGS.write_text("[profile p]\ncache_dir = ~/other cache\n")
        self.assertIn("some/model", names(env={"ADAM_PROFILE": "p"}))
        self.assertNotIn("some/model", names(env={"ADAM_PROFILE": "p", "HF_HUB_CACHE": str(HOME)}))


class Domains(Case):
    def test_lists(self):
        presets = {row["name"]: row for row in self.json("presets")["presets"]}
        self.assertEqual(presets["qwen3_medium"]["huggingface"], "Qwen/Qwen3-1.7B")
        self.assertEqual([t["name"] for t in self.json("presets")["tiers"]], ["cpu", "low", "mid", "high"])
        domains = {row["name"] for row in self.json("domains")["domains"]}
        self.assertLessEqual({"general", "code", "docker", "wsl", "devcontainer"}, domains)
        PRESETS.write_text("[domain law]\nsystem = x\n[preset qwen3_small]\nnote = mine\n")
        own = {row["name"]: row for row in self.json("domains")["domains"]}
        self.assertTrue(own["law"]["own"] and not own["code"]["own"])
        row = self.json("presets")["presets"][0]
        self.assertEqual((row["note"], row["huggingface"]), ("mine", "Qwen/Qwen3-0.6B"))

    def test_the_first_model_that_is_here(self):
        PRESETS.write_text("[domain field]\nmodels = qwen3_small, demo\n[domain far]\nmodels = some/model, qwen3_small\n")
        got = adam("run", "--domain", "field", "--max-tokens", "2", "Say hello")
        self.assertEqual(got.returncode, 0)
        self.assertIn(b"this is demo", got.stderr)
        self.fails(3, "run", "--domain", "far", "Say hello", says=["some/model, qwen3_small", "adam pull some/model"])
        self.fails(2, "run", "--domain", "fiel", "demo", "x", says=["did you mean field?"])
        self.fails(2, "run", "--size", "qwen3_smal", "x", says=["did you mean qwen3_small?"])


class Hostile(Case):
    def test_settings(self):
        for text, says in [
            (b"\n\ntemprature = 1\n", ["settings.ini, line 3", "did you mean temperature?"]),
            (b"temperature = hot\n", ["settings.ini, line 1", "'hot' is not a number from 0 to 100"]),
            (b"temperature = nan\n", ["is not a number"]),
            (b"ctx = 99999999999999999999999\n", ["whole number"]),
            (b"top_k = 1\n\xff\xfe\n", ["settings.ini, line 2", "UTF-8"]),
            (b"top_k = 1\n\x00", ["line 2", "control character"]),
            (b"system = \x1b[2J\n", ["line 1", "control character"]),
            (b"[profile a\nctx = 1\n", ["line 1"]),
            (b"x" * 300 + b"\n", ["line 1", "longer than"]),
            (b"domain = cde\n", ["settings.ini, line 1", "did you mean code?"]),
            (b"size = smal\n", ["did you mean small?"]),
        ]:
            SETTINGS.write_bytes(text)
            named = [] if text.startswith(b"size") else ["mock:echo", "x"]
            self.fails(2, "run", *named, says=says)
        SETTINGS.write_bytes(b"; " + b"x" * 100 + b"\n")
        with SETTINGS.open("ab") as file:
            file.truncate(3 << 20)
        self.fails(1, "run", "mock:echo", "x", says=["settings.ini"])
        SETTINGS.unlink()
        SETTINGS.mkdir()
        self.fails(1, "run", "mock:echo", "x", says=["settings.ini"])
        SETTINGS.rmdir()
        os.mkfifo(SETTINGS)
        self.fails(1, "config", says=["settings.ini"])  # and it does not wait
        SETTINGS.unlink()
        if os.geteuid() != 0:
            SETTINGS.write_text("top_k = 1\n")
            SETTINGS.chmod(0)
            self.fails(1, "config", says=["settings.ini"])

    def test_presets(self):
        PRESETS.write_text("[preset a]\npaht = x\n")
        for command in (["presets"], ["domains"], ["list"], ["run", "mock:echo", "x"], ["pull", "a"], ["config"]):
            self.fails(2, *command, says=["presets.ini, line 2", "did you mean path?"])
        self.assertEqual(adam("run", "--help").returncode, 0)
        self.assertEqual(adam("version").returncode, 0)

    def test_variables(self):
        self.fails(2, "run", "mock:echo", "x", env={"ADAM_TEMPERATURE": "warm"}, says=["ADAM_TEMPERATURE", "'warm'"])
        self.fails(2, "run", "mock:echo", "x", env={"ADAM_PROFILE": "none"}, says=["[profile none]"])
        self.assertEqual(self.setting("temperature", env={"ADAM_TEMPERATURE": ""}), (0.7, "built-in"))


class Change(Case):
    def test_set_get_unset(self):
        self.assertEqual(adam("config", "path").stdout.decode().strip(), str(SETTINGS))
        shutil.rmtree(FOLDER)
        self.assertEqual(adam("config", "set", "temperature", "0.3").returncode, 0)
        self.assertEqual(stat.S_IMODE(SETTINGS.stat().st_mode), 0o600)
        SETTINGS.write_text("; kept\n" + SETTINGS.read_text() + "# kept too\n")
        for key, value, more in [("top_k", "5", []), ("system", "Be brief.\nBe kind.", []), ("model", "demo", ["--profile", "w"]),
                                 ("temperature", "0.5", [])]:
            self.assertEqual(adam("config", "set", key, value, *more).returncode, 0)
        text = SETTINGS.read_text()
        self.assertIn("; kept\n", text)
        self.assertIn("# kept too\n", text)
        # Python's reader of INI files sees the same values.
        python = configparser.ConfigParser(interpolation=None)
        python.read_string("[top]\n" + text)
        self.assertEqual(python["top"]["temperature"], "0.5")
        self.assertEqual(python["top"]["system"], "Be brief.\nBe kind.")
        self.assertEqual(python["profile w"]["model"], "demo")
        self.assertEqual(adam("config", "get", "system").stdout, b"Be brief.\nBe kind.\n")
        self.assertEqual(adam("config", "get", "model", "--profile", "w").stdout, b"demo\n")
        self.fails(1, "config", "get", "model", says=["nothing sets it"])
        self.assertEqual(adam("config", "unset", "system").returncode, 0)
        self.assertNotIn("Be kind", SETTINGS.read_text())
        self.fails(3, "config", "unset", "system", says=["does not set it"])

    def test_refused_changes_leave_the_file(self):
        text = "; mine\ntop_k = 5\nmodel = demo\n"
        SETTINGS.write_text(text)
        before = SETTINGS.stat()
        for words, says in [(["set", "topk", "1"], "did you mean top_k or top_p?"), (["set", "top_k", "x"], "whole number"),
                            (["set", "size", "small"], "both name a model"), (["set", "system", "a ; b"], "comment"),
                            (["set", "top_k"], "takes 2 arguments"), (["sett"], "show, path, get, set and unset"),
                            (["get", "topk"], "did you mean"), (["set", "profile", "gone"], "[profile gone]")]:
            self.fails(2, "config", *words, says=[says])
        self.assertEqual(SETTINGS.read_text(), text)
        self.assertEqual(SETTINGS.stat().st_mtime_ns, before.st_mtime_ns)
        self.assertEqual(os.listdir(FOLDER), ["settings.ini"])


if __name__ == "__main__":
    unittest.main(argv=["settings_test"])
