# SPDX-License-Identifier: Apache-2.0
"""Writes sampler.json: what transformers' logits processors keep of random rows, and the probabilities.

    python tests/golden/make_sampler.py [OUT]      (needs torch and transformers)

Scores are integers over 64, so that they are exact in float32 and small in the file; a coarse grid gives
many ties. Presence and frequency follow vLLM's apply_penalties. Cases in which float32 rounding could
decide what is kept (a cumulative sum within 2e-6 of the top-p border, a ratio as near to min-p) are drawn
again, except where the border is exact in binary.
"""
import json
import pathlib
import random
import sys

import torch
from transformers.generation.logits_process import (
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

GRID = 64


def too_near(scores, top_p, min_p, exact):
    """True when rounding could change the answer of top-p or min-p over these float32 scores."""
    finite = scores[torch.isfinite(scores)].double()
    if top_p < 1 and not exact:
        probabilities = torch.softmax(finite, -1).sort().values.cumsum(-1)
        if ((probabilities - (1 - top_p)).abs() < 2e-6).any():
            return True
    if min_p > 0:
        ratio = torch.exp(finite - finite.max())
        if ((ratio - min_p).abs() < 2e-6 * min_p).any():
            return True
    return False


def run(case, exact=False):
    scores = torch.tensor([case["scores"]], dtype=torch.float32) / GRID
    history = torch.tensor([case["prompt"] + case["output"]], dtype=torch.long)
    if case["repetition"] != 1 and history.numel():
        scores = RepetitionPenaltyLogitsProcessor(case["repetition"])(history, scores)
    counts = torch.bincount(torch.tensor(case["output"], dtype=torch.long), minlength=scores.shape[1])[None]
    scores = scores - case["frequency"] * counts
    scores = scores - case["presence"] * (counts > 0)
    if case["temperature"] == 0:
        return {"greedy": int(scores.argmax())}
    if case["temperature"] != 1:
        scores = TemperatureLogitsWarper(case["temperature"])(history, scores)
    if case["top_k"]:
        scores = TopKLogitsWarper(case["top_k"])(history, scores)
    if too_near(scores[0], case["top_p"], case["min_p"], exact):
        return None
    if case["top_p"] < 1:
        scores = TopPLogitsWarper(case["top_p"])(history, scores)
    if case["min_p"] > 0:
        scores = MinPLogitsWarper(case["min_p"])(history, scores)
    probabilities = torch.softmax(scores, -1)[0]
    ids = torch.isfinite(scores[0]).nonzero().flatten().tolist()
    return {"ids": ids, "p": [float(f"{probabilities[i]:.9g}") for i in ids]}


def draw(rng, number):
    n = rng.choice([1, 2, 5, 17, 33, 64, 100, 257])
    spread = rng.choice([0.5, 2, 4, 8])
    step = rng.choice([1, 1, 16, 64])  # a coarse grid has many ties
    scores = [round(rng.gauss(0, spread) * GRID / step) * step for _ in range(n)]
    history = [rng.randrange(n) for _ in range(rng.choice([0, 3, 12]))]
    cut = rng.randrange(len(history) + 1)
    off = number % 4 == 0
    return {
        "scores": scores,
        "prompt": history[:cut],
        "output": history[cut:],
        "repetition": rng.choice([1, 1, 1.1, 1.3, 0.8]),
        "presence": 0 if off else rng.choice([0, 0, 0.5, 1.5, -0.25]),
        "frequency": 0 if off else rng.choice([0, 0, 0.125, 0.7]),
        "temperature": 0 if number % 10 == 9 else rng.choice([1, 0.7, 0.25, 1.5]),
        "top_k": rng.choice([0, 0, 1, 3, 10, 40, 1000]),
        "top_p": rng.choice([1, 0.9, 0.5, 0.95, 0.1, 0.999]),
        "min_p": rng.choice([0, 0, 0.05, 0.3]),
    }


def main():
    rng = random.Random(20)
    cases = []
    plain = {"prompt": [], "output": [], "repetition": 1, "presence": 0, "frequency": 0, "temperature": 1,
             "top_k": 0, "top_p": 1, "min_p": 0}
    # exact borders and ties: equal scores, top-p on a power of two; which of the equals stays
    for n, top_p in [(4, 0.5), (4, 0.75), (8, 0.5), (8, 0.125), (16, 0.25), (32, 0.5)]:
        case = dict(plain, scores=[0] * n, top_p=top_p)
        cases.append(dict(case, **run(case, exact=True)))
    for top_k in (1, 2, 3):
        case = dict(plain, scores=[64, 128, 128, 0, 128, 64], top_k=top_k)
        cases.append(dict(case, **run(case)))
    while len(cases) < 260:
        case = draw(rng, len(cases))
        answer = run(case)
        if answer is not None:
            cases.append(dict(case, **answer))
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("sampler.json")
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    out.write_text('{"grid":%d,"cases":[\n%s\n]}\n' % (GRID, lines))


if __name__ == "__main__":
    main()
