# SPDX-License-Identifier: Apache-2.0
"""Mixtures of experts from outside: only the chosen experts' pages of a large file are read, and damaged files end in
exit code 6."""
import json
import os
import pathlib
import shutil
import struct
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from command import ADAM, HOME, ROOT, adam, environment

MODELS = ROOT / "tests" / "golden" / "models"
U32, F32, STRING = 4, 6, 8


def text(s):
    return struct.pack("<Q", len(s)) + s.encode()


def write_sparse_gguf(path, n_layers, n_experts, width, ff):
    """A GGUF of float32 zeros without tokenizer, whose data is a hole in the file. Equal routers choose the first experts."""
    keys = {"block_count": n_layers, "context_length": 64, "embedding_length": width, "feed_forward_length": ff,
            "attention.head_count": 1, "attention.head_count_kv": 1, "attention.key_length": 32, "attention.value_length": 32,
            "expert_count": n_experts, "expert_used_count": 2, "expert_feed_forward_length": ff, "vocab_size": 16}
    shapes = {"token_embd.weight": (width, 16), "output_norm.weight": (width,)}
    for i in range(n_layers):
        layer = {"attn_norm": (width,), "attn_q": (width, 32), "attn_k": (width, 32), "attn_v": (width, 32), "attn_q_norm": (32,),
                 "attn_k_norm": (32,), "attn_output": (32, width), "ffn_norm": (width,), "ffn_gate_inp": (width, n_experts),
                 "ffn_gate_exps": (width, ff, n_experts), "ffn_up_exps": (width, ff, n_experts),
                 "ffn_down_exps": (ff, width, n_experts)}
        shapes.update({f"blk.{i}.{name}.weight": shape for name, shape in layer.items()})
    head = b"GGUF" + struct.pack("<IQQ", 3, len(shapes), len(keys) + 2)
    head += text("general.architecture") + struct.pack("<I", STRING) + text("qwen3moe")
    head += text("qwen3moe.attention.layer_norm_rms_epsilon") + struct.pack("<If", F32, 1e-6)
    for key, value in keys.items():
        head += text("qwen3moe." + key) + struct.pack("<II", U32, value)
    at = 0
    for name, shape in shapes.items():
        n = 4
        head += text(name) + struct.pack("<I", len(shape))
        for axis in shape:
            head += struct.pack("<Q", axis)
            n *= axis
        head += struct.pack("<IQ", 0, at)
        at += -(-n // 32) * 32
    with open(path, "wb") as f:
        f.write(head)
        f.truncate(-(-len(head) // 32) * 32 + at)


class Pages(unittest.TestCase):
    def test_only_the_chosen_experts_are_read(self):
        path = HOME / "sparse.gguf"
        write_sparse_gguf(path, 2, 64, 1024, 512)  # 2 MiB each matrix: 768 MiB, of them 24 MiB for one token
        self.assertGreater(path.stat().st_size, 768 << 20)
        out = os.open(HOME / "scores.json", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        arguments = [ADAM, "score", "-m", str(path), "--ids", "3", "-t", "2"]
        pid = os.posix_spawn(ADAM, arguments, environment(), file_actions=[(os.POSIX_SPAWN_DUP2, out, 1)])
        _, status, usage = os.wait4(pid, 0)
        os.close(out)
        self.assertEqual(os.waitstatus_to_exitcode(status), 0)
        self.assertEqual(json.loads((HOME / "scores.json").read_text())["n_tokens"], 1)
        self.assertLess(usage.ru_maxrss, 300 << 10, "KiB resident: experts that were not chosen have been read")
        path.unlink()


def change_header(folder, change):
    """Rewrites the header of folder/model.safetensors."""
    path = folder / "model.safetensors"
    raw = path.read_bytes()
    n = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:8 + n])
    change(header)
    new = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(new)) + new + raw[8 + n:])


class Damaged(unittest.TestCase):
    def refuse(self, name, change, says):
        folder = HOME / "damaged"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(MODELS / name, folder)
        change(folder)
        done = adam("score", "-m", str(folder), "--ids", "1,2,3")
        self.assertEqual(done.returncode, 6, done.stderr)
        self.assertIn(says, done.stderr.decode())

    def test_files(self):
        gate = "model.layers.0.mlp.experts.3.gate_proj.weight"
        merged = "model.layers.1.mlp.experts.gate_up_proj"

        def move(header):
            header[gate + "x"] = header.pop(gate)

        def reshape(header):
            header[gate]["shape"] = header[gate]["shape"][::-1]

        def fewer(header):
            e, rows, columns = header[merged]["shape"]
            header[merged]["shape"] = [e // 2, rows * 2, columns]

        def config(**values):
            def change(folder):
                path = folder / "config.json"
                path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
            return change

        self.refuse("qwen3moe-bf16", lambda f: change_header(f, move), gate + " is missing")
        self.refuse("qwen3moe-bf16", lambda f: change_header(f, reshape), gate + " has the shape")
        self.refuse("qwen3moe-f16-merged", lambda f: change_header(f, fewer), merged + " has the shape")
        self.refuse("qwen3moe-bf16", config(num_local_experts=7), "mlp.gate.weight has the shape")
        self.refuse("qwen3moe-bf16", config(num_local_experts=5), "mlp.gate.weight has the shape")
        self.refuse("qwen3moe-bf16", config(mlp_only_layers=[]), "model.layers.1.mlp.gate.weight is missing")
        self.refuse("qwen3moe-bf16", config(mlp_only_layers=[0]), "model.layers.0.mlp.gate_proj.weight is missing")
        self.refuse("qwen3moe-bf16", config(num_experts_per_tok=7), "num_experts_per_tok is 7")
        self.refuse("qwen3moe-bf16", config(moe_intermediate_size=17), "has the shape")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
