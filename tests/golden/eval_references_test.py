# SPDX-License-Identifier: Apache-2.0
"""adam eval on models and texts that nobody has seen, against transformers: perplexity within 0.1 %, mean KL divergence and
top-1 agreement between a random model and a copy with noise on its weights.

    eval_references_test.py BUILD [SEED]      (needs torch, transformers, gguf, numpy; SKIP without)
"""
import os
import random
import sys
import tempfile

REQUIRED = os.environ.get("ADAM_REQUIRE_REFERENCES") == "1"
try:
    import torch
    import transformers

    import make_eval
    import make_models
    import references_test
    import tiny_tokenizers
except ImportError as error:
    print(f"{'no' if REQUIRED else 'SKIP: no'} reference: {error}")
    sys.exit(1 if REQUIRED else 77)

NAMES = ["qwen3-bf16-tied", "llama-bf16-llama3", "qwen3moe-bf16", "gemma2-f32-old"]


def noisy(model, size):
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(1 + size * torch.randn_like(p, dtype=torch.float32).to(p.dtype))
    return model


def check(root, name, rng):
    spec = make_models.MODELS[name]
    kind = "qwen" if spec["arch"] in ("qwen3", "qwen3_moe") else "llama"
    tokenizer = getattr(tiny_tokenizers, kind + "_like")(spec["shape"][-1])
    folders = [os.path.join(root, name + suffix) for suffix in ("", "-noisy")]
    model = make_models.build(spec, rng.randrange(1 << 31))
    for folder in folders:
        os.makedirs(folder)
        make_models.save_hf(folder, model, spec, tokenizer, kind)
        model = noisy(model, 0.02)
    (model, fast), (other, _) = map(make_eval.load, folders)
    text = references_test.words(rng, rng.randrange(40, 200))
    ctx = rng.choice([None, rng.randrange(8, 100)])
    stride = rng.choice([None, rng.randrange(1, ctx + 1)]) if ctx else None
    theirs = make_eval.evaluate(model, other, fast(text)["input_ids"], ctx, stride)
    options = [o for n, v in (("ctx", ctx), ("stride", stride)) if v for o in ("--" + n, str(v))]
    ours = references_test.adam("eval", "-m", folders[0], "--against", folders[1], "--file", "-", "--json", *options, text=text)
    assert (ours["n_tokens"], ours["n_scored"]) == (theirs["n_tokens"], theirs["n_scored"]), (ours, theirs)
    assert abs(ours["perplexity"] / theirs["perplexity"] - 1) < 1e-3, (ours, theirs)
    assert abs(ours["mean_kl"] - theirs["mean_kl"]) < 1e-4 + 1e-3 * theirs["mean_kl"], (ours, theirs)
    assert abs(ours["top1"] - theirs["top1"]) * ours["n_scored"] < 1.5, (ours, theirs)
    off = abs(ours["perplexity"] / theirs["perplexity"] - 1)
    print(f"{name} ctx {ctx} stride {stride}: perplexity {ours['perplexity']:.2f} off by {off:.1e}, KL {ours['mean_kl']:.4f}, "
          f"top 1 {ours['top1']:.3f}")


def main():
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 31)
    print(f"seed {seed}")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    rng = random.Random(seed)
    torch.manual_seed(seed)
    for name in NAMES:
        with tempfile.TemporaryDirectory() as root:
            check(root, name, rng)


if __name__ == "__main__":
    main()
