# SPDX-License-Identifier: Apache-2.0
"""Quantises the linear layers of a saved model as the Hub's pre-quantised checkpoints are, and says what they stand for.

convert(folder, quant, rng) rewrites the safetensors and config.json of a Hugging Face folder and returns all weights
dequantised to float32. quant: {"scheme": one of SCHEMES, ...its parameters}. Codes are plain rounding to nearest; packing is
written here from the formats' definitions, and where the format's own package can be used (bitsandbytes,
compressed-tensors), its functions quantise, pack and check.
"""
import json
import os

import numpy as np
import torch
from gguf import GGMLQuantizationType as T
from safetensors.torch import load_file, save_file

SKIPPED = ("embed_tokens", "norm", "lm_head", ".mlp.gate.")  # the last is a router


def pack(codes, bits, axis):
    """int32 words out of codes side by side along an axis, the first in the low bits, also across words."""
    codes = np.moveaxis(np.asarray(codes, np.uint32), axis, -1)
    bit = (codes[..., None] >> np.arange(bits, dtype=np.uint32)) & 1
    stream = bit.reshape(*codes.shape[:-1], -1).astype(np.uint8)
    stream = np.pad(stream, [(0, 0)] * (stream.ndim - 1) + [(0, -stream.shape[-1] % 32)])
    words = np.packbits(stream, axis=-1, bitorder="little").view("<i4")
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(words, -1, axis)))


def f32(x):
    return torch.as_tensor(x).float().numpy()


