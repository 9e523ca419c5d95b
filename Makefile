# Two commands set everything up on a machine with Python 3.11+ and make: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
# Test files at a time; much of a test is waiting for processes.
WORKERS ?= 4
PYTEST = scripts/clean_env.py $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
BIN = $(VENV)/bin
RUN_READY = $(VENV)/.run-ready
DEV_READY = $(VENV)/.dev-ready

.PHONY: help demo test test-long check bench promises model reference lock pin-images sbom docs pictures clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

demo: $(RUN_READY) ## install, then deploy, test-upload and status against the local cloud
	@$(BIN)/python -m scripts.demo

test: $(DEV_READY) ## everything that has to pass
	@$(BIN)/python $(PYTEST) -m "not long"

test-long: $(DEV_READY) ## the minutes-long tests too
	@$(BIN)/python $(PYTEST)

check: $(DEV_READY) ## lint, types, import contracts
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports && $(BIN)/mypy

bench: $(DEV_READY) ## measure, as ratios side by side
	@$(BIN)/python scripts/clean_env.py $(BIN)/python -m bench

promises: $(DEV_READY) ## which promises have a test, which have none
	@$(BIN)/python scripts/promises.py

model: ## build the default model bundle again, from its sources to the same bytes, and score the held-out texts
	@$(PYTHON) scripts/install.py model .model-venv
	@.model-venv/bin/python -m model.build
	@.model-venv/bin/python -m model.evaluate

reference: $(DEV_READY) ## write the generated pages of docs/reference anew
	@for page in api cli configuration iam refusals; do $(BIN)/python scripts/$${page}_reference.py > docs/reference/$$page.md; done
	@$(BIN)/python scripts/troubleshoot_reference.py > docs/how-to/troubleshoot.md

docs: ## build the documents' site into build/site; a link or an anchor that leads nowhere fails
	@$(PYTHON) scripts/install.py docs .docs-venv
	@NO_MKDOCS_2_WARNING=1 .docs-venv/bin/mkdocs build --strict

pictures: $(RUN_READY) ## make the pictures of real output in docs/pictures anew
	@$(BIN)/python -m scripts.pictures

lock: ## resolve the requirements files anew (needs uv)
	@$(PYTHON) scripts/lock.py

$(RUN_READY): requirements/bootstrap.txt requirements/run.txt requirements/build.txt pyproject.toml scripts/install.py
	@$(PYTHON) scripts/install.py run $(VENV)

$(DEV_READY): requirements/bootstrap.txt requirements/dev.txt requirements/build.txt pyproject.toml scripts/install.py
	@$(PYTHON) scripts/install.py dev $(VENV)

pin-images: ## fill in the digests of the base images, where their registries can be reached
	@$(PYTHON) scripts/pin_images.py

sbom: ## write what is in each image to build/sbom, as CycloneDX
	@$(PYTHON) scripts/sbom.py build/sbom

clean: ## remove what the targets made
	rm -rf $(VENV) .model-venv .docs-venv .demo build dist
