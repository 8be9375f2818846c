# SPDX-License-Identifier: Apache-2.0
"""Models that nobody has seen: new random weights each run, compared with transformers through the command.

    references_test.py BUILD [SEED]      (needs torch, transformers, gguf, numpy; SKIP without)

For some of the shapes of make_models.py: `adam tokenize` against the tokenizer, `adam score --logits` within 1e-3 at
every position, `adam run --raw --temperature 0 --ignore-eos` against generate as long as the best logit leads clearly.
"""
import json
import os
import random
import subprocess
import sys
import tempfile

REQUIRED = os.environ.get("ADAM_REQUIRE_REFERENCES") == "1"
try:
    import numpy as np
    import torch
    import transformers

    import make_models
    import tiny_families
    import tiny_tokenizers
except ImportError as error:
    print(f"{'no' if REQUIRED else 'SKIP: no'} reference: {error}")
    sys.exit(1 if REQUIRED else 77)

ADAM = os.path.join(sys.argv[1], "adam")
N_TEXT, N_GREEDY, TOLERANCE = 300, 64, 1e-3


def adam(*arguments, text=None):
    done = subprocess.run([ADAM, *arguments], input=text, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def words(rng, n):
    """Text of many kinds of characters."""
    pieces = ["the", " house", " reads", " token", "\n", " 12", "!", " naïve", " Привет", "こ", " 🦆", "'s", "  ", "x=y;", "<|im_end|>"]
    return "".join(rng.choice(pieces) for _ in range(n))


def check_scores(folder, model, ids):
    with torch.no_grad():
        theirs = model(torch.tensor([ids])).logits[0].numpy()
    out = os.path.join(folder, "ours.npy")
    got = adam("score", "-m", folder, "--ids", "-", "--logits", out, text=" ".join(map(str, ids)))
    ours = np.load(out)
    assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
    difference = float(np.abs(ours - theirs).max())
    assert difference <= TOLERANCE, f"logits differ by {difference}"
    log = torch.log_softmax(torch.from_numpy(theirs).double(), -1)[torch.arange(len(ids) - 1), torch.tensor(ids[1:])]
    assert np.abs(np.array(got["logprobs"]) - log.numpy()).max() <= 2 * TOLERANCE
    assert abs(got["nll"] + float(log.sum())) <= 2 * TOLERANCE * len(ids)
    return difference


def check_greedy(folder, model, tokenizer, prompt):
    ids = tokenizer(prompt)["input_ids"]
    got = adam("run", "-m", folder, "--raw", "--temperature", "0", "--repetition-penalty", "1", "--ignore-eos", "--max-tokens",
               str(N_GREEDY), "--top-logprobs", "5", "--json", "-", text=prompt)
    assert got["prompt_tokens"] == len(ids), (got["prompt_tokens"], len(ids))
    assert got["completion_tokens"] == len(got["ids"]) == N_GREEDY
    logits = tiny_families.step_logits(model, ids + got["ids"])[len(ids) - 1:-1]
    logs = torch.log_softmax(logits.double(), -1)
    for step, entry in enumerate(got["logprobs"]["content"]):
        tops = [top["logprob"] for top in entry["top_logprobs"]]
        assert entry["id"] == got["ids"][step] and abs(entry["logprob"] - float(logs[step, entry["id"]])) <= 2 * TOLERANCE
        assert np.abs(np.array(tops) - logs[step].topk(5).values.numpy()).max() <= 2 * TOLERANCE, f"step {step}: {tops}"
        assert all(abs(top["logprob"] - float(logs[step, top["id"]])) <= 2 * TOLERANCE for top in entry["top_logprobs"])
    best = logits.topk(2)
    for step, token in enumerate(got["ids"]):
        clear = best.values[step, 0] - best.values[step, 1] > make_models.MARGIN
        assert token == best.indices[step, 0] or not clear, f"step {step}: {token}, expected {best.indices[step, 0]}"


def check(root, name, seed, spec=None):
    """A model of make_models.MODELS, or one of another spec, which transformers then reads from its files itself."""
    rng = random.Random(seed)
    own, spec = spec is not None and "quant" not in spec, dict(spec or make_models.MODELS[name])
    vocab = spec["shape"][-1]
    kind = make_models.kind_of(spec)
    tokenizer = getattr(tiny_tokenizers, kind + "_like")(vocab)
    folder = os.path.join(root, name)
    os.makedirs(folder)
    model = make_models.build(spec, seed)
    weights = make_models.save_hf(folder, model, spec, tokenizer, kind)
    if own:
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    else:
        model = make_models.load(model, weights)
    fast = transformers.AutoTokenizer.from_pretrained(folder)
    text = words(rng, 120)
    assert adam("tokenize", "-m", folder, "--json", "-", text=text)["ids"] == fast(text)["input_ids"]
    ids = [rng.randrange(vocab) for _ in range(N_TEXT)]
    difference = check_scores(folder, model, ids)
    for _ in range(3):
        check_greedy(folder, model, fast, words(rng, rng.randrange(1, 12)))
    print(f"{name}: logits within {difference:.1e} over {N_TEXT} positions, greedy equal")


def main():
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 31)
    print(f"seed {seed}")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as root:
        for i, name in enumerate(n for n in make_models.MODELS if "hf" in make_models.MODELS[n]):
            check(root, name, seed + i)
        schemes = [n for n, s in make_models.MODELS.items() if "quant" in s and "hf" in s]
        for i, arch in enumerate(tiny_families.ARCHS * 3):
            rng = random.Random(seed + i)
            if i < 2 * len(tiny_families.ARCHS):
                spec = tiny_families.random_spec(rng, arch)
            else:
                spec = tiny_families.prequant_spec(arch, make_models.MODELS[rng.choice(schemes)])
            try:
                check(root, f"random-{arch}-{i}", seed + i, spec)
            except Exception:
                print(f"this was {spec}")
                raise


if __name__ == "__main__":
    main()
