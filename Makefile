# Greenroom's tasks. `make help` lists them.

.DEFAULT_GOAL := help
SHELL := /bin/sh

export GREENROOM_DATABASE_URL ?= sqlite://greenroom.db
export GREENROOM_BIND ?= 127.0.0.1:8000

# Tests wait for one another's servers more than they compute.
export RUST_TEST_THREADS ?= $(shell expr 2 '*' $$(getconf _NPROCESSORS_ONLN))

CARGO ?= cargo
GREENROOM = target/release/greenroom

.PHONY: help run build dist deny debug install test backend lint frontend postgres client cluster pages screenshots vendor bench bench-base stress stress-nodes soak autobahn fuzz clients check fmt migrate user token demo schema clean

help: ## List the tasks
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

run: build ## Build, make the database, add demo users, serve
	@$(GREENROOM) demo --if-empty
	@echo
	@echo "Open  http://$(GREENROOM_BIND)/  and sign in as alice, bob or carol; password: greenroom. The API:"
	@echo
	@echo "  curl -c cookies -d 'username=alice&password=greenroom' http://$(GREENROOM_BIND)/login/"
	@echo "  curl -b cookies http://$(GREENROOM_BIND)/messages/api/chats/"
	@echo
	@exec $(GREENROOM) serve

build:
	$(CARGO) build --release --locked

dist: ## Build the binary for packages: optimised as a whole and stripped, with its debug information beside it
	$(CARGO) build --profile dist --locked
	@echo "target/dist/greenroom, and its debug information: target/dist/greenroom.dwp"

# The program in target/debug, as the Rust tests have it: `cargo build` would compile all dependencies a second time, since
# those of the tests have other features.
debug:
	$(CARGO) test --locked --no-run --quiet

test: ## Install what the tests need, and run them all
	@rm -f target/left-out target/flaky
	@$(MAKE) --jobs=2 install debug
	@$(MAKE) --jobs=2 backend frontend
	@if [ -e target/flaky ]; then sort -u target/flaky; fi
	@if [ -e target/left-out ]; then echo "LEFT OUT, all else passed:"; sort -u target/left-out; else echo "All tests passed; none was left out."; fi

install:
	@tests/install

# These two wait for databases and browsers as much as they compute, so they share the processors.
backend: debug
	PATH="$(CURDIR)/target/tools/bin:$$PATH" CARGO="$(CARGO)" tests/rust-suite.sh
	@$(MAKE) postgres $(ALSO)

frontend: debug
	@tests/client/run
	@tests/browser/run
	@tests/fuzz/run 30

postgres: ## The tests that have to do with the database, on PostgreSQL
	@CARGO="$(CARGO)" tests/postgres.sh

client: debug ## The JavaScript client's tests, against a real server
	@tests/client/run

pages: debug ## The tests of the pages, in Chromium
	@tests/browser/run

screenshots: debug ## Pictures of the pages in all their states
	@tests/browser/run --test tests/browser/screenshots.mjs

vendor: ## Fetch the libraries of the pages from npm anew
	@web/vendor/refresh

cluster: build ## Three nodes with PostgreSQL, Redis and nginx, and demo data, until Ctrl-C
	@tests/cluster.sh $(GREENROOM)

bench: bench-base ## Measure all targets beside the limits of what it is built of; QUICK=1 to see that it works, ONLY=P1,P5 for some, BASE=path/to/greenroom to compare with another build
	$(CARGO) build --release --locked --bench limits
	@# Last: the line above leaves a greenroom with the features of the tests, such as failpoints.
	@$(MAKE) build
	@python3 benches/targets.py --binary $(GREENROOM) $(if $(QUICK),--quick) $(if $(ONLY),--only "$(ONLY)") $(if $(BASE),--base "$(BASE)") \
		--limits "$$(ls -t target/release/deps/limits-* | grep -v '\.d$$' | head -1)"

# A base that cannot be used is refused before the build, which takes minutes.
bench-base:
	@$(if $(BASE),python3 benches/comparison.py "$(BASE)",:)

stress: build ## Hostile, slow and dead sockets, one user who does the worst, stops (STOPS=200) and copies under load, against the release binary, with figures
	@python3 tests/stress/sockets.py --binary $(GREENROOM) $(if $(STOPS),--stops $(STOPS))

stress-nodes: build ## Two nodes whose Redis, PostgreSQL and selves are stopped, killed and cut off, with figures
	@python3 tests/stress/nodes.py --binary $(GREENROOM)

soak: build ## Mixed traffic for an hour, or HOURS or SECONDS: whether memory, descriptors, CPU of each request or latencies grow; JSON=FILE keeps all samples
	@python3 tests/stress/soak.py --binary $(GREENROOM) $(if $(HOURS),--hours $(HOURS)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(JSON),--json $(JSON))

autobahn: ## Autobahn's fuzzing client: make autobahn WSTEST=/path/to/wstest
	$(CARGO) test --locked --test faults -- --ignored autobahn --nocapture

fuzz: debug ## Schemathesis over the API's description, for ten minutes or SECONDS
	@tests/fuzz/run $(or $(SECONDS),600)

clients: debug ## Clients made of the API's descriptions by six generators: each is compiled and used
	@tests/clients/run

deny: ## Licences and sources of the dependencies, and known faults of them where the advisory database can be had
	@CARGO="$(CARGO)" tests/deny.sh

check: ## Formatting, lints, documentation, dependencies, tests
	$(CARGO) fmt --all --check
	@# Packages are downloaded while the compiler works.
	@$(MAKE) --jobs=2 install lint
	$(MAKE) test ALSO=deny

lint:
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --quiet

fmt: ## Format the code
	$(CARGO) fmt --all

migrate: build ## Bring the database's schema up to date
	@$(GREENROOM) migrate

user: build ## Make a user: make user NAME=ann
	@test -n "$(NAME)" || { echo "give a name: make user NAME=ann"; exit 2; }
	@$(GREENROOM) user create "$(NAME)"

token: build ## Make an access token: make token NAME=ann
	@test -n "$(NAME)" || { echo "give a name: make token NAME=ann"; exit 2; }
	@$(GREENROOM) token create "$(NAME)"

demo: build ## Fill an empty database with demo users and chats
	@$(GREENROOM) demo

schema: ## Write src/storage/schema.rs from the migrations
	@command -v diesel >/dev/null || $(CARGO) install diesel_cli --version ^2.3 --no-default-features --features sqlite-bundled
	@file=$$(mktemp -u) && diesel migration run --database-url "$$file" && rm -f "$$file"

clean: ## Remove what was built
	$(CARGO) clean
