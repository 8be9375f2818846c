# SPDX-License-Identifier: Apache-2.0
"""The Ollama store against a real Ollama: what it makes runs here, what we write is whole to it, runs, survives its start,
and can be copied and removed by it.

    store_references_test.py [BUILD]      (needs Ollama and SmolLM2's GGUF, tools/get_smollm2.sh; SKIP without)
"""
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from command import BUILD, HOME, adam
from ollama_server import Server, find_ollama, find_smollm2

REQUIRED = os.environ.get("ADAM_REQUIRE_REFERENCES") == "1"
TOOL = str(BUILD / "tests" / "store_tool")
ROOM = pathlib.Path(tempfile.mkdtemp(dir=HOME))
MODELS = ROOM / "models"
ENV = {"OLLAMA_MODELS": str(MODELS)}
TEMPLATE = ("{{- range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}<|im_start|>assistant\n")
CONFIG = {"model_format": "gguf", "model_family": "llama", "model_families": ["llama"], "model_type": "134.52M",
          "file_type": "Q4_1", "architecture": "amd64", "os": "linux"}
PARAMS = {"stop": ["<|im_start|>", "<|im_end|>"], "temperature": 0}
QUESTION = "What is the capital of France?"


def tool(*arguments):
    result = subprocess.run([TOOL, *map(str, arguments)], capture_output=True, timeout=120)
    assert result.returncode == 0, result.stderr
    return result.stdout.decode().strip()


def publish(gguf, name, verb="publish"):
    return tool(verb, MODELS, name, gguf, json.dumps(CONFIG), "template", TEMPLATE, "params", json.dumps(PARAMS), "system",
                "You are brief.", "license", "Apache License\nVersion 2.0")


def our_answer(ref):
    result = adam("run", ref, QUESTION, "--max-tokens", "8", "--json", env=ENV)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def check_both(server, name):
    """Both run it, from the same prompt: the Go template and the GGUF's Jinja give as many tokens. (The texts part where two
    tokens are nearly as likely: the weights are 4-bit, and the engines round differently.)"""
    body = {"model": name, "messages": [{"role": "user", "content": QUESTION}], "stream": False, "options": {"num_predict": 8}}
    theirs, ours = server.ask("/api/chat", body), our_answer(f"ollama:{name}")
    assert theirs["done"] and theirs["message"]["content"].strip() and ours["text"].strip(), (theirs, ours)
    assert theirs["prompt_eval_count"] == ours["prompt_tokens"], (theirs, ours)


def check_created(server, gguf):
    """What `ollama create` makes runs on our engine from the store, as the file does."""
    (ROOM / "Modelfile").write_text(f"FROM {gguf}\nPARAMETER temperature 0\nSYSTEM You are brief.\n"
                                    "MESSAGE user Hello\nMESSAGE assistant Hi!\nLICENSE Apache-2.0\n")
    server.command("create", "Made", "-f", str(ROOM / "Modelfile"))
    messages = [{"role": "system", "content": "You are brief."}, {"role": "user", "content": "Hello"},
                {"role": "assistant", "content": "Hi!"}, {"role": "user", "content": QUESTION}]
    (ROOM / "messages.json").write_text(json.dumps(messages))
    prompt = adam("template", "-m", str(gguf), "--messages", str(ROOM / "messages.json")).stdout.decode()
    file = adam("run", str(gguf), prompt, "--raw", "--temperature", "0", "--max-tokens", "8", "--json")
    text = our_answer("ollama:made")["text"]
    assert text == json.loads(file.stdout)["text"], (text, file.stdout)
    origin = json.loads(adam("show", "ollama:made", "--json", env=ENV).stdout)["origin"]
    assert origin["messages"] == messages[1:3] and origin["system"] == messages[0]["content"], origin
    tags = {m["name"]: m for m in server.ask("/api/tags")["models"]}
    assert origin["digest"] == "sha256:" + tags["Made:latest"]["digest"]
    listed = {m["name"]: m for m in json.loads(adam("list", "--json", env=ENV).stdout)["models"]}
    assert listed["ollama:Made:latest"]["bytes"] == tags["Made:latest"]["size"]
    assert listed["ollama:Made:latest"]["quantization"].upper() == tags["Made:latest"]["details"]["quantization_level"]
    server.command("rm", "Made")