def grouped(w, groups_of, n_groups, bits, symmetric, scale_dtype):
    """(codes, scale (out, G) as stored, zero (out, G)) of unsigned codes, by group of each column."""
    top = (1 << bits) - 1
    scale, zero = np.zeros((w.shape[0], n_groups), np.float32), np.zeros((w.shape[0], n_groups), np.int64)
    for g in range(n_groups):
        part = w[:, groups_of == g]
        if symmetric:
            scale[:, g], zero[:, g] = np.abs(part).max(1) / ((top + 1) // 2 - 0.5), (top + 1) // 2
        else:
            low, high = np.minimum(part.min(1), 0), np.maximum(part.max(1), 0)
            scale[:, g] = (high - low) / top
            zero[:, g] = np.clip(np.round(-low / scale[:, g]), 0, top)
    stored = torch.from_numpy(scale).to(scale_dtype)
    each, zeros = f32(stored)[:, groups_of], zero[:, groups_of]
    codes = np.clip(np.round(w / each) + zeros, 0, top).astype(np.int64)
    return codes, stored, zero, (codes - zeros).astype(np.float32) * each


def bnb4(w, rng, quant_type="nf4", double=False, block=64, storage=torch.uint8):
    import bitsandbytes.functional as F
    packed, state = F.quantize_4bit(torch.from_numpy(w), blocksize=block, quant_type=quant_type, compress_statistics=double)
    parts = {f".weight.{k}": v for k, v in state.as_dict(packed=True).items()}
    absmax = state.absmax
    if double:
        absmax = F.dequantize_blockwise(state.absmax, state.state2) + state.offset
    flat = packed.numpy().reshape(-1)
    codes = np.stack([flat >> 4, flat & 15], -1).reshape(-1)[: w.size]
    value = f32(state.code)[codes] * np.repeat(f32(absmax), block)[: w.size]
    value = value.reshape(w.shape)
    if w.shape[1] % block == 0:  # its CPU code is about rows then
        assert np.array_equal(F.dequantize_4bit(packed, state).numpy(), value)
    return {".weight": packed if storage == torch.uint8 else packed.reshape(-1).view(storage).reshape(-1, 1), **parts}, value


def bnb8(w, rng):
    import bitsandbytes.functional as F
    codes, scb, _ = F.int8_vectorwise_quant(torch.from_numpy(w).half())
    value = F.int8_vectorwise_dequant(codes, scb)
    assert np.allclose(value.numpy(), w, atol=np.abs(w).max() / 100)
    return {".weight": codes, ".SCB": scb, ".weight_format": torch.tensor(0, dtype=torch.uint8)}, value.float().numpy()


def columns(n_in, group, order, rng):
    """Group of each column; order: activation order, which mixes them."""
    group = n_in if group <= 0 else group
    place = rng.permutation(n_in) if order else np.arange(n_in)
    return (place // group).astype(np.int32), -(-n_in // group)


def gptq(w, rng, bits=4, group=32, order=False, sym=True, v2=False, g_idx=True):
    groups_of, n_groups = columns(w.shape[1], group, order, rng)
    codes, scale, zero, value = grouped(w, groups_of, n_groups, bits, sym, torch.float16)
    stored = zero if v2 else (zero - 1) & ((1 << bits) - 1)
    parts = {".qweight": pack(codes.T, bits, 0), ".qzeros": pack(stored.T, bits, 1), ".scales": scale.T.contiguous()}
    if g_idx or order:
        parts[".g_idx"] = torch.from_numpy(groups_of)
    return parts, value


def awq(w, rng, group=32):
    groups_of, n_groups = columns(w.shape[1], group, False, rng)
    codes, scale, zero, value = grouped(w, groups_of, n_groups, 4, False, torch.float16)

    def words(x):  # (rows, out): nibble k of a word is column order[k] of 8
        order = [0, 2, 4, 6, 1, 3, 5, 7]
        return pack(x.reshape(x.shape[0], -1, 8)[:, :, order].reshape(x.shape), 4, 1)

    return {".qweight": words(codes.T), ".qzeros": words(zero.T), ".scales": scale.T.contiguous()}, value


def ct_packed(w, rng, bits=4, group=32, order=False, sym=True):
    from compressed_tensors.compressors.pack_quantized.helpers import pack_to_int32
    groups_of, n_groups = columns(w.shape[1], group, order, rng)
    codes, scale, zero, value = grouped(w, groups_of, n_groups, bits, sym, torch.bfloat16)
    signed = torch.from_numpy((codes - (1 << (bits - 1))).astype(np.int8))
    parts = {".weight_packed": pack_to_int32(signed, bits), ".weight_scale": scale,
             ".weight_shape": torch.tensor(w.shape, dtype=torch.int64)}
    if not sym:
        signed = torch.from_numpy((zero - (1 << (bits - 1))).astype(np.int8))
        parts[".weight_zero_point"] = pack_to_int32(signed, bits, packed_dim=0)
    if order:
        parts[".weight_g_idx"] = torch.from_numpy(groups_of)
    return parts, value


def ct_int8(w, rng, strategy="channel", sym=True):
    groups_of, n_groups = columns(w.shape[1], 0, False, rng)
    codes, scale, zero, value = grouped(w, groups_of, n_groups, 8, sym, torch.bfloat16)
    if strategy == "tensor":
        scale = torch.tensor([np.abs(w).max() / 127], dtype=torch.float32)
        codes = np.clip(np.round(w / f32(scale)), -128, 127).astype(np.int64) + 128
        value = (codes - 128).astype(np.float32) * f32(scale)
    parts = {".weight": torch.from_numpy((codes - 128).astype(np.int8)), ".weight_scale": scale}
    if not sym:
        parts[".weight_zero_point"] = torch.from_numpy((zero - 128).astype(np.int8))
    return parts, value


def fp8(w, rng, block=None, strategy="tensor", suffix=".weight_scale", dtype=torch.float32):
    n_out, n_in = w.shape
    rows, cols = block or ((1, n_in) if strategy == "channel" else (n_out, n_in))
    scale = np.zeros((-(-n_out // rows), -(-n_in // cols)), np.float32)
    for i in range(scale.shape[0]):
        for j in range(scale.shape[1]):
            scale[i, j] = np.abs(w[i * rows:(i + 1) * rows, j * cols:(j + 1) * cols]).max() / 448
    stored = torch.from_numpy(scale).to(dtype)
    each = np.repeat(np.repeat(f32(stored), rows, 0), cols, 1)[:n_out, :n_in]
    codes = torch.from_numpy(w / each).clamp(-448, 448).to(torch.float8_e4m3fn)
    value = codes.float().numpy() * each
    return {".weight": codes, suffix: stored.reshape(1) if strategy == "tensor" and not block else stored}, value


E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, 0, -0.5, -1, -1.5, -2, -3, -4, -6], np.float32)


def fp4(w, rng, kind="nvfp4"):
    group = 16 if kind == "nvfp4" else 32
    blocks = w.reshape(w.shape[0], -1, group)
    most = np.abs(blocks).max(-1)
    parts = {}
    if kind == "nvfp4":
        whole = np.float32(448 * 6 / np.abs(w).max())
        stored = torch.from_numpy(most / 6 * whole).to(torch.float8_e4m3fn)
        scale = stored.float().numpy() / whole
        parts[".weight_global_scale"] = torch.tensor([whole])
    else:
        stored = torch.from_numpy(np.clip(np.floor(np.log2(most)) - 2 + 127, 0, 254).astype(np.uint8))
        scale = np.ldexp(np.float32(1), stored.numpy().astype(np.int32) - 127)
    codes = np.abs(blocks[..., None] / scale[:, :, None, None] - E2M1).argmin(-1)
    value = (E2M1[codes] * scale[..., None]).reshape(w.shape)
    flat = codes.reshape(w.shape[0], -1).astype(np.uint8)
    packed = torch.from_numpy(flat[:, ::2] | flat[:, 1::2] << 4)
    if kind == "mxfp4-blocks":  # as gpt-oss is published
        return {".weight_blocks": packed.reshape(w.shape[0], -1, 16), ".weight_scales": stored}, value
    return {".weight_packed": packed, ".weight_scale": stored, **parts}, value


def ct_config(fmt, weights):
    return {"quant_method": "compressed-tensors", "format": fmt, "quantization_status": "compressed",
            "ignore": ["lm_head", "re:.*norm.*"],
            "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights, "input_activations": None}}}


def gptq_config(bits=4, group=32, order=False, sym=True, v2=False, g_idx=True):
    return {"quant_method": "gptq", "bits": bits, "group_size": group, "desc_act": order, "sym": sym,
            "checkpoint_format": "gptq_v2" if v2 else "gptq", "damp_percent": 0.01}


def ct_packed_config(bits=4, group=32, order=False, sym=True):
    return ct_config("pack-quantized", {"num_bits": bits, "type": "int", "strategy": "group" if group > 0 else "channel",
                                        "group_size": group if group > 0 else None, "symmetric": sym,
                                        "actorder": "group" if order else None})


def fp8_config(block=None, strategy="tensor", suffix=".weight_scale", dtype=torch.float32):
    if suffix == ".weight_scale_inv":
        return {"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", "weight_block_size": block and list(block),
                "modules_to_not_convert": ["lm_head"]}
    return ct_config("float-quantized", {"num_bits": 8, "type": "float", "strategy": "block" if block else strategy,
                                         "block_structure": block and list(block), "symmetric": True})


SCHEMES = {
    "bnb4": (bnb4, lambda quant_type="nf4", double=False, block=64, storage=None: {
        "quant_method": "bitsandbytes", "load_in_4bit": True, "_load_in_4bit": True, "load_in_8bit": False,
        "bnb_4bit_quant_type": quant_type, "bnb_4bit_use_double_quant": double, "bnb_4bit_compute_dtype": "bfloat16"}),
    "bnb8": (bnb8, lambda: {"quant_method": "bitsandbytes", "load_in_8bit": True, "load_in_4bit": False,
                            "llm_int8_threshold": 6.0}),
    "gptq": (gptq, gptq_config),
    "awq": (awq, lambda group=32: {"quant_method": "awq", "bits": 4, "group_size": group, "version": "gemm",
                                   "zero_point": True}),
    "ct-packed": (ct_packed, ct_packed_config),
    "ct-int8": (ct_int8, lambda strategy="channel", sym=True: ct_config(
        "int-quantized", {"num_bits": 8, "type": "int", "strategy": strategy, "symmetric": sym})),
    "fp8": (fp8, fp8_config),
    "nvfp4": (fp4, lambda kind="nvfp4": ct_config("nvfp4-pack-quantized", {
        "num_bits": 4, "type": "float", "strategy": "tensor_group", "group_size": 16, "symmetric": True})),
    "mxfp4": (fp4, lambda kind="mxfp4": {"quant_method": "mxfp4", "modules_to_not_convert": ["lm_head"]}
              if kind == "mxfp4-blocks" else ct_config("mxfp4-pack-quantized", {
                  "num_bits": 4, "type": "float", "strategy": "group", "group_size": 32, "symmetric": True})),
}


def quantise(weights, quant, rng):
    """(tensors to save, all weights as float32)."""
    arguments = {k: v for k, v in quant.items() if k not in ("scheme", "beside")}
    function = SCHEMES[quant["scheme"]][0]
    saved, values = {}, {}
    for name, tensor in weights.items():
        if tensor.ndim != 2 or any(s in name for s in SKIPPED):
            saved[name], values[name] = tensor, tensor.float()
            continue
        base = name.removesuffix(".weight")
        parts, value = function(np.ascontiguousarray(tensor.float().numpy()), rng, **arguments)
        saved.update({base + ending: part.contiguous() for ending, part in parts.items()})
        values[name] = torch.from_numpy(np.ascontiguousarray(value, np.float32))
    return saved, values


def convert(folder, quant, rng):
    files = [f for f in sorted(os.listdir(folder)) if f.endswith(".safetensors")]
    values, where = {}, {}
    for file in files:  # sharded: each file's weights stay in it
        path = os.path.join(folder, file)
        saved, some = quantise(load_file(path), quant, rng)
        save_file(saved, path, metadata={"format": "pt"})
        values.update(some)
        where.update({name: file for name in saved})
    index = os.path.join(folder, "model.safetensors.index.json")
    if os.path.exists(index):
        with open(index, "w") as f:
            json.dump({"metadata": {}, "weight_map": where}, f)
    arguments = {k: v for k, v in quant.items() if k not in ("scheme", "beside")}
    config = SCHEMES[quant["scheme"]][1](**arguments)
    path = os.path.join(folder, "config.json")
    if "beside" in quant:  # a file that AutoGPTQ or AutoAWQ wrote
        if quant["scheme"] == "awq":
            config = {"zero_point": True, "q_group_size": config["group_size"], "w_bit": 4, "version": "GEMM"}
        config.pop("quant_method", None)
        with open(os.path.join(folder, quant["beside"]), "w") as f:
            json.dump(config, f)
    else:
        with open(path) as f:
            whole = json.load(f)
        whole["quantization_config"] = config
        with open(path, "w") as f:
            json.dump(whole, f, indent=2)
            f.write("\n")
    return values


# For make_models.MODELS.
MODELS = {
    "gguf-qwen3-mxfp4": dict(arch="qwen3", shape=(2, 64, 96, 4, 2, 32, 317), tied=True, gguf=T.MXFP4),
    "prequant-nf4": dict(arch="qwen3", shape=(1, 64, 128, 2, 1, 32, 303), tied=True, hf="bfloat16",
                         quant={"scheme": "bnb4"}),
    "prequant-nf4-double": dict(arch="llama", shape=(2, 40, 72, 2, 2, 20, 300), tied=True, hf="bfloat16",
                                generation=False,
                                quant={"scheme": "bnb4", "double": True}),
    "prequant-fp4-bias": dict(arch="llama", shape=(1, 96, 64, 3, 1, 32, 300), tied=True, hf="float16", bias=True,
                              quant={"scheme": "bnb4", "quant_type": "fp4", "double": True, "storage": torch.bfloat16}),
    "prequant-int8-bnb": dict(arch="qwen3", shape=(1, 48, 72, 2, 1, 32, 303), tied=True, hf="float16",
                              quant={"scheme": "bnb8"}),
    "prequant-gptq-4": dict(arch="llama", shape=(1, 64, 96, 2, 1, 32, 300), tied=True, hf="float16", old=True, bias=True,
                            quant={"scheme": "gptq", "order": True, "sym": False}),
    "prequant-gptq-3": dict(arch="qwen3", shape=(1, 64, 96, 2, 1, 32, 303), tied=True, hf="float16", generation=False,
                            quant={"scheme": "gptq", "bits": 3, "group": -1, "v2": True}),
    "prequant-gptq-8-beside": dict(arch="qwen3", shape=(1, 64, 96, 2, 1, 32, 303), tied=True, hf="bfloat16",
                                   quant={"scheme": "gptq", "bits": 8, "g_idx": False, "beside": "quantize_config.json"}),
    "prequant-awq": dict(arch="llama", shape=(2, 64, 64, 2, 1, 32, 300), tied=True, hf="float16", shards=2,
                         quant={"scheme": "awq"}),
    "prequant-ct-int4": dict(arch="qwen3", shape=(1, 64, 96, 2, 1, 32, 303), tied=True, hf="bfloat16",
                             quant={"scheme": "ct-packed", "order": True, "sym": False}),
    "prequant-ct-int8": dict(arch="llama", shape=(1, 48, 72, 2, 1, 24, 300), tied=True, hf="bfloat16",
                             quant={"scheme": "ct-int8", "sym": False}),
    "prequant-fp8-block": dict(arch="qwen3", shape=(1, 48, 80, 2, 1, 32, 303), tied=True, hf="bfloat16",
                               quant={"scheme": "fp8", "block": (32, 32), "suffix": ".weight_scale_inv"}),
    "prequant-nvfp4": dict(arch="qwen3", shape=(1, 48, 80, 2, 1, 32, 303), tied=True, hf="bfloat16",
                           quant={"scheme": "nvfp4"}),
    "prequant-mxfp4": dict(arch="qwen3", shape=(1, 64, 96, 2, 1, 32, 303), tied=True, hf="bfloat16",
                           quant={"scheme": "mxfp4", "kind": "mxfp4-blocks"}),
}
