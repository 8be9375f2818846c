# SPDX-License-Identifier: Apache-2.0
"""Random Qwen3-MoE models for make_models.py, and what is theirs alone: experts as one tensor each (as
save_pretrained writes them), as transformers 5 holds them (gate_up_proj), and as GGUF's merged tensors."""
import numpy as np
import torch
from gguf import GGMLQuantizationType as T
from safetensors.torch import load_file, save_file
from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM

# As make_models.MODELS; "experts" is how many there are, how many a token uses, and their intermediate size;
# "set" goes into the config as it is; "merged": the file has the experts as transformers holds them.
MODELS = {
    "qwen3moe-bf16": dict(arch="qwen3_moe", shape=(3, 24, 40, 4, 2, 8, 304), tied=False, hf="bfloat16", seed=2001,
                          experts=(6, 2, 16), set=dict(norm_topk_prob=True, mlp_only_layers=[1])),
    "qwen3moe-f32-old": dict(arch="qwen3_moe", shape=(4, 16, 24, 2, 1, 8, 300), tied=True, hf="float32", old=True,
                             seed=2002, experts=(4, 3, 8), set=dict(norm_topk_prob=False, decoder_sparse_step=2)),
    "qwen3moe-f16-merged": dict(arch="qwen3_moe", shape=(2, 24, 32, 2, 2, 16, 301), tied=False, hf="float16",
                                merged=True, seed=2003, experts=(16, 4, 8), set=dict(norm_topk_prob=True)),
    "gguf-qwen3moe-bf16": dict(arch="qwen3_moe", shape=(2, 24, 32, 4, 2, 8, 304), tied=False, gguf=T.BF16, seed=2004,
                               experts=(8, 3, 8), set=dict(norm_topk_prob=True)),
    "gguf-qwen3moe-q8_0": dict(arch="qwen3_moe", shape=(2, 32, 64, 2, 1, 32, 300), tied=True, gguf=T.Q8_0, seed=2005,
                               experts=(5, 1, 32), set=dict(norm_topk_prob=False)),
}
EXPERTS = ".mlp.experts."
STEADY = 0.05  # of the router's logits: what activations rounded to 8 bits must not turn into another expert


def new(spec):
    layers, hidden, ffn, heads, kv_heads, head_dim, vocab = spec["shape"]
    n_experts, n_used, width = spec["experts"]
    return Qwen3MoeForCausalLM(Qwen3MoeConfig(
        num_hidden_layers=layers, hidden_size=hidden, intermediate_size=ffn, num_attention_heads=heads,
        num_key_value_heads=kv_heads, head_dim=head_dim, vocab_size=vocab, max_position_embeddings=512,
        tie_word_embeddings=spec["tied"], rms_norm_eps=1e-5, num_experts=n_experts, num_experts_per_tok=n_used,
        moe_intermediate_size=width, rope_parameters=spec.get("rope", {"rope_type": "default", "rope_theta": 10000.0}),
        **spec.get("set", {})))


def steady_ids(model, rng, n, n_text_ids):
    """Random ids with which no router's choice is close, so that a small error stays small."""
    ids = []
    while len(ids) < n:
        trial = ids + [int(rng.integers(0, n_text_ids))]
        with torch.no_grad():
            routers = model(torch.tensor([trial]), output_router_logits=True).router_logits
        k = model.config.num_experts_per_tok
        best = [r[-1].sort(descending=True).values for r in routers]
        if all(k == len(b) or b[k - 1] - b[k] > STEADY * float(r.std()) for b, r in zip(best, routers)):
            ids = trial
    return ids


def merge(weights):
    """Names and tensors as transformers has them in memory, whatever the file had."""
    out, parts = {}, {}
    for name, w in weights.items():
        if EXPERTS not in name or not name.endswith(".weight"):
            out[name] = w
            continue
        stem, rest = name.split(EXPERTS)
        expert, kind, _ = rest.split(".")
        parts.setdefault(stem, {}).setdefault(kind, {})[int(expert)] = w
    for stem, kinds in parts.items():
        gate, up, down = (torch.stack([kinds[k][i] for i in range(len(kinds[k]))])
                          for k in ("gate_proj", "up_proj", "down_proj"))
        out[stem + EXPERTS + "gate_up_proj"] = torch.cat([gate, up], 1)
        out[stem + EXPERTS + "down_proj"] = down
    return out


def save_merged(path):
    save_file({k: v.contiguous() for k, v in merge(load_file(path)).items()}, path, metadata={"format": "pt"})


def to_old_dialect(config):
    if config["model_type"] == "qwen3_moe":
        config["num_experts"] = config.pop("num_local_experts")
        config["max_window_layers"] = config["num_hidden_layers"]


def write_gguf_config(writer, config):
    writer.add_expert_count(config.num_experts)
    writer.add_expert_used_count(config.num_experts_per_tok)
    writer.add_expert_feed_forward_length(config.moe_intermediate_size)
    if not config.norm_topk_prob:  # llama.cpp knows models that normalise only
        writer.add_expert_weights_norm(False)


def gguf_tensors(key, w):
    """(name, array) for GGUF of a tensor that is this family's alone, and how to put them together again."""
    layer, rest = key.removeprefix("model.layers.").split(".", 1)
    name = f"blk.{layer}.ffn_"
    if rest == "mlp.gate.weight":
        return [(name + "gate_inp.weight", w)], lambda parts: parts[0]
    if rest == "mlp.experts.gate_up_proj":
        gate, up = np.split(w, 2, 1)
        return [(name + "gate_exps.weight", gate), (name + "up_exps.weight", up)], lambda parts: np.concatenate(parts, 1)
    if rest == "mlp.experts.down_proj":
        return [(name + "down_exps.weight", w)], lambda parts: parts[0]
    return None
