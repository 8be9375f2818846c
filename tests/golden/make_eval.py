# SPDX-License-Identifier: Apache-2.0
"""What transformers computes for `adam eval`: perplexity by its own guide's sliding window (max_length = ctx, stride),
and against another model the mean KL divergence and top-1 agreement. Makes tests/golden/eval.json.

    python tests/golden/make_eval.py      (needs: torch, transformers)
"""
import json
import os

import torch
import transformers

MODELS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "models")
TEXT = ("The house reads the token. don't WE'LL 12345 + 67\n\n  x = y;\t" * 4 + "naïve café Привет こんにちは 🦆 "
        "<|im_start|>user\nhi<|im_end|>\n" * 2)
# model, the other model, ctx, stride
CASES = [("qwen3-bf16-tied", None, None, None), ("qwen3-bf16-tied", None, 64, None), ("llama-bf16-llama3", None, 50, 20),
         ("qwen3-f32-gqa4", "qwen3moe-f32-old", None, None), ("qwen3moe-f32-old", "qwen3-f32-gqa4", 40, 15),
         ("qwen3-f32-gqa4", "qwen3-f32-gqa4", 100, 60)]


def load(folder):
    """The model in float32 and its tokenizer, read as transformers reads them."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    return model.eval(), transformers.AutoTokenizer.from_pretrained(folder)


def scored(model, ids, ctx, stride):
    """log softmax (n_scored, n_vocab) in float64 where each scored token was predicted, and these tokens."""
    rows, targets, end = [], [], 0
    for begin in range(0, len(ids), stride):
        before, end = end, min(begin + ctx, len(ids))
        first = max(before - begin, 1)
        if end - begin > 1:
            with torch.no_grad():
                logits = model(torch.tensor([ids[begin:end]])).logits[0].double()
            rows.append(torch.log_softmax(logits[first - 1:-1], -1))
            targets += ids[begin + first:end]
        if end == len(ids):
            break
    return torch.cat(rows), torch.tensor(targets)


def evaluate(model, other, ids, ctx=None, stride=None):
    """What adam eval --json prints, and how many tokens were scored."""
    ctx = ctx or model.config.max_position_embeddings  # what the guide takes
    rows, targets = scored(model, ids, ctx, stride or ctx)
    nll = -rows[torch.arange(len(targets)), targets]
    out = {"perplexity": float(nll.mean().exp()), "n_tokens": len(ids), "n_scored": len(targets), "mean_kl": None, "top1": None}
    if other is not None:
        theirs, _ = scored(other, ids, ctx, stride or ctx)
        out["mean_kl"] = float(torch.nn.functional.kl_div(rows, theirs, reduction="batchmean", log_target=True))
        out["top1"] = float((rows.argmax(-1) == theirs.argmax(-1)).double().mean())
    return out


def main():
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    cases = []
    for name, against, ctx, stride in CASES:
        model, tokenizer = load(os.path.join(MODELS, name))
        other = load(os.path.join(MODELS, against))[0] if against else None
        got = evaluate(model, other, tokenizer(TEXT)["input_ids"], ctx, stride)
        cases.append({"model": name, "against": against, "ctx": ctx, "stride": stride, **got})
        print(cases[-1])
    golden = {"made_by": f"transformers {transformers.__version__}, torch {torch.__version__}", "text": TEXT, "cases": cases}
    with open(os.path.join(os.path.dirname(MODELS), "eval.json"), "w", encoding="utf-8") as f:
        json.dump(golden, f, ensure_ascii=False, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()
