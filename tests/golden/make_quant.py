#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/quant: what llama.cpp's quantize chooses and how near its blocks come.

  make_quant.py        (needs llama_cpp, gguf, numpy)

mix.txt: "model ARCH N_LAYERS N_HEADS N_KV_HEADS N_EXPERTS TIED", then lines "NAME N_DIMS N_COLUMNS DTYPE..." with a
dtype for each recipe of RECIPES, from files that llama_model_quantize wrote. values.f16: N_SETS sets of N_VALUES
binary16 numbers; rmse.txt: "DTYPE SET RMSE" of ggml_quantize_chunk's blocks of them.
"""
import ctypes
import os
import random
import re
import sys
import tempfile

import gguf
import llama_cpp
import numpy as np
from gguf import GGMLQuantizationType as T

HERE = os.path.dirname(os.path.abspath(__file__))
RECIPES = {"q8_0": 7, "q6_k": 18, "q5_k_m": 17, "q5_k_s": 16, "q5_1": 9, "q5_0": 8, "q4_k_m": 15, "q4_k_s": 14, "q4_1": 3,
           "q4_0": 2, "q3_k_l": 13, "q3_k_m": 12, "q3_k_s": 11, "q2_k": 10}
DTYPES = ["q8_0", "q6_k", "q5_k", "q5_1", "q5_0", "q4_k", "q4_1", "q4_0", "q3_k", "q2_k"]
N_VALUES = 2048
PLAIN = re.compile("norm|attn_[qk]\\.|ffn_(gate|up)")  # one layer of these is enough for the golden
P = ctypes.c_void_p


@llama_cpp.llama_log_callback
def quiet(*_):
    pass


llama_cpp.llama_log_set(quiet, None)


class Model:
    """A shape of model as a GGUF with random numbers and no vocabulary, which is enough for quantize."""

    def __init__(self, arch, n_layers, n_heads, n_kv, n_experts=0, tied=False, columns=256, ff=512):
        self.arch, self.n_layers, self.n_heads, self.n_kv = arch, n_layers, n_heads, n_kv
        self.n_experts, self.tied, self.columns, self.ff = n_experts, tied, columns, ff

    def tensors(self):
        """(name, shape slowest first)"""
        d, ff, e = self.columns, self.ff, self.n_experts
        yield "token_embd.weight", (48, d)
        yield "output_norm.weight", (d,)
        if not self.tied:
            yield "output.weight", (48, d)
        for i in range(self.n_layers):
            p = "blk.%d." % i
            yield p + "attn_norm.weight", (d,)
            yield p + "ffn_norm.weight", (d,)
            if self.arch == "phi3":
                yield p + "attn_qkv.weight", (48, d)
            else:
                for part in "qkv":
                    yield p + "attn_%s.weight" % part, (16, d)
            if self.arch == "qwen2":
                yield p + "attn_q.bias", (16,)
            if self.arch.startswith("qwen3"):
                yield p + "attn_q_norm.weight", (32,)
            if self.arch == "gemma2":
                yield p + "post_attention_norm.weight", (d,)
                yield p + "post_ffw_norm.weight", (d,)
            yield p + "attn_output.weight", (16, d)
            if e:
                yield p + "ffn_gate_inp.weight", (e, d)
                yield p + "ffn_gate_exps.weight", (e, 8, d)
                yield p + "ffn_up_exps.weight", (e, 8, d)
                yield p + "ffn_down_exps.weight", (e, 8, ff)
            else:
                if self.arch != "phi3":
                    yield p + "ffn_gate.weight", (16, d)
                yield p + "ffn_up.weight", (16, d)
                yield p + "ffn_down.weight", (16, ff)

    def write(self, path):
        w = gguf.GGUFWriter(path, self.arch)
        w.add_context_length(64)
        w.add_embedding_length(self.columns)
        w.add_block_count(self.n_layers)
        w.add_feed_forward_length(self.ff)
        w.add_head_count(self.n_heads)
        w.add_head_count_kv(self.n_kv)
        w.add_layer_norm_rms_eps(1e-5)
        w.add_rope_dimension_count(self.columns // self.n_heads)
        w.add_sliding_window(32)
        w.add_vocab_size(48)
        if self.n_experts:
            w.add_expert_count(self.n_experts)
            w.add_expert_used_count(2)
            w.add_expert_feed_forward_length(self.ff)
        rng = np.random.default_rng(1)
        for name, shape in self.tensors():
            data = rng.standard_normal(shape, np.float32)
            w.add_tensor(name, data if len(shape) == 1 or "gate_inp" in name else data.astype(np.float16))
        w.write_header_to_file()
        w.write_kv_data_to_file()
        w.write_tensors_to_file()
        w.close()

    def line(self):
        return "model %s %d %d %d %d %d" % (self.arch, self.n_layers, self.n_heads, self.n_kv, self.n_experts, self.tied)


def llama_quantize(source, target, recipe, threads=1):
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = RECIPES[recipe]
    params.nthread = threads
    if llama_cpp.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(params)):
        raise SystemExit("llama_model_quantize failed: %s %s" % (recipe, source))


def llama_choices(model, recipes=RECIPES):
    """{tensor: [dtype of each recipe]} as llama.cpp writes them."""
    chosen = {}
    with tempfile.TemporaryDirectory() as folder:
        source, target = os.path.join(folder, "a.gguf"), os.path.join(folder, "b.gguf")
        model.write(source)
        for recipe in recipes:
            llama_quantize(source, target, recipe)
            for t in gguf.GGUFReader(target).tensors:
                chosen.setdefault(t.name, []).append(t.tensor_type.name.lower())
    return chosen


def mix_lines(model, recipes=RECIPES, all_of_them=False):
    chosen = llama_choices(model, recipes)
    yield model.line()
    for name, shape in model.tensors():
        if all_of_them or name.startswith("blk.0.") or not PLAIN.search(name):
            yield "%s %d %d %s" % (name, len(shape), shape[-1], " ".join(chosen[name]))


MODELS = [Model("llama", 16, 8, 2), Model("llama", 5, 8, 8, columns=96, ff=320), Model("qwen3", 28, 8, 4, tied=True),
          Model("qwen3", 9, 8, 4), Model("qwen3moe", 6, 8, 4, n_experts=16), Model("llama", 8, 8, 2, n_experts=8),
          Model("phi3", 12, 8, 8), Model("gemma2", 11, 8, 4, tied=True), Model("qwen2", 80, 8, 1, columns=256, ff=256),
          Model("llama", 80, 8, 1, columns=256, ff=256), Model("qwen2", 7, 8, 2, columns=64, ff=256, tied=True)]


def random_model(rng):
    arch = rng.choice(["llama", "llama", "qwen2", "qwen3", "qwen3moe", "phi3", "gemma2"])
    n_heads = rng.choice([4, 8])
    n_kv = n_heads if arch == "phi3" else rng.choice([k for k in (1, 2, 4, 8) if n_heads % k == 0])
    experts = rng.choice([4, 8, 16]) if arch == "qwen3moe" or (arch == "llama" and rng.random() < 0.4) else 0
    return Model(arch, rng.randint(1, 40), n_heads, n_kv, experts, rng.random() < 0.4, rng.choice([256, 512, 96, 64, 288]),
                 rng.choice([256, 512, 320, 64, 768]))


def library():
    folder = os.path.join(os.path.dirname(llama_cpp.__file__), "lib")
    lib = ctypes.CDLL(os.path.join(folder, "libggml-base.so"))
    lib.ggml_quantize_chunk.restype = ctypes.c_size_t
    return lib


def llama_blocks(lib, dtype, x):
    """x (rows, columns) as ggml_quantize_chunk packs it."""
    x = np.ascontiguousarray(x, np.float32)
    out = np.zeros(x.size * 4 + 512, np.uint8)
    n = lib.ggml_quantize_chunk(int(T[dtype.upper()]), x.ctypes.data_as(P), out.ctypes.data_as(P), ctypes.c_int64(0),
                                ctypes.c_int64(x.shape[0]), ctypes.c_int64(x.shape[1]), None)
    return out[:n]


def rmse(dtype, blocks, x):
    y = gguf.quants.dequantize(np.frombuffer(blocks, np.uint8), T[dtype.upper()]).reshape(x.shape)
    return float(np.sqrt(np.mean((x.astype(np.float64) - y) ** 2)))


def value_sets(n, seed=1):
    """name -> n numbers (a multiple of 256), each kind of block that has its own way to go wrong."""
    rng = np.random.default_rng(seed)
    g = rng.standard_normal
    outliers = g(n) * 0.02
    outliers[rng.random(n) < 0.003] *= 30
    sets = {
        "gaussian": g(n) * 0.02, "heavy-tailed": rng.standard_t(3, n) * 0.02, "laplace": rng.laplace(size=n) * 0.02,
        "outliers": outliers, "uniform": rng.uniform(-0.1, 0.1, n), "constant": np.repeat(rng.uniform(0.1, 1, n // 256), 256),
        "negative constant": np.full(n, -0.777), "zero": np.zeros(n), "denormal": g(n) * 1e-40, "tiny": g(n) * 1e-6,
        "great": np.clip(g(n) * 12000, -65504, 65504), "sparse": g(n) * (rng.random(n) < 0.03),
        "uneven": g(n) * 0.02 * np.exp(g(n // 32)).repeat(32),
    }
    return {k: v.astype(np.float32) for k, v in sets.items()}


def main():
    folder = os.path.join(HERE, "quant")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "mix.txt"), "w") as out:
        out.write("recipes %s\n" % " ".join(RECIPES))
        for model in MODELS:
            out.write("".join(line + "\n" for line in mix_lines(model)))
    lib = library()
    sets = {k: v.astype(np.float16) for k, v in value_sets(N_VALUES).items()}
    np.concatenate(list(sets.values())).tofile(os.path.join(folder, "values.f16"))
    with open(os.path.join(folder, "rmse.txt"), "w") as out:
        for i, (name, v) in enumerate(sets.items()):
            x = v.astype(np.float32).reshape(-1, 1024)
            for dtype in DTYPES:
                out.write("%s %d %.9g %s\n" % (dtype, i, rmse(dtype, llama_blocks(lib, dtype, x), x), name))


if __name__ == "__main__":
    random.seed(1)
    sys.exit(main())
