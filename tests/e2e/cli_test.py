# SPDX-License-Identifier: Apache-2.0
"""The command as scripts see it: exit codes, standard output and error, JSON, standard input, Ctrl-C."""
import ast
import hashlib
import json
import math
import os
import pathlib
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from command import ADAM, HOME, ROOT, Terminal, adam, environment, has_terminals

COMMANDS = "run tokenize detokenize template score eval bench list show backends version help".split()
DEMO = ROOT / "models" / "demo" / "config.json"


class Case(unittest.TestCase):
    def fails(self, code, *arguments, says=(), **more):
        """adam fails with this code, silent on standard output, with one line on standard error."""
        done = adam(*arguments, **more)
        shown = done.stderr.decode()
        self.assertEqual(done.returncode, code, f"{arguments}: {shown}")
        self.assertEqual(done.stdout, b"")
        self.assertRegex(shown, r"\Aadam: [^\n]+\n\Z")
        for text in [says] if isinstance(says, str) else says:
            self.assertIn(text, shown)
        return shown

    def works(self, *arguments, **more):
        done = adam(*arguments, **more)
        self.assertEqual(done.returncode, 0, f"{arguments}: {done.stderr.decode()}")
        return done.stdout

    def json(self, *arguments, **more):
        return json.loads(self.works(*arguments, **more))


class Usage(Case):
    def test_unknown_names_are_refused_with_the_nearest(self):
        self.fails(2, says="no command")
        self.fails(2, "runn", "demo", says=("unknown command", "did you mean run?"))
        self.fails(2, "tokenise", says="did you mean tokenize?")
        self.fails(2, "zzzzzz", says="see: adam --help")
        self.fails(2, "run", "--temprature", "1", says="did you mean --temperature?")
        self.fails(2, "run", "--max-token=1", says="did you mean --max-tokens?")
        self.fails(2, "run", "-x", says="unknown option")
        self.fails(2, "tokenize", "--seed", "1", says="does not take this option")
        self.fails(2, "run", "--device", "gpu", "x", says="auto, cpu, cuda")
        self.fails(2, "run", "--backend", "moc", "x", says="did you mean mock?")
        self.fails(2, "run", "--size", "qwen3_smal", "x", says="did you mean qwen3_small?")
        self.fails(2, "help", "rum", says="did you mean run?")

    def test_an_option_is_unknown_until_it_works(self):
        for option in "quantization domain flash-attention offline share-with-ollama ollama-host embedding-model".split():
            if f"--{option}" not in self.works("run", "--help").decode():
                other = any(f"--{option} " in self.works("help", c).decode() for c in ("pull", "share"))  # another command's
                self.fails(2, "run", "-m", "mock:echo", f"--{option}", "x", "y",
                           says="does not take this option" if other else "unknown option")

    def test_numbers_are_read_strictly(self):
        wrong = {
            "--temperature": ["-0.1", "101", "1x", "", " 1", "nan", "inf", "0x1", "1,5"],
            "--top-p": ["0", "1.01", "-1", "one"],
            "--top-k": ["-1", "2147483648", "1.5", "1e3", "99999999999999999999"],
            "--min-p": ["1", "-0.5"],
            "--repetition-penalty": ["0", "-1"],
            "--seed": ["-1", "9223372036854775808", "1.0"],
            "--max-tokens": ["-1", "many"],
            "--ctx": ["0", "-5"],
            "--threads": ["0", "1025"],
        }
        for option, values in wrong.items():
            for value in values:
                with self.subTest(option=option, value=value):
                    self.fails(2, "run", "-m", "mock:echo", option, value, "x", says=(option, "number", " to " if
                               option not in ("--top-p", "--repetition-penalty") else " above "))
        for option, value in (("--temperature", "0"), ("--top-p", "1"), ("--min-p", "0"), ("--seed", "9223372036854775807"),
                              ("--presence-penalty", "-1.5"), ("--temperature", "1e-1"), ("--top-k", "+3")):
            self.assertEqual(self.works("run", "-m", "mock:echo", option, value, "x"), b"x\n")

    def test_arguments(self):
        self.fails(2, "run", "--seed", says="needs an argument")
        self.fails(2, "run", "--json=1", "mock:echo", "x", says="takes no argument")
        self.fails(2, "run", "mock:echo", "two", "words", says="'words' is one argument too many")
        self.fails(2, "run", "-m", "mock:echo", "two", "words", says="'words' is one argument too many")
        self.fails(2, "run", "-m", "mock:echo", "--size", "smollm2", "x", says="both name a model")
        self.fails(2, "run", "", "x", says="empty")
        self.fails(2, "run", "-m", "", "x", says="empty")
        self.fails(2, "tokenize", "x", says="-m REF is missing")
        self.fails(2, "tokenize", "-m", "mock:echo", says="TEXT|- is missing")
        self.fails(2, "score", "-m", "mock:echo", says="--ids IDS is missing")
        self.fails(2, "version", "x", says="too many")
        self.assertEqual(self.works("run", "-m", "mock:echo", "--", "--json"), b"--json\n")
        self.assertEqual(self.works("run", "-mmock:echo", "x"), b"x\n")
        self.assertEqual(self.works("run", "--model=mock:echo", "--system=", "x"), b"x\n")

    def test_help(self):
        overview = self.works("--help").decode()
        self.assertEqual(overview, self.works("help").decode())
        for command in COMMANDS:
            self.assertIn(f"  {command} ", overview)
            page = self.works(command, "--help")
            self.assertEqual(page, self.works("help", command))
            self.assertTrue(page.startswith(f"Usage: adam {command}".encode()))
            self.assertIn(b"Examples:", page)
            self.assertLessEqual(max(map(len, page.split(b"\n"))), 100)
        self.assertTrue(self.works("--version").startswith(b"adam "))


