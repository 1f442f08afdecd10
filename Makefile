# What can be done with fdw_guard. PG_CONFIG names the PostgreSQL to use, as PGXS users expect.

PG_CONFIG ?= pg_config
export PG_CONFIG

HARNESS = cargo run --quiet --package fdw_guard_harness --

.PHONY: help test forms suites bench fuzz demo demo-stop install installcheck prepare clean

help: ## this list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/make \1	\2/p' Makefile | expand -t 20
	@echo; echo "PG_CONFIG=$(PG_CONFIG)"

test: ## build, and run every test of our own; FILTER=name runs those whose names contain it
	$(HARNESS) test $(FILTER)

forms: ## print the matrix of forms, checks and versions, from what make test has left
	@$(HARNESS) forms

suites: ## run PostgreSQL's own suites of postgres_fdw and file_fdw over guarded wrappers; the first run fetches them
	$(HARNESS) suites

bench: ## build a release, and measure what fdw_guard costs beside the same server without it; COUNT=1 counts instructions, ONLY=many measures what is over many objects, ONLY=durable what waits for the disk
	$(HARNESS) bench $(ONLY) $(if $(COUNT),--count)
	$(if $(ONLY),,cargo bench --quiet --package fdw_guard_policy --bench redactor)

fuzz: ## hold the redactor against its oracle on inputs that libFuzzer chooses, for SECONDS (60); FUZZ=… are more of its options
	@scripts/fuzz.sh "$(or $(SECONDS),60)" $(FUZZ)

demo: ## install what is missing, start a private cluster, play a tour through fdw_guard
	@PG_CONFIG="$$(scripts/prepare.sh)" && export PG_CONFIG && $(HARNESS) demo

demo-stop: ## end what make demo started
	@$(HARNESS) demo-stop

install: ## build a release and install it into PostgreSQL
	$(HARNESS) install

installcheck: ## run the pg_regress tests against the server that PGHOST and PGPORT name
	$(HARNESS) installcheck

prepare: ## install what is missing: PostgreSQL, its headers, libclang, cargo-pgrx
	@scripts/prepare.sh

clean: ## end the demo and remove everything that was built
	-@$(HARNESS) demo-stop
	rm -rf .demo
	cargo clean
