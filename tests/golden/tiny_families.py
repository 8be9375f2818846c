# SPDX-License-Identifier: Apache-2.0
"""Random Phi-2, Phi-3, Phi-4-mini and Gemma-2 models for make_models.py, and what is theirs alone: old config.json,
GGUF names, metadata and transforms (as llama.cpp's converter), and logits on both sides of LongRoPE's switch."""
import math

import gguf
import numpy as np
import torch
from transformers import Gemma2Config, Gemma2ForCausalLM, Phi3Config, Phi3ForCausalLM, PhiConfig, PhiForCausalLM

LONGROPE = {"rope_type": "longrope", "rope_theta": 10000.0}


def longrope(n_rot, original, partial=1.0):
    """Two sets of factors that cannot be mistaken for each other."""
    short = [round(1 + 0.07 * i, 3) for i in range(n_rot // 2)]
    long = [round(1.5 + 0.9 * i, 3) for i in range(n_rot // 2)]
    return {**LONGROPE, "partial_rotary_factor": partial, "short_factor": short, "long_factor": long,
            "original_max_position_embeddings": original}


def plain(partial=1.0):
    return {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": partial}


# As make_models.MODELS; "set" goes into the config as it is.
MODELS = {
    "phi2-bf16": dict(arch="phi", shape=(2, 32, 80, 2, 2, 16, 312), tied=False, hf="bfloat16", rope=plain(0.5)),
    "phi2-f16-old-norms": dict(arch="phi", shape=(2, 30, 64, 3, 1, 10, 301), tied=False, hf="float16", old=True,
                               rope=plain(0.4), set=dict(qk_layernorm=True)),
    "phi3-bf16-window": dict(arch="phi3", shape=(2, 32, 48, 2, 2, 16, 304), tied=False, hf="bfloat16", rope=plain(),
                             set=dict(sliding_window=7)),
    "phi3-f32-longrope-old": dict(arch="phi3", shape=(1, 24, 40, 2, 1, 12, 301), tied=False, hf="float32", old=True,
                                  rope=longrope(12, 20), set=dict(original_max_position_embeddings=20)),
    "phi4-bf16-longrope": dict(arch="phi3", shape=(2, 32, 40, 2, 1, 16, 317), tied=True, hf="bfloat16",
                               rope=longrope(12, 40, 0.75), set=dict(original_max_position_embeddings=40)),
    "gemma2-bf16": dict(arch="gemma2", shape=(3, 32, 48, 4, 2, 16, 304), tied=True, hf="bfloat16",
                        set=dict(sliding_window=6, query_pre_attn_scalar=24, attn_logit_softcapping=2.5,
                                 final_logit_softcapping=4.0)),
    "gemma2-f32-old": dict(arch="gemma2", shape=(2, 24, 40, 2, 1, 16, 300), tied=True, hf="float32", old=True,
                           set=dict(sliding_window=16, query_pre_attn_scalar=16, attn_logit_softcapping=None,
                                    final_logit_softcapping=None)),
    "gguf-phi2-f16-fused": dict(arch="phi", shape=(2, 32, 128, 2, 2, 16, 304), tied=False, gguf=gguf.GGMLQuantizationType.F16,
                                rope=plain(0.5), fused=True),
    "gguf-phi2-q8_0": dict(arch="phi", shape=(1, 32, 128, 2, 2, 16, 301), tied=False, gguf=gguf.GGMLQuantizationType.Q8_0,
                           rope=plain(0.5)),
    "gguf-phi3-q8_0-longrope": dict(arch="phi3", shape=(2, 64, 64, 2, 1, 32, 304), tied=False,
                                    gguf=gguf.GGMLQuantizationType.Q8_0, rope=longrope(24, 20, 0.75),
                                    set=dict(original_max_position_embeddings=20), name="Tiny Phi"),
    "gguf-gemma2-q5_0": dict(arch="gemma2", shape=(2, 32, 64, 2, 1, 32, 301), tied=True,
                             gguf=gguf.GGMLQuantizationType.Q5_0,
                             set=dict(sliding_window=8, query_pre_attn_scalar=32, attn_logit_softcapping=3.0,
                                      final_logit_softcapping=5.0)),
}
ARCHS = ("phi", "phi3", "gemma2")


def new(spec):
    layers, hidden, ffn, heads, kv_heads, head_dim, vocab = spec["shape"]
    common = dict(num_hidden_layers=layers, hidden_size=hidden, intermediate_size=ffn, num_attention_heads=heads,
                  num_key_value_heads=kv_heads, vocab_size=vocab, max_position_embeddings=512, pad_token_id=None,
                  tie_word_embeddings=spec["tied"], rope_parameters=spec.get("rope", plain()), **spec.get("set", {}))
    if spec["arch"] == "gemma2":
        common["rope_parameters"].pop("partial_rotary_factor", None)
        return Gemma2ForCausalLM(Gemma2Config(head_dim=head_dim, **common))
    assert head_dim * heads == hidden, "these families have no head_dim of their own"
    return (PhiForCausalLM(PhiConfig(**common)) if spec["arch"] == "phi" else Phi3ForCausalLM(Phi3Config(**common)))


def random_spec(rng, arch):
    """A shape that no one has chosen; rng: random.Random."""
    kv_heads = rng.choice([1, 1, 2, 3])
    heads = kv_heads * rng.choice([1, 2, 3, 4])
    head_dim = rng.choice([8, 12, 16, 20, 32, 40, 64])
    rotated = [p for p in (0.25, 0.4, 0.5, 0.75, 1.0) if int(head_dim * p) >= 2 and int(head_dim * p) % 2 == 0]
    hidden = heads * (rng.choice([4, 10, 16]) if arch == "gemma2" else head_dim)
    spec = dict(arch=arch, tied=arch == "gemma2" or rng.random() < 0.3, hf=rng.choice(["bfloat16", "bfloat16", "float16", "float32"]),
                old=rng.random() < 0.5, set={},
                shape=(rng.randint(1, 4), hidden, rng.randint(3, 160), heads, kv_heads, head_dim, rng.randint(310, 400)))
    if arch == "phi":
        spec["rope"] = {**plain(rng.choice(rotated)), "rope_theta": rng.choice([10000.0, 500.0])}
        spec["set"] = dict(qk_layernorm=rng.random() < 0.4, hidden_act=rng.choice(["gelu_new", "gelu_new", "gelu"]))
    elif arch == "phi3":
        partial = rng.choice(rotated)
        original = rng.choice([8, 33, 64, 150, 512])
        spec["rope"] = longrope(int(head_dim * partial), original, partial) if rng.random() < 0.7 else plain(partial)
        spec["set"] = dict(original_max_position_embeddings=original, sliding_window=rng.choice([None, 1, 5, 64, 100, 262144]))
        if rng.random() < 0.2 and not spec["old"] and spec["rope"]["rope_type"] == "longrope":
            spec["rope"]["attention_factor"] = 1.37
    else:
        spec["set"] = dict(sliding_window=rng.choice([1, 4, 32, 65, 100, 4096]), query_pre_attn_scalar=rng.choice([8, 50, 256]),
                           attn_logit_softcapping=rng.choice([None, 2.0, 50.0]), attention_bias=rng.random() < 0.3,
                           final_logit_softcapping=rng.choice([None, 3.0, 30.0]))
        if not spec["old"] and rng.random() < 0.5:
            spec["set"]["layer_types"] = [rng.choice(["full_attention", "sliding_attention"]) for _ in range(spec["shape"][0])]
    return spec


def prequant_spec(arch, spec):
    """A pre-quantised model's spec (of tiny_prequant) for one of these families: fused matrices are quantised whole."""
    own = {"phi": dict(rope=plain(0.5)), "phi3": dict(rope=longrope(32, 64), set=dict(original_max_position_embeddings=64)),
           "gemma2": dict(set=dict(sliding_window=40, query_pre_attn_scalar=32))}
    kept = {k: v for k, v in spec.items() if k not in ("rope", "bias")}
    return {**kept, "arch": arch, "shape": (1, 64, 96, 2, 1, 32, 303), "tied": arch == "gemma2", **own[arch]}


def to_old_dialect(config):
    """What these families' config.json looked like, where it is not what all had; see make_models.to_old_dialect."""
    kind = config["model_type"]
    if kind == "phi3" and config["rope_scaling"] is not None:
        config["rope_scaling"].pop("original_max_position_embeddings")
        config["rope_scaling"]["type"] = config["rope_scaling"].pop("rope_type")
    if kind == "gemma2":
        config.update(hidden_act="gelu_pytorch_tanh", cache_implementation="hybrid")
    if kind == "phi":
        config.update(embd_pdrop=0.0)


def step_logits(model, ids):
    """Logits (len(ids), n_vocab) after each of ids as generation sees them: the keys and values of each step are those
    of a timeline of that length. Only LongRoPE makes this differ from one pass over all."""
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0].float()
        original = model.config.rope_parameters.get("original_max_position_embeddings")
        if model.config.rope_parameters["rope_type"] == "longrope" and original < len(ids):
            logits[:original] = model(torch.tensor([ids[:original]])).logits[0].float()
    return logits


# GGUF

LAYER_NAMES = {
    "phi": {"input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
            "self_attn.v_proj": "attn_v", "self_attn.qkv_proj": "attn_qkv", "self_attn.dense": "attn_output", "mlp.fc1": "ffn_up", "mlp.fc2": "ffn_down"},
    "phi3": {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.qkv_proj": "attn_qkv",
             "self_attn.o_proj": "attn_output", "mlp.gate_up_proj": "ffn_up", "mlp.down_proj": "ffn_down"},
    "gemma2": {"input_layernorm": "attn_norm", "post_attention_layernorm": "post_attention_norm",
               "pre_feedforward_layernorm": "ffn_norm", "post_feedforward_layernorm": "post_ffw_norm",
               "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
               "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
               "mlp.down_proj": "ffn_down"},
}
GGUF_ARCHS = {"phi": "phi2", "phi3": "phi3", "gemma2": "gemma2"}


def fuse_qkv(state):
    """q, k and v of each layer as one tensor, as the older Phi-2 files have them."""
    out = {}
    for name, w in state.items():
        if ".q_proj." in name:
            w = np.concatenate([state[name.replace(".q_proj.", f".{part}_proj.")] for part in "qkv"])
        if ".k_proj." not in name and ".v_proj." not in name:
            out[name.replace(".q_proj.", ".qkv_proj.")] = w
    return out


def split_qkv(weights, config):
    head_dim = config.hidden_size // config.num_attention_heads
    sizes = [config.num_attention_heads * head_dim] + [config.num_key_value_heads * head_dim] * 2
    out = {}
    for name, w in weights.items():
        parts = w.split(sizes) if ".qkv_proj." in name else [w]
        out.update((name.replace(".qkv_proj.", f".{part}_proj."), p) for part, p in zip("qkv", parts))
    return out


def gguf_offset(config, name):
    """What the converter adds to a weight."""
    return 1.0 if config.model_type == "gemma2" and name.endswith("norm.weight") else 0.0


def write_gguf_config(writer, config):
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    rope = config.rope_parameters
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    if config.model_type == "phi":
        writer.add_layer_norm_eps(config.layer_norm_eps)
        writer.add_rope_dimension_count(int(rope["partial_rotary_factor"] * config.hidden_size) // config.num_attention_heads)
    elif config.model_type == "phi3":
        writer.add_rope_scaling_orig_ctx_len(config.original_max_position_embeddings)
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
        writer.add_rope_dimension_count(int(rope["partial_rotary_factor"] * config.hidden_size) // config.num_attention_heads)
        writer.add_rope_freq_base(rope["rope_theta"])
        writer.add_sliding_window(config.sliding_window or 0)
        write_longrope(writer, config)
    else:
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
        writer.add_key_length(head_dim)
        writer.add_value_length(head_dim)
        writer.add_attn_logit_softcapping(config.attn_logit_softcapping)
        writer.add_final_logit_softcapping(config.final_logit_softcapping)
        writer.add_sliding_window(config.sliding_window)


def write_longrope(writer, config):
    rope = config.rope_parameters
    if rope["rope_type"] != "longrope":
        return
    scale = config.max_position_embeddings / config.original_max_position_embeddings
    writer.add_rope_scaling_attn_factors(
        math.sqrt(1 + math.log(scale) / math.log(config.original_max_position_embeddings)) if scale > 1 else 1.0)
    writer.add_tensor("rope_factors_long.weight", np.array(rope["long_factor"], np.float32))
    writer.add_tensor("rope_factors_short.weight", np.array(rope["short_factor"], np.float32))
