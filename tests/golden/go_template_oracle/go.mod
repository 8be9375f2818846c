module go_template_oracle

go 1.24.0

require github.com/ollama/ollama v0.9.6

require (
	github.com/agnivade/levenshtein v1.1.1 // indirect
	golang.org/x/crypto v0.36.0 // indirect
	golang.org/x/exp v0.0.0-20250218142911-aa4b98e5adaa // indirect
	golang.org/x/sys v0.31.0 // indirect
)
