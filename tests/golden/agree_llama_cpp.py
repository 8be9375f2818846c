# SPDX-License-Identifier: Apache-2.0
"""How often adam's and llama.cpp's best next token agree over a text, both reading the same ids.

    python tests/golden/agree_llama_cpp.py ADAM MODEL.gguf TEXT.txt [N_TOKENS]    (needs llama-cpp-python, numpy)

Prints one JSON object: tokens compared, share of positions with the same best token, the share that llama.cpp
has with itself when its flash attention is switched (its rounding of activations to 8 bits decides near ties
either way: that is the most that can be asked), mean and largest difference of the log-probabilities of the
text's own tokens. Exit code 1 when adam's share is under 97 % and more than two points under llama.cpp's own.
"""
import ctypes
import json
import pathlib
import subprocess
import sys
import tempfile

import llama_cpp
import numpy as np


QUIET = llama_cpp.llama_log_callback(lambda *_: None)  # lives as long as the library may call it


def peer(path, text, limit, flash):
    """Ids of the text and llama.cpp's logits (n_ids, n_vocab) after each."""
    llama_cpp.llama_log_set(QUIET, None)
    model = llama_cpp.Llama(path, n_ctx=limit + 8, n_batch=limit + 8, logits_all=True, n_gpu_layers=0, verbose=False,
                            flash_attn=flash)
    ids = model.tokenize(text.encode(), add_bos=False, special=False)[:limit]
    model.eval(ids)
    pointer = ctypes.cast(llama_cpp.llama_get_logits(model.ctx), ctypes.POINTER(ctypes.c_float))
    return ids, np.ctypeslib.as_array(pointer, shape=(len(ids), model.n_vocab())).copy()


def ours(adam, path, ids):
    with tempfile.TemporaryDirectory() as folder:
        out, file = pathlib.Path(folder, "logits.npy"), pathlib.Path(folder, "ids")
        file.write_text(",".join(map(str, ids)))
        subprocess.run([adam, "score", "-m", path, "--ids", f"@{file}", "--logits", str(out)], check=True,
                       stdout=subprocess.DEVNULL)
        return np.load(out)


def logprobs(logits, ids):
    logits = logits.astype(np.float64)
    logits -= logits.max(-1, keepdims=True)
    logits -= np.log(np.exp(logits).sum(-1, keepdims=True))
    return logits[np.arange(len(ids) - 1), ids[1:]]


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    adam, path, text = sys.argv[1:4]
    text, limit = pathlib.Path(text).read_text(encoding="utf-8"), int(sys.argv[4]) if len(sys.argv) > 4 else 300
    ids, theirs = peer(path, text, limit, False)
    _, switched = peer(path, text, limit, True)
    mine = ours(adam, path, ids)
    same = float((mine.argmax(-1) == theirs.argmax(-1)).mean())
    itself = float((switched.argmax(-1) == theirs.argmax(-1)).mean())
    off = np.abs(logprobs(mine, ids) - logprobs(theirs, ids))
    print(json.dumps({"n_tokens": len(ids), "top1_agreement": same, "llama_cpp_with_itself": itself,
                      "logprob_difference_mean": float(off.mean()),
                      "logprob_difference_max": float(off.max())}))
    sys.exit(same < min(0.97, itself - 0.02))


if __name__ == "__main__":
    main()
