# What one does here. `make help` lists it.

PYTHON := .venv/bin/python
.DEFAULT_GOAL := help
.PHONY: help run test fuzz check format cover translations lock lock-check audit sbom shots bench bench-api bench-inside growth asvs clean
.NOTPARALLEL:

help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s%s\n", $$1, $$2 }' Makefile

run: ## Serve the site on http://127.0.0.1:8000, everything it needs included, a stand-in for Google too
	@scripts/venv.sh requirements.txt
	@scripts/run.sh

test: ## Install what is missing, then run every check and every test
	@scripts/venv.sh requirements-dev.txt
	@scripts/ensure_browser.sh
	@scripts/check.sh
	@$(PYTHON) -m pytest --numprocesses=auto $(ARGS)

fuzz: ## Give every parser of outside bytes many inputs; EXAMPLES=20000 for more of them
	@scripts/venv.sh requirements-dev.txt
	@FUZZ_EXAMPLES=$(or $(EXAMPLES),2000) $(PYTHON) -m pytest --numprocesses=auto --timeout=0 tests/fuzz

check: ## Lint, types, import arrows, templates, translations
	@scripts/venv.sh requirements-dev.txt
	@scripts/check.sh

format: ## Put the Python code into shape
	@scripts/venv.sh requirements-dev.txt
	@$(PYTHON) -m ruff check --quiet --fix . || true
	@$(PYTHON) -m ruff format .

cover: ## Run the tests and show which lines none of them reaches
	@scripts/venv.sh requirements-dev.txt
	@$(PYTHON) -m pytest --numprocesses=auto --cov $(ARGS)

translations: ## Bring the catalogues up to date with the texts in the code, and compile them
	@scripts/venv.sh requirements-dev.txt
	@$(PYTHON) scripts/translations.py update
	@$(PYTHON) scripts/translations.py compile

lock: ## Pin requirements*.in again (newest versions: make lock ARGS=--upgrade)
	@scripts/venv.sh requirements.txt
	@scripts/lock.sh $(ARGS)

lock-check: ## Fail where the pinned files are not what `make lock` would write with the same versions
	@scripts/venv.sh requirements.txt
	@scripts/lock.sh --check

audit: ## Look for known weaknesses in everything that is pinned
	@scripts/audit.sh audit

sbom: ## Write sbom.json, the list of what the site runs on (CycloneDX)
	@scripts/audit.sh sbom

shots: ## Take the screenshots of every page
	@scripts/venv.sh requirements-dev.txt
	@$(PYTHON) -m tests.browser.shots $(ARGS)

bench: ## Measure calls and pages beside bare Flask on the same gunicorn; ARGS='--write docs/performance.md' keeps it
	@scripts/venv.sh requirements-dev.txt
	@scripts/ensure_wrk.sh
	@$(PYTHON) -m bench.site $(ARGS)

bench-api: ## Measure tokens in-process, how soon a sign-out holds on every worker, the rows that are left
	@scripts/venv.sh requirements-dev.txt
	@scripts/ensure_wrk.sh
	@$(PYTHON) -m bench.tokens
	@$(PYTHON) -m bench.revocation
	@$(PYTHON) -m bench.rows

bench-inside: ## Measure where the time of a call goes, in-process; ARGS='--write docs/performance.md' keeps it
	@scripts/venv.sh requirements-dev.txt
	@$(PYTHON) -m bench.inside $(ARGS)

growth: ## Measure the same calls with a thousand and a million rows in each table; ARGS='--write docs/scaling.md' keeps it
	@scripts/venv.sh requirements-dev.txt
	@scripts/ensure_wrk.sh
	@$(PYTHON) -m bench.growth $(ARGS)

asvs: ## Write docs/asvs.md: which test proves which requirement
	@scripts/venv.sh requirements-dev.txt
	@$(PYTHON) scripts/asvs.py

clean: ## Remove everything that was made, but not instance/ with its data
	@rm -rf .venv .venv-uv .venv-audit sbom.json .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.* htmlcov
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
