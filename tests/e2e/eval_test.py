# SPDX-License-Identifier: Apache-2.0
"""adam eval against what transformers computed (tests/golden/eval.json), and what it refuses."""
import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from command import HOME, ROOT, Terminal, adam, has_terminals

MODELS = ROOT / "tests" / "golden" / "models"
GOLDEN = json.loads((ROOT / "tests" / "golden" / "eval.json").read_text(encoding="utf-8"))
TEXT = HOME / "text.txt"
TEXT.write_text(GOLDEN["text"], encoding="utf-8", newline="")


def evaluate(model, *more, against=None, **given):
    other = ("--against", str(MODELS / against)) if against else ()
    return adam("eval", "-m", str(MODELS / model), "--file", str(TEXT), *other, *map(str, more), **given)


class Eval(unittest.TestCase):
    def test_equals_transformers(self):
        for case in GOLDEN["cases"]:
            options = [o for name in ("ctx", "stride") if case[name] for o in ("--" + name, case[name])]
            with self.subTest(**{k: case[k] for k in ("model", "against", "ctx", "stride")}):
                done = evaluate(case["model"], *options, "--json", against=case["against"])
                self.assertEqual(done.returncode, 0, done.stderr)
                got = json.loads(done.stdout)
                self.assertAlmostEqual(got["perplexity"] / case["perplexity"], 1, delta=1e-4)
                self.assertEqual((got["n_tokens"], got["n_scored"]), (case["n_tokens"], case["n_scored"]))
                if case["against"]:
                    self.assertAlmostEqual(got["mean_kl"], case["mean_kl"], delta=1e-5)
                    self.assertAlmostEqual(got["top1"], case["top1"], delta=1e-9)
                else:
                    self.assertEqual((got["mean_kl"], got["top1"]), (None, None))

    def test_text_from_standard_input_and_words(self):
        case = GOLDEN["cases"][3]
        done = adam("eval", "-m", str(MODELS / case["model"]), "--file", "-", "--against", str(MODELS / case["against"]),
                    stdin=GOLDEN["text"].encode())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertAlmostEqual(float(done.stdout.split()[1]), case["perplexity"], delta=1e-3)
        self.assertIn(f"{case['n_scored']} of {case['n_tokens']} tokens".encode(), done.stdout)

    def test_refuses(self):
        def fails(code, says, done):
            self.assertEqual((done.returncode, done.stdout), (code, b""), done.stderr)
            self.assertIn(says, done.stderr.decode())

        fails(2, "a vocabulary of 300", evaluate("qwen3-bf16-tied", against="qwen3-f32-gqa4"))
        fails(2, "another vocabulary", evaluate("gguf-llama-q4_1", against="qwen3-bf16-tied"))
        fails(2, "--stride", evaluate("qwen3-f32-gqa4", "--stride", 0))
        fails(2, "expected at least 2", evaluate("qwen3-f32-gqa4", "--ctx", 10, "--stride", 11))
        fails(2, "--file", adam("eval", "-m", str(MODELS / "qwen3-f32-gqa4")))
        fails(1, "absent.txt", adam("eval", "-m", str(MODELS / "qwen3-f32-gqa4"), "--file", "absent.txt"))
        fails(3, "absent", evaluate("qwen3-f32-gqa4", against="absent"))
        for text in (b"", b"!"):
            done = adam("eval", "-m", str(MODELS / "qwen3-f32-gqa4"), "--file", "-", stdin=text)
            fails(2, "expected at least 2", done)

    @unittest.skipUnless(has_terminals(), "no pseudo terminals here")
    def test_progress_on_a_terminal(self):
        text = HOME / "long.txt"
        text.write_text("The house reads the token. " * 60000)
        terminal = Terminal("eval", "-m", str(MODELS / "qwen3-f32-gqa4"), "--file", str(text), "--ctx", "64")
        terminal.expect("evaluating")
        terminal.expect(" %")
        terminal.send("\x03")
        self.assertEqual(terminal.close(), 130)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
