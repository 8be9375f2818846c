# SPDX-License-Identifier: Apache-2.0
"""Damaged copies of the tiny models of every family: adam says what is wrong with exit code 6, or runs what is still a
model; it never crashes, hangs or calls it somebody else's fault.

    damaged_models_test.py BUILD [SEED]

Each key of config.json is taken away or made absurd; bytes of the header and of the end of weight files are changed or
cut off. Which damage is random; the seed is printed.
"""
import json
import os
import pathlib
import random
import shutil
import sys
import tempfile

import command

MODELS = command.ROOT / "tests/golden/models"
DAMAGED = 6
ABSURD = [None, 0, -1, 1, 3, 7, 1 << 31, 1 << 40, 1e308, -0.5, 0.3, 1e-300, "", "moon", [], {}, [1], [None] * 3, True, {"rope_type": 5},
          {"rope_type": "longrope", "short_factor": [1], "long_factor": []}, {"rope_type": "yarn", "factor": -1},
          {"rope_type": "longrope", "factor": 0, "short_factor": "x"}]
GGUF_CHANGES, FILE_CHANGES, CONFIG_CHANGES = 24, 8, 24


def run(path, what):
    """Score and generate a little; returns the exit code."""
    done = command.adam("score", "-m", str(path), "--ids", "1,2,3,4,5,6,7,8,9,10,11,12", timeout=60)
    if b"are not numbers" in done.stderr:  # weights that the file's form cannot tell from good ones
        return 1
    assert done.returncode in (0, DAMAGED), f"{what}: exit code {done.returncode}: {done.stderr.decode()[-400:]}"
    assert done.returncode == 0 or done.stderr.strip(), f"{what}: not a word about it"
    return done.returncode


def config_damage(rng, model, folder):
    """One key at a time, of the top level or of the rope's object."""
    whole = json.loads((model / "config.json").read_text())
    places = [(None, key) for key in whole]
    places += [(outer, key) for outer in ("rope_parameters", "rope_scaling") for key in whole.get(outer) or {}]
    refused = 0
    for outer, key in rng.sample(places, min(len(places), CONFIG_CHANGES)):
        config = json.loads(json.dumps(whole))
        target = config if outer is None else config[outer]
        if rng.random() < 0.2:
            del target[key]
        else:
            target[key] = rng.choice(ABSURD)
        (folder / "config.json").write_text(json.dumps(config))
        refused += run(folder, f"{model.name}: {key} = {target.get(key, 'absent')!r}") == DAMAGED
    assert refused >= 3, f"{model.name}: only {refused} damaged configs were refused"
    shutil.copy(model / "config.json", folder)


def file_damage(rng, file, folder, n, header):
    """Bytes of the first `header` changed, or the file cut short."""
    data = file.read_bytes()
    for i in range(n):
        if i % 4 == 3:
            changed, what = data[:rng.randrange(len(data))], "cut"
        else:
            changed = bytearray(data)
            for _ in range(rng.choice([1, 1, 2, 8])):
                changed[rng.randrange(min(header, len(data)))] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])
            what = "changed"
        (folder / file.name).write_bytes(changed)
        code = run(folder if file.suffix == ".safetensors" else folder / file.name, f"{file.parent.name}, {file.name} {what}")
        assert what != "cut" or code == DAMAGED, f"{file.parent.name}: cut to {len(changed)} bytes and not noticed"


def check(rng, model):
    with tempfile.TemporaryDirectory() as root:
        folder = pathlib.Path(root)
        for file in model.iterdir():
            if file.is_file() and not file.name.startswith(("golden", "logits")):
                shutil.copy(file, folder)
        assert run(folder if (model / "config.json").exists() else next(folder.glob("*.gguf")), model.name) == 0
        for file in model.glob("*.gguf"):
            file_damage(rng, file, folder, GGUF_CHANGES, 2000)
        if (model / "config.json").exists():
            config_damage(rng, model, folder)
            file_damage(rng, model / "model.safetensors", folder, FILE_CHANGES, 3000)


def main():
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 31)
    print(f"seed {seed}")
    rng = random.Random(seed)
    models = sorted(m for m in MODELS.iterdir() if (m / "logits.f32").exists()
                    and ((m / "model.gguf").exists() or (m / "model.safetensors").exists()))
    if os.environ.get("ADAM_TEST_ALL") != "1":
        models = rng.sample(models, min(len(models), 8))
    for model in models:
        check(rng, model)
        print(f"{model.name}: ok")


if __name__ == "__main__":
    main()
