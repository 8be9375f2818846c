#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes go_templates/features.jsonl: what Ollama's own template package renders (go_template_oracle/), for the
unit test that runs without Go. usage: make_go_templates.py"""
import json
import pathlib
import random
import sys
import tempfile

import go_template_cases as cases
import go_templates_references_test as reference

FEATURES = [
    "", "plain text\n", "{{ .Prompt }}", "{{ .System }} {{ .Prompt }} {{ .Response }}</s>", "a {{- 1 -}} b {{- /* c */ -}} d", "{{/* only */}}", "{{ 9223372036854775807 }}",
    "{{ 9223372036854775808 }}", "{{ -9223372036854775808 }}", "{{ 1_000 }}", "{{ 0x_ff }}", "{{ 089 }}", "{{ 1e400 }}", "{{ .5 }}", "{{ 1. }}", "{{ \"\\q\" }}", "{{ \"\\'\" }}", "{{ '\\'' }}", "{{ '' }}",
    "{{ \"a\nb\" }}", "{{ `a\nb` }}", "{{ $x }}", "{{ $x = 1 }}", "{{ $x := 1 }}{{ $x = 2 }}{{ $x }}", "{{ if true }}{{ $x := 1 }}{{ end }}{{ $x }}", "{{ if $x := 0 }}{{ else }}{{ $x }}{{ end }}",
    "{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ $x = 3 }}{{ end }}{{ $x }}", "{{ range $i, $m := .Messages }}{{ $i }}{{ $m.Role }}{{ end }}", "{{ range .Messages }}{{ .Nope }}{{ end }}", "{{ .Messages.X }}",
    "{{ range .Messages }}{{ $last := eq (len (slice $.Messages 1)) 1 }}{{ $last }}{{ end }}", "{{ range $i, $_ := .Messages }}{{ eq (len (slice $.Messages $i)) 1 }}{{ end }}", "{{ .Missing }}|{{ .Missing.X }}{{ .Messages }}",
    "{{ $m := .Missing }}{{ $m.X }}{{ $m }}{{ len .Messages }}", "{{ eq .Missing \"x\" }}{{ ne .Missing nil }}{{ .Messages | len }}", "{{ eq 1 \"x\" }}{{ len .Messages }}", "{{ lt true false }}", "{{ nil }}",
    "{{ range .Messages }}{{ if eq .Role \"user\" }}{{ continue }}{{ end }}{{ .Role }}{{ break }}{{ end }}", "{{ break }}", "{{ range .Tools }}x{{ else }}none{{ len $.Messages }}{{ end }}", "{{ range 3 }}{{ . }}{{ end }}{{ len .Messages }}",
    "{{ range $i := 2 }}{{ $i }}{{ end }}{{ len .Messages }}", "{{ range $i, $j := 2 }}{{ end }}{{ len .Messages }}", "{{ range \"abc\" }}{{ end }}{{ len .Messages }}", "{{ with .System }}<{{ . }}>{{ else }}no{{ end }}{{ len .Messages }}",
    "{{ with .Missing }}a{{ else with .Messages }}{{ len . }}{{ end }}", "{{ define \"x\" }}[{{ .Role }}]{{ end }}{{ range .Messages }}{{ template \"x\" . }}{{ end }}", "{{ block \"y\" .Messages }}{{ len . }}{{ end }}", "{{ template \"none\" .Messages }}",
    "{{ define \"x\" }}a{{ end }}{{ define \"x\" }}b{{ end }}", "{{ template \"x\" }}{{ define \"x\" }}a{{ end }}", "{{ (index .Messages 0).Role }}", "{{ index .Messages 9 }}", "{{ slice .Messages 9 }}", "{{ index \"abc\" 1 }}{{ len .Messages }}",
    "{{ range .Tools }}{{ . }}{{ end }}{{ len .Messages }}", "{{ range .Tools }}{{ .Function }}{{ end }}{{ len .Messages }}", "{{ range .Tools }}{{ .Function.Parameters }}{{ end }}{{ len .Messages }}", "{{ .Tools }}{{ len .Messages }}", "{{ json .Tools }}{{ len .Messages }}",
    "{{ range .Tools }}{{ json . }}{{ json .Function }}{{ json .Function.Parameters }}{{ end }}{{ len .Messages }}", "{{ range .Tools }}{{ range $k, $v := .Function.Parameters.Properties }}{{ $k }}: {{ $v.Type }} {{ $v.Description }} {{ $v }}{{ end }}{{ end }}{{ len .Messages }}",
    "{{ range .Messages }}{{ range .ToolCalls }}{{ .Function.Name }} {{ .Function.Arguments }} {{ json .Function }} {{ . }}{{ end }}{{ end }}", "{{ range .Messages }}{{ range .ToolCalls }}{{ print .Function.Arguments }}{{ printf \"%v\" .Function.Arguments }}{{ end }}{{ end }}",
    "{{ range .Messages }}{{ . }}{{ json . }}{{ print . }}{{ end }}", "{{ and .System .Messages | len }}{{ or .Missing \"d\" }}{{ and 1 0 2 }}", "{{ not .Think }}{{ and $.IsThinkSet (not $.Think) }}{{ len .Messages }}", "{{ printf \"a%*s\" (len .Messages) \"x\" }}",
    "{{ printf \"%s\\n\\n%s\" .System \"x\" }}{{ len .Messages }}", "{{ print 1 2 \"a\" 3 4 }}{{ println 1 \"x\" }}{{ len .Messages }}", "{{ printf \"%d %s %q %v %t %5d|%-5s|%05d %x %c %U %%\" 1 \"s\" \"q\" 1.5 true 3 \"ab\" 42 \"hi\" 65 128512 }}{{ len .Messages }}",
    "{{ printf \"%s %d\" 1 \"x\" }}{{ printf \"%s\" }}{{ printf \"x\" 1 }}{{ len .Messages }}", "{{ html \"<a>\" }}{{ js \"it's\" }}{{ urlquery \"a b&c\" }}{{ len .Messages }}", "{{ call .Messages }}", "{{ \"x\" | printf \"%s%s\" \"y\" }}{{ len .Messages }}", "{{ .System.X }}{{ len .Messages }}",
    "{{ 1 | 2 }}", "{{ (1).X }}", "{{ .X.Y | .Z }}", "{{ if }}x{{ end }}", "{{ if true }}x", "{{ end }}", "{{ else }}", "{{ if true }}{{ else }}{{ else }}{{ end }}", "{{ unknown 1 }}", "{{ \"unterminated }}", "{{ /* no */ }}", "{{ ( }}", "{{ ) }}", "{{ a.b }}", "{{ .a-b }}", "{{ .A.B.C }}",
    "{{ range .Messages }}{{ if .Thinking }}<think>{{ .Thinking }}</think>{{ end }}{{ .Content }}{{ end }}", "{{ if .Suffix }}<pre>{{ .Prompt }}<suf>{{ .Suffix }}<mid>{{ else }}{{ .Prompt }}{{ end }}", "{{ .System }}{{ if .Response }}{{ .Response }}{{ else }}x{{ end }}",
    "{{ .Prompt }}{{ json .Prompt }}{{ .Response }}", "{{ .Prompt }}{{ print .Response \"x\" }}y", "{{- range .Messages }}\n{{- end }}x", "{{ .Response | printf \"%s\" }}{{ .Prompt }}", "{{ slice \"h\u00e9llo\" 0 2 }}{{ len \"h\u00e9llo\" }}{{ len .Messages }}", "{{ $ }}", "{{ . }}", "{{ json $ }}{{ len .Messages }}",
]


def main():
    rows, r = [], random.Random(5)
    with tempfile.TemporaryDirectory() as folder:
        program, _, why = reference.build_oracle(folder)
        if why:
            sys.exit(why)
        oracle = reference.Lines([program])
        fixed = cases.fixed_conversations()
        requests = [dict(fixed[i], template=text) for text in FEATURES for i in ((2, 5, 6) if "Tool" in text or "Messages" in text else (2, 11))]
        for _ in range(200):
            requests.append(dict(cases.random_conversation(r), template=cases.Maker(r).template()))
        for request in requests:
            answer = oracle.ask(request)
            shown = answer.get("output", "")
            if "0x" not in shown and "%!b" not in shown and len(json.dumps(request)) + len(shown) < 3000:
                rows.append(json.dumps(dict(request, **answer), ensure_ascii=True, separators=(",", ":")))
        oracle.close()
    path = pathlib.Path(__file__).parent / "go_templates" / "features.jsonl"
    path.write_text("\n".join(rows) + "\n")
    print(f"{len(rows)} renderings")


if __name__ == "__main__":
    main()
