# SPDX-License-Identifier: Apache-2.0
# A front for CMake: `make help` lists what there is.
.DEFAULT_GOAL := all
.PHONY: all run test check-real check-long bench fuzz docs install format clean deps help

PROMPT ?= Why is the sky blue?
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
export PROMPT

all: build/build.ninja ## Build build/adam and libadam, shared and static
	@cmake --build build --target adam adam_shared adam_static

build/build.ninja:
	@tools/install_debian.sh
	@cmake --preset release

run: all ## Build, fetch a real model where the network allows, and let it answer PROMPT
	@if tools/get_smollm2.sh; then \
	  build/adam run smollm2 --max-tokens 300 "$$PROMPT"; \
	else \
	  echo "No SmolLM2 without network: the small model that ships with adam answers instead." >&2; \
	  build/adam run demo "How do I run a model?"; \
	fi

test: deps ## Build and test with gcc, then again under the address and undefined sanitizers
	cmake --preset ci
	cmake --build build
	ctest --test-dir build --output-on-failure -j $(JOBS) --output-log build/test-release.log
	cmake --preset asan
	cmake --build build/asan
	ctest --test-dir build/asan --output-on-failure -j $(JOBS) --output-log build/test-asan.log

check-real: deps ## Compare with transformers, tokenizers, llama.cpp and Ollama (fetches them once)
	cmake --preset ci
	cmake --build build
	tools/setup_references.sh build/refs
	tools/setup_ollama.sh build/refs
	tools/check_real.sh build build/refs

check-long: ## clang, thread sanitizer, valgrind, older processors, fuzzing
	tools/install_debian.sh --long
	tools/check_long.sh

bench: all ## Measure speed; BENCH='-t 1 --json' for other options
	@bench/run.sh $(BENCH)

fuzz: ## Fuzz every parser for FUZZ_SECONDS (60) each
	tools/install_debian.sh --long
	tools/fuzz.sh

docs: all ## Generate the man page, completions and docs/commands.md
	@mkdir -p docs/man docs/completions
	build/adam --dump-docs man > docs/man/adam.1
	build/adam --dump-docs markdown > docs/commands.md
	build/adam --dump-docs presets > docs/presets.md
	build/adam --dump-docs bash > docs/completions/adam.bash
	build/adam --dump-docs zsh > docs/completions/_adam
	build/adam --dump-docs fish > docs/completions/adam.fish

install: all ## Install to PREFIX (/usr/local); DESTDIR is respected
	@cmake -B build -DCMAKE_INSTALL_PREFIX="$(PREFIX)" >/dev/null
	@cmake --build build --target adam adam_shared adam_static
	cmake --install build

format: ## Format every C file
	git ls-files '*.c' '*.h' | xargs clang-format -i

clean: ## Remove everything that was built
	rm -rf build

deps: ## Install the Debian packages that are missing
	@tools/install_debian.sh

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14
