# SPDX-License-Identifier: Apache-2.0
"""adam embed and adam rerank: the values of sentence-transformers for the tiny models of tests/golden/embedders, the
options, and copies of those models damaged in every file."""
import json
import math
import pathlib
import random
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from command import ROOT, adam

MODELS = ROOT / "tests" / "golden" / "embedders"


def lines(texts):
    return "\n".join(json.dumps(t) for t in texts).encode()


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


class Case(unittest.TestCase):
    def json(self, *arguments, **more):
        done = adam(*arguments, "--json", **more)
        self.assertEqual(done.returncode, 0, f"{arguments}: {done.stderr.decode()}")
        return json.loads(done.stdout)

    def fails(self, code, *arguments, says=(), **more):
        done = adam(*arguments, **more)
        shown = done.stderr.decode()
        self.assertEqual(done.returncode, code, f"{arguments}: {shown}")
        self.assertEqual(done.stdout, b"")
        for text in [says] if isinstance(says, str) else says:
            self.assertIn(text, shown)
        return shown

    def close(self, ours, theirs, texts):
        self.assertEqual(len(ours), len(theirs))
        for text, a, b in zip(texts, ours, theirs):
            self.assertEqual(len(a), len(b))
            self.assertGreaterEqual(cosine(a, b), 0.99999, repr(text[:60]))
            scale = max(1.0, max(map(abs, b)))
            self.assertLess(max(abs(x - y) for x, y in zip(a, b)), 2e-4 * scale, repr(text[:60]))


class Values(Case):
    def test_embeddings_are_those_of_sentence_transformers(self):
        names = [p.name for p in MODELS.iterdir() if "embeddings" in json.loads((p / "golden.json").read_text("utf-8"))]
        self.assertEqual(len(names), 7)
        for name in names:
            with self.subTest(name):
                golden = json.loads((MODELS / name / "golden.json").read_text("utf-8"))
                path = MODELS / name / "model.gguf" if name.startswith("gguf") else MODELS / name
                got = self.json("embed", "-m", str(path), "--input", "-", stdin=lines(golden["texts"]))
                self.close(got["embeddings"], golden["embeddings"], golden["texts"])
                self.assertEqual(got["dimensions"], len(golden["embeddings"][0]))
                if "without_prompt" in golden:
                    got = self.json("embed", "-m", str(path), "--prompt", "", "--input", "-", stdin=lines(golden["texts"]))
                    self.close(got["embeddings"], golden["without_prompt"], golden["texts"])
                    got = self.json("embed", "-m", str(path), "--prompt-name", "document", "--input", "-",
                                    stdin=lines(golden["texts"]))
                    self.close(got["embeddings"], golden["without_prompt"], golden["texts"])

    def test_scores_are_those_of_the_cross_encoder(self):
        golden = json.loads((MODELS / "cross-bert" / "golden.json").read_text("utf-8"))
        got = self.json("rerank", "-m", str(MODELS / "cross-bert"), "--query", golden["query"], "--input", "-",
                        stdin=lines(golden["documents"]))
        for r in got["results"]:
            self.assertAlmostEqual(r["score"], golden["scores"][r["index"]], places=4)
            self.assertEqual(r["text"], golden["documents"][r["index"]])
        scores = [r["score"] for r in got["results"]]
        self.assertEqual(scores, sorted(scores, reverse=True))
        shown = adam("rerank", "-m", str(MODELS / "cross-bert"), "--query", golden["query"], *golden["documents"][2:5])
        first = shown.stdout.decode().splitlines()[0].split("\t")
        best = max(range(2, 5), key=lambda i: golden["scores"][i])
        self.assertEqual((first[1], first[2]), (str(best - 2), golden["documents"][best]))

    def test_threads_batches_and_order_change_nothing(self):
        texts = ["hello world " * (i % 7) + str(i) for i in range(90)]
        model = str(MODELS / "nomic-new")
        whole = self.json("embed", "-m", model, "--input", "-", stdin=lines(texts))["embeddings"]
        other = self.json("embed", "-m", model, "-t", "1", "--input", "-", stdin=lines(texts[::-1]))["embeddings"]
        self.assertEqual(whole, other[::-1])
        self.assertEqual(whole[17], self.json("embed", "-m", model, texts[17])["embeddings"][0])


