/* SPDX-License-Identifier: Apache-2.0 */
#include "presets/table.h"

enum { K4 = 4096, K32 = 32768, K128 = 131072 };

/* Names and context windows as the project's guidelines list them; repositories as the Hub spells
 * them. Parameters are the model cards' figures, embeddings included. */
// clang-format off
const am_preset am_preset_rows[] = {
    {"qwen3_small",     "Qwen/Qwen3-0.6B",                        "qwen3:0.6b",      K32,   0.6e9,   "Qwen 3, 0.6 billion parameters: answers on any machine"},
    {"qwen3_medium",    "Qwen/Qwen3-1.7B",                        "qwen3:1.7b",      K32,   1.7e9,   "Qwen 3, 1.7 billion parameters"},
    {"qwen3_large",     "Qwen/Qwen3-4B",                          "qwen3:4b",        K32,   4.0e9,   "Qwen 3, 4 billion parameters"},
    {"qwen3_xl",        "Qwen/Qwen3-8B",                          "qwen3:8b",        K128,  8.2e9,   "Qwen 3, 8 billion parameters"},
    {"qwen3_xxl",       "Qwen/Qwen3-14B",                         "qwen3:14b",       K128,  14.8e9,  "Qwen 3, 14 billion parameters"},
    {"qwen3_xxxl",      "Qwen/Qwen3-32B",                         "qwen3:32b",       K128,  32.8e9,  "Qwen 3, 32 billion parameters"},
    {"qwen3_moe_small", "Qwen/Qwen3-30B-A3B",                     "qwen3:30b-a3b",   K128,  30.5e9,  "Qwen 3 mixture of experts, 3 of 30 billion active"},
    {"qwen3_moe_large", "Qwen/Qwen3-235B-A22B",                   "qwen3:235b-a22b", K128,  235.0e9, "Qwen 3 mixture of experts, 22 of 235 billion active"},
    {"smollm2",         "HuggingFaceTB/SmolLM2-135M-Instruct",    "smollm2:135m",    8192,  0.135e9, "SmolLM2, 135 million parameters: a first try"},
    {"small",           "TinyLlama/TinyLlama-1.1B-Chat-v1.0",     "phi",             2048,  1.1e9,   "TinyLlama chat, 1.1 billion parameters"},
    {"medium",          "microsoft/phi-2",                        "mistral",         K4,    2.8e9,   "Phi-2, 2.8 billion parameters"},
    {"large",           "meta-llama/Meta-Llama-3-8B-Instruct",    "llama3",          8192,  8.0e9,   "Llama 3, 8 billion parameters; its licence must be accepted on the Hub"},
    {"xl",              "meta-llama/Meta-Llama-3-70B-Instruct",   "llama3:70b",      16384, 70.6e9,  "Llama 3, 70 billion parameters; its licence must be accepted on the Hub"},
    {"code",            "codellama/CodeLlama-7b-Instruct-hf",     "codellama:7b",    K4,    6.7e9,   "CodeLlama, 7 billion parameters, for programs"},
    {"embedding",       "sentence-transformers/all-MiniLM-L6-v2", NULL,              K4,    22.7e6,  "MiniLM: text to vectors, no chat"},
    {"default",         "mistralai/Mistral-7B-Instruct-v0.2",     "llama3",          K4,    7.2e9,   "Mistral, 7 billion parameters"},
};
const size_t am_preset_n_rows = sizeof am_preset_rows / sizeof am_preset_rows[0];

/* Spellings that older programs and documents use, and that no Hub or library has. */
const am_preset_renaming am_preset_renamings[] = {
    {"Qwen/Qwen3-0.6B-Chat",               "Qwen/Qwen3-0.6B"},
    {"Qwen/Qwen3-1.7B-Chat",               "Qwen/Qwen3-1.7B"},
    {"Qwen/Qwen3-4B-Chat",                 "Qwen/Qwen3-4B"},
    {"Qwen/Qwen3-8B-Chat",                 "Qwen/Qwen3-8B"},
    {"Qwen/Qwen3-14B-Chat",                "Qwen/Qwen3-14B"},
    {"Qwen/Qwen3-32B-Chat",                "Qwen/Qwen3-32B"},
    {"Qwen/Qwen3-30B-A3B-Chat",            "Qwen/Qwen3-30B-A3B"},
    {"Qwen/Qwen3-235B-A22B-Chat",          "Qwen/Qwen3-235B-A22B"},
    {"meta-llama/Llama-3-8b-chat-hf",      "meta-llama/Meta-Llama-3-8B-Instruct"},
    {"meta-llama/Llama-3-70b-chat-hf",     "meta-llama/Meta-Llama-3-70B-Instruct"},
    {"codellama/CodeLlama-7b-instruct-hf", "codellama/CodeLlama-7b-Instruct-hf"},
    {"phi2",                               "phi"},
};
const size_t am_preset_n_renamings = sizeof am_preset_renamings / sizeof am_preset_renamings[0];
