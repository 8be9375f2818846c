# SPDX-License-Identifier: Apache-2.0
"""Models that a real Ollama creates from Modelfiles, run by adam straight from its store: the same prompt text as its
runner gets (its trace log tells), as many tokens, and from 16-bit and 32-bit weights the same greedy text: where the
texts part, the two likeliest tokens are a near tie (its runner rounds activations and the KV cache to 16 bits).

    store_prompts_references_test.py [BUILD]      (needs Ollama and SmolLM2's GGUF, tools/get_smollm2.sh; SKIP without)
"""
import json
import os
import pathlib
import re
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from command import BUILD, HOME, adam
from ollama_server import Server, find_ollama, find_smollm2

REQUIRED = os.environ.get("ADAM_REQUIRE_REFERENCES") == "1"
ROOM = pathlib.Path(tempfile.mkdtemp(dir=HOME))
MODELS = ROOM / "models"
N_TOKENS = 24
PLAIN = {"temperature": 0, "repeat_penalty": 1.0, "num_predict": N_TOKENS}

CHAT = ('{{- if .System }}<|im_start|>system\n{{ .System }} (of the store)<|im_end|>\n{{ end }}'
        '{{- range $i, $_ := .Messages }}{{- if ne .Role "system" }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n'
        '{{ end }}{{- end }}<|im_start|>assistant\n')
LEGACY = "{{ if .System }}### System:\n{{ .System }}\n\n{{ end }}### User:\n{{ .Prompt }}\n\n### Response:\n{{ .Response }}\n\n"
EXTRAS = 'SYSTEM """Be brief, and "quote" é."""\nMESSAGE user Hello\nMESSAGE assistant Hi there!\n'
# name, the Modelfile below FROM
MODELFILES = (
    ("bare", ""),
    ("chat", f'TEMPLATE """{CHAT}"""\n{EXTRAS}PARAMETER num_ctx 1024\nLICENSE """Apache-2.0\nSecond line"""\n'),
    ("legacy", f'TEMPLATE """{LEGACY}"""\n{EXTRAS}PARAMETER stop "###"\n'),
    ("me/Own:V1", f'TEMPLATE "{{{{ .Prompt }}}}"\nPARAMETER temperature 0\nPARAMETER stop "."\n'),
)
QUESTION = "What is the capital of France?"
CHATS = (
    [{"role": "user", "content": QUESTION}],
    [{"role": "system", "content": "You are a poet."}, {"role": "user", "content": "Sing."}],
    [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}, {"role": "user", "content": "Go on."},
     {"role": "user", "content": "Please."}],
)


class Log:
    """Prompts as the server's trace log has them."""

    def __init__(self, path):
        self.path, self.at = path, path.stat().st_size if path.exists() else 0

    def prompt(self):
        for _ in range(50):
            with open(self.path, encoding="utf-8") as file:
                file.seek(self.at)
                text = file.read()
            found = [*re.finditer(r'msg="completion request" prompt=("(?:[^"\\]|\\.)*"|\S+)', text)]
            if found:
                self.at += len(text.encode())
                quoted = found[-1].group(1)
                return json.loads(quoted) if quoted.startswith('"') else quoted
            time.sleep(0.05)
        raise AssertionError("no prompt in the log")


def ours(ref, env, *arguments):
    result = adam("run", ref, *arguments, "--json", "--temperature", "0", "--repetition-penalty", "1", "--max-tokens",
                  str(N_TOKENS), "--top-logprobs", "2", env=env)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def rendered(ref, messages, env):
    file = ROOM / "messages.json"
    file.write_text(json.dumps(messages))
    result = adam("template", "-m", ref, "--messages", str(file), env=env)
    assert result.returncode == 0, result.stderr
    return result.stdout.decode()


TIE = 0.15  # nats between the two likeliest tokens


def parted(name, got, theirs):
    """None: the same text. Else how much likelier ours is where theirs goes another way."""
    if got["text"].strip() == theirs.strip():
        return None
    text, theirs = b"", theirs.strip().encode()
    for token in got["logprobs"]["content"]:
        text += bytes(token["bytes"])
        if not theirs.startswith(text.strip()):
            first, second = token["top_logprobs"]
            return first["logprob"] - second["logprob"]
    raise AssertionError((name, got["text"], theirs))  # ours ended, theirs did not


