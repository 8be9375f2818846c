# SPDX-License-Identifier: Apache-2.0
"""Small random embedding models and rerankers, as users have them: sentence-transformers directories in the layouts
of version 2 to 5 ("old") and 6 ("new"), cross-encoders, and GGUF files of encoders.

    build(folder, SPEC, seed)  writes the model of a SPEC of MODELS
"""
import json
import os

import gguf
import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

import tiny_tokenizers

WORDS = ("the a of house model token river stone garden window letter reads writes opens closes world hello text is it "
         "king queen llama runs play ##ing ##ed ##s ##er un ##believ ##able")
CHARS = "abcdefghijklmnopqrstuvwxyz0123456789.,!?;:'\"()-[]<>/=+中文句子日本語のテキストприветмир"
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]

# arch; shape (layers, hidden, ffn, heads, positions); layout: old, new (sentence-transformers writes it), none (no
# modules.json); pooling: names; then what is special.
MODELS = {
    "bert-f32-old-mean": dict(arch="bert", shape=(2, 32, 64, 4, 64), dtype="float32", layout="old", pooling=["mean"],
                              normalize=True, max_seq_length=24),
    "bert-bf16-new-cls": dict(arch="bert", shape=(2, 48, 80, 3, 64), dtype="bfloat16", layout="new", pooling=["cls"],
                              normalize=True),
    "bert-f16-all-poolings": dict(arch="bert", shape=(1, 32, 48, 2, 64), dtype="float16", layout="old", pooling=[
        "cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"], dense=(24, "Tanh")),
    "bert-f32-new-two-poolings": dict(arch="bert", shape=(2, 32, 48, 4, 64), dtype="float32", layout="new",
                                      pooling=["max", "lasttoken"], dense=(40, "Identity"), normalize=True),
    "bert-f32-prompts": dict(arch="bert", shape=(2, 32, 48, 4, 96), dtype="float32", layout="old", pooling=["weightedmean"],
                             include_prompt=False, normalize=True,
                             prompts={"query": "hello world: ", "document": ""}, default_prompt="query"),
    "bert-f32-subfolder-norm": dict(arch="bert", shape=(2, 32, 48, 4, 64), dtype="float32", layout="old", pooling=["mean"],
                                    below="0_Transformer", layer_norm=True, lower_case=True, cased=True),
    "bert-gelu-new-gamma": dict(arch="bert", shape=(2, 32, 48, 4, 64), dtype="float32", layout="none", act="gelu_new",
                                gamma=True),
    "roberta-f32-old": dict(arch="roberta", shape=(2, 32, 48, 4, 66), dtype="float32", layout="old", pooling=["mean"],
                            normalize=True),
    "nomic-bf16-new": dict(arch="nomic", shape=(2, 32, 48, 2, 96), dtype="bfloat16", layout="new", pooling=["mean"],
                           normalize=True),
    "nomic-f32-gpt2-keys": dict(arch="nomic", shape=(2, 48, 64, 3, 128), dtype="float32", layout="old", pooling=["mean"],
                                gpt2_keys=True, theta=1000.0),
    "qwen3-bf16-old-last": dict(arch="qwen3", shape=(2, 48, 64, 4, 128), dtype="bfloat16", layout="old",
                                pooling=["lasttoken"], normalize=True,
                                prompts={"query": "Instruct: find it\nQuery:", "document": ""}),
    "qwen3-f32-new-mean": dict(arch="qwen3", shape=(2, 32, 48, 4, 700), dtype="float32", layout="new", pooling=["mean"]),
}
RERANKERS = {
    "cross-bert-f32": dict(arch="bert", shape=(2, 32, 48, 4, 64), dtype="float32", typed=True),
    "cross-bert-bf16-identity": dict(arch="bert", shape=(2, 48, 64, 4, 48), dtype="bfloat16", identity=True),
    "cross-roberta-f32": dict(arch="roberta", shape=(2, 32, 48, 4, 66), dtype="float32"),
}


def wordpiece(cased):
    vocab = SPECIALS + sorted(set(WORDS.split()) | set(CHARS) | {"##" + c for c in CHARS if c.isalnum()}
                              | (set("ABCDEFGHIJKLMNOPQRSTUVWXYZ") if cased else set()))
    ids = {t: i for i, t in enumerate(vocab)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.add_special_tokens(SPECIALS)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=not cased)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])])
    return tokenizer


