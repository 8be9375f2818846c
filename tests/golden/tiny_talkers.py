# SPDX-License-Identifier: Apache-2.0
"""Tiny models that have learned a few passages by heart, so that rounding does not change what they say: the best token
leads by far, where a random model's leads by less than bf16 moves its logits."""
import torch

import tiny_tokenizers

STARTS = ("The river", "A letter", "12 + 67", "for (int k", "don't", "Every window opens", "hi there", "no token")
MOST_STEPS, LEAD = 800, 2.0  # of the best logit, at every token


def passages(rng):
    """Each begins with one of STARTS and goes on in an order of its own; plain ASCII."""
    lines = [line for line in tiny_tokenizers.corpus() if line.isascii() and "\n" not in line]
    return [start + " " + " ".join(rng.sample(lines, 4)) for start in STARTS]


def teach(model, tokenizer, rng):
    """Trains model (float32, in place) until it knows the passages; returns their starts."""
    told = [tokenizer.encode(text).ids for text in passages(rng)]
    ids = torch.tensor([t[:min(map(len, told))] for t in told])
    model.train()
    steps = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.0)
    for step in range(MOST_STEPS):
        logits = model(ids[:, :-1], use_cache=False).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        best, order = logits.detach().topk(2)
        sure = (order[..., 0] == ids[:, 1:]) & (best[..., 0] - best[..., 1] > LEAD)
        if sure[:, 3:].all():  # behind the starts: a token learned wrong leads on to text that nobody has learned
            break
        for group in steps.param_groups:
            group["lr"] = 4e-3 * min(1, (step + 1) / 20)
        steps.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        steps.step()
    model.eval()
    assert sure[:, 3:].all(), f"it has not learned: {float(loss)}"
    return STARTS
