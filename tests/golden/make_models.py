# SPDX-License-Identifier: Apache-2.0
"""Makes the tiny random models of tests/golden/models/ and what transformers computes with them.

    python tests/golden/make_models.py [NAME...]   (needs: torch, transformers, tokenizers, gguf, numpy)

models/NAME/ is a model as users have it (a Hugging Face directory or a GGUF) and beside it
golden.json  ids, the prompt and 64 greedy ids of it, texts with their ids, a rendered chat
logits.f32   float32 little-endian (len(ids), n_vocab): logits after each of ids
Weights are read as stored (bf16, f16, dequantised) and computed with in float32, eager attention.
"""
import json
import os
import shutil
import sys
import warnings

import numpy as np
import torch
import transformers
from gguf import GGMLQuantizationType as T
from safetensors.torch import load_file
from transformers import (LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM, PreTrainedTokenizerFast,
                          Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM)

import tiny_families
import tiny_gguf
import tiny_moe
import tiny_prequant
import tiny_tokenizers

LLAMA3 = {"rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0, "low_freq_factor": 1.0,
          "high_freq_factor": 4.0, "original_max_position_embeddings": 64}
YARN = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 32}
N_IDS, N_PROMPT, N_GREEDY = 24, 8, 64
MARGIN = 0.005  # the best logit leads by this at every greedy step, so that rounding cannot change the ids

