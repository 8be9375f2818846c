// SPDX-License-Identifier: Apache-2.0

// Where Ollama's own client would go for each OLLAMA_HOST: one JSON string a line in, {"url"} or {"error"} a line out.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"

	"github.com/ollama/ollama/envconfig"
)

func answer(spelling string) map[string]string {
	if err := os.Setenv("OLLAMA_HOST", spelling); err != nil {
		return map[string]string{"error": err.Error()}
	}
	base := envconfig.Host()
	request, err := http.NewRequest("GET", base.JoinPath("/api/version").String(), nil)
	if err != nil {
		return map[string]string{"error": err.Error()}
	}
	if s := request.URL.Scheme; s != "http" && s != "https" {
		return map[string]string{"error": "no transport for " + s}
	}
	if request.URL.Host == "" {
		return map[string]string{"error": "no host in " + request.URL.String()}
	}
	return map[string]string{"url": request.URL.String()}
}

func main() {
	slog.SetLogLoggerLevel(slog.LevelError)
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var spelling string
		if err := json.Unmarshal(in.Bytes(), &spelling); err != nil {
			panic(err)
		}
		line, _ := json.Marshal(answer(spelling))
		fmt.Println(string(line))
	}
}
