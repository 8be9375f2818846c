# SPDX-License-Identifier: Apache-2.0
"""Writes the first inputs of fuzz_safetensors, fuzz_gguf and fuzz_config into corpus/.

    python tests/fuzz/make_files_corpus.py        (needs: numpy, gguf; after tests/golden's scripts)
"""
import glob
import json
import os

import gguf
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(HERE, "..", "golden")


def put(target, name, raw):
    folder = os.path.join(HERE, "corpus", target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as f:
        f.write(raw)


def safetensors():
    with open(os.path.join(GOLDEN, "safetensors_cases.json")) as f:
        cases = [c for c in json.load(f)["cases"] if not c["name"].startswith("mutation")]
    for c in cases:
        if len(c["hex"]) < 1200:
            put("fuzz_safetensors", c["name"].replace(" ", "_").replace("/", "_"), bytes.fromhex(c["hex"]))


def tiny_gguf(path, arch, extra):
    w = gguf.GGUFWriter(path, arch)
    w.add_block_count(1)
    w.add_embedding_length(32)
    w.add_feed_forward_length(32)
    w.add_head_count(2)
    w.add_head_count_kv(1)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_vocab_size(3)
    w.add_tokenizer_model("gpt2")
    w.add_token_list(["a", "b", "ab"])
    w.add_token_types([1, 1, 1])
    w.add_token_merges(["a b"])
    w.add_float64("x.f64", 0.5)
    w.add_int64("x.i64", -1)
    w.add_uint8("x.u8", 1)
    w.add_array("x.f32s", [0.5, 1.5])
    w.add_array("x.bools", [True, False])
    extra(w)
    w.add_tensor("token_embd.weight", np.ones((3, 32), np.float32))
    w.add_tensor("blk.0.attn_q.weight", np.zeros((2, 18), np.uint8), raw_dtype=gguf.GGMLQuantizationType.Q4_0)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def ggufs():
    os.makedirs(os.path.join(HERE, "corpus", "fuzz_gguf"), exist_ok=True)
    variants = {
        "llama": ("llama", lambda w: w.add_rope_dimension_count(16)),
        "qwen3": ("qwen3", lambda w: w.add_key_length(64)),
        "aligned": ("llama", lambda w: w.add_custom_alignment(64)),
        "linear": ("llama", lambda w: (w.add_rope_scaling_type(gguf.RopeScalingType.LINEAR), w.add_rope_scaling_factor(2))),
        "mixture": ("qwen3moe", lambda w: (w.add_expert_count(4), w.add_expert_used_count(2),
                                           w.add_tensor("blk.0.ffn_gate_exps.weight", np.ones((4, 8, 32), np.float32)))),
        "split": ("llama", lambda w: (w.add_uint16("split.no", 0), w.add_uint16("split.count", 2))),
        "other": ("gemma3", lambda w: None),
    }
    for name, (arch, extra) in variants.items():
        path = os.path.join(HERE, "corpus", "fuzz_gguf", name)
        tiny_gguf(path, arch, extra)
        with open(path, "rb") as f:
            raw = f.read()
        put("fuzz_gguf", name + "_cut", raw[: len(raw) // 2])
        put("fuzz_gguf", name + "_version_2", raw[:4] + b"\2" + raw[5:])


def configs():
    for path in glob.glob(os.path.join(GOLDEN, "models", "*", "config.json")):
        with open(path) as f:
            config = json.load(f)
        put("fuzz_config", os.path.basename(os.path.dirname(path)), json.dumps(config).encode())
    base = {"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 1, "intermediate_size": 8,
            "num_attention_heads": 4, "vocab_size": 9}
    nested = {"full_attention": {"rope_type": "default", "rope_theta": 1e4}}
    for i, change in enumerate([
            {}, {"rope_parameters": nested}, {"rope_scaling": {"type": "yarn", "factor": 4}}, {"num_key_value_heads": 3},
            {"head_dim": 7}, {"hidden_act": "gelu"}, {"eos_token_id": [1, 2, 3]}, {"hidden_size": 1e300},
            {"layer_types": ["sliding_attention"], "model_type": "qwen3"}, {"quantization_config": {}},
            {"model_type": "mistral"}, {"rope_theta": -1}, {"rms_norm_eps": None},
            {"model_type": "qwen3_moe", "num_experts": 0}, {"model_type": "qwen3_moe", "num_experts": 4, "num_experts_per_tok": 9},
            {"model_type": "qwen3_moe", "mlp_only_layers": [-1, 0, 7], "decoder_sparse_step": 2}]):
        put("fuzz_config", f"case_{i}", json.dumps({**base, **change}).encode())


if __name__ == "__main__":
    safetensors()
    ggufs()
    configs()
