# SPDX-License-Identifier: Apache-2.0
"""New random GGUF files that llama.cpp and adam both read: the writer of these tests lays files out as others do.

    llama_cpp_references_test.py BUILD [SEED]     (needs torch, transformers, gguf, llama-cpp-python, numpy; SKIP without)

Every family of tiny_families as F32 GGUF: logits of transformers, of llama.cpp and of `adam score` over the same ids.
llama.cpp ignores Phi-3's window and picks LongRoPE's factors by the room it was given, so those models are compared
without a window, and with the room filled, once below and once above the original context.
"""
import ctypes
import os
import random
import subprocess
import sys
import tempfile

REQUIRED = os.environ.get("ADAM_REQUIRE_REFERENCES") == "1"
try:
    import llama_cpp
    import numpy as np
    import torch
    from gguf import GGMLQuantizationType as T

    import make_models
    import tiny_families
    import tiny_tokenizers
except ImportError as error:
    print(f"{'no' if REQUIRED else 'SKIP: no'} reference: {error}")
    sys.exit(1 if REQUIRED else 77)

ADAM = os.path.join(sys.argv[1], "adam")
TOLERANCE = 1e-3          # of adam to transformers
PEER_TOLERANCE = 2e-2     # of llama.cpp: it looks gelu up in a table of float16
ROOM = {"phi3": (256, 512)}  # context sizes, which llama.cpp rounds up to a multiple of 256
ORIGINAL = 300
QUIET = llama_cpp.llama_log_callback(lambda *_: None)


def peer_logits(path, ids, n_ctx):
    model = llama_cpp.Llama(path, n_ctx=n_ctx, n_batch=n_ctx, logits_all=True, n_gpu_layers=0,
                            type_k=0, type_v=0, flash_attn=False, verbose=False)  # 0: the cache is float32
    model.eval(ids)
    pointer = ctypes.cast(llama_cpp.llama_get_logits(model.ctx), ctypes.POINTER(ctypes.c_float))
    return np.ctypeslib.as_array(pointer, shape=(len(ids), model.n_vocab())).copy()


def adam_logits(folder, path, ids):
    out = os.path.join(folder, "ours.npy")
    subprocess.run([ADAM, "score", "-m", path, "--ids", "-", "--logits", out], input=" ".join(map(str, ids)), text=True,
                   check=True, stdout=subprocess.DEVNULL)
    return np.load(out)


def check(folder, name, seed):
    spec = {**tiny_families.MODELS[name], "gguf": T.F32, "name": "Tiny"}  # it wants certain tokens of a "phi3"
    spec["set"] = dict(spec.get("set", {}))
    if spec["arch"] == "phi3":
        spec["set"].pop("sliding_window", None)
        if "short_factor" in spec["rope"]:
            spec["rope"] = {**spec["rope"], "original_max_position_embeddings": ORIGINAL}
            spec["set"]["original_max_position_embeddings"] = ORIGINAL
    if spec["arch"] == "phi":  # llama.cpp has neither head norms nor another width of the feed-forward
        spec["set"].pop("qk_layernorm", None)
        layers, hidden, _, heads, _, head_dim, vocab = spec["shape"]
        spec["shape"] = (layers, hidden, 4 * hidden, heads, heads, head_dim, vocab)
    if spec["arch"] == "gemma2":  # both are fixed there
        spec["set"].update(query_pre_attn_scalar=spec["shape"][5])
        spec["set"] = {k: v if v is not None else 30.0 for k, v in spec["set"].items()}
    vocab = spec["shape"][-1]
    model = make_models.build(spec, seed)
    weights = make_models.save_gguf(folder, model, spec, tiny_tokenizers.llama_like(vocab), "llama", np.random.default_rng(seed))
    model = make_models.load(model, weights)
    path = os.path.join(folder, "model.gguf")
    worst = [0.0, 0.0]
    for n_ctx in ROOM.get(spec["arch"], (256,)):
        ids = np.random.default_rng(seed).integers(0, vocab, n_ctx).tolist()
        with torch.no_grad():
            expected = model(torch.tensor([ids])).logits[0].numpy()
        mine, theirs = adam_logits(folder, path, ids), peer_logits(path, ids, n_ctx)
        for i, (got, limit) in enumerate(((mine, TOLERANCE), (theirs, PEER_TOLERANCE))):
            difference = float(np.abs(got - expected).max())
            assert difference <= limit, f"{name}, {n_ctx} tokens: {('adam', 'llama.cpp')[i]} differs by {difference}"
            worst[i] = max(worst[i], difference)
    print(f"{name}: adam within {worst[0]:.1e}, llama.cpp within {worst[1]:.1e} of transformers")


def main():
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 31)
    print(f"seed {seed}")
    llama_cpp.llama_log_set(QUIET, None)
    make_models.transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    for i, name in enumerate(tiny_families.MODELS):
        with tempfile.TemporaryDirectory() as folder:
            check(folder, name, seed + i)


if __name__ == "__main__":
    main()
