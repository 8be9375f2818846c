# SPDX-License-Identifier: Apache-2.0
"""Models that nobody has seen, through `adam convert`: new random shapes and weights of every family each run.

    convert_references_test.py BUILD [SEED [FAMILY...]]   (needs torch, transformers, gguf, llama-cpp-python, numpy; SKIP without)

Of each: folder -> GGUF in f32, f16 and bf16, read by the gguf package (names, shapes, types, keys), opened by llama.cpp
(logits; the greedy ids of the f32 file) and by adam (logits within 1e-3 of transformers'); the same bytes with 1, 2 and 5
threads; GGUF -> folder that transformers opens with the same logits; pre-quantised folders; embedding models against
sentence-transformers; GGUF -> GGUF. With a server's binary (ADAM_OLLAMA) Ollama's greedy
text is adam's for models that have learned some text (tiny_talkers.py), in f32, f16 and bf16.
"""
import atexit
import ctypes
import filecmp
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

REQUIRED = os.environ.get("ADAM_REQUIRE_REFERENCES") == "1"
try:
    import gguf
    import llama_cpp
    import numpy as np
    import safetensors.numpy
    import torch
    import transformers

    import make_models
    import tiny_embedders
    import tiny_families
    import tiny_prequant
    import tiny_talkers
    import tiny_tokenizers
except ImportError as error:
    print(f"{'no' if REQUIRED else 'SKIP: no'} reference: {error}")
    sys.exit(1 if REQUIRED else 77)

ADAM = os.path.join(sys.argv[1], "adam")
N_IDS, N_GREEDY = 48, 32
TOLERANCE, PEER_TOLERANCE = 1e-3, 5e-2  # of logits with a spread of 1 to 2; llama.cpp rounds activations
N_SPOKEN = 48  # tokens of each text that Ollama and adam must have in common
QUIET = llama_cpp.llama_log_callback(lambda *_: None)
TYPES = {"f32": 0, "f16": 1, "bf16": 30}
FILE_TYPES = {"f32": 0, "f16": 1, "bf16": 32}
ALWAYS_F32 = ("_norm.weight", "ffn_gate_inp.weight", "position_embd.weight", "token_types.weight")


def convert(*arguments, expect=0):
    done = subprocess.run([ADAM, "convert", *arguments], capture_output=True, text=True)
    assert done.returncode == expect, (arguments, done.returncode, done.stderr)
    return done