def byte_bpe(roberta):
    tokenizer = tiny_tokenizers.qwen_like(330)
    end = "<|endoftext|>"
    if roberta:
        tokenizer.post_processor = processors.RobertaProcessing(
            ("<|im_end|>", tokenizer.token_to_id("<|im_end|>")), ("<|im_start|>", tokenizer.token_to_id("<|im_start|>")),
            add_prefix_space=False)
    else:
        tokenizer.post_processor = processors.Sequence([
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(single=f"$A:0 {end}:0", pair=f"$A:0 {end}:0 $B:1 {end}:1",
                                          special_tokens=[(end, tokenizer.token_to_id(end))])])
    return tokenizer


def tokenizer_of(spec):
    if spec["arch"] in ("bert", "nomic"):
        return wordpiece(spec.get("cased", False))
    return byte_bpe(spec["arch"] == "roberta")


def fast_tokenizer(spec, limit):
    tokenizer = tokenizer_of(spec)
    if spec["arch"] in ("bert", "nomic"):
        names = dict(pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]")
    else:
        names = dict(pad_token="<|endoftext|>", eos_token="<|endoftext|>")
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=limit, **names)


def scramble(model, seed):
    """Weights at which every part of the maths shows in the result."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            lower = name.lower()
            if ("norm" in lower or "emb_ln" in lower) and name.endswith("weight"):
                p.uniform_(0.6, 1.4)
            elif name.endswith("bias"):
                p.normal_(0, 0.2)
            elif "embed" in lower:
                p.normal_(0, 1.0)
            else:
                p.normal_(0, 1.4 / p.shape[1] ** 0.5)
    return model.eval()


def transformer(spec, n_vocab, classifier=False):
    layers, hidden, ffn, heads, positions = spec["shape"]
    common = dict(vocab_size=n_vocab, hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads,
                  intermediate_size=ffn, max_position_embeddings=positions)
    if spec["arch"] == "bert":
        config = transformers.BertConfig(hidden_act=spec.get("act", "gelu"), num_labels=1 if classifier else 2, **common)
        kind = transformers.BertForSequenceClassification if classifier else transformers.BertModel
    elif spec["arch"] == "roberta":
        config = transformers.RobertaConfig(type_vocab_size=1, pad_token_id=1, num_labels=1 if classifier else 2, **common)
        kind = transformers.RobertaForSequenceClassification if classifier else transformers.RobertaModel
    elif spec["arch"] == "nomic":
        config = transformers.NomicBertConfig(
            rope_parameters={"rope_type": "default", "rope_theta": spec.get("theta", 500.0)}, **common)
        kind = transformers.NomicBertModel
    else:
        config = transformers.Qwen3Config(num_key_value_heads=heads // 2, head_dim=16, tie_word_embeddings=True, **common)
        kind = transformers.Qwen3Model
    return kind(config)


def write(folder, name, value):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
        json.dump(value, f, ensure_ascii=False, indent=1)


def to_gpt2_keys(folder):
    """config.json as nomic-ai's repositories have it."""
    path = os.path.join(folder, "config.json")
    with open(path) as f:
        c = json.load(f)
    write(folder, "config.json", {
        "activation_function": "swiglu", "architectures": ["NomicBertModel"], "attn_pdrop": 0.0, "causal": False,
        "dense_seq_output": True, "layer_norm_epsilon": c["layer_norm_eps"], "max_trained_positions": 2048,
        "mlp_fc1_bias": False, "mlp_fc2_bias": False, "model_type": "nomic_bert", "n_embd": c["hidden_size"],
        "n_head": c["num_attention_heads"], "n_inner": c["intermediate_size"], "n_layer": c["num_hidden_layers"],
        "n_positions": c["max_position_embeddings"], "pad_vocab_size_multiple": 64, "parallel_block": False,
        "prenorm": False, "qkv_proj_bias": False, "rotary_emb_base": c["rope_parameters"]["rope_theta"],
        "rotary_emb_fraction": 1.0, "rotary_emb_interleaved": False, "rotary_emb_scale_base": None,
        "rotary_scaling_factor": None, "torch_dtype": "float32", "type_vocab_size": c["type_vocab_size"],
        "use_rms_norm": False, "vocab_size": c["vocab_size"]})


def to_gamma(folder):
    """The norms' names of the first BERT checkpoints."""
    path = os.path.join(folder, "model.safetensors")
    weights = {"bert." + k.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): v
               for k, v in load_file(path).items()}
    save_file(weights, path, metadata={"format": "pt"})


FLAGS = {"cls": "cls_token", "max": "max_tokens", "mean": "mean_tokens", "mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
         "weightedmean": "weightedmean_tokens", "lasttoken": "lasttoken"}


