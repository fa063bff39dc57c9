# est-gateway: EST (RFC 7030) for the certificate authority that you already run.
# `make` alone lists the targets.

export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
DATA ?= ./data

.PHONY: help install build run test lint format bench conformance refusals ejbca-demo ejbca-contract clean
.DEFAULT_GOAL := help

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Not `npm ci`: it fails where a registry lacks packages that are for other platforms only.
node_modules/.package-lock.json: package.json package-lock.json
	@npm install --no-save --loglevel=error
	@touch $@

install: node_modules/.package-lock.json ## Install the dependencies, Node 24 among them

build: dist/main.js ## Compile src to dist

dist/main.js: node_modules/.package-lock.json $(shell find src -name '*.ts') tsconfig.json src/tsconfig.json
	@rm -rf dist
	@npm run --silent build
	@touch $@

run: build ## Serve EST on https://localhost:8443; the first start creates ./data
	@node dist/main.js quickstart --directory $(DATA)

test: build ## Build, lint and run every test
	@npm run --silent lint
	@npm test --silent -- --coverage

lint: install ## Check types, style, formatting, imports and dead code
	@npm run --silent lint

format: install ## Format and fix what can be fixed
	@npm run --silent format

bench: build ## Measure, and print figures beside those of a bare https server, EJBCA and an EST server
	@npm run --silent bench

conformance: build ## Run every test and write docs/conformance.md from the results
	@npm run --silent conformance

refusals: install ## Write the table of EJBCA's refusals in docs/ejbca.md from the code
	@node spec/ejbca/write-refusals.ts && npx prettier --log-level warn --write docs/ejbca.md

ejbca-demo: install ## Serve EST in front of a stand-in for EJBCA, and print requests to try
	@node spec/support/ejbca/demo.ts

ejbca-contract: install ## Test the EJBCA backend against the EJBCA at EJBCA_BASE_URL (see CONTRIBUTING.md)
	@: $${EJBCA_BASE_URL:?is the base URL of an EJBCA, such as https://ejbca.example/ejbca}
	@npx jest spec/ca/ejbca/contract

clean: ## Remove what was built and installed (./data stays)
	rm -rf dist coverage node_modules