# name: family, shape (layers, hidden, ffn, heads, kv heads, head_dim, vocab), then what is special.
# hf: dtype of the checkpoint; gguf: type of its matrices, "mixed" = a K-quant mixture.
MODELS = {
    "qwen3-bf16-tied": dict(arch="qwen3", shape=(2, 64, 96, 4, 2, 32, 320), tied=True, hf="bfloat16"),
    "qwen3-f16-old-odd": dict(arch="qwen3", shape=(2, 48, 80, 4, 1, 16, 517), tied=False, hf="float16", old=True,
                              rope={"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.5}),
    "qwen3-f32-gqa4": dict(arch="qwen3", shape=(1, 32, 48, 4, 1, 64, 300), tied=True, hf="float32",
                           rope={"rope_type": "default", "rope_theta": 1e6}),
    "qwen3-bf16-sharded": dict(arch="qwen3", shape=(3, 40, 72, 2, 2, 32, 317), tied=False, hf="bfloat16", shards=3,
                               generation=False),
    "llama-f32-bias-old": dict(arch="llama", shape=(2, 32, 48, 2, 2, 16, 300), tied=False, hf="float32", old=True,
                               bias=True),
    "llama-bf16-llama3": dict(arch="llama", shape=(2, 64, 96, 4, 1, 32, 333), tied=True, hf="bfloat16", rope=LLAMA3),
    "llama-bf16-linear-old": dict(arch="llama", shape=(2, 48, 96, 4, 2, 16, 320), tied=False, hf="bfloat16", old=True,
                                  rope={"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}),
    "llama-f16-bare-llama3-old": dict(arch="llama", shape=(2, 64, 96, 2, 1, 32, 310), tied=True, hf="float16", old=True,
                                      bare=True, rope=LLAMA3),
    "gguf-llama-f32": dict(arch="llama", shape=(1, 32, 64, 2, 1, 32, 300), tied=True, gguf=T.F32, rope=LLAMA3),
    "gguf-qwen3-f16": dict(arch="qwen3", shape=(2, 48, 64, 4, 2, 32, 320), tied=True, gguf=T.F16),
    "gguf-llama-bf16-parts": dict(arch="llama", shape=(2, 48, 64, 4, 2, 16, 320), tied=False, gguf=T.BF16, parts=3,
                                  rope={"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}),
    "gguf-llama-q8_0": dict(arch="llama", shape=(2, 64, 96, 4, 2, 32, 333), tied=False, gguf=T.Q8_0, rope=LLAMA3),
    "gguf-qwen3-q4_0": dict(arch="qwen3", shape=(2, 64, 96, 4, 2, 32, 317), tied=True, gguf=T.Q4_0),
    "gguf-llama-q4_1": dict(arch="llama", shape=(2, 96, 128, 4, 1, 32, 320), tied=True, gguf=T.Q4_1),
    "gguf-qwen3-q5_0": dict(arch="qwen3", shape=(2, 64, 96, 2, 2, 64, 320), tied=False, gguf=T.Q5_0),
    "gguf-llama-q5_1": dict(arch="llama", shape=(2, 64, 96, 4, 4, 16, 320), tied=True, gguf=T.Q5_1, bias=True),
    "gguf-qwen3-k-quants": dict(arch="qwen3", shape=(1, 256, 256, 4, 1, 64, 320), tied=True, gguf="mixed"),
    "gguf-llama-k-quants": dict(arch="llama", shape=(1, 256, 256, 4, 2, 64, 300), tied=False, gguf="mixed", rope=LLAMA3),
    "qwen2-bf16-windows": dict(arch="qwen2", shape=(3, 32, 48, 4, 2, 16, 304), tied=True, hf="bfloat16",
                               set=dict(use_sliding_window=True, sliding_window=7, max_window_layers=1)),
    "qwen2-f16-old": dict(arch="qwen2", shape=(2, 32, 48, 2, 1, 16, 300), tied=False, hf="float16", old=True),
    "gguf-qwen2-q8_0-yarn": dict(arch="qwen2", shape=(2, 64, 96, 4, 2, 16, 301), tied=False, gguf=T.Q8_0, rope=YARN),
    "mistral-bf16-window-old": dict(arch="mistral", shape=(2, 32, 48, 4, 1, 16, 304), tied=False, hf="bfloat16", old=True,
                                    set=dict(sliding_window=6)),
    "mistral-f16-full": dict(arch="mistral", shape=(1, 32, 48, 2, 2, 32, 300), tied=False, hf="float16",
                             set=dict(sliding_window=None)),
    "gguf-mistral-q4_0-window": dict(arch="mistral", shape=(2, 64, 64, 4, 2, 16, 302), tied=False, gguf=T.Q4_0,
                                     set=dict(sliding_window=9)),
    "qwen3-bf16-yarn-old": dict(arch="qwen3", shape=(2, 32, 48, 2, 1, 32, 304), tied=True, hf="bfloat16", old=True,
                                rope=YARN),
}
CLASSES = {"llama": (LlamaConfig, LlamaForCausalLM), "qwen3": (Qwen3Config, Qwen3ForCausalLM),
           "qwen2": (Qwen2Config, Qwen2ForCausalLM), "mistral": (MistralConfig, MistralForCausalLM)}
MODELS.update(tiny_families.MODELS)
MODELS.update(tiny_moe.MODELS)
MODELS.update(tiny_prequant.MODELS)
# At the end, with seeds of their own: the others' come from their place.
MODELS.update({
    "llama-bf16-spm": dict(arch="llama", shape=(2, 32, 48, 4, 2, 16, 460), tied=True, hf="bfloat16", old=True,
                           tokenizer="spm", seed=2001),
    "gguf-llama-q8_0-spm": dict(arch="llama", shape=(2, 32, 64, 4, 1, 16, 460), tied=True, gguf=T.Q8_0, tokenizer="spm",
                                seed=2002),
})


def build(spec, seed):
    """A model whose activations stay near 1, so that every part of the maths shows in the logits."""
    layers, hidden, ffn, heads, kv_heads, head_dim, vocab = spec["shape"]
    common = dict(num_hidden_layers=layers, hidden_size=hidden, intermediate_size=ffn, num_attention_heads=heads,
                  num_key_value_heads=kv_heads, head_dim=head_dim, vocab_size=vocab, max_position_embeddings=512,
                  tie_word_embeddings=spec["tied"], rms_norm_eps=1e-5,
                  rope_parameters=dict(spec.get("rope", {"rope_type": "default", "rope_theta": 10000.0})))
    if spec["arch"] in tiny_families.ARCHS:
        model = tiny_families.new(spec)
    elif spec["arch"] == "qwen3_moe":
        model = tiny_moe.new(spec)
    else:
        if spec["arch"] == "llama":
            common.update(attention_bias=spec.get("bias", False), mlp_bias=spec.get("bias", False))
        config, kind = CLASSES[spec["arch"]]
        model = kind(config(**{**common, **spec.get("set", {})}))
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name.endswith("norm.weight"):
                p.uniform_(0.6, 1.4)
                if spec["arch"] == "gemma2":  # its weights are around 0
                    p.add_(1 if name == "model.norm.weight" else -1)
            elif name.endswith(".bias"):
                p.normal_(0, 0.2)
            elif "embed_tokens" in name and spec["arch"] == "gemma2":
                p.normal_(0, 0.6 / hidden ** 0.5)  # it will be scaled
            elif "embed_tokens" in name:
                p.normal_(0, 0.25 if spec["tied"] else 1.0)
            else:
                p.normal_(0, 1.4 / p.shape[-1] ** 0.5)
    return model.eval()


def load(model, weights):
    """The same model in float32 with the given weights."""
    fresh = type(model)(model.config).float().eval()
    fresh.set_attn_implementation("eager")
    weights = tiny_moe.merge(weights)
    missing, unexpected = fresh.load_state_dict({k: v.float() for k, v in weights.items()}, strict=False)
    assert not unexpected and set(missing) <= {"lm_head.weight"}, (missing, unexpected)
    fresh.tie_weights()
    return fresh


def reference(model, rng, n_text_ids):
    """Random ids, their logits, and a prompt with 64 greedy ids that rounding cannot change."""
    if model.config.model_type == "qwen3_moe":
        ids = tiny_moe.steady_ids(model, rng, N_IDS, n_text_ids)
    else:
        ids = rng.integers(0, n_text_ids, N_IDS).tolist()
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0].float().numpy()
        prompts = torch.from_numpy(rng.integers(0, n_text_ids, (64, N_PROMPT)))
        outs = model.generate(prompts, attention_mask=torch.ones_like(prompts), do_sample=False,
                              max_new_tokens=N_GREEDY, eos_token_id=None, pad_token_id=0)
        assert outs.shape == (64, N_PROMPT + N_GREEDY)
        # The most varied path first; each is checked alone, without cache and batch.
        for out in sorted(outs.tolist(), key=lambda o: -len(set(o[N_PROMPT:]))):
            top = tiny_families.step_logits(model, out)[N_PROMPT - 1:-1].topk(2)
            clear = (top.values[:, 0] - top.values[:, 1]).min() > MARGIN
            if clear and top.indices[:, 0].tolist() == out[N_PROMPT:]:
                return ids, logits, out[:N_PROMPT], out[N_PROMPT:]
    raise RuntimeError("no prompt with a clear greedy path; try another seed")


TEXTS = ["The house reads the token.", "  don't WE'LL 12345 + 67\n\n  x = y;\t", "naïve café Привет こんにちは 🦆",
         "<|im_start|>user\nhi<|im_end|>\n<think>", "<|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|>", ""]
MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What opens the window? "}]


def texts(kind, tokenizer):
    """Ids of some texts, and a chat rendered by transformers, in its own environment."""
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=tiny_tokenizers.KINDS[kind][0], eos_token=tiny_tokenizers.KINDS[kind][1])
    template = tiny_tokenizers.KINDS[kind][3]
    chat = fast.apply_chat_template(MESSAGES, chat_template=template, tokenize=False, add_generation_prompt=True)
    return {"texts": [{"text": t, "ids": tokenizer.encode(t).ids} for t in TEXTS],
            "chat": {"messages": MESSAGES, "text": chat, "ids": tokenizer.encode(chat, add_special_tokens=False).ids}}


def to_old_dialect(path):
    """config.json as transformers 4 wrote it and as the Hub is full of."""
    with open(path) as f:
        config = json.load(f)
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    if "partial_rotary_factor" in rope:
        config["partial_rotary_factor"] = rope.pop("partial_rotary_factor")
    kind = rope.pop("rope_type")
    config["rope_scaling"] = None if kind == "default" else {"type" if kind == "linear" else "rope_type": kind, **rope}
    config["torch_dtype"] = config.pop("dtype")
    config.pop("layer_types", None)
    tiny_families.to_old_dialect(config)
    tiny_moe.to_old_dialect(config)
    config["transformers_version"] = "4.51.3"
    if config["model_type"] in ("qwen2", "qwen3") and not config.get("use_sliding_window"):
        config.update(use_sliding_window=False, sliding_window=None, max_window_layers=config["num_hidden_layers"])
    own = config["model_type"] == "gemma2"  # what it has where these keys are absent is fixed numbers
    if "head_dim" in config and not own and config["head_dim"] * config["num_attention_heads"] == config["hidden_size"]:
        config.pop("head_dim")
    if not own and config["num_key_value_heads"] == config["num_attention_heads"] and config["model_type"] != "qwen3_moe":
        config.pop("num_key_value_heads")
    with open(path, "w") as f:
        json.dump(config, f, indent=2)
        f.write("\n")


def save_hf(folder, model, spec, tokenizer, kind):
    model = model.to(getattr(torch, spec["hf"]))
    bos, turn, end, _ = tiny_tokenizers.KINDS[kind]
    eos, end = tokenizer.token_to_id(turn), tokenizer.token_to_id(end)
    model.config.eos_token_id = eos
    model.config.bos_token_id = end if bos is None else tokenizer.token_to_id(bos)
    model.generation_config.eos_token_id = [eos, end]
    model.generation_config.do_sample = True
    model.generation_config.temperature = 0.6
    model.generation_config.top_k = 20
    model.generation_config.top_p = 0.95
    total = sum(p.numel() * p.element_size() for p in model.parameters())
    source = model.model if spec.get("bare") else model
    source.save_pretrained(folder, max_shard_size=total // spec["shards"] if "shards" in spec else "1GB")
    if spec.get("merged"):
        tiny_moe.save_merged(os.path.join(folder, "model.safetensors"))
    config_path = os.path.join(folder, "config.json")
    if spec.get("old"):
        to_old_dialect(config_path)
    generation = os.path.join(folder, "generation_config.json")
    if not spec.get("generation", True) and os.path.exists(generation):
        os.remove(generation)
    tiny_tokenizers.save(tokenizer, kind, folder, spec.get("old", False))
    weights = {}
    for file in sorted(os.listdir(folder)):
        if file.endswith(".safetensors"):
            weights.update(load_file(os.path.join(folder, file)))
    if spec.get("bare"):
        weights = {"model." + k: v for k, v in weights.items()}
    if "quant" in spec:
        weights = tiny_prequant.convert(folder, spec["quant"], np.random.default_rng(len(weights)))
    return weights


def mixed_type(name):
    """Every K-quant somewhere; o_proj's rows are as long as the heads."""
    order = [T.Q2_K, T.Q3_K, T.Q4_K, T.Q5_K, T.Q6_K]
    if name in ("token_embd.weight", "output.weight"):
        return T.Q6_K if name.startswith("output") else T.Q4_K
    _, layer, role, _ = name.split(".")
    roles = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"]
    role = role.removesuffix("_exps")
    return order[(roles.index(role) + 2 * int(layer)) % 5]


def save_gguf(folder, model, spec, tokenizer, kind, rng):
    type_of = mixed_type if spec["gguf"] == "mixed" else lambda name: spec["gguf"]
    return tiny_gguf.write(os.path.join(folder, "model.gguf"), model, tokenizer, kind, type_of, rng,
                           parts=spec.get("parts", 1), name=spec.get("name", "Tiny " + spec["arch"]), fused=spec.get("fused", False))


def kind_of(spec):
    """Which tokenizer and template a family has here."""
    if "tokenizer" in spec:
        return spec["tokenizer"]
    return "qwen" if spec["arch"] in ("qwen2", "qwen3", "qwen3_moe") else "llama"


def make(root, name, seed):
    spec = MODELS[name]
    folder = os.path.join(root, name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    rng = np.random.default_rng(seed)
    kind = kind_of(spec)
    vocab = spec["shape"][-1]
    n_text_ids = vocab - 3 if vocab % 8 == 0 else vocab  # some models have more rows than tokens
    tokenizer = getattr(tiny_tokenizers, kind + "_like")(n_text_ids)
    model = build(spec, seed)
    if "hf" in spec:
        weights = save_hf(folder, model, spec, tokenizer, kind)
    else:
        weights = save_gguf(folder, model, spec, tokenizer, kind, rng)
    ids, logits, prompt, greedy = reference(load(model, weights), rng, n_text_ids)
    np.ascontiguousarray(logits, "<f4").tofile(os.path.join(folder, "logits.f32"))
    golden = {"made_by": f"transformers {transformers.__version__}, torch {torch.__version__}", "n_vocab": vocab,
              "ids": ids, "prompt_ids": prompt, "greedy_ids": greedy, **texts(kind, tokenizer)}
    with open(os.path.join(folder, "golden.json"), "w", encoding="utf-8") as f:
        json.dump(golden, f, ensure_ascii=False)
        f.write("\n")
    size = sum(os.path.getsize(os.path.join(d, f)) for d, _, files in os.walk(folder) for f in files)
    print(f"{name}: {size} bytes, logits std {logits.std():.2f}, {len(set(greedy))} distinct greedy ids")


def main():
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "models")
    for i, name in enumerate(MODELS):
        if len(sys.argv) == 1 or name in sys.argv[1:]:
            make(root, name, MODELS[name].get("seed", 1000 + i))


if __name__ == "__main__":
    main()