def write_old(folder, spec):
    """modules.json and its folders as version 2 to 5 wrote them."""
    width = spec["shape"][1]
    modules = [("Transformer", spec.get("below", "")), ("Pooling", "1_Pooling")]
    write(os.path.join(folder, "1_Pooling"), "config.json",
          {"word_embedding_dimension": width, "include_prompt": spec.get("include_prompt", True),
           **{"pooling_mode_" + flag: name in spec["pooling"] for name, flag in FLAGS.items()}})
    n = width * len(spec["pooling"])
    if "dense" in spec:
        n_out, act = spec["dense"]
        path = os.path.join(folder, "2_Dense")
        package = "linear" if act == "Identity" else "activation"
        write(path, "config.json", {"in_features": n, "out_features": n_out, "bias": True,
                                    "activation_function": f"torch.nn.modules.{package}.{act}"})
        save_file({"linear.weight": torch.randn(n_out, n) * 0.3, "linear.bias": torch.randn(n_out)},
                  os.path.join(path, "model.safetensors"))
        modules.append(("Dense", "2_Dense"))
        n = n_out
    if spec.get("layer_norm"):
        path = os.path.join(folder, "2_LayerNorm")
        write(path, "config.json", {"dimension": n})
        save_file({"norm.weight": torch.rand(n) + 0.5, "norm.bias": torch.randn(n)}, os.path.join(path, "model.safetensors"))
        modules.append(("LayerNorm", "2_LayerNorm"))
    if spec.get("normalize"):
        modules.append(("Normalize", f"{len(modules)}_Normalize"))
        os.makedirs(os.path.join(folder, modules[-1][1]), exist_ok=True)
    write(folder, "modules.json", [{"idx": i, "name": str(i), "path": path, "type": "sentence_transformers.models." + kind}
                                   for i, (kind, path) in enumerate(modules)])
    write(folder, "config_sentence_transformers.json",
          {"__version__": {"sentence_transformers": "2.2.2"}, "prompts": spec.get("prompts", {}),
           "default_prompt_name": spec.get("default_prompt"), "similarity_fn_name": None})
    if "max_seq_length" in spec or spec.get("lower_case"):
        write(os.path.join(folder, spec.get("below", "")), "sentence_bert_config.json",
              {"max_seq_length": spec.get("max_seq_length"), "do_lower_case": spec.get("lower_case", False)})


def write_new(folder, plain, spec):
    """The same by sentence-transformers itself."""
    import sentence_transformers
    from sentence_transformers import models as parts
    width = spec["shape"][1]
    pooling = spec["pooling"][0] if len(spec["pooling"]) == 1 else spec["pooling"]
    chain = [parts.Transformer(plain), parts.Pooling(width, pooling)]
    n = width * len(spec["pooling"])
    if "dense" in spec:
        n_out, act = spec["dense"]
        dense = parts.Dense(n, n_out, activation_function=getattr(torch.nn, act)())
        with torch.no_grad():
            dense.linear.weight.normal_(0, 0.3)
            dense.linear.bias.normal_(0, 1)
        chain.append(dense)
    if spec.get("normalize"):
        chain.append(parts.Normalize())
    sentence_transformers.SentenceTransformer(modules=chain, device="cpu").save_pretrained(folder)


def save_transformer(folder, spec, seed, classifier=False):
    positions = spec["shape"][4]
    fast = fast_tokenizer(spec, 10 ** 30 if spec["arch"] == "qwen3" else positions - 2 if spec["arch"] == "roberta"
                          else positions)
    model = scramble(transformer(spec, len(fast) + 3, classifier), seed).to(getattr(torch, spec["dtype"]))
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    if spec.get("typed"):
        path = os.path.join(folder, "tokenizer_config.json")
        with open(path) as f:
            write(folder, "tokenizer_config.json",
                  {**json.load(f), "model_input_names": ["input_ids", "token_type_ids", "attention_mask"]})
    if spec.get("gpt2_keys"):
        to_gpt2_keys(folder)
    if spec.get("gamma"):
        to_gamma(folder)
    return model


def build(folder, spec, seed):
    torch.manual_seed(seed + 1)
    if spec["layout"] == "new":
        plain = folder + "-plain"
        model = save_transformer(plain, spec, seed)
        write_new(folder, plain, spec)
        return model
    model = save_transformer(os.path.join(folder, spec.get("below", "")), spec, seed)
    if spec["layout"] == "old":
        write_old(folder, spec)
    return model


def build_reranker(folder, spec, seed):
    model = save_transformer(folder, spec, seed, classifier=True)
    if spec.get("identity"):
        path = os.path.join(folder, "config.json")
        with open(path) as f:
            config = json.load(f)
        config["sentence_transformers"] = {"activation_fn": "torch.nn.modules.linear.Identity", "version": "4.1.0"}
        write(folder, "config.json", config)
    return model


