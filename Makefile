# Each target installs what is missing (scripts/setup.sh) and runs one script.

.DEFAULT_GOAL := help
.PHONY: help serve dev build check test fuzz soak bench sizes package pictures clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

serve: build ## build, then serve the page on localhost (PORT=8080)
	@node scripts/serve.mjs dist

dev: ## build fast, serve, rebuild and reload the page on every change (PORT=8080)
	@scripts/setup.sh
	@node scripts/dev.mjs

build: ## leave the static page in dist/
	@scripts/setup.sh
	@scripts/build.sh

check: ## formatters, linters, types; warnings are errors
	@scripts/setup.sh test
	@scripts/check.sh

test: ## run all tests: Rust, wasm in headless Chromium, JavaScript, end to end in three engines
	@scripts/setup.sh test
	@scripts/test.sh

fuzz: build ## random files and calls, natively and in headless Chromium (SECONDS=120 SEED=1)
	@scripts/setup.sh test
	@scripts/fuzz.sh

soak: build ## a long session of one page (SECONDS=120 SEED=1)
	@scripts/setup.sh test
	@node tests/soak/soak.mjs $(or $(SECONDS),120) $(or $(SEED),1)

bench: build ## compare with other engines in headless Chromium
	@node bench/run.mjs

sizes: build ## print the bytes of a first pattern by scenario, in brotli (ARGS=--files: each file)
	@scripts/setup.sh test
	@node --import tsx scripts/sizes.mjs $(ARGS)

package: build ## leave the npm packages in dist-npm/
	@node --import tsx scripts/package.mjs

pictures: build ## take the pictures of the README and the documentation again
	@node docs/picture.mjs

clean: ## remove build results and installed tools
	rm -rf target dist dist-npm pkg node_modules .tools
