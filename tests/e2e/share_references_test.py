# SPDX-License-Identifier: Apache-2.0
"""adam share against the real Ollama and the Hub's own tools: what one side got from the other runs there, from the same
prompt to the same text, and the bytes are on disk once.

    share_references_test.py [BUILD [SEED]]   (needs Ollama, torch, transformers, huggingface_hub and SmolLM2; SKIP without)
"""
import json
import os
import pathlib
import random
import re
import shutil
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from command import BUILD, HOME, ROOT, adam
from hand_stores import HubCache, bytes_once, files_below, sha256
from ollama_server import Server, find_ollama, find_smollm2

sys.path.insert(0, str(ROOT / "tests" / "golden"))
REQUIRED = os.environ.get("ADAM_REQUIRE_REFERENCES") == "1"
SEED = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 30)
WORK = pathlib.Path(tempfile.mkdtemp(dir=HOME))
CACHE, MODELS, DATA = WORK / "hub", WORK / "models", WORK / "adam"
ENV = {"HF_HUB_CACHE": str(CACHE), "OLLAMA_MODELS": str(MODELS), "ADAM_CACHE_DIR": str(DATA),
       "XDG_DATA_HOME": str(WORK / "data")}
COMMIT = "d" * 40
os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_CACHE=str(CACHE))  # read when huggingface_hub is imported
LICENSE = "Permission is granted to nobody in particular, for a test.\n"
N_TOKENS = 44
# Between adam's best and second best token at every step of a text that is compared: Ollama keeps keys and values in
# 16 bits and rounds what it multiplies with 16-bit weights, so its logits are others by a few hundredths.
CLEAR = 0.04
REPEATS = 30  # of one token in a row: then Ollama stops


def run(*arguments, code=0):
    done = adam(*arguments, env=ENV)
    assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
    return done


def share(*arguments, code=0):
    done = run("share", *arguments, "--json", code=code)
    return json.loads(done.stdout) if code == 0 else done.stderr.decode()


def inodes(*roots):
    return {(s.st_dev, s.st_ino) for r in roots for p in files_below(r) if not p.is_symlink() for s in [p.lstat()]}


def blob_of(name, kind="model", tag="latest"):
    manifest = json.loads((MODELS / "manifests/registry.ollama.ai/library" / name / tag).read_text())
    digest = next((x["digest"] for x in manifest["layers"] if x["mediaType"].endswith("." + kind)), None)
    return MODELS / "blobs" / digest.replace(":", "-") if digest else None


def answer(ref, prompt, *options):
    """adam's greedy text, how clear the choice was at its narrowest, and all that it said."""
    got = json.loads(run("run", "-m", ref, prompt, "--temperature", "0", "--max-tokens", str(N_TOKENS), "--json",
                         "--top-logprobs", "2", *options).stdout)
    tokens = [token["token"] for token in got["logprobs"]["content"]]
    if any(len(set(tokens[i:i + REPEATS])) == 1 for i in range(len(tokens) - REPEATS + 1)):
        return got["text"], 0, got
    steps = [[t["logprob"] for t in token["top_logprobs"]] for token in got["logprobs"]["content"]]
    return got["text"], min(a - b for a, b in steps), got


def check_same_text(server, ref, name, prompts, wanted, raw=True):
    """As many prompts as wanted give the same text to the last byte; those that leave no doubt are taken."""
    n_same = 0
    for prompt in prompts:
        text, gap, got = answer(ref, prompt, *(("--raw",) if raw else ()))
        clean = "\ufffd" not in text and got["completion_tokens"] == N_TOKENS
        if gap < CLEAR or (raw and not clean):
            continue
        body = {"model": name, "stream": False, "options": {"temperature": 0, "num_predict": N_TOKENS}}
        if raw:
            theirs = server.ask("/api/generate", {**body, "prompt": prompt, "raw": True})
            said = theirs["response"]
        else:
            theirs = server.ask("/api/chat", {**body, "messages": [{"role": "user", "content": prompt}]})
            said = theirs["message"].get("thinking", "") + theirs["message"]["content"]
            assert theirs["prompt_eval_count"] == got["prompt_tokens"], (theirs, got)
        assert said == text, f"{name}: of {prompt!r}\nadam makes   {text!r}\nOllama makes {said!r}"
        n_same += 1
        if n_same == wanted:
            return
    raise AssertionError(f"{name}: only {n_same} of {len(prompts)} prompts have a clear text")