BERT_NAMES = {
    "attention.self.query": "attn_q", "attention.self.key": "attn_k", "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output", "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up", "output.dense": "ffn_down", "output.LayerNorm": "layer_output_norm",
    "attn.Wqkv": "attn_qkv", "attn.out_proj": "attn_output", "norm1": "attn_output_norm", "mlp.fc11": "ffn_up",
    "mlp.fc12": "ffn_gate", "mlp.fc2": "ffn_down", "norm2": "layer_output_norm",
}


def encoder_gguf_name(name):
    top = {"embeddings.word_embeddings": "token_embd", "embeddings.position_embeddings": "position_embd",
           "embeddings.token_type_embeddings": "token_types", "embeddings.LayerNorm": "token_embd_norm",
           "emb_ln": "token_embd_norm"}
    stem, kind = name.rsplit(".", 1)
    if stem in top:
        return f"{top[stem]}.{kind}"
    parts = stem.split(".", 3)  # encoder.layer.N.rest
    return f"blk.{parts[2]}.{BERT_NAMES[parts[3]]}.{kind}"


def write_encoder_gguf(folder, path, spec, pooling_type, matrix_type=gguf.GGMLQuantizationType.F32):
    """The Hugging Face folder's encoder as llama.cpp's converter lays it out."""
    with open(os.path.join(folder, "config.json")) as f:
        c = json.load(f)
    arch = "nomic-bert" if spec["arch"] == "nomic" else "bert"
    w = gguf.GGUFWriter(path, arch)
    w.add_context_length(c["max_position_embeddings"])
    w.add_embedding_length(c["hidden_size"])
    w.add_block_count(c["num_hidden_layers"])
    w.add_feed_forward_length(c["intermediate_size"])
    w.add_head_count(c["num_attention_heads"])
    w.add_layer_norm_eps(c["layer_norm_eps"])
    w.add_causal_attention(False)
    w.add_pooling_type(pooling_type)
    if arch == "nomic-bert":
        w.add_rope_freq_base(c["rope_parameters"]["rope_theta"])
    vocab = tokenizer_of(spec).get_vocab(with_added_tokens=True)
    pieces = {i: t for t, i in vocab.items()}
    tokens, types = [], []
    for i in range(c["vocab_size"]):
        t = pieces.get(i, f"[PAD{i}]")
        special = t in SPECIALS or i not in pieces
        tokens.append(t if special else t[2:] if t.startswith("##") else "\u2581" + t)
        types.append(5 if i not in pieces else 3 if t in SPECIALS else 1)
    w.add_tokenizer_model("bert")
    w.add_tokenizer_pre("default")
    w.add_token_list(tokens)
    w.add_token_types(types)
    w.add_token_type_count(c["type_vocab_size"])
    w.add_unk_token_id(vocab["[UNK]"])
    w.add_sep_token_id(vocab["[SEP]"])
    w.add_pad_token_id(vocab["[PAD]"])
    w.add_uint32("tokenizer.ggml.cls_token_id", vocab["[CLS]"])
    w.add_mask_token_id(vocab["[MASK]"])
    w.add_bos_token_id(vocab["[CLS]"])
    w.add_eos_token_id(vocab["[SEP]"])
    for name, tensor in load_file(os.path.join(folder, "model.safetensors")).items():
        if name.startswith("pooler") or name.endswith("position_ids"):
            continue
        a = tensor.float().numpy()
        matrix = a.ndim == 2 and not ("position" in name or "token_type" in name)
        if matrix and matrix_type != gguf.GGMLQuantizationType.F32:
            a = gguf.quants.quantize(a, matrix_type)
            w.add_tensor(encoder_gguf_name(name), a, raw_dtype=matrix_type)
        else:
            w.add_tensor(encoder_gguf_name(name), np.ascontiguousarray(a))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


TEXTS = ["hello world", "", "The king opens the house, unbelievable!", "中文句子 and テキスト", "emoji 🦆🦙 ok",
         "naïve café ÀÉÎ", "привет мир", "[MASK] hi [SEP] there", "  two   spaces\n\t tab ", "x" * 150,
         "the river of stone is a garden window letter " * 40, "a", "HELLO World", "1234 + 5678 = ?"]


def texts(rng):
    """TEXTS, and random ones of the same pieces."""
    pieces = (WORDS.replace("##", "").split() + list("中文日本語привет🦆.,!?") + ["Hello", "THE", "un", "playing", "\n", "[CLS]"])
    made = [" ".join(rng.choice(pieces) for _ in range(rng.randrange(1, 30))) for _ in range(12)]
    return TEXTS + made
