# SPDX-License-Identifier: Apache-2.0
"""Damaged and unknown pre-quantised checkpoints through the command: exit 6, and the tensor or scheme by its name.

    prequant_test.py BUILD
"""
import json
import os
import shutil
import struct

from command import HOME, ROOT, adam

MODELS = ROOT / "tests" / "golden" / "models"
Q = "model.layers.0.self_attn.q_proj"


def read(path):
    raw = path.read_bytes()
    n = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:8 + n])
    header.pop("__metadata__", None)
    return {name: [t["dtype"], t["shape"], raw[8 + n + t["data_offsets"][0]:8 + n + t["data_offsets"][1]]]
            for name, t in header.items()}


def write(path, tensors):
    header, at = {}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(t[2] for t in tensors.values()))


def drop(name):
    return lambda tensors, config: tensors.pop(name)


def cut(name, n_bytes, shape):
    def change(tensors, config):
        tensors[name][1], tensors[name][2] = shape, tensors[name][2][:n_bytes]
    return change


def put(name, data):
    """Other bytes at the front of a tensor."""
    def change(tensors, config):
        tensors[name][2] = data + tensors[name][2][len(data):]
    return change


def state(change_text):
    """Another text as bitsandbytes' quant_state."""
    def change(tensors, config):
        name = Q + ".weight.quant_state.bitsandbytes__nf4"
        data = change_text(tensors[name][2])
        tensors[name] = ["U8", [len(data)], data]
    return change


def setting(path, value):
    def change(tensors, config):
        at = config["quantization_config"]
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = value
    return change


WEIGHTS = ("config_groups", "group_0", "weights")
CASES = [  # model, what is done to it, what the error says
    ("nf4", drop(Q + ".weight.absmax"), "weight.absmax is missing"),
    ("nf4", drop(Q + ".weight.quant_map"), "weight.quant_map is missing"),
    ("nf4", drop(Q + ".weight.quant_state.bitsandbytes__nf4"), "quant_state.bitsandbytes__nf4 is missing"),
    ("nf4", cut(Q + ".weight.absmax", 8, [2]), "weight.absmax has the shape (2)"),
    ("nf4", cut(Q + ".weight", 100, [100, 1]), Q + ".weight has 100 bytes"),
    ("nf4", state(lambda text: text[:40]), "quant_state.bitsandbytes__nf4"),
    ("nf4", state(lambda text: text.replace(b'"blocksize": 64', b'"blocksize": 0')), "blocksize is not"),
    ("nf4", state(lambda text: text.replace(b'"shape": [64, ', b'"shape": [-4, ')), "shape is not"),
    ("nf4", state(lambda text: text.replace(b'"shape": [64, ', b'"shape": [65, ')), Q + ".weight has"),
    ("nf4", state(lambda text: text.replace(b'"nf4"', b'"nf3"')), "quant_type 'nf3'"),
    ("nf4", setting(["bnb_4bit_quant_type"], "int3"), "bnb_4bit_quant_type 'int3'"),
    ("nf4-double", drop(Q + ".weight.nested_absmax"), "weight.nested_absmax is missing"),
    ("nf4-double", cut(Q + ".weight.nested_quant_map", 1020, [255]), "nested_quant_map has the shape (255)"),
    ("int8-bnb", drop(Q + ".SCB"), Q + ".SCB is missing"),
    ("int8-bnb", cut(Q + ".SCB", 16, [4]), Q + ".SCB has the shape (4)"),
    ("int8-bnb", put(Q + ".weight_format", b"\1"), Q + ".weight_format is 1"),
    ("gptq-4", put(Q + ".g_idx", struct.pack("<i", 99)), Q + ".g_idx: column 0 has the group 99"),
    ("gptq-4", put(Q + ".g_idx", struct.pack("<i", -1)), Q + ".g_idx: column 0 has the group -1"),
    ("gptq-4", cut(Q + ".g_idx", 8, [2]), Q + ".g_idx has the shape (2)"),
    ("gptq-4", drop(Q + ".qzeros"), Q + ".qzeros is missing"),
    ("gptq-4", drop(Q + ".scales"), Q + ".scales is missing"),
    ("gptq-4", drop(Q + ".qweight"), Q + ".weight is missing"),
    ("gptq-4", cut(Q + ".scales", 128, [1, 64]), Q + ".scales has the shape (1, 64)"),
    ("gptq-4", setting(["bits"], 5), "GPTQ with 5 bits"),
    ("gptq-4", setting(["bits"], 8), "has the shape"),
    ("gptq-4", setting(["bits"], "four"), "bits is not a whole number"),
    ("gptq-4", setting(["group_size"], 0.5), "group_size is not a whole number"),
    ("gptq-4", setting(["checkpoint_format"], "marlin"), "'marlin'"),
    ("gptq-4", setting(["quant_method"], "hqq"), "'hqq'"),
    ("gptq-4", setting(["quant_method"], None), "an unnamed method"),
    ("ct-int4", setting([*WEIGHTS, "num_bits"], 9), "num_bits 9"),
    ("ct-int4", setting([*WEIGHTS, "num_bits"], 3), "no num_bits of config_groups"),
    ("ct-int4", setting(["format"], "marlin-24"), "'marlin-24'"),
    ("ct-int4", setting([*WEIGHTS, "type"], "complex"), "'complex'"),
    ("ct-int4", drop(Q + ".weight_shape"), "weight_shape is missing"),
    ("ct-int4", drop(Q + ".weight_scale"), "weight_scale is missing"),
    ("ct-int4", put(Q + ".weight_shape", struct.pack("<q", -1)), "weight_shape holds -1"),
    ("ct-int4", put(Q + ".weight_shape", struct.pack("<q", 1 << 40)), "weight_shape holds"),
    ("ct-int4", put(Q + ".weight_g_idx", struct.pack("<i", 2)), "weight_g_idx: column 0 has the group 2"),
    ("ct-int4", cut(Q + ".weight_zero_point", 4, [1, 1]), "weight_zero_point has the shape (1, 1)"),
    ("ct-int8", drop(Q + ".weight_scale"), "weight_scale is missing"),
    ("ct-int8", cut(Q + ".weight_scale", 4, [2]), "weight_scale has the shape (2)"),
    ("fp8-block", drop(Q + ".weight_scale_inv"), "weight_scale_inv is missing"),
    ("fp8-block", cut(Q + ".weight_scale_inv", 8, [2, 1]), "weight_scale_inv has the shape (2, 1)"),
    ("fp8-block", setting(["weight_block_size"], [32]), "weight_block_size is not two sizes"),
    ("fp8-block", setting(["fmt"], "e5m2"), "'e5m2'"),
    ("nvfp4", drop(Q + ".weight_global_scale"), "weight_global_scale is missing"),
    ("nvfp4", cut(Q + ".weight_scale", 64, [64, 1]), "weight_scale has the shape (64, 1)"),
    ("mxfp4", drop(Q + ".weight_scales"), "weight_scales is missing"),
    ("mxfp4", cut(Q + ".weight_scales", 64, [64, 1]), "do not fit together"),
]


