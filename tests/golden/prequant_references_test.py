# SPDX-License-Identifier: Apache-2.0
"""Pre-quantised checkpoints that nobody has seen: random shapes, schemes and parameters each run.

    prequant_references_test.py BUILD [SEED [COUNT]]      (needs what references_test.py needs; SKIP without)

Logits of `adam score` within 1e-3 of transformers with the dequantised weights, greedy ids equal. A scheme whose own
package (bitsandbytes, compressed-tensors) is missing is left out, and said so.
"""
import importlib.util
import os
import random
import sys
import tempfile

try:
    import references_test as common
except SystemExit as no_reference:
    sys.exit(no_reference.code)
import numpy as np
import torch
import transformers

import make_models
import tiny_prequant
import tiny_tokenizers

NEEDS = {"bnb4": "bitsandbytes", "bnb8": "bitsandbytes", "ct-packed": "compressed_tensors"}


def parameters(rng, scheme):
    """Random parameters of a scheme, and what its shapes must be multiples of."""
    group = rng.choice([16, 32, 64, 128, -1])
    sym, order = rng.random() < 0.5, rng.random() < 0.4
    if scheme == "bnb4":
        return {"quant_type": rng.choice(["nf4", "fp4"]), "double": rng.random() < 0.5,
                "block": rng.choice([64, 128, 256, 512])}, rng.choice([2, 8, 32, 64])
    if scheme == "gptq":
        return {"bits": rng.choice([2, 3, 4, 4, 8]), "group": group, "order": order, "sym": sym,
                "v2": rng.random() < 0.3, "g_idx": rng.random() < 0.7}, 32
    if scheme == "awq":
        return {"group": group}, 32
    if scheme == "ct-packed":
        return {"bits": rng.choice([2, 3, 4, 4, 5, 6, 7, 8]), "group": group, "order": order and group > 0, "sym": sym}, 4
    if scheme == "ct-int8":
        strategy = rng.choice(["channel", "tensor"])
        return {"strategy": strategy, "sym": sym or strategy == "tensor"}, 2
    if scheme == "fp8":
        block = rng.choice([None, (128, 128), (32, 48)])
        return {"block": block, "strategy": rng.choice(["channel", "tensor"]), "dtype": rng.choice([torch.float32, torch.bfloat16]),
                "suffix": ".weight_scale_inv" if block and rng.random() < 0.7 else ".weight_scale"}, 2
    if scheme == "mxfp4":
        return {"kind": rng.choice(["mxfp4", "mxfp4-blocks"])}, 32
    return {}, 16


ARCHS = ["llama", "qwen3", "qwen2", "mistral", "phi3", "phi", "gemma2", "qwen3_moe"]


def random_spec(rng, scheme):
    quant, step = parameters(rng, scheme)
    arch = rng.choice(ARCHS)
    if arch == "qwen3_moe":
        step = max(step, 4)  # transformers' grouped product wants rows of 16 bytes and their multiples
    head_dim = max(16, step) if step > 8 else rng.choice([12, 20, 36, 16])
    head_dim = step * -(-head_dim // step)
    kv_heads = rng.randrange(1, 3)
    heads = kv_heads * rng.randrange(1, 3)
    hidden, ffn = step * -(-rng.randrange(24, 200) // step), step * -(-rng.randrange(24, 300) // step)
    hidden = step * heads * -(-hidden // (step * heads))  # Gemma 2 wants a multiple of the heads
    if arch in ("phi", "phi3"):
        hidden = heads * head_dim
    spec = dict(arch=arch, shape=(rng.randrange(1, 3), hidden, ffn, heads, kv_heads, head_dim, 320),
                tied=rng.random() < 0.5 or arch == "gemma2", hf=rng.choice(["bfloat16", "float16"]), old=rng.random() < 0.3,
                quant={"scheme": scheme, **quant})
    if arch == "qwen3_moe":
        spec.update(experts=(rng.randrange(3, 9), 2, step * -(-rng.randrange(16, 64) // step)), set=dict(norm_topk_prob=True))
    if arch == "llama" and rng.random() < 0.5:
        spec["bias"] = True
    if rng.random() < 0.3:
        spec["shards"] = 2
    return spec


def check(root, number, spec, seed):
    rng = random.Random(seed)
    kind = make_models.kind_of(spec)
    tokenizer = getattr(tiny_tokenizers, kind + "_like")(320)
    folder = os.path.join(root, str(number))
    os.makedirs(folder)
    model = make_models.build(spec, seed)
    model = make_models.load(model, make_models.save_hf(folder, model, spec, tokenizer, kind))
    difference = common.check_scores(folder, model, [rng.randrange(320) for _ in range(70)])
    common.check_greedy(folder, model, transformers.AutoTokenizer.from_pretrained(folder), common.words(rng, 9))
    print(f"{spec['arch']} {spec['shape']} {spec['quant']}: logits within {difference:.1e}, greedy equal", flush=True)


def main():
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 31)
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 2
    print(f"seed {seed}")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as root:
        for i, scheme in enumerate(s for s in tiny_prequant.SCHEMES for _ in range(count)):
            if scheme in NEEDS and importlib.util.find_spec(NEEDS[scheme]) is None:
                print(f"{scheme} is left out: no {NEEDS[scheme]}")
                continue
            spec = random_spec(random.Random(seed + i), scheme)
            try:
                check(root, i, spec, seed + i)
            except AssertionError:
                print(f"with {spec}")
                raise


if __name__ == "__main__":
    main()