def check_prompt(server, ref, name, messages):
    """Ollama's prompt of a chat, token by token: the context that it gives back begins with it."""
    system = messages[0]["content"] if messages[0]["role"] == "system" else None
    body = {"model": name, "prompt": messages[-1]["content"], "stream": False, "options": {"temperature": 0, "num_predict": 1}}
    if system is not None:
        body["system"] = system
    theirs = server.ask("/api/generate", body)
    (WORK / "messages.json").write_text(json.dumps(messages))
    text = run("template", "-m", ref, "--messages", str(WORK / "messages.json")).stdout.decode()
    ids = json.loads(run("tokenize", "-m", ref, "--no-special", "--json", text).stdout)["ids"]
    assert theirs["context"][:len(ids)] == ids and theirs["prompt_eval_count"] == len(ids), (ids, theirs["context"])


def check_view(server, name, template, **details):
    """What /api/tags and /api/show tell of it."""
    tags = {m["name"]: m for m in server.ask("/api/tags")["models"]}
    said = tags[f"{name}:latest"]["details"]
    for key, value in {"format": "gguf", **details}.items():
        assert said[key] == value, (key, said)
    assert said["families"] == [said["family"]] and re.fullmatch(r"[\d.]+[MBK]?", said["parameter_size"]), said
    show = server.ask("/api/show", {"model": name})
    assert show["template"] and blob_of(name, "template").read_text() == show["template"] and show["details"] == said
    parameters = [line.split(None, 1) for line in show["parameters"].splitlines()]
    assert ["repeat_penalty", "1"] in parameters and any(k == "stop" for k, _ in parameters), parameters
    assert "completion" in show["capabilities"] and show["model_info"]["general.architecture"] == said["family"]
    return show, dict(parameters)


def write_unseen(seed):
    """A Qwen 3 of a shape that nobody chose, with Qwen 3's own chat template where that is at hand."""
    import make_models
    import tiny_tokenizers
    import torch

    rng = random.Random(seed)
    kv_heads = rng.choice([1, 2, 3])
    shape = (rng.randint(2, 4), 32 * rng.randint(2, 5), 32 * rng.randint(3, 8), kv_heads * rng.choice([1, 2, 3]), kv_heads,
             rng.choice([16, 32, 64]), rng.randint(320, 420))
    spec = dict(arch="qwen3", shape=shape, tied=False, hf="float32")
    tokenizer = tiny_tokenizers.qwen_like(shape[-1])
    model = make_models.build(spec, seed)
    plain = [i for i in range(shape[-1]) if i < shape[-1] - 5
             and tokenizer.decode([i]).isascii() and tokenizer.decode([i]).replace("\n", " ").isprintable()]
    with torch.no_grad():  # it speaks ASCII and never ends, so that there is a text of any length to compare
        mute = torch.ones(shape[-1], dtype=torch.bool)
        mute[plain] = False
        model.lm_head.weight[mute] = 0
        model.lm_head.weight *= 3
    folder = WORK / f"unseen-{seed}"
    folder.mkdir()
    make_models.save_hf(str(folder), model, spec, tokenizer, "qwen")
    (folder / "LICENSE").write_text(LICENSE)
    return folder


def put(repository, folder):
    hub = HubCache(CACHE)
    files = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}
    hub.add(repository, COMMIT, files, large=[n for n in files if n.endswith((".safetensors", ".gguf"))])


def prompts_of(rng, n):
    words = "house model token river stone reads writes the a over sea morning letter kernel 12 value = x".split()
    return [" ".join(rng.choice(words) for _ in range(rng.randint(2, 9))) for _ in range(n)]


def check_safetensors(server, repository, rng, chat_template):
    name = repository.split("/")[1]
    before, before_inodes = bytes_once(CACHE, MODELS, DATA), inodes(CACHE, MODELS, DATA)
    planned = share(repository, "--to", "ollama", "--dry-run")
    assert inodes(CACHE, MODELS, DATA) == before_inodes, "a dry run wrote something"
    got = share(repository, "--to", "ollama", "--strict")
    converted = list((DATA / "converted").glob("*.gguf"))
    file = max(converted, key=lambda p: p.stat().st_mtime_ns)
    size = file.stat().st_size
    assert got["bytes_added"] == planned["bytes_added"] == size and got["bytes_linked"] == size and got["converted"], (got, planned)
    assert got["template"] == planned["template"] == chat_template, got
    assert blob_of(name).stat().st_ino == file.stat().st_ino, "the second owner has bytes of its own"
    grown = bytes_once(CACHE, MODELS, DATA) - before
    assert size <= grown < size + 24576, f"{grown} bytes for a file of {size}"
    n_new = len(inodes(CACHE, MODELS, DATA) - before_inodes)
    assert n_new <= 8, f"{n_new} new inodes"  # the file, manifest, config and four texts at most
    again = share(repository, "--to", "ollama")
    assert (again["bytes_added"], again["method"]) == (0, "same"), again
    assert bytes_once(CACHE, MODELS, DATA) - before == grown
    check_same_text(server, repository, name, prompts_of(rng, 200), 3)
    check_same_text(server, f"ollama:{name}", name, prompts_of(rng, 200), 1)
    check_prompt(server, repository, name, [{"role": "user", "content": "the river reads 12"}])
    check_prompt(server, repository, name, [{"role": "system", "content": "Be a stone.\nNow."}, {"role": "user", "content": "x = 1"}])
    print(f"{name}: {size} bytes added once, template {got['template']}, the same text")
    return file


