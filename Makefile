# Each target installs what it lacks (scripts/setup.sh) and then runs one script.

.DEFAULT_GOAL := help
.PHONY: help serve build check test bench sizes clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

serve: build ## build, then serve the page on localhost (PORT=8080)
	@node scripts/serve.mjs dist

build: ## leave the static page in dist/
	@scripts/setup.sh
	@scripts/build.sh

check: ## format, lints for native and wasm, types; warnings are errors
	@scripts/setup.sh test
	@scripts/check.sh

test: ## run all tests: Rust, wasm in headless Chromium, JavaScript, end to end
	@scripts/setup.sh test
	@scripts/test.sh

bench: build ## measure
	@if [ -f bench/run.mjs ]; then node bench/run.mjs; else echo "there are no benchmarks yet"; fi

sizes: build ## print the bytes that a page loads, raw and in brotli
	@node scripts/sizes.mjs

clean: ## remove what was built
	rm -rf target dist pkg node_modules .tools
