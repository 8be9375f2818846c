# SPDX-License-Identifier: Apache-2.0
"""What the tests of the command share: a private home, and ways to run adam with pipes or on a terminal."""
import os
import pathlib
import pty
import select
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build").resolve()
ADAM = str(BUILD / "adam")

_home = tempfile.TemporaryDirectory(prefix="adam-test-")
HOME = pathlib.Path(_home.name)


def environment(**more):
    """No setting of the machine reaches the program under test."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "ADAM_", "XDG_", "OLLAMA_", "OPENAI_", "ANTHROPIC_", "NO_COLOR"))}
    for name in ("cache", "data", "config"):
        env[f"XDG_{name.upper()}_HOME"] = str(HOME / name)
    # ADAM_SHARE_DIR: build folders below build/ do not lie beside models/.
    env.update(HOME=str(HOME), LC_ALL="C.UTF-8", TERM="xterm", ADAM_SHARE_DIR=str(ROOT), **more)
    return env


def adam(*arguments, stdin=b"", env=None, timeout=120, **more):
    """Runs adam with pipes; stdin: bytes, or a file."""
    given = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}
    more.setdefault("stdout", subprocess.PIPE)
    return subprocess.run([ADAM, *map(os.fsencode, arguments)], stderr=subprocess.PIPE, env=environment(**(env or {})),
                          cwd=HOME, timeout=timeout, **given, **more)


def has_terminals():
    """False in the rare sandbox that has no pseudo terminals."""
    try:
        for file in os.openpty():
            os.close(file)
        return True
    except OSError:
        return False


class Terminal:
    """adam on a pseudo terminal: send what is typed, wait for what is shown."""

    def __init__(self, *arguments, env=None):
        self.shown = b""
        self.pid, self.file = pty.fork()
        if self.pid == 0:
            os.chdir(HOME)
            os.execve(ADAM, [ADAM, *arguments], environment(**(env or {})))

    def _read(self, seconds):
        if not select.select([self.file], [], [], seconds)[0]:
            return False
        try:
            got = os.read(self.file, 65536)
        except OSError:  # the other side is closed
            return None
        self.shown += got
        return bool(got) or None

    def expect(self, text, timeout=60):
        """Waits until text is shown after what earlier calls found, and returns what came before it."""
        wanted, end = text.encode(), time.monotonic() + timeout
        while wanted not in self.shown:
            left = end - time.monotonic()
            if left <= 0 or self._read(left) is None:
                raise AssertionError(f"{text!r} was not shown; shown: {self.shown!r}")
        before, _, self.shown = self.shown.partition(wanted)
        return before.decode(errors="replace")

    def send(self, text):
        os.write(self.file, text.encode())

    def line(self, text):
        """Types a line when the prompt is there."""
        self.expect(">>> ")
        self.send(text + "\n")

    def close(self, timeout=60):
        """Reads to the end; returns the exit code."""
        end = time.monotonic() + timeout
        while time.monotonic() < end and self._read(1) is not None:
            pass
        os.close(self.file)
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        while pid == 0:
            if time.monotonic() > end:
                os.kill(self.pid, signal.SIGKILL)
            time.sleep(0.02)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status)
