# SPDX-License-Identifier: Apache-2.0
"""adam convert as people use it: exit codes, JSON, Ctrl-C and kill -9 at random moments, a full disk.

    convert_test.py BUILD [SEED]

The model is a sparse file of zeros, large enough that a kill meets the work. After each kill the target is not there, or
is what it was before, or is whole; nothing else is left once the command has run again.
"""
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

ADAM = os.path.join(os.path.abspath(sys.argv[1]), "adam")
TINY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden", "models", "qwen3-bf16-tied")
LAYERS, HIDDEN, FFN, VOCAB = 6, 1024, 4096, 320
KILLS = 12


def large_model(folder):
    """A Llama of 250 MB in bf16, all zeros; the tokenizer of a committed model."""
    shapes = {"model.embed_tokens.weight": (VOCAB, HIDDEN), "model.norm.weight": (HIDDEN,)}
    for i in range(LAYERS):
        p = f"model.layers.{i}."
        for name in ("q", "k", "v", "o"):
            shapes[p + f"self_attn.{name}_proj.weight"] = (HIDDEN, HIDDEN)
        shapes.update({p + "mlp.gate_proj.weight": (FFN, HIDDEN), p + "mlp.up_proj.weight": (FFN, HIDDEN),
                       p + "mlp.down_proj.weight": (HIDDEN, FFN), p + "input_layernorm.weight": (HIDDEN,),
                       p + "post_attention_layernorm.weight": (HIDDEN,)})
    write_zeros(folder, {name: ("BF16", shape) for name, shape in shapes.items()})
    write_words(folder, LAYERS)


