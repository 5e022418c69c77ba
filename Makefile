# Everything a person needs: `make demo` to see it, `make test` to trust it. Each does its own set-up.
.DEFAULT_GOAL := help
.PHONY: help setup dev demo test lint bench chaos pictures words lock clean

PY := .venv/bin/python

help:
	@echo "make demo    the whole product on this machine, with sample patients and pocket phones"
	@echo "make test    lint, types, the catalog and every test"
	@echo "make setup | lint | bench | chaos | pictures | clean"

setup: .venv/.ready

.venv/.ready: requirements.txt pyproject.toml
	@sh .ci/venv requirements.txt
	@touch $@

dev: .venv/.ready-dev

.venv/.ready-dev: requirements-dev.txt pyproject.toml
	@sh .ci/venv requirements-dev.txt
	@touch $@ .venv/.ready

demo: setup
	@exec .venv/bin/notifier demo $(ARGS)

lint: dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/notifier catalog check

test: lint
	@sh .ci/browser
	@sh .ci/tests $(ARGS)

bench: dev
	$(PY) -m tests.bench $(ARGS)

chaos: dev
	CHAOS_SECONDS=180 CHAOS_MESSAGES=10000 $(PY) -m pytest tests/edges -s -k "chaos or killed or away or race" $(ARGS)

# The README's pictures, taken anew.
pictures: dev
	@sh .ci/browser
	$(PY) -m tests.browser.pictures

# The console's Spanish, compiled from webhooks/console/translations/es/LC_MESSAGES/messages.po.
words: dev
	.venv/bin/pybabel compile --directory webhooks/console/translations --locale es

# The lock files hold versions and hashes and no addresses. Needs uv, which is not needed for anything else.
lock:
	uv pip compile --universal --generate-hashes --python-version 3.11 --no-annotate --no-header -q --extra build pyproject.toml -o requirements.txt
	uv pip compile --universal --generate-hashes --python-version 3.11 --no-annotate --no-header -q --extra build --extra dev pyproject.toml -o requirements-dev.txt

clean:
	rm -rf .venv .demo .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