def stored(server, name):
    show = server.ask("/api/show", {"model": name})
    system = [{"role": "system", "content": show["system"]}] if show.get("system") else []
    return show, system, show.get("messages") or []


def check(server, name, log, env, exact):
    """One model: prompts of /api/generate and /api/chat, and answers."""
    ref, margins = f"ollama:{name}", []
    show, system, before = stored(server, name)
    origin = json.loads(adam("show", ref, "--json", env=env).stdout)["origin"]
    # a template that Ollama has of its own when there is no layer of one
    layered = any(l["kind"] == "template" for l in origin["layers"])
    assert origin["template_used"] == ("go" if layered else "jinja"), origin
    assert (origin["template"] == show["template"]) if layered else (origin["template"] is None), (origin, show)
    for i, chat in enumerate(CHATS):
        theirs = server.ask("/api/chat", {"model": name, "messages": chat, "stream": False, "options": PLAIN})
        prompt = log.prompt()
        if not layered:
            continue
        head = system if chat[0]["role"] != "system" else []
        here = rendered(ref, [*head, *before, *chat], env)
        assert here == prompt, (name, i, here, prompt)
        if i == 0:
            got = ours(ref, env, QUESTION)
            assert got["prompt_tokens"] == theirs["prompt_eval_count"], (name, got, theirs)
            margins.append(parted(name, got, theirs["message"]["content"]) if exact else None)
    for given in (None, "You are a poet."):
        body = {"model": name, "prompt": QUESTION, "stream": False, "options": PLAIN, **({"system": given} if given else {})}
        theirs = server.ask("/api/generate", body)
        prompt = log.prompt()
        if not layered:
            continue
        head = [{"role": "system", "content": given}] if given else system
        here = rendered(ref, [*head, *before, {"role": "user", "content": QUESTION}], env)
        assert here == prompt, (name, given, here, prompt)
        got = ours(ref, env, QUESTION, *(["--system", given] if given else []))
        assert got["prompt_tokens"] == theirs["prompt_eval_count"], (name, given, got, theirs)
        margins.append(parted(name, got, theirs["response"]) if exact else None)
    assert all(m is None or m < TIE for m in margins), (name, margins)
    return margins


def main():
    program, gguf = find_ollama(BUILD), find_smollm2()
    if not program or not gguf:
        lacking = "Ollama" if not program else "SmolLM2 (tools/get_smollm2.sh)"
        print(f"{'no' if REQUIRED else 'SKIP: no'} {lacking}")
        return 1 if REQUIRED else 77
    server = Server(program, ROOM, MODELS, OLLAMA_DEBUG="2")
    env = {"OLLAMA_MODELS": str(MODELS), "OLLAMA_HOST": "127.0.0.1:1"}  # whatever runs here asks no server
    n_same = n_texts = 0
    with server:
        log = Log(ROOM / "ollama.log")
        for kind in ("q4_1", "f16", "f32"):
            file = gguf
            if kind != "q4_1":
                file = ROOM / f"{kind}.gguf"
                made = adam("convert", str(gguf), str(file), "--type", kind)
                assert made.returncode == 0, made.stderr
            for name, below in MODELFILES[1:2] if kind == "f32" else MODELFILES:
                (ROOM / "Modelfile").write_text(f"FROM {file}\n{below}", encoding="utf-8")
                server.command("create", name, "-f", str(ROOM / "Modelfile"))
                margins = check(server, name, log, env, kind != "q4_1")
                n_same += sum(m is None for m in margins) if kind != "q4_1" else 0
                n_texts += len(margins) if kind != "q4_1" else 0
                ties = ", ".join(f"{m:.3f}" for m in margins if m is not None)
                print(f"{kind} {name}: the same prompts{f', texts part at ties of {ties} nats' if ties else ''}", flush=True)
                if name == "me/Own:V1":
                    for spelling in ("me/own:v1", "ME/OWN:V1", "registry.ollama.ai/me/Own:V1", "https://registry.ollama.ai/me/own:v1"):
                        assert ours(f"ollama:{spelling}", env, "Hi")["model"] == "ollama:me/Own:V1"
                server.command("rm", name)
            if file != gguf:
                file.unlink()
    print(f"{n_same} of {n_texts} greedy texts of 16 and 32 bits are Ollama's to the last of {N_TOKENS} tokens")
    assert n_same * 3 >= n_texts * 2, (n_same, n_texts)
    return 0


sys.exit(main())