def check_removals(server, repository, file):
    """Either side may go: the other one still runs."""
    name = repository.split("/")[1]
    want = answer(repository, "the sea", "--raw")[0]
    server.command("rm", name)
    assert file.exists() and not any(p.name == f"sha256-{sha256(file.read_bytes())}" for p in (MODELS / "blobs").iterdir())
    assert answer(repository, "the sea", "--raw")[0] == want == answer(str(file), "the sea", "--raw")[0]
    again = share(repository, "--to", "ollama")
    assert again["bytes_added"] == 0 and again["method"] == "hard link" and not again["converted"], again
    run("rm", repository, "--yes")
    run("rm", str(file), "--yes")
    assert not file.exists() and not (CACHE / ("models--" + repository.replace("/", "--"))).exists()
    theirs = server.ask("/api/generate", {"model": name, "prompt": "the sea", "raw": True, "stream": False,
                                          "options": {"temperature": 0, "num_predict": N_TOKENS}})
    assert theirs["eval_count"] > 0 and answer(f"ollama:{name}", "the sea", "--raw")[2]["completion_tokens"] > 0
    run("rm", f"ollama:{name}", "--yes")
    assert name not in [m["name"].split(":")[0] for m in server.ask("/api/tags")["models"]]


def check_smollm2(server, gguf):
    source = DATA / "models" / gguf.name
    source.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(gguf, source)
    alone = answer("smollm2", "What is the capital of France?")[0]
    before = bytes_once(CACHE, MODELS, DATA)
    planned = share("smollm2", "--to", "ollama", "--dry-run")
    began = time.monotonic()
    got = share("smollm2", "--to", "ollama")
    took = time.monotonic() - began
    name = got["name"]
    assert name == "SmolLM2-135M-Instruct" and got["bytes_added"] == planned["bytes_added"] == 0, (got, planned)
    assert got["method"] == planned["method"] == "hard link" and got["template"] == "chatml", got
    assert blob_of(name).stat().st_ino == source.stat().st_ino
    grown = bytes_once(CACHE, MODELS, DATA) - before
    assert grown < 24576, grown
    began = time.monotonic()
    assert share("smollm2", "--to", "ollama")["method"] == "same"
    print(f"SmolLM2: {got['bytes_added']} bytes of the model and {got['bytes_texts']} of texts in {took:.3f} s, again in "
          f"{time.monotonic() - began:.3f} s; {grown} bytes of files")
    show, parameters = check_view(server, name, "chatml", family="llama", quantization_level="Q4_1", parameter_size="134.52M")
    assert "system" in show and "SmolLM" in show["system"], show.get("system")
    question = [{"role": "user", "content": "What is the capital of France?"}]
    check_prompt(server, "smollm2", name, question)
    check_prompt(server, "smollm2", name, [{"role": "system", "content": "Answer in one word."}, *question])
    # Both run it from the same prompt; the texts part where tokens are nearly as likely: 4-bit weights, rounded differently.
    said = server.ask("/api/chat", {"model": name, "messages": question, "stream": False, "options": {"temperature": 0, "num_predict": 8}})
    ours = answer(f"ollama:{name}", question[0]["content"])
    assert said["message"]["content"][:4] == ours[0][:4] != "", (ours[0], said)
    assert said["prompt_eval_count"] == ours[2]["prompt_tokens"], (ours[2], said)
    # another content under that name stays
    other = WORK / "other.gguf"
    shutil.copyfile(ROOT / "tests/golden/models/gguf-qwen3-f16/model.gguf", other)
    held = {p: p.stat().st_ino for p in (MODELS / "manifests").rglob("*") if p.is_file()}
    assert "--name" in share(str(other), "--to", "ollama", "--name", name, code=2)
    assert held == {p: p.stat().st_ino for p in (MODELS / "manifests").rglob("*") if p.is_file()}
    # quantised on the way
    small = share("smollm2", "--to", "ollama", "--quantization", "q8_0", "--name", "small:q8_0")
    assert small["converted"] and small["bytes_added"] == blob_of("small", tag="q8_0").stat().st_size, small
    assert server.ask("/api/show", {"model": "small:q8_0"})["details"]["quantization_level"] == "Q8_0"
    server.command("rm", "small:q8_0")
    server.command("rm", name)
    assert source.exists() and alone == answer("smollm2", "What is the capital of France?")[0] != ""


