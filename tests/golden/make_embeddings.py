# SPDX-License-Identifier: Apache-2.0
"""Makes the tiny embedding models of tests/golden/embedders/ and what sentence-transformers computes with them.

    python tests/golden/make_embeddings.py [NAME...]   (needs: torch, transformers, sentence-transformers, gguf, numpy)

embedders/NAME/ is a model as users have it, and beside it golden.json: texts and their embeddings (float32, 8 digits), for
rerankers a query and the documents' scores.
"""
import json
import os
import shutil
import sys
import warnings

import gguf
import sentence_transformers
import torch
import transformers

import tiny_embedders

TEXTS = tiny_embedders.TEXTS
QUERY = "hello river"
# Of tiny_embedders' kinds, at other seeds and, where it keeps them small, in bf16.
MODELS = {
    "bert-old": dict(arch="bert", shape=(2, 32, 48, 4, 64), dtype="bfloat16", layout="old", normalize=True,
                     pooling=["mean", "max"], dense=(20, "Tanh"), max_seq_length=24, include_prompt=False,
                     prompts={"query": "hello world: ", "document": ""}, default_prompt="query"),
    "bert-new": dict(arch="bert", shape=(1, 36, 40, 4, 48), dtype="float16", layout="new", pooling=["cls"], normalize=True),
    "nomic-gpt2-keys": dict(arch="nomic", shape=(2, 32, 48, 2, 96), dtype="bfloat16", layout="old", pooling=["mean"],
                            normalize=True, gpt2_keys=True, theta=1000.0),
    "nomic-new": dict(arch="nomic", shape=(1, 32, 48, 2, 96), dtype="bfloat16", layout="new", pooling=["mean"]),
    "qwen3-last": dict(arch="qwen3", shape=(2, 32, 48, 4, 256), dtype="bfloat16", layout="old", pooling=["lasttoken"],
                       normalize=True, prompts={"query": "Instruct: find it\nQuery:"}),
    "cross-bert": dict(arch="bert", shape=(2, 32, 48, 4, 64), dtype="bfloat16", typed=True, reranker=True),
    "gguf-bert-cls": dict(arch="bert", shape=(2, 32, 48, 4, 64), dtype="float16", layout="old", pooling=["cls"],
                          normalize=True, gguf=gguf.PoolingType.CLS),
    "gguf-nomic-mean": dict(arch="nomic", shape=(1, 32, 48, 2, 64), dtype="float16", layout="old", pooling=["mean"],
                            normalize=True, gguf=gguf.PoolingType.MEAN),
}


def embeddings(folder, **options):
    model = sentence_transformers.SentenceTransformer(folder, device="cpu", model_kwargs={"dtype": torch.float32}).float()
    return [[float(f"{x:.8g}") for x in row] for row in model.encode(TEXTS, **options).tolist()]


def make(root, name, seed):
    spec, folder = MODELS[name], os.path.join(root, name)
    shutil.rmtree(folder, ignore_errors=True)
    golden = {"made_by": f"sentence-transformers {sentence_transformers.__version__}, torch {torch.__version__}"}
    if spec.get("reranker"):
        tiny_embedders.build_reranker(folder, spec, seed)
        model = sentence_transformers.CrossEncoder(folder, device="cpu", model_kwargs={"dtype": torch.float32})
        golden.update(query=QUERY, documents=TEXTS, scores=model.predict([(QUERY, t) for t in TEXTS]).tolist())
    else:
        source = folder + "-source" if spec.get("gguf") else folder
        reference = folder + "-reference" if spec.get("gpt2_keys") else source
        tiny_embedders.build(source, spec, seed)
        if reference != source:
            tiny_embedders.build(reference, dict(spec, gpt2_keys=False), seed)
        golden.update(texts=TEXTS, embeddings=embeddings(reference))
        if spec.get("default_prompt"):
            golden["without_prompt"] = embeddings(reference, prompt="")
        if spec.get("gguf"):
            os.makedirs(folder)
            tiny_embedders.write_encoder_gguf(source, os.path.join(folder, "model.gguf"), spec, spec["gguf"],
                                              gguf.GGMLQuantizationType.F16)
        for extra in {source, reference, folder + "-plain"} - {folder}:
            shutil.rmtree(extra, ignore_errors=True)
    for extra in ("README.md",):
        if os.path.exists(os.path.join(folder, extra)):
            os.remove(os.path.join(folder, extra))
    with open(os.path.join(folder, "golden.json"), "w", encoding="utf-8") as f:
        json.dump(golden, f, ensure_ascii=False)
        f.write("\n")
    print(name, sum(os.path.getsize(os.path.join(d, f)) for d, _, files in os.walk(folder) for f in files), "bytes")


def main():
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "embedders")
    for i, name in enumerate(MODELS):
        if len(sys.argv) == 1 or name in sys.argv[1:]:
            make(root, name, 300 + i)


if __name__ == "__main__":
    main()