class Options(Case):
    model = str(MODELS / "bert-new")

    def test_input_lines_are_objects_or_strings(self):
        texts = ["hello", "two words", "nul \0 inside"]
        given = f'{{"text": "hello", "id": 1}}\n\n  "two words"\r\n{json.dumps(texts[2])}'.encode()
        got = self.json("embed", "-m", self.model, "--input", "-", stdin=given)
        expected = self.json("embed", "-m", self.model, "--input", "-", stdin=lines(texts))
        self.assertEqual(got["embeddings"], expected["embeddings"])
        with tempfile.NamedTemporaryFile(suffix=".jsonl") as f:
            f.write(given)
            f.flush()
            again = self.json("embed", "-m", self.model, "--input", f.name, "hello")  # arguments come first
        self.assertEqual(again["embeddings"], [expected["embeddings"][0]] + expected["embeddings"])
        self.assertEqual(self.json("embed", "-m", self.model, "--input", "-", stdin=b"")["embeddings"], [])

    def test_bad_lines_are_named(self):
        for bad in (b'{"txt": "x"}', b"plain", b"12", b'"open'):
            self.fails(2, "embed", "-m", self.model, "--input", "-", stdin=b'"good"\n' + bad, says=("line 2", "JSON string"))
        self.fails(2, "embed", "-m", self.model, says="no text")
        self.fails(2, "rerank", "-m", self.model, "x", says="--query")

    def test_plain_output_has_a_line_for_each_text(self):
        shown = adam("embed", "-m", self.model, "hello", "world").stdout.decode().splitlines()
        values = self.json("embed", "-m", self.model, "hello", "world")["embeddings"]
        self.assertEqual([[float(x) for x in line.split(" ")] for line in shown], values)

    def test_dimensions_are_cut_and_normalised_again(self):
        whole = self.json("embed", "-m", self.model, "hello")["embeddings"][0]
        cut = self.json("embed", "-m", self.model, "--dimensions", "5", "hello")
        length = math.sqrt(sum(x * x for x in whole[:5]))
        self.assertEqual(cut["dimensions"], 5)
        for a, b in zip(cut["embeddings"][0], whole):
            self.assertAlmostEqual(a, b / length, places=6)
        self.fails(2, "embed", "-m", self.model, "--dimensions", "37", "hello", says=("37", "36"))
        self.fails(2, "embed", "-m", self.model, "--dimensions", "0", "hello")

    def test_normalisation_can_be_chosen(self):
        def length(*options, model=self.model):
            got = self.json("embed", "-m", model, *options, "hello")["embeddings"][0]
            return math.sqrt(sum(x * x for x in got))
        self.assertAlmostEqual(length(), 1, places=6)
        self.assertNotAlmostEqual(length("--no-normalize"), 1, places=1)
        plain = str(MODELS / "nomic-new")
        self.assertNotAlmostEqual(length(model=plain), 1, places=1)
        self.assertAlmostEqual(length("--normalize", model=plain), 1, places=6)

    def test_prompts_by_name(self):
        model = str(MODELS / "qwen3-last")
        named = self.json("embed", "-m", model, "--prompt-name", "query", "hello")["embeddings"]
        self.assertEqual(named, self.json("embed", "-m", model, "--prompt", "Instruct: find it\nQuery:", "hello")["embeddings"])
        self.assertEqual(named, self.json("embed", "-m", model, "Instruct: find it\nQuery:hello")["embeddings"])
        self.fails(2, "embed", "-m", model, "--prompt-name", "passage", "hello", says=("passage", "it has query"))
        self.fails(2, "embed", "-m", self.model, "--prompt-name", "none", "hello", says="none")

    def test_truncation_is_told(self):
        long = "hello world " * 100
        got = self.json("embed", "-m", self.model, long, "short")
        self.assertEqual((got["truncated"], got["notices"][0]["code"], got["notices"][0]["level"]), (1, "truncated", "degraded"))
        self.assertIn("48 tokens", got["notices"][0]["text"])
        self.assertIn(b"warning", adam("embed", "-m", self.model, long).stderr)
        self.fails(1, "embed", "-m", self.model, "--strict", long, says="truncated")
        self.assertEqual(self.json("embed", "-m", self.model, "--ctx", "10", "hello " * 20)["prompt_tokens"], 10)
        self.assertEqual(self.json("embed", "-m", self.model, "--strict", "short")["notices"], [])

    def test_models_do_only_what_they_can(self):
        self.fails(6, "run", "-m", self.model, "hello", says=("encoder", "adam embed"))
        self.fails(6, "score", "-m", self.model, "--ids", "1,2,3", says="encoder")
        self.fails(6, "rerank", "-m", self.model, "--query", "x", "y", says="no classifier")
        got = self.json("embed", "-m", str(ROOT / "tests" / "golden" / "models" / "qwen3-bf16-tied"), "hello")
        self.assertEqual([n["code"] for n in got["notices"]], ["mean_pooling"])
        got = self.json("rerank", "-m", str(MODELS / "cross-bert"), "--query", "x", "--instruction", "y", "z")
        self.assertEqual([n["code"] for n in got["notices"]], ["instruction_ignored"])

    def test_without_a_model_it_is_minilm(self):
        says = self.fails(3, "embed", "hello", says="all-MiniLM-L6-v2")
        self.assertIn("adam pull sentence-transformers/all-MiniLM-L6-v2", says)

    def test_the_mock_embeds(self):
        got = self.json("embed", "-m", "mock:echo", "--no-normalize", "abba", "")
        # a and b are 97 and 98: 1 and 2 modulo 8
        self.assertEqual(got["embeddings"], [[0, 2, 2, 0, 0, 0, 0, 0], [0] * 8])
        got = self.json("rerank", "-m", "mock:echo", "--query", "red stone", "a blue stone", "a red stone", "none")
        self.assertEqual([(r["index"], r["score"]) for r in got["results"]], [(1, 1), (0, 0.5), (2, 0)])


