/* SPDX-License-Identifier: Apache-2.0 */
/* Each text renders what the model's own Jinja renders (tests/golden/go_match_references_test.py), but for
 * the spelling of JSON. A tool and a call's arguments are printed by themselves: these are JSON in every
 * version of Ollama, while .Function and .Parameters are not. What follows `if .ToolCalls` and what is around
 * .Thinking is read by Ollama to find calls and thoughts in answers. The begin token is Ollama's to add. */
#include "template/go/known.h"

#include <stddef.h>
#include <string.h>

static const char *const im_stop[] = {"<|im_start|>", "<|im_end|>", NULL};
static const char *const llama3_stop[] = {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", NULL};
static const char *const llama2_stop[] = {"[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", NULL};
static const char *const zephyr_stop[] = {"<|system|>", "</s>", "<|user|>", "<|assistant|>", NULL};
static const char *const mistral_stop[] = {"[INST]", "[/INST]", NULL};
static const char *const phi3_stop[] = {"<|end|>", "<|system|>", "<|user|>", "<|assistant|>", NULL};
static const char *const phi4_stop[] = {"<|im_start|>", "<|im_end|>", "<|im_sep|>", NULL};
static const char *const gemma_stop[] = {"<start_of_turn>", "<end_of_turn>", NULL};
static const char *const deepseek_stop[] = {"<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>", NULL};
static const char *const rwkv_stop[] = {"\n\nUser:", NULL};

static const char qwen3_text[] =
    "{{- if .Tools }}<|im_start|>system\n"
    "{{ if .System }}{{ .System }}\n"
    "\n"
    "{{ end }}# Tools\n"
    "\n"
    "You may call one or more functions to assist with the user query.\n"
    "\n"
    "You are provided with function signatures within <tools></tools> XML tags:\n"
    "<tools>\n"
    "{{- range .Tools }}\n"
    "{{ . }}\n"
    "{{- end }}\n"
    "</tools>\n"
    "\n"
    "For each function call, return a json object with function name and arguments within "
    "<tool_call></tool_call> XML tags:\n"
    "<tool_call>\n"
    "{\"name\": <function-name>, \"arguments\": <args-json-object>}\n"
    "</tool_call><|im_end|>\n"
    "{{ end }}\n"
    "{{- $last := len .Messages }}\n"
    "{{- range $i, $_ := .Messages }}{{ if eq .Role \"user\" }}{{ $last = $i }}{{ end }}{{ end }}\n"
    "{{- $before := \"\" }}\n"
    "{{- range $i, $_ := .Messages }}\n"
    "{{- $rest := slice $.Messages $i }}\n"
    "{{- if and $.Tools (eq $i 0) (eq .Role \"system\") }}\n"
    "{{- else if eq .Role \"assistant\" }}<|im_start|>assistant\n"
    "{{ if and (gt $i $last) (or .Thinking (eq (len $rest) 1)) }}<think>\n"
    "{{ .Thinking }}\n"
    "</think>\n"
    "\n"
    "{{ end }}{{ .Content }}\n"
    "{{- if and .Content (len .ToolCalls) }}\n"
    "{{ end }}\n"
    "{{- $calls := .ToolCalls }}\n"
    "{{- if .ToolCalls }}{{ range $n, $_ := .ToolCalls }}<tool_call>\n"
    "{\"name\": \"{{ .Function.Name }}\", \"arguments\": {{ .Function.Arguments }}}\n"
    "</tool_call>{{ if gt (len (slice $calls $n)) 1 }}\n"
    "{{ end }}{{ end }}{{ end }}<|im_end|>\n"
    "{{ else if eq .Role \"tool\" }}\n"
    "{{- if ne $before \"tool\" }}<|im_start|>user{{ end }}\n"
    "<tool_response>\n"
    "{{ .Content }}\n"
    "</tool_response>\n"
    "{{- $more := false }}\n"
    "{{- if gt (len $rest) 1 }}{{ $more = eq (index $rest 1).Role \"tool\" }}{{ end }}\n"
    "{{- if not $more }}<|im_end|>\n"
    "{{ end }}\n"
    "{{- else }}<|im_start|>{{ .Role }}\n"
    "{{ .Content }}<|im_end|>\n"
    "{{ end }}\n"
    "{{- $before = .Role }}\n"
    "{{- end }}<|im_start|>assistant\n"
    "{{ if and .IsThinkSet (not .Think) }}<think>\n"
    "\n"
    "</think>\n"
    "\n"
    "{{ end -}}\n";

static const char qwen2_5_text[] =
    "{{- if .Tools }}<|im_start|>system\n"
    "{{ if .System }}{{ .System }}{{ else }}You are Qwen, created by Alibaba Cloud. You are a helpful "
    "assistant.{{ end }}\n"
    "\n"
    "# Tools\n"
    "\n"
    "You may call one or more functions to assist with the user query.\n"
    "\n"
    "You are provided with function signatures within <tools></tools> XML tags:\n"
    "<tools>\n"
    "{{- range .Tools }}\n"
    "{{ . }}\n"
    "{{- end }}\n"
    "</tools>\n"
    "\n"
    "For each function call, return a json object with function name and arguments within "
    "<tool_call></tool_call> XML tags:\n"
    "<tool_call>\n"
    "{\"name\": <function-name>, \"arguments\": <args-json-object>}\n"
    "</tool_call><|im_end|>\n"
    "{{ else if not .System }}<|im_start|>system\n"
    "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n"
    "{{ end }}\n"
    "{{- $before := \"\" }}\n"
    "{{- range $i, $_ := .Messages }}\n"
    "{{- $rest := slice $.Messages $i }}\n"
    "{{- if and $.Tools (eq $i 0) (eq .Role \"system\") }}\n"
    "{{- else if eq .Role \"assistant\" }}<|im_start|>assistant\n"
    "{{- if or .Content (not .ToolCalls) }}\n"
    "{{ .Content }}\n"
    "{{- end }}\n"
    "{{- if .ToolCalls }}{{ range .ToolCalls }}\n"
    "<tool_call>\n"
    "{\"name\": \"{{ .Function.Name }}\", \"arguments\": {{ .Function.Arguments }}}\n"
    "</tool_call>\n"
    "{{- end }}{{ end }}<|im_end|>\n"
    "{{ else if eq .Role \"tool\" }}\n"
    "{{- if ne $before \"tool\" }}<|im_start|>user{{ end }}\n"
    "<tool_response>\n"
    "{{ .Content }}\n"
    "</tool_response>\n"
    "{{- $more := false }}\n"
    "{{- if gt (len $rest) 1 }}{{ $more = eq (index $rest 1).Role \"tool\" }}{{ end }}\n"
    "{{- if not $more }}<|im_end|>\n"
    "{{ end }}\n"
    "{{- else }}<|im_start|>{{ .Role }}\n"
    "{{ .Content }}<|im_end|>\n"
    "{{ end }}\n"
    "{{- $before = .Role }}\n"
    "{{- end }}<|im_start|>assistant\n";

static const char chatml_text[] =
    "{{- range .Messages }}<|im_start|>{{ .Role }}\n"
    "{{ .Content }}<|im_end|>\n"
    "{{ end }}<|im_start|>assistant\n";

static const char chatml_helpful_text[] =
    "{{- if not .System }}<|im_start|>system\n"
    "You are a helpful assistant.<|im_end|>\n"
    "{{ end }}\n"
    "{{- range .Messages }}<|im_start|>{{ .Role }}\n"
    "{{ .Content }}<|im_end|>\n"
    "{{ end }}<|im_start|>assistant\n";

static const char chatml_think_text[] =
    "{{- range .Messages }}<|im_start|>{{ .Role }}\n"
    "{{ .Content }}<|im_end|>\n"
    "{{ end }}<|im_start|>assistant\n"
    "<think>\n";

static const char smollm2_text[] =
    "{{- if not .System }}<|im_start|>system\n"
    "You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
    "{{ end }}\n"
    "{{- range .Messages }}<|im_start|>{{ .Role }}\n"
    "{{ .Content }}<|im_end|>\n"
    "{{ end }}<|im_start|>assistant\n";

static const char llama3_text[] =
    "{{- range .Messages }}<|start_header_id|>{{ .Role }}<|end_header_id|>\n"
    "\n"
    "{{ .Content }}<|eot_id|>\n"
    "{{- end }}<|start_header_id|>assistant<|end_header_id|>\n"
    "\n";

static const char llama3_1_text[] =
    "<|start_header_id|>system<|end_header_id|>\n"
    "\n"
    "{{ if .Tools }}Environment: ipython\n"
    "{{ end }}Cutting Knowledge Date: December 2023\n"
    "Today Date: 26 Jul 2024\n"
    "\n"
    "{{ .System }}<|eot_id|>\n"
    "{{- $first := true }}\n"
    "{{- range .Messages }}\n"
    "{{- if eq .Role \"user\" }}<|start_header_id|>user<|end_header_id|>\n"
    "\n"
    "{{ if and $.Tools $first }}Given the following functions, please respond with a JSON for a function "
    "call with its proper arguments that best answers the given prompt.\n"
    "\n"
    "Respond in the format {\"name\": function name, \"parameters\": dictionary of argument name and its "
    "value}.Do not use variables.\n"
    "\n"
    "{{ range $.Tools }}{{ . }}\n"
    "\n"
    "{{ end }}{{ end }}{{ .Content }}<|eot_id|>\n"
    "{{- $first = false }}\n"
    "{{- else if eq .Role \"assistant\" }}<|start_header_id|>assistant<|end_header_id|>\n"
    "\n"
    "{{ if .ToolCalls }}{{ range .ToolCalls }}{\"name\": \"{{ .Function.Name }}\", \"parameters\": {{ "
    ".Function.Arguments }}}{{ end }}{{ else }}{{ .Content }}{{ end }}<|eot_id|>\n"
    "{{- else if eq .Role \"tool\" }}<|start_header_id|>ipython<|end_header_id|>\n"
    "\n"
    "{{ json .Content }}<|eot_id|>\n"
    "{{- end }}\n"
    "{{- end }}<|start_header_id|>assistant<|end_header_id|>\n"
    "\n";

static const char llama2_text[] =
    "{{- $begun := false }}\n"
    "{{- range .Messages }}\n"
    "{{- if eq .Role \"user\" }}{{ if $begun }}<s>{{ end }}[INST] {{ if and $.System (not $begun) }}<<SYS>>\n"
    "{{ $.System }}\n"
    "<</SYS>>\n"
    "\n"
    "{{ end }}{{ .Content }} [/INST]\n"
    "{{- $begun = true }}\n"
    "{{- else if eq .Role \"assistant\" }} {{ .Content }} </s>\n"
    "{{- end }}\n"
    "{{- end -}}\n";

static const char zephyr_text[] =
    "{{- range .Messages }}<|{{ .Role }}|>\n"
    "{{ .Content }}</s>\n"
    "{{ end }}<|assistant|>\n";

static const char mistral_v1_text[] =
    "{{- range $i, $_ := .Messages }}\n"
    "{{- if eq .Role \"user\" }}[INST] {{ if and $.System (le $i 1) }}{{ $.System }}\n"
    "\n"
    "{{ end }}{{ .Content }} [/INST]\n"
    "{{- else if eq .Role \"assistant\" }} {{ .Content }}</s>\n"
    "{{- end }}\n"
    "{{- end -}}\n";

static const char mistral_v1_tight_text[] =
    "{{- range $i, $_ := .Messages }}\n"
    "{{- if eq .Role \"user\" }}[INST] {{ if and $.System (le $i 1) }}{{ $.System }}\n"
    "\n"
    "{{ end }}{{ .Content }} [/INST]\n"
    "{{- else if eq .Role \"assistant\" }}{{ .Content }}</s>\n"
    "{{- end }}\n"
    "{{- end -}}\n";

static const char mistral_v3_text[] =
    "{{- range $i, $_ := .Messages }}\n"
    "{{- if eq .Role \"user\" }}[INST] {{ if and $.System (eq (len (slice $.Messages $i)) 1) }}{{ $.System "
    "}}\n"
    "\n"
    "{{ end }}{{ .Content }}[/INST]\n"
    "{{- else if eq .Role \"assistant\" }} {{ .Content }}</s>\n"
    "{{- end }}\n"
    "{{- end -}}\n";

static const char mistral_nemo_text[] =
    "{{- $last := 0 }}\n"
    "{{- range $i, $_ := .Messages }}{{ if eq .Role \"user\" }}{{ $last = $i }}{{ end }}{{ end }}\n"
    "{{- range $i, $_ := .Messages }}\n"
    "{{- if eq .Role \"user\" }}\n"
    "{{- if and $.Tools (eq $i $last) }}[AVAILABLE_TOOLS]{{ $.Tools }}[/AVAILABLE_TOOLS]{{ end }}[INST]{{ if "
    "and $.System (eq (len (slice $.Messages $i)) 1) }}{{ $.System }}\n"
    "\n"
    "{{ end }}{{ .Content }}[/INST]\n"
    "{{- else if eq .Role \"assistant\" }}\n"
    "{{- if .ToolCalls }}[TOOL_CALLS][{{ $calls := .ToolCalls }}{{ range $n, $_ := .ToolCalls }}{\"name\": "
    "\"{{ .Function.Name }}\", \"arguments\": {{ .Function.Arguments }}}{{ if gt (len (slice $calls $n)) 1 "
    "}}, {{ end }}{{ end }}]</s>\n"
    "{{- else }}{{ .Content }}</s>\n"
    "{{- end }}\n"
    "{{- else if eq .Role \"tool\" }}[TOOL_RESULTS]{\"content\": {{ .Content }}}[/TOOL_RESULTS]\n"
    "{{- end }}\n"
    "{{- end -}}\n";

static const char phi_3_text[] =
    "{{- range .Messages }}\n"
    "{{- if or (eq .Role \"user\") (eq .Role \"assistant\") (and (eq .Role \"system\") .Content) }}<|{{ "
    ".Role }}|>\n"
    "{{ .Content }}<|end|>\n"
    "{{ end }}\n"
    "{{- end }}<|assistant|>\n";

static const char phi_4_text[] =
    "{{- range .Messages }}<|im_start|>{{ .Role }}<|im_sep|>{{ .Content }}<|im_end|>{{ end "
    "}}<|im_start|>assistant<|im_sep|>";

static const char phi_4_mini_text[] =
    "{{- if .Tools }}<|system|>{{ .System }}<|tool|>{{ .Tools }}<|/tool|><|end|>{{ end }}\n"
    "{{- range $i, $_ := .Messages }}\n"
    "{{- if and $.Tools (eq .Role \"system\") }}\n"
    "{{- else if .ToolCalls }}<|{{ .Role }}|>{{ .Content }}<|tool_call|>[{{ $calls := .ToolCalls }}{{ range "
    "$n, $_ := .ToolCalls }}{\"name\": \"{{ .Function.Name }}\", \"arguments\": {{ .Function.Arguments }}}{{ "
    "if gt (len (slice $calls $n)) 1 }}, {{ end }}{{ end }}]<|/tool_call|><|end|>\n"
    "{{- else }}<|{{ .Role }}|>{{ .Content }}<|end|>\n"
    "{{- end }}\n"
    "{{- end }}<|assistant|>";

static const char gemma_text[] =
    "{{- $begun := false }}\n"
    "{{- range .Messages }}\n"
    "{{- if eq .Role \"assistant\" }}<start_of_turn>model\n"
    "{{ .Content }}<end_of_turn>\n"
    "{{ else if eq .Role \"user\" }}<start_of_turn>user\n"
    "{{ if and $.System (not $begun) }}{{ $.System }}\n"
    "\n"
    "{{ end }}{{ .Content }}<end_of_turn>\n"
    "{{ $begun = true }}\n"
    "{{- end }}\n"
    "{{- end }}<start_of_turn>model\n";

static const char deepseek_r1_text[] =
    "{{- .System }}\n"
    "{{- range .Messages }}\n"
    "{{- if eq .Role \"user\" }}<｜User｜>{{ .Content }}\n"
    "{{- else if eq .Role \"assistant\" }}<｜Assistant｜>{{ .Content }}<｜end▁of▁sentence｜>\n"
    "{{- end }}\n"
    "{{- end }}<｜Assistant｜><think>\n";

static const char rwkv_world_text[] =
    "{{- if .System }}System: {{ .System }}\n"
    "\n"
    "{{ end }}\n"
    "{{- range .Messages }}\n"
    "{{- if eq .Role \"user\" }}User: {{ .Content }}\n"
    "\n"
    "{{ else if eq .Role \"assistant\" }}Assistant: {{ .Content }}\n"
    "\n"
    "{{ end }}\n"
    "{{- end }}Assistant:\n"
    "{{- if .IsThinkSet }} <think>{{ if not .Think }}\n"
    "</think>{{ end }}{{ end -}}\n";

const am_go_known am_go_known_rows[] = {{"qwen3", qwen3_text, im_stop},
                                        {"qwen2.5", qwen2_5_text, im_stop},
                                        {"chatml", chatml_text, im_stop},
                                        {"chatml-helpful", chatml_helpful_text, im_stop},
                                        {"chatml-think", chatml_think_text, im_stop},
                                        {"smollm2", smollm2_text, im_stop},
                                        {"llama3", llama3_text, llama3_stop},
                                        {"llama3.1", llama3_1_text, llama3_stop},
                                        {"llama2", llama2_text, llama2_stop},
                                        {"zephyr", zephyr_text, zephyr_stop},
                                        {"mistral-v1", mistral_v1_text, mistral_stop},
                                        {"mistral-v1-tight", mistral_v1_tight_text, mistral_stop},
                                        {"mistral-v3", mistral_v3_text, mistral_stop},
                                        {"mistral-nemo", mistral_nemo_text, mistral_stop},
                                        {"phi-3", phi_3_text, phi3_stop},
                                        {"phi-4", phi_4_text, phi4_stop},
                                        {"phi-4-mini", phi_4_mini_text, phi3_stop},
                                        {"gemma", gemma_text, gemma_stop},
                                        {"deepseek-r1", deepseek_r1_text, deepseek_stop},
                                        {"rwkv-world", rwkv_world_text, rwkv_stop},
                                        {NULL, NULL, NULL}};

const am_go_known *am_go_known_find(const char *name) {
  for (const am_go_known *row = am_go_known_rows; row->name; row++)
    if (strcmp(row->name, name) == 0) return row;
  return NULL;
}