def score(path, ids, folder):
    out = os.path.join(folder, "ours.npy")
    subprocess.run([ADAM, "score", "-m", path, "--ids", "-", "--logits", out], input=" ".join(map(str, ids)), text=True,
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return np.load(out)


class Peer:
    def __init__(self, path, n_ctx=256):
        self.llama = llama_cpp.Llama(path, n_ctx=n_ctx, n_batch=n_ctx, logits_all=True, n_gpu_layers=0, type_k=0, type_v=0,
                                     flash_attn=False, verbose=False, n_threads=1)

    def logits(self, ids):
        self.llama.reset()
        self.llama.eval(ids)
        pointer = ctypes.cast(llama_cpp.llama_get_logits(self.llama.ctx), ctypes.POINTER(ctypes.c_float))
        return np.ctypeslib.as_array(pointer, shape=(len(ids), self.llama.n_vocab())).copy()


def random_spec(rng, family):
    """What llama.cpp can open: heads as wide as the model over their number in qwen2, experts in every layer."""
    kv_heads = rng.choice([1, 2, 3])
    heads = kv_heads * rng.choice([1, 2, 4])
    head_dim = rng.choice([8, 16, 32])
    hidden = heads * head_dim if family in ("qwen2", "phi", "phi3") else heads * rng.choice([4, 12, 24])
    ffn = 4 * hidden if family == "phi" else 8 * rng.randint(3, 20)
    spec = dict(arch=family, tied=family == "gemma2" or rng.random() < 0.4, old=rng.random() < 0.5,
                hf=rng.choice(["bfloat16", "float16", "float32"]), shards=rng.choice([1, 1, 3]),
                shape=(rng.randint(1, 3), hidden, ffn, heads, kv_heads, head_dim, rng.randint(310, 400)), set={})
    ropes = [{"rope_type": "default", "rope_theta": rng.choice([10000.0, 1e6])},
             {"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.5}]
    if family == "llama":
        ropes += 3 * [{**make_models.LLAMA3, "factor": rng.choice([8.0, 32.0]),
                       "original_max_position_embeddings": rng.choice([64, 100, 8192])}]
        spec["bias"] = rng.random() < 0.3
    if family in ("qwen2", "qwen3", "qwen3_moe"):
        ropes += [make_models.YARN]
    if family == "qwen3_moe":
        spec["experts"] = (rng.randint(3, 9), rng.randint(1, 3), 8 * rng.randint(1, 5))
        spec["set"] = dict(norm_topk_prob=True, decoder_sparse_step=1, mlp_only_layers=[])
        spec["merged"] = rng.random() < 0.5
        spec["shards"] = 1 if spec["merged"] else spec["shards"]
    if family == "mistral":  # what the old config leaves out is not its default
        spec["old"] = spec["old"] and kv_heads != heads
        spec["set"] = dict(sliding_window=None)
    spec["rope"] = rng.choice(ropes)
    if family in tiny_families.ARCHS:
        own = tiny_families.random_spec(rng, family)
        spec.update(rope=own.get("rope", tiny_families.plain()), set=own["set"])
        if family == "gemma2":
            spec["set"] = dict(query_pre_attn_scalar=head_dim, sliding_window=rng.choice([5, 32, 4096]),
                               attn_logit_softcapping=rng.choice([None, 2.0, 50.0]),
                               final_logit_softcapping=rng.choice([None, 30.0]))
        if family == "phi":
            partial = rng.choice([0.5, 1.0])
            spec["rope"] = {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": partial}
            spec["set"] = dict(hidden_act="gelu_new")
            spec["shape"] = (*spec["shape"][:4], heads, *spec["shape"][5:])
        if family == "phi3":
            spec["set"] = dict(sliding_window=None, original_max_position_embeddings=300)
            spec["rope"] = rng.choice([tiny_families.plain(), tiny_families.longrope(head_dim, 300)])
    return spec


def expected_transform(name, weight, config):
    """(GGUF name, values) of a Hugging Face tensor, by the gguf package's own table of names and llama.cpp's rules."""
    heads, kv_heads = config.num_attention_heads, config.num_key_value_heads
    if config.model_type in ("llama", "mistral") and (".q_proj." in name or ".k_proj." in name):
        n = heads if ".q_proj." in name else kv_heads
        weight = weight.reshape(n, 2, weight.shape[0] // n // 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)
    if config.model_type == "gemma2" and name.endswith("norm.weight"):
        weight = weight + 1
    return weight


ARCHS = {"llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3", "qwen3_moe": "qwen3moe", "phi": "phi2",
         "phi3": "phi3", "gemma2": "gemma2"}


def check_file(path, model, kind, spec):
    """The gguf package reads what we wrote: every tensor of the model, its type and its numbers."""
    reader, config = gguf.GGUFReader(path), model.config
    found = {t.name: t for t in reader.tensors}
    arch = ARCHS[config.model_type]
    names = gguf.get_tensor_name_map({v: k for k, v in gguf.MODEL_ARCH_NAMES.items()}[arch], config.num_hidden_layers)
    field = lambda key: reader.get_field(key).contents()
    assert field("general.architecture") == arch and field("general.file_type") == FILE_TYPES[kind]
    assert field("general.quantization_version") == 2 and field(f"{arch}.block_count") == config.num_hidden_layers
    assert field(f"{arch}.embedding_length") == config.hidden_size
    assert field(f"{arch}.attention.head_count_kv") == config.num_key_value_heads
    assert field(f"{arch}.context_length") == config.max_position_embeddings
    for key in reader.fields.values():  # Ollama's reader takes these alone
        assert key.types[0] in (gguf.GGUFValueType.UINT32, gguf.GGUFValueType.FLOAT32, gguf.GGUFValueType.BOOL,
                                gguf.GGUFValueType.STRING, gguf.GGUFValueType.ARRAY) or key.name.startswith(
                                    ("GGUF.", "general.sampling.")), key
    expected = {}
    experts = {}
    for name, weight in model.state_dict().items():
        if name == "lm_head.weight" and spec["tied"]:
            continue
        weight = expected_transform(name, weight.float().numpy(), config)
        if name.endswith("mlp.experts.gate_up_proj"):
            layer, half = name.split(".")[2], weight.shape[1] // 2
            experts[f"blk.{layer}.ffn_gate_exps.weight"] = weight[:, :half]
            experts[f"blk.{layer}.ffn_up_exps.weight"] = weight[:, half:]
            continue
        if name.endswith("mlp.experts.down_proj"):
            experts[f"blk.{name.split('.')[2]}.ffn_down_exps.weight"] = weight
            continue
        mapped = names.get_name(name, try_suffixes=(".weight", ".bias"))
        assert mapped, f"the gguf package has no name for {name}"
        expected[mapped] = weight
    expected.update(experts)
    if arch in ("qwen3moe", "phi2") and spec["tied"]:  # Ollama 0.9.6 asks for it
        expected["output.weight"] = expected["token_embd.weight"]
    extra = set(found) - set(expected)
    assert set(expected) <= set(found) and extra <= {"rope_freqs.weight", "rope_factors_long.weight",
                                                     "rope_factors_short.weight"}, (set(expected) ^ set(found))
    for name, weight in expected.items():
        tensor = found[name]
        wide = weight.ndim == 1 or name.endswith(ALWAYS_F32)
        assert tensor.tensor_type == (0 if wide else TYPES[kind]), (name, tensor.tensor_type)
        got = gguf.dequantize(tensor.data, tensor.tensor_type).reshape(weight.shape)
        step = 0 if wide or kind == "f32" else 2.0 ** -11 if kind == "f16" else 2.0 ** -8
        off = np.abs(got - weight) - step * np.abs(weight)
        assert (off <= (6e-8 if step else 0)).all(), (name, kind, spec, float(off.max()))
    return found


def greedy(logits_of, prompt):
    ids = list(prompt)
    for _ in range(N_GREEDY):
        ids.append(int(logits_of(ids)[-1].argmax()))
    return ids


def same_bytes(a, b):
    return filecmp.cmp(a, b, shallow=False)


def check_family(root, family, rng):
    spec = random_spec(rng, family)
    seed = rng.randrange(1 << 31)
    folder = os.path.join(root, "source", "Tiny")
    os.makedirs(folder)
    vocab, kind = spec["shape"][-1], make_models.kind_of(spec)
    tokenizer = getattr(tiny_tokenizers, kind + "_like")(vocab)
    model = make_models.build(spec, seed)
    weights = make_models.save_hf(folder, model, spec, tokenizer, kind)
    stored = {"bfloat16": "bf16", "float16": "f16", "float32": "f32"}[spec["hf"]]
    model = make_models.load(model, weights)
    ids = np.random.default_rng(seed).integers(0, vocab, N_IDS).tolist()
    with torch.no_grad():
        expected = model(torch.tensor([ids])).logits[0].numpy()
    worst = {}
    for type_ in TYPES:
        path = os.path.join(root, f"{type_}.gguf")
        convert(folder, path, "--type", type_, "--threads", "2")
        check_file(path, model, type_, spec)
        mine, theirs = score(path, ids, root), Peer(path).logits(ids)
        exact = type_ == "f32" or type_ == stored
        difference = float(np.abs(mine - expected).max())
        apart = np.abs(theirs - (expected if exact else mine)).max(-1)  # rounding makes some tokens choose other experts
        peer = float(np.median(apart) if family == "qwen3_moe" and type_ != "f32" else apart.max())
        if exact:
            assert difference <= TOLERANCE, f"{family} {type_}: adam differs from transformers by {difference} ({spec})"
        assert peer <= (PEER_TOLERANCE if type_ == "f32" else 6 * PEER_TOLERANCE), \
            f"{family} {type_}: llama.cpp differs by {peer} ({spec})"
        worst[type_] = (difference, peer)
    plain = os.path.join(root, "plain.gguf")
    convert(folder, plain)
    assert same_bytes(plain, os.path.join(root, f"{stored}.gguf")), "without --type the stored type is kept"
    for threads in ("1", "5"):
        again = os.path.join(root, "again.gguf")
        convert(folder, again, "--type", "f16", "--threads", threads)
        assert same_bytes(again, os.path.join(root, "f16.gguf")), f"other bytes with {threads} threads"
    path = os.path.join(root, "f32.gguf")
    peer = Peer(path)
    prompt = ids[:8]
    theirs = greedy(peer.logits, prompt)
    ours = subprocess.run([ADAM, "score", "-m", path, "--ids", ",".join(map(str, theirs)), "--logits", os.path.join(root, "g.npy")],
                          check=True, capture_output=True)
    assert ours.returncode == 0
    logits = np.load(os.path.join(root, "g.npy"))[7:-1]
    best = np.sort(logits, -1)
    clear = best[:, -1] - best[:, -2] > 0.05
    assert (logits.argmax(-1) == np.array(theirs[8:]))[clear].all(), f"{family}: greedy ids differ from llama.cpp's"
    check_back(root, family, path, ids, expected, spec)
    return worst, spec


def check_back(root, family, path, ids, expected, spec):
    for type_, limit in (("f32", TOLERANCE), (None, TOLERANCE)):
        folder = os.path.join(root, f"back-{type_}")
        convert(path, folder, *(["--type", type_] if type_ else []))
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
        with torch.no_grad():
            got = model(torch.tensor([ids])).logits[0].numpy()
        difference = float(np.abs(got - expected).max())
        assert difference <= limit, f"{family}: back in transformers, logits differ by {difference} ({spec})"
        difference = float(np.abs(score(folder, ids, root) - expected).max())
        assert difference <= limit, f"{family}: back in adam, logits differ by {difference} ({spec})"
    check_files(root, path, folder)
    again = os.path.join(root, "round.gguf")
    convert(os.path.join(root, "back-f32"), again)
    difference = float(np.abs(score(again, ids, root) - expected).max())
    assert difference <= TOLERANCE, f"{family}: GGUF, folder, GGUF: {difference}"
    copied = os.path.join(root, "copied.gguf")
    convert(path, copied)
    assert same_bytes(path, copied), "a GGUF converted to its own type has other bytes"


def check_files(root, path, whole):
    """A folder in several files: safetensors reads each, transformers the folder, the tensors are those of one file."""
    folder, limit = os.path.join(root, "back-files"), os.path.getsize(path) // 4
    subprocess.run([os.path.join(sys.argv[1], "tests", "tests-golden-convert_drive_test"), path, folder, str(limit)], check=True)
    files = sorted(f for f in os.listdir(folder) if f.endswith(".safetensors"))
    with open(os.path.join(folder, "model.safetensors.index.json")) as f:
        index = json.load(f)
    assert len(files) > 1 and set(index["weight_map"].values()) == set(files), files
    one, n_bytes = safetensors.numpy.load_file(os.path.join(whole, "model.safetensors")), 0
    for file in files:
        parts = safetensors.numpy.load_file(os.path.join(folder, file))
        assert sorted(parts) == sorted(n for n, f in index["weight_map"].items() if f == file), file
        assert len(parts) == 1 or sum(t.nbytes for t in parts.values()) <= limit, file
        n_bytes += sum(t.nbytes for t in parts.values())
        assert all((one.pop(n) == t).all() for n, t in parts.items()), file
    assert not one and n_bytes == index["metadata"]["total_size"]
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    first = transformers.AutoModelForCausalLM.from_pretrained(whole, dtype=torch.float32).state_dict()
    assert all(torch.equal(first[n], t) for n, t in model.state_dict().items())


def check_prequantised(root, name, rng):
    spec = dict(tiny_prequant.MODELS[name])
    folder = os.path.join(root, "source", "Tiny")
    os.makedirs(folder)
    vocab, kind = spec["shape"][-1], make_models.kind_of(spec)
    model = make_models.build(spec, rng.randrange(1 << 31))
    weights = make_models.save_hf(folder, model, spec, getattr(tiny_tokenizers, kind + "_like")(vocab), kind)
    model = make_models.load(model, weights)
    ids = np.random.default_rng(1).integers(0, vocab, N_IDS).tolist()
    with torch.no_grad():
        expected = model(torch.tensor([ids])).logits[0].numpy()
    path, back = os.path.join(root, "f32.gguf"), os.path.join(root, "back")
    convert(folder, path, "--type", "f32")
    convert(folder, back, "--type", "f32")
    for where in (path, back):
        difference = float(np.abs(score(where, ids, root) - expected).max())
        assert difference <= TOLERANCE, f"{name}: {where} differs by {difference}"
    peer = float(np.abs(Peer(path).logits(ids) - expected).max())
    assert peer <= PEER_TOLERANCE, f"{name}: llama.cpp differs by {peer}"
    with open(os.path.join(back, "config.json")) as f:
        assert "quantization_config" not in json.load(f)
    loaded = transformers.AutoModelForCausalLM.from_pretrained(back, dtype=torch.float32, attn_implementation="eager").eval()
    with torch.no_grad():
        got = loaded(torch.tensor([ids])).logits[0].numpy()
    assert np.abs(got - expected).max() <= TOLERANCE, name
    return peer


def embed(path, texts):
    done = subprocess.run([ADAM, "embed", "-m", path, "--json", "--input", "-"], text=True, capture_output=True,
                          input="\n".join(json.dumps(t) for t in texts))
    assert done.returncode == 0, done.stderr
    return np.array(json.loads(done.stdout)["embeddings"])


def check_embedder(root, arch, pooling, rng):
    spec = dict(arch=arch, shape=(2, 32, 64, 4, 64), dtype="float32", layout=rng.choice(["old", "new"]), normalize=True,
                pooling=[pooling])
    if arch == "qwen3":
        spec["shape"] = (2, 32, 48, 4, 256)
    folder = os.path.join(root, "source", "Tiny")
    tiny_embedders.build(folder, spec, rng.randrange(1 << 31))
    texts = tiny_embedders.texts(rng)
    path, back = os.path.join(root, "f32.gguf"), os.path.join(root, "back")
    convert(folder, path)
    convert(path, back)
    theirs = embed(folder, texts)
    key = {"bert": "bert", "roberta": "bert", "nomic": "nomic-bert", "qwen3": "qwen3"}[arch] + ".pooling_type"
    assert gguf.GGUFReader(path).get_field(key).contents() == {"mean": 1, "cls": 2, "lasttoken": 3}[pooling]
    worst = 1.0
    for where in (path, back):
        got = embed(where, texts)
        cosine = (got * theirs).sum(-1) / np.linalg.norm(got, axis=-1) / np.linalg.norm(theirs, axis=-1)
        worst = min(worst, float(cosine.min()))
        assert worst > 0.99999, (arch, where, cosine)
    model = llama_cpp.Llama(path, embedding=True, n_ctx=256, n_gpu_layers=0, verbose=False, n_threads=1)
    text = "the house reads the token"
    vector = np.array(model.create_embedding([text])["data"][0]["embedding"])
    ours = embed(path, [text])[0]
    cosine = float(vector @ ours / np.linalg.norm(vector) / np.linalg.norm(ours))
    assert cosine > 0.999, f"{arch}: llama.cpp's embedding has a cosine of {cosine}"
    return worst, cosine


class Ollama:
    """A real server on loopback with a store of its own; without a binary this part is left out, in words."""

    def __init__(self, root):
        here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "build", "refs", "ollama")
        found = os.environ.get("ADAM_OLLAMA") or (here if os.path.exists(here) else shutil.which("ollama"))
        self.server = None
        if not found:
            print("no Ollama (ADAM_OLLAMA, build/refs/ollama, PATH): it is not asked for its text")
            return
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.host = f"127.0.0.1:{s.getsockname()[1]}"
        self.environment = {**os.environ, "HOME": root, "OLLAMA_MODELS": os.path.join(root, "store"), "OLLAMA_HOST": self.host}
        self.binary, self.root = found, root
        self.server = subprocess.Popen([found, "serve"], env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(120):
            try:
                urllib.request.urlopen(f"http://{self.host}/api/version", timeout=2)
                return
            except OSError:
                time.sleep(0.25)
        raise AssertionError("the Ollama server does not answer")

    def close(self):
        if self.server:
            self.server.terminate()
            self.server.wait()

    def create(self, path, name):
        file = os.path.join(self.root, "Modelfile")
        with open(file, "w") as f:
            f.write(f'FROM {path}\nTEMPLATE "{{{{ .Prompt }}}}"\n')
        subprocess.run([self.binary, "create", name, "-f", file], env=self.environment, check=True, capture_output=True)

    def ask(self, path_, body):
        request = urllib.request.Request(f"http://{self.host}{path_}", json.dumps(body).encode())
        try:
            return json.load(urllib.request.urlopen(request, timeout=120))
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{body['model']}: Ollama says {error.read()[:300]}") from error

    def text(self, name, prompt):
        return self.ask("/api/generate", {"model": name, "prompt": prompt, "raw": True, "stream": False, "options":
                                          {"temperature": 0, "num_predict": N_SPOKEN, "num_ctx": 256, "num_thread": 1,
                                           "repeat_penalty": 1.0}})["response"]

    def forget(self, name):
        self.ask("/api/generate", {"model": name, "keep_alive": 0})


def say(path, prompt):
    done = subprocess.run([ADAM, "run", "-m", path, "--raw", "--temperature", "0", "--max-tokens", str(N_SPOKEN), "--json",
                           "--repetition-penalty", "1.0", prompt], capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    assert answer["completion_tokens"] == N_SPOKEN, answer
    return answer["text"]


def talker_spec(rng, family):
    """Wide enough to learn; vocabularies as the family has them; layers that Ollama 0.9.6 knows Gemma 2 by."""
    spec = random_spec(rng, family)
    spec["tokenizer"] = {"mistral": "spm", "phi3": "spm", "gemma2": "spm"}.get(family) or make_models.kind_of(spec)
    heads, head_dim = 4, rng.choice([16, 24])
    kv_heads = heads if family == "phi" else rng.choice([1, 2, 4])
    even = family in ("qwen2", "phi", "phi3") or spec.get("bias")  # what Ollama 0.9.6 opens
    hidden = heads * head_dim if even else rng.choice([56, 64, 80])
    spec["shape"] = (26 if family == "gemma2" else rng.randint(2, 3), hidden, 96, heads, kv_heads, head_dim, rng.randint(470, 500))
    spec["old"] = spec["old"] and kv_heads != heads
    if family == "qwen3_moe":
        spec["tied"] = rng.random() < 0.5
    if family == "gemma2":
        spec["set"].update(query_pre_attn_scalar=head_dim)
    if spec["rope"]["rope_type"] == "longrope":
        spec["rope"] = tiny_families.longrope(head_dim, 300)
    return spec


def check_talk(root, family, rng, ollama):
    """The same greedy text, every byte of it, from Ollama and from adam: f32, f16 and bf16, some prompts of each."""
    spec = talker_spec(rng, family)
    folder = os.path.join(root, "source", "Talker")
    os.makedirs(folder)
    tokenizer = getattr(tiny_tokenizers, spec["tokenizer"] + "_like")(spec["shape"][-1])
    model = make_models.build(spec, rng.randrange(1 << 31))
    prompts = tiny_talkers.teach(model, tokenizer, rng)
    make_models.save_hf(folder, model, spec, tokenizer, spec["tokenizer"])
    n_same, said = 0, set()
    for type_ in TYPES:
        path, name = os.path.join(root, f"talker-{type_}.gguf"), f"t-{family.replace('_', '-')}-{type_}"
        convert(folder, path, "--type", type_)
        ollama.create(path, name)
        for prompt in prompts:
            ours, theirs = say(path, prompt), ollama.text(name, prompt)
            assert theirs == ours, f"{family} {type_}: of {prompt!r} Ollama makes {theirs!r}, adam {ours!r} ({spec})"
            n_same += N_SPOKEN
            said.add(ours)
        ollama.forget(name)
    assert len(said) >= len(prompts) // 2, said  # one text for every prompt would prove little
    return n_same


def main():
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 31)
    wanted = sys.argv[3:]
    print(f"seed {seed}")
    llama_cpp.llama_log_set(QUIET, None)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    home = tempfile.TemporaryDirectory()
    ollama = Ollama(home.name)
    atexit.register(ollama.close)
    for family in ("llama", "mistral", "qwen2", "qwen3", "qwen3_moe", "phi", "phi3", "gemma2"):
        if wanted and family not in wanted:
            continue
        rng = random.Random(f"{seed} {family}")
        with tempfile.TemporaryDirectory() as root:
            worst, spec = check_family(root, family, rng)
            n_same = check_talk(root, family, rng, ollama) if ollama.server else 0
        print(f"{family} {spec['shape']} {spec['hf']}: " +
              ", ".join(f"{t} adam {a:.1e} llama.cpp {b:.1e}" for t, (a, b) in worst.items()) + f", Ollama {n_same} tokens")
    ollama.close()
    for name in tiny_prequant.MODELS:
        if name.startswith("gguf") or (wanted and name not in wanted):
            continue
        with tempfile.TemporaryDirectory() as root:
            print(f"{name}: llama.cpp within {check_prequantised(root, name, random.Random(f'{seed} {name}')):.1e}")
    for arch, pooling in (("bert", "mean"), ("bert", "cls"), ("roberta", "mean"), ("nomic", "mean"),
                          ("qwen3", "lasttoken")):
        if wanted and arch + "-" + pooling not in wanted:
            continue
        with tempfile.TemporaryDirectory() as root:
            worst, cosine = check_embedder(root, arch, pooling, random.Random(f"{seed} {arch} {pooling}"))
        print(f"{arch} {pooling}: cosine {worst:.9f}, llama.cpp {cosine:.6f}")


if __name__ == "__main__":
    main()
