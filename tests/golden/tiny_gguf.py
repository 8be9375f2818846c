# SPDX-License-Identifier: Apache-2.0
"""Writes a transformers Qwen 3 or Llama model as GGUF, as llama.cpp's converter lays it out, and
returns the weights that a reader gets back (dequantised), under their Hugging Face names."""
import math

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as T
from gguf.quants import dequantize, quantize

import random_blocks
import tiny_families
import tiny_moe
import tiny_tokenizers

K_TYPES = (T.Q2_K, T.Q3_K, T.Q4_K, T.Q5_K, T.Q6_K)
LAYER_NAMES = {
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}


def gguf_name(name, arch):
    for old, new in (("model.embed_tokens.", "token_embd."), ("model.norm.", "output_norm."),
                     ("model.final_layernorm.", "output_norm."), ("lm_head.", "output.")):
        if name.startswith(old):
            return new + name[len(old):]
    _, _, layer, rest = name.split(".", 3)
    stem, kind = rest.rsplit(".", 1)
    names = tiny_families.LAYER_NAMES.get(arch, LAYER_NAMES)
    return f"blk.{layer}.{names[stem]}.{kind}"


def interleave(w, n_heads):
    """Rows of each head from Hugging Face's halves (i, i + d/2) to pairs (2i, 2i + 1)."""
    return w.reshape(n_heads, 2, w.shape[0] // n_heads // 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


def halve(w, n_heads):
    return w.reshape(n_heads, w.shape[0] // n_heads // 2, 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


def rope_freqs(config):
    """Divisors of the inverse frequencies for llama3 scaling (Llama 3.1's own formula)."""
    p = config.rope_parameters
    dim, out = config.head_dim, []
    for i in range(dim // 2):
        wavelength = 2 * math.pi * p["rope_theta"] ** (2 * i / dim)
        low = p["original_max_position_embeddings"] / p["low_freq_factor"]
        high = p["original_max_position_embeddings"] / p["high_freq_factor"]
        if wavelength < high:
            out.append(1.0)
        elif wavelength > low:
            out.append(p["factor"])
        else:
            smooth = (p["original_max_position_embeddings"] / wavelength - p["low_freq_factor"]) / (
                p["high_freq_factor"] - p["low_freq_factor"])
            out.append(1 / ((1 - smooth) / p["factor"] + smooth))
    return np.array(out, np.float32)


GGUF_ARCHS = {**tiny_families.GGUF_ARCHS, "qwen3_moe": "qwen3moe", "mistral": "llama"}


def encode(w, qtype, rng):
    """Bytes of w in qtype; what the gguf package cannot make (K-quants, IQ4) becomes random blocks."""
    if qtype in K_TYPES or qtype in (T.IQ4_NL, T.IQ4_XS):
        blocks = random_blocks.rows(rng, w.size // w.shape[-1], w.shape[-1], qtype, float(w.std()))
        return blocks.reshape(*w.shape[:-1], -1)
    return quantize(w, qtype)


def write(path, model, tokenizer, kind, type_of, rng, parts=1, name=None, fused=False):
    """type_of(gguf tensor name) -> type of a 2-D weight. Vectors are F32, as llama.cpp has them."""
    config = model.config
    arch = config.model_type
    state = {k: v.float().numpy() for k, v in model.state_dict().items()}
    if config.tie_word_embeddings:
        state.pop("lm_head.weight", None)
    if fused:
        state = tiny_families.fuse_qkv(state)
    writer = gguf.GGUFWriter(path, GGUF_ARCHS.get(arch, arch), split_max_tensors=0 if parts == 1 else -(-(len(state) + 1) // parts))
    writer.add_name(name or "tiny " + arch)
    write_config(writer, config)
    write_vocabulary(writer, config, tokenizer, kind)
    read_back = {}
    if arch == "llama" and config.rope_parameters["rope_type"] == "llama3":
        writer.add_tensor("rope_freqs.weight", rope_freqs(config))
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}

    def put(target, stored, qtype):
        """Adds a tensor; what a reader gets back."""
        data = encode(np.ascontiguousarray(stored), qtype, rng)
        writer.add_tensor(target, data, raw_dtype=qtype)
        back = data.astype(np.float32) if qtype in (T.F32, T.F16) else dequantize(data, qtype)
        return back.reshape(stored.shape)

    for key, w in state.items():
        experts = tiny_moe.gguf_tensors(key, w)
        if experts:
            parts, join = experts
            read_back[key] = torch.from_numpy(join([put(n, part, type_of(n) if part.ndim == 3 else T.F32) for n, part in parts]))
            continue
        turned = [n for part, n in heads.items() if arch in ("llama", "mistral") and f".{part}." in key]
        offset = tiny_families.gguf_offset(config, key)
        stored = (interleave(w, turned[0]) if turned else w) + np.float32(offset)
        target = gguf_name(key, arch)
        qtype = type_of(target) if w.ndim == 2 else T.F32
        back = put(target, stored, qtype) - np.float32(offset)
        read_back[key] = torch.from_numpy(np.ascontiguousarray(halve(back, turned[0]) if turned else back))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return tiny_families.split_qkv(read_back, config) if fused else read_back


def write_config(writer, config):
    if config.model_type == "qwen3_moe":
        tiny_moe.write_gguf_config(writer, config)
    if config.model_type in tiny_families.ARCHS:
        tiny_families.write_gguf_config(writer, config)
        return
    rope = config.rope_parameters
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(rope["rope_theta"])
    if config.model_type in ("llama", "mistral"):
        writer.add_rope_dimension_count(config.head_dim)
        writer.add_vocab_size(config.vocab_size)
    if rope["rope_type"] == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rope["factor"])
    if rope["rope_type"] == "yarn":
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_factor(rope["factor"])
        writer.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
    if config.model_type == "mistral" and config.sliding_window:
        writer.add_sliding_window(config.sliding_window)


def write_vocabulary(writer, config, tokenizer, kind):
    tokens, types, merges = tiny_tokenizers.gguf_vocabulary(tokenizer, config.vocab_size)
    qwen = kind == "qwen"
    if kind == "spm":
        writer.add_tokenizer_model("llama")
        writer.add_token_list(tokens)
        writer.add_token_scores([-float(i) for i in range(len(tokens))])
        writer.add_token_types([2] + types[1:])
        writer.add_bos_token_id(1)
        writer.add_eos_token_id(2)
        writer.add_unk_token_id(0)
        writer.add_add_bos_token(True)
        writer.add_chat_template(tiny_tokenizers.SPM_CHAT)
        return
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2" if qwen else "llama-bpe")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    at = tokenizer.token_to_id
    if qwen:
        writer.add_eos_token_id(at("<|im_end|>"))
        writer.add_pad_token_id(at("<|endoftext|>"))
        writer.add_bos_token_id(at("<|endoftext|>"))
        writer.add_add_bos_token(False)
        writer.add_chat_template(tiny_tokenizers.CHATML)
    else:
        writer.add_bos_token_id(at("<|begin_of_text|>"))
        writer.add_eos_token_id(at("<|end_of_text|>"))
        writer.add_eot_token_id(at("<|eot_id|>"))
        writer.add_chat_template([{"name": "default", "template": tiny_tokenizers.LLAMA_CHAT},
                                  {"name": "tool_use", "template": tiny_tokenizers.LLAMA_TOOL_CHAT}])