def write_zeros(folder, tensors):
    head, at = {}, 0
    for name, (dtype, shape) in tensors.items():
        size = {"BF16": 2, "F16": 2, "I32": 4}[dtype] * shape[0] * (shape[1] if len(shape) == 2 else 1)
        head[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    os.makedirs(folder)
    with open(os.path.join(folder, "model.safetensors"), "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        f.truncate(8 + len(text) + at)


def write_words(folder, layers, **more):
    config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "num_hidden_layers": layers,
              "hidden_size": HIDDEN, "intermediate_size": FFN, "num_attention_heads": 8, "vocab_size": VOCAB,
              "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "tie_word_embeddings": True, "rope_theta": 1e4, **more}
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(config, f)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(os.path.join(TINY, name), folder)


def gptq_model(folder):
    """A Llama whose codes have 250 MB as GPTQ, 4 bits in groups of 128."""
    layers, tensors = 30, {"model.embed_tokens.weight": ("F16", (VOCAB, HIDDEN)), "model.norm.weight": ("F16", (HIDDEN,))}
    for i in range(layers):
        p = f"model.layers.{i}."
        tensors[p + "input_layernorm.weight"] = tensors[p + "post_attention_layernorm.weight"] = ("F16", (HIDDEN,))
        for name, n_out, n_in in (*((f"self_attn.{n}_proj", HIDDEN, HIDDEN) for n in "qkvo"), ("mlp.gate_proj", FFN, HIDDEN),
                                  ("mlp.up_proj", FFN, HIDDEN), ("mlp.down_proj", HIDDEN, FFN)):
            tensors[p + name + ".qweight"] = ("I32", (n_in // 8, n_out))
            tensors[p + name + ".qzeros"] = ("I32", (n_in // 128, n_out // 8))
            tensors[p + name + ".scales"] = ("F16", (n_in // 128, n_out))
    write_zeros(folder, tensors)
    write_words(folder, layers, quantization_config={"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": False,
                                                     "sym": True})


def small_memory(root):
    """Codes that must be repacked are in memory one weight at a time: the model would need 250 MB and more. Under the
    address sanitizer, what is freed counts: it is not kept back."""
    folder, target = os.path.join(root, "gptq"), os.path.join(root, "gptq.gguf")
    gptq_model(folder)
    process = subprocess.Popen([ADAM, "convert", folder, target, "--type", "q4_0", "--threads", "2"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               env=dict(os.environ, ASAN_OPTIONS="quarantine_size_mb=0:thread_local_quarantine_size_kb=0"))
    words = process.stderr.read().decode()
    _, code, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(code)
    assert process.returncode == 0, words
    most = used.ru_maxrss >> 10
    assert most < 120, f"converting GPTQ took {most} MB"
    print(f"GPTQ of {os.path.getsize(os.path.join(folder, 'model.safetensors')) >> 20} MB: {most} MB of memory")
    os.remove(target)


def run(*arguments, **more):
    return subprocess.run([ADAM, "convert", *arguments], capture_output=True, text=True, **more)


def digest(path):
    """Of a file, or of a folder's files."""
    sha = hashlib.sha256()
    files = [path] if os.path.isfile(path) else [os.path.join(d, f) for d, _, fs in sorted(os.walk(path)) for f in sorted(fs)]
    for file in files:
        sha.update(os.path.relpath(file, path).encode())
        with open(file, "rb") as f:
            while chunk := f.read(1 << 20):
                sha.update(chunk)
    return sha.hexdigest()


def small_limit():
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))


def words(root, large):
    out = os.path.join(root, "out")
    os.makedirs(out)
    target = os.path.join(out, "a.gguf")
    done = run(TINY, target, "--json")
    answer = json.loads(done.stdout)
    assert done.returncode == 0 and answer["type"] == "bf16" and answer["architecture"] == "qwen3", done
    assert answer["bytes"] == os.path.getsize(target) and answer["notices"] == []
    for arguments, code, says in (((TINY, target, "--type", "q4_k_n"), 2, "did you mean q4_k_m?"),
                                  ((os.path.join(root, "none"), target), 3, ""),
                                  ((TINY, os.path.join(out, "no", "folder.gguf")), 3, ""),
                                  ((target, target), 2, "source"),
                                  ((TINY, out), 2, "not empty"),
                                  ((TINY,), 2, "")):
        done = run(*arguments)
        assert done.returncode == code and says in done.stderr, (arguments, done)
        assert os.listdir(out) == ["a.gguf"], (arguments, os.listdir(out))
    with open(os.path.join(out, "bad.gguf"), "wb") as f:
        f.write(b"GGUF" + b"\xff" * 60)
    assert run(os.path.join(out, "bad.gguf"), os.path.join(out, "b.gguf")).returncode == 6
    os.remove(os.path.join(out, "bad.gguf"))
    before = digest(target)
    for where in (target, os.path.join(out, "folder")):
        done = run(large, where, preexec_fn=small_limit)
        assert done.returncode == 1 and "ulimit" in done.stderr, done
        assert os.listdir(out) == ["a.gguf"] and digest(target) == before
    os.remove(target)


def cut(root, large):
    """A source that becomes shorter while it is read: words and a code, never a signal, and no target."""
    source, out = os.path.join(root, "cut"), os.path.join(root, "cut-out")
    shutil.copytree(large, source)
    os.makedirs(out)
    weights, target = os.path.join(source, "model.safetensors"), os.path.join(out, "c.gguf")
    process = subprocess.Popen([ADAM, "convert", source, target, "--type", "q4_k_m", "--threads", "1"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not any("deleted" in os.readlink(f"/proc/{process.pid}/fd/{fd}")
                                             for fd in os.listdir(f"/proc/{process.pid}/fd")):
        time.sleep(0.002)  # until there is a file in the making
    os.truncate(weights, 1 << 20)
    words = process.communicate()[1]
    if process.returncode == 0:
        print("the source was read before it could be cut")
        return
    assert process.returncode in (1, 6) and ("shorter" in words or "changed" in words), (process.returncode, words)
    assert os.listdir(out) == [], os.listdir(out)
    shutil.rmtree(source)


def killed(root, large, rng, name, type_):
    """A kill leaves the target absent or as it was; what lies about is gone after the next run."""
    out = os.path.join(root, "killed-" + name)
    os.makedirs(out)
    target, once = os.path.join(out, name), os.path.join(root, "once-" + name)
    start = time.monotonic()
    assert run(large, once, *type_).returncode == 0
    whole, seconds = digest(once), time.monotonic() - start
    n_whole = 0
    for i in range(KILLS):
        process = subprocess.Popen([ADAM, "convert", large, target, *type_], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0, 1.1 * seconds))
        interrupt = i % 3 == 2
        process.send_signal(signal.SIGINT if interrupt else signal.SIGKILL)
        code = process.wait()
        if os.path.exists(target):
            n_whole += 1
            assert digest(target) == whole, f"{name}: half written"
            shutil.rmtree(target) if os.path.isdir(target) else os.remove(target)
        elif interrupt:
            assert code in (130, -signal.SIGINT), code
    assert run(large, target, *type_).returncode == 0 and digest(target) == whole
    left = [f for f in os.listdir(out) if f != name]
    assert not left, left
    print(f"{name}: {KILLS} kills in runs of {seconds:.2f} s, whole {n_whole} times, never half")


def main():
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 31)
    print(f"seed {seed}")
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as root:
        large = os.path.join(root, "large")
        large_model(large)
        words(root, large)
        small_memory(root)
        cut(root, large)
        killed(root, large, rng, "k.gguf", ("--type", "q8_0"))
        killed(root, large, rng, "k", ("--type", "f16"))


if __name__ == "__main__":
    main()