class Damage(Case):
    """Copies with one file spoiled: exit 6 and a sentence, never a crash."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.model = pathlib.Path(self.folder.name) / "model"

    def tearDown(self):
        self.folder.cleanup()

    def copy(self, name):
        shutil.rmtree(self.model, ignore_errors=True)
        shutil.copytree(MODELS / name, self.model)
        return self.model

    def refused(self, says=(), codes=(6,)):
        done = adam("embed", "-m", str(self.model), "--json", "hello world")
        shown = done.stderr.decode()
        self.assertIn(done.returncode, codes, shown)
        for text in [says] if isinstance(says, str) else says:
            self.assertIn(text, shown)

    def change(self, name, **values):
        path = self.model / name
        content = json.loads(path.read_text("utf-8"))
        content.update(values)
        path.write_text(json.dumps({k: v for k, v in content.items() if v != "drop"}), "utf-8")

    def test_modules(self):
        self.copy("bert-old")
        modules = json.loads((self.model / "modules.json").read_text())
        for bad, says in ((modules[1:], "Transformer"), (modules[:1] + modules[2:], "Pooling"), ({}, "array"), ([], "list"),
                          (modules + modules[1:2], "Pooling"), ([{"type": 3}], "type"), (modules * 9, ""),
                          ([dict(modules[0], path="../x")] + modules[1:], "below"),
                          ([dict(modules[0], path="absent")] + modules[1:], ""),
                          (modules[:2] + [dict(modules[2], type="a.b.StaticThing")], "StaticThing")):
            (self.model / "modules.json").write_text(json.dumps(bad))
            self.refused(says, (3, 6))
        (self.model / "modules.json").write_text("[{")
        self.refused("modules.json")

    def test_pooling(self):
        self.copy("bert-old")
        self.change("1_Pooling/config.json", word_embedding_dimension=31)
        self.refused(("31", "32"))
        self.change("1_Pooling/config.json", word_embedding_dimension=-4)
        self.refused("word_embedding_dimension")
        self.copy("bert-new")
        self.change("1_Pooling/config.json", pooling_mode="median")
        self.refused("median")
        self.change("1_Pooling/config.json", pooling_mode=["cls"] * 7)
        self.refused("pooling_mode")
        self.change("1_Pooling/config.json", pooling_mode=3)
        self.refused("pooling_mode")
        (self.model / "1_Pooling" / "config.json").unlink()
        self.refused("1_Pooling")

    def test_dense(self):
        self.copy("bert-old")
        for change, says in (({"in_features": 63}, ("63", "64")), ({"out_features": 21}, "linear.weight"),
                             ({"activation_function": "my.Own"}, "my.Own"), ({"in_features": "x"}, "in_features")):
            self.copy("bert-old")
            self.change("2_Dense/config.json", **change)
            self.refused(says)
        self.copy("bert-old")
        weights = self.model / "2_Dense" / "model.safetensors"
        whole = weights.read_bytes()
        weights.write_bytes(whole[:-5])
        self.refused()
        weights.unlink()
        self.refused("2_Dense")
        (self.model / "2_Dense" / "pytorch_model.bin").write_bytes(b"x")
        self.refused("pickled")

    def test_options(self):
        self.copy("bert-old")
        self.change("config_sentence_transformers.json", prompts=[1])
        self.refused("prompts")
        self.change("config_sentence_transformers.json", prompts={"a": 3})
        self.refused("prompts")
        self.copy("bert-old")
        self.change("sentence_bert_config.json", max_seq_length=-2)
        self.refused("max_seq_length")
        self.copy("bert-old")
        self.change("sentence_bert_config.json", max_seq_length=1)  # less than [CLS] and [SEP]: they stay
        self.assertEqual(self.json("embed", "-m", str(self.model), "x")["truncated"], 1)

    def test_config(self):
        for name, changes in (("bert-old", [
                {"num_attention_heads": 5}, {"hidden_size": 16}, {"max_position_embeddings": 32}, {"type_vocab_size": 5},
                {"vocab_size": 10}, {"hidden_act": "mish"}, {"position_embedding_type": "relative_key"}, {"is_decoder": True},
                {"num_hidden_layers": 3}, {"intermediate_size": 1 << 40}, {"hidden_size": "drop"}, {"layer_norm_eps": -1}]),
                              ("nomic-gpt2-keys", [
                {"n_embd": 31}, {"n_head": 3}, {"n_layer": 9}, {"rotary_emb_fraction": 0.5}, {"prenorm": True},
                {"activation_function": "gelu"}, {"qkv_proj_bias": True}, {"n_inner": 7}, {"rotary_emb_base": 0}]),
                              ("nomic-new", [{"head_dim": 8}, {"hidden_act": "gelu"}, {"rope_parameters": {"rope_type": "yarn"}}])):
            for change in changes:
                self.copy(name)
                self.change("config.json", **change)
                with self.subTest(f"{name} {change}"):
                    self.refused()

    def test_cross_encoder(self):
        for change in ({"id2label": {"0": "a", "1": "b"}}, {"sentence_transformers": {"activation_fn": "torch.nn.Odd"}}):
            self.copy("cross-bert")
            self.change("config.json", **change)
            done = adam("rerank", "-m", str(self.model), "--query", "a", "b")
            self.assertEqual(done.returncode, 6, done.stderr.decode())

    def test_bytes(self):
        """Any byte of any file changed: an answer or exit 3 or 6 with a sentence."""
        rng = random.Random(3)
        for name in ("bert-old", "nomic-gpt2-keys", "cross-bert", "gguf-bert-cls", "qwen3-last"):
            files = [p.relative_to(MODELS / name) for p in (MODELS / name).rglob("*") if p.is_file() and p.name != "golden.json"]
            for file in files:
                for _ in range(3):
                    self.copy(name)
                    path = self.model / file
                    data = bytearray(path.read_bytes())
                    for _ in range(rng.choice((1, 1, 8))):
                        data[rng.randrange(min(len(data), 2000))] = rng.randrange(256)
                    path.write_bytes(data[:rng.choice((len(data), len(data), rng.randrange(len(data) + 1)))])
                    verb = ("rerank", "--query", "x") if name == "cross-bert" else ("embed",)
                    done = adam(*verb, "-m", str(self.model), "--json", "hello world", "")
                    shown = done.stderr.decode(errors="replace")
                    self.assertIn(done.returncode, (0, 1, 3, 6), f"{name} {file}: {done.returncode} {shown[:300]}")
                    if done.returncode:
                        self.assertTrue(shown.splitlines()[-1].startswith("adam: "), shown[:300])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
