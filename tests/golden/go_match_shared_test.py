#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which Go template is chosen for real chat templates: what fits, what differs, and that nothing else is said to fit.

usage: go_match_shared_test.py BUILD [FOLDER]
FOLDER (default: data/raw/templates of the shared folder beside the checkout) holds *.jinja files; without it the test
is skipped. The verdicts were checked by hand against both templates' texts: e equal, s equal but for JSON's spelling,
d differs, a refused by the model's own template; in the order of match.c's conversations.
"""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

BEGIN = {"gemma": "<bos>", "Phi": "<s>", "mistral": "<s>", "Mistral": "<s>", "llama": "<|begin_of_text|>", "Llama": "<|begin_of_text|>",
         "deepseek": "<\uff5cbegin\u2581of\u2581sentence\uff5c>", "rwkv": "<|rwkv_tokenizer_end_of_text|>", "LFM2": "<|startoftext|>"}
END = {"mistral": "</s>", "Mistral": "</s>", "Phi": "<|endoftext|>"}
FITTING = {
    "Bielik-11B-v3.0-Instruct": ("chatml", "eeeedddedd"), "LFM2-8B-A1B": ("chatml", "eeeeddeeed"), "LFM2.5-Instruct": ("chatml", "eeeeddeeed"),
    "Qwen-Qwen2.5-7B-Instruct": ("qwen2.5", "eeeesseees"), "Qwen-Qwen3-0.6B": ("qwen3", "eeeesseees"), "Qwen3-Coder": ("chatml", "eeeeddeeed"),
    "Qwen3.5-4B": ("chatml-think", "eeeeddeded"), "StepFun3.5-Flash": ("chatml-think", "eeeeddeeed"), "stepfun-ai-Step-3.5-Flash": ("chatml-think", "eeeeddeeed"),
    "deepseek-ai-DeepSeek-R1-Distill-Llama-8B": ("deepseek-r1", "eeeeedeeed"), "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B": ("deepseek-r1", "eeeeedeeed"),
    "google-gemma-2-2b-it": ("gemma", "eaeaaaeeea"), "llama-cpp-rwkv-world": ("rwkv-world", "eeeeeeeeee"),
    "meta-llama-Llama-3.1-8B-Instruct": ("llama3.1", "eeeesseees"), "meta-llama-Llama-3.2-3B-Instruct": ("llama3.1", "eeeesseees"),
    "meta-llama-Llama-3.3-70B-Instruct": ("llama3.1", "eeeesseees"), "microsoft-Phi-3.5-mini-instruct": ("phi-3", "eeeeeeeeee"),
    "mistralai-Mistral-Nemo-Instruct-2407": ("mistral-nemo", "eeeesdeeed"),
}
DATED = {"meta-llama-Llama-3.2-3B-Instruct"}


def of_family(table, name):
    return next((value for key, value in table.items() if key in name), "")


def main():
    build = sys.argv[1]
    root = pathlib.Path(__file__).resolve().parents[2]
    folder = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else root.parent / "shared" / "data" / "raw" / "templates"
    templates = sorted(folder.glob("*.jinja"))
    if not templates:
        print(f"SKIP: no templates in {folder.name}")
        return 77
    driver = pathlib.Path(build, "tests", "src-template-match_test")
    if not driver.exists():
        print("SKIP: the driver is not built")
        return 77
    bad = fits = 0
    with tempfile.TemporaryDirectory() as work:
        for path in templates:
            copy = pathlib.Path(work, path.name)
            shutil.copy(path, copy)
            tokens = {"bos_token": of_family(BEGIN, path.name), "eos_token": of_family(END, path.name)}
            pathlib.Path(str(copy) + ".tokens.json").write_text(json.dumps(tokens))
            said = json.loads(subprocess.run([str(driver), str(copy)], capture_output=True, text=True, check=True).stdout)
            wanted = FITTING.get(path.stem)
            found = None
            if said.get("fits"):
                fits += 1
                found = (said["row"], "".join(word[0] for word in said["verdicts"].values()))
            if found != wanted or (wanted and said["dated"] != (path.stem in DATED)) or (not wanted and not said.get("difference") and "error" not in said):
                bad += 1
                print(f"{path.name}: wanted {wanted}, got {found}: {said}")
    print(f"{fits} of {len(templates)} templates fit a row, {bad} not as expected")
    return 1 if bad or fits != len([1 for path in templates if path.stem in FITTING]) else 0


if __name__ == "__main__":
    sys.exit(main())
