#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `adam convert --type` loses beside llama.cpp's quantize, on one trained model: the table of docs/quantisation.md.

usage: bench/quantise_quality.py LLAMA.gguf TEXT [--types ...] [--columns 768] [--bytes 3000] [--adam build/adam]

Both quantise one F16 file. Each row: whether all tensors have the same types; RMSE of ours over llama.cpp's, in the mean
over the tensors that are quantised and at worst; then `adam eval` of both files against the F16 file on the first --bytes
of TEXT: perplexity, mean KL divergence (nats), share of equal best tokens; and how often adam's and llama.cpp's best
tokens agree when both run our file, beside llama.cpp with itself when its flash attention is switched
(agree_llama_cpp.py). The exit code is 1 where types differ, a mean RMSE is greater or agree_llama_cpp.py says no. Needs
llama-cpp-python, gguf, numpy.

--columns N makes another model of a dense one of architecture llama, whose rows divide by 256: its residual stream is
turned into N dimensions by a random rotation, norms folded into the matrices behind them. Apart from rounding it
computes the same, and nothing is left of the grid that its numbers had in a quantised LLAMA.gguf.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import gguf
import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "golden"))
import make_quant  # noqa: E402

AGREE = os.path.join(os.path.dirname(make_quant.__file__), "agree_llama_cpp.py")


def numbers(t):
    return gguf.quants.dequantize(t.data, t.tensor_type).astype(np.float32)


def heads_added(w, axis, n_heads, n_now, head):
    """Rows or columns of zero for heads that say nothing."""
    pad = [(0, 0)] * w.ndim
    pad[axis] = (0, (n_heads - n_now) * head)
    return np.pad(w, pad)


def rotated(source, target, columns):
    """The same function of rows of `columns`; its output matrix is no longer its embedding."""
    reader = gguf.GGUFReader(source)
    value = {f.name: f.contents() for f in reader.fields.values()}
    assert value["general.architecture"] == "llama"
    d, heads, kv = (value["llama." + k] for k in ("embedding_length", "attention.head_count", "attention.head_count_kv"))
    head, group = d // heads, heads // kv
    n_kv = columns // head // group
    assert n_kv * group * head == columns >= d
    rng = np.random.default_rng(1)
    turn = np.linalg.qr(rng.standard_normal((columns, d)))[0].T.astype(np.float32)  # (d, columns), orthonormal rows
    changed = {"llama.embedding_length": columns, "llama.attention.head_count": n_kv * group,
               "llama.attention.head_count_kv": n_kv, "general.file_type": 1,
               # mean squares are of `columns` now
               "llama.attention.layer_norm_rms_epsilon": value["llama.attention.layer_norm_rms_epsilon"] * d / columns}
    writer = gguf.GGUFWriter(target, "llama")
    for f in reader.fields.values():
        if f.name.startswith("GGUF.") or f.name == "general.architecture":
            continue
        inner = f.types[1] if len(f.types) > 1 else None
        writer.add_key_value(f.name, changed.get(f.name, value[f.name]), f.types[0], inner)
    tensors = {t.name: numbers(t) for t in reader.tensors}
    level = np.full(columns, (d / columns) ** 0.5, np.float32)
    embedding = tensors["token_embd.weight"]
    for name, w in tensors.items():
        if name == "token_embd.weight":
            w = w @ turn
        elif name.endswith("norm.weight"):
            w = level
        elif name.endswith(("attn_output.weight", "ffn_down.weight")):
            w = turn.T @ w
            if "attn_output" in name:
                w = heads_added(w, 1, n_kv * group, heads, head)
        elif name.startswith("blk."):
            norm = name[:name.index(".", 4) + 1] + ("ffn_norm.weight" if "ffn" in name else "attn_norm.weight")
            w = (w * tensors[norm]) @ turn
            if "attn_q" in name:
                w = heads_added(w, 0, n_kv * group, heads, head)
            elif "attn" in name:
                w = heads_added(w, 0, n_kv, kv, head)
        elif name != "output.weight":
            continue
        if name != "output.weight":
            writer.add_tensor(name, w if w.ndim == 1 else w.astype(np.float16))
    output = tensors.get("output.weight", embedding) * tensors["output_norm.weight"]
    writer.add_tensor("output.weight", (output @ turn).astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def errors(base, path):
    """name -> (type, RMSE)"""
    return {t.name: (t.tensor_type.name.lower(), float(np.sqrt(np.mean((numbers(t) - base[t.name]) ** 2, dtype=np.float64))))
            for t in gguf.GGUFReader(path).tensors}


def adam_json(adam, *words, accept=(0,)):
    done = subprocess.run([adam, *words], capture_output=True, text=True)
    if done.returncode not in accept:
        sys.exit("%s: %s" % (" ".join(words), done.stderr))
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("text")
    parser.add_argument("--types", default="q8_0,q6_k,q5_k_m,q5_0,q4_k_m,q4_0")
    parser.add_argument("--columns", type=int)
    parser.add_argument("--bytes", type=int, default=3000)
    parser.add_argument("--adam", default="build/adam")
    o = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        f16, ours, theirs, text = (os.path.join(folder, n) for n in ("f16.gguf", "adam.gguf", "peer.gguf", "text"))
        with open(o.text, encoding="utf-8") as file, open(text, "w", encoding="utf-8") as out:
            out.write(file.read(o.bytes))
        if o.columns:
            rotated(o.model, f16, o.columns)
        else:
            adam_json(o.adam, "convert", o.model, f16, "--type", "f16", "--json")
        base = {t.name: numbers(t) for t in gguf.GGUFReader(f16).tensors}
        score = adam_json(o.adam, "eval", "-m", f16, "--file", text, "--ctx", "512", "--json")
        print("F16: perplexity %.4f over %d tokens\n" % (score["perplexity"], score["n_scored"]))
        print("| type | tensor types | RMSE ratio, mean / worst | perplexity adam / llama.cpp | KLD adam / llama.cpp | "
              "best token as F16's, adam / llama.cpp | adam and llama.cpp agree (llama.cpp with itself) |\n|---|---|---|---|---|---|---|", flush=True)
        for name in o.types.split(","):
            adam_json(o.adam, "convert", f16, ours, "--type", name, "--json")
            make_quant.llama_quantize(f16, theirs, name, os.cpu_count())
            a, b = errors(base, ours), errors(base, theirs)
            same = {k: v[0] for k, v in a.items()} == {k: v[0] for k, v in b.items()}
            ratios = [a[k][1] / b[k][1] for k in b if b[k][1] > 0 and k in a]
            e = [adam_json(o.adam, "eval", "-m", path, "--against", f16, "--file", text, "--ctx", "512", "--json")
                 for path in (ours, theirs)]
            done = subprocess.run([sys.executable, AGREE, o.adam, ours, text, "400"], capture_output=True, text=True)
            if done.returncode not in (0, 1) or not done.stdout:
                sys.exit(done.stderr)
            agree = json.loads(done.stdout)
            failed |= not same or not ratios or float(np.mean(ratios)) > 1.00001 or done.returncode
            print("| %s | %s | %.4f / %.4f | %.3f / %.3f | %.5f / %.5f | %.1f %% / %.1f %% | %.1f %% (%.1f %%) |" % (
                name, "equal" if same else "DIFFER", np.mean(ratios), max(ratios), e[0]["perplexity"], e[1]["perplexity"],
                e[0]["mean_kl"], e[1]["mean_kl"], 100 * e[0]["top1"], 100 * e[1]["top1"], 100 * agree["top1_agreement"],
                100 * agree["llama_cpp_with_itself"]), flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
