# SPDX-License-Identifier: Apache-2.0
"""Windows and rope scalings past their boundaries: new random models each run, compared with transformers.

    rope_references_test.py BUILD [SEED]      (needs torch, transformers, numpy; SKIP without)

Each model is scored on short text and on text far past its window or original context (through several chunks of
prefill, so that a window's ring turns), and generates 64 greedy ids across the boundary, equal to generate's with its
cache as long as the best logit leads clearly.
"""
import json
import os
import random
import sys
import tempfile

REQUIRED = os.environ.get("ADAM_REQUIRE_REFERENCES") == "1"
try:
    import numpy as np
    import torch
    import transformers

    import make_models
    import references_test
    import tiny_tokenizers
except ImportError as error:
    print(f"{'no' if REQUIRED else 'SKIP: no'} reference: {error}")
    sys.exit(1 if REQUIRED else 77)

N_GREEDY, LEAD = 64, 2e-3


def yarn(**more):
    return {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 48, **more}


def longrope(rng, n_rot, **more):
    return {"rope_type": "longrope", "rope_theta": 10000.0, "original_max_position_embeddings": 48,
            "short_factor": [round(rng.uniform(1, 2), 2) for _ in range(n_rot // 2)],
            "long_factor": [round(rng.uniform(2, 20), 2) for _ in range(n_rot // 2)], **more}


def specs(rng):
    """name: a spec of make_models and the length at which something changes."""
    base = dict(shape=(3, 48, 64, 4, 2, 16, 320), tied=False, hf="bfloat16")
    window = rng.randrange(5, 70)
    kinds = [rng.choice(["full_attention", "sliding_attention"]) for _ in range(2)] + ["sliding_attention"]
    sliding = dict(use_sliding_window=True, sliding_window=window)
    theta = rng.choice([1e4, 1e6])
    return {
        "mistral, window": (dict(base, arch="mistral", set=dict(sliding_window=window)), window),
        "mistral, window, old": (dict(base, arch="mistral", old=True, set=dict(sliding_window=2)), 40),
        "qwen2, windows": (dict(base, arch="qwen2", set=dict(sliding, max_window_layers=1)), window),
        "qwen2, layer types, old": (dict(base, arch="qwen2", old=True, set=dict(sliding, max_window_layers=2)), window),
        "qwen3, layer types": (dict(base, arch="qwen3", set=dict(sliding, layer_types=kinds)), window),
        "qwen3, yarn, old": (dict(base, arch="qwen3", old=True, tied=True, rope=yarn(rope_theta=theta)), 48),
        "llama, yarn by hand": (dict(base, arch="llama", rope=yarn(attention_factor=1.3, beta_fast=8.0, beta_slow=2.0,
                                                                   truncate=False)), 48),
        "llama, yarn, mscale": (dict(base, arch="llama", hf="float16", rope=yarn(mscale=0.8, mscale_all_dim=0.3)), 48),
        "llama, linear, old": (dict(base, arch="llama", old=True, rope={"rope_type": "linear", "rope_theta": theta,
                                                                       "factor": rng.uniform(1.5, 8)}), 48),
        "llama, llama3": (dict(base, arch="llama", rope=make_models.LLAMA3), 64),
        "qwen2, dynamic": (dict(base, arch="qwen2", rope={"rope_type": "dynamic", "rope_theta": theta, "factor": 3.0},
                                set=dict(max_position_embeddings=48)), 48),
        "llama, dynamic, old": (dict(base, arch="llama", old=True, set=dict(max_position_embeddings=56),
                                     rope={"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.5}), 56),
        "llama, longrope": (dict(base, arch="llama", rope=longrope(rng, 16)), 48),
        "mistral, longrope": (dict(base, arch="mistral", set=dict(sliding_window=None),
                                   rope=longrope(rng, 16, attention_factor=1.17)), 48),
    }


def check_greedy(folder, model, fast, prompt):
    """Ids equal to generate's until a step at which two logits are as good as equal."""
    ids = fast(prompt)["input_ids"]
    got = references_test.adam("run", "-m", folder, "--raw", "--temperature", "0", "--repetition-penalty", "1", "--ignore-eos",
                               "--max-tokens", str(N_GREEDY), "--ctx", str(len(ids) + N_GREEDY), "--json", "-", text=prompt)
    assert got["prompt_tokens"] == len(ids) and len(got["ids"]) == N_GREEDY, got
    with torch.no_grad():
        out = model.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long), do_sample=False,
                             max_new_tokens=N_GREEDY, eos_token_id=None, pad_token_id=0, output_logits=True,
                             return_dict_in_generate=True)
    theirs = out.sequences[0, len(ids):].tolist()
    for step, (ours, expected) in enumerate(zip(got["ids"], theirs)):
        if ours != expected:
            best = out.logits[step][0].topk(2).values
            assert best[0] - best[1] < LEAD, f"step {step} behind {len(ids)}: {ours}, expected {expected}"
            return step
    return N_GREEDY


def prompt_of(rng, fast, n):
    """Text of at least n tokens, hardly more."""
    text = references_test.words(rng, 1)
    while len(fast(text)["input_ids"]) < n:
        text += references_test.words(rng, 1)
    return text


def check(root, name, spec, boundary, seed):
    rng = random.Random(seed)
    kind = make_models.kind_of(spec)
    vocab = spec["shape"][-1]
    folder = os.path.join(root, name.replace(" ", "_").replace(",", ""))
    os.makedirs(folder)
    built = make_models.build(spec, seed)
    weights = make_models.save_hf(folder, built, spec, getattr(tiny_tokenizers, kind + "_like")(vocab), kind)
    fast = transformers.AutoTokenizer.from_pretrained(folder)

    def fresh():  # dynamic rope remembers the longest text that it has seen
        return make_models.load(built, weights)

    worst = 0.0
    for n in (max(2, boundary // 2), boundary, boundary + 1, 1400):
        ids = [rng.randrange(vocab) for _ in range(n)]
        worst = max(worst, references_test.check_scores(folder, fresh(), ids))
    limit = json.load(open(os.path.join(folder, "config.json")))["max_position_embeddings"]
    lengths = [boundary // 2, max(1, boundary - 20), boundary + 30]
    if limit >= 512:
        lengths.append(400)
    else:  # dynamic: up to the factor that the config has
        lengths[2] = boundary + 5
    equal = [check_greedy(folder, fresh(), fast, prompt_of(rng, fast, n)) for n in lengths]
    print(f"{name}: logits within {worst:.1e}, equal greedy ids {equal}")


def check_extended(root, seed):
    """A Qwen 3 as wide as those that promise 128K: YaRN as Qwen documents it from 40,961 tokens of --ctx on."""
    spec = dict(arch="qwen3", shape=(1, 4096, 16, 2, 1, 16, 320), tied=True, hf="bfloat16")
    folder = os.path.join(root, "extended")
    os.makedirs(folder)
    built = make_models.build(spec, seed)
    weights = make_models.save_hf(folder, built, spec, tiny_tokenizers.qwen_like(320), "qwen")
    path = os.path.join(folder, "config.json")
    with open(path) as f:
        config = json.load(f)
    with open(path, "w") as f:
        json.dump({**config, "max_position_embeddings": 40960}, f)
    ids = [random.Random(seed).randrange(320) for _ in range(200)]
    out, worst = os.path.join(folder, "ours.npy"), 0.0
    for ctx, rope in (("40960", built.config.rope_parameters), ("40961", dict(yarn(), original_max_position_embeddings=32768))):
        built.config.rope_parameters = rope
        with torch.no_grad():
            theirs = make_models.load(built, weights)(torch.tensor([ids])).logits[0].numpy()
        references_test.adam("score", "-m", folder, "--ctx", ctx, "--ids", "-", "--logits", out, text=" ".join(map(str, ids)))
        worst = max(worst, float(np.abs(np.load(out) - theirs).max()))
        assert worst <= references_test.TOLERANCE, (ctx, worst)
    for ctx, codes in (("40960", []), ("131072", ["context_extended"]), ("200000", ["context_extended", "context_clipped"])):
        got = references_test.adam("run", "-m", folder, "--raw", "--ctx", ctx, "--max-tokens", "1", "--json", "x")
        assert [n["code"] for n in got["notices"] if n["code"].startswith("context")] == codes, (ctx, got["notices"])
    print(f"qwen3, 128K by --ctx: logits within {worst:.1e}")


def main():
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 31)
    print(f"seed {seed}")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as root:
        for i, (name, (spec, boundary)) in enumerate(specs(random.Random(seed)).items()):
            check(root, name, spec, boundary, seed + i)
        check_extended(root, seed)


if __name__ == "__main__":
    main()
