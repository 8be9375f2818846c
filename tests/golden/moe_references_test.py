# SPDX-License-Identifier: Apache-2.0
"""Mixtures of experts that nobody has seen: random shapes, routing and types each run, against transformers.

    moe_references_test.py BUILD [SEED]      (needs torch, transformers, gguf, numpy; SKIP without)

Logits within 1e-3 at every position, from files as save_pretrained writes them, with merged experts, and as GGUF; greedy
ids equal as long as the best logit leads clearly and nothing is rounded.
"""
import os
import random
import sys
import tempfile

REQUIRED = os.environ.get("ADAM_REQUIRE_REFERENCES") == "1"
try:
    import numpy as np
    import torch
    import transformers
    from gguf import GGMLQuantizationType as T

    import make_models
    import references_test
    import tiny_tokenizers
except ImportError as error:
    print(f"{'no' if REQUIRED else 'SKIP: no'} reference: {error}")
    sys.exit(1 if REQUIRED else 77)

N_IDS, CLOSE = 120, 2e-5
PREQUANTISED = {"fp8": {"scheme": "fp8", "block": (32, 32), "suffix": ".weight_scale_inv"}, "gptq": {"scheme": "gptq"},
                "awq": {"scheme": "awq"}}


def random_spec(rng, kind):
    """A shape and its routing; K-quants ask for rows of 256."""
    wide = kind == "mixed"
    quantised = kind in (T.Q8_0, T.Q4_0, T.Q5_1) or kind in PREQUANTISED
    step = 256 if wide else 32 if quantised else 8
    n_experts = rng.randint(4, 5 if wide else 16)
    n_layers = 1 if wide else rng.randint(2, 4)
    kv_heads = rng.randint(1, 2)
    spec = dict(
        arch="qwen3_moe", tied=rng.random() < 0.5,
        shape=(n_layers, 256 if wide else step * rng.randint(1, 3), 256 if wide else step * rng.randint(1, 3),
               kv_heads * (2 if wide else rng.randint(1, 3)), kv_heads, (256 // kv_heads // 2) if wide else 32,
               rng.randint(300, 330)),
        experts=(n_experts, rng.randint(1, 4), step * rng.randint(1, 1 if wide else 3)),
        set=dict(norm_topk_prob=rng.random() < 0.5))
    if not wide:
        spec["set"]["decoder_sparse_step"] = rng.randint(1, 2)
        spec["set"]["mlp_only_layers"] = [rng.randrange(n_layers)] if rng.random() < 0.5 else []
    if isinstance(kind, str) and not wide:
        spec.update(hf="bfloat16" if kind in PREQUANTISED else kind, old=rng.random() < 0.5, merged=rng.random() < 0.5)
        if kind in PREQUANTISED:
            spec.update(quant=PREQUANTISED[kind], merged=False)
        spec["set"]["attention_bias"] = rng.random() < 0.3
        if rng.random() < 0.4:
            spec["set"].update(use_sliding_window=True, sliding_window=rng.randint(3, 40))
    else:
        spec["gguf"] = kind
    return spec


def n_clear(routers, n_used):
    """Positions before the first where two experts are so close that a last bit decides."""
    clear = torch.ones(N_IDS, dtype=torch.bool)
    for logits in routers:
        best = logits.sort(descending=True).values
        if n_used < best.shape[1]:
            clear &= best[:, n_used - 1] - best[:, n_used] > CLOSE
    return N_IDS if clear.all() else int(clear.int().argmin())


def check(root, number, rng, kind):
    spec = random_spec(rng, kind)
    folder = os.path.join(root, f"{number}")
    os.makedirs(folder)
    vocab = spec["shape"][-1]
    tokenizer = tiny_tokenizers.qwen_like(vocab)
    model = make_models.build(spec, rng.randrange(1 << 31))
    if "hf" in spec:
        weights, path = make_models.save_hf(folder, model, spec, tokenizer, "qwen"), folder
    else:
        weights = make_models.save_gguf(folder, model, spec, tokenizer, "qwen", np.random.default_rng(rng.randrange(1 << 31)))
        path = os.path.join(folder, "model.gguf")
    model = make_models.load(model, weights)
    ids = [rng.randrange(vocab) for _ in range(N_IDS)]
    with torch.no_grad():
        sparse = any(".experts." in name for name, _ in model.named_parameters())
        given = model(torch.tensor([ids]), output_router_logits=sparse)
    theirs = given.logits[0].numpy()[:n_clear(given.router_logits, spec["experts"][1]) if sparse else N_IDS]
    out = os.path.join(folder, "ours.npy")
    references_test.adam("score", "-m", path, "--ids", "-", "--logits", out, text=" ".join(map(str, ids)))
    difference = float(np.abs(np.load(out)[:len(theirs)] - theirs).max())
    assert difference <= references_test.TOLERANCE, (spec, difference)
    if "hf" in spec and "quant" not in spec:
        fast = transformers.AutoTokenizer.from_pretrained(folder)
        references_test.check_greedy(folder, model, fast, references_test.words(rng, rng.randrange(1, 12)))
    print(f"{kind} {spec['experts']} {spec['set']}: logits within {difference:.1e}")


def main():
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 31)
    print(f"seed {seed}")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    rng = random.Random(seed)
    kinds = ["float32", "bfloat16", "float16", "bfloat16", T.F32, T.BF16, T.Q8_0, T.Q4_0, T.Q5_1, "mixed",
             *PREQUANTISED]
    with tempfile.TemporaryDirectory() as root:
        for number, kind in enumerate(kinds):
            check(root, number, rng, kind)


if __name__ == "__main__":
    main()