def check_to_hub(server, gguf):
    """What `ollama create` made, opened by the Hub's own tools, offline."""
    (WORK / "Modelfile").write_text(f"FROM {gguf}\n")
    server.command("create", "made", "-f", str(WORK / "Modelfile"))
    before = bytes_once(CACHE, MODELS)
    got = share("ollama:made", "--to", "huggingface")
    assert got["name"] == "ollama/made" and got["bytes_added"] == 0 and bytes_once(CACHE, MODELS) - before < 8192, got
    import huggingface_hub
    import torch
    import transformers

    torch.set_num_threads(1)
    report = huggingface_hub.scan_cache_dir(CACHE)
    assert not report.warnings, report.warnings
    repo = next(r for r in report.repos if r.repo_id == "ollama/made")
    assert repo.refs["main"].commit_hash in {r.commit_hash for r in repo.revisions} and repo.nb_files == 1
    path = huggingface_hub.hf_hub_download("ollama/made", "made.gguf", local_files_only=True)
    assert os.stat(path).st_ino == blob_of("made").stat().st_ino
    folder = huggingface_hub.snapshot_download("ollama/made", local_files_only=True)
    assert os.listdir(folder) == ["made.gguf"]
    model = transformers.AutoModelForCausalLM.from_pretrained("ollama/made", gguf_file="made.gguf", local_files_only=True)
    tokenizer = transformers.AutoTokenizer.from_pretrained("ollama/made", gguf_file="made.gguf", local_files_only=True)
    ids = tokenizer("The capital of France is", return_tensors="pt").input_ids
    with torch.no_grad():
        word = tokenizer.decode(model(ids).logits[0, -1].argmax())
    assert word.strip() == "Paris", word
    assert json.loads(run("score", "-m", "ollama/made", "--ids", " ".join(map(str, ids[0].tolist())).replace(" ", ",")).stdout)["n_tokens"] == len(ids[0])
    server.command("rm", "made")
    assert os.path.exists(path) and answer("ollama/made", "The capital of France is", "--raw")[0].startswith(" Paris")
    run("rm", "ollama/made", "--yes")
    print("transformers, huggingface_hub and adam open Ollama's model from the cache")


def main():
    try:
        import huggingface_hub  # noqa: F401
        import torch  # noqa: F401
        import transformers

        lacking = None
    except ImportError as error:
        lacking = str(error)
    program, gguf = find_ollama(BUILD), find_smollm2()
    lacking = lacking or (None if program else "Ollama") or (None if gguf else "SmolLM2 (tools/get_smollm2.sh)")
    if lacking:
        print(f"{'no' if REQUIRED else 'SKIP: no'} {lacking}")
        return 1 if REQUIRED else 77
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    with Server(program, WORK, MODELS) as server:
        put("org/demo", ROOT / "models/demo")
        file = check_safetensors(server, "org/demo", rng, "chatml")
        check_same_text(server, "org/demo", "demo", ["Hello", "What is two plus three?", "Who are you?", "Tell me of the sea."], 1, raw=False)
        check_removals(server, "org/demo", file)
        for seed in (SEED, SEED + 1):
            repository = f"org/Unseen-{seed}"
            put(repository, write_unseen(seed))
            file = check_safetensors(server, repository, rng, "chatml")
            show, parameters = check_view(server, f"Unseen-{seed}", "chatml", family="qwen3", quantization_level="F32")
            assert show["license"] == LICENSE, show["license"]
            wanted = {"temperature": "0.6", "top_k": "20", "top_p": "0.95"}
            assert {k: parameters[k] for k in wanted} == wanted, parameters
            check_removals(server, repository, file)
        check_smollm2(server, gguf)
        check_to_hub(server, gguf)
    print("one copy on disk, both run it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
