// SPDX-License-Identifier: Apache-2.0

// Renders Go templates as Ollama's own package does, for tests. Reads JSON lines
// {"template", "messages", "tools", "think", "prompt", "suffix"}, answers {"output"} or {"error"}, with
// "open" and "close" where thinking tags are inferred. With -list it prints the templates that ship with
// the package: {"name", "template", "stop"} each.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/ollama/ollama/api"
	"github.com/ollama/ollama/template"
	"github.com/ollama/ollama/thinking"
)

type request struct {
	Template string        `json:"template"`
	Messages []api.Message `json:"messages"`
	Tools    api.Tools     `json:"tools"`
	Think    *bool         `json:"think"`
	Prompt   string        `json:"prompt"`
	Suffix   string        `json:"suffix"`
}

type answer struct {
	Output *string `json:"output,omitempty"`
	Error  string  `json:"error,omitempty"`
	Open   string  `json:"open,omitempty"`
	Close  string  `json:"close,omitempty"`
}

// What panics inside of the package would be an error 500 of the server.
func render(line []byte) (out answer) {
	defer func() {
		if r := recover(); r != nil {
			out = answer{Error: fmt.Sprintf("panic: %v", r)}
		}
	}()
	var r request
	if err := json.Unmarshal(line, &r); err != nil {
		return answer{Error: "request: " + err.Error()}
	}
	t, err := template.Parse(r.Template)
	if err != nil {
		return answer{Error: err.Error()}
	}
	values := template.Values{Messages: r.Messages, Tools: r.Tools, Prompt: r.Prompt, Suffix: r.Suffix}
	if r.Think != nil {
		values.Think, values.IsThinkSet = *r.Think, true
	}
	var b bytes.Buffer
	if err := t.Execute(&b, values); err != nil {
		return answer{Error: err.Error()}
	}
	text := b.String()
	out.Output = &text
	out.Open, out.Close = thinking.InferTags(t.Template)
	return out
}

func list() error {
	folder, err := exec.Command("go", "list", "-f", "{{.Dir}}", "github.com/ollama/ollama/template").Output()
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(folder)), "*.gotmpl"))
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(filepath.Base(file), ".gotmpl")
		line, _ := json.Marshal(map[string]string{"name": name, "template": string(text)})
		fmt.Println(string(line))
	}
	return nil
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "-list" {
		if err := list(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			text, _ := json.Marshal(render(line))
			out.Write(text)
			out.WriteByte('\n')
			out.Flush()
		}
		if err != nil {
			return
		}
	}
}