class Structured(Case):
    SCHEMA = {"type": "object", "properties": {"name": {"type": "string", "maxLength": 9}, "n": {"type": "integer", "minimum": 5}},
              "required": ["name", "n"]}

    def setUp(self):
        if not DEMO.exists():
            self.skipTest("models/demo is not here")
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def file(self, text):
        path = pathlib.Path(self.folder.name) / "constraint"
        path.write_text(text, encoding="utf-8")
        return str(path)

    def test_json_is_whole_from_the_least_number_of_tokens_on(self):
        schema = self.file(json.dumps(self.SCHEMA))
        shown = self.fails(2, "run", "demo", "--schema", schema, "--max-tokens", "2", "q", says="shortest answer")
        least = int(re.search(r"needs (\d+)", shown)[1])
        self.fails(2, "run", "demo", "--schema", schema, "--max-tokens", str(least - 1), "q", says=f"needs {least}")
        for n in (least, least + 1, least + 4, 100):
            got = self.json("run", "demo", "--schema", schema, "--temperature", "1.5", "--max-tokens", str(n), "--json", "q")
            value = json.loads(got["text"])
            self.assertEqual(list(value), ["name", "n"])
            self.assertTrue(len(value["name"]) <= 9 and isinstance(value["n"], int) and value["n"] >= 5)
            self.assertEqual(got["finish_reason"], "stop")
            self.assertLessEqual(got["completion_tokens"], n)

    def test_texts(self):
        self.assertIn(self.works("run", "demo", "--choice", "yes", "--choice", "no", "Is it?"), (b"yes\n", b"no\n"))
        self.assertRegex(self.works("run", "demo", "--regex", "[a-f]{3}-[0-9]{2}", "q"), rb"\A[a-f]{3}-[0-9]{2}\n\Z")
        grammar = self.file('root ::= "(" root ")" | "x"')
        self.assertRegex(self.works("run", "demo", "--grammar", grammar, "--max-tokens", "9", "q"), rb"\A\(*x\)*\n\Z")

    def test_faults(self):
        self.fails(2, "run", "demo", "--regex", "(", "q", says=("regex", "offset 1"))
        self.fails(2, "run", "demo", "--schema", self.file('{"not": {}}'), "q", says=("schema", '"not" at #'))
        self.fails(2, "run", "demo", "--regex", "a", "--choice", "b", "q", says="exclude each other")
        self.fails(1, "run", "demo", "--schema", "/nonexistent/schema", "q", says="No such file")
        self.fails(6, "run", "mock:echo", "--regex", "a", "q", says="cannot hold an answer")

    def test_logprobs(self):
        got = self.json("run", "demo", "--json", "--max-tokens", "3", "--temperature", "0", "--top-logprobs", "4", "--ignore-eos", "Hello")
        self.assertEqual([entry["id"] for entry in got["logprobs"]["content"]], got["ids"])
        for entry in got["logprobs"]["content"]:
            tops = [top["logprob"] for top in entry["top_logprobs"]]
            self.assertEqual((len(tops), tops, entry["id"]), (4, sorted(tops, reverse=True), entry["top_logprobs"][0]["id"]))
            self.assertLess(entry["logprob"], 1e-9)
        self.assertEqual(b"".join(bytes(e["bytes"]) for e in got["logprobs"]["content"]).decode(), got["text"])
        self.fails(2, "run", "demo", "--logprobs", "q", says="--logprobs needs --json")


