# SPDX-License-Identifier: Apache-2.0
"""The chat on a pseudo terminal: editing, history, blocks, slash commands, Ctrl-C, Ctrl-D."""
import fcntl
import json
import os
import pathlib
import signal
import struct
import sys
import termios
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from command import HOME, ROOT, Terminal, adam, has_terminals


class Chat(unittest.TestCase):
    def chat(self, *arguments, **env):
        self.terminal = Terminal("run", *arguments, env=env)
        return self.terminal

    def leave(self, how="/bye\n"):
        self.terminal.expect(">>> ")
        self.terminal.send(how)
        self.assertEqual(self.terminal.close(), 0)

    def saved(self, name="chat.json"):
        """The conversation so far, through /save."""
        self.terminal.line(f"/save {name}")
        self.terminal.expect("Saved ")
        return json.loads((HOME / name).read_text())

    def test_turns_are_kept_as_messages(self):
        chat = self.chat("mock:echo", "--system", "Be brief.")
        chat.expect("/help lists the commands")
        chat.line("hello wörld")
        chat.expect("hello wörld\r\n")  # what was typed
        chat.expect("hello wörld\r\n")  # the answer
        chat.line('"""first')
        chat.expect("... ")
        chat.send("second\n")
        chat.expect("... ")
        chat.send('"""\n')
        chat.expect("first\r\nsecond\r\n")
        messages = self.saved()
        self.assertEqual(messages, [{"role": "system", "content": "Be brief."},
                                    {"role": "user", "content": "hello wörld"}, {"role": "assistant", "content": "hello wörld"},
                                    {"role": "user", "content": "first\nsecond"}, {"role": "assistant", "content": "first\nsecond"}])
        self.assertEqual((HOME / "chat.json").stat().st_mode & 0o777, 0o600)
        chat.line("/clear")
        self.assertEqual(self.saved("empty.json"), messages[:1])
        chat.line("/load chat.json")
        chat.expect("Loaded 5 messages")
        self.assertEqual(self.saved("again.json"), messages)
        self.leave()

    def test_settings(self):
        chat = self.chat("mock:random=40")
        chat.line("/set parameter max_tokens 6")
        chat.line("/set parameter seed 5")
        chat.line("/set verbose")
        chat.line("one")
        chat.expect("answer:       6 tokens")
        chat.expect("seed 5")
        chat.line("/set quiet")
        chat.line("/set parameter num_predict 3")
        chat.line("two")
        chat.line("/stats")
        chat.expect("answer:       3 tokens")
        chat.line("/set parameter temperature 1000")
        chat.expect("a number from 0 to 100")
        chat.line("/set parameter colour blue")
        chat.expect("Unknown parameter colour")
        chat.line("/set parameter stop X Y")
        chat.line("/set system You are a bird.")
        chat.line("/system")
        chat.expect("You are a bird.\r\n")
        self.assertEqual(self.saved()[0], {"role": "system", "content": "You are a bird."})
        chat.line("/set parameter")
        chat.expect("Usage: /set parameter")
        chat.line("/sve x")
        chat.expect("Did you mean /save?")
        chat.line("/help")
        chat.expect("/load FILE")
        self.leave("/exit\n")

    def test_stop_text(self):
        chat = self.chat("mock:say=one two three")
        chat.line("/set parameter stop  three")
        chat.line("q")
        chat.expect("one two")
        self.assertEqual(self.saved()[1]["content"].rstrip(), "one two")
        self.leave()

    def test_control_c_stops_the_answer_and_not_the_program(self):
        chat = self.chat("mock:say=0123456789;delay_ms=200")
        chat.line("go")
        chat.expect("012")
        chat.send("\x03")
        chat.expect(">>> ")
        chat.send("\x03")
        chat.expect("/bye leaves the chat")
        chat.expect(">>> ")
        chat.send("half a line")
        chat.expect("half a line")
        chat.send("\x03")
        before = chat.expect(">>> ")
        self.assertNotIn("leaves", before)
        chat.send("/save part.json\n")
        chat.expect("Saved 2 messages")
        answer = json.loads((HOME / "part.json").read_text())[1]["content"]
        self.assertTrue("0123456789".startswith(answer) and 3 <= len(answer) < 10, answer)
        chat.line('"""block')
        chat.expect("... ")
        chat.send("\x03")
        chat.expect("(dropped)")
        self.leave()

    def test_what_is_typed_ahead_is_kept(self):
        chat = self.chat("mock:say=0123456789;delay_ms=50")
        chat.line("go")
        chat.expect("012")
        chat.send("/save ahead.json\n\x04")  # Ctrl-D behind it ends the chat
        chat.expect("Saved 2 messages")
        self.assertEqual(chat.close(), 0)
        self.assertEqual(json.loads((HOME / "ahead.json").read_text())[1]["content"], "0123456789")

    def test_keys_at_the_instant_of_the_prompt(self):
        for _ in range(20):
            chat = self.chat("mock:echo")
            chat.expect(">>> ")
            chat.send("\x03")
            chat.expect("/bye leaves the chat")
            chat.expect(">>> ")
            chat.send("\x04")
            self.assertEqual(chat.close(), 0)

    def test_every_way_out_gives_the_terminal_back(self):
        master, slave = os.openpty()
        fresh = termios.tcgetattr(slave)[:4]
        os.close(slave)
        os.close(master)
        for end in (signal.SIGTERM, signal.SIGHUP):
            chat = self.chat("mock:say=0123456789;delay_ms=200")
            chat.line("go")
            chat.expect("012")
            self.assertFalse(termios.tcgetattr(chat.file)[3] & termios.ECHO)
            os.kill(chat.pid, end)
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(chat.pid, 0)[1]), -end)
            self.assertEqual(termios.tcgetattr(chat.file)[:4], fresh)
        self.chat("mock:echo")
        self.leave()

    def test_history_is_private_and_kept(self):
        chat = self.chat("mock:echo")
        chat.line("remember me")
        self.leave()
        history = HOME / "data" / "adam" / "chat_history"
        self.assertEqual(history.stat().st_mode & 0o777, 0o600)
        self.assertIn("remember", history.read_text())
        chat = self.chat("mock:echo")
        chat.expect(">>> ")
        chat.send("\x1b[A\x1b[A")  # past /bye to the line before it
        chat.expect("remember me")
        chat.send("\n")
        chat.expect("remember me\r\n")
        self.leave()

    def test_a_resized_window_and_a_stop_keep_what_was_typed(self):
        chat = self.chat("mock:echo")
        chat.expect(">>> ")
        chat.send("abc")
        chat.expect("abc")
        fcntl.ioctl(chat.file, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
        time.sleep(0.2)
        os.kill(chat.pid, signal.SIGSTOP)
        os.kill(chat.pid, signal.SIGCONT)
        time.sleep(0.2)
        chat.send("def\n")
        chat.expect("\nabcdef\r\n")
        self.leave()

    def test_files_that_cannot_be_loaded(self):
        (HOME / "bad.json").write_text('[{"role": "user"')
        (HOME / "odd.json").write_text('[{"content": "x"}]')
        chat = self.chat("mock:echo")
        for name, says in (("bad.json", "line 1"), ("odd.json", "no role"), ("none.json", "No such file")):
            chat.line(f"/load {name}")
            chat.expect(says)
        chat.line("/save none/x.json")
        chat.expect("No such file")
        chat.line("hi")
        self.assertEqual(len(self.saved()), 2, "the conversation is as it was")
        self.leave()

    def test_a_failed_answer_leaves_no_turn(self):
        chat = self.chat("mock:say=abc;fail_at=1;error_text=it broke")
        chat.line("hi")
        chat.expect("it broke")
        self.assertEqual(self.saved(), [])
        self.leave()

    def test_thinking_is_dimmed_where_colours_are_wanted(self):
        chat = self.chat("mock:think=hmm;say=Yes.")
        chat.line("q")
        chat.expect("\x1b[2mhmm\x1b[0m")
        chat.expect("Yes.")
        self.leave()
        chat = self.chat("mock:think=hmm;say=Yes.", NO_COLOR="1")
        chat.line("q")
        chat.expect("[thinking]\r\nhmm\r\n[answer]\r\nYes.")
        self.leave()

    def test_thinking_can_be_hidden(self):
        chat = self.chat("mock:think=hmm;say=Yes.", "--hide-thinking")
        chat.line("q")
        self.assertNotIn("hmm", chat.expect("Yes."))
        self.leave()

    def test_without_a_terminal_there_is_no_chat(self):
        for option in ("--json", "--raw", "--no-stream"):
            terminal = Terminal("run", "mock:echo", option)
            self.assertEqual(terminal.close(), 2)
            self.assertIn(b"needs a PROMPT", terminal.shown)
        self.assertEqual(adam("run", "mock:echo", stdin=b"piped").stdout, b"piped\n")

    def test_the_model_that_ships(self):
        if not (ROOT / "models" / "demo" / "config.json").exists():
            self.skipTest("models/demo is not here")
        chat = self.chat("demo", "--temperature", "0", "--max-tokens", "16")
        chat.line("How do I list my models?")
        chat.line("And how do I chat?")
        chat.line("/stats")
        chat.expect("tokens/s")
        messages = self.saved()
        self.assertEqual([m["role"] for m in messages], ["user", "assistant"] * 2)
        self.leave()


if __name__ == "__main__":
    if not has_terminals():
        print("SKIP: no pseudo terminals here")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1], verbosity=1)
