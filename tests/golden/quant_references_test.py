#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Quantisation against llama.cpp's own and the gguf package, on models and numbers that no golden holds.

  quant_references_test.py BUILD_DIR [MODELS [SEED]]

Per-tensor types of random models as llama_model_quantize chooses them; our blocks read back by the gguf package are what
we say they are; their error is at most that of ggml_quantize_chunk, also on the tensors of SmolLM2 where its file is
here (ADAM_SMOLLM2 or tools/get_smollm2.sh's place); the bytes are those of every tier. SKIP (77) without llama_cpp, gguf.
"""
import os
import random
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
try:
    import gguf
    import llama_cpp  # noqa: F401
    import numpy as np
except ImportError as missing:
    print("SKIP: the Python package %s is not here" % missing.name)
    sys.exit(77)
import make_quant  # noqa: E402

DRIVE = os.path.join(sys.argv[1] if len(sys.argv) > 1 else "build", "tests", "tests-golden-quant_drive_test")
SMOLLM2 = os.environ.get("ADAM_SMOLLM2", os.path.expanduser("~/.cache/adam/models/SmolLM2-135M-Instruct.Q4_1.gguf"))


def pack(dtype, x, tier="auto"):
    """Our blocks and the RMSE that we say they have."""
    done = subprocess.run([DRIVE, "pack", dtype, str(x.shape[1])], input=x.tobytes(), capture_output=True,
                          env={**os.environ, "ADAM_CPU": tier})
    if done.returncode:
        raise SystemExit("pack %s: %s" % (dtype, done.stderr.decode()))
    return done.stdout, float(done.stderr)


def check_mixes(n_models, seed):
    rng = random.Random(seed)
    faults = 0
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "mix.txt")
        for _ in range(n_models):
            recipes = rng.sample(list(make_quant.RECIPES), 5)
            with open(path, "w") as out:
                out.write("recipes %s\n" % " ".join(recipes))
                out.writelines(line + "\n" for line in make_quant.mix_lines(make_quant.random_model(rng), recipes, True))
            done = subprocess.run([DRIVE, "mix", path], capture_output=True, text=True)
            if done.returncode:
                faults += 1
                print("\n".join(done.stdout.splitlines()[:5]))
    print("mixes: %d random models, %d with other types than llama.cpp's" % (n_models, faults))
    return faults


def smollm2_sets():
    if not os.path.exists(SMOLLM2):
        print("SmolLM2 is not here: its tensors are left out")
        return
    for t in gguf.GGUFReader(SMOLLM2).tensors:
        if t.name.startswith(("blk.2.", "blk.17.")) and len(t.shape) == 2:
            x = gguf.quants.dequantize(t.data, t.tensor_type).astype(np.float32).reshape(-1)
            yield "SmolLM2 " + t.name, x[: x.size // 256 * 256]


def check_errors(seed):
    lib, faults, n, ratios = make_quant.library(), 0, 0, {}
    sets = list(make_quant.value_sets(1 << 16, seed).items()) + list(smollm2_sets())
    for name, x in sets:
        x = x.reshape(-1, 256)
        for dtype in make_quant.DTYPES:
            blocks, said = pack(dtype, x)
            ours = make_quant.rmse(dtype, blocks, x)
            theirs = make_quant.rmse(dtype, make_quant.llama_blocks(lib, dtype, x), x)
            n += 1
            ratios.setdefault(dtype, []).append(ours / theirs if theirs else 1)
            # Q2_K on constant blocks is a matter of luck in rounding one scale to binary16.
            allowed = theirs * (1.01 if dtype == "q2_k" and "constant" in name else 1 + 1e-6) + 1e-12
            if ours > allowed or abs(said - ours) > 1e-6 * ours + 1e-12:
                faults += 1
                print("%s of %s: RMSE %.9g (we say %.9g), llama.cpp has %.9g" % (dtype, name, ours, said, theirs))
            if name == "heavy-tailed" and any(pack(dtype, x, tier)[0] != blocks for tier in ("c", "avx2", "avx512")):
                faults += 1
                print("%s: the tiers' bytes differ" % dtype)
    print("errors: %d of %d sets and types; RMSE over llama.cpp's, median: %s" % (
        faults, n, ", ".join("%s %.3f" % (d, float(np.median(r))) for d, r in ratios.items())))
    return faults


def main():
    n_models = int(sys.argv[2]) if len(sys.argv) > 2 else 12
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(1 << 30)
    print("seed %d" % seed)
    sys.exit(1 if check_mixes(n_models, seed) + check_errors(seed) else 0)


if __name__ == "__main__":
    main()