class Run(Case):
    def test_the_answer_alone_is_on_standard_output(self):
        done = adam("run", "mock:say=Yes.;notice=careful", "--stats", "Is it?")
        self.assertEqual((done.returncode, done.stdout), (0, b"Yes.\n"))
        self.assertIn(b"adam: warning: careful\n", done.stderr)
        self.assertIn(b"tokens/s", done.stderr)
        self.assertEqual(self.works("run", "mock:say=Yes.", "--no-stream", "Is it?"), b"Yes.\n")
        self.assertEqual(self.works("run", "mock:say=Yes.\\n", "Is it?"), b"Yes.\n", "no second line end")
        self.assertEqual(self.works("run", "mock:think=Hm;say=Yes.", "Is it?"), b"Yes.\n", "thinking is not the answer")

    def test_json(self):
        got = self.json("run", "mock:say=Hé;think=hm", "--seed", "7", "--temperature", "0.5", "--json", "q")
        self.assertEqual(set(got), {"text", "ids", "thinking", "tool_calls", "finish_reason", "prompt_tokens", "completion_tokens",
                                    "model", "backend", "device", "seed", "sampling", "timings", "notices"})
        self.assertEqual(set(got["timings"]), {"load_ms", "prompt_ms", "first_token_ms", "decode_ms", "prompt_tokens_per_s",
                                               "decode_tokens_per_s"})
        self.assertEqual((got["text"], got["thinking"], got["finish_reason"], got["seed"]), ("Hé", "hm", "stop", 7))
        self.assertEqual((got["backend"], got["tool_calls"], got["notices"]), ("mock", [], []))
        self.assertEqual(len(got["ids"]), got["completion_tokens"])
        self.assertEqual(got["sampling"]["temperature"], 0.5)
        got = self.json("run", "mock:random=50", "--max-tokens", "5", "--json", "q")
        self.assertEqual((got["finish_reason"], len(got["text"])), ("length", 5))
        again = self.json("run", "mock:random=50", "--max-tokens", "5", "--json", "--seed", str(got["seed"]), "q")
        self.assertEqual(again["ids"], got["ids"], "the seed that is told gives the answer again")
        got = self.json("run", "mock:say=x;notice=careful", "--json", "q")
        self.assertEqual([(n["level"], n["text"]) for n in got["notices"]], [("degraded", "careful")])

    def test_options_reach_the_backend(self):
        self.assertEqual(self.works("run", "mock:say=one two three", "--stop", " thr", "--stop", "zzz", "q"), b"one two\n")
        self.assertEqual(self.json("run", "mock:say=ab", "--ignore-eos", "--max-tokens", "7", "--json", "q")["completion_tokens"], 7)
        plain = self.json("run", "mock:echo", "--json", "q")["prompt_tokens"]
        with_system = self.json("run", "mock:echo", "--system", "Be brief.", "--json", "q")["prompt_tokens"]
        raw = self.json("run", "mock:echo", "--raw", "--json", "q")["prompt_tokens"]
        self.assertGreater(with_system, plain)
        self.assertEqual(raw, 1)
        self.fails(1, "run", "mock:echo", "--ctx", "4", "a longer prompt", says="the context 4")

    def test_standard_input(self):
        self.assertEqual(self.json("run", "mock:echo", "--json", "-", stdin=b"a\nb\n")["text"], "a\nb\n")
        self.assertEqual(self.json("run", "mock:echo", "--json", stdin=b"piped\n")["text"], "piped\n")
        self.assertEqual(self.json("run", "-m", "mock:echo", "--json", stdin=b"x\0y")["text"], "x\0y")
        long = "0123456789abcde\n" * 40000
        self.assertEqual(self.json("run", "mock:echo", "--raw", "--ctx", "9999999", "--max-tokens", "700000", "--json",
                                   stdin=long.encode())["text"], long)
        with tempfile.TemporaryFile() as unread:
            unread.write(b"must not be read")
            unread.flush()
            unread.seek(0)
            self.assertEqual(self.works("run", "mock:echo", "given", stdin=unread), b"given\n")
            self.assertEqual(os.lseek(unread.fileno(), 0, os.SEEK_CUR), 0)

    def test_strict(self):
        done = adam("run", "mock:say=x;notice=careful", "--strict", "--json", "q")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"careful (--strict", done.stderr)
        self.assertEqual(self.works("run", "mock:say=x", "--strict", "q"), b"x\n")

    def test_an_error_in_the_middle(self):
        done = adam("run", "mock:say=abcdef;fail_at=4;error=unavailable;error_text=it broke", "q")
        self.assertEqual((done.returncode, done.stdout), (5, b"abc\n"))
        self.assertIn(b"it broke", done.stderr)
        done = adam("run", "mock:say=abcdef;fail_at=4", "--json", "q")
        got = json.loads(done.stdout)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual((got["text"], got["finish_reason"]), ("abc", "error"))

    def interrupted(self, *arguments):
        program = subprocess.Popen([ADAM, "run", "mock:say=0123456789;delay_ms=300", "q", *arguments], env=environment(),
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        first = program.stdout.read(1) if "--json" not in arguments else time.sleep(1.0) or b""
        program.send_signal(signal.SIGINT)
        rest, shown = program.communicate(timeout=60)
        self.assertEqual(program.returncode, 130, shown)
        return first + rest

    def test_interrupt(self):
        answer = self.interrupted().decode()
        self.assertTrue(answer.endswith("\n") and "0123456789".startswith(answer[:-1]) and 2 <= len(answer) < 11, answer)
        got = json.loads(self.interrupted("--json"))
        self.assertEqual(got["finish_reason"], "cancelled")
        self.assertTrue(0 < len(got["text"]) < 10)

    def test_output_that_cannot_be_written(self):
        with open("/dev/full", "wb") as full:
            for arguments in (["run", "mock:say=x", "q"], ["run", "mock:say=x", "--json", "q"], ["--help"], ["version"],
                              ["tokenize", "-m", "mock:echo", "x"], ["list", "--json"]):
                done = adam(*arguments, stdout=full)
                self.assertEqual(done.returncode, 1, arguments)
                self.assertEqual(done.stderr, b"adam: standard output: No space left on device\n")
        reader, writer = os.pipe()
        os.close(reader)
        started = time.monotonic()
        done = adam("run", "mock:random=100000;delay_ms=5", "--max-tokens", "100000", "q", stdout=writer)
        os.close(writer)
        self.assertEqual((done.returncode, done.stderr), (1, b""))
        self.assertLess(time.monotonic() - started, 30, "a reader that left ends the answer")

    def test_closed_standard_files(self):
        out = HOME / "closed.npy"
        done = subprocess.run(["sh", "-c", f"'{ADAM}' score -m mock:echo --ids 1,2 --logits {out} >&-"], env=environment(),
                              stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.assertEqual((done.returncode, done.stderr), (1, b"adam: standard output: Bad file descriptor\n"))
        self.assertEqual(out.stat().st_size, 128 + 2 * 0x110001 * 4, "the answer is not in the file")
        done = subprocess.run(["sh", "-c", f"'{ADAM}' run mock:echo <&- "], env=environment(), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
        self.assertEqual((done.returncode, done.stdout), (1, b""))

    def test_hostile_text(self):
        script = HOME / "hostile.json"
        script.write_text(json.dumps(["a\x1b[31m\x07b\u009b1mc\td"]))
        reference = f"mock:{script}"
        self.assertNotIn("\x1b", self.fails(3, "run", "no\n\x1b[31mmodel", "q"))
        self.assertEqual(self.works("run", reference, "q"), "a\x1b[31m\x07b\u009b1mc\td\n".encode(), "a pipe gets all bytes")
        if not has_terminals():
            self.skipTest("no pseudo terminals here")
        terminal = Terminal("run", reference, "q")
        self.assertEqual(terminal.close(), 0)
        self.assertEqual(terminal.shown.decode(), "a^[[31m^Gb\ufffd1mc\td\r\n", "a terminal is not steered")


class ExitCodes(Case):
    def test_codes(self):
        self.fails(3, "run", "no/such-model", "q")
        self.fails(3, "run", "Why is the sky blue?", says="the first argument names the model")
        self.fails(3, "show", "./nothing.gguf")
        self.fails(4, "run", "mock:open_error=no_memory", "q")
        self.fails(5, "run", "mock:open_error=unavailable", "q")
        damaged = HOME / "damaged.gguf"
        damaged.write_bytes(b"GGUF\x03\0\0\0" + b"\xff" * 64)
        self.fails(6, "run", str(damaged), "q", says="damaged.gguf")
        damaged.write_bytes(b"")
        self.fails(6, "show", str(damaged), says="damaged.gguf")
        self.fails(1, "template", "-m", "mock:echo", "--messages", "missing.json", says="missing.json: No such file")

    def test_no_gpu(self):
        if not DEMO.exists():
            self.skipTest("models/demo is not here")
        done = adam("run", "demo", "--device", "cuda", "--max-tokens", "1", "q")
        if done.returncode != 0:
            self.assertEqual(done.returncode, 5, done.stderr)


class Tokens(Case):
    def test_tokenize(self):
        self.assertEqual(self.works("tokenize", "-m", "mock:echo", "hé"), b"104 233\n")
        self.assertEqual(self.json("tokenize", "-m", "mock:echo", "--json", "-", stdin=b"a\n"), {"ids": [97, 10], "tokens": ["a", "\n"]})
        self.assertEqual(self.works("tokenize", "-m", "mock:echo", ""), b"\n")

    def test_detokenize(self):
        for ids in (["104", "233"], ["104,233"], ["[104, 233]"], ["-"]):
            self.assertEqual(self.works("detokenize", "-m", "mock:echo", *ids, stdin=b"104\n233\n"), "hé".encode())
        self.assertEqual(self.json("detokenize", "-m", "mock:echo", "--json", "0"), {"text": "\0"})
        for wrong in ("x", "1x", "2147483648", "1.5"):
            self.fails(2, "detokenize", "-m", "mock:echo", wrong, says="is not a token id")

    def test_template(self):
        messages = HOME / "messages.json"
        messages.write_text('[{"role":"user","content":"hi"}]')
        whole = self.works("template", "-m", "mock:echo", "--messages", str(messages))
        self.assertEqual(whole, b"user: hi\nassistant: ")
        self.assertEqual(self.works("template", "-m", "mock:echo", "--messages", "-", "--no-generation-prompt",
                                    stdin=messages.read_bytes()), b"user: hi\n")
        jinja = HOME / "own.jinja"
        jinja.write_text("{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}")
        self.assertEqual(self.works("template", "-m", "mock:echo", "--messages", str(messages), "--template", str(jinja),
                                    "--kwargs", '{"bos_token": "^"}'), b"^<user>hi")
        jinja.write_text("{{ bos_token }}\n{% if %}")
        self.fails(1, "template", "-m", "mock:echo", "--messages", str(messages), "--template", str(jinja), says=("own.jinja", "2"))


class Score(Case):
    # The mock's logits: 1 for a repetition of the token, 0 for all others of its vocabulary.
    N_VOCAB = 0x110001
    SAME = 1 - math.log(math.e + N_VOCAB - 1)
    OTHER = -math.log(math.e + N_VOCAB - 1)

    def test_score(self):
        ids = HOME / "ids.txt"
        ids.write_text("5 5\n6")
        for given in ("5,5,6", f"@{ids}", "-"):
            got = self.json("score", "-m", "mock:echo", "--ids", given, stdin=b"[5, 5, 6]")
            self.assertEqual(set(got), {"n_tokens", "logprobs", "nll"})
            self.assertEqual((got["n_tokens"], len(got["logprobs"])), (3, 2))
            self.assertAlmostEqual(got["logprobs"][0], self.SAME, places=6)
            self.assertAlmostEqual(got["logprobs"][1], self.OTHER, places=6)
            self.assertAlmostEqual(got["nll"], -self.SAME - self.OTHER, places=6)
        self.assertEqual(self.json("score", "-m", "mock:echo", "--ids", "5"), {"n_tokens": 1, "logprobs": [], "nll": 0})
        self.fails(2, "score", "-m", "mock:echo", "--ids", ",", says="at least one")
        self.fails(1, "score", "-m", "mock:echo", "--ids", "@missing", says="missing")

    def test_logits_file(self):
        folder = HOME / "logits"
        folder.mkdir()
        out = folder / "out.npy"
        self.works("score", "-m", "mock:echo", "--ids", "3,9", "--logits", str(out))
        data = out.read_bytes()
        self.assertEqual(data[:8], b"\x93NUMPY\x01\0")
        length = struct.unpack("<H", data[8:10])[0]
        header = ast.literal_eval(data[10:10 + length].decode())
        self.assertEqual(header, {"descr": "<f4", "fortran_order": False, "shape": (2, self.N_VOCAB)})
        self.assertEqual((10 + length) % 64, 0)
        rows = data[10 + length:]
        self.assertEqual(len(rows), 2 * self.N_VOCAB * 4)
        for row, token in enumerate((3, 9)):
            at = (row * self.N_VOCAB + token) * 4
            self.assertEqual(struct.unpack("<fff", rows[at - 4:at + 8]), (0.0, 1.0, 0.0))
        mask = os.umask(0o022)
        os.umask(mask)
        self.assertEqual(out.stat().st_mode & 0o777, 0o666 & ~mask)
        self.fails(2, "score", "-m", "mock:echo", "--ids", "3,2147483647", "--logits", str(out))
        self.assertEqual(out.read_bytes(), data, "a failure leaves the file as it was")
        self.assertEqual(os.listdir(folder), ["out.npy"], "and nothing beside it")
        self.fails(1, "score", "-m", "mock:echo", "--ids", "1", "--logits", str(folder / "none" / "x.npy"), says="No such file")
        self.works("score", "-m", "mock:echo", "--ids", "1", "--logits", "/dev/null")
        self.fails(1, "score", "-m", "mock:echo", "--ids", "1", "--logits", "/dev/full", says="No space left")


class Others(Case):
    def test_show(self):
        got = self.json("show", "mock:echo", "--json")
        self.assertEqual((got["backend"], got["n_vocab"], got["end_ids"]), ("mock", 0x110001, [0x110000]))
        self.assertIn("generation_defaults", got)
        self.assertRegex(self.works("show", "-m", "mock:echo"), rb"tokenizer +codepoint\n")

    def test_show_reads_headers(self):
        models = ROOT / "tests" / "golden" / "models"
        got = self.json("show", str(models / "gguf-llama-k-quants" / "model.gguf"), "--json", "--tensors")
        self.assertEqual(got["architecture"], "llama")
        self.assertEqual(sum(t["bytes"] for t in got["tensors"]), got["weights_bytes"])
        self.assertEqual(sum(got["bytes_by_dtype"].values()), got["weights_bytes"])
        file = (models / "gguf-llama-k-quants" / "model.gguf").read_bytes()
        self.assertEqual(got["digest"], "sha256:" + hashlib.sha256(file).hexdigest())
        folder = models / "qwen3-bf16-sharded"
        got = self.json("show", str(folder), "--json")
        files = sorted(folder.glob("*.safetensors"))
        self.assertGreater(len(files), 1)
        lines = "".join(f"{hashlib.sha256(f.read_bytes()).hexdigest()}  {f.name}\n" for f in files)
        self.assertEqual(got["digest"], "sha256:" + hashlib.sha256(lines.encode()).hexdigest())
        self.assertNotIn("tensors", got)

    def test_show_tells_what_an_encoder_is_for(self):
        folder = ROOT / "tests" / "golden" / "embedders" / "bert-new"
        config = json.loads((folder / "config.json").read_text())
        got = self.json("show", str(folder), "--json")
        self.assertEqual((got["is_embedding"], got["is_reranker"]), (True, False))
        self.assertEqual(got["n_embd"], config["hidden_size"])
        self.assertIn(f"embeddings of {got['n_embedding']} dimensions".encode(), self.works("show", str(folder)))

    def test_show_tells_what_a_folder_says(self):
        source = ROOT / "tests" / "golden" / "models" / "qwen3-bf16-tied"
        folder = HOME / "models--a--b" / "snapshots" / "1"
        blobs = HOME / "models--a--b" / "blobs"
        folder.mkdir(parents=True)
        blobs.mkdir()
        for file in source.iterdir():
            if file.suffix != ".f32":
                (folder / file.name).write_bytes(file.read_bytes())
        (folder / "model.safetensors").rename(blobs / ("ab" * 32))  # named by its digest: not read for it
        (folder / "model.safetensors").symlink_to(blobs / ("ab" * 32))
        (folder / "README.md").write_text("---\nlanguage: en\nlicense: other\nlicense_name: mine-1.0\n---\nlicense: no\n")
        (folder / "chat_template.jinja").write_text(
            "{% for m in messages %}{{ m.content }}{% endfor %}{% if tools %}{{ tools | tojson }}{% endif %}"
            "{% if enable_thinking is defined and not enable_thinking %}<think></think>{% endif %}")
        got = self.json("show", str(folder), "--json")
        self.assertEqual((got["license"], got["digest"]), ("mine-1.0", "sha256:" + "ab" * 32))
        self.assertEqual(got["template"], {"present": True, "system": True, "tools": True, "thinking": True,
                                           "thinking_switch": True})

    def test_lists(self):
        got = self.json("list", "--json")
        self.assertIsInstance(got["models"], list)
        for model in got["models"]:
            self.assertLessEqual({"name", "path", "bytes", "quantization", "stores", "last_used"}, set(model))
        self.assertTrue(self.works("list").startswith(b"NAME"))
        got = self.json("backends", "--json")["backends"]
        self.assertLessEqual({"huggingface", "mock"}, {b["name"] for b in got})
        self.assertTrue(all({"name", "description", "available", "reason"} == set(b) for b in got))
        self.assertEqual(set(self.json("version", "--json")), {"version", "tier", "cpu", "n_cpus"})

    def test_bench(self):
        got = self.json("bench", "-m", "mock:random=9", "-p", "33", "-n", "4", "-r", "3", "-t", "2", "--json")
        self.assertLessEqual({"model", "threads", "tier", "prefill_tokens_per_s", "decode_tokens_per_s", "first_token_ms", "load_ms"},
                             set(got))
        self.assertEqual((got["threads"], got["n_prompt"], got["n_gen"], got["repetitions"]), (2, 33, 4, 3))
        self.assertEqual(set(got["decode_tokens_per_s"]), {"median", "spread"})
        self.assertIn(b"tokens/s", self.works("bench", "-m", "mock:random=9", "-p", "8", "-n", "4", "-r", "1"))

    def test_the_model_that_ships(self):
        if not DEMO.exists():
            self.skipTest("models/demo is not here")
        got = self.json("run", "demo", "--temperature", "0", "--max-tokens", "24", "--json", "How do I list my models?")
        self.assertEqual((got["backend"], got["device"]), ("huggingface", "cpu"))
        self.assertEqual(len(got["ids"]), got["completion_tokens"])
        self.assertTrue(got["text"].strip())
        ids = self.json("tokenize", "-m", "demo", "--json", "How do I list my models?")["ids"]
        self.assertEqual(self.works("detokenize", "-m", "demo", *map(str, ids)), b"How do I list my models?")
        self.assertEqual(len(self.json("score", "-m", "demo", "--ids", ",".join(map(str, ids)))["logprobs"]), len(ids) - 1)
        self.assertTrue(self.works("run", "demo", "--max-tokens", "8", "hi").endswith(b"\n"))
        bench = self.json("bench", "-m", "demo", "-p", "48", "-n", "8", "-r", "2", "--json")
        self.assertGreater(bench["prefill_tokens_per_s"]["median"], 0)


class Tools(Case):
    TOOLS = '[{"type": "function", "function": {"name": "now", "parameters": {}}}]'
    SCRIPT = r'mock:say=Let me look.\;;tool_call={"name": "now", "arguments": {"zone": "UTC"}}'

    def setUp(self):
        (HOME / "tools.json").write_text(self.TOOLS)

    def test_calls_come_out_parsed(self):
        done = self.json("run", self.SCRIPT, "q", "--json", "--tools", "tools.json")
        self.assertEqual((done["text"], done["finish_reason"]), ("Let me look.;", "tool_calls"))
        (call,) = done["tool_calls"]
        self.assertEqual(call["type"], "function")
        self.assertEqual(call["function"]["name"], "now")
        self.assertEqual(json.loads(call["function"]["arguments"]), {"zone": "UTC"})
        lines = self.works("run", self.SCRIPT, "q", "--tools", "tools.json").decode().splitlines()
        self.assertEqual(lines[0], "Let me look.;")
        self.assertEqual(json.loads(lines[1])["function"]["name"], "now")

    def test_without_tools_there_are_no_calls(self):
        done = self.json("run", self.SCRIPT, "q", "--json")
        self.assertEqual((done["tool_calls"], done["finish_reason"]), ([], "stop"))

    def test_messages_instead_of_a_prompt(self):
        (HOME / "messages.json").write_text('[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"},'
                                            ' {"role": "user", "content": "last"}]')
        self.assertEqual(self.works("run", "mock:echo", "--messages", "messages.json"), b"last\n")
        self.fails(2, "run", "mock:echo", "q", "--messages", "messages.json", says="--messages")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