def copy(name):
    folder = HOME / "model"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(MODELS / ("prequant-" + name), folder)
    return folder


def score(folder):
    return adam("score", "-m", str(folder), "--ids", "-", stdin=b"1 2 3")


def damaged():
    for number, (name, change, said) in enumerate(CASES):
        folder = copy(name)
        tensors, config = read(folder / "model.safetensors"), json.loads((folder / "config.json").read_text())
        change(tensors, config)
        write(folder / "model.safetensors", tensors)
        (folder / "config.json").write_text(json.dumps(config))
        got = score(folder)
        assert got.returncode == 6 and said.encode() in got.stderr, (number, name, said, got)


def awq():
    """In two files, and with its settings in a file of its own."""
    folder = copy("awq")
    config = json.loads((folder / "config.json").read_text())
    quantised = config.pop("quantization_config")
    before = score(folder.rename(HOME / "as-it-is"))
    os.rename(HOME / "as-it-is", folder)
    assert before.returncode == 0, before
    (folder / "config.json").write_text(json.dumps(config))
    for version, status in (("GEMM", 0), ("gemv", 6)):
        beside = {"w_bit": 4, "q_group_size": quantised["group_size"], "zero_point": True, "version": version}
        (folder / "quant_config.json").write_text(json.dumps(beside))
        got = score(folder)
        assert got.returncode == status, got
        assert status or got.stdout == before.stdout
        assert not status or b"'gemv'" in got.stderr
    os.remove(folder / "quant_config.json")
    got = score(folder)
    assert got.returncode == 6 and b"weight is missing" in got.stderr, got


def names():
    for name, said in (("nf4", "nf4"), ("fp4-bias", "fp4"), ("int8-bnb", "int8"), ("gptq-3", "gptq-3bit"), ("awq", "awq-4bit"),
                       ("gptq-8-beside", "gptq-8bit"), ("ct-int4", "int4"), ("fp8-block", "fp8-block"), ("nvfp4", "nvfp4"),
                       ("mxfp4", "mxfp4")):
        got = adam("show", str(MODELS / ("prequant-" + name)), "--json")
        assert got.returncode == 0, got
        assert json.loads(got.stdout)["dtype"] == said, (name, got.stdout)


if __name__ == "__main__":
    damaged()
    awq()
    names()
