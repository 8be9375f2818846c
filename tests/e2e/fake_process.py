# SPDX-License-Identifier: Apache-2.0
"""A fake of a vendor's server, running."""
import json
import pathlib
import subprocess
import sys
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent


class Fake:
    """Fake("openai", owner="vllm"): fake_openai.py with these settings."""

    def __init__(self, name, **settings):
        self.process = subprocess.Popen([sys.executable, str(HERE / f"fake_{name}.py"),
                                         *(f"{key}={value}" for key, value in settings.items())],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}"

    def state(self):
        with urllib.request.urlopen(f"{self.url}/test/state") as answer:
            return json.load(answer)

    def last(self, ending):
        """(headers, body) of the last request whose path ends so."""
        return next((headers, body) for path, headers, body in reversed(self.state()["seen"]) if path.endswith(ending))

    def stop(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