def check_written(server, gguf, name):
    """/api/tags and /api/show tell all that was written, and the model runs."""
    tags = {m["name"]: m for m in server.ask("/api/tags")["models"]}
    details = tags[f"{name}:latest"]["details"]
    assert (details["format"], details["family"], details["families"]) == ("gguf", "llama", ["llama"]), details
    assert (details["parameter_size"], details["quantization_level"]) == ("134.52M", "Q4_1"), details
    show = server.ask("/api/show", {"model": name})
    assert show["template"] == TEMPLATE and show["system"] == "You are brief." and "Version 2.0" in show["license"], show
    assert sorted(line.split()[0] for line in show["parameters"].splitlines()) == ["stop", "stop", "temperature"]
    assert show["model_info"]["general.architecture"] == "llama" and "completion" in show["capabilities"]
    check_both(server, name)


def check_starting(server, gguf):
    """Servers start and prune, one after the other, while four writers publish 64 models, each with a text of its own. Those
    texts lie in blobs/ before, used by nobody, so that each prune means to take them away. At the end each model is whole."""
    N_WRITERS, EACH = 4, 16
    names = [f"during-{w}-{i}" for w in range(N_WRITERS) for i in range(EACH)]
    junk = [os.urandom(1 << 18) for _ in range(200)]

    def litter():
        for data in [*junk, *(n.encode() for n in names)]:
            path = MODELS / "blobs" / f"sha256-{hashlib.sha256(data).hexdigest()}"
            if not path.exists():
                path.with_name(path.name + ".new").write_bytes(data)
                path.with_name(path.name + ".new").rename(path)

    litter()
    writers = [subprocess.Popen([TOOL, "each", str(MODELS), f"during-{w}", str(gguf), json.dumps(CONFIG), str(EACH)],
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for w in range(N_WRITERS)]
    n_starts = 0
    try:
        while any(w.poll() is None for w in writers) or n_starts < 6:
            server.launch()
            server.wait()
            n_starts += 1
            server.__exit__()
            litter()
    finally:
        for w in writers:
            error = w.communicate()[1]
            assert w.returncode == 0, error
    for name in names:
        path = MODELS / f"manifests/registry.ollama.ai/library/{name}/latest"
        manifest = json.loads(path.read_text())
        for blob in [manifest["config"], *manifest["layers"]]:
            assert (MODELS / "blobs" / blob["digest"].replace(":", "-")).stat().st_size == blob["size"], path
    with server:
        tags = {m["name"] for m in server.ask("/api/tags")["models"]}
        assert tags == {f"{n}:latest" for n in names}, tags
        for name in names:
            assert server.ask("/api/show", {"model": name})["system"] == name
    print(f"{len(names)} publications beside {n_starts} starts of the server: each model is whole")
    for name in names:
        tool("remove", MODELS, name)


def main():
    program, gguf = find_ollama(BUILD), find_smollm2()
    if not program or not gguf:
        lacking = "Ollama" if not program else "SmolLM2 (tools/get_smollm2.sh)"
        print(f"{'no' if REQUIRED else 'SKIP: no'} {lacking}")
        return 1 if REQUIRED else 77
    server = Server(program, ROOM, MODELS)
    with server:
        check_created(server, gguf)
        began = time.monotonic()
        print("published:", publish(gguf, "Ours"), f"in {time.monotonic() - began:.3f} s")
        check_written(server, gguf, "Ours")  # at once, without a restart
    blobs = sorted(p.name for p in (MODELS / "blobs").iterdir())
    with server:
        assert sorted(p.name for p in (MODELS / "blobs").iterdir()) == blobs
        check_written(server, gguf, "Ours")  # after its prune
        server.command("cp", "Ours", "theirs")
        tool("remove", MODELS, "ours")
        assert [m["name"] for m in server.ask("/api/tags")["models"]] == ["theirs:latest"]
        check_both(server, "theirs")
        tool("copy", MODELS, "theirs", "me/again:v1")
        server.command("rm", "theirs")
        assert server.ask("/api/show", {"model": "me/again:v1"})["template"] == TEMPLATE
        server.command("rm", "me/again:v1")
        left = list((MODELS / "blobs").iterdir())
        assert not left and gguf.is_file(), left
    check_starting(server, gguf)
    print("what Ollama makes runs here, and what is written here is whole to Ollama")
    return 0


sys.exit(main())
